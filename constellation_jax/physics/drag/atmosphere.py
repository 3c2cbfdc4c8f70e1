"""Total mass density of the upper atmosphere: NRLMSISE-00, corrected or plain, or NRLMSIS 2.1, averaged over a day, from one table.

    table --F10.7, its mean, Ap, season--> Conditions, shared by all satellites --altitude, place--> density

The table holds the logarithm of the total mass density at a latitude and a local solar time, averaged over longitude, that is over
the day in which the Earth turns below the orbit. Its basis: cubic B-splines in ln(altitude - 60 km); spherical harmonics of
latitude and local time, written as polynomials of the direction, which know no pole; Fourier terms of the season; Chebyshev
polynomials of the three indices. All of it is smooth, so value and gradient are finite everywhere. What depends on time alone
is contracted once (`conditions`), with the correction for a quiet Sun; a density then costs 50 multiply-adds and one exponential.
docs/concepts/atmosphere.md gives the errors.

Deliberately absent: winds, composition, longitude and storms within a day (three-hourly ap), and the reading of files.

Reference: Picone, Hedin, Drob & Aikin, J. Geophys. Res. 107 (A12), 1468 (2002), doi:10.1029/2002JA009430 (NRLMSISE-00);
Emmert et al., J. Geophys. Res. Space Phys. 127, e2022JA030896 (2022), doi:10.1029/2022JA030896 (NRLMSIS 2.1).
"""

import dataclasses
import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import TWO_PI, YEAR_DAYS
from constellation_jax.physics.drag.quiet_sun import weight
from constellation_jax.physics.numerics.fastmath import horner, sincos
from constellation_jax.physics.numerics.splines import cubic_b_spline
from constellation_jax.physics.secular import mean_sun_right_ascension

ALTITUDE_RANGE: Final = (100.0, 2000.0)
"""Altitudes of the table, km above the ellipsoid. Outside, ln(density) goes on with the slope of the edge; below 0 km it stays."""
F107A_RANGE: Final = (60.0, 290.0)
"""81-day means of F10.7 in the table, solar flux units. Outside the ranges of the indices the value of the edge is taken."""
F107_RATIO_RANGE: Final = (0.65, 1.5)
"""Ratios of daily F10.7 to its 81-day mean in the table."""
AP_RANGE: Final = (0.0, 300.0)
"""Daily Ap in the table."""

ALTITUDE_OUTSIDE: Final = 1
F107A_OUTSIDE: Final = 2
F107_OUTSIDE: Final = 4
AP_OUTSIDE: Final = 8

# The basis. Another choice needs another table (scripts/build_atmosphere.py), and the loader refuses one of another basis.
# ln(h - 60) makes knots of equal steps 3 km apart at 100 km, 30 km at 400 km, 180 km at 2000 km
_ALTITUDE_OFFSET = 60.0
_INTERVALS = 40
_DEGREE, _ORDER = 6, 4
_SEASON_HARMONICS = 3
_CHEBYSHEV = (6, 4, 6)  # terms in f107a, f107 / f107a and ap
_AP_SCALE = 20.0
BASIS: Final = (
    *(_ALTITUDE_OFFSET, _INTERVALS, _DEGREE, _ORDER, _SEASON_HARMONICS, *_CHEBYSHEV, _AP_SCALE),
    *(*ALTITUDE_RANGE, *F107A_RANGE, *F107_RATIO_RANGE, *AP_RANGE),
)
"""Basis and ranges of a table; the loader refuses a table made with others."""

_BOTTOM, _TOP = (math.log(h - _ALTITUDE_OFFSET) for h in ALTITUDE_RANGE)
_STEP = (_TOP - _BOTTOM) / _INTERVALS
_EXACT = (
    jax.lax.Precision.HIGHEST
)  # a GPU would take the factors of a float32 product in 11 bits: densities would be off by percents


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class AtmosphereTable:
    """Table of a model of the atmosphere, as a product of two arrays. Read one with `load_atmosphere`."""

    states: ArrayLike
    """Factor that depends on time, shape (6, 4, 6, 7, rank), by the terms of f107a, f107 / f107a, ap and season."""
    profiles: ArrayLike
    """Factor that depends on place, ln(kg/m3), shape (rank, 43, 43), by `polynomials` and splines in altitude."""
    quiet_sun: ArrayLike
    """Correction of ln(density) where `quiet_sun.weight` is 1, shape (43,), by splines in altitude; zero for a plain model."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Conditions:
    """The whole atmosphere at one instant, shared by all satellites. Build one with `conditions`."""

    coefficients: Array
    """Coefficients of ln(kg/m3) by `polynomials` and splines in altitude, shape (43, 43)."""

    def columns(self, altitude: Array, orders: int) -> list[list[Array]]:
        """Coefficients of `polynomials` at altitudes of any shape (...), and their derivatives by altitude.

        Returns:
            For each order of derivative below `orders` a list of 43 arrays of shape (1, ...).
        """
        return [_entries(jnp.tensordot(self.coefficients, w, 1, precision=_EXACT)) for w in _weights(altitude)[:orders]]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ConditionsOfStep:
    """The atmosphere at many instants, of which each satellite has its own: only what its altitude needs is looked up."""

    coefficients: Array
    """Coefficients as those of `Conditions`, shape (instants, 43, 43)."""
    step: Array
    """Index of each satellite's instant, of a shape that broadcasts with that of altitudes."""

    def columns(self, altitude: Array, orders: int) -> list[list[Array]]:
        """Coefficients of `polynomials` at altitudes and their derivatives; as `Conditions.columns`."""
        # satellites first, as XLA looks them up, until 43 sums are left: to move them last before is a slow copy on a CPU
        n = altitude.ndim
        near, weights = self._near(altitude, (n, n + 1), orders)
        columns = []
        for w in weights:
            # four multiples by hand: a product of small matrices, one for each satellite, is slow on a CPU
            w0, w1, w2, w3 = (weight[..., None] for weight in w)
            column = w0 * near[..., 0] + w1 * near[..., 1] + w2 * near[..., 2] + w3 * near[..., 3]
            columns.append([jnp.moveaxis(entry, -1, 0) for entry in _entries(column, axis=n)])
        return columns

    def _near(self, altitude: Array, axes: tuple[int, int], orders: int) -> tuple[Array, tuple[Array, ...]]:
        """Coefficients of the 43 polynomials by the 4 splines about each altitude, along two axes; and weights of these splines."""
        inside = jnp.clip(altitude, *ALTITUDE_RANGE)
        interval = jnp.clip(
            jnp.floor((jnp.log(inside - _ALTITUDE_OFFSET) - _BOTTOM) * (1.0 / _STEP)), 0, _INTERVALS - 1
        )
        interval = jax.lax.stop_gradient(interval)
        place = jnp.stack([jnp.broadcast_to(self.step, inside.shape), interval.astype(self.step.dtype)], axis=-1)
        near = jax.lax.gather(
            self.coefficients,
            place,
            jax.lax.GatherDimensionNumbers(offset_dims=axes, collapsed_slice_dims=(0,), start_index_map=(0, 2)),
            slice_sizes=(1, self.coefficients.shape[1], 4),
            mode="promise_in_bounds",
        )
        return near, _weights(altitude, interval)[:orders]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class ConditionsInKernel(ConditionsOfStep):
    """As `ConditionsOfStep`, in the order of axes in which XLA makes the look-up part of a kernel on a GPU. Slow on a CPU."""

    def columns(self, altitude: Array, orders: int) -> list[list[Array]]:
        """Coefficients of `polynomials` at altitudes and their derivatives; as `Conditions.columns`."""
        near, weights = self._near(altitude, (0, 1), orders)
        return [_entries(jnp.sum(w[None] * near, axis=1)) for w in weights]


def conditions(
    table: AtmosphereTable,
    f107: ArrayLike,
    f107a: ArrayLike,
    ap: ArrayLike,
    day_of_year: ArrayLike,
    year: ArrayLike = 2020.0,
) -> Conditions:
    """Contract a table to the atmosphere at one instant.

    Args:
        table: model of the atmosphere.
        f107: observed 10.7 cm solar flux of the day before, solar flux units.
        f107a: its 81-day mean about the day.
        ap: daily planetary Ap.
        day_of_year: 1 at the beginning of January 1, with its fraction.
        year: with its fraction; only the correction for a quiet Sun depends on it, and since 2006 no longer does.
    """
    f107, f107a, ap, day = (jnp.asarray(v) for v in (f107, f107a, ap, day_of_year))
    dtype = jnp.result_type(f107, f107a, ap, day)
    weights = [w.astype(dtype) for w in activity_terms(f107, f107a, ap)]
    # one contraction after the other, as products of a vector and a matrix
    state = jnp.asarray(table.states).astype(dtype)
    for w in (*weights, season_terms(day).astype(dtype)):
        state = jnp.matmul(w, state.reshape(w.shape[0], -1), precision=_EXACT).reshape(state.shape[1:])
    profiles = jnp.asarray(table.profiles).astype(dtype)
    at = jnp.matmul(state, profiles.reshape(profiles.shape[0], -1), precision=_EXACT)
    quiet = weight(*(jnp.asarray(v).astype(dtype) for v in (f107a, ap, year)))
    # the first polynomial is 1: the same correction everywhere on Earth
    return Conditions(at.reshape(profiles.shape[1:]).at[0].add(quiet * jnp.asarray(table.quiet_sun).astype(dtype)))


def density(at: Conditions, altitude: ArrayLike, latitude: ArrayLike, local_time: ArrayLike) -> Array:
    """Total mass density at places of any shape, kg/m3, averaged over longitude.

    Args:
        at: the atmosphere of the instant.
        altitude: above the ellipsoid, km.
        latitude: rad.
        local_time: mean solar time, rad: 0 at midnight, pi at noon.
    """
    altitude, latitude, local_time = jnp.broadcast_arrays(altitude, latitude, local_time)
    sin_latitude, cos_latitude = sincos(latitude[None])
    s, c = sincos(local_time[None])
    column = at.columns(altitude, 1)[0]
    return jnp.exp(_sum(column, -cos_latitude * c, -cos_latitude * s, sin_latitude)[0])


def orbit_densities(
    at: Conditions | ConditionsOfStep,
    altitude: ArrayLike,
    inclination: ArrayLike,
    node_local_time: ArrayLike,
    height_differences: Array | None = None,
    *,
    points: int = 12,
) -> Array:
    """Total mass density, kg/m3, at some points of near-circular orbits, equally spaced in argument of latitude from zero.

    Args:
        at: the atmosphere of the instant.
        altitude: of the orbits above the ellipsoid, km, any shape (...).
        inclination: rad.
        node_local_time: mean solar time of the ascending node, rad (`node_local_time`).
        height_differences: height of each point above `altitude`, km, shape (points, ...): eccentricity, the oblate Earth, J2.
            ln(density) is taken to second order in it.
        points: static; number of points.

    Returns:
        Shape (points, ...).
    """
    altitude, inclination, node_local_time = jnp.broadcast_arrays(altitude, inclination, node_local_time)
    columns = at.columns(altitude, 1 if height_differences is None else 3)
    u = (TWO_PI / points) * np.arange(points).reshape((-1,) + (1,) * altitude.ndim)
    cos_u, sin_u = (jnp.asarray(f(u), columns[0][0].dtype) for f in (np.cos, np.sin))
    place = _sunward(cos_u, sin_u, inclination, node_local_time)
    value = _sum(columns[0], *place)
    if height_differences is not None:
        slope, curvature = _sum(columns[1], *place), _sum(columns[2], *place)
        value = value + height_differences * (slope + 0.5 * height_differences * curvature)
    return jnp.exp(value)


def densities_along(
    at: Conditions | ConditionsOfStep,
    altitudes: Array,
    cos_u: Array,
    sin_u: Array,
    inclination: ArrayLike,
    node_local_time: ArrayLike,
) -> Array:
    """Total mass density, kg/m3, at points of any orbits.

    Args:
        at: the atmosphere of the instant.
        altitudes: of the points above the ellipsoid, km, shape (points, ...).
        cos_u, sin_u: of their arguments of latitude, shape (points, ...).
        inclination, node_local_time: as `orbit_densities`, shape (...).
    """
    inclination, node_local_time = jnp.asarray(inclination), jnp.asarray(node_local_time)

    def at_points(altitude: Array, cos_u: Array, sin_u: Array, inclination: Array, node_local_time: Array) -> Array:
        place = _sunward(cos_u[None], sin_u[None], inclination, node_local_time)
        return jnp.exp(_sum(at.columns(altitude, 1)[0], *place)[0])

    if isinstance(at, ConditionsInKernel):
        return at_points(altitudes, cos_u, sin_u, inclination[None], node_local_time[None])

    # as a loop: what 32 points look up at once would leave the cache
    def at_point(_: None, point: tuple[Array, Array, Array]) -> tuple[None, Array]:
        return None, at_points(*point, inclination, node_local_time)

    return jax.lax.scan(at_point, None, (altitudes, cos_u, sin_u))[1]


def orbit_mean_density(
    at: Conditions, altitude: ArrayLike, inclination: ArrayLike, node_local_time: ArrayLike, *, points: int = 12
) -> Array:
    """Total mass density, kg/m3, averaged over a revolution of a circular orbit and over a day; arguments as `orbit_densities`."""
    return jnp.mean(orbit_densities(at, altitude, inclination, node_local_time, points=points), axis=0)


def node_local_time(raan: ArrayLike, mjd: ArrayLike) -> Array:
    """Mean solar time of the ascending node, rad (0 at midnight, pi at noon; any number of turns).

    Args:
        raan: right ascension of the ascending node, rad.
        mjd: Modified Julian Date (UT1; UTC will do).
    """
    return jnp.asarray(raan) - mean_sun_right_ascension(jnp.asarray(mjd)) + math.pi


def outside_range(altitude: ArrayLike, f107: ArrayLike, f107a: ArrayLike, ap: ArrayLike) -> Array:
    """Flags of arguments outside the range of the table: a sum of ALTITUDE_OUTSIDE, F107A_OUTSIDE, F107_OUTSIDE and AP_OUTSIDE."""
    ratio = jnp.asarray(f107) / jnp.maximum(jnp.asarray(f107a), 1.0)
    checks = (
        (altitude, ALTITUDE_RANGE, ALTITUDE_OUTSIDE),
        (f107a, F107A_RANGE, F107A_OUTSIDE),
        (ratio, F107_RATIO_RANGE, F107_OUTSIDE),
        (ap, AP_RANGE, AP_OUTSIDE),
    )
    bits = jnp.zeros((), jnp.int32)
    for value, (low, high), bit in checks:
        value = jnp.asarray(value)
        bits = bits + jnp.where((value < low) | (value > high), bit, 0).astype(jnp.int32)
    return bits


def activity_terms(f107: Array, f107a: Array, ap: Array) -> tuple[Array, Array, Array]:
    """Chebyshev polynomials of ln(f107a), f107 / f107a and ln(1 + ap / 20), each over its range; shapes (6,), (4,), (6,)."""
    f107a = jnp.clip(f107a, *F107A_RANGE)  # clipped before the logarithm and the division, so that neither meets zero
    ratio = jnp.clip(f107 / f107a, *F107_RATIO_RANGE)
    ap = jnp.log1p(jnp.clip(ap, *AP_RANGE) * (1.0 / _AP_SCALE))
    low, high = (math.log(f) for f in F107A_RANGE)
    top = math.log1p(AP_RANGE[1] / _AP_SCALE)
    return (
        _chebyshev(jnp.log(f107a), low, high, _CHEBYSHEV[0]),
        _chebyshev(ratio, *F107_RATIO_RANGE, _CHEBYSHEV[1]),
        _chebyshev(ap, 0.0, top, _CHEBYSHEV[2]),
    )


def season_terms(day_of_year: Array) -> Array:
    """Fourier terms of the season, shape (7,): 1, then cosine and sine of the first three harmonics of a year."""
    s1, c1 = sincos((day_of_year - 1.0) * (TWO_PI / YEAR_DAYS))
    terms, s, c = [jnp.ones_like(s1)], s1, c1
    for _ in range(_SEASON_HARMONICS):
        terms += [c, s]
        s, c = s * c1 + c * s1, c * c1 - s * s1
    return jnp.stack(terms)


def spline_weights(altitude: Array, interval: Array | None = None) -> tuple[Array, Array, Array]:
    """Cubic B-splines at altitudes within the range, and their first and second derivatives by it (1/km, 1/km2).

    Args:
        altitude: km, any shape (...).
        interval: number of the interval that each altitude lies in, of whose four splines the weights are wanted, if not of all.

    Returns:
        Shapes (43, ...), or (4, ...).
    """
    place = (jnp.log(altitude - _ALTITUDE_OFFSET) - _BOTTOM) * (1.0 / _STEP)
    last = _INTERVALS + 1 if interval is None else 2
    knots = np.arange(-1, last + 1, dtype=place.dtype).reshape((-1,) + (1,) * place.ndim)
    weight, first, second = cubic_b_spline(place[None] - (knots if interval is None else interval[None] + knots))
    # d place / d altitude; its own derivative is -STEP rate^2
    rate = 1.0 / (_STEP * (altitude[None] - _ALTITUDE_OFFSET))
    return weight, first * rate, (second - _STEP * first) * (rate * rate)


def polynomials(x, y, z):  # type: ignore[no-untyped-def]
    """Basis over the sphere at a unit vector: Re and Im of (x + i y)^m, m = 0 to 4, each times 1, z, .. z^(6 - m).

    A list of 43 values, which span the spherical harmonics of degree 6 and order 4: by m, then real before imaginary part, then
    by power.
    Only operators: also serves NumPy.
    """
    one = 1.0 + 0.0 * (x + y + z)
    powers = [one]
    for _ in range(_DEGREE):
        powers.append(powers[-1] * z)
    terms, c, s = list(powers), one, 0.0 * one
    for m in range(1, _ORDER + 1):
        c, s = x * c - y * s, x * s + y * c
        terms += [part * power for part in (c, s) for power in powers[: _DEGREE + 1 - m]]
    return terms


def _chebyshev(value: Array, low: float, high: float, terms: int) -> Array:
    x = (value - low) * (2.0 / (high - low)) - 1.0
    polynomials = [jnp.ones_like(x), x]
    while len(polynomials) < terms:
        polynomials.append(2.0 * x * polynomials[-1] - polynomials[-2])
    return jnp.stack(polynomials[:terms])


def _weights(altitude: Array, interval: Array | None = None) -> tuple[Array, Array, Array]:
    """`spline_weights` at any altitude: beyond the range ln(density) goes on with the slope of the edge."""
    inside = jnp.clip(altitude, *ALTITUDE_RANGE)  # also keeps the logarithm of the splines away from zero
    beyond = jnp.maximum(altitude, 0.0) - inside
    value, slope, curvature = spline_weights(inside, interval)
    return value + beyond[None] * slope, slope, curvature


def _entries(columns: Array, axis: int = 0) -> list[Array]:
    """Split an array along an axis, which is kept. In one operation: the transpose of a split is one concatenation, that of 43
    indexings 43 padded arrays."""
    return list(jax.lax.split(columns, (1,) * columns.shape[axis], axis))


def _sunward(
    cos_u: Array, sin_u: Array, inclination: ArrayLike, node_local_time: ArrayLike
) -> tuple[Array, Array, Array]:
    """Unit vectors to points of an orbit in the axes of the polynomials: x to the Sun (noon), z north."""
    sin_i, cos_i = sincos(jnp.asarray(inclination)[None])
    s, c = sincos(jnp.asarray(node_local_time)[None])
    return (s * cos_i) * sin_u - c * cos_u, -s * cos_u - (c * cos_i) * sin_u, sin_i * sin_u


def _sum(coefficients: list[Array], x: Array, y: Array, z: Array) -> Array:
    """Sum of coefficients[k] polynomials[k] at a unit vector, by Horner's rule in z."""
    width = _DEGREE + 1
    total: Array = horner(z, coefficients[:width])
    first = width
    c, s = x, y
    for m in range(1, _ORDER + 1):
        c, s = (x * c - y * s, x * s + y * c) if m > 1 else (x, y)
        width = _DEGREE + 1 - m
        for part in (c, s):
            total = total + part * horner(z, coefficients[first : first + width])
            first += width
    return total
