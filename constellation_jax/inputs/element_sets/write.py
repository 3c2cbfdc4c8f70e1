"""Writers of element sets: two-line elements and the spellings of OMM, as text.

OMM holds every digit: `read_catalog` gives the same catalogue back. A TLE rounds to its columns: 1e-8 rev/day, 1e-7 of
eccentricity, 1e-4 degrees, five digits of B*, 1e-8 days.

Reference: T. S. Kelso, "Frequently Asked Questions: Two-Line Element Set Format", Satellite Times, January 1998; Space-Track
documentation, "Alpha-5"; CCSDS 502.0-B-3 (Orbit Data Messages), section 4.
"""

from __future__ import annotations

import csv
import io
import json
from fractions import Fraction
from typing import Any
from xml.sax.saxutils import escape

import numpy as np

from constellation_jax.errors import InputError, printable
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.inputs.element_sets.omm import COLUMN_OF, CONSTANTS, REQUIRED
from constellation_jax.inputs.element_sets.tle_fields import ALPHA5_LETTERS
from constellation_jax.physics.constants import MJD_1970

_LARGEST_ALPHA5 = 339_999
_ORDER = (*REQUIRED[1:], "EPHEMERIS_TYPE", "CLASSIFICATION_TYPE", "NORAD_CAT_ID", "ELEMENT_SET_NO", "REV_AT_EPOCH")
_FIELDS = {key: COLUMN_OF[key] for key in (*_ORDER, "BSTAR", "MEAN_MOTION_DOT", "MEAN_MOTION_DDOT")}
"""Column of each keyword, in the order of the standard."""
_CONSTANTS = {key: CONSTANTS[key][0] for key in ("CENTER_NAME", "REF_FRAME", "TIME_SYSTEM", "MEAN_ELEMENT_THEORY")}


def to_omm(catalog: Catalog, format: str) -> str:
    """Write a catalogue as OMM; see `Catalog.to_omm`."""
    writers = {"csv": _to_csv, "json": _to_json, "xml": _to_xml, "kvn": _to_kvn}
    if format not in writers:
        raise InputError(f"format {format!r}: unknown; known are {', '.join(writers)}")
    columns: list[list[Any]] = [_one_line(catalog.name.tolist()), _one_line(catalog.international_designator.tolist())]
    columns.append(
        [_spell_epoch(day, part) for day, part in zip(catalog.epoch_day, catalog.epoch_fraction, strict=True)]
    )
    columns += [getattr(catalog, column).tolist() for column in _FIELDS.values()]
    names = ("OBJECT_NAME", "OBJECT_ID", "EPOCH", *_FIELDS)
    if format in ("csv", "json") and (catalog.object_type != "").any():  # no keyword of the standard's own spellings
        names, columns = (*names, "OBJECT_TYPE"), [*columns, _one_line(catalog.object_type.tolist())]
    messages = [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]
    for message in messages:
        if message["NORAD_CAT_ID"] == NO_NORAD_ID:
            message["NORAD_CAT_ID"] = ""
    return writers[format](names, messages)


def to_tle(catalog: Catalog) -> str:
    """Write a catalogue as two-line elements; see `Catalog.to_tle`."""
    lines: list[str] = []
    for row in range(len(catalog)):
        try:
            lines += _to_lines({key: getattr(catalog, key)[row].item() for key in _NEEDED})
        except InputError as error:
            raise InputError(f"object {row} of the catalogue: {error}; to_omm has room for it") from None
    return "".join(f"{line}\n" for line in lines)


_NEEDED = (*_FIELDS.values(), "name", "international_designator", "epoch_day", "epoch_fraction")


def _to_lines(o: dict[str, Any]) -> tuple[str, ...]:
    number = _to_alpha5(o["norad_id"])
    units = round(Fraction(o["epoch_fraction"]) * 10**8)
    date = np.datetime64(o["epoch_day"] - MJD_1970 + units // 10**8, "D")
    year = date.astype("datetime64[Y]")
    day = int((date - year.astype("datetime64[D]")).astype(int)) + 1
    calendar_year = int(year.astype(int)) + 1970
    if not 1957 <= calendar_year <= 2056:
        raise InputError(f"epoch: found the year {calendar_year}, expected 1957 to 2056")
    epoch = f"{calendar_year % 100:02d}{day:03d}.{units % 10**8:08d}"
    dot = f"{o['mean_motion_dot']:+.8f}"
    if dot[1] != "0":
        raise InputError(f"mean_motion_dot: found {o['mean_motion_dot']}, expected a number between -1 and 1")
    eccentricity = min(round(o["eccentricity"] * 1e7), 9_999_999)
    designator = o["international_designator"]
    is_usual = len(designator) > 8 and designator[4] == "-"
    first = (
        f"1 {number}{o['classification'] or 'U'} {(designator[2:4] + designator[5:] if is_usual else designator)[:8]:<8} {epoch} "
        f"{dot[0].replace('+', ' ')}{dot[2:]} {_to_power(o['mean_motion_ddot'])} {_to_power(o['bstar'])} "
        f"{o['ephemeris_type']:1d} {o['element_set_number'] % 10_000:4d}"
    )
    angles = (f"{round(o[f'{key}_deg'] % 360.0, 4) % 360.0:8.4f}" for key in ("raan", "arg_perigee", "mean_anomaly"))
    raan, perigee, anomaly = angles
    second = (
        f"2 {number} {o['inclination_deg']:8.4f} {raan} {eccentricity:07d} {perigee} {anomaly} "
        f"{o['mean_motion_rev_per_day']:11.8f}{o['revolution_number'] % 100_000:5d}"
    )
    name = printable(" ".join(o["name"].split())) or "UNKNOWN"
    return f"0 {name}", f"{first}{_checksum(first)}", f"{second}{_checksum(second)}"


def _to_alpha5(norad_id: int) -> str:
    if norad_id == NO_NORAD_ID:
        return "00000"
    if norad_id > _LARGEST_ALPHA5:
        raise InputError(f"norad_id: found {norad_id}, expected at most {_LARGEST_ALPHA5}")
    head, rest = divmod(norad_id, 10_000)
    return f"{norad_id:05d}" if head < 10 else f"{ALPHA5_LETTERS[head - 10]}{rest:04d}"


def _to_power(value: float) -> str:
    """Eight columns: sign, five digits after an implied point and a power of ten."""
    if value == 0.0:
        return " 00000+0"
    digits, power = f"{abs(value):.4e}".split("e")
    exponent = int(power) + 1
    if exponent < -9:
        return " 00000+0" if value < 0.0 or exponent < -99 else f"{digits.replace('.', '')}{exponent:+d}"
    if exponent > 9:
        raise InputError(f"bstar or mean_motion_ddot: found {value}, expected less than 1e9")
    return f"{'-' if value < 0.0 else ' '}{digits.replace('.', '')}{exponent:+d}"


def _checksum(line: str) -> int:
    return sum(int(c) if c.isdigit() else c == "-" for c in line) % 10


def _one_line(texts: list[str]) -> list[str]:
    return [printable(" ".join(text.split())) for text in texts]


def _spell_epoch(day: Any, fraction: Any) -> str:
    """ISO 8601 with microseconds, or with as many more digits as tell it from its neighbours."""
    exact = Fraction(float(fraction)) * 86400
    date = np.datetime64(int(day) - MJD_1970, "D")
    for places in (6, 12, 16, 20, 24):
        units = min(round(exact * 10**places), 86400 * 10**places - 1)
        seconds, rest = divmod(units, 10**places)
        if units / (86400 * 10**places) == fraction:
            break
    return f"{date}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{rest:0{places}d}"


def _to_csv(names: tuple[str, ...], messages: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(messages)
    return text.getvalue()


def _to_json(names: tuple[str, ...], messages: list[dict[str, Any]]) -> str:
    kept = [{key: value for key, value in message.items() if value != ""} for message in messages]
    return "[" + ",\n".join(json.dumps(message) for message in kept) + "]\n"


_METADATA = ("OBJECT_NAME", "OBJECT_ID", *_CONSTANTS)


def _to_kvn(names: tuple[str, ...], messages: list[dict[str, Any]]) -> str:
    blocks = []
    for message in messages:
        header = {"CCSDS_OMM_VERS": "3.0", "CREATION_DATE": message["EPOCH"], "ORIGINATOR": "CONSTELLATION-JAX"}
        values = header | {key: (message | _CONSTANTS)[key] for key in _METADATA} | message
        blocks.append("".join(f"{key} = {value}\n" for key, value in values.items() if value != ""))
    return "\n".join(blocks)


def _to_xml(names: tuple[str, ...], messages: list[dict[str, Any]]) -> str:
    def elements(values: dict[str, Any]) -> str:
        return "".join(f"<{key}>{escape(str(value))}</{key}>" for key, value in values.items() if value != "")

    parts = ['<?xml version="1.0" encoding="UTF-8"?>\n<ndm>\n']
    of_tle = names[names.index("EPHEMERIS_TYPE") :]
    for message in messages:
        metadata = {key: (message | _CONSTANTS)[key] for key in _METADATA}
        elements_ = {key: message[key] for key in names[2:] if key not in of_tle}
        parts.append(
            f'<omm id="CCSDS_OMM_VERS" version="3.0"><header><CREATION_DATE>{message["EPOCH"]}</CREATION_DATE><ORIGINATOR>'
            f"CONSTELLATION-JAX</ORIGINATOR></header><body><segment><metadata>{elements(metadata)}</metadata><data>"
            f"<meanElements>{elements(elements_)}</meanElements><tleParameters>"
            f"{elements({key: message[key] for key in of_tle})}</tleParameters></data></segment></body></omm>\n"
        )
    return "".join(parts) + "</ndm>\n"
