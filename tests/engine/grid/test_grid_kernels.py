"""Programs for an accelerator, run on the CPU: a grid of instants and satellites at once against the kernels one by one.

Their frames, chunks and anchors are tested with the engine: tests/engine/propagation/test_grid_runner.py.
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.grid import kernels
from constellation_jax.engine.regimes.assign import initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import POSITION, VELOCITY
from constellation_jax.physics.constants import WGS72

STATE = (*POSITION, *VELOCITY)
NEAR, DEEP = NearEarthRegime(WGS72), DeepSpaceRegime(WGS72)
MINUTES = np.linspace(-2000.0, 3000.0, 12)  # both sides of the epoch, and several steps of the resonances' integrator


def group(regime: Regime, fleet: cj.Catalog) -> tuple[cj.Elements, Any]:
    some = fleet[fleet.is_deep_space == (regime is DEEP)]
    return some.elements, initialise(regime, some.elements)


@partial(jax.jit, static_argnames=("regime", "length", "most_steps"))
def states(
    c: Any, minutes: jax.Array, regime: Regime, length: int, most_steps: int | None = None
) -> tuple[jax.Array, jax.Array]:
    first = jnp.broadcast_to(minutes.min(), c.mean_anomaly[0].shape)
    table = kernels.tabulate(c, first, regime=regime, length=length, most_steps=most_steps)
    values, status = kernels.evaluate(c, 0.0, minutes, table=table, regime=regime, variables=STATE)
    return jnp.stack(values, axis=-1), status


@pytest.mark.parametrize("regime", [NEAR, DEEP], ids=lambda regime: regime.name)
def test_a_grid_equals_the_kernel_state_by_state(regime: Regime, fleet: cj.Catalog) -> None:
    elements, c = group(regime, fleet)
    length, steps = regime.table_length(5000.0), regime.most_steps(3000.0)
    found, status = states(c, MINUTES, regime, length, steps or None)
    whole = jax.tree.map(lambda v: v[None], elements)
    expected, code = cj.sgp4.state_at(cj.sgp4.initialise(whole, regime=regime.name), MINUTES[:, None])
    assert found.dtype == jnp.float64
    assert status.dtype == jnp.int8
    np.testing.assert_array_equal(status, code)
    fine = np.asarray(code) == 0
    np.testing.assert_allclose(found[fine], expected[fine], rtol=0, atol=1e-8)  # km, km/s: rounding


# the deep-space one takes half a minute to compile
@pytest.mark.parametrize("regime", [NEAR, pytest.param(DEEP, marks=pytest.mark.slow)], ids=lambda regime: regime.name)
def test_a_gradient_equals_differences(regime: Regime, fleet: cj.Catalog) -> None:
    _, c = group(regime, fleet)
    length, steps = regime.table_length(5000.0), regime.most_steps(3000.0)
    weights = np.random.default_rng(3).normal(size=(len(MINUTES), 1, 6)) * [1, 1, 1, 1e3, 1e3, 1e3]

    def total(c: Any) -> jax.Array:
        values, status = states(c, MINUTES, regime, length, steps or None)
        return jnp.where((status == 0)[..., None], values * weights, 0.0).sum()

    # the derivative written by hand (physics/sgp4/common.py) holds for a sine and cosine of one angle: these stay
    change = jax.tree.map(lambda v: 1e-6 * v, c)
    if regime is NEAR:
        change = dataclasses.replace(change, sini=0.0 * c.sini, cosi=0.0 * c.cosi)
    differences = total(jax.tree.map(jnp.add, c, change)) - total(jax.tree.map(jnp.subtract, c, change))
    gradient = jax.grad(total)(c)
    product = sum((g * d).sum() for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(change), strict=True))
    np.testing.assert_allclose(product, 0.5 * differences, rtol=1e-5)
    forward = jax.eval_shape(
        lambda c, d: jax.jvp(total, (c,), (d,))[1], c, change
    )  # forward mode: traced, not compiled
    assert forward.shape == ()
