"""Time to fit the element sets of a fleet of 9,500 satellites to a day of positions. Prints, asserts no time.

python -m pytest -m benchmark -s tests/benchmarks/test_fit_elements.py
"""

from pathlib import Path
from time import perf_counter

import numpy as np
import pytest

import constellation_jax as cj

FLEET = 9500


@pytest.mark.benchmark
def test_fits_of_a_fleet(shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz").select(name="STARLINK*")[
        :FLEET
    ]
    times = cj.time_grid("2026-08-22T12:00:00Z", "1d", "6min")
    ephemeris = cj.propagate(catalog, times, variables=("position", "velocity"))
    cj.fit_elements(ephemeris.isel(satellite=slice(0, 300)))  # compiles
    start = perf_counter()
    fit = cj.fit_elements(ephemeris)
    print(f"\n{len(catalog)} fits to {len(times)} states each: {perf_counter() - start:.1f} s")
    print(f"rms: median {1e6 * np.median(fit.rms_km):.0f} mm, largest {1e3 * fit.rms_km.max():.1f} m")
    assert fit.has_converged.mean() > 0.99
