"""Real re-entries and decays against predictions. Run with -m benchmark -s; docs/how-to/decay.md shows what it prints.

How re-entries are predicted stands in reentries.py.
"""

from pathlib import Path

import numpy as np
import pytest
from reentries import observed_weather, predictions, to_mjd

import constellation_jax as cj
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def weather(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SpaceWeather:
    return observed_weather(shared_data, tmp_path_factory.mktemp("weather"))


@pytest.mark.parametrize(("name", "demand"), [("other", 0.15), ("starlink", 0.15)])
def test_reentries_of_2026(name: str, demand: float, shared_data: Path, weather: SpaceWeather, tmp_path: Path) -> None:
    found, left_out = predictions(name, shared_data, weather, tmp_path)
    print(f"\n{name}: object, B fitted, days left, days predicted, error")
    for r in found:
        print(
            f"  {r.name:<24} {r.coefficient:.4f} {r.observed_days:6.1f} {r.predicted_days:6.1f} {100 * r.error:+6.1f} % "
        )
    errors = np.array([r.error for r in found])
    size = np.abs(errors)
    print(
        f"{name}: {len(errors)} objects, median {100 * np.median(size):.1f} %, bias {100 * np.median(errors):+.1f} %, "
        f"nine in ten within {100 * np.quantile(size, 0.9):.0f} %; {len(left_out)} left out: {', '.join(left_out)}"
    )
    assert np.median(size) < demand


@pytest.mark.parametrize(
    ("path", "fitted_days"),
    [("genesat-1_29655_2006-2010", 90.0), ("delfi-pq_51074_2022-2024", 90.0), ("omid_33506_2009", 40.0)],
)
def test_a_year_on(path: str, fitted_days: float, shared_data: Path, weather: SpaceWeather) -> None:
    """B from the first 90 days (Omid lived for 81: from 40), observed activity; the altitude a year on, or the re-entry."""
    catalog = cj.read_catalog(shared_data / f"decay/{path}.tle.gz").sort("epoch")
    mjd = to_mjd(catalog)
    first = catalog[np.flatnonzero(mjd < mjd[0] + fitted_days)]
    fit = cj.fit_ballistic_coefficient(first, space_weather=weather)
    last, start = first[-1], to_mjd(first)[-1]
    dataset = cj.decay(last, years=1.1, ballistic_coefficient=fit.coefficient[0], space_weather=weather, ensemble=0)
    said = f"{path}: B {fit.coefficient[0]:.4f} +- {fit.uncertainty[0]:.4f}"
    if mjd[-1] < start + 365.0:
        error = float(dataset.lifetime[0]) / (mjd[-1] - start) - 1.0
        print(
            f"\n{said}, {mjd[-1] - start:.1f} days left, predicted {float(dataset.lifetime[0]):.1f}: {100 * error:+.1f} %"
        )
    else:
        k = np.argmin(np.abs(mjd - start - 365.25))
        time = catalog.epoch[k]
        found = float(dataset.mean_altitude.isel(satellite=0).interp(time=time))
        before, after = last.mean_altitude_km[0], catalog.mean_altitude_km[k]
        error = (found - after) / (before - after)
        print(
            f"\n{said}, {before:.1f} km, a year on {after:.1f}, predicted {found:.1f}: {100 * error:+.1f} % of the loss"
        )
    assert abs(error) < 0.2
