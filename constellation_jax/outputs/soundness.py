"""Soundness of the states in a file: what a killed run, a torn file or a flipped bit leaves, each of which shows in the values.

A status that was never stored has the fill value of its variable, a float that was never stored is NaN, and a state is NaN just
where its status is not 0. Damage of what was stored is found by the checksums of NetCDF and Zarr, as an error of reading.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.outputs.variable import STATUS_VARIABLE

NOT_STORED: Final = -127
"""Status that is read where none was stored: the fill value of NetCDF for a byte."""


def find_defect(block: Mapping[str, NDArray[Any]]) -> str | None:
    """Find what is wrong with a block of states, in words; None where it is sound.

    Args:
        block: variable -> values (time, satellite), `status` among them.
    """
    status = block[STATUS_VARIABLE]
    if (status == NOT_STORED).any():
        return f"{np.count_nonzero(status == NOT_STORED)} states were not stored"
    for name, values in block.items():
        if name != STATUS_VARIABLE and (wrong := np.isnan(values) != (status != 0)).any():
            return f"{name}: {np.count_nonzero(wrong)} values do not agree with the status"
    return None


def find_latched(status: NDArray[np.int8], instant: np.datetime64, epochs: NDArray[np.datetime64]) -> NDArray[np.int8]:
    """Find the codes that satellites keep after an instant: their status there; but failures before their epoch do not last.

    Args:
        status: at the instant, shape (n,).
        instant, epochs: UTC, the epochs of shape (n,).
    """
    return np.where(instant >= epochs, status, 0).astype(np.int8)
