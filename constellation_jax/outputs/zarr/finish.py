"""End of a run to Zarr, and the check of its blocks.

A satellite that fails in a block stays failed in later ones, which another job may have computed without knowing of it. The end
goes through the blocks in time and mends those few, takes the extent in space from their records, consolidates the metadata and
gives the output its name. Deliberately absent: computing.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.outputs.blocks import cut
from constellation_jax.outputs.datasets.header import Extremes, make_coverage_attributes
from constellation_jax.outputs.soundness import find_defect, find_latched
from constellation_jax.outputs.variable import DIMENSIONS, STATUS_VARIABLE, TIME
from constellation_jax.outputs.zarr.layout import FIGURES, make_record, open_array
from constellation_jax.outputs.zarr.place import Place, consolidate, is_damage, make_store, open_run
from constellation_jax.outputs.zarr.shards import put_shard


def finish(path: str | os.PathLike[str] | Place, *, overwrite: bool = False) -> None:
    """Complete a Zarr output whose blocks several jobs have written.

    Args:
        path: of the output, as it was given to the jobs.
        overwrite: whether a complete output of that name may be replaced.

    Raises:
        InputError: there is no unfinished output, jobs are writing it, or blocks are missing; the message numbers them.
        OutputError: its name could not be given.
    """
    place = path if isinstance(path, Place) else Place(path, overwrite=overwrite)
    with place.naming_failures(), contextlib.ExitStack() as held:
        if place.state() != "growing":
            raise InputError(f"{place}: there is nothing to finish; expected an unfinished output in {place.growing}")
        held.enter_context(place.hold(shared=False))
        complete(place)


def complete(place: Place) -> int:
    """Complete an output as `finish`, whose lock the caller holds; return the number of satellites failed at the last instant."""
    store = StoreBlocks(place.growing)
    missing = np.flatnonzero(~store.is_stored)
    if len(missing):
        some = ", ".join(str(k) for k in missing[:8]) + (" ..." if len(missing) > 8 else "")
        raise InputError(
            f"{place.growing}: {len(missing)} of {len(store.is_stored)} blocks are missing ({some}, counted from 0); run their "
            "jobs again, or propagate with --resume, first"
        )
    store.latch_failures()
    records = store.read_records()
    attributes = make_coverage_attributes(store.times, _join_extremes(records))
    store.group.attrs.update({**attributes, **store.group.attrs.asdict()})  # what the user has given stays
    consolidate(place.growing)
    store.run.attrs["state"] = "complete"
    place.finish()
    return int(records[-1, 0])


class StoreBlocks:
    """Blocks of a Zarr output, complete or not.

    Args:
        address: folder or address.

    Raises:
        InputError: there is no output of this package, or its metadata are damaged.
    """

    def __init__(self, address: str) -> None:
        self.group, self.run = open_run(address, mode="r+")
        self._address = address
        try:
            self._open_arrays(address)
        except Exception as error:  # of damaged metadata zarr and xarray raise a dozen kinds
            if not is_damage(error, address):
                raise
            raise InputError(f"{address}: a damaged Zarr store ({error}); write it again") from error

    def _open_arrays(self, address: str) -> None:
        store: Any = make_store(address)
        with xr.open_dataset(store, engine="zarr", consolidated=False, chunks=None, decode_coords=False) as known:
            self.times: NDArray[np.datetime64] = known[TIME].values
            self._epochs: NDArray[np.datetime64] = known["epoch"].values
            self._names = [str(name) for name in known.variables if known[name].dims == DIMENSIONS]
        self._arrays = {name: open_array(self.group, name) for name in self._names}
        self._records = open_array(self.run, "blocks")
        status = self._arrays[STATUS_VARIABLE]
        self._bounds = cut(len(self.times), int((status.shards or status.chunks)[0]))

    @property
    def is_stored(self) -> NDArray[np.bool_]:
        """Blocks that have a record."""
        return ~np.isnan(self.read_records()[:, 0])

    def read_records(self) -> NDArray[np.float64]:
        """Read the records of all blocks, shape (blocks, figures); NaN where there is none."""
        return np.asarray(self._records[:], np.float64)

    def read(self, block: int) -> dict[str, NDArray[Any]]:
        """Read a block.

        Raises:
            ValueError, OSError, RuntimeError: a checksum does not hold, or a file is torn.
        """
        rows = self._bounds[block]
        return {name: np.asarray(array[rows]) for name, array in self._arrays.items()}

    def latch_failures(self) -> None:
        """Carry failures on into the blocks that follow, where these do not know of them."""
        latched = np.zeros(len(self._epochs), np.int8)
        failed = self.read_records()[:, 0]
        for block, rows in enumerate(self._bounds):
            columns = np.flatnonzero(latched)
            if not len(columns) and not failed[block]:
                continue
            status = np.asarray(self._arrays[STATUS_VARIABLE][rows])
            if (status[:, columns] != latched[columns]).any():
                self._mend(block, columns, latched[columns])
                status[:, columns] = latched[columns]
            latched = find_latched(status[-1], self.times[rows.stop - 1], self._epochs)

    def find_defects(self) -> Iterator[tuple[int, str]]:
        """Yield the number of each stored block that is not sound, and what is wrong with it."""
        for block in np.flatnonzero(self.is_stored).tolist():
            try:
                defect = find_defect(self.read(block))
            except Exception as error:  # of damaged chunks the codecs raise a dozen kinds
                if not is_damage(error, self._address):
                    raise
                defect = f"cannot be read ({error})"
            if defect is not None:
                yield block, defect

    def forget(self, blocks: list[int]) -> None:
        """Remove the records of blocks, so that a run computes them anew."""
        for block in blocks:
            self._records[block] = np.full(len(FIGURES), np.nan)

    def _mend(self, block: int, columns: NDArray[np.intp], codes: NDArray[np.int8]) -> None:
        values = self.read(block)
        for name, each in values.items():
            each[:, columns] = codes if name == STATUS_VARIABLE else np.nan
            put_shard(self._arrays[name], self._bounds[block], each)
        self._records[block] = make_record(values)


def _join_extremes(records: NDArray[np.float64]) -> Extremes:
    extremes = Extremes()
    for k in range(1, len(FIGURES), 2):
        if not np.isnan(records[:, k]).all():
            name = FIGURES[k].removeprefix("min_")
            extremes.ranges[name] = (float(np.nanmin(records[:, k])), float(np.nanmax(records[:, k + 1])))
    return extremes
