"""Demand for a service by latitude, weighted by area, by population or by a user's table.

The population is a bundled table of bands of one degree, made by scripts/build_population_by_latitude.py. Deliberately absent:
longitude, over which the satellites of a shell are spread evenly in a day, and time.
"""

from __future__ import annotations

import csv
import os
from functools import lru_cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError, InputErrors, suggest
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file

KINDS: Final = ("area", "population")
_POPULATION = Path(__file__).parent / "tables" / "population_by_latitude.csv"
_HEADER: Final = ("latitude_deg", "weight")
Floats = NDArray[np.float64]


class Demand(NamedTuple):
    """Weights by latitude, shape (bands,)."""

    latitude_deg: Floats
    """Middles of the bands, geocentric, ascending."""
    weight: Floats
    """Share of the demand in each band; they sum to one."""

    @classmethod
    def load(cls, kind: str | Path = "area", *, step_deg: float = 2.0) -> Demand:
        """Load the weights of latitudes, for averages of coverage over the Earth.

        Args:
            kind: "area", "population", or the path of a CSV file with the columns latitude_deg and weight: the share of the demand
                in the band about each latitude, in any unit; bands meet halfway between two latitudes.
            step_deg: width of the bands, a divisor of 180.

        Raises:
            InputError: an unknown kind, a step that does not divide 180, or a file that cannot be read.
            InputErrors: mistakes in the lines of a file, all at once.
        """
        bands = round(180.0 / step_deg) if 0.0 < step_deg <= 180.0 else 0
        if not bands or abs(bands * step_deg - 180.0) > 1e-9:
            raise InputError(f"step_deg {step_deg!r}: expected degrees that divide 180, such as 1, 2 or 5")
        edges = np.linspace(-90.0, 90.0, bands + 1)
        by_area = 0.5 * (1.0 + np.sin(np.deg2rad(edges)))
        weight = np.diff(by_area if kind == "area" else np.interp(edges, *_cumulate(_load_table(kind))))
        return cls(0.5 * (edges[1:] + edges[:-1]), weight / weight.sum())


def _load_table(kind: str | Path) -> Demand:
    if kind == "population":
        return _load_population()
    if isinstance(kind, str) and not os.path.isfile(os.path.expanduser(kind)) and not kind.endswith(".csv"):
        raise InputError(
            f"demand {kind!r}: expected {' or '.join(KINDS)}, or a CSV file with the columns {','.join(_HEADER)}"
            f"{suggest(kind.lower(), KINDS) or ''}"
        )
    return _read(kind)


@lru_cache(maxsize=1)
def _load_population() -> Demand:
    return _read(_POPULATION)


def _cumulate(table: Demand) -> tuple[Floats, Floats]:
    """Return the edges of the bands of a table and the demand south of each edge; within a band it is spread evenly."""
    edges = np.concatenate([[-90.0], 0.5 * (table.latitude_deg[1:] + table.latitude_deg[:-1]), [90.0]])
    return edges, np.concatenate([[0.0], np.cumsum(table.weight)])


def _read(path: str | Path) -> Demand:
    data, name = read_file(path, f"a CSV file with the columns {','.join(_HEADER)}")
    lines = decode_text(data, name).decode().splitlines()
    rows = [(number, row) for number, row in enumerate(csv.reader(lines), 1) if row and not row[0].startswith("#")]
    header = tuple(field.strip().lower() for field in rows[0][1]) if rows else ()
    if not set(_HEADER) <= set(header):
        raise InputError(f"{name}: found {quote(','.join(header))}, expected a header with {','.join(_HEADER)}")
    mistakes: list[str] = []
    values: list[tuple[float, float]] = []
    lines_of: dict[float, int] = {}
    for number, row in rows[1:]:
        where, fields = f"{name}, line {number}", dict(zip(header, row, strict=False))
        latitude, weight = (_parse_number(fields.get(key, "")) for key in _HEADER)
        texts = [quote(fields[key]) if key in fields else "missing" for key in _HEADER]
        if not -90.0 <= latitude <= 90.0:
            mistakes.append(f"{where}: latitude_deg {texts[0]}, expected degrees from -90 to 90")
        elif latitude in lines_of:
            mistakes.append(f"{where}: latitude_deg {latitude:g} stands in line {lines_of[latitude]} already")
        elif not 0.0 <= weight < np.inf:
            mistakes.append(f"{where}: weight {texts[1]}, expected a number of at least 0")
        else:
            lines_of[latitude] = number
            values.append((latitude, weight))
    if mistakes:
        raise InputErrors(mistakes)
    latitude_deg, weights = np.array(sorted(values)).reshape(-1, 2).T
    if not weights.sum() > 0.0:
        raise InputError(f"{name}: no weight above 0; expected at least one latitude with demand")
    return Demand(latitude_deg, weights / weights.sum())


def _parse_number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
