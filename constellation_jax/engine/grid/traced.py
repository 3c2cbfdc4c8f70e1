"""States of traced elements: inside a user's jit, vmap and grad, where nothing can be sorted by its numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import NDArray

from constellation_jax.engine.grid.program import GridProgram, Part, RegimeCode, split_block
from constellation_jax.engine.grid.states import States
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.constants import MINUTES_PER_DAY
from constellation_jax.physics.numerics.arrays import floats
from constellation_jax.physics.sgp4 import sgp4
from constellation_jax.physics.sgp4.elements import Elements

Block = tuple[tuple[Array, ...], Array]
"""Variables and status, arrays of shape (instants, satellites)."""


def trace_states(elements: Elements, grid: Grid, options: Options, is_deep: NDArray[np.bool_] | None) -> States:
    """States of satellites at all instants of a grid, in the type of the elements' arithmetic. Traced.

    Args:
        elements: scalars, for results of shape (instants,), or arrays of shape (satellites,).
        grid: all instants, ascending.
        options: of the run; the gravity model is SGP4's own, WGS-72.
        is_deep: True for satellites in deep space, shape (satellites,); None: both theories run for all satellites.
    """
    leaves = jnp.broadcast_arrays(*floats(*(getattr(elements, f.name) for f in dataclasses.fields(Elements))))
    is_scalar = leaves[0].ndim == 0
    elements = Elements(*(jnp.atleast_1d(leaf) for leaf in leaves))
    near: Regime = NearEarthRegime(options.gravity)
    deep: Regime = DeepSpaceRegime(options.gravity)
    if is_deep is None:
        both = sgp4.initialise(elements)
        if both.near is None or both.deep is None:  # the numbers that tell the regime are known after all
            regime = near if both.deep is None else deep
            values, status = _compute(regime, both.near or both.deep, elements, grid, options)
        else:
            blocks = (
                _compute(near, both.near, elements, grid, options), _compute(deep, both.deep, elements, grid, options)
            )  # fmt: skip
            chosen = jnp.asarray(both.is_deep)[None] > 0.5
            values, status = jax.tree.map(lambda n, d: jnp.where(chosen, d, n), *blocks)
    else:
        places = [np.flatnonzero(~is_deep), np.flatnonzero(is_deep)]
        parts = []
        for regime, place in zip((near, deep), places, strict=True):
            if len(place):
                own = jax.tree.map(lambda v, place=place: v[place], elements)
                parts.append(_compute(regime, regime.initialise(own), own, grid, options))
        back = np.argsort(np.concatenate(places))
        values, status = (
            jax.tree.map(lambda *v: jnp.concatenate(v, axis=1)[:, back], *parts) if len(parts) > 1 else parts[0]
        )
    named = dict(zip(options.variables, values, strict=True))
    states = States(status, **named)
    return jax.tree.map(lambda v: v[:, 0], states) if is_scalar else states


def _compute(regime: Regime, coefficients: Any, elements: Elements, grid: Grid, options: Options) -> Block:
    """States of satellites of one regime."""
    day, fraction = (jnp.asarray(v) for v in (elements.epoch_day, elements.epoch_fraction))
    dtype = day.dtype
    instants = split_block(grid, 0, len(grid), options.variables, options.frame)
    instants = jax.tree.map(lambda v: jnp.asarray(v, dtype if np.issubdtype(v.dtype, np.floating) else None), instants)
    span = float(grid.minutes_since_first(-1))
    first = (instants.day - day) * MINUTES_PER_DAY + (instants.fraction - fraction) * MINUTES_PER_DAY
    limits = regime.trace_drag_limits(coefficients, (first, first + instants.minutes[-1]))
    part = Part(coefficients, day, fraction, limits=limits)
    is_wide = dtype == jnp.float64
    program = GridProgram(
        (RegimeCode(regime, table_length=regime.table_length(span)),),
        options.variables,
        options.frame,
        is_anchored=is_wide and options.precision == "float32",
        dtype=options.dtype if is_wide else dtype.name,
    )
    values, status, _ = program.compute((part,), instants, (jnp.zeros(len(day), jnp.int8),))
    return values, status
