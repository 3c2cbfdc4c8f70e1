"""The suite runs stricter than users do: 64-bit on, rank and dtype promotion are errors, warnings are errors (pyproject)."""

import os
from pathlib import Path

import jax
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real catalogues and truth orbits beside the checkout; CI must have it, elsewhere its tests are skipped."""
    if not SHARED_DATA.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"CI needs the test data at {SHARED_DATA}")
        pytest.skip("the shared test data is not beside this checkout")
    return SHARED_DATA
