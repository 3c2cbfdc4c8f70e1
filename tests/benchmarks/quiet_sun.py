"""Ballistic coefficients of passive objects by phase of the solar cycle: what a bias of the density does to them.

B is fitted window by window to the history of an object: along the observed path the sinking at B = 1 is integrated, and the
observed semi-major axes are a straight line in it. Whatever the model of the density has wrong at the time of a window is in its B.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

import constellation_jax as cj
from constellation_jax.engine.decay.engine import decay_rates
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import MJD_J2000, WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.studies.decay.inputs import make_objects, make_series

FILES = {
    "1970-025QQ": "series/deb-1970-025qq_26821_2001-2017",
    "Dove-2": "series/dove-2_39132_2013-2017",
    "GeneSat-1": "decay/genesat-1_29655_2006-2010",
    "Delfi-PQ": "decay/delfi-pq_51074_2022-2024",
    "Omid": "decay/omid_33506_2009",
}
"""Histories of objects that have no propulsion, of months or years each."""
_BLOCK_DAYS = 2000.0


class Track(NamedTuple):
    """Observed path of an object; arrays of shape (sets,) and, where named so, of pieces of at most a day between two sets."""

    mjd: np.ndarray
    semi_major_axis: np.ndarray
    """Mean semi-major axis of each set, km."""
    piece_mjd: np.ndarray
    piece_altitude: np.ndarray
    """Mean altitude at the middle of each piece, km."""
    piece_sunk: np.ndarray
    """Change of the semi-major axis in each piece at B = 1, km; below zero."""
    set_after: np.ndarray
    """Position of the set that follows each piece."""


class Window(NamedTuple):
    """Coefficient of an object from the sets of a window."""

    mjd: float
    coefficient: float
    """B, m2/kg."""
    relative_error: float
    """Standard error of B by the scatter of the sets about the line, as a share of B."""
    pieces: np.ndarray
    """Positions of the pieces in the window."""
    weights: np.ndarray
    """Share of each of them in the sinking, shape of `pieces`."""


def read_history(shared_data: Path, name: str) -> Catalog:
    """Sets of one object in order of time."""
    return cj.read_catalog(shared_data / f"{FILES[name]}.tle.gz").sort("epoch")


def follow(history: Catalog, weather: SpaceWeather, model: str) -> Track:
    """Follow an object through its sets, of which those within an hour of another are left out: re-issues of one state."""
    objects = make_objects(history, np.ones(len(history)))
    kept = [0]
    for k, mjd in enumerate(objects.mjd):
        if mjd - objects.mjd[kept[-1]] > 1.0 / 24.0:
            kept.append(k)
    objects = objects.take(np.array(kept))
    gap, a = np.diff(objects.mjd), objects.orbit.semi_major_axis
    count = np.ceil(gap).astype(int)
    before = np.repeat(np.arange(len(gap)), count)
    part = (np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count) + 0.5) / count[before]
    there = objects.take(before)
    orbit = there.orbit._replace(semi_major_axis=a[before] + part * np.diff(a)[before])
    pieces = there._replace(orbit=orbit, mjd=objects.mjd[before] + part * gap[before])
    rate = np.empty(len(before))
    block = np.floor(pieces.mjd / _BLOCK_DAYS)
    for k in np.unique(block):
        members = np.flatnonzero(block == k)
        some = pieces.take(members)
        first, end = np.floor(some.mjd.min()), np.floor(some.mjd.max()) + 1.0
        rate[members] = decay_rates(some, make_series(weather, first, end, 1.0, model=model)[0])[0]
    altitude = orbit.semi_major_axis - WGS84_EQUATORIAL_RADIUS_KM
    return Track(objects.mjd, a, pieces.mjd, altitude, rate * gap[before] / count[before], before + 1)


def to_year(mjd: float) -> float:
    """Year with its fraction of a Modified Julian Date."""
    return 2000.0 + (mjd - MJD_J2000) / YEAR_DAYS


def split(path: Track, days: float) -> list[Window]:
    """Fit B to each window of so many days that has six sets and sinks."""
    sunk = np.zeros(len(path.mjd))
    np.add.at(sunk, path.set_after, path.piece_sunk)
    integral, found = np.cumsum(sunk), []
    for start in np.arange(path.mjd[0], path.mjd[-1] - 0.5 * days, days):
        those = np.flatnonzero((path.mjd >= start) & (path.mjd < start + days))
        if len(those) < 6 or path.mjd[those[-1]] - path.mjd[those[0]] < 0.6 * days:
            continue
        inside = (path.piece_mjd >= path.mjd[those[0]]) & (path.piece_mjd <= path.mjd[those[-1]])
        for _ in range(3):  # without the sets off the line by more than three times the scatter
            x, y = integral[those] - integral[those].mean(), path.semi_major_axis[those]
            slope = (x * y).sum() / (x * x).sum()
            residual = y - y.mean() - slope * x
            scatter = residual.std() + 1e-9
            those = those[np.abs(residual) < 3.0 * scatter]
        if slope > 0.0:
            pieces = np.flatnonzero(inside)
            weights = path.piece_sunk[pieces] / path.piece_sunk[pieces].sum()
            error = scatter / np.sqrt((x * x).sum()) / slope
            found.append(Window(float(path.mjd[those].mean()), float(slope), float(error), pieces, weights))
    return found
