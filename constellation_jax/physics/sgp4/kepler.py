"""Kepler's equation in the equinoctial form of SGP4, by a fixed number of steps and with its exact derivative.

    u = F - a_xN sin F + a_yN cos F                               (Spacetrack Report 3, section 6; F is E + omega)

The derivative comes from the equation itself (implicit function theorem), so it costs one division, does not go through the
iteration and is finite for every eccentricity below one, zero included.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.numerics.fastmath import sincos, turn

SMALL_ECCENTRICITY = 0.1
"""Eccentricity up to which a series and one step reach rounding (tests/physics/sgp4/test_kepler.py)."""


@partial(jax.custom_jvp, nondiff_argnums=(3,))
def solve(u: Array, axn: Array, ayn: Array, small: bool) -> tuple[Array, Array]:
    """Sine and cosine of the eccentric longitude F of one satellite.

    Args:
        u: mean argument of latitude M + omega, rad.
        axn: e cos(omega).
        ayn: e sin(omega) with SGP4's long-period term.
        small: static; True where sqrt(axn^2 + ayn^2) stays below `SMALL_ECCENTRICITY`.
    """
    return _series_and_step(u, axn, ayn) if small else _any_eccentricity(u, axn, ayn)


@solve.defjvp
def _solve_jvp(small, primals, tangents):  # type: ignore[no-untyped-def]
    u, axn, ayn = primals
    du, daxn, dayn = tangents
    s, c = solve(u, axn, ayn, small)
    # 1 - e cos E > 0 for e < 1; the floor only serves lanes that have failed, whose value is masked but must stay finite
    df = (du + s * daxn - c * dayn) / jnp.maximum(1.0 - axn * c - ayn * s, 1e-9)
    return (s, c), (c * df, -s * df)


def _series_and_step(u: Array, axn: Array, ayn: Array) -> tuple[Array, Array]:
    """Lagrange's series to the third power of e, then one step of third order; sine and cosine are rotated, not computed again."""
    s, c = sincos(u)
    ec, es = c * axn + s * ayn, s * axn - c * ayn
    moved = es * (1.0 + ec * (1.0 + ec) - 0.5 * es * es)
    s, c = turn(s, c, moved, SMALL_ECCENTRICITY)
    ec, es = c * axn + s * ayn, s * axn - c * ayn
    r = 1.0 / (1.0 - ec)
    d = (es - moved) * r
    return turn(s, c, d * (1.0 - 0.5 * es * r * d), SMALL_ECCENTRICITY**4)


def _any_eccentricity(u: Array, axn: Array, ayn: Array) -> tuple[Array, Array]:
    """Four steps of fourth order (Danby, "Fundamentals of Celestial Mechanics", 1988, section 6.6), which reach rounding up to
    e = 0.99999, where Newton's method takes ten."""
    # The unknown is F - u, so that the digits of a large u are not lost in the difference.
    su, cu = sincos(u)
    ec, es = cu * axn + su * ayn, su * axn - cu * ayn

    def step(_: int, moved: Array) -> Array:
        s, c = turn(su, cu, moved)
        ec, es = c * axn + s * ayn, s * axn - c * ayn
        r = 1.0 / jnp.maximum(1.0 - ec, 1e-9)
        d, h, g = (es - moved) * r, 0.5 * es * r, ec * r * (1 / 6)
        d = d / jnp.maximum(1.0 + h * d, 0.5)
        d = (es - moved) * r / jnp.maximum(1.0 + (h + g * d) * d, 0.5)
        return moved + jnp.clip(d, -0.95, 0.95)

    # sine of the angle at which centre and focus are seen from the place of M on the auxiliary circle
    start = es * jax.lax.rsqrt(jnp.maximum(1.0 - 2.0 * ec + axn * axn + ayn * ayn, 1e-12))

    def steps(start: Array, unroll: bool) -> Array:
        return jax.lax.fori_loop(0, 4, step, start, unroll=unroll)

    # unrolled, XLA makes one kernel of a whole state on a GPU; on a CPU that takes two to three times as long (float64)
    moved = jax.lax.platform_dependent(start, cpu=partial(steps, unroll=False), default=partial(steps, unroll=True))
    return turn(su, cu, moved)
