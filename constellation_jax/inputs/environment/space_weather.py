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
_MEAN_DAYS = 81
"""Length of the running mean of F10.7, days."""


def read_sources(source: SpaceWeatherSource, forecast: SpaceWeatherSource | None) -> SpaceWeather:
    """Read the space weather of a source and, where one is given, of a forecast that continues it; see `SpaceWeather.load`."""
    first = _read(source)
    return first if forecast is None else _continue_with(first, _read(forecast), first.last_observed_mjd)


def complete_forecast(weather: SpaceWeather) -> SpaceWeather:
    """Complete space weather by the bundled forecast where it has none: studies want every day of decades, with percentiles.

    What the source says stays. Behind its last day the bundled forecast follows, unless the source is a solar cycle long or longer
    and has a forecast: then its own last cycle goes on. A forecast without percentiles is given the spread of the bundled one
    about its own values: that of the same day, or of the same day a cycle later where the bundled table is observed on that
    day. Constants stay as they are.
    """
    if weather.flags[0] & CONSTANT or weather.members:
        return weather
    bundled = _read("bundled")
    if not weather.percentiles and (weather.flags & FORECAST).any():
        named = f"{weather.source} with the spread of bundled"
        weather = dataclasses.replace(weather, source=named, percentiles=_borrow_percentiles(weather, bundled))
    whole = len(weather.flags) >= CYCLE_DAYS and bool((weather.flags & FORECAST).any())
    if whole or (len(weather.flags) >= CYCLE_DAYS and weather.last_mjd >= bundled.last_mjd):
        return weather
    return _continue_with(weather, bundled, weather.last_mjd)


def _borrow_percentiles(weather: SpaceWeather, bundled: SpaceWeather) -> dict[str, NDArray[np.float64]]:
    """Percentiles of a forecast about its own values, with the spread of the bundled one."""
    days = weather.first_mjd + np.arange(len(weather.flags))
    cycles = np.ceil(np.maximum(bundled.last_observed_mjd - days, 0.0) / CYCLE_DAYS)
    place = (days + cycles * CYCLE_DAYS - bundled.first_mjd).astype(np.int64)
    beyond = np.maximum(place - len(bundled.flags) + 1, 0)
    place -= np.ceil(beyond / CYCLE_DAYS).astype(np.int64) * CYCLE_DAYS
    predicted = (weather.flags & FORECAST) != 0
    found = {}
    for key in PERCENTILES:
        own, middle, offset = (
            (weather.ap, bundled.ap, 1.0) if key.startswith("ap") else (weather.f107, bundled.f107, 0.0)
        )
        ratio = (bundled.percentiles[key][place] + offset) / (middle[place] + offset)
        found[key] = np.where(predicted, np.maximum((own + offset) * ratio - offset, 0.0), own)
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


def _read(source: SpaceWeatherSource) -> SpaceWeather:
    if isinstance(source, SpaceWeather):
        return source
    if isinstance(source, tuple | Mapping):
        return _make_constant(source)
    if source == "bundled":
        return _make_series("bundled", read_records(configs_folder() / "space_weather" / "monthly.csv"))
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
    return SpaceWeather("constant", 0.0, flags=np.array([CONSTANT], np.uint8), percentiles={}, **columns)


def _make_series(name: str, records: IndexRecords) -> SpaceWeather:
    """Make daily values from the first record to the last, interpolated linearly between records."""
    half = np.where(records.daily, 0.5, 14.0)  # the first and last month reach a fortnight about their middle
    first, last = np.floor(records.mjd[0] - half[0] + 0.5), np.ceil(records.mjd[-1] + half[-1] - 0.5)
    middle = first + 0.5 + np.arange(int(last - first))

    def interpolate(values: NDArray[np.float64]) -> NDArray[np.float64]:
        known = np.isfinite(values)
        return np.asarray(np.interp(middle, records.mjd[known], values[known]))

    source = np.clip(np.searchsorted(records.mjd, middle, side="left"), 0, len(records.mjd) - 1)
    flags = np.where(records.observed[source], 0, FORECAST).astype(np.uint8)
    seen = np.flatnonzero(records.observed)
    if len(seen):
        flags[middle <= records.mjd[seen[-1]] + 14.0 * (~records.daily[seen[-1]])] = 0
    f107, f107a = interpolate(records.f107), None
    if records.daily.any():
        days = records.mjd[records.daily]
        clean, spike = remove_flares(f107)
        # A forecast and months have no flares, and where they join the days a step may be steep.
        spike &= (flags == 0) & (middle >= days[0]) & (middle <= days[-1])
        f107 = np.where(spike, clean, f107)
        flags[spike] |= DESPIKED
        flags[_find_missing(name, records, middle)] |= FILLED
        f107a = _compute_running_mean(f107)
    if np.isfinite(records.f107a).any():
        f107a = interpolate(records.f107a)
    percentiles = {}
    for key in PERCENTILES if records.percentiles else ():
        middle_value = f107 if key.startswith("f107") else interpolate(records.ap)
        percentiles[key] = np.where(flags & FORECAST, interpolate(records.percentiles[key]), middle_value)
    ap = interpolate(records.ap)
    without_ap = (middle > records.mjd[np.isfinite(records.ap)].max() + half[-1]) & ((flags & FORECAST) != 0)
    if without_ap.any():  # CelesTrak's monthly predictions have no Ap: NASA's forecast of it is taken
        bundled = _read("bundled")
        ap[without_ap] = bundled.at(middle[without_ap]).ap
    return SpaceWeather(name, first, f107, f107 if f107a is None else f107a, ap, flags, percentiles)


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


def _continue_with(first: SpaceWeather, then: SpaceWeather, join: float) -> SpaceWeather:
    """Join one source up to a midnight (Modified Julian Date) and another source from there on."""
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
    near = slice(max(kept - _MEAN_DAYS, 0), kept)  # days whose mean reaches over the join
    f107a[near] = _compute_running_mean(f107)[near]
    own = first.percentiles or {key: first.ap if key.startswith("ap") else first.f107 for key in then.percentiles}
    percentiles = {key: splice(own[key], value) for key, value in then.percentiles.items()}
    return SpaceWeather(f"{first.source} + {then.source}", first.first_mjd, f107, f107a, ap, flags, percentiles)


def _compute_running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the centred 81-day mean, over fewer days at the ends of the series."""
    total = np.append(0.0, np.cumsum(values))
    day = np.arange(len(values))
    low, high = np.maximum(day - _MEAN_DAYS // 2, 0), np.minimum(day + _MEAN_DAYS // 2 + 1, len(values))
    return np.asarray((total[high] - total[low]) / (high - low))
