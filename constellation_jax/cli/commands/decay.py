"""The commands `decay` and `station-keeping`. Only glue and text."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax.cli.options import (
    AllowStale,
    AtmosphereModel,
    CatalogSource,
    Conditions,
    Dask,
    Device,
    ForecastFile,
    Output,
    Overwrite,
    Quiet,
    ShellNames,
    SpaceWeatherFile,
    Strict,
    claim,
    connect,
    load_catalog,
    load_space_weather,
    write_result,
)
from constellation_jax.cli.reporting import Reporter, count
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
    from constellation_jax.inputs.shells.files import Shell
    from constellation_jax.studies.decay.ballistic_fit import BallisticFit

_Start = Annotated[str | None, typer.Option("--start", metavar="TIME", help="First day, UTC, such as 2027-01-01.")]
_Ballistic = Annotated[
    float | None,
    typer.Option(
        "--ballistic-coefficient", metavar="B", help="Ballistic coefficient Cd A / m of every satellite, m2/kg."
    ),
]
_Area = Annotated[
    float | None,
    typer.Option("--area-m2", metavar="M2", help="Drag area of a satellite, which makes B with its mass, m2."),
]
_DragCoefficient = Annotated[
    float | None,
    typer.Option("--drag-coefficient", metavar="CD", help="Drag coefficient that goes with the area [default: 2.2]."),
]
_DRAG_COEFFICIENT = 2.2
_MOST_ROWS = 100
"""Objects whose fits are printed."""


def decay(
    ctx: typer.Context,
    catalog: CatalogSource = None,
    shells: ShellNames = None,
    years: Annotated[float, typer.Option(metavar="N", help="Span in years.")] = 25.0,
    start: _Start = None,
    solar: Annotated[str, typer.Option(metavar="low|median|high", help="Scenario of the solar activity.")] = "median",
    space_weather: SpaceWeatherFile = None,
    forecast: ForecastFile = None,
    atmosphere: AtmosphereModel = CALIBRATED,
    fit: Annotated[
        bool,
        typer.Option(
            "--fit", help="Fit the ballistic coefficient of each object to its element sets, and decay the newest."
        ),
    ] = False,
    ballistic_coefficient: _Ballistic = None,
    mass_kg: Annotated[float | None, typer.Option(metavar="KG", help="Mass of every satellite.")] = None,
    area_m2: _Area = None,
    drag_coefficient: _DragCoefficient = None,
    attitude: Annotated[
        str, typer.Option(metavar="on_station|tumbling|face_on", help="Attitude of the satellites of shells.")
    ] = "on_station",
    select: Conditions = None,
    ensemble: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            help="Members of the ensemble behind the percentiles, 0 for none [default: 20, where there is a forecast].",
        ),
    ] = None,
    strict: Strict = False,
    device: Device = None,
    dask: Dask = None,
    output: Output = None,
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Compute lifetimes and altitudes over years.

    Of a catalogue or of planned shells, without manoeuvres. Prints a line for each shell, with --fit for each object,
    and writes a NetCDF file (decay.nc unless --output says otherwise).
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        inputs = (catalog, *(shells or []), space_weather, forecast)
        with claim(output or Path("decay.nc"), overwrite=overwrite, inputs=inputs) as target, connect(dask) as client:
            objects = _objects(catalog, shells or [], start, attitude, select or [], allow_stale)
            configure(compile_cache=True)
            from constellation_jax.studies.decay.decay import decay as compute

            weather = load_space_weather(space_weather, forecast)
            coefficient: Any = _coefficient(ballistic_coefficient, mass_kg, area_m2, drag_coefficient)
            if fit:
                objects, coefficient = _fit(objects, coefficient, shells or [], weather, atmosphere)
            else:
                _warn_of_histories(objects)
            dataset = compute(
                objects,
                years=years,
                start=start,
                ballistic_coefficient=coefficient,
                solar=solar,
                space_weather=weather,
                atmosphere=atmosphere,
                ensemble=ensemble,
                strict=strict,
                client=client,
                device=device,
            )
            write_result(dataset, target)
        if not quiet:
            if fit:
                _print_fits(dataset)
            _print_decay(dataset, target.path, weather)


def station_keeping(
    ctx: typer.Context,
    shells: ShellNames = None,
    years: Annotated[float, typer.Option(metavar="N", help="Span of the mission in years.")] = 5.0,
    start: _Start = None,
    space_weather: SpaceWeatherFile = None,
    forecast: ForecastFile = None,
    atmosphere: AtmosphereModel = CALIBRATED,
    ballistic_coefficient: _Ballistic = None,
    mass_kg: Annotated[
        float | None, typer.Option(metavar="KG", help="Mass of a satellite with its propellant.")
    ] = None,
    area_m2: _Area = None,
    drag_coefficient: _DragCoefficient = None,
    propellant_kg: Annotated[float | None, typer.Option(metavar="KG", help="Propellant of a satellite.")] = None,
    specific_impulse_s: Annotated[
        float | None, typer.Option(metavar="S", help="Specific impulse of its thruster, s.")
    ] = None,
    thrust_mn: Annotated[float | None, typer.Option(metavar="MN", help="Thrust of its thruster, mN.")] = None,
    dead_band_km: Annotated[
        float, typer.Option(metavar="KM", help="Depth that a satellite sinks between manoeuvres, km.")
    ] = 1.0,
    strict: Strict = False,
    device: Device = None,
    output: Output = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    """Compute the cost of holding an altitude.

    For planned shells, under low, median and high solar activity. Values replace those of the shell files. Writes a
    file where --output is given.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        inputs = (*(shells or []), space_weather, forecast)
        target = None if output is None else claim(output, overwrite=overwrite, inputs=inputs)
        known = _shells(shells or [])
        configure(compile_cache=True)
        from constellation_jax.studies.decay.station_keeping import station_keeping as compute

        with target or contextlib.nullcontext():
            b = _coefficient(ballistic_coefficient, mass_kg, area_m2, drag_coefficient, shells=known)
            if isinstance(b, list):
                pairs = zip(known, b, strict=True)
                known, b = [shell.replace(ballistic_coefficient_m2_kg=value) for shell, value in pairs], None
            weather = load_space_weather(space_weather, forecast)
            dataset = compute(
                known,
                years=years,
                **({"start": start} if start else {}),
                ballistic_coefficient=b,
                mass_kg=mass_kg,
                propellant_kg=propellant_kg,
                specific_impulse_s=specific_impulse_s,
                thrust_mn=thrust_mn,
                dead_band_km=dead_band_km,
                space_weather=weather,
                atmosphere=atmosphere,
                strict=strict,
                device=device,
            )
            if target is not None:
                write_result(dataset, target)
        if not quiet:
            _print_station_keeping(dataset, weather)


def _coefficient(
    ballistic: float | None,
    mass_kg: float | None,
    area_m2: float | None,
    drag_coefficient: float | None,
    *,
    shells: list[Shell] | None = None,
) -> float | list[float] | None:
    """Ballistic coefficient of the options, m2/kg: given, or of mass, area and drag coefficient; of each shell by its own mass.

    Raises:
        InputError: a number that is not above 0 or not finite, or options that do not go together.
    """
    from constellation_jax.errors import InputError
    from constellation_jax.studies.decay.inputs import CREDIBLE_BALLISTIC_COEFFICIENTS, check_numbers

    low, high = CREDIBLE_BALLISTIC_COEFFICIENTS

    def check(name: str, value: float) -> float:
        if not low <= value <= high:  # NaN falls here too
            raise InputError(f"{name}: found a ballistic coefficient of {value:g} m2/kg, expected {low:g} to {high:g}")
        return value

    check_numbers(1e9, **{"--mass-kg": mass_kg, "--area-m2": area_m2, "--drag-coefficient": drag_coefficient})
    if area_m2 is None:
        if drag_coefficient is not None:
            raise InputError("--drag-coefficient: found without --area-m2, expected both")
        if mass_kg is not None and shells is None:
            raise InputError("--mass-kg: found without --area-m2, expected both")
        return None if ballistic is None else check("--ballistic-coefficient", ballistic)
    if ballistic is not None:
        raise InputError("--ballistic-coefficient: found with --area-m2, expected one of them")
    drag_area = area_m2 * (_DRAG_COEFFICIENT if drag_coefficient is None else drag_coefficient)
    if mass_kg is not None:
        return check("--drag-coefficient, --area-m2 and --mass-kg", drag_area / mass_kg)
    masses = [(shell.name, shell.spacecraft.mass_kg) for shell in shells or ()]
    unknown = next((name for name, mass in masses if mass is None), None)
    if unknown is not None or not masses:
        what = f"the mass of shell {unknown!r} is not known; " if unknown is not None else ""
        raise InputError(f"--area-m2: found without --mass-kg, expected both ({what}B is Cd A / m)")
    return [check("--area-m2", drag_area / mass) for _, mass in masses if mass is not None]


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


def _fit(
    histories: Catalog, coefficient: object, shells: list[str], weather: SpaceWeather, atmosphere: str
) -> tuple[Catalog, BallisticFit]:
    """Fit the ballistic coefficients of objects to their element sets; return their newest sets with the fits.

    Raises:
        InputError: options that do not go together, objects without a catalogue number, or none with several sets.
    """
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID
    from constellation_jax.studies.decay.ballistic_fit import fit_ballistic_coefficient

    if coefficient is not None or shells:
        other = "--shells" if shells else "a ballistic coefficient, or mass and area"
        raise InputError(f"--fit: found with {other}, expected one of them")
    if (histories.norad_id == NO_NORAD_ID).any():
        raise InputError("--fit: found objects without a catalogue number, expected one in each element set")
    if not histories.repeated()[0]:
        raise InputError("--fit: found one element set of each object, expected histories: many sets of an object")
    return histories.newest(), fit_ballistic_coefficient(histories, space_weather=weather, atmosphere=atmosphere)


def _warn_of_histories(objects: Catalog) -> None:
    several, most, number = objects.repeated()
    if several:
        logging.getLogger("constellation_jax").warning(
            "%s with several element sets (norad_id %s: %d), and each set counts as a satellite: --fit fits the ballistic "
            "coefficient of each object to its sets, and decays the newest",
            count(several, "object"), number, most,
        )  # fmt: skip


def _print_fits(dataset: xr.Dataset) -> None:
    from constellation_jax.studies.decay.ballistic_fit import DOUBTS

    typer.echo(f"{'object':<26}{'B, m2/kg':>10}{'error':>8}{'pieces':>8}  {'doubt':<11}{'re-entry':<12}5 to 95 %")
    for k in range(min(dataset.sizes["satellite"], _MOST_ROWS)):
        row = dataset.isel(satellite=k)
        dates = [_date(row.reentry_date.values)]
        if "reentry_date_percentile" in row:
            dates += [_date(row.reentry_date_percentile.values[j]) for j in (0, -1)]
        doubt = DOUBTS[int(row.ballistic_coefficient_doubt)]
        typer.echo(
            f"{row.satellite.item()!s:<25} {float(row.ballistic_coefficient):>10.4g}"
            f"{100 * float(row.ballistic_coefficient_error):>6.0f} %{int(row.ballistic_coefficient_pieces):>8}"
            f"  {doubt.replace('_', ' '):<11}{dates[0]:<12}{' to '.join(dates[1:])}".rstrip()
        )
    if dataset.sizes["satellite"] > _MOST_ROWS:
        typer.echo(f"... and {count(dataset.sizes['satellite'] - _MOST_ROWS, 'object')} more, in the file")
    doubted = int((dataset.ballistic_coefficient_doubt != 0).sum())
    if doubted:
        typer.echo(f"{count(doubted, 'object')} in doubt: the coefficient is not one to rely on")


def _date(value: Any) -> str:
    return "-" if str(value) == "NaT" else str(value)[:10]


def _print_decay(dataset: xr.Dataset, target: Path, weather: SpaceWeather) -> None:
    from constellation_jax.physics.constants import YEAR_DAYS

    years = dataset.attrs["years"]
    typer.echo(f"{'shell':<24}{'objects':>9}{'kept':>8}{'median life':>14}{'gone in 5 y':>13}{'in 25 y':>9}")
    for k in range(dataset.sizes["shell"]):
        row = dataset.isel(shell=k)
        life = float(row.shell_lifetime) / YEAR_DAYS
        typer.echo(
            f"{row.shell.item()!s:<24}{int(row.shell_satellites):>9,}{int(row.shell_manoeuvres):>8,}"
            f"{(f'{life:.2f} years' if life == life else f'over {years:g}'):>14}"
            f"{_percent(row.shell_five_year_fraction):>13}{_percent(row.shell_25_year_fraction):>9}"
        )
    if kept := int(dataset.manoeuvres.sum()):
        typer.echo(f"kept: {count(kept, 'object')} that manoeuvre; their lives are those if left alone now")
    if "ensemble_absent" in dataset.attrs:
        typer.echo(f"no percentiles: {dataset.attrs['ensemble_absent']}")
    _print_space_weather(dataset, weather)
    typer.echo(f"{target}: {count(dataset.sizes['satellite'], 'object')} over {years:g} years")


def _print_station_keeping(dataset: xr.Dataset, weather: SpaceWeather) -> None:
    from constellation_jax.physics.constants import YEAR_DAYS

    typer.echo(
        f"{'shell':<16}{'solar':<8}{'km':>7}{'m/s a year':>12}{'m/s peak':>10}{'kg a year':>11}{'duty':>10}{'duty peak':>11}"
        f"{'interval':>12}{'lowest':>9}{'lasts':>9}{'then':>9}"
    )
    for shell in dataset.shell.values:
        for solar in dataset.solar.values:
            row = dataset.sel(shell=shell, solar=solar)
            cells = [
                f"{shell!s:<15} {solar!s:<8}{float(row.mean_altitude):>7.0f}",
                f"{_number(row.delta_v, 12)}{_number(row.delta_v_peak, 10)}{_number(row.propellant, 11)}",
                f"{_number(row.duty_cycle, 10)}{_number(row.duty_cycle_peak, 11)}{_number(row.manoeuvre_interval, 10)} d",
                f"{_number(row.lowest_mean_altitude, 9)}{_number(row.propellant_lifetime / YEAR_DAYS, 9)}",
                _number(row.lifetime_after_propellant / YEAR_DAYS, 9),
            ]
            typer.echo("".join(cells))
    typer.echo("m/s, kg and duty: mean of the span, peak: its worst ten days; lowest: km; lasts, then: years")
    _print_space_weather(dataset, weather)


def _print_space_weather(dataset: xr.Dataset, weather: SpaceWeather) -> None:
    from constellation_jax.inputs.environment.space_weather_series import describe_observed

    typer.echo(f"space weather: {dataset.attrs['space_weather']}; {describe_observed(weather)}")


def _percent(value: Any) -> str:
    number = float(value)
    return f"{100 * number:.0f} %" if number == number else "-"


def _number(value: Any, width: int) -> str:
    number = float(value)
    return f" {f'{number:.3g}' if number == number else '-':>{width - 1}}"
