"""Daily solar and geomagnetic indices, F10.7, its 81-day mean and Ap, with a flag for the origin of each value.

Values at instants, means over steps, scenarios, ensembles, and the solar cycle that repeats beyond the forecast.
Deliberately absent: the reading of files (space_weather.py) and the three-hourly ap of storms.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from statistics import NormalDist
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.forecast import (
    LAWS,
    QUANTILE_95,
    compute_running_mean,
    draw_levels,
    scatter_days,
)
from constellation_jax.inputs.times import format_date, to_mjd, today

FORECAST: Final = 1
"""Flag of a predicted value."""
REPEATED: Final = 2
"""Flag of a value beyond the forecast: that of the same day one or more solar cycles before."""
DESPIKED: Final = 4
"""Flag of an F10.7 with a flare, replaced by the median of its neighbours."""
CONSTANT: Final = 8
"""Flag of a constant of the user."""
FILLED: Final = 16
"""Flag of a day without F10.7 or Ap in the source, interpolated between its neighbours."""
FLAGS: Final = {
    FORECAST: "forecast",
    REPEATED: "repeated_cycle",
    DESPIKED: "despiked",
    CONSTANT: "constant",
    FILLED: "filled",
}
"""Name of each bit of a flag, for the attribute `flag_meanings`."""

CYCLE_DAYS: Final = 4018
"""Length of a solar cycle: 11 years. The mean of cycles 1 to 24 is 131.7 months (Hathaway, Living Rev. Sol. Phys. 12, 4, 2015)."""
SCENARIOS: Final = ("low", "median", "high")
"""Scenarios of solar activity: the 5th, 50th and 95th percentile of the forecast."""


class Indices(NamedTuple):
    """Solar and geomagnetic indices at given times, arrays of shape (times,), or (members, times) for an ensemble."""

    mjd: NDArray[np.float64]
    """Modified Julian Dates (UTC), shape (times,)."""
    f107: NDArray[np.float64]
    """Observed 10.7 cm solar flux, solar flux units."""
    f107a: NDArray[np.float64]
    """81-day mean of F10.7, solar flux units."""
    ap: NDArray[np.float64]
    """Planetary daily Ap."""
    flags: NDArray[np.uint8]
    """Origin of each value, a sum of `FLAGS`; 0 for an observed one. Shape (times,)."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class SpaceWeather:
    """Daily F10.7 and Ap. Build one with `SpaceWeather.load`.

    Arrays have shape (days,); of an ensemble f107, f107a and ap have (members, days).
    """

    source: str
    """Name of the source, such as that of its file."""
    first_mjd: float
    """Modified Julian Date (UTC) of the first day's midnight."""
    f107: NDArray[np.float64]
    """Observed 10.7 cm solar flux of each day (not adjusted to 1 au), solar flux units, without flares."""
    f107a: NDArray[np.float64]
    """Centred 81-day mean of F10.7; equal to f107 where only monthly means are known."""
    ap: NDArray[np.float64]
    """Planetary daily Ap."""
    flags: NDArray[np.uint8]
    """Origin of the value of each day, a sum of `FLAGS`; 0 for an observed one."""
    percentiles: Mapping[str, NDArray[np.float64]]
    """5th (low) and 95th (high) percentiles of the 27-day mean about each day, by column name; empty where the source has none."""
    joined_mjd: float = float("nan")
    """Modified Julian Date from which a forecast relaxes from the present level, with percentiles as wide as past forecasts missed;
    NaN where there is none, or where it stands as its source has it."""

    @classmethod
    def load(
        cls,
        source: SpaceWeatherSource = "bundled",
        *,
        forecast: SpaceWeatherSource | None = None,
        scenario: str = "median",
    ) -> SpaceWeather:
        """Load solar and geomagnetic activity from the bundled table, a file or constants.

        A forecast of means over 13 months (NASA's, CelesTrak's monthly one) relaxes from the level of the last observed days, and
        has percentiles as wide as past forecasts missed (`forecast.py`); the values of a table of your own stay as they are. Days
        of flares, whose F10.7 lies outside 0.7 to 1.5 times the median of the 15 days about them, are given that median
        before the 81-day mean is taken. A day without F10.7 or Ap is interpolated, flagged (`FLAGS`) and warned of.

        Args:
            source: "bundled", the monthly table observed since 1957 with NASA's forecast to 2041; "celestrak", CelesTrak's current
                table, downloaded at most once in two hours; the path of a file (CelesTrak's SW-All.csv or sw19571001.txt, GFZ's
                Kp_ap_Ap_SN_F107_since_1932.txt, an MSAFE forecast, or a CSV with the columns date, f107, ap and, where known,
                f107a, kind, f107_low, f107_high, ap_low, ap_high; date is a day such as 2026-08-23 or a month such as 2026-08); or
                constants, (f107, ap) or {"f107": .., "f107a": .., "ap": ..}.
            forecast: a second source, which takes over after the last observed day of the first.
            scenario: "low", "median" or "high" of the forecast.

        Raises:
            InputError: an unreadable source; the message has file, line, found and expected values.
        """
        from constellation_jax.inputs.environment.space_weather import read_sources  # which builds one of these

        return read_sources(source, forecast).scenario(scenario)

    @property
    def last_mjd(self) -> float:
        """Modified Julian Date of the midnight that ends the last day."""
        return self.first_mjd + len(self.flags)

    @property
    def last_observed_mjd(self) -> float:
        """Modified Julian Date of the midnight that ends the last observed day; first_mjd if there is none."""
        observed = np.flatnonzero((self.flags & (FORECAST | REPEATED | CONSTANT)) == 0)
        return self.first_mjd + (float(observed[-1]) + 1.0 if len(observed) else 0.0)

    @property
    def members(self) -> int | None:
        """Size of the ensemble; None for a single series."""
        return len(self.f107) if self.f107.ndim == 2 else None

    def __repr__(self) -> str:
        if self.flags[0] & CONSTANT:
            return f"<SpaceWeather constant: F10.7 {self.f107[0]:g}, 81-day mean {self.f107a[0]:g}, Ap {self.ap[0]:g}>"
        first, observed, last = (
            format_date(m) for m in (self.first_mjd, self.last_observed_mjd - 1, self.last_mjd - 1)
        )
        members = f", {self.members} members" if self.members else ""
        return f"<SpaceWeather {self.source}: {first} to {last}, observed to {observed}{members}>"

    def at(self, mjd: ArrayLike) -> Indices:
        """Interpolate the indices linearly between the middles of the days.

        F10.7 is that of the day before, as NRLMSISE-00 takes it; the 81-day mean and Ap are those of the time itself.

        Args:
            mjd: Modified Julian Dates (UTC), shape (times,), any order.

        Raises:
            InputError: a time before the first day, or beyond the last of a source that is shorter than a solar cycle.
        """
        times = np.atleast_1d(np.asarray(mjd, dtype=np.float64))
        lag = 0.0 if self.flags[0] & CONSTANT else 1.0
        self._count_days(times.min(), times.max())
        return Indices(
            times,
            self._interpolate(self.f107, times - lag),
            self._interpolate(self.f107a, times),
            self._interpolate(self.ap, times),
            self._flags(np.floor(times - self.first_mjd).astype(np.int64)),
        )

    def resample(self, start: float, stop: float, step: float) -> Indices:
        """Average the indices over steps that begin at start, start + step, ... before stop.

        Args:
            start, stop: Modified Julian Dates (UTC).
            step: days.

        Returns:
            Indices whose mjd are the beginnings of the steps; a flag has the bits of all days of its step.

        Raises:
            InputError: as `at`; or a step or a span that is not positive.
        """
        if not (step > 0 and stop > start):
            raise InputError(f"space weather from {start} to {stop} by {step} days: expected start < stop and step > 0")
        begin = start + step * np.arange(int(np.ceil((stop - start) / step - 1e-9)))
        edges = np.append(begin, begin[-1] + step) - self.first_mjd
        days = self._count_days(start, begin[-1] + step)
        flags = self._flags(np.arange(days))
        first, last = np.floor(edges[:-1]).astype(np.int64), np.ceil(edges[1:] - 1e-9).astype(np.int64)
        bits = [np.append(0, np.cumsum((flags & bit) != 0)) for bit in FLAGS]
        origins = sum(bit * (c[last] > c[first]) for bit, c in zip(FLAGS, bits, strict=True))
        means = [self._average(values, edges, days) for values in (self.f107, self.f107a, self.ap)]
        return Indices(np.asarray(begin), means[0], means[1], means[2], np.asarray(origins, dtype=np.uint8))

    def scenario(self, name: str) -> SpaceWeather:
        """Choose the forecast: "low", "median" or "high", the 5th, 50th and 95th percentile of every day.

        A future that is low (or high) on every day is less likely than the percentile says: these are bounds, not samples.

        Raises:
            InputError: an unknown name, or a source without percentiles.
        """
        if name not in SCENARIOS:
            raise InputError(f"scenario {name!r} of space weather: expected one of {', '.join(SCENARIOS)}")
        return self if name == "median" else self._at_quantile(np.array(-1.0 if name == "low" else 1.0))

    def ensemble(self, n: int, seed: int = 0) -> SpaceWeather:
        """Draw an ensemble of n equally likely futures from the percentiles.

        Each member has one level of activity for a solar cycle, one draw from each of n equal slices of a normal distribution, in
        random order, so that mean and spread are right for few members too. To a forecast that is joined to the present level
        belong noise of some months and the scatter of days besides, as observed in the past (`forecast.py`). Observed days are the
        same in all members. In the cycles repeated beyond the forecast every member continues with the level of another one,
        so that no activity lasts for ever.

        Args:
            n: number of members.
            seed: equal seeds give equal ensembles.

        Raises:
            InputError: n below 1, or a source without percentiles.
        """
        if n < 1:
            raise InputError(f"ensemble of {n} members: expected at least one")
        random = np.random.default_rng(seed)
        slices = (random.permutation(n) + random.random(n)) / n
        normal = NormalDist()
        z = np.array([normal.inv_cdf(min(max(p, 1e-9), 1 - 1e-9)) for p in slices.tolist()])
        if not (np.isfinite(self.joined_mjd) and self.percentiles):
            return self._at_quantile(z[:, None] / QUANTILE_95)
        found = self._at_quantile({key: self._draw_levels(z, key, random) / QUANTILE_95 for key in LAWS})
        predicted = np.flatnonzero(self.flags & FORECAST)
        days = {}
        for key in LAWS:
            values = np.array(np.broadcast_to(getattr(found, key), (n, len(self.flags))))
            values[:, predicted] = scatter_days(values[:, predicted], key, random)
            days[key] = values
        f107a = np.where(self._is_near_forecast(), compute_running_mean(days["f107"]), self.f107a)
        return dataclasses.replace(found, f107=days["f107"], f107a=f107a, ap=days["ap"])

    def observed_part(self, until: float = np.inf) -> SpaceWeather:
        """Cut the series off behind its last observed day, or before an earlier one: what was known then, for an honest hindcast.

        The 81-day means about the last 40 days are those of the days that are left. A constant stays as it is.

        Args:
            until: Modified Julian Date of the first day that is not known.

        Raises:
            InputError: no day is observed.
        """
        if self.flags[0] & CONSTANT:
            return self
        days = int(min(self.last_observed_mjd, until) - self.first_mjd)
        if days <= 0:
            raise InputError(f"space weather {self.source}: no day is observed")
        f107a = self.f107a[..., :days].copy()
        if len(self.flags) > days:
            f107a[..., -40:] = compute_running_mean(self.f107[..., :days])[..., -40:]
        return SpaceWeather(
            self.source, self.first_mjd, self.f107[..., :days], f107a, self.ap[..., :days], self.flags[:days], {}
        )

    def _draw_levels(self, z: NDArray[np.float64], key: str, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw the level of each member over time, standard normal in every day; shape (members, days)."""
        law, predicted = LAWS[key], np.flatnonzero(self.flags & FORECAST)
        low, high = (law.scale(self.percentiles[f"{key}_{side}"][predicted]) for side in ("low", "high"))
        spread = np.maximum((high - low) / (2.0 * QUANTILE_95), 1e-6)
        lead = self.first_mjd + predicted + 0.5 - self.joined_mjd
        share = np.clip(law.noise_at(np.maximum(lead, 0.0)) / spread, 0.0, 1.0)
        levels = np.zeros((len(z), len(self.flags)))
        levels[:, predicted] = draw_levels(z, share, law, random)
        return levels

    def _is_near_forecast(self) -> NDArray[np.bool_]:
        """True for days whose 81-day mean reaches into the forecast. Shape (days,)."""
        return np.convolve((self.flags & FORECAST) != 0, np.ones(81), "same") > 0

    def _at_quantile(self, level: NDArray[np.float64] | Mapping[str, NDArray[np.float64]]) -> SpaceWeather:
        """Compute the space weather at a level: -1 for the 5th, 0 the 50th, 1 the 95th percentile; or at one for each index.

        Between them ln(F10.7 - 50) and ln(1 + Ap) are linear (`ForecastLaw.scale`): an Ap of 0 is a number as any other.
        """
        if not self.percentiles:
            raise InputError(
                f"space weather {self.source}: it has no percentiles; give forecast='bundled' or an MSAFE file, or "
                "take scenario='median'"
            )
        if self.members:
            raise InputError("space weather: this is an ensemble already; build it from SpaceWeather.load(...)")

        def at_level(middle: NDArray[np.float64], key: str) -> NDArray[np.float64]:
            law, there = LAWS[key], level[key] if isinstance(level, Mapping) else level
            side = np.where(there < 0, self.percentiles[f"{key}_low"], self.percentiles[f"{key}_high"])
            y, step = law.scale(middle), law.scale(side) - law.scale(middle)
            return np.where(predicted, law.unscale(y + step * np.abs(there)), middle)

        predicted = (self.flags & FORECAST) != 0
        f107 = at_level(self.f107, "f107")
        # Forecast days hold smoothed means, whose 81-day mean is their own.
        f107a = np.where(predicted, self.f107a * (f107 / self.f107), self.f107a)
        return dataclasses.replace(self, f107=f107, f107a=f107a, ap=at_level(self.ap, "ap"), percentiles={})

    def _count_days(self, start: float, stop: float) -> int:
        """Count the days from the first of the series to stop, after a check that the series covers start to stop."""
        if not (np.isfinite(start) and np.isfinite(stop)):
            raise InputError("space weather: found a time that is not a number")
        if not self.flags[0] & CONSTANT:
            if start < self.first_mjd:
                raise InputError(
                    f"space weather {self.source}: begins on {format_date(self.first_mjd)}, found {format_date(start)}"
                )
            if stop > self.last_mjd and len(self.flags) < CYCLE_DAYS:
                raise InputError(
                    f"space weather {self.source}: ends on {format_date(self.last_mjd - 1)}, found {format_date(stop)}; "
                    "it is shorter than the solar cycle that would be repeated: give forecast='bundled'"
                )
        return max(int(np.ceil(stop - self.first_mjd)), 1)

    def _find_source_day(self, day: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Find the day of the series whose value each day takes, and the number of solar cycles between them."""
        count = len(self.flags)
        if count < CYCLE_DAYS:  # a constant, or a short series, which ends with its last day
            return np.clip(day, 0, count - 1), np.zeros_like(day)
        cycles = np.where(day >= count, (day - count) // CYCLE_DAYS + 1, 0)
        return np.maximum(day - cycles * CYCLE_DAYS, 0), cycles

    def _values(self, values: NDArray[np.float64], day: NDArray[np.int64]) -> NDArray[np.float64]:
        source, cycles = self._find_source_day(day)
        if values.ndim == 1:
            return values[source]
        member = (np.arange(len(values))[:, None] + cycles) % len(values)
        return np.asarray(values[member, source])

    def _flags(self, day: NDArray[np.int64]) -> NDArray[np.uint8]:
        source, cycles = self._find_source_day(day)
        return np.where(cycles > 0, self.flags[source] | REPEATED | FORECAST, self.flags[source]).astype(np.uint8)

    def _interpolate(self, values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        place = np.maximum(times - self.first_mjd - 0.5, 0.0)
        left = np.floor(place).astype(np.int64)
        weight = place - left
        return np.asarray((1.0 - weight) * self._values(values, left) + weight * self._values(values, left + 1))

    def _average(self, values: NDArray[np.float64], edges: NDArray[np.float64], days: int) -> NDArray[np.float64]:
        """Average daily values, each held for its day, between neighbouring edges (days since the first)."""
        series = self._values(values, np.arange(days))
        total = np.concatenate([np.zeros((*series.shape[:-1], 1)), np.cumsum(series, axis=-1)], axis=-1)
        whole = np.minimum(np.floor(edges).astype(np.int64), days - 1)
        at_edges = total[..., whole] + (edges - whole) * series[..., whole]
        return np.asarray(np.diff(at_edges, axis=-1) / np.diff(edges))


SpaceWeatherSource = str | Path | tuple[float, float] | Mapping[str, float] | SpaceWeather
"""Sources that `SpaceWeather.load` takes: "bundled", "celestrak", a path, constants, or a SpaceWeather."""


def describe_observed(weather: SpaceWeather) -> str:
    """Describe the age of space weather, such as "last observed day 2026-10-15, 44 days ago"."""
    if weather.last_observed_mjd <= weather.first_mjd:
        return "no day is observed"
    last = weather.last_observed_mjd - 1
    age = int(to_mjd(today()) - last)
    when = f", {age} day{'s' if age > 1 else ''} ago" if age > 0 else ""
    return f"last observed day {format_date(last)}{when}"
