"""Kinks of SGP4: where the mean eccentricity goes through the least one that it allows; and where those of SDP4 may be.

Drag carries it there, or makes it swing about that value once a revolution. The orbit is continuous, its derivative is not, and a
polynomial across misses by metres. On the host, in NumPy.
"""

from __future__ import annotations

from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.physics.constants import MINUTES_PER_DAY, GravityModel
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.common import ECCENTRICITY_FLOOR
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.near_earth import NearEarth, eccentricity_and_turn

_GRID: Final = 121
"""Points of an interval between which a change of sign is looked for: a minute apart in two hours."""


class Kinks:
    """Finds the kinks of near-Earth satellites.

    Args:
        coefficients: NumPy arrays of shape (n,); None where n is 0.
        members: what the satellites are called in the results, shape (n,).
        since_epoch: minutes from each epoch to the instant that nanoseconds are counted from.
    """

    def __init__(
        self, coefficients: NearEarth | None, members: NDArray[np.intp], since_epoch: NDArray[np.float64]
    ) -> None:
        self._coefficients = coefficients
        self._members = members
        self._since_epoch = since_epoch

    def between(self, edges: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]:
        """Every kink between edges (nanoseconds, ascending): number of the interval, member, and nanoseconds."""
        near: Any = self._coefficients
        if near is None:
            return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.int64)
        first, last = kink_windows(near, self._since_epoch)
        minutes = edges[:, None] / 60e9
        interval, row = np.nonzero((first < minutes[1:]) & (last > minutes[:-1]))
        own = jax.tree.map(lambda v: v[row][:, None], near)
        offset = self._since_epoch[row][:, None]
        start, stop = edges[interval, None], edges[interval + 1, None]
        grid = start + (stop - start) * np.linspace(0.0, 1.0, _GRID)
        side = _above(own, grid / 60e9 + offset)
        pair, step = np.nonzero(side[:, 1:] != side[:, :-1])
        left, right, before = (v[pair, k][:, None] for v, k in ((grid, step), (grid, step + 1), (side, step)))
        own, offset = jax.tree.map(lambda v: v[pair], own), offset[pair]
        while len(pair) and np.max(right - left) > 1.0:
            middle = 0.5 * (left + right)
            same = _above(own, middle / 60e9 + offset) == before
            left, right = np.where(same, middle, left), np.where(same, right, middle)
        return interval[pair], self._members[row[pair]], np.rint(right[:, 0]).astype(np.int64)


def kink_windows(c: Any, since_epoch: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """First and last minute at which each satellite may have a kink, since the instant that `since_epoch` leads to; (satellites,).

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


def may_jump(elements: Elements, ends: tuple[NDArray[np.float64], ...]) -> NDArray[np.bool_]:
    """Which deep-space satellites may have a kink or a jump during a run. Shape (satellites,).

    Theirs are where the mean eccentricity goes through the least one, and where the perturbed inclination goes through 0.2 rad,
    from one set of formulas of SDP4 to another. The Moon and the Sun move it by some 0.003 rad, and by a degree a year.

    Args:
        ends: minutes from each epoch to the first and to the last instant.
    """
    days = _farthest(ends) / MINUTES_PER_DAY
    e, i = np.asarray(elements.eccentricity), np.asarray(elements.inclination)
    return np.asarray((e < 2e-5) | (np.abs(i - 0.2) < 0.01 + 1e-4 * days))


def resonance_kinks(c: Any, ends: tuple[NDArray[np.float64], ...], gravity: GravityModel) -> NDArray[np.float64]:
    """Largest change of velocity at a step of SDP4's resonance integrator, km/min; zero without resonance. Shape (satellites,).

    The mean motion goes from one step to the next by three terms of its series, the resonance angle by three terms of its own: the
    last of those of the mean motion turns up in the rate of the angle all at once. That rate is bounded by the time that the
    resonance has to change it, and by the pendulum's energy.

    Args:
        c: `DeepSpace` of NumPy arrays of shape (satellites,).
        ends: minutes from each epoch to the first and to the last instant.
    """
    amplitude, multiple = np.abs(np.stack(c.resonance)), np.array(sdp4.MULTIPLES)[:, None]
    at_epoch, longest = c.mean_motion + c.lambda_rate, _farthest(ends)
    rate = np.minimum(
        np.abs(at_epoch) + amplitude.sum(axis=0) * longest,
        np.sqrt(at_epoch**2 + 4.0 * (amplitude / multiple).sum(axis=0)),
    )
    second_derivative = (multiple * amplitude).sum(axis=0) * rate
    return np.asarray(0.5 * sdp4.STEP_MINUTES**2 * second_derivative * semi_major_axis_km(c.mean_motion, gravity))


def _farthest(ends: tuple[NDArray[np.float64], ...]) -> NDArray[np.float64]:
    """Largest distance from each epoch during a run, minutes."""
    return np.asarray(np.maximum(*(np.abs(t) for t in ends)))


def _above(c: Any, minutes: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether the mean eccentricity is above the least one."""
    eccentricity, _ = eccentricity_and_turn(c, minutes, lambda angle: (np.sin(angle), np.cos(angle)))
    return np.asarray(eccentricity > ECCENTRICITY_FLOOR)
