"""Campaign: the launches of one vehicle that fill some shells of one system; its rules, and what does not go together.

Deliberately absent: files (deployments.py) and what follows from the numbers day by day (studies/deployment/launches.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from constellation_jax.inputs.deployment.vehicles import DATE, as_day, is_date
from constellation_jax.inputs.files.toml_tables import (
    Provenance,
    Rule,
    above_zero,
    is_number,
    is_whole,
    number,
    one_of,
    text,
    whole,
)
from constellation_jax.inputs.shells.shell import LOWEST_ALTITUDE_KM, Shell

MONTH_DAYS = 365.25 / 12.0
"""The month in which cadences count."""
YEAR_DAYS = 365.25
DISPOSAL_ALTITUDE_KM = 150.0
"""Mean altitude at which a descent ends: the last element sets of satellites that came down have 144 to 196 km."""


def _is_cadence(value: Any) -> bool:
    if is_number(value):
        return bool(value >= 0)
    return (
        isinstance(value, list)
        and len(value) > 0
        and all(isinstance(v, list) and len(v) == 2 and is_date(v[0]) and is_number(v[1]) and v[1] >= 0 for v in value)
    )


def _is_failure_list(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(v, list) and len(v) == 2 and is_date(v[0]) and is_whole(v[1]) and v[1] >= 0 for v in value
    )


def _ascending(dates: list[Any]) -> bool:
    days = [as_day(date) for date in dates]  # text and bare dates of TOML may stand side by side
    return days == sorted(days)


_CADENCE = Rule("launches, at least 0, or a list of [date, launches] with a date from which each holds", _is_cadence)
_PROBABILITY = Rule("a probability from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1)
_ALTITUDE = number(LOWEST_ALTITUDE_KM, unit="km")

CAMPAIGN_RULES: dict[str, Rule] = {
    "name": text("a name", required=True),
    "variant": text("a name"),
    "system": text("a name"),
    "shells": text("a constellation, or a shell file", required=True),
    "layers": Rule(
        "a list of names of shells",
        lambda v: isinstance(v, list) and len(v) > 0 and all(isinstance(name, str) for name in v),
    ),
    "vehicle": text("the name of a launch vehicle", required=True),
    "cargo": text("a kind of satellite"),
    "satellites_per_launch": whole(1),
    "launch_dates": Rule(
        "a list of dates in ascending order",
        lambda v: isinstance(v, list) and len(v) > 0 and all(map(is_date, v)) and _ascending(v),
    ),
    "launches_per_month": _CADENCE,
    "launches_per_year": _CADENCE,
    "start": DATE,
    "end": DATE,
    "until": DATE,
    "target": whole(1),
    "shell_order": one_of("in order", "in turn"),
    "plane_order": one_of("spread", "in order"),
    "planes_per_launch": whole(1),
    "injection_altitude_km": _ALTITUDE,
    "parking_altitude_km": _ALTITUDE,
    "checkout_days": number(0.0, unit="days"),
    "raising_km_per_day": above_zero("km a day"),
    "launch_failure": _PROBABILITY,
    "satellite_failure": _PROBABILITY,
    "failed_by_launch": Rule("a list of [date of launch, satellites]", _is_failure_list),
    "failed_altitude_km": _ALTITUDE,
    "failed_decay_days": above_zero("days"),
    "life_years": above_zero("years"),
    "life_spread_years": number(0.0, unit="years"),
    "deorbit_days": above_zero("days"),
    "schedule": one_of("poisson", "regular"),
    "cadence_spread": number(0.0, 2.0),
    "raising_spread": number(0.0, 2.0),
}
"""What each key of a campaign may hold."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Campaign:
    """Launches of one vehicle that fill some shells. Dates are datetime64[D]; None where a number is not known."""

    name: str
    system: str
    shells: tuple[Shell, ...]
    """Those that it fills."""
    vehicle: str
    satellites_per_launch: int
    launch_dates: tuple[np.datetime64, ...] = ()
    """All launches, where they are listed; else they follow from the rates."""
    rates: tuple[tuple[np.datetime64, float], ...] = ()
    """Launches a day, each from a date on."""
    end: np.datetime64 | None = None
    until: np.datetime64
    target: int | None = None
    """Working satellites of the system at which its launches pause."""
    shell_order: str = "in order"
    plane_order: str = "spread"
    planes_per_launch: int = 1
    injection_altitude_km: float | None = None
    """None: launched to the altitude of the shell."""
    parking_altitude_km: float | None = None
    checkout_days: float = 0.0
    raising_km_per_day: float | None = None
    launch_failure: float = 0.0
    satellite_failure: float = 0.0
    failed_by_launch: tuple[tuple[np.datetime64, int], ...] = ()
    """Satellites that never reached their altitude, by day of launch; goes before `satellite_failure`."""
    failed_altitude_km: float | None = None
    """None: they stay at the altitude of injection."""
    failed_decay_days: float | None = None
    life_years: float | None = None
    """None: no satellite retires."""
    life_spread_years: float = 0.0
    deorbit_days: float | None = None
    schedule: str = "poisson"
    cadence_spread: float = 0.0
    raising_spread: float = 0.0
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)

    @property
    def start(self) -> np.datetime64:
        """Day of the first launch, or from which on there is a cadence."""
        return self.launch_dates[0] if self.launch_dates else self.rates[0][0]


def conflicts(values: Mapping[str, Any], shells: tuple[Shell, ...]) -> list[tuple[str, str]]:
    """Values of a campaign, each right in itself, that do not go together: key and what is wrong."""
    found = []
    ways = [key for key in ("launch_dates", "launches_per_month", "launches_per_year") if key in values]
    if len(ways) != 1:
        what = (
            f"found {' and '.join(ways) or 'none'}, expected one of launch_dates, launches_per_month, launches_per_year"
        )
        found.append((ways[-1] if ways else "launches_per_month", what))
    elif ways[0] != "launch_dates" and is_number(values[ways[0]]) and "start" not in values:
        found.append(("start", f"missing, expected the date from which {ways[0]} holds"))
    elif ways[0] != "launch_dates" and not is_number(values[ways[0]]):
        if not _ascending([entry[0] for entry in values[ways[0]]]):
            found.append((ways[0], "found dates out of order, expected ascending ones"))
        if "start" in values:
            found.append(("start", f"found beside a list of {ways[0]}, which says when it begins"))
    if "until" not in values:
        found.append(("until", "missing, expected the last day of the history"))
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
