"""The arrays that a run fills. Those of one block of memory are written by one operation for all variables: each operation has to
wait for the interpreter's lock, which the other threads want as well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Shape (instants, satellites) for each variable, and "status" (int8)."""
Columns = NDArray[np.intp] | slice


def allocate(instants: int, satellites: int, variables: Sequence[str], dtype: str) -> Arrays:
    """Arrays for a run, the variables in one block. Not initialised."""
    values = np.empty((len(variables), instants, satellites), dtype)
    return {**dict(zip(variables, values, strict=True)), "status": np.empty((instants, satellites), np.int8)}


def joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any] | Sequence[NDArray[Any]]:
    """Arrays of one shape as one of shape (variables, instants, satellites), where they lie evenly in memory; else as they are."""
    if len(arrays) < 2:
        return arrays
    first = arrays[0]
    places = np.diff([values.__array_interface__["data"][0] for values in arrays])
    alike = all((v.shape, v.strides, v.dtype) == (first.shape, first.strides, first.dtype) for v in arrays)
    if not alike or (places != places[0]).any() or places[0] < first.nbytes:
        return arrays
    return as_strided(first, (len(arrays), *first.shape), (int(places[0]), *first.strides))


def write(values: Any, out: NDArray[Any] | Sequence[NDArray[Any]], rows: slice, columns: Columns) -> None:
    """Copies values of shape (variables, instants, satellites) into some rows and columns."""
    if isinstance(out, np.ndarray):
        out[:, rows, columns] = values
        return
    for target, source in zip(out, values, strict=True):
        target[rows, columns] = source


def write_product(
    matrix: NDArray[Any],
    values: NDArray[Any],
    out: NDArray[Any] | Sequence[NDArray[Any]],
    rows: slice,
    columns: Columns,
) -> None:
    """Writes matrix @ values, shape (variables, instants, satellites), into some rows and columns, where it can without a copy."""
    if isinstance(out, np.ndarray) and isinstance(columns, slice) and out.dtype == values.dtype:
        np.matmul(matrix, values, out=out[:, rows, columns])
        return
    for target, source in zip(out, values, strict=True):
        if isinstance(columns, slice) and target.dtype == values.dtype:
            np.matmul(matrix, source, out=target[rows, columns])
        else:
            target[rows, columns] = matrix @ source
