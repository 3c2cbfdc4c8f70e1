"""Run files: what to propagate, when, and where to write it, as a TOML file that is checked before anything else
happens.

`read_run` reports every mistake of a file at once, one line each. `configs/runs/default.toml` shows all keys.
Deliberately absent: running it (the command line does) and the shell files themselves (shells.py).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, StrictBool, ValidationError, ValidationInfo
from pydantic_core import ErrorDetails

from constellation_jax.errors import InputError, InputErrors, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.celestrak import GROUPS, fetch
from constellation_jax.inputs.catalog.population import bundled_population
from constellation_jax.inputs.catalog.selection import parse_condition, select
from constellation_jax.inputs.element_sets.read import read_catalog
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.files.toml_lines import load_toml
from constellation_jax.inputs.shells.files import known_shells, load_shells
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.times import parse_duration, parse_time, time_grid

CELESTRAK = "celestrak:"
"""Prefix that makes any word a CelesTrak group in a list of catalogues; the well-known ones need none."""


def find_source(text: str, *, folder: Path = Path()) -> str:
    """What a word of `catalog` means: "bundled", "celestrak:GROUP" or the absolute path of a file.

    Args:
        text: "bundled", a group with or without its prefix, or a path; a file that is named like a group is written
            "./active".
        folder: what a relative path is relative to.

    Raises:
        InputError: none of them.
    """
    if text == "bundled" or text.startswith(CELESTRAK):
        return text
    if text in GROUPS:
        return CELESTRAK + text
    path = _absolute(folder / Path(text).expanduser())
    if not path.is_file():
        near = suggest(text, ("bundled", *GROUPS))
        raise InputError(f"found {text!r}, expected a file, 'bundled' or a CelesTrak group such as 'active'{near}")
    return str(path)


def _catalog_entry(text: str, info: ValidationInfo) -> str:
    return find_source(text, folder=_folder(info))


def _shell_entry(text: str, info: ValidationInfo) -> str:
    """The name of a known system or the absolute path of a file, either with a variant after a colon."""
    known = known_shells()
    name, colon, variant = text.rpartition(":")
    for word, rest in ((text, ""), (name, colon + variant)) if colon else ((text, ""),):
        path = _absolute(_folder(info) / Path(word).expanduser())
        if path.is_file():
            return f"{path}{rest}"
        if word.lower() in known:
            return text
    near = suggest((name or text).lower(), known) or f"; known are {', '.join(known)}"
    raise InputError(f"found {text!r}, expected the name of a planned constellation or a shell file{near}")


def _folder(info: ValidationInfo) -> Path:
    """What a relative path is relative to: the run file where it was written there, the working folder for an
    option."""
    folders: dict[str, Path] = (info.context or {}).get("folders", {})
    return folders.get(info.field_name or "", Path())


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # Path.resolve would replace links that the user knows the file by


def _output(text: Any, info: ValidationInfo) -> Path:
    if not isinstance(text, str | os.PathLike):
        raise InputError(f"found {text!r}, expected the path of a file in quotes")
    return _folder(info) / Path(os.fspath(text)).expanduser()


def _condition(text: str) -> str:
    parse_condition(text)
    return text


def _variables(names: tuple[str, ...]) -> tuple[str, ...]:
    from constellation_jax.outputs.variables import resolve_groups

    names = tuple(part.strip() for name in names for part in name.split(",") if part.strip())
    resolve_groups(names)
    return names


def _one_or_more(value: Any) -> Any:
    return [value] if isinstance(value, str | os.PathLike) else value


def _positive(duration: np.timedelta64) -> np.timedelta64:
    if duration <= np.timedelta64(0, "ns"):
        raise InputError("expected more than zero")
    return duration


_LENGTH_UNITS_M = {"mm": 1e-3, "cm": 1e-2, "km": 1e3, "m": 1.0}


def _metres(text: Any) -> float:
    """A length such as "1m" or "25 cm", in metres."""
    unit = next((unit for unit in _LENGTH_UNITS_M if isinstance(text, str) and text.strip().endswith(unit)), None)
    try:
        metres = float(text.strip().removesuffix(unit)) * _LENGTH_UNITS_M[unit or ""]
    except (AttributeError, KeyError, TypeError, ValueError):
        metres = 0.0
    if not 0.001 <= metres < float("inf"):
        raise InputError(
            f"found {text!r}, expected a length of 1mm or more with its unit (mm, cm, m, km), such as '1m'"
        )
    return metres


_SIZES = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


def _bytes(text: Any) -> int:
    """A size with its unit, in bytes."""
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", text) if isinstance(text, str) else None
    if found is None or found[2] not in _SIZES or float(found[1]) <= 0.0:
        raise InputError(f"found {text!r}, expected a size with its unit, one of {', '.join(_SIZES)}, such as '1GiB'")
    return int(float(found[1]) * _SIZES[found[2]])


_Duration = Annotated[np.timedelta64, BeforeValidator(parse_duration), AfterValidator(_positive)]
_Texts = BeforeValidator(_one_or_more)


class RunConfig(BaseModel):
    """One run, checked: every name in it is known and every input file is there. Build one with `read_run`."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    catalog: Annotated[tuple[Annotated[str, AfterValidator(_catalog_entry)], ...], _Texts] = ()
    """Where tracked objects come from: "bundled", "celestrak:GROUP" or paths of element-set files."""
    shells: Annotated[tuple[Annotated[str, AfterValidator(_shell_entry)], ...], _Texts] = ()
    """Planned constellations: names or paths of shell files, with a variant after a colon ("kuiper:filed")."""
    start: Annotated[np.datetime64, BeforeValidator(parse_time)] | None = None
    """First instant, UTC; None is the midnight before the median epoch of the catalogue (see `load_objects`)."""
    duration: _Duration = np.timedelta64(6 * 3600 * 10**9, "ns")
    """Length of the time grid, whose end is not a step itself."""
    step: _Duration = np.timedelta64(60 * 10**9, "ns")
    frame: Literal["teme", "itrs"] = "teme"
    variables: Annotated[tuple[str, ...], _Texts, AfterValidator(_variables)] = ("position", "altitude", "decay")
    """Groups of dataset variables: position, velocity, altitude, geodetic, decay; the status is always written."""
    select: Annotated[tuple[Annotated[str, AfterValidator(_condition)], ...], _Texts] = ()
    """Conditions such as "mean_altitude_km=300..600", all of which an object meets; see selection.py."""
    output: Annotated[Path, BeforeValidator(_output)] = Path("constellation.nc")
    overwrite: StrictBool = False
    precision: Literal["float64", "float32"] = "float32"
    """Arithmetic of the propagation."""
    dtype: Literal["float32", "float64"] = "float32"
    """Floating-point type of the variables in the file."""
    dense: StrictBool = True
    """Whether states may be interpolated where steps are short."""
    device: Literal["cpu", "gpu", "tpu"] | None = None
    """Platform to compute on; None is JAX's default."""
    memory: Annotated[int, BeforeValidator(_bytes)] = 2**30
    """Bound on the arrays of a run, bytes."""
    store: Literal["samples", "ephemeris"] = "samples"
    """States at each step, or a continuous ephemeris, for which step, frame, variables, precision and dtype mean nothing."""
    tolerance: Annotated[float, BeforeValidator(_metres)] = 1.0
    """Bound on the error of a position of an ephemeris, m."""


def read_run(path: str | os.PathLike[str] | None = None, *, options: Mapping[str, Any] | None = None) -> RunConfig:
    """A run from a TOML file, with some of its keys replaced.

    Args:
        path: the run file; its relative paths are relative to it. None is `configs/runs/default.toml`; there, a
            catalogue or shells among the options replace its catalogue, its shells and its start together, since
            these belong to each other, and leave its variables, as another store does.
        options: values that replace those of the file, as options of the command line do: relative paths are relative
            to the working folder, and a mistake is reported under the option's name, as "--frame".

    Raises:
        InputError: the file cannot be read or is not TOML.
        InputErrors: keys or values are wrong; one line for each, with the line of the file, what was found and what
            was expected.
    """
    file = configs_folder() / "runs" / "default.toml" if path is None else Path(path)
    data, line_of = load_toml(file)
    options = dict(options or {})
    if path is None and not {"catalog", "shells"}.isdisjoint(options):
        for key in ("catalog", "shells", "start"):
            data.pop(key, None)
    if path is None and not {"catalog", "shells", "store"}.isdisjoint(options):
        data.pop("variables")
    folders = {key: file.absolute().parent for key in data if key not in options}
    merged = data | options
    try:
        run = RunConfig.model_validate(merged, context={"folders": folders})
    except ValidationError as error:
        mistakes = []
        for found in error.errors():
            key = str(found["loc"][0])
            line = 0 if key in options else line_of(found["loc"])
            place = f"{file}, line {line}, {key}" if line else f"--{key}"
            mistakes.append((line, f"{place}: {_explained(found)}"))
        raise InputErrors([message for _, message in sorted(mistakes, key=lambda mistake: mistake[0])]) from None
    _check_store(run, file, line_of, options)
    if not run.catalog and not run.shells:
        raise InputErrors([f"{file}: found no catalog and no shells, expected at least one of them"])
    return run


def read_source(entry: str, *, allow_stale: bool = False) -> Catalog:
    """The objects of one entry of `RunConfig.catalog`: "bundled", "celestrak:GROUP" or a path.

    Raises:
        InputError: the file cannot be read, or CelesTrak did not give the group.
    """
    if entry == "bundled":
        return bundled_population()
    if entry.startswith(CELESTRAK):
        return read_catalog(fetch(entry.removeprefix(CELESTRAK), allow_stale=allow_stale))
    return read_catalog(Path(entry))


def load_objects(run: RunConfig, *, allow_stale: bool = False) -> tuple[Catalog, NDArray[np.datetime64]]:
    """The objects of a run, tracked ones first, and its times.

    Without a `start`, the run begins at the midnight (UTC) before the median epoch of the tracked objects, where
    their element sets are best; planned shells alone begin at their own epoch. Planned satellites get the start as
    their epoch.

    Args:
        run: a run from `read_run`.
        allow_stale: take an old copy where CelesTrak gives no new one.

    Returns:
        the catalogue, and the times as datetime64[ns] of shape (T,).

    Raises:
        InputError: a source cannot be read, or no object is left.
    """
    parts = [read_source(entry, allow_stale=allow_stale) for entry in run.catalog]
    start = run.start
    if start is None and parts:
        epochs = np.sort(np.concatenate([part.epoch for part in parts]))
        start = epochs[len(epochs) // 2].astype("datetime64[D]")
    if run.shells:
        shells = [shell for entry in run.shells for shell in load_shells(entry)]
        parts.append(shells_to_catalog(shells) if start is None else shells_to_catalog(shells, epoch=start))
    catalog = Catalog.concatenate(parts)
    times = time_grid(catalog.epoch[0] if start is None else start, run.duration, run.step)
    return select(catalog, run.select), times


_OF_SAMPLES = ("step", "frame", "variables", "precision", "dtype")


def _check_store(
    run: RunConfig, file: Path, line_of: Callable[[tuple[Any, ...]], int], options: Mapping[str, Any]
) -> None:
    """An ephemeris has no steps, variables or types to choose; a key that chooses one is a mistake, a default is not."""
    mistakes = []
    wrong = _OF_SAMPLES if run.store == "ephemeris" else ("tolerance",)
    for key in wrong:
        if getattr(run, key) != RunConfig.model_fields[key].default:
            line = 0 if key in options else line_of((key,))
            place = f"{file}, line {line}, {key}" if line else f"--{key}"
            what = "an ephemeris, which is continuous and in TEME," if run.store == "ephemeris" else "a file of samples"
            mistakes.append(f"{place}: {what} has no {key} to choose; leave it out, or change store")
    if mistakes:
        raise InputErrors(mistakes)


def _listed(names: Iterable[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} or {last}"


def _explained(error: ErrorDetails) -> str:
    """One of pydantic's findings in the words of this package."""
    key, found, kind = str(error["loc"][0]), error["input"], error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"]).removeprefix(f"{key} ")  # the place says the key already
    if kind == "extra_forbidden":
        keys = list(RunConfig.model_fields)
        return f"found an unknown key, expected {_listed(keys)}{suggest(key, keys)}"
    if kind == "literal_error":
        parts = get_args(RunConfig.model_fields[key].annotation)  # of a Literal, or of Literal | None
        names = [name for part in parts for name in (get_args(part) or (part,)) if isinstance(name, str)]
        return f"found {found!r}, expected {_listed(map(repr, names))}{suggest(str(found), names)}"
    return f"found {found!r}, expected {_EXPECTED.get(kind, error['msg'])}"


_EXPECTED = {
    "string_type": "text in quotes",
    "tuple_type": "text in quotes, or a list of texts",
    "bool_type": "true or false",
}
