"""The commands `catalog` and `fetch`: the contents of a catalogue, and downloads from CelesTrak."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from constellation_jax.cli.options import AllowStale, AsJson, Output, Overwrite, claim, load_catalog, write_result
from constellation_jax.cli.reporting import Reporter
from constellation_jax.errors import printable

if TYPE_CHECKING:
    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.outputs.target import Target


def catalog(
    ctx: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="FILE", help="Element sets: a file, 'bundled' or a CelesTrak group.")
    ],
    match: Annotated[
        bool, typer.Option("--match", help="Print the objects in each shell of a constellation instead.")
    ] = False,
    shells: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="With --match: a constellation by name, or a shell file; may be repeated [default: all as flown].",
        ),
    ] = None,
    as_json: AsJson = False,
    output: Output = None,
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
) -> None:
    """Print the contents of a catalogue.

    Objects by family and altitude, and every record that could not be taken; or, with --match, the objects on station,
    raising, lowering and stray of every shell, and with --output a file of the shell, state, plane and slot of every object.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.errors import InputError

        if shells and not match:
            raise InputError(f"--shells {shells[0]}: found without --match, expected both or neither")
        if output is not None and not match:
            raise InputError("--output: found without --match, whose table it is for; expected both or neither")
        target = None if output is None else claim(output, overwrite=overwrite, inputs=(source, *(shells or [])))
        objects = load_catalog(source, "FILE", allow_stale=allow_stale, lists_rejects=not match)
        lines = _match_lines(objects, shells or [], as_json, target) if match else _summary_lines(objects, as_json)
        for line in lines:
            typer.echo(printable(line))


def fetch(
    ctx: typer.Context,
    group: Annotated[
        str,
        typer.Argument(
            help="CelesTrak group, such as active, starlink or geo; or space-weather, its table of indices."
        ),
    ],
    allow_stale: AllowStale = False,
) -> None:
    """Download the element sets of a CelesTrak group, or its space weather.

    Prints the path of the file on stdout, and the age of the copy on stderr. A file is asked for at most once in two hours;
    until then the kept copy is given.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        from constellation_jax.inputs.catalog.celestrak import describe_age, fetch, fetch_space_weather

        is_weather = group.lower() == "space-weather"
        path = fetch_space_weather(allow_stale=allow_stale) if is_weather else fetch(group, allow_stale=allow_stale)
        said = f"fetched {describe_age(path)} ago"
        if is_weather:
            from constellation_jax.inputs.environment.space_weather_series import SpaceWeather, describe_observed

            said += f"; {describe_observed(SpaceWeather.load(path))}"
        typer.echo(path)
        typer.echo(said, err=True)


def _summary_lines(objects: Catalog, as_json: bool) -> Iterator[str]:
    import json

    from constellation_jax.inputs.catalog.summary import summarise

    summary = summarise(objects, rejects=0)
    if as_json:
        rejects = [reject._asdict() for reject in objects.rejects]
        yield json.dumps(summary.to_dict() | {"rejects": rejects}, indent=2)
        return
    yield from summary.lines()
    several, most, number = objects.repeated()
    if several:
        yield f"\nObjects with several element sets: {several:,} (norad_id {number}: {most}); Catalog.newest() keeps one of each"
    if objects.rejects:
        yield "\nRejects"
    for reject in objects.rejects:
        yield f"  {reject}"


def _match_lines(objects: Catalog, shells: list[str], as_json: bool, target: Target | None) -> Iterator[str]:
    import json

    from constellation_jax.cli.match_table import format_match, match_to_dict
    from constellation_jax.inputs.shells.files import load_shells
    from constellation_jax.studies.matching.match import match_shells

    match = match_shells(objects, [shell for name in shells for shell in load_shells(name)] or None)
    if target is not None:
        from constellation_jax.outputs.datasets.matching import make_match_dataset

        write_result(make_match_dataset(objects, vars(match), match.epoch), target)
    if as_json:
        yield json.dumps(match_to_dict(match, objects), indent=2)
    else:
        yield from format_match(match)
