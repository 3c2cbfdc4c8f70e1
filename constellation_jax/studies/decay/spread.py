"""Spread of lifetimes over an ensemble of solar activity, and in another model of the atmosphere.

Similar satellites have similar spreads, so one satellite of each class is decayed through every member: the ratio of its
percentile to its own lifetime, both in steps three times as long, serves the whole class. Classes are a third of a scale height,
15 degrees of inclination, a fifth of ln B and 90 days wide.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Floats, Objects, run
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import DEGREE, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.decay.inputs import make_series
from constellation_jax.studies.decay.short_lives import CalendarPart

_DAYS_IN_CLASS: Final = 90.0
"""Width of a class in epoch, days."""


def estimate_spread(
    objects: Objects,
    lifetime: Floats,
    weather: SpaceWeather,
    calendar: CalendarPart,
    *,
    model: str,
    members: int,
    seed: int,
    levels: tuple[float, ...],
) -> tuple[Floats, Floats]:
    """Percentiles of the lifetime, shape (levels, satellites), and the lifetime in NRLMSIS 2.1, days; inf beyond the end.

    Args:
        objects: satellites above 120 km.
        lifetime: lifetime of each in the median of the forecast, days, inf beyond the span.
        weather: that forecast, with percentiles where `members` is not 0.
        calendar: part of the calendar and its steps, in which these lifetimes were found.
        model: model of the atmosphere in which these lifetimes were found.
        members, seed: size and seed of the ensemble.
        levels: percentiles, 0 to 100.
    """
    chosen, of_class = group_alike(objects)
    step = 3.0 * calendar.step
    some = objects.take(chosen)

    def decay_through(weather: SpaceWeather, model: str) -> Floats:
        return np.array(
            [
                run(some, series).lifetime_days
                for series in make_series(weather, calendar.first, calendar.end, step, model=model)
            ]
        )

    own = decay_through(weather, model)[0]

    def scale_to_all(values: Floats) -> Floats:
        known = np.isfinite(own) & np.isfinite(values)
        # a ratio needs both; without it the class is as its member is
        ratio = np.where(known, values, 1.0) / np.where(known, np.maximum(own, 1e-6), 1.0)
        own_known = known[of_class] & np.isfinite(lifetime)
        scaled = np.where(own_known, ratio[of_class] * np.where(own_known, lifetime, 0.0), values[of_class])
        return np.asarray(scaled)

    other = scale_to_all(decay_through(weather, "nrlmsis21")[0])
    if not members:
        return np.empty((0, objects.satellites)), other
    sorted_lives = np.sort(decay_through(weather.ensemble(members, seed), model), axis=0)
    return np.stack([scale_to_all(_quantile(sorted_lives, level)) for level in levels]), other


def group_alike(objects: Objects) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Sort objects into classes of like ones: the position of one object of each class, and the class of each object."""
    a, e = objects.orbit.semi_major_axis, np.hypot(objects.orbit.eccentricity_x, objects.orbit.eccentricity_y)
    perigee = np.maximum(a * (1.0 - e) - WGS84_EQUATORIAL_RADIUS_KM, 100.0)
    keys = np.stack(
        [
            np.rint(np.log(perigee - 60.0) / 0.04),
            np.rint(np.log(a * e + 20.0) / 0.2),
            np.rint(np.abs(objects.orbit.inclination / DEGREE - 90.0) / 15.0),
            np.rint(np.log(objects.ballistic_coefficient) / 0.2),
            np.floor(objects.mjd / _DAYS_IN_CLASS),
        ]
    ).astype(np.int64)
    _, chosen, of_class = np.unique(keys, axis=1, return_index=True, return_inverse=True)
    return chosen, of_class.reshape(-1)


def _quantile(ascending: Floats, level: float) -> Floats:
    """Percentile of an ascending ensemble, between the two nearest members, each in the middle of its share; inf if either is."""
    n = len(ascending)
    place = min(max(level / 100.0 * n - 0.5, 0.0), n - 1.0)
    low, weight = int(place), place - int(place)
    high = min(low + 1, n - 1)
    if weight == 0.0:
        return np.asarray(ascending[low])
    known = np.isfinite(ascending[high])
    below, above = (np.where(known, v, 0.0) for v in (ascending[low], ascending[high]))
    return np.asarray(np.where(known, (1.0 - weight) * below + weight * above, np.inf))
