"""Execute the notebooks and keep what they print and draw in them: python scripts/execute_notebooks.py [NUMBER ...]

Needs the extra docs. Of the outputs those parts are kept that do not change from run to run.
"""

import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def execute(path: Path) -> None:
    """Execute a notebook in an empty folder and write it anew."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = {}
        for output in cell.get("outputs", []):
            output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.write(notebook, path)


if __name__ == "__main__":
    wanted = {f"{int(number):02d}" for number in sys.argv[1:]}
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        if not wanted or path.name[:2] in wanted:
            start = time.perf_counter()
            execute(path)
            print(f"{path.name}: {time.perf_counter() - start:.0f} s, {path.stat().st_size / 1e3:.0f} kB", flush=True)
