"""Real re-entries and decays against predictions. Run with -m benchmark -s; docs/decay.md shows what it prints.

Re-entries: B is fitted on the first half of each history, and the rest is predicted with what was known on that day: elements, and
the activity of the Sun up to it, whose last 27 days are then held. The truth is the last set and the few hours or days that
are left from it (B of the whole history). Left out, by the first half alone: an object of which a set lies 0.3 km
above the one before, or whose B from the two halves of that half differ by more than 30 %, or whose fit is worse than 1 km rms: it
manoeuvres, or changes its attitude.
"""

import gzip
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.catalog import Catalog
from constellation_jax.inputs.space_weather_series import SpaceWeather
from constellation_jax.inputs.times import MJD_1970

pytestmark = pytest.mark.benchmark


@pytest.fixture(scope="module")
def weather(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SpaceWeather:
    path = tmp_path_factory.mktemp("weather") / "sw19571001.txt"
    path.write_bytes(gzip.decompress((shared_data / "space_weather/sw19571001_2026-10-16.txt.gz").read_bytes()))
    return cj.space_weather(path)


def mjd_of(catalog: Catalog):
    return catalog.epoch_day + catalog.epoch_fraction


def known_on(weather: SpaceWeather, mjd: float, folder: Path) -> SpaceWeather:
    """What was known at the beginning of a day: observed values before it, whose last 27 are held for a year."""
    day = np.floor(mjd)
    days = np.arange(day - 400.0, day + 365.0)
    past = weather.at(days[:400] + 1.5)  # F10.7 of the day before: its own day's, at the next noon
    f107, ap = past.f107, weather.at(days[:400] + 0.5).ap
    f107, ap = (np.append(v, np.full(365, v[-27:].mean())) for v in (f107, ap))
    dates = (days - MJD_1970).astype("datetime64[D]")
    path = folder / f"known-{day:.0f}.csv"
    lines = [f"{d},{f:.1f},{a:.1f}" for d, f, a in zip(dates, f107, ap, strict=True)]
    path.write_text("\n".join(["date,f107,ap", *lines]) + "\n", encoding="utf-8")
    return cj.space_weather(path)


def predicted_life(last: Catalog, coefficient: float, weather: SpaceWeather) -> float:
    return float(cj.lifetimes(last, years=0.9, ballistic_coefficient=coefficient, space_weather=weather)[0])


@pytest.mark.parametrize(("name", "demand"), [("other", 0.15), ("starlink", 0.15)])
def test_reentries_of_2026(name: str, demand: float, shared_data: Path, weather: SpaceWeather, tmp_path: Path) -> None:
    catalog = cj.read_catalog(shared_data / f"decay/reentries_2026_{name}.tle.gz").sort("epoch")
    errors, left_out = [], []
    print(f"\n{name}: object, B fitted, days left, days predicted, error")
    for number in sorted(set(catalog.norad_id.tolist())):
        history = catalog[np.flatnonzero(catalog.norad_id == number)]
        mjd = mjd_of(history)
        middle = 0.5 * (mjd[0] + mjd[-1])
        first = history[np.flatnonzero(mjd <= middle)]
        then = known_on(weather, mjd_of(first)[-1], tmp_path)
        fit = cj.fit_ballistic_coefficient(first, space_weather=then)
        quarter = 0.5 * (mjd[0] + mjd_of(first)[-1])
        halves = [
            cj.fit_ballistic_coefficient(first[np.flatnonzero(part)], space_weather=then).coefficient[0]
            for part in (mjd_of(first) <= quarter, mjd_of(first) >= quarter)
            if part.any()
        ]
        steady = len(halves) == 2 and abs(np.log(halves[1] / halves[0])) < np.log(1.3)
        if fit.raised[0] or not steady or not fit.rms_km[0] < 1.0:
            left_out.append(str(history.name[0]))
            continue
        whole = cj.fit_ballistic_coefficient(history, space_weather=weather).coefficient[0]
        left = mjd[-1] + predicted_life(history[-1], whole, weather) - mjd_of(first)[-1]
        found = predicted_life(first[-1], fit.coefficient[0], then)
        errors.append(found / left - 1.0)
        print(f"  {history.name[0]:<24} {fit.coefficient[0]:.4f} {left:6.1f} {found:6.1f} {100 * errors[-1]:+6.1f} % ")
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
    mjd = mjd_of(catalog)
    first = catalog[np.flatnonzero(mjd < mjd[0] + fitted_days)]
    fit = cj.fit_ballistic_coefficient(first, space_weather=weather)
    last, start = first[-1], mjd_of(first)[-1]
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
        found = float(dataset.altitude.isel(satellite=0).interp(time=time))
        before, after = last.mean_altitude_km[0], catalog.mean_altitude_km[k]
        error = (found - after) / (before - after)
        print(
            f"\n{said}, {before:.1f} km, a year on {after:.1f}, predicted {found:.1f}: {100 * error:+.1f} % of the loss"
        )
    assert abs(error) < 0.2
