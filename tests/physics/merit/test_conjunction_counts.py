"""Expected approaches against counting them among satellites that SGP4 propagates for a day."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from approaches import DAYS_PER_YEAR, EPOCH_MJD, approaches, states

import constellation_jax as cj
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.physics.merit import conjunction_rate as crowding

encounters_between, encounters_with = jax.jit(crowding.encounters_between), jax.jit(crowding.encounters_with)


def circular_orbits(
    catalog_of: Callable[..., cj.Catalog], n: int, altitudes: tuple[float, float], inclinations: tuple[float, float]
) -> tuple[cj.Catalog, np.ndarray, np.ndarray]:
    """Frozen orbits, evenly drawn, and their altitudes and inclinations."""
    rng = np.random.default_rng(5)
    altitude, inclination = rng.uniform(*altitudes, n), rng.uniform(*inclinations, n)
    motion = kozai_mean_motion_rev_per_day(altitude, 0.0, inclination)
    kinds = list(zip(motion, np.zeros(n), inclination, np.zeros(n), strict=True))
    return catalog_of(kinds, rng, epoch_day=EPOCH_MJD, epoch_fraction=0.0), altitude, inclination


@pytest.mark.slow
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
