"""The arrays that a run fills. Those of one block of memory are written by one operation for all variables: each operation has to
wait for the interpreter's lock, which the other threads want as well."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]
"""Shape (instants, satellites) for each variable, and "status" (int8)."""
Columns = NDArray[np.intp] | slice
PRODUCT_ROWS = {"float32": 16}
"""Rows of a product that are made at a time: OpenBLAS then neither copies its arguments nor clears the result before. Measured: a
quarter quicker in float32 than all at once, which in float64 is quickest."""


def allocate(instants: int, satellites: int, variables: Sequence[str], dtype: str) -> Arrays:
    """Arrays for a run, the variables in one block. Not initialised."""
    values = np.empty((len(variables), instants, satellites), dtype)
    return {**dict(zip(variables, values, strict=True)), "status": np.empty((instants, satellites), np.int8)}


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a run writes."""

    values: NDArray[Any] | Sequence[NDArray[Any]]
    """Shape (variables, instants, satellites); or an array for each variable, where they do not lie in one block."""
    status: NDArray[np.int8]

    @staticmethod
    def of(arrays: Arrays, variables: Sequence[str]) -> Target:
        """The arrays of a run, in the order of its variables."""
        return Target(_joined([arrays[name] for name in variables]), arrays["status"])

    def write(self, values: NDArray[Any], rows: slice, columns: Columns) -> None:
        """Copies values of shape (variables, instants, satellites) into some rows and columns."""
        if isinstance(self.values, np.ndarray):
            self.values[:, rows, columns] = values
            return
        for target, source in zip(self.values, values, strict=True):
            target[rows, columns] = source

    def write_product(self, matrix: NDArray[Any], values: NDArray[Any], rows: slice, columns: Columns) -> None:
        """Writes matrix @ values, as `write`, where it can without a copy between."""
        if isinstance(columns, slice) and self.values[0].dtype == values.dtype:
            if isinstance(self.values, np.ndarray):
                _multiply(matrix, values, self.values[:, rows, columns])
                return
            for target, source in zip(self.values, values, strict=True):
                _multiply(matrix, source, target[rows, columns])
        else:
            self.write(matrix @ values, rows, columns)


def _multiply(matrix: NDArray[Any], values: NDArray[Any], out: NDArray[Any]) -> None:
    """out = matrix @ values."""
    rows = PRODUCT_ROWS.get(out.dtype.name, len(matrix))
    for i in range(0, len(matrix), rows):
        np.matmul(matrix[i : i + rows], values, out=out[..., i : i + rows, :])


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any] | Sequence[NDArray[Any]]:
    """Arrays of one shape as one of shape (variables, instants, satellites), where they lie evenly in memory; else as they are."""
    if len(arrays) < 2:
        return arrays
    first = arrays[0]
    places = np.diff([values.__array_interface__["data"][0] for values in arrays])
    alike = all((v.shape, v.strides, v.dtype) == (first.shape, first.strides, first.dtype) for v in arrays)
    if not alike or (places != places[0]).any() or places[0] < first.nbytes:
        return arrays
    return as_strided(first, (len(arrays), *first.shape), (int(places[0]), *first.strides))
