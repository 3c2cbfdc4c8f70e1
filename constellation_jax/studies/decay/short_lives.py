"""Lives of a year and less in daily steps, however long the span: a storm that ends a life must not be averaged over ten days.

The march over the span, in steps of up to ten days, finds who lives shortly; these objects are integrated once more over the part
of the calendar that their lives take, so that neither lifetimes nor tracks depend on the span asked for.
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
"""Longest life that is integrated in daily steps. From one to three years steps of 1 and of 10 days differ by 0.3 % at most."""
DAILY: Final = 1.0
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


def find_short_lives(objects: Objects, lifetime: Floats, first: float, row_days: float) -> list[CalendarPart]:
    """Find the objects that live no longer than `SHORT_DAYS`, in parts that begin and end at rows of the tracks.

    Args:
        objects: with their epochs.
        lifetime: days, shape (satellites,).
        first: first day of the tracks, Modified Julian Date, a whole day.
        row_days: whole days from one row of the tracks to the next.
    """
    short = np.flatnonzero(lifetime <= SHORT_DAYS)
    window = np.floor((objects.mjd[short] - first) / _WINDOW_DAYS)
    parts = []
    for k in np.unique(window):
        members = short[window == k]
        begin = first + np.floor(k * _WINDOW_DAYS / row_days) * row_days
        days = (objects.mjd[members] + 1.1 * lifetime[members]).max() + _MARGIN_DAYS - begin
        parts.append(CalendarPart(members, begin, begin + np.ceil(days / row_days) * row_days, DAILY))
    return parts


def refine_short_lives(
    objects: Objects, found: Decay, weather: SpaceWeather, first: float, row_days: float
) -> list[CalendarPart]:
    """Replace lifetimes and tracks of the objects that live shortly by those of daily steps, in place.

    Args:
        objects: all of them.
        found: their decay in longer steps, with or without tracks.
        weather: space weather of the span.
        first, row_days: as for `find_short_lives`.

    Returns:
        The parts of the calendar in which these objects were integrated.
    """
    parts = find_short_lives(objects, found.lifetime_days, first, row_days)
    for part in parts:
        keep = round(row_days / part.step) if found.tracks else 0
        series = make_series(weather, part.first, part.end, part.step)[0]
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
    return parts
