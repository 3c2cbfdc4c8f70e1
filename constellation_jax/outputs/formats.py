"""Formats of outputs by their names."""

from __future__ import annotations

import os
from importlib.util import find_spec

from constellation_jax.errors import InputError


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """True for the name of a Zarr store, which ends with .zarr.

    Raises:
        InputError: it is one, and the package zarr is missing.
    """
    if not os.fspath(path).rstrip("/").lower().endswith(".zarr"):
        return False
    if find_spec("zarr") is None:
        raise InputError(
            f"{os.fspath(path)}: Zarr needs the package zarr; install it with pip install 'constellation-jax[scale]'"
        )
    return True
