"""What `Engine` and `JacobianEngine` do with a catalogue before anything is computed: which kernel each satellite needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.time_grid import padded
from constellation_jax.physics.constants import GravityModel
from constellation_jax.physics.sgp4 import kepler
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import SAFE_NEAR_EARTH, is_deep_space


def split_off_deep_space(elements: Elements, gravity: GravityModel) -> tuple[NDArray[np.bool_], Elements]:
    """Which satellites need SDP4, and the elements with those replaced by some that SGP4 can take. Shape (satellites,)."""
    deep = np.asarray(is_deep_space(elements, gravity, np))
    return deep, jax.tree.map(lambda v, safe: np.where(deep, safe, v), elements, SAFE_NEAR_EARTH)


def stays_small(c: Any, elements: Elements, ends: tuple[NDArray[np.float64], ...]) -> NDArray[np.bool_]:
    """Whether the mean eccentricity stays below `kepler.SMALL_ECCENTRICITY` over a run.

    Args:
        c: `sgp4_near.NearEarth` of NumPy arrays of shape (satellites,).
        ends: minutes from each epoch to the first and to the last instant.
    """
    bound = np.maximum(*(np.abs(c.eccentricity[0] + c.eccentricity[1] * t) for t in ends)) + np.abs(c.bstar_cc5)
    return np.asarray(np.maximum(bound, np.abs(elements.eccentricity)) < kepler.SMALL_ECCENTRICITY)


def stays_high(c: Any, ends: tuple[NDArray[np.float64], ...], gravity: GravityModel) -> NDArray[np.bool_]:
    """Whether a satellite certainly stays above `SAFE_RADIUS_KM` over a run, without any failure.

    The bound on its semi-major axis takes each power of time for itself, so it is far too low where drag is strong.

    Args:
        c, ends: as in `stays_small`.
    """
    root_a = c.root_a[0]
    for k, factor in enumerate(c.root_a[1:], 1):
        root_a = root_a + np.minimum(0.0, np.minimum(*(factor * t**k for t in ends)))
    swing = [c.eccentricity[0] + c.eccentricity[1] * t for t in ends]
    largest = np.maximum(*swing) + np.abs(c.bstar_cc5)
    smallest = np.minimum(*swing) - np.abs(c.bstar_cc5)
    perigee = np.maximum(root_a, 0.0) ** 2 * (1.0 - largest) * gravity.equatorial_radius_km
    return np.asarray((perigee > SAFE_RADIUS_KM) & (smallest > -0.001))  # below that SGP4 gives status 1


SAFE_RADIUS_KM = 6500.0
"""No satellite whose mean perigee is farther than this from the Earth's centre comes under one Earth radius: short- and long-period
terms move it by less than 30 km."""


def coefficients_of(
    initialise: Callable[[Elements, GravityModel], Any], elements: Elements, gravity: GravityModel
) -> Any:
    """What `sgp4_near.initialise` or `sdp4.initialise` makes of many elements, as NumPy arrays of shape (satellites,)."""
    return in_pieces(_compiled(initialise, gravity), elements, _WIDTH)


def in_pieces(make: Callable[[Elements], Any], elements: Elements, width: int) -> Any:
    """What a compiled function makes of elements, as NumPy arrays with the satellites last.

    Made for `width` satellites at a time: the shape compiled for does not depend on the catalogue.
    """
    count = len(np.asarray(elements.mean_motion))
    parts = []
    for first in range(0, count, width):
        part = jax.tree.map(lambda v, i=first: padded(v[i : i + width], width), elements)
        parts.append(jax.tree.map(np.asarray, make(part)))
    return jax.tree.map(lambda *v: np.concatenate(v, axis=-1)[..., :count], *parts)


_WIDTH = 1024
"""Satellites that coefficients are made for at a time."""


@cache
def _compiled(initialise: Callable[[Elements, GravityModel], Any], gravity: GravityModel) -> Any:
    return jax.jit(lambda elements: initialise(elements, gravity))
