"""Figures of decay: altitude over time, lifetimes, the price of an altitude, and predictions against what happened."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather, SpaceWeatherSource
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.outputs.variable import PERCENTILE, SATELLITE, SHELL, SOLAR, TIME
from constellation_jax.physics.constants import YEAR_DAYS
from constellation_jax.views.plots.common import (
    MOST_NAMED,
    add_legend,
    add_note,
    check_objects,
    check_some,
    check_variables,
    count_left_out,
    find_first,
    format_units,
    label_satellites,
    label_variable,
    list_variable,
    shorten_dates,
    split_by_satellite,
)
from constellation_jax.views.plots.style import BAND, MARKERS, add_panel, get_axes, in_style, list_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_REENTRY_KM: Final = 120.0
"""Mean altitude at which `decay` counts an object as re-entered."""
_RULES_YEARS: Final = (5.0, 25.0)
"""Years within which rules of disposal want an object gone (FCC 22-74; IADC-02-01)."""
_ACTIVITY: Final = {"low": 0, "median": 2, "high": 3}
"""Solar activity -> place of its colour in the style: blue, black, vermilion."""
_DASHES: Final = {"low": "--", "median": "-", "high": "-."}


@in_style
def altitude_over_time(
    dataset: xr.Dataset,
    *,
    between: tuple[xr.Dataset, xr.Dataset] | None = None,
    space_weather: SpaceWeatherSource | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Mean altitude of decaying objects over time, down to re-entry, with bands between percentiles.

    A band of an object reaches from the 5th to the 95th percentile of its altitude, a bar at 120 km from the 5th to the 95th of the
    date of re-entry, at most to the end of the span. More than eight objects are one fan: grey lines, the median in black.

    Args:
        dataset: of `decay`, of the objects wanted.
        between: decays of the same objects under two other scenarios of solar activity, "low" and "high": the band lies between
            them instead.
        space_weather: source as for `SpaceWeather.load`, such as "bundled": its F10.7 is drawn in a panel below.
        axes: where to draw; a new figure if not given.
    """
    name = "altitude_over_time"
    check_objects(dataset, name)
    check_variables(dataset, name, ["mean_altitude", "reentry_date"])
    for other in between or ():
        check_variables(other, name, ["mean_altitude"])
        if not all(np.array_equal(other[key].values, dataset[key].values) for key in (TIME, "name")):
            raise InputError("altitude_over_time: `between` has other objects or another span than the dataset")
    rows = split_by_satellite(dataset)
    is_up = [bool(np.isfinite(row["mean_altitude"].values).any()) for row in rows]
    check_some(sum(is_up), name, f"none of {len(rows):,} objects is above 120 km in the span")
    axes = get_axes(axes, ratio=0.7 if space_weather is None else 0.9)
    is_fan = len(rows) > MOST_NAMED
    bounds = [split_by_satellite(other) for other in between] if between else []
    for k, (row, label) in enumerate(zip(rows, label_satellites(rows), strict=True)):
        if is_fan:
            axes.plot(*_cut_at_reentry(row), color="0.6", linewidth=0.4, linestyle="-", alpha=0.7)
            continue
        (line,) = axes.plot(*_cut_at_reentry(row), label=label)
        style: dict[str, Any] = {"color": line.get_color(), "alpha": BAND, "linewidth": 0.0}
        if bounds:
            low, high = (_fill_after_reentry(each[k]["mean_altitude"].values) for each in bounds)
            axes.fill_between(row[TIME].values, low, high, **style)
        elif "mean_altitude_percentile" in row:
            spread = row["mean_altitude_percentile"].transpose(PERCENTILE, TIME).values
            low, high = (_fill_after_reentry(spread[p]) for p in (0, -1))
            axes.fill_between(row[TIME].values, low, high, **style)
        if "reentry_date_percentile" in row and not np.isnat(row["reentry_date_percentile"].values[0]):
            first, last = row["reentry_date_percentile"].values[[0, -1]]
            last = row[TIME].values[-1] if np.isnat(last) else last
            axes.hlines(_REENTRY_KM, first, last, color=line.get_color(), linewidth=4.0, alpha=0.5)
    if is_fan:
        altitude = dataset["mean_altitude"].transpose(TIME, SATELLITE).values
        begun = np.isfinite(altitude).any(axis=1) | (np.arange(len(altitude)) > 0)
        middle = np.full(len(altitude), np.nan)
        middle[begun] = np.nanmedian([_fill_after_reentry(column)[begun] for column in altitude.T], axis=0)
        middle[1:][middle[:-1] <= _REENTRY_KM] = np.nan  # the line ends where half of them have re-entered
        axes.plot(dataset[TIME].values, middle, color="black", linestyle="-", label=f"median of {len(rows):,} objects")
    lowest = axes if space_weather is None else _add_f107(axes, dataset, SpaceWeather.load(space_weather))
    axes.set(ylabel=label_variable(dataset, "mean_altitude"))
    lowest.set_xlabel("date (UTC)")
    shorten_dates(lowest)
    # a fan falls towards the right; to look for the best place among its lines takes seconds
    add_legend(axes, loc="upper right" if is_fan else "best")
    add_note(axes, count_left_out(len(rows) - sum(is_up), len(rows), "never above 120 km"))
    return axes


@in_style
def lifetime_against_altitude(datasets: xr.Dataset | Sequence[xr.Dataset], *, axes: Axes | None = None) -> Axes:
    """Lifetime against mean altitude at the start, a line for each solar activity, with the rules of 5 and 25 years.

    A band reaches from the 5th to the 95th percentile where they are known.

    Args:
        datasets: of `decay`, one for each `solar`; of objects alike but for the altitude. Those that outlive the span are left out,
            and counted above the figure.
        axes: where to draw; a new figure if not given.
    """
    several = list(datasets) if isinstance(datasets, Sequence) else [datasets]
    for dataset in several:
        check_variables(dataset, "lifetime_against_altitude", ["mean_altitude", "lifetime", SOLAR])
        check_some(dataset.sizes.get(SATELLITE, 1), "lifetime_against_altitude", "the selection has no satellites")
    known = sum(int(np.isfinite(dataset["lifetime"].values).sum()) for dataset in several)
    total = sum(dataset["lifetime"].size for dataset in several)
    check_some(known, "lifetime_against_altitude", f"all of {total:,} lifetimes are beyond the span")
    axes = get_axes(axes)
    for k, dataset in enumerate(several):
        altitude = find_first(dataset, "mean_altitude")
        order = np.argsort(altitude)
        years = list_variable(dataset, "lifetime")[order] / YEAR_DAYS
        colour, _, dashes = style = _style_of(dataset, k)
        label = _label_activity(dataset) + ("" if np.isfinite(years).any() else ": beyond the span")
        axes.plot(altitude[order], years, color=colour, marker=style[1], linestyle=dashes, label=label)
        if "lifetime_percentile" in dataset:
            spread = dataset["lifetime_percentile"].transpose(PERCENTILE, ...).values.reshape(-1, len(order))
            low, high = (spread[p, order] / YEAR_DAYS for p in (0, -1))
            axes.fill_between(altitude[order], low, high, color=colour, alpha=BAND, linewidth=0.0)
    axes.set(xlabel=label_variable(several[0], "mean_altitude"), ylabel="lifetime (years)", yscale="log")
    _label_plainly(axes.yaxis)
    for years_allowed in _RULES_YEARS:
        axes.axhline(years_allowed, color="0.5", linewidth=0.6, linestyle="-", zorder=0.5)
        axes.annotate(f"{years_allowed:g} years", (1.0, years_allowed), (-2, 2), xycoords=axes.get_yaxis_transform(),
                      textcoords="offset points", ha="right", fontsize="x-small", color="0.35")  # fmt: skip
    add_legend(axes)
    add_note(axes, count_left_out(total - known, total, "beyond the span"))
    return axes


@in_style
def delta_v_against_altitude(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Velocity increment that holds an altitude, a line for each solar activity.

    Lines are means of the span; bands reach up to the rate of the worst ten days.

    Args:
        dataset: of `station_keeping`, of shells alike but for the altitude.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "delta_v_against_altitude", ["mean_altitude", "delta_v", "delta_v_peak"])
    check_some(dataset.sizes.get(SHELL, 1), "delta_v_against_altitude", "the selection has no shells")
    axes = get_axes(axes)
    dataset = dataset.expand_dims(
        [d for d in (SOLAR, SHELL) if d not in dataset["delta_v"].dims and d in dataset.coords]
    )
    order = np.argsort(np.atleast_1d(dataset["mean_altitude"].values).ravel())
    altitude = np.atleast_1d(dataset["mean_altitude"].values).ravel()[order]
    for k, scenario in enumerate(dataset[SOLAR].values):
        row = dataset.sel({SOLAR: scenario})
        mean, peak = row["delta_v"].values.ravel()[order], row["delta_v_peak"].values.ravel()[order]
        colour, marker, dashes = _style_of(row, k)
        axes.plot(altitude, mean, marker=marker, color=colour, linestyle=dashes, label=_label_activity(row))
        axes.fill_between(altitude, mean, peak, color=colour, alpha=BAND, linewidth=0.0)
    units = format_units(dataset["delta_v"].attrs["units"])
    axes.set(xlabel=label_variable(dataset, "mean_altitude"), ylabel=f"velocity increment ({units})", yscale="log")
    add_legend(axes)
    return axes


@in_style
def predicted_against_observed(
    dataset: xr.Dataset | ArrayLike, observed: ArrayLike, *, label: str = "", axes: Axes | None = None
) -> Axes:
    """Predicted against observed remaining lifetimes, beside the line of equals with 10 % on either side.

    The axes reach as far as the points; days of other groups in the same axes widen them. Bars reach from the 5th to the 95th
    percentile where the dataset has them.

    Args:
        dataset: of `decay`, from the start of which days are counted; or predicted days, shape (n,).
        observed: of each object: dates of re-entry (datetime64), NaT where not known; or days left, above 0, NaN where not known.
        label: of this group of objects; call again with the same axes for another.
        axes: where to draw; a new figure if not given.
    """
    name = "predicted_against_observed"
    bars = None
    decay: Any = dataset if hasattr(dataset, "variables") else None
    if decay is not None:
        check_objects(decay, name)
        check_variables(decay, name, ["reentry_date", TIME])
        predicted = _count_days(list_variable(decay, "reentry_date"), decay)
        if "reentry_date_percentile" in decay:
            spread = decay["reentry_date_percentile"].transpose(PERCENTILE, ...).values[[0, -1]].reshape(2, -1)
            bars = _count_days(spread, decay)
    else:
        predicted = np.asarray(dataset, dtype=float)
    given = np.asarray(observed)
    if given.dtype.kind == "M" and decay is None:
        raise InputError(f"{name}: dates need the dataset of a decay, from whose start days are counted")
    days = _count_days(given, decay) if given.dtype.kind == "M" else given.astype(float)
    if days.ndim != 1 or days.shape != predicted.shape:
        raise InputError(f"{name}: shapes {predicted.shape} and {days.shape}: expected two of the same length")
    is_known = (predicted > 0.0) & (days > 0.0)
    check_some(is_known.sum(), name, f"none of {len(days):,} objects has a prediction and an observation")
    is_new = axes is None or not axes.has_data()
    axes = get_axes(axes, ratio=0.9)
    if is_new:
        ends = np.array([1e-3, 1e6])
        axes.plot(ends, ends, color="0.5", linewidth=0.8, linestyle="-", scalex=False, scaley=False)
        axes.fill_between(ends, 0.9 * ends, 1.1 * ends, color="0.5", alpha=BAND, linewidth=0.0, label="within 10 %")
        axes.set(xscale="log", yscale="log", aspect="equal")
        axes.set(xlabel="days left (observed)", ylabel="days left (predicted)")
    count = sum(line.get_linestyle() == "None" for line in axes.lines)
    style: dict[str, Any] = {"color": list_colours()[count % 8], "marker": MARKERS[count % 8]}
    axes.plot(
        days[is_known], predicted[is_known], linestyle="none", markersize=4.0, label=label or "_nolegend_", **style
    )
    if bars is not None:
        low, high = np.where(bars > 0, bars, np.nan)[:, is_known]
        axes.vlines(days[is_known], low, high, colors=style["color"], linewidths=0.5)
    drawn = [line for line in axes.lines if line.get_linestyle() == "None"]
    points = np.concatenate([np.asarray(v, dtype=float) for line in drawn for v in line.get_data()])
    limits = 0.8 * float(points.min()), 1.25 * float(points.max())
    axes.set(xlim=limits, ylim=limits)
    for axis in (axes.xaxis, axes.yaxis):
        _label_plainly(axis)
    add_legend(axes)
    add_note(axes, count_left_out((~is_known).sum(), len(days), "without one of the two"))
    return axes


def _add_f107(axes: Axes, dataset: xr.Dataset, weather: SpaceWeather) -> Axes:
    """Draw the solar flux of the span in a panel below, and return its axes."""
    day, fraction = to_day_fraction(dataset[TIME].values)
    panel = add_panel(axes, 0.3)
    known = weather.at(day + fraction)
    panel.plot(dataset[TIME].values, known.f107a, color="0.2", linestyle="-", linewidth=0.8)
    if weather.percentiles:
        low, high = (weather.scenario(word).at(day + fraction).f107a for word in ("low", "high"))
        panel.fill_between(dataset[TIME].values, low, high, color="0.2", alpha=BAND, linewidth=0.0)
    panel.set(ylabel="F10.7 (sfu)")
    return panel


def _label_plainly(axis: Any) -> None:
    """Label a logarithmic axis by 1, 2, 5, 10, which fit however few decades there are."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_formatter(NullFormatter())


def _style_of(row: xr.Dataset, k: int) -> tuple[str, str, str]:
    """Choose the colour, marker and dashes of a solar activity; of another word those of its place."""
    word = str(row[SOLAR].values)
    place = _ACTIVITY.get(word, k)
    return list_colours()[place], MARKERS[place], _DASHES.get(word, "-")


def _label_activity(row: xr.Dataset) -> str:
    """Label a dataset of one solar activity."""
    return f"{row[SOLAR].item()} solar activity"


def _count_days(date: NDArray[Any], dataset: xr.Dataset) -> NDArray[np.float64]:
    """Count days from the start of a decay to dates; NaN for NaT."""
    days = (date - dataset[TIME].values[0]) / np.timedelta64(1, "D")
    return np.where(np.isnat(date), np.nan, days).astype(float)


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
