"""Studies on the workers of a Dask cluster: the bits of one process, and what is said of a lost cluster."""

import pickle
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.studies import cluster
from constellation_jax.studies.deployment import draws
from constellation_jax.studies.tuning import solvers

PROBLEM = """
system = "S"
[solver]
starts = 5
[[shells]]
name = "A"
altitude_km = 500
inclination_deg = 45
planes = 12
satellites_per_plane = 20
min_elevation_deg = 20
[[variables]]
altitude_km = [250, 600]
[[variables]]
inclination_deg = [25, 70]
[[objectives]]
minimise = "round_trip_ms"
[[constraints]]
quantity = "mean_in_view"
latitude_deg = [20, 40]
at_least = 1.2
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0") as local,
        distributed.Client(local) as found,
    ):
        yield found


@pytest.fixture
def tasks_seen(client: Any, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """List the tasks that are submitted, and send what they share as bytes, as between processes."""
    scatter, submit, seen = client.scatter, client.submit, []

    def scatter_bytes(shared: Any, **options: Any) -> Any:
        return scatter(pickle.loads(pickle.dumps(shared)), **options)

    def submit_and_note(work: Any, shared: Any, task: Any, *others: Any, **options: Any) -> Any:
        seen.append(task)
        return submit(work, shared, task, *others, **options)

    monkeypatch.setattr(client, "scatter", scatter_bytes)
    monkeypatch.setattr(client, "submit", submit_and_note)
    return seen


def decay(client: Any, folder: Path) -> xr.Dataset:
    return cj.decay(cj.bundled_population()[::2000][:4], years=1.0, start="2027-01-01", ensemble=3, client=client)


def deploy(client: Any, folder: Path) -> xr.Dataset:
    return cj.deploy("kuiper", draws=90, until="2027-12-31", client=client)


def tune(client: Any, folder: Path) -> xr.Dataset:
    (folder / "problem.toml").write_text(PROBLEM)
    return cj.tune(folder / "problem.toml", client=client).dataset


@pytest.mark.parametrize(
    ("study", "tasks"),
    [(deploy, 3), pytest.param(decay, 3, marks=pytest.mark.slow), pytest.param(tune, 5, marks=pytest.mark.slow)],
)
def test_a_cluster_gives_the_bits_of_one_process(
    study: Callable[..., xr.Dataset],
    tasks: int,
    client: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tasks_seen: list[Any],
) -> None:
    monkeypatch.setattr(draws, "DRAWS_PER_BLOCK", 40)
    monkeypatch.setattr(solvers, "_STARTS_TOGETHER", 3)
    alone, shared = study(None, tmp_path), study(client, tmp_path)
    xr.testing.assert_identical(shared.drop_attrs(deep=False), alone.drop_attrs(deep=False))
    assert shared.attrs.get("evaluations") == alone.attrs.get("evaluations")
    assert len(tasks_seen) >= tasks


def fail(_shared: Any, task: int) -> int:
    raise cj.InputError(f"task {task}: found nothing")


def test_an_error_of_a_task_is_the_error_of_the_study(client: Any) -> None:
    with pytest.raises(cj.InputError, match="task 7: found nothing"):
        list(cluster.do_tasks(client, fail, None, [7]))


def test_a_cluster_without_workers_is_told(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "scheduler_info", lambda: {"workers": {}})
    with pytest.raises(cj.OutputError, match="the cluster has no workers; start some"):
        cj.deploy("kuiper", draws=90, client=client)


def wait(shared: float, _task: int) -> None:
    time.sleep(shared)


@pytest.mark.slow
def test_a_scheduler_that_is_lost_is_told() -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as local:
        found = distributed.Client(local, timeout=2)
        tasks = cluster.do_tasks(found, wait, 0.2, range(100))
        next(tasks)
        local.sync(local.scheduler.close)
        with pytest.raises(cj.OutputError, match="the cluster was lost"):
            list(tasks)
        found.close(timeout=1)
