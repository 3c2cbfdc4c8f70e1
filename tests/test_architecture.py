"""Rules of the source: layers, folders, names, docstrings, and the cost of importing the package."""

import ast
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

import constellation_jax as cj

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "constellation_jax"
MOST_FILES = 14
RIDDLE = re.compile(r"\s*(What|How|Of|Who|Whom|Whose|Whether|Which|Why|Where|When)\b")
"""Openings that need a second reading: a docstring opens with a noun or an imperative, the field's own term."""


def syntax_trees() -> Iterator[tuple[Path, ast.Module]]:
    """Parse every file of the package."""
    for file in sorted(PACKAGE.rglob("*.py")):
        yield file.relative_to(ROOT), ast.parse(file.read_text(encoding="utf-8"))


def test_imports_go_one_way() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.fail("import-linter is part of the test extra: pip install '.[test]'")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]


def test_no_folder_has_more_files_than_a_reader_can_keep_in_mind() -> None:
    counts: dict[Path, int] = defaultdict(int)
    for file in PACKAGE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts and file.name != "__init__.py":
            counts[file.parent.relative_to(ROOT)] += 1
    allowed = Path("constellation_jax/physics/sgp4")  # the theory and its kernels stand side by side
    assert not {str(folder): n for folder, n in counts.items() if n > MOST_FILES and folder != allowed}


def test_a_name_of_a_class_has_one_meaning() -> None:
    places = defaultdict(list)
    for file, tree in syntax_trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name.lstrip("_")].append(f"{file}:{node.lineno}")
    assert not {name: found for name, found in places.items() if len(found) > 1}


def test_docstrings_and_attribute_notes_open_plainly() -> None:
    riddles = []
    for file, tree in syntax_trees():
        for node in ast.walk(tree):
            # a string that stands alone: the docstring of a module, class or function, or the note below an attribute
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                text = node.value.value
                if RIDDLE.match(text):
                    riddles.append(f"{file}:{node.lineno}: {text.strip().splitlines()[0]}")
    assert not riddles, f"{len(riddles)} riddles:\n" + "\n".join(riddles)


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
