"""Faults of the place of an output: a disk that fills up, a folder that goes away; what is left, and how a run goes on."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import constellation_jax as cj
from constellation_jax.outputs.formats import SampleWriter, make_sample_writer
from constellation_jax.outputs.zarr import samples

NAMES = ("x", "altitude", "status")
FORMATS = ("nc", "zarr")


def make_writer(run: Any, path: Path, **options: Any) -> SampleWriter:
    return make_sample_writer(path, run.catalog, run.times, NAMES, fingerprint={"run": "1"}, block_steps=4, **options)


def fill(run: Any, writer: SampleWriter) -> list[int]:
    """Write what is missing; return the first steps of its blocks."""
    with writer:
        missing = writer.find_missing()
        for rows in missing:
            writer.write(rows.start, run.block(rows.start, rows.stop, "x", "altitude"))
    return [rows.start for rows in missing]


def test_a_store_on_a_disk_that_fills_up_is_gone_on_with(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put, path = samples.put_shard, tmp_path / "a.zarr"

    def fail_at_the_second_block(array: Any, rows: slice, values: Any) -> None:
        if rows.start == 4 and array.basename == "altitude":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        put(array, rows, values)

    with monkeypatch.context() as patched:
        patched.setattr(samples, "put_shard", fail_at_the_second_block)
        with pytest.raises(cj.OutputError, match=r"a\.zarr: the disk is full") as caught:
            fill(run, make_writer(run, path))
    assert "holds 1 of 3 blocks, and the same command with --resume goes on" in caught.value.__notes__[0]
    assert os.listdir(tmp_path) == ["a.zarr.partial"]
    assert fill(run, make_writer(run, path, resume=True)) == [4, 8]
    assert cj.verify(path) == []
    assert os.listdir(tmp_path) == ["a.zarr"]


@pytest.mark.parametrize("suffix", FORMATS)
def test_a_folder_that_is_removed_is_told(suffix: str, run: Any, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    writer = make_writer(run, folder / f"a.{suffix}")

    def remove_after_a_block() -> None:
        with writer:
            writer.write(0, run.block(0, 4, "x", "altitude"))
            shutil.rmtree(folder)
            for start, stop in ((4, 8), (8, 11)):
                writer.write(start, run.block(start, stop, "x", "altitude"))

    with pytest.raises(cj.OutputError, match=rf"a\.{suffix}: "):
        remove_after_a_block()
    assert not folder.exists(), "nothing is made in the place of a folder that somebody has removed"
