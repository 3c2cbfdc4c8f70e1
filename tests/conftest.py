"""Settings and fixtures of the suite, stricter than users' own: 64-bit on, rank and dtype promotion and warnings are errors."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine import devices

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

# taken out of the environment: processes that tests start have no cache unless they ask for it
KERNELS = os.environ.pop("JAX_COMPILATION_CACHE_DIR", None)
SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run tests marked slow(first=True) first: at the end, one worker would be idle while the other runs them."""
    items.sort(key=lambda item: not any(marker.kwargs.get("first") for marker in item.iter_markers("slow")))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real catalogues and truth orbits beside the checkout; CI must have it, elsewhere its tests are skipped."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the test data at {SHARED_DATA}")
        pytest.skip("the shared test data is not beside this checkout")
    return SHARED_DATA


@pytest.fixture(scope="session", autouse=True)
def _kernels(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """Folder of the cache of compiled programs. Benchmarks do not use it: they measure the time to compile.

    The one that JAX_COMPILATION_CACHE_DIR names, so that another run loads the programs too, or one of this run.
    """
    folder = Path(KERNELS) if KERNELS else tmp_path_factory.mktemp("kernels")
    if request.config.option.markexpr != "benchmark":
        jax.config.update("jax_compilation_cache_dir", str(folder))
        # programs that compile faster than this load no faster
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    return folder


@pytest.fixture(scope="module", autouse=True)
def _memory_of_a_module(_kernels: Path) -> Iterator[None]:
    """Clear compiled programs after each module: each holds a megabyte or more. Those needed again come from the cache."""
    yield
    jax.clear_caches()
    devices._compile.cache_clear()


@pytest.fixture(scope="session")
def kept_kernels(_kernels: Path) -> dict[str, str]:
    """Environment variables for other processes: programs that one of them compiles, the next ones load."""
    return {"JAX_COMPILATION_CACHE_DIR": str(_kernels), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}


@pytest.fixture(scope="session")
def catalog_of() -> Callable[..., cj.Catalog]:
    """Maker of a Catalog of orbits (rev/day, eccentricity, inclination in deg, B*), with random angles and other columns."""

    def make(kinds: list[tuple[float, ...]], rng: np.random.Generator, **columns: Any) -> cj.Catalog:
        names = ("mean_motion_rev_per_day", "eccentricity", "inclination_deg", "bstar")
        angles = ("raan_deg", "arg_perigee_deg", "mean_anomaly_deg")
        return cj.Catalog.from_columns(
            columns
            | dict(zip(names, np.array(kinds).T, strict=True))
            | {angle: rng.uniform(0, 360, len(kinds)) for angle in angles}
        )

    return make
