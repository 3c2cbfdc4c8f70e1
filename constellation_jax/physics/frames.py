"""Conversion from TEME, the frame of SGP4, to the rotating Earth (ITRS) and to geodetic coordinates over WGS-84.

    TEME --GMST82(UT1)--> PEF --polar motion--> ITRS --> latitude, longitude, altitude

Deliberately absent: GCRS and the IAU 2000/2006 chain, whose differences are below the error of SGP4; astropy has them.

Reference: Vallado et al., AIAA 2006-6753 (2006), appendix C; Aoki et al., Astron. Astrophys. 105, 359 (1982), eq. 13 (GMST82);
Fukushima, J. Geodesy 79, 689 (2006) (geodetic coordinates by Halley's method).
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import (
    EARTH_ROTATION_RATE,
    MJD_J2000,
    TWO_PI,
    WGS84_EQUATORIAL_RADIUS_KM,
    WGS84_FLATTENING,
)
from constellation_jax.physics.numerics.fastmath import horner, sincos


def gmst82(day: ArrayLike, fraction: ArrayLike) -> Array:
    """Greenwich mean sidereal time of 1982, rad, between 0 and 2 pi.

    Args:
        day: Modified Julian Date (UT1) of midnight: whole days.
        fraction: rest of the date, days. A separate argument, so that no digit of the time of day is lost, float32 included.
    """
    return sidereal_time(jnp.asarray(day), jnp.asarray(fraction), jnp.floor)


def sidereal_time(day: Any, fraction: Any, floor: Callable[[Any], Any]) -> Any:
    """As `gmst82`. Only operators beside the function for the whole part: also serves NumPy on the host."""
    days = (day - MJD_J2000) + fraction
    centuries = days * (1.0 / 36525.0)
    # Aoki eq. 13 with 876600 h a century written as whole days, which drop out: 67310.54841 s is GMST at the 12 h of J2000
    turn = (fraction - 0.5) + horner(
        centuries, (67310.54841 / 86400.0, 8640184.812866 / 86400.0, 0.093104 / 86400.0, -6.2e-6 / 86400.0)
    )
    return TWO_PI * (turn - floor(turn))


def teme_to_pef(position_teme: Array, gmst: ArrayLike) -> Array:
    """Rotate a vector of shape (..., 3) from TEME to the pseudo Earth-fixed frame by the sidereal time (rad)."""
    x, y, z = (position_teme[..., k] for k in range(3))
    s, c = sincos(jnp.asarray(gmst))
    return jnp.stack([c * x + s * y, c * y - s * x, z + 0.0 * s], axis=-1)


def pef_to_itrs(position_pef: Array, polar_x: ArrayLike, polar_y: ArrayLike) -> Array:
    """Rotate a vector of shape (..., 3) from the pseudo Earth-fixed frame to ITRS by the coordinates of the pole (rad)."""
    x, y, z = (position_pef[..., k] for k in range(3))
    sx, cx = sincos(jnp.asarray(polar_x))
    sy, cy = sincos(jnp.asarray(polar_y))
    x, z = cx * x + sx * z, cx * z - sx * x
    return jnp.stack([x, cy * y - sy * z, sy * y + cy * z], axis=-1)


def teme_to_itrs(
    position_teme: Array, velocity_teme: Array, gmst: ArrayLike, polar_x: ArrayLike, polar_y: ArrayLike
) -> tuple[Array, Array]:
    """Position (km) and velocity relative to the rotating Earth (km/s) in ITRS, from those in TEME.

    Args:
        position_teme: position, km, shape (..., 3).
        velocity_teme: velocity, km/s, shape (..., 3).
        gmst: `gmst82` of UT1, rad, shape (...).
        polar_x, polar_y: coordinates of the pole, rad.
    """
    position, velocity = teme_to_pef(position_teme, gmst), teme_to_pef(velocity_teme, gmst)
    turning = EARTH_ROTATION_RATE * jnp.stack([position[..., 1], -position[..., 0], 0.0 * position[..., 2]], axis=-1)
    return pef_to_itrs(position, polar_x, polar_y), pef_to_itrs(velocity + turning, polar_x, polar_y)


def geodetic_altitude(x: Array, y: Array, z: Array) -> Array:
    """Geodetic altitude above the WGS-84 ellipsoid, km, of a point in ITRS (km). Finite value and gradient except at the centre."""
    return _geodetic(x, y, z)[0]


def geodetic(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Geodetic latitude (rad), longitude (rad, -pi to pi) and altitude above the WGS-84 ellipsoid (km) of a point in ITRS (km)."""
    altitude, sin_latitude, cos_latitude = _geodetic(x, y, z)
    # On the axis the longitude has no meaning: 0 is given there, with a gradient of 0
    axis = (x == 0.0) & (y == 0.0)
    longitude = jnp.arctan2(jnp.where(axis, 0.0, y), jnp.where(axis, 1.0, x))
    return jnp.arctan2(sin_latitude, cos_latitude), longitude, altitude


def _geodetic(x: Array, y: Array, z: Array) -> tuple[Array, Array, Array]:
    """Altitude, and sine and cosine of the latitude up to a common factor, by one step of Halley's method (Fukushima 2006)."""
    a, e2 = WGS84_EQUATORIAL_RADIUS_KM, WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)
    ec = 1.0 - WGS84_FLATTENING  # sqrt(1 - e^2)
    rho2 = x * x + y * y
    # the square root has no gradient on the axis, so it stops a tenth of a micrometre short of it
    rho = jnp.sqrt(jnp.maximum(rho2, 1e-20))
    p = rho * (1.0 / a)
    # Halley's step from tan(reduced latitude) = |z| / (ec p), with his coefficient B in the form that this start gives it;
    # one step gives the height to a micrometre and the place to a millimetre, up to 100,000 km (tests/physics/test_frames.py)
    s0, c0 = jnp.abs(z) * (1.0 / a), ec * p
    a0_squared = s0 * s0 + c0 * c0
    a0 = jnp.sqrt(a0_squared)
    d = ec * s0 * a0_squared * a0 + e2 * s0**3
    f = p * a0_squared * a0 - e2 * c0**3
    b = 1.5 * e2 * e2 * s0 * s0 * c0 * c0 * p * (a0 - ec)
    s, c = d * f - b * s0, f * f - b * c0
    cc = ec * c
    norm = jnp.sqrt(cc * cc + s * s)
    height = (rho * cc + jnp.abs(z) * s - a * jnp.sqrt(ec * ec * s * s + cc * cc)) / norm
    return height, jnp.where(z < 0.0, -s, s), cc
