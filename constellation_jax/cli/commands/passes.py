"""The command `passes`: rises, culminations and sets over sites on the ground. Only glue and text."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    load_objects,
    write_result,
)
from constellation_jax.cli.reporting import choose_reporter, count
from constellation_jax.settings import configure

if TYPE_CHECKING:
    import xarray as xr

    from constellation_jax.inputs.sites.sites import Site


def passes(
    ctx: typer.Context,
    catalog: CatalogSource = None,
    shells: ShellNames = None,
    sites: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Sites: a CSV or TOML file such as configs/sites.csv.")
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME,LAT,LON[,M]", help="Site, degrees north and east, altitude in m; may be repeated."),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First instant, UTC [default: the latest epoch, or the last midnight]."),
    ] = None,
    duration: Annotated[str, typer.Option(metavar="TIME", help="Length of the span, such as 6h or 1d.")] = "1d",
    min_elevation: Annotated[float, typer.Option(metavar="DEG", help="Least elevation, degrees.")] = 10.0,
    select: Conditions = None,
    device: Device = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="File to write: .nc.")] = Path(
        "passes.nc"
    ),
    overwrite: Overwrite = False,
    allow_stale: AllowStale = False,
    quiet: Quiet = False,
) -> None:
    """Find the passes of satellites over sites.

    Rise, culmination and set of every satellite over every site, whether it is sunlit, and whether the site is dark.
    Prints a line for each site, and writes a file (passes.nc unless --output says otherwise).
    """
    with choose_reporter(quiet=quiet, log_json=False).session(debug=ctx.obj["debug"]):
        from constellation_jax.errors import InputError

        if output.suffix.lower() not in (".nc", ".nc4"):
            raise InputError(f"{output}: expected a name that ends in .nc; passes are no table of objects")
        with claim(output, overwrite=overwrite, inputs=(catalog, *(shells or []), sites)) as target:
            places = _read_sites(sites, site or [])
            objects, first = load_objects(catalog, shells or [], start, select or [], allow_stale=allow_stale)
            configure(compile_cache=True)
            from constellation_jax.studies.passes.passes import passes as compute

            dataset = compute(objects, places, (first, duration), min_elevation=min_elevation, device=device)
            write_result(dataset, target)
        if not quiet:
            for line in _lines(dataset, str(target.path)):
                typer.echo(line)


def _read_sites(path: Path | None, words: list[str]) -> tuple[Site, ...]:
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.sites.sites import Site, load_sites

    found: list[Any] = list(load_sites(path)) if path is not None else []
    for word in words:
        name, *numbers = [part.strip() for part in word.split(",")]
        try:
            values = [float(number) for number in numbers]
        except ValueError:
            values = []
        if not name or len(values) not in (2, 3):
            raise InputError(f"--site {word}: expected NAME,LATITUDE,LONGITUDE and, where known, the altitude in m")
        found.append(Site(name, *values))
    if not found:
        raise InputError("passes: no site; give --site NAME,LAT,LON or --sites FILE, such as configs/sites.csv")
    return load_sites(found)


def _lines(dataset: xr.Dataset, path: str) -> Iterator[str]:
    """Lines with the passes over each site."""
    import numpy as np

    site, satellite = dataset["pass_site"].values, dataset["pass_satellite"].values
    visible = dataset["is_visible"].values == 1
    for k, name in enumerate(dataset["site"].values):
        mine = site == k
        yield (
            f"{name}: {int(mine.sum()):,} passes of "
            f"{count(len(np.unique(satellite[mine])), 'satellite')}; {int((mine & visible).sum()):,} of "
            f"{count(len(np.unique(satellite[mine & visible])), 'satellite')} are sunlit over a dark site"
        )
    yield f"{path}: {dataset.sizes['pass']:,} passes above {dataset.attrs['min_elevation']:g} degrees"
