"""Ballistic coefficients and lives across the solar cycle, in the plain model and the calibrated one. Run with -m benchmark -s.

docs/concepts/atmosphere.md shows what it prints. The objects are those to which the size of the correction was fitted, one number
for all of them; scripts/build_quiet_sun.py prints what each of them says of it when it is left out.
"""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from quiet_sun import FILES, follow, read_history, split, to_year
from reentries import observed_weather, to_mjd

import constellation_jax as cj
from constellation_jax.engine.decay.engine import Objects, decay_rates, run
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import MJD_J2000, YEAR_DAYS
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.studies.decay.inputs import make_series

pytestmark = pytest.mark.benchmark

MODELS = ("nrlmsise00", CALIBRATED)
PHASES = ((0.0, 72.0), (72.0, 80.0), (80.0, 95.0), (95.0, 300.0))
"""Phases of the cycle by the 81-day mean of F10.7."""
DAYS = 90.0


@pytest.fixture(scope="module")
def weather(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SpaceWeather:
    return observed_weather(shared_data, tmp_path_factory.mktemp("weather"))


def test_coefficients_by_phase_of_the_cycle(shared_data: Path, weather: SpaceWeather) -> None:
    """B in windows of 90 days over its mean of the active phase, or, of an object that saw none, of all phases, calibrated."""
    common: dict[tuple[str, int], list[float]] = {}
    for name in FILES:
        history = read_history(shared_data, name)
        found = {model: split(follow(history, weather, model), DAYS) for model in MODELS}
        phase = np.array([find_phase(weather.at(w.mjd).f107a[0]) for w in found[CALIBRATED]])
        if len(phase) < 4:
            continue
        reference = None
        for model in reversed(MODELS):
            ln_b = np.log([w.coefficient for w in found[model]])
            means = [ln_b[phase == k].mean() if (phase == k).any() else np.nan for k in range(len(PHASES))]
            if reference is None:
                reference = means[-1] if (phase == len(PHASES) - 1).any() else np.mean(ln_b)
            ratios = np.exp(np.array(means) - reference)
            print(f"{name:<12}{model:<24}B {np.exp(reference):.4f} " + " ".join(f"{v:6.2f}" for v in ratios))
            for k in np.flatnonzero(np.isfinite(ratios)):
                common.setdefault((model, k), []).append(float(ratios[k]))
    for model in MODELS:
        means = [np.exp(np.mean(np.log(common[model, k]))) for k in range(len(PHASES))]
        print(f"{'all':<12}{model:<33}" + " ".join(f"{v:6.2f}" for v in means))
        if model == CALIBRATED:
            assert np.abs(np.log(means)).max() < 0.1


def test_loss_of_a_year_by_the_coefficient_of_the_year_before(shared_data: Path, weather: SpaceWeather) -> None:
    """Predicted over observed loss of altitude, along the observed path: the ratio of the two coefficients."""
    errors: dict[str, list[float]] = {model: [] for model in MODELS}
    for name in ("1970-025QQ", "Dove-2", "GeneSat-1"):
        history = read_history(shared_data, name)
        rows = {}
        for model in MODELS:
            found = split(follow(history, weather, model), 365.25)
            rows[model] = [before.coefficient / after.coefficient for before, after in pairwise(found)]
            errors[model] += rows[model]
        years = [to_year(w.mjd) for w in found[1:]]
        for year, plain, calibrated in zip(years, *rows.values(), strict=True):
            print(f"{name:<12}{year:8.1f} plain {plain:5.2f} calibrated {calibrated:5.2f}")
    for model, ratios in errors.items():
        print(f"{model}: rms of ln(predicted / observed) {np.sqrt(np.mean(np.log(ratios) ** 2)):.3f}")
    assert np.std(np.log(errors[CALIBRATED])) < np.std(np.log(errors["nrlmsise00"]))


def test_lives_begun_under_a_quiet_sun(shared_data: Path, weather: SpaceWeather) -> None:
    """B from 90 days (Omid: 40), then the rest of the life under observed activity."""
    errors: dict[str, list[float]] = {model: [] for model in MODELS}
    starts = [f"{year}-{month}-01" for year in (2007, 2008, 2009) for month in ("01", "07")]
    for name, days, dates in (("GeneSat-1", 90.0, starts), ("Omid", 40.0, ["2009-02-01"])):
        history = read_history(shared_data, name)
        mjd = to_mjd(history)
        for date in dates:
            first = np.flatnonzero(history.epoch >= np.datetime64(date))[0]
            sets = history[first:][np.flatnonzero(mjd[first:] < mjd[first] + days)]
            left = mjd[-1] - to_mjd(sets)[-1]
            row = []
            for model in MODELS:
                fit = cj.fit_ballistic_coefficient(sets, space_weather=weather, atmosphere=model)
                b = fit.coefficient[0]
                life = cj.lifetimes(
                    sets[-1], years=8.0, ballistic_coefficient=b, space_weather=weather, atmosphere=model
                )[0]
                errors[model].append(float(life / left - 1.0))
                row.append(f"{model} B {b:.4f} {life:6.0f} days {100 * errors[model][-1]:+5.1f} %")
            print(f"{name:<10} from {date}: {left:6.0f} days left; " + "; ".join(row))
    for model in MODELS:
        print(
            f"{model}: median {100 * np.median(errors[model]):+.1f} %, size {100 * np.median(np.abs(errors[model])):.1f} %"
        )
    assert np.median(np.abs(errors[CALIBRATED])) < 0.15


def test_correction_by_year(weather: SpaceWeather) -> None:
    """Sinking of a satellite held at 500 km in the calibrated model over that in NRLMSISE-00, by year."""
    years = (1996, *range(2005, 2012), *range(2016, 2024))
    orbit = MeanOrbit(6878.137, 0.0, 0.0, np.radians(60.0), 0.0, 0.0)
    ratios = {}
    for year in years:
        mjd = np.floor(MJD_J2000 + (year - 2000) * YEAR_DAYS) + np.arange(365.0) + 0.5
        like = np.zeros(365)
        objects = Objects(
            MeanOrbit(*(like + v for v in orbit))._replace(raan=0.05 * (mjd - mjd[0])), mjd, like + 1.0, like
        )
        sunk = [
            decay_rates(objects, make_series(weather, mjd[0] - 0.5, mjd[-1] + 0.5, 1.0, model=m)[0])[0] for m in MODELS
        ]
        ratios[year] = float(sunk[1].sum() / sunk[0].sum())
    print("year, calibrated over plain: " + ", ".join(f"{year} {ratio:.2f}" for year, ratio in ratios.items()))
    print(f"loss of 2021 by B of 2020 goes up by {ratios[2021] / ratios[2020] - 1.0:+.0%}")
    assert max(abs(ratios[year] - 1.0) for year in (2011, 2022, 2023)) < 0.01


def test_sunlight_takes_no_height(weather: SpaceWeather) -> None:
    """Loss in ten years from 2008 with radiation pressure (no shadow) over that without: Cr A / m of 1 and 10 times B = 0.02."""
    altitude, inclination = (v.ravel() for v in np.meshgrid([600.0, 650.0, 700.0, 850.0], np.radians([53.0, 98.0])))
    first, zero = 54466.0, np.zeros(len(altitude))
    series = make_series(weather, first, first + 3660.0, 5.0)[0]
    loss = []
    for radiation in (0.0, 0.02, 0.2):
        orbit = MeanOrbit(altitude + 6378.137, zero + 0.001, zero, inclination, zero + 1.0, zero)
        track = run(Objects(orbit, zero + first, zero + 0.02, zero + radiation), series, keep=732).tracks[
            "semi_major_axis"
        ]
        loss.append(track[0] - track[-1])
    ratios = [values / loss[0] for values in loss[1:]]
    print("km, degrees:", ", ".join(f"{h:.0f} {np.degrees(i):.0f}" for h, i in zip(altitude, inclination, strict=True)))
    for share, found in zip((1, 10), ratios, strict=True):
        print(f"Cr A / m of {share} B: loss " + ", ".join(f"{ratio:.4f}" for ratio in found))
    assert np.abs(ratios[0] - 1.0).max() < 0.002


def find_phase(f107a: float) -> int:
    return next(k for k, (low, high) in enumerate(PHASES) if low <= f107a < high)
