"""Averaged rates of a mean orbit against direct averages of Gauss's equations in Cartesian vectors, and the two quadratures."""

import jax
import numpy as np
import pytest

from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.physics.constants import EARTH_ROTATION_RATE, J2_RADIUS2, MU, WGS84_FLATTENING
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM as RADIUS
from constellation_jax.physics.drag import atmosphere
from constellation_jax.physics.drag import rates as drag
from constellation_jax.physics.drag.atmosphere import Conditions, ConditionsOfStep

MJD = 60000.3


@pytest.fixture(scope="module")
def moderate() -> Conditions:
    return atmosphere.conditions(load_atmosphere(), 140.0, 140.0, 15.0, 80.5)


_rates = jax.jit(drag.rates, static_argnames="elliptic")
_densities = jax.jit(jax.vmap(atmosphere.density, in_axes=(None, 0, 0, 0)))


def rates(at, orbit, mjd, b, radiation, *, elliptic) -> drag.Rates:
    """Rates of arguments that are all float64 arrays: plain numbers, weakly typed, would be compiled for by themselves."""
    numbers = jax.tree.map(lambda v: np.asarray(v, np.float64), (orbit, mjd, b, radiation))
    return _rates(at, *numbers, elliptic=elliptic)


def by_vectors(at: Conditions, a, e, i, node, perigee, b, points=720):
    """Rates of the semi-major axis and the eccentricity vector (in the inertial frame), per day: means over the mean anomaly."""
    x = 2.0 * np.pi * np.arange(points) / points
    cos_e, sin_e = np.cos(x), np.sin(x)
    p_axis = np.array(
        [
            np.cos(node) * np.cos(perigee) - np.sin(node) * np.sin(perigee) * np.cos(i),
            np.sin(node) * np.cos(perigee) + np.cos(node) * np.sin(perigee) * np.cos(i),
            np.sin(perigee) * np.sin(i),
        ]
    )
    w_axis = np.array([np.sin(node) * np.sin(i), -np.cos(node) * np.sin(i), np.cos(i)])
    q_axis = np.cross(w_axis, p_axis)
    root = np.sqrt(1.0 - e * e)
    near = 1.0 - e * cos_e
    r = a * ((cos_e - e)[:, None] * p_axis + (root * sin_e)[:, None] * q_axis)
    v = np.sqrt(MU / a) / near[:, None] * (-sin_e[:, None] * p_axis + (root * cos_e)[:, None] * q_axis)
    size = np.linalg.norm(r, axis=1)
    sine = r[:, 2] / size
    cos2u = 1.0 - 2.0 * (sine / np.sin(i)) ** 2
    oblate = J2_RADIUS2 / (a * (1 - e * e))
    height = size - RADIUS * (1.0 - WGS84_FLATTENING * sine**2)
    height += oblate * (0.25 * np.sin(i) ** 2 * cos2u - 0.75 * (3.0 * np.cos(i) ** 2 - 1.0))
    noon = float(atmosphere.node_local_time(0.0, MJD))
    local = np.arctan2(r[:, 1], r[:, 0]) + noon
    density = np.asarray(_densities(at, height, np.arcsin(sine), local))
    relative = v - np.cross([0.0, 0.0, EARTH_ROTATION_RATE], r)
    force = -0.5 * b * 1000.0 * (density * np.linalg.norm(relative, axis=1))[:, None] * relative
    h = np.cross(r, v)
    d_a = 2.0 * a * a / MU * (force * v).sum(axis=1)
    d_e = (np.cross(force, h) + np.cross(v, np.cross(r, force))) / MU
    weight = near / points * 86400.0
    along = np.array([np.cos(node), np.sin(node), 0.0])
    mean_e = (d_e * weight[:, None]).sum(axis=0)
    return (d_a * weight).sum(), mean_e @ along, mean_e @ np.cross(w_axis, along)


@pytest.mark.parametrize(
    ("a", "e", "elliptic", "tolerance"),
    [
        (6778.0, 0.0005, False, 2e-3),
        (6878.0, 0.0035, False, 6e-3),
        (6878.0, 0.0035, True, 1e-3),
        (7500.0, 0.1, True, 1e-3),
        (24400.0, 0.7315, True, 2e-3),
    ],
)
def test_rates_against_vectors(moderate: Conditions, a, e, elliptic, tolerance) -> None:
    i, node, perigee = 0.9, 1.1, 0.7
    found = rates(
        moderate, drag.MeanOrbit.from_elements(a, e, i, node, perigee), MJD, 0.01, 0.0, elliptic=elliptic
    ).orbit
    d_a, d_ex, d_ey = by_vectors(moderate, a, e, i, node, perigee, 0.01)
    assert abs(found.semi_major_axis / d_a - 1.0) < tolerance
    size = max(np.hypot(d_ex, d_ey), abs(d_a / a) * 0.1)
    assert np.hypot(found.eccentricity_x - d_ex, found.eccentricity_y - d_ey) < 0.02 * size


def test_looking_up_one_layer_changes_nothing(moderate: Conditions) -> None:
    several = np.stack([np.zeros((43, 43)), np.asarray(moderate.coefficients)])
    for altitude in (90.0, 100.0, 250.0, 611.0, 1999.0, 2000.0, 3000.0):
        orbit = drag.MeanOrbit.from_elements(altitude + RADIUS, 1e-4, 0.9, 0.1, 0.2)
        whole = rates(moderate, orbit, MJD, 0.01, 0.0, elliptic=False)
        step = ConditionsOfStep(jax.numpy.asarray(several), np.int32(1))
        layer = rates(step, orbit, MJD, 0.01, 0.0, elliptic=False)
        np.testing.assert_allclose(layer.density, whole.density, rtol=1e-10)


@pytest.mark.parametrize(("elliptic", "own_steps"), [(False, True), (True, False)])
def test_satellites_in_an_array_are_as_each_alone(moderate: Conditions, elliptic: bool, own_steps: bool) -> None:
    altitude = np.array([[90.0, 250.0, 611.0], [1999.0, 2000.0, 3000.0]])
    orbits = drag.MeanOrbit.from_elements(
        altitude + RADIUS, np.full((2, 3), 0.002), 0.3 * altitude**0.2, altitude, -altitude
    )
    b, step = 0.01 + 1e-6 * altitude, np.array([[1, 0, 1], [0, 0, 1]], np.int32)
    several = jax.numpy.stack([moderate.coefficients - 1.0, moderate.coefficients])

    def at(k: np.ndarray) -> Conditions | ConditionsOfStep:
        return ConditionsOfStep(several, k) if own_steps else moderate

    found = rates(at(step), orbits, MJD + altitude, b, b, elliptic=elliptic)
    for k in np.ndindex(altitude.shape):
        orbit = jax.tree.map(lambda v, k=k: v[k], orbits)
        alone = rates(at(step[k]), orbit, MJD + altitude[k], b[k], b[k], elliptic=elliptic)
        # sums of 43 terms of either sign in another order
        jax.tree.map(lambda v, w, k=k: np.testing.assert_allclose(v[k], w, rtol=1e-9, atol=1e-18), found, alone)


def test_radiation_pressure(moderate: Conditions) -> None:
    """A constant force F moves the eccentricity vector by 3/2 F x h / mu: here from its average over a circular orbit."""
    a, i, node, coefficient = 12000.0, 1.0, 0.5, 0.1
    orbit = drag.MeanOrbit.from_elements(a, 0.0, i, node, 0.0)
    with_it = rates(moderate, orbit, MJD, 1e-12, coefficient, elliptic=False).orbit
    day = MJD - 51544.5
    longitude = np.radians(280.460 + 0.9856474 * day)
    declination = np.arcsin(np.sin(np.radians(23.44)) * np.sin(longitude))
    ascension = np.radians(280.46061837 + 0.98564736629 * day)
    sun = np.array(
        [np.cos(declination) * np.cos(ascension), np.cos(declination) * np.sin(ascension), np.sin(declination)]
    )
    force = -4.539e-6 * 1e-3 * coefficient * sun
    n, w = (
        np.array([np.cos(node), np.sin(node), 0.0]),
        np.array([np.sin(node) * np.sin(i), -np.cos(node) * np.sin(i), np.cos(i)]),
    )
    m = np.cross(w, n)
    u = 2.0 * np.pi * np.arange(64)[:, None] / 64
    r, v = a * (np.cos(u) * n + np.sin(u) * m), np.sqrt(MU / a) * (-np.sin(u) * n + np.cos(u) * m)
    rate = 86400.0 / MU * (np.cross(force, np.cross(r, v)) + np.cross(v, np.cross(r, force))).mean(axis=0)
    np.testing.assert_allclose(
        [with_it.eccentricity_x, with_it.eccentricity_y], [rate @ n, rate @ m], rtol=1e-3, atol=1e-12
    )


@pytest.mark.parametrize("elliptic", [False, True])
def test_gradients_are_finite_on_a_circular_orbit(moderate: Conditions, elliptic: bool) -> None:
    """Of two rates at once: a NaN of either is one of their sum."""
    orbit = drag.MeanOrbit(*map(jax.numpy.asarray, (6778.0, 0.0, 0.0, 0.9, 0.1, 0.0)))

    def both(orbit: drag.MeanOrbit, at: Conditions) -> jax.Array:
        found = drag.rates(at, orbit, MJD, 0.01, elliptic=elliptic).orbit
        return found.semi_major_axis + found.eccentricity_x

    slopes = jax.jit(jax.grad(both))(orbit, moderate)
    assert all(np.isfinite(v) for v in slopes)


def test_an_equatorial_orbit_has_rates(moderate: Conditions) -> None:
    found = rates(moderate, drag.MeanOrbit.from_elements(6778.0, 1e-4, 0.0, 0.0, 0.0), MJD, 0.01, 0.0, elliptic=False)
    assert all(np.isfinite(v) for v in found.orbit)
    assert found.orbit.inclination == 0.0
