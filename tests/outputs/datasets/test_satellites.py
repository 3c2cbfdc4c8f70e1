"""The index of satellites and finding them: unique, the same in memory and in a file, and quick."""

import time

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.datasets.satellites import make_unique_labels
from constellation_jax.outputs.netcdf.samples import NetCDFWriter


def named(names, numbers, designators="") -> cj.Catalog:
    return cj.Catalog.from_columns(
        {
            "norad_id": numbers, "name": names, "international_designator": designators, "epoch_day": 61100,
            "epoch_fraction": 0.5, "mean_motion_rev_per_day": 15.5, "eccentricity": 0.0, "inclination_deg": 51.6,
            "raan_deg": 0.0, "arg_perigee_deg": 0.0, "mean_anomaly_deg": 0.0,
        }
    )  # fmt: skip


@pytest.fixture
def dataset() -> xr.Dataset:
    catalog = named(
        ["ISS (ZARYA)", "STARLINK-1007", "STARLINK-1008", "", "GW P00 S01", "STARLINK-1007"],
        [25544, 44713, 44714, 5, -1, 44713],
        ["1998-067A", "2019-074A", "2019-074B", "1958-002B", "", "2019-074A"],
    )
    x = np.arange(12.0).reshape(2, 6)
    times = np.array(["2026-03-01", "2026-03-02"], "M8[ns]")
    return make_dataset(catalog, times, {"x": x, "status": np.zeros((2, 6))}, dtype="float64")


def test_labels_are_numbers_where_unique_else_names_else_counted(dataset):
    assert dataset.satellite.values.tolist() == ["25544", "44713#1", "44714", "5", "GW P00 S01", "44713#2"]
    assert dataset.x.sel(satellite="25544").values.tolist() == [0.0, 6.0]
    assert dataset.satellite.attrs["standard_name"] == "platform_id"


def test_labels_are_unique_whatever_the_names_are():
    names = ["", "", "A", "A", "A#1", "unnamed#1", "7"]
    labels = make_unique_labels(named(names, [-1] * 6 + [7]))
    assert len(set(labels.tolist())) == len(names)
    assert labels[-1] == "7"
    assert make_unique_labels(named(["A"], [-1])[:0]).tolist() == []


def test_the_index_is_the_same_in_a_file_that_is_opened_lazily(run, tmp_path):
    expected = make_dataset(run.catalog, run.times, run.take("x"))
    with NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["x", "status"]) as writer:
        writer.write(0, run.take("x"))
    with xr.open_dataset(tmp_path / "a.nc") as read:
        assert list(read.indexes) == list(expected.indexes) == ["time", "satellite"]
        assert read.satellite.values.tolist() == expected.satellite.values.tolist()
        one = cj.find(read, 25546)
        assert not read.x.variable._in_memory
        assert not one.x.variable._in_memory
        np.testing.assert_array_equal(one.x.values[:, 0], read.x.sel(satellite="25546").values)


@pytest.mark.parametrize(
    ("wanted", "positions"),
    [
        ("ISS (ZARYA)", [0]),
        ("iss (zarya)", [0]),
        (25544, [0]),
        (np.int64(25544), [0]),
        ("25544", [0]),
        ("1998-067a", [0]),
        (44713, [1, 5]),
        ("44713#2", [5]),
        ("starlink-100?", [1, 2, 5]),
        ("2019-074*", [1, 2, 5]),
        (["STARLINK-1008", 25544, "STARLINK-*"], [2, 0, 1, 5]),
        ("*", [0, 1, 2, 3, 4, 5]),
    ],
)
def test_find_by_number_name_designator_label_and_pattern(dataset, wanted, positions):
    found = cj.find(dataset, wanted)
    assert found.x[0].values.tolist() == [float(k) for k in positions]
    assert found.x.dims == ("time", "satellite")


def test_what_is_not_found_is_told_with_the_nearest_name(dataset):
    with pytest.raises(
        cj.InputError, match=r"'STARLINK-1107' is not among the 6 satellites .*did you mean 'STARLINK-1007'\?"
    ):
        cj.find(dataset, "STARLINK-1107")
    for nothing in (-1, "", "ZZZ*", 99999):
        with pytest.raises(cj.InputError, match="is not among the 6 satellites of the dataset"):
            cj.find(dataset, nothing)
    with pytest.raises(cj.InputError, match="has no dimension 'satellite'"):
        cj.find(dataset.isel(satellite=0), 25544)


def test_labels_of_a_catalogue_cost_next_to_nothing():
    """18 ms for 33,000 on two busy cores."""
    n = 30_000
    catalog = named([f"STARLINK-{k}" for k in range(n)], np.arange(n) + 10_000)
    start = time.perf_counter()
    make_unique_labels(catalog)
    assert time.perf_counter() - start < 1.0
