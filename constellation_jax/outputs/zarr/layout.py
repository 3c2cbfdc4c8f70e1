"""Layout of a Zarr output: shards, chunks, and the records of blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from constellation_jax.outputs.datasets.header import Extremes
from constellation_jax.outputs.variable import STATUS_VARIABLE

FIGURES: Final = (
    "failed",
    *(f"{end}_{name}" for name in ("altitude", "latitude", "longitude") for end in ("min", "max")),
)
"""Figures of the record of a block: satellites that have failed at its last instant, and extremes; NaN where not computed."""


def open_array(group: zarr.Group, name: str) -> zarr.Array[Any]:
    """Open an array for reading and writing; a chunk of fill values is stored, too, so that what is missing was not written."""
    found = group[name]
    assert isinstance(found, zarr.Array)
    config: Any = {"write_empty_chunks": True}
    return found.with_config(config)


class Layout(NamedTuple):
    """Shapes of shards and chunks."""

    block: int
    """Steps of a shard."""
    columns: int
    """Satellites of a shard: all, rounded up to whole chunks."""
    chunks: tuple[int, int]
    """Shape (time, satellite) of a chunk."""


def choose_layout(steps: int, satellites: int, block_steps: int) -> Layout:
    """Choose shards of about `block_steps` steps, and chunks of a megabyte that divide them."""
    block = max(1, min(steps, block_steps))
    parts = -(-block // _STEPS_PER_CHUNK)
    rows = -(-block // parts)
    pieces = -(-satellites // max(1, _CHUNK_VALUES // rows))
    columns = -(-satellites // pieces)
    return Layout(rows * parts, columns * pieces, (rows, columns))


def make_record(block: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
    """Make the record of a block, shape (figures,), in the order of `FIGURES`."""
    extremes = Extremes()
    extremes.update(block)
    record = np.full(len(FIGURES), np.nan)
    record[0] = np.count_nonzero(block[STATUS_VARIABLE][-1])
    for name, ends in extremes.ranges.items():
        first = FIGURES.index(f"min_{name}")
        record[first : first + 2] = ends
    return record


_STEPS_PER_CHUNK: Final = 64
"""Most steps in a chunk, so that one instant does not cost a long read."""
_CHUNK_VALUES: Final = 64 * 5120
"""Most values in a chunk: 1.3 MB of float32. Chunks of 0.26 MB were written at half the rate, files of them at a quarter."""
