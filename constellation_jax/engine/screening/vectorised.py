"""Search for close pairs on an accelerator: the boxes, order and straight lines of pairs.py, in fixed shapes and one program.

The runs of all entries are cut into rectangles of one row and LANES lanes; their number, and that of the pairs found, have static
capacities. What does not fit is counted, and the block runs again with larger ones: nothing is dropped unseen.
"""

from __future__ import annotations

import threading
from typing import Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.devices import REPLICATED, Devices, Specs
from constellation_jax.engine.screening import kernels
from constellation_jax.engine.screening.bounds import Bounds
from constellation_jax.engine.screening.kernels import LEVEL_BITS, LEVELS_PER_KM, MOST_LEVEL, NARROW, NEXT_BAND, NOWHERE
from constellation_jax.engine.screening.pairs import Candidates, choose_candidates, choose_width, number_groups

STEPS: Final = 8
"""Steps of a call."""
LANES: Final = 32
SPECS: Final = Specs((REPLICATED,) * 9, REPLICATED)
"""Placement of the arguments of `search`."""


class Capacities(NamedTuple):
    """Static sizes for each step."""

    rectangles: int
    found: int

    @classmethod
    def guess(cls, width: int) -> Capacities:
        """Enough for most catalogues of some size at a threshold of 5 km."""
        return cls(8 * width, max(256, width // 8))


class VectorisedPairSearch:
    """Search for pairs among a fixed number of objects, as `pairs.PairSearch`.

    Args:
        objects: number of them.
        bounds: threshold and step.
        step_s: distance of the positions in time.
        devices: of which the first one searches.
        groups: as for `PairSearch`.
        capacities: to begin with; None: guessed from the number of objects.
    """

    def __init__(
        self,
        objects: int,
        bounds: Bounds,
        step_s: float,
        devices: Devices,
        groups: NDArray[np.int32] | None = None,
        capacities: Capacities | None = None,
    ) -> None:
        self.width = choose_width(objects)
        self.steps = STEPS
        self.capacities = capacities or Capacities.guess(self.width)
        self._bounds = bounds
        self._groups = number_groups(groups, objects, self.width)
        numbers = (step_s, *bounds.of_boxes, bounds.linear_km)
        self._numbers = tuple(np.float32(number) for number in numbers)
        self._devices = Devices(devices=[devices.mesh.devices.flat[0]], computes_grids=True)
        self._lock = threading.Lock()

    def find(self, positions: NDArray[np.float32], first_step: int) -> Candidates:
        """Find the candidates of some steps, as `PairSearch.find`."""
        groups = int(self._groups.max()) + 1
        arguments = self._devices.put((positions, self._groups, *self._numbers), replicated=True)
        while True:
            capacities = self.capacities
            program = self._devices.compile(search, SPECS, groups=groups, capacities=capacities)
            pairs, states, counts = self._devices.fetch(program(*arguments))
            needed = Capacities(*counts.max(axis=0).tolist())
            if needed.rectangles <= capacities.rectangles and needed.found <= capacities.found:
                break
            with self._lock:
                self.capacities = Capacities(*map(_enlarge, self.capacities, needed))
        step, place = np.nonzero(pairs[..., 0] >= 0)
        one, other = pairs[step, place].T
        return choose_candidates(states[step, place].T.astype(np.float64), one, other, step, first_step, self._bounds)


def search(
    positions: Array,
    groups_of: Array,
    step: Array,
    half_step: Array,
    distance: Array,
    rise: Array,
    margin: Array,
    wide: Array,
    linear: Array,
    *,
    groups: int,
    capacities: Capacities,
) -> tuple[Array, Array, Array]:
    """Pairs that come within a distance on straight lines.

    Args:
        positions, groups_of, step, half_step, distance, rise, margin, wide: as for `kernels.make_boxes`.
        linear: distance on straight lines, km.
        groups: static; number of groups with runs of their own, with that of all others.
        capacities: static.

    Returns:
        Columns of both objects, -1 beyond the last pair, int32 of shape (steps, found, 2); position and velocity of the second seen
        from the first, (steps, found, 6); numbers of rectangles and of pairs that there are, int32 of shape (steps, 2).
    """
    velocities, high, key, widest = kernels.make_boxes(
        positions, groups_of, step, half_step, distance, rise, margin, wide
    )

    def at_step(here: Array, velocity: Array, high: Array, key: Array) -> tuple[Array, Array, Array]:
        order = _as_int32(key)
        column = jnp.arange(len(key), dtype=jnp.int32)
        order, column = jax.lax.sort((order, column), num_keys=1)
        entries = jnp.concatenate([here, velocity])[:, column]
        begin, end = _runs(order, high[column], distance, widest, wide, groups)
        rows, lanes, count = _cut(begin, end, capacities.rectangles)
        is_marked = _test(entries, rows[:, None], lanes, half_step, linear).any(axis=1)
        marked = jnp.nonzero(is_marked, size=capacities.found, fill_value=capacities.rectangles)[0]
        # again for the few rectangles with a hit, of which each may have several
        lane = lanes.at[marked].get(mode="fill", fill_value=-1)
        row = jnp.broadcast_to(rows.at[marked].get(mode="fill", fill_value=0)[:, None], lane.shape)
        is_hit = _test(entries, row, lane, half_step, linear)
        place = jnp.nonzero(is_hit.ravel(), size=capacities.found, fill_value=is_hit.size)[0]
        row, lane = (v.ravel().at[place].get(mode="fill", fill_value=-1) for v in (row, lane))
        pairs = jnp.where((lane < 0)[:, None], -1, jnp.stack([column[row], column[lane]], axis=1))
        found = jnp.maximum(is_marked.sum(dtype=jnp.int32), is_hit.sum(dtype=jnp.int32))
        return pairs, (entries[:, lane] - entries[:, row]).T, jnp.stack([count, found])

    return jax.vmap(at_step, in_axes=(1, 1, 0, 0))(positions[:, 1:-1], velocities, high, key)


def _runs(order: Array, high: Array, distance: Array, widest: Array, wide: Array, groups: int) -> tuple[Array, Array]:
    """First entry, and the one after the last, of all runs in which the partners of each entry may be, shape (runs, entries)."""
    key = jax.lax.bitcast_convert_type(order, jnp.uint32) ^ jnp.uint32(1 << 31)
    cell, level = key >> LEVEL_BITS, (key & jnp.uint32((1 << LEVEL_BITS) - 1)).astype(high.dtype)
    top = jnp.minimum((high + distance) * LEVELS_PER_KM, MOST_LEVEL).astype(jnp.uint32) + 1
    is_there, is_narrow = key != jnp.uint32(NOWHERE), cell >= NARROW
    group = cell & jnp.uint32(NEXT_BAND - 1)
    band = (cell - group) & jnp.uint32(NARROW - 1)
    wanted: list[Array] = []
    is_wanted: list[Array] = []

    def add(target: Array, is_run: Array, span: Array) -> None:
        lowest = jnp.maximum(level - (distance + span) * LEVELS_PER_KM - 2.0, 0.0).astype(jnp.uint32)
        wanted.extend((target << LEVEL_BITS | lowest, (target << LEVEL_BITS | top) + 1))
        is_wanted.append(is_run & is_there)

    add(cell, group == 0, wide)
    add(band + NEXT_BAND, ~is_narrow, widest)
    for other in range(groups):
        own = band + jnp.uint32(NARROW + other)
        is_apart = (group != other) | (other == 0)
        add(own, ~is_narrow | (is_apart & (group < other)), wide)
        add(own + NEXT_BAND, ~is_narrow | is_apart, wide)
        add(own - NEXT_BAND, ~is_narrow, wide)
    place = jnp.searchsorted(order, _as_int32(jnp.stack(wanted))).astype(jnp.int32)
    begin, end = jnp.where(jnp.stack(is_wanted)[:, None], place.reshape(-1, 2, len(order)), 0).swapaxes(0, 1)
    # of the own cell from the next entry on
    return begin.at[0].max(jnp.arange(1, len(order) + 1, dtype=jnp.int32)), end


def _as_int32(key: Array) -> Array:
    """Numbers in the order of the keys: int32 is sorted many times as fast on a GPU."""
    return jax.lax.bitcast_convert_type(key ^ jnp.uint32(1 << 31), jnp.int32)


def _cut(begin: Array, end: Array, capacity: int) -> tuple[Array, Array, Array]:
    """Cut runs into rectangles: row of each, shape (capacity,), its lanes, -1 beyond the run, (capacity, LANES); their number."""
    begin, end, entries = begin.ravel(), end.ravel(), begin.shape[1]
    parts = (jnp.maximum(end - begin, 0) + (LANES - 1)) // LANES
    after = jnp.cumsum(parts, dtype=jnp.int32)
    number = jnp.arange(capacity, dtype=jnp.int32)
    run = jnp.minimum(jnp.searchsorted(after, number, side="right").astype(jnp.int32), len(after) - 1)
    first = begin[run] + LANES * (number - after[run] + parts[run])
    lanes = first[:, None] + jnp.arange(LANES, dtype=jnp.int32)[None]
    is_inside = (lanes < end[run][:, None]) & (number < after[-1])[:, None]
    return run % entries, jnp.where(is_inside, lanes, -1), after[-1]


def _test(entries: Array, row: Array, lane: Array, half_step: Array, linear: Array) -> Array:
    """Find the pairs of entries that come within a distance on straight lines, as `kernels.test_rectangles`."""
    x, y, z, vx, vy, vz = (component[lane] - component[row] for component in entries)
    distance2, speed2 = x * x + y * y + z * z, vx * vx + vy * vy + vz * vz
    closing, limit = x * vx + y * vy + z * vz, linear * linear
    is_near = distance2 * speed2 - closing * closing <= limit * speed2
    is_now = jnp.abs(closing) <= (half_step + 1.0) * speed2 + 0.25 * limit
    return is_near & is_now & (lane >= 0)


def _enlarge(capacity: int, needed: int) -> int:
    while capacity < needed:
        capacity *= 2
    return capacity
