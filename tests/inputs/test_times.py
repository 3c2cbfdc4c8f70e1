"""Text to times and back, grids that join, and minutes since an epoch against exact integer arithmetic."""

import datetime
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.times import (
    as_times,
    count_times,
    minutes_since,
    parse_duration,
    parse_time,
    time_grid,
    to_day_fraction,
)

ONE_HOUR_EAST = datetime.timezone(datetime.timedelta(hours=1))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-08-23", "2026-08-23T00:00:00"),
        ("2026-08-23T06:30", "2026-08-23T06:30:00"),
        ("2026-08-23 06:30:15", "2026-08-23T06:30:15"),
        ("2026-08-23T06:30:15.123456789Z", "2026-08-23T06:30:15.123456789"),
        ("2026-08-23T00:00:00+02:00", "2026-08-22T22:00:00"),
        ("2026-08-23T00:00:00-0530", "2026-08-23T05:30:00"),
        (" 2026-08-23T06:30:15 UTC ", "2026-08-23T06:30:15"),
        (datetime.date(2026, 8, 23), "2026-08-23T00:00:00"),
        (datetime.datetime(2026, 8, 23, 1, 2, 3, 4), "2026-08-23T01:02:03.000004"),
        (datetime.datetime(2026, 8, 23, tzinfo=ONE_HOUR_EAST), "2026-08-22T23:00:00"),
        (np.datetime64("2026-08-23T01", "h"), "2026-08-23T01:00:00"),
    ],
)
def test_parse_time(text: object, expected: str) -> None:
    time = parse_time(text)  # type: ignore[arg-type]
    assert time == np.datetime64(expected, "ns")
    assert time.dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("soon", "time 'soon': expected ISO 8601 in UTC such as '2026-08-23' or '2026-08-23T06:30:00Z'"),
        ("2026-02-30", "time '2026-02-30': no such date or time of day"),
        ("2026-02-03T25:00", "time '2026-02-03T25:00': no such date or time of day"),
        ("3000-01-01", "time '3000-01-01': expected a year from 1678 to 2261"),
        (np.datetime64("3000-01-01"), "time '3000-01-01': expected a year from 1678 to 2261"),
        (np.datetime64("NaT", "ns"), "time NaT: found no time, expected text such as '2026-08-23T00:00:00Z'"),
        (2026, "time 2026: found a int, expected text such as '2026-08-23T00:00:00Z'"),
        (
            "2016-12-31T23:59:60Z",
            "time '2016-12-31T23:59:60Z': a leap second has no time of its own here; expected seconds from 00 to 59",
        ),
    ],
)
def test_bad_times(text: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_time(text)  # type: ignore[arg-type]
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("60s", 60),
        ("90min", 5400),
        ("1.5h", 5400),
        ("6 h", 21600),
        ("1d", 86400),
        ("30 days", 30 * 86400),
        ("2w", 14 * 86400),
        ("1d12h", 129600),
        ("1 d + 12 h", 129600),
        ("0.1s", Fraction(1, 10)),
        ("250ms", Fraction(1, 4)),
        (datetime.timedelta(hours=2), 7200),
        (np.timedelta64(3, "m"), 180),
        (np.timedelta64(2, "D"), 172800),
    ],
)
def test_parse_duration(text: object, seconds: Fraction) -> None:
    assert parse_duration(text) == np.timedelta64(int(seconds * 10**9), "ns")  # type: ignore[arg-type]


EXPECTED = "expected a number with its unit (ms, s, min, h, d, w), such as '60s', '90min', '6h' or '1d12h'"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (60, f"duration 60: {EXPECTED}"),
        ("60", f"duration '60': {EXPECTED}"),
        ("", f"duration '': {EXPECTED}"),
        ("-5s", f"duration '-5s': {EXPECTED}"),
        ("1d 12", f"duration '1d 12': {EXPECTED}"),
        ("5m", f"duration '5m': unknown unit 'm'; write 'min' for minutes; {EXPECTED}"),
        ("5 fortnights", f"duration '5 fortnights': unknown unit 'fortnights'; {EXPECTED}"),
        ("400000d", "duration '400000d': longer than 292 years"),
    ],
)
def test_bad_durations(text: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_duration(text)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_a_numpy_duration_of_months_is_refused() -> None:
    for duration in (np.timedelta64(1, "M"), np.timedelta64("NaT", "ns")):
        with pytest.raises(InputError, match="expected a number with its unit"):
            parse_duration(duration)


def test_grids_are_half_open_and_join() -> None:
    day_1 = time_grid("2026-08-23", "1d", "6h")
    assert day_1.dtype == "datetime64[ns]"
    assert [str(t)[:16] for t in day_1] == [f"2026-08-23T{h:02}:00" for h in (0, 6, 12, 18)]
    day_2 = time_grid("2026-08-24", "1d", "6h")
    np.testing.assert_array_equal(np.concatenate([day_1, day_2]), time_grid("2026-08-23", "2d", "6h"))


def test_a_step_that_does_not_divide_the_duration() -> None:
    assert [str(t)[11:16] for t in time_grid("2026-08-23", "1d", "7h")] == ["00:00", "07:00", "14:00", "21:00"]
    assert len(time_grid("2026-08-23", "1h", "1d")) == 1


@pytest.mark.parametrize(
    ("duration", "step", "message"),
    [
        ("0s", "1s", "duration '0s' of a time grid: expected more than zero"),
        (datetime.timedelta(-1), "1s", "duration '-1 day, 0:00:00' of a time grid: expected more than zero"),
        ("1d", "0s", "step '0s' of a time grid: expected more than zero"),
        (
            "1d",
            np.timedelta64(-5, "s"),
            "step '-5 seconds' of a time grid: expected more than zero",
        ),
        ("100w", "1ms", "step '1ms' over '100w': 60,480,000,000 times, expected at most 2,147,483,648"),
        ("90000d", "1d", "time grid from 2026-08-23T00:00:00.000000000 over '90000d': ends after the year 2261"),
    ],
)
def test_bad_grids(duration: object, step: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        time_grid("2026-08-23", duration, step)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_as_times_takes_what_users_have() -> None:
    expected = np.array(["2026-08-23T00:00", "2026-08-22T22:00"], "datetime64[ns]")
    aware = datetime.datetime(2026, 8, 23, 0, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    for times in (
        expected,
        expected.astype("datetime64[m]"),
        list(expected),
        ["2026-08-23", "2026-08-22T22:00Z"],
        np.array(["2026-08-23", "2026-08-23T00:00+02:00"]),
        [datetime.datetime(2026, 8, 23), aware],
        ("2026-08-23", aware),
        [np.datetime64("2026-08-23"), "2026-08-22T22:00"],
    ):
        found = as_times(times)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([], "times: found none, expected at least one"),
        ("2026-08-23", "times: found shape (), expected a 1-D array such as time_grid(...) or [time]"),
        (
            np.zeros((2, 2), "datetime64[ns]"),
            "times: found shape (2, 2), expected a 1-D array such as time_grid(...) or [time]",
        ),
        ([1.0, 2.0], "times: found float64 values, expected datetime64, ISO 8601 text or datetimes"),
        (
            ["2026-08-23", "never"],
            "times, entry 1: time 'never': expected ISO 8601 in UTC such as '2026-08-23' or '2026-08-23T06:30:00Z'",
        ),
        (
            np.array(["2026-08-23", "NaT"], "datetime64[ns]"),
            "times, entry 1: time NaT: found no time, expected text such as '2026-08-23T00:00:00Z'",
        ),
        (
            np.array(["2026-08-23", "9999-01-01"], "datetime64[s]"),
            "times, entry 1: time '9999-01-01T00:00:00': expected a year from 1678 to 2261",
        ),
    ],
)
def test_bad_arrays_of_times(times: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        as_times(times)  # type: ignore[arg-type]
    assert str(caught.value) == message


def test_day_and_fraction() -> None:
    day, fraction = to_day_fraction(np.array(["2000-01-01T12:00", "1969-12-31T18:00"], "datetime64[ns]"))
    assert day.tolist() == [51544, 40586]  # J2000 is MJD 51544.5
    assert fraction.tolist() == [0.5, 0.75]


def test_minutes_since_against_exact_arithmetic() -> None:
    random = np.random.default_rng(1)
    ns = random.integers(-(10**18), 3 * 10**18, 40)  # 1938 to 2065
    epoch_day = random.integers(40000, 70000, 30)
    epoch_fraction = random.random(30)
    found = minutes_since(ns.astype("datetime64[ns]"), epoch_day, epoch_fraction)
    exact = np.array(
        [
            [
                float(Fraction(int(t), 60 * 10**9) + 1440 * (40587 - int(d)) - 1440 * Fraction(float(f)))
                for d, f in zip(epoch_day, epoch_fraction, strict=True)
            ]
            for t in ns
        ]
    )
    assert found.shape == (40, 30)
    tolerance_minutes = 2e-8  # 3e-16 of 5e7 min, the longest difference here; a microsecond
    np.testing.assert_allclose(found, exact, rtol=4e-16, atol=2e-12)
    assert np.abs(found - exact).max() < tolerance_minutes


def test_minutes_near_the_epoch_are_exact_to_a_nanosecond() -> None:
    epoch_day, epoch_fraction = to_day_fraction(np.array(["2026-08-22T23:59:59.999999000"], "datetime64[ns]"))
    minutes = minutes_since(np.array(["2026-08-23T00:00:00.000001"], "datetime64[ns]"), epoch_day, epoch_fraction)
    assert abs(minutes[0, 0] * 60e9 - 2000.0) < 0.1  # ns; a Julian date in one float has steps of 40,000 ns


def test_times_of_pandas_keep_their_nanoseconds() -> None:
    stamp = pd.Timestamp("2026-08-22T00:00:00.123456789Z")
    assert parse_time(stamp) == np.datetime64("2026-08-22T00:00:00.123456789")
    assert parse_time(stamp.tz_convert("Asia/Tokyo")) == parse_time(stamp)
    assert as_times([stamp]).tolist() == [parse_time(stamp).astype(np.int64)]
    assert as_times(pd.DatetimeIndex([stamp])).tolist() == [parse_time(stamp).astype(np.int64)]
    step = pd.Timedelta(1 / 30, unit="s")
    assert parse_duration(step) == np.timedelta64(step.value, "ns")
    grid = time_grid("2026-08-22", "1d", step)
    right = pd.date_range("2026-08-22", periods=len(grid), freq=step).to_numpy().astype("datetime64[ns]")
    np.testing.assert_array_equal(grid, right)


@pytest.mark.parametrize(
    ("time", "words"),
    [
        (pd.NaT, "time NaT: found no time"),
        ("2026-08-22T00:00:00+99:99", r"no zone is \+99:99 from UTC"),
        ("2026-08-22T00:00:00+01:60", r"no zone is \+01:60 from UTC"),
        ("2026-08-22T00:00:00-1900", r"no zone is -1900 from UTC"),
    ],
)
def test_times_that_are_none(time: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        time_grid(time, "1h", "1min")  # type: ignore[arg-type]


def test_times_are_counted_without_being_made() -> None:
    assert count_times("1d", "1min") == len(time_grid("2026-08-22", "1d", "1min")) == 1440
    assert count_times("61s", "1min") == 2
    assert count_times("20000d", "1s") == 1_728_000_000
    with pytest.raises(InputError, match="expected at most 2,147,483,648"):
        count_times("30000d", "1s")
    with pytest.raises(InputError, match="expected more than zero"):
        count_times("0s", "1s")
    with pytest.raises(InputError, match=r"1,728,000,000 times take 13\.8 GB, expected at most 134,217,728"):
        time_grid("2026-08-22", "20000d", "1s")
