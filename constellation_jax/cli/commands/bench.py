"""The command `bench`: rates of a propagation on this machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from constellation_jax.cli.options import AllowStale, AsJson
from constellation_jax.cli.reporting import Reporter, report_left_out
from constellation_jax.settings import configure


def bench(
    ctx: typer.Context,
    catalog: Annotated[
        str, typer.Option(metavar="WHAT", help="'bundled', a CelesTrak group, or a file of element sets.")
    ] = "bundled",
    duration: Annotated[str, typer.Option(metavar="LENGTH", help="Length of the run.")] = "1d",
    step: Annotated[str, typer.Option(metavar="LENGTH", help="Interval between instants.")] = "60s",
    variables: Annotated[
        str, typer.Option(metavar="GROUPS", help="Groups of variables, with commas.")
    ] = "position,velocity",
    precision: Annotated[
        str | None,
        typer.Option(
            metavar="float64|float32", help="Precision of the arithmetic [default: both, one after the other]."
        ),
    ] = None,
    device: Annotated[
        str | None, typer.Option(metavar="cpu|gpu|tpu", help="Kind of device to compute on [default: JAX's].")
    ] = None,
    jobs: Annotated[
        str, typer.Option(metavar="JOBS", help="Jobs to time, with commas.")
    ] = "arrays,device,decay,jacobians",
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where files are written and removed again [default: the system's folder for temporary files].",
        ),
    ] = None,
    as_json: AsJson = False,
    allow_stale: AllowStale = False,
) -> None:
    """Measure the rate of a propagation on this machine.

    States into given arrays, into a dataset and into a file, with compilation, computing, copying and writing apart (arrays);
    states that stay on the device (device); lifetimes over 25 years (decay); states with their derivatives (jacobians). Each
    figure but compilation and first runs is the median of five warm runs, and none is taken before the device is done.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        import json
        import tempfile

        from constellation_jax.errors import InputError
        from constellation_jax.inputs.run_file import load_objects, read_run
        from constellation_jax.inputs.run_keys import PropagationRun
        from constellation_jax.inputs.times import count_times, time_grid
        from constellation_jax.outputs.netcdf.samples import check_size
        from constellation_jax.outputs.variables import resolve_groups

        options = {"catalog": [catalog], "duration": duration, "step": step, "variables": [variables]}
        options |= {"precision": precision} if precision else {}
        options |= {"device": device} if device else {}
        run = read_run(PropagationRun, options=options, checks={"variables": resolve_groups})
        if folder is not None and not os.path.isdir(folder):
            raise InputError(f"--folder: found {str(folder)!r}, expected a folder that exists")
        objects, start = load_objects(run, allow_stale=allow_stale)
        report_left_out(objects)
        steps = count_times(run.duration, run.step)
        where = Path(folder or tempfile.gettempdir()) / "bench.nc"
        check_size(where, 2 * len(objects), steps, run.variables, "float32", run.memory)  # ours, and the plain one
        times = time_grid(start, run.duration, run.step)
        configure()  # without kept programs: the compilation is one of the figures
        from constellation_jax.benchmark.speed import measure_speed

        chosen: dict[str, Any] = {"precisions": [precision]} if precision else {}
        chosen |= {"variables": run.variables, "device": run.device, "jobs": jobs.split(","), "folder": folder}
        report = measure_speed(objects, times, **chosen)
        typer.echo(json.dumps(report.to_dict(), indent=2) if as_json else "\n".join(report.lines()))
