"""Encounters of the shells of a tuning problem, counted by screening and differentiable by its design.

    screener = EncounterScreener(problem, catalog)
    found = screener.screen(design)                 # a pytree of arrays, which the compiled problem takes
    count_encounters(found, other_design, problem)  # traced: encounters a day of each shell

Screened pairs are held while the design moves by `reach_km` at most; then it is screened anew (rounds.py).
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.engine.screening.engine import ScreeningEngine
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.sources import choose_start
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.inputs.tuning.problem import TuningProblem
from constellation_jax.physics.conjunctions.moved_encounter import is_within, miss_squared, move_state
from constellation_jax.physics.constants import SECONDS_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.conjunctions.screen import FARTHEST_KM, STEP_S
from constellation_jax.studies.tuning.design import Design, Floats, make_design

TERM: Final = "encounters_per_day"
_LOGGER = logging.getLogger("constellation_jax")
_TAIL: Final = 7.0
"""Argument of the logistic beyond which an encounter counts for less than a thousandth."""
_MARGIN_KM: Final = 60.0
"""By which orbits differ from circles of their mean axis, eccentricity apart: J2, a planned shell's own eccentricity, drag."""
_MOST: Final = 4_000_000
"""Largest number of encounters that are held."""


class HeldEncounters(NamedTuple):
    """Screened encounters of some shells, arrays of a capacity that is larger than their number; a pytree."""

    states: Floats
    """Position, velocity (km, km/s) and unit vector to the node of both objects, shape (2, 3, 3, capacity)."""
    shells: Floats
    """1 where an object is of a shell, shape (2, shells, capacity)."""
    counts: Floats
    """1 for an encounter, 0 for what fills the arrays, shape (capacity,)."""
    altitude_km: Floats
    """Altitudes at which they were screened, shape (shells,)."""
    inclination_deg: Floats
    satellites: Floats
    """Number of satellites of each shell of the problem."""


def find_screened_distance(problem: TuningProblem) -> float:
    """Find the distance within which is screened: what counts, its soft edge, and what moves in from beyond.

    Raises:
        InputError: it is more than can be screened.
    """
    within, softness = problem.encounters_within_km, find_softness(problem)
    soft = float(np.sqrt(within**2 + 2.0 * _TAIL * within * softness))
    found = soft + problem.encounters_reach_km
    if found > FARTHEST_KM:
        raise InputError(
            f"tuning problem {problem.name!r}, encounters: within_km {within:g} with its soft edge and reach_km "
            f"{problem.encounters_reach_km:g} make {found:.1f} km, expected {FARTHEST_KM:g} km at most"
        )
    return found


def find_softness(problem: TuningProblem) -> float:
    """Find the softness: that of the problem, or a fifth of the distance."""
    own = problem.encounters_softness_km
    return 0.2 * problem.encounters_within_km if own is None else own


class EncounterScreener:
    """Screens the shells of a problem with each other and with what flies.

    Args:
        problem: with the term.
        catalog: objects among which the shells fly; None or empty: the shells alone.

    Raises:
        InputError: there is nothing that could be met, or the distances are too large.
    """

    def __init__(self, problem: TuningProblem, catalog: Catalog | None) -> None:
        self._problem = problem
        self._distance_km = find_screened_distance(problem)
        self._catalog = (
            None if catalog is None or not len(catalog) else _select_near(problem, catalog, self._distance_km)
        )
        if self._catalog is None and len(problem.shells) < 2:
            raise InputError(f"tuning problem {problem.name!r}: {TERM} of one shell needs a background catalogue")
        self._begin = choose_start(catalog if self._catalog is not None else None, None)
        self._capacity = 0
        self.screened = 0
        """Times that it has screened."""

    def screen(self, design: Design) -> HeldEncounters:
        """Screen the shells at the altitudes and inclinations of a design, with the numbers of satellites of the problem.

        Raises:
            InputError: more encounters than are held.
        """
        problem = self._problem
        numbers = zip(problem.shells, np.asarray(design.altitude_km), np.asarray(design.inclination_deg), strict=True)
        shells = [
            shell.replace(
                altitude_km=float(h), inclination_deg=float(i), sun_synchronous=False, plane_altitudes_km=None
            )
            for shell, h, i in numbers
        ]
        planned = shells_to_catalog(shells, epoch=self._begin)
        real = self._catalog
        objects = planned if real is None else Catalog.concatenate([planned, real])
        totals = [*(shell.total for shell in shells), len(objects) - len(planned)]
        group = np.repeat(np.arange(len(shells) + 1, dtype=np.int32), totals)
        day, fraction = to_day_fraction(np.array([self._begin]))
        engine = ScreeningEngine(
            objects.elements, int(day[0]), float(fraction[0]), problem.encounters_days * SECONDS_PER_DAY,
            distance_km=self._distance_km, step_s=STEP_S, groups=group,
        )  # fmt: skip
        try:
            found = engine.screen(_MOST)
        except OverflowError as error:
            raise InputError(
                f"tuning problem {problem.name!r}, encounters: some {int(error.args[0]):,} within {self._distance_km:.1f} km, "
                f"expected {_MOST:,} at most; ask for fewer days, a smaller within_km or reach_km"
            ) from None
        self.screened += 1
        met = found.encounters.part(~(found.is_at_start | found.is_at_end) & (found.together_s == 0.0))
        count = len(met.first)
        if count > self._capacity:
            if self._capacity:
                _LOGGER.info("%s: %d encounters, more than the arrays hold: compiled anew", problem.name, count)
            self._capacity = 1 << (max(1, count * 5 // 4) - 1).bit_length()
        states = np.zeros((2, 3, 3, self._capacity))
        states[:, :2] = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])[None, :, :, None]  # any orbit, for what fills
        states[1, 1] *= -1.0  # with a relative velocity
        states[:, 2, 0] = 1.0
        shell = np.zeros((2, len(shells), self._capacity))
        for k, state in enumerate(met.states):
            states[k, 0, :, :count], states[k, 1, :, :count] = state.position, state.velocity
            states[k, 2, :, :count] = _nodes(state.position, state.velocity)
            which = group[met.first if k == 0 else met.second]
            shell[k, :, :count] = which == np.arange(len(shells))[:, None]
        counts = np.zeros(self._capacity)
        counts[:count] = 1.0
        altitude, inclination = (np.array(row, float) for row in (design.altitude_km, design.inclination_deg))
        return HeldEncounters(states, shell, counts, altitude, inclination, make_design(problem.shells).satellites)


def count_encounters(found: HeldEncounters, design: Design, problem: TuningProblem) -> Array:
    """Count the encounters of each shell a day at a design near that of the screening, smoothly; shape (shells,). Traced.

    Those of two shells count half for each. A shell of other numbers of satellites meets in proportion.
    """
    shells = jnp.asarray(found.shells)
    more = [
        jnp.asarray(getattr(design, name)) - jnp.asarray(getattr(found, name))
        for name in ("altitude_km", "inclination_deg")
    ]
    up, tilt = (jnp.einsum("s,ksn->kn", change, shells) for change in (more[0], jnp.deg2rad(more[1])))

    def miss(states: Array, up: Array, tilt: Array) -> Array:
        (r1, v1), (r2, v2) = (move_state(states[k, 0], states[k, 1], states[k, 2], up[k], tilt[k]) for k in (0, 1))
        return miss_squared(r2 - r1, v2 - v1)

    squared = jax.vmap(miss, in_axes=-1)(jnp.asarray(found.states), up, tilt)
    inside = is_within(squared, problem.encounters_within_km, find_softness(problem))
    times = jnp.asarray(design.satellites) / jnp.asarray(found.satellites)
    of_shell = jnp.sum(shells, axis=1)  # 1 for objects of shells
    often = jnp.prod(jnp.einsum("s,ksn->kn", times, shells) + (1.0 - of_shell), axis=0)
    share = 1.0 / jnp.maximum(1.0, jnp.sum(of_shell, axis=0))
    each: Any = inside * often * share * jnp.asarray(found.counts) / problem.encounters_days
    return jnp.einsum("n,ksn->s", each, shells)


def _select_near(problem: TuningProblem, catalog: Catalog, distance_km: float) -> Catalog:
    """Select the objects that the shells can meet anywhere between their bounds."""
    low, high = np.array([[shell.orbit.altitude_km] * 2 for shell in problem.shells], float).T
    for variable in problem.variables:
        if variable.quantity == "altitude_km":
            low[list(variable.shells)], high[list(variable.shells)] = variable.low, variable.high
    a = catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    reach = a * catalog.eccentricity + distance_km + _MARGIN_KM
    mean = catalog.mean_altitude_km
    return catalog[(mean + reach >= low.min()) & (mean - reach <= high.max())]


def _nodes(position: Floats, velocity: Floats) -> Floats:
    """Unit vectors to the ascending nodes of states of shape (3, n); the x axis where the orbit has none."""
    x, y, _ = np.cross(position, velocity, axis=0)
    size = np.hypot(x, y)
    known = size > 1e-9 * np.linalg.norm(position, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.where(known, np.array([-y, x]) / size, np.array([[1.0], [0.0]]))
    return np.concatenate([found, np.zeros((1, found.shape[1]))])
