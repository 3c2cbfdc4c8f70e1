"""Many satellites over many instants: groups by kind of orbit, tiles of satellites, chunks of instants, a thread per core.

    engine = Engine(elements, grid, request)
    engine.run(start, stop, arrays)   # fills NumPy arrays of shape (stop - start, satellites), block after block

Input order is kept: whatever is grouped inside, column j is satellite j. Everything is computed in 64 bits or about 64-bit
anchors, whatever the user's `jax_enable_x64`, which is left alone.

Where the steps are short, states are evaluated at Chebyshev nodes of each chunk and interpolated. How many nodes a satellite
needs is measured; those that need too many, may fail inside a chunk, or turn out to be rougher than measured, are evaluated at
each instant.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine import chebyshev, tiles
from constellation_jax.engine.chunks import LONGEST_MINUTES, Chunk, Grid, attitude, cut, padded
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.held import Held
from constellation_jax.engine.kinds import coefficients_of, split_off_deep_space, stays_small
from constellation_jax.engine.latch import Latch, decay_times
from constellation_jax.engine.orders import choose_order, coefficient_sizes, may_suffice
from constellation_jax.engine.precision import x64
from constellation_jax.engine.tiles import CHUNK, Instants, Outputs
from constellation_jax.physics import sdp4, sgp4_near
from constellation_jax.physics.constants import WGS72, GravityModel
from constellation_jax.physics.elements import Elements

TOLERANCE_KM = {"float64": 1e-6, "float32": 1e-4}
"""Largest error that interpolation may add to a position, by precision."""
FLOAT32_NOISE_KM = 2e-3
"""Rounding in the last coefficients of float32 states; their size was measured in float64 before."""
SAFE_RADIUS_KM = 6500.0
"""A satellite that comes nearer to the Earth's centre than this may decay between two nodes."""

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[int], None]
"""Called with the number of states just computed."""


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of a run. Static: it chooses code."""

    variables: tuple[str, ...]
    """Names out of `tiles.VARIABLES`."""
    frame: str = "teme"
    """Of position and velocity: "teme" or "itrs"."""
    precision: str = "float64"
    """Of the kernels: "float64", or "float32" about float64 anchors (near-Earth orbits; SDP4 runs in float64)."""
    dtype: str = "float64"
    """Of the results."""
    gravity: GravityModel = WGS72
    dense: bool = True
    """Whether states between Chebyshev nodes may be interpolated."""
    tolerance_km: float | None = None
    """Largest error that interpolation may add to a position; None: by `TOLERANCE_KM`."""
    platform: str | None = None
    """Of the devices; None: JAX's default."""


@dataclasses.dataclass(frozen=True)
class _Tile:
    columns: NDArray[np.intp] | slice
    count: int
    """Columns that it writes: what is not padding."""
    own: NDArray[np.bool_]
    """Which of them are its own; the others are overwritten by tiles of other groups. Shape (count,)."""
    deep: bool
    small_eccentricity: bool
    order: int
    """Chebyshev nodes in a chunk; 0: evaluated at each instant."""
    rough_from: NDArray[np.float64]
    """Sum of the last two coefficients from which interpolation misses the tolerance, km, shape (count,)."""
    coefficients: Any


class Engine:
    """Propagates a fixed set of satellites over blocks of a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        request: what to compute.
        devices: where; None: all local devices of the platform of the request.
    """

    def __init__(self, elements: Elements, grid: Grid, request: Request, devices: Devices | None = None) -> None:
        self.satellites = len(np.asarray(elements.mean_motion))
        self._elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._epoch = (self._elements.epoch_day, self._elements.epoch_fraction)
        self._grid = grid
        self._request = request
        self._devices = devices or Devices(request.platform)
        self._anchors_inside = self._devices.platform == "cpu"
        self._held = Held()
        self._loops: dict[Any, Any] = {}
        self._longest = LONGEST_MINUTES[request.precision]
        # position comes first: by it the error of an interpolation is known, and that no decay hides between two nodes
        self._at_nodes = tuple(dict.fromkeys((*tiles.POSITION, *request.variables)))
        with x64():
            self._prepare()

    def run(self, start: int, stop: int, out: Arrays, progress: Progress | None = None) -> None:
        """States at instants start:stop of the grid, blocks being asked for in ascending order.

        Args:
            out: arrays of shape (stop - start, satellites) for each variable and "status" (int8), filled in place. Variables are
                NaN where the status is not 0, and a satellite that has failed at or after its epoch stays failed.
            progress: called from this thread as work is done.
        """
        chunks = cut(self._grid, start, stop, self._longest)
        failing = np.zeros(self.satellites, np.bool_)
        rough: list[tuple[Chunk, _Tile, NDArray[np.intp]]] = []

        def work(task: tuple[_Tile, Chunk]) -> int:
            tile, chunk = task
            with x64():
                failed, again = self._fill(tile, chunk, out, start)
            if failed.any() or again.any():
                columns = np.arange(self.satellites)[tile.columns]
                failing[columns[failed & tile.own]] = True
                if (again & tile.own).any():
                    rough.append((chunk, tile, columns[again & tile.own]))
            return int(tile.own.sum()) * (chunk.last - chunk.first)

        pool = ThreadPoolExecutor(self._devices.threads)
        try:
            # those that run in place are done before others write over some of their columns
            in_place = [tile for tile in self._tiles if not tile.own.all()]
            others = [tile for tile in self._tiles if tile.own.all()]
            for group in (in_place, others):
                for states in pool.map(work, [(tile, chunk) for chunk in chunks for tile in group]):
                    if progress is not None:
                        progress(states)
            with x64():
                again = [
                    (tile, chunk)
                    for chunk, like, columns in rough
                    for tile in self._cut(columns, deep=like.deep, small_eccentricity=like.small_eccentricity)
                ]
            list(pool.map(work, again))
        finally:  # an interrupt does not wait for what has not begun
            pool.shutdown(cancel_futures=True)
        self._latch.close(start, stop, out, failing)

    def warm_up(self) -> None:
        """Compiles what `run` needs, each kind of tile in one thread: all threads of `run` would compile it for themselves."""
        chunk = cut(self._grid, 0, min(CHUNK, len(self._grid.day)), self._longest)[0]
        shape = (chunk.last, self.satellites)
        out: Arrays = {name: np.empty(shape, self._request.dtype) for name in self._request.variables}
        out["status"] = np.empty(shape, np.int8)

        def compile_for(tile: _Tile) -> None:
            with x64():
                self._fill(tile, chunk, out, 0)

        kinds = {(tile.deep, tile.small_eccentricity, tile.order): tile for tile in self._tiles}
        with ThreadPoolExecutor(self._devices.threads) as pool:
            list(pool.map(compile_for, kinds.values()))

    @property
    def method(self) -> str:
        """How the states between are made, in words."""
        interpolated = {tile.order: 0 for tile in self._tiles if tile.order}
        for tile in self._tiles:
            if tile.order:
                interpolated[tile.order] += int(tile.own.sum())
        if not interpolated:
            return "evaluated at every instant"
        parts = [f"{count} objects between {order} Chebyshev nodes" for order, count in sorted(interpolated.items())]
        return (
            f"interpolated ({' and '.join(parts)} in each {2 * self._half_span:.4g} minutes, added error below "
            f"{1e3 * self._tolerance:g} m); other objects evaluated at every instant"
        )

    # --- preparation ---------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        e, gravity = self._elements, self._request.gravity
        deep, near = split_off_deep_space(e, gravity)
        c = coefficients_of(sgp4_near.initialise, near, gravity)
        ends = tuple(self._grid.minutes_since(*self._epoch, i) for i in (0, -1))
        self._latch = Latch(self._grid, *self._epoch, decay_times(c.root_a, ends[1], ~deep))
        small = ~deep & stays_small(c, e, ends)
        self._near = tiles.pack(c, *self._epoch)
        self._deep = np.zeros((1, 0))
        members = np.flatnonzero(deep)
        if len(members):
            some = jax.tree.map(lambda v: v[members], e)
            own = coefficients_of(sdp4.initialise, some, gravity)
            packed = tiles.pack(own, some.epoch_day, some.epoch_fraction)
            self._deep = np.zeros((len(packed), self.satellites))
            self._deep[:, members] = packed
        order = np.zeros(self.satellites, np.intp)
        self._rough_from = np.zeros(self.satellites)
        self._choose_span()
        for group, is_deep in ((small, False), (deep, True)):
            members = np.flatnonzero(group & self._may_be_interpolated())
            if len(members):
                order[members], self._rough_from[members] = self._choose_order(members, deep=is_deep)
        kinds = sorted({(bool(d), bool(s), int(o)) for d, s, o in zip(deep, small, order, strict=True)})
        self._tiles: list[_Tile] = []
        for is_deep, is_small, nodes in kinds:
            own_columns = (deep == is_deep) & (small == is_small) & (order == nodes)
            # What is nearly all of a usual catalogue runs in place, among columns that the other groups write over, so that whole
            # rows are copied instead of single columns.
            whole = not is_deep and own_columns.sum() > 0.75 * self.satellites
            columns = np.arange(self.satellites) if whole else np.flatnonzero(own_columns)
            self._tiles += self._cut(
                columns, deep=is_deep, small_eccentricity=is_small, order=nodes, own=own_columns[columns]
            )

    def _choose_span(self) -> None:
        """The chunk that interpolation is laid out for; longer ones, of an irregular grid, are evaluated at each instant."""
        request, steps = self._request, len(self._grid.day)
        self._tolerance = request.tolerance_km or TOLERANCE_KM[request.precision]
        self._samples: list[Chunk] = []
        if request.dense and not tiles.TURNING & set(request.variables):
            firsts = sorted({0, steps // 2, max(0, steps - CHUNK)})
            chunks = [cut(self._grid, i, min(i + CHUNK, steps), self._longest)[0] for i in firsts]
            self._samples = [chunk for chunk in chunks if chunk.last - chunk.first > 8 and chunk.half_span > 0.0]
        self._most_instants = max((chunk.last - chunk.first for chunk in self._samples), default=0)
        self._half_span = min((chunk.half_span for chunk in self._samples), default=0.0) * (1.0 + 1e-6)

    def _may_be_interpolated(self) -> NDArray[np.bool_]:
        if not self._samples:
            return np.zeros(self.satellites, np.bool_)
        n, gravity = self._elements.mean_motion, self._request.gravity
        semi_major_axis = gravity.equatorial_radius_km * np.cbrt(gravity.xke / n) ** 2
        return may_suffice(semi_major_axis, n * self._half_span, self._most_instants, self._tolerance)

    def _choose_order(self, columns: NDArray[np.intp], *, deep: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Number of nodes for each satellite of a group, and from when on they do not suffice; see `choose_order`."""
        to_coefficients = chebyshev.coefficients(CHUNK)
        size = np.zeros((CHUNK, len(columns)))
        for chunk in self._samples:
            first = 0
            for tile in self._cut(columns, deep=deep, small_eccentricity=not deep):
                filled = self._evaluate(tile, tile.coefficients, chunk, self._at_nodes, ("float64", "float64"), CHUNK)
                found, unsafe = self._check(to_coefficients, filled, CHUNK, tile.count)
                part = size[:, first : first + tile.count]
                np.maximum(part, np.where(unsafe, np.inf, found), out=part)
                first += tile.count
                self._give(filled)
        return choose_order(size, self._most_instants, self._tolerance)

    def _check(
        self, matrix: NDArray[Any], filled: Outputs, order: int, count: int
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Of the first `count` columns of a tile at nodes: the sizes of coefficients, and who is too low or has failed there."""
        nodes = self._devices.fetch(filled.values)[:, :order, :count]
        with np.errstate(over="ignore", invalid="ignore"):  # what has failed may have any value
            others = [nodes[self._at_nodes.index("altitude")]] if "altitude" in self._at_nodes else []
            size = coefficient_sizes(matrix, nodes[:3], others)
            radius = np.sqrt((nodes[:3] ** 2).sum(axis=0).min(axis=0))
        failed = self._devices.fetch(filled.status)[:order, :count].any(axis=0)
        return size, ~(radius >= SAFE_RADIUS_KM) | failed

    def _cut(
        self,
        columns: NDArray[np.intp],
        *,
        deep: bool,
        small_eccentricity: bool = False,
        order: int = 0,
        own: NDArray[np.bool_] | None = None,
    ) -> Iterator[_Tile]:
        width, coefficients = self._devices.width, self._deep if deep else self._near
        for first in range(0, len(columns), width):
            part = columns[first : first + width]
            full = padded(part, width)
            run = slice(int(part[0]), int(part[-1]) + 1)
            yield _Tile(
                columns=run if run.stop - run.start == len(part) else part,
                count=len(part),
                own=np.ones(len(part), np.bool_) if own is None else own[first : first + width],
                deep=deep,
                small_eccentricity=small_eccentricity,
                order=order,
                rough_from=self._rough_from[part],
                coefficients=self._devices.put(coefficients[:, full]),
            )

    # --- one tile over one chunk ---------------------------------------------------------------------------------------------

    def _fill(self, tile: _Tile, chunk: Chunk, out: Arrays, start: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Writes a tile into the arrays. Returns which of its columns have failed and which need evaluation at each instant."""
        count, rows = chunk.last - chunk.first, slice(chunk.first - start, chunk.last - start)
        coefficients, dtype = tile.coefficients, "float64" if tile.deep else self._request.precision
        if dtype == "float32" and not self._anchors_inside:
            middle = self._held.kept(("middle", chunk.first, chunk.last), lambda: self._put(chunk.middle))
            coefficients = self._devices.loop(tiles.anchored)(coefficients, middle)
        if tile.order and tile.order < count and 0.0 < chunk.half_span <= self._half_span:
            again = self._interpolate(tile, chunk, coefficients, dtype, out, rows)
            out["status"][rows, tile.columns] = 0
            return np.zeros(tile.count, np.bool_), again
        variables = self._request.variables
        filled = self._evaluate(tile, coefficients, chunk, variables, (dtype, self._request.dtype))
        for name, values in zip(variables, self._devices.fetch(filled.values), strict=True):
            out[name][rows, tile.columns] = values[:count, : tile.count]
        status = self._devices.fetch(filled.status)[:count, : tile.count]
        out["status"][rows, tile.columns] = status
        self._give(filled)
        return np.asarray(status.any(axis=0)), np.zeros(tile.count, np.bool_)

    def _interpolate(
        self, tile: _Tile, chunk: Chunk, coefficients: Any, dtype: str, out: Arrays, rows: slice
    ) -> NDArray[np.bool_]:
        """Writes a tile by way of nodes. Returns which of its columns are too rough for that, or too low."""
        order, variables = tile.order, self._at_nodes
        filled = self._evaluate(tile, coefficients, chunk, variables, (dtype, dtype), order)
        matrix, tail = self._matrices(chunk, order, dtype)
        if self._devices.platform == "cpu":
            nodes = self._devices.fetch(filled.values)[:, :order, : tile.count]
            with np.errstate(over="ignore", invalid="ignore"):
                for name, values in zip(variables, nodes, strict=True):
                    if name in out:
                        chebyshev.multiply_into(matrix, values, out[name][rows], tile.columns)
        else:
            interpolated = self._devices.fetch(self._devices.loop(tiles.interpolate)(matrix, filled.values))
            for name, values in zip(variables, interpolated, strict=True):
                if name in out:
                    out[name][rows, tile.columns] = values[: len(chunk.minutes), : tile.count]
        size, unsafe = self._check(tail, filled, order, tile.count)
        self._give(filled)
        limit = tile.rough_from + (FLOAT32_NOISE_KM if dtype == "float32" else 0.0)
        return ~(size.sum(axis=0) <= limit) | unsafe

    def _evaluate(
        self, tile: _Tile, packed: Any, chunk: Chunk, names: tuple[str, ...], dtypes: tuple[str, str], nodes: int = 0
    ) -> Outputs:
        """A tile at the instants of a chunk, or at so many nodes; types of the arithmetic and of the results."""
        instants, out = self._instants(chunk, dtypes[0], nodes), self._take(len(names), dtypes[1])
        blocks = self._devices.blocks(tile.count, dtypes[0])
        filled: Outputs = self._loop(tile, dtypes[0], names, chunk)(packed, instants, out, blocks)
        return filled

    def _loop(self, tile: _Tile, dtype: str, variables: tuple[str, ...], chunk: Chunk) -> Any:
        """The compiled loop that evaluates a tile."""
        length = tiles.table_length(2.0 * chunk.half_span) if tile.deep else 0
        key = (tile.deep, tile.small_eccentricity, dtype, variables, length)
        if key not in self._loops:
            static: dict[str, Any] = {"variables": variables, "frame": self._request.frame}
            static |= {"gravity": self._request.gravity, "block": self._devices.block(dtype)}
            if tile.deep:
                loop = self._devices.loop(tiles.fill_deep, table_length=length, **static)
            else:
                loop = self._devices.loop(tiles.fill_near, small_eccentricity=tile.small_eccentricity, **static)
            self._loops[key] = loop
        return self._loops[key]

    def _instants(self, chunk: Chunk, dtype: str, nodes: int = 0) -> Instants:
        """The instants of a chunk, or so many Chebyshev nodes in it."""

        def make() -> Instants:
            minutes = chunk.half_span * chebyshev.nodes(nodes) if nodes else chunk.minutes
            turn = spin = np.zeros((CHUNK, 3, 3))
            if self._request.frame != "teme" or set(tiles.GEODETIC) & set(self._request.variables):
                turn, spin = attitude(self._grid, chunk, minutes)
            anchored = dtype == "float32" and not self._anchors_inside
            middle = np.zeros(2, dtype) if anchored else chunk.middle
            arrays = (v.astype(dtype) for v in (padded(minutes, CHUNK), turn, spin))
            return Instants(*(self._put(v) for v in (np.int32(len(minutes)), middle, *arrays)))

        return self._held.kept(("instants", chunk.first, chunk.last, nodes, dtype), make)

    def _put(self, values: Any) -> Any:
        return self._devices.put(values, replicated=True)

    def _matrices(self, chunk: Chunk, order: int, dtype: str) -> tuple[Any, NDArray[Any]]:
        """From nodes to the instants of a chunk, and to the last two coefficients."""

        def make() -> tuple[Any, NDArray[Any]]:
            matrix = chebyshev.interpolation(order, chunk.minutes / chunk.half_span).astype(dtype)
            if self._devices.platform != "cpu":
                matrix = self._put(padded(matrix.T, CHUNK).T)
            return matrix, chebyshev.coefficients(order)[-2:].astype(dtype)

        return self._held.kept(("matrices", chunk.first, chunk.last, order, dtype), make)

    def _take(self, variables: int, dtype: str) -> Outputs:
        found: Outputs = self._held.take((variables, dtype), lambda: self._devices.buffers(variables, dtype))
        return found

    def _give(self, buffers: Outputs) -> None:
        self._held.give((buffers.values.shape[0], str(buffers.values.dtype)), buffers)
