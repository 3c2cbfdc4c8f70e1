"""The commands `propagate` and `ephemeris`, a run file and options in, a file out; `finish` and `verify`, which take the file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from constellation_jax.cli.options import (
    AllowStale,
    Dask,
    Overwrite,
    Quiet,
    add_run_options,
    claim,
    command_line,
    connect,
)
from constellation_jax.cli.process import EXIT_OUTPUT
from constellation_jax.cli.reporting import choose_reporter
from constellation_jax.errors import InputError
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun
from constellation_jax.settings import configure

EPHEMERIS_SPAN = "2h"
"""Length of a span of an ephemeris."""

_RunFile = Annotated[Path | None, typer.Argument(metavar="RUN.toml", help="Run file; without one, the default run.")]
_Store = Annotated[
    str, typer.Argument(metavar="OUTPUT", help="NetCDF file, or Zarr store: a folder or an address of fsspec.")
]
_Resume = Annotated[
    bool, typer.Option("--resume", help="Keep what an interrupted run of the same inputs has left in OUTPUT.partial.")
]
_Shard = Annotated[
    str | None,
    typer.Option(
        metavar="I/N", help="Compute part I of N of a Zarr store that N jobs share; then: constellation-jax finish."
    ),
]
_LogJson = Annotated[bool, typer.Option("--log-json", help="Write events to stderr, one JSON object a line.")]


@add_run_options(PropagationRun)
def propagate(
    ctx: typer.Context,
    run: _RunFile = None,
    *,
    keys: dict[str, Any],
    resume: _Resume = False,
    shard: _Shard = None,
    dask: Dask = None,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
    log_json: _LogJson = False,
) -> None:
    """Propagate a catalogue into a file.

    Options replace the keys of the run file. Without a run file the bundled default run is made (six hours of the
    bundled population and three planned constellations); --catalog or --shells then replace all of its objects, and
    the run begins at the midnight (UTC) before the median epoch of the given catalogue, unless --start says
    otherwise.
    """
    reporter = choose_reporter(quiet=quiet, log_json=log_json)
    with reporter.session(debug=ctx.obj["debug"]):
        from constellation_jax.inputs.run_file import load_objects, read_run
        from constellation_jax.inputs.times import count_times, time_grid
        from constellation_jax.outputs.formats import check_size
        from constellation_jax.outputs.variables import resolve_groups

        part = _parse_shard(shard)
        config = read_run(PropagationRun, run, options=keys, checks={"variables": resolve_groups})
        inputs = (run, *config.catalog, *config.shells)
        target = claim(config.output, overwrite=config.overwrite, inputs=inputs, kind="samples")
        objects, start = load_objects(config, allow_stale=allow_stale)
        steps = count_times(config.duration, config.step)
        check_size(target, len(objects), steps, config.variables, config.dtype, config.memory)
        times = time_grid(start, config.duration, config.step)
        if config.step > config.duration:
            reporter.warning(
                "the step is longer than the duration (--step, --duration): the file holds one instant, the start"
            )
        reporter.start(config, objects, times)
        configure(compile_cache=True)
        from constellation_jax.studies.propagation.to_file import propagate_to

        with connect(dask) as client:
            report = propagate_to(
                target,
                objects,
                times,
                frame=config.frame,
                precision=config.precision,
                variables=config.variables,
                dtype=config.dtype,
                dense=config.dense,
                device=config.device,
                memory_bytes=config.memory,
                resume=resume,
                shard=part,
                client=client,
                progress=reporter.progress,
                history=command_line(),
            )
        reporter.done(report, counted="steps")
        if not report.is_complete:
            reporter.note(f"when all parts are done: constellation-jax finish {config.output}")


def finish(ctx: typer.Context, output: _Store, overwrite: Overwrite = False) -> None:
    """Complete a Zarr store whose parts several jobs have written with propagate --shard."""
    reporter = choose_reporter(quiet=False, log_json=False)
    with reporter.session(debug=ctx.obj["debug"]):
        from constellation_jax.outputs.verify import finish as complete

        complete(output, overwrite=overwrite)
        reporter.note(f"{output}: complete")


def verify(
    ctx: typer.Context,
    output: _Store,
    repair: Annotated[
        bool, typer.Option("--repair", help="Make the damaged blocks of a Zarr store missing, for propagate --resume.")
    ] = False,
) -> None:
    """Read an output whole, check its checksums and states, and list what is damaged; exit code 1 where something is."""
    reporter = choose_reporter(quiet=False, log_json=False)
    with reporter.session(debug=ctx.obj["debug"]):
        from constellation_jax.outputs.verify import verify as check

        defects = check(output, repair=repair)
        for line in defects or ["sound"]:
            reporter.note(f"{output}: {line}")
        if defects and repair:
            reporter.note(f"{output}: the same propagate command with --resume computes these blocks anew")
        if defects:
            raise typer.Exit(EXIT_OUTPUT)


@add_run_options(EphemerisRun)
def ephemeris(
    ctx: typer.Context,
    run: _RunFile = None,
    *,
    keys: dict[str, Any],
    resume: _Resume = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
    log_json: _LogJson = False,
) -> None:
    """Write a continuous ephemeris into a NetCDF file.

    Chebyshev series in TEME, from which the Python function open_ephemeris gives states at any instant. Run file and
    options are those of propagate, with a tolerance in place of the step, the frame, the variables and their types.
    """
    reporter = choose_reporter(quiet=quiet, log_json=log_json)
    with reporter.session(debug=ctx.obj["debug"]):
        from constellation_jax.inputs.run_file import load_objects, read_run
        from constellation_jax.inputs.times import time_grid

        config = read_run(EphemerisRun, run, options=keys)
        inputs = (run, *config.catalog, *config.shells)
        target = claim(config.output, overwrite=config.overwrite, inputs=inputs, kind="ephemeris")
        objects, start = load_objects(config, allow_stale=allow_stale)
        reporter.start(config, objects, time_grid(start, config.duration, EPHEMERIS_SPAN))
        configure(compile_cache=True)
        from constellation_jax.studies.ephemeris.write import ephemeris_to

        report = ephemeris_to(
            target,
            objects,
            start,
            config.duration,
            tolerance_m=config.tolerance,
            span=EPHEMERIS_SPAN,
            resume=resume,
            progress=reporter.progress,
            history=command_line(),
        )
        reporter.done(report, counted="spans")


def _parse_shard(text: str | None) -> tuple[int, int] | None:
    """Parse a part such as 3/16."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None:
        raise InputError(f"--shard: found {text!r}, expected i/n such as 3/16")
    return int(found[1]), int(found[2])
