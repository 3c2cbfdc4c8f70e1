"""Dask workers against one process, costs of distributing and of checksums, memory of a long run: prints, and asserts the memory.

Where others load the machine, the times of a pair are still comparable, since its two runs alternate; times of the processor are
there for that reason. `--basetemp /dev/shm/NAME` leaves the disk out.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.zarr import samples, shards
from constellation_jax.studies.propagation.fingerprint import make_fingerprint
from constellation_jax.studies.propagation.propagate import make_options

pytestmark = pytest.mark.benchmark

GIBIBYTE = 2**30
DASK = """
import json, multiprocessing, os, shutil, sys, time
from concurrent.futures import ProcessPoolExecutor
import constellation_jax as cj

def propagate(path, client=None):
    shutil.rmtree(path, ignore_errors=True)
    catalog, times = cj.bundled_population(), cj.time_grid("2025-06-24", "172032s", "16s")  # 28 blocks, 3 GB
    begin = time.perf_counter(), time.process_time()
    cj.propagate_to(path, catalog, times, client=client)
    return time.perf_counter() - begin[0], time.process_time() - begin[1]

def pin(core):
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})

def main():
    cj.configure(compile_cache=True)
    from distributed import Client, LocalCluster
    spawn = multiprocessing.get_context("spawn")
    with (
        ProcessPoolExecutor(1, spawn, cj.configure) as alone,
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        alone.submit(pin, 0).result()
        for core, worker in enumerate(client.scheduler_info()["workers"]):
            client.run(pin, core, workers=[worker])
        pairs = []
        for _ in range(4):
            wall, processor = alone.submit(propagate, sys.argv[1] + "/alone.zarr").result()
            before = sum(client.run(time.process_time).values())
            wall_dask, _ = propagate(sys.argv[1] + "/dask.zarr", client)
            processor_dask = sum(client.run(time.process_time).values()) - before
            pairs.append((wall, wall_dask, processor, processor_dask))
        print(json.dumps(pairs[1:]))

if __name__ == "__main__":
    main()
"""
OVERHEAD = """
import json, time
from distributed import Client, LocalCluster
from constellation_jax.studies.cluster import do_tasks

def work(seconds, task):
    time.sleep(seconds)

def main():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        list(do_tasks(client, work, 0.01, range(4)))
        begin = time.perf_counter()
        list(do_tasks(client, work, 1.0, range(20)))
        print(json.dumps(time.perf_counter() - begin))

if __name__ == "__main__":
    main()
"""


def run(code: str, folder: Path) -> Any:
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script, str(folder)], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_two_workers_of_a_core_against_one_process_of_a_core(tmp_path: Path) -> None:
    pairs = np.array(run(DASK, tmp_path))
    wall, dask, processor, processor_dask = np.median(pairs, axis=0)
    print(
        f"\none process on one core {wall:.2f} s, two workers of Dask {dask:.2f} s, warm: "
        f"{np.median(pairs[:, 0] / pairs[:, 1]):.2f} x, median of {len(pairs)} pairs "
        f"({', '.join(f'{ratio:.2f}' for ratio in pairs[:, 0] / pairs[:, 1])}); "
        f"processor time {processor:.2f} s and {processor_dask:.2f} s; load {os.getloadavg()[0]:.1f}"
    )


def test_the_cost_of_distributing(tmp_path: Path) -> None:
    taken = run(OVERHEAD, tmp_path)
    print(
        f"\n20 tasks of one second on two workers: {taken:.2f} s, {100 * (taken / 10.0 - 1.0):.1f} % over the work itself; "
        f"load {os.getloadavg()[0]:.1f}"
    )


def test_the_memory_of_a_week_at_ten_seconds(shared_data: Path, tmp_path: Path) -> None:
    catalog = shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz"
    if os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize < 30e9:
        pytest.skip("needs 30 GB of disk")
    done = subprocess.run(
        [
            sys.executable, "-m", "constellation_jax", "propagate", "--catalog", str(catalog), "--duration", "7d", "--step", "10s",
            "--variables", "altitude", "--output", str(tmp_path / "week.zarr"), "--log-json",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    report = json.loads([line for line in done.stderr.splitlines() if '"done"' in line][-1])
    memory = report["peak_memory_bytes"] / GIBIBYTE
    size = f"{report['states']:,} states, {report['bytes'] / 1e9:.1f} GB"
    print(f"\n{size} in {report['wall_s']:.0f} s, peak memory {memory:.2f} GiB")
    assert memory < 2


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_the_cost_of_checksums_records_and_fingerprint(suffix: str, tmp_path: Path) -> None:
    catalog, times = cj.bundled_population(), cj.time_grid("2025-06-24", "8h", "20s")
    options = make_options(
        len(catalog), "teme", "float32", ("position", "altitude", "decay"), "float32", True, None, None
    )
    names = (*options.variables, "status")
    block = {name: np.random.default_rng(0).normal(size=(448, len(catalog))).astype("f4") for name in options.variables}
    block["status"] = np.zeros((448, len(catalog)), np.int8)

    def write(writer: Any) -> None:
        with writer:
            for rows in writer.find_missing():
                writer.write(rows.start, {name: values[: rows.stop - rows.start] for name, values in block.items()})

    def make(kind: Any, name: str, fingerprint: dict[str, str] | None) -> Any:
        path = tmp_path / f"{name}.{suffix}"
        return kind(path, catalog, times, names, fingerprint=fingerprint, block_steps=448, overwrite=True)

    kinds = (NetCDFWriter, BareNetCDFWriter) if suffix == "nc" else (samples.ZarrWriter, BareZarrWriter)
    seconds = time_processor_in_turn(
        {
            "job": lambda: cj.propagate_to(tmp_path / f"job.{suffix}", catalog, times, overwrite=True),
            "whole": lambda: write(make(kinds[0], "whole", {"elements": "of a test"})),
            "bare": lambda: write(make(kinds[1], "bare", {} if suffix == "zarr" else None)),
            "fingerprint": lambda: make_fingerprint(catalog, times, options, None),
        }
    )
    cost = seconds["whole"] - seconds["bare"] + seconds["fingerprint"]
    print(
        f"\n{suffix}: of the {seconds['job']:.2f} s of processor time of the job, checksums and records take "
        f"{1e3 * (seconds['whole'] - seconds['bare']):.0f} ms, the fingerprint {1e3 * seconds['fingerprint']:.0f} ms: "
        f"{100 * cost / (seconds['job'] - cost):.1f} % more than without; load {os.getloadavg()[0]:.1f}"
    )


def time_processor_in_turn(works: dict[str, Callable[[], object]], repeats: int = 7) -> dict[str, float]:
    """Least processor time of each of several pieces of work, done in turn; once before without being timed."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(repeats + 1):
        for name, work in works.items():
            begin = time.process_time()
            work()
            taken[name].append(time.process_time() - begin)
    return {name: min(found[1:]) for name, found in taken.items()}  # what others do on the machine only adds


class BareNetCDFWriter(NetCDFWriter):
    """Writer of a file without checksums."""

    def _create(self, dataset: Any) -> None:
        create = dataset.createVariable

        class WithoutChecksums:
            def __getattr__(self, name: str) -> Any:
                return getattr(dataset, name)

            def createVariable(self, *arguments: Any, **options: Any) -> Any:
                return create(*arguments, **{**options, "fletcher32": False})

        super()._create(WithoutChecksums())


class BareZarrWriter(samples.ZarrWriter):
    """Writer of a store whose checksums are 0, and whose records are not stored block by block."""

    def write(self, *arguments: Any) -> None:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(shards.google_crc32c, "value", lambda _: 0)
            patched.setattr(samples, "make_record", lambda _: np.zeros(len(samples.FIGURES)))
            stored, self._records = self._records, np.zeros((len(self._bounds), len(samples.FIGURES)))
            super().write(*arguments)
            self._records = stored

    def __exit__(self, *error: Any) -> None:
        self._records[:] = 0.0
        super().__exit__(*error)
