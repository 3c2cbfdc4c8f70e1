"""Quantities of shells that a tuning problem may vary, and terms that it minimises, bounds or reports.

Names carry their units. Deliberately absent: the computation of a term (studies/tuning/objective.py).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Quantity(NamedTuple):
    """A number of each shell that a tuning problem may vary."""

    units: str
    low: float
    high: float
    """The widest bounds that make sense."""
    whole: bool = False
    """Relaxed to a continuous number first, then rounded with the others optimised again."""


QUANTITIES: Final[dict[str, Quantity]] = {
    "altitude_km": Quantity("km", 150.0, 2000.0),  # drag and decay have an atmosphere up to there
    "inclination_deg": Quantity("degree", 0.0, 180.0),
    "planes": Quantity("1", 1.0, 1000.0, whole=True),
    "satellites_per_plane": Quantity("1", 1.0, 1000.0, whole=True),
    "phasing": Quantity("1", 0.0, 1000.0, whole=True),
    "min_elevation_deg": Quantity("degree", 0.0, 89.0),
}
"""In the order of the rows of a design."""


class TermKind(NamedTuple):
    """A figure of merit."""

    long_name: str
    units: str
    each: str = "shell"
    """Places that it has a value for: "shell"; "latitude", of all shells together; "system", all shells together."""
    needs: tuple[str, ...] = ()
    """Fields of `Shell` that have to be known."""
    by_solar: bool = False
    """True where it has a value for each level of solar activity."""
    counts_at_least: bool = False
    """True where `at_least_in_view` belongs to it."""
    fixed_numbers: bool = False
    """True where planes and satellites per plane must not vary."""
    one_shell: bool = False
    """True where it is about a single shell, at latitudes that are named."""
    only_reported: bool = False
    """True where it jumps, so that no solver can follow it."""


_THRUSTER = ("mass_kg", "thrust_mn")
TERMS: Final[dict[str, TermKind]] = {
    "mean_in_view": TermKind("mean number of satellites in view", "1", "latitude", ("min_elevation_deg",)),
    "probability_in_view": TermKind(
        "probability that at least so many satellites are in view",
        "1",
        "latitude",
        ("min_elevation_deg",),
        counts_at_least=True,
        fixed_numbers=True,
    ),
    "coverage_margin_deg": TermKind(
        "margin by which the best satellite is in view at the worst time, at the Earth's centre; above 0.4 always one in view",
        "degree",
        "latitude",
        ("min_elevation_deg",),
        fixed_numbers=True,
        one_shell=True,
    ),
    "max_revisit_minutes": TermKind(
        "longest time in a day without a satellite in view",
        "min",
        "latitude",
        ("min_elevation_deg",),
        fixed_numbers=True,
        one_shell=True,
        only_reported=True,
    ),
    "slant_range_km": TermKind("slant range, mean of the satellites in view", "km", needs=("min_elevation_deg",)),
    "round_trip_ms": TermKind(
        "light time from user to gateway and back, mean of the satellites in view", "ms", needs=("min_elevation_deg",)
    ),
    "path_loss_db": TermKind(
        "free-space loss at 12 GHz, mean of the satellites in view", "dB", needs=("min_elevation_deg",)
    ),
    "delta_v_m_s_per_year": TermKind("velocity increment that holds the altitude", "m s-1 year-1", by_solar=True),
    "propellant_kg_per_year": TermKind(
        "propellant that holds the altitude, of one satellite",
        "kg year-1",
        needs=("mass_kg", "specific_impulse_s"),
        by_solar=True,
    ),
    "duty_cycle": TermKind("fraction of the time that the thruster works", "1", needs=_THRUSTER, by_solar=True),
    "duty_cycle_peak": TermKind(
        "fraction of the worst ten days that the thruster works", "1", needs=_THRUSTER, by_solar=True
    ),
    "lifetime_years": TermKind("time to re-entry of a satellite that fails", "year", by_solar=True),
    "background_conjunctions_per_year": TermKind(
        "conjunctions with catalogued objects within the miss distance, of all satellites of a shell", "year-1"
    ),
    "mutual_conjunctions_per_year": TermKind(
        "conjunctions within the miss distance between satellites of two shells, half of them counted for each",
        "year-1",
    ),
    "encounters_per_day": TermKind(
        "encounters within within_km with catalogued objects and other shells a day, by screening, half of the latter for each",
        "day-1",
    ),
    "clearance_km": TermKind(
        "least distance of two shells in frozen altitude beyond their eccentricities and dead bands",
        "km",
        "system",
    ),
    "satellites": TermKind("satellites", "1"),
    "mass_to_orbit_kg": TermKind("mass of the satellites", "kg", needs=("mass_kg",)),
    "launches": TermKind("launches that put a shell up", "1", needs=("mass_kg", "specific_impulse_s")),
    "replacements_per_year": TermKind("satellites replaced", "year-1", needs=("design_life_years",)),
    "altitude_km": TermKind("altitude", "km"),
}
"""Terms by name. One of a shell is that of the whole shell where it counts things, else that of one of its satellites."""

SUMMED: Final = frozenset(
    {
        "background_conjunctions_per_year",
        "mutual_conjunctions_per_year",
        "encounters_per_day",
        "satellites",
        "mass_to_orbit_kg",
        "launches",
        "replacements_per_year",
    }
)
"""Terms of whole shells, which an objective adds up; it takes the mean over satellites of the others."""
