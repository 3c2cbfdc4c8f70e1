"""Programs that the package gives a GPU, with the sizes of real runs, for `compiler.compile_for`."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache, partial
from typing import Any, Final

import jax
import jax.numpy as jnp
import numpy as np

from constellation_jax.engine.decay import engine as decay
from constellation_jax.engine.decay import integrator
from constellation_jax.engine.decay.integrator import AtmosphereSeries, Course
from constellation_jax.engine.grid import kernels
from constellation_jax.engine.grid.failures import Marks
from constellation_jax.engine.grid.kernels import Attitude, CallInstants
from constellation_jax.engine.grid.program import BlockInstants, GridProgram, Part, RegimeCode
from constellation_jax.engine.jacobians import kernels as jacobians
from constellation_jax.engine.precision import x64
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.screening import vectorised
from constellation_jax.engine.state_variables import GEODETIC, POSITION, VELOCITY
from constellation_jax.inputs.shells.shell import Spacecraft
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.physics.constants import MINUTES_PER_DAY, WGS72
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.physics.merit.conjunction_rate import ConjunctionBackground
from constellation_jax.physics.merit.drag import DragTable, LifetimeTable
from constellation_jax.physics.sgp4 import sgp4
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.studies.tuning.design import make_design
from constellation_jax.studies.tuning.objective import DesignMerit, Surroundings, compute_term
from constellation_jax.studies.tuning.problem import list_terms

INSTANTS: Final = 128
NEAR, DEEP = 32768, 1024
"""Satellites of a program of near-Earth and of deep-space orbits."""
Builder = Callable[[], tuple[Callable[..., Any], tuple[Any, ...]]]
"""Makes a function and its arguments, `jax.ShapeDtypeStruct`s or pytrees of them."""

STATE: Final = (*POSITION, *VELOCITY)
_FARTHEST: Final = 10.0 * MINUTES_PER_DAY
"""Minutes from the epochs: they decide how many steps the resonances of deep space take."""
_CIRCULAR: Final = NearEarthRegime(WGS72, small_eccentricity=True)
_ECCENTRIC: Final = NearEarthRegime(WGS72)
_DEEP: Final = DeepSpaceRegime(WGS72)


@dataclasses.dataclass(frozen=True)
class GpuProgram:
    """Program of the package."""

    build: Builder
    work: int
    """States of a call, or what `unit` says."""
    unit: str = "state"
    is_float32: bool = False
    """True where no float64 belongs."""
    is_users: bool = False
    """True where a user calls it, without 64 bits, unlike the engines."""


def _shape(*shape: int, dtype: Any = jnp.float64) -> Any:
    return jax.ShapeDtypeStruct(shape, dtype)


def _as_float32(tree: Any) -> Any:
    return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, jnp.float32), tree)


@cache
def _coefficients(regime: Regime, *shape: int) -> Any:
    with x64():
        return jax.eval_shape(regime.initialise, Elements(*[_shape(*shape)] * 9))


def _grid(
    regime: Regime,
    variables: tuple[str, ...] = STATE,
    frame: str = "teme",
    dtype: Any = jnp.float32,
    turns: bool = False,
) -> GpuProgram:
    """Near-Earth states of a tile; in float32 about anchors."""

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        cast = _as_float32 if dtype == jnp.float32 else lambda tree: tree
        matrices = _shape(1, INSTANTS, 3, 3, dtype=dtype)
        attitude = (Attitude(matrices, matrices),) if turns else ()
        arguments = (
            cast(_coefficients(regime, 1, NEAR)),
            _shape(1, NEAR, dtype=dtype),
            _shape(1, INSTANTS, dtype=dtype),
            *attitude,
        )
        return partial(kernels.evaluate, regime=regime, variables=variables, frame=frame), arguments

    return GpuProgram(build, INSTANTS * NEAR, is_float32=dtype == jnp.float32)


def _anchors() -> GpuProgram:
    """Coefficients of a catalogue about the anchors of a day and a half of one-minute steps."""
    chunks = 16

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return partial(kernels.anchor, regime=_CIRCULAR), (_coefficients(_CIRCULAR, NEAR), _shape(chunks, NEAR))

    return GpuProgram(build, chunks * NEAR, "anchor")


def _call(regime: Regime, satellites: int, precision: str) -> GpuProgram:
    """A call of the engine: anchors or the table of resonances, then all states of a tile."""

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        instants = CallInstants(_shape(1, 2), _shape(1, INSTANTS, dtype=precision), None)
        steps: Any = {"table_length": regime.table_length(float(INSTANTS)), "most_steps": regime.most_steps(_FARTHEST)}
        function = partial(
            kernels.evaluate_call,
            regime=regime,
            precision=precision,
            variables=STATE,
            frame="teme",
            dtype=precision,
            **steps,
        )
        return function, (_coefficients(regime, satellites), (_shape(satellites), _shape(satellites)), instants)

    return GpuProgram(build, INSTANTS * satellites)


def _jacobians(regime: Regime, satellites: int, dtype: Any) -> GpuProgram:
    """States and their derivatives of a tile, with the anchors of float32."""

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        coefficients = _coefficients(regime, satellites)
        changes = jax.tree.map(lambda v: _shape(len(jacobians.ELEMENTS), *v.shape), coefficients)
        arguments = (coefficients, changes, _shape(satellites), _shape(jacobians.CHUNK, dtype=dtype))
        steps: dict[str, Any] = {
            "table_length": regime.table_length(float(jacobians.CHUNK)),
            "most_steps": regime.most_steps(_FARTHEST),
        }
        return partial(jacobians.evaluate, regime=regime, **steps), arguments

    return GpuProgram(build, jacobians.CHUNK * satellites)


def _states() -> GpuProgram:
    """`cj.states` in float32 of a catalogue of today: most satellites circular and safe, some that may fail, some in deep space."""
    instants, chunks = 1440, 3
    counts = {_CIRCULAR: 15000, _ECCENTRIC: 500, _DEEP: 800}
    day = float(instants)

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        codes, parts = [], []
        for regime, count in counts.items():
            is_first = regime is _CIRCULAR
            marks = None if is_first else Marks(*[_shape(count, dtype=jnp.int32)] * len(Marks._fields))
            columns = None if is_first else _shape(count, dtype=jnp.int32)
            parts.append(Part(_coefficients(regime, count), _shape(count), _shape(count), columns, marks))
            codes.append(RegimeCode(regime, not is_first, regime.table_length(day), regime.most_steps(_FARTHEST)))
        block = BlockInstants(
            _shape(dtype=jnp.int32),
            _shape(),
            _shape(),
            _shape(instants),
            _shape(chunks),
            _shape(chunks, instants // chunks),
            None,
        )
        program = GridProgram(tuple(codes), STATE, "teme", is_anchored=True, dtype="float32")
        return program.compute, (parts, block, [_shape(count, dtype=jnp.int8) for count in counts.values()])

    return GpuProgram(build, instants * counts[_CIRCULAR])


def _public_kernel(regime: Any, satellites: int) -> GpuProgram:
    """A user's `vmap` over instants and satellites of `cj.sgp4.state_at`, in float32."""

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        elements = _as_float32(Elements(*[_shape(satellites)] * 9))
        coefficients = jax.eval_shape(partial(sgp4.initialise, regime=regime), elements)
        function = jax.vmap(jax.vmap(sgp4.state_at, (0, None)), (None, 0))
        return function, (_as_float32(coefficients), _shape(INSTANTS, dtype=jnp.float32))

    return GpuProgram(build, INSTANTS * satellites, is_float32=True, is_users=True)


def _march(elliptic: bool) -> GpuProgram:
    """Decay of a whole catalogue over a part of the calendar."""
    steps, width = decay.PART_STEPS, decay.TILE[elliptic]["gpu"]

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        course = Course(_orbit(width), _shape(width), _orbit(width), _shape(width, dtype=jnp.bool_))
        arguments = (_series(steps), course, _shape(width), _shape(width), _shape(dtype=jnp.int32))
        return partial(integrator.march, keep=steps, elliptic=elliptic, in_kernel=True), arguments

    return GpuProgram(build, steps * width, "step")


def _fall(elliptic: bool) -> GpuProgram:
    """Re-entry of the satellites that have left the march."""
    steps, width = decay.FALL_PART, decay.TILE[elliptic]["gpu"]
    arguments = (_series(decay.SERIES_STEPS), _orbit(width), *[_shape(width)] * 3)
    function = partial(integrator.fall, steps=steps, elliptic=elliptic, in_kernel=True)
    return GpuProgram(lambda: (function, arguments), steps * width, "step")


def _orbit(width: int) -> MeanOrbit:
    return MeanOrbit(*[_shape(width)] * len(MeanOrbit._fields))


def _series(steps: int) -> AtmosphereSeries:
    return AtmosphereSeries(_shape(steps, 43, 43, dtype=jnp.float32), _shape(), _shape(), _shape())


def _close_pairs() -> GpuProgram:
    """Pairs that come close in the steps of a call among a catalogue of today with planned shells, two groups of it apart."""
    steps = vectorised.STEPS

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        capacities = vectorised.Capacities.guess(NEAR)
        numbers = [_shape(dtype=jnp.float32)] * 7
        arguments = (_shape(3, steps + 2, NEAR, dtype=jnp.float32), _shape(NEAR, dtype=jnp.uint32), *numbers)
        return partial(vectorised.search, groups=3, capacities=capacities), arguments

    return GpuProgram(build, steps * NEAR, "object step", is_float32=True)


def _tuning() -> GpuProgram:
    """Value and gradient of the sum of all terms of a tuning problem of twenty shells."""

    def build() -> tuple[Callable[..., Any], tuple[Any, ...]]:
        problem = load_tuning_problem("qianfan-layers")
        terms, count = list_terms(problem), len(problem.shells)
        craft = [shell.spacecraft for shell in problem.shells]
        names = [field.name for field in dataclasses.fields(Spacecraft)]
        stack: Any = {name: np.array([getattr(c, name) for c in craft], float) for name in names}
        zeros = np.zeros(count)

        def total(design: Any, drag: Any, lifetimes: Any, background: Any) -> Any:
            surroundings = Surroundings(
                Spacecraft(**stack), zeros, zeros + 0.0074, zeros + 0.0074, drag, lifetimes, background, {}, None, 0.0
            )
            merit = DesignMerit(design, surroundings, problem)
            return sum(jnp.sum(compute_term(term, merit)) for term in terms)

        knots = _shape(1, 13, 83)
        arguments = (
            jax.tree.map(lambda v: _shape(*np.shape(v)), make_design(problem.shells)),
            DragTable(knots, knots),
            LifetimeTable(knots, _shape(1, 13, 1, 143), _shape(2)),
            ConjunctionBackground(_shape(601, 361), _shape(), _shape()),
        )
        return jax.value_and_grad(total), arguments

    return GpuProgram(build, 1, "design")


PROGRAMS: Final[dict[str, GpuProgram]] = {
    "near-Earth": _grid(_CIRCULAR),
    "near-Earth, any eccentricity": _grid(_ECCENTRIC),
    "near-Earth, decay rates": _grid(_CIRCULAR, (*STATE, "mean_altitude", "decay_rate")),
    "near-Earth, ITRS": _grid(_CIRCULAR, STATE, "itrs", turns=True),
    "near-Earth, geodetic": _grid(_CIRCULAR, (*POSITION, *GEODETIC), "itrs", turns=True),
    "near-Earth, float64": _grid(_CIRCULAR, dtype=jnp.float64),
    "anchors of float32": _anchors(),
    "near-Earth, call of the engine": _call(_CIRCULAR, NEAR, "float32"),
    "deep space": _call(_DEEP, DEEP, "float64"),
    "Jacobians, near-Earth": _jacobians(_CIRCULAR, 8192, jnp.float32),
    "Jacobians, near-Earth, float64": _jacobians(_CIRCULAR, 8192, jnp.float64),
    "Jacobians, deep space": _jacobians(_DEEP, DEEP, jnp.float64),
    "states of a mixed catalogue": _states(),
    "decay, march": _march(elliptic=False),
    "decay, march of elliptic orbits": _march(elliptic=True),
    "decay, fall": _fall(elliptic=False),
    "decay, fall of elliptic orbits": _fall(elliptic=True),
    "close pairs": _close_pairs(),
    "tuning, value and gradient": _tuning(),
    "vmap of state_at, near-Earth": _public_kernel("near_earth", NEAR),
    "vmap of state_at, deep space": _public_kernel("deep_space", DEEP),
}
"""Programs by name, as in the table of docs/how-to/gpu.md."""
