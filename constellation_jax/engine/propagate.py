"""Many satellites over many instants: groups by kind of orbit, tiles of satellites, chunks of instants, a thread per core.

    engine = Engine(elements, grid, request)
    engine.run(start, stop, arrays)   # fills NumPy arrays of shape (stop - start, satellites), block after block

Input order is kept: whatever is grouped inside, column j is satellite j. Everything is computed in 64 bits or about 64-bit
anchors, whatever the user's `jax_enable_x64`, which is left alone.
"""

from __future__ import annotations

import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine import tiles
from constellation_jax.engine.precision import x64
from constellation_jax.engine.tiles import CHUNK, Attitude, Instants, Outputs
from constellation_jax.physics import frames, kepler, sdp4, sgp4_near
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72, GravityModel
from constellation_jax.physics.elements import Elements
from constellation_jax.physics.fastmath import horner
from constellation_jax.physics.sgp4 import SAFE_NEAR_EARTH, is_deep_space
from constellation_jax.physics.status import DECAYED

FLOAT32_SPAN_MINUTES = 180.0
"""Longest chunk that the float32 kernel takes: with its anchor in the middle, phases stay exact to a metre. Longer ones run in
float64."""

Arrays = dict[str, NDArray[Any]]
Progress = Callable[[int], None]
"""Called with the number of states just computed."""


@dataclasses.dataclass(frozen=True)
class Grid:
    """The instants of a run, ascending, as day and fraction (UTC), and the Earth's attitude at each (rad)."""

    day: NDArray[np.int64]
    """Modified Julian Date of midnight, shape (steps,)."""
    fraction: NDArray[np.float64]
    gmst: NDArray[np.float64]
    polar_x: NDArray[np.float64]
    polar_y: NDArray[np.float64]

    @staticmethod
    def turning(
        day: NDArray[np.int64], fraction: NDArray[np.float64], ut1_utc_days: Any, polar_x: Any, polar_y: Any
    ) -> Grid:
        """With the sidereal time made from UT1; UT1 - UTC in days, the pole in rad, arrays of shape (steps,)."""
        with x64():
            gmst = np.asarray(_gmst82(day.astype(np.float64), fraction + ut1_utc_days))
        return Grid(day, fraction, gmst, polar_x, polar_y)


@dataclasses.dataclass(frozen=True)
class Request:
    """What is asked of a run. Static: it chooses code."""

    variables: tuple[str, ...]
    """Names out of `tiles.VARIABLES`."""
    frame: str = "teme"
    """Of position and velocity: "teme" or "itrs"."""
    precision: str = "float64"
    """Of the kernels: "float64", or "float32" about float64 anchors."""
    dtype: str = "float64"
    """Of the results."""
    gravity: GravityModel = WGS72


@dataclasses.dataclass(frozen=True)
class _Tile:
    columns: NDArray[np.intp] | slice
    count: int
    """Columns that it writes: what is not padding."""
    members: int
    """Satellites among them that are its own; the others are overwritten by tiles of other groups."""
    deep: bool
    small_eccentricity: bool
    coefficients: Any
    epoch_day: NDArray[np.float64]
    epoch_fraction: NDArray[np.float64]


class Engine:
    """Propagates a fixed set of satellites over blocks of a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        request: what to compute.
    """

    def __init__(self, elements: Elements, grid: Grid, request: Request) -> None:
        self.satellites = len(np.asarray(elements.mean_motion))
        self._elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._grid = grid
        self._request = request
        platform = jax.default_backend()
        self._width = tiles.TILE.get(platform, tiles.TILE["gpu"])
        self._threads = (os.cpu_count() or 1) if platform == "cpu" else 1
        self._local = threading.local()
        self._failed = np.zeros(self.satellites, np.int8)
        """First status other than 0 at or after the epoch, of each satellite, in the blocks so far."""
        with x64():
            self._tiles = list(self._make_tiles())

    def run(self, start: int, stop: int, out: Arrays, progress: Progress | None = None) -> None:
        """States at instants start:stop of the grid, blocks being asked for in ascending order.

        Args:
            out: arrays of shape (stop - start, satellites) for each variable and "status" (int8), filled in place. Variables are
                NaN where the status is not 0, and a satellite that has failed at or after its epoch stays failed.
            progress: called from this thread as work is done.
        """
        attitudes = {first: self._attitude(first, min(first + CHUNK, stop)) for first in range(start, stop, CHUNK)}

        def work(task: tuple[_Tile, int, int]) -> int:
            tile, first, last = task
            with x64():
                self._fill(tile, first, last, attitudes[first], out, start)
            return tile.members * (last - first)

        pool = ThreadPoolExecutor(self._threads)
        try:
            # those that run in place are done before others write over some of their columns
            for in_place in (True, False):
                group = [tile for tile in self._tiles if (tile.members < tile.count) == in_place]
                tasks = [(tile, first, min(first + CHUNK, stop)) for first in attitudes for tile in group]
                for states in pool.map(work, tasks):
                    if progress is not None:
                        progress(states)
        finally:  # an interrupt does not wait for what has not begun
            pool.shutdown(cancel_futures=True)
        self._latch(start, stop, out)

    def warm_up(self) -> None:
        """Compiles what `run` needs, each kind of tile in one thread: all threads of `run` would compile it for themselves."""
        stop = min(CHUNK, len(self._grid.day))
        shape = (stop, self.satellites)
        out: Arrays = {name: np.empty(shape, self._request.dtype) for name in self._request.variables}
        out["status"] = np.empty(shape, np.int8)
        attitude = self._attitude(0, stop)

        def compile_for(tile: _Tile) -> None:
            with x64():
                self._fill(tile, 0, stop, attitude, out, 0)

        kinds = {(tile.deep, tile.small_eccentricity): tile for tile in self._tiles}
        with ThreadPoolExecutor(self._threads) as pool:
            list(pool.map(compile_for, kinds.values()))

    def _make_tiles(self) -> Iterator[_Tile]:
        e = self._elements
        deep = np.asarray(is_deep_space(e, self._request.gravity, np))
        near = jax.tree.map(lambda v, safe: np.where(deep, safe, v), e, SAFE_NEAR_EARTH)
        coefficients = self._initialise(sgp4_near.initialise, near, np.arange(self.satellites))
        self._decayed_after = self._decay_time(coefficients, deep)
        eccentric = ~deep & (self._largest_eccentricity(coefficients) >= kepler.SMALL_ECCENTRICITY)
        plain = ~deep & ~eccentric
        # The plain ones are nearly all of a usual catalogue. Then they run in place, among columns that the other groups write
        # over, so that whole rows are copied instead of single columns.
        columns = np.arange(self.satellites) if plain.sum() > 0.75 * self.satellites else np.flatnonzero(plain)
        yield from self._cut(columns, plain, coefficients, deep=False, small_eccentricity=True)
        yield from self._cut(np.flatnonzero(eccentric), eccentric, coefficients, deep=False, small_eccentricity=False)
        members = np.flatnonzero(deep)
        if len(members):
            own = self._initialise(sdp4.initialise, jax.tree.map(lambda v: v[members], e), members)
            whole = jax.tree.map(lambda v: np.zeros(self.satellites), own)
            for target, values in zip(jax.tree.leaves(whole), jax.tree.leaves(own), strict=True):
                target[members] = values
            yield from self._cut(members, deep, whole, deep=True, small_eccentricity=False)

    def _initialise(self, function: Any, elements: Elements, members: NDArray[np.intp]) -> Any:
        """Coefficients as NumPy arrays, made tile by tile so that the shape compiled for does not depend on the catalogue."""
        make = _jitted(function, self._request.gravity)
        parts = []
        for first in range(0, len(members), self._width):
            part = jax.tree.map(lambda v, i=first: _padded(v[i : i + self._width], self._width), elements)
            parts.append(jax.tree.map(np.asarray, make(part)))
        return jax.tree.map(lambda *v: np.concatenate(v)[: len(members)], *parts)

    def _largest_eccentricity(self, c: Any) -> NDArray[np.float64]:
        """Bound on the mean eccentricity over the grid. Shape (satellites,)."""
        e0, e1 = (np.asarray(v) for v in c.eccentricity)
        ends = [np.abs(e0 + e1 * self._since_epoch(i, slice(None))) for i in (0, -1)]
        bound: NDArray[np.float64] = np.maximum(*ends) + np.abs(c.bstar_cc5)
        return np.maximum(bound, np.abs(self._elements.eccentricity))

    def _decay_time(self, c: Any, deep: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Minutes after the epoch from which SGP4 gives states again after a decay; inf where it does not.

        Its drag is a polynomial in time: once that has brought the semi-major axis under one Earth radius it turns round, and a
        grid that begins later would see nothing of the decay.
        """
        polynomial = tuple(np.asarray(a) for a in c.root_a)
        span = np.maximum(self._since_epoch(-1, slice(None)), 0.0)
        lower_bound = horner(span, (polynomial[0], *(-np.abs(a) for a in polynomial[1:])))
        members = np.flatnonzero(
            (lower_bound < 1.0) & ~deep
        )  # few: drag takes a whole orbit down within months at most
        result = np.full(self.satellites, np.inf)
        for first in range(0, len(members), 1024):
            part = members[first : first + 1024]
            minutes = np.linspace(0.0, 1.0, 2049)[1:, None] * span[part]
            root_a = np.abs(horner(minutes, tuple(a[part] for a in polynomial)))
            risen = np.logical_or.accumulate(root_a < 1.0)[:-1] & (np.diff(root_a, axis=0) > 0.0)
            row = np.argmax(risen, axis=0)
            here = np.arange(len(part))
            result[part] = np.where(risen[row, here], minutes[row, here], np.inf)
        return result

    def _cut(
        self,
        columns: NDArray[np.intp],
        own: NDArray[np.bool_],
        coefficients: Any,
        *,
        deep: bool,
        small_eccentricity: bool,
    ) -> Iterator[_Tile]:
        for first in range(0, len(columns), self._width):
            part = columns[first : first + self._width]
            padded = _padded(part, self._width)
            run = slice(int(part[0]), int(part[-1]) + 1)
            yield _Tile(
                columns=run if run.stop - run.start == len(part) else part,
                count=len(part),
                members=int(np.count_nonzero(own[part])),
                deep=deep,
                small_eccentricity=small_eccentricity,
                coefficients=jax.tree.map(lambda v, padded=padded: jnp.asarray(v[padded]), coefficients),
                epoch_day=np.asarray(self._elements.epoch_day)[padded],
                epoch_fraction=np.asarray(self._elements.epoch_fraction)[padded],
            )

    def _attitude(self, first: int, last: int) -> Attitude:
        grid = self._grid
        angles = [_padded(v[first:last], CHUNK) for v in (grid.gmst, grid.polar_x, grid.polar_y)]
        with x64():
            return jax.tree.map(np.asarray, tiles.attitude(*map(jnp.asarray, angles)))

    def _fill(self, tile: _Tile, first: int, last: int, attitude: Attitude, out: Arrays, start: int) -> None:
        grid, request = self._grid, self._request
        minutes = (grid.day[first:last] - grid.day[first]) * MINUTES_PER_DAY
        minutes = minutes + (grid.fraction[first:last] - grid.fraction[first]) * MINUTES_PER_DAY
        offset = (grid.day[first] - tile.epoch_day) * MINUTES_PER_DAY
        offset = offset + (grid.fraction[first] - tile.epoch_fraction) * MINUTES_PER_DAY
        span = float(minutes[-1])
        coefficients, dtype = tile.coefficients, "float64"
        if request.precision == "float32" and not tile.deep and span <= FLOAT32_SPAN_MINUTES:
            dtype = "float32"
            coefficients = _anchored(coefficients, jnp.asarray(offset + 0.5 * span))
            minutes, offset = minutes - 0.5 * span, np.zeros_like(offset)
        instants = Instants(
            jnp.asarray(_padded(minutes, CHUNK).astype(dtype)),
            jax.tree.map(lambda v: jnp.asarray(v.astype(dtype)), attitude),
        )
        arguments = (coefficients, jnp.asarray(offset.astype(dtype)), instants, self._buffers())
        static = {"gravity": request.gravity, "frame": request.frame}
        if tile.deep:
            steps = int(span / sdp4.STEP_MINUTES) + 2
            filled = tiles.fill_deep(*arguments, table_length=1 << (steps - 1).bit_length(), **static)
        else:
            filled = tiles.fill_near(*arguments, small_eccentricity=tile.small_eccentricity, **static)
        rows, columns = slice(first - start, last - start), tile.columns
        # the buffers are JAX's: they are copied out, then given back to the next call of this thread
        for name, buffer in (*filled.variables.items(), ("status", filled.status)):
            out[name][rows, columns] = np.asarray(buffer)[: last - first, : tile.count]
        self._local.buffers = filled

    def _buffers(self) -> Outputs:
        if getattr(self._local, "buffers", None) is None:
            shape = (CHUNK, self._width)
            self._local.buffers = Outputs(
                {name: jnp.zeros(shape, self._request.dtype) for name in self._request.variables},
                jnp.zeros(shape, jnp.int8),
            )
        buffers: Outputs = self._local.buffers
        self._local.buffers = None
        return buffers

    def _since_epoch(self, instant: int, columns: Any) -> NDArray[np.float64]:
        """Minutes from each epoch to one instant of the grid."""
        day, fraction = (np.asarray(v)[columns] for v in (self._elements.epoch_day, self._elements.epoch_fraction))
        minutes = (self._grid.day[instant] - day) * MINUTES_PER_DAY + (
            self._grid.fraction[instant] - fraction
        ) * MINUTES_PER_DAY
        return np.asarray(minutes, np.float64)

    def _latch(self, start: int, stop: int, out: Arrays) -> None:
        """A satellite that has failed at or after its epoch stays so: long after a decay SGP4 gives senseless numbers again."""
        status = out["status"]
        ended = self._decayed_after < self._since_epoch(stop - 1, slice(None))
        columns = np.flatnonzero(status.any(axis=0) | (self._failed != 0) | ended)
        if not len(columns):
            return
        minutes = np.stack([self._since_epoch(i, columns) for i in range(start, stop)])
        part = status[:, columns]
        part = np.where((part == 0) & (minutes > self._decayed_after[columns]), DECAYED, part).astype(np.int8)
        after_epoch = minutes >= 0.0
        first = np.argmax((part != 0) & after_epoch, axis=0)
        here = np.arange(len(columns))
        found = np.where(after_epoch[first, here], part[first, here], 0)
        code = np.where(self._failed[columns] != 0, self._failed[columns], found)
        begin = np.where(self._failed[columns] != 0, 0, first)
        failed = (np.arange(stop - start)[:, None] >= begin) & (code != 0)
        status[:, columns] = np.where(failed, code, part)
        self._failed[columns] = code
        bad = status[:, columns] != 0
        for name in self._request.variables:
            values = out[name][:, columns]
            values[bad] = np.nan
            out[name][:, columns] = values


def _padded(values: NDArray[Any], length: int) -> NDArray[Any]:
    """A one-dimensional array with its last value repeated up to a length."""
    missing = length - len(values)
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values


_gmst82 = jax.jit(frames.gmst82)
_compiled: dict[tuple[Any, GravityModel], Any] = {}


def _jitted(function: Any, gravity: GravityModel) -> Any:
    key = (function, gravity)
    if key not in _compiled:
        _compiled[key] = jax.jit(lambda elements: function(elements, gravity))
    return _compiled[key]


@jax.jit
def _anchored(coefficients: Any, minutes: Any) -> Any:
    return jax.tree.map(lambda v: v.astype(jnp.float32), sgp4_near.shift(coefficients, minutes))
