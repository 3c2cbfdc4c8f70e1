"""Coordinates of the satellites of a Dataset, and the search for satellites by number, name or designator."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.errors import InputError, printable, suggest
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.outputs.variable import SATELLITE
from constellation_jax.outputs.variables import VARIABLES


def find(dataset: xr.Dataset, satellites: str | int | Iterable[str | int]) -> xr.Dataset:
    """Select satellites of a Dataset by number, name, designator, label or pattern.

    A Dataset of a file that is opened lazily stays so: only its coordinates are read.

    Args:
        dataset: any Dataset of this package with the dimension `satellite`.
        satellites: one or several of: a catalogue number (NORAD), a name, an international designator ("1998-067A"), a label
            of the coordinate `satellite`, or a pattern with * and ? for any of them. Case does not matter.

    Returns:
        The Dataset with every satellite that fits, in the order of `satellites`, each once; the dimension `satellite` stays, also
        for a single one.

    Raises:
        InputError: nothing fits one of them (the message suggests the nearest name), or the Dataset has no satellites.
    """
    if SATELLITE not in dataset.dims:
        raise InputError(
            f"find: the dataset has no dimension {SATELLITE!r}; its own are {', '.join(map(str, dataset.dims))}"
        )
    wanted = [satellites] if isinstance(satellites, str | int | np.integer) else list(satellites)
    texts = {
        name: ["" if str(text) == _NONE else str(text).upper() for text in dataset[name].values.tolist()]
        for name in (SATELLITE, "norad_id", "name", "international_designator")
        if name in dataset.coords
    }
    positions: dict[int, None] = {}
    for each in wanted:
        key = str(each).strip().upper()
        found = {k for column in texts.values() for k in _find_matches(key, column)}
        if not found:
            near = suggest(key, {text for text in texts.get("name", []) if text})
            raise InputError(
                f"find: {each!r} is not among the {dataset.sizes[SATELLITE]} satellites of the dataset{near}"
            )
        positions |= dict.fromkeys(sorted(found))
    return dataset.isel({SATELLITE: list(positions)})


def make_satellite_coordinates(catalog: Catalog) -> dict[str, NDArray[Any]]:
    """Make the coordinates of the n objects, arrays of shape (n,), by their names in the table of variables.

    `satellite` comes first: the index by which `sel` selects. Text is str, epochs are datetime64[ns], all else is integer.
    """
    return {
        SATELLITE: make_unique_labels(catalog),
        "norad_id": catalog.norad_id.astype(np.int64),
        "name": _printable(catalog.name),
        "international_designator": catalog.international_designator,
        "satellite_shell": catalog.shell,
        "plane": catalog.plane.astype(np.int32),
        "slot": catalog.slot.astype(np.int32),
        "source": catalog.source,
        "synthetic": catalog.synthetic.astype(np.int8),
        "epoch": catalog.epoch,
    }


def make_element_variables(catalog: Catalog) -> dict[str, tuple[tuple[str, ...], NDArray[np.float64], dict[str, Any]]]:
    """Make the variables with the elements of the n objects as published, from which `Catalog.from_dataset` makes a catalogue.

    Returns:
        Name -> (dimensions, values of shape (n,), attributes), as `xarray.Dataset` takes them.
    """
    return {
        name: VARIABLES[name].as_xarray(getattr(catalog, column), (SATELLITE,))
        for name, column in ELEMENT_COLUMNS.items()
    }


def make_unique_labels(catalog: Catalog) -> NDArray[np.str_]:
    """Make a text that is unique to each object: its catalogue number, else its name, else "unnamed"; with #1, #2 ... where shared.

    Text and not numbers, because CF wants a numeric coordinate variable to be monotonic, which the numbers of a catalogue in
    its own order are not, and because planned satellites have none.
    """
    names = np.where(catalog.name == "", "unnamed", _printable(catalog.name))
    labels = np.where(catalog.norad_id == NO_NORAD_ID, names, catalog.norad_id.astype("U20")).tolist()
    while len(set(labels)) < len(labels):  # again where a number is added that a name ends with already
        count: dict[str, int] = {}
        for label in labels:
            count[label] = count.get(label, 0) + 1
        number = dict.fromkeys(count, 0)
        for k, label in enumerate(labels):
            if count[label] > 1:
                number[label] += 1
                labels[k] = f"{label}#{number[label]}"
    return np.array(labels, dtype=str)


_NONE: Final = str(NO_NORAD_ID)


def _find_matches(key: str, column: list[str]) -> list[int]:
    if "*" in key or "?" in key:
        return [k for k, text in enumerate(column) if text and fnmatch.fnmatchcase(text, key)]
    return [k for k, text in enumerate(column) if text and text == key]


def _printable(names: NDArray[np.str_]) -> NDArray[np.str_]:
    """Names without control characters, which end a text in NetCDF or steer a terminal: escaped, as in messages."""
    texts = names.tolist()
    return names if "".join(texts).isprintable() else np.array([printable(text) for text in texts])
