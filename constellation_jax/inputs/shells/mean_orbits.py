"""Mean elements in SGP4's sense from the description of a shell (altitude, local time). NumPy on the host, any shape.

An altitude is always the mean semi-major axis in Brouwer's sense, with which SGP4 propagates, minus 6378.137 km.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.physics.constants import (
    DEGREE,
    MINUTES_PER_DAY,
    MJD_J2000,
    SECONDS_PER_DAY,
    TWO_PI,
    WGS72,
    WGS84_EQUATORIAL_RADIUS_KM,
)
from constellation_jax.physics.secular import mean_sun_right_ascension, secular_rates
from constellation_jax.physics.sgp4.brouwer import brouwer_to_kozai

TROPICAL_YEAR_DAYS = 365.2421897
"""Mean tropical year at J2000 (Simon et al. 1994, A&A 282, 663): one turn of the raan of a sun-synchronous orbit."""


def kozai_mean_motion_rev_per_day(
    altitude_km: ArrayLike, eccentricity: ArrayLike, inclination_deg: ArrayLike
) -> NDArray[np.float64]:
    """Mean motion that an element set carries (Kozai, rev/day) for a mean altitude (Brouwer, WGS-72). Any shape."""
    brouwer = WGS72.xke / _semi_major_axis(altitude_km) ** 1.5
    cos_inclination = np.cos(np.asarray(inclination_deg) * DEGREE)
    kozai = brouwer_to_kozai(brouwer, np.asarray(eccentricity), cos_inclination, WGS72)
    return np.asarray(kozai * (MINUTES_PER_DAY / TWO_PI))


def sun_synchronous_inclination_deg(altitude_km: ArrayLike, eccentricity: ArrayLike) -> NDArray[np.float64]:
    """Inclination at which the raan of SGP4 turns once a tropical year, deg, any shape; NaN where none does.

    Args:
        altitude_km: up to about 5,970 km; beyond it there is none.
        eccentricity: of the same shape.

    Reference:
        Hoots & Roehrich, Spacetrack Report 3 (1980), section 6: the secular rate of the raan, to the second order in J2. To
        the first it is Vallado (2013), Fundamentals of Astrodynamics and Applications, 4th ed., section 11.4.1, which
        leaves a drift of 4.5 minutes of local time a year at 560 km.
    """
    raan_rate = TWO_PI / (TROPICAL_YEAR_DAYS * MINUTES_PER_DAY)  # rad/min
    first, second, fourth = _raan_rate_terms(altitude_km, eccentricity)
    cos_inclination = np.zeros_like(first)
    for _ in range(8):  # the second order is a few thousandths of the first: each pass gains two digits
        cos2 = np.square(cos_inclination)
        cos_inclination = raan_rate / (-first + second * (4.0 - 19.0 * cos2) + fourth * (3.0 - 7.0 * cos2))
    with np.errstate(invalid="ignore"):
        return np.asarray(np.arccos(cos_inclination) / DEGREE)


def raan_rate_deg_per_day(
    altitude_km: ArrayLike, eccentricity: ArrayLike, inclination_deg: ArrayLike
) -> NDArray[np.float64]:
    """Rate of the raan in SGP4, without drag, deg/day eastwards. Any shape. Reference as for `sun_synchronous_inclination_deg`."""
    first, second, fourth = _raan_rate_terms(altitude_km, eccentricity)
    cosine = np.cos(np.asarray(inclination_deg) * DEGREE)
    rate = cosine * (-first + second * (4.0 - 19.0 * cosine**2) + fourth * (3.0 - 7.0 * cosine**2))
    return np.asarray(rate * MINUTES_PER_DAY / DEGREE)


def latitude_rate_deg_per_day(
    altitude_km: ArrayLike, eccentricity: ArrayLike, inclination_deg: ArrayLike
) -> NDArray[np.float64]:
    """Rate of the mean argument of latitude, deg/day, to the first order in J2. Any shape.

    Reference:
        Vallado (2013), 4th ed., equations 9-39 and 9-41: perigee and mean anomaly. The second order leaves some 0.01 deg/day.
    """
    a = np.asarray(altitude_km, np.float64) + WGS84_EQUATORIAL_RADIUS_KM
    _, perigee, anomaly = secular_rates(a, np.square(eccentricity), np.cos(np.asarray(inclination_deg) * DEGREE), np)
    return np.asarray((perigee + anomaly) * SECONDS_PER_DAY / DEGREE)


def wrap_deg(angle_deg: ArrayLike, period_deg: float = 360.0) -> NDArray[np.float64]:
    """Wrap angles to within half a period of 0, any shape."""
    half = period_deg / 2.0
    return np.asarray(np.mod(np.asarray(angle_deg, np.float64) + half, period_deg) - half)


def raan_of_local_time_deg(local_time_h: ArrayLike, days_since_j2000: float) -> NDArray[np.float64]:
    """Raan of an orbit whose ascending node crosses the equator at a local mean time, deg in [0, 360), any shape."""
    hours_from_noon = np.asarray(local_time_h, np.float64) - 12.0
    return np.mod(mean_sun_right_ascension_deg(days_since_j2000) + 15.0 * hours_from_noon, 360.0)


def mean_sun_right_ascension_deg(days_since_j2000: float) -> float:
    """Right ascension of the fictitious mean Sun, which local mean time counts from, deg.

    It equals the mean longitude of the Sun: `secular.mean_sun_right_ascension`.
    """
    return float(mean_sun_right_ascension(days_since_j2000 + MJD_J2000)) / DEGREE % 360.0


def frozen_eccentricity(altitude_km: ArrayLike, inclination_deg: ArrayLike) -> NDArray[np.float64]:
    """Eccentricity of a frozen orbit: J2 and J3 leave it as it is, the perigee at the highest latitude (90 degrees). Any shape.

    To the first order in J3 / J2 it is -J3 R sin(i) / (2 J2 a), 0.001 for an inclined low orbit.

    It is the eccentricity that the satellite flies, and not the `eccentricity` of an element set. SGP4 adds this same
    vector as its long-period term of J3 to a mean eccentricity that turns about it, so that an element set of
    eccentricity 0 is the frozen orbit, and one of 0.001 at 90 degrees swings between 0 and twice that.

    Reference:
        Cook (1966), "Perturbations of near-circular orbits by the Earth's gravitational potential", Planet. Space Sci.
        14, 433-444, with the odd zonals after J3 left out; the term of SGP4: Hoots & Roehrich, Spacetrack Report 3
        (1980), section 6, a_yNL.
    """
    sin_inclination = np.sin(np.asarray(inclination_deg) * DEGREE)
    return np.asarray(-0.5 * WGS72.j3_over_j2 * sin_inclination / _semi_major_axis(altitude_km))


def _raan_rate_terms(
    altitude_km: ArrayLike, eccentricity: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Terms of the rate of the raan in J2, J2 squared and J4, rad/min, before the powers of cos i."""
    a = _semi_major_axis(altitude_km)
    mean_motion = WGS72.xke / a**1.5  # rad/min
    semilatus_rectum = a * (1.0 - np.square(eccentricity))
    first = 1.5 * WGS72.j2 * mean_motion / semilatus_rectum**2
    second = 0.25 * first * WGS72.j2 / semilatus_rectum**2
    fourth = -0.9375 * WGS72.j4 * mean_motion / semilatus_rectum**4
    return first, second, fourth


def _semi_major_axis(altitude_km: ArrayLike) -> NDArray[np.float64]:
    """Semi-major axis in Earth radii of WGS-72."""
    return (np.asarray(altitude_km, np.float64) + WGS84_EQUATORIAL_RADIUS_KM) / WGS72.equatorial_radius_km
