"""How long it takes to match the active catalogue to shells; asserts less than two seconds."""

import time
from pathlib import Path

import pytest

import constellation_jax as cj

pytestmark = pytest.mark.benchmark


def test_the_active_catalogue_is_matched_in_two_seconds(shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        match = cj.match_shells(catalog)
        seconds.append(time.perf_counter() - start)
    print(f"\n{len(catalog):,} objects, {len(match.shells)} shells: {min(seconds):.2f} s")
    assert min(seconds) < 2.0
