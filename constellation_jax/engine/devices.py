"""The compiled loops over all devices of a platform: satellites are sharded, everything else is replicated.

On one device the same loops run without the mesh: placing an argument on a mesh of one costs Python more than a tile does.
"""

import os
from collections.abc import Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from constellation_jax.engine.propagation import kernels as tiles
from constellation_jax.engine.propagation.kernels import CHUNK, Instants, Outputs

_REPLICATED: Any = PartitionSpec()
_LAST: dict[int, Any] = {rank: PartitionSpec(*[None] * (rank - 1), "satellites") for rank in (1, 2, 3)}
_OUTPUTS = Outputs(_LAST[3], _LAST[2])
_INSTANTS = Instants(*[_REPLICATED] * 5)

_SPECS: dict[Any, tuple[tuple[Any, ...], Any, tuple[int, ...]]] = {
    tiles.fill_near: ((_LAST[2], _INSTANTS, _OUTPUTS, _REPLICATED), _OUTPUTS, (2,)),
    tiles.fill_deep: ((_LAST[2], _INSTANTS, _OUTPUTS, _REPLICATED), _OUTPUTS, (2,)),
    tiles.interpolate: ((_REPLICATED, _LAST[3]), _LAST[3], ()),
    tiles.anchored: ((_LAST[2], _REPLICATED), _LAST[2], ()),
}
"""How the arguments and results of each loop are sharded, and which arguments are donated."""


class Devices:
    """Local devices of one platform, and the loops compiled for them.

    Args:
        platform: such as "cpu", "gpu" or "tpu"; None for JAX's default.
        devices: these instead of all local ones of the platform.
    """

    def __init__(self, platform: str | None = None, devices: Sequence[Any] | None = None) -> None:
        found = tuple(devices or jax.local_devices(backend=platform))
        self.platform: str = found[0].platform
        self.mesh = Mesh(np.array(found), ("satellites",))
        self.width: int = tiles.TILE.get(self.platform, tiles.TILE["gpu"]) * len(found)
        """Satellites in a tile over all devices."""
        cpu = self.platform == "cpu"
        # elsewhere two: one copies out while the other's tile is computed
        self.threads: int = max(1, (os.cpu_count() or 1) // len(found)) if cpu else 2
        """Python threads that feed them."""

    def block(self, dtype: str, *, few: bool = False) -> int:
        """Satellites that a loop works on together.

        Args:
            few: a tile may be next to empty.
        """
        tile = self.width // self.mesh.size
        row = (tiles.FEW_BYTES if few else tiles.BLOCK_BYTES).get(self.platform)
        return tile if row is None else min(tile, row // np.dtype(dtype).itemsize)

    def blocks(self, satellites: int, dtype: str, *, few: bool = False) -> np.int32:
        """How many blocks of a tile hold the first satellites; all of them where several devices share it."""
        if self.mesh.size > 1:
            satellites = self.width // self.mesh.size
        return np.int32(-(-satellites // self.block(dtype, few=few)))

    def put(self, array: Any, *, replicated: bool = False) -> Any:
        """On the devices, its last axis (satellites) sharded."""
        if self.mesh.size == 1:
            if replicated and self.platform == "cpu":
                return array  # a call takes NumPy's own memory in less time than this would take
            return jax.device_put(array, self.mesh.devices.flat[0])
        spec = _REPLICATED if replicated else _LAST[np.ndim(array)]
        return jax.device_put(array, NamedSharding(self.mesh, spec))

    def buffers(self, variables: int, dtype: str) -> Outputs:
        """Memory for the results of one tile."""
        shape = (CHUNK, self.width)
        return Outputs(self.put(jnp.zeros((variables, *shape), dtype)), self.put(jnp.zeros(shape, jnp.int8)))

    def fetch(self, array: Any) -> np.ndarray[Any, Any]:
        """In the memory of the host; on a CPU the array's own, which must be read before the array is given away."""
        if self.platform != "cpu":  # by way of page-locked memory, several times as quick as the direct way
            array = jax.device_put(array, array.sharding.with_memory_kind("pinned_host"))
        return np.asarray(array)

    def loop(self, function: Any, **static: Any) -> Any:
        """One of the loops of `tiles`, compiled."""
        return _compiled(function, self.mesh, tuple(sorted(static.items())))


@cache
def _compiled(function: Any, mesh: Mesh, static: tuple[tuple[str, Any], ...]) -> Any:
    arguments, results, donated = _SPECS[function]
    loop = partial(function, **dict(static))
    if mesh.size > 1:
        loop = jax.shard_map(loop, mesh=mesh, in_specs=arguments, out_specs=results, check_vma=False)
    cpu = mesh.devices.flat[0].platform == "cpu"
    # XLA:CPU takes half of the vector width of the machine unless asked
    options = {"xla_cpu_prefer_vector_width": 512} if cpu else None
    return jax.jit(loop, donate_argnums=donated, compiler_options=options)
