"""Limits of what XLA makes of the package's programs for NVIDIA cards: kernels, loops, bytes, spills, float64.

They show structure, not results and not rates. Where a limit is broken by a newer XLA, see which kernel was split in
`python scripts/gpu_table.py PROGRAM`; where by a change of ours, mend that.
"""

import dataclasses
from pathlib import Path

import pytest

from constellation_jax.benchmark.compiled.cards import CARDS
from constellation_jax.benchmark.compiled.compiler import CompiledProgram
from constellation_jax.benchmark.compiled.programs import PROGRAMS
from constellation_jax.benchmark.compiled.table import HEADER, compile_program, make_row, read_rows

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "gpu.md"


@dataclasses.dataclass(frozen=True)
class Limit:
    """Most of what a program may take on any card."""

    kernels: int
    """Launches outside loops."""
    bytes_each: float
    """Bytes through kernels for each unit of work."""
    kernels_in_loops: int = 0
    """Launches in one pass of every loop."""
    unknown_loops: int = 0
    spills: int = 0
    library_calls: int = 0


LIMITS = {
    "near-Earth": Limit(2, 40),  # the aim is 1 kernel, 30 bytes
    "near-Earth, any eccentricity": Limit(2, 40),  # the aim is 1
    "near-Earth, decay rates": Limit(2, 48),
    "near-Earth, ITRS": Limit(2, 40),  # the aim is 1
    "near-Earth, geodetic": Limit(2, 40),  # the aim is 1
    "near-Earth, float64": Limit(2, 64, spills=1500),
    "anchors of float32": Limit(1, 150),
    "near-Earth, call of the engine": Limit(4, 40),  # the offsets, the anchors and two
    "deep space": Limit(5, 75, kernels_in_loops=2),  # the aim is 2
    "Jacobians, near-Earth": Limit(7, 800),  # the aim is 4
    "Jacobians, near-Earth, float64": Limit(5, 1500, spills=8500),
    "Jacobians, deep space": Limit(17, 5900, kernels_in_loops=6, spills=11700),
    "states of a mixed catalogue": Limit(40, 70, kernels_in_loops=2, spills=9500),
    "decay, march": Limit(6, 2100, kernels_in_loops=7),  # the aim is 6
    "decay, march of elliptic orbits": Limit(6, 4300, kernels_in_loops=13),
    "decay, fall": Limit(8, 14000, kernels_in_loops=13),
    "decay, fall of elliptic orbits": Limit(8, 32000, kernels_in_loops=19),
    # the order of the entries, runs, rectangles and their compaction; two binary searches, whose lengths are known
    "close pairs": Limit(70, 25000, kernels_in_loops=5, spills=16),
    "tuning, value and gradient": Limit(70, 8e6),
    "vmap of state_at, near-Earth": Limit(5, 160),
    # the resonances are integrated to the instants that are asked for, whose number of steps is not known
    "vmap of state_at, deep space": Limit(8, 300, kernels_in_loops=2, unknown_loops=1),
}
ON_CARD: dict[tuple[str, str], dict[str, float]] = {
    # an A100 has fewer units and a T4 half the threads: XLA cuts programs elsewhere there, and lets registers spill
    ("near-Earth, float64", "A100"): {"spills": 2943},
    ("Jacobians, near-Earth, float64", "A100"): {"spills": 32159},
    ("Jacobians, deep space", "A100"): {"kernels": 17, "spills": 47833, "bytes_each": 8743},
    ("states of a mixed catalogue", "A100"): {"kernels": 42, "spills": 11990},
    ("decay, march of elliptic orbits", "A100"): {"bytes_each": 4859},
    ("decay, fall of elliptic orbits", "A100"): {"spills": 24},
    ("close pairs", "A100"): {"kernels": 74},
    ("tuning, value and gradient", "A100"): {"kernels": 75},
    ("near-Earth, decay rates", "T4"): {"kernels": 5},
    ("near-Earth, ITRS", "T4"): {"kernels": 3},
    ("anchors of float32", "T4"): {"kernels": 8, "bytes_each": 159},
    ("deep space", "T4"): {"kernels": 12, "spills": 10400},
    ("Jacobians, near-Earth", "T4"): {"bytes_each": 888},
    ("Jacobians, near-Earth, float64", "T4"): {"spills": 15367, "bytes_each": 2407},
    ("Jacobians, deep space", "T4"): {
        "kernels": 28,
        "kernels_in_loops": 11,
        "spills": 27867,
        "bytes_each": 17121,
    },
    ("states of a mixed catalogue", "T4"): {"kernels": 48, "spills": 11352, "bytes_each": 80},
    ("decay, march", "T4"): {"kernels_in_loops": 11, "spills": 4157},
    ("decay, fall", "T4"): {"kernels_in_loops": 26, "spills": 4157},
    ("decay, fall of elliptic orbits", "T4"): {"kernels_in_loops": 26},
    ("close pairs", "T4"): {"kernels": 79},
    ("tuning, value and gradient", "T4"): {"kernels": 89, "bytes_each": 28938403},
    ("vmap of state_at, deep space", "T4"): {"spills": 243},
    ("vmap of state_at, near-Earth", "T4"): {"bytes_each": 175},
}
"""Limits that differ on a card."""
ELSEWHERE = ("near-Earth", "near-Earth, any eccentricity", "near-Earth, geodetic", "deep space", "decay, march")
"""Programs that are compiled for the other cards too each time; the rest is marked slow there."""
CASES = [
    pytest.param(key, name, marks=[] if key == "H100" or name in ELSEWHERE else [pytest.mark.slow])
    for key in CARDS
    for name in PROGRAMS
]


def test_every_program_has_its_limit() -> None:
    assert set(LIMITS) == set(PROGRAMS)


@pytest.mark.parametrize(("key", "name"), CASES)
def test_programs_keep_to_their_limits(key: str, name: str) -> None:
    compiled = compile_program(name, CARDS[key])
    limit = dataclasses.replace(LIMITS[name], **ON_CARD.get((name, key), {}))
    broken = _compare(compiled, limit, PROGRAMS[name].work)
    if PROGRAMS[name].is_float32 and compiled.float64:
        broken.append(f"{compiled.float64} float64 operations in a program of float32")
    assert not broken, f"{name!r} on {key}: {'; '.join(broken)}"
    _check_row(key, name, compiled)


def _compare(compiled: CompiledProgram, limit: Limit, work: int) -> list[str]:
    found = {"bytes_each": round(compiled.moved / work, 1)}
    broken = []
    for field in dataclasses.fields(limit):
        most = getattr(limit, field.name)
        value = found.get(field.name, getattr(compiled, field.name, 0))
        if value > most:
            broken.append(f"{field.name} was at most {most}, found {value}")
    return broken


def _check_row(key: str, name: str, compiled: CompiledProgram) -> None:
    """The page's row is that of the program: counts to the digit, and numbers to a tenth, which a small change of code moves."""
    pinned = read_rows(PAGE)
    if not pinned:  # written with other versions of the compiler
        return
    was, now = pinned.get((key, name), ()), make_row(name, compiled)
    for title, old, new in zip(HEADER, was, now, strict=False):
        same = old == new
        if title in ("bytes", "PTX instructions", "registers", "bytes spilled", "allowed, 1/s"):
            same = float(new.replace(",", "")) == pytest.approx(float(old.replace(",", "")), rel=0.1, abs=1.0)
        assert same, (
            f"{name!r} on {key}, {title}: {PAGE.name} has {old}, found {new}: python scripts/gpu_table.py --write"
        )
    assert was, f"{PAGE.name} lacks {name!r} on {key}: python scripts/gpu_table.py --write"
