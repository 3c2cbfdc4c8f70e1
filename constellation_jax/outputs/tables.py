"""Small results as a table, CSV or Parquet: one row for each object, or for each combination of the dimensions in `_ROWS`.

A table has no place for other dimensions. Those with a few labels become columns, as in `lifetime_percentile_5`; variables with
further ones are left out, with a warning that names them. CSV has the units in its header, as in "altitude [km]". Parquet has plain
names, and what pandas makes `attrs` of: the attributes of the Dataset, and the units of the columns under "units".

Deliberately absent: results that do not fit into memory.
"""

from __future__ import annotations

import importlib.util
import io
import os
import warnings
from collections.abc import Iterable, Mapping
from typing import Any, Final, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.outputs.blocks import cut
from constellation_jax.outputs.datasets.header import to_plain
from constellation_jax.outputs.datasets.propagation import make_dataset, make_lifetime_attributes
from constellation_jax.outputs.datasets.times import check_times
from constellation_jax.outputs.target import Target, check_disk, format_size
from constellation_jax.outputs.variable import (
    EVENT,
    OTHER,
    PERCENTILE,
    RIC,
    SATELLITE,
    SHELL,
    SOLAR,
    STATUS_VARIABLE,
    SYSTEM,
    TIME,
    XYZ,
)
from constellation_jax.outputs.variables import LIFETIME, resolve_groups

MOST_ROWS: Final = 1_000_000
"""Most rows of a table. Spreadsheets take 1,048,576."""

_ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "miss_distance": (EVENT,),
    "encounters": (SHELL, OTHER),
    STATUS_VARIABLE: (TIME, SATELLITE),
    "decay_status": (SATELLITE,),
    "match_state": (SATELLITE,),
    "delta_v": (SHELL, SOLAR),
    "launched": (SYSTEM, TIME),
    "variable_value": (SHELL,),
}
"""Variable that one kind of Dataset has -> dimensions of its rows."""
_COLUMNS: Final = (PERCENTILE, SOLAR, XYZ, RIC)
"""Dimensions whose labels become columns."""
_BYTES_PER_NUMBER, _BYTES_OF_TEXTS = 12, 100
"""Rough sizes in CSV, of a number and of the coordinates of an object."""


def write_table(dataset: xr.Dataset, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a Dataset to a CSV or Parquet file, which appears under its name when it is complete.

    Raises:
        InputError: more rows than `MOST_ROWS`, Parquet without pyarrow, or as for `Target`.
        OutputError: the file could not be written; nothing of it is left.
    """
    with Target.of(path, overwrite=overwrite) as target:
        _check_library(target)
        rows = _find_rows(dataset)
        count = int(np.prod([dataset.sizes[name] for name in rows]))
        _check_rows(
            target, f"{' x '.join(f'{dataset.sizes[name]:,} ({name})' for name in rows)}", count, len(dataset.data_vars)
        )
        table = _spread(dataset.drop_vars(ELEMENT_COLUMNS) if TIME in rows and SATELLITE in rows else dataset, rows)
        left_out = [str(name) for name in table.data_vars if not {*table[name].dims} <= {*rows}]
        if left_out:
            warnings.warn(
                f"{target}: a table with a row for each {' and '.join(rows)} has no place for {', '.join(left_out)}; "
                "a NetCDF file (.nc) has",
                stacklevel=2,
            )
        frame = _make_frame(table.drop_dims({*table.dims} - {*rows}), rows)
        units = {name: text for name in frame if (text := table[name].attrs.get("units", "")) not in ("", "1")}
        make = _make_parquet if _is_parquet(target) else _make_csv
        target.put(make(frame, units, dataset.attrs))


class TableWriter:
    """Writer of a propagation as a table: the blocks are kept until the end. Use it in a `with` statement.

    Args, methods and errors: as for `NetCDFWriter`; and InputError for more rows than `MOST_ROWS`, or Parquet without pyarrow.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        catalog: Catalog,
        times: ArrayLike,
        variables: Iterable[str],
        *,
        frame: str = "teme",
        dtype: str = "float32",
        precision: str = "float64",
        overwrite: bool = False,
        attributes: Mapping[str, Any] | None = None,
        block_steps: int = 60,
        **_: Any,  # what a table cannot do: go on with another run, or share the work
    ) -> None:
        self.block = block_steps
        self.failed = 0
        self.attributes = dict(attributes or {})
        self._target = Target.of(path, overwrite=overwrite)
        self._catalog, self._times, self._names = catalog, check_times(times), tuple(variables)
        self._header = {"frame": frame, "dtype": dtype, "precision": precision}
        self._blocks: list[dict[str, NDArray[Any]]] = []
        self._lifetimes: tuple[ArrayLike, str] | None = None

    def check_disk(self) -> None:
        """Raise InputError where there are too many rows, OutputError where the disk has no room for them."""
        _check_library(self._target)
        size = _check_samples(self._target, len(self._catalog), len(self._times), len(self._names))
        check_disk(self._target, size)

    def __enter__(self) -> Self:
        self._target.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            if error[0] is None:
                self._finish()
        finally:
            self._target.__exit__(*error)

    def find_missing(self) -> list[slice]:
        """Find the steps of each block: all."""
        return cut(len(self._times), self.block)

    def find_latched(self, start: int) -> NDArray[np.int8]:
        """Find the codes that satellites have kept before the first step: none."""
        return np.zeros(len(self._catalog), np.int8)

    @property
    def place(self) -> str:
        """Path of the file."""
        return str(self._target)

    @property
    def size(self) -> int:
        """Bytes of the complete file."""
        return os.path.getsize(self._target)

    def write(self, start: int, arrays: Mapping[str, ArrayLike]) -> None:
        """Take a block of steps, which come in order."""
        self.failed = int(np.count_nonzero(np.asarray(arrays[STATUS_VARIABLE])[-1]))
        self._blocks.append(
            {name: np.array(values) for name, values in arrays.items()}
        )  # the run uses its arrays again

    def write_lifetimes(self, lifetime: ArrayLike, comment: str) -> None:
        """Take the lifetime of each object, days, and a text on how it was computed."""
        self._lifetimes = (lifetime, comment)

    def _finish(self) -> None:
        arrays = {name: np.concatenate([block[name] for block in self._blocks]) for name in self._names}
        dataset = make_dataset(self._catalog, self._times, arrays, attributes=self.attributes, **self._header)
        if self._lifetimes is not None:
            lifetime, comment = self._lifetimes
            dataset[LIFETIME.name] = (SATELLITE, np.asarray(lifetime), make_lifetime_attributes(comment))
        write_table(dataset, self._target)


def check_size(
    path: str | os.PathLike[str], satellites: int, steps: int, variables: Iterable[str], dtype: str, memory_bytes: int
) -> None:
    """Check the size of a propagation before any array is made.

    Args: as for the function of that name in netcdf/samples.py; the types of the numbers and the memory do not matter.

    Raises:
        InputError: more rows than `MOST_ROWS`, or Parquet without pyarrow.
    """
    _check_library(path)
    _check_samples(path, satellites, steps, len(resolve_groups(variables)))


def _check_samples(path: str | os.PathLike[str], satellites: int, steps: int, variables: int) -> int:
    return _check_rows(path, f"{steps:,} instants of {satellites:,} objects", satellites * steps, variables)


def _check_rows(path: str | os.PathLike[str], origin: str, count: int, variables: int) -> int:
    """Return the rough size in bytes.

    Raises:
        InputError: more rows than `MOST_ROWS`.
    """
    size = count * (_BYTES_OF_TEXTS + _BYTES_PER_NUMBER * variables)
    if count > MOST_ROWS:
        raise InputError(
            f"{os.fspath(path)}: {origin} make {count:,} rows of about {format_size(size)} in CSV, expected {MOST_ROWS:,} at most; "
            "choose a name that ends in .nc (NetCDF), fewer objects or fewer instants"
        )
    return size


def _check_library(path: str | os.PathLike[str]) -> None:
    """Raise InputError for Parquet without pyarrow."""
    if _is_parquet(path) and importlib.util.find_spec("pyarrow") is None:
        raise InputError(
            f"{os.fspath(path)}: Parquet needs pyarrow, which is not installed; choose a name that ends in .csv or .nc, or "
            "install it with: pip install 'constellation-jax[parquet]'"
        )


def _is_parquet(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).lower().endswith(".parquet")


def _find_rows(dataset: xr.Dataset) -> tuple[str, ...]:
    return next(rows for name, rows in _ROWS.items() if name in dataset)


def _spread(dataset: xr.Dataset, rows: tuple[str, ...]) -> xr.Dataset:
    """Give each label of the dimensions in `_COLUMNS` that make no rows a variable of its own: NAME_LABEL."""
    for dimension in _COLUMNS:
        if dimension not in dataset.dims or dimension in rows:
            continue
        labels = [
            f"{label:g}" if isinstance(label, float) else str(label) for label in dataset[dimension].values.tolist()
        ]
        found: dict[str, xr.DataArray] = {}
        for name, array in dataset.data_vars.items():
            if dimension not in array.dims:
                found[str(name)] = array
                continue
            found |= {f"{name}_{label}": array.isel({dimension: k}, drop=True) for k, label in enumerate(labels)}
        dataset = xr.Dataset(found, attrs=dataset.attrs)
    return dataset


def _make_frame(table: xr.Dataset, rows: tuple[str, ...]) -> Any:
    """Make the DataFrame: flags as words, unknown integers empty, dates in UTC."""
    coordinates = [str(name) for name in table.coords if name not in rows]
    names = [*rows, *coordinates, *map(str, table.data_vars)]
    frame = table.to_dataframe(dim_order=rows).reset_index()[names]
    for name in names:
        attributes, values = table[name].attrs, frame[name]
        if "flag_values" in attributes:
            words = dict(
                zip(np.ravel(attributes["flag_values"]).tolist(), attributes["flag_meanings"].split(), strict=True)
            )
            frame[name] = values.map(words)
        elif "no_value" in attributes:
            frame[name] = values.astype("Int64").mask(values == attributes["no_value"])
        elif values.dtype.kind == "M":
            frame[name] = values.dt.tz_localize("UTC")
    return frame


def _make_csv(frame: Any, units: Mapping[str, str], attributes: Mapping[Any, Any]) -> bytes:
    names = {name: f"{name} [{unit}]" for name, unit in units.items()}
    text: str = frame.rename(columns=names).to_csv(index=False, lineterminator="\n")
    return text.encode()


def _make_parquet(frame: Any, units: Mapping[str, str], attributes: Mapping[Any, Any]) -> bytes:
    frame.attrs = to_plain(attributes) | {"units": dict(units)}
    content = io.BytesIO()
    frame.to_parquet(content, engine="pyarrow", index=False)
    return content.getvalue()
