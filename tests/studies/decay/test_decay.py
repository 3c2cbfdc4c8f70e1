"""The decay of catalogues: products, sources of the ballistic coefficient, edges, the file and the commands."""

import logging
import re
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
        altitude = dataset.mean_altitude[:, k]
        known = dataset.time[altitude.notnull().values]
        assert known[0] > dataset.epoch[k]
        assert dataset.reentry_date[k] - known[-1] < dataset.time[1] - dataset.time[0]
        assert (np.diff(altitude.dropna("time")) < 0.0).all()
        rate = np.diff(dataset.mean_altitude[:4, 2]) / (np.diff(dataset.time[:4]) / np.timedelta64(1, "D"))
    np.testing.assert_allclose(rate[1:], dataset.decay_rate[2:4, 2], rtol=0.3)
    apart = dataset.apogee - dataset.perigee
    # e = 1e-4 makes 1.3 km; the day side of the atmosphere drives it to some 4e-4 and back as the perigee turns
    assert abs(float(apart[1, 2]) - 1.43) < 0.05
    assert apart.max() < 7.0


def test_the_model_of_the_atmosphere_is_chosen() -> None:
    """Under a quiet Sun the calibrated model is a fifth thinner at 200 to 220 km, whose lives take that much longer."""
    catalog = satellites([200.0, 220.0, 800.0], bstar=1e-4)
    models = ("nrlmsise00-calibrated", "nrlmsise00")
    given = {"years": 1.0, "space_weather": (70.0, 5.0)}
    own, plain = (cj.lifetimes(catalog, ballistic_coefficient=0.01, atmosphere=m, **given)[:2] for m in models)
    assert ((own / plain > 1.15) & (own / plain < 1.3)).all()
    np.testing.assert_array_equal(cj.lifetimes(catalog, ballistic_coefficient=0.01, **given)[:2], own)
    # a coefficient from the drag term makes up for the model
    own, plain = (cj.lifetimes(catalog, atmosphere=m, **given)[:2] for m in models)
    np.testing.assert_allclose(own, plain, rtol=0.05)
    for call in (cj.decay, cj.lifetimes, cj.fit_ballistic_coefficient):
        with pytest.raises(
            cj.InputError, match="atmosphere 'jb2008': unknown model; known are nrlmsise00-calibrated, nrl"
        ):
            call(catalog, atmosphere="jb2008")
    with pytest.raises(cj.InputError, match="unknown model"):
        cj.fill_drag_table(atmosphere="msis")


def test_rules_and_shells(dataset: xr.Dataset) -> None:
    assert dataset.meets_five_year_rule.values.tolist() == [1, 1, 0]
    assert dataset.meets_25_year_rule.values.tolist() == [1, 1, -1]
    assert dataset.shell.values.tolist() == ["low", "high"]
    assert dataset.shell_five_year_fraction.values.tolist() == [1.0, 0.0]
    assert np.isnan(dataset.shell_25_year_fraction).all()
    assert np.isnan(dataset.shell_lifetime.sel(shell="high"))
    assert dataset.satellite_shell.values.tolist() == ["low", "low", "high"]
    assert dataset.solar.item() == "median"


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
        assert read.attrs["atmosphere"] == "nrlmsise00-calibrated: NRLMSISE-00 corrected under a quiet Sun, orbit means"
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
    assert "SAT-1: ballistic coefficient -2 m2/kg, expected 0.0001 to 100" in caplog.text
    assert (
        "SAT-1: no ballistic coefficient is known, nor a drag term that gives one; 0.013 m2/kg is assumed"
        in caplog.text
    )
    with pytest.raises(cj.InputError, match="SAT-1: ballistic coefficient -2"):
        decay_inputs.ballistic_coefficients(catalog, [0.01, -2.0], weather, strict=True)
    with pytest.raises(cj.InputError, match="expected a number or one for each of 2"):
        decay_inputs.ballistic_coefficients(catalog, [0.01, 0.01, 0.01], weather)


def test_what_is_assumed_is_said_and_refused_where_strict(caplog: pytest.LogCaptureFixture) -> None:
    weather = cj.SpaceWeather.load(CONSTANT)
    catalog = satellites(np.linspace(400.0, 500.0, 5), bstar=[5e-4, 0.0, -1e-4, 0.0, 0.0])
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        found = decay_inputs.ballistic_coefficients(catalog, None, weather)
    assert found.source.tolist() == [2, 3, 3, 3, 3]
    assert found.notes == (
        "SAT-1, SAT-2, SAT-3 and 1 more: no ballistic coefficient is known, nor a drag term that gives one; 0.013 m2/kg is assumed",
    )
    assert found.notes[0] in caplog.text
    with pytest.raises(
        cj.InputError, match=r"^SAT-1, SAT-2, SAT-3 and 1 more: .*; give a ballistic coefficient, or allow"
    ):
        decay_inputs.ballistic_coefficients(catalog, None, weather, strict=True)
    assert decay_inputs.ballistic_coefficients(catalog[:1], None, weather, strict=True).notes == ()


HIGH_DRAG = """DEBRIS A
1 41925U 17003J   25034.00118558  .00002181  00000-0  10000-1 0  9998
2 41925  86.6009  78.0456 0008911 258.0713  74.8913 14.97777747  2854
DEBRIS B
1 41926U 17003K   25034.00118558  .00002181  00000-0  50000-1 0  9993
2 41926  86.6009  78.0456 0008911 258.0713  74.8913 14.97777747  2855
"""


def test_a_foil_of_five_times_the_drag_falls_first(caplog: pytest.LogCaptureFixture) -> None:
    """B from a drag term is taken as it is above 1 m2/kg too, said, and refused where strict."""
    catalog = cj.read_catalog(HIGH_DRAG)
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        found = cj.decay(catalog, years=3.0, ensemble=0)
    first, second = found.ballistic_coefficient.values
    np.testing.assert_allclose(second / first, 5.0, rtol=0.07)  # the faster one was higher when it was observed
    assert second > 1.0
    assert found.lifetime[1] < 0.5 * found.lifetime[0]
    said = found.attrs["ballistic_coefficient_notes"]
    assert said.startswith("DEBRIS B: ballistic coefficient of more than 1 m2/kg, at most ")
    assert said in caplog.text
    with pytest.raises(cj.InputError, match=r"^DEBRIS B: ballistic coefficient of more than 1"):
        cj.decay(catalog, years=3.0, strict=True)


def test_a_lifetime_does_not_depend_on_the_span(tmp_path: Path) -> None:
    """Two days of life in a week of storms, a year and more of it in a changing sun: within 0.1 % for every span."""
    days = np.arange("2024-01-01", "2026-12-31", dtype="datetime64[D]")
    storm = (np.arange(len(days)) % 27 == 3) | (np.arange(len(days)) % 27 == 4)
    flux, ap = 150.0 + 40.0 * np.sin(np.arange(len(days)) / 4.3), np.where(storm, 250, 6)
    rows = [f"{day},{f:.1f},{a}\n" for day, f, a in zip(days, flux, ap, strict=True)]
    (tmp_path / "weather.csv").write_text("date,f107,ap\n" + "".join(rows), encoding="utf-8")
    catalog = satellites([165.0, 180.0, 250.0, 425.0], epoch_day=60310)
    given = {"ballistic_coefficient": 0.01, "space_weather": tmp_path / "weather.csv"}
    found = np.array([cj.lifetimes(catalog, years=years, **given) for years in (3.0, 25.0)])
    assert found[0, 0] < 4.0 < 366.0 < found[0, 3]
    np.testing.assert_allclose(found, np.broadcast_to(found[0], found.shape), rtol=1e-3)
    np.testing.assert_allclose(cj.lifetimes(catalog, years=1.0, **given)[:3], found[0, :3], rtol=1e-3)
    dataset = cj.decay(catalog, years=25.0, **given)
    np.testing.assert_allclose(dataset.lifetime, found[0], rtol=1e-3)
    for k in range(3, 4):  # the tracks end where the life does
        known = dataset.time[dataset.mean_altitude[:, k].notnull().values]
        assert np.timedelta64(0) < dataset.reentry_date[k] - known[-1] <= dataset.time[1] - dataset.time[0]
    assert dataset.lifetime_percentile.sel(percentile=50.0)[3] == pytest.approx(found[0, 3], rel=1e-3)


def test_an_ensemble_that_cannot_be_had_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "months.csv"
    months = [f"{2024 + k // 12}-{k % 12 + 1:02d},{120 + k % 9},12" for k in range(150)]
    path.write_text("date,f107,ap\n" + "\n".join(months) + "\n", encoding="utf-8")
    catalog = satellites([300.0], epoch_day=60340)
    why = "every day of the span is observed in months.csv + bundled"
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        found = cj.decay(catalog, years=1.0, ballistic_coefficient=0.01, space_weather=path, ensemble=5)
    assert "lifetime_percentile" not in found
    assert found.attrs["ensemble_absent"] == why
    assert f"an ensemble of 5 members was asked for, but there are no percentiles: {why}" in caplog.text
    caplog.clear()
    for weather, solar, reason in ((CONSTANT, "median", "constant"), (None, "high", "high on every day")):
        found = cj.decay(catalog, years=1.0, ballistic_coefficient=0.01, space_weather=weather, solar=solar)
        assert reason in found.attrs["ensemble_absent"]
    assert not caplog.records  # nobody asked


def test_a_drag_term_gives_the_decay_of_sgp4() -> None:
    """The ballistic coefficient found from B* lets the orbit sink at its epoch as fast as SGP4 does."""
    catalog, weather = satellites([400.0, 500.0], bstar=[3e-4, 1e-4]), cj.SpaceWeather.load(CONSTANT)
    b = decay_inputs.ballistic_coefficients(catalog, None, weather)
    assert b.source.tolist() == [2, 2]
    found = cj.decay(catalog, years=0.2, space_weather=CONSTANT, ensemble=0)
    sgp4 = cj.propagate(catalog, catalog.epoch[:1], variables=["decay"]).decay_rate.values[0]
    np.testing.assert_allclose(decay_inputs.sgp4_decay_rate(catalog), sgp4, rtol=1e-9)
    np.testing.assert_allclose(found.decay_rate[1], sgp4, rtol=0.2)  # a day later, at another local time


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
        ({"ensemble": 10**9}, "ensemble of 1000000000 members: expected 0 to 1,000"),
        ({"seed": -1}, "seed -1"),
        ({"years": float("nan")}, "years nan"),
        ({"years": float("inf")}, "years inf"),
        ({"start": "2200-01-01", "years": 100.0}, "100 years from 2200-01-01 on: expected an end before 2262-01-01"),
        ({"space_weather": "no-such-file.csv"}, "no-such-file.csv"),
    ):
        with pytest.raises(cj.InputError, match=said):
            cj.decay(catalog, **arguments)
    with pytest.raises(cj.InputError, match="nothing to decay"):
        cj.decay(catalog[:0])


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # JAX runs in this process already; the name cli.commands.decay is the command
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
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


COMMANDS = {
    "decay": [
        *("--years", "--ballistic-coefficient", "--mass-kg", "--area-m2", "--drag-coefficient", "--ensemble"),
    ],
    "station-keeping": [
        *("--years", "--ballistic-coefficient", "--mass-kg", "--area-m2", "--drag-coefficient"),
        *("--propellant-kg", "--specific-impulse-s", "--thrust-mn", "--dead-band-km"),
    ],
}


@pytest.mark.parametrize(("command", "option"), [(c, o) for c, options in COMMANDS.items() for o in options])
def test_no_number_of_the_command_line_is_a_defect(
    command: str, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is no number, not finite, not above 0 or absurd is refused in one line that names the option."""
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
    (tmp_path / "foil.tle").write_text(HIGH_DRAG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    what = ["foil.tle"] if command == "decay" else ["--shells", "kuiper"]
    if option in ("--area-m2", "--drag-coefficient"):
        what += ["--mass-kg", "100", *(["--area-m2", "2"] if option == "--drag-coefficient" else [])]
    for value in ("0", "nan", "-inf", "1e308", "9" * 400, ""):
        if (option, value) == ("--ensemble", "0"):
            continue  # no ensemble
        done = CliRunner().invoke(app, [command, *what, option, value])
        assert done.exit_code == 2, (value, done.output)
        words = option.strip("-").replace("-", "[-_ ]")
        assert re.search(words, done.output), (value, done.output)
        assert "Traceback" not in done.output
    assert not (tmp_path / "decay.nc").exists()


def test_a_ballistic_coefficient_of_mass_area_and_drag_coefficient(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "foil.tle").write_text(HIGH_DRAG, encoding="utf-8")
    run = CliRunner().invoke
    for given, expected in (
        (["--area-m2", "4"], 2.2 * 4 / 200),
        (["--area-m2", "4", "--drag-coefficient", "2.5"], 0.05),
    ):
        what = ["foil.tle", "--years", "1", "--ensemble", "0", "--overwrite", "--atmosphere", "nrlmsise00"]
        done = run(app, ["decay", *what, "--mass-kg", "200", *given])
        assert done.exit_code == 0, done.output
        with xr.open_dataset("decay.nc") as found:
            assert found.attrs["atmosphere"] == "nrlmsise00: NRLMSISE-00, orbit means"
            np.testing.assert_allclose(found.ballistic_coefficient, expected)
            assert found.ballistic_coefficient_source.values.tolist() == [0, 0]
    done = run(app, ["decay", "foil.tle", "--overwrite", "--atmosphere", "nrlmsise"])
    assert done.exit_code == 2
    assert "unknown model; known are nrlmsise00-calibrated" in done.output
    for given, said in (
        (["--mass-kg", "200"], "--mass-kg: found without --area-m2"),
        (["--area-m2", "2"], "--area-m2: found without --mass-kg"),
        (["--drag-coefficient", "2"], "--drag-coefficient: found without --area-m2"),
        (
            ["--area-m2", "2", "--mass-kg", "9", "--ballistic-coefficient", "0.1"],
            "found with --area-m2, expected one of them",
        ),
    ):
        done = run(app, ["decay", "foil.tle", *given, "--overwrite"])
        assert done.exit_code == 2
        assert said in done.output


def test_station_keeping_says_what_it_assumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
    run = CliRunner().invoke
    shells = tmp_path / "two.toml"
    text = '[[shells]]\nname = "{}"\naltitude_km = 480\ninclination_deg = 53\nplanes = 1\nsatellites_per_plane = 2\n{}'
    shells.write_text(text.format("known", "mass_kg = 500\n") + text.format("unknown", ""), encoding="utf-8")
    common = ["station-keeping", "--shells", str(shells), "--years", "1", "--start", "2027-01-01"]
    done = run(app, [*common, "--output", str(tmp_path / "keep.nc")])
    assert done.exit_code == 0, done.output
    said = "known, unknown: neither a ballistic coefficient nor mass, drag area and drag coefficient are known; "
    said += "0.013 m2/kg is assumed"
    assert f"warning: {said}" in done.output
    with xr.open_dataset(tmp_path / "keep.nc") as found:
        assert found.attrs["ballistic_coefficient_notes"] == said
    assert run(app, [*common, "--strict"]).exit_code == 2
    # each shell by its own mass, and one that has none
    done = run(app, [*common, "--area-m2", "2"])
    assert done.exit_code == 2
    assert "the mass of shell 'unknown' is not known" in done.output
    shells.write_text(
        text.format("light", "mass_kg = 100\n") + text.format("heavy", "mass_kg = 400\n"), encoding="utf-8"
    )
    done = run(app, [*common, "--area-m2", "2", "--strict", "--output", str(tmp_path / "own.nc")])
    assert done.exit_code == 0, done.output
    with xr.open_dataset(tmp_path / "own.nc") as found:
        np.testing.assert_allclose(found.ballistic_coefficient, [0.044, 0.011])
        np.testing.assert_allclose(found.delta_v[:, 0] / found.delta_v[:, 1], 4.0)
        assert "ballistic_coefficient_notes" not in found.attrs


def test_celestrak_s_own_file_serves_every_command(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no percentiles: those of the bundled forecast stand about its own values."""
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
    path = str(shared_data / "space_weather" / "SW-All_2026-02-23.csv.gz")
    run = CliRunner().invoke
    common = ["station-keeping", "--shells", "kuiper", "--years", "2", "--start", "2029-01-01", "--space-weather", path]
    for more in ([], ["--forecast", "bundled"]):
        done = run(app, [*common, *more, "--output", str(tmp_path / "keep.nc"), "--overwrite"])
        assert done.exit_code == 0, done.output
        with xr.open_dataset(tmp_path / "keep.nc") as found:
            assert (np.diff(found.delta_v, axis=0) > 0.0).all()


def test_a_history_is_fitted_where_that_is_asked_for_and_said_where_it_is_not(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.decay"], "configure", lambda **_: None)
    monkeypatch.chdir(tmp_path)
    catalog = cj.read_catalog(shared_data / "decay/reentries_2026_other.tle.gz")
    numbers = list(dict.fromkeys(catalog.norad_id.tolist()))[:2]
    some = catalog[np.flatnonzero(np.isin(catalog.norad_id, numbers))]
    (tmp_path / "history.tle").write_text(some.to_tle(), encoding="utf-8")
    weather = shared_data / "space_weather/sw19571001_2026-10-16.txt.gz"
    common = [
        "decay",
        "history.tle",
        "--space-weather",
        str(weather),
        "--years",
        "0.5",
        "--ensemble",
        "0",
        "--overwrite",
    ]
    run = CliRunner().invoke
    done = run(app, [*common, "--fit"])
    assert done.exit_code == 0, done.output
    assert re.search(r"object +B, m2/kg +error +pieces +doubt +re-entry", done.output)
    with xr.open_dataset("decay.nc") as found:
        assert found.norad_id.values.tolist() == numbers
        assert found.ballistic_coefficient_source.values.tolist() == [4, 4]
        assert "ballistic_coefficient_doubt" in found
    done = run(app, [*common, "--ballistic-coefficient", "0.01"])
    assert done.exit_code == 0, done.output
    assert "2 objects with several element sets" in done.output
    assert "--fit fits" in done.output
    for more, said in (
        (["--fit", "--ballistic-coefficient", "0.01"], "--fit: found with a ballistic coefficient"),
        (["--fit", "--shells", "kuiper"], "--fit: found with --shells"),
    ):
        done = run(app, [*common, *more])
        assert done.exit_code == 2
        assert said in done.output
    (tmp_path / "history.tle").write_text(some.newest().to_tle(), encoding="utf-8")
    done = run(app, [*common, "--fit"])
    assert done.exit_code == 2
    assert "--fit: found one element set of each object" in done.output
