"""Rounding to whole numbers: of planes, then satellites per plane, then phasing; the numbers left free are tuned again.

Rounding everything at once leaves the constraints that were active; so each kind of number is fixed in turn, from the point that
the one before it led to. Few numbers are tried down and up in all combinations, many are rounded to the nearest, down and up; all
phasings are tried, for coverage has a minimum at nearly each.
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


def round_numbers(compiled: CompiledProblem, found: Solution, solver: Solver, frame: Frame) -> tuple[Solution, Floats]:
    """The best point with whole numbers near a relaxed one, and which coordinates stayed free, shape (free,)."""
    free = np.ones(len(found.coordinates), bool)
    one = dataclasses.replace(solver, method="slsqp", starts=1)
    best = found
    for quantity in (key for key, q in QUANTITIES.items() if q.whole):
        which = compiled.coordinates.whole(quantity)
        if not which:
            continue
        free[which] = False
        if quantity == "phasing":
            best = solve(compiled, _best_phasings(compiled, best.coordinates, which, frame), one, frame, free)
            continue
        tried = [solve(compiled, start, one, frame, free) for start in _ways(compiled, best.coordinates, which)]
        best = min(tried, key=lambda s: s.rank)
    return best, free


def _ways(compiled: CompiledProblem, point: Floats, which: list[int]) -> Iterator[Floats]:
    """Points with some coordinates at whole numbers within their bounds."""
    values = compiled.coordinates.values(point)
    low = np.array([max(np.floor(values[k] + 1e-6), np.ceil(compiled.coordinates.free[k].low)) for k in which])
    high = np.array([min(np.ceil(values[k] - 1e-6), np.floor(compiled.coordinates.free[k].high)) for k in which])
    high = np.maximum(low, high)
    if len(which) <= _ALL_WAYS:
        choices = {tuple(c) for c in product(*zip(low, high, strict=True))}
    else:
        choices = {tuple(low), tuple(high), tuple(np.clip(np.rint(values[which]), low, high))}
    for choice in sorted(choices):
        yield _with(compiled, point, which, choice)


def _best_phasings(compiled: CompiledProblem, point: Floats, which: list[int], frame: Frame) -> Floats:
    """One phasing after another at the whole number that serves best, the others staying."""

    def penalised(point: jax.Array) -> jax.Array:
        f, g = compiled.merit(point, frame)
        return f + _PENALTY * jnp.sum(jnp.maximum(0.0, -g))

    with x64():
        many = jax.jit(jax.vmap(penalised))
        for k in which:
            free = compiled.coordinates.free[k]
            planes = int(min(np.asarray(frame.base.planes)[list(free.shells)]))
            whole = np.arange(np.ceil(free.low), min(np.floor(free.high), planes - 1) + 1.0)
            points = np.array([_with(compiled, point, [k], (v,)) for v in whole])
            values = np.asarray(many(jnp.asarray(points)))
            compiled.evaluations += len(points)
            point = points[int(np.argmin(values))]
    return point


def _with(compiled: CompiledProblem, point: Floats, which: list[int], values: tuple[float, ...]) -> Floats:
    moved = point.copy()
    for k, value in zip(which, values, strict=True):
        moved[k] = compiled.coordinates.coordinate(k, value)
    return moved
