"""What becomes of a satellite that has failed: it stays failed, and its values are NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import MINUTES_PER_DAY, YEAR_DAYS
from constellation_jax.physics.numerics.fastmath import horner
from constellation_jax.physics.sgp4.status import DECAYED, TOO_FAR

FARTHEST_MINUTES = 100 * YEAR_DAYS * MINUTES_PER_DAY
"""Element sets say nothing about instants farther than this from their epoch."""


class Latch:
    """Keeps who has failed, block after block.

    A failure at or after the epoch latches: long after a decay SGP4 gives senseless numbers again. One before the epoch stands for
    its instant alone.

    Args:
        grid: all instants.
        epoch_day, epoch_fraction: shape (satellites,).
        decayed_after: minutes after the epoch, from `decay_times`.
    """

    def __init__(self, grid: Grid, epoch_day: Any, epoch_fraction: Any, decayed_after: NDArray[np.float64]) -> None:
        self._grid = grid
        self._epoch = (np.asarray(epoch_day), np.asarray(epoch_fraction))
        self._decayed_after = decayed_after
        self._failed = np.zeros(len(decayed_after), np.int8)
        """First status other than 0 at or after the epoch in the blocks so far."""

    def close(self, start: int, stop: int, out: dict[str, NDArray[Any]], failing: NDArray[np.bool_]) -> None:
        """Completes a block.

        Args:
            out: arrays of shape (stop - start, satellites).
            failing: satellites with a status other than 0 somewhere in the block.
        """
        begin, end = (self._grid.minutes_since(*self._epoch, i) for i in (start, stop - 1))
        far = np.maximum(np.abs(begin), np.abs(end)) > FARTHEST_MINUTES
        columns = np.flatnonzero(failing | far | (self._failed != 0) | (self._decayed_after < end))
        if not len(columns):
            return
        day, fraction = (v[columns] for v in self._epoch)
        minutes = self._grid.minutes_since(day, fraction, np.arange(start, stop)[:, None])
        status = out["status"][:, columns]
        status = np.where((status == 0) & (minutes > self._decayed_after[columns]), DECAYED, status)
        status = np.where(np.abs(minutes) > FARTHEST_MINUTES, TOO_FAR, status).astype(np.int8)
        after_epoch = minutes >= 0.0
        first = np.argmax((status != 0) & after_epoch, axis=0)
        here = np.arange(len(columns))
        found = np.where(after_epoch[first, here], status[first, here], 0)
        before = self._failed[columns]
        code = np.where(before != 0, before, found)
        latched = (np.arange(stop - start)[:, None] >= np.where(before != 0, 0, first)) & (code != 0)
        status = np.where(latched, code, status)
        out["status"][:, columns] = status
        self._failed[columns] = code
        instant, which = np.nonzero(status)
        for name, values in out.items():
            if name != "status":
                values[instant, columns[which]] = np.nan


def decay_times(
    root_a: tuple[NDArray[np.float64], ...], span: NDArray[np.float64], near: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Minutes after the epoch from which SGP4 gives states again after a decay; inf where it does not.

    Its drag is a polynomial in time: once that has brought the semi-major axis under one Earth radius it turns round, and a grid
    that begins later would see nothing of the decay.

    Args:
        root_a: that polynomial, of the square root of the semi-major axis in Earth radii; arrays of shape (satellites,).
        span: minutes from the epoch to the last instant.
        near: which are near-Earth; SDP4 has no such polynomial.
    """
    span = np.maximum(span, 0.0)
    lower_bound = horner(span, (root_a[0], *(-np.abs(a) for a in root_a[1:])))
    members = np.flatnonzero((lower_bound < 1.0) & near)  # few: drag takes a whole orbit down within months at most
    result = np.full(len(span), np.inf)
    for first in range(0, len(members), 1024):
        part = members[first : first + 1024]
        minutes = np.linspace(0.0, 1.0, 2049)[1:, None] * span[part]
        size = np.abs(horner(minutes, tuple(a[part] for a in root_a)))
        risen = np.logical_or.accumulate(size < 1.0)[:-1] & (np.diff(size, axis=0) > 0.0)
        row = np.argmax(risen, axis=0)
        here = np.arange(len(part))
        result[part] = np.where(risen[row, here], minutes[row, here], np.inf)
    return result
