"""Shells to which raising satellites climb.

A launch goes where the launches before and after it go. So a satellite is bound for the shell above it that fits its inclination
and to which satellites of like launch dates have climbed; a shell that was filled years ago gets no more, however full it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.shells.mean_orbits import sun_synchronous_inclination_deg
from constellation_jax.studies.matching.layers import ShellLayer
from constellation_jax.studies.matching.motion import Motion

_LIKE_LAUNCH_DAYS = 90.0
"""Days between two launches over which the one says less by a factor e about where the other goes: the time in which an operator
fills one shell before the next."""
_LIKE_INCLINATION_DEG = 0.03
"""Difference within which shells fit an inclination equally well. Satellites on station keep within 0.006 degrees of each other;
launches arrive within 0.02."""
_FEWEST = 10
"""Least number of satellites on station whose median inclination counts in place of the stated one."""
_SUN_SYNCHRONOUS_DEG = 0.5
"""Largest distance of a layer from the sun-synchronous inclination of its altitude at which that one counts: its satellites are
launched into it, while those of a shell that is being moved have that of its next altitude."""


def choose_destinations(
    motion: Motion,
    at: NDArray[np.intp],
    layers: Sequence[ShellLayer],
    station: NDArray[np.intp],
    above: NDArray[np.bool_],
) -> NDArray[np.intp]:
    """Choose the layer to which each object would climb. Shape (objects,), 0 where no layer is above.

    Args:
        motion: motion of the catalogue.
        at: positions of the objects of one system in the catalogue, shape (objects,).
        layers: layers of the system.
        station: layer at which each object is on station, -1 for none, shape (objects,).
        above: layers above each object that it may climb to, shape (layers, objects).
    """
    inclination = motion.inclination_deg[at]
    own = np.array([_find_inclination(layer, inclination[station == i]) for i, layer in enumerate(layers)])
    tilt = np.where(above, np.abs(inclination - own[:, None]), np.inf)
    fits = above & (tilt <= tilt.min(axis=0) + _LIKE_INCLINATION_DEG)
    planned = fits & np.array([layer.has_planes for layer in layers])[:, None]
    fits = np.where(planned.any(axis=0), planned, fits)
    votes = _count_like_launches(motion.launch_day[at], station, len(layers))
    # where no launch is known, the most populated one
    votes += 1e-9 * np.array([[np.sum(station == i)] for i in range(len(layers))])
    return np.asarray(np.argmax(np.where(fits, votes, -1.0), axis=0))


def _find_inclination(layer: ShellLayer, held: NDArray[np.float64]) -> float:
    """Inclination with which satellites are launched for a layer, deg; `held` are those of the objects on station there."""
    found = float(np.median(held)) if len(held) >= _FEWEST else layer.inclination_deg
    following_sun = float(sun_synchronous_inclination_deg(layer.altitude_km, 0.0))
    return following_sun if abs(layer.inclination_deg - following_sun) <= _SUN_SYNCHRONOUS_DEG else found


def _count_like_launches(
    launch_day: NDArray[np.float64], station: NDArray[np.intp], layers: int
) -> NDArray[np.float64]:
    """Count the satellites at each layer, by how near their launch is to that of each object. Shape (layers, objects)."""
    days, of = np.unique(launch_day, return_inverse=True)  # one row for each launch; NaN is one too
    held = np.zeros((layers, len(days)))
    at_one = station >= 0
    np.add.at(held, (station[at_one], of[at_one]), 1.0)
    alike = np.nan_to_num(np.exp(-np.abs(days[:, None] - days) / _LIKE_LAUNCH_DAYS))
    votes: NDArray[np.float64] = (held @ alike)[:, of]
    return votes
