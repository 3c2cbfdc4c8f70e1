"""Bundled population: a synthetic catalogue of the active satellites in low orbit, available without a network.

It is generated from the statistics in `configs/population/`: lattices (with the Shell code of planned constellations),
clumps of satellites of one launch, and all others by class of inclination and altitude. Every number is in that file, only the
rules are here. Deliberately absent: debris, rocket bodies, dead satellites, and any tracked element set.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.files.keys import Rule, is_number, is_whole, number, numbers, one_of, text, whole
from constellation_jax.inputs.files.toml_tables import TomlTables
from constellation_jax.inputs.shells.files import read_shells
from constellation_jax.inputs.shells.lattice import shells_to_catalog, uniform_numbers
from constellation_jax.inputs.shells.mean_orbits import (
    kozai_mean_motion_rev_per_day,
    raan_of_local_time_deg,
    sun_synchronous_inclination_deg,
)
from constellation_jax.inputs.shells.shell import RULES
from constellation_jax.inputs.times import parse_time, to_day_fraction
from constellation_jax.physics.constants import MJD_J2000, WGS84_EQUATORIAL_RADIUS_KM

_RANGE = Rule(
    "a list of two ascending numbers",
    lambda v: isinstance(v, list) and len(v) == 2 and all(map(is_number, v)) and v[0] <= v[1],
    required=True,
)
_ASCENDING = Rule(
    "a list of ascending numbers",
    lambda v: isinstance(v, list) and len(v) > 1 and all(map(is_number, v)) and bool(np.all(np.diff(v) > 0)),
    required=True,
)
_COUNTS = Rule(
    "a list of whole numbers of at least 0",
    lambda v: isinstance(v, list) and all(is_whole(x) and x >= 0 for x in v),
    required=True,
)
_ORBIT = {
    key: RULES[key]._replace(required=True) for key in ("eccentricity", "arg_perigee_deg", "inclination_deg", "bstar")
}
_CLUMP_RULES = {
    "name": text("a name", required=True),
    "satellites": whole(1, required=True),
    "satellites_per_clump": whole(1, required=True),
    "altitude_range_km": _RANGE,
    "altitude_spread_km": number(0.0, unit="km", required=True),
    "spacing_deg": number(0.0, 360.0, "degrees", required=True),
    "seed": whole(0, required=True),
} | _ORBIT
_OTHER_RULES = {
    "altitude_edges_km": _ASCENDING,
    "fine_edges_km": _ASCENDING,
    "fine_weights": numbers("a list of numbers of at least 0", lambda v: v >= 0, required=True),
    "eccentricity_probability": _ASCENDING,
    "eccentricity_quantile": _ASCENDING,
    "min_perigee_km": number(0.0, unit="km", required=True),
    "least_eccentricity": number(0.0, 1.0, required=True),
    "local_time_counts": _COUNTS,
    "sun_synchronous_scatter_deg": number(0.0, unit="degrees", required=True),
    "seed": whole(0, required=True),
}
_CLASS_RULES = {
    "name": text("a name", required=True),
    "inclination": one_of("uniform", "sun-synchronous", "retrograde", required=True),
    "inclination_range_deg": _RANGE._replace(required=False),
    "counts": _COUNTS,
    "bstar": _ORBIT["bstar"],
}


def bundled_population() -> Catalog:
    """Generate the 11,000 active satellites in low orbit of 2025-06-24: synthetic, and the same on every machine.

    Returns:
        A Catalog with epoch 2025-06-24T00:00:00Z, synthetic = True, source "bundled", norad_id -1, a shell name for
        every family, and plane and slot for those that fly in a lattice.

    Raises:
        InputErrors: mistakes in the file `population/leo-2025-06-24.toml` of the package, where someone has edited it.
    """
    return read_population(configs_folder() / "population" / "leo-2025-06-24.toml")


def read_population(path: str | Path) -> Catalog:
    """Generate the population that a file describes, in the form of `configs/population/leo-2025-06-24.toml`.

    Raises:
        InputError: the file cannot be read.
        InputErrors: mistakes in it, all at once, each with its line.
    """
    file = TomlTables(path)
    file.check_keys(["title", "epoch", "total", "sources", "shells", "clumps", "other", "classes"])
    shells = read_shells(file)
    clumps, classes = (
        [
            file.read(table, (key, i), f"{label} {table.get('name', i + 1)!r}", rules)[0]
            for i, table in enumerate(file.tables(key))
        ]
        for key, label, rules in (("clumps", "clump", _CLUMP_RULES), ("classes", "class", _CLASS_RULES))
    )
    other_table = file.data.get("other")
    if not isinstance(other_table, dict):
        file.report(("other",), "other: expected one [other] table")
        other_table = {}
    other = file.read(other_table, ("other",), "other", _OTHER_RULES)[0]
    if not file.mistakes:
        _check_lengths(file, other, classes)
    try:
        epoch = parse_time(file.data.get("epoch", ""))
    except InputError as error:
        file.report(("epoch",), f"epoch: {error}")
    file.finish()

    day, fraction = to_day_fraction(np.asarray(epoch))
    others = _make_other_columns(other, classes, float(day - MJD_J2000 + fraction))
    common = {"epoch_day": day, "epoch_fraction": fraction, "synthetic": True}
    parts = [Catalog.from_columns(c | common) for c in [*map(_make_clump_columns, clumps), *others]]
    catalog = Catalog.concatenate([shells_to_catalog(shells, epoch=epoch), *parts]).replace(source="bundled")
    if len(catalog) != file.data.get("total", len(catalog)):
        file.report(("total",), f"total: found {file.data['total']}, expected {len(catalog)}, the sum of all tables")
        file.finish()
    return catalog


def _check_lengths(file: TomlTables, other: dict[str, Any], classes: list[dict[str, Any]]) -> None:
    bins = len(other["altitude_edges_km"]) - 1
    pairs = [
        ("fine_weights", len(other["fine_edges_km"]) - 1, "one for each interval of fine_edges_km"),
        ("eccentricity_quantile", len(other["eccentricity_probability"]), "one for each eccentricity_probability"),
        ("local_time_counts", 24, "one for each hour"),
    ]
    for key, expected, why in pairs:
        if len(other[key]) != expected:
            file.report(("other", key), f"other, {key}: found {len(other[key])} numbers, expected {expected}, {why}")
    for i, group in enumerate(classes):
        label = f"class {group['name']!r}"
        if len(group["counts"]) != bins:
            found = f"found {len(group['counts'])} numbers, expected {bins}, one for each altitude bin"
            file.report(("classes", i, "counts"), f"{label}, counts: {found}")
        if group["inclination"] != "sun-synchronous" and "inclination_range_deg" not in group:
            missing = "missing, expected a list of two ascending numbers"
            file.report(("classes", i), f"{label}, inclination_range_deg: {missing}")


def _make_clump_columns(clump: dict[str, Any]) -> dict[str, Any]:
    """Make the catalogue columns of the satellites of one kind of clump. Arrays of shape (satellites,)."""
    n, size = clump["satellites"], clump["satellites_per_clump"]
    which, position = np.divmod(np.arange(n), size)
    draws = uniform_numbers(clump["seed"], 3 * (which[-1] + 1)).reshape(3, -1)[:, which]
    low, high = clump["altitude_range_km"]
    spread = min(clump["altitude_spread_km"], high - low)
    altitude = low + (high - low - spread) * draws[0] + spread * position / max(size - 1, 1)
    latitude = 360.0 * draws[2] + clump["spacing_deg"] * position
    return {
        "name": _number_names(clump["name"], n),
        "shell": clump["name"],
        "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(
            altitude, clump["eccentricity"], clump["inclination_deg"]
        ),
        "eccentricity": clump["eccentricity"],
        "inclination_deg": clump["inclination_deg"],
        "raan_deg": 360.0 * draws[1],
        "arg_perigee_deg": clump["arg_perigee_deg"],
        "mean_anomaly_deg": np.mod(latitude - clump["arg_perigee_deg"], 360.0),
        "bstar": clump["bstar"],
    }


def _make_other_columns(
    other: dict[str, Any], classes: list[dict[str, Any]], days_since_j2000: float
) -> list[dict[str, Any]]:
    """Make the catalogue columns of the satellites outside lattices and clumps, one mapping per class of inclination."""
    edges, fine = np.array(other["altitude_edges_km"], float), np.array(other["fine_edges_km"], float)
    cumulative = np.concatenate([[0.0], np.cumsum(other["fine_weights"])])
    at_edges = np.interp(edges, fine, cumulative)
    hours = np.concatenate([[0.0], np.cumsum(other["local_time_counts"])])
    columns = []
    for i, group in enumerate(classes):
        counts = np.array(group["counts"])
        n = int(counts.sum())
        draws = uniform_numbers([other["seed"], i], 6 * n).reshape(6, n)
        in_bin = np.repeat(np.arange(len(counts)), counts)
        rank = np.arange(n) - np.repeat(np.cumsum(counts) - counts, counts)
        part = (rank + draws[0]) / counts[in_bin]  # evenly over the bin: one in each of `count` equal parts
        level = at_edges[in_bin] + part * (at_edges[in_bin + 1] - at_edges[in_bin])
        altitude = np.interp(level, cumulative, fine)

        log_quantile = np.log(other["eccentricity_quantile"])
        eccentricity = np.exp(np.interp(_stratify(draws[1]), other["eccentricity_probability"], log_quantile))
        room = (altitude - other["min_perigee_km"]) / (altitude + WGS84_EQUATORIAL_RADIUS_KM)
        eccentricity = np.minimum(eccentricity, np.maximum(room, other["least_eccentricity"]))

        raan = 360.0 * draws[2]
        low, high = group.get("inclination_range_deg", (0.0, 0.0))
        inclination = low + (high - low) * draws[3]
        if group["inclination"] == "retrograde":
            inclination = inclination + sun_synchronous_inclination_deg(altitude, eccentricity)
        elif group["inclination"] == "sun-synchronous":
            scatter = other["sun_synchronous_scatter_deg"] * (2.0 * draws[3] - 1.0)
            inclination = sun_synchronous_inclination_deg(altitude, eccentricity) + scatter
            local_time_h = np.interp(_stratify(draws[2]) * hours[-1], hours, np.arange(25.0))
            raan = raan_of_local_time_deg(local_time_h, days_since_j2000)
        columns.append(
            {
                "name": _number_names(group["name"], n),
                "shell": group["name"],
                "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(altitude, eccentricity, inclination),
                "eccentricity": eccentricity,
                "inclination_deg": inclination,
                "raan_deg": raan,
                "arg_perigee_deg": 360.0 * draws[4],
                "mean_anomaly_deg": 360.0 * draws[5],
                "bstar": group["bstar"],
            }
        )
    return columns


def _stratify(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Spread draws evenly over 0 to 1: their order stays, and one lies in each of n equal parts. Shape (n,)."""
    rank = np.argsort(np.argsort(draws, kind="stable"), kind="stable")
    return np.asarray((rank + draws) / len(draws))


def _number_names(name: str, n: int) -> list[str]:
    return [f"{name.upper()} {k:04d}" for k in range(n)]
