"""Expected approaches against counting them among satellites that SGP4 propagates for a day.

At each instant every pair is taken to move straight on for half a step, which over 20 s is right to 0.1 km: the two are close
where it matters, so that the Earth pulls both alike. An approach counts where it is closest within the step.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.physics.crowding import encounters_between, encounters_with

EPOCH, EPOCH_MJD = "2025-06-24", 60850  # of the bundled population: half a year on, drag has moved it
STEP_S = 40.0
DAYS_PER_YEAR = 365.25


def states(catalog: cj.Catalog, days: float) -> tuple[jax.Array, jax.Array]:
    times = cj.time_grid(EPOCH, f"{24 * days:g}h", f"{STEP_S:g}s")
    found = cj.propagate(catalog, times, variables=("position", "velocity"))
    stacked = [
        np.stack([found[name].values for name in names], axis=-1) for names in (("x", "y", "z"), ("vx", "vy", "vz"))
    ]
    # an element set that does not propagate is nowhere near
    return jnp.asarray(np.nan_to_num(stacked[0], nan=1e9)), jnp.asarray(np.nan_to_num(stacked[1]))


@jax.jit
def approaches(one: tuple[jax.Array, jax.Array], other: tuple[jax.Array, jax.Array], miss: jax.Array) -> jax.Array:
    """Pairs (a of one, b of other) closest within a step and nearer than miss, summed over all instants, shape (one,)."""

    def at(pair: tuple[jax.Array, ...]) -> jax.Array:
        (p, v, q, w) = pair
        apart2 = (p * p).sum(1)[:, None] + (q * q).sum(1)[None] - 2.0 * p @ q.T
        closing = (p * v).sum(1)[:, None] + (q * w).sum(1)[None] - p @ w.T - v @ q.T
        speed2 = (v * v).sum(1)[:, None] + (w * w).sum(1)[None] - 2.0 * v @ w.T + 1e-9
        time = closing / speed2
        near = (jnp.abs(time) <= 0.5 * STEP_S) & (apart2 - closing * time < miss * miss)
        return near.sum(1)

    return jax.lax.map(at, (*one, *other)).sum(0)


def circular_orbits(
    catalog_of: Callable[..., cj.Catalog], n: int, altitudes: tuple[float, float], inclinations: tuple[float, float]
) -> tuple[cj.Catalog, np.ndarray, np.ndarray]:
    """Frozen orbits, evenly drawn, and their altitudes and inclinations."""
    rng = np.random.default_rng(5)
    altitude, inclination = rng.uniform(*altitudes, n), rng.uniform(*inclinations, n)
    motion = kozai_mean_motion_rev_per_day(altitude, 0.0, inclination)
    kinds = list(zip(motion, np.zeros(n), inclination, np.zeros(n), strict=True))
    return catalog_of(kinds, rng, epoch_day=EPOCH_MJD, epoch_fraction=0.0), altitude, inclination


def test_between_crossing_orbits(catalog_of: Callable[..., cj.Catalog]) -> None:
    catalog, altitude, inclination = circular_orbits(catalog_of, 400, (560.0, 610.0), (30.0, 98.0))
    days, miss = 1.0, 10.0
    sky = states(catalog, days)
    itself = len(sky[0]) * len(altitude)  # each satellite has no distance to itself at every instant
    counted = (float(approaches(sky, sky, jnp.asarray(miss)).sum()) - itself) / 2.0
    expected = float(encounters_between(altitude, inclination, 1.0, miss, 0.2).sum()) / 2.0 * days / DAYS_PER_YEAR
    print(f"between: counted {counted:.0f}, expected {expected:.0f}, {expected / counted - 1:+.3f}")
    # 4 % of that is counting statistics
    assert abs(expected / counted - 1.0) < 0.2


@pytest.mark.slow
def test_targets_in_the_population(catalog_of: Callable[..., cj.Catalog]) -> None:
    population = cj.bundled_population().select(mean_altitude_km=(400.0, 800.0))[::2]
    targets, altitude, inclination = circular_orbits(catalog_of, 400, (480.0, 600.0), (25.0, 98.0))
    days, miss = 1.0, 5.0
    counted = float(approaches(states(targets, days), states(population, days), jnp.asarray(miss)).sum())
    background = cj.crowding_background(population)
    expected = float(encounters_with(background, altitude, inclination, 1.0, miss).sum()) * days / DAYS_PER_YEAR
    print(f"population: counted {counted:.0f}, expected {expected:.0f}, {expected / counted - 1:+.3f}")
    # 4 % of that is counting statistics
    assert abs(expected / counted - 1.0) < 0.2
