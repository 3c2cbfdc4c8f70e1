"""Compiled programs of the Jacobians: one tile of satellites over one chunk of instants, seven tangents together.

`fill` goes from one instant to the next, for a CPU; `evaluate` takes all of them at once, for an accelerator. As in
propagation/kernels.py, shapes are fixed, and buffers of the former are donated and reused. In float32 both move the coefficients to
the reference of the chunk in float64 first.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.engine.devices import REPLICATED, Specs, satellites_last
from constellation_jax.engine.grid import kernels as grid
from constellation_jax.engine.precision import without_subnormals
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import POSITION, VELOCITY
from constellation_jax.engine.tiles import OUTPUT_SPECS, Outputs
from constellation_jax.physics.sgp4.common import OrbitState
from constellation_jax.physics.sgp4.elements import Elements

STATE = (*POSITION, *VELOCITY)
ELEMENTS = tuple(field.name for field in dataclasses.fields(Elements))[:7]
"""Elements that the derivative is taken with respect to."""
CHUNK = 64
"""Number of instants in a chunk: fewer than for states alone, because eight times as much is written."""
TILE = {"cpu": 256, "gpu": 8192, "tpu": 8192}
"""Satellites of one device in a tile, by platform. CPU: measured; the seven tangents of each intermediate share the cache with
it."""

VARIABLES = (*STATE, *(f"d{state}/d{element}" for state in STATE for element in ELEMENTS))
"""Results: the six components of the state (km, km/s, TEME), then their derivatives per unit of each of the seven elements."""
_GIVEN = (satellites_last(1), satellites_last(2), satellites_last(1), REPLICATED)
FILL_SPECS = Specs((*_GIVEN, REPLICATED, OUTPUT_SPECS), OUTPUT_SPECS, donate=(5,))
GRID_SPECS = Specs(_GIVEN, (satellites_last(2), satellites_last(3), satellites_last(2)))
"""Placement of the arguments and results of the functions below."""


@partial(jax.jit, static_argnames="regime")
def coefficients_and_changes(elements: Elements, *, regime: Regime) -> tuple[Any, Any]:
    """Coefficients of a tile, and their derivatives by the seven elements along a leading axis."""
    zero, one = jnp.zeros_like(elements.mean_motion), jnp.ones_like(elements.mean_motion)

    def along(element: Array) -> Any:
        seven = {name: jnp.where(element == k, one, zero) for k, name in enumerate(ELEMENTS)}
        return jax.jvp(regime.initialise, (elements,), (Elements(**seven, epoch_day=zero, epoch_fraction=zero),))[1]

    # one tangent after the other: once for each satellite, so that compiling counts for more than the rate
    return regime.initialise(elements), jax.lax.map(along, jnp.arange(len(ELEMENTS)))


def fill(
    coefficients: Any,
    changes: Any,
    offset: Array,
    minutes: Array,
    rows: Array,
    out: Outputs,
    *,
    regime: Regime,
    table_length: int,
) -> Outputs:
    """States and derivatives of one tile of satellites at each instant, one instant after the other, for a CPU.

    Args:
        coefficients: of the regime, float64 arrays of shape (TILE,).
        changes: their derivatives, shape (7, TILE).
        offset: minutes from each anchor to the chunk's reference, float64, shape (TILE,).
        minutes: from there to the instants, ascending, shape (CHUNK,), in the type of the arithmetic.
        rows: number of instants to compute.
        out: buffers for `VARIABLES`, donated.
        regime: static.
        table_length: static; `Regime.table_length` of the chunk.
    """

    if minutes.dtype != offset.dtype:
        coefficients, changes = jax.tree.map(without_subnormals, _shift(coefficients, changes, offset, regime))
        offset = jnp.zeros_like(offset, minutes.dtype)
    start = offset + minutes[0]

    def integrate(t: Array) -> tuple[Any, Any]:
        return _with_derivatives(lambda c: regime.integrate(c, t, forward_only=True), (coefficients,), (changes,))

    table = regime.tabulate(integrate, start, table_length)

    def fill_instant(k: Array, out: Outputs) -> Outputs:
        t = offset + minutes[k]
        state, state_changes = regime.look_up(table, t, start, table_length)
        orbit = _with_derivatives(lambda c, s: regime.at(c, t, s), (coefficients, state), (changes, state_changes))
        return _write(out, k, *orbit)

    return jax.lax.fori_loop(0, rows, fill_instant, out)


def evaluate(
    coefficients: Any,
    changes: Any,
    offset: Array,
    minutes: Array,
    *,
    regime: Regime,
    table_length: int,
    most_steps: int | None = None,
) -> tuple[tuple[Array, ...], tuple[Array, ...], Array]:
    """States and derivatives of one tile of satellites at all instants at once, for an accelerator.

    Args:
        coefficients, changes, offset, minutes, regime, table_length: as for `fill`.
        most_steps: static; `Regime.most_steps` of the chunk.

    Returns:
        Components of the state, each of shape (CHUNK, TILE); their derivatives, each (7, CHUNK, TILE); the status, (CHUNK, TILE).
    """

    first = offset + minutes[0].astype(offset.dtype)
    make_table = partial(grid.tabulate, first=first, regime=regime, length=table_length, most_steps=most_steps)
    table = _with_derivatives(make_table, (coefficients,), (changes,))
    if minutes.dtype != offset.dtype:
        coefficients, changes = grid.as_anchored(_shift(coefficients, changes, offset, regime), offset)
        offset = jnp.zeros_like(offset, minutes.dtype)

    def spread_out(v: Array) -> Array:
        """To every instant: otherwise XLA makes a kernel of its own of what depends on the satellite alone."""
        return jnp.broadcast_to(v.reshape(*v.shape[:-1], 1, v.shape[-1]), (*v.shape[:-1], len(minutes), v.shape[-1]))

    coefficients, changes = jax.tree.map(spread_out, (coefficients, changes))

    def states(coefficients: Any, table: Any) -> Any:
        return grid.evaluate(coefficients, offset, minutes[:, None], table=table, regime=regime, variables=STATE)

    (values, status), (derivatives, _) = _with_derivatives(states, (coefficients, table[0]), (changes, table[1]))
    return values, derivatives, status


def _shift(coefficients: Any, changes: Any, offset: Array, regime: Regime) -> tuple[Any, Any]:
    """Coefficients and their derivatives about anchors `offset` minutes later, in float64."""
    return _with_derivatives(lambda c: regime.shift(c, offset), (coefficients,), (changes,))


def _with_derivatives(function: Callable[..., Any], at: tuple[Any, ...], changes: tuple[Any, ...]) -> tuple[Any, Any]:
    """Value of a function at its arguments, and its derivatives along changes of these, which lie along a leading axis."""
    return jax.vmap(lambda *change: jax.jvp(function, at, change), out_axes=(None, 0))(*changes)


def _write(out: Outputs, k: Array, orbit: OrbitState, changes: OrbitState) -> Outputs:
    update, zero = jax.lax.dynamic_update_slice, jnp.zeros_like(k)
    filled = out.values
    for i, name in enumerate(STATE):
        state, derivatives = getattr(orbit, name), getattr(changes, name)
        filled = update(filled, state.astype(filled.dtype)[None, None], (zero + i, k, zero))
        row = len(STATE) + i * len(ELEMENTS)
        filled = update(filled, derivatives.astype(filled.dtype)[:, None], (zero + row, k, zero))
    return Outputs(filled, update(out.status, orbit.status.astype(jnp.int8)[None], (k, zero)))
