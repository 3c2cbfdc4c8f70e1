"""A small fleet with every kind of orbit that the engine treats apart."""

import os
import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pytest

import constellation_jax as cj


@pytest.fixture(scope="session")
def fleet(catalog_of: Callable[..., cj.Catalog]) -> cj.Catalog:
    """Low circular ones, eccentric ones, 12 h, 24 h and other deep-space ones, and one that decays; mixed in order."""
    rng = np.random.default_rng(8)
    kinds = [  # as `catalog_of` takes them
        *[(15.1 + 0.1 * k, 0.0002 * k, 53.0, 1e-4) for k in range(8)],
        *[(12.0, 0.15, 63.4, 1e-5), (10.0, 0.2, 30.0, 1e-5)],
        *[(2.006, 0.72, 63.4, 1e-5), (1.0027, 0.0003, 0.05, 0.0), (4.0, 0.5, 28.0, 1e-4), (1.0027, 0.001, 12.0, 0.0)],
        (16.2, 0.0005, 97.0, 0.003),
    ]
    order = rng.permutation(len(kinds))
    return catalog_of(
        [kinds[k] for k in order],
        rng,
        norad_id=100 + np.arange(len(kinds)),
        name=[f"TEST {k}" for k in order],
        epoch_day=61274 - rng.integers(0, 3, len(kinds)),
        epoch_fraction=rng.uniform(0, 1, len(kinds)),
    )


@pytest.fixture
def on_four_devices(kept_kernels: dict[str, str]) -> Callable[[str], None]:
    """Function that runs a script in a process of its own, in which the CPU is four devices."""

    def run(script: str) -> None:
        code = f"import jax\njax.config.update('jax_num_cpu_devices', 4)\n{script}"
        environment = os.environ | kept_kernels
        found = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
        )
        assert found.returncode == 0, found.stderr

    return run
