"""Kepler's equation in the equinoctial form of SGP4, by a fixed number of steps and with its exact derivative.

    u = F - a_xN sin F + a_yN cos F                               (Spacetrack Report 3, section 6; F is E + omega)

The derivative comes from the equation itself (implicit function theorem), so it costs one division, does not go through the
iteration and is finite for every eccentricity below one, zero included.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.fastmath import sincos, turn

SMALL_ECCENTRICITY = 0.1
"""Up to here two fourth-order steps reach rounding (tests/physics/test_kepler.py)."""


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def solve(u: Array, axn: Array, ayn: Array, small: bool) -> tuple[Array, Array]:
    """Sine and cosine of the eccentric longitude F of one satellite.

    Args:
        u: mean argument of latitude M + omega, rad.
        axn: e cos(omega).
        ayn: e sin(omega) with SGP4's long-period term.
        small: static; True where sqrt(axn^2 + ayn^2) stays below `SMALL_ECCENTRICITY`.
    """
    return _two_steps(u, axn, ayn) if small else _newton(u, axn, ayn)


@solve.defjvp
def _solve_jvp(small, primals, tangents):  # type: ignore[no-untyped-def]
    u, axn, ayn = primals
    du, daxn, dayn = tangents
    s, c = solve(u, axn, ayn, small)
    # 1 - e cos E > 0 for e < 1; the floor only serves lanes that have failed, whose value is masked but must stay finite
    df = (du + s * daxn - c * dayn) / jnp.maximum(1.0 - axn * c - ayn * s, 1e-9)
    return (s, c), (c * df, -s * df)


def _two_steps(u: Array, axn: Array, ayn: Array) -> tuple[Array, Array]:
    s, c = sincos(u)
    moved = jnp.zeros_like(s)
    for _ in range(2):  # each step is of fourth order in e; sine and cosine are turned instead of computed again
        ec, es = c * axn + s * ayn, s * axn - c * ayn
        r = 1.0 / (1.0 - ec)
        d, h, g = (es - moved) * r, 0.5 * es * r, ec * r * (1 / 6)
        d = d * (1.0 - d * (h - (2.0 * h * h - g) * d))
        moved = moved + d
        s, c = turn(s, c, d)
    return s, c


def _newton(u: Array, axn: Array, ayn: Array) -> tuple[Array, Array]:
    # Vallado's iteration: at most ten steps, each at most 0.95 rad; he stops at 1e-12, going on does not leave the root.
    # The unknown is F - u, so that the digits of a large u are not lost in the difference.
    su, cu = sincos(u)

    def longitude(moved: Array) -> tuple[Array, Array]:
        return turn(su, cu, moved, small=False)

    def step(_: int, moved: Array) -> Array:
        s, c = longitude(moved)
        d = (axn * s - ayn * c - moved) / jnp.maximum(1.0 - axn * c - ayn * s, 1e-9)
        return moved + jnp.clip(d, -0.95, 0.95)

    return longitude(jax.lax.fori_loop(0, 10, step, jnp.zeros_like(su * axn)))
