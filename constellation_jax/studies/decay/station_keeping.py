"""Cost of holding the altitude of shells: velocity increments, propellant, duty cycles, and lifetimes after the propellant.

Thrust works along the track against the mean drag: da/dt by drag, made good at 2 a / v km for each km/s. Drag is a force, so the
propellant it costs does not depend on how much is left. Deliberately absent: phasing, collision avoidance, raising and disposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import xarray as xr

from constellation_jax.engine.decay.engine import Floats
from constellation_jax.engine.decay.integrator import AtmosphereSeries
from constellation_jax.engine.default_device import on_device
from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, check_model, describe_model
from constellation_jax.inputs.environment.space_weather_series import SCENARIOS, SpaceWeather, SpaceWeatherSource
from constellation_jax.inputs.shells.files import Shell, shells_to_catalog
from constellation_jax.inputs.times import Time, from_mjd, to_mjd, today
from constellation_jax.outputs.datasets.station_keeping import make_station_keeping_dataset
from constellation_jax.physics.constants import SECONDS_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.physics.merit.drag import delta_v_rate, duty_cycle, propellant_kg
from constellation_jax.studies.decay.decay import LIFETIME_YEARS, lifetimes
from constellation_jax.studies.decay.fill_tables import STEP_DAYS, as_scenarios, rates_on_station, step_middles
from constellation_jax.studies.decay.inputs import (
    CREDIBLE_BALLISTIC_COEFFICIENTS,
    check_end,
    check_numbers,
    describe_space_weather,
    make_objects,
    make_series,
    report_notes,
    resolve_space_weather,
    shell_ballistic_coefficients,
)

_LOWEST, _HIGHEST = 140.0, 900.0
_LONGEST_YEARS = 100.0
_LONGEST_MISSION_YEARS = 200.0
_LARGEST = 1e9
"""Largest number that is taken for a mass, a thrust or a dead band."""


class Thruster(NamedTuple):
    """Mass and propulsion of a satellite of each shell, arrays of shape (shells,); NaN where not known."""

    mass_kg: Floats
    """Mass with propellant, kg."""
    propellant_kg: Floats
    """Propellant, kg."""
    specific_impulse_s: Floats
    """Specific impulse, s."""
    thrust_mn: Floats
    """Thrust, mN."""


@on_device
def station_keeping(
    shells: Shell | Sequence[Shell],
    *,
    years: float = 5.0,
    start: Time | None = None,
    ballistic_coefficient: float | None = None,
    mass_kg: float | None = None,
    propellant_kg: float | None = None,
    specific_impulse_s: float | None = None,
    thrust_mn: float | None = None,
    dead_band_km: float = 1.0,
    solar: str | Sequence[str] = SCENARIOS,
    space_weather: SpaceWeatherSource | None = None,
    atmosphere: str = CALIBRATED,
    strict: bool = False,
    device: str | None = None,
) -> xr.Dataset:
    """Cost of holding the altitude of shells against drag, for each shell and scenario of solar activity.

    Args:
        shells: one or several.
        years: span of the mission, from `start` on, up to 200.
        start: first day of the mission (UTC); today if not given.
        ballistic_coefficient: Cd A / m in m2/kg at the beginning; that of the shell if not given, else 0.013, which is logged as a
            warning and stands in the attribute `ballistic_coefficient_notes`.
        mass_kg, propellant_kg, specific_impulse_s, thrust_mn: of every satellite, in place of those of the shell (thrust in mN).
        dead_band_km: sinking allowed between two manoeuvres, km.
        solar: scenarios of solar activity, "low", "median", "high".
        space_weather: source as for `SpaceWeather.load`; the bundled table if not given.
        atmosphere: model of the atmosphere, as for `decay`.
        strict: True makes an assumed ballistic coefficient an error.
        device: platform to compute on, such as "cpu" or "gpu", all of whose local devices are used; None: JAX's default.

    Returns:
        Dataset with dims (solar, shell), see the page on decay; NaN where mass, propellant or thruster is not known.

    Raises:
        InputError: no shell, an unknown scenario, model or device, or a number that is not positive.
    """
    check_model(atmosphere)
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    scenarios = as_scenarios(solar)
    if not shells:
        raise InputError("no shell given: at least one is needed")
    given = {
        "mass_kg": mass_kg,
        "propellant_kg": propellant_kg,
        "specific_impulse_s": specific_impulse_s,
        "thrust_mn": thrust_mn,
    }
    check_numbers(_LONGEST_MISSION_YEARS, years=years)
    check_numbers(CREDIBLE_BALLISTIC_COEFFICIENTS[1], ballistic_coefficient=ballistic_coefficient)
    check_numbers(_LARGEST, dead_band_km=dead_band_km, **given)
    own = {
        key: np.array([getattr(s.spacecraft, key) if v is None else v for s in shells], float)  # NaN where None
        for key, v in given.items()
    }
    thruster = Thruster(**own)
    if (thruster.propellant_kg >= thruster.mass_kg).any():
        raise InputError(f"propellant_kg {np.nanmax(thruster.propellant_kg):g}: expected less than mass_kg")
    b, _, notes = shell_ballistic_coefficients(shells, ballistic_coefficient)
    report_notes(notes, strict=strict)
    start = today() if start is None else start
    first = to_mjd(start)
    check_end(first, years)
    columns: dict[str, list[Floats]] = {}
    loaded = SpaceWeather.load("bundled" if space_weather is None else space_weather)
    for scenario in scenarios:
        weather = resolve_space_weather(loaded, scenario)
        series = make_series(weather, first, first + years * YEAR_DAYS, STEP_DAYS, model=atmosphere)[0]
        found = _figures(shells, b, thruster, series, years, dead_band_km)
        found["lifetime_after_propellant"] = _lifetimes_after_propellant(
            shells, b, found["propellant_lifetime"] / YEAR_DAYS, thruster, first, scenario, loaded, atmosphere
        )
        for key, values in found.items():
            columns.setdefault(key, []).append(values)
    return make_station_keeping_dataset(
        [s.name for s in shells],
        scenarios,
        columns,
        mean_altitude=np.array([s.orbit.altitude_km for s in shells]),
        ballistic_coefficient=b,
        attributes={
            "atmosphere": describe_model(atmosphere),
            "space_weather": describe_space_weather(weather, first + years * YEAR_DAYS),
            "start": f"{start}",
            "years": float(years),
            "dead_band_km": float(dead_band_km),
            **({"ballistic_coefficient_notes": "; ".join(notes)} if notes else {}),
        },
    )


def _figures(
    shells: list[Shell], b: Floats, thruster: Thruster, series: AtmosphereSeries, years: float, dead_band_km: float
) -> dict[str, Floats]:
    middle = step_middles(series, years * YEAR_DAYS, STEP_DAYS)
    altitude = np.array([s.orbit.altitude_km for s in shells])
    rate = rates_on_station(series, _orbits(shells, altitude), b, middle)
    worst = np.argmin(rate, axis=0)
    mean, peak = rate.mean(axis=0), rate.min(axis=0)
    dv, dv_peak = (delta_v_rate(altitude, v) * YEAR_DAYS for v in (mean, peak))
    mass, impulse, thrust = thruster.mass_kg, thruster.specific_impulse_s, thruster.thrust_mn
    used = propellant_kg(dv, mass, impulse)
    # within the span day by day, beyond it at its mean
    spent = np.cumsum(propellant_kg(delta_v_rate(altitude, rate) * STEP_DAYS, mass, impulse), axis=0)
    lasts = np.array([_years_until(s, p, u) for s, p, u in zip(spent.T, thruster.propellant_kg, used, strict=True)])
    return {
        "delta_v": dv,
        "delta_v_peak": dv_peak,
        "propellant": used,
        "duty_cycle": duty_cycle(dv, mass, thrust),
        "duty_cycle_peak": duty_cycle(dv_peak, mass, thrust),
        "manoeuvre_interval": -dead_band_km / mean,
        "manoeuvre_interval_least": -dead_band_km / peak,
        "lowest_mean_altitude": np.array(
            [_lowest(s, b[k], thrust[k] * 1e-3 / mass[k], middle[worst[k]], series) for k, s in enumerate(shells)]
        ),
        "propellant_lifetime": lasts * YEAR_DAYS,
    }


def _orbits(shells: list[Shell], altitude: Floats) -> MeanOrbit:
    """Mean orbits of a satellite of each shell, or of one shell, at given mean altitudes (km)."""
    first = [make_objects(shells_to_catalog(s)[:1], np.zeros(1)).orbit for s in shells]
    orbit = MeanOrbit(*(np.concatenate(v) + np.zeros(len(altitude)) for v in zip(*first, strict=True)))
    return orbit._replace(semi_major_axis=altitude + WGS84_EQUATORIAL_RADIUS_KM)


def _lowest(shell: Shell, b: float, acceleration: float, mjd: float, series: AtmosphereSeries) -> float:
    """Altitude at which the drag of the worst time equals an acceleration (m/s2), km; NaN if not between 140 and 900 km."""
    if not acceleration > 0.0:
        return float("nan")
    altitude = np.geomspace(_LOWEST - 60.0, _HIGHEST - 60.0, 40) + 60.0
    ballistic = np.full(altitude.shape, b)
    rate = rates_on_station(series, _orbits([shell], altitude), ballistic, np.array([mjd]))
    drag = delta_v_rate(altitude, rate[0]) / SECONDS_PER_DAY
    if not drag[-1] < acceleration < drag[0]:
        return float("nan")
    return float(np.interp(np.log(acceleration), np.log(drag)[::-1], altitude[::-1]))


def _years_until(spent: Floats, propellant: float, used: float) -> float:
    """Years until the propellant (kg) is spent, of which `spent` is used by the end of each step and `used` a year beyond them."""
    if not propellant > 0.0 or np.isnan(used):
        return float("nan")
    if spent[-1] >= propellant:
        k = int(np.searchsorted(spent, propellant))
        before = spent[k - 1] if k else 0.0
        return float((k + (propellant - before) / (spent[k] - before)) * STEP_DAYS / YEAR_DAYS)
    return float(len(spent) * STEP_DAYS / YEAR_DAYS + (propellant - spent[-1]) / used)


def _lifetimes_after_propellant(
    shells: list[Shell],
    b: Floats,
    lasts: Floats,
    thruster: Thruster,
    first: float,
    solar: str,
    source: SpaceWeatherSource | None,
    model: str,
) -> Floats:
    """Days to re-entry of a satellite without propellant, whose ballistic coefficient has grown as its mass has shrunk."""
    result = np.full(len(shells), np.nan)
    for k in np.flatnonzero(np.isfinite(lasts) & (lasts < _LONGEST_YEARS)):
        end = from_mjd([first + lasts[k] * YEAR_DAYS])[0]
        dry = b[k] * thruster.mass_kg[k] / (thruster.mass_kg[k] - thruster.propellant_kg[k])
        one = shells_to_catalog(shells[k], epoch=end)[:1]
        for years in (LIFETIME_YEARS, _LONGEST_YEARS):  # the longer span wants programs of its own
            days = lifetimes(
                one, years=years, ballistic_coefficient=dry, solar=solar, space_weather=source, atmosphere=model
            )[0]
            if np.isfinite(days):
                result[k] = days
                break
    return result
