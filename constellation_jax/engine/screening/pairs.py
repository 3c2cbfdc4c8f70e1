"""Search for pairs that come close in steps of half a minute or so: objects sorted by boxes, rectangles of pairs, straight lines.

The entries of a step are sorted by width class, by band of the coordinate along the axis, and by lowest radius. Two objects that
meet are in one band or in neighbouring ones, and their ranges of radius overlap (bounds.py), so that each row of entries has to be
tested against one run of entries in each band. Wide entries, whose radius changes by kilometres within a step, have lists of their
own: one of them would widen the run of all its neighbours.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening import kernels
from constellation_jax.engine.screening.bounds import Bounds
from constellation_jax.engine.screening.kernels import LANES, LEVEL_BITS, LEVELS_PER_KM, NOWHERE, ROWS, WIDE_KM

STEPS: Final = (8, 24, 120)
"""Numbers of steps that are sorted and tested together, which saves calls; more for fewer objects."""
_ENTRIES: Final = 1 << 17
"""Entries that are sorted together at most, unless there are so many objects."""
_RECTANGLES: Final = (1 << 10, 1 << 14)
"""Rectangles of a call, which has one of two shapes: the loop goes over those that there are."""
_OBJECT_BITS: Final = 24


class Candidates(NamedTuple):
    """Pairs that come close to each other on straight lines, arrays of shape (candidates,)."""

    first: NDArray[np.int32]
    """Lower index of the two objects."""
    second: NDArray[np.int32]
    step: NDArray[np.int32]
    time: NDArray[np.float64]
    """Closest approach on straight lines, s since the step; it may be far outside of it."""
    speed: NDArray[np.float64]
    """Relative speed at the step, km/s."""

    def part(self, entries: NDArray[np.bool_]) -> Candidates:
        """Select some of them."""
        return Candidates._make(values[entries] for values in self)


class PairSearch:
    """Search for pairs among a fixed number of objects.

    Args:
        objects: number of them.
        bounds: threshold and step.
        step_s: distance of the positions in time.
        devices: a CPU.
    """

    def __init__(self, objects: int, bounds: Bounds, step_s: float, devices: Devices) -> None:
        self.width = _round_up(objects)
        """Columns of the positions: a little more than the objects, so that few programs are compiled."""
        self.steps = max((steps for steps in STEPS if steps * objects <= _ENTRIES), default=STEPS[0])
        """Steps of a call of `find`."""
        self._bounds = bounds
        numbers = (step_s, bounds.half_step_s, bounds.distance_km, bounds.rise_km, bounds.radial_margin_km)
        self._numbers = tuple(np.float32(number) for number in numbers)
        self._device = devices.mesh.devices.flat[0]
        self._boxes = devices.compile(kernels.make_boxes, kernels.BOX_SPECS)
        self._test = devices.compile(kernels.test_rectangles, kernels.TEST_SPECS)

    def find(self, positions: NDArray[np.float32], first_step: int) -> Candidates:
        """Find the candidates of some steps.

        Args:
            positions: km, NaN where an object is not there, shape (3, steps + 2, width): a step more before and after.
            first_step: number of the first step.
        """
        with jax.default_device(self._device):  # where the default is a GPU, NumPy arrays would go there
            return self._find(positions, first_step)

    def _find(self, positions: NDArray[np.float32], first_step: int) -> Candidates:
        entries = _sort(positions[:, 1:-1], *(np.asarray(v) for v in self._boxes(positions, *self._numbers)))
        rows, lanes = _list_rectangles(entries, self._bounds)
        most = _RECTANGLES[len(rows) > _RECTANGLES[0]]
        hits = [self._hits(entries, rows[i : i + most], lanes[i : i + most], most) for i in range(0, len(rows), most)]
        row, lane = (np.concatenate([np.zeros(0, np.int64), *(hit[k] for hit in hits)]) for k in range(2))
        return self._select(entries, row, lane, first_step)

    def _hits(
        self, entries: _Entries, rows: NDArray[np.int32], lanes: NDArray[np.int32], most: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Rows and lanes, as indices of entries, of the pairs in lanes that the program has marked, ROWS to a lane."""
        count = len(rows)
        first_rows, first_lanes = (np.resize(v, most) for v in (rows, lanes))
        half, distance = np.float32(self._bounds.half_step_s), np.float32(self._bounds.linear_km)
        found = np.asarray(self._test(entries.states, first_rows, first_lanes, np.int32(count), half, distance))[:count]
        marked = np.flatnonzero(found.view(np.uint64))  # eight lanes at a time
        word, lane = np.nonzero(found.reshape(-1, 8)[marked])
        flat = marked[word] * 8 + lane
        rectangle = flat // LANES
        row = rows[rectangle].astype(np.int64)[:, None] + np.arange(ROWS)
        return row.ravel(), np.repeat(lanes[rectangle].astype(np.int64) + flat % LANES, ROWS)

    def _select(
        self, entries: _Entries, row: NDArray[np.int64], lane: NDArray[np.int64], first_step: int
    ) -> Candidates:
        """Test pairs of entries one by one, and keep each that comes close once."""
        width = self.width
        inside = (lane > row) & (lane < len(entries.column))
        row, lane = row[inside], lane[inside]
        same = row // width == lane // width
        row, lane = row[same], lane[same]
        state = entries.states[:, lane].astype(np.float64) - entries.states[:, row]
        r, v = state[:3], state[3:]
        speed2, closing = (v * v).sum(axis=0), (r * v).sum(axis=0)
        with np.errstate(divide="ignore", invalid="ignore"):
            time = np.where(speed2 > 0.0, -closing / speed2, 0.0)
        half = self._bounds.half_step_s
        miss = r + v * np.clip(time, -half, half)
        near = (miss * miss).sum(axis=0) <= (self._bounds.linear_km * 1.0001) ** 2
        row, lane, time, speed = row[near], lane[near], time[near], np.sqrt(speed2[near])
        one, other = entries.column[row], entries.column[lane]
        first, second, step = np.minimum(one, other), np.maximum(one, other), (row // width).astype(np.int32)
        pair = (step.astype(np.int64) << 48) | (first.astype(np.int64) << 24) | second
        _, once = np.unique(pair, return_index=True)
        return Candidates(first[once], second[once], step[once] + np.int32(first_step), time[once], speed[once])


class _Entries(NamedTuple):
    """Sorted entries of some steps, width of them for each, those that are not there last."""

    key: NDArray[np.uint64]
    """Step and key of `kernels.make_boxes`, ascending, shape (entries,)."""
    column: NDArray[np.int32]
    states: NDArray[np.float32]
    """Position and velocity, shape (6, entries + LANES): rectangles may reach beyond the last one, where NaN comes close to
    nothing."""
    high: NDArray[np.float32]
    """Highest radius, km."""
    widest_km: float
    """Largest range of radius of a wide entry."""


def _sort(
    positions: NDArray[np.float32],
    velocities: NDArray[np.float32],
    high: NDArray[np.float32],
    key: NDArray[np.uint32],
    widest: NDArray[np.float32],
) -> _Entries:
    steps, width = key.shape
    packed = (key.astype(np.uint64) << np.uint64(_OBJECT_BITS)) | np.arange(width, dtype=np.uint64)
    packed.sort(axis=1)
    column = (packed & np.uint64((1 << _OBJECT_BITS) - 1)).astype(np.int32)
    packed >>= np.uint64(_OBJECT_BITS)
    packed |= np.arange(steps, dtype=np.uint64)[:, None] << np.uint64(32)
    flat = (column + width * np.arange(steps, dtype=np.int32)[:, None]).ravel()
    states = np.empty((6, steps * width + LANES), np.float32)
    states[:, -LANES:] = np.nan
    for i in range(3):
        np.take(positions[i], flat, out=states[i, :-LANES], mode="clip")
        np.take(velocities[i], flat, out=states[3 + i, :-LANES], mode="clip")
    return _Entries(packed.ravel(), column.ravel(), states, np.take(high, flat), float(widest))


def _list_rectangles(entries: _Entries, bounds: Bounds) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First row and first lane of all rectangles that have to be tested."""
    key, high = entries.key, entries.high
    group = key >> np.uint64(LEVEL_BITS)  # step, class and band
    starts = np.flatnonzero(np.append(True, group[1:] != group[:-1]))
    ends = np.append(starts[1:], len(key))
    is_there = (key[starts] & np.uint64(NOWHERE)) != np.uint64(NOWHERE)
    starts, ends = starts[is_there], ends[is_there]
    # tiles of ROWS entries, none of which begins in one group and goes on in another but by its last rows
    counts = -(-(ends - starts) // ROWS)
    first = np.repeat(starts - ROWS * (np.cumsum(counts) - counts), counts) + ROWS * np.arange(counts.sum())
    stop = np.minimum(first + ROWS, np.repeat(ends, counts))
    # the highest of each tile, without the rows that belong to the next group
    edges = np.stack([first, stop], axis=1).ravel()
    top = np.maximum.reduceat(np.append(high, np.float32(0.0)), edges)[::2]
    own = group[first]
    lowest = key[first] & np.uint64((1 << LEVEL_BITS) - 1)
    top_level = np.minimum((top + bounds.distance_km) * LEVELS_PER_KM, _MOST).astype(np.uint64) + np.uint64(1)
    narrow_level, wide_level = (
        np.uint64(min((km + bounds.distance_km) * LEVELS_PER_KM + 2.0, _MOST)) for km in (WIDE_KM, entries.widest_km)
    )
    is_narrow = (own >> np.uint64(8)) & np.uint64(1) == 1

    tasks = []
    one, narrow = np.uint64(1), np.uint64(1 << 8)
    for mask, target, span in (
        (slice(None), own, None),
        (is_narrow, own + one, narrow_level),
        (~is_narrow, own + one, wide_level),
        (~is_narrow, own + narrow - one, narrow_level),
        (~is_narrow, own + narrow, narrow_level),
        (~is_narrow, own + narrow + one, narrow_level),
    ):
        rows, at = first[mask], target[mask] << np.uint64(LEVEL_BITS)
        if span is None:
            begin = rows
        else:
            base = lowest[mask]
            begin = np.searchsorted(key, at + np.where(base > span, base - span, np.uint64(0)))
        end = np.searchsorted(key, at + top_level[mask], side="right")
        tasks.append((rows, begin, end))
    rows, begin, end = (np.concatenate(part) for part in zip(*tasks, strict=True))
    calls = np.maximum(-(-(end - begin) // LANES), 0)
    within = np.arange(calls.sum()) - np.repeat(np.cumsum(calls) - calls, calls)
    return np.repeat(rows, calls).astype(np.int32), (np.repeat(begin, calls) + LANES * within).astype(np.int32)


def _round_up(objects: int) -> int:
    unit = max(512, 1 << max(0, objects.bit_length() - 4))
    return -(-objects // unit) * unit


_MOST: Final = float((1 << LEVEL_BITS) - 2)
