"""Climb of a satellite from injection to its slot, and descent after retirement: altitude and drift of the plane by day.

A satellite climbs with electric thrust at a steady rate, with pauses where the campaign has stages. Where a launch serves several
planes, the satellites of the later ones wait at a parking altitude until the flattening of the Earth has turned their plane far
enough: lower orbits turn faster. Angles are counted back from the arrival, when plane and slot are those of the lattice, to the
launch.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import DISPOSAL_ALTITUDE_KM, Campaign
from constellation_jax.inputs.shells.mean_orbits import latitude_rate_deg_per_day, raan_rate_deg_per_day
from constellation_jax.inputs.shells.shell import Shell

LONGEST_DRIFT_DAYS = 120.0
"""Longest drift from one plane to the next; where it would take longer, each plane gets launches of its own."""
_POINTS = 400
"""Number of points of the trapezium rule; the integrands are smooth."""


@dataclasses.dataclass(frozen=True)
class AltitudeProfile:
    """Altitude over time in straight pieces, and the angles gained on an orbit at the shell's altitude. Arrays of shape (t,)."""

    days: NDArray[np.float64]
    """Time since the launch (or the retirement), days, ascending."""
    altitude_km: NDArray[np.float64]
    """Mean altitude, km."""
    raan_gain_deg: NDArray[np.float64]
    """Gain in right ascension of the node on the lattice since day 0, deg."""
    latitude_gain_deg: NDArray[np.float64]
    """Gain in mean argument of latitude on the lattice since day 0, deg."""

    def at(self, days: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Interpolate altitude (km), gain in right ascension and gain in argument of latitude (deg) at times since the start."""
        return (
            np.interp(days, self.days, self.altitude_km),
            np.interp(days, self.days, self.raan_gain_deg),
            np.interp(days, self.days, self.latitude_gain_deg),
        )


def count_planes_served(campaign: Campaign, shell: Shell) -> int:
    """Count the neighbouring planes of a shell that one launch fills."""
    if campaign.planes_per_launch == 1 or _compute_wait_days(campaign, shell) > LONGEST_DRIFT_DAYS:
        return 1
    return min(campaign.planes_per_launch, shell.pattern.planes)


def climb(campaign: Campaign, shell: Shell, planes_waited: int = 0) -> AltitudeProfile:
    """Compute the climb from the launch to the slot.

    Args:
        campaign: launches of one vehicle, with altitudes and rates.
        shell: shell to which the satellite climbs.
        planes_waited: planes of the shell that it drifts past before it rises; 0 for the first plane of a launch.
    """
    start = shell.orbit.altitude_km if campaign.injection_altitude_km is None else campaign.injection_altitude_km
    rate = campaign.raising_km_per_day
    corners = [(0.0, start), (campaign.checkout_days, start)]
    for altitude, until in campaign.climb_stages_km_days:
        _add_climb(corners, altitude, rate, 0.0)
        corners.append((max(corners[-1][0], until), altitude))
    if planes_waited and campaign.parking_altitude_km is not None:
        wait = planes_waited * _compute_wait_days(campaign, shell)
        for altitude, pause in ((campaign.parking_altitude_km, wait), (shell.orbit.altitude_km, 0.0)):
            _add_climb(corners, altitude, rate, pause)
    else:
        _add_climb(corners, shell.orbit.altitude_km, rate, 0.0)
    return _make_profile(corners, shell)


def descend(campaign: Campaign, shell: Shell) -> AltitudeProfile:
    """Compute the descent from the retirement to re-entry."""
    return _make_profile([(0.0, shell.orbit.altitude_km), (campaign.deorbit_days or 0.0, DISPOSAL_ALTITUDE_KM)], shell)


def find_drift_direction(campaign: Campaign, shell: Shell) -> int:
    """Return +1 where satellites that wait drift to planes of higher number, -1 where to planes of lower number."""
    return 1 if _compute_drift_deg_per_day(campaign, shell) > 0 else -1


def _add_climb(corners: list[tuple[float, float]], altitude: float, rate: float | None, pause: float) -> None:
    day, now = corners[-1]
    day += abs(altitude - now) / rate if rate else 0.0
    corners += [(day, altitude), (day + pause, altitude)]


def _compute_drift_deg_per_day(campaign: Campaign, shell: Shell) -> float:
    """Return the rate of right ascension at the parking altitude minus that of the shell, deg/day."""
    altitudes = np.array([campaign.parking_altitude_km or shell.orbit.altitude_km, shell.orbit.altitude_km])
    parked, arrived = raan_rate_deg_per_day(altitudes, 0.0, shell.orbit.inclination_deg)
    return float(parked - arrived)


def _compute_wait_days(campaign: Campaign, shell: Shell) -> float:
    """Return the time to drift from one plane of the shell to the next, days."""
    drift = abs(_compute_drift_deg_per_day(campaign, shell))
    return shell.pattern.raan_arc_deg / shell.pattern.planes / drift if drift else np.inf


def _make_profile(corners: list[tuple[float, float]], shell: Shell) -> AltitudeProfile:
    days, altitudes = np.array(corners).T
    grid = np.unique(np.concatenate([days, np.linspace(days[0], days[-1], _POINTS)]))
    altitude = np.interp(grid, days, altitudes)
    raan = raan_rate_deg_per_day(altitude, 0.0, shell.orbit.inclination_deg)
    latitude = latitude_rate_deg_per_day(altitude, 0.0, shell.orbit.inclination_deg)
    base = np.array([shell.orbit.altitude_km])
    return AltitudeProfile(
        grid,
        altitude,
        _integrate(grid, raan - raan_rate_deg_per_day(base, 0.0, shell.orbit.inclination_deg)),
        _integrate(grid, latitude - latitude_rate_deg_per_day(base, 0.0, shell.orbit.inclination_deg)),
    )


def _integrate(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Integrate y(x) from the first point to each, by the trapezium rule. Shape (t,)."""
    return np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2.0)])
