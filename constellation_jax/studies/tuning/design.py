"""Design: the numbers of each shell that a problem may vary, and its free coordinates, each between 0 and 1.

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
    """Shells as arrays of shape (shells,), in the order of `QUANTITIES`."""

    altitude_km: Any
    inclination_deg: Any
    planes: Any
    satellites_per_plane: Any
    phasing: Any
    min_elevation_deg: Any

    @property
    def satellites(self) -> Any:
        return self.planes * self.satellites_per_plane


def design_of(shells: Sequence[Shell]) -> Design:
    """Numbers of some shells; where no least elevation is known it is 0, which no term then uses."""
    values = [shell.values() for shell in shells]
    rows = [[v[key] for v in values] for key in QUANTITIES]
    return Design(*(np.array([0.0 if v is None else v for v in row], float) for row in rows))


class FreeNumber(NamedTuple):
    """One free number, shared by the shells that have it together."""

    quantity: str
    shells: tuple[int, ...]
    low: float
    high: float

    def name(self, shells: Sequence[Shell]) -> str:
        """Name such as "altitude_km of 'L-1', 'L-2'"."""
        return f"{self.quantity} of {', '.join(repr(shells[k].name) for k in self.shells)}"


@dataclasses.dataclass(frozen=True)
class FreeNumbers:
    """The free numbers of a problem."""

    free: tuple[FreeNumber, ...]

    @classmethod
    def of(cls, problem: TuningProblem) -> FreeNumbers:
        free = []
        for v in problem.variables:
            for group in [v.shells] if v.together else [(k,) for k in v.shells]:
                free.append(FreeNumber(v.quantity, group, v.low, v.high))
        return cls(tuple(free))

    def __len__(self) -> int:
        return len(self.free)

    def span(self, shells: int) -> Floats:
        """Derivative of a design by the coordinates, shape (quantities * shells, free)."""
        found = np.zeros((len(QUANTITIES), shells, len(self.free)))
        for k, c in enumerate(self.free):
            found[[*QUANTITIES].index(c.quantity), list(c.shells), k] = c.high - c.low
        return found.reshape(-1, len(self.free))

    def design(self, coordinates: Any, base: Design) -> Design:
        """The design at coordinates, shape (free,), everything else being as in `base`; of NumPy, or traced."""
        shells = len(base.altitude_km)
        lowest = np.full((len(QUANTITIES), shells), np.nan)
        for c in self.free:
            lowest[[*QUANTITIES].index(c.quantity), list(c.shells)] = c.low
        moved = (self.span(shells) @ coordinates).reshape(lowest.shape)
        where = jnp.where if isinstance(coordinates, jax.Array) else np.where
        is_free = ~np.isnan(lowest)
        rows = [where(f, np.where(f, at, 0.0) + m, b) for f, at, m, b in zip(is_free, lowest, moved, base, strict=True)]
        return Design(*rows)

    def begin(self, base: Design) -> Floats:
        """Coordinates of a design, within the bounds; of shells that share one, their mean."""
        found = [(np.mean(getattr(base, c.quantity)[list(c.shells)]) - c.low) / (c.high - c.low) for c in self.free]
        return np.asarray(np.clip(np.array(found), 0.0, 1.0))

    def values(self, coordinates: Floats) -> Floats:
        """Coordinates in their own units."""
        return np.array([c.low + u * (c.high - c.low) for c, u in zip(self.free, coordinates, strict=True)])

    def coordinate(self, k: int, value: float) -> float:
        """Place of a value of the k-th free number between its bounds, 0 to 1."""
        c = self.free[k]
        return (value - c.low) / (c.high - c.low)

    def whole(self, quantity: str) -> list[int]:
        """Positions of the free numbers of a quantity."""
        return [k for k, c in enumerate(self.free) if c.quantity == quantity]
