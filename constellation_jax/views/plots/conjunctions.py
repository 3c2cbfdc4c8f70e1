"""Figures of crowding: objects by altitude and year, and encounters between shells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.outputs.variable import OTHER, SHELL, TIME
from constellation_jax.views.plots.common import (
    add_note,
    check_objects,
    check_some,
    check_variables,
    count_left_out,
    format_units,
    shorten_dates,
)
from constellation_jax.views.plots.style import get_axes, in_style

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_MOST_SHELLS: Final = 30
"""Most shells of a map of encounters; those with the most encounters are shown."""
_MOST_WITH_NUMBERS: Final = 8
"""Most shells whose numbers are written into the squares."""


@in_style
def crowding(
    dataset: xr.Dataset,
    *,
    bin_km: float = 20.0,
    altitude_km: tuple[float, float] = (120.0, 1500.0),
    axes: Axes | None = None,
) -> Axes:
    """Heat map of the number of objects by altitude and date.

    Args:
        dataset: of `decay`, or of `propagate` with the group "decay": mean altitudes over time.
        bin_km: width of a bin.
        altitude_km: lowest and highest mean altitude shown.
        axes: where to draw; a new figure if not given.
    """
    low, high = altitude_km
    if not (bin_km > 0.0 and low < high):
        raise InputError(f"crowding: bins of {bin_km!r} km in {altitude_km!r}: expected a width above 0, lowest first")
    check_objects(dataset, "crowding")
    check_variables(dataset, "crowding", ["mean_altitude", TIME])
    altitude = dataset["mean_altitude"].transpose(TIME, ...).values.reshape(dataset.sizes[TIME], -1)
    edges = np.arange(low, high + bin_km, bin_km)
    counts = np.stack([np.histogram(row[np.isfinite(row)], edges)[0] for row in altitude]).astype(float)
    check_some(counts.sum(), "crowding", f"no object of {altitude.shape[1]:,} is at {low:g} to {high:g} km")
    from matplotlib.colors import LogNorm

    axes = get_axes(axes)
    image = axes.pcolormesh(
        dataset[TIME].values, 0.5 * (edges[1:] + edges[:-1]), np.where(counts > 0, counts, np.nan).T,
        norm=LogNorm(vmin=1.0, vmax=max(2.0, counts.max())), cmap="viridis", shading="nearest", rasterized=True,
    )  # fmt: skip
    axes.figure.colorbar(image, ax=axes, label=f"objects (in {bin_km:g} km)", pad=0.02)
    axes.set(xlabel="date (UTC)", ylabel="mean altitude (km)")
    filled = np.flatnonzero(counts.any(axis=0))
    axes.set_ylim(edges[filled[0]], edges[filled[-1] + 1])
    shorten_dates(axes)
    inside = ((altitude >= low) & (altitude < edges[-1])).any(axis=0)
    add_note(axes, count_left_out((~inside).sum(), altitude.shape[1], "never inside"))
    return axes


@in_style
def encounter_rates(dataset: xr.Dataset, *, variable: str = "encounters_per_day", axes: Axes | None = None) -> Axes:
    """Heat map of encounters between shells, on a logarithmic scale. Squares without one are white.

    Args:
        dataset: of `encounter_rates`: a matrix with dims shell and other.
        variable: another matrix of the same dims.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "encounter_rates", [variable, SHELL, OTHER])
    matrix = dataset[variable].transpose(SHELL, OTHER)
    values = matrix.values.astype(float)
    check_some(values.size, "encounter_rates", "the dataset has no shells")
    check_some(np.nansum(values), "encounter_rates", f"all {values.size:,} rates are zero")
    rows, columns = (np.flatnonzero(np.ones(n)) for n in values.shape)
    if max(values.shape) > _MOST_SHELLS:
        rows, columns = (np.sort(np.argsort(-np.nansum(values, axis=1 - k))[:_MOST_SHELLS]) for k in (0, 1))
    shown = values[np.ix_(rows, columns)]
    from matplotlib.colors import LogNorm

    axes = get_axes(axes, ratio=0.85)
    positive = shown[shown > 0]
    norm = LogNorm(vmin=positive.min(), vmax=max(positive.max(), 1.001 * positive.min()))
    image = axes.imshow(np.where(shown > 0, shown, np.nan), norm=norm, cmap="viridis", aspect="auto", origin="lower")
    attributes = matrix.attrs
    label = str(attributes.get("long_name", "encounters"))
    for name in ("miss_distance_km", "distance_km"):  # the attribute of the dataset that the name stands for
        if name in dataset.attrs:
            label = label.replace(name, f"{dataset.attrs[name]:g} km")
    units = format_units(attributes.get("units", "day-1"))
    label = label.removesuffix(" a day").removesuffix(" a year")  # which the units say
    axes.figure.colorbar(image, ax=axes, label=f"{label} ({units})", pad=0.02)
    for side, name, chosen in (("x", OTHER, columns), ("y", SHELL, rows)):
        labels = matrix[name].values.astype(str)[chosen].tolist()
        size = "small" if len(labels) <= _MOST_WITH_NUMBERS else "xx-small"
        rotation = 90 if side == "x" and sum(map(len, labels)) > 24 else 0
        getattr(axes, f"set_{side}ticks")(range(len(labels)), labels=labels, fontsize=size, rotation=rotation)
    if max(shown.shape) <= _MOST_WITH_NUMBERS:
        for (k, i), value in np.ndenumerate(shown):
            if value > 0:
                colour = "white" if norm(value) < 0.6 else "black"
                axes.text(i, k, f"{value:.3g}", ha="center", va="center", fontsize="x-small", color=colour)
    axes.set(xlabel="met by", ylabel="shell")
    axes.spines[:].set_visible(False)
    add_note(axes, count_left_out(len(values) - len(rows), len(values), "shells with fewer encounters not shown"))
    return axes
