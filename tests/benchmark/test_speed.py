"""The benchmark's figures: complete, consistent, and of the work that they name. How fast it is, is not tested."""

import json
from pathlib import Path

import netCDF4
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.benchmark import jobs, speed
from constellation_jax.benchmark.plain_writer import make_plain_writer
from constellation_jax.benchmark.speed import MODES, SpeedCase, SpeedReport, measure_speed
from constellation_jax.benchmark.timing import Machine
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices


@pytest.fixture(scope="module")
def catalog() -> cj.Catalog:
    return cj.bundled_population()[:40]


def test_a_small_run_gives_every_figure(catalog: cj.Catalog, tmp_path: Path) -> None:
    times = cj.time_grid("2025-06-24", "70min", "1min")  # more than one chunk
    report = measure_speed(catalog, times, precisions=["float32"], folder=tmp_path)
    assert [(case.precision, case.mode) for case in report.cases] == [("float32", mode) for mode in MODES]
    assert report.variables == ("x", "y", "z", "vx", "vy", "vz")
    assert report.states == 40 * 70
    for case in report.cases:
        for name in ("start_s", "given_s", "transfer_s", "dataset_s", "file_s", "netcdf4_s"):
            assert getattr(case, name) > 0.0, name
    assert not list(tmp_path.iterdir())
    values = json.loads(json.dumps(report.to_dict()))
    assert values["cases"][0]["states_per_s"]["file"] == pytest.approx(report.states / report.cases[0].file_s)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_states_on_the_device_are_computed_in_blocks(
    catalog: cj.Catalog, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "BLOCK_STATES", 40 * 30)
    times = cj.time_grid("2025-06-24", "70min", "1min")
    job = jobs.measure_states(catalog, times, ("x", "y", "z"), precision, Devices())
    assert (job.name, job.count) == (f"states on the device, {precision}", 40 * 70)
    assert 0.0 < job.warm_s < job.first_s


@pytest.mark.slow
def test_jobs_on_request(catalog: cj.Catalog) -> None:
    times = cj.time_grid("2025-06-24", "10min", "1min")
    report = measure_speed(catalog, times, precisions=["float64"], jobs=["jacobians", "decay"])
    assert report.cases == ()
    assert [(job.name, job.count, job.unit) for job in report.jobs] == [
        ("Jacobians, float64", 400, "states"),
        ("decay over 25 years", 40, "lifetimes"),
    ]
    first, *_, last = report.lines()
    assert report.machine.line() == first
    assert last.split()[:3] == ["decay", "over", "25"]
    assert last.endswith("lifetimes/s")
    assert report.to_dict()["jobs"][1]["per_s"] == pytest.approx(40 / report.jobs[1].warm_s)


def test_an_unknown_job_is_named(catalog: cj.Catalog) -> None:
    with pytest.raises(cj.InputError, match=r"jobs: found 'decays', expected some of .*, did you mean 'decay'\?"):
        measure_speed(catalog, cj.time_grid("2025-06-24", "10min", "1min"), jobs=["decays"])


def test_parts_and_rates_follow_from_the_times() -> None:
    case = SpeedCase("float64", "direct", 3.0, 0.5, 2.0, 0.25, 2.5, 4.0, 1.0)
    assert (case.compute_s, case.write_s) == (1.75, 1.5)
    machine = Machine("cpu", "A processor", 2, "Linux", {"jax": "0.10"})
    lines = SpeedReport(machine, 1000, 2000, ("x",), (case,)).lines()
    assert lines[0] == "A processor (cpu), 2 CPU cores, Linux; jax 0.10"
    assert lines[1].startswith("1,000 objects x 2,000 steps = 2.0 million states; x;")
    assert [line.split()[-1] for line in lines[-3:]] == ["1.0", "0.8", "0.5"]


def test_the_copies_fill_the_whole_arrays() -> None:
    out = OutputArrays(("x",), np.ones((1, 70, 1100), "f4"), np.ones((70, 1100), np.int8))
    transfer = speed._Transfer(out, Devices())
    transfer.prepare()
    transfer.run()
    assert all((values == 0).all() for values in out.values())


def test_the_plain_writer_writes_the_same_bytes(catalog: cj.Catalog, tmp_path: Path) -> None:
    ours, plain = tmp_path / "ours.nc", tmp_path / "plain.nc"
    cj.propagate_to(ours, catalog, cj.time_grid("2025-06-24", "10min", "1min"), variables="position")
    make_plain_writer(ours, plain)()
    with netCDF4.Dataset(ours) as a, netCDF4.Dataset(plain) as b:
        assert set(b.variables) == {"x", "y", "z", "status"}
        for name, variable in b.variables.items():
            assert variable.chunking() == a[name].chunking()
            assert variable.filters() == a[name].filters()
            np.testing.assert_array_equal(variable[:], a[name][:])
