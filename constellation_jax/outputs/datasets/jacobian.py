"""The Jacobian of the state by the mean elements, as a variable of a Dataset."""

from __future__ import annotations

from typing import Any, Final

import xarray as xr
from numpy.typing import NDArray

from constellation_jax.outputs.variables import DIMENSIONS

STATE_UNITS: Final = {"x": "km", "y": "km", "z": "km", "vx": "km s-1", "vy": "km s-1", "vz": "km s-1"}
ELEMENT_UNITS: Final = {
    "mean_motion": "rad min-1", "eccentricity": "1", "inclination": "rad", "raan": "rad", "arg_perigee": "rad",
    "mean_anomaly": "rad", "bstar": "1/Earth radii",
}  # fmt: skip


def add_jacobian(dataset: xr.Dataset, values: NDArray[Any]) -> xr.Dataset:
    """The Dataset with the variable `jacobian`, (time, satellite, state, element), and the coordinates that name its entries.

    Args:
        dataset: of `make_dataset`, frame TEME.
        values: shape (m, n, 6, 7), in the units of the two tables above.
    """
    attributes = {
        "long_name": "derivative of the state in TEME with respect to the mean elements of SGP4",
        "comment": "the unit of an entry is the state_units of its row over the element_units of its column",
    }
    return dataset.assign(jacobian=((*DIMENSIONS, "state", "element"), values, attributes)).assign_coords(
        state=("state", list(STATE_UNITS), {"long_name": "component of the state"}),
        state_units=("state", list(STATE_UNITS.values()), {"long_name": "unit of the component of the state"}),
        element=("element", list(ELEMENT_UNITS), {"long_name": "mean element"}),
        element_units=("element", list(ELEMENT_UNITS.values()), {"long_name": "unit of the mean element"}),
    )
