"""Coverage against counting satellites that SGP4 propagates for a day, from places on the ellipsoid."""

from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM, WGS84_FLATTENING
from constellation_jax.physics.merit import coverage
from constellation_jax.physics.merit.revisit import max_revisit_minutes

LATITUDES = np.array([-50.0, 0.0, 20.0, 40.0, 50.0, 60.0])
MASK = 25.0
LOW = shell_of(name="low", altitude_km=300.0, inclination_deg=53.0, planes=20, satellites_per_plane=15, phasing=1)
SYSTEMS = {
    # shells, seconds between instants, longitudes: some 2e8 looks from a place to a satellite
    "starlink": (lambda: cj.load_shells("starlink"), 240, 24),
    "starlink's first": (lambda: cj.load_shells("starlink")[:1], 60, 36),
    "guowang": (lambda: cj.load_shells("guowang"), 360, 12),
    "chutian": (lambda: cj.load_shells("chutian"), 90, 72),
    "low": (lambda: [LOW], 90, 72),
}
CASES = [
    # system, numbers whose chance is compared
    # whole systems are in view of all these latitudes; shells of like altitude and inclination drift past each other in weeks, so
    # that over a day larger numbers are not those of independent shells: 0.02 off at 20
    pytest.param("starlink", (1,), marks=pytest.mark.slow),
    pytest.param("starlink's first", (1, 6, 18), marks=pytest.mark.slow),
    pytest.param("guowang", (1,), marks=pytest.mark.slow),
    pytest.param("chutian", (1, 2), marks=pytest.mark.slow),
    pytest.param("low", (1, 2, 3), marks=pytest.mark.slow),
]
mean_in_view = jax.jit(coverage.mean_in_view)
in_view = jax.jit(coverage.probability_in_view, static_argnames="at_least")


def sites(longitudes: int) -> tuple[np.ndarray, np.ndarray]:
    """Places (km) and their verticals, Earth-fixed, shape (3, latitudes * longitudes)."""
    e2 = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)
    phi, lon = np.meshgrid(np.radians(LATITUDES), 2.0 * np.pi * np.arange(longitudes) / longitudes, indexing="ij")
    up = np.stack([np.cos(phi) * np.cos(lon), np.cos(phi) * np.sin(lon), np.sin(phi)]).reshape(3, -1)
    normal = WGS84_EQUATORIAL_RADIUS_KM / np.sqrt(1.0 - e2 * np.sin(phi) ** 2)
    return up * np.array([1.0, 1.0, 1.0 - e2])[:, None] * normal.ravel(), up


@cache
def counts(system: str, step_s: float, longitudes: int) -> np.ndarray:
    """Satellites in view, shape (instants, latitudes, longitudes), over a day."""
    catalog = cj.shells_to_catalog(SYSTEMS[system][0](), epoch="2026-01-01")
    times = cj.time_grid("2026-01-01", "1d", f"{step_s:g}s")
    states = cj.propagate(catalog, times, frame="itrs", variables="position")
    positions = jnp.asarray(np.stack([states[axis].values for axis in "xyz"], axis=-1))
    place, up = (jnp.asarray(v) for v in sites(longitudes))
    ground = jnp.sum(place * up, axis=0)
    ground2 = jnp.sum(place * place, axis=0)

    @jax.jit
    def count(p: jax.Array) -> jax.Array:
        height = p @ up - ground[None]
        range2 = jnp.sum(p * p, axis=1)[:, None] + ground2[None] - 2.0 * p @ place
        return jnp.sum(height > np.sin(np.radians(MASK)) * jnp.sqrt(range2), axis=0)

    found = np.stack([np.asarray(count(p)) for p in positions])
    return found.reshape(len(times), len(LATITUDES), longitudes)


@pytest.mark.parametrize(("system", "numbers"), CASES)
def test_mean_and_chance_in_view(system: str, numbers: tuple[int, ...]) -> None:
    shells = [shell.replace(min_elevation_deg=MASK) for shell in SYSTEMS[system][0]()]
    counted = counts(system, *SYSTEMS[system][1:])
    found = np.asarray(mean_in_view(shells, LATITUDES)).sum(axis=0)
    mean = counted.mean(axis=(0, 2))
    print(system, "mean: counted", np.round(mean, 3), "off by", np.round(found - mean, 4))
    # a percent of the number; where satellites are seldom in view, a hundredth of one satellite
    np.testing.assert_allclose(found, mean, rtol=0.01, atol=0.01)
    for k in numbers:
        chance = in_view(shells, LATITUDES, at_least=k)
        off = np.asarray(chance) - (counted >= k).mean(axis=(0, 2))
        print(system, "at least", k, "off by", np.round(off, 4))
        np.testing.assert_allclose(off, 0.0, atol=0.01)  # the aim; counting itself is good to some 0.003


@pytest.mark.slow
def test_longest_gap() -> None:
    step_s = 20
    seen = counts("low", step_s, 36) > 0
    longest = np.zeros(len(LATITUDES))
    since = np.zeros(seen.shape[1:])
    for now in seen:
        since = np.where(now, 0.0, since + step_s / 60.0)
        longest = np.maximum(longest, since.max(axis=1))
    found = np.asarray(max_revisit_minutes(LOW.replace(min_elevation_deg=MASK), LATITUDES))
    print("longest gap, min: counted", np.round(longest, 2), "found", np.round(found, 2))
    # counting is late by up to a step at either end; both look from some longitudes only: a tenth
    np.testing.assert_allclose(found[:5], longest[:5], rtol=0.1, atol=0.7)
    assert found[5] == 1440.0  # no satellite is ever seen from 60 degrees
    assert longest[5] > 1439.0


@pytest.mark.parametrize(("latitude", "satellites"), [(30.0, 1), (30.0, 2), (0.0, 1)])
def test_longest_gap_of_one_plane_over_all_longitudes(latitude: float, satellites: int) -> None:
    """Counted from every degree of longitude over two days: a gap changes by four minutes in a degree at most."""
    step_s, mask = 30, np.radians(10.0)
    shell = shell_of(altitude_km=550.0, inclination_deg=53.0, satellites_per_plane=satellites, min_elevation_deg=10.0)
    times = cj.time_grid("2026-01-01", "2d", f"{step_s}s")
    states = cj.propagate(cj.shells_to_catalog(shell, epoch="2026-01-01"), times, frame="itrs", variables="position")
    position = np.stack([states[axis].values for axis in "xyz"], axis=-1)
    e2, phi, longest = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING), np.radians(latitude), 0
    for lon in np.radians(np.arange(360.0)):
        up = np.array([np.cos(phi) * np.cos(lon), np.cos(phi) * np.sin(lon), np.sin(phi)])
        place = up * np.array([1.0, 1.0, 1.0 - e2]) * WGS84_EQUATORIAL_RADIUS_KM / np.sqrt(1.0 - e2 * np.sin(phi) ** 2)
        ray = position - place
        seen = ((ray @ up) > np.sin(mask) * np.linalg.norm(ray, axis=-1)).any(axis=1)
        edges = np.flatnonzero(np.diff(np.concatenate([[1], seen, [1]]).astype(int)))
        longest = max(longest, int((edges[1::2] - edges[::2]).max()))
    found = float(jax.jit(partial(max_revisit_minutes, shell))(np.array([latitude]))[0])
    print(f"{satellites} at {latitude} degrees: counted {longest * step_s / 60:.1f}, found {found:.1f} min")
    assert -1.0 < found - longest * step_s / 60.0 < 4.0
