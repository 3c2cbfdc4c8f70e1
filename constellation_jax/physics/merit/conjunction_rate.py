"""Conjunction rates: close approaches expected in a year, of shells with a background of other objects and with each other.

Objects are taken as evenly spread over their orbits and raans, independently of each other (kinetic theory). Two near-circular
orbits cross at equal latitudes, where the frozen eccentricity and what latitude adds to the radius are the same for both: so
radii are compared on `frozen_altitude_km`. A shell's own satellites are coordinated and left out. Everything is smooth and
differentiable.

Deliberately absent: phases that a pattern or a resonance keeps apart, manoeuvres, and the speed of eccentric objects, which is
taken as that of a circular orbit at the same radius.

References: Opik, "Collision probabilities with the planets", Proc. R. Irish Acad. 54A, 165 (1951); Kessler, "Derivation of the
collision probability between orbiting objects", Icarus 48, 39 (1981), equations 14 to 16; Arnas, Lifson, Linares & Avendano,
"Definition of low Earth orbit slotting architectures using 2D lattice flower constellations", Adv. Space Res. 67, 3696 (2021).
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.physics.constants import DEGREE, MU, SECONDS_PER_DAY, TWO_PI, YEAR_DAYS
from constellation_jax.physics.merit.geometry import HALF_PI, R, frozen_surface_km, oblate_rise_km
from constellation_jax.physics.merit.shells import ShellLike, Shells, broadcast, numbers
from constellation_jax.physics.numerics.arrays import floats
from constellation_jax.physics.numerics.splines import cubic_b_spline

YEAR_SECONDS: Final = YEAR_DAYS * SECONDS_PER_DAY
INCLINATION_STEP_DEG: Final = 0.5
"""Step of the tables; objects deposited there are spread by a spline of 0.3 degrees rms."""
LOWEST_KM, HIGHEST_KM = 100.0, 2500.0
"""Range of a background in altitude."""
_MEETING_NODES: Final = 16
_CHORD_NODES: Final = 32
"""Quadrature points across the width of a target. Between two shells the error is below 4e-8 of the largest density, whatever their
thickness and distance; a background is followed to its resolution up to a miss distance of ten times that."""
_REACH: Final = 6.0
"""Standard deviations of the radii beyond which two shells cannot meet: 2e-9 of a normal distribution."""
_ORBITS: Final = ("orbit.altitude_km", "orbit.inclination_deg")
_ANOMALIES: Final = 64
"""Points along each orbit of a background, in eccentric anomaly."""


class MeanElements(Protocol):
    """Mean elements of some objects, shape (objects,); `constellation_jax.Catalog` has them."""

    def __len__(self) -> int: ...
    @property
    def mean_altitude_km(self) -> Any: ...
    @property
    def eccentricity(self) -> Any: ...
    @property
    def inclination_deg(self) -> Any: ...


class ConjunctionBackground(NamedTuple):
    """Table of the objects that shells on near-circular orbits fly among."""

    coefficients: Any
    """Cubic spline in frozen altitude and in inclination of the target, 1/km: objects per km of altitude, each weighted by how
    often the two meet (`meeting_weights`). Shape (altitudes, inclinations)."""
    first_km: Any
    """Frozen altitude of the first row."""
    step_km: Any

    @classmethod
    def from_catalog(cls, catalog: MeanElements, *, resolution_km: float = 4.0) -> "ConjunctionBackground":
        """Count all objects of a catalogue between 100 and 2,500 km, for `with_background`. Host side.

        Each object is spread over the radii of its orbit by the time spent there, then by a smooth kernel (cubic B-spline after
        a linear deposit) with a standard deviation of 0.7 times the resolution. The eccentricity of an element set
        (SGP4 mean) is that by which its orbit is off the frozen one.

        Args:
            catalog: leave out the objects that a target is coordinated with, such as its own constellation.
            resolution_km: from 0.5 to 50; of the order of the uncertainty of future altitudes.

        Raises:
            InputError: no object, or a resolution out of range.
        """
        if not len(catalog):
            raise InputError("background catalogue: no objects; there is nothing to come near")
        if not 0.5 <= resolution_km <= 50.0:
            raise InputError(f"resolution_km: found {resolution_km}, expected a number from 0.5 to 50 km")
        rows = int(np.ceil((HIGHEST_KM - LOWEST_KM) / resolution_km)) + 1
        objects = _deposit(catalog, rows, resolution_km)
        return cls(objects @ meeting_weights() / resolution_km, np.float64(LOWEST_KM), np.float64(resolution_km))


def frozen_altitude_km(altitude_km: ArrayLike, inclination_deg: ArrayLike) -> Array:
    """Altitude that makes frozen orbits of all inclinations comparable, km: equal ones touch wherever they cross. Any shape.

    J2 makes the radius of an orbit grow with its inclination, by 16 km from 0 to 90 degrees at the same mean semi-major axis.

    Reference: Hoots & Roehrich, Spacetrack Report 3 (1980), section 6, short-period term of the radius at e = 0.
    """
    h, i = floats(altitude_km, inclination_deg)
    return frozen_surface_km(h, i * DEGREE)


def with_background(shells: Shells, background: ConjunctionBackground, miss_distance_km: ArrayLike = 1.0) -> Array:
    """Expected approaches of each shell to the background within a distance, per year, all its satellites together.

    Args:
        shells: the result has their shape.
        background: outside its altitudes there is nothing.
        miss_distance_km: least distance in three dimensions, a scalar or of the shape of the shells.
    """
    each = broadcast(*numbers(shells, *_ORBITS, "total"), miss_distance_km)
    h, i, n, d = (v.ravel() for v in each)
    level = frozen_surface_km(h, i * DEGREE)
    # relative velocities are horizontal: at a difference of radius x the width of the target is 2 sqrt(d^2 - x^2),
    # whose mean is a Gauss-Chebyshev sum of the second kind
    k = np.arange(1, _CHORD_NODES + 1) * (math.pi / (_CHORD_NODES + 1))
    across, share = (jnp.asarray(v, h.dtype) for v in (np.cos(k), np.sin(k) ** 2 * (2.0 / (_CHORD_NODES + 1))))
    row = (level[:, None] + d[:, None] * across[None] - background.first_km) / background.step_km
    column = jnp.broadcast_to((i / INCLINATION_STEP_DEG)[:, None], row.shape)
    density = _spline(jnp.asarray(background.coefficients, h.dtype), row, column)
    return (n * _rate(h + R, d) * jnp.sum(share[None] * density, axis=1)).reshape(each[0].shape)


def between_shells(
    shells: Sequence[ShellLike] | ShellLike, miss_distance_km: ArrayLike = 1.0, radial_spread_km: ArrayLike = 1.0
) -> Array:
    """Expected approaches between all satellites of two shells within a distance, per year, shape (shells, shells).

    Symmetric; zero on the diagonal, and where radii are farther apart than the distance and six standard deviations. The sum
    over all pairs is half the sum of the matrix.

    Args:
        shells: a list, or a stack of shape (shells,).
        miss_distance_km: scalar.
        radial_spread_km: standard deviation of a satellite's radius about its frozen orbit, shape (shells,) or scalar, 0
            or above: dead band, and eccentricity that is not frozen (a e / sqrt 2).
    """
    h, i, n, spread, d = floats(*numbers(shells, *_ORBITS, "total"), radial_spread_km, miss_distance_km)
    h, i, n, spread = jnp.broadcast_arrays(*[jnp.atleast_1d(v) for v in (h, i, n, spread)])
    level = frozen_surface_km(h, i * DEGREE)
    apart = level[:, None] - level[None]
    density = _density_in_reach(apart, spread[:, None] ** 2 + spread[None] ** 2, d)
    weights = jnp.asarray(meeting_weights(), h.dtype)
    row, column = jnp.broadcast_arrays((i / INCLINATION_STEP_DEG)[:, None], (i / INCLINATION_STEP_DEG)[None])
    radius = R + 0.5 * (h[:, None] + h[None])
    between = n[:, None] * n[None] * _rate(radius, d) * density * _spline(weights, row, column)
    return jnp.where(jnp.eye(h.size, dtype=bool), 0.0, between)


def separation_needed_km(shells: Shells, dead_band_km: ArrayLike = 1.0, margin_km: ArrayLike = 0.0) -> Array:
    """Difference in frozen altitude at which no satellites of two stacked shells can touch, km, shape (shells, shells).

    Args:
        shells: a list, or a stack of shape (shells,). Their eccentricity (SGP4 mean) is that by which the orbit is off the frozen
            one, which is 0.
        dead_band_km: half of the band in which the mean altitude is kept, shape (shells,) or scalar.
        margin_km: beyond that, half of it counted for each of the two shells.
    """
    h, e, band, margin = floats(*numbers(shells, "orbit.altitude_km", "orbit.eccentricity"), dead_band_km, margin_km)
    h, e, band, margin = jnp.broadcast_arrays(*[jnp.atleast_1d(v) for v in (h, e, band, margin)])
    reach = (h + R) * e + band + 0.5 * margin
    return reach[:, None] + reach[None]


def smooth_least_clearance_km(shells: Shells, dead_band_km: ArrayLike = 1.0, sharpness_km: float = 0.2) -> Array:
    """Smallest distance in frozen altitude between two shells beyond `separation_needed_km`, km; a smooth lower bound, scalar.

    Below the true one by at most sharpness_km * ln(pairs), some more where two shells are within sharpness_km of each other.

    Args:
        shells: two or more, as for `separation_needed_km`, as is dead_band_km.
        sharpness_km: static.
    """
    h, i = (jnp.atleast_1d(v) for v in broadcast(*numbers(shells, *_ORBITS)))
    level = frozen_surface_km(h, i * DEGREE)
    first, second = np.triu_indices(h.size, 1)
    apart = level[first] - level[second]
    # |apart| rounded off at zero, so that shells that start at one altitude have a slope
    distance = jnp.sqrt(apart**2 + sharpness_km**2) - sharpness_km
    clear = distance - separation_needed_km(shells, dead_band_km)[first, second]
    return -sharpness_km * jax.nn.logsumexp(-clear / sharpness_km)


@lru_cache(maxsize=1)
def meeting_weights() -> NDArray[Any]:
    """Weights of the rate at which two circular orbits meet, by inclination every half degree, shape (361, 361), symmetric.

    With it the rate is pi d^2 (v / r^2) w g for one pair, g the density of their difference of radius (1/km): w is the mean over
    the arguments of latitude of the lower-inclined one of (v_rel / v) / (2 pi^2 sqrt(sin^2 i - sin^2 delta)), i of the other.
    Averages over half a degree of inclination, which keep it finite for two polar orbits, all of which meet at the poles.
    """
    last = round(180.0 / INCLINATION_STEP_DEG)
    p, q = np.indices((last + 1, last + 1))
    p, q = (index[(p <= q) & (p + q <= last)] for index in (p, q))  # the rest by symmetry: swapped, or seen in a mirror
    values = np.zeros(len(p))
    for off in (-0.375, -0.125, 0.125, 0.375):
        one, other = p * INCLINATION_STEP_DEG, np.abs((q + off) * INCLINATION_STEP_DEG)
        values += 0.25 * _meeting_weight(one * DEGREE, np.minimum(other, 360.0 - other) * DEGREE)
    result = np.zeros((last + 1, last + 1))
    for k, m in ((p, q), (q, p), (last - p, last - q), (last - q, last - p)):
        result[k, m] = values
    result.flags.writeable = False
    return result


def _meeting_weight(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """`meeting_weights` of two inclinations that differ, rad, arrays of one shape."""
    swap = np.sin(one) > np.sin(other)
    low, high = np.where(swap, other, one), np.where(swap, one, other)
    sin_low, sin_high = np.sin(low), np.sin(high)
    # sqrt(sin^2 high - sin^2 delta) is sin(high) sqrt(c^2 + ...) near the top of the lower orbit: x = c sinh(y) makes it smooth
    c = np.sqrt(np.maximum((sin_high - sin_low) * (sin_high + sin_low), 1e-16)) / sin_high
    x, w = np.polynomial.legendre.leggauss(_MEETING_NODES)
    last = np.arcsinh(HALF_PI / c)
    result = np.zeros_like(c)
    for place, weight in zip(0.5 * (x + 1.0), 0.5 * w, strict=True):
        y = last * place
        colatitude = c * np.sinh(y)  # of u, from its highest point
        sine = sin_low * np.cos(colatitude)
        cosine2 = 1.0 - sine**2
        root = np.sqrt(np.maximum(sin_high**2 - sine**2, 1e-20))
        # headings: sin A = cos i / cos(latitude), cos A > 0 on the ascending leg
        along = sin_low * np.sin(colatitude) * root / cosine2
        across = np.cos(low) * np.cos(high) / cosine2
        same = np.sqrt(np.maximum(0.5 * (1.0 - across - along), 0.0))
        opposite = np.sqrt(np.maximum(0.5 * (1.0 - across + along), 0.0))
        result += weight * (same + opposite) / (2.0 * math.pi**2 * root) * c * np.cosh(y) * last
    return result / HALF_PI


def _deposit(catalog: MeanElements, rows: int, step: float) -> NDArray[np.float64]:
    """Objects by frozen altitude and inclination, shape (rows, inclinations)."""
    columns = round(180.0 / INCLINATION_STEP_DEG) + 1
    a = catalog.mean_altitude_km + R
    e, i = catalog.eccentricity, catalog.inclination_deg
    near = (a * (1.0 - e) - R < HIGHEST_KM) & (e < 1.0)
    a, e, i = a[near], e[near], i[near]
    oblate = oblate_rise_km(a, np.sin(i * DEGREE))
    anomaly = (np.arange(_ANOMALIES) + 0.5) * (0.5 * TWO_PI / _ANOMALIES)
    near_one = 1.0 - e[:, None] * np.cos(anomaly)  # r / a, and the time spent there
    row = (a[:, None] * near_one + oblate[:, None] - R - LOWEST_KM) / step
    column = np.broadcast_to((i / INCLINATION_STEP_DEG)[:, None], row.shape)
    r, c = np.floor(row), np.minimum(np.floor(column), columns - 2)
    result = np.zeros(rows * columns)
    for up in (0, 1):
        for right in (0, 1):
            share = np.abs(1 - up - (row - r)) * np.abs(1 - right - (column - c)) * near_one / _ANOMALIES
            inside = (r + up >= 0) & (r + up < rows)
            flat = ((r + up) * columns + c + right)[inside].astype(np.int64)
            result += np.bincount(flat, share[inside], rows * columns)
    return result.reshape(rows, columns)


def _density_in_reach(apart: Array, variance: Array, d: Array) -> Array:
    """Mean over the width of a target, a half circle of radius d, of the normal density of the difference of radius, 1/km.

    Zero, with zero derivatives, where the two cannot meet; the half circle itself where the variance is 0.

    Args:
        apart: mean difference of radius, km, shape (shells, shells), as variance.
        variance: of the difference, km2.
        d: miss distance, km, scalar.
    """
    d = jnp.maximum(d, 1e-6)  # a rate has d^2 as a factor: at 0 it vanishes whatever stands here
    # thinner than a ten-thousandth of the target nothing changes; the square root then has a slope at a variance of 0
    sigma = jnp.sqrt(jnp.maximum(variance, (1e-4 * d) ** 2))
    low, high = jnp.maximum(-d, apart - _REACH * sigma), jnp.minimum(d, apart + _REACH * sigma)
    half, middle = 0.5 * jnp.maximum(high - low, 0.0), 0.5 * (high + low)
    # the sine takes out the root at the ends of the half circle
    x, w = np.polynomial.legendre.leggauss(_CHORD_NODES)
    turn = HALF_PI * x
    sine, weight = (jnp.asarray(v, apart.dtype)[None, None] for v in (np.sin(turn), HALF_PI * np.cos(turn) * w))
    meets = (half > 0.0)[..., None]
    place = jnp.where(meets, middle[..., None] + half[..., None] * sine, 0.0)
    width = jnp.sqrt(jnp.maximum((d - place) * (d + place), 1e-12 * d * d))
    off = jnp.where(meets, (place - apart[..., None]) / sigma[..., None], 0.0)
    mass = jnp.sum(weight * width * jnp.exp(-0.5 * off**2), axis=-1)
    return mass * half * (2.0 / (math.pi * math.sqrt(TWO_PI))) / (d * d * sigma)


def _rate(radius: Array, d: Array) -> Array:
    """pi d^2 v / r^2 in a year, km."""
    return (math.pi * YEAR_SECONDS * math.sqrt(MU)) * d * d / (radius * radius * jnp.sqrt(radius))


def _spline(coefficients: Array, row: Array, column: Array) -> Array:
    """Uniform cubic B-spline surface at fractional indices, any shape; beyond the rows it is zero, beyond the columns they are
    mirrored."""
    rows, many = coefficients.shape
    row_at, row_weights = _basis(row)
    column_at, column_weights = _basis(column)
    column_at = jnp.abs(column_at)
    column_at = jnp.where(column_at > many - 1, 2 * (many - 1) - column_at, column_at)
    there = (row_at >= 0) & (row_at < rows)
    row_weights = jnp.where(there, row_weights, 0.0)
    values = coefficients[jnp.clip(row_at, 0, rows - 1)[..., :, None], jnp.clip(column_at, 0, many - 1)[..., None, :]]
    return jnp.einsum("...r,...c,...rc->...", row_weights, column_weights, values, precision="highest")


def _basis(index: Array) -> tuple[Array, Array]:
    """The four coefficients that matter at a fractional index, and their weights, shape (..., 4)."""
    whole = jnp.floor(jax.lax.stop_gradient(index))
    t = index - whole
    # far outside, where an integer would overflow, there is nothing either way
    at = jnp.clip(whole, -1e6, 1e6).astype(jnp.int32)
    return jnp.stack([at - 1, at, at + 1, at + 2], axis=-1), cubic_b_spline(
        jnp.stack([t + 1.0, t, t - 1.0, t - 2.0], axis=-1)
    )[0]
