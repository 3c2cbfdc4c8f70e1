"""Expected approaches against counting them among satellites that SGP4 propagates for a day."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from approaches import DAYS_PER_YEAR, EPOCH_MJD, approaches, states
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.physics.merit.conjunction_rate import between_shells, with_background

between, with_others = jax.jit(between_shells), jax.jit(with_background)


def circular_orbits(
    catalog_of: Callable[..., cj.Catalog], n: int, altitudes: tuple[float, float], inclinations: tuple[float, float]
) -> tuple[cj.Catalog, cj.Shell]:
    """Frozen orbits, evenly drawn, and the stack of shells of one satellite each that they are."""
    rng = np.random.default_rng(5)
    altitude, inclination = rng.uniform(*altitudes, n), rng.uniform(*inclinations, n)
    motion = kozai_mean_motion_rev_per_day(altitude, 0.0, inclination)
    kinds = list(zip(motion, np.zeros(n), inclination, np.zeros(n), strict=True))
    return catalog_of(kinds, rng, epoch_day=EPOCH_MJD, epoch_fraction=0.0), shell_of(
        altitude_km=altitude, inclination_deg=inclination
    )


@pytest.mark.slow
def test_between_crossing_orbits(catalog_of: Callable[..., cj.Catalog]) -> None:
    catalog, stack = circular_orbits(catalog_of, 400, (560.0, 610.0), (30.0, 98.0))
    days, miss = 1.0, 10.0
    sky = states(catalog, days)
    itself = len(sky[0]) * len(catalog)  # each satellite has no distance to itself at every instant
    counted = (float(approaches(sky, sky, jnp.asarray(miss)).sum()) - itself) / 2.0
    expected = float(between(stack, miss, 0.2).sum()) / 2.0 * days / DAYS_PER_YEAR
    print(f"between: counted {counted:.0f}, expected {expected:.0f}, {expected / counted - 1:+.3f}")
    # 4 % of that is counting statistics
    assert abs(expected / counted - 1.0) < 0.2


@pytest.mark.slow
def test_targets_in_the_population(catalog_of: Callable[..., cj.Catalog]) -> None:
    population = cj.bundled_population().select(mean_altitude_km=(400.0, 800.0))[::2]
    targets, stack = circular_orbits(catalog_of, 400, (480.0, 600.0), (25.0, 98.0))
    days, miss = 1.0, 5.0
    counted = float(approaches(states(targets, days), states(population, days), jnp.asarray(miss)).sum())
    background = cj.ConjunctionBackground.from_catalog(population)
    expected = float(with_others(stack, background, miss).sum()) * days / DAYS_PER_YEAR
    print(f"population: counted {counted:.0f}, expected {expected:.0f}, {expected / counted - 1:+.3f}")
    # 4 % of that is counting statistics
    assert abs(expected / counted - 1.0) < 0.2


@pytest.mark.slow
def test_between_two_thin_shells(catalog_of: Callable[..., cj.Catalog]) -> None:
    """A half circle stands where a bell curve of the same variance would say 23 % less or more."""
    rng, n, miss = np.random.default_rng(8), 400, 10.0
    for second in (549.0, 552.0):
        sky, shells = [], []
        for altitude, inclination in ((550.0, 53.0), (second, 70.0)):
            motion = float(kozai_mean_motion_rev_per_day(altitude, 0.0, inclination))
            kinds = [(motion, 0.0, inclination, 0.0)] * n
            sky.append(states(catalog_of(kinds, rng, epoch_day=EPOCH_MJD, epoch_fraction=0.0), 2.0))
            shells.append(shell_of(altitude_km=altitude, inclination_deg=inclination))
        counted = float(approaches(*sky, jnp.asarray(miss)).sum())
        expected = float(between_shells(shells, miss, 0.05)[0, 1]) * n * n * 2.0 / DAYS_PER_YEAR
        print(f"{second} km: counted {counted:.0f}, expected {expected:.0f}, {expected / counted - 1:+.3f}")
        # raans of 400 satellites each are one draw: 3 % beyond counting statistics, which are 1 %
        assert abs(expected / counted - 1.0) < 0.06
