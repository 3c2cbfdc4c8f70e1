"""The compiled loops: one tile of satellites over one chunk of instants, written into buffers that are given back and used again.

A tile is small enough that every intermediate stays in cache: XLA:CPU splits a large elementwise function into many loops with a
full-size array between each two. Shapes are fixed, so another catalogue or time grid compiles nothing anew.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics import frames, sdp4, sgp4_near
from constellation_jax.physics.constants import DEGREE, GravityModel
from constellation_jax.physics.sdp4 import DeepSpace
from constellation_jax.physics.sgp4_common import Orbit
from constellation_jax.physics.sgp4_near import NearEarth

TILE = {"cpu": 1024, "gpu": 32768, "tpu": 32768}
"""Satellites in a tile, by platform. CPU: measured, 512 to 2048 are within 5 % of each other; 4096 leaves the cache."""
CHUNK = 64
"""Instants in a chunk."""

POSITION, VELOCITY, GEODETIC = ("x", "y", "z"), ("vx", "vy", "vz"), ("latitude", "longitude", "altitude")
VARIABLES = (*POSITION, *VELOCITY, "altitude", "latitude", "longitude", "mean_altitude", "decay_rate")


class Attitude(NamedTuple):
    """Matrices from TEME to ITRS at each instant, shape (instants, 3, 3): r = turn r_teme, v = turn v_teme + spin r_teme."""

    turn: Array
    spin: Array


class Instants(NamedTuple):
    """The instants of a chunk."""

    minutes: Array
    """Since the chunk's reference, shape (CHUNK,)."""
    attitude: Attitude


class Outputs(NamedTuple):
    """What a tile writes: a buffer of shape (CHUNK, TILE) for each variable, and the status (int8)."""

    variables: dict[str, Array]
    status: Array


@partial(jax.jit, static_argnames=("gravity", "frame", "small_eccentricity"), donate_argnames="out")
def fill_near(
    coefficients: NearEarth,
    offset: Array,
    instants: Instants,
    out: Outputs,
    *,
    gravity: GravityModel,
    frame: str,
    small_eccentricity: bool,
) -> Outputs:
    """States of one tile of near-Earth satellites at each instant.

    Args:
        coefficients: arrays of shape (TILE,).
        offset: minutes from each anchor to the chunk's reference, shape (TILE,).
        instants: of the chunk, ascending.
        out: buffers; donated.
        gravity, frame ("teme" or "itrs"), small_eccentricity: static.
    """

    def instant(k: Array, out: Outputs) -> Outputs:
        t = offset + instants.minutes[k]
        orbit = sgp4_near.evaluate(coefficients, t, gravity, small_eccentricity)
        return _write(out, k, orbit, instants.attitude, frame)

    return jax.lax.fori_loop(0, instants.minutes.shape[0], instant, out)


@partial(jax.jit, static_argnames=("gravity", "frame", "table_length"), donate_argnames="out")
def fill_deep(
    coefficients: DeepSpace,
    offset: Array,
    instants: Instants,
    out: Outputs,
    *,
    gravity: GravityModel,
    frame: str,
    table_length: int,
) -> Outputs:
    """States of one tile of deep-space satellites at each instant.

    Args:
        table_length: static; steps of the resonance integrator (720 min) that the chunk can span, plus one.
        others: as in `fill_near`.
    """
    first = jnp.trunc((offset + instants.minutes[0]) / sdp4.STEP_MINUTES)
    at_steps = first[None] + jnp.arange(table_length, dtype=first.dtype)[:, None]
    # the instant only has to lie in the step that it asks for: half a step beyond its start, away from the epoch
    table = jax.lax.map(
        lambda k: sdp4.resonance_at(coefficients, (k + 0.5 * jnp.sign(k)) * sdp4.STEP_MINUTES), at_steps
    )

    def instant(k: Array, out: Outputs) -> Outputs:
        t = offset + instants.minutes[k]
        entry = jnp.clip(jnp.trunc(t / sdp4.STEP_MINUTES) - first, 0, table_length - 1).astype(jnp.int32)
        resonance = jax.tree.map(lambda v: jnp.take_along_axis(v, entry[None], axis=0)[0], table)
        orbit = sdp4.evaluate(coefficients, t, resonance, t - resonance.atime, gravity)
        return _write(out, k, orbit, instants.attitude, frame)

    return jax.lax.fori_loop(0, instants.minutes.shape[0], instant, out)


@jax.jit
def attitude(gmst: Array, polar_x: Array, polar_y: Array) -> Attitude:
    """Matrices from TEME to ITRS, from sidereal time and the pole (rad, shape (instants,))."""
    basis = jnp.eye(3, dtype=gmst.dtype)

    def at(gmst: Array, polar_x: Array, polar_y: Array) -> Attitude:
        turn, spin = jax.vmap(lambda e: frames.teme_to_itrs(e, jnp.zeros_like(e), gmst, polar_x, polar_y))(basis)
        return Attitude(turn.T, spin.T)

    return jax.vmap(at)(gmst, polar_x, polar_y)


def _write(out: Outputs, k: Array, orbit: Orbit, attitude: Attitude, frame: str) -> Outputs:
    values = orbit._asdict()
    names = out.variables.keys()
    if frame == "itrs" or names & set(GEODETIC):
        r, v = (orbit.x, orbit.y, orbit.z), (orbit.vx, orbit.vy, orbit.vz)
        turn, spin = attitude.turn[k], attitude.spin[k]
        r_itrs = _rotate(turn, r)
        v_itrs = tuple(a + b for a, b in zip(_rotate(turn, v), _rotate(spin, r), strict=True))
        if frame == "itrs":
            values |= dict(zip((*POSITION, *VELOCITY), (*r_itrs, *v_itrs), strict=True))
        if names & {"latitude", "longitude"}:
            latitude, longitude, altitude = frames.geodetic(*r_itrs)
            values |= {"latitude": latitude / DEGREE, "longitude": longitude / DEGREE, "altitude": altitude}
        elif "altitude" in names:
            values["altitude"] = frames.geodetic_altitude(*r_itrs)

    def put(buffer: Array, row: Array) -> Array:
        return jax.lax.dynamic_update_slice(buffer, row.astype(buffer.dtype)[None], (k, jnp.zeros_like(k)))

    return Outputs(
        {name: put(buffer, values[name]) for name, buffer in out.variables.items()}, put(out.status, orbit.status)
    )


def _rotate(matrix: Array, vector: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(sum(matrix[i, j] * vector[j] for j in range(3)) for i in range(3))  # type: ignore[misc]
