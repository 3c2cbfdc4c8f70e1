"""Derivatives of the SGP4 and SDP4 kernels: against differences, and finite where others give NaN."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.physics.sgp4.elements import Elements

sys.path.insert(0, str(Path(__file__).parent))
from test_sgp4_verification import CASES, Case, elements_of

NAMES = ("mean_motion", "eccentricity", "inclination", "raan", "arg_perigee", "mean_anomaly", "bstar")
RELATIVE = 1e-5
"""What a derivative may differ from differences by, as a share of the largest entry of its column."""


def _state(seven: jax.Array, fixed: Elements, minutes: jax.Array, regime: str) -> jax.Array:
    elements = dataclasses.replace(fixed, **dict(zip(NAMES, seven, strict=True)))
    return cj.sgp4.state_at(cj.sgp4.initialise(elements, regime=regime), minutes)[0]


# Every call has this many lanes, so that each function is compiled once for each kind; compiling is all that these tests cost
LANES = 40


def _compiled(function: Callable[..., jax.Array], regime_argument: int) -> Callable[..., jax.Array]:
    """Compile a function of a regime for near-Earth orbits; evaluate it one operation after another for others.

    XLA takes one to five minutes to compile a derivative of SDP4, whose operations take seconds.
    """
    jitted = jax.jit(function, static_argnums=regime_argument)

    def call(*arguments: Any) -> jax.Array:
        if arguments[regime_argument] == "near_earth":
            return jitted(*arguments)
        with jax.disable_jit():
            return function(*jax.tree.map(jnp.asarray, arguments[:regime_argument]), arguments[regime_argument])

    return call


_jacobian = _compiled(jax.vmap(jax.jacfwd(_state), (0, 0, 0, None)), 3)
_states = _compiled(jax.vmap(jax.vmap(_state, (0, None, None, None)), (0, 0, 0, None)), 3)


def _sum_of_states(seven: jax.Array, fixed: Elements, minutes: jax.Array, weights: jax.Array, regime: str) -> jax.Array:
    return jnp.sum(weights * jax.vmap(_state, (0, 0, 0, None))(seven, fixed, minutes, regime))


_reverse = _compiled(jax.grad(_sum_of_states), 4)


def _differences(
    seven: np.ndarray, fixed: Elements, minutes: np.ndarray, regime: str, eccentricity_step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Central differences by Richardson's rule (the error of a step h goes with h^4), and what rounding may do to them."""
    span = np.maximum(np.abs(minutes), 60.0)
    steps = np.stack(
        [
            1e-3 / span,
            *[np.full_like(span, eccentricity_step)] + [np.full_like(span, 1e-4)] * 4,
            1e-4 * (1440.0 / span) ** 2,
        ],
        axis=-1,
    )  # each moves the satellite by some 1e-4 of its distance: far above rounding, far below the curvature of its orbit
    offsets = np.concatenate([k * np.eye(7) for k in (1.0, -1.0, 0.5, -0.5)])[None] * np.tile(steps, 4).reshape(
        -1, 4, 7
    ).repeat(7, axis=1)
    states = np.asarray(_states(seven[:, None, :] + offsets, fixed, minutes, regime)).reshape(-1, 4, 7, 6)
    whole, half = (
        (states[:, 0] - states[:, 1]) / (2 * steps[:, :, None]),
        (states[:, 2] - states[:, 3]) / steps[:, :, None],
    )
    # phases of 1e3 rad carry 2e-13 rad of rounding into the state
    rounding = 1e-12 * np.abs(states[:, 0]).max(axis=-1, keepdims=True) / steps[:, :, None]
    return np.moveaxis((4 * half - whole) / 3, 1, 2), np.moveaxis(rounding, 1, 2)


def _assert_agree(elements: Elements, minutes: np.ndarray, regime: str, eccentricity_step: float = 1e-5) -> None:
    elements = jax.tree.map(lambda v: np.resize(np.asarray(v, float), LANES), elements)
    minutes = np.resize(minutes, LANES)
    seven = np.stack([getattr(elements, name) for name in NAMES], axis=-1)
    exact = np.asarray(_jacobian(seven, elements, minutes, regime))
    assert np.isfinite(exact).all()
    measured, rounding = _differences(seven, elements, minutes, regime, eccentricity_step)
    scale = np.abs(exact).max(axis=1, keepdims=True)
    excess = np.abs(exact - measured) - RELATIVE * scale - rounding
    bad = np.argwhere(excess > 0)
    assert not len(bad), [(int(n), NAMES[j], exact[n, k, j], measured[n, k, j]) for n, k, j in bad[:5]]
    # rounding must not have eaten the test: nearly all columns are decided by the relative bound
    assert np.mean(rounding < 10 * RELATIVE * scale) > 0.8
    weights = np.random.default_rng(4).normal(size=(LANES, 6))
    reverse = np.asarray(_reverse(seven, elements, minutes, weights, regime))
    forward = np.einsum("nkj,nk->nj", exact, weights)
    assert (np.abs(reverse - forward) <= 1e-9 * scale[:, 0] + 1e-15).all()


def _elements(e: float, i: float, n: float = 0.0635, bstar: float = 1e-4) -> Elements:
    return Elements(*map(np.float64, (n, e, i, 1.1, 0.7, 2.0, bstar, 61274.0, 0.3)))


def _stack(many: list[Elements]) -> Elements:
    return jax.tree.map(lambda *v: np.array(v, float), *many)


# the derivative of SDP4 takes XLA half a minute to compile
DEEP_SPACE = pytest.param("deep_space", marks=pytest.mark.slow)


FAIL_CLOSE_BY = {33333, 33334, 33335, 22312, 28350, 28872, 29141}


def _difference_steps_fit(case: Case) -> bool:
    """False where a step of the differences leaves the smooth surroundings of the elements, so that they are no reference."""
    return (
        case.satrec.ecco < 0.97
        and abs(case.satrec.inclo - 0.2) > 0.01  # SDP4 takes another way above 0.2 rad, with other values
        and case.satrec.inclo > 1e-3  # steps of 1e-4 rad would go through the equator
    )


@pytest.mark.parametrize("regime", ["near_earth", DEEP_SPACE])
def test_verification_set_against_differences(regime: str) -> None:
    own, minutes = [], []
    for case in CASES:
        deep = case.satrec.no_kozai < 2 * np.pi / 225
        fit = case.satrec.satnum not in FAIL_CLOSE_BY and case.asked[0] < 1e6 and _difference_steps_fit(case)
        if deep != (regime == "deep_space") or not fit:
            continue
        own.append(elements_of(case.satrec))
        minutes.append(case.minutes[len(case.minutes) // 2])
    assert len(own) >= 5
    _assert_agree(_stack(own), np.array(minutes), regime)


@pytest.mark.parametrize(
    ("regime", "count"), [("near_earth", 160), pytest.param("deep_space", 40, marks=pytest.mark.slow)]
)
def test_200_objects_of_the_catalogue_against_differences(shared_data: Path, regime: str, count: int) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    # e > 3e-4 keeps the difference steps on one side of SGP4's switch at 1e-4, and mean altitudes over 250 km from decay
    usable = (catalog.eccentricity > 3e-4) & (catalog.mean_altitude_km > 250) & (catalog.inclination_deg > 1)
    members = np.flatnonzero(usable & (catalog.is_deep_space == (regime == "deep_space")))
    chosen = catalog[members[:: len(members) // count][:count]]
    minutes = np.random.default_rng(3).uniform(-1440, 7 * 1440, count)
    for first in range(0, count, LANES):
        _assert_agree(chosen[first : first + LANES].elements, minutes[first : first + LANES], regime)


def test_circular_orbits_against_differences() -> None:
    # at e = 0 the running eccentricity is held at SGP4's floor of 1e-6: with respect to e itself the derivative is that of what
    # is left, and finite. Without drag nothing lifts it off the floor within the difference steps of the other elements
    _assert_agree(
        _stack([_elements(0.0, i, bstar=0.0) for i in (0.3, 0.9, 1.6)]),
        np.array([100.0, 700.0, -300.0]),
        "near_earth",
        1e-7,
    )


CORNERS = [(e, i, t) for e in (0.0, 1e-7, 2e-4) for i in (0.0, 1e-9, 0.9, np.pi) for t in (0.0, 800.0, -800.0)]


@pytest.mark.parametrize("regime", ["near_earth", DEEP_SPACE, pytest.param(None, marks=pytest.mark.slow)])
def test_singular_points_are_finite(regime: str | None) -> None:
    corners = (CORNERS + CORNERS)[:LANES]
    elements = _stack([_elements(e, i, 0.0043 if regime == "deep_space" else 0.0635) for e, i, _ in corners])
    seven = np.stack([getattr(elements, name) for name in NAMES], axis=-1)
    minutes = np.array([t for _, _, t in corners])
    if regime is not None:
        exact = np.asarray(_jacobian(seven, elements, minutes, regime))
        assert np.isfinite(exact).all(), [corners[k] for k in np.unique(np.argwhere(~np.isfinite(exact))[:, 0])]
    reverse = np.asarray(_reverse(seven, elements, minutes, np.ones((LANES, 6)), regime))
    assert np.isfinite(reverse).all(), [corners[k] for k in np.unique(np.argwhere(~np.isfinite(reverse))[:, 0])]


def test_gradients_are_finite_across_failures() -> None:
    # decayed (6), eccentricity (1), and sound, in one batch and one sum: the loss of a user who masks by the status
    elements = _stack([_elements(0.001, 0.9, n=0.0705, bstar=0.05), _elements(0.3, 0.9, n=0.0635), _elements(0.0, 0.9)])

    def loss(elements: Elements) -> tuple[jax.Array, jax.Array]:
        state, status = cj.sgp4.state_at(cj.sgp4.initialise(elements, regime="near_earth"), jnp.full(3, 20000.0))
        return jnp.sum(jnp.where((status == 0)[:, None], state, 0.0) ** 2), status

    gradient, status = jax.jit(jax.grad(loss, has_aux=True))(elements)
    assert np.count_nonzero(status) >= 1
    assert np.asarray(status)[2] == 0
    for name in NAMES:
        assert np.isfinite(getattr(gradient, name)).all(), name


def test_derivative_with_respect_to_time_is_the_velocity() -> None:
    # SGP4's velocity leaves out some small terms of its own position's derivative: they agree to 1e-4 only
    coefficients = cj.sgp4.initialise(_elements(0.01, 0.9))
    minutes = jnp.asarray(300.0)
    state, rate = jax.jvp(lambda t: cj.sgp4.state_at(coefficients, t)[0], (minutes,), (jnp.ones_like(minutes),))
    np.testing.assert_allclose(rate[:3] / 60.0, state[3:], rtol=0, atol=5e-3)


def test_decay_rate_is_the_derivative_of_the_mean_altitude() -> None:
    for elements in (
        _elements(0.001, 0.9, bstar=1e-3),
        _elements(0.7, 1.1, n=0.00875),
        _elements(0.001, 0.01, n=0.004375),
    ):
        coefficients = cj.sgp4.initialise(elements)
        for t in (-1000.0, 3000.0):
            minutes = jnp.asarray(t)
            altitude, rate = jax.jvp(
                lambda t, c=coefficients: cj.sgp4.orbit_at(c, t).mean_altitude, (minutes,), (jnp.ones_like(minutes),)
            )
            expected = cj.sgp4.orbit_at(coefficients, minutes).decay_rate
            np.testing.assert_allclose(rate * 1440.0, expected, rtol=1e-9, atol=1e-12, err_msg=str(altitude))
