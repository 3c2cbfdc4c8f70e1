"""Geometry shared by the figures of merit: radius of a shell at a latitude, and the view of an observer on the ellipsoid.

A shell's altitude is its mean semi-major axis (Brouwer) minus 6378.137 km, as in a shell file; an eccentricity of 0 (SGP4 mean) is
the frozen orbit, so that the radius is a function of latitude. Deliberately absent: other eccentricities, and time.
"""

import math
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.physics.constants import DEGREE, J2_RADIUS2, WGS72, WGS84_EQUATORIAL_RADIUS_KM, WGS84_FLATTENING

R: Final = WGS84_EQUATORIAL_RADIUS_KM
_FROZEN_KM: Final = 0.5 * WGS72.j3_over_j2 * WGS72.equatorial_radius_km
_E2: Final = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)


class Observer(NamedTuple):
    """Observers on the ground, rad and km; arrays of one shape."""

    latitude: Array
    """Geocentric latitude."""
    tilt: Array
    """Geodetic minus geocentric latitude."""
    radius: Array


def observer(latitude_deg: Array, *, oblate: bool = True) -> Observer:
    """Make an observer from the geodetic latitude, deg; on a sphere of 6378.137 km unless `oblate` (static)."""
    geodetic = latitude_deg * DEGREE
    if not oblate:
        return Observer(geodetic, jnp.zeros_like(geodetic), jnp.full_like(geodetic, R))
    sine, cosine = jnp.sin(geodetic), jnp.cos(geodetic)
    prime_vertical = R / jnp.sqrt(1.0 - _E2 * sine**2)
    rho, z = prime_vertical * cosine, prime_vertical * (1.0 - _E2) * sine
    # never both zero: the ellipsoid does not go through the centre
    geocentric = jnp.arctan2(z, rho)
    return Observer(geocentric, geodetic - geocentric, jnp.sqrt(rho**2 + z**2))


def radius_at(altitude_km: Array, inclination: Array, sin_latitude: Array, *, oblate: bool = True) -> Array:
    """Distance from the centre of a frozen orbit at a geocentric latitude, km; inclination in rad, shapes that broadcast.

    Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 6: the short-period term of the radius at e = 0 with
    sin i sin u = sin(latitude), and a_yNL, whose a e sin u is the same for every orbit at that latitude.
    """
    a = altitude_km + R
    if not oblate:
        return a + 0.0 * sin_latitude
    k = 0.25 * J2_RADIUS2 / a
    return a + k * (10.0 * jnp.sin(inclination) ** 2 - 6.0 - 2.0 * sin_latitude**2) + _FROZEN_KM * sin_latitude


def frozen_surface_km(altitude_km: Array, inclination: Array) -> Array:
    """Altitude plus the radius that J2 adds by inclination, km: frozen orbits of equal value touch wherever they cross.

    It is `radius_at` without the terms that latitude alone gives (but for 0.2 % in them over 10 km of altitude).
    """
    return altitude_km + oblate_rise_km(altitude_km + R, jnp.sin(inclination))


def oblate_rise_km(semi_major_axis_km: Any, sin_inclination: Any) -> Any:
    """Radius that J2 adds to an orbit by its inclination, km. Operators alone, of JAX or of NumPy on the host."""
    return 2.5 * J2_RADIUS2 / semi_major_axis_km * sin_inclination**2


def cap_half_angle(radius: Array, ground: Array, elevation: Array) -> Array:
    """Angle at the Earth's centre between an observer and a satellite at an elevation, rad.

    Reference: Wertz, Mission Geometry; Orbit and Constellation Design and Management (2001), equations 9-3 to 9-5.
    """
    ratio = ground / radius * jnp.cos(elevation)
    # at a ratio of 1, a satellite on the ground, arccos has no finite slope: the cap stays constant from just above the ground down
    return jnp.arccos(jnp.clip(ratio, 0.0, 1.0 - 1e-7)) - elevation


def cap_centre(seen_from: Observer, radius: Array, elevation: Array) -> Array:
    """Geocentric latitude of the middle of the cap that is in view, rad.

    The plumb line leans by `tilt` from the radius, which to the first order moves the cap by -d(half-angle)/d(elevation) of it.
    """
    ratio = seen_from.radius / radius
    root = jnp.sqrt(jnp.maximum(1.0 - (ratio * jnp.cos(elevation)) ** 2, 1e-7))
    return seen_from.latitude + seen_from.tilt * (1.0 - ratio * jnp.sin(elevation) / root)


def plane_from(latitude: Array, inclination: Array, raan: Array) -> tuple[Array, Array, Array, Array]:
    """A direction from the Earth's centre as seen from an orbital plane: argument of latitude nearest to it, and unit vector.

    Args:
        latitude: of the direction, rad.
        inclination: of the plane.
        raan: of the plane, counted from the direction's longitude; any shape.

    Returns:
        Argument of latitude, and components to the ascending node, 90 degrees on along the orbit, and along the normal.
    """
    sin_i, cos_i = jnp.sin(inclination), jnp.cos(inclination)
    east, north = -jnp.sin(raan) * jnp.cos(latitude), jnp.sin(latitude)
    x, y, z = jnp.cos(raan) * jnp.cos(latitude), east * cos_i + north * sin_i, north * cos_i - east * sin_i
    off_pole = x * x + y * y > 1e-12  # at the pole of the orbit all arguments are equally near, and none has a slope
    return jnp.arctan2(jnp.where(off_pole, y, 0.0), jnp.where(off_pole, x, 1.0)), x, y, z


def gauss_legendre(n: int, low: float, high: float, dtype: Any) -> tuple[Array, Array]:
    """Nodes and weights of the Gauss-Legendre quadrature on an interval."""
    x, w = np.polynomial.legendre.leggauss(n)
    half = 0.5 * (high - low)
    return jnp.asarray(low + half * (x + 1.0), dtype), jnp.asarray(half * w, dtype)


HALF_PI: Final = 0.5 * math.pi
