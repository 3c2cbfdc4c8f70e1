"""Design of a tuning problem: the numbers of its shells as arrays, and the free ones as coordinates between 0 and 1.

Altitudes of hundreds of kilometres and counts of tens become coordinates of the same size, which every solver needs. Deliberately
absent: figures of merit of a design (objective.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.tuning.problem import TuningProblem
from constellation_jax.inputs.tuning.terms import QUANTITIES

Floats = NDArray[np.float64]


class Design(NamedTuple):
    """Numbers of the shells that a problem may vary: fields of shape (shells,), in the order of `QUANTITIES`."""

    altitude_km: Any
    inclination_deg: Any
    planes: Any
    satellites_per_plane: Any
    phasing: Any
    min_elevation_deg: Any

    @property
    def satellites(self) -> Any:
        return self.planes * self.satellites_per_plane


def make_design(shells: Sequence[Shell]) -> Design:
    """Make the design of some shells; an unknown least elevation becomes 0, which no term then uses."""
    values = [shell.values() for shell in shells]
    rows = [[v[key] for v in values] for key in QUANTITIES]
    return Design(*(np.array([0.0 if v is None else v for v in row], float) for row in rows))


class FreeNumber(NamedTuple):
    """One free number of a problem, of one shell or of several that share its value."""

    quantity: str
    """Key of `QUANTITIES`."""
    shells: tuple[int, ...]
    """Positions of its shells in the problem."""
    low: float
    """Lower bound, in the unit of the quantity."""
    high: float
    """Upper bound."""

    def describe(self, shells: Sequence[Shell]) -> str:
        """Describe it as in "altitude_km of 'L-1', 'L-2'"."""
        return f"{self.quantity} of {', '.join(repr(shells[k].name) for k in self.shells)}"


@dataclasses.dataclass(frozen=True)
class FreeNumbers:
    """Free numbers of a problem, and the conversion of their coordinates to designs."""

    free: tuple[FreeNumber, ...]
    """Free numbers, in the order of the coordinates."""

    @classmethod
    def from_problem(cls, problem: TuningProblem) -> FreeNumbers:
        """Collect the free numbers of a problem: one for each shell of a variable, or one for all of them together."""
        free = []
        for v in problem.variables:
            for group in [v.shells] if v.together else [(k,) for k in v.shells]:
                free.append(FreeNumber(v.quantity, group, v.low, v.high))
        return cls(tuple(free))

    def __len__(self) -> int:
        return len(self.free)

    def compute_span(self, shells: int) -> Floats:
        """Compute the derivative of a design with respect to the coordinates, shape (quantities * shells, free)."""
        found = np.zeros((len(QUANTITIES), shells, len(self.free)))
        for k, c in enumerate(self.free):
            found[[*QUANTITIES].index(c.quantity), list(c.shells), k] = c.high - c.low
        return found.reshape(-1, len(self.free))

    def make_design(self, coordinates: Any, base: Design) -> Design:
        """Make the design at coordinates, shape (free,), of NumPy or traced; all other numbers are those of `base`."""
        shells = len(base.altitude_km)
        lowest = np.full((len(QUANTITIES), shells), np.nan)
        for c in self.free:
            lowest[[*QUANTITIES].index(c.quantity), list(c.shells)] = c.low
        moved = (self.compute_span(shells) @ coordinates).reshape(lowest.shape)
        where = jnp.where if isinstance(coordinates, jax.Array) else np.where
        is_free = ~np.isnan(lowest)
        rows = [where(f, np.where(f, at, 0.0) + m, b) for f, at, m, b in zip(is_free, lowest, moved, base, strict=True)]
        return Design(*rows)

    def find_start(self, base: Design) -> Floats:
        """Find the coordinates of a design, clipped to the bounds; shells that share a number start at their mean."""
        found = [(np.mean(getattr(base, c.quantity)[list(c.shells)]) - c.low) / (c.high - c.low) for c in self.free]
        return np.asarray(np.clip(np.array(found), 0.0, 1.0))

    def to_values(self, coordinates: Floats) -> Floats:
        """Convert coordinates to values in the units of their quantities."""
        return np.array([c.low + u * (c.high - c.low) for c, u in zip(self.free, coordinates, strict=True)])

    def to_coordinate(self, k: int, value: float) -> float:
        """Convert a value of the k-th free number to its coordinate, 0 to 1 between the bounds."""
        c = self.free[k]
        return (value - c.low) / (c.high - c.low)

    def find(self, quantity: str) -> list[int]:
        """Find the positions of the free numbers of a quantity."""
        return [k for k, c in enumerate(self.free) if c.quantity == quantity]
