"""Conversion between the Kozai mean motion of element sets and the Brouwer mean motion with which SGP4 works.

Only operators are used, so the same lines serve NumPy arrays on the host (altitudes of a catalogue, elements of a shell) and
traced JAX arrays inside the kernels. No type covers both, hence the functions without any.

Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 6, first block; Vallado et al., AIAA 2006-6753, function initl.
"""

from constellation_jax.physics.constants import GravityModel


def kozai_to_brouwer(mean_motion, eccentricity, cos_inclination, gravity: GravityModel):  # type: ignore[no-untyped-def]
    """Brouwer mean motion (rad/min) and semi-major axis (Earth radii) from the Kozai mean motion (rad/min) of an element set."""
    k = _oblateness(eccentricity, cos_inclination, gravity)
    a = (gravity.xke / mean_motion) ** (2.0 / 3.0)
    d = k / (a * a)
    a = a * (1.0 - d * d - d * (1.0 / 3.0 + 134.0 * d * d / 81.0))
    brouwer = mean_motion / (1.0 + k / (a * a))
    return brouwer, (gravity.xke / brouwer) ** (2.0 / 3.0)


def semi_major_axis_km(mean_motion, gravity: GravityModel):  # type: ignore[no-untyped-def]
    """Semi-major axis by Kepler's third law, km, from a mean motion in rad/min; for a Kozai mean motion right to some km."""
    return gravity.equatorial_radius_km * (gravity.xke / mean_motion) ** (2.0 / 3.0)


def brouwer_to_kozai(brouwer_mean_motion, eccentricity, cos_inclination, gravity: GravityModel):  # type: ignore[no-untyped-def]
    """Kozai mean motion (rad/min) whose `kozai_to_brouwer` is the given Brouwer mean motion (rad/min), to rounding."""
    kozai = brouwer_mean_motion
    for _ in range(6):  # each pass gains a factor of about J2: six reach the last bit from any starting point
        back, _ = kozai_to_brouwer(kozai, eccentricity, cos_inclination, gravity)
        kozai = kozai * (brouwer_mean_motion / back)
    return kozai


def _oblateness(eccentricity, cos_inclination, gravity: GravityModel):  # type: ignore[no-untyped-def]
    """Factor of 1 / a^2 in the J2 correction of the mean motion."""
    beta2 = 1.0 - eccentricity * eccentricity
    return 0.75 * gravity.j2 * (3.0 * cos_inclination * cos_inclination - 1.0) / (beta2 * beta2**0.5)
