"""Dataset of a tuned problem: shells, figures of merit, constraints with their multipliers, sensitivities, history and sweep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.inputs.tuning.terms import QUANTITIES

Floats = NDArray[np.float64]

_LONG_NAMES: Final = {
    "altitude_km": "mean altitude",
    "inclination_deg": "inclination",
    "planes": "planes",
    "satellites_per_plane": "satellites per plane",
    "phasing": "phasing, F of Walker",
    "min_elevation_deg": "least elevation",
}
_STATUS: Final = ("converged", "not_converged", "infeasible")


class Figure(NamedTuple):
    """A figure of merit as a variable."""

    name: str
    dimensions: tuple[str, ...]
    """Of "solar", "shell" and "latitude"."""
    attributes: Mapping[str, Any]
    value: Floats
    before: Floats
    swept: Floats | None
    """Values along the sweep, first axis; NaN where its constraints cannot be met."""


class SweepColumns(NamedTuple):
    """Results of the problem for each value of a sweep; NaN where its constraints cannot be met."""

    of: str
    values: Floats
    objective: Floats
    status: list[str]
    design: Mapping[str, Floats]
    """By quantity, shape (sweep, shells)."""


class TuningColumns(NamedTuple):
    """Arguments of `make_tuning_dataset`."""

    shells: list[str]
    design: Mapping[str, Floats]
    design_before: Mapping[str, Floats]
    sensitivities: Mapping[str, Floats]
    variables: list[str]
    variable_values: Floats
    variable_bounds: Floats
    constraints: list[str]
    constraint_units: list[str]
    constraint_values: Floats
    constraint_limits: Floats
    constraint_margins: Floats
    constraint_multipliers: Floats
    objective_by_limit: Floats
    constraint_sensitivities: Mapping[str, Floats]
    solar: list[str]
    latitudes: list[float]
    figures: list[Figure]
    history: Floats
    """Objective and violation of each evaluation."""
    sweep: SweepColumns | None
    attributes: Mapping[str, Any]


def make_tuning_dataset(c: TuningColumns) -> xr.Dataset:
    """Make a Dataset with dims shell, solar, latitude, variable, constraint, evaluation and, of a sweep, sweep."""
    variables: dict[str, Any] = {}
    for key, quantity in QUANTITIES.items():
        said, units = _LONG_NAMES[key], quantity.units
        variables[key] = ("shell", c.design[key], {"long_name": said, "units": units})
        variables[f"{key}_before"] = (
            "shell",
            c.design_before[key],
            {"long_name": f"{said} at the start", "units": units},
        )
        per = "" if units == "1" else f" {units}-1"
        said = f"derivative of the objective by the {said}"
        variables[f"objective_by_{key}"] = (
            "shell",
            c.sensitivities[key],
            {"long_name": said, "units": per.strip() or "1"},
        )
        if c.constraints:
            said = f"derivative of the constrained figure by the {_LONG_NAMES[key]}"
            attributes = {"long_name": said, "comment": f"in constraint_units per {units}"}
            variables[f"constraint_by_{key}"] = (("constraint", "shell"), c.constraint_sensitivities[key], attributes)
    variables |= {
        "variable_value": (
            "variable",
            c.variable_values,
            {"long_name": "tuned value", "comment": "in the units of its name"},
        ),
        "variable_low": ("variable", c.variable_bounds[:, 0], {"long_name": "lower bound"}),
        "variable_high": ("variable", c.variable_bounds[:, 1], {"long_name": "upper bound"}),
        "history_objective": (
            "evaluation",
            c.history[:, 0],
            {"long_name": "objective of each evaluation", "units": "1"},
        ),
        "history_violation": (
            "evaluation",
            c.history[:, 1],
            {"long_name": "largest violation of a constraint, as a part of its limit", "units": "1"},
        ),
    }
    coordinates: dict[str, Any] = {
        "shell": ("shell", _text(c.shells), {"long_name": "shell"}),
        "variable": ("variable", _text(c.variables), {"long_name": "free number"}),
    }
    for f in c.figures:
        name = f.attributes["long_name"]
        variables[f.name] = (f.dimensions, f.value, dict(f.attributes))
        variables[f"{f.name}_before"] = (f.dimensions, f.before, {**f.attributes, "long_name": f"{name}, at the start"})
        if f.swept is not None:
            attributes = {**f.attributes, "long_name": f"{name}, along the sweep"}
            variables[f"sweep_{f.name}"] = (("sweep", *f.dimensions), f.swept, attributes)
    used = {dimension for f in c.figures for dimension in f.dimensions}
    if "solar" in used:
        coordinates["solar"] = ("solar", _text(c.solar), {"long_name": "solar activity"})
    if "latitude" in used:
        words = {"standard_name": "latitude", "long_name": "geodetic latitude", "units": "degrees_north"}
        coordinates["latitude"] = ("latitude", c.latitudes, words)
    if c.constraints:
        coordinates["constraint"] = ("constraint", _text(c.constraints), {"long_name": "constraint"})
        variables |= {
            "constraint_units": ("constraint", _text(c.constraint_units), {"long_name": "units"}),
            "constraint_value": (
                "constraint",
                c.constraint_values,
                {"long_name": "value", "comment": "in constraint_units"},
            ),
            "constraint_limit": (
                "constraint",
                c.constraint_limits,
                {"long_name": "limit", "comment": "in constraint_units"},
            ),
            "constraint_margin": (
                "constraint",
                c.constraint_margins,
                {"long_name": "distance from the limit as a part of it; below 0 it is missed", "units": "1"},
            ),
            "constraint_multiplier": (
                "constraint",
                c.constraint_multipliers,
                {"long_name": "Lagrange multiplier of the margin", "units": "1"},
            ),
            "objective_by_limit": (
                "constraint",
                c.objective_by_limit,
                {"long_name": "derivative of the best objective by the limit", "comment": "per constraint_units"},
            ),
        }
    if c.sweep is not None:
        variables |= _sweep(c.sweep)
        coordinates["sweep"] = ("sweep", c.sweep.values, {"long_name": f"value of {c.sweep.of}"})
    now = np.datetime64("now")
    header = {
        "Conventions": "CF-1.11, ACDD-1.3",
        "source": f"constellation_jax {__version__}: shells tuned by gradient",
        "product_version": __version__,
        "date_created": f"{now}Z",
        "history": f"{now}Z constellation_jax {__version__} tuned {len(c.shells)} shells",
    }
    return xr.Dataset(variables, coords=coordinates, attrs={**header, **c.attributes})


def _sweep(sweep: SweepColumns) -> dict[str, Any]:
    flags = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": " ".join(_STATUS)}
    status = np.array([_STATUS.index(s) for s in sweep.status], np.int8)
    found: dict[str, Any] = {
        "sweep_objective": ("sweep", sweep.objective, {"long_name": "best objective", "units": "1"}),
        "sweep_status": ("sweep", status, {"long_name": "end of the tuning", **flags}),
    }
    for key, values in sweep.design.items():
        attributes = {"long_name": f"{_LONG_NAMES[key]}, along the sweep", "units": QUANTITIES[key].units}
        found[f"sweep_{key}"] = (("sweep", "shell"), values, attributes)
    return found


def _text(values: list[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=str)
