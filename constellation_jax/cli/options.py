"""Options that several commands share, and those that follow from the keys of a run.

Nothing heavy is imported here, so that `--help` answers at once.
"""

from __future__ import annotations

import contextlib
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from constellation_jax.cli.reporting import report_left_out
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, MODELS
from constellation_jax.inputs.files.keys import TRUE_OR_FALSE, Key, keys_of, without_links
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
    from constellation_jax.outputs.target import Target

AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Use an old copy, with a warning, where CelesTrak gives no new one.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="File to write: .nc, or a table as .csv or .parquet."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
AtmosphereModel = Annotated[
    str,
    typer.Option(
        "--atmosphere", metavar="|".join(MODELS), help=f"Model of the atmosphere; the first is {MODELS[CALIBRATED]}."
    ),
]
SpaceWeatherFile = Annotated[
    str | None,
    typer.Option(
        "--space-weather",
        metavar="FILE",
        help="Space weather: CelesTrak's SW-All.csv, GFZ's Kp_ap_Ap_SN_F107_since_1932.txt, an MSAFE forecast or a table; or "
        "'celestrak', which is downloaded [default: the bundled table].",
    ),
]
ForecastFile = Annotated[
    str | None,
    typer.Option(
        "--forecast",
        metavar="FILE",
        help="Space weather after the last observed day: an MSAFE forecast, a table or 'bundled' [default: that of "
        "--space-weather itself, then the bundled one].",
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat an assumed or absurd ballistic coefficient as an error.")]
ShellNames = Annotated[
    list[str] | None,
    typer.Option("--shells", metavar="NAME", help="Planned constellation by name, or a shell file; may be repeated."),
]
CatalogSource = Annotated[
    str | None, typer.Argument(metavar="CATALOG", help="Element sets: a file, 'bundled' or a CelesTrak group.")
]
Conditions = Annotated[
    list[str] | None,
    typer.Option(
        "--select",
        metavar="CONDITION",
        help="Condition that every object has to meet, such as 'name=STARLINK*'; may be repeated.",
    ),
]
Device = Annotated[
    str | None,
    typer.Option("--device", metavar="cpu|gpu|tpu", help="Kind of devices to compute on [default: JAX's default]."),
]
Dask = Annotated[
    str | None,
    typer.Option("--dask", metavar="local|ADDRESS", help="Share the work with a Dask cluster; local starts one here."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def _print_help(ctx: typer.Context, asked: bool) -> None:
    if asked:
        typer.echo(ctx.get_help())
        raise typer.Exit


# typer 0.29 loads pydantic (0.3 s), where it is installed, for its own help option of every group on the way to a command, but
# not for a plain flag; so groups have a help option of their own.
GroupHelp = Annotated[
    bool, typer.Option("--help", "-h", callback=_print_help, is_eager=True, help="Show this message and exit.")
]
_SHORT = {"output": ("-o",)}
_CONNECT_S = 30
"""Time that a scheduler has to answer."""


def add_run_options(kind: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorate a command: options for the keys of a kind of run take the place of its parameter `keys`.

    Those of the other kind are hidden, and refused by `read_run`.

    The command gets the options that were given, as {key: value}, for `read_run`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        options = [_parameter(name, key) for name, key in keys_of(kind).items()]
        # for a message better than "No such option"
        others = {name: key for other in (PropagationRun, EphemerisRun) for name, key in keys_of(other).items()}
        options += [_parameter(name, key, hidden=True) for name, key in others.items() if name not in keys_of(kind)]

        def run(**values: Any) -> None:
            given = {option.name: values.pop(option.name) for option in options}
            command(**values, keys={name: value for name, value in given.items() if value not in (None, [], ())})

        parameters = [*signature.parameters.values()]
        place = [*signature.parameters].index("keys")
        parameters[place : place + 1] = options
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _parameter(name: str, key: Key, *, hidden: bool = False) -> inspect.Parameter:
    """Make the option of a key, whose value is None or an empty list where it is not given."""
    doc = without_links(key.doc)
    declarations = (f"--{name}", *_SHORT.get(name, ()))
    value: Any = str
    metavar: str | None = key.rule.placeholder
    if key.rule.each is not None:
        value, doc = list[str], f"{doc} May be repeated."
    elif key.rule.accepts is TRUE_OR_FALSE.accepts:
        value, metavar = bool, None
        declarations = (f"--{name}/--no-{name}",) if key.default else declarations
    option = typer.Option(*declarations, metavar=metavar, help=doc, show_default=False, hidden=hidden)
    annotation = Annotated[value | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def load_catalog(source: str, place: str, *, allow_stale: bool, lists_rejects: bool = False) -> Catalog:
    """Load the catalogue that a word of the command line means; a mistake names its place there, as "--catalog".

    What was left out is said on stderr, unless the command lists every reject itself.

    Raises:
        InputError: no such source, or one that cannot be read.
    """
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.sources import find_source, read_source

    try:
        found = find_source(source)
    except InputError as error:
        raise InputError(f"{place}: {error}") from None
    objects = read_source(found, allow_stale=allow_stale)
    if not lists_rejects:
        report_left_out(objects)
    return objects


def load_objects(
    catalog: str | None, shells: list[str], start: str | None, conditions: list[str], *, allow_stale: bool
) -> tuple[Catalog, np.datetime64]:
    """Load a catalogue, and planned shells beside it, whose epoch is the start: the one given, or `choose_start`'s.

    Returns:
        The objects that meet the conditions, and the start.

    Raises:
        InputError: neither is given; a source that cannot be read; or no object meets the conditions.
    """
    from constellation_jax.errors import InputError
    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.inputs.catalog.selection import select
    from constellation_jax.inputs.shells.files import load_shells
    from constellation_jax.inputs.shells.lattice import shells_to_catalog
    from constellation_jax.inputs.sources import choose_start

    if catalog is None and not shells:
        raise InputError("CATALOG, --shells: missing; give element sets or planned constellations")
    parts = [] if catalog is None else [load_catalog(catalog, "CATALOG", allow_stale=allow_stale)]
    begin = choose_start(parts[0] if parts else None, start)
    if shells:
        known = [shell for name in shells for shell in load_shells(name)]
        parts.append(shells_to_catalog(known, epoch=begin))
    return select(Catalog.concatenate(parts), conditions), begin


def load_space_weather(source: str | None, forecast: str | None) -> SpaceWeather:
    """Load the space weather of the options `--space-weather` and `--forecast`, the bundled one where neither is given.

    Raises:
        InputError: a source that cannot be read, or a forecast that does not continue it.
    """
    from constellation_jax.inputs.environment.space_weather_series import SpaceWeather

    return SpaceWeather.load("bundled" if source is None else source, forecast=forecast)


def claim(
    output: str | Path,
    *,
    overwrite: bool,
    inputs: Iterable[str | Path | None],
    kind: Literal["dataset", "samples", "ephemeris", "events"] = "dataset",
) -> Any:
    """Check the file that a command will write, to be held in a `with` statement while the command works.

    Args:
        output: the file.
        overwrite: whether it may be replaced.
        inputs: all that the command reads, files or other words; a file may have a variant after a colon. No file of them may be
            the output.
        kind: what the file will hold.

    Returns:
        A `Target`, or the `Place` of a Zarr store.

    Raises:
        InputError: as for `Target`, or the name is that of a format that is not written.
    """
    from constellation_jax.outputs.formats import find_format, make_place

    find_format(output, kind)
    words = [str(word) for word in inputs if word is not None]
    files = [part for word in words for part in (word, word.rpartition(":")[0]) if part]
    sources = [os.path.expanduser(file) for file in files]
    return make_place(output, overwrite=overwrite, inputs=sources)


def write_result(dataset: xr.Dataset, target: Target) -> None:
    """Write the dataset of a command in the format of its name, with the command as an attribute."""
    from constellation_jax.outputs.formats import write

    write(dataset.assign_attrs(command=command_line()), target)


def command_line() -> str:
    """The command as it was typed, for the history of a file."""
    return shlex.join(["constellation-jax", *sys.argv[1:]])


@contextlib.contextmanager
def connect(cluster: str | None) -> Iterator[Any]:
    """Connect to the Dask cluster of the option `--dask`, or start one on this machine, a worker a core; None for none.

    Raises:
        InputError: the package is missing, or the scheduler does not answer.
    """
    if cluster is None:
        yield None
        return
    from constellation_jax.errors import InputError

    if find_spec("distributed") is None:
        raise InputError(
            "--dask: needs the package distributed; install it with pip install 'constellation-jax[scale]'"
        )
    import distributed

    from constellation_jax.engine.threads import count_cores

    dask: Any = distributed  # whose functions have no types
    with contextlib.ExitStack() as stack:
        try:
            if cluster == "local":
                workers = dask.LocalCluster(n_workers=count_cores(), threads_per_worker=1, dashboard_address=":0")
                client = dask.Client(stack.enter_context(workers), timeout=_CONNECT_S)
            else:
                client = dask.Client(cluster, timeout=_CONNECT_S)
        except (OSError, ValueError) as error:
            raise InputError(
                f"--dask: {cluster!r} cannot be reached ({error}); expected 'local' or the address of a scheduler"
            ) from None
        yield stack.enter_context(client)
