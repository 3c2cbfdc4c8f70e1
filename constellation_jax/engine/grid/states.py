"""States of satellites at instants as JAX arrays: the result of every call that stays on the device."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.engine.precision import x64
from constellation_jax.engine.state_variables import POSITION, VELOCITY


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class States:
    """States as arrays of shape (time, satellite), a pytree; variables that were not asked for are None.

    Where the status is not 0, values are NaN.
    """

    status: Array
    """Key of `STATUS`, int8."""
    x: Array | None = None
    """Position, km; likewise y and z."""
    y: Array | None = None
    z: Array | None = None
    vx: Array | None = None
    """Velocity, km/s; likewise vy and vz. In ITRS it is relative to the rotating axes."""
    vy: Array | None = None
    vz: Array | None = None
    altitude: Array | None = None
    """Geodetic altitude above the WGS-84 ellipsoid, km."""
    latitude: Array | None = None
    """Geodetic latitude, degrees."""
    longitude: Array | None = None
    """Longitude, degrees, -180 to 180."""
    mean_altitude: Array | None = None
    """Mean semi-major axis minus 6378.137 km, km."""
    decay_rate: Array | None = None
    """Time derivative of the mean semi-major axis, km/day."""

    @property
    def position(self) -> Array:
        """Position, km, shape (time, satellite, 3)."""
        return self._stack(POSITION, "position")

    @property
    def velocity(self) -> Array:
        """Velocity, km/s, shape (time, satellite, 3)."""
        return self._stack(VELOCITY, "velocity")

    def _stack(self, names: Sequence[str], group: str) -> Array:
        parts = [getattr(self, name) for name in names]
        if any(part is None for part in parts):
            raise AttributeError(f"states without {group}: ask for it, as in variables={(group,)!r}")
        with x64():  # float64 stays what it is where the user's flag is off
            return jnp.stack(parts, axis=-1)
