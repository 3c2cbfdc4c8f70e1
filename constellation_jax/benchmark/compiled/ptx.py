"""PTX of one kernel: instructions on the way to its results, registers and spills."""

from __future__ import annotations

import dataclasses
import heapq
import importlib.util
import os
import re
import subprocess
from pathlib import Path

_ENTRY = re.compile(r"^\.visible \.entry ([\w$]+)\(", re.MULTILINE)
_TARGET = re.compile(r"^\.target (\w+)", re.MULTILINE)
_INSTRUCTION = re.compile(r"^\s+(?:@!?(%\w+)\s+)?([a-z][\w.:]*)\s*(.*);")
_LABEL = re.compile(r"^(\$?\w+):")


@dataclasses.dataclass(frozen=True)
class KernelCost:
    """Cost of one thread of a kernel."""

    name: str
    instructions: int
    """PTX instructions on the shortest way from the kernel's beginning by way of its last store to its end.

    This leaves out the reduction of angles beyond 105,615 rad, which stands in the code of every sine and cosine and which no orbit
    enters. A loop inside a kernel counts once, and so does a division, which becomes some ten machine instructions.
    """
    float64: int
    """Float64 instructions among them."""
    registers: int
    spills: int
    """Bytes of registers that spill to memory, stores and loads."""


def find_assembler() -> Path | None:
    """Find ptxas of the package nvidia-cuda-nvcc-cu12."""
    found = importlib.util.find_spec("nvidia")
    places = found.submodule_search_locations if found else None
    paths = (path for place in places or () for path in Path(place).glob("*/bin/ptxas"))
    return next(paths, None)


def read_kernel(text: str, assembler: Path) -> KernelCost | None:
    """Read the PTX of a kernel, which the assembler compiles again for its figures; None where it holds no kernel."""
    entry, target = _ENTRY.search(text), _TARGET.search(text)
    if not entry or not target:
        return None
    command = [str(assembler), f"-arch={target[1]}", "-v", "-o", os.devnull, "-"]
    said = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stderr
    registers = [int(n) for n in re.findall(r"Used (\d+) registers", said)]
    spills = [int(n) for n in re.findall(r"(\d+) bytes spill", said)]
    instructions, float64 = _shortest_way(_blocks(text[entry.end() :]))
    return KernelCost(entry[1], instructions, float64, max(registers, default=0), sum(spills))


@dataclasses.dataclass
class _BasicBlock:
    """Instructions without a jump between them."""

    instructions: int = 0
    float64: int = 0
    stores: bool = False
    jumps: list[str] = dataclasses.field(default_factory=list)
    """Labels that a jump leads to from here."""
    falls_through: bool = True


def _blocks(body: str) -> tuple[list[_BasicBlock], dict[str, int]]:
    """Cut a kernel into blocks; also the index of the block of each label."""
    blocks, labels = [_BasicBlock()], {}
    for line in body.splitlines():
        if label := _LABEL.match(line):
            blocks.append(_BasicBlock())
            labels[label[1]] = len(blocks) - 1
        elif found := _INSTRUCTION.match(line):
            guard, operation, operands = found.groups()
            block = blocks[-1]
            block.instructions += 1
            block.float64 += ".f64" in operation and not operation.startswith(("ld", "st", "mov"))
            block.stores |= operation.startswith("st.") and ".global" in operation
            ends = operation.split(".")[0] in ("bra", "ret", "exit")
            if ends:
                block.jumps += [operands] if operation.startswith("bra") else []
                block.falls_through = guard is not None
                blocks.append(_BasicBlock())
    return blocks, labels


def _shortest_way(cut: tuple[list[_BasicBlock], dict[str, int]]) -> tuple[int, int]:
    """Fewest instructions, and float64 ones among them, through the last block that stores."""
    blocks, labels = cut
    last = max((k for k, block in enumerate(blocks) if block.stores), default=len(blocks) - 1)
    best: dict[int, tuple[int, int]] = {}
    queue = [(blocks[0].instructions, blocks[0].float64, 0)]
    while queue:
        count, float64, k = heapq.heappop(queue)
        if k in best:
            continue
        best[k] = (count, float64)
        after = [labels[name] for name in blocks[k].jumps if name in labels]
        after += [k + 1] if blocks[k].falls_through and k + 1 < len(blocks) else []
        for n in after:
            heapq.heappush(queue, (count + blocks[n].instructions, float64 + blocks[n].float64, n))
    return best.get(last, (sum(b.instructions for b in blocks), sum(b.float64 for b in blocks)))
