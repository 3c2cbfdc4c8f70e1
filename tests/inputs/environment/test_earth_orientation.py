"""Earth orientation against astropy's reading of the same file, at leap seconds, and outside the table."""

from pathlib import Path

import astropy_iers_data
import numpy as np
import pytest
from astropy.utils import iers

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.earth_orientation import ARCSECOND, EarthOrientation, load_earth_orientation
from constellation_jax.physics.constants import MJD_1970

MICROARCSECOND = 1e-6 * ARCSECOND
MICROSECOND = 1e-6


@pytest.fixture(scope="module")
def table() -> EarthOrientation:
    return load_earth_orientation()


@pytest.fixture(scope="module")
def astropy_table() -> iers.IERS_A:
    return iers.IERS_A.open(astropy_iers_data.IERS_A_FILE)


def from_mjd(day: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    return (day - MJD_1970).astype("datetime64[D]").astype("datetime64[ns]") + np.rint(fraction * 86400e9).astype(
        "timedelta64[ns]"
    )


def compare(table: EarthOrientation, astropy_table: iers.IERS_A, day: np.ndarray, fraction: np.ndarray) -> None:
    ut1_utc, x, y = table.at(from_mjd(day, fraction))
    expected_ut1_utc = astropy_table.ut1_utc(day + 2400000.5, fraction).to_value("s")
    expected_x, expected_y = (c.to_value("rad") for c in astropy_table.pm_xy(day + 2400000.5, fraction))
    assert np.abs(ut1_utc - expected_ut1_utc).max() < MICROSECOND
    assert np.abs(x - expected_x).max() < MICROARCSECOND
    assert np.abs(y - expected_y).max() < MICROARCSECOND


def test_agrees_with_astropy_at_random_times(table: EarthOrientation, astropy_table: iers.IERS_A) -> None:
    random = np.random.default_rng(1973)
    day = random.integers(int(table.first_mjd), int(table.last_mjd), 1000)
    compare(table, astropy_table, day, random.random(1000))


def test_agrees_with_astropy_where_final_values_end_and_predictions_begin(
    table: EarthOrientation, astropy_table: iers.IERS_A
) -> None:
    day = np.arange(int(table.last_observed_mjd) - 120, int(table.last_mjd))
    compare(table, astropy_table, day, np.full(len(day), 0.5))
    assert table.last_observed_mjd == astropy_table.meta["predictive_mjd"] - 1
    assert table.last_mjd == astropy_table["MJD"][-1].value


def test_leap_second_of_2016(table: EarthOrientation, astropy_table: iers.IERS_A) -> None:
    times = np.array(["2016-12-31T00:00", "2016-12-31T12:00", "2016-12-31T23:59:59", "2017-01-01T00:00"], "M8[ns]")
    ut1_utc, _, _ = table.at(times)
    # IERS Bulletin B 348: -0.40749 s before, +0.59136 s after. Interpolated across the jump, noon would be +0.09 s.
    assert np.all(np.abs(ut1_utc[:3] + 0.408) < 0.001)
    assert abs(ut1_utc[3] - 0.5914) < 0.001
    compare(table, astropy_table, np.array([57753, 57753, 57754]), np.array([0.0, 0.99999, 0.0]))


def test_final_values_are_preferred(table: EarthOrientation) -> None:
    # First record of finals2000A.all, 1973-01-02: Bulletin A 0.8084178 s, 0.120733"; Bulletin B 0.8075 s, 0.143".
    ut1_utc, x, y = table.at(np.array(["1973-01-02"], "M8[ns]"))
    assert (ut1_utc[0], round(x[0] / ARCSECOND, 9), round(y[0] / ARCSECOND, 9)) == (0.8075, 0.143, 0.137)


def test_shape_follows_the_times(table: EarthOrientation) -> None:
    for shape in ((), (3,), (2, 3)):
        assert all(v.shape == shape for v in table.at(np.full(shape, "2020-01-01", "M8[ns]")))


def test_before_the_table_all_is_zero_with_one_warning(table: EarthOrientation) -> None:
    with pytest.warns(UserWarning, match="lie before") as caught:
        values = table.at(np.array(["1972-06-01", "1973-01-01T23:00"], "M8[ns]"))
    assert [v.tolist() for v in values] == [[0.0, 0.0]] * 3
    assert [str(w.message) for w in caught] == [
        "2 times lie before 1973-01-02, where the Earth orientation table begins: UT1-UTC and polar motion are taken "
        "as zero; expect Earth-fixed positions off by up to 0.4 km (UT1-UTC below 0.9 s, polar motion below 0.6 arcsec)"
    ]
    assert caught[0].filename == __file__


def small_table() -> EarthOrientation:
    mjd = np.array([60000.0, 60001.0, 60002.0])
    return EarthOrientation(mjd, np.array([0.1, 0.2, 0.3]), mjd * 0 + 0.1, mjd * 0 + 0.2, 60001.0)


def test_after_the_table_the_last_values_hold_with_one_warning() -> None:
    table = small_table()  # ends 2023-02-27
    with pytest.warns(UserWarning, match="lie after") as caught:
        ut1_utc, x, y = table.at(np.array(["2023-02-27", "2023-02-27T12:00", "2023-06-06"], "M8[ns]"))
    assert ut1_utc.tolist() == [0.3, 0.3, 0.3]
    assert (x / ARCSECOND).round(12).tolist() == [0.1] * 3
    assert (y / ARCSECOND).round(12).tolist() == [0.2] * 3
    assert [str(w.message) for w in caught] == [
        "2 times lie after 2023-02-27, where the Earth orientation table ends: its last values are used (UT1-UTC 0.300 "
        "s); expect Earth-fixed positions off by up to 0.09 km (UT1-UTC off by up to 0.15 s, polar motion by 0.6 "
        "arcsec); a newer astropy-iers-data reaches further"
    ]


def test_both_sides_give_one_warning_and_the_last_day_none() -> None:
    table = small_table()
    with pytest.warns(UserWarning, match="lie before .* lie after") as caught:
        table.at(np.array(["2000-01-01", "2030-01-01"], "M8[ns]"))
    assert len(caught) == 1
    table.at(np.array(["2023-02-25", "2023-02-27"], "M8[ns]"))
    assert repr(table) == "<EarthOrientation from 2023-02-25, observed to 2023-02-26, predicted to 2023-02-27>"


def test_a_file_of_the_user_and_its_cache(tmp_path: Path) -> None:
    lines = Path(astropy_iers_data.IERS_A_FILE).read_bytes().split(b"\n")[:5]
    path = tmp_path / "finals.data"
    path.write_bytes(b"\r\n".join(lines))
    table = load_earth_orientation(path)
    assert table.mjd.tolist() == [41684.0, 41685.0, 41686.0, 41687.0, 41688.0]
    assert load_earth_orientation(str(path)) is table
    path.write_bytes(b"\n".join(lines[:3]))
    assert len(load_earth_orientation(path).mjd) == 3


def test_bad_files(tmp_path: Path) -> None:
    path = tmp_path / "finals.data"
    with pytest.raises(InputError) as caught:
        load_earth_orientation(path)
    assert (
        str(caught.value)
        == f"{path}: cannot be read (No such file or directory); expected a file such as finals2000A.all"
    )
    good = Path(astropy_iers_data.IERS_A_FILE).read_bytes().split(b"\n")[:3]
    path.write_bytes(b"\n".join([good[0], good[1].replace(b"41685.00", b"41x85.00"), good[2]]))
    with pytest.raises(InputError) as caught:
        load_earth_orientation(path)
    assert (
        str(caught.value)
        == f"{path}, line 2: found '41x85.00', expected a number in the fixed columns of finals2000A.all"
    )
    path.write_bytes(good[0])
    with pytest.raises(InputError) as caught:
        load_earth_orientation(path)
    assert str(caught.value) == f"{path}: 1 usable records; expected ascending days in the form of finals2000A.all"
