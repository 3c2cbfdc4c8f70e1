"""Seconds for 27,000 satellites over 25 years: lifetimes and monthly altitudes, and the whole product. Run with -m benchmark -s."""

import time

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.decay.engine import run
from constellation_jax.studies.decay.inputs import make_objects, make_series, resolve_space_weather

pytestmark = pytest.mark.benchmark


def test_27000_satellites_over_25_years() -> None:
    planned = [s for name in ("guowang", "qianfan") for s in cj.load_shells(name)]
    catalog = cj.bundled_population() + cj.shells_to_catalog(planned, epoch="2025-06-24")
    catalog = (catalog + catalog)[:27000]
    b = np.random.default_rng(0).uniform(0.005, 0.03, len(catalog))
    objects = make_objects(catalog, b)
    first = float(objects.mjd.min())
    begin = time.perf_counter()
    climate = make_series(resolve_space_weather(None, "median"), first, first + 25 * 365.25, 10.0)[0]
    print(f"\nclimate, with compilation: {time.perf_counter() - begin:.1f} s")
    for what in ("with compilation", "again"):
        begin = time.perf_counter()
        found = run(objects, climate, keep=3)
        print(f"{what}: {time.perf_counter() - begin:.1f} s, {np.isfinite(found.lifetime_days).sum()} re-enter")
    begin = time.perf_counter()
    cj.decay(catalog, ballistic_coefficient=b)
    print(f"decay with 20 members and NRLMSIS 2.1: {time.perf_counter() - begin:.1f} s")
