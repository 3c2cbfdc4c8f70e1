"""Kills of runs at random moments, each of which is gone on with and compared with a run in one go."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import constellation_jax as cj

OBJECTS = 50
STEPS = 64 * 120
RUN: dict[str, Any] = {"memory_bytes": 2 * 64 * OBJECTS * 25}
"""Blocks of 64 instants of six float32 and a status, so that a run has 120 of them."""
CHILD = """
import sys, constellation_jax as cj
from kills import RUN, make_inputs
inputs = make_inputs()
print("ready", flush=True)
cj.propagate_to(sys.argv[1], *inputs, **RUN)
"""


def make_inputs() -> tuple[cj.Catalog, Any]:
    """Make the objects and the instants of the runs."""
    return cj.bundled_population()[:: 7000 // OBJECTS][:OBJECTS], cj.time_grid("2025-06-24", f"{STEPS}min", "1min")


def go_on_after_kills(kills: int, suffix: str, folder: Path, kept_kernels: dict[str, str]) -> int:
    """Kill runs with SIGKILL while they write, go on with each; return the number of outputs that equal that of a run in one go."""
    chance = random.Random(4)
    inputs = make_inputs()
    cj.propagate_to(folder / f"whole.{suffix}", *inputs, **RUN)
    path = folder / "killed" / f"run.{suffix}"
    equal = hits = 0
    with _open(folder / f"whole.{suffix}") as whole:
        while hits < kills:
            shutil.rmtree(path.parent, ignore_errors=True)
            path.parent.mkdir()
            child = subprocess.Popen(
                [sys.executable, "-c", CHILD, str(path)],
                env={**os.environ, **kept_kernels, "PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2]))},
                stdout=subprocess.PIPE,
                text=True,
            )
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            while child.poll() is None and not path.with_name(f"{path.name}.partial").exists():
                time.sleep(0.001)
            time.sleep(chance.uniform(0.0, 1.0))
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
            if path.exists():
                continue  # it was done before
            hits += 1
            cj.propagate_to(path, *inputs, **RUN, resume=True)
            assert os.listdir(path.parent) == [path.name]
            with _open(path) as found:
                equal += all(
                    np.array_equal(found[n], whole[n], equal_nan=found[n].dtype.kind == "f") for n in whole.variables
                )
            assert cj.verify(path) == []
    return equal


def _open(path: Path) -> xr.Dataset:
    return xr.open_dataset(path, engine="zarr" if path.suffix == ".zarr" else "netcdf4", chunks=None)
