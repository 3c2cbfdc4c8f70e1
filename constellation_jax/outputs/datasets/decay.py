"""Dataset of a decay.

Deliberately absent: writing block by block, as a decay of 27,000 objects over 25 years fits into memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import (
    count_satellites,
    list_elements,
    make_coverage_attributes,
    make_header,
)
from constellation_jax.outputs.datasets.satellites import make_element_variables, make_satellite_coordinates
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variable import CAUSE, PERCENTILE, SHELL, SOLAR, TIME
from constellation_jax.outputs.variables import VARIABLES

DISPOSAL_RULES: Final = {"meets_five_year_rule": 5.0, "meets_25_year_rule": 25.0}
"""Variable -> years within which an object has to be gone."""


def make_decay_dataset(
    catalog: Catalog,
    times: NDArray[np.datetime64],
    arrays: Mapping[str, NDArray[Any]],
    *,
    shells: Sequence[str],
    solar: str,
    percentiles: tuple[float, ...],
    attributes: Mapping[str, Any],
    causes: tuple[str, ...] = (),
) -> xr.Dataset:
    """Make the Dataset of a decay, dims time, satellite, shell and percentile, with attributes and encoding.

    Args:
        catalog: the n objects.
        times: instants of the altitudes, UTC, shape (m,).
        arrays: name in the table of variables -> values.
        shells: names of the shells of the `shell_...` variables; "other" for objects outside shells.
        solar: scenario of solar activity, a scalar coordinate, along which decays can be concatenated.
        percentiles: values of the dimension percentile; not used where no variable has it.
        attributes: global attributes to add or to put in place of the default ones.
        causes: values of the dimension cause, of the spread of lifetimes.
    """
    coordinates: dict[str, Any] = {
        TIME: times,
        SHELL: np.array(shells, dtype=str),
        **make_satellite_coordinates(catalog),
    }
    if "lifetime_percentile" in arrays:
        coordinates[PERCENTILE] = np.array(percentiles)
    if causes:
        coordinates[CAUSE] = np.array(causes, dtype=str)
    objects = count_satellites(len(catalog))
    header = make_header(
        "decay",
        [*list_elements(catalog), times.astype(np.int64), arrays["lifetime"]],
        title=f"Decay of {objects}",
        summary=f"Altitude of {objects} over time, without manoeuvres, to re-entry at 120 km.",
        keywords="EARTH SATELLITES, ORBITAL DECAY, ATMOSPHERIC DRAG, REENTRY",
        source="mean elements under averaged drag and J2",
        action=f"computed the decay of {objects}",
    )
    dataset = xr.Dataset(
        {name: variable.as_xarray(arrays[name]) for name, variable in VARIABLES.items() if name in arrays}
        | make_element_variables(catalog),
        coords={
            **{name: VARIABLES[name].as_xarray(values) for name, values in coordinates.items()},
            SOLAR: VARIABLES[SOLAR].as_xarray(solar, ()),
        },
        attrs={
            **header,
            "references": "Picone et al. (2002), doi:10.1029/2002JA009430; King-Hele (1987), Satellite Orbits in an Atmosphere",
            **make_coverage_attributes(times),
            **attributes,
        },
    )
    dataset.encoding["unlimited_dims"] = {TIME}
    if "lifetime_percentile" in arrays:
        dataset[PERCENTILE].encoding = {"_FillValue": None}
    for name in [n for n in dataset.variables if dataset[n].dtype.kind == "M"]:
        if name in (TIME, "epoch") and len(dataset[name]):
            dataset[name].encoding = make_time_encoding(dataset[name].values)
        else:  # in the standard calendar, xarray cannot encode dates none of which is known
            dataset[name].encoding = {"units": "seconds since 2000-01-01 00:00:00", "calendar": "proleptic_gregorian"}
    for name in arrays:
        if dataset[name].dtype.kind == "f":
            dataset[name].encoding = {"_FillValue": dataset[name].dtype.type(np.nan), "zlib": True, "complevel": 1}
    return dataset
