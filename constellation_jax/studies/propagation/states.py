"""States as JAX arrays on the device: all at once, block by block, or reduced as they are made."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid.host import make_states_engine
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.grid.traced import trace_states
from constellation_jax.engine.memory import MEMORY_ERRORS, CallSize, is_out_of_memory, wait
from constellation_jax.engine.propagation.kernels import CHUNK
from constellation_jax.engine.propagation.options import Options
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.times import as_times
from constellation_jax.outputs.variables import LIFETIME
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.studies.propagation.propagate import make_grid, make_options, step_bytes, too_large

Carry = TypeVar("Carry")
BLOCK_BYTES = {"cpu": 128 * 2**20}
"""Largest size of the states of a block, by platform. CPU: larger ones are not quicker."""
OTHER_BLOCK_BYTES = 2**30
"""The same for each device of other platforms, if that is not more than an eighth of its free memory."""
_NAMES = tuple(field.name for field in dataclasses.fields(Elements))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class BlockTimes:
    """Instants of a block, as the function of `reduce` sees them; a pytree."""

    index: Array
    """Place of each instant in the times, int32, shape (rows,)."""
    minutes: Array
    """Minutes since the first of all instants, float64, shape (rows,)."""


def states(
    source: Catalog | Elements,
    times: ArrayLike,
    *,
    frame: str = "teme",
    precision: str = "float64",
    variables: str | Iterable[str] = ("position",),
    regime: str | ArrayLike | None = None,
    device: str | None = None,
) -> States:
    """Propagate satellites and return JAX arrays that stay on the device.

    The states are those of `propagate`, lasting failures included. With a catalogue, or elements whose numbers are known, they are
    computed in 64 bits or about 64-bit anchors whatever `jax_enable_x64`; near-Earth and deep-space satellites each by their own
    theory. On several devices the satellites are sharded, if their number can be divided by that of the devices.

    Inside jit, vmap and grad elements may be traced. All is then computed in the type of the elements: in float32 unless
    `jax_enable_x64` is on, which costs some 30 m at first, 0.3 km after a week and 1 km after four (low orbits). `regime` says
    which theory is theirs; without it both run for each satellite. Derivatives by the elements are exact, as those of `jacobians`.

    Args:
        source: a catalogue of n objects, or `Elements`: arrays of shape (n,), or scalars for states of shape (time,).
        times: instants (UTC) as for `propagate`, shape (m,), in any order; never traced.
        frame: as for `propagate`.
        precision: type of the arithmetic and of the result, as for `propagate`. JAX warns of float64 arrays in later computations
            unless `jax_enable_x64` is on.
        variables: groups as for `propagate`, without lifetime.
        regime: of traced elements: "near_earth", "deep_space", or a mask of shape (n,), True in deep space. Not used for others.
        device: platform as for `propagate`; traced elements are computed where the user's program runs.

    Raises:
        InputError: as for `propagate`; elements that are not finite or not of one shape; an unknown regime.
    """
    instants = as_times(times)
    elements, shape = _as_elements(source)
    options = _options(shape, frame, precision, variables, device)
    is_deep = _as_mask(regime, shape)
    order = np.argsort(instants, kind="stable")
    back = np.argsort(order) if np.any(np.diff(order) != 1) else None
    with _outside_traces():
        grid = make_grid(instants[order], options)
    if _is_traced(elements):
        found = trace_states(elements, grid, options, is_deep)
        return found if back is None else jax.tree.map(lambda v: v[back], found)
    with _outside_traces():
        engine = make_states_engine(elements, grid, options)
        try:
            found = engine.run(0, len(grid), back)
        except MEMORY_ERRORS as error:
            if is_out_of_memory(error):
                way_out = "go through blocks of them with stream or reduce, whose memory does not grow"
                raise too_large(len(grid), len(np.atleast_1d(elements.mean_motion)), options, way_out) from None
            raise
        return found if shape else jax.tree.map(lambda v: v[:, 0], found)


def stream(
    source: Catalog | Elements,
    times: ArrayLike,
    *,
    block: int | None = None,
    frame: str = "teme",
    precision: str = "float64",
    variables: str | Iterable[str] = ("position",),
    device: str | None = None,
) -> Iterator[tuple[NDArray[np.datetime64], States]]:
    """Propagate satellites block after block of time, each as by `states`: memory does not grow with the number of instants.

    Failures last from block to block. All blocks have one shape but for the last one. Where memory does not suffice for
    a block, a warning says so, and it and all later ones are halved.

    Args:
        source: a catalogue, or `Elements` whose numbers are known, arrays of shape (n,).
        times: as for `states`, but ascending.
        block: instants in a block; None: as many as 128 MiB hold on a CPU, and 1 GiB on each other device, or an eighth of its free
            memory. Two blocks may be there at a time, beside those that the caller keeps.
        others: as for `states`.

    Returns:
        Iterator over the instants of each block, datetime64 of shape (rows,), and their states.

    Raises:
        InputError: as for `states`, when called; times that do not ascend, traced elements, or a block below 1.
    """
    run = _BlockRun(source, times, block, frame, precision, variables, device)
    return run.iterate()


def reduce(
    source: Catalog | Elements,
    times: ArrayLike,
    function: Callable[[Carry, States, BlockTimes], Carry],
    initial: Carry,
    *,
    block: int | None = None,
    frame: str = "teme",
    precision: str = "float64",
    variables: str | Iterable[str] = ("position",),
    device: str | None = None,
) -> Carry:
    """Reduce the states of satellites on the device, block after block of time, to what a function makes of them.

    The function is compiled together with the propagation, so that no state leaves the device, and a block need not be in memory
    as a whole. The same function object is compiled once for each shape of a block, of which there are two at most. Where
    memory does not suffice, a warning says so, and all begins again with blocks half as long. The lowest altitude of each
    object::

        def lowest(least, states, times):
            return jnp.minimum(least, jnp.nanmin(states.altitude, axis=0))

        least = cj.reduce(catalog, times, lowest, np.full(len(catalog), np.inf), variables=("altitude",))

    Args:
        source: as for `stream`.
        times: as for `stream`.
        function: from the carry so far, the states of a block, and its `BlockTimes`, to the carry. Traced, in 64 bits whatever
            `jax_enable_x64`; the carry is brought back to the types of `initial`.
        initial: the first carry: an array, or a pytree of arrays.
        block: instants in a block, as for `stream`.
        others: as for `states`.

    Returns:
        The last carry, arrays on the device in the shapes and types of `initial`.

    Raises:
        InputError: as for `stream`; a function whose carry has another structure or shape than `initial`.
    """
    run = _BlockRun(source, times, block, frame, precision, variables, device)
    return cast(Carry, run.reduce(function, initial))


class _BlockRun:
    """Checked arguments of `stream` and `reduce`, with the engine."""

    def __init__(
        self,
        source: Catalog | Elements,
        times: ArrayLike,
        block: int | None,
        frame: str,
        precision: str,
        variables: str | Iterable[str],
        device: str | None,
    ) -> None:
        self._instants = as_times(times)
        if (np.diff(self._instants) < np.timedelta64(0, "ns")).any():
            raise InputError("times: not ascending; blocks go forward in time: sort them, or use `states`")
        elements, shape = _as_elements(source)
        if _is_traced(elements):
            raise InputError(
                "elements: traced; blocks need elements whose numbers are known: use `states` inside jit and grad"
            )
        if not shape:
            raise InputError("elements: found scalars, expected arrays of shape (satellites,)")
        options = _options(shape, frame, precision, variables, device)
        rows = min(_block_rows(shape[0], options) if block is None else _check_block(block), len(self._instants))
        with _outside_traces():
            self._grid = make_grid(self._instants, options)
            devices = Devices(options.platform)
            self._engine = make_states_engine(elements, self._grid, options, rows, devices)
        self._satellites, self._state_bytes = shape[0], options.state_bytes
        self._size = CallSize(rows * shape[0], devices.platform)

    def iterate(self) -> Iterator[tuple[NDArray[np.datetime64], States]]:
        """Compute block after block; where calls return before they are done, the next one is under way already."""
        start, under_way = 0, deque[tuple[int, int, Any, States]]()
        while under_way or start < len(self._instants):
            rows = self._rows
            try:
                if start < len(self._instants) and len(under_way) <= self._engine.is_asynchronous:
                    stop, codes = min(start + rows, len(self._instants)), self._engine.codes
                    under_way.append((start, stop, codes, self._engine.run(start, stop)))
                    start = stop
                    continue
                wait(under_way[0][-1])
            except MEMORY_ERRORS as error:
                self._halve(error, rows)
                if under_way:
                    start, _, self._engine.codes, _ = under_way[0]
                    under_way.clear()
                continue
            first, last, _, found = under_way.popleft()
            yield self._instants[first:last], found

    def reduce(self, function: Callable[[Any, States, BlockTimes], Any], initial: Any) -> Any:
        codes = self._engine.codes
        while True:
            rows = self._rows
            try:
                return wait(self._reduce(function, initial, rows))
            except MEMORY_ERRORS as error:  # what was reduced so far may be lost with it
                self._halve(error, rows)
                self._engine.codes = codes

    def _reduce(self, function: Callable[[Any, States, BlockTimes], Any], initial: Any, block: int) -> Any:
        with _outside_traces():
            carry = self._engine.put_carry(initial)
            for start in range(0, len(self._instants), block):
                rows = np.arange(start, min(start + block, len(self._instants)))
                known: Any = (rows.astype(np.int32), self._grid.minutes_since_first(rows))
                carry = self._engine.fold(function, carry, start, start + len(rows), BlockTimes(*known))
        return carry

    @property
    def _rows(self) -> int:
        """Instants in a block."""
        return self._size.most // self._satellites

    def _halve(self, error: Exception, rows: int) -> None:
        self._size.halve(error, rows * self._satellites, rows * self._satellites, self._satellites, self._state_bytes)


def _as_elements(source: Catalog | Elements) -> tuple[Elements, tuple[int, ...]]:
    """Elements in arrays of shape (satellites,), float64 on the host unless they are traced; and the shape that was given."""
    elements = source if isinstance(source, Elements) else source.elements
    leaves = {name: getattr(elements, name) for name in _NAMES}
    try:
        shape = np.broadcast_shapes(*(np.shape(leaf) for leaf in leaves.values()))
    except ValueError:
        shape = (-1, -1)
    if len(shape) > 1:
        found = ", ".join(str(np.shape(leaf)) for leaf in leaves.values())
        raise InputError(f"elements: found shapes {found}, expected one shape, () or (satellites,)")
    if _is_traced(elements):
        return elements, shape
    arrays = {name: np.broadcast_to(np.asarray(leaf, np.float64), shape or (1,)) for name, leaf in leaves.items()}
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            bad = int(np.argmin(np.isfinite(values)))
            raise InputError(f"elements: {name} of satellite {bad} is {values[bad]}, expected a number")
    return Elements(**arrays), shape


def _is_traced(elements: Elements) -> bool:
    return any(isinstance(getattr(elements, name), jax.core.Tracer) for name in _NAMES)


def _as_mask(regime: str | ArrayLike | None, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
    """True for satellites in deep space, shape (satellites,); None where the regime is to be found."""
    if regime is None:
        return None
    count = shape[0] if shape else 1
    if isinstance(regime, str):
        if regime not in ("near_earth", "deep_space"):
            raise InputError(
                f"regime {regime!r}: unknown; known are near_earth, deep_space, a mask, or None to find out"
            )
        return np.full(count, regime == "deep_space")
    mask = np.asarray(regime)
    if mask.dtype != np.bool_ or mask.shape != (count,):
        raise InputError(f"regime: found {mask.dtype} of shape {mask.shape}, expected bool of shape ({count},)")
    return mask


def _options(
    shape: tuple[int, ...], frame: str, precision: str, variables: str | Iterable[str], device: str | None
) -> Options:
    if LIFETIME.group in ([variables] if isinstance(variables, str) else variables):
        raise InputError("variables 'lifetime': not among states; use `lifetimes`")
    return make_options(shape[0] if shape else 1, frame, precision, variables, precision, True, None, device)


def _block_rows(satellites: int, options: Options) -> int:
    """Instants in a block, by memory: whole chunks where there is room for one."""
    devices = Devices(options.platform)
    size = BLOCK_BYTES.get(devices.platform)
    if size is None:
        free = devices.free_bytes()
        size = devices.mesh.size * min(OTHER_BLOCK_BYTES, OTHER_BLOCK_BYTES if free is None else free // 8)
    rows = size // step_bytes(satellites, options)
    return max(1, rows - rows % CHUNK if rows > CHUNK else rows)


def _check_block(block: int) -> int:
    if block < 1:
        raise InputError(f"block {block}: expected at least 1 instant")
    return block


def _outside_traces() -> AbstractContextManager[Any]:
    """Context in which numbers that are known are computed at once, also while a user's function is traced."""
    is_tracing = isinstance(jnp.zeros(()), jax.core.Tracer)
    return jax.ensure_compile_time_eval() if is_tracing else nullcontext()
