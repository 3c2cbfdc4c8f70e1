"""How fast a file is written, against netCDF4 alone with the same bytes, and read: `pytest -m benchmark -s`.

Files lie in the page cache: what is compared is the work of the library, not the disk.
"""

import netCDF4
import numpy as np
import pytest

from constellation_jax.benchmark.plain_writer import make_plain_writer
from constellation_jax.benchmark.timing import time_in_turn, time_once
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.variables import resolve_groups
from constellation_jax.outputs.zarr.place import Place
from constellation_jax.outputs.zarr.samples import ZarrWriter

OBJECTS, BLOCK, BLOCKS, REPEATS = 20_000, 60, 24, 3

pytestmark = pytest.mark.benchmark


@pytest.mark.parametrize("groups", [["position"], ["position", "velocity", "altitude"]])
def test_writing_and_reading(tmp_path, groups):
    rng = np.random.default_rng(0)
    names = resolve_groups(groups)
    block = {name: rng.normal(size=(BLOCK, OBJECTS)).astype("f4") * 7000 for name in names}
    block["status"] = np.zeros((BLOCK, OBJECTS), np.int8)
    megabytes = BLOCKS * sum(values.nbytes for values in block.values()) / 1e6
    catalog = planned(OBJECTS)
    times = np.datetime64("2026-03-01", "ns") + np.arange(BLOCK * BLOCKS) * np.timedelta64(60, "s")

    def ours():
        with NetCDFWriter(tmp_path / "a.nc", catalog, times, names, overwrite=True, block_steps=BLOCK) as writer:
            for start in range(0, len(times), BLOCK):
                writer.write(start, block)

    def zarr():
        place = Place(tmp_path / "a.zarr", overwrite=True)
        with ZarrWriter(place, catalog, times, names, fingerprint={}, block_steps=BLOCK) as writer:
            for start in range(0, len(times), BLOCK):
                writer.write(start, block)

    ours()
    zarr()
    plain = make_plain_writer(tmp_path / "a.nc", tmp_path / "b.nc")
    seconds = time_in_turn({"NetCDFWriter": ours, "ZarrWriter": zarr, "netCDF4 alone": plain}, repeats=REPEATS)
    print(f"\n{', '.join(groups)}: {OBJECTS} objects, {BLOCKS} blocks of {BLOCK} steps, {megabytes:.0f} MB")
    for what, found in seconds.items():
        print(f"  {what:14} best {megabytes / min(found):5.0f} MB/s, median {megabytes / np.median(found):5.0f} MB/s")
    ratio = np.median(seconds["ZarrWriter"]) / np.median(seconds["NetCDFWriter"])
    print(f"  Zarr takes {ratio:.2f} x the time of NetCDF, checksums on")
    size = (tmp_path / "a.nc").stat().st_size / 1e6
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        x = file["x"]
        history = min(time_once(lambda i=i: x[:, i]) for i in (5, 9_000, 19_990))
        instant = min(time_once(lambda i=i: x[i]) for i in (5, 700, 1_430))
    print(f"  file of {size:.0f} MB; one object's history {history * 1e3:.1f} ms, one instant {instant * 1e3:.1f} ms")
    # The status check, the extremes and the flush after each block may cost something, but not a multiple.
    assert min(seconds["NetCDFWriter"]) < 3 * min(seconds["netCDF4 alone"])


def planned(objects):
    return Catalog.from_columns(
        {
            "name": [f"PLANNED-{i}" for i in range(objects)],
            "epoch_day": 61100,
            "epoch_fraction": 0.5,
            "mean_motion_rev_per_day": 15.0,
            "eccentricity": 0.0,
            "inclination_deg": 53.0,
            "raan_deg": 0.0,
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
        }
    )
