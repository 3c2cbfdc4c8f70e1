"""Figures of the orbits of many objects: altitudes, inclinations, apogees and perigees, planes and slots."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.times import minutes_since, parse_time
from constellation_jax.physics.constants import DEGREE, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.secular import secular_rates
from constellation_jax.views.plots.common import (
    FAMILY,
    add_legend,
    add_note,
    check_objects,
    check_some,
    check_variables,
    count_left_out,
    find_first,
    group_objects,
    label_variable,
    list_variable,
    read_elements,
)
from constellation_jax.views.plots.style import get_axes, in_style, list_colours, list_group_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


@in_style
def altitude_histogram(
    dataset: xr.Dataset,
    *,
    planned: xr.Dataset | None = None,
    bin_km: float = 10.0,
    altitude_km: tuple[float, float] = (100.0, 2000.0),
    variable: str = "mean_altitude",
    by: str | None = None,
    density: bool = False,
    axes: Axes | None = None,
) -> Axes:
    """Histogram of altitudes, stacked by groups, at the first instant at which each object has one.

    Args:
        dataset: of `propagate` or `decay`; `dataset.isel(time=k)` for another instant.
        planned: a second dataset, of planned shells, laid over as a line.
        bin_km: width of a bin.
        altitude_km: lowest and highest altitude shown; the figure says how many objects are outside.
        variable: "mean_altitude", or "altitude" for the geodetic one.
        by: coordinate of the objects, such as "source" or "satellite_shell", by which bars are stacked, or "system", the family
            that the name tells. The eight largest groups are named.
        density: True: objects per km3 on a logarithmic axis, each spread over the altitudes between its perigee and apogee by the
            time that it spends there (Kepler).
        axes: where to draw; a new figure if not given.
    """
    low, high = altitude_km
    if not (bin_km > 0.0 and low < high):
        raise InputError(
            f"altitude_histogram: bins of {bin_km!r} km in {altitude_km!r}: expected a width above 0, lowest first"
        )
    check_objects(dataset, "altitude_histogram")
    check_variables(dataset, "altitude_histogram", [variable])
    names, group = (None, None) if by is None else group_objects(dataset, "altitude_histogram", by)
    axes = get_axes(axes, width="single" if by is None else "double", ratio=0.7 if by is None else 0.4)
    altitude = find_first(dataset, variable)
    edges = np.arange(low, high + bin_km, bin_km)
    is_known, is_inside = np.isfinite(altitude), (altitude >= low) & (altitude < edges[-1])
    check_some(is_inside.sum(), "altitude_histogram", f"no object of {len(altitude):,} is at {low:g} to {high:g} km")
    spread = _spread_in_time if density else _count_in_bins
    heights = spread(dataset, altitude, edges)
    rows = (
        [heights.sum(axis=1)]
        if group is None
        else [heights[:, group == k].sum(axis=1) for k in range(len(names or ()))]
    )
    base = np.zeros(len(edges) - 1)
    for k, row in enumerate(rows):
        label = names[k] if names else ("today" if planned is not None else "_nolegend_")
        colour = list_group_colours(names or [""])[k]
        axes.stairs(base + row, edges, baseline=base, fill=True, color=colour, label=label, linewidth=0.0)
        base = base + row
    if planned is not None:
        check_variables(planned, "altitude_histogram", [variable])
        line = spread(planned, find_first(planned, variable), edges).sum(axis=1)
        axes.stairs(line, edges, color="black", linewidth=0.8, label="planned")
    unit = "objects (km$^{-3}$)" if density else f"satellites (in {bin_km:g} km)"
    axes.set(xlabel=label_variable(dataset, variable), ylabel=unit, xlim=altitude_km)
    if density:
        axes.set(yscale="log")
    add_legend(axes, **({} if by is None else {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)}))
    add_note(
        axes,
        count_left_out((is_known & ~is_inside).sum(), len(altitude), "outside"),
        count_left_out((~is_known).sum(), len(altitude), "without an altitude"),
    )
    return axes


@in_style
def inclination_against_altitude(
    dataset: xr.Dataset,
    *,
    altitude_km: tuple[float, float] = (200.0, 2000.0),
    bins: tuple[float, float] = (10.0, 1.0),
    by: str = FAMILY,
    axes: Axes | None = None,
) -> Axes:
    """Altitude and inclination of objects in bins: circles whose area is the count, with the colour of their group.

    Args:
        dataset: with elements, of `propagate` or `decay`.
        altitude_km: lowest and highest mean altitude shown.
        bins: widths of a bin, km and degrees.
        by: grouping of colours, as for `altitude_histogram`.
        axes: where to draw; a new figure if not given.
    """
    name = "inclination_against_altitude"
    objects = read_elements(dataset, name)
    names, group = group_objects(dataset, name, by, most=6)
    altitude, inclination = objects.mean_altitude_km, objects.inclination_deg
    inside = (altitude >= altitude_km[0]) & (altitude < altitude_km[1])
    check_some(inside.sum(), name, f"no object of {len(objects):,} is at {altitude_km[0]:g} to {altitude_km[1]:g} km")
    axes = get_axes(axes, width="double", ratio=0.45)
    places = np.stack([np.floor(altitude / bins[0]), np.floor(inclination / bins[1])], axis=1)
    largest = 0
    circles = []
    for k, label in enumerate(names):
        found, counts = np.unique(places[inside & (group == k)], axis=0, return_counts=True)
        circles.append((label, (found + 0.5) * bins, counts))
        largest = max(largest, int(counts.max(initial=0)))
    for k, (label, points, counts) in enumerate(circles):
        colour = "0.6" if label.startswith("other") else list_colours()[k]
        size = 250.0 * counts / largest
        x, y = points.T
        axes.scatter(x, y, s=size, color=colour, alpha=0.6, linewidths=0.0, label=label, zorder=3 - 0.1 * k)
    axes.set(xlabel="mean altitude (km)", ylabel="inclination (degrees)", xlim=altitude_km, ylim=(0, 150))
    legend = axes.legend(markerscale=1.0, loc="center left", bbox_to_anchor=(1.0, 0.5))
    for handle in legend.legend_handles:
        if handle is not None:
            handle.set_sizes([18.0])  # type: ignore[attr-defined]
    add_note(
        axes,
        f"largest circle {largest:,} objects in {bins[0]:g} km and {bins[1]:g}°",
        count_left_out((~inside).sum(), len(objects), "outside"),
    )
    return axes


@in_style
def gabbard(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Gabbard diagram: apogee and perigee of each object against its period.

    Args:
        dataset: with elements, of `propagate` or `decay`, of the objects wanted: `cj.find(dataset, "*DEB*")`.
        axes: where to draw; a new figure if not given.

    Reference: Portree & Loftus, Orbital Debris: A Chronology, NASA/TP-1999-208856 (1999).
    """
    objects = read_elements(dataset, "gabbard")
    apogee, perigee = _find_ends(objects)
    axes = get_axes(axes)
    blue, _, _, vermilion, *_ = list_colours()
    size = float(np.clip(2000.0 / len(objects), 1.0, 10.0))
    style: dict[str, Any] = {"s": size, "linewidths": 0.0}
    axes.scatter(objects.period_minutes, apogee, marker="^", color=vermilion, label="apogee", **style)
    axes.scatter(objects.period_minutes, perigee, marker="v", color=blue, label="perigee", **style)
    axes.set(xlabel="period (min)", ylabel="altitude (km)")
    if apogee.max() > 5.0 * max(np.median(apogee), 1.0):
        axes.set(xscale="log", yscale="log")
    axes.legend(markerscale=float(np.sqrt(12.0 / size)))
    return axes


@in_style
def shell_slots(
    dataset: xr.Dataset,
    *,
    at: str | None = None,
    altitude_km: tuple[float, float] | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Planes and slots of a shell: raan against argument of latitude in the frame that turns with it, altitude as colour.

    Each element set is brought to one instant by the secular rates of J2 of the median orbit, so that what holds the shell stands
    still in the figure at whatever instant.

    Args:
        dataset: with elements, of the objects of one shell: `dataset.where(dataset.satellite_shell == "S1", drop=True)`.
        at: instant (UTC) at which raan and argument of latitude are those of the true orbits; the newest epoch if not given.
        altitude_km: ends of the scale of colours; all objects if not given.
        axes: where to draw; a new figure if not given.
    """
    objects = read_elements(dataset, "shell_slots")
    instant = objects.epoch.max() if at is None else parse_time(at)
    minutes = minutes_since(np.array([instant]), objects.epoch_day, objects.epoch_fraction)[0]
    altitude = objects.mean_altitude_km
    middle = float(np.median(altitude)) + WGS84_EQUATORIAL_RADIUS_KM
    cosine = np.cos(float(np.median(objects.inclination_deg)) * DEGREE)
    raan_rate, perigee_rate, anomaly_rate = secular_rates(middle, 0.0, cosine, np)
    to_degrees = 60.0 / DEGREE
    raan = np.mod(objects.raan_deg + raan_rate * to_degrees * minutes, 360.0)
    along = objects.arg_perigee_deg + objects.mean_anomaly_deg + (perigee_rate + anomaly_rate) * to_degrees * minutes
    axes = get_axes(axes)
    low, high = altitude_km or (float(altitude.min()), float(altitude.max()))
    size = float(np.clip(3000.0 / len(objects), 1.5, 12.0))
    points = axes.scatter(
        np.mod(along, 360.0),
        raan,
        s=size,
        c=altitude,
        cmap="viridis",
        vmin=low,
        vmax=max(high, low + 1.0),
        linewidths=0.0,
    )
    axes.figure.colorbar(points, ax=axes, label="mean altitude (km)", pad=0.02)
    axes.set(xlabel="argument of latitude (degrees)", ylabel="raan (degrees)", xlim=(0, 360), ylim=(0, 360))
    axes.set(xticks=range(0, 361, 90), yticks=range(0, 361, 90))
    add_note(axes, f"{len(objects):,} objects on {str(instant)[:10]}")
    return axes


def _find_ends(objects: Catalog) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find the mean altitudes of apogee and perigee, km."""
    a = objects.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    e = objects.eccentricity
    return a * (1 + e) - WGS84_EQUATORIAL_RADIUS_KM, a * (1 - e) - WGS84_EQUATORIAL_RADIUS_KM


def _count_in_bins(
    dataset: xr.Dataset, altitude: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Count each object in its bin, shape (bins, satellites)."""
    place = np.searchsorted(edges, altitude, side="right") - 1
    return np.asarray((place[None] == np.arange(len(edges) - 1)[:, None]).astype(float))


def _spread_in_time(
    dataset: xr.Dataset, altitude: NDArray[np.float64], edges: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Spread each object over bins by the fraction of time that it spends there, per km3, shape (bins, satellites)."""
    eccentricity = np.zeros(len(altitude))
    if "eccentricity" in dataset.variables:
        eccentricity = list_variable(dataset, "eccentricity").astype(float)
    a = altitude + WGS84_EQUATORIAL_RADIUS_KM
    # Below 0.001 an orbit is as good as a circle: its radius swings by J2 as much
    e = np.maximum(eccentricity, 1e-3)
    radius = edges[:, None] + WGS84_EQUATORIAL_RADIUS_KM
    anomaly = np.arccos(np.clip((1.0 - radius / a) / e, -1.0, 1.0))
    below = (anomaly - e * np.sin(anomaly)) / np.pi  # Kepler's equation: the fraction of a revolution under the radius
    volume = 4.0 / 3.0 * np.pi * np.diff(radius[:, 0] ** 3)
    return np.asarray(np.nan_to_num(np.diff(below, axis=0)) / volume[:, None])
