"""The notebooks run from top to bottom at small size, warnings being errors, and are kept without outputs."""

import json
import subprocess
import sys
import types
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from examples import run_examples

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FULL, SMALL = "SMALL = False", "SMALL = True"


def content(notebook: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(notebook.read_text(encoding="utf-8"))
    return loaded


def code_cells(notebook: Path) -> list[str]:
    return ["".join(cell["source"]) for cell in content(notebook)["cells"] if cell["cell_type"] == "code"]


def ids(notebook: Path) -> str:
    return notebook.stem


def run_small(notebook: Path, folder: Path, kept_kernels: dict[str, str]) -> str:
    """What the code cells print, run in a folder. A cell that shows a table or a figure by its last line runs as it stands."""
    cells = code_cells(notebook)
    assert "\n".join(cells).count(FULL) == 1
    # at the end every figure is drawn once, as the notebook would do after each cell
    after = (
        "import matplotlib.pyplot as plt",
        "for number in plt.get_fignums(): plt.figure(number).canvas.draw()",
        "assert plt.get_fignums()",
    )
    return run_examples(notebook.name, [code.replace(FULL, SMALL) for code in cells], folder, kept_kernels, after)


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)
def test_runs_at_small_size(notebook: Path, kept_kernels: dict[str, str], tmp_path: Path) -> None:
    run_small(notebook, tmp_path, kept_kernels)


@pytest.mark.slow
def test_stranded_satellites_of_the_real_catalogue(
    shared_data: Path, kept_kernels: dict[str, str], tmp_path: Path
) -> None:
    """20 of Qianfan's first 90, as counted in the same catalogue for configs/deployments/qianfan.toml."""
    folder = tmp_path / "checkout" / "notebooks"
    folder.mkdir(parents=True)
    (tmp_path / "shared").symlink_to(shared_data.parent, target_is_directory=True)
    notebook = next(n for n in NOTEBOOKS if n.name.startswith("02"))
    assert "20 satellites at" in run_small(notebook, folder, kept_kernels)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=ids)
def test_is_clean(notebook: Path) -> None:
    """As nbformat 4.5 wants it, and without what a run leaves."""
    found = content(notebook)
    assert (found["nbformat"], found["nbformat_minor"]) == (4, 5)
    assert found["metadata"]["kernelspec"]["name"] == "python3"
    names = [cell["id"] for cell in found["cells"]]
    assert len(set(names)) == len(names)
    for cell in found["cells"]:
        assert cell["metadata"] == {}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
    assert notebook.stat().st_size < 20_000


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
    assert command[-1] == str(wheel)
    assert "--upgrade" not in command
    held = Path(command[command.index("--constraint") + 1]).read_text(encoding="utf-8").split()
    assert {f"jax=={version('jax')}", f"jaxlib=={version('jaxlib')}", f"numpy=={version('numpy')}"} <= set(held)


def test_every_notebook_is_linked() -> None:
    assert NOTEBOOKS
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    for notebook in NOTEBOOKS:
        assert f"(notebooks/{notebook.name})" in page, notebook.name
