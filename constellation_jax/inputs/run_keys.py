"""Keys of run files: objects, span, output and options of the commands `propagate` and `ephemeris`.

The command line makes its options of the same declarations, so nothing heavy is imported before a value is converted.
Deliberately absent: files (run_file.py) and running (the command line).
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.keys import TRUE_OR_FALSE, Rule, key, key_dataclass, one_of, one_or_more, text

if TYPE_CHECKING:
    import numpy as np

_LENGTH_UNITS_M = {"mm": 1e-3, "cm": 1e-2, "km": 1e3, "m": 1.0}
_SIZE_UNITS = {"MB": 10**6, "GB": 10**9, "MiB": 2**20, "GiB": 2**30}


def _find_source(word: str, folder: Path) -> str:
    from constellation_jax.inputs.sources import find_source

    return find_source(word, folder=folder)


def _find_shells(word: str, folder: Path) -> str:
    """Find the name of a known system or the absolute path of a file, either with a variant after a colon."""
    from constellation_jax.inputs.shells.files import known_shells
    from constellation_jax.inputs.sources import make_absolute

    known = known_shells()
    name, colon, variant = word.rpartition(":")
    for stem, rest in ((word, ""), (name, colon + variant)) if colon else ((word, ""),):
        path = make_absolute(folder / os.path.expanduser(stem))
        if os.path.isfile(path):
            return f"{path}{rest}"
        if stem.lower() in known:
            return word
    near = suggest((name or word).lower(), known) or f"; known are {', '.join(known)}"
    raise InputError(f"found {word!r}, expected the name of a planned constellation or a shell file{near}")


def _check_condition(condition: str, folder: Path) -> str:
    from constellation_jax.inputs.catalog.selection import parse_condition

    parse_condition(condition)
    return condition


def _to_time(value: Any, folder: Path) -> np.datetime64:
    from constellation_jax.inputs.times import parse_time

    return parse_time(value)


def _to_duration(value: Any, folder: Path) -> np.timedelta64:
    from constellation_jax.inputs.times import parse_duration

    duration = parse_duration(value)
    if duration.astype(int) <= 0:
        raise InputError(f"found {value!r}, expected more than zero")
    return duration


def _to_metres(value: str, folder: Path) -> float:
    unit = next((unit for unit in _LENGTH_UNITS_M if value.strip().endswith(unit)), "")
    try:
        metres = float(value.strip().removesuffix(unit)) * _LENGTH_UNITS_M[unit]
    except (KeyError, ValueError):
        metres = 0.0
    if not 0.001 <= metres < float("inf"):
        raise InputError(f"found {value!r}, expected {_LENGTH.expected}")
    return metres


def _to_bytes(value: str, folder: Path) -> int:
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]+)\s*", value)
    if found is None or found[2] not in _SIZE_UNITS or float(found[1]) <= 0.0:
        raise InputError(f"found {value!r}, expected {_SIZE.expected}")
    return int(float(found[1]) * _SIZE_UNITS[found[2]])


def _list_of(convert: Any, placeholder: str) -> Rule:
    each = Rule("text in quotes", lambda v: isinstance(v, str), convert=convert, placeholder=placeholder)
    return one_or_more(each, "text in quotes, or a list of texts")


_TIME = Rule("a time such as 2026-08-23T06:30:00Z", lambda v: True, convert=_to_time, placeholder="TIME")
_DURATION = Rule(
    "a length of time such as 90min, in ms, s, min, h, d or w",
    lambda v: True,
    convert=_to_duration,
    placeholder="LENGTH",
)
_LENGTH = Rule(
    "a length of 1mm or more with its unit (mm, cm, m, km), such as '1m'",
    lambda v: isinstance(v, str),
    convert=_to_metres,
    placeholder="LENGTH",
)
_SIZE = Rule(
    f"a size with its unit, one of {', '.join(_SIZE_UNITS)}, such as '1GiB'",
    lambda v: isinstance(v, str),
    convert=_to_bytes,
    placeholder="SIZE",
)
_FILE = Rule(
    "the path of a file in quotes",
    lambda v: isinstance(v, str | os.PathLike) and os.fspath(v) != "",
    convert=lambda path, folder: path if "://" in os.fspath(path) else folder / os.path.expanduser(path),
    placeholder="FILE",
)
_GROUPS = one_or_more(
    text("text in quotes")._replace(placeholder="GROUPS"),
    "text in quotes, or a list of texts",
    lambda names, _: tuple(part.strip() for name in names for part in name.split(",") if part.strip()),
)


@key_dataclass
class Run:
    """Objects, span and output of a run. Build one of its kinds with `read_run`."""

    command: ClassVar[str]
    """The command that makes such a run."""
    bundled: ClassVar[str]
    """The run file of the package that the command takes where none is given, in `configs/runs/`."""

    catalog: tuple[str, ...] = key(
        _list_of(_find_source, "WHAT"),
        default=(),
        doc="Tracked objects: 'bundled', a [CelesTrak group](catalogues.md#celestrak) such as 'active', or a file of element sets; "
        "several are put one after the other.",
        absent="none",
    )
    shells: tuple[str, ...] = key(
        _list_of(_find_shells, "NAME"),
        default=(),
        doc="[Planned constellations](shells.md): names or shell files, with a variant after a colon, as in 'kuiper:filed'.",
        absent="none",
    )
    start: np.datetime64 | None = key(
        _TIME,
        default=None,
        doc="First instant, UTC, such as 2025-06-24T12:00:00Z.",
        absent="the midnight before the median epoch of the catalogue; the last midnight for shells alone",
    )
    duration: np.timedelta64 = key(_DURATION, default="6h", doc="Length of the run, such as 6h or 1d12h.")
    select: tuple[str, ...] = key(
        _list_of(_check_condition, "CONDITION"),
        default=(),
        doc="[Conditions](catalogues.md#selecting-and-combining) that every object has to meet, such as 'name=STARLINK*' or "
        "'mean_altitude_km=300..600'.",
        absent="all objects",
    )
    drag: bool = key(
        TRUE_OR_FALSE, default=True, doc="Use the drag term B* of the element sets; without it every B* is taken as 0."
    )
    output: str | Path = key(
        _FILE,
        default="constellation.nc",
        doc="[File](dataset.md#files) to write: .nc, .zarr (a folder or an address of fsspec), or a table as .csv or .parquet.",
    )
    overwrite: bool = key(TRUE_OR_FALSE, default=False, doc="Replace an existing file.")


@key_dataclass
class PropagationRun(Run):
    """States at regular steps: a run of `propagate_to`."""

    command = "propagate"
    bundled = "default.toml"

    step: np.timedelta64 = key(_DURATION, default="60s", doc="Interval between instants, such as 60s.")
    frame: str = key(
        one_of("teme", "itrs"),
        default="teme",
        doc="[Frame](dataset.md#frames) of positions and velocities: TEME, the frame of SGP4, or ITRS, fixed to the Earth.",
    )
    variables: tuple[str, ...] = key(
        _GROUPS,
        default=["position", "altitude", "decay"],
        doc="Groups of [variables](dataset.md#variables): position, velocity, altitude, geodetic, decay, lifetime; as a list or "
        "with commas. The status is always written.",
    )
    precision: str = key(
        one_of("float64", "float32"), default="float32", doc="[Precision](sgp4.md#precision) of the arithmetic."
    )
    dtype: str = key(one_of("float32", "float64"), default="float32", doc="Type of the numbers in the file.")
    dense: bool = key(
        TRUE_OR_FALSE,
        default=True,
        doc="Allow [interpolation](engine.md#interpolation) of states where steps are short.",
    )
    device: str | None = key(
        one_of("cpu", "gpu", "tpu"),
        default=None,
        doc="Kind of devices to compute on; all local ones of that kind are used.",
        absent="JAX's default",
    )
    memory: int = key(
        _SIZE, default="1GiB", doc="Bound on the arrays of the run, however long it is, such as 512MiB or 1GiB."
    )


@key_dataclass
class EphemerisRun(Run):
    """Continuous motion as Chebyshev series: a run of `ephemeris_to`."""

    command = "ephemeris"
    bundled = "ephemeris.toml"

    tolerance: float = key(_LENGTH, default="1m", doc="Largest error of a position, such as 1m or 50cm.")
