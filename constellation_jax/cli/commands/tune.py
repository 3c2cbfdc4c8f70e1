"""The command `tune`: shells of a tuning problem tuned by gradient. Only glue and text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax.cli.options import (
    AllowStale,
    Dask,
    Device,
    ForecastFile,
    Output,
    Overwrite,
    Quiet,
    SpaceWeatherFile,
    Strict,
    claim,
    command_line,
    connect,
    load_catalog,
    load_space_weather,
    write_result,
)
from constellation_jax.cli.reporting import EXIT_NOT_CONVERGED, Reporter, count
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.outputs.target import Target
    from constellation_jax.studies.tuning.tune import TuneResult


def tune(
    ctx: typer.Context,
    problem: Annotated[
        str | None, typer.Argument(metavar="PROBLEM", help="Tuning problem by name, or a file that holds one.")
    ] = None,
    output: Output = None,
    catalog: Annotated[
        str | None,
        typer.Option(
            metavar="WHAT", help="Background in place of the problem's: 'bundled', a CelesTrak group or a file."
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(metavar="SOLVER", help="slsqp, trust-constr, adam or lbfgs, in place of the problem's."),
    ] = None,
    starts: Annotated[
        int | None, typer.Option(metavar="N", help="Number of points to begin from, in place of the problem's.")
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First day of drag and lifetimes, UTC, in place of the problem's."),
    ] = None,
    space_weather: SpaceWeatherFile = None,
    forecast: ForecastFile = None,
    strict: Strict = False,
    device: Device = None,
    dask: Dask = None,
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Tune the shells of a tuning problem by gradient.

    Prints the figures of merit before and after, the constraints that hold the shells and the sweep; writes all of it to a
    file and the shells to a shell file, where --output is given. Without PROBLEM, lists the bundled ones. A tuning that did
    not converge prints and writes the best point seen, says so, and ends with exit code 3.
    """
    reporter = Reporter()
    with reporter.session(debug=ctx.obj["debug"]):
        if problem is None:
            for line in _known():
                typer.echo(line)
            return
        from constellation_jax.inputs.tuning.files import load_tuning_problem

        loaded = load_tuning_problem(problem)
        targets = [] if output is None else _claim(output, overwrite, (problem, catalog, space_weather, forecast))
        background = None if catalog is None else load_catalog(catalog, "--catalog", allow_stale=allow_stale)
        configure(compile_cache=True)
        from constellation_jax.studies.tuning.tune import tune as compute

        with contextlib.ExitStack() as held:
            for target in targets:
                held.enter_context(target)
            client = held.enter_context(connect(dask))
            result = compute(
                loaded,
                background=background,
                method=method,
                starts=starts,
                start=start,
                space_weather=load_space_weather(space_weather, forecast),
                strict=strict,
                client=client,
                device=device,
            )
            if targets:
                _write(result, *targets)
        if not quiet:
            for line in _lines(result):
                typer.echo(line)
            if targets:
                typer.echo(f"{', '.join(map(str, targets))}: {count(len(result.shells), 'shell')}")
        if result.status != "converged":
            kept = "; the best point seen is written" if targets else ""
            reporter.warning(f"the tuning did not converge: {result.message}{kept}")
            raise typer.Exit(EXIT_NOT_CONVERGED)


def _known() -> Iterator[str]:
    from constellation_jax.inputs.tuning.files import known_tuning_problems, load_tuning_problem

    for name in known_tuning_problems():
        yield f"{name:<22} {load_tuning_problem(name).question}"


def _claim(output: Path, overwrite: bool, inputs: tuple[str | None, ...]) -> list[Target]:
    """Claim the file of the result and the shell file beside it."""
    from constellation_jax.errors import InputError

    if output.suffix == ".toml":
        raise InputError(
            f"--output: found {str(output)!r}, expected a file such as tuned.nc, beside which the shells come as .toml"
        )
    found = claim(output, overwrite=overwrite, inputs=inputs)
    return [found, claim(output.with_suffix(".toml"), overwrite=overwrite, inputs=inputs)]


def _write(result: TuneResult, output: Target, shells: Target) -> None:
    from constellation_jax.outputs.shell_file import write_shells

    write_result(result.dataset, output)
    write_shells(result.shells, shells, title=f"Tuned: {result.problem.title}", source=command_line())


def _lines(result: TuneResult) -> Iterator[str]:
    d = result.dataset
    yield result.problem.title
    yield result.problem.question
    yield ""
    yield f"{'tuned':<52}{'low':>11}{'value':>12}{'high':>11}"
    for k in range(d.sizes["variable"]):
        v = d.isel(variable=k)
        low, value, high = float(v.variable_low), float(v.variable_value), float(v.variable_high)
        yield f"{_cut(v.variable, 52)}{low:>11.6g}{value:>12.6g}{high:>11.6g}"
    yield ""
    yield f"{'figure':<64}{'before':>11}{'tuned':>11}"
    for name in _figures(d):
        units = _units(d[name])
        for label, before, value in _entries(d[name], d[f"{name}_before"], d[name]):
            yield f"{_cut(label, 64)}{before:>11.4g}{value:>11.4g}{units}"
    if "constraint" in d.sizes:
        yield ""
        yield f"{'constraint':<52}{'value':>11}{'limit':>11}{'multiplier':>12}{'d objective / d limit':>23}"
        for k in range(d.sizes["constraint"]):
            c = d.isel(constraint=k)
            numbers = f"{float(c.constraint_value):>11.4g}{float(c.constraint_limit):>11.4g}"
            by = f"{float(c.constraint_multiplier):>12.3g}{float(c.objective_by_limit):>23.3g}"
            yield f"{_cut(c.constraint, 52)}{numbers}{by}"
    if "sweep" in d.sizes:
        yield ""
        yield from _sweep_lines(d)
    yield ""
    yield (
        f"{result.status}: {result.message}; objective {result.objective:.6g} "
        f"({result.evaluations:,} evaluations, {result.seconds:.1f} s)"
    )


def _sweep_lines(d: xr.Dataset) -> Iterator[str]:
    meanings = d.sweep_status.attrs["flag_meanings"].split()
    from constellation_jax.studies.tuning.figures import name_variable

    free = dict.fromkeys(name_variable(str(name).split(" of ")[0]) for name in d.variable.values)
    yield f"sweep: {d.sweep.attrs['long_name']}"
    for k in range(d.sizes["sweep"]):
        row = d.isel(sweep=k)
        yield f"{float(row.sweep):g}: objective {float(row.sweep_objective):.5g}, {meanings[int(row.sweep_status)]}"
        for name in (*free, *_figures(d)):
            swept, units = row[f"sweep_{name}"], _units(d[name])
            for label, value in _entries(d[name], swept):
                yield f"    {_cut(label, 64)}{value:>12.5g}{units}"


def _figures(d: xr.Dataset) -> list[str]:
    """Names of the figures of merit."""
    from constellation_jax.studies.tuning.figures import QUANTITY_VARIABLES

    quantities = {variable.name for variable in QUANTITY_VARIABLES}
    return [str(name) for name in d.data_vars if f"{name}_before" in d and name not in quantities]


def _entries(figure: xr.DataArray, *values: xr.DataArray) -> Iterator[tuple[Any, ...]]:
    """A label, such as "duty_cycle of 'VLEO' (high solar activity)", and the values of each entry that has one."""
    import numpy as np

    formats = {"shell": " of {!r}", "latitude": " at {:g} degrees", "solar": " ({} solar activity)"}
    for index in np.ndindex(figure.shape):
        found = [float(v.values[index]) for v in values]
        if not np.isnan(found).all():
            at = {d: figure[d].values[index[k]].item() for k, d in enumerate(figure.dims)}
            parts = [form.format(at[d]) for d, form in formats.items() if d in at]
            demand = f" by {figure.attrs['demand']}" if "demand" in figure.attrs else ""
            yield f"{figure.name}{''.join(parts)}{demand}", *found


def _units(figure: xr.DataArray) -> str:
    return "" if figure.units == "1" else f" {figure.units}"


def _cut(text: object, width: int) -> str:
    found = str(getattr(text, "values", text))
    return f"{found if len(found) < width else found[: width - 4] + '...':<{width}}"
