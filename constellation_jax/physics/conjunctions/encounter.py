"""Encounter of two objects at their closest approach: its plane, its axes and the validity of the plane.

One event at a time. Deliberately absent: the search for approaches.

Reference: Foster & Estes, "A parametric analysis of orbital debris collision probability and maneuver rate for space vehicles",
NASA JSC-25898 (1992); Alfano, "A numerical implementation of spherical object collision probability", J. Astronaut. Sci. 53, 103
(2005).
"""

from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.physics.constants import MU, TWO_PI

SLOWEST_KM_S: Final = 0.01
"""Relative speed below which an encounter counts as slow, km/s."""
LONGEST_IN_PERIODS: Final = 0.005
"""Longest passage through the covariance, in orbital periods, in which the relative motion counts as straight."""
LARGEST_SAG: Final = 0.15
"""Largest sag of the arc of the in-track deviations, in smaller deviations of the encounter plane, at which a covariance counts
as an ellipsoid: along a longer arc it bends out of the plane."""


class EncounterPlane(NamedTuple):
    """Miss and covariance of an encounter in the plane normal to the relative velocity, along the principal axes; scalars."""

    minor_miss: Array
    """Component of the miss along the axis of the smaller standard deviation, km, 0 or more."""
    major_miss: Array
    """Component along the axis of the larger one, km, 0 or more."""
    minor_sigma: Array
    """Smaller standard deviation, km; NaN where the covariance is not positive."""
    major_sigma: Array
    """Larger standard deviation, km; NaN where the covariance is not positive."""


def ric_axes(position: Any, velocity: Any) -> Any:
    """Unit vectors radial, in-track and cross-track of orbits, as rows, shape (..., 3, 3); NumPy arrays of NumPy arrays.

    Args:
        position: km, inertial, shape (..., 3), not zero.
        velocity: km/s, shape (..., 3), not along the position.
    """
    xp: Any = np if isinstance(position, np.ndarray) else jnp
    radial = position / xp.linalg.norm(position, axis=-1, keepdims=True)
    normal = xp.cross(position, velocity)
    cross = normal / xp.linalg.norm(normal, axis=-1, keepdims=True)
    return xp.stack([radial, xp.cross(cross, radial), cross], axis=-2)


def osculating_period(position: Array, velocity: Array) -> Array:
    """Period of the two-body orbit, s, from position (km) and inertial velocity (km/s), shape (3,); inf where it is not closed."""
    inverse_axis = 2.0 / jnp.linalg.norm(position) - (velocity @ velocity) / MU
    is_closed = inverse_axis > 0.0
    axis = 1.0 / jnp.where(is_closed, inverse_axis, 1.0)
    return jnp.where(is_closed, TWO_PI * jnp.sqrt(axis**3 / MU), jnp.inf)


def project_on_plane(relative_position: Array, relative_velocity: Array, covariance: Array) -> EncounterPlane:
    """Project an encounter on the plane normal to the relative velocity.

    Args:
        relative_position: km, inertial, shape (3,); any direction.
        relative_velocity: km/s, same frame, shape (3,), not zero.
        covariance: sum of the position covariances of both objects, km2, same frame, shape (3, 3).
    """
    w = relative_velocity / jnp.linalg.norm(relative_velocity)
    # two axes normal to w without a singular direction (Duff et al., J. Comput. Graph. Tech. 6, 1, 2017, equation 3)
    sign = jnp.where(w[2] >= 0.0, 1.0, -1.0)
    a = -1.0 / (sign + w[2])
    b = w[0] * w[1] * a
    axes = jnp.stack(
        [jnp.stack([1.0 + sign * w[0] ** 2 * a, sign * b, -sign * w[0]]), jnp.stack([b, sign + w[1] ** 2 * a, -w[1]])]
    )
    plane = axes @ covariance @ axes.T
    x, y = axes @ relative_position
    half, off = 0.5 * (plane[0, 0] - plane[1, 1]), 0.5 * (plane[0, 1] + plane[1, 0])
    square = half**2 + off**2
    # a circle has no principal axes: any do, and the floor keeps the derivative of the root finite there
    is_round = square <= 1e-30 * (plane[0, 0] + plane[1, 1]) ** 2
    root = jnp.where(is_round, 0.0, jnp.sqrt(jnp.where(is_round, 1.0, square)))
    major = 0.5 * (plane[0, 0] + plane[1, 1]) + root
    is_positive = major > 0.0
    # the difference of mean and root would leave no digits of a thin ellipse
    minor = (plane[0, 0] * plane[1, 1] - off**2) / jnp.where(is_positive, major, 1.0)
    is_positive &= minor > 0.0
    angle = 0.5 * jnp.arctan2(jnp.where(is_round, 0.0, off), jnp.where(is_round, 1.0, half))
    cos, sin = jnp.cos(angle), jnp.sin(angle)

    def deviation(variance: Array) -> Array:
        return jnp.where(is_positive, jnp.sqrt(jnp.where(is_positive, variance, 1.0)), jnp.nan)

    return EncounterPlane(jnp.abs(cos * y - sin * x), jnp.abs(cos * x + sin * y), deviation(minor), deviation(major))


def is_two_dimensional(
    plane: EncounterPlane,
    relative_velocity: Array,
    covariance: Array,
    in_track_variance: Array,
    radius: Array,
    orbit_radius: Array,
    orbital_period: Array,
) -> Array:
    """Validity of the probability in the encounter plane: straight relative motion through a covariance that is not bent.

    Three rules of thumb: faster than `SLOWEST_KM_S`; sqrt(sigma_v^2 + R^2) / v, with the deviation along the relative velocity,
    below `LONGEST_IN_PERIODS`; and sigma_I^2 / (2 r), summed over both objects, below `LARGEST_SAG` of the smaller deviation. Of
    NASA CARA's 53 real encounters, from which the limits were chosen, they find all 29 in which the probability in the plane is
    wrong, and object to 5 of the 24 others (tests/physics/conjunctions/test_collision_probability.py). False for a covariance
    that is not positive.

    Args:
        plane: of `project_on_plane`.
        relative_velocity: km/s, inertial, shape (3,).
        covariance: as for `project_on_plane`.
        in_track_variance: sum of the in-track variances of both objects, km2.
        radius: combined hard-body radius, km.
        orbit_radius: distance from the Earth's centre, km.
        orbital_period: of either object, s.
    """
    speed = jnp.sqrt(jnp.maximum(relative_velocity @ relative_velocity, 1e-30))
    w = relative_velocity / speed
    along2 = w @ covariance @ w
    passage = jnp.sqrt(jnp.maximum(along2, 0.0) + radius**2) / speed
    sag = in_track_variance / (2.0 * orbit_radius)
    return (
        (speed >= SLOWEST_KM_S)
        & (passage <= LONGEST_IN_PERIODS * orbital_period)
        & (sag <= LARGEST_SAG * plane.minor_sigma)
        & (along2 >= 0.0)
    )
