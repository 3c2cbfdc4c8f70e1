"""Orbit mean-elements messages (OMM): conversion of their values, given as text by keyword, to catalogue columns.

The four spellings of OMM differ only in how they wrap keywords and values. omm_csv.py and omm_messages.py (JSON, XML,
KVN) unwrap them; the meaning of the values is decided here, once. An element set that SGP4 would propagate wrongly,
because it belongs to another theory, frame or time scale, is rejected with that reason.

Reference: CCSDS 502.0-B-3 (Orbit Data Messages), section 4.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Reject
from constellation_jax.inputs.catalog.checks import SGP4_XP, find_violations
from constellation_jax.inputs.element_sets.epochs import parse_epochs
from constellation_jax.inputs.files.text_columns import (
    NUL_IN_TEXT,
    Defects,
    TextColumn,
    find_nul,
    floats,
    integers,
    quote,
    strings,
)

REQUIRED = (
    "EPOCH",
    "MEAN_MOTION",
    "ECCENTRICITY",
    "INCLINATION",
    "RA_OF_ASC_NODE",
    "ARG_OF_PERICENTER",
    "MEAN_ANOMALY",
)
"""Keywords without which a message cannot be propagated."""
UNITS = {
    "MEAN_MOTION": "rev/day",
    "INCLINATION": "deg",
    "RA_OF_ASC_NODE": "deg",
    "ARG_OF_PERICENTER": "deg",
    "MEAN_ANOMALY": "deg",
    "BSTAR": "1/ER",
    "MEAN_MOTION_DOT": "rev/day**2",
    "MEAN_MOTION_DDOT": "rev/day**3",
}
"""Unit of each keyword; no other one is allowed (CCSDS 502.0-B-3, table 4-3)."""

_FLOATS: dict[str, tuple[str, float | None]] = {
    # keyword: (column, default; None where the keyword is required)
    "MEAN_MOTION": ("mean_motion_rev_per_day", None),
    "ECCENTRICITY": ("eccentricity", None),
    "INCLINATION": ("inclination_deg", None),
    "RA_OF_ASC_NODE": ("raan_deg", None),
    "ARG_OF_PERICENTER": ("arg_perigee_deg", None),
    "MEAN_ANOMALY": ("mean_anomaly_deg", None),
    "BSTAR": ("bstar", 0.0),
    "MEAN_MOTION_DOT": ("mean_motion_dot", 0.0),
    "MEAN_MOTION_DDOT": ("mean_motion_ddot", 0.0),
}
_INTEGERS = {
    # keyword: (column, default, largest value)
    "EPHEMERIS_TYPE": ("ephemeris_type", 0, 127),
    "NORAD_CAT_ID": ("norad_id", NO_NORAD_ID, 999_999_999),
    "ELEMENT_SET_NO": ("element_set_number", 0, 999_999_999),
    "REV_AT_EPOCH": ("revolution_number", 0, 999_999_999),
}
_STRINGS = {
    # keyword: (column, default)
    "OBJECT_NAME": ("name", ""),
    "OBJECT_ID": ("international_designator", ""),
    "OBJECT_TYPE": ("object_type", ""),
    "CLASSIFICATION_TYPE": ("classification", "U"),
}
CONSTANTS = {
    # keyword: allowed values, in capitals; the first is assumed where a message leaves the keyword out
    "MEAN_ELEMENT_THEORY": ("SGP4", "SGP/SGP4", "SGP", "SDP4", "SGP4/SDP4", "TLE"),
    "REF_FRAME": ("TEME",),
    "TIME_SYSTEM": ("UTC",),
    "CENTER_NAME": ("EARTH",),
}
KEYWORDS = frozenset({"EPOCH", "EPOCH_MICROSECONDS", "SEMI_MAJOR_AXIS", *_FLOATS, *_INTEGERS, *_STRINGS, *CONSTANTS})
"""Keywords that are read; every other one is ignored."""

COLUMN_OF = {keyword: column for table in (_FLOATS, _INTEGERS, _STRINGS) for keyword, (column, *_) in table.items()}
"""Column of a catalogue that each keyword stands for."""

_KEYWORD_OF = {column: keyword for keyword, (column, _) in _FLOATS.items()} | {
    "ephemeris_type": "EPHEMERIS_TYPE",
    "epoch_fraction": "EPOCH",
}


class OmmMessages(NamedTuple):
    """Values of n messages as text, by keyword, and the lines on which they stand."""

    n: int
    """Number of messages."""
    texts: dict[str, TextColumn]
    """Values by keyword, each of shape (n,), empty where a message lacks the keyword. A keyword that no message has may
    be left out."""
    line: Callable[[int, str], int]
    """Function of a message (0 to n - 1) and a keyword that gives the line of the file, counted from 1."""


def messages_to_columns(
    messages: OmmMessages, source: str, *, lenient: bool = False
) -> tuple[dict[str, Any], list[Reject]]:
    """Convert messages to catalogue columns; each message that cannot be converted becomes a Reject.

    Args:
        messages: the messages.
        source: name of the file for the rejects.
        lenient: whether epochs and integers may be written as programs that store tables write them: see `parse_epoch` and
            `integers`. The standard, that of KVN and XML, forbids it.

    Returns:
        Columns of shape (m,), m <= n, for `Catalog.from_columns`, and the rejects in the order of the messages.
    """
    rejected: dict[int, Reject] = {}
    columns: dict[str, NDArray[Any]] = {}

    def reject(row: int, keyword: str, reason: str) -> None:
        if row not in rejected:
            rejected[row] = Reject(
                source, messages.line(row, keyword), f"{keyword}{_describe_object(messages, row)}: {reason}"
            )

    def text(keyword: str) -> TextColumn:
        return messages.texts.get(keyword, np.zeros(messages.n, "S1"))

    for row, keyword, reason in _find_foreign(messages):
        reject(row, keyword, reason)
    defects: list[tuple[str, Defects]] = []
    columns["epoch_day"], columns["epoch_fraction"], found = parse_epochs(
        _join_microseconds(text("EPOCH"), messages.texts.get("EPOCH_MICROSECONDS")), lenient=lenient
    )
    defects.append(("EPOCH", found))
    for keyword, (column, default) in _FLOATS.items():
        columns[column], found = floats(text(keyword), default=default)
        defects.append((keyword, found))
    for keyword, (column, integer_default, largest) in _INTEGERS.items():
        columns[column], found = integers(text(keyword), default=integer_default, largest=largest, lenient=lenient)
        defects.append((keyword, found))
    for keyword, found in defects:
        for row, reason in found.items():
            reject(row, keyword, reason)
    for keyword, (column, string_default) in _STRINGS.items():
        values = strings(text(keyword))
        for row in find_nul(text(keyword)):
            reject(row, keyword, f"found {NUL_IN_TEXT} in {quote(values[row].item())}, expected text")
        columns[column] = np.where(values == "", string_default, values) if string_default else values
    for row, column, reason in find_violations(columns):
        reject(row, _KEYWORD_OF[column], reason)

    keep = np.ones(messages.n, bool)
    keep[list(rejected)] = False
    kept: Any = keep if rejected else slice(None)  # picking rows takes a tenth of the reading
    return {key: column[kept] for key, column in columns.items()}, [rejected[row] for row in sorted(rejected)]


def _find_foreign(messages: OmmMessages) -> list[tuple[int, str, str]]:
    """Find the messages of another theory, frame, time scale or planet, as (row, keyword, reason)."""
    found = []
    for keyword, allowed in CONSTANTS.items():
        if keyword in messages.texts:
            values = np.strings.upper(np.strings.strip(messages.texts[keyword]))
            fits = np.isin(values, [b"", *(value.encode() for value in allowed)])
            for row in np.flatnonzero(~fits).tolist():
                other = bytes(values[row])
                expected = SGP4_XP if b"XP" in other else f"found {quote(other)}, expected {' or '.join(allowed[:2])}"
                found.append((row, keyword, expected))
    if "SEMI_MAJOR_AXIS" in messages.texts:
        given = np.strings.strip(messages.texts["SEMI_MAJOR_AXIS"]) != b""
        if "MEAN_MOTION" in messages.texts:
            given &= np.strings.strip(messages.texts["MEAN_MOTION"]) == b""
        reason = "given in place of MEAN_MOTION; SGP4 elements have a mean motion"
        found += [(row, "SEMI_MAJOR_AXIS", reason) for row in np.flatnonzero(given).tolist()]
    return found


def _join_microseconds(epoch: TextColumn, microseconds: TextColumn | None) -> TextColumn:
    """Join the microseconds that Space-Track's older classes give beside the epoch to epochs without a fraction of a second."""
    if microseconds is None:
        return epoch
    joined = [
        e.strip() + b"." + m.strip().zfill(6)
        if re.fullmatch(rb"\s*\d{1,6}\s*", m) and b"." not in e and e[-1:].isdigit()
        else e
        for e, m in zip(epoch.tolist(), microseconds.tolist(), strict=True)
    ]
    return np.array(joined, np.bytes_)


def _describe_object(messages: OmmMessages, row: int) -> str:
    """Describe the object of a message, for rejects: a JSON file may be a single line, so that the line does not tell."""
    for keyword, word in (("NORAD_CAT_ID", "object "), ("OBJECT_NAME", "")):
        if keyword in messages.texts and (name := bytes(messages.texts[keyword][row]).strip()):
            return f" of {word}{name.decode() if word and name.isalnum() else quote(name)}"
    return ""
