"""Figures of growth: objects in orbit by year, launch groups on their way, and deployments against their milestones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.outputs.variable import PERCENTILE, SYSTEM, TIME
from constellation_jax.views.plots.common import (
    FAMILY,
    MOST_NAMED,
    add_legend,
    add_note,
    check_some,
    check_variables,
    count_left_out,
    group_objects,
    list_variable,
    read_elements,
    shorten_dates,
)
from constellation_jax.views.plots.style import (
    BAND,
    MARKERS,
    add_panel,
    get_axes,
    in_style,
    list_colours,
    list_group_colours,
)

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_STATES: Final = {"on_station": "on station", "raising": "raising", "failed": "failed", "deorbiting": "deorbiting"}
"""States in orbit and their words."""
_PHASES: Final = ("on_station", "raising", "lowering", "stray", "other")
"""Phases of `match_state`, in the order of its flags."""


@in_style
def objects_in_orbit(
    dataset: xr.Dataset, *, by: str = FAMILY, mass_kg: Mapping[str, float] | None = None, axes: Axes | None = None
) -> Axes:
    """Objects in orbit against the year, stacked by group.

    Of a catalogue these are the objects of today by the year of their launch (what has come down since is not there); of a
    deployment, the satellites in orbit on each day.

    Args:
        dataset: of `propagate` or `decay`, with designators; or of `deploy`.
        by: grouping as for `altitude_histogram`; a deployment is stacked by system.
        mass_kg: mass of a satellite of each group, kg: the mass in orbit, t, is drawn in a panel below; other groups have none.
        axes: where to draw; a new figure if not given.
    """
    if SYSTEM in dataset.dims:
        check_variables(dataset, "objects_in_orbit", ["launched", "gone", TIME])
        date = dataset[TIME].values.astype("datetime64[D]")
        year = 1970.0 + date.astype(float) / 365.2425
        names = [str(name) for name in dataset[SYSTEM].values]
        counts = (dataset["launched"] - dataset["gone"]).transpose(SYSTEM, TIME).values.astype(float)
        note = ""
        kind: dict[str, Any] = {}
    else:
        check_variables(dataset, "objects_in_orbit", ["international_designator"])
        names, group = group_objects(dataset, "objects_in_orbit", by)
        texts = list_variable(dataset, "international_designator").astype(str)
        is_known = np.array([text[:4].isdigit() for text in texts.tolist()], bool)
        check_some(is_known.sum(), "objects_in_orbit", f"none of {len(texts):,} objects has a designator with a year")
        launched = np.array([int(text[:4]) if known else 0 for text, known in zip(texts, is_known, strict=True)])
        year = np.arange(launched[is_known].min(), launched.max() + 2).astype(float)
        counts = np.stack([
            np.searchsorted(np.sort(launched[is_known & (group == k)]), year, side="left") for k in range(len(names))
        ]).astype(float)  # fmt: skip
        note = count_left_out((~is_known).sum(), len(texts), "without a designator")
        kind = {"step": "pre"}
    check_some(counts.max(initial=0.0) > 0.0, "objects_in_orbit", "no object is in orbit")
    axes = get_axes(axes, ratio=0.7 if mass_kg is None else 1.0)
    colours = list_group_colours(names)
    axes.stackplot(year, counts, labels=names, colors=colours, linewidth=0.0, **kind)
    axes.set(ylabel="objects in orbit", xlim=(year[0], year[-1]))
    axes.set_ylim(bottom=0.0)
    lowest = axes
    if mass_kg is not None:
        unknown = sorted(set(mass_kg) - set(names))
        if unknown:
            raise InputError(f"objects_in_orbit: no group {unknown[0]!r}; known are {', '.join(names)}")
        lowest = add_panel(axes, 0.4)
        masses = np.array([mass_kg.get(name, 0.0) for name in names])[:, None] / 1000.0
        lowest.stackplot(year, counts * masses, colors=colours, linewidth=0.0, **kind)
        lowest.set(ylabel="mass (t)")
    lowest.set_xlabel("year")
    lowest.locator_params(axis="x", integer=True)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="upper left")  # in the order of the stack
    add_note(axes, note)
    return axes


@in_style
def launch_groups(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Mean altitude of each launch against the epochs of its element sets: one line a launch, the median of its satellites.

    Args:
        dataset: with elements at many epochs and designators: `cj.propagate` of a history at one instant. A `match_state` gives
            the phase of each element set by its marker.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "launch_groups", ["international_designator", "epoch"])
    objects = read_elements(dataset, "launch_groups")
    launch = np.array([text[:8] for text in list_variable(dataset, "international_designator").astype(str).tolist()])
    is_known = launch != ""
    check_some(is_known.sum(), "launch_groups", f"none of {len(launch):,} element sets has a designator")
    axes = get_axes(axes)
    day = objects.epoch.astype("datetime64[D]")
    names = np.unique(launch[is_known])
    is_named = len(names) <= MOST_NAMED
    has_phases = "match_state" in dataset.variables
    plain: dict[str, Any] = {"color": "0.45", "linestyle": "-", "linewidth": 0.6, "zorder": 1.0}
    for name in names:
        mine = launch == name
        days, place = np.unique(day[mine], return_inverse=True)
        altitude = objects.mean_altitude_km[mine]
        median = np.array([np.median(altitude[place == d]) for d in range(len(days))])
        style = plain if has_phases or not is_named else {"marker": "."}
        axes.plot(days, median, label=name if style is not plain else "_nolegend_", **style)
        if has_phases and is_named:
            middle = len(days) // 3
            axes.annotate(name, (days[middle], median[middle]), (5, -5), textcoords="offset points", fontsize="x-small")
    if has_phases:
        phase = list_variable(dataset, "match_state").astype(int)
        for k, word in enumerate(_PHASES):
            mine = is_known & (phase == k)
            if mine.any():
                points: dict[str, Any] = {
                    "s": 7.0,
                    "marker": MARKERS[k],
                    "color": list_colours()[k],
                    "linewidths": 0.0,
                    "alpha": 0.7,
                }
                axes.scatter(day[mine], objects.mean_altitude_km[mine], label=word.replace("_", " "), **points)
    axes.set(xlabel="date (UTC)", ylabel="mean altitude (km)")
    add_legend(axes)
    shorten_dates(axes)
    add_note(
        axes,
        "" if is_named else f"{len(names):,} launches",
        count_left_out((~is_known).sum(), len(launch), "without a designator"),
    )
    return axes


@in_style
def deployment_states(
    dataset: xr.Dataset,
    *,
    system: str | None = None,
    milestones: Mapping[str, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Satellites in each state against the date, with the milestones of the filing and a band of random histories.

    Args:
        dataset: of `deploy`.
        system: one of its systems; the first if not given.
        milestones: date (UTC) -> satellites that must be on station by then; half the target and the target are lines in any case.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "deployment_states", ["launched", *_STATES, TIME])
    known = [str(name) for name in dataset[SYSTEM].values]
    if system is not None and system not in known:
        raise InputError(f"deployment_states: no system {system!r}; known are {', '.join(known)}")
    row = dataset.sel({SYSTEM: system or known[0]})
    check_some(row.sizes[TIME], "deployment_states", "the dataset has no days")
    date = row[TIME].values
    axes = get_axes(axes)
    for state, word in _STATES.items():
        if not row[state].values.any():
            continue
        (line,) = axes.plot(date, row[state].values, label=word)
        if f"{state}_percentile" in row:
            bands = row[f"{state}_percentile"].transpose(PERCENTILE, TIME).values
            axes.fill_between(date, bands[0], bands[-1], color=line.get_color(), alpha=BAND, linewidth=0.0)
    target = int(row["target"]) if "target" in row else -1
    style: dict[str, Any] = {"color": "0.4", "linewidth": 0.6}
    for part, words in ((0.5, "half the target"), (1.0, "target")):
        if target > 0:
            axes.axhline(part * target, **style)
            axes.annotate(f"{words}, {part * target:,.0f}", (date[0], part * target), (2, 2),
                          textcoords="offset points", fontsize="x-small", color="0.3")  # fmt: skip
    for when, number in (milestones or {}).items():
        axes.plot(np.datetime64(when), number, "k*", markersize=6.0, linestyle="none")
    axes.set(xlabel="date (UTC)", ylabel=f"satellites of {row[SYSTEM].item()}")
    axes.set_ylim(bottom=0.0)
    add_legend(axes)
    shorten_dates(axes)
    draws = dataset.attrs.get("draws")
    add_note(axes, f"bands: 5 to 95 % of {draws:,} histories" if draws and PERCENTILE in dataset.dims else "")
    return axes
