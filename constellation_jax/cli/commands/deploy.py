"""The command `deploy`: the launches of a constellation, and the cadence that a target needs. Only glue and text."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from constellation_jax.cli.options import Dask, Output, Overwrite, Quiet, claim, connect, write_result
from constellation_jax.cli.reporting import Reporter

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.studies.deployment.cadence import CadenceNeeded


def deploy(
    ctx: typer.Context,
    deployment: Annotated[
        str | None, typer.Argument(metavar="DEPLOYMENT", help="Deployment by name, such as qianfan, or a file.")
    ] = None,
    output: Output = None,
    scenario: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Variant of it, such as as-launched-then-plan [default: that of the file]."),
    ] = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Use no recorded launch after this day [default: the last recorded day]."),
    ] = None,
    start: Annotated[str | None, typer.Option(metavar="DATE", help="First day [default: the first launch].")] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Last day [default: that of the file].")] = None,
    draws: Annotated[
        int, typer.Option(metavar="N", help="Number of random histories; more than one adds 5, 50 and 95 % quantiles.")
    ] = 1,
    seed: Annotated[int, typer.Option(metavar="S", help="Seed of the random histories.")] = 0,
    need: Annotated[
        int | None,
        typer.Option(metavar="N", help="Print the launches a month that put N satellites on station by a date."),
    ] = None,
    by: Annotated[
        str | None, typer.Option(metavar="DATE", help="Date by which the satellites of --need are on station.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="Date from which the cadence of --need holds [default: that of the file]."),
    ] = None,
    system: Annotated[
        str | None, typer.Option(metavar="NAME", help="System of --need, where the deployment has several.")
    ] = None,
    dask: Dask = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Simulate the launches of a constellation.

    Prints its satellites in each state at the turn of each year, and writes them day by day to a file. With --need
    and --by, prints the launches a month that a target needs. Without DEPLOYMENT, lists the bundled deployments.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.errors import InputError

        if deployment is None:
            for option, value in (("--scenario", scenario), ("--as-of", as_of)):
                if value is not None:
                    raise InputError(f"{option}: found without a deployment, which it belongs to")
            for line in _known():
                typer.echo(line)
            return
        if (need is None) != (by is None):
            raise InputError(f"{'--by' if need is None else '--need'}: found alone, expected --need and --by together")
        for option, value in (("--since", since), ("--system", system)):
            if value is not None and need is None:
                raise InputError(f"{option}: found without --need, which it belongs to")
        from constellation_jax.inputs.deployment.files import load_deployment

        named = deployment if scenario is None else f"{deployment}:{scenario}"
        loaded = load_deployment(named, as_of=as_of)
        if need is not None and by is not None:
            from constellation_jax.studies.deployment.cadence import cadence_needed

            for line in _need_lines(cadence_needed(loaded, need, by, since=since, system=system)):
                typer.echo(line)
            if output is None:
                return
        target = None if output is None else claim(output, overwrite=overwrite, inputs=(deployment,))
        from constellation_jax.studies.deployment.deploy import deploy as launch

        with target or contextlib.nullcontext(), connect(dask) as client:
            dataset = launch(loaded, draws=draws, seed=seed, start=start, until=until, client=client)
            if target is not None:
                write_result(dataset, target)
        if not quiet:
            for line in _summary_lines(dataset, loaded.title):
                typer.echo(line)
            if output is not None:
                typer.echo(f"{output}: {dataset.sizes['time']:,} days, {output.stat().st_size / 1e6:,.1f} MB")


def _known() -> Iterator[str]:
    from constellation_jax.inputs.deployment.files import known_deployments, load_deployment

    for name in known_deployments(variants=True):
        yield f"{name:<29} {load_deployment(name).title}"


def _summary_lines(dataset: xr.Dataset, title: str) -> Iterator[str]:
    """Lines with the states of each system at the turn of each year and at the end."""
    import numpy as np

    from constellation_jax.outputs.variables import DEPLOYMENT_STATES

    yield title
    if "launch_data_date" in dataset.attrs:
        yield f"launches as recorded up to {dataset.attrs['launch_data_date']}"
    days = dataset.time.values.astype("datetime64[D]")
    shown = sorted({*np.flatnonzero(days == days.astype("datetime64[Y]").astype("datetime64[D]")), len(days) - 1})
    for s, system in enumerate(dataset.system.values):
        yield f"\n{system:<12}" + "".join(f"{state:>12}" for state in DEPLOYMENT_STATES)
        for i in shown:
            yield f"{days[i]!s:<12}" + "".join(f"{int(dataset[state][s, i]):>12,}" for state in DEPLOYMENT_STATES)
        target = int(dataset.target[s])
        if target < 0:
            continue
        reached = np.flatnonzero(dataset.on_station[s].values >= target)
        when = f"on station on {days[reached[0]]}" if len(reached) else f"not on station by {days[-1]}"
        yield f"target of {target:,}: {when}"
        if "on_station_percentile" in dataset:
            low, _, high = dataset.on_station_percentile[:, s, -1].values
            yield f"on station at the end, 5 to 95 % of {dataset.attrs['draws']:,} draws: {low:,.0f} to {high:,.0f}"


def _need_lines(found: CadenceNeeded) -> Iterator[str]:
    yield (
        f"{found.system}: {found.satellites:,} satellites on station by {found.by} need "
        f"{found.launches_per_month:.2f} launches a month from {found.since} on"
    )
    yield (
        f"  {found.satellites_per_launch:g} satellites a launch, {found.launch_failure:.1%} of launches and "
        f"{found.satellite_failure:.1%} of satellites fail, {found.raising_days:.0f} days to climb; "
        f"{found.already:,.0f} satellites of earlier launches work then"
    )
    yield f"  one satellite more on each launch: {found.per_satellite_on_launch:+.3f} launches a month"
    yield f"  1 % of satellites more that fail:  {0.01 * found.per_satellite_failure:+.3f}"
    yield f"  1 % of launches more that fail:    {0.01 * found.per_launch_failure:+.3f}"
    yield f"  a month more time:                 {found.per_month:+.3f}"
