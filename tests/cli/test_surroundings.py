"""The main path without a home or a place for a cache, in another locale, and with a clock and a time zone that are wrong."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from examples import ISS

import constellation_jax as cj

ROOT = Path(cj.__file__).parents[1]
PROGRAM = """
import datetime, locale, pwd, sys, time
import distributed, netCDF4, pandas, xarray, zarr  # whose C code wants the true datetime

def find_nobody(_):
    raise KeyError("no such user")

class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(1970, 1, 1, 0, 0, 1, tzinfo=tz)

pwd.getpwuid, datetime.datetime, time.time = find_nobody, Clock, lambda: 1.0
locale.setlocale(locale.LC_ALL, "")
print(locale.localeconv()["decimal_point"], sys.getfilesystemencoding(), file=sys.stderr)
from constellation_jax.__main__ import main

for arguments in sys.stdin.read().splitlines():
    sys.argv = ["constellation-jax", *arguments.split()]
    try:
        main()
    except SystemExit as stop:
        print(arguments.split()[0], stop.code, file=sys.stderr)
"""
COMMANDS = """propagate --catalog iss.tle --start 2024-05-12T12:00 --duration 3min -o a.nc
propagate --catalog iss.tle --start 2024-05-12T12:00 --duration 3min -o a.zarr
verify a.zarr
fetch stations
"""
GERMAN = {"LC_ALL": "de_DE.UTF-8", "LOCPATH": ".", "HOME": "/proc/nowhere", "TZ": "Europe/Berlin"}
NOBODY = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0", "TZ": "Nowhere/Odd+26:61"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "place", "words"),
    [(NOBODY, ". ascii", "there is no home folder"), (GERMAN, ", utf-8", "cache folder /proc/nowhere/")],
)
def test_the_main_path_in_odd_surroundings(settings: dict[str, str], place: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "iss.tle").write_text(ISS)
    if settings is GERMAN:
        if not shutil.which("localedef") or not Path("/usr/share/i18n/locales/de_DE").exists():
            pytest.skip("no source of a locale with a comma")
        subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", "./de_DE.UTF-8"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "JAX_PLATFORMS": "cpu", **settings},
        input=COMMANDS, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found, warning, *codes, error, last = done.stderr.splitlines()
    assert (found, codes, last) == (place, ["propagate 0", "propagate 0", "verify 0"], "fetch 2"), done.stderr
    assert done.stdout.count("\n") == 3
    for line, kind in ((warning, "warning"), (error, "error")):
        assert line.startswith(f"constellation-jax: {kind}: ")
        assert words in line
    assert warning.endswith("; compiled programs are not kept")
    times = cj.time_grid("2024-05-12T12:00", "3min", "1min")
    expected = cj.propagate(cj.read_catalog(ISS), times, precision="float32")
    for dataset in (xr.open_dataset(tmp_path / "a.nc"), xr.open_zarr(tmp_path / "a.zarr", chunks=None)):
        with dataset:
            assert dataset.attrs["date_created"].startswith("1970-01-01T00:00:01")
            np.testing.assert_array_equal(dataset.time.values, times)
            for name in "xyz":  # other flags of the compiler, and float32 in the file: a metre
                np.testing.assert_allclose(dataset[name].values, expected[name].values, rtol=0, atol=1e-3)
