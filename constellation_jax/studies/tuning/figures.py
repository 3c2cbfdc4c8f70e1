"""Figures of merit of a tuning problem as dataset variables: one for each figure, with dimensions solar, shell and latitude.

Terms of one figure share a variable, NaN where no term has a value. Figures of several shells together at latitudes, or by a
demand, that differ in their shells, their demand or the number in view have variables of their own.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from constellation_jax.inputs.tuning.problem import Term, TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS
from constellation_jax.outputs.variable import SHELL, SOLAR, Variable
from constellation_jax.outputs.variables import VARIABLES
from constellation_jax.physics.constants import YEAR_DAYS
from constellation_jax.studies.tuning.design import Floats
from constellation_jax.studies.tuning.problem import list_terms

_UNIT: Final = re.compile(r"_(km|deg|ms|db|kg|minutes|years|(m_s_|kg_)?per_year)$")


def name_variable(key: str) -> str:
    """Name the dataset variable of a quantity or a term: its key without the unit, which is an attribute of the variable."""
    return "mean_altitude" if key == "altitude_km" else _UNIT.sub("", key)


QUANTITY_VARIABLES: Final = tuple(
    dataclasses.replace(VARIABLES[name_variable(key)], dims=(SHELL,)) for key in QUANTITIES
)
"""Variables of the quantities of a design, in the order of `QUANTITIES`."""


class FigureLayout(NamedTuple):
    """Variable of a figure of merit, and the terms that fill it."""

    variable: Variable
    """Name, dimensions, units and attributes."""
    shape: tuple[int, ...]
    """Shape of the values."""
    factor: float
    """Number by which the unit of the terms is converted to that of the variable."""
    terms: list[tuple[int, Term]]
    """Terms with their positions in `list_terms`."""
    latitudes: list[float]
    """Values of the dimension latitude, deg."""

    def arrange(self, values: Sequence[Floats]) -> Floats:
        """Arrange the values of each term of `list_terms` as those of the variable."""
        arranged = np.full(self.shape, np.nan)
        for index, term in self.terms:
            at: Any = ()
            if "latitude" in self.variable.dims:
                at = ([self.latitudes.index(phi) for phi in term.latitude_deg],)
            if SHELL in self.variable.dims:
                at = (term.shells[0], *at) if at else (..., list(term.shells))
            arranged[at] = self.factor * (values[index] if at else values[index][0])
        return arranged


def list_latitudes(problem: TuningProblem) -> list[float]:
    """List the latitudes of all terms, deg, ascending."""
    return sorted({phi for term in problem.terms() for phi in term.latitude_deg})


def make_layouts(problem: TuningProblem) -> list[FigureLayout]:
    """Make the variables for the terms of a problem, except quantities of the design, which have variables anyway."""
    latitudes = list_latitudes(problem)
    sizes = {SOLAR: len(problem.scenarios), SHELL: len(problem.shells), "latitude": len(latitudes)}
    groups: dict[tuple[Any, ...], list[tuple[int, Term]]] = {}
    for index, term in enumerate(list_terms(problem)):
        kind = TERMS[term.quantity]
        apart: Any = () if kind.each == "shell" or kind.one_shell else (term.shells, term.demand, term.at_least_in_view)
        if term.quantity not in QUANTITIES:
            groups.setdefault((term.quantity, *apart), []).append((index, term))
    layouts: dict[str, FigureLayout] = {}
    for (quantity, *apart), terms in groups.items():
        kind, first, stem = TERMS[quantity], terms[0][1], name_variable(quantity)
        dims = (SOLAR,) * kind.by_solar + (SHELL,) * (kind.each == "shell" or kind.one_shell)
        dims += ("latitude",) * (kind.each == "latitude" and not first.demand)
        attributes: dict[str, Any] = {}
        if apart:
            attributes["shells"] = ", ".join(problem.shells[k].name for k in first.shells)
            attributes |= (
                {"demand": os.path.basename(first.demand)} if first.demand else {}
            )  # of a file, no path of this machine
            attributes |= {"at_least_in_view": first.at_least_in_view} if kind.counts_at_least else {}
        units, factor = ("day", YEAR_DAYS) if kind.units == "year" else (kind.units, 1.0)
        name = next(n for n in (stem, *(f"{stem}_{k}" for k in range(2, len(layouts) + 3))) if n not in layouts)
        variable = Variable(name, dims, units, kind.long_name, others=attributes)
        layouts[name] = FigureLayout(variable, tuple(sizes[d] for d in dims), factor, terms, latitudes)
    return list(layouts.values())
