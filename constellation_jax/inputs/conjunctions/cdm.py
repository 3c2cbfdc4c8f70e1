"""Reader of conjunction data messages (CDM) in KVN, the "KEYWORD = value [unit]" lines of CCSDS 508.0-B-1.

A message gives the states of two objects at their closest approach and the covariances of both. Deliberately absent: XML, and what
a message says of the orbit determination.
"""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file
from constellation_jax.inputs.times import parse_time
from constellation_jax.physics.constants import EARTH_ROTATION_RATE

_STATE: Final = ("X", "Y", "Z", "X_DOT", "Y_DOT", "Z_DOT")
AXES: Final = ("R", "T", "N", "RDOT", "TDOT", "NDOT")
COVARIANCE: Final = tuple(f"C{row}_{column}" for k, row in enumerate(AXES) for column in AXES[: k + 1])
"""Keywords of the lower triangle of a covariance, row by row."""
_UNITS: Final = {
    **dict.fromkeys(_STATE[:3], ("km",)),
    **dict.fromkeys(_STATE[3:], ("km/s",)),
    **{name: (("m**2",), ("m**2/s",), ("m**2/s**2",))[name.count("DOT")] for name in COVARIANCE},
}
"""Keyword -> unit of the standard; there is no other."""
_INERTIAL: Final = ("EME2000", "GCRF", "TEME", "ICRF", "J2000")
_ROTATING: Final = ("ITRF",)
_LINE = re.compile(r"([A-Z][A-Z0-9_]*)\s*=\s*(.*?)\s*(?:\[([^\]]*)\])?")
_HBR = re.compile(r"HBR\s*=\s*([-+.\dEe]+)\s*\[?m\]?")
_DATE_OF_YEAR = re.compile(r"(\d{4})-(\d{3})T(.*)")


@dataclasses.dataclass(frozen=True, eq=False)
class ConjunctionObject:
    """One object of a conjunction data message, at the closest approach."""

    designator: str
    """OBJECT_DESIGNATOR, such as a catalogue number."""
    name: str
    """OBJECT_NAME; empty where the message has none."""
    frame: str
    """Frame of position and velocity. Of a message in an Earth-fixed frame the axes are fixed, the velocity is inertial."""
    position: NDArray[np.float64]
    """km, shape (3,)."""
    velocity: NDArray[np.float64]
    """Inertial velocity, km/s, shape (3,)."""
    covariance: NDArray[np.float64]
    """Covariance along the radial, in-track and cross-track direction, position then velocity, km2, km2/s, km2/s2, shape (6, 6)."""


@dataclasses.dataclass(frozen=True, eq=False)
class ConjunctionMessage:
    """Conjunction data message: two objects at their closest approach."""

    source: str
    """Name of the file."""
    tca: np.datetime64
    """Time of closest approach, UTC."""
    objects: tuple[ConjunctionObject, ConjunctionObject]
    """OBJECT1 and OBJECT2."""
    radius_m: float
    """Combined hard-body radius of the comment "HBR = 10 [m]", m; NaN where there is none."""
    probability: float
    """COLLISION_PROBABILITY of the message; NaN where there is none."""


def read_cdm(source: str | Path | bytes) -> ConjunctionMessage:
    """Read a conjunction data message in KVN.

    Args:
        source: path of the file, plain or compressed, or its content.

    Raises:
        InputError: no CDM, a keyword that is missing, or a number, unit or frame that it may not have.
    """
    data, name = (source, "text") if isinstance(source, bytes) else read_file(source, "a CDM in KVN")
    text = decode_text(data, name).decode("utf-8", "replace")
    if not text.lstrip().startswith("CCSDS_CDM_VERS"):
        start = text.lstrip()[:20]
        raise InputError(f"{name}: found {quote(start)}, expected a CDM in KVN, which begins with CCSDS_CDM_VERS")
    parts: list[dict[str, tuple[int, str, str]]] = [{}]
    radius = np.nan
    for number, raw in enumerate(text.split("\n"), start=1):
        line = raw.strip()
        if line.startswith("COMMENT"):
            if found := _HBR.search(line):
                radius = _number(found[1], "m", ("m",), f"{name}, line {number}, HBR")
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            if line:
                raise InputError(f"{name}, line {number}: found {quote(line)}, expected KEYWORD = value")
            continue
        keyword, value, unit = match[1], match[2], match[3] or ""
        if keyword == "OBJECT":
            parts.append({})
        parts[-1][keyword] = (number, value, unit)
    if len(parts) != 3:
        raise InputError(f"{name}: found {len(parts) - 1} objects, expected OBJECT1 and OBJECT2")
    header = parts[0]
    given = header.get("COLLISION_PROBABILITY")
    where = f"{name}, COLLISION_PROBABILITY"
    return ConjunctionMessage(
        source=name,
        tca=_time(_get(header, "TCA", name)[1], name),
        objects=(_object(parts[1], name), _object(parts[2], name)),
        radius_m=radius,
        probability=np.nan if given is None or not given[1] else _number(given[1], given[2], ("",), where),
    )


def _object(part: dict[str, tuple[int, str, str]], name: str) -> ConjunctionObject:
    values = {key: _number_of(part, key, name) for key in (*_STATE, *COVARIANCE)}
    frame = _get(part, "REF_FRAME", name)[1].upper()
    if not frame.startswith((*_INERTIAL, *_ROTATING)):
        known = ", ".join((*_INERTIAL, *_ROTATING))
        raise InputError(f"{name}, REF_FRAME {quote(frame)}: unknown; known are {known}{suggest(frame, _INERTIAL)}")
    position, velocity = (np.array([values[key] for key in half]) for half in (_STATE[:3], _STATE[3:]))
    if frame.startswith(_ROTATING):
        velocity = velocity + np.cross([0.0, 0.0, EARTH_ROTATION_RATE], position)
    lower = np.zeros((6, 6))
    lower[np.tril_indices(6)] = [values[key] * 1e-6 for key in COVARIANCE]  # m2 to km2
    return ConjunctionObject(
        designator=_get(part, "OBJECT_DESIGNATOR", name)[1],
        name=part.get("OBJECT_NAME", (0, "", ""))[1],
        frame=frame,
        position=position,
        velocity=velocity,
        covariance=lower + np.tril(lower, -1).T,
    )


def _get(part: dict[str, tuple[int, str, str]], key: str, name: str) -> tuple[int, str, str]:
    if key not in part:
        raise InputError(f"{name}: the keyword {key} is missing{suggest(key, part)}")
    return part[key]


def _number_of(part: dict[str, tuple[int, str, str]], key: str, name: str) -> float:
    number, value, unit = _get(part, key, name)
    return _number(value, unit, _UNITS[key], f"{name}, line {number}, {key}")


def _number(text: str, unit: str, units: tuple[str, ...], where: str) -> float:
    if unit.strip() not in ("", *units):
        raise InputError(f"{where}: found the unit {quote(unit)}, expected [{units[0]}]")
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        raise InputError(f"{where}: found {quote(text)}, expected a number")
    return value


def _time(text: str, name: str) -> np.datetime64:
    try:
        if day := _DATE_OF_YEAR.fullmatch(text):
            date = np.datetime64(f"{day[1]}-01-01") + np.timedelta64(int(day[2]) - 1, "D")
            return parse_time(f"{date}T{day[3]}")
        return parse_time(text)
    except InputError as error:
        raise InputError(f"{name}, TCA: {error}") from None
