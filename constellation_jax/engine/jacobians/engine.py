"""States of many satellites at many instants with their derivatives by the seven mean elements, in one pass.

    engine = JacobianEngine(elements, grid)
    engine.run(engine.allocate())

Forward mode. The elements act on a state through the coefficients, whose derivatives are made once for each satellite; then the
seven tangents of a tile of satellites go through the evaluation together: on a CPU one instant after the other, so that they stay
in cache and memory holds nothing but the result; on an accelerator all instants of a chunk at once. Deliberately absent:
derivatives by the time and by the epoch.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.device_checks import warn_of_slow_float64
from constellation_jax.engine.devices import Devices, Specs
from constellation_jax.engine.failures import GridFailures
from constellation_jax.engine.jacobians import kernels
from constellation_jax.engine.jacobians.kernels import CHUNK
from constellation_jax.engine.regimes.assign import assign_regimes, in_pieces
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.threads import ThreadCache, Workers
from constellation_jax.engine.tiles import Tile, make_outputs, make_tiles, pad
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, split
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72, GravityModel
from constellation_jax.physics.sgp4.elements import Elements


class JacobianEngine:
    """States and derivatives of a fixed set of satellites over a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending; the Earth's attitude is not used.
        precision: "float64", or "float32" about float64 anchors, with the exceptions of `propagate`; also the type of the result.
        devices: None: all local devices of JAX's default platform.
    """

    def __init__(
        self,
        elements: Elements,
        grid: Grid,
        *,
        precision: str = "float64",
        gravity: GravityModel = WGS72,
        devices: Devices | None = None,
    ) -> None:
        elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._devices = devices or Devices()
        if precision == "float64":
            warn_of_slow_float64(self._devices.mesh.devices.flat)
        self._width = self._devices.tile_width(kernels.TILE)
        self._epoch = (np.asarray(elements.epoch_day), np.asarray(elements.epoch_fraction))
        self._grid = grid
        self._precision = precision
        self._cache = ThreadCache()
        self._programs: dict[Any, Any] = {}
        self._is_compiled = False

        def make(regime: Regime, some: Elements) -> Any:
            return in_pieces(partial(kernels.coefficients_and_changes, regime=regime), some, self._width)

        groups, drag_limits = assign_regimes(elements, grid.ends_since(*self._epoch), gravity, make)
        # the coefficients of a tile are a pair: those of the regime, and their derivatives
        tiles = [make_tiles(self._devices, *group, self._width, in_place=not group.regime.is_rare) for group in groups]
        chunks = split(grid, 0, len(grid), LONGEST_MINUTES[precision], CHUNK)
        self._passes = [[(tile, chunk) for chunk in chunks for tile in group] for group in tiles]
        self._failures = GridFailures(grid, *self._epoch, drag_limits)

    def allocate(self) -> OutputArrays:
        """Make arrays for `run`, of `kernels.VARIABLES`."""
        return OutputArrays.allocate(len(self._grid), len(self._epoch[0]), kernels.VARIABLES, self._precision)

    def run(self, out: OutputArrays, progress: Callable[[int], None] | None = None) -> None:
        """Fill the arrays: NaN where the status is not 0; a satellite that fails at or after its epoch stays failed.

        Args:
            out: as `allocate` makes them.
            progress: called from this thread with the number of states just computed.
        """

        def work(task: tuple[Tile, Chunk]) -> int:
            tile, chunk = task
            self._fill(tile, chunk, out)
            return int(tile.is_own.sum()) * len(chunk)

        with Workers(self._devices.threads) as workers:
            if not self._is_compiled:
                # one task of each regime goes ahead: threads that meet a kernel at the same time would all compile it
                workers.run(work, [group[0] for group in self._passes])
                self._is_compiled = True
            for group in self._passes:  # later regimes overwrite columns of the first
                workers.run(work, group, progress)
        self._failures.apply_failures(0, len(self._grid), out, np.asarray(out.status.any(axis=0)))

    def _fill(self, tile: Tile, chunk: Chunk, out: OutputArrays) -> None:
        dtype = tile.regime.precision or self._precision
        day, fraction = (v[tile.padded_columns] for v in self._epoch)
        offset = (chunk.day - day) * MINUTES_PER_DAY + (chunk.fraction - fraction) * MINUTES_PER_DAY
        make_minutes = partial(self._devices.put, pad(chunk.minutes, CHUNK).astype(dtype), replicated=True)
        given = (*tile.coefficients, self._devices.put(offset), self._cache.get((chunk.first, dtype), make_minutes))
        static = {"regime": tile.regime, "table_length": tile.regime.table_length(2.0 * chunk.half_span)}
        target = slice(chunk.first, chunk.last)
        if self._devices.computes_grids:
            steps = tile.regime.most_steps(float(np.abs(offset).max()) + chunk.half_span)
            program = self._compile(kernels.evaluate, kernels.GRID_SPECS, **static, most_steps=steps)
            states, derivatives, status = self._fetch(program(*given), chunk, tile)
            out.write_each(
                [*states, *(row for component in derivatives for row in component)], status, target, tile.columns
            )
            return
        buffers = self._cache.borrow(
            dtype, lambda: make_outputs(self._devices, len(kernels.VARIABLES), CHUNK, self._width, dtype)
        )
        program = self._compile(kernels.fill, kernels.FILL_SPECS, **static)
        filled = program(*given, np.int32(len(chunk)), buffers)
        # the buffers belong to JAX: their contents are copied before the next call of this thread takes them
        values, status = self._fetch(filled, chunk, tile)
        out.write(values, status, target, tile.columns)
        self._cache.release(dtype, filled)

    def _fetch(self, values: Any, chunk: Chunk, tile: Tile) -> Any:
        """Bring results, an array or a pytree of arrays, to the host, without the padding."""
        return jax.tree.map(lambda v: v[..., : len(chunk), : tile.count], self._devices.fetch(values))

    def _compile(self, function: Any, specs: Specs, **static: Any) -> Any:
        """As `Devices.compile`, looked up once: each request costs Python as much as a call."""
        key = (function, *static.values())
        if key not in self._programs:
            self._programs[key] = self._devices.compile(function, specs, **static)
        return self._programs[key]
