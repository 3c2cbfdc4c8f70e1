"""How many objects a second each reader takes, on texts of about 16,000 and 1,200 real objects; asserts nothing."""

import gzip
from pathlib import Path

import pytest

from constellation_jax.benchmark.timing import time_in_turn
from constellation_jax.inputs.element_sets.read import read_catalog

pytestmark = pytest.mark.benchmark


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
    objects = len(read_catalog(data))
    best = min(time_in_turn({"read": lambda: read_catalog(data)}, repeats=7)["read"])  # others may be using the machine
    print(f"\n{name}: {objects / best:,.0f} objects/s")
