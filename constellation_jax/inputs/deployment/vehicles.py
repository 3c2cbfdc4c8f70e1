"""Launch vehicles: payload, first flight, and the number of satellites of each kind on a launch.

The bundled ones stand in `configs/vehicles.toml`; a deployment file may add its own in the same form. Deliberately
absent: cadences of launches, which belong to a campaign (campaigns.py).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.files.keys import (
    TRUE_OR_FALSE,
    Rule,
    above_zero,
    key,
    key_dataclass,
    rules_of,
    text,
    whole,
)
from constellation_jax.inputs.files.toml_tables import Provenance, TableReader, TomlTables
from constellation_jax.inputs.times import parse_time


def is_date(value: Any) -> bool:
    """True for a date, or text that can be read as one."""
    if not isinstance(value, str | datetime.date):
        return False
    try:
        parse_time(value)
    except InputError:
        return False
    return True


def as_day(value: Any) -> np.datetime64:
    """Convert a date to datetime64[D]."""
    day: np.datetime64 = parse_time(value).astype("datetime64[D]")
    return day


DATE = Rule("a date such as 2026-01-31", is_date, convert=lambda date, _: as_day(date))
"""Bare in TOML (2026-01-31), or as text; the field holds it as datetime64[D]."""


@key_dataclass
class Load:
    """Number of satellites of one kind on a launch of a vehicle."""

    vehicle: str = key(text("the name of a vehicle"), doc="Name of the vehicle.")
    cargo: str = key(text("a kind of satellite"), doc="Kind of satellite.")
    satellites: int | None = key(whole(1), default=None, doc="Satellites of this kind on one launch.")
    provenance: Provenance = Provenance()
    """Source of the number of satellites."""


@key_dataclass
class Vehicle:
    """A launch vehicle. What is not known is None."""

    name: str = key(text("a name"), doc="Name that campaigns use.")
    title: str = key(text(), doc="Full name.", absent="the name")
    payload_kg: float | None = key(
        above_zero("kg"),
        default=None,
        doc="Payload to a low orbit, with recovery of the first stage where it is recovered.",
    )
    payload_expended_kg: float | None = key(
        above_zero("kg"), default=None, doc="Payload to a low orbit without recovery."
    )
    reusable: bool | None = key(TRUE_OR_FALSE, default=None, doc="Whether a stage is meant to fly again.")
    first_flight: np.datetime64 | None = key(
        DATE, default=None, doc="Day of the first flight that reached an orbit; no campaign begins before it."
    )
    loads: Mapping[str, Load] = dataclasses.field(default_factory=dict)
    """By kind of satellite."""
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """By key: status and source of its value."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """By name in `provenance`: the full reference."""


def load_vehicles() -> dict[str, Vehicle]:
    """Load the launch vehicles that come with the package, by name.

    Raises:
        InputErrors: mistakes in the file `vehicles.toml` of the package, where someone has edited it.
    """
    file = TomlTables(configs_folder() / "vehicles.toml")
    file.check_keys(["sources", "vehicles", "loads"])
    vehicles = read_vehicles(file, {})
    file.finish()
    return vehicles


def read_vehicles(file: TomlTables, known: Mapping[str, Vehicle]) -> dict[str, Vehicle]:
    """Read the [[vehicles]] and [[loads]] of a file, and add them to the known ones, which they replace by name."""
    vehicles = dict(known)
    for i, table in enumerate(file.tables("vehicles") if "vehicles" in file.data else []):
        reader = TableReader(file, ("vehicles", i), f"vehicle {table.get('name', i + 1)!r}")
        values, provenance = reader.read(rules_of(Vehicle))
        if reader.is_sound():
            values.setdefault("title", values["name"])
            vehicles[values["name"]] = Vehicle(**values, provenance=provenance, sources=file.sources or {})
    for i, table in enumerate(file.tables("loads") if "loads" in file.data else []):
        reader = TableReader(file, ("loads", i), f"load of {table.get('vehicle', i + 1)!r}")
        values, provenance = reader.read(rules_of(Load))
        if not reader.is_sound():
            continue
        load = Load(**values, provenance=provenance.get("satellites", Provenance()))
        if load.vehicle not in vehicles:
            reader.report(unknown_vehicle(load.vehicle, vehicles), "vehicle")
            continue
        vehicle = vehicles[load.vehicle]
        vehicles[load.vehicle] = dataclasses.replace(vehicle, loads={**vehicle.loads, load.cargo: load})
    return vehicles


def unknown_vehicle(name: str, vehicles: Mapping[str, Vehicle]) -> str:
    """Message about a name that is no launch vehicle."""
    near = suggest(name.lower(), vehicles)
    return f"found {name!r}, expected a launch vehicle{near or '; known are ' + ', '.join(vehicles)}"
