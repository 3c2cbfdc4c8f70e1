"""Place of a Zarr output: a folder, which grows as NAME.partial beside it, or an address of fsspec, such as s3://bucket/leo.zarr.

A folder gets its name when it is complete. An address has no renaming: it grows under its own name, and its attribute `complete`
in the group `run` says when it is. A run that is alone holds the lock of a folder; jobs that share one hold it together, so that
neither can meet the other. Addresses have no locks: what protects them is that a block is the same whoever writes it.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import uuid
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, Self

import zarr
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.core.sync import sync
from zarr.errors import ZarrUserWarning
from zarr.storage import FsspecStore, LocalStore

from constellation_jax.errors import InputError, OutputError
from constellation_jax.outputs.target import describe_cause, hold_lock, is_address

RUN: Final = "run"
"""Group with the records of a run, beside the variables of a store."""
BEGUN: Final = "begun"
"""State of an address that is being laid out, or where that was not done to the end."""


class Place:
    """Place of a Zarr output. In a `with` statement it holds the lock alone; it may be entered again inside.

    Args:
        path: the folder to be made, or an address of fsspec.
        overwrite: whether an existing output may be replaced; it stays until the new one is complete.
        inputs: files that the run reads, none of which may be the folder.

    Raises:
        InputError: something that is no Zarr output of this package has the name, or it exists and may not be replaced; the parent
            folder does not exist or cannot be written to; a scheme that fsspec does not know.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str]] = ()
    ) -> None:
        self.address = os.fspath(path).rstrip("/")
        self.is_remote = is_address(self.address)
        self.overwrite = overwrite
        self._inputs = [os.path.realpath(source) for source in inputs]
        self._entered = 0
        self._held = contextlib.ExitStack()
        self.check()

    def __fspath__(self) -> str:
        return self.address

    def __str__(self) -> str:
        return self.address

    def __enter__(self) -> Self:
        if not self._entered:
            self._held.enter_context(self.hold(shared=False))
            self.check()
        self._entered += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._entered -= 1
        if not self._entered:
            self._held.close()

    @property
    def growing(self) -> str:
        """Folder or address in which an unfinished output is."""
        return self.address if self.is_remote else f"{self.address}.partial"

    def check(self) -> None:
        """Raise InputError where the output cannot be made; see the class."""
        if self.is_remote:
            self._check_address()
            return
        path = Path(self.address)
        if path.name in ("", ".", ".."):
            raise InputError(f"{path}: expected the name of a folder to be made, such as leo.zarr")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}; create it first")
        if not os.access(path.parent, os.W_OK):
            raise InputError(f"{path}: the folder {path.parent} cannot be written to; choose another")
        for place in (path, Path(self.growing)):
            if os.path.lexists(place) and not _is_own(place):
                raise InputError(f"{place}: is no Zarr output of this package, and is kept; choose another name")
        if os.path.realpath(path) in self._inputs:
            raise InputError(f"{path}: is an input of this run, which it would destroy; choose another name")
        if path.exists() and not self.overwrite:
            raise _exists(self.address)

    def state(self) -> str:
        """Tell whether the output is "complete", "growing" or "absent", or at an address `BEGUN`.

        One that grows goes before the one that it replaces.
        """
        if self.is_remote:
            return self._state_of_address()
        places = ((self.address, "complete"), (self.growing, "growing"))
        for place, name in reversed(places) if self.overwrite else places:
            if Path(place, "zarr.json").is_file():
                with contextlib.suppress(Exception):  # of damaged metadata zarr raises a dozen kinds
                    zarr.open_group(make_store(place), path=RUN, mode="r")
                    return name
        return "absent"

    @contextlib.contextmanager
    def naming_failures(self) -> Iterator[None]:
        """Raise OutputError where the place cannot be read or written."""
        try:
            yield
        except (InputError, OutputError):
            raise
        except Exception as error:  # file systems of fsspec have errors of their own, of no common base
            if self.is_remote or isinstance(error, OSError):
                raise OutputError(f"{self}: {describe_cause(error)}") from error
            raise

    def _check_address(self) -> None:
        with self.naming_failures():
            state = self.state()
            if state == "complete" and not self.overwrite:
                raise _exists(self.address)
            if state == "absent" and sync(_has_something(make_store(self.address))):
                raise InputError(
                    f"{self.address}: holds something that is no Zarr output of this package, and is kept; choose another name"
                )

    def _state_of_address(self) -> str:
        """Tell the state by one request: whatever fails must not be taken for an output that is absent, which would be replaced."""
        content = sync(make_store(self.address).get(f"{RUN}/zarr.json", default_buffer_prototype()))
        if content is None:
            return "absent"
        try:
            return str(json.loads(content.to_bytes())["attributes"]["state"])
        except (ValueError, LookupError, TypeError):
            raise InputError(f"{self.address}: the metadata of its group {RUN!r} are damaged; remove it") from None

    @contextlib.contextmanager
    def hold(self, *, shared: bool) -> Iterator[None]:
        """Hold the lock of the folder; `shared` with other jobs that share it.

        Raises:
            InputError: another run holds it.
        """
        if self.is_remote:
            yield
            return
        path = Path(self.address)
        with hold_lock(path.with_name(f".{path.name}.lock"), str(path), shared=shared):
            yield

    def make_folder(self) -> str:
        """Make an empty folder beside the output, in which it is laid out."""
        made = self._name_beside("new")
        os.mkdir(made)
        return made

    def begin(self, made: str) -> None:
        """Give a folder that has been laid out the name of the growing output, unless another job was quicker."""
        try:
            os.rename(made, self.growing)
        except OSError:
            if not Path(self.growing, "zarr.json").is_file():
                raise
            shutil.rmtree(made, ignore_errors=True)

    def finish(self) -> None:
        """Give the complete output its name.

        Raises:
            OutputError: the name could not be given; the output is complete under the other one.
        """
        if self.is_remote:
            return
        replaced = self._name_beside("old")
        try:
            if os.path.lexists(self.address):
                os.rename(self.address, replaced)
            os.rename(self.growing, self.address)
        except OSError as error:
            if os.path.lexists(replaced) and not os.path.lexists(self.address):
                os.rename(replaced, self.address)
            raise OutputError(
                f"{self.address}: {describe_cause(error)}; the result is complete in {self.growing}"
            ) from error
        shutil.rmtree(replaced, ignore_errors=True)

    def reopen(self) -> None:
        """Make a complete output unfinished again; an unfinished one stays as it is.

        Raises:
            InputError: another unfinished output is in the way.
        """
        if self.state() != "complete":
            return
        if self.is_remote:
            open_run(self.address, mode="r+")[1].attrs["state"] = "growing"
        elif os.path.lexists(self.growing):
            raise InputError(f"{self.growing}: is in the way; finish or remove it first")
        else:
            os.rename(self.address, self.growing)

    def measure(self) -> int:
        """Measure the bytes of the output, complete or not."""
        if self.is_remote:
            group = zarr.open_group(make_store(self.address), mode="r")
            return sum(int(array.nbytes_stored()) for _, array in group.arrays())
        place = self.address if self.state() == "complete" else self.growing
        return sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(place) for name in names)

    def _name_beside(self, kind: str) -> str:
        """Name beside the output that no other file has."""
        path = Path(self.address)
        return str(path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.{kind}"))

    def remove_growing(self) -> None:
        """Remove an unfinished output, with what it holds."""
        if self.is_remote:
            sync(_empty(make_store(self.address)))
        else:
            shutil.rmtree(self.growing, ignore_errors=True)

    def make_room(self) -> None:
        """Empty an address that holds a complete output, or one that was not laid out to the end and may be half written."""
        if self.state() != "absent":
            self.remove_growing()


def make_store(place: str | os.PathLike[str]) -> Store:
    """Open the store of a folder or address.

    Raises:
        InputError: a scheme that fsspec does not know, or whose package is missing.
    """
    if not is_address(place):
        return LocalStore(os.fspath(place))
    try:
        return FsspecStore.from_url(os.fspath(place))
    except (ImportError, ValueError) as error:
        raise InputError(f"{place}: cannot be opened ({error}); expected a folder or an address of fsspec") from None


def consolidate(place: str) -> None:
    """Gather the metadata of a store in one file, so that it opens at once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # consolidation is not in the specification of version 3 yet
        zarr.consolidate_metadata(make_store(place))


async def _empty(store: Store) -> None:
    """Remove what an output holds; what tells that it is one comes last, so that this may be done again after a failure."""
    for name in [name async for name in store.list_dir("")]:
        if name != RUN:
            await store.delete_dir(name)
    await store.delete_dir(f"{RUN}/blocks")
    await store.delete(f"{RUN}/zarr.json")


async def _has_something(store: Store) -> bool:
    async for _ in store.list_dir(""):
        return True
    return False


def begin_run(store: Store, fingerprint: str) -> None:
    """Store the group of the run before anything else, by one request; zarr would store the group around it at the same time."""
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"state": BEGUN, "fingerprint": fingerprint}}
    content = default_buffer_prototype().buffer.from_bytes(json.dumps(group).encode())
    sync(store.set(f"{RUN}/zarr.json", content))


def open_run(place: str | os.PathLike[str], *, mode: Any = "r") -> tuple[zarr.Group, zarr.Group]:
    """Open the groups of the variables and of the run.

    Raises:
        InputError: there is no output of this package.
    """
    try:
        group = zarr.open_group(make_store(place), mode=mode)
        run = group[RUN]
    except InputError:
        raise
    except Exception as error:  # of damaged metadata zarr raises a dozen kinds
        if not is_damage(error, place):
            raise
        run = None
    if not isinstance(run, zarr.Group):
        raise InputError(f"{place}: is no Zarr output of this package, or was not laid out to the end, or is damaged")
    return group, run


def is_damage(error: Exception, place: str | os.PathLike[str]) -> bool:
    """True for errors of damaged metadata and chunks: zarr raises a dozen kinds; others, at an address, are of a request."""
    return not is_address(place) or isinstance(error, _DAMAGE)


_DAMAGE: Final = (
    *(ValueError, LookupError, TypeError, AttributeError, ArithmeticError, AssertionError),
    *(RuntimeError, MemoryError, FileNotFoundError),
)


def _exists(address: str) -> InputError:
    return InputError(
        f"{address}: exists already; choose another name, or replace it by --overwrite (in Python overwrite=True)"
    )


def _is_own(path: Path) -> bool:
    """True for a folder that this package has made: a Zarr group with the group of a run."""
    return (
        stat.S_ISDIR(os.lstat(path).st_mode) and (path / "zarr.json").is_file() and (path / RUN / "zarr.json").is_file()
    )
