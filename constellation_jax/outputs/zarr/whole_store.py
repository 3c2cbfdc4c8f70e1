"""Writer of Datasets that are in memory to Zarr stores (version 3), and the check of such stores."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr

from constellation_jax.errors import OutputError
from constellation_jax.outputs.datasets.header import to_plain
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.target import describe_cause
from constellation_jax.outputs.zarr.place import RUN, Place, consolidate, make_store
from constellation_jax.outputs.zarr.shards import CRC, ZSTD

WHOLE: Final = "dataset"
"""Attribute `content` of the run of a store that was written whole."""
_CHUNK_BYTES: Final = 1 << 23
_TIMES: Final = ("units", "calendar", "dtype")


def write_dataset(dataset: xr.Dataset, path: str | os.PathLike[str] | Place, *, overwrite: bool = False) -> None:
    """Write a Dataset to a store, which gets its name when it is complete.

    Raises:
        InputError: as for `Place`.
        OutputError: the store could not be written; nothing of it is left.
    """
    place = path if isinstance(path, Place) else Place(path, overwrite=overwrite)
    with place:
        state = place.state()
        if state == "growing" or (place.is_remote and state != "absent"):
            place.remove_growing()
        folder = ""
        try:
            folder = place.address if place.is_remote else place.make_folder()
            _fill(dataset, folder)
            if not place.is_remote:
                place.begin(folder)
        except BaseException as error:
            if folder and not place.is_remote:
                shutil.rmtree(folder, ignore_errors=True)
            if isinstance(error, OSError):
                raise OutputError(f"{place}: {describe_cause(error)}; nothing was written") from error
            raise
        zarr.open_group(make_store(place.growing), path=RUN, mode="r+").attrs["state"] = "complete"
        place.finish()


def find_defects(group: zarr.Group) -> Iterator[str]:
    """Yield a line for each variable of a store that was written whole and cannot be read."""
    for name, array in group.arrays():
        try:
            array[...]
        except Exception as error:  # of damaged chunks the codecs raise a dozen kinds
            yield f"{name}: cannot be read ({error})"


def encode_dataset(dataset: xr.Dataset) -> xr.Dataset:
    """Make a shallow copy with texts as strings, dates as whole numbers, large chunks, and attributes that JSON holds."""
    encoded = dataset.copy()
    encoded.attrs = to_plain(dataset.attrs)
    for name in [*encoded.variables]:
        variable = encoded[name]
        kind, known = variable.dtype.kind, dict(variable.encoding)
        if kind in "UT":
            encoded[name] = (variable.dims, variable.values.astype(object), variable.attrs)
        encoded[name].attrs = to_plain(variable.attrs)
        row = variable.dtype.itemsize * int(np.prod(variable.shape[1:], dtype=np.int64))
        shape = (min(len(variable), max(1, _CHUNK_BYTES // max(1, row))), *variable.shape[1:]) if variable.ndim else ()
        own: dict[str, Any] = {"chunks": tuple(max(1, size) for size in shape)}
        if kind == "M":
            is_known = "units" in known
            own |= {key: known[key] for key in _TIMES} if is_known else make_time_encoding(variable.values)
        encoded[name].encoding = own if variable.ndim else {}
    return encoded


def _fill(dataset: xr.Dataset, folder: str) -> None:
    encoded = encode_dataset(dataset)
    for variable in encoded.variables.values():
        if variable.ndim:
            variable.encoding["compressors"] = [ZSTD, CRC]
    store = make_store(folder)
    encoded.to_zarr(store, mode="w", zarr_format=3, consolidated=False)
    zarr.open_group(store, mode="r+").create_group(RUN, attributes={"state": "growing", "content": WHOLE})
    consolidate(folder)
