"""Where should the shells fly? A study in; tuned shells, what they are worth, and how that depends on everything else out."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import SpaceWeatherSource
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.tuning.files import load_study
from constellation_jax.inputs.tuning.keys import METHODS
from constellation_jax.inputs.tuning.problem import Solver, Study
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS
from constellation_jax.outputs.datasets.tuning import Columns, SweepColumns, make_tuning_dataset
from constellation_jax.studies.tuning.design import Design, Floats, design_of
from constellation_jax.studies.tuning.objective import surroundings_of
from constellation_jax.studies.tuning.problem import Frame, Problem, asked, labels, size_of
from constellation_jax.studies.tuning.rounding import rounded
from constellation_jax.studies.tuning.solvers import TOLERANCE, Solution, import_optax, restore, solve


class _Infeasible(InputError):
    """Constraints that cannot be met together: an error of a study, an entry of a sweep."""


_PROBES: Final = 5
"""Points at which a variable has to matter."""
_INFEASIBLE: Final = 1e-4


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """What tuning a study has led to."""

    study: Study
    shells: tuple[Shell, ...]
    """Tuned; every other function takes them."""
    status: str
    """"converged", or "not_converged": then it is the best point seen, and `message` says why."""
    message: str
    objective: float
    """The weighted sum, in which each term counts as its weight at the start."""
    evaluations: int
    """Of objective and constraints, in all."""
    seconds: float
    dataset: xr.Dataset
    """Everything, see the page on tuning."""


def tune(
    study: str | Path | Study,
    *,
    background: Catalog | None = None,
    method: str | None = None,
    starts: int | None = None,
    space_weather: SpaceWeatherSource | None = None,
) -> TuneResult:
    """Tunes the shells of a study by gradient.

    Args:
        study: a name of `known_studies()`, a study file, or what `load_study` made of one.
        background: catalogue that the shells fly in, in place of that of the study.
        method: "slsqp", "trust-constr", "adam" or "lbfgs", in place of that of the study.
        starts: from how many points, in place of that of the study.
        space_weather: as for `SpaceWeather.load`; the bundled table if not given.

    Raises:
        InputErrors: mistakes in the study file, all at once.
        InputError: constraints that cannot be met together, by how much at the best point; a variable on which nothing depends; a
            term that is not finite.
    """
    begun = time.perf_counter()
    study = study if isinstance(study, Study) else load_study(study)
    given: dict[str, Any] = {key: value for key, value in (("method", method), ("starts", starts)) if value is not None}
    study = dataclasses.replace(study, solver=_checked(dataclasses.replace(study.solver, **given)))
    if study.solver.starts > 1 or study.solver.method in ("adam", "lbfgs"):
        import_optax(study.solver.method)
    base = design_of(study.shells)
    surroundings = surroundings_of(study, background=background, space_weather=space_weather)
    problem = Problem(study, base, surroundings)
    begin = problem.coordinates.begin(base)
    _check_that_it_depends(problem, begin)
    found, frame = _tuned(problem, begin, problem.frame)
    swept = _swept(problem, found.coordinates) if study.sweep else None
    return _result(problem, found, frame, swept, begun)


def _checked(solver: Solver) -> Solver:
    if solver.method not in METHODS:
        near = suggest(str(solver.method), METHODS)
        raise InputError(f"method {solver.method!r}: expected one of {', '.join(METHODS)}{near}")
    if solver.starts < 1:
        raise InputError(f"starts {solver.starts}: expected 1 or more")
    return solver


def _check_that_it_depends(problem: Problem, begin: Floats) -> None:
    """Refuse a free number by which nothing has a derivative, at the start and at some other points."""
    points = [begin, *np.random.default_rng(0).uniform(0.05, 0.95, (_PROBES, len(begin)))]
    size = np.zeros(len(begin))
    for point in points:
        at = problem.evaluate(point)
        size = np.maximum(size, np.abs(np.vstack([at.gradient, at.jacobian])).max(axis=0))
        if size.all():
            return
    k = int(np.flatnonzero(size == 0.0)[0])
    name = problem.coordinates.free[k].name(problem.study.shells)
    raise InputError(
        f"study {problem.study.name!r}, variable {name}: neither an objective nor a constraint depends on it; leave it out"
    )


def _tuned(problem: Problem, begin: Floats, frame: Frame) -> tuple[Solution, Frame]:
    """The relaxed optimum, then that with whole numbers.

    Raises:
        InputError: the constraints cannot be met together.
    """
    solver = problem.study.solver
    found = _feasible(problem, solve(problem, begin, solver, frame), frame, np.ones(len(begin), bool))
    relaxed = found
    if any(problem.coordinates.whole(key) for key, q in QUANTITIES.items() if q.whole):
        found, free = rounded(problem, found, solver, frame)
        found = _feasible(problem, found, frame, free)
        found = found._replace(
            history=relaxed.history + found.history, iterations=relaxed.iterations + found.iterations
        )
    return found, frame


def _feasible(problem: Problem, found: Solution, frame: Frame, free: Floats) -> Solution:
    """A solution as it is where it meets the constraints; else one from the point that misses them least.

    Raises:
        InputError: that point misses them too.
    """
    loose = TOLERANCE if problem.study.solver.method in ("slsqp", "trust-constr") else _INFEASIBLE
    if found.violation <= loose:
        return found
    nearest = min(
        (restore(problem, start, frame, free) for start in (found.coordinates, np.where(free, 0.5, found.coordinates))),
        key=lambda s: s.violation,
    )
    if nearest.violation > _INFEASIBLE:
        raise _Infeasible(_infeasible(problem, nearest, frame))
    again = solve(
        problem, nearest.coordinates, dataclasses.replace(problem.study.solver, method="slsqp", starts=1), frame, free
    )
    best = again if again.violation <= TOLERANCE else nearest._replace(converged=False)
    return best._replace(history=found.history + nearest.history + again.history)


def _infeasible(problem: Problem, nearest: Solution, frame: Frame) -> str:
    rows = nearest.at.rows
    k = int(np.argmin(nearest.at.constraints))
    row = problem.rows[k]
    limit, units = frame.limits[k], "" if row.units == "1" else f" {row.units}"
    side = "at least" if row.sign > 0 else "at most"
    others = int((nearest.at.constraints < -_INFEASIBLE).sum()) - 1
    more = f" (so do {others} more)" if others else ""
    free = zip(problem.coordinates.free, problem.coordinates.values(nearest.coordinates), strict=True)
    where = ", ".join(f"{c.name(problem.study.shells)} {value:.6g}" for c, value in list(free)[:3])
    return (
        f"study {problem.study.name!r}: the constraints cannot be met together: at the best point {row.label} is "
        f"{rows[k]:.4g}{units}, {abs(rows[k] - limit):.3g} off its limit of {side} {limit:g}{more}; best point: {where}"
    )


@dataclasses.dataclass(frozen=True)
class _Swept:
    """One solution for each value of a sweep, None where the constraints cannot be met."""

    values: Floats
    solutions: list[Solution | None]
    frames: list[Frame]


def _swept(problem: Problem, begin: Floats) -> _Swept:
    sweep = problem.study.sweep
    assert sweep is not None
    solutions: list[Solution | None] = []
    frames = []
    for value in sweep.values:
        frame = problem.frame
        if sweep.constraint:
            names = [problem.study.constraints[row.constraint].name for row in problem.rows]
            frame = frame._replace(limits=np.where(np.array(names) == sweep.constraint, value, frame.limits))
        else:
            row = getattr(frame.base, sweep.quantity).copy()
            row[list(sweep.shells)] = value
            frame = frame._replace(base=frame.base._replace(**{sweep.quantity: row}))
        try:
            found, frame = _tuned(problem, begin, frame)
        except _Infeasible:
            solutions.append(None)
        else:
            solutions.append(found)
            begin = found.coordinates  # the next value is near
        frames.append(frame)
    return _Swept(np.array(sweep.values), solutions, frames)


def _shells(problem: Problem, design: Design) -> tuple[Shell, ...]:
    """The shells of a design; what is free may have come with an orbit or a filling that it replaces."""
    tuned = []
    for k, shell in enumerate(problem.study.shells):
        changed: dict[str, Any] = {}
        for c in problem.coordinates.free:
            if k in c.shells:
                value = float(getattr(design, c.quantity)[k])
                changed[c.quantity] = round(value) if QUANTITIES[c.quantity].whole else value
        if "inclination_deg" in changed:
            changed["sun_synchronous"] = False
        if "altitude_km" in changed:
            changed["plane_altitudes_km"] = None
        if "planes" in changed or "satellites_per_plane" in changed:
            changed |= {"satellites": None, "occupancy": None, "occupied_planes": None, "spares": 0}
            changed["phasing"] = changed.get("phasing", shell.phasing) % changed.get("planes", shell.planes)
        known = {key: value for key, value in shell.provenance.items() if key not in changed}
        tuned.append(dataclasses.replace(shell, **changed, provenance=known))
    return tuple(tuned)


def _result(problem: Problem, found: Solution, frame: Frame, swept: _Swept | None, begun: float) -> TuneResult:
    study = problem.study
    design = problem.coordinates.design(found.coordinates, frame.base)
    shells = _shells(problem, design)
    figure_labels = [label for term in asked(study) for label in labels(study, term)]
    figure_units = [TERMS[term.quantity].units for term in asked(study) for _ in labels(study, term)]
    signs = np.array([row.sign for row in problem.rows])
    status = "converged" if found.converged else "not_converged"
    columns = Columns(
        shells=[shell.name for shell in shells],
        design=design._asdict(),
        design_before=problem.frame.base._asdict(),
        sensitivities=dict(zip(QUANTITIES, found.at.by_design, strict=True)),
        variables=[c.name(study.shells) for c in problem.coordinates.free],
        variable_values=problem.coordinates.values(found.coordinates),
        variable_bounds=np.array([[c.low, c.high] for c in problem.coordinates.free]),
        constraints=[row.label for row in problem.rows],
        constraint_units=[row.units for row in problem.rows],
        constraint_values=found.at.rows,
        constraint_limits=frame.limits,
        constraint_margins=found.at.constraints,
        constraint_multipliers=found.multipliers,
        # the margin falls by 1 / size when the limit rises by one
        objective_by_limit=found.multipliers * signs / size_of(frame.limits),
        constraint_sensitivities=dict(zip(QUANTITIES, found.at.rows_by_design.swapaxes(0, 1), strict=True)),
        figures=figure_labels,
        figure_units=figure_units,
        figure_values=problem.figures(design, frame),
        figure_values_before=problem.figures(problem.frame.base),
        history=np.array([[step.objective, step.violation] for step in found.history]).reshape(-1, 2),
        sweep=None if swept is None else _sweep_columns(problem, swept),
        attributes={
            "title": f"Tuned shells: {study.title or study.name}",
            "question": study.question,
            "study": study.name,
            "status": status,
            "message": found.message,
            "objective": found.at.objective,
            "violation": found.violation,
            "kkt_residual": found.residual,
            "method": study.solver.method,
            "starts": study.solver.starts,
            "evaluations": problem.evaluations,
            "solar_scenarios": ", ".join(study.scenarios),
        },
    )
    dataset = make_tuning_dataset(columns)
    return TuneResult(
        study,
        shells,
        status,
        found.message,
        found.at.objective,
        problem.evaluations,
        time.perf_counter() - begun,
        dataset,
    )


def _sweep_columns(problem: Problem, swept: _Swept) -> SweepColumns:
    sweep = problem.study.sweep
    assert sweep is not None
    variables: list[Floats | None] = []
    figures: list[Floats | None] = []
    objective = []
    for solution, frame in zip(swept.solutions, swept.frames, strict=True):
        if solution is None:
            variables.append(None)
            figures.append(None)
            objective.append(np.nan)
            continue
        variables.append(problem.coordinates.values(solution.coordinates))
        figures.append(problem.figures(problem.coordinates.design(solution.coordinates, frame.base), frame))
        objective.append(solution.at.objective)
    status = ["infeasible" if s is None else "converged" if s.converged else "not_converged" for s in swept.solutions]
    return SweepColumns(
        sweep.constraint or sweep.quantity, swept.values, np.array(objective), status, variables, figures
    )
