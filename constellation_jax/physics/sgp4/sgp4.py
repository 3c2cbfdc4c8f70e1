"""SGP4 and SDP4 behind one interface: from mean elements to position and velocity at any instant.

    coefficients = initialise(elements)
    state, status = state_at(coefficients, minutes)

Both are pure and work under jit, vmap, grad and jvp; they take scalars for one satellite, or arrays that broadcast. Near-Earth
orbits (period under 225 minutes) and deep-space ones have kernels of their own, and coefficients of one regime never pay for the
other: the regime is found from the elements where their numbers are known, or given as `regime`. Only where neither is possible
(traced elements without `regime`) both kernels run and the right result is chosen.

Gradients are finite wherever the elements are, at zero eccentricity and zero inclination too, and where the status is not 0.

Reference: Vallado, Crawford, Hujsak & Kelso, "Revisiting Spacetrack Report #3", AIAA 2006-6753 (2006), "improved" mode.
"""

import dataclasses
from functools import partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.errors import InputError
from constellation_jax.physics.constants import DEEP_SPACE_PERIOD_MINUTES, GRAVITY_MODELS, TWO_PI, GravityModel
from constellation_jax.physics.numerics.arrays import inexact
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4 import near_earth as sgp4_near
from constellation_jax.physics.sgp4.brouwer import kozai_to_brouwer
from constellation_jax.physics.sgp4.common import OrbitState
from constellation_jax.physics.sgp4.deep_space import DeepSpace
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.near_earth import NearEarth
from constellation_jax.physics.sgp4.status import FARTHEST_MINUTES, TOO_FAR

Regime = Literal["near_earth", "deep_space"]
_DEEP_SPACE_MEAN_MOTION = TWO_PI / DEEP_SPACE_PERIOD_MINUTES


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Coefficients:
    """Coefficients of element sets, made by `initialise`. `near` or `deep` is None where all satellites are of the other regime."""

    near: NearEarth | None
    """Coefficients of SGP4."""
    deep: DeepSpace | None
    """Coefficients of SDP4."""
    is_deep: Array | None
    """1.0 for satellites in deep space, else 0.0; None where `near` or `deep` is None."""
    gravity: GravityModel = dataclasses.field(metadata={"static": True})
    """Earth model with which the coefficients were made."""


def initialise(elements: Elements, *, gravity: str = "wgs72", regime: Regime | None = None) -> Coefficients:
    """Compute the coefficients of one satellite, or of many where the elements are arrays.

    Args:
        elements: mean elements, scalars or arrays of one shape.
        gravity: static; "wgs72" (with which public element sets are fitted), "wgs72old" or "wgs84".
        regime: static; "near_earth" or "deep_space" where all satellites are of that regime, which is not checked.

    Raises:
        InputError: an unknown gravity model or regime.
    """
    if gravity not in GRAVITY_MODELS:
        raise InputError(f"gravity {gravity!r}: unknown; known are {', '.join(GRAVITY_MODELS)}")
    if regime not in (None, "near_earth", "deep_space"):
        raise InputError(f"regime {regime!r}: unknown; known are near_earth, deep_space, or None to find out")
    model = GRAVITY_MODELS[gravity]
    elements = jax.tree.map(inexact, elements)
    return _initialise(elements, model, regime or _regime(elements, model))


def state_at(coefficients: Coefficients, minutes: ArrayLike) -> tuple[Array, Array]:
    """Position and velocity in TEME, and the status code.

    Args:
        coefficients: result of `initialise`.
        minutes: minutes since the epoch of the elements; broadcasts with the shape of the coefficients.

    Returns:
        state: shape (..., 6): x, y, z in km, vx, vy, vz in km/s; NaN where the status is not 0.
        status: int32, shape (...): 0, or why SGP4 gives no state (`constellation_jax.STATUS`). One instant knows nothing of
            earlier ones: long after a decay, and long before an epoch under strong drag, SGP4 can return numbers with status 0;
            `propagate` keeps a satellite failed.
    """
    orbit = orbit_at(coefficients, inexact(minutes))
    state = jnp.stack([orbit.x, orbit.y, orbit.z, orbit.vx, orbit.vy, orbit.vz], axis=-1)
    return jnp.where((orbit.status == 0)[..., None], state, jnp.nan), orbit.status


@jax.jit
def orbit_at(coefficients: Coefficients, minutes: Array) -> OrbitState:
    """State as separate components, with the mean altitude and its rate; finite, if meaningless, after a failure."""
    # negated for NaN; the integrator of the resonances would go on for ever towards an infinite instant
    too_far = ~(jnp.abs(minutes) <= FARTHEST_MINUTES)
    orbit = _orbit_within_reach(coefficients, jnp.where(too_far, 0.0, minutes))
    return orbit._replace(status=jnp.where(too_far, TOO_FAR, orbit.status))


def _orbit_within_reach(coefficients: Coefficients, minutes: Array) -> OrbitState:
    near = deep = None
    if coefficients.near is not None:
        near = sgp4_near.evaluate(coefficients.near, minutes, coefficients.gravity)
    if coefficients.deep is not None:
        resonance = sdp4.resonance_at(coefficients.deep, minutes)
        ft = minutes - resonance.atime
        deep = sdp4.evaluate(coefficients.deep, minutes, resonance, ft, coefficients.gravity)
    if near is None or deep is None:
        return near or deep  # type: ignore[return-value]  # initialise sets at least one
    is_deep = jnp.asarray(coefficients.is_deep) > 0.5
    return OrbitState(*(jnp.where(is_deep, d, n) for d, n in zip(deep, near, strict=True)))


@partial(jax.jit, static_argnums=(1, 2))
def _initialise(elements: Elements, gravity: GravityModel, regime: Regime | None) -> Coefficients:
    if regime == "near_earth":
        return Coefficients(sgp4_near.initialise(elements, gravity), None, None, gravity)
    if regime == "deep_space":
        return Coefficients(None, sdp4.initialise(elements, gravity), None, gravity)
    is_deep = is_deep_space(elements, gravity)
    # Each kernel gets harmless elements for the satellites of the other regime, so that nothing there is NaN to spoil a gradient
    near = jax.tree.map(lambda v, safe: jnp.where(is_deep, safe, v), elements, SAFE_NEAR_EARTH)
    deep = jax.tree.map(lambda v, safe: jnp.where(is_deep, v, safe), elements, _SAFE_DEEP_SPACE)
    return Coefficients(
        sgp4_near.initialise(near, gravity),
        sdp4.initialise(deep, gravity),
        is_deep.astype(jnp.result_type(elements.mean_motion)),
        gravity,
    )


def _regime(elements: Elements, gravity: GravityModel) -> Regime | None:
    """Regime of all satellites; None where they are of both or the elements are traced."""
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(elements)):
        return None
    is_deep = np.asarray(is_deep_space(jax.tree.map(np.asarray, elements), gravity, np))
    if is_deep.all():
        return "deep_space"
    return None if is_deep.any() else "near_earth"


def is_deep_space(elements: Elements, gravity: GravityModel, xp: Any = jnp) -> Array:
    """True where the period is 225 minutes or more. With NumPy as `xp` it is computed on the host."""
    brouwer, _ = kozai_to_brouwer(elements.mean_motion, elements.eccentricity, xp.cos(elements.inclination), gravity)
    return brouwer <= _DEEP_SPACE_MEAN_MOTION


SAFE_NEAR_EARTH = Elements(0.065, 0.01, 0.9, 0.1, 0.1, 0.1, 0.0, 60000.0, 0.0)
_SAFE_DEEP_SPACE = Elements(0.005, 0.01, 0.9, 0.1, 0.1, 0.1, 0.0, 60000.0, 0.0)
