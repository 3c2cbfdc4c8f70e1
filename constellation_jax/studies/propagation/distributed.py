"""Blocks of a propagation on the workers of a Dask cluster, which write the store.

A task is consecutive blocks, and returns nothing but its number of states: the store is the only thing that workers share.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from constellation_jax.errors import OutputError
from constellation_jax.studies.cluster import LostClusterError, count_workers, do_tasks
from constellation_jax.studies.propagation.runs import Counter, Stopwatch

if TYPE_CHECKING:
    from constellation_jax.engine.propagation.engine import Engine
    from constellation_jax.studies.propagation.job import PropagationJob

TASK_STATES: Final = 50_000_000
"""States of a task of a long run: four seconds of one core, half a second of a GPU."""
TASKS_PER_WORKER: Final = 8
"""Tasks of a worker at least, so that all end at about the same time; but a task is a block, half a second of a core, or more."""


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
    try:
        tasks = _group(blocks, len(job.catalog), count_workers(client))
        for _, states in do_tasks(client, _compute, (job, path), tasks):
            if count is not None:
                count(states)
    except LostClusterError as error:
        raise OutputError(f"{path}: {error}; what is done stays, go on with resume") from error


def _group(blocks: Sequence[slice], satellites: int, workers: int) -> list[list[slice]]:
    """Put consecutive blocks together to tasks."""
    instants = sum(rows.stop - rows.start for rows in blocks)
    most = min(TASK_STATES // satellites, instants // (TASKS_PER_WORKER * workers))
    groups: list[list[slice]] = []
    held = most
    for rows in blocks:
        size = rows.stop - rows.start
        if held + size > most:
            groups.append([])
            held = 0
        groups[-1].append(rows)
        held += size
    return groups


_ENGINES: dict[tuple[str, ...], Engine] = {}
"""Engine of the run that this worker is busy with."""


def _compute(shared: tuple[PropagationJob, str], blocks: list[slice]) -> int:
    """Compute and store blocks in a worker; return their number of states."""
    job, path = shared
    key = tuple(job.fingerprint.values())
    if key not in _ENGINES:
        _ENGINES.clear()
        _ENGINES[key] = job.make_engine()
        _ENGINES[key].warm_up()
    with job.make_writer(path, shared=True, overwrite=True) as writer:
        job.compute(_ENGINES[key], writer, blocks, Stopwatch())
    return len(job.catalog) * sum(int(rows.stop - rows.start) for rows in blocks)
