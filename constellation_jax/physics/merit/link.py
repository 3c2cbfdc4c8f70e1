"""Links: slant range, light time and path loss, by elevation and averaged over the satellites in view.

On a sphere of 6378.137 km. Deliberately absent: refraction, rain, antenna gains, processing on board and links between satellites.
"""

import math
from collections.abc import Callable
from typing import Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import DEGREE, SPEED_OF_LIGHT
from constellation_jax.physics.merit.coverage import cap_half_angle_deg, mean_in_cap
from constellation_jax.physics.merit.geometry import R, gauss_legendre
from constellation_jax.physics.merit.shells import Shells, broadcast, numbers, numbers_by_latitude
from constellation_jax.physics.numerics.arrays import floats

_CAP_NODES: Final = 16
_FOOTPRINT_NODES: Final = 12


def slant_range_km(altitude_km: ArrayLike, elevation_deg: ArrayLike) -> Array:
    """Distance from the ground to a satellite seen at an elevation (deg), km. Shapes that broadcast.

    Reference: Wertz, Mission Geometry; Orbit and Constellation Design and Management (2001), section 9.1.
    """
    h, e = floats(altitude_km, elevation_deg)
    e = e * DEGREE
    up = R * jnp.sin(e)
    # sqrt(r^2 - R^2 cos^2 e) - R sin e, in the form that loses no digits overhead; h > 0 keeps the root off zero
    above = h * (h + 2.0 * R)
    return above / (jnp.sqrt(above + up * up) + up)


def light_time_ms(distance_km: ArrayLike) -> Array:
    """One-way light time over a distance, ms. Any shape."""
    return floats(distance_km)[0] * (1000.0 / SPEED_OF_LIGHT)


def free_space_loss_db(distance_km: ArrayLike, frequency_ghz: ArrayLike) -> Array:
    """Loss between isotropic antennas, 20 log10(4 pi d f / c), dB. Shapes that broadcast.

    Reference: Friis, "A note on a simple transmission formula", Proc. IRE 34, 254 (1946); ITU-R P.525-4 (2019), equation 4.
    """
    d, f = floats(distance_km, frequency_ghz)
    return (20.0 / math.log(10.0)) * jnp.log(d * f * (4.0e9 * math.pi / (SPEED_OF_LIGHT)))


def round_trip_ms(altitude_km: ArrayLike, elevation_deg: ArrayLike, gateway_elevation_deg: ArrayLike) -> Array:
    """User to satellite to gateway and back, by light alone, ms. Shapes that broadcast.

    Args:
        altitude_km: of the satellite.
        elevation_deg: of the satellite at the user.
        gateway_elevation_deg: of the satellite at the gateway.
    """
    there = slant_range_km(altitude_km, elevation_deg) + slant_range_km(altitude_km, gateway_elevation_deg)
    return light_time_ms(2.0 * there)


def mean_over_cap(shells: Shells, latitude_deg: ArrayLike, of_range: Callable[[Array], Array]) -> Array:
    """Mean of a function of the slant range over all satellites in view, time and longitude, shape (..., latitudes).

    Each satellite in view counts once, wherever it is in the cap. Where none is ever in view the mean is the value at the
    least elevation.

    Args:
        shells: with their least elevation.
        latitude_deg: geocentric, shape (latitudes,).
        of_range: of the slant range in km (any shape), such as `light_time_ms`.

    The number within an angle psi of the observer is M(psi), so the mean is f(edge) - integral of M(psi) / M(edge) df: smooth
    wherever M is.
    """
    wanted = ("orbit.altitude_km", "orbit.inclination_deg", "spacecraft.min_elevation_deg")
    shape, phi, (h, i, mask) = numbers_by_latitude(shells, latitude_deg, *wanted)
    edge = jnp.arccos(jnp.clip(R / (h + R) * jnp.cos(mask * DEGREE), 0.0, 1.0 - 1e-12)) - mask * DEGREE
    x, weight = gauss_legendre(_CAP_NODES, 0.0, 1.0, h.dtype)

    def at(fraction: Array) -> tuple[Array, Array]:
        """Number within a fraction of the edge's angle, and the slope of the function there by the fraction."""
        one = jnp.ones_like(fraction)
        slope = jax.jvp(lambda t: of_range(_range_at_angle(h, edge * t)), (fraction,), (one,))[1]
        return mean_in_cap(phi, i, edge * fraction), slope

    within, slopes = jax.vmap(at)(x)
    total = mean_in_cap(phi, i, edge)
    some = total > 1e-9
    share = jnp.where(some[None], within / jnp.where(some, total, 1.0)[None], 0.0)
    last = of_range(_range_at_angle(h, edge))
    mean = last[:, None] - jnp.sum(weight[:, None, None] * share * slopes[:, :, None], axis=0)
    return mean.reshape(*shape, -1)


def mean_over_footprint(shells: Shells, of_range: Callable[[Array], Array]) -> Array:
    """Mean of a function of the slant range over the area that a satellite serves, of the shape of the shells.

    That is also its mean over all satellites in view of users who are spread evenly over the Earth.

    Args:
        shells: with their least elevation.
        of_range: of the slant range in km (any shape), such as `light_time_ms`.
    """
    h, mask = broadcast(*numbers(shells, "orbit.altitude_km", "spacecraft.min_elevation_deg"))
    shape, h, edge = h.shape, h.reshape(-1, 1), cap_half_angle_deg(h, mask).reshape(-1, 1) * DEGREE
    x, weight = gauss_legendre(_FOOTPRINT_NODES, 0.0, 1.0, h.dtype)
    below = (1.0 - jnp.cos(edge)) * x[None]  # 1 - cos(angle) in equal steps: equal areas of the cap
    ranges = jnp.sqrt(h**2 + 2.0 * R * (R + h) * below)
    return jnp.matmul(of_range(ranges), weight, precision="highest").reshape(shape)  # else in 11 bits on a GPU


def _range_at_angle(h: Array, psi: Array) -> Array:
    """Distance to a satellite at an angle psi about the Earth's centre, km."""
    return jnp.sqrt(h * h + 4.0 * R * (R + h) * jnp.sin(0.5 * psi) ** 2)
