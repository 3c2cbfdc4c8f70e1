"""Sources of `SpaceWeather.load`: the bundled table of solar and geomagnetic activity, files and constants.

    SpaceWeather.load()                      the bundled monthly table: observed since 1957, NASA's forecast to 2041
    SpaceWeather.load("celestrak")           daily values of CelesTrak, then its forecast: downloaded, at most once in two hours
    SpaceWeather.load("SW-All.csv")          the same from a file
    SpaceWeather.load("SW-All.csv", forecast="aug2026f10-prd.txt")
    SpaceWeather.load("Kp_ap_Ap_SN_F107_since_1932.txt", forecast="bundled")    GFZ's Kp and Ap, and Penticton's F10.7
    SpaceWeather.load((140.0, 15.0))         the same F10.7 and Ap for ever

Deliberately absent: the indices that only JB2008 uses.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.forecast import LAWS, PRESENT_DAYS, compute_running_mean
from constellation_jax.inputs.environment.space_weather_files import BOUNDS, PERCENTILES, IndexRecords, read_records
from constellation_jax.inputs.environment.space_weather_series import (
    CONSTANT,
    CYCLE_DAYS,
    DESPIKED,
    FILLED,
    FORECAST,
    SpaceWeather,
    SpaceWeatherSource,
)
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.times import format_date

CELESTRAK = "celestrak"
"""Source that is downloaded, at most once in two hours."""
_REACH_DAYS = 40
"""Days to either side of a day that its 81-day mean takes in."""
_SIDES = {name: -1 if name.endswith("low") else 1 for name in PERCENTILES}
"""Side of the median on which each percentile lies."""


def read_sources(source: SpaceWeatherSource, forecast: SpaceWeatherSource | None) -> SpaceWeather:
    """Read the space weather of a source and, where one is given, of a forecast that continues it; see `SpaceWeather.load`."""
    first, smoothed_from = _read(source)
    if forecast is None:
        return _join_to_present(first, smoothed_from, first.last_observed_mjd)
    return _continue_with(first, *_read(forecast), first.last_observed_mjd)


def complete_forecast(weather: SpaceWeather) -> SpaceWeather:
    """Complete space weather by the bundled forecast where it has none: studies want every day of decades, with percentiles.

    What the source says stays. Behind its last day the bundled forecast follows, joined to the present level, unless the source is
    a solar cycle long or longer and has a forecast: then its own last cycle goes on. A forecast without percentiles is given
    the spread of the bundled one about its own values: that of the same day, or of the same day a cycle later where the bundled
    table is observed on that day. Constants stay as they are.
    """
    if weather.flags[0] & CONSTANT or weather.members:
        return weather
    bundled, smoothed_from = _read("bundled")
    if not weather.percentiles and (weather.flags & FORECAST).any():
        named = f"{weather.source} with the spread of bundled"
        weather = dataclasses.replace(weather, source=named, percentiles=_borrow_percentiles(weather, bundled))
    whole = len(weather.flags) >= CYCLE_DAYS and bool((weather.flags & FORECAST).any())
    if whole or (len(weather.flags) >= CYCLE_DAYS and weather.last_mjd >= bundled.last_mjd):
        return weather
    return _continue_with(weather, bundled, smoothed_from, weather.last_mjd)


def _borrow_percentiles(weather: SpaceWeather, bundled: SpaceWeather) -> dict[str, NDArray[np.float64]]:
    """Percentiles of a forecast about its own values, with the spread of the bundled one."""
    days = weather.first_mjd + np.arange(len(weather.flags))
    cycles = np.ceil(np.maximum(bundled.last_observed_mjd - days, 0.0) / CYCLE_DAYS)
    place = (days + cycles * CYCLE_DAYS - bundled.first_mjd).astype(np.int64)
    beyond = np.maximum(place - len(bundled.flags) + 1, 0)
    place -= np.ceil(beyond / CYCLE_DAYS).astype(np.int64) * CYCLE_DAYS
    predicted = np.flatnonzero(weather.flags & FORECAST)
    days, place = days[predicted], place[predicted]
    lead = np.maximum(days + 0.5 - weather.joined_mjd, 0.0)
    found = {}
    for key in PERCENTILES:
        index = key.partition("_")[0]
        law, values = LAWS[index], getattr(weather, index).copy()
        own = values[predicted]
        distance = law.scale(bundled.percentiles[key][place]) - law.scale(getattr(bundled, index)[place])
        if np.isfinite(weather.joined_mjd):
            distance = law.widen(distance, own, lead, _SIDES[key])
        values[predicted] = law.unscale(law.scale(own) + distance)
        found[key] = values
    return found


def remove_flares(f107: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Replace daily F10.7 on days of flares by the median of the 15 days about them; return it with the mask of these days.

    The published series is a reading at 20h UTC, radio bursts included: 939 on 2011-03-07 between days of 150. A burst of minutes
    does not heat the atmosphere, but would raise the 81-day mean by ten units.
    """
    padded = np.pad(f107, 7, constant_values=np.nan)
    median = np.nanmedian(np.lib.stride_tricks.sliding_window_view(padded, 15), axis=1)
    spike = (f107 > 1.5 * median) | (f107 < 0.7 * median)
    return np.where(spike, median, f107), spike


def _read(source: SpaceWeatherSource) -> tuple[SpaceWeather, float]:
    """Read a source as it stands, and the first day (Modified Julian Date) of a forecast of 13-month means; inf without one."""
    if isinstance(source, SpaceWeather):
        return source, np.inf
    if isinstance(source, tuple | Mapping):
        return _make_constant(source), np.inf
    if source == "bundled":
        records = read_records(configs_folder() / "space_weather" / "monthly.csv")
        return _make_series("bundled", records._replace(smoothed=True))
    if source == CELESTRAK:
        from constellation_jax.inputs.catalog.celestrak import fetch_space_weather

        return _make_series("SW-All.csv of CelesTrak", read_records(fetch_space_weather()))
    if isinstance(source, str | Path):
        return _make_series(Path(source).name, read_records(source))
    raise InputError(
        f"space weather {source!r}: expected 'bundled', '{CELESTRAK}', a path, (f107, ap) or a mapping with f107 and ap"
    )


def _make_constant(values: tuple[float, float] | Mapping[str, float]) -> SpaceWeather:
    """Make the space weather of one day that holds for ever."""
    given: dict[str, Any] = (
        dict(values) if isinstance(values, Mapping) else dict(zip(("f107", "ap"), values, strict=False))
    )
    if not {"f107", "ap"} <= set(given) <= {"f107", "f107a", "ap"} or len(values) != len(given):
        raise InputError(
            f"space weather {values!r}: expected (f107, ap), or a mapping with f107, ap and where wanted f107a"
        )
    given.setdefault("f107a", given["f107"])
    for key, value in given.items():
        number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
        lowest, highest = BOUNDS["ap" if key == "ap" else "f107"]
        if not (number and lowest <= value <= highest):
            raise InputError(f"space weather: {key} = {value!r}, expected a number from {lowest:g} to {highest:g}")
    columns = {key: np.array([float(value)]) for key, value in given.items()}
    return SpaceWeather(
        "constant", 0.0, columns["f107"], columns["f107a"], columns["ap"], np.array([CONSTANT], np.uint8), {}
    )


def _make_series(name: str, records: IndexRecords) -> tuple[SpaceWeather, float]:
    """Make daily values from the first record to the last, interpolated linearly between records; and as `_read`."""
    half = np.where(records.daily, 0.5, 14.0)  # the first and last month reach a fortnight about their middle
    first, last = np.floor(records.mjd[0] - half[0] + 0.5), np.ceil(records.mjd[-1] + half[-1] - 0.5)
    middle = first + 0.5 + np.arange(int(last - first))

    source = np.clip(np.searchsorted(records.mjd, middle, side="left"), 0, len(records.mjd) - 1)
    flags = np.where(records.observed[source], 0, FORECAST).astype(np.uint8)
    seen = np.flatnonzero(records.observed)
    if len(seen):
        flags[middle <= records.mjd[seen[-1]] + 14.0 * (~records.daily[seen[-1]])] = 0
    monthly = ~records.observed & ~records.daily
    smoothed = flags == FORECAST if records.smoothed and monthly.any() else np.zeros(len(flags), np.bool_)
    if records.daily.any():
        smoothed &= middle > records.mjd[records.daily][-1]
    apart = smoothed & ((flags == 0).sum() >= PRESENT_DAYS[0])  # to be joined by a law, not by a straight line

    def interpolate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.isfinite(values)
        found = np.interp(middle, records.mjd[known], values[known])
        known &= monthly
        if known.any():
            found = np.where(apart, np.interp(middle, records.mjd[known], values[known]), found)
        return np.asarray(found)

    f107, f107a = interpolate(records.f107), None
    if records.daily.any():
        days = records.mjd[records.daily]
        clean, spike = remove_flares(f107)
        # A forecast and months have no flares, and where they join the days a step may be steep.
        spike &= (flags == 0) & (middle >= days[0]) & (middle <= days[-1])
        f107 = np.where(spike, clean, f107)
        flags[spike] |= DESPIKED
        flags[_find_missing(name, records, middle)] |= FILLED
        f107a = compute_running_mean(f107)
    if np.isfinite(records.f107a).any():
        f107a = interpolate(records.f107a)
    percentiles = {}
    for key in PERCENTILES if records.percentiles else ():
        middle_value = f107 if key.startswith("f107") else interpolate(records.ap)
        percentiles[key] = np.where(flags & FORECAST, interpolate(records.percentiles[key]), middle_value)
    ap = interpolate(records.ap)
    without_ap = (middle > records.mjd[np.isfinite(records.ap)].max() + half[-1]) & ((flags & FORECAST) != 0)
    if without_ap.any():  # CelesTrak's monthly predictions have no Ap: NASA's forecast of it is taken
        bundled, _ = _read("bundled")
        ap[without_ap] = bundled.at(middle[without_ap]).ap
    series = SpaceWeather(name, first, f107, f107 if f107a is None else f107a, ap, flags, percentiles)
    return series, first + float(np.argmax(smoothed)) if smoothed.any() else np.inf


def _find_missing(name: str, records: IndexRecords, middle: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Find the days among daily records that lack F10.7 or Ap, warn of them once, and return their mask. Shape of `middle`."""
    days = records.mjd[records.daily]
    among = (middle >= days[0]) & (middle <= days[-1])
    missing = np.zeros(len(middle), np.bool_)
    said = []
    for key, values in (("F10.7", records.f107), ("Ap", records.ap)):
        absent = among & ~np.isin(middle, records.mjd[np.isfinite(values)])
        if absent.any():
            count = int(absent.sum())
            date = format_date(float(np.floor(middle[absent][0])))
            said.append(f"{key} on {date}" if count == 1 else f"{key} on {count} days, the first {date}")
        missing |= absent
    if said:
        warnings.warn(
            f"{name}: no {', no '.join(said)}; interpolated between the days about it", UserWarning, stacklevel=2
        )
    return missing


def _continue_with(first: SpaceWeather, then: SpaceWeather, smoothed_from: float, join: float) -> SpaceWeather:
    """Join one source up to a midnight (Modified Julian Date) and another source, as `_read` gives it, from there on."""
    if (first.flags[0] | then.flags[0]) & CONSTANT:
        raise InputError("space weather: a constant can neither be continued nor continue a file")
    kept, skipped = int(join - first.first_mjd), int(join - then.first_mjd)
    if not 0 <= skipped < len(then.flags) or not kept:
        raise InputError(
            f"space weather {then.source}: {format_date(then.first_mjd)} to {format_date(then.last_mjd - 1)} does not continue "
            f"{first.source}, which is taken to {format_date(join - 1)}"
        )

    def splice(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
        return np.concatenate([a[:kept], b[skipped:]])

    f107, ap = splice(first.f107, then.f107), splice(first.ap, then.ap)
    flags = splice(first.flags, then.flags | np.uint8(FORECAST))
    f107a = splice(first.f107a, then.f107a)
    near = slice(max(kept - _REACH_DAYS, 0), kept)  # days whose mean reaches over the join
    f107a[near] = compute_running_mean(f107)[near]
    own = first.percentiles or {key: first.ap if key.startswith("ap") else first.f107 for key in then.percentiles}
    percentiles = {key: splice(own[key], value) for key, value in then.percentiles.items()}
    joined = first.joined_mjd if first.joined_mjd < join else np.nan
    whole = SpaceWeather(
        f"{first.source} + {then.source}", first.first_mjd, f107, f107a, ap, flags, percentiles, joined
    )
    # the second source may be observed further than the first
    return _join_to_present(whole, max(smoothed_from, join), max(first.last_observed_mjd, then.last_observed_mjd))


def _join_to_present(weather: SpaceWeather, smoothed_from: float, present: float) -> SpaceWeather:
    """Join the means over 13 months that a forecast holds to the level of the last observed days, with the errors of past ones.

    Args:
        weather: series that has both.
        smoothed_from: first day of those means, Modified Julian Date; inf where there are none.
        present: midnight that ends the last observed day.
    """
    known = int(present - weather.first_mjd)
    if not smoothed_from < weather.last_mjd or known < PRESENT_DAYS[0]:
        return weather
    begin = max(int(smoothed_from - weather.first_mjd), known)
    lead = np.arange(begin, len(weather.flags), dtype=np.float64) + 0.5 - known
    columns = {"f107": weather.f107.copy(), "ap": weather.ap.copy()}
    percentiles = {key: values.copy() for key, values in weather.percentiles.items()}
    for key, values in columns.items():
        law, forecast = LAWS[key], values[begin:].copy()
        recent = [float(values[max(known - days, 0) : known].mean()) for days in PRESENT_DAYS]
        values[begin:] = law.relax(forecast, lead, (recent[0], recent[1]), forecast[0])
        for name in (name for name in percentiles if name.startswith(key)):
            distance = law.scale(percentiles[name][begin:]) - law.scale(forecast)
            wide = law.widen(distance, forecast, lead, _SIDES[name])
            percentiles[name][begin:] = law.unscale(law.scale(values[begin:]) + wide)
    f107a = weather.f107a.copy()
    near = slice(max(known - _REACH_DAYS, 0), None)  # days whose mean reaches over the join, and all behind it
    f107a[near] = compute_running_mean(columns["f107"])[near]
    return dataclasses.replace(
        weather, f107=columns["f107"], f107a=f107a, ap=columns["ap"], percentiles=percentiles, joined_mjd=present
    )
