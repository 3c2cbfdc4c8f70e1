"""The main job, on a real catalogue and by default, as a process of its own: wall time, rate, memory. Prints, asserts no time.

pytest -m benchmark -s tests/benchmarks/test_main_job.py
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from constellation_jax.benchmark.timing import time_once

GIBIBYTE = 2**30


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Of a user whose first run it is: nothing compiled yet, and Python keeps its bytecode."""
    unset = ("PYTHONDONTWRITEBYTECODE", "JAX_COMPILATION_CACHE_DIR")
    kept = {name: value for name, value in os.environ.items() if name not in unset}
    return kept | {"CONSTELLATION_JAX_CACHE": str(tmp_path / "cache")}


@pytest.mark.benchmark
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_one_day_of_every_active_satellite(
    shared_data: Path, tmp_path: Path, precision: str, environment: dict[str, str]
) -> None:
    catalog = shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz"
    command = [
        sys.executable, "-m", "constellation_jax", "propagate", "--catalog", str(catalog), "--duration", "1d", "--step", "60s",
        "--precision", precision, "--output", str(tmp_path / "day.nc"), "--log-json", "--overwrite",
    ]  # fmt: skip
    for run in ("first run", "second run"):  # the second finds its kernels in the compile cache
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        report = json.loads([line for line in done.stderr.splitlines() if '"done"' in line][-1])
        print(
            f"\n{precision}, {run}: {report['satellites']:,} objects x {report['steps']:,} steps, "
            f"{report['bytes'] / 1e6:.0f} MB, wall {report['wall_s']:.1f} s (coefficients and compilation "
            f"{report['compile_s']:.1f}, compute {report['compute_s']:.1f}, write {report['write_s']:.1f}), "
            f"{report['states'] / report['compute_s'] / 1e6:.1f} M states/s, "
            f"peak memory {report['peak_memory_bytes'] / GIBIBYTE:.2f} GiB"
        )
    assert report["satellites"] == 16_400
    assert report["peak_memory_bytes"] < 2 * GIBIBYTE


@pytest.mark.benchmark
def test_the_default_run(tmp_path: Path, environment: dict[str, str]) -> None:
    command = [
        sys.executable,
        "-m",
        "constellation_jax",
        "propagate",
        "--output",
        str(tmp_path / "leo.nc"),
        "--overwrite",
    ]
    command += ["--quiet"]
    for run in ("first run", "second run"):
        taken = time_once(lambda: subprocess.run(command, check=True, env=environment))
        print(f"\n`constellation-jax propagate`, {run}, the whole process: {taken:.1f} s")
