"""Tuning of shells by gradient: a problem in; tuned shells, their figures of merit and their sensitivities out."""

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
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.inputs.tuning.problem import METHODS, Solver, TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES
from constellation_jax.outputs.datasets.tuning import Figure, SweepColumns, TuningColumns, make_tuning_dataset
from constellation_jax.studies.tuning.design import Design, Floats, design_of
from constellation_jax.studies.tuning.figures import latitudes_of, layouts_of
from constellation_jax.studies.tuning.objective import surroundings_of
from constellation_jax.studies.tuning.problem import CompiledProblem, Frame, size_of
from constellation_jax.studies.tuning.rounding import round_numbers
from constellation_jax.studies.tuning.solvers import TOLERANCE, Solution, import_optax, restore, solve


class _Infeasible(InputError):
    """Constraints that cannot be met together: an error of a problem, an entry of a sweep."""


_PROBES: Final = 5
"""Points at which a variable has to matter."""
_INFEASIBLE: Final = 1e-4


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """Result of tuning a problem."""

    problem: TuningProblem
    shells: tuple[Shell, ...]
    """Tuned; every other function takes them."""
    status: str
    """"converged", or "not_converged": then it is the best point seen, and `message` says why."""
    message: str
    objective: float
    """The weighted sum, in which each term counts as its weight at the start."""
    evaluations: int
    """Evaluations of objective and constraints, in all."""
    seconds: float
    dataset: xr.Dataset
    """All results, see the page on tuning."""


def tune(
    problem: str | Path | TuningProblem,
    *,
    background: Catalog | None = None,
    method: str | None = None,
    starts: int | None = None,
    space_weather: SpaceWeatherSource | None = None,
) -> TuneResult:
    """Tune the shells of a problem by gradient.

    Args:
        problem: a name of `known_tuning_problems()`, a problem file, or what `load_tuning_problem` made of one.
        background: catalogue that the shells fly in, in place of that of the problem.
        method: "slsqp", "trust-constr", "adam" or "lbfgs", in place of that of the problem.
        starts: number of points to begin from, in place of that of the problem.
        space_weather: source as for `SpaceWeather.load`; the bundled table if not given.

    Raises:
        InputErrors: mistakes in the problem file, all at once.
        InputError: constraints that cannot be met together, by how much at the best point; a variable on which nothing depends; a
            term that is not finite.
    """
    begun = time.perf_counter()
    problem = problem if isinstance(problem, TuningProblem) else load_tuning_problem(problem)
    given: dict[str, Any] = {key: value for key, value in (("method", method), ("starts", starts)) if value is not None}
    problem = dataclasses.replace(problem, solver=_check_solver(dataclasses.replace(problem.solver, **given)))
    if problem.solver.starts > 1 or problem.solver.method in ("adam", "lbfgs"):
        import_optax(problem.solver.method)
    base = design_of(problem.shells)
    surroundings = surroundings_of(problem, background=background, space_weather=space_weather)
    compiled = CompiledProblem(problem, base, surroundings)
    begin = compiled.coordinates.begin(base)
    _check_that_it_depends(compiled, begin)
    found, frame = _tune(compiled, begin, compiled.frame)
    swept = _swept(compiled, found.coordinates) if problem.sweep else None
    return _result(compiled, found, frame, swept, begun)


def _check_solver(solver: Solver) -> Solver:
    if solver.method not in METHODS:
        near = suggest(str(solver.method), METHODS)
        raise InputError(f"method {solver.method!r}: expected one of {', '.join(METHODS)}{near}")
    if solver.starts < 1:
        raise InputError(f"starts {solver.starts}: expected 1 or more")
    return solver


def _check_that_it_depends(compiled: CompiledProblem, begin: Floats) -> None:
    """Refuse a free number by which nothing has a derivative, at the start and at some other points."""
    points = [begin, *np.random.default_rng(0).uniform(0.05, 0.95, (_PROBES, len(begin)))]
    size = np.zeros(len(begin))
    for point in points:
        at = compiled.evaluate(point)
        size = np.maximum(size, np.abs(np.vstack([at.gradient, at.jacobian])).max(axis=0))
        if size.all():
            return
    k = int(np.flatnonzero(size == 0.0)[0])
    name = compiled.coordinates.free[k].name(compiled.problem.shells)
    raise InputError(
        f"tuning problem {compiled.problem.name!r}, variable {name}: "
        "neither an objective nor a constraint depends on it; leave it out"
    )


def _tune(compiled: CompiledProblem, begin: Floats, frame: Frame) -> tuple[Solution, Frame]:
    """The relaxed optimum, then that with whole numbers.

    Raises:
        InputError: the constraints cannot be met together.
    """
    solver = compiled.problem.solver
    found = _make_feasible(compiled, solve(compiled, begin, solver, frame), frame, np.ones(len(begin), bool))
    relaxed = found
    if any(compiled.coordinates.whole(key) for key, q in QUANTITIES.items() if q.whole):
        found, free = round_numbers(compiled, found, solver, frame)
        found = _make_feasible(compiled, found, frame, free)
        found = found._replace(
            history=relaxed.history + found.history, iterations=relaxed.iterations + found.iterations
        )
    return found, frame


def _make_feasible(compiled: CompiledProblem, found: Solution, frame: Frame, free: Floats) -> Solution:
    """A solution as it is where it meets the constraints; else one from the point that misses them least.

    Raises:
        InputError: that point misses them too.
    """
    loose = TOLERANCE if compiled.problem.solver.method in ("slsqp", "trust-constr") else _INFEASIBLE
    if found.violation <= loose:
        return found
    nearest = min(
        (
            restore(compiled, start, frame, free)
            for start in (found.coordinates, np.where(free, 0.5, found.coordinates))
        ),
        key=lambda s: s.violation,
    )
    if nearest.violation > _INFEASIBLE:
        raise _Infeasible(_describe_infeasible(compiled, nearest, frame))
    again = solve(
        compiled,
        nearest.coordinates,
        dataclasses.replace(compiled.problem.solver, method="slsqp", starts=1),
        frame,
        free,
    )
    best = again if again.violation <= TOLERANCE else nearest._replace(converged=False)
    return best._replace(history=found.history + nearest.history + again.history)


def _describe_infeasible(compiled: CompiledProblem, nearest: Solution, frame: Frame) -> str:
    rows = nearest.at.rows
    k = int(np.argmin(nearest.at.constraints))
    row = compiled.rows[k]
    limit, units = frame.limits[k], "" if row.units == "1" else f" {row.units}"
    side = "at least" if row.sign > 0 else "at most"
    others = int((nearest.at.constraints < -_INFEASIBLE).sum()) - 1
    more = f" (so do {others} more)" if others else ""
    free = zip(compiled.coordinates.free, compiled.coordinates.values(nearest.coordinates), strict=True)
    where = ", ".join(f"{c.name(compiled.problem.shells)} {value:.6g}" for c, value in list(free)[:3])
    return (
        f"tuning problem {compiled.problem.name!r}: the constraints cannot be met together: at the best point {row.label} is "
        f"{rows[k]:.4g}{units}, {abs(rows[k] - limit):.3g} off its limit of {side} {limit:g}{more}; best point: {where}"
    )


@dataclasses.dataclass(frozen=True)
class _Swept:
    """One solution for each value of a sweep, None where the constraints cannot be met."""

    values: Floats
    solutions: list[Solution | None]
    frames: list[Frame]


def _swept(compiled: CompiledProblem, begin: Floats) -> _Swept:
    sweep = compiled.problem.sweep
    assert sweep is not None
    solutions: list[Solution | None] = []
    frames = []
    for value in sweep.values:
        frame = compiled.frame
        if sweep.constraint:
            names = [compiled.problem.constraints[row.constraint].name for row in compiled.rows]
            frame = frame._replace(limits=np.where(np.array(names) == sweep.constraint, value, frame.limits))
        else:
            row = getattr(frame.base, sweep.quantity).copy()
            row[list(sweep.shells)] = value
            frame = frame._replace(base=frame.base._replace(**{sweep.quantity: row}))
        try:
            found, frame = _tune(compiled, begin, frame)
        except _Infeasible:
            solutions.append(None)
        else:
            solutions.append(found)
            begin = found.coordinates  # the next value is near
        frames.append(frame)
    return _Swept(np.array(sweep.values), solutions, frames)


def _shells(compiled: CompiledProblem, design: Design) -> tuple[Shell, ...]:
    """Shells of a design; a number that is free may replace an orbit or a filling that it came with."""
    tuned = []
    for k, shell in enumerate(compiled.problem.shells):
        changed: dict[str, Any] = {}
        for c in compiled.coordinates.free:
            if k in c.shells:
                value = float(getattr(design, c.quantity)[k])
                changed[c.quantity] = round(value) if QUANTITIES[c.quantity].whole else value
        if "inclination_deg" in changed:
            changed["sun_synchronous"] = False
        if "altitude_km" in changed:
            changed["plane_altitudes_km"] = None
        if "planes" in changed or "satellites_per_plane" in changed:
            changed |= {"satellites": None, "occupancy": None, "occupied_planes": None, "spares": 0}
            pattern = shell.pattern
            changed["phasing"] = changed.get("phasing", pattern.phasing) % changed.get("planes", pattern.planes)
        tuned.append(shell.replace(**changed))
    return tuple(tuned)


def _result(compiled: CompiledProblem, found: Solution, frame: Frame, swept: _Swept | None, begun: float) -> TuneResult:
    problem = compiled.problem
    design = compiled.coordinates.design(found.coordinates, frame.base)
    shells = _shells(compiled, design)
    signs = np.array([row.sign for row in compiled.rows])
    status = "converged" if found.converged else "not_converged"
    columns = TuningColumns(
        shells=[shell.name for shell in shells],
        design=design._asdict(),
        design_before=compiled.frame.base._asdict(),
        sensitivities=dict(zip(QUANTITIES, found.at.by_design, strict=True)),
        variables=[c.name(problem.shells) for c in compiled.coordinates.free],
        variable_values=compiled.coordinates.values(found.coordinates),
        variable_bounds=np.array([[c.low, c.high] for c in compiled.coordinates.free]),
        constraints=[row.label for row in compiled.rows],
        constraint_units=[row.units for row in compiled.rows],
        constraint_values=found.at.rows,
        constraint_limits=frame.limits,
        constraint_margins=found.at.constraints,
        constraint_multipliers=found.multipliers,
        # the margin falls by 1 / size when the limit rises by one
        objective_by_limit=found.multipliers * signs / size_of(frame.limits),
        constraint_sensitivities=dict(zip(QUANTITIES, found.at.rows_by_design.swapaxes(0, 1), strict=True)),
        solar=list(problem.scenarios),
        latitudes=latitudes_of(problem),
        figures=_figures(compiled, design, frame, swept),
        history=np.array([[step.objective, step.violation] for step in found.history]).reshape(-1, 2),
        sweep=None if swept is None else _sweep_columns(compiled, swept),
        attributes={
            "title": f"Tuned shells: {problem.title or problem.name}",
            "question": problem.question,
            "tuning_problem": problem.name,
            "status": status,
            "message": found.message,
            "objective": found.at.objective,
            "violation": found.violation,
            "kkt_residual": found.residual,
            "method": problem.solver.method,
            "starts": problem.solver.starts,
            "evaluations": compiled.evaluations,
            "solar": ", ".join(problem.scenarios),
        },
    )
    dataset = make_tuning_dataset(columns)
    return TuneResult(
        problem,
        shells,
        status,
        found.message,
        found.at.objective,
        compiled.evaluations,
        time.perf_counter() - begun,
        dataset,
    )


def _figures(compiled: CompiledProblem, design: Design, frame: Frame, swept: _Swept | None) -> list[Figure]:
    before, value = compiled.figures(compiled.frame.base), compiled.figures(design, frame)
    missing = [np.full(values.shape, np.nan) for values in value]
    along = None
    if swept is not None:
        designs = _swept_designs(compiled, swept)
        along = [
            missing if at is None else compiled.figures(at, frame)
            for at, frame in zip(designs, swept.frames, strict=True)
        ]
    return [
        Figure(
            layout.name,
            layout.dimensions,
            layout.attributes,
            layout.place(value),
            layout.place(before),
            None if along is None else np.array([layout.place(values) for values in along]),
        )
        for layout in layouts_of(compiled.problem)
    ]


def _swept_designs(compiled: CompiledProblem, swept: _Swept) -> list[Design | None]:
    """Design of each solution of a sweep."""
    return [
        None if solution is None else compiled.coordinates.design(solution.coordinates, frame.base)
        for solution, frame in zip(swept.solutions, swept.frames, strict=True)
    ]


def _sweep_columns(compiled: CompiledProblem, swept: _Swept) -> SweepColumns:
    sweep = compiled.problem.sweep
    assert sweep is not None
    nothing = np.full((len(QUANTITIES), len(compiled.problem.shells)), np.nan)
    designs = np.array([nothing if at is None else at for at in _swept_designs(compiled, swept)])
    status = ["infeasible" if s is None else "converged" if s.converged else "not_converged" for s in swept.solutions]
    objective = np.array([np.nan if s is None else s.at.objective for s in swept.solutions])
    by_quantity = dict(zip(QUANTITIES, designs.swapaxes(0, 1), strict=True))
    return SweepColumns(sweep.constraint or sweep.quantity, swept.values, objective, status, by_quantity)
