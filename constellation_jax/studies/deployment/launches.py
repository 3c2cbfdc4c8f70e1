"""Deterministic history of a deployment, satellite by satellite.

Launches come evenly at their cadence or as listed; the failures are those listed, or the expected number. A launch goes to
the planes with the most open slots. Deliberately absent: chance (draws.py) and orbits (catalog.py).
"""

from __future__ import annotations

import dataclasses
import heapq
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.deployment.campaigns import Campaign
from constellation_jax.inputs.deployment.files import Deployment
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.studies.deployment.ascent import climb, count_planes_served, descend, find_drift_direction
from constellation_jax.studies.deployment.schedule import (
    RunningRounder,
    find_listed_failures,
    find_lives_days,
    find_regular_launch_days,
)


@dataclasses.dataclass(frozen=True)
class LaunchHistory:
    """Slot and dates of every satellite. Arrays of shape (n,), in order of launch; days since 1970-01-01, infinite for never."""

    campaigns: tuple[Campaign, ...]
    """Campaigns of the deployment."""
    shells: tuple[Shell, ...]
    """Shells of all campaigns, each once."""
    campaign: NDArray[np.int64]
    """Campaign of each satellite: index into `campaigns`."""
    launch: NDArray[np.int64]
    """Number of the launch within its campaign, from 0."""
    shell: NDArray[np.int64]
    """Shell for which each satellite is meant: index into `shells`."""
    row: NDArray[np.int64]
    """Position of the slot in `shells_to_catalog(shell)`; for a failed satellite, a slot of the plane that it was meant for."""
    extra: NDArray[np.int64]
    """Number of satellites that were in the slot before; 0 in a slot of its own."""
    waited: NDArray[np.int64]
    """Number of planes that the satellite drifts past on the way."""
    launched_day: NDArray[np.float64]
    """Day of the launch."""
    ready_day: NDArray[np.float64]
    """Day of arrival on station."""
    failed_day: NDArray[np.float64]
    """Day on which the satellite stops on the way, or is lost with its launch vehicle."""
    retired_day: NDArray[np.float64]
    """Day on which the satellite leaves its station to re-enter."""
    gone_day: NDArray[np.float64]
    """Day of re-entry, or of the loss with the launch vehicle."""

    def __len__(self) -> int:
        return len(self.launch)

    def select(self, satellites: NDArray[np.int64]) -> LaunchHistory:
        """Select some satellites by their positions."""
        return dataclasses.replace(self, **{f.name: getattr(self, f.name)[satellites] for f in _SATELLITE_FIELDS})


_SATELLITE_FIELDS = dataclasses.fields(LaunchHistory)[2:]
"""Fields with one entry for each satellite."""


@lru_cache(maxsize=8)
def simulate_launches(deployment: Deployment) -> LaunchHistory:
    """Simulate the launches of a deployment without chance, satellite by satellite."""
    return _LaunchSequence(deployment).run()


class _Slots:
    """Slots of one shell, open or taken."""

    def __init__(self, shell: Shell) -> None:
        catalog = shells_to_catalog(shell)
        self.shell, self.plane, self.slot = shell, catalog.plane.astype(np.int64), catalog.slot.astype(np.int64)
        self.open = np.ones(len(catalog), bool)
        self.shared = np.zeros(len(catalog), np.int64)
        self.rows = [np.flatnonzero(self.plane == plane) for plane in range(shell.pattern.planes)]

    @property
    def open_fraction(self) -> float:
        return float(self.open.mean())

    def take(self, campaign: Campaign, n: int) -> list[tuple[int, int]]:
        """Take up to n open slots for one launch, as (row, planes drifted past); the first plane gets its full share first."""
        served = count_planes_served(campaign, self.shell)
        share = -(-campaign.satellites_per_launch // served)
        stride = max(1, self.shell.pattern.per_plane // share)
        order = _rank_planes(-(-self.shell.pattern.planes // served), campaign.plane_order)
        # Satellites that wait drift towards higher or lower planes: the launch aims at the other end of its planes
        step = find_drift_direction(campaign, self.shell) if served > 1 else 1
        taken: list[tuple[int, int]] = []
        in_plane = np.bincount(self.plane[self.open], minlength=self.shell.pattern.planes)
        while len(taken) < n and in_plane.any():
            groups = np.add.reduceat(in_plane, np.arange(0, self.shell.pattern.planes, served))
            group = max(range(len(groups)), key=lambda g: (groups[g], -order[g]))
            planes = list(range(group * served, min((group + 1) * served, self.shell.pattern.planes)))[::step]
            for waited, plane in enumerate(planes):
                rows = self.rows[plane][self.open[self.rows[plane]]]
                rows = rows[np.lexsort((self.slot[rows], self.slot[rows] % stride))][: min(share, n - len(taken))]
                self.open[rows] = False
                in_plane[plane] -= len(rows)
                taken += [(int(row), waited) for row in rows]
        return taken

    def share(self, n: int) -> list[tuple[int, int]]:
        """Share n slots that are taken already, those with the fewest satellites first, as (row, satellites there)."""
        found = []
        for _ in range(n):
            row = int(np.argmin(self.shared))
            self.shared[row] += 1
            found.append((row, int(self.shared[row])))
        return found


@lru_cache(maxsize=64)
def _rank_planes(groups: int, how: str) -> tuple[int, ...]:
    """Rank groups of planes: in order, or each as far as possible from the earlier ones (van der Corput sequence)."""
    if how == "in order":
        return tuple(range(groups))
    bits = max(1, (groups - 1).bit_length())
    reverse = [int(f"{k:0{bits}b}"[::-1], 2) for k in range(2**bits)]
    sequence = sorted(range(groups), key=lambda g: reverse[g])
    return tuple(int(rank) for rank in np.argsort(sequence))


class _LaunchSequence:
    """Simulation of the launches of all campaigns in the order of days."""

    def __init__(self, deployment: Deployment) -> None:
        self.campaigns = deployment.campaigns
        self.shells = tuple(dict.fromkeys(shell for c in self.campaigns for shell in c.shells))
        self.slots = [_Slots(shell) for shell in self.shells]
        self.columns: dict[str, list[float]] = {f.name: [] for f in _SATELLITE_FIELDS}
        self.working: dict[str, int] = {c.system: 0 for c in self.campaigns}
        self.retiring: list[tuple[float, str, int, int]] = []  # day, system, shell, row (-1: not in a slot of its own)
        self.lost = {c.system: RunningRounder() for c in self.campaigns}
        self.failed = {c.system: RunningRounder() for c in self.campaigns}
        self.lives = [find_lives_days(c) for c in self.campaigns]
        self.listed = [find_listed_failures(c) for c in self.campaigns]
        self.number = {shell: s for s, shell in enumerate(self.shells)}
        self._climb = lru_cache(maxsize=None)(lambda c, s, waited: climb(self.campaigns[c], self.shells[s], waited))
        self._stops_after = lru_cache(maxsize=None)(lambda c, s: days_until_failure(self.campaigns[c], self.shells[s]))
        self._descent = lru_cache(maxsize=None)(lambda c, s: descend(self.campaigns[c], self.shells[s]).days[-1])

    def run(self) -> LaunchHistory:
        launches = [
            (day, c, k) for c, x in enumerate(self.campaigns) for k, day in enumerate(find_regular_launch_days(x))
        ]
        for day, c, k in sorted(launches):
            self._open_slots(day)
            campaign = self.campaigns[c]
            if campaign.target is None or self.working[campaign.system] < campaign.target:
                self._launch(day, c, k)
        columns = {name: np.array(v, np.float64) for name, v in self.columns.items()}
        numbers = ("campaign", "launch", "shell", "row", "extra", "waited")
        arrays: dict[str, Any] = {n: v.astype(np.int64) if n in numbers else v for n, v in columns.items()}
        return LaunchHistory(self.campaigns, self.shells, **arrays)

    def _open_slots(self, day: float) -> None:
        """Open the slots of satellites that have retired by a day."""
        while self.retiring and self.retiring[0][0] <= day:
            _, system, shell, row = heapq.heappop(self.retiring)
            self.working[system] -= 1
            if row >= 0:
                self.slots[shell].open[row] = True

    def _launch(self, day: float, c: int, k: int) -> None:
        campaign, n = self.campaigns[c], self.campaigns[c].count_carried(k)
        if self.lost[campaign.system].round(campaign.launch_failure):
            shell = self.number[campaign.shells[0]]
            for _ in range(n):
                self._add(c, k, shell, 0, 0, 0, day, np.inf, day, np.inf, day)
            return
        failed = self.listed[c].get(k)
        if failed is None:
            failed = self.failed[campaign.system].round(n * campaign.satellite_failure)
        places = self._choose_places(campaign, n - failed)
        lives = self.lives[c]
        for i, (shell, row, waited, extra) in enumerate(places):
            ready = day + self._climb(c, shell, waited).days[-1]
            retired = max(ready, day + lives[(i + k) % len(lives)])
            self._add(c, k, shell, row, extra, waited, day, ready, np.inf, retired, retired + self._descent(c, shell))
            self.working[campaign.system] += 1
            if np.isfinite(retired):
                heapq.heappush(self.retiring, (retired, campaign.system, shell, -1 if extra else row))
        shell, row = (places[0][0], places[0][1]) if places else (self.number[campaign.shells[0]], 0)
        stopped = day + self._stops_after(c, shell)
        for _ in range(failed):
            self._add(
                c, k, shell, row, 0, 0, day, np.inf, stopped, np.inf, stopped + (campaign.failed_decay_days or np.inf)
            )

    def _choose_places(self, campaign: Campaign, n: int) -> list[tuple[int, int, int, int]]:
        """Choose the place of each working satellite of a launch: (shell, row, planes waited for, satellites already there)."""
        own = [self.number[shell] for shell in campaign.shells]
        places: list[tuple[int, int, int, int]] = []
        while len(places) < n:
            free = [s for s in own if self.slots[s].open.any()]
            if not free:
                smallest = min(own, key=lambda s: self.slots[s].shared.mean())
                return places + [(smallest, row, 0, k) for row, k in self.slots[smallest].share(n - len(places))]
            # The shell with the largest fraction of open slots
            s = max(free, key=lambda s: self.slots[s].open_fraction) if campaign.shell_order == "in turn" else free[0]
            places += [(s, row, waited, 0) for row, waited in self.slots[s].take(campaign, n - len(places))]
        return places

    def _add(self, *values: float) -> None:
        for column, value in zip(self.columns.values(), values, strict=True):
            column.append(value)


def days_until_failure(campaign: Campaign, shell: Shell) -> float:
    """Return the time from launch until a satellite that fails stops climbing, days."""
    if campaign.failed_altitude_km is None or campaign.injection_altitude_km is None:
        return 0.0
    track = climb(campaign, shell)
    start, end = track.altitude_km[0], track.altitude_km[-1]
    done = (campaign.failed_altitude_km - start) / (end - start)
    return float(np.interp(done, (track.altitude_km - start) / (end - start), track.days))
