"""Physical constants and constants of the standards, each with its source. No JAX here: host code reads them too.

Units are km, s, rad unless the name says otherwise.
"""

import math
from typing import Final, NamedTuple

TWO_PI: Final = 6.283185307179586
DEGREE: Final = TWO_PI / 360.0
"""One degree in rad."""

MINUTES_PER_DAY: Final = 1440.0
SECONDS_PER_DAY: Final = 86400.0
YEAR_DAYS: Final = 365.25
"""Days of a Julian year."""

MJD_1970: Final = 40587
"""Modified Julian Date of 1970 January 1, from which datetime64 counts."""
MJD_OFFSET: Final = 2400000.5
"""Julian Date minus Modified Julian Date."""
MJD_J2000: Final = 51544.5
"""Modified Julian Date of 2000 January 1, 12:00."""
MJD_1950: Final = 33281.0
"""Modified Julian Date of 1950 January 0.0, from which SGP4 counts the days of its lunar and solar terms."""

WGS84_EQUATORIAL_RADIUS_KM: Final = 6378.137
"""Semi-major axis of the WGS-84 ellipsoid (NIMA TR8350.2, 2000, table 3.1), from which mean altitudes count."""
WGS84_FLATTENING: Final = 1.0 / 298.257223563
"""Flattening of the WGS-84 ellipsoid (NIMA TR8350.2, 2000, table 3.1)."""

EARTH_ROTATION_RATE: Final = 7.292115146706979e-5
"""Rotation of the Earth relative to TEME, rad/s: the GMST82 rate used with TEME (Vallado et al., AIAA 2006-6753, appendix C)."""

SPEED_OF_LIGHT: Final = 299792.458
"""Speed of light, km/s, exact (17th CGPM, 1983)."""
STANDARD_GRAVITY: Final = 9.80665
"""Standard acceleration of gravity, m/s2, exact (3rd CGPM, 1901), the unit of specific impulse in seconds."""
SOLAR_PRESSURE: Final = 4.539e-6
"""Pressure of sunlight at 1 au on a body that absorbs it, N/m2: 1360.8 W/m2 (Kopp & Lean, GRL 38, L01706, 2011) over c."""


class GravityModel(NamedTuple):
    """Constants of one Earth model as SGP4 uses them (Vallado et al., AIAA 2006-6753, table 1 and function getgravconst).

    Hashable and static: it is an argument of the trace and never traced itself.
    """

    equatorial_radius_km: float
    xke: float
    """Square root of the gravitational parameter, Earth radii^1.5 per minute."""
    j2: float
    j3: float
    j4: float

    @property
    def j3_over_j2(self) -> float:
        return self.j3 / self.j2

    @property
    def velocity_unit_km_s(self) -> float:
        """Unit of velocity in SGP4, one Earth radius times xke per minute, in km/s."""
        return self.equatorial_radius_km * self.xke / 60.0


def _xke(mu_km3_s2: float, radius_km: float) -> float:
    return 60.0 / math.sqrt(radius_km**3 / mu_km3_s2)


WGS72: Final = GravityModel(6378.135, _xke(398600.8, 6378.135), 0.001082616, -0.00000253881, -0.00000165597)
"""Earth model with which element sets are fitted; the default everywhere."""
WGS72_OLD: Final = GravityModel(6378.135, 0.0743669161, 0.001082616, -0.00000253881, -0.00000165597)
"""WGS-72 with the low-precision xke of Spacetrack Report 3."""
WGS84: Final = GravityModel(6378.137, _xke(398600.5, 6378.137), 0.00108262998905, -0.00000253215306, -0.00000161098761)
"""Earth model for element sets known to be fitted with it; public ones are not."""

MU: Final = (WGS72.xke / 60.0) ** 2 * WGS72.equatorial_radius_km**3
"""Gravitational parameter of the Earth in WGS-72, that of the element sets, km3/s2."""
J2_RADIUS2: Final = WGS72.j2 * WGS72.equatorial_radius_km**2
"""J2 times the square of the Earth's equatorial radius in WGS-72, km2."""

GRAVITY_MODELS: Final = {"wgs72": WGS72, "wgs72old": WGS72_OLD, "wgs84": WGS84}

DEEP_SPACE_PERIOD_MINUTES: Final = 225.0
"""Orbital period from which on an element set is propagated by SDP4 (Hoots & Roehrich, Spacetrack Report 3, 1980)."""
