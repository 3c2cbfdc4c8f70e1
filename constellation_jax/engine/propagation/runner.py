"""One tile of satellites over one chunk of instants: evaluated at each of them, or at Chebyshev nodes and interpolated."""

from __future__ import annotations

import dataclasses
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
from constellation_jax.engine.regimes.regime import SAFE_RADIUS_KM, Regime
from constellation_jax.engine.state_variables import GEODETIC, POSITION, attitude
from constellation_jax.engine.threads import ThreadCache
from constellation_jax.engine.tiles import Outputs, Tile, make_outputs, pad
from constellation_jax.engine.time_grid import Chunk, Grid
from constellation_jax.physics.numerics import chebyshev

Flags = NDArray[np.bool_]


class TileRunner:
    """Compiled loops, their arguments and their memory, for the threads of an `Engine`.

    Args:
        grid: all instants.
        options: of the run.
        devices: that compute.
        interpolation: of the satellites of the run.
    """

    def __init__(self, grid: Grid, options: Options, devices: Devices, interpolation: Interpolation) -> None:
        self._grid = grid
        self._options = options
        self._devices = devices
        self._width = devices.tile_width(kernels.TILE)
        self._per_device = self._width // devices.mesh.size
        self._interpolation = interpolation
        self._anchors_inside = devices.platform == "cpu"
        self._cache = ThreadCache()
        self._loops: dict[Any, Any] = {}
        # the position bounds the error of an interpolation, and shows that no decay lies between two nodes
        self._at_nodes = tuple(dict.fromkeys((*options.variables, *POSITION)))

    def fill(self, tile: Tile, chunk: Chunk, out: OutputArrays, start: int) -> tuple[Flags, Flags]:
        """Write a tile into arrays that begin at an instant of the grid.

        Returns:
            True for columns that have failed, and for columns that must be evaluated at each instant.
        """
        rows, dtype = slice(chunk.first - start, chunk.last - start), tile.regime.precision or self._options.precision
        if dtype == "float32" and not self._anchors_inside:
            middle = self._cache.get(("middle", chunk.first, chunk.last), lambda: self._replicate(chunk.middle))
            anchor = self._devices.compile(kernels.anchor, kernels.ANCHOR_SPECS, regime=tile.regime)
            tile = dataclasses.replace(tile, coefficients=anchor(tile.coefficients, middle))
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

    def measure(self, tile: Tile, chunk: Chunk, node_count: int) -> NDArray[np.float64]:
        """Sizes of the coefficients of the polynomials through so many nodes, km, shape (node_count, tile.count); inf for a
        satellite that may not be interpolated."""
        filled = self._evaluate(tile, chunk, self._at_nodes, "float64", "float64", node_count)
        matrix = self._cache.get(("coefficients", node_count), lambda: chebyshev.coefficients(node_count))
        sizes, unsafe = self._check(matrix, filled, tile)
        self._release(filled)
        return np.where(unsafe, np.inf, sizes)

    def _interpolate(self, tile: Tile, chunk: Chunk, dtype: str, out: OutputArrays, rows: slice) -> Flags:
        """Interpolate a tile between nodes. Returns True for columns whose coefficients are too large or radii too low for that."""
        count, wanted = tile.node_count, len(self._options.variables)
        filled = self._evaluate(tile, chunk, self._at_nodes, dtype, dtype, count)
        matrix, tail = self._matrices(tile.regime, chunk, count, dtype)
        if self._devices.platform == "cpu":
            nodes = self._devices.fetch(filled.values)[:wanted, :count, : tile.count]
            with np.errstate(over="ignore", invalid="ignore"):
                out.write_product(matrix, nodes, rows, tile.columns)
        else:
            loop = self._devices.compile(kernels.interpolate, kernels.INTERPOLATE_SPECS)
            values = self._devices.fetch(loop(matrix, filled.values))
            out.write(values[:wanted, : len(chunk), : tile.count], 0, rows, tile.columns)
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
        rows = len(names)
        make = partial(make_outputs, self._devices, rows, CHUNK, self._width, stored)
        buffers = self._cache.borrow((rows, stored), make)
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
        row = (kernels.FEW_BYTES if is_sparse else kernels.BLOCK_BYTES).get(self._devices.platform)
        return self._per_device if row is None else min(self._per_device, row // np.dtype(dtype).itemsize)

    def _instants(self, regime: Regime, chunk: Chunk, dtype: str, node_count: int) -> Instants:
        """The instants of a chunk, or so many Chebyshev nodes in it."""

        def make() -> Instants:
            minutes = self._interpolation.nodes(regime, chunk, node_count) if node_count else chunk.minutes
            turn = spin = np.zeros((CHUNK, 3, 3))
            if self._options.frame != "teme" or set(GEODETIC) & set(self._options.variables):
                turn, spin = _attitude_at(self._grid, chunk, minutes)
            is_anchored = dtype == "float32" and not self._anchors_inside
            middle = np.zeros(2, dtype) if is_anchored else chunk.middle
            arrays = (v.astype(dtype) for v in (pad(minutes, CHUNK), turn, spin))
            return Instants(*(self._replicate(v) for v in (np.int32(len(minutes)), middle, *arrays)))

        return self._cache.get(("instants", chunk.first, chunk.last, node_count, regime.node_rate, dtype), make)

    def _matrices(self, regime: Regime, chunk: Chunk, node_count: int, dtype: str) -> tuple[Any, NDArray[Any]]:
        """Matrices from nodes to the instants of a chunk, and to the last coefficients."""

        def make() -> tuple[Any, NDArray[Any]]:
            matrix, tail = (m.astype(dtype) for m in self._interpolation.matrices(regime, chunk, node_count))
            on_host = self._devices.platform == "cpu"
            return matrix if on_host else self._replicate(pad(matrix, CHUNK, axis=0)), tail

        return self._cache.get(("matrices", chunk.first, chunk.last, node_count, regime.node_rate, dtype), make)

    def _replicate(self, values: Any) -> Any:
        return self._devices.put(values, replicated=True)

    def _release(self, buffers: Outputs) -> None:
        self._cache.release((buffers.values.shape[0], str(buffers.values.dtype)), buffers)


def _attitude_at(grid: Grid, chunk: Chunk, minutes: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
    """`Instants.turn` and `.spin` at minutes since the middle of a chunk and within it."""
    angles = (np.unwrap(v[chunk.first : chunk.last]) for v in (grid.gmst, grid.polar_x, grid.polar_y))
    # between the instants of a chunk all three are linear to rounding, and at the instants this is exact
    return attitude(*(pad(np.interp(minutes, chunk.minutes, v), CHUNK) for v in angles), np)
