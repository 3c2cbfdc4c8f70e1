"""Outputs that are on disk: completing one that several jobs have written, and checking one for damage."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.outputs.formats import is_zarr
from constellation_jax.outputs.netcdf.library import NETCDF_LOCK
from constellation_jax.outputs.soundness import find_defect
from constellation_jax.outputs.variable import DIMENSIONS, STATUS_VARIABLE

_READ_VALUES = 1 << 24
"""Values that are read at a time."""
_DAMAGE = (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError)
"""Errors of netCDF4 at a damaged file: of the library, of texts and types that cannot be, and of sizes without sense."""


def finish(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Complete a Zarr store whose parts several jobs have written by `propagate_to(..., shard=(i, n))`.

    Args:
        path: of the store, as it was given to the jobs.
        overwrite: whether a complete store of that name may be replaced.

    Raises:
        InputError: there is no unfinished store, jobs are writing it, or blocks are missing; the message numbers them.
        OutputError: its name could not be given.
    """
    if not is_zarr(path):
        raise InputError(
            f"{os.fspath(path)}: expected a Zarr store (NAME.zarr); a file is complete when it has its name"
        )
    from constellation_jax.outputs.zarr import finish as end

    end.finish(path, overwrite=overwrite)


def verify(path: str | os.PathLike[str], *, repair: bool = False) -> list[str]:
    """Read an output whole, and list its defects.

    Args:
        path: a NetCDF file of this package, or a Zarr store, complete or not.
        repair: make the damaged blocks of a Zarr store missing, and the store unfinished again, so that the command that made it
            computes them anew with `--resume`.

    Returns:
        A line for each defect: variable or block, and what was found; empty where there is none.

    Raises:
        InputError: there is no such output, or `repair` of a file.
        OutputError: an address cannot be reached.
    """
    if is_zarr(path):
        return _verify_store(path, repair=repair)
    if repair:
        raise InputError(
            f"{os.fspath(path)}: a file cannot be repaired in part; expected a Zarr store, or run its command again"
        )
    return list(_find_file_defects(Path(path)))


def _verify_store(path: str | os.PathLike[str], *, repair: bool) -> list[str]:
    from constellation_jax.outputs.zarr.finish import StoreBlocks
    from constellation_jax.outputs.zarr.place import Place, open_run
    from constellation_jax.outputs.zarr.whole_store import WHOLE, find_defects

    place = Place(path, overwrite=True)
    state = place.state()
    if state == "absent":
        raise InputError(f"{place}: there is no Zarr output of this package")
    with place.naming_failures(), place.hold(shared=not repair):
        group, run = open_run(place.address if state == "complete" else place.growing)
        if run.attrs.get("content") == WHOLE:
            if repair:
                raise InputError(f"{place}: has no blocks that could be repaired; run its command again")
            return list(find_defects(group))
        store = StoreBlocks(place.address if state == "complete" else place.growing)
        defects = dict(store.find_defects())
        missing = np.flatnonzero(~store.is_stored).tolist()
        if repair and defects:
            store.forget(list(defects))
            place.reopen()
    lines = [f"block {block}: {defect}" for block, defect in defects.items()]
    return lines + (
        [f"{len(missing)} blocks are missing, from {missing[0]} on"] if missing and state == "complete" else []
    )


def _find_file_defects(path: Path) -> Iterator[str]:
    try:
        with NETCDF_LOCK:
            file = netCDF4.Dataset(path.absolute())
    except (OSError, RuntimeError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise InputError(f"{path}: cannot be read ({words}); expected a NetCDF file") from None
    try:
        file.set_auto_maskandscale(False)
        sampled = [name for name, v in file.variables.items() if v.dimensions == DIMENSIONS]
        for name, variable in file.variables.items():
            if name in sampled and STATUS_VARIABLE in sampled:
                continue
            try:
                with NETCDF_LOCK:
                    variable[...]
            except _DAMAGE as error:
                yield f"{name}: cannot be read ({error})"
        if STATUS_VARIABLE not in sampled:
            return
        steps, satellites = file[STATUS_VARIABLE].shape
        rows = max(1, _READ_VALUES // max(1, satellites * len(sampled)))
        for start in range(0, steps, rows):
            try:
                with NETCDF_LOCK:
                    block = {name: np.asarray(file[name][start : start + rows]) for name in sampled}
                defect = find_defect(block)
            except _DAMAGE as error:
                defect = f"cannot be read ({error})"
            if defect is not None:
                yield f"steps {start} to {min(start + rows, steps) - 1}: {defect}"
    finally:
        with NETCDF_LOCK:
            file.close()
