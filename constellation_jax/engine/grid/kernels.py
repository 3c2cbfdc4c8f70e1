"""Programs for an accelerator: all instants of a tile at once, made of the same regimes as the loops for a CPU.

    table = tabulate(coefficients, first, regime=regime, length=regime.table_length(span), most_steps=steps)
    values, status = evaluate(coefficients, offset, minutes, attitude, table, regime=regime, variables=("x", "y", "z"))

XLA makes of `evaluate` one kernel over all states, and one over the satellites alone, near the Earth in float32. There is no
loop over instants, whose condition a GPU would bring to its host each time; coefficients are broadcast inside; every variable is
an array of its own, written once. All are pure and have derivatives in both modes. float32 goes about anchors: `anchor` moves
coefficients to the middles of all chunks of a call in float64.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.engine.devices import REPLICATED, Specs, satellites_last
from constellation_jax.engine.precision import without_subnormals
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import in_frame
from constellation_jax.physics.constants import MINUTES_PER_DAY


class Attitude(NamedTuple):
    """Attitude of the Earth at instants: the matrices of `state_variables.in_frame`, each of shape (..., instants, 3, 3)."""

    turn: ArrayLike
    spin: ArrayLike


class CallInstants(NamedTuple):
    """Instants of a call, chunk after chunk."""

    middle: Array
    """Middle of each chunk: Modified Julian Date and fraction, float64, shape (chunks, 2)."""
    minutes: Array
    """Minutes since the middles, in the type of the arithmetic, shape (chunks, instants)."""
    attitude: Attitude | None
    """Only where a variable depends on it."""


class Table(NamedTuple):
    """States of a regime's integrator at its steps from an instant on."""

    first: Array
    """That instant, minutes since each epoch, shape (satellites,)."""
    states: Any
    """Pytree of arrays of shape (steps, satellites)."""


CALL_SPECS = Specs((satellites_last(1), satellites_last(1), REPLICATED), satellites_last(2))
"""Placement of the arguments and results of `evaluate_call`."""


def evaluate(
    coefficients: Any,
    offset: ArrayLike,
    minutes: Array,
    attitude: Attitude | None = None,
    table: Table | None = None,
    *,
    regime: Regime,
    variables: tuple[str, ...],
    frame: str = "teme",
    dtype: str | None = None,
) -> tuple[tuple[Array, ...], Array]:
    """States of satellites at instants: each variable, of shape (chunks * instants, satellites), and the status, int8.

    Values are finite, if meaningless, where the status is not 0; the status of an instant knows nothing of earlier ones.

    Args:
        coefficients: of the regime, arrays of shape (satellites,), or (chunks, satellites) where each chunk has its anchors.
        offset: minutes from each anchor to what the minutes are counted from, (satellites,) or (chunks, satellites), or 0.
        minutes: instants, shape (instants,) or (chunks, instants).
        attitude: at the instants; only where a variable depends on it.
        table: `tabulate` over all instants; None: for a regime without integrator.
        regime: static.
        variables: static; names out of `state_variables.VARIABLES`.
        frame: static; "teme" or "itrs".
        dtype: static; type of the variables; None: that of the arithmetic.
    """
    rank = minutes.ndim + 1

    def on_grid(values: ArrayLike) -> Array:
        """The same, of shape (chunks, 1, satellites)."""
        array = jnp.asarray(values, minutes.dtype)
        array = array[..., None, :] if array.ndim else array
        return array.reshape(*[1] * (rank - array.ndim), *array.shape)

    t = on_grid(offset) + minutes[..., None]
    state = ()
    if table is not None:
        length = len(jax.tree.leaves(table.states)[0])
        t = jnp.broadcast_to(t, jnp.broadcast_shapes(t.shape, on_grid(table.first).shape))
        state = regime.look_up(table.states, t, on_grid(table.first), length)
    orbit = regime.at(jax.tree.map(on_grid, coefficients), t, state)._asdict()
    values = orbit
    if attitude is not None:
        turn, spin = (jnp.moveaxis(jnp.asarray(m), (-2, -1), (0, 1))[..., None] for m in attitude)
        values = in_frame(orbit, turn, spin, variables, frame)

    def as_rows(values: Array, kind: Any) -> Array:
        return values.astype(kind).reshape(-1, values.shape[-1])

    found = tuple(as_rows(values[name], dtype or minutes.dtype) for name in variables)
    return found, as_rows(values["status"], jnp.int8)


def evaluate_call(
    coefficients: Any,
    epoch: tuple[Array, Array],
    instants: CallInstants,
    *,
    regime: Regime,
    precision: str,
    variables: tuple[str, ...],
    frame: str,
    dtype: str,
    table_length: int,
    most_steps: int | None,
) -> tuple[tuple[Array, ...], Array]:
    """One call of an engine: `evaluate` for several chunks, about their middles in float32. To be run in 64 bits.

    Args:
        coefficients: float64, anchored at the epochs, arrays of shape (satellites,).
        epoch: Modified Julian Date and fraction, shape (satellites,).
        precision: static; type of the arithmetic: "float64" or "float32".
        table_length, most_steps: as for `tabulate`, whose table serves the instants from the first one on.
        others: as for `evaluate`.
    """
    day, fraction = (instants.middle[:, k, None] - epoch[k][None] for k in range(2))
    offset = day * MINUTES_PER_DAY + fraction * MINUTES_PER_DAY
    table = None
    if table_length:
        first = offset[0] + instants.minutes[0, 0]
        table = tabulate(coefficients, first, regime=regime, length=table_length, most_steps=most_steps)
    if precision == "float32":
        coefficients = anchor(coefficients, offset, regime=regime)
        offset = jnp.zeros((), offset.dtype)
    return evaluate(
        coefficients, offset, instants.minutes, instants.attitude, table,
        regime=regime, variables=variables, frame=frame, dtype=dtype,
    )  # fmt: skip


def anchor(coefficients: Any, offset: Array, *, regime: Regime) -> Any:
    """Coefficients anchored at the middles of chunks, in float32, arrays of shape (chunks, satellites). To be run in float64.

    Args:
        coefficients: arrays of shape (satellites,).
        offset: minutes from each anchor to the middle of each chunk, shape (chunks, satellites).
        regime: static; one without a precision of its own.
    """
    moved = regime.shift(jax.tree.map(lambda v: v[None], coefficients), offset)
    return as_anchored(moved, offset)


def as_anchored(moved: Any, offset: Array) -> Any:
    """Moved coefficients, or their derivatives, in float32, made once for all instants, by one kernel for each shape.

    Args:
        moved: float64, arrays that broadcast against the offset.
        offset: as for `anchor`.
    """

    def convert(v: Array) -> Array:
        # where all depend on the offset, XLA makes one kernel of all, and else one more of each that does not move
        return without_subnormals(v + jnp.expand_dims(0.0 * offset, tuple(range(v.ndim - offset.ndim))))

    # without the barrier XLA may make them for every state again, in float64
    return jax.lax.optimization_barrier(jax.tree.map(convert, moved))


def tabulate(
    coefficients: Any, first: Array, *, regime: Regime, length: int, most_steps: int | None = None
) -> Table | None:
    """States of a regime's integrator for all instants of a call; None for a regime without one.

    Args:
        coefficients: anchored at the epochs, arrays of shape (satellites,).
        first: the first of the instants, minutes since each epoch, shape (satellites,).
        regime: static.
        length: static; `Regime.table_length` of their span.
        most_steps: static; `Regime.most_steps` from the epochs to all of them; None: as many as they ask for, in a loop of unknown
            length.
    """
    if not length:
        return None
    whole = jax.tree.map(lambda v: v[None], coefficients)
    minutes = regime.table_minutes(first, length)
    return Table(first, regime.integrate(whole, minutes, most_steps=most_steps))
