"""Stores of objects: no renaming, no appending, no folders, and requests that fail.

One is made up here; the other is S3, served by moto: `pip install --group s3`. Without that group its tests are skipped, unless
CONSTELLATION_JAX_S3=required, as in .ci/run.
"""

import gc
import importlib.util
import os
import random
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import fsspec
import numpy as np
import pytest
import xarray as xr
from fsspec.implementations.memory import MemoryFileSystem

import constellation_jax as cj
from constellation_jax.outputs.zarr.finish import finish
from constellation_jax.outputs.zarr.samples import ZarrWriter

# of connections and requests that s3fs and zarr leave to the collector
pytestmark = [
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
NAMES = ("x", "altitude", "status")


class RequestError(Exception):
    """Failed request, of no type that this package knows."""


class Objects(MemoryFileSystem):
    """File system of fsspec with the rules of a store of objects, of whose requests some fail."""

    protocol = "objects"
    store: ClassVar[dict[str, Any]] = {}
    pseudo_dirs: ClassVar[list[str]] = [""]
    fails: ClassVar[Callable[[], bool]] = staticmethod(lambda: False)
    failed: ClassVar[int] = 0
    cachable = False

    def _request(self) -> None:
        if type(self).fails():
            type(self).failed += 1
            raise RequestError("503 Slow Down")

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: Any) -> None:
        self._request()
        super().pipe_file(path, bytes(value), mode=mode)

    def cat_file(self, path: str, *arguments: Any, **options: Any) -> Any:
        self._request()
        return super().cat_file(path, *arguments, **options)

    def info(self, path: str, **options: Any) -> Any:
        self._request()
        return super().info(path, **options)

    def rm_file(self, path: str) -> None:
        self._request()
        super().rm_file(path)

    def mkdir(self, *_: Any, **__: Any) -> None:
        raise NotImplementedError

    makedirs = mv = cp_file = rename = mkdir  # type: ignore[assignment]  # of other arguments: none of them is to be called


@pytest.fixture
def objects() -> Iterator[str]:
    fsspec.register_implementation("objects", Objects, clobber=True)
    yield "objects://bucket"
    Objects.store.clear()
    Objects.fails, Objects.failed = staticmethod(lambda: False), 0


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a bucket of S3, served by moto."""
    if os.environ.get("CONSTELLATION_JAX_S3") == "required" and not importlib.util.find_spec("s3fs"):
        pytest.fail("the dependency group s3 is not installed")
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    settings = {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}
    for name, value in (settings | {"ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port())}).items():
        monkeypatch.setenv(f"AWS_{name}", value)
    fsspec.filesystem("s3").makedirs("s3://bucket", exist_ok=True)  # moto keeps buckets from server to server
    yield "s3://bucket"
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()
    gc.collect()  # of its connections, while their warnings are ignored


@pytest.fixture(params=["objects", pytest.param("bucket", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(request.param))


def make_writer(run: Any, address: str, **options: Any) -> ZarrWriter:
    return ZarrWriter(address, run.catalog, run.times, NAMES, fingerprint={"run": "1"}, block_steps=4, **options)


def fill(run: Any, address: str, part: slice = slice(None), **options: Any) -> None:
    with make_writer(run, address, **options) as writer:
        for rows in writer.find_missing()[part]:
            writer.write(rows.start, run.block(rows.start, rows.stop, "x", "altitude"))


def assert_whole(run: Any, address: str) -> None:
    assert cj.verify(address) == []
    with xr.open_dataset(address, engine="zarr", chunks=None) as found:
        status = run.arrays["status"]
        np.testing.assert_array_equal(found.status.values, status)
        for name in ("x", "altitude"):
            expected = np.where(status == 0, run.arrays[name], np.nan).astype("f4")
            np.testing.assert_array_equal(found[name].values, expected)


def test_a_run_is_stored_shared_replaced_and_mended(run: Any, place: str) -> None:
    address = f"{place}/folder/run.zarr"
    fill(run, address)
    assert_whole(run, address)
    with pytest.raises(cj.InputError, match=r"run\.zarr: exists already"):
        fill(run, address)
    fill(run, address, slice(1, None), shared=True, overwrite=True)
    fill(run, address, slice(0, 1), shared=True, overwrite=True)
    finish(address, overwrite=True)
    assert_whole(run, address)
    files = fsspec.filesystem(place.partition(":")[0])
    shard = f"{address}/x/c/1/0"
    content = bytearray(files.cat_file(shard))
    content[3] ^= 16
    files.pipe_file(shard, bytes(content))
    (defect,) = cj.verify(address, repair=True)
    assert defect.startswith("block 1: cannot be read (Stored and computed checksum do not match")
    fill(run, address, resume=True)
    assert_whole(run, address)


def test_what_others_have_stored_is_kept(run: Any, place: str) -> None:
    files = fsspec.filesystem(place.partition(":")[0])
    files.pipe_file(f"{place}/mine.zarr/zarr.json", b"{}")
    for options in ({}, {"overwrite": True}, {"shared": True}):
        with pytest.raises(cj.InputError, match=r"mine\.zarr: holds something that is no Zarr output of this package"):
            fill(run, f"{place}/mine.zarr", **options)
    assert files.cat_file(f"{place}/mine.zarr/zarr.json") == b"{}"


@pytest.mark.slow
def test_a_bucket_that_is_not_there_is_told(run: Any, bucket: str) -> None:
    with pytest.raises(
        cj.OutputError, match=r"s3://nosuch/a\.zarr: cannot be written \(The specified bucket does not exist"
    ):
        fill(run, "s3://nosuch/a.zarr")


@pytest.mark.slow
# zarr begins several requests together, and lets the others go when one fails
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
def test_requests_that_fail_cost_nothing(run: Any, objects: str) -> None:
    chance = random.Random(3)
    for number in range(2):
        address = f"{objects}/{number}.zarr"
        Objects.fails = staticmethod(lambda: chance.random() < 0.03)
        while True:
            try:
                fill(run, address, resume=True)
                break
            except cj.OutputError as error:
                assert str(error).startswith(address)  # noqa: PT017
                assert "503 Slow Down" in str(error)  # noqa: PT017 - which request fails goes with the order of threads
            except cj.InputError as error:
                assert "exists already" in str(error)  # noqa: PT017
                break  # the answer to the last request was lost
        Objects.fails = staticmethod(lambda: False)
        assert_whole(run, address)
    assert Objects.failed > 5
    gc.collect()  # of the coroutines, while their warnings are ignored
