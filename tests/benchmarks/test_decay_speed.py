"""Seconds for 27,000 satellites over 25 years: lifetimes and monthly altitudes, and the whole product. Run with -m benchmark -s.

On a machine that others use too the processor's time tells more than the clock.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.decay.engine import run
from constellation_jax.studies.decay.inputs import make_objects, make_series, resolve_space_weather

pytestmark = pytest.mark.benchmark


@contextmanager
def timed(what: str) -> Iterator[None]:
    clock, processor = time.perf_counter(), time.process_time()
    yield
    print(f"{what}: {time.perf_counter() - clock:.1f} s, of the processor {time.process_time() - processor:.1f} s")


def test_27000_satellites_over_25_years() -> None:
    planned = [s for name in ("guowang", "qianfan") for s in cj.load_shells(name)]
    catalog = cj.bundled_population() + cj.shells_to_catalog(planned, epoch="2025-06-24")
    catalog = (catalog + catalog)[:27000]
    b = np.random.default_rng(0).uniform(0.005, 0.03, len(catalog))
    objects = make_objects(catalog, b)
    first = float(objects.mjd.min())
    print()
    with timed("climate, with compilation"):
        climate = make_series(resolve_space_weather(None, "median"), first, first + 25 * 365.25, 10.0)[0]
    for what in ("with compilation", "again"):
        with timed(what):
            found = run(objects, climate, keep=3)
        print(f"  {np.isfinite(found.lifetime_days).sum()} re-enter")
    plain = make_series(resolve_space_weather(None, "median"), first, first + 25 * 365.25, 10.0, model="nrlmsise00")[0]
    with timed("again, without the correction of a quiet Sun"):
        run(objects, plain, keep=3)
    with timed("decay with 20 members and NRLMSIS 2.1"):
        cj.decay(catalog, ballistic_coefficient=b)
