"""Print what XLA makes of the package's programs for NVIDIA cards that need not be there: python scripts/gpu_table.py

    python -m venv .venv-gpu && .venv-gpu/bin/python -m pip install 'pip>=25.1'
    .venv-gpu/bin/python -m pip install . --group gpu-check
    JAX_PLATFORMS=cpu .venv-gpu/bin/python scripts/gpu_table.py --write

Kernels, loops, bytes, instructions, registers and spills are what the compiler shows; the last column is the rate that instruction
issue, bandwidth and launches allow. Nothing runs, and nothing is measured. All programs for three cards take some minutes.
"""

import argparse
import sys
from pathlib import Path

from constellation_jax.benchmark.compiled.cards import CARDS
from constellation_jax.benchmark.compiled.compiler import describe_missing
from constellation_jax.benchmark.compiled.programs import PROGRAMS
from constellation_jax.benchmark.compiled.table import HEADER, compile_program, make_row, make_tables, write_tables

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "gpu.md"


def main() -> str | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", metavar="PROGRAM", help="part of a name [default: all]")
    parser.add_argument("--card", action="append", choices=list(CARDS), help="may be repeated [default: all]")
    parser.add_argument("--write", action="store_true", help=f"write the tables of all to {PAGE.name}")
    options = parser.parse_args()
    names = [name for name in PROGRAMS if not options.programs or any(part in name for part in options.programs)]
    cards = options.card or list(CARDS)
    if missing := describe_missing():
        return missing
    if options.write and (len(names), len(cards)) != (len(PROGRAMS), len(CARDS)):
        return "--write: expected all programs and all cards"
    rows = {key: [] for key in cards}
    for key in cards:
        print(f"\n{CARDS[key].name}\n{' | '.join(HEADER)}")
        for name in names:
            rows[key].append(make_row(name, compile_program(name, CARDS[key])))
            print(" | ".join(rows[key][-1]), flush=True)
    if options.write:
        write_tables(PAGE, make_tables(rows))
    return None


if __name__ == "__main__":
    sys.exit(main())
