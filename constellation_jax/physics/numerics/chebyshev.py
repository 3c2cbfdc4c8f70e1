"""Chebyshev polynomials on the host: nodes, interpolation, coefficients, and bases for a series and its derivative.

Everything is a small matrix, made once and applied to many satellites by a matrix product. Nodes are those of the first kind,
which leave the ends of the interval out. For oscillating functions they are needlessly dense there: `spread` moves them apart, and
polynomials in the variable before the map need fewer of them.

Reference: Trefethen, "Approximation Theory and Approximation Practice" (SIAM, 2013), chapters 2 to 5 and 22; Berrut and
Trefethen, "Barycentric Lagrange Interpolation", SIAM Review 46, 501 (2004), doi:10.1137/S0036144502417715, eqs. 4.2 and 5.4;
Kosloff and Tal-Ezer, "A modified Chebyshev pseudospectral method with an O(N^-1) time step restriction", Journal of Computational
Physics 104, 457 (1993), doi:10.1006/jcph.1993.1044, section 3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def nodes(count: int) -> NDArray[np.float64]:
    """Chebyshev nodes of the first kind, ascending, in (-1, 1). Shape (count,)."""
    # the sine form is exactly symmetric about 0, the cosine form is not
    return np.sin(np.pi * (2.0 * np.arange(count) + 1.0 - count) / (2.0 * count))


def interpolation(count: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix from values at the nodes to values of their polynomial at x, in [-1, 1]. Shape (len(x), count)."""
    at = nodes(count)
    k = np.arange(count)
    weights = np.where(k % 2 == 0, 1.0, -1.0) * np.sin((2.0 * k + 1.0) * np.pi / (2.0 * count))
    distance = np.asarray(x, np.float64)[:, None] - at
    hit = distance == 0.0
    terms = weights / np.where(hit, 1.0, distance)
    # at a node the formula is 0/0: there the value is the node's own
    return np.where(hit.any(axis=1, keepdims=True), hit, terms / terms.sum(axis=1, keepdims=True))


def spread(x: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """Map x in [-1, 1] so that Chebyshev nodes become more evenly spaced: arcsin(b x) / arcsin(b), 0 < b < 1; the identity for
    b near 0."""
    return np.arcsin(by * x) / math.asin(by)


def spread_inverse(y: NDArray[np.float64], by: float) -> NDArray[np.float64]:
    """Inverse of `spread`."""
    return np.sin(math.asin(by) * y) / by


def coefficients(count: int) -> NDArray[np.float64]:
    """Matrix from values at the nodes to coefficients of T_0 ... T_(count-1). Shape (count, count): degree, node."""
    k = np.arange(count)
    angle = np.pi * (2.0 * k[::-1] + 1.0) / (2.0 * count)  # nodes ascend, so their angles descend
    matrix = np.cos(k[:, None] * angle) * (2.0 / count)
    matrix[0] *= 0.5
    return matrix


def basis(count: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix from coefficients to values, T_0(x) ... T_(count-1)(x). Shape (..., count) for x of shape (...)."""
    x = np.asarray(x, np.float64)
    rows = np.empty((*x.shape, count))
    rows[..., 0] = 1.0
    if count > 1:
        rows[..., 1] = x
    for k in range(2, count):
        rows[..., k] = 2.0 * x * rows[..., k - 1] - rows[..., k - 2]
    return rows


def derivative_basis(count: int, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Matrix from coefficients to derivatives by x, T'_0(x) ... T'_(count-1)(x). Shape (..., count)."""
    x = np.asarray(x, np.float64)
    # T'_k = k U_(k-1), with U of the second kind: finite at the ends, unlike the form with sines
    rows = np.zeros((*x.shape, count))
    before, now = np.zeros(x.shape), np.ones(x.shape)
    for k in range(1, count):
        rows[..., k] = k * now
        before, now = now, 2.0 * x * now - before
    return rows
