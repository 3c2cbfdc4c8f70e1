"""Blocks of a propagation on the workers of a Dask cluster.

One loop keeps a few tasks a worker under way. A task is consecutive blocks worth a second or more, and returns nothing but its
number of states, so the scheduler holds no data. A task that is lost is done again by another worker, to the same bytes.
Deliberately absent: arrays of Dask, since the store is the only thing that workers share.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from constellation_jax.errors import InputError, OutputError
from constellation_jax.studies.propagation.runs import Counter, Stopwatch

if TYPE_CHECKING:
    from constellation_jax.engine.propagation.engine import Engine
    from constellation_jax.studies.propagation.to_file import PropagationJob

TASK_STATES: Final = 50_000_000
"""Least states of a task, a second of one core; the scheduler takes 3 to 4 ms for each."""
TASKS_PER_WORKER: Final = 2
RETRIES: Final = 3


def compute_on(
    client: Any, job: PropagationJob, path: str, blocks: Sequence[slice], count: Counter | None = None
) -> None:
    """Compute blocks of a run on the workers of a cluster, which write them.

    Args:
        client: `distributed.Client`.
        path: of the store, which every worker can reach.
        blocks: instants of each block, ascending.
        count: called with the number of states of each task that is done.

    Raises:
        OutputError: the cluster was lost, or a task failed again and again.
    """
    from distributed import as_completed as _as_completed

    as_completed: Any = _as_completed

    tasks = _group(blocks, len(job.catalog))
    workers = len(client.scheduler_info()["workers"])
    if not workers:
        raise OutputError("client: the cluster has no workers; start some, and go on with resume")
    shared = client.scatter(job, broadcast=True)
    waiting = iter(tasks)

    def submit() -> Any:
        rows = next(waiting, None)
        if rows is None:
            return None
        return client.submit(_compute, shared, path, rows, pure=False, retries=RETRIES)

    try:
        running = as_completed([f for f in (submit() for _ in range(TASKS_PER_WORKER * workers)) if f is not None])
        for future in running:
            states = future.result()
            if count is not None:
                count(states)
            following = submit()
            if following is not None:
                running.add(following)
    except Exception as error:  # dask has a dozen types of a lost cluster, without a common base
        if type(error).__module__.startswith("distributed"):
            raise OutputError(
                f"{path}: the cluster was lost ({error}); what is done stays, go on with resume"
            ) from error
        raise


def _group(blocks: Sequence[slice], satellites: int) -> list[list[slice]]:
    """Put consecutive blocks together until they are worth a task."""
    groups: list[list[slice]] = [[]]
    for rows in blocks:
        groups[-1].append(rows)
        if sum(each.stop - each.start for each in groups[-1]) * satellites >= TASK_STATES:
            groups.append([])
    return [group for group in groups if group]


_ENGINES: dict[tuple[str, ...], Engine] = {}
"""Engine of the run that this worker is busy with."""
_ALONE: Final = Lock()
"""One task at a time in a process: the engine has threads of its own, as many as the worker."""


def _compute(job: PropagationJob, path: str, blocks: list[slice]) -> int:
    """Compute and store blocks in a worker; return their number of states."""
    from distributed import get_worker

    from constellation_jax.settings import configure

    with _ALONE:
        key = tuple(job.fingerprint.values())
        if key not in _ENGINES:
            os.environ["XLA_FLAGS"] = job.fingerprint["compiler_flags"]  # those of the process that has the client
            with suppress(InputError):  # JAX has started already, and has its settings
                configure(cpu_flags=False, compile_cache=True)
            _ENGINES.clear()
            _ENGINES[key] = job.make_engine(threads=get_worker().state.nthreads)
            _ENGINES[key].warm_up()
        with job.make_writer(path, shared=True, overwrite=True) as writer:
            job.compute(_ENGINES[key], writer, blocks, Stopwatch())
    return len(job.catalog) * sum(int(rows.stop - rows.start) for rows in blocks)
