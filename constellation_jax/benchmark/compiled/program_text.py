"""Optimised programs of XLA as text: loops with their lengths, bytes through kernels, float64 operations, launches.

Two texts describe a program. The HLO module has loops, lengths and shapes; the sequence of thunks, which XLA writes beside it, has
the launches in their order, with grids and threads. Both list the loops in the same order.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "bf16": 2, "f16": 2, "s32": 4, "u32": 4, "f32": 4}
_BYTES |= {"s64": 8, "u64": 8, "f64": 8}
_SHAPE = re.compile(r"\b(\w+)\[([\d,]*)\]")
_HEAD = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_THUNK = re.compile(r"^\s*\d+: k(\w+)\s+\[.*?\]\s?(.*)$")
_LAUNCH = re.compile(r"^(\S+) grid: \[(.*?)\] threads: \[(.*?)\]")
_FREE = {
    "parameter",
    "constant",
    "tuple",
    "get-tuple-element",
    "bitcast",
    "iota",
    "partition-id",
    "replica-id",
    "after-all",
}
_PARTIAL = {"slice", "dynamic-slice"}
_IN_PLACE = {"dynamic-update-slice": 1, "scatter": 2}
"""Operand that holds what is written; the rest of the first one stays where it is."""
_NO_KERNELS = {
    "CommandBuffer",
    "Sequential",
    "While",
    "Conditional",
    "DynamicSliceFusion",
    "Copy",
    "Memset32BitValue",
    "Memzero",
}


@dataclasses.dataclass(frozen=True)
class Launch:
    """Launch of a kernel."""

    name: str
    threads: int
    """Threads of the whole grid."""


@dataclasses.dataclass(frozen=True)
class Loop:
    """While loop."""

    trips: int | None
    """Passes, where they are known at compilation; else the host waits for the condition before each pass."""
    body: ProgramPart


@dataclasses.dataclass(frozen=True)
class ProgramPart:
    """Program outside its loops, or the body of a loop."""

    launches: tuple[Launch, ...]
    copies: int
    """Copies from one place of the card's memory to another, which are no kernels."""
    moved: int
    """Bytes of the arguments and results of kernels and copies; of what is sliced or updated in part, those of the part."""
    loops: tuple[Loop, ...]


def read_program(module: str, thunks: str) -> tuple[ProgramPart, int]:
    """Read a program: its parts, and the number of its operations that give float64 values.

    Args:
        module: the optimised HLO module.
        thunks: the sequence of thunks.
    """
    computations, entry = _read_computations(module)
    float64 = sum("f64[" in op.shape and op.opcode not in _FREE for ops in computations.values() for op in ops)
    lines = [line for line in thunks.splitlines() if line.strip()]
    part, rest = _read_thunks(lines, -1)
    if rest:
        raise ValueError(f"sequence of thunks: cannot read the line {rest[0]!r}")
    return _join(computations, entry, part), float64


@dataclasses.dataclass(frozen=True)
class _Operation:
    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    attributes: str
    is_root: bool
    """True for the result of a computation."""

    def called(self, key: str) -> str:
        """Name of a computation that the operation calls."""
        found = re.search(rf"\b{key}=%?([\w.\-]+)", self.attributes)
        return found[1] if found else ""

    @property
    def trips(self) -> int | None:
        found = re.search(r'known_trip_count":\{"n":"(\d+)"', self.attributes)
        return int(found[1]) if found else None


_Computations = dict[str, list[_Operation]]


def _read_computations(module: str) -> tuple[_Computations, str]:
    computations: _Computations = {}
    name = entry = ""
    for line in re.sub(r"/\*.*?\*/", "", module).splitlines():
        if head := _HEAD.match(line):
            name = head[2]
            entry = name if head[1] else entry
            computations[name] = []
        elif " = " in line and name and (operation := _read_operation(line)):
            computations[name].append(operation)
    return computations, entry


def _read_operation(line: str) -> _Operation | None:
    left, _, right = line.partition(" = ")
    shape_end = _closing(right, 0) + 1 if right.startswith("(") else right.find(" ")
    opening = right.find("(", shape_end)
    if opening < 0:
        return None
    closing = _closing(right, opening)
    name = left.split()[-1].lstrip("%")
    operands = tuple(re.findall(r"%([\w.\-]+)", right[opening:closing]))
    return _Operation(
        name, right[:shape_end], right[shape_end:opening].strip(), operands, right[opening:], "ROOT" in left
    )


def _closing(text: str, start: int) -> int:
    depth = 0
    for k in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[k], 0)
        if not depth:
            return k
    return len(text)


def _size(shape: str) -> int:
    return sum(
        _BYTES.get(kind, 0) * math.prod(int(n) for n in dims.split(",") if n) for kind, dims in _SHAPE.findall(shape)
    )


def _moved(operation: _Operation, shapes: dict[str, str], computations: _Computations) -> int:
    """Bytes that a kernel reads and writes."""
    inner = {one.name: one for one in computations.get(operation.called("calls"), [])}
    users: dict[str, list[_Operation]] = {}
    for one in inner.values():
        for operand in one.operands:
            users.setdefault(operand, []).append(one)
    root = next((one for one in inner.values() if one.is_root), None)
    results = [inner[name] for name in root.operands] if root and root.opcode == "tuple" else [root] if root else []
    updates = [one for one in results if one.opcode in _IN_PLACE]
    written = [inner[one.operands[_IN_PLACE[one.opcode]]].shape for one in updates]
    total = _size(operation.shape) + sum(_size(shape) for shape in written) - sum(_size(one.shape) for one in updates)
    kept = {one.operands[0] for one in updates}
    parameters = {
        int(one.attributes[1:].split(")")[0]): name for name, one in inner.items() if one.opcode == "parameter"
    }
    for k, operand in enumerate(operation.operands):
        name = parameters.get(k, "")
        whole = _size(shapes.get(operand, ""))
        uses = [use for use in users.get(name, []) if name not in kept or use not in updates]
        is_partial = (bool(uses) or name in kept) and all(use.opcode in _PARTIAL for use in uses)
        total += min(whole, sum(_size(use.shape) for use in uses)) if is_partial else whole
    return total


def _join(computations: _Computations, name: str, part: ProgramPart) -> ProgramPart:
    """Add the bytes of a computation to its launches, and the lengths of its loops."""
    shapes = {op.name: op.shape for op in computations[name]}
    operations = list(_flatten(computations, name))
    moved = sum(_moved(op, shapes, computations) for op in operations if op.opcode not in {*_FREE, "while"})
    loops = [op for op in operations if op.opcode == "while"]
    if len(loops) != len(part.loops):
        raise ValueError(
            f"computation {name}: {len(loops)} loops in the module, {len(part.loops)} in the sequence of thunks"
        )
    joined = tuple(
        Loop(op.trips, _join(computations, op.called("body"), loop.body))
        for op, loop in zip(loops, part.loops, strict=True)
    )
    return dataclasses.replace(part, moved=moved, loops=joined)


def _flatten(computations: _Computations, name: str) -> Iterator[_Operation]:
    """Operations of a computation and of those that it calls outright."""
    for operation in computations[name]:
        if operation.opcode == "call":
            yield from _flatten(computations, operation.called("to_apply"))
        else:
            yield operation


def _read_thunks(lines: list[str], indent: int) -> tuple[ProgramPart, list[str]]:
    """Read thunks that stand further to the right than an indentation; also the lines after them."""
    launches: list[Launch] = []
    copies, loops = 0, []
    while lines:
        line = lines[0]
        found = _THUNK.match(line)
        if not found or len(line) - len(line.lstrip()) <= indent:
            break
        kind, rest = found.groups()
        lines = lines[1:]
        if kind == "While":
            here = len(line) - len(line.lstrip())
            if lines[0].strip() != "condition:":
                raise ValueError(f"sequence of thunks: expected a condition after {line!r}, found {lines[0]!r}")
            _, lines = _read_thunks(lines[1:], here)  # the condition, which a loop of known length does not compute
            body, lines = _read_thunks(lines[1:], here)  # the line "body:" before it
            loops.append(Loop(None, body))
        elif launch := _LAUNCH.match(rest):
            grid = math.prod(int(n) for n in (launch[2] + "," + launch[3]).split(","))
            launches.append(Launch(launch[1], grid))
        elif kind == "Copy":
            copies += 1
        elif kind not in _NO_KERNELS:
            launches.append(Launch(f"{kind} {rest}".strip(), 0))
    return ProgramPart(tuple(launches), copies, 0, tuple(loops)), lines
