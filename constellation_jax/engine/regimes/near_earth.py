"""Near-Earth regime: SGP4, for periods under 225 minutes.

Its discontinuities are where the mean eccentricity goes through the least one that SGP4 allows. Drag carries it there, or makes it
swing about that value once a revolution. The orbit is continuous but its derivative is not, and a polynomial across such a point
misses by metres.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar, Final

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.regimes.regime import SAFE_RADIUS_KM, Discontinuities, Ends, Floats, Moments, Regime
from constellation_jax.physics.constants import DEEP_SPACE_PERIOD_MINUTES, MINUTES_PER_DAY, TWO_PI, GravityModel
from constellation_jax.physics.numerics.fastmath import horner
from constellation_jax.physics.sgp4 import kepler, near_earth
from constellation_jax.physics.sgp4.common import ECCENTRICITY_FLOOR, OrbitState
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.near_earth import NearEarth, eccentricity_and_turn

_GRID: Final = 121
"""Points in an interval between which a crossing is searched: a minute apart in two hours."""


@dataclasses.dataclass(frozen=True)
class NearEarthRegime(Regime):
    """SGP4.

    Attributes:
        small_eccentricity: whether the mean eccentricity stays below `kepler.SMALL_ECCENTRICITY`, which is quicker.
    """

    small_eccentricity: bool = False

    name: ClassVar[str] = "near_earth"
    checks_nodes: ClassVar[bool] = False
    node_rate: ClassVar[float] = 15.5 * TWO_PI / MINUTES_PER_DAY

    @property
    def largest_axis(self) -> float:
        return (DEEP_SPACE_PERIOD_MINUTES / TWO_PI * self.gravity.xke) ** (2.0 / 3.0)

    @property
    def is_rare(self) -> bool:
        return not self.small_eccentricity

    @property
    def general(self) -> NearEarthRegime:
        return NearEarthRegime(self.gravity)

    def initialise(self, elements: Elements) -> NearEarth:
        return near_earth.initialise(elements, self.gravity)

    def shift(self, coefficients: NearEarth, minutes: Array) -> NearEarth:
        return near_earth.shift(coefficients, minutes)

    def at(self, coefficients: NearEarth, minutes: Array, state: Any) -> OrbitState:
        return near_earth.evaluate(coefficients, minutes, self.gravity, self.small_eccentricity)

    def mean_size(self, coefficients: NearEarth, minutes: Any) -> tuple[Any, Any]:
        c: Any = coefficients
        return horner(minutes, c.root_a), horner(minutes, c.eccentricity)

    def discontinuities(self, coefficients: NearEarth, elements: Elements, ends: Ends) -> Discontinuities:
        first, last = discontinuity_windows(coefficients, ends[0])
        is_safe = stays_above_safe_radius(coefficients, ends, self.gravity)
        return Discontinuities(is_safe & self.small_eccentricity, first, last, np.zeros(len(first)))

    def find_discontinuities(
        self, make_coefficients: Callable[[], NearEarth], since_epoch: Floats, edges: NDArray[np.int64]
    ) -> Moments:
        if not len(since_epoch):
            return super().find_discontinuities(make_coefficients, since_epoch, edges)
        coefficients = make_coefficients()
        first, last = discontinuity_windows(coefficients, since_epoch)
        minutes = edges[:, None] / 60e9
        interval, satellite = np.nonzero((first < minutes[1:]) & (last > minutes[:-1]))
        own = jax.tree.map(lambda v: v[satellite][:, None], coefficients)
        offset = since_epoch[satellite][:, None]
        start, stop = edges[interval, None], edges[interval + 1, None]
        grid = start + (stop - start) * np.linspace(0.0, 1.0, _GRID)
        side = _is_above_floor(own, grid / 60e9 + offset)
        pair, step = np.nonzero(side[:, 1:] != side[:, :-1])
        left, right, before = (v[pair, k][:, None] for v, k in ((grid, step), (grid, step + 1), (side, step)))
        own, offset = jax.tree.map(lambda v: v[pair], own), offset[pair]
        while len(pair) and np.max(right - left) > 1.0:
            middle = 0.5 * (left + right)
            same = _is_above_floor(own, middle / 60e9 + offset) == before
            left, right = np.where(same, middle, left), np.where(same, right, middle)
        return interval[pair], satellite[pair], np.rint(right[:, 0]).astype(np.int64)


def stays_small(c: Any, elements: Elements, ends: Ends) -> NDArray[np.bool_]:
    """True where the mean eccentricity stays below `kepler.SMALL_ECCENTRICITY` over a run, shape (satellites,).

    Args:
        c: `NearEarth` of NumPy arrays of shape (satellites,).
    """
    bound = np.maximum(*(np.abs(c.eccentricity[0] + c.eccentricity[1] * t) for t in ends)) + np.abs(c.bstar_cc5)
    return np.asarray(np.maximum(bound, np.abs(elements.eccentricity)) < kepler.SMALL_ECCENTRICITY)


def stays_above_safe_radius(c: Any, ends: Ends, gravity: GravityModel) -> NDArray[np.bool_]:
    """True where a satellite certainly stays above `SAFE_RADIUS_KM` over a run, without any failure, shape (satellites,).

    The bound on its semi-major axis adds the least value of each power of time, so it is far too low where drag is strong.

    Args:
        c: `NearEarth` of NumPy arrays of shape (satellites,).
    """
    root_a = c.root_a[0]
    for k, factor in enumerate(c.root_a[1:], 1):
        root_a = root_a + np.minimum(0.0, np.minimum(*(factor * t**k for t in ends)))
    swing = [c.eccentricity[0] + c.eccentricity[1] * t for t in ends]
    largest = np.maximum(*swing) + np.abs(c.bstar_cc5)
    smallest = np.minimum(*swing) - np.abs(c.bstar_cc5)
    perigee = np.maximum(root_a, 0.0) ** 2 * (1.0 - largest) * gravity.equatorial_radius_km
    return np.asarray((perigee > SAFE_RADIUS_KM) & (smallest > -0.001))  # below that SGP4 gives status 1


def discontinuity_windows(c: Any, since_epoch: Floats) -> tuple[Floats, Floats]:
    """First and last minute at which there may be a discontinuity, since the instant that `since_epoch` leads to; (satellites,).

    Args:
        c: `NearEarth` of NumPy arrays of shape (satellites,).
        since_epoch: minutes, shape (satellites,).
    """
    level, slope = c.eccentricity
    with np.errstate(divide="ignore", invalid="ignore"):
        ends = [(ECCENTRICITY_FLOOR + swing - level) / slope for swing in (c.bstar_cc5, -c.bstar_cc5)]
    # without drag it stays where it is: within the swing for ever, or never
    near = np.abs(level - ECCENTRICITY_FLOOR) <= np.abs(c.bstar_cc5)
    first = np.where(slope == 0.0, np.where(near, -np.inf, np.inf), np.minimum(*ends))
    last = np.where(slope == 0.0, np.where(near, np.inf, -np.inf), np.maximum(*ends))
    return first - since_epoch, last - since_epoch


def _is_above_floor(c: Any, minutes: Floats) -> NDArray[np.bool_]:
    """True where the mean eccentricity is above the least one."""
    eccentricity, _ = eccentricity_and_turn(c, minutes, lambda angle: (np.sin(angle), np.cos(angle)))
    return np.asarray(eccentricity > ECCENTRICITY_FLOOR)
