"""Number of Chebyshev nodes that a satellite needs in a chunk, from the sizes of its coefficients. NumPy on the host."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

NODE_COST, CHECK_COST = 0.005, 0.03
"""Cost of one node in the interpolation of one state, and of the check of a state's polynomial, in evaluations. Measured on two
threads of a CPU with AVX-512."""
LAST = 4
"""Number of last coefficients checked in every chunk: in near-circular motion those of one parity can be small by chance."""
LOW_ORBIT_KM = 7000.0
MOST_NODES = 48
"""Largest number of nodes: to measure the coefficients takes time, and over two hours low orbits need 20 to 40."""
SAMPLE = 512
"""Satellites of a regime that its number of nodes is chosen by."""
BEYOND = 6
"""Coefficients beyond the chosen number that show of every satellite what the polynomial leaves out. What lies beyond them as well
is a hundredth of the tolerance where these keep to a quarter of it, for each is a third of the one before or less."""


def node_spread(half_span: float, tolerance: float, rate: float) -> float:
    """Distance by which `chebyshev.spread` moves the nodes of a chunk: its argument `by`.

    With N of them the map itself costs an error of eps = exp(-N arcosh(1/b)) of the amplitude (Kosloff and Tal-Ezer 1993,
    section 3), so b = sech(ln(1/eps) / N). N is what low orbits need at either tolerance, fitted to within one from 10 minutes to
    four hours.

    Args:
        half_span: of the chunk, minutes.
        tolerance: largest error, km.
        rate: `Regime.node_rate`, rad/min.
    """
    return 1.0 / math.cosh(math.log(20.0 * LOW_ORBIT_KM / tolerance) / (7.5 + 4.35 * (rate * half_span)))


def most_nodes(instants: int) -> int:
    """Largest number of nodes with which interpolating a chunk of so many instants is quicker than evaluating each."""
    return min(instants, MOST_NODES, int((1.0 - CHECK_COST) / (1.0 / instants + NODE_COST)))


def may_suffice(
    semi_major_axis: NDArray[np.float64], angle: NDArray[np.float64], instants: int, tolerance: float, spread: float
) -> NDArray[np.bool_]:
    """True where it is worth measuring the coefficients of a satellite: the others need more nodes than `most_nodes`.

    A circular orbit of radius a that turns by 2 x in a chunk has the coefficients 2 a J_k(x), and any orbit has its main part.
    J_k(x) >= (x/2)^k / k! (1 - (x/2)^2 / (k + 1)) (DLMF 10.2.2), which grows up to (x/2)^2 = k/2 at least, as J_k does; and for
    x > k the coefficients do not fall at all. Between spread nodes it counts in the first of these by their largest distance.

    Args:
        semi_major_axis: km, shape (satellites,).
        angle: x, rad.
        instants: in a chunk.
        tolerance: largest error, km.
        spread: of the nodes; see `node_spread`.
    """
    k = most_nodes(instants)
    half = np.minimum(0.5 * angle * spread / math.asin(spread), math.sqrt(0.5 * k))
    first_left_out = 2.0 * semi_major_axis * half**k / math.factorial(k) * (1.0 - half**2 / (k + 1))
    return np.asarray((first_left_out <= tolerance) & (angle <= k)) & (k >= 4)


def choose_node_count(size: NDArray[np.float64], instants: int, tolerance: float) -> int:
    """Number of nodes with which a group of satellites is computed most cheaply; 0: to evaluate each instant is cheaper.

    Args:
        size: of each coefficient of the polynomial through as many nodes as a chunk can have, km, shape (nodes, satellites);
            inf for a satellite that may not be interpolated.
        instants: in a chunk.
        tolerance: largest error, km.
    """
    left_out = np.cumsum(size[::-1], axis=0)[::-1]  # by a polynomial with k coefficients
    enough = left_out <= 0.25 * tolerance
    need = np.where(enough.any(axis=0), np.argmax(enough, axis=0), len(size))
    counts = np.arange(4, min(most_nodes(instants), len(size) - 1) + 1, 2)
    share = np.array([np.mean(need <= count) for count in counts])
    # nodes that are evaluated, their interpolation, and what is left for evaluation at each instant
    cost = share * (counts / instants + NODE_COST * counts + CHECK_COST) + (1.0 - share)
    return int(counts[np.argmin(cost)]) if cost.min() < 1.0 else 0


def limit_tail(size: NDArray[np.float64], tolerance: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Satellites for which a number of nodes suffices, and the sum of their `LAST` coefficients from which it may not, km.

    Args:
        size: of the `LAST` coefficients of so many nodes and of those beyond, km, shape (LAST + beyond, satellites).
        tolerance: largest error, km.
    """
    last, left_out = size[:LAST].sum(axis=0), size[LAST:].sum(axis=0)
    suffices = left_out <= 0.25 * tolerance
    # where the last coefficients of a chunk are larger than here, what is left out grows in proportion
    growth = np.minimum(0.5 * tolerance / np.maximum(left_out, 1e-12), 10.0)
    return suffices, np.where(suffices, last, 0.0) * np.where(suffices, growth, 0.0)


def coefficient_sizes(
    matrix: NDArray[Any], position: Iterable[NDArray[Any]], others: Iterable[NDArray[Any]] = ()
) -> NDArray[Any]:
    """Sizes of the coefficients that a matrix makes of values at nodes, km, shape (coefficients, satellites).

    Args:
        matrix: shape (coefficients, nodes).
        position: x, y and z, arrays of shape (nodes, satellites), km.
        others: further lengths that count, of the same shape.
    """
    size = np.sqrt(sum((matrix @ values) ** 2 for values in position))
    for values in others:
        size = size + np.abs(matrix @ values)
    return np.asarray(size)
