"""The engine gives what the kernels give, in the order of the input, whatever it groups, pads and cuts inside."""

import threading
from collections.abc import Callable

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.propagation import kernels, node_count
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.propagation.runner import FEW
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics import frames

STATE = ("x", "y", "z", "vx", "vy", "vz")
MILLIMETRE_KM = 1e-6


def run(catalog: cj.Catalog, times: np.ndarray, options: Options | None = None, block: int | None = None) -> dict:
    day, fraction = to_day_fraction(times)
    options = options or Options(STATE)
    engine = Engine(catalog.elements, Grid.inertial(day, fraction), options)
    out = OutputArrays.allocate(len(times), len(catalog), options.variables, options.dtype)
    block = block or len(times)
    for start in range(0, len(times), block):
        stop = min(start + block, len(times))
        engine.run(start, stop, out.rows(slice(start, stop)))
    return dict(out)


def kernel(catalog: cj.Catalog, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """State (time, satellite, 6) and status without latching, straight from the kernels."""
    states, codes = [], []
    for k in range(len(catalog)):
        one = jax.tree.map(lambda v, k=k: v[k], catalog.elements)
        minutes = (times - catalog.epoch[k]) / np.timedelta64(1, "ns") / 60e9
        # 224 instants at a time, as in tests/physics/sgp4/test_sgp4_verification.py: compiled once
        parts = np.resize(minutes, (-(-len(times) // 224), 224))
        state, status = zip(*(cj.sgp4.state_at(cj.sgp4.initialise(one), part) for part in parts), strict=True)
        states.append(np.concatenate(state)[: len(times)])
        codes.append(np.concatenate(status)[: len(times)])
    return np.stack(states, axis=1), np.stack(codes, axis=1)


# A chunk and a part of a second. Both are so long that the table of the resonance integrator has the same length, for each
# length of it is compiled anew
TIMES = cj.time_grid("2026-08-20T00:00:00Z", "2800min", "16min")


def test_equals_the_kernels_object_by_object(fleet: cj.Catalog) -> None:
    out = run(fleet, TIMES)
    state, status = kernel(fleet, TIMES)
    np.testing.assert_array_equal(out["status"], status)
    for k, name in enumerate(STATE):
        np.testing.assert_allclose(out[name], state[:, :, k], rtol=0, atol=MILLIMETRE_KM, err_msg=name)


def test_long_steps_cross_many_steps_of_the_resonance_integrator(fleet: cj.Catalog) -> None:
    deep = fleet[fleet.is_deep_space]
    times = cj.time_grid(
        "2026-08-10T00:00:00Z", "43520min", "170min"
    )  # from before the epochs to weeks after, two chunks
    out = run(deep, times)
    state, status = kernel(deep, times)
    np.testing.assert_array_equal(out["status"], status)
    np.testing.assert_allclose(out["x"], state[:, :, 0], rtol=0, atol=MILLIMETRE_KM)


def test_blocks_do_not_change_anything(fleet: cj.Catalog) -> None:
    times = cj.time_grid("2026-08-20T00:00:00Z", "950h", "150min")  # chunks of 11 to 13 days; in parts of 8 to 10
    whole, parts = run(fleet, times), run(fleet, times, block=100)
    for name in (*STATE, "status"):
        np.testing.assert_allclose(parts[name], whole[name], rtol=0, atol=MILLIMETRE_KM)
    assert whole["status"].any()  # the one that decays does so in this grid


def test_order_and_grouping_do_not_change_anything(fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = run(fleet, TIMES)
    alone = run(fleet[3], TIMES)
    np.testing.assert_allclose(alone["x"][:, 0], everything["x"][:, 3], rtol=0, atol=MILLIMETRE_KM)
    back = run(fleet[::-1], TIMES)
    np.testing.assert_allclose(back["y"][:, ::-1], everything["y"], rtol=0, atol=MILLIMETRE_KM)
    # mostly plain satellites run in place among the columns of the others: the same results
    many = cj.Catalog.concatenate([fleet] + [fleet[fleet.mean_motion_rev_per_day > 13]] * 6)
    together = run(many, TIMES)
    np.testing.assert_allclose(together["z"][:, : len(fleet)], everything["z"], rtol=0, atol=MILLIMETRE_KM)
    # and so with several tiles of each kind
    monkeypatch.setitem(kernels.TILE, "cpu", 4)
    for name, values in run(fleet, TIMES).items():
        np.testing.assert_allclose(values, everything[name], rtol=0, atol=MILLIMETRE_KM)


def test_a_failed_satellite_stays_failed(fleet: cj.Catalog) -> None:
    decaying = fleet[fleet.bstar == 0.003]
    times = cj.time_grid("2026-08-22T00:00:00Z", "60d", "97min")
    out = run(decaying, times)
    raw = kernel(decaying, times)[1][:, 0]
    first = np.flatnonzero(raw)[0]
    assert (raw[first:] == 0).any()  # SGP4 alone gives numbers again: that is what latching is for
    assert (out["status"][:first, 0] == 0).all()
    assert (out["status"][first:, 0] == raw[first]).all()
    assert np.isnan(out["x"][first:, 0]).all()
    assert np.isfinite(out["x"][:first, 0]).all()


def test_a_grid_that_begins_after_the_decay_knows_of_it(fleet: cj.Catalog) -> None:
    times = cj.time_grid("2026-08-22T00:00:00Z", "400d", "1d")
    decaying = fleet[fleet.bstar == 0.003].replace(mean_motion_rev_per_day=15.6, bstar=0.005)
    raw = kernel(decaying, times)[1][:, 0]
    late = np.flatnonzero(raw == 0)[-1]
    assert (raw[:late] != 0).any()  # SGP4 alone calls this instant sound, weeks after the decay
    assert run(decaying, times[late:])["status"][0, 0] == 6


def test_a_failure_before_the_epoch_does_not_kill_what_comes_after(fleet: cj.Catalog) -> None:
    # backwards in time a negative B* sinks the orbit: what fails there says nothing about the time after the epoch
    strange = fleet[fleet.bstar == 0.003].replace(bstar=-0.003)
    out = run(strange, cj.time_grid("2026-07-01T00:00:00Z", "54d", "6h"))
    assert out["status"][0, 0] != 0
    assert out["status"][-1, 0] == 0


def test_float32_about_anchors_is_metre_exact_at_any_distance(fleet: cj.Catalog) -> None:
    near = fleet[~fleet.is_deep_space & (fleet.bstar < 0.001) & (fleet.eccentricity < 0.1)]
    for start in ("2026-08-20T00:00:00Z", "2026-10-20T00:00:00Z"):
        times = cj.time_grid(start, "5h", "97s")
        single, exact = run(near, times, Options(STATE, precision="float32", dtype="float32")), run(near, times)
        assert single["x"].dtype == np.float32
        error = np.sqrt(sum((single[k].astype(float) - exact[k]) ** 2 for k in ("x", "y", "z")))
        # a position of 7000 km carries 0.2 m of rounding in float32; the chain of the kernel makes metres of it
        assert error.max() < 8e-3
        assert np.median(error) < 2e-3


def test_float32_stays_metre_exact_on_coarse_and_irregular_grids(fleet: cj.Catalog) -> None:
    near = fleet[~fleet.is_deep_space & (fleet.bstar < 0.001) & (fleet.eccentricity < 0.1)]
    coarse = cj.time_grid("2026-08-10T00:00:00Z", "30d", "5h")
    ragged = np.sort(np.concatenate([coarse[:20], coarse[:20] + np.timedelta64(7, "m"), TIMES]))
    for times in (coarse, ragged):
        single, exact = run(near, times, Options(STATE, precision="float32", dtype="float32")), run(near, times)
        error = np.sqrt(sum((single[k].astype(float) - exact[k]) ** 2 for k in ("x", "y", "z")))
        assert error.max() < 8e-3  # as above: each chunk has its anchor, however few instants it holds


SHORT_STEPS = cj.time_grid("2026-08-22T00:00:00Z", "25min", "5s")  # 300 instants: four chunks and a part of a fifth


@pytest.mark.parametrize(("precision", "error_km"), [("float64", 1e-6), ("float32", 8e-3)])
def test_interpolated_states_equal_the_evaluated_ones(
    fleet: cj.Catalog, precision: str, error_km: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_count, "NODE_COST", 0.0)  # also where it would not be quicker
    options = Options(STATE, precision=precision, dtype=precision)
    day, fraction = to_day_fraction(SHORT_STEPS)
    engine = Engine(fleet.elements, Grid.inertial(day, fraction), options)
    assert "interpolated" in engine.method
    dense, exact = run(fleet, SHORT_STEPS, options), run(fleet, SHORT_STEPS, Options(STATE, dense=False))
    np.testing.assert_array_equal(dense["status"], exact["status"])
    for name in STATE:
        # velocity, km/s: a thousandth of the error in position, the mean motion being about 1e-3 / s
        limit = error_km * (1.0 if name in "xyz" else 5e-3)
        np.testing.assert_allclose(dense[name], exact[name], rtol=0, atol=limit, err_msg=name)


def test_the_tolerance_of_interpolation_is_kept(fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_count, "NODE_COST", 0.0)  # also where it would not be quicker
    times = cj.time_grid("2026-08-20T00:00:00Z", "12h", "45s")
    exact = run(fleet, times, Options(STATE, dense=False))
    worst = []
    for tolerance_km in (1e-6, 1e-4, 1e-2):
        dense = run(fleet, times, Options(STATE, tolerance_km=tolerance_km))
        error = np.sqrt(sum((dense[k] - exact[k]) ** 2 for k in ("x", "y", "z")))
        worst.append(float(np.nanmax(error)))
        assert worst[-1] < tolerance_km
    assert worst[2] > 1e-7  # it did interpolate: what is evaluated agrees to rounding


def test_a_decay_between_nodes_is_found_at_its_instant(fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node_count, "NODE_COST", 0.0)
    decaying = fleet[fleet.bstar == 0.003]
    days = cj.time_grid("2026-08-22T00:00:00Z", "60d", "1h")
    first = days[np.flatnonzero(run(decaying, days)["status"][:, 0])[0]]
    times = cj.time_grid(first - np.timedelta64(12, "h"), "13h", "30s")
    dense, exact = run(decaying, times, Options(STATE)), run(decaying, times, Options(STATE, dense=False))
    assert exact["status"].any()
    assert not exact["status"].all()
    np.testing.assert_array_equal(dense["status"], exact["status"])
    np.testing.assert_allclose(dense["x"], exact["x"], rtol=0, atol=MILLIMETRE_KM)


def test_what_is_asked_for_beside_the_state_is_interpolated_as_well(
    fleet: cj.Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(node_count, "NODE_COST", 0.0)
    day, fraction = to_day_fraction(SHORT_STEPS)
    grid = Grid.turning(day, fraction, 1e-6, np.linspace(1e-6, 2e-6, 300), np.zeros(300))
    near = fleet[~fleet.is_deep_space]  # the others take the same way from node to instant
    outs = []
    for dense in (True, False):
        options = Options(("altitude", "decay_rate", "vz"), frame="itrs", dense=dense)
        out = OutputArrays.allocate(300, len(near), options.variables, "float64")
        Engine(near.elements, grid, options).run(0, 300, out)
        outs.append(out)
    for name, limit in (("altitude", 1e-6), ("decay_rate", 1e-6), ("vz", 1e-8)):
        np.testing.assert_allclose(outs[0][name], outs[1][name], rtol=0, atol=limit, err_msg=name)


def test_instants_a_century_from_the_epoch_have_a_status_of_their_own(fleet: cj.Catalog) -> None:
    years = np.array([-101, -1, 0, 99, 101, 150]) * np.timedelta64(365 * 86400 + 6 * 3600, "s")
    out = run(fleet[0], np.datetime64("2026-08-22T00:00:00", "ns") + years)
    np.testing.assert_array_equal(out["status"][[0, 4, 5], 0], 7)
    assert (out["status"][1:4, 0] != 7).all()
    assert np.isnan(out["x"][[0, 4, 5], 0]).all()


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
times = np.asarray(cj.time_grid("2026-01-01", "10min", "5s"))
everywhere = Devices()
results = []
for devices in (everywhere, Devices(devices=jax.local_devices()[:1])):
    for dense in (True, False):
        options = Options(("x", "y", "z", "altitude"), precision="float32", dtype="float32", dense=dense)
        engine = Engine(objects.elements, make_grid(times, options), options, devices)
        out = OutputArrays.allocate(len(times), 50, options.variables, "float32")
        engine.run(0, len(times), out)
        results.append(out)
assert everywhere.mesh.size == 4
for k in (0, 1):
    for name in results[0]:
        np.testing.assert_array_equal(results[k][name], results[k + 2][name])
"""


def test_itrs_and_geodetic_equal_the_frames(fleet: cj.Catalog) -> None:
    day, fraction = to_day_fraction(TIMES)
    pole = np.linspace(1e-6, 2e-6, len(TIMES)), np.linspace(-1e-6, 1e-6, len(TIMES))
    grid = Grid.turning(day, fraction, 1e-6, *pole)
    options = Options((*STATE, "altitude", "latitude", "longitude"), frame="itrs")
    out = OutputArrays.allocate(len(TIMES), len(fleet), options.variables, "float64")
    Engine(fleet.elements, grid, options).run(0, len(TIMES), out)
    state, _ = kernel(fleet, TIMES)
    for k, i in ((5, 3), (100, 0)):
        position, velocity = frames.teme_to_itrs(
            state[k, i, :3], state[k, i, 3:], grid.gmst[k], grid.polar_x[k], grid.polar_y[k]
        )
        np.testing.assert_allclose([out[name][k, i] for name in STATE], np.concatenate([position, velocity]), atol=1e-8)
        latitude, longitude, altitude = frames.geodetic(*position)
        found = [out[name][k, i] for name in ("latitude", "longitude", "altitude")]
        np.testing.assert_allclose(found, [np.degrees(latitude), np.degrees(longitude), altitude], atol=1e-8)


def test_users_precision_is_left_alone_and_does_not_matter(fleet: cj.Catalog) -> None:
    reference = run(fleet, TIMES)["x"]
    jax.config.update("jax_enable_x64", False)
    try:
        found = run(fleet, TIMES)["x"]
        assert not jax.config.jax_enable_x64
    finally:
        jax.config.update("jax_enable_x64", True)
    np.testing.assert_array_equal(found, reference)


def test_a_run_compiles_nothing_that_warm_up_has_not(
    catalog_of: Callable[..., cj.Catalog], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # discontinuities of near-Earth and deep-space orbits in the midst, so that some chunks are evaluated after all
    kinds = [(15.8, 2e-5, 53.0, 4e-3)] * 40 + [(15.5, 1e-3, 53.0, 1e-4)] * FEW
    kinds += [(12.0, 0.15, 63.4, 1e-5)] + [(1.0027 + drift, 3e-4, 2.7, 0.0) for drift in (-0.006, 0.0, 0.006)]
    catalog = catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)
    times = cj.time_grid("2026-08-25T05:00:00Z", "14h", "1min")
    engine = Engine(catalog.elements, Grid.inertial(*to_day_fraction(times)), Options(STATE, dtype="float32"))
    evaluated = []

    def work_through(step: Callable[[], None]) -> set[str]:
        caplog.clear()
        jax.config.update("jax_log_compiles", True)  # `jax.log_compiles` would hold for this thread alone
        try:
            step()
        finally:
            jax.config.update("jax_log_compiles", False)
        return {m for m in caplog.messages if "ompiling" in m and "jit(fill)" in m}

    jax.clear_caches()
    out = OutputArrays.allocate(len(times), len(catalog), STATE, "float32")
    split_again = engine._runner.split_again
    jax.config.update("jax_enable_x64", False)  # as a user has it
    try:
        assert work_through(engine.warm_up)
        monkeypatch.setattr(
            engine._runner,
            "split_again",
            lambda regime, columns: evaluated.append(regime.name) or split_again(regime, columns),
        )
        assert not work_through(lambda: engine.run(0, len(times), out))
    finally:
        jax.config.update("jax_enable_x64", True)
    assert set(evaluated) == {"near_earth", "deep_space"}


def test_progress_counts_every_state_once_in_the_callers_thread(fleet: cj.Catalog) -> None:
    day, fraction = to_day_fraction(TIMES)
    many = cj.Catalog.concatenate([fleet] + [fleet[fleet.mean_motion_rev_per_day > 13]] * 6)
    engine = Engine(many.elements, Grid.inertial(day, fraction), Options(STATE))
    out = OutputArrays.allocate(len(TIMES), len(many), STATE, "float64")
    counts, threads = [], set()

    def progress(states: int) -> None:
        counts.append(states)
        threads.add(threading.get_ident())

    engine.run(0, len(TIMES), out, progress)
    assert sum(counts) == len(TIMES) * len(many)
    assert threads == {threading.get_ident()}


def test_other_numbers_of_instants_compile_nothing(fleet: cj.Catalog, caplog: pytest.LogCaptureFixture) -> None:
    settings = {"variables": ("position", "altitude"), "frame": "itrs"}
    rng = np.random.default_rng(5)

    def run(steps: int) -> None:
        cj.propagate(fleet[: 3 + steps % 5], cj.time_grid("2026-08-24", f"{steps}min", "1min"), **settings)

    for steps in (400, 5):
        run(steps)
    caplog.clear()
    jax.config.update("jax_log_compiles", True)
    try:
        for steps in rng.integers(1, 400, 12):
            run(int(steps))
    finally:
        jax.config.update("jax_log_compiles", False)
    assert not [message for message in caplog.messages if "ompiling" in message]
