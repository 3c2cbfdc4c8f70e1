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
from constellation_jax.inputs.tuning.problem import Constraint, Study, Term
from constellation_jax.inputs.tuning.terms import QUANTITIES, SUMMED, TERMS
from constellation_jax.studies.tuning.design import Coordinates, Design, Floats
from constellation_jax.studies.tuning.objective import Surroundings, Values, pattern_of, picked, term_values

_LOGARITHMIC: Final = frozenset(
    {"lifetime_years", "delta_v_m_s_per_year", "propellant_kg_per_year", "duty_cycle", "duty_cycle_peak"}
)

_NOTHING: Final = 1e-6
"""What an objective is at the start that no scale can come from."""


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
    sun: str
    shell: int
    """Position of the one shell that it depends on; -1 where it depends on several."""


class Evaluation(NamedTuple):
    """A point with its derivatives."""

    objective: float
    gradient: Floats
    """By the coordinates, shape (free,)."""
    constraints: Floats
    """Margins, above or at 0 where met, shape (rows,)."""
    jacobian: Floats
    """Of the margins by the coordinates, shape (rows, free)."""
    objectives: Floats
    """In natural units, shape (objectives,)."""
    rows: Floats
    """In natural units, shape (rows,)."""
    by_design: Floats
    """Of the objective, shape (quantities, shells)."""
    rows_by_design: Floats
    """In natural units, shape (rows, quantities, shells)."""


class Problem:
    """The functions of a study, and how often they were evaluated."""

    def __init__(self, study: Study, base: Design, surroundings: Surroundings) -> None:
        self.study = study
        self.coordinates = Coordinates.of(study)
        self.evaluations = 0
        self.rows = _rows(study)
        self._pattern = pattern_of(study.shells)
        self._span = self.coordinates.span(len(study.shells))
        self._signs = np.array([row.sign for row in self.rows])
        self._logarithmic = np.array([row.logarithmic for row in self.rows], bool)
        self._colours = _colours(self.rows)
        limits = np.array([study.constraints[row.constraint].limit for row in self.rows], float)
        self.frame = Frame(base, limits, np.ones(len(study.objectives)), surroundings)
        self._evaluate = jax.jit(self._with_derivatives)
        self._figures = jax.jit(self._every_term)
        at_start = np.abs(self.evaluate(self.coordinates.begin(base)).objectives)
        given = zip(study.objectives, at_start, strict=True)
        scales = [o.scale if o.scale is not None else (v if v > _NOTHING else 1.0) for o, v in given]
        self.frame = self.frame._replace(scales=np.array(scales, float))

    def values(self, design: Design, frame: Frame) -> Values:
        """Figures of merit of a design. Traced."""
        return Values(design, frame.surroundings, self._pattern, self.study.miss_distance_km)

    def merit(self, coordinates: Array, frame: Frame) -> tuple[Array, Array]:
        """Objective and margins. Traced."""
        objectives, rows = self._natural(self.coordinates.design(coordinates, frame.base), frame)
        limits = jnp.asarray(frame.limits)
        linear = (rows - limits) / size_of(limits)
        # both branches stay finite: rows that are not logarithmic may be 0 or below
        ratio = jnp.where(self._logarithmic, rows / size_of(limits), 1.0)
        return self._sum(objectives, frame), jnp.asarray(self._signs) * jnp.where(
            self._logarithmic, jnp.log(ratio), linear
        )

    def evaluate(self, coordinates: Floats, frame: Frame | None = None) -> Evaluation:
        """A point with its derivatives.

        Raises:
            InputError: something is not finite there.
        """
        frame = self.frame if frame is None else frame
        self.evaluations += 1
        design = self.coordinates.design(np.asarray(coordinates, float), frame.base)
        with x64():
            f, objectives, rows, by_design, coloured = jax.device_get(self._evaluate(design, frame))
        if not all(np.isfinite(part).all() for part in (f, objectives, rows, by_design, coloured)):
            raise InputError(self.not_finite(design, frame))
        rows_by_design = self._expanded(coloured)
        size = size_of(frame.limits)
        with np.errstate(divide="ignore", invalid="ignore"):  # of the branch that is not taken
            margins = self._signs * np.where(self._logarithmic, np.log(rows / size), (rows - frame.limits) / size)
            slopes = self._signs * np.where(self._logarithmic, 1.0 / rows, 1.0 / size)
        jacobian = slopes[:, None] * (rows_by_design.reshape(len(rows), self._span.shape[0]) @ self._span)
        gradient = by_design.ravel() @ self._span
        return Evaluation(float(f), gradient, margins, jacobian, objectives, rows, by_design, rows_by_design)

    def figures(self, design: Design, frame: Frame | None = None) -> Floats:
        """Every value of every term of `asked`, one after the other."""
        with x64():
            return np.asarray(self._figures(design, self.frame if frame is None else frame))

    def not_finite(self, design: Design, frame: Frame) -> str:
        """What to say about a point where something is not finite: the first such term, and its shell or latitude."""
        names = [shell.name for shell in self.study.shells]
        with x64():
            for term in asked(self.study):

                def of(d: Design, term: Term = term) -> Array:
                    return term_values(term, self.values(d, frame))

                whole = Design(*(jnp.asarray(row, float) for row in design))
                bad = ~np.isfinite(np.asarray(of(whole)))
                for part in jax.jacrev(of)(whole):
                    bad |= ~np.isfinite(np.asarray(part)).all(axis=-1)
                if not bad.any():
                    continue
                at = int(np.argwhere(bad)[0][-1])
                shell = term.shells[at] if TERMS[term.quantity].each == "shell" else term.shells[0]
                numbers = ", ".join(f"{key} {row[shell]:g}" for key, row in zip(QUANTITIES, design, strict=True))
                what = f"{term.quantity} {_place(term, names, at)}".rstrip()
                return f"study {self.study.name!r}: {what}, or its derivative, is not finite at {numbers}"
        return f"study {self.study.name!r}: the objective is not finite; look at the weights and scales"

    def _sum(self, objectives: Array, frame: Frame) -> Array:
        weights = np.array([o.weight for o in self.study.objectives])
        return jnp.sum(weights / frame.scales * objectives)

    def _natural(self, design: Design, frame: Frame) -> tuple[Array, Array]:
        values = self.values(design, frame)
        objectives = [reduced(o.term, values, self.study.combine) for o in self.study.objectives]
        rows = [_each(c, values) for c in self.study.constraints]
        return jnp.stack(objectives), jnp.concatenate(rows) if rows else jnp.zeros(0)

    def _with_derivatives(self, design: Design, frame: Frame) -> Any:
        """Objective, objectives and rows; then derivatives by the design, of rows one for each colour."""

        def both(design: Design) -> tuple[Array, tuple[Array, Array, Array]]:
            objectives, rows = self._natural(design, frame)
            f = self._sum(objectives, frame)
            return jnp.concatenate([f[None], self._colours @ rows]), (f, objectives, rows)

        whole = Design(*(jnp.asarray(row) for row in design))
        found, back, (f, objectives, rows) = jax.vjp(both, whole, has_aux=True)
        derivatives = jnp.stack(jax.lax.map(back, jnp.eye(len(found)))[0], axis=1)
        return f, objectives, rows, derivatives[0], derivatives[1:]

    def _expanded(self, coloured: Floats) -> Floats:
        """Derivatives of the rows from those of their colours: a row of one shell has only that shell's."""
        found = coloured[np.argmax(self._colours, axis=0)] if len(self.rows) else np.zeros((0, *coloured.shape[1:]))
        for k, row in enumerate(self.rows):
            if row.shell >= 0:
                found[k, :, np.arange(found.shape[2]) != row.shell] = 0.0
        return found

    def _every_term(self, design: Design, frame: Frame) -> Array:
        values = self.values(Design(*(jnp.asarray(row) for row in design)), frame)
        return jnp.concatenate([term_values(term, values).ravel() for term in asked(self.study)])


def size_of(limits: Any) -> Any:
    """What margins are a part of: the limit, or 1 in its unit where it is 0."""
    module = jnp if isinstance(limits, jax.Array) else np
    return module.where(limits == 0.0, 1.0, abs(limits))


def _colours(rows: list[Row]) -> Floats:
    """Rows that share no shell can share one pass of derivatives: which rows each pass adds up, shape (passes, rows)."""
    passes: dict[Any, list[int]] = {}
    for k, row in enumerate(rows):
        passes.setdefault((row.constraint, row.sun) if row.shell >= 0 else k, []).append(k)
    found = np.zeros((len(passes), len(rows)))
    for colour, members in enumerate(passes.values()):
        found[colour, members] = 1.0
    return found


def asked(study: Study) -> list[Term]:
    """The terms of a study, each once, over whatever they are taken."""
    return list(dict.fromkeys(dataclasses.replace(term, over="") for term in study.terms()))


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
        satellites = picked(values.design.satellites, term.shells)
        return jnp.sum(found * satellites) / jnp.sum(satellites)
    return jnp.mean(found)


def _each(constraint: Constraint, values: Values) -> Array:
    """Rows of a constraint: every scenario and every shell apart, unless it says over what it is taken."""
    term = constraint.term
    if term.over in ("", "each"):
        return term_values(term, values).ravel()
    if not TERMS[term.quantity].by_sun:
        return reduced(term, values, "worst")[None]
    found = term_values(term, values)
    satellites = picked(values.design.satellites, term.shells)
    if term.over == "sum":
        return jnp.sum(found, axis=1)
    if term.over == "mean":
        return found @ satellites / jnp.sum(satellites)
    return jnp.min(found, axis=1) if constraint.at_least else jnp.max(found, axis=1)


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
        swept = study.sweep.values if study.sweep and study.sweep.constraint == constraint.name else ()
        lowest = min((constraint.limit, *swept))
        each = term.over in ("", "each")
        own = each and kind.each == "shell" and term.quantity != "mutual_encounters_per_year"
        for sun in study.scenarios if kind.by_sun else ("",):
            for i in range(_size(term) if each else 1):
                place = _place(term, names, i) if each else f"({term.over})"
                label = " ".join(part for part in (constraint.name, place, f"({sun} sun)" if sun else "") if part)
                logarithmic = term.quantity in _LOGARITHMIC and lowest > 0.0
                sign, shell = 1.0 if constraint.at_least else -1.0, term.shells[i] if own else -1
                rows.append(Row(k, label, kind.units, sign, logarithmic, sun, shell))
    return rows


def _size(term: Term) -> int:
    each = TERMS[term.quantity].each
    if each == "latitude":
        return len(term.latitude_deg) or 1
    return 1 if each == "system" else len(term.shells)


def _place(term: Term, names: list[str], k: int) -> str:
    each = TERMS[term.quantity].each
    if each == "latitude":
        of = f"of {names[term.shells[0]]!r} " if TERMS[term.quantity].one_shell else ""
        return f"{of}at {term.latitude_deg[k]:g} degrees" if term.latitude_deg else f"by {term.demand}"
    if each == "system":
        return ""
    return f"of {names[term.shells[k]]!r}"
