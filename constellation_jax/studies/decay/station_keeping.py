"""What does it cost to stay up? Shells in; velocity increments, propellant, duty cycles and the end of them out.

Thrust works along the track against the mean drag: da/dt by drag, made good at 2 a / v km for each km/s. Drag is a force, so the
propellant it costs does not depend on how much is left. Deliberately absent: phasing, collision avoidance, raising and disposal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import xarray as xr

from constellation_jax import __version__
from constellation_jax.engine.decay.engine import Floats
from constellation_jax.engine.decay.integrator import Climate
from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.space_weather import Source
from constellation_jax.inputs.environment.space_weather_series import SCENARIOS
from constellation_jax.inputs.shells.files import Shell, shells_to_catalog
from constellation_jax.inputs.times import Time
from constellation_jax.physics.constants import SECONDS_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM, YEAR_DAYS
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.physics.merit.drag import delta_v_rate, duty_cycle, propellant_kg
from constellation_jax.studies.decay.decay import LIFETIME_YEARS, lifetimes
from constellation_jax.studies.decay.fill_tables import STEP_DAYS, middles, mjd_of, rates_on_station, scenarios_of
from constellation_jax.studies.decay.inputs import (
    ASSUMED_BALLISTIC_COEFFICIENT,
    climates,
    objects_of,
    weather_of,
    weather_said,
)

_LOWEST, _HIGHEST = 140.0, 900.0


class Thruster(NamedTuple):
    """What drives a satellite of each shell; NaN where not known. Shape (shells,)."""

    mass_kg: Floats
    propellant_kg: Floats
    specific_impulse_s: Floats
    thrust_mn: Floats


def station_keeping(
    shells: Shell | Sequence[Shell],
    *,
    years: float = 5.0,
    start: Time = "2027-01-01",
    ballistic_coefficient: float | None = None,
    mass_kg: float | None = None,
    propellant_kg: float | None = None,
    specific_impulse_s: float | None = None,
    thrust_mn: float | None = None,
    dead_band_km: float = 1.0,
    solar: str | Sequence[str] = SCENARIOS,
    space_weather: Source | None = None,
) -> xr.Dataset:
    """What holding the altitude of shells costs, for each shell and solar scenario.

    Args:
        shells: one or several.
        years: span of the mission, from `start` (UTC) on.
        ballistic_coefficient: Cd A / m in m2/kg at the beginning; that of the shell if not given, else 0.013.
        mass_kg, propellant_kg, specific_impulse_s, thrust_mn: of every satellite, in place of those of the shell (thrust in mN).
        dead_band_km: how far a satellite may sink between two manoeuvres.
        solar: scenarios, "low", "median", "high".
        space_weather: as for `space_weather`; the bundled table if not given.

    Returns:
        Dataset with dims (solar, shell), see the page on decay; NaN where mass, propellant or thruster is not known.

    Raises:
        InputError: no shell, an unknown scenario, or a number that is not positive.
    """
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    scenarios = scenarios_of(solar)
    if not shells:
        raise InputError("no shell given: at least one is needed")
    given = {
        "mass_kg": mass_kg,
        "propellant_kg": propellant_kg,
        "specific_impulse_s": specific_impulse_s,
        "thrust_mn": thrust_mn,
    }
    for key, value in {
        "years": years,
        "dead_band_km": dead_band_km,
        "ballistic_coefficient": ballistic_coefficient,
        **given,
    }.items():
        if value is not None and not value > 0.0:
            raise InputError(f"{key} {value!r}: expected a number above 0")
    own = {
        key: np.array([getattr(s.spacecraft, key) if v is None else v for s in shells], float)  # NaN where None
        for key, v in given.items()
    }
    thruster = Thruster(**own)
    if (thruster.propellant_kg >= thruster.mass_kg).any():
        raise InputError(f"propellant_kg {np.nanmax(thruster.propellant_kg):g}: expected less than mass_kg")
    own_b = [s.spacecraft.ballistic_coefficient() for s in shells]
    b = np.array([ballistic_coefficient or v or ASSUMED_BALLISTIC_COEFFICIENT for v in own_b])
    first = mjd_of(start)
    columns: dict[str, list[Floats]] = {}
    weather = None
    for scenario in scenarios:
        weather = weather_of(space_weather, scenario)
        climate = climates(weather, first, first + years * YEAR_DAYS, STEP_DAYS)[0]
        found = _of_scenario(shells, b, thruster, climate, years, dead_band_km)
        found["lifetime_after_propellant"] = _afterwards(
            shells, b, found["propellant_lasts"], thruster, first, scenario, space_weather
        )
        for key, values in found.items():
            columns.setdefault(key, []).append(values)
    assert weather is not None
    attributes = {
        "title": f"Station-keeping of {len(shells)} shells",
        "source": f"constellation_jax {__version__}: mean drag in NRLMSISE-00 made good by thrust along the track",
        "space_weather": weather_said(weather, first + years * YEAR_DAYS),
        "start": f"{start}",
        "years": float(years),
        "dead_band_km": float(dead_band_km),
    }
    return xr.Dataset(
        {key: (("solar", "shell"), np.array(values), _ATTRIBUTES[key]) for key, values in columns.items()}
        | {"ballistic_coefficient": ("shell", b, {"long_name": "ballistic coefficient Cd A / m", "units": "m2 kg-1"})}
        | {
            "altitude": (
                "shell",
                np.array([s.orbit.altitude_km for s in shells]),
                {"long_name": "mean altitude", "units": "km"},
            )
        },
        coords={"solar": scenarios, "shell": [s.name for s in shells]},
        attrs=attributes,
    )


_ATTRIBUTES: Final[dict[str, dict[str, str]]] = {
    "delta_v": {"long_name": "velocity increment for a year, mean of the span", "units": "m s-1 year-1"},
    "delta_v_peak": {"long_name": "the same at the rate of the worst ten days", "units": "m s-1 year-1"},
    "propellant": {"long_name": "propellant for a year, mean of the span", "units": "kg year-1"},
    "duty_cycle": {"long_name": "fraction of the time that the thruster works, mean of the span", "units": "1"},
    "duty_cycle_peak": {"long_name": "the same in the worst ten days; above 1 it cannot hold", "units": "1"},
    "manoeuvre_interval": {
        "long_name": "time in which the orbit sinks by the dead band, mean of the span",
        "units": "day",
    },
    "manoeuvre_interval_least": {"long_name": "the same in the worst ten days", "units": "day"},
    "lowest_altitude": {
        "long_name": "altitude below which the thruster, always on, cannot hold in the worst ten days",
        "units": "km",
    },
    "propellant_lasts": {
        "long_name": "time until the propellant is spent, at the mean rate beyond the span",
        "units": "year",
    },
    "lifetime_after_propellant": {
        "long_name": "time from then to re-entry; NaN where more than 100 years",
        "units": "year",
    },
}


def _of_scenario(
    shells: list[Shell], b: Floats, thruster: Thruster, climate: Climate, years: float, dead_band_km: float
) -> dict[str, Floats]:
    middle = middles(climate, years * YEAR_DAYS, STEP_DAYS)
    altitude = np.array([s.orbit.altitude_km for s in shells])
    rate = rates_on_station(climate, _orbits(shells, altitude), b, middle)
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
        "lowest_altitude": np.array(
            [_lowest(s, b[k], thrust[k] * 1e-3 / mass[k], middle[worst[k]], climate) for k, s in enumerate(shells)]
        ),
        "propellant_lasts": lasts,
    }


def _orbits(shells: list[Shell], altitude: Floats) -> MeanOrbit:
    """Mean orbit of a satellite of each shell, or of one shell, at altitudes of their own."""
    first = [objects_of(shells_to_catalog(s)[:1], np.zeros(1)).orbit for s in shells]
    orbit = MeanOrbit(*(np.concatenate(v) + np.zeros(len(altitude)) for v in zip(*first, strict=True)))
    return orbit._replace(semi_major_axis=altitude + WGS84_EQUATORIAL_RADIUS_KM)


def _lowest(shell: Shell, b: float, acceleration: float, mjd: float, climate: Climate) -> float:
    """Altitude at which the drag of the worst time equals an acceleration (m/s2), km; NaN if not between 140 and 900 km."""
    if not acceleration > 0.0:
        return float("nan")
    altitude = np.geomspace(_LOWEST - 60.0, _HIGHEST - 60.0, 40) + 60.0
    ballistic = np.full(altitude.shape, b)
    rate = rates_on_station(climate, _orbits([shell], altitude), ballistic, np.array([mjd]))
    drag = delta_v_rate(altitude, rate[0]) / SECONDS_PER_DAY
    if not drag[-1] < acceleration < drag[0]:
        return float("nan")
    return float(np.interp(np.log(acceleration), np.log(drag)[::-1], altitude[::-1]))


def _years_until(spent: Floats, propellant: float, used: float) -> float:
    if not propellant > 0.0 or np.isnan(used):
        return float("nan")
    if spent[-1] >= propellant:
        k = int(np.searchsorted(spent, propellant))
        before = spent[k - 1] if k else 0.0
        return float((k + (propellant - before) / (spent[k] - before)) * STEP_DAYS / YEAR_DAYS)
    return float(len(spent) * STEP_DAYS / YEAR_DAYS + (propellant - spent[-1]) / used)


def _afterwards(
    shells: list[Shell], b: Floats, lasts: Floats, thruster: Thruster, first: float, solar: str, source: Source | None
) -> Floats:
    """Years to re-entry of a satellite without propellant, whose ballistic coefficient has grown as its mass has shrunk."""
    result = np.full(len(shells), np.nan)
    for k in np.flatnonzero(np.isfinite(lasts) & (lasts < 100.0)):
        end = np.datetime64("1858-11-17T00:00:00", "s") + np.timedelta64(
            int((first + lasts[k] * YEAR_DAYS) * 86400), "s"
        )
        dry = b[k] * thruster.mass_kg[k] / (thruster.mass_kg[k] - thruster.propellant_kg[k])
        one = shells_to_catalog(shells[k], epoch=end)[:1]
        for years in (LIFETIME_YEARS, 100.0):  # the longer span wants programs of its own
            days = lifetimes(one, years=years, ballistic_coefficient=dry, solar=solar, space_weather=source)[0]
            if np.isfinite(days):
                result[k] = days / YEAR_DAYS
                break
    return result
