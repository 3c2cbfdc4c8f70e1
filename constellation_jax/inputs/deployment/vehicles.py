"""Launch vehicles: payload, first flight and how many satellites of a kind each carries -> Vehicle.

The bundled ones stand in `configs/vehicles.toml`; a deployment file may add its own in the same form. Deliberately
absent: how often a vehicle flies, which belongs to a campaign (deployments.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.files.keys import TRUE_OR_FALSE, Rule, above_zero, text, whole
from constellation_jax.inputs.files.toml_tables import Provenance, TomlTables
from constellation_jax.inputs.times import parse_time


class Load(NamedTuple):
    """How many satellites of one kind a vehicle carries."""

    satellites: int | None
    """None where unknown."""
    provenance: Provenance


class Vehicle(NamedTuple):
    """A launch vehicle. What is unknown is None."""

    name: str
    title: str
    payload_kg: float | None
    """To a low orbit, with recovery of the first stage where it is recovered."""
    payload_expended_kg: float | None
    reusable: bool | None
    first_flight: np.datetime64 | None
    """Day of the first flight that reached an orbit."""
    loads: Mapping[str, Load]
    """By kind of satellite."""
    provenance: Mapping[str, Provenance]
    sources: Mapping[str, str]


def is_date(value: Any) -> bool:
    """True for a date, or text that is one."""
    if not isinstance(value, str | datetime.date):
        return False
    try:
        parse_time(value)
    except InputError:
        return False
    return True


def as_day(value: Any) -> np.datetime64:
    """A date as datetime64[D]."""
    day: np.datetime64 = parse_time(value).astype("datetime64[D]")
    return day


DATE = Rule("a date such as 2026-01-31", is_date)
"""Bare in TOML (2026-01-31), or as text."""

VEHICLE_RULES: dict[str, Rule] = {
    "name": text("a name", required=True),
    "title": text(),
    "payload_kg": above_zero("kg"),
    "payload_expended_kg": above_zero("kg"),
    "reusable": TRUE_OR_FALSE,
    "first_flight": DATE,
}
LOAD_RULES: dict[str, Rule] = {
    "vehicle": text("the name of a vehicle", required=True),
    "cargo": text("a kind of satellite", required=True),
    "satellites": whole(1),
}


def load_vehicles() -> dict[str, Vehicle]:
    """The launch vehicles that come with the package, by name.

    Raises:
        InputErrors: mistakes in the file `vehicles.toml` of the package, where someone has edited it.
    """
    file = TomlTables(configs_folder() / "vehicles.toml")
    file.check_keys(["sources", "vehicles", "loads"])
    vehicles = read_vehicles(file, {})
    file.finish()
    return vehicles


def read_vehicles(file: TomlTables, known: Mapping[str, Vehicle]) -> dict[str, Vehicle]:
    """The [[vehicles]] and [[loads]] of a file, beside those already known, which they replace by name."""
    vehicles = dict(known)
    for i, table in enumerate(file.tables("vehicles") if "vehicles" in file.data else []):
        label = f"vehicle {table.get('name', i + 1)!r}"
        before = len(file.mistakes)
        values, provenance = file.read(table, ("vehicles", i), label, VEHICLE_RULES)
        if len(file.mistakes) == before:
            first = values.get("first_flight")
            vehicles[values["name"]] = Vehicle(
                name=values["name"],
                title=values.get("title", values["name"]),
                payload_kg=values.get("payload_kg"),
                payload_expended_kg=values.get("payload_expended_kg"),
                reusable=values.get("reusable"),
                first_flight=None if first is None else as_day(first),
                loads={},
                provenance=provenance,
                sources=file.sources or {},
            )
    for i, table in enumerate(file.tables("loads") if "loads" in file.data else []):
        label = f"load of {table.get('vehicle', i + 1)!r}"
        before = len(file.mistakes)
        values, provenance = file.read(table, ("loads", i), label, LOAD_RULES)
        if len(file.mistakes) > before:
            continue
        name = values["vehicle"]
        if name not in vehicles:
            file.report(("loads", i, "vehicle"), f"{label}, vehicle: {unknown_vehicle(name, vehicles)}")
            continue
        load = Load(values.get("satellites"), provenance.get("satellites", Provenance()))
        vehicles[name] = vehicles[name]._replace(loads={**vehicles[name].loads, values["cargo"]: load})
    return vehicles


def unknown_vehicle(name: str, vehicles: Mapping[str, Vehicle]) -> str:
    """What to say about a name that is no vehicle."""
    near = suggest(name.lower(), vehicles)
    return f"found {name!r}, expected a launch vehicle{near or '; known are ' + ', '.join(vehicles)}"
