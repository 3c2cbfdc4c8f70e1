"""Devices of one platform, and functions compiled for all of them: satellites are sharded, everything else is replicated.

On one device the same functions run without the mesh: to place an argument on a mesh of one takes longer than to compute a tile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from constellation_jax.engine.default_device import default_platform
from constellation_jax.engine.device_checks import find_devices
from constellation_jax.engine.precision import x64
from constellation_jax.engine.threads import count_cores
from constellation_jax.programs import Program

REPLICATED: Any = PartitionSpec()
"""Sharding of an array that every device has whole."""


def satellites_last(rank: int) -> Any:
    """Sharding of an array (or a pytree of arrays) of some rank whose last axis is the satellites."""
    return PartitionSpec(*[None] * (rank - 1), "satellites")


class Specs(NamedTuple):
    """Placement of the arguments and results of a compiled function."""

    inputs: tuple[Any, ...]
    """Sharding of each argument, `REPLICATED` or `satellites_last`: one for all its arrays, or a pytree of them."""
    outputs: Any
    """Sharding of the result, in the same way."""
    donate: tuple[int, ...] = ()
    """Positions of the arguments whose memory the result may take."""
    wide_vectors: bool = False
    """True: XLA:CPU uses the full vector width of the machine; it takes half of it unless asked."""


class Devices:
    """Local devices of one platform.

    Args:
        platform: such as "cpu", "gpu" or "tpu"; None for that of JAX's default device.
        devices: these instead of all local ones of the platform.
        computes_grids: whether engines give them whole grids of instants and satellites instead of cache-sized blocks; None: unless
            they are a CPU.
        threads: Python threads that feed the devices; None: one a core of a CPU, two for others.

    Raises:
        InputError: there is no device of the platform.
    """

    def __init__(
        self,
        platform: str | None = None,
        devices: Sequence[Any] | None = None,
        *,
        computes_grids: bool | None = None,
        threads: int | None = None,
    ) -> None:
        found = tuple(devices or find_devices(platform or default_platform()))
        self.platform: str = found[0].platform
        self.computes_grids = self.platform != "cpu" if computes_grids is None else computes_grids
        self.mesh = Mesh(np.array(found), ("satellites",))
        # on a GPU or TPU two: one copies its results to the host while the other's tile is computed
        self.threads: int = threads or (max(1, count_cores() // len(found)) if self.platform == "cpu" else 2)
        """Number of Python threads that feed the devices."""

    def tile_width(self, tile: Mapping[str, int]) -> int:
        """Number of satellites in a tile over all devices; `tile` gives that of one device by platform."""
        return (tile[self.platform] if self.platform in tile else tile["gpu"]) * self.mesh.size

    def put(self, arrays: Any, *, replicated: bool = False) -> Any:
        """Place an array, or a pytree of arrays, on the devices in its own type, its last axis (satellites) sharded."""
        if self.mesh.size == 1 and replicated and self.platform == "cpu":
            return arrays  # a compiled function reads NumPy's memory in place, which is quicker than to place the array

        def place(array: Any) -> Any:
            spec = REPLICATED if replicated else satellites_last(np.ndim(array))
            return jax.device_put(array, NamedSharding(self.mesh, spec))

        with x64():
            if self.mesh.size == 1:
                return jax.device_put(arrays, self.mesh.devices.flat[0])
            return jax.tree.map(place, arrays)

    def zeros(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Make an array on the devices, its last axis (satellites) sharded."""
        if self.platform == "cpu" and self.mesh.size == 1:  # without a program; a copy, because buffers are donated
            with x64():
                return jax.device_put(np.zeros(shape, dtype), self.mesh.devices.flat[0], may_alias=False)
        with x64():
            return self.put(jnp.zeros(shape, dtype))

    def fetch(self, arrays: Any) -> Any:
        """Bring an array, or a pytree of arrays, to the host. On a CPU it is the device's own memory: read it before the array is
        donated."""
        if self.platform != "cpu":
            # by way of page-locked memory, several times as quick as the direct way, all copies at once
            arrays = jax.tree.map(lambda v: jax.device_put(v, v.sharding.with_memory_kind("pinned_host")), arrays)
        return jax.tree.map(np.asarray, arrays)

    def free_bytes(self) -> int | None:
        """Free memory of the device that has the least of it; None where JAX does not know."""
        stats = [device.memory_stats() for device in self.mesh.devices.flat]
        free = [s["bytes_limit"] - s.get("bytes_in_use", 0) for s in stats if s and "bytes_limit" in s]
        return min(free) if free else None

    def compile(self, function: Any, specs: Specs, **static: Any) -> Any:
        """Compile a function for the devices; the same arguments give the same compiled function.

        Args:
            function: takes arrays, and static arguments by keyword.
            specs: placement of its arguments and results.
            static: hashable arguments, which choose code.
        """
        return _compile(function, self.mesh, specs, tuple(sorted(static.items())))


@cache
def _compile(function: Any, mesh: Mesh, specs: Specs, static: tuple[tuple[str, Any], ...]) -> Any:
    name = f"{function.__module__}.{function.__qualname__} {static}"
    function = partial(function, **dict(static))
    on_cpu = mesh.devices.flat[0].platform == "cpu"
    wide = {"xla_cpu_prefer_vector_width": 512} if specs.wide_vectors and on_cpu else None
    if mesh.size == 1 and on_cpu:
        return Program(function, name, donate_argnums=specs.donate, compiler_options=wide)
    if mesh.size > 1:
        function = jax.shard_map(function, mesh=mesh, in_specs=specs.inputs, out_specs=specs.outputs, check_vma=False)
    return jax.jit(function, donate_argnums=specs.donate, compiler_options=wide)
