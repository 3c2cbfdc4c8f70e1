"""Compiled tuning problem: one scalar to minimise, constraints that are met at 0 and above, and their exact gradients.

    objective f: the sum of weight / scale * term, so that at the start each term counts as its weight
    constraint g: (value - limit) / |limit|, or ln(value / limit) of terms that grow like an exponential of altitude, with the
        sign that makes 0 and above good

Everything is compiled once for a problem: the numbers that a sweep or a rounding changes are arguments. A value or a derivative
that is not finite raises an error that names the term and the shell.
"""

from __future__ import annotations

import dataclasses
import os
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.engine.precision import x64
from constellation_jax.errors import InputError
from constellation_jax.inputs.tuning.problem import Constraint, Term, TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES, SUMMED, TERMS
from constellation_jax.studies.tuning.design import Design, Floats, FreeNumbers
from constellation_jax.studies.tuning.objective import DesignMerit, Surroundings, compute_term, select

_LOGARITHMIC: Final = frozenset(
    {"lifetime_years", "delta_v_m_s_per_year", "propellant_kg_per_year", "duty_cycle", "duty_cycle_peak"}
)

_OF_SEVERAL: Final = frozenset({"mutual_conjunctions_per_year", "encounters_per_day"})
"""Terms of a shell that depend on other shells, too."""
_NOTHING: Final = 1e-6
"""Value of an objective at the start up to which its scale is 1 in place of that value."""


class Frame(NamedTuple):
    """Inputs of a problem that a solver keeps fixed."""

    base: Design
    """Values of the numbers that are not free."""
    limits: Floats
    """Limit of each row of constraints, shape (rows,)."""
    scales: Floats
    """Scale of each objective, shape (objectives,)."""
    surroundings: Surroundings
    low: Floats
    """Lowest coordinates that a solver may choose, shape (free,)."""
    high: Floats


class ConstraintRow(NamedTuple):
    """One constraint on one number, such as the lifetime of one shell for one level of solar activity."""

    constraint: int
    """Position of the constraint in the problem."""
    label: str
    """Name with shell or latitude and solar activity, for messages and the Dataset."""
    units: str
    """Unit of the value and of the limit."""
    sign: float
    """1 where the value must be at least the limit, -1 where at most."""
    logarithmic: bool
    """True where the margin is the logarithm of value over limit."""
    solar: str
    """Solar activity; empty where it does not matter."""
    shell: int
    """Position of the only shell that it depends on; -1 where it depends on several."""


class Evaluation(NamedTuple):
    """Objective and constraints at a point, with their derivatives."""

    objective: float
    """Weighted sum of the objectives."""
    gradient: Floats
    """Derivative of the objective with respect to the coordinates, shape (free,)."""
    constraints: Floats
    """Margins of the constraints, 0 or above where met, shape (rows,)."""
    jacobian: Floats
    """Derivatives of the margins with respect to the coordinates, shape (rows, free)."""
    objectives: Floats
    """Values of the objectives in the units of their terms, shape (objectives,)."""
    rows: Floats
    """Values of the constraints in the units of their terms, shape (rows,)."""
    by_design: Floats
    """Derivatives of the objective with respect to the design, shape (quantities, shells)."""
    rows_by_design: Floats
    """Derivatives of `rows` with respect to the design, shape (rows, quantities, shells)."""


class CompiledProblem:
    """Compiled functions of a tuning problem, with a count of their evaluations.

    Args:
        problem: the problem.
        base: design at the start.
        surroundings: inputs of its terms.
        client: of a Dask cluster, whose workers solve it from several starts; None: this process does.
    """

    def __init__(self, problem: TuningProblem, base: Design, surroundings: Surroundings, client: Any = None) -> None:
        self.problem, self.client = problem, client
        self.coordinates = FreeNumbers.from_problem(problem)
        self.evaluations = 0
        self.rows = _make_rows(problem)
        self._span = self.coordinates.compute_span(len(problem.shells))
        self._signs = np.array([row.sign for row in self.rows])
        self._logarithmic = np.array([row.logarithmic for row in self.rows], bool)
        self._colours = _make_colours(self.rows)
        limits = np.array([problem.constraints[row.constraint].limit for row in self.rows], float)
        box = np.zeros(len(self.coordinates)), np.ones(len(self.coordinates))
        self.frame = Frame(base, limits, np.ones(len(problem.objectives)), surroundings, *box)
        self._evaluate = jax.jit(self._with_derivatives)
        self._figures = jax.jit(self._compute_terms)
        at_start = np.abs(self.evaluate(self.coordinates.find_start(base)).objectives)
        given = zip(problem.objectives, at_start, strict=True)
        scales = [o.scale if o.scale is not None else (v if v > _NOTHING else 1.0) for o, v in given]
        self.frame = self.frame._replace(scales=np.array(scales, float))

    def compute_merit(self, coordinates: Array, frame: Frame) -> tuple[Array, Array]:
        """Compute objective and margins. Traced."""
        objectives, rows = self._compute_natural(self.coordinates.make_design(coordinates, frame.base), frame)
        limits = jnp.asarray(frame.limits)
        linear = (rows - limits) / measure_limits(limits)
        # both branches stay finite: rows that are not logarithmic may be 0 or below
        ratio = jnp.where(self._logarithmic, rows / measure_limits(limits), 1.0)
        return self._weigh(objectives, frame), jnp.asarray(self._signs) * jnp.where(
            self._logarithmic, jnp.log(ratio), linear
        )

    def evaluate(self, coordinates: Floats, frame: Frame | None = None) -> Evaluation:
        """Evaluate a point with its derivatives.

        Raises:
            InputError: a value or a derivative is not finite there.
        """
        frame = self.frame if frame is None else frame
        self.evaluations += 1
        design = self.coordinates.make_design(np.asarray(coordinates, float), frame.base)
        with x64():
            f, objectives, rows, by_design, coloured = jax.device_get(self._evaluate(design, frame))
        if not all(np.isfinite(part).all() for part in (f, objectives, rows, by_design, coloured)):
            raise InputError(self._describe_not_finite(design, frame))
        rows_by_design = self._expand(coloured)
        size = measure_limits(frame.limits)
        with np.errstate(divide="ignore", invalid="ignore"):  # of the branch that is not taken
            margins = self._signs * np.where(self._logarithmic, np.log(rows / size), (rows - frame.limits) / size)
            slopes = self._signs * np.where(self._logarithmic, 1.0 / rows, 1.0 / size)
        jacobian = slopes[:, None] * (rows_by_design.reshape(len(rows), self._span.shape[0]) @ self._span)
        gradient = by_design.ravel() @ self._span
        return Evaluation(float(f), gradient, margins, jacobian, objectives, rows, by_design, rows_by_design)

    def measure_objectives(self, at: Evaluation, frame: Frame) -> float:
        """Measure the amounts of the objectives, as weighed: their sum without regard to sign."""
        weights = np.array([o.weight for o in self.problem.objectives])
        return float(np.abs(weights / frame.scales * at.objectives).sum())

    def compute_figures(self, design: Design, frame: Frame | None = None) -> list[Floats]:
        """Compute each term of `list_terms` at a design, with the shapes of `compute_term`."""
        with x64():
            found = self._figures(design, self.frame if frame is None else frame)
        return [np.asarray(values) for values in found]

    def _describe_not_finite(self, design: Design, frame: Frame) -> str:
        """Describe the first term that is not finite at a design, with its shell or latitude."""
        names = [shell.name for shell in self.problem.shells]
        with x64():
            for term in list_terms(self.problem):

                def compute(d: Design, term: Term = term) -> Array:
                    return compute_term(term, DesignMerit(d, frame.surroundings, self.problem))

                whole = Design(*(jnp.asarray(row, float) for row in design))
                bad = ~np.isfinite(np.asarray(compute(whole)))
                for part in jax.jacrev(compute)(whole):
                    bad |= ~np.isfinite(np.asarray(part)).all(axis=-1)
                if not bad.any():
                    continue
                at = int(np.argwhere(bad)[0][-1])
                shell = term.shells[at] if TERMS[term.quantity].each == "shell" else term.shells[0]
                numbers = ", ".join(f"{key} {row[shell]:g}" for key, row in zip(QUANTITIES, design, strict=True))
                what = f"{term.quantity} {_describe_place(term, names, at)}".rstrip()
                return f"tuning problem {self.problem.name!r}: {what}, or its derivative, is not finite at {numbers}"
        return f"tuning problem {self.problem.name!r}: the objective is not finite; look at the weights and scales"

    def _weigh(self, objectives: Array, frame: Frame) -> Array:
        weights = np.array([o.weight for o in self.problem.objectives])
        return jnp.sum(weights / frame.scales * objectives)

    def _compute_natural(self, design: Design, frame: Frame) -> tuple[Array, Array]:
        merit = DesignMerit(design, frame.surroundings, self.problem)
        objectives = [reduce_term(o.term, merit, self.problem.combine) for o in self.problem.objectives]
        rows = [_compute_rows(c, merit) for c in self.problem.constraints]
        return jnp.stack(objectives), jnp.concatenate(rows) if rows else jnp.zeros(0)

    def _with_derivatives(self, design: Design, frame: Frame) -> Any:
        """Compute objective, objectives and rows, then the derivatives of the objective and of each colour of rows."""

        def both(design: Design) -> tuple[Array, tuple[Array, Array, Array]]:
            objectives, rows = self._compute_natural(design, frame)
            f = self._weigh(objectives, frame)
            return jnp.concatenate([f[None], self._colours @ rows]), (f, objectives, rows)

        whole = Design(*(jnp.asarray(row) for row in design))
        found, back, (f, objectives, rows) = jax.vjp(both, whole, has_aux=True)
        derivatives = jnp.stack(jax.lax.map(back, jnp.eye(len(found)))[0], axis=1)
        return f, objectives, rows, derivatives[0], derivatives[1:]

    def _expand(self, coloured: Floats) -> Floats:
        """Expand the derivatives of the colours to those of the rows: a row of one shell has only that shell's."""
        found = coloured[np.argmax(self._colours, axis=0)] if len(self.rows) else np.zeros((0, *coloured.shape[1:]))
        for k, row in enumerate(self.rows):
            if row.shell >= 0:
                found[k, :, np.arange(found.shape[2]) != row.shell] = 0.0
        return found

    def _compute_terms(self, design: Design, frame: Frame) -> list[Array]:
        merit = DesignMerit(Design(*(jnp.asarray(row) for row in design)), frame.surroundings, self.problem)
        return [compute_term(term, merit) for term in list_terms(self.problem)]


def measure_limits(limits: Any) -> Any:
    """Measure the limits by which margins are divided: their absolute values, or 1 in the unit of a limit of 0."""
    module = jnp if isinstance(limits, jax.Array) else np
    return module.where(limits == 0.0, 1.0, abs(limits))


def _make_colours(rows: list[ConstraintRow]) -> Floats:
    """Make the 0-1 matrix of the rows that each pass of derivatives adds up, shape (passes, rows).

    Rows that depend on different shells can share a pass.
    """
    passes: dict[Any, list[int]] = {}
    for k, row in enumerate(rows):
        passes.setdefault((row.constraint, row.solar) if row.shell >= 0 else k, []).append(k)
    found = np.zeros((len(passes), len(rows)))
    for colour, members in enumerate(passes.values()):
        found[colour, members] = 1.0
    return found


def list_terms(problem: TuningProblem) -> list[Term]:
    """List the terms of a problem, each once, whether over shells and latitudes apart or together."""
    return list(dict.fromkeys(dataclasses.replace(term, over="") for term in problem.terms()))


def reduce_term(term: Term, merit: DesignMerit, combine: str) -> Array:
    """Reduce a term to one number: over levels of solar activity by `combine`, over shells or latitudes by `term.over`."""
    kind = TERMS[term.quantity]
    found = compute_term(term, merit)
    if kind.by_solar:
        found = jnp.max(found, axis=0) if combine == "worst" else jnp.mean(found, axis=0)
    over = term.over or ("sum" if term.quantity in SUMMED else "mean")
    if over == "worst":
        worst_is_least = kind.each in ("latitude", "system")  # of coverage and of clearance less is worse
        return jnp.min(found) if worst_is_least else jnp.max(found)
    if over == "sum":
        return jnp.sum(found)
    if kind.each == "shell":
        satellites = select(merit.design.satellites, term.shells)
        return jnp.sum(found * satellites) / jnp.sum(satellites)
    return jnp.mean(found)


def _compute_rows(constraint: Constraint, merit: DesignMerit) -> Array:
    """Compute the rows of a constraint: one for each solar activity and, unless `over` combines them, each shell or latitude."""
    term = constraint.term
    if term.over in ("", "each"):
        return compute_term(term, merit).ravel()
    if not TERMS[term.quantity].by_solar:
        return reduce_term(term, merit, "worst")[None]
    found = compute_term(term, merit)
    satellites = select(merit.design.satellites, term.shells)
    if term.over == "sum":
        return jnp.sum(found, axis=1)
    if term.over == "mean":
        return found @ satellites / jnp.sum(satellites)
    return jnp.min(found, axis=1) if constraint.at_least else jnp.max(found, axis=1)


def _make_rows(problem: TuningProblem) -> list[ConstraintRow]:
    rows = []
    names = [shell.name for shell in problem.shells]
    for k, constraint in enumerate(problem.constraints):
        term, kind = constraint.term, TERMS[constraint.term.quantity]
        swept = problem.sweep.values if problem.sweep and problem.sweep.constraint == constraint.name else ()
        lowest = min((constraint.limit, *swept))
        each = term.over in ("", "each")
        own = each and kind.each == "shell" and term.quantity not in _OF_SEVERAL
        for solar in problem.scenarios if kind.by_solar else ("",):
            for i in range(_count_places(term) if each else 1):
                place = _describe_place(term, names, i) if each else f"({term.over})"
                label = " ".join(
                    part for part in (constraint.name, place, f"({solar} solar activity)" if solar else "") if part
                )
                logarithmic = term.quantity in _LOGARITHMIC and lowest > 0.0
                sign, shell = 1.0 if constraint.at_least else -1.0, term.shells[i] if own else -1
                rows.append(ConstraintRow(k, label, kind.units, sign, logarithmic, solar, shell))
    return rows


def _count_places(term: Term) -> int:
    each = TERMS[term.quantity].each
    if each == "latitude":
        return len(term.latitude_deg) or 1
    return 1 if each == "system" else len(term.shells)


def _describe_place(term: Term, names: list[str], k: int) -> str:
    each = TERMS[term.quantity].each
    if each == "latitude":
        of = f"of {names[term.shells[0]]!r} " if TERMS[term.quantity].one_shell else ""
        return (
            f"{of}at {term.latitude_deg[k]:g} degrees" if term.latitude_deg else f"by {os.path.basename(term.demand)}"
        )
    if each == "system":
        return ""
    return f"of {names[term.shells[k]]!r}"
