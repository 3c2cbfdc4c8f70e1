"""Forecasts of solar activity joined to the present level of the Sun, with the errors that past forecasts had.

A published forecast (MSAFE, the monthly predictions of CelesTrak) is a mean over 13 months. The Sun of the day stands elsewhere,
and its distance from the forecast lasts: that of the last rotation for some months, that of the last 81 days for years. With
y = ln(F10.7 - 50), or ln(Ap + 1), m the forecast, x27 and x81 the means of the last 27 and 81 observed days and t the lead time,

    y(t) = m(t) + a exp(-t / A) (x27 - x81) + b exp(-t / B) (x81 - m(0)).

The error of a 27-day mean about that is the sum of a level, which holds for a solar cycle and whose standard deviation is the
forecast's own times w (1 - exp(-t / W)), and of noise with a standard deviation of s (1 - exp(-2 (t + 7 d) / S))^1/2 and
a correlation of exp(-t / S). A cycle may begin 14 months earlier or later (one standard deviation) than its forecast: where the
forecast rises, the level may be off by as much as it changes in that time. Days scatter about their 27-day mean, in F10.7 with
the rotation of the Sun.

The constants are fits to the 238 issues of MSAFE from March 1999 to December 2018 against what was observed to October 2026, up to
leads of ten years: scripts/fit_forecast.py, which prints them with their errors in years that were left out. Deliberately absent:
the mean error of those issues at leads of years, which is that of one weak cycle.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

PRESENT_DAYS: Final = (27, 81)
"""Days whose means are the present level: a rotation of the Sun, and three of them."""
QUANTILE_95: Final = 1.6448536
"""Standard normal quantile of the 95th percentile."""
ONSET_DAYS: Final = 426
"""Standard deviation of the beginning of a solar cycle, days: 14 months, as the lengths of cycles 1 to 24 (Hathaway, Living Rev.
Sol. Phys. 12, 4, 2015). NASA's issues of 2006 and 2007 let cycle 24 begin some two years early."""
_MEAN_DAYS: Final = 81
_WEEK: Final = 7.0


class ForecastLaw(NamedTuple):
    """Constants of an index: the join of its forecast to the present level, and the errors that past forecasts had."""

    offset: float
    """Added to the index before its logarithm is taken."""
    limits: tuple[float, float]
    """Least and largest value of a day without flares."""
    recent: float
    """a: share of the distance of the last rotation from the last three."""
    recent_days: float
    """A, days."""
    lasting: float
    """b: share of the distance of the last three rotations from the forecast."""
    lasting_days: float
    """B, days."""
    widening: float
    """w: error of the level of a cycle in units of that of the forecast's percentiles."""
    widening_days: float
    """W, days."""
    noise: float
    """s: standard deviation of a 27-day mean about that level."""
    noise_days: float
    """S, days."""

    def scale(self, index: ArrayLike) -> Floats:
        """Compute y of an index: ln(index + offset), of at least half a unit."""
        return np.asarray(np.log(np.maximum(np.asarray(index, np.float64) + self.offset, 0.5)))

    def unscale(self, y: ArrayLike) -> Floats:
        """Compute the index of y, within what there can be."""
        return np.clip(np.exp(y) - self.offset, *self.limits)

    def relax(self, forecast: Floats, lead: Floats, recent: tuple[float, float], then: float) -> Floats:
        """Relax an index from its present level to a forecast.

        Args:
            forecast: values of the forecast, shape (days,).
            lead: days from the last observed one to each, shape (days,).
            recent: means of the last 27 and 81 observed days.
            then: value of the forecast at the last observed day.
        """
        rotation, three = self.scale(recent)
        y = self.scale(forecast)
        y += self.recent * np.exp(-lead / self.recent_days) * (rotation - three)
        y += self.lasting * np.exp(-lead / self.lasting_days) * (three - self.scale(then))
        return self.unscale(y)

    def widen(self, distance: Floats, forecast: Floats, lead: Floats, side: int) -> Floats:
        """Widen the distances of percentiles from the median, in y, by the errors of past forecasts. Shapes (days,).

        Args:
            distance: of the 5th or 95th percentile of the forecast.
            forecast: the forecast of each day.
            lead: days from the last observed one.
            side: -1 for the 5th percentile, 1 for the 95th.
        """
        level = self.widening * (1.0 - np.exp(-lead / self.widening_days)) * distance
        onset = find_change_by_onset(self.scale(forecast), side)
        return side * np.sqrt(level**2 + onset**2 + (QUANTILE_95 * self.noise_at(lead)) ** 2)

    def noise_at(self, lead: Floats) -> Floats:
        """Compute the standard deviation of the noise of a 27-day mean, in y, at lead times in days."""
        return self.noise * np.sqrt(1.0 - np.exp(-2.0 * (lead + _WEEK) / self.noise_days))


LAWS: Final = {
    "f107": ForecastLaw(-50.0, (64.0, 400.0), 0.554, 180.0, 0.605, 4018.0, 0.754, 20.2, 0.191, 41.0),
    "ap": ForecastLaw(1.0, (0.0, 400.0), 0.631, 45.4, 0.796, 4018.0, 1.73, 245.0, 0.390, 63.7),
}
"""Laws of the indices, by column of the space weather. In the years left out of the fit 27-day means of F10.7 are off by 9 % (rms)
after a fortnight, 12 % after two months and 13 % after half a year, where the issues themselves are off by 12, 13 and 14 %; of Ap
by 33, 42 and 47 % for 41, 46 and 51 %. From a year on the join changes nothing. Stated 5 to 95 % bands held 86 to 95 % at every
lead; of the issues of 2007, which let the new cycle begin at once, 48 %. `recent_days` and `lasting_days` of F10.7 are the ends of
their ranges, half a year and a cycle: twenty years bound neither. The limits of F10.7: 64.0 on 2019-10-21 is the least, and no day
without a flare reached 400, since 1947."""
_ROTATION_DAYS: Final = 27.0
_SCATTER: Final = {"f107": (0.205, 0.9675 * np.exp(2j * np.pi / _ROTATION_DAYS)), "ap": (0.65, 0.48)}
"""Scatter of days about their 27-day mean in ln(F10.7 - 50) and ln(Ap + 1), and what is left of it on the next day (complex: it
turns with the Sun), observed 1957 to 2026: autocorrelations of F10.7 0.91, -0.59 and 0.41 after 1, 10 and 27 days, of Ap 0.48 and
0.13 after 1 and 2 days. By level it is the same within a tenth, but for F10.7 below 85 (`_quiet_share`)."""


def find_change_by_onset(y: Floats, side: int) -> Floats:
    """Compute how far a forecast would lie below (`side` -1) or above (1) itself, were a rise later or earlier. Shape (days,).

    The least of the days before or the greatest of the days after, as far as the 5th and the 95th percentile of the onset
    reach, and no further than the lead time: the present is known. A decline is left as it is.
    """
    reach = round(QUANTILE_95 * ONSET_DAYS)
    padded = np.pad(y, (reach, 0) if side < 0 else (0, reach), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, reach + 1)
    if side < 0:
        return np.asarray(y - windows.min(axis=1))
    within = np.arange(reach + 1) <= np.arange(len(y))[:, None]
    return np.asarray(windows.max(axis=1, where=within, initial=-np.inf) - y)


def compute_running_mean(values: Floats) -> Floats:
    """Compute the centred 81-day mean along the last axis, over fewer days at the ends of the series."""
    total = np.concatenate([np.zeros((*values.shape[:-1], 1)), np.cumsum(values, axis=-1)], axis=-1)
    day = np.arange(values.shape[-1])
    low, high = np.maximum(day - _MEAN_DAYS // 2, 0), np.minimum(day + _MEAN_DAYS // 2 + 1, values.shape[-1])
    return np.asarray((total[..., high] - total[..., low]) / (high - low))


def draw_levels(z: Floats, noise_share: Floats, law: ForecastLaw, random: np.random.Generator) -> Floats:
    """Draw standard normal paths: a level that each member keeps, and noise that is correlated over some months.

    Args:
        z: level of each member, standard normal, shape (members,).
        noise_share: standard deviation of the noise in that of the sum, 0 to 1, shape (days,).
        law: of the index.
        random: generator of the noise.

    Returns:
        Shape (members, days). In every day's noise the members have mean 0 and standard deviation 1, so that percentiles
        are right for few members too.
    """
    days = np.arange(len(noise_share))
    start = np.sqrt(1.0 - np.exp(-2.0 * _WEEK / law.noise_days))
    noise = _draw_noise(len(z), len(days), float(start), float(np.exp(-1.0 / law.noise_days)), random)
    if len(z) > 1:
        noise -= noise.mean(axis=0)
    noise /= noise.std(axis=0) if len(z) > 4 else np.sqrt(1.0 - np.exp(-2.0 * (days + _WEEK) / law.noise_days))
    return np.sqrt(1.0 - noise_share**2) * z[:, None] + noise_share * noise


def scatter_days(level: Floats, key: str, random: np.random.Generator) -> Floats:
    """Scatter days about a 27-day mean, which stays their mean. Shapes (members, days).

    Args:
        level: 27-day means of the index.
        key: "f107" or "ap".
        random: generator of the scatter.
    """
    law, (sigma, keep) = LAWS[key], _SCATTER[key]
    noise = _draw_noise(level.shape[0], level.shape[1], 1.0, keep, random)
    size = sigma * (_quiet_share(level) if key == "f107" else 1.0)
    factor = np.exp(size * noise - 0.5 * size**2)
    return np.clip((level + law.offset) * factor - law.offset, *law.limits)


def _quiet_share(f107: Floats) -> Floats:
    """Share of the scatter of days that a quiet Sun has: 0.084 of 0.205 at 66, 0.166 at 78 (1957 to 2026)."""
    return np.asarray(np.interp(f107, [64.0, 85.0], [0.35, 1.0]))


def _draw_noise(members: int, days: int, start: float, keep: complex, random: np.random.Generator) -> Floats:
    """Draw autoregressive noise of order 1, shape (members, days): the real part of one that oscillates where `keep` is complex.

    Its standard deviation is `start` on the first day and 1 in the long run.
    """
    shocks = random.standard_normal((days, members, 2)).view(np.complex128)[..., 0]
    shocks[0] *= start
    shocks[1:] *= np.sqrt(1.0 - abs(keep) ** 2)
    shift = 1
    while shift < days and abs(keep) ** shift > 1e-12:  # doubles the days that each sum reaches back
        shocks[shift:] = shocks[shift:] + keep**shift * shocks[:-shift]
        shift *= 2
    return np.ascontiguousarray(shocks.real.T)
