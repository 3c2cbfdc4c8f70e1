"""Shell: one Walker shell of a constellation, its rules, and what of its values does not go together.

An altitude is the mean semi-major axis in Brouwer's sense, with which SGP4 propagates, minus 6378.137 km; an element
set carries the mean motion in Kozai's sense, which is converted where element sets are made (lattice.py). Deliberately
absent: files (shells.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from constellation_jax.errors import InputErrors
from constellation_jax.inputs.files.keys import (
    TRUE_OR_FALSE,
    Rule,
    above_zero,
    is_number,
    number,
    numbers,
    one_of,
    text,
    whole,
)
from constellation_jax.inputs.files.toml_tables import Provenance
from constellation_jax.inputs.shells.mean_orbits import frozen_eccentricity, sun_synchronous_inclination_deg
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM

LOWEST_ALTITUDE_KM = 120.0
"""Below it no satellite completes a revolution."""
ATTITUDES = ("on_station", "tumbling", "face_on")
"""How a satellite flies, as far as drag is concerned."""

RULES: dict[str, Rule] = {
    "name": text("a name", required=True),
    "variant": text("a name"),
    "altitude_km": number(LOWEST_ALTITUDE_KM, unit="km", required=True),
    "inclination_deg": number(0.0, 180.0, "degrees", required=True),
    "sun_synchronous": TRUE_OR_FALSE,
    "planes": whole(1, required=True),
    "satellites_per_plane": whole(1, required=True),
    "walker": one_of("delta", "star"),
    "phasing": whole(0),
    "eccentricity": Rule("a number from 0 to below 1", lambda v: is_number(v) and 0 <= v < 1),
    "arg_perigee_deg": number(unit="degrees"),
    "raan_offset_deg": number(unit="degrees"),
    "ltan_h": Rule("a local time from 0 to below 24 hours", lambda v: is_number(v) and 0 <= v < 24),
    "raan_spread_deg": Rule("a number above 0, up to 360 degrees", lambda v: is_number(v) and 0 < v <= 360),
    "anomaly_offset_deg": number(unit="degrees"),
    "plane_altitudes_km": numbers(
        f"a list of numbers of at least {LOWEST_ALTITUDE_KM:g} km", lambda v: v >= LOWEST_ALTITUDE_KM
    ),
    "satellites": whole(1),
    "occupancy": Rule("a number above 0, up to 1", lambda v: is_number(v) and 0 < v <= 1),
    "occupied_planes": whole(1),
    "fill": one_of("drawn", "even"),
    "spares": whole(0),
    "spare_offset_slots": Rule("a number between 0 and 1 slot", lambda v: is_number(v) and 0 < v < 1),
    "seed": whole(0),
    "bstar": number(unit="1/Earth radii"),
    "mass_kg": above_zero("kg"),
    "drag_area_min_m2": above_zero("m2"),
    "drag_area_max_m2": above_zero("m2"),
    "drag_coefficient": above_zero(),
    "drag_coefficient_min": above_zero(),
    "drag_coefficient_max": above_zero(),
    "ballistic_coefficient_m2_kg": above_zero("m2/kg"),
    "propellant_kg": above_zero("kg"),
    "specific_impulse_s": above_zero("s"),
    "thrust_mn": above_zero("mN"),
    "min_elevation_deg": number(0.0, 90.0, "degrees"),
    "design_life_years": above_zero("years"),
}
"""What each key of a shell may hold, in a file and in `Shell`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Shell:
    """One shell of a constellation: a Walker lattice, filled or in part, and what is known of its satellites.

    Raises:
        InputErrors: values that do not go together or are out of range, all at once.
    """

    name: str
    altitude_km: float
    """Mean semi-major axis (Brouwer) minus 6378.137 km, of at least 120."""
    inclination_deg: float = math.nan
    """Must be given, unless the shell is sun-synchronous: then it follows from altitude and eccentricity."""
    sun_synchronous: bool = False
    """True: the inclination is the one at which the planes keep their local time."""
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
    """SGP4 mean; 0 is the frozen orbit of J2 and J3, see `frozen_eccentricity`."""
    arg_perigee_deg: float = 0.0
    raan_offset_deg: float = 0.0
    """Right ascension of the node of plane 0, TEME of the epoch."""
    ltan_h: float | None = None
    """Local mean time at which plane 0 crosses the equator northwards, h, in place of raan_offset_deg."""
    raan_spread_deg: float | None = None
    """Arc over which the planes are spread; None: 360 for delta, 180 for star."""
    anomaly_offset_deg: float = 0.0
    """Mean argument of latitude of slot 0 of plane 0."""
    plane_altitudes_km: tuple[float, ...] | None = None
    """An altitude for each plane, in place of altitude_km; the planes then drift apart as real ones do."""
    satellites: int | None = None
    """How many slots are filled; None: by `occupancy`."""
    occupancy: float | None = None
    """Fraction of the slots that are filled; None: all."""
    occupied_planes: int | None = None
    """How many planes are used at all; None: all."""
    fill: str = "drawn"
    """Which planes and slots are filled: "drawn" by `seed`, or "even", spread evenly over planes and in each plane."""
    spares: int = 0
    """Satellites beside the lattice, each `spare_offset_slots` ahead of a filled slot that is drawn by `seed`."""
    spare_offset_slots: float = 0.25
    seed: int = 0
    bstar: float = 0.0
    """SGP4 drag term, 1/Earth radii; 0 for a shell that keeps its altitude."""
    mass_kg: float | None = None
    """Of one satellite, with its propellant. None, here and below, where it is not known."""
    drag_area_min_m2: float | None = None
    """Area across the flow in the attitude of least drag, such as edge-on."""
    drag_area_max_m2: float | None = None
    """Area across the flow in the attitude of most drag, panels face-on."""
    drag_coefficient: float | None = None
    drag_coefficient_min: float | None = None
    drag_coefficient_max: float | None = None
    ballistic_coefficient_m2_kg: float | None = None
    """Cd A / m on station, in place of what mass, least area and drag coefficient make; see `ballistic_coefficient`."""
    propellant_kg: float | None = None
    specific_impulse_s: float | None = None
    thrust_mn: float | None = None
    min_elevation_deg: float | None = None
    """Least elevation of the satellite above the horizon of a user that it serves."""
    design_life_years: float | None = None
    variant: str = ""
    origin: str = dataclasses.field(default="", compare=False)
    """The file it was read from, without its suffix."""
    provenance: Mapping[str, Provenance] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """Status and source of the numbers, by field name; also of those that were looked for and are unknown."""
    sources: Mapping[str, str] = dataclasses.field(default_factory=dict, compare=False, repr=False)
    """What the sources in `provenance` stand for: the [sources] table of the file."""

    def __post_init__(self) -> None:
        mistakes = []
        for key, rule in RULES.items():
            value = getattr(self, key)
            value = list(value) if isinstance(value, tuple) else value
            absent = (value is None and not rule.required) or (key == "variant" and value == "")
            computed = key == "inclination_deg" and self.sun_synchronous is True
            if not absent and not computed and not rule.accepts(value):
                mistakes.append(f"shell {self.name!r}, {key}: found {value!r}, expected {rule.expected}")
        if not mistakes:
            mistakes = [f"shell {self.name!r}, {key}: {what}" for key, what in conflicts(vars(self))]
        if mistakes:
            raise InputErrors(mistakes)
        if self.sun_synchronous:
            inclination = float(sun_synchronous_inclination_deg(self.altitude_km, self.eccentricity))
            object.__setattr__(self, "inclination_deg", inclination)

    @property
    def node_arc_deg(self) -> float:
        """Arc over which the nodes are spread: `raan_spread_deg`, or that of `walker`."""
        return self.raan_spread_deg or {"delta": 360.0, "star": 180.0}[self.walker]

    @property
    def slots(self) -> int:
        """Places of the lattice: planes times satellites_per_plane."""
        return self.planes * self.satellites_per_plane

    @property
    def filled(self) -> int:
        """Number of filled slots."""
        return _filled(vars(self))

    @property
    def total(self) -> int:
        """Number of satellites: filled slots and spares."""
        return self.filled + self.spares

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
        if attitude == "tumbling" and least is not None and most is not None:
            area = least + 0.5 * most
        elif attitude == "tumbling":
            area = None
        return None if area is None else self.drag_coefficient * area / self.mass_kg

    @property
    def frozen_eccentricity(self) -> float:
        """Eccentricity that the satellites fly, perigee at 90 degrees, where `eccentricity` (SGP4 mean) is 0."""
        return float(frozen_eccentricity(self.altitude_km, self.inclination_deg))


def conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Values of a shell, each right in itself, that do not go together: key and what is wrong."""
    return [*_orbit_conflicts(values), *_lattice_conflicts(values), *_satellite_conflicts(values)]


def _orbit_conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    altitude, eccentricity = values["altitude_km"], values["eccentricity"]
    radius = altitude + WGS84_EQUATORIAL_RADIUS_KM
    highest = 1.0 - (LOWEST_ALTITUDE_KM + WGS84_EQUATORIAL_RADIUS_KM) / radius
    if eccentricity > highest:
        why = f"expected at most {highest:.4g} (perigee at {LOWEST_ALTITUDE_KM:g} km)"
        found.append(("eccentricity", f"found {eccentricity}, {why}"))
    elif values["sun_synchronous"] and math.isnan(sun_synchronous_inclination_deg(altitude, eccentricity)):
        found.append(("altitude_km", f"found {altitude}, expected at most about 5970 km for a sun-synchronous shell"))
    if values["ltan_h"] is not None and values["raan_offset_deg"] != 0:
        found.append(("raan_offset_deg", "found beside ltan_h, expected one of the two"))
    return found


def _lattice_conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
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


def _satellite_conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    for least, most in (
        ("drag_area_min_m2", "drag_area_max_m2"),
        ("drag_coefficient_min", "drag_coefficient_max"),
        ("drag_coefficient_min", "drag_coefficient"),
        ("drag_coefficient", "drag_coefficient_max"),
        ("propellant_kg", "mass_kg"),
    ):
        low, high = values[least], values[most]
        if low is not None and high is not None and low > high:
            found.append((least, f"found {low}, expected at most {high} ({most})"))
    return found


def _filled(values: Mapping[str, Any]) -> int:
    """Number of filled slots."""
    if values["satellites"] is not None:
        return int(values["satellites"])
    used = values["occupied_planes"] or values["planes"]
    places: int = used * values["satellites_per_plane"]
    return round(places * float(values["occupancy"] or 1.0))
