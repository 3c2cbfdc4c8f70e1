"""Parts that figures share: checks of what is drawn, groups of objects, labels with units, and legends."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.dataset_columns import COORDINATE_COLUMNS, ELEMENT_COLUMNS
from constellation_jax.inputs.catalog.summary import find_family
from constellation_jax.outputs.variables import SATELLITE, TIME
from constellation_jax.views.kinds import KINDS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

MOST_NAMED: Final = 8
"""Most objects or groups that a legend names: more would cover the figure, and share colours."""
FAMILY: Final = "system"
"""Word by which objects are grouped by the family that their names tell, where a dataset has no such coordinate."""


def check_variables(dataset: xr.Dataset, function: str, names: Sequence[str]) -> None:
    """Raise InputError where the dataset lacks a variable, with the command that makes it."""
    for name in names:
        if name not in dataset.variables:
            raise InputError(f"{function}: the dataset has no {name!r}; a fitting file: {KINDS[function].source}")


def check_some(count: Any, function: str, missing: str) -> None:
    """Raise InputError where nothing is left to draw."""
    if not count:
        raise InputError(f"{function}: nothing to draw: {missing}")


def check_objects(dataset: xr.Dataset, function: str) -> None:
    """Raise InputError for a dataset without satellites."""
    if SATELLITE not in dataset.dims and SATELLITE not in dataset.coords:
        raise InputError(f"{function}: the dataset has no satellites; a fitting file: {KINDS[function].source}")
    check_some(dataset.sizes.get(SATELLITE, 1), function, "the selection has no satellites")


def read_elements(dataset: xr.Dataset, function: str) -> Catalog:
    """Read the element sets of a dataset, which may be of one object."""
    check_objects(dataset, function)
    check_variables(dataset, function, list(ELEMENT_COLUMNS))
    columns = {**ELEMENT_COLUMNS, **COORDINATE_COLUMNS}
    return Catalog.from_columns({
        column: np.atleast_1d(dataset[name].values) for name, column in columns.items() if name in dataset.variables
    })  # fmt: skip


def list_variable(dataset: xr.Dataset, name: str) -> NDArray[Any]:
    """List the values of a variable of the objects, shape (satellites,)."""
    return np.atleast_1d(dataset[name].values)


def find_first(dataset: xr.Dataset, name: str) -> NDArray[np.float64]:
    """Find the first value of each object that is not NaN, shape (satellites,): decays begin at the epoch of each."""
    array = dataset[name]
    if TIME not in array.dims:
        return np.atleast_1d(array.values).astype(float)
    values = array.transpose(TIME, ...).values.reshape(array.sizes[TIME], -1)
    check_some(len(values), name, "the dataset has no instants")
    first = np.argmax(np.isfinite(values), axis=0)
    return np.asarray(np.take_along_axis(values, first[None], axis=0)[0], float)


def group_objects(
    dataset: xr.Dataset, function: str, by: str, most: int = MOST_NAMED
) -> tuple[list[str], NDArray[Any]]:
    """Group objects by a coordinate; the smallest groups are put together as "other".

    Args:
        by: a coordinate such as "source" or "satellite_shell", or "system": the family that the name tells.
        most: number of groups, "other" among them.

    Returns:
        Names of the groups, largest first and "other" last, and the group of each object, shape (satellites,).
    """
    if by == FAMILY and by not in dataset.variables:
        check_variables(dataset, function, ["name"])
        labels = np.array(
            [find_family(str(name)) or str(name) for name in list_variable(dataset, "name")], dtype=object
        )
    else:
        if by not in dataset.variables:
            known = ", ".join([FAMILY, *(str(c) for c in dataset.coords if dataset[c].dims == (SATELLITE,))])
            raise InputError(f"{function}: the dataset has no {by!r} to group by; known are {known}")
        labels = list_variable(dataset, by).astype(str).astype(object)
    labels[labels == ""] = "other"
    names, group = np.unique(labels.astype(str), return_inverse=True)
    counts = np.bincount(group)
    order = sorted(range(len(names)), key=lambda k: (names[k] == "other", -counts[k]))
    kept = [k for k in order if names[k] != "other"]
    rest = [k for k in order if names[k] == "other"]
    if len(order) > most:
        kept, rest = kept[: most - 1], kept[most - 1 :] + rest
    found = [str(names[k]) for k in kept]
    if rest:
        found.append("other" if len(rest) == 1 and names[rest[0]] == "other" else f"other ({len(rest)} groups)")
    place = np.full(len(names), len(kept))
    place[kept] = np.arange(len(kept))
    return found, place[group]


def split_by_satellite(dataset: xr.Dataset) -> list[xr.Dataset]:
    """Split a dataset into one for each object."""
    if SATELLITE not in dataset.dims:
        return [dataset]
    return [dataset.isel({SATELLITE: k}) for k in range(dataset.sizes[SATELLITE])]


def label_satellites(rows: Sequence[xr.Dataset]) -> list[str]:
    """Label satellites for the legend, which does not show labels that begin with an underscore."""
    is_named = len(rows) <= MOST_NAMED
    return [str(row["name"].values) if is_named and "name" in row.coords else "_nolegend_" for row in rows]


def label_variable(dataset: xr.Dataset, name: str) -> str:
    """Label an axis by the long name and the units of a variable."""
    attributes = dataset[name].attrs
    return f"{attributes.get('long_name', name)} ({format_units(attributes.get('units', ''))})"


def format_units(units: str) -> str:
    """Format CF units with raised powers: "m s-1" -> "m s$^{-1}$"; "no unit" for a pure number."""
    return "no unit" if units in ("1", "") else re.sub(r"(?<=[A-Za-z])(-?\d+)", r"$^{\1}$", units)


def add_legend(axes: Axes, **options: Any) -> None:
    """Add a legend where something has a label."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(**options)


def add_note(axes: Axes, *parts: str) -> None:
    """Say above the axes what the figure leaves out or cannot show; empty parts are dropped."""
    text = "; ".join(part for part in parts if part)
    if text:
        axes.set_title(text, loc="right", fontsize="x-small", color="0.35")


def shorten_dates(axes: Axes) -> None:
    """Label dates as briefly as they allow, so that labels never overlap."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(  # type: ignore[no-untyped-call]
        minticks=3, maxticks=7
    )
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def count_left_out(count: Any, total: int, reason: str) -> str:
    """Say how many of all objects are left out, and why; empty where none is."""
    return f"{int(count):,} of {total:,} {reason}" if count else ""
