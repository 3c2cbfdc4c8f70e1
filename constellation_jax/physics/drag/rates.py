"""Rates of mean elements under drag, J2 and radiation pressure, averaged over a revolution.

Satellites are arrays of any shape. Gauss's equations are averaged by a quadrature with a fixed number of points, which are the
first axis of its arrays: over the argument of latitude for a near-circular orbit, over a warped eccentric anomaly, dense about
the perigee, for an elliptic one. The atmosphere turns with the Earth. The eccentricity vector is kept in axes that turn with J2's
advance of the perigee, so that every rate is slow and an orbit with e = 0 is like any other.

Deliberately absent: luni-solar attraction (orbits above some 1,500 km, above all elliptic ones), J3 (eccentricities below 0.002),
lift, winds, and the shadow in radiation pressure.

Reference: King-Hele, Satellite Orbits in an Atmosphere (1987), ch. 4; Battin, An Introduction to the Mathematics and Methods of
Astrodynamics (1999), sec. 10.3 (Gauss's equations, variation of the eccentricity vector).
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import (
    DEGREE,
    EARTH_ROTATION_RATE,
    J2_RADIUS2,
    MU,
    SECONDS_PER_DAY,
    SOLAR_PRESSURE,
    TWO_PI,
    WGS84_EQUATORIAL_RADIUS_KM,
    WGS84_FLATTENING,
)
from constellation_jax.physics.drag.atmosphere import (
    Conditions,
    ConditionsOfStep,
    densities_along,
    node_local_time,
    orbit_densities,
)
from constellation_jax.physics.numerics.fastmath import sincos
from constellation_jax.physics.secular import mean_sun_right_ascension, secular_rates

POINTS: Final = 8
"""Quadrature points of a near-circular orbit: 12 change its drag by less than 0.1 %."""
ELLIPTIC_POINTS: Final = 32
"""Quadrature points of an elliptic orbit."""
NEAR_CIRCULAR_ECCENTRICITY: Final = 0.004
"""Largest eccentricity for which ln(density) along the orbit may be taken to second order: 28 km up and down."""

_WARP: Final = 0.9
"""Warp of the eccentric anomaly: with 0.9 the points are 19 times denser in it at the perigee than at the apogee, and 32 resolve a
transfer orbit of e = 0.73."""


class MeanOrbit(NamedTuple):
    """Slowly changing mean elements (Brouwer) of orbits under drag. Arrays of JAX, or of NumPy on the host, of one shape."""

    semi_major_axis: Any
    """Mean semi-major axis, km."""
    eccentricity_x: Any
    """e cos(argument of perigee - perigee_drift)."""
    eccentricity_y: Any
    """e sin(argument of perigee - perigee_drift)."""
    inclination: Any
    """Inclination, rad."""
    raan: Any
    """Right ascension of the ascending node, rad, any number of turns."""
    perigee_drift: Any
    """Advance of the perigee by J2 since the epoch, rad."""

    @classmethod
    def from_elements(
        cls,
        semi_major_axis: ArrayLike,
        eccentricity: ArrayLike,
        inclination: ArrayLike,
        raan: ArrayLike,
        arg_perigee: ArrayLike,
    ) -> MeanOrbit:
        """Orbits from mean elements in km and rad, of any shape, with no advance of the perigee yet."""
        a, e, i, raan, w = (jnp.asarray(v) for v in (semi_major_axis, eccentricity, inclination, raan, arg_perigee))
        sin_w, cos_w = sincos(w)
        return cls(a, e * cos_w, e * sin_w, i, raan, jnp.zeros_like(a))


class Rates(NamedTuple):
    """Time derivatives of mean orbits, and the density from which they come."""

    orbit: MeanOrbit
    """Time derivative of each element, per day."""
    density: Array
    """Mean density over a revolution in time, kg/m3."""


def eccentricity(orbit: MeanOrbit) -> Array:
    """Eccentricity, any shape; never exactly zero, so that its gradient is finite on a circular orbit."""
    return jnp.sqrt(orbit.eccentricity_x**2 + orbit.eccentricity_y**2 + 1e-18)


def mean_altitude(orbit: MeanOrbit) -> Array:
    """Mean semi-major axis minus 6378.137 km. Any shape."""
    return orbit.semi_major_axis - WGS84_EQUATORIAL_RADIUS_KM


def perigee_altitude(orbit: MeanOrbit) -> Array:
    """Mean perigee radius minus 6378.137 km. Any shape."""
    return orbit.semi_major_axis * (1.0 - eccentricity(orbit)) - WGS84_EQUATORIAL_RADIUS_KM


def rates(
    at: Conditions | ConditionsOfStep,
    orbit: MeanOrbit,
    mjd: ArrayLike,
    ballistic_coefficient: ArrayLike,
    radiation_coefficient: ArrayLike = 0.0,
    *,
    elliptic: bool = False,
) -> Rates:
    """Rates of mean elements by drag, J2 and radiation pressure, per day. Any shape.

    Args:
        at: the atmosphere at the instant; its dtype is that of the quadrature, which float32 serves as well.
        orbit: mean orbits at the instant.
        mjd: the instant, Modified Julian Date (UTC).
        ballistic_coefficient: B = Cd A / m, m2/kg.
        radiation_coefficient: Cr A / m of radiation pressure, m2/kg.
        elliptic: static; False is for eccentricities up to `NEAR_CIRCULAR_ECCENTRICITY`.
    """
    dtype = jnp.result_type(at.coefficients)
    local_time = node_local_time(orbit.raan, mjd)
    local_time = (local_time - TWO_PI * jnp.floor(local_time * (1.0 / TWO_PI))).astype(dtype)
    turn_s, turn_c = sincos(orbit.perigee_drift)
    ex = (turn_c * orbit.eccentricity_x - turn_s * orbit.eccentricity_y).astype(dtype)
    ey = (turn_s * orbit.eccentricity_x + turn_c * orbit.eccentricity_y).astype(dtype)
    inclination = orbit.inclination.astype(dtype)

    # from here to the means the quadrature points are a first axis
    sin_i, cos_i = sincos(inclination[None])
    a, ex, ey = orbit.semi_major_axis.astype(dtype)[None], ex[None], ey[None]
    cos_u, sin_u, weight = _warped(ex, ey) if elliptic else _equal(ex, ey)
    q, s = ex * cos_u + ey * sin_u, ex * sin_u - ey * cos_u  # e cos, e sin of the true anomaly
    p = a * (1.0 - ex * ex - ey * ey)
    r = p / (1.0 + q)
    # height above the ellipsoid, with the radius of SGP4's short-period terms (Brouwer's, e = 0)
    beyond = J2_RADIUS2 / p * (0.25 * sin_i**2 * (cos_u**2 - sin_u**2) - 0.75 * (3.0 * cos_i**2 - 1.0))
    height = (r - WGS84_EQUATORIAL_RADIUS_KM) + beyond
    height = height + WGS84_EQUATORIAL_RADIUS_KM * WGS84_FLATTENING * (sin_i * sin_u) ** 2
    if elliptic:
        density = densities_along(at, height, cos_u, sin_u, inclination, local_time)
    else:
        middle = jnp.mean(height, axis=0, keepdims=True)
        density = orbit_densities(at, middle[0], inclination, local_time, height - middle, points=POINTS)

    root_mu, root_p = math.sqrt(MU), jnp.sqrt(p)
    speed = root_mu / root_p
    v_r, v_t = speed * s, speed * (1.0 + q)
    rel_t, rel_n = v_t - EARTH_ROTATION_RATE * r * cos_i, EARTH_ROTATION_RATE * r * sin_i * cos_u
    drag = density * jnp.sqrt(v_r * v_r + rel_t * rel_t + rel_n * rel_n)  # times -B/2: acceleration by velocity
    force_r, force_t, force_n = drag * v_r, drag * rel_t, drag * rel_n
    h = root_mu * root_p

    def mean(values: Array) -> Array:
        return jnp.sum(weight * values, axis=0, keepdims=True)

    d_a = mean(force_r * v_r + force_t * v_t) * (2.0 * a * a / MU)
    along, across = 2.0 * h * force_t, -(h * force_r + r * v_r * force_t)
    d_ex = mean(along * cos_u - across * sin_u) / MU
    d_ey = mean(along * sin_u + across * cos_u) / MU
    d_i = mean(r * cos_u * force_n) / h
    # sin i of the normal force and of Gauss's equation cancel: no pole at i = 0
    d_raan = mean(r * sin_u * drag * EARTH_ROTATION_RATE * r * cos_u) / h

    f = orbit.semi_major_axis.dtype
    d_a, d_ex, d_ey, d_i, d_raan = (v[0].astype(f) for v in (d_a, d_ex, d_ey, d_i, d_raan))
    k = (-0.5 * 1000.0 * SECONDS_PER_DAY) * jnp.asarray(ballistic_coefficient, f)  # B rho in 1/m: 1000 of them in a km
    push_x, push_y = _radiation(orbit, mjd, radiation_coefficient)
    d_ex, d_ey = k * d_ex + push_x, k * d_ey + push_y
    raan_rate, perigee_rate = j2_rates(orbit)
    return Rates(
        MeanOrbit(
            k * d_a,
            turn_c * d_ex + turn_s * d_ey,
            turn_c * d_ey - turn_s * d_ex,
            k * d_i,
            k * d_raan + raan_rate,
            perigee_rate,
        ),
        mean(density)[0].astype(f),
    )


def _equal(ex: Array, ey: Array) -> tuple[Array, Array, Array]:
    """Quadrature points equally spaced in argument of latitude from zero: cos u, sin u and the weight (share of time) of each."""
    u = TWO_PI * np.arange(POINTS) / POINTS
    cos_u, sin_u = _as_first_axis(np.cos(u), ex), _as_first_axis(np.sin(u), ex)
    e2 = ex * ex + ey * ey
    slow = 1.0 / (1.0 + ex * cos_u + ey * sin_u)
    return cos_u, sin_u, slow * slow * ((1.0 - e2) * jnp.sqrt(1.0 - e2) * (1.0 / POINTS))


def _warped(ex: Array, ey: Array) -> tuple[Array, Array, Array]:
    """Quadrature points at eccentric anomalies E = x - 0.9 sin x, x equally spaced: cos u, sin u and the weight of each.

    The substitution is smooth and periodic, so that the sum converges as fast as that over equal points.
    """
    x = TWO_PI * np.arange(ELLIPTIC_POINTS) / ELLIPTIC_POINTS
    anomaly = x - _WARP * np.sin(x)
    cos_e, sin_e = _as_first_axis(np.cos(anomaly), ex), _as_first_axis(np.sin(anomaly), ex)
    stretch = _as_first_axis((1.0 - _WARP * np.cos(x)) / ELLIPTIC_POINTS, ex)
    # an orbit may become circular: its perigee is then anywhere, and any is right
    shifted = ex + 1e-9
    size = jnp.sqrt(shifted * shifted + ey * ey + 1e-30)
    cos_w, sin_w = shifted / size, ey / size
    e = jnp.sqrt(ex * ex + ey * ey + 1e-18)
    near = 1.0 - e * cos_e
    cos_v, sin_v = (cos_e - e) / near, jnp.sqrt(1.0 - e * e) * sin_e / near
    return cos_w * cos_v - sin_w * sin_v, sin_w * cos_v + cos_w * sin_v, near * stretch


def _as_first_axis(values: Any, like: Array) -> Array:
    """Reshape values at the quadrature points to broadcast with the satellites' arrays of shape (1, ...)."""
    return jnp.asarray(values, like.dtype).reshape((-1,) + (1,) * (like.ndim - 1))


def j2_rates(orbit: MeanOrbit) -> tuple[Array, Array]:
    """Secular rates of raan and argument of perigee by J2, rad/day."""
    e2 = orbit.eccentricity_x**2 + orbit.eccentricity_y**2
    raan_rate, perigee_rate, _ = secular_rates(orbit.semi_major_axis, e2, sincos(orbit.inclination)[1], jnp)
    return SECONDS_PER_DAY * raan_rate, SECONDS_PER_DAY * perigee_rate


def advance_secular(orbit: MeanOrbit, days: ArrayLike) -> MeanOrbit:
    """Advance raan and perigee by some days of J2 alone. Any shape."""
    raan_rate, perigee_rate = j2_rates(orbit)
    return orbit._replace(raan=orbit.raan + raan_rate * days, perigee_drift=orbit.perigee_drift + perigee_rate * days)


def _radiation(orbit: MeanOrbit, mjd: ArrayLike, coefficient: ArrayLike) -> tuple[Array, Array]:
    """Rate of the eccentricity vector by radiation pressure without shadow, 3/2 F x h / mu, per day; axes from the node."""
    sin_o, cos_o = sincos(node_local_time(orbit.raan, mjd))
    sin_i, cos_i = sincos(orbit.inclination)
    # at its mean longitude, as the local time of the node is that of the mean Sun
    sin_l = sincos(mean_sun_right_ascension(jnp.asarray(mjd)))[0]
    sin_d = math.sin(23.44 * DEGREE) * sin_l
    cos_d = jnp.sqrt(1.0 - sin_d * sin_d)
    sun_x, sun_y = -cos_d * cos_o, cos_d * cos_i * sin_o + sin_i * sin_d
    size = jnp.asarray(coefficient, orbit.semi_major_axis.dtype) * (1.5e-3 * SOLAR_PRESSURE * SECONDS_PER_DAY)
    size = size * jnp.sqrt(orbit.semi_major_axis * (1.0 / MU))
    return -size * sun_y, size * sun_x
