"""Map of the world behind figures in longitude and latitude: land, coasts and graticule, without a projection.

The outlines are Natural Earth's at 1:110 million (public domain); scripts/build_coastlines.py makes the file from the npm package
world-atlas (Copyright 2013-2019 Michael Bostock, ISC licence).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@cache
def load_coastlines() -> tuple[NDArray[np.float64], ...]:
    """Load closed outlines of the land, degrees east and north, each of shape (points, 2), twice where they cross 180 degrees."""
    with np.load(Path(__file__).with_name("coastlines.npz")) as file:
        points, starts = file["hundredths_of_a_degree"] / 100.0, file["starts"].tolist()
    rings = [points[first:last] for first, last in pairwise(starts)]
    copies = [ring + np.array([turn, 0.0]) for ring in rings for turn in (-360.0, 0.0, 360.0)]
    return tuple(ring for ring in copies if ring[:, 0].max() > -180.0 and ring[:, 0].min() < 180.0)


def draw_map(axes: Axes, *, fills_land: bool = True) -> None:
    """Draw coasts and a graticule, once for axes, and set limits and labels.

    Args:
        axes: where to draw.
        fills_land: False where the figure itself fills the map.
    """
    if not any(getattr(each, "get_gid", str)() == _NAME for each in axes.collections):
        from matplotlib.collections import LineCollection
        from matplotlib.patches import PathPatch
        from matplotlib.path import Path as Outline
        from matplotlib.patheffects import withStroke

        rings = load_coastlines()
        if fills_land:
            land = Outline.make_compound_path(*(Outline(ring, closed=True) for ring in rings))
            axes.add_artist(PathPatch(land, facecolor="0.92", linewidth=0.0, zorder=0.1))
        style: dict[str, Any] = {"colors": "0.55" if fills_land else "0.15", "linewidths": 0.4, "gid": _NAME}
        coasts = LineCollection([piece for ring in rings for piece in _cut_at_edges(ring)], zorder=1.5, **style)
        if not fills_land:  # seen on dark and on light colours
            coasts.set_path_effects([withStroke(linewidth=1.0, foreground="0.85", alpha=0.6)])
        axes.add_collection(coasts, autolim=False)
    axes.set(
        xlabel="longitude (degrees east)",
        ylabel="latitude (degrees north)",
        xlim=(-180, 180),
        ylim=(-90, 90),
        xticks=range(-180, 181, 60),
        yticks=range(-90, 91, 30),
        aspect="equal",
    )
    axes.grid(linewidth=0.3)


def break_at_edges(longitude: NDArray[Any], latitude: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Break a track where it leaves the map at one edge and enters at the other, by linear interpolation."""
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


_NAME = "coastlines"


def _cut_at_edges(ring: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Cut an outline where it runs along an edge of the map, which is no coast."""
    longitude, latitude = ring.T
    is_edge = (np.abs(longitude) == 180.0) | (latitude <= -90.0)
    cuts = np.flatnonzero(is_edge[:-1] & is_edge[1:]) + 1
    return [piece for piece in np.split(ring, cuts) if len(piece) > 1]
