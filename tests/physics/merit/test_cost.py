"""Costs of shells against sums by hand, and their derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.physics.merit.cost import raising_delta_v, replacements_per_year, shell_cost


def test_raising_is_the_difference_of_the_speeds() -> None:
    """300 to 550 km: sqrt(398600.8 / 6678.137) - sqrt(398600.8 / 6928.137) = 7.725766 - 7.585097 km/s; the corner costs 1 m/s."""
    up, down = (float(raising_delta_v(*pair)) for pair in ((300.0, 550.0), (550.0, 300.0)))
    assert up == down
    assert abs(up - (7725.766 - 7585.097)) < 1.01
    assert float(raising_delta_v(400.0, 400.0)) == 0.0
    assert float(jax.grad(raising_delta_v, argnums=1)(400.0, 400.0)) == 0.0


def test_costs_by_hand() -> None:
    """40 x 10 satellites of 500 kg at 550 km, injected at 300 km, Isp 1500 s, 10 t and 18 places a launch.

    Mass at launch 500 exp(139.7 / 14709.975) = 504.77 kg, so 19.81 by mass and 18 by room: 400 / 0.95 / 18 launches. A satellite
    serves (1 - exp(-0.04 5)) / 0.04 = 4.53173 years on average.
    """
    shell = shell_of(
        altitude_km=550.0, inclination_deg=53.0, planes=40, satellites_per_plane=10,
        mass_kg=500.0, specific_impulse_s=1500.0, design_life_years=5.0,
    )  # fmt: skip
    launcher = cj.Launcher(10_000.0, 18.0)
    cost = shell_cost(shell, launcher, failures_per_year=0.04, lost_before_service=0.05)
    assert float(cost.satellites) == 400.0
    assert float(cost.mass_kg) == 200_000.0
    np.testing.assert_allclose(cost.launch_mass_kg, 504.77, atol=0.01)
    np.testing.assert_allclose(cost.launches, 400.0 / 0.95 / 18.0, rtol=1e-12)
    np.testing.assert_allclose(cost.replacements_per_year, 400.0 / 0.95 / 4.53173, rtol=1e-6)
    np.testing.assert_allclose(cost.launches_per_year, 400.0 / 0.95 / 4.53173 / 18.0, rtol=1e-6)
    heavier = shell_cost(shell.replace(mass_kg=1000.0), launcher)
    np.testing.assert_allclose(heavier.launches, 400.0 * 1009.54 / 10_000.0, rtol=1e-5)
    np.testing.assert_allclose(heavier.replacements_per_year, 80.0, rtol=1e-12)


def test_replacement_against_a_draw() -> None:
    """Each satellite gone at its failure or after 7 years, 400,000 drawn: to 0.5 %, seven standard errors."""
    rng = np.random.default_rng(2)
    served = np.minimum(rng.exponential(1.0 / 0.08, 400_000), 7.0)
    found = float(replacements_per_year(1000.0, 7.0, 0.08))
    np.testing.assert_allclose(found, 1000.0 / served.mean(), rtol=5e-3)


def test_derivatives_against_differences() -> None:
    rng = np.random.default_rng(3)
    launcher = cj.Launcher(17_500.0)

    @jax.jit
    def total(v):
        shell = shell_of(
            altitude_km=v[0], inclination_deg=53.0, planes=v[1], satellites_per_plane=v[2],
            mass_kg=v[3], specific_impulse_s=v[4], design_life_years=v[5],
        )  # fmt: skip
        cost = shell_cost(shell, launcher, failures_per_year=v[6])
        return jnp.stack([jnp.log(v) for v in cost])

    low, high = np.array([250, 5, 5, 100, 800, 3, 0.0005]), np.array([1500, 60, 60, 1500, 3000, 12, 0.1])
    slopes = jax.jit(jax.jacfwd(total))
    for v in [*rng.uniform(low, high, (20, 7)), np.array([300.0, 10, 10, 500, 1500, 5, 1e-9])]:
        found = slopes(jnp.asarray(v))
        step = 1e-4 * np.maximum(np.abs(v), 1e-2)
        for k in range(7):
            e = np.eye(7)[k] * step[k]
            expected = (np.asarray(total(v + e)) - np.asarray(total(v - e))) / (2.0 * step[k])
            np.testing.assert_allclose(found[:, k], expected, rtol=2e-6, atol=1e-8)
    assert np.isfinite(slopes(jnp.array([300.0, 10, 10, 500, 1500, 5, 0.0]))).all()


def test_vehicles_of_the_list() -> None:
    assert cj.Launcher.of_vehicle("falcon-9") == (17500.0, np.inf)
    assert cj.Launcher.of_vehicle("falcon-9", cargo="Lightspeed", expended=True) == (22800.0, 18.0)
    assert cj.Launcher.of_vehicle("long-march-8a", cargo="Guowang") == (np.inf, 9.0)
    shell = shell_of(
        altitude_km=1145.0, inclination_deg=50.0, planes=6, satellites_per_plane=15,
        mass_kg=600.0, specific_impulse_s=1500.0, design_life_years=5.0,
    )  # fmt: skip
    cost = shell_cost(shell, cj.Launcher.of_vehicle("long-march-8a", cargo="Guowang"))
    np.testing.assert_allclose(cost.launches, 10.0, rtol=1e-12)
    with pytest.raises(cj.InputError, match="falcon-9"):
        cj.Launcher.of_vehicle("falcon9")
    with pytest.raises(cj.InputError, match="cargo of falcon-9: found 'Kuyper'"):
        cj.Launcher.of_vehicle("falcon-9", cargo="Kuyper")
    with pytest.raises(cj.InputError, match="payload is not known"):
        cj.Launcher.of_vehicle("long-march-6a")
