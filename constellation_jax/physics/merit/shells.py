"""Access of figures of merit to shells: one shell, a stack of shells in one value, or a list of them.

The type is given by its form alone, since shells belong to inputs: `constellation_jax.Shell` has it.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter, index
from typing import Any, NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array
from jax.typing import ArrayLike

from constellation_jax.errors import InputError
from constellation_jax.physics.constants import DEGREE, TWO_PI
from constellation_jax.physics.numerics.arrays import floats


class ShellLike(Protocol):
    """A shell: orbit, pattern and spacecraft, whose numbers are scalars, or arrays of one shape in a stack of shells."""

    @property
    def name(self) -> str: ...
    @property
    def orbit(self) -> Any: ...
    @property
    def pattern(self) -> Any: ...
    @property
    def spacecraft(self) -> Any: ...
    @property
    def total(self) -> Any:
        """Number of satellites."""


Shells = ShellLike | Sequence[ShellLike]


class FullPattern(NamedTuple):
    """Walker pattern of one shell with every slot filled; angles in rad."""

    altitude: Array
    """Altitude, km."""
    inclination: Array
    min_elevation: Array
    raans: Array
    """Right ascensions of the planes counted from the first, shape (planes,)."""
    phases: Array
    """Argument of latitude of each plane's first satellite, shape (planes,)."""
    phases_in_slots: Array
    """The same in slots of a plane."""
    slot: float
    """Angle between satellites of a plane."""
    cell: float
    """Turn of the raan after which the pattern comes back to itself: a delta does when its planes have moved up by one."""


def numbers(shells: Shells, *wanted: str | Callable[[ShellLike], Any]) -> list[Any]:
    """Some numbers of shells, each a scalar or of the shape of the stack for one `Shell`, of shape (shells,) for a list.

    Args:
        wanted: names such as "orbit.altitude_km", or functions of a shell.

    Raises:
        InputError: a number is not known.
    """
    if not isinstance(shells, Sequence):
        return [_known(shells, one) for one in wanted]
    if not shells:
        raise InputError("no shell given: at least one is needed")
    return [jnp.stack(floats(*(_known(shell, one) for shell in shells))) for one in wanted]


def numbers_by_latitude(
    shells: Shells, latitude_deg: ArrayLike, *wanted: str
) -> tuple[tuple[int, ...], Array, list[Array]]:
    """Shape of shells, latitudes (latitudes,), and numbers as of `numbers`, each of shape (shells,); all in one dtype."""
    latitude, *values = floats(latitude_deg, *numbers(shells, *wanted))
    values = jnp.broadcast_arrays(*values)
    return values[0].shape, jnp.atleast_1d(latitude), [v.ravel() for v in values]


def broadcast(*values: Any) -> list[Array]:
    """Arrays of one floating dtype and one shape."""
    return jnp.broadcast_arrays(*floats(*values))


def full_pattern(shell: ShellLike, latitude_deg: ArrayLike) -> tuple[Array, FullPattern]:
    """Latitudes, deg, shape (latitudes,), and the pattern of a shell, in one dtype; planes and slots are static."""
    orbit, walker = shell.orbit, shell.pattern
    planes, star = index(walker.planes), walker.kind == "star"
    (mask,) = numbers(shell, "spacecraft.min_elevation_deg")
    phi, h, i, f, mask = floats(latitude_deg, orbit.altitude_km, orbit.inclination_deg, walker.phasing, mask)
    plane = jnp.arange(planes, dtype=h.dtype)
    arc = 0.5 * TWO_PI if star else TWO_PI
    slot = TWO_PI / index(walker.per_plane)
    phases = f * plane * (slot / planes), f * plane / planes
    cell = TWO_PI if star else TWO_PI / planes
    pattern = FullPattern(h, i * DEGREE, mask * DEGREE, plane * (arc / planes), *phases, slot, cell)
    return jnp.atleast_1d(phi), pattern


def ballistic_coefficient(*attitudes: str) -> Callable[[ShellLike], Any]:
    """Function for `numbers`: Cd A / m, m2/kg, in the first of some attitudes in which it is known."""

    def ballistic_coefficient(shell: ShellLike) -> Any:
        found = (shell.spacecraft.ballistic_coefficient(attitude) for attitude in attitudes)
        return next((value for value in found if value is not None), None)

    return ballistic_coefficient


def _known(shell: ShellLike, wanted: str | Callable[[ShellLike], Any]) -> Any:
    found = attrgetter(wanted)(shell) if isinstance(wanted, str) else wanted(shell)
    if found is None:
        name = wanted.rpartition(".")[2] if isinstance(wanted, str) else wanted.__name__
        raise InputError(f"shell {shell.name!r}: {name} is not known, and this figure of merit needs it")
    return found
