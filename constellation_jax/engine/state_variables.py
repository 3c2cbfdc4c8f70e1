"""Variables of a state, and their conversion from the frame of SGP4 to the one that is asked for."""

from collections.abc import Iterable
from typing import Any

import jax.numpy as jnp
from jax import Array

from constellation_jax.physics import frames
from constellation_jax.physics.constants import DEGREE, EARTH_ROTATION_RATE

POSITION, VELOCITY, GEODETIC = ("x", "y", "z"), ("vx", "vy", "vz"), ("latitude", "longitude", "altitude")
VARIABLES = (*POSITION, *VELOCITY, "altitude", "latitude", "longitude", "mean_altitude", "decay_rate")
TURNING = {"latitude", "longitude"}
"""Variables that cannot be interpolated: at a pole, or at 180 degrees, they have a discontinuity."""


def attitude(gmst: Any, polar_x: Any, polar_y: Any, xp: Any = jnp) -> tuple[Any, ...]:
    """Matrices `turn` and `spin` of `in_frame`, shape (instants, 3, 3), from sidereal time and the pole (rad, shape (instants,)).

    They are those of `frames.teme_to_itrs`.

    Args:
        xp: jnp, or np on the host, where tracing it would take longer than all else.
    """
    (s, c), (sx, cx), (sy, cy) = ((xp.sin(v), xp.cos(v)) for v in (gmst, polar_x, polar_y))
    zero, one = xp.zeros_like(s), xp.ones_like(s)

    def matrix(*entries: Any) -> Any:
        return xp.stack(entries, axis=-1).reshape(*s.shape, 3, 3)

    to_itrs = matrix(cx, zero, sx, sy * sx, cy, -sy * cx, -cy * sx, sy, cy * cx)
    turn = matrix(c, s, zero, -s, c, zero, zero, zero, one)
    spin = EARTH_ROTATION_RATE * matrix(-s, c, zero, -c, -s, zero, zero, zero, zero)
    # not a matrix product, for which a GPU takes fewer digits
    return tuple((to_itrs[..., None] * m[..., None, :, :]).sum(axis=-2) for m in (turn, spin))


def needs_attitude(variables: Iterable[str], frame: str) -> bool:
    """True where the variables depend on the attitude of the Earth."""
    return frame != "teme" or bool(set(GEODETIC) & set(variables))


def in_frame(
    values: dict[str, Array], turn: Array, spin: Array, variables: tuple[str, ...], frame: str
) -> dict[str, Array]:
    """Variables of states in a frame, from those in TEME by name.

    Args:
        values: variables in TEME by name, position and mean altitude among them; km, km/s.
        turn, spin: matrices from TEME to ITRS, shape (3, 3, ...) that broadcasts with the values: r = turn r_teme,
            v = turn v_teme + spin r_teme. Not used where nothing depends on the Earth's attitude.
        variables: static; the names that are asked for.
        frame: static; "teme" or "itrs", of position and velocity.
    """
    names = set(variables)
    if not needs_attitude(variables, frame):
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


def _rotate(matrix: Array, vector: tuple[Array, ...]) -> tuple[Array, ...]:
    return tuple(matrix[i, 0] * vector[0] + matrix[i, 1] * vector[1] + matrix[i, 2] * vector[2] for i in range(3))
