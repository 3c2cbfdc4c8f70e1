"""Decay to re-entry: lifetimes against a published solver and a reference grid, derivatives against differences, edges."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.engine.decay import engine
from constellation_jax.engine.decay import integrator as decay
from constellation_jax.engine.decay.engine import Objects, run, stays_up
from constellation_jax.engine.decay.integrator import AtmosphereSeries
from constellation_jax.engine.devices import Devices
from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.physics.constants import J2_RADIUS2
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM as RADIUS
from constellation_jax.physics.drag import rates as drag
from constellation_jax.studies.decay.inputs import make_series, resolve_space_weather

DSST = Path(__file__).parents[2] / "reference_data" / "decay_dsst.json"
MJD_2020 = 58849.0
ALTITUDES = np.arange(250.0, 601.0, 50.0)
# years, B = 0.01, i = 53, e = 1e-4: an independent integration of NRLMSISE-00 point by point (24 points an orbit), three digits
GRID = {
    (70.0, 7.0): (0.071, 0.312, 1.22, 4.09, 12.6, 35.9),
    (100.0, 10.0): (0.052, 0.205, 0.703, 2.00, 5.44, 14.0, 34.1),
    (140.0, 15.0): (0.039, 0.137, 0.380, 1.04, 2.54, 5.88, 13.0, 27.8),
    (200.0, 20.0): (0.028, 0.089, 0.227, 0.551, 1.21, 2.57, 5.19, 10.2),
}


def constant_series(f107, ap, years: float, step: float, model: str = "nrlmsise00") -> AtmosphereSeries:
    """Steady activity, in the plain model, which the references are made with."""
    steps = int(np.ceil(years * 365.25 / step))
    days = MJD_2020 + (np.arange(steps) + 0.5) * step - 51544.0
    calendar = jnp.asarray(1.0 + np.mod(days, 365.25)), jnp.asarray(2000.0 + days / 365.25)
    flux, index = jnp.full(steps, f107), jnp.full(steps, ap)
    numbers = (jnp.asarray(v) for v in (MJD_2020, step, steps * step))
    return decay.tabulate_atmosphere(load_atmosphere(model), flux, flux, index, *calendar, *numbers)


def orbits(altitude, inclination_deg=53.0, eccentricity=1e-4, raan=0.0) -> drag.MeanOrbit:
    like = np.zeros(len(altitude))
    return drag.MeanOrbit.from_elements(
        np.asarray(altitude) + RADIUS, like + eccentricity, np.radians(like + inclination_deg), like + raan, like
    )


def lifetimes(series: AtmosphereSeries, orbit: drag.MeanOrbit, b=0.01):
    zero = jnp.zeros(len(orbit.raan))
    days, reentered = decay.lifetime(series, orbit, zero, zero + b, zero)
    return np.where(reentered, days, np.nan)


@pytest.mark.slow
@pytest.mark.parametrize("source", [(140.0, 15.0), (65.0, 5.0), "bundled"])
def test_what_is_said_to_stay_up_does(source: tuple[float, float] | str) -> None:
    """In a steady Sun, where the limit is sharp, and in one with cycles, from low orbits to ones that nothing brings down."""
    altitude = np.repeat(np.arange(200.0, 1400.0, 25.0), 4)
    inclination = np.tile(
        [0.0, 53.0, 97.6, 97.6], len(altitude) // 4
    )  # two keep their local times: at noon and at dusk
    raan = np.tile([0.0, 0.0, np.radians(280.5), np.radians(10.5)], len(altitude) // 4)
    series = make_series(resolve_space_weather(source, "median"), MJD_2020, MJD_2020 + 25.0 * 365.25, 10.0)[0]
    orbit = jax.tree.map(np.asarray, orbits(altitude, inclination, raan=raan))
    zero = np.zeros(len(altitude))
    objects = Objects(orbit, zero + MJD_2020, np.repeat(np.geomspace(0.003, 0.1, len(altitude) // 4), 4), zero)
    stays = stays_up(objects, series)
    falls = np.isfinite(run(objects, series).lifetime_days)
    assert falls.any()
    assert not (stays & falls).any()
    assert stays[altitude > 1000.0].all()
    assert (stays | falls).mean() > 0.9  # else little is saved


@pytest.mark.parametrize(("f107", "ap"), GRID)
def test_grid_of_lifetimes(f107: float, ap: float) -> None:
    found = lifetimes(constant_series(f107, ap, 60.0, 10.0), orbits(ALTITUDES)) / 365.25
    expected = np.array(GRID[f107, ap])
    # half of the last digit given, and 0.5 % for another quadrature and steps
    digit = np.array([10.0 ** -len(f"{v}".partition(".")[2]) for v in GRID[f107, ap]])
    error = np.abs(found[: len(expected)] - expected)
    assert (error < 0.005 * expected + 0.5 * digit).all(), 100 * (found[: len(expected)] / expected - 1)
    assert np.isnan(found[len(expected) :]).all()


def test_lifetimes_against_dsst() -> None:
    """Orekit's semi-analytical propagator with NRLMSISE-00 itself, from orbits of equal mean radius.

    DSST evaluates the drag on the mean orbit. The radius of a mean orbit (Brouwer) is off its semi-major axis by what J2 does,
    -0.5 km at 53 degrees and 5 km at 97, a tenth of the drag; so the same semi-major axis would be another orbit there.
    """
    cases = json.loads(DSST.read_text(encoding="utf-8"))["cases"]
    for flux, ap in ((140.0, 15.0), (200.0, 20.0)):
        part = [c for c in cases if c["f107"] == flux]
        padded = (part * 8)[:8]
        altitude, inclination = (np.array([c[key] for c in padded]) for key in ("altitude_km", "inclination_deg"))
        beyond = 0.75 * J2_RADIUS2 / (altitude + RADIUS) * (3.0 * np.cos(np.radians(inclination)) ** 2 - 1.0)
        found = lifetimes(constant_series(flux, ap, 60.0, 10.0), orbits(altitude + beyond, inclination))[: len(part)]
        error = found / np.array([c["days"] for c in part]) - 1.0
        for case, days, off in zip(part, found, error, strict=True):
            orbit = f"{case['altitude_km']:.0f} | {case['inclination_deg']:.0f} | {flux:.0f}"
            print(f"| {orbit} | {case['days']:.1f} | {days:.1f} | {100 * off:+.2f} % |")
        assert np.abs(error).max() < 0.015


@pytest.fixture(scope="module")
def jacobian():
    """d lifetime / d (altitude, ln B, F10.7) of 8 orbits, and their lifetimes, as one compiled function of the three."""

    def days(p):
        series = constant_series(140.0 + p[2], 15.0, 2.0, 5.0)
        altitude = jnp.asarray([210.0, 260.0, 303.0, 330.0, 350.0, 380.0, 400.0, 700.0])
        orbit = orbits(np.zeros(8), eccentricity=0.0)._replace(semi_major_axis=altitude + RADIUS + p[0])
        zero = jnp.zeros(8)
        found = decay.lifetime(series, orbit, zero, zero + 0.01 * jnp.exp(p[1]), zero)[0]
        return found, found

    return jax.jit(jax.jacfwd(days, has_aux=True))


@pytest.mark.slow
def test_derivatives_of_lifetimes(jacobian) -> None:
    """To rounding, but where a difference spans the orbit that leaves the march a step earlier: none of these."""
    slopes, value = jacobian(jnp.zeros(3))
    assert np.isfinite(slopes).all()
    assert (np.asarray(slopes[-1]) == 0.0).all()  # 700 km outlives the series
    steps = (0.002, 2e-5, 0.01)
    for k, step in enumerate(steps):
        ends = [np.asarray(jacobian(jnp.zeros(3).at[k].set(sign * step))[1]) for sign in (1.0, -1.0)]
        difference = (ends[0] - ends[1]) / (2.0 * step)
        error = np.abs(np.asarray(slopes)[:7, k] / difference[:7] - 1.0)
        print(k, error)
        assert error.max() < 1e-5
    assert (np.diff(value) > 0).all()


@pytest.mark.slow
def test_derivative_through_the_quiet_sun() -> None:
    """Along one direction of altitude, ln B, F10.7 and Ap at once, where the correction is half in force."""

    def days(s):
        series = constant_series(80.0 + s, 5.0 + 0.5 * s, 0.5, 5.0, "nrlmsise00-calibrated")
        orbit = orbits(np.zeros(2))._replace(semi_major_axis=jnp.asarray([230.0, 260.0]) + RADIUS + s)
        zero = jnp.zeros(2)
        return decay.lifetime(series, orbit, zero, zero + 0.01 * jnp.exp(0.1 * s), zero)[0]

    along = jax.jit(lambda s: jax.jvp(days, (s,), (jnp.ones_like(s),)))
    slope = np.asarray(along(0.0)[1])
    difference = [(a - b) / 2e-3 for a, b in zip(along(1e-3)[0], along(-1e-3)[0], strict=True)]
    np.testing.assert_allclose(slope, difference, rtol=1e-5)


@pytest.mark.slow(first=True)
def test_reverse_derivative_is_finite() -> None:
    def total(a, series):
        orbit = orbits(np.zeros(2), eccentricity=0.0)._replace(semi_major_axis=a)
        return decay.lifetime(series, orbit, jnp.zeros(2), jnp.full(2, 0.01), jnp.zeros(2))[0].sum()

    slope = jax.jit(jax.grad(total))(
        jnp.array([RADIUS + 300.0, RADIUS + 800.0]), constant_series(140.0, 15.0, 1.0, 10.0)
    )
    assert np.isfinite(slope).all()
    assert slope[0] > 0.5
    assert slope[1] == 0.0


def test_elliptic_orbits_fall_and_become_circular() -> None:
    series = constant_series(140.0, 15.0, 2.0, 5.0)
    perigee, e = np.array([180.0, 250.0, 300.0, 300.0]), np.array([0.1, 0.02, 0.005, 0.7])
    orbit = orbits((perigee + RADIUS) / (1.0 - e) - RADIUS, eccentricity=e)
    zero = jnp.zeros(4)

    @jax.jit  # compiled as a whole, not each operation
    def decayed(series: AtmosphereSeries, orbit: drag.MeanOrbit) -> decay.Fall:
        course = decay.begin_course(series, orbit, zero, zero + 0.01, zero, elliptic=True)
        first = jnp.zeros((), jnp.int32)
        course, _ = decay.march(series, course, zero + 0.01, zero, first=first, keep=1, elliptic=True)
        return decay.fall(series, course.orbit, course.day, zero + 0.01, zero, elliptic=True)

    end = decayed(series, orbit)
    assert np.asarray(end.reentered).tolist() == [True, True, True, False]
    assert np.isfinite(np.asarray(end.semi_major_axis)).all()
    last = np.asarray(end.eccentricity)[-1, :3]
    assert (last < 0.006).all()
    perigee = np.asarray(end.semi_major_axis)[-1, :3] * (1.0 - last) - RADIUS
    np.testing.assert_allclose(perigee, 120.0, atol=0.2)


@pytest.mark.parametrize("elliptic", [False, True])
def test_looking_densities_up_in_the_kernel_gives_the_same(elliptic: bool) -> None:
    """The form for accelerators against that for CPUs, to the rounding of sums in another order."""
    series = constant_series(140.0, 15.0, 0.1, 5.0)
    series = series._replace(coefficients=series.coefficients + 0.01 * np.arange(series.steps).reshape(-1, 1, 1))
    altitude = np.array([95.0, 210.0, 303.0, 800.0])  # the first outside the table
    orbit = orbits(altitude / (0.9 if elliptic else 1.0), eccentricity=0.1 if elliptic else 1e-3)
    day, b = jnp.array([0.0, 2.0, 11.0, 22.0]), jnp.full(4, 1e-4)

    @partial(jax.jit, static_argnames="in_kernel")
    def both(in_kernel: bool) -> tuple[decay.Course, drag.Rates]:
        form = {"elliptic": elliptic, "in_kernel": in_kernel}
        still = jax.tree.map(jnp.zeros_like, orbit)
        begin = decay.Course(orbit, day, still, jnp.zeros(4, bool))
        course, kept = decay.march(series, begin, b, b, jnp.zeros((), jnp.int32), keep=4, **form)
        return course, kept, decay.rates_at(series, orbit, day, b, b, **form)

    assert series.steps == 8
    assert (np.asarray(both(False)[0].day) > day).any()
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-18), both(True), both(False))


def test_rows_at_any_distance_are_those_of_every_step() -> None:
    """80 steps are two parts of the calendar; the march itself keeps every third state or each."""
    series = make_series(resolve_space_weather((140.0, 15.0), "median"), MJD_2020, MJD_2020 + 400.0, 5.0)[0]
    orbit = jax.tree.map(np.asarray, orbits(np.array([230.0, 330.0, 500.0])))
    objects = Objects(orbit, MJD_2020 + np.array([0.0, 33.0, 170.0]), np.full(3, 0.02), np.zeros(3))
    whole = run(objects, series, keep=1)
    assert np.isfinite(whole.lifetime_days).tolist() == [True, True, False]
    for keep in (7, 9, 61, 100):
        found = run(objects, series, keep=keep)
        np.testing.assert_array_equal(found.lifetime_days, whole.lifetime_days)
        for name, values in found.tracks.items():
            expected = whole.tracks[name][: 80 // keep * keep + 1 : keep]
            np.testing.assert_allclose(values, expected, rtol=1e-6, err_msg=name)


@pytest.mark.slow
def test_an_accelerator_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tiles and programs, run on the CPU: densities looked up in the kernel, no early end of the march."""
    series = make_series(resolve_space_weather((140.0, 15.0), "median"), MJD_2020, MJD_2020 + 400.0, 5.0)[0]
    height, e = np.array([200.0, 280.0, 350.0, 700.0, 200.0, 260.0]), np.repeat([1e-4, 0.02], [4, 2])
    orbit = jax.tree.map(np.asarray, orbits((height + RADIUS) / (1.0 - e) - RADIUS, eccentricity=e))
    objects = Objects(orbit, np.full(6, MJD_2020 + 3.0), np.full(6, 0.02), np.zeros(6))
    monkeypatch.setattr(engine, "TILE", {elliptic: {"cpu": 4} for elliptic in (False, True)})
    on_cpu = run(objects, series, keep=5)
    monkeypatch.setattr(engine, "Devices", lambda: Devices(computes_grids=True))
    found = run(objects, series, keep=5)
    assert np.isfinite(on_cpu.lifetime_days).tolist() == [True, True, True, False, True, True]
    # sums in another order, in float32
    np.testing.assert_allclose(found.lifetime_days, on_cpu.lifetime_days, rtol=1e-5)
    for name, values in on_cpu.tracks.items():
        np.testing.assert_allclose(found.tracks[name], values, rtol=1e-3, atol=1e-7, err_msg=name)


@pytest.mark.slow
def test_four_devices_give_what_one_gives(on_four_devices: Callable[[str], None]) -> None:
    on_four_devices(FOUR_DEVICES)


FOUR_DEVICES = """
import numpy as np
from constellation_jax.engine.decay import engine
from constellation_jax.engine.devices import Devices
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.studies.decay.inputs import make_series, resolve_space_weather

engine.TILE = dict.fromkeys((False, True), {"cpu": 8})  # so that every device has satellites
height, e = np.linspace(200.0, 320.0, 40), np.repeat([0.0, 0.01], 20)
zero = np.zeros(40)
orbit = MeanOrbit((height + 6378.0) / (1.0 - e), e, zero, zero + 0.9, zero, zero)
objects = engine.Objects(orbit, zero + 58849.0, zero + 0.02, zero)
series = make_series(resolve_space_weather("bundled", "median"), 58849.0, 59000.0, 1.0)[0]
assert Devices().mesh.size == 4
everywhere = engine.run(objects, series, keep=5), engine.stays_up(objects, series)
engine.Devices = lambda: Devices(devices=jax.local_devices()[:1])
alone = engine.run(objects, series, keep=5), engine.stays_up(objects, series)
jax.tree.map(np.testing.assert_array_equal, everywhere, alone)
assert np.isfinite(alone[0].lifetime_days).any()
"""
