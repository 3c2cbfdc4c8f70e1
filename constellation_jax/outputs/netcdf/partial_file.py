"""NetCDF-4 file that grows as NAME.partial beside the target and gets its name when it is complete.

Shared by the writers of samples (samples.py) and of ephemerides (ephemeris.py). After each block the file is consistent on
disk. HDF5 cannot undo a write that fails half way, so no byte is handed to HDF5 before the operating system has set aside the
space for it; where that fails, the file is as the last block left it.
"""

from __future__ import annotations

import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Final, Self

import netCDF4
import numpy as np

from constellation_jax.errors import InputError, OutputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.blocks import cut
from constellation_jax.outputs.datasets.satellites import make_element_variables, make_satellite_coordinates
from constellation_jax.outputs.datasets.times import CALENDAR, encode_times
from constellation_jax.outputs.fingerprint import Fingerprint, encode_fingerprint
from constellation_jax.outputs.netcdf.disk_space import DiskSpace
from constellation_jax.outputs.netcdf.library import (
    NETCDF_LOCK,
    check_file,
    create_file,
    encode_attributes,
    is_own,
    put_texts,
)
from constellation_jax.outputs.netcdf.unfinished import FINGERPRINT, remove_old, set_aside
from constellation_jax.outputs.target import Target, check_disk, describe_cause
from constellation_jax.outputs.variable import SATELLITE
from constellation_jax.outputs.variables import VARIABLES

HEADER_BYTES: Final = 1 << 20
"""Room for attributes and bookkeeping, several times what they take."""
CHUNK_INDEX_BYTES: Final = 256
"""Room for the entry of one chunk in the index of its variable: 32 bytes in tree nodes that can be half empty."""
CHUNK_CACHE_BYTES: Final = 1 << 20
"""Chunk cache of each variable. Whole chunks need none, and netCDF's default of 64 MB a variable made writing 10 % slower."""


class PartialFile(ABC):
    """Base of the writers. Use a subclass in a `with` statement.

    Args:
        path: the file to be made, or its `Target`.
        catalog: the n objects.
        total: number of steps (or other units) that the whole file has.
        unit: name of the units of `total`, in the plural, for messages.
        overwrite: whether an existing file may be replaced; it stays until the new one is complete.
        attributes: global attributes to add or to put in place of the default ones; the attribute of that name may be changed
            until the file is begun.
        block: units of most blocks.
        fingerprint: of the run, which NAME.partial carries, so that it may be gone on with; None for none.
        resume: whether the sound blocks of a NAME.partial of the same run are taken over (on entering).

    Raises:
        InputError: no object, or as for `Target`; (on entering) NAME.partial is of another run.
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
        block: int,
        fingerprint: Fingerprint | None,
        resume: bool,
    ) -> None:
        if not len(catalog):
            raise InputError("catalogue: no objects; an output needs at least one")
        self._target = Target.of(path, overwrite=overwrite)
        self.path, self.partial = self._target.path, self._target.partial
        self._catalog = catalog
        self._total = total
        self._unit = unit
        self.attributes = dict(attributes or {})
        self.block = block
        self._fingerprint = None if fingerprint is None else {**fingerprint, f"block_{unit}": str(block)}
        self._resume = resume and fingerprint is not None
        self._held = contextlib.ExitStack()
        self._written = 0
        self._dataset: netCDF4.Dataset | None = None
        self._space: DiskSpace | None = None

    _dimension: ClassVar[str]
    """Name of the dimension whose size is the total."""

    def check_disk(self) -> None:
        """Raise OutputError where the disk has no room for the whole file, before anything is computed for it."""
        check_disk(self.path, self._bound_block_bytes(0, self._total))

    def find_missing(self) -> list[slice]:
        """Find the units of each block that is not on disk."""
        return cut(self._total, self.block, self._written)

    @abstractmethod
    def _take_over(self, old: Path) -> None:
        """Write the blocks of an unfinished file, from the first one to the last that is sound."""

    @abstractmethod
    def _create(self, dataset: netCDF4.Dataset) -> None:
        """Write the header and everything that is known before the first block."""

    @abstractmethod
    def _bound_block_bytes(self, start: int, stop: int) -> int:
        """Bound the bytes that steps start...stop add to the file."""

    @abstractmethod
    def _make_final_attributes(self) -> Mapping[str, Any]:
        """Make the global attributes that are known after the last block; the caller holds the lock of netCDF-C."""

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self._target)
            self._satellites = make_satellite_coordinates(self._catalog)
            # no character of UTF-8 takes more than NumPy's four bytes; the elements are seven numbers
            header = HEADER_BYTES + sum(values.nbytes for values in self._satellites.values()) + 64 * len(self._catalog)
            check_disk(self.path, header + self._bound_block_bytes(0, self._total))
            old = None
            if self._resume and self._fingerprint is not None:
                old = set_aside(self._target, self._fingerprint, self._dimension)
            self._begin(header)
            self._held = stack.pop_all()
        try:
            if old is not None:
                self._take_over(old)
            remove_old(self._target)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def _begin(self, header: int) -> None:
        """Make the file with its header of so many bytes."""
        space = self._space = DiskSpace(self.partial, self._target.begin(is_own))
        try:
            space.reserve(header)  # a check only: creating the file cuts it to nothing
            with NETCDF_LOCK:
                dataset = create_file(self._target, space)
                try:
                    self._create(dataset)
                    if self._fingerprint is not None:
                        dataset.setncattr(FINGERPRINT, encode_fingerprint(self._fingerprint))
                    for variable in dataset.variables.values():
                        variable.set_auto_maskandscale(False)  # the values are as they are to be stored
                    dataset.sync()
                except BaseException:
                    with contextlib.suppress(OSError, RuntimeError):
                        dataset.close()
                    raise
        except BaseException as error:
            space.close(trim=False)
            self._target.abandon()  # nothing of use is in it yet
            if isinstance(error, (OSError, RuntimeError)) and not isinstance(error, OutputError):
                raise OutputError(f"{self.path}: {describe_cause(error)}; nothing was written") from error
            raise
        self._dataset = dataset

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._held:
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
        """Write the dimension of satellites, their coordinates and elements; return the names of the auxiliary coordinates."""
        dataset.createDimension(SATELLITE, len(self._catalog))
        for name, values in self._satellites.items():
            attributes = VARIABLES[name].make_attributes()
            if values.dtype.kind == "M":
                values, units = encode_times(values)
                attributes |= {"units": units, "calendar": CALENDAR}
            if values.dtype.kind == "U":
                put_texts(dataset, name, SATELLITE, values, attributes)
                continue
            variable = dataset.createVariable(name, values.dtype, (SATELLITE,), zlib=True, complevel=1, shuffle=True)
            variable.setncatts(attributes)
            variable[:] = values
        auxiliary = [name for name in self._satellites if name != SATELLITE]
        for name, (dimensions, values, attributes) in make_element_variables(self._catalog).items():
            variable = dataset.createVariable(
                name, "f8", dimensions, zlib=True, complevel=1, shuffle=True, fill_value=np.nan
            )
            variable.setncatts({**attributes, "coordinates": " ".join(auxiliary)})
            variable[:] = values
        return auxiliary

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
            with NETCDF_LOCK:
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
            with NETCDF_LOCK:
                attributes = {**self._make_final_attributes(), **self.attributes}
                self._dataset.setncatts(encode_attributes(attributes))
                if self._fingerprint is not None:
                    self._dataset.delncattr(FINGERPRINT)
                identity = self._dataset.getncattr("id")
                self._dataset.sync()
                self._dataset.close()
        except (OSError, RuntimeError) as error:
            self._shut()
            raise OutputError(f"{self.path}: {describe_cause(error)}; {self._describe_rest()}") from error
        self._dataset = None
        self._space.close()
        check_file(self._target, {SATELLITE: len(self._catalog), self._dimension: self._total}, identity)
        self._target.finish()

    def _shut(self) -> None:
        """Close the file as it is. All finished blocks are on disk already, so that a failure to close is ignored."""
        dataset, self._dataset = self._dataset, None
        closed = False
        if dataset is not None:
            with contextlib.suppress(OSError, RuntimeError), NETCDF_LOCK:
                dataset.close()
                closed = True
        if self._space is not None:
            self._space.close(trim=closed)

    def _describe_rest(self) -> str:
        return f"{self.partial.name} holds the first {self._written} of {self._total} {self._unit} and can be read"
