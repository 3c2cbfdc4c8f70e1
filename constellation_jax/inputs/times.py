"""Conversion of times on the host: ISO 8601 text to datetime64[ns], regular grids, minutes since the epochs of element sets.

All times are UTC. Days are counted as SGP4 and its element sets count them: every day has 86,400 seconds, so that a leap second
cannot be expressed. Deliberately absent: UT1 and polar motion (`earth_orientation.py`) and any other time scale.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.physics.constants import MINUTES_PER_DAY, MJD_1970, SECONDS_PER_DAY

MAX_STEPS = 2**31
_MOST_IN_MEMORY = 2**27  # times that `time_grid` makes: 1 GB
"""Largest number of times of a grid."""

_NANOSECONDS_PER_DAY = 86_400_000_000_000
_FIRST_YEAR, _LAST_YEAR = 1678, 2261  # the whole years that datetime64[ns] can hold
_MOST_OFFSET_MINUTES = 18 * 60  # of XML Schema and of java.time; zones reach from -12 to +14 hours
_ISO = re.compile(
    r"(?P<date>(?P<year>\d{4})-\d{2}-\d{2})"
    r"(?:[T ](?P<minutes>\d{2}:\d{2})(?P<seconds>:\d{2}(?:\.\d{1,9})?)?)?"
    r" ?(?P<zone>Z|UTC|[+-]\d{2}:?\d{2})?"
)
_UNITS_NS = {
    unit: size
    for units, size in {
        "ns": 1,
        "us": 1_000,
        "ms": 1_000_000,
        "s sec second seconds": 1_000_000_000,
        "min minute minutes": 60_000_000_000,
        "h hr hour hours": 3_600_000_000_000,
        "d day days": _NANOSECONDS_PER_DAY,
        "w week weeks": 7 * _NANOSECONDS_PER_DAY,
    }.items()
    for unit in units.split()
}
_NUMPY_UNITS = {"ns": "ns", "us": "us", "ms": "ms", "s": "s", "m": "min", "h": "h", "D": "d", "W": "w"}
_TERM = re.compile(r"\s*\+?\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-zµ]+)\s*")

Time = str | np.datetime64 | datetime.date
"""Types of an instant; `datetime.datetime` is a subclass of `datetime.date`."""
Duration = str | np.timedelta64 | datetime.timedelta
"""Types of a length of time."""
Span = Sequence[Time | Duration] | ArrayLike
"""Start and end; start and length; or times, of which the first and the last count."""


def parse_time(text: Time) -> np.datetime64:
    """Convert an instant (UTC) to datetime64[ns].

    Args:
        text: ISO 8601 text such as "2026-08-23", "2026-08-23T06:30:00.5Z" or "2026-08-23T08:30+02:00" (converted to
            UTC), a datetime, a date or a datetime64. Without a zone it is UTC.

    Raises:
        InputError: not a time, not a date of the calendar, or outside the years 1678 to 2261 of datetime64[ns].
    """
    if hasattr(text, "to_datetime64"):  # of pandas, which a datetime would cut to microseconds
        text = text.to_datetime64()
    if isinstance(text, np.datetime64):
        return _check_time(text, text)
    if isinstance(text, datetime.datetime):
        naive = text.astimezone(datetime.UTC).replace(tzinfo=None) if text.tzinfo else text
        return _check_time(np.datetime64(naive, "us"), text)
    if isinstance(text, datetime.date):
        return _check_time(np.datetime64(text, "D"), text)
    if not isinstance(text, str):
        raise InputError(f"time {text!r}: found a {type(text).__name__}, expected text such as '2026-08-23T00:00:00Z'")
    match = _ISO.fullmatch(text.strip())
    if match is None:
        raise InputError(f"time {text!r}: expected ISO 8601 in UTC such as '2026-08-23' or '2026-08-23T06:30:00Z'")
    date, minutes, seconds, zone = match.group("date", "minutes", "seconds", "zone")
    if seconds is not None and seconds.startswith(":60"):
        raise InputError(f"time {text!r}: a leap second has no time of its own here; expected seconds from 00 to 59")
    if not _FIRST_YEAR <= int(match["year"]) <= _LAST_YEAR:
        raise InputError(f"time {text!r}: expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    try:
        time = np.datetime64(f"{date}T{minutes or '00:00'}{seconds or ''}", "ns")
    except ValueError:
        raise InputError(f"time {text!r}: no such date or time of day") from None
    if zone is None or zone in ("Z", "UTC"):
        return time
    offset = int(zone[1:3]) * 60 + int(zone[-2:])
    if offset > _MOST_OFFSET_MINUTES or int(zone[-2:]) > 59:
        raise InputError(f"time {text!r}: no zone is {zone} from UTC; expected an offset up to 18:00")
    return time - np.timedelta64(offset if zone[0] == "+" else -offset, "m")


def parse_duration(text: Duration) -> np.timedelta64:
    """Convert a length of time to timedelta64[ns].

    Args:
        text: number and unit, such as "60s", "90min", "1.5h", "30 days", "2w", or a sum such as "1d12h"; or a timedelta
            or timedelta64. The units are ms, s, min, h, d and w. A day is 86,400 s.

    Raises:
        InputError: no number with a unit (a bare number is refused), an unknown unit, or more than 292 years.
    """
    if hasattr(text, "to_timedelta64"):  # of pandas, which a timedelta would cut to microseconds
        text = text.to_timedelta64()
    if isinstance(text, np.timedelta64):
        ns = _to_nanoseconds(text)
    elif isinstance(text, datetime.timedelta):
        ns = (text // datetime.timedelta(microseconds=1)) * 1000
    elif isinstance(text, str):
        ns = _parse_duration_text(text)
    else:
        raise InputError(f"duration {text!r}: {_EXPECTED_DURATION}")
    if abs(ns) >= 2**63:
        raise InputError(f"duration {str(text)!r}: longer than 292 years")
    return np.timedelta64(ns, "ns")


def parse_span(span: Span) -> tuple[np.datetime64, np.datetime64]:
    """Start and end of a span, datetime64[ns].

    Raises:
        InputError: neither two instants, nor an instant and a length, nor times; or the end is not after the start.
    """
    if isinstance(span, tuple | list) and len(span) == 2:
        begin, end = cast("Sequence[Any]", span)  # what cannot be read is refused by the two functions
        start = parse_time(begin)
        try:
            stop = start + parse_duration(end)
        except InputError:
            try:
                stop = parse_time(end)
            except InputError:
                raise InputError(f"span to {end!r}: expected a length such as '6h', or an end, UTC") from None
    else:
        times = as_times(cast("ArrayLike", span))
        start, stop = times.min(), times.max()
    if not stop > start:
        raise InputError(f"span from {start} to {stop}: expected an end after the start")
    return start, stop


_EXPECTED_DURATION = "expected a number with its unit (ms, s, min, h, d, w), such as '60s', '90min', '6h' or '1d12h'"


def _parse_duration_text(text: str) -> int:
    total, position = Fraction(0), 0
    while position < len(text) or not text:
        match = _TERM.match(text, position)
        if match is None:
            raise InputError(f"duration {text!r}: {_EXPECTED_DURATION}")
        number, unit = match.groups()
        if unit not in _UNITS_NS:
            hint = "; write 'min' for minutes" if unit.lower() in ("m", "mn", "mins") else ""
            raise InputError(f"duration {text!r}: unknown unit {unit!r}{hint}; {_EXPECTED_DURATION}")
        total += Fraction(number) * _UNITS_NS[unit]
        position = match.end()
    return round(total)


def _to_nanoseconds(duration: np.timedelta64) -> int:
    unit, count = np.datetime_data(duration.dtype)
    if np.isnat(duration) or unit not in _NUMPY_UNITS:  # months, years and bare numbers have no fixed length
        raise InputError(f"duration {duration!r}: {_EXPECTED_DURATION}")
    return int(duration.astype(np.int64)) * count * _UNITS_NS[_NUMPY_UNITS[unit]]


def time_grid(start: Time, duration: Duration, step: Duration) -> NDArray[np.datetime64]:
    """Make the times start, start + step, start + 2 step, ... before start + duration.

    The grid is half open: the end, start + duration, is not among the times, so that a grid that begins there continues
    this one without a repeated time. Where the step does not divide the duration, the last interval is shorter.

    Args:
        start: first time, UTC; anything that `parse_time` takes.
        duration: length of the whole grid; anything that `parse_duration` takes.
        step: interval between neighbours, likewise.

    Returns:
        datetime64[ns] of shape (T,), T = ceil(duration / step).

    Raises:
        InputError: a text that cannot be read, a duration or a step that is not positive, more than 2**27 times (1 GB), or an
            end after the year 2261.
    """
    first = parse_time(start)
    interval = int(parse_duration(step).astype(np.int64))
    count = count_times(duration, step)
    if count > _MOST_IN_MEMORY:
        raise InputError(
            f"time grid: {count:,} times take {8e-9 * count:.1f} GB, expected at most {_MOST_IN_MEMORY:,}; make it in parts"
        )
    last = int(first.astype(np.int64)) + (count - 1) * interval
    if last >= int(np.datetime64(f"{_LAST_YEAR + 1}-01-01", "ns").astype(np.int64)):
        raise InputError(f"time grid from {first} over {str(duration)!r}: ends after the year {_LAST_YEAR}")
    return first + np.arange(count, dtype=np.int64) * np.timedelta64(interval, "ns")


def count_times(duration: Duration, step: Duration) -> int:
    """Count the times of a grid, as `time_grid` makes it, without making them.

    Raises:
        InputError: a text that cannot be read, a duration or a step that is not positive, or more than 2**31 times.
    """
    length, interval = (int(parse_duration(d).astype(np.int64)) for d in (duration, step))
    if length <= 0:
        raise InputError(f"duration {str(duration)!r} of a time grid: expected more than zero")
    if interval <= 0:
        raise InputError(f"step {str(step)!r} of a time grid: expected more than zero")
    count = -(-length // interval)
    if count > MAX_STEPS:
        raise InputError(f"step {str(step)!r} over {str(duration)!r}: {count:,} times, expected at most {MAX_STEPS:,}")
    return count


def as_times(times: ArrayLike | Iterable[Time]) -> NDArray[np.datetime64]:
    """Convert times of a user to datetime64[ns] of shape (T,), UTC, in their order.

    Args:
        times: 1-D array-like of datetime64, ISO 8601 text or datetimes. Any order and spacing: times may be irregular,
            repeated or run backward.

    Raises:
        InputError: not 1-D, empty, NaT, or an entry that is not a time (the message gives its position).
    """
    array = _as_array(times)
    if array.ndim != 1:
        raise InputError(f"times: found shape {array.shape}, expected a 1-D array such as time_grid(...) or [time]")
    if not len(array):
        raise InputError("times: found none, expected at least one")
    if array.dtype.kind == "M":
        bad = np.flatnonzero(np.isnat(array) | ~_is_in_range(array))
        if len(bad):
            _parse_entry(array[bad[0]], int(bad[0]))
        return array.astype("datetime64[ns]")
    if array.dtype.kind not in "UO":
        raise InputError(f"times: found {array.dtype} values, expected datetime64, ISO 8601 text or datetimes")
    return np.array([_parse_entry(t, i) for i, t in enumerate(array.tolist())], dtype="datetime64[ns]")


def to_day_fraction(times: NDArray[np.datetime64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Split times into the Modified Julian Date (UTC) of the midnight before and the rest as a fraction of a day.

    Args:
        times: datetime64[ns] of any shape.

    Returns:
        day (int64) and fraction (float64, 0 <= fraction < 1), of the shape of times.
    """
    day, rest_ns = np.divmod(times.astype("datetime64[ns]").astype(np.int64), _NANOSECONDS_PER_DAY)
    return day + MJD_1970, rest_ns / float(_NANOSECONDS_PER_DAY)


def to_mjd(time: Time) -> float:
    """Convert one instant to a Modified Julian Date (UTC), to some microseconds."""
    day, fraction = to_day_fraction(np.atleast_1d(parse_time(time)))
    return float(day[0] + fraction[0])


def from_mjd(mjd: ArrayLike) -> NDArray[np.datetime64]:
    """Convert Modified Julian Dates (UTC) of any shape to datetime64[ns], rounded to the second."""
    seconds = np.rint((np.asarray(mjd) - MJD_1970) * SECONDS_PER_DAY).astype(np.int64)
    return np.asarray(seconds.astype("datetime64[s]").astype("datetime64[ns]"))


def format_date(mjd: float) -> str:
    """Format the calendar date of a Modified Julian Date, such as 2026-08-23."""
    return str(np.datetime64(int(np.floor(mjd)) - MJD_1970, "D"))


def today() -> np.datetime64:
    """Return the midnight (UTC) at which the present day began, the default start of decays and station keeping."""
    return np.datetime64(datetime.datetime.now(datetime.UTC).date())


def minutes_since(
    times: NDArray[np.datetime64], epoch_day: ArrayLike, epoch_fraction: ArrayLike
) -> NDArray[np.float64]:
    """Compute the minutes from each epoch to each time, as SGP4 counts them: differences of UTC without leap seconds.

    Whole days are subtracted as integers, apart from the fractions of a day, so that no digits cancel: the result is
    right to its own rounding (1e-10 min after ten years), unlike a difference of two Julian dates in one float each.

    Args:
        times: datetime64[ns] of shape (T,).
        epoch_day: Modified Julian Date (UTC) of the midnight before each epoch, shape (n,), whole numbers.
        epoch_fraction: rest of each epoch as a fraction of a day, shape (n,).

    Returns:
        float64 of shape (T, n).
    """
    day, fraction = to_day_fraction(np.asarray(times))
    whole_days = day[:, None] - np.asarray(epoch_day).astype(np.int64)[None, :]
    part_of_day = fraction[:, None] - np.asarray(epoch_fraction, dtype=np.float64)[None, :]
    return np.asarray(whole_days * MINUTES_PER_DAY + part_of_day * MINUTES_PER_DAY)


def _as_array(times: Any) -> NDArray[Any]:
    """Make an array of times that keeps zones, which NumPy would drop from a datetime."""
    if isinstance(times, str | np.ndarray | np.generic) or hasattr(times, "__array__"):
        return np.asarray(times)
    entries = list(times) if isinstance(times, Iterable) else times
    array = np.asarray(entries)
    if array.dtype.kind == "M" or array.ndim != 1 or not len(array):
        return array
    objects = np.empty(len(array), dtype=object)
    objects[:] = entries
    return objects if array.dtype.kind in "UO" else array


def _parse_entry(time: Any, position: int) -> np.datetime64:
    try:
        return parse_time(time)
    except InputError as error:
        raise InputError(f"times, entry {position}: {error}") from None


def _check_time(time: np.datetime64, given: object) -> np.datetime64:
    if np.isnat(time):
        raise InputError("time NaT: found no time, expected text such as '2026-08-23T00:00:00Z'")
    if not _is_in_range(np.asarray(time)):
        raise InputError(f"time {str(given)!r}: expected a year from {_FIRST_YEAR} to {_LAST_YEAR}")
    in_nanoseconds: np.datetime64 = time.astype("datetime64[ns]")
    return in_nanoseconds


def _is_in_range(times: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    years = times.astype("datetime64[Y]").astype(np.int64) + 1970
    return np.asarray((years >= _FIRST_YEAR) & (years <= _LAST_YEAR))
