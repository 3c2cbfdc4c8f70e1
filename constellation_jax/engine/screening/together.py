"""Slow pairs: all minima of their distance in a step, and intervals in which two objects stay together.

Docked modules, trains after a launch and formations come near at metres a second, where the distance may have several minima in a
step, or none for days. Below `TOGETHER_KM_S` consecutive steps within the threshold are one interval, of which the least distance
counts.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.screening.bounds import TOGETHER_KM_S, Bounds
from constellation_jax.engine.screening.pairs import Candidates
from constellation_jax.engine.screening.refine import Encounters, approach, encounters_at
from constellation_jax.engine.screening.state_lists import StateLists

_SAMPLES: Final = 5
"""Instants of a step at which the distance of a slow pair is computed: it changes over a good part of a revolution."""


class Intervals(NamedTuple):
    """Intervals in which two objects are together, arrays of shape (intervals,)."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    begin: NDArray[np.int32]
    """First step."""
    end: NDArray[np.int32]
    """Last step."""
    seconds: NDArray[np.float64]
    """Instant of the least distance, since the start of the span."""
    distance: NDArray[np.float64]
    """Least distance, km."""


def examine_slow(
    lists: StateLists, slow: Candidates, middles: NDArray[np.float64], span_s: float, bounds: Bounds
) -> tuple[Encounters, Intervals]:
    """Find the minima of slow pairs that are faster than `TOGETHER_KM_S`, and the steps in which the others are together.

    Args:
        lists: states of the objects.
        slow: candidates.
        middles: instant of each candidate's step, s.
        span_s: length of the span, s.
        bounds: threshold and step.
    """
    half = bounds.half_step_s
    grid = np.clip(middles[:, None] + half * np.linspace(-1.0, 1.0, _SAMPLES), 0.0, span_s)
    first, second = (np.repeat(v, _SAMPLES) for v in (slow.first, slow.second))
    samples = encounters_at(lists, first, second, grid.ravel())
    distance, speed, closing = (v.reshape(-1, _SAMPLES) for v in (samples.distance, samples.speed, samples.closing))
    pair, place = np.nonzero((closing[:, :-1] < 0.0) & (closing[:, 1:] >= 0.0))
    left, right = closing[pair, place], closing[pair, place + 1]
    width = grid[pair, place + 1] - grid[pair, place]
    start = grid[pair, place] + width * left / (left - right)
    minima = approach(lists, slow.first[pair], slow.second[pair], start, width)
    # least distance of each step among samples and minima
    row = np.append(np.repeat(np.arange(len(grid)), _SAMPLES), pair)
    every = [np.append(a, b) for a, b in ((distance, minima.distance), (grid, minima.seconds), (speed, minima.speed))]
    order = np.lexsort((every[0], row))  # NaN comes last
    first_of_row = order[np.searchsorted(row[order], np.arange(len(grid)))]
    least, when, pace = (values[first_of_row] for values in every)
    near = (least <= bounds.distance_km) & (pace < TOGETHER_KM_S)
    passing = (minima.distance <= bounds.distance_km) & (minima.speed >= TOGETHER_KM_S)
    step = slow.step[near]
    together = Intervals(slow.first[near], slow.second[near], step, step, when[near], least[near])
    return minima.part(passing), join_intervals(together)


def join_intervals(parts: Intervals) -> Intervals:
    """Join intervals of one pair that follow each other."""
    order = np.lexsort((parts.begin, parts.second, parts.first))
    first, second, begin, end, seconds, distance = Intervals._make(values[order] for values in parts)
    if not len(first):
        return parts
    goes_on = (first[1:] == first[:-1]) & (second[1:] == second[:-1]) & (begin[1:] <= end[:-1] + 1)
    starts = np.flatnonzero(np.append(True, ~goes_on))
    group = np.cumsum(np.append(True, ~goes_on)) - 1
    nearest = np.lexsort((distance, group))[starts]  # the groups lie where they are, each by distance now
    return Intervals(
        first[starts],
        second[starts],
        begin[starts],
        np.maximum.reduceat(end, starts),
        seconds[nearest],
        distance[nearest],
    )
