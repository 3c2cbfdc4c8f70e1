"""Programs for an accelerator, run on the CPU: a grid of instants and satellites at once against the kernels one by one."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.grid import kernels
from constellation_jax.engine.grid.kernels import Attitude
from constellation_jax.engine.regimes.assign import initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import POSITION, VELOCITY, attitude
from constellation_jax.physics import frames
from constellation_jax.physics.constants import WGS72

evaluate = jax.jit(kernels.evaluate, static_argnames=("regime", "variables", "frame", "dtype"))
tabulate = jax.jit(kernels.tabulate, static_argnames=("regime", "length", "most_steps"))
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
    values, status = evaluate(c, 0.0, minutes, table=table, regime=regime, variables=STATE)
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
    # two chunks in one call, with an offset of their own each
    offset = np.repeat(np.array([[-500.0], [500.0]]), status.shape[1], axis=1)
    table = tabulate(c, np.full(status.shape[1], -2000.0), regime=regime, length=length)
    chunked, _ = evaluate(
        c, offset, MINUTES.reshape(2, 6) - offset[:, :1], table=table, regime=regime, variables=("x", "vz")
    )
    np.testing.assert_allclose(chunked[0][fine], expected[fine][:, 0], rtol=0, atol=1e-8)
    np.testing.assert_allclose(chunked[1][fine], expected[fine][:, 5], rtol=0, atol=1e-8)


@pytest.mark.parametrize("regime", [NEAR, DEEP], ids=lambda regime: regime.name)
def test_derivatives_in_both_modes_equal_those_of_the_kernel(regime: Regime, fleet: cj.Catalog) -> None:
    elements, _ = group(regime, fleet)
    one = jax.tree.map(lambda v: v[:1], elements)
    minutes = np.array([-1500.0, 2500.0])

    def by_grid(e: cj.Elements) -> jax.Array:
        return states(regime.initialise(e), minutes, regime, regime.table_length(4000.0), 4)[0][:, 0, :3]

    def by_kernel(e: cj.Elements) -> jax.Array:
        c = cj.sgp4.initialise(jax.tree.map(lambda v: v[0], e), regime=regime.name)
        return jnp.stack([cj.sgp4.state_at(c, t)[0][:3] for t in minutes])

    expected = jax.jacfwd(by_kernel)(one)
    for mode in (jax.jacfwd, jax.jacrev):
        for name in ("mean_motion", "raan", "bstar"):
            found, right = (np.asarray(getattr(d, name)) for d in (mode(by_grid)(one), expected))
            np.testing.assert_allclose(found, right, rtol=1e-9, atol=1e-9 * np.abs(right).max())


def test_float32_about_the_middles_of_several_chunks(fleet: cj.Catalog) -> None:
    elements, c = group(NEAR, fleet)
    middles = np.array([-600.0, 2000.0, 20000.0])
    near = np.linspace(-60.0, 60.0, 5)
    anchored = kernels.anchor(c, np.repeat(middles[:, None], len(elements.bstar), axis=1), regime=NEAR)
    values, status = evaluate(anchored, 0.0, np.tile(near.astype(np.float32), (3, 1)), regime=NEAR, variables=POSITION)
    assert values[0].dtype == jnp.float32
    minutes = (middles[:, None] + near).ravel()
    expected, code = states(c, minutes, NEAR, 0)
    fine = (np.asarray(code) == 0) & (np.asarray(status) == 0)
    error_m = 1e3 * np.linalg.norm(np.stack(values, axis=-1) - expected[..., :3], axis=-1)[fine]
    assert fine.mean() > 0.9
    assert np.median(error_m) < 1.5  # as the CPU's: tests/engine/propagation/test_real_catalogue.py
    assert error_m.max() < 15.0


def test_frames_and_geodetic_variables(fleet: cj.Catalog) -> None:
    _, c = group(NEAR, fleet)
    gmst, pole = np.linspace(0.0, 6.0, 12), np.full(12, 2e-6)
    turning = Attitude(*attitude(gmst, pole, -pole))
    names = (*STATE, "latitude", "longitude", "altitude")
    values, _ = evaluate(c, 0.0, MINUTES, turning, regime=NEAR, variables=names, frame="itrs")
    state, _ = states(c, MINUTES, NEAR, 0)
    for k, i in ((3, 1), (7, 0)):
        position, velocity = frames.teme_to_itrs(state[k, i, :3], state[k, i, 3:], gmst[k], pole[k], -pole[k])
        latitude, longitude, altitude = frames.geodetic(*position)
        expected = [*position, *velocity, np.degrees(latitude), np.degrees(longitude), altitude]
        np.testing.assert_allclose([v[k, i] for v in values], expected, rtol=0, atol=1e-8)
    low, _ = evaluate(c, 0.0, MINUTES, turning, regime=NEAR, variables=("mean_altitude", "altitude"), dtype="float32")
    assert [v.dtype for v in low] == [jnp.float32] * 2
    np.testing.assert_allclose(low[1], values[-1], rtol=1e-6)
