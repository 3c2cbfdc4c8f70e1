"""What the engine does on an accelerator, on the CPU: whole grids in each call give what cache-sized blocks give."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid.kernels import evaluate_call
from constellation_jax.engine.propagation import grid_runner
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError
from constellation_jax.inputs.times import to_day_fraction

STATE = ("x", "y", "z", "vx", "vy", "vz")
MILLIMETRE_KM = 1e-6
TIMES = cj.time_grid("2026-08-20T00:00:00Z", "2800min", "16min")
FLOAT32_M = {"median": 1.5, "worst": 15.0}
"""Errors of float32 near the Earth, as on a CPU (test_real_catalogue.py), some orbits here being higher."""


def run(
    catalog: cj.Catalog, times: np.ndarray, options: Options, *, on_grids: bool, block: int | None = None
) -> OutputArrays:
    day, fraction = to_day_fraction(times)
    pole = np.linspace(1e-6, 2e-6, len(times))
    grid = Grid.turning(day, fraction, 1e-6, pole, -pole)
    engine = Engine(catalog.elements, grid, options, Devices(computes_grids=on_grids))
    out = OutputArrays.allocate(len(times), len(catalog), options.variables, options.dtype)
    block = block or len(times)
    for start in range(0, len(times), block):
        stop = min(start + block, len(times))
        engine.run(start, stop, out.rows(slice(start, stop)))
    return out


def position(out: OutputArrays) -> np.ndarray:
    return np.stack([out[name].astype(np.float64) for name in STATE[:3]])


@pytest.fixture
def is_memory_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], list[int]]:
    """Function that gives the device memory for some states in a call, and returns the list of calls that are then made."""

    def limit(states: int) -> list[int]:
        calls: list[int] = []
        compile_ = Devices.compile

        def compile_limited(devices: Devices, function: Any, specs: Any, **static: Any) -> Any:
            program = compile_(devices, function, specs, **static)
            if function is not evaluate_call:
                return program

            def call(coefficients: Any, epoch: Any, instants: Any) -> Any:
                calls.append(instants.minutes.size * len(epoch[0]))
                if calls[-1] > states:
                    raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
                return program(coefficients, epoch, instants)

            return call

        monkeypatch.setattr(Devices, "compile", compile_limited)
        return calls

    return limit


def test_every_variable_and_status_equal_those_of_a_cpu(fleet: cj.Catalog) -> None:
    # weeks after the epochs: the one that decays does so, and the resonances take some eighty steps. Variables as in
    # test_propagate.py, so that the programs for a CPU are compiled once
    options = Options((*STATE, "altitude", "latitude", "longitude"), frame="itrs")
    times = cj.time_grid("2026-09-27T00:00:00Z", "2800min", "16min")
    expected = run(fleet, times, options, on_grids=False)
    assert expected["status"].any()
    found = run(fleet, times, options, on_grids=True, block=100)
    np.testing.assert_array_equal(found["status"], expected["status"])
    for name in options.variables:
        # a millimetre is a hundredth of a microdegree
        atol = 1e-8 if name in ("latitude", "longitude") else MILLIMETRE_KM
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=atol, err_msg=name)


SINGLE = Options(("x", "y", "z", "mean_altitude", "decay_rate"), precision="float32", dtype="float32")


def test_float32_goes_about_the_middle_of_each_of_several_chunks(
    fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    near = fleet[~fleet.is_deep_space]
    exact = run(near, TIMES, Options(SINGLE.variables), on_grids=False)
    single = run(near, TIMES, SINGLE, on_grids=True)
    np.testing.assert_array_equal(single["status"], exact["status"])
    assert single["x"].dtype == np.float32
    error_m = 1e3 * np.linalg.norm(position(single) - position(exact), axis=0)
    # seven digits of the semi-major axis; rates in km/day
    np.testing.assert_allclose(single["mean_altitude"], exact["mean_altitude"], rtol=0, atol=5e-3)
    np.testing.assert_allclose(single["decay_rate"], exact["decay_rate"], rtol=1e-4, atol=1e-6)
    assert np.nanmedian(error_m) < FLOAT32_M["median"]
    assert np.nanmax(error_m) < FLOAT32_M["worst"]
    # another order, and chunks of which the last one is shorter
    monkeypatch.setattr(grid_runner, "INSTANTS", 5)
    again = run(near[::-1], TIMES, SINGLE, on_grids=True)
    moved_m = 1e3 * np.linalg.norm(position(again)[:, :, ::-1] - position(single), axis=0)
    assert np.nanmax(moved_m) < FLOAT32_M["worst"]  # about other anchors


def test_calls_are_halved_until_they_fit_the_memory_with_one_warning(
    fleet: cj.Catalog, is_memory_for: Callable[[int], list[int]]
) -> None:
    near = fleet[~fleet.is_deep_space]
    expected = run(near, TIMES, SINGLE, on_grids=True)
    limit = 6 * 8 * 128  # 6 chunks of 8 instants; 128 satellites is the least width of a tile
    calls = is_memory_for(limit)
    with pytest.warns(RuntimeWarning, match="not enough memory for results of .* MiB in one call") as caught:
        found = run(near, TIMES, SINGLE, on_grids=True)
    assert len(caught) == 1
    assert calls[0] > calls[1] > limit
    assert max(calls[2:]) <= limit
    for name, values in found.items():  # about the same anchors: equal up to the rounding of another shape
        np.testing.assert_allclose(values, expected[name], rtol=1e-6, atol=2e-3)


def test_a_device_too_small_for_one_instant_says_what_to_do(
    fleet: cj.Catalog, is_memory_for: Callable[[int], list[int]]
) -> None:
    calls = is_memory_for(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        with pytest.raises(InputError, match=r"not enough memory for one instant of 128 satellites .* fewer objects"):
            run(fleet[~fleet.is_deep_space], TIMES, SINGLE, on_grids=True)
    assert min(calls) == 128


def test_other_errors_of_a_device_are_passed_on(fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")

    monkeypatch.setattr(Devices, "compile", lambda *_, **__: fail)
    with pytest.raises(jax.errors.JaxRuntimeError, match="something else"):
        run(fleet, TIMES, Options(("x",)), on_grids=True)


def test_calls_are_smaller_where_memory_is_small() -> None:
    options = Options(STATE, dtype="float32")
    assert grid_runner._states_that_fit(None, options) == grid_runner.STATES
    assert grid_runner._states_that_fit(80 * 2**30, options) == grid_runner.STATES
    small = grid_runner._states_that_fit(2**28, options)
    assert small < grid_runner.STATES
    assert 2 * small * 25 <= 2**26


@pytest.mark.parametrize("width", [1, 128, 513, 1000, 16_400, 32_768])
def test_padding_of_a_tile_is_a_quarter_at_most_beyond_the_least_width(width: int) -> None:
    rounded = grid_runner._round_up(width)
    assert width <= rounded <= max(128, 1.25 * width + 128)
    assert rounded % 128 == 0


@pytest.mark.slow
def test_four_devices_give_what_one_gives(on_four_devices: Callable[[str], None]) -> None:
    on_four_devices(FOUR_DEVICES)


FOUR_DEVICES = """
import numpy as np
import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.studies.propagation.propagate import make_grid

objects = cj.shells_to_catalog(cj.load_shells("qianfan")[:1], epoch="2026-01-01")[:50]
times = np.asarray(cj.time_grid("2026-01-01", "10min", "30s"))
everywhere = Devices(computes_grids=True)
results = []
for devices in (everywhere, Devices(devices=jax.local_devices()[:1], computes_grids=True)):
    options = Options(("x", "y", "altitude"), precision="float32", dtype="float32")
    engine = Engine(objects.elements, make_grid(times, options), options, devices)
    out = OutputArrays.allocate(len(times), 50, options.variables, "float32")
    engine.run(0, len(times), out)
    results.append(out)
assert everywhere.mesh.size == 4
for name in results[0]:
    np.testing.assert_array_equal(results[0][name], results[1][name])
"""
