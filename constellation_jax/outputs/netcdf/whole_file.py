"""Writer of a Dataset that fits into memory; partial_file.py is for files that are written block by block."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from constellation_jax.errors import OutputError
from constellation_jax.outputs.netcdf.partial_file import check_target, describe_cause, give_name


def write_dataset(dataset: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a Dataset to a netCDF-4 file, which appears under its name when it is complete.

    Raises:
        InputError: the file exists, or its folder does not or cannot be written to.
        OutputError: the file could not be written, such as on a full disk; the message says whether NAME.partial is left.
    """
    path = Path(path)
    check_target(path, overwrite=overwrite)
    partial = path.with_name(path.name + ".partial")
    try:
        dataset.to_netcdf(partial, engine="netcdf4", format="NETCDF4")
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: {describe_cause(error)}; nothing was written") from error
    except KeyboardInterrupt:
        partial.unlink(missing_ok=True)
        raise
    give_name(partial, path, overwrite=overwrite)
