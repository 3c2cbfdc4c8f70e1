"""Sine and cosine by polynomial against NumPy, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.physics.numerics import fastmath


@pytest.mark.parametrize(("dtype", "largest", "tolerance"), [(np.float64, 1e7, 3e-16), (np.float32, 1e4, 2e-7)])
@pytest.mark.parametrize("reach", [3.2, 1e2, None])
def test_sincos_is_exact_to_rounding(dtype: type, largest: float, tolerance: float, reach: float | None) -> None:
    x = np.random.default_rng(1).uniform(-1, 1, 200_000) * (reach or largest)
    x = x.astype(dtype)
    s, c = (np.asarray(v) for v in jax.jit(fastmath._polynomial)(x))
    assert s.dtype == dtype
    # the argument itself is exact: sine and cosine of it in higher precision are the truth
    assert np.abs(s - np.sin(x.astype(np.longdouble))).max() < tolerance
    assert np.abs(c - np.cos(x.astype(np.longdouble))).max() < tolerance


def test_sincos_at_multiples_of_half_pi() -> None:
    x = np.arange(-40, 41) * (np.pi / 2)
    s, c = fastmath.sincos(jnp.asarray(x))
    np.testing.assert_allclose(s, np.sin(x), atol=3e-16)
    np.testing.assert_allclose(c, np.cos(x), atol=3e-16)


def test_derivatives_to_second_order() -> None:
    x = jnp.linspace(-10.0, 10.0, 41)
    np.testing.assert_allclose(jax.vmap(jax.grad(lambda v: fastmath.sincos(v)[0]))(x), np.cos(x), atol=1e-15)
    second = jax.vmap(jax.grad(jax.grad(lambda v: fastmath.sincos(v)[1])))(x)
    np.testing.assert_allclose(second, -np.cos(x), atol=1e-15)


@pytest.mark.parametrize(
    # of the sine by 0.1^9 / 9! = 2.8e-15, of the cosine by rounding
    ("dtype", "of_sine", "of_cosine"), [(np.float64, 3e-15, 3e-16), (np.float32, 3e-8, 1e-7)]
)  # fmt: skip
@pytest.mark.parametrize("largest", [0.1, 1e-3, 1e-4])
def test_sincos_small_within_its_range(largest: float, dtype: type, of_sine: float, of_cosine: float) -> None:
    x = np.linspace(-largest, largest, 1001).astype(dtype)
    s, c = fastmath.sincos_small(jnp.asarray(x), largest)
    np.testing.assert_allclose(s, np.sin(x.astype(np.float64)), rtol=0, atol=of_sine)
    np.testing.assert_allclose(c, np.cos(x.astype(np.float64)), rtol=0, atol=of_cosine)


@pytest.mark.parametrize("largest", [0.1, None])
def test_turn_adds_an_angle(largest: float | None) -> None:
    s, c = fastmath.turn(*fastmath.sincos(jnp.asarray(2.0)), jnp.asarray(0.05), largest)
    np.testing.assert_allclose([s, c], [np.sin(2.05), np.cos(2.05)], atol=1e-15)


def test_horner_serves_numpy_too() -> None:
    assert fastmath.horner(np.float64(2.0), (1.0, 2.0, 3.0)) == 17.0
