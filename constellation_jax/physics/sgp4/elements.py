"""Elements: the mean orbital elements of one element set, in the units that the SGP4 and SDP4 kernels take."""

import dataclasses

import jax
from jax.typing import ArrayLike


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Elements:
    """SGP4 mean elements in TEME at their epoch. Scalars for one satellite; arrays of one shape for many.

    The first seven are what a derivative is taken with respect to, in this order.
    """

    mean_motion: ArrayLike
    """Kozai mean motion, rad/min."""
    eccentricity: ArrayLike
    inclination: ArrayLike
    """rad."""
    raan: ArrayLike
    """Right ascension of the ascending node, rad."""
    arg_perigee: ArrayLike
    """rad."""
    mean_anomaly: ArrayLike
    """rad."""
    bstar: ArrayLike
    """Drag term, 1/Earth radii."""
    epoch_day: ArrayLike
    """Modified Julian Date (UTC) of the midnight before the epoch: whole days. Used by deep space alone."""
    epoch_fraction: ArrayLike
    """Rest of the epoch, as a fraction of a day."""
