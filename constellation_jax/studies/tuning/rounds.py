"""Rounds of a problem that counts encounters: a few steps of the solver on pairs that are held, then a new screening.

Within a round altitudes and inclinations stay within `reach_km` of where it was screened. A round that does not make it better, by
what the new screening says, is taken back, and the next one may go half as far. What is left when a round may go an eighth of
`reach_km` at most is the chance of which pairs meet.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np

from constellation_jax.physics.constants import DEGREE, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.tuning.design import Floats
from constellation_jax.studies.tuning.encounters import EncounterScreener
from constellation_jax.studies.tuning.problem import CompiledProblem, Frame
from constellation_jax.studies.tuning.solvers import TOLERANCE, Solution, Step, make_rank, solve

_SHORTEST: Final = 0.125
"""Part of `reach_km` at which rounds end."""


def solve_in_rounds(
    compiled: CompiledProblem, begin: Floats, frame: Frame, screener: EncounterScreener
) -> tuple[Solution, Frame]:
    """Solve a problem in rounds; return the solution, and the frame with its screening."""
    problem = compiled.problem
    solver = dataclasses.replace(problem.solver, iterations=problem.encounters_every)
    most = max(1, problem.solver.iterations // problem.encounters_every)
    widths = _measure_reach(compiled, begin, frame)
    frame = _screen(compiled, begin, frame, screener)
    best = compiled.evaluate(begin, frame)
    point, part, done = begin, 1.0, 0
    history: list[Step] = []
    while part >= _SHORTEST and done < most:
        near = frame._replace(low=np.maximum(0.0, point - part * widths), high=np.minimum(1.0, point + part * widths))
        found = solve(compiled, point, solver, near)
        history += found.history
        done += 1
        there = _screen(compiled, found.coordinates, frame, screener)
        at = compiled.evaluate(found.coordinates, there)
        if make_rank(at) < make_rank(best):
            best, point, frame = at, found.coordinates, there
        else:
            part *= 0.5
    last = solve(compiled, point, solver, frame, np.zeros(len(point), bool))
    converged = part < _SHORTEST and last.violation <= TOLERANCE
    message = f"{done} rounds of {solver.iterations} iterations at most, encounters screened {screener.screened} times"
    moved = last._replace(
        converged=converged, message=message, history=[*history, *last.history], iterations=done * solver.iterations
    )
    return moved, frame._replace(
        low=np.maximum(0.0, point - widths * part), high=np.minimum(1.0, point + widths * part)
    )


def _screen(compiled: CompiledProblem, point: Floats, frame: Frame, screener: EncounterScreener) -> Frame:
    """Frame with the encounters that are screened at a point."""
    found = screener.screen(compiled.coordinates.make_design(point, frame.base))
    return frame._replace(surroundings=frame.surroundings._replace(encounters=found))


def _measure_reach(compiled: CompiledProblem, begin: Floats, frame: Frame) -> Floats:
    """Measure the change of each coordinate that moves an orbit by `reach_km`; 1 where none does. Shape (free,)."""
    design = compiled.coordinates.make_design(begin, frame.base)
    radius = WGS84_EQUATORIAL_RADIUS_KM + float(np.max(design.altitude_km))
    by_quantity = {"altitude_km": 1.0, "inclination_deg": radius * DEGREE}  # km for each unit
    reach = compiled.problem.encounters_reach_km
    widths = [
        reach / (by_quantity[c.quantity] * (c.high - c.low)) if c.quantity in by_quantity else 1.0
        for c in compiled.coordinates.free
    ]
    return np.asarray(np.minimum(1.0, np.array(widths)))
