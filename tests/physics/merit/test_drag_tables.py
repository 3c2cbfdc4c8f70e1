"""Tables of drag and lifetimes: what they hold of a known atmosphere, their derivatives, and what they do beyond their edges."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shell_values import shell_of

from constellation_jax.physics.merit import drag as tables
from constellation_jax.physics.numerics.splines import spline_through, spline_weights

# Compiled as a whole: outside of jit each of some hundred operations is compiled by itself, for each shape
by_shells = {
    name: jax.jit(getattr(tables, name), static_argnames="worst" if name != "lifetime_years" else ())
    for name in ("decay_rate", "delta_v_per_year", "lifetime_years")
}
ln_fall_days = jax.jit(tables.ln_fall_days)

ALTITUDE_KM = np.array([150.0, 233.0, 300.0, 425.0, 550.0, 801.0, 1200.0, 2000.0])
INCLINATION_DEG = np.array([0.0, 30.0, 53.0, 90.0, 97.5, 180.0, 53.0, 88.0])
BALLISTIC = np.array([0.01, 0.02, 0.005, 0.05, 0.013, 0.03, 0.013, 0.013])


def of_numbers(name, table, h, i, b, **options):
    """A figure of a stack of shells with these numbers."""
    return by_shells[name](shell_of(altitude_km=h, inclination_deg=i, ballistic_coefficient_m2_kg=b), table, **options)


decay_rate, delta_v_per_year, lifetime_years = (partial(of_numbers, name) for name in by_shells)


def rate(altitude, inclination_deg):
    """km/day for B = 1: a power of the height, more of it over the poles."""
    return 2e17 * (altitude - 60.0) ** -7.0 * np.exp(0.3 * np.cos(np.deg2rad(2.0 * inclination_deg)))


def by_table(function, count):
    h, i = np.meshgrid(tables.altitudes_km(), tables.inclinations_deg(count))
    return np.log(function(h, i))


@pytest.fixture(scope="module")
def climate() -> tables.DragTable:
    mean = tables.rate_table(np.array([by_table(rate, 9), by_table(lambda h, i: 2.0 * rate(h, i), 9)]))
    return tables.DragTable(mean, mean + 0.5 * np.eye(1, 9)[0][None, :, None])


@pytest.fixture(scope="module")
def lifetimes() -> tables.LifetimeTable:
    """For two levels of solar activity: time to fall, and a correction that waves with it and leans with B and inclination."""
    days = by_table(lambda h, i: (h - 60.0) / rate(h, i) / 8.0, 9)
    fall = tables.rate_table(np.array([days, days - np.log(0.5)]))
    days = tables.fall_days()
    wave = 0.2 * np.sin(3.0 * np.linspace(0.0, np.pi, len(days)) + np.linspace(0.0, 1.0, 3)[:, None])
    lean = 1.0 + 0.1 * np.cos(np.deg2rad(tables.inclinations_deg(5)))
    correction = tables.correction_table(np.array([wave * lean[:, None, None], 0.5 * wave * lean[:, None, None]]))
    return tables.LifetimeTable(fall, correction, np.log([0.005, 0.05]))


def test_spline_goes_through_its_values_and_on_straight() -> None:
    values = np.cos(np.linspace(0.0, 3.0, 21))
    place = jnp.array([-2.0, 0.0, 3.0, 7.5, 20.0, 22.0])
    found = spline_weights(place, 20) @ jnp.asarray(spline_through(values))
    step = 0.15
    slope = -np.sin(3.0) * step
    expected = [1.0, 1.0, values[3], np.cos(7.5 * step), values[20], values[20] + 2.0 * slope]
    np.testing.assert_allclose(found, expected, atol=3e-4)  # the slope at the ends is good to step^3
    flat = spline_weights(place, 20) @ jnp.asarray(spline_through(values, flat_ends=True))
    np.testing.assert_allclose(flat[np.array([0, 1, 4, 5])], [1.0, 1.0, values[20], values[20]], atol=1e-12)


def test_rate_of_a_known_atmosphere(climate: tables.DragTable) -> None:
    """To 1e-6 between knots: the logarithm of a power is straight, exp(cos) has few cosines."""
    found = decay_rate(climate, ALTITUDE_KM, INCLINATION_DEG, BALLISTIC)
    expected = -BALLISTIC * rate(ALTITUDE_KM, INCLINATION_DEG)
    np.testing.assert_allclose(found, [expected, 2.0 * expected], rtol=1e-6)
    worst = decay_rate(climate, ALTITUDE_KM, INCLINATION_DEG, BALLISTIC, worst=True)
    np.testing.assert_allclose(worst / found, np.exp(0.5), rtol=1e-12)


def test_delta_v_is_that_of_the_rate(climate: tables.DragTable) -> None:
    """dv = v / (2 a) da, with v = sqrt(mu / a)."""
    found = delta_v_per_year(climate, 550.0, 53.0, 0.013)
    a = 6928.137
    expected = 0.013 * rate(550.0, 53.0) * 365.25 * np.sqrt(398600.8 / a) / (2.0 * a) * 1000.0
    np.testing.assert_allclose(found, [expected, 2.0 * expected], rtol=1e-6)


def test_shapes_follow_the_altitude(climate: tables.DragTable, lifetimes: tables.LifetimeTable) -> None:
    for shape in ((), (3, 2)):
        h = jnp.full(shape, 500.0)
        assert delta_v_per_year(climate, h, 53.0, 0.01).shape == (2, *shape)
        assert lifetime_years(lifetimes, h, 53.0, 0.01).shape == (2, *shape)
    h = jnp.linspace(300.0, 600.0, 3)
    by_vmap = jax.jit(jax.vmap(lambda v: lifetime_years(lifetimes, v, 53.0, 0.01)))(h)
    np.testing.assert_allclose(by_vmap.T, lifetime_years(lifetimes, h, 53.0, 0.01), rtol=1e-13)


def test_single_precision_is_kept(climate: tables.DragTable, lifetimes: tables.LifetimeTable) -> None:
    h, i, b = (jnp.asarray(v, jnp.float32) for v in (ALTITUDE_KM, INCLINATION_DEG, BALLISTIC))
    for function, table in ((delta_v_per_year, climate), (lifetime_years, lifetimes)):
        found = function(table, h, i, b)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, function(table, ALTITUDE_KM, INCLINATION_DEG, BALLISTIC), rtol=3e-5)


@pytest.mark.parametrize("name", ["worst", "lifetime"])
def test_derivatives_against_differences(name: str, climate: tables.DragTable, lifetimes: tables.LifetimeTable) -> None:
    """By altitude, inclination and ln B, to 1e-6, at random points and at the edges of the tables."""
    rng = np.random.default_rng(5)
    h = np.concatenate([rng.uniform(150.0, 1500.0, 60), ALTITUDE_KM, [120.0, 100.0, 2500.0]])
    i = np.concatenate([rng.uniform(0.0, 180.0, 60), INCLINATION_DEG, [0.0, 53.0, 53.0]])
    ln_b = np.log(np.concatenate([rng.uniform(0.006, 0.045, 60), BALLISTIC[:-1], [0.013], [0.002, 0.013, 0.2]]))

    def logarithm(h, i, ln_b):
        if name == "lifetime":
            return jnp.log(lifetime_years(lifetimes, h, i, jnp.exp(ln_b)))
        return jnp.log(delta_v_per_year(climate, h, i, jnp.exp(ln_b), worst=True))

    point, ones = (jnp.asarray(h), jnp.asarray(i), jnp.asarray(ln_b)), jnp.ones(len(h))
    logarithm = jax.jit(logarithm)

    @jax.jit
    def slopes(*p):
        def by(k):
            return jax.jvp(lambda v: logarithm(*p[:k], v, *p[k + 1 :]), p[k : k + 1], (ones,))[1]

        return [by(k) for k in range(3)]

    all_slopes = slopes(*point)
    for k, step in enumerate((1e-3, 1e-2, 1e-4)):
        found = all_slopes[k]
        ends = [np.asarray(logarithm(*point[:k], point[k] + s * step, *point[k + 1 :])) for s in (-2, -1, 1, 2)]
        expected = (ends[0] - 8.0 * ends[1] + 8.0 * ends[2] - ends[3]) / (12.0 * step)
        assert np.isfinite(found).all()
        # where the range of B ends the correction has a corner
        inner = (np.abs(ln_b[:, None] - np.log([0.005, 0.05])) > 1e-3).all(axis=1)
        np.testing.assert_allclose(found[:, inner], expected[:, inner], rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_everything_is_finite_everywhere(climate: tables.DragTable, lifetimes: tables.LifetimeTable) -> None:
    @partial(jax.jit, static_argnums=0)
    def total(function, *arguments):
        return jax.value_and_grad(lambda t, *p: jnp.sum(jnp.log(function(t, *p))), argnums=(1, 2, 3))(*arguments)

    h = jnp.array([0.0, 59.0, 60.0, 100.0, 140.0, 150.0, 2000.0, 2001.0, 36000.0])
    for i in (0.0, 90.0, 180.0):
        for table, function in ((climate, delta_v_per_year), (lifetimes, lifetime_years)):
            value, slopes = total(function, table, h, i, 0.013)
            assert np.isfinite(value)
            assert all(np.isfinite(s).all() for s in slopes)


def test_long_lifetimes_go_on_as_one_over_the_ballistic_coefficient(lifetimes: tables.LifetimeTable) -> None:
    one, other = (np.asarray(lifetime_years(lifetimes, 1500.0, 53.0, b)) for b in (0.1, 0.2))
    np.testing.assert_allclose(one / other, 2.0, rtol=1e-9)
    h = jnp.linspace(800.0, 2000.0, 50)
    ratio = lifetime_years(lifetimes, h, 53.0, 0.005) / jnp.exp(ln_fall_days(lifetimes.fall, h, 53.0))
    assert float(jnp.ptp(ratio, axis=1).max() / ratio.min()) < 1e-9
