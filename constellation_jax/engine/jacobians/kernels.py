"""Compiled loops of the Jacobians: one tile of satellites over one chunk of instants, seven tangents together.

As in propagation/kernels.py, shapes are fixed, and buffers are donated and reused.
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
_ANCHORED = (satellites_last(1), satellites_last(2))
FILL_SPECS = Specs((*_ANCHORED, satellites_last(1), REPLICATED, REPLICATED, OUTPUT_SPECS), OUTPUT_SPECS, donate=(5,))
ANCHOR_SPECS = Specs((*_ANCHORED, satellites_last(1)), _ANCHORED)
"""Placement of the arguments of the functions below."""


@partial(jax.jit, static_argnames="regime")
def coefficients_and_changes(elements: Elements, *, regime: Regime) -> tuple[Any, Any]:
    """Coefficients of a tile, and their derivatives by the seven elements along a leading axis."""
    zero, one = jnp.zeros_like(elements.mean_motion), jnp.ones_like(elements.mean_motion)

    def along(element: Array) -> Any:
        seven = {name: jnp.where(element == k, one, zero) for k, name in enumerate(ELEMENTS)}
        return jax.jvp(regime.initialise, (elements,), (Elements(**seven, epoch_day=zero, epoch_fraction=zero),))[1]

    # one tangent after the other: once for each satellite, so that compiling counts for more than the rate
    return regime.initialise(elements), jax.lax.map(along, jnp.arange(len(ELEMENTS)))


def anchor(coefficients: Any, changes: Any, minutes: Array, *, regime: Regime) -> Any:
    """Coefficients and their derivatives about an anchor some minutes later, in float32. To be run in float64."""
    moved = _with_derivatives(lambda c: regime.shift(c, minutes), (coefficients,), (changes,))
    return jax.tree.map(without_subnormals, moved)


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
    """States and derivatives of one tile of satellites at each instant.

    Args:
        coefficients: of the regime, arrays of shape (TILE,).
        changes: their derivatives, shape (7, TILE).
        offset: minutes from each anchor to the chunk's reference, shape (TILE,).
        minutes: from there to the instants, ascending, shape (CHUNK,).
        rows: number of instants to compute.
        out: buffers for `VARIABLES`, donated.
        regime: static.
        table_length: static; `Regime.table_length` of the chunk.
    """
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
