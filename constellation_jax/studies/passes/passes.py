"""Passes of satellites over sites, and satellites as seen from sites at the instants of a Dataset."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.passes.kernels import BLOCK_ROWS, Places
from constellation_jax.engine.passes.search import EVENT, find_events, join_events
from constellation_jax.engine.state_variables import attitude
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.inputs.sites.sites import Site, SiteSource, load_sites
from constellation_jax.inputs.times import Span, parse_span, to_day_fraction
from constellation_jax.outputs.datasets.passes import make_passes_dataset
from constellation_jax.physics.constants import DEGREE, SECONDS_PER_DAY
from constellation_jax.physics.observation import site_axes, site_position, sun_position
from constellation_jax.studies.propagation.propagate import check_run
from constellation_jax.studies.propagation.states import stream

STEP_S: Final = 60.0
"""Step of the coarse grid. Between its rows positions are cubics, within 6 m (`engine/passes/kernels.py`)."""
DARK_DEG: Final = -6.0
"""Elevation of the Sun under which a site is dark: civil twilight is over."""
_LONGEST_DAYS: Final = 400.0


def passes(
    catalog: Catalog,
    sites: SiteSource,
    span: Span,
    *,
    min_elevation: float = 10.0,
    device: str | None = None,
) -> xr.Dataset:
    """Find the passes of all satellites over all sites.

    All states of a grid of 60 s are searched on the device, then rise, culmination and set are found within its steps in float64.
    A pass too short for the grid is found too. UT1 and polar motion are those of the IERS, as in `propagate`.

    Args:
        catalog: n objects.
        sites: a file, one Site or several, or {name: (latitude_deg, longitude_deg[, altitude_m])}; see `load_sites`.
        span: first instant (UTC), and last one or a length of time, such as ("2026-11-29T17:00", "6h").
        min_elevation: least elevation, degrees, from 0 to less than 90; rise and set are where a satellite crosses it.
        device: platform to compute on, such as "cpu" or "gpu"; None: JAX's default.

    Returns:
        Dataset with the dimension pass, sorted by site, satellite and time: `event_time`, `event_azimuth` and `event_sunlit` (pass,
        event), event being rise, culmination and set; `max_elevation`, `least_range`, `sun_elevation`, `is_visible`; and
        `pass_site` and `pass_satellite`, positions in the dimensions site and satellite, which have coordinates as in `propagate`.
        A pass under way at an end of the span has NaT there, and its highest point within the span.

    Raises:
        InputError: no object, a site, span or elevation that does not serve.
    """
    check_catalog(catalog)
    check_run(len(catalog), "float64")
    places = load_sites(sites)
    if not 0.0 <= min_elevation < 90.0:
        raise InputError(f"min_elevation {min_elevation!r}: expected degrees from 0 to less than 90")
    first, last = parse_span(span)
    days = (last - first) / np.timedelta64(1, "D")
    if days > _LONGEST_DAYS:
        raise InputError(f"span of {days:g} days: expected {_LONGEST_DAYS:g} days at most")
    # the last row is at the end of the span, or up to a step behind it
    rows = 1 + int(np.ceil((last - first) / np.timedelta64(1, "s") / STEP_S))
    times = first + np.arange(rows) * np.timedelta64(round(STEP_S * 1e9), "ns")
    step_s = STEP_S
    if times[-1] > last:  # equal steps that end with the span
        step_s = float((last - first) / np.timedelta64(1, "ns")) * 1e-9 / (rows - 1)
        times = first + np.rint(np.arange(rows) * step_s * 1e9).astype("timedelta64[ns]")
    catalog.warn_of_age(times[[0, -1]])
    blocks: Iterator[tuple[Any, States]] = stream(
        catalog, times, block=BLOCK_ROWS, frame="itrs", variables=("position", "velocity"), device=device
    )
    sun, vectors, devices = _sun_at(times), make_places(places), Devices(device)
    found = find_events(
        (states for _, states in blocks),
        sun,
        vectors,
        len(catalog),
        least_rad=min_elevation * DEGREE,
        step_s=step_s,
        devices=devices,
    )
    sun_sines = _sun_sines(vectors, sun)

    def assemble(place: int) -> dict[str, NDArray[Any]]:
        arrays = _assemble(*found.over(place), sun_sines[place], first, step_s)
        return {"pass_site": np.full(len(arrays["pass_satellite"]), place, np.int32)} | arrays

    with ThreadPoolExecutor(devices.threads) as pool:
        parts = list(pool.map(assemble, range(len(places))))
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    attributes = {"min_elevation": float(min_elevation), "step_s": step_s, "dark_below": DARK_DEG}
    return make_passes_dataset(catalog, places, np.array([first, last]), arrays, attributes=attributes)


def make_places(sites: Sequence[Site]) -> Places:
    """Make the vectors of sites in ITRS, NumPy arrays of shape (sites,)."""
    latitude, longitude = (
        np.array([getattr(s, key) for s in sites]) * DEGREE for key in ("latitude_deg", "longitude_deg")
    )
    altitude = np.array([s.altitude_m for s in sites]) / 1000.0
    axes: Any = site_axes(latitude, longitude, np)
    return Places(site_position(latitude, longitude, altitude, np), *axes)


def _sun_at(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Position of the Sun in ITRS, km, shape (3, times)."""
    day, fraction = to_day_fraction(times)
    turn = find_turn(times)
    sun = np.stack(sun_position(day + fraction, np), axis=-1)
    return np.ascontiguousarray((turn @ sun[..., None])[..., 0].T)


def find_turn(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Find the matrices from TEME to ITRS, shape (times, 3, 3)."""
    day, fraction = to_day_fraction(times)
    ut1_utc_s, polar_x, polar_y = load_earth_orientation().at(times)
    grid = Grid.turning(day, fraction, ut1_utc_s / SECONDS_PER_DAY, polar_x, polar_y)
    turn, _ = attitude(grid.gmst, grid.polar_x, grid.polar_y, np)
    return np.asarray(turn)


def _sun_sines(places: Places, sun: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sine of the elevation of the Sun over places at the rows of the grid, shape (places, rows)."""
    to_sun = [s - r[:, None] for s, r in zip(sun, places.position, strict=True)]
    height = sum(v * u[:, None] for v, u in zip(to_sun, places.up, strict=True))
    return np.asarray(height / np.sqrt(sum(v * v for v in to_sun)))


def _assemble(
    rises: NDArray[Any],
    tops: NDArray[Any],
    sets: NDArray[Any],
    sun_sine: NDArray[np.float64],
    first: np.datetime64,
    step_s: float,
) -> dict[str, NDArray[Any]]:
    """Make the variables of passes over a place from their events, which are sorted by satellite and row.

    Rises and sets fit one to one. The sine of the Sun's elevation is that at the rows of the grid.
    """
    count = len(rises)
    assert np.array_equal(rises["satellite"], sets["satellite"])
    # one more event without values at the end, which -1 finds
    nothing = np.array([(0, 0, np.nan, np.nan, np.nan, np.nan, np.nan)], EVENT)
    middle = join_events([tops, nothing]).take(_find_tops(rises, tops, sets), mode="wrap")
    time, azimuth, sunlit = np.empty((count, 3), "M8[ns]"), np.empty((count, 3), "f4"), np.empty((count, 3), "f4")
    is_visible = np.zeros(count, np.bool_)
    for k, events in enumerate((rises, middle, sets)):
        row, part = events["row"], events["part"]
        known = np.isfinite(part)
        # to the microsecond, finer than a pass is known
        elapsed = np.rint(np.where(known, row + part, 0.0) * (step_s * 1e6)).astype("timedelta64[us]")
        time[:, k] = np.where(known, first + elapsed, np.datetime64("NaT"))
        azimuth[:, k], sunlit[:, k] = (
            np.where(events["azimuth"] < 0, events["azimuth"] + 360, events["azimuth"]),
            events["sunlit"],
        )
        # the Sun turns by a quarter of a degree a step: linear to 1e-4 degrees, near the zenith to 2e-3
        before, after = (sun_sine[np.clip(row + n, 0, len(sun_sine) - 1)] for n in (0, 1))
        sun = before + part * (after - before)
        is_visible |= (sunlit[:, k] >= 0.5) & (sun < np.sin(DARK_DEG * DEGREE))
        if events is middle:
            sun_elevation = np.degrees(np.arcsin(sun)).astype(np.float32)
    return {
        "pass_satellite": rises["satellite"],
        "event_time": time,
        "event_azimuth": azimuth,
        "event_sunlit": sunlit,
        "max_elevation": middle["elevation"],
        "least_range": middle["range"],
        "sun_elevation": sun_elevation,
        "is_visible": is_visible.astype(np.int8),
    }


def _find_tops(rises: NDArray[Any], tops: NDArray[Any], sets: NDArray[Any]) -> NDArray[np.int64]:
    """Find the highest culmination of each pass; -1 where there is none. Shape (passes,)."""
    count = len(rises)
    found = np.full(count, -1, np.int64)
    if not count or not len(tops):
        return found
    begins, middles = ((v["satellite"].astype(np.int64) << 32) + v["row"] for v in (rises, tops))
    place = np.searchsorted(begins, middles, side="right") - 1
    inside = (place >= 0) & (tops["satellite"] == rises["satellite"][place]) & (tops["row"] <= sets["row"][place])
    index = np.flatnonzero(inside)
    place = place[inside]
    # highest last, so that it stays; most passes have one culmination, and the few others alone are sorted
    several = np.bincount(place, minlength=count)[place] > 1
    found[place[~several]] = index[~several]
    others = index[several]
    order = np.argsort(tops["elevation"][others], kind="stable")
    found[place[several][order]] = others[order]
    return found
