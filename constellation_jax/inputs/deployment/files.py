"""Deployment files: how constellations get launched, TOML, each number with where it comes from -> Deployment.

A file holds campaigns, in one or several variants. Tables in the order in which a value is looked for: the
[[campaigns]] table, the [variants.NAME] table of its variant, [common]; the number of satellites on a launch last in
the [[loads]] of its vehicle. Deliberately absent: what follows day by day (studies/deployment/deploy.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.campaigns import CAMPAIGN_RULES, MONTH_DAYS, YEAR_DAYS, Campaign, conflicts
from constellation_jax.inputs.deployment.vehicles import Vehicle, as_day, load_vehicles, read_vehicles, unknown_vehicle
from constellation_jax.inputs.files.configs import check_variant, find_config, known_configs
from constellation_jax.inputs.files.keys import is_number, text
from constellation_jax.inputs.files.toml_tables import Provenance, TomlTables, Values
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.shells.shell import Shell

__all__ = ["Campaign", "Deployment", "known_deployments", "load_deployment"]

_FILE_KEYS = [
    "title", "system", "sources", "default_variant", "common", "variants", "vehicles", "loads", "campaigns"
]  # fmt: skip
_COMMON_RULES = {
    key: rule._replace(required=False) for key, rule in CAMPAIGN_RULES.items() if key not in ("name", "variant")
}
_VARIANT_RULES = {"title": text()} | _COMMON_RULES
_DATES = ("start", "end", "until")


@dataclasses.dataclass(frozen=True)
class Deployment:
    """What a deployment file says, in one of its variants: the campaigns that launch one or several systems."""

    name: str
    """As "qianfan:648"."""
    title: str
    campaigns: tuple[Campaign, ...]

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
        variants: True for every variant too, as in "qianfan:648"; the plain name stands for the default one.
    """
    return known_configs("deployments", variants=variants)


def load_deployment(name_or_path: str | Path) -> Deployment:
    """The campaigns of a deployment.

    Args:
        name_or_path: a name of `known_deployments()`, such as "qianfan", or a TOML file of the same form. A file that
            holds several variants gives its default one; another is named after a colon, as in "qianfan:15000".

    Raises:
        InputError: no such deployment, file or variant.
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
    campaigns = []
    for i, table in enumerate(file.tables("campaigns")):
        named = table.get("variant", "")
        label = f"campaign {table.get('name')!r}, variant"
        if named and not file.is_variant(("campaigns", i, "variant"), label, named, outer):
            continue
        # A campaign that names no variant is part of all of them
        campaign = _Reader(file, i, system, named or chosen, vehicles).read(*outer.get(named or chosen, common))
        if campaign and named in ("", chosen):
            campaigns.append(campaign)
    _check_targets(file, campaigns)
    if not file.mistakes and not campaigns:
        file.report(("campaigns",), f"campaigns: found none of variant {chosen!r}, expected at least one")
    file.finish()
    subtitle = outer[chosen][0].values.get("title", "") if chosen in outer else ""
    called = path.stem if chosen in ("", default) else f"{path.stem}:{chosen}"
    return Deployment(called, ": ".join(part for part in (title, subtitle) if part), tuple(campaigns))


class _Reader:
    """Reads one [[campaigns]] table of a file."""

    def __init__(self, file: TomlTables, i: int, system: str, variant: str, vehicles: Mapping[str, Vehicle]) -> None:
        self.file, self.i, self.system, self.variant, self.vehicles = file, i, system, variant, vehicles
        self.table = file.tables("campaigns")[i]
        name = self.table.get("name")
        self.label = f"campaign {name!r}" if isinstance(name, str) else f"campaign number {i + 1}"

    def read(self, outer: Values, inherited: Provenance) -> Campaign | None:
        """The campaign; None, with mistakes reported, where it cannot be one."""
        before = len(self.file.mistakes)
        given = outer.values.keys() - self.table.keys()
        rules = {
            key: rule._replace(required=rule.required and key not in given) for key, rule in CAMPAIGN_RULES.items()
        }
        own = Values(*self.file.read(self.table, ("campaigns", self.i), self.label, rules, inherited))
        values, provenance = own.within(outer)
        if len(self.file.mistakes) > before:
            return None
        system = values.get("system", self.system)
        shells = self._shells(values)
        satellites = self._satellites(values, system)
        for key, what in conflicts(values, shells):
            self._report(key, what)
        if len(self.file.mistakes) > before:
            return None
        dates = {key: as_day(values[key]) for key in _DATES if key in values}
        launch_dates = tuple(as_day(day) for day in values.get("launch_dates", ()))
        rates = _rates(values)
        first = launch_dates[0] if launch_dates else rates[0][0]
        self._check_dates(values, first, dates)
        kept = {f.name for f in dataclasses.fields(Campaign)} - {"provenance"}
        plain = {key: value for key, value in values.items() if key in kept and key not in ("launch_dates", *_DATES)}
        if "failed_by_launch" in plain:
            plain["failed_by_launch"] = tuple((as_day(day), n) for day, n in plain["failed_by_launch"])
        return Campaign(
            **plain
            | {"system": system, "shells": shells, "satellites_per_launch": satellites, "until": dates["until"]},
            end=dates.get("end"),
            launch_dates=launch_dates,
            rates=rates,
            provenance=provenance,
            sources=self.file.sources or {},
        )

    def _report(self, key: str, what: str) -> None:
        """Note a mistake at the line of a key, in whichever table it stands."""
        ways = (("campaigns", self.i), ("variants", self.variant), ("common",))
        held = [way for way in ways if key in self._table(way)]
        self.file.report((*(held or ways)[0], key), f"{self.label}, {key}: {what}")

    def _table(self, way: tuple[str | int, ...]) -> Mapping[str, Any]:
        """A table of the file; an empty one where it is absent, or something else."""
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
            shells = load_shells(str(self.file.path.parent / given) if beside.is_file() else given)
        except InputError as error:
            self._report("shells", str(error).replace("\n", "; "))
            return ()
        named = {shell.name: shell for shell in shells}
        for name in values.get("layers", ()):
            if name not in named:
                near = suggest(name, named) or f"; they are {_listed(named)}"
                self._report("layers", f"found {name!r}, expected a shell of {given}{near}")
        return tuple(named[name] for name in values.get("layers", named) if name in named)

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

    def _check_dates(self, values: Mapping[str, Any], first: np.datetime64, dates: Mapping[str, np.datetime64]) -> None:
        flight = self.vehicles[values["vehicle"]].first_flight
        if flight is not None and first < flight:
            key = next(k for k in ("launch_dates", "start", "launches_per_month", "launches_per_year") if k in values)
            self._report(key, f"found {first}, expected {flight} or later, the first flight of {values['vehicle']}")
        for key in ("end", "until"):
            if key in dates and dates[key] < first:
                self._report(key, f"found {dates[key]}, expected {first} or later, the first launch")


def _rates(values: Mapping[str, Any]) -> tuple[tuple[np.datetime64, float], ...]:
    """Launches a day, each from a date on."""
    for key, days in (("launches_per_month", MONTH_DAYS), ("launches_per_year", YEAR_DAYS)):
        if key in values:
            given = values[key]
            steps = [[values["start"], given]] if is_number(given) else given
            return tuple((as_day(day), float(rate) / days) for day, rate in steps)
    return ()


def _check_targets(file: TomlTables, campaigns: list[Campaign]) -> None:
    """Campaigns of one system count its satellites together, so that they need the same target."""
    targets: dict[str, Campaign] = {}
    for campaign in campaigns:
        first = targets.setdefault(campaign.system, campaign)
        if campaign.target != first.target:
            said = f"found {campaign.target}, expected {first.target} as in campaign {first.name!r} of {first.system}"
            file.report(("campaigns",), f"campaign {campaign.name!r}, target: {said}")


def _listed(names: Any) -> str:
    return ", ".join(names) or "none"
