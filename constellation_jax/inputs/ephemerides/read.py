"""Readers of ephemeris files: OEM (CCSDS 502.0-B, KVN), SP3 (versions a to d) and the MEME text files of Starlink.

Each object, and each segment of an OEM, is a table of states. Deliberately absent: OEM as XML, clocks and accuracy codes of SP3,
and covariances (covariances.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID
from constellation_jax.inputs.ephemerides.state_table import StateTable, parse_number
from constellation_jax.inputs.ephemerides.time_scales import to_utc
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file
from constellation_jax.inputs.times import parse_time

_MEME_NAME = re.compile(r"MEME_(\d+)_([^_]+)_")
MEME_STATE = re.compile(r"(\d{4})(\d{3})(\d{2})(\d{2})(\d{2}\.\d+)((?:\s+[-+.\deE]+){6})\s*")
_DAY_OF_YEAR = re.compile(r"(\d{4})-(\d{3})T(.*)")
_OEM_FRAMES: Final = {"TEME": "teme", **dict.fromkeys(("EME2000", "GCRF", "ICRF", "J2000"), "j2000")}
_COSPAR = re.compile(r"\d{4}-\d{3}[A-Z]{1,3}")


def read_ephemeris(path: str | Path) -> list[StateTable]:
    """Read the tables of states of a file, plain or compressed, in their own frames.

    Raises:
        InputError: a file of none of the three formats, a frame or time scale that is unknown, or a line that cannot be read.
    """
    data, name = read_file(path, "an ephemeris: OEM, SP3 or MEME")
    text = decode_text(data, name).decode("utf-8", "replace")
    lines = text.split("\n")
    first = next((line for line in lines if line.strip()), "")
    if first.startswith("CCSDS_OEM_VERS"):
        tables = list(_read_oem(lines, name))
    elif re.match(r"#[a-d][PV]", first):
        tables = _read_sp3(lines, name)
    elif first.startswith("created:") or MEME_STATE.match(lines[min(4, len(lines) - 1)]):
        tables = [_read_meme(lines, name)]
    else:
        raise InputError(f"{name}: found {quote(first[:30])}, expected an ephemeris in OEM, SP3 or MEME text")
    for table in tables:
        if len(table.times) < 2 or (np.diff(table.times) <= np.timedelta64(0)).any():
            raise InputError(f"{name}, {table.name}: expected at least two states in ascending order of time")
    return tables


def _read_meme(lines: list[str], name: str) -> StateTable:
    """Starlink's: YYYYDDDHHMMSS.sss (UTC) and a state in the mean equator of J2000; three lines of covariance follow each."""
    rows = [match for line in lines if (match := MEME_STATE.fullmatch(line.rstrip()))]
    if not rows:
        raise InputError(f"{name}: no states, expected lines such as '2023029112442.000 x y z vx vy vz'")
    years = np.array([row[1] for row in rows]).astype("datetime64[Y]").astype("datetime64[ns]")
    milliseconds = [
        ((int(row[2]) - 1) * 1440 + int(row[3]) * 60 + int(row[4])) * 60_000 + round(float(row[5]) * 1000)
        for row in rows
    ]
    states = np.array([row[6].split() for row in rows], np.float64)
    known = _MEME_NAME.match(name)
    return StateTable(
        name=known[2] if known else "",
        norad_id=int(known[1]) if known else NO_NORAD_ID,
        designator="",
        source=name,
        frame="j2000",
        times=years + np.array(milliseconds).astype("timedelta64[ms]"),
        position=states[:, :3],
        velocity=states[:, 3:],
    )


def _read_oem(lines: list[str], name: str) -> Iterator[StateTable]:
    meta: dict[str, str] = {}
    rows: list[tuple[str, list[str]]] = []
    part = "header"
    for number, raw in enumerate([*lines, "META_START"], start=1):
        line = raw.strip()
        if not line or line.startswith("COMMENT"):
            continue
        if line == "META_START":
            if rows:
                yield _oem_table(meta, rows, name)
            meta, rows, part = {}, [], "meta"
        elif line == "META_STOP":
            part = "states"
        elif line in ("COVARIANCE_START", "COVARIANCE_STOP"):
            part = "covariance" if line == "COVARIANCE_START" else "states"
        elif part == "meta":
            key, _, value = line.partition("=")
            meta[key.strip()] = value.strip()
        elif part == "states":
            fields = line.split()
            if len(fields) not in (7, 10):
                raise InputError(f"{name}, line {number}: found {quote(line)}, expected a time and six or nine numbers")
            rows.append((fields[0], fields[1:7]))


def _oem_table(meta: dict[str, str], rows: list[tuple[str, list[str]]], name: str) -> StateTable:
    frame = meta.get("REF_FRAME", "").upper()
    known = "itrs" if frame.startswith("ITRF") else _OEM_FRAMES.get(frame, "")
    if not known or meta.get("CENTER_NAME", "EARTH").upper() != "EARTH":
        found = f"{quote(frame)} about {quote(meta.get('CENTER_NAME', ''))}"
        raise InputError(
            f"{name}, REF_FRAME: found {found}, expected EME2000, GCRF, ICRF, TEME or ITRF about the Earth"
        )
    times = np.array([parse_epoch(text, name) for text, _ in rows])
    states = to_numbers([numbers for _, numbers in rows], name)
    identifier = meta.get("OBJECT_ID", "")
    return StateTable(
        name=meta.get("OBJECT_NAME", ""),
        norad_id=parse_number(identifier),
        designator=identifier if _COSPAR.fullmatch(identifier) else "",
        source=name,
        frame=known,
        times=to_utc(times, meta.get("TIME_SYSTEM", "UTC"), name),
        position=states[:, :3],
        velocity=states[:, 3:],
    )


def parse_epoch(text: str, name: str) -> np.datetime64:
    """Epoch of the CCSDS, as a date or as a day of the year."""
    try:
        if day := _DAY_OF_YEAR.fullmatch(text):
            date = np.datetime64(f"{day[1]}-01-01") + np.timedelta64(int(day[2]) - 1, "D")
            return parse_time(f"{date}T{day[3]}")
        return parse_time(text)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _read_sp3(lines: list[str], name: str) -> list[StateTable]:
    """Positions alone: velocities follow from them, and some files have them in another unit than the standard."""
    scale = "GPS"
    epochs: list[np.datetime64] = []
    found: dict[str, tuple[list[int], list[list[str]]]] = {}
    for number, line in enumerate(lines, start=1):
        if line.startswith("%c") and scale == "GPS" and not line[9:12].startswith("cc"):
            scale = line[9:12].strip() or scale
        elif line.startswith("* "):
            epochs.append(_sp3_epoch(line, f"{name}, line {number}"))
        elif line.startswith("P") and epochs:
            numbers = [line[4:18], line[18:32], line[32:46]]
            places, rows = found.setdefault(line[1:4].strip(), ([], []))
            if any(float(x or 0.0) for x in to_numbers([numbers], f"{name}, line {number}")[0]):  # zeros: not known
                places.append(len(epochs) - 1)
                rows.append(numbers)
    times = to_utc(np.array(epochs, "datetime64[ns]"), scale, name)
    return [
        StateTable(
            name=satellite,
            norad_id=NO_NORAD_ID,
            designator="",
            source=name,
            frame="itrs",
            times=times[places],
            position=to_numbers(rows, name),
        )
        for satellite, (places, rows) in found.items()
    ]


def _sp3_epoch(line: str, where: str) -> np.datetime64:
    fields = line[1:].split()
    try:
        year, month, day, hour, minute = map(int, fields[:5])
        start = np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}", "ns")
        return start + np.timedelta64(round(float(fields[5]) * 1e9), "ns")
    except (ValueError, IndexError):
        raise InputError(f"{where}: found {quote(line)}, expected '* year month day hour minute seconds'") from None


def to_numbers(rows: list[list[str]], where: str) -> NDArray[np.float64]:
    try:
        values = np.array(rows, np.float64)
    except ValueError:
        raise InputError(f"{where}: expected numbers, found {quote(str(rows[0]))}") from None
    if not np.isfinite(values).all():
        raise InputError(f"{where}: expected finite numbers")
    return values
