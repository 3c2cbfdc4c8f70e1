"""What a decay is computed from: the atmosphere over time, mean orbits, and the ballistic coefficient of each object.

B comes from the best source known: given, stated by the catalogue (shell files), from the drag term of the element set, or
assumed. The drag term is not converted by its definition, B = 2 B* / rho0, for SGP4's density is that of no particular day: the B
is taken with which NRLMSISE-00 lets the orbit sink at its epoch as fast as SGP4 does.
"""

from __future__ import annotations

import logging
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.decay.engine import Floats, Objects, decay_rates, make_climate
from constellation_jax.engine.decay.integrator import Climate
from constellation_jax.engine.precision import x64
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.atmosphere import load_atmosphere
from constellation_jax.inputs.environment.space_weather import Source, space_weather
from constellation_jax.inputs.environment.space_weather_series import (
    CONSTANT,
    CYCLE_DAYS,
    FORECAST,
    REPEATED,
    SCENARIOS,
    SpaceWeather,
    date_text,
)
from constellation_jax.physics.constants import DEGREE, MJD_J2000, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.drag.atmosphere import DAYS_IN_YEAR
from constellation_jax.physics.drag.rates import MeanOrbit, carried
from constellation_jax.physics.sgp4 import sgp4

ASSUMED_BALLISTIC_COEFFICIENT: Final = 0.013
"""m2/kg. Six satellites fitted at 408 to 548 km (three Starlinks of version 1, FY-3G, KOMPSAT-3A) lie between 0.012 and 0.018."""
SANE_BALLISTIC_COEFFICIENTS: Final = (1e-4, 1.0)
"""m2/kg: a lead sphere of 1 m, and a balloon."""
SOURCES: Final = ("given", "catalogue", "drag_term", "assumed")
"""Where a ballistic coefficient comes from, by number."""
_LOGGER = logging.getLogger("constellation_jax")


class Ballistic(NamedTuple):
    """Ballistic coefficients and their sources (positions in SOURCES), shape (satellites,)."""

    coefficient: Floats
    source: NDArray[np.int8]


def weather_of(source: Source | None, solar: str) -> SpaceWeather:
    """The space weather of a scenario, and a forecast behind a source that has none.

    Raises:
        InputError: an unknown scenario, or one that the source does not have.
    """
    if solar not in SCENARIOS:
        raise InputError(f"solar {solar!r}: expected one of {', '.join(SCENARIOS)}")
    found = space_weather("bundled" if source is None else source)
    if found.members:
        raise InputError("space weather: an ensemble; give the series that it was made of")
    if not found.flags[0] & CONSTANT and len(found.flags) < CYCLE_DAYS:
        found = space_weather(found, forecast="bundled")
    return found.scenario(solar)


def weather_said(weather: SpaceWeather, stop: float) -> str:
    """Where the values of the Sun's activity come from until a date, for the attributes."""
    if weather.flags[0] & CONSTANT:
        return str(weather)[1:-1]
    said = f"{weather.source}: observed to {date_text(weather.last_observed_mjd - 1)}"
    if stop > weather.last_observed_mjd:
        said += f", predicted to {date_text(min(stop, weather.last_mjd) - 1)}"
    if stop > weather.last_mjd:
        said += f", the 11 years before repeated to {date_text(stop)}"
    return said


def climates(
    weather: SpaceWeather, start: float, stop: float, step: float, *, model: str = "nrlmsise00"
) -> list[Climate]:
    """The atmosphere from start to stop, Modified Julian Dates, in steps of days; one for each member of an ensemble."""
    found = weather.sampled(start, stop, step)
    day = 1.0 + np.mod(found.mjd + 0.5 * step - (MJD_J2000 - 0.5), DAYS_IN_YEAR)
    columns = [np.atleast_2d(v) for v in (found.f107, found.f107a, found.ap)]
    table = load_atmosphere(model)
    return [make_climate(table, (*(c[m] for c in columns), day), start, step) for m in range(len(columns[0]))]


def step_days(years: float) -> float:
    """Calendar step for a span: short where the days count, 10 days at most."""
    return next(step for step, limit in ((1.0, 1.0), (2.0, 3.0), (5.0, 10.0), (10.0, np.inf)) if years <= limit)


def objects_of(catalog: Catalog, ballistic: Floats, start: float | None = None) -> Objects:
    """Mean orbits of a catalogue at their epochs, or, where given, carried to a Modified Julian Date by J2 alone."""
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
        with x64():
            orbit = jax.tree.map(np.asarray, carried(jax.tree.map(jnp.asarray, orbit), start - epoch))
        epoch = np.full(len(catalog), float(start))
    return Objects(orbit, epoch, np.broadcast_to(np.asarray(ballistic, np.float64), zero.shape).copy(), zero)


def ballistic_coefficients(
    catalog: Catalog, given: ArrayLike | None, weather: SpaceWeather, *, strict: bool = False
) -> Ballistic:
    """B of every object from the best source known, absurd ones reported.

    Args:
        given: a number, or one for each object with NaN where it is not known.
        strict: whether an absurd value is an error.

    Raises:
        InputError: a wrong shape; or, where strict, a coefficient outside 1e-4 to 1 m2/kg.
    """
    n = len(catalog)
    try:
        own = np.broadcast_to(np.asarray(np.nan if given is None else given, np.float64), (n,)).copy()
    except ValueError:
        raise InputError(
            f"ballistic_coefficient: shape {np.asarray(given).shape}; expected a number or one for each of {n} objects"
        ) from None
    value = np.where(np.isnan(own), catalog.ballistic_coefficient, own)
    source = np.where(np.isnan(own), 1, 0).astype(np.int8)
    _report(catalog, value, strict)
    value[~_sane(value)] = np.nan
    unknown = np.flatnonzero(np.isnan(value))
    if len(unknown):
        by_drag_term = _from_drag_term(catalog[unknown], weather)
        usable = _sane(by_drag_term)
        value[unknown] = np.where(usable, by_drag_term, ASSUMED_BALLISTIC_COEFFICIENT)
        source[unknown] = np.where(usable, 2, 3)
    return Ballistic(value, source)


def sgp4_decay_rate(catalog: Catalog) -> Floats:
    """Rate of the mean semi-major axis by the drag term at the epoch, km/day; NaN for deep space."""
    rate = np.full(len(catalog), np.nan)
    near = np.flatnonzero(~catalog.is_deep_space)
    width = 4096
    for first in range(0, len(near), width):
        members = near[first : first + width]
        filled = np.append(members, np.repeat(members[-1:], width - len(members)))
        with x64():
            coefficients = sgp4.initialise(catalog[filled].elements, regime="near_earth")
            found: Any = sgp4.orbit_at(coefficients, jnp.zeros(width))
            rate[members] = np.asarray(found.decay_rate)[: len(members)]
    return rate


def _from_drag_term(catalog: Catalog, weather: SpaceWeather) -> Floats:
    """B with which drag at the epoch, in the mean activity of twenty days about it, equals that of SGP4."""
    result = np.full(len(catalog), np.nan)
    some = np.flatnonzero((catalog.bstar > 0.0) & ~catalog.is_deep_space)
    if not len(some):
        return result
    catalog = catalog[some]
    days = np.floor(catalog.epoch_day / 10.0) * 10.0
    ours = np.empty(len(catalog))
    for day in np.unique(days):  # one short climate for each ten days in which there are epochs
        members = np.flatnonzero(days == day)
        objects = objects_of(catalog[members], np.ones(len(members)))
        constant = bool(weather.flags[0] & CONSTANT)
        start = day if constant else max(day - 10.0, weather.first_mjd)
        ours[members] = decay_rates(objects, climates(weather, start, start + 20.0, 20.0)[0])[0]
    result[some] = sgp4_decay_rate(catalog) / np.minimum(ours, -1e-12)
    return result


def _sane(value: Floats) -> NDArray[np.bool_]:
    low, high = SANE_BALLISTIC_COEFFICIENTS
    return np.asarray((value >= low) & (value <= high))


def _report(catalog: Catalog, value: Floats, strict: bool) -> None:
    low, high = SANE_BALLISTIC_COEFFICIENTS
    absurd = np.flatnonzero(~np.isnan(value) & ~_sane(value))
    if not len(absurd):
        return
    first = absurd[0]
    name = catalog.name[first] or f"object {first}"
    more = f" and {len(absurd) - 1} more" if len(absurd) > 1 else ""
    message = (
        f"{name}{more}: ballistic coefficient {value[first]:g} m2/kg, expected {low:g} to {high:g} (Cd A / m in m2/kg)"
    )
    if strict:
        raise InputError(message)
    _LOGGER.warning("%s; taken as unknown", message)


def predicted(weather: SpaceWeather) -> bool:
    """Whether some of the series is a forecast with percentiles."""
    return bool(weather.percentiles) and bool((weather.flags & (FORECAST | REPEATED)).any())
