"""Writing a propagation to netCDF-4 block by block: it need not fit into memory, and a failure keeps what is finished.

The file grows as NAME.partial beside the target and is renamed when every step is in it. After each block the file is
consistent on disk: a run that is stopped, killed or out of disk space leaves a NAME.partial that opens with all
finished blocks. Where the process was killed in the midst of storing a block, that block may be there in part: what is
missing of it reads as NaN, as -127 in `status`, or not at all, and the blocks before it have to be selected (`isel`).
Killed at random, a process that did nothing but write left such a file 9 times in 472; in one of them finished steps
had lost their status, while their states were right. The death of the machine is in the hands of the file system, as
nothing waits for the disk (fsync).

How it stays readable when the disk fills up: HDF5 cannot undo a write that fails half way, and then the file does not
open, or opens with blocks that are not there (both were seen, on tmpfs, on ext4 and under a limit of the file size).
So no byte is handed to HDF5 before the operating system has set aside the space for it; where that fails, the file is
as the last block left it.

Deliberately absent: appending to a finished file, compression of positions (it shrinks them by 10 to 20 % at a
thirtieth of the speed), and locks: netCDF-C is not safe across threads, so one thread at a time may use netCDF in a
process, this writer included.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import netCDF4
import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, OutputError
from constellation_jax.inputs.catalog import Catalog
from constellation_jax.outputs.dataset import (
    CALENDAR,
    DTYPES,
    SUB_SATELLITE,
    Extremes,
    check_block,
    check_times,
    check_variables,
    coverage_attributes,
    encode_times,
    header_attributes,
    satellite_coordinates,
    time_attributes,
)
from constellation_jax.outputs.disk_space import DiskSpace
from constellation_jax.outputs.variables import DIMENSIONS, SATELLITE, STATUS_VARIABLE, TIME, VARIABLES, check_frame


class NetCDFWriter:
    """Writes blocks of time steps to a netCDF-4 file. Use it in a `with` statement.

        with NetCDFWriter("run.nc", catalog, times, resolve_groups(["position"])) as writer:
            for start, arrays in blocks:
                writer.write(start, arrays)

    `xr.open_dataset("run.nc")` then equals `make_dataset` of the same arguments, attributes included. The file appears
    when the `with` block ends and every step has been written; until then, and for good where something fails, there
    is `NAME.partial` with the steps so far. It lacks the attributes on the extent in time and space. A NAME.partial
    left by an earlier run is overwritten.

    Args:
        path: the file to be made.
        catalog: the n objects.
        times: all m instants, UTC, datetime64 of shape (m,), strictly increasing.
        variables: names of variables, as `resolve_groups` gives them; `status` must be among them.
        frame: "teme" or "itrs", the frame that positions and velocities are in.
        dtype: "float32" or "float64", the type that floating-point variables are stored in. float32 holds a position
            to 0.25 m in low orbits and to 2 m at the height of geostationary ones.
        precision: how the numbers were computed; goes into the global attributes.
        overwrite: whether an existing file may be replaced; it stays until the new one is complete.
        attributes: global attributes to add or to put in place of the default ones (`history`, `title` ...); the attribute of
            that name may be changed until the file is begun.
        block_steps: how many steps most blocks will have; the file is laid out for it.

    Raises:
        InputError: the file exists, its folder does not or cannot be written to, another run is writing it, or an
            argument is wrong.
        OutputError: (on entering) the disk has no room for the whole file.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        catalog: Catalog,
        times: ArrayLike,
        variables: Iterable[str],
        *,
        frame: str = "teme",
        dtype: str = "float32",
        precision: str = "float64",
        overwrite: bool = False,
        attributes: Mapping[str, Any] | None = None,
        block_steps: int = 60,
    ) -> None:
        self.path = Path(path)
        self.partial = self.path.with_name(self.path.name + ".partial")
        self._names = check_variables(variables)
        self._times = check_times(times)
        self._catalog = catalog
        self._frame = check_frame(frame)
        self._precision = precision
        self._overwrite = overwrite
        self.attributes = dict(attributes or {})
        if dtype not in DTYPES:
            raise InputError(f"dtype {dtype!r}: unknown; known are {', '.join(DTYPES)}")
        if block_steps < 1:
            raise InputError(f"block_steps {block_steps}: expected at least 1")
        if not len(catalog):
            raise InputError("catalogue: no objects; an output needs at least one")
        self._dtype = dtype
        self._chunks = _chunk_shape(len(self._times), len(catalog), block_steps)
        self._extremes = Extremes()
        self._written = 0
        self._dataset: netCDF4.Dataset | None = None
        self._space: DiskSpace | None = None
        check_target(self.path, overwrite=self._overwrite)

    @property
    def steps_written(self) -> int:
        """Number of steps that are on disk."""
        return self._written

    def __enter__(self) -> NetCDFWriter:
        check_target(self.path, overwrite=self._overwrite)
        try:
            self._space = DiskSpace(self.partial)
        except OSError as error:
            raise InputError(f"{self.partial}: cannot be written ({error.strerror}); choose another place") from None
        header = _HEADER_BYTES + sum(
            c.values.size * 32 + len("".join(c.values.tolist()).encode())
            if c.values.dtype.kind == "U"
            else c.values.nbytes
            for c in satellite_coordinates(self._catalog)
        )
        try:
            needed = header + self._block_bytes(0, len(self._times))
            free = shutil.disk_usage(self.partial.parent).free
            if free < needed:
                raise OutputError(
                    f"{self.path}: needs {_size(needed)} and the disk has {_size(free)} free; nothing was written"
                )
            self._space.reserve(header)  # a check only: creating the file cuts it to nothing
            self._dataset = self._create()
        except BaseException as error:
            self._space.close(trim=False)
            self.partial.unlink(missing_ok=True)  # nothing of use is in it yet
            if isinstance(error, (OSError, RuntimeError)) and not isinstance(error, OutputError):
                raise OutputError(f"{self.path}: {cause_of(error)}; nothing was written") from error
            raise
        return self

    def write(self, start: int, arrays: Mapping[str, ArrayLike]) -> None:
        """Appends a block of steps and puts it on disk.

        Args:
            start: index of its first step; blocks come in order and without gaps.
            arrays: variable name -> array of shape (block, n) in the units of `VARIABLES`, for every variable of the
                file.

        Raises:
            InputError: a block out of order or beyond the last step, or variables or shapes that do not fit.
            OutputError: the block could not be stored; the message says how much is in NAME.partial.
        """
        if self._dataset is None or self._space is None:
            raise InputError(f"{self.path}: not open; use NetCDFWriter in a `with` statement")
        steps = len(np.asarray(next(iter(arrays.values()), ())))
        if start != self._written or not 1 <= steps <= len(self._times) - start:
            raise InputError(
                f"{self.path}: block of {steps} steps at {start}; "
                f"expected one at {self._written} that ends by {len(self._times)}"
            )
        block = check_block(arrays, self._names, (steps, len(self._catalog)), self._dtype)
        try:
            self._space.reserve(self._block_bytes(start, start + steps))
        except OSError as error:
            self._shut()
            raise OutputError(f"{self.path}: {cause_of(error)}; {self._rest()}") from error
        try:
            try:
                self._put(start, block)
            except KeyboardInterrupt:
                self._put(start, block)  # an interrupt between two variables must not leave a block with half of them
                raise
        except (OSError, RuntimeError) as error:
            self._shut()
            raise OutputError(
                f"{self.path}: {cause_of(error)}; {self.partial.name} was sound up to step {start} of {len(self._times)} "
                "but the failed write may have damaged it"
            ) from error
        self._extremes.update(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._dataset is None:
            return  # a failed write has closed it and told
        if error is not None:
            self._shut()
            error.add_note(f"{self.path}: not finished; {self._rest()}")
            return
        if self._written < len(self._times):
            self._shut()
            raise OutputError(f"{self.path}: not finished, steps are missing; {self._rest()}")
        self._finish()

    def _create(self) -> netCDF4.Dataset:
        """The file with its header and everything that does not depend on time."""
        dataset = netCDF4.Dataset(self.partial, "w", format="NETCDF4")
        # Fill values stay on: they cost nothing for whole chunks, and what a killed run has not stored reads as NaN,
        # not as noise.
        header = header_attributes(self._catalog, self._times, frame=self._frame, precision=self._precision)
        dataset.setncatts({**header, **self.attributes})
        dataset.createDimension(TIME, None)
        dataset.createDimension(SATELLITE, len(self._catalog))

        self._encoded = encode_times(self._times)
        time = dataset.createVariable(TIME, "i8", (TIME,), chunksizes=(min(len(self._times), _TIME_CHUNK),))
        time.setncatts({**time_attributes(), "units": self._encoded.units, "calendar": CALENDAR})
        coordinates = satellite_coordinates(self._catalog)
        for name, values, attributes in coordinates:
            if values.dtype.kind == "M":
                values, units = encode_times(values)
                attributes = {**attributes, "units": units, "calendar": CALENDAR}
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
        for name in self._names:
            is_status = name == STATUS_VARIABLE
            variable = dataset.createVariable(
                name,
                "i1" if is_status else np.dtype(self._dtype),
                DIMENSIONS,
                zlib=is_status,
                complevel=1,
                shuffle=is_status,
                fill_value=None if is_status else np.nan,
                chunksizes=self._chunks,
                chunk_cache=_CHUNK_CACHE_BYTES,
            )
            attributes = VARIABLES[name].attributes_in(self._frame)
            if name not in SUB_SATELLITE:
                attributes["coordinates"] = " ".join(
                    [c.name for c in coordinates] + [c for c in SUB_SATELLITE if c in self._names]
                )
            variable.setncatts(attributes)
        for variable in dataset.variables.values():
            variable.set_auto_maskandscale(False)  # the values are as they are to be stored
        dataset.sync()
        return dataset

    def _put(self, start: int, block: Mapping[str, NDArray[Any]]) -> None:
        assert self._dataset is not None
        stop = start + len(block[STATUS_VARIABLE])
        # Time first, status last: if the process is killed between them, the instants are right and the status says
        # "not stored".
        self._dataset[TIME][start:stop] = self._encoded.values[start:stop]
        for name, values in block.items():
            self._dataset[name][start:stop] = values
        self._dataset.sync()
        self._written = stop

    def _finish(self) -> None:
        """Adds what is known at the end, closes and renames."""
        assert self._dataset is not None
        assert self._space is not None
        try:
            self._space.reserve(_HEADER_BYTES)
            known = coverage_attributes(self._times, self._extremes)
            self._dataset.setncatts({key: value for key, value in known.items() if key not in self.attributes})
            self._dataset.sync()
            self._dataset.close()
        except (OSError, RuntimeError) as error:
            self._shut()
            raise OutputError(f"{self.path}: {cause_of(error)}; {self._rest()}") from error
        self._dataset = None
        self._space.close()
        if self.path.exists() and not self._overwrite:
            raise InputError(
                f"{self.path}: has appeared during the run and is kept; the result is complete in {self.partial.name}"
            )
        try:
            os.replace(self.partial, self.path)
        except OSError as error:
            raise OutputError(
                f"{self.path}: {cause_of(error)}; the result is complete in {self.partial.name}"
            ) from error

    def _shut(self) -> None:
        """Closes the file as it is. All finished blocks are on disk already, so that a failure to close is no news."""
        dataset, self._dataset = self._dataset, None
        closed = False
        if dataset is not None:
            with contextlib.suppress(OSError, RuntimeError):
                dataset.close()
                closed = True
        if self._space is not None:
            self._space.close(trim=closed)

    def _rest(self) -> str:
        return f"{self.partial.name} holds the first {self._written} of {len(self._times)} steps and can be read"

    def _block_bytes(self, start: int, stop: int) -> int:
        """Upper bound of what steps start...stop add to the file: whole chunks, and bookkeeping."""
        rows, columns = self._chunks
        step_chunks = -(-stop // rows) - start // rows
        satellite_chunks = -(-len(self._catalog) // columns)
        bytes_per_value = (len(self._names) - 1) * np.dtype(self._dtype).itemsize + 1
        chunks = step_chunks * satellite_chunks
        per_chunk = rows * columns * bytes_per_value + len(self._names) * _CHUNK_INDEX_BYTES
        return chunks * per_chunk + (stop - start) * 8 + _HEADER_BYTES


def check_target(path: Path, *, overwrite: bool) -> None:
    """Raises InputError where a file cannot be made: it exists, or its folder does not or cannot be written to."""
    folder = path.parent
    if not folder.is_dir():
        raise InputError(f"{path}: there is no folder {folder}; create it first")
    if path.is_dir():
        raise InputError(f"{path}: is a folder; expected the name of a file")
    if path.exists() and not overwrite:
        raise InputError(f"{path}: exists already; choose another name or allow overwriting")
    if not os.access(folder, os.W_OK):
        raise InputError(f"{path}: the folder {folder} cannot be written to; choose another")


_CHUNK_BYTES: Final = 240_000
"""Size of a chunk of one float32 variable. Measured on 20,000 objects, 3 variables, blocks of 60 steps of 14.4 MB:
chunks of (60, 250), (60, 1000), (60, 4000) and (60, 20000) are written at 1.5, 1.8, 1.7 and 1.2 GB/s; in 1,440 steps
the history of one object is read in 1.1, 2.5, 7 and 39 ms and one instant of all objects in 1.9, 1.5, 1.4 and 1.1 ms.
A quarter of a megabyte serves both."""
_STEPS_PER_CHUNK: Final = 64
"""Longer blocks are split into equal chunks of at most this many steps, so that one instant does not cost a long
read."""
_TIME_CHUNK: Final = 4096
_CHUNK_CACHE_BYTES: Final = 1 << 20
"""Per variable. Whole chunks need no cache, and the 64 MB that netCDF would take for each variable made writing 10 %
slower."""
_HEADER_BYTES: Final = 1 << 20
"""Room for attributes and bookkeeping, several times what they take."""
_CHUNK_INDEX_BYTES: Final = 256
"""Room for the entry of one chunk in the index of its variable: 32 bytes in tree nodes that can be half empty."""


def _chunk_shape(steps: int, satellites: int, block_steps: int) -> tuple[int, int]:
    """Chunks as (time, satellite): a block is a whole number of them, as near as can be, and the last ones are not
    nearly empty."""
    block = min(steps, block_steps)
    rows = -(-block // -(-block // _STEPS_PER_CHUNK))
    columns = max(1, _CHUNK_BYTES // (4 * rows))
    return rows, -(-satellites // -(-satellites // columns))


def cause_of(error: BaseException) -> str:
    """What kept a file from being written, in words."""
    code = getattr(error, "errno", None)
    words = getattr(error, "strerror", None) or str(error)
    if code in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"the disk is full ({words})"
    if code == errno.EFBIG:
        return f"the largest allowed file size is reached ({words})"
    return f"cannot be written ({words})"


def _size(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
