"""Terms of a tuning problem as functions of its design, each computed from a figure of merit of physics/.

Everything that does not depend on the design is made once for a problem (`make_surroundings`): drag over altitude and inclination,
lifetimes, the background catalogue, weights of latitudes, spacecraft and launch vehicle. The rest is pure JAX.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.deployment.launcher import Launcher
from constellation_jax.inputs.environment.demand import Demand
from constellation_jax.inputs.environment.space_weather_series import SpaceWeatherSource
from constellation_jax.inputs.shells.shell import Orbit, Shell, Spacecraft, Walker
from constellation_jax.inputs.sources import find_source, read_source
from constellation_jax.inputs.tuning.problem import Term, TuningProblem
from constellation_jax.inputs.tuning.terms import TERMS
from constellation_jax.physics.merit import conjunction_rate, cost, coverage, drag, link, revisit
from constellation_jax.studies.decay.inputs import list_names, shell_ballistic_coefficients
from constellation_jax.studies.tuning import encounters
from constellation_jax.studies.tuning.design import Design, Floats

FREQUENCY_GHZ: Final = 12.0
"""Frequency of the free-space loss: the down-links of broadband constellations."""
_DRAG: Final = frozenset({"delta_v_m_s_per_year", "propellant_kg_per_year", "duty_cycle", "duty_cycle_peak"})


class Surroundings(NamedTuple):
    """Inputs of the terms that do not depend on the design; a pytree of arrays, None where no term needs one."""

    spacecraft: Spacecraft
    """Spacecraft of the shells, fields of shape (shells,); NaN where unknown, which no term then uses."""
    eccentricity: Floats
    """Mean eccentricity of each shell, shape (shells,)."""
    ballistic_coefficient: Floats
    """Ballistic coefficient on station, m2/kg, shape (shells,)."""
    dead_ballistic_coefficient: Floats
    """Ballistic coefficient of a failed satellite: tumbling where the areas are known, else as on station. Shape (shells,)."""
    drag: Any
    """`DragTable` of the span and the solar activities of the problem."""
    lifetimes: Any
    """`LifetimeTable` of the same span and solar activities."""
    background: Any
    """`ConjunctionBackground` of the catalogue that the shells fly in."""
    weights: Any
    """Latitudes and weights of each demand, by its name."""
    launcher: Any
    """`Launcher` of the problem."""
    injection_altitude_km: float
    """Altitude of injection of the launch vehicle."""
    encounters: Any = None
    """`HeldEncounters` that were screened; None where no term counts them."""


def make_surroundings(
    problem: TuningProblem, *, background: Catalog | None = None, space_weather: SpaceWeatherSource | None = None
) -> Surroundings:
    """Make the inputs of the terms of a problem; drag, lifetimes and a background take some seconds."""
    quantities = {term.quantity for term in problem.terms()}
    spacecraft = [shell.spacecraft for shell in problem.shells]
    on_station, dead, _ = shell_ballistic_coefficients(problem.shells)
    given: dict[str, Any] = {
        "start": problem.start,
        "solar": problem.scenarios,
        "space_weather": space_weather,
        "atmosphere": problem.atmosphere,
    }
    drag_table = lifetimes = objects = launcher = None
    if quantities & _DRAG:
        from constellation_jax.studies.decay.fill_tables import fill_drag_table

        drag_table = fill_drag_table(years=problem.years, **given)
    if "lifetime_years" in quantities:
        from constellation_jax.studies.decay.fill_tables import fill_lifetime_table

        span: Any = float(dead.min()) if np.ptp(dead) == 0.0 else (float(dead.min()), float(dead.max()))
        lifetimes = fill_lifetime_table(ballistic_coefficient=span, **given)
    if "background_conjunctions_per_year" in quantities:
        around = _load_background(problem, background)
        if around is None:
            raise InputError(
                f"tuning problem {problem.name!r}: background_conjunctions_per_year needs a background catalogue, found 'none'"
            )
        objects = conjunction_rate.ConjunctionBackground.from_catalog(around)
    if "launches" in quantities:
        try:
            launcher = Launcher.of_vehicle(problem.vehicle, cargo=problem.cargo or None)
        except InputError as error:
            raise InputError(f"tuning problem {problem.name!r}, launch: {error}") from None
    rows = {f.name: [getattr(s, f.name) for s in spacecraft] for f in dataclasses.fields(Spacecraft)}
    stack: Any = {key: np.array(row, float) for key, row in rows.items()}  # NaN where None
    return Surroundings(
        Spacecraft(**stack),
        np.array([shell.orbit.eccentricity for shell in problem.shells], float),
        on_station,
        dead,
        drag_table,
        lifetimes,
        objects,
        {term.demand: _load_weights(term.demand) for term in problem.terms() if term.demand},
        launcher,
        problem.injection_altitude_km,
    )


def make_screener(problem: TuningProblem, background: Catalog | None = None) -> encounters.EncounterScreener | None:
    """Make the screener of a problem; None where no term counts encounters.

    Raises:
        InputError: a solver that cannot go in rounds, or as for `EncounterScreener`.
    """
    if encounters.TERM not in {term.quantity for term in problem.terms()}:
        return None
    solver = problem.solver
    if solver.method not in ("slsqp", "trust-constr") or solver.starts > 1:
        found = f"method {solver.method!r}" if solver.starts == 1 else f"starts {solver.starts}"
        raise InputError(
            f"tuning problem {problem.name!r}: {encounters.TERM} is screened anew between steps; found {found}, expected "
            "slsqp or trust-constr from one start"
        )
    return encounters.EncounterScreener(problem, _load_background(problem, background))


def list_assumptions(problem: TuningProblem) -> list[str]:
    """List what the terms of a problem take for granted about the drag of its satellites, a line each."""
    quantities = {term.quantity for term in problem.terms()}
    notes = shell_ballistic_coefficients(problem.shells)[2] if quantities & {*_DRAG, "lifetime_years"} else []
    if "lifetime_years" in quantities:
        alike = [s.name for s in problem.shells if s.spacecraft.ballistic_coefficient("tumbling") is None]
        if alike:
            notes.append(
                f"{list_names(alike)}: least and largest drag area are not both known; a failed satellite is taken to have the "
                "ballistic coefficient on station"
            )
    return notes


class DesignMerit:
    """Figures of merit of one design; each is computed once, however many terms need it. Lives within one trace."""

    def __init__(self, design: Design, surroundings: Surroundings, problem: TuningProblem) -> None:
        self.design, self.surroundings, self.problem = design, surroundings, problem
        orbit: Any = dict(zip(("altitude_km", "inclination_deg"), design[:2], strict=True))
        self.shells = Shell(
            orbit=Orbit(**orbit, eccentricity=surroundings.eccentricity),  # type: ignore[arg-type]  # a stack
            pattern=Walker(planes=design.planes, per_plane=design.satellites_per_plane, phasing=design.phasing),
            spacecraft=dataclasses.replace(surroundings.spacecraft, min_elevation_deg=design.min_elevation_deg),
        )
        """All shells of the problem as one stack."""
        self._known: dict[str, Array] = {}

    def compute_once(self, key: str, make: Callable[[DesignMerit], Array]) -> Array:
        """Compute a figure of merit, or return it where it has been computed before."""
        if key not in self._known:
            self._known[key] = make(self)
        return self._known[key]

    def make_shell(self, k: int) -> Shell:
        """Make the k-th shell with the numbers of planes and slots of the problem, which are static."""
        one: Shell = jax.tree.map(lambda part: jnp.asarray(part)[..., k] if jnp.ndim(part) else part, self.shells)
        pattern = dataclasses.replace(self.problem.shells[k].pattern, phasing=self.design.phasing[k])
        return dataclasses.replace(one, pattern=pattern)


def compute_term(term: Term, merit: DesignMerit) -> Array:
    """Compute a term for each of its shells or latitudes: shape (places,), or (solar, shells) where solar activity matters."""
    kind = TERMS[term.quantity]
    if kind.one_shell:
        is_margin = term.quantity == "coverage_margin_deg"
        of_shell = revisit.smooth_least_margin_deg if is_margin else revisit.max_revisit_minutes
        return of_shell(merit.make_shell(term.shells[0]), jnp.array(term.latitude_deg))
    if kind.each == "latitude":
        return _compute_by_latitude(term, merit)
    if kind.each == "system":
        some = jax.tree.map(lambda part: select(part, term.shells) if jnp.ndim(part) else part, merit.shells)
        return conjunction_rate.smooth_least_clearance_km(some)[None]
    return select(merit.compute_once(term.quantity, _BY_SHELL[term.quantity]), term.shells)


def select(found: Array, shells: tuple[int, ...]) -> Array:
    """Select the values of some shells from those of all shells along the last axis."""
    # no gather: under xla_cpu_use_multi_output_fusion it makes XLA's CPU compiler (jaxlib 0.10.2) abort
    return jnp.stack([found[..., k] for k in shells], axis=-1)


def _compute_by_latitude(term: Term, merit: DesignMerit) -> Array:
    if term.demand:
        latitude, weight = (jnp.asarray(v) for v in merit.surroundings.weights[term.demand])
    else:
        latitude, weight = jnp.array(term.latitude_deg), None
    if term.quantity == "mean_in_view":
        counts = np.zeros((len(merit.problem.shells), 1))
        counts[list(term.shells)] = 1.0
        found = jnp.sum(coverage.mean_in_view(merit.shells, latitude) * counts, axis=0)
    else:
        shells = [merit.make_shell(k) for k in term.shells]
        found = coverage.probability_in_view(shells, latitude, term.at_least_in_view)
    return found if weight is None else jnp.sum(weight * found)[None]


def _compute_slant_range(m: DesignMerit) -> Array:
    """Compute the mean slant range of all satellites in view of users spread evenly over the Earth, km."""
    return m.compute_once("slant_range_km", lambda m: link.mean_over_footprint(m.shells, lambda d: d))


def _compute_path_loss(m: DesignMerit) -> Array:
    return link.mean_over_footprint(m.shells, lambda d: link.free_space_loss_db(d, FREQUENCY_GHZ))


def _compute_delta_v(m: DesignMerit, *, worst: bool = False) -> Array:
    s = m.surroundings
    b = jnp.asarray(s.ballistic_coefficient)
    of_shells = drag.delta_v_per_year
    return m.compute_once(
        f"delta_v {worst}", lambda m: of_shells(m.shells, s.drag, worst=worst, ballistic_coefficient_m2_kg=b)
    )


def _compute_duty_cycle(m: DesignMerit, *, worst: bool) -> Array:
    mass, thrust = (jnp.asarray(v)[None] for v in (m.shells.spacecraft.mass_kg, m.shells.spacecraft.thrust_mn))
    return jnp.asarray(drag.duty_cycle(_compute_delta_v(m, worst=worst), mass, thrust))


def _compute_propellant(m: DesignMerit) -> Array:
    craft = m.shells.spacecraft
    mass, impulse = (jnp.asarray(v)[None] for v in (craft.mass_kg, craft.specific_impulse_s))
    return jnp.asarray(drag.propellant_kg(_compute_delta_v(m), mass, impulse))


def _compute_lifetime(m: DesignMerit) -> Array:
    b = jnp.asarray(m.surroundings.dead_ballistic_coefficient)
    return drag.lifetime_years(m.shells, m.surroundings.lifetimes, ballistic_coefficient_m2_kg=b)


def _compute_launches(m: DesignMerit) -> Array:
    at_launch = cost.launch_mass_kg(m.shells, m.surroundings.injection_altitude_km)
    return cost.launches_needed(m.design.satellites, at_launch, *m.surroundings.launcher)


def _compute_mutual_conjunctions(m: DesignMerit) -> Array:
    return 0.5 * jnp.sum(conjunction_rate.between_shells(m.shells, m.problem.miss_distance_km), axis=1)


_BY_SHELL: Final[dict[str, Callable[[DesignMerit], Array]]] = {
    "slant_range_km": _compute_slant_range,
    "round_trip_ms": lambda m: link.light_time_ms(4.0 * _compute_slant_range(m)),
    "path_loss_db": _compute_path_loss,
    "delta_v_m_s_per_year": _compute_delta_v,
    "propellant_kg_per_year": _compute_propellant,
    "duty_cycle": lambda m: _compute_duty_cycle(m, worst=False),
    "duty_cycle_peak": lambda m: _compute_duty_cycle(m, worst=True),
    "lifetime_years": _compute_lifetime,
    "satellites": lambda m: m.design.satellites,
    "mass_to_orbit_kg": lambda m: m.design.satellites * jnp.asarray(m.shells.spacecraft.mass_kg),
    "launches": _compute_launches,
    "replacements_per_year": lambda m: cost.replacements_per_year(
        m.design.satellites, jnp.asarray(m.shells.spacecraft.design_life_years)
    ),
    "background_conjunctions_per_year": lambda m: conjunction_rate.with_background(
        m.shells, m.surroundings.background, m.problem.miss_distance_km
    ),
    "mutual_conjunctions_per_year": _compute_mutual_conjunctions,
    encounters.TERM: lambda m: encounters.count_encounters(m.surroundings.encounters, m.design, m.problem),
    "altitude_km": lambda m: m.design.altitude_km,
}


def _load_background(problem: TuningProblem, given: Catalog | None) -> Catalog | None:
    """Load the catalogue of a problem, or take the one that is given, without what it leaves out; None where it has none."""
    if given is not None:
        return _exclude(given, problem.exclude)
    if problem.background == "none":
        return None
    try:
        return _exclude(read_source(find_source(problem.background)), problem.exclude)
    except InputError as error:
        raise InputError(f"tuning problem {problem.name!r}, background: {error}") from None


def _exclude(catalog: Catalog, patterns: tuple[str, ...]) -> Catalog:
    """Select the objects whose names match no pattern."""
    if not patterns:
        return catalog
    match = re.compile("|".join(f"(?:{translate(pattern.upper())})" for pattern in patterns)).match
    return catalog[np.array([match(name.upper()) is None for name in catalog.name.tolist()])]


def _load_weights(name: str) -> tuple[Floats, Floats]:
    """Load the latitudes of a demand whose weights are above zero, and these weights."""
    found = Demand.load(name)
    some = found.weight > 0.0
    return found.latitude_deg[some], found.weight[some]
