"""Figure of passes on the sky of a site."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.outputs.variable import PASS, SITE
from constellation_jax.views.plots.common import MOST_NAMED, add_note, check_some, check_variables
from constellation_jax.views.plots.style import in_style, list_colours, make_figure

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_MOST_PASSES: Final = 200
"""Most passes drawn, the highest ones."""


@in_style
def sky(dataset: xr.Dataset, *, site: str | None = None, visible: bool = False, axes: Axes | None = None) -> Axes:
    """Passes on the sky of a site: north up, east to the left, the zenith in the middle, as one looks up.

    A pass is the curve through its rise, culmination and set; solid where the satellite is sunlit at the culmination, dotted where
    it is in the shadow. Up to eight passes are named, at their culmination, with its time.

    Args:
        dataset: of `passes`.
        site: one of its sites; the first if not given.
        visible: True: only passes in sunlight over a dark site.
        axes: polar axes to draw into; a new figure if not given.
    """
    check_variables(
        dataset, "sky", ["event_azimuth", "event_time", "max_elevation", "event_sunlit", "is_visible", SITE]
    )
    known = [str(name) for name in dataset[SITE].values]
    if site is not None and site not in known:
        raise InputError(f"sky: no site {site!r}; known are {', '.join(known)}")
    chosen = known.index(site) if site is not None else 0
    mine = dataset["pass_site"].values == chosen
    mine &= np.isfinite(dataset["event_azimuth"].values).all(axis=1)
    if visible:
        mine &= dataset["is_visible"].values == 1
    wanted = " sunlit over a dark site" if visible else " with a rise and a set"
    check_some(mine.sum(), "sky", f"no pass over {known[chosen]}{wanted}")
    total = int(mine.sum())
    rows = dataset.isel({PASS: np.flatnonzero(mine)})
    rows = rows.isel({PASS: np.sort(np.argsort(-rows["max_elevation"].values)[:_MOST_PASSES])})
    polar: Any = axes if axes is not None else make_figure("single", 1.0).add_subplot(projection="polar")
    polar.set_theta_zero_location("N")
    polar.set_theta_direction(1)
    polar.set(rlim=(0.0, 90.0), rticks=[30.0, 60.0, 90.0], yticklabels=["", "", ""])
    for elevation in (30, 60):  # labels of ticks would be under the passes
        paper: dict[str, Any] = {"facecolor": "white", "alpha": 0.75, "linewidth": 0.0, "pad": 0.8}
        words: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": "x-small", "color": "0.35", "zorder": 4.0}
        polar.text(np.radians(45.0), 90.0 - elevation, f"{elevation}°", bbox=paper, **words)
    polar.set_xticks(np.radians([0.0, 90.0, 180.0, 270.0]), labels=["N", "E", "S", "W"])
    least = float(dataset.attrs.get("min_elevation", 0.0))
    is_named = rows.sizes[PASS] <= MOST_NAMED
    for k in range(rows.sizes[PASS]):
        row = rows.isel({PASS: k})
        top = float(row["max_elevation"])
        theta, radius = _curve(row["event_azimuth"].values, np.array([least, top, least]))
        is_lit = float(row["event_sunlit"].values[1]) >= 0.5
        style: dict[str, Any] = {"linestyle": "-" if is_lit else ":", "linewidth": 1.0 if is_named else 0.4}
        style["color"] = list_colours()[k % 8] if is_named else list_colours()[0 if is_lit else 3]
        polar.plot(theta, radius, **style)
        if is_named:
            name = str(dataset["name"].values[int(row["pass_satellite"])])
            time = str(row["event_time"].values[1])[11:16]
            place = (np.radians(float(row["event_azimuth"].values[1])), 90.0 - top)
            polar.annotate(f"{name} {time}", place, (2, 2), textcoords="offset points", fontsize="xx-small")
    more = f"the highest {_MOST_PASSES} of {total:,} passes" if total > _MOST_PASSES else f"{total:,} passes"
    polar.set_xlabel(f"{known[chosen]}: azimuth and elevation above {least:g}°")
    add_note(polar, f"{more}; dotted: in the shadow")
    drawn: Axes = polar
    return drawn


def _curve(azimuth_deg: Any, elevation_deg: Any) -> tuple[Any, Any]:
    """Curve on the sky through three directions: the arcs of great circles between them, as angle and distance from the zenith."""
    azimuth, elevation = np.radians(azimuth_deg.astype(float)), np.radians(elevation_deg)
    points = np.stack(
        [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)], axis=-1
    )
    part = np.linspace(0.0, 1.0, 16)[:, None]
    arcs = [(1.0 - part) * a + part * b for a, b in pairwise(points)]
    path = np.concatenate(arcs)
    path /= np.linalg.norm(path, axis=1, keepdims=True)
    return np.unwrap(np.arctan2(path[:, 1], path[:, 0])), 90.0 - np.degrees(np.arcsin(path[:, 2]))
