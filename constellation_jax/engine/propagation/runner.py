"""Interface between an `Engine` and what computes its tiles: blocks that fit the cache of a CPU, or grids on an accelerator."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.regimes.assign import Group
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.tiles import Tile
from constellation_jax.engine.time_grid import Chunk

FEW = 128
"""Number of satellites up to which a group is not worth programs of its own."""
Flags = NDArray[np.bool_]


class Task(NamedTuple):
    """Tile of satellites over consecutive chunks of instants, in one call."""

    tile: Tile
    chunks: tuple[Chunk, ...]

    @property
    def instants(self) -> int:
        return self.chunks[-1].last - self.chunks[0].first


class Runner(Protocol):
    """Tiles of the satellites of a run, and their computation. Its methods may be called from several threads."""

    tiles: list[Tile]
    """Tiles of all satellites."""

    def tasks(self, tiles: Iterable[Tile], start: int, stop: int) -> Iterator[Task]:
        """Calls that compute tiles over instants start:stop of the grid."""
        ...

    def fill(self, task: Task, out: OutputArrays, start: int) -> tuple[Flags, Flags]:
        """Write the results of a call into arrays that begin at an instant of the grid.

        Returns:
            True for columns of the tile that have failed, and for columns that must be evaluated at each instant after all.
        """
        ...

    def split_again(self, regime: Regime, columns: NDArray[np.intp]) -> list[Tile]:
        """Split satellites that must be evaluated at each instant after all into tiles."""
        ...

    def samples(self) -> Iterable[Task]:
        """One call of each compiled program that a run needs."""
        ...

    @property
    def method(self) -> str:
        """Description of which states are interpolated."""
        ...


def merge_few(groups: list[Group], evaluated: Flags) -> dict[Regime, Flags]:
    """Satellites that are computed in each regime: a few of one join the tiles of their general regime.

    Args:
        groups: from `assign_regimes`.
        evaluated: True for satellites that are evaluated at each instant, shape (satellites,); the others stay where they are.
    """
    members = {group.regime: group.is_own.copy() for group in groups}
    for regime, is_own in members.items():
        single = is_own & evaluated
        if regime.general != regime and regime.general in members and single.sum() <= FEW:
            is_own &= ~single
            members[regime.general] |= single
    return members
