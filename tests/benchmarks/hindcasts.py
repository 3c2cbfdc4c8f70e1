"""Honest hindcasts: decays predicted with what was known on a day, against what happened.

Known on a day are the element sets up to it, the space weather observed up to the day before, and a forecast issued before it:
NASA's issue of the month before (1999 to 2018), for 2026 CelesTrak's monthly predictions of February. Each object is predicted
twice, from its last element set alone and from the fit of its history; all objects of a day are one decay.
"""

import tarfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.inputs.times import from_mjd, to_mjd

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
HISTORIES = {  # file, first and last day of prediction, days between them
    "GeneSat-1": ("decay/genesat-1_29655_2006-2010", "2007-04-01", "2010-03-01", 122),
    "Dove-2": ("series/dove-2_39132_2013-2017", "2014-03-01", "2016-12-01", 122),
    "1970-025QQ": ("series/deb-1970-025qq_26821_2001-2017", "2002-01-01", "2016-10-01", 304),
}
FIT_DAYS = 90.0
HORIZONS = (182.625, 365.25, 730.5)
"""Days after which losses of altitude are compared."""
QUANTILE_95 = 1.6448536
SUNS = ("forecast", "held", "observed")


class Hindcast(NamedTuple):
    """One prediction against what happened: a loss of altitude (km), or days to re-entry."""

    group: str
    kind: str
    """"single set" or "fitted history"."""
    days: float
    """Time predicted."""
    doubt: int
    """Reason to doubt the fit; 0 without one."""
    truth: float
    low: float
    middle: float
    high: float

    @property
    def error(self) -> float:
        return self.middle / self.truth - 1.0

    @property
    def z(self) -> float:
        """Deviation in standard ones of the side on which it lies: 1.645 at the 5th and the 95th percentile."""
        off = np.log(self.truth / self.middle)
        side = self.high if off > 0.0 else self.low
        if side == self.middle:  # no band
            return float("nan")
        return float(QUANTILE_95 * off / abs(np.log(side / self.middle))) if np.isfinite(side) else 0.0


@cache
def issue_of(shared_data: Path, mjd: float, folder: Path) -> Path:
    """NASA's forecast of the month before a day, or the last one before that."""
    month = from_mjd([mjd])[0].astype("M8[M]")
    with tarfile.open(shared_data / "space_weather" / "msafe_issues_1999-2018.tar.gz") as issues:
        names = {name.lower(): name for name in issues.getnames()}
        for back in range(1, 7):
            year, number = divmod(int((month - back).astype(int)), 12)
            found = [n for n in names if f"{MONTHS[number]}{1970 + year}" in n]
            if found:
                file = issues.extractfile(names[found[0]])
                assert file is not None
                path = folder / f"{1970 + year}-{number + 1:02d}.txt"
                path.write_bytes(file.read())
                return path
    raise AssertionError(f"no issue of the half year before {month}")


def losses(shared_data: Path, weather: SpaceWeather, folder: Path, *, sun: str = "forecast") -> Iterator[Hindcast]:
    """Losses of altitude of passive satellites after half a year, one and two, under one of SUNS."""
    histories = {n: cj.read_catalog(shared_data / f"{v[0]}.tle.gz").sort("epoch") for n, v in HISTORIES.items()}
    days: dict[float, list[str]] = {}
    for name, (_, first, last, step) in HISTORIES.items():
        for day in np.arange(np.datetime64(first), np.datetime64(last), step).astype("M8[M]").astype("M8[D]"):
            days.setdefault(to_mjd(str(day)), []).append(name)
    for day, names in sorted(days.items()):
        issue = issue_of(shared_data, day, folder) if sun == "forecast" else None
        known = know(weather, day, sun, issue)
        past = [cut(histories[name], day - FIT_DAYS, day) for name in names]
        dataset, doubts = predict(past, known, HORIZONS[-1] / 365.25 + 0.05)
        for k, name in enumerate(names * 2):
            one = dataset.isel(satellite=k)
            start = to_mjd(one.epoch.values)
            before = float(altitude_about(histories[name], start))
            tracks = one.mean_altitude_percentile if "percentile" in one.dims else one.mean_altitude
            for horizon in HORIZONS:
                after = altitude_about(histories[name], start + horizon)
                if not np.isfinite(after):
                    continue
                bands = np.broadcast_to(tracks.interp(time=from_mjd([start + horizon])[0]).values, 3)
                if np.isnan(bands).any():  # down in one of ten futures: the loss is the whole altitude
                    bands = np.where(np.isnan(bands), 120.0, bands)
                first = float(past[k % len(names)].mean_altitude_km[-1])
                loss = first - bands[::-1]
                kind = "single set" if k < len(names) else "fitted history"
                yield Hindcast(name, kind, horizon, int(doubts[k]), before - float(after), *loss)


def reentries(shared_data: Path, weather: SpaceWeather, *, sun: str = "forecast") -> Iterator[Hindcast]:
    """Days left to the re-entries of 2026, predicted each week from sets of at least eight days, under one of SUNS."""
    forecast = shared_data / "space_weather" / "SW-All_2026-02-23.csv.gz"
    catalogs = {
        group: cj.read_catalog(shared_data / f"decay/reentries_2026_{group}.tle.gz").sort("epoch")
        for group in ("other", "starlink")
    }
    whole = [(group, part) for group, catalog in catalogs.items() for part in by_object(catalog)]
    ends = cj.fit_ballistic_coefficient(Catalog.concatenate([part for _, part in whole]), space_weather=weather)
    newest = Catalog.concatenate([part[-1] for _, part in whole])
    left = cj.lifetimes(newest, years=0.9, ballistic_coefficient=ends.coefficient, space_weather=weather)
    for day in np.arange(to_mjd("2026-05-22"), to_mjd("2026-08-15"), 7.0):
        some = [
            (k, cut(part, 0.0, day))
            for k, (_, part) in enumerate(whole)
            if dates(part)[0] < day - 8.0 and dates(part)[-1] > day + 4.0 and len(cut(part, 0.0, day)) >= 5
        ]
        if not some:
            continue
        known = know(weather, day, sun, forecast)
        dataset, doubts = predict([past for _, past in some], known, 0.9)
        for j in range(2 * len(some)):
            k = some[j % len(some)][0]
            one = dataset.isel(satellite=j)
            truth = dates(whole[k][1])[-1] + left[k] - to_mjd(one.epoch.values)
            lives = one.lifetime_percentile.values if "percentile" in one.dims else [float(one.lifetime)] * 3
            life = [float(v) if np.isfinite(v) else np.inf for v in lives]
            if not np.isfinite(life[1]) or not np.isfinite(left[k]):
                continue
            kind = "single set" if j < len(some) else "fitted history"
            yield Hindcast(whole[k][0], kind, truth, int(doubts[j]), truth, *life)


def know(weather: SpaceWeather, day: float, sun: str, forecast: Path | None) -> SpaceWeather:
    """Space weather of a prediction of a day: with the forecast, with the mean of the last 27 days held, or as it came."""
    if sun == "observed":
        return weather
    known = weather.observed_part(until=day)
    if sun == "forecast":
        return cj.SpaceWeather.load(known, forecast=forecast)
    held = {key: np.append(v, np.full(900, v[-27:].mean())) for key, v in (("f107", known.f107), ("ap", known.ap))}
    f107a = np.append(known.f107a, np.full(900, known.f107[-27:].mean()))
    flags = np.append(known.flags, np.zeros(900, np.uint8))
    return SpaceWeather("held", known.first_mjd, held["f107"], f107a, held["ap"], flags, {})


def predict(past: list[Catalog], known: SpaceWeather, years: float) -> tuple[xr.Dataset, np.ndarray]:
    """Decay the last set of each history, first with the B of its drag term, then with the fit; also the doubts of the fits."""
    fit = cj.fit_ballistic_coefficient(Catalog.concatenate(past), space_weather=known)
    last = Catalog.concatenate([one[-1] for one in past])
    nan = np.full(len(last), np.nan)
    coefficient, error, doubt, _ = fit.match(last)
    dataset = cj.decay(
        Catalog.concatenate([last, last]),
        years=years,
        ballistic_coefficient=np.append(nan, coefficient),
        ballistic_error=np.append(nan, np.where(np.isnan(error), 0.6, error)),
        space_weather=known,
        ensemble=20,
        progress=None,
    )
    return dataset, np.append(np.zeros(len(last), int), doubt)


def cut(catalog: Catalog, first: float, last: float) -> Catalog:
    mjd = dates(catalog)
    return catalog[np.flatnonzero((mjd >= first) & (mjd < last))]


def dates(catalog: Catalog) -> np.ndarray:
    """Epochs of the sets, Modified Julian Dates."""
    return catalog.epoch_day + catalog.epoch_fraction


def by_object(catalog: Catalog) -> list[Catalog]:
    numbers = dict.fromkeys(catalog.norad_id.tolist())
    return [catalog[np.flatnonzero(catalog.norad_id == number)] for number in numbers]


def altitude_about(catalog: Catalog, mjd: float) -> float:
    """Mean altitude at a date from the sets of the days about it, km; NaN without one."""
    near = cut(catalog, mjd - 3.0, mjd + 3.0)
    if len(near) < 2:
        return float("nan")
    when = near.epoch_day + near.epoch_fraction - mjd
    return float(np.polynomial.polynomial.polyfit(when, near.mean_altitude_km, 1)[0])


def inside(cases: list[Hindcast]) -> float:
    """Share of the cases within the stated 5 to 95 %."""
    return float(np.mean([abs(case.z) <= QUANTILE_95 for case in cases]))


def describe(cases: list[Hindcast]) -> str:
    size = np.abs([case.error for case in cases])
    text = (
        f"{len(cases):4d}  median {100 * np.median(size):5.1f} %  nine in ten {100 * np.quantile(size, 0.9):5.0f} %  "
        f"bias {100 * np.median([case.error for case in cases]):+5.1f} %"
    )
    return text if np.isnan(cases[0].z) else f"{text}  inside 5 to 95 %: {100 * inside(cases):3.0f} %"
