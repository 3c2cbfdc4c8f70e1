"""Jacobian of the state with respect to the mean elements, as a variable of a Dataset."""

from __future__ import annotations

from typing import Any, Final

import xarray as xr
from numpy.typing import NDArray

from constellation_jax.outputs.variable import ELEMENT, STATE
from constellation_jax.outputs.variables import VARIABLES

COMPONENTS: Final = ("x", "y", "z", "vx", "vy", "vz")
"""Components of the state, in the order of the rows of a Jacobian."""
ELEMENT_UNITS: Final = {
    "mean_motion": "rad min-1", "eccentricity": "1", "inclination": "rad", "raan": "rad", "arg_perigee": "rad",
    "mean_anomaly": "rad", "bstar": "1/Earth radii",
}  # fmt: skip
"""Mean element of SGP4, a field of `Elements` -> unit."""


def add_jacobian(dataset: xr.Dataset, values: NDArray[Any]) -> xr.Dataset:
    """Add the variable `jacobian`, (time, satellite, state, element), and the coordinates that name its entries to a Dataset.

    Args:
        dataset: of `make_dataset`, frame TEME.
        values: shape (m, n, 6, 7), in the order of `COMPONENTS` and `ELEMENT_UNITS` and their units.
    """
    coordinates = {
        STATE: list(COMPONENTS),
        "state_units": [VARIABLES[name].units for name in COMPONENTS],
        ELEMENT: list(ELEMENT_UNITS),
        "element_units": list(ELEMENT_UNITS.values()),
    }
    return dataset.assign(jacobian=VARIABLES["jacobian"].as_xarray(values)).assign_coords(
        {name: VARIABLES[name].as_xarray(texts) for name, texts in coordinates.items()}
    )
