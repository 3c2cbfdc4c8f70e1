"""Time from the imported package to the first states, in a second process: its programs are on disk. Prints, asserts no time.

pytest -m benchmark -s tests/benchmarks/test_first_state.py
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median

import pytest

PROGRAM = """
import time
import constellation_jax as cj
cj.configure(compile_cache=True)
catalog, times, _ = cj.bundled_population(), cj.time_grid("2025-06-24", "10min", "1min"), cj.propagate
wall, processor = time.perf_counter(), time.process_time()
cj.propagate(catalog, times, variables={variables!r})
print(time.perf_counter() - wall, time.process_time() - processor)
"""


@pytest.mark.benchmark
@pytest.mark.parametrize("variables", [("position", "velocity"), ("position", "altitude", "decay")], ids=" ".join)
def test_first_states(tmp_path: Path, variables: tuple[str, ...]) -> None:
    kept = {name: value for name, value in os.environ.items() if name != "JAX_COMPILATION_CACHE_DIR"}
    environment = kept | {"CONSTELLATION_JAX_CACHE": str(tmp_path)}

    def start() -> list[float]:
        command = [sys.executable, "-c", PROGRAM.format(variables=variables)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return [float(word) for word in done.stdout.split()]

    first, later = start(), [start() for _ in range(5)]
    wall, processor = (median(values) for values in zip(*later, strict=True))
    taken = f"later ones {wall:.2f} s (processor {processor:.2f} s), median of five"
    print(f"\n{' '.join(variables)}: first process {first[0]:.2f} s; {taken}")
