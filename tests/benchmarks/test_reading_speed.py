"""How many objects a second each reader takes, on texts of about 16,000 and 1,200 real objects; asserts nothing."""

import gzip
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from constellation_jax.inputs.reading import read_catalog

pytestmark = pytest.mark.benchmark


def objects_a_second(read: Callable[[], int], repeats: int = 7) -> float:
    """Best of several runs: others may be using the machine."""
    best, n = float("inf"), 0
    for _ in range(repeats):
        start = time.perf_counter()
        n = read()
        best = min(best, time.perf_counter() - start)
    return n / best


@pytest.mark.parametrize(
    "name",
    [
        "catalogs/active_2026-08-22.tle.gz",
        "catalogs/active_2026-08-22.omm.csv.gz",
        "omm/subset_2026-08-22.omm.json",
        "omm/subset_2026-08-22.omm.xml",
    ],
)
def test_objects_a_second(shared_data: Path, name: str):
    data = (shared_data / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    print(f"\n{name}: {objects_a_second(lambda: len(read_catalog(data))):,.0f} objects/s")
