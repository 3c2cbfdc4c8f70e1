"""The notebooks are kept with what they printed and drew (scripts/execute_notebooks.py)."""

import json
import re
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def content(notebook: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    return loaded


def code_cells(notebook: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in content(notebook)["cells"] if cell["cell_type"] == "code"]


def ids(notebook: Path) -> str:
    return notebook.stem


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)
def test_is_kept_with_its_outputs(notebook: Path) -> None:
    """As nbformat 4.5 wants it, executed once from top to bottom, without a warning, and small."""
    found = content(notebook)
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    names = [cell["id"] for cell in found["cells"]]
    assert len(set(names)) == len(names)
    code = [cell for cell in found["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    outputs = [output for cell in code for output in cell["outputs"]]
    assert all(output["output_type"] != "error" for output in outputs)
    assert all(output.get("name") != "stderr" for output in outputs)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert any(output.get("name") == "stdout" for output in outputs)
    assert all(cell["metadata"] == {} for cell in found["cells"])
    assert not re.search(r"/tmp/|/home/|/root/|/work/", json.dumps(outputs))
    assert notebook.stat().st_size < 400_000


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)
def test_asks_and_answers(notebook: Path) -> None:
    first = "".join(content(notebook)["cells"][0]["source"])
    assert re.match(r"# .+\?\n", first)
    assert "**Answer.**" in first
    assert "What is assumed" in first


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)
def test_first_cell_holds_the_jax_of_colab(notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **_: commands.append(command))
    monkeypatch.chdir(tmp_path)
    first = code_cells(notebook)[0]
    exec(first, {})
    assert commands == []  # this is not Colab

    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    wheel = tmp_path / "constellation_jax-9.9-py3-none-any.whl"
    wheel.touch()
    exec(first, {})
    (command,) = commands
    assert command[1:4] == ["-m", "pip", "install"]
    assert command[-1].startswith(str(wheel))
    assert "--upgrade" not in command
    held = Path(command[command.index("--constraint") + 1]).read_text(encoding="utf-8").split()
    assert {f"jax=={version('jax')}", f"jaxlib=={version('jaxlib')}", f"numpy=={version('numpy')}"} <= set(held)


def test_every_notebook_is_linked() -> None:
    assert NOTEBOOKS
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    gallery = (ROOT / "docs" / "gallery" / "index.md").read_text(encoding="utf-8")
    for notebook in NOTEBOOKS:
        assert f"(notebooks/{notebook.name})" in page, notebook.name
        assert f"notebooks/{notebook.stem}" in gallery, notebook.stem
