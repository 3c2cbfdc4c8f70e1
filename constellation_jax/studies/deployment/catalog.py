"""Catalogue of the satellites of a deployment on one date.

Satellites on station are in the lattice of their shell, whose planes precess from the first launch on. Satellites on the way are
on a climb that ends at their plane and slot; a launch begins as a train and spreads on the way. Deliberately absent: drag (bstar
is 0, except in shells that state one).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.deployment.files import Deployment, load_deployment
from constellation_jax.inputs.deployment.vehicles import as_day
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.shells.mean_orbits import (
    kozai_mean_motion_rev_per_day,
    latitude_rate_deg_per_day,
    raan_rate_deg_per_day,
    wrap_deg,
)
from constellation_jax.inputs.times import Time, parse_time, to_day_fraction
from constellation_jax.studies.deployment.ascent import climb, descend
from constellation_jax.studies.deployment.launches import LaunchHistory, simulate_launches
from constellation_jax.studies.deployment.schedule import to_days

PHASES = ("raising", "on_station", "failed", "deorbiting")
"""Phases of the life of a satellite in orbit; its `source` in the Catalog ends with one."""
_RAISING, _ON_STATION, _FAILED, _DEORBITING = range(len(PHASES))
_TRAIN_DEG = 0.1
"""Argument of latitude between neighbours of a launch on its first day."""


def deployed_catalog(scenario: str | Path | Deployment, date: Time) -> Catalog:
    """Make a Catalog of the satellites of a deployment that are in orbit on a date, in order of launch; the date is the epoch.

    Args:
        scenario: as for `deploy`.
        date: UTC, from the first launch to the last day of the file.

    Returns:
        A Catalog with synthetic = True and norad_id -1. `source` ends with the phase of the satellite,
        raising, on_station, failed or deorbiting, as in "deployment:qianfan:raising". `shell` is the one that it is meant for;
        `plane` and `slot` are -1 for those that have none (failed or about to, deorbiting, or beyond the slots of the shell).

    Raises:
        InputError: no such deployment, mistakes in its file, a date out of range, or one with nothing in orbit.
    """
    deployment = scenario if isinstance(scenario, Deployment) else load_deployment(scenario)
    time = parse_time(date)
    first, last = deployment.start, deployment.until + np.timedelta64(1, "D")
    if not first <= time < last:
        raise InputError(f"date {date}: expected {first} to {deployment.until}, from the first launch to the last day")
    day, fraction = to_day_fraction(np.asarray(time))
    now = to_days(as_day(date)) + float(fraction)
    history = simulate_launches(deployment)
    here = np.flatnonzero((history.launched_day <= now) & (history.gone_day > now))
    if not len(here):
        raise InputError(f"date {date}: nothing of {deployment.name} is in orbit")
    in_launch = _rank_in_launch(history)[here]
    history = history.select(here)
    reached = [history.failed_day <= now, history.retired_day <= now, history.ready_day <= now]
    phase = np.select(reached, [_FAILED, _DEORBITING, _ON_STATION], _RAISING)
    columns = _make_columns(history, phase, in_launch, now, to_days(first))
    columns["source"] = np.array([f"deployment:{deployment.name}:{word}" for word in PHASES])[phase]
    return Catalog.from_columns(columns | {"synthetic": True, "epoch_day": day, "epoch_fraction": fraction})


def _make_columns(
    history: LaunchHistory, phase: NDArray[np.int64], in_launch: NDArray[np.int64], now: float, reference: float
) -> dict[str, NDArray[np.generic]]:
    """Make the catalogue columns of the satellites of a history. Days are counted from 1970-01-01."""
    n = len(history)
    altitude, raan, latitude = np.empty(n), np.empty(n), np.empty(n)
    inclination, eccentricity, arg_perigee, bstar = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    plane, slot = np.full(n, -1), np.full(n, -1)
    epoch, elapsed = np.datetime64(int(reference), "D"), now - reference
    for s in np.unique(history.shell):
        shell = history.shells[s]
        lattice = shells_to_catalog(shell, epoch=epoch)
        mine = np.flatnonzero(history.shell == s)
        row, extra = history.row[mine], history.extra[mine]
        raan_rate = float(raan_rate_deg_per_day(shell.orbit.altitude_km, 0.0, shell.orbit.inclination_deg))
        raan[mine] = lattice.raan_deg[row] + raan_rate * elapsed
        latitude[mine] = (
            (lattice.mean_anomaly_deg + lattice.arg_perigee_deg)[row]
            + float(latitude_rate_deg_per_day(shell.orbit.altitude_km, 0.0, shell.orbit.inclination_deg)) * elapsed
            + shell.filling.spare_offset_slots * extra * 360.0 / shell.pattern.per_plane
        )
        altitude[mine] = lattice.mean_altitude_km[row]
        inclination[mine] = shell.orbit.inclination_deg
        keeps = mine[phase[mine] == _ON_STATION]
        eccentricity[keeps], arg_perigee[keeps] = shell.orbit.eccentricity, shell.orbit.arg_perigee_deg
        bstar[mine] = shell.orbit.bstar
        placed = (phase[mine] <= _ON_STATION) & (extra == 0) & np.isfinite(history.ready_day[mine])
        plane[mine[placed]], slot[mine[placed]] = lattice.plane[row[placed]], lattice.slot[row[placed]]
    moving = np.flatnonzero(phase != _ON_STATION)
    keys = np.stack([history.shell, history.campaign, history.waited])[:, moving]
    groups, group = np.unique(keys, axis=1, return_inverse=True)
    for g in range(groups.shape[1]):
        away = moving[group.ravel() == g]
        _move_off_station(history, away, phase, in_launch, now, (altitude, raan, latitude))
    names = [
        f"{history.campaigns[c].system} {history.campaigns[c].name} {k + 1:03d} {i + 1:02d}".upper()
        for c, k, i in zip(history.campaign, history.launch, in_launch, strict=True)
    ]
    return {
        "name": np.array(names),
        "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(altitude, eccentricity, inclination),
        "eccentricity": eccentricity,
        "inclination_deg": inclination,
        "raan_deg": np.mod(raan, 360.0),
        "arg_perigee_deg": np.mod(arg_perigee, 360.0),
        "mean_anomaly_deg": np.mod(latitude - arg_perigee, 360.0),
        "bstar": bstar,
        "shell": np.array([shell.name for shell in history.shells])[history.shell],
        "plane": plane,
        "slot": slot,
    }


def _move_off_station(
    history: LaunchHistory,
    away: NDArray[np.int64],
    phase: NDArray[np.int64],
    in_launch: NDArray[np.int64],
    now: float,
    orbit: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Move satellites of one campaign, shell and number of planes waited for, none of them on station, to their places.

    Args:
        history: satellites in orbit.
        away: positions of the satellites to move.
        phase: phase of each satellite of the history.
        in_launch: number of each satellite in its launch.
        now: days since 1970-01-01.
        orbit: altitude, right ascension and argument of latitude of each satellite; changed in place.
    """
    altitude, raan, latitude = orbit
    campaign, shell = history.campaigns[history.campaign[away[0]]], history.shells[history.shell[away[0]]]
    way = climb(campaign, shell, int(history.waited[away[0]]))
    arrival = way.days[-1]

    climbing = away[(phase[away] == _RAISING) | (phase[away] == _FAILED)]
    since = now - history.launched_day[climbing]
    stopped = (history.failed_day - history.launched_day)[climbing]
    moved = np.minimum(since, stopped)
    altitude[climbing], raan_gain, latitude_gain = way.at(moved)
    idle = since - moved  # after a failure: at rest at the altitude where it stopped
    base = np.full_like(idle, shell.orbit.altitude_km)
    there, tilt = altitude[climbing], shell.orbit.inclination_deg
    raan_gain += idle * (raan_rate_deg_per_day(there, 0.0, tilt) - raan_rate_deg_per_day(base, 0.0, tilt))
    latitude_gain += idle * (latitude_rate_deg_per_day(there, 0.0, tilt) - latitude_rate_deg_per_day(base, 0.0, tilt))
    raan[climbing] += raan_gain - way.raan_gain_deg[-1]
    # The train of the launch spreads evenly from its first slot, whose angle all share on the first day
    leader = _find_leader_latitude(history, climbing, latitude)
    open_part = np.minimum(moved / arrival, 1.0) if arrival else np.ones(len(moved))
    ahead = wrap_deg(latitude[climbing] - leader)
    train = _TRAIN_DEG * in_launch[climbing] * (1.0 - open_part)
    latitude[climbing] = leader + ahead * open_part + train + latitude_gain - way.latitude_gain_deg[-1]

    sinking = away[phase[away] == _DEORBITING]
    if len(sinking):
        down = descend(campaign, shell)
        altitude[sinking], raan_gain, latitude_gain = down.at(now - history.retired_day[sinking])
        raan[sinking] += raan_gain
        latitude[sinking] += latitude_gain


def _find_leader_latitude(
    history: LaunchHistory, satellites: NDArray[np.int64], latitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Find the argument of latitude of each satellite's leader: the first of its launch that goes to the same shell and plane."""
    key = np.stack([history.campaign, history.launch, history.shell, history.waited])[:, satellites]
    _, first, inverse = np.unique(key, axis=1, return_index=True, return_inverse=True)
    return np.asarray(latitude[satellites[first]][inverse.ravel()])


def _rank_in_launch(history: LaunchHistory) -> NDArray[np.int64]:
    """Number the satellites within each launch from 0. Shape (n,)."""
    new = np.ones(len(history), bool)
    new[1:] = (np.diff(history.launch) != 0) | (np.diff(history.campaign) != 0)
    starts = np.flatnonzero(new)
    return np.arange(len(history)) - np.repeat(starts, np.diff(np.append(starts, len(history))))
