"""TEME to ITRS and geodetic coordinates, against astropy and against the definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics import frames
from constellation_jax.physics.constants import SECONDS_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM, WGS84_FLATTENING

CENTIMETRE_KM = 1e-5


@pytest.fixture(scope="module")
def states() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Times over nine years, and positions (km) and velocities (km/s) from 200 km to beyond the geostationary ring."""
    rng = np.random.default_rng(5)
    n = 300
    times = np.datetime64("2017-06-01T00:00:00", "ns") + rng.integers(0, 9 * 365 * 86400 * 10**9, n).astype(
        "timedelta64[ns]"
    )
    direction = rng.normal(size=(n, 3))
    position = direction / np.linalg.norm(direction, axis=1, keepdims=True) * rng.uniform(6578, 45000, (n, 1))
    return times, position, rng.normal(size=(n, 3)) * 5.0


def test_teme_to_itrs_against_astropy(states: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    import astropy.units as u
    import astropy_iers_data
    from astropy.coordinates import ITRS, TEME, CartesianDifferential, CartesianRepresentation
    from astropy.time import Time
    from astropy.utils import iers

    times, position, velocity = states
    same_table = iers.IERS_A.open(astropy_iers_data.IERS_A_FILE)
    with iers.earth_orientation_table.set(same_table):
        at = Time(times, scale="utc")
        difference = CartesianDifferential(velocity.T * u.km / u.s)
        teme = TEME(CartesianRepresentation(position.T * u.km, differentials=difference), obstime=at)
        itrs = teme.transform_to(ITRS(obstime=at))
    day, fraction = to_day_fraction(times)
    ut1_utc_s, polar_x, polar_y = load_earth_orientation().at(times)
    gmst = frames.gmst82(day.astype(float), fraction + ut1_utc_s / SECONDS_PER_DAY)
    ours, ours_velocity = frames.teme_to_itrs(jnp.asarray(position), jnp.asarray(velocity), gmst, polar_x, polar_y)
    assert np.linalg.norm(ours - itrs.cartesian.xyz.to_value(u.km).T, axis=1).max() < CENTIMETRE_KM
    # astropy takes the length of day into the Earth's rate, which moves velocities by up to 0.2 mm/s at 45,000 km
    assert np.linalg.norm(ours_velocity - itrs.velocity.d_xyz.to_value(u.km / u.s).T, axis=1).max() < 1e-6


def test_gmst82_against_erfa(states: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    import erfa

    day, fraction = to_day_fraction(states[0])
    expected = erfa.gmst82(day + 2400000.5, fraction)
    error = (np.asarray(frames.gmst82(day.astype(float), fraction)) - expected + np.pi) % (2 * np.pi) - np.pi
    assert np.abs(error).max() < 1e-12  # 0.04 mm at the geostationary ring
    single = frames.gmst82(day.astype(np.float32), fraction.astype(np.float32))
    assert single.dtype == jnp.float32
    error = (np.asarray(single, float) - expected + np.pi) % (2 * np.pi) - np.pi
    assert (
        np.abs(error).max() < 5e-5
    )  # days since 2000 carry 5e-4 of rounding in float32, and the sidereal day gains on them


def _from_geodetic(latitude: np.ndarray, longitude: np.ndarray, altitude: np.ndarray) -> tuple[np.ndarray, ...]:
    """The definition of geodetic coordinates, in the easy direction."""
    e2 = WGS84_FLATTENING * (2 - WGS84_FLATTENING)
    n = WGS84_EQUATORIAL_RADIUS_KM / np.sqrt(1 - e2 * np.sin(latitude) ** 2)
    across = (n + altitude) * np.cos(latitude)
    return across * np.cos(longitude), across * np.sin(longitude), (n * (1 - e2) + altitude) * np.sin(latitude)


def test_geodetic_inverts_its_definition() -> None:
    latitude, longitude, altitude = np.meshgrid(
        np.radians(np.concatenate([np.linspace(-90, 90, 181), [89.9999, 1e-9]])),
        np.radians(np.linspace(-179, 180, 25)),
        np.concatenate([[-10.0, 0.0, 80.0], np.geomspace(120, 1e5, 40)]),
    )
    ours = frames.geodetic(*map(jnp.asarray, _from_geodetic(latitude, longitude, altitude)))
    assert np.abs(ours[2] - altitude).max() < 1e-9  # a micrometre
    assert np.abs(ours[0] - latitude).max() * 6378 < 1e-6  # a millimetre on the ground
    away = np.abs(np.degrees(latitude)) < 89.99
    assert np.abs(ours[1] - longitude)[away].max() < 1e-12


def test_geodetic_against_erfa() -> None:
    import erfa

    rng = np.random.default_rng(6)
    xyz = rng.normal(size=(2000, 3))
    xyz *= (rng.uniform(6400, 45000, 2000) / np.linalg.norm(xyz, axis=1))[:, None]
    longitude, latitude, height = erfa.gc2gd(1, xyz * 1e3)
    ours = frames.geodetic(*(jnp.asarray(xyz[:, k]) for k in range(3)))
    np.testing.assert_allclose(ours[0], latitude, atol=1e-12)
    np.testing.assert_allclose(ours[1], longitude, atol=1e-12)
    np.testing.assert_allclose(ours[2], height / 1e3, atol=1e-9)


@jax.jit
def _geodetic_and_derivatives(point: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    def geodetic(point: jax.Array) -> jax.Array:
        return jnp.stack(frames.geodetic(*point))

    return geodetic(point), jax.jacfwd(geodetic)(point), jax.jacrev(geodetic)(point)


@pytest.mark.parametrize(
    "point", [(0.0, 0.0, 6900.0), (0.0, 0.0, -6900.0), (6900.0, 0.0, 0.0), (-6900.0, 0.0, 0.0), (4e3, 4e3, 4e3)]
)
def test_geodetic_gradients_are_finite_and_right(point: tuple[float, float, float]) -> None:
    (latitude, longitude, _), forward, reverse = _geodetic_and_derivatives(np.array(point))
    assert np.isfinite(forward).all()
    assert np.isfinite(reverse).all()
    # the height grows along the normal, at unit rate
    up = np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    np.testing.assert_allclose(forward[2], up, atol=2e-9)


def test_float32_altitude_is_within_metres() -> None:
    x, y, z = _from_geodetic(
        np.radians(np.linspace(-90, 90, 400)), np.linspace(-3, 3, 400), np.linspace(150, 2000, 400)
    )
    single = frames.geodetic_altitude(*(jnp.asarray(v, jnp.float32) for v in (x, y, z)))
    assert single.dtype == jnp.float32
    # positions of 8000 km carry 0.5 m of rounding in float32
    assert np.abs(np.asarray(single, float) - np.linspace(150, 2000, 400)).max() < 2e-3


def test_altitude_is_a_public_function() -> None:
    assert cj.frames is frames
