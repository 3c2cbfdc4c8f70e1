"""What a newcomer waits for: an environment of their own and the first picture, nothing kept; and the build of the documentation.

pytest -m benchmark -s tests/benchmarks/test_newcomer.py
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from constellation_jax.benchmark.timing import time_once

ROOT = Path(__file__).parents[2]


@pytest.mark.benchmark
def test_install_and_first_picture(tmp_path: Path) -> None:
    """From nothing to a globe and to a figure, with a package index that answers as it does."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "JAX_COMPILATION_CACHE_DIR")
    }
    environment = kept | {"CONSTELLATION_JAX_CACHE": str(tmp_path / "cache")}
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(checkout)], check=True)
    command = tmp_path / "venv" / "bin" / "constellation-jax"

    def run(*words: str) -> float:
        return time_once(lambda: subprocess.run(words, cwd=checkout, env=environment, check=True, capture_output=True))

    install = run(sys.executable, "-m", "venv", str(tmp_path / "venv"))
    install += run(str(command.with_name("pip")), "install", "--quiet", ".[plot]")
    globe = run(str(command), "globe", "--catalog", "bundled", "--shells", "guowang", "-o", "globe.html")
    figure = run(str(command), "propagate", "--duration", "10min", "--variables", "altitude", "-o", "leo.nc")
    figure += run(
        str(command), "plot", "altitude-histogram", "leo.nc", "--set", "variable=altitude", "-o", "altitudes.svg"
    )
    print(
        f"\ninstall {install:.0f} s, globe {globe:.1f} s: {install + globe:.0f} s; a propagation and its figure {figure:.1f} s"
    )
    assert install + globe < 120


@pytest.mark.benchmark
def test_docs_build(tmp_path: Path) -> None:
    """All pages, without a warning; what examples print is kept in them."""
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "docs", str(tmp_path / "html")]
    seconds = time_once(lambda: subprocess.run(command, cwd=ROOT, check=True, capture_output=True))
    print(f"\ndocs build {seconds:.0f} s")
    assert seconds < 180
