"""Campaigns: launches of one vehicle that fill some shells of one system, and combinations of their values that are refused.

Deliberately absent: files (files.py) and the course of a campaign day by day (studies/deployment/launches.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.inputs.deployment.vehicles import DATE, as_day, is_date
from constellation_jax.inputs.files.keys import (
    Rule,
    above_zero,
    is_number,
    is_whole,
    key,
    key_dataclass,
    list_of,
    number,
    one_of,
    one_or_more,
    text,
    whole,
)
from constellation_jax.inputs.files.toml_tables import Provenance
from constellation_jax.inputs.shells.conflicts import LOWEST_ALTITUDE_KM
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.physics.constants import YEAR_DAYS

MONTH_DAYS = YEAR_DAYS / 12.0
"""The month in which cadences count."""
DISPOSAL_ALTITUDE_KM = 150.0
"""Mean altitude at which a descent ends: the last element sets of satellites that came down have 144 to 196 km."""
CADENCES = ("launch_dates", "launches_per_month", "launches_per_year", "recorded_groups")
"""Keys of which a campaign has exactly one."""

MOST_LAUNCHES = 1000
"""Most launches in a month or a year of a cadence."""

PER = {"launches_per_month": MONTH_DAYS, "launches_per_year": YEAR_DAYS}
"""Keys of a cadence, and the days in which it counts."""

Steps = tuple[tuple[np.datetime64, float], ...]
"""Steps of a cadence: launches in a period, each from a date on."""


def _is_list_of_dates_and(accepts: Any) -> Any:
    return lambda value: (
        isinstance(value, list)
        and all(isinstance(v, list) and len(v) == 2 and is_date(v[0]) and accepts(v[1]) and v[1] >= 0 for v in value)
    )


def _to_days(dates: Any, folder: Path) -> tuple[np.datetime64, ...]:
    days = [as_day(date) for date in dates]  # text and bare dates of TOML may stand side by side
    if days != sorted(days):
        raise InputError("found dates out of order, expected ascending ones")
    return tuple(days)


def _to_steps(value: Any, folder: Path) -> Any:
    if not any([value] if is_number(value) else [n for _, n in value]):
        raise InputError("found 0, expected launches above 0: a campaign without any has nothing to tell")
    if is_number(value):
        return value
    return tuple(zip(_to_days([date for date, _ in value], folder), [n for _, n in value], strict=True))


def _is_cadence(value: Any) -> bool:
    return is_number(value) and 0 <= value <= MOST_LAUNCHES


_CADENCE = Rule(
    f"launches, at least 0 and at most {MOST_LAUNCHES}, or a list of [date, launches] with a date from which each holds",
    lambda v: _is_cadence(v) if is_number(v) else bool(v) and _is_list_of_dates_and(_is_cadence)(v),
    convert=_to_steps,
)
_DATES = list_of("a list of dates in ascending order", is_date)._replace(convert=_to_days)
_FAILURES = Rule(
    "a list of [date of launch, satellites]",
    _is_list_of_dates_and(is_whole),
    convert=lambda value, _: tuple((as_day(date), n) for date, n in value),
)
_NAMES = list_of("a list of names of shells", lambda name: isinstance(name, str))
_GROUPS = list_of("a list of groups of launches, such as '89'", lambda name: isinstance(name, str))
_CARRIED = list_of("a list of whole numbers of at least 1", lambda n: is_whole(n) and n >= 1)
_PROBABILITY = Rule("a probability from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1)
_ALTITUDE = number(LOWEST_ALTITUDE_KM, unit="km")
_STAGES = Rule(
    f"a list of [km, days], each of at least {LOWEST_ALTITUDE_KM:g} km, in ascending order",
    lambda value: (
        isinstance(value, list)
        and all(isinstance(v, list) and len(v) == 2 and all(map(is_number, v)) for v in value)
        and all(low >= LOWEST_ALTITUDE_KM and day >= 0 for low, day in value)
        and sorted(value) == value == sorted(value, key=lambda stage: float(stage[1]))
    ),
    convert=lambda value, _: tuple((float(km), float(days)) for km, days in value),
)


@key_dataclass
class Campaign:
    """Launches of one vehicle that fill some shells. Dates are datetime64[D]; a number that is not known is None."""

    name: str = key(text("a name"), doc="Name of the campaign.")
    variant: tuple[str, ...] = key(
        one_or_more(text("a name"), "a name, or a list of names"),
        default=(),
        doc="Variants of the file that it belongs to.",
        absent="all",
    )
    system: str = key(text("a name"), doc="Constellation that its satellites belong to.", absent="`system` of the file")
    shells: tuple[Shell, ...] = key(
        text("a constellation, or a shell file"),
        doc="Planned constellation that is filled: a name, with a variant after a colon, or a shell file.",
    )
    altitude_km: float | None = key(
        _ALTITUDE,
        default=None,
        doc="Mean altitude at which its satellites are kept, where they fly at another than that of the shells.",
        absent="that of the shells",
    )
    layers: tuple[str, ...] = key(
        _NAMES, default=(), doc="Names of those of its shells that are filled, in order.", absent="all"
    )
    vehicle: str = key(text("the name of a launch vehicle"), doc="Launch vehicle.")
    cargo: str = key(
        text("a kind of satellite"),
        default="",
        doc="Kind of satellite, which decides how many the vehicle carries.",
        absent="the system",
    )
    satellites_per_launch: int = key(
        whole(1), doc="Satellites on a launch.", absent="the load of `cargo` on the vehicle"
    )
    satellites_by_launch: tuple[int, ...] = key(
        _CARRIED,
        default=(),
        doc="Satellites on each of `launch_dates`.",
        absent="`satellites_per_launch` on each",
    )
    launch_dates: tuple[np.datetime64, ...] = key(
        _DATES, default=(), doc="Dates of all launches.", absent="one of this and the next three is required"
    )
    launches_per_month: Steps = key(
        _CADENCE, default=(), doc="Launches in a month of 365.25 / 12 days.", absent="one of the four is required"
    )
    launches_per_year: Steps = key(
        _CADENCE, default=(), doc="Launches in a year of 365.25 days.", absent="one of the four is required"
    )
    recorded_groups: tuple[str, ...] = key(
        _GROUPS,
        default=(),
        doc="Groups of the recorded launches of the system (`launches.csv`) that the campaign repeats, up to the date of the data.",
        absent="one of the four is required",
    )
    pace_days: float | None = key(
        above_zero("days"),
        default=None,
        doc="Time before the date of the data whose recorded launches give the cadence after it.",
        absent="the launches themselves are repeated",
    )
    start: np.datetime64 = key(
        DATE,
        doc="Date from which a single cadence holds, or recorded launches count.",
        absent="required with a single number; else the first date",
    )
    end: np.datetime64 | None = key(DATE, default=None, doc="Last day with launches.", absent="`until`")
    until: np.datetime64 = key(DATE, doc="Last day of the history.")
    target: int | None = key(
        whole(1),
        default=None,
        doc="Satellites of the system that work, on station or on the way, at which its launches pause.",
        absent="none",
    )
    shell_order: str = key(
        one_of("in order", "in turn"),
        default="in order",
        doc="One shell after the other, or the emptiest shell first.",
    )
    plane_order: str = key(
        one_of("spread", "in order"),
        default="spread",
        doc="Each plane far from those before, or planes as they are numbered.",
    )
    planes_per_launch: int = key(whole(1), default=1, doc="Neighbouring planes that one launch fills.")
    injection_altitude_km: float | None = key(
        _ALTITUDE, default=None, doc="Mean altitude at which the launch ends.", absent="the altitude of the shell"
    )
    climb_stages_km_days: tuple[tuple[float, float], ...] = key(
        _STAGES,
        default=(),
        doc="Pauses of the climb: mean altitude, and days after the launch until which it lasts.",
        absent="none",
    )
    parking_altitude_km: float | None = key(
        _ALTITUDE,
        default=None,
        doc="Mean altitude at which satellites of further planes wait.",
        absent="required with several planes on a launch",
    )
    checkout_days: float = key(
        number(0.0, unit="days"), default=0.0, doc="Days between injection and the start of the climb."
    )
    raising_km_per_day: float | None = key(
        above_zero("km a day"),
        default=None,
        doc="Rate of the climb.",
        absent="required with an injection altitude",
    )
    launch_failure: float = key(_PROBABILITY, default=0.0, doc="Probability that a launch is lost.")
    satellite_failure: float = key(
        _PROBABILITY, default=0.0, doc="Probability that a satellite does not reach its altitude."
    )
    failure_correlation: float = key(
        _PROBABILITY,
        default=0.0,
        doc="Correlation of the failures of two satellites of one launch in random histories.",
    )
    failed_by_launch: tuple[tuple[np.datetime64, int], ...] = key(
        _FAILURES,
        default=(),
        doc="Satellites that never reached their altitude, by date of launch, in place of the probability.",
        absent="none",
    )
    failed_altitude_km: float | None = key(
        _ALTITUDE, default=None, doc="Mean altitude at which failed ones stay.", absent="the altitude of injection"
    )
    failed_decay_days: float | None = key(
        above_zero("days"), default=None, doc="Days from launch to re-entry of failed ones.", absent="never"
    )
    life_years: float | None = key(
        above_zero("years"),
        default=None,
        doc="Mean time from launch to retirement.",
        absent="not known: no satellite retires",
    )
    life_spread_years: float = key(number(0.0, unit="years"), default=0.0, doc="Standard deviation of that time.")
    life_error: float = key(
        number(0.0, 2.0),
        default=0.0,
        doc="Standard deviation of the logarithm of the mean life in random histories.",
    )
    deorbit_days: float | None = key(
        above_zero("days"), default=None, doc="Days from retirement to re-entry.", absent="required with a life"
    )
    moving_share: float = key(
        _PROBABILITY,
        default=0.0,
        doc="Mean share of the satellites that have arrived and move between shells in random histories; exponential.",
    )
    schedule: str = key(one_of("poisson", "regular"), default="poisson", doc="Days of launches in random histories.")
    cadence_spread: float = key(
        number(0.0, 2.0),
        default=0.0,
        doc="Standard deviation of the logarithm of the cadence in random histories.",
    )
    cadence_drift: float = key(
        number(0.0, 2.0),
        default=0.0,
        doc="Standard deviation of the change of that logarithm over a year, a random walk.",
    )
    raising_spread: float = key(
        number(0.0, 2.0),
        default=0.0,
        doc="Standard deviation of the logarithm of the rate of the climb in random histories.",
    )
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """By key: status and source of its value."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """By name in `provenance`: the full reference."""

    @property
    def rates(self) -> Steps:
        """Launches a day, each from a date on; empty where the launches are listed."""
        return tuple((day, n / days) for key, days in PER.items() for day, n in getattr(self, key))

    def count_carried(self, launch: int) -> int:
        """Return the number of satellites on a launch, which is counted from 0."""
        return self.satellites_by_launch[launch] if self.satellites_by_launch else self.satellites_per_launch


def find_conflicts(values: Mapping[str, Any], shells: tuple[Shell, ...]) -> list[tuple[str, str]]:
    """Find values of a campaign, each right in itself, that do not go together; returns keys and messages."""
    found = []
    ways = [key for key in CADENCES if key in values]
    if len(ways) != 1:
        found.append(
            (
                ways[-1] if ways else "launches_per_month",
                f"found {' and '.join(ways) or 'none'}, expected one of {', '.join(CADENCES)}",
            )
        )
    elif is_number(values[ways[0]]) and "start" not in values:
        found.append(("start", f"missing, expected the date from which {ways[0]} holds"))
    elif ways[0] in PER and not is_number(values[ways[0]]) and "start" in values:
        found.append(("start", f"found beside a list of {ways[0]}, which says when it begins"))
    if "pace_days" in values and "recorded_groups" not in values:
        found.append(("pace_days", "found without recorded_groups, whose launches give the pace"))
    carried, dates = values.get("satellites_by_launch", ()), values.get("launch_dates", ())
    if carried and len(carried) != len(dates):
        found.append(
            ("satellites_by_launch", f"found {len(carried)}, expected one for each of {len(dates)} launch_dates")
        )
    if "climb_stages_km_days" in values and "injection_altitude_km" not in values:
        found.append(("climb_stages_km_days", "found without injection_altitude_km, from which they rise"))
    if "injection_altitude_km" in values and "raising_km_per_day" not in values:
        found.append(("raising_km_per_day", "missing beside injection_altitude_km, expected a rate in km a day"))
    if values.get("planes_per_launch", 1) > 1 and "parking_altitude_km" not in values:
        what = f"found {values['planes_per_launch']} without parking_altitude_km, at which the planes drift apart"
        found.append(("planes_per_launch", what))
    if "parking_altitude_km" in values and "injection_altitude_km" not in values:
        found.append(("parking_altitude_km", "found without injection_altitude_km, from which they rise to it"))
    park = values.get("parking_altitude_km")
    if park is not None and any(abs(park - shell.orbit.altitude_km) < 1.0 for shell in shells):
        found.append(("parking_altitude_km", f"found {park}, an altitude of the shells: planes would not drift apart"))
    if "life_years" in values and "deorbit_days" not in values:
        found.append(("deorbit_days", "missing beside life_years, expected how long a descent takes"))
    return found
