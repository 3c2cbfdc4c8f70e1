"""Element set that tests share; and the run of the examples of a page, or of a notebook, in a process of their own."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
ISS = """ISS (ZARYA)
1 25544U 98067A   25175.50000000  .00010000  00000-0  18000-3 0  9998
2 25544  51.6400 100.0000 0002000  50.0000 310.0000 15.50000000510007
"""


def run_examples(
    name: str, codes: Sequence[str], folder: Path, kept_kernels: dict[str, str], after: Sequence[str] = ()
) -> str:
    """Run pieces of code that share their names, one after the other, in a folder, then the lines `after`; return the output."""
    script = ["import linecache", "namespace = {'__name__': '__main__'}"]
    for k, code in enumerate(codes):
        piece = f"{name}[{k}]"
        # linecache lets a traceback show the line of the example
        script.append(f"linecache.cache[{piece!r}] = (0, None, {code!r}.splitlines(True), {piece!r})")
        script.append(f"exec(compile({code!r}, {piece!r}, 'exec'), namespace)")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")} | {
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "MPLBACKEND": "agg",
        "CONSTELLATION_JAX_CACHE": str(folder / "cache"),
        "CONSTELLATION_JAX_CELESTRAK_URL": "http://127.0.0.1:9/",  # no example may use the network
        **kept_kernels,
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "\n".join([*script, *after])],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
