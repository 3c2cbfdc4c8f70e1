"""Inputs of a decay: the atmosphere over time, mean orbits, and the ballistic coefficient of each object.

B comes from the best source known: given, stated by the catalogue (shell files), that of its class for an object that holds its
orbit (orbit_control.py), from the drag term of the element set, or assumed. The drag term is not converted by its definition,
B = 2 B* / rho0, for SGP4's density is that of no particular day: the B is taken with which the model of the atmosphere lets the
orbit sink as fast as SGP4 does, over the days about its epoch that are observed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.decay.engine import Floats, Objects, decay_rates, make_atmosphere_series
from constellation_jax.engine.decay.integrator import AtmosphereSeries
from constellation_jax.engine.precision import evaluate
from constellation_jax.engine.regimes.assign import in_pieces
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.inputs.environment.space_weather import complete_forecast
from constellation_jax.inputs.environment.space_weather_series import (
    CONSTANT,
    FORECAST,
    REPEATED,
    SCENARIOS,
    SpaceWeather,
    SpaceWeatherSource,
)
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.times import format_date, to_mjd
from constellation_jax.physics.constants import DEGREE, MJD_J2000, WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.physics.drag.rates import MeanOrbit, advance_secular
from constellation_jax.physics.sgp4 import sgp4
from constellation_jax.physics.sgp4.elements import Elements

ASSUMED_BALLISTIC_COEFFICIENT: Final = 0.013
"""Ballistic coefficient where nothing is known, m2/kg. Six satellites fitted at 408 to 548 km (three Starlinks of version 1, FY-3G,
KOMPSAT-3A) lie between 0.012 and 0.018."""
CREDIBLE_BALLISTIC_COEFFICIENTS: Final = (1e-4, 100.0)
"""Least and largest credible ballistic coefficient, m2/kg: a lead sphere of 1 m, and a torn foil of insulation (A / m up to some
30 m2/kg is observed: Schildknecht et al., Acta Astronautica 63, 119, 2008)."""
USUAL_BALLISTIC_COEFFICIENT: Final = 1.0
"""Largest ballistic coefficient of a satellite that is no balloon, m2/kg. What is above is used, and said."""
LEAST_PASSIVE_COEFFICIENT: Final = 0.003
"""Least ballistic coefficient that the drag term of an object left alone gives, m2/kg: below, thrust holds the orbit. The least of
1,350 pieces of debris and rocket bodies below 700 km on 2026-03-10 is 0.0056."""
HELD_BELOW_KM: Final = 700.0
"""Altitude up to which a small drag term says so. Above, it is lost in the noise."""
SOURCES: Final = ("given", "catalogue", "drag_term", "assumed", "fitted", "shell_class")
"""Names of the sources of a ballistic coefficient, by number."""
RELATIVE_ERRORS: Final = (0.1, 0.3, 0.24, 0.6, 0.6, 0.3)
"""Relative standard error of a coefficient by its source, where none is stated: a number given (nothing is known of it: that of a
fit), mass and area of a shell file, the drag term of one set (against fits to the 60 days behind it, of five passive satellites and
70 re-entries of 2026), the assumed one (between 0.004 and 0.05), a fit that has none, and
that of a class, which is that of a shell file."""
_DRAG_TERM_NOISE: Final = 0.003
"""Noise of the rate of sinking of one set, km/day: the drag term of a satellite that sinks by less says little."""
_FIT_LAG_DAYS: Final = 1.5
"""Age of the drag that a drag term tells, days: sets are fitted to the days before their epoch, when the orbit was higher. Without
it the lives of the re-entries of 2026 come out 10 % too long; with the path of three days before the epoch B has no bias."""
_WINDOW_DAYS: Final = 10.0
"""Days about the epoch over which the drag of an element set is compared, in blocks of half as many."""
_LAST_DAY: Final = to_mjd("2261-12-31") + 1.0
_LOGGER = logging.getLogger("constellation_jax")


class Ballistic(NamedTuple):
    """Ballistic coefficients and their sources (positions in SOURCES), shape (satellites,)."""

    coefficient: Floats
    source: NDArray[np.int8]
    relative_error: Floats
    """Standard error of ln B."""
    is_held: NDArray[np.bool_]
    """True where thrust holds the orbit, by a drag term that is too small for an object left alone."""
    notes: tuple[str, ...]
    """Lines about values that are assumed, not credible or unusual, which have been logged too."""


def resolve_space_weather(source: SpaceWeatherSource | None, solar: str) -> SpaceWeather:
    """Load the space weather of a scenario, completed by the bundled forecast (`complete_forecast`).

    Raises:
        InputError: an unknown scenario, or one that the source does not have.
    """
    if solar not in SCENARIOS:
        raise InputError(f"solar {solar!r}: expected one of {', '.join(SCENARIOS)}")
    found = SpaceWeather.load("bundled" if source is None else source)
    if found.members:
        raise InputError("space weather: an ensemble; give the series that it was made of")
    return complete_forecast(found).scenario(solar)


def describe_space_weather(weather: SpaceWeather, stop: float) -> str:
    """Describe the source of the space weather until a date (Modified Julian Date), for the attributes of a Dataset."""
    if weather.flags[0] & CONSTANT:
        return str(weather)[1:-1]
    text = f"{weather.source}: observed to {format_date(weather.last_observed_mjd - 1)}"
    if stop > weather.last_observed_mjd:
        text += f", predicted to {format_date(min(stop, weather.last_mjd) - 1)}"
    if stop > weather.last_mjd:
        text += f", the 11 years before repeated to {format_date(stop)}"
    return text


def make_series(
    weather: SpaceWeather, start: float, stop: float, step: float, *, model: str = CALIBRATED
) -> list[AtmosphereSeries]:
    """Tabulate the atmosphere over time, one series for each member of an ensemble.

    Args:
        weather: space weather that covers the span.
        start, stop: Modified Julian Dates (UTC).
        step: length of a step, days.
        model: model of the atmosphere, as in `load_atmosphere`.
    """
    members = list_members(weather, start, stop, step)
    return [make_atmosphere_series(load_atmosphere(model), indices, start, step) for indices in members]


def list_members(weather: SpaceWeather, start: float, stop: float, step: float) -> list[tuple[Floats, ...]]:
    """List the indices of each member of an ensemble over time, one of a single series, as `make_atmosphere_series` takes them."""
    found = weather.resample(start, stop, step)
    days = found.mjd + 0.5 * step - (MJD_J2000 - 0.5)
    calendar = 1.0 + np.mod(days, YEAR_DAYS), 2000.0 + days / YEAR_DAYS
    columns = [np.atleast_2d(v) for v in (found.f107, found.f107a, found.ap)]
    return [(*(c[m] for c in columns), *calendar) for m in range(len(columns[0]))]


def choose_step_days(years: float) -> float:
    """Calendar step for a span in years: short where single days matter, 10 days at most."""
    return next(step for step, limit in ((1.0, 1.0), (2.0, 3.0), (5.0, 10.0), (10.0, np.inf)) if years <= limit)


def make_objects(catalog: Catalog, ballistic: Floats, start: float | None = None) -> Objects:
    """Mean orbits of a catalogue at their epochs, or advanced to a Modified Julian Date (`start`) by J2 alone."""
    angle = catalog.arg_perigee_deg * DEGREE
    zero = np.zeros(len(catalog))
    orbit = MeanOrbit(
        catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM,
        catalog.eccentricity * np.cos(angle),
        catalog.eccentricity * np.sin(angle),
        catalog.inclination_deg * DEGREE,
        catalog.raan_deg * DEGREE,
        zero,
    )
    epoch = catalog.epoch_day + catalog.epoch_fraction
    if start is not None:
        orbit = evaluate(lambda: advance_secular(jax.tree.map(jnp.asarray, orbit), start - epoch))
        epoch = np.full(len(catalog), float(start))
    return Objects(orbit, epoch, np.broadcast_to(np.asarray(ballistic, np.float64), zero.shape).copy(), zero)


def ballistic_coefficients(
    catalog: Catalog,
    given: ArrayLike | None,
    weather: SpaceWeather,
    *,
    of_class: Floats | None = None,
    model: str = CALIBRATED,
    stated_error: ArrayLike | None = None,
    is_fitted: bool = False,
    strict: bool = False,
) -> Ballistic:
    """Ballistic coefficient of every object from the best source known; assumed, unusual and absurd ones are reported.

    Args:
        catalog: n objects.
        given: a number, or one for each object with NaN where it is not known.
        weather: space weather at the epochs.
        of_class: that of the class of each object, in place of its drag term, NaN where it is not known.
        model: model of the atmosphere, as in `load_atmosphere`.
        stated_error: relative standard error of what is given, a number or one for each object, NaN where not known.
        is_fitted: True where what is given was fitted to histories.
        strict: True makes an error of what would be reported.

    Raises:
        InputError: a wrong shape; or, where strict, a coefficient that is assumed, or outside 1e-4 to 1 m2/kg.
    """
    n = len(catalog)
    try:
        own = np.broadcast_to(np.asarray(np.nan if given is None else given, np.float64), (n,)).copy()
    except ValueError:
        raise InputError(
            f"ballistic_coefficient: shape {np.asarray(given).shape}; expected a number or one for each of {n} objects"
        ) from None
    low, high = CREDIBLE_BALLISTIC_COEFFICIENTS
    value = np.where(np.isnan(own), catalog.ballistic_coefficient, own)
    own_source = SOURCES.index("fitted" if is_fitted else "given")
    source = np.where(np.isnan(own), 1, own_source).astype(np.int8)
    absurd = ~np.isnan(value) & ~((value >= low) & (value <= high))
    notes = []
    if absurd.any():
        notes.append(
            f"{_name(catalog, absurd)}: ballistic coefficient {value[absurd][0]:g} m2/kg, expected {low:g} to {high:g} (Cd A / m "
            "in m2/kg); taken as unknown"
        )
    value[absurd] = np.nan
    unknown = np.flatnonzero(np.isnan(value))
    error = np.broadcast_to(np.asarray(np.nan if stated_error is None else stated_error, np.float64), (n,)).copy()
    error[source != own_source] = np.nan
    is_held = np.zeros(n, bool)
    if len(unknown):
        some = catalog[unknown]
        by_drag_term, error[unknown], unobserved = _from_drag_term(some, weather, model)
        is_low = (some.mean_altitude_km < HELD_BELOW_KM) & ~some.is_deep_space & ~some.synthetic
        held = is_low & ((some.bstar < 0.0) | (by_drag_term < LEAST_PASSIVE_COEFFICIENT))
        usable = (by_drag_term >= low) & (by_drag_term <= high) & ~held
        value[unknown] = np.where(usable, by_drag_term, ASSUMED_BALLISTIC_COEFFICIENT)
        source[unknown] = np.where(usable, 2, 3)
        is_held[unknown] = held
        if of_class is not None:
            has_class = ~np.isnan(of_class[unknown])
            value[unknown[has_class]] = of_class[unknown[has_class]]
            source[unknown[has_class]] = SOURCES.index("shell_class")
            usable &= ~has_class
        error[unknown[~usable]] = np.nan
        if (usable & unobserved).any():
            names = _name(catalog, np.isin(np.arange(n), unknown[usable & unobserved]))
            _LOGGER.warning(
                "%s: no day about the epoch is observed in %s; the ballistic coefficient of the drag term is that of its forecast",
                names, weather.source,
            )  # fmt: skip
    if (source == 3).any():
        notes.append(
            f"{_name(catalog, source == 3)}: no ballistic coefficient is known, nor a drag term that gives one; "
            f"{ASSUMED_BALLISTIC_COEFFICIENT:g} m2/kg is assumed"
        )
    unusual = value > USUAL_BALLISTIC_COEFFICIENT
    if unusual.any():
        largest = unusual & (value == value[unusual].max())
        notes.append(
            f"{_name(catalog, unusual)}: ballistic coefficient of more than {USUAL_BALLISTIC_COEFFICIENT:g} m2/kg, at most "
            f"{value[largest][0]:.3g} ({SOURCES[source[largest][0]].replace('_', ' ')}); taken as it is"
        )
    report_notes(notes, strict=strict)
    error = np.where(np.isnan(error), np.take(RELATIVE_ERRORS, source), error)
    return Ballistic(value, source, error, is_held, tuple(notes))


def shell_ballistic_coefficients(
    shells: Sequence[Shell], given: float | None = None
) -> tuple[Floats, Floats, list[str]]:
    """Ballistic coefficients of the satellites of shells on station, and of dead ones, with a line for what is assumed.

    Args:
        shells: s shells.
        given: that of all satellites, in place of those of the shells.

    Returns:
        Coefficients on station, m2/kg, shape (s,); those of a failed satellite, tumbling where the areas are known, else as on
        station; and the lines.
    """
    craft = [shell.spacecraft for shell in shells]
    stated = [given or one.ballistic_coefficient() for one in craft]
    tumbling = [None if given else one.ballistic_coefficient("tumbling") for one in craft]
    notes = []
    unknown = [shell.name for shell, b in zip(shells, stated, strict=True) if b is None]
    if unknown:
        notes.append(
            f"{list_names(unknown)}: neither a ballistic coefficient nor mass, drag area and drag coefficient are known; "
            f"{ASSUMED_BALLISTIC_COEFFICIENT:g} m2/kg is assumed"
        )
    on_station = np.array([ASSUMED_BALLISTIC_COEFFICIENT if b is None else b for b in stated], float)
    dead = np.array([b if t is None else t for b, t in zip(on_station, tumbling, strict=True)], float)
    return on_station, dead, notes


def report_notes(notes: Sequence[str], *, strict: bool) -> None:
    """Log lines about what is assumed as warnings; each ends with "; " and what was done.

    Raises:
        InputError: there is one, and it must not be (`strict`).
    """
    if strict and notes:
        found = notes[0].rpartition("; ")[0]
        raise InputError(f"{found}; give a ballistic coefficient, or allow what is assumed (strict is on)")
    for note in notes:
        _LOGGER.warning("%s", note)


def check_numbers(highest: float, **values: float | None) -> None:
    """Check that numbers are above 0 and at most `highest`; None is not given.

    Raises:
        InputError: one is not, or is no finite number.
    """
    for name, value in values.items():
        if value is not None and not 0.0 < value <= highest:  # NaN falls here too
            raise InputError(f"{name} {value!r}: expected a number above 0, up to {highest:g}")


def sgp4_decay_rate(catalog: Catalog) -> Floats:
    """Rate of the mean semi-major axis by the drag term at the epoch, km/day; NaN for deep space."""

    def rate_at_epoch(elements: Elements) -> Any:
        orbit: Any = sgp4.orbit_at(sgp4.initialise(elements, regime="near_earth"), jnp.zeros(4096))
        return orbit.decay_rate

    rate = np.full(len(catalog), np.nan)
    near = ~catalog.is_deep_space
    if near.any():
        rate[near] = in_pieces(rate_at_epoch, catalog[near].elements, 4096)
    return rate


def _from_drag_term(catalog: Catalog, weather: SpaceWeather, model: str) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Ballistic coefficient with which the mean drag of the ten days about the epoch equals that of SGP4, else NaN.

    Only observed days count; where fewer than five of the ten are, as behind the last day of a table, the forecast is taken.

    Returns:
        Coefficients, their relative standard errors, and whether the forecast was taken; each of shape (satellites,).
    """
    result = np.full(len(catalog), np.nan)
    error, unobserved = result.copy(), np.zeros(len(catalog), np.bool_)
    some = np.flatnonzero((catalog.bstar > 0.0) & ~catalog.is_deep_space)
    if not len(some):
        return result, error, unobserved
    catalog = catalog[some]
    constant = bool(weather.flags[0] & CONSTANT)
    end = np.inf if constant else weather.last_observed_mjd
    observed = weather.observed_part() if end > weather.first_mjd else weather
    days = np.floor(2.0 * catalog.epoch_day / _WINDOW_DAYS) * 0.5 * _WINDOW_DAYS
    theirs = sgp4_decay_rate(catalog)
    higher = _FIT_LAG_DAYS * np.maximum(-theirs, 0.0)
    ours = np.empty(len(catalog))
    for day in np.unique(days):  # one short series for each block in which there are epochs
        members = np.flatnonzero(days == day)
        objects = make_objects(catalog[members], np.ones(len(members)))
        axis = objects.orbit.semi_major_axis + higher[members]
        objects = objects._replace(orbit=objects.orbit._replace(semi_major_axis=axis))
        start = day - 0.5 * _WINDOW_DAYS if constant else max(day - 0.5 * _WINDOW_DAYS, weather.first_mjd)
        stop = start + _WINDOW_DAYS
        late = end - start < 0.5 * _WINDOW_DAYS
        unobserved[some[members]] = late
        stop = stop if late else min(stop, end)
        series = make_series(weather if late else observed, start, stop, stop - start, model=model)[0]
        ours[members] = decay_rates(objects, series)[0]
    result[some] = theirs / np.minimum(ours, -1e-12)
    error[some] = np.hypot(RELATIVE_ERRORS[2], _DRAG_TERM_NOISE / np.maximum(-theirs, 1e-9))
    return result, np.minimum(error, 1.5), unobserved


def check_end(start: float, years: float) -> None:
    """Check that a span from a day on (Modified Julian Date) ends within the calendar of datetime64[ns].

    Raises:
        InputError: it does not.
    """
    if start + years * YEAR_DAYS > _LAST_DAY:
        raise InputError(
            f"{years:g} years from {format_date(start)} on: expected an end before {format_date(_LAST_DAY)}"
        )


def _name(catalog: Catalog, those: NDArray[np.bool_]) -> str:
    """Names of some objects: the first three and the number of the others."""
    found = np.flatnonzero(those)
    return list_names([catalog.name[k] or f"object {k}" for k in found[:3]], len(found))


def list_names(names: Sequence[str], count: int | None = None) -> str:
    """List up to three names of so many."""
    count = len(names) if count is None else count
    more = f" and {count - 3:,} more" if count > 3 else ""
    return ", ".join(names[:3]) + more


def has_forecast(weather: SpaceWeather, first: float, end: float) -> bool:
    """True where some of the days from first to end (Modified Julian Dates) are a forecast with percentiles."""
    return bool(weather.percentiles) and bool((weather.resample(first, end, 1.0).flags & (FORECAST | REPEATED)).any())
