"""Decay of a catalogue by drag: altitudes over years, lifetimes and their spread, as a Dataset."""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.decay.engine import TRACKS, Decay, DecayProgress, Floats, Objects, run, stays_up
from constellation_jax.engine.decay.integrator import REENTRY_ALTITUDE_KM
from constellation_jax.engine.default_device import on_device
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, check_model, describe_model
from constellation_jax.inputs.environment.space_weather_series import CONSTANT, SpaceWeather, SpaceWeatherSource
from constellation_jax.inputs.times import Time, from_mjd, parse_time, to_mjd
from constellation_jax.outputs.datasets.decay import DISPOSAL_RULES, make_decay_dataset
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.studies.decay.ballistic_fit import BallisticFit
from constellation_jax.studies.decay.bands import compute_bands, lifetimes_and_dates
from constellation_jax.studies.decay.inputs import (
    ballistic_coefficients,
    check_end,
    choose_step_days,
    describe_space_weather,
    has_forecast,
    make_objects,
    make_series,
    resolve_space_weather,
)
from constellation_jax.studies.decay.orbit_control import find_decay_meanings, find_orbit_control
from constellation_jax.studies.decay.short_lives import DAILY, CalendarPart, refine_short_lives
from constellation_jax.studies.decay.spread import CAUSES, PERCENTILES

LIFETIME_YEARS: Final = 25.0
"""Span of `lifetimes` if not given."""
LUNI_SOLAR_APOGEE_KM: Final = 8000.0
"""With a higher apogee, the Moon and the Sun move the perigee by as much as drag does."""
_OUTPUT_TIMES = 300
"""Rows of the dataset in time, about."""
_LONGEST_YEARS = 200.0
_MEMBERS: Final = 20
"""Members of the ensemble if not given."""
_MOST_MEMBERS: Final = 1000
_LOGGER = logging.getLogger("constellation_jax")


@on_device
def decay(
    catalog: Catalog,
    *,
    years: float = 25.0,
    start: Time | None = None,
    ballistic_coefficient: ArrayLike | BallisticFit | None = None,
    ballistic_error: ArrayLike | None = None,
    solar: str = "median",
    space_weather: SpaceWeatherSource | None = None,
    atmosphere: str = CALIBRATED,
    ensemble: int | None = None,
    seed: int = 0,
    strict: bool = False,
    client: Any = None,
    progress: DecayProgress | None = None,
    device: str | None = None,
) -> xr.Dataset:
    """Decay of every object of a catalogue by drag: altitude over time, lifetime and date of re-entry with their spread.

    Nothing manoeuvres: what holds or changes its orbit today is left alone from the start on. It is marked (`manoeuvres`), and
    so is what its decay means (`decay_meaning`); it takes the ballistic coefficient of its class, where a shell file states one.

    Args:
        catalog: n objects.
        years: span, up to 200.
        start: date at which every decay begins (UTC), to which the elements are advanced by J2 alone; each object's own epoch if
            not given.
        ballistic_coefficient: Cd A / m in m2/kg, one number or one for each object, NaN where not known; or the result of
            `fit_ballistic_coefficient`, whose coefficients, errors and doubts go to the objects of the same catalogue number. What
            is not given is taken from the catalogue, from the drag term of the element set, or is assumed:
            `ballistic_coefficient_source`.
        ballistic_error: relative standard error of the coefficients given as numbers, one or one for each object, NaN where
            not known; 0.1 if not given.
        solar: "low", "median" or "high", the 5th, 50th and 95th percentile of the forecast.
        space_weather: source as for `SpaceWeather.load`; the bundled table if not given.
        atmosphere: model of the atmosphere: "nrlmsise00-calibrated" (NRLMSISE-00 corrected under a quiet Sun), "nrlmsise00" (plain)
            or "nrlmsis21". A ballistic coefficient that was fitted belongs to the model of the fit.
        ensemble: members of the ensemble of solar activity from which percentiles come, up to 1,000; 0 leaves them out. 20 if not
            given, where the scenario is "median" and days of the span are a forecast. The percentiles hold the errors of the
            coefficient and of the model of the atmosphere too. An ensemble that is asked for and cannot be
            had is warned of; the attribute `ensemble_absent` says why in either case.
        seed: seed of the ensemble.
        strict: True makes an error of a ballistic coefficient that is assumed, or outside 1e-4 to 1 m2/kg; else it is logged as a
            warning, and stands in the attribute `ballistic_coefficient_notes`.
        client: of a Dask cluster (`distributed.Client`), whose workers decay the members of the ensemble, to the same bits.
        progress: called as work is done, with the number of objects done and of all objects.
        device: platform to compute on, such as "cpu" or "gpu", all of whose local devices are used; None: JAX's default.

    Returns:
        Dataset, see the page on decay. With no object above 120 km it has no satellites, and a warning says so.

    Raises:
        InputError: no object; a span, date, scenario, source, model or device that does not serve.
        OutputError: the cluster was lost.
    """
    check_model(atmosphere)
    if not len(catalog):
        raise InputError("catalogue: no objects; there is nothing to decay")
    if not 0.0 < years <= _LONGEST_YEARS:
        raise InputError(f"years {years!r}: expected a number above 0, up to {_LONGEST_YEARS:g}")
    if ensemble is not None and not 0 <= ensemble <= _MOST_MEMBERS:
        raise InputError(f"ensemble of {ensemble} members: expected 0 to {_MOST_MEMBERS:,}")
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more")
    weather = resolve_space_weather(space_weather, solar)
    fit = ballistic_coefficient if isinstance(ballistic_coefficient, BallisticFit) else None
    given = None if fit is not None or ballistic_coefficient is None else np.asarray(ballistic_coefficient, np.float64)
    stated = None if ballistic_error is None else np.asarray(ballistic_error, np.float64)
    if start is not None:
        catalog.warn_of_age(np.array([parse_time(start)]))
    earliest = float((catalog.epoch_day + catalog.epoch_fraction).min()) if start is None else to_mjd(start)
    control = find_orbit_control(catalog)
    keep = _perigee(catalog) > REENTRY_ALTITUDE_KM
    if not keep.all():
        _LOGGER.warning(
            "%d of %d objects are below %g km at their epochs", (~keep).sum(), len(keep), REENTRY_ALTITUDE_KM
        )
    if not keep.any():
        given, stated = (v[keep] if v is not None and v.ndim else v for v in (given, stated))
        catalog, control, keep = catalog[keep], control.take(keep), keep[keep]
    if fit is not None:
        given, stated, doubt, pieces = fit.match(catalog)
    b = ballistic_coefficients(
        catalog,
        given,
        weather,
        of_class=control.coefficient,
        model=atmosphere,
        stated_error=stated,
        is_fitted=fit is not None,
        strict=strict,
    )
    control = control.add(b.is_held, catalog)
    objects = make_objects(catalog, b.coefficient, None if start is None else earliest)
    span = _span(objects, years, earliest)
    alive = np.flatnonzero(keep)
    found = _run(objects, alive, weather, atmosphere, span, progress)
    lifetime = np.where(found.lifetime_days <= years * YEAR_DAYS, found.lifetime_days, np.inf)
    a, e = found.tracks["semi_major_axis"], found.tracks["eccentricity"]
    radius = np.float32(WGS84_EQUATORIAL_RADIUS_KM)
    arrays: dict[str, NDArray[Any]] = {
        "mean_altitude": a - radius,
        "perigee": a * (1 - e) - radius,
        "apogee": a * (1 + e) - radius,
        "decay_rate": found.tracks["decay_rate"],
        "density": found.tracks["density"],
        **lifetimes_and_dates("lifetime", "reentry_date", lifetime, objects.mjd),
        "ballistic_coefficient": b.coefficient,
        "ballistic_coefficient_source": b.source,
        "ballistic_coefficient_error": b.relative_error,
        "manoeuvres": control.manoeuvres.astype(np.int8),
        "match_state": control.match_state,
        "decay_meaning": find_decay_meanings(control),
        "luni_solar": (_apogee(catalog) > LUNI_SOLAR_APOGEE_KM).astype(np.int8),
        "decay_status": np.where(lifetime == 0.0, 2, np.isinf(lifetime)).astype(np.int8),
    }
    if fit is not None:
        arrays |= {"ballistic_coefficient_doubt": doubt, "ballistic_coefficient_pieces": pieces}
    for name, limit in DISPOSAL_RULES.items():
        arrays[name] = np.where(lifetime <= limit * YEAR_DAYS, 1, -1 if years < limit else 0).astype(np.int8)
    absent = _why_no_ensemble(weather, solar, span) if len(alive) else "no object is left above 120 km"
    members = 0 if absent else _MEMBERS if ensemble is None else ensemble
    if absent and ensemble:
        _LOGGER.warning("an ensemble of %d members was asked for, but there are no percentiles: %s", ensemble, absent)
    if solar == "median" and len(alive):
        arrays |= compute_bands(
            objects,
            alive,
            found,
            b.relative_error,
            weather,
            CalendarPart(alive, span.first, span.end, span.step),
            model=atmosphere,
            row_days=span.step * span.every,
            years=years,
            members=members,
            seed=seed,
            client=client,
        )
    shells, summary = _by_shell(catalog, lifetime, control.manoeuvres, years)
    attributes = {
        "summary": f"Altitude of {len(catalog)} objects over {years:g} years, without manoeuvres, to re-entry at 120 km.",
        "atmosphere": describe_model(atmosphere),
        "space_weather": describe_space_weather(weather, span.end),
        "years": float(years),
        "step_days": span.step,
        "ensemble_members": members,
        "seed": seed,
    }
    if absent:
        attributes["ensemble_absent"] = absent
    if b.notes:
        attributes["ballistic_coefficient_notes"] = "; ".join(b.notes)
    times = from_mjd(span.first + np.arange(span.rows) * span.step * span.every)
    return make_decay_dataset(
        catalog,
        times,
        arrays | summary,
        shells=shells,
        solar=solar,
        percentiles=PERCENTILES,
        causes=CAUSES if "lifetime_spread" in arrays else (),
        attributes=attributes,
    )


def _why_no_ensemble(weather: SpaceWeather, solar: str, span: _Span) -> str:
    """Say why solar activity has no ensemble over a span; empty where it has one."""
    if solar != "median":
        return f"solar activity is {solar} on every day"
    if weather.flags[0] & CONSTANT:
        return "solar activity is constant"
    if not has_forecast(weather, span.first, span.end):
        return f"every day of the span is observed in {weather.source}"
    return ""


@on_device
def lifetimes(
    catalog: Catalog,
    *,
    years: float = LIFETIME_YEARS,
    ballistic_coefficient: ArrayLike | None = None,
    solar: str = "median",
    space_weather: SpaceWeatherSource | None = None,
    atmosphere: str = CALIBRATED,
    device: str | None = None,
) -> Floats:
    """Lifetime of every object from its epoch, days; inf where longer than the span. `decay` without its other results.

    Args:
        catalog, years, ballistic_coefficient, solar, space_weather, atmosphere, device: as for `decay`.

    Returns:
        Shape (satellites,); 0 for objects that are below 120 km already.

    Raises:
        InputError: as `decay`.
    """
    if not len(catalog):
        raise InputError("catalogue: no objects; there is nothing to decay")
    check_model(atmosphere)
    weather = resolve_space_weather(space_weather, solar)
    of_class = find_orbit_control(catalog).coefficient
    b = ballistic_coefficients(catalog, ballistic_coefficient, weather, of_class=of_class, model=atmosphere)
    objects = make_objects(catalog, b.coefficient)
    first, step = float(np.floor(objects.mjd.min())), choose_step_days(years)
    end = float(objects.mjd.max()) + years * YEAR_DAYS
    above = _perigee(catalog) > REENTRY_ALTITUDE_KM
    result = np.where(above, np.inf, 0.0)
    series = make_series(weather, first, end, step, model=atmosphere)[0]
    sinking = np.flatnonzero(above & ~stays_up(objects, series))
    if len(sinking):
        some = objects.take(sinking)
        found = run(some, series)
        if step > DAILY:
            refine_short_lives(some, found, weather, first, end, DAILY, model=atmosphere)
        result[sinking] = np.where(found.lifetime_days <= years * YEAR_DAYS, found.lifetime_days, np.inf)
    return result


class _Span(NamedTuple):
    """Calendar of a decay."""

    first: float
    """First day, Modified Julian Date."""
    end: float
    """Last day, Modified Julian Date."""
    step: float
    """Length of a step, days."""
    every: int
    """Steps from one row of the dataset to the next."""

    @property
    def rows(self) -> int:
        """Rows of the dataset in time."""
        return round((self.end - self.first) / (self.step * self.every)) + 1


def _span(objects: Objects, years: float, otherwise: float) -> _Span:
    """Calendar from the first epoch (or `otherwise`, where there is no object) to so many years after the last."""
    first = float(np.floor(objects.mjd.min())) if objects.satellites else otherwise
    last = float(objects.mjd.max()) if objects.satellites else otherwise
    check_end(last, years)
    days, step = last + years * YEAR_DAYS - first, choose_step_days(years)
    every = max(1, round(days / _OUTPUT_TIMES / step))
    return _Span(first, first + np.ceil(days / (step * every)) * step * every, step, every)


def _run(
    objects: Objects,
    alive: NDArray[np.intp],
    weather: SpaceWeather,
    model: str,
    span: _Span,
    progress: DecayProgress | None,
) -> Decay:
    """Decay of the objects above 120 km; the others have a lifetime of 0 and no states."""
    n = objects.satellites
    whole = Decay(np.zeros(n), {name: np.full((span.rows, n), np.nan, np.float32) for name in TRACKS})
    if len(alive):
        series = make_series(weather, span.first, span.end, span.step, model=model)[0]
        some = objects.take(alive)
        found = run(some, series, keep=span.every, progress=progress)
        if span.step > DAILY:
            refine_short_lives(some, found, weather, span.first, span.end, span.step * span.every, model=model)
        if len(alive) == n:
            return found
        whole.lifetime_days[alive] = found.lifetime_days
        for name, values in found.tracks.items():
            whole.tracks[name][:, alive] = values
    return whole


def _by_shell(
    catalog: Catalog, lifetime: Floats, raised: NDArray[np.bool_], years: float
) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """Names of the shells, and the variables that summarise each."""
    names = np.where(catalog.shell == "", "other", catalog.shell)
    shells = list(dict.fromkeys(names.tolist()))
    rows: dict[str, list[float]] = {
        "shell_satellites": [],
        "shell_manoeuvres": [],
        "shell_lifetime": [],
        "shell_five_year_fraction": [],
        "shell_25_year_fraction": [],
    }
    for shell in shells:
        here = names == shell
        life = np.sort(lifetime[here])
        middle = life[(len(life) - 1) // 2]
        rows["shell_satellites"].append(here.sum())
        rows["shell_manoeuvres"].append(raised[here].sum())
        rows["shell_lifetime"].append(middle if np.isfinite(middle) else np.nan)
        for name, limit in (("shell_five_year_fraction", 5.0), ("shell_25_year_fraction", 25.0)):
            rows[name].append(np.nan if years < limit else float((life <= limit * YEAR_DAYS).mean()))
    return shells, {
        name: np.array(values, np.int64 if name in ("shell_satellites", "shell_manoeuvres") else np.float64)
        for name, values in rows.items()
    }


def _perigee(catalog: Catalog) -> Floats:
    a = catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    return np.asarray(a * (1.0 - catalog.eccentricity) - WGS84_EQUATORIAL_RADIUS_KM)


def _apogee(catalog: Catalog) -> Floats:
    a = catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    return np.asarray(a * (1.0 + catalog.eccentricity) - WGS84_EQUATORIAL_RADIUS_KM)
