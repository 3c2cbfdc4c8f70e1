"""Lasting failures on the device, by the rules of engine/failures.py.

Instants are compared with epochs on the host, in integers and float64, where that can be done beforehand: float32 would take the
wrong side of an epoch that falls on an instant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.sgp4.status import DECAYED, FARTHEST_MINUTES, TOO_FAR

_NONE = np.iinfo(np.int32).max


class Marks(NamedTuple):
    """Rows of a run's grid from which something holds for each satellite, int32 arrays of shape (satellites,)."""

    epoch: Array
    """First row at or after the epoch."""
    known: Array
    """First row at which the elements say something (`Regime.drag_limits`)."""
    decayed: Array
    """First row at which the satellite counts as decayed (`Regime.drag_limits`)."""
    near: Array
    """First row that is not too far from the epoch."""
    far: Array
    """First row beyond it that is too far again."""


class Circumstances(NamedTuple):
    """Circumstances of satellites at instants, boolean arrays of shape (instants, satellites)."""

    is_after_epoch: Array
    """True at and after the epoch."""
    is_decayed: Array
    is_unknown: Array
    """True before the drag of SGP4 means something."""
    is_too_far: Array


def find_marks(
    grid: Grid, day: NDArray[np.float64], fraction: NDArray[np.float64], limits: tuple[NDArray[np.float64], ...]
) -> Marks:
    """Find the rows of a grid from which something holds.

    Args:
        grid: all instants, ascending.
        day, fraction: epochs, shape (satellites,).
        limits: minutes, of `Regime.drag_limits`.
    """

    def first(least: NDArray[np.float64] | float, *, beyond: bool = False) -> Any:
        """First row with at least so many minutes since the epoch, or with more."""
        low, high = np.zeros(len(day), np.intp), np.full(len(day), len(grid))
        while (low < high).any():  # by the comparison itself: a search among sums would round otherwise
            middle = (low + high) // 2
            minutes = grid.minutes_since(day, fraction, np.minimum(middle, len(grid) - 1))
            holds = minutes > least if beyond else minutes >= least
            is_open = low < high
            high, low = np.where(is_open & holds, middle, high), np.where(is_open & ~holds, middle + 1, low)
        return low.astype(np.int32)

    decayed_after, lost_before = limits
    return Marks(
        first(0.0),
        first(lost_before),
        first(decayed_after, beyond=True),
        first(-FARTHEST_MINUTES),
        first(FARTHEST_MINUTES, beyond=True),
    )


def at_rows(marks: Marks, rows: Array) -> Circumstances:
    """Circumstances of satellites at rows of the grid, shape (instants,)."""
    rows = rows[:, None]
    epoch, known, decayed, near, far = (mark[None] for mark in marks)
    return Circumstances(rows >= epoch, rows >= decayed, rows < known, (rows < near) | (rows >= far))


def at_minutes(minutes: Array, limits: tuple[Array, Array]) -> Circumstances:
    """Circumstances of satellites at minutes since their epochs, shape (instants, satellites)."""
    decayed_after, lost_before = (limit[None] for limit in limits)
    is_too_far = jnp.abs(minutes) > FARTHEST_MINUTES
    return Circumstances(minutes >= 0.0, minutes > decayed_after, minutes < lost_before, is_too_far)


def apply_failures(status: Array, found: Circumstances, code: Array) -> tuple[Array, Array]:
    """Complete the status of instants in ascending order, and make each failure at or after an epoch last.

    Args:
        status: of each instant by itself, int8, shape (instants, satellites).
        found: circumstances.
        code: status that each satellite keeps from earlier instants, 0 where it has not failed, int8, shape (satellites,).

    Returns:
        The status, and the code after the last instant.
    """
    status = jnp.where((status == 0) & found.is_decayed, jnp.int8(DECAYED), status)
    status = jnp.where(found.is_unknown | found.is_too_far, jnp.int8(TOO_FAR), status)
    rows = jnp.arange(len(status), dtype=jnp.int32)[:, None]
    # row and status in one number: the first failure is found by one reduction
    key = jnp.where((status != 0) & found.is_after_epoch, 8 * rows + status.astype(jnp.int32), _NONE)
    first = key.min(axis=0, initial=_NONE)[None]
    earlier = code[None]
    kept = jnp.where(earlier != 0, earlier, jnp.where(first == _NONE, 0, first % 8).astype(jnp.int8))
    lasts = (kept != 0) & (rows >= jnp.where(earlier != 0, 0, first // 8))
    return jnp.where(lasts, kept, status), kept[0]
