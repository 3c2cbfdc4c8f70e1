"""The instants of a run, and the chunks that it is computed in."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagation import kernels as tiles
from constellation_jax.engine.propagation.kernels import CHUNK
from constellation_jax.physics import frames
from constellation_jax.physics.constants import MINUTES_PER_DAY

LONGEST_MINUTES = {"float64": 31 * 1440.0, "float32": 120.0}
"""Longest chunk, by precision. float64: the steps of the resonances in it are kept in a table. float32: with its anchor in the
middle, phases stay exact to a metre."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """The instants of a run, ascending, as day and fraction (UTC), and the Earth's attitude at each (rad)."""

    day: NDArray[np.int64]
    """Modified Julian Date of midnight, shape (steps,)."""
    fraction: NDArray[np.float64]
    gmst: NDArray[np.float64]
    polar_x: NDArray[np.float64]
    polar_y: NDArray[np.float64]

    @staticmethod
    def inertial(day: NDArray[np.int64], fraction: NDArray[np.float64]) -> Grid:
        """Without the Earth's attitude, for results in TEME."""
        nothing = np.zeros(len(day))
        return Grid(day, fraction, nothing, nothing, nothing)

    @staticmethod
    def turning(
        day: NDArray[np.int64], fraction: NDArray[np.float64], ut1_utc_days: Any, polar_x: Any, polar_y: Any
    ) -> Grid:
        """With the sidereal time made from UT1; UT1 - UTC in days, the pole in rad, arrays of shape (steps,)."""
        with x64():
            gmst = np.asarray(_gmst82(day.astype(np.float64), fraction + ut1_utc_days))
        return Grid(day, fraction, gmst, polar_x, polar_y)

    def minutes_since(self, day: Any, fraction: Any, instants: Any = slice(None)) -> NDArray[np.float64]:
        """From days and fractions (of epochs, say) to instants. Shapes as NumPy broadcasts them."""
        whole, part = self.day[instants] - day, self.fraction[instants] - fraction
        return np.asarray(whole * MINUTES_PER_DAY + part * MINUTES_PER_DAY)


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive instants that are computed together."""

    first: int
    last: int
    """One beyond the last."""
    day: float
    fraction: float
    """Middle of the chunk: Modified Julian Date and fraction, not brought under one."""
    minutes: NDArray[np.float64]
    """Of its instants since the middle."""

    @property
    def middle(self) -> NDArray[np.float64]:
        return np.array([self.day, self.fraction])

    @property
    def half_span(self) -> float:
        return float(self.minutes[-1])


def cut(grid: Grid, start: int, stop: int, longest: float = np.inf, most: int = CHUNK) -> list[Chunk]:
    """Instants start:stop in chunks of at most `most` instants that span at most `longest` minutes."""
    chunks = []
    first = start
    while first < stop:
        last = min(first + most, stop)
        minutes = grid.minutes_since(grid.day[first], grid.fraction[first], slice(first, last))
        last = first + int(np.searchsorted(minutes, longest * (1.0 + 1e-9), side="right"))  # whatever the last digit
        middle = 0.5 * minutes[last - first - 1]
        fraction = float(grid.fraction[first] + middle / MINUTES_PER_DAY)
        chunks.append(Chunk(first, last, float(grid.day[first]), fraction, minutes[: last - first] - middle))
        first = last
    return chunks


def attitude(grid: Grid, chunk: Chunk, minutes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrices of `tiles.Instants`, at minutes since the middle of a chunk and within it."""
    angles = (np.unwrap(v[chunk.first : chunk.last]) for v in (grid.gmst, grid.polar_x, grid.polar_y))
    # all three are as good as linear between the instants of a chunk, and at these exact
    turn, spin = _attitude(*(padded(np.interp(minutes, chunk.minutes, v), CHUNK) for v in angles))
    return np.asarray(turn), np.asarray(spin)


def padded(values: NDArray[Any], length: int) -> NDArray[Any]:
    """An array with the last entry of its last axis repeated up to a length."""
    missing = length - values.shape[-1]
    return np.concatenate([values, np.repeat(values[..., -1:], missing, axis=-1)], axis=-1) if missing else values


_gmst82 = jax.jit(frames.gmst82)
_attitude = jax.jit(tiles.attitude)
