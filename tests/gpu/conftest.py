"""Settings of the tests that need XLA's CUDA compiler, which needs no card: the dependency group gpu-check installs it.

Without it they are skipped, unless CONSTELLATION_JAX_GPU_CHECK=required, as in .ci/run.
"""

import os

import pytest

from constellation_jax.benchmark.compiled.compiler import describe_missing


@pytest.fixture(scope="session")
def _kernels() -> None:
    """No cache of compiled programs, in place of the suite's: what is loaded from there writes no sequence of thunks."""


@pytest.fixture(autouse=True, scope="session")
def _compiler() -> None:
    if missing := describe_missing():
        if os.environ.get("CONSTELLATION_JAX_GPU_CHECK") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
