"""Integration of decaying orbits to re-entry: shared calendar steps, then a fall in steps of each satellite's own.

    march: one evaluation of the drag for each satellite and step, with the atmosphere of the step (second order: at the middle of
        the step, which is extrapolated with the rates of the step before). A satellite leaves it when a step would
        lower it by a fifth of a scale height, some five steps before its end.
    fall: Runge-Kutta (4th order), a fixed number of steps that shrink with the scale height, to 120 km.

Lengths are fixed, so that both are differentiable in either direction; a satellite that has re-entered stays where it is, at a
height where the atmosphere is harmless. The crossing is a root of the last step's cubic, so that the derivative of the lifetime is
that of the implicit function, -(dh/dp) / (dh/dt).
"""

from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.drag import rates as drag
from constellation_jax.physics.drag.atmosphere import (
    AtmosphereTable,
    Conditions,
    ConditionsInKernel,
    ConditionsOfStep,
    conditions,
)
from constellation_jax.physics.drag.rates import MeanOrbit

REENTRY_ALTITUDE_KM: Final = 120.0
"""Altitude of re-entry, below which an orbit lasts hours: stopping at 115 or 150 km moves a lifetime by less than half a day."""
NEAR_CIRCULAR_FALL_STEPS: Final = 40
"""Number of steps in which every near-circular orbit that has left the march re-enters."""
ELLIPTIC_FALL_STEPS: Final = 160
"""Number of steps in which every elliptic orbit that has left the march re-enters."""
_MARCH_LIMIT: Final = 0.2
"""Scale heights by which a step of the march may lower an orbit."""
_FALL_STEP: Final = {False: 0.7, True: 0.35}
"""Scale heights by which a step of the fall may lower an orbit, near-circular and elliptic; elliptic ones become circular, and then
sink faster than before."""
_LOWEST_KM: Final = 80.0
"""Mean altitude below which no stage of a step is evaluated, so that densities stay harmless."""


class AtmosphereSeries(NamedTuple):
    """Densities of the whole atmosphere in equal steps of time. Build one with `tabulate_atmosphere`."""

    coefficients: Array
    """Coefficients of `Conditions` for each step, shape (steps, 43, 43); steps beyond the end of the series are padding."""
    first_mjd: Array
    """Modified Julian Date (UTC) at which the first step begins."""
    step_days: Array
    """Length of a step, days."""
    days: Array
    """Length of the series from its first step to its end, days."""

    @property
    def steps(self) -> int:
        return self.coefficients.shape[0]


class Course(NamedTuple):
    """State of satellites in their decay; every array has the shape (satellites,)."""

    orbit: MeanOrbit
    """Mean orbits at `day`."""
    day: Array
    """Time of each satellite's state, days since `AtmosphereSeries.first_mjd`; at first that of its epoch."""
    slope: MeanOrbit
    """Rates of the last step, per day."""
    falling: Array
    """True for satellites that have left the march, because only `fall` may take their next step."""


class KeptStates(NamedTuple):
    """States that a march has kept at the end of every so many steps, float32 arrays of shape (kept, satellites)."""

    semi_major_axis: Array
    """Mean semi-major axis, km."""
    eccentricity: Array
    """Mean eccentricity."""
    decay_rate: Array
    """Rate of the semi-major axis, km/day."""
    density: Array
    """Mean density over a revolution, kg/m3."""
    falling: Array
    """True where the satellite has left the march, so that the other values are stale."""


class Fall(NamedTuple):
    """Re-entry of satellites, shape (satellites,), and the states on the way, shape (steps + 1, satellites)."""

    day: Array
    """Day of the re-entry since `AtmosphereSeries.first_mjd`; the last day of the series where `reentered` is False."""
    reentered: Array
    """True for satellites that re-enter within the series."""
    days: Array
    """Time of each state, days since `AtmosphereSeries.first_mjd`."""
    semi_major_axis: Array
    """Mean semi-major axis of each state, km."""
    eccentricity: Array
    """Mean eccentricity of each state."""
    decay_rate: Array
    """Rate of the semi-major axis of each state, km/day."""
    density: Array
    """Mean density over a revolution in each state, kg/m3."""
    orbit: MeanOrbit
    """Mean orbits at the end, from where another fall may go on."""


@jax.jit
def tabulate_atmosphere(
    table: AtmosphereTable,
    f107: Array,
    f107a: Array,
    ap: Array,
    day_of_year: Array,
    year: Array,
    first_mjd: Array,
    step_days: Array,
    days: Array,
) -> AtmosphereSeries:
    """Densities of the atmosphere over time from the indices of each step.

    Args:
        table: model of the atmosphere.
        f107, f107a, ap: indices of each step, shape (steps,); their dtype is that of the result.
        day_of_year, year: day of the year, and year with its fraction, at the middle of each step, shape (steps,).
        first_mjd, step_days, days: as in `AtmosphereSeries`.
    """
    at = jax.lax.map(lambda v: conditions(table, *v).coefficients, (f107, f107a, ap, day_of_year, year))
    return AtmosphereSeries(at, first_mjd, step_days, days)


def rates_at(
    series: AtmosphereSeries,
    orbit: MeanOrbit,
    day: Array,
    ballistic: Array,
    radiation: Array,
    *,
    elliptic: bool,
    in_kernel: bool = False,
) -> drag.Rates:
    """Rates of mean elements of satellites, each at its own time, days since the series' first; arguments as `march`."""
    at = _at(series, day, in_kernel)
    return drag.rates(at, orbit, series.first_mjd + day, ballistic, radiation, elliptic=elliptic)


def begin_course(
    series: AtmosphereSeries, orbit: MeanOrbit, day: Array, ballistic: Array, radiation: Array, *, elliptic: bool
) -> Course:
    """States of satellites at their epochs `day`, days since the series' first; arguments as `march`."""
    slope = rates_at(series, orbit, day, ballistic, radiation, elliptic=elliptic).orbit
    return Course(orbit, day, slope, jnp.zeros(day.shape, bool))


def march(
    series: AtmosphereSeries,
    course: Course,
    ballistic: Array,
    radiation: Array,
    first: Array,
    *,
    keep: int,
    elliptic: bool,
    in_kernel: bool = False,
) -> tuple[Course, KeptStates]:
    """Integrate satellites over the steps of a part of the series.

    Args:
        series: the part; `first_mjd` stays that of the whole.
        course: states at the beginning of the part; satellites whose epoch is later wait for it.
        ballistic, radiation: coefficients of drag and radiation pressure, m2/kg, shape (satellites,).
        first: index of the part's first step in the whole.
        keep: static; the state is kept every so many steps, a divisor of the number of steps.
        elliptic: static, as in `drag.rates`.
        in_kernel: static; True: each satellite looks its atmosphere up by itself, which XLA makes part of one kernel on a GPU, some
            five kernels a step. False: by a product of matrices, which is quicker on a CPU.
    """
    coefficients = series.coefficients

    def step(carry: tuple[Course, Array], now: tuple[Any, Array]) -> tuple[tuple[Course, Array], None]:
        (c, _), (own, k) = carry, now
        at = ConditionsInKernel(coefficients, k) if in_kernel else Conditions(own)
        end = (first + k + 1).astype(c.day.dtype) * series.step_days
        dt = jnp.where(c.falling, 0.0, jnp.clip(end - c.day, 0.0, series.step_days))
        half = 0.5 * dt
        middle = jax.tree.map(lambda y, s: y + half * s, c.orbit, c.slope)
        mjd = series.first_mjd + c.day + half
        found = drag.rates(at, middle, mjd, ballistic, radiation, elliptic=elliptic)
        falling = c.falling | (dt * _sinking_speed(c.orbit, found.orbit) > _MARCH_LIMIT)
        dt = jnp.where(falling, 0.0, dt)
        orbit = jax.tree.map(lambda y, s: y + dt * s, c.orbit, found.orbit)
        moved = dt > 0.0
        slope = jax.tree.map(lambda new, old: jnp.where(moved, new, old), found.orbit, c.slope)
        return (Course(orbit, c.day + dt, slope, falling), found.density), None

    def march_and_keep(carry: tuple[Course, Array], now: Any) -> tuple[tuple[Course, Array], KeptStates]:
        (course, density), _ = jax.lax.scan(step, carry, now)
        orbit = course.orbit
        states = (orbit.semi_major_axis, drag.eccentricity(orbit), course.slope.semi_major_axis, density)
        a, e, rate, density32 = (v.astype(jnp.float32) for v in states)
        kept = KeptStates(a, e, rate, density32, course.falling)
        return (course, density), kept

    steps = (None if in_kernel else coefficients, jnp.arange(series.steps, dtype=jnp.int32))
    blocks = jax.tree.map(lambda v: v.reshape(-1, keep, *v.shape[1:]), steps)
    (course, _), kept = jax.lax.scan(march_and_keep, (course, jnp.zeros_like(course.day)), blocks)
    return course, kept


def fall(
    series: AtmosphereSeries,
    orbit: MeanOrbit,
    day: Array,
    ballistic: Array,
    radiation: Array,
    *,
    elliptic: bool,
    in_kernel: bool = False,
    steps: int | None = None,
) -> Fall:
    """Integrate satellites that have left the march to 120 km: mean altitude of near-circular orbits, perigee of elliptic ones.

    Args:
        series: the whole series. Beyond its end its last step goes on, and nothing counts as re-entered.
        orbit, day: states in which the satellites have left the march, as in `Course`.
        steps: static; as many as every fall needs if not given.
        ballistic, radiation, elliptic, in_kernel: as in `march`.
    """
    height_of = drag.perigee_altitude if elliptic else drag.mean_altitude
    steps = steps or (ELLIPTIC_FALL_STEPS if elliptic else NEAR_CIRCULAR_FALL_STEPS)

    def step(carry: tuple[MeanOrbit, Array, Array], _: None) -> tuple[tuple[MeanOrbit, Array, Array], Fall]:
        orbit, day, over = carry
        at = _at(series, day, in_kernel)
        # up to the end of the calendar step, whose atmosphere holds; 1e-9: so that the next one begins beyond it
        left = ((_step_of(series, day) + 1) * series.step_days - day) * (1.0 + 1e-9)

        def moved(by: Array, slope: MeanOrbit) -> MeanOrbit:
            there = jax.tree.map(lambda y, s: y + by * s, orbit, slope)
            lowest = WGS84_EQUATORIAL_RADIUS_KM + _LOWEST_KM
            return there._replace(semi_major_axis=jnp.maximum(there.semi_major_axis, lowest))

        # four stages as a loop, of which the first finds how long the step is: each copy of the rates costs the compiler seconds
        def stage(carry: tuple[MeanOrbit, Array], part: Array) -> tuple[tuple[MeanOrbit, Array], drag.Rates]:
            slope, dt = carry
            there = moved(part * dt, slope)
            mjd = series.first_mjd + day + part * dt
            found = drag.rates(at, there, mjd, ballistic, radiation, elliptic=elliptic)
            longest = jnp.minimum(left, _FALL_STEP[elliptic] / jnp.maximum(_sinking_speed(orbit, found.orbit), 1e-12))
            return (found.orbit, jnp.where(part == 0.0, longest, dt)), found

        still = jax.tree.map(jnp.zeros_like, orbit)
        parts = jnp.asarray([0.0, 0.5, 0.5, 1.0], day.dtype)
        (_, dt), found = jax.lax.scan(stage, (still, jnp.zeros_like(day)), parts)
        first, last = (jax.tree.map(lambda k, i=i: k[i], found.orbit) for i in (0, 3))
        mean = jax.tree.map(lambda k: (k[0] + 2.0 * (k[1] + k[2]) + k[3]) * (1.0 / 6.0), found.orbit)
        after = moved(dt, mean)
        h0, h1 = height_of(orbit) - REENTRY_ALTITUDE_KM, height_of(after) - REENTRY_ALTITUDE_KM
        crosses = ~over & (h1 <= 0.0)
        part = _crossing(h0, h1, dt * _slope(orbit, first, elliptic), dt * _slope(after, last, elliptic))
        part = jnp.where(over, 0.0, jnp.where(crosses, part, 1.0))
        new = jax.tree.map(lambda y, z: y + part * (z - y), orbit, after)
        carry = new, day + part * dt, over | crosses
        e, rate = drag.eccentricity(orbit), first.semi_major_axis
        out = Fall(day + part * dt, over | crosses, day, orbit.semi_major_axis, e, rate, found.density[0], orbit)
        return carry, out

    over = height_of(orbit) <= REENTRY_ALTITUDE_KM
    (orbit, day, over), way = jax.lax.scan(step, (orbit, day, over), None, length=steps)
    over = over & (day <= series.days)

    def with_end(values: Array, last: Array) -> Array:
        return jnp.concatenate([values, last[None]])

    return Fall(
        jnp.where(over, day, series.days),
        over,
        with_end(way.days, day),
        with_end(way.semi_major_axis, orbit.semi_major_axis),
        with_end(way.eccentricity, drag.eccentricity(orbit)),
        with_end(way.decay_rate, way.decay_rate[-1]),
        with_end(way.density, way.density[-1]),
        orbit,
    )


@partial(jax.jit, static_argnames="elliptic")
def lifetime(
    series: AtmosphereSeries,
    orbit: MeanOrbit,
    day: Array,
    ballistic: Array,
    radiation: Array,
    *,
    elliptic: bool = False,
) -> tuple[Array, Array]:
    """Days from the epoch to re-entry, and True where that lies within the series (else the days are those to its end).

    Args:
        series: the atmosphere over time; its dtype is that of the quadrature: float64 where a derivative is to be compared with
            differences.
        orbit, day, ballistic, radiation: arrays of shape (satellites,), as in `Course` and `march`.
    """
    course = begin_course(series, orbit, day, ballistic, radiation, elliptic=elliptic)
    course, _ = march(series, course, ballistic, radiation, jnp.zeros((), jnp.int32), keep=1, elliptic=elliptic)
    end = fall(series, course.orbit, course.day, ballistic, radiation, elliptic=elliptic)
    return end.day - day, end.reentered


def _step_of(series: AtmosphereSeries, day: Array) -> Array:
    """Index of the step in which a day lies; not limited to the series."""
    return jnp.floor(day / series.step_days)


def _at(series: AtmosphereSeries, day: Array, in_kernel: bool) -> ConditionsOfStep:
    """Atmosphere of the step in which a day lies; outside the series, of its nearest step."""
    k = jnp.clip(_step_of(series, day), 0, series.steps - 1).astype(jnp.int32)
    return (ConditionsInKernel if in_kernel else ConditionsOfStep)(series.coefficients, k)


def _sinking_speed(orbit: MeanOrbit, slope: MeanOrbit) -> Array:
    """Speed of sinking in scale heights a day, the faster of perigee and semi-major axis."""
    height = jnp.maximum(drag.perigee_altitude(orbit) - 60.0, 20.0)
    scale = height * (1.0 / 8.0)  # a scale height below the true one everywhere, 7.5 km at 120 km and 42 at 400
    apart = orbit.semi_major_axis * drag.eccentricity(orbit)
    size = jnp.abs(slope.semi_major_axis) / (scale + 0.5 * apart)
    return jnp.maximum(size, jnp.abs(_slope(orbit, slope, True)) / scale)


def _slope(orbit: MeanOrbit, slope: MeanOrbit, elliptic: bool) -> Array:
    """Rate of the altitude that ends a lifetime (mean altitude, or perigee of elliptic orbits), km/day."""
    if not elliptic:
        return slope.semi_major_axis
    e = drag.eccentricity(orbit)
    de = (orbit.eccentricity_x * slope.eccentricity_x + orbit.eccentricity_y * slope.eccentricity_y) / e
    return slope.semi_major_axis * (1.0 - e) - orbit.semi_major_axis * de


def _crossing(h0: Array, h1: Array, d0: Array, d1: Array) -> Array:
    """Root between 0 and 1 of the cubic with values h0 > 0 >= h1 and slopes d0, d1 at 0 and 1: the chord, then Newton's steps.

    The divisors are bounded away from zero, so that an orbit that does not cross has finite values and gradients.
    """
    x = jnp.clip(h0 / jnp.maximum(h0 - h1, 1e-6), 0.0, 1.0)
    c2, c3 = 3.0 * (h1 - h0) - 2.0 * d0 - d1, 2.0 * (h0 - h1) + d0 + d1
    for _ in range(3):
        value = h0 + x * (d0 + x * (c2 + x * c3))
        x = jnp.clip(x - value / jnp.minimum(d0 + x * (2.0 * c2 + x * 3.0 * c3), -1e-6), 0.0, 1.0)
    return x
