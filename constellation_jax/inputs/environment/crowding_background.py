"""From a catalogue to the table of what flies where, which targets are counted against (conjunction_rate.py). Host side."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.physics.constants import DEGREE, TWO_PI, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.merit.conjunction_rate import INCLINATION_STEP_DEG, Background, meeting_weights
from constellation_jax.physics.merit.geometry import oblate_rise_km

LOWEST_KM, HIGHEST_KM = 100.0, 2500.0
_ANOMALIES = 64
"""Points along each orbit, in eccentric anomaly."""


def crowding_background(catalog: Catalog, *, resolution_km: float = 4.0) -> Background:
    """What is at each altitude, for `encounters_with`: all objects of a catalogue between 100 and 2,500 km.

    Each object is spread over the radii of its orbit by the time spent there, then by a smooth kernel (cubic B-spline after
    a linear deposit) with a standard deviation of 0.7 times the resolution. What is off the frozen orbit is the eccentricity as
    SGP4 has it.

    Args:
        catalog: leave out what a target is coordinated with, such as its own constellation.
        resolution_km: from 0.5 to 50; of the order of the uncertainty of where objects will be.

    Raises:
        InputError: no object, or a resolution out of range.
    """
    if not len(catalog):
        raise InputError("background catalogue: no objects; there is nothing to come near")
    if not 0.5 <= resolution_km <= 50.0:
        raise InputError(f"resolution_km: found {resolution_km}, expected a number from 0.5 to 50 km")
    rows = int(np.ceil((HIGHEST_KM - LOWEST_KM) / resolution_km)) + 1
    objects = _deposit(catalog, rows, resolution_km)
    return Background(objects @ meeting_weights() / resolution_km, np.float64(LOWEST_KM), np.float64(resolution_km))


def _deposit(catalog: Catalog, rows: int, step: float) -> NDArray[np.float64]:
    """Objects by frozen altitude and inclination, shape (rows, inclinations)."""
    columns = round(180.0 / INCLINATION_STEP_DEG) + 1
    a = catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    e, i = catalog.eccentricity, catalog.inclination_deg
    near = (a * (1.0 - e) - WGS84_EQUATORIAL_RADIUS_KM < HIGHEST_KM) & (e < 1.0)
    a, e, i = a[near], e[near], i[near]
    oblate = oblate_rise_km(a, np.sin(i * DEGREE))
    anomaly = (np.arange(_ANOMALIES) + 0.5) * (0.5 * TWO_PI / _ANOMALIES)
    near_one = 1.0 - e[:, None] * np.cos(anomaly)  # r / a, and the time spent there
    row = (a[:, None] * near_one + oblate[:, None] - WGS84_EQUATORIAL_RADIUS_KM - LOWEST_KM) / step
    column = np.broadcast_to((i / INCLINATION_STEP_DEG)[:, None], row.shape)
    r, c = np.floor(row), np.minimum(np.floor(column), columns - 2)
    result = np.zeros(rows * columns)
    for up in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - up - (row - r)) * np.abs(1 - right - (column - c)) * near_one / _ANOMALIES
            inside = (r + up >= 0) & (r + up < rows)
            flat = ((r + up) * columns + c + right)[inside].astype(np.int64)
            result += np.bincount(flat, share[inside], rows * columns)
    return result.reshape(rows, columns)
