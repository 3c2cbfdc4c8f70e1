"""Counts close approaches among satellites that SGP4 propagates: the recount of expected conjunction rates.

At each instant every pair is taken to move straight on for half a step, which over 20 s is right to 0.1 km: the two are close
where it matters, so that the Earth pulls both alike. An approach counts where it is closest within the step.
"""

import jax
import jax.numpy as jnp
import numpy as np

import constellation_jax as cj

EPOCH, EPOCH_MJD = "2025-06-24", 60850  # of the bundled population: half a year on, drag has moved it
STEP_S = 40.0
DAYS_PER_YEAR = 365.25


def states(catalog: cj.Catalog, days: float) -> tuple[jax.Array, jax.Array]:
    """Positions and velocities from the epoch on, km and km/s, each of shape (instants, satellites, 3)."""
    times = cj.time_grid(EPOCH, f"{24 * days:g}h", f"{STEP_S:g}s")
    found = cj.propagate(catalog, times, variables=("position", "velocity"))
    stacked = [
        np.stack([found[name].values for name in names], axis=-1) for names in (("x", "y", "z"), ("vx", "vy", "vz"))
    ]
    # an element set that does not propagate is nowhere near
    return jnp.asarray(np.nan_to_num(stacked[0], nan=1e9)), jnp.asarray(np.nan_to_num(stacked[1]))


@jax.jit
def approaches(one: tuple[jax.Array, jax.Array], other: tuple[jax.Array, jax.Array], miss: jax.Array) -> jax.Array:
    """Pairs (a of one, b of other) closest within a step and nearer than miss, summed over all instants, shape (one,)."""

    def at(pair: tuple[jax.Array, ...]) -> jax.Array:
        (p, v, q, w) = pair
        apart2 = (p * p).sum(1)[:, None] + (q * q).sum(1)[None] - 2.0 * p @ q.T
        closing = (p * v).sum(1)[:, None] + (q * w).sum(1)[None] - p @ w.T - v @ q.T
        speed2 = (v * v).sum(1)[:, None] + (w * w).sum(1)[None] - 2.0 * v @ w.T + 1e-9
        time = closing / speed2
        near = (jnp.abs(time) <= 0.5 * STEP_S) & (apart2 - closing * time < miss * miss)
        return near.sum(1)

    return jax.lax.map(at, (*one, *other)).sum(0)
