"""Table of what XLA makes of the package's programs for each card, in Markdown, for docs/how-to/gpu.md."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jax

from constellation_jax.benchmark.compiled.cards import CARDS, Card
from constellation_jax.benchmark.compiled.compiler import CompiledProgram, compile_for
from constellation_jax.benchmark.compiled.program_text import ProgramPart
from constellation_jax.benchmark.compiled.programs import PROGRAMS

HEADER: Final = (
    "program", "of", "kernels", "loops of unknown length", "bytes", "PTX instructions", "registers", "bytes spilled",
    "allowed, 1/s",
)  # fmt: skip
_PLACE = re.compile(r"(<!-- gpu table -->\n\n).*?(\n\n<!-- end of gpu table -->)", re.DOTALL)


def compile_program(name: str, card: Card) -> CompiledProgram:
    """Compile a program of `PROGRAMS` for a card."""
    program = PROGRAMS[name]
    with jax.enable_x64(not program.is_users):
        return compile_for(card, *program.build())


def make_row(name: str, compiled: CompiledProgram) -> tuple[str, ...]:
    """Make the cells of a program, in the order of `HEADER`; bytes, instructions and rate for each of its units of work."""
    program = PROGRAMS[name]
    return (
        name,
        f"1 {program.unit}" if program.work == 1 else f"{program.work:,} {program.unit}s",
        describe_kernels(compiled.program),
        f"{compiled.unknown_loops}",
        f"{compiled.moved / program.work:,.0f}",
        f"{compiled.instructions / program.work:,.0f}",
        f"{compiled.registers}",
        f"{compiled.spills:,}",
        f"{program.work / compiled.seconds:.1e}".replace("e+0", "e").replace("e+", "e"),
    )


def describe_kernels(part: ProgramPart) -> str:
    """Describe the launches of kernels, as in "2 + 60 x 9": two, and nine in each of sixty passes of a loop."""
    text = f"{len(part.launches)}"
    for loop in part.loops:
        inner = describe_kernels(loop.body)
        text += f" + {loop.trips or '?'} x {f'({inner})' if ' ' in inner else inner}"
    return text


def make_tables(rows: Mapping[str, Iterable[tuple[str, ...]]]) -> str:
    """Make the tables of some cards from their rows, by the cards' keys, with the compiler's versions."""
    tables = [f"jaxlib {version('jaxlib')}, ptxas {version('nvidia-cuda-nvcc-cu12')}"]
    for key, cells in rows.items():
        lines = [HEADER, ("---",) * len(HEADER), *cells]
        tables += [f"### {CARDS[key].name}", "\n".join(f"| {' | '.join(line)} |" for line in lines)]
    return "\n\n".join(tables)


def write_tables(page: Path, tables: str) -> None:
    """Write tables to their place in a page."""
    text = page.read_text(encoding="utf-8")
    page.write_text(_PLACE.sub(lambda found: found[1] + tables + found[2], text), encoding="utf-8")


def read_rows(page: Path) -> dict[tuple[str, str], tuple[str, ...]]:
    """Read the rows of the tables of a page that were compiled with the installed versions, by card and program."""
    found = _PLACE.search(page.read_text(encoding="utf-8"))
    text = found[0] if found else ""
    if f"jaxlib {version('jaxlib')}, ptxas {version('nvidia-cuda-nvcc-cu12')}" not in text:
        return {}
    keys = {card.name: key for key, card in CARDS.items()}
    rows, key = {}, ""
    for line in text.splitlines():
        if line.startswith("### "):
            key = keys[line.removeprefix("### ")]
        elif key and line.startswith("| ") and not line.startswith(("| program", "| ---")):
            cells = tuple(cell.strip() for cell in line.strip("|").split("|"))
            rows[key, cells[0]] = cells
    return rows
