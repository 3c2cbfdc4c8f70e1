"""Readers of files of solar and geomagnetic indices: CelesTrak (CSV and fixed columns), GFZ, MSAFE percentiles, CSV of the user.

The format is recognised from the content. Deliberately absent: downloads, and the daily series made from the records
(space_weather.py).

Reference: https://celestrak.org/SpaceData/SpaceWx-format.php; Matzka et al., "The geomagnetic Kp index and derived indices of
geomagnetic activity", Space Weather 19 (2021), and the heading of GFZ's files; NASA Marshall Space Flight Center, MSAFE "Table 3".
"""

from __future__ import annotations

import calendar
import csv
import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.inputs.files.text_files import decode_text, read_file
from constellation_jax.physics.constants import MJD_1970

PERCENTILES = ("f107_low", "f107_high", "ap_low", "ap_high")
"""Columns with the 5th (low) and the 95th (high) percentile of a forecast."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
BOUNDS = {"f107": (40.0, 1500.0), "ap": (0.0, 400.0)}
"""Least and largest credible reading: the quiet Sun gives 64, the strongest flare on record 939; Ap ends at 400 by definition."""
_EXPECTED = (
    "expected CelesTrak's SW-All.csv or its text file (DATATYPE CssiSpaceWeather), GFZ's Kp_ap_Ap_SN_F107_since_1932.txt, "
    "an MSAFE forecast of NASA, or a CSV whose header begins with date,f107"
)
_LONGEST_GAP_DAYS = 36525.0
_GFZ_FIELDS = 28
"""Fields of a day in GFZ's file: date (3), days (2), Bartels rotation (2), Kp (8), ap (8), Ap, SN, F10.7 (2), D."""


class IndexRecords(NamedTuple):
    """Records of a file in ascending time, arrays of shape (n,); NaN where the file has no value.

    Monthly records may come before the daily ones and after them.
    """

    mjd: NDArray[np.float64]
    """Middle of the day or month of the record, Modified Julian Date (UTC)."""
    f107: NDArray[np.float64]
    """Observed (not adjusted to 1 au) 10.7 cm flux, solar flux units."""
    f107a: NDArray[np.float64]
    """81-day mean of F10.7, where the file states one."""
    ap: NDArray[np.float64]
    """Planetary daily Ap, or its monthly mean."""
    observed: NDArray[np.bool_]
    """False for a predicted value."""
    daily: NDArray[np.bool_]
    """False for a monthly mean."""
    percentiles: dict[str, NDArray[np.float64]]
    """Columns of PERCENTILES that the file has: all or none."""
    smoothed: bool
    """True for a file whose monthly forecast is known to be a mean over 13 months."""


def read_records(path: str | Path) -> IndexRecords:
    """Read the records of one file, plain or gzip. A record that is repeated as it stands counts once.

    Raises:
        InputError: no such file, unknown content, or a line that cannot be read (file, line, found, expected).
    """
    data, name = read_file(path, "a file of space weather")
    return make_records(name, data)


def make_records(name: str, data: bytes) -> IndexRecords:
    """Make the records of the bytes of a file, as `read_records`; the name is for messages."""
    lines = decode_text(data, name).decode().splitlines()
    head = next((line for line in lines if line.strip() and not line.startswith("#")), "").strip()
    first = "\n".join(lines[:12]).upper()
    if head.upper().startswith("DATATYPE") and "CSSISPACEWEATHER" in first.replace(" ", ""):
        rows, smoothed = _read_fixed_columns(name, lines), True
    elif "F10.7_OBS" in head and "," in head:
        rows, smoothed = _read_celestrak_csv(name, lines), True
    elif head.lower().replace(" ", "").startswith("date,f107"):
        rows, smoothed = _read_own_csv(name, lines), False
    elif re.match(r"\d{4} +\d{1,2} +\d{1,2} ", head):
        rows, smoothed = _read_gfz(name, lines), False
    elif "SOLAR FLUX" in first and "PERCENTILE" in first:
        rows, smoothed = _read_msafe(name, lines), True
    else:
        raise InputError(f"{name}: found {quote(head)}, {_EXPECTED}")
    return _check_records(name, list(rows))._replace(smoothed=smoothed)


class _Record(NamedTuple):
    """One line of a file; fields as in `IndexRecords`."""

    line: int
    mjd: float
    f107: float
    ap: float
    observed: bool
    daily: bool
    f107a: float = np.nan
    percentiles: tuple[float, ...] = ()


def _read_fixed_columns(name: str, lines: list[str]) -> Iterator[_Record]:
    """Read the records of CelesTrak's text file; columns from FORMAT(I4,I3,I3,I5,I3,8I3,I4,8I4,I4,F4.1,I2,I4,F6.1,I2,5F6.1)."""
    section = ""
    for number, line in enumerate(lines, 1):
        if line.startswith("BEGIN "):
            section = line[6:].strip()
        elif line.startswith("END "):
            section = ""
        elif section and line.strip():
            where = f"{name}, line {number}"
            date = _parse_date(where, "-".join(line[:10].split()))
            monthly = section == "MONTHLY_PREDICTED"
            f107 = _parse_number(
                where, "observed F10.7 in columns 113 to 118", line[112:118], *BOUNDS["f107"], optional=not monthly
            )
            # four columns: a mean of 14.3 fills them, against the Ap of three hours before it
            ap = _parse_number(where, "the daily Ap in columns 79 to 82", line[78:82], *BOUNDS["ap"], optional=True)
            if np.isnan(ap):
                ap = _average_ap(where, [line[46 + 4 * k : 50 + 4 * k] for k in range(8)])
            yield _Record(
                number, _to_mjd(date) + (0.0 if monthly else 0.5), f107, ap, section == "OBSERVED", not monthly
            )
    if section:
        raise InputError(f"{name}, line {len(lines)}: the file ends inside {section}, expected END {section}; cut off?")


def _read_celestrak_csv(name: str, lines: list[str]) -> Iterator[_Record]:
    """Read the records of CelesTrak's SW-All.csv."""
    for where, number, fields in _read_csv_rows(name, lines, ("DATE", "AP_AVG", "F10.7_OBS", "F10.7_DATA_TYPE")):
        kind = fields["F10.7_DATA_TYPE"].strip()
        if kind not in ("OBS", "INT", "PRD", "PRM"):
            raise InputError(f"{where}: F10.7_DATA_TYPE {quote(kind)}, expected OBS, INT, PRD or PRM")
        monthly = kind == "PRM"
        f107 = _parse_number(where, "F10.7_OBS", fields["F10.7_OBS"], *BOUNDS["f107"], optional=not monthly)
        ap = _parse_number(where, "AP_AVG", fields["AP_AVG"], *BOUNDS["ap"], optional=True)
        if np.isnan(ap):
            ap = _average_ap(where, [fields.get(f"AP{k}", "") for k in range(1, 9)])
        mjd = _to_mjd(_parse_date(where, fields["DATE"])) + (0.0 if monthly else 0.5)
        yield _Record(number, mjd, f107, ap, kind in ("OBS", "INT"), not monthly)


def _read_own_csv(name: str, lines: list[str]) -> Iterator[_Record]:
    """Read a CSV such as the bundled one: date, f107, ap and where given f107a, kind (observed or forecast), PERCENTILES."""
    for where, number, fields in _read_csv_rows(name, lines, ("date", "f107", "ap")):
        date = fields["date"].strip()
        monthly = len(date) == 7
        day = _parse_date(where, date + "-01" if monthly else date)
        kind = (fields.get("kind") or "observed").strip()
        if kind not in ("observed", "forecast"):
            raise InputError(f"{where}: kind {quote(kind)}, expected observed or forecast")
        f107 = _parse_number(where, "f107", fields["f107"], *BOUNDS["f107"], optional=True)
        f107a = _parse_number(where, "f107a", fields.get("f107a") or "", *BOUNDS["f107"], optional=True)
        ap = _parse_number(where, "ap", fields["ap"], *BOUNDS["ap"], optional=True)
        percentiles: tuple[float, ...] = ()
        if any(key in fields for key in PERCENTILES):
            percentiles = tuple(
                _parse_number(where, key, fields.get(key) or "", *BOUNDS[key.partition("_")[0]], optional=True)
                for key in PERCENTILES
            )
        middle = _to_mjd(day) + (0.5 * _count_days(day) if monthly else 0.5)
        yield _Record(number, middle, f107, ap, kind == "observed", not monthly, f107a, percentiles)


def _read_gfz(name: str, lines: list[str]) -> Iterator[_Record]:
    """Read the records of GFZ's Kp_ap_Ap_SN_F107_since_1932.txt or its nowcast, in which -1 means no value.

    Days before the first F10.7 (1947) are left out, and the last days where neither F10.7 nor Ap is known yet.
    """
    waiting: list[_Record] = []
    begun = False
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or line.startswith("#"):
            continue
        where = f"{name}, line {number}"
        if len(words) != _GFZ_FIELDS:
            raise InputError(
                f"{where}: found {len(words)} fields, expected the {_GFZ_FIELDS} of Kp_ap_Ap_SN_F107_since_1932.txt (GFZ's other "
                "files have no F10.7)"
            )
        date = _parse_date(where, f"{words[0]}-{words[1].zfill(2)}-{words[2].zfill(2)}")
        ap, f107 = (
            np.nan if words[k].startswith("-") else _parse_number(where, what, words[k], *BOUNDS[key])
            for k, what, key in ((23, "Ap", "ap"), (25, "F10.7obs", "f107"))
        )
        begun |= bool(np.isfinite(f107))
        if not begun:
            continue
        waiting.append(_Record(number, _to_mjd(date) + 0.5, f107, ap, True, True))
        if np.isfinite(f107) or np.isfinite(ap):
            yield from waiting
            waiting.clear()


def _read_msafe(name: str, lines: list[str]) -> Iterator[_Record]:
    """Read the records of an MSAFE forecast: the percentiles 95, 50 and 5 of F10.7 and of Ap for each month.

    A line is "2026.5837   AUG   138.2  126.1  113.9   19.8   15.0   10.1".
    Older issues name other percentiles in their heading; the outer columns are used as if they were 95 and 5. A heading may
    begin with a number ("10.7 CM SOLAR FLUX"), and the low percentile of Ap, an estimate, may be negative: it counts as 0.
    """
    for number, line in enumerate(lines, 1):
        words = line.split()
        month_named = len(words) > 1 and words[1].upper()[:3] in _MONTHS
        if not words or not (month_named or re.fullmatch(r"\d{3,5}\.?\d*", words[0])):
            continue
        where = f"{name}, line {number}"
        if len(words) != 8 or not month_named:
            raise InputError(
                f"{where}: found {quote(line.strip(), 80)}, expected a year, a month and six numbers "
                "(F10.7 and Ap at three percentiles each)"
            )
        month = _MONTHS.index(words[1].upper()[:3]) + 1
        year = int(_parse_number(where, "the year", words[0], 1957.0, 2200.0))
        day = datetime.date(year, month, 1)
        f107 = [_parse_number(where, "F10.7", word, *BOUNDS["f107"]) for word in words[2:5]]
        ap = [_parse_number(where, "Ap", word, *BOUNDS["ap"]) for word in words[5:7]]
        ap.append(max(_parse_number(where, "Ap", words[7], -20.0, BOUNDS["ap"][1]), 0.0))
        middle = _to_mjd(day) + 0.5 * _count_days(day)
        yield _Record(number, middle, f107[1], ap[1], False, False, np.nan, (f107[2], f107[0], ap[2], ap[0]))


def _check_records(name: str, rows: list[_Record]) -> IndexRecords:
    """Check the records of a file and convert them to arrays."""
    # two issues of NASA repeat their last month
    rows = [row for k, row in enumerate(rows) if k == 0 or not _is_same(row, rows[k - 1])]
    if len(rows) < 2:
        raise InputError(f"{name}: {len(rows)} records in it; expected at least two")
    days = [row.mjd for row in rows if row.daily]
    first_day, last_day = (days[0], days[-1]) if days else (np.inf, np.inf)
    # monthly predictions may overlap the daily ones
    rows = [row for row in rows if row.daily or not first_day <= row.mjd <= last_day]
    mjd = np.array([row.mjd for row in rows])
    backward = np.flatnonzero(np.diff(mjd) <= 0)
    if len(backward):
        row = rows[backward[0] + 1]
        raise InputError(f"{name}, line {row.line}: a date not after the one before; expected ascending dates")
    far = np.flatnonzero(np.diff(mjd) > _LONGEST_GAP_DAYS)
    if len(far):  # the days between are filled, which takes a gigabyte for a year such as 9999
        raise InputError(
            f"{name}, line {rows[far[0] + 1].line}: a date {np.diff(mjd)[far[0]] / 365.25:,.0f} years after the one before; "
            "expected a century at most"
        )
    f107, ap = (np.array([getattr(row, key) for row in rows]) for key in ("f107", "ap"))
    if not np.isfinite(ap).any():
        raise InputError(f"{name}: no record has Ap; expected daily records before the monthly predictions")
    if not np.isfinite(f107).any():
        raise InputError(f"{name}: no record has F10.7; expected one each day or month")
    table = np.array([row.percentiles or (np.nan,) * len(PERCENTILES) for row in rows])
    empty = [key for key, values in zip(PERCENTILES, table.T, strict=True) if not np.isfinite(values).any()]
    if 0 < len(empty) < len(PERCENTILES):
        raise InputError(f"{name}: no value of {', '.join(empty)}; expected all of {', '.join(PERCENTILES)}, or none")
    return IndexRecords(
        mjd=mjd,
        f107=f107,
        f107a=np.array([row.f107a for row in rows]),
        ap=ap,
        observed=np.array([row.observed for row in rows]),
        daily=np.array([row.daily for row in rows]),
        percentiles=dict(zip(PERCENTILES, table.T, strict=True)) if not empty else {},
        smoothed=False,
    )


def _is_same(one: _Record, other: _Record) -> bool:
    """True for records of the same time and values, on whatever lines."""
    return repr(one._replace(line=0)) == repr(other._replace(line=0))  # repr: NaN equals NaN


def _average_ap(where: str, texts: list[str]) -> float:
    """Mean of the eight values of ap of a day, where all are there; else NaN."""
    if not all(text.strip() for text in texts):
        return np.nan
    return float(np.mean([_parse_number(where, f"ap {k}", text, *BOUNDS["ap"]) for k, text in enumerate(texts, 1)]))


def _read_csv_rows(name: str, lines: list[str], needed: tuple[str, ...]) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Read a CSV with a header: place (for messages), line number and fields of every record; comment lines begin with #."""
    header: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            fields = next(csv.reader([line]))
        except csv.Error as error:
            raise InputError(f"{name}, line {number}: {error}") from None
        if not header:
            header = [field.strip() for field in fields]
            missing = [key for key in needed if key not in header]
            if missing:
                raise InputError(f"{name}, line {number}: no column {', '.join(missing)}; found {quote(line, 80)}")
            twice = next((key for k, key in enumerate(header) if key in header[:k]), None)
            if twice is not None:
                raise InputError(f"{name}, line {number}: column {quote(twice)} stands twice; expected each once")
            continue
        if len(fields) != len(header):
            raise InputError(f"{name}, line {number}: found {len(fields)} fields, expected {len(header)}; cut off?")
        yield f"{name}, line {number}", number, dict(zip(header, fields, strict=True))


def _parse_number(where: str, what: str, text: str, lowest: float, highest: float, *, optional: bool = False) -> float:
    if optional and not text.strip():
        return np.nan
    try:
        value = float(text)
    except ValueError:
        value = np.nan
    if not lowest <= value <= highest:  # NaN and infinity fall here too
        raise InputError(
            f"{where}: {what}: found {quote(text.strip())}, expected a number from {lowest:g} to {highest:g}"
        )
    return value


def _parse_date(where: str, text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{where}: date: found {quote(text.strip())}, expected a date such as 2026-08-23") from None


def _to_mjd(day: datetime.date) -> float:
    return float(day.toordinal() - datetime.date(1970, 1, 1).toordinal() + MJD_1970)


def _count_days(day: datetime.date) -> int:
    return calendar.monthrange(day.year, day.month)[1]
