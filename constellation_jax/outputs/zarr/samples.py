"""Writer of propagations to Zarr (version 3), block by block, in any order, by one process or by many.

    x, y, z, ... (time, satellite)     one shard a block: all satellites at its instants, in chunks of a megabyte with a checksum
    run/blocks (block, figure)         one row a block, written last: its being there is the commit

A block is the same whoever computes it, a shard appears as a whole (the file is renamed), and the record comes last: a run that is
killed has every block with a record, and what is done twice is done to the same bytes. So runs may be gone on with, and shared
between jobs that know nothing of each other. What only the end can do is in finish.py: failures that last beyond their block, the
extent in space, consolidated metadata, and the name.

Deliberately absent: appending to a finished output. See place.py for where it is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import xarray as xr
import zarr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, OutputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.blocks import cut
from constellation_jax.outputs.datasets.header import make_propagation_header, to_plain
from constellation_jax.outputs.datasets.propagation import (
    SUB_SATELLITE,
    check_block,
    check_dtype,
    check_variables,
    count_state_bytes,
    make_dataset,
    make_lifetime_attributes,
)
from constellation_jax.outputs.datasets.times import check_times
from constellation_jax.outputs.fingerprint import Fingerprint, check_fingerprint, decode_fingerprint, encode_fingerprint
from constellation_jax.outputs.netcdf.samples import check_memory
from constellation_jax.outputs.netcdf.samples import check_size as check_file_size
from constellation_jax.outputs.soundness import NOT_STORED, find_latched
from constellation_jax.outputs.target import check_disk, describe_cause, is_address
from constellation_jax.outputs.variable import DIMENSIONS, SATELLITE, STATUS_VARIABLE, TIME
from constellation_jax.outputs.variables import LIFETIME, VARIABLES
from constellation_jax.outputs.zarr.finish import complete
from constellation_jax.outputs.zarr.layout import FIGURES, choose_layout, make_record, open_array
from constellation_jax.outputs.zarr.place import Place, begin_run, make_store, open_run
from constellation_jax.outputs.zarr.shards import CRC, ZSTD, put_shard
from constellation_jax.outputs.zarr.whole_store import encode_dataset


class ZarrWriter:
    """Writer of blocks of time steps to a Zarr store. Use it in a `with` statement.

        with ZarrWriter("leo.zarr", catalog, times, names, fingerprint=fingerprint, block_steps=320) as writer:
            for rows in writer.find_missing():
                writer.write(rows.start, compute(rows))

    The store is laid out where it is not there yet, and gone on with where `resume` or `shared` allow it. When the `with` block
    ends it is completed and gets its name, unless it is shared: then `finish` of finish.py does that.

    Args:
        path: of the store, or its `Place`.
        catalog, times, variables, frame, dtype, precision, attributes: as for `NetCDFWriter`.
        fingerprint: of the run.
        block_steps: steps of a block, rounded up to whole chunks.
        resume: whether an unfinished store of this run is gone on with; otherwise it is replaced.
        shared: whether other jobs write to the store at the same time. An unfinished store is always gone on with then.
        overwrite: whether a complete store may be replaced; it stays until the new one is complete.

    Raises:
        InputError: an argument is wrong; (on entering) another run is writing, or the store is of another run.
        OutputError: (on entering) the disk has no room, or the store could not be laid out.
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | Place,
        catalog: Catalog,
        times: ArrayLike,
        variables: Iterable[str],
        *,
        fingerprint: Fingerprint,
        frame: str = "teme",
        dtype: str = "float32",
        precision: str = "float64",
        attributes: Mapping[str, Any] | None = None,
        block_steps: int = 64,
        resume: bool = False,
        shared: bool = False,
        overwrite: bool = False,
    ) -> None:
        self._place = path if isinstance(path, Place) else Place(path, overwrite=overwrite)
        self._catalog = catalog
        self._times = check_times(times)
        self._names = check_variables(variables)
        self._frame, self._dtype, self._precision = frame, check_dtype(dtype), precision
        self.attributes = dict(attributes or {})
        self._layout = choose_layout(len(self._times), len(catalog), block_steps)
        self._fingerprint = {**fingerprint, "block_steps": str(self._layout.block)}
        self._bounds = cut(len(self._times), self._layout.block)
        self._resume, self._shared = resume, shared
        self._held = contextlib.ExitStack()
        self._arrays: dict[str, zarr.Array[Any]] = {}
        self._records: zarr.Array[Any] | None = None
        self.failed = 0
        """Satellites that have failed at the last instant of the last block that was written, or of the complete output."""

    @property
    def block(self) -> int:
        """Number of steps of a block."""
        return self._layout.block

    @property
    def place(self) -> str:
        """Folder or address of the output, NAME.partial while it is not complete."""
        return self._place.address if self._place.state() == "complete" else self._place.growing

    @property
    def size(self) -> int:
        """Bytes of the output."""
        return self._place.measure()

    def check_disk(self) -> None:
        """Raise OutputError where the disk of a folder has no room for the whole output."""
        if not self._place.is_remote:
            per_state = count_state_bytes(self._names, self._dtype)
            check_disk(self._place.address, len(self._times) * len(self._catalog) * per_state + _HEADER_BYTES)

    def __enter__(self) -> Self:
        with self._place.naming_failures(), contextlib.ExitStack() as stack:
            stack.enter_context(self._place.hold(shared=self._shared))
            self._place.check()
            if self._place.state() == "growing" and not (self._resume or self._shared):
                self._place.remove_growing()
            if self._place.state() != "growing":
                self._make()
            group, run = open_run(self._place.growing, mode="r+")
            check_fingerprint(decode_fingerprint(run.attrs.get("fingerprint")), self._fingerprint, self._place.growing)
            self._arrays = {name: open_array(group, name) for name in self._names}
            self._records = open_array(run, "blocks")
            self._held = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._held:
            if error is None and not self._shared:
                with self._place.naming_failures():
                    self.failed = complete(self._place)
            elif error is not None:
                total, stored = len(self._bounds), "some"
                with contextlib.suppress(Exception):  # the connection may be lost
                    stored = str(total - len(self.find_missing()))
                error.add_note(
                    f"{self._place}: not finished; {self._place.growing} holds {stored} of {total} blocks, and the same command "
                    "with --resume goes on"
                )

    def find_missing(self) -> list[slice]:
        """Find the instants of each block that has no record."""
        with self._place.naming_failures():
            records = np.asarray(self._opened()[:], np.float64)
        return [rows for rows, record in zip(self._bounds, records, strict=True) if np.isnan(record[0])]

    def find_latched(self, start: int) -> NDArray[np.int8]:
        """Find the codes that satellites have kept before the block at a step, 0 where the block before has not been stored."""
        block, last = start // self.block, start - 1
        with self._place.naming_failures():
            if block == 0 or np.isnan(np.asarray(self._opened()[block - 1], np.float64)[0]):
                return np.zeros(len(self._catalog), np.int8)
            status = np.asarray(self._arrays[STATUS_VARIABLE][last])
        return find_latched(status, self._times[last], self._catalog.epoch)

    def write(self, start: int, arrays: Mapping[str, ArrayLike]) -> None:
        """Store a block of steps, and its record.

        Args:
            start: index of its first step, the beginning of a block.
            arrays: variable name -> array of shape (block, n) in the units of the table of variables, for every variable.

        Raises:
            InputError: no whole block, or variables or shapes that do not fit.
            OutputError: the block could not be stored.
        """
        records = self._opened()
        number, rest = divmod(start, self.block)
        rows = self._bounds[number]
        steps = len(np.asarray(next(iter(arrays.values()), ())))
        if rest or steps != rows.stop - rows.start:
            raise InputError(
                f"{self._place}: block of {steps} steps at {start}; expected a whole block of {self.block}"
            )
        block = check_block(arrays, self._names, (steps, len(self._catalog)), self._dtype)
        if not (self._place.is_remote or os.path.isdir(self._place.growing)):  # zarr would make a folder anew
            raise OutputError(f"{self._place}: the folder {self._place.growing} has been removed during the run")
        with self._place.naming_failures():
            for name, values in block.items():
                put_shard(self._arrays[name], rows, values)
            records[number] = record = make_record(block)
        self.failed = int(record[0])

    def write_lifetimes(self, lifetime: ArrayLike, comment: str) -> None:
        """Add the lifetime of each object, days, NaN where not known; `comment` says how it was computed."""
        found = xr.Dataset(
            {LIFETIME.name: (SATELLITE, np.asarray(lifetime), to_plain(make_lifetime_attributes(comment)))}
        )
        with self._place.naming_failures():
            found.to_zarr(make_store(self._place.growing), mode="a", consolidated=False)

    def _opened(self) -> zarr.Array[Any]:
        if self._records is None:
            raise InputError(f"{self._place}: not open; use ZarrWriter in a `with` statement")
        return self._records

    def _make(self) -> None:
        """Lay the store out: a folder under another name first, so that two jobs may do it at once."""
        self.check_disk()
        if self._place.is_remote:
            self._place.make_room()
            self._lay_out(self._place.address)
            return
        try:
            made = self._place.make_folder()
            self._lay_out(made)
            self._place.begin(made)
        except OSError as error:
            raise OutputError(f"{self._place}: {describe_cause(error)}; nothing was written") from error

    def _lay_out(self, folder: str) -> None:
        """Write the coordinates, elements and attributes, and an empty array for each variable, unless another job was quicker.

        The group of the run comes first, with the state "begun", which becomes "growing" at the end.
        """
        store = make_store(folder)
        begin_run(store, encode_fingerprint(self._fingerprint))
        known = self._make_coordinates()
        known.to_zarr(store, mode="a", zarr_format=3, consolidated=False)
        group, run = open_run(folder, mode="r+")
        auxiliary = [str(name) for name in known.coords if name not in (TIME, SATELLITE)]
        for name in self._names:
            if name in group:
                continue
            is_status = name == STATUS_VARIABLE
            attributes = to_plain(VARIABLES[name].make_attributes(self._frame))
            if name not in SUB_SATELLITE:
                attributes["coordinates"] = " ".join(auxiliary + [c for c in SUB_SATELLITE if c in self._names])
            group.create_array(
                name,
                shape=(len(self._times), len(self._catalog)),
                dtype=np.int8 if is_status else self._dtype,
                chunks=self._layout.chunks,
                shards=(self._layout.block, self._layout.columns),
                compressors=[ZSTD, CRC] if is_status else [CRC],
                fill_value=NOT_STORED if is_status else np.nan,
                attributes=attributes,
                dimension_names=DIMENSIONS,
            )
        if "blocks" not in run:
            run.create_array(
                "blocks", shape=(len(self._bounds), len(FIGURES)), chunks=(1, len(FIGURES)), dtype="f8", fill_value=np.nan,
                compressors=None, attributes={"figures": list(FIGURES)}, dimension_names=("block", "figure"),
            )  # fmt: skip
        run.attrs["state"] = "growing"

    def _make_coordinates(self) -> xr.Dataset:
        """Make what is known before the first block: coordinates, elements and attributes."""
        header = make_propagation_header(self._catalog, self._times, frame=self._frame, precision=self._precision)
        nothing = {
            name: np.zeros((1, len(self._catalog)), np.int8 if name == STATUS_VARIABLE else self._dtype)
            for name in self._names
        }
        whole = make_dataset(self._catalog, self._times[:1], nothing, frame=self._frame, dtype=self._dtype)
        known = whole.drop_vars(self._names).drop_dims(TIME)
        known = known.assign_coords({TIME: (TIME, self._times, VARIABLES[TIME].make_attributes())})
        known.attrs = {**header, **self.attributes}
        return encode_dataset(known)


_HEADER_BYTES: Final = 1 << 20


def check_size(
    path: str | os.PathLike[str], satellites: int, steps: int, variables: Iterable[str], dtype: str, memory_bytes: int
) -> None:
    """Check the size of a store of regular steps, as the function of that name in netcdf/samples.py does."""
    if is_address(path):
        check_memory(path, steps, memory_bytes)
    else:
        check_file_size(path, satellites, steps, variables, dtype, memory_bytes)
