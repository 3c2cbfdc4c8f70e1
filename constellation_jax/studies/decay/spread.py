"""Bands of lifetimes and altitudes: solar activity, the ballistic coefficient and the model of the atmosphere.

Similar satellites have similar spreads, so one satellite of each class is decayed through every member of an ensemble of solar
activity, in steps three times as long, and once with more drag. Classes are a third of a scale height, 15 degrees of inclination, a
fifth of ln B and 90 days wide. A class shares ratios of times: of lifetimes, and of the time after which the median forecast has
the satellite as low as a member has it now.

Errors of B and of the density change these times by a factor, whose derivative by ln B the run with more drag gives. In the
logarithm of the time, the deviations of a percentile from the median by the Sun, by B and by the density are added in square.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Decay, Floats, Objects, make_atmosphere_series, run
from constellation_jax.engine.decay.integrator import REENTRY_ALTITUDE_KM
from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.inputs.environment.forecast import QUANTILE_95
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import DEGREE, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.cluster import do_tasks
from constellation_jax.studies.decay.inputs import list_members, make_series
from constellation_jax.studies.decay.short_lives import CalendarPart

PERCENTILES: Final = (5.0, 50.0, 95.0)
"""Percentiles of lifetimes and altitudes."""
CAUSES: Final = ("solar_activity", "ballistic_coefficient", "density")
"""Causes of the spread of a lifetime."""
DENSITY_ERROR: Final = 0.12
"""Standard deviation of ln(density) over a prediction against that over the fit of B before it, in the long run: B fitted to 30 to
90 days against B of the half year behind them, passive satellites at 270 to 880 km, 2001 to 2024."""
DENSITY_ERROR_DAYS: Final = 75.0
"""Time in which its variance grows to 1 - 1/e of that, days."""
_DAYS_IN_CLASS: Final = 90.0
"""Width of a class in epoch, days."""
_REENTRY_KM: Final = WGS84_EQUATORIAL_RADIUS_KM + REENTRY_ALTITUDE_KM
_MORE_DRAG: Final = 1.2
"""Factor on B in the run that shows how times depend on it."""
_MOST_STATES: Final = 20_000
"""States of a class over members and times, about, that are kept one by one."""


class Bands(NamedTuple):
    """Percentiles of the lifetimes and tracks of some objects, and what makes them wide."""

    nrlmsis21: Floats
    """Lifetime in NRLMSIS 2.1, days; inf beyond the end. Shape (satellites,)."""
    lifetime: Floats
    """Lifetimes at PERCENTILES, days; inf beyond the end. Shape (percentiles, satellites)."""
    spread: dict[str, Floats]
    """Standard deviation of ln(lifetime) by each of CAUSES; NaN beyond the end."""
    slowness: Slowness | None
    """Tracks of the classes; None without an ensemble."""


class Slowness(NamedTuple):
    """Delays of the satellites of classes against the median forecast, at equal altitudes.

    Times are days since the epoch; `ratio` is ln(time under the median forecast / time) at equal altitudes.
    """

    step: float
    """Distance of the times, days; the first is 0."""
    ratio: Floats
    """At the percentiles of solar activity, 95 first, so that altitudes ascend. Shape (percentiles, times, classes)."""
    sensitivity: Floats
    """Its derivative by ln B, shape (times, classes)."""
    of_class: NDArray[np.intp]
    """Class of each satellite."""


def estimate_spread(
    objects: Objects,
    lifetime: Floats,
    weather: SpaceWeather,
    calendar: CalendarPart,
    error: Floats,
    *,
    model: str,
    members: int,
    seed: int,
    client: Any = None,
) -> Bands:
    """Estimate the bands of the lifetimes of objects, and what their altitudes need.

    Args:
        objects: satellites above 120 km.
        lifetime: lifetime of each in the median of the forecast, days, inf beyond the span.
        weather: that forecast, with percentiles where `members` is not 0.
        calendar: part of the calendar and its steps, in which these lifetimes were found.
        error: standard error of ln B of each.
        model: model of the atmosphere in which these lifetimes were found.
        members, seed: size and seed of the ensemble; with 0 members there is only the lifetime in NRLMSIS 2.1.
        client: of a Dask cluster, whose workers decay the members; None: one after the other, here.
    """
    chosen, of_class = group_alike(objects)
    step = 3.0 * calendar.step
    some = objects.take(chosen)
    rows = (calendar.end - calendar.first) / step
    keep = 0 if not members else 1 if members * rows <= _MOST_STATES else 4

    def decay_through(model: str, drag: float = 1.0, keep: int = keep) -> Decay:
        heavier = some._replace(ballistic_coefficient=drag * some.ballistic_coefficient)
        return run(heavier, make_series(weather, calendar.first, calendar.end, step, model=model)[0], keep=keep)

    own = decay_through(model)

    def scale_to_all(values: Floats) -> Floats:
        known = np.isfinite(own.lifetime_days) & np.isfinite(values)
        # a ratio needs both; without it the class is as its member is
        ratio = np.where(known, values, 1.0) / np.where(known, np.maximum(own.lifetime_days, 1e-6), 1.0)
        own_known = known[of_class] & np.isfinite(lifetime)
        scaled = np.where(own_known, ratio[of_class] * np.where(own_known, lifetime, 0.0), values[of_class])
        return np.asarray(scaled)

    other = scale_to_all(decay_through("nrlmsis21", keep=0).lifetime_days)
    if not members:
        return Bands(other, np.empty((0, objects.satellites)), {}, None)
    heavier = decay_through(model, drag=_MORE_DRAG)
    times = _CommonTimes(some, calendar, step * keep)
    shared = _Member(some, own, times, calendar.first, step, model, keep)
    futures = list_members(weather.ensemble(members, seed), calendar.first, calendar.end, step)
    if client is None:
        ensemble = [_decay_member(shared, indices) for indices in futures]
    else:
        done = dict(do_tasks(client, _decay_member, shared, futures))
        ensemble = [done[k] for k in range(members)]
    lives = np.sort([lifetime_days for lifetime_days, _ in ensemble], axis=0)
    solar = np.stack([scale_to_all(_quantile(lives, level)) for level in PERCENTILES])
    sensitivity = _life_sensitivity(own, heavier)[of_class]
    days = np.where(np.isfinite(lifetime), lifetime, calendar.end - objects.mjd)
    by_b, by_density = sensitivity * error, sensitivity * density_error(days)
    ratios = np.sort([ratio for _, ratio in ensemble], axis=0)
    slowness = Slowness(
        step * keep,
        np.stack([_quantile(ratios, level) for level in PERCENTILES[::-1]]),
        np.clip(times.ratio(own, heavier) / np.log(_MORE_DRAG), 0.2, 3.0),
        of_class,
    )
    with np.errstate(invalid="ignore"):  # inf - inf beyond the end
        by_sun = 0.5 * np.log(solar[2] / solar[0]) / QUANTILE_95
    by_sun = np.where(np.isfinite(by_sun), by_sun, np.nan)
    spread = dict(zip(CAUSES, (by_sun, by_b, by_density), strict=True))
    beyond = calendar.end - objects.mjd
    return Bands(other, _widen_lifetimes(solar, QUANTILE_95 * np.hypot(by_b, by_density), beyond), spread, slowness)


class _Member(NamedTuple):
    """Inputs that all members of an ensemble share."""

    objects: Objects
    own: Decay
    """Decay under the median of the forecast."""
    times: _CommonTimes
    first: float
    step: float
    model: str
    keep: int


def _decay_member(shared: _Member, indices: tuple[Floats, ...]) -> tuple[Floats, Floats]:
    """Decay objects through a member of the ensemble; return their lifetimes, days, and the ratios of `_CommonTimes`."""
    series = make_atmosphere_series(load_atmosphere(shared.model), indices, shared.first, shared.step)
    found = run(shared.objects, series, keep=shared.keep)
    return found.lifetime_days, shared.times.ratio(shared.own, found)


def density_error(days: Floats) -> Floats:
    """Standard deviation of ln(density), mean of a prediction over so many days, against the fit of B before it."""
    return DENSITY_ERROR * np.sqrt(1.0 - np.exp(-np.maximum(days, 0.0) / DENSITY_ERROR_DAYS))


def map_altitudes(
    slowness: Slowness, altitude: Floats, days: Floats, first: Floats, lifetime: Floats, error: Floats
) -> Floats:
    """Map tracks under the median forecast to percentiles of the altitude.

    Args:
        slowness: that of these satellites (`of_class`).
        altitude: altitude of each, km, NaN before the epoch and after re-entry, shape (times, satellites).
        days: days since the epoch, equally spaced, shape (times, satellites).
        first: altitude at the epoch, km, shape (satellites,).
        lifetime: days, inf beyond the end, shape (satellites,).
        error: standard error of ln B, shape (satellites,).

    Returns:
        Altitudes at PERCENTILES, km, NaN before the epoch and after re-entry; shape (percentiles, times, satellites).
    """
    place = np.clip(days / slowness.step, 1.0, slowness.ratio.shape[1] - 1.0)  # at the epoch there is no ratio yet
    low = np.minimum(place.astype(np.intp), slowness.ratio.shape[1] - 2)
    weight = place - low

    def at(grid: Floats) -> Floats:
        before, after = grid[low, slowness.of_class], grid[low + 1, slowness.of_class]
        return np.asarray(before + weight * (after - before))

    other = QUANTILE_95 * at(slowness.sensitivity) * np.hypot(error, density_error(days))
    middle = at(slowness.ratio[1])
    result = np.empty((len(PERCENTILES), *altitude.shape))
    for k, grid in enumerate(slowness.ratio):
        ratio = middle + (1 - k) * np.hypot(at(grid) - middle, other) if k != 1 else middle
        time = np.maximum(days, 0.0) * np.exp(ratio)
        result[k] = np.where((days < 0.0) | (time >= lifetime), np.nan, _look_up(time, altitude, days, first, lifetime))
    return result


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


class _CommonTimes:
    """Times since the epoch of each satellite at which tracks are compared.

    Args:
        objects: satellites of the tracks.
        calendar: their calendar.
        row_days: days from one row of the tracks to the next, and between these times.
    """

    def __init__(self, objects: Objects, calendar: CalendarPart, row_days: float) -> None:
        self._start = objects.orbit.semi_major_axis
        place = (objects.mjd - calendar.first) / row_days
        self._weight = place - np.floor(place)
        count = int((calendar.end - objects.mjd.max()) / row_days) + 1
        self.days = row_days * np.arange(max(count, 3))
        self._rows = np.floor(place).astype(np.intp) + np.arange(len(self.days))[:, None]

    def ratio(self, own: Decay, other: Decay) -> Floats:
        """Ratio ln(time in `own` / time in `other`) at equal semi-major axes, at each time of `other`: (times, satellites).

        Beyond re-entry it is that of the lifetimes; `own` goes on straight where it ends.
        """
        result = np.zeros(self._rows.shape)
        axes, others = self._sample(own), self._sample(other)
        days = self.days
        for k in range(len(self._start)):
            known = axes[:, k]
            up = np.isfinite(known)
            last = int(up.sum())
            time, axis = days[:last], known[:last]
            down = own.lifetime_days[k]
            if not np.isfinite(down):
                slope = max(float(axis[-2] - axis[-1]) / (time[-1] - time[-2]), 1e-9) if last > 1 else 1e-9
                down = time[-1] + max(float(axis[-1]) - _REENTRY_KM, 0.0) / slope
            time, axis = np.append(time, max(down, time[-1] + 1e-6)), np.append(axis, _REENTRY_KM)
            there = np.interp(-others[:, k], -axis, time)
            ends = other.lifetime_days[k]
            with np.errstate(divide="ignore", invalid="ignore"):
                result[1:, k] = np.log(np.where(np.isnan(others[1:, k]), down / ends * days[1:], there[1:]) / days[1:])
        return np.clip(np.nan_to_num(result, nan=0.0), -3.0, 3.0)

    def _sample(self, decay: Decay) -> Floats:
        """Semi-major axes at the times, km, NaN after re-entry."""
        track = decay.tracks["semi_major_axis"].astype(np.float64)
        column = np.arange(track.shape[1])
        below, above = (track[np.minimum(self._rows + k, len(track) - 1), column] for k in (0, 1))
        below = np.where(np.isnan(below) & (np.arange(len(below))[:, None] == 0), self._start, below)
        found = np.where(self._weight == 0.0, below, (1.0 - self._weight) * below + self._weight * above)
        found[0] = self._start
        return np.asarray(np.minimum.accumulate(found, axis=0))


def _life_sensitivity(own: Decay, heavier: Decay) -> Floats:
    """Derivative of -ln(lifetime) by ln B from a run with more drag; 1, that of a constant Sun, where it is not known."""
    known = np.isfinite(own.lifetime_days) & np.isfinite(heavier.lifetime_days) & (own.lifetime_days > 0.0)
    ratio = np.where(known, own.lifetime_days, 1.0) / np.where(known, np.maximum(heavier.lifetime_days, 1e-6), 1.0)
    return np.where(known, np.clip(np.log(ratio) / np.log(_MORE_DRAG), 0.2, 3.0), 1.0)


def _widen_lifetimes(solar: Floats, other: Floats, beyond: Floats) -> Floats:
    """Add errors of B and of the density to percentiles of lifetimes over an ensemble of solar activity.

    Args:
        solar: 5th, 50th and 95th percentile, days, inf beyond the end, shape (3, satellites).
        other: deviation of ln(lifetime) at the 95th percentile by these errors.
        beyond: days to the end; a median that lies behind it is taken there, which makes the 5th percentile no narrower.
    """
    low, middle, high = solar
    near = np.log(np.where(np.isfinite(middle), middle, np.maximum(beyond, low)))
    with np.errstate(invalid="ignore"):
        log_low = near - np.hypot(near - np.log(low), other)
        log_high = near + np.hypot(np.log(high) - near, other)
    return np.stack(
        [
            np.where(np.isfinite(low), np.exp(np.where(np.isfinite(low), log_low, 0.0)), np.inf),
            middle,
            np.where(np.isfinite(high), np.exp(np.where(np.isfinite(high), log_high, 0.0)), np.inf),
        ]
    )


def _look_up(time: Floats, altitude: Floats, days: Floats, first: Floats, lifetime: Floats) -> Floats:
    """Interpolate tracks at times since the epoch, straight on behind the last row. Arrays as in `map_altitudes`."""
    row = float(days[1, 0] - days[0, 0])
    place = np.clip(((time - days[0]) / row).astype(np.intp), 0, len(days) - 2)
    column = np.arange(days.shape[1])
    (t0, t1), (a0, a1) = ([v[place + k, column] for k in (0, 1)] for v in (days, altitude))
    early, late = t0 < 0.0, np.isnan(a1)
    t0, a0 = np.where(early, 0.0, t0), np.where(early, first, a0)
    t1, a1 = np.where(late, lifetime, t1), np.where(late, REENTRY_ALTITUDE_KM, a1)
    with np.errstate(invalid="ignore"):
        weight = (time - t0) / np.maximum(t1 - t0, 1e-9)
        return np.asarray(a0 + weight * (a1 - a0))


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
