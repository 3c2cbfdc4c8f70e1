"""Percentiles of lifetimes and altitudes for the dataset of a decay: short lives in daily steps, others in those of the span."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Decay, Floats, Objects
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.inputs.times import from_mjd
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.studies.decay.short_lives import DAILY, CalendarPart, find_short_lives
from constellation_jax.studies.decay.spread import CAUSES, PERCENTILES, estimate_spread, map_altitudes

_QUIET_YEARS: Final = 8.0
"""Longest that a life of a year may become in a member of the ensemble."""
_TOGETHER: Final = 4096
"""Objects whose bands of altitude are computed in one pass: 10 MB for each of its arrays."""


def compute_bands(
    objects: Objects,
    alive: NDArray[np.intp],
    found: Decay,
    error: Floats,
    weather: SpaceWeather,
    span: CalendarPart,
    *,
    model: str,
    row_days: float,
    years: float,
    members: int,
    seed: int,
    client: Any = None,
) -> dict[str, NDArray[Any]]:
    """Compute lifetimes in another atmosphere, percentiles of lifetimes and altitudes, and the causes of their spread.

    Args:
        objects: n satellites.
        alive: positions of those above 120 km.
        found: their decay under the median of the forecast, with tracks where `members` is not 0.
        error: standard error of ln B, shape (n,).
        weather: the forecast, with percentiles where `members` is not 0.
        span: calendar of the decay.
        model: model of the atmosphere.
        row_days: days from one row of the tracks to the next.
        years: span of each satellite.
        members, seed: size and seed of the ensemble of solar activity.
        client: as for `estimate_spread`.

    Returns:
        Variables of the dataset by name.
    """
    limit, n = years * YEAR_DAYS, objects.satellites
    rows = len(found.tracks["semi_major_axis"])
    lifetime = np.where(found.lifetime_days <= limit, found.lifetime_days, np.inf)
    percentiles, other = np.zeros((len(PERCENTILES), n)), np.zeros(n)
    altitudes = np.full((len(PERCENTILES) if members else 0, rows, n), np.nan, np.float32)
    parts_of_spread: dict[str, Floats] = {name: np.full(n, np.nan) for name in CAUSES}
    some = objects.take(alive)
    parts = find_short_lives(some, lifetime[alive], span.first, row_days) if span.step > DAILY else []
    short = np.concatenate([part.members for part in parts]) if parts else np.zeros(0, np.intp)
    others = np.setdiff1d(np.arange(len(alive)), short)
    # under a quiet sun a life of a year may last for several
    parts = [p._replace(end=max(p.end, min(span.end, p.end + _QUIET_YEARS * YEAR_DAYS))) for p in parts]
    parts += [CalendarPart(others, span.first, span.end, span.step)] if len(others) else []
    for part in parts:
        where = alive[part.members]
        some = objects.take(where)
        bands = estimate_spread(
            some, lifetime[where], weather, part, error[where], model=model, members=members, seed=seed, client=client
        )
        other[where] = bands.nrlmsis21
        if bands.slowness is None:
            continue
        percentiles[:, where] = bands.lifetime
        for name, values in bands.spread.items():
            parts_of_spread[name][where] = values
        for k in range(0, len(where), _TOGETHER):
            few = where[k : k + _TOGETHER]
            altitudes[:, :, few] = map_altitudes(
                bands.slowness._replace(of_class=bands.slowness.of_class[k : k + _TOGETHER]),
                found.tracks["semi_major_axis"][:, few].astype(np.float64) - WGS84_EQUATORIAL_RADIUS_KM,
                span.first + row_days * np.arange(rows)[:, None] - objects.mjd[few],
                objects.orbit.semi_major_axis[few] - WGS84_EQUATORIAL_RADIUS_KM,
                found.lifetime_days[few],
                error[few],
            )
    arrays: dict[str, NDArray[Any]] = {"lifetime_nrlmsis21": _nan_beyond(other, limit)}
    if members:
        within = np.where(percentiles <= limit, percentiles, np.inf)
        arrays |= lifetimes_and_dates("lifetime_percentile", "reentry_date_percentile", within, objects.mjd)
        arrays["mean_altitude_percentile"] = altitudes
        arrays["lifetime_spread"] = np.stack([parts_of_spread[name] for name in CAUSES])
    return arrays


def lifetimes_and_dates(days_name: str, date_name: str, days: Floats, mjd: Floats) -> dict[str, NDArray[Any]]:
    """Make variables of lifetimes (NaN where infinite) and of the dates of re-entry (NaT there)."""
    finite = np.isfinite(days)
    dates = np.full(days.shape, np.datetime64("NaT", "ns"))
    dates[finite] = from_mjd((mjd + np.where(finite, days, 0.0))[finite])
    return {days_name: np.where(finite, days, np.nan), date_name: dates}


def _nan_beyond(values: Floats, limit: float) -> Floats:
    return np.where(values <= limit, values, np.nan)
