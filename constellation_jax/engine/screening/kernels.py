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

ROWS: Final = 16
LANES: Final = 64

BOX_SPECS = Specs((REPLICATED,) * 5, REPLICATED)
TEST_SPECS = Specs((REPLICATED,) * 6, REPLICATED, wide_vectors=True)
"""Placement of the arguments of the functions below."""


def make_boxes(positions: Array, step: Array, half_step: Array, rise: Array, margin: Array) -> Array:
    """Velocities of objects at steps, and how far they reach until half a step before and after.

    The velocity is the derivative of the positions, by differences and the acceleration of a point mass; that of SGP4 is off from
    it by up to 90 m/s in sets of strong drag. Its error is below 0.01 m/s, or 0.5 m/s where only one neighbour is known.

    Args:
        positions: km, NaN where an object is not there, float32 of shape (3, steps + 2, objects): a step more before and after.
        step: s between steps.
        half_step: s that the boxes reach before and after their step; 0 for an instant alone.
        rise, margin: `Bounds.rise_km` and `Bounds.radial_margin_km`.

    Returns:
        Velocity in km/s, lowest and highest radius, and reach along the axis in km, shape (6, steps, objects). All are NaN where an
        object is not there, or its velocity is not known.
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
    return jnp.stack([*v, low, high, jnp.abs(v[2]) * half_step + rise])


def test_rectangles(
    entries: Array, first_rows: Array, first_lanes: Array, count: Array, half_step: Array, distance: Array
) -> Array:
    """Lanes of rectangles in which some pair comes within a distance on straight lines.

    Args:
        entries: position and velocity of the sorted entries, km and km/s, float32 of shape (6, entries).
        first_rows, first_lanes: first entries of each rectangle on both sides, int32 of shape (rectangles,).
        count: rectangles to test.
        half_step: s before and after the step.
        distance: km.

    Returns:
        1 for lanes with such a pair whose lane comes after its row in the list, else 0, uint8 of shape (rectangles, LANES).
    """
    six, zero = jnp.int32(0), jnp.int32(0)
    limit = distance * distance

    def test(k: Array, found: Array) -> Array:
        row, lane = first_rows[k], first_lanes[k]
        rows = jax.lax.dynamic_slice(entries, (six, row), (6, ROWS))
        lanes = jax.lax.dynamic_slice(entries, (six, lane), (6, LANES))
        after = lane - row + jnp.arange(LANES, dtype=jnp.int32)
        hit = jnp.zeros(LANES, bool)
        for i in range(ROWS):
            x, y, z, vx, vy, vz = (lanes[c] - rows[c, i] for c in range(6))
            distance2, speed2 = x * x + y * y + z * z, vx * vx + vy * vy + vz * vz
            closing = x * vx + y * vy + z * vz
            # all times the squared speed, so that nothing is divided: -closing / speed2 is the time of the closest approach
            furthest = half_step * speed2
            time = jnp.clip(-closing, -furthest, furthest)
            miss2 = distance2 * speed2 + time * (2.0 * closing + time)
            hit = hit | ((miss2 <= limit * speed2) & (after > i))
        return jax.lax.dynamic_update_slice(found, hit.astype(jnp.uint8)[None], (k, zero))

    return jax.lax.fori_loop(zero, count, test, jnp.zeros((len(first_rows), LANES), jnp.uint8))


def _dot(a: Sequence[Array], b: Sequence[Array]) -> Array:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _pull(r: Sequence[Array]) -> tuple[Array, ...]:
    """Acceleration of a point mass, km/s^2."""
    square = _dot(r, r)
    factor = -MU / (square * jnp.sqrt(square))
    return tuple(factor * x for x in r)
