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

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.blas import one_blas_thread
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.failures import Latch, decay_times
from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagation import kernels as tiles
from constellation_jax.engine.propagation.arrays import Arrays, Target, allocate
from constellation_jax.engine.propagation.discontinuities import kink_windows, may_jump, resonance_kinks
from constellation_jax.engine.propagation.kernels import CHUNK, FEW
from constellation_jax.engine.propagation.node_count import choose_order, may_suffice, most_nodes, spread_of
from constellation_jax.engine.propagation.options import Request
from constellation_jax.engine.propagation.tiles import Limits, Tile, TileRunner
from constellation_jax.engine.regimes import coefficients_of, split_off_deep_space, stays_high, stays_small
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, cut
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4 import near_earth as sgp4_near
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.elements import Elements

LONGEST_DENSE_MINUTES = 128.0
"""Span of nodes. Longer ones save evaluations, but each instant is a sum over all nodes: 60 to 128 minutes are equally quick."""
DENSE_CHUNK = {"cpu": 512}
"""Largest number of instants between nodes, by platform; elsewhere `CHUNK`."""

Progress = Callable[[int], None]
"""Called with the number of states just computed."""


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
        self._runner = TileRunner(grid, request, self._devices)
        with x64():
            self._prepare()

    def run(self, start: int, stop: int, out: Arrays, progress: Progress | None = None) -> None:
        """States at instants start:stop of the grid, blocks being asked for in ascending order.

        Args:
            out: arrays of shape (stop - start, satellites) for each variable and "status" (int8), filled in place. Variables are
                NaN where the status is not 0, and a satellite that has failed at or after its epoch stays failed.
            progress: called from this thread as work is done.
        """
        failing = np.zeros(self.satellites, np.bool_)
        rough: defaultdict[tuple[bool, int, int], list[NDArray[np.intp]]] = defaultdict(list)
        target = Target.of(out, self._request.variables)

        def work(task: tuple[Tile, Chunk]) -> int:
            tile, chunk = task
            with x64():
                failed, again = self._runner.fill(tile, chunk, target, start)
            if failed.any() or again.any():
                columns = np.arange(self.satellites)[tile.columns]
                failing[columns[failed & tile.own]] = True
                if (again & tile.own).any():
                    rough[tile.deep, chunk.first, chunk.last].append(columns[again & tile.own])
            return int(tile.own.sum()) * (chunk.last - chunk.first)

        pool = ThreadPoolExecutor(self._devices.threads)
        try:
            # those that run in place are done before others write over some of their columns
            in_place = [tile for tile in self._tiles if not tile.own.all()]
            others = [tile for tile in self._tiles if tile.own.all()]
            with one_blas_thread():
                for group in (in_place, others):
                    for states in pool.map(work, self._tasks(group, start, stop)):
                        if progress is not None:
                            progress(states)
            with x64():
                again = [
                    task
                    for (deep, first, last), columns in rough.items()
                    for task in self._tasks(self._cut_again(np.sort(np.concatenate(columns)), deep=deep), first, last)
                ]
            list(pool.map(work, again))
        finally:  # an interrupt does not wait for what has not begun
            pool.shutdown(cancel_futures=True)
        self._latch.close(start, stop, out, failing)

    def warm_up(self) -> None:
        """Compiles what `run` needs, each kind of tile in one thread: all threads of `run` would compile it for themselves."""
        steps = len(self._grid.day)
        tasks = {}
        for tile in self._tiles:
            tasks[tile.kind, tile.order] = next(self._tasks([tile], 0, steps))
            if tile.order:  # and what is evaluated at each instant after all
                some = np.arange(self.satellites)[tile.columns][:1]
                with x64():
                    few = next(self._cut_again(some, deep=tile.deep))
                tasks[few.kind, 0] = next(self._tasks([few], 0, tasks[tile.kind, tile.order][1].last))
        shape = (max((chunk.last for _, chunk in tasks.values()), default=0), self.satellites)
        out = allocate(*shape, self._request.variables, self._request.dtype)
        target = Target.of(out, self._request.variables)

        def compile_for(task: tuple[Tile, Chunk]) -> None:
            with x64():
                self._runner.fill(*task, target, 0)

        with ThreadPoolExecutor(self._devices.threads) as pool:
            list(pool.map(compile_for, tasks.values()))

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
            f"{1e3 * self._request.largest_error_km:g} m); other objects evaluated at every instant"
        )

    # --- preparation ---------------------------------------------------------------------------------------------------------

    def _prepare(self) -> None:
        e, gravity = self._elements, self._request.gravity
        deep, near = split_off_deep_space(e, gravity)
        c = coefficients_of(sgp4_near.initialise, near, gravity)
        ends = tuple(self._grid.minutes_since(*self._epoch, i) for i in (0, -1))
        self._latch = Latch(self._grid, *self._epoch, decay_times(c.root_a, ends[1], ~deep))
        small = ~deep & stays_small(c, e, ends)
        calm = small & stays_high(c, ends, gravity)
        self._near = tiles.pack(c, *self._epoch)
        self._choose_span()
        steps_show = self._pack_deep(np.flatnonzero(deep), ends)
        order = np.zeros(self.satellites, np.intp)
        first, last = kink_windows(c, ends[0])  # of near-Earth satellites; the others stand in for those in deep space
        self._limits = Limits(
            rough_from=np.zeros(self.satellites),
            kink_first=np.where(deep, np.inf, first),
            kink_last=np.where(deep, -np.inf, last),
            since_epoch=np.where(steps_show, ends[0], np.nan),
        )
        length = self._grid.minutes_since(self._grid.day[0], self._grid.fraction[0], -1)
        # who may have a kink most of the time is not worth a try
        calm &= np.minimum(last, length) - np.maximum(first, 0.0) <= 0.5 * length
        for group, is_deep in ((calm, False), (deep & ~may_jump(e, ends), True)):
            members = np.flatnonzero(group & self._may_be_interpolated(deep=is_deep))
            if len(members):
                order[members], self._limits.rough_from[members] = self._choose_order(members, deep=is_deep)
        single = ~deep & small & (order == 0)
        if single.sum() <= FEW and (~deep & ~small).any():
            small[single] = False  # a few more in a tile that there is anyway, instead of another one
        kinds = sorted({(bool(d), bool(s), int(o)) for d, s, o in zip(deep, small, order, strict=True)})
        self._tiles: list[Tile] = []
        for is_deep, is_small, nodes in kinds:
            own_columns = (deep == is_deep) & (small == is_small) & (order == nodes)
            # What is nearly all of a usual catalogue runs in place, among columns that the other groups write over, so that whole
            # rows are copied instead of single columns.
            whole = not is_deep and own_columns.sum() > 0.75 * self.satellites
            columns = np.arange(self.satellites) if whole else np.flatnonzero(own_columns)
            self._tiles += self._cut(
                columns, deep=is_deep, small_eccentricity=is_small, order=nodes, own=own_columns[columns]
            )

    def _pack_deep(self, members: NDArray[np.intp], ends: tuple[NDArray[np.float64], ...]) -> NDArray[np.bool_]:
        """Packs the coefficients of deep space. Returns for whom the steps of the resonance integrator are kinks that matter."""
        self._deep, steps_show = np.zeros((1, 0)), np.zeros(self.satellites, np.bool_)
        if len(members):
            some = jax.tree.map(lambda v: v[members], self._elements)
            own = coefficients_of(sdp4.initialise, some, self._request.gravity)
            packed = tiles.pack(own, some.epoch_day, some.epoch_fraction)
            self._deep = np.zeros((len(packed), self.satellites))
            self._deep[:, members] = packed
            slope = resonance_kinks(own, tuple(t[members] for t in ends), self._request.gravity)
            # a kink is missed by up to a quarter of its slope times the distance of the nodes, which are ten or more
            missed = 0.25 * slope * 2.0 * self._half_span / 10.0
            steps_show[members] = missed > 0.25 * self._request.largest_error_km
        return steps_show

    def _choose_span(self) -> None:
        """The chunks that interpolation is laid out for."""
        request, steps = self._request, len(self._grid.day)
        longest = min(LONGEST_DENSE_MINUTES, LONGEST_MINUTES[request.precision])
        self._dense_cut = (longest, DENSE_CHUNK.get(self._devices.platform, CHUNK))
        self._samples: list[Chunk] = []
        if request.dense and not tiles.TURNING & set(request.variables):
            most = self._dense_cut[1]
            chunks = [cut(self._grid, i, min(i + most, steps), *self._dense_cut)[0] for i in {0, max(0, steps - most)}]
            self._samples = [chunk for chunk in chunks if chunk.last - chunk.first > 8 and chunk.half_span > 0.0]
        self._most_instants = max((chunk.last - chunk.first for chunk in self._samples), default=0)
        self._half_span = max((chunk.half_span for chunk in self._samples), default=0.0)

    def _may_be_interpolated(self, *, deep: bool) -> NDArray[np.bool_]:
        if not self._samples:
            return np.zeros(self.satellites, np.bool_)
        n = self._elements.mean_motion
        tolerance = self._request.largest_error_km
        spread = spread_of(self._half_span, tolerance, deep=deep)
        semi_major_axis = semi_major_axis_km(n, self._request.gravity)
        return may_suffice(semi_major_axis, n * self._half_span, self._most_instants, tolerance, spread)

    def _choose_order(self, columns: NDArray[np.intp], *, deep: bool) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Number of nodes for each satellite of a group, and from when on they do not suffice; see `choose_order`."""
        nodes = most_nodes(self._most_instants)

        def measure(task: tuple[Tile, Chunk]) -> NDArray[np.float64]:
            with x64():
                return self._runner.sizes(*task, nodes)

        group = list(self._cut(columns, deep=deep, small_eccentricity=not deep))
        with ThreadPoolExecutor(self._devices.threads) as pool, one_blas_thread():
            sizes = [
                np.concatenate(list(pool.map(measure, [(tile, chunk) for tile in group])), axis=1)
                for chunk in self._samples
            ]
        return choose_order(np.maximum.reduce(sizes), self._most_instants, self._request.largest_error_km)

    def _cut_again(self, columns: NDArray[np.intp], *, deep: bool) -> Iterator[Tile]:
        """Some of what is interpolated, in tiles that are evaluated at each instant."""
        return self._cut(columns, deep=deep, small_eccentricity=not deep)

    def _cut(
        self,
        columns: NDArray[np.intp],
        *,
        deep: bool,
        small_eccentricity: bool,
        order: int = 0,
        own: NDArray[np.bool_] | None = None,
    ) -> Iterator[Tile]:
        coefficients = self._deep if deep else self._near
        kind: dict[str, Any] = {"deep": deep, "small_eccentricity": small_eccentricity, "order": order, "own": own}
        return self._runner.cut(coefficients, columns, self._limits, **kind)

    def _tasks(self, group: Iterable[Tile], start: int, stop: int) -> Iterator[tuple[Tile, Chunk]]:
        """Some tiles over instants start:stop."""
        group = list(group)
        for dense in (True, False):
            like = [tile for tile in group if bool(tile.order) == dense]
            layout = self._dense_cut if dense else (LONGEST_MINUTES[self._request.precision], CHUNK)
            for chunk in cut(self._grid, start, stop, *layout) if like else ():
                yield from ((tile, chunk) for tile in like)
