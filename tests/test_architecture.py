"""The layer rule, and the public door: what importing costs and what it names."""

import subprocess
import sys
from pathlib import Path

import pytest

import constellation_jax as cj

ROOT = Path(__file__).parents[1]


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.fail("import-linter is part of the test extra: pip install '.[test]'")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_importing_the_package_starts_nothing() -> None:
    code = (
        "import sys, constellation_jax; print([m for m in ('jax', 'numpy', 'xarray', 'netCDF4') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there() -> None:
    for name in cj.__all__:
        assert getattr(cj, name) is not None
    assert set(cj.__all__) <= set(dir(cj))
    with pytest.raises(AttributeError, match="has no attribute 'propagat'"):
        cj.propagat  # noqa: B018


def test_no_flag_of_jax_is_changed_by_use() -> None:
    code = (
        "import jax; before = dict(jax.config.values)\n"
        "import constellation_jax as cj\n"
        "c = cj.bundled_population()[:3]\n"
        "cj.propagate(c, cj.time_grid('2025-06-24', '10min', '5min'))\n"
        "after = dict(jax.config.values)\n"
        "print([k for k in after if k in before and after[k] != before[k]])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_project_s_kit_is_as_scientific_python_wants_it() -> None:
    """sp-repo-review finds nothing but what pyproject.toml lists with a reason ([tool.repo-review.ignore])."""
    from repo_review.processor import process

    found = process(ROOT).results
    assert len(found) > 50
    assert [(result.name, result.err_msg) for result in found if result.result is False] == []
