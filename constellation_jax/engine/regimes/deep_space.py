"""Deep-space regime: SDP4, for periods of 225 minutes or more, always in float64.

Its integrator of the resonances goes in steps of 720 minutes from the epoch; a table holds its states at the steps of a chunk.
Its discontinuities are those steps, and where the theory changes from one set of formulas to another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Final

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.regimes.regime import Discontinuities, Ends, Floats, Regime
from constellation_jax.physics.constants import MINUTES_PER_DAY, TWO_PI, GravityModel
from constellation_jax.physics.numerics.fastmath import horner
from constellation_jax.physics.sgp4 import deep_space
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.common import OrbitState
from constellation_jax.physics.sgp4.deep_space import MULTIPLES, STEP_MINUTES, DeepSpace, Resonance
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.status import FARTHEST_KM

_SHORT_TABLE: Final = 4
"""Length of a table of which entries are selected, in the kernel that uses them; of a longer one they are gathered, for which a GPU
makes a kernel more, of the indices."""


class DeepSpaceRegime(Regime):
    """SDP4."""

    name: ClassVar[str] = "deep_space"
    precision: ClassVar[str | None] = "float64"
    node_rate: ClassVar[float] = 2.0 * TWO_PI / MINUTES_PER_DAY
    step_minutes: ClassVar[float] = STEP_MINUTES

    @property
    def largest_axis(self) -> float:
        return FARTHEST_KM / self.gravity.equatorial_radius_km

    def initialise(self, elements: Elements) -> DeepSpace:
        return deep_space.initialise(elements, self.gravity)

    def table_length(self, minutes: float) -> int:
        """A power of two, so that few lengths are compiled."""
        steps = int(minutes / STEP_MINUTES) + 2
        return 1 << (steps - 1).bit_length()

    def most_steps(self, minutes: float) -> int:
        """A power of two, so that few numbers are compiled."""
        return 1 << int(minutes / STEP_MINUTES).bit_length()

    def table_minutes(self, start: Array, length: int) -> Array:
        steps = jnp.trunc(start / STEP_MINUTES)[None] + jnp.arange(length, dtype=start.dtype)[:, None]
        # an instant only has to lie in the step that it asks for: half a step beyond its start, away from the epoch
        return (steps + 0.5 * jnp.sign(steps)) * STEP_MINUTES

    def tabulate(self, integrate: Callable[[Array], Any], start: Array, length: int) -> Any:
        return jax.lax.map(integrate, self.table_minutes(start, length))

    def look_up(self, table: Any, minutes: Array, start: Array, length: int) -> Any:
        entry = table_entry(minutes, start, length)

        def pick(values: Array) -> Array:
            between = values.shape[1:-1]  # of derivatives, say
            if length <= _SHORT_TABLE:
                found, *others = values.reshape(length, *between, *[1] * (entry.ndim - 1), entry.shape[-1])
                for k, row in enumerate(others, 1):
                    found = jnp.where(entry == k, row, found)
                return found
            index = entry.reshape(-1, *[1] * len(between), entry.shape[-1])
            index = jnp.broadcast_to(index, (len(index), *values.shape[1:]))
            found = jnp.take_along_axis(values, index, axis=0, mode="promise_in_bounds")
            return jnp.moveaxis(found, 0, -2).reshape(*between, *entry.shape)

        return jax.tree.map(pick, table)

    def integrate(
        self, coefficients: DeepSpace, minutes: Array, *, forward_only: bool = False, most_steps: int | None = None
    ) -> Resonance:
        return deep_space.resonance_at(coefficients, minutes, forward_only=forward_only, most_steps=most_steps)

    def at(self, coefficients: DeepSpace, minutes: Array, state: Resonance) -> OrbitState:
        return deep_space.evaluate(coefficients, minutes, state, minutes - state.atime, self.gravity)

    def mean_size(self, coefficients: DeepSpace, minutes: Any) -> tuple[Any, Any]:
        c: Any = coefficients
        root_a = (self.gravity.xke / c.mean_motion) ** (1.0 / 3.0)
        return root_a * horner(minutes, c.drag), horner(minutes, c.eccentricity)

    def discontinuities(self, coefficients: DeepSpace, elements: Elements, ends: Ends) -> Discontinuities:
        count = len(ends[0])
        kick = largest_kick(coefficients, ends, self.gravity)
        return Discontinuities(~may_jump(elements, ends), np.full(count, np.inf), np.full(count, -np.inf), kick)


def table_entry(t: Array, start: Array, length: int) -> Array:
    """Entries of a table for instants t, minutes since each epoch, shape (..., satellites), int32."""
    steps = jnp.trunc(t / STEP_MINUTES) - jnp.trunc(start / STEP_MINUTES)
    return jnp.clip(steps, 0, length - 1).astype(jnp.int32)


def may_jump(elements: Elements, ends: Ends) -> NDArray[np.bool_]:
    """True where a satellite may have a discontinuity beside the integrator's steps during a run, shape (satellites,).

    Those are where the mean eccentricity goes through the least one, and where the perturbed inclination goes through 0.2 rad, from
    one set of formulas of SDP4 to another. The Moon and the Sun move it by some 0.003 rad, and by a degree a year.
    """
    days = _farthest(ends) / MINUTES_PER_DAY
    e, i = np.asarray(elements.eccentricity), np.asarray(elements.inclination)
    return np.asarray((e < 2e-5) | (np.abs(i - 0.2) < 0.01 + 1e-4 * days))


def largest_kick(c: Any, ends: Ends, gravity: GravityModel) -> Floats:
    """Largest change of velocity at a step of the integrator, km/min; zero without resonance. Shape (satellites,).

    The mean motion goes from one step to the next by three terms of its series, the resonance angle by three terms of its own: the
    last of those of the mean motion turns up in the rate of the angle all at once. That rate is bounded by the time that the
    resonance has to change it, and by the pendulum's energy.

    Args:
        c: `DeepSpace` of NumPy arrays of shape (satellites,).
    """
    amplitude, multiple = np.abs(np.stack(c.resonance)), np.array(MULTIPLES)[:, None]
    at_epoch, longest = c.mean_motion + c.lambda_rate, _farthest(ends)
    rate = np.minimum(
        np.abs(at_epoch) + amplitude.sum(axis=0) * longest,
        np.sqrt(at_epoch**2 + 4.0 * (amplitude / multiple).sum(axis=0)),
    )
    second_derivative = (multiple * amplitude).sum(axis=0) * rate
    return np.asarray(0.5 * STEP_MINUTES**2 * second_derivative * semi_major_axis_km(c.mean_motion, gravity))


def _farthest(ends: Ends) -> Floats:
    """Largest distance from each epoch during a run, minutes."""
    return np.asarray(np.maximum(*(np.abs(t) for t in ends)))
