"""Records of past launches (configs/launches.csv), the pace that they give, and how far that pace has wandered.

Everything takes a date, and reads only what was known on it: launches up to the date, and failures that a catalogue of the date or
an earlier one shows. Deliberately absent: what a campaign makes of them (files.py).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from constellation_jax.errors import InputErrors
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.physics.constants import YEAR_DAYS

DAY = np.timedelta64(1, "D")
_COLUMNS = ("launch", "date", "dated", "system", "group", "satellites", "off_station", "counted")
_SPAN_YEARS = 0.5
"""Length of the spans whose numbers of launches are compared."""
_USUAL_DRIFT, _USUAL_DRIFT_SPREAD = 0.35, 0.7
"""Median, and standard deviation of the logarithm, of the change of the logarithm of a pace between spans before any is seen."""
_SHORTEST_SPAN_DAYS = 60.0
"""Shortest time since a first launch that a pace is taken over."""


class LaunchRecord(NamedTuple):
    """One past launch."""

    launch: str
    """International designator, such as "2025-233"."""
    day: np.datetime64
    system: str
    group: str
    """Inclination in whole degrees, or "test"."""
    satellites: int
    off_station: int | None
    """Satellites that had not arrived long after the launch; None where the launch is too young to tell, or was not looked at."""
    counted: np.datetime64
    """Date of the catalogue that `off_station` is from."""


class Pace(NamedTuple):
    """Mean pace of the launches of the last time, and its errors."""

    launches: int
    """Launches in that time."""
    per_day: float
    satellites_per_launch: int
    error: float
    """Standard deviation of the logarithm of the pace, from the number of launches."""
    drift: float
    """Standard deviation of the change of its logarithm over a year."""


@lru_cache(maxsize=1)
def load_launch_records() -> tuple[LaunchRecord, ...]:
    """Load the launches that come with the package, by system in order of launch.

    Raises:
        InputErrors: mistakes in the file `launches.csv` of the package, where someone has edited it.
    """
    path = configs_folder() / "launches.csv"
    records, mistakes, columns = [], [], ""
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            continue
        if not columns:
            columns = line
            continue
        try:
            row = dict(zip(columns.split(","), line.split(","), strict=True))
            records.append(_make_record(row))
        except (KeyError, ValueError):
            mistakes.append(f"{path}, line {number}: found {line!r}, expected {','.join(_COLUMNS)}")
    if mistakes:
        raise InputErrors(mistakes)
    return tuple(records)


def last_record_day() -> np.datetime64:
    """Return the day up to which the launches are recorded: that of the newest catalogue."""
    return max(record.counted for record in load_launch_records())


def select_records(system: str, groups: Collection[str], as_of: np.datetime64) -> list[LaunchRecord]:
    """Select the launches of some groups of a system up to a day; failures seen only later are left open (None)."""
    return [
        record if record.counted <= as_of else record._replace(off_station=None)
        for record in load_launch_records()
        if record.system == system and record.group in groups and record.day <= as_of
    ]


def repeat_records(values: Mapping[str, Any], system: str, as_of: np.datetime64) -> dict[str, Any] | None:
    """Make the values of a campaign that repeats recorded launches, or goes on at their pace; None where there are none.

    Args:
        values: those that the file gives: `recorded_groups`, and `pace_days` or the limits `start` and `end`.
        system: constellation.
        as_of: date of the data.
    """
    groups = values["recorded_groups"]
    if "pace_days" in values:
        pace = measure_pace(system, groups, as_of, values["pace_days"])
        if not pace.launches:
            return None
        return {
            "launches_per_year": ((as_of + DAY, pace.per_day * YEAR_DAYS),),
            "satellites_per_launch": pace.satellites_per_launch,
            "cadence_spread": pace.error,
            "cadence_drift": pace.drift,
        }
    first, last = values.get("start", np.datetime64("1957-01-01")), values.get("end", as_of)
    records = [record for record in select_records(system, groups, as_of) if first <= record.day <= last]
    if not records:
        return None
    carried = [record.satellites for record in records]
    found = {
        "launch_dates": tuple(record.day for record in records),
        "satellites_per_launch": round(float(np.mean(carried))),
        "failed_by_launch": tuple((r.day, r.off_station) for r in records if r.off_station is not None),
    }
    return found if "satellites_per_launch" in values else found | {"satellites_by_launch": tuple(carried)}


def measure_pace(system: str, groups: Collection[str], as_of: np.datetime64, days: float) -> Pace:
    """Measure the mean pace of some groups of a system in the days before a date, and its errors.

    Where the first launch was in that time, the pace is that since then: half a launch, as the prior of Jeffreys for a Poisson
    process has it, and those after the first, in two months at least.
    """
    known = select_records(system, groups, as_of)
    recent = [record for record in known if record.day > as_of - np.timedelta64(round(days), "D")]
    if not recent:
        return Pace(0, 0.0, 0, 0.0, 0.0)
    n, span = float(len(recent)), days
    if len(recent) == len(known):
        n, span = n - 0.5, max(_SHORTEST_SPAN_DAYS, float((as_of - recent[0].day) / DAY))
    carried = round(float(np.mean([record.satellites for record in recent])))
    return Pace(len(recent), n / span, carried, min(1.0, 1.0 / math.sqrt(n)), measure_drift(as_of))


@lru_cache(maxsize=64)
def measure_drift(as_of: np.datetime64) -> float:
    """Measure how far the logarithm of a pace wanders in a year, from the launches of all systems up to a day.

    Of the launches of two successive half years, those in the later one are binomial, with log-odds that are the change of the
    logarithm of the pace: normal around 0. The standard deviation is the mean of its posterior on a grid, and grows with the square
    root of time as in a random walk.
    """
    sigma = np.linspace(0.02, 2.0, 100)
    nodes, weights = np.polynomial.hermite_e.hermegauss(41)
    later_share = 1.0 / (1.0 + np.exp(-sigma[:, None] * nodes))
    posterior = -0.5 * (np.log(sigma / _USUAL_DRIFT) / _USUAL_DRIFT_SPREAD) ** 2 - np.log(sigma)
    records = [record for record in load_launch_records() if record.day <= as_of and record.group != "test"]
    for system in sorted({record.system for record in records}):
        ages = [float((as_of - record.day) / DAY) / YEAR_DAYS for record in records if record.system == system]
        spans = int(max(ages) / _SPAN_YEARS)
        counts = np.histogram(ages, np.arange(spans + 1) * _SPAN_YEARS)[0]  # newest first
        for later, earlier in itertools.pairwise(counts.tolist()):
            chance = (later_share**later * (1.0 - later_share) ** earlier) @ (weights / weights.sum())
            posterior += np.log(chance) + math.log(math.comb(later + earlier, later))
    likely = np.exp(posterior - posterior.max())
    return float(likely @ sigma / likely.sum() / math.sqrt(_SPAN_YEARS))


def _make_record(row: Mapping[str, str]) -> LaunchRecord:
    return LaunchRecord(
        row["launch"],
        np.datetime64(row["date"], "D"),
        row["system"],
        row["group"],
        int(row["satellites"]),
        int(row["off_station"]) if row["off_station"] else None,
        np.datetime64(row["counted"], "D"),
    )
