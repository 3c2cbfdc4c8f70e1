"""Propagation to a NetCDF file or a Zarr store, block by block: interrupted runs are gone on with, jobs and Dask workers share one.

    propagate_to("leo.nc", catalog, times, resume=True)         # the blocks of an interrupted run are kept
    propagate_to("leo.zarr", catalog, times, shard=(3, 16))     # the third of 16 jobs, in any order; then finish("leo.zarr")
    propagate_to("leo.zarr", catalog, times, client=client)     # the workers of a Dask cluster

A block is the same whoever computes it, on one kind of processor. Deliberately absent: states in memory (propagate.py).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from constellation_jax.engine.propagation.kernels import CHUNK
from constellation_jax.engine.propagation.options import Options
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.times import as_times
from constellation_jax.outputs.formats import find_format, make_place
from constellation_jax.outputs.target import is_address
from constellation_jax.outputs.verify import finish
from constellation_jax.studies.propagation.distributed import compute_on
from constellation_jax.studies.propagation.fingerprint import make_fingerprint
from constellation_jax.studies.propagation.job import PropagationJob
from constellation_jax.studies.propagation.propagate import compute_lifetimes, make_options, step_bytes, wants_lifetime
from constellation_jax.studies.propagation.runs import Progress, RunReport, Stopwatch, make_counter

MEMORY_BYTES = 2**30
"""Default bound on the arrays of a run to a file."""
BLOCK_BYTES = 128 * 2**20
"""Largest size of the arrays of one block of a file, of which two are there at a time: larger ones are not quicker."""


@dataclasses.dataclass(frozen=True)
class PropagationReport(RunReport):
    """Figures of a `propagate_to`."""

    steps: int
    """Instants that this run has computed: fewer than the file has where it went on with one, or shared it."""
    is_complete: bool
    """False where the output waits for other jobs and for `finish`."""

    @property
    def states(self) -> int:
        return self.satellites * self.steps


def propagate_to(
    path: str | os.PathLike[str],
    catalog: Catalog,
    times: ArrayLike,
    *,
    frame: str = "teme",
    precision: str = "float32",
    variables: str | Iterable[str] = ("position", "altitude", "decay"),
    dtype: str = "float32",
    dense: bool = True,
    tolerance_m: float | None = None,
    device: str | None = None,
    memory_bytes: int = MEMORY_BYTES,
    overwrite: bool = False,
    resume: bool = False,
    shard: tuple[int, int] | None = None,
    client: Any = None,
    progress: Progress | None = None,
    history: str | None = None,
) -> PropagationReport:
    """Propagate a catalogue, as `propagate`, into NetCDF or Zarr or, of a million states at most, CSV or Parquet.

    NetCDF and Zarr are written in blocks of time, so that memory does not grow with the number of instants. The output appears
    under its name when it is complete; until then, and if the run is stopped, `PATH.partial` holds the blocks done so far and can
    be opened. A table has one row for each instant and object, and nothing of it is left if the run is stopped.

    Args:
        path: the file to be made. A name that ends in .zarr makes a Zarr store (extra `scale`): a folder, or an address of fsspec
            such as s3://bucket/leo.zarr; one that ends in .csv or .parquet makes a table.
        times: as for `propagate`, but ascending.
        precision: as for `propagate`, but "float32" unless asked otherwise, the file's numbers having no more digits.
        dtype: of the numbers in the file: "float32" (0.25 m in low orbits) or "float64".
        memory_bytes: bound on the arrays of the run, whatever its length.
        overwrite: whether an existing file may be replaced.
        resume: keep the blocks that an interrupted run of the same inputs has left in `PATH.partial`; without one, begin anew.
        shard: (i, n): compute the i-th of n parts, i from 1, of a Zarr store that n jobs share; `finish` completes it.
        client: of a Dask cluster (`distributed.Client`), whose workers write the blocks of a Zarr store.
        history: text for the attribute of that name, such as the command line.
        others: as for `propagate`.

    Raises:
        InputError: as for `propagate`; the file exists, or its folder does not; instants that do not ascend; an unfinished output
            of another run; a shard or client without a Zarr store.
        OutputError: the file could not be written, such as on a full disk; the message says what is left in `PATH.partial`.
    """
    clock = Stopwatch()
    check_catalog(catalog)
    instants = as_times(times)
    catalog.warn_of_age(instants)
    options = make_options(len(catalog), frame, precision, variables, dtype, dense, tolerance_m, device)
    block = min(_block_steps(len(catalog), options, memory_bytes), len(instants))
    _check_shard(shard, client)
    # made before anything is computed, so that an error about the place of the file comes at once
    find_format(path, "samples")
    place = make_place(path, overwrite=overwrite)
    lifetimes = clock("compute", compute_lifetimes, catalog) if wants_lifetime(variables) else None
    job = PropagationJob(
        catalog, instants, options, block,
        make_fingerprint(catalog, instants, options, None if lifetimes is None else lifetimes[0]),
        {"history": f"{np.datetime64('now')}Z {history}"} if history else {},
    )  # fmt: skip
    writer = job.make_writer(place, resume=resume, shared=shard is not None or client is not None)
    writer.check_disk()
    count = make_counter(progress, len(instants) * len(catalog))
    engine = clock("compile", job.make_engine)
    if client is None:
        clock("compile", engine.warm_up)
    writer.attributes["interpolation"] = engine.method
    with writer:
        missing = writer.find_missing()
        if shard is not None:
            missing = [rows for rows in missing if rows.start // writer.block % shard[1] == shard[0] - 1]
        if count is not None:
            count(
                (len(instants) - sum(rows.stop - rows.start for rows in missing)) * len(catalog)
            )  # done before, or by others
        if client is not None:
            compute_on(client, job, os.fspath(place), missing, count)
        else:
            job.compute(engine, writer, missing, clock, count)
        if lifetimes is not None:
            writer.write_lifetimes(*lifetimes)
    if client is not None:
        finish(place)
    return PropagationReport(
        path=writer.place if is_address(writer.place) else Path(writer.place),
        satellites=len(catalog),
        steps=sum(rows.stop - rows.start for rows in missing),
        is_complete=shard is None,
        failed=writer.failed,
        **clock.report(writer.size),
    )


def _check_shard(shard: tuple[int, int] | None, client: Any) -> None:
    """Raise InputError where the work cannot be divided as it is asked for."""
    if shard is not None and client is not None:
        raise InputError("shard and client: both given; expected one: a client divides the work itself")
    if shard is not None and not 1 <= shard[0] <= shard[1]:
        raise InputError(f"shard {shard[0]}/{shard[1]}: expected i/n with i from 1 to n")


def _block_steps(satellites: int, options: Options, memory_bytes: int) -> int:
    """Steps in a block of a file, of which two are in memory: whole chunks where there is room for one."""
    step = step_bytes(satellites, options)
    if memory_bytes < 2 * step:
        raise InputError(
            f"memory: {memory_bytes} bytes hold not even two instants of {satellites} objects; expected at least {2 * step}"
        )
    steps = min(memory_bytes // 2, BLOCK_BYTES) // step
    return max(1, steps - steps % CHUNK if steps > CHUNK else steps)
