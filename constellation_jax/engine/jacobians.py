"""States of many satellites at many instants with their derivatives by the seven mean elements, in one pass.

    engine = JacobianEngine(elements, day, fraction)
    engine.run(engine.allocate())

Forward mode. The elements act on a state through the coefficients, whose derivatives are made once for each satellite; then the
seven tangents of a tile of satellites go through the evaluation together, one instant after the other, so that on a CPU they stay
in cache and memory holds nothing but the result. Deliberately absent: derivatives by the time and by the epoch.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.chunks import Grid
from constellation_jax.engine.jacobian_tiles import (
    CHUNK,
    TILE,
    Buffers,
    anchored,
    buffers,
    coefficients_and_changes,
    fill_deep,
    fill_near,
)
from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagate import FLOAT32_SPAN_MINUTES, Engine, Request
from constellation_jax.physics import kepler, sdp4
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72, GravityModel
from constellation_jax.physics.elements import Elements
from constellation_jax.physics.fastmath import horner
from constellation_jax.physics.sgp4 import SAFE_NEAR_EARTH, is_deep_space


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
        day, fraction: instants, ascending (UTC): Modified Julian Date of midnight, and the rest of the date in days.
        precision: "float64", or "float32" about float64 anchors, with the exceptions of `propagate`; also the type of the result.
    """

    def __init__(
        self,
        elements: Elements,
        day: NDArray[np.int64],
        fraction: NDArray[np.float64],
        *,
        precision: str = "float64",
        gravity: GravityModel = WGS72,
    ) -> None:
        platform = jax.default_backend()
        self._threads = (os.cpu_count() or 1) if platform == "cpu" else 1
        self._width = TILE.get(platform, TILE["gpu"])
        self._elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._day, self._fraction = day, fraction
        self._precision, self._gravity = precision, gravity
        self._local = threading.local()
        self._compiled = False
        with x64():
            kinds = [list(tiles) for tiles in self._tiles()]
        chunks = [(k, min(k + CHUNK, len(day))) for k in range(0, len(day), CHUNK)]
        self._passes = [[(tile, *chunk) for chunk in chunks for tile in tiles] for tiles in kinds if tiles]

    def allocate(self) -> Derivatives:
        """Arrays for `run`."""
        instants, satellites = len(self._day), len(self._elements.mean_motion)
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

        def work(task: tuple[_Tile, int, int]) -> int:
            tile, first, last = task
            with x64():
                self._fill(tile, first, last, out)
            return tile.members * (last - first)

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
        self._latch(out)

    def _latch(self, out: Derivatives) -> None:
        """Statuses with memory, as `propagate` has them, and NaN where they are not 0."""
        # only these can have failed: drag has brought the others nowhere near the ground
        members = np.flatnonzero(out.status.any(axis=0) | (self._least_root_a < 1.0))
        if not len(members):
            return
        nothing = np.zeros(len(self._day))
        part = jax.tree.map(lambda v: v[members], self._elements)
        grid = Grid(self._day, self._fraction, nothing, nothing, nothing)
        status = np.empty((len(self._day), len(members)), np.int8)
        Engine(part, grid, Request((), gravity=self._gravity)).run(0, len(self._day), {"status": status})
        out.status[:, members] = status
        instant, member = np.nonzero(status)
        out.state[instant, :, members[member]] = np.nan
        out.jacobian[instant, :, :, members[member]] = np.nan

    def _tiles(self) -> Iterator[Iterator[_Tile]]:
        """Tiles of the plain satellites, of the eccentric ones and of those in deep space."""
        e = self._elements
        deep = np.asarray(is_deep_space(e, self._gravity, np))
        near = jax.tree.map(lambda v, safe: np.where(deep, safe, v), e, SAFE_NEAR_EARTH)
        everything = np.arange(len(deep))
        coefficients, changes = self._initialise(near, everything, deep=False)
        span = np.maximum(*(np.abs(self._since_epoch(k)) for k in (0, -1)))
        least = (coefficients.root_a[0], *(-np.abs(a) for a in coefficients.root_a[1:]))
        self._least_root_a = np.where(deep, np.inf, horner(span, least))
        e0, e1 = coefficients.eccentricity
        largest = np.abs(e0) + np.abs(e1) * span + np.abs(coefficients.bstar_cc5)
        plain = ~deep & (np.maximum(largest, e.eccentricity) < kepler.SMALL_ECCENTRICITY)
        # Runs of neighbouring columns are copied as whole rows: the others among them are written over by their own tiles
        starts = range(0, len(deep), self._width)
        windows = [w for w in (everything[k : k + self._width] for k in starts) if plain[w].any()]
        yield self._cut(windows, plain, coefficients, changes, deep=False, small=True)
        yield self._cut(self._split(~deep & ~plain), ~plain, coefficients, changes, deep=False, small=False)
        members = np.flatnonzero(deep)
        own = jax.tree.map(lambda v: v[members], e)
        place = np.zeros(len(deep), np.intp)
        place[members] = np.arange(len(members))
        if len(members):
            made = jax.tree.map(lambda v: v[..., place], self._initialise(own, members, deep=True))
            yield self._cut(self._split(deep), deep, *made, deep=True, small=False)

    def _split(self, chosen: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
        members = np.flatnonzero(chosen)
        return [members[k : k + self._width] for k in range(0, len(members), self._width)]

    def _initialise(self, elements: Elements, members: NDArray[np.intp], *, deep: bool) -> Any:
        """Coefficients and their derivatives as NumPy arrays, made in pieces of one size: a catalogue compiles nothing anew."""
        parts = []
        for first in range(0, len(members), self._width):
            part = jax.tree.map(lambda v, k=first: _padded(v[k : k + self._width], self._width), elements)
            made = coefficients_and_changes(part, gravity=self._gravity, deep=deep)
            parts.append(jax.tree.map(np.asarray, made))
        return jax.tree.map(lambda *v: np.concatenate(v, axis=-1)[..., : len(members)], *parts)

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
            padded = _padded(part, self._width)
            run = slice(int(part[0]), int(part[-1]) + 1)
            put = partial(jax.tree.map, lambda v, padded=padded: jnp.asarray(v[..., padded]))
            yield _Tile(
                columns=run if run.stop - run.start == len(part) else part,
                members=int(np.count_nonzero(own[part])),
                deep=deep,
                small_eccentricity=small,
                coefficients=put(coefficients),
                changes=put(changes),
                epoch_day=np.asarray(self._elements.epoch_day)[padded],
                epoch_fraction=np.asarray(self._elements.epoch_fraction)[padded],
            )

    def _since_epoch(self, instant: int) -> NDArray[np.float64]:
        days = (self._day[instant] - self._elements.epoch_day) + (
            self._fraction[instant] - self._elements.epoch_fraction
        )
        return np.asarray(days * MINUTES_PER_DAY, np.float64)

    def _fill(self, tile: _Tile, first: int, last: int, out: Derivatives) -> None:
        day, fraction = self._day, self._fraction
        minutes = ((day[first:last] - day[first]) + (fraction[first:last] - fraction[first])) * MINUTES_PER_DAY
        offset = ((day[first] - tile.epoch_day) + (fraction[first] - tile.epoch_fraction)) * MINUTES_PER_DAY
        span = float(minutes[-1])
        coefficients, changes, dtype = tile.coefficients, tile.changes, "float64"
        if self._precision == "float32" and not tile.deep and span <= FLOAT32_SPAN_MINUTES:
            dtype = "float32"
            coefficients, changes = anchored(coefficients, changes, jnp.asarray(offset + 0.5 * span))
            minutes, offset = minutes - 0.5 * span, np.zeros_like(offset)
        arguments = (
            coefficients,
            changes,
            jnp.asarray(offset.astype(dtype)),
            jnp.asarray(_padded(minutes, CHUNK).astype(dtype)),
            self._buffers(dtype),
        )
        if tile.deep:
            steps = int(span / sdp4.STEP_MINUTES) + 2
            filled = fill_deep(*arguments, gravity=self._gravity, table_length=1 << (steps - 1).bit_length())
        else:
            filled = fill_near(*arguments, gravity=self._gravity, small_eccentricity=tile.small_eccentricity)
        columns, count = tile.columns, last - first
        width = columns.stop - columns.start if isinstance(columns, slice) else len(columns)
        rows = slice(first, last)
        # the buffers are JAX's: they are copied out, then given back to the next call of this thread
        for k in range(6):
            out.state[rows, k][..., columns] = np.asarray(filled.state[k])[:count, :width]
            out.jacobian[rows, k][..., columns] = np.asarray(filled.jacobian[k])[:count, :, :width]
        out.status[rows, columns] = np.asarray(filled.status)[:count, :width]
        self._local.buffers[dtype] = filled

    def _buffers(self, dtype: str) -> Buffers:
        if not hasattr(self._local, "buffers"):
            self._local.buffers = {}
        kept: Buffers | None = self._local.buffers.pop(dtype, None)
        return kept if kept is not None else buffers(self._width, dtype)


def _padded(values: NDArray[Any], length: int) -> NDArray[Any]:
    """An array with its last value repeated up to a length."""
    missing = length - len(values)
    return np.concatenate([values, np.repeat(values[-1:], missing, axis=0)]) if missing else values
