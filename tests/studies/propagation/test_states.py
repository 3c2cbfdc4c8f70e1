"""States as JAX arrays: those of `propagate`, at once, in blocks and reduced; traced elements; and what is refused."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.grid.engine import GridEngine

TIMES = cj.time_grid("2025-06-24T00:00:00Z", "3h", "5min")
GROUPS = ("position", "velocity", "altitude", "geodetic", "decay")


@pytest.fixture(scope="module")
def some() -> cj.Catalog:
    return cj.bundled_population()[::1100] + cj.shells_to_catalog(cj.load_shells("guowang"), epoch="2025-06-24")[::3000]


@pytest.fixture(scope="module")
def mixed(catalog_of: Callable[..., cj.Catalog]) -> cj.Catalog:
    """Low orbits, one of which decays, and two in deep space, one of them resonant."""
    kinds = [(15.2, 0.0, 53.0, 1e-4), (2.006, 0.72, 63.4, 1e-5), (16.3, 0.0005, 97.0, 0.05), (4.0, 0.5, 28.0, 1e-4)]
    return catalog_of(kinds, np.random.default_rng(3), epoch_day=np.full(4, 60850), epoch_fraction=np.full(4, 0.25))


@pytest.mark.parametrize(("frame", "precision"), [("teme", "float64"), ("itrs", "float32")])
def test_states_are_those_of_propagate(some: cj.Catalog, frame: str, precision: str) -> None:
    times = TIMES[np.random.default_rng(1).permutation(len(TIMES))]
    expected = cj.propagate(some, times, frame=frame, precision=precision, variables=GROUPS)
    found = cj.states(some, times, frame=frame, precision=precision, variables=GROUPS)
    for name in ("x", "vz", "latitude", "longitude", "altitude", "mean_altitude", "decay_rate", "status"):
        value = getattr(found, name)
        assert isinstance(value, jax.Array)
        assert value.dtype == expected[name].dtype
        np.testing.assert_array_equal(value, expected[name])
    assert found.position.shape == found.velocity.shape == (36, len(some), 3)


def test_the_flag_of_the_user_changes_no_digit(some: cj.Catalog) -> None:
    expected = cj.states(some, TIMES)
    jax.config.update("jax_enable_x64", False)
    try:
        found = cj.states(some, TIMES)
        assert found.x is not None
        assert found.x.dtype == found.position.dtype == jnp.float64
        total = cj.reduce(some, TIMES, lambda total, s, t: total.astype(s.x.dtype) + s.x.sum(), np.float32(0.0))
        assert total.dtype == jnp.float32
    finally:
        jax.config.update("jax_enable_x64", True)
    np.testing.assert_array_equal(found.position, expected.position)


def test_memory_is_taken_over_without_a_copy(some: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from constellation_jax.engine.grid import host

    given: list[OutputArrays] = []
    allocate = OutputArrays.allocate
    monkeypatch.setattr(host.OutputArrays, "allocate", lambda *a: given.append(allocate(*a)) or given[-1])
    found = cj.states(some[:5], TIMES[:7])  # not whole lines of the cache
    for name, values in given[0].items():
        assert getattr(found, name).unsafe_buffer_pointer() == values.ctypes.data


def test_blocks_join_without_a_seam_and_failures_last(mixed: cj.Catalog) -> None:
    times = cj.time_grid("2025-06-24", "20d", "8h")
    whole = cj.states(mixed, times)
    assert 0 < np.count_nonzero(whole.status) < whole.status.size
    blocks = list(cj.stream(mixed, times, block=7))
    assert [len(instants) for instants, _ in blocks] == [7] * 8 + [4]
    np.testing.assert_array_equal(np.concatenate([instants for instants, _ in blocks]), times)
    np.testing.assert_array_equal(np.concatenate([block.x for _, block in blocks]), whole.x)
    np.testing.assert_array_equal(np.concatenate([block.status for _, block in blocks]), whole.status)
    ((instants, block),) = cj.stream(mixed, times[:5])
    assert len(instants) == 5
    np.testing.assert_array_equal(block.status, whole.status[:5])


def test_reduce_gives_the_function_every_instant_once(some: cj.Catalog) -> None:
    traces = []

    def function(carry: Any, states: cj.States, times: cj.BlockTimes) -> Any:
        traces.append(states.status.shape)
        least, seen = carry
        return jnp.minimum(least, states.altitude.min(axis=0)), seen.at[times.index].add(times.minutes)

    first = (jnp.full(len(some), jnp.inf), np.zeros(len(TIMES)))
    for _ in range(2):
        least, seen = cj.reduce(some, TIMES, function, first, block=16, variables=("altitude",))
    assert traces == [(16, len(some)), (4, len(some))]  # two shapes, and nothing is traced anew
    np.testing.assert_array_equal(least, cj.states(some, TIMES, variables="altitude").altitude.min(axis=0))
    np.testing.assert_allclose(seen, 5.0 * np.arange(36), rtol=0, atol=1e-9)
    assert np.isinf(first[0]).all()


def test_a_block_that_the_function_returns_is_not_written_over(some: cj.Catalog) -> None:
    found = cj.reduce(
        some, TIMES, lambda carry, states, times: carry.at[:].set(states.x), np.zeros((18, len(some))), block=18
    )
    # interpolated in other chunks: rounding
    np.testing.assert_allclose(found, cj.states(some, TIMES).x[18:], rtol=0, atol=1e-9)


def test_a_catalogue_inside_a_users_program(some: cj.Catalog) -> None:
    lowest = jax.jit(lambda shift: cj.states(some, TIMES, variables="altitude").altitude.min() + shift)
    assert lowest(1.0) == cj.states(some, TIMES, variables="altitude").altitude.min() + 1.0


@pytest.mark.slow
def test_traced_elements_of_both_regimes(mixed: cj.Catalog) -> None:
    times = cj.time_grid("2025-06-24", "60d", "4d")[::-1]  # the decay lies between the epoch and the second instant
    expected = cj.states(mixed, times)
    assert np.count_nonzero(expected.status) > 5
    for regime in (None, mixed.is_deep_space):
        found = jax.jit(lambda e, regime=regime: cj.states(e, times, regime=regime))(mixed.elements)
        np.testing.assert_array_equal(found.status, expected.status)
        np.testing.assert_allclose(found.position, expected.position, rtol=0, atol=1e-6)  # a millimetre


def test_traced_scalars_and_derivatives(mixed: cj.Catalog) -> None:
    low = mixed[~mixed.is_deep_space]
    times = TIMES[::12]
    expected = cj.jacobians(low, times)

    def position(e: cj.Elements) -> jax.Array:
        return cj.states(e, times, regime="near_earth").position

    one_by_one = jax.jit(jax.vmap(jax.jacfwd(position), out_axes=1))(low.elements)  # (time, satellite, 3)
    for name in ("mean_motion", "eccentricity", "raan", "bstar"):
        right = expected.jacobian.sel(element=name)[..., :3]
        fine = (expected.status == 0).values
        np.testing.assert_allclose(
            np.asarray(getattr(one_by_one, name))[fine],
            right.values[fine],
            rtol=1e-9,
            atol=1e-9 * float(abs(right).max()),
        )

    def height(step: float) -> jax.Array:
        e = low[:1].elements
        moved = cj.Elements(**{**vars(e), "mean_motion": e.mean_motion * (1.0 + step)})
        return cj.states(moved, times, regime="near_earth").position[-1, 0, 2]

    slope = jax.jit(jax.grad(height))(0.0)
    np.testing.assert_allclose(slope, (height(1e-6) - height(-1e-6)) / 2e-6, rtol=1e-6)


def test_mistakes_are_named(some: cj.Catalog) -> None:
    for call in (cj.states, cj.stream, lambda *a, **k: cj.reduce(*a, lambda c, s, t: c, 0.0, **k)):
        with pytest.raises(cj.InputError, match=r"frame 'gcrs': unknown; known are teme, itrs"):
            call(some, TIMES, frame="gcrs")
        with pytest.raises(cj.InputError, match=r"precision 'float16': unknown; known are float64, float32"):
            call(some, TIMES, precision="float16")
        with pytest.raises(cj.InputError, match=r"variables 'positions': no such group; .*did you mean 'position'\?"):
            call(some, TIMES, variables="positions")
        with pytest.raises(cj.InputError, match="variables 'lifetime': not among states; use `lifetimes`"):
            call(some, TIMES, variables=("position", "lifetime"))
        with pytest.raises(cj.InputError, match=r"device 'cpuu': JAX finds none here; it finds cpu"):
            call(some, TIMES, device="cpuu")
        with pytest.raises(cj.InputError, match="no objects"):
            call(some[:0], TIMES)
        with pytest.raises(cj.InputError, match="times: found none"):
            call(some, [])
    with pytest.raises(cj.InputError, match="times: not ascending"):
        cj.stream(some, TIMES[::-1])
    with pytest.raises(cj.InputError, match="block 0: expected at least 1"):
        cj.stream(some, TIMES, block=0)
    with pytest.raises(cj.InputError, match=r"regime 'low': unknown; known are near_earth, deep_space"):
        cj.states(some.elements, TIMES, regime="low")
    with pytest.raises(cj.InputError, match=r"regime: found float64 of shape \(2,\), expected bool of shape"):
        cj.states(some.elements, TIMES, regime=np.zeros(2))
    e = some.elements
    with pytest.raises(cj.InputError, match=r"elements: bstar of satellite 0 is nan"):
        cj.states(cj.Elements(**{**vars(e), "bstar": np.nan}), TIMES)
    with pytest.raises(cj.InputError, match=r"elements: found shapes .*expected one shape"):
        cj.states(cj.Elements(**{**vars(e), "bstar": np.zeros(2)}), TIMES)
    with pytest.raises(cj.InputError, match="elements: traced"):
        jax.jit(lambda e: cj.reduce(e, TIMES, lambda c, s, t: c, 0.0))(e)
    with pytest.raises(cj.InputError, match=r"function: returns an array of shape \(3,\), expected \(\)"):
        cj.reduce(some, TIMES, lambda c, s, t: jnp.zeros(3), 0.0)
    with pytest.raises(AttributeError, match="states without velocity"):
        _ = cj.states(some, TIMES[:1]).velocity


def test_too_large_a_result_names_its_size_and_the_way_out(some: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> Any:
        raise MemoryError

    monkeypatch.setattr("constellation_jax.engine.grid.host.OutputArrays.allocate", full)
    with pytest.raises(cj.InputError, match=r"objects at 36 instants take 0\.0 GiB of memory.*stream or reduce"):
        cj.states(some, TIMES)


@pytest.mark.parametrize("shows", ["asked for", "waited for"])
def test_blocks_are_halved_where_memory_does_not_suffice(
    mixed: cj.Catalog, shows: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as on an accelerator, whose calls return before they are done; one satellite decays in the block that fails
    low, times = mixed[~mixed.is_deep_space], cj.time_grid("2025-06-24", "20d", "8h")
    whole = cj.states(low, times)
    waited: list[int] = []

    def fail() -> None:
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")

    class SmallDevice(GridEngine):
        def run(self, start: int, stop: int, order: Any = None) -> cj.States:
            if shows == "asked for" and start > 0 and stop - start > 8:
                fail()
            return super().run(start, stop, order)

    def wait(found: cj.States) -> None:
        waited.append(len(found.status))
        if len(waited) > 1 and waited[-1] > 8:
            fail()

    monkeypatch.setattr("constellation_jax.studies.propagation.states.make_states_engine", SmallDevice)
    if shows == "waited for":
        monkeypatch.setattr("constellation_jax.studies.propagation.states.wait", wait)
    with pytest.warns(RuntimeWarning, match="not enough memory for results of .* in one call; going on with") as caught:
        blocks = list(cj.stream(low, times, block=16))
    assert len(caught) == 1
    # a block that fails when it is asked for takes the one under way before it along
    assert [len(instants) for instants, _ in blocks] == ([8] * 7 if shows == "asked for" else [16, *[8] * 5]) + [4]
    np.testing.assert_array_equal(np.concatenate([instants for instants, _ in blocks]), times)
    np.testing.assert_array_equal(np.concatenate([block.status for _, block in blocks]), whole.status)


def test_reducing_begins_again_in_smaller_blocks(mixed: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    from constellation_jax.engine.grid import host

    allocate, most = OutputArrays.allocate, 20

    def allocate_little(steps: int, *others: Any) -> OutputArrays:
        if steps > most:
            raise MemoryError
        return allocate(steps, *others)

    def count(total: Any, states: cj.States, times: cj.BlockTimes) -> Any:
        return total + (states.status != 0).sum(axis=0)

    low, zero = mixed[~mixed.is_deep_space], np.zeros(2, np.int64)
    times = cj.time_grid("2025-06-24", "20d", "8h")
    expected = cj.reduce(low, times, count, zero)
    monkeypatch.setattr(host.OutputArrays, "allocate", allocate_little)
    with pytest.warns(RuntimeWarning, match="going on with smaller calls"):
        found = cj.reduce(low, times, count, zero)
    np.testing.assert_array_equal(found, expected)
    most = 0
    with (
        pytest.warns(RuntimeWarning, match="going on with smaller calls"),
        pytest.raises(cj.InputError, match=r"not enough memory for one instant of 2 satellites \(0 MiB\)"),
    ):
        cj.reduce(low, times, count, zero)


def test_elements_of_one_satellite(some: cj.Catalog) -> None:
    e = jax.tree.map(lambda v: jnp.asarray(v[2]), some.elements)
    found = cj.states(e, TIMES)
    np.testing.assert_array_equal(found.x, cj.states(some[2:3], TIMES).x[:, 0])
