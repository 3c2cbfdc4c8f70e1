"""The command line, `constellation-jax`: only glue between run files, readers, the propagation and the terminal.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes: 0 done, 1 the output
could not be written, 2 something given was wrong, 70 a defect of the program, 130 interrupted. Deliberately absent:
any computation.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax import __version__
from constellation_jax.cli.decay import decay, station_keeping
from constellation_jax.cli.deploy import deploy
from constellation_jax.cli.reporting import Reporter, choose_reporter
from constellation_jax.cli.tune import tune
from constellation_jax.settings import configure

if TYPE_CHECKING:
    from constellation_jax.inputs.catalog.catalog import Catalog

app = typer.Typer(
    name="constellation-jax",
    help="Propagate every satellite and every planned constellation together: catalogue in, NetCDF out.",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,  # the plain help needs no import of rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
shells_app = typer.Typer(rich_markup_mode=None)
app.add_typer(shells_app, name="shells")
app.command()(deploy)
app.command()(decay)
app.command()(station_keeping)
app.command()(tune)

EPHEMERIS_SPAN = "2h"
"""Length of a span of an ephemeris."""
_STALE_HELP = "Use an old copy, with a warning, where CelesTrak gives no new one."
_AllowStale = Annotated[bool, typer.Option("--allow-stale", help=_STALE_HELP)]


def _print_help(ctx: typer.Context, asked: bool) -> None:
    if asked:
        typer.echo(ctx.get_help())
        raise typer.Exit


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"constellation-jax {__version__}")
        raise typer.Exit


# typer 0.29 loads pydantic (0.3 s) for its own help option of every group on the way to a command, but not for a plain
# flag; so the two groups have a help option of their own.
_GroupHelp = Annotated[
    bool, typer.Option("--help", "-h", callback=_print_help, is_eager=True, help="Show this message and exit.")
]


def main() -> None:
    """Run the command line; the console script calls this."""
    app(prog_name="constellation-jax")


@app.callback(add_help_option=False)
def _app(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    help: _GroupHelp = False,
) -> None:
    ctx.obj = {"debug": debug}


@app.command()
def propagate(
    ctx: typer.Context,
    run: Annotated[
        Path | None, typer.Argument(metavar="RUN.toml", help="Run file; without one, the default run.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="File to write [default: constellation.nc].")
    ] = None,
    catalog: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="'bundled', a CelesTrak group such as 'active', or a file of element sets; may be repeated.",
        ),
    ] = None,
    shells: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Planned constellation by name, or a shell file; may be repeated."),
    ] = None,
    start: Annotated[
        str | None, typer.Option(metavar="TIME", help="First instant, UTC, such as 2025-06-24T12:00:00Z.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Length of the run, such as 6h or 1d12h.")
    ] = None,
    step: Annotated[str | None, typer.Option(metavar="LENGTH", help="Interval between instants, such as 60s.")] = None,
    frame: Annotated[str | None, typer.Option(metavar="FRAME", help="teme, or itrs (fixed to the Earth).")] = None,
    variables: Annotated[
        list[str] | None,
        typer.Option(metavar="GROUPS", help="position, velocity, altitude, geodetic, decay, lifetime: with commas."),
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Condition: 'name=STARLINK*', 'mean_altitude_km=300..600'; repeated ones are ANDed.",
        ),
    ] = None,
    precision: Annotated[str | None, typer.Option(metavar="TYPE", help="Arithmetic: float64 or float32.")] = None,
    dtype: Annotated[
        str | None, typer.Option(metavar="TYPE", help="Type of the numbers in the file: float32 or float64.")
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="KIND", help="samples (states at each step), or ephemeris (continuous: Chebyshev series)."
        ),
    ] = None,
    tolerance: Annotated[
        str | None, typer.Option(metavar="LENGTH", help="Largest error of a position of an ephemeris, such as 1m.")
    ] = None,
    dense: Annotated[
        bool | None,
        typer.Option("--dense/--no-dense", help="Whether states may be interpolated where steps are short."),
    ] = None,
    device: Annotated[str | None, typer.Option(metavar="KIND", help="Where to compute: cpu, gpu or tpu.")] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="SIZE", help="Bound on the arrays of the run, such as 512MiB or 1GiB.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
    allow_stale: _AllowStale = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")] = False,
    log_json: Annotated[bool, typer.Option("--log-json", help="Write events to stderr, a JSON object a line.")] = False,
) -> None:
    """Propagate a catalogue into a NetCDF file.

    Options replace the keys of the run file. Without a run file the bundled default run is made (six hours of the
    bundled population and three planned constellations); --catalog or --shells then replace all of its objects, and
    the run begins at the midnight (UTC) before the median epoch of the given catalogue, unless --start says
    otherwise.
    """
    given = {
        key: value
        for key, value in ctx.params.items()
        if key not in ("run", "allow_stale", "quiet", "log_json")
        and value not in (None, [], ())
        and (key, value) != ("overwrite", False)
    }
    reporter = choose_reporter(quiet=quiet, log_json=log_json)
    with reporter.session(debug=ctx.obj["debug"]):
        _propagate(run, given, allow_stale=allow_stale, reporter=reporter)


def _propagate(run: Path | None, given: dict[str, Any], *, allow_stale: bool, reporter: Reporter) -> None:
    from constellation_jax.inputs.run_file import load_objects, read_run

    config = read_run(run, options=given)
    objects, times = load_objects(config, allow_stale=allow_stale)
    history = shlex.join(["constellation-jax", *sys.argv[1:]])
    common: dict[str, Any] = {"overwrite": config.overwrite, "progress": reporter.progress, "history": history}
    if config.store == "ephemeris":
        from constellation_jax.inputs.times import time_grid

        reporter.start(config, objects, time_grid(times[0], config.duration, EPHEMERIS_SPAN))
        configure(compile_cache=True)
        from constellation_jax.studies.ephemeris.write import ephemeris_to

        made = ephemeris_to(
            config.output,
            objects,
            times[0],
            config.duration,
            tolerance_m=config.tolerance,
            span=EPHEMERIS_SPAN,
            **common,
        )
        reporter.done(made, counted="spans")
        return
    reporter.start(config, objects, times)
    configure(compile_cache=True)
    from constellation_jax.studies.propagation.propagate import propagate_to

    report = propagate_to(
        config.output,
        objects,
        times,
        frame=config.frame,
        precision=config.precision,
        variables=config.variables,
        dtype=config.dtype,
        dense=config.dense,
        device=config.device,
        memory_bytes=config.memory,
        **common,
    )
    reporter.done(report, counted="steps")


@app.command()
def catalog(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="Element sets: a file, 'bundled' or a CelesTrak group.")
    ],
    match: Annotated[
        bool, typer.Option("--match", help="Print which objects are in which shell of a constellation instead.")
    ] = False,
    shells: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --match: a constellation by name, or a shell file; may be repeated [default: all as flown].",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    allow_stale: _AllowStale = False,
) -> None:
    """Print what is in a catalogue.

    Objects by family and altitude, and every record that could not be taken; or, with --match, the objects on station, raising,
    lowering and stray of every shell.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        import json

        from constellation_jax.errors import InputError
        from constellation_jax.inputs.catalog.summary import summarise
        from constellation_jax.inputs.run_file import find_source, read_source

        if shells and not match:
            raise InputError(f"--shells {shells[0]}: found without --match, expected both or neither")
        try:
            found = find_source(source)
        except InputError as error:
            raise InputError(f"FILE: {error}") from None
        objects = read_source(found, allow_stale=allow_stale)
        if match:
            _print_match(objects, shells or [], as_json=as_json)
            return
        summary = summarise(objects, rejects=0)
        if as_json:
            rejects = [reject._asdict() for reject in objects.rejects]
            typer.echo(json.dumps(summary.to_dict() | {"rejects": rejects}, indent=2))
            return
        for line in summary.lines():
            typer.echo(line)
        if objects.rejects:
            typer.echo("\nRejects")
        for reject in objects.rejects:
            typer.echo(f"  {reject}")


def _print_match(objects: Catalog, shells: list[str], *, as_json: bool) -> None:
    import json

    from constellation_jax.cli.match_table import format_match, match_to_dict
    from constellation_jax.inputs.shells.files import load_shells
    from constellation_jax.studies.matching.match import match_shells

    match = match_shells(objects, [shell for name in shells for shell in load_shells(name)] or None)
    lines = [json.dumps(match_to_dict(match, objects), indent=2)] if as_json else format_match(match)
    for line in lines:
        typer.echo(line)


@shells_app.callback(add_help_option=False, invoke_without_command=True)
def shells(ctx: typer.Context, help: _GroupHelp = False) -> None:
    """List the bundled planned constellations.

    With their variants, as filed and as flown, and the numbers of satellites and shells.
    """
    if ctx.invoked_subcommand is not None:
        return
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.cli.shell_tables import list_shells

        for line in list_shells():
            typer.echo(line)


@shells_app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name that 'shells' lists, or a shell file.")],
) -> None:
    """Print the shells of one planned constellation, with status and source of every number."""
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.cli.shell_tables import show_shells

        for line in show_shells(name):
            typer.echo(line)


@app.command()
def fetch(
    ctx: typer.Context,
    group: Annotated[str, typer.Argument(help="CelesTrak group, such as active, starlink or geo.")],
    allow_stale: _AllowStale = False,
) -> None:
    """Download the element sets of a CelesTrak group.

    Prints the path of the file. A group is asked for at most once in two hours; until then the kept copy is given.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.inputs.catalog.celestrak import fetch

        typer.echo(fetch(group, allow_stale=allow_stale))


@app.command()
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
        str | None, typer.Option(metavar="TYPE", help="Arithmetic: float64 or float32 [default: both].")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the file is written and removed again.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
    allow_stale: _AllowStale = False,
) -> None:
    """Measure how fast a propagation is on this machine.

    Compilation, computing, copying and writing apart; each figure but the first is the median of five warm runs.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        import json

        from constellation_jax.errors import InputError
        from constellation_jax.inputs.run_file import load_objects, read_run

        options = {"catalog": [catalog], "duration": duration, "step": step, "variables": [variables]}
        run = read_run(options=options | ({"precision": precision} if precision else {}))
        if folder is not None and not folder.is_dir():
            raise InputError(f"--folder: found {str(folder)!r}, expected a folder that exists")
        objects, times = load_objects(run, allow_stale=allow_stale)
        configure()  # without kept programs: the compilation is one of the figures
        from constellation_jax.benchmark.speed import measure_speed

        asked: dict[str, Any] = {"precisions": [precision]} if precision else {}
        report = measure_speed(objects, times, variables=run.variables, folder=folder, **asked)
        typer.echo(json.dumps(report.to_dict(), indent=2) if as_json else "\n".join(report.lines()))


@app.command()
def version() -> None:
    """Print the versions that matter for a report."""
    import platform
    from importlib.metadata import version

    python = f"Python {platform.python_version()}"
    typer.echo(f"constellation-jax {__version__}, jax {version('jax')}, {python}, {platform.platform()}")
