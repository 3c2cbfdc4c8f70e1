"""Planned constellations: shell files -> Shell -> the element sets of every satellite of a Walker lattice.

A lattice is Walker's: satellite (plane p, slot s) of P planes with S slots each has, at the epoch, in degrees,
    right ascension of the node            raan_offset + raan_spread * p / P
    mean argument of latitude  u = w + M   anomaly_offset + 360 s / S + 360 F p / (P S)
with raan_spread 360 for a delta (i:T/P/F) and 180 for a star pattern. All satellites of a shell share eccentricity,
inclination and mean motion, so that the secular rates of SGP4 keep the lattice together.

An altitude is the mean semi-major axis in Brouwer's sense, with which SGP4 propagates, minus 6378.137 km; an element
set carries the mean motion in Kozai's sense, which is converted here. Deliberately absent: deployment over time and
frozen orbits.

Reference: Walker (1984), "Satellite constellations", J. Br. Interplanet. Soc. 37, 559-572.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.catalog import Catalog
from constellation_jax.inputs.configs import configs_folder
from constellation_jax.inputs.times import Time, parse_time, to_day_fraction
from constellation_jax.inputs.toml_lines import suggest
from constellation_jax.inputs.toml_tables import Provenance, Rule, TomlTables, is_number, number, numbers, text, whole
from constellation_jax.physics.brouwer import brouwer_to_kozai
from constellation_jax.physics.constants import DEGREE, MINUTES_PER_DAY, TWO_PI, WGS72, WGS84_EQUATORIAL_RADIUS_KM

ATTITUDES = {
    "on_station": "ballistic_coefficient_m2_kg",
    "safe": "ballistic_coefficient_safe_m2_kg",
    "tumbling": "ballistic_coefficient_tumbling_m2_kg",
}
"""Attitude mode -> the key of a shell that holds its ballistic coefficient."""
LOWEST_ALTITUDE_KM = 120.0
"""Below it no satellite completes a revolution."""

_POSITIVE = Rule("a number above 0", lambda v: is_number(v) and v > 0)
_RULES: dict[str, Rule] = {
    "name": text("a name", required=True),
    "altitude_km": number(LOWEST_ALTITUDE_KM, unit="km", required=True),
    "inclination_deg": number(0.0, 180.0, "degrees", required=True),
    "planes": whole(1, required=True),
    "satellites_per_plane": whole(1, required=True),
    "walker": Rule("'delta' or 'star'", lambda v: v in ("delta", "star")),
    "phasing": whole(0),
    "eccentricity": Rule("a number from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1),
    "arg_perigee_deg": number(unit="degrees"),
    "raan_offset_deg": number(unit="degrees"),
    "raan_spread_deg": Rule("a number above 0, up to 360 degrees", lambda v: is_number(v) and 0 < v <= 360),
    "anomaly_offset_deg": number(unit="degrees"),
    "plane_altitudes_km": numbers(
        f"a list of numbers of at least {LOWEST_ALTITUDE_KM:g} km", lambda v: v >= LOWEST_ALTITUDE_KM
    ),
    "satellites": whole(1),
    "occupancy": Rule("a number above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1),
    "occupied_planes": whole(1),
    "spares": whole(0),
    "spare_offset_slots": Rule("a number between 0 and 1 slot", lambda v: is_number(v) and 0 < v < 1),
    "seed": whole(0),
    "bstar": number(unit="1/Earth radii"),
    "ballistic_coefficient_m2_kg": _POSITIVE,
    "ballistic_coefficient_safe_m2_kg": _POSITIVE,
    "ballistic_coefficient_tumbling_m2_kg": _POSITIVE,
    "mass_kg": _POSITIVE,
    "propellant_kg": _POSITIVE,
    "specific_impulse_s": _POSITIVE,
    "thrust_mn": _POSITIVE,
    "variant": text("a name"),
}
_FILE_KEYS = ["title", "system", "sources", "default_variant", "shells"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shell:
    """One shell of a constellation: a Walker lattice, filled or in part.

    Raises:
        InputErrors: values that do not go together or are out of range, all at once.
    """

    name: str
    altitude_km: float
    """Mean semi-major axis (Brouwer) minus 6378.137 km, of at least 120."""
    inclination_deg: float
    planes: int
    satellites_per_plane: int
    """Slots of each plane."""
    system: str = ""
    """The constellation it belongs to."""
    walker: str = "delta"
    """"delta": planes spread over 360 degrees; "star": over 180, so that they run up one side of the Earth."""
    phasing: int = 0
    """Walker's F, 0 to planes - 1: the next plane is ahead by F times 360 / (planes * satellites_per_plane) degrees."""
    eccentricity: float = 0.0
    arg_perigee_deg: float = 0.0
    raan_offset_deg: float = 0.0
    """Right ascension of the node of plane 0, TEME of the epoch."""
    raan_spread_deg: float | None = None
    """Arc over which the planes are spread; None: 360 for delta, 180 for star."""
    anomaly_offset_deg: float = 0.0
    """Mean argument of latitude of slot 0 of plane 0."""
    plane_altitudes_km: tuple[float, ...] | None = None
    """An altitude for each plane, in place of altitude_km; the planes then drift apart as real ones do."""
    satellites: int | None = None
    """How many slots are filled, drawn by `seed`; None: by `occupancy`."""
    occupancy: float | None = None
    """Fraction of the slots that are filled, drawn by `seed`; None: all."""
    occupied_planes: int | None = None
    """How many planes are used at all, drawn by `seed`; None: all."""
    spares: int = 0
    """Satellites beside the lattice, each `spare_offset_slots` ahead of a filled slot that is drawn by `seed`."""
    spare_offset_slots: float = 0.25
    seed: int = 0
    bstar: float = 0.0
    """SGP4 drag term, 1/Earth radii; 0 for a shell that keeps its altitude."""
    ballistic_coefficient_m2_kg: float | None = None
    """Cd A / m on station; None where unknown."""
    ballistic_coefficient_safe_m2_kg: float | None = None
    """The same in safe mode."""
    ballistic_coefficient_tumbling_m2_kg: float | None = None
    """The same out of control."""
    mass_kg: float | None = None
    """At the beginning of station-keeping, with propellant."""
    propellant_kg: float | None = None
    specific_impulse_s: float | None = None
    thrust_mn: float | None = None
    """mN."""
    variant: str = ""
    origin: str = dataclasses.field(default="", compare=False)
    """The file it was read from, without its suffix."""
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Status and source of the numbers, by field name."""

    def __post_init__(self) -> None:
        mistakes = []
        for key, rule in _RULES.items():
            value = getattr(self, key)
            value = list(value) if isinstance(value, tuple) else value
            if value is not None and not (key == "variant" and value == "") and not rule.accepts(value):
                mistakes.append(f"shell {self.name!r}, {key}: found {value!r}, expected {rule.expected}")
        if not mistakes:
            mistakes = [f"shell {self.name!r}, {key}: {what}" for key, what in _conflicts(vars(self))]
        if mistakes:
            raise InputErrors(mistakes)

    @property
    def slots(self) -> int:
        """Places of the lattice: planes times satellites_per_plane."""
        return self.planes * self.satellites_per_plane

    @property
    def total(self) -> int:
        """Number of satellites: filled slots and spares."""
        return _filled(vars(self)) + self.spares


def known_shells() -> list[str]:
    """Names of the constellations that come with the package, for `load_shells`."""
    return sorted(path.stem for path in (configs_folder() / "shells").glob("*.toml"))


def load_shells(name_or_path: str | Path) -> list[Shell]:
    """The shells of a constellation, in the order of its file.

    Args:
        name_or_path: a name of `known_shells()`, such as "guowang", or a TOML file of the same form. A file that holds
            several variants gives its default one; another is named after a colon, as in "kuiper:filed".

    Raises:
        InputError: no such constellation, file or variant.
        InputErrors: mistakes in the file, all at once, each with its line.
    """
    path, variant = _find(name_or_path)
    file = TomlTables(path)
    file.check_keys(_FILE_KEYS)
    for key in ("title", "system", "default_variant"):
        if not isinstance(file.data.get(key, ""), str):
            file.report((key,), f"{key}: found {file.data[key]!r}, expected text")
    shells = read_shells(file)
    file.finish()
    variant = variant or str(file.data.get("default_variant", ""))
    variants = sorted({s.variant for s in shells})
    if variant and variant not in variants:
        hint = suggest(variant, variants) or f"; it has {', '.join(v for v in variants if v) or 'none'}"
        raise InputError(f"{path}: no variant {variant!r}{hint}")
    return [s for s in shells if not variant or s.variant == variant]


def read_shells(file: TomlTables) -> list[Shell]:
    """The [[shells]] tables of a file as shells; mistakes are reported to the file, which the caller finishes."""
    shells = []
    seen: dict[tuple[str, str], int] = {}
    for i, table in enumerate(file.tables("shells")):
        way = ("shells", i)
        name = table.get("name")
        label = f"shell {name!r}" if isinstance(name, str) else f"shell number {i + 1}"
        before = len(file.mistakes)
        values, provenance = file.read(table, way, label, _RULES | {"total": whole(1)})
        key = (str(name), str(table.get("variant", "")))
        if seen.setdefault(key, i) != i:
            line = file.line_of(("shells", seen[key], "name"))
            file.report((*way, "name"), f"{label}, name: already the name of the shell on line {line}")
        if len(file.mistakes) > before:
            continue
        stated = values.pop("total", None)
        conflicts = _conflicts({f.name: f.default for f in dataclasses.fields(Shell)} | values)
        for bad, what in conflicts:
            file.report((*way, bad), f"{label}, {bad}: {what}")
        if conflicts:
            continue
        if "plane_altitudes_km" in values:
            values["plane_altitudes_km"] = tuple(values["plane_altitudes_km"])
        shell = Shell(**values, system=str(file.data.get("system", "")), origin=file.path.stem, provenance=provenance)
        if stated is not None and stated != shell.total:
            how = f"planes x satellites_per_plane = {shell.planes} x {shell.satellites_per_plane} = {shell.slots}"
            if shell.total != shell.slots:
                how = f"{shell.total - shell.spares} filled slots and {shell.spares} spares = {shell.total}"
            file.report((*way, "total"), f"{label}, total: found {stated}, expected {how}")
        shells.append(shell)
    return shells


def shells_to_catalog(
    shells: Shell | Sequence[Shell], *, epoch: Time = "2026-01-01T00:00:00Z", attitude: str = "on_station"
) -> Catalog:
    """Element sets of every satellite of some shells, shell by shell, plane by plane, slot by slot, spares last.

    Args:
        shells: one or several.
        epoch: common epoch, UTC.
        attitude: "on_station", "safe" or "tumbling": whose ballistic coefficient the satellites get.

    Returns:
        A Catalog with synthetic = True, norad_id -1, the columns shell, plane and slot filled (from 0; the spare that
        goes with slot s has slot satellites_per_plane + s) and names such as "GUOWANG GW-A59-2 P03 S17".

    Raises:
        InputError: no shell given, an unknown attitude, or an epoch that is not a time.
    """
    if attitude not in ATTITUDES:
        raise InputError(
            f"attitude {attitude!r}: unknown; known are {', '.join(ATTITUDES)}{suggest(attitude, ATTITUDES)}"
        )
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    if not shells:
        raise InputError("no shell given: at least one is needed")
    day, fraction = to_day_fraction(np.asarray(parse_time(epoch)))
    parts = [_columns(shell, attitude) for shell in shells]
    columns: dict[str, ArrayLike] = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    return Catalog.from_columns(
        columns | {"synthetic": True, "classification": "U", "epoch_day": day, "epoch_fraction": fraction}
    )


def kozai_mean_motion_rev_per_day(
    altitude_km: ArrayLike, eccentricity: ArrayLike, inclination_deg: ArrayLike
) -> NDArray[np.float64]:
    """Mean motion that an element set carries (Kozai, rev/day) for a mean altitude (Brouwer, WGS-72). Any shape."""
    semi_major_axis = (np.asarray(altitude_km, np.float64) + WGS84_EQUATORIAL_RADIUS_KM) / WGS72.equatorial_radius_km
    brouwer = WGS72.xke / semi_major_axis**1.5
    cos_inclination = np.cos(np.asarray(inclination_deg) * DEGREE)
    kozai = brouwer_to_kozai(brouwer, np.asarray(eccentricity), cos_inclination, WGS72)
    return np.asarray(kozai * (MINUTES_PER_DAY / TWO_PI))


def uniform_numbers(seed: int | Sequence[int], n: int) -> NDArray[np.float64]:
    """n numbers from 0 to below 1, the same with every version of NumPy.

    They equal `Generator(PCG64(seed)).random(n)`, taken from the raw stream because NumPy promises that one to stay
    (NEP 19), not the methods of Generator.
    """
    raw = np.random.PCG64(seed).random_raw(n)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53)


def _find(name_or_path: str | Path) -> tuple[Path, str]:
    """File and variant that a name or path means."""
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or path.is_file():
        return path, ""
    name, colon, variant = name_or_path.rpartition(":")
    if not colon:
        name, variant = name_or_path, ""
    if name.lower() in known_shells():
        return configs_folder() / "shells" / f"{name.lower()}.toml", variant
    if Path(name).is_file():
        return Path(name), variant
    known = known_shells()
    if name.endswith(".toml"):
        raise InputError(f"shells {name_or_path!r}: no such file")
    hint = suggest(name.lower(), known) or f"; known are {', '.join(known)}"
    raise InputError(f"shells {name_or_path!r}: no constellation of this name and no such file{hint}")


def _filled(values: Mapping[str, Any]) -> int:
    """Number of filled slots."""
    if values["satellites"] is not None:
        return int(values["satellites"])
    used = values["occupied_planes"] or values["planes"]
    places: int = used * values["satellites_per_plane"]
    return round(places * float(values["occupancy"] or 1.0))


def _conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values, each right in itself, that do not go together: key and what is wrong."""
    planes, found = values["planes"], []
    if values["phasing"] >= planes:
        found.append(("phasing", f"found {values['phasing']}, expected 0 to {planes - 1} (planes - 1)"))
    altitudes = values["plane_altitudes_km"]
    if altitudes is not None and len(altitudes) != planes:
        found.append(
            ("plane_altitudes_km", f"found {len(altitudes)} altitudes, expected one for each of {planes} planes")
        )
    used = values["occupied_planes"] or planes
    if used > planes:
        found.append(("occupied_planes", f"found {used}, expected at most {planes} (planes)"))
        return found
    places = used * values["satellites_per_plane"]
    if values["satellites"] is not None and values["occupancy"] is not None:
        found.append(("occupancy", "found beside satellites, expected one of the two"))
    if values["satellites"] is not None and values["satellites"] > places:
        found.append(("satellites", f"found {values['satellites']}, expected at most {places} (the slots)"))
    elif values["spares"] > _filled(values):
        found.append(("spares", f"found {values['spares']}, expected at most {_filled(values)} (the filled slots)"))
    return found


def _occupied(shell: Shell) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Filled slots and those that a spare goes with, as plane * satellites_per_plane + slot, ascending."""
    used = shell.occupied_planes or shell.planes
    draws = uniform_numbers(shell.seed, shell.planes + 2 * shell.slots)
    # The smallest draws win: a choice without repetition that needs nothing of NumPy but the draws.
    planes = np.sort(np.argsort(draws[: shell.planes], kind="stable")[:used])
    places = (planes[:, None] * shell.satellites_per_plane + np.arange(shell.satellites_per_plane)).ravel()
    order = np.argsort(draws[shell.planes :][places], kind="stable")
    filled = np.sort(places[order[: _filled(vars(shell))]])
    order = np.argsort(draws[shell.planes + shell.slots :][filled], kind="stable")
    return filled, np.sort(filled[order[: shell.spares]])


def _columns(shell: Shell, attitude: str) -> dict[str, NDArray[Any]]:
    """Columns of a Catalog for one shell; arrays of shape (shell.total,)."""
    filled, spare_places = _occupied(shell)
    place = np.concatenate([filled, spare_places])
    ahead = np.repeat([0.0, shell.spare_offset_slots], [len(filled), len(spare_places)])
    plane, lattice_slot = np.divmod(place, shell.satellites_per_plane)
    slot = lattice_slot + np.where(ahead > 0, shell.satellites_per_plane, 0)

    spread = shell.raan_spread_deg or {"delta": 360.0, "star": 180.0}[shell.walker]
    raan = shell.raan_offset_deg + spread * plane / shell.planes
    latitude = (
        shell.anomaly_offset_deg
        + 360.0 * (lattice_slot + ahead) / shell.satellites_per_plane
        + 360.0 * shell.phasing * plane / shell.slots
    )
    altitude = np.array(shell.plane_altitudes_km or [shell.altitude_km] * shell.planes)
    mean_motion = kozai_mean_motion_rev_per_day(altitude, shell.eccentricity, shell.inclination_deg)

    label = f"{shell.system} {shell.name}".strip().upper()
    plane_labels = np.array([f"{label} P{p:02d} " for p in range(shell.planes)])
    slot_labels = np.array([f"S{s:02d}" for s in range(2 * shell.satellites_per_plane)])
    n = len(place)
    return {
        "name": np.strings.add(plane_labels[plane], slot_labels[slot]),
        "mean_motion_rev_per_day": mean_motion[plane],
        "eccentricity": np.full(n, float(shell.eccentricity)),
        "inclination_deg": np.full(n, float(shell.inclination_deg)),
        "raan_deg": np.mod(raan, 360.0),
        "arg_perigee_deg": np.full(n, shell.arg_perigee_deg % 360.0),
        "mean_anomaly_deg": np.mod(latitude - shell.arg_perigee_deg, 360.0),
        "bstar": np.full(n, float(shell.bstar)),
        "source": np.full(n, f"shells:{shell.origin or shell.system.lower() or 'user'}"),
        "shell": np.full(n, shell.name),
        "plane": plane.astype(np.int32),
        "slot": slot.astype(np.int32),
        "ballistic_coefficient": np.full(n, getattr(shell, ATTITUDES[attitude]) or np.nan),
    }
