"""Computation on a CPU: one tile of satellites over one chunk of instants, evaluated at each of them, or interpolated between
Chebyshev nodes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation import kernels
from constellation_jax.engine.propagation.interpolation import Interpolation
from constellation_jax.engine.propagation.kernels import CHUNK, Instants
from constellation_jax.engine.propagation.node_count import coefficient_sizes
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.propagation.runner import FEW, Flags, Task, merge_few
from constellation_jax.engine.regimes.assign import Group
from constellation_jax.engine.regimes.regime import SAFE_RADIUS_KM, Regime
from constellation_jax.engine.state_variables import POSITION, needs_attitude
from constellation_jax.engine.threads import ThreadCache, Workers, one_blas_thread
from constellation_jax.engine.tiles import Outputs, Tile, make_outputs, make_tiles, pad
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, attitude_at, split
from constellation_jax.physics.numerics import chebyshev
from constellation_jax.physics.sgp4.elements import Elements


class CpuRunner:
    """Tiles and compiled loops of a CPU, their arguments and their memory. A `Runner`.

    Args:
        grid: all instants.
        options: of the run.
        devices: that compute.
        elements: float64 NumPy arrays of shape (satellites,).
        groups: from `assign_regimes`.
    """

    def __init__(self, grid: Grid, options: Options, devices: Devices, elements: Elements, groups: list[Group]) -> None:
        self._grid = grid
        self._options = options
        self._devices = devices
        self._satellites = len(np.asarray(elements.mean_motion))
        self._width = devices.tile_width(kernels.TILE)
        self._per_device = self._width // devices.mesh.size
        self._cache = ThreadCache(is_kept=True)
        self._loops: dict[Any, Any] = {}
        # the position bounds the error of an interpolation, and shows that no decay lies between two nodes
        self._at_nodes = tuple(dict.fromkeys((*options.variables, *POSITION)))
        epoch = (elements.epoch_day, elements.epoch_fraction)
        self._packed = {group.regime: kernels.pack(group.coefficients, *epoch) for group in groups}
        self._interpolation = Interpolation(grid, options, self._satellites)
        self._interpolation.choose_nodes(groups, elements, grid.ends_since(*epoch), self._measure)
        self.tiles = self._make_tiles(groups)

    @property
    def method(self) -> str:
        """Description of which states are interpolated."""
        return self._interpolation.describe()

    def tasks(self, tiles: Iterable[Tile], start: int, stop: int) -> Iterator[Task]:
        """As `Runner.tasks`."""
        tiles = list(tiles)
        for is_dense in (True, False):
            alike = [tile for tile in tiles if bool(tile.node_count) == is_dense]
            layout = self._interpolation.layout if is_dense else (LONGEST_MINUTES[self._options.precision], CHUNK)
            for chunk in split(self._grid, start, stop, *layout) if alike else ():
                yield from (Task(tile, (chunk,)) for tile in alike)

    def fill(self, task: Task, out: OutputArrays, start: int) -> tuple[Flags, Flags]:
        """As `Runner.fill`."""
        tile, (chunk,) = task
        rows, dtype = slice(chunk.first - start, chunk.last - start), tile.regime.precision or self._options.precision
        none = np.zeros(tile.count, np.bool_)
        if 0 < tile.node_count < len(chunk):
            return none, self._interpolate(tile, chunk, dtype, out, rows)
        # in deep space the type is that at nodes: one program, which takes seconds to compile, serves both
        stored = dtype if tile.regime.precision else self._options.dtype
        filled = self._evaluate(tile, chunk, self._options.variables, dtype, stored)
        values, status = (self._devices.fetch(v)[..., : len(chunk), : tile.count] for v in filled)
        with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
            out.write(values, status, rows, tile.columns)
        self._release(filled)
        return np.asarray(status.any(axis=0)), none

    def split_again(self, regime: Regime, columns: NDArray[np.intp]) -> list[Tile]:
        """As `Runner.split_again`."""
        is_own = np.zeros(self._satellites, np.bool_)
        is_own[columns] = True
        return self._split(regime, is_own)

    def samples(self) -> Iterable[Task]:
        """As `Runner.samples`."""
        tasks = {}
        for tile in self.tiles:
            task = next(self.tasks([tile], 0, len(self._grid)))
            tasks[tile.regime, tile.is_sparse, tile.node_count] = task
            if tile.node_count:  # and the loop for satellites that are evaluated at each instant after all
                one = np.arange(self._satellites)[tile.columns][:1]
                sparse = self.split_again(tile.regime, one)
                tasks[tile.regime, True, 0] = next(self.tasks(sparse, 0, task.chunks[0].last))
        return tasks.values()

    def _make_tiles(self, groups: list[Group]) -> list[Tile]:
        """Split all satellites into tiles: those of each regime and number of nodes together."""
        node_count = self._interpolation.node_count
        return [
            tile
            for regime, is_own in merge_few(groups, node_count == 0).items()
            for count in np.unique(node_count[is_own]).tolist()
            for tile in self._split(regime, is_own & (node_count == count), count, in_place=not regime.is_rare)
        ]

    def _split(
        self, regime: Regime, is_own: NDArray[np.bool_], node_count: int = 0, *, in_place: bool = False
    ) -> list[Tile]:
        """Split some satellites of a regime into tiles."""
        is_sparse = regime.is_rare or int(is_own.sum()) <= FEW
        return make_tiles(
            self._devices, regime, is_own, self._packed[regime], self._width,
            in_place=in_place, is_sparse=is_sparse, node_count=node_count,
        )  # fmt: skip

    def _measure(
        self, regime: Regime, some: NDArray[np.bool_], chunks: list[Chunk], node_count: int, degree: int
    ) -> NDArray[np.float64]:
        """Largest sizes of the coefficients of some satellites; see `interpolation.Measure`."""
        tasks = [[(tile, chunk) for tile in self._split(regime, some)] for chunk in chunks]
        with Workers(self._devices.threads) as workers, one_blas_thread():
            sizes = [
                list(workers.map(lambda task: self._measure_tile(task[0], task[1], node_count, degree), part))
                for part in tasks
            ]
        return np.maximum.reduce([np.concatenate(part, axis=1) for part in sizes])

    def _measure_tile(self, tile: Tile, chunk: Chunk, node_count: int, degree: int) -> NDArray[np.float64]:
        """Sizes of the coefficients, from a degree on, of the polynomials through so many nodes, km, shape (node_count - degree,
        tile.count); inf for a satellite that may not be interpolated."""
        filled = self._evaluate(tile, chunk, self._at_nodes, "float64", "float64", node_count)
        matrix = self._cache.get(("coefficients", node_count), lambda: chebyshev.coefficients(node_count))[degree:]
        sizes, unsafe = self._check(matrix, filled, tile)
        self._release(filled)
        return np.where(unsafe, np.inf, sizes)

    def _interpolate(self, tile: Tile, chunk: Chunk, dtype: str, out: OutputArrays, rows: slice) -> Flags:
        """Interpolate a tile between nodes. Returns True for columns whose coefficients are too large or radii too low for that."""
        count, wanted = tile.node_count, len(self._options.variables)
        filled = self._evaluate(tile, chunk, self._at_nodes, dtype, dtype, count)
        matrix, tail = self._matrices(tile.regime, chunk, count, dtype)
        nodes = self._devices.fetch(filled.values)[:wanted, :count, : tile.count]
        with np.errstate(over="ignore", invalid="ignore"):
            out.write_product(matrix, nodes, rows, tile.columns)
        sizes, unsafe = self._check(tail, filled, tile)
        self._release(filled)
        return self._interpolation.is_rejected(tile, chunk, sizes, dtype) | unsafe

    def _check(self, matrix: NDArray[Any], filled: Outputs, tile: Tile) -> tuple[NDArray[Any], Flags | np.bool_]:
        """Sizes of the coefficients of a tile's columns, and True for columns that are too low or have failed at a node."""
        count = matrix.shape[1]
        nodes = self._devices.fetch(filled.values)[:, :count, : tile.count]
        with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
            position = [nodes[self._at_nodes.index(name)] for name in POSITION]
            others = [nodes[self._at_nodes.index("altitude")]] if "altitude" in self._at_nodes else []
            sizes = coefficient_sizes(matrix, position, others)
            if not tile.regime.checks_nodes:
                return sizes, np.bool_(False)
            radius = np.sqrt(sum(values**2 for values in position).min(axis=0))
        failed = self._devices.fetch(filled.status)[:count, : tile.count].any(axis=0)
        return sizes, ~(radius >= SAFE_RADIUS_KM) | failed

    def _evaluate(
        self, tile: Tile, chunk: Chunk, names: tuple[str, ...], dtype: str, stored: str, node_count: int = 0
    ) -> Outputs:
        """A tile at the instants of a chunk, or at so many nodes; `stored` is the type of the results."""
        instants = self._instants(tile.regime, chunk, dtype, node_count)
        shape = (len(names), CHUNK, self._width)
        make = partial(make_outputs, self._devices, *shape, stored)
        buffers = self._cache.borrow((self._devices.mesh, shape, stored), make)
        # where several devices share a tile all of its blocks are computed
        satellites = tile.count if self._devices.mesh.size == 1 else self._per_device
        blocks = np.int32(-(-satellites // self._block(dtype, tile.is_sparse)))
        filled: Outputs = self._loop(tile, dtype, names, chunk)(tile.coefficients, instants, buffers, blocks)
        return filled

    def _loop(self, tile: Tile, dtype: str, variables: tuple[str, ...], chunk: Chunk) -> Any:
        """The compiled loop that evaluates a tile."""
        length = tile.regime.table_length(2.0 * chunk.half_span)
        key = (tile.regime, tile.is_sparse, dtype, variables, length)
        if key not in self._loops:
            self._loops[key] = self._devices.compile(
                kernels.fill,
                kernels.FILL_SPECS,
                regime=tile.regime,
                variables=variables,
                frame=self._options.frame,
                table_length=length,
                block=self._block(dtype, tile.is_sparse),
            )
        return self._loops[key]

    def _block(self, dtype: str, is_sparse: bool) -> int:
        """Satellites that a loop works on together."""
        row = kernels.FEW_BYTES if is_sparse else kernels.BLOCK_BYTES
        return min(self._per_device, row // np.dtype(dtype).itemsize)

    def _instants(self, regime: Regime, chunk: Chunk, dtype: str, node_count: int) -> Instants:
        """The instants of a chunk, or so many Chebyshev nodes in it."""

        def make() -> Instants:
            minutes = self._interpolation.nodes(regime, chunk, node_count) if node_count else chunk.minutes
            turn = spin = np.zeros((CHUNK, 3, 3))
            if needs_attitude(self._options.variables, self._options.frame):
                turn, spin = attitude_at(self._grid, chunk, minutes, CHUNK)
            arrays = (v.astype(dtype) for v in (pad(minutes, CHUNK), turn, spin))
            return Instants(*(self._replicate(v) for v in (np.int32(len(minutes)), chunk.middle, *arrays)))

        return self._cache.get(("instants", chunk.first, chunk.last, node_count, regime.node_rate, dtype), make)

    def _matrices(self, regime: Regime, chunk: Chunk, node_count: int, dtype: str) -> tuple[Any, NDArray[Any]]:
        """Matrices from nodes to the instants of a chunk, and to the last coefficients."""

        def make() -> tuple[Any, NDArray[Any]]:
            matrix, tail = (m.astype(dtype) for m in self._interpolation.matrices(regime, chunk, node_count))
            return matrix, tail

        return self._cache.get(("matrices", chunk.first, chunk.last, node_count, regime.node_rate, dtype), make)

    def _replicate(self, values: Any) -> Any:
        return self._devices.put(values, replicated=True)

    def _release(self, buffers: Outputs) -> None:
        self._cache.release((self._devices.mesh, buffers.values.shape, str(buffers.values.dtype)), buffers)
