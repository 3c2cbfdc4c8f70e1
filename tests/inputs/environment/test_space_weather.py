"""Space weather: the readers, flares, means over steps, scenarios, ensembles and the repeated cycle."""

import gzip
import tarfile
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.space_weather import _read, complete_forecast, remove_flares
from constellation_jax.inputs.environment.space_weather_files import make_records
from constellation_jax.inputs.environment.space_weather_series import (
    CONSTANT,
    CYCLE_DAYS,
    DESPIKED,
    FILLED,
    FORECAST,
    REPEATED,
)
from constellation_jax.physics.constants import MJD_1970

FIXED = """DATATYPE CssiSpaceWeather
VERSION 1.2
BEGIN OBSERVED
1957 10 01 1700 19 43 40 30 20 37 23 43 37 273  32  27  15   7  22   9  32  22  21 1.1 5 334 269.8 0 266.8 235.5 269.3 266.6 230.9
1957 10 02 1700 20 37 37 17 17 27 23 17 30 203  22  22   6   6  12   9   6  15  12 0.7 3 331 253.6 0 267.5 236.2 253.3 267.4 231.7
END OBSERVED
BEGIN MONTHLY_PREDICTED
1957 11 01 2635 25                                                                        75 116.5   110.6 107.4 119.8 113.5 108.4
END MONTHLY_PREDICTED
"""
HEADER = (
    "DATE,BSRN,ND,KP1,KP2,KP3,KP4,KP5,KP6,KP7,KP8,KP_SUM,AP1,AP2,AP3,AP4,AP5,AP6,AP7,AP8,AP_AVG,CP,C9,ISN,F10.7_OBS,"
    "F10.7_ADJ,F10.7_DATA_TYPE,F10.7_OBS_CENTER81,F10.7_OBS_LAST81,F10.7_ADJ_CENTER81,F10.7_ADJ_LAST81\n"
)
CSV = HEADER + (
    "1957-10-01,1700,19,43,40,30,20,37,23,43,37,273,32,27,15,7,22,9,32,22,21,1.1,5,334,269.3,269.8,OBS,266.6,230.9,266.8,235.5\n"
    "1957-10-02,1700,20,37,37,17,17,27,23,17,30,203,22,22,6,6,12,9,6,15,12,0.7,3,331,253.3,253.6,OBS,267.4,231.7,267.5,236.2\n"
    "1957-11-01,2635,25,,,,,,,,,,,,,,,,,,,,,75,119.8,116.5,PRM,113.5,108.4,110.6,107.4\n"
)
MSAFE = """  TABLE 3 ESTIMATES OF 13-MONTH SMOOTH SOLAR ACTIVITY FOR
    TIME         10.7 CM SOLAR FLUX   (F10.7)      GEOMAGNETIC INDEX   (Ap)
                         PERCENTILE                    PERCENTILE
                  95.0%       50%      5.0%     95.0%       50%      5.0%

 2026.0837   FEB   142.2     138.6     135.8      14.1      13.4      12.3
 2026.1670   MAR   143.7     136.9     132.8      14.9      13.7      12.0
"""
FORECAST_CSV = """date,f107,ap,kind,f107_low,f107_high,ap_low,ap_high
2026-01,140,14,forecast,130,150,8,20
2026-02,139,14,forecast,129,149,8,20
"""
FLARES = {"2001-04-06": 563.5, "2001-12-28": 655.6, "2003-11-04": 560.9, "2005-09-09": 707.6, "2006-12-06": 573.4}
FLARES |= {"2011-03-07": 938.6, "2024-07-30": 400.7}


def mjd(date: str) -> float:
    return float(np.datetime64(date, "D").astype(int) + MJD_1970)


@pytest.fixture(scope="module")
def bundled() -> cj.SpaceWeather:
    return cj.SpaceWeather.load()


@pytest.fixture
def write(tmp_path: Path):
    def to_file(text: str, name: str = "indices.txt") -> Path:
        (tmp_path / name).write_text(text, encoding="utf-8")
        return tmp_path / name

    return to_file


@pytest.mark.parametrize("text", [FIXED, CSV], ids=["fixed columns", "csv"])
def test_both_files_of_celestrak_give_the_observed_columns(write, text: str) -> None:
    weather = cj.SpaceWeather.load(write(text))
    assert weather.first_mjd == mjd("1957-10-01")
    np.testing.assert_allclose(weather.f107[:2], [269.3, 253.3])  # observed, not the adjusted 269.8 and 253.6
    np.testing.assert_allclose(weather.ap[:2], [21.0, 12.0])
    assert weather.flags[:2].tolist() == [0, 0]
    assert (weather.flags[2:] == FORECAST).all()
    # 1957-10-17 noon is 15 days from the last day's noon; the month's value stands on 1957-11-01, 0h, 29.5 days from it
    np.testing.assert_allclose(weather.f107[16], 253.3 + (119.8 - 253.3) * 15.0 / 29.5)


def test_msafe_percentiles_and_scenarios(write) -> None:
    weather = cj.SpaceWeather.load(write(MSAFE))
    middle = int(
        mjd("2026-02-15") - weather.first_mjd
    )  # the month is from the 1st to the 28th: its middle is the 15th, 0h
    weight = 0.5 / 29.5  # noon, on the way to the middle of March
    for name, first, second in (("low", 135.8, 132.8), ("median", 138.6, 136.9), ("high", 142.2, 143.7)):
        value = weather.scenario(name).f107[middle]
        np.testing.assert_allclose(value, first + weight * (second - first), rtol=1e-6)
    np.testing.assert_allclose(weather.scenario("high").ap[middle], 14.1 + weight * 0.8, rtol=1e-4)
    np.testing.assert_allclose(weather.scenario("low").f107a[middle], weather.scenario("low").f107[middle], rtol=1e-12)


def test_own_csv_daily_and_monthly(write) -> None:
    daily = cj.SpaceWeather.load(write("date,f107,f107a,ap\n2026-01-01,150,140,7\n2026-01-02,160,141,8\n"))
    assert (daily.f107.tolist(), daily.f107a.tolist(), daily.ap.tolist()) == ([150, 160], [140, 141], [7, 8])
    monthly = cj.SpaceWeather.load(write("# own\ndate,f107,ap\n2026-01,150,7\n2026-03,90,7\n"))
    between = int(mjd("2026-02-15") - monthly.first_mjd)  # middles: 01-16.5 and 03-16.5, 59 days apart
    np.testing.assert_allclose(monthly.f107[between], 150.0 - 60.0 * 30.0 / 59.0)
    np.testing.assert_array_equal(monthly.f107a, monthly.f107)


DAYS = "".join(
    f"2026-07-{day},2630,1,{'20,' * 8}160,{'11,' * 9}0.6,3,80,{140 + day % 5},140,OBS,140.0,140.0,140.0,140.0\n"
    for day in range(20, 30)
)
PREDICTED = "".join(
    f"2026-{month},2630,1,{',' * 18}0.6,3,80,{136 - k},135,PRM,140.0,140.0,140.0,140.0\n"
    for k, month in enumerate(("09-01", "10-01"))
)


def _drop(day: str, *columns: int) -> str:
    """CelesTrak's table of July 2026 in which one day lacks some columns."""
    lines = []
    for line in DAYS.splitlines():
        fields = line.split(",")
        lines.append(",".join("" if fields[0] == day and k in columns else v for k, v in enumerate(fields)))
    return HEADER + "\n".join(lines) + "\n" + PREDICTED


@pytest.mark.parametrize(
    ("day", "columns", "said", "expected"),
    [
        ("2026-07-24", (24, 25), "no F10.7 on 2026-07-24", {"f107": 0.5 * (143 + 140)}),
        ("2026-07-29", (*range(3, 21),), "no Ap on 2026-07-29", {"ap": 11.0}),
        ("2026-07-22", (*range(3, 21), 24), "no F10.7 on 2026-07-22, no Ap on 2026-07-22", {"f107": 142.0, "ap": 11.0}),
    ],
)
def test_a_day_without_a_value_is_filled_flagged_and_said(write, day, columns, said, expected) -> None:
    with pytest.warns(UserWarning, match=f"^sw.csv: {said}; interpolated between the days about it$") as warned:
        weather = cj.SpaceWeather.load(write(_drop(day, *columns), "sw.csv"))
    assert len(warned) == 1
    k = int(mjd(day) - weather.first_mjd)
    assert weather.flags[:10].tolist() == [FILLED if at == k else 0 for at in range(10)]
    for name, value in expected.items():
        np.testing.assert_allclose(getattr(weather, name)[k], value)
    assert weather.last_observed_mjd == mjd("2026-07-30")


def test_a_daily_ap_comes_from_its_eight_values_where_only_these_are_there(write) -> None:
    weather = cj.SpaceWeather.load(write(_drop("2026-07-24", 20)))  # pytest makes a warning an error
    assert weather.ap[4] == 11.0


def test_a_missing_day_is_filled_and_said(write) -> None:
    rows = [line for line in DAYS.splitlines() if not line.startswith(("2026-07-23", "2026-07-24"))]
    with pytest.warns(UserWarning, match="no F10.7 on 2 days, the first 2026-07-23, no Ap on 2 days"):
        weather = cj.SpaceWeather.load(write(HEADER + "\n".join(rows) + "\n" + PREDICTED))
    assert (weather.flags & FILLED).nonzero()[0].tolist() == [3, 4]
    np.testing.assert_allclose(weather.f107[3:5], 142.0 + np.array([1.0, 2.0]) / 3.0 * (140.0 - 142.0))


def test_an_ap_of_four_columns(write) -> None:
    """A mean of 14.3 stands right against the ap before it."""
    found = cj.SpaceWeather.load(write(FIXED.replace("  15  12 0.7", "  1514.3 0.7")))
    assert found.ap[1] == 14.3
    found = cj.SpaceWeather.load(write(FIXED.replace("  15  12 0.7", "  15     0.7")))
    np.testing.assert_allclose(found.ap[1], np.mean([22, 22, 6, 6, 12, 9, 6, 15]))


def test_an_ap_of_zero_is_a_number_in_every_scenario(write) -> None:
    weather = cj.SpaceWeather.load(write(FORECAST_CSV.replace(",14,", ",0,").replace("8,20", "0,6")))
    assert weather.scenario("low").ap.tolist() == [0.0] * len(weather.flags)
    np.testing.assert_allclose(weather.scenario("high").ap, 6.0)
    quiet = cj.SpaceWeather.load(write(FORECAST_CSV.replace("8,20", "0,20")))
    ensemble = quiet.ensemble(40).ap
    assert (ensemble >= 0.0).all()
    assert np.isfinite(ensemble).all()
    assert ((ensemble[:, 0] > 0.0) & (ensemble[:, 0] < 14.0)).any()  # not all of the quiet half is at 0


def test_observed_months_before_the_first_day_are_kept(write) -> None:
    days = "".join(f"2026-07-{k:02d},141,11\n" for k in range(1, 11))
    months = "".join(f"2026-0{k},{150 - k},{12}\n" for k in range(1, 7))
    weather = cj.SpaceWeather.load(write("date,f107,ap\n" + months + days))
    assert weather.first_mjd == mjd("2026-01-03")  # a fortnight before the middle of January
    at = weather.at(mjd("2026-03-17") + 0.5)  # of the middle of March, and of the day before
    np.testing.assert_allclose([at.f107a[0], at.ap[0]], [147.0, 12.0], atol=0.1)
    assert not weather.flags.any()
    assert weather.f107[-1] == 141.0
    assert weather.last_mjd == mjd("2026-07-11")


@pytest.mark.parametrize(
    ("change", "f107", "low_ap"),
    [
        (lambda text: text.replace("12.3", "-0.9"), 138.6, 0.0),
        (lambda text: text.replace("    TIME         10.7", "                 10.7"), 138.6, 12.3),
        (lambda text: text + text.splitlines()[-1] + "\n", 138.6, 12.3),
        (
            lambda text: text.replace("  TABLE 3", "NASA/MSFC/ED44  Page 1\n  TABLE 3").replace("\n", "\r\n"),
            138.6,
            12.3,
        ),
    ],
    ids=["a negative percentile", "a heading that begins with a number", "a repeated last month", "page headings"],
)
def test_odd_issues_of_nasa(write, change, f107: float, low_ap: float) -> None:
    weather = cj.SpaceWeather.load(write(change(MSAFE)))
    assert weather.f107[0] == f107
    assert weather.percentiles["ap_low"][0] == low_ap
    assert weather.last_mjd == mjd("2026-03-30")  # a fortnight behind the middle of March


def test_all_issues_of_nasa_are_read(shared_data: Path) -> None:
    read = 0
    with tarfile.open(shared_data / "space_weather" / "msafe_issues_1999-2018.tar.gz") as issues:
        for member in issues:
            file = issues.extractfile(member)
            if file is None:
                continue
            records = make_records(member.name, file.read())
            assert len(records.mjd) > 100
            assert np.isfinite(records.f107).all()
            assert all((values >= 0.0).all() for values in records.percentiles.values())
            read += 1
    assert read == 238


GFZ = """# PURPOSE: This file distributes the geomagnetic planetary three-hour index Kp
#YYY MM DD  days  days_m  Bsr dB    Kp1    Kp2    Kp3    Kp4    Kp5    Kp6    Kp7    Kp8  ap1  ap2  ap3  ap4  ap5  ap6  ap7  ap8    Ap  SN F10.7obs F10.7adj D
1932 01 01     0     0.5 1352 10  3.333  2.667  2.333  2.667  3.333  2.667  3.333  3.333   18   12    9   12   18   12   18   18    15  22     -1.0     -1.0 2
1989 03 13 20891 20891.5 2126  3  6.000  7.667  8.667  8.333  8.333  8.333  8.667  9.000   80  179  300  236  236  236  300  400   246 210    256.0    253.0 2
1989 03 14 20892 20892.5 2126  4  9.000  7.667  7.667  5.667  5.000  5.333  7.667  7.333  400  179  179   67   48   56  179  154   158 235    266.7    263.8 2
1989 03 15 20893 20893.5 2126  5  9.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000 -1.000  400   -1   -1   -1   -1   -1   -1   -1    -1  -1     -1.0     -1.0 0
"""  # noqa: E501


def test_the_file_of_gfz(write) -> None:
    weather = cj.SpaceWeather.load(write(GFZ))
    assert weather.first_mjd == mjd("1989-03-13")
    assert (weather.f107.tolist(), weather.ap.tolist()) == ([256.0, 266.7], [246.0, 158.0])
    assert weather.flags.tolist() == [0, 0]
    with pytest.warns(UserWarning, match="no F10.7 on 1989-03-14"):
        weather = cj.SpaceWeather.load(
            write(GFZ.replace("266.7    263.8", " -1.0     -1.0").replace("-1  -1     -1.0", "-1  -1    230.0"))
        )
    np.testing.assert_allclose(weather.f107, [256.0, 243.0, 230.0])
    with pytest.raises(InputError, match="line 3: found 9 fields, expected the 28 of Kp_ap_Ap_SN_F107"):
        cj.SpaceWeather.load(
            write("# GFZ\n#YYY MM DD hh.h hh._m days days_m Kp ap D\n1932 01 01 00.0 01.5 0.0 0.06 3.333 18\n")
        )


def test_a_source_without_forecast_is_completed(write, bundled: cj.SpaceWeather) -> None:
    """Behind the last observed day come NASA's values and percentiles; a forecast of one's own keeps its values."""
    weather = complete_forecast(cj.SpaceWeather.load(write(HEADER + DAYS + PREDICTED)))
    assert weather.last_mjd == bundled.last_mjd
    assert weather.source == "indices.txt with the spread of bundled + bundled"
    day = int(mjd("2026-09-01") - weather.first_mjd)
    low, high = (weather.scenario(name).f107 for name in ("low", "high"))
    assert (low[10:] < weather.f107[10:]).all()
    assert (weather.f107[10:] < high[10:]).all()
    np.testing.assert_array_equal(low[:10], weather.f107[:10])
    np.testing.assert_allclose(weather.f107[day], 136.0, atol=0.1)
    issue, _ = _read("bundled")  # NASA's spread about its own median, in ln(F10.7 - 50)
    there = int(mjd("2026-09-01") - issue.first_mjd)
    ratio = (issue.percentiles["f107_high"][there] - 50.0) / (issue.f107[there] - 50.0)
    np.testing.assert_allclose((high[day] - 50.0) / (weather.f107[day] - 50.0), ratio)
    # behind CelesTrak's days the bundled forecast relaxes from their level, not from that of the bundled months
    later = mjd("2035-01-01")
    np.testing.assert_allclose(weather.at(later).f107, bundled.at(later).f107, rtol=0.05)
    assert complete_forecast(bundled) is bundled
    # an old forecast of one's own: its days are observed in the bundled table, whose spread of a cycle later is taken
    old = complete_forecast(
        cj.SpaceWeather.load(write("date,f107,ap,kind\n2010-01,80,8,observed\n2024-01,120,9,forecast\n"))
    )
    assert (old.scenario("high").f107[800:] > old.f107[800:]).all()
    # observed for twelve years, into the future: the bundled forecast follows
    long = complete_forecast(cj.SpaceWeather.load(write("date,f107,ap\n2024-01,120,10\n2036-06,122,12\n")))
    assert long.last_mjd == bundled.last_mjd
    assert long.scenario("high").f107[-1] > long.f107[-1]


def test_a_column_that_stands_twice_is_refused(write) -> None:
    with pytest.raises(InputError, match="line 1: column 'f107' stands twice"):
        cj.SpaceWeather.load(write("date,f107,ap,f107\n2026-01-01,100,4,200\n2026-01-02,100,4,200\n"))


def test_flares_of_the_real_record_are_taken_out(shared_data: Path) -> None:
    path = shared_data / "space_weather" / "sw19571001_2026-10-16.txt.gz"
    weather = cj.SpaceWeather.load(path)
    for date, flare in FLARES.items():
        day = int(mjd(date) - weather.first_mjd)
        assert weather.flags[day] == DESPIKED, date
        assert weather.f107[day] < 0.62 * flare, date
    assert 15 <= ((weather.flags & DESPIKED) != 0).sum() <= 25
    assert weather.f107.max() < 400.0
    # the 81-day mean about the flare of 2005-09-09 is 92; the file's own column, with the flare, 101.7
    with gzip.open(path, "rt") as file:
        theirs = next(float(line[118:124]) for line in file if line.startswith("2005 09 09"))
    ours = float(weather.f107a[int(mjd("2005-09-09") - weather.first_mjd)])
    assert 6.0 < theirs - ours < 15.0


def test_the_81_day_mean_of_days_without_flares_is_the_file_s_own(shared_data: Path) -> None:
    path = shared_data / "space_weather" / "SW-All_2026-02-23.csv.gz"
    weather = cj.SpaceWeather.load(path)
    with gzip.open(path, "rt") as file:
        column = [line.split(",")[27] for line in file][1:]
    theirs = np.array([float(value) for value in column[3000:9000]])
    assert np.abs(weather.f107a[3000:9000] - theirs).max() < 0.06  # printed to 0.1


def test_despiking_leaves_a_quick_rise_alone() -> None:
    rise = np.concatenate([np.full(20, 120.0), np.linspace(120.0, 200.0, 14), np.full(20, 200.0)])
    clean, spike = remove_flares(rise)
    assert not spike.any()
    rise[25] = 600.0
    clean, spike = remove_flares(rise)
    assert spike.sum() == 1
    assert 120.0 < clean[25] < 200.0


def test_values_at_instants(write) -> None:
    rows = "".join(f"2026-01-{day:02d},{100 + day},{day}\n" for day in range(1, 11))
    weather = cj.SpaceWeather.load(write("date,f107,ap\n" + rows))
    at = weather.at([mjd("2026-01-05") + 0.5, mjd("2026-01-06")])
    np.testing.assert_allclose(at.f107, [104.0, 104.5])  # the day before's
    np.testing.assert_allclose(at.ap, [5.0, 5.5])
    with pytest.raises(InputError, match="begins on 2026-01-01, found 2025-12-31"):
        weather.at(mjd("2025-12-31"))
    with pytest.raises(InputError, match="ends on 2026-01-10, found 2026-01-20; it is shorter than the solar cycle"):
        weather.at(mjd("2026-01-20"))


def test_means_over_steps(write) -> None:
    rows = "".join(f"2026-01-{day:02d},{100 + day},{day}\n" for day in range(1, 11))
    weather = cj.SpaceWeather.load(write("date,f107,ap\n" + rows))
    start = mjd("2026-01-01")
    steps = weather.resample(start, start + 9.0, 3.0)
    np.testing.assert_allclose(steps.mjd, start + np.array([0.0, 3.0, 6.0]))
    np.testing.assert_allclose(steps.ap, [2.0, 5.0, 8.0])
    half = weather.resample(start + 0.5, start + 2.0, 1.5)
    np.testing.assert_allclose(half.f107, [(0.5 * 101.0 + 102.0) / 1.5])
    with pytest.raises(InputError, match="expected start < stop and step > 0"):
        weather.resample(start, start, 1.0)


def test_the_cycle_repeats_beyond_the_forecast(bundled: cj.SpaceWeather) -> None:
    later = bundled.last_mjd + 100.5
    for cycles in (0, 1, 7):
        beyond = bundled.at(later + cycles * CYCLE_DAYS)
        np.testing.assert_allclose(beyond.f107, bundled.at(later - CYCLE_DAYS).f107)
        assert beyond.flags[0] == REPEATED | FORECAST
    step = bundled.resample(bundled.last_mjd - 5.0, bundled.last_mjd + 5.0, 10.0)
    assert step.flags[0] == REPEATED | FORECAST


def test_the_bundled_table(bundled: cj.SpaceWeather) -> None:
    assert bundled.last_observed_mjd > mjd("2026-08-01")
    assert bundled.last_mjd > mjd("2041-09-01")
    # smoothed maxima and minima of cycles 19 and 24 (SILSO, NOAA): 1957-58 above 220, 2008-09 below 72
    assert bundled.at(mjd("1958-04-01")).f107a[0] > 220.0
    assert bundled.at(mjd("2008-12-01")).f107a[0] < 72.0
    high, low = bundled.scenario("high"), bundled.scenario("low")
    forecast = (bundled.flags & FORECAST) != 0
    assert (high.f107[forecast] > bundled.f107[forecast]).all()
    assert (low.ap[forecast] < bundled.ap[forecast]).all()
    np.testing.assert_array_equal(high.f107[~forecast], bundled.f107[~forecast])
    assert np.isfinite(bundled.ensemble(5).ap).all()


def test_an_ensemble_has_the_spread_of_the_percentiles_and_its_seed(bundled: cj.SpaceWeather) -> None:
    ensemble = bundled.ensemble(400, seed=3)
    day = int(mjd("2034-06-15") - bundled.first_mjd)
    rotation = ensemble.f107[:, day - 13 : day + 14].mean(axis=1)
    low, middle, high = np.quantile(rotation, [0.05, 0.5, 0.95])
    # the percentiles are of 27-day means; those of 400 members have errors of 3 %
    np.testing.assert_allclose(low, bundled.percentiles["f107_low"][day], rtol=0.06)
    np.testing.assert_allclose(middle, bundled.f107[day], rtol=0.06)
    np.testing.assert_allclose(high, bundled.percentiles["f107_high"][day], rtol=0.06)
    about = ensemble.f107[:, day - 13 : day + 14] / rotation[:, None]
    assert 0.05 < about.std() < 0.15  # the scatter of days: 0.1 at F10.7 of 120 to 160, 1957 to 2026
    few = bundled.ensemble(5, seed=3).f107
    np.testing.assert_array_equal(few, bundled.ensemble(5, seed=3).f107)
    assert not np.array_equal(few, bundled.ensemble(5, seed=4).f107)
    steps = ensemble.resample(mjd("2026-01-01"), mjd("2060-01-01"), 10.0)
    assert steps.f107.shape == (400, len(steps.mjd))
    assert np.ptp(steps.f107[:, 0]) == 0.0  # observed
    # a member's activity is another one's in the next cycle
    first = ensemble.at(mjd("2034-06-15")).f107[:, 0]
    second = ensemble.at(mjd("2034-06-15") + CYCLE_DAYS).f107[:, 0]
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.2


def test_a_forecast_takes_over_after_the_observed_days(shared_data: Path, bundled: cj.SpaceWeather) -> None:
    path = shared_data / "space_weather" / "SW-All_2026-02-23.csv.gz"
    daily, joined = cj.SpaceWeather.load(path), cj.SpaceWeather.load(path, forecast="bundled", scenario="high")
    assert joined.last_observed_mjd == daily.last_observed_mjd == mjd("2026-02-24")
    later = [mjd("2033-01-01")]
    np.testing.assert_allclose(joined.at(later).f107, bundled.scenario("high").at(later).f107, rtol=1e-12)
    before = [mjd("2020-01-01")]
    np.testing.assert_allclose(joined.at(before), daily.at(before))
    with pytest.raises(InputError, match="has no percentiles; give forecast='bundled'"):
        daily.ensemble(3)


def test_constants() -> None:
    weather = cj.SpaceWeather.load((140, 15))
    at = weather.at([0.0, 60000.0, 1e6])
    assert at.f107.tolist() == at.f107a.tolist() == [140.0] * 3
    assert at.ap.tolist() == [15.0] * 3
    assert at.flags.tolist() == [CONSTANT] * 3
    steps = cj.SpaceWeather.load({"f107": 150.0, "f107a": 140.0, "ap": 4}).resample(60000.0, 60030.0, 10.0)
    assert (steps.f107.tolist(), steps.f107a.tolist()) == ([150.0] * 3, [140.0] * 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (FIXED.replace("253.3", "2x3.3"), "line 5: observed F10.7 in columns 113 to 118: found '2x3.3', expected a number from 40"),
        (FIXED.replace("1957 10 02", "1957 13 02"), "line 5: date: found '1957-13-02', expected a date such as"),
        (FIXED[: FIXED.index("END OBSERVED")], "the file ends inside OBSERVED, expected END OBSERVED; cut off"),
        (CSV.replace(",OBS,267", ",XXX,267"), "line 3: F10.7_DATA_TYPE 'XXX', expected OBS, INT, PRD or PRM"),
        (CSV.replace("1957-10-02,1700,", "1957-10-02,"), "line 3: found 30 fields, expected 31; cut off"),
        (CSV.replace(",12,0.7", ",-1,0.7"), "line 3: AP_AVG: found '-1', expected a number from 0 to 400"),
        (CSV.replace("1957-10-02", "1957-10-01"), "line 3: a date not after the one before; expected ascending dates"),
        (MSAFE.replace("132.8", "132.8.1"), "line 7: F10.7: found '132.8.1', expected a number"),
        (MSAFE.replace("   MAR   143.7", "   143.7"), "line 7: found '2026.1670 .*', expected a year, a month and six numbers"),
        ("date,f107\n2026-01-01,100\n", "line 1: no column ap; found 'date,f107'"),
        ("date,f107,ap\n2026-01-01,inf,4\n", "line 2: f107: found 'inf', expected a number from 40"),
        ("date,f107,ap\n2026-01-01,,4\n2026-01-02,,4\n", "no record has F10.7"),
        ("date,f107,ap\n2026-01-01,nan,4\n", "line 2: f107: found 'nan', expected a number from 40 to 1500"),
        ("date,f107,ap\n2026-01-01,100,4\n", "1 records in it; expected at least two"),
        (HEADER + CSV.splitlines(True)[-1] + CSV.splitlines(True)[-1].replace("1957-11", "1957-12"), ": no record has Ap"),
        (FORECAST_CSV.replace(",ap_low,ap_high", "").replace(",8,20", ""), ": no value of ap_low, ap_high; expected all of"),
        ("date,f107,ap\n" + 140_000 * "9", "line 2: field larger than field limit"),
        (FORECAST_CSV.replace("8,20", "8,900"), "line 2: ap_high: found '900', expected a number from 0 to 400"),
        ("hello\n", "found 'hello', expected CelesTrak's SW-All.csv"),
        ("", "found '', expected CelesTrak's SW-All.csv"),
    ],
)  # fmt: skip
def test_a_malformed_file_is_told_in_one_line(write, text: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^indices.txt.*{message}") as caught:
        cj.SpaceWeather.load(write(text))
    assert "\n" not in str(caught.value)


def test_a_file_is_unpacked_and_decoded(tmp_path: Path) -> None:
    path = tmp_path / "indices.csv"
    for data in (CSV.encode(), gzip.compress(CSV.encode()), CSV.encode("utf-8-sig"), CSV.encode("utf-16")):
        path.write_bytes(data)
        assert cj.SpaceWeather.load(path).f107[0] == 269.3
    path.write_bytes(gzip.compress(CSV.encode())[:-8] + bytes(8))
    with pytest.raises(InputError, match=r"indices\.csv: damaged or cut-off gzip file"):
        cj.SpaceWeather.load(path)


def test_wrong_sources(tmp_path: Path, bundled: cj.SpaceWeather) -> None:
    for source, message in (
        (tmp_path / "absent.csv", "absent\\.csv: no such file"),
        (tmp_path, "a folder; expected a file of space weather"),
        ("~no-such-user/indices.csv", "^~no-such-user/indices.csv: "),
        ((140.0,), "expected \\(f107, ap\\)"),
        (("140", 15.0), "f107 = '140', expected a number from 40 to 1500"),
        ((140.0, 900.0), "ap = 900.0, expected a number from 0 to 400"),
        ({"f107": 140.0}, "expected \\(f107, ap\\), or a mapping"),
        (7, "expected 'bundled', 'celestrak', a path"),
    ):
        with pytest.raises(InputError, match=message):
            cj.SpaceWeather.load(source)
    with pytest.raises(InputError, match="scenario 'extreme' of space weather: expected one of low, median, high"):
        bundled.scenario("extreme")
    with pytest.raises(InputError, match="ensemble of 0 members"):
        bundled.ensemble(0)
    with pytest.raises(InputError, match="a constant can neither be continued"):
        cj.SpaceWeather.load((140.0, 15.0), forecast="bundled")


def test_a_year_far_off_is_told_and_not_filled(write) -> None:
    with pytest.raises(
        InputError, match=r"line 3: a date 7,972 years after the one before; expected a century at most"
    ):
        cj.SpaceWeather.load(write("date,f107,ap\n2026-01-01,150,7\n9998-03-02,90,7\n"))
