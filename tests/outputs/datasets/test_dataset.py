"""The Dataset in memory: values, missing values, coordinates, attributes, and exact times."""

import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.datasets.times import encode_times
from constellation_jax.outputs.variables import PROPAGATED


def test_dimensions_and_order_of_variables(run):
    dataset = make_dataset(run.catalog, run.times, dict(reversed(run.arrays.items())))
    assert dict(dataset.sizes) == {"time": 11, "satellite": 7}
    assert list(dataset.data_vars) == [n for n in PROPAGATED if n not in ("latitude", "longitude")] + list(
        ELEMENT_COLUMNS
    )
    assert all(dataset[name].dims == ("time", "satellite") for name in PROPAGATED)


def test_values_are_missing_exactly_where_an_object_has_failed(run):
    dataset = make_dataset(run.catalog, run.times, run.arrays)
    failed = run.arrays["status"] != 0
    for name in PROPAGATED:
        if name != "status":
            np.testing.assert_array_equal(np.isnan(dataset[name].values), failed)
            np.testing.assert_array_equal(dataset[name].values[~failed], run.arrays[name][~failed].astype("f4"))
    np.testing.assert_array_equal(dataset["status"], run.arrays["status"])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_types(run, dtype):
    dataset = make_dataset(run.catalog, run.times, run.arrays, dtype=dtype)
    assert {dataset[name].dtype for name in PROPAGATED if name != "status"} == {np.dtype(dtype)}
    assert dataset["status"].dtype == "int8"
    kinds = {"norad_id": "int64", "plane": "int32", "slot": "int32", "synthetic": "int8", "epoch": "datetime64[ns]"}
    assert {name: str(dataset[name].dtype) for name in kinds} == kinds
    assert dataset["time"].dtype == "datetime64[ns]"


def test_coordinates_are_the_catalogue(run):
    dataset = make_dataset(run.catalog, run.times, run.arrays)
    np.testing.assert_array_equal(dataset.coords["satellite_shell"].values, run.catalog.shell)
    for name in ("norad_id", "name", "international_designator", "plane", "slot", "source", "epoch"):
        np.testing.assert_array_equal(dataset.coords[name].values, getattr(run.catalog, name))
    assert dataset["norad_id"].attrs["no_value"] == dataset["norad_id"].values[3] == -1
    assert dataset["synthetic"].values.tolist() == [0, 0, 0, 1, 0, 0, 0]


def test_global_attributes(run):
    attributes = make_dataset(run.catalog, run.times, run.arrays, frame="itrs", precision="float32").attrs
    assert attributes["Conventions"] == "CF-1.11, ACDD-1.3"
    assert (attributes["frame"], attributes["precision"]) == ("itrs", "float32")
    assert attributes["title"] == "Orbits of 7 Earth satellites"
    assert attributes["time_coverage_start"] == "2026-03-01T06:00:00Z"
    assert attributes["time_coverage_end"] == "2026-03-01T06:10:05Z"
    assert attributes["time_coverage_duration"] == "PT605S"
    assert attributes["time_coverage_resolution"] == "PT60.5S"
    assert "featureType" not in attributes
    valid = run.arrays["altitude"][run.arrays["status"] == 0].astype("f4")
    assert attributes["geospatial_vertical_min"] == valid.min()
    assert attributes["geospatial_vertical_max"] == valid.max()
    assert attributes["geospatial_vertical_units"] == "km"


def test_no_extent_where_nothing_is_known_of_it(run):
    arrays = run.take("x", "altitude")
    arrays["status"] = np.full_like(arrays["status"], 6)
    attributes = make_dataset(run.catalog, run.times, arrays).attrs
    assert not [key for key in attributes if key.startswith("geospatial")]


def test_given_attributes_win(run):
    attributes = {"title": "Mine", "institution": "Here", "time_coverage_resolution": "uneven"}
    found = make_dataset(run.catalog, run.times, run.arrays, attributes=attributes).attrs
    assert {key: found[key] for key in attributes} == attributes


def test_the_same_question_has_the_same_id(run):
    first = make_dataset(run.catalog, run.times, run.arrays).attrs["id"]
    assert make_dataset(run.catalog, run.times, run.take("z")).attrs["id"] == first
    assert make_dataset(run.catalog, run.times, run.arrays, frame="itrs").attrs["id"] != first
    assert make_dataset(run.catalog.replace(bstar=1e-5), run.times, run.arrays).attrs["id"] != first


def test_to_netcdf_of_the_dataset_reads_back_identical(run, tmp_path):
    dataset = make_dataset(run.catalog, run.times, run.arrays)
    dataset.to_netcdf(tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "a.nc") as read:
        xr.testing.assert_identical(read.load(), dataset)
        assert read["x"].dtype == "float32"


@pytest.mark.parametrize(
    ("step", "unit"),
    [
        ("60s", "seconds"),
        ("500ms", "milliseconds"),
        ("864us", "microseconds"),
        ("1ns", "nanoseconds"),
    ],
)
def test_times_are_whole_numbers_of_the_coarsest_unit_that_is_exact(step, unit):
    number, symbol = int(step.rstrip("smun")), step.lstrip("0123456789")
    times = np.datetime64("2026-12-31T23:59:58", "ns") + np.arange(5) * np.timedelta64(number, symbol)
    encoded = encode_times(times)
    assert encoded.units == f"{unit} since 2026-12-31 00:00:00"
    assert encoded.values.dtype == np.int64
    source = xr.Dataset({"t": ("i", encoded.values, {"units": encoded.units, "calendar": "standard"})})
    np.testing.assert_array_equal(xr.decode_cf(source)["t"].values, times)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"frame": "gcrs"}, "frame 'gcrs'"),
        ({"dtype": "float16"}, "dtype 'float16'"),
        ({"times": ["2026"]}, "expected datetime64"),
        ({"times": np.array([], "M8[ns]")}, "expected datetime64"),
        ({"times": np.full(11, "NaT", "M8[ns]")}, "NaT among them"),
        ({"arrays": {}}, "'status' is missing"),
        ({"arrays": {"q": 0}}, "'q': unknown; known are x, y"),
        ({"arrays": {"status": np.zeros((7, 11))}}, r"'status': shape \(7, 11\); expected .*\(11, 7\)"),
    ],
)
def test_mistakes_are_told(run, change, message):
    arguments = {"catalog": run.catalog, "times": run.times, "arrays": run.arrays} | change
    with pytest.raises(InputError, match=message):
        make_dataset(**arguments)


def test_outputs_need_no_jax():
    code = "import sys, constellation_jax.outputs.netcdf.samples; sys.exit('jax' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
