"""The command line, `constellation-jax`: only glue between run files, readers, the propagation and the terminal.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes: 0 done, 1 the output
could not be written, 2 something given was wrong, 70 a defect of the program, 130 interrupted. Deliberately absent:
any computation.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax import __version__
from constellation_jax.cli import propagate as propagate_commands
from constellation_jax.cli.decay import decay, station_keeping
from constellation_jax.cli.deploy import deploy
from constellation_jax.cli.reporting import Reporter
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
app.command()(propagate_commands.propagate)
app.command()(propagate_commands.ephemeris)
app.command()(deploy)
app.command()(decay)
app.command()(station_keeping)
app.command()(tune)

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
        from constellation_jax.inputs.sources import find_source, read_source

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

    from constellation_jax.cli.match_table import match_as_dict, match_lines
    from constellation_jax.inputs.shells.files import load_shells
    from constellation_jax.studies.matching.match import match_shells

    match = match_shells(objects, [shell for name in shells for shell in load_shells(name)] or None)
    lines = [json.dumps(match_as_dict(match, objects), indent=2)] if as_json else match_lines(match)
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
        from constellation_jax.inputs.run_keys import PropagationRun
        from constellation_jax.inputs.times import time_grid
        from constellation_jax.outputs.variables import resolve_groups

        options = {"catalog": [catalog], "duration": duration, "step": step, "variables": [variables]}
        options |= {"precision": precision} if precision else {}
        run = read_run(PropagationRun, options=options, checks={"variables": resolve_groups})
        if folder is not None and not folder.is_dir():
            raise InputError(f"--folder: found {str(folder)!r}, expected a folder that exists")
        objects, start = load_objects(run, allow_stale=allow_stale)
        times = time_grid(start, run.duration, run.step)
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
