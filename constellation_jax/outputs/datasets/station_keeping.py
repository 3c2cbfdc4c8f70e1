"""Dataset of the cost of station keeping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.outputs.datasets.header import make_header
from constellation_jax.outputs.variable import SHELL, SOLAR
from constellation_jax.outputs.variables import STATION_KEEPING, VARIABLES


def make_station_keeping_dataset(
    shells: Sequence[str],
    scenarios: Sequence[str],
    arrays: Mapping[str, ArrayLike],
    *,
    mean_altitude: NDArray[np.float64],
    ballistic_coefficient: NDArray[np.float64],
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Make the Dataset of station keeping, dims solar and shell.

    Args:
        shells: names of the s shells.
        scenarios: the k scenarios of solar activity.
        arrays: variable name (one of `STATION_KEEPING`) -> shape (k, s).
        mean_altitude: km, shape (s,).
        ballistic_coefficient: m2/kg, shape (s,).
        attributes: global attributes to add or to put in place of the default ones.
    """
    values = [np.array(arrays[name]) for name in STATION_KEEPING]
    header = make_header(
        "station-keeping",
        ["/".join([*shells, *scenarios]).encode(), *values],
        title=f"Station-keeping of {len(shells)} shells",
        summary=f"Cost of holding the mean altitude of {len(shells)} shells against drag, by solar activity.",
        keywords="EARTH SATELLITES, SATELLITE CONSTELLATIONS, ATMOSPHERIC DRAG, STATION KEEPING",
        source="mean drag made good by thrust along the track",
        action=f"computed the station-keeping of {len(shells)} shells",
    )
    return xr.Dataset(
        {name: VARIABLES[name].as_xarray(array) for name, array in zip(STATION_KEEPING, values, strict=True)}
        | {
            "ballistic_coefficient": VARIABLES["ballistic_coefficient"].as_xarray(ballistic_coefficient, (SHELL,)),
            "mean_altitude": VARIABLES["mean_altitude"].as_xarray(mean_altitude, (SHELL,)),
        },
        coords={SOLAR: VARIABLES[SOLAR].as_xarray(list(scenarios)), SHELL: VARIABLES[SHELL].as_xarray(list(shells))},
        attrs={**header, **attributes},
    )
