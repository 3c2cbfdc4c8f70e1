"""Screening of everything against everything: blocks of steps, candidates by boxes and straight lines, refinement by SGP4.

    engine = ScreeningEngine(elements, day, fraction, span_s, distance_km=5.0)
    events = engine.screen()

Memory is bounded by the block, and by the events. That no approach is missed rests on bounds.py; objects that have failed or
decayed are left out from the step on at which they have, by their latched status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.device_checks import find_devices
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.screening.bounds import Bounds
from constellation_jax.engine.screening.pairs import Candidates, PairSearch
from constellation_jax.engine.screening.refine import Encounters, approach, encounters_at
from constellation_jax.engine.screening.state_lists import ListStates, StateLists
from constellation_jax.engine.screening.together import Intervals, examine_slow, join_intervals
from constellation_jax.engine.screening.vectorised import VectorisedPairSearch
from constellation_jax.engine.state_variables import POSITION
from constellation_jax.engine.threads import Workers
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import SECONDS_PER_DAY
from constellation_jax.physics.sgp4.elements import Elements

BLOCK_STEPS: Final = 60
"""Steps of a block: two hours at the default step, as long as float32 holds about one anchor."""
Allowed = Callable[[NDArray[np.int32], NDArray[np.int32]], NDArray[np.bool_]]
"""From the indices of pairs to whether they count."""


class CloseApproaches(NamedTuple):
    """Close approaches of a span, arrays of shape (events,), each once, in no order."""

    encounters: Encounters
    """At the closest approach, or at an end of the span."""
    is_at_start: NDArray[np.bool_]
    """True where the closest approach was before the span, at whose start the two are within the threshold."""
    is_at_end: NDArray[np.bool_]
    together_s: NDArray[np.float64]
    """Time that two slow objects are together, to a step; 0 where they pass each other."""


class Found(NamedTuple):
    """Approaches of a block of steps."""

    passes: Encounters
    """At the closest approach, or at the border of the span."""
    is_at_start: NDArray[np.bool_]
    """True where the closest approach was before the span, at whose start the two are within the threshold; shape (passes,)."""
    is_at_end: NDArray[np.bool_]
    together: Intervals
    """Intervals in which two objects are together, in this block."""


class ScreeningEngine:
    """Closest approaches among a fixed set of objects over a span.

    Args:
        elements: float64 NumPy arrays of shape (objects,).
        day, fraction: start of the span, as Modified Julian Date and fraction (UTC).
        span_s: its length, s.
        distance_km: threshold.
        step_s: s between steps; the result does not depend on it.
        is_allowed: pairs that count; None: all.
        groups: number of the group of each object, -1 for none, shape (objects,): pairs within a group do not count, which spares
            most of the search for them; None: no groups.
        platform: of the devices that propagate; None: JAX's default.
        devices: these instead. An accelerator searches for the pairs too; they are refined on the CPU.
    """

    def __init__(
        self,
        elements: Elements,
        day: int,
        fraction: float,
        span_s: float,
        *,
        distance_km: float,
        step_s: float = 120.0,
        is_allowed: Allowed | None = None,
        groups: NDArray[np.int32] | None = None,
        platform: str | None = None,
        devices: Devices | None = None,
    ) -> None:
        elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self._objects = len(np.asarray(elements.mean_motion))
        self._span_s, self._step_s = span_s, step_s
        self.steps = max(1, int(np.ceil(span_s / step_s - 1e-9)))
        """Number of steps. The last one may reach beyond the span."""
        self._bounds = Bounds(distance_km, 0.5 * step_s)
        self._is_allowed, self._groups = is_allowed, groups
        self._host = Devices(devices=find_devices("cpu")[:1])
        # a step more on both sides, for velocities
        seconds = (np.arange(-1, self.steps + 1) + 0.5) * step_s
        whole, part = np.divmod(fraction * SECONDS_PER_DAY + seconds, SECONDS_PER_DAY)
        grid = Grid.inertial(day + whole.astype(np.int64), part / SECONDS_PER_DAY)
        options = Options(POSITION, precision="float32", dtype="float32", platform=platform)
        devices = devices or Devices(platform)
        self._engine = Engine(elements, grid, options, devices)
        self._lists = StateLists(elements, day, fraction, self._host)
        self._search: PairSearch | VectorisedPairSearch = (
            VectorisedPairSearch(self._objects, self._bounds, step_s, devices, groups)
            if devices.computes_grids
            else PairSearch(self._objects, self._bounds, step_s, self._host, groups)
        )

    def screen(self, most: int | None = None, progress: Callable[[int], None] | None = None) -> CloseApproaches:
        """Screen the whole span.

        Args:
            most: largest number of events; None: as many as there are.
            progress: called with the number of states just examined.

        Raises:
            OverflowError: there are going to be more events, as many as its argument says.
        """
        passes, borders, intervals, count = [], [], [], 0
        for k, found in enumerate(self.run()):
            done = min((k + 1) * BLOCK_STEPS, self.steps)
            passes.append(found.passes)
            borders.append(np.stack([found.is_at_start, found.is_at_end]))
            intervals.append(found.together)
            count += len(found.passes.first) + len(found.together.first)
            if most is not None and count * self.steps > most * done:
                raise OverflowError(count * self.steps // done)
            if progress is not None:
                progress((done - k * BLOCK_STEPS) * self._objects)
        met, border = _join(passes), np.concatenate(borders, axis=1)
        once = _once(met)  # two blocks may find the same one
        met, (at_start, at_end) = met.part(once), border[:, once]
        together = join_intervals(Intervals._make(np.concatenate(part) for part in zip(*intervals, strict=True)))
        slow = encounters_at(self._lists, together.first, together.second, together.seconds)
        lasts = np.minimum((together.end + 1) * self._step_s, self._span_s) - together.begin * self._step_s
        return CloseApproaches(
            _join([met, slow]),
            np.append(at_start, together.begin == 0),
            np.append(at_end, together.end == self.steps - 1),
            np.append(np.zeros(len(at_start)), lasts),
        )

    def run(self) -> Iterator[Found]:
        """Screen block after block of steps: candidates are refined while those of the next block are searched."""
        with Workers(1) as examiner:
            waiting: Iterator[Found] | None = None
            for candidates in self._search_blocks():
                previous, waiting = waiting, examiner.map(self._examine, [candidates])
                if previous is not None:
                    yield next(previous)
            if waiting is not None:
                yield next(waiting)

    def _search_blocks(self) -> Iterator[Candidates]:
        width, together = self._search.width, self._search.steps
        out = OutputArrays.allocate(BLOCK_STEPS + 2, self._objects, POSITION, "float32")
        ready = 0  # rows of the grid that have been computed
        for first in range(0, self.steps, BLOCK_STEPS):
            last = min(first + BLOCK_STEPS, self.steps)
            if first:  # the last two rows of the block before are the first two of this one
                out.values_block[:, :2] = out.values_block[:, BLOCK_STEPS : BLOCK_STEPS + 2]
            rows = out.rows(slice(ready - first, last + 2 - first))
            self._engine.run(ready, last + 2, rows)
            ready = last + 2

            def find(start: int, first: int = first, last: int = last) -> Candidates:
                count = min(together, last - start)
                positions = np.full((3, together + 2, width), np.nan, np.float32)
                own = slice(start - first, start - first + count + 2)
                positions[:, : count + 2, : self._objects] = out.values_block[:, own]
                return self._keep(self._search.find(positions, start), last)

            with Workers(self._host.threads) as workers:
                parts = list(workers.map(find, range(first, last, together)))
            yield Candidates._make(np.concatenate(values) for values in zip(*parts, strict=True))

    def _keep(self, candidates: Candidates, last: int) -> Candidates:
        """Leave out pairs that do not count, and the steps beyond the last one, of which one row is known for velocities."""
        keep = candidates.step < last
        if self._groups is not None:
            one, other = self._groups[candidates.first], self._groups[candidates.second]
            keep &= (one != other) | (one < 0)
        if self._is_allowed is not None:
            keep &= self._is_allowed(candidates.first, candidates.second)
        return candidates.part(keep)

    def _examine(self, candidates: Candidates) -> Found:
        bounds, lists = self._bounds, self._lists
        middles = (candidates.step.astype(np.float64) + 0.5) * self._step_s
        is_slow = candidates.speed < bounds.slow_speed_km_s
        own = ~is_slow
        own[own] = np.abs(candidates.time[own]) <= bounds.half_step_s + bounds.slack_s(candidates.speed[own])
        fast = candidates.part(own)
        start = middles[own] + fast.time
        passes = approach(lists, fast.first, fast.second, start, self._step_s)
        passes = passes.part(passes.distance <= bounds.distance_km)
        slow, together = examine_slow(lists, candidates.part(is_slow), middles[is_slow], self._span_s, bounds)
        passes = _join([passes, slow])
        passes = passes.part((passes.seconds >= 0.0) & (passes.seconds <= self._span_s))
        passes = passes.part(_once(passes))
        at_start = self._at_border(candidates.part(candidates.step == 0), 0.0, together)
        at_end = self._at_border(candidates.part(candidates.step == self.steps - 1), self._span_s, together)
        counts = [len(part.first) for part in (passes, at_start, at_end)]
        kind = np.repeat([0, 1, 2], counts)
        return Found(_join([passes, at_start, at_end]), kind == 1, kind == 2, together)

    def _at_border(self, near: Candidates, seconds: float, together: Intervals) -> Encounters:
        """Pairs within the threshold at an end of the span, whose closest approach is beyond it."""
        met = encounters_at(self._lists, near.first, near.second, np.full(len(near.first), seconds))
        is_beyond = met.closing >= 0.0 if seconds == 0.0 else met.closing < 0.0
        step = 0 if seconds == 0.0 else self.steps - 1
        lasting = (together.begin <= step) & (together.end >= step)
        known = _pair_keys(together.first[lasting], together.second[lasting])
        is_lasting = np.isin(_pair_keys(near.first, near.second), known)
        return met.part((met.distance <= self._bounds.distance_km) & is_beyond & ~is_lasting)


def _pair_keys(first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.int64]:
    return (first.astype(np.int64) << 32) | second


def _once(passes: Encounters) -> NDArray[np.intp]:
    """Indices of passes, each once: neighbouring steps may find the same one."""
    keys = _pair_keys(passes.first, passes.second)
    order = np.lexsort((passes.seconds, keys))
    same = (np.diff(keys[order]) == 0) & (np.diff(passes.seconds[order]) < 1.0)
    return np.asarray(order[np.append(True, ~same)[: len(order)]])


def _join(parts: list[Encounters]) -> Encounters:
    """Join several lists of encounters."""

    first, second, seconds = (np.concatenate([part[k] for part in parts]) for k in range(3))
    one, other = (
        ListStates._make(np.concatenate([part.states[i][k] for part in parts], axis=1) for k in range(3))
        for i in range(2)
    )
    return Encounters(first, second, seconds, (one, other))
