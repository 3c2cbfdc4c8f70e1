"""Rounding to whole numbers: planes, then satellites per plane, then phasing; the numbers left free are tuned again each time.

Rounding everything at once violates the constraints that were active, so each kind of number is fixed in turn, from the point found
with the kinds before it fixed. Up to three numbers are tried down and up in all combinations; more are rounded all to the nearest,
all down and all up. Every phasing is tried, as coverage has a local optimum at nearly each.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from itertools import product
from typing import Final

import jax
import jax.numpy as jnp
import numpy as np

from constellation_jax.engine.precision import x64
from constellation_jax.inputs.tuning.problem import Solver
from constellation_jax.inputs.tuning.terms import QUANTITIES
from constellation_jax.studies.tuning.design import Floats
from constellation_jax.studies.tuning.problem import CompiledProblem, Frame
from constellation_jax.studies.tuning.solvers import Solution, solve

_ALL_WAYS: Final = 3
"""Numbers up to which every combination of down and up is tried."""
_PENALTY: Final = 10.0
"""Weight of the violations, as parts of their limits, against the objective when phasings are compared."""


def round_numbers(compiled: CompiledProblem, found: Solution, solver: Solver, frame: Frame) -> tuple[Solution, Floats]:
    """Find the best point with whole numbers near a relaxed one; return it and the mask of coordinates left free, shape (free,)."""
    free = np.ones(len(found.coordinates), bool)
    one = dataclasses.replace(solver, method="slsqp", starts=1)
    best = found
    for quantity in (key for key, q in QUANTITIES.items() if q.whole):
        which = compiled.coordinates.find(quantity)
        if not which:
            continue
        free[which] = False
        if quantity == "phasing":
            best = solve(compiled, _choose_phasings(compiled, best.coordinates, which, frame), one, frame, free)
            continue
        tried = [
            solve(compiled, start, one, frame, free) for start in _list_roundings(compiled, best.coordinates, which)
        ]
        best = min(tried, key=lambda s: s.rank)
    return best, free


def _list_roundings(compiled: CompiledProblem, point: Floats, which: list[int]) -> Iterator[Floats]:
    """List points with some coordinates rounded to whole numbers within their bounds."""
    values = compiled.coordinates.to_values(point)
    low = np.array([max(np.floor(values[k] + 1e-6), np.ceil(compiled.coordinates.free[k].low)) for k in which])
    high = np.array([min(np.ceil(values[k] - 1e-6), np.floor(compiled.coordinates.free[k].high)) for k in which])
    high = np.maximum(low, high)
    if len(which) <= _ALL_WAYS:
        choices = {tuple(c) for c in product(*zip(low, high, strict=True))}
    else:
        choices = {tuple(low), tuple(high), tuple(np.clip(np.rint(values[which]), low, high))}
    for choice in sorted(choices):
        yield _set_values(compiled, point, which, choice)


def _choose_phasings(compiled: CompiledProblem, point: Floats, which: list[int], frame: Frame) -> Floats:
    """Choose the best whole number of each phasing in turn, the other coordinates staying fixed."""

    def penalised(point: jax.Array) -> jax.Array:
        f, g = compiled.compute_merit(point, frame)
        return f + _PENALTY * jnp.sum(jnp.maximum(0.0, -g))

    with x64():
        many = jax.jit(jax.vmap(penalised))
        for k in which:
            free = compiled.coordinates.free[k]
            planes = int(min(np.asarray(frame.base.planes)[list(free.shells)]))
            whole = np.arange(np.ceil(free.low), min(np.floor(free.high), planes - 1) + 1.0)
            points = np.array([_set_values(compiled, point, [k], (v,)) for v in whole])
            values = np.asarray(many(jnp.asarray(points)))
            compiled.evaluations += len(points)
            point = points[int(np.argmin(values))]
    return point


def _set_values(compiled: CompiledProblem, point: Floats, which: list[int], values: tuple[float, ...]) -> Floats:
    moved = point.copy()
    for k, value in zip(which, values, strict=True):
        moved[k] = compiled.coordinates.to_coordinate(k, value)
    return moved
