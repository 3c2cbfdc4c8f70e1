"""Status 0 means a sound state: finite and within 1,000,000 km, whatever elements and times the kernels are given."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sgp4.api import WGS72, Satrec

import constellation_jax as cj
from constellation_jax.physics.constants import GRAVITY_MODELS
from constellation_jax.physics.sgp4.status import FARTHEST_KM

USUAL = {
    "mean_motion": 0.066, "eccentricity": 0.001, "inclination": 0.9, "raan": 0.1, "arg_perigee": 0.2, "mean_anomaly": 0.3,
    "bstar": 1e-4, "epoch_day": 60000.0, "epoch_fraction": 0.0,
}  # fmt: skip


def random_elements(rng: np.random.Generator, n: int) -> cj.Elements:
    angles = rng.uniform(0.0, 2.0 * np.pi, (3, n))
    eccentricity = np.where(rng.random(n) < 0.5, rng.uniform(0.0, 1.0, n), 1.0 - 10.0 ** rng.uniform(-9.0, 0.0, n))
    return cj.Elements(
        2.0 * np.pi / 1440.0 * 10.0 ** rng.uniform(-4.0, 2.0, n), eccentricity, rng.uniform(0.0, np.pi, n), *angles,
        10.0 ** rng.uniform(-8.0, 1.0, n) * rng.choice([-1.0, 1.0], n), rng.integers(40000, 70000, n) * 1.0, rng.random(n),
    )  # fmt: skip


def states(elements: cj.Elements, minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """States and status of each satellite at its own instant, by the kernel of its regime."""
    deep = np.asarray(cj.sgp4.is_deep_space(elements, GRAVITY_MODELS["wgs72"], np))
    found = []
    for regime in ("near_earth", "deep_space"):  # all by both, so that the shapes are the same for each draw
        result = cj.sgp4.state_at(cj.sgp4.initialise(elements, regime=regime), minutes)
        found.append([np.asarray(v) for v in result])
    state, status = (
        np.where(deep if near.ndim == 1 else deep[:, None], far, near) for near, far in zip(*found, strict=True)
    )
    return state, status


def count_unsound(n: int, seed: int) -> int:
    rng = np.random.default_rng(seed)
    minutes = rng.choice([-1.0, 1.0], n) * 10.0 ** rng.uniform(-1.0, 6.3, n)  # four years: SDP4 goes there in steps
    state, status = states(random_elements(rng, n), minutes)
    sound = np.isfinite(state).all(axis=1) & (np.linalg.norm(state[:, :3], axis=1) <= FARTHEST_KM)
    assert (status == 0).sum() > 0.05 * n  # not all have failed
    return int(np.sum((status == 0) & ~sound))


def test_random_elements_forward_and_back():
    assert count_unsound(4_000, 1) == 0


@pytest.mark.benchmark
def test_a_million_random_elements():
    unsound = sum(count_unsound(50_000, seed) for seed in range(20))
    print(f"\nof 1,000,000 random element sets and times {unsound} have status 0 without a sound state")
    assert unsound == 0


@pytest.mark.parametrize(
    "change",
    [{key: value} for key in USUAL for value in (np.nan, np.inf, -np.inf) if not key.startswith("epoch")]
    + [
        {"eccentricity": 1.0},
        {"eccentricity": 1.5},
        {"mean_motion": 0.0},
        {"mean_motion": -0.06},
        {"mean_motion": 1e-300},
    ],
    ids=str,
)
def test_elements_of_no_orbit(change: dict[str, float]):
    elements = cj.Elements(**{key: jnp.asarray(value) for key, value in (USUAL | change).items()})
    state, status = cj.sgp4.state_at(cj.sgp4.initialise(elements, regime="near_earth"), jnp.array([0.0, 100.0, -1e5]))
    assert (np.asarray(status) != 0).all()
    assert np.isnan(state).all()


@pytest.mark.parametrize("mean_motion", [0.066, 0.0044], ids=["near_earth", "deep_space"])
def test_times_that_are_no_instants(mean_motion: float):
    coefficients = cj.sgp4.initialise(cj.Elements(**USUAL | {"mean_motion": mean_motion}))
    minutes = jnp.array([0.0, np.nan, np.inf, -np.inf, 1e12, -1e308])
    assert np.asarray(cj.sgp4.state_at(coefficients, minutes)[1]).tolist() == [0, 7, 7, 7, 7, 7]


def test_an_eccentricity_next_to_one_has_the_code_of_the_standard():
    elements = cj.Elements(**USUAL | {"eccentricity": 0.999999999, "mean_motion": 0.0677})
    minutes = np.arange(0.0, 360.0, 60.0)
    status = np.asarray(cj.sgp4.state_at(cj.sgp4.initialise(elements), minutes)[1])
    satellite = Satrec()
    epoch = USUAL["epoch_day"] - 33281.0
    satellite.sgp4init(WGS72, "i", 1, epoch, 1e-4, 0.0, 0.0, 0.999999999, 0.2, 0.9, 0.3, 0.0677, 0.1)
    assert (status != 0).all()
    assert status[0] == satellite.sgp4_tsince(0.0)[0] == 4


@pytest.mark.parametrize("degrees", [179.0, 179.5, 179.9, 179.99, 179.998, 180.0])
def test_float32_near_180_degrees(degrees: float):
    """tan(i / 2) has its digits in float32 too: within 20 m of float64, the rounding of angles, where it was 13,000 km."""
    values = USUAL | {"inclination": np.deg2rad(degrees), "eccentricity": 0.0012}
    exact = cj.sgp4.initialise(cj.Elements(**values))
    single = jax.tree.map(lambda v: jnp.asarray(v, jnp.float32), exact)  # as the engine does, about an anchor
    minutes = np.linspace(-10.0, 10.0, 21)
    found = cj.sgp4.state_at(single, jnp.asarray(minutes, jnp.float32))[0]
    expected = cj.sgp4.state_at(exact, minutes)[0]
    error_km = np.linalg.norm(np.asarray(found, np.float64)[:, :3] - np.asarray(expected)[:, :3], axis=1)
    assert error_km.max() < 0.02
