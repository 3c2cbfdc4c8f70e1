"""The decay of catalogues: products, sources of the ballistic coefficient, edges, the file and the commands."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from typer.testing import CliRunner

import constellation_jax as cj
from constellation_jax.cli import app
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.outputs.netcdf.whole_file import write_dataset
from constellation_jax.studies.decay import inputs as decay_inputs
from constellation_jax.studies.decay.decay import find_raised
from constellation_jax.studies.decay.spread import group_alike

CONSTANT = (140.0, 15.0)


def satellites(altitude_km, bstar=0.0, **columns) -> Catalog:
    altitude = np.asarray(altitude_km, float)
    return Catalog.from_columns(
        {
            "name": [f"SAT-{k}" for k in range(len(altitude))],
            "epoch_day": 60310,
            "epoch_fraction": 0.25,
            "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(altitude, 1e-4, 53.0),
            "eccentricity": 1e-4,
            "inclination_deg": 53.0,
            "raan_deg": np.linspace(0.0, 300.0, len(altitude)),
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
            "bstar": np.broadcast_to(bstar, altitude.shape),
            **columns,
        }
    )


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    catalog = satellites([300.0, 400.0, 800.0], shell=["low", "low", "high"])
    return cj.decay(catalog, years=10.0, ballistic_coefficient=0.01, space_weather=CONSTANT)


def test_lifetimes_dates_and_tracks_agree(dataset: xr.Dataset) -> None:
    # 0.137 and 1.04 years in the reference grid (test_decay_engine.py); node and season change it by a few per cent
    np.testing.assert_allclose(dataset.lifetime[:2] / 365.25, [0.137, 1.04], rtol=0.06)
    assert np.isnan(dataset.lifetime[2])
    assert np.isnat(dataset.reentry_date[2])
    assert dataset.decay_status.values.tolist() == [0, 0, 1]
    assert not dataset.luni_solar.any()
    days = (dataset.reentry_date[:2] - dataset.epoch[:2]) / np.timedelta64(1, "s") / 86400.0
    np.testing.assert_allclose(days, dataset.lifetime[:2], atol=1.5e-5)  # dates are whole seconds
    for k in range(2):
        altitude = dataset.altitude[:, k]
        known = dataset.time[altitude.notnull().values]
        assert known[0] > dataset.epoch[k]
        assert dataset.reentry_date[k] - known[-1] < dataset.time[1] - dataset.time[0]
        assert (np.diff(altitude.dropna("time")) < 0.0).all()
        rate = np.diff(dataset.altitude[:4, 2]) / (np.diff(dataset.time[:4]) / np.timedelta64(1, "D"))
    np.testing.assert_allclose(rate[1:], dataset.decay_rate[2:4, 2], rtol=0.3)
    apart = dataset.apogee - dataset.perigee
    # e = 1e-4 makes 1.3 km; the day side of the atmosphere drives it to some 4e-4 and back as the perigee turns
    assert abs(float(apart[1, 2]) - 1.43) < 0.05
    assert apart.max() < 7.0


def test_rules_and_shells(dataset: xr.Dataset) -> None:
    assert dataset.meets_five_year_rule.values.tolist() == [1, 1, 0]
    assert dataset.meets_25_year_rule.values.tolist() == [1, 1, -1]
    assert dataset.summary_shell.values.tolist() == ["low", "high"]
    assert dataset.shell_five_year_fraction.values.tolist() == [1.0, 0.0]
    assert np.isnan(dataset.shell_25_year_fraction).all()
    assert np.isnan(dataset.shell_lifetime[1])


def test_nrlmsis21_is_thinner(dataset: xr.Dataset) -> None:
    ratio = dataset.lifetime_nrlmsis21[:2] / dataset.lifetime[:2]
    assert ((ratio > 1.02) & (ratio < 1.2)).all()
    assert "lifetime_percentile" not in dataset  # a constant Sun has no ensemble


def test_percentiles_bracket_the_median() -> None:
    catalog = satellites([450.0, 451.0], epoch_day=61600)
    found = cj.decay(catalog, years=10.0, ballistic_coefficient=0.01, ensemble=5)
    low, middle, high = found.lifetime_percentile.values
    assert (low < middle).all()
    assert (middle < high).all()
    np.testing.assert_allclose(middle, found.lifetime, rtol=0.1)
    assert found.attrs["space_weather"].startswith("bundled: observed to 2026-08-30, predicted to")


def test_the_file_holds_the_dataset(dataset: xr.Dataset, tmp_path: Path) -> None:
    write_dataset(dataset, tmp_path / "decay.nc")
    with xr.open_dataset(tmp_path / "decay.nc") as read:
        for name in dataset.data_vars:
            np.testing.assert_array_equal(read[name].values, dataset[name].values)
        assert read.attrs["atmosphere"] == "NRLMSISE-00, orbit means"
    with pytest.raises(cj.InputError, match="exists already"):
        write_dataset(dataset, tmp_path / "decay.nc")
    nothing = dataset.isel(satellite=[2])  # no date is known
    write_dataset(nothing, tmp_path / "decay.nc", overwrite=True)
    with xr.open_dataset(tmp_path / "decay.nc") as read:
        assert np.isnat(read.reentry_date).all()


def test_a_transfer_orbit_sinks_at_its_apogee_and_is_marked() -> None:
    a = 6378.137 + np.array([0.5 * (200.0 + 20000.0)])  # perigee at 200 km, apogee at 20,000
    e = 1.0 - (6378.137 + 200.0) / a
    found = cj.decay(
        satellites(a - 6378.137, eccentricity=e, mean_motion_rev_per_day=86400.0 / (2 * np.pi * np.sqrt(a**3 / 398600.8))),
        years=1.0, ballistic_coefficient=0.01, space_weather=CONSTANT,
    )  # fmt: skip
    assert found.luni_solar.values.tolist() == [1]
    known = found.isel(satellite=0).dropna("time", subset=["apogee"])
    assert float(known.apogee[0] - known.apogee[-1]) > 20 * abs(float(known.perigee[0] - known.perigee[-1])) > 0.0


def test_lifetimes_is_the_quick_way(dataset: xr.Dataset) -> None:
    catalog = satellites([300.0, 400.0, 800.0])
    found = cj.lifetimes(catalog, years=10.0, ballistic_coefficient=0.01, space_weather=CONSTANT)
    np.testing.assert_allclose(found[:2], dataset.lifetime[:2], rtol=1e-6)
    assert np.isinf(found[2])


def test_only_decayed_objects(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        found = cj.decay(satellites([90.0, 100.0]), years=10.0, space_weather=CONSTANT)
    assert found.sizes["satellite"] == 0
    assert "2 of 2 objects are below 120 km" in caplog.text


def test_an_absurd_ballistic_coefficient(caplog: pytest.LogCaptureFixture) -> None:
    catalog, weather = satellites([300.0, 400.0]), cj.SpaceWeather.load(CONSTANT)
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        found = decay_inputs.ballistic_coefficients(catalog, [0.01, -2.0], weather)
    assert found.coefficient.tolist() == [0.01, decay_inputs.ASSUMED_BALLISTIC_COEFFICIENT]
    assert found.source.tolist() == [0, 3]
    assert "SAT-1: ballistic coefficient -2 m2/kg, expected 0.0001 to 1" in caplog.text
    with pytest.raises(cj.InputError, match="SAT-1: ballistic coefficient -2"):
        decay_inputs.ballistic_coefficients(catalog, [0.01, -2.0], weather, strict=True)
    with pytest.raises(cj.InputError, match="expected a number or one for each of 2"):
        decay_inputs.ballistic_coefficients(catalog, [0.01, 0.01, 0.01], weather)


def test_a_drag_term_gives_the_decay_of_sgp4() -> None:
    """The ballistic coefficient found from B* lets the orbit sink at its epoch as fast as SGP4 does."""
    catalog, weather = satellites([400.0, 500.0], bstar=[3e-4, 1e-4]), cj.SpaceWeather.load(CONSTANT)
    b = decay_inputs.ballistic_coefficients(catalog, None, weather)
    assert b.source.tolist() == [2, 2]
    found = cj.decay(catalog, years=0.2, space_weather=CONSTANT, ensemble=0)
    sgp4 = cj.propagate(catalog, catalog.epoch[:1], variables=["decay"]).decay_rate.values[0]
    np.testing.assert_allclose(decay_inputs.sgp4_decay_rate(catalog), sgp4, rtol=1e-9)
    np.testing.assert_allclose(found.decay_rate[1], sgp4, rtol=0.2)  # a day later, at another local time


def test_what_rises_manoeuvres() -> None:
    catalog = satellites(
        [500.0] * 4, bstar=[1e-4, -1e-4, 1e-4, 1e-4], norad_id=[1, 2, 3, 3], mean_motion_dot=[1e-5, 1e-5, 1e-5, 1e-5]
    )
    later = satellites([500.0, 500.0, 500.0, 501.0])
    catalog = catalog.replace(
        mean_motion_rev_per_day=later.mean_motion_rev_per_day, epoch_day=[60310, 60310, 60310, 60320]
    )
    assert find_raised(catalog).tolist() == [False, True, True, True]


def test_classes_hold_what_is_alike() -> None:
    catalog = satellites([500.0, 500.4, 560.0, 500.0])
    objects = decay_inputs.make_objects(catalog, np.array([0.01, 0.0101, 0.01, 0.03]))
    chosen, of_class = group_alike(objects)
    assert len(chosen) == 3
    assert of_class[0] == of_class[1]


def test_a_start_carries_the_node() -> None:
    """51.6 degrees at 420 km: the node goes back by 5.0 degrees a day."""
    catalog = satellites([420.0]).replace(inclination_deg=51.6)
    one = decay_inputs.make_objects(catalog, np.array([0.01]), start=60320.25)
    moved = np.degrees(one.orbit.raan[0]) - catalog.raan_deg[0]
    assert abs(moved / 10.0 + 4.98) < 0.05


def test_mistakes_are_one_line() -> None:
    catalog = satellites([300.0])
    for arguments, said in (
        ({"years": 0.0}, "years 0.0"),
        ({"solar": "mean"}, "solar 'mean'"),
        ({"ensemble": -1}, "ensemble of -1"),
        ({"space_weather": "no-such-file.csv"}, "no-such-file.csv"),
    ):
        with pytest.raises(cj.InputError, match=said):
            cj.decay(catalog, **arguments)
    with pytest.raises(cj.InputError, match="nothing to decay"):
        cj.decay(catalog[:0])


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # JAX runs in this process already; the name cli.decay is the command
    monkeypatch.setattr(sys.modules["constellation_jax.cli.decay"], "configure", lambda **_: None)
    shells = tmp_path / "two.toml"
    shells.write_text(
        '[[shells]]\nname = "low"\naltitude_km = 320\ninclination_deg = 53\nplanes = 1\nsatellites_per_plane = 2\n'
        "ballistic_coefficient_m2_kg = 0.01\ndrag_coefficient = 2.5\ndrag_area_min_m2 = 1\ndrag_area_max_m2 = 10\n"
        "mass_kg = 500\npropellant_kg = 20\n"
        "specific_impulse_s = 1500\nthrust_mn = 30\n",
        encoding="utf-8",
    )
    weather = tmp_path / "weather.csv"
    weather.write_text("date,f107,ap\n2026-01,140,12\n2027-01,140,12\n2028-06,150,12\n", encoding="utf-8")
    output = tmp_path / "decay.nc"
    run = CliRunner().invoke
    common = ["--shells", str(shells), "--space-weather", str(weather), "--years", "1.5", "--start", "2026-02-01"]
    done = run(app, ["decay", *common, "--attitude", "tumbling", "--ensemble", "0", "--output", str(output)])
    assert done.exit_code == 0, done.output
    assert "low" in done.output
    with xr.open_dataset(output) as found:
        assert found.ballistic_coefficient.values.tolist() == [0.03, 0.03]
        assert (found.lifetime < 100.0).all()
    again = run(app, ["decay", *common, "--output", str(output)])
    assert again.exit_code == 2
    assert "exists already" in again.output
    assert run(app, ["decay"]).exit_code == 2
    kept = run(app, ["station-keeping", *common, "--output", str(tmp_path / "keep.nc")])
    assert kept.exit_code == 0, kept.output
    with xr.open_dataset(tmp_path / "keep.nc") as found:
        assert found.solar.values.tolist() == ["low", "median", "high"]
        assert (found.delta_v > 100.0).all()  # equal in all three: the table holds observed months alone
    assert run(app, ["station-keeping"]).exit_code == 2
