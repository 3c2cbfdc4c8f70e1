"""Events of passes over all places: blocks of rows come from the propagation, tiles of satellites are searched in threads.

A tile of a CPU fits into its caches, with the events of all places; other devices take all satellites at once. What leaves the
device is three bits for each place, satellite and row, then the events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.passes.kernels import (
    CULMINATION,
    PER_BYTE,
    RISE,
    SET,
    Places,
    Rows,
    Sight,
    refine_crossings,
    refine_culminations,
    search,
)
from constellation_jax.engine.precision import x64

BLOCK_ROWS: Final = 64
"""Rows of a block, a multiple of `PER_BYTE`."""
_TILE: Final = 512
"""Satellites of a tile on a CPU: positions and elevations of a block take 1 MB."""
_EVENTS: Final = 2048
"""Events of a call: those that lack are padded, so that one program serves all."""

_search = jax.jit(search)
_refine_culminations = jax.jit(refine_culminations)
_refine_crossings = jax.jit(refine_crossings)


class PassEvents(NamedTuple):
    """Events of one kind, arrays of shape (events,)."""

    pair: NDArray[np.int64]
    """Index of the place times the number of satellites, plus the index of the satellite."""
    row: NDArray[np.int64]
    """Row of the coarse grid before the event."""
    part: NDArray[np.float64]
    """Part of a step after that row; NaN where it is not known: the pass reaches over an end of the span, or a failure."""
    azimuth: NDArray[np.float32]
    """Degrees from the north to the east."""
    elevation: NDArray[np.float32]
    """Degrees."""
    range: NDArray[np.float32]
    """Distance, km."""
    sunlit: NDArray[np.float32]
    """Fraction of the Sun's disc in sight of the satellite."""
    sun_elevation: NDArray[np.float32]
    """Elevation of the Sun over the place, degrees."""


def find_events(
    blocks: Iterable[Any],
    sun: NDArray[np.float64],
    places: Places,
    satellites: int,
    *,
    least_rad: float,
    step_s: float,
    devices: Devices,
) -> tuple[PassEvents, PassEvents, PassEvents]:
    """Find rises, culminations and sets.

    Args:
        blocks: states of `BLOCK_ROWS` rows each, fewer in the last, with position and velocity in ITRS, float64.
        sun: position of the Sun at all rows, ITRS, km, shape (3, rows).
        places: arrays of shape (places,).
        satellites: their number.
        least_rad: least elevation.
        step_s: seconds between rows.
        devices: on which the blocks are.

    Returns:
        Rises, culminations and sets, each sorted by pair and row. Rises and sets fit one to one; culminations are those above the
        least elevation, one or more in each pass.
    """
    is_cpu = devices.platform == "cpu"
    width = _TILE if is_cpu else -(-satellites // _TILE) * _TILE
    found: list[list[PassEvents]] = [[], [], []]
    tiles = range(0, satellites, width)
    with ThreadPoolExecutor(devices.threads if is_cpu else 1) as pool:
        for start, rows in _add_neighbours(blocks, satellites, sun):

            def run(first: int, rows: Any = rows, start: int = start) -> tuple[PassEvents, PassEvents, PassEvents]:
                with x64():
                    own = _take_tile(rows, first, min(first + width, satellites), width)
                    return _search_tile(own, places, np.sin(least_rad), step_s, start, first, satellites)

            for tile in pool.map(run, tiles):
                for k, events in enumerate(tile):
                    if len(events.pair):
                        found[k].append(events)
    return tuple(_sort(kind) for kind in found)  # type: ignore[return-value]


def _add_neighbours(
    blocks: Iterable[Any], satellites: int, sun: NDArray[np.float64]
) -> Iterator[tuple[int, tuple[list[Any], NDArray[np.float64]]]]:
    """Give each block the two rows before it, NaN before the first and after the last one.

    Yields:
        Row of the grid of the first row, and position and velocity, six arrays of shape (BLOCK_ROWS + 2, satellites), with the Sun.
    """
    empty = np.full((2, satellites), np.nan)
    tail: list[Any] = [empty] * 6
    start, missing = -2, 0

    def with_sun(values: list[Any]) -> tuple[int, tuple[list[Any], NDArray[np.float64]]]:
        rows = np.clip(np.arange(start, start + BLOCK_ROWS + 2), 0, sun.shape[1] - 1)
        return start, (values, sun[:, rows])

    def join(values: list[Any]) -> list[Any]:
        arrays = [_concatenate([t, v]) for t, v in zip(tail, values, strict=True)]
        lacking = BLOCK_ROWS + 2 - len(arrays[0])
        return [_concatenate([v, np.full((lacking, satellites), np.nan)]) for v in arrays] if lacking else arrays

    for block in blocks:
        values = [block.x, block.y, block.z, block.vx, block.vy, block.vz]
        missing = BLOCK_ROWS - len(values[0])
        joined = join(values)
        yield with_sun(joined)
        tail = [v[-2:] for v in joined]
        start += BLOCK_ROWS
    if missing < 2:  # what is up at the end sets in the row after it
        yield with_sun(join([empty] * 6))


def _concatenate(arrays: list[Any]) -> Any:
    """Concatenate rows on the host where all are there, which on a CPU costs no copy to a device."""
    if all(isinstance(v, np.ndarray) or next(iter(v.devices())).platform == "cpu" for v in arrays):
        return np.concatenate([np.asarray(v) for v in arrays])
    return jax.numpy.concatenate(arrays)


def _take_tile(rows: tuple[list[Any], NDArray[np.float64]], first: int, last: int, width: int) -> Rows:
    """Take satellites first:last of a block, padded by NaN to a width."""
    values, sun = rows
    xp: Any = np if isinstance(values[0], np.ndarray) else jax.numpy
    gap = ((0, 0), (0, width - (last - first)))
    own = [xp.pad(v[:, first:last], gap, constant_values=np.nan) for v in values]
    return Rows(tuple(own[:3]), tuple(own[3:]), tuple(sun))


def _search_tile(
    rows: Rows, places: Places, sin_least: float, step_s: float, start: int, first: int, satellites: int
) -> tuple[PassEvents, PassEvents, PassEvents]:
    """Find the events of a tile whose rows begin at a row of the grid, and its satellites at one of the catalogue."""
    bits = np.asarray(_search(rows.position, places, sin_least, step_s))
    above, step = np.float64(sin_least), np.float64(step_s)

    def name(place: NDArray[Any], satellite: NDArray[Any]) -> NDArray[np.int64]:
        return place.astype(np.int64) * satellites + first + satellite

    def crossing(places_rows: Any, low: Any, high: Any) -> PassEvents:
        place, row, satellite = places_rows
        part, sight = _call(_refine_crossings, rows, places, (row, satellite, place, low, high), above, step)
        return _as_events(name(place, satellite), start + row, part, sight)

    rise, highest, sets = (_list_events(bits[:, kind]) for kind in (RISE, CULMINATION, SET))
    place, row, satellite = highest
    before, part, sight = _call(_refine_culminations, rows, places, (row, satellite, place), step)
    is_up = sight.sine >= sin_least
    tops = PassEvents(*(v[is_up] for v in _as_events(name(place, satellite), start + before, part, sight)))
    # up between two rows that both see it below
    height = [_sine(rows, places, at, satellite, place) for at in (row - 1, row, row + 1)]
    is_short = is_up & ~np.logical_or.reduce([h >= sin_least for h in height])
    between = (place[is_short], before[is_short], satellite[is_short])
    peak, zero, one = part[is_short], np.zeros(is_short.sum()), np.ones(is_short.sum())

    def add_short(events: Any, low: Any, high: Any) -> PassEvents:
        """Find crossings between rows, and those of the short passes at once."""
        place, row, satellite = (np.concatenate(v) for v in zip(events, between, strict=True))
        row[: len(events[1])] -= 1
        ends = [np.concatenate([v, w]) for v, w in ((np.zeros(len(events[1])), low), (np.ones(len(events[1])), high))]
        return crossing((place, row, satellite), *ends)

    return add_short(rise, zero, peak), tops, add_short(sets, peak, one)


def _list_events(bits: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """List place, row and satellite of the bits that are set, of shape (places, rows // 8, satellites)."""
    place, eight, satellite = np.nonzero(bits)
    ones = np.unpackbits(bits[place, eight, satellite][:, None], axis=1, bitorder="little")
    event, offset = np.nonzero(ones)
    # rows within a block begin at its second one
    return place[event], 1 + PER_BYTE * eight[event] + offset, satellite[event]


def _sine(rows: Rows, places: Places, row: Any, satellite: Any, place: Any) -> NDArray[np.float64]:
    """Sine of the elevation at rows, on the host; NaN where there is no state."""
    away = [np.asarray(r)[row, satellite] - s[place] for r, s in zip(rows.position, places.position, strict=True)]
    height = sum(a * u[place] for a, u in zip(away, places.up, strict=True))
    return np.asarray(height / np.sqrt(sum(a * a for a in away)))


def _call(function: Any, rows: Rows, places: Places, columns: tuple[Any, ...], *numbers: Any) -> Any:
    """Call a kernel for events, so many at a time, padded."""
    count = len(columns[0])
    parts = []
    for first in range(0, max(count, 1), _EVENTS):
        own = [column[first : first + _EVENTS] for column in columns]
        size = len(own[0])
        padded = [np.concatenate([v, np.ones(_EVENTS - size, v.dtype)]) for v in own]
        found = function(rows, places, *padded, *numbers)
        parts.append(jax.tree.map(lambda v, size=size: np.asarray(v)[:size], found))
    return jax.tree.map(lambda *v: np.concatenate(v), *parts) if len(parts) > 1 else parts[0]


def _as_events(pair: Any, row: Any, part: Any, sight: Sight) -> PassEvents:
    azimuth = np.degrees(sight.azimuth) % 360.0
    elevation, sun_elevation = (np.degrees(np.arcsin(np.clip(v, -1.0, 1.0))) for v in (sight.sine, sight.sun_sine))
    columns = (azimuth, elevation, sight.range, sight.sunlit, sun_elevation)
    whole: Any = (pair, np.asarray(row), part, *(v.astype(np.float32) for v in columns))
    return PassEvents(*whole)


def _join(parts: list[PassEvents]) -> PassEvents:
    return PassEvents(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def _sort(parts: list[PassEvents]) -> PassEvents:
    """Join events and sort them by pair and row."""
    if not parts:
        empty: Any = (np.zeros(0, t) for t in (np.int64, np.int64, np.float64, *[np.float32] * 5))
        return PassEvents(*empty)
    whole = _join(parts)
    parts.clear()
    rows = int(whole.row.max()) + 3
    order = np.argsort(whole.pair * rows + whole.row + 2, kind="stable")
    columns: Any = (column[order] for column in whole)
    return PassEvents(*columns)
