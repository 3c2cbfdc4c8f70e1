"""Status codes against python-sgp4's, of a hundred thousand random element sets up to an eccentricity of 0.99999.

pytest -m benchmark -s tests/benchmarks/test_status_codes.py
"""

from collections import Counter

import jax
import numpy as np
import pytest
from sgp4.api import WGS72, Satrec

import constellation_jax as cj
from constellation_jax.physics.constants import MINUTES_PER_DAY, TWO_PI

COUNT = 100_000
EPOCH_1949 = 33281
"""Modified Julian Date that python-sgp4 counts the epoch from."""


@pytest.mark.benchmark
def test_codes_of_the_standard() -> None:
    generator = np.random.default_rng(5)
    n = generator.uniform(0.05, 17.0, COUNT) * TWO_PI / MINUTES_PER_DAY
    e, i = generator.uniform(0.0, 0.99999, COUNT), np.radians(generator.uniform(0.0, 180.0, COUNT))
    raan, perigee, anomaly = generator.uniform(0.0, TWO_PI, (3, COUNT))
    bstar = 10.0 ** generator.uniform(-6.0, -1.0, COUNT) * generator.choice([-1.0, 1.0], COUNT)
    day, minutes = generator.integers(55_000, 62_000, COUNT) * 1.0, generator.uniform(-1e4, 1e4, COUNT)
    elements = cj.Elements(n, e, i, raan, perigee, anomaly, bstar, day, np.zeros(COUNT))
    codes = np.empty(COUNT, int)
    flag = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        is_deep = np.asarray(cj.sgp4.is_deep_space(elements, cj.sgp4.GRAVITY_MODELS["wgs72"], np))
        for own, regime in ((is_deep, "deep_space"), (~is_deep, "near_earth")):
            part = jax.tree.map(lambda v, own=own: v[own], elements)
            codes[own] = cj.sgp4.state_at(cj.sgp4.initialise(part, regime=regime), minutes[own])[1]
    finally:
        jax.config.update("jax_enable_x64", flag)
    expected = np.empty(COUNT, int)
    for k in range(COUNT):
        satellite = Satrec()
        numbers = (bstar[k], 0.0, 0.0, e[k], perigee[k], i[k], anomaly[k], n[k], raan[k])
        satellite.sgp4init(WGS72, "i", k % 90_000, day[k] - EPOCH_1949, *numbers)
        expected[k] = satellite.sgp4_tsince(minutes[k])[0]
    pairs = Counter(zip(expected[codes != expected].tolist(), codes[codes != expected].tolist(), strict=True))
    print(f"\nof {COUNT:,} codes {sum(pairs.values())} differ; (python-sgp4's, ours): {dict(pairs)}")
    assert sum(pairs.values()) <= 10
