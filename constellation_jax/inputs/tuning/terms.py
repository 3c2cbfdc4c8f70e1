"""What a study can ask of shells: the quantities that vary, and the terms that are minimised, bounded or reported.

Names carry their units. Deliberately absent: how a term is computed (studies/tuning/objective.py).
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Quantity(NamedTuple):
    """A number of each shell that a study may vary."""

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
    """What it has a value for: "shell"; "latitude", of all shells together; "system", all shells together."""
    needs: tuple[str, ...] = ()
    """Fields of `Shell` that have to be known."""
    by_sun: bool = False
    """Whether it has a value for each solar scenario."""
    counts_at_least: bool = False
    """Whether `at_least_in_view` belongs to it."""
    fixed_numbers: bool = False
    """Whether it needs planes and satellites per plane that do not vary."""
    one_shell: bool = False
    """Whether it is about a single shell, at latitudes that are named."""
    only_reported: bool = False
    """Whether it jumps, so that no solver can follow it."""


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
        "how far inside the view the best satellite is at the worst time, at the Earth's centre; above 0.4 always one in view",
        "degree",
        "latitude",
        ("min_elevation_deg",),
        fixed_numbers=True,
        one_shell=True,
    ),
    "worst_gap_minutes": TermKind(
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
        "light time user - satellite - user, mean of the satellites in view", "ms", needs=("min_elevation_deg",)
    ),
    "path_loss_db": TermKind(
        "free-space loss at 12 GHz, mean of the satellites in view", "dB", needs=("min_elevation_deg",)
    ),
    "delta_v_m_s_per_year": TermKind("velocity increment that holds the altitude", "m s-1 year-1", by_sun=True),
    "propellant_kg_per_year": TermKind(
        "propellant that holds the altitude, of one satellite",
        "kg year-1",
        needs=("mass_kg", "specific_impulse_s"),
        by_sun=True,
    ),
    "duty_cycle": TermKind("fraction of the time that the thruster works", "1", needs=_THRUSTER, by_sun=True),
    "duty_cycle_peak": TermKind("the same in the worst ten days", "1", needs=_THRUSTER, by_sun=True),
    "lifetime_years": TermKind("time to re-entry of a satellite that fails", "year", by_sun=True),
    "background_encounters_per_year": TermKind(
        "passages of catalogued objects within the miss distance, of all satellites of a shell", "year-1"
    ),
    "mutual_encounters_per_year": TermKind(
        "passages within the miss distance between satellites of two shells, half of them counted for each", "year-1"
    ),
    "clearance_km": TermKind(
        "least distance of two shells in frozen altitude beyond what their eccentricities and dead bands take",
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
        "background_encounters_per_year",
        "mutual_encounters_per_year",
        "satellites",
        "mass_to_orbit_kg",
        "launches",
        "replacements_per_year",
    }
)
"""Terms of whole shells, which an objective adds up; it takes the mean over satellites of the others."""
