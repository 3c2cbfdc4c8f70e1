"""Instants of a run, and the chunks that they are computed in."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.state_variables import attitude
from constellation_jax.engine.tiles import pad
from constellation_jax.physics import frames
from constellation_jax.physics.constants import MINUTES_PER_DAY

LONGEST_MINUTES = {"float64": 31 * 1440.0, "float32": 120.0}
"""Longest span of a chunk, by precision. float64: bounds the table of the resonances' steps. float32: within an hour of the anchor,
which is in the middle, phases stay exact to a metre."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """Instants of a run, ascending, as day and fraction (UTC), and the Earth's attitude at each (rad)."""

    day: NDArray[np.int64]
    """Modified Julian Date of midnight, shape (steps,)."""
    fraction: NDArray[np.float64]
    gmst: NDArray[np.float64]
    polar_x: NDArray[np.float64]
    polar_y: NDArray[np.float64]

    @staticmethod
    def inertial(day: NDArray[np.int64], fraction: NDArray[np.float64]) -> Grid:
        """Make a grid without the Earth's attitude, for results in TEME."""
        zeros = np.zeros(len(day))
        return Grid(day, fraction, zeros, zeros, zeros)

    @staticmethod
    def turning(
        day: NDArray[np.int64], fraction: NDArray[np.float64], ut1_utc_days: Any, polar_x: Any, polar_y: Any
    ) -> Grid:
        """Make a grid with the sidereal time from UT1; UT1 - UTC in days, the pole in rad, arrays of shape (steps,)."""
        gmst = frames.sidereal_time(day.astype(np.float64), fraction + ut1_utc_days, np.floor)
        return Grid(day, fraction, gmst, polar_x, polar_y)

    def __len__(self) -> int:
        return len(self.day)

    def minutes_since(self, day: Any, fraction: Any, instants: Any = slice(None)) -> NDArray[np.float64]:
        """Minutes from days and fractions (of epochs, say) to some instants. Shapes as NumPy broadcasts them."""
        whole, part = self.day[instants] - day, self.fraction[instants] - fraction
        return np.asarray(whole * MINUTES_PER_DAY + part * MINUTES_PER_DAY)

    def minutes_since_first(self, instants: Any) -> NDArray[np.float64]:
        """Minutes from the first instant to some instants."""
        return self.minutes_since(self.day[0], self.fraction[0], instants)

    def ends_since(self, day: Any, fraction: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Minutes from epochs of shape (satellites,) to the first and to the last instant."""
        return self.minutes_since(day, fraction, 0), self.minutes_since(day, fraction, -1)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive instants that are computed together."""

    first: int
    last: int
    """One beyond the last instant."""
    day: float
    fraction: float
    """Middle of the chunk: Modified Julian Date, and fraction of a day, which may be 1 or more."""
    minutes: NDArray[np.float64]
    """Minutes from the middle to each instant."""

    def __len__(self) -> int:
        return len(self.minutes)

    @property
    def middle(self) -> NDArray[np.float64]:
        return np.array([self.day, self.fraction])

    @property
    def half_span(self) -> float:
        """Minutes from the middle to the last instant."""
        return float(self.minutes[-1])


def split(grid: Grid, start: int, stop: int, longest: float, most: int) -> list[Chunk]:
    """Split instants start:stop into chunks of at most `most` instants that span at most `longest` minutes."""
    chunks = []
    first = start
    while first < stop:
        last = min(first + most, stop)
        minutes = grid.minutes_since(grid.day[first], grid.fraction[first], slice(first, last))
        last = first + int(
            np.searchsorted(minutes, longest * (1.0 + 1e-9), side="right")
        )  # instants are spaced to rounding
        middle = 0.5 * minutes[last - first - 1]
        fraction = float(grid.fraction[first] + middle / MINUTES_PER_DAY)
        chunks.append(Chunk(first, last, float(grid.day[first]), fraction, minutes[: last - first] - middle))
        first = last
    return chunks


def attitude_at(
    grid: Grid, chunk: Chunk, minutes: NDArray[np.float64], length: int
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Matrices `turn` and `spin` of `in_frame` at minutes since the middle of a chunk and within it, padded to a length."""
    angles = (np.unwrap(v[chunk.first : chunk.last]) for v in (grid.gmst, grid.polar_x, grid.polar_y))
    # between the instants of a chunk all three are linear to rounding, and at the instants this is exact
    gmst, polar_x, polar_y = (pad(np.interp(minutes, chunk.minutes, v), length) for v in angles)
    turn, spin = attitude(gmst, polar_x, polar_y, np)
    return turn, spin
