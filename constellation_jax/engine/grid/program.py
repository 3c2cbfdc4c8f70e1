"""One traced program for a block of instants of a whole catalogue: each regime in its own columns, failures, NaN, one result.

The first part is computed over all columns in place; the others' results are written over their own columns. Where most satellites
are near-Earth, which is usual, nothing is reordered and no lane of theirs pays for deep space.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.grid.failures import Circumstances, Marks, apply_failures, at_minutes, at_rows
from constellation_jax.engine.grid.kernels import Attitude, CallInstants, evaluate_call
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import attitude, needs_attitude
from constellation_jax.engine.time_grid import LONGEST_MINUTES, Grid
from constellation_jax.physics.constants import MINUTES_PER_DAY

CHUNK = 512
"""Most instants about one float32 anchor. The anchored coefficients take a few bytes a state then."""


class Part(NamedTuple):
    """Satellites of one regime, in arrays of shape (satellites,)."""

    coefficients: Any
    """Coefficients of the regime, anchored at the epochs."""
    day: Array
    """Epochs: Modified Julian Date of midnight, and the rest as a fraction of a day."""
    fraction: Array
    columns: Array | None = None
    """Columns of the results; those beyond the last are dropped. None: all, in order."""
    marks: Marks | None = None
    """None where no satellite fails, or where the instants are compared on the device."""
    limits: tuple[Array, Array] | None = None
    """Minutes, of `Regime.drag_limits`; None where there are marks."""


class BlockInstants(NamedTuple):
    """Instants of a block of rows of a grid."""

    row: Array
    """Row of the first instant."""
    day: Array
    """First instant: Modified Julian Date of midnight, and the rest as a fraction of a day."""
    fraction: Array
    minutes: Array
    """Minutes since the first instant, shape (rows,)."""
    middles: Array
    """Middles of chunks of one length, minutes since the first instant, shape (chunks,)."""
    chunk_minutes: Array
    """Minutes since the middle of each chunk, shape (chunks, instants); the last instant is repeated to fill them."""
    earth: Array | None
    """Sidereal time and both coordinates of the pole, rad, shape (3, rows); None where nothing depends on them."""


class RegimeCode(NamedTuple):
    """Static choices for a part."""

    regime: Regime
    may_fail: bool = True
    """False where it is certain that no satellite fails at any instant of the run."""
    table_length: int = 0
    """`Regime.table_length` of the longest block."""
    most_steps: int | None = None
    """`Regime.most_steps` of the run; None: not known beforehand."""


@dataclasses.dataclass(frozen=True)
class GridProgram:
    """Static choices of a block's program."""

    parts: tuple[RegimeCode, ...]
    variables: tuple[str, ...]
    frame: str
    is_anchored: bool
    """True: float32 about float64 anchors, where the regime has no precision of its own."""
    dtype: str
    """Type of the results."""

    def compute(
        self, parts: Sequence[Part], instants: BlockInstants, codes: Sequence[Array]
    ) -> tuple[tuple[Array, ...], Array, tuple[Array, ...]]:
        """States of all satellites at the instants of a block.

        Args:
            parts: the first of them over all columns.
            instants: of the block.
            codes: status that the satellites of each part keep from earlier blocks, int8.

        Returns:
            The variables and the status, arrays of shape (instants, satellites), and the codes after the block.
        """
        values: tuple[Array, ...] = ()
        status = jnp.zeros((), jnp.int8)
        kept = []
        for chosen, part, code in zip(self.parts, parts, codes, strict=True):
            own, own_status, code = self._compute_part(chosen, part, instants, code)
            kept.append(code)
            own = tuple(jnp.where(own_status == 0, v, jnp.nan) for v in own)
            if part.columns is None:
                values, status = own, own_status
            else:
                values = tuple(_set(v, part.columns, o) for v, o in zip(values, own, strict=True))
                status = _set(status, part.columns, own_status)
        return values, status, tuple(kept)

    def as_states(self, values: Sequence[Array], status: Array) -> States:
        """Name the results of `compute`."""
        return States(status, **dict(zip(self.variables, values, strict=True)))

    def _compute_part(
        self, chosen: RegimeCode, part: Part, instants: BlockInstants, code: Array
    ) -> tuple[tuple[Array, ...], Array, Array]:
        regime = chosen.regime
        is_anchored = self.is_anchored and regime.precision is None
        values, status = evaluate_call(
            part.coefficients,
            (part.day, part.fraction),
            _as_call(instants, is_anchored),
            regime=regime,
            precision="float32" if is_anchored else "float64",
            variables=self.variables,
            frame=self.frame,
            dtype=self.dtype,
            table_length=chosen.table_length,
            most_steps=chosen.most_steps,
        )
        rows = len(instants.minutes)
        values, status = tuple(v[:rows] for v in values), status[:rows]
        if chosen.may_fail:
            status, code = apply_failures(status, _circumstances(part, instants), code)
        return values, status, code


def split_block(grid: Grid, start: int, stop: int, variables: Sequence[str], frame: str) -> BlockInstants:
    """Instants start:stop of a grid, and chunks of them that are short enough for float32. NumPy arrays."""
    day, fraction = grid.day[start], grid.fraction[start]
    minutes = grid.minutes_since(day, fraction, slice(start, stop))
    chunks = _in_chunks(minutes, _chunk_shape(minutes))
    middles = 0.5 * (chunks[:, 0] + chunks[:, -1])
    earth = None
    if needs_attitude(variables, frame):
        earth = np.stack([v[start:stop] for v in (grid.gmst, grid.polar_x, grid.polar_y)])
    fields: Any = (np.int32(start), np.float64(day), fraction, minutes, middles, chunks - middles[:, None], earth)
    return BlockInstants(*fields)


def _as_call(instants: BlockInstants, is_anchored: bool) -> CallInstants:
    """The instants in chunks about their middles, in float32, or all in one about the first. Traced."""
    earth = None if instants.earth is None else Attitude(*attitude(*instants.earth))
    if not is_anchored:
        first = jnp.stack([instants.day, instants.fraction])[None]
        return CallInstants(first, instants.minutes[None], jax.tree.map(lambda v: v[None], earth))
    minutes = instants.chunk_minutes.astype(jnp.float32)
    fraction = instants.fraction + instants.middles / MINUTES_PER_DAY
    middle = jnp.stack([jnp.broadcast_to(instants.day, fraction.shape), fraction], axis=-1)
    return CallInstants(
        middle, minutes, jax.tree.map(lambda v: _in_chunks(v.astype(jnp.float32), minutes.shape), earth)
    )


def _chunk_shape(minutes: NDArray[np.float64]) -> tuple[int, int]:
    """Number of chunks and instants in each, of one length and none longer than float32 allows."""
    rows = len(minutes)
    longest = LONGEST_MINUTES["float32"] * (1.0 + 1e-9)  # instants are spaced to rounding
    most = min(CHUNK, int(np.searchsorted(minutes, longest, side="right")))
    while True:
        chunks = -(-rows // most)
        size = -(-rows // chunks)
        padded = _in_chunks(minutes, (chunks, size))
        if size == 1 or (padded[:, -1] - padded[:, 0]).max() <= longest:
            return chunks, size
        most = (most + 1) // 2


def _in_chunks(values: Any, shape: tuple[int, ...]) -> Any:
    """Cut the first axis into chunks, the last entry repeated to fill them."""
    xp: Any = np if isinstance(values, np.ndarray) else jnp
    missing = shape[0] * shape[1] - len(values)
    if missing:
        values = xp.concatenate([values, xp.repeat(values[-1:], missing, axis=0)])
    return values.reshape(*shape, *values.shape[1:])


def _circumstances(part: Part, instants: BlockInstants) -> Circumstances:
    if part.marks is not None:
        return at_rows(part.marks, instants.row + jnp.arange(len(instants.minutes), dtype=jnp.int32))
    since = (instants.day - part.day) * MINUTES_PER_DAY + (instants.fraction - part.fraction) * MINUTES_PER_DAY
    return at_minutes(since[None] + instants.minutes[:, None], part.limits)  # type: ignore[arg-type]  # one of the two is there


def _set(values: Array, columns: Array, own: Array) -> Array:
    return values.at[:, columns].set(own, mode="drop", unique_indices=True, indices_are_sorted=True)
