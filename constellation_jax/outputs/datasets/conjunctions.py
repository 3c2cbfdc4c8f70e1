"""Datasets of close approaches, one event each, and of the encounter rates of shells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.conjunction_variables import CONJUNCTIONS
from constellation_jax.outputs.datasets.header import count_satellites, list_elements, make_header
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variable import FRAMES, OTHER, RIC, SHELL, THRESHOLD, XYZ
from constellation_jax.outputs.variables import VARIABLES
from constellation_jax.physics.constants import YEAR_DAYS

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


def make_rates_dataset(
    shells: Sequence[str],
    others: Sequence[str],
    counts: NDArray[np.int64],
    expected: tuple[NDArray[np.float64], NDArray[np.float64]],
    manoeuvres: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    settings: Mapping[str, Any],
) -> xr.Dataset:
    """Make the Dataset of encounter rates, dims shell and other.

    The rate within the smaller distance is that of the theory times what is counted over what it expects within the larger one: the
    number goes with the square of the distance only where the shells are thicker than it.

    Args:
        shells: names of the shells.
        others: names of what they meet.
        counts: encounters within `distance_km` in `days`, shape (shells, others).
        expected: of the theory, per year within `distance_km` and within `miss_distance_km`, of that shape.
        manoeuvres: thresholds of the probability, and the manoeuvres in `days` with their standard errors, shape (shells, others,
            thresholds).
        settings: days, distance_km, miss_distance_km and others, for the attributes.
    """
    per_day = counts / settings["days"]
    wide, near = expected
    square = (settings["miss_distance_km"] / settings["distance_km"]) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        per_year = per_day * YEAR_DAYS * np.where(wide > 0.0, near / wide, square)
        error = np.where(counts > 0, per_year / np.sqrt(counts), np.nan)
    arrays: dict[str, Any] = {
        "encounters": counts,
        "encounters_per_day": per_day,
        "encounters_per_year": per_year,
        "encounters_per_year_error": error,
        "expected_per_day": wide / YEAR_DAYS,
        "expected_per_year": near,
        "manoeuvres_per_year": manoeuvres[1] * YEAR_DAYS / settings["days"],
        "manoeuvres_per_year_error": manoeuvres[2] * YEAR_DAYS / settings["days"],
    }
    header = make_header(
        "encounter-rates",
        [*("/".join(names).encode() for names in (shells, others)), counts, repr(sorted(settings.items())).encode()],
        title=f"Encounters of {', '.join(shells)}",
        summary=f"Encounters of {len(shells)} shells with each other and with what flies, counted and expected.",
        keywords="EARTH SATELLITES, ORBITS, CONJUNCTIONS, SATELLITE CONSTELLATIONS",
        source="approaches counted by screening with SGP4; expectation by the kinetic theory of merit.conjunction_rate",
        action="screened shells",
    )
    coordinates = {SHELL: np.array(shells, object), OTHER: np.array(others, object), THRESHOLD: manoeuvres[0]}
    return xr.Dataset(
        {name: VARIABLES[name].as_xarray(values) for name, values in arrays.items()},
        {name: VARIABLES[name].as_xarray(values) for name, values in coordinates.items()},
        {**header, **settings},
    )
