"""Compiled programs of the screening on a CPU: boxes of the objects at steps, and tests of rectangles of pairs.

A rectangle is ROWS entries of the sorted list against LANES others. A rectangle is one elementwise loop over its lanes, which LLVM
turns into vector instructions, in a single loop over rectangles, so that a process without the flags of `configure` pays for a few
thousand dispatches a step and not for one of each pair's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import jax
import jax.numpy as jnp
from jax import Array

from constellation_jax.engine.devices import REPLICATED, Specs
from constellation_jax.physics.constants import MU

ROWS: Final = 8
LANES: Final = 64
"""Entries on both sides of a rectangle. Measured: 16 rows, or 32 lanes, are within 15 %."""
LEVEL_BITS: Final = 20
LEVELS_PER_KM: Final = 8.0
"""Radii as whole numbers; what is beyond 131,072 km is clipped, which only adds pairs."""
BANDS: Final = 254
GROUP_BITS: Final = 3
"""Bits of the key for the group of a narrow entry: 0, or a number of one whose own pairs are not wanted."""
MOST_LEVEL: Final = float((1 << LEVEL_BITS) - 3)
NEXT_BAND: Final = 1 << GROUP_BITS
NARROW: Final = 1 << (8 + GROUP_BITS)
"""Addends of a key without its level for the next band, and for narrow entries."""
NOWHERE: Final = 0xFFFFFFFF
"""Key of an object that is not there."""

BOX_SPECS = Specs((REPLICATED,) * 8, REPLICATED)
TEST_SPECS = Specs((REPLICATED,) * 6, REPLICATED, wide_vectors=True)
"""Placement of the arguments of the functions below."""


def make_boxes(
    positions: Array,
    groups: Array,
    step: Array,
    half_step: Array,
    distance: Array,
    rise: Array,
    margin: Array,
    wide: Array,
) -> tuple[Array, Array, Array, Array]:
    """Velocities of objects at steps, and how far they reach until half a step before and after.

    The velocity is the derivative of the positions, by differences and the acceleration of a point mass; that of SGP4 is off from
    it by up to 90 m/s in sets of strong drag. Its error is `bounds.VELOCITY_ERROR`.

    Args:
        positions: km, NaN where an object is not there, float32 of shape (3, steps + 2, objects): a step more before and after.
        groups: below 1 << GROUP_BITS, uint32 of shape (objects,).
        step: s between steps.
        half_step: s that the boxes reach before and after their step; 0 for an instant alone.
        distance: threshold, km.
        rise, margin, wide: `Bounds.rise_km`, `Bounds.radial_margin_km` and `Bounds.wide_km`.

    Returns:
        Velocity in km/s, shape (3, steps, objects), NaN where an object is not there or its velocity is not known; highest radius,
        km, 0 where an object is not there, shape (steps, objects); key by which the entries of a step are sorted, uint32: 1 for
        narrow ones, band, group and lowest radius in its bits, `NOWHERE` for those that are not there; largest range of radius of
        a wide entry, km.
    """
    before, here, after = (tuple(part) for part in (positions[:, :-2], positions[:, 1:-1], positions[:, 2:]))
    pulls = tuple(_pull(r) for r in (before, here, after))
    is_first, is_last = jnp.isnan(before[0]), jnp.isnan(after[0])
    v = []
    for r0, r1, r2, pull0, pull1, pull2 in zip(before, here, after, *pulls, strict=True):
        central = (r2 - r0) / (2.0 * step) - (step / 12.0) * (pull2 - pull0)
        forward = (r2 - r1) / step - (step / 6.0) * (2.0 * pull1 + pull2)
        backward = (r1 - r0) / step + (step / 6.0) * (2.0 * pull1 + pull0)
        v.append(jnp.where(is_first, forward, jnp.where(is_last, backward, central)))
    radius = jnp.sqrt(_dot(here, here))
    radial = _dot(here, v) / radius
    across = jnp.maximum(_dot(v, v) - radial * radial, 0.0)
    bend = 0.5 * half_step * half_step * (across / radius - MU / (radius * radius))
    reach = jnp.abs(radial) * half_step + margin
    low = radius - reach + jnp.minimum(bend, 0.0)
    high = radius + reach + jnp.maximum(bend, 0.0)
    is_there = jnp.isfinite(low)
    # two objects that meet are at most so far apart along the axis
    apart = distance + 2.0 * (jnp.where(is_there, jnp.abs(v[2]), 0.0).max(axis=1, keepdims=True) * half_step + rise)
    band = jnp.clip(jnp.floor(here[2] / jnp.maximum(apart, 1.0)), -BANDS // 2, BANDS // 2 - 1) + (BANDS // 2 + 1)
    level = jnp.clip(low * LEVELS_PER_KM, 0.0, MOST_LEVEL + 1.0)
    is_wide = high - low >= wide
    # narrow entries come last, so that those of a wide row are behind it in the list, whichever band they are in
    cell = (jnp.where(is_wide, 0, 1 << 8) + band.astype(jnp.int32)).astype(jnp.uint32) << GROUP_BITS
    cell = cell | jnp.where(is_wide, jnp.uint32(0), groups)
    key = jnp.where(is_there, cell << LEVEL_BITS | level.astype(jnp.uint32), jnp.uint32(NOWHERE))
    high = jnp.where(is_there, high, 0.0)
    return jnp.stack(v), high, key, jnp.where(is_there & is_wide, high - low, 0.0).max()


def test_rectangles(
    entries: Array, first_rows: Array, first_lanes: Array, count: Array, half_step: Array, distance: Array
) -> Array:
    """Lanes of rectangles in which some pair comes within a distance on straight lines, in the step or a second around it.

    Args:
        entries: position and velocity of the sorted entries, km and km/s, float32 of shape (6, entries).
        first_rows, first_lanes: first entries of each rectangle on both sides, int32 of shape (rectangles,).
        count: rectangles to test.
        half_step: s before and after the step.
        distance: km.

    Returns:
        1 for lanes with such a pair whose lane comes after its row in the list, else 0, uint8 of shape (rectangles, LANES).
    """
    zero, limit = jnp.int32(0), distance * distance
    # with this the nearest end of the step is within the distance only if |closing| < furthest below: D |v| <= |v|^2 + D^2 / 4
    longest, margin = half_step + 1.0, 0.25 * limit

    def test(k: Array, found: Array) -> Array:
        row, lane = first_rows[k], first_lanes[k]
        rows = jax.lax.dynamic_slice(entries, (zero, row), (6, ROWS))
        lanes = jax.lax.dynamic_slice(entries, (zero, lane), (6, LANES))
        after = lane - row + jnp.arange(LANES, dtype=jnp.int32)
        hit = jnp.zeros(LANES, bool)
        for i in range(ROWS):
            x, y, z, vx, vy, vz = (lanes[c] - rows[c, i] for c in range(6))
            distance2, speed2 = x * x + y * y + z * z, vx * vx + vy * vy + vz * vz
            closing = x * vx + y * vy + z * vz
            # squared miss of straight lines, times the squared speed, so that nothing is divided; NaN fails both comparisons
            is_near = distance2 * speed2 - closing * closing <= limit * speed2
            is_now = jnp.abs(closing) <= longest * speed2 + margin
            hit = hit | (is_near & is_now & (after > i))
        return jax.lax.dynamic_update_slice(found, hit.astype(jnp.uint8)[None], (k, zero))

    return jax.lax.fori_loop(zero, count, test, jnp.zeros((len(first_rows), LANES), jnp.uint8))


def _dot(a: Sequence[Array], b: Sequence[Array]) -> Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _pull(r: Sequence[Array]) -> tuple[Array, ...]:
    """Acceleration of a point mass, km/s^2."""
    square = _dot(r, r)
    factor = -MU / (square * jnp.sqrt(square))
    return tuple(factor * x for x in r)
