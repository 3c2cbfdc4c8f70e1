"""Real re-entries against predictions: B fitted on the first half of each history, the rest predicted with what was known then.

Known on that day are the elements, and the activity of the Sun up to it, whose last 27 days are then held. The truth is the
last set and the few hours or days that are left from it (B of the whole history). Left out are the objects whose fit is in doubt
(`BallisticFit.doubt`), by the first half alone.
"""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np

import constellation_jax as cj
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import MJD_1970


class Reentry(NamedTuple):
    name: str
    coefficient: float
    """B fitted on the first half, m2/kg."""
    observed_days: float
    """From the middle of the history on."""
    predicted_days: float

    @property
    def error(self) -> float:
        return self.predicted_days / self.observed_days - 1.0


def observed_weather(shared_data: Path, folder: Path) -> SpaceWeather:
    path = folder / "sw19571001.txt"
    path.write_bytes(gzip.decompress((shared_data / "space_weather/sw19571001_2026-10-16.txt.gz").read_bytes()))
    return cj.SpaceWeather.load(path)


def predictions(name: str, shared_data: Path, weather: SpaceWeather, folder: Path) -> tuple[list[Reentry], list[str]]:
    """What was predicted of the re-entries of 2026, "other" or "starlink", and the names of the objects left out."""
    catalog = cj.read_catalog(shared_data / f"decay/reentries_2026_{name}.tle.gz").sort("epoch")
    found, left_out = [], []
    for number in sorted(set(catalog.norad_id.tolist())):
        history = catalog[np.flatnonzero(catalog.norad_id == number)]
        mjd = to_mjd(history)
        middle = 0.5 * (mjd[0] + mjd[-1])
        first = history[np.flatnonzero(mjd <= middle)]
        then = _known_on(weather, to_mjd(first)[-1], folder)
        fit = cj.fit_ballistic_coefficient(first, space_weather=then)
        if fit.doubt[0]:
            left_out.append(str(history.name[0]))
            continue
        whole = cj.fit_ballistic_coefficient(history, space_weather=weather).coefficient[0]
        left = mjd[-1] + _predicted_life(history[-1], whole, weather) - to_mjd(first)[-1]
        life = _predicted_life(first[-1], fit.coefficient[0], then)
        found.append(Reentry(str(history.name[0]), fit.coefficient[0], left, life))
    return found, left_out


def to_mjd(catalog: Catalog) -> np.ndarray:
    return catalog.epoch_day + catalog.epoch_fraction


def _known_on(weather: SpaceWeather, mjd: float, folder: Path) -> SpaceWeather:
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
    return cj.SpaceWeather.load(path)


def _predicted_life(last: Catalog, coefficient: float, weather: SpaceWeather) -> float:
    return float(cj.lifetimes(last, years=0.9, ballistic_coefficient=coefficient, space_weather=weather)[0])
