"""Satellites as seen from places, and in sunlight or not, at given states."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.passes.kernels import Places
from constellation_jax.engine.precision import evaluate
from constellation_jax.physics.constants import DEGREE
from constellation_jax.physics.observation import look_angles, sunlit_fraction

Vector = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]


def find_sunlit(position: Vector, sun: Vector) -> NDArray[np.float64]:
    """Fraction of the Sun's disc in sight of satellites, shape (times, satellites).

    Args:
        position: km, arrays of shape (times, satellites).
        sun: of the Sun in the same frame, km, arrays of shape (times,).
    """
    return np.asarray(evaluate(_sunlit, position, tuple(s[:, None] for s in sun)))


def find_look_angles(position: Vector, places: Places) -> tuple[NDArray[np.float64], ...]:
    """Azimuth and elevation (degrees) and range (km) from places, shape (places, times, satellites).

    Args:
        position: ITRS, km, arrays of shape (times, satellites).
        places: arrays of shape (places,).
    """
    azimuth, elevation, distance = evaluate(_look, position, places)
    return azimuth / DEGREE, elevation / DEGREE, distance


@jax.jit
def _sunlit(position: Any, sun: Any) -> Array:
    return sunlit_fraction(position, sun)


@jax.jit
def _look(position: Any, places: Places) -> tuple[Array, Array, Array]:
    def from_place(place: Places) -> tuple[Array, Array, Array]:
        away = tuple(r - s for r, s in zip(position, place.position, strict=True))
        return look_angles(away, place.east, place.north, place.up)

    return jax.lax.map(from_place, places)
