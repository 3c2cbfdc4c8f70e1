"""Dataset of a deployment: satellites in each state by day and system."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.outputs.datasets.header import make_coverage_attributes, make_header
from constellation_jax.outputs.datasets.times import make_time_encoding
from constellation_jax.outputs.variable import PERCENTILE, SYSTEM, TIME
from constellation_jax.outputs.variables import DEPLOYMENT_STATES, VARIABLES

PERCENTILES: Final = (5.0, 50.0, 95.0)
"""Percentiles of the counts over random histories."""


def make_counts_dataset(
    days: NDArray[np.datetime64],
    systems: Sequence[str],
    counts: Mapping[str, NDArray[Any]],
    targets: Sequence[int | None],
    *,
    bands: Mapping[str, NDArray[Any]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make the Dataset of a deployment, dims system, time and, with bands, percentile.

    Args:
        days: days at whose beginning the counts hold, shape (t,).
        systems: names of the s systems.
        counts: state, one of `DEPLOYMENT_STATES` -> shape (s, t).
        targets: number of working satellites at which the launches of each system pause; None where there is none.
        bands: state -> shape (3, s, t), the percentiles of `PERCENTILES` over random histories.
        attributes: global attributes to add or to put in place of the default ones.
    """
    times = days.astype("datetime64[ns]")
    arrays: dict[str, NDArray[Any]] = {}
    for state in DEPLOYMENT_STATES:
        arrays[state] = np.asarray(counts[state]).astype(np.int32)
        if bands is not None:
            arrays[f"{state}_percentile"] = bands[state].astype(np.float32)
    arrays["target"] = np.array([-1 if target is None else target for target in targets], np.int32)
    coordinates: dict[str, NDArray[Any]] = {TIME: times, SYSTEM: np.array(systems, dtype=object)}
    if bands is not None:
        coordinates[PERCENTILE] = np.array(PERCENTILES)
    named = ", ".join(systems)
    certain = (np.asarray(counts[state]).astype(np.int64) for state in DEPLOYMENT_STATES)
    header = make_header(
        "deployment",
        ["/".join(systems).encode(), times.astype(np.int64), *certain],
        title=f"Deployment of {named}",
        summary=f"Satellites of {named} in each state at the beginning (00 UTC) of each day.",
        keywords="EARTH SATELLITES, SATELLITE CONSTELLATIONS, DEPLOYMENT",
        source="launches, orbit raising, failures and retirement of a deployment file",
        action=f"deployed {named}",
    )
    dataset = xr.Dataset(
        {name: VARIABLES[name].as_xarray(values) for name, values in arrays.items()},
        {name: VARIABLES[name].as_xarray(values) for name, values in coordinates.items()},
        attrs={**header, **make_coverage_attributes(times), **(attributes or {})},
    )
    dataset[TIME].encoding = make_time_encoding(times)
    if bands is not None:
        dataset[PERCENTILE].encoding = {"_FillValue": None}
    for name in arrays:
        dataset[name].encoding = {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": None}
    return dataset
