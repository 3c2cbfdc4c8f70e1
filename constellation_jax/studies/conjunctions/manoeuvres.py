"""Manoeuvres that encounters call for, at thresholds of the collision probability, as operators report them.

Few of the encounters of a day are near enough for a manoeuvre, so each one that is found within a distance stands for all that pass
as it does, at any miss: of the disc of that radius about the other object, the part in which the probability is above the threshold
is an ellipse of the area 2 pi s ln(R^2 / (2 s T)), s being the product of the standard deviations in the encounter plane, R the sum
of the radii and T the threshold (the probability in the plane of bodies that are small against the covariance).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.screening.refine import Encounters
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.conjunctions.age_table import classify, load_age_table
from constellation_jax.inputs.conjunctions.radii import find_radii
from constellation_jax.physics.conjunctions.encounter import ric_axes

Floats = NDArray[np.float64]
THRESHOLDS: Final[tuple[float, ...]] = (1e-4, 1e-5, 1e-6)
OWN_SIGMA_M: Final[tuple[float, ...]] = (12.0, 283.0, 3.3)
"""Standard deviations that an ephemeris of Starlink of 2023 states twelve hours ahead, radial, in-track and cross-track."""


class ManoeuvreModel(NamedTuple):
    """Errors and sizes that decide on a manoeuvre."""

    thresholds: Floats
    """Collision probabilities above which a manoeuvre is made."""
    age_days: float
    """Age of the catalogue's element sets at the encounter, by which their errors go."""
    own_sigma_km: Floats
    """Standard deviations of planned satellites, as their operator knows them, radial, in-track and cross-track."""
    own_radius_km: float

    def describe(self) -> str:
        """Describe the sources of covariances and radii."""
        own = "/".join(f"{1e3 * sigma:g}" for sigma in self.own_sigma_km)
        return (
            f"planned satellites: {own} m radial, in-track and cross-track, radius {1e3 * self.own_radius_km:g} m; catalogue: "
            f"class table of public element sets at an age of {self.age_days:g} days, radii by class"
        )


def make_model(
    thresholds: Sequence[float], age_days: float, own_sigma_m: Sequence[float], own_radius_m: float
) -> ManoeuvreModel:
    """Check the inputs of a model.

    Raises:
        InputError: a number that cannot be.
    """
    levels, sigma = np.array(thresholds, np.float64).ravel(), np.array(own_sigma_m, np.float64).ravel()
    if not len(levels) or not ((levels > 0.0) & (levels < 1.0)).all() or len(set(levels.tolist())) != len(levels):
        raise InputError(f"thresholds {list(thresholds)}: expected probabilities between 0 and 1, each once")
    if sigma.shape != (3,) or not ((sigma > 0.0) & (sigma <= 1e6)).all():
        raise InputError(
            f"own_sigma_m {list(own_sigma_m)}: expected three numbers above 0: radial, in-track, cross-track"
        )
    if not 0.0 < age_days <= 30.0:
        raise InputError(f"age_days {age_days!r}: expected a number above 0, up to 30")
    if not 0.0 < own_radius_m <= 1000.0:
        raise InputError(f"own_radius_m {own_radius_m!r}: expected a number above 0, up to 1000 m")
    return ManoeuvreModel(levels, age_days, sigma * 1e-3, own_radius_m * 1e-3)


def compute_areas(met: Encounters, objects: Catalog, planned: int, model: ManoeuvreModel) -> Floats:
    """Compute the areas in the planes of encounters in which a manoeuvre is called for, km2, shape (encounters, thresholds).

    Args:
        met: encounters of objects.
        objects: of which the first `planned` ones are planned satellites.
    """
    age = np.full(len(objects), model.age_days)
    sigma = load_age_table().at(classify(objects.name, objects.mean_altitude_km), age)
    sigma[:planned] = model.own_sigma_km
    radius = find_radii(objects.norad_id, objects.name) * 1e-3
    radius[:planned] = model.own_radius_km
    covariance = np.zeros((len(met.first), 3, 3))
    for chosen, state in zip((met.first, met.second), met.states, strict=True):
        axes = ric_axes(state.position.T, state.velocity.T)
        covariance += np.einsum("nai,na,naj->nij", axes, sigma[chosen] ** 2, axes)
    speed = (met.states[1].velocity - met.states[0].velocity).T
    along = speed / np.linalg.norm(speed, axis=1)[:, None]
    # determinant of what is left when the direction of flight is projected out
    solved = np.linalg.solve(covariance, along[..., None])[..., 0]
    product = np.sqrt(np.linalg.det(covariance) * (along * solved).sum(axis=1))
    sums = radius[met.first] + radius[met.second]
    largest = sums**2 / (2.0 * product)
    levels = np.maximum(0.0, np.log(largest[:, None] / model.thresholds))
    return np.asarray(2.0 * np.pi * product[:, None] * levels)
