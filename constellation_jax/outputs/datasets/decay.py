"""The Dataset of a decay, and its file: variables, units and attributes.

Coordinates of the objects are those of a propagation. Deliberately absent: writing block by block, for a decay of 27,000
objects over 25 years fits into memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.propagation import (
    CALENDAR,
    encode_times,
    satellite_coordinates,
    time_attributes,
)
from constellation_jax.outputs.variables import DIMENSIONS, LIFETIME, SATELLITE, TIME

DECAY_STATUS: Final = ("reenters", "stays_in_orbit", "below_120_km_at_start")
RULES: Final = {"meets_five_year_rule": 5.0, "meets_25_year_rule": 25.0}
"""Variable -> years within which an object has to be gone."""
PERCENTILE: Final = "percentile"
SHELL: Final = "summary_shell"

_COMPUTED: Final = {"coverage_content_type": "modelResult"}
_HEIGHT: Final = (
    "radius minus 6378.137 km, from the mean elements (Brouwer, WGS-72); NaN before the start and after re-entry"
)
_LIFETIME: Final = LIFETIME.attributes["comment"]
_TABLE: Final[dict[str, tuple[tuple[str, ...], dict[str, Any]]]] = {
    "altitude": (
        DIMENSIONS,
        {"long_name": "mean altitude", "units": "km", "positive": "up", "comment": f"semi-major axis, {_HEIGHT}"},
    ),
    "perigee": (DIMENSIONS, {"long_name": "perigee altitude", "units": "km", "positive": "up", "comment": _HEIGHT}),
    "apogee": (DIMENSIONS, {"long_name": "apogee altitude", "units": "km", "positive": "up", "comment": _HEIGHT}),
    "decay_rate": (
        DIMENSIONS,
        {"long_name": "rate of the mean altitude", "units": "km day-1", "comment": "negative when the orbit sinks"},
    ),
    "density": (DIMENSIONS, {"long_name": "mean density of the atmosphere over a revolution", "units": "kg m-3"}),
    "lifetime": ((SATELLITE,), dict(LIFETIME.attributes)),
    "reentry_date": ((SATELLITE,), {"long_name": "date of re-entry, UTC", "comment": "NaT where beyond the span"}),
    "lifetime_percentile": (
        (PERCENTILE, SATELLITE),
        {
            "long_name": "percentile of the lifetime over an ensemble of solar activity",
            "units": "day",
            "comment": _LIFETIME,
        },
    ),
    "reentry_date_percentile": (
        (PERCENTILE, SATELLITE),
        {"long_name": "percentile of the date of re-entry over an ensemble of solar activity, UTC"},
    ),
    "lifetime_nrlmsis21": (
        (SATELLITE,),
        {
            "long_name": "orbital lifetime in NRLMSIS 2.1, to show how far models differ",
            "units": "day",
            "comment": _LIFETIME,
        },
    ),
    "ballistic_coefficient": ((SATELLITE,), {"long_name": "ballistic coefficient Cd A / m", "units": "m2 kg-1"}),
    "ballistic_coefficient_source": (
        (SATELLITE,),
        {
            "long_name": "where the ballistic coefficient comes from",
            "flag_values": np.arange(4, dtype=np.int8),
            "flag_meanings": "given catalogue drag_term assumed",
        },
    ),
    "manoeuvres": (
        (SATELLITE,),
        {
            "long_name": "whether the object is known to manoeuvre, so that its decay is hypothetical",
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "not_seen orbit_raised",
            "comment": "by element sets: a drag term or derivative of the mean motion below zero, or a higher later set",
        },
    ),
    "luni_solar": (
        (SATELLITE,),
        {
            "long_name": "whether the Moon and the Sun, which are left out, matter as much as drag",
            "flag_values": np.array([0, 1], np.int8),
            "flag_meanings": "no yes_do_not_trust_the_lifetime",
            "comment": "by an apogee above 8000 km",
        },
    ),
    "decay_status": (
        (SATELLITE,),
        {
            "long_name": "what becomes of the object within the span",
            "flag_values": np.arange(3, dtype=np.int8),
            "flag_meanings": " ".join(DECAY_STATUS),
        },
    ),
    **{
        name: (
            (SATELLITE,),
            {
                "long_name": f"gone within {years:g} years of the start",
                "flag_values": np.array([-1, 0, 1], np.int8),
                "flag_meanings": "not_known_the_span_is_shorter no yes",
            },
        )
        for name, years in RULES.items()
    },
    "shell_satellites": ((SHELL,), {"long_name": "objects of the shell"}),
    "shell_manoeuvres": ((SHELL,), {"long_name": "objects of the shell that are known to manoeuvre"}),
    "shell_lifetime": (
        (SHELL,),
        {"long_name": "median lifetime in the shell", "units": "day", "comment": "NaN where beyond the span"},
    ),
    "shell_five_year_fraction": ((SHELL,), {"long_name": "fraction of the shell gone within 5 years", "units": "1"}),
    "shell_25_year_fraction": ((SHELL,), {"long_name": "fraction of the shell gone within 25 years", "units": "1"}),
}
"""Variable -> dimensions and attributes."""


class Columns(NamedTuple):
    """What `make_decay_dataset` is made from."""

    arrays: Mapping[str, NDArray[Any]]
    """By names of the table."""
    shells: list[str]
    percentiles: tuple[float, ...]
    attributes: Mapping[str, Any]


def make_decay_dataset(catalog: Catalog, times: NDArray[np.datetime64], columns: Columns) -> xr.Dataset:
    """Dataset with dims time, satellite, percentile and summary_shell, attributes and encoding set."""
    variables = {
        name: (dims, columns.arrays[name], {**attributes, **_COMPUTED})
        for name, (dims, attributes) in _TABLE.items()
        if name in columns.arrays
    }
    now = np.datetime64("now")
    header = {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"Decay of {len(catalog)} Earth satellites",
        "keywords": "EARTH SATELLITES, ORBITAL DECAY, ATMOSPHERIC DRAG, REENTRY",
        "source": f"constellation_jax {__version__}: mean elements under averaged drag and J2",
        "references": "Picone et al. (2002), doi:10.1029/2002JA009430; King-Hele (1987), Satellite Orbits in an Atmosphere",
        "product_version": __version__,
        "date_created": f"{now}Z",
        "history": f"{now}Z constellation_jax {__version__} computed the decay of {len(catalog)} Earth satellites",
        "time_coverage_start": f"{times[0].astype('datetime64[s]')}Z",
        "time_coverage_end": f"{times[-1].astype('datetime64[s]')}Z",
    }
    dataset = xr.Dataset(
        variables,
        coords={
            TIME: (TIME, times, time_attributes()),
            SHELL: (SHELL, np.array(columns.shells, dtype=str), {"long_name": "shell, or 'other' for objects of none"}),
            **{c.name: (SATELLITE, c.values, c.attributes) for c in satellite_coordinates(catalog)},
        },
        attrs={**header, **columns.attributes},
    )
    if "lifetime_percentile" in columns.arrays:
        dataset = dataset.assign_coords(
            {PERCENTILE: (PERCENTILE, np.array(columns.percentiles), {"long_name": "percentile", "units": "percent"})}
        )
    for name in [n for n in dataset.variables if dataset[n].dtype.kind == "M"]:
        # in the standard calendar, xarray cannot encode dates none of which is known
        encoding: dict[str, Any] = {"units": "seconds since 2000-01-01 00:00:00", "calendar": "proleptic_gregorian"}
        if name in (TIME, "epoch") and len(dataset[name]):
            units = encode_times(dataset[name].values).units
            encoding = {"units": units, "calendar": CALENDAR, "dtype": np.dtype(np.int64)}
        dataset[name].encoding = encoding
    for name in columns.arrays:
        if dataset[name].dtype.kind == "f":
            dataset[name].encoding = {"_FillValue": dataset[name].dtype.type(np.nan), "zlib": True, "complevel": 1}
    return dataset
