"""Dataset of the objects of a catalogue assigned to shells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import count_satellites, list_elements, make_header
from constellation_jax.outputs.datasets.satellites import make_satellite_coordinates
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variables import MATCH, VARIABLES


def make_match_dataset(catalog: Catalog, arrays: Mapping[str, NDArray[Any]], epoch: np.datetime64) -> xr.Dataset:
    """Make the Dataset of a match, dim satellite.

    Args:
        catalog: the n objects.
        arrays: field of a `ShellMatch` -> values of shape (n,).
        epoch: time at which planes and slots hold, UTC.
    """
    objects = count_satellites(len(catalog))
    header = make_header(
        "match",
        list_elements(catalog),
        title=f"Shells of {objects}",
        summary=f"Shell, state, plane and slot of {objects}.",
        keywords="EARTH SATELLITES, SATELLITE CONSTELLATIONS, ORBITS",
        source="mean element sets compared with shells",
        action=f"matched {objects} to shells",
    )
    codes = {word: code for code, word in VARIABLES["match_state"].flags.items()}
    values = {name: np.asarray(arrays[field]) for name, field in zip(MATCH, _FIELDS, strict=True)}
    values["match_state"] = np.array([codes[word] for word in values["match_state"].tolist()], np.int8)
    coordinates = make_satellite_coordinates(catalog)
    dataset = xr.Dataset(
        {name: VARIABLES[name].as_xarray(array) for name, array in values.items()},
        {name: VARIABLES[name].as_xarray(array) for name, array in coordinates.items()},
        {**header, "match_epoch": f"{epoch}Z"},
    )
    dataset["epoch"].encoding = make_time_encoding(coordinates["epoch"])
    return dataset


_FIELDS: Final = (
    *("system", "shell", "state", "plane", "slot"),
    *("raan_residual_deg", "latitude_residual_deg", "altitude_offset_km"),
)
"""Fields in the order of `MATCH`."""
