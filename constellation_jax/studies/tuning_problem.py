"""A study as a problem of optimisation: one scalar, constraints that are met at 0 and above, and their exact gradients.

    objective f: the sum of weight / scale * term, so that at the start each term counts as its weight
    constraint g: (value - limit) / |limit|, or ln(value / limit) of terms that grow like an exponential of altitude, with the
        sign that makes 0 and above good

Everything is compiled once for a study: the numbers that a sweep or a rounding changes are arguments. Nothing that is not finite
leaves here: it is an error that names the term and the shell.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.engine.precision import x64
from constellation_jax.errors import InputError
from constellation_jax.inputs.studies import Constraint, Objective, Study, Term
from constellation_jax.inputs.study_terms import SUMMED, TERMS
from constellation_jax.studies.design import Coordinates, Design, Floats
from constellation_jax.studies.merit import Surroundings, Values, pattern_of, term_values

_LOGARITHMIC: Final = frozenset({"lifetime_years", "delta_v_m_s_per_year", "propellant_kg_per_year", "duty_cycle", "duty_cycle_peak"})


class Frame(NamedTuple):
    """What a solver keeps fixed."""

    base: Design
    limits: Floats
    """Of the rows of constraints, shape (constraints,)."""
    scales: Floats
    """Of the objectives, shape (objectives,)."""
    surroundings: Surroundings


class Row(NamedTuple):
    """One constraint on one number, such as a lifetime of one shell under one sun."""

    constraint: int
    """Position in the study."""
    label: str
    units: str
    sign: float
    logarithmic: bool


class Evaluation(NamedTuple):
    """A point with its derivatives by the coordinates."""

    objective: float
    gradient: Floats
    constraints: Floats
    """Above or at 0 where met, shape (rows,)."""
    jacobian: Floats
    """Shape (rows, free)."""


class Problem:
    """The functions of a study, and how often they were evaluated."""

    def __init__(self, study: Study, base: Design, surroundings: Surroundings) -> None:
        self.study = study
        self.coordinates = Coordinates.of(study)
        self.evaluations = 0
        self.rows = _rows(study)
        self._pattern = pattern_of(study.shells)
        self._signs = np.array([row.sign for row in self.rows])
        self._logarithmic = np.array([row.logarithmic for row in self.rows], bool)
        limits = np.array([study.constraints[row.constraint].limit for row in self.rows], float)
        self.frame = Frame(base, limits, np.ones(len(study.objectives)), surroundings)
        self._evaluate = jax.jit(self._value_and_jacobian)
        self._outputs = jax.jit(self.outputs)
        self._derivatives = jax.jit(self._by_design)
        self._figures = jax.jit(self._every_term)
        scales = [np.nan if o.scale is None else o.scale for o in study.objectives]
        if any(o.scale is None for o in study.objectives):
            with x64():
                at_start = np.abs(np.asarray(self._outputs(self.coordinates.begin(base), self.frame)[0]))
            scales = [s if s == s else (v if np.isfinite(v) and v > 0 else 1.0) for s, v in zip(scales, at_start, strict=True)]
        self.frame = self.frame._replace(scales=np.array(scales, float))

    def values(self, design: Design, frame: Frame) -> Values:
        """Figures of merit of a design. Traced."""
        return Values(design, frame.surroundings, self._pattern, self.study.miss_distance_km)

    def outputs(self, coordinates: Array, frame: Frame) -> tuple[Array, Array]:
        """Objectives and rows of constraints in natural units. Traced."""
        design = self.coordinates.design(coordinates, frame.base)
        return self.of_design(design, frame)

    def of_design(self, design: Design, frame: Frame) -> tuple[Array, Array]:
        """The same of a design. Traced."""
        values = self.values(design, frame)
        study = self.study
        objectives = [_objective(o, values, study.combine) for o in study.objectives]
        rows = [_each(c, values) for c in study.constraints]
        return jnp.stack(objectives), jnp.concatenate([*rows, jnp.zeros(0)])

    def scalar(self, objectives: Array, frame: Frame) -> Array:
        """The sum that is minimised."""
        weights = jnp.array([o.weight for o in self.study.objectives])
        return jnp.sum(weights / frame.scales * objectives)

    def margins(self, rows: Array, frame: Frame) -> Array:
        """Constraints as numbers that are met at 0 and above. Traced."""
        limits = jnp.asarray(frame.limits)
        linear = (rows - limits) / jnp.where(limits == 0.0, 1.0, jnp.abs(limits))
        # both branches stay finite: a logarithmic term is above 0, but its rows alone may be
        safe = jnp.where(self._logarithmic, rows, 1.0) / jnp.where(self._logarithmic, limits, 1.0)
        return self._signs * jnp.where(self._logarithmic, jnp.log(safe), linear)

    def merit(self, coordinates: Array, frame: Frame) -> tuple[Array, Array]:
        """Objective and margins. Traced."""
        objectives, rows = self.outputs(coordinates, frame)
        return self.scalar(objectives, frame), self.margins(rows, frame)

    def evaluate(self, coordinates: Floats, frame: Frame | None = None) -> Evaluation:
        """A point with its derivatives.

        Raises:
            InputError: something is not finite there.
        """
        frame = self.frame if frame is None else frame
        self.evaluations += 1
        with x64():
            (f, g), (df, dg) = jax.device_get(self._evaluate(jnp.asarray(coordinates, float), frame))
        found = Evaluation(float(f), np.asarray(df), np.asarray(g), np.asarray(dg))
        if not all(np.isfinite(part).all() for part in found):
            raise InputError(self.not_finite(coordinates, frame))
        return found

    def natural(self, coordinates: Floats, frame: Frame | None = None) -> tuple[Floats, Floats]:
        """Objectives and rows of constraints in natural units."""
        with x64():
            objectives, rows = self._outputs(jnp.asarray(coordinates, float), self.frame if frame is None else frame)
        return np.asarray(objectives), np.asarray(rows)

    def sensitivities(self, design: Design, frame: Frame | None = None) -> tuple[Design, Design]:
        """Derivatives by every number of the design: of the objective, arrays of shape (shells,); of the rows in natural units,
        arrays of shape (rows, shells)."""
        with x64():
            found = self._derivatives(_as_arrays(design), self.frame if frame is None else frame)
        return Design(*map(np.asarray, found[0])), Design(*map(np.asarray, found[1]))

    def figures(self, design: Design, frame: Frame | None = None) -> Floats:
        """Every value of every term of `asked`, one after the other."""
        with x64():
            return np.asarray(self._figures(_as_arrays(design), self.frame if frame is None else frame))

    def not_finite(self, coordinates: Floats, frame: Frame) -> str:
        """What to say about a point where something is not finite: the first such term, and its shell or latitude."""
        with x64():
            design = self.coordinates.design(jnp.asarray(coordinates, float), frame.base)
            values = self.values(design, frame)
            names = [shell.name for shell in self.study.shells]
            for term in self.study.terms():
                found = np.asarray(term_values(term, values))
                derivative = jax.jacfwd(lambda d, t=term: term_values(t, self.values(d, frame)))(design)
                bad = ~np.isfinite(found)
                for part in derivative:
                    bad |= ~np.isfinite(np.asarray(part)).all(axis=-1)
                if bad.any():
                    where = np.argwhere(bad)[0]
                    at = where[-1]
                    what = _place(term, names, int(at))
                    shell = term.shells[int(at)] if TERMS[term.quantity].each == "shell" else term.shells[0]
                    numbers = ", ".join(f"{key} {float(row[shell]):g}" for key, row in design._asdict().items())
                    return f"study {self.study.name!r}: {term.quantity} {what} or its derivative is not finite at {numbers}"
        return f"study {self.study.name!r}: the objective is not finite; look at the weights and scales"

    def _by_design(self, design: Design, frame: Frame) -> tuple[Design, Design]:
        def both(design: Design) -> Array:
            objectives, rows = self.of_design(design, frame)
            return jnp.concatenate([self.scalar(objectives, frame)[None], rows])

        found = jax.jacrev(both)(design)
        return Design(*(row[0] for row in found)), Design(*(row[1:] for row in found))

    def _every_term(self, design: Design, frame: Frame) -> Array:
        values = self.values(design, frame)
        return jnp.concatenate([term_values(term, values).ravel() for term in asked(self.study)])

    def _value_and_jacobian(self, coordinates: Array, frame: Frame) -> Any:
        def both(c: Array) -> tuple[Array, tuple[Array, Array]]:
            f, g = self.merit(c, frame)
            return jnp.concatenate([f[None], g]), (f, g)

        by = jax.jacfwd if len(self.coordinates) <= 1 + len(self.rows) else jax.jacrev
        jacobian, (f, g) = by(both, has_aux=True)(coordinates)
        return (f, g), (jacobian[0], jacobian[1:])


def asked(study: Study) -> list[Term]:
    """The terms of a study, each once, over whatever they are taken."""
    return list(dict.fromkeys(dataclasses.replace(term, over="") for term in study.terms()))


def _as_arrays(design: Design) -> Design:
    return Design(*(np.asarray(v, float) for v in design))


def reduced(term: Term, values: Values, combine: str) -> Array:
    """A term as one number: over scenarios of the Sun by `combine`, over shells or latitudes by `term.over`."""
    kind = TERMS[term.quantity]
    found = term_values(term, values)
    if kind.by_sun:
        found = jnp.max(found, axis=0) if combine == "worst" else jnp.mean(found, axis=0)
    over = term.over or ("sum" if term.quantity in SUMMED else "mean")
    if over == "worst":
        worst_is_least = kind.each in ("latitude", "system")  # of coverage and of clearance less is worse
        return jnp.min(found) if worst_is_least else jnp.max(found)
    if over == "sum":
        return jnp.sum(found)
    if kind.each == "shell":
        satellites = values.design.satellites[np.array(term.shells)]
        return jnp.sum(found * satellites) / jnp.sum(satellites)
    return jnp.mean(found)


def _objective(objective: Objective, values: Values, combine: str) -> Array:
    return reduced(objective.term, values, combine)


def _each(constraint: Constraint, values: Values) -> Array:
    """Rows of a constraint: every scenario and every shell apart, unless it says over what it is taken."""
    term = constraint.term
    if term.over in ("", "each"):
        return term_values(term, values).ravel()
    if not TERMS[term.quantity].by_sun:
        return reduced(term, values, "worst")[None]
    worst = "worst" if not constraint.at_least else "least"
    found = term_values(term, values)
    satellites = values.design.satellites[np.array(term.shells)]
    over = {
        "sum": lambda v: jnp.sum(v, axis=1),
        "mean": lambda v: v @ satellites / jnp.sum(satellites),
        "worst": lambda v: jnp.max(v, axis=1) if worst == "worst" else jnp.min(v, axis=1),
    }[term.over]
    return jnp.asarray(over(found))


def labels(study: Study, term: Term) -> list[str]:
    """Names of the values of a term, in the order of `term_values(...).ravel()`."""
    names = [shell.name for shell in study.shells]
    suns = study.scenarios if TERMS[term.quantity].by_sun else ("",)
    counted = f"{term.quantity} of {term.at_least_in_view}" if TERMS[term.quantity].counts_at_least else term.quantity
    return [
        " ".join(part for part in (counted, _place(term, names, k), f"({sun} sun)" if sun else "") if part)
        for sun in suns
        for k in range(_size(term))
    ]


def _rows(study: Study) -> list[Row]:
    rows = []
    names = [shell.name for shell in study.shells]
    for k, constraint in enumerate(study.constraints):
        term, kind = constraint.term, TERMS[constraint.term.quantity]
        suns = study.scenarios if kind.by_sun else ("",)
        if term.over in ("", "each"):
            places = [_place(term, names, i) for i in range(_size(term))]
        else:
            places = [f"({term.over})"]
        for sun in suns:
            for place in places:
                label = " ".join(part for part in (constraint.name, place, f"({sun} sun)" if sun else "") if part)
                logarithmic = term.quantity in _LOGARITHMIC and constraint.limit > 0.0
                rows.append(Row(k, label, kind.units, 1.0 if constraint.at_least else -1.0, logarithmic))
    return rows


def _size(term: Term) -> int:
    each = TERMS[term.quantity].each
    if each == "latitude":
        return len(term.latitude_deg) or 1
    return 1 if each == "system" else len(term.shells)


def _place(term: Term, names: list[str], k: int) -> str:
    each = TERMS[term.quantity].each
    if each == "latitude":
        return f"at {term.latitude_deg[k]:g} degrees" if term.latitude_deg else f"by {term.demand}"
    if each == "system":
        return ""
    return f"of {names[term.shells[k]]!r}"
