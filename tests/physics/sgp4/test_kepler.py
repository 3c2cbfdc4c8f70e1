"""Kepler's equation in SGP4's form: the root, the number of steps, the derivative."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.physics.sgp4 import kepler


def _residual(u: np.ndarray, axn: np.ndarray, ayn: np.ndarray, s: np.ndarray, c: np.ndarray) -> np.ndarray:
    """How far F is from solving u = F - axn sin F + ayn cos F, in rad of F."""
    f = np.arctan2(s, c)
    error = u - (f - axn * s + ayn * c)
    return np.abs((error + np.pi) % (2 * np.pi) - np.pi) / (1 - axn * c - ayn * s)


@pytest.mark.parametrize(
    ("small", "largest", "tolerance"),
    # rounding of u (up to 2 pi) is 4e-16, and the turn by a step of 0.1 rad leaves 0.1^9 / 9! = 2.8e-15; near e = 0.9 the rounding
    # is divided by 1 - e
    [(True, kepler.SMALL_ECCENTRICITY, 5e-15), (False, 0.1, 2e-15), (False, 0.9, 2e-14), (False, 0.999, 2e-12)],
)
def test_solution_to_rounding(small: bool, largest: float, tolerance: float) -> None:
    rng = np.random.default_rng(2)
    u, e, w = (
        rng.uniform(0, 2 * np.pi, 200_000),
        largest * np.sqrt(rng.uniform(0, 1, 200_000)),
        rng.uniform(0, 7, 200_000),
    )
    axn, ayn = e * np.cos(w), e * np.sin(w)
    s, c = (np.asarray(v) for v in jax.jit(kepler.solve, static_argnums=3)(u, axn, ayn, small))
    assert _residual(u, axn, ayn, s, c).max() < tolerance
    assert np.abs(s * s + c * c - 1).max() < 4e-15


def test_the_quick_way_stops_being_enough_beyond_its_range() -> None:
    # the bound of the range is there for a reason: at four times as much it is off by 1.4e-7 rad
    u, e = np.linspace(0, 2 * np.pi, 1000), np.full(1000, 4 * kepler.SMALL_ECCENTRICITY)
    s, c = (np.asarray(v) for v in kepler.solve(u, e, 0 * e, True))
    assert _residual(u, e, 0 * e, s, c).max() > 1e-10


@partial(jax.jit, static_argnums=1)
def _solution_and_derivatives(p: jax.Array, small: bool) -> tuple[jax.Array, jax.Array, jax.Array]:
    def solution(p: jax.Array) -> jax.Array:
        return jnp.stack(kepler.solve(*p, small))

    return solution(p), jax.jacfwd(solution)(p), jax.jacrev(solution)(p)


@pytest.mark.parametrize("small", [True, False])
@pytest.mark.parametrize("e", [0.0, 1e-9, 0.05, 0.7])
def test_derivative_against_differences(small: bool, e: float) -> None:
    if small and e > kepler.SMALL_ECCENTRICITY:
        return
    at = np.array([1.3, e * 0.8, e * 0.6])
    _, jacobian, reverse = _solution_and_derivatives(at, small)
    h = 1e-6
    moved = [[np.asarray(_solution_and_derivatives(at + s * d, small)[0]) for s in (h, -h)] for d in np.eye(3)]
    differences = np.stack([(ahead - behind) / (2 * h) for ahead, behind in moved], axis=-1)
    np.testing.assert_allclose(jacobian, differences, atol=2e-9)  # rounding of a difference: 1e-16 / 1e-6
    np.testing.assert_allclose(reverse, jacobian, atol=1e-15)
