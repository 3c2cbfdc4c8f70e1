"""Formats of output files, chosen by the suffix of their name.

A new format is one line of `FORMATS`: the rest of the package asks here. Deliberately absent: any writing.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, Protocol, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.outputs.target import Target, is_address


class Format(NamedTuple):
    """Format, with its functions and classes as "module:name" in `constellation_jax.outputs`; empty where it has none."""

    name: str
    """Name in messages."""
    dataset: str = ""
    """Function `(dataset, target)`, which writes a Dataset that is in memory."""
    samples: str = ""
    """`SampleWriter`, made with the arguments of `NetCDFWriter`: a propagation, block by block."""
    size: str = ""
    """Function with the arguments of `check_size`."""
    ephemeris: bool = False
    """True where it holds the Chebyshev series of an ephemeris."""
    events: str = ""
    """Function as `dataset`, for close approaches, whose number is known at the end alone."""


FORMATS: Final[Mapping[str, Format]] = {
    ".nc": Format(
        "NetCDF",
        "netcdf.whole_file:write_dataset",
        "netcdf.samples:NetCDFWriter",
        "netcdf.samples:check_size",
        True,
        "netcdf.whole_file:write_dataset",
    ),
    ".zarr": Format(
        "Zarr",
        samples="zarr.samples:ZarrWriter",
        size="zarr.samples:check_size",
        events="zarr.whole_store:write_dataset",
    ),
    ".csv": Format("CSV", "tables:write_table", "tables:TableWriter", "tables:check_size", events="tables:write_table"),
    ".parquet": Format(
        "Parquet", "tables:write_table", "tables:TableWriter", "tables:check_size", events="tables:write_table"
    ),
}
"""Formats by suffix. A name with a suffix of no format is NetCDF, unless the suffix is that of another well-known format."""


class SampleWriter(Protocol):
    """Writer of a propagation, block by block: what `propagate_to` asks of a format. `NetCDFWriter` has the docstrings."""

    attributes: dict[str, Any]
    failed: int
    """Satellites that have failed at the last step written."""

    @property
    def block(self) -> int: ...
    @property
    def place(self) -> str:
        """Path or address of the output: NAME.partial while it is not complete."""

    @property
    def size(self) -> int: ...
    def check_disk(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(self, *error: Any) -> None: ...
    def find_missing(self) -> list[slice]: ...
    def find_latched(self, start: int) -> NDArray[np.int8]: ...
    def write(self, start: int, arrays: Mapping[str, ArrayLike]) -> None: ...
    def write_lifetimes(self, lifetime: ArrayLike, comment: str) -> None: ...


def is_zarr(path: str | os.PathLike[str]) -> bool:
    """True for the name of a Zarr store, which ends with .zarr.

    Raises:
        InputError: it is one, and the package zarr is missing.
    """
    if find_suffix(path) != ".zarr":
        return False
    if find_spec("zarr") is None:
        raise InputError(
            f"{os.fspath(path)}: Zarr needs the package zarr; install it with pip install 'constellation-jax[scale]'"
        )
    return True


def find_suffix(path: str | os.PathLike[str]) -> str:
    """Find the suffix of an output by which its format goes, in small letters."""
    return os.path.splitext(os.fspath(path).rstrip("/"))[1].lower()


Kind = Literal["dataset", "samples", "ephemeris", "events"]
"""Content of an output: a Dataset in memory, a propagation, an ephemeris or close approaches."""


def find_format(path: str | os.PathLike[str], kind: Kind = "dataset") -> Format:
    """Find the format of an output by its name.

    Args:
        path: the file to be made.
        kind: what it will hold.

    Raises:
        InputError: the suffix is that of a format that is not written, or not for this kind; the message lists those that are.
    """
    suffix = find_suffix(path)
    if is_address(path) and suffix != ".zarr":
        raise InputError(f"output: found {os.fspath(path)!r}, expected a Zarr store (NAME.zarr) at an address")
    is_zarr(path)  # whose package may be missing
    found = FORMATS.get(suffix, FORMATS[".nc"])
    if Path(path).name == "-" or suffix in _OTHER_SUFFIXES or not getattr(found, kind):
        known = ", ".join(f"{known} ({form.name})" for known, form in FORMATS.items() if getattr(form, kind))
        of = " of an ephemeris" if kind == "ephemeris" else ""
        raise InputError(f"output: found {str(path)!r}, expected the name of a file{of} that ends in {known}")
    return found


def write(
    dataset: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    kind: Literal["dataset", "events"] = "dataset",
) -> None:
    """Write a Dataset in the format that the name asks for; the file appears under its name when it is complete.

    Raises:
        InputError: as for `find_format` and `Target`, or too large for the format.
        OutputError: the file could not be written.
    """
    with make_place(path, overwrite=overwrite) as place:
        _load(getattr(find_format(path, kind), kind))(dataset, place)


def make_place(
    path: str | os.PathLike[str], *, overwrite: bool = False, inputs: Iterable[str | os.PathLike[str]] = ()
) -> Any:
    """Make the place of an output, which is checked at once: a `Target`, of a Zarr store a `Place`; one that is given is returned.

    Raises:
        InputError: as for them.
    """
    if not is_zarr(path):
        return path if isinstance(path, Target) else Target(path, overwrite=overwrite, inputs=inputs)
    from constellation_jax.outputs.zarr.place import Place

    return path if isinstance(path, Place) else Place(path, overwrite=overwrite, inputs=inputs)


def make_sample_writer(path: str | os.PathLike[str], *arguments: Any, **options: Any) -> SampleWriter:
    """Make the writer of a propagation in the format that the name asks for; arguments and errors are those of `NetCDFWriter`."""
    writer: SampleWriter = _load(find_format(path, "samples").samples)(path, *arguments, **options)
    return writer


def check_size(path: str | os.PathLike[str], *arguments: Any) -> None:
    """Check the size of a propagation before any array is made; arguments and errors are those of `netcdf.samples.check_size`."""
    _load(find_format(path, "samples").size)(path, *arguments)


_OTHER_SUFFIXES: Final = {
    *(".feather", ".gz", ".json", ".mat", ".npy", ".npz", ".pkl", ".tsv", ".txt", ".xls", ".xlsx", ".zip")
} - {*FORMATS}


def _load(place: str) -> Any:
    module, name = place.split(":")
    return getattr(importlib.import_module(f"constellation_jax.outputs.{module}"), name)


@contextlib.contextmanager
def open_dataset(
    path: str | os.PathLike[str], expected: str = "a NetCDF file or Zarr store of a command"
) -> Iterator[xr.Dataset]:
    """Open a NetCDF file or a Zarr store for the length of a `with` statement. An `InputError` within it names the file.

    Args:
        path: the file.
        expected: words for what it should be, in the error.

    Raises:
        InputError: no such file, or one that cannot be read.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        raise InputError(f"{name}: no such file")
    try:
        dataset = xr.open_zarr(name, chunks=None, consolidated=False) if is_zarr(name) else xr.open_dataset(name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        words = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise InputError(f"{name}: cannot be read ({words[:80]}); expected {expected}") from None
    with dataset:
        try:
            yield dataset
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
