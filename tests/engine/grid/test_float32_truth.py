"""float32 as an accelerator computes it, on a CPU: the same program with the platform's own sine, against float64.

On a GPU the sines are XLA's instead of the CPU's polynomials, and instants are computed together. Both are so here; what differs
still are the last digits of CUDA's sine (2 units in the last place) and fused multiplications and additions, which round less.
"""

from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine import devices
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics.numerics import fastmath

POSITION = ("x", "y", "z")
METRES = {"median": 1.5, "worst low": 10.0}
"""As for the CPU's own float32 (tests/engine/propagation/test_real_catalogue.py)."""
STARTS = ("2026-08-19T00:00:00", "2026-09-21T00:00:00", "2026-10-20T21:00:00")
"""From three days before the median epoch to sixty after."""


@pytest.fixture
def native_sine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What was compiled with the polynomials is forgotten, and what is compiled here afterwards."""

    def forget() -> None:
        jax.clear_caches()
        devices._compile.cache_clear()

    monkeypatch.setattr(fastmath, "_polynomial", fastmath._native)
    forget()
    yield
    forget()


def stretches(hours: int, step_s: int) -> np.ndarray:
    offsets = np.arange(0, 3600 * hours + 1, step_s) * np.timedelta64(1_000_000_000, "ns")
    return np.concatenate([np.datetime64(start, "ns") + offsets for start in STARTS])


def positions(catalog: cj.Catalog, times: np.ndarray, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Positions (3, time, satellite) in km and the status, by the programs for an accelerator."""
    options = Options(POSITION, precision=precision, dtype=precision)
    grid = Grid.inertial(*to_day_fraction(times))
    out = OutputArrays.allocate(len(times), len(catalog), POSITION, precision)
    Engine(catalog.elements, grid, options, Devices(computes_grids=True)).run(0, len(times), out)
    return out.values_block.astype(np.float64), out.status


def assert_within_metres(catalog: cj.Catalog, times: np.ndarray) -> None:
    exact, status = positions(catalog, times, "float64")
    single, code = positions(catalog, times, "float32")
    error_m = 1e3 * np.linalg.norm(single - exact, axis=0)
    error_m[(status != 0) | (code != 0)] = np.nan
    low = error_m[:, (catalog.mean_altitude_km < 2000) & (catalog.eccentricity < 0.1)]
    assert np.isfinite(low).mean() > 0.95
    print(f"\nfloat32 with the platform's sine: median {np.nanmedian(low):.2f} m, worst {np.nanmax(low):.1f} m")
    assert np.nanmedian(low) < METRES["median"]
    assert np.nanmax(low) < METRES["worst low"]


@pytest.mark.usefixtures("native_sine")
def test_a_sample_of_a_real_catalogue_is_within_metres(shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    near = catalog[~catalog.is_deep_space][::120]  # few enough to need one program for all eccentricities
    assert len(near) > 100
    assert_within_metres(near, stretches(2, 600))


@pytest.mark.slow
@pytest.mark.usefixtures("native_sine")
def test_a_whole_catalogue_is_within_metres(shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    assert_within_metres(catalog, stretches(3, 100))
