"""The command line, `constellation-jax`: glue between files, the Python functions and the terminal. A file holds a command or two.

Nothing heavy is imported before a command runs, so that `--help` answers at once. Exit codes: 0 done, 1 the output
could not be written, 2 something given was wrong, 3 `tune` did not converge, 70 a defect of the program, 130 interrupted,
143 terminated. Deliberately absent: any computation.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from constellation_jax import __version__
from constellation_jax.cli.commands import (
    bench,
    catalog,
    conjunctions,
    decay,
    deploy,
    globe,
    passes,
    plot,
    propagate,
    shells,
    tune,
)
from constellation_jax.cli.options import GroupHelp
from constellation_jax.cli.process import run
from constellation_jax.errors import printable

_UsageError: Any = typer.BadParameter.__base__
"""Mistakes of usage, of click or of the copy of it that newer versions of typer hold."""


class _Commands(TyperGroup):
    """Group of commands whose mistakes of usage are one line, as all others are."""

    def make_context(self, *arguments: Any, **options: Any) -> Any:
        with _one_line():
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: Any) -> Any:
        with _one_line():
            return super().invoke(ctx)


@contextlib.contextmanager
def _one_line() -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help
            raise
        said: Any = error
        command = said.ctx.command_path if said.ctx else "constellation-jax"
        message = printable(said.format_message()).replace("\n", " ").rstrip(".")
        typer.echo(f"constellation-jax: error: {message}; see {command} --help", err=True)
        raise typer.Exit(said.exit_code) from None


app = typer.Typer(
    name="constellation-jax",
    cls=_Commands,
    help="Propagate every satellite and every planned constellation together: catalogue in, NetCDF out. The option "
    "--install-completion sets up completion by the tab key.",
    # typer's options --install-completion and --show-completion load pydantic, where it is installed, on the way to every command
    add_completion=any("completion" in word for word in sys.argv[1:]) or "_CONSTELLATION_JAX_COMPLETE" in os.environ,
    no_args_is_help=True,
    rich_markup_mode=None,  # the plain help needs no import of rich
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command in (
    *(propagate.propagate, propagate.ephemeris, propagate.finish, propagate.verify),
    *(catalog.catalog, catalog.fetch),
    *(deploy.deploy, decay.decay, decay.station_keeping, tune.tune),
    *(conjunctions.conjunctions, conjunctions.encounter_rates, passes.passes),
    *(plot.plot, globe.globe),
    bench.bench,
):
    app.command()(_command)
app.add_typer(shells.app, name="shells")


def main() -> None:
    """Run the command line; the console script calls this."""
    run(lambda: app(prog_name="constellation-jax"))


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"constellation-jax {__version__}")
        raise typer.Exit


@app.callback(add_help_option=False)
def _app(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected error.")] = False,
    help: GroupHelp = False,
) -> None:
    ctx.obj = {"debug": debug}


@app.command()
def version() -> None:
    """Print the versions that a report should name."""
    import platform
    from importlib.metadata import version

    python = f"Python {platform.python_version()}"
    typer.echo(f"constellation-jax {__version__}, jax {version('jax')}, {python}, {platform.platform()}")
