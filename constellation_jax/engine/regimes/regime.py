"""Regimes: theories of motion that the engine runs, each with its precision and with the limits of interpolating its orbits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.physics.constants import GravityModel
from constellation_jax.physics.sgp4.common import OrbitState
from constellation_jax.physics.sgp4.elements import Elements

Floats = NDArray[np.float64]
Ends = tuple[Floats, Floats]
"""Minutes from each epoch to the first and to the last instant of a run, each of shape (satellites,)."""
Moments = tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.int64]]
"""Number of the interval, satellite and nanoseconds of each discontinuity."""

SAFE_RADIUS_KM = 6500.0
"""No satellite whose mean perigee is farther than this from the Earth's centre comes under one Earth radius: short- and long-period
terms move it by less than 30 km."""


class Discontinuities(NamedTuple):
    """Times at which a polynomial cannot stand for an orbit during a run, arrays of shape (satellites,)."""

    may_interpolate: NDArray[np.bool_]
    """False where the orbit may fail or jump at an instant that is not known beforehand."""
    first: Floats
    last: Floats
    """Window within which there may be discontinuities, minutes since the first instant of the run; first > last: none."""
    kick: Floats
    """Change of velocity at each step of the theory's integrator at most, km/min; 0 without an integrator."""


_SAMPLES = 2048
"""Steps from the epoch to an end of a run in which the limits of drag are searched."""
_COARSE = 17
"""Instants at which satellites are looked for that drag makes meaningless during a run."""


@dataclasses.dataclass(frozen=True)
class Regime:
    """Theory of motion; a static argument of compiled functions. Coefficients and minutes broadcast with each other.

    Another theory, such as a numerical one, would be another class beside those in near_earth.py and deep_space.py, and a line in
    assign.py. The defaults are those of a theory without an integrator and without discontinuities whose instants can be computed.
    """

    gravity: GravityModel

    name: ClassVar[str]
    precision: ClassVar[str | None] = None
    """Type of the arithmetic whatever the precision of a run; None: that of the run, float32 about an anchor (`shift`)."""
    checks_nodes: ClassVar[bool] = True
    """True where failures and low radii must be looked for at the nodes, because `discontinuities` does not exclude them."""
    node_rate: ClassVar[float]
    """Angular rate of usual orbits, for which Chebyshev nodes are spread (`node_count.node_spread`), rad/min."""
    step_minutes: ClassVar[float] = math.inf
    """Step of the theory's integrator, counted from the epoch; inf without one."""

    @property
    def largest_axis(self) -> float:
        """Largest mean semi-major axis, in the Earth radii of the gravity model, of the orbits that the theory is made for."""
        return math.inf

    @property
    def is_rare(self) -> bool:
        """True: few satellites of a usual catalogue are in the regime, so that its tiles may be next to empty."""
        return True

    @property
    def general(self) -> Regime:
        """Regime with the same coefficients that serves all its satellites as well; itself where there is no other."""
        return self

    def initialise(self, elements: Elements) -> Any:
        """Coefficients of element sets, anchored at their epochs. Traced."""
        raise NotImplementedError

    def shift(self, coefficients: Any, minutes: Array) -> Any:
        """Coefficients about anchors some minutes later. Traced, in float64; only where `precision` is None."""
        raise NotImplementedError

    def at(self, coefficients: Any, minutes: Array, state: Any) -> OrbitState:
        """Orbits some minutes after the anchors of the coefficients, from the integrator's state there. Traced."""
        raise NotImplementedError

    def integrate(
        self, coefficients: Any, minutes: Array, *, forward_only: bool = False, most_steps: int | None = None
    ) -> Any:
        """State of the theory's integrator at an instant; an empty pytree without one. Traced.

        Args:
            forward_only: static; True where it is derived in forward mode alone, which costs less.
            most_steps: static; number of steps that serves all instants; None: as many as they ask for.
        """
        return ()

    def table_length(self, minutes: float) -> int:
        """Entries of a table of the integrator's states that serves a span of time; 0 without an integrator."""
        return 0

    def most_steps(self, minutes: float) -> int:
        """Steps of the theory's integrator that serve instants up to so many minutes from an epoch; 0 without an integrator."""
        return 0

    def table_minutes(self, start: Array, length: int) -> Array:
        """Instants at which to integrate for the entries of a table, minutes since the epochs, shape (length, satellites). Traced.

        Args:
            start: first instant that the table serves, minutes since each epoch, shape (satellites,).
            length: static; of `table_length`.
        """
        raise NotImplementedError

    def tabulate(self, integrate: Callable[[Array], Any], start: Array, length: int) -> Any:
        """Make a table of what `integrate` gives at the integrator's steps from an instant on. Traced.

        Args:
            integrate: from minutes since the epochs, shape (satellites,), to arrays whose last axis is the satellites.
            start: first instant that the table serves, minutes since each epoch.
            length: static; of `table_length`.
        """
        return integrate(start)

    def look_up(self, table: Any, minutes: Array, start: Array, length: int) -> Any:
        """Entries of a table for instants of shape (..., satellites). Traced; arguments as for `tabulate`."""
        return table

    def mean_size(self, coefficients: Any, minutes: Any) -> tuple[Any, Any]:
        """Square root of the semi-major axis (Earth radii^0.5, with SGP4's sign) and mean eccentricity, as drag alone moves them.

        Args:
            coefficients: arrays of shape (satellites,), NumPy's or traced.
            minutes: since the epochs, shape (..., satellites).
        """
        raise NotImplementedError

    def drag_limits(self, coefficients: Any, ends: Ends) -> tuple[Floats, Floats]:
        """Minutes since the epoch between which the drag of SGP4, a polynomial in time, means something, each (satellites,).

        Afterwards the theory gives states again although the semi-major axis has come under one Earth radius, and a grid that
        begins later would show nothing of the decay. Before, the orbit that has grown backwards has left the regime, the mean
        eccentricity its range, or the perigee the Earth's surface once more: SGP4 goes on with status 0, at 100,000 km and more.
        Infinite where neither happens during the run.
        """
        first, last = np.minimum(ends[0], 0.0), np.maximum(ends[1], 0.0)
        decayed_after, lost_before = np.full(len(first), np.inf), np.full(len(first), -np.inf)
        with np.errstate(over="ignore", invalid="ignore"):  # elements that are no orbit
            for part, sizes, minutes in self._swept(coefficients, last, lambda root_a, e: root_a < 1.0):
                size = np.abs(sizes[0])
                risen = np.logical_or.accumulate(size < 1.0)[:-1] & (np.diff(size, axis=0) > 0.0)
                decayed_after[part] = _first_time(risen, minutes[:-1], np.inf)
            for part, sizes, minutes in self._swept(coefficients, first, self._is_lost):
                lost = self._is_lost(*sizes)
                lost &= ~lost[0]  # elements that are below the ground at their epoch tell by themselves
                lost_before[part] = _first_time(lost, minutes, -np.inf)
        return decayed_after, lost_before

    def _is_lost(self, root_a: Any, eccentricity: Any) -> Any:
        a = root_a * root_a
        low = a * (1.0 - eccentricity) < 1.0
        return low | (root_a < 0.0) | (a > self.largest_axis) | (eccentricity < -0.001)

    def _swept(
        self, coefficients: Any, end: Floats, is_of_interest: Callable[[Floats, Floats], NDArray[np.bool_]]
    ) -> Iterator[tuple[NDArray[np.intp], tuple[Floats, Floats], Floats]]:
        """Sizes at instants from the epoch to `end`, of the few satellites of which some coarse instant is of interest."""

        def sizes(of: Any, steps: int) -> tuple[Floats, tuple[Floats, Floats]]:
            minutes = np.linspace(0.0, 1.0, steps)[:, None] * end[of]
            return minutes, self.mean_size(jax.tree.map(lambda v: v[of], coefficients), minutes)

        coarse = sizes(slice(None), _COARSE)[1]
        members = np.flatnonzero(is_of_interest(*coarse).any(axis=0))
        for i in range(0, len(members), 1024):
            part = members[i : i + 1024]
            minutes, found = sizes(part, _SAMPLES + 1)
            yield part, found, minutes

    def trace_drag_limits(self, coefficients: Any, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        """As `drag_limits`, of traced coefficients, without a derivative. A loop over the same instants."""
        coefficients, first, last = jax.lax.stop_gradient(
            (coefficients, jnp.minimum(ends[0], 0.0), jnp.maximum(ends[1], 0.0))
        )
        is_lost_at_epoch = self._is_lost(*self.mean_size(coefficients, jnp.zeros_like(first)))
        never = jnp.full_like(first, jnp.inf), jnp.full_like(first, -jnp.inf)

        def look(k: Array, found: tuple[Array, ...]) -> tuple[Array, ...]:
            has_decayed, before, decayed_after, lost_before = found
            part = k.astype(first.dtype) / _SAMPLES
            size = jnp.abs(self.mean_size(coefficients, part * last)[0])
            earlier = (k - 1).astype(first.dtype) / _SAMPLES * last
            decayed_after = jnp.where(has_decayed & (size > before), jnp.minimum(decayed_after, earlier), decayed_after)
            is_lost = self._is_lost(*self.mean_size(coefficients, part * first)) & ~is_lost_at_epoch
            lost_before = jnp.where(is_lost, jnp.maximum(lost_before, part * first), lost_before)
            return has_decayed | (size < 1.0), size, decayed_after, lost_before

        def search() -> tuple[Array, Array]:
            start = (jnp.zeros(first.shape, bool), never[0], *never)
            return jax.lax.fori_loop(0, _SAMPLES + 1, look, start)[2:]

        coarse = jnp.linspace(0.0, 1.0, _COARSE, dtype=first.dtype)[:, None]
        rows = jax.tree.map(lambda v: v[None], coefficients)
        may_decay = self.mean_size(rows, coarse * last[None])[0] < 1.0
        may_be_lost = self._is_lost(*self.mean_size(rows, coarse * first[None]))
        return jax.lax.cond((may_decay | may_be_lost).any(), search, lambda: never)

    def discontinuities(self, coefficients: Any, elements: Elements, ends: Ends) -> Discontinuities:
        """Times at which polynomials cannot stand for the orbits. NumPy arrays of shape (satellites,)."""
        raise NotImplementedError

    def find_discontinuities(
        self, make_coefficients: Callable[[], Any], since_epoch: Floats, edges: NDArray[np.int64]
    ) -> Moments:
        """Discontinuities whose instants can be computed, between edges.

        Args:
            make_coefficients: gives NumPy arrays of shape (satellites,); called only if they are needed.
            since_epoch: minutes from each epoch to the instant that nanoseconds are counted from.
            edges: nanoseconds, ascending.
        """
        return np.zeros(0, np.intp), np.zeros(0, np.intp), np.zeros(0, np.int64)


def _first_time(holds: NDArray[np.bool_], minutes: Floats, never: float) -> Floats:
    """First instant at which something holds, or `never`; shapes (instants, satellites)."""
    row, here = np.argmax(holds, axis=0), np.arange(holds.shape[1])
    return np.where(holds[row, here], minutes[row, here], never)
