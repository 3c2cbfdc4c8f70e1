"""Threads of a run: workers in 64-bit arithmetic, BLAS without threads of its own, and the cache that they share."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from threading import Lock
from typing import Any, Self

from threadpoolctl import ThreadpoolController

from constellation_jax.engine.precision import x64

_MOST_CACHED = 8
_KEPT: deque[tuple[Hashable, Any]] = deque(maxlen=(os.cpu_count() or 1) + 2)
_LOCK = Lock()
_WIDE = {"SkylakeX", "Cooperlake", "SapphireRapids"}
_LIMIT: ContextVar[int | None] = ContextVar("_LIMIT", default=None)


def count_cores() -> int:
    """Count the cores that this thread may use: a batch system gives a part of the machine, `limit_cores` of the process."""
    limit = _LIMIT.get()
    if limit is not None:
        return limit
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1


@contextmanager
def limit_cores(cores: int) -> Iterator[None]:
    """Let engines that this thread makes use no more than some cores: the other ones have work of their own."""
    before = _LIMIT.set(cores)
    try:
        yield
    finally:
        _LIMIT.reset(before)


class Workers:
    """Pool of threads in which JAX computes in 64 bits. Use it in a `with` statement.

    Args:
        threads: number of threads.
    """

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)  # an interrupt does not wait for what has not begun

    def map(self, work: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        """Do the work on each task; results in the order of the tasks."""

        def work_in_x64(task: Any) -> Any:
            with x64():  # it holds for one thread alone
                return work(task)

        return self._pool.map(work_in_x64, tasks)

    def run(
        self, work: Callable[[Any], Any], tasks: Iterable[Any], progress: Callable[[int], None] | None = None
    ) -> None:
        """Do the work on each task; `progress` is called from this thread with each result."""
        for result in self.map(work, tasks):
            if progress is not None:
                progress(result)


class ThreadCache:
    """Cache of the threads of a run: output buffers and constant arrays, so that nothing large is made anew for each tile.

    Args:
        is_kept: True: the last buffers stay for later runs, to which their memory, cleared by the system, costs 20 ms.
    """

    def __init__(self, *, is_kept: bool = False) -> None:
        self._buffers = _KEPT if is_kept else deque[tuple[Hashable, Any]]()
        self._constants: dict[Hashable, Any] = {}

    def borrow(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return buffers that have been released, or new ones. JAX donates them: they serve one call at a time."""
        with _LOCK:
            for i, (found, buffers) in enumerate(self._buffers):
                if found == key:
                    del self._buffers[i]
                    return buffers
        return make()

    def release(self, key: Hashable, buffers: Any) -> None:
        """Keep buffers for the next `borrow` of the same key."""
        with _LOCK:
            self._buffers.append((key, buffers))

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return a constant, made at its first use. Only a few are kept: all tiles of a chunk use the same ones."""
        found = self._constants.get(key)
        if found is None:
            found = make()
            if len(self._constants) >= _MOST_CACHED:
                self._constants.clear()
            self._constants[key] = found
        return found


def one_blas_thread() -> Any:
    """Context in which BLAS starts no threads of its own, in the whole process.

    A worker on each core multiplies slim matrices already: threads that BLAS added would mostly wait for each other. Measured, that
    costs half of the rate and several times the processor time.
    """
    return _blas().limit(limits=1, user_api="blas")


@cache
def has_wide_blas() -> bool:
    """True where OpenBLAS uses its kernels for AVX-512."""
    return any(library.get("architecture") in _WIDE for library in _blas().info())


@cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()  # searches the loaded libraries, which takes some milliseconds
