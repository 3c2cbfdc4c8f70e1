"""Where is a constellation that is being launched? The satellites of a deployment on one date, as a Catalog.

Satellites on station are those of the lattice of their shell, whose nodes turn from the first launch on. Those on the way
are where their climb has brought them, so that plane and slot are reached on arrival; a launch begins as a train and opens
on the way. Deliberately absent: drag (bstar is 0 but in shells that have one).
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
    wrapped_deg,
)
from constellation_jax.inputs.times import Time, parse_time, to_day_fraction
from constellation_jax.studies.deployment.ascent import climb, descend
from constellation_jax.studies.deployment.launches import History, history
from constellation_jax.studies.deployment.schedule import day_number

PHASES = ("raising", "on_station", "failed", "deorbiting")
"""What a satellite of the Catalog is doing; the end of its `source`."""
_TRAIN_DEG = 0.1  # between neighbours of a launch on its first day


def deployed_catalog(scenario: str | Path | Deployment, date: Time) -> Catalog:
    """The satellites of a deployment that are in orbit on a date, in order of launch, with that date as epoch.

    Args:
        scenario: as for `deploy`.
        date: UTC, from the first launch to the last day of the file.

    Returns:
        A Catalog with synthetic = True and norad_id -1. `source` ends in what a satellite is doing, as in
        "deployment:qianfan:raising": raising, on_station, failed or deorbiting. `shell` is the one that it is meant for;
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
    now = day_number(as_day(date)) + float(fraction)
    whole = history(deployment)
    here = np.flatnonzero((whole.launched_day <= now) & (whole.gone_day > now))
    if not len(here):
        raise InputError(f"date {date}: nothing of {deployment.name} is in orbit")
    phase = np.select(
        [whole.failed_day[here] <= now, whole.retired_day[here] <= now, whole.ready_day[here] <= now], [2, 3, 1], 0
    )
    columns = _columns(whole, here, phase, now, day_number(first))
    columns["source"] = np.array([f"deployment:{deployment.name}:{word}" for word in PHASES])[phase]
    return Catalog.from_columns(columns | {"synthetic": True, "epoch_day": day, "epoch_fraction": fraction})


def _columns(
    whole: History, here: NDArray[np.int64], phase: NDArray[np.int64], now: float, reference: float
) -> dict[str, NDArray[np.generic]]:
    """Columns of the satellites at some positions of a history. Days from 1970-01-01."""
    n = len(here)
    altitude, node, latitude = np.empty(n), np.empty(n), np.empty(n)
    inclination, eccentricity, arg_perigee, bstar = np.zeros(n), np.zeros(n), np.zeros(n), np.zeros(n)
    plane, slot = np.full(n, -1), np.full(n, -1)
    in_launch = _position_in_launch(whole)[here]
    epoch = np.datetime64(int(reference), "D")
    for s in np.unique(whole.shell[here]):
        shell = whole.shells[s]
        lattice = shells_to_catalog(shell, epoch=epoch)
        mine = np.flatnonzero(whole.shell[here] == s)
        row = whole.row[here[mine]]
        elapsed = now - reference
        node_rate = float(raan_rate_deg_per_day(shell.orbit.altitude_km, 0.0, shell.orbit.inclination_deg))
        node[mine] = lattice.raan_deg[row] + node_rate * elapsed
        extra = whole.extra[here[mine]]
        latitude[mine] = (
            (lattice.mean_anomaly_deg + lattice.arg_perigee_deg)[row]
            + float(latitude_rate_deg_per_day(shell.orbit.altitude_km, 0.0, shell.orbit.inclination_deg)) * elapsed
            + shell.filling.spare_offset_slots * extra * 360.0 / shell.pattern.per_plane
        )
        altitude[mine] = lattice.mean_altitude_km[row]
        inclination[mine] = shell.orbit.inclination_deg
        keeps = mine[phase[mine] == 1]
        eccentricity[keeps], arg_perigee[keeps] = shell.orbit.eccentricity, shell.orbit.arg_perigee_deg
        bstar[mine] = shell.orbit.bstar
        placed = (phase[mine] <= 1) & (extra == 0) & np.isfinite(whole.ready_day[here[mine]])
        plane[mine[placed]], slot[mine[placed]] = lattice.plane[row[placed]], lattice.slot[row[placed]]
        for c in np.unique(whole.campaign[here[mine]]):
            for waited in np.unique(whole.waited[here[mine]]):
                some = mine[(whole.campaign[here[mine]] == c) & (whole.waited[here[mine]] == waited)]
                away = some[phase[some] != 1]
                if len(away):
                    _move(whole, c, s, int(waited), here, away, phase, now, in_launch, (altitude, node, latitude))
    names = [
        f"{whole.campaigns[c].system} {whole.campaigns[c].name} {k + 1:03d} {i + 1:02d}".upper()
        for c, k, i in zip(whole.campaign[here], whole.launch[here], in_launch, strict=True)
    ]
    return {
        "name": np.array(names),
        "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(altitude, eccentricity, inclination),
        "eccentricity": eccentricity,
        "inclination_deg": inclination,
        "raan_deg": np.mod(node, 360.0),
        "arg_perigee_deg": np.mod(arg_perigee, 360.0),
        "mean_anomaly_deg": np.mod(latitude - arg_perigee, 360.0),
        "bstar": bstar,
        "shell": np.array([shell.name for shell in whole.shells])[whole.shell[here]],
        "plane": plane,
        "slot": slot,
    }


def _move(
    whole: History,
    c: int,
    s: int,
    waited: int,
    here: NDArray[np.int64],
    away: NDArray[np.int64],
    phase: NDArray[np.int64],
    now: float,
    in_launch: NDArray[np.int64],
    orbit: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
) -> None:
    """Put satellites that are not on station where they are; `orbit` (altitude, node, latitude) is changed in place."""
    altitude, node, latitude = orbit
    campaign, shell = whole.campaigns[c], whole.shells[s]
    way = climb(campaign, shell, waited)
    arrival = way.days[-1]

    climbing = away[(phase[away] == 0) | (phase[away] == 2)]
    since = now - whole.launched_day[here[climbing]]
    stopped = (whole.failed_day - whole.launched_day)[here[climbing]]
    moved = np.minimum(since, stopped)
    altitude[climbing], node_gain, latitude_gain = way.at(moved)
    idle = since - moved  # after a failure: at rest at the altitude where it stopped
    base = np.full_like(idle, shell.orbit.altitude_km)
    there, tilt = altitude[climbing], shell.orbit.inclination_deg
    node_gain += idle * (raan_rate_deg_per_day(there, 0.0, tilt) - raan_rate_deg_per_day(base, 0.0, tilt))
    latitude_gain += idle * (latitude_rate_deg_per_day(there, 0.0, tilt) - latitude_rate_deg_per_day(base, 0.0, tilt))
    node[climbing] += node_gain - way.node_gain_deg[-1]
    # The train of the launch opens evenly from its first slot, whose angle all share on the first day
    leader = _leader_latitude(whole, here[climbing], here, latitude)
    open_part = np.minimum(moved / arrival, 1.0) if arrival else np.ones(len(moved))
    ahead = wrapped_deg(latitude[climbing] - leader)
    train = _TRAIN_DEG * in_launch[climbing] * (1.0 - open_part)
    latitude[climbing] = leader + ahead * open_part + train + latitude_gain - way.latitude_gain_deg[-1]

    sinking = away[phase[away] == 3]
    if len(sinking):
        down = descend(campaign, shell)
        altitude[sinking], node_gain, latitude_gain = down.at(now - whole.retired_day[here[sinking]])
        node[sinking] += node_gain
        latitude[sinking] += latitude_gain


def _leader_latitude(
    whole: History, satellites: NDArray[np.int64], here: NDArray[np.int64], latitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Argument of latitude of the slot of the first satellite of each one's launch that goes to the same shell and plane."""
    key = np.stack([whole.campaign, whole.launch, whole.shell, whole.waited])[:, satellites]
    _, first, inverse = np.unique(key, axis=1, return_index=True, return_inverse=True)
    position = np.searchsorted(here, satellites)
    return np.asarray(latitude[position[first]][inverse.ravel()])


def _position_in_launch(whole: History) -> NDArray[np.int64]:
    """0, 1, 2 ... within each launch, shape (n,)."""
    new = np.ones(len(whole), bool)
    new[1:] = (np.diff(whole.launch) != 0) | (np.diff(whole.campaign) != 0)
    starts = np.flatnonzero(new)
    return np.arange(len(whole)) - np.repeat(starts, np.diff(np.append(starts, len(whole))))
