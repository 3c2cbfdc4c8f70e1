"""Writer of a Dataset that fits into memory; partial_file.py is for files that are written block by block."""

from __future__ import annotations

import contextlib
import os
from typing import Final

import numpy as np
import xarray as xr
from xarray.backends import NetCDF4DataStore

from constellation_jax.errors import OutputError
from constellation_jax.outputs.netcdf.disk_space import DiskSpace
from constellation_jax.outputs.netcdf.library import NETCDF_LOCK, check_file, create_file, encode_attributes, is_own
from constellation_jax.outputs.netcdf.partial_file import HEADER_BYTES
from constellation_jax.outputs.target import Target, describe_cause
from constellation_jax.outputs.variable import TIME


def write_dataset(dataset: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a Dataset to a netCDF-4 file, which appears under its name when it is complete.

    Raises:
        InputError: as for `Target`.
        OutputError: the file could not be written, such as on a full disk; the message says whether NAME.partial is left.
    """
    with Target.of(path, overwrite=overwrite) as target:
        encoded = _encode(dataset)
        space = DiskSpace(target.partial, target.begin(is_own))
        try:
            _fill(encoded, target, space)
        except BaseException as error:
            space.close(trim=False)
            target.abandon()
            if isinstance(error, OSError | RuntimeError) and not isinstance(error, OutputError):
                raise OutputError(f"{target}: {describe_cause(error)}; nothing was written") from error
            raise
        space.close()
        check_file(target, {str(name): size for name, size in dataset.sizes.items()}, dataset.attrs.get("id", ""))
        target.finish()


def _fill(dataset: xr.Dataset, target: Target, space: DiskSpace) -> None:
    size = HEADER_BYTES + sum(_count_bytes(variable) for variable in dataset.variables.values())
    space.reserve(size)  # a check only: creating the file cuts it to nothing
    with NETCDF_LOCK:
        file = create_file(target, space)
        try:
            space.reserve(size)
            # xarray's `to_netcdf` opens and describes files without its own lock, so it is given an open file
            store = NetCDF4DataStore(file, lock=False)  # type: ignore[no-untyped-call]
            dataset.dump_to_store(store, unlimited_dims=dataset.encoding["unlimited_dims"])
            file.sync()
        except BaseException:
            with contextlib.suppress(OSError, RuntimeError):
                file.close()
            raise
        file.close()


def _encode(dataset: xr.Dataset) -> xr.Dataset:
    """Make a shallow copy with texts and attributes in the form of library.py."""
    encoded = dataset.copy()
    encoded.attrs = encode_attributes(dataset.attrs)
    grows = False
    for variable in encoded.variables.values():
        variable.attrs = encode_attributes(variable.attrs)
        if variable.dtype.kind in "UO":
            variable.encoding = {**variable.encoding, "dtype": "S1"}
        elif variable.dims[0:1] == (TIME,) and variable.ndim > 1:
            # the checker of CF takes the dimension behind the time, whose labels are characters, for misplaced but where time grows
            grows = True
            row = variable.nbytes // max(1, variable.shape[1])
            columns = min(variable.shape[1], max(1, _CHUNK_BYTES // max(1, row)))
            chunks = (variable.shape[0], columns, *variable.shape[2:])
            variable.encoding = {**variable.encoding, "chunksizes": tuple(max(1, size) for size in chunks)}
    encoded.encoding["unlimited_dims"] = {TIME} if grows else set()
    return encoded


_CHUNK_BYTES: Final = 1 << 20
"""Size of a chunk of a variable over time: the whole history of some satellites."""


def _count_bytes(variable: xr.Variable) -> int:
    if variable.dtype.kind in "UO":
        return variable.size * 4 * max((len(str(text)) for text in np.ravel(variable.values)), default=1)
    return variable.nbytes
