"""Tasks of a study on the workers of a Dask cluster.

One loop keeps a few tasks a worker under way, so that the scheduler holds little. A task that is lost is done again by another
worker, to the same bits; it should be worth a second or so, since the scheduler takes 3 to 4 ms for each. Deliberately absent:
arrays and graphs of Dask.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from typing import Any, Final

from constellation_jax.engine.default_device import default_platform, on_device
from constellation_jax.engine.threads import limit_cores
from constellation_jax.errors import InputError, OutputError

TASKS_PER_WORKER: Final = 2
RETRIES: Final = 3


class LostClusterError(OutputError):
    """Cluster that has no workers, or whose scheduler or workers were lost again and again."""


def do_tasks(
    client: Any, work: Callable[[Any, Any], Any], shared: Any, tasks: Sequence[Any]
) -> Iterator[tuple[int, Any]]:
    """Do tasks on the workers of a cluster, and yield the number and the result of each when it is done, in any order.

    Args:
        client: `distributed.Client`.
        work: function of a module, called in a worker with `shared` and the task; one at a time in a process.
        shared: inputs of all tasks, which go to each worker once.
        tasks: inputs of each.

    Raises:
        LostClusterError: the cluster was lost, or a worker died again and again.
        Exception: as `work`.
    """
    from distributed import as_completed as _as_completed

    as_completed: Any = _as_completed  # whose functions have no types
    workers = count_workers(client)
    with _naming_losses():
        data = client.scatter(shared, broadcast=True)
        settings = os.environ.get("XLA_FLAGS", ""), default_platform()
        number: dict[Any, int] = {}

        def submit(k: int) -> Any:
            future = client.submit(_do_task, data, tasks[k], work, *settings, pure=False, retries=RETRIES)
            number[future] = k
            return future

        begun = min(len(tasks), TASKS_PER_WORKER * workers)
        running = as_completed([submit(k) for k in range(begun)])
        for future in running:
            yield number.pop(future), future.result()
            if begun < len(tasks):
                running.add(submit(begun))
                begun += 1


def count_workers(client: Any) -> int:
    """Count the workers of a cluster.

    Raises:
        LostClusterError: it has none, or was lost.
    """
    with _naming_losses():
        workers = len(client.scheduler_info()["workers"])
    if not workers:
        raise LostClusterError("the cluster has no workers; start some")
    return workers


@contextmanager
def _naming_losses() -> Iterator[None]:
    """Raise LostClusterError for the errors of a lost cluster."""
    try:
        yield
    except Exception as error:  # dask has a dozen types of them, without a common base
        if type(error).__module__.startswith(("distributed", "tornado", "asyncio")) or isinstance(error, TimeoutError):
            raise LostClusterError(f"the cluster was lost ({error})") from error
        raise


_ALONE: Final = Lock()
"""One task at a time in a process: an engine has threads of its own, as many as the worker."""


def _do_task(shared: Any, task: Any, work: Callable[[Any, Any], Any], flags: str, platform: str | None) -> Any:
    """Do a task in a worker, with the compiler flags and the device of the process that has the client."""
    from distributed import get_worker

    from constellation_jax.settings import compute_in_calling_thread, configure

    with _ALONE, limit_cores(get_worker().state.nthreads):
        os.environ["XLA_FLAGS"] = flags
        with suppress(InputError):  # JAX has started already, and has its settings
            compute_in_calling_thread()
            configure(cpu_flags=False, compile_cache=True)
        return on_device(_call)(work, shared, task, device=platform)


def _call(work: Callable[[Any, Any], Any], shared: Any, task: Any, *, device: str | None) -> Any:
    return work(shared, task)
