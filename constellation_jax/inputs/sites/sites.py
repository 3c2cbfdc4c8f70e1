"""Sites on the ground: name, latitude, longitude and altitude, from a CSV or TOML file or from values."""

from __future__ import annotations

import csv
import dataclasses
import math
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.text_files import decode_text, read_file

_RANGES: Final = {"latitude_deg": (-90.0, 90.0), "longitude_deg": (-180.0, 360.0), "altitude_m": (-500.0, 9000.0)}
_COLUMNS: Final = ("name", *_RANGES)


@dataclasses.dataclass(frozen=True)
class Site:
    """Place on the ground."""

    name: str
    latitude_deg: float
    """Geodetic latitude, degrees north."""
    longitude_deg: float
    """Degrees east, -180 to 360."""
    altitude_m: float = 0.0
    """Altitude over the WGS-84 ellipsoid, m."""

    def __post_init__(self) -> None:
        for key, (low, high) in _RANGES.items():
            value = getattr(self, key)
            if not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
                raise InputError(
                    f"site {self.name!r}, {key}: found {value!r}, expected a number from {low:g} to {high:g}"
                )


SiteSource = str | Path | Site | Iterable[Site] | Mapping[str, tuple[float, ...]]
"""Sources of sites: a file, sites, or {name: (latitude, longitude)} with the altitude in m as a third number where it is known."""


def load_sites(source: SiteSource) -> tuple[Site, ...]:
    """Load sites from a file or values.

    Args:
        source: a CSV file with the columns name, latitude_deg, longitude_deg and, where wanted, altitude_m; a TOML file with tables
            [[sites]] of these keys; one Site or several; or {name: (latitude_deg, longitude_deg[, altitude_m])}.

    Raises:
        InputError: a file that cannot be read, a missing or unknown key, a number out of range, two sites of one name, or none.
    """
    if isinstance(source, Site):
        found = [source]
    elif isinstance(source, Mapping):
        found = [_from_numbers(str(name), numbers) for name, numbers in source.items()]
    elif isinstance(source, str | Path):
        path = Path(source)
        rows = _read_toml(path) if path.suffix.lower() == ".toml" else _read_csv(path)
        found = [_from_row(path, where, row) for where, row in rows]
    else:
        found = list(source)
    if not found:
        raise InputError(f"sites {source!s}: none, expected at least one")
    names = [site.name for site in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"sites: {twice!r} is there twice; expected a name for each")
    return tuple(found)


def _from_numbers(name: str, numbers: Any) -> Site:
    values = tuple(numbers)
    if len(values) not in (2, 3):
        raise InputError(
            f"site {name!r}: found {len(values)} numbers, expected latitude, longitude and, if known, altitude"
        )
    return Site(name, *values)


def _from_row(path: Path, where: str, row: Mapping[str, Any]) -> Site:
    unknown = [key for key in row if key not in _COLUMNS]
    if unknown:
        known = ", ".join(_COLUMNS)
        raise InputError(
            f"{path}, {where}: unknown key {unknown[0]!r}; known are {known}{suggest(unknown[0], _COLUMNS)}"
        )
    missing = [key for key in _COLUMNS[:3] if row.get(key) in (None, "")]
    if missing:
        raise InputError(f"{path}, {where}: {missing[0]} is missing")
    numbers = {}
    for key in _RANGES:
        value = row.get(key)
        if value not in (None, ""):
            try:
                numbers[key] = float(value)
            except (TypeError, ValueError):
                raise InputError(f"{path}, {where}, {key}: found {value!r}, expected a number") from None
    try:
        return Site(str(row["name"]).strip(), **numbers)
    except InputError as error:
        raise InputError(f"{path}, {where}: {error}") from None


def _read_csv(path: Path) -> list[tuple[str, dict[str, Any]]]:
    lines = _read_text(path).splitlines()
    rows = [(k, line) for k, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")]
    reader = csv.reader(line for _, line in rows)
    header, *values = [[cell.strip() for cell in row] for row in reader] or [[]]
    found = []
    for (number, _), row in zip(rows[1:], values, strict=True):
        if len(row) != len(header):
            raise InputError(
                f"{path}, line {number}: found {len(row)} columns, expected the {len(header)} of the header"
            )
        found.append((f"line {number}", dict(zip(header, row, strict=True))))
    return found


def _read_toml(path: Path) -> list[tuple[str, dict[str, Any]]]:
    try:
        tables = tomllib.loads(_read_text(path)).get("sites")
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path}: no TOML: {error}") from None
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise InputError(f"{path}: expected tables [[sites]]")
    return [(f"sites[{k}]", table) for k, table in enumerate(tables)]


def _read_text(path: Path) -> str:
    data, name = read_file(path, "a CSV or TOML file of sites")
    try:
        return decode_text(data, name).decode()
    except UnicodeDecodeError:
        raise InputError(f"{path}: no text in UTF-8; expected a CSV or TOML file of sites") from None
