"""The main path without what Windows, macOS and ARM lack beside Linux on x86; what they lack is made up, nothing was run there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from examples import ISS

from constellation_jax import programs

ROOT = Path(__file__).parents[1]
WINDOWS = """
import asyncio, contextlib, fcntl, importlib.metadata, multiprocessing, os, pathlib, signal, sys, types
import astropy_iers_data, jax, netCDF4, pandas, rich.progress, threadpoolctl, typer.main, xarray, zarr  # each with its own system

with contextlib.suppress(ImportError):
    import distributed
locks = types.SimpleNamespace(LK_NBLCK=fcntl.LOCK_EX | fcntl.LOCK_NB, LK_UNLCK=fcntl.LOCK_UN)
locks.locking = lambda descriptor, mode, count: fcntl.flock(descriptor, mode)
sys.modules |= {"fcntl": None, "resource": None, "pwd": None, "grp": None, "msvcrt": locks}
for module, names in (
    (os, "sched_getaffinity posix_fallocate sysconf O_NOFOLLOW fork getuid geteuid uname"),
    (signal, "SIGALRM SIGHUP SIGKILL setitimer ITIMER_REAL"),
):
    for name in names.split():
        delattr(module, name)


def read_text(path, *arguments, whole=pathlib.Path.read_text, **options):
    if str(path).startswith("/proc"):
        raise FileNotFoundError(path)
    return whole(path, *arguments, **options)


pathlib.Path.read_text = read_text
sys.platform = "win32"
from constellation_jax.__main__ import main

for arguments in sys.stdin.read().splitlines():
    sys.argv = ["constellation-jax", *arguments.split()]
    try:
        main()
    except SystemExit as stop:
        if stop.code:
            raise
"""
COMMANDS = """catalog iss.tle
propagate --catalog iss.tle --duration 3min -o a.nc
propagate --catalog iss.tle --duration 3min -o a.nc --overwrite --resume
propagate --catalog iss.tle --duration 3min -o a.zarr
verify a.zarr
version
"""


@pytest.mark.slow
def test_the_main_path_without_what_windows_lacks(tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    (tmp_path / "iss.tle").write_text(ISS)
    environment = os.environ | kept_kernels | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WINDOWS],
        input=COMMANDS, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(os.listdir(tmp_path)) == ["a.nc", "a.zarr", "iss.tle"]  # no lock is left


@pytest.mark.parametrize("lines", ["processor\t: 0\nFeatures\t: fp asimd\n", "hart\t: 0\nisa\t: rv64gc\n", ""])
def test_programs_are_kept_on_processors_without_flags(lines: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Path.read_text

    def read_text(path: Path, *arguments: str, **options: str) -> str:
        return lines if str(path) == "/proc/cpuinfo" else whole(path, *arguments, **options)

    monkeypatch.setattr(Path, "read_text", read_text)
    found = programs._fingerprint.__wrapped__()
    assert "asimd" in found if "asimd" in lines else found
