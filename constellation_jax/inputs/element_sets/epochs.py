"""Conversion of CCSDS epochs ("1998-11-20T06:49:59.999808", "1998-324T06:49:59.9Z") to Modified Julian Date and fraction.

The fraction is the correctly rounded quotient of two integers, however many digits the text has. A calendar library or a date in
one floating-point number would lose digits.

Reference: CCSDS 502.0-B-3 (Orbit Data Messages), section 7.5.10.
"""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.files.text_columns import Defects, TextColumn, quote
from constellation_jax.physics.constants import MJD_1970

FIRST_YEAR, LAST_YEAR = 1957, 2199
"""Range of years of an epoch: from the first satellite to well before datetime64[ns] ends (2262)."""

_SECONDS_PER_DAY = 86400
_PATTERN = r"(\d{4})-(?:(\d\d)-(\d\d)|(\d{3}))%s(\d\d):(\d\d):(\d\d)(?:\.(\d*))?%s"
_EPOCH = re.compile(_PATTERN % ("T", "Z?"), re.ASCII)
_LENIENT_EPOCH = re.compile(_PATTERN % ("[T ]", "(?: ?(?:Z|UTC|[+-]00:?00))?"), re.ASCII)
"""A blank in place of T, and a zone of UTC, as pandas and databases write them."""
_USUAL = np.frombuffer(b"0000-00-00T00:00:00.000000", np.uint8)
"""Spelling of CelesTrak and Space-Track. It is read for the whole column at once, any other one row by row."""


def parse_epochs(text: TextColumn, *, lenient: bool = False) -> tuple[NDArray[np.int64], NDArray[np.float64], Defects]:
    """Convert a column of epochs to days and fractions of a day.

    Args:
        text: UTC epochs in calendar or day-of-year form, shape (n,).
        lenient: as for `parse_epoch`.

    Returns:
        Modified Julian Dates of the midnights before, shape (n,); fractions of the day, 0 <= fraction < 1, shape (n,);
        the defects, a reason by row.
    """
    n = len(text)
    table = np.zeros((len(_USUAL) + 1, n), np.uint8)
    characters = np.ascontiguousarray(text).view(np.uint8).reshape(n, text.dtype.itemsize)[:, : len(table)]
    table[: characters.shape[1]] = characters.T
    is_digit = np.equal(_USUAL, ord("0"))
    usual = ((table[:-1] - 48) <= 9)[is_digit].all(axis=0) & (table[:-1] == _USUAL[:, None])[~is_digit].all(axis=0)
    usual &= (table[-1] == 0) | ((table[-1] == ord("Z")) & (text.dtype.itemsize <= len(table)))

    def number(first: int, last: int) -> NDArray[np.int64]:
        value = np.zeros(n, np.int64)
        for row in table[first:last]:
            value = 10 * value + (row - 48)
        return np.where(usual, value, 1)

    year, month, day = number(0, 4), number(5, 7), number(8, 10)
    hour, minute, second, microsecond = number(11, 13), number(14, 16), number(17, 19), number(20, 26)
    usual &= (year >= FIRST_YEAR) & (year <= LAST_YEAR) & (month >= 1) & (month <= 12) & (day >= 1)
    usual &= (hour < 24) & (minute < 60) & (second < 60)
    midnight = month_to_mjd(year, np.where(usual, month, 1)) + day - 1
    usual &= midnight < month_to_mjd(year, np.where(usual, month, 1) + 1)
    fraction = (((hour * 60 + minute) * 60 + second) * 1_000_000 + microsecond) / (_SECONDS_PER_DAY * 1e6)

    defects: Defects = {}
    for row in np.flatnonzero(~usual).tolist():
        try:
            midnight[row], fraction[row] = parse_epoch(
                bytes(text[row]).decode("utf-8", "replace").strip(), lenient=lenient
            )
        except ValueError as defect:
            defects[row] = str(defect)
            midnight[row], fraction[row] = 0, 0.0
    return midnight, fraction, defects


def parse_epoch(text: str, *, lenient: bool = False) -> tuple[int, float]:
    """Convert one epoch to the Modified Julian Date of the midnight before and the fraction of the day since.

    A leap second (23:59:60) counts as the first second of the next day: days of 86,400 seconds have no other place
    for it.

    Args:
        text: the epoch.
        lenient: whether a blank may stand in place of T, "+00:00" in place of Z, and day 366 of a year of 365 days for the first of
            the next, as some programs count on over the turn of the year.

    Raises:
        ValueError: not an epoch; the message says what was found and what was expected.
    """
    found = (_LENIENT_EPOCH if lenient else _EPOCH).fullmatch(text)
    if not found:
        expected = "YYYY-MM-DDThh:mm:ss or YYYY-DDDThh:mm:ss"
        raise ValueError(f"found {quote(text)}, expected {expected}" if text else "missing, expected an epoch")
    year, hour, minute, second = int(found[1]), int(found[5]), int(found[6]), int(found[7])
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise ValueError(f"found the year {year} in {quote(text)}, expected {FIRST_YEAR} to {LAST_YEAR}")
    if found[4]:
        first, end, day, period = _first_day(year, 1), _first_day(year + 1, 1), int(found[4]), f"{year}"
        end = max(end, first + 366) if lenient else end
    else:
        month, day = int(found[2]), int(found[3])
        if not 1 <= month <= 12:
            raise ValueError(f"found month {month} in {quote(text)}, expected 1 to 12")
        first, end, period = _first_day(year, month), _first_day(year, month + 1), f"month {month}"
    midnight = first + day - 1
    if not first <= midnight < end:
        raise ValueError(f"found day {day} of {period} in {quote(text)}, expected a day of the calendar")
    leap_second = second == 60 and (hour, minute) == (23, 59)
    if hour > 23 or minute > 59 or (second > 59 and not leap_second):
        raise ValueError(f"found the time {text[found.start(5) :]!r}, expected 00:00:00 to 23:59:60")
    digits = found[8] or ""
    unit = 10 ** len(digits)
    day_length = _SECONDS_PER_DAY * unit
    elapsed = ((hour * 60 + minute) * 60 + second) * unit + int(digits or 0)
    if elapsed >= day_length:
        midnight, elapsed = midnight + 1, elapsed - day_length
    fraction = elapsed / day_length  # Python rounds the quotient of two integers correctly, however long they are
    return (midnight + 1, 0.0) if fraction == 1.0 else (midnight, fraction)


def month_to_mjd(year: NDArray[np.int64], month: NDArray[np.int64]) -> NDArray[np.int64]:
    """Convert a month to the Modified Julian Date of its first day; month 13 is January of the next year. Shape (n,)."""
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    return months.astype("datetime64[D]").astype(np.int64) + MJD_1970


def _first_day(year: int, month: int) -> int:
    return int(month_to_mjd(np.array([year]), np.array([month]))[0])
