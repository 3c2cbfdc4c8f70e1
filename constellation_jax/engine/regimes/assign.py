"""Assignment of a catalogue to regimes, and the coefficients of every satellite in its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices, Specs, satellites_last
from constellation_jax.engine.precision import evaluate
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime, stays_small
from constellation_jax.engine.regimes.regime import Ends, Floats, Regime
from constellation_jax.engine.tiles import pad
from constellation_jax.physics.constants import GravityModel
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import is_deep_space

WIDTH = 1024
"""Number of satellites whose coefficients are made by one call."""
INITIALISE_SPECS = Specs((satellites_last(1),), satellites_last(1))

Make = Callable[[Regime, Elements], tuple[Any, ...]]
"""From a regime and elements to coefficients, and to what else is made with them, as NumPy arrays of shape (..., satellites)."""


class Group(NamedTuple):
    """Satellites of one regime."""

    regime: Regime
    is_own: NDArray[np.bool_]
    """True for the satellites of the group, shape (satellites,)."""
    coefficients: tuple[Any, ...]
    """Results of `make`, NumPy arrays of shape (..., satellites). Columns of other theories' satellites hold those of one in it."""


def assign_regimes(
    elements: Elements, ends: Ends, gravity: GravityModel, make: Make | None = None
) -> tuple[list[Group], tuple[Floats, Floats]]:
    """Assign every satellite to a regime.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        ends: minutes from each epoch to the first and to the last instant.
        gravity: constants of the Earth.
        make: makes the coefficients; None: `initialise`.

    Returns:
        The groups that have satellites, the largest first; and `Regime.drag_limits` of all satellites.
    """
    make = make or (lambda regime, some: (initialise(regime, some),))
    deep = np.asarray(is_deep_space(elements, gravity, np))
    plain, eccentric = NearEarthRegime(gravity, small_eccentricity=True), NearEarthRegime(gravity)
    groups = []
    decayed_after, lost_before = np.full(len(deep), np.inf), np.full(len(deep), -np.inf)
    families: tuple[tuple[Regime, NDArray[np.bool_]], ...] = ((eccentric, ~deep), (DeepSpaceRegime(gravity), deep))
    for regime, is_own in families:
        members = np.flatnonzero(is_own)
        if not len(members):
            continue
        place = np.zeros(len(deep), np.intp)
        place[members] = np.arange(len(members))
        own = jax.tree.map(lambda v, members=members: np.asarray(v)[members], elements)
        made = make(regime, own)
        own_ends = (ends[0][members], ends[1][members])
        decayed_after[members], lost_before[members] = regime.drag_limits(made[0], own_ends)
        spread_out = jax.tree.map(lambda v, place=place: v[..., place], made)
        if regime is eccentric:
            small = np.zeros(len(deep), np.bool_)
            small[members] = stays_small(made[0], own, own_ends)
            groups += [Group(plain, small, spread_out), Group(eccentric, ~deep & ~small, spread_out)]
        else:
            groups.append(Group(regime, is_own, spread_out))
    groups.sort(key=lambda group: -int(group.is_own.sum()))
    return [group for group in groups if group.is_own.any()], (decayed_after, lost_before)


def initialise(regime: Regime, elements: Elements) -> Any:
    """Coefficients of many element sets in a regime, as NumPy arrays of shape (satellites,)."""
    one = Devices(devices=jax.local_devices()[:1])
    return in_pieces(one.compile(_initialise, INITIALISE_SPECS, regime=regime), elements, WIDTH)


def in_pieces(make: Callable[[Elements], Any], elements: Elements, width: int) -> Any:
    """Call a compiled function on elements in 64 bits, `width` satellites at a time: its shape does not depend on the catalogue.

    Returns:
        What it makes of all satellites, as NumPy arrays with the satellites last.
    """
    count = len(np.asarray(elements.mean_motion))
    parts = []
    for first in range(0, count, width):
        part = jax.tree.map(lambda v, i=first: pad(v[i : i + width], width), elements)
        parts.append(evaluate(make, part))
    return jax.tree.map(lambda *v: np.concatenate(v, axis=-1)[..., :count], *parts)


def _initialise(elements: Elements, *, regime: Regime) -> Any:
    return regime.initialise(elements)
