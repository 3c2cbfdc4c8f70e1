"""The compiled loops of `jacobians`: one tile of satellites over one chunk of instants, seven tangents together.

As in tiles.py, shapes are fixed and buffers are given back and used again.
"""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.engine.propagation.kernels import (
    POSITION,
    VELOCITY,
    table_entry,
    table_minutes,
    without_subnormals,
)
from constellation_jax.physics.constants import GravityModel
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4 import near_earth as sgp4_near
from constellation_jax.physics.sgp4.common import Orbit
from constellation_jax.physics.sgp4.elements import Elements

STATE = (*POSITION, *VELOCITY)
ELEMENTS = tuple(field.name for field in dataclasses.fields(Elements))[:7]
"""What the derivative is taken with respect to."""
CHUNK = 64
"""Number of instants in a chunk: shorter than that of states, for seven times as much is written."""
TILE = {"cpu": 256, "gpu": 8192, "tpu": 8192}
"""Satellites in a tile, by platform. CPU: measured; the seven tangents of each intermediate share the cache with it."""


class Buffers(NamedTuple):
    """What a tile writes. In one array, row after row: XLA:CPU updates in place what it does not fuse with another update."""

    values: Array
    """The six components of the state, then their derivatives by the seven elements: shape (6 + 6 * 7, CHUNK, TILE)."""
    status: Array
    """Shape (CHUNK, TILE), int8."""


def buffers(width: int, dtype: str) -> Buffers:
    """Fresh ones for tiles of a width."""
    rows = len(STATE) * (1 + len(ELEMENTS))
    return Buffers(jnp.zeros((rows, CHUNK, width), dtype), jnp.zeros((CHUNK, width), jnp.int8))


@partial(jax.jit, static_argnames=("gravity", "deep"))
def coefficients_and_changes(elements: Elements, *, gravity: GravityModel, deep: bool) -> tuple[Any, Any]:
    """Coefficients of a tile, and their derivatives by the seven elements along a leading axis."""
    initialise = sdp4.initialise if deep else sgp4_near.initialise
    zero, one = jnp.zeros_like(elements.mean_motion), jnp.ones_like(elements.mean_motion)

    def along(element: Array) -> Any:
        seven = {name: jnp.where(element == k, one, zero) for k, name in enumerate(ELEMENTS)}
        return jax.jvp(
            lambda e: initialise(e, gravity), (elements,), (Elements(**seven, epoch_day=zero, epoch_fraction=zero),)
        )[1]

    # one tangent after the other: once for each satellite, so that compiling counts for more than the rate
    return initialise(elements, gravity), jax.lax.map(along, jnp.arange(len(ELEMENTS)))


@jax.jit
def anchored(coefficients: Any, changes: Any, minutes: Array) -> Any:
    """Near-Earth coefficients and their derivatives about an anchor some minutes later, in float32. To be run in float64."""

    def along(change: Any) -> Any:
        return jax.jvp(lambda c: sgp4_near.shift(c, minutes), (coefficients,), (change,))

    moved = jax.vmap(along, out_axes=(None, 0))(changes)
    return jax.tree.map(without_subnormals, moved)


@partial(jax.jit, static_argnames=("gravity", "small_eccentricity"), donate_argnames="out")
def fill_near(
    coefficients: Any,
    changes: Any,
    offset: Array,
    minutes: Array,
    rows: Array,
    out: Buffers,
    *,
    gravity: GravityModel,
    small_eccentricity: bool,
) -> Buffers:
    """States and derivatives of one tile of near-Earth satellites at each instant.

    Args:
        coefficients: arrays of shape (TILE,).
        changes: their derivatives, shape (7, TILE).
        offset: minutes from each anchor to the chunk's reference, shape (TILE,).
        minutes: from there to the instants, ascending, shape (CHUNK,).
        rows: how many of them are asked for.
        out: donated.
        gravity, small_eccentricity: static.
    """

    def instant(k: Array, out: Buffers) -> Buffers:
        t = offset + minutes[k]

        def along(change: Any) -> tuple[Orbit, Orbit]:
            return jax.jvp(lambda c: sgp4_near.evaluate(c, t, gravity, small_eccentricity), (coefficients,), (change,))

        return _write(out, k, *jax.vmap(along, out_axes=(None, 0))(changes))

    return jax.lax.fori_loop(0, rows, instant, out)


@partial(jax.jit, static_argnames=("gravity", "table_length"), donate_argnames="out")
def fill_deep(
    coefficients: Any,
    changes: Any,
    offset: Array,
    minutes: Array,
    rows: Array,
    out: Buffers,
    *,
    gravity: GravityModel,
    table_length: int,
) -> Buffers:
    """States and derivatives of one tile of deep-space satellites at each instant.

    Args:
        table_length: static; steps of the resonance integrator (720 min) that the chunk can span, plus one.
        others: as in `fill_near`.
    """
    start = offset + minutes[0]

    def integrate(t: Array) -> tuple[sdp4.Resonance, sdp4.Resonance]:
        def along(change: Any) -> Any:
            return jax.jvp(lambda c: sdp4.resonance_at(c, t, forward_only=True), (coefficients,), (change,))

        return jax.vmap(along, out_axes=(None, 0))(changes)

    table, table_changes = jax.lax.map(integrate, table_minutes(start, table_length))

    def instant(k: Array, out: Buffers) -> Buffers:
        t = offset + minutes[k]
        entry = table_entry(t, start, table_length)

        def look_up(v: Array) -> Array:
            index = jnp.broadcast_to(entry, (1, *v.shape[1:]))
            return jnp.take_along_axis(v, index, axis=0)[0]

        resonance, resonance_changes = jax.tree.map(look_up, (table, table_changes))

        def orbit(c: Any, resonance: sdp4.Resonance) -> Orbit:
            return sdp4.evaluate(c, t, resonance, t - resonance.atime, gravity)

        def along(change: Any, resonance_change: Any) -> tuple[Orbit, Orbit]:
            return jax.jvp(orbit, (coefficients, resonance), (change, resonance_change))

        return _write(out, k, *jax.vmap(along, out_axes=(None, 0))(changes, resonance_changes))

    return jax.lax.fori_loop(0, rows, instant, out)


def _write(out: Buffers, k: Array, orbit: Orbit, changes: Orbit) -> Buffers:
    update, zero = jax.lax.dynamic_update_slice, jnp.zeros_like(k)
    filled = out.values
    for i, name in enumerate(STATE):
        state, derivatives = getattr(orbit, name), getattr(changes, name)
        filled = update(filled, state.astype(filled.dtype)[None, None], (zero + i, k, zero))
        row = len(STATE) + i * len(ELEMENTS)
        filled = update(filled, derivatives.astype(filled.dtype)[:, None], (zero + row, k, zero))
    return Buffers(filled, update(out.status, orbit.status.astype(jnp.int8)[None], (k, zero)))
