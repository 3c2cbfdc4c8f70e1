"""Readers of the position covariances of ephemeris files: OEM (CCSDS 502.0-B, KVN) and Starlink's MEME text.

Deliberately absent: covariances of velocities, and the axes TNW of an OEM.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.ephemerides.read import MEME_STATE, parse_epoch, read_ephemeris, to_numbers
from constellation_jax.inputs.ephemerides.state_table import StateTable
from constellation_jax.inputs.ephemerides.time_scales import to_utc
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file
from constellation_jax.physics.conjunctions.encounter import ric_axes

_RIC: Final = frozenset({"RTN", "RSW", "RIC", "UVW"})
"""Names of the axes radial, in-track and cross-track."""
_LOWER: Final = np.tril_indices(6)
_NUMBERS: Final = re.compile(r"[-+.\deE\s]+")


class CovarianceTable(NamedTuple):
    """Position covariances of one object in time."""

    norad_id: int
    """Catalogue number; -1 where the source has none."""
    designator: str
    """COSPAR designator; empty where the source has none."""
    source: str
    """Name of the file."""
    times: NDArray[np.datetime64]
    """datetime64[ns], UTC, ascending, shape (m,)."""
    ric: NDArray[np.float64]
    """Along radial, in-track and cross-track, km2, shape (m, 3, 3)."""


def read_covariance_tables(path: str | Path) -> list[CovarianceTable]:
    """Read the covariances of an OEM or of a MEME text file, plain or compressed.

    Raises:
        InputError: as for `read_ephemeris`; a file without covariances, or axes that are not radial, in-track and cross-track and
            not those of the states.
    """
    data, name = read_file(path, "an ephemeris with covariances: OEM or MEME")
    lines = decode_text(data, name).decode("utf-8", "replace").split("\n")
    tables = read_ephemeris(path)
    found = list(_read_oem(lines, name, tables)) if lines[0].startswith("CCSDS_OEM_VERS") else _read_meme(lines, tables)
    if not found:
        raise InputError(f"{name}: no covariances; an ephemeris without them says nothing of its errors")
    return found


def _read_meme(lines: list[str], tables: list[StateTable]) -> list[CovarianceTable]:
    """Lower triangles of 6 x 6 along U, V, W, in km2, on three lines after each state."""
    places = [k for k, line in enumerate(lines) if MEME_STATE.fullmatch(line.rstrip())]
    rows = [" ".join(lines[k + 1 : k + 4]).split() for k in places]
    table = tables[0]
    if not all(len(row) == len(_LOWER[0]) for row in rows):
        return []  # SP3, and MEME text without covariances
    values = to_numbers(rows, f"{table.source}, covariance")
    return [CovarianceTable(table.norad_id, table.designator, table.source, table.times, _fill(values))]


def _read_oem(lines: list[str], name: str, tables: list[StateTable]) -> Iterator[CovarianceTable]:
    """A table for each segment that has covariances; `tables` are those of all segments, in their order."""
    meta: dict[str, str] = {}
    block: list[tuple[int, str]] = []
    segment, part = -1, "header"
    for number, raw in enumerate(lines, start=1):
        line = raw.strip()
        if line == "META_START":
            meta, part, segment = {}, "meta", segment + 1
        elif line == "META_STOP":
            part = "states"
        elif line == "COVARIANCE_START":
            part, block = "covariance", []
        elif line == "COVARIANCE_STOP":
            part = "states"
            if block:
                yield _make_oem_table(block, meta, tables[segment], name)
        elif part == "meta":
            key, _, value = line.partition("=")
            meta[key.strip()] = value.strip()
        elif part == "covariance" and line and not line.startswith("COMMENT"):
            block.append((number, line))


def _make_oem_table(
    block: list[tuple[int, str]], meta: dict[str, str], table: StateTable, name: str
) -> CovarianceTable:
    epochs: list[np.datetime64] = []
    axes: list[str] = []
    rows: list[list[str]] = []
    own = meta.get("REF_FRAME", "").upper()
    for number, line in block:
        key, _, value = (part.strip() for part in line.partition("="))
        if key == "EPOCH":
            epochs.append(parse_epoch(value, f"{name}, line {number}"))
            axes.append(own)
            rows.append([])
        elif key == "COV_REF_FRAME" and rows:
            axes[-1] = value.upper()
        elif rows and _NUMBERS.fullmatch(line):
            rows[-1] += line.split()
        else:
            raise InputError(f"{name}, line {number}: found {quote(line)}, expected EPOCH, COV_REF_FRAME or numbers")
    for epoch, row, axis in zip(epochs, rows, axes, strict=True):
        if len(row) != len(_LOWER[0]):
            raise InputError(f"{name}, covariance of {epoch}: {len(row)} numbers, expected the 21 of a lower triangle")
        if axis not in _RIC and axis != own:
            raise InputError(f"{name}, COV_REF_FRAME: found {quote(axis)}, expected RTN or the frame of the states")
    times = to_utc(np.array(epochs), meta.get("TIME_SYSTEM", "UTC"), name)
    ric = _fill(to_numbers(rows, f"{name}, covariance"))
    turned = np.flatnonzero([axis not in _RIC for axis in axes])
    if len(turned):
        turn = _axes_at(table, times[turned], name)
        ric[turned] = turn @ ric[turned] @ turn.transpose(0, 2, 1)
    order = np.argsort(times, kind="stable")
    if (np.diff(times[order]) <= np.timedelta64(0)).any():
        raise InputError(f"{name}, {table.name}: two covariances of one time, expected each time once")
    return CovarianceTable(table.norad_id, table.designator, name, times[order], ric[order])


def _axes_at(table: StateTable, times: NDArray[np.datetime64], name: str) -> NDArray[np.float64]:
    """Radial, in-track and cross-track axes at instants of a table, as rows in its frame, shape (n, 3, 3)."""
    place = np.searchsorted(table.times, times)
    place = np.minimum(place, len(table.times) - 1)
    absent = table.times[place] != times
    if absent.any() or table.velocity is None or table.frame == "itrs":
        when = times[absent][0] if absent.any() else times[0]
        raise InputError(
            f"{name}, covariance of {when}: not along RTN, and there is no inertial state of that time to turn it by"
        )
    return np.asarray(ric_axes(table.position[place], table.velocity[place]))


def _fill(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Position parts of covariances whose lower triangles are given, shape (m, 21) to (m, 3, 3)."""
    lower = np.zeros((len(rows), 6, 6))
    lower[:, _LOWER[0], _LOWER[1]] = rows
    return (lower + np.tril(lower, -1).transpose(0, 2, 1))[:, :3, :3]
