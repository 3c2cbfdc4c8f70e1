"""Events of passes over all places: blocks of rows come from the propagation, tiles of satellites are searched in threads.

A tile of a CPU fits into its caches, with the events of all places; other devices take all satellites at once. What leaves the
device is a bit for each place, satellite and group of steps, four for each step of the groups that remain, then the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.passes.kernels import (
    BLOCK_ROWS,
    CULMINATION,
    IS_SHORT,
    RISE,
    SET,
    STEPS,
    Places,
    Rows,
    find_near,
    refine_crossings,
    refine_culminations,
    search,
)
from constellation_jax.engine.precision import x64

_TILE: Final = 512
"""Satellites of a tile on a CPU: the states of a block take 1.6 MB."""
_WIDE_TILE: Final = 4096
"""The same for few places, where calls would be mostly padding."""
_FEW_PLACES: Final = 32
_GROUPS: Final = 16384
"""Groups of steps of a call: those that lack are padded, so that one program serves all."""
_EVENTS: Final = 4096
"""Events of a call, in the same way."""
EVENT: Final = np.dtype(
    [
        ("satellite", "i4"),
        ("row", "i4"),
        ("part", "f8"),
        *((name, "f4") for name in ("azimuth", "elevation", "range", "sunlit")),
    ]
)
"""Event: satellite; row of the coarse grid before it, and part of a step after that row, NaN where the pass reaches over an end
of the span or a failure; azimuth from the north to the east, -180 to 180, and elevation, degrees; distance, km; fraction of the
Sun's disc in sight of the satellite."""

_find_near = jax.jit(find_near)
_search = jax.jit(search)
_refine_culminations = jax.jit(refine_culminations)
_refine_crossings = jax.jit(refine_crossings)


class PassEvents:
    """Rises, culminations and sets over places, in the order in which they were found."""

    def __init__(self, places: int) -> None:
        self._places = np.arange(places + 1)
        self._parts: list[list[tuple[NDArray[Any], NDArray[np.intp]]]] = [[], [], []]

    def add(self, kind: int, events: NDArray[Any], place: NDArray[np.int32]) -> None:
        """Add events of one kind, `RISE`, `CULMINATION` or `SET`, with their places."""
        order = np.argsort(place, kind="stable")
        self._parts[kind].append((events.take(order), np.searchsorted(place[order], self._places)))

    def over(self, place: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """Rises, culminations and sets over a place, `EVENT` arrays sorted by satellite and row.

        Rises and sets fit one to one; culminations are those above the least elevation, one or more in each pass.
        """
        rises, tops, sets = (_sort([e[at[place] : at[place + 1]] for e, at in parts]) for parts in self._parts)
        return rises, tops, sets


def find_events(
    blocks: Iterable[Any],
    sun: NDArray[np.float64],
    places: Places,
    satellites: int,
    *,
    least_rad: float,
    step_s: float,
    devices: Devices,
) -> PassEvents:
    """Find rises, culminations and sets.

    Args:
        blocks: states of `BLOCK_ROWS` rows each, fewer in the last, with position and velocity in ITRS, float64.
        sun: position of the Sun at all rows, ITRS, km, shape (3, rows).
        places: arrays of shape (places,).
        satellites: their number.
        least_rad: least elevation.
        step_s: seconds between rows.
        devices: on which the blocks are.
    """
    is_cpu = devices.platform == "cpu"
    count = len(places.position[0])
    width = _TILE if count > _FEW_PLACES or satellites <= _TILE else _WIDE_TILE
    width = width if is_cpu else -(-satellites // _TILE) * _TILE
    found = PassEvents(count)
    with x64():
        own_places = jax.device_put(places, devices.mesh.devices.flat[0])
    tiles = range(0, satellites, width)
    with ThreadPoolExecutor(devices.threads if is_cpu else 1) as pool:
        for start, rows in _add_neighbours(blocks, satellites, sun):

            def run(first: int, rows: Any = rows, start: int = start) -> None:
                with x64():
                    own = _take_tile(rows, first, min(first + width, satellites), width)
                    _search_tile(own, own_places, least_rad, step_s, start, first, found)

            for _ in pool.map(run, tiles):
                pass
    return found


def _add_neighbours(
    blocks: Iterable[Any], satellites: int, sun: NDArray[np.float64]
) -> Iterator[tuple[int, tuple[list[Any], NDArray[np.float64]]]]:
    """Give each block the row before it, NaN before the first and after the last one.

    Yields:
        Row of the grid of the first row, and position and velocity, six arrays of shape (BLOCK_ROWS + 1, satellites), with the Sun.
    """
    empty = np.full((1, satellites), np.nan)
    tail: list[Any] = [empty] * 6
    start, missing = -1, 0

    def with_sun(values: list[Any]) -> tuple[int, tuple[list[Any], NDArray[np.float64]]]:
        rows = np.clip(np.arange(start, start + BLOCK_ROWS + 1), 0, sun.shape[1] - 1)
        return start, (values, sun[:, rows])

    def join(values: list[Any]) -> list[Any]:
        arrays = [_concatenate([t, v]) for t, v in zip(tail, values, strict=True)]
        lacking = BLOCK_ROWS + 1 - len(arrays[0])
        return [_concatenate([v, np.full((lacking, satellites), np.nan)]) for v in arrays] if lacking else arrays

    for block in blocks:
        values = [block.x, block.y, block.z, block.vx, block.vy, block.vz]
        missing = BLOCK_ROWS - len(values[0])
        joined = join(values)
        yield with_sun(joined)
        tail = [v[-1:] for v in joined]
        start += BLOCK_ROWS
    if not missing:  # what is up at the end sets in the row after it
        yield with_sun(join([empty] * 6))


def _concatenate(arrays: list[Any]) -> Any:
    """Concatenate rows on the host where all are there, which on a CPU costs no copy to a device."""
    if all(isinstance(v, np.ndarray) or next(iter(v.devices())).platform == "cpu" for v in arrays):
        return np.concatenate([np.asarray(v) for v in arrays])
    return jax.numpy.concatenate(arrays)


def _take_tile(rows: tuple[list[Any], NDArray[np.float64]], first: int, last: int, width: int) -> Rows:
    """Take satellites first:last of a block, padded by NaN to a width, on the device once, not for each call."""
    values, sun = rows
    if not isinstance(values[0], np.ndarray):
        own = jax.numpy.stack([v[:, first:last] for v in values], axis=-1)
        gap = ((0, 0), (0, width - (last - first)), (0, 0))
        states = jax.numpy.pad(own, gap, constant_values=np.nan)
    else:
        table = np.full((len(values[0]), width, len(values)), np.nan)
        for k, v in enumerate(values):
            table[:, : last - first, k] = v[:, first:last]
        states = jax.numpy.asarray(table)
    return Rows(states, jax.numpy.asarray(sun.T))


def _search_tile(
    rows: Rows, places: Places, least_rad: float, step_s: float, start: int, first: int, found: PassEvents
) -> None:
    """Find the events of a tile whose rows begin at a row of the grid, and its satellites at one of the catalogue."""
    least, step = np.float64(least_rad), np.float64(step_s)
    sin_least = np.sin(least)
    pair, group = _list_bits(np.asarray(_find_near(rows.states, places, least)).ravel())
    place, satellite = np.divmod(pair, np.int32(rows.states.shape[1]))
    group *= STEPS
    bits = _call(_search, _GROUPS, rows, places, (group, satellite, place), sin_least, step)

    def name(step: tuple[Any, Any]) -> list[NDArray[np.int32]]:
        """Row, satellite and place of steps, from their group and their number in it."""
        index, offset = step
        return [group[index] + offset, satellite[index], place[index]]

    def as_events(columns: list[Any], part: NDArray[np.float64], sight: Any) -> NDArray[Any]:
        events = np.empty(len(part), EVENT)
        events["row"], events["satellite"], events["part"] = start + columns[0], first + columns[1], part
        events["azimuth"], events["range"], events["sunlit"] = np.degrees(sight.azimuth), sight.range, sight.sunlit
        return events

    rise, top, sets = (_list_bits(bits[kind]) for kind in (RISE, CULMINATION, SET))
    highest = name(top)
    part, sight = _call(_refine_culminations, _EVENTS, rows, places, highest, step)
    is_up = sight.sine >= sin_least
    events = as_events(highest, part, sight)
    events["elevation"] = np.degrees(np.arcsin(np.minimum(sight.sine, 1.0)))
    found.add(CULMINATION, events.take(np.flatnonzero(is_up)), highest[2][is_up])
    # up between two rows that both see it below: both crossings are in the step, before and after the highest point
    is_short = is_up & ((bits[IS_SHORT][top[0]] >> top[1]) & 1 == 1)
    short, peak = [v[is_short] for v in highest], part[is_short]
    crossings = [np.concatenate(v) for v in zip(name(rise), short, name(sets), short, strict=True)]
    low = np.concatenate([np.zeros(len(rise[0]) + len(peak) + len(sets[0])), peak])
    high = np.concatenate([np.ones(len(rise[0])), peak, np.ones(len(sets[0]) + len(peak))])
    part, sight = _call(_refine_crossings, _EVENTS, rows, places, [*crossings, low, high], sin_least, step)
    events = as_events(crossings, part, sight)
    events["elevation"] = np.degrees(least)
    rises = len(rise[0]) + len(peak)
    found.add(RISE, events[:rises], crossings[2][:rises])
    found.add(SET, events[rises:], crossings[2][rises:])


def _list_bits(values: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """List the bits that are set in bytes, of shape (bytes,): the index of the byte, and the number of the bit."""
    index = np.flatnonzero(values)
    bit = np.flatnonzero(np.unpackbits(values[index], bitorder="little"))
    return index[bit >> 3].astype(np.int32), (bit & 7).astype(np.int32)


def _call(function: Any, size: int, rows: Rows, places: Places, columns: Any, *numbers: Any) -> Any:
    """Call a kernel for columns of numbers, so many at a time, padded; join what it returns along the last axis."""
    count = len(columns[0])
    parts = []
    for first in range(0, max(count, 1), size):
        own = [column[first : first + size] for column in columns]
        lacking = size - len(own[0])
        padded = [np.concatenate([v, np.zeros(lacking, v.dtype)]) for v in own] if lacking else own
        found = function(rows, places, *padded, *numbers)
        parts.append(jax.tree.map(lambda v, stop=size - lacking: np.asarray(v)[..., :stop], found))
    return jax.tree.map(lambda *v: np.concatenate(v, axis=-1), *parts) if len(parts) > 1 else parts[0]


def join_events(parts: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Concatenate `EVENT` arrays, in pieces of 8 bytes: NumPy copies records field by field, ten times as slowly."""
    whole = np.concatenate([part.view(np.int64).reshape(-1, EVENT.itemsize // 8) for part in parts])
    return whole.view(EVENT)[:, 0]


def _sort(parts: list[NDArray[Any]]) -> NDArray[Any]:
    """Join events over a place and sort them by satellite and row."""
    events = join_events([np.zeros(0, EVENT), *parts])
    # a row may be -1, before the first one
    return events.take(np.argsort((events["satellite"].astype(np.int64) << 32) + events["row"]))
