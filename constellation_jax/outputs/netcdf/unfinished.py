"""Unfinished NetCDF files: the blocks that an interrupted run has stored, to be copied into a new file.

HDF5 may be killed between two of its own writes, after which nothing may be added to a file; so what is sound is read from it, and
the run goes on in a new one. The old file stays as NAME.partial.old until all of it is in the new one. Deliberately absent: a
journal beside the file, since what was stored shows in the values (see soundness.py).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import netCDF4

from constellation_jax.errors import InputError
from constellation_jax.outputs.fingerprint import Fingerprint, check_fingerprint, decode_fingerprint
from constellation_jax.outputs.netcdf.library import NETCDF_LOCK, is_own
from constellation_jax.outputs.target import Target

_T = TypeVar("_T")
FINGERPRINT: str = "run_fingerprint"
"""Global attribute with the fingerprint of the run, which an unfinished file has."""


def set_aside(target: Target, fingerprint: Fingerprint, dimension: str) -> Path | None:
    """Rename the unfinished file with the most blocks to NAME.partial.old, and remove the other; None where there is none.

    Args:
        dimension: along which the file grows.

    Raises:
        InputError: it was begun by another run, or a file of the user's has that name.
    """
    old = _old_file(target)
    if os.path.lexists(old) and not _is_own(old):
        raise InputError(f"{old}: a file that no run has made is in the way; rename it, or choose another output")
    sizes: dict[Path, int] = {}
    for path in (target.partial, old):
        with contextlib.suppress(OSError, RuntimeError, KeyError):
            if _is_own(path):
                with NETCDF_LOCK, netCDF4.Dataset(path.absolute()) as file:
                    found = decode_fingerprint(getattr(file, FINGERPRINT, ""))
                    sizes[path] = len(file.dimensions[dimension])
                check_fingerprint(found, fingerprint, str(path))
    if not sizes:
        return None
    best = max(sizes, key=lambda path: sizes[path])
    if best != old:
        os.replace(best, old)
    return old


def remove_old(target: Target) -> None:
    """Remove NAME.partial.old, where a run has made it."""
    if _is_own(_old_file(target)):
        _old_file(target).unlink()


def _old_file(target: Target) -> Path:
    """Name of the file that is set aside."""
    return target.partial.with_name(f"{target.partial.name}.old")


def read_sound_blocks(
    path: Path, blocks: Sequence[slice], read: Callable[[netCDF4.Dataset, slice], _T | None]
) -> Iterator[_T]:
    """Yield the blocks of an unfinished file, from the first one to the last that is sound.

    Args:
        blocks: units of each.
        read: reads a block; None where it was not stored as a whole. The lock is held.
    """
    try:
        with NETCDF_LOCK:
            file = netCDF4.Dataset(path.absolute())
    except (OSError, RuntimeError):
        return
    try:
        file.set_auto_maskandscale(False)
        for rows in blocks:
            try:
                with NETCDF_LOCK:
                    found = read(file, rows)
            except (OSError, RuntimeError, IndexError):
                return
            if found is None:
                return
            yield found
    finally:
        with NETCDF_LOCK:
            file.close()


def _is_own(path: Path) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    with open(path, "rb") as file:
        return is_own(file.read(1 << 20))
