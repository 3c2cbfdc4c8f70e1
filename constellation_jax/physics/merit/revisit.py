"""Revisit gaps: longest time without a satellite in view at a latitude, and a smooth margin of continuous coverage.

One full Walker shell; latitudes, least elevation and altitude as in coverage.py. Deliberately absent: gaps of several
shells together.
"""

import math
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.physics.constants import DEGREE, EARTH_ROTATION_RATE
from constellation_jax.physics.merit.geometry import (
    Observer,
    R,
    cap_centre,
    cap_half_angle,
    observer,
    plane_from,
    radius_at,
)
from constellation_jax.physics.merit.shells import FullPattern, ShellLike, full_pattern
from constellation_jax.physics.secular import secular_rates

_STEP_S: Final = 20.0
_FEWEST_STARTS: Final = 8
_START_DEG: Final = 1.0
"""Longest distance between two longitudes at first: a gap changes by up to four minutes in a degree."""
_REFINED: Final = 16
"""Steps between the neighbours of the worst longitude, which is sought once more there: an eighth of a degree at most."""
_BISECTIONS: Final = 26
"""From 20 s to less than a microsecond."""


def max_revisit_minutes(shell: ShellLike, latitude_deg: ArrayLike, *, horizon_minutes: float = 1440.0) -> Array:
    """Longest time without any satellite of a Walker shell in view at a latitude, min, shape (latitudes,).

    The longest one over all longitudes: followed over the horizon from longitudes at most a degree apart within the angle between
    two planes (all around for one plane, or a star), then from closer ones about the worst, in steps of 20 s, between which gaps
    are not seen. The ends of the longest gap are exact, and so is its derivative at its longitude (by the implicit function).
    Zero, with zero derivative, where coverage is continuous; the horizon where nothing is ever in view. As the longest of many it
    has corners: to close gaps, use `smooth_least_margin_deg`.

    Args:
        shell: one, every slot of which is taken as filled; its planes and slots are static, its phasing need not be whole.
        latitude_deg: geodetic, shape (latitudes,).
        horizon_minutes: static; a gap is seen whole where it is shorter than this by the time between two satellites of a plane.
    """
    phi, pattern = full_pattern(shell, latitude_deg)
    h, cell = pattern.altitude, pattern.cell
    steps = round(60.0 * horizon_minutes / _STEP_S)
    times = jnp.arange(steps, dtype=h.dtype) * _STEP_S
    count = max(_FEWEST_STARTS, math.ceil(cell / (_START_DEG * DEGREE) - 1e-9))
    starts = (jnp.arange(count, dtype=h.dtype) + 0.5) * (cell / count)
    around = jnp.asarray(np.linspace(-1.0, 1.0, _REFINED + 1), h.dtype)
    phase_rate, raan_rate = _rates(h, pattern.inclination)

    def visible(place: Observer, start: Array, t: Array, pattern: FullPattern, rates: tuple[Array, Array]) -> Array:
        """Above zero where a satellite is in view."""
        return jnp.max(_margins(place, pattern, start + rates[1] * t, rates[0] * t))

    def at(place: Observer) -> Array:
        fixed = jax.lax.stop_gradient((place, pattern, (phase_rate, raan_rate)))

        def unseen(start: Array) -> tuple[Array, Array]:
            """Index of the last step of the longest gap, and the number of its steps."""
            seen = jax.lax.map(lambda t: visible(fixed[0], start, t, *fixed[1:]) > 0.0, times, batch_size=1024)
            step = jnp.arange(steps)
            since = step - jax.lax.cummax(jnp.where(seen, step, -1))
            last = jnp.argmax(since)
            return last, since[last]

        def find_worst(starts: Array) -> tuple[Array, Array, Array]:
            last, length = jax.lax.map(unseen, starts)
            worst = jnp.argmax(length)
            return starts[worst], last[worst], length[worst]

        start, _, _ = find_worst(starts)
        start, last, length = find_worst(start + (cell / count) * around)
        before, after = last - length, last + 1

        def crossing(inside: Array, outside: Array) -> Array:
            """Time at which the view opens or closes between two steps, with its derivative."""

            def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
                dark, light = ends
                middle = 0.5 * (dark + light)
                lit = visible(fixed[0], start, middle, *fixed[1:]) > 0.0
                return jnp.where(lit, dark, middle), jnp.where(lit, middle, light)

            ends = (inside.astype(h.dtype) * _STEP_S, outside.astype(h.dtype) * _STEP_S)
            t = jax.lax.stop_gradient(jax.lax.fori_loop(0, _BISECTIONS, halve, ends)[1])
            slope = jax.jvp(lambda t: visible(fixed[0], start, t, *fixed[1:]), (t,), (jnp.ones_like(t),))[1]
            value = visible(place, start, t, pattern, (phase_rate, raan_rate))
            steep = jnp.abs(slope) > 1e-9  # a satellite that only grazes the mask has no time of rising
            # one step of Newton's with a constant slope: the last digits, and the derivative of the implicit function
            return t - jnp.where(steep, value / jnp.where(steep, slope, 1.0), 0.0)

        # a gap that the horizon cuts off ends there
        opens = jnp.where(after < steps, crossing(last, after), steps * _STEP_S)
        closes = jnp.where(before >= 0, crossing(before + 1, before), 0.0)
        return jnp.where(length > 0, opens - closes, 0.0) / 60.0

    return jax.lax.map(at, observer(phi))


def smooth_least_margin_deg(shell: ShellLike, latitude_deg: ArrayLike, *, sharpness_deg: float = 0.2) -> Array:
    """Margin by which the best satellite is in view at the worst time, deg at the Earth's centre, shape (latitudes,).

    Above twice the sharpness coverage is continuous; below zero, caps are too small by so much. Smooth: a soft largest
    of the planes and a soft least (mean of the lowest values, weighted exponentially, so some 0.7 to 1.5 of the sharpness above
    the least one) over the angles that the pattern takes, 32 phases and raans at most half a degree apart.

    Args:
        shell, latitude_deg: as for `max_revisit_minutes`.
        sharpness_deg: static; the scale of the soft largest and least.
    """
    phi, pattern = full_pattern(shell, latitude_deg)
    h, cell = pattern.altitude, pattern.cell
    steps = max(16, round(cell / (0.5 * DEGREE)))
    raans = (jnp.arange(steps, dtype=h.dtype) + 0.5) * (cell / steps)
    phases = jnp.arange(32, dtype=h.dtype) * (pattern.slot / 32)
    soft = sharpness_deg * DEGREE

    def best(place: Observer, raan: Array, phase: Array) -> Array:
        margins = _margins(place, pattern, raan, phase, angle=True)
        weights = jax.nn.softmax(margins / soft)
        return jnp.sum(weights * margins)

    def at(place: Observer) -> Array:
        values = jax.vmap(jax.vmap(best, in_axes=(None, None, 0)), in_axes=(None, 0, None))(place, raans, phases)
        weights = jax.nn.softmax(-values.ravel() / soft)
        return jnp.sum(weights * values.ravel()) / DEGREE

    return jax.lax.map(at, observer(phi))


def _rates(h: Array, i: Array) -> tuple[Array, Array]:
    """Rates of the argument of latitude and of raan relative to the Earth, rad/s, e = 0."""
    raan_rate, perigee_rate, anomaly_rate = secular_rates(h + R, 0.0, jnp.cos(i), jnp)
    return perigee_rate + anomaly_rate, raan_rate - EARTH_ROTATION_RATE


def _margins(place: Observer, pattern: FullPattern, raan: Array, phase: Array, *, angle: bool = False) -> Array:
    """Distance of the nearest satellite of each plane from the edge of the view, shape (planes,); above zero in view.

    Args:
        raan: of the first plane, counted from the observer, rad.
        phase: argument of latitude of its first satellite.
        angle: static; in rad at the Earth's centre, instead of as a difference of cosines.
    """
    h, i, mask, raans, phases, _, slot, _ = pattern
    centre = cap_centre(place, radius_at(h, i, jnp.zeros_like(h)), mask)
    middle, x, y, _ = plane_from(centre, i, raan + raans)
    turns = (phase + phases - middle) / slot
    off = (turns - jnp.round(jax.lax.stop_gradient(turns))) * slot
    u = middle + off
    cap = cap_half_angle(radius_at(h, i, jnp.sin(i) * jnp.sin(u)), place.radius, mask)
    in_plane = jnp.sqrt(jnp.maximum(x * x + y * y, 1e-12))
    cosine = in_plane * jnp.cos(off)
    if not angle:
        return cosine - jnp.cos(cap)
    # overhead the angle has a corner, half a thousandth of a degree wide here
    return cap - jnp.arccos(jnp.clip(cosine, -1.0 + 1e-10, 1.0 - 1e-10))
