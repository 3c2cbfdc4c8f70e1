"""NetCDF-4 file that grows as NAME.partial beside the target and gets its name when it is complete.

Shared by the writers of samples (samples.py) and of ephemerides (ephemeris.py). After each block the file is consistent on
disk. HDF5 cannot undo a write that fails half way, so no byte is handed to HDF5 before the operating system has set aside the
space for it; where that fails, the file is as the last block left it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import netCDF4

from constellation_jax.errors import InputError, OutputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.satellites import make_satellite_coordinates
from constellation_jax.outputs.datasets.times import CALENDAR, encode_times
from constellation_jax.outputs.netcdf.disk_space import DiskSpace
from constellation_jax.outputs.variables import SATELLITE, VARIABLES

HEADER_BYTES: Final = 1 << 20
"""Room for attributes and bookkeeping, several times what they take."""
CHUNK_INDEX_BYTES: Final = 256
"""Room for the entry of one chunk in the index of its variable: 32 bytes in tree nodes that can be half empty."""
CHUNK_CACHE_BYTES: Final = 1 << 20
"""Chunk cache of each variable. Whole chunks need none, and netCDF's default of 64 MB a variable made writing 10 % slower."""


class PartialFile(ABC):
    """Base of the writers. Use a subclass in a `with` statement.

    Args:
        path: the file to be made.
        catalog: the n objects.
        total: number of steps (or other units) that the whole file has.
        unit: name of the units of `total`, in the plural, for messages.
        overwrite: whether an existing file may be replaced; it stays until the new one is complete.
        attributes: global attributes to add or to put in place of the default ones; the attribute of that name may be changed
            until the file is begun.

    Raises:
        InputError: no object, the file exists, or its folder does not or cannot be written to.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        catalog: Catalog,
        total: int,
        unit: str,
        *,
        overwrite: bool,
        attributes: Mapping[str, Any] | None,
    ) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._catalog = catalog
        self._total = total
        self._unit = unit
        self._overwrite = overwrite
        self.attributes = dict(attributes or {})
        self._written = 0
        self._dataset: netCDF4.Dataset | None = None
        self._space: DiskSpace | None = None
        if not len(catalog):
            raise InputError("catalogue: no objects; an output needs at least one")
        check_target(self.path, overwrite=self._overwrite)

    @abstractmethod
    def _create(self, dataset: netCDF4.Dataset) -> None:
        """Write the header and everything that is known before the first block."""

    @abstractmethod
    def _bound_block_bytes(self, start: int, stop: int) -> int:
        """Bound the bytes that steps start...stop add to the file."""

    @abstractmethod
    def _make_final_attributes(self) -> Mapping[str, Any]:
        """Make the global attributes that are known after the last block."""

    def __enter__(self) -> Self:
        check_target(self.path, overwrite=self._overwrite)
        try:
            self._space = DiskSpace(self.partial)
        except OSError as error:
            raise InputError(f"{self.partial}: cannot be written ({error.strerror}); choose another place") from None
        self._satellites = make_satellite_coordinates(self._catalog)
        header = HEADER_BYTES + sum(
            values.size * 32 + len("".join(values.tolist()).encode()) if values.dtype.kind == "U" else values.nbytes
            for values in self._satellites.values()
        )
        try:
            needed = header + self._bound_block_bytes(0, self._total)
            free = shutil.disk_usage(self.partial.parent).free
            if free < needed:
                raise OutputError(
                    f"{self.path}: needs {_format_size(needed)} and the disk has {_format_size(free)} free; nothing was written"
                )
            self._space.reserve(header)  # a check only: creating the file cuts it to nothing
            dataset = netCDF4.Dataset(self.partial, "w", format="NETCDF4")
            self._create(dataset)
            for variable in dataset.variables.values():
                variable.set_auto_maskandscale(False)  # the values are as they are to be stored
            dataset.sync()
        except BaseException as error:
            self._space.close(trim=False)
            self.partial.unlink(missing_ok=True)  # nothing of use is in it yet
            if isinstance(error, (OSError, RuntimeError)) and not isinstance(error, OutputError):
                raise OutputError(f"{self.path}: {describe_cause(error)}; nothing was written") from error
            raise
        self._dataset = dataset
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._dataset is None:
            return  # a failed write has closed it and raised
        if error is not None:
            self._shut()
            error.add_note(f"{self.path}: not finished; {self._describe_rest()}")
            return
        if self._written < self._total:
            self._shut()
            raise OutputError(f"{self.path}: not finished, {self._unit} are missing; {self._describe_rest()}")
        self._finish()

    def _put_satellites(self, dataset: netCDF4.Dataset) -> list[str]:
        """Write the dimension of satellites and their coordinates; return the names of the auxiliary ones."""
        dataset.createDimension(SATELLITE, len(self._catalog))
        for name, values in self._satellites.items():
            attributes = VARIABLES[name].make_attributes()
            if values.dtype.kind == "M":
                values, units = encode_times(values)
                attributes |= {"units": units, "calendar": CALENDAR}
            if values.dtype.kind == "U":
                # netCDF strings: 20,000 names take 20 ms, against 180 ms as character arrays, and need no further
                # dimension.
                variable = dataset.createVariable(name, str, (SATELLITE,))
                values = values.astype(object)
            else:
                variable = dataset.createVariable(
                    name, values.dtype, (SATELLITE,), zlib=True, complevel=1, shuffle=True
                )
            variable.setncatts(attributes)
            variable[:] = values
        return [name for name in self._satellites if name != SATELLITE]

    def _opened(self) -> netCDF4.Dataset:
        if self._dataset is None:
            raise InputError(f"{self.path}: not open; use {type(self).__name__} in a `with` statement")
        return self._dataset

    def _append(self, stop: int, size: int, put: Callable[[], None]) -> None:
        """Set `size` bytes aside, let `put` hand a block to netCDF that ends before `stop`, and put it on disk."""
        dataset = self._opened()
        assert self._space is not None
        try:
            self._space.reserve(size)
        except OSError as error:
            self._shut()
            raise OutputError(f"{self.path}: {describe_cause(error)}; {self._describe_rest()}") from error

        def put_and_sync() -> None:
            put()
            dataset.sync()
            self._written = stop

        try:
            try:
                put_and_sync()
            except KeyboardInterrupt:
                put_and_sync()  # an interrupt between two variables must not leave a block with half of them
                raise
        except (OSError, RuntimeError) as error:
            self._shut()
            raise OutputError(
                f"{self.path}: {describe_cause(error)}; {self.partial.name} was sound up to {self._unit.removesuffix('s')} "
                f"{self._written} of {self._total} but the failed write may have damaged it"
            ) from error

    def _finish(self) -> None:
        """Add the attributes that are known at the end, close and rename."""
        assert self._dataset is not None
        assert self._space is not None
        try:
            self._space.reserve(HEADER_BYTES)
            self._dataset.setncatts({**self._make_final_attributes(), **self.attributes})
            self._dataset.sync()
            self._dataset.close()
        except (OSError, RuntimeError) as error:
            self._shut()
            raise OutputError(f"{self.path}: {describe_cause(error)}; {self._describe_rest()}") from error
        self._dataset = None
        self._space.close()
        give_name(self.partial, self.path, overwrite=self._overwrite)

    def _shut(self) -> None:
        """Close the file as it is. All finished blocks are on disk already, so that a failure to close is ignored."""
        dataset, self._dataset = self._dataset, None
        closed = False
        if dataset is not None:
            with contextlib.suppress(OSError, RuntimeError):
                dataset.close()
                closed = True
        if self._space is not None:
            self._space.close(trim=closed)

    def _describe_rest(self) -> str:
        return f"{self.partial.name} holds the first {self._written} of {self._total} {self._unit} and can be read"


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raise InputError where a file cannot be made: it exists, or its folder does not or cannot be written to."""
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: there is no folder {folder}; create it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected the name of a file")
    if path.exists() and not overwrite:
        raise InputError(
            f"{path}: exists already; choose another name, or replace it by --overwrite (in Python overwrite=True)"
        )
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: the folder {folder} cannot be written to; choose another")


def give_name(partial: Path, path: Path, *, overwrite: bool) -> None:
    """Rename a complete file to its target; where that fails, it stays as NAME.partial.

    Raises:
        InputError: a file of the name has appeared meanwhile.
        OutputError: the name could not be given.
    """
    if path.exists() and not overwrite:
        raise InputError(f"{path}: has appeared during the run and is kept; the result is complete in {partial.name}")
    try:
        os.replace(partial, path)
    except OSError as error:
        raise OutputError(f"{path}: {describe_cause(error)}; the result is complete in {partial.name}") from error


def describe_cause(error: BaseException) -> str:
    """Describe in words why a file could not be written."""
    code = getattr(error, "errno", None)
    words = getattr(error, "strerror", None) or str(error)
    if code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"the disk is full ({words})"
    if code == errno.EFBIG:
        return f"the largest allowed file size is reached ({words})"
    return f"cannot be written ({words})"


def _format_size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
