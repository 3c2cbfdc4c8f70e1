"""Globe of satellites as one HTML page, which needs nothing beside it: `cj.globe(catalog).save("globe.html")`.

The page holds element sets, and computes positions with SGP4 by itself. It opens from a file, in Jupyter, in Colab and inside other
pages, and asks nothing of the network. `web/page.html` is built from `web/src` by `scripts/build_globe.py`. Deliberately absent:
positions of a dataset, which would be a hundred times larger.
"""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, TypeGuard

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.times import Time, parse_time
from constellation_jax.outputs.target import Target
from constellation_jax.outputs.variable import SATELLITE, STATUS_VARIABLE, TIME
from constellation_jax.outputs.variables import LIFETIME
from constellation_jax.views.globe.content import NEVER, Additions, pack_content

if TYPE_CHECKING:
    import xarray as xr

_SLOT: Final = "{{content}}"
"""Place of the packed objects in the page."""
_MOST_OBJECTS: Final = 250_000
"""Objects beyond which a page of 10 MB would come to a halt in a browser."""
_STATUS_BLOCK: Final = 100_000_000
"""Statuses of a dataset that are read at once."""
_HEIGHT_PX: Final = 640
"""Height of a globe in a notebook."""


class Globe:
    """Page with a globe. In a notebook it shows itself; `save` writes it.

    Args:
        content: the packed objects.
        count: number of objects.
    """

    def __init__(self, content: str, count: int) -> None:
        self._content = content
        self.count = count

    def __repr__(self) -> str:
        return f"<Globe of {self.count:,} objects, {len(self.to_html()) / 1e6:.1f} MB>"

    def to_html(self) -> str:
        """Return the page, a whole HTML document."""
        return _read_page().replace(_SLOT, self._content)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write the page to a file.

        Raises:
            InputError: the file exists already and `overwrite` is False, or has a place or name that cannot be written.
            OutputError: the disk is full, or the file cannot be written for another reason.
        """
        with Target.of(path, overwrite=overwrite) as target:
            target.put(self.to_html().encode())

    def _repr_html_(self) -> str:
        """Page in a frame of its own, as Jupyter and Colab show it: they break on a bare document, and on files."""
        page = html.escape(self.to_html(), quote=True)
        style = f"width:100%;height:{_HEIGHT_PX}px;border:0;border-radius:8px"
        grants = "allow-scripts allow-downloads"
        return f'<iframe title="Globe of satellites" sandbox="{grants}" style="{style}" srcdoc="{page}"></iframe>'


def globe(
    objects: Catalog | xr.Dataset | Shell | Sequence[Shell],
    shells: Shell | Sequence[Shell] = (),
    *,
    start: Time | None = None,
    title: str = "",
) -> Globe:
    """Make a globe of satellites: a page in which they move, can be searched, and are switched on and off by system and shell.

    Args:
        objects: a catalogue, planned shells, or a Dataset of this package with the elements of its satellites, whose lifetimes and
            failures are shown too.
        shells: planned shells that are shown beside the objects.
        start: instant that the page opens at, UTC; that of the Dataset, or the midnight before the median epoch, if not given.
            Planned satellites get it as their epoch.
        title: heading of the page.

    Returns:
        A Globe, for a notebook or `save`. 30,000 satellites make 1.3 MB.

    Raises:
        InputError: no objects, more than a page can hold, or a Dataset without elements.
    """
    additions = Additions()
    instant = None if start is None else parse_time(start)
    if isinstance(objects, Catalog):
        catalog = objects
    elif _is_dataset(objects):
        catalog, additions = _read_dataset(objects)
        instant = _first_instant(objects) if instant is None else instant
    else:
        shells, catalog = [*_as_list(objects), *_as_list(shells)], None
    if instant is None and catalog is not None and len(catalog):
        instant = np.sort(catalog.epoch)[len(catalog) // 2].astype("datetime64[D]")
    extra = _as_list(shells)
    planned = shells_to_catalog(extra, epoch=instant) if extra else None
    parts = [part for part in (catalog, planned) if part is not None and len(part)]
    if not parts:
        raise InputError("globe: no objects are left to show; widen the selection, or give shells")
    everything = Catalog.concatenate(parts)
    if len(everything) > _MOST_OBJECTS:
        raise InputError(
            f"globe: found {len(everything):,} objects, a page holds at most {_MOST_OBJECTS:,}; select fewer"
        )
    if instant is None:
        instant = everything.epoch[0]
    header = {"title": title, "start": int(instant.astype("datetime64[ms]").astype(np.int64))}
    return Globe(pack_content(everything, _extend(additions, len(everything)), header), len(everything))


def _as_list(shells: Any) -> list[Shell]:
    found = [shells] if isinstance(shells, Shell) else list(shells)
    for shell in found:
        if not isinstance(shell, Shell):
            raise InputError(
                f"globe: found {type(shell).__name__} {str(shell)[:60]!r}, expected a Catalog, a Dataset or shells: "
                "read_catalog, propagate and load_shells make them"
            )
    return found


def _is_dataset(value: object) -> TypeGuard[xr.Dataset]:
    return hasattr(value, "data_vars") and hasattr(value, "sizes")


def _read_dataset(dataset: xr.Dataset) -> tuple[Catalog, Additions]:
    """Read the elements, lifetimes and failures of a Dataset."""
    if SATELLITE not in dataset.dims or any(name not in dataset.variables for name in ELEMENT_COLUMNS):
        lacking = ", ".join(name for name in ELEMENT_COLUMNS if name not in dataset.variables)
        raise InputError(
            f"globe: the dataset lacks the elements of its satellites ({lacking or SATELLITE}); constellation-jax propagate and "
            "decay write them: constellation-jax propagate --output FILE"
        )
    lifetime = None
    if LIFETIME.name in dataset and dataset[LIFETIME.name].dims == (SATELLITE,):
        lifetime = _to_days(dataset[LIFETIME.name].values)
    minute, status = (None, None)
    if STATUS_VARIABLE in dataset and dataset[STATUS_VARIABLE].dims == (TIME, SATELLITE):
        minute, status = _find_failures(dataset)
    return Catalog.from_dataset(dataset), Additions(lifetime, minute, status)


def _to_days(values: NDArray[Any]) -> NDArray[np.float64]:
    """Lifetimes as numbers; xarray makes time differences of variables in days."""
    if values.dtype.kind != "m":
        return values.astype(np.float64)
    return np.where(np.isnat(values), np.nan, values / np.timedelta64(1, "D"))


def _find_failures(dataset: xr.Dataset) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """First minute of failure of each object, counted from 1970, and its status then; in blocks of time, since files are large."""
    n = dataset.sizes[SATELLITE]
    minute, found = np.full(n, NEVER, np.int32), np.zeros(n, np.int32)
    times = dataset[TIME].values.astype("datetime64[s]").astype(np.int64) // 60
    step = max(1, _STATUS_BLOCK // max(1, n))
    for first in range(0, len(times), step):
        status = dataset[STATUS_VARIABLE].isel({TIME: slice(first, first + step)}).values
        is_new = (found == 0) & (status != 0).any(axis=0)
        row = (status != 0).argmax(axis=0)
        minute[is_new] = times[first + row[is_new]]
        found[is_new] = status[row, np.arange(n)][is_new]
    return minute, found


def _first_instant(dataset: xr.Dataset) -> np.datetime64 | None:
    """First instant of a propagation; None for other Datasets, whose times are years after the epochs."""
    if STATUS_VARIABLE not in dataset or not dataset.sizes.get(TIME, 0):
        return None
    return np.datetime64(dataset[TIME].values.min())


def _extend(additions: Additions, n: int) -> Additions:
    """Columns of the first objects, extended to all: planned satellites beside them have no lifetime and no failure."""

    def fill(values: NDArray[Any] | None, absent: float) -> NDArray[Any] | None:
        return None if values is None else np.concatenate([values, np.full(n - len(values), absent, values.dtype)])

    lifetime, minute, status = additions
    return Additions(fill(lifetime, np.nan), fill(minute, NEVER), fill(status, 0))


@cache
def _read_page() -> str:
    return files(__package__).joinpath("web", "page.html").read_text(encoding="utf-8")
