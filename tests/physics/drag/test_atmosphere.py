"""Density of the atmosphere against pymsis (by a reference table), its gradients, and what happens outside the table."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.physics import frames
from constellation_jax.physics.drag import atmosphere
from constellation_jax.physics.drag.atmosphere import Conditions

REFERENCE = Path(__file__).parents[2] / "reference_data" / "atmosphere.npz"
HOUR = np.pi / 12.0


# Compiled as a whole: outside of jit each operation is compiled by itself
conditions = jax.jit(atmosphere.conditions)
density = jax.jit(atmosphere.density)
orbit_densities = jax.jit(atmosphere.orbit_densities)
orbit_mean_density = jax.jit(atmosphere.orbit_mean_density)


@partial(jax.jit, static_argnames="points")
@partial(jax.vmap, in_axes=(None, 0, 0, 0, 0, 0, 0, 0))
def orbit_means(table, f107, f107a, ap, day, altitude, inclination, node, points=12):
    at = atmosphere.conditions(table, f107, f107a, ap, day)
    return atmosphere.orbit_mean_density(at, altitude, inclination, node, points=points)


@pytest.fixture(scope="module")
def quiet() -> Conditions:
    return conditions(load_atmosphere(), 75.0, 72.0, 5.0, 172.5)


@pytest.fixture(scope="module")
def moderate() -> Conditions:
    return conditions(load_atmosphere("nrlmsise00"), 140.0, 140.0, 15.0, 80.5)


@pytest.mark.parametrize("model", ["nrlmsise00", "nrlmsis21"])
def test_orbit_means_against_pymsis(model: str) -> None:
    file = np.load(REFERENCE)
    columns = [file[key] for key in ("f107", "f107a", "ap")] + [file["day_of_year"] + 0.5, file["altitude_km"]]
    columns += [np.radians(file["inclination_deg"]), file["node_local_time_h"] * HOUR]
    error = np.asarray(orbit_means(load_atmosphere(model), *columns)) / file[model] - 1.0
    # 0.28 % rms and 1.3 % at worst over 5000 orbits (the benchmark of the atmosphere); the model itself is right to 10 to 20 %
    assert np.sqrt(np.mean(error**2)) < 0.004
    assert np.abs(error).max() < 0.02
    assert abs(error.mean()) < 0.001


def test_global_means_of_2024_03_20(moderate: Conditions) -> None:
    """Area-weighted means of NRLMSISE-00 at F10.7 = 140, Ap = 15, from pymsis on its own grid."""
    sine, weight = np.polynomial.legendre.leggauss(16)
    latitude, local_time = np.meshgrid(np.arcsin(sine), np.arange(24) * HOUR, indexing="ij")
    densities = jax.jit(jax.vmap(atmosphere.density, in_axes=(None, None, 0, 0)))
    for altitude, expected in {200: 3.030e-10, 400: 4.255e-12, 600: 1.959e-13, 800: 1.755e-14}.items():
        values = (
            np.asarray(densities(moderate, altitude * 1.0, latitude.ravel(), local_time.ravel()))
            .reshape(16, 24)
            .mean(axis=1)
        )
        assert abs((values * weight).sum() / 2.0 / expected - 1.0) < 0.01


def test_a_mean_is_the_mean_of_the_densities_along_the_orbit(moderate: Conditions) -> None:
    inclination, node, nodes = 1.7, 5.0, 12
    u = 2.0 * np.pi * np.arange(nodes) / nodes
    latitude = np.arcsin(np.sin(inclination) * np.sin(u))
    local_time = node + np.arctan2(np.cos(inclination) * np.sin(u), np.cos(u))
    points = [density(moderate, 450.0, lat, time) for lat, time in zip(latitude, local_time, strict=True)]
    ours = orbit_densities(moderate, 450.0, inclination, node)
    np.testing.assert_allclose(ours, points, rtol=1e-11)
    np.testing.assert_allclose(orbit_mean_density(moderate, 450.0, inclination, node), np.mean(points), rtol=1e-11)


def test_places_and_orbits_in_arrays(moderate: Conditions) -> None:
    altitude, angle = np.array([[150.0, 700.0], [300.0, 1500.0]]), np.array([0.3, 1.2])
    found, means = density(moderate, altitude, angle, 2.0), orbit_mean_density(moderate, altitude, angle, 2.0)
    assert orbit_densities(moderate, altitude, angle, 2.0).shape == (12, 2, 2)
    for k in np.ndindex(2, 2):
        one = altitude[k], angle[k[1]], 2.0
        np.testing.assert_allclose(
            (found[k], means[k]), (density(moderate, *one), orbit_mean_density(moderate, *one)), rtol=1e-11
        )


@pytest.mark.parametrize("altitude", [200.0, 400.0, 700.0])
def test_height_differences(moderate: Conditions, altitude: float) -> None:
    """Second order in 15 km, what the oblate Earth gives about its mean: within 0.3 % of the density at the height itself."""
    raised = orbit_densities(moderate, altitude, 0.9, 1.0, np.full(12, 15.0))
    np.testing.assert_allclose(raised, orbit_densities(moderate, altitude + 15.0, 0.9, 1.0), rtol=3e-3)
    same = orbit_densities(moderate, altitude, 0.9, 1.0, np.zeros(12))
    np.testing.assert_allclose(same, orbit_densities(moderate, altitude, 0.9, 1.0), rtol=1e-13)


def test_a_table_of_32_bits_gives_densities_of_32_bits(moderate: Conditions) -> None:
    single = jax.tree.map(lambda v: v.astype(jnp.float32), moderate)
    f32 = partial(jnp.asarray, dtype=jnp.float32)
    value = orbit_mean_density(single, f32(400.0), f32(0.9), f32(1.0))
    assert value.dtype == jnp.float32
    # ln(density) is about -26, and 43 terms of either sign are added
    assert abs(float(value) / float(orbit_mean_density(moderate, 400.0, 0.9, 1.0)) - 1.0) < 1e-4


@jax.jit
@partial(jax.value_and_grad, argnums=tuple(range(7)))
def mean_and_gradient(f107, f107a, ap, day, altitude, inclination, node):
    at = atmosphere.conditions(load_atmosphere(), f107, f107a, ap, day)
    return atmosphere.orbit_mean_density(at, altitude, inclination, node)


def log_mean(f107, f107a, ap, day, altitude, inclination, node):
    at = atmosphere.conditions(load_atmosphere(), f107, f107a, ap, day)
    return jnp.log(atmosphere.orbit_mean_density(at, altitude, inclination, node))


def test_gradients_against_differences() -> None:
    value = jax.jit(log_mean)
    steps = np.array([1e-3, 1e-3, 1e-3, 1e-3, 1e-3, 1e-5, 1e-5])
    for point in ([150.0, 140.0, 15.0, 80.0, 410.0, 0.9, 1.0], [70.0, 72.0, 4.0, 200.0, 160.0, 1.7, 4.0]):
        at = np.array(point)
        mean, gradient = mean_and_gradient(*at)
        ours = np.array(gradient) / mean
        differences = [(value(*(at + e)) - value(*(at - e))) / (2.0 * e.sum()) for e in np.diag(steps)]
        # differences carry 1e-14 of rounding over a step of 1e-5 at least
        np.testing.assert_allclose(ours, differences, rtol=1e-6, atol=2e-9)


@pytest.mark.parametrize("altitude", [-50.0, 0.0, 60.0, 99.9, 100.0, 2000.0, 2000.1, 40000.0])
@pytest.mark.parametrize("indices", [(40.0, 50.0, -1.0), (60.0, 60.0, 0.0), (939.0, 400.0, 400.0), (290.0, 0.0, 300.0)])
def test_value_and_gradient_are_finite_everywhere(altitude: float, indices: tuple[float, float, float]) -> None:
    value, gradient = mean_and_gradient(*indices, 366.9, altitude, 0.0, 0.0)
    assert np.isfinite(value)
    assert value >= 0.0
    assert np.isfinite(gradient).all()


def test_beyond_the_table_the_slope_goes_on(quiet: Conditions) -> None:
    log = jax.jit(jax.vmap(lambda h: jnp.log(atmosphere.density(quiet, h, 0.5, 2.0))))
    for edge, sign in ((100.0, -1.0), (2000.0, 1.0)):
        inside, at_edge, outside, further = np.asarray(log(edge + sign * jnp.array([-0.01, 0.0, 0.01, 20.0])))
        np.testing.assert_allclose(outside - at_edge, at_edge - inside, rtol=1e-3)
        np.testing.assert_allclose(further - at_edge, 2000.0 * (outside - at_edge), rtol=1e-6)
        assert sign * (further - at_edge) < 0.0  # density falls with height


@jax.jit
@jax.grad
def slope_of_logarithms(altitude, at, inclination, node):
    return jnp.log(atmosphere.orbit_mean_density(at, altitude, inclination, node)).sum()


@pytest.mark.parametrize("flux", [65.0, 100.0, 140.0, 220.0])
def test_scale_heights_have_a_lower_bound(flux: float) -> None:
    """(altitude - 60 km) / 8 but for 8 %: steps of a fall, and what is said to stay up, go by it."""
    altitude, inclination = np.meshgrid(np.linspace(120.0, 1400.0, 129), [0.1, 0.9, 1.7])
    at = conditions(load_atmosphere(), flux, flux, 5.0, 80.0)
    for node in (0.0, 1.6, 3.1):
        ratio = -1.0 / np.asarray(slope_of_logarithms(altitude, at, inclination, node)) / ((altitude - 60.0) / 8.0)
        assert 0.92 < ratio.min() < 1.1


def test_what_is_outside_is_said() -> None:
    assert int(atmosphere.outside_range(400.0, 150.0, 140.0, 15.0)) == 0
    assert int(atmosphere.outside_range(99.0, 150.0, 140.0, 15.0)) == atmosphere.ALTITUDE_OUTSIDE
    assert int(atmosphere.outside_range(400.0, 310.0, 300.0, 15.0)) == atmosphere.F107A_OUTSIDE
    assert int(atmosphere.outside_range(400.0, 250.0, 140.0, 301.0)) == atmosphere.F107_OUTSIDE + atmosphere.AP_OUTSIDE
    assert int(atmosphere.outside_range(400.0, 0.0, 0.0, 15.0)) == atmosphere.F107A_OUTSIDE + atmosphere.F107_OUTSIDE


def test_node_local_time_of_a_morning_orbit() -> None:
    """At the equinox the mean Sun stands near right ascension zero: a node a quarter turn behind it crosses at 6 h."""
    # at 0h the mean Sun is 12 h from the meridian of Greenwich: its right ascension is the sidereal time less 12 h
    mean_sun = float(frames.gmst82(60389.0, 0.0)) / HOUR - 12.0
    assert abs(mean_sun) < 0.2
    hours = np.asarray(atmosphere.node_local_time(-np.pi / 2.0, 60389.0)) / HOUR % 24.0
    assert abs(hours - (6.0 - mean_sun)) < 1e-4  # a third of a second
