"""Sine and cosine as polynomials that XLA can vectorise on a CPU, and their rotation by an angle.

XLA:CPU turns `jnp.sin` and `jnp.cos` into one scalar libm call per lane, which is the whole cost of SGP4 there; the polynomials
below cost a fifteenth of it and are as exact (tests/physics/numerics/test_fastmath.py). On GPU and TPU the platform's own functions
are used.

Method: x - q pi with pi in parts so that every product is exact (Cody & Waite, Software Manual for the Elementary Functions,
1980, ch. 8), then one polynomial in r^2 for each function on |r| <= pi/2, interpolated at Chebyshev nodes of sin(r)/r and cos(r)
with their leading terms taken out.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

# Head parts have few enough bits that q * part is exact for |q| < 2**22 (float64) and 2**15 (float32).
_PI_PARTS = {
    8: (3.1415926218032837, 3.178650954705639e-08),
    4: (3.140625, 9.67502593994140625e-4, 1.509957990978376432e-7),
}
_SIN = {  # (sin r / r - 1) / r^2 in powers of r^2
    8: (
        -0.16666666666666666, 0.008333333333333316, -0.00019841269841254974, 2.7557319219163234e-06,
        -2.5052107616996182e-08, 1.6058977312464087e-10, -7.643970296798572e-13, 2.7314447669863995e-15,
    ),
    4: (-0.16666665963821187, 0.008333242135096938, -0.00019822739488631103, 2.634756391811781e-06),
}  # fmt: skip
_COS = {  # (cos r - 1 + r^2 / 2) / r^4 in powers of r^2
    8: (
        0.041666666666666664, -0.001388888888888888, 2.480158730157985e-05, -2.7557319221569563e-07,
        2.0876756602875463e-09, -1.1470712272749466e-11, 4.7778779252458453e-14, -1.5218638369243573e-16,
    ),
    4: (0.04166666607830638, -0.0013888812551246983, 2.478608243994947e-05, -2.654606580541278e-07),
}  # fmt: skip


@jax.custom_jvp
def sincos(x: Array) -> tuple[Array, Array]:
    """Sine and cosine of an angle in rad.

    Absolute error 3e-16 in float64 up to 1e7 rad, 2e-7 in float32 up to 1e4 rad; beyond that the rounding of x itself dominates.
    """
    x = jnp.asarray(x)
    return jax.lax.platform_dependent(x, cpu=_polynomial, default=_native)


@sincos.defjvp
def _sincos_jvp(primals, tangents):  # type: ignore[no-untyped-def]
    (x,), (dx,) = primals, tangents
    s, c = computed_once(sincos(x))
    return (s, c), (c * dx, -s * dx)


def computed_once(values: Any) -> Any:
    """Values that XLA:CPU computes once, where many tangents go through at once and it would compute them again for each.

    On a GPU XLA chooses: there the arithmetic of a kernel costs less than another pass through memory.
    """
    return jax.lax.platform_dependent(values, cpu=jax.lax.optimization_barrier, default=lambda same: same)


def sincos_small(x: Array, largest: float) -> tuple[Array, Array]:
    """Sine and cosine of a small angle in rad, by the fewest terms of their series that suffice.

    Absolute error 3e-15 in float64 and 1e-7 in float32 for |x| < largest (static), growing with a high power of x beyond.
    """
    z, negligible = x * x, 3e-15 if x.dtype.itemsize == 8 else 3e-8

    def terms(first: int) -> tuple[float, ...]:
        return tuple(
            (-1) ** (k // 2) / math.factorial(k)
            for k in range(first, 20, 2)
            if k == first or largest**k / math.factorial(k) > negligible
        )

    return x * horner(z, terms(1)), horner(z, terms(0))


def turn(s: Array, c: Array, angle: Array, largest: float | None = None) -> tuple[Array, Array]:
    """Rotate a sine and a cosine by an angle (rad), which is below `largest` (static) if that is given."""
    sd, cd = sincos(angle) if largest is None else sincos_small(angle, largest)
    return s * cd + c * sd, c * cd - s * sd


def horner(x, coefficients):  # type: ignore[no-untyped-def]
    """Polynomial sum_k coefficients[k] x^k. Only operators: also serves NumPy on the host."""
    result = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        result = result * x + coefficient
    return result


def _native(x: Array) -> tuple[Array, Array]:
    return jnp.sin(x), jnp.cos(x)


def _polynomial(x: Array) -> tuple[Array, Array]:
    size = x.dtype.itemsize if x.dtype.itemsize in _PI_PARTS else 4
    q = jnp.round(x * (1 / np.pi))
    r = x
    for part in _PI_PARTS[size]:
        r = r - q * part
    sign = 1.0 - 2.0 * jnp.abs(q - 2.0 * jnp.floor(q * 0.5))  # (-1)^q without leaving floating point
    z = r * r
    return (r + r * z * horner(z, _SIN[size])) * sign, (1.0 + z * (-0.5 + z * horner(z, _COS[size]))) * sign
