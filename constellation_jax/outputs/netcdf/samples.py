"""Writer of propagations to netCDF-4, block by block: a run need not fit into memory, and a failure keeps the finished blocks.

The file grows as NAME.partial beside the target and is renamed when every step is in it. After each block the file is
consistent on disk: a run that is stopped, killed or out of disk space leaves a NAME.partial that opens with all
finished blocks. Where the process was killed while it stored a block, that block may be there in part: its missing
values read as NaN, as -127 in `status`, or not at all, and the blocks before it have to be selected (`isel`).
Of 472 processes that did nothing but write and were killed at random, 9 left such a file; in one of them finished steps
had lost their status, while their states were right. After a crash of the machine the state of the file depends on the file
system, as nothing waits for the disk (fsync).

On a full disk the file stays readable (see partial_file.py). Without space set aside beforehand it did not open, or opened with
blocks that were not there: both were seen, on tmpfs, on ext4 and under a limit of the file size.

Deliberately absent: appending to a finished file, and compression of positions (it shrinks them by 10 to 20 % at a thirtieth of
the speed).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import Extremes, make_coverage_attributes, make_propagation_header
from constellation_jax.outputs.datasets.propagation import (
    SUB_SATELLITE,
    check_block,
    check_dtype,
    check_variables,
    count_state_bytes,
    make_lifetime_attributes,
)
from constellation_jax.outputs.datasets.times import CALENDAR, check_times, encode_times
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.outputs.netcdf.library import NETCDF_LOCK, encode_attributes
from constellation_jax.outputs.netcdf.partial_file import (
    CHUNK_CACHE_BYTES,
    CHUNK_INDEX_BYTES,
    HEADER_BYTES,
    PartialFile,
)
from constellation_jax.outputs.netcdf.unfinished import read_sound_blocks
from constellation_jax.outputs.soundness import find_defect, find_latched
from constellation_jax.outputs.target import check_disk, format_size
from constellation_jax.outputs.variable import DIMENSIONS, SATELLITE, STATUS_VARIABLE, TIME, check_frame
from constellation_jax.outputs.variables import LIFETIME, VARIABLES, resolve_groups


def check_size(
    path: str | os.PathLike[str], satellites: int, steps: int, variables: Iterable[str], dtype: str, memory_bytes: int
) -> None:
    """Check the size of a file of regular steps before any array is made.

    Args:
        path: the file to be made.
        satellites, steps: numbers of objects and of instants.
        variables: groups, as for `propagate_to`.
        dtype: "float32" or "float64".
        memory_bytes: bound on the arrays of the run.

    Raises:
        OutputError: the disk has no room for the file.
        InputError: the instants alone take more than the memory.
    """
    check_disk(path, satellites * steps * count_state_bytes(resolve_groups(variables), dtype))
    check_memory(path, steps, memory_bytes)


def check_memory(path: str | os.PathLike[str], steps: int, memory_bytes: int) -> None:
    """Raise InputError where the instants of a run alone take more than the memory."""
    needed = steps * _BYTES_PER_INSTANT
    if needed > memory_bytes:
        raise InputError(
            f"{path}: {steps:,} instants take {format_size(needed)} of memory for the times alone, and {format_size(memory_bytes)} "
            f"are allowed; choose a longer step, runs of {memory_bytes // _BYTES_PER_INSTANT:,} instants at most, or more memory"
        )


class NetCDFWriter(PartialFile):
    """Writer of blocks of time steps to a netCDF-4 file. Use it in a `with` statement.

        with NetCDFWriter("run.nc", catalog, times, resolve_groups(["position"])) as writer:
            for start, arrays in blocks:
                writer.write(start, arrays)

    `xr.open_dataset("run.nc")` then equals `make_dataset` of the same arguments, attributes included. The file appears
    when the `with` block ends and every step has been written; until then, and for good where something fails, there
    is `NAME.partial` with the steps so far. It lacks the attributes on the extent in time and space. A NAME.partial
    left by an earlier run is replaced; any other file of that name is refused.

    Args:
        path: the file to be made, or its `Target`.
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
        block_steps: number of steps of most blocks; the file is laid out for it.
        fingerprint: of the run, which NAME.partial carries, so that it may be gone on with; None for none.
        shared: whether other jobs write, too, which NetCDF cannot do.
        resume: whether the sound blocks of a NAME.partial of the same run are taken over (on entering).

    Raises:
        InputError: an argument is wrong, or as for `Target`; (on entering) NAME.partial is of another run.
        OutputError: (on entering) the disk has no room for the whole file.
    """

    _dimension = TIME

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
        fingerprint: Fingerprint | None = None,
        resume: bool = False,
        shared: bool = False,
    ) -> None:
        if shared:
            raise InputError(
                f"{path}: one process alone writes a file; expected a Zarr store (NAME.zarr) for a shard or client"
            )
        self._times = check_times(times)
        if block_steps < 1:
            raise InputError(f"block_steps {block_steps}: expected at least 1")
        super().__init__(
            path, catalog, len(self._times), "steps", overwrite=overwrite, attributes=attributes, block=block_steps,
            fingerprint=fingerprint, resume=resume,
        )  # fmt: skip
        self._names = check_variables(variables)
        self._frame = check_frame(frame)
        self._precision = precision

        self._dtype = check_dtype(dtype)
        self._encoded = encode_times(self._times)
        self._chunks = _choose_chunks(len(self._times), len(catalog), block_steps)
        self._extremes = Extremes()
        self.failed = 0
        """Satellites that have failed at the last step on disk."""

    def find_latched(self, start: int) -> NDArray[np.int8]:
        """Find the codes that satellites have kept before a step, up to which all are on disk."""
        if not start:
            return np.zeros(len(self._catalog), np.int8)
        with NETCDF_LOCK:
            status = np.asarray(self._opened()[STATUS_VARIABLE][start - 1])
        return find_latched(status, self._times[start - 1], self._catalog.epoch)

    @property
    def place(self) -> str:
        """Path of the file, or of NAME.partial where it is not complete."""
        return str(self.path if self._written == len(self._times) and self._dataset is None else self.partial)

    @property
    def size(self) -> int:
        """Bytes of the complete file."""
        return self.path.stat().st_size

    @property
    def steps_written(self) -> int:
        """Number of steps that are on disk."""
        return self._written

    def write(self, start: int, arrays: Mapping[str, ArrayLike]) -> None:
        """Append a block of steps and put it on disk.

        Args:
            start: index of its first step; blocks come in order and without gaps.
            arrays: variable name -> array of shape (block, n) in the units of the table of variables, for every variable
                of the file.

        Raises:
            InputError: a block out of order or beyond the last step, or variables or shapes that do not fit.
            OutputError: the block could not be stored; the message says how much is in NAME.partial.
        """
        self._opened()
        steps = len(np.asarray(next(iter(arrays.values()), ())))
        if start != self._written or not 1 <= steps <= len(self._times) - start:
            raise InputError(
                f"{self.path}: block of {steps} steps at {start}; "
                f"expected one at {self._written} that ends by {len(self._times)}"
            )
        block = check_block(arrays, self._names, (steps, len(self._catalog)), self._dtype)
        self._append(start + steps, self._bound_block_bytes(start, start + steps), lambda: self._put(start, block))
        self._extremes.update(block)
        self.failed = int(np.count_nonzero(block[STATUS_VARIABLE][-1]))

    def write_lifetimes(self, lifetime: ArrayLike, comment: str) -> None:
        """Add the lifetime of each object, days, NaN where not known; `comment` says how it was computed.

        Raises:
            OutputError: it could not be stored.
        """
        dataset = self._opened()

        def put() -> None:
            variable = dataset.createVariable(
                LIFETIME.name, "f8", (SATELLITE,), zlib=True, complevel=1, fill_value=np.nan
            )
            variable.setncatts(
                encode_attributes(make_lifetime_attributes(comment)) | {"coordinates": " ".join(self._coordinates)}
            )
            variable[:] = np.asarray(lifetime)

        self._append(self._written, HEADER_BYTES + 8 * len(self._catalog), put)

    def _take_over(self, old: Path) -> None:
        for block in read_sound_blocks(old, self.find_missing(), self._read_sound):
            self.write(self._written, block)

    def _read_sound(self, file: netCDF4.Dataset, rows: slice) -> dict[str, NDArray[Any]] | None:
        if len(file.dimensions[TIME]) < rows.stop or (file[TIME][rows] != self._encoded.values[rows]).any():
            return None
        found = {name: np.asarray(file[name][rows]) for name in self._names}
        return found if find_defect(found) is None else None

    def _create(self, dataset: netCDF4.Dataset) -> None:
        # Fill values stay on: they cost nothing for whole chunks, and values that a killed run has not stored read as NaN,
        # not as noise.
        header = make_propagation_header(self._catalog, self._times, frame=self._frame, precision=self._precision)
        dataset.setncatts(encode_attributes({**header, **self.attributes}))
        dataset.createDimension(TIME, None)
        time = dataset.createVariable(TIME, "i8", (TIME,), chunksizes=(min(len(self._times), _TIME_CHUNK),))
        time.setncatts({**VARIABLES[TIME].make_attributes(), "units": self._encoded.units, "calendar": CALENDAR})
        self._coordinates = self._put_satellites(dataset)
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
                fletcher32=True,
                chunk_cache=CHUNK_CACHE_BYTES,
            )
            attributes = VARIABLES[name].make_attributes(self._frame)
            if name not in SUB_SATELLITE:
                attributes["coordinates"] = " ".join(self._coordinates + [c for c in SUB_SATELLITE if c in self._names])
            variable.setncatts(attributes)

    def _put(self, start: int, block: Mapping[str, NDArray[Any]]) -> None:
        assert self._dataset is not None
        stop = start + len(block[STATUS_VARIABLE])
        # Time first, status last: if the process is killed between them, the instants are right and the status says
        # "not stored".
        self._dataset[TIME][start:stop] = self._encoded.values[start:stop]
        for name, values in block.items():
            self._dataset[name][start:stop] = values

    def _make_final_attributes(self) -> dict[str, Any]:
        return make_coverage_attributes(self._times, self._extremes)

    def _bound_block_bytes(self, start: int, stop: int) -> int:
        """Bound the bytes that steps start...stop add to the file: whole chunks, and bookkeeping."""
        rows, columns = self._chunks
        step_chunks = -(-stop // rows) - start // rows
        satellite_chunks = -(-len(self._catalog) // columns)
        bytes_per_value = count_state_bytes(self._names, self._dtype)
        chunks = step_chunks * satellite_chunks
        per_chunk = rows * columns * bytes_per_value + len(self._names) * CHUNK_INDEX_BYTES
        return chunks * per_chunk + (stop - start) * 8 + HEADER_BYTES


_BYTES_PER_INSTANT: Final = 64
"""Instants of a run as they are given, as day and fraction, and as they are stored, with what is in between."""
_CHUNK_BYTES: Final = 240_000
"""Size of a chunk of one float32 variable. Measured on 20,000 objects, 3 variables, blocks of 60 steps of 14.4 MB:
chunks of (60, 250), (60, 1000), (60, 4000) and (60, 20000) are written at 1.5, 1.8, 1.7 and 1.2 GB/s; in 1,440 steps
the history of one object is read in 1.1, 2.5, 7 and 39 ms and one instant of all objects in 1.9, 1.5, 1.4 and 1.1 ms.
A quarter of a megabyte serves both."""
_STEPS_PER_CHUNK: Final = 64
"""Most steps of a chunk; longer blocks are split into equal chunks, so that one instant does not cost a long read."""
_TIME_CHUNK: Final = 4096
"""Instants in a chunk of the time coordinate."""


def _choose_chunks(steps: int, satellites: int, block_steps: int) -> tuple[int, int]:
    """Choose the shape (time, satellite) of chunks: a block is nearly a whole number of them, and the last ones are well filled."""
    block = min(steps, block_steps)
    rows = -(-block // -(-block // _STEPS_PER_CHUNK))
    columns = max(1, _CHUNK_BYTES // (4 * rows))
    return rows, -(-satellites // -(-satellites // columns))
