"""The commands `conjunctions` and `encounter-rates`: close approaches of everything with everything. Only glue and text."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

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
    command_line,
    load_catalog,
    load_objects,
    write_result,
)
from constellation_jax.cli.reporting import Reporter, count
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.inputs.catalog.catalog import Catalog


_Start = Annotated[
    str | None, typer.Option(metavar="TIME", help="Start, UTC [default: the latest epoch, or the last midnight].")
]
_MOST_ROWS: Final = 20
"""Close approaches that are printed."""
_CONVENTIONS: Final = {"foster": "pc", "max": "pc_max", "socrates": "socrates_max_probability"}
"""Name of a convention of the probability -> its variable."""


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
    probability: Annotated[
        bool, typer.Option("--probability", help="Add collision probabilities, and print the most probable first.")
    ] = False,
    covariance: Annotated[
        list[str] | None,
        typer.Option(
            metavar="class|FILE",
            help="Covariances: of the class by age, or of a file: CDM, OEM or MEME with covariances, or element sets of "
            "earlier dates; may be repeated [default: class].",
        ),
    ] = None,
    radius: Annotated[
        str | None,
        typer.Option(
            metavar="M|FILE",
            help="Hard-body radius of each object, or a csv with NORAD_CAT_ID and HBR_M [default: 10 m for Starlink, 1 m].",
        ),
    ] = None,
    convention: Annotated[
        str | None,
        typer.Option(
            metavar="|".join(_CONVENTIONS),
            help="Probability that is printed: in the encounter plane, the largest over all sizes of the covariance, or "
            "SOCRATES' MAX_PROB [default: foster].",
        ),
    ] = None,
    cdm: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder for a conjunction data message of each approach that is printed."),
    ] = None,
    device: Device = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", metavar="FILE", help="File to write: .nc, .zarr, or a table as .csv or .parquet."
        ),
    ] = Path("conjunctions.nc"),
    overwrite: Overwrite = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep the days that an interrupted run of the same inputs has left in OUTPUT.parts."
        ),
    ] = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Find all close approaches among a catalogue and planned shells.

    Prints the closest ones, and writes all of them to a file. They are as good as the element sets, a kilometre at
    best: they rank and count, and decide on no manoeuvre.
    """
    with Reporter().session(debug=ctx.obj["debug"]):
        options = {"--covariance": covariance, "--radius": radius, "--convention": convention, "--cdm": cdm}
        _check_probability(probability, [name for name, value in options.items() if value], convention)
        files = [word for word in covariance or [] if word != "class"]
        inputs = (catalog, radius, *(shells or []), *files)
        with claim(output, overwrite=overwrite, inputs=inputs, kind="events") as target:
            if cdm is not None:
                _check_folder(cdm, overwrite=overwrite)
            configure(compile_cache=True)
            add = _make_adder(files, radius, device) if probability else None
            objects, begin = load_objects(catalog, shells or [], start, select or [], allow_stale=allow_stale)
            from constellation_jax.studies.conjunctions.to_file import conjunctions_to

            def finish(events: xr.Dataset) -> xr.Dataset:
                known = events if add is None else add(events, objects)
                return known.assign_attrs(command=command_line())

            events = conjunctions_to(
                target,
                objects,
                (begin, duration),
                distance_km,
                primaries=primary or None,
                same_fleet=same_fleet,
                same_shell=same_shell,
                device=device,
                add=finish,
                overwrite=overwrite,
                resume=resume,
            )
            shown = _choose_shown(events, _CONVENTIONS[convention or "foster"] if probability else None)
            if cdm is not None:
                _write_messages(events, shown, cdm)
        if not quiet:
            _print_events(events, shown, _CONVENTIONS[convention or "foster"] if probability else None)
            number = events.sizes["event"]
            typer.echo(
                f"{target}: {number:,} approach{'es' * (number != 1)} within {distance_km:g} km among "
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
    threshold: Annotated[
        list[float] | None,
        typer.Option(
            metavar="PC",
            help="Collision probability above which a manoeuvre is made; may be repeated [default: 1e-4, 1e-5 and 1e-6].",
        ),
    ] = None,
    age_days: Annotated[
        float, typer.Option(metavar="DAYS", help="Age of the catalogue's element sets when one decides on a manoeuvre.")
    ] = 0.5,
    own_sigma_m: Annotated[
        str,
        typer.Option(
            metavar="R,I,C", help="Errors of planned satellites when one decides: radial, in-track and cross-track, m."
        ),
    ] = "12,283,3.3",
    own_radius_m: Annotated[float, typer.Option(metavar="M", help="Hard-body radius of a planned satellite.")] = 5.0,
    device: Device = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .nc, or a table as .csv or .parquet.")
    ] = Path("rates.nc"),
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Count encounters of planned shells with each other and with what flies.

    Prints, for each shell, the encounters a day within --distance-km beside those that kinetic theory expects, those a
    year within --miss-distance-km, and the manoeuvres a year that collision probabilities above each --threshold call for.
    """
    from constellation_jax.errors import InputError

    with Reporter().session(debug=ctx.obj["debug"]):
        with claim(output, overwrite=overwrite, inputs=(catalog, *(shells or []))) as target:
            if not shells:
                raise InputError("--shells: missing; give planned constellations, see constellation-jax shells")
            configure(compile_cache=True)
            from constellation_jax.inputs.shells.files import load_shells
            from constellation_jax.studies.conjunctions.manoeuvres import THRESHOLDS
            from constellation_jax.studies.conjunctions.rates import encounter_rates as rate

            rates = rate(
                None if catalog is None else load_catalog(catalog, "CATALOG", allow_stale=allow_stale),
                [shell for name in shells for shell in load_shells(name)],
                days=days,
                distance_km=distance_km,
                miss_distance_km=miss_distance_km,
                thresholds=threshold or THRESHOLDS,
                age_days=age_days,
                own_sigma_m=_parse_sigma(own_sigma_m),
                own_radius_m=own_radius_m,
                start=start,
                device=device,
            )
            write_result(rates, target)
        if not quiet:
            sums = rates.sum("other", skipna=True)
            levels = "".join(f"{f'Pc {level:g}':>10}" for level in rates.threshold.values)
            typer.echo(f"{'shell':<24}{'a day':>10}{'expected':>10}{'a year':>10}{levels}")
            for k, shell in enumerate(rates.shell.values.tolist()):
                values = [sums[n].values[k] for n in ("encounters_per_day", "expected_per_day", "encounters_per_year")]
                values += sums["manoeuvres_per_year"].values[k].tolist()
                typer.echo(f"{shell:<24}" + "".join(f"{v:>10.4g}" for v in values))
            typer.echo(
                f"{target.path}: encounters within {distance_km:g} km a day, {miss_distance_km:g} km a year; manoeuvres a year"
            )


def _parse_sigma(word: str) -> list[float]:
    from constellation_jax.errors import InputError

    try:
        return [float(part) for part in word.split(",")]
    except ValueError:
        raise InputError(f"--own-sigma-m {word!r}: expected three numbers, such as 12,283,3.3") from None


def _check_probability(probability: bool, given: list[str], convention: str | None) -> None:
    from constellation_jax.errors import InputError, suggest

    if given and not probability:
        raise InputError(f"{given[0]}: belongs to --probability, which is missing")
    if convention is not None and convention not in _CONVENTIONS:
        near = suggest(convention, _CONVENTIONS)
        raise InputError(f"--convention {convention!r}: expected one of {', '.join(_CONVENTIONS)}{near}")


def _check_folder(folder: Path, *, overwrite: bool) -> None:
    """Check the folder of messages before anything is computed."""
    from constellation_jax.errors import InputError

    if folder.exists() and not folder.is_dir():
        raise InputError(f"--cdm {folder}: is a file; expected a folder")
    if not folder.parent.is_dir():
        raise InputError(f"--cdm {folder}: there is no folder {folder.parent}; create it first")
    if folder.is_dir() and any(folder.glob("*.cdm")) and not overwrite:
        raise InputError(
            f"--cdm {folder}: holds messages already; choose another folder, or replace them by --overwrite"
        )


def _make_adder(
    files: list[str], radius: str | None, device: str | None
) -> Callable[[xr.Dataset, Catalog], xr.Dataset]:
    """Read the tables of the options, and make the function that adds probabilities by them."""
    from constellation_jax.inputs.conjunctions.covariance_files import read_covariances
    from constellation_jax.inputs.conjunctions.radii import parse_radii
    from constellation_jax.studies.conjunctions.probability import add_probability

    radii = None if radius is None else parse_radii(radius, "--radius")
    covariance = read_covariances(files) if files else "class"
    return lambda events, objects: add_probability(events, objects, covariance=covariance, radii=radii, device=device)


def _choose_shown(events: xr.Dataset, variable: str | None) -> list[int]:
    """Positions of the approaches that are printed: the closest, or the most probable ones."""
    import numpy as np

    values = events.miss_distance.values if variable is None else -events[variable].values  # NaN comes last
    chosen: list[int] = np.argsort(values, kind="stable")[:_MOST_ROWS].tolist()
    return chosen


def _write_messages(events: xr.Dataset, shown: list[int], folder: Path) -> None:
    from constellation_jax.errors import OutputError
    from constellation_jax.studies.conjunctions.messages import write_cdm

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be made: {error.strerror}") from None
    sigmas = [events[f"sigma_ric_{i}"].values for i in (1, 2)]
    known = [k for k in shown if all((sigma[k] >= 0.0).all() for sigma in sigmas)]  # the others have been warned of
    for rank, k in enumerate(known, start=1):
        numbers = "_".join(str(int(events[f"satellite_number_{i}"][k])) for i in (1, 2))
        write_cdm(events, k, folder / f"{rank:02d}_{numbers}.cdm")


def _print_events(events: xr.Dataset, shown: list[int], variable: str | None) -> None:
    import numpy as np

    if not shown:
        return
    chance = "" if variable is None else f"{'probability':>13}"
    typer.echo(f"{'time of closest approach':<25}{'km':>8}{'km/s':>8}{chance}  {'objects':<52}flags")
    for k in shown:
        row = events.isel(event=k)
        names = [_label(row, number) for number in (1, 2)]
        words = events.status.attrs["flag_meanings"].split()
        masks = np.asarray(events.status.attrs["flag_masks"])
        flags = [word for word, mask in zip(words, masks.tolist(), strict=True) if int(row.status) & mask]
        chance = "" if variable is None else f"{float(row[variable]):>13.2e}"
        typer.echo(
            f"{str(row.tca.values)[:23]:<25}{float(row.miss_distance):>8.3f}{float(row.relative_speed):>8.3f}{chance}  "
            f"{' - '.join(names):<52}{' '.join(flags)}".rstrip()
        )


def _label(row: xr.Dataset, number: int) -> str:
    from constellation_jax.errors import printable

    name, norad = str(row[f"name_{number}"].item()), int(row[f"satellite_number_{number}"])
    return printable(name[:24]) or ("unnamed" if norad < 0 else str(norad))
