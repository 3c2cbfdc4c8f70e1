"""Fit the constants of inputs/environment/forecast.py to past issues of NASA's forecast, and print them with their errors.

    python scripts/fit_forecast.py

It reads every issue of MSAFE from 1999 to 2018 and the space weather observed since, from ../shared/data beside the checkout
(NASA's issues are works of the United States Government, in the package tellurion 0.1.0 too; the observed days are CelesTrak's). An
issue counts from the first day of its month, with the days observed before it. Errors are those of the years that a fit leaves out.
"""

import re
import sys
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.optimize import least_squares, minimize

from constellation_jax.inputs.environment.forecast import (
    LAWS,
    PRESENT_DAYS,
    QUANTILE_95,
    ForecastLaw,
    find_change_by_onset,
)
from constellation_jax.inputs.environment.space_weather import SpaceWeather
from constellation_jax.inputs.environment.space_weather_files import IndexRecords, make_records
from constellation_jax.inputs.times import to_mjd

FOLDER = Path(__file__).parents[1].parent / "shared" / "data" / "space_weather"
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LEADS = np.concatenate([13.5 + 27.0 * np.arange(14), [400, 500, 600, 730, 900, 1100, 1300, 1500, 1800, 2100, 2500]])
"""Middles of the 27-day means that are predicted, days."""
JOIN_LEADS = LEADS < 1200.0
"""Leads to which the relaxation is fitted."""
CYCLE_DAYS = 4018.0


class Issues(NamedTuple):
    """Issues of a forecast of one index against what was observed."""

    year: np.ndarray
    recent: np.ndarray
    """Means of the last 27 and 81 days, shape (2, issues)."""
    now: np.ndarray
    """Forecast at the date of issue, shape (issues,)."""
    forecast: np.ndarray
    observed: np.ndarray
    low: np.ndarray
    high: np.ndarray
    """Medians, truth and percentiles at the leads, shape (issues, leads)."""
    onset: np.ndarray
    """Changes of y by a later and by an earlier onset at the leads, shape (2, issues, leads)."""


def main() -> None:
    if not FOLDER.is_dir():
        sys.exit(f"{FOLDER}: no such folder; the issues of MSAFE and the observed space weather belong there")
    weather = SpaceWeather.load(FOLDER / "sw19571001_2026-10-16.txt.gz").observed_part()
    records = read_issues(FOLDER / "msafe_issues_1999-2018.tar.gz")
    for key, law in LAWS.items():
        issues = collect(records, weather, key)
        left_out = np.empty_like(issues.forecast)
        for year in np.unique(issues.year):
            some = issues.year != year
            left_out[~some] = errors(fit_join(issues, law, some), issues, ~some)
        law = fit_spread(fit_join(issues, law, np.ones(len(issues.year), bool)), issues, left_out)
        print(f"{key}: {law._replace(**{k: float(f'{v:.3g}') for k, v in law._asdict().items() if k != 'limits'})}")
        raw = law.scale(issues.observed) - law.scale(issues.forecast)
        spread = np.hypot(law.noise_at(LEADS), level_spread(law, issues))
        low, high = stated(law, issues)
        inside = (left_out > low) & (left_out < high)
        print("  lead, days:                 " + " ".join(f"{v:5.0f}" for v in LEADS))
        for name, values in (
            ("rms of the issues, y", root_mean_square(raw)),
            ("rms of the join, y", root_mean_square(left_out)),
            ("spread stated, y", root_mean_square(spread)),
            ("rms of the issues, %", relative(issues.observed, issues.forecast)),
            ("rms of the join, %", relative(issues.observed, law.unscale(law.scale(issues.observed) - left_out))),
            ("inside 5 to 95 %, %", 100.0 * inside.mean(axis=0)),
        ):
            print(f"  {name:<28}" + " ".join(f"{v:5.2f}" if v < 3.0 else f"{v:5.0f}" for v in values))


def read_issues(path: Path) -> dict[float, IndexRecords]:
    """Read the issues of an archive, by the Modified Julian Date of the first day of their months."""
    found = {}
    with tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name).name.lower()
            match, file = re.match(r"([a-z]{3})(\d{4})", name), archive.extractfile(member)
            if match and file is not None:
                month = MONTHS.index(match[1]) + 1
                found[to_mjd(f"{match[2]}-{month:02d}-01")] = make_records(name, file.read())
    return dict(sorted(found.items()))


def collect(records: dict[float, IndexRecords], weather: SpaceWeather, key: str) -> Issues:
    total = np.append(0.0, np.cumsum(getattr(weather, key)))
    rows = []
    for mjd, issue in records.items():
        day = int(mjd - weather.first_mjd)

        def mean(first: float, last: float, day: int = day) -> float:
            begin, end = int(day + first), int(day + last)
            return (total[end] - total[begin]) / (end - begin)

        days = np.arange(int(LEADS[-1]) + 1)
        y = LAWS[key].scale(np.interp(mjd + days, issue.mjd, getattr(issue, key)))
        onset = [np.interp(LEADS, days, find_change_by_onset(y, side)) for side in (-1, 1)]
        columns = (getattr(issue, key), issue.percentiles[f"{key}_low"], issue.percentiles[f"{key}_high"])
        middle, low, high = (np.interp(mjd + LEADS, issue.mjd, values) for values in columns)
        observed = np.array([mean(lead - 13.5, lead + 13.5) for lead in LEADS])
        recent = [mean(-days, 0) for days in PRESENT_DAYS]
        year = int(1858.88 + mjd / 365.25)
        rows.append((year, recent, np.interp(mjd, issue.mjd, getattr(issue, key)), middle, observed, low, high, onset))
    year, recent, now, *rest, onsets = (np.array(column) for column in zip(*rows, strict=True))
    return Issues(year, recent.T, now, *rest, onsets.swapaxes(0, 1))


def errors(law: ForecastLaw, issues: Issues, some: np.ndarray) -> np.ndarray:
    """Errors of a law, y of the observed minus y of the predicted, shape (some issues, leads)."""
    rotation, three = law.scale(issues.recent[:, some])
    then = law.scale(issues.now[some])
    recent = law.recent * np.exp(-LEADS / law.recent_days)
    lasting = law.lasting * np.exp(-LEADS / law.lasting_days)
    y = law.scale(issues.forecast[some]) + np.outer(rotation - three, recent) + np.outer(three - then, lasting)
    return law.scale(issues.observed[some]) - y


def fit_join(issues: Issues, law: ForecastLaw, some: np.ndarray) -> ForecastLaw:
    """Fit the join to relative errors, which drag feels; the distance of the last three rotations lasts for a cycle at most."""
    size = root_mean_square(np.log(issues.observed / issues.forecast))

    def with_join(x: np.ndarray) -> ForecastLaw:
        return law._replace(recent=x[0], recent_days=x[1], lasting=x[2], lasting_days=x[3])

    def misses(x: np.ndarray) -> np.ndarray:
        one = with_join(x)
        predicted = one.unscale(law.scale(issues.observed[some]) - errors(one, issues, some))
        return (np.log(issues.observed[some] / predicted) / size)[:, JOIN_LEADS].ravel()

    bounds = ([0.0, 10.0, 0.0, 50.0], [1.0, 180.0, 1.0, CYCLE_DAYS])
    return with_join(least_squares(misses, [0.6, 100.0, 0.7, 1000.0], bounds=bounds).x)


def fit_spread(law: ForecastLaw, issues: Issues, left_out: np.ndarray) -> ForecastLaw:
    """Fit the spread by likelihood: of the errors at each lead, and of the means over 81, 189 and 351 days, which noise leaves."""
    windows = (3, 7, 13)

    def with_spread(x: np.ndarray) -> ForecastLaw:
        return law._replace(noise=x[0], noise_days=x[1], widening=x[2], widening_days=x[3])

    def surprise(x: np.ndarray) -> float:
        one = with_spread(np.exp(x))
        level = level_spread(one, issues)
        errors, spreads = [left_out], [np.hypot(one.noise_at(LEADS), level)]
        for n in windows:
            lead = LEADS[:n]
            apart, both = np.abs(lead[:, None] - lead), lead[:, None] + lead + 14.0
            noise = one.noise**2 * (np.exp(-apart / one.noise_days) - np.exp(-both / one.noise_days))
            errors.append(left_out[:, :n].mean(axis=1))
            spreads.append(np.sqrt(noise.mean() + level[:, :n].mean(axis=1) ** 2))
        return sum(float((np.log(s) + 0.5 * (e / s) ** 2).mean()) for e, s in zip(errors, spreads, strict=True))

    bounds = np.log([(0.05, 1.0), (5.0, 400.0), (0.3, 5.0), (1.0, 3000.0)])
    return with_spread(np.exp(minimize(surprise, np.log([0.3, 60.0, 1.2, 300.0]), bounds=bounds).x))


def level_spread(law: ForecastLaw, issues: Issues) -> np.ndarray:
    own = (law.scale(issues.high) - law.scale(issues.low)) / (2.0 * QUANTILE_95)
    level = law.widening * (1.0 - np.exp(-LEADS / law.widening_days)) * own
    return np.hypot(level, root_mean_square(issues.onset) / QUANTILE_95)


def stated(law: ForecastLaw, issues: Issues) -> tuple[np.ndarray, np.ndarray]:
    """Least and greatest error, in y, within the stated percentiles."""
    sides = zip((issues.low, issues.high), issues.onset, (-1.0, 1.0), strict=True)
    low, high = (
        side
        * np.sqrt(
            (law.widening * (1.0 - np.exp(-LEADS / law.widening_days)) * (law.scale(edge) - law.scale(issues.forecast)))
            ** 2
            + onset**2
            + (QUANTILE_95 * law.noise_at(LEADS)) ** 2
        )
        for edge, onset, side in sides
    )
    return low, high


def root_mean_square(values: np.ndarray) -> np.ndarray:
    return np.sqrt((values**2).mean(axis=0))


def relative(observed: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    return 100.0 * root_mean_square(np.log(observed / predicted))


if __name__ == "__main__":
    main()
