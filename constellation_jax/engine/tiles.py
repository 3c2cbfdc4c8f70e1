"""Tiles: satellites that one call of a compiled function computes together, padded to a fixed number."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices, satellites_last
from constellation_jax.engine.regimes.regime import Regime

IN_PLACE_SHARE = 0.75
"""Share of all satellites from which on those of a group are computed in place, among the columns of the others.

Whole rows are then copied instead of single columns. Measured with 16,000 satellites of a real catalogue on two cores, computing
each group in its own columns alone takes 2.3 to 3.2 times as long where states are interpolated, and 1.1 to 1.3 times as long
where they are evaluated at every instant (medians of five, run in turns).
"""


@dataclasses.dataclass(frozen=True)
class Tile:
    """Satellites of one regime that are computed together."""

    regime: Regime
    columns: NDArray[np.intp] | slice
    """Columns of the results that the tile writes."""
    padded_columns: NDArray[np.intp]
    """The same as indices, the last one repeated up to the width of a tile."""
    is_own: NDArray[np.bool_]
    """True for the columns that are its own, shape (count,). The others are written over by tiles of other groups."""
    coefficients: Any
    """Arrays on the devices, their last axis the padded columns."""
    is_sparse: bool = False
    """True: the tile may be next to empty, and is worked through in small blocks: each block is computed whole."""
    node_count: int = 0
    """Chebyshev nodes in a chunk; 0: evaluated at each instant."""

    @property
    def count(self) -> int:
        """Number of columns that the tile writes: what is not padding."""
        return len(self.is_own)


class Outputs(NamedTuple):
    """Results of a tile over a chunk of instants. In one array: XLA:CPU updates in place what it does not fuse with another."""

    values: Any
    """Shape (rows, instants, satellites)."""
    status: Any
    """Shape (instants, satellites), int8."""


OUTPUT_SPECS = Outputs(satellites_last(3), satellites_last(2))
"""Placement of outputs on the devices."""


def make_outputs(devices: Devices, rows: int, instants: int, width: int, dtype: str) -> Outputs:
    """Make buffers for the results of a tile."""
    return Outputs(devices.zeros((rows, instants, width), dtype), devices.zeros((instants, width), "int8"))


def split_columns(is_own: NDArray[np.bool_], width: int, *, in_place: bool = False) -> Iterator[dict[str, Any]]:
    """Split a group of satellites into tiles: the fields of `Tile` that say where they are.

    Args:
        is_own: which satellites are in the group, shape (satellites,).
        width: of a tile.
        in_place: whether most of all satellites may be computed among the columns of the others.
    """
    in_place = in_place and is_own.sum() > IN_PLACE_SHARE * len(is_own)
    columns = np.arange(len(is_own)) if in_place else np.flatnonzero(is_own)
    for first in range(0, len(columns), width):
        part = columns[first : first + width]
        if is_own[part].any():
            whole = slice(int(part[0]), int(part[-1]) + 1)
            yield {
                "columns": whole if whole.stop - whole.start == len(part) else part,
                "padded_columns": pad(part, width),
                "is_own": is_own[part],
            }


def pad(values: Any, length: int) -> NDArray[Any]:
    """Repeat the last entry of the last axis up to a length: a compiled function takes fixed shapes.

    A lane that repeats another computes nothing unusual, as zeros might.
    """
    values = np.asarray(values)
    missing = length - values.shape[-1]
    return np.concatenate([values, np.repeat(values[..., -1:], missing, axis=-1)], axis=-1) if missing else values
