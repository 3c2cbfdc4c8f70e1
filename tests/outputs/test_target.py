"""Targets of outputs: names that no file can have, files of others that stay, one run at a time, and a full disk."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from constellation_jax.errors import InputError, OutputError
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.netcdf.whole_file import write_dataset
from constellation_jax.outputs.target import Target

SMALL = xr.Dataset({"a": ("n", np.arange(3.0))}, attrs={"id": "constellation_jax"})


@pytest.mark.parametrize(
    "name",
    [" lead.nc", "\tlead.nc", "\x1b[31mred.nc", "tail ", "a#mode=zarr.nc", "c:a.nc", "é\n.nc", "-x.nc", "~x.nc", "%20"],
)
def test_odd_names_hold_the_data(run, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_dataset(SMALL, name)
    with xr.open_dataset(tmp_path / name, engine="netcdf4") as read:
        np.testing.assert_array_equal(read.a, [0, 1, 2])
    with NetCDFWriter(name, run.catalog, run.times, ["status"], overwrite=True) as writer:
        writer.write(0, run.take())
    with xr.open_dataset(tmp_path / name, engine="netcdf4") as read:
        assert read.sizes["time"] == 11
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "is a folder"),
        (".", "is a folder"),
        ("..", "is a folder"),
        ("x" * 300 + ".nc", "no file can have this name (File name too long)"),
        ("x" * 250 + ".nc", "no file can have this name (File name too long)"),  # but NAME.partial
        ("a\0b.nc", "no file can have this name"),
        ("a\\b.nc", "a backslash"),
        ("a\udc80.nc", "no file can have this name"),
        ("missing/a.nc", "there is no folder missing"),
    ],
    ids=lambda value: ascii(value)[:20],
)
def test_names_that_no_file_can_have(tmp_path, monkeypatch, name, words):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        write_dataset(SMALL, name)
    assert words in str(caught.value)
    assert len(str(caught.value)) < 250
    assert os.listdir(tmp_path) == []


def test_devices_pipes_links_and_folders_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.nc")
    (tmp_path / "file").write_text("precious")
    (tmp_path / "link.nc").symlink_to(tmp_path / "file")
    (tmp_path / "dangling.nc").symlink_to(tmp_path / "nothing")
    (tmp_path / "folder.nc").mkdir()
    for path, kind in {
        tmp_path / "pipe.nc": "a named pipe",
        tmp_path / "link.nc": "a link",
        tmp_path / "dangling.nc": "a link",
        tmp_path / "folder.nc": "a folder",
        Path("/dev/null"): "a device",
    }.items():
        with pytest.raises(InputError, match=f"is {kind}; expected the name of a file"):
            write_dataset(SMALL, path, overwrite=True)
    assert (tmp_path / "file").read_text() == "precious"
    assert stat.S_ISFIFO(os.lstat(tmp_path / "pipe.nc").st_mode)


@pytest.mark.parametrize("kind", ["text", "link", "folder", "HDF5 of others"])
def test_a_file_of_the_user_called_partial_is_left_alone(run, tmp_path, kind):
    partial, victim = tmp_path / "a.nc.partial", tmp_path / "victim"
    victim.write_text("precious")
    if kind == "text":
        partial.write_text("notes")
    elif kind == "link":
        partial.symlink_to(victim)
    elif kind == "folder":
        partial.mkdir()
    else:
        xr.Dataset({"a": 1}).to_netcdf(partial, engine="netcdf4")
    with pytest.raises(InputError, match=r"a\.nc\.partial: .* in the way"):
        write_dataset(SMALL, tmp_path / "a.nc")
    with (
        pytest.raises(InputError, match=r"a\.nc\.partial: .* in the way"),
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]),
    ):
        pass
    assert victim.read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == ["a.nc.partial", "victim"]


def test_another_name_of_a_leftover_keeps_its_content(tmp_path):
    leftover = tmp_path / "a.nc.partial"
    write_dataset(SMALL, leftover)
    os.link(leftover, tmp_path / "kept.nc")
    write_dataset(SMALL.isel(n=slice(2)), tmp_path / "a.nc")
    with xr.open_dataset(tmp_path / "kept.nc") as read:
        assert read.sizes["n"] == 3


def test_an_input_is_no_output(tmp_path):
    source = tmp_path / "in.tle"
    source.write_text("precious")
    (tmp_path / "link").symlink_to(source)
    for overwrite in (False, True):
        with pytest.raises(InputError, match="is an input of this run"):
            Target(source, overwrite=overwrite, inputs=["bundled", tmp_path / "link"])


def test_one_run_holds_a_target_and_leaves_nothing_else_behind(tmp_path):
    path = tmp_path / "a.nc"
    with Target(path) as target:
        with pytest.raises(InputError, match="another run is writing it"):
            write_dataset(SMALL, path)
        code = (
            "import sys; from constellation_jax.outputs.target import Target, InputError\n"
            "try:\n    Target(sys.argv[1])\nexcept InputError as error:\n    print(error)"
        )
        other = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
        assert "another run is writing it" in other.stdout
        write_dataset(SMALL, target)
    assert os.listdir(tmp_path) == ["a.nc"]


def test_the_lock_of_a_killed_run_holds_nobody_up(tmp_path):
    code = (
        "import os, sys; from constellation_jax.outputs.target import Target\n"
        "with Target(sys.argv[1]):\n    os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, tmp_path / "a.nc"], check=False)
    assert os.listdir(tmp_path) == [".a.nc.lock"]
    write_dataset(SMALL, tmp_path / "a.nc")
    assert os.listdir(tmp_path) == ["a.nc"]


def test_a_lock_file_with_content_is_none_of_ours(tmp_path):
    (tmp_path / ".a.nc.lock").write_text("precious")
    write_dataset(SMALL, tmp_path / "a.nc")
    assert (tmp_path / ".a.nc.lock").read_text() == "precious"


def test_a_full_disk_is_called_so(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(OutputError, match=r"the disk is full \(No space left on device\); nothing was written"):
        write_dataset(SMALL, tmp_path / "a.nc")
    assert os.listdir(tmp_path) == []
