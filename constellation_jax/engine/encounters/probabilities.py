"""Probabilities of many encounters at once."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices, Specs, satellites_last
from constellation_jax.engine.threads import Workers
from constellation_jax.engine.tiles import pad
from constellation_jax.physics.conjunctions.encounter import (
    is_two_dimensional,
    osculating_period,
    project_on_plane,
    ric_axes,
)
from constellation_jax.physics.conjunctions.probability import (
    SOCRATES_RIC_KM,
    collision_probability,
    largest_probability,
    socrates_probability,
)

Floats = NDArray[np.float64]
TILE: Final = {"cpu": 1024, "gpu": 65536, "tpu": 65536}
"""Encounters of one device in a call, by platform."""
_VECTORS = (satellites_last(2),) * 4
SPECS: Final = Specs((*_VECTORS, satellites_last(3), satellites_last(3), satellites_last(1)), satellites_last(1))
"""Placement of the arguments and results of the functions below."""


class EncounterFigures(NamedTuple):
    """Figures of encounters, arrays of shape (encounters,); NaN where a covariance is not positive."""

    probability: Floats
    """Collision probability in the encounter plane."""
    largest: Floats
    """Largest probability over all sizes of the covariance."""
    largest_sigma: Floats
    """Smaller deviation in the plane that gives it, km."""
    sigma: Floats
    """Smaller deviation in the plane, km."""
    socrates: Floats
    """Largest probability by SOCRATES' convention."""
    socrates_sigma: Floats
    """Smaller deviation in the plane that gives it, km: SOCRATES' DILUTION."""
    is_valid: NDArray[np.bool_]
    """True where the probability in the plane is valid (`is_two_dimensional`)."""


class EncounterStates(NamedTuple):
    """States and covariances of both objects of n encounters at their closest approach."""

    position_1: Floats
    """km, inertial, shape (3, n)."""
    velocity_1: Floats
    """km/s, inertial, shape (3, n)."""
    position_2: Floats
    velocity_2: Floats
    covariance_1: Floats
    """Covariance along radial, in-track and cross-track, km2, shape (3, 3, n)."""
    covariance_2: Floats
    radius: Floats
    """Sum of the hard-body radii, km, shape (n,)."""


def compute_figures(encounters: EncounterStates, devices: Devices) -> EncounterFigures:
    """Compute the figures of encounters."""
    return EncounterFigures(*evaluate_tiles(figures, encounters, devices))


def figures(*encounters: Array) -> tuple[Array, ...]:
    """Figures of a tile of encounters: arguments as the fields of `EncounterStates`, results as those of `EncounterFigures`."""

    def one(r1: Array, v1: Array, r2: Array, v2: Array, c1: Array, c2: Array, radius: Array) -> tuple[Array, ...]:
        axes_1, axes_2 = ric_axes(r1, v1), ric_axes(r2, v2)
        covariance = axes_1.T @ c1 @ axes_1 + axes_2.T @ c2 @ axes_2
        r, v = r2 - r1, v2 - v1
        plane = project_on_plane(r, v, covariance)
        largest = largest_probability(plane, radius)
        shape = jnp.diag(jnp.asarray(SOCRATES_RIC_KM, r.dtype) ** 2)
        round_ = project_on_plane(r, v, axes_1.T @ shape @ axes_1 + axes_2.T @ shape @ axes_2)
        socrates = socrates_probability(jnp.linalg.norm(r), round_.minor_sigma, round_.major_sigma, radius)
        valid = is_two_dimensional(
            plane, v, covariance, c1[1, 1] + c2[1, 1], radius, jnp.linalg.norm(r1), osculating_period(r1, v1)
        )
        return collision_probability(plane, radius), *largest, plane.minor_sigma, *socrates, valid

    return jax.vmap(one, in_axes=-1, out_axes=-1)(*encounters)


def evaluate_tiles(function: Any, encounters: EncounterStates, devices: Devices) -> list[NDArray[Any]]:
    """Evaluate a function of tiles of encounters, such as `figures`, for all of them, tile by tile in several threads."""
    count = len(encounters.radius)
    width = devices.tile_width(TILE)
    program = devices.compile(function, SPECS)

    def work(first: int) -> Any:
        columns = pad(np.arange(first, min(first + width, count)), width)
        found = devices.fetch(program(*devices.put(tuple(np.asarray(v, np.float64)[..., columns] for v in encounters))))
        return [np.array(v[: count - first]) for v in found]

    with Workers(devices.threads) as workers:
        parts = list(workers.map(work, range(0, count, width)))
    return [np.concatenate(column) for column in zip(*parts, strict=True)]
