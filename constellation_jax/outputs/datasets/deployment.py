"""The Dataset of a deployment: satellites in each state by day and system."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.outputs.datasets.propagation import (
    CALENDAR,
    Extremes,
    coverage_attributes,
    encode_times,
    time_attributes,
)
from constellation_jax.outputs.variables import TIME

SYSTEM: Final = "system"
QUANTILE: Final = "quantile"
QUANTILES: Final = (0.05, 0.5, 0.95)

STATE_WORDS: Final[Mapping[str, str]] = {
    "launched": "satellites launched so far",
    "raising": "satellites on the way to their slot",
    "on_station": "satellites on station",
    "failed": "satellites that stopped on the way and are still in orbit",
    "deorbiting": "retired satellites on the way down",
    "gone": "satellites re-entered, or lost with their launch vehicle",
}
"""Variable -> long name. The first is the sum of the others."""


def make_counts_dataset(
    days: NDArray[np.datetime64],
    systems: Sequence[str],
    counts: Mapping[str, NDArray[Any]],
    targets: Sequence[int | None],
    *,
    bands: Mapping[str, NDArray[Any]] | None = None,
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """The Dataset of a deployment.

    Args:
        days: shape (t,).
        systems: names of the s systems.
        counts: state -> shape (s, t). CF wants the time last, right of what is no place.
        targets: number of working satellites that each system goes for; None where it has none.
        bands: state -> shape (3, s, t), the quantiles of `QUANTILES`.
        attributes: global attributes to add or to put in place of the default ones.
    """
    times = days.astype("datetime64[ns]")
    variables: dict[str, Any] = {}
    for state, words in STATE_WORDS.items():
        said = {"long_name": words, "units": "1", "coverage_content_type": "modelResult"}
        variables[state] = ((SYSTEM, TIME), np.asarray(counts[state]).astype(np.int32), said)
        if bands is not None:
            said = said | {"long_name": f"{words}, quantiles over the draws"}
            variables[f"{state}_quantiles"] = ((QUANTILE, SYSTEM, TIME), bands[state].astype(np.float32), said)
    variables["target"] = (
        SYSTEM,
        np.array([-1 if target is None else target for target in targets], np.int32),
        {
            "long_name": "working satellites at which launches pause",
            "units": "1",
            "no_value": np.int32(-1),
            "comment": "-1 where there is none",
            "coverage_content_type": "auxiliaryInformation",
        },
    )
    coordinates: dict[str, Any] = {
        TIME: (TIME, times, time_attributes()),
        SYSTEM: (
            SYSTEM,
            np.array(systems, dtype=object),
            {"long_name": "constellation", "coverage_content_type": "coordinate"},
        ),
    }
    if bands is not None:
        words = "quantile of the distribution over the draws"
        said = {"long_name": words, "units": "1", "coverage_content_type": "coordinate"}
        coordinates[QUANTILE] = (QUANTILE, np.array(QUANTILES), said)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    named = ", ".join(systems)
    header = {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"Deployment of {named}",
        "summary": f"Satellites of {named} in each state at the beginning (00 UTC) of each day.",
        "keywords": "EARTH SATELLITES, SATELLITE CONSTELLATIONS, DEPLOYMENT",
        "source": f"constellation_jax {__version__}: launches, orbit raising, failures and retirement of a deployment file",
        "product_version": __version__,
        "history": f"{now} constellation_jax {__version__} deployed {named}",
        "date_created": now,
        "id": _identifier(times, systems, counts),
        "naming_authority": "constellation_jax",
        "processing_level": "model result",
        "standard_name_vocabulary": "CF Standard Name Table v93",
    }
    dataset = xr.Dataset(
        variables,
        coordinates,
        attrs={**header, **coverage_attributes(times, Extremes()), **(attributes or {})},
    )
    dataset[TIME].encoding = {"units": encode_times(times).units, "calendar": CALENDAR, "dtype": np.dtype(np.int64)}
    if bands is not None:
        dataset[QUANTILE].encoding = {"_FillValue": None}
    for name in variables:
        dataset[name].encoding = {"zlib": True, "complevel": 1, "shuffle": True, "_FillValue": None}
    return dataset


def _identifier(times: NDArray[Any], systems: Sequence[str], counts: Mapping[str, NDArray[Any]]) -> str:
    """A UUID made of the days, the systems and the counts without chance: the same history has the same id."""
    digest = hashlib.sha256("/".join(systems).encode())
    for part in (times.astype(np.int64), *(np.asarray(counts[state]).astype(np.int64) for state in STATE_WORDS)):
        digest.update(np.ascontiguousarray(part).tobytes())
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"constellation_jax/{__version__}/deployment/{digest.hexdigest()}"))
