"""Computation on an accelerator: a tile of satellites over a group of chunks in one call, without interpolation.

Two threads each have a call in flight, so that one's results go to the host while the other's are computed. That copy is the bound:
24 bytes a state and more over some 25 to 50 GB/s, so interpolating states on the device, or evaluating fewer of them, would not
show.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid import kernels
from constellation_jax.engine.grid.kernels import Attitude, CallInstants
from constellation_jax.engine.memory import MEMORY_ERRORS, CallSize
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.propagation.runner import Flags, Task, merge_few
from constellation_jax.engine.regimes.assign import Group
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import needs_attitude
from constellation_jax.engine.threads import ThreadCache
from constellation_jax.engine.tiles import Tile, columns_of, make_tiles, pad
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, attitude_at, split
from constellation_jax.physics.sgp4.elements import Elements

TILE = 32768
"""Largest number of satellites of one device in a tile."""
INSTANTS = 128
"""Largest number of instants in a chunk."""
STATES = TILE * INSTANTS
"""States of one device in a call: sixteen for each thread that an H100 can hold. More would take memory and save nothing."""
MEMORY_SHARE = 0.25
"""Share of a device's free memory that the results of the calls in flight may take."""
LONGEST_TABLE_MINUTES = 4 * LONGEST_MINUTES["float64"]
"""Longest span of a call in a regime with an integrator: bounds the table of its steps."""


class GridRunner:
    """Tiles of an accelerator and their calls. A `Runner`.

    Args:
        grid: all instants.
        options: of the run.
        devices: that compute.
        elements: float64 NumPy arrays of shape (satellites,).
        groups: from `assign_regimes`.
    """

    method = "evaluated at every instant"

    def __init__(self, grid: Grid, options: Options, devices: Devices, elements: Elements, groups: list[Group]) -> None:
        self._grid = grid
        self._options = options
        self._devices = devices
        self._epoch = tuple(np.asarray(v) for v in (elements.epoch_day, elements.epoch_fraction))
        ends = grid.ends_since(*self._epoch)
        self._farthest = np.maximum(*(np.abs(t) for t in ends))
        """Minutes from each epoch to the farthest instant."""
        self._size = CallSize(_states_that_fit(devices.free_bytes(), options) * devices.mesh.size, devices.platform)
        self._shapes: dict[tuple[Regime, int], _Shape] = {}
        self._lock = threading.Lock()
        self._cache = ThreadCache()
        coefficients = {group.regime: group.coefficients[0] for group in groups}
        self.tiles = [
            tile
            for regime, is_own in merge_few(groups, np.ones(len(self._farthest), np.bool_)).items()
            if is_own.any()
            for tile in self._split(regime, is_own, coefficients[regime])
        ]

    def tasks(self, tiles: Iterable[Tile], start: int, stop: int) -> Iterator[Task]:
        """As `Runner.tasks`."""
        for tile in tiles:
            chunks = split(self._grid, start, stop, LONGEST_MINUTES[self._precision(tile)], INSTANTS)
            yield from (Task(tile, group) for group in self._group(tile, chunks))

    def fill(self, task: Task, out: OutputArrays, start: int) -> tuple[Flags, Flags]:
        """As `Runner.fill`. Where the device's memory does not suffice the call is made in halves, and so are all later ones."""
        width = len(task.tile.padded_columns)
        while True:
            most = self._size.most
            shape = self._shapes[_kind(task.tile)].within(most // width)
            try:
                return self._fill(task, out, start, shape), np.zeros(task.tile.count, np.bool_)
            except MEMORY_ERRORS as error:
                used = shape.chunks * shape.instants * width
                self._size.halve(error, most, used, width, self._options.state_bytes)

    def split_again(self, regime: Regime, columns: NDArray[np.intp]) -> list[Tile]:
        """As `Runner.split_again`: there are none."""
        return []

    def samples(self) -> Iterable[Task]:
        """As `Runner.samples`."""
        tasks = {}
        for tile in self.tiles:
            if _kind(tile) not in tasks:
                tasks[_kind(tile)] = next(self.tasks([tile], 0, len(self._grid)))
        return tasks.values()

    def _split(self, regime: Regime, is_own: NDArray[np.bool_], coefficients: Any) -> list[Tile]:
        """Split the satellites of a regime into tiles of equal width."""
        in_place = not regime.is_rare
        per_device = -(-len(columns_of(is_own, in_place=in_place)) // self._devices.mesh.size)
        tiles = -(-per_device // TILE)
        width = _round_up(-(-per_device // tiles)) * self._devices.mesh.size
        rows = (coefficients, self._epoch)
        return make_tiles(self._devices, regime, is_own, rows, width, in_place=in_place)

    def _precision(self, tile: Tile) -> str:
        return tile.regime.precision or self._options.precision

    def _group(self, tile: Tile, chunks: list[Chunk]) -> list[tuple[Chunk, ...]]:
        """Group the chunks of a block into calls of one shape, that of the blocks before or a wider one: so little is compiled."""
        key = _kind(tile)
        with self._lock:
            before = self._shapes.get(key, _Shape(1, 1, 0))
            instants = max(before.instants, *map(len, chunks))
            together = max(1, self._size.most // len(tile.padded_columns) // instants)
            while True:
                calls = -(-len(chunks) // together)
                together = -(-len(chunks) // calls)
                groups = [tuple(chunks[i : i + together]) for i in range(0, len(chunks), together)]
                longest = max(self._span(group) for group in groups)
                length = tile.regime.table_length(longest)
                if together == 1 or not length or longest <= LONGEST_TABLE_MINUTES:
                    break
                together = -(-together // 2)
            length = max(before.table_length, length)
            self._shapes[key] = _Shape(max(before.chunks, together), instants, length)
        return groups

    def _span(self, group: tuple[Chunk, ...]) -> float:
        """Minutes from the first to the last instant."""
        begin, end = (float(self._grid.minutes_since_first(i)) for i in (group[0].first, group[-1].last - 1))
        return end - begin

    def _fill(self, task: Task, out: OutputArrays, start: int, shape: _Shape) -> Flags:
        """Make a call, in parts if it is larger than a shape, and write the results. Returns True for columns that have failed."""
        tile, failed = task.tile, np.zeros(task.tile.count, np.bool_)
        for i in range(0, len(task.chunks), shape.chunks):
            group = task.chunks[i : i + shape.chunks]
            for first in range(0, max(map(len, group)), shape.instants):
                values, status = self._devices.fetch(self._call(tile, group, first, shape))
                with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
                    for rows, instants in _runs(group, first, shape.instants):
                        part = [v[rows, : tile.count] for v in (*values, status)]
                        target = slice(instants.start - start, instants.stop - start)
                        out.write_each(part[:-1], part[-1], target, tile.columns)
                        failed |= part[-1].any(axis=0)
        return failed

    def _call(self, tile: Tile, group: tuple[Chunk, ...], first: int, shape: _Shape) -> tuple[tuple[Any, ...], Any]:
        """Results of a tile at the instants of some chunks from their number `first` on, on the devices."""
        precision = self._precision(tile)
        farthest = float(self._farthest[tile.padded_columns].max())
        program = self._devices.compile(
            kernels.evaluate_call,
            kernels.CALL_SPECS,
            regime=tile.regime,
            precision=precision,
            variables=self._options.variables,
            frame=self._options.frame,
            dtype=self._options.dtype,
            table_length=shape.table_length,
            most_steps=tile.regime.most_steps(farthest),
        )
        coefficients, epoch = tile.coefficients
        filled: tuple[tuple[Any, ...], Any] = program(
            coefficients, epoch, self._instants(group, first, shape, precision)
        )
        return filled

    def _instants(self, group: tuple[Chunk, ...], first: int, shape: _Shape, precision: str) -> CallInstants:
        """Instants of a call, padded to its shape."""

        def make() -> CallInstants:
            parts = [chunk.minutes[first:][: shape.instants] for chunk in group]
            parts = [part if len(part) else chunk.minutes[-1:] for part, chunk in zip(parts, group, strict=True)]
            minutes = np.stack([pad(part, shape.instants) for part in parts])
            attitude: Attitude | None = None
            if needs_attitude(self._options.variables, self._options.frame):
                matrices = [
                    attitude_at(self._grid, chunk, part, shape.instants)
                    for chunk, part in zip(group, parts, strict=True)
                ]
                turn, spin = (np.stack(m) for m in zip(*matrices, strict=True))
                attitude = Attitude(turn, spin)
            middle = np.stack([chunk.middle for chunk in group])
            whole = jax.tree.map(lambda v: pad(v, shape.chunks, axis=0), (middle, minutes, attitude))
            middle, rest = whole[0], jax.tree.map(lambda v: v.astype(precision), whole[1:])
            return CallInstants(*self._devices.put((middle, *rest), replicated=True))

        return self._cache.get((group[0].first, group[-1].last, first, shape, precision), make)


class _Shape(NamedTuple):
    """Shape of a call: a compiled program for each."""

    chunks: int
    instants: int
    table_length: int

    def within(self, instants: int) -> _Shape:
        """The largest part of the shape that has no more instants than that in all, and one at least."""
        return self._replace(
            chunks=min(self.chunks, max(1, instants // self.instants)), instants=min(self.instants, max(1, instants))
        )


def _kind(tile: Tile) -> tuple[Regime, int]:
    """Tiles that are alike run the same programs."""
    return tile.regime, len(tile.padded_columns)


def _runs(group: tuple[Chunk, ...], first: int, length: int) -> Iterator[tuple[slice, slice]]:
    """Rows of a call's results, and the instants of the grid that they belong to: those of adjacent chunks together."""
    runs: list[tuple[slice, slice]] = []
    for k, chunk in enumerate(group):
        count = min(len(chunk) - first, length)
        if count <= 0:
            continue
        rows, instants = slice(k * length, k * length + count), slice(chunk.first + first, chunk.first + first + count)
        if runs and runs[-1][0].stop == rows.start and runs[-1][1].stop == instants.start:
            before = runs.pop()
            rows, instants = slice(before[0].start, rows.stop), slice(before[1].start, instants.stop)
        runs.append((rows, instants))
    yield from runs


def _states_that_fit(free_bytes: int | None, options: Options) -> int:
    """States of one device in a call, of which two are in flight; a power of two, so that few programs are compiled."""
    if free_bytes is None:
        return STATES
    most = int(MEMORY_SHARE * free_bytes / 2 / options.state_bytes)
    return min(STATES, 1 << max(0, most.bit_length() - 1))


def _round_up(width: int) -> int:
    """Least number with three significant bits that is not below a width, and not below 128: at most a quarter is padding, and few
    widths are compiled."""
    step = max(128, 1 << max(0, (width - 1).bit_length() - 3))
    return -(-width // step) * step
