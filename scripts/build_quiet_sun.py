"""Write the table of NRLMSISE-00's correction under a quiet Sun, nrlmsise00-calibrated.npz, into the package. Half a minute.

    python scripts/build_quiet_sun.py

The shape of the correction by altitude is not fitted. Emmert, Lean & Picone (2010) explain the densities of 2007 to 2009 by an
exosphere 14 K colder than that of their climatology, and by 12 % less atomic oxygen and 3 % less of all else at its base; what
that does to the density at each altitude is NRLMSISE-00's own response. One number is fitted, its size, to the decay of five
passive objects in ../shared/data beside the checkout, each with a B of its own that has to hold at all times. Everything is
printed, with the fits that leave an object out and those of other laws.
"""

import datetime
import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pymsis
from build_atmosphere import TARGET, altitudes, spline_matrix

import constellation_jax as cj
from constellation_jax.inputs.environment.atmosphere import compute_checksum, load_provenance
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.physics.constants import MJD_J2000, YEAR_DAYS
from constellation_jax.physics.drag import quiet_sun as law
from constellation_jax.physics.drag.atmosphere import BASIS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from quiet_sun import FILES, Track, Window, follow, read_history, split  # noqa: E402 - found by the path above
from reentries import observed_weather  # noqa: E402

SHARED_DATA = ROOT.parent / "shared" / "data"
COLDER_K, LESS_OXYGEN, LESS_OTHERS = 14.0, 0.12, 0.03
"""Emmert, Lean & Picone, Geophys. Res. Lett. 37, L12102 (2010), abstract."""
WINDOW_DAYS = {"1970-025QQ": 60.0, "Dove-2": 18.0, "GeneSat-1": 12.0, "Delfi-PQ": 10.0, "Omid": 8.0}
"""Windows in which an object sinks by several times the scatter of its sets."""
OWN_SCATTER = 0.12
"""Scatter of ln B of an object that no law of the density explains: its attitude, and the weather of the atmosphere."""
INDEPENDENT_DAYS = 30.0
"""Time after which that scatter is another one."""
REFERENCE_KM = 400.0
INTERMINIMA_CHANGE = 0.64
"""Ratio of the density at 400 km of 2008.8 to that of 1996.4, means over a year (Emmert et al. 2014)."""

Values = np.ndarray
Weather = tuple[Values, Values, Values]
Law = Callable[[Weather, Values], list[Values]]
"""Terms of ln(density) by (f107a, ap, year) and the shape at the altitude."""


def main() -> None:
    if not SHARED_DATA.is_dir():
        sys.exit(f"{SHARED_DATA}: no such folder; the histories of the objects belong there")
    cj.configure()
    knots = altitudes()
    shape = make_shape(knots)
    print(
        "shape:", ", ".join(f"{h:.0f} km {np.interp(h, knots, shape):.2f}" for h in (200, 300, 400, 500, 600, 700, 850))
    )
    with tempfile.TemporaryDirectory() as folder:
        weather = observed_weather(SHARED_DATA, Path(folder))
    tracks = {name: follow(read_history(SHARED_DATA, name), weather, "nrlmsise00") for name in FILES}
    windows = {name: split(track, WINDOW_DAYS[name]) for name, track in tracks.items()}

    def terms_of(these: Law) -> dict[str, Values]:
        """Terms of a law in the windows of each object, means over the sinking; shape (windows, terms)."""
        found = {}
        for name, track in tracks.items():
            daily = these(indices(weather, track), np.interp(track.piece_altitude, knots, shape))
            found[name] = np.array([[(w.weights * v[w.pieces]).sum() for v in daily] for w in windows[name]])
        return found

    for label, these in other_laws().items():
        report(label, windows, terms_of(these))
    size, error, without = report("the law", windows, terms_of(quiet))
    compare_minima(weather, size * np.interp(REFERENCE_KM, knots, shape))
    write(spline_matrix() @ (size * shape), size, error, without)


def make_shape(heights: Values) -> Values:
    """Change of ln(density), global means, for the colder exosphere and its thinner base; 1 at 400 km."""
    dates = np.array([f"2008-{month:02d}-15T12:00" for month in range(1, 13, 2)], "datetime64[s]")
    latitudes = np.degrees(np.arcsin(np.polynomial.legendre.leggauss(6)[0]))
    weights = np.polynomial.legendre.leggauss(6)[1] / 2.0

    def means(flux: float) -> tuple[Values, Values, float]:
        n = len(dates)
        out = pymsis.calculate(
            dates, np.arange(8) * 45.0, latitudes, heights, [flux] * n, [flux] * n, [[7.0] * 7] * n, version=0
        )
        out = np.tensordot(weights, np.nan_to_num(out[..., :11]).mean(axis=(0, 1)), 1)
        oxygen = out[:, pymsis.Variable.O] * 16.0 * 1.66053907e-27
        return out[:, pymsis.Variable.MASS_DENSITY], oxygen, out[-1, pymsis.Variable.TEMPERATURE]

    (low, _, cold), (density, oxygen, _), (high, _, warm) = (means(flux) for flux in (65.0, 70.0, 75.0))
    response = np.log(high / low) / (warm - cold)
    share = np.clip(oxygen / density, 0.0, 1.0)
    change = -COLDER_K * response + np.log(1.0 - LESS_OXYGEN) * share + np.log(1.0 - LESS_OTHERS) * (1.0 - share)
    return change / np.interp(REFERENCE_KM, heights, change)


def indices(weather: SpaceWeather, track: Track) -> Weather:
    """F10.7A, Ap and year in the middle of each piece, of the day that each is in, as daily steps have them."""
    found = weather.at(np.floor(track.piece_mjd) + 0.5)
    return found.f107a, found.ap, 2000.0 + (track.piece_mjd - MJD_J2000) / YEAR_DAYS


def quiet(at: Weather, shape: Values) -> list[Values]:
    return [np.asarray(law.weight(*at), np.float64) * shape]


def other_laws() -> dict[str, Law]:
    """Laws that were tried: other places and widths of the change, no dependence on Ap, more terms."""

    def make(flux: float, width: float, ap: float | None = law.QUIET_AP) -> Law:
        def terms(at: Weather, shape: Values) -> list[Values]:
            fading = 1.0 if ap is None else np.exp(-at[1] / ap)
            return [shape * fading / (1.0 + np.exp((at[0] - flux) / width))]

        return terms

    def with_season(at: Weather, shape: Values) -> list[Values]:
        angle = 2.0 * np.pi * at[2]
        return [*quiet(at, shape), np.cos(2.0 * angle), np.sin(2.0 * angle)]

    def with_activity(at: Weather, shape: Values) -> list[Values]:
        return [*quiet(at, shape), shape * np.log(at[0] / 100.0)]

    return {
        "none": lambda at, shape: [],
        "no Ap": make(80.0, 5.0, None),
        "Ap 5": make(80.0, 5.0, 5.0),
        "Ap 20": make(80.0, 5.0, 20.0),
        "F10.7A 76, 4": make(76.0, 4.0),
        "F10.7A 84, 8": make(84.0, 8.0),
        "semi-annual": with_season,
        "ln F10.7A": with_activity,
    }


def report(
    label: str, windows: dict[str, list[Window]], terms: dict[str, Values]
) -> tuple[float, float, dict[str, float]]:
    """Fit a law with all objects and without each, print it, and return its first coefficient, its error and those without each."""
    whole, error = fit(windows, terms)
    without, scatter = {}, {}
    for name in windows:
        rest = {other: v for other, v in windows.items() if other != name}
        left = fit(rest, terms)[0]
        ln_b = np.log([w.coefficient for w in windows[name]]) - terms[name] @ left
        without[name], scatter[name] = (float(left[0]) if len(left) else 0.0), float(ln_b.std())
    size = [float(v[0]) if len(v) else 0.0 for v in (whole, error)]
    print(
        f"{label:<14} {size[0]:+.3f} +- {size[1]:.3f}; scatter of ln B of the object left out: "
        + ", ".join(f"{name} {scatter[name]:.3f} ({without[name]:+.2f})" for name in windows)
    )
    return size[0], size[1], without


def fit(windows: dict[str, list[Window]], terms: dict[str, Values]) -> tuple[Values, Values]:
    """Coefficients of the terms of ln B, with a constant for each object, and their errors; outliers count less (Cauchy)."""
    names = list(windows)
    rows, values, weights = [], [], []
    for k, name in enumerate(names):
        own = np.zeros((len(windows[name]), len(names)))
        own[:, k] = 1.0
        rows.append(np.hstack([own, terms[name].reshape(len(own), -1)]))
        values.append(np.log([w.coefficient for w in windows[name]]))
        variance = OWN_SCATTER**2 + np.array([w.relative_error for w in windows[name]]) ** 2
        weights.append(np.sqrt(min(1.0, WINDOW_DAYS[name] / INDEPENDENT_DAYS) / variance))
    a, y, w = np.concatenate(rows), np.concatenate(values), np.concatenate(weights)
    now = w
    for _ in range(20):
        found = np.linalg.lstsq(a * now[:, None], y * now, rcond=None)[0]
        residual = y - a @ found
        now = w / np.sqrt(1.0 + (residual / (2.5 * 1.4826 * np.median(np.abs(residual)))) ** 2)
    covariance = np.linalg.inv((a * now[:, None]).T @ (a * now[:, None]))
    return found[len(names) :], np.sqrt(np.diag(covariance))[len(names) :]


def compare_minima(weather: SpaceWeather, size: float) -> None:
    """Print the share of the correction in 1996 with which the density at 400 km falls to 2008 as it was observed to."""
    plain, full = [], []
    for year in (1996.4, 2008.8):
        mjd = MJD_J2000 + (year - 2000.0) * YEAR_DAYS + np.arange(-182.0, 183.0)
        found = weather.at(mjd)
        dates = (np.floor(mjd) - 40587.0).astype("datetime64[D]")
        out = pymsis.calculate(
            np.repeat(dates, 12),
            np.tile(np.arange(12) * 30.0, len(dates)),
            np.tile([-70.0, -42.0, -14.0, 14.0, 42.0, 70.0] * 2, len(dates)),
            np.full(12 * len(dates), REFERENCE_KM),
            np.repeat(found.f107, 12),
            np.repeat(found.f107a, 12),
            np.repeat(found.ap, 12)[:, None] * np.ones(7),
            version=0,
        )
        area = np.cos(np.radians([-70.0, -42.0, -14.0, 14.0, 42.0, 70.0] * 2))
        density = (out[:, 0].reshape(-1, 12) * area).sum(axis=1) / area.sum()
        plain.append(density.mean())
        weight = np.asarray(law.weight(found.f107a, found.ap, 2020.0))
        full.append(np.log((density * np.exp(size * weight)).mean() / density.mean()))
    missing = np.log(INTERMINIMA_CHANGE) - np.log(plain[1] / plain[0])
    print(
        f"1996.4 to 2008.8: NRLMSISE-00 {plain[1] / plain[0] - 1.0:+.0%}, observed {INTERMINIMA_CHANGE - 1.0:+.0%}; "
        f"correction {full[1]:.2f}, in 1996 {full[0]:.2f} times {(full[1] - missing) / full[0]:.2f}"
    )


def write(quiet_sun: Values, size: float, error: float, without: dict[str, float]) -> None:
    quiet_sun = quiet_sun.astype(np.float32)
    attributes: dict[str, Any] = {
        "title": "correction of ln(density) of NRLMSISE-00 under a quiet Sun, by splines in altitude",
        "model": "NRLMSISE-00 corrected under a quiet Sun",
        "corrects": load_provenance("nrlmsise00")["sha256"],
        "at_400_km": [round(size, 3), round(error, 3)],
        "without_an_object": {name: round(value, 3) for name, value in without.items()},
        "references": "Emmert, Lean & Picone (2010), doi:10.1029/2010GL043671; Emmert et al. (2014), doi:10.1002/2013JA019484",
        "pymsis_version": pymsis.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        "script": "scripts/build_quiet_sun.py",
        "basis": list(BASIS),
        "sha256": compute_checksum(quiet_sun),
    }
    path = TARGET / "nrlmsise00-calibrated.npz"
    np.savez_compressed(path, quiet_sun=quiet_sun, attributes=np.array(json.dumps(attributes)))
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    main()
