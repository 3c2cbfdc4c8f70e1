"""States of a whole catalogue on one CPU: the loops of engine/propagation fill memory that JAX takes over without a copy."""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid.engine import Function, GridEngine, keep_types
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.sgp4.elements import Elements


class HostEngine:
    """As `GridEngine`, with the CPU's loops and their interpolation between Chebyshev nodes.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        options: what to compute, and how.
    """

    is_asynchronous: ClassVar[bool] = False

    def __init__(self, elements: Elements, grid: Grid, options: Options) -> None:
        self._engine = Engine(elements, grid, options)
        self._options = options
        self._device = jax.local_devices(backend="cpu")[0]
        self._kept: OutputArrays | None = None

    @property
    def codes(self) -> NDArray[np.int8]:
        """As `GridEngine.codes`."""
        return self._engine.failures.codes

    @codes.setter
    def codes(self, codes: NDArray[np.int8]) -> None:
        self._engine.failures.codes = codes

    def run(self, start: int, stop: int, order: NDArray[np.intp] | None = None) -> States:
        """As `GridEngine.run`."""
        out = self._allocate(stop - start)
        self._engine.run(start, stop, out)
        return self._as_states(out if order is None else out.rows(order))

    def fold(self, function: Function, carry: Any, start: int, stop: int, known: Any) -> Any:
        """As `GridEngine.fold`."""
        if self._kept is None or len(self._kept.status) < stop - start:
            self._kept = self._allocate(stop - start)
        out = self._kept.rows(slice(stop - start))
        self._engine.run(start, stop, out)
        with x64():
            # the memory is written over by the next block
            return jax.block_until_ready(_reduce(function, carry, self._as_states(out), known))

    def put_carry(self, carry: Any) -> Any:
        """As `GridEngine.put_carry`."""
        with x64():
            return jax.tree.map(lambda v: jax.device_put(np.array(v), self._device), carry)

    def _allocate(self, steps: int) -> OutputArrays:
        return OutputArrays.allocate(steps, self._engine.satellites, self._options.variables, self._options.dtype)

    def _as_states(self, out: OutputArrays) -> States:
        with x64():
            return States(
                **{name: jax.device_put(values, self._device, may_alias=True) for name, values in out.items()}
            )


def make_states_engine(
    elements: Elements, grid: Grid, options: Options, block: int | None = None, devices: Devices | None = None
) -> GridEngine | HostEngine:
    """Engine whose results stay on the devices: loops on one CPU, grids elsewhere; arguments as for `GridEngine`."""
    devices = devices or Devices(options.platform)
    if devices.mesh.size == 1 and not devices.computes_grids:
        return HostEngine(elements, grid, options)
    return GridEngine(elements, grid, options, block, devices)


@partial(jax.jit, static_argnums=0, donate_argnums=1)
def _reduce(function: Function, carry: Any, states: States, known: Any) -> Any:
    # the barrier: an array that the function returns as it is would be the memory of the block
    return keep_types(function, carry, jax.lax.optimization_barrier(states), known)
