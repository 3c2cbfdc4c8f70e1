"""Several threads of one process in netCDF at once, and files opened while older handles live: each in a process that may die."""

import os
import subprocess
import sys
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.outputs.netcdf.library import encode_attributes
from constellation_jax.outputs.netcdf.whole_file import write_dataset

_PROGRAM = """
import concurrent.futures, faulthandler, os, sys, threading
import numpy as np, xarray as xr
import constellation_jax as cj
from constellation_jax.outputs.netcdf.whole_file import write_dataset

faulthandler.enable()
os.chdir(sys.argv[1])
catalog = cj.bundled_population()[::300]
times = cj.time_grid("2025-06-24", "1h", "1min")
samples = lambda k: cj.propagate_to(f"samples{k}.nc", catalog, times, overwrite=True).failed
series = lambda k: cj.ephemeris_to(f"series{k}.nc", catalog, "2025-06-24", "2h", overwrite=True).failed
samples("")
series("")
kept = xr.open_dataset("samples.nc")

def at():
    with cj.open_ephemeris("series.nc") as ephemeris:
        ephemeris.at("2025-06-24T01:00")

beside = {
    "nothing": None,
    "lazy reads": lambda: (kept.x[::7, ::3].load(), kept.x[5].load()),
    "whole files": lambda: write_dataset(xr.Dataset({"a": ("n", np.arange(9))}), "whole.nc", overwrite=True),
    "ephemerides": at,
    "ephemerides left open": lambda: cj.open_ephemeris("series.nc").at("2025-06-24T01:00"),
}
for name in sys.argv[3:]:
    for _ in range(int(sys.argv[2])):
        stop = threading.Event()

        def repeat(work):
            while not stop.is_set():
                work()

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            others = [pool.submit(repeat, beside[name])] if beside[name] else []
            runs = [pool.submit(work, k) for k in (1, 2) for work in (samples, series)]
            try:
                found = [run.result() for run in runs]
            finally:
                stop.set()
            [other.result() for other in others]
print(found, "alive")
"""
FORMS = ("nothing", "lazy reads", "whole files", "ephemerides", "ephemerides left open")


def survive(folder: Path, repeats: int, kept_kernels: dict[str, str]) -> None:
    package = str(Path(cj.__file__).parents[1])
    environment = os.environ | kept_kernels | {"PYTHONPATH": package, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", _PROGRAM, folder, str(repeats), *FORMS]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("alive\n")
    assert not [name for name in os.listdir(folder) if not name.endswith(".nc")]


def test_threads_write_and_read_at_once(tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    survive(tmp_path, 1, kept_kernels)


@pytest.mark.benchmark
def test_threads_write_and_read_at_once_twenty_times(tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    survive(tmp_path, 20, kept_kernels)


def test_a_file_is_opened_while_older_handles_live(tmp_path: Path) -> None:
    texts = xr.Dataset({"a": ("n", ["é", "", "two words"])}, attrs={"title": "Hülle", "id": "x"})
    write_dataset(texts, tmp_path / "whole.nc")
    code = (
        "import netCDF4, sys\n"
        "kept = [netCDF4.Dataset(sys.argv[1]) for _ in range(60)]\n"
        "for _ in range(200):\n"
        "    file = netCDF4.Dataset(sys.argv[1])\n"
        "print('alive')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "whole.nc"], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "alive\n"), done.stderr
    with xr.open_dataset(tmp_path / "whole.nc") as read:
        assert read.a.values.tolist() == ["é", "", "two words"]
        assert read.title == "Hülle"


@pytest.mark.parametrize("kind", ["samples", "whole", "ephemeris"])
def test_no_text_has_a_variable_length(run, tmp_path, kind) -> None:
    path = tmp_path / "a.nc"
    if kind == "samples":
        cj.propagate_to(path, run.catalog, run.times[:2])
    elif kind == "ephemeris":
        cj.ephemeris_to(path, run.catalog, run.times[0], "2h")
    else:
        write_dataset(cj.propagate(run.catalog, run.times[:2]), path)
    with netCDF4.Dataset(path) as file:
        assert {name for name, v in file.variables.items() if v.dtype is str} == set()
        assert file["name"].dtype == np.dtype("S1")
        assert file["name"].dimensions == ("satellite", "string13")  # 'Satellit 0 é' in UTF-8
        assert file["name"]._Encoding == "utf-8"
    with xr.open_dataset(path) as read:
        assert read.name.values.tolist() == run.catalog.name.tolist()
        assert read.satellite.values.tolist()[:4] == ["25544", "25545", "25546", "Satellit 3 é"]


def test_attributes_that_are_not_ascii_are_characters() -> None:
    assert encode_attributes({"a": "é", "b": "e", "c": 1.0}) == {"a": b"\xc3\xa9", "b": "e", "c": 1.0}
