"""Regimes: theories of motion that the engine runs, each with its precision and with the limits of interpolating its orbits."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

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

    def decay_times(self, coefficients: Any, span: Floats) -> Floats:
        """Minutes after the epoch from which the theory gives states again after a decay, shape (satellites,); inf: it does not.

        Args:
            span: minutes from the epoch to the last instant.
        """
        return np.full(len(span), np.inf)

    def trace_decay_times(self, coefficients: Any, span: Array) -> Array:
        """As `decay_times`, of traced coefficients, without a derivative."""
        return jnp.full_like(span, jnp.inf)

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
