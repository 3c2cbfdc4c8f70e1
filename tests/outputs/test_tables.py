"""Tables: the rows and columns of each kind of Dataset, units, words for flags, and what has no place."""

import importlib.util
import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from constellation_jax.errors import InputError
from constellation_jax.outputs import formats, tables
from constellation_jax.outputs.datasets.decay import make_decay_dataset
from constellation_jax.outputs.datasets.deployment import PERCENTILES, make_counts_dataset
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.datasets.station_keeping import make_station_keeping_dataset
from constellation_jax.outputs.variables import DEPLOYMENT_STATES, STATION_KEEPING, resolve_groups

needs_pyarrow = pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="Parquet needs pyarrow")


@pytest.fixture
def decayed(run):
    n = len(run.catalog)
    arrays = {
        "mean_altitude": np.full((2, n), 500.0),
        "lifetime": np.where(np.arange(n) == 1, np.nan, 100.0),
        "lifetime_percentile": np.arange(3.0)[:, None] + np.zeros(n),
        "decay_status": np.where(np.arange(n) == 1, 1, 0).astype(np.int8),
        "shell_satellites": np.array([n]),
        "reentry_date": np.where(np.arange(n) == 1, np.datetime64("NaT"), np.datetime64("2027-01-01")).astype("M8[ns]"),
    }
    return make_decay_dataset(
        run.catalog,
        run.times[:2],
        arrays,
        shells=["other"],
        solar="median",
        percentiles=(5.0, 50.0, 95.0),
        attributes={"years": 25.0},
    )


def test_a_propagation_has_a_row_for_each_instant_and_object(run, tmp_path):
    arrays = run.arrays
    names = resolve_groups(["position", "altitude"])
    dataset = make_dataset(run.catalog, run.times, {name: arrays[name] for name in names})
    path = tmp_path / "run.csv"
    formats.write(dataset, path)
    table = pd.read_csv(path, parse_dates=["time", "epoch"])
    assert len(table) == len(run.times) * len(run.catalog)
    assert list(table)[:4] == ["time", "satellite", "norad_id", "name"]
    assert list(table)[-5:] == ["x [km]", "y [km]", "z [km]", "altitude [km]", "status"]
    np.testing.assert_array_equal(
        table["x [km]"].to_numpy(np.float32).reshape(dataset.x.shape), dataset.x
    )  # every digit of the float32
    assert (table.time.dt.tz_convert(None).to_numpy()[:: len(run.catalog)] == run.times).all()
    assert set(table.status) <= {*dataset.status.attrs["flag_meanings"].split()}
    # written block by block it is the same
    writer = formats.make_sample_writer(tmp_path / "blocks.csv", run.catalog, run.times, names)
    writer.check_disk()
    with writer:
        for start in (0, 5):
            block = slice(start, start + 5 if start == 0 else None)
            writer.write(start, {name: arrays[name][block] for name in names})
    assert (tmp_path / "blocks.csv").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["blocks.csv", "run.csv"]


def test_a_writer_that_fails_leaves_nothing(run, tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        formats.make_sample_writer(tmp_path / "a.csv", run.catalog, run.times, ("status",)),
    ):
        raise KeyboardInterrupt
    assert not [*tmp_path.iterdir()]


def test_a_decay_has_a_row_for_each_object(decayed, tmp_path):
    path = tmp_path / "decay.csv"
    with pytest.warns(
        UserWarning, match=r"a row for each satellite has no place for .*mean_altitude.*shell_satellites"
    ):
        formats.write(decayed, path)
    table = pd.read_csv(path, dtype=object, keep_default_na=False)
    assert len(table) == decayed.sizes["satellite"]
    assert list(table["lifetime [day]"])[:2] == ["100.0", ""]
    assert list(table.decay_status)[:2] == ["reenters", "stays_in_orbit"]
    assert list(table.reentry_date)[:2] == ["2027-01-01 00:00:00+00:00", ""]
    for label, value in (("5", "0.0"), ("50", "1.0"), ("95", "2.0")):
        assert set(table[f"lifetime_percentile_{label} [day]"]) == {value}
    expected = ["" if number < 0 else str(number) for number in decayed.norad_id.values]
    assert list(table.norad_id) == expected


def test_station_keeping_and_deployment(tmp_path):
    values = np.arange(6.0).reshape(3, 2)
    cost = make_station_keeping_dataset(
        ["A", "B, of two"],
        ["low", "median", "high"],
        dict.fromkeys(STATION_KEEPING, values),
        mean_altitude=np.array([500.0, 600.0]),
        ballistic_coefficient=np.array([0.01, 0.02]),
        attributes={},
    )
    formats.write(cost, tmp_path / "cost.csv")
    table = pd.read_csv(tmp_path / "cost.csv")
    assert list(table)[:2] == ["shell", "solar"]
    assert list(table["delta_v [m s-1 year-1]"]) == [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]
    assert list(table["mean_altitude [km]"]) == [500.0] * 3 + [600.0] * 3
    assert list(table.shell) == ["A"] * 3 + ["B, of two"] * 3
    assert "duty_cycle" in table  # a pure number
    days = np.array(["2026-01-01", "2026-01-02"], "M8[D]")
    counts = {state: np.array([[1, 2]]) for state in DEPLOYMENT_STATES}
    bands = {state: np.arange(6.0).reshape(3, 1, 2) for state in DEPLOYMENT_STATES}
    formats.write(make_counts_dataset(days, ["S"], counts, [None], bands=bands), tmp_path / "deploy.csv")
    table = pd.read_csv(tmp_path / "deploy.csv")
    assert list(table.time) == ["2026-01-01 00:00:00+00:00", "2026-01-02 00:00:00+00:00"]
    assert list(table.on_station) == [1, 2]
    assert [list(table[f"on_station_percentile_{p:g}"]) for p in PERCENTILES] == [[0, 1], [2, 3], [4, 5]]
    assert table.target.isna().all()


@needs_pyarrow
def test_parquet_keeps_names_types_and_attributes(decayed, tmp_path):
    path = tmp_path / "decay.parquet"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # on what has no place, as above
        formats.write(decayed, path)
    table = pd.read_parquet(path)
    np.testing.assert_array_equal(table.lifetime, decayed.lifetime)
    assert table.attrs["units"]["lifetime"] == "day"
    assert table.attrs["title"] == decayed.attrs["title"]
    assert table.epoch.dt.tz is not None
    assert str(table.norad_id.dtype) == "Int64"


def test_parquet_without_pyarrow_names_the_package(tmp_path, monkeypatch, decayed):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "pyarrow" else find(name, *rest)
    )
    with pytest.raises(InputError, match=r"Parquet needs pyarrow.*pip install 'constellation-jax\[parquet\]'"):
        formats.write(decayed, tmp_path / "a.parquet")
    with pytest.raises(InputError, match="Parquet needs pyarrow"):
        formats.check_size("a.parquet", 1, 1, ["position"], "float32", 2**30)
    assert not [*tmp_path.iterdir()]


def test_a_table_that_is_too_large_is_refused_with_its_size(run, tmp_path, monkeypatch):
    expected = r"1,440 instants of 16,400 objects make 23,616,000 rows of about 4\.\d GB in CSV.*\.nc"
    with pytest.raises(InputError, match=expected):
        formats.check_size(tmp_path / "a.csv", 16400, 1440, ["position", "altitude", "decay"], "float32", 2**30)
    monkeypatch.setattr(tables, "MOST_ROWS", 10)
    with pytest.raises(InputError, match="expected 10 at most"):
        formats.make_sample_writer(tmp_path / "a.csv", run.catalog, run.times, ("status",)).check_disk()
    with pytest.raises(InputError, match="expected 10 at most"):
        formats.write(make_dataset(run.catalog, run.times, run.arrays), tmp_path / "a.csv")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("name", ["a.zarr", "-", "a.csv.gz", "a.XLSX"])
def test_names_of_other_formats_are_refused_with_the_list(name):
    with pytest.raises(InputError, match=r"expected .* \.nc \(NetCDF\), \.csv \(CSV\), \.parquet \(Parquet\)$"):
        formats.find_format(name)


def test_an_ephemeris_is_netcdf():
    with pytest.raises(InputError, match=r"of an ephemeris that ends in \.nc \(NetCDF\)$"):
        formats.find_format("a.csv", "ephemeris")
    assert formats.find_format("a", "ephemeris").name == "NetCDF"


def test_the_rest_of_an_earlier_run_is_replaced_and_a_users_file_is_not(tmp_path):
    dataset = xr.Dataset({"launched": (("system", "time"), [[1, 2]])}, {"system": ["S"], "time": [0, 1]})
    partial = tmp_path / "a.csv.partial"
    partial.write_text("system,time,launched\nS,0,")
    formats.write(dataset, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "system,time,launched\nS,0,1\nS,1,2\n"
    partial.write_text("mine")
    with pytest.raises(InputError, match="in the way"):
        formats.write(dataset, tmp_path / "a.csv", overwrite=True)
    assert partial.read_text() == "mine"
