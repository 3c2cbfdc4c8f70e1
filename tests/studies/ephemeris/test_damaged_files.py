"""Damaged ephemerides: an InputError that names the file and what it lacks, or the right states; never others, no open handle."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import netCDF4
import numpy as np
import pytest

import constellation_jax as cj

START = np.datetime64("2026-08-23", "ns")
TIMES = START + np.arange(0, 240, 20) * np.timedelta64(60 * 10**9, "ns")


@pytest.fixture(scope="module")
def made(catalog_of: Callable[..., cj.Catalog], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two spans of low orbits, and of an eccentric one, which is in pieces."""
    kinds = [*[(15.1, 0.001, 53.0, 1e-4)] * 70, (2.006, 0.72, 63.4, 1e-5)]
    catalog = catalog_of(kinds, np.random.default_rng(1), epoch_day=61275, epoch_fraction=0.0)
    path = tmp_path_factory.mktemp("damaged") / "made.nc"
    assert cj.ephemeris_to(path, catalog, START, "4h").pieces > 0
    return path


def states(path: Path) -> np.ndarray:
    with cj.open_ephemeris(path) as ephemeris:
        found = ephemeris.at(TIMES)
    return np.stack([*(found[name].values for name in ("x", "y", "z", "vx", "vy", "vz")), found.status.values])


def is_open(path: Path) -> bool:
    return str(path) in [os.path.realpath(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]


def to_units(file: Any) -> None:
    file["span"].units = "days since nonsense"


EDITS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "all in pieces": (lambda f: f["status"].__setitem__(slice(None), -1), "lacks pieces of the span"),
    "no variable x": (lambda f: f.renameVariable("x", "q"), r"lacks variable 'x' \(span, degree, satellite\)"),
    "no dimension": (lambda f: f.renameDimension("degree", "d"), "lacks dimension 'degree'"),
    "no status": (lambda f: f.renameVariable("status", "s"), "lacks variable 'status'"),
    "no history": (lambda f: f.delncattr("history"), "lacks attribute 'history'"),
    "bad units": (to_units, "which netCDF cannot read"),
    "bad tolerance": (lambda f: f.setncattr("tolerance_m", -1.0), "with a tolerance of -1"),
    "text as tolerance": (lambda f: f.setncattr("tolerance_m", "soon"), "which netCDF cannot read"),
    "bad scale": (lambda f: f["x"].setncattr("scale_factor", 0.0), "a scale factor of 0"),
    "bad piece": (lambda f: f["piece_satellite"].__setitem__(0, 99), "pieces of satellites that it does not have"),
    "gap": (lambda f: f["span_bounds"].__setitem__((0, 1), 5), "spans do not follow each other"),
    "nothing stored": (lambda f: f["status"].__setitem__(slice(None), -127), "holds no span"),
    "other product": (lambda f: f.setncattr("product", "x"), "no ephemeris"),
}


@pytest.mark.parametrize("edit", EDITS)
def test_files_that_lack_something(made: Path, tmp_path: Path, edit: str) -> None:
    path = tmp_path / "edited.nc"
    shutil.copy(made, path)
    change, words = EDITS[edit]
    with netCDF4.Dataset(path, "a") as file:
        file.set_auto_maskandscale(False)
        change(file)
    with pytest.raises(cj.InputError, match=rf"edited\.nc: .*{words}") as caught:
        states(path)
    assert "\n" not in str(caught.value)
    assert not is_open(path)


def test_no_flipped_bits_give_other_states(made: Path, tmp_path: Path) -> None:
    expected, content = states(made), made.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for k in range(60):
        damaged = bytearray(content)
        start = int(rng.integers(len(content)))
        for at in range(start, min(start + 8, len(content))):
            damaged[at] ^= int(rng.integers(1, 256))
        path = tmp_path / f"{k}.nc"
        path.write_bytes(damaged)
        try:
            found = states(path)
        except cj.InputError:
            refused += 1
            assert not is_open(path)
        else:
            np.testing.assert_array_equal(found, expected)
    assert refused > 10  # the rest hit names, sources or space that nothing is stored in


@pytest.mark.parametrize("part", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_files_that_break_off(made: Path, tmp_path: Path, part: float) -> None:
    content = made.read_bytes()
    path = tmp_path / "cut.nc"
    path.write_bytes(content[: int(part * len(content))])
    with pytest.raises(cj.InputError, match=r"cut\.nc: "):
        states(path)


def test_an_ephemeris_that_nobody_closes_is_closed(made: Path) -> None:
    cj.open_ephemeris(made).at(TIMES[:1])
    assert not is_open(made)
