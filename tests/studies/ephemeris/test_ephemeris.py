"""The continuous ephemeris: within its tolerance of SGP4 at any instant, failures at the right one, and what is refused."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.times import minutes_since
from constellation_jax.studies.ephemeris import write as ephemeris

START = np.datetime64("2026-08-23T06:00", "ns")
HOUR = np.timedelta64(3600 * 10**9, "ns")
VELOCITY_M_S = {"circular": 0.05, "any": 5.0}
"""SGP4's own velocity is not the derivative of its position: bounds on what the two were measured to differ by in such orbits."""


@pytest.fixture(scope="module")
def fleet(catalog_of: Callable[..., cj.Catalog]) -> cj.Catalog:
    """Low circular orbits, eccentric ones of both kinds, 24 h, one beyond the range of int32, and one that decays in the run."""
    kinds = [  # as `catalog_of` takes them
        *[(15.1 + 0.1 * k, 0.0002 * k, 53.0, 1e-4) for k in range(8)],
        *[(12.0, 0.15, 63.4, 1e-5), (2.006, 0.72, 63.4, 1e-5), (2.3, 0.72, 7.0, 1e-4), (1.0027, 0.0003, 0.05, 0.0)],
        *[(0.38, 0.87, 40.0, 0.0), (16.35, 0.0005, 97.0, 0.006)],
    ]
    rng = np.random.default_rng(8)
    return catalog_of(
        kinds,
        rng,
        norad_id=np.where(np.arange(len(kinds)) == 7, -1, 100 + np.arange(len(kinds))),
        name=[f"TEST {k}" for k in range(len(kinds))],
        epoch_day=61275,  # 2026-08-23
        epoch_fraction=rng.uniform(0, 0.2, len(kinds)),
    )


@pytest.fixture(scope="module")
def made(fleet: cj.Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """27 hours in blocks of four spans, the last one shorter than the others."""
    path = tmp_path_factory.mktemp("ephemeris") / "fleet.nc"
    size, ephemeris.BLOCK_BYTES = ephemeris.BLOCK_BYTES, 4 * 30 * len(fleet) * 24
    try:
        report = cj.ephemeris_to(path, fleet, START, "27h", history="made by a test")
    finally:
        ephemeris.BLOCK_BYTES = size
    assert (report.satellites, report.spans, report.failed) == (len(fleet), 14, 1)
    assert report.bytes == path.stat().st_size
    assert report.pieces > 0
    return path


def random_times(count: int, hours: float = 27.0, seed: int = 0) -> np.ndarray:
    ns = np.random.default_rng(seed).uniform(0, hours * 3600e9, count)
    return START + ns.astype(np.int64).astype("timedelta64[ns]")


def difference(a: xr.Dataset, b: xr.Dataset, names: str) -> np.ndarray:
    """Length of the difference of two vectors, m or m/s."""
    return 1e3 * np.sqrt(sum((a[k].values - b[k].values) ** 2 for k in names.split()))


def first_failure(catalog: cj.Catalog, start: np.datetime64, seconds: float) -> np.datetime64:
    """By the kernels, to a millisecond, from one instant to the next."""
    import jax

    coefficients = cj.sgp4.initialise(jax.tree.map(lambda column: column[0], catalog.elements))
    low = minutes_since(np.array([start]), catalog.epoch_day, catalog.epoch_fraction)[0, 0]
    width = seconds / 60.0
    offset = 0.0
    while width > 1e-3 / 60.0:
        grid = offset + np.linspace(0.0, width, 224)
        _, status = cj.sgp4.state_at(coefficients, low + grid)
        failed = np.asarray(status) != 0
        assert failed.any()
        first = int(np.argmax(failed))
        offset, width = grid[max(first - 1, 0)], width / 223.0
    return start + np.timedelta64(int((offset + width) * 60e9), "ns")


@pytest.mark.parametrize("frame", ["teme", "itrs"])
def test_every_position_is_within_the_tolerance(fleet: cj.Catalog, made: Path, frame: str) -> None:
    times = np.sort(random_times(3000))
    with cj.open_ephemeris(made) as file:
        assert file.tolerance_m == 1.0
        found = file.at(times, frame=frame)
    expected = cj.propagate(fleet, times, frame=frame, variables=("position", "velocity"))
    both = (found["status"].values == 0) & (expected["status"].values == 0)
    # where the grid of `propagate` has not met the failure yet, the ephemeris knows better
    assert np.all(both | (found["status"].values != 0))
    assert np.count_nonzero(found["status"].values != expected["status"].values) < 20
    error = difference(found, expected, "x y z")[both]
    assert np.count_nonzero(both) > 38_000
    assert error.max() < 1.0
    velocity = difference(found, expected, "vx vy vz")
    assert np.nanmax(velocity[:, :8]) < VELOCITY_M_S["circular"]
    assert np.nanmax(velocity[:, :13]) < VELOCITY_M_S["any"]
    for name in ("x", "vz", "status"):
        np.testing.assert_equal(found[name].attrs, expected[name].attrs)
    assert found.attrs["frame"] == frame


def test_velocity_is_the_derivative_of_the_position(made: Path) -> None:
    times = np.sort(random_times(200, hours=20.0))
    step = np.timedelta64(50_000_000, "ns")
    with cj.open_ephemeris(made) as file:
        # three instants in one span, so that no seam lies between them
        times = times[(times - START) % (2 * HOUR) < 2 * HOUR - 2 * step][:150]
        here, before, after = (file.at(t, slice(8)) for t in (times, times - step, times + step))
    inside = (times - START) % (2 * HOUR) > 2 * step
    for position, velocity in (("x", "vx"), ("y", "vy"), ("z", "vz")):
        slope = (after[position].values - before[position].values) / 0.1
        np.testing.assert_allclose(here[velocity].values[inside], slope[inside], rtol=0, atol=2e-7)  # km/s


def test_discontinuities_of_sgp4_end_pieces(tmp_path: Path) -> None:
    # drag takes the mean eccentricity through the least one, with a swing about it in each revolution
    catalog = cj.Catalog.from_columns(
        {
            "epoch_day": 61275,
            "epoch_fraction": 0.25,
            "mean_motion_rev_per_day": 15.6,
            "eccentricity": [5e-6, 1.5e-5],
            "inclination_deg": 53.0,
            "raan_deg": 10.0,
            "arg_perigee_deg": [20.0, 200.0],
            "mean_anomaly_deg": 30.0,
            "bstar": 0.03,
        }
    )
    cj.ephemeris_to(tmp_path / "jumps.nc", catalog, START, "12h")
    times = np.sort(random_times(20_000, hours=12.0))
    with cj.open_ephemeris(tmp_path / "jumps.nc") as file:
        found = file.at(times)
    with xr.open_dataset(tmp_path / "jumps.nc") as plain:
        assert plain.sizes["piece"] > 20
    assert difference(found, cj.propagate(catalog, times, variables="position"), "x y z").max() < 1.0


def test_failure_is_at_the_right_instant(fleet: cj.Catalog, made: Path) -> None:
    hours = START + np.arange(28) * HOUR
    with cj.open_ephemeris(made) as file:
        status = file.at(hours, "TEST 13")["status"].values[:, 0]
        assert status[0] == 0
        assert status[-1] == 6
        assert np.all(np.diff(np.flatnonzero(status)) == 1)  # failed for good
        before = hours[np.argmax(status != 0) - 1]
        fails = first_failure(fleet[13], before, 3600.0)
        margin = np.timedelta64(2, "ms")
        around = file.at([fails - margin, fails + margin], "TEST 13")
    assert around["status"].values[:, 0].tolist() == [0, 6]
    assert np.isfinite(around["x"].values[0, 0])
    assert np.isnan(around["x"].values[1, 0])
    assert np.isnan(around["vz"].values[1, 0])


def test_times_and_satellites_in_any_order(fleet: cj.Catalog, made: Path) -> None:
    times = random_times(500, seed=3)
    times[100] = times[7]
    mask = np.zeros(len(fleet), bool)
    mask[[2, 9, 13]] = True
    with cj.open_ephemeris(made) as file:
        whole = file.at(np.sort(times)).sel(time=times[0])
        mixed = file.at(times)
        xr.testing.assert_identical(mixed.isel(time=0).drop_attrs(), whole.drop_attrs())
        np.testing.assert_array_equal(mixed["x"].values[100], mixed["x"].values[7])
        same = {"rtol": 0, "atol": 1e-9}  # another size of the same matrix product rounds in another way
        np.testing.assert_allclose(file.at(times, mask)["y"], mixed["y"][:, mask], **same)
        np.testing.assert_allclose(file.at(times, slice(3, 6))["vy"], mixed["vy"][:, 3:6], **same)
        picked = file.at(times, [112, "TEST 7", 100, 109])
        np.testing.assert_allclose(picked["z"], mixed["z"][:, [12, 7, 0, 9]], **same)
        np.testing.assert_array_equal(picked["status"], mixed["status"][:, [12, 7, 0, 9]])
        assert picked["name"].values.tolist() == ["TEST 12", "TEST 7", "TEST 0", "TEST 9"]
        one = file.at("2026-08-23T09:30:00Z", 109)
        assert dict(one.sizes) == {"time": 1, "satellite": 1}
        assert file.at([START, START + 27 * HOUR]).sizes["time"] == 2  # both ends belong to it
        assert not file.at([START, START + 27 * HOUR], slice(12))["status"].any()


def test_mistakes_are_told(fleet: cj.Catalog, made: Path, tmp_path: Path) -> None:
    with cj.open_ephemeris(made) as file:
        with pytest.raises(
            cj.InputError, match=r"times, entry 1: 2026-08-24T09:00:00\.000000001 is outside .*, which covers 2026"
        ):
            file.at([START, START + 27 * HOUR + np.timedelta64(1, "ns")])
        with pytest.raises(cj.InputError, match="times, entry 0: time NaT"):
            file.at([np.datetime64("NaT", "ns")])
        with pytest.raises(cj.InputError, match=r"satellites: 25544 is not among the 14 of .*fleet\.nc"):
            file.at([START], [100, 25544])
        with pytest.raises(cj.InputError, match="satellites: 'ISS' is not among"):
            file.at([START], "ISS")
        with pytest.raises(cj.InputError, match=r"satellites: found 1\.5, expected catalogue numbers"):
            file.at([START], 1.5)
        with pytest.raises(cj.InputError, match=r"a mask of shape \(3,\)"):
            file.at([START], np.ones(3, bool))
        with pytest.raises(cj.InputError, match="frame 'gcrs'"):
            file.at([START], frame="gcrs")
    with pytest.raises(cj.InputError, match="closed"):
        file.at([START])
    with pytest.raises(cj.InputError, match=r"none\.nc: cannot be read"):
        cj.open_ephemeris(tmp_path / "none.nc")
    cj.propagate(fleet[:1], [START]).to_netcdf(tmp_path / "samples.nc")
    with pytest.raises(cj.InputError, match=r"samples\.nc: no ephemeris"):
        cj.open_ephemeris(tmp_path / "samples.nc")
    with pytest.raises(cj.InputError, match="exists already"):
        cj.ephemeris_to(made, fleet, START, "1h")
    for change, message in (
        ({"tolerance_m": 0.0}, "tolerance_m 0"),
        ({"span": "1ms"}, "span 1000000 nanoseconds: expected one second or more"),
        ({"duration": "-1h"}, "duration"),
        ({"catalog": fleet[:0]}, "no objects"),
    ):
        given = {"catalog": fleet, "start": START, "duration": "1h"} | change
        with pytest.raises(cj.InputError, match=message):
            cj.ephemeris_to(tmp_path / "x.nc", **given)
    assert not (tmp_path / "x.nc").exists()


def test_what_is_known_of_each_object_comes_back(fleet: cj.Catalog, made: Path) -> None:
    expected = cj.propagate(fleet, [START], variables="position")
    with cj.open_ephemeris(made) as file:
        found = file.at([START])
        assert set(found.coords) == set(expected.coords)
        for name in expected.coords:
            np.testing.assert_array_equal(found[name].values, expected[name].values)
            assert found[name].attrs.keys() == expected[name].attrs.keys() - {"units", "calendar"}, name
            for key, value in found[name].attrs.items():
                np.testing.assert_array_equal(value, expected[name].attrs[key])
        assert (file.start, file.stop) == (START, START + 27 * HOUR)
        assert repr(file).startswith("<Ephemeris of 14 objects, 2026-08-23T06:00:00")
    with xr.open_dataset(made) as plain:  # without this package
        assert plain["span"].values[0] == START
        assert plain.attrs["time_coverage_end"] == "2026-08-24T09:00:00Z"
        assert plain.attrs["history"].endswith("made by a test")
        assert "derivative" in plain.attrs["comment"]
        span, satellite = 3, 2
        begin, end = plain["span_bounds"].values[span]
        series = plain["x"].values[span, :, satellite]
        s = 2.0 * (HOUR / (end - begin)) - 1.0
        value = np.polynomial.chebyshev.chebval(s, series)
        assert abs(value - float(found_at(made, begin + HOUR)["x"][0, satellite])) < 1e-9
        assert plain["x"].encoding["dtype"] == np.int32
        assert plain["x"].encoding["scale_factor"] == 2e-5  # km: a fiftieth of the tolerance


def found_at(path: Path, time: np.datetime64) -> xr.Dataset:
    with cj.open_ephemeris(path) as file:
        return file.at([time])


def test_a_tolerance_of_a_centimetre_is_stored_in_float64(fleet: cj.Catalog, tmp_path: Path) -> None:
    few = fleet[[0, 5, 9, 11]]
    cj.ephemeris_to(tmp_path / "fine.nc", few, START, "5h", tolerance_m=0.01)
    times = np.sort(random_times(500, hours=5.0))
    with cj.open_ephemeris(tmp_path / "fine.nc") as file:
        found = file.at(times)
    assert difference(found, cj.propagate(few, times, variables="position"), "x y z").max() < 0.01
    with xr.open_dataset(tmp_path / "fine.nc") as plain:
        assert plain["x"].dtype == np.float64


@pytest.mark.parametrize("lost", ["nothing", "a piece", "a status"])
def test_an_interrupted_run_leaves_what_is_finished_and_is_gone_on_with(
    lost: str, fleet: cj.Catalog, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ephemeris, "BLOCK_BYTES", 4 * 30 * len(fleet) * 24)
    path, fit, blocks = tmp_path / "a.nc", ephemeris.Fitter.fit, []

    def stop_in_the_fourth(*arguments: Any) -> Any:
        blocks.append(fit(*arguments))
        if len(blocks) == 4:
            raise KeyboardInterrupt
        return blocks[-1]

    with monkeypatch.context() as patched:
        patched.setattr(ephemeris.Fitter, "fit", stop_in_the_fourth)
        with pytest.raises(KeyboardInterrupt) as caught:
            cj.ephemeris_to(path, fleet, START, "27h")
    assert "a.nc.partial holds the first 9 of 14 spans" in caught.value.__notes__[0]
    assert os.listdir(tmp_path) == ["a.nc.partial"]
    with cj.open_ephemeris(tmp_path / "a.nc.partial") as part:
        assert (part.stop - part.start) / HOUR == 18
    with pytest.raises(cj.InputError, match=r"was begun by another run \(tolerance: 1 m there, 2 m here"):
        cj.ephemeris_to(path, fleet, START, "27h", tolerance_m=2.0, resume=True)
    if lost != "nothing":  # as a kill between two writes of HDF5 leaves it: all of the third block is computed anew
        with netCDF4.Dataset(tmp_path / "a.nc.partial", "a") as file:
            file.set_auto_maskandscale(False)
            variable, at = ("piece_stop", -1) if lost == "a piece" else ("status", (8, 0))
            file[variable][at] = -127
    report = cj.ephemeris_to(path, fleet, START, "27h", resume=True)
    assert report.states % (len(fleet) * (report.degrees + 5)) == 0
    assert report.states // (len(fleet) * (report.degrees + 5)) == (5 if lost == "nothing" else 8), "spans"
    assert report.failed == 1
    assert os.listdir(tmp_path) == ["a.nc"]
    with xr.open_dataset(path) as found, xr.open_dataset(made) as whole:
        assert {*found.attrs} == {*whole.attrs}
        for name in whole.variables:
            np.testing.assert_array_equal(found[name].values, whole[name].values, err_msg=str(name))


_WRITER = """
    import os, signal, sys
    import numpy as np
    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.outputs.netcdf import ephemeris as f

    catalog = Catalog.from_columns({"norad_id": np.arange(500), "epoch_day": 61000, "epoch_fraction": 0.5,
        "mean_motion_rev_per_day": 15.0, "eccentricity": 0.0, "inclination_deg": 53.0, "raan_deg": 0.0,
        "arg_perigee_deg": 0.0, "mean_anomaly_deg": 0.0})
    edges = np.datetime64("2026-03-01", "ns") + np.arange(41) * np.timedelta64(7200, "s")
    none = f.Pieces(np.zeros(0, "i4"), np.zeros(0, "i8"), np.zeros(0, "i8"), np.zeros(0, "i1"), np.zeros((3, 0, 5)))
    with f.EphemerisWriter(sys.argv[1], catalog, edges, degrees=5, quantum_km=2e-5, tolerance_m=1.0, block_spans=4) as w:
        for k in range(10):
            series = np.zeros((3, 4, 5, 500), "i4")
            series[:, :, 0] = 50_000 * (k + 1)
            if k == 5:
                w._put(slice(20, 24), slice(0, 0), f.Block(series, np.full((4, 500), -127, "i1"), none))
                w._dataset.sync()
                os.kill(os.getpid(), signal.SIGKILL)
            w.write(f.Block(series, np.zeros((4, 500), "i1"), none))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_killed_within_a_block_leaves_the_blocks_before(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(cj.__file__).parents[1])}
    command = [sys.executable, "-c", textwrap.dedent(_WRITER), str(tmp_path / "a.nc")]
    done = subprocess.run(command, env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    with cj.open_ephemeris(tmp_path / "a.nc.partial") as file:
        assert file.stop - file.start == 20 * np.timedelta64(2, "h")
        states = file.at([file.start, file.stop - HOUR])
    assert states["x"].values[:, 0].tolist() == [1.0, 5.0]


def test_real_catalogue(shared_data: Path, tmp_path: Path) -> None:
    # Odd ones and a sample of the others, enough of them that the packing is that of a usual catalogue
    whole = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    apogee = (whole.mean_altitude_km + 6378.0) * (1.0 + whole.eccentricity)
    odd = (
        (whole.eccentricity > 0.3)
        | (whole.mean_altitude_km < 320.0)
        | (apogee > 43_000.0)
        | (np.abs(whole.bstar) > 0.02)
    )
    some = whole[odd | (np.arange(len(whole)) % 20 == 0)]
    start = np.datetime64("2026-08-30", "ns")
    cj.ephemeris_to(tmp_path / "real.nc", some, start, "1d")
    times = np.sort(start + np.random.default_rng(2).integers(0, 86_400 * 10**9, 1000).astype("timedelta64[ns]"))
    with cj.open_ephemeris(tmp_path / "real.nc") as file:
        found = file.at(times)
    expected = cj.propagate(some, times, variables="position")
    ours, theirs = found["status"].values, expected["status"].values
    assert np.array_equal(ours[theirs != 0], theirs[theirs != 0])
    assert np.count_nonzero(ours[-1]) > 10
    assert np.count_nonzero(ours != theirs) < 2e-4 * ours.size  # failures between two instants of the grid
    error = difference(found, expected, "x y z")
    print(f"\n{len(some)} objects: median {np.nanmedian(error):.2f} m, worst {np.nanmax(error):.2f} m")
    assert np.nanmax(error) < 1.0


def test_long_before_the_epochs_of_sets_with_high_drag(tmp_path: Path) -> None:
    high_drag = cj.read_catalog(
        "1 90001U 26001A   26234.50000000  .09000000  00000-0  45000-1 0  9990\n"
        "2 90001  97.6000 120.0000 0012000  90.0000 270.0000 15.92000000  1006\n"
    )
    catalog = cj.Catalog.concatenate([high_drag, high_drag.replace(bstar=1e-5)])
    start = high_drag.epoch[0] - 30 * 24 * HOUR
    cj.ephemeris_to(tmp_path / "back.nc", catalog, start, "30d")
    times = start + np.arange(0, 30 * 24 + 1) * HOUR
    expected = cj.propagate(catalog, times, variables="position")
    with cj.open_ephemeris(tmp_path / "back.nc") as file:
        found = file.at(times)
    # the search for the limit takes steps of 1/2048 of the time from the epoch back to the first instant, of 21 minutes
    np.testing.assert_array_equal(found["status"], expected["status"])
    assert np.unique(expected["status"][:, 0]).tolist() == [0, 7]
    np.testing.assert_array_equal(np.isnan(found["x"]), found["status"] != 0)
    assert np.nanmax(difference(found, expected, "x y z")) < 1.0
    assert (found["status"][:, 1] == 0).all()
