"""SGP4 for near-Earth orbits, those with a period under 225 minutes.

The coefficients are kept as polynomials in the time since an anchor. `initialise` anchors them at the epoch of the element set;
`shift` moves the anchor. A float32 kernel about an anchor close to the instants it computes is exact to a metre or so at any
distance from the epoch, since only the phases, which grow with time, lose digits in float32.

Reference: Vallado, Crawford, Hujsak & Kelso, AIAA 2006-6753 (2006), functions sgp4init and sgp4.
"""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.constants import TWO_PI, GravityModel
from constellation_jax.physics.numerics.fastmath import horner, sincos
from constellation_jax.physics.sgp4.common import ECCENTRICITY_FLOOR, OrbitState, at_epoch, state_of_mean_orbit
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.status import MEAN_ECCENTRICITY_OUT_OF_RANGE


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class NearEarth:
    """Coefficients of SGP4 for one satellite (or arrays of them). Tuples are polynomials in minutes since the anchor."""

    mean_anomaly: tuple[Array, Array]
    """Mean anomaly before drag, rad."""
    arg_perigee: tuple[Array, Array]
    """Argument of perigee before drag, rad."""
    mean_argument: tuple[Array, ...]
    """Mean argument of latitude M + omega with drag, degree 5, rad."""
    raan: tuple[Array, Array, Array]
    """Right ascension of the ascending node with drag, rad."""
    turn: tuple[Array, Array]
    """Secular part of the angle that drag takes from the argument of perigee and adds to the mean anomaly, rad."""
    eccentricity: tuple[Array, Array]
    """Mean eccentricity without the term in sin M."""
    root_a: tuple[Array, ...]
    """Square root of the semi-major axis, degree 4, Earth radii^0.5."""
    eta: Array
    """Vallado's eta, e a / (a - s)."""
    delmo: Array
    """Vallado's delmo, (1 + eta cos M0)^3."""
    xmcof: Array
    """Vallado's xmcof, the factor of the periodic term of drag in M; 0 for low perigees."""
    bstar_cc5: Array
    """B* times Vallado's C5; 0 for low perigees."""
    sini: Array
    """Sine of the inclination."""
    cosi: Array
    """Cosine of the inclination."""


def initialise(elements: Elements, gravity: GravityModel) -> NearEarth:
    """Coefficients of one element set, anchored at its epoch."""
    e = at_epoch(elements, gravity)
    # Below a perigee of 220 km SGP4 truncates its drag terms: the coefficients of the dropped ones are zero
    full = jnp.where(e.perigee < 220.0, 0.0, 1.0)
    cc1sq = e.cc1 * e.cc1
    d2 = 4.0 * e.ao * e.tsi * cc1sq
    temp = d2 * e.tsi * e.cc1 / 3.0
    d3 = (17.0 * e.ao + e.sfour) * temp
    d4 = 0.5 * temp * e.ao * e.tsi * (221.0 * e.ao + 31.0 * e.sfour) * e.cc1
    t3cof = d2 + 2.0 * cc1sq
    t4cof = 0.25 * (3.0 * d3 + e.cc1 * (12.0 * d2 + 10.0 * cc1sq))
    t5cof = 0.2 * (3.0 * d4 + 12.0 * e.cc1 * d3 + 6.0 * d2 * d2 + 15.0 * cc1sq * (2.0 * d2 + cc1sq))
    bstar = jnp.asarray(elements.bstar)
    bstar_cc5 = full * bstar * e.cc5
    mo, argpo, nodeo = (jnp.asarray(v) for v in (elements.mean_anomaly, elements.arg_perigee, elements.raan))
    root_ao = jnp.sqrt(e.ao)
    return NearEarth(
        mean_anomaly=(mo, e.mdot),
        arg_perigee=(argpo, e.argpdot),
        mean_argument=(
            mo + argpo, e.mdot + e.argpdot, e.no * e.t2cof, full * e.no * t3cof, full * e.no * t4cof, full * e.no * t5cof,
        ),
        raan=(nodeo, e.nodedot, e.nodecf),
        turn=(jnp.zeros_like(mo), full * e.omgcof),
        eccentricity=(jnp.asarray(elements.eccentricity) + bstar_cc5 * e.sinmao, -bstar * e.cc4),
        root_a=(root_ao, -root_ao * e.cc1, -root_ao * full * d2, -root_ao * full * d3, -root_ao * full * d4),
        eta=e.eta,
        delmo=e.delmo,
        xmcof=full * e.xmcof,
        bstar_cc5=bstar_cc5,
        sini=e.sinio,
        cosi=e.cosio,
    )  # fmt: skip


def shift(c: NearEarth, minutes: Array) -> NearEarth:
    """Move the anchor of the coefficients some minutes later, and bring angles near zero. To be run in float64."""

    def move(polynomial: tuple[Array, ...]) -> tuple[Array, ...]:
        degree = len(polynomial) - 1
        return tuple(
            horner(minutes, tuple(math.comb(j, k) * polynomial[j] for j in range(k, degree + 1)))
            for k in range(degree + 1)
        )

    def wrap(polynomial: tuple[Array, ...]) -> tuple[Array, ...]:
        return (polynomial[0] - TWO_PI * jnp.round(polynomial[0] * (1.0 / TWO_PI)), *polynomial[1:])

    angles = ("mean_anomaly", "arg_perigee", "mean_argument", "raan")
    others = ("turn", "eccentricity", "root_a")
    changed: dict[str, Any] = {name: wrap(move(getattr(c, name))) for name in angles}
    changed |= {name: move(getattr(c, name)) for name in others}
    return dataclasses.replace(c, **changed)


def eccentricity_and_turn(c: Any, t: Any, sin_and_cos: Callable[[Any], tuple[Any, Any]]) -> tuple[Any, Any]:
    """Mean eccentricity with drag, before its limits, and the angle that drag takes from the argument of perigee, rad.

    Only operators beside the function for sine and cosine: also serves NumPy on the host.
    """
    xmdf = horner(t, c.mean_anomaly)
    delm = c.xmcof * ((1.0 + c.eta * sin_and_cos(xmdf)[1]) ** 3 - c.delmo)
    turn = horner(t, c.turn) + delm
    return horner(t, c.eccentricity) - c.bstar_cc5 * sin_and_cos(xmdf + turn)[0], turn


def evaluate(c: NearEarth, t: Array, gravity: GravityModel, small_eccentricity: bool = False) -> OrbitState:
    """State of one satellite t minutes after the anchor of its coefficients.

    Args:
        c: coefficients of the satellite.
        t: minutes since their anchor.
        gravity: static; the Earth model with which they were made.
        small_eccentricity: static; True where the eccentricity stays below `kepler.SMALL_ECCENTRICITY`, which is quicker.
    """
    em, turn = eccentricity_and_turn(c, t, sincos)
    bad_eccentricity = (em >= 1.0) | (em < -0.001)
    em = jnp.clip(em, ECCENTRICITY_FLOOR, 1.0 - ECCENTRICITY_FLOOR)
    return state_of_mean_orbit(
        horner(t, c.root_a),
        horner(t, tuple(k * a for k, a in enumerate(c.root_a))[1:]),
        em,
        horner(t, c.arg_perigee) - turn,
        horner(t, c.mean_argument),
        horner(t, c.raan),
        c.sini,
        c.cosi,
        [(MEAN_ECCENTRICITY_OUT_OF_RANGE, bad_eccentricity)],
        gravity,
        small_eccentricity,
    )
