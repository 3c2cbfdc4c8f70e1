"""Cubic B-splines on equal steps, smooth to the second derivative, and fits of them on the host.

A spline of n steps has n + 3 coefficients. Beyond its ends it goes on with the value and the slope that it has there.

Reference: de Boor, A Practical Guide to Splines (rev. ed. 2001), chapters IX and XIII.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray


def cubic_b_spline(t: Array) -> tuple[Array, Array, Array]:
    """Cubic B-spline with its knots at whole numbers: value, slope and curvature at a distance t from its middle. Any shape.

    It is zero from 2 steps on. It is even with a flat top, so that the corner of |t| has no effect on its slope.
    """
    size, sign = jnp.abs(t), jnp.sign(t)
    outer, inner = jnp.maximum(2.0 - size, 0.0), jnp.maximum(1.0 - size, 0.0)
    value = (outer * outer * outer - 4.0 * inner * inner * inner) * (1.0 / 6.0)
    return value, sign * (2.0 * inner * inner - 0.5 * outer * outer), outer - 4.0 * inner


def spline_weights(place: Array, steps: int) -> Array:
    """Weight of each coefficient of a spline in its value at a place.

    Args:
        place: counted in steps from the first knot, any shape.
        steps: static.

    Returns:
        Shape (*place.shape, steps + 3), of the dtype of `place`.
    """
    inside = jnp.clip(place, 0.0, float(steps))
    knots = jnp.arange(-1, steps + 2, dtype=place.dtype).reshape((1,) * place.ndim + (steps + 3,))
    value, slope, _ = cubic_b_spline(inside[..., None] - knots)
    return value + (place - inside)[..., None] * slope


def spline_through(values: NDArray[Any], *, flat_ends: bool = False) -> NDArray[np.float64]:
    """Coefficients of the spline through values at the knots, along the last axis: shape (..., steps + 1) to (..., steps + 3).

    Args:
        values: at the knots.
        flat_ends: True for a slope of zero at both ends, so that the spline goes on as a constant; else the third derivative has
            no jump at the first and the last inner knot ("not a knot").
    """
    n = values.shape[-1]
    matrix = np.zeros((n + 2, n + 2))
    for k in range(n):
        matrix[k + 1, k : k + 3] = 1.0 / 6.0, 4.0 / 6.0, 1.0 / 6.0
    if flat_ends:
        matrix[0, [0, 2]] = matrix[-1, [-3, -1]] = -0.5, 0.5
    else:
        matrix[0, :5] = matrix[-1, -5:] = 1.0, -4.0, 6.0, -4.0, 1.0
    ends = np.zeros((*values.shape[:-1], 1))
    right = np.concatenate([ends, np.asarray(values, np.float64), ends], axis=-1)
    return np.asarray(np.linalg.solve(matrix, right[..., None])[..., 0])
