"""Chebyshev matrices against NumPy's own polynomials."""

import numpy as np
import pytest
from numpy.polynomial import chebyshev as reference

from constellation_jax.physics.numerics import chebyshev

X = np.linspace(-1.0, 1.0, 41)


@pytest.mark.parametrize("count", [1, 2, 5, 22])
def test_matrices_against_numpy(count: int) -> None:
    at = chebyshev.nodes(count)
    np.testing.assert_allclose(at, reference.chebpts1(count), rtol=0, atol=1e-15)
    assert np.all(np.diff(at) > 0)
    np.testing.assert_array_equal(at, -at[::-1])
    series = np.random.default_rng(count).normal(size=count)
    values = reference.chebval(at, series)
    np.testing.assert_allclose(chebyshev.coefficients(count) @ values, series, atol=1e-14)
    np.testing.assert_allclose(chebyshev.interpolation(count, X) @ values, reference.chebval(X, series), atol=1e-13)
    np.testing.assert_allclose(chebyshev.basis(count, X) @ series, reference.chebval(X, series), atol=1e-13)
    slope = reference.chebval(X, reference.chebder(series)) if count > 1 else 0.0 * X
    np.testing.assert_allclose(chebyshev.derivative_basis(count, X) @ series, slope, atol=1e-11)


def test_interpolation_at_a_node_is_the_value_there() -> None:
    np.testing.assert_array_equal(chebyshev.interpolation(7, chebyshev.nodes(7)), np.eye(7))


def test_rows_keep_the_shape_of_x() -> None:
    assert (
        chebyshev.basis(4, X.reshape(-1, 1)).shape
        == chebyshev.derivative_basis(4, X.reshape(-1, 1)).shape
        == (41, 1, 4)
    )


@pytest.mark.parametrize("by", [1e-3, 0.7, 0.95])
def test_spread_nodes_are_gathered_again_and_lie_more_evenly(by: float) -> None:
    at = chebyshev.spread(chebyshev.nodes(20), by)
    np.testing.assert_allclose(chebyshev.spread_inverse(at, by), chebyshev.nodes(20), rtol=0, atol=1e-15)
    np.testing.assert_allclose(chebyshev.spread(np.array([-1.0, 0.0, 1.0]), by), [-1.0, 0.0, 1.0], rtol=0, atol=1e-15)
    gaps, before = np.diff(at), np.diff(chebyshev.nodes(20))
    assert gaps.max() / gaps.min() < before.max() / before.min()


def test_spread_nodes_need_fewer_for_what_oscillates() -> None:
    """Three periods of the shortest wave that matters, to 1e-9: 39 nodes, or 31 that are spread."""
    x = np.linspace(-1.0, 1.0, 400)

    def needed(by: float) -> int:
        for count in range(10, 80):
            values = np.cos(6.0 * np.pi * chebyshev.spread(chebyshev.nodes(count), by) + 0.4)
            between = chebyshev.interpolation(count, chebyshev.spread_inverse(x, by)) @ values
            if np.abs(between - np.cos(6.0 * np.pi * x + 0.4)).max() < 1e-9:
                return count
        return 80

    assert needed(0.7) <= 0.8 * needed(1e-3)
