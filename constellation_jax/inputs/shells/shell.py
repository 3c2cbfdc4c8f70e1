"""Shell: one Walker shell of a constellation as a value composed of orbit, pattern, filling and spacecraft.

All but the filling are pytrees of JAX: `jax.grad` of a figure of merit by a shell gives a shell back. An altitude is the
mean semi-major axis in Brouwer's sense, with which SGP4 propagates, minus 6378.137 km; an element set carries the mean motion in
Kozai's sense, which is converted where element sets are made (lattice.py). Deliberately absent: files.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
from jax.tree_util import GetAttrKey, register_pytree_with_keys

from constellation_jax.errors import InputErrors
from constellation_jax.inputs.files.keys import (
    TRUE_OR_FALSE,
    Key,
    Rule,
    above_zero,
    is_number,
    key,
    key_dataclass,
    keys_of,
    number,
    numbers,
    one_of,
    text,
    whole,
)
from constellation_jax.inputs.files.toml_tables import Provenance
from constellation_jax.inputs.shells.conflicts import LOWEST_ALTITUDE_KM, count_filled, find_conflicts
from constellation_jax.inputs.shells.mean_orbits import frozen_eccentricity, sun_synchronous_inclination_deg

_ALTITUDE = number(LOWEST_ALTITUDE_KM, unit="km")
ATTITUDES = ("on_station", "tumbling", "face_on")
"""Attitudes of a satellite, as far as drag is concerned."""


@key_dataclass
class Orbit:
    """Mean orbit of the satellites of a shell."""

    altitude_km: float = key(_ALTITUDE, doc="Mean semi-major axis (Brouwer) minus 6378.137 km.")
    inclination_deg: float = key(
        number(0.0, 180.0, "degrees"),
        default=math.nan,
        required=True,
        doc="Inclination; that of a sun-synchronous orbit follows from altitude and eccentricity.",
        absent="required, or the next",
    )
    sun_synchronous: bool = key(
        TRUE_OR_FALSE,
        default=False,
        doc="Give the orbit the inclination at which the planes keep their local time. A traced altitude leaves it as it is.",
    )
    eccentricity: float = key(
        Rule("a number from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1),
        default=0.0,
        doc="SGP4 mean; 0 is the frozen orbit of J2 and J3, see `frozen_eccentricity`.",
    )
    arg_perigee_deg: float = key(number(unit="degrees"), default=0.0, doc="Argument of perigee, SGP4 mean.")
    bstar: float = key(
        number(unit="1/Earth radii"), default=0.0, doc="SGP4 drag term; 0 for a shell that keeps its altitude."
    )

    def __post_init__(self) -> None:
        _whole_to_float(self)
        if self.sun_synchronous is True and is_number(self.altitude_km) and is_number(self.eccentricity):
            inclination = float(sun_synchronous_inclination_deg(self.altitude_km, self.eccentricity))
            object.__setattr__(self, "inclination_deg", inclination)

    @property
    def frozen_eccentricity(self) -> float:
        """Eccentricity that the satellites fly, perigee at 90 degrees, where `eccentricity` (SGP4 mean) is 0."""
        return float(frozen_eccentricity(self.altitude_km, self.inclination_deg))


@key_dataclass
class Walker:
    """Walker pattern i:T/P/F of planes and slots. In JAX planes, slots and phasing are static as `int`, traced as arrays."""

    planes: int = key(whole(1), doc="Planes of the pattern.")
    per_plane: int = key(whole(1), name="satellites_per_plane", doc="Slots of each plane.")
    kind: str = key(
        one_of("delta", "star"),
        default="delta",
        name="walker",
        doc="Spread of the planes: over 360 degrees (delta), or over 180, so that they run up one side of the Earth (star).",
    )
    phasing: int = key(
        whole(0),
        default=0,
        doc="Walker's F, 0 to planes - 1: the next plane is ahead by F times 360 / (planes * satellites_per_plane) degrees.",
    )
    raan_offset_deg: float = key(
        number(unit="degrees"), default=0.0, doc="Right ascension of the node of plane 0, TEME of the epoch."
    )
    ltan_h: float | None = key(
        Rule("a local time from 0 to below 24 hours", lambda v: is_number(v) and 0 <= v < 24),
        default=None,
        doc="Local mean time at which plane 0 crosses the equator northwards, in place of raan_offset_deg.",
        absent="not used",
    )
    raan_spread_deg: float | None = key(
        Rule("a number above 0, up to 360 degrees", lambda v: is_number(v) and 0 < v <= 360),
        default=None,
        doc="Arc over which the planes are spread.",
        absent="360 for delta, 180 for star",
    )
    anomaly_offset_deg: float = key(
        number(unit="degrees"), default=0.0, doc="Mean argument of latitude of slot 0 of plane 0."
    )
    plane_altitudes_km: tuple[float, ...] | None = key(
        numbers(f"a list of numbers of at least {LOWEST_ALTITUDE_KM:g} km", _ALTITUDE.accepts),
        default=None,
        doc="An altitude for each plane, in place of that of the orbit; the planes then drift apart as real ones do.",
        absent="all alike",
    )

    def __post_init__(self) -> None:
        _whole_to_float(self, "planes", "per_plane", "phasing")

    @property
    def raan_arc_deg(self) -> float:
        """Arc over which the planes are spread: `raan_spread_deg`, or that of `kind`."""
        own = self.raan_spread_deg
        return {"delta": 360.0, "star": 180.0}[self.kind] if own is None else own

    @property
    def slots(self) -> int:
        """Places of the pattern: planes times per_plane."""
        return self.planes * self.per_plane


@key_dataclass
class Filling:
    """Slots of a pattern that hold satellites, and spares beside them. Static: it chooses satellites, no number is traced."""

    satellites: int | None = key(whole(1), default=None, doc="Number of filled slots.", absent="by `occupancy`")
    occupancy: float | None = key(
        Rule("a number above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1),
        default=None,
        doc="Fraction of the slots that are filled.",
        absent="all",
    )
    occupied_planes: int | None = key(whole(1), default=None, doc="Number of planes in use.", absent="all")
    fill: str = key(
        one_of("drawn", "even"),
        default="drawn",
        doc="Choice of planes and slots: drawn by `seed`, or spread evenly over planes and in each plane.",
    )
    spares: int = key(
        whole(0),
        default=0,
        doc="Satellites beside the pattern, each `spare_offset_slots` ahead of a filled slot that is drawn by `seed`.",
    )
    spare_offset_slots: float = key(
        Rule("a number between 0 and 1 slot", lambda v: is_number(v) and 0 < v < 1),
        default=0.25,
        doc="Slots between a spare and the satellite behind it.",
    )
    seed: int = key(whole(0), default=0, doc="Seed of the draws, the same on every machine.")


@key_dataclass
class Spacecraft:
    """Properties of one satellite; None where unknown, which is not 0."""

    mass_kg: float | None = key(above_zero("kg"), default=None, doc="Mass of a satellite with its propellant.")
    drag_area_min_m2: float | None = key(
        above_zero("m2"), default=None, doc="Area across the flow in the attitude of least drag, such as edge-on."
    )
    drag_area_max_m2: float | None = key(
        above_zero("m2"), default=None, doc="Area across the flow in the attitude of most drag, panels face-on."
    )
    drag_coefficient: float | None = key(above_zero(), default=None, doc="Drag coefficient.")
    drag_coefficient_min: float | None = key(
        above_zero(), default=None, doc="Least drag coefficient that is thought possible."
    )
    drag_coefficient_max: float | None = key(
        above_zero(), default=None, doc="Largest drag coefficient that is thought possible."
    )
    ballistic_coefficient_m2_kg: float | None = key(
        above_zero("m2/kg"),
        default=None,
        doc="Cd A / m on station, in place of what mass, least area and drag coefficient make.",
    )
    propellant_kg: float | None = key(above_zero("kg"), default=None, doc="Propellant of a satellite.")
    specific_impulse_s: float | None = key(above_zero("s"), default=None, doc="Specific impulse of its thruster.")
    thrust_mn: float | None = key(above_zero("mN"), default=None, doc="Thrust of its thruster.")
    min_elevation_deg: float | None = key(
        number(0.0, 90.0, "degrees"),
        default=None,
        doc="Least elevation of the satellite above the horizon of a user that it serves.",
    )
    design_life_years: float | None = key(
        above_zero("years"), default=None, doc="Life that the satellite is built for."
    )

    def __post_init__(self) -> None:
        _whole_to_float(self)

    def ballistic_coefficient(self, attitude: str = "on_station") -> float | None:
        """Cd A / m in an attitude of `ATTITUDES`, m2/kg; None where mass, areas or drag coefficient are not known.

        On station it is the stated one, or that of the least area. Tumbling, a box with two small faces: the mean projected area of
        a convex body is a quarter of its surface (Cauchy 1841), so half of the largest face and each of the small ones.
        """
        if attitude == "on_station" and self.ballistic_coefficient_m2_kg is not None:
            return self.ballistic_coefficient_m2_kg
        least, most = self.drag_area_min_m2, self.drag_area_max_m2
        if self.drag_coefficient is None or self.mass_kg is None:
            return None
        area = least if attitude == "on_station" else most
        if attitude == "tumbling":
            area = None if least is None or most is None else least + 0.5 * most
        return None if area is None else self.drag_coefficient * area / self.mass_kg


@key_dataclass
class Shell:
    """One shell of a constellation: a Walker pattern on one orbit, filled or in part, and what is known of its satellites.

    Numbers that JAX traces, and arrays, are not checked. A shell that has gone through JAX has lost its name and its provenance.

    Raises:
        InputErrors: values that do not go together or are out of range, all at once.
    """

    name: str = key(text("a name"), default="", required=True, doc="Name, unique in its file and variant.")
    variant: str = key(text("a name"), default="", doc="Variant of the file that the shell belongs to.", absent="none")
    orbit: Orbit
    pattern: Walker
    filling: Filling = dataclasses.field(default_factory=Filling)
    spacecraft: Spacecraft = dataclasses.field(default_factory=Spacecraft)
    system: str = ""
    """The constellation it belongs to."""
    origin: str = dataclasses.field(default="", compare=False)
    """The file it was read from, without its suffix."""
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Status and source of the numbers, by key of the shell file; also of those that were looked for and are unknown."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Meaning of the sources in `provenance`: the [sources] table of the file."""

    def __post_init__(self) -> None:
        values = self.values()
        plain = {key: v for key, v in values.items() if isinstance(v, str | int | float | tuple | np.generic)}
        mistakes = []
        for name, value in plain.items():
            found = list(value) if isinstance(value, tuple) else value
            absent = (name in ("name", "variant") and value == "") or (
                name == "inclination_deg" and self.orbit.sun_synchronous is True
            )
            if not absent and not RULES[name].accepts(found):
                mistakes.append(f"shell {self.name!r}, {name}: found {found!r}, expected {RULES[name].expected}")
        if not mistakes and all(value is None or key in plain for key, value in values.items()):
            mistakes = [f"shell {self.name!r}, {key}: {what}" for key, what in find_conflicts(values)]
        if mistakes:
            raise InputErrors(mistakes)

    @classmethod
    def from_values(cls, values: Mapping[str, Any], **labels: Any) -> Shell:
        """A shell from values by the keys of shell files, which fill its parts.

        Args:
            values: such as {"altitude_km": 550, "planes": 72}.
            labels: `system`, `origin`, `provenance`, `sources`.
        """
        parts: dict[str, dict[str, Any]] = {part: {} for part in ("", *_PARTS)}
        for name, value in values.items():
            parts[_PART_OF[name]][KEYS[name].field] = tuple(value) if isinstance(value, list) else value
        return cls(**parts.pop(""), **{part: _PARTS[part](**given) for part, given in parts.items()}, **labels)

    def values(self) -> dict[str, Any]:
        """All values by the keys of shell files, None where unknown."""
        return {key: getattr(getattr(self, part) if part else self, KEYS[key].field) for key, part in _PART_OF.items()}

    def replace(self, **values: Any) -> Shell:
        """A copy with some values replaced, by the keys of shell files, such as `altitude_km=350`; they may be traced."""
        labels = {key: getattr(self, key) for key in ("system", "origin", "sources")}
        kept = {key: said for key, said in self.provenance.items() if key not in values}
        return self.from_values(self.values() | values, provenance=kept, **labels)

    @property
    def filled(self) -> int:
        """Number of filled slots."""
        return count_filled(self.values())

    @property
    def total(self) -> int:
        """Number of satellites: filled slots and spares."""
        return self.filled + self.filling.spares


_PARTS: Final[dict[str, type]] = {"orbit": Orbit, "pattern": Walker, "filling": Filling, "spacecraft": Spacecraft}
_PART_OF: Final = {key: part for part, owner in {"": Shell, **_PARTS}.items() for key in keys_of(owner)}
"""Field of `Shell` that holds the value of each key; "" for one of its own."""
KEYS: Final[dict[str, Key]] = {
    key: found for owner in (Shell, *_PARTS.values()) for key, found in keys_of(owner).items()
}
"""Declaration of each key of a shell, in a file and in `Shell`, in the order of the tables in the docs."""
RULES: Final[dict[str, Rule]] = {key: declared.rule for key, declared in KEYS.items()}


def _whole_to_float(part: Orbit | Walker | Spacecraft, *static: str) -> None:
    """Make floats of whole numbers, which JAX would take as static, but for some fields."""
    for field in dataclasses.fields(part):
        if field.name not in static and type(value := getattr(part, field.name)) is int:
            object.__setattr__(part, field.name, float(value))


def _register(cls: type, *, static: Iterable[str] = (), dropped: Iterable[str] = ()) -> None:
    """Make a dataclass a pytree whose floats and arrays are leaves.

    Text, whole numbers and the fields `static` belong to its structure; those `dropped` come back as their defaults. Unflattening
    calls no `__init__`: JAX puts objects of its own into leaves, which are neither checked nor converted.
    """
    kept = [field.name for field in dataclasses.fields(cls) if field.name not in dropped]

    def flatten(value: Any) -> tuple[list[tuple[GetAttrKey, Any]], tuple[Any, ...]]:
        fixed = [n for n in kept if n in static or isinstance(getattr(value, n), str | int | np.integer)]
        leaves = [(GetAttrKey(n), getattr(value, n)) for n in kept if n not in fixed]
        return leaves, (*((n, getattr(value, n)) for n in fixed),)

    def unflatten(fixed: tuple[Any, ...], leaves: Iterable[Any]) -> Any:
        value: Any = object.__new__(cls)
        names = [n for n in kept if n not in dict(fixed)]
        for field in dataclasses.fields(cls):
            if field.name in dropped:
                made = field.default_factory() if callable(field.default_factory) else field.default
                object.__setattr__(value, field.name, made)
        for name, part in (*fixed, *zip(names, leaves, strict=True)):
            object.__setattr__(value, name, part)
        return value

    register_pytree_with_keys(cls, flatten, unflatten)


for _part in (Orbit, Walker, Spacecraft):
    _register(_part)
_register(Shell, static=("filling",), dropped=("name", "variant", "system", "origin", "provenance", "sources"))
