"""Dataset of close approaches, one event each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import count_satellites, list_elements, make_header
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variables import CONJUNCTIONS, FRAMES, RIC, XYZ

_COORDINATES: Final = ("tca", "satellite_number_1", "satellite_number_2", "name_1", "name_2", "shell_1", "shell_2")


def make_conjunctions_dataset(
    catalog: Catalog,
    span: tuple[np.datetime64, np.datetime64],
    events: Mapping[str, NDArray[Any]],
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Make the Dataset of close approaches, dim event.

    Args:
        catalog: the objects.
        span: start and end, UTC.
        events: variable -> values of shape (events, ...); names, numbers and shells come from the catalogue.
        settings: attributes that say what was searched.
    """
    start, stop = (time.astype("datetime64[ns]") for time in span)
    arrays = dict(events)
    for k in ("1", "2"):
        chosen = arrays[f"object_{k}"]
        arrays[f"satellite_number_{k}"] = catalog.norad_id[chosen]
        # objects that share their text: a catalogue's widest name would be allocated for each event
        arrays[f"name_{k}"] = catalog.name.astype(object)[chosen]
        arrays[f"shell_{k}"] = catalog.shell.astype(object)[chosen]
        arrays[f"age_{k}"] = (arrays["tca"] - catalog.epoch[chosen]) / np.timedelta64(86_400_000_000_000, "ns")
    arrays[XYZ], arrays[RIC] = np.array(["x", "y", "z"]), np.array(["radial", "in_track", "cross_track"])
    objects = count_satellites(len(catalog))
    header = make_header(
        "conjunctions",
        [*list_elements(catalog), np.array([start, stop]).astype(np.int64), repr(sorted(settings.items())).encode()],
        title=f"Close approaches among {objects}",
        summary=f"{len(arrays['tca'])} close approaches among {objects} from {start}Z to {stop}Z.",
        keywords="EARTH SATELLITES, ORBITS, CONJUNCTIONS, SPACE DEBRIS, SATELLITE CONSTELLATIONS",
        source="SGP4/SDP4 from mean element sets; approaches by boxes and straight lines, refined in float64",
        action=f"screened {objects}",
    )
    chosen_first = sorted(arrays, key=list(CONJUNCTIONS).index)
    variables = {name: CONJUNCTIONS[name].as_xarray(arrays[name]) for name in chosen_first}
    dataset = xr.Dataset(
        {name: values for name, values in variables.items() if name not in (*_COORDINATES, XYZ, RIC)},
        {name: values for name, values in variables.items() if name in (*_COORDINATES, XYZ, RIC)},
        {**header, "frame": "teme", "frame_definition": FRAMES["teme"], "span_start": f"{start}Z", "span_end": f"{stop}Z",
         **settings},
    )  # fmt: skip
    # counted from the start of the span, so that a file without events has a unit too
    dataset["tca"].encoding = make_time_encoding(np.append(arrays["tca"], start))
    for name in dataset.variables:
        if dataset[name].dtype.kind in "fi" and "event" in dataset[name].dims:
            dataset[name].encoding = {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": None}
    return dataset
