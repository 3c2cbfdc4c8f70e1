"""The way of a satellite from injection to its slot: altitude by day, and how its plane drifts meanwhile.

It climbs with electric thrust at a steady rate. Where a launch serves several planes, those of the later ones wait at a
parking altitude until the flattening of the Earth has turned their plane far enough: lower orbits turn faster.
Everything is counted from the arrival, when plane and slot are those of the lattice, back to the launch.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import DISPOSAL_ALTITUDE_KM, Campaign
from constellation_jax.inputs.shells.mean_orbits import latitude_rate_deg_per_day, raan_rate_deg_per_day
from constellation_jax.inputs.shells.shell import Shell

LONGEST_DRIFT_DAYS = 120.0
"""Planes that take longer to drift from one to the next get launches of their own."""
_NODES = 400  # of the integrals below, which are of smooth functions


@dataclasses.dataclass(frozen=True)
class Track:
    """Altitude along a straight-lined history, and the angles that it gains on an orbit of the shell's altitude."""

    days: NDArray[np.float64]
    """From the launch (or the retirement), ascending."""
    altitude_km: NDArray[np.float64]
    node_gain_deg: NDArray[np.float64]
    """Node minus that of the lattice, from day 0 on."""
    latitude_gain_deg: NDArray[np.float64]
    """Likewise the mean argument of latitude."""

    def at(self, days: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Altitude (km) and the gains of node and argument of latitude (deg) some days after the start."""
        return (
            np.interp(days, self.days, self.altitude_km),
            np.interp(days, self.days, self.node_gain_deg),
            np.interp(days, self.days, self.latitude_gain_deg),
        )


def planes_served(campaign: Campaign, shell: Shell) -> int:
    """How many neighbouring planes of a shell one launch fills."""
    if campaign.planes_per_launch == 1 or _wait_days(campaign, shell) > LONGEST_DRIFT_DAYS:
        return 1
    return min(campaign.planes_per_launch, shell.pattern.planes)


def climb(campaign: Campaign, shell: Shell, planes_waited: int = 0) -> Track:
    """From the launch to the slot.

    Args:
        planes_waited: how many planes of the shell it drifts past before it rises; 0 for the first plane of a launch.
    """
    start = shell.orbit.altitude_km if campaign.injection_altitude_km is None else campaign.injection_altitude_km
    rate = campaign.raising_km_per_day
    corners = [(0.0, start), (campaign.checkout_days, start)]
    if planes_waited and campaign.parking_altitude_km is not None:
        wait = planes_waited * _wait_days(campaign, shell)
        for altitude, pause in ((campaign.parking_altitude_km, wait), (shell.orbit.altitude_km, 0.0)):
            _rise(corners, altitude, rate, pause)
    else:
        _rise(corners, shell.orbit.altitude_km, rate, 0.0)
    return _track(corners, shell)


def descend(campaign: Campaign, shell: Shell) -> Track:
    """From the retirement to re-entry."""
    return _track([(0.0, shell.orbit.altitude_km), (campaign.deorbit_days or 0.0, DISPOSAL_ALTITUDE_KM)], shell)


def drift_direction(campaign: Campaign, shell: Shell) -> int:
    """+1 or -1: whether satellites that wait reach planes of higher or of lower number."""
    return 1 if _node_drift(campaign, shell) > 0 else -1


def _rise(corners: list[tuple[float, float]], altitude: float, rate: float | None, pause: float) -> None:
    day, now = corners[-1]
    day += abs(altitude - now) / rate if rate else 0.0
    corners += [(day, altitude), (day + pause, altitude)]


def _node_drift(campaign: Campaign, shell: Shell) -> float:
    """Of an orbit at the parking altitude against the shell, deg/day."""
    altitudes = np.array([campaign.parking_altitude_km or shell.orbit.altitude_km, shell.orbit.altitude_km])
    parked, arrived = raan_rate_deg_per_day(altitudes, 0.0, shell.orbit.inclination_deg)
    return float(parked - arrived)


def _wait_days(campaign: Campaign, shell: Shell) -> float:
    """From one plane of the shell to the next."""
    drift = abs(_node_drift(campaign, shell))
    return shell.pattern.raan_arc_deg / shell.pattern.planes / drift if drift else np.inf


def _track(corners: list[tuple[float, float]], shell: Shell) -> Track:
    days, altitudes = np.array(corners).T
    grid = np.unique(np.concatenate([days, np.linspace(days[0], days[-1], _NODES)]))
    altitude = np.interp(grid, days, altitudes)
    node = raan_rate_deg_per_day(altitude, 0.0, shell.orbit.inclination_deg)
    latitude = latitude_rate_deg_per_day(altitude, 0.0, shell.orbit.inclination_deg)
    base = np.array([shell.orbit.altitude_km])
    return Track(
        grid,
        altitude,
        _integral(grid, node - raan_rate_deg_per_day(base, 0.0, shell.orbit.inclination_deg)),
        _integral(grid, latitude - latitude_rate_deg_per_day(base, 0.0, shell.orbit.inclination_deg)),
    )


def _integral(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """From the first point to each."""
    return np.concatenate([[0.0], np.cumsum(np.diff(x) * (y[1:] + y[:-1]) / 2.0)])
