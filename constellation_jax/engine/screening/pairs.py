"""Search for pairs that come close in steps of half a minute or so: objects sorted by boxes, rectangles of pairs, straight lines.

The entries of a step are sorted by width class, by band of the coordinate along the axis, and by lowest radius. Two objects that
meet are in one band or in neighbouring ones, and their ranges of radius overlap (bounds.py), so that each row of entries has to be
tested against one run of entries in each band. Wide entries, whose radius changes by kilometres within a step, have lists of their
own: one of them would widen the run of all its neighbours.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening import kernels
from constellation_jax.engine.screening.bounds import Bounds
from constellation_jax.engine.screening.kernels import (
    GROUP_BITS,
    LANES,
    LEVEL_BITS,
    LEVELS_PER_KM,
    MOST_LEVEL,
    NARROW,
    NEXT_BAND,
    NOWHERE,
    ROWS,
)

STEPS: Final = (2, 4, 12, 60)
"""Numbers of steps that are sorted and tested together, which saves calls; more for fewer objects."""
_ENTRIES: Final = 80_000
"""Entries that are sorted together at most, unless there are so many objects: what a core's cache holds."""
_RECTANGLES: Final = (1 << 10, 1 << 14)
"""Rectangles of a call, which has one of two shapes: the loop goes over those that there are."""
_OBJECT_BITS: Final = 24
_SMALLEST_SHARE: Final = 0.05
"""Smallest part of all objects for which a group is worth runs of its own."""


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
        groups: number of the group of each object, -1 for none, shape (objects,). Pairs within a group are not wanted: of the
            large groups most are not looked at.
    """

    def __init__(
        self, objects: int, bounds: Bounds, step_s: float, devices: Devices, groups: NDArray[np.int32] | None = None
    ) -> None:
        self.width = choose_width(objects)
        """Columns of the positions."""
        self.steps = max((steps for steps in STEPS if steps * objects <= _ENTRIES), default=STEPS[0])
        """Steps of a call of `find`."""
        self._bounds = bounds
        self._numbers = tuple(np.float32(number) for number in (step_s, *bounds.of_boxes))
        self._groups = number_groups(groups, objects, self.width)
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
        boxes = self._boxes(positions, self._groups, *self._numbers)
        entries = _sort(positions[:, 1:-1], *(np.asarray(v) for v in boxes))
        rows, lanes = _list_rectangles(entries, self._bounds, int(self._groups.max()) + 1)
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
        one, other = entries.column[row], entries.column[lane]
        return choose_candidates(state, one, other, row // width, first_step, self._bounds)


def choose_candidates(
    state: NDArray[np.float64],
    one: NDArray[np.int32],
    other: NDArray[np.int32],
    step: NDArray[np.intp],
    first_step: int,
    bounds: Bounds,
) -> Candidates:
    """Test pairs one by one, and keep each that comes close once.

    Args:
        state: position and velocity of the other object seen from the one, km and km/s, shape (6, pairs).
        one, other: their indices.
        step: of the pairs, counted from the first step.
        first_step: number of that.
        bounds: threshold and step.
    """
    r, v = state[:3], state[3:]
    speed2, closing = (v * v).sum(axis=0), (r * v).sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        time = np.where(speed2 > 0.0, -closing / speed2, 0.0)
    half = bounds.half_step_s
    miss = r + v * np.clip(time, -half, half)
    near = (miss * miss).sum(axis=0) <= (bounds.linear_km * 1.0001) ** 2
    one, other, step, time, speed = one[near], other[near], step[near], time[near], np.sqrt(speed2[near])
    first, second = np.minimum(one, other), np.maximum(one, other)
    pair = (step.astype(np.int64) << 48) | (first.astype(np.int64) << 24) | second
    _, once = np.unique(pair, return_index=True)
    return Candidates(first[once], second[once], (step[once] + first_step).astype(np.int32), time[once], speed[once])


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


class _Cells(NamedTuple):
    """Runs of entries of one step, class, band and group, in arrays of shape (cells,)."""

    code: NDArray[np.int64]
    """Key of its entries without the level, ascending."""
    start: NDArray[np.intp]
    """First entry."""
    tiles: NDArray[np.intp]
    """Number of tiles of ROWS entries."""


def _list_rectangles(entries: _Entries, bounds: Bounds, groups: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First row and first lane of all rectangles that have to be tested."""
    cells, first = _list_tiles(entries.key)
    if not len(first):
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    # of the last tile of a step too: entries that are not there are as low as can be
    top = np.maximum.reduceat(entries.high, first)
    top_level = np.minimum((top + bounds.distance_km) * LEVELS_PER_KM, MOST_LEVEL).astype(np.int64) + 1
    base_level = (entries.key[first] & _LEVELS).astype(np.int64) - int(bounds.distance_km * LEVELS_PER_KM) - 2
    source, target = _pair_cells(cells.code, groups)
    tiles = cells.tiles[source]
    rows = _count_from((np.cumsum(cells.tiles) - cells.tiles)[source], tiles)
    is_narrow = (cells.code[target] & NARROW) > 0
    span = np.where(is_narrow, int(bounds.wide_km * LEVELS_PER_KM), int(entries.widest_km * LEVELS_PER_KM)) + 1
    at = np.repeat(cells.code[target] << LEVEL_BITS, tiles)
    lowest = np.maximum(base_level[rows] - np.repeat(span, tiles), 0)
    begin = np.searchsorted(entries.key, (at + lowest).astype(np.uint64))
    begin = np.maximum(begin, np.where(np.repeat(source == target, tiles), first[rows], 0))
    end = np.searchsorted(entries.key, (at + top_level[rows]).astype(np.uint64), side="right")
    calls = np.maximum(end - begin + (LANES - 1), 0) // LANES
    return np.repeat(first[rows].astype(np.int32), calls), _count_from(begin.astype(np.int32), calls, LANES)


def _list_tiles(key: NDArray[np.uint64]) -> tuple[_Cells, NDArray[np.intp]]:
    """Cells, and the first entry of each tile, none of which begins in one cell and goes on in another but by its last rows."""
    code = key >> np.uint64(LEVEL_BITS)
    start = np.flatnonzero(np.append(True, code[1:] != code[:-1]))
    size = np.diff(start, append=len(key))
    is_there = (key[start] & np.uint64(NOWHERE)) != np.uint64(NOWHERE)
    start, tiles = start[is_there], (size[is_there] + (ROWS - 1)) // ROWS
    return _Cells(code[start].astype(np.int64), start, tiles), _count_from(start, tiles, ROWS)


def _pair_cells(code: NDArray[np.int64], groups: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Pairs of cells whose entries may meet, each pair once, the one whose entries come first in the list before the other."""
    is_narrow, group = (code & NARROW) > 0, code & (NEXT_BAND - 1)
    alone = np.flatnonzero(group == 0)
    found = [(alone, alone)]

    def add(is_source: NDArray[np.bool_], wanted: NDArray[np.int64]) -> None:
        source = np.flatnonzero(is_source)
        target = np.searchsorted(code, wanted[source])
        known = code[np.minimum(target, len(code) - 1)] == wanted[source]
        found.append((source[known], target[known]))

    band = code - group
    add(~is_narrow, band + NEXT_BAND)
    for other in range(groups):
        is_wanted = is_narrow & ((group != other) | (other == 0))
        add(is_wanted & (group < other), band + other)
        add(is_wanted, band + NEXT_BAND + other)
        for away in (-NEXT_BAND, 0, NEXT_BAND):
            add(~is_narrow, band + NARROW + away + other)
    source, target = (np.concatenate(part) for part in zip(*found, strict=True))
    return source, target


def _count_from(starts: NDArray[Any], counts: NDArray[np.intp], step: int = 1) -> NDArray[Any]:
    """Numbers from each start on, as many as its count, in the type of the starts."""
    before = np.cumsum(counts) - counts
    return np.repeat(starts - (step * before).astype(starts.dtype), counts) + step * np.arange(
        counts.sum(), dtype=starts.dtype
    )


def number_groups(groups: NDArray[np.int32] | None, objects: int, width: int) -> NDArray[np.uint32]:
    """Numbers from 1 on for the objects of the largest groups, 0 for all others, shape (width,)."""
    found = np.zeros(width, np.uint32)
    if groups is None:
        return found
    counts = np.bincount(groups[groups >= 0], minlength=1)
    largest = np.argsort(counts)[::-1][: (1 << GROUP_BITS) - 1]
    numbers = np.zeros(len(counts) + 1, np.uint32)  # the last is of those in none
    for number, group in enumerate(largest[counts[largest] > _SMALLEST_SHARE * len(groups)], 1):
        numbers[group] = number
    found[:objects] = numbers[groups]
    return found


def choose_width(objects: int) -> int:
    """Columns for some objects: a little more, so that few programs are compiled."""
    unit = max(512, 1 << max(0, objects.bit_length() - 4))
    return -(-objects // unit) * unit


_LEVELS: Final = np.uint64((1 << LEVEL_BITS) - 1)
