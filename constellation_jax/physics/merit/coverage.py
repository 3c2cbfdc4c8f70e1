"""Satellites in view: mean number above the least elevation of a shell at a latitude, and chance of at least k.

Latitudes are geodetic, on the WGS-84 ellipsoid, and the least elevation (`spacecraft.min_elevation_deg`) counts from its horizon; a
shell's altitude is its mean semi-major axis minus 6378.137 km, on a frozen orbit. All functions are differentiable by every float
that goes in, with finite derivatives everywhere. The mean number has true corners where the edge of the view touches the
highest latitude of the satellites.

Deliberately absent: refraction, terrain, antennas that are not masks, and chances of shells that are filled in part.
"""

from collections.abc import Callable, Sequence
from functools import partial
from operator import index
from typing import Any, Final

import jax
import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import DEGREE, TWO_PI
from constellation_jax.physics.merit.geometry import (
    HALF_PI,
    Observer,
    R,
    cap_centre,
    cap_half_angle,
    gauss_legendre,
    observer,
    plane_from,
    radius_at,
)
from constellation_jax.physics.merit.shells import ShellLike, Shells, full_pattern, numbers_by_latitude
from constellation_jax.physics.numerics.arrays import floats

_ARC_NODES: Final = 32
"""Points over the latitudes in view: 64 change a mean number by less than 1e-6 of it."""
_RAAN_STEP_DEG: Final = 0.25
"""Largest step of the raan relative to the observer in `count_probabilities`."""
_GRAZING: Final = 0.01
"""Width over which a plane comes into view, as a fraction of the squared sine of the cap: without it slopes there are infinite."""


def cap_half_angle_deg(altitude_km: ArrayLike, min_elevation_deg: ArrayLike) -> Array:
    """Angle at the Earth's centre from a satellite to the edge of its footprint, deg, on a sphere of 6378.137 km.

    Args:
        altitude_km: any shape.
        min_elevation_deg: of the same shape, 0 to 90.

    Reference: Wertz, Mission Geometry; Orbit and Constellation Design and Management (2001), equations 9-3 to 9-5.
    """
    altitude, elevation = floats(altitude_km, min_elevation_deg)
    return cap_half_angle(altitude + R, jnp.full_like(altitude, R), elevation * DEGREE) / DEGREE


def mean_in_view(shells: Shells, latitude_deg: ArrayLike, *, oblate: bool = True) -> Array:
    """Mean number of satellites of each shell in view, over time and longitude, shape (..., latitudes), ... of the shells.

    Sum over the shells for a constellation. It depends on a shell's number of satellites alone, not on its pattern.

    Args:
        shells: with their least elevation.
        latitude_deg: geodetic, shape (latitudes,).
        oblate: static; False: a sphere of 6378.137 km and circles about it, as in textbooks.

    Reference:
        The satellite's latitude has the density of Dennis, "Probabilistic theory and statistical distribution of Earth
        satellites", J. Br. Interplanet. Soc. 25, 333 (1972); the arc of longitudes in view is Wertz (2001), equation 9-18. The
        integral is over the argument of latitude between the points where that arc is zero or a full circle.
    """
    wanted = ("orbit.altitude_km", "orbit.inclination_deg", "total", "spacecraft.min_elevation_deg")
    shape, phi, (h, i, n, mask) = numbers_by_latitude(shells, latitude_deg, *wanted)
    places = observer(phi, oblate=oblate)
    angles = i * DEGREE, mask * DEGREE
    found = n[:, None] * _over_shells_and_places(partial(_fraction_in_view, oblate), places, h, *angles)
    return found.reshape(*shape, -1)


def count_probabilities(shell: ShellLike, latitude_deg: ArrayLike, below: int, *, oblate: bool = True) -> Array:
    """Chance that exactly 0, 1 ... below - 1 satellites of a full Walker shell are in view, shape (latitudes, below).

    Over time and longitude. Seen from the turning Earth the pattern has two angles: raan and phase. Over the phase the chances
    are exact (the ends of the arcs in view, sorted); over the raan they are a sum over steps of at most a quarter of a degree.

    Args:
        shell: one, every slot of which is taken as filled; its planes and slots are static, its phasing need not be whole.
        latitude_deg: geodetic, shape (latitudes,).
        below: static, at least 1.
        oblate: as for `mean_in_view`.
    """
    phi, pattern = full_pattern(shell, latitude_deg)
    h, i, mask = pattern.altitude, pattern.inclination, pattern.min_elevation
    steps = max(8, round(pattern.cell / (_RAAN_STEP_DEG * DEGREE)))
    offsets = (jnp.arange(steps, dtype=phi.dtype) + 0.5) * (pattern.cell / steps)
    per_turn = index(shell.pattern.per_plane) / TWO_PI

    def at(place: Observer, offset: Array) -> Array:
        middle, half = _arc_in_view(place, h, i, mask, offset + pattern.raans, oblate)
        start = (middle - half) * per_turn - pattern.phases_in_slots
        return _counts_over_phase(start, 2.0 * half * per_turn, below)

    over_offsets = jax.vmap(at, in_axes=(None, 0))
    return jax.lax.map(lambda place: jnp.mean(over_offsets(place, offsets), axis=0), observer(phi, oblate=oblate))


def probability_in_view(
    shells: ShellLike | Sequence[ShellLike], latitude_deg: ArrayLike, at_least: int = 1, *, oblate: bool = True
) -> Array:
    """Chance that at least so many satellites of all shells together are in view, shape (latitudes,).

    Shells are taken to drift past each other, so that their numbers in view are independent.

    Args:
        shells: one or a list, as for `count_probabilities`.
        latitude_deg: geodetic, shape (latitudes,).
        at_least: static.
        oblate: as for `mean_in_view`.
    """
    each = shells if isinstance(shells, Sequence) else [shells]
    (latitude,) = floats(latitude_deg)
    latitudes = jnp.atleast_1d(latitude)
    chances = [count_probabilities(shell, latitudes, at_least, oblate=oblate) for shell in each] if at_least else []
    fewer = jnp.zeros((latitudes.size, max(at_least, 1)), jnp.result_type(latitudes, *chances))
    fewer = fewer.at[:, 0].set(1.0) if at_least else fewer
    for one in chances:
        fewer = jax.vmap(lambda a, b: jnp.convolve(a, b)[:at_least])(fewer, one)
    return 1.0 - jnp.sum(fewer, axis=1)


def _over_shells_and_places(of_one: Callable[..., Array], places: Any, *shells: Array) -> Array:
    """of_one(place, ...) for each shell and place, shape (shells, places)."""
    of_places = jax.vmap(of_one, in_axes=(0,) + (None,) * len(shells))
    return jax.vmap(of_places, in_axes=(None,) + (0,) * len(shells))(places, *shells)


def mean_in_cap(latitude_deg: Array, inclination_deg: Array, half_angle: Array) -> Array:
    """Mean fraction of each shell's satellites within an angle (rad) of a point, about the centre of a sphere.

    Args:
        latitude_deg: shape (latitudes,).
        inclination_deg: as half_angle, shape (shells,).

    Returns:
        Shape (shells, latitudes). Everything else is as for `mean_in_view`.
    """
    latitude, i = latitude_deg * DEGREE, inclination_deg * DEGREE
    return _over_shells_and_places(lambda phi, i, cap: _fraction_in_cap(phi, i, lambda _: cap), latitude, i, half_angle)


def _fraction_in_view(oblate: bool, seen_from: Observer, h: Array, i: Array, mask: Array) -> Array:
    """Fraction of a shell's satellites in view of one place; angles in rad."""
    centre = cap_centre(seen_from, radius_at(h, i, jnp.zeros_like(h), oblate=oblate), mask)

    def cap(sine: Array) -> Array:
        return cap_half_angle(radius_at(h, i, sine, oblate=oblate), seen_from.radius, mask)

    return _fraction_in_cap(centre, i, cap)


def _fraction_in_cap(centre: Array, i: Array, cap: Callable[[Array], Array]) -> Array:
    """Fraction within cap(sine of the satellite's latitude), rad, of a latitude."""
    sin_i = jnp.abs(jnp.sin(i))

    def edge(side: float) -> tuple[Array, Array]:
        """Argument of latitude at an end of the cap's meridian, and 1 where the satellites beyond are seen all around a pole."""
        latitude = centre
        for _ in range(4):  # the cap changes by a few thousandths of the change in latitude: each pass gains two digits
            latitude = centre + side * cap(jnp.sin(jnp.clip(latitude, -HALF_PI, HALF_PI)))
        around = side * latitude > HALF_PI
        sine = jnp.sin(latitude) / jnp.maximum(sin_i, 1e-9)
        inside = (
            jnp.abs(sine) < 1.0 - 1e-13
        )  # beyond it the slope of arcsin is infinite, and the shell does not go there
        angle = jnp.where(inside, jnp.arcsin(jnp.where(inside, sine, 0.0)), jnp.sign(sine) * HALF_PI)
        return angle, around.astype(angle.dtype)

    (low, round_south), (high, round_north) = edge(-1.0), edge(1.0)
    # with u = middle + half sin(theta) the square roots at both ends are smooth in theta
    theta, weight = gauss_legendre(_ARC_NODES, -HALF_PI, HALF_PI, low.dtype)
    middle, half = 0.5 * (high + low), 0.5 * (high - low)
    u = middle + half * jnp.sin(theta)
    s = sin_i * jnp.sin(u)
    delta = jnp.arcsin(jnp.clip(s, -1.0 + 1e-15, 1.0 - 1e-15))
    in_arcs = half * jnp.sum(weight * jnp.cos(theta) * _half_arc(centre, delta, cap(s)))
    around = 0.5 * TWO_PI * (round_north * (HALF_PI - high) + round_south * (low + HALF_PI))
    return (in_arcs + around) / (0.5 * TWO_PI) ** 2


def _half_arc(centre: Array, delta: Array, cap: Array) -> Array:
    """Half of the arc of longitudes at latitude delta within the cap, rad, 0 to pi. Half-angle form: no division by cosines."""
    inner = jnp.sin(0.5 * (cap + centre - delta)) * jnp.sin(0.5 * (cap - centre + delta))
    outer = jnp.cos(0.5 * (cap + centre + delta)) * jnp.cos(0.5 * (cap - centre - delta))
    some, part = inner > 1e-30, outer > 1e-30  # at zero the root has no slope: the arc is empty or full beyond
    root_inner = jnp.where(some, jnp.sqrt(jnp.where(some, inner, 1.0)), 0.0)
    root_outer = jnp.where(part, jnp.sqrt(jnp.where(part, outer, 1.0)), 0.0)
    return 2.0 * jnp.arctan2(root_inner, jnp.where(some | part, root_outer, 1.0))


def _arc_in_view(place: Observer, h: Array, i: Array, mask: Array, raan: Array, oblate: bool) -> tuple[Array, Array]:
    """Middle and half-length of the arc in view in each plane, rad; raan relative to the observer, any shape."""
    centre = cap_centre(place, radius_at(h, i, jnp.zeros_like(h), oblate=oblate), mask)
    middle, x, y, z = plane_from(centre, i, raan)
    in_plane = jnp.sqrt(jnp.maximum(x * x + y * y, 1e-12))
    cap = cap_half_angle(radius_at(h, i, jnp.sin(i) * y / in_plane, oblate=oblate), place.radius, mask)
    sine2 = jnp.sin(cap) ** 2
    width = _GRAZING * sine2
    q = _softly_positive(sine2 - z * z, width)
    seen = q > 0.0
    half = jnp.where(seen, jnp.arctan2(jnp.sqrt(jnp.where(seen, q, 1.0)), jnp.cos(cap)), 0.0)
    return middle, half


def _softly_positive(q: Array, width: Array) -> Array:
    """0 below -width, q above width; between them a cubic whose square root starts with slope zero."""
    t = jnp.clip((q + width) / (2.0 * width), 0.0, 1.0)
    return jnp.where(q < width, width * t**3 * (2.0 - t), q)


def _counts_over_phase(start: Array, length: Array, below: int) -> Array:
    """Chance of 0 ... below - 1 slots in view when the phase is anywhere, shape (below,).

    Args:
        start: where the arc in view begins in each plane, in slots from the plane's first one, shape (planes,).
        length: of the arc, in slots.
    """
    start = start - jnp.floor(start)
    end = start + length
    whole = jnp.floor(end)
    at = jnp.concatenate([start, end - whole])
    change = jnp.concatenate([jnp.ones_like(start), -jnp.ones_like(start)])
    # the count before each change, from a comparison of all with all (equal ones in the order of their index): a sort
    # takes XLA many times as long to compile, and its derivative even longer
    order = jnp.arange(at.size)
    earlier = (at[None] < at[:, None]) | ((at[None] == at[:, None]) & (order[None] < order[:, None]))
    first = jnp.sum(whole)
    before = first + jnp.sum(jnp.where(earlier, change[None], 0.0), axis=1)
    number = jnp.arange(below, dtype=at.dtype)

    def is_number(count: Array) -> Array:
        return (jnp.abs(count[..., None] - number[(None,) * count.ndim]) < 0.5).astype(at.dtype)

    # the length where the count is j: each change of it ends one stretch and begins another
    return is_number(first) + jnp.sum(at[:, None] * (is_number(before) - is_number(before + change)), axis=0)
