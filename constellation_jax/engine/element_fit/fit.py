"""Fit of element sets to states, a whole fleet at once: Gauss-Newton steps with the damping of Levenberg and Marquardt.

A step that raises the cost of a satellite is taken back and shortened, without any effect on the others.

Reference: Vallado & Crawford, "SGP4 orbit determination", AIAA 2008-6770 (2008); Marquardt, J. SIAM 11, 431 (1963).
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.element_fit.normal_equations import (
    Floats,
    NormalEquations,
    Samples,
    sum_normal_equations,
)
from constellation_jax.physics.constants import TWO_PI
from constellation_jax.physics.sgp4.elements import Elements

_SMALLEST = 1e-13
"""Eigenvalue of the scaled normal matrix below which a direction is not determined, and is left where it is."""


class FittedElements(NamedTuple):
    """Elements of n satellites after the last step that lowered the cost of each."""

    elements: Elements
    """Arrays of shape (n,)."""
    sums: NormalEquations
    """Normal equations there."""
    has_converged: NDArray[np.bool_]
    """True where the cost could not be lowered any more."""


def fit(
    elements: Elements,
    samples: Samples,
    free: NDArray[np.bool_],
    *,
    steps: int,
    negligible: float = 0.0,
    tolerance: float = 1e-7,
    devices: Devices,
) -> FittedElements:
    """Fit elements to samples.

    Args:
        elements: start, float64 NumPy arrays of shape (n,).
        samples: of n satellites.
        free: parameters that may move, shape (7,).
        steps: most evaluations of a satellite.
        negligible: cost below which nothing is left to gain.
        tolerance: relative change of the cost at which a fit has converged.
        devices: that compute.
    """
    sums = sum_normal_equations(elements, samples, devices)
    damping = np.full(len(sums.cost), 1e-9)
    has_converged = np.zeros(len(sums.cost), bool)
    for _ in range(steps):
        at = np.flatnonzero(~has_converged & np.isfinite(sums.cost))
        if not len(at):
            break
        some = NormalEquations(*(v[..., at] for v in sums))
        step = _solve(some.matrix, some.vector, damping[at], free)
        tried = _move(jax.tree.map(lambda v, at=at: np.asarray(v)[at], elements), step)
        found = sum_normal_equations(tried, samples.take(at), devices)
        is_better = found.cost < some.cost
        floor = np.maximum(some.cost, 1e-300)
        gain, promised = 1.0 - found.cost / floor, np.einsum("in,in->n", step, some.vector) / floor
        # where rounding alone is left, no step is better any more
        has_converged[at] = (is_better & (gain < tolerance)) | (promised < tolerance)
        has_converged[at] |= is_better & (found.cost < negligible)
        damping[at] = np.where(is_better, np.maximum(damping[at] * 0.1, 1e-12), damping[at] * 30.0)
        better = at[is_better]
        elements = jax.tree.map(lambda v, w, at=better, b=is_better: _put(v, at, w[b]), elements, tried)
        sums = NormalEquations(*(_put(v, better, w[..., is_better]) for v, w in zip(sums, found, strict=True)))
    return FittedElements(elements, sums, has_converged)


def invert(matrix: Floats, free: NDArray[np.bool_]) -> Floats:
    """Inverse of normal matrices, shape (7, 7, n); 0 for what is not free or not determined."""
    scale, values, vectors = _decompose(matrix, free)
    inverse = np.where(values > _SMALLEST, 1.0 / np.maximum(values, _SMALLEST), 0.0)
    full = np.einsum("nik,nk,njk->ijn", vectors, inverse, vectors)
    return np.asarray(full * scale[:, None] * scale[None])


def _decompose(matrix: Floats, free: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Scale of each parameter, shape (7, n); eigenvalues and eigenvectors of the scaled matrices, (n, 7) and (n, 7, 7)."""
    diagonal = np.einsum("iin->in", matrix)
    is_known = free[:, None] & (diagonal > 0.0)
    scale = np.where(is_known, 1.0 / np.sqrt(np.where(is_known, diagonal, 1.0)), 0.0)
    values, vectors = np.linalg.eigh((matrix * scale[:, None] * scale[None]).transpose(2, 0, 1))
    return scale, values, vectors


def _solve(matrix: Floats, vector: Floats, damping: Floats, free: NDArray[np.bool_]) -> Floats:
    """Damped steps of the parameters, shape (7, n)."""
    scale, values, vectors = _decompose(matrix, free)
    along = np.einsum("nik,in->nk", vectors, vector * scale)
    inverse = np.where(values > _SMALLEST, 1.0 / (np.maximum(values, _SMALLEST) + damping[:, None]), 0.0)
    return np.asarray(scale * np.einsum("nik,nk->in", vectors, inverse * along))


def _move(elements: Elements, step: Floats) -> Elements:
    """Elements after a step of the parameters."""
    omega, e = np.asarray(elements.arg_perigee), np.asarray(elements.eccentricity)
    ex, ey = e * np.cos(omega) + step[1], e * np.sin(omega) + step[2]
    moved = np.arctan2(ey, ex)
    inclination = np.asarray(elements.inclination) + step[3]
    latitude = omega + np.asarray(elements.mean_anomaly) + step[5]
    # beyond 0 or 180 degrees it is the same orbit, seen from the other node
    crosses = (inclination < 0.0) | (inclination > np.pi)
    folded = np.where(inclination < 0.0, -inclination, TWO_PI - inclination)
    half = np.where(crosses, np.pi, 0.0)
    return dataclasses.replace(
        elements,
        mean_motion=np.asarray(elements.mean_motion) + step[0],
        eccentricity=np.minimum(np.hypot(ex, ey), 0.999),
        inclination=np.where(crosses, folded, inclination),
        raan=np.mod(np.asarray(elements.raan) + step[4] + half, TWO_PI),
        arg_perigee=np.mod(moved + half, TWO_PI),
        mean_anomaly=np.mod(latitude - moved, TWO_PI),
        bstar=np.asarray(elements.bstar) + step[6],
    )


def _put(whole: NDArray[np.float64], at: NDArray[np.intp], values: NDArray[np.float64]) -> NDArray[np.float64]:
    whole = np.array(whole)
    whole[..., at] = values
    return whole
