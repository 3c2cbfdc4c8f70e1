"""Satellites as seen from the ground: places on the ellipsoid, azimuth, elevation and range, the Sun, and the Earth's shadow.

Vectors are tuples of three arrays that broadcast, km. Deliberately absent: refraction, light time and the aberration by it (a
satellite moves less than 0.01 degrees meanwhile), and the flattening of the Earth in its shadow (6378.137 km all round), which
moves an edge by a second or two at high latitudes.

Reference: Vallado (2013), Fundamentals of Astrodynamics and Applications, 4th ed., sections 3.2 and 4.4; The Astronomical Almanac
(2024), page C5 (the Sun); Montenbruck & Gill, Satellite Orbits (2000), section 3.4.2 (shadow).
"""

from typing import Any, Final

import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.constants import (
    DEGREE,
    MJD_J2000,
    TWO_PI,
    WGS84_EQUATORIAL_RADIUS_KM,
    WGS84_FLATTENING,
)

ASTRONOMICAL_UNIT_KM: Final = 149597870.7
"""Astronomical unit, km, exact (IAU 2012, resolution B2)."""
SUN_RADIUS_KM: Final = 695700.0
"""Nominal radius of the Sun, km (IAU 2015, resolution B3)."""
_E2: Final = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)


def site_position(latitude: Any, longitude: Any, altitude: Any, xp: Any = jnp) -> tuple[Any, Any, Any]:
    """Position of a place in ITRS, km, from geodetic latitude and longitude (rad) and altitude over WGS-84 (km). Any shape.

    Args:
        xp: jnp, or np on the host.
    """
    sine = xp.sin(latitude)
    normal = WGS84_EQUATORIAL_RADIUS_KM / xp.sqrt(1.0 - _E2 * sine * sine)
    off_axis = (normal + altitude) * xp.cos(latitude)
    return off_axis * xp.cos(longitude), off_axis * xp.sin(longitude), (normal * (1.0 - _E2) + altitude) * sine


def site_axes(latitude: Any, longitude: Any, xp: Any = jnp) -> tuple[tuple[Any, Any, Any], ...]:
    """Unit vectors in ITRS to the east, to the north and up at a place, latitude geodetic, rad. Any shape."""
    (sin_phi, cos_phi), (sin_lam, cos_lam) = ((xp.sin(v), xp.cos(v)) for v in (latitude, longitude))
    east = (-sin_lam, cos_lam, xp.zeros_like(sin_lam))
    north = (-sin_phi * cos_lam, -sin_phi * sin_lam, cos_phi)
    return east, north, (cos_phi * cos_lam, cos_phi * sin_lam, sin_phi)


def look_angles(away: Any, east: Any, north: Any, up: Any) -> tuple[Array, Array, Array]:
    """Azimuth from the north to the east (rad, 0 to 2 pi), elevation (rad) and range (km) of a satellite.

    In the zenith the azimuth has no meaning: 0 is given there, with a gradient of 0.

    Args:
        away: position of the satellite minus that of the place, ITRS, km.
        east, north, up: `site_axes` of the place.
    """
    e, n, u = (dot(away, axis) for axis in (east, north, up))
    is_zenith = (e == 0.0) & (n == 0.0)
    azimuth = jnp.arctan2(jnp.where(is_zenith, 0.0, e), jnp.where(is_zenith, 1.0, n))
    # the square root has no gradient in the zenith, so it stops a micrometre short of it
    across = jnp.sqrt(jnp.maximum(e * e + n * n, 1e-18))
    return jnp.where(azimuth < 0.0, azimuth + TWO_PI, azimuth), jnp.arctan2(u, across), jnp.sqrt(across**2 + u * u)


def sun_position(mjd: Any, xp: Any = jnp) -> tuple[Any, Any, Any]:
    """Position of the Sun in the mean equator and equinox of date, km: in TEME within 0.01 degrees, 1950 to 2050. Any shape.

    Args:
        mjd: Modified Julian Date; UTC will do.
        xp: jnp, or np on the host.
    """
    days = mjd - MJD_J2000
    anomaly = DEGREE * (357.528 + 0.9856003 * days)
    longitude = DEGREE * (280.460 + 0.9856474 * days + 1.915 * xp.sin(anomaly) + 0.020 * xp.sin(2.0 * anomaly))
    obliquity = DEGREE * (23.439 - 4e-7 * days)
    distance = ASTRONOMICAL_UNIT_KM * (1.00014 - 0.01671 * xp.cos(anomaly) - 0.00014 * xp.cos(2.0 * anomaly))
    across = distance * xp.sin(longitude)
    return distance * xp.cos(longitude), across * xp.cos(obliquity), across * xp.sin(obliquity)


def sunlit_fraction(position: Any, sun: Any) -> Array:
    """Fraction of the Sun's disc that a satellite sees past the Earth: 1 in sunlight, 0 in the umbra, between in the penumbra.

    The limb of the Earth is taken as straight over the disc, which from GEO misses it by less than 0.5 % of its area.

    Args:
        position: of the satellite, km, in any frame about the Earth's centre.
        sun: position of the Sun in the same frame, km.
    """
    radius2 = dot(position, position)
    to_sun = tuple(s - r for s, r in zip(sun, position, strict=True))
    distance = jnp.sqrt(dot(to_sun, to_sun))
    # angle at the satellite between the Sun and the middle of the Earth, and that by which the Earth's limb is off its middle.
    # Square roots have no finite slope at 0: where the Sun is behind the middle of the Earth or opposite to it, and on the ground
    cosine = jnp.clip(-dot(position, to_sun) / (jnp.sqrt(radius2) * distance), -1.0 + 1e-12, 1.0 - 1e-12)
    sine = jnp.sqrt(1.0 - cosine * cosine)
    limb_sine = jnp.minimum(WGS84_EQUATORIAL_RADIUS_KM / jnp.sqrt(radius2), 1.0 - 1e-12)
    limb_cosine = jnp.sqrt(1.0 - limb_sine * limb_sine)
    off = (
        sine * limb_cosine - cosine * limb_sine
    )  # sine of their difference, which within the penumbra is the angle to 4e-6 of it
    is_opposite = cosine * limb_cosine + sine * limb_sine < 0.0
    beyond = jnp.clip(jnp.where(is_opposite, 1.0, off * distance / SUN_RADIUS_KM), -1.0 + 1e-9, 1.0 - 1e-9)
    area = 0.5 + (beyond * jnp.sqrt(1.0 - beyond * beyond) + jnp.arcsin(beyond)) / (0.5 * TWO_PI)
    return jnp.where(beyond <= -1.0 + 2e-9, 0.0, jnp.where(beyond >= 1.0 - 2e-9, 1.0, area))


def dot(a: Any, b: Any) -> Any:
    """Scalar product of two vectors of three arrays each."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
