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
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather

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


def find_phase(f107a: float) -> int:
    return next(k for k, (low, high) in enumerate(PHASES) if low <= f107a < high)
