"""Solvers of tuning problems: scipy's SLSQP and trust-constr, and optax's Adam and L-BFGS from many starts at once.

scipy takes the coordinates as they are, with their bounds and the exact derivatives of objective and constraints. optax knows
neither bounds nor constraints: its coordinates go through a sigmoid, its constraints through an augmented Lagrangian (Nocedal &
Wright 2006, section 17.4). Multipliers and the residual of the Karush-Kuhn-Tucker conditions come from the derivatives at the final
point, so that they mean the same for every solver.
"""

from __future__ import annotations

import dataclasses
import hashlib
import pickle
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from scipy import optimize
from scipy.stats import qmc

from constellation_jax.engine.precision import x64
from constellation_jax.errors import InputError
from constellation_jax.inputs.tuning.problem import Solver
from constellation_jax.outputs.blocks import cut
from constellation_jax.studies.cluster import do_tasks
from constellation_jax.studies.tuning.design import Floats
from constellation_jax.studies.tuning.problem import CompiledProblem, Evaluation, Frame

TOLERANCE: Final = 1e-6
"""Violation of a constraint, as a part of its limit, that counts as none."""
RESIDUAL: Final = 1e-3
"""Scaled residual of the Karush-Kuhn-Tucker conditions (`compute_multipliers`) up to which a point counts as an optimum."""
_OUTER: Final = 12
"""Rounds of the augmented Lagrangian, between which multipliers and stiffness are updated."""
_INNER: Final = {"adam": 120, "lbfgs": 25}
"""Steps of each optax method in a round."""
_LOOSE: Final = 1e-3
"""Violation that an augmented Lagrangian leaves, as a part of the limit."""
_STIFFEST: Final = 40.0
"""Weight of a squared violation: multipliers do the rest, and beyond 80 Adam jumps off the constraint again."""
_STARTS_TOGETHER: Final = 32
"""Starts of one program of optax, and of one task of a cluster."""
_EDGE: Final = 1e-3
"""Nearest to a bound that a start may be: the sigmoid is flat there."""


class Step(NamedTuple):
    """Objective and largest violation at one evaluation of a run."""

    objective: float
    violation: float
    """Part of the limit; 0 where all constraints are met."""


class Solution(NamedTuple):
    """Point at which a solver ended, with multipliers and the history of the run."""

    coordinates: Floats
    """Coordinates of the point, shape (free,)."""
    at: Evaluation
    """Objective, constraints and derivatives there."""
    multipliers: Floats
    """Lagrange multipliers of the margins, shape (rows,), 0 or above."""
    residual: float
    """Residual of the Karush-Kuhn-Tucker conditions, scaled as `compute_multipliers` says."""
    converged: bool
    """True where the constraints are met and the solver or the residual says that it is an optimum."""
    message: str
    """Message of the solver."""
    history: list[Step]
    """Evaluations in their order."""
    iterations: int
    """Number of iterations of the solver."""

    @property
    def violation(self) -> float:
        return measure_violation(self.at)

    @property
    def rank(self) -> tuple[bool, float]:
        """Sort key, the best first: see `make_rank`."""
        return make_rank(self.at)


def measure_violation(at: Evaluation) -> float:
    """Measure the largest violation of a constraint, as a part of its limit; 0 where all are met."""
    return float(max(0.0, -at.constraints.min())) if len(at.constraints) else 0.0


def make_rank(at: Evaluation) -> tuple[bool, float]:
    """Make a sort key, the best first: points that meet the constraints by objective, then the others by violation."""
    missed = measure_violation(at)
    return (missed > TOLERANCE, missed if missed > TOLERANCE else at.objective)


def solve(
    compiled: CompiledProblem, begin: Floats, solver: Solver, frame: Frame | None = None, free: Floats | None = None
) -> Solution:
    """Find the best point from one start, or from several.

    Args:
        begin: coordinates of the first start, shape (free,).
        frame: inputs that stay fixed; those of the problem if not given.
        free: mask of the coordinates that may move, shape (free,); all if not given.
    """
    frame = compiled.frame if frame is None else frame
    mask = np.ones(len(begin), bool) if free is None else np.asarray(free, bool)
    if not mask.any():
        return _Cache(compiled, begin, frame, mask).make_solution(begin, True, "nothing is free", 0)
    if solver.method in _INNER:
        return _solve_by_optax(
            compiled, _make_starts(begin, solver, mask), solver, frame, mask, _OUTER, _INNER[solver.method]
        )
    starts = [begin]
    if solver.starts > 1:
        rough = dataclasses.replace(solver, method="adam")
        starts += _choose_apart(_run_optax(compiled, _make_starts(begin, solver, mask), rough, frame, mask, 3, 40))
    found: list[Solution] = _for_each(compiled, _solve_by_scipy, (solver, frame, mask), starts)
    return min(found, key=lambda s: s.rank)


def restore(compiled: CompiledProblem, begin: Floats, frame: Frame, free: Floats | None = None) -> Solution:
    """Find the point at which the largest violation is least: minimise t with every margin + t at least 0 (elastic mode)."""
    mask = np.ones(len(begin), bool) if free is None else np.asarray(free, bool)
    at = _Cache(compiled, begin, frame, mask)
    k = int(mask.sum())
    start = np.append(begin[mask], measure_violation(at(begin[mask])))
    result = optimize.minimize(
        lambda x: x[-1],
        start,
        jac=lambda x: np.append(np.zeros(k), 1.0),
        bounds=[*zip(frame.low[mask], frame.high[mask], strict=True), (0.0, None)],
        constraints={
            "type": "ineq",
            "fun": lambda x: at(x[:-1]).constraints + x[-1],
            "jac": lambda x: np.column_stack([at(x[:-1]).jacobian[:, mask], np.ones(len(compiled.rows))]),
        },
        method="SLSQP",
        options={"maxiter": 200, "ftol": 1e-10},
    )
    at(result.x[:-1])
    return at.make_solution(at.choose_best(), bool(result.success), str(result.message), int(result.nit))


def compute_multipliers(
    at: Evaluation, coordinates: Floats, free: Floats, amount: float, near: float = 1e-4
) -> tuple[Floats, float]:
    """Fit the gradient of the objective by those of active constraints and bounds, with multipliers of 0 or above (least squares).

    Args:
        at, coordinates, free: the point, as in `Solution` and `solve`.
        amount: sum of the amounts of the objectives, as weighed.
        near: margin up to which a constraint is active.

    Returns:
        Multipliers of the rows, shape (rows,), and the norm of the unfitted rest: as a part of that of the gradient, or of
        `amount` where that is larger. (At an optimum that nothing holds, all of the gradient is rest. Coordinates go from 0 to 1,
        so that a gradient of `amount` would change the objective by all of itself between the bounds.)
    """
    gradient = at.gradient[free]
    x = coordinates[free]
    active = np.flatnonzero(at.constraints <= near)
    low, high = np.flatnonzero(x <= 1e-6), np.flatnonzero(x >= 1.0 - 1e-6)
    unit = np.eye(len(x))
    columns = np.concatenate([at.jacobian[active][:, free], unit[low], -unit[high]]).T
    result = np.zeros(len(at.constraints))
    left = float(np.linalg.norm(gradient))
    size = max(left, amount)
    if columns.shape[1] and left > 0.0:
        found, left = optimize.nnls(columns, gradient)
        result[active] = found[: len(active)]
    return result, float(left) / size if size > 0.0 else 0.0


class _Cache:
    """Cache of the evaluations of one solver run, as scipy asks for values and derivatives of a point one after the other."""

    def __init__(self, compiled: CompiledProblem, begin: Floats, frame: Frame, free: Floats) -> None:
        self.compiled, self.whole, self.frame, self.free = compiled, np.array(begin, float), frame, free
        self.history: list[Step] = []
        self._known: dict[bytes, tuple[Floats, Evaluation]] = {}

    def __call__(self, x: Floats) -> Evaluation:
        point = self.whole.copy()
        point[self.free] = np.clip(x, self.frame.low[self.free], self.frame.high[self.free])
        key = point.tobytes()
        if key not in self._known:
            at = self.compiled.evaluate(point, self.frame)
            self._known[key] = (point, at)
            self.history.append(Step(at.objective, measure_violation(at)))
        return self._known[key][1]

    def choose_best(self) -> Floats:
        """Choose the best of the points evaluated."""
        return min(self._known.values(), key=lambda entry: make_rank(entry[1]))[0]

    def make_solution(self, point: Floats, success: bool, message: str, iterations: int) -> Solution:
        """Make the solution of a run that ended at a point."""
        at = self.compiled.evaluate(point, self.frame)
        amount = self.compiled.measure_objectives(at, self.frame)
        found, residual = compute_multipliers(at, point, self.free, amount)
        converged = measure_violation(at) <= TOLERANCE and (success or residual <= RESIDUAL)
        return Solution(point, at, found, residual, converged, message, self.history, iterations)


def _for_each(
    compiled: CompiledProblem, work: Callable[..., Any], inputs: tuple[Any, ...], starts: list[Floats]
) -> Any:
    """Solve from each start by `work(compiled, *inputs, start)`, on the cluster of the problem where it has one."""
    if compiled.client is None or len(starts) == 1:
        return [work(compiled, *inputs, start) for start in starts]
    frame = compiled.frame
    shared = compiled.problem, frame.base, frame.surroundings, work, inputs
    done = dict(do_tasks(compiled.client, _solve_in_worker, shared, starts))
    compiled.evaluations += sum(evaluations for evaluations, _ in done.values())
    return [done[k][1] for k in range(len(starts))]


_COMPILED: dict[bytes, CompiledProblem] = {}
"""Problem that this worker is busy with."""


def _solve_in_worker(shared: tuple[Any, ...], start: Floats) -> tuple[int, Any]:
    """Solve a part of a problem in a worker; return the number of evaluations and the solution."""
    *inputs_of_problem, work, inputs = shared
    key = hashlib.sha256(pickle.dumps(inputs_of_problem)).digest()
    if key not in _COMPILED:
        _COMPILED.clear()
        _COMPILED[key] = CompiledProblem(*inputs_of_problem)
    compiled = _COMPILED[key]
    before = compiled.evaluations
    found = work(compiled, *inputs, start)
    return compiled.evaluations - before, found


def _solve_by_scipy(compiled: CompiledProblem, solver: Solver, frame: Frame, free: Floats, begin: Floats) -> Solution:
    at = _Cache(compiled, begin, frame, free)
    rows = len(compiled.rows)
    common: dict[str, Any] = {
        "fun": lambda x: at(x).objective,
        "x0": begin[free],
        "jac": lambda x: at(x).gradient[free],
        "bounds": optimize.Bounds(frame.low[free], frame.high[free], keep_feasible=True),
    }
    margins: dict[str, Callable[[Floats], Floats]] = {
        "fun": lambda x: at(x).constraints,
        "jac": lambda x: at(x).jacobian[:, free],
    }
    if solver.method == "slsqp":
        result = optimize.minimize(
            **common,
            method="SLSQP",
            constraints={"type": "ineq", **margins} if rows else (),
            options={"maxiter": solver.iterations, "ftol": solver.tolerance},
        )
    else:
        constraint = optimize.NonlinearConstraint(
            margins["fun"], 0.0, np.inf, jac=margins["jac"], hess=optimize.BFGS(), keep_feasible=False
        )
        result = optimize.minimize(
            **common,
            method="trust-constr",
            hess=optimize.BFGS(),
            constraints=[constraint] if rows else [],
            options={"maxiter": solver.iterations, "gtol": solver.tolerance, "xtol": solver.tolerance},
        )
    at(result.x)
    return at.make_solution(at.choose_best(), bool(result.success), str(result.message), int(result.nit))


def _make_starts(begin: Floats, solver: Solver, free: Floats) -> Floats:
    """Make the starts: the problem's own, then points of a Sobol sequence between the bounds. Shape (starts, free)."""
    points = np.tile(begin, (solver.starts, 1))
    if solver.starts > 1:
        sequence = qmc.Sobol(int(free.sum()), seed=solver.seed)
        points[1:, free] = sequence.random(1 << (solver.starts - 1).bit_length())[: solver.starts - 1]
    return points


class _Ends(NamedTuple):
    """Points at which the runs from each start ended, arrays of shape (starts, ...)."""

    points: Floats
    objectives: Floats
    violations: Floats
    history: Floats
    """Objective and violation at each step, shape (steps, starts, 2)."""


def _choose_apart(found: _Ends, wanted: int = 3) -> list[Floats]:
    """Choose the few best ends that lie apart from each other."""
    order = np.lexsort((found.objectives, np.where(found.violations > 1e-2, found.violations, 0.0)))
    chosen: list[Floats] = []
    for k in order:
        if len(chosen) < wanted and all(np.abs(found.points[k] - other).max() > 0.02 for other in chosen):
            chosen.append(found.points[k])
    return chosen


def _solve_by_optax(
    compiled: CompiledProblem, starts: Floats, solver: Solver, frame: Frame, free: Floats, outer: int, inner: int
) -> Solution:
    found = _run_optax(compiled, starts, solver, frame, free, outer, inner)
    # violations up to _LOOSE count as none: an augmented Lagrangian reduces them further with more rounds
    k = int(np.lexsort((found.objectives, np.where(found.violations > _LOOSE, found.violations, 0.0)))[0])
    history = [Step(float(f), float(v)) for f, v in found.history[:, k]]
    at = compiled.evaluate(found.points[k], frame)
    by, residual = compute_multipliers(at, found.points[k], free, compiled.measure_objectives(at, frame), _LOOSE)
    settled = measure_violation(at) <= _LOOSE and residual <= 50.0 * RESIDUAL
    message = f"{solver.method}: {outer} rounds of {inner} steps from {len(starts)} starts"
    return Solution(found.points[k], at, by, residual, settled, message, history, outer * inner)


def _run_optax(
    compiled: CompiledProblem, starts: Floats, solver: Solver, frame: Frame, free: Floats, outer: int, inner: int
) -> _Ends:
    """Minimise the augmented Lagrangian from all starts, some at once (vmap): as many wherever it is done."""
    parts = [starts[rows] for rows in cut(len(starts), _STARTS_TOGETHER)]
    found = _for_each(compiled, _run_some, (solver, frame, free, outer, inner), parts)
    points, objectives, violations, histories = zip(*found, strict=True)
    ends = [np.concatenate(each) for each in (points, objectives, violations)]
    joined = _Ends(ends[0], ends[1], ends[2], np.concatenate(histories, axis=1))
    for k in np.flatnonzero(~np.isfinite(joined.objectives)):
        compiled.evaluate(np.nan_to_num(starts[k]), frame)  # says which term it is, where it is one at the start
        raise InputError(
            f"tuning problem {compiled.problem.name!r}: {solver.method} left the numbers from start {k + 1}; try slsqp"
        )
    return joined


def _run_some(
    compiled: CompiledProblem, solver: Solver, frame: Frame, free: Floats, outer: int, inner: int, starts: Floats
) -> _Ends:
    """Minimise the augmented Lagrangian from some starts at once."""
    optax = import_optax(solver.method)
    mask = jnp.asarray(free)
    method = optax.adam(optax.cosine_decay_schedule(0.05, inner)) if solver.method == "adam" else optax.lbfgs()

    def lagrangian(z: Array, fixed: Array, mu: Array, rho: Array) -> tuple[Array, tuple[Array, Array]]:
        point = jnp.where(mask, jax.nn.sigmoid(z), fixed)
        f, g = compiled.compute_merit(point, frame)
        slack = jnp.maximum(0.0, mu - rho * g)
        return f + jnp.sum(slack**2 - mu**2) / (2.0 * rho), (f, g)

    def one(begin: Array) -> tuple[Array, Array, Array, Array]:
        inside = jnp.clip(begin, _EDGE, 1.0 - _EDGE)
        z = jnp.log(inside) - jnp.log1p(-inside)

        def round_(carry: tuple[Array, Array, Array], _: None) -> Any:
            z, mu, rho = carry

            def value(z: Array) -> Array:
                return lagrangian(z, begin, mu, rho)[0]

            def step(carry: Any, _: None) -> Any:
                z, state = carry
                (value_, (f, g)), gradient = jax.value_and_grad(lagrangian, has_aux=True)(z, begin, mu, rho)
                gradient = jnp.where(mask, gradient, 0.0)
                extra = {} if solver.method == "adam" else {"value": value_, "grad": gradient, "value_fn": value}
                update, state = method.update(gradient, state, z, **extra)
                return (z + update, state), jnp.stack([f, jnp.max(-g, initial=0.0)])

            (z, _last), way = jax.lax.scan(step, (z, method.init(z)), None, length=inner)
            g = lagrangian(z, begin, mu, rho)[1][1]
            return (z, jnp.maximum(0.0, mu - rho * g), jnp.minimum(rho * 2.0, _STIFFEST)), way

        carry = (z, jnp.zeros(len(compiled.rows)), jnp.asarray(10.0))
        (z, mu, rho), way = jax.lax.scan(round_, carry, None, length=outer)
        _, (f, g) = lagrangian(z, begin, mu, rho)
        return jnp.where(mask, jax.nn.sigmoid(z), begin), f, jnp.max(-g, initial=0.0), way.reshape(-1, 2)

    # optax mixes integers of 32 and 64 bits, which a process may have forbidden
    with x64(), jax.numpy_dtype_promotion("standard"):
        points, f, missed, way = (np.asarray(v) for v in jax.jit(jax.vmap(one))(jnp.asarray(starts)))
    compiled.evaluations += len(starts) * outer * inner  # L-BFGS: its line searches come on top
    return _Ends(points, f, missed, way.swapaxes(0, 1))


def import_optax(method: str) -> Any:
    """Import the module optax.

    Raises:
        InputError: it is not installed.
    """
    try:
        import optax
    except ImportError:
        install = "install it with pip install 'constellation-jax[tune]', or take slsqp with one start"
        raise InputError(f"method {method!r}: needs the package optax; {install}") from None
    return optax
