"""The public face of SGP4: shapes, transformations, regimes, precision, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.physics.constants import WGS72
from constellation_jax.physics.sgp4.brouwer import brouwer_to_kozai, kozai_to_brouwer
from constellation_jax.physics.sgp4.elements import Elements

# Numbers of NumPy, for which other tests compile the same programs; numbers of Python have programs of their own
PYTHON_LEO = Elements(0.0635, 0.001, 0.9, 1.1, 0.7, 2.0, 1e-4, 61274.0, 0.3)
LEO = jax.tree.map(np.float64, PYTHON_LEO)
GEO = jax.tree.map(np.float64, Elements(0.004375, 0.0002, 0.01, 1.1, 0.7, 2.0, 0.0, 61274.0, 0.3))
MOLNIYA = jax.tree.map(np.float64, Elements(0.00875, 0.7, 1.1, 1.1, 4.7, 2.0, 1e-5, 61274.0, 0.3))
NANOMETRE_KM = 1e-9


def _stack(*many: Elements) -> Elements:
    return jax.tree.map(lambda *v: np.array(v), *many)


def test_one_satellite_gives_one_state() -> None:
    state, status = cj.sgp4.state_at(cj.sgp4.initialise(PYTHON_LEO), 10.0)
    assert state.shape == (6,)
    assert status.shape == ()
    assert int(status) == 0
    assert 7070 < np.linalg.norm(state[:3]) < 7110  # 14.55 revolutions a day
    assert 7.4 < np.linalg.norm(state[3:]) < 7.6


def test_batches_equal_loops_under_jit_and_vmap() -> None:
    fleet = _stack(
        *(LEO.__class__(0.0635 + 1e-4 * k, 0.001 * k, *(0.3 * k,) * 4, 1e-5 * k, 61274.0, 0.1) for k in range(5))
    )
    minutes = jnp.linspace(-500.0, 2000.0, 7)
    coefficients = cj.sgp4.initialise(fleet)
    one_by_one = np.array(
        [
            [cj.sgp4.state_at(cj.sgp4.initialise(jax.tree.map(lambda v, k=k: v[k], fleet)), t)[0] for t in minutes]
            for k in range(5)
        ]
    )
    with jax.numpy_rank_promotion("allow"):
        broadcast = cj.sgp4.state_at(coefficients, minutes[:, None])[0]
    over_times = jax.vmap(cj.sgp4.state_at, (None, 0))
    vmapped = jax.jit(jax.vmap(over_times, (0, None)))(coefficients, minutes)[0]
    np.testing.assert_allclose(vmapped, one_by_one, atol=NANOMETRE_KM)
    np.testing.assert_allclose(np.swapaxes(broadcast, 0, 1), one_by_one, atol=NANOMETRE_KM)


def test_regimes_are_told_apart_and_mixed_ones_agree() -> None:
    assert cj.sgp4.initialise(LEO).deep is None
    assert cj.sgp4.initialise(GEO).near is None
    mixed = cj.sgp4.initialise(_stack(LEO, GEO, MOLNIYA))
    assert mixed.near is not None
    assert mixed.deep is not None
    together = cj.sgp4.state_at(mixed, np.array([1000.0, 1000.0, -3000.0]))[0]
    for k, (one, t) in enumerate(((LEO, 1000.0), (GEO, 1000.0), (MOLNIYA, -3000.0))):
        np.testing.assert_allclose(together[k], cj.sgp4.state_at(cj.sgp4.initialise(one), t)[0], atol=1e-6)


def test_traced_elements_need_no_hint() -> None:
    traced = jax.jit(lambda e, t: cj.sgp4.state_at(cj.sgp4.initialise(e), t)[0])
    for one in (LEO, GEO):
        np.testing.assert_allclose(traced(one, 700.0), cj.sgp4.state_at(cj.sgp4.initialise(one), 700.0)[0], atol=1e-6)


def test_resonance_integrator_runs_both_ways_from_any_start() -> None:
    # crossing a step of 720 minutes leaves no jump beyond what the standard's own integrator makes of 2e-6 minutes of motion
    for one in (GEO, MOLNIYA):
        coefficients = cj.sgp4.initialise(one)
        for edge in (720.0, -720.0, 7200.0):
            before, after = (cj.sgp4.state_at(coefficients, edge + step)[0] for step in (-1e-6, 1e-6))
            assert np.abs(np.subtract(after, before)[:3]).max() < 1e-3


def test_failed_states_are_nan_with_a_known_status() -> None:
    doomed = Elements(0.0705, 0.001, 0.9, 1.1, 0.7, 2.0, 0.05, 61274.0, 0.3)
    state, status = cj.sgp4.state_at(cj.sgp4.initialise(doomed), np.array([0.0, 20000.0]))
    assert int(status[0]) == 0
    assert int(status[1]) in cj.STATUS
    assert int(status[1]) != 0
    assert np.isfinite(state[0]).all()
    assert np.isnan(state[1]).all()


@pytest.mark.parametrize("one", [LEO, MOLNIYA, GEO], ids=["near Earth", "12 h", "24 h"])
def test_float32_follows_its_inputs(one: Elements) -> None:
    single = jax.tree.map(np.float32, one)
    state, _ = cj.sgp4.state_at(cj.sgp4.initialise(single), np.float32(30.0))
    assert state.dtype == jnp.float32
    exact, _ = cj.sgp4.state_at(cj.sgp4.initialise(one), 30.0)
    # elements rounded to 6e-8 of themselves: half an hour from the epoch that is a kilometre at most
    assert np.abs(np.asarray(state, float) - exact)[:3].max() < 1.0


def test_integers_are_taken_as_numbers() -> None:
    whole, _ = cj.sgp4.state_at(cj.sgp4.initialise(LEO), np.array([0, 60]))
    np.testing.assert_allclose(whole, cj.sgp4.state_at(cj.sgp4.initialise(LEO), np.array([0.0, 60.0]))[0])


def test_gravity_models_differ_by_what_they_should() -> None:
    states = {g: cj.sgp4.state_at(cj.sgp4.initialise(LEO, gravity=g), 0.0)[0] for g in ("wgs72", "wgs72old", "wgs84")}
    assert 1e-9 < np.abs(states["wgs72"] - states["wgs72old"])[:3].max() < 1e-3
    assert 1e-4 < np.abs(states["wgs72"] - states["wgs84"])[:3].max() < 0.1


def test_mistakes_are_named() -> None:
    with pytest.raises(cj.InputError, match=r"gravity 'egm96': unknown; known are wgs72, wgs72old, wgs84"):
        cj.sgp4.initialise(LEO, gravity="egm96")
    with pytest.raises(cj.InputError, match=r"regime 'meo': unknown"):
        cj.sgp4.initialise(LEO, regime="meo")  # type: ignore[arg-type]


def test_kozai_and_brouwer_are_inverse() -> None:
    rng = np.random.default_rng(7)
    n, e, ci = rng.uniform(0.004, 0.07, 1000), rng.uniform(0, 0.8, 1000), rng.uniform(-1, 1, 1000)
    back, _ = kozai_to_brouwer(brouwer_to_kozai(n, e, ci, WGS72), e, ci, WGS72)
    np.testing.assert_allclose(back, n, rtol=4e-16)
