"""The Dataset of a tuned study: shells, figures, constraints with their multipliers, sensitivities, history and sweep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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


class SweepColumns(NamedTuple):
    """One study for each value; None where its constraints cannot be met."""

    of: str
    values: Floats
    objective: Floats
    status: list[str]
    variables: Sequence[Floats | None]
    figures: Sequence[Floats | None]


class Columns(NamedTuple):
    """What `make_tuning_dataset` is made from."""

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
    figures: list[str]
    figure_units: list[str]
    figure_values: Floats
    figure_values_before: Floats
    history: Floats
    """Objective and violation of each evaluation."""
    sweep: SweepColumns | None
    attributes: Mapping[str, Any]


def make_tuning_dataset(c: Columns) -> xr.Dataset:
    """Dataset with dims shell, figure, variable, constraint, evaluation and, of a sweep, sweep."""
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
        "figure_value": ("figure", c.figure_values, {"long_name": "value", "comment": "in figure_units"}),
        "figure_value_before": (
            "figure",
            c.figure_values_before,
            {"long_name": "value at the start", "comment": "in figure_units"},
        ),
        "figure_units": ("figure", _text(c.figure_units), {"long_name": "units"}),
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
        "figure": ("figure", _text(c.figures), {"long_name": "figure of merit"}),
        "variable": ("variable", _text(c.variables), {"long_name": "free number"}),
    }
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
        variables |= _sweep(c, c.sweep)
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


def _sweep(c: Columns, sweep: SweepColumns) -> dict[str, Any]:
    def rows(found: Sequence[Floats | None], width: int) -> Floats:
        return np.array([np.full(width, np.nan) if row is None else row for row in found]).reshape(len(found), width)

    flags = {"flag_values": np.arange(3, dtype=np.int8), "flag_meanings": " ".join(_STATUS)}
    status = np.array([_STATUS.index(s) for s in sweep.status], np.int8)
    return {
        "sweep_objective": ("sweep", sweep.objective, {"long_name": "best objective", "units": "1"}),
        "sweep_status": ("sweep", status, {"long_name": "how the tuning ended", **flags}),
        "sweep_variable": (
            ("sweep", "variable"),
            rows(sweep.variables, len(c.variables)),
            {"long_name": "tuned value"},
        ),
        "sweep_figure": (
            ("sweep", "figure"),
            rows(sweep.figures, len(c.figures)),
            {"long_name": "value", "comment": "in figure_units"},
        ),
    }


def _text(values: list[str]) -> NDArray[np.str_]:
    return np.array(values, dtype=str)
