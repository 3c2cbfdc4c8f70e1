"""Values of a shell, each right in itself, that do not go together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from constellation_jax.inputs.shells.mean_orbits import sun_synchronous_inclination_deg
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM

LOWEST_ALTITUDE_KM = 120.0
"""Below it no satellite completes a revolution."""
HIGHEST_ALTITUDE_KM = 900_000.0
"""Above it no satellite stays with the Earth for long."""
MOST_SLOTS = 10_000_000
"""Most slots of a pattern: a hundred times what the largest filing asks for, and a few GB of memory."""


def find_conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Find values of a shell, each right in itself, that do not go together; returns keys and messages."""
    return [*_orbit_conflicts(values), *_lattice_conflicts(values), *_satellite_conflicts(values)]


def _orbit_conflicts(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    found = []
    altitude, eccentricity = values["altitude_km"], values["eccentricity"]
    for name, heights in (("altitude_km", [altitude]), ("plane_altitudes_km", values["plane_altitudes_km"] or ())):
        if too_high := [height for height in heights if height > HIGHEST_ALTITUDE_KM]:
            return [(name, f"found {too_high[0]:g}, expected at most {HIGHEST_ALTITUDE_KM:,.0f} km")]
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
    if planes * values["satellites_per_plane"] > MOST_SLOTS:
        asked = planes * values["satellites_per_plane"]
        return [("satellites_per_plane", f"found {asked:,} slots in all planes, expected at most {MOST_SLOTS:,}")]
    if values["phasing"] >= planes:
        found.append(("phasing", f"found {values['phasing']}, expected 0 to {planes - 1} (planes - 1)"))
    altitudes = values["plane_altitudes_km"]
    if altitudes is not None and len(altitudes) != planes:
        found.append(
            ("plane_altitudes_km", f"found {len(altitudes)} altitudes, expected one for each of {planes} planes")
        )
    if values["satellites"] is not None and values["occupancy"] is not None:
        found.append(("occupancy", "found beside satellites, expected one of the two"))
    used = planes if values["occupied_planes"] is None else values["occupied_planes"]
    if used > planes:
        found.append(("occupied_planes", f"found {used}, expected at most {planes} (planes)"))
        return found
    places = used * values["satellites_per_plane"]
    if values["satellites"] is not None and values["satellites"] > places:
        found.append(("satellites", f"found {values['satellites']}, expected at most {places} (the slots)"))
    elif values["spares"] > count_filled(values):
        found.append(
            ("spares", f"found {values['spares']}, expected at most {count_filled(values)} (the filled slots)")
        )
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


def count_filled(values: Mapping[str, Any]) -> int:
    """Number of filled slots of a shell, from its values by the keys of shell files."""
    if values["satellites"] is not None:
        return int(values["satellites"])
    used = values["planes"] if values["occupied_planes"] is None else values["occupied_planes"]
    places: int = used * values["satellites_per_plane"]
    return places if values["occupancy"] is None else round(places * float(values["occupancy"]))
