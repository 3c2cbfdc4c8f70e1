"""Access of figures of merit to shells: one shell, a stack of shells in one value, or a list of them.

The type is given by its form alone, since shells belong to inputs: `constellation_jax.Shell` has it.
"""

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, Protocol

import jax.numpy as jnp
from jax import Array

from constellation_jax.errors import InputError
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


def broadcast(*values: Any) -> list[Array]:
    """Arrays of one floating dtype and one shape."""
    return jnp.broadcast_arrays(*floats(*values))


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
