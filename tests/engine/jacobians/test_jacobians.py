"""Jacobians in one pass: equal to jacfwd of the kernels, whatever is grouped, cut and padded; finite where others give NaN."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.jacobians.kernels import ELEMENTS, STATE, TILE
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction

RELATIVE = 1e-8
"""Tolerance as a share of the largest entry of a column at that instant: float64 rounding, grown by phases of 1e3 rad."""
RELATIVE_FLOAT32 = 1e-5
"""Phases of the float32 kernel are good to some 1e-6 rad."""
# A chunk and a part of a second; in both, and in the chunks of `propagate`, the table of the resonance integrator has one length,
# for each is compiled anew
TIMES = cj.time_grid("2026-08-20T00:00:00Z", "35h", "21min")


@pytest.fixture(scope="module")
def found(fleet: cj.Catalog) -> xr.Dataset:
    return cj.jacobians(fleet, TIMES)


@jax.jit
def _jacfwd(seven: jax.Array, fixed: cj.Elements, minutes: jax.Array) -> jax.Array:
    def state(seven: jax.Array) -> jax.Array:
        elements = dataclasses.replace(fixed, **dict(zip(ELEMENTS, seven, strict=True)))
        regime = "near_earth"
        return cj.sgp4.state_at(cj.sgp4.initialise(elements, regime=regime), minutes)[0]

    return jax.jacfwd(state)(seven)


def _seven(elements: cj.Elements) -> np.ndarray:
    return np.stack([np.asarray(getattr(elements, name), float) for name in ELEMENTS], axis=-1)


def _excess(found: np.ndarray, expected: np.ndarray) -> float:
    """Largest difference, as a share of the largest position or velocity entry of the column."""
    shares = []
    for rows in (slice(0, 3), slice(3, 6)):
        scale = np.abs(expected[..., rows, :]).max(axis=-2, keepdims=True)
        shares.append((np.abs(found - expected)[..., rows, :] / np.maximum(scale, 1e-30)).max())
    return float(max(shares))


def test_equals_jacfwd_of_the_kernels(fleet: cj.Catalog, found: xr.Dataset) -> None:
    for k in np.flatnonzero(~fleet.is_deep_space):
        elements = jax.tree.map(lambda v, k=k: np.float64(v[k]), fleet.elements)
        for i in (0, 40, 99):
            minutes = (TIMES[i] - fleet.epoch[k]) / np.timedelta64(1, "ns") / 60e9
            expected = np.asarray(_jacfwd(_seven(elements), elements, minutes))
            if found["status"].values[i, k]:
                assert np.isnan(found["jacobian"].values[i, k]).all()
            else:
                assert _excess(found["jacobian"].values[i, k], expected) < RELATIVE, (k, i)


def test_states_are_those_of_propagate(fleet: cj.Catalog, found: xr.Dataset) -> None:
    expected = cj.propagate(fleet, TIMES, variables=("position", "velocity"))
    for name in (*STATE, "status"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-6, err_msg=name)  # a millimetre


def test_deep_space_and_the_rest_against_differences(fleet: cj.Catalog, found: xr.Dataset) -> None:
    # Richardson's rule on the states of `propagate`, an independent path; steps move a satellite by some 1e-4 of its distance
    sound = np.flatnonzero((fleet.bstar < 0.001) & (fleet.eccentricity > 3e-4))
    fleet, jacobian = fleet[sound], found["jacobian"].values[:, sound]
    columns = {"mean_motion": "mean_motion_rev_per_day", "bstar": "bstar", "eccentricity": "eccentricity"}
    for k, name in enumerate(ELEMENTS):
        column = columns.get(name, f"{name}_deg")
        unit = {"mean_motion": 720.0 / np.pi, "eccentricity": 1.0, "bstar": 1.0}.get(name, 180.0 / np.pi)
        step = {"mean_motion": 3e-7, "eccentricity": 3e-5, "bstar": 1e-4}.get(name, 1e-4)
        if name == "inclination":
            continue  # moves the equatorial one below zero: the next test
        moved = []
        for h in (step, -step, step / 2, -step / 2):
            other = cj.propagate(
                fleet.replace(**{column: getattr(fleet, column) + h * unit}), TIMES, variables=("position", "velocity")
            )
            moved.append(np.stack([other[s].values for s in STATE], axis=-1))
        differences = (4 * (moved[2] - moved[3]) / step - (moved[0] - moved[1]) / (2 * step)) / 3
        scale = np.abs(jacobian[..., k]).max(axis=0).reshape(1, len(fleet), 2, 3).max(axis=-1).repeat(3, axis=-1)
        rounding = 1e-11 * np.abs(moved[0]).max() / step
        excess = np.abs(differences - jacobian[..., k]) - 1e-5 * scale - rounding
        assert excess.max() <= 0, (name, np.unravel_index(np.argmax(excess), excess.shape))


def test_turning_the_node_turns_the_state(fleet: cj.Catalog, found: xr.Dataset) -> None:
    # exact for near-Earth orbits: the derivative by the node is z x r
    near = np.flatnonzero(~fleet.is_deep_space & (fleet.bstar < 0.001))
    j = found["jacobian"].sel(element="raan").values[:, near]
    x, y, vx, vy = (found[name].values[:, near] for name in ("x", "y", "vx", "vy"))
    np.testing.assert_allclose(j[..., 0], -y, rtol=0, atol=1e-8)
    np.testing.assert_allclose(j[..., 1], x, rtol=0, atol=1e-8)
    np.testing.assert_allclose(j[..., 3], -vy, rtol=0, atol=1e-11)
    np.testing.assert_allclose(j[..., 4], vx, rtol=0, atol=1e-11)


def test_finite_at_zero_eccentricity_and_on_the_equator(fleet: cj.Catalog) -> None:
    mildly = fleet[fleet.bstar < 0.001]
    for inclination in (0.0, 180.0):
        circular = mildly.replace(eccentricity=0.0, inclination_deg=inclination)
        found = cj.jacobians(circular, TIMES[::20])
        assert not found["status"].any()
        assert np.isfinite(found["jacobian"]).all()


def test_failures_are_nan_and_stay(fleet: cj.Catalog) -> None:
    decaying = fleet[fleet.bstar == 0.003]
    times = cj.time_grid("2026-08-22T00:00:00Z", "60d", "97min")
    found, expected = cj.jacobians(decaying, times), cj.propagate(decaying, times)
    assert found["status"].any()
    np.testing.assert_array_equal(found["status"], expected["status"])
    failed = found["status"].values != 0
    assert np.isnan(found["jacobian"].values[failed]).all()
    assert np.isfinite(found["jacobian"].values[~failed]).all()


def test_order_cutting_and_the_users_precision_do_not_matter(fleet: cj.Catalog, found: xr.Dataset) -> None:
    many = cj.Catalog.concatenate([fleet] * 40)[::-1]  # several tiles of plain satellites, a full one of eccentric ones
    assert len(many) > 2 * TILE["cpu"]
    jax.config.update("jax_enable_x64", False)
    try:
        back = cj.jacobians(many, TIMES[::-1])
    finally:
        jax.config.update("jax_enable_x64", True)
    assert back["jacobian"].dims == ("time", "satellite", "state", "element")
    for name in ("jacobian", "x", "vz", "status"):
        here = back[name].values[::-1, ::-1]
        for copy in (0, 17, 39):
            part = here[:, copy * len(fleet) : (copy + 1) * len(fleet)]
            np.testing.assert_allclose(part, found[name].values, rtol=1e-7, atol=1e-3 if name == "jacobian" else 1e-6)


def test_float32_is_close(fleet: cj.Catalog) -> None:
    near = fleet[~fleet.is_deep_space & (fleet.bstar < 0.001)]
    times = cj.time_grid("2026-08-30T00:00:00Z", "2h", "5min")
    exact, single = cj.jacobians(near, times), cj.jacobians(near, times, precision="float32")
    assert single["jacobian"].dtype == np.float32
    assert _excess(single["jacobian"].values, exact["jacobian"].values) < RELATIVE_FLOAT32


@pytest.mark.slow
def test_an_accelerator_gives_the_same(fleet: cj.Catalog, found: xr.Dataset) -> None:
    """Its programs, run on the CPU: all instants of a chunk at once, against one after the other."""
    grid = Grid.inertial(*to_day_fraction(np.asarray(TIMES)))
    engine = JacobianEngine(fleet.elements, grid, devices=Devices(computes_grids=True))
    out = engine.allocate()
    engine.run(out)
    mild = np.flatnonzero(fleet.bstar < 0.001)  # the others' orbits end in chaos
    np.testing.assert_array_equal(out.status[:, mild], found["status"][:, mild])
    assert not out.status[:, mild].any()
    for name in STATE:
        np.testing.assert_allclose(out[name][:, mild], found[name][:, mild], rtol=0, atol=1e-8)  # km, km/s: rounding
    derivatives = out.values_block[len(STATE) :].reshape(len(STATE), len(ELEMENTS), *out.status.shape)
    here, there = derivatives.transpose(2, 3, 0, 1)[:, mild], found["jacobian"].values[:, mild]
    assert _excess(here, there) < 1e-10  # rounding, grown by phases of 1e3 rad


@pytest.mark.slow
def test_four_devices_give_what_one_gives(on_four_devices: Callable[[str], None]) -> None:
    on_four_devices(FOUR_DEVICES)


FOUR_DEVICES = """
import numpy as np
import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.jacobians import kernels
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction

kernels.TILE["cpu"] = 16  # so that every device has satellites
objects = cj.shells_to_catalog(cj.load_shells("qianfan")[:1], epoch="2026-01-01")[:50]
grid = Grid.inertial(*to_day_fraction(np.asarray(cj.time_grid("2026-01-01", "30min", "1min"))))
everywhere = Devices()
results = []
for devices in (everywhere, Devices(devices=jax.local_devices()[:1])):
    engine = JacobianEngine(objects.elements, grid, devices=devices)
    out = engine.allocate()
    engine.run(out)
    results.append(out)
assert not results[0].status.any()
np.testing.assert_array_equal(results[0].values_block, results[1].values_block)
assert everywhere.mesh.size == 4
"""


def test_what_is_wrong_is_said() -> None:
    population = cj.bundled_population()
    with pytest.raises(cj.InputError, match="precision 'float16': unknown"):
        cj.jacobians(population[:1], TIMES, precision="float16")
    with pytest.raises(cj.InputError, match="no objects"):
        cj.jacobians(population[:0], TIMES)


def test_hand_written_derivative_equals_the_derivative_of_its_steps() -> None:
    """Function `_state`: forward and reverse, small and large eccentricities."""
    from constellation_jax.physics.constants import WGS72
    from constellation_jax.physics.sgp4 import common as sgp4_common

    rng = np.random.default_rng(0)
    count = 20
    for small, largest in ((True, 0.09), (False, 0.8)):
        inclination = rng.uniform(0, np.pi, count)
        mean = sgp4_common._MeanState(
            np.sqrt(rng.uniform(1.05, 1.5 if small else 7.0, count)), rng.uniform(1e-6, largest, count),
            *rng.uniform(-9.0, 9.0, (3, count)), np.sin(inclination), np.cos(inclination),
            *rng.uniform(-1e-3, 1e-3, (2, count)),
        )  # fmt: skip
        turned = rng.normal(size=count)  # the sine and cosine of an angle move along the circle
        change = sgp4_common._MeanState(
            *rng.normal(size=(5, count)), turned * mean.cosi, -turned * mean.sini, *rng.normal(size=(2, count))
        )

        def steps(mean: sgp4_common._MeanState, small: bool = small) -> tuple[jax.Array, ...]:
            return sgp4_common._cartesian(sgp4_common._polar(mean, WGS72, small), WGS72)

        def by_hand(mean: sgp4_common._MeanState, small: bool = small) -> tuple[jax.Array, ...]:
            return sgp4_common._state(mean, WGS72, small)

        for a, b in zip(*(jax.jvp(f, (mean,), (change,))[1] for f in (steps, by_hand)), strict=True):
            np.testing.assert_allclose(b, a, rtol=0, atol=1e-13 * np.abs(a).max())
        weights = rng.normal(size=(8, count))
        pulled = [jax.vjp(f, mean)[1](tuple(jnp.asarray(weights)))[0] for f in (steps, by_hand)]
        along = [sum(np.sum(np.asarray(g) * c) for g, c in zip(p, change, strict=True)) for p in pulled]
        np.testing.assert_allclose(along[1], along[0], rtol=1e-12)
