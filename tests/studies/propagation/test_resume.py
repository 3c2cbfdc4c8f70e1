"""Interrupted and shared runs: what was stored stays, the output equals that of a run in one go, and another run is refused."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import kills
import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.studies.propagation import job

FORMATS = ("nc", "zarr")
TIMES = cj.time_grid("2025-06-24T00:00:00Z", "6h", "1min")
MEMORY = 2 * 64 * 5 * 25
"""Two blocks of 64 instants of five objects with six float32 and a status: a run has six blocks."""


@pytest.fixture(scope="module")
def some() -> cj.Catalog:
    return cj.bundled_population()[::1500][:5]


@pytest.fixture(scope="module")
def whole(some: cj.Catalog, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    path = tmp_path_factory.mktemp("whole") / "whole.nc"
    cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY)
    with xr.open_dataset(path) as file:
        return file.load()


def assert_equal(path: Path, whole: xr.Dataset) -> None:
    with open_output(path) as found:
        assert {*found.variables} == {*whole.variables}
        for name in whole.variables:
            np.testing.assert_array_equal(found[name].values, whole[name].values, err_msg=str(name))
        changing = {"history", "date_created"}
        assert {k: v for k, v in found.attrs.items() if k not in changing} == {
            k: v for k, v in whole.attrs.items() if k not in changing
        }
    assert cj.verify(path) == []


def open_output(path: Path) -> xr.Dataset:
    return xr.open_dataset(path, engine="zarr", chunks=None) if path.suffix == ".zarr" else xr.open_dataset(path)


class Stopped(Exception):
    pass


def stop_after(blocks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the run fail when it computes the block after so many."""
    run, done = job.Engine.run, [0]

    def failing(self: Any, *arguments: Any, **options: Any) -> None:
        if done[0] == blocks:
            raise Stopped
        done[0] += 1
        run(self, *arguments, **options)

    monkeypatch.setattr(job.Engine, "run", failing)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_interrupted_run_is_gone_on_with(
    suffix: str, some: cj.Catalog, whole: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"run.{suffix}"
    with monkeypatch.context() as patched:
        stop_after(3, patched)
        with pytest.raises(Stopped) as caught:
            cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY)
    assert "not finished" in caught.value.__notes__[0]
    assert not path.exists()
    report = cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, resume=True)
    assert report.steps <= 4 * 64, "the blocks that were there are kept"
    assert report.is_complete
    assert_equal(path, whole)
    assert sorted(os.listdir(tmp_path)) == [path.name], "nothing else is left"


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_run_of_other_inputs_is_refused_by_name(
    suffix: str, some: cj.Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"run.{suffix}"
    with monkeypatch.context() as patched:
        stop_after(2, patched)
        with pytest.raises(Stopped):
            cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, frame="itrs")
    others: list[tuple[dict[str, Any], str]] = [
        ({}, "frame: itrs there, teme here"),
        ({"frame": "itrs", "precision": "float64"}, "precision: float32 there, float64 here"),
        ({"frame": "itrs", "memory_bytes": 10 * MEMORY}, "block steps: 64 there"),
    ]
    for changed, words in others:
        with pytest.raises(cj.InputError, match=words):
            cj.propagate_to(path, some, TIMES, resume=True, **{"memory_bytes": MEMORY, **changed})
    with pytest.raises(cj.InputError, match=r"elements: .*\.\.\. there"):
        cj.propagate_to(path, some.replace(bstar=0.0), TIMES, memory_bytes=MEMORY, frame="itrs", resume=True)

    from constellation_jax.inputs.environment import earth_orientation
    from constellation_jax.studies.propagation import fingerprint

    newer = earth_orientation.load_earth_orientation()
    monkeypatch.setattr(
        fingerprint,
        "load_earth_orientation",
        lambda: earth_orientation.dataclasses.replace(newer, ut1_utc_s=newer.ut1_utc_s + 1e-3),
    )
    with pytest.raises(cj.InputError, match=r"was begun by another run \(earth orientation"):
        cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, frame="itrs", resume=True)


def test_a_file_of_the_user_beside_the_output_is_left_alone(some: cj.Catalog, tmp_path: Path) -> None:
    mine = tmp_path / "run.nc.partial.old"
    mine.write_text("mine")
    cj.propagate_to(tmp_path / "run.nc", some, TIMES, memory_bytes=MEMORY)
    with pytest.raises(cj.InputError, match=r"partial\.old: a file that no run has made is in the way"):
        cj.propagate_to(tmp_path / "run.nc", some, TIMES, memory_bytes=MEMORY, resume=True, overwrite=True)
    assert mine.read_text() == "mine"


def test_jobs_share_a_store_in_any_order(some: cj.Catalog, whole: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "shared.zarr"
    for part in (3, 1):
        report = cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, shard=(part, 3))
        assert not report.is_complete
    with pytest.raises(cj.InputError, match=r"2 of 6 blocks are missing \(1, 4, counted from 0\)"):
        cj.finish(path)
    assert not path.exists()
    cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, shard=(2, 3))
    assert cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, shard=(2, 3)).steps == 0, "a second time is harmless"
    cj.finish(path)
    assert_equal(path, whole)
    with pytest.raises(cj.InputError, match="there is nothing to finish"):
        cj.finish(path, overwrite=True)
    for part in (1, 2):  # beside the complete one that they replace
        cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, shard=(part, 2), overwrite=True)
    cj.finish(path, overwrite=True)
    assert_equal(path, whole)


def test_what_is_left_of_another_run_beside_a_store_is_replaced_with_it(
    some: cj.Catalog, whole: xr.Dataset, tmp_path: Path
) -> None:
    path = tmp_path / "run.zarr"
    cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY)
    cj.propagate_to(path, some[:2], TIMES, memory_bytes=MEMORY, shard=(1, 2), overwrite=True)
    cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, overwrite=True)
    assert_equal(path, whole)


def test_what_cannot_be_shared_is_told(some: cj.Catalog, tmp_path: Path) -> None:
    with pytest.raises(cj.InputError, match=r"expected .*\.zarr"):
        cj.propagate_to(tmp_path / "x.nc", some, TIMES, shard=(1, 2))
    for part in ((0, 2), (3, 2)):
        with pytest.raises(cj.InputError, match="expected i/n with i from 1 to n"):
            cj.propagate_to(tmp_path / "x.zarr", some, TIMES, shard=part)
    with pytest.raises(cj.InputError, match="when it has its name"):
        cj.finish(tmp_path / "x.nc")
    with pytest.raises(cj.InputError, match="nothing to finish"):
        cj.finish(tmp_path / "x.zarr")


def test_a_store_at_an_address(some: cj.Catalog, whole: xr.Dataset) -> None:
    address = "memory://folder/run.zarr"
    for part in (2, 1):
        cj.propagate_to(address, some, TIMES, memory_bytes=MEMORY, shard=(part, 2))
    cj.finish(address)
    with xr.open_dataset(address, engine="zarr", chunks=None) as found:
        for name in whole.variables:
            np.testing.assert_array_equal(found[name].values, whole[name].values)
    assert cj.verify(address) == []
    with pytest.raises(cj.InputError, match="exists already"):
        cj.propagate_to(address, some, TIMES, memory_bytes=MEMORY)


def test_workers_of_a_cluster_share_a_store(some: cj.Catalog, whole: xr.Dataset, tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    path = tmp_path / "cluster.zarr"
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
    ):
        report = cj.propagate_to(path, some, TIMES, memory_bytes=MEMORY, client=client)
    assert report.is_complete
    assert report.steps == len(TIMES)
    assert_equal(path, whole)


@pytest.fixture
def not_for_ever() -> Iterator[None]:
    """Fail where a test waits for what does not come: it takes 15 s on two free cores."""

    def fail(*_: object) -> None:
        pytest.fail("longer than two minutes")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
@pytest.mark.usefixtures("not_for_ever")
def test_a_killed_worker_costs_nothing(
    tmp_path: Path, kept_kernels: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    for name, value in kept_kernels.items():
        monkeypatch.setenv(name, value)
    catalog, times = kills.make_inputs()
    inputs = catalog, times[: 64 * 40]
    cj.propagate_to(tmp_path / "whole.nc", *inputs, **kills.RUN)
    path = tmp_path / "killed.zarr"
    records = tmp_path / "killed.zarr.partial" / "run" / "blocks" / "c"

    def kill(worker: int) -> None:
        while len(list(records.glob("*"))) < 5:
            time.sleep(0.01)
        os.kill(worker, signal.SIGKILL)

    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        distributed.Client(cluster) as client,
        ThreadPoolExecutor(1) as killer,
    ):
        workers = set(client.run(os.getpid).values())
        killed = killer.submit(kill, min(workers))
        cj.propagate_to(path, *inputs, **kills.RUN, client=client)
        assert killed.result(timeout=1) is None, "while blocks were missing"
        assert min(workers) not in client.run(os.getpid).values()
    with xr.open_dataset(tmp_path / "whole.nc") as whole:
        assert_equal(path, whole)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", FORMATS)
def test_a_killed_run_is_gone_on_with(suffix: str, tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    assert kills.go_on_after_kills(2, suffix, tmp_path, kept_kernels) == 2
