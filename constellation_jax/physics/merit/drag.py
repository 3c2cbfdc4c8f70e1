"""Drag on station and lifetimes of circular orbits by altitude and inclination, from tables that the engine of decay has filled.

    ln(rate) = spline in ln(altitude - 60 km) times cosines of multiples of the inclination
    ln(lifetime) = ln(time to fall at the mean rates / B) + correction

The correction is what the phase of the solar cycle and the season at the beginning do, a spline in the logarithm of the time to
fall; it ends flat, so that long lifetimes go on as the time at the mean rates. All is smooth, at every altitude and inclination:
pure JAX with finite derivatives, the second one continuous within the tables. `constellation_jax.drag_climate` and
`constellation_jax.lifetime_table` fill the tables.
"""

from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from constellation_jax.physics.constants import DEGREE, YEAR_DAYS
from constellation_jax.physics.drag.station_keeping import delta_v_rate
from constellation_jax.physics.numerics.splines import spline_through, spline_weights

ALTITUDES_KM: Final = (140.0, 2000.0)
"""Range of the tables; beyond it the logarithms go on with the slope of the edge."""
ALTITUDE_STEPS: Final = 80
_OFFSET_KM: Final = 60.0
"""As in the table of the atmosphere, where equal steps of ln(altitude - 60 km) follow the scale height."""
_BOTTOM: Final = float(np.log(ALTITUDES_KM[0] - _OFFSET_KM))
_STEP: Final = (float(np.log(ALTITUDES_KM[1] - _OFFSET_KM)) - _BOTTOM) / ALTITUDE_STEPS

FALL_DAYS: Final = (0.5, 35.0 * YEAR_DAYS)
"""Times to fall at the mean rates between which lifetimes are corrected."""
FALL_STEPS: Final = 140
_FALL_OFFSET_DAYS: Final = 30.0
"""ln(days + 30): seasons and the solar cycle want equal steps where days are many, little happens in fewer."""
_FALL_BOTTOM: Final = float(np.log(FALL_DAYS[0] + _FALL_OFFSET_DAYS))
_FALL_STEP: Final = (float(np.log(FALL_DAYS[1] + _FALL_OFFSET_DAYS)) - _FALL_BOTTOM) / FALL_STEPS


class DragClimate(NamedTuple):
    """Drag over a mission under one or several Suns. Build one with `constellation_jax.drag_climate`."""

    mean: Any
    """Of ln(km/day) of decay for B = 1 m2/kg, the mean of the span: shape (scenarios, cosines, splines)."""
    worst: Any
    """The same of the worst ten days."""


class LifetimeTable(NamedTuple):
    """Lifetimes after failure under one or several Suns. Build one with `constellation_jax.lifetime_table`."""

    fall: Any
    """Of ln(days) to 120 km at the mean rates for B = 1 m2/kg: shape (scenarios, cosines, splines)."""
    correction: Any
    """Of ln(lifetime / that time): shape (scenarios, cosines, coefficients of B, splines)."""
    ballistic: Any
    """ln(B) from and to which the correction holds, shape (2,); outside, lifetimes go as 1 / B."""


def altitudes_km() -> NDArray[np.float64]:
    """At the knots of the tables, shape (ALTITUDE_STEPS + 1,)."""
    return np.asarray(_OFFSET_KM + np.exp(_BOTTOM + _STEP * np.arange(ALTITUDE_STEPS + 1)))


def fall_days() -> NDArray[np.float64]:
    """Times to fall at the knots of the correction, shape (FALL_STEPS + 1,)."""
    return np.asarray(np.exp(_FALL_BOTTOM + _FALL_STEP * np.arange(FALL_STEPS + 1)) - _FALL_OFFSET_DAYS)


def inclinations_deg(count: int) -> NDArray[np.float64]:
    """Where `cosines_through` wants values, from 0 to 180 degrees."""
    return np.linspace(0.0, 180.0, count)


def cosines_through(values: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Amplitudes c_k of sum_k c_k cos(k i) through values at `inclinations_deg`, along an axis.

    A series of cosines is a polynomial in cos i: it has no slope at 0 and 180 degrees, as an average over nodes has none.
    """
    n = values.shape[axis]
    matrix = np.cos(np.outer(np.arange(n) * (np.pi / (n - 1)), np.arange(n)))
    first = np.moveaxis(values, axis, 0)
    series: Any = np.linalg.solve(matrix, first.reshape(n, -1)).reshape(first.shape)
    return np.moveaxis(series, 0, axis)


def rate_table(ln_values: NDArray[Any]) -> NDArray[np.float64]:
    """Coefficients from values at `inclinations_deg` and `altitudes_km`, shape (scenarios, inclinations, altitudes)."""
    return cosines_through(spline_through(ln_values), 1)


def correction_table(values: NDArray[Any]) -> NDArray[np.float64]:
    """Coefficients from values by scenario, inclination, B (of equal ratios over its range, or one alone) and `fall_days`."""
    splines = spline_through(values, flat_ends=True)
    powers = np.linspace(-1.0, 1.0, values.shape[2])[:, None] ** np.arange(values.shape[2])
    if values.shape[2] > 1:
        splines = np.einsum("pb,sibk->sipk", np.linalg.inv(powers), splines)
    return cosines_through(splines, 1)


def decay_rate(
    climate: DragClimate,
    altitude_km: ArrayLike,
    inclination_deg: ArrayLike,
    ballistic_coefficient: ArrayLike,
    *,
    worst: bool = False,
) -> Array:
    """Rate of the altitude by drag on station, mean of the planes and the mission, km/day (below zero).

    Args:
        climate: of s scenarios.
        altitude_km: mean semi-major axis minus 6378.137 km, any shape; a circular orbit.
        inclination_deg, ballistic_coefficient: deg and Cd A / m in m2/kg, of the same shape or a number.
        worst: static; the rate of the worst ten days in place of the mean.

    Returns:
        Shape (s, ...), the latter that of the altitude.
    """
    h, i, b = _together(altitude_km, inclination_deg, ballistic_coefficient)
    return -b[None] * jnp.exp(_logarithm(climate.worst if worst else climate.mean, h, i))


def delta_v_per_year(
    climate: DragClimate,
    altitude_km: ArrayLike,
    inclination_deg: ArrayLike,
    ballistic_coefficient: ArrayLike,
    *,
    worst: bool = False,
) -> Array:
    """Velocity increment that holds the altitude for a year, m/s; arguments and shape as `decay_rate`."""
    h = jnp.asarray(altitude_km)
    rate = decay_rate(climate, h, inclination_deg, ballistic_coefficient, worst=worst)
    return delta_v_rate(jnp.broadcast_to(h, rate.shape).astype(rate.dtype), rate) * YEAR_DAYS


def lifetime_years(
    table: LifetimeTable, altitude_km: ArrayLike, inclination_deg: ArrayLike, ballistic_coefficient: ArrayLike
) -> Array:
    """Years from the date of the table to re-entry at 120 km of a satellite that no longer thrusts, mean of the planes.

    Args:
        table: of s scenarios.
        others: as `decay_rate`; the ballistic coefficient is that of the dead satellite, whose attitude may be another.

    Returns:
        Shape (s, ...), the latter that of the altitude.
    """
    h, i, b = _together(altitude_km, inclination_deg, ballistic_coefficient)
    ln_b = jnp.log(b)[None]
    ln_days = _logarithm(table.fall, h, i) - ln_b
    days = jnp.exp(jnp.minimum(ln_days, 80.0))  # far beyond the table, before it overflows
    place = (jnp.log(days + _FALL_OFFSET_DAYS) - _FALL_BOTTOM) * (1.0 / _FALL_STEP)
    splines = spline_weights(place, FALL_STEPS)  # (s, ..., splines)
    correction = jnp.asarray(table.correction, h.dtype)
    low, high = jnp.asarray(table.ballistic, h.dtype)
    x = jnp.clip((2.0 * ln_b[0] - low - high) / jnp.maximum(high - low, 1e-9), -1.0, 1.0)
    powers = [jnp.ones_like(x)]  # by products: a power of zero has no finite derivative by its base
    while len(powers) < correction.shape[2]:
        powers.append(powers[-1] * x)
    cosines = _cosines(i, correction.shape[1])
    found = jnp.einsum("scbk,s...k,...c,...b->s...", correction, splines, cosines, jnp.stack(powers, axis=-1))
    return jnp.exp(ln_days + found) * (1.0 / YEAR_DAYS)


def ln_fall_days(fall: Any, altitude_km: ArrayLike, inclination_deg: ArrayLike) -> Array:
    """ln(days) to 120 km at the mean rates for B = 1 m2/kg, from `LifetimeTable.fall`; shape (s, ...)."""
    return _logarithm(fall, *_together(altitude_km, inclination_deg))


def _together(*values: ArrayLike) -> list[Array]:
    arrays = [jnp.asarray(v) for v in values]
    dtype = jnp.result_type(*arrays, 1.0)
    shape = np.broadcast_shapes(*(a.shape for a in arrays))
    return [jnp.broadcast_to(a, shape).astype(dtype) for a in arrays]


def _cosines(inclination_deg: Array, count: int) -> Array:
    multiples = jnp.arange(count, dtype=inclination_deg.dtype).reshape((1,) * inclination_deg.ndim + (count,))
    return jnp.cos((inclination_deg * DEGREE)[..., None] * multiples)


def _logarithm(table: Any, altitude_km: Array, inclination_deg: Array) -> Array:
    table = jnp.asarray(table, altitude_km.dtype)
    above = jnp.maximum(
        altitude_km, ALTITUDES_KM[0]
    )  # below the range the tangent: the logarithm stays away from its pole
    below = (altitude_km - above) * (1.0 / (ALTITUDES_KM[0] - _OFFSET_KM))
    place = (jnp.log(above - _OFFSET_KM) + below - _BOTTOM) * (1.0 / _STEP)
    splines = spline_weights(place, ALTITUDE_STEPS)
    cosines = _cosines(inclination_deg, table.shape[1])
    return jnp.einsum("sck,...k,...c->s...", table, splines, cosines)
