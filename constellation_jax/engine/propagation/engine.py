"""Propagation of many satellites over many instants: groups by regime, tiles of satellites, chunks of instants, a thread per core.

    engine = Engine(elements, grid, options)
    engine.run(start, stop, arrays)   # fills arrays of shape (stop - start, satellites), block after block

Input order is kept: whatever is grouped inside, column j is satellite j. Everything is computed in 64 bits or about 64-bit
anchors, whatever the user's `jax_enable_x64`, which is left alone.

Where the steps are short, states are evaluated at Chebyshev nodes of each chunk and interpolated. The number of nodes that a
satellite needs is measured. Satellites that need too many, that may fail inside a chunk, or whose coefficients in a chunk are
larger than measured, are evaluated at each instant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.failures import GridFailures
from constellation_jax.engine.propagation import kernels
from constellation_jax.engine.propagation.interpolation import Interpolation
from constellation_jax.engine.propagation.kernels import CHUNK, FEW
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.propagation.runner import TileRunner
from constellation_jax.engine.regimes.assign import Group, assign_regimes
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.threads import Workers, one_blas_thread
from constellation_jax.engine.tiles import Tile, make_tiles
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, split
from constellation_jax.physics.sgp4.elements import Elements

Task = tuple[Tile, Chunk]


class Engine:
    """Propagates a fixed set of satellites over blocks of a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        options: what to compute, and how.
        devices: None: all local devices of the platform of the options.
    """

    def __init__(self, elements: Elements, grid: Grid, options: Options, devices: Devices | None = None) -> None:
        elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self.satellites = len(np.asarray(elements.mean_motion))
        self._grid = grid
        self._options = options
        self._devices = devices or Devices(options.platform)
        self._interpolation = Interpolation(grid, options, self._devices.platform, self.satellites)
        self._runner = TileRunner(grid, options, self._devices, self._interpolation)
        epoch = (elements.epoch_day, elements.epoch_fraction)
        ends = grid.ends_since(*epoch)
        groups, drag_limits = assign_regimes(elements, ends, options.gravity)
        self._packed = {group.regime: kernels.pack(group.coefficients, *epoch) for group in groups}
        self._interpolation.choose_nodes(groups, elements, ends, self._measure)
        self._tiles = self._make_tiles(groups)
        self._failures = GridFailures(grid, *epoch, drag_limits)

    def run(self, start: int, stop: int, out: OutputArrays, progress: Callable[[int], None] | None = None) -> None:
        """Compute the states at instants start:stop of the grid. Blocks must come in ascending order.

        Args:
            out: the variables of the options at stop - start instants, filled in place. They are NaN where the status is not 0,
                and a satellite that has failed at or after its epoch stays failed.
            progress: called from this thread with the number of states just computed.
        """
        failing = np.zeros(self.satellites, np.bool_)
        rejected: defaultdict[tuple[Regime, int, int], list[NDArray[np.intp]]] = defaultdict(list)

        def work(task: Task) -> int:
            tile, chunk = task
            failed, again = self._runner.fill(tile, chunk, out, start)
            if failed.any() or again.any():
                columns = np.arange(self.satellites)[tile.columns]
                failing[columns[failed & tile.is_own]] = True
                if (again & tile.is_own).any():
                    rejected[tile.regime, chunk.first, chunk.last].append(columns[again & tile.is_own])
            return int(tile.is_own.sum()) * len(chunk)

        with Workers(self._devices.threads) as workers, one_blas_thread():
            # tiles that are computed in place come first: the others overwrite some of their columns
            in_place = [tile for tile in self._tiles if not tile.is_own.all()]
            others = [tile for tile in self._tiles if tile.is_own.all()]
            for tiles in (in_place, others):
                workers.run(work, self._tasks(tiles, start, stop), progress)
            again = [
                task
                for (regime, first, last), columns in rejected.items()
                for task in self._tasks(self._split_again(regime, np.concatenate(columns)), first, last)
            ]
            workers.run(work, again)
        self._failures.apply_failures(start, stop, out, failing)

    def warm_up(self) -> None:
        """Compile what `run` needs, each kind of tile in one thread: all threads of `run` would compile it for themselves."""
        tasks = {}
        for tile in self._tiles:
            task = next(self._tasks([tile], 0, len(self._grid)))
            tasks[tile.regime, tile.is_sparse, tile.node_count] = task
            if tile.node_count:  # and the loop for satellites that are evaluated at each instant after all
                one = np.arange(self.satellites)[tile.columns][:1]
                sparse = self._split_again(tile.regime, one)
                tasks[tile.regime, True, 0] = next(self._tasks(sparse, 0, task[1].last))
        last = max((chunk.last for _, chunk in tasks.values()), default=0)
        out = OutputArrays.allocate(last, self.satellites, self._options.variables, self._options.dtype)
        with Workers(self._devices.threads) as workers:
            workers.run(lambda task: self._runner.fill(task[0], task[1], out, 0), tasks.values())

    @property
    def method(self) -> str:
        """Description of which states are interpolated."""
        return self._interpolation.describe()

    def _make_tiles(self, groups: list[Group]) -> list[Tile]:
        """Split all satellites into tiles: those of each regime and number of nodes together."""
        node_count = self._interpolation.node_count
        members = {group.regime: group.is_own.copy() for group in groups}
        for regime, is_own in members.items():
            single = is_own & (node_count == 0)
            if regime.general != regime and regime.general in members and single.sum() <= FEW:
                # a few satellites join the tiles of the general regime instead of having one of their own
                is_own &= ~single
                members[regime.general] |= single
        return [
            tile
            for regime, is_own in members.items()
            for count in np.unique(node_count[is_own]).tolist()
            for tile in self._split(regime, is_own & (node_count == count), count, in_place=not regime.is_rare)
        ]

    def _split(
        self, regime: Regime, is_own: NDArray[np.bool_], node_count: int = 0, *, in_place: bool = False
    ) -> list[Tile]:
        """Split some satellites of a regime into tiles."""
        is_sparse = regime.is_rare or int(is_own.sum()) <= FEW
        width = self._devices.tile_width(kernels.TILE)
        return make_tiles(
            self._devices, regime, is_own, self._packed[regime], width,
            in_place=in_place, is_sparse=is_sparse, node_count=node_count,
        )  # fmt: skip

    def _split_again(self, regime: Regime, columns: NDArray[np.intp]) -> list[Tile]:
        """Split some interpolated satellites into tiles that are evaluated at each instant."""
        is_own = np.zeros(self.satellites, np.bool_)
        is_own[columns] = True
        return self._split(regime, is_own)

    def _measure(
        self, regime: Regime, some: NDArray[np.bool_], chunks: list[Chunk], node_count: int
    ) -> NDArray[np.float64]:
        """Largest sizes of the coefficients of some satellites; see `interpolation.Measure`."""
        tasks = [[(tile, chunk) for tile in self._split(regime, some)] for chunk in chunks]
        with Workers(self._devices.threads) as workers, one_blas_thread():
            sizes = [
                list(workers.map(lambda task: self._runner.measure(task[0], task[1], node_count), part))
                for part in tasks
            ]
        return np.maximum.reduce([np.concatenate(part, axis=1) for part in sizes])

    def _tasks(self, tiles: Iterable[Tile], start: int, stop: int) -> Iterator[Task]:
        """Pairs of tiles and chunks over instants start:stop."""
        tiles = list(tiles)
        for is_dense in (True, False):
            alike = [tile for tile in tiles if bool(tile.node_count) == is_dense]
            layout = self._interpolation.layout if is_dense else (LONGEST_MINUTES[self._options.precision], CHUNK)
            for chunk in split(self._grid, start, stop, *layout) if alike else ():
                yield from ((tile, chunk) for tile in alike)
