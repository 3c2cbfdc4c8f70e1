"""What `Engine` and `JacobianEngine` do with a catalogue before anything is computed: which kernel each satellite needs."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.chunks import padded
from constellation_jax.physics import kepler
from constellation_jax.physics.constants import GravityModel
from constellation_jax.physics.elements import Elements
from constellation_jax.physics.sgp4 import SAFE_NEAR_EARTH, is_deep_space


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
