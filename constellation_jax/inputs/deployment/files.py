"""Deployment files: the launches of constellations as TOML, each number with its provenance.

A file holds campaigns, in one or several variants. A value is looked for in the [[campaigns]] table, then in the
[variants.NAME] table of its variant, then in [common]; the number of satellites on a launch last in the [[loads]] of its
vehicle. Deliberately absent: the keys (campaigns.py, vehicles.py) and the course day by day (studies/deployment/deploy.py).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.campaigns import CADENCES, PER, Campaign, Steps, find_conflicts
from constellation_jax.inputs.deployment.records import (
    DAY,
    last_record_day,
    load_launch_records,
    repeat_records,
)
from constellation_jax.inputs.deployment.vehicles import Vehicle, as_day, load_vehicles, read_vehicles, unknown_vehicle
from constellation_jax.inputs.files.configs import check_variant, find_config, known_configs
from constellation_jax.inputs.files.keys import arguments_of, is_number, rules_of, text
from constellation_jax.inputs.files.toml_tables import Provenance, TableReader, TomlTables, Values
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.times import Time

__all__ = ["Campaign", "Deployment", "known_deployments", "load_deployment"]

_FILE_KEYS = [
    "title", "system", "sources", "default_variant", "common", "variants", "vehicles", "loads", "campaigns"
]  # fmt: skip
_RULES = rules_of(Campaign)
_COMMON_RULES = {key: rule for key, rule in _RULES.items() if key not in ("name", "variant")}
_VARIANT_RULES = {"title": text()} | _COMMON_RULES


@dataclasses.dataclass(frozen=True)
class Deployment:
    """Campaigns that launch one or several systems: a deployment file in one of its variants."""

    name: str
    """Name of the file, with the variant where it is not the default one, as in "qianfan:plan-only"."""
    title: str
    campaigns: tuple[Campaign, ...]
    data_date: np.datetime64 | None = None
    """Day up to which launches are as recorded; None where the file states all of them itself."""

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems, in the order of the file."""
        return tuple(dict.fromkeys(campaign.system for campaign in self.campaigns))

    @property
    def start(self) -> np.datetime64:
        """Day of the first launch."""
        return min(campaign.start for campaign in self.campaigns)

    @property
    def until(self) -> np.datetime64:
        """Last day of the history."""
        return max(campaign.until for campaign in self.campaigns)


def known_deployments(*, variants: bool = False) -> list[str]:
    """Names of the deployments that come with the package, for `load_deployment` and `deploy`.

    Args:
        variants: True for every variant too, as in "qianfan:plan-only"; the plain name stands for the default one.
    """
    return known_configs("deployments", variants=variants)


def load_deployment(name_or_path: str | Path, *, as_of: Time | None = None) -> Deployment:
    """Load the campaigns of a deployment.

    Args:
        name_or_path: a name of `known_deployments()`, such as "qianfan", or a TOML file of the same form. A file that
            holds several variants gives its default one; another is named after a colon, as in "qianfan:plan-only".
        as_of: date of the data, for a deployment with recorded launches: those after it are left out, the pace is that before it,
            and a cadence begins on the next day. By default the last day of the records.

    Raises:
        InputError: no such deployment, file or variant, or a date for which there are no records.
        InputErrors: mistakes in the file, all at once, each with its line.
    """
    path, variant = find_config("deployments", "deployment", name_or_path)
    file = TomlTables(path)
    file.check_keys(_FILE_KEYS)
    title, system, default = (file.text(key) for key in ("title", "system", "default_variant"))
    vehicles = read_vehicles(file, load_vehicles())
    common, outer = file.read_variants(_COMMON_RULES, _VARIANT_RULES)
    chosen = variant or default
    check_variant(path, variant, outer)
    if default:
        file.is_variant(("default_variant",), "default_variant", default, outer)
    elif outer and not chosen:
        file.report(("default_variant",), f"default_variant: missing, expected one of {', '.join(outer)}")
    data_date = _check_data_date(as_of)
    campaigns, is_recorded = [], False
    for i, table in enumerate(file.tables("campaigns")):
        named = _list_variants(table)
        label = f"campaign {table.get('name')!r}, variant"
        unknown = [name for name in named if not file.is_variant(("campaigns", i, "variant"), label, name, outer)]
        if unknown:
            continue
        # A campaign that names no variant is part of all of them
        own = chosen if not named or chosen in named else named[0]
        reader = _CampaignReader(file, i, system, own, vehicles, data_date)
        campaign = reader.read(*outer.get(own, common))
        if not named or chosen in named:
            is_recorded |= reader.uses_records
            campaigns += [campaign] if campaign else []
    if is_recorded:
        campaigns = [c for c in (_begin_after(c, data_date) for c in campaigns) if c]
    _check_targets(file, campaigns)
    if not file.mistakes and not campaigns:
        until = f" up to {data_date}" if as_of is not None else ""
        file.report(("campaigns",), f"campaigns: found none of variant {chosen!r}{until}, expected at least one")
    file.finish()
    if as_of is not None and not is_recorded:
        raise InputError(f"as_of {as_of}: deployment {path.stem} has no recorded launches, expected no date")
    subtitle = outer[chosen][0].values.get("title", "") if chosen in outer else ""
    called = path.stem if chosen in ("", default) else f"{path.stem}:{chosen}"
    named_title = ": ".join(part for part in (title, subtitle) if part)
    return Deployment(called, named_title, tuple(campaigns), data_date if is_recorded else None)


def _check_data_date(as_of: Time | None) -> np.datetime64:
    last = last_record_day()
    day = last if as_of is None else as_day(as_of)
    if day > last:
        raise InputError(f"as_of {day}: expected {last} or earlier, the last day of the recorded launches")
    return day


def _list_variants(table: Mapping[str, Any]) -> list[Any]:
    """Return the variants that a campaign names; what is no text is told where the campaign is read."""
    named = table.get("variant", [])
    return named if isinstance(named, list) else [named]


def _begin_after(campaign: Campaign, day: np.datetime64) -> Campaign | None:
    """Let a cadence begin after a day; None for a campaign that is over by then."""
    if not campaign.rates:
        return campaign
    steps = next(key for key in PER if getattr(campaign, key))
    first, last = day + DAY, min(campaign.until, campaign.end or campaign.until)
    if last < first:
        return None
    held: Steps = getattr(campaign, steps)
    now = [n for since, n in held if since <= first][-1:]
    later = tuple((since, n) for since, n in held if since > first)
    begun = ((first, now[0]), *later) if now else later
    changed: dict[str, Any] = {"start": begun[0][0], steps: begun}
    return dataclasses.replace(campaign, **changed)


class _CampaignReader:
    """Reader of one [[campaigns]] table of a file."""

    def __init__(
        self,
        file: TomlTables,
        i: int,
        system: str,
        variant: str,
        vehicles: Mapping[str, Vehicle],
        data_date: np.datetime64,
    ) -> None:
        self.file, self.i, self.system, self.variant, self.vehicles = file, i, system, variant, vehicles
        self.data_date, self.uses_records = data_date, False
        name = file.data["campaigns"][i].get("name")
        self.label = f"campaign {name!r}" if isinstance(name, str) else f"campaign number {i + 1}"

    def read(self, outer: Values, inherited: Provenance) -> Campaign | None:
        """Read the campaign; None, with its mistakes reported, where there are any, or where no recorded launch is left."""
        table = TableReader(self.file, ("campaigns", self.i), self.label)
        values, provenance = table.read(_RULES, inherited, given=outer.values).within(outer)
        if not table.is_sound():
            return None
        system = values.setdefault("system", self.system)
        shells = self._shells(values)
        recorded = self._repeat_records(values, system)
        satellites = self._satellites({**(recorded or {}), **values}, system)
        for key, what in find_conflicts(values, shells):
            self._report(key, what)
        if not table.is_sound() or recorded is None:
            return None
        if recorded:
            said = provenance["recorded_groups"]
            values, provenance = {**recorded, **values}, {**dict.fromkeys(recorded, said), **provenance}
        cadence = next(key for key in CADENCES if key in values)
        if is_number(values[cadence]):
            values[cadence] = ((values["start"], values[cadence]),)
        values["start"] = values[cadence][0] if cadence == "launch_dates" else values[cadence][0][0]
        if not recorded:
            self._check_dates(values, cadence)
        values |= {"shells": shells, "satellites_per_launch": satellites}
        # without the title of the variant
        return Campaign(**arguments_of(Campaign, values), provenance=provenance, sources=self.file.sources or {})

    def _repeat_records(self, values: Mapping[str, Any], system: str) -> dict[str, Any] | None:
        """Values that the recorded launches give; none where the campaign has no use for them, None where none is left."""
        if "recorded_groups" not in values:
            return {}
        self.uses_records = True
        groups = {record.group for record in load_launch_records() if record.system == system}
        if unknown := [group for group in values["recorded_groups"] if group not in groups]:
            what = f"found {unknown[0]!r}, expected a group of {system} in launches.csv: {_listed(sorted(groups))}"
            self._report("recorded_groups", what)
            return None
        return repeat_records(values, system, self.data_date)

    def _report(self, key: str, what: str) -> None:
        """Note a mistake at the line of a key, in whichever table it stands."""
        way = next(iter(self._holding(key)), ("campaigns", self.i))
        self.file.report((*way, key), f"{self.label}, {key}: {what}")

    def _holding(self, key: str) -> list[tuple[str | int, ...]]:
        """Paths of the tables that hold a key, the one that counts first."""
        ways = (("campaigns", self.i), ("variants", self.variant), ("common",))
        return [way for way in ways if key in self._table(way)]

    def _table(self, way: tuple[str | int, ...]) -> Mapping[str, Any]:
        """A table of the file; an empty one where it is absent or no table."""
        table: Any = self.file.data
        for key in way:
            try:
                table = table[key]
            except (KeyError, TypeError):
                return {}
        return table if isinstance(table, dict) else {}

    def _shells(self, values: Mapping[str, Any]) -> tuple[Shell, ...]:
        given = values["shells"]
        beside = (
            self.file.path.parent / given.rpartition(":")[0] if ".toml:" in given else self.file.path.parent / given
        )
        try:
            shells = load_shells(str(self.file.path.parent / given) if os.path.isfile(beside) else given)
        except InputError as error:
            self._report("shells", str(error).replace("\n", "; "))
            return ()
        named = {shell.name: shell for shell in shells}
        for name in values.get("layers", ()):
            if name not in named:
                near = suggest(name, named) or f"; they are {_listed(named)}"
                self._report("layers", f"found {name!r}, expected a shell of {given}{near}")
        chosen = tuple(named[name] for name in values.get("layers", named) if name in named)
        if "altitude_km" not in values:
            return chosen
        kept = values["altitude_km"]
        return tuple(
            dataclasses.replace(shell, orbit=dataclasses.replace(shell.orbit, altitude_km=kept)) for shell in chosen
        )

    def _satellites(self, values: Mapping[str, Any], system: str) -> int:
        name = values["vehicle"]
        if name not in self.vehicles:
            self._report("vehicle", unknown_vehicle(name, self.vehicles))
            return 0
        if "satellites_per_launch" in values:
            return int(values["satellites_per_launch"])
        cargo, loads = values.get("cargo", system), self.vehicles[name].loads
        load = loads.get(cargo)
        if load is None or load.satellites is None:
            known = [kind for kind, load in loads.items() if load.satellites is not None]
            near = suggest(cargo, known) or f"; {name} has loads of {_listed(known)}"
            what = f"missing, and how many {cargo!r} satellites {name} carries is not known{near}"
            self._report("satellites_per_launch", what)
            return 0
        return load.satellites

    def _check_dates(self, values: Mapping[str, Any], cadence: str) -> None:
        first, flight = values["start"], self.vehicles[values["vehicle"]].first_flight
        if flight is not None and first < flight:
            key = cadence if cadence == "launch_dates" or not self._holding("start") else "start"
            self._report(key, f"found {first}, expected {flight} or later, the first flight of {values['vehicle']}")
        for key in ("end", "until"):
            if key in values and values[key] < first:
                self._report(key, f"found {values[key]}, expected {first} or later, the first launch")


def _check_targets(file: TomlTables, campaigns: list[Campaign]) -> None:
    """Report campaigns of one system with different targets: they count its satellites together."""
    targets: dict[str, Campaign] = {}
    for campaign in campaigns:
        first = targets.setdefault(campaign.system, campaign)
        if campaign.target != first.target:
            said = f"found {campaign.target}, expected {first.target} as in campaign {first.name!r} of {first.system}"
            file.report(("campaigns",), f"campaign {campaign.name!r}, target: {said}")


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
