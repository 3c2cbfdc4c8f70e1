"""Figures of merit of a tuning problem as dataset variables: one for each figure, with dimensions solar, shell and latitude.

Terms of one figure share a variable, NaN where none of them asks. Figures of several shells together at latitudes, or by a demand,
that differ in their shells, their demand or the number in view have variables of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from constellation_jax.inputs.tuning.problem import Term, TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS
from constellation_jax.studies.tuning.design import Floats
from constellation_jax.studies.tuning.problem import terms_of


class FigureLayout(NamedTuple):
    """Name, dimensions and attributes of a variable, and the terms that fill it."""

    name: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    attributes: dict[str, Any]
    terms: list[tuple[int, Term]]
    """With their positions in `terms_of`."""
    latitudes: list[float]

    def place(self, found: Sequence[Floats]) -> Floats:
        """Values of the variable from those of each term of `terms_of`."""
        values = np.full(self.shape, np.nan)
        for index, term in self.terms:
            at: Any = ()
            if "latitude" in self.dimensions:
                at = ([self.latitudes.index(phi) for phi in term.latitude_deg],)
            if "shell" in self.dimensions:
                at = (term.shells[0], *at) if at else (..., list(term.shells))
            values[at] = found[index] if at else found[index][0]
        return values


def latitudes_of(problem: TuningProblem) -> list[float]:
    """Latitudes of all terms, deg, ascending."""
    return sorted({phi for term in problem.terms() for phi in term.latitude_deg})


def layouts_of(problem: TuningProblem) -> list[FigureLayout]:
    """Variables for the terms of a problem, but for quantities of the design, which have variables anyway."""
    sizes = {"solar": len(problem.scenarios), "shell": len(problem.shells), "latitude": len(latitudes_of(problem))}
    groups: dict[tuple[Any, ...], list[tuple[int, Term]]] = {}
    for index, term in enumerate(terms_of(problem)):
        kind = TERMS[term.quantity]
        apart: Any = () if kind.each == "shell" or kind.one_shell else (term.shells, term.demand, term.at_least_in_view)
        if term.quantity not in QUANTITIES:
            groups.setdefault((term.quantity, *apart), []).append((index, term))
    layouts: list[FigureLayout] = []
    for (quantity, *told), terms in groups.items():
        kind = TERMS[quantity]
        first = terms[0][1]
        dimensions = ("solar",) * kind.by_solar + ("shell",) * (kind.each == "shell" or kind.one_shell)
        dimensions += ("latitude",) * (kind.each == "latitude" and not first.demand)
        attributes: dict[str, Any] = {"long_name": kind.long_name, "units": kind.units}
        if told:
            attributes["shells"] = ", ".join(problem.shells[k].name for k in first.shells)
            attributes |= {"demand": first.demand} if first.demand else {}
            attributes |= {"at_least_in_view": first.at_least_in_view} if kind.counts_at_least else {}
        names = [layout.name for layout in layouts]
        name = next(n for n in (quantity, *(f"{quantity}_{k}" for k in range(2, len(names) + 3))) if n not in names)
        shape = tuple(sizes[d] for d in dimensions)
        layouts.append(FigureLayout(name, dimensions, shape, attributes, terms, latitudes_of(problem)))
    return layouts
