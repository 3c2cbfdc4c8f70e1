"""Normal equations of the fit of element sets to states, summed from the Jacobians.

The parameters are those that stay apart at zero eccentricity: mean motion, e cos(omega), e sin(omega), inclination, raan, omega + M
and B*.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.jacobians.kernels import ELEMENTS, STATE
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import is_deep_space

Floats = NDArray[np.float64]
PARAMETERS = len(ELEMENTS)
_SLAB = 1024
"""Satellites whose Jacobians are in memory at once: 340 B for each of their instants."""
_LEAST_ECCENTRICITY = 1e-7
"""Eccentricity with which directions along omega are divided: below it the ellipse is a circle to a metre."""
_ANY_DAY = 60000.0
"""Epoch of near-Earth satellites, whose theory has no use for one: those with the same instants since their epochs go together."""


@dataclasses.dataclass(frozen=True)
class Samples:
    """States of n satellites to be fitted, at no more than m instants each."""

    minutes: Floats
    """Minutes since the epoch, ascending, shape (m, n); padded by repeating the last."""
    position: Floats
    """km, TEME, shape (3, m, n)."""
    velocity: Floats
    """km/s, TEME, shape (3, m, n)."""
    weight: Floats
    """Weight of each position, 1/km2; 0 for none. Shape (m, n)."""
    velocity_weight: Floats
    """Weight of each velocity, s2/km2, shape (m, n)."""

    def take(self, satellites: NDArray[np.intp], rows: int | None = None) -> Samples:
        """Samples of some satellites, at the first instants."""
        return Samples(*(getattr(self, f.name)[..., :rows, :][..., satellites] for f in dataclasses.fields(self)))


class NormalEquations(NamedTuple):
    """Sums over the samples of each of n satellites."""

    matrix: Floats
    """Weighted product of the derivatives, shape (7, 7, n)."""
    vector: Floats
    """Weighted product of derivatives and residuals, observed minus computed, shape (7, n)."""
    cost: Floats
    """Weighted sum of the squares of the residuals, shape (n,); inf where SGP4 has no state at one of them."""
    square: Floats
    """Sum of the squares of the residuals in position that have a weight, km2."""
    largest: Floats
    """Largest distance between observed and computed position, km."""


def sum_normal_equations(elements: Elements, samples: Samples, devices: Devices) -> NormalEquations:
    """Sum the normal equations of n satellites.

    Satellites with the same instants since their epochs share a pass; each other grid of instants is one of its own.
    """
    count = samples.minutes.shape[1]
    result = NormalEquations(
        np.zeros((PARAMETERS, PARAMETERS, count)), np.zeros((PARAMETERS, count)), *(np.zeros(count) for _ in range(3))
    )
    for members in _with_the_same_instants(elements, samples.minutes):
        for first in range(0, len(members), _SLAB):
            slab = members[first : first + _SLAB]
            own = jax.tree.map(lambda v, at=slab: np.asarray(v)[at], elements)
            found = _sum_slab(own, samples.take(slab), devices)
            for whole, part in zip(result, found, strict=True):
                whole[..., slab] = part
    return result


def _with_the_same_instants(elements: Elements, minutes: Floats) -> list[NDArray[np.intp]]:
    deep = np.asarray(is_deep_space(elements, WGS72, np))
    epoch = np.where(deep, np.asarray(elements.epoch_day) + np.asarray(elements.epoch_fraction), _ANY_DAY)
    groups: dict[bytes, list[int]] = {}
    for k in range(len(deep)):
        groups.setdefault(epoch[k].tobytes() + minutes[:, k].tobytes(), []).append(k)
    return [np.array(members) for members in groups.values()]


def _sum_slab(elements: Elements, samples: Samples, devices: Devices) -> NormalEquations:
    """Sums of satellites that have the same instants."""
    minutes, kept = np.unique(samples.minutes[:, 0], return_index=True)
    day, fraction = np.asarray(elements.epoch_day), np.asarray(elements.epoch_fraction)
    if not np.asarray(is_deep_space(elements, WGS72, np)).any():
        day, fraction = np.full_like(day, _ANY_DAY), np.zeros_like(fraction)
    elements = dataclasses.replace(elements, epoch_day=day, epoch_fraction=fraction)
    whole, part = np.divmod(fraction[0] + minutes / MINUTES_PER_DAY, 1.0)
    engine = JacobianEngine(elements, Grid.inertial((day[0] + whole).astype(np.int64), part), devices=devices)
    out = engine.allocate()
    engine.run(out)
    weights = (samples.weight[kept], samples.velocity_weight[kept])
    has_failed = (out.status != 0).any(axis=0)
    out.values_block[:, :, has_failed] = 0.0  # NaN would spoil the sums, which count for nothing there
    states = out.values_block[: len(STATE)]
    changes = out.values_block[len(STATE) :].reshape(len(STATE), PARAMETERS, *out.status.shape)
    count = len(has_failed)
    matrix, vector, cost = np.zeros((PARAMETERS, PARAMETERS, count)), np.zeros((PARAMETERS, count)), np.zeros(count)
    square = np.zeros(out.status.shape)
    for c in range(len(STATE)):
        weight = weights[c // 3]
        if not weight.any():
            continue
        observed = (samples.position, samples.velocity)[c // 3][c % 3, kept]
        off = observed - states[c]
        by = _by_parameters(changes[c], elements)
        weighted = by * weight
        for i in range(PARAMETERS):
            vector[i] += np.einsum("mn,mn->n", weighted[i], off)
            for j in range(i + 1):
                matrix[i, j] += np.einsum("mn,mn->n", weighted[i], by[j])
        cost += np.einsum("mn,mn,mn->n", weight, off, off)
        if c < 3:
            square += np.where(weight > 0.0, off**2, 0.0)
    for i in range(PARAMETERS):
        matrix[:i, i] = matrix[i, :i]
    cost[has_failed] = np.inf
    return NormalEquations(matrix, vector, cost, square.sum(axis=0), np.sqrt(square.max(axis=0, initial=0.0)))


def _by_parameters(changes: Floats, elements: Elements) -> Floats:
    """Derivatives by the parameters from those by the elements, shape (7, m, n)."""
    e = np.maximum(np.asarray(elements.eccentricity), _LEAST_ECCENTRICITY)
    sin, cos = np.sin(elements.arg_perigee), np.cos(elements.arg_perigee)
    # turning omega alone moves a satellite along its orbit as M does, but for the eccentricity
    about = (changes[4] - changes[5]) / e
    n, ecc, inclination, raan, _, latitude, bstar = changes
    return np.stack([n, cos * ecc - sin * about, sin * ecc + cos * about, inclination, raan, latitude, bstar])
