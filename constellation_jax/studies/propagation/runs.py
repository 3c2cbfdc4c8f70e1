"""Runs over a catalogue: progress, blocks that are computed while the one before is written, and the report."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from constellation_jax.engine.arrays import OutputArrays

Progress = Callable[[int, int], None]
"""Called with the number of states done and of all states."""
Counter = Callable[[int], None]
"""Called with a number of states just computed."""
BlockWork = Callable[[int, int, OutputArrays], object]
"""Called with start and stop of a block of units, and its arrays."""


@dataclasses.dataclass(frozen=True)
class RunReport:
    """Figures of a run to a file."""

    path: Path | str
    """Place of the output, text where it is an address: PATH.partial where it waits for other jobs."""
    satellites: int
    failed: int
    """Satellites whose status is not 0 at the last instant."""
    compile_s: float
    """Seconds for coefficients, and for compilation where the cache had none."""
    compute_s: float
    write_s: float
    """Seconds of writing, at the same time as the computation of the block that follows."""
    wall_s: float
    peak_memory_bytes: int
    """Largest resident size of the process so far; 0 where the system does not tell."""
    bytes: int
    """Size of the file."""


class Stopwatch:
    """Seconds spent on each of several things; begins when it is made."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._spent = {"compile": 0.0, "compute": 0.0, "write": 0.0}

    def __call__(self, what: str, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function and count its time."""
        since = time.perf_counter()
        result = function(*arguments)
        self._spent[what] += time.perf_counter() - since
        return result

    def report(self, size: int) -> dict[str, Any]:
        """Times, memory and the size of the output for a `RunReport`, at the end."""
        return {
            **{f"{what}_s": seconds for what, seconds in self._spent.items()},
            "wall_s": time.perf_counter() - self._begin,
            "peak_memory_bytes": peak_memory_bytes(),
            "bytes": size,
        }


def in_blocks(
    blocks: Sequence[slice],
    buffers: Sequence[OutputArrays],
    compute: BlockWork,
    write: BlockWork,
    clock: Stopwatch,
    rows: int = 1,
) -> None:
    """Compute blocks, each while the one before is written by the one thread that may use netCDF meanwhile.

    Args:
        blocks: the units (instants, spans) of each block.
        buffers: two sets of arrays that a block fits into.
        rows: of the arrays for each unit.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="netcdf") as pen:
        writing: Future[Any] | None = None
        for k, block in enumerate(blocks):
            part = buffers[k % 2].rows(slice((block.stop - block.start) * rows))
            clock("compute", compute, block.start, block.stop, part)
            if writing is not None:
                writing.result()  # the block before: its failure ends the run here
            writing = pen.submit(clock, "write", write, block.start, block.stop, part)
        if writing is not None:
            writing.result()


def make_counter(progress: Progress | None, total: int) -> Counter | None:
    """Function that the engine calls with the number of states just computed."""
    if progress is None:
        return None
    done = 0

    def count(states: int) -> None:
        nonlocal done
        done += states
        progress(done, total)

    return count


def peak_memory_bytes() -> int:
    """Largest resident size of the process so far; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) * (1 if sys.platform == "darwin" else 1024)
