"""A thousand calls of random shapes in one process, as a service makes them: programs compiled, and growth of its memory.

pytest -m benchmark -s tests/benchmarks/test_service.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
from pathlib import Path
import jax.monitoring
import numpy as np
import constellation_jax as cj

compiled = []
jax.monitoring.register_event_duration_secs_listener(
    lambda name, seconds, **_: compiled.append(name) if "backend_compile" in name else None
)
generator, fleet = np.random.default_rng(0), cj.bundled_population()[:10]
for call in range(1, 1001):
    some = fleet[: int(generator.integers(1, 10))]
    cj.propagate(some, cj.time_grid("2025-06-24", f"{int(generator.integers(1, 900))}min", "1min"))
    if call in (100, 1000):
        megabytes = int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 10**6
        print(call, len(compiled), megabytes)
"""


@pytest.mark.benchmark
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the size of the process is read from /proc")
def test_a_thousand_calls(tmp_path: Path) -> None:
    environment = os.environ | {"JAX_COMPILATION_CACHE_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True, env=environment)
    (_, _, before), (_, programs, after) = (map(int, line.split()) for line in done.stdout.splitlines())
    print(
        f"\n1,000 calls of random shapes: {programs} programs, {after - before} MB more after the first 100 ({before} MB)"
    )
    assert programs <= 20
    assert after - before < 50
