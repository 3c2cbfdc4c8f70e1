"""Dask workers against one process, costs of distributing and of checksums, memory of a long run. Prints, asserts no time."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from zarr.codecs import Crc32cCodec

import constellation_jax as cj
from constellation_jax.benchmark.timing import time_in_turn
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.zarr import samples
from constellation_jax.studies.propagation import to_file

pytestmark = pytest.mark.benchmark

GIBIBYTE = 2**30
DASK = """
import json, os, sys, time
import constellation_jax as cj

def main():
    folder, which = sys.argv[1:]
    catalog = cj.bundled_population()
    times = cj.time_grid("2025-06-24", "1d", "20s")
    if which == "alone":
        os.sched_setaffinity(0, {0})
        cj.configure(compile_cache=True)
        run = lambda name: cj.propagate_to(f"{folder}/{name}.zarr", catalog, times, overwrite=True)
        seconds = [timed(run, "alone") for _ in range(4)]
    else:
        from distributed import Client, LocalCluster
        with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
            run = lambda name: cj.propagate_to(f"{folder}/{name}.zarr", catalog, times, overwrite=True, client=client)
            seconds = [timed(run, "dask") for _ in range(4)]
    print(json.dumps(sorted(seconds[1:])[1]))

def timed(function, *arguments):
    begin = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - begin

if __name__ == "__main__":
    main()
"""
OVERHEAD = """
import json, time
from distributed import Client, LocalCluster, as_completed

def main():
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster, Client(cluster) as client:
        client.gather(client.map(time.sleep, [0.01] * 4, pure=False))
        begin = time.perf_counter()
        for future in as_completed(client.map(time.sleep, [1.0] * 20, pure=False)):
            future.result()
        print(json.dumps(time.perf_counter() - begin))

if __name__ == "__main__":
    main()
"""


def run(code: str, folder: Path, *arguments: str) -> float:
    script = folder / "script.py"
    script.write_text(code)
    done = subprocess.run([sys.executable, script, *arguments], capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1]))


def test_two_workers_of_a_core_against_one_process_of_a_core(tmp_path: Path) -> None:
    alone, dask = (run(DASK, tmp_path, str(tmp_path), which) for which in ("alone", "dask"))
    print(
        f"\none process on one core {alone:.2f} s, two workers of Dask {dask:.2f} s: {alone / dask:.2f} x, warm, median of three"
    )


def test_the_cost_of_distributing(tmp_path: Path) -> None:
    taken = run(OVERHEAD, tmp_path)
    print(
        f"\n20 tasks of one second on two workers: {taken:.2f} s, {100 * (taken / 10.0 - 1.0):.1f} % over the work itself"
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
def test_the_cost_of_checksums_records_and_fingerprint(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog, times = cj.bundled_population(), cj.time_grid("2025-06-24", "8h", "20s")

    def whole() -> None:
        cj.propagate_to(tmp_path / f"whole.{suffix}", catalog, times, overwrite=True)

    def bare() -> None:
        with monkeypatch.context() as patched:
            if suffix == "nc":
                patched.setattr(to_file, "make_sample_writer", make_bare_writer)
            else:
                patched.setattr(zarr.Group, "create_array", create_bare_array)
                patched.setattr(samples, "make_record", lambda block: np.zeros(len(samples.FIGURES)))
            patched.setattr(to_file, "make_fingerprint", lambda *_: {})
            cj.propagate_to(tmp_path / f"bare.{suffix}", catalog, times, overwrite=True)

    whole()
    seconds = time_in_turn({"whole": whole, "bare": bare}, repeats=5)
    cost = np.median(seconds["whole"]) / np.median(seconds["bare"]) - 1.0
    print(f"\n{suffix}: {np.median(seconds['whole']):.2f} s, {100 * cost:.1f} % more than without (median of five)")


class BareWriter(NetCDFWriter):
    """Writer of a file without checksums."""

    def _create(self, dataset: Any) -> None:
        create = dataset.createVariable

        class WithoutChecksums:
            def __getattr__(self, name: str) -> Any:
                return getattr(dataset, name)

            def createVariable(self, *arguments: Any, **options: Any) -> Any:
                return create(*arguments, **{**options, "fletcher32": False})

        super()._create(WithoutChecksums())


def make_bare_writer(*arguments: Any, **options: Any) -> BareWriter:
    return BareWriter(*arguments, **{**options, "fingerprint": None})


create_array = zarr.Group.create_array


def create_bare_array(self: Any, name: str, **options: Any) -> Any:
    given = options["compressors"]
    codecs = given if given is None or isinstance(given, str) else [c for c in given if not isinstance(c, Crc32cCodec)]
    return create_array(self, name, **{**options, "compressors": codecs or None})
