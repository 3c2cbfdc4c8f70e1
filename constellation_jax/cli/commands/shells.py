"""The commands `shells` and `shells show`: the bundled planned constellations."""

from __future__ import annotations

from typing import Annotated

import typer

from constellation_jax.cli.options import GroupHelp
from constellation_jax.cli.reporting import Reporter

app = typer.Typer(rich_markup_mode=None)


@app.callback(add_help_option=False, invoke_without_command=True)
def shells(ctx: typer.Context, help: GroupHelp = False) -> None:
    """List the bundled planned constellations.

    With their variants, as filed and as flown, and the numbers of satellites and shells.
    """
    if ctx.invoked_subcommand is not None:
        return
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.cli.shell_tables import list_shells

        for line in list_shells():
            typer.echo(line)


@app.command()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="A name that 'shells' lists, or a shell file.")],
) -> None:
    """Print the shells of one planned constellation.

    With status and source of every number.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.cli.shell_tables import show_shells

        for line in show_shells(name):
            typer.echo(line)
