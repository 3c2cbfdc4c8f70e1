"""States of many satellites at many instants with their derivatives by the seven mean elements, in one pass.

    engine = JacobianEngine(elements, grid)
    engine.run(engine.allocate())

Forward mode. The elements act on a state through the coefficients, whose derivatives are made once for each satellite; then the
seven tangents of a tile of satellites go through the evaluation together, one instant after the other, so that on a CPU they stay
in cache and memory holds nothing but the result. Deliberately absent: derivatives by the time and by the epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.failures import Latch, decay_times
from constellation_jax.engine.held import Held
from constellation_jax.engine.jacobians.kernels import (
    CHUNK,
    TILE,
    anchored,
    buffers,
    coefficients_and_changes,
    fill_deep,
    fill_near,
)
from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagation.kernels import table_length
from constellation_jax.engine.regimes import in_pieces, split_off_deep_space, stays_small
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, cut, padded
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72, GravityModel
from constellation_jax.physics.sgp4.elements import Elements


class Derivatives(NamedTuple):
    """Results in the engine's order, satellites last, in which a tile writes whole rows."""

    state: NDArray[Any]
    """Shape (instants, 6, satellites), km and km/s, TEME."""
    jacobian: NDArray[Any]
    """Shape (instants, 6, 7, satellites): km and km/s per unit of each element."""
    status: NDArray[np.int8]
    """Shape (instants, satellites)."""


class _Tile(NamedTuple):
    columns: slice | NDArray[np.intp]
    members: int
    """Satellites among the columns that are its own."""
    deep: bool
    small_eccentricity: bool
    coefficients: Any
    changes: Any
    """Derivatives of the coefficients, leading axis 7."""
    epoch_day: NDArray[np.float64]
    epoch_fraction: NDArray[np.float64]


class JacobianEngine:
    """States and derivatives of a fixed set of satellites over a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending; the Earth's attitude is not looked at.
        precision: "float64", or "float32" about float64 anchors, with the exceptions of `propagate`; also the type of the result.
    """

    def __init__(
        self, elements: Elements, grid: Grid, *, precision: str = "float64", gravity: GravityModel = WGS72
    ) -> None:
        devices = Devices()
        self._threads = devices.threads
        self._width = TILE.get(devices.platform, TILE["gpu"])
        self._elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._grid = grid
        self._precision, self._gravity = precision, gravity
        self._held = Held()
        self._compiled = False
        with x64():
            kinds = [list(tiles) for tiles in self._tiles()]
        chunks = cut(grid, 0, len(grid.day), LONGEST_MINUTES[precision], CHUNK)
        self._passes = [[(tile, chunk) for chunk in chunks for tile in tiles] for tiles in kinds if tiles]

    def allocate(self) -> Derivatives:
        """Arrays for `run`."""
        instants, satellites = len(self._grid.day), len(self._elements.mean_motion)
        return Derivatives(
            np.empty((instants, 6, satellites), self._precision),
            np.empty((instants, 6, 7, satellites), self._precision),
            np.empty((instants, satellites), np.int8),
        )

    def run(self, out: Derivatives, progress: Callable[[int], None] | None = None) -> None:
        """Fills the arrays: NaN where the status is not 0; a satellite that fails at or after its epoch stays failed.

        Args:
            out: as `allocate` makes them.
            progress: called from this thread with the number of states just computed.
        """

        def work(task: tuple[_Tile, Chunk]) -> int:
            tile, chunk = task
            with x64():
                self._fill(tile, chunk, out)
            return tile.members * len(chunk.minutes)

        pool = ThreadPoolExecutor(self._threads)
        try:
            if not self._compiled:
                # one task of each kind goes ahead: threads that meet a kernel at the same time would all compile it
                list(pool.map(work, [group[0] for group in self._passes]))
                self._compiled = True
            for group in self._passes:  # the later ones write over columns of the first
                for states in pool.map(work, group):
                    if progress is not None:
                        progress(states)
        finally:  # an interrupt does not wait for what has not begun
            pool.shutdown(cancel_futures=True)
        failing = np.asarray(out.status.any(axis=0))
        self._latch.close(0, len(self._grid.day), {"status": out.status}, failing)
        instant, satellite = np.nonzero(out.status)
        out.state[instant, :, satellite] = np.nan
        out.jacobian[instant, :, :, satellite] = np.nan

    def _tiles(self) -> Iterator[Iterator[_Tile]]:
        """Tiles of the plain satellites, of the eccentric ones and of those in deep space."""
        e = self._elements
        deep, near = split_off_deep_space(e, self._gravity)
        make = partial(coefficients_and_changes, gravity=self._gravity)
        made = in_pieces(partial(make, deep=False), near, self._width)
        ends = tuple(self._grid.minutes_since(e.epoch_day, e.epoch_fraction, i) for i in (0, -1))
        self._latch = Latch(self._grid, e.epoch_day, e.epoch_fraction, decay_times(made[0].root_a, ends[1], ~deep))
        plain = ~deep & stays_small(made[0], e, ends)
        # Runs of neighbouring columns are copied as whole rows: the others among them are written over by their own tiles
        everything = np.arange(len(deep))
        starts = range(0, len(deep), self._width)
        windows = [w for w in (everything[k : k + self._width] for k in starts) if plain[w].any()]
        yield self._cut(windows, plain, *made, deep=False, small=True)
        yield self._cut(self._split(~deep & ~plain), ~plain, *made, deep=False, small=False)
        members = np.flatnonzero(deep)
        if len(members):
            place = np.zeros(len(deep), np.intp)
            place[members] = np.arange(len(members))
            own = in_pieces(partial(make, deep=True), jax.tree.map(lambda v: v[members], e), self._width)
            own = jax.tree.map(lambda v: v[..., place], own)
            yield self._cut(self._split(deep), deep, *own, deep=True, small=False)

    def _split(self, chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
        members = np.flatnonzero(chosen)
        return [members[k : k + self._width] for k in range(0, len(members), self._width)]

    def _cut(
        self,
        parts: list[NDArray[np.intp]],
        own: NDArray[np.bool_],
        coefficients: Any,
        changes: Any,
        *,
        deep: bool,
        small: bool,
    ) -> Iterator[_Tile]:
        for part in parts:
            full = padded(part, self._width)
            run = slice(int(part[0]), int(part[-1]) + 1)
            put = partial(jax.tree.map, lambda v, full=full: jnp.asarray(v[..., full]))
            yield _Tile(
                columns=run if run.stop - run.start == len(part) else part,
                members=int(np.count_nonzero(own[part])),
                deep=deep,
                small_eccentricity=small,
                coefficients=put(coefficients),
                changes=put(changes),
                epoch_day=np.asarray(self._elements.epoch_day)[full],
                epoch_fraction=np.asarray(self._elements.epoch_fraction)[full],
            )

    def _fill(self, tile: _Tile, chunk: Chunk, out: Derivatives) -> None:
        dtype = "float64" if tile.deep else self._precision
        offset = (chunk.day - tile.epoch_day) * MINUTES_PER_DAY
        offset = offset + (chunk.fraction - tile.epoch_fraction) * MINUTES_PER_DAY
        coefficients, changes = tile.coefficients, tile.changes
        if dtype == "float32":
            coefficients, changes = anchored(coefficients, changes, jnp.asarray(offset))
            offset = np.zeros_like(offset)
        arguments = (
            coefficients,
            changes,
            jnp.asarray(offset.astype(dtype)),
            jnp.asarray(padded(chunk.minutes, CHUNK).astype(dtype)),
            np.int32(len(chunk.minutes)),
            self._held.take(dtype, lambda: buffers(self._width, dtype)),
        )
        if tile.deep:
            length = table_length(2.0 * chunk.half_span)
            filled = fill_deep(*arguments, gravity=self._gravity, table_length=length)
        else:
            filled = fill_near(*arguments, gravity=self._gravity, small_eccentricity=tile.small_eccentricity)
        columns, count = tile.columns, len(chunk.minutes)
        width = columns.stop - columns.start if isinstance(columns, slice) else len(columns)
        rows = slice(chunk.first, chunk.last)
        # the buffers are JAX's: they are copied out, then given back to the next call of this thread
        values = np.asarray(filled.values)[:, :count, :width]
        states, derivatives = values[:6], values[6:].reshape(6, 7, count, width)
        for k in range(6):
            out.state[rows, k][..., columns] = states[k]
            out.jacobian[rows, k][..., columns] = derivatives[k].swapaxes(0, 1)
        out.status[rows, columns] = np.asarray(filled.status)[:count, :width]
        self._held.give(dtype, filled)
