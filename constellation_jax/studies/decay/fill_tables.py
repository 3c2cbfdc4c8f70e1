"""Tables of drag and lifetimes, filled once by the engine of decay, for figures of merit in a user's own optimisation.

    fill_drag_table      orbits over altitude and inclination through the atmosphere of a mission, ten days at a time
    fill_lifetime_table  satellites over altitude, inclination and ballistic coefficient, decayed to re-entry

Both take seconds. The functions that read them (`delta_v_per_year`, `lifetime_years`) are in physics/merit/drag.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from constellation_jax.engine.decay.engine import Floats, Objects, decay_rates, run
from constellation_jax.engine.decay.integrator import REENTRY_ALTITUDE_KM, AtmosphereSeries
from constellation_jax.engine.precision import evaluate
from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.inputs.environment.space_weather_series import (
    CYCLE_DAYS,
    SCENARIOS,
    SpaceWeather,
    SpaceWeatherSource,
)
from constellation_jax.inputs.times import Time, to_mjd, today
from constellation_jax.physics.constants import DEGREE, TWO_PI, WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.physics.merit.drag import (
    ALTITUDES_KM,
    DragTable,
    LifetimeTable,
    altitudes_km,
    correction_table,
    fall_days,
    inclinations_deg,
    ln_fall_days,
    rate_table,
)
from constellation_jax.studies.decay.inputs import check_end, check_numbers, make_series, resolve_space_weather

STEP_DAYS: Final = 10.0
"""Calendar step of a mission."""
PLANES: Final = 4
"""Planes, a quarter of a turn apart in raan, that stand for all the planes of a shell."""
_INCLINATIONS: Final = 9
_LONG_STEP_DAYS: Final = 30.0
_LIFE_INCLINATIONS: Final = 5
_LIFE_PLANES: Final = 2
"""Planes a quarter of a turn apart that stand for all in lifetimes: one along the terminator and one through noon."""
_BALLISTICS: Final = 5
"""Ballistic coefficients in a range, of equal ratios."""
_HORIZON_YEARS: Final = 60.0
_LONGEST_YEARS: Final = 200.0


def fill_drag_table(
    *,
    years: float = 5.0,
    start: Time | None = None,
    solar: str | Sequence[str] = SCENARIOS,
    space_weather: SpaceWeatherSource | None = None,
    atmosphere: str = CALIBRATED,
) -> DragTable:
    """Fill a table of drag over a mission by altitude (140 to 2,000 km) and inclination, for `delta_v_per_year`, in a few seconds.

    Args:
        years: span of the mission, from `start` on.
        start: first day of the mission (UTC); today if not given.
        solar: scenarios of solar activity, "low", "median", "high"; their order is that of the results.
        space_weather: source as for `SpaceWeather.load`; the bundled table if not given.
        atmosphere: model of the atmosphere, as for `decay`.

    Raises:
        InputError: an unknown scenario or model, or a span that is not positive.
    """
    check_numbers(_LONGEST_YEARS, years=years)
    first = to_mjd(today() if start is None else start)
    check_end(first, years)
    loaded = SpaceWeather.load("bundled" if space_weather is None else space_weather)
    mean, worst = [], []
    for scenario in as_scenarios(solar):
        weather, end = resolve_space_weather(loaded, scenario), first + years * YEAR_DAYS
        series = make_series(weather, first, end, STEP_DAYS, model=atmosphere)[0]
        rates = _rates_over_tables(series, step_middles(series, years * YEAR_DAYS, STEP_DAYS))
        mean.append(np.log(rates.mean(axis=0)))
        worst.append(np.log(rates.max(axis=0)))
    return DragTable(rate_table(np.array(mean)), rate_table(np.array(worst)))


def fill_lifetime_table(
    *,
    start: Time | None = None,
    ballistic_coefficient: float | tuple[float, float] = (0.005, 0.05),
    solar: str | Sequence[str] = SCENARIOS,
    space_weather: SpaceWeatherSource | None = None,
    atmosphere: str = CALIBRATED,
) -> LifetimeTable:
    """Fill the table of lifetimes of satellites that fail at a date, by altitude, inclination and B, for `lifetime_years`.

    By altitude, inclination and ballistic coefficient. Takes a minute or two; with one ballistic coefficient a fifth of it.

    Args:
        start: date of the failure (UTC); today if not given.
        ballistic_coefficient: B = Cd A / m in m2/kg, one or the range in which the table is right; outside, lifetimes go as 1 / B.
        solar, space_weather, atmosphere: as `fill_drag_table`.

    Raises:
        InputError: an unknown scenario or model, or a ballistic coefficient or range that is not positive and ascending.
    """
    given = np.atleast_1d(np.asarray(ballistic_coefficient, np.float64))
    if not ((given > 0.0) & (given < np.inf)).all() or len(given) > 2 or (np.diff(given) <= 0.0).any():
        raise InputError(f"ballistic_coefficient {ballistic_coefficient!r}: expected m2/kg above 0, or (least, most)")
    ln_b = np.log([given[0], given[-1]])
    b = np.exp(np.linspace(ln_b[0], ln_b[1], _BALLISTICS)) if len(given) == 2 else given
    first = to_mjd(today() if start is None else start)
    loaded = SpaceWeather.load("bundled" if space_weather is None else space_weather)
    fall, correction = [], []
    for scenario in as_scenarios(solar):
        weather = resolve_space_weather(loaded, scenario)
        span = 2.0 * CYCLE_DAYS
        series = make_series(weather, first, first + span, _LONG_STEP_DAYS, model=atmosphere)[0]
        rates = _rates_over_tables(series, step_middles(series, span, _LONG_STEP_DAYS)).mean(axis=0)
        fall.append(rate_table(np.log(_times_to_fall(rates))[None])[0])
        series = make_series(weather, first, first + _HORIZON_YEARS * YEAR_DAYS, STEP_DAYS, model=atmosphere)[0]
        correction.append(_corrections(series, fall[-1], b))
    return LifetimeTable(np.array(fall), correction_table(np.array(correction)), ln_b)


def as_scenarios(solar: str | Sequence[str]) -> list[str]:
    """List of one or several scenarios of solar activity.

    Raises:
        InputError: no scenario.
    """
    scenarios = [solar] if isinstance(solar, str) else list(solar)
    if not scenarios:
        raise InputError("no solar scenario given: at least one is needed")
    return scenarios


def step_middles(series: AtmosphereSeries, span_days: float, step_days: float) -> Floats:
    """Middles of the whole steps of a span, at least one: Modified Julian Dates."""
    steps = max(int(span_days / step_days), 1)
    return np.asarray(float(series.first_mjd) + (np.arange(steps) + 0.5) * step_days)


def rates_on_station(series: AtmosphereSeries, orbit: MeanOrbit, ballistic: Floats, mjd: Floats) -> Floats:
    """Decay rates of satellites that keep their altitude, mean of the planes of their shells, km/day (below zero).

    Args:
        series: the atmosphere over time, which covers the instants.
        orbit: mean orbits, shape (n,); their raan is replaced by that of each plane.
        ballistic: ballistic coefficients, m2/kg, shape (n,).
        mjd: instants, Modified Julian Dates, shape (k,).

    Returns:
        Shape (k, n).
    """
    k, n = len(mjd), len(ballistic)

    def broadcast(values: Any) -> Floats:
        return np.broadcast_to(np.asarray(values, np.float64), (PLANES, k, n)).ravel()

    raan = np.arange(PLANES)[:, None, None] * (TWO_PI / PLANES)
    orbits = MeanOrbit(*(broadcast(v) for v in orbit))._replace(raan=broadcast(raan))
    objects = Objects(orbits, broadcast(np.asarray(mjd)[:, None]), broadcast(ballistic), broadcast(0.0))
    return np.asarray(decay_rates(objects, series)[0].reshape(PLANES, k, n).mean(axis=0))


def _circular(altitude_km: Floats, inclination_deg: Floats, raan: Floats | float = 0.0) -> MeanOrbit:
    zero = np.zeros(altitude_km.shape)
    a, i = altitude_km + WGS84_EQUATORIAL_RADIUS_KM, inclination_deg * DEGREE
    return MeanOrbit(a, zero, zero, i, zero + raan, zero)


def _rates_over_tables(series: AtmosphereSeries, mjd: Floats) -> Floats:
    """Decay rates for B = 1 at the knots of the tables, km/day (above zero), shape (instants, inclinations, altitudes)."""
    altitude, inclination = np.meshgrid(altitudes_km(), inclinations_deg(_INCLINATIONS))
    orbit = _circular(altitude.ravel(), inclination.ravel())
    rates = rates_on_station(series, orbit, np.ones(altitude.size), mjd)
    return -rates.reshape(len(mjd), *altitude.shape)


def _times_to_fall(rates: Floats) -> Floats:
    """Days from each altitude of the tables to re-entry at its mean rates for B = 1; shape of `rates`."""
    h = altitudes_km()
    # 1 / rate grows as a power of the altitude between two knots: its integral in closed form
    power = np.diff(np.log(1.0 / rates), axis=-1) / np.diff(np.log(h))
    times = (h[1:] / rates[..., 1:] - h[:-1] / rates[..., :-1]) / (power + 1.0)
    # below the first knot, with its power
    first = (
        h[0] / rates[..., :1] * (1.0 - (REENTRY_ALTITUDE_KM / h[0]) ** (power[..., :1] + 1.0)) / (power[..., :1] + 1.0)
    )
    return np.concatenate([first, first + np.cumsum(times, axis=-1)], axis=-1)


def _corrections(series: AtmosphereSeries, fall: Floats, b: Floats) -> Floats:
    """ln(lifetime / time to fall at the mean rates): shape (inclinations, B, fall_days).

    Args:
        series: the atmosphere over the horizon.
        fall: coefficients of the scenario in `LifetimeTable.fall`.
        b: ballistic coefficients, m2/kg.
    """
    first, days = float(series.first_mjd), fall_days()
    inclination = inclinations_deg(_LIFE_INCLINATIONS)
    fine = np.linspace(np.log(ALTITUDES_KM[0]), np.log(ALTITUDES_KM[1]), 20_001)
    ln_days = evaluate(ln_fall_days, fall[None], np.exp(fine)[:, None], inclination)[0]
    wanted = np.log(days) + np.log(b)[:, None]
    altitude = np.exp([np.interp(wanted, column, fine) for column in ln_days.T])
    ln_fall = np.array([np.interp(h, np.exp(fine), column) for h, column in zip(altitude, ln_days.T, strict=True)])
    shape = (_LIFE_PLANES, *altitude.shape)
    raan = np.arange(_LIFE_PLANES)[:, None, None, None] * (TWO_PI / PLANES)

    def broadcast(values: Any) -> Floats:
        return np.broadcast_to(values, shape).ravel()

    orbit = _circular(broadcast(altitude), broadcast(inclination[:, None, None]), broadcast(raan))
    ballistic = broadcast(b[:, None])
    found = run(Objects(orbit, np.full(ballistic.shape, first), ballistic, np.zeros(ballistic.shape)), series)
    lifetime = found.lifetime_days.reshape(shape).mean(axis=0)
    correction = np.log(lifetime) - (ln_fall - np.log(b)[:, None])
    # where a life does not end within the horizon, that of the longest one that does goes on
    for row in correction.reshape(-1, len(days)):
        row[~np.isfinite(row)] = row[np.isfinite(row)][-1]
    return np.asarray(correction)
