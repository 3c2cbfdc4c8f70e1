"""Use of netCDF-C: one lock for all threads, and texts in the form that every reader takes.

netCDF-C and HDF5 have no locks of their own, and netCDF4 lets other threads run while it is in them: two threads in netCDF at once
end in a segmentation fault. Whatever this package does with netCDF4 it does under `NETCDF_LOCK`, which is the lock that xarray
takes to read and write values. It is not reentrant, so nothing of xarray that takes it may be called inside.

Texts are characters of a fixed length (UTF-8, as the attribute `_Encoding` says), which netCDF-3, Fortran, Ferret and iris read,
and xarray as text. Strings of variable length end in a segmentation fault where a file is opened while an older handle of it
lives (netcdf4-python issue 1444).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final

import netCDF4
import numpy as np
from numpy.typing import NDArray
from xarray.backends.netCDF4_ import NETCDF4_PYTHON_LOCK

from constellation_jax.errors import OutputError
from constellation_jax.outputs.netcdf.disk_space import SIGNATURE, DiskSpace
from constellation_jax.outputs.target import Target

NETCDF_LOCK: Final[Any] = NETCDF4_PYTHON_LOCK
"""Lock of xarray around netCDF-C and HDF5, of this process."""


def is_own(head: bytes) -> bool:
    """True where the first bytes of a file are those of an output of this package: HDF5 with its name in the attributes."""
    return head.startswith(SIGNATURE) and b"constellation_jax" in head


def create_file(target: Target, space: DiskSpace) -> netCDF4.Dataset:
    """Open NAME.partial, which has just been made, with netCDF-C. The caller holds the lock.

    Raises:
        OutputError: netCDF-C has opened another file by its reading of the name.
    """
    file = netCDF4.Dataset(target.partial.absolute(), "w", format="NETCDF4")  # blanks before a relative name are lost
    try:
        file.sync()
        if not space.holds_hdf5():
            raise OutputError(f"{target}: netCDF-C reads this name or its folder as another one; choose another")
        # ext4 sends a file that was cut to nothing to the disk when it is first closed (auto_da_alloc): better now than at the end,
        # where that and the cut behind the last byte took a sixth of a run
        os.close(os.open(target.partial, os.O_RDONLY))
    except BaseException:
        file.close()
        raise
    return file


def check_file(target: Target, sizes: Mapping[str, int], identity: str) -> None:
    """Open the complete NAME.partial again, and compare its dimensions and `id` with those that it must have.

    Raises:
        OutputError: it cannot be opened, or holds something else.
    """
    try:
        with NETCDF_LOCK, netCDF4.Dataset(target.partial.absolute()) as file:
            found = {name: len(dimension) for name, dimension in file.dimensions.items() if name in sizes}
            is_same = found == dict(sizes) and getattr(file, "id", "") == identity
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{target}: {target.partial.name} cannot be read after it was written ({error})") from error
    if not is_same:
        raise OutputError(f"{target}: {target.partial.name} does not hold what was written; is the disk sound?")


def encode_attributes(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Encode texts that are not ASCII as UTF-8, which netCDF4 stores as characters and not as strings of variable length."""
    return {name: _encode_attribute(value) for name, value in attributes.items()}


def _encode_attribute(value: Any) -> Any:
    return value.encode("utf-8", "replace") if isinstance(value, str) and not value.isascii() else value


def encode_texts(values: NDArray[np.str_]) -> NDArray[np.bytes_]:
    """Encode texts of shape (n,) as characters of shape (n, longest)."""
    try:
        encoded = values.astype(np.bytes_)  # ASCII, as nearly all names are: four times as quick
    except UnicodeEncodeError:
        encoded = np.char.encode(values, "utf-8", "replace")
    width = max(1, int(np.char.str_len(encoded).max(initial=0)))
    return encoded.astype(f"S{width}").view("S1").reshape(len(values), width)


def put_texts(
    file: netCDF4.Dataset, name: str, dimension: str, values: NDArray[np.str_], attributes: Mapping[str, Any]
) -> None:
    """Add a variable of texts along a dimension to an open file. The caller holds the lock."""
    characters = encode_texts(values)
    length = f"string{characters.shape[1]}"
    if length not in file.dimensions:
        file.createDimension(length, characters.shape[1])
    variable = file.createVariable(name, "S1", (dimension, length), zlib=True, complevel=1)
    variable.set_auto_chartostring(False)
    variable.setncatts(encode_attributes({**attributes, "_Encoding": "utf-8"}))
    variable[:] = characters
