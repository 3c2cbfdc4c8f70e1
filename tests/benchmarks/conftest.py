"""Benchmarks run with the settings that a fast program asks for."""

import pytest

import constellation_jax as cj


@pytest.fixture(scope="session", autouse=True)
def _fast_jax() -> None:
    cj.configure()
