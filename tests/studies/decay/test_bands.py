"""Bands of lifetimes and altitudes, the errors that they hold, and what a drag term may know."""

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import FORECAST, SpaceWeather
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.inputs.times import to_mjd
from constellation_jax.studies.decay.ballistic_fit import DOUBTS, BallisticFit
from constellation_jax.studies.decay.inputs import (
    ASSUMED_BALLISTIC_COEFFICIENT,
    RELATIVE_ERRORS,
    ballistic_coefficients,
)
from constellation_jax.studies.decay.spread import (
    CAUSES,
    DENSITY_ERROR,
    Slowness,
    _widen_lifetimes,
    density_error,
    map_altitudes,
)

QUANTILE = 1.6448536
LAST_OBSERVED = to_mjd("2026-08-31")  # of the bundled table


def satellites(altitude_km, epoch_day=61290, **columns) -> Catalog:
    altitude = np.asarray(altitude_km, float)
    return Catalog.from_columns(
        {
            "norad_id": 70000 + np.arange(len(altitude)),
            "epoch_day": epoch_day,
            "epoch_fraction": 0.25,
            "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(altitude, 1e-4, 53.0),
            "eccentricity": 1e-4,
            "inclination_deg": 53.0,
            "raan_deg": 0.0,
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
            **columns,
        }
    )


@pytest.fixture(scope="module")
def dataset() -> xr.Dataset:
    """The same orbit with B known to 1, 10 and 60 %."""
    catalog = satellites([380.0, 380.0, 380.0])
    return cj.decay(
        catalog, years=1.0, ballistic_coefficient=0.02, ballistic_error=[0.01, 0.1, 0.6], ensemble=10, seed=4
    )


def test_bands_widen_with_the_error_of_the_coefficient(dataset: xr.Dataset) -> None:
    low, middle, high = dataset.lifetime_percentile.values
    np.testing.assert_allclose(middle, middle[0], rtol=1e-6)
    assert low[0] > low[1] > low[2]
    assert high[0] < high[1]  # the third is beyond the span
    spread = dataset.lifetime_spread.sel(cause="ballistic_coefficient").values
    np.testing.assert_allclose(spread / [0.01, 0.1, 0.6], spread[0] / 0.01, rtol=1e-6)
    assert 0.7 < spread[0] / 0.01 < 1.5  # a life is about as long as B is small
    assert dataset.cause.values.tolist() == list(CAUSES)
    np.testing.assert_allclose(dataset.ballistic_coefficient_error, [0.01, 0.1, 0.6])


def test_bands_of_the_altitude_begin_in_one_point_and_end_with_those_of_the_lifetime(dataset: xr.Dataset) -> None:
    altitude = dataset.mean_altitude_percentile.values
    known = np.isfinite(altitude).all(axis=0)
    assert (altitude[0][known] <= altitude[1][known] + 1e-3).all()
    assert (altitude[1][known] <= altitude[2][known] + 1e-3).all()
    assert np.ptp(altitude[:, 1, 1]) < 0.3  # a day on: it sinks by 0.2 km
    for k in range(3):  # the lowest of the three is down first
        life = dataset.lifetime_percentile.values[k, 1]
        last = np.flatnonzero(np.isfinite(altitude[k, :, 1]))[-1]
        days = float((dataset.time[last] - dataset.epoch[1]) / np.timedelta64(1, "s")) / 86400.0
        assert abs(days - (life if np.isfinite(life) else 365.0)) < 0.06 * 365.0
    middle = altitude[1, :, 1]
    both = np.isfinite(middle) & np.isfinite(dataset.mean_altitude.values[:, 1])
    assert np.abs(middle[both][:100] - dataset.mean_altitude.values[both, 1][:100]).max() < 5.0


def test_without_errors_the_band_is_the_track() -> None:
    days = np.arange(0.0, 101.0)[:, None]
    track = 400.0 - 0.5 * days
    nothing = Slowness(10.0, np.zeros((3, 11, 1)), np.ones((11, 1)), np.zeros(1, np.intp))
    found = map_altitudes(nothing, track, days, np.array([400.0]), np.array([np.inf]), np.zeros(1))
    np.testing.assert_allclose(found[1], track)
    other = QUANTILE * density_error(days)
    # the density alone: time runs faster or slower by its error
    np.testing.assert_allclose(found[0, :50], 400.0 - 0.5 * days[:50] * np.exp(other[:50]), rtol=1e-9)
    np.testing.assert_allclose(found[2], 400.0 - 0.5 * days * np.exp(-other), rtol=1e-9)
    down = map_altitudes(nothing, track, days, np.array([400.0]), np.array([50.0]), np.zeros(1))
    assert np.isnan(down[1, 51:]).all()
    assert np.isfinite(down[1, :50]).all()


def test_the_error_of_the_density_grows_to_its_limit() -> None:
    assert density_error(np.array([0.0]))[0] == 0.0
    days = np.array([1.0, 30.0, 90.0, 3650.0])
    assert (np.diff(density_error(days)) > 0.0).all()
    np.testing.assert_allclose(density_error(days)[-1], DENSITY_ERROR)


def test_errors_are_added_in_square() -> None:
    solar = np.array([[80.0, 80.0, np.inf], [100.0, np.inf, np.inf], [150.0, np.inf, np.inf]])
    alone = _widen_lifetimes(solar, np.zeros(3), np.full(3, 300.0))
    np.testing.assert_allclose(alone, solar)
    wide = _widen_lifetimes(solar, np.full(3, 0.3), np.full(3, 300.0))
    np.testing.assert_allclose(wide[0, 0], 100.0 * np.exp(-np.hypot(np.log(1.25), 0.3)))
    np.testing.assert_allclose(wide[2, 0], 100.0 * np.exp(np.hypot(np.log(1.5), 0.3)))
    assert 50.0 < wide[0, 1] < 80.0  # the median lies beyond the end
    assert np.isinf(wide[1:, 1]).all()


def changed_forecast(weather: SpaceWeather, factor: float) -> SpaceWeather:
    predicted = (weather.flags & FORECAST) != 0
    return dataclasses.replace(
        weather,
        f107=np.where(predicted, factor * weather.f107, weather.f107),
        f107a=weather.f107a * np.where(weather.first_mjd + np.arange(len(predicted)) > LAST_OBSERVED - 40, factor, 1.0),
    )


def test_a_drag_term_uses_no_forecast_day_or_says_so(caplog: pytest.LogCaptureFixture) -> None:
    """Epochs before the last observed day, on it, and a fortnight behind it."""
    bundled = cj.SpaceWeather.load()
    catalog = satellites(
        [450.0] * 3, epoch_day=[int(LAST_OBSERVED) - 30, int(LAST_OBSERVED) - 1, int(LAST_OBSERVED) + 14], bstar=3e-4
    )
    with caplog.at_level(logging.WARNING, logger="constellation_jax"):
        own, other = (ballistic_coefficients(catalog, None, w) for w in (bundled, changed_forecast(bundled, 1.5)))
    assert own.source.tolist() == [2, 2, 2]
    np.testing.assert_array_equal(own.coefficient[:2], other.coefficient[:2])
    assert other.coefficient[2] < 0.8 * own.coefficient[2]
    assert "no day about the epoch is observed in bundled" in caplog.text
    assert "object 2" in caplog.text
    assert "object 1" not in caplog.text


def test_each_source_of_a_coefficient_has_its_error() -> None:
    weather = cj.SpaceWeather.load((140.0, 15.0))
    catalog = satellites([300.0, 450.0, 1200.0, 450.0], bstar=[3e-4, 3e-4, 1e-5, 0.0])
    found = ballistic_coefficients(catalog, [0.01, np.nan, np.nan, np.nan], weather)
    assert found.source.tolist() == [0, 2, 2, 3]
    assert found.coefficient[3] == ASSUMED_BALLISTIC_COEFFICIENT
    given, slow, slower, assumed = found.relative_error
    assert (given, assumed) == (RELATIVE_ERRORS[0], RELATIVE_ERRORS[3])
    assert RELATIVE_ERRORS[2] < slow < 0.5 < slower <= 1.5  # the noise of a set against what it sinks


def test_a_fit_goes_to_the_objects_of_its_numbers() -> None:
    columns = ([0.01, np.nan], [0.002, np.nan], [0.1, np.nan], [90, 2], [60.0, 1.0], [False] * 2, [2, 0], [30.0, 1.0])
    fit = BallisticFit(
        np.array([70001, 70000]), *map(np.array, columns), np.array([0, DOUBTS.index("no_fit")], np.int8)
    )
    catalog = satellites([350.0, 350.0, 350.0])
    found = cj.decay(catalog, years=0.5, ballistic_coefficient=fit, ensemble=0)
    assert found.ballistic_coefficient.values.tolist() == [0.013, 0.01, 0.013]
    assert found.ballistic_coefficient_source.values.tolist() == [3, 4, 3]
    assert found.ballistic_coefficient_doubt.values.tolist() == [2, 0, 2]
    assert found.ballistic_coefficient_pieces.values.tolist() == [0, 2, 0]
    np.testing.assert_allclose(found.ballistic_coefficient_error, [0.6, 0.2, 0.6])


def test_what_was_known_on_a_day(tmp_path: Path) -> None:
    """The fit and the prediction of a past day do not change with what came later."""
    days = np.arange("2025-01-01", "2026-01-01", dtype="datetime64[D]")
    flux = 150.0 + 30.0 * np.sin(np.arange(len(days)) / 20.0)
    rows = [f"{d},{f:.1f},12\n" for d, f in zip(days, flux, strict=True)]
    day = to_mjd("2025-09-01")
    found = []
    for later in (1.0, 1.4):
        changed = [r if k < 243 else f"{days[k]},{later * flux[k]:.1f},12\n" for k, r in enumerate(rows)]
        (tmp_path / "sw.csv").write_text("date,f107,ap\n" + "".join(changed), encoding="utf-8")
        whole = cj.SpaceWeather.load(tmp_path / "sw.csv")
        found.append(cj.SpaceWeather.load(whole.observed_part(until=day), forecast="bundled"))
    for name in ("f107", "f107a", "ap"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name), err_msg=name)
    assert found[0].last_observed_mjd == day
