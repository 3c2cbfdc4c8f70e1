"""From a catalogue to a Dataset and to a file: what comes back, in what units, and what is refused."""

import os
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.studies.propagation import job, to_file
from constellation_jax.studies.propagation import propagate as propagation

SAME = {"history": "test", "date_created": "test"}


@pytest.fixture(scope="module")
def some() -> cj.Catalog:
    return cj.bundled_population()[::1100] + cj.shells_to_catalog(cj.load_shells("guowang"), epoch="2025-06-24")[::3000]


TIMES = cj.time_grid("2025-06-24T00:00:00Z", "3h", "5min")


def test_dataset_holds_what_was_asked_for(some: cj.Catalog) -> None:
    groups = ("position", "velocity", "altitude", "geodetic", "decay")
    dataset = cj.propagate(some, TIMES, variables=groups)
    assert dict(dataset.sizes) == {"time": 36, "satellite": len(some)}
    assert {"x", "vx", "altitude", "mean_altitude", "decay_rate", "status"} <= set(dataset.data_vars)
    assert {"satellite", "norad_id", "name", "satellite_shell", "plane", "slot", "latitude", "longitude"} <= set(
        dataset.coords
    )
    assert dataset["name"].values.tolist() == some.name.tolist()
    assert dataset.attrs["frame"] == dataset["x"].attrs["frame"] == "teme"
    assert dataset["x"].dtype == np.float64
    assert not dataset["status"].any()
    speed = np.sqrt(sum(dataset[k] ** 2 for k in ("vx", "vy", "vz")))
    assert 6.5 < float(speed.min()) < float(speed.max()) < 8.0  # km/s in low orbits
    np.testing.assert_allclose(dataset["altitude"].mean("time"), some.mean_altitude_km, atol=30)
    np.testing.assert_allclose(dataset["mean_altitude"][0], some.mean_altitude_km, atol=0.1)
    assert (dataset["decay_rate"] <= 0).all()
    assert (
        abs(dataset["latitude"]).max("time") <= np.minimum(some.inclination_deg, 180 - some.inclination_deg) + 0.5
    ).all()


def test_shells_keep_their_altitude_and_their_spacing() -> None:
    shell = [s for s in cj.load_shells("kuiper") if s.orbit.inclination_deg > 50]
    catalog = cj.shells_to_catalog(shell, epoch="2026-01-01")
    times = cj.time_grid("2026-01-01", "1d", "17min")
    dataset = cj.propagate(catalog[:60], times, variables=("position", "decay"))
    radius = np.sqrt(dataset["x"] ** 2 + dataset["y"] ** 2 + dataset["z"] ** 2)
    # the orbit's mean radius differs from its mean semi-major axis by the J2 terms that are even in latitude, some 3 km here
    assert abs(float(radius.mean()) - 6378.137 - shell[0].orbit.altitude_km) < 6
    assert float(abs(dataset["mean_altitude"] - shell[0].orbit.altitude_km).max()) < 1


def test_file_equals_memory(some: cj.Catalog, tmp_path: Path) -> None:
    for frame, precision, dtype in (("teme", "float64", "float64"), ("itrs", "float32", "float32")):
        memory = cj.propagate(some, TIMES, frame=frame, precision=precision)
        report = cj.propagate_to(
            tmp_path / f"{frame}.nc", some, TIMES, frame=frame, precision=precision, dtype=dtype, overwrite=True
        )
        with xr.open_dataset(tmp_path / f"{frame}.nc") as file:
            xr.testing.assert_identical(file.load().assign_attrs(SAME), memory.assign_attrs(SAME))
        assert (report.satellites, report.steps, report.states) == (len(some), 36, 36 * len(some))
        assert report.bytes == (tmp_path / f"{frame}.nc").stat().st_size
        assert not (tmp_path / f"{frame}.nc.partial").exists()


def test_lifetimes_come_with_the_states_when_asked_for(some: cj.Catalog, tmp_path: Path) -> None:
    groups = ("altitude", "lifetime")
    memory = cj.propagate(some, TIMES, variables=groups)
    assert set(memory.data_vars) == {"altitude", "status", "lifetime", *ELEMENT_COLUMNS}
    assert memory.lifetime.dims == ("satellite",)
    expected = cj.lifetimes(some)
    np.testing.assert_array_equal(memory.lifetime.fillna(np.inf), expected)
    assert np.isfinite(expected).any()
    assert np.isinf(expected).any()
    cj.propagate_to(tmp_path / "life.nc", some, TIMES, variables=groups, precision="float64", dtype="float64")
    with xr.open_dataset(tmp_path / "life.nc") as file:
        xr.testing.assert_identical(file.load().assign_attrs(SAME), memory.assign_attrs(SAME))


def test_blocks_of_a_file_join_without_a_seam(
    some: cj.Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(to_file, "BLOCK_BYTES", 7 * len(some) * 7 * 4)  # seven steps at a time
    cj.propagate_to(tmp_path / "parts.nc", some, TIMES, precision="float64")
    memory = cj.propagate(some, TIMES)
    with xr.open_dataset(tmp_path / "parts.nc") as file:
        np.testing.assert_allclose(file["x"], memory["x"], rtol=1e-7)
        assert file.sizes["time"] == 36


def test_memory_bounds_the_arrays_whatever_the_length(
    some: cj.Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allocated: list[int] = []
    allocate = job.allocate

    def watched(*arguments: Any) -> Any:
        arrays = allocate(*arguments)
        allocated.append(sum(values.nbytes for values in arrays.values()))
        return arrays

    monkeypatch.setattr(job, "allocate", watched)
    memory = 5 * len(some) * (6 * 4 + 1)  # two blocks of two steps of six float32 and a status, and half a step more
    for times in (TIMES, TIMES[:6]):
        allocated.clear()
        cj.propagate_to(tmp_path / "small.nc", some, times, memory_bytes=memory, overwrite=True)
        assert sum(allocated) == 4 * len(some) * (6 * 4 + 1)
    with pytest.raises(cj.InputError, match=r"memory: 10 bytes hold not even two instants"):
        cj.propagate_to(tmp_path / "x.nc", some, TIMES, memory_bytes=10)


def test_too_large_a_result_names_its_size_and_the_way_out(some: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any, **settings: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr(propagation.np, "empty", full)
    with pytest.raises(cj.InputError, match=r"objects at 36 instants take 0\.0 GiB of memory.*propagate_to"):
        cj.propagate(some, TIMES)


def test_an_unknown_device_and_a_bad_tolerance_are_told(some: cj.Catalog) -> None:
    with pytest.raises(cj.InputError, match=r"device 'cpuu': JAX finds none here; it finds cpu"):
        cj.propagate(some, TIMES, device="cpuu")
    with pytest.raises(cj.InputError, match=r"tolerance_m 0\.0: expected a length above 0"):
        cj.propagate(some, TIMES, tolerance_m=0.0)
    assert "every instant" in cj.propagate(some, TIMES, device="cpu").attrs["interpolation"]


def test_times_in_any_order(some: cj.Catalog) -> None:
    forward = cj.propagate(some, TIMES)
    backward = cj.propagate(some, TIMES[::-1])
    np.testing.assert_allclose(backward["x"][::-1], forward["x"], rtol=0, atol=1e-6)
    shuffled = np.random.default_rng(9).permutation(len(TIMES))
    np.testing.assert_allclose(cj.propagate(some, TIMES[shuffled])["z"], forward["z"][shuffled], rtol=0, atol=1e-6)
    texts = cj.propagate(some, ["2025-06-24T00:00:00Z", "2025-06-24 00:05"])
    np.testing.assert_allclose(texts["y"], forward["y"][:2], rtol=0, atol=1e-6)


def test_the_flag_of_the_user_is_left_alone(some: cj.Catalog) -> None:
    reference = cj.propagate(some, TIMES)
    jax.config.update("jax_enable_x64", False)
    try:
        dataset = cj.propagate(some, TIMES)
        assert not jax.config.jax_enable_x64
    finally:
        jax.config.update("jax_enable_x64", True)
    xr.testing.assert_equal(dataset, reference)
    assert dataset["x"].dtype == np.float64


def test_progress_ends_at_the_total(some: cj.Catalog, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    cj.propagate_to(tmp_path / "p.nc", some, TIMES, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (36 * len(some), 36 * len(some))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_mistakes_are_named(some: cj.Catalog, tmp_path: Path) -> None:
    with pytest.raises(cj.InputError, match=r"frame 'gcrs': unknown; known are teme, itrs"):
        cj.propagate(some, TIMES, frame="gcrs")
    with pytest.raises(cj.InputError, match=r"precision 'float16': unknown; known are float64, float32"):
        cj.propagate(some, TIMES, precision="float16")
    with pytest.raises(cj.InputError, match=r"variables 'positions': no such group; .*did you mean 'position'\?"):
        cj.propagate(some, TIMES, variables="positions")
    with pytest.raises(cj.InputError, match="no objects"):
        cj.propagate(some[:0], TIMES)
    with pytest.raises(cj.InputError, match="not strictly increasing"):
        cj.propagate_to(tmp_path / "x.nc", some, TIMES[::-1])
    (tmp_path / "there.nc").write_text("mine")
    with pytest.raises(cj.InputError, match=r"there\.nc"):
        cj.propagate_to(tmp_path / "there.nc", some, TIMES)
    assert (tmp_path / "there.nc").read_text() == "mine"
    assert sorted(os.listdir(tmp_path)) == ["there.nc"]
