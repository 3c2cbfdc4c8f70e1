"""The compiled loops: one tile of satellites over one chunk of instants, written into buffers that are given back and used again.

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

from constellation_jax.physics import frames
from constellation_jax.physics.constants import DEGREE, MINUTES_PER_DAY, WGS72, GravityModel
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4 import near_earth as sgp4_near
from constellation_jax.physics.sgp4.elements import Elements

TILE = {"cpu": 2048, "gpu": 32768, "tpu": 32768}
"""Satellites of one device in a tile, by platform. CPU: measured; 1024 is 5 % (float64) and 20 % (float32) slower,
4096 is no quicker."""
BLOCK_BYTES = {"cpu": 1024}
"""Bytes of one row of a block, by platform; elsewhere a block is the tile. CPU: measured; 512 to 2048 are within 10 %."""
FEW_BYTES = {"cpu": 512}
"""The same for kinds of orbits that are rare, and for groups of up to `FEW` satellites. Smaller blocks take no less time."""
FEW = 128
CHUNK = 128
"""Largest number of instants in a chunk. Measured on a CPU: with 64 float64 is a quarter and float32 a third slower."""

POSITION, VELOCITY, GEODETIC = ("x", "y", "z"), ("vx", "vy", "vz"), ("latitude", "longitude", "altitude")
VARIABLES = (*POSITION, *VELOCITY, "altitude", "latitude", "longitude", "mean_altitude", "decay_rate")
TURNING = {"latitude", "longitude"}
"""Variables that cannot be interpolated: at a pole, or at 180 degrees, they have a kink or a jump."""


class Instants(NamedTuple):
    """The instants of a chunk, in arrays of CHUNK rows of which the first ones are asked for."""

    rows: Array
    """How many."""
    middle: Array
    """Of the chunk: Modified Julian Date and fraction, shape (2,), in the type of the coefficients; zeros where those are anchored
    there."""
    minutes: Array
    """Since the middle, ascending, shape (CHUNK,)."""
    turn: Array
    """Matrices from TEME to ITRS, shape (CHUNK, 3, 3): r = turn r_teme, v = turn v_teme + spin r_teme."""
    spin: Array


class Outputs(NamedTuple):
    """What a tile writes."""

    values: Array
    """Shape (variables, CHUNK, TILE)."""
    status: Array
    """Shape (CHUNK, TILE), int8."""


def pack(coefficients: Any, epoch_day: Any, epoch_fraction: Any) -> np.ndarray[Any, Any]:
    """A pytree of arrays of shape (satellites,), and the anchors that it holds for, as one array with a row for each."""
    return np.stack([np.asarray(v) for v in (*jax.tree.leaves(coefficients), epoch_day, epoch_fraction)])


def fill_near(
    coefficients: Array,
    instants: Instants,
    out: Outputs,
    blocks: Array,
    *,
    variables: tuple[str, ...],
    frame: str,
    gravity: GravityModel,
    small_eccentricity: bool,
    block: int,
) -> Outputs:
    """States of one tile of near-Earth satellites at each instant.

    Args:
        coefficients: packed `sgp4_near.NearEarth`, shape (rows, TILE). In float64 with instants in float32 they are anchored here,
            which on a CPU is quicker than `anchored` before; on a GPU that keeps float64 out of this kernel.
        instants: of the chunk.
        out: buffers that are written over.
        blocks: how many, from the first one on, are computed; the rest of the tile is padding.
        variables: static; names out of `VARIABLES`, in the order of `out`.
        frame: static; "teme" or "itrs".
        small_eccentricity: static; as in `sgp4_near.evaluate`.
        block: static; satellites that are worked on together.
    """

    def orbit_of(first: Array) -> Callable[[Array], dict[str, Array]]:
        own, middle = _columns(coefficients, first, block), instants.middle
        if own.dtype != instants.minutes.dtype:
            own, middle = anchored(own, middle), jnp.zeros(2, instants.minutes.dtype)
        c, t0 = _unpack(sgp4_near.initialise, own, middle)

        def orbit_at(k: Array) -> dict[str, Array]:
            return sgp4_near.evaluate(c, t0 + instants.minutes[k], gravity, small_eccentricity)._asdict()

        return orbit_at

    return _each(out, instants, blocks, orbit_of, variables, frame, block)


def fill_deep(
    coefficients: Array,
    instants: Instants,
    out: Outputs,
    blocks: Array,
    *,
    variables: tuple[str, ...],
    frame: str,
    gravity: GravityModel,
    table_length: int,
    block: int,
) -> Outputs:
    """States of one tile of deep-space satellites at each instant.

    Args:
        coefficients: packed `sdp4.DeepSpace`.
        table_length: static; steps of the resonance integrator (720 min) that the chunk can span, plus one.
        others: as in `fill_near`.
    """

    def orbit_of(first: Array) -> Callable[[Array], dict[str, Array]]:
        c, t0 = _unpack(sdp4.initialise, _columns(coefficients, first, block), instants.middle)
        start = t0 + instants.minutes[0]
        table = jax.lax.map(lambda t: sdp4.resonance_at(c, t), table_minutes(start, table_length))

        def orbit_at(k: Array) -> dict[str, Array]:
            t = t0 + instants.minutes[k]
            entry = table_entry(t, start, table_length)
            resonance = jax.tree.map(lambda v: jnp.take_along_axis(v, entry[None], axis=0)[0], table)
            return sdp4.evaluate(c, t, resonance, t - resonance.atime, gravity)._asdict()

        return orbit_at

    return _each(out, instants, blocks, orbit_of, variables, frame, block)


def table_length(minutes: float) -> int:
    """Entries of a table of the resonance integrator for a span: a power of two, so that few lengths are compiled."""
    steps = int(minutes / sdp4.STEP_MINUTES) + 2
    return 1 << (steps - 1).bit_length()


def table_minutes(start: Array, length: int) -> Array:
    """Instants at which the integrator stands at each entry of a table. Shape (length, satellites).

    Args:
        start: first instant that the table is for, minutes since each epoch.
        length: static.
    """
    steps = jnp.trunc(start / sdp4.STEP_MINUTES)[None] + jnp.arange(length, dtype=start.dtype)[:, None]
    # an instant only has to lie in the step that it asks for: half a step beyond its start, away from the epoch
    return (steps + 0.5 * jnp.sign(steps)) * sdp4.STEP_MINUTES


def table_entry(t: Array, start: Array, length: int) -> Array:
    """Entry of the table for instants t, minutes since each epoch. Shape (satellites,), int32."""
    steps = jnp.trunc(t / sdp4.STEP_MINUTES) - jnp.trunc(start / sdp4.STEP_MINUTES)
    return jnp.clip(steps, 0, length - 1).astype(jnp.int32)


def interpolate(matrix: Array, nodes: Array) -> Array:
    """Values at instants, shape (variables, CHUNK, TILE), from values at nodes.

    Args:
        matrix: from nodes to instants, shape (CHUNK, nodes).
        nodes: shape (variables, CHUNK, TILE); the first rows of each variable are its values at the nodes.
    """
    return jnp.einsum("gn,vns->vgs", matrix, nodes[:, : matrix.shape[1]], precision=jax.lax.Precision.HIGHEST)


def anchored(coefficients: Array, middle: Array) -> Array:
    """Packed near-Earth coefficients anchored at the middle of a chunk, in float32; from float64."""
    c, t0 = _unpack(sgp4_near.initialise, coefficients, middle)
    nothing = jnp.zeros_like(t0)
    return without_subnormals(jnp.stack([*jax.tree.leaves(sgp4_near.shift(c, t0)), nothing, nothing]))


def without_subnormals(values: Array) -> Array:
    """In float32, with zero for drag terms far below any effect: they would be subnormal, which processors are slow with."""
    return jnp.where(jnp.abs(values) < 1e-30, 0.0, values).astype(jnp.float32)


def attitude(gmst: Array, polar_x: Array, polar_y: Array) -> tuple[Array, Array]:
    """Matrices from TEME to ITRS, `Instants.turn` and `.spin`, from sidereal time and the pole (rad, shape (instants,))."""
    basis = jnp.eye(3, dtype=gmst.dtype)

    def at(gmst: Array, polar_x: Array, polar_y: Array) -> tuple[Array, Array]:
        turn, spin = jax.vmap(lambda e: frames.teme_to_itrs(e, jnp.zeros_like(e), gmst, polar_x, polar_y))(basis)
        return turn.T, spin.T

    return jax.vmap(at)(gmst, polar_x, polar_y)


def _each(
    out: Outputs,
    instants: Instants,
    blocks: Array,
    orbit_of: Callable[[Array], Callable[[Array], dict[str, Array]]],
    variables: tuple[str, ...],
    frame: str,
    block: int,
) -> Outputs:
    def in_block(b: Array, out: Outputs) -> Outputs:
        first = b * block
        orbit_at = orbit_of(first)

        def instant(k: Array, out: Outputs) -> Outputs:
            values = _in_frame(orbit_at(k), instants.turn[k], instants.spin[k], variables, frame)
            return _write(out, k, first, values, variables)

        return jax.lax.fori_loop(0, instants.rows, instant, out)

    return jax.lax.fori_loop(0, blocks, in_block, out)


def _in_frame(
    values: dict[str, Array], turn: Array, spin: Array, variables: tuple[str, ...], frame: str
) -> dict[str, Array]:
    names = set(variables)
    if frame == "teme" and not names & set(GEODETIC):
        return values
    r = tuple(values[name] for name in POSITION)
    r_itrs = _rotate(turn, r)
    if names & {"latitude", "longitude"}:
        latitude, longitude, altitude = frames.geodetic(*r_itrs)
        values = values | {"latitude": latitude / DEGREE, "longitude": longitude / DEGREE, "altitude": altitude}
    elif "altitude" in names:
        values = values | {"altitude": frames.geodetic_altitude(*r_itrs)}
    if frame == "itrs":
        values = values | dict(zip(POSITION, r_itrs, strict=True))
        if names & set(VELOCITY):
            v = _rotate(turn, tuple(values[name] for name in VELOCITY))
            turning = _rotate(spin, r)
            values = values | {name: v[i] + turning[i] for i, name in enumerate(VELOCITY)}
    return values


def _write(out: Outputs, k: Array, first: Array, values: dict[str, Array], variables: tuple[str, ...]) -> Outputs:
    update = jax.lax.dynamic_update_slice
    filled = out.values
    for i, name in enumerate(variables):
        filled = update(filled, values[name].astype(filled.dtype)[None, None], _index(i, k, first))
    return Outputs(filled, update(out.status, values["status"].astype(jnp.int8)[None], _index(k, first)))


def _rotate(matrix: Array, vector: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(matrix[i, 0] * vector[0] + matrix[i, 1] * vector[1] + matrix[i, 2] * vector[2] for i in range(3))


def _index(*indices: Array | int) -> tuple[Array, ...]:
    """Of one type: loop counters have that of their bounds."""
    return tuple(jnp.asarray(i, jnp.int32) for i in indices)


def _columns(values: Array, first: Array, block: int) -> Array:
    return jax.lax.dynamic_slice_in_dim(values, first, block, axis=values.ndim - 1)


def _unpack(initialise: Callable[..., Any], rows: Array, middle: Array) -> tuple[Any, Array]:
    """Coefficients, and minutes from their anchors to the middle of a chunk."""
    *leaves, day, fraction = rows
    since_anchor = (middle[0] - day) * MINUTES_PER_DAY + (middle[1] - fraction) * MINUTES_PER_DAY
    return jax.tree.unflatten(_structure(initialise), leaves), since_anchor


@cache
def _structure(initialise: Callable[..., Any]) -> Any:
    """Of what a function makes of an element set."""
    scalar: Any = jax.ShapeDtypeStruct((), jnp.float32)
    one = Elements(*[scalar] * 9)
    return jax.tree.structure(jax.eval_shape(lambda e: initialise(e, WGS72), one))
