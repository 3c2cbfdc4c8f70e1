"""States of a whole catalogue on the devices: one program for a block of instants, whose results stay there.

    engine = GridEngine(elements, grid, options)
    states = engine.run(0, len(grid))

For accelerators; on several each has a contiguous piece of the catalogue. On one CPU the loops of engine/propagation are several
times as quick, because XLA splits the program into dozens of passes there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh, NamedSharding
from numpy.typing import NDArray

from constellation_jax.engine.device_checks import warn_of_slow_float64
from constellation_jax.engine.devices import REPLICATED, Devices, satellites_last
from constellation_jax.engine.grid.failures import find_marks
from constellation_jax.engine.grid.program import BlockInstants, GridProgram, Part, RegimeCode, split_block
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.precision import x64
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.regimes.assign import Group, assign_regimes
from constellation_jax.engine.regimes.regime import Ends, Regime
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.status import FARTHEST_MINUTES

Function = Callable[[Any, States, Any], Any]
"""From a carry, the states of a block and what else is known of it to the carry."""


class GridEngine:
    """Propagates a fixed set of satellites over blocks of a fixed grid of instants, into arrays on the devices.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        options: what to compute, and how; nothing is interpolated.
        block: most instants of a `run`; None: all.
        devices: None: all local devices of the platform of the options.
    """

    is_asynchronous: ClassVar[bool] = True
    """True where calls return before the results are there."""

    def __init__(
        self, elements: Elements, grid: Grid, options: Options, block: int | None = None, devices: Devices | None = None
    ) -> None:
        self._grid = grid
        self._options = options
        self._devices = devices or Devices(options.platform)
        if options.precision == "float64":
            warn_of_slow_float64(self._devices.mesh.devices.flat)
        epoch = (np.asarray(elements.epoch_day, np.float64), np.asarray(elements.epoch_fraction))
        self._satellites = len(epoch[0])
        ends = grid.ends_since(*epoch)
        groups, limits = assign_regimes(elements, ends, options.gravity)
        chosen = list(_choose_parts(groups, elements, ends, limits))
        rows = block or len(grid)
        starts = np.arange(0, len(grid), rows)
        last = np.minimum(starts + rows, len(grid)) - 1
        span = float((grid.minutes_since_first(last) - grid.minutes_since_first(starts)).max())
        codes, parts = [], []
        with x64():
            for k, (regime, is_own, may_fail, coefficients) in enumerate(chosen):
                lanes, columns = _place(
                    np.flatnonzero(is_own), self._satellites, self._devices.mesh.size, everywhere=k == 0
                )
                own = jax.tree.map(lambda v, lanes=lanes: v[lanes], coefficients)
                day, fraction = (v[lanes] for v in epoch)
                marks = find_marks(grid, day, fraction, tuple(v[lanes] for v in limits)) if may_fail else None
                farthest = float(max(np.abs(end[is_own]).max() for end in ends))
                codes.append(RegimeCode(regime, may_fail, regime.table_length(span), regime.most_steps(farthest)))
                part: Any = (own, day, fraction, columns, marks)
                parts.append(self._devices.put(Part(*part)))
            self._parts = tuple(parts)
            self.codes: Any = tuple(self._devices.put(np.zeros(len(part.day), np.int8)) for part in parts)
            """Status that the satellites keep from the blocks so far; set it back to repeat a block."""
        self._program = GridProgram(
            tuple(codes), options.variables, options.frame, options.precision == "float32", options.dtype
        )

    def run(self, start: int, stop: int, order: NDArray[np.intp] | None = None) -> States:
        """Compute the states at instants start:stop of the grid. Blocks must come in ascending order.

        Args:
            order: row of each instant of the result in the block; None: as they are.
        """
        with x64():
            states, self.codes = _run(
                self._program,
                self._devices.mesh,
                self._satellites,
                self._parts,
                self._instants(start, stop),
                self.codes,
                order,
            )
        return states

    def fold(self, function: Function, carry: Any, start: int, stop: int, known: Any) -> Any:
        """Compute a block as `run` does and reduce it at once, in one program.

        Args:
            function: from a carry, the states of the block and `known` to the carry. The same function is compiled once.
            carry: pytree of arrays, donated; its types are kept.
            known: pytree of arrays for the function.
        """
        with x64():
            carry, self.codes = _fold(
                self._program, self._devices.mesh, self._satellites, function, carry, self._parts,
                self._instants(start, stop), self.codes, known,
            )  # fmt: skip
        return carry

    def put_carry(self, carry: Any) -> Any:
        """Copy a pytree of arrays, in their types, to every device, for `fold`."""
        with x64():
            return jax.tree.map(
                lambda v: jax.device_put(np.array(v), NamedSharding(self._devices.mesh, REPLICATED)), carry
            )

    def _instants(self, start: int, stop: int) -> BlockInstants:
        instants = split_block(self._grid, start, stop, self._options.variables, self._options.frame)
        placed: BlockInstants = self._devices.put(instants, replicated=True)
        return placed


def keep_types(function: Function, carry: Any, states: States, known: Any) -> Any:
    """Call a function that reduces a block, and give its carry the types of the one before.

    Raises:
        InputError: its structure or a shape differs.
    """
    found = function(carry, states, known)
    structures: list[Any] = [jax.tree.structure(v) for v in (found, carry)]
    if structures[0] != structures[1]:
        raise InputError(f"function: returns {structures[0]}, expected {structures[1]} as `initial`")
    for new, old in zip(jax.tree.leaves(found), jax.tree.leaves(carry), strict=True):
        if jnp.shape(new) != old.shape:
            raise InputError(
                f"function: returns an array of shape {jnp.shape(new)}, expected {old.shape} as in `initial`"
            )
    return jax.tree.map(lambda new, old: jnp.asarray(new).astype(old.dtype), found, carry)


@partial(jax.jit, static_argnums=(0, 1, 2))
def _run(
    program: GridProgram,
    mesh: Mesh,
    satellites: int,
    parts: Any,
    instants: BlockInstants,
    codes: Any,
    order: Array | None,
) -> tuple[States, Any]:
    states, codes = _compute(program, mesh, satellites, parts, instants, codes)
    return states if order is None else jax.tree.map(lambda v: v[order], states), codes


@partial(jax.jit, static_argnums=(0, 1, 2, 3), donate_argnums=4)
def _fold(
    program: GridProgram,
    mesh: Mesh,
    satellites: int,
    function: Function,
    carry: Any,
    parts: Any,
    instants: BlockInstants,
    codes: Any,
    known: Any,
) -> tuple[Any, Any]:
    states, codes = _compute(program, mesh, satellites, parts, instants, codes)
    carry = keep_types(function, carry, states, known)
    if mesh.size > 1:  # else a carry sharded by the first block would have it compiled again for the second
        carry = jax.lax.with_sharding_constraint(carry, NamedSharding(mesh, REPLICATED))
    return carry, codes


def _compute(
    program: GridProgram, mesh: Mesh, satellites: int, parts: Any, instants: BlockInstants, codes: Any
) -> tuple[States, Any]:
    """States of the whole catalogue, and the codes after the block. Traced."""
    compute: Any = program.compute
    if mesh.size > 1:
        own = satellites_last(1)
        compute = jax.shard_map(
            compute, mesh=mesh, in_specs=(own, REPLICATED, own), out_specs=(satellites_last(2), satellites_last(2), own),
            check_vma=False,
        )  # fmt: skip
    values, status, codes = compute(parts, instants, codes)
    states = program.as_states([v[:, :satellites] for v in values], status[:, :satellites])
    if mesh.size > 1:  # a number of satellites that cannot be divided would leave every device with all of them
        states = jax.lax.with_sharding_constraint(states, NamedSharding(mesh, satellites_last(2)))
    return states, codes


def _choose_parts(
    groups: Sequence[Group], elements: Elements, ends: Ends, limits: Ends
) -> Iterator[tuple[Regime, NDArray[np.bool_], bool, Any]]:
    """Parts of the program: regime, its satellites, whether any may fail, and coefficients; the first is computed over all columns.

    Near-Earth satellites that certainly do not fail need no second pass over their results. The first part is theirs where they are
    most of their family, with all others in the general regime; else it is all of the family.
    """
    families: dict[Regime, list[Group]] = {}
    for group in groups:
        families.setdefault(group.regime.general, []).append(group)
    ordered = sorted(families.items(), key=lambda family: family[0].precision is not None)
    for regime, members in ordered:
        is_own = np.logical_or.reduce([group.is_own for group in members])
        safe = [_never_fails(group, elements, ends, limits) for group in members]
        best = max(range(len(members)), key=lambda k: int(safe[k].sum()))
        coefficients = members[best].coefficients[0]
        if 2 * safe[best].sum() > is_own.sum():
            yield members[best].regime, safe[best], False, coefficients
            is_own = is_own & ~safe[best]
        if is_own.any():
            yield regime, is_own, True, coefficients


def _never_fails(group: Group, elements: Elements, ends: Ends, limits: Ends) -> NDArray[np.bool_]:
    """True for satellites of a group that have status 0 at all instants for certain, shape (satellites,)."""
    if group.regime.checks_nodes:
        return np.zeros(len(group.is_own), np.bool_)
    is_safe = group.regime.discontinuities(group.coefficients[0], elements, ends).may_interpolate
    is_near = np.maximum(np.abs(ends[0]), np.abs(ends[1])) < FARTHEST_MINUTES
    return np.asarray(group.is_own & is_safe & is_near & np.isinf(limits[0]) & np.isinf(limits[1]))


def _place(
    members: NDArray[np.intp], satellites: int, devices: int, *, everywhere: bool
) -> tuple[NDArray[np.intp], NDArray[np.int32] | None]:
    """Lay out a part over the devices, each of which has a contiguous piece of the catalogue, in equal shapes.

    Returns:
        Satellite of each lane; and its column in the piece of its device, one beyond the last for padding, or None where the lanes
        are all columns.
    """
    piece = -(-satellites // devices)
    if everywhere:
        return np.minimum(np.arange(devices * piece), satellites - 1), None
    own = [members[(members >= first) & (members < first + piece)] for first in range(0, devices * piece, piece)]
    width = max(len(lanes) for lanes in own)
    lanes = np.full((devices, width), members[0])
    columns = np.tile(piece + np.arange(width), (devices, 1))
    for k, found in enumerate(own):
        lanes[k, : len(found)], columns[k, : len(found)] = found, found - k * piece
    return lanes.ravel(), columns.ravel().astype(np.int32)
