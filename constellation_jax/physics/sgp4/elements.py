"""Mean orbital elements of element sets, in the units of the SGP4 and SDP4 kernels."""

import dataclasses

import jax
from jax.typing import ArrayLike


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Elements:
    """SGP4 mean elements in TEME at their epoch. Scalars for one satellite; arrays of one shape for many.

    Jacobians are derivatives by the first seven, in this order.
    """

    mean_motion: ArrayLike
    """Kozai mean motion, rad/min."""
    eccentricity: ArrayLike
    """Mean eccentricity."""
    inclination: ArrayLike
    """Inclination, rad."""
    raan: ArrayLike
    """Right ascension of the ascending node, rad."""
    arg_perigee: ArrayLike
    """Argument of perigee, rad."""
    mean_anomaly: ArrayLike
    """Mean anomaly, rad."""
    bstar: ArrayLike
    """Drag term B*, 1/Earth radii."""
    epoch_day: ArrayLike
    """Modified Julian Date (UTC) of the midnight before the epoch: whole days. Used by deep space alone."""
    epoch_fraction: ArrayLike
    """Rest of the epoch, as a fraction of a day."""
