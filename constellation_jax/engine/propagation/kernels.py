"""Compiled loops: one tile of satellites over one chunk of instants, written into buffers that are donated and reused.

On a CPU a tile is worked through in blocks of some hundred satellites, so that every intermediate result stays in the first-level
cache: XLA:CPU splits a large elementwise function into dozens of loops with a full-size array between each two. Shapes are fixed,
so another catalogue or time grid compiles nothing anew. Results of all variables lie in one array, each written by an update of
its own: XLA:CPU updates in place what it does not fuse with another update.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.engine.devices import REPLICATED, Specs, satellites_last
from constellation_jax.engine.precision import without_subnormals
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import in_frame
from constellation_jax.engine.tiles import OUTPUT_SPECS, Outputs
from constellation_jax.physics.constants import MINUTES_PER_DAY
from constellation_jax.physics.sgp4.elements import Elements

TILE = {"cpu": 2048}
"""Satellites of one device in a tile. Measured; 1024 is 5 % (float64) and 20 % (float32) slower,
4096 is no quicker."""
BLOCK_BYTES = 1024
"""Bytes of one row of a block. Measured; 512 to 2048 are within 10 %."""
FEW_BYTES = 512
"""As `BLOCK_BYTES`, for tiles that may hold few satellites: of rare regimes, and of groups of up to `runner.FEW`. Still smaller
blocks save no time."""
CHUNK = 128
"""Largest number of instants in a chunk. Measured: with 64 float64 is a quarter and float32 a third slower."""


class Instants(NamedTuple):
    """Instants of a chunk, in arrays of CHUNK rows of which the first `rows` are computed."""

    rows: Array
    """Number of rows to compute."""
    middle: Array
    """Middle of the chunk: Modified Julian Date and fraction, float64, shape (2,)."""
    minutes: Array
    """Minutes since the middle, ascending, shape (CHUNK,)."""
    turn: Array
    """Matrices from TEME to ITRS, shape (CHUNK, 3, 3): r = turn r_teme, v = turn v_teme + spin r_teme."""
    spin: Array


_INSTANTS = Instants(*[REPLICATED] * 5)
FILL_SPECS = Specs(
    (satellites_last(2), _INSTANTS, OUTPUT_SPECS, REPLICATED), OUTPUT_SPECS, donate=(2,), wide_vectors=True
)
"""Placement of the arguments of `fill`."""


def pack(coefficients: Any, epoch_day: Any, epoch_fraction: Any) -> np.ndarray[Any, Any]:
    """Stack coefficients, a pytree of arrays of shape (satellites,), and the epochs that they are anchored at, as rows."""
    return np.stack([np.asarray(v) for v in (*jax.tree.leaves(coefficients), epoch_day, epoch_fraction)])


def fill(
    coefficients: Array,
    instants: Instants,
    out: Outputs,
    blocks: Array,
    *,
    regime: Regime,
    variables: tuple[str, ...],
    frame: str,
    table_length: int,
    block: int,
) -> Outputs:
    """States of one tile of satellites at each instant.

    Args:
        coefficients: packed coefficients of the regime, float64, shape (rows, TILE); with instants in float32 they are anchored in
            the middle of the chunk.
        instants: of the chunk.
        out: buffers that are written over.
        blocks: number of blocks that are computed, from the first one on; the rest of the tile is padding.
        regime: static.
        variables: static; names out of `state_variables.VARIABLES`, in the order of `out`.
        frame: static; "teme" or "itrs".
        table_length: static; `Regime.table_length` of the chunk.
        block: static; satellites that are worked on together.
    """

    def make_orbit_at(first: Array) -> Callable[[Array], dict[str, Array]]:
        own, middle = _columns(coefficients, first, block), instants.middle
        if own.dtype != instants.minutes.dtype:
            own, middle = anchor(own, middle, regime=regime), jnp.zeros(2, instants.minutes.dtype)
        c, t0 = unpack(regime, own, middle)
        start = t0 + instants.minutes[0]
        table = regime.tabulate(lambda t: regime.integrate(c, t), start, table_length)

        def orbit_at(k: Array) -> dict[str, Array]:
            t = t0 + instants.minutes[k]
            return regime.at(c, t, regime.look_up(table, t, start, table_length))._asdict()

        return orbit_at

    def fill_block(b: Array, out: Outputs) -> Outputs:
        first = b * block
        orbit_at = make_orbit_at(first)

        def fill_instant(k: Array, out: Outputs) -> Outputs:
            values = in_frame(orbit_at(k), instants.turn[k], instants.spin[k], variables, frame)
            return _write(out, k, first, values, variables)

        return jax.lax.fori_loop(0, instants.rows, fill_instant, out)

    return jax.lax.fori_loop(0, blocks, fill_block, out)


def anchor(coefficients: Array, middle: Array, *, regime: Regime) -> Array:
    """Packed coefficients anchored at the middle of a chunk, in float32; from float64."""
    c, t0 = unpack(regime, coefficients, middle)
    zero = jnp.zeros_like(t0)
    return without_subnormals(jnp.stack([*jax.tree.leaves(regime.shift(c, t0)), zero, zero]))


def _write(out: Outputs, k: Array, first: Array, values: dict[str, Array], variables: tuple[str, ...]) -> Outputs:
    update = jax.lax.dynamic_update_slice
    filled = out.values
    for i, name in enumerate(variables):
        filled = update(filled, values[name].astype(filled.dtype)[None, None], _index(i, k, first))
    return Outputs(filled, update(out.status, values["status"].astype(jnp.int8)[None], _index(k, first)))


def _index(*indices: Array | int) -> tuple[Array, ...]:
    """Indices in one type: loop counters have that of their bounds."""
    return tuple(jnp.asarray(i, jnp.int32) for i in indices)


def _columns(values: Array, first: Array, block: int) -> Array:
    return jax.lax.dynamic_slice_in_dim(values, first, block, axis=values.ndim - 1)


def unpack(regime: Regime, rows: Array, middle: Array) -> tuple[Any, Array]:
    """Coefficients, and minutes from their anchors to the middle of a chunk."""
    *leaves, day, fraction = rows
    since_anchor = (middle[0] - day) * MINUTES_PER_DAY + (middle[1] - fraction) * MINUTES_PER_DAY
    return jax.tree.unflatten(_structure(regime), leaves), since_anchor


@cache
def _structure(regime: Regime) -> Any:
    """Pytree structure of a regime's coefficients."""
    scalar: Any = jax.ShapeDtypeStruct((), jnp.float32)
    return jax.tree.structure(jax.eval_shape(regime.initialise, Elements(*[scalar] * 9)))
