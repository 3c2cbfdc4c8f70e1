"""Maps of ground tracks and coverage, and the numbers of satellites in view by latitude.

Coverage counts caps about the sub-satellite points on a sphere of 6,371 km; heights are geodetic, the horizon is not refracted.
`cj.merit.coverage` has the same of planned shells in closed form on the ellipsoid.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.outputs.variable import SATELLITE, TIME
from constellation_jax.physics.constants import DEGREE
from constellation_jax.views.plots.coastlines import break_at_edges, draw_map
from constellation_jax.views.plots.common import (
    MOST_NAMED,
    add_legend,
    add_note,
    check_objects,
    check_some,
    check_variables,
    group_objects,
    label_satellites,
    split_by_satellite,
)
from constellation_jax.views.plots.style import get_axes, in_style, list_colours

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_RADIUS_KM: Final = 6371.0
"""Mean radius of the Earth (IUGG)."""
_DASHES: Final = ("-", "--", "-.", ":")
_MOST_INSTANTS: Final = 200
"""Most instants of a mean over time."""


@in_style
def ground_track(dataset: xr.Dataset, *, axes: Axes | None = None) -> Axes:
    """Ground tracks on a map: sub-satellite points over time, one line for each object, broken at 180 degrees.

    Args:
        dataset: of `propagate` with the group "geodetic", of the objects wanted: `cj.find(dataset, "STARLINK-1*")`. More than eight
            tracks share one colour.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "ground_track", ["longitude", "latitude"])
    check_objects(dataset, "ground_track")
    axes = get_axes(axes, width="double", ratio=0.52)
    draw_map(axes)
    rows = split_by_satellite(dataset)
    is_named = len(rows) <= MOST_NAMED
    for row, name in zip(rows, label_satellites(rows), strict=True):
        longitude, latitude = np.atleast_1d(row["longitude"].values), np.atleast_1d(row["latitude"].values)
        style: dict[str, Any] = {} if is_named else {"color": list_colours()[0], "linestyle": "-", "alpha": 0.5}
        width = 1.0 if is_named else 0.5
        (line,) = axes.plot(*break_at_edges(longitude, latitude), linewidth=width, label=name, **style)
        if is_named:  # the beginning, which tells the direction
            axes.plot(longitude[:1], latitude[:1], linestyle="none", marker="o", color=line.get_color())
    add_legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    count = int(np.isfinite(np.atleast_1d(dataset["longitude"].values)).sum())
    check_some(count, "ground_track", "no object has a longitude at any instant")
    add_note(axes, "" if is_named else f"{len(rows):,} objects")
    return axes


@in_style
def track_density(dataset: xr.Dataset, *, bin_deg: float = 3.0, axes: Axes | None = None) -> Axes:
    """Density of ground tracks: mean number of satellites over a million km2, on a logarithmic scale.

    Args:
        dataset: of `propagate` with the group "geodetic".
        bin_deg: width of a bin in longitude and latitude, degrees.
        axes: where to draw; a new figure if not given.
    """
    check_variables(dataset, "track_density", ["longitude", "latitude"])
    check_objects(dataset, "track_density")
    if not 0.1 <= bin_deg <= 30.0:
        raise InputError(f"track_density: bins of {bin_deg!r} degrees: expected 0.1 to 30")
    longitude, latitude = (dataset[name].values.ravel() for name in ("longitude", "latitude"))
    is_known = np.isfinite(longitude) & np.isfinite(latitude)
    check_some(is_known.sum(), "track_density", "no object has a longitude at any instant")
    axes = get_axes(axes, width="double", ratio=0.5)
    x, y = (np.linspace(-side, side, round(2 * side / bin_deg) + 1) for side in (180.0, 90.0))
    counts, *_ = np.histogram2d(latitude[is_known], longitude[is_known], (y, x))
    area = _RADIUS_KM**2 * DEGREE * np.diff(x) * np.diff(np.sin(DEGREE * y))[:, None]
    from matplotlib.colors import LogNorm

    density = 1e6 * counts / area / max(dataset.sizes.get(TIME, 1), 1)
    image = axes.pcolormesh(
        x, y, np.where(density > 0, density, np.nan), norm=LogNorm(), cmap="cividis", rasterized=True
    )
    axes.figure.colorbar(image, ax=axes, label="satellites (over 10$^6$ km$^2$)", pad=0.02)
    draw_map(axes, fills_land=False)
    return axes


@in_style
def satellites_in_view(
    dataset: xr.Dataset,
    *,
    elevations_deg: Sequence[float] = (10.0, 30.0),
    by: str | None = None,
    axes: Axes | None = None,
) -> Axes:
    """Mean number of satellites above an elevation against latitude, over the instants and all longitudes.

    Args:
        dataset: of `propagate` with the groups "altitude" and "geodetic".
        elevations_deg: least elevations, at most four, each with its dashes.
        by: coordinate of the layers, such as "satellite_shell", each with its colour; the sum alone if not given.
        axes: where to draw; a new figure if not given.
    """
    name = "satellites_in_view"
    elevations = _check_elevations(name, elevations_deg)
    check_variables(dataset, name, ["latitude", "altitude"])
    check_objects(dataset, name)
    names, group = (["all"], np.zeros(dataset.sizes.get(SATELLITE, 1), int)) if by is None else group_objects(
        dataset, name, by, most=5
    )  # fmt: skip
    ground = np.linspace(-90.0, 90.0, 181)
    total = np.zeros((len(elevations), len(names), len(ground)))
    instants = 0
    for latitude, _, altitude in _list_points(dataset, ("latitude", "latitude", "altitude")):
        instants += 1
        for e, elevation in enumerate(elevations):
            seen = _fraction_in_view(ground, latitude, _half_angle(altitude, elevation))
            for k in range(len(names)):
                total[e, k] += np.nansum(seen[:, group == k], axis=1)
    check_some(np.nanmax(total), name, "no object is in view anywhere")
    axes = get_axes(axes)
    for k, word in enumerate(names):
        for e, elevation in enumerate(elevations):
            label = f"above {elevation:g}°" if by is None else (word if e == 0 else "_nolegend_")
            colour = list_colours()[k if by is not None else e]
            axes.plot(ground, total[e, k] / instants, color=colour, linestyle=_DASHES[e], label=label)
    axes.set(
        xlabel="latitude (degrees north)", ylabel="satellites in view (mean)", xlim=(-90, 90), xticks=range(-90, 91, 30)
    )
    axes.set_ylim(bottom=0.0)
    add_legend(axes)
    lines = ", ".join(
        f"{dash} {e:g}°" for dash, e in zip(("solid", "dashed", "dash-dotted", "dotted"), elevations, strict=False)
    )
    add_note(axes, f"above {lines}" if by is not None else "")
    return axes


@in_style
def coverage_map(
    dataset: xr.Dataset, *, elevation_deg: float = 25.0, quantity: str = "satellites", axes: Axes | None = None
) -> Axes:
    """Map of the mean number of satellites above an elevation, or of the longest gap without one.

    Args:
        dataset: of `propagate` with the groups "altitude" and "geodetic".
        elevation_deg: least elevation.
        quantity: "satellites", or "gap", the longest time without any in the span of the dataset, min.
        axes: where to draw; a new figure if not given.
    """
    (elevation,) = _check_elevations("coverage_map", (elevation_deg,))
    if quantity not in ("satellites", "gap"):
        raise InputError(f"coverage_map: quantity {quantity!r}: expected satellites or gap")
    check_variables(dataset, "coverage_map", ["latitude", "longitude", "altitude"])
    check_objects(dataset, "coverage_map")
    x, y = np.linspace(-180.0, 180.0, 73), np.linspace(-90.0, 90.0, 37)
    places = _as_vectors(*np.meshgrid(0.5 * (y[1:] + y[:-1]), 0.5 * (x[1:] + x[:-1]), indexing="ij"))
    most = None if quantity == "gap" else _MOST_INSTANTS
    counts = np.array([
        (places @ _as_vectors(latitude, longitude).T >= np.cos(_half_angle(altitude, elevation))).sum(axis=-1)
        for latitude, longitude, altitude in _list_points(dataset, ("latitude", "longitude", "altitude"), most)
    ])  # fmt: skip
    check_some(counts.max(initial=0), "coverage_map", f"no object is above {elevation:g} degrees anywhere")
    axes = get_axes(axes, width="double", ratio=0.5)
    if quantity == "gap":
        if dataset.sizes.get(TIME, 1) < 2:
            raise InputError("coverage_map: gaps take at least two instants")
        step = float(np.median(np.diff(dataset[TIME].values)) / np.timedelta64(1, "s")) / 60.0
        values, label = step * _longest_run(counts == 0), f"longest time without a satellite above {elevation:g}° (min)"
        values = np.where(values > 0, values, np.nan)
        axes.set_facecolor("white")
    else:
        values, label = counts.mean(axis=0), f"satellites above {elevation:g}° (mean)"
    image = axes.pcolormesh(x, y, values, cmap="cividis", rasterized=True)
    axes.figure.colorbar(image, ax=axes, label="\n".join(_wrap(label)), pad=0.02)
    draw_map(axes, fills_land=False)
    add_note(axes, "white: always one in view" if quantity == "gap" and np.isnan(values).any() else "")
    return axes


def _check_elevations(function: str, elevations_deg: Sequence[float]) -> list[float]:
    elevations = [float(e) for e in elevations_deg]
    if not 1 <= len(elevations) <= len(_DASHES) or not all(0.0 <= e < 90.0 for e in elevations):
        raise InputError(f"{function}: elevations {elevations}: expected one to four, from 0 to less than 90 degrees")
    return elevations


def _list_points(
    dataset: xr.Dataset, names: Sequence[str], most: int | None = _MOST_INSTANTS
) -> Iterator[list[NDArray[np.float64]]]:
    """List the values of variables at each instant, shape (satellites,), at most so many instants, evenly chosen."""
    count = dataset.sizes.get(TIME, 1)
    chosen = range(count) if most is None or count <= most else np.linspace(0, count - 1, most).astype(int)
    for k in chosen:
        row = dataset.isel({TIME: k}) if TIME in dataset.dims else dataset
        yield [np.atleast_1d(row[name].values).astype(float) for name in names]


def _half_angle(altitude: NDArray[np.float64], elevation_deg: float) -> NDArray[np.float64]:
    """Angle at the Earth's centre from a satellite to the edge of its view, rad."""
    elevation = elevation_deg * DEGREE
    ratio = _RADIUS_KM / (_RADIUS_KM + np.maximum(altitude, 1.0)) * np.cos(elevation)
    return np.asarray(np.arccos(ratio) - elevation)


def _fraction_in_view(
    ground: NDArray[np.float64], latitude: NDArray[np.float64], half: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Fraction of each circle of latitude from which each satellite is in view, shape (latitudes, satellites)."""
    phi, place = DEGREE * ground[:, None], DEGREE * latitude
    # at a pole the circle is a point, in view as a whole or not at all
    cosine = (np.cos(half) - np.sin(phi) * np.sin(place)) / np.maximum(np.cos(phi) * np.cos(place), 1e-12)
    return np.asarray(np.arccos(np.clip(cosine, -1.0, 1.0)) / np.pi)


def _as_vectors(latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit vectors of points of a sphere, shape (..., 3)."""
    phi, lam = DEGREE * latitude, DEGREE * longitude
    return np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)], axis=-1)


def _longest_run(is_empty: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Find the longest run of True along the first axis, in steps."""
    run: NDArray[np.float64] = np.zeros(is_empty.shape[1:])
    longest = run
    for row in is_empty:
        run = np.where(row, run + 1.0, 0.0)
        longest = np.maximum(longest, run)
    return longest


def _wrap(text: str) -> list[str]:
    import textwrap

    return textwrap.wrap(text, 36)
