"""The command `globe`: satellites as one HTML page. Only glue."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from constellation_jax.cli.options import AllowStale, Overwrite, Quiet, ShellNames, load_catalog
from constellation_jax.cli.reporting import choose_reporter, count
from constellation_jax.errors import InputError

_DEFAULT_SHELLS = ("guowang", "qianfan", "kuiper")
"""Planned constellations beside the bundled population, those of the default run."""
_EXPECTED = "a file of constellation-jax propagate or decay; element sets are given by --catalog"


def globe(
    ctx: typer.Context,
    file: Annotated[
        str | None, typer.Argument(metavar="FILE", help="File of propagate or decay, NetCDF or a Zarr store.")
    ] = None,
    catalog: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Element sets: a file, 'bundled' or a CelesTrak group.")
    ] = None,
    shells: ShellNames = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Condition that every object of --catalog has to meet, such as 'name=STARLINK*'; may be repeated.",
        ),
    ] = None,
    start: Annotated[
        str | None, typer.Option("--start", metavar="TIME", help="Instant that the page opens at, UTC.")
    ] = None,
    title: Annotated[str | None, typer.Option(metavar="TEXT", help="Heading of the page.")] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="PAGE.html", help="Page to write.", show_default=True)
    ] = Path("globe.html"),
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Draw satellites on a globe, in one HTML page that opens in any browser.

    Those of a file, or of --catalog, with planned constellations beside them (--shells); without any of these the
    bundled population and Guowang, Qianfan and Kuiper.
    """
    reporter = choose_reporter(quiet=quiet, log_json=False)
    with reporter.session(debug=ctx.obj["debug"]):
        from constellation_jax.inputs.catalog.selection import select as narrow
        from constellation_jax.inputs.shells.files import load_shells
        from constellation_jax.outputs.formats import open_dataset
        from constellation_jax.outputs.target import Target
        from constellation_jax.views.globe.globe import globe as draw

        if file is not None and catalog is not None:
            raise InputError("found a file and --catalog, expected one of the two")
        if select and catalog is None:
            raise InputError("--select: goes with --catalog; constellation-jax propagate --select makes a smaller file")
        if file is catalog is None and not shells:
            catalog, shells = "bundled", list(_DEFAULT_SHELLS)
        inputs = [word for word in (file, catalog, *(shells or [])) if word is not None]
        target = Target(output, overwrite=overwrite, inputs=inputs)
        planned = [shell for name in shells or [] for shell in load_shells(name)]
        objects: Any = planned
        if catalog is not None:
            objects = narrow(load_catalog(catalog, "--catalog", allow_stale=allow_stale), select or [])
        if file is not None:
            with open_dataset(file, _EXPECTED) as dataset:
                page = draw(dataset, planned, start=start, title=title or "")
        else:
            page = draw(objects, [] if catalog is None else planned, start=start, title=title or "")
        page.save(target)
        reporter.note(
            f"{output}: {count(page.count, 'object')}, {output.stat().st_size / 1e6:.1f} MB; open it in a browser"
        )
