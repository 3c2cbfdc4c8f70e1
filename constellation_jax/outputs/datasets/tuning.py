"""Dataset of a tuned problem: shells, figures of merit, constraints with their multipliers, sensitivities, history and sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.outputs.datasets.header import make_header
from constellation_jax.outputs.variable import SHELL, SWEEP, VARIABLE, Variable
from constellation_jax.outputs.variables import VARIABLES


class TunedFigure(NamedTuple):
    """Values of a figure of merit, or of a quantity of the shells: tuned, at the start and along the sweep."""

    variable: Variable
    """Name, dimensions, units and attributes of the tuned values."""
    value: NDArray[np.float64]
    """Tuned values."""
    before: NDArray[np.float64]
    """Values at the start."""
    swept: NDArray[np.float64] | None
    """Values along the sweep, first axis; NaN where its constraints cannot be met. None without a sweep."""


def make_tuning_dataset(
    figures: Sequence[TunedFigure],
    arrays: Mapping[str, Any],
    coordinates: Mapping[str, Any],
    *,
    swept: tuple[str, str] | None = None,
    title: str,
    attributes: Mapping[str, Any],
) -> xr.Dataset:
    """Make a Dataset with dims shell, variable and evaluation and, where there are any, solar, latitude, constraint and sweep.

    Args:
        figures: figures of merit and quantities of the shells; each becomes NAME, NAME_before and, of a sweep, sweep_NAME.
        arrays: other variables, by their names in the table of variables.
        coordinates: values of shell, variable and the other dimensions, by their names in the table of variables.
        swept: name and units of the swept number; None without a sweep.
        title: title of the problem.
        attributes: global attributes to add or to put in place of the default ones.
    """
    variables = {name: VARIABLES[name].as_xarray(values) for name, values in arrays.items()}
    for variable, value, before, along in figures:
        name, long_name = variable.name, variable.long_name
        variables[name] = variable.as_xarray(value)
        variables[f"{name}_before"] = variable.as_xarray(before, long_name=f"{long_name}, at the start")
        if along is not None:
            dims = (SWEEP, *variable.dims)
            variables[f"sweep_{name}"] = variable.as_xarray(along, dims, long_name=f"{long_name}, along the sweep")
    words: dict[str, dict[str, Any]] = {
        "latitude": {"long_name": "geodetic latitude", "coverage_content_type": "coordinate"}
    }
    if swept is not None:
        words[SWEEP] = {"long_name": f"value of {swept[0]}", "units": swept[1]}
    shells = f"{len(coordinates[SHELL])} shell{'s' if len(coordinates[SHELL]) != 1 else ''}"
    header = make_header(
        "tuning",
        [
            "/".join([title, *coordinates[SHELL], *coordinates[VARIABLE]]).encode(),
            *(np.asarray(f.value) for f in figures),
        ],
        title=f"Tuned shells: {title}",
        summary=f"{shells} tuned by gradient, with figures of merit, constraints, multipliers and sensitivities.",
        keywords="EARTH SATELLITES, SATELLITE CONSTELLATIONS, OPTIMISATION",
        source="shells tuned by gradient",
        action=f"tuned {shells}",
    )
    return xr.Dataset(
        variables,
        {name: VARIABLES[name].as_xarray(v, (name,), **words.get(name, {})) for name, v in coordinates.items()},
        attrs={**header, **attributes},
    )
