"""Every compiled function lowers for CUDA and TPU too, keeps to its precision, and never calls back to the host.

Lowering needs no such device: it shows what a compiler there would be given. It does not show that it runs, or how fast.
To add a function, add a line to `KERNELS`.
"""

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export

import constellation_jax as cj
from constellation_jax.engine import state_variables
from constellation_jax.engine.grid import kernels as grid
from constellation_jax.engine.grid.kernels import Attitude, CallInstants
from constellation_jax.engine.jacobians import kernels as jacobian_tiles
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.tiles import Outputs
from constellation_jax.physics.constants import WGS72
from constellation_jax.physics.numerics.fastmath import sincos
from constellation_jax.physics.sgp4.sgp4 import orbit_at

WIDTH = 8
PLATFORMS = ("cuda", "tpu")


class Kernel(NamedTuple):
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    static: dict[str, Any] = {}  # noqa: RUF012  # never changed
    dtype: str = "float64"


def _column(*shape: int) -> Any:
    return jax.ShapeDtypeStruct(shape or (WIDTH,), jnp.float64)


ELEMENTS = cj.Elements(*[_column()] * 9)
STATES = (*state_variables.POSITION, *state_variables.VELOCITY)
GEODETIC = (*state_variables.POSITION, "altitude", "latitude", "longitude", "mean_altitude", "decay_rate")


PLAIN, ECCENTRIC, DEEP = NearEarthRegime(WGS72, small_eccentricity=True), NearEarthRegime(WGS72), DeepSpaceRegime(WGS72)
TABLE_LENGTH = 4


@cache
def _coefficients(regime: Regime) -> Any:
    return jax.eval_shape(regime.initialise, ELEMENTS)


def _cast(tree: Any, dtype: str) -> Any:
    floating = partial(jnp.issubdtype, arg2=jnp.floating)
    return jax.tree.map(lambda v: jax.ShapeDtypeStruct(v.shape, dtype if floating(v.dtype) else v.dtype), tree)


def _call(frame: str, variables: tuple[str, ...], regime: Regime, precision: str = "float64") -> Kernel:
    """A whole call of the engine; in float32 it anchors in float64 first."""
    chunks, instants = 2, 4
    times = _cast((_column(chunks, instants), Attitude(*[_column(chunks, instants, 3, 3)] * 2)), precision)
    static = {"frame": frame, "variables": variables, "dtype": precision, "precision": precision}
    length = TABLE_LENGTH if regime is DEEP else 0
    function = partial(grid.evaluate_call, regime=regime, table_length=length, most_steps=2 * length, **static)
    arguments = (_coefficients(regime), (_column(), _column()), CallInstants(_column(chunks, 2), *times))
    return Kernel(jax.jit(function), arguments, {}, "mixed" if precision == "float32" else precision)


def _grid(frame: str, variables: tuple[str, ...], regime: Regime) -> Kernel:
    """The part of a call that does all the work, in float32 alone."""
    instants = 4
    function = partial(grid.evaluate, regime=regime, variables=variables, frame=frame)
    arguments = (_coefficients(regime), _column(), _column(instants), Attitude(*[_column(instants, 3, 3)] * 2))
    return Kernel(jax.jit(function), _cast(arguments, "float32"), {}, "float32")


def _changes(coefficients: Any) -> Any:
    return jax.tree.map(lambda v: _column(7, *v.shape), coefficients)


def _jacobian(regime: Regime, dtype: str = "float64") -> Kernel:
    coefficients = _coefficients(regime)
    shape = (jacobian_tiles.CHUNK, WIDTH)
    out = Outputs(_column(len(jacobian_tiles.VARIABLES), *shape), jax.ShapeDtypeStruct(shape, jnp.int8))
    rows = jax.ShapeDtypeStruct((), jnp.int32)
    arguments = (coefficients, _changes(coefficients), _column(), _column(jacobian_tiles.CHUNK), rows, out)
    function = partial(jacobian_tiles.fill, regime=regime, table_length=TABLE_LENGTH)
    return Kernel(jax.jit(function), _cast(arguments, dtype), {}, dtype)


def _state_at(regime: str | None) -> Kernel:
    coefficients = jax.eval_shape(partial(cj.sgp4.initialise, regime=regime), ELEMENTS)
    return Kernel(jax.jit(lambda c, t: cj.sgp4.state_at(c, t)), (coefficients, _column()))


def _gradient(elements: Any, minutes: Any) -> Any:
    return jax.grad(lambda e: orbit_at(cj.sgp4.initialise(e, regime="near_earth"), minutes).x.sum())(elements)


KERNELS: dict[str, Callable[[], Kernel]] = {
    **{
        f"{name} {frame} {what} {'plain' if regime is PLAIN else 'eccentric'}": partial(make, frame, variables, regime)
        for name, make in (("call", _call), ("grid", _grid))
        for frame, what, variables in (("teme", "state", STATES), ("itrs", "geodetic", GEODETIC))
        for regime in (PLAIN, ECCENTRIC)
    },
    "call float32": partial(_call, "teme", STATES, PLAIN, "float32"),
    "call deep teme state": partial(_call, "teme", STATES, DEEP),
    "call deep itrs geodetic": partial(_call, "itrs", GEODETIC, DEEP),
    "attitude": lambda: Kernel(jax.jit(state_variables.attitude), (_column(4),) * 3),
    **{
        f"jacobians near {dtype} {'plain' if regime is PLAIN else 'eccentric'}": partial(_jacobian, regime, dtype)
        for dtype in ("float64", "float32")
        for regime in (PLAIN, ECCENTRIC)
    },
    "jacobians deep": partial(_jacobian, DEEP),
    **{
        f"coefficients_and_changes, {regime.name}": lambda regime=regime: Kernel(
            jacobian_tiles.coefficients_and_changes, (ELEMENTS,), {"regime": regime}
        )
        for regime in (PLAIN, DEEP)
    },
    "jacobians on a grid about anchors": lambda: Kernel(
        jax.jit(partial(jacobian_tiles.evaluate, regime=PLAIN, table_length=0)),
        (_coefficients(PLAIN), _changes(_coefficients(PLAIN)), _column(), _cast(_column(4), "float32")),
        dtype="mixed",
    ),
    **{
        f"sgp4.initialise {regime}": lambda regime=regime: Kernel(
            jax.jit(partial(cj.sgp4.initialise, regime=regime)), (ELEMENTS,)
        )
        for regime in ("near_earth", "deep_space", None)
    },
    **{f"sgp4.state_at {regime}": partial(_state_at, regime) for regime in ("near_earth", "deep_space", None)},
    "gradient of a near-Earth orbit": lambda: Kernel(jax.jit(_gradient), (ELEMENTS, _column())),
}


@pytest.mark.parametrize("name", KERNELS)
def test_lowers_for_every_accelerator_in_its_own_precision(name: str) -> None:
    kernel = KERNELS[name]()
    traced = kernel.function.trace(*kernel.arguments, **kernel.static)
    kinds = {variable.aval.dtype for equation in _equations(traced.jaxpr.jaxpr) for variable in equation.outvars}
    for dtype, other in (("float32", "float64"), ("float64", "float32")):
        assert kernel.dtype != dtype or jnp.dtype(other) not in kinds
    names = {equation.primitive.name for equation in _equations(traced.jaxpr.jaxpr)}
    assert not {name for name in names if "callback" in name or name in ("infeed", "outfeed")}
    # 64-bit arithmetic is lowered for TPU as well; the compiler there emulates it
    exported = export.export(kernel.function, platforms=PLATFORMS)(*kernel.arguments, **kernel.static)
    assert exported.platforms == PLATFORMS


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_sine_and_cosine_are_the_platforms_own_but_on_a_cpu(dtype: str) -> None:
    angle = jax.ShapeDtypeStruct((WIDTH,), jnp.dtype(dtype))
    for platform, own in (("cpu", False), ("cuda", True), ("tpu", True)):
        text = export.export(jax.jit(sincos), platforms=(platform,))(angle).mlir_module()
        assert ("stablehlo.sine" in text) is own, platform
        assert ("stablehlo.cosine" in text) is own, platform


def test_the_walk_sees_inside_loops_and_branches() -> None:
    """The checks above rest on this."""

    def hidden(x: jax.Array) -> jax.Array:
        def body(_: jax.Array, x: jax.Array) -> jax.Array:
            return jax.lax.cond(x[0] > 0, lambda x: x.astype(jnp.float64).astype(jnp.float32), lambda x: x, x)

        return jax.lax.fori_loop(0, 3, body, x)

    traced = jax.jit(hidden).trace(np.ones(3, np.float32))
    assert jnp.dtype("float64") in {v.aval.dtype for e in _equations(traced.jaxpr.jaxpr) for v in e.outvars}


def _equations(jaxpr: Any) -> Iterator[Any]:
    """Those of a jaxpr and of every jaxpr inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for parameter in equation.params.values():
            for inner in parameter if isinstance(parameter, (tuple, list)) else (parameter,):
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)
