"""Reader of element sets in files and texts, in every format.

The format is recognised from the content, never from the name of the file. A text without a single readable record is an error
of one line; a text with some becomes a Catalog whose rejects list the others.

Deliberately absent: downloading (catalog/celestrak.py) and planned constellations (shells/).
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, Reject
from constellation_jax.inputs.element_sets.omm_csv import read_csv
from constellation_jax.inputs.element_sets.omm_messages import read_json, read_kvn, read_xml
from constellation_jax.inputs.element_sets.tle import read_tle
from constellation_jax.inputs.element_sets.tle_lines import find_line_keys
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file
from constellation_jax.physics.constants import MJD_OFFSET, TWO_PI

_READERS: dict[str, Callable[[bytes, str], tuple[dict[str, Any], list[Reject]]]] = {
    "tle": read_tle,
    "csv": read_csv,
    "json": read_json,
    "xml": read_xml,
    "kvn": read_kvn,
}
FORMATS = tuple(_READERS)
"""Names of the formats: "tle" with or without name lines; the others are the spellings of OMM."""

_EXPECTED = "expected element sets as TLE, or as OMM in CSV, JSON, XML or KVN"
_REFUSALS = ("no gp data found", "gp data has not updated", "invalid query", "error", "you must be logged in")
"""Beginnings of the answers of CelesTrak and Space-Track that are not element sets, in small letters."""


def read_catalog(source: Any, *, format: str | None = None) -> Catalog:
    """Read the element sets of a file, a text or objects of other packages, in their order.

    Args:
        source: a path (str or Path; "-" is the standard input); the text itself (bytes, or a str of several lines or one that
            begins with "{", "[" or "<"); an open file; two or three lines of an element set as a tuple; a dict of the keywords of
            an OMM message; a pandas DataFrame (see `Catalog.from_dataframe`); a `Satrec` of python-sgp4; or a list of these, whose
            objects are put one after the other. Files may be compressed with gzip, xz, bzip2 or zip.
        format: "tle", "csv", "json", "xml" or "kvn"; None recognises it from the content.

    Returns:
        A Catalog of every readable record. Its `source` column holds the file name, or "text"; its `rejects` list the records
        left out and the defects noted, with lines.

    Raises:
        InputError: no such file, not element sets, or not one record that can be read.
    """
    if format is not None and format not in _READERS:
        raise InputError(f"format {format!r}: unknown; known are {', '.join(FORMATS)}")
    if isinstance(source, Catalog):
        return source
    if isinstance(source, Mapping):
        source = [source]
    if isinstance(source, (list, tuple)) and source and all(isinstance(one, Mapping) for one in source):
        source, format = json.dumps([dict(one) for one in source], default=_spell).encode(), "json"
    if isinstance(source, (list, tuple)):
        if source and all(isinstance(one, str) and "\n" not in one for one in source) and any(map(_CARD.match, source)):
            return read_catalog("\n".join(source) + "\n", format=format)
        return Catalog.concatenate([read_catalog(one, format=format) for one in source])
    if hasattr(source, "to_csv") and hasattr(source, "columns"):
        return Catalog.from_dataframe(source)
    if hasattr(source, "no_kozai") and hasattr(source, "jdsatepochF"):
        return _from_satrec(source)
    if hasattr(source, "read"):
        content = source.read()
        source = content if isinstance(content, bytes) else str(content).encode("utf-8", "replace")
    if not isinstance(source, (str, bytes, Path)):
        raise InputError(
            f"source of element sets: found {type(source).__name__}, expected a path, a text, an open file or a list of them"
        )
    data, name = _load(source)
    if not data or data.isspace():
        raise InputError(f"{name}: empty; {_EXPECTED}")
    columns, rejects = _READERS[format or _detect_format(data, name)](data, name)
    if not len(columns["epoch_day"]):
        refused = [reject for reject in rejects if not reject.kept]
        if not refused:
            raise InputError(f"{name}: no element set in it; {_EXPECTED}")
        raise InputError(f"{refused[0]} (none of {len(refused)} record{'s' * (len(refused) > 1)} could be read)")
    return Catalog.from_columns(columns | {"source": name}, rejects=rejects)


_CARD = re.compile(r"[12] [ 0-9A-Za-z][ 0-9A-Za-z]{4}.{40}")
_SATREC_UNITS = {
    "mean_motion_rev_per_day": ("no_kozai", 1440.0 / TWO_PI),
    "eccentricity": ("ecco", 1.0),
    "bstar": ("bstar", 1.0),
} | {
    f"{column}_deg": (field, 360.0 / TWO_PI)
    for column, field in {"inclination": "inclo", "raan": "nodeo", "arg_perigee": "argpo", "mean_anomaly": "mo"}.items()
}


def _from_satrec(satellite: Any) -> Catalog:
    """Catalogue of one `Satrec` of python-sgp4, whose angles are in rad and rates in rad/min."""
    days = satellite.jdsatepoch - MJD_OFFSET
    designator = str(getattr(satellite, "intldesg", "") or "").strip()
    if designator[:5].isdigit():
        designator = f"{'20' if int(designator[:2]) < 57 else '19'}{designator[:2]}-{designator[2:]}"
    columns = {column: getattr(satellite, field) * unit for column, (field, unit) in _SATREC_UNITS.items()}
    fraction = satellite.jdsatepochF + days % 1.0
    return Catalog.from_columns(
        {column: [value] for column, value in columns.items()}
        | {
            "epoch_day": [int(days // 1 + fraction // 1)],
            "epoch_fraction": [fraction % 1.0],
            "norad_id": [satellite.satnum],
            "international_designator": [designator],
            "element_set_number": [int(getattr(satellite, "elnum", 0) or 0)],
            "revolution_number": [int(getattr(satellite, "revnum", 0) or 0)],
            "source": ["Satrec"],
        }
    )


def _spell(value: Any) -> str:
    """Text of a value of a message that is no plain type: a time in ISO 8601, NumPy's numbers as digits."""
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _load(source: str | bytes | Path) -> tuple[bytes, str]:
    """Load the text of a source, in UTF-8 without byte-order mark, and its name."""
    if isinstance(source, bytes):
        data, name = source, "text"
    elif isinstance(source, str) and ("\n" in source or source.lstrip()[:1] in ("{", "[", "<")):
        data, name = source.encode("utf-8", "replace"), "text"
    else:
        data, name = read_file(source, "a file of element sets", pipes=True)
    return decode_text(data, name), name


def _detect_format(data: bytes, name: str) -> str:
    """Recognise the format of a text from its content.

    Raises:
        InputError: a server's refusal, a web page, or a format that is not known.
    """
    start = data[:100_000].lstrip().decode("utf-8", "replace")
    first_line = start.partition("\n")[0].strip()
    if re.match(r"<!doctype\s+html|<html", start, re.IGNORECASE):
        raise InputError(f"{name}: a web page ({quote(_extract_title(start[:4000]), 120)}); {_EXPECTED}")
    if start.startswith("<"):
        return "xml"
    if start.startswith(("{", "[")):
        return "json"
    header = {field.strip().strip('"').upper() for field in first_line.split(",")}
    if len({"EPOCH", "MEAN_MOTION", "OBJECT_NAME", "NORAD_CAT_ID"} & header) > 1 or all(find_line_keys(header)[:2]):
        return "csv"
    # blanks of one line alone: \s would go on over blank lines, again from each of them
    message = re.search(r"^[ \t]*CCSDS_(\w{1,40})_VERS[ \t]*=", start, re.MULTILINE)
    if message and message[1] not in ("OMM", "NDM"):
        raise InputError(f"{name}: a CCSDS {message[1]} message; {_EXPECTED}")
    if message or re.search(r"^[ \t]*(MEAN_MOTION|OBJECT_NAME)[ \t]*=", start, re.MULTILINE):
        return "kvn"
    if re.search(r"^[ \t]*[12][ \xa0][ 0-9A-Za-z][ 0-9A-Za-z]{4}", start, re.MULTILINE):
        return "tle"
    if first_line.lower().startswith(_REFUSALS):
        raise InputError(f"{name}: the server sent no element sets but said {quote(first_line, 200)}")
    raise InputError(f"{name}: found {quote(first_line)}, {_EXPECTED}")


def _extract_title(page: str) -> str:
    """Extract the title of a web page, or else its words without markup."""
    title = re.search(r"<title[^>]*>(.*?)</title>", page, re.IGNORECASE | re.DOTALL)
    text = (
        title[1] if title else re.sub(r"<(style|script)\b.*?</\1>|<[^>]*>", " ", page, flags=re.DOTALL | re.IGNORECASE)
    )
    return " ".join(html.unescape(text).split())
