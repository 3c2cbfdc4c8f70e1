"""The command `plot`: a figure of a file, as SVG, PDF or PNG. Only glue and text."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from constellation_jax.cli.options import Overwrite, Quiet
from constellation_jax.cli.reporting import choose_reporter
from constellation_jax.views.kinds import KINDS, Kind

if TYPE_CHECKING:
    import xarray as xr

_FORMATS = ("svg", "pdf", "png")


def plot(
    ctx: typer.Context,
    kind: Annotated[str, typer.Argument(metavar="KIND", help="Kind of figure, one of the list above.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="NetCDF file or Zarr store of a command.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Figure to write: .svg, .pdf or .png.")
    ],
    find: Annotated[
        list[str] | None, typer.Option(metavar="NAME", help="Satellites by name, number or pattern; may be repeated.")
    ] = None,
    at: Annotated[
        list[str] | None,
        typer.Option(metavar="DIM=LABEL", help="One label of a dimension, such as solar=high; may be repeated."),
    ] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Parameter of the figure, such as by=system; may be repeated."),
    ] = None,
    observed: Annotated[
        Path | None,
        typer.Option(metavar="TABLE", help="CSV with norad_id and date (UTC), for predicted-against-observed."),
    ] = None,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
) -> None:
    with choose_reporter(quiet=quiet, log_json=False).session(debug=ctx.obj["debug"]), contextlib.ExitStack() as stack:
        from constellation_jax.errors import InputError
        from constellation_jax.outputs.target import Target

        chosen = _find_kind(kind)
        suffix = output.suffix.lower().lstrip(".")
        if suffix not in _FORMATS:
            raise InputError(f"{output}: expected a name that ends in {', '.join(f'.{each}' for each in _FORMATS)}")
        target = Target(output, overwrite=overwrite, inputs=files)
        datasets = [_open(stack, path, find or [], at or []) for path in files]
        parameters = _read_options(chosen, options or [])
        if len(datasets) > 1:
            parameters |= _place_others(chosen, datasets)
        if chosen.name == "predicted_against_observed":
            parameters["observed"] = _read_dates(observed, datasets[0])
        with target:
            target.put(_draw(chosen, datasets, parameters, suffix))
        if not quiet:
            typer.echo(str(output))


plot.__doc__ = "\n\n".join(
    (
        "Draw a figure of a file.",
        "Kinds, what they show, and the command that makes a fitting file:",
        *(
            f"\b\n{kind.name.replace('_', '-')}: {kind.picture}\n    constellation-jax {kind.command}"
            for kind in KINDS.values()
        ),
        "Parameters are those of the functions of cj.plots in Python, such as --set by=system --set altitude_km=[200,1400].",
    )
)


def _find_kind(word: str) -> Kind:
    from constellation_jax.errors import InputError, suggest

    name = word.replace("-", "_").lower()
    if name not in KINDS:
        known = [each.replace("_", "-") for each in KINDS]
        raise InputError(f"KIND {word!r}: unknown; known are {', '.join(known)}{suggest(word, known)}")
    return KINDS[name]


def _open(stack: contextlib.ExitStack, path: Path, satellites: list[str], labels: list[str]) -> xr.Dataset:
    """Open a file, and take the satellites and labels that are asked for."""
    from constellation_jax.errors import InputError, suggest
    from constellation_jax.outputs.datasets.satellites import find
    from constellation_jax.outputs.formats import open_dataset

    dataset = stack.enter_context(open_dataset(path))
    dataset = find(dataset, satellites) if satellites else dataset
    for word in labels:
        name, _, label = word.partition("=")
        if name not in dataset.dims:
            known = [str(dim) for dim in dataset.dims]
            raise InputError(f"--at {word}: no dimension {name!r}; known are {', '.join(known)}{suggest(name, known)}")
        index = dataset.get_index(name)
        try:
            dataset = dataset.sel({name: type(index[0])(label)}, method="nearest" if name == "time" else None)
        except (KeyError, ValueError, IndexError):
            raise InputError(f"--at {word}: no such label; known are {', '.join(map(str, index[:10]))}") from None
    return dataset


def _read_options(kind: Kind, words: list[str]) -> dict[str, Any]:
    """Read parameters of a figure: the value is TOML where it can be, else text."""
    import tomllib

    from constellation_jax.errors import InputError, suggest

    known = [name for name in inspect.signature(_function(kind)).parameters if name not in _GIVEN]
    found: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.replace("-", "_")
        if not equals or name not in known:
            raise InputError(
                f"--set {word}: expected KEY=VALUE with a key of {', '.join(known) or 'none'}{suggest(name, known)}"
            )
        try:
            found[name] = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError:
            found[name] = text
    return found


_GIVEN = ("dataset", "datasets", "axes", "observed", "planned", "between")
"""Parameters that are files or figures."""


def _place_others(kind: Kind, datasets: list[xr.Dataset]) -> Mapping[str, Any]:
    from constellation_jax.errors import InputError

    others = datasets[1:]
    if kind.others == "datasets":
        return {}
    if kind.others == "planned" and len(others) == 1:
        return {"planned": others[0]}
    if kind.others == "between" and len(others) == 2:
        return {"between": tuple(others)}
    takes = {
        "planned": "one, and one of planned shells",
        "between": "one, or three: median, low and high solar activity",
    }
    raise InputError(f"FILE: {len(datasets)} files, expected {takes.get(kind.others, 'one')}")


def _read_dates(path: Path | None, dataset: xr.Dataset) -> Any:
    """Read dates of re-entry, and put them in the order of the objects of a dataset; NaT where none is known."""
    import numpy as np
    import pandas as pd

    from constellation_jax.errors import InputError

    if path is None:
        raise InputError("--observed: missing; expected a CSV with the columns norad_id and date")
    try:
        table = pd.read_csv(path)
        dates = dict(zip(table["norad_id"].astype(int), pd.to_datetime(table["date"]), strict=True))
    except (OSError, KeyError, ValueError, TypeError):
        raise InputError(f"{path}: cannot be read; expected a CSV with the columns norad_id and date") from None
    numbers = np.atleast_1d(dataset["norad_id"].values) if "norad_id" in dataset.variables else np.zeros(0, int)
    return np.array([dates.get(int(number), pd.NaT) for number in numbers], "datetime64[ns]")


def _function(kind: Kind) -> Callable[..., Any]:
    from constellation_jax.views import plots

    function: Callable[..., Any] = getattr(plots, kind.name)
    return function


def _draw(kind: Kind, datasets: list[xr.Dataset], parameters: Mapping[str, Any], suffix: str) -> bytes:
    """Draw, and return the file: the same figure gives the same bytes."""
    import io

    from constellation_jax.errors import InputError
    from constellation_jax.views.plots.style import in_house_style

    first: Any = datasets if kind.others == "datasets" else datasets[0]
    try:
        inspect.signature(_function(kind)).bind(first, **parameters)
    except TypeError as error:
        raise InputError(f"{kind.name.replace('_', '-')}: {error}; give it as --set KEY=VALUE") from None
    axes = _function(kind)(first, **parameters)
    content = io.BytesIO()
    with in_house_style():
        no_date: dict[str, Any] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix, {})
        axes.figure.savefig(content, format=suffix, metadata=no_date)
    return content.getvalue()
