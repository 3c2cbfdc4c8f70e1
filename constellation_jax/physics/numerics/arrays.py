"""Conversion of arguments to floating arrays, by the one rule of every function that takes numbers, NumPy or JAX."""

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike


def floats(*values: ArrayLike) -> tuple[Array, ...]:
    """Arrays of one floating dtype: the widest that is given, JAX's default where all are whole numbers or Python's."""
    arrays = [jnp.asarray(v) for v in values]  # float32 where 64 bits are not enabled, whatever NumPy brings
    given = [a.dtype for a, v in zip(arrays, values, strict=True) if hasattr(v, "dtype")]
    floating = [d for d in given if jnp.issubdtype(d, jnp.floating)]
    dtype = max(floating, key=lambda d: d.itemsize) if floating else jnp.result_type(float)
    return tuple(a.astype(dtype) for a in arrays)


def inexact(value: ArrayLike) -> Array:
    """An array of its own floating dtype, JAX's default for whole numbers; a Python number stays weakly typed."""
    array = jnp.asarray(value)
    return array if jnp.issubdtype(array.dtype, jnp.inexact) else array.astype(jnp.result_type(float))
