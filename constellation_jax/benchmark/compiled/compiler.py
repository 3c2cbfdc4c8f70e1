"""Compilation of JAX functions for an NVIDIA card that is not there, and the figures of what XLA makes of them.

XLA's CUDA plugin compiles ahead of time for a described card; nothing runs. It shows structure and cost, not results and not rates.

    compiled = compile_for(CARDS["H100"], function, arguments)
    compiled.kernels, compiled.unknown_loops, compiled.spills, compiled.seconds
"""

from __future__ import annotations

import dataclasses
import importlib.util
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding

from constellation_jax.benchmark.compiled.cards import Card
from constellation_jax.benchmark.compiled.program_text import Loop, ProgramPart, read_program
from constellation_jax.benchmark.compiled.ptx import KernelCost, find_assembler, read_kernel
from constellation_jax.engine.devices import REPLICATED

LAUNCH_S: Final = 2e-6
"""Time from one launch to the next that a kernel takes at least: assumed, the order of what NVIDIA's cards show."""


def describe_missing() -> str:
    """Say in one line what of XLA's CUDA compiler is missing or does not fit; empty where nothing is."""
    if importlib.util.find_spec("jax_plugins") is None or importlib.util.find_spec("jax_plugins.xla_cuda12") is None:
        return "XLA's CUDA compiler is not installed: pip install . --group gpu-check"
    found = {name: _version(name) for name in ("jaxlib", "jax-cuda12-plugin", "jax-cuda12-pjrt")}
    if len(set(found.values())) > 1:
        return f"versions differ: {', '.join(f'{name} {number}' for name, number in found.items())}"
    if find_assembler() is None:
        return "ptxas is not installed: pip install nvidia-cuda-nvcc-cu12"
    return ""


@dataclasses.dataclass(frozen=True)
class CompiledProgram:
    """Figures of a program compiled for a card."""

    card: Card
    program: ProgramPart
    float64: int
    """Operations that give float64 values."""
    costs: dict[str, KernelCost]
    """Cost of a thread of each kernel, by name."""

    @property
    def kernels(self) -> int:
        """Launches of kernels outside loops."""
        return len(self.program.launches)

    @property
    def kernels_in_loops(self) -> int:
        """Launches of kernels in one pass of every loop."""
        return sum(len(loop.body.launches) for loop in self.loops)

    @property
    def loops(self) -> list[Loop]:
        """All loops, the outer ones first."""
        return list(_loops(self.program))

    @property
    def unknown_loops(self) -> int:
        """Loops whose length is unknown at compilation, before each pass of which the host waits."""
        return sum(loop.trips is None for loop in self.loops)

    @property
    def library_calls(self) -> int:
        """Calls of libraries and of the host in place of kernels, such as a product of matrices by cuBLAS."""
        parts = (self.program, *(loop.body for loop in self.loops))
        return sum(not launch.threads for part in parts for launch in part.launches)

    @property
    def moved(self) -> int:
        """Bytes through kernels and copies in a call: those of a loop with each pass, or once where the passes are unknown."""
        return _sum_moved(self.program)

    @property
    def instructions(self) -> int:
        """PTX instructions of all threads of a call, with loops as for `moved`."""
        return _sum_instructions(self.program, self.costs)[0]

    @property
    def registers(self) -> int:
        """Registers of a thread of the kernel that needs most."""
        return max((cost.registers for cost in self.costs.values()), default=0)

    @property
    def spills(self) -> int:
        """Bytes of spilled registers of all kernels."""
        return sum(cost.spills for cost in self.costs.values())

    @property
    def seconds(self) -> float:
        """Time below which instruction issue, bandwidth and launches hold a call, were each used to the full.

        Kernels that follow one another do not overlap, so for each part of a program the largest of the three counts.
        """
        return _seconds(self.program, self)


def compile_for(card: Card, function: Callable[..., Any], arguments: tuple[Any, ...]) -> CompiledProgram:
    """Compile a function for one card.

    Args:
        card: what to compile for.
        function: of JAX arrays.
        arguments: `jax.ShapeDtypeStruct`s, or pytrees of them.

    Raises:
        RuntimeError: the compiler is missing, or wrote nothing.
    """
    assembler = find_assembler()
    if missing := describe_missing():
        raise RuntimeError(missing)
    assert assembler is not None
    where = _sharding(card)
    lowered = jax.jit(function, in_shardings=where, out_shardings=where).lower(*arguments)
    with tempfile.TemporaryDirectory() as folder:
        done = lowered.compile(compiler_options={"xla_dump_to": folder})
        thunks = [path for path in Path(folder).glob("*.thunk_sequence.txt") if path.stat().st_size]
        if len(thunks) != 1:
            raise RuntimeError(
                f"XLA {_version('jaxlib')} wrote {len(thunks)} sequences of thunks, expected 1: is JAX's cache on?"
            )
        program, float64 = read_program(done.as_text() or "", thunks[0].read_text(encoding="utf-8"))
        texts = [path.read_text(encoding="utf-8") for path in Path(folder).glob("*.ptx")]
    with ThreadPoolExecutor(2) as pool:
        kernels = [kernel for kernel in pool.map(lambda text: read_kernel(text, assembler), texts) if kernel]
    return CompiledProgram(card, program, float64, {kernel.name: kernel for kernel in kernels})


@cache
def _sharding(card: Card) -> NamedSharding:
    from jax.experimental import topologies

    topology = topologies.get_topology_desc(
        f"{card.key}:1x1x1", platform="cuda", target_config=card.target_config, topology="1x1x1"
    )
    return NamedSharding(Mesh(np.array(topology.devices), ("satellites",)), REPLICATED)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "missing"


def _loops(part: ProgramPart) -> Iterator[Loop]:
    for loop in part.loops:
        yield loop
        yield from _loops(loop.body)


def _sum_moved(part: ProgramPart) -> int:
    return part.moved + sum((loop.trips or 1) * _sum_moved(loop.body) for loop in part.loops)


def _sum_instructions(part: ProgramPart, costs: dict[str, KernelCost]) -> tuple[int, int]:
    """Instructions of all threads, and the float64 ones among them."""
    known = [(launch.threads, costs[launch.name]) for launch in part.launches if launch.name in costs]
    every = sum(threads * cost.instructions for threads, cost in known)
    float64 = sum(threads * cost.float64 for threads, cost in known)
    for loop in part.loops:
        inner = _sum_instructions(loop.body, costs)
        every, float64 = every + (loop.trips or 1) * inner[0], float64 + (loop.trips or 1) * inner[1]
    return every, float64


def _seconds(part: ProgramPart, of: CompiledProgram) -> float:
    card = of.card
    every, float64 = _sum_instructions(dataclasses.replace(part, loops=()), of.costs)
    issue = max(every / card.lanes_per_s, float64 / card.lanes_float64_per_s)
    own = max(issue, part.moved / card.bandwidth, LAUNCH_S * (len(part.launches) + part.copies))
    return own + sum((loop.trips or 1) * _seconds(loop.body, of) for loop in part.loops)
