"""Arrays that a run fills.

All variables lie in one block of memory and are written by one operation: each operation has to wait for the interpreter's lock,
which the other threads want as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.threads import has_wide_blas

Columns = NDArray[np.intp] | slice
STATUS = "status"
FEW_ROWS = 16
"""Rows of a float32 matrix product computed by one call of BLAS where it has AVX-512. With so few, OpenBLAS neither copies its
arguments nor clears the result first: a quarter quicker there. Its kernels for AVX2 have no such path, and lose a quarter."""

_ALIGNMENT = 64
"""Bytes that XLA:CPU wants the memory of an array to be aligned to."""


class OutputArrays(Mapping[str, NDArray[Any]]):
    """Arrays of shape (instants, satellites) by name: the variables, and "status" (int8).

    Args:
        variables: names, in the order of the block.
        values: the block, shape (variables, instants, satellites).
        status: shape (instants, satellites).
    """

    def __init__(self, variables: Sequence[str], values: NDArray[Any], status: NDArray[np.int8]) -> None:
        self.variables = tuple(variables)
        self.values_block = values
        self.status = status

    @classmethod
    def allocate(cls, instants: int, satellites: int, variables: Sequence[str], dtype: str) -> OutputArrays:
        """Allocate uninitialised arrays for a run, each aligned so that JAX on a CPU can take it over without a copy."""
        count = instants * satellites
        values = _aligned(len(variables), count, np.dtype(dtype)).reshape(len(variables), instants, satellites)
        return cls(variables, values, _aligned(1, count, np.dtype(np.int8)).reshape(instants, satellites))

    def __getitem__(self, name: str) -> NDArray[Any]:
        return self.status if name == STATUS else self.values_block[self.variables.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter((*self.variables, STATUS))

    def __len__(self) -> int:
        return len(self.variables) + 1

    def rows(self, rows: slice | NDArray[np.intp]) -> OutputArrays:
        """Select some of the instants; a slice gives views."""
        return OutputArrays(self.variables, self.values_block[:, rows], self.status[rows])

    def write(self, values: NDArray[Any], status: NDArray[np.int8] | int, rows: slice, columns: Columns) -> None:
        """Copy values of shape (variables, instants, satellites), and their status, into some rows and columns."""
        self.values_block[:, rows, columns] = values
        self.status[rows, columns] = status

    def write_each(
        self, values: Sequence[NDArray[Any]], status: NDArray[np.int8], rows: slice, columns: Columns
    ) -> None:
        """Copy an array of shape (instants, satellites) for each variable, and their status, into some rows and columns."""
        for target, part in zip(self.values_block, values, strict=True):
            target[rows, columns] = part
        self.status[rows, columns] = status

    def write_product(self, matrix: NDArray[Any], values: NDArray[Any], rows: slice, columns: Columns) -> None:
        """Write matrix @ values with status 0, as `write` does, straight into the block where types and columns allow it."""
        if isinstance(columns, slice) and self.values_block.dtype == values.dtype:
            out = self.values_block[:, rows, columns]
            size = FEW_ROWS if out.dtype == np.float32 and has_wide_blas() else len(matrix)
            for i in range(0, len(matrix), size):
                np.matmul(matrix[i : i + size], values, out=out[..., i : i + size, :])
            self.status[rows, columns] = 0
        else:
            self.write(matrix @ values, 0, rows, columns)


def _aligned(rows: int, count: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Uninitialised array of shape (rows, count), the beginning of each row aligned."""
    size = -(-count * dtype.itemsize // _ALIGNMENT) * _ALIGNMENT
    memory = np.empty(rows * size + _ALIGNMENT, np.uint8)
    first = -memory.ctypes.data % _ALIGNMENT
    return memory[first : first + rows * size].view(dtype).reshape(rows, size // dtype.itemsize)[:, :count]
