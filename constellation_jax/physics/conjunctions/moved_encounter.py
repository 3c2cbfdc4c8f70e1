"""Miss distances of encounters whose orbits are moved, the satellites staying where they are along them.

An altitude that changes by a kilometre puts a satellite a hundred kilometres along its track a day later: which pairs meet is
chance. How far two orbits pass each other where they cross is not, and that is what changes here: the argument of latitude and the
node at the encounter are held. At the least distance the change of its time does not matter (envelope theorem).
"""

from __future__ import annotations

import jax.numpy as jnp
from jax import Array


def move_state(
    position: Array, velocity: Array, node: Array, altitude_change: Array, inclination_change: Array
) -> tuple[Array, Array]:
    """Move a state to an orbit of other altitude and inclination, at the same argument of latitude and node.

    Args:
        position, velocity: km and km/s, inertial, shape (3,).
        node: unit vector to the ascending node, shape (3,).
        altitude_change: km, small against the radius.
        inclination_change: rad.

    Returns:
        Position and velocity, shape (3,): turned about the node, the radius longer by the change, the speed that of its orbit.
    """
    sin, cos = jnp.sin(inclination_change), jnp.cos(inclination_change)
    radius = jnp.sqrt(jnp.sum(position**2))
    longer = 1.0 + altitude_change / radius

    def turn(vector: Array) -> Array:  # Rodrigues
        return cos * vector + sin * jnp.cross(node, vector) + (1.0 - cos) * jnp.dot(node, vector) * node

    return turn(position) * longer, turn(velocity) / jnp.sqrt(longer)


def miss_squared(position: Array, velocity: Array) -> Array:
    """Square of the least distance on straight lines, km2, of a relative position and velocity of shape (3,)."""
    along = jnp.dot(position, velocity)
    return jnp.sum(position**2) - along * along / jnp.sum(velocity**2)


def is_within(miss_squared: Array, within: float | Array, softness: float | Array) -> Array:
    """Smooth number of encounters within a distance, 1 inside and 0 outside: a logistic of the square of the distance.

    Its area is that of the disc to `softness / within * exp(-within / (2 softness))`, so that counts of encounters spread evenly
    over the plane keep their mean.

    Args:
        miss_squared: km2.
        within: km.
        softness: km over which it goes from 0.73 to 0.27, about.
    """
    return 1.0 / (1.0 + jnp.exp(jnp.clip((miss_squared - within * within) / (2.0 * within * softness), -60.0, 60.0)))
