"""Failed satellites: one that fails at or after its epoch stays failed, as does one that drag has carried off long before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.sgp4.status import DECAYED, FARTHEST_MINUTES, TOO_FAR


class Failures:
    """First failure of each satellite at or after its epoch, kept from block to block.

    Long after a decay SGP4 gives numbers without meaning with status 0, so a failure at or after the epoch holds at all later
    instants. A failure before the epoch holds at its own instant only.

    Args:
        satellites: number of them.
    """

    def __init__(self, satellites: int) -> None:
        self.code = np.zeros(satellites, np.int8)
        """Status that each satellite keeps from now on; 0 where it has not failed. Shape (satellites,)."""

    def latch(self, columns: Any, status: NDArray[np.int8], after_epoch: NDArray[np.bool_]) -> NDArray[np.int8]:
        """Return the status with every failure at or after the epoch made lasting, and keep it in `code`.

        Args:
            columns: indices of n satellites.
            status: in ascending order of time, shape (rows, n).
            after_epoch: whether a row is at or after the epoch of a satellite, shape (rows, n).
        """
        failed = (status != 0) & after_epoch
        first = np.argmax(failed, axis=0)
        found = np.where(failed.any(axis=0), np.take_along_axis(status, first[None], axis=0)[0], 0)
        before = self.code[columns]
        code = np.where(before != 0, before, found).astype(np.int8)
        self.code[columns] = code
        lasts = (np.arange(len(status))[:, None] >= np.where(before != 0, 0, first)) & (code != 0)
        return np.where(lasts, code, status)


def apply_limits(status: NDArray[np.int8], minutes: Any, limits: tuple[Any, Any]) -> NDArray[np.int8]:
    """Complete the status of instants by the limits of drag and of the theory. All arrays broadcast with each other.

    Long before the epoch SGP4's own code comes and goes along the orbit; one code for all of that time says that nothing is known.

    Args:
        minutes: since the epochs.
        limits: of `Regime.drag_limits`.
    """
    decayed_after, lost_before = limits
    status = np.where((status == 0) & (minutes > decayed_after), DECAYED, status)
    is_too_far = (minutes < lost_before) | (np.abs(minutes) > FARTHEST_MINUTES)
    return np.where(is_too_far, TOO_FAR, status).astype(np.int8)


class GridFailures:
    """Failures of a run over a grid, block after block.

    Args:
        grid: all instants.
        epoch_day, epoch_fraction: shape (satellites,).
        limits: minutes since the epoch from which a satellite counts as decayed, and before which its elements say nothing, each
            of shape (satellites,); see `Regime.drag_limits`.
    """

    def __init__(
        self, grid: Grid, epoch_day: Any, epoch_fraction: Any, limits: tuple[NDArray[np.float64], NDArray[np.float64]]
    ) -> None:
        self._grid = grid
        self._epoch = (np.asarray(epoch_day), np.asarray(epoch_fraction))
        self._decayed_after, self._lost_before = limits
        self._failures = Failures(len(self._decayed_after))

    @property
    def codes(self) -> NDArray[np.int8]:
        """Status that each satellite keeps from the blocks so far; set it to repeat a block, or to go on with another run."""
        return self._failures.code.copy()

    @codes.setter
    def codes(self, codes: NDArray[np.int8]) -> None:
        self._failures.code = codes.copy()

    def apply_failures(self, start: int, stop: int, out: OutputArrays, failing: NDArray[np.bool_]) -> None:
        """Complete the status of instants start:stop of the grid, and set the variables to NaN where it is not 0.

        Args:
            out: arrays of those instants.
            failing: satellites with a status other than 0 somewhere among them.
        """
        begin, end = (self._grid.minutes_since(*self._epoch, i) for i in (start, stop - 1))
        far = np.maximum(np.abs(begin), np.abs(end)) > FARTHEST_MINUTES
        limited = (self._decayed_after < end) | (self._lost_before > begin)
        columns = np.flatnonzero(failing | far | (self._failures.code != 0) | limited)
        if not len(columns):
            return
        day, fraction = (v[columns] for v in self._epoch)
        minutes = self._grid.minutes_since(day, fraction, np.arange(start, stop)[:, None])
        found = out.status[:, columns]
        found = apply_limits(found, minutes, (self._decayed_after[columns], self._lost_before[columns]))
        found = self._failures.latch(columns, found, minutes >= 0.0)
        out.status[:, columns] = found
        row, column = np.nonzero(found)
        out.values_block[:, row, columns[column]] = np.nan
