"""Forecasts joined to the present level of the Sun: limits of the laws, no look-ahead, and what the bands hold."""

import tarfile
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.environment.forecast import LAWS, ONSET_DAYS, QUANTILE_95, find_change_by_onset
from constellation_jax.inputs.environment.space_weather_series import FORECAST
from constellation_jax.inputs.times import to_mjd

HEADER = """  TABLE 3 ESTIMATES OF 13-MONTH SMOOTH SOLAR ACTIVITY
    TIME         10.7 CM SOLAR FLUX   (F10.7)      GEOMAGNETIC INDEX   (Ap)
                         PERCENTILE                    PERCENTILE
                  95.0%       50%      5.0%     95.0%       50%      5.0%
"""
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")


def write_issue(path: Path, f107: float, ap: float, spread: float = 0.05) -> Path:
    """Issue of January 2020 with one value for twelve years."""
    columns = " ".join(f"{v * (1.0 + s * spread):.1f}" for v in (f107, ap) for s in (1, 0, -1))
    rows = [f" {y}.0 {month} {columns}\n" for y in range(2020, 2032) for month in MONTHS]
    path.write_text(HEADER + "".join(rows), encoding="utf-8")
    return path


def write_days(path: Path, f107, ap, first: str = "2020-01-01") -> Path:
    days = np.datetime64(first) + np.arange(len(f107))
    rows = [f"{d},{f:.2f},{a:.1f}\n" for d, f, a in zip(days, f107, ap, strict=True)]
    path.write_text("date,f107,ap\n" + "".join(rows), encoding="utf-8")
    return path


def test_a_forecast_begins_near_the_present_level_and_ends_at_its_own(tmp_path: Path) -> None:
    """The Sun 30 % above its forecast: some 80 % of the distance is left on the first day, and less on every later one."""
    observed = write_days(tmp_path / "days.csv", np.full(200, 182.0), np.full(200, 20.0))
    weather = cj.SpaceWeather.load(observed, forecast=write_issue(tmp_path / "issue.txt", 140.0, 12.0))
    assert weather.joined_mjd == weather.last_observed_mjd
    behind = weather.f107[200:]
    assert 140.0 + 0.5 * 42.0 < behind[0] < 182.0
    assert (np.diff(behind) < 0.0).all()
    assert behind[-1] < 140.0 + 0.3 * 42.0
    assert (np.abs(np.diff(weather.f107a[150:])) < 2.0).all()  # the 81-day mean has no step at the join
    assert 12.0 < weather.ap[200] < 20.0


def test_a_forecast_that_agrees_with_the_present_stays(tmp_path: Path) -> None:
    observed = write_days(tmp_path / "days.csv", np.full(100, 140.0), np.full(100, 12.0))
    weather = cj.SpaceWeather.load(observed, forecast=write_issue(tmp_path / "issue.txt", 140.0, 12.0))
    np.testing.assert_allclose(weather.f107, 140.0, rtol=1e-12)
    np.testing.assert_allclose(weather.ap, 12.0, rtol=1e-12)
    alone = cj.SpaceWeather.load(tmp_path / "issue.txt")  # no observed day: as it stands
    assert np.isnan(alone.joined_mjd)
    np.testing.assert_allclose(alone.percentiles["f107_high"], 147.0)
    few = write_days(tmp_path / "few.csv", np.full(26, 200.0), np.full(26, 12.0))  # less than a rotation
    np.testing.assert_allclose(cj.SpaceWeather.load(few, forecast=tmp_path / "issue.txt").f107[26:], 140.0)


def test_no_later_day_changes_a_forecast(tmp_path: Path) -> None:
    """A forecast depends on the issue and on the 81 days before it; the observed part on no forecast."""
    rng = np.random.default_rng(5)
    f107, ap = 150.0 + 20.0 * rng.standard_normal(200), 10.0 + 3.0 * rng.random(200)
    issue, high = (write_issue(tmp_path / f"{v:.0f}.txt", v, 12.0) for v in (120.0, 220.0))
    days = write_days(tmp_path / "days.csv", f107, ap)
    known, other = (cj.SpaceWeather.load(days, forecast=path) for path in (issue, high))
    changed = f107.copy()
    changed[:119] += 30.0
    before = cj.SpaceWeather.load(write_days(tmp_path / "changed.csv", changed, ap), forecast=issue)
    np.testing.assert_array_equal(before.f107[200:], known.f107[200:])
    assert (
        other.f107a[160:200] != known.f107a[160:200]
    ).any()  # the 81-day mean about the last days is one of forecasts too
    for name in ("f107", "f107a", "ap"):
        own, others = (getattr(weather.observed_part(), name) for weather in (known, other))
        np.testing.assert_array_equal(own, others, err_msg=name)
    assert not (known.observed_part().flags & FORECAST).any()


def test_percentiles_are_monotone_and_above_the_quiet_sun(tmp_path: Path) -> None:
    observed = write_days(tmp_path / "days.csv", np.full(200, 66.0), np.full(200, 1.0))
    weather = cj.SpaceWeather.load(observed, forecast=write_issue(tmp_path / "issue.txt", 67.0, 6.0))
    predicted = (weather.flags & FORECAST) != 0
    for key in ("f107", "ap"):
        low, middle, high = (getattr(weather.scenario(name), key)[predicted] for name in ("low", "median", "high"))
        assert (low <= middle).all()
        assert (middle < high).all()
    assert weather.scenario("low").f107.min() >= 64.0
    ensemble = weather.ensemble(20, seed=1)
    assert ensemble.f107[:, predicted].min() >= 64.0
    assert ensemble.ap.min() >= 0.0
    assert ensemble.ap.max() <= 400.0
    assert weather.ensemble(1).f107.shape == (1, len(weather.flags))


def test_bands_widen_with_the_lead_time() -> None:
    bundled = cj.SpaceWeather.load()
    first = int(bundled.joined_mjd - bundled.first_mjd)
    law = LAWS["f107"]
    width = law.scale(bundled.percentiles["f107_high"]) - law.scale(bundled.f107)
    assert width[first] < width[first + 30] < width[first + 180] < width[first + 700]
    # on the first days a 27-day mean is known to 0.1 in ln(F10.7 - 50): half of it is observed
    np.testing.assert_allclose(width[first] / QUANTILE_95, law.noise_at(np.array([0.5]))[0], rtol=0.02)


def test_a_rise_may_come_later_or_earlier_and_the_present_is_known() -> None:
    reach = round(QUANTILE_95 * ONSET_DAYS)
    days = np.arange(4000.0)
    rise = np.interp(days, [1000.0, 3000.0], [0.0, 2.0])
    later, earlier = (find_change_by_onset(rise, side) for side in (-1, 1))
    np.testing.assert_allclose(later, rise - np.interp(days - reach, days, rise), atol=1e-12)
    np.testing.assert_allclose(earlier, np.interp(days + np.minimum(reach, days), days, rise) - rise, atol=1e-12)
    for side in (-1, 1):  # nothing to come late in a decline
        np.testing.assert_array_equal(find_change_by_onset(-rise, side), 0.0)
    assert later[0] == earlier[0] == 0.0


def test_the_scatter_of_days_leaves_their_mean(tmp_path: Path) -> None:
    observed = write_days(tmp_path / "days.csv", np.full(200, 150.0), np.full(200, 12.0))
    issue = write_issue(tmp_path / "issue.txt", 150.0, 12.0, spread=0.0)
    weather = cj.SpaceWeather.load(observed, forecast=issue)
    members = weather.ensemble(100, seed=2)
    np.testing.assert_allclose(
        members.f107[:, 400:].mean(), 150.0, rtol=0.03
    )  # noise is log-normal: 3 % above its median
    np.testing.assert_allclose(members.f107a[:, 400:].mean(), members.f107[:, 400:].mean(), rtol=1e-3)
    months = members.f107[:, 400:1480].reshape(100, 40, 27)
    assert 0.08 < (months / months.mean(axis=2, keepdims=True)).std() < 0.16


@pytest.mark.parametrize(("year", "month"), [(2002, 3), (2008, 9), (2014, 6)])
def test_an_issue_of_nasa_behind_the_days_of_its_time(shared_data: Path, tmp_path: Path, year: int, month: int) -> None:
    folder = shared_data / "space_weather"
    with tarfile.open(folder / "msafe_issues_1999-2018.tar.gz") as issues:
        name = next(n for n in issues.getnames() if f"{MONTHS[month - 1].lower()}{year}" in n.lower())
        file = issues.extractfile(name)
        assert file is not None
        (tmp_path / "issue.txt").write_bytes(file.read())
    whole = cj.SpaceWeather.load(folder / "sw19571001_2026-10-16.txt.gz")
    first = int(to_mjd(f"{year}-{month:02d}-01") - whole.first_mjd)
    past = slice(first - 200, first)
    start = str(np.datetime64(f"{year}-{month:02d}-01") - 200)
    days = write_days(tmp_path / "days.csv", whole.f107[past], whole.ap[past], start)
    then = cj.SpaceWeather.load(days, forecast=tmp_path / "issue.txt")
    rotation = whole.f107[first : first + 27].mean()
    assert then.percentiles["f107_low"][213] < rotation < then.percentiles["f107_high"][213]
    assert abs(then.f107[200:227].mean() / rotation - 1.0) < 0.25
