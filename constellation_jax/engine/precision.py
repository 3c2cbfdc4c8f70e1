"""64-bit arithmetic for a stretch of code, whatever the user's `jax_enable_x64`, which stays as it is."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array


def x64() -> AbstractContextManager[Any]:
    """Context in which JAX computes in 64 bits. It holds for the calling thread alone, so every worker thread enters its own."""
    # jax.enable_x64 came with 0.8; jax.experimental.enable_x64 went with 0.10
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    experimental: Any = import_module("jax.experimental")
    return experimental.enable_x64()


def evaluate(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function of JAX in 64 bits and return its result, an array or a pytree of arrays, as NumPy arrays."""
    with x64():
        return jax.tree.map(np.asarray, function(*arguments))


def without_subnormals(values: Array) -> Array:
    """Convert to float32, with zero for drag terms far below any effect: as subnormals they would slow processors down."""
    return jnp.where(jnp.abs(values) < 1e-30, 0.0, values).astype(jnp.float32)
