"""The clock of the benchmarks: what runs, how often, in which order, and what is counted."""

import time

import pytest

from constellation_jax.benchmark.timing import describe_machine, take_medians, time_in_turn


def test_works_take_turns_after_one_run_each_that_does_not_count() -> None:
    calls: list[str] = []
    works = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    taken = time_in_turn(works, repeats=3, setup={"b": lambda: calls.append("setup")})
    assert calls == ["a", "setup", "b"] * 4
    assert {name: len(values) for name, values in taken.items()} == {"a": 3, "b": 3}


def test_setup_and_the_first_run_are_not_timed() -> None:
    slow = iter([0.2, 0.0, 0.0])
    taken = time_in_turn({"a": lambda: time.sleep(next(slow))}, repeats=2, setup={"a": lambda: time.sleep(0.05)})
    assert max(taken["a"]) < 0.05  # s; a busy machine may take some of it


def test_medians_are_of_each() -> None:
    assert take_medians({"a": [3.0, 1.0, 2.0], "b": [5.0]}) == {"a": 2.0, "b": 5.0}


def test_the_machine_is_named() -> None:
    found = describe_machine("xarray")
    assert found.platform in ("cpu", "gpu", "tpu")
    assert found.device
    assert {"constellation-jax", "jax", "jaxlib", "numpy", "netCDF4", "xarray", "Python"} <= set(found.versions)
    assert f"jax {found.versions['jax']}" in found.line()
    with pytest.raises(ModuleNotFoundError):
        describe_machine("no-such-package-anywhere")
