"""Drag on station and lifetimes of shells, from tables that the engine of decay fills, and the thrust that makes the drag good.

    ln(rate) = spline in ln(altitude - 60 km) times cosines of multiples of the inclination
    ln(lifetime) = ln(time to fall at the mean rates / B) + correction

The correction is the effect of the solar cycle's phase and of the season at the beginning, a spline in the logarithm of the time to
fall. Its slope is zero at the end, so that longer lifetimes grow as the time at the mean rates. All is smooth at every altitude and
inclination: pure JAX with finite derivatives, the second one continuous within the tables. `constellation_jax.fill_drag_table` and
`constellation_jax.fill_lifetime_table` fill the tables.

Thrust works along the track against the mean drag: da/dt by drag, made good at 2 a / v km for each km/s. Drag is a force, so the
propellant it costs does not depend on how much is left, where the ballistic coefficient and the mass are those of one instant.
`delta_v_rate`, `propellant_kg`, `duty_cycle` and `thruster_margin` are operators alone, element by element, of NumPy on the host or
of JAX; shapes broadcast.
"""

from typing import Any, Final, NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from constellation_jax.physics.constants import (
    DEGREE,
    MU,
    SECONDS_PER_DAY,
    STANDARD_GRAVITY,
    WGS84_EQUATORIAL_RADIUS_KM,
    YEAR_DAYS,
)
from constellation_jax.physics.merit.shells import Shells, ballistic_coefficient, broadcast, numbers
from constellation_jax.physics.numerics.splines import spline_through, spline_weights

Number = TypeVar("Number", float, NDArray[np.float64], Array)

ALTITUDES_KM: Final = (140.0, 2000.0)
"""Range of the tables; beyond it the logarithms go on with the slope of the edge."""
ALTITUDE_STEPS: Final = 80
_OFFSET_KM: Final = 60.0
"""Offset of the logarithm, as in the table of the atmosphere: equal steps of ln(altitude - 60 km) follow the scale height."""
_BOTTOM: Final = float(np.log(ALTITUDES_KM[0] - _OFFSET_KM))
_STEP: Final = (float(np.log(ALTITUDES_KM[1] - _OFFSET_KM)) - _BOTTOM) / ALTITUDE_STEPS

FALL_DAYS: Final = (0.5, 35.0 * YEAR_DAYS)
"""Times to fall at the mean rates between which lifetimes are corrected."""
FALL_STEPS: Final = 140
_FALL_OFFSET_DAYS: Final = 30.0
"""Offset of the logarithm of the knots: within a month neither the season nor the solar cycle changes much."""
_FALL_BOTTOM: Final = float(np.log(FALL_DAYS[0] + _FALL_OFFSET_DAYS))
_FALL_STEP: Final = (float(np.log(FALL_DAYS[1] + _FALL_OFFSET_DAYS)) - _FALL_BOTTOM) / FALL_STEPS

_EXACT: Final = jax.lax.Precision.HIGHEST
"""Precision of products with the tables: else a GPU takes the factors in float32 in 11 bits, and rates are percents off."""


class DragTable(NamedTuple):
    """Drag over a mission for one or several levels of solar activity. Filled by `constellation_jax.fill_drag_table`."""

    mean: Any
    """Coefficients of ln(km/day) of decay for B = 1 m2/kg, mean of the span: shape (solar, cosines, splines)."""
    worst: Any
    """Coefficients as `mean`, of the worst ten days."""


class LifetimeTable(NamedTuple):
    """Lifetimes after failure for one or several levels of solar activity. Filled by `constellation_jax.fill_lifetime_table`."""

    fall: Any
    """Coefficients of ln(days) to 120 km at the mean rates for B = 1 m2/kg: shape (solar, cosines, splines)."""
    correction: Any
    """Coefficients of ln(lifetime / that time): shape (solar, cosines, coefficients of B, splines)."""
    ballistic: Any
    """ln(B) from and to which the correction holds, shape (2,); outside, lifetimes go as 1 / B."""


def altitudes_km() -> NDArray[np.float64]:
    """Altitudes of the knots of the tables, shape (ALTITUDE_STEPS + 1,)."""
    return np.asarray(_OFFSET_KM + np.exp(_BOTTOM + _STEP * np.arange(ALTITUDE_STEPS + 1)))


def fall_days() -> NDArray[np.float64]:
    """Times to fall at the knots of the correction, shape (FALL_STEPS + 1,)."""
    return np.asarray(np.exp(_FALL_BOTTOM + _FALL_STEP * np.arange(FALL_STEPS + 1)) - _FALL_OFFSET_DAYS)


def inclinations_deg(count: int) -> NDArray[np.float64]:
    """Inclinations of the values for `cosines_through`, from 0 to 180 degrees."""
    return np.linspace(0.0, 180.0, count)


def cosines_through(values: NDArray[Any], axis: int) -> NDArray[np.float64]:
    """Amplitudes c_k of sum_k c_k cos(k i) through values at `inclinations_deg`, along an axis.

    A series of cosines is a polynomial in cos i: it has no slope at 0 and 180 degrees, as an average over raans has none.
    """
    n = values.shape[axis]
    matrix = np.cos(np.outer(np.arange(n) * (np.pi / (n - 1)), np.arange(n)))
    first = np.moveaxis(values, axis, 0)
    series: Any = np.linalg.solve(matrix, first.reshape(n, -1)).reshape(first.shape)
    return np.moveaxis(series, 0, axis)


def rate_table(ln_values: NDArray[Any]) -> NDArray[np.float64]:
    """Coefficients from values at `inclinations_deg` and `altitudes_km`, shape (solar, inclinations, altitudes)."""
    return cosines_through(spline_through(ln_values), 1)


def correction_table(values: NDArray[Any]) -> NDArray[np.float64]:
    """Coefficients from values by solar activity, inclination, B (of equal ratios over its range, or one alone) and `fall_days`."""
    splines = spline_through(values, flat_ends=True)
    powers = np.linspace(-1.0, 1.0, values.shape[2])[:, None] ** np.arange(values.shape[2])
    if values.shape[2] > 1:
        splines = np.einsum("pb,sibk->sipk", np.linalg.inv(powers), splines)
    return cosines_through(splines, 1)


def decay_rate(
    shells: Shells, table: DragTable, *, worst: bool = False, ballistic_coefficient_m2_kg: ArrayLike | None = None
) -> Array:
    """Rate of the altitude by drag on station, mean of the planes and the mission, km/day (below zero).

    Args:
        shells: their orbits are taken as circular.
        table: of s levels of solar activity.
        worst: static; the rate of the worst ten days in place of the mean.
        ballistic_coefficient_m2_kg: Cd A / m, in place of that of the shells on station.

    Returns:
        Shape (s, ...), the latter that of the shells.
    """
    h, i, b = _orbits_and_b(shells, ballistic_coefficient_m2_kg, "on_station")
    return -b[None] * jnp.exp(_logarithm(table.worst if worst else table.mean, h, i))


def delta_v_per_year(
    shells: Shells, table: DragTable, *, worst: bool = False, ballistic_coefficient_m2_kg: ArrayLike | None = None
) -> Array:
    """Velocity increment that holds the altitude for a year, m/s; arguments and shape as `decay_rate`."""
    rate = decay_rate(shells, table, worst=worst, ballistic_coefficient_m2_kg=ballistic_coefficient_m2_kg)
    (h,) = numbers(shells, "orbit.altitude_km")
    return delta_v_rate(jnp.broadcast_to(jnp.asarray(h), rate.shape).astype(rate.dtype), rate) * YEAR_DAYS


def lifetime_years(
    shells: Shells, table: LifetimeTable, *, ballistic_coefficient_m2_kg: ArrayLike | None = None
) -> Array:
    """Years from the date of the table to re-entry at 120 km of a satellite that no longer thrusts, mean of the planes.

    Args:
        shells: their orbits are taken as circular.
        table: of s levels of solar activity.
        ballistic_coefficient_m2_kg: Cd A / m of the dead satellite, in place of that of the shells: tumbling where the areas are
            known, else on station.

    Returns:
        Shape (s, ...), the latter that of the shells.
    """
    h, i, b = _orbits_and_b(shells, ballistic_coefficient_m2_kg, "tumbling", "on_station")
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
    factors = (correction, splines, cosines, jnp.stack(powers, axis=-1))
    found = jnp.einsum("scbk,s...k,...c,...b->s...", *factors, precision=_EXACT)
    return jnp.exp(ln_days + found) * (1.0 / YEAR_DAYS)


def ln_fall_days(fall: Any, altitude_km: ArrayLike, inclination_deg: ArrayLike) -> Array:
    """ln(days) to 120 km at the mean rates for B = 1 m2/kg, from `LifetimeTable.fall`; shape (s, ...)."""
    return _logarithm(fall, *broadcast(altitude_km, inclination_deg))


def delta_v_rate(altitude_km: Any, decay_rate: Number) -> Number:
    """Velocity increment that makes a rate of decay good, m/s per day.

    Args:
        altitude_km: mean semi-major axis minus 6378.137 km.
        decay_rate: of the semi-major axis, km/day, below zero.
    """
    a = altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    found: Number = -decay_rate * (MU / a) ** 0.5 / (2.0 * a) * 1000.0
    return found


def propellant_kg(delta_v_m_s: Number, mass_kg: Any, specific_impulse_s: Any) -> Number:
    """Propellant that makes drag good, kg; in the unit of time of the velocity increment.

    Args:
        delta_v_m_s: velocity increment against drag of a satellite of that mass, m/s.
        mass_kg: of one satellite at the beginning, for which the ballistic coefficient holds.
        specific_impulse_s: s.
    """
    found: Number = delta_v_m_s * mass_kg / (specific_impulse_s * STANDARD_GRAVITY)
    return found


def duty_cycle(delta_v_per_year: Number, mass_kg: Any, thrust_mn: Any) -> Number:
    """Fraction of the time that a thruster works to hold the altitude; above 1 it cannot.

    Args:
        delta_v_per_year: m/s.
        mass_kg: of one satellite.
        thrust_mn: mN.
    """
    found: Number = delta_v_per_year * mass_kg / (thrust_mn * (1e-3 * SECONDS_PER_DAY * YEAR_DAYS))
    return found


def thruster_margin(delta_v_per_year: Number, mass_kg: Any, thrust_mn: Any) -> Number:
    """Thrust over drag: how many times the drag the thruster, always on, can hold. Below 1 the altitude is lost.

    Args:
        delta_v_per_year: at the rate of the time that matters, the worst one as a rule, m/s.
        mass_kg, thrust_mn: as `duty_cycle`.
    """
    found: Number = 1.0 / duty_cycle(delta_v_per_year, mass_kg, thrust_mn)
    return found


def _orbits_and_b(shells: Shells, given: ArrayLike | None, *attitudes: str) -> list[Array]:
    """Altitude, inclination and ballistic coefficient, given or of the shells in the first attitude in which it is known."""
    h, i = numbers(shells, "orbit.altitude_km", "orbit.inclination_deg")
    return broadcast(h, i, numbers(shells, ballistic_coefficient(*attitudes))[0] if given is None else given)


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
    return jnp.einsum("sck,...k,...c->s...", table, splines, cosines, precision=_EXACT)
