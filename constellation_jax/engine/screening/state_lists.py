"""States of any objects at any instants, each pair of them asked for by itself, in float64.

The derivative of the position comes along: SGP4's velocity is not quite that (up to 90 m/s in sets of strong drag), and the least
distance of two objects is where the distance of their positions has a minimum.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.devices import REPLICATED, Devices, Specs
from constellation_jax.engine.propagation.kernels import pack, unpack
from constellation_jax.engine.regimes.assign import initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.state_variables import POSITION, VELOCITY
from constellation_jax.engine.threads import Workers
from constellation_jax.engine.tiles import pad
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import WGS72, GravityModel
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import is_deep_space

WIDTH: Final = 2048
"""Entries of a list in a call."""
BLOCK: Final = 128
"""Entries that are worked on together, as satellites in `propagation.kernels`."""
DIFFERENCE_S: Final = 0.5
"""Seconds before and after an instant over which the position is differenced: 0.4 mm/s off in a low orbit, and alike for two
objects that meet. The derivative itself takes three times as long to trace."""
LIST_SPECS: Final = Specs((REPLICATED,) * 3, REPLICATED, wide_vectors=True)
"""Placement of the arguments of `evaluate_list`."""


class ListStates(NamedTuple):
    """States in TEME, arrays of shape (3, entries); NaN where there is none."""

    position: NDArray[np.float64]
    """km."""
    derivative: NDArray[np.float64]
    """Derivative of the position by time, km/s."""
    velocity: NDArray[np.float64]
    """Velocity as the theory gives it, km/s."""

    def part(self, entries: Any) -> ListStates:
        return ListStates._make(values[:, entries] for values in self)


class StateLists:
    """States of a fixed set of objects at instants of their own.

    Args:
        elements: float64 NumPy arrays of shape (objects,).
        day, fraction: instant that seconds are counted from, as Modified Julian Date and fraction (UTC).
        devices: a CPU.
    """

    def __init__(
        self, elements: Elements, day: int, fraction: float, devices: Devices, gravity: GravityModel = WGS72
    ) -> None:
        self._devices = devices
        start = Grid.inertial(np.array([day]), np.array([fraction]))
        self._since_epoch = start.minutes_since(elements.epoch_day, elements.epoch_fraction, 0)
        deep = np.asarray(is_deep_space(elements, gravity, np))
        self._regimes: list[tuple[Regime, NDArray[np.bool_], NDArray[np.intp], NDArray[np.float64]]] = []
        for regime, is_own in ((NearEarthRegime(gravity), ~deep), (DeepSpaceRegime(gravity), deep)):
            members = np.flatnonzero(is_own)
            if len(members):
                own = jax.tree.map(lambda v, members=members: np.asarray(v)[members], elements)
                place = np.cumsum(is_own) - 1
                packed = pack(initialise(regime, own), own.epoch_day, own.epoch_fraction)
                self._regimes.append((regime, is_own, place, packed))

    def at(self, objects: NDArray[Any], seconds: NDArray[np.float64]) -> ListStates:
        """States of objects, one at each instant.

        Args:
            objects: indices, shape (entries,).
            seconds: since the instant of the start, shape (entries,).
        """
        minutes = self._since_epoch[objects] + seconds / 60.0
        result = np.full((9, len(objects)), np.nan)
        tasks = [
            (regime, packed, place, entries[i : i + WIDTH])
            for regime, is_own, place, packed in self._regimes
            for entries in (np.flatnonzero(is_own[objects]),)
            for i in range(0, len(entries), WIDTH)
        ]

        def work(task: Any) -> None:
            regime, packed, place, entries = task
            program = self._devices.compile(evaluate_list, LIST_SPECS, regime=regime)
            columns = pad(place[objects[entries]], WIDTH)
            blocks = np.int32(-(-len(entries) // BLOCK))
            with jax.default_device(self._devices.mesh.devices.flat[0]):
                found = program(packed[:, columns], pad(minutes[entries], WIDTH), blocks)
            result[:, entries] = np.asarray(found)[:, : len(entries)]

        with Workers(self._devices.threads) as workers:
            workers.run(work, tasks)
        return ListStates(result[:3], result[3:6], result[6:])


def evaluate_list(coefficients: Array, minutes: Array, blocks: Array, *, regime: Regime) -> Array:
    """States of a list, each at its own instant.

    Args:
        coefficients: packed coefficients of the regime, float64 of shape (rows, WIDTH).
        minutes: since the epochs, shape (WIDTH,).
        blocks: number of blocks of BLOCK entries that are computed.
        regime: static.

    Returns:
        Position, its derivative and velocity, km and km/s, shape (9, WIDTH); NaN where the status is not 0.
    """
    zero = jnp.int32(0)
    around = jnp.array([[-DIFFERENCE_S], [0.0], [DIFFERENCE_S]], minutes.dtype) / 60.0

    def fill_block(b: Array, out: Array) -> Array:
        first = b * BLOCK
        own = jax.lax.dynamic_slice(coefficients, (zero, first), (len(coefficients), BLOCK))
        t = jax.lax.dynamic_slice(minutes, (first,), (BLOCK,))
        c, _ = unpack(regime, own, jnp.zeros(2, t.dtype))
        c, state = jax.tree.map(lambda v: v[None], (c, regime.integrate(c, t)))
        orbit = regime.at(c, t[None] + around, state)
        rows = [getattr(orbit, name)[1] for name in POSITION]
        rows += [(x[2] - x[0]) / (2.0 * DIFFERENCE_S) for x in (getattr(orbit, name) for name in POSITION)]
        rows += [getattr(orbit, name)[1] for name in VELOCITY]
        values = jnp.where(orbit.status[1][None] == 0, jnp.stack(rows), jnp.nan)
        return jax.lax.dynamic_update_slice(out, values, (zero, first))

    return jax.lax.fori_loop(zero, blocks, fill_block, jnp.full((9, minutes.shape[0]), jnp.nan, minutes.dtype))
