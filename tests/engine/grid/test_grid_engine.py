"""The program of a whole catalogue, run on the CPU: against the CPU's own loops, in blocks, and on several devices."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.grid.engine import GridEngine
from constellation_jax.engine.grid.host import HostEngine
from constellation_jax.engine.grid.program import split_block
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction

NAMES = ("x", "vy", "decay_rate")


def grid_of(start: str, duration: str, step: str) -> Grid:
    return Grid.inertial(*to_day_fraction(cj.time_grid(start, duration, step)))


def by_loops(fleet: cj.Catalog, grid: Grid, options: Options) -> OutputArrays:
    out = OutputArrays.allocate(len(grid), len(fleet), options.variables, options.dtype)
    Engine(fleet.elements, grid, options).run(0, len(grid), out)
    return out


# the epochs lie in the three days from 2026-08-20, within the first grid; the second meets a decay, the third begins after it
@pytest.mark.parametrize(
    ("start", "step", "deep"), [("2026-08-21", "3h", True), ("2026-08-10", "2D", False), ("2026-12-01", "20D", False)]
)
def test_blocks_equal_the_loops_of_a_cpu(fleet: cj.Catalog, start: str, step: str, deep: bool) -> None:
    fleet = fleet if deep else fleet[~fleet.is_deep_space]
    grid = Grid.inertial(*to_day_fraction(np.datetime64(start, "ns") + np.arange(24) * _step(step)))
    options = Options(NAMES)
    expected = by_loops(fleet, grid, options)
    engine = GridEngine(fleet.elements, grid, options, block=8)
    blocks = [engine.run(first, first + 8) for first in (0, 8, 16)]
    status = np.concatenate([block.status for block in blocks])
    np.testing.assert_array_equal(status, expected.status)
    for name in NAMES:
        found = np.concatenate([getattr(block, name) for block in blocks])
        np.testing.assert_array_equal(np.isnan(found), expected.status != 0)
        np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-6)  # km, km/s, km/day: a millimetre


def _step(text: str) -> Any:
    return np.timedelta64(int(text[:-1]), text[-1].replace("d", "D"))


@pytest.mark.slow
def test_float32_reduced_as_it_is_made(fleet: cj.Catalog) -> None:
    low = fleet[~fleet.is_deep_space]
    grid = grid_of("2026-09-20", "3h", "5min")
    options = Options(NAMES[:1], precision="float32", dtype="float32")
    expected = by_loops(low, grid, options)

    def largest(carry: Any, states: cj.States, times: Any) -> Any:
        size = jnp.abs(states.x)
        return {"x": jnp.fmax(carry["x"], size.max(axis=0)), "rows": carry["rows"].at[times].set(size[:, 0])}

    first = {"x": np.zeros(len(low), np.float32), "rows": np.zeros(36, np.float32)}
    for engine in (GridEngine(low.elements, grid, options, block=18), HostEngine(low.elements, grid, options)):
        carry = engine.put_carry(first)
        for start in (0, 18):
            carry = engine.fold(largest, carry, start, start + 18, np.arange(start, start + 18))
        assert carry["x"].dtype == jnp.float32
        size = np.abs(expected["x"])
        # two float32 computations about different anchors
        np.testing.assert_allclose(carry["x"], np.fmax.reduce(size, initial=0.0), rtol=0, atol=0.02)
        np.testing.assert_allclose(carry["rows"], size[:, 0], rtol=0, atol=0.02)
    assert not first["x"].any()


@pytest.mark.parametrize(
    "minutes", [np.arange(1440.0), np.array([0.0, 1.0, 2.0, 5000.0, 5001.0]), np.arange(9.0) * 1440.0, np.zeros(3)]
)
def test_chunks_about_an_anchor_are_of_one_length_and_short(minutes: np.ndarray[Any, Any]) -> None:
    day, fraction = np.divmod(minutes / 1440.0, 1.0)
    grid = Grid.inertial(60000 + day.astype(np.int64), fraction)
    block = split_block(grid, 0, len(grid), ("x",), "teme")
    chunks = np.asarray(block.chunk_minutes)
    assert np.abs(chunks).max() <= 60.0 * (1 + 1e-6)
    found = (np.asarray(block.middles)[:, None] + chunks).ravel()
    np.testing.assert_allclose(found[: len(minutes)], minutes, rtol=0, atol=1e-9)
    if len(minutes) == 1440:
        assert chunks.shape == (12, 120)


@pytest.mark.slow
def test_states_on_four_devices_are_sharded_by_satellites(on_four_devices: Callable[[str], None]) -> None:
    on_four_devices("""
import numpy as np
import constellation_jax as cj

population = cj.bundled_population()
low = population[np.flatnonzero(population.eccentricity < 0.01)[::700]]
times = cj.time_grid("2025-06-24", "1h", "10min")
for catalog in (low[:8], low[:7]):
    found = cj.states(catalog, times)
    expected = cj.propagate(catalog, times, variables="position")
    np.testing.assert_allclose(found.x, expected.x, rtol=0, atol=1e-6)
    assert found.status.shape == expected.status.shape
    if len(catalog) == 8:
        assert [s.data.shape for s in found.x.addressable_shards] == [(6, 2)] * 4
shardings = []

def add(sum, s, t):
    jax.debug.inspect_array_sharding(s.x, callback=shardings.append)
    return sum + s.x.sum(axis=0)

total = cj.reduce(low[:7], times, add, np.zeros(7), block=3)
np.testing.assert_allclose(total, expected.x.sum("time"), rtol=0, atol=1e-5)
assert shardings and not any(s.is_fully_replicated for s in shardings)
padded = cj.states(low[np.minimum(np.arange(8), 6)], times)
assert [s.data.shape for s in padded.x.addressable_shards] == [(6, 2)] * 4
np.testing.assert_allclose(padded.x[:, :7], expected.x, rtol=0, atol=1e-6)
""")
