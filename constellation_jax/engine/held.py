"""What a worker thread keeps between tiles, so that nothing large is made anew for each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from typing import Any

_MOST_KEPT = 8


class Held(threading.local):
    """Each thread sees its own."""

    def __init__(self) -> None:
        self._buffers: dict[Hashable, Any] = {}
        self._kept: dict[Hashable, Any] = {}

    def take(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Memory for results, out of what this thread has given back: JAX donates it, so that it can serve only one at a time."""
        found = self._buffers.pop(key, None)
        return make() if found is None else found

    def give(self, key: Hashable, buffers: Any) -> None:
        """For the next `take` of the same key."""
        self._buffers[key] = buffers

    def kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Made once for the tiles of a chunk; a few are kept."""
        if key not in self._kept:
            if len(self._kept) >= _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = make()
        return self._kept[key]
