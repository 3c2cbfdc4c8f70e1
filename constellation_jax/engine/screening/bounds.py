"""Bounds by which no approach is missed: of where two objects that meet may be at a step, and of how far a straight line errs.

Two objects that come within d of each other at most H seconds from a step are examined at that step. Each of these holds then:

(a) |z1 - z2| <= d + rise1 + rise2, where rise = |vz| H + g H^2 / 2, the acceleration along z being below g everywhere.
(b) The radii of both come within d of each other: each stays between `low` and `high` of `kernels.make_boxes`, by its radial
    speed and acceleration, and by bounds on what J2 and the third derivative add (`radial_margin_km`).
(c) Two objects that meet fall alike: their relative acceleration is at most k |dr| with k = 2.02 mu / r^3 (gravity gradient,
    and J2; mean value theorem), 3.1e-6 / s^2 at the surface. So the relative path leaves its tangent at the step by at most
    k (w H^3 / 6 + d H^2 / 2), w being the relative speed: 0.2 km at H = 30 s, and not by the 4 km that either of them falls.
(d) The distance has one minimum within H of the step where w^2 > k (d + w H)^2, that is, beyond `slow_speed_km_s`.

Reference: Hoots, Crawford & Roehrich, "An analytic method to determine future close approaches between satellites", Celest.
Mech. 33, 143 (1984), for the sieves that these bounds replace.
"""

from __future__ import annotations

import dataclasses
import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

GRADIENT: Final = 3.1e-6
"""Largest gravity gradient above the Earth's surface, 1/s^2."""
GRAVITY_KM_S2: Final = 0.0098
"""Largest acceleration along the Earth's axis, km/s^2."""
FASTEST_KM_S: Final = 22.4
"""Largest relative speed of two bound objects, km/s."""
STATE_ERROR_KM: Final = 0.05
"""Errors of two float32 states about float64 anchors, km."""
VELOCITY_ERROR: Final = 0.9e-6
"""Error of an object's velocity by differences, km/s for each square second of half a step: 0.8 m/s at 30 s, 3.2 m/s at 60 s.
Measured among 18,407 objects where only one neighbour is known, which is next to a decay: 0.7 and 2.9 m/s; else 0.05 and 0.5."""
TOGETHER_KM_S: Final = 0.01
"""Relative speed below which two objects within the distance count as being together, km/s."""


@dataclasses.dataclass(frozen=True)
class Bounds:
    """Bounds for one threshold and step."""

    distance_km: float
    """Largest miss distance that is wanted."""
    half_step_s: float

    @property
    def _drift_km(self) -> float:
        """Distance that an object is off after half a step by the error of its velocity."""
        return VELOCITY_ERROR * self.half_step_s**3

    @property
    def linear_km(self) -> float:
        """Distance within which a pair comes on straight lines if it comes within the threshold (c)."""
        h, d = self.half_step_s, self.distance_km
        return d + STATE_ERROR_KM + 2.0 * self._drift_km + GRADIENT * (FASTEST_KM_S * h**3 / 6.0 + 0.5 * d * h**2)

    @property
    def wide_km(self) -> float:
        """Range of radius in a step from which an entry of the list is wide: no bound, but the quickest division (30 and 60 s)."""
        return max(4.0, 4.0 * self.half_step_s / 30.0)

    @property
    def of_boxes(self) -> tuple[float, ...]:
        """Half a step, and all numbers of this class that `kernels.make_boxes` takes after it."""
        return self.half_step_s, self.distance_km, self.rise_km, self.radial_margin_km, self.wide_km

    @property
    def slow_speed_km_s(self) -> float:
        """Relative speed below which a pair may have several minima in a step (d), or one far from that of its straight lines."""
        k = math.sqrt(GRADIENT)
        return max(0.05, 1.05 * k * (self.distance_km + 1.0) / (1.0 - k * self.half_step_s))

    def slack_s(self, speed: NDArray[np.float64]) -> NDArray[np.float64]:
        """Seconds by which the closest approach on straight lines may be off, by relative speed, km/s, above `slow_speed_km_s`."""
        h, d = self.half_step_s, self.distance_km
        along = STATE_ERROR_KM + 2.0 * self._drift_km + GRADIENT * 0.5 * (d + 1.0) * h**2
        return 0.05 + GRADIENT * h**3 / 6.0 + along / speed

    @property
    def rise_km(self) -> float:
        """Part of the rise along the axis that acceleration and the error of the velocity add (a), km."""
        return 0.5 * GRAVITY_KM_S2 * self.half_step_s**2 + self._drift_km

    @property
    def radial_margin_km(self) -> float:
        """Part of the change of radius beyond its quadratic (b): J2, the third derivative at a perigee, and the errors of
        states."""
        h = self.half_step_s
        return STATE_ERROR_KM + self._drift_km + 1.2e-5 * h**2 / 2.0 + 8e-6 * h**3 / 6.0
