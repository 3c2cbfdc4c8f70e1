"""Pieces of a history in which the ballistic coefficient is constant: change points in ln B of its increments.

Sets are grouped into increments that sink by four times the noise of the sets or more. Their ln B is cut into the pieces whose sum
of squares about their means, in units of the variance of successive increments, plus a penalty for each cut is least: optimal
partitioning (Jackson et al., IEEE Signal Processing Letters 12, 105, 2005), with four times the penalty of the Bayesian information
criterion, because errors of the atmosphere last longer than an increment. Neighbours closer than a factor of 1.4 are one piece: so
much the atmosphere is wrong from month to month. Of passive satellites nearly none is cut then, of Starlinks that come down half.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_NOISES: Final = 4.0
"""Least sinking of an increment in units of the noise of the sets."""
_MOST_INCREMENTS: Final = 30
_FEWEST: Final = 3
"""Fewest increments in a piece."""
_PENALTY: Final = 8.0
"""Cost of a cut in units of ln(increments); a change of one parameter and its place have 2 in the criterion."""
_LEAST_SCATTER: Final = 0.1
"""Least standard deviation of ln B of an increment: that of the density over days."""
_LEAST_RATIO: Final = 1.4
"""Least ratio of the coefficients of neighbouring pieces."""


def find_pieces(mjd: Floats, semi_major_axis: Floats, integral: Floats) -> list[int]:
    """Find the first set of each piece of constant ballistic coefficient.

    Args:
        mjd: dates of the sets, ascending, shape (sets,).
        semi_major_axis: km, shape (sets,).
        integral: sinking at B = 1 from the first set to each, km, falling, shape (sets,).

    Returns:
        Positions of the first sets, ascending, the first of them 0.
    """
    ends = _group(mjd, semi_major_axis, integral)
    b = np.diff(semi_major_axis[ends]) / np.minimum(np.diff(integral[ends]), -1e-300)
    middle = float(np.median(b)) if len(b) else 0.0
    if len(b) < 2 * _FEWEST or middle <= 0.0:
        return [0]
    ln_b = np.log(np.maximum(b, 0.1 * middle))  # noise and manoeuvres leave increments that rise
    return [int(ends[k]) for k in _merge(ln_b, _partition(ln_b))]


def measure_noise(semi_major_axis: Floats, integral: Floats) -> float:
    """Measure the noise of sets, km: their median distance from the straight line in the integral through their neighbours."""
    if len(integral) < 3:
        return 0.0
    gap = np.minimum(integral[2:] - integral[:-2], -1e-300)
    weight = (integral[1:-1] - integral[:-2]) / gap
    off = semi_major_axis[1:-1] - (1.0 - weight) * semi_major_axis[:-2] - weight * semi_major_axis[2:]
    return float(1.4826 * np.median(np.abs(off) / np.sqrt(1.0 + weight**2 + (1.0 - weight) ** 2)))


def _group(mjd: Floats, a: Floats, integral: Floats) -> NDArray[np.intp]:
    """Positions of the sets at which increments begin and end."""
    days = max(1.0, float(mjd[-1] - mjd[0]) / _MOST_INCREMENTS)
    slope = (a[-1] - a[0]) / min(float(integral[-1] - integral[0]), -1e-300)
    sunk, least = np.abs(slope) * (integral[0] - integral), _NOISES * measure_noise(a, integral)
    ends = [0]
    for k in range(1, len(mjd)):
        if mjd[k] - mjd[ends[-1]] >= days and sunk[k] - sunk[ends[-1]] >= least:
            ends.append(k)
    if len(ends) > 1:
        ends[-1] = len(mjd) - 1  # what is left over belongs to the last one
    return np.array(ends, np.intp)


def _partition(values: Floats) -> list[int]:
    """Cut values into pieces of least cost; positions where they begin, and the number of values."""
    n = len(values)
    variance = max(1.4826 * float(np.median(np.abs(np.diff(values)))) / np.sqrt(2.0), _LEAST_SCATTER) ** 2
    total, squares = (np.append(0.0, np.cumsum(v)) for v in (values, values**2))
    penalty = _PENALTY * np.log(n)
    cost, before = np.full(n + 1, np.inf), np.zeros(n + 1, np.intp)
    cost[0] = -penalty
    for end in range(_FEWEST, n + 1):
        begin = np.arange(end - _FEWEST + 1)
        about = squares[end] - squares[begin] - (total[end] - total[begin]) ** 2 / (end - begin)
        whole = cost[begin] + about / variance + penalty
        before[end] = int(np.argmin(whole))
        cost[end] = whole[before[end]]
    cuts = [n]
    while cuts[-1]:
        cuts.append(int(before[cuts[-1]]))
    return cuts[::-1]


def _merge(values: Floats, cuts: list[int]) -> list[int]:
    """Join the closest neighbours until all are apart; positions where pieces begin."""
    while len(cuts) > 2:
        means = np.array([values[a:b].mean() for a, b in pairwise(cuts)])
        apart = np.abs(np.diff(means))
        closest = int(np.argmin(apart))
        if apart[closest] >= np.log(_LEAST_RATIO):
            break
        del cuts[closest + 1]
    return cuts[:-1]
