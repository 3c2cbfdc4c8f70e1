"""Memory of devices that does not suffice: calls become smaller, with one warning, until they fit."""

from __future__ import annotations

import threading
import warnings
from typing import Any, Final

import jax

from constellation_jax.errors import InputError

MEMORY_ERRORS: Final = (MemoryError, jax.errors.JaxRuntimeError)
"""Types of the errors of NumPy and of JAX; `is_out_of_memory` tells those of the latter that have another cause."""


def is_out_of_memory(error: BaseException) -> bool:
    """True for an error of the host's or of a device's memory."""
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)
    )


def wait(arrays: Any) -> Any:
    """Wait until a pytree of arrays is there, and return it: where calls return before they are done, their errors show here."""
    return jax.block_until_ready(arrays)


class CallSize:
    """Largest number of states in a call, which is halved where memory does not suffice. Several threads may share it.

        while True:
            most = size.most
            try:
                return compute(most)
            except MEMORY_ERRORS as error:
                size.halve(error, most, used, instant, state_bytes)

    Args:
        most: states in a call at first.
        platform: of the devices, for messages.
    """

    def __init__(self, most: int, platform: str) -> None:
        self.most = most
        self._platform = platform
        self._has_warned = False
        self._lock = threading.Lock()

    def halve(self, error: Exception, most: int, used: int, instant: int, state_bytes: int) -> None:
        """Make later calls half as large as one that has failed, unless another thread has done so.

        Args:
            error: of the call; another error than of memory is raised again.
            most: the size when the call was made.
            used: states of the call.
            instant: states of one instant, the smallest call; the size becomes a multiple of it.
            state_bytes: size of a state's results.

        Raises:
            InputError: the call had one instant.
        """
        if not is_out_of_memory(error):
            raise error
        size = f"{used * state_bytes / 2**20:.0f} MiB"
        where = f"device {self._platform}: not enough memory for"
        with self._lock:
            if self.most != most:
                return
            if used <= instant:
                raise InputError(
                    f"{where} one instant of {instant} satellites ({size}); ask for fewer objects, fewer variables or "
                    'precision="float32", or see XLA_PYTHON_CLIENT_MEM_FRACTION if another process holds the memory'
                ) from None
            self.most = used // instant // 2 * instant
            has_warned, self._has_warned = self._has_warned, True
        if not has_warned:
            warnings.warn(
                f"{where} results of {size} in one call; going on with smaller calls. "
                'Fewer variables or precision="float32" need less',
                RuntimeWarning,
                stacklevel=3,
            )
