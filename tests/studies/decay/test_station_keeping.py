"""Station-keeping: velocity increments against 0.5 B rho v^2 T, and what follows from them."""

import jax
import numpy as np
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.engine.decay.engine import decay_rates
from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.inputs.shells.files import Shell
from constellation_jax.physics.drag.atmosphere import conditions, density
from constellation_jax.physics.merit.drag import delta_v_rate
from constellation_jax.studies.decay.inputs import make_objects, make_series

# m/s a year at B = 0.01: 0.5 B rho v^2 T with global means of NRLMSISE-00 on 2024-03-20, by F10.7 / Ap; two or three digits
ROW_KM = np.array([250.0, 300.0, 350.0, 400.0, 450.0, 480.0, 500.0, 550.0, 600.0])
ROW = {
    (70.0, 5.0): (348, 86, 25, 7.9, 2.7, 1.5, 1.0, 0.39, 0.18),
    (140.0, 15.0): (764, 254, 96, 40, 17, 11, 7.8, 3.6, 1.8),
    (200.0, 20.0): (1140, 429, 182, 83, 40, 26, 20, 10, 5.4),
}


def shell(**values) -> Shell:
    return shell_of(
        name="s",
        altitude_km=values.pop("altitude_km", 400.0),
        inclination_deg=53.0,
        planes=1,
        satellites_per_plane=1,
        **values,
    )


@pytest.mark.parametrize("activity", ROW)
def test_delta_v_of_the_global_mean(activity: tuple[float, float]) -> None:
    """0.5 B rho v^2 T at a constant height above the ellipsoid is the row; orbits that point everywhere alike cost a little more.

    Such orbits see the global mean, and no rotation of the Earth on average. But they keep a radius: their height, 7.1 km more
    than the mean altitude on average, varies by up to 15 km with latitude and inclination (the ellipsoid, J2). Density being
    exponential, that adds its variance over twice the square of the scale height: 1 to 4 %.
    """
    day = 60389.0  # 2024-03-20
    sines, weights = np.polynomial.legendre.leggauss(10)
    at = conditions(
        load_atmosphere("nrlmsise00"), *(np.float64(v) for v in (activity[0], activity[0], activity[1], 80.0))
    )
    latitude, time = (v.ravel() for v in np.meshgrid(np.arcsin(sines), np.arange(12) * np.pi / 6.0, indexing="ij"))
    densities = jax.jit(jax.vmap(density, in_axes=(None, None, 0, 0)))
    means = [np.asarray(densities(at, h, latitude, time)).reshape(10, 12).mean(axis=1) @ weights / 2.0 for h in ROW_KM]
    a = (ROW_KM + 6378.137) * 1000.0
    formula = delta_v_rate(ROW_KM, -0.01 * np.array(means) * np.sqrt(3.986e14 * a) * 86.4) * 365.25
    print("|", activity, "|", " | ".join(f"{f:.3g}" for f in formula))
    expected = np.array(ROW[activity], float)
    digit = np.array([10.0 ** -len(str(v).partition(".")[2]) for v in ROW[activity]])
    assert (np.abs(formula - expected) < 0.012 * expected + 0.5 * digit).all(), 100 * (formula / expected - 1.0)

    altitude, cosine, node = (v.ravel() for v in np.meshgrid(ROW_KM, sines, np.arange(6) * np.pi / 3.0, indexing="ij"))
    base = make_objects(cj.shells_to_catalog(shell()), np.array([0.01])).take(np.zeros(len(altitude), int))
    orbit = base.orbit._replace(semi_major_axis=altitude - 7.1 + 6378.137, inclination=np.arccos(cosine), raan=node)
    objects = base._replace(orbit=orbit, mjd=np.full(len(altitude), day))
    series = make_series(cj.SpaceWeather.load(activity), day - 0.5, day + 0.5, 1.0, model="nrlmsise00")[0]
    rate, _ = decay_rates(objects, series)
    found = 365.25 * delta_v_rate(altitude, rate).reshape(len(ROW_KM), 10, 6).mean(axis=2) @ weights / 2.0
    assert (found > formula).all()
    assert (found < 1.045 * formula).all()


def test_what_follows_from_the_delta_v() -> None:
    found = cj.station_keeping(
        shell(altitude_km=350.0, ballistic_coefficient_m2_kg=0.01),
        mass_kg=500.0,
        propellant_kg=30.0,
        specific_impulse_s=1500.0,
        thrust_mn=20.0,
        dead_band_km=2.0,
        solar="median",
        space_weather=(140.0, 15.0),
        start="2027-01-01",
        years=2.0,
    ).isel(solar=0, shell=0)
    exhaust, year = 1500.0 * 9.80665, 365.25 * 86400.0
    dv = float(found.delta_v)
    assert 70.0 < dv < 100.0  # 96 for the global mean of an equinox, which is the densest season; the Earth turns along
    np.testing.assert_allclose(found.propellant, 500.0 * dv / exhaust, rtol=1e-12)
    np.testing.assert_allclose(found.duty_cycle, 500.0 * dv / year / 0.020, rtol=1e-12)
    np.testing.assert_allclose(found.propellant_lifetime / 365.25, 30.0 / float(found.propellant), rtol=2e-2)
    # the orbit sinks by 2 a / v km for each km/s
    a, v = 6728.137, 7.697
    np.testing.assert_allclose(found.manoeuvre_interval, 2.0 / (2 * a * dv / 1000.0 / v / 365.25), rtol=1e-3)
    # at the lowest altitude drag equals thrust over mass: a thruster three times as strong goes lower by some scale heights
    stronger = cj.station_keeping(
        shell(altitude_km=350.0, ballistic_coefficient_m2_kg=0.01),
        mass_kg=500.0,
        thrust_mn=60.0,
        solar="median",
        space_weather=(140.0, 15.0),
        start="2027-01-01",
        years=2.0,
    ).isel(solar=0, shell=0)
    assert 20.0 < float(found.lowest_mean_altitude - stronger.lowest_mean_altitude) < 60.0
    assert found.duty_cycle_peak > found.duty_cycle
    # afterwards B has grown by 500 / 470
    end = np.datetime64("2027-01-01", "s") + np.timedelta64(int(float(found.propellant_lifetime) / 365.25 * year), "s")
    left = cj.shells_to_catalog(shell(altitude_km=350.0), epoch=end)
    alone = cj.lifetimes(left, ballistic_coefficient=0.01 * 500.0 / 470.0, space_weather=(140.0, 15.0))
    np.testing.assert_allclose(found.lifetime_after_propellant, alone[0], rtol=1e-6)
    assert np.isnan(stronger.propellant)


def test_a_mission_begins_today_unless_said() -> None:
    found = cj.station_keeping(shell(), years=0.1, solar="median")
    assert found.start == str(np.datetime64("now", "D"))


def test_scenarios_are_in_order() -> None:
    found = cj.station_keeping(shell(altitude_km=480.0), years=3.0, start="2029-01-01")
    assert (np.diff(found.delta_v[:, 0]) > 0.0).all()


def test_mistakes_are_one_line() -> None:
    with pytest.raises(cj.InputError, match="thrust_mn -1"):
        cj.station_keeping(shell(), thrust_mn=-1.0)
    with pytest.raises(cj.InputError, match="less than mass_kg"):
        cj.station_keeping(shell(), mass_kg=10.0, propellant_kg=20.0)
    with pytest.raises(cj.InputError, match="no shell"):
        cj.station_keeping([])
