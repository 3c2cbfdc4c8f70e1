"""The commands `conjunctions` and `encounter-rates`: close approaches of everything with everything. Only glue and text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from constellation_jax.cli.options import (
    AllowStale,
    CatalogSource,
    Conditions,
    Device,
    Overwrite,
    Quiet,
    ShellNames,
    claim,
    load_catalog,
    load_objects,
    write_result,
)
from constellation_jax.cli.reporting import Reporter, count
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr


_Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Start, UTC [default: the latest epoch, or the last midnight].")
]
_MOST_ROWS = 20
"""Close approaches that are printed."""


def conjunctions(
    ctx: typer.Context,
    catalog: CatalogSource = None,
    shells: ShellNames = None,
    start: _Start = None,
    duration: Annotated[str, typer.Option(metavar="LENGTH", help="Length of the span, such as 6h or 7d.")] = "1d",
    distance_km: Annotated[float, typer.Option(metavar="KM", help="Largest miss distance, up to 50 km.")] = 5.0,
    primary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Object of which one is in every pair, by catalogue number, name or pattern; may be repeated.",
        ),
    ] = None,
    same_fleet: Annotated[
        bool, typer.Option("--same-fleet", help="Count pairs of satellites on station of one fleet, too.")
    ] = False,
    same_shell: Annotated[
        bool, typer.Option("--same-shell", help="Count pairs of satellites of one planned shell, too.")
    ] = False,
    select: Conditions = None,
    device: Device = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .nc, or a table as .csv or .parquet.")
    ] = Path("conjunctions.nc"),
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Find all close approaches among a catalogue and planned shells.

    Prints the closest ones, and writes all of them to a file. They are as good as the element sets, a kilometre at
    best: they rank and count, and decide on no manoeuvre.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        with claim(output, overwrite=overwrite, inputs=(catalog, *(shells or []))) as target:
            configure(compile_cache=True)
            objects, begin = load_objects(catalog, shells or [], start, select or [], allow_stale=allow_stale)
            from constellation_jax.studies.conjunctions.screen import conjunctions as screen

            events = screen(
                objects,
                (begin, duration),
                distance_km,
                primaries=primary or None,
                same_fleet=same_fleet,
                same_shell=same_shell,
                device=device,
            )
            write_result(events, target)
        if not quiet:
            _print_closest(events)
            number = events.sizes["event"]
            typer.echo(
                f"{target.path}: {number:,} approach{'es' * (number != 1)} within {distance_km:g} km among "
                f"{count(len(objects), 'object')}"
            )


def encounter_rates(
    ctx: typer.Context,
    catalog: Annotated[
        str | None,
        typer.Argument(
            metavar="CATALOG", help="What flies: a file, 'bundled' or a CelesTrak group [default: nothing]."
        ),
    ] = None,
    shells: ShellNames = None,
    start: _Start = None,
    days: Annotated[float, typer.Option(metavar="DAYS", help="Span that is screened.")] = 1.0,
    distance_km: Annotated[float, typer.Option(metavar="KM", help="Largest distance that is counted.")] = 5.0,
    miss_distance_km: Annotated[float, typer.Option(metavar="KM", help="Distance of the rates for a year.")] = 1.0,
    device: Device = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .nc, or a table as .csv or .parquet.")
    ] = Path("rates.nc"),
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Count encounters of planned shells with each other and with what flies.

    Prints, for each shell, the encounters a day within --distance-km beside those that kinetic theory expects, and those a
    year within --miss-distance-km.
    """
    from constellation_jax.errors import InputError

    with Reporter().session(debug=ctx.obj["debug"]):
        with claim(output, overwrite=overwrite, inputs=(catalog, *(shells or []))) as target:
            if not shells:
                raise InputError("--shells: missing; give planned constellations, see constellation-jax shells")
            configure(compile_cache=True)
            from constellation_jax.inputs.shells.files import load_shells
            from constellation_jax.studies.conjunctions.rates import encounter_rates as rate

            rates = rate(
                None if catalog is None else load_catalog(catalog, "CATALOG", allow_stale=allow_stale),
                [shell for name in shells for shell in load_shells(name)],
                days=days,
                distance_km=distance_km,
                miss_distance_km=miss_distance_km,
                start=start,
                device=device,
            )
            write_result(rates, target)
        if not quiet:
            sums = rates.sum("other", skipna=True)
            typer.echo(f"{'shell':<24}{'a day':>10}{'expected':>10}{'a year':>10}")
            for k, shell in enumerate(rates.shell.values.tolist()):
                values = (sums[n].values[k] for n in ("encounters_per_day", "expected_per_day", "encounters_per_year"))
                typer.echo(f"{shell:<24}" + "".join(f"{v:>10.4g}" for v in values))
            typer.echo(f"{target.path}: encounters within {distance_km:g} km a day, {miss_distance_km:g} km a year")


def _print_closest(events: xr.Dataset) -> None:
    import numpy as np

    if not events.sizes["event"]:
        return
    typer.echo(f"{'time of closest approach':<25}{'km':>8}{'km/s':>8}  {'objects':<52}flags")
    for k in np.argsort(events.miss_distance.values, kind="stable")[:_MOST_ROWS].tolist():
        row = events.isel(event=k)
        names = [_label(row, number) for number in (1, 2)]
        words = events.status.attrs["flag_meanings"].split()
        masks = np.asarray(events.status.attrs["flag_masks"])
        flags = [word for word, mask in zip(words, masks.tolist(), strict=True) if int(row.status) & mask]
        typer.echo(
            f"{str(row.tca.values)[:23]:<25}{float(row.miss_distance):>8.3f}{float(row.relative_speed):>8.3f}  "
            f"{' - '.join(names):<52}{' '.join(flags)}".rstrip()
        )


def _label(row: xr.Dataset, number: int) -> str:
    from constellation_jax.errors import printable

    name, norad = str(row[f"name_{number}"].item()), int(row[f"satellite_number_{number}"])
    return printable(name[:24]) or ("unnamed" if norad < 0 else str(norad))
