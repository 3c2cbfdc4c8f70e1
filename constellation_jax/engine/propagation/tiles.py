"""One tile of satellites over one chunk of instants: evaluated at each of them, or at Chebyshev nodes and interpolated."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.held import Held
from constellation_jax.engine.propagation import kernels as tiles
from constellation_jax.engine.propagation.arrays import Target
from constellation_jax.engine.propagation.kernels import CHUNK, FEW, Instants, Outputs
from constellation_jax.engine.propagation.node_count import LAST, coefficient_sizes, spread_of
from constellation_jax.engine.propagation.options import Request
from constellation_jax.engine.regimes import SAFE_RADIUS_KM
from constellation_jax.engine.time_grid import Chunk, Grid, attitude, padded
from constellation_jax.physics.numerics import chebyshev
from constellation_jax.physics.sgp4.deep_space import STEP_MINUTES

FLOAT32_NOISE_KM = 2e-3
"""Rounding in the last coefficients of float32 states; their size was measured in float64 before."""


class Limits(NamedTuple):
    """What rules interpolation out in some chunks, arrays of shape (satellites,)."""

    rough_from: NDArray[np.float64]
    """Sum of the last coefficients from which it misses the tolerance, km."""
    kink_first: NDArray[np.float64]
    kink_last: NDArray[np.float64]
    """First and last minute of the grid at which there may be a kink."""
    since_epoch: NDArray[np.float64]
    """Minutes from the epoch to the first instant of the grid, where the steps of the resonance integrator are kinks that
    matter; else NaN."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """Satellites that are computed together."""

    columns: NDArray[np.intp] | slice
    count: int
    """Columns that it writes: what is not padding."""
    own: NDArray[np.bool_]
    """Which of them are its own; the others are overwritten by tiles of other groups. Shape (count,)."""
    deep: bool
    small_eccentricity: bool
    few: bool
    """Whether it may be next to empty, and is worked through in small blocks: each is computed whole, however few are in it."""
    order: int
    """Chebyshev nodes in a chunk; 0: evaluated at each instant."""
    limits: Limits
    """Of its columns."""
    coefficients: Any

    @property
    def kind(self) -> tuple[bool, bool, bool]:
        """Tiles of one kind run in the same compiled loop."""
        return self.deep, self.small_eccentricity, self.few


class TileRunner:
    """Compiled loops, their arguments and their memory, for the threads of an `Engine`.

    Args:
        grid: all instants, ascending.
        request: what to compute.
        devices: where.
    """

    def __init__(self, grid: Grid, request: Request, devices: Devices) -> None:
        self._grid = grid
        self._request = request
        self._devices = devices
        self._anchors_inside = devices.platform == "cpu"
        self._held = Held()
        self._loops: dict[Any, Any] = {}
        # by position the error of an interpolation is known, and that no decay hides between two nodes
        self._at_nodes = tuple(dict.fromkeys((*request.variables, *tiles.POSITION)))

    def cut(
        self,
        coefficients: NDArray[np.float64],
        columns: NDArray[np.intp],
        limits: Limits,
        *,
        deep: bool,
        small_eccentricity: bool,
        order: int = 0,
        own: NDArray[np.bool_] | None = None,
    ) -> Iterator[Tile]:
        """Some satellites in tiles, out of the packed coefficients and the limits of all of them."""
        width = self._devices.width
        for first in range(0, len(columns), width):
            part = columns[first : first + width]
            full = padded(part, width)
            run = slice(int(part[0]), int(part[-1]) + 1)
            yield Tile(
                columns=run if run.stop - run.start == len(part) else part,
                count=len(part),
                own=np.ones(len(part), np.bool_) if own is None else own[first : first + width],
                deep=deep,
                small_eccentricity=small_eccentricity,
                few=deep or not small_eccentricity or len(columns) <= FEW,
                order=order,
                limits=Limits(*(values[part] for values in limits)),
                coefficients=self._devices.put(coefficients[:, full]),
            )

    def fill(self, tile: Tile, chunk: Chunk, out: Target, start: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Writes a tile into arrays that begin at an instant of the grid.

        Returns:
            Which of its columns have failed, and which need evaluation at each instant.
        """
        count, rows = chunk.last - chunk.first, slice(chunk.first - start, chunk.last - start)
        coefficients, dtype = tile.coefficients, "float64" if tile.deep else self._request.precision
        if dtype == "float32" and not self._anchors_inside:
            middle = self._held.kept(("middle", chunk.first, chunk.last), lambda: self._put(chunk.middle))
            coefficients = self._devices.loop(tiles.anchored)(coefficients, middle)
        if 0 < tile.order < count:
            again = self._interpolate(tile, chunk, coefficients, dtype, out, rows)
            out.status[rows, tile.columns] = 0
            return np.zeros(tile.count, np.bool_), again
        variables = self._request.variables
        # in deep space as at nodes: one program for both, which takes seconds to compile
        stored = dtype if tile.deep else self._request.dtype
        filled = self._evaluate(tile, coefficients, chunk, variables, (dtype, stored))
        values = self._devices.fetch(filled.values)[:, :count, : tile.count]
        with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
            out.write(values, rows, tile.columns)
        status = self._devices.fetch(filled.status)[:count, : tile.count]
        out.status[rows, tile.columns] = status
        self._give(filled)
        return np.asarray(status.any(axis=0)), np.zeros(tile.count, np.bool_)

    def sizes(self, tile: Tile, chunk: Chunk, nodes: int) -> NDArray[np.float64]:
        """Sizes of the coefficients of the polynomials through so many nodes, km, shape (nodes, tile.count); inf for a satellite
        that may not be interpolated."""
        filled = self._evaluate(tile, tile.coefficients, chunk, self._at_nodes, ("float64", "float64"), nodes)
        matrix = self._held.kept(("coefficients", nodes), lambda: chebyshev.coefficients(nodes))
        found, unsafe = self._check(matrix, filled, tile)
        self._give(filled)
        return np.where(unsafe, np.inf, found)

    def _interpolate(
        self, tile: Tile, chunk: Chunk, coefficients: Any, dtype: str, out: Target, rows: slice
    ) -> NDArray[np.bool_]:
        """Writes a tile by way of nodes. Returns which of its columns are too rough for that, or too low."""
        order, asked = tile.order, len(self._request.variables)
        filled = self._evaluate(tile, coefficients, chunk, self._at_nodes, (dtype, dtype), order)
        matrix, tail = self._matrices(chunk, order, dtype, deep=tile.deep)
        if self._devices.platform == "cpu":
            nodes = self._devices.fetch(filled.values)[:asked, :order, : tile.count]
            with np.errstate(over="ignore", invalid="ignore"):
                out.write_product(matrix, nodes, rows, tile.columns)
        else:
            values = self._devices.fetch(self._devices.loop(tiles.interpolate)(matrix, filled.values))
            out.write(values[:asked, : len(chunk.minutes), : tile.count], rows, tile.columns)
        size, unsafe = self._check(tail, filled, tile)
        self._give(filled)
        limit = tile.limits.rough_from + (FLOAT32_NOISE_KM if dtype == "float32" else 0.0)
        begin, end = (
            self._grid.minutes_since(self._grid.day[0], self._grid.fraction[0], i)
            for i in (chunk.first, chunk.last - 1)
        )
        # a kink need not show in the coefficients: in float32 their rounding is larger than the miss
        limits = tile.limits
        kinked = (limits.kink_first < end) & (limits.kink_last > begin)
        if tile.deep:
            step = [np.floor((limits.since_epoch + minute) / STEP_MINUTES) for minute in (begin, end)]
            kinked |= step[0] < step[1]  # not so where they are NaN
        return ~(size.sum(axis=0) <= limit) | kinked | unsafe

    def _check(
        self, matrix: NDArray[Any], filled: Outputs, tile: Tile
    ) -> tuple[NDArray[Any], NDArray[np.bool_] | np.bool_]:
        """Of the columns of a tile at nodes: the sizes of coefficients, and who is too low or has failed there."""
        order = matrix.shape[1]
        nodes = self._devices.fetch(filled.values)[:, :order, : tile.count]
        with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
            position = [nodes[self._at_nodes.index(name)] for name in tiles.POSITION]
            others = [nodes[self._at_nodes.index("altitude")]] if "altitude" in self._at_nodes else []
            size = coefficient_sizes(matrix, position, others)
            if not tile.deep:  # `stays_high` has looked at these
                return size, np.bool_(False)
            radius = np.sqrt(sum(values**2 for values in position).min(axis=0))
        failed = self._devices.fetch(filled.status)[:order, : tile.count].any(axis=0)
        return size, ~(radius >= SAFE_RADIUS_KM) | failed

    def _evaluate(
        self, tile: Tile, packed: Any, chunk: Chunk, names: tuple[str, ...], dtypes: tuple[str, str], nodes: int = 0
    ) -> Outputs:
        """A tile at the instants of a chunk, or at so many nodes; types of the arithmetic and of the results."""
        instants, out = self._instants(chunk, dtypes[0], nodes, deep=tile.deep), self._take(len(names), dtypes[1])
        blocks = self._devices.blocks(tile.count, dtypes[0], few=tile.few)
        filled: Outputs = self._loop(tile, dtypes[0], names, chunk)(packed, instants, out, blocks)
        return filled

    def _loop(self, tile: Tile, dtype: str, variables: tuple[str, ...], chunk: Chunk) -> Any:
        """The compiled loop that evaluates a tile."""
        length = tiles.table_length(2.0 * chunk.half_span) if tile.deep else 0
        key = (*tile.kind, dtype, variables, length)
        if key not in self._loops:
            static: dict[str, Any] = {"variables": variables, "frame": self._request.frame}
            static |= {"gravity": self._request.gravity, "block": self._devices.block(dtype, few=tile.few)}
            if tile.deep:
                loop = self._devices.loop(tiles.fill_deep, table_length=length, **static)
            else:
                loop = self._devices.loop(tiles.fill_near, small_eccentricity=tile.small_eccentricity, **static)
            self._loops[key] = loop
        return self._loops[key]

    def _instants(self, chunk: Chunk, dtype: str, nodes: int = 0, *, deep: bool) -> Instants:
        """The instants of a chunk, or so many Chebyshev nodes in it."""

        def make() -> Instants:
            minutes = chunk.minutes
            if nodes:
                minutes = chunk.half_span * chebyshev.spread(chebyshev.nodes(nodes), self._spread(chunk, deep=deep))
            turn = spin = np.zeros((CHUNK, 3, 3))
            if self._request.frame != "teme" or set(tiles.GEODETIC) & set(self._request.variables):
                turn, spin = attitude(self._grid, chunk, minutes)
            anchored = dtype == "float32" and not self._anchors_inside
            middle = np.zeros(2, dtype) if anchored else chunk.middle
            arrays = (v.astype(dtype) for v in (padded(minutes, CHUNK), turn, spin))
            return Instants(*(self._put(v) for v in (np.int32(len(minutes)), middle, *arrays)))

        return self._held.kept(("instants", chunk.first, chunk.last, nodes, deep, dtype), make)

    def _spread(self, chunk: Chunk, *, deep: bool) -> float:
        return spread_of(chunk.half_span, self._request.largest_error_km, deep=deep)

    def _put(self, values: Any) -> Any:
        return self._devices.put(values, replicated=True)

    def _matrices(self, chunk: Chunk, order: int, dtype: str, *, deep: bool) -> tuple[Any, NDArray[Any]]:
        """From nodes to the instants of a chunk, and to the last coefficients."""

        def make() -> tuple[Any, NDArray[Any]]:
            places = chebyshev.spread_inverse(chunk.minutes / chunk.half_span, self._spread(chunk, deep=deep))
            matrix = chebyshev.interpolation(order, places).astype(dtype)
            if self._devices.platform != "cpu":
                matrix = self._put(padded(matrix.T, CHUNK).T)
            return matrix, chebyshev.coefficients(order)[-LAST:].astype(dtype)

        return self._held.kept(("matrices", chunk.first, chunk.last, order, deep, dtype), make)

    def _take(self, variables: int, dtype: str) -> Outputs:
        found: Outputs = self._held.take((variables, dtype), lambda: self._devices.buffers(variables, dtype))
        return found

    def _give(self, buffers: Outputs) -> None:
        self._held.give((buffers.values.shape[0], str(buffers.values.dtype)), buffers)
