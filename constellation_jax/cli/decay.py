"""The commands `decay` and `station-keeping`. Only glue and text."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax.cli.options import (
    AllowStale,
    Output,
    Overwrite,
    Quiet,
    ShellNames,
    SpaceWeatherFile,
    claim,
    load_catalog,
    write_result,
)
from constellation_jax.cli.reporting import Reporter
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.shells.files import Shell

_Start = Annotated[str | None, typer.Option("--start", metavar="TIME", help="First day, UTC, such as 2027-01-01.")]
_Ballistic = Annotated[
    float | None,
    typer.Option(
        "--ballistic-coefficient", metavar="B", help="Ballistic coefficient Cd A / m of every satellite, m2/kg."
    ),
]


def decay(
    ctx: typer.Context,
    catalog: Annotated[
        str | None, typer.Argument(metavar="CATALOG", help="Element sets: a file, 'bundled' or a CelesTrak group.")
    ] = None,
    shells: ShellNames = None,
    years: Annotated[float, typer.Option(metavar="N", help="Span in years.")] = 25.0,
    start: _Start = None,
    solar: Annotated[str, typer.Option(metavar="low|median|high", help="Scenario of the solar activity.")] = "median",
    space_weather: SpaceWeatherFile = None,
    ballistic_coefficient: _Ballistic = None,
    attitude: Annotated[
        str, typer.Option(metavar="on_station|tumbling|face_on", help="Attitude of the satellites of shells.")
    ] = "on_station",
    select: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help="Condition that every object has to meet, such as 'name=STARLINK*'; may be repeated.",
        ),
    ] = None,
    ensemble: Annotated[
        int, typer.Option(metavar="N", help="Members of the ensemble behind the percentiles; 0 for none.")
    ] = 20,
    strict: Annotated[
        bool, typer.Option("--strict", help="Treat an absurd ballistic coefficient as an error.")
    ] = False,
    output: Output = None,
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Compute lifetimes and altitudes over years.

    Of a catalogue or of planned shells, without manoeuvres. Prints a line for each shell, and writes a NetCDF file
    (decay.nc unless --output says otherwise).
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        inputs = (catalog, *(shells or []), space_weather)
        with claim(output or Path("decay.nc"), overwrite=overwrite, inputs=inputs) as target:
            objects = _objects(catalog, shells or [], start, attitude, select or [], allow_stale)
            configure(compile_cache=True)
            from constellation_jax.studies.decay.decay import decay as compute

            dataset = compute(
                objects,
                years=years,
                start=start,
                ballistic_coefficient=ballistic_coefficient,
                solar=solar,
                space_weather=space_weather,
                ensemble=ensemble,
                strict=strict,
            )
            write_result(dataset, target)
        if not quiet:
            _print_decay(dataset, target.path)


def station_keeping(
    ctx: typer.Context,
    shells: ShellNames = None,
    years: Annotated[float, typer.Option(metavar="N", help="Span of the mission in years.")] = 5.0,
    start: _Start = None,
    space_weather: SpaceWeatherFile = None,
    ballistic_coefficient: _Ballistic = None,
    mass_kg: Annotated[
        float | None, typer.Option(metavar="KG", help="Mass of a satellite with its propellant.")
    ] = None,
    propellant_kg: Annotated[float | None, typer.Option(metavar="KG", help="Propellant of a satellite.")] = None,
    specific_impulse_s: Annotated[
        float | None, typer.Option(metavar="S", help="Specific impulse of its thruster, s.")
    ] = None,
    thrust_mn: Annotated[float | None, typer.Option(metavar="MN", help="Thrust of its thruster, mN.")] = None,
    dead_band_km: Annotated[
        float, typer.Option(metavar="KM", help="Depth that a satellite sinks between manoeuvres, km.")
    ] = 1.0,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compute the cost of holding an altitude.

    For planned shells, under low, median and high solar activity. Values replace those of the shell files. Writes a
    NetCDF file where --output is given.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        inputs = (*(shells or []), space_weather)
        target = None if output is None else claim(output, overwrite=overwrite, inputs=inputs)
        known = _shells(shells or [])
        configure(compile_cache=True)
        from constellation_jax.studies.decay.station_keeping import station_keeping as compute

        with target or contextlib.nullcontext():
            dataset = compute(
                known,
                years=years,
                **({"start": start} if start else {}),
                ballistic_coefficient=ballistic_coefficient,
                mass_kg=mass_kg,
                propellant_kg=propellant_kg,
                specific_impulse_s=specific_impulse_s,
                thrust_mn=thrust_mn,
                dead_band_km=dead_band_km,
                space_weather=space_weather,
            )
            if target is not None:
                write_result(dataset, target)
        if not quiet:
            _print_station_keeping(dataset)


def _shells(names: list[str]) -> list[Shell]:
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.shells.files import load_shells

    if not names:
        raise InputError("--shells: missing; give the name of a constellation that 'shells' lists, or a shell file")
    return [shell for name in names for shell in load_shells(name)]


def _objects(
    catalog: str | None, shells: list[str], start: str | None, attitude: str, conditions: list[str], allow_stale: bool
) -> Catalog:
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.catalog.selection import select
    from constellation_jax.inputs.shells.files import shells_to_catalog

    parts = []
    if catalog is not None:
        parts.append(load_catalog(catalog, "CATALOG", allow_stale=allow_stale))
    if shells:
        epoch: dict[str, Any] = {"epoch": start} if start else {}
        parts.append(shells_to_catalog(_shells(shells), attitude=attitude, **epoch))
    if not parts:
        raise InputError("CATALOG, --shells: missing; give element sets or planned constellations")
    return select(Catalog.concatenate(parts), tuple(conditions))


def _print_decay(dataset: xr.Dataset, target: Path) -> None:
    from constellation_jax.physics.constants import YEAR_DAYS

    years = dataset.attrs["years"]
    typer.echo(f"{'shell':<24}{'objects':>9}{'raised':>8}{'median life':>14}{'gone in 5 y':>13}{'in 25 y':>9}")
    for k in range(dataset.sizes["shell"]):
        row = dataset.isel(shell=k)
        life = float(row.shell_lifetime) / YEAR_DAYS
        typer.echo(
            f"{row.shell.item()!s:<24}{int(row.shell_satellites):>9,}{int(row.shell_manoeuvres):>8,}"
            f"{(f'{life:.2f} years' if life == life else f'over {years:g}'):>14}"
            f"{_percent(row.shell_five_year_fraction):>13}{_percent(row.shell_25_year_fraction):>9}"
        )
    assumed = int((dataset.ballistic_coefficient_source == 3).sum())
    if assumed:
        typer.echo(f"{assumed:,} objects have an assumed ballistic coefficient; --ballistic-coefficient sets it")
    typer.echo(f"space weather: {dataset.attrs['space_weather']}")
    typer.echo(f"{target}: {dataset.sizes['satellite']:,} objects over {years:g} years")


def _print_station_keeping(dataset: xr.Dataset) -> None:
    from constellation_jax.physics.constants import YEAR_DAYS

    typer.echo(
        f"{'shell':<16}{'solar':<8}{'km':>7}{'m/s a year':>12}{'peak':>8}{'kg a year':>11}{'duty':>8}{'peak':>8}"
        f"{'interval':>11}{'lowest':>9}{'lasts':>9}{'then':>8}"
    )
    for shell in dataset.shell.values:
        for solar in dataset.solar.values:
            row = dataset.sel(shell=shell, solar=solar)
            cells = [
                f"{shell!s:<16}{solar!s:<8}{float(row.mean_altitude):>7.0f}",
                f"{float(row.delta_v):>12.3g}{float(row.delta_v_peak):>8.3g}{_number(row.propellant, 11)}",
                f"{_number(row.duty_cycle, 8)}{_number(row.duty_cycle_peak, 8)}{float(row.manoeuvre_interval):>9.3g} d",
                f"{_number(row.lowest_mean_altitude, 9)}{_number(row.propellant_lifetime / YEAR_DAYS, 9)}",
                _number(row.lifetime_after_propellant / YEAR_DAYS, 8),
            ]
            typer.echo("".join(cells))
    typer.echo("m/s, kg and duty: mean of the span and its worst ten days; lowest: km; lasts, then: years")
    typer.echo(f"space weather: {dataset.attrs['space_weather']}")


def _percent(value: Any) -> str:
    number = float(value)
    return f"{100 * number:.0f} %" if number == number else "-"


def _number(value: Any, width: int) -> str:
    number = float(value)
    return f"{f'{number:.3g}' if number == number else '-':>{width}}"
