"""Slow motions in closed form: the secular rates by J2, and the mean Sun.

The same lines serve NumPy arrays on the host and traced JAX arrays. Deliberately absent: the second
order in J2, and J4 (`sgp4.common` and `inputs.shells.mean_orbits` have them, as SGP4 counts them).
"""

from typing import Any

from constellation_jax.physics.constants import DEGREE, J2_RADIUS2, MJD_J2000, MU


def secular_rates(
    semi_major_axis: Any, eccentricity_squared: Any, cos_inclination: Any, xp: Any
) -> tuple[Any, Any, Any]:
    """Rates of raan, argument of perigee and mean anomaly to the first order in J2, rad/s. Any shape.

    Args:
        semi_major_axis: mean, km.
        eccentricity_squared: square of the mean eccentricity, below 1.
        cos_inclination: cosine of the inclination.
        xp: the module that takes square roots, jax.numpy or numpy: XLA keeps a power of 0.5 as a power, a call for each lane.

    Reference:
        Vallado (2013), Fundamentals of Astrodynamics and Applications, 4th ed., equations 9-37, 9-39 and 9-41.
    """
    mean_motion = MU**0.5 / (semi_major_axis * xp.sqrt(semi_major_axis))
    beta2 = 1.0 - eccentricity_squared
    p = semi_major_axis * beta2
    k = 0.75 * J2_RADIUS2 * mean_motion / (p * p)
    cos2 = cos_inclination * cos_inclination
    return (
        -2.0 * k * cos_inclination,  # 9-37
        k * (5.0 * cos2 - 1.0),  # 9-39
        mean_motion + k * xp.sqrt(beta2) * (3.0 * cos2 - 1.0),  # 9-41
    )


def mean_sun_right_ascension(mjd: Any) -> Any:
    """Right ascension of the fictitious mean Sun, from which mean solar time counts, rad, any number of turns.

    It equals the mean longitude of the Sun.

    Args:
        mjd: Modified Julian Date (UT1; UTC will do), any shape.

    Reference:
        Vallado (2013), Fundamentals of Astrodynamics and Applications, 4th ed., algorithm 29. GMST82 at 12 h UT (Aoki et al.,
        Astron. Astrophys. 105, 359, 1982, eq. 13) is 0.0004 degrees more in 2026, a tenth of a second of local time.
    """
    return DEGREE * 280.460 + (DEGREE * 36000.771 / 36525.0) * (mjd - MJD_J2000)
