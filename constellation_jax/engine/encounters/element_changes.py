"""Positions of objects at instants of their own with their derivatives by the elements, from the Jacobians."""

from __future__ import annotations

import dataclasses
from typing import Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.jacobians.kernels import ELEMENTS, STATE
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import MINUTES_PER_DAY, SECONDS_PER_DAY, WGS72
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import is_deep_space

Floats = NDArray[np.float64]
_HALF_S: Final = 0.5
"""Seconds to either side from which derivatives by time are made: they are off by 1e-7 of the acceleration times a second."""
_SLAB: Final = 4096
"""Entries that are computed together."""
_ANY_DAY: Final = 60000.0


class ElementChanges(NamedTuple):
    """Position, its derivatives by time, and those by the seven elements of `Elements`; arrays of n entries."""

    position: Floats
    """km, TEME, shape (3, n)."""
    velocity: Floats
    """Derivative of the position by time, km/s, shape (3, n)."""
    acceleration: Floats
    """Second derivative of the position by time, km/s2, shape (3, n)."""
    position_changes: Floats
    """km per unit of the element, shape (3, 7, n)."""
    velocity_changes: Floats
    """km/s per unit of the element, shape (3, 7, n)."""


def compute_changes(elements: Elements, day: NDArray[np.int64], fraction: Floats, devices: Devices) -> ElementChanges:
    """Compute the changes of n objects, each at an instant of its own; NaN where SGP4 has no state.

    Args:
        elements: float64 NumPy arrays of shape (n,).
        day, fraction: instants, Modified Julian Date (UTC) and fraction of a day, shape (n,).
        devices: that compute.
    """
    count = len(day)
    positions, changes = np.empty((3, 3, count)), np.empty((3, 3, len(ELEMENTS), count))  # (before, at, after) first
    deep = np.asarray(is_deep_space(elements, WGS72, np))
    near = np.flatnonzero(~deep)
    for first in range(0, len(near), _SLAB):
        slab = near[first : first + _SLAB]
        own = jax.tree.map(lambda v, at=slab: np.asarray(v)[at], elements)
        # near-Earth orbits have no use for an epoch: it is moved so that all are asked for at one instant
        minutes = (day[slab] - own.epoch_day) * MINUTES_PER_DAY + (
            fraction[slab] - own.epoch_fraction
        ) * MINUTES_PER_DAY
        whole, part = np.divmod(-minutes / MINUTES_PER_DAY, 1.0)
        moved = dataclasses.replace(own, epoch_day=_ANY_DAY + whole, epoch_fraction=part)
        positions[..., slab], changes[..., slab] = _jacobians(moved, _ANY_DAY, 0.0, devices)
    for k in np.flatnonzero(deep):  # few; the Moon and the Sun go by the epoch
        one = jax.tree.map(lambda v, k=k: np.asarray(v)[k : k + 1], elements)
        positions[..., [k]], changes[..., [k]] = _jacobians(one, float(day[k]), float(fraction[k]), devices)
    h = _HALF_S
    return ElementChanges(
        positions[1],
        (positions[2] - positions[0]) / (2.0 * h),
        (positions[2] - 2.0 * positions[1] + positions[0]) / h**2,
        changes[1],
        (changes[2] - changes[0]) / (2.0 * h),
    )


def _jacobians(elements: Elements, day: float, fraction: float, devices: Devices) -> tuple[Floats, Floats]:
    """Positions, shape (3, 3, n), and their derivatives, (3, 3, 7, n), shortly before, at and after an instant."""
    whole, part = np.divmod(fraction + np.array([-_HALF_S, 0.0, _HALF_S]) / SECONDS_PER_DAY, 1.0)
    engine = JacobianEngine(elements, Grid.inertial((day + whole).astype(np.int64), part), devices=devices)
    out = engine.allocate()
    engine.run(out)
    changes = out.values_block[len(STATE) :].reshape(len(STATE), len(ELEMENTS), *out.status.shape)
    return out.values_block[:3].transpose(1, 0, 2), changes[:3].transpose(2, 0, 1, 3)
