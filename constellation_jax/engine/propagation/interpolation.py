"""Interpolation between Chebyshev nodes: which satellites, between how many nodes, and in which chunks it must not be used."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.propagation.node_count import (
    BEYOND,
    LAST,
    SAMPLE,
    choose_node_count,
    limit_tail,
    may_suffice,
    most_nodes,
    node_spread,
)
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.regimes.assign import Group
from constellation_jax.engine.regimes.regime import Ends, Regime
from constellation_jax.engine.state_variables import TURNING
from constellation_jax.engine.tiles import Tile
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Chunk, Grid, split
from constellation_jax.physics.numerics import chebyshev
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.elements import Elements

LONGEST_DENSE_MINUTES = 128.0
"""Longest chunk that is interpolated. Longer ones save evaluations, but each instant is a sum over all nodes: 60 to 128 minutes are
equally quick."""
DENSE_CHUNK = 512
"""Largest number of instants in a chunk that is interpolated."""
FLOAT32_NOISE_KM = 2e-3
"""Rounding in the last coefficients of float32 states; their size was measured in float64 before."""

Measure = Callable[[Regime, NDArray[np.bool_], list[Chunk], int, int], NDArray[np.float64]]
"""From a regime, some satellites of it, chunks, a number of nodes and a degree to the largest sizes of the coefficients, from that
degree on, of the satellites' polynomials through so many nodes, km, shape (nodes - degree, n); inf for a satellite that may not be
interpolated."""


class Interpolation:
    """Chebyshev interpolation of the satellites of a run.

    Args:
        grid: all instants.
        options: of the run.
        satellites: number of them.
    """

    def __init__(self, grid: Grid, options: Options, satellites: int) -> None:
        self._grid = grid
        self._options = options
        longest = min(LONGEST_DENSE_MINUTES, LONGEST_MINUTES[options.precision])
        self.layout = (longest, DENSE_CHUNK)
        """Longest span and most instants of a chunk that is interpolated."""
        steps, most = len(grid), self.layout[1]
        samples: list[Chunk] = []
        if options.dense and not TURNING & set(options.variables):
            samples = [split(grid, i, min(i + most, steps), *self.layout)[0] for i in sorted({0, max(0, steps - most)})]
        self._samples = [chunk for chunk in samples if len(chunk) > 8 and chunk.half_span > 0.0]
        """Chunks at the ends of the grid, which the number of nodes is measured in."""
        self._most_instants = max((len(chunk) for chunk in self._samples), default=0)
        self.half_span = max((chunk.half_span for chunk in self._samples), default=0.0)
        """Minutes from the middle of a chunk to its end."""
        self.node_count = np.zeros(satellites, np.intp)
        """Nodes of each satellite in a chunk; 0: evaluated at each instant."""
        self._tail_limit = np.zeros(satellites)
        """Sum of the last coefficients of each satellite from which its polynomial may miss the tolerance, km."""
        self._first, self._last = np.full(satellites, np.inf), np.full(satellites, -np.inf)
        """Window of the discontinuities of each satellite, minutes since the first instant."""
        self._since_epoch = np.full(satellites, np.nan)
        """Minutes from the epoch to the first instant where the integrator's steps are discontinuities that matter; else NaN."""

    def choose_nodes(self, groups: list[Group], elements: Elements, ends: Ends, measure: Measure) -> None:
        """Choose the number of nodes of every satellite.

        Args:
            groups: from `assign_regimes`.
            elements: float64 NumPy arrays of shape (satellites,).
            ends: minutes from each epoch to the first and to the last instant.
            measure: gives the sizes of coefficients.
        """
        if not self._samples:
            return
        tolerance = self._options.largest_error_km
        length = self._grid.minutes_since_first(-1)
        for regime, is_own, coefficients in groups:
            found = regime.discontinuities(coefficients[0], elements, ends)
            self._first[is_own], self._last[is_own] = found.first[is_own], found.last[is_own]
            # a polynomial misses a kick by up to a quarter of it times the spacing of the nodes, of which there are ten or more
            missed = 0.25 * found.kick * 2.0 * self.half_span / 10.0
            self._since_epoch[is_own] = np.where(missed > 0.25 * tolerance, ends[0], np.nan)[is_own]
            # satellites that may have a discontinuity during most of the run are not worth measuring
            often = np.minimum(found.last, length) - np.maximum(found.first, 0.0) > 0.5 * length
            some = is_own & found.may_interpolate & ~often & self._may_suffice(regime, elements)
            if some.any():
                self._choose(regime, some, measure, tolerance)

    def nodes(self, regime: Regime, chunk: Chunk, count: int) -> NDArray[np.float64]:
        """Chebyshev nodes of a chunk, minutes since its middle."""
        return chunk.half_span * chebyshev.spread(chebyshev.nodes(count), self._spread(regime, chunk.half_span))

    def matrices(self, regime: Regime, chunk: Chunk, count: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Matrices from values at the nodes of a chunk to those at its instants, and to the last coefficients."""
        places = chebyshev.spread_inverse(chunk.minutes / chunk.half_span, self._spread(regime, chunk.half_span))
        return chebyshev.interpolation(count, places), chebyshev.coefficients(count)[-LAST:]

    def is_rejected(self, tile: Tile, chunk: Chunk, tail: NDArray[Any], dtype: str) -> NDArray[np.bool_]:
        """True for satellites of a tile that must be evaluated at each instant of a chunk after all, shape (tile.count,).

        Args:
            tail: sizes of the last coefficients, km, shape (LAST, tile.count).
            dtype: type of the arithmetic.
        """
        begin, end = (self._grid.minutes_since_first(i) for i in (chunk.first, chunk.last - 1))
        limit = self._tail_limit[tile.columns] + (FLOAT32_NOISE_KM if dtype == "float32" else 0.0)
        # a discontinuity need not show in the coefficients: in float32 their rounding is larger than the miss
        inside = (self._first[tile.columns] < end) & (self._last[tile.columns] > begin)
        steps = [np.floor((self._since_epoch[tile.columns] + t) / tile.regime.step_minutes) for t in (begin, end)]
        return ~(tail.sum(axis=0) <= limit) | inside | (steps[0] < steps[1])  # False where the steps are NaN

    def describe(self) -> str:
        """Describe in words which states are interpolated: the attribute `interpolation` of a dataset."""
        counts, numbers = np.unique(self.node_count[self.node_count > 0], return_counts=True)
        if not len(counts):
            return "evaluated at every instant"
        parts = [f"{n} objects between {k} Chebyshev nodes" for k, n in zip(counts, numbers, strict=True)]
        return (
            f"interpolated ({' and '.join(parts)} in each {2 * self.half_span:.4g} minutes, added error below "
            f"{1e3 * self._options.largest_error_km:g} m); other objects evaluated at every instant"
        )

    def _choose(self, regime: Regime, some: NDArray[np.bool_], measure: Measure, tolerance: float) -> None:
        """Choose the number of nodes of some satellites of a regime by a sample of them, and find out who may have it."""
        members = np.flatnonzero(some)
        # not by a sample where a step of an integrator may lie in a chunk: more nodes tell it from what a polynomial leaves out
        every = -(-len(members) // SAMPLE) if math.isinf(regime.step_minutes) else 1
        sample = np.zeros_like(some)
        sample[members[::every]] = True
        sizes = measure(regime, sample, self._samples, most_nodes(self._most_instants), 0)
        count = choose_node_count(sizes, self._most_instants, tolerance)
        if count:
            sizes = sizes[count - LAST :]
            if every > 1:  # in one chunk: coefficients that grow during the run are noticed by `is_rejected`
                sizes = measure(regime, some, self._samples[-1:], count + BEYOND, count - LAST)
            suffices, limit = limit_tail(sizes, tolerance)
            self.node_count[some], self._tail_limit[some] = np.where(suffices, count, 0), limit

    def _spread(self, regime: Regime, half_span: float) -> float:
        return node_spread(half_span, self._options.largest_error_km, regime.node_rate)

    def _may_suffice(self, regime: Regime, elements: Elements) -> NDArray[np.bool_]:
        n = np.asarray(elements.mean_motion)
        spread = self._spread(regime, self.half_span)
        semi_major_axis = semi_major_axis_km(n, self._options.gravity)
        tolerance = self._options.largest_error_km
        return may_suffice(semi_major_axis, n * self.half_span, self._most_instants, tolerance, spread)
