"""Zarr stores: layout, failures that last over the blocks of other jobs, damage that is found, and places that are refused."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr
from zarr.storage import MemoryStore

import constellation_jax as cj
from constellation_jax.outputs.zarr.layout import choose_layout
from constellation_jax.outputs.zarr.place import Place
from constellation_jax.outputs.zarr.samples import ZarrWriter
from constellation_jax.outputs.zarr.shards import CRC, ZSTD, put_shard

NAMES = ("x", "altitude", "status")


def make_writer(run: Any, place: Path, **options: Any) -> ZarrWriter:
    return ZarrWriter(
        Place(place), run.catalog, run.times, NAMES, fingerprint={"elements": "of a test"}, block_steps=4, **options
    )


def fill(run: Any, place: Path) -> None:
    with make_writer(run, place) as writer:
        for rows in writer.find_missing():
            writer.write(rows.start, run.block(rows.start, rows.stop, "x", "altitude"))


def test_shards_hold_whole_chunks() -> None:
    for steps, satellites, block in ((1, 1, 64), (1000, 31_400, 320), (90, 7, 60), (64, 16_400, 64), (7, 5120, 3)):
        layout = choose_layout(steps, satellites, block)
        rows, columns = layout.chunks
        assert layout.block % rows == 0
        assert layout.columns % columns == 0
        assert layout.columns >= satellites
        assert layout.columns - columns < satellites, "no chunk is empty"
        assert rows <= 64
        assert rows * columns <= 64 * 5120


@pytest.mark.parametrize(
    ("dtype", "fill", "codecs"), [("f4", np.nan, [CRC]), ("f8", np.nan, [CRC]), ("i1", -127, [ZSTD, CRC])]
)
@pytest.mark.parametrize("chunks", [(3, 5), (6, 4)])
def test_a_shard_is_that_of_zarr(dtype: str, fill: float, codecs: list[Any], chunks: tuple[int, int]) -> None:
    values = (np.random.default_rng(1).normal(size=(9, 13)) * 40).astype(dtype)
    shards = (6, -(-13 // chunks[1]) * chunks[1])
    layout: Any = {"shape": (9, 13), "dtype": dtype, "chunks": chunks, "shards": shards, "fill_value": fill}
    ours, theirs = (
        zarr.create_array(MemoryStore(), compressors=codecs, config={"write_empty_chunks": True}, **layout)
        for _ in range(2)
    )
    theirs[:] = values
    for rows in (slice(0, 6), slice(6, 9)):
        put_shard(ours, rows, values[rows])
    np.testing.assert_array_equal(ours[:], values)
    np.testing.assert_array_equal(ours[4:8, 3:12], values[4:8, 3:12])
    for k in range(2):
        there, here = (array.store_path.store._store_dict[f"c/{k}/0"].to_bytes() for array in (theirs, ours))
        assert len(here) == len(there)
        if chunks[0] == shards[0]:
            assert here == there, "zarr orders the chunks of one row as they come, and others along a curve"


def test_a_failure_lasts_into_the_blocks_of_other_jobs(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    writers = [make_writer(run, path, shared=True) for _ in range(2)]
    failed = run.catalog.epoch <= run.times[3]
    column = int(np.flatnonzero(failed)[0])
    with writers[0] as writer:
        blocks = writer.find_missing()
        first = {name: values.copy() for name, values in run.block(0, 4, "x", "altitude").items()}
        first["status"][3, column] = 1
        writer.write(0, first)
    with writers[1] as writer:
        for rows in blocks[1:]:
            writer.write(rows.start, run.block(rows.start, rows.stop, "x", "altitude"))
        assert (writer.find_latched(4) != 0).sum() == 1
    cj.finish(path)
    with xr.open_dataset(path, engine="zarr", chunks=None) as found:
        assert (found.status.values[3:, column] == 1).all()
        assert np.isnan(found.x.values[3:, column]).all()
        others = np.delete(np.arange(len(run.catalog)), column)
        np.testing.assert_array_equal(
            found.x.values[:, others] != found.x.values[:, others], run.arrays["status"][:, others] != 0
        )
        least, most = float(found.altitude.min()), float(found.altitude.max())
        assert (found.attrs["geospatial_vertical_min"], found.attrs["geospatial_vertical_max"]) == (least, most)
    assert cj.verify(path) == []


@pytest.mark.parametrize("damage", ["torn", "flipped", "removed"])
def test_damage_is_found_and_repaired(damage: str, run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    fill(run, path)
    assert cj.verify(path) == []
    shard = path / "x" / "c" / "1" / "0"
    content = bytearray(shard.read_bytes())
    content[3] ^= 16
    {
        "torn": lambda: shard.write_bytes(content[:-20]),
        "flipped": lambda: shard.write_bytes(content),
        "removed": shard.unlink,
    }[damage]()
    (defect,) = cj.verify(path)
    assert defect.startswith("block 1: ")
    assert ("cannot be read" in defect) == (damage != "removed")
    assert len(cj.verify(path, repair=True)) == 1
    assert not path.exists()
    with make_writer(run, path, resume=True) as writer:
        (rows,) = writer.find_missing()
        assert rows == slice(4, 8)
        writer.write(4, run.block(4, 8, "x", "altitude"))
    assert cj.verify(path) == []


def test_a_block_whose_satellites_have_all_failed_is_stored(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    block = run.block(0, len(run.times), "x", "altitude") | {"status": np.full((len(run.times), len(run.catalog)), 6)}
    with make_writer(run, path) as writer:
        for rows in writer.find_missing():
            writer.write(rows.start, {name: values[rows] for name, values in block.items()})
        assert writer.find_missing() == []
    assert cj.verify(path) == []


def test_places_that_are_refused(run: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.zarr").mkdir()
    (tmp_path / "mine.zarr" / "notes.txt").write_text("mine")
    with pytest.raises(cj.InputError, match=r"mine\.zarr: is no Zarr output of this package, and is kept"):
        Place(tmp_path / "mine.zarr", overwrite=True)
    (tmp_path / "file.zarr").write_text("mine")
    with pytest.raises(cj.InputError, match="is no Zarr output"):
        Place(tmp_path / "file.zarr", overwrite=True)
    with pytest.raises(cj.InputError, match="there is no folder"):
        Place(tmp_path / "nowhere" / "run.zarr")
    with pytest.raises(cj.InputError, match=r"nosuch://run\.zarr: cannot be opened"):
        Place("nosuch://run.zarr")
    path = tmp_path / "run.zarr"
    fill(run, path)
    with pytest.raises(cj.InputError, match=r"exists already; choose another name, or replace it by --overwrite"):
        Place(path)
    with pytest.raises(cj.InputError, match="is an input of this run"):
        Place(path, overwrite=True, inputs=[path])
    busy = Place(tmp_path / "busy.zarr")
    for shared in (False, True):
        with busy.hold(shared=shared), pytest.raises(cj.InputError, match="another run is writing it"):
            make_writer(run, tmp_path / "busy.zarr").__enter__()
    with busy.hold(shared=True), make_writer(run, tmp_path / "busy.zarr", shared=True) as writer:
        assert len(writer.find_missing()) == 3


def test_an_existing_store_stays_until_the_new_one_is_complete(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "run.zarr"
    fill(run, path)
    before = (path / "zarr.json").read_text()
    writer = ZarrWriter(Place(path, overwrite=True), run.catalog, run.times, NAMES, fingerprint={}, block_steps=4)
    with writer:
        for rows in writer.find_missing():
            writer.write(rows.start, run.block(rows.start, rows.stop, "x", "altitude"))
        assert (path / "zarr.json").read_text() == before
    assert os.listdir(tmp_path) == ["run.zarr"]
