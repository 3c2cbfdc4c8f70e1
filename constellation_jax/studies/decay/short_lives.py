"""Lives in daily steps, however long the span: a storm that ends a life must not be averaged over ten days.

Density grows less than in proportion to Ap, so that means of the indices over longer steps make every life shorter: lives of 1 to
10 years by 0.5 to 3 % in steps of 10 days, and by less than 0.5 % in steps of 2 days (daily indices of 2000 to 2026). The march
over the span, in steps of up to ten days, finds who re-enters; these objects are integrated once more in daily steps over the part
of the calendar that their lives take. So neither lifetimes nor tracks depend on the span asked for.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Decay, Floats, Objects, run
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import YEAR_DAYS
from constellation_jax.studies.decay.inputs import make_series

SHORT_DAYS: Final = YEAR_DAYS
"""Longest life that is integrated in daily steps in any case."""
LONG_DAYS: Final = 10.0 * YEAR_DAYS
"""Longest life that is integrated in daily steps where the indices vary from day to day."""
DAILY: Final = 1.0
_DAILY_AP: Final = 1.0
"""Change of Ap from one day to the next that no monthly mean and no forecast of one has."""
_WINDOW_DAYS: Final = 360.0
"""Span of the epochs that share one series of the atmosphere."""
_MARGIN_DAYS: Final = 30.0


class CalendarPart(NamedTuple):
    """Objects that share a part of the calendar and its steps."""

    members: NDArray[np.intp]
    """Positions of the objects."""
    first: float
    """First day, Modified Julian Date."""
    end: float
    """Last day, Modified Julian Date."""
    step: float
    """Length of a step, days."""


def find_short_lives(
    objects: Objects, lifetime: Floats, first: float, row_days: float, longest: float = SHORT_DAYS
) -> list[CalendarPart]:
    """Find the objects that live no longer than so many days, in parts that begin and end at rows of the tracks.

    Args:
        objects: with their epochs.
        lifetime: days, shape (satellites,).
        first: first day of the tracks, Modified Julian Date, a whole day.
        row_days: whole days from one row of the tracks to the next.
        longest: days.
    """
    short = np.flatnonzero(lifetime <= longest)
    window = np.floor((objects.mjd[short] - first) / _WINDOW_DAYS)
    parts = []
    for k in np.unique(window):
        members = short[window == k]
        begin = first + np.floor(k * _WINDOW_DAYS / row_days) * row_days
        days = (objects.mjd[members] + 1.1 * lifetime[members]).max() + _MARGIN_DAYS - begin
        parts.append(CalendarPart(members, begin, begin + np.ceil(days / row_days) * row_days, DAILY))
    return parts


def refine_short_lives(
    objects: Objects, found: Decay, weather: SpaceWeather, first: float, end: float, row_days: float, *, model: str
) -> None:
    """Replace lifetimes and tracks of the objects that re-enter soon by those of daily steps, in place.

    Args:
        objects: all of them.
        found: their decay in longer steps, with or without tracks.
        weather: space weather of the span.
        first, end: first and last day of the span, Modified Julian Dates.
        row_days: as for `find_short_lives`.
        model: model of the atmosphere, as in `load_atmosphere`.
    """
    varies = np.abs(np.diff(weather.resample(first, end, DAILY).ap)).max(initial=0.0) > _DAILY_AP
    longest = LONG_DAYS if varies else SHORT_DAYS
    for part in find_short_lives(objects, found.lifetime_days, first, row_days, longest):
        keep = round(row_days / part.step) if found.tracks else 0
        series = make_series(weather, part.first, part.end, part.step, model=model)[0]
        fine = run(objects.take(part.members), series, keep=keep)
        down = np.isfinite(fine.lifetime_days)
        members = part.members[down]
        found.lifetime_days[members] = fine.lifetime_days[down]
        row = round((part.first - first) / row_days)
        for name, values in fine.tracks.items():
            track = found.tracks[name]
            track[:, members] = np.nan
            rows = min(len(values), len(track) - row)
            track[row : row + rows, members] = values[:rows, down]
