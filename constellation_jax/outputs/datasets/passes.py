"""Dataset of passes over sites on the ground, one row for each pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.sites.sites import Site
from constellation_jax.outputs.datasets.header import (
    count_satellites,
    list_elements,
    make_coverage_attributes,
    make_header,
)
from constellation_jax.outputs.datasets.satellites import make_element_variables, make_satellite_coordinates
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variable import EVENT, SITE
from constellation_jax.outputs.variables import VARIABLES

EVENTS: Final = ("rise", "culmination", "set")
"""Values of the dimension event."""


def make_site_coordinates(sites: Sequence[Site]) -> dict[str, NDArray[Any]]:
    """Make the coordinates of sites by their names in the table of variables."""
    return {
        SITE: np.array([site.name for site in sites], dtype=str),
        "site_latitude": np.array([site.latitude_deg for site in sites], float),
        "site_longitude": np.array([site.longitude_deg for site in sites], float),
        "site_altitude": np.array([site.altitude_m for site in sites], float),
    }


def make_passes_dataset(
    catalog: Catalog,
    sites: Sequence[Site],
    span: NDArray[np.datetime64],
    arrays: Mapping[str, NDArray[Any]],
    *,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Make the Dataset of passes, dims pass, event, site and satellite.

    Args:
        catalog: the n objects, to which `pass_satellite` refers.
        sites: to which `pass_site` refers.
        span: first and last instant, UTC.
        arrays: name in the table of variables -> values.
        attributes: global attributes to add.
    """
    objects = count_satellites(len(catalog))
    places = f"{len(sites)} site{'' if len(sites) == 1 else 's'}"
    header = make_header(
        "passes",
        [*list_elements(catalog), span.astype(np.int64), "/".join(map(repr, sites)).encode()],
        title=f"Passes of {objects} over {places}",
        summary=f"Rise, culmination and set of {objects} over {places}, without refraction.",
        keywords="EARTH SATELLITES, ORBITS, SATELLITE PASSES, VISIBILITY",
        source="SGP4/SDP4 from mean element sets, IERS Earth orientation",
        action=f"computed the passes of {objects} over {places}",
    )
    coordinates = {
        EVENT: np.array(EVENTS),
        **make_site_coordinates(sites),
        **make_satellite_coordinates(catalog),
    }
    dataset = xr.Dataset(
        {name: VARIABLES[name].as_xarray(values) for name, values in arrays.items()} | make_element_variables(catalog),
        {name: VARIABLES[name].as_xarray(values) for name, values in coordinates.items()},
        {**header, **make_coverage_attributes(span), **attributes},
    )
    dataset["epoch"].encoding = make_time_encoding(coordinates["epoch"])
    dataset["event_time"].encoding = {"units": "microseconds since 2000-01-01 00:00:00", "dtype": "int64"}
    for name in arrays:
        kind = dataset[name].dtype.kind
        if kind in "fiM" and len(dataset[name]):
            dataset[name].encoding |= {"zlib": True, "complevel": 1, "shuffle": True}
    return dataset
