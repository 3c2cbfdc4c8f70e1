"""Tuning of shells by gradient: a problem in; tuned shells, their figures of merit and their sensitivities out."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from constellation_jax.engine.default_device import on_device
from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.space_weather_series import SpaceWeatherSource
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.times import Time, parse_time
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.inputs.tuning.problem import METHODS, Solver, TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS
from constellation_jax.outputs.datasets.tuning import TunedFigure, make_tuning_dataset
from constellation_jax.outputs.variable import CONSTRAINT, SHELL, SOLAR, SWEEP, VARIABLE
from constellation_jax.studies.decay.inputs import report_notes
from constellation_jax.studies.tuning.design import Design, Floats, make_design
from constellation_jax.studies.tuning.encounters import EncounterScreener
from constellation_jax.studies.tuning.figures import QUANTITY_VARIABLES, list_latitudes, make_layouts
from constellation_jax.studies.tuning.objective import list_assumptions, make_screener, make_surroundings
from constellation_jax.studies.tuning.problem import CompiledProblem, Frame, measure_limits
from constellation_jax.studies.tuning.rounding import round_numbers
from constellation_jax.studies.tuning.rounds import solve_in_rounds
from constellation_jax.studies.tuning.solvers import TOLERANCE, Solution, import_optax, restore, solve


class _Infeasible(InputError):
    """Constraints that cannot be met together: an error of a problem, an entry of a sweep."""


_PROBES: Final = 5
"""Random points, besides the start, at one of which each free number has to matter."""
_MOST_STARTS: Final = 1024
_INFEASIBLE: Final = 1e-4
"""Violation, as a part of the limit, from which the point of least violation is a refusal."""


@dataclasses.dataclass(frozen=True)
class TuneResult:
    """Result of tuning a problem."""

    problem: TuningProblem
    shells: tuple[Shell, ...]
    """Tuned shells, which every function that takes shells accepts."""
    status: str
    """"converged", or "not_converged" for the best point seen, with the reason in `message`."""
    message: str
    """Message of the solver."""
    objective: float
    """Weighted sum of the objectives, in which each term counts as its weight at the start."""
    evaluations: int
    """Number of evaluations of objective and constraints, those of the sweep included."""
    seconds: float
    """Wall-clock time."""
    dataset: xr.Dataset
    """All results; docs/how-to/tuning.md lists the variables."""


@on_device
def tune(
    problem: str | Path | TuningProblem,
    *,
    background: Catalog | None = None,
    method: str | None = None,
    starts: int | None = None,
    start: Time | None = None,
    space_weather: SpaceWeatherSource | None = None,
    strict: bool = False,
    client: Any = None,
    device: str | None = None,
) -> TuneResult:
    """Tune the shells of a problem by gradient.

    Args:
        problem: a name of `known_tuning_problems()`, a problem file, or a TuningProblem.
        background: catalogue of the objects among which the shells fly, in place of that of the problem.
        method: "slsqp", "trust-constr", "adam" or "lbfgs", in place of that of the problem.
        starts: number of points to begin from, up to 1,024, in place of that of the problem.
        start: first day of drag and lifetimes (UTC), in place of that of the problem.
        space_weather: source as for `SpaceWeather.load`; the bundled table if not given.
        strict: True makes an error of a ballistic coefficient that is assumed; else it is logged as a warning, and stands in the
            attribute `ballistic_coefficient_notes`.
        client: of a Dask cluster (`distributed.Client`), whose workers solve from several starts, to the same bits.
        device: platform to compute on, such as "cpu" or "gpu"; None: JAX's default.

    Raises:
        InputErrors: mistakes in the problem file, all at once.
        InputError: constraints that cannot be met together (with the violation at the best point), a variable on which nothing
            depends, a term that is not finite, or a device that is not there.
        OutputError: the cluster was lost.
    """
    begun = time.perf_counter()
    problem = problem if isinstance(problem, TuningProblem) else load_tuning_problem(problem)
    given: dict[str, Any] = {key: value for key, value in (("method", method), ("starts", starts)) if value is not None}
    problem = dataclasses.replace(problem, solver=_check_solver(dataclasses.replace(problem.solver, **given)))
    if start is not None:
        problem = dataclasses.replace(problem, start=str(parse_time(start).astype("datetime64[D]")))
    notes = list_assumptions(problem)
    report_notes(notes, strict=strict)
    if problem.solver.starts > 1 or problem.solver.method in ("adam", "lbfgs"):
        import_optax(problem.solver.method)
    base = make_design(problem.shells)
    surroundings = make_surroundings(problem, background=background, space_weather=space_weather)
    screener = make_screener(problem, background)
    if screener is not None:
        surroundings = surroundings._replace(encounters=screener.screen(base))
    compiled = CompiledProblem(problem, base, surroundings, client)
    begin = compiled.coordinates.find_start(base)
    _check_dependence(compiled, begin)
    found, frame = _tune(compiled, begin, compiled.frame, screener)
    swept = _solve_sweep(compiled, found.coordinates, screener) if problem.sweep else []
    return _make_result(compiled, found, frame, swept, time.perf_counter() - begun, notes)


def _check_solver(solver: Solver) -> Solver:
    if solver.method not in METHODS:
        near = suggest(str(solver.method), METHODS)
        raise InputError(f"method {solver.method!r}: expected one of {', '.join(METHODS)}{near}")
    if not 1 <= solver.starts <= _MOST_STARTS:
        raise InputError(f"starts {solver.starts}: expected 1 to {_MOST_STARTS:,}")
    return solver


def _check_dependence(compiled: CompiledProblem, begin: Floats) -> None:
    """Refuse a free number with respect to which nothing has a derivative, neither at the start nor at some other points."""
    points = [begin, *np.random.default_rng(0).uniform(0.05, 0.95, (_PROBES, len(begin)))]
    size = np.zeros(len(begin))
    for point in points:
        at = compiled.evaluate(point)
        size = np.maximum(size, np.abs(np.vstack([at.gradient, at.jacobian])).max(axis=0))
        if size.all():
            return
    k = int(np.flatnonzero(size == 0.0)[0])
    name = compiled.coordinates.free[k].describe(compiled.problem.shells)
    raise InputError(
        f"tuning problem {compiled.problem.name!r}, variable {name}: "
        "neither an objective nor a constraint depends on it; leave it out"
    )


def _tune(
    compiled: CompiledProblem, begin: Floats, frame: Frame, screener: EncounterScreener | None
) -> tuple[Solution, Frame]:
    """Find the relaxed optimum, then the optimum with whole numbers; return it, and the frame in which it is one.

    Raises:
        InputError: the constraints cannot be met together.
    """
    solver = compiled.problem.solver
    if screener is None:
        found = solve(compiled, begin, solver, frame)
    else:
        found, frame = solve_in_rounds(compiled, begin, frame, screener)
    found = _make_feasible(compiled, found, frame, np.ones(len(begin), bool))
    relaxed = found
    if any(compiled.coordinates.find(key) for key, q in QUANTITIES.items() if q.whole):
        found, free = round_numbers(compiled, found, solver, frame)
        found = _make_feasible(compiled, found, frame, free)
        iterations = relaxed.iterations + found.iterations
        found = found._replace(history=relaxed.history + found.history, iterations=iterations)
    return found, frame


def _make_feasible(compiled: CompiledProblem, found: Solution, frame: Frame, free: Floats) -> Solution:
    """Return a solution that meets the constraints unchanged; replace another one by a run from the point of least violation.

    Raises:
        InputError: the constraints are missed at that point too.
    """
    loose = TOLERANCE if compiled.problem.solver.method in ("slsqp", "trust-constr") else _INFEASIBLE
    if found.violation <= loose:
        return found
    starts = (found.coordinates, np.where(free, 0.5, found.coordinates))
    nearest = min((restore(compiled, start, frame, free) for start in starts), key=lambda s: s.violation)
    if nearest.violation > _INFEASIBLE:
        raise _Infeasible(_describe_infeasible(compiled, nearest, frame))
    slsqp = dataclasses.replace(compiled.problem.solver, method="slsqp", starts=1)
    again = solve(compiled, nearest.coordinates, slsqp, frame, free)
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
    free = zip(compiled.coordinates.free, compiled.coordinates.to_values(nearest.coordinates), strict=True)
    where = ", ".join(f"{c.describe(compiled.problem.shells)} {value:.6g}" for c, value in list(free)[:3])
    return (
        f"tuning problem {compiled.problem.name!r}: the constraints cannot be met together: at the best point {row.label} is "
        f"{rows[k]:.4g}{units}, {abs(rows[k] - limit):.3g} off its limit of {side} {limit:g}{more}; best point: {where}"
    )


def _solve_sweep(
    compiled: CompiledProblem, begin: Floats, screener: EncounterScreener | None
) -> list[tuple[Frame, Solution | None]]:
    """Solve the problem for each value of its sweep; a solution is None where the constraints cannot be met."""
    sweep = compiled.problem.sweep
    assert sweep is not None
    swept: list[tuple[Frame, Solution | None]] = []
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
            found, frame = _tune(compiled, begin, frame, screener)
        except _Infeasible:
            swept.append((frame, None))
        else:
            swept.append((frame, found))
            begin = found.coordinates  # the next value is near
    return swept


def _make_shells(compiled: CompiledProblem, design: Design) -> tuple[Shell, ...]:
    """Make the shells of a design; a free number replaces whatever else in the file decided it."""
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


def _make_result(
    compiled: CompiledProblem,
    found: Solution,
    at_end: Frame,
    swept: list[tuple[Frame, Solution | None]],
    seconds: float,
    notes: list[str],
) -> TuneResult:
    problem, frame, free = compiled.problem, compiled.frame, compiled.coordinates.free
    design = compiled.coordinates.make_design(found.coordinates, frame.base)
    shells = _make_shells(compiled, design)
    status = "converged" if found.converged else "not_converged"
    history = np.array([[step.objective, step.violation] for step in found.history]).reshape(-1, 2)
    arrays: dict[str, Any] = {
        "variable_value": compiled.coordinates.to_values(found.coordinates),
        "variable_low": np.array([c.low for c in free]),
        "variable_high": np.array([c.high for c in free]),
        "history_objective": history[:, 0],
        "history_violation": history[:, 1],
    }
    arrays |= {f"objective_by_{v.name}": row for v, row in zip(QUANTITY_VARIABLES, found.at.by_design, strict=True)}
    coordinates: dict[str, Any] = {
        SHELL: [shell.name for shell in shells],
        VARIABLE: [c.describe(problem.shells) for c in free],
    }
    if compiled.rows:
        signs = np.array([row.sign for row in compiled.rows])
        coordinates[CONSTRAINT] = [row.label for row in compiled.rows]
        arrays |= {
            "constraint_units": [row.units for row in compiled.rows],
            "constraint_value": found.at.rows,
            "constraint_limit": frame.limits,
            "constraint_margin": found.at.constraints,
            "constraint_multiplier": found.multipliers,
            # the margin falls by 1 / size when the limit rises by one
            "objective_by_limit": found.multipliers * signs / measure_limits(frame.limits),
        }
        by_quantity = zip(QUANTITY_VARIABLES, found.at.rows_by_design.swapaxes(0, 1), strict=True)
        arrays |= {f"constraint_by_{v.name}": rows for v, rows in by_quantity}
    sweep = problem.sweep
    if sweep is not None:
        coordinates[SWEEP] = np.array(sweep.values)
        solutions = [solution for _, solution in swept]
        arrays["sweep_objective"] = np.array([np.nan if s is None else s.at.objective for s in solutions])
        arrays["sweep_status"] = np.array([2 if s is None else 0 if s.converged else 1 for s in solutions], np.int8)
    figures = _make_figures(compiled, design, at_end, swept)
    used = {dim for figure in figures for dim in figure.variable.dims}
    coordinates |= {SOLAR: list(problem.scenarios)} if SOLAR in used else {}
    coordinates |= {"latitude": list_latitudes(problem)} if "latitude" in used else {}
    dataset = make_tuning_dataset(
        figures,
        arrays,
        coordinates,
        swept=None if sweep is None else _describe_swept(compiled),
        title=problem.title or problem.name,
        attributes={
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
            **({"ballistic_coefficient_notes": "; ".join(notes)} if notes else {}),
        },
    )
    return TuneResult(
        problem, shells, status, found.message, found.at.objective, compiled.evaluations, seconds, dataset
    )


def _describe_swept(compiled: CompiledProblem) -> tuple[str, str]:
    """Name and units of the swept number."""
    sweep = compiled.problem.sweep
    assert sweep is not None
    if not sweep.constraint:
        return sweep.quantity, QUANTITIES[sweep.quantity].units
    term = next(c.term for c in compiled.problem.constraints if c.name == sweep.constraint)
    return sweep.constraint, TERMS[term.quantity].units


def _make_figures(
    compiled: CompiledProblem, design: Design, at_end: Frame, swept: list[tuple[Frame, Solution | None]]
) -> list[TunedFigure]:
    """Make quantities of the shells and figures of merit: tuned, at the start and, of a sweep, along it."""
    base = compiled.frame.base
    layouts = make_layouts(compiled.problem)

    def compute(design: Design, frame: Frame | None = None) -> list[Floats]:
        """Compute the values of all variables at a design."""
        terms = compiled.compute_figures(design, frame)
        return [*(np.asarray(row) for row in design), *(layout.arrange(terms) for layout in layouts)]

    before, value = compute(base), compute(design, at_end)
    along = [
        [np.full(values.shape, np.nan) for values in value]
        if solution is None
        else compute(compiled.coordinates.make_design(solution.coordinates, frame.base), frame)
        for frame, solution in swept
    ]
    variables = [*QUANTITY_VARIABLES, *(layout.variable for layout in layouts)]
    return [
        TunedFigure(variable, value[k], before[k], np.array([values[k] for values in along]) if swept else None)
        for k, variable in enumerate(variables)
    ]
