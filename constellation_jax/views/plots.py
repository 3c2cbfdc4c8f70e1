"""Figures of the package's Datasets, one function each: `cj.plots.altitude_histogram(dataset)`.

Each draws into the given axes, or into a new figure that pyplot does not manage, and returns the axes:
`axes.figure.savefig("altitudes.png")`. Labels and units come from the Dataset. matplotlib is the extra `plot`, imported when
something is drawn. Deliberately absent: styles, coastlines, and showing or closing a figure.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, suggest
from constellation_jax.outputs.variables import SATELLITE, SOLAR, TIME
from constellation_jax.physics.constants import YEAR_DAYS

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_REENTRY_KM: Final = 120.0
"""Mean altitude at which `decay` counts an object as re-entered."""
_NAMED: Final = 10
"""Largest number of objects that a legend names; more would cover the figure."""
_BAND: Final = 0.2
"""Opacity of a band between two percentiles or scenarios."""


def altitude_histogram(
    dataset: xr.Dataset,
    *,
    bin_km: float = 10.0,
    altitude_km: tuple[float, float] = (100.0, 2000.0),
    variable: str = "mean_altitude",
    by: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Histogram of altitudes at the first instant.

    Args:
        dataset: of `propagate` or `decay`; `dataset.isel(time=k)` for another instant.
        bin_km: width of a bin.
        altitude_km: lowest and highest altitude shown; objects outside are not counted.
        variable: "mean_altitude", or "altitude" for the geodetic one.
        by: coordinate of the objects, such as "source" or "satellite_shell", by which bars are stacked.
        axes: where to draw; a new figure if not given.
    """
    if not (bin_km > 0.0 and altitude_km[0] < altitude_km[1]):
        raise InputError(
            f"altitude_histogram: bins of {bin_km!r} km in {altitude_km!r}: expected a width above 0, lowest first"
        )
    _check_variables(
        dataset,
        "altitude_histogram",
        [variable],
        "propagate has mean_altitude in its group decay, altitude in altitude",
    )
    _check_variables(
        dataset, "altitude_histogram", [by] if by else [], f"its own are {', '.join(map(str, dataset.coords))}"
    )
    axes = _get_axes(axes)
    altitude = np.atleast_1d(_select_first(dataset)[variable].values)
    edges = np.arange(altitude_km[0], altitude_km[1] + bin_km, bin_km).tolist()
    if by is None:
        axes.hist(altitude[np.isfinite(altitude)], edges)
    else:
        group = np.atleast_1d(dataset[by].values).astype(str)
        groups = list(dict.fromkeys(group.tolist()))
        rows = [altitude[(group == g) & np.isfinite(altitude)] for g in groups]
        axes.hist(rows, edges, stacked=True, label=[g or "other" for g in groups])
        axes.legend()
    axes.set(xlabel=_label_variable(dataset, variable), ylabel=f"satellites (in {bin_km:g} km)", xlim=altitude_km)
    return axes


def ground_track(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Ground tracks: sub-satellite points over time, one line for each object, broken at 180 degrees.

    Args:
        dataset: of `propagate` with the group "geodetic", of the objects wanted: `cj.find(dataset, "STARLINK-1*")`.
        axes: where to draw; a new figure if not given.
    """
    hint = 'propagate with variables=("position", "geodetic")'
    _check_variables(dataset, "ground_track", ["longitude", "latitude"], hint)
    axes = _get_axes(axes)
    rows = _split_by_satellite(dataset)
    for row, name in zip(rows, _label_satellites(rows), strict=True):
        axes.plot(*_break_at_edges(row["longitude"].values, row["latitude"].values), linewidth=1.0, label=name)
    axes.set(
        xlabel="longitude (degrees east)",
        ylabel="latitude (degrees north)",
        xlim=(-180, 180),
        ylim=(-90, 90),
        xticks=range(-180, 181, 60),
        yticks=range(-90, 91, 30),
        aspect="equal",
    )
    axes.grid(alpha=_BAND)
    _add_legend(axes)
    return axes


def altitude_over_time(
    dataset: xr.Dataset, *, between: tuple[xr.Dataset, xr.Dataset] | None = None, axes: Axes | None = None
) -> Axes:
    """Mean altitude of decaying objects over time, down to re-entry.

    Bars at 120 km reach from the 5th to the 95th percentile of the date of re-entry, at most to the end of the span.

    Args:
        dataset: of `decay`, of the objects wanted.
        between: decays of the same objects under two other scenarios of solar activity, "low" and "high": a band lies between them.
        axes: where to draw; a new figure if not given.
    """
    _check_variables(dataset, "altitude_over_time", ["mean_altitude", "reentry_date"], "it is not one of decay")
    for other in between or ():
        _check_variables(other, "altitude_over_time", ["mean_altitude"], "it is not one of decay")
        if not all(np.array_equal(other[key].values, dataset[key].values) for key in (TIME, "name")):
            raise InputError("altitude_over_time: `between` has other objects or another span than the dataset")
    axes = _get_axes(axes)
    rows = _split_by_satellite(dataset)
    bounds = [_split_by_satellite(other) for other in between] if between else []
    for k, (row, name) in enumerate(zip(rows, _label_satellites(rows), strict=True)):
        (line,) = axes.plot(*_cut_at_reentry(row), label=name)
        if bounds:
            low, high = (_fill_after_reentry(each[k]["mean_altitude"].values) for each in bounds)
            axes.fill_between(row[TIME].values, low, high, color=line.get_color(), alpha=_BAND, linewidth=0.0)
        if "reentry_date_percentile" in row and not np.isnat(row["reentry_date_percentile"].values[0]):
            first, last = row["reentry_date_percentile"].values[[0, -1]]
            last = row[TIME].values[-1] if np.isnat(last) else last
            axes.hlines(_REENTRY_KM, first, last, color=line.get_color(), linewidth=4.0, alpha=0.5)
    axes.set(xlabel="date (UTC)", ylabel=_label_variable(dataset, "mean_altitude"))
    _add_legend(axes)
    return axes


def lifetime_against_altitude(datasets: xr.Dataset | Sequence[xr.Dataset], *, axes: Axes | None = None) -> Axes:
    """Lifetime against mean altitude at the start, a line for each solar activity.

    A band reaches from the 5th to the 95th percentile where they are known.

    Args:
        datasets: of `decay`, one for each `solar`; of objects alike but for the altitude. Those that outlive the span are left out.
        axes: where to draw; a new figure if not given.
    """
    several = list(datasets) if isinstance(datasets, Sequence) else [datasets]
    for dataset in several:
        _check_variables(
            dataset, "lifetime_against_altitude", ["mean_altitude", "lifetime", SOLAR], "it is not one of decay"
        )
    axes = _get_axes(axes)
    for dataset in several:
        altitude = _find_first(dataset["mean_altitude"].transpose(TIME, SATELLITE).values)
        order = np.argsort(altitude)
        years = dataset["lifetime"].values[order] / YEAR_DAYS
        (line,) = axes.plot(altitude[order], years, marker=".", label=_label_activity(dataset))
        if "lifetime_percentile" in dataset:
            spread = dataset["lifetime_percentile"].transpose(..., SATELLITE).values[:, order] / YEAR_DAYS
            axes.fill_between(
                altitude[order], spread[0], spread[-1], color=line.get_color(), alpha=_BAND, linewidth=0.0
            )
    axes.set(xlabel=_label_variable(several[0], "mean_altitude"), ylabel="lifetime (years)", yscale="log")
    _add_legend(axes)
    return axes


def delta_v_against_altitude(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Velocity increment that holds an altitude, a line for each solar activity.

    Lines are means of the span; bands reach up to the rate of the worst ten days.

    Args:
        dataset: of `station_keeping`, of shells alike but for the altitude.
        axes: where to draw; a new figure if not given.
    """
    names = ["mean_altitude", "delta_v", "delta_v_peak"]
    _check_variables(dataset, "delta_v_against_altitude", names, "it is not one of station_keeping")
    axes = _get_axes(axes)
    order = np.argsort(dataset["mean_altitude"].values)
    altitude = dataset["mean_altitude"].values[order]
    for scenario in dataset[SOLAR].values:
        row = dataset.sel({SOLAR: scenario})
        mean, peak = row["delta_v"].values[order], row["delta_v_peak"].values[order]
        (line,) = axes.plot(altitude, mean, marker=".", label=_label_activity(row))
        axes.fill_between(altitude, mean, peak, color=line.get_color(), alpha=_BAND, linewidth=0.0)
    units = _format_units(dataset["delta_v"].attrs["units"])
    axes.set(xlabel=_label_variable(dataset, "mean_altitude"), ylabel=f"velocity increment ({units})", yscale="log")
    _add_legend(axes)
    return axes


def predicted_against_observed(
    observed_days: ArrayLike, predicted_days: ArrayLike, *, label: str = "", axes: Axes | None = None
) -> Axes:
    """Predicted against observed remaining lifetimes, beside the line of equals with 10 % on either side.

    Args:
        observed_days, predicted_days: one of each for each object, shape (n,), above 0.
        label: of this group of objects; call again with the same axes for another.
        axes: where to draw; a new figure if not given.
    """
    observed, predicted = np.asarray(observed_days, float), np.asarray(predicted_days, float)
    if observed.ndim != 1 or observed.shape != predicted.shape:
        raise InputError(
            f"predicted_against_observed: shapes {observed.shape} and {predicted.shape}: expected two of the same length"
        )
    axes = _get_axes(axes)
    if not axes.has_data():
        ends = np.array([0.5, 500.0])
        axes.plot(ends, ends, color="0.5", linewidth=1.0)
        axes.fill_between(ends, 0.9 * ends, 1.1 * ends, color="0.5", alpha=_BAND, linewidth=0.0, label="within 10 %")
        axes.set(xscale="log", yscale="log", aspect="equal", xlim=(1, 100), ylim=(1, 100))
        axes.set(xlabel="days left (observed)", ylabel="days left (predicted)")
    axes.plot(observed, predicted, "o", markersize=4.0, label=label or "_nolegend_")
    _add_legend(axes)
    return axes


def pareto(dataset: xr.Dataset, x: str, y: str, *, axes: Axes | None = None) -> Axes:
    """Plot one figure of merit against another along the sweep of a tuning problem, beside the start and the tuned shells.

    Points that did not converge are hollow.

    Args:
        dataset: of `tune`, of a problem with a sweep; one value of each figure, as in `tuned.sel(solar="high", shell="VLEO")`.
        x, y: names of its figures of merit, such as "duty_cycle_peak".
        axes: where to draw; a new figure if not given.
    """
    _check_variables(dataset, "pareto", ["sweep_status"], "its tuning problem has no sweep")
    known = [str(name) for name in dataset.data_vars if f"sweep_{name}" in dataset]
    for name in (x, y):
        if name not in known:
            raise InputError(f"pareto: no figure {name!r}; known are {', '.join(known)}{suggest(name, known)}")
        many = [str(d) for d in dataset[name].dims if dataset.sizes[d] > 1]
        if many:
            raise InputError(
                f"pareto: {name!r} has several values along {', '.join(many)}; choose one with dataset.sel(...)"
            )
    axes = _get_axes(axes)
    found = [dataset[f"sweep_{name}"].values.ravel() for name in (x, y)]
    meanings = dataset["sweep_status"].attrs["flag_meanings"].split()
    settled = dataset["sweep_status"].values == meanings.index("converged")
    (line,) = axes.plot(*found, linewidth=1.0)
    axes.plot(*(row[settled] for row in found), "o", color=line.get_color(), label="sweep")
    loose = ~settled & np.isfinite(found).all(axis=0)
    if loose.any():
        style: dict[str, Any] = {"color": line.get_color(), "fillstyle": "none"}
        axes.plot(*(row[loose] for row in found), "o", label="not converged", **style)
    for ending, marker, label in (("_before", "x", "start"), ("", "*", "tuned")):
        if x + ending in dataset and y + ending in dataset:
            values = [dataset[name + ending].values.ravel() for name in (x, y)]
            axes.plot(*values, marker, markersize=9.0, label=label)
    labels = [f"{name} ({_format_units(dataset[name].attrs['units'])})" for name in (x, y)]
    axes.set(xlabel=labels[0], ylabel=labels[1])
    _add_legend(axes)
    return axes


def convergence(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Objective at each evaluation; hollow where a constraint is missed by more than a thousandth.

    Args:
        dataset: of `tune`.
        axes: where to draw; a new figure if not given.
    """
    _check_variables(dataset, "convergence", ["history_objective", "history_violation"], "it is not one of tune")
    axes = _get_axes(axes)
    objective, violation = dataset["history_objective"].values, dataset["history_violation"].values
    number = np.arange(1, len(objective) + 1)
    (line,) = axes.plot(number, objective, linewidth=1.0)
    axes.locator_params(axis="x", integer=True)
    for chosen, fill, label in (
        (violation <= 1e-3, "full", "constraints met"),
        (violation > 1e-3, "none", "constraints missed"),
    ):
        if chosen.any():
            style: dict[str, Any] = {"color": line.get_color(), "fillstyle": fill, "label": label}
            axes.plot(number[chosen], objective[chosen], "o", markersize=4.0, **style)
    axes.set(
        xlabel="evaluation (number)", ylabel=f"objective ({_format_units(dataset['history_objective'].attrs['units'])})"
    )
    _add_legend(axes)
    return axes


def _get_axes(axes: Axes | None) -> Axes:
    if axes is not None:
        return axes
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise InputError(
            "plots: matplotlib is not installed; install it with: pip install 'constellation-jax[plot]'"
        ) from None
    return Figure(layout="constrained").subplots()


def _check_variables(dataset: xr.Dataset, function: str, names: Sequence[str], hint: str) -> None:
    for name in names:
        if name not in dataset.variables:
            raise InputError(f"{function}: the dataset has no {name!r}; {hint}")


def _select_first(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel({TIME: 0}) if TIME in dataset.dims else dataset


def _split_by_satellite(dataset: xr.Dataset) -> list[xr.Dataset]:
    if SATELLITE not in dataset.dims:
        return [dataset]
    return [dataset.isel({SATELLITE: k}) for k in range(dataset.sizes[SATELLITE])]


def _label_activity(row: xr.Dataset) -> str:
    """Label a dataset of one solar activity."""
    return f"{row[SOLAR].item()} solar activity"


def _label_satellites(rows: Sequence[xr.Dataset]) -> list[str]:
    """Label satellites for the legend, which does not show labels that begin with an underscore."""
    named = len(rows) <= _NAMED
    return [str(row["name"].values) if named and "name" in row.coords else "_nolegend_" for row in rows]


def _add_legend(axes: Axes) -> None:
    if axes.get_legend_handles_labels()[1]:
        axes.legend()


def _label_variable(dataset: xr.Dataset, name: str) -> str:
    attributes = dataset[name].attrs
    return f"{attributes['long_name']} ({_format_units(attributes['units'])})"


def _format_units(units: str) -> str:
    """Format CF units with raised powers: "m s-1" -> "m s$^{-1}$"; "no unit" for a pure number."""
    return "no unit" if units in ("1", "") else re.sub(r"(?<=[A-Za-z])(-?\d+)", r"$^{\1}$", units)


def _break_at_edges(longitude: NDArray[Any], latitude: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Break a ground track where it leaves the map at one edge and enters at the other, by linear interpolation."""
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    before = np.flatnonzero(np.abs(np.diff(longitude)) > 180.0)
    edge = np.copysign(180.0, longitude[before])
    to, beyond = np.abs(edge - longitude[before]), np.abs(-edge - longitude[before + 1])
    # both are zero only between +180 and -180, the same place, of which either latitude will do
    part = to / np.maximum(to + beyond, 1e-12)
    crossing = latitude[before] + part * (latitude[before + 1] - latitude[before])
    gap = np.full(len(before), np.nan)
    at = np.repeat(before + 1, 3)
    return (
        np.insert(longitude, at, np.stack([edge, gap, -edge], axis=1).ravel()),
        np.insert(latitude, at, np.stack([crossing, gap, crossing], axis=1).ravel()),
    )


def _cut_at_reentry(row: xr.Dataset) -> tuple[NDArray[np.datetime64], NDArray[np.float64]]:
    """Return dates and mean altitudes of one object while it is in orbit, ending with its re-entry."""
    up = np.isfinite(row["mean_altitude"].values)
    time, altitude = row[TIME].values[up], row["mean_altitude"].values[up].astype(float)
    end = row["reentry_date"].values
    if np.isnat(end):
        return time, altitude
    return np.append(time, end.astype(time.dtype)), np.append(altitude, _REENTRY_KM)


def _fill_after_reentry(altitude: NDArray[Any]) -> NDArray[np.float64]:
    """Replace the NaN that follows a re-entry by 120 km."""
    begun = np.logical_or.accumulate(np.isfinite(altitude))
    return np.where(begun & ~np.isfinite(altitude), _REENTRY_KM, altitude).astype(float)


def _find_first(altitude: NDArray[Any]) -> NDArray[np.float64]:
    """Find the first altitude of each column that is not NaN."""
    first = np.argmax(np.isfinite(altitude), axis=0)
    return np.asarray(np.take_along_axis(altitude, first[None], axis=0)[0], float)
