"""Notebooks of the repository as pages of the gallery, with their last stored picture as thumbnail; and pages that are executed.

Sphinx renders only what lies below docs/, so the notebooks are copied there; git ignores the copies.
"""

import base64
import json
import re
import shutil
from pathlib import Path

from sphinx.application import Sphinx

_HEAD = """---
file_format: mystnb
kernelspec:
  name: python3
---
"""
_PYTHON = re.compile(r"^```python$", re.MULTILINE)


def collect(source: Path, gallery: Path) -> None:
    """Copy the notebooks of a folder below gallery/notebooks, and the last picture of each below gallery/thumbnails."""
    for name in ("notebooks", "thumbnails"):
        shutil.rmtree(gallery / name, ignore_errors=True)
        (gallery / name).mkdir()
    for notebook in sorted(source.glob("*.ipynb")):
        shutil.copy2(notebook, gallery / "notebooks")
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", ())]
        pictures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", {})]
        if pictures:
            (gallery / "thumbnails" / f"{notebook.stem}.png").write_bytes(base64.b64decode(pictures[-1]))


def _execute_python(app: Sphinx, name: str, source: list[str]) -> None:
    """Make the Python blocks of a page cells of a notebook, so that it shows what they print."""
    text = source[0]
    if Path(app.env.doc2path(name)).suffix == ".md" and _PYTHON.search(text) and not text.startswith("---"):
        source[0] = _HEAD + _PYTHON.sub("```{code-cell} python", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    if app.config.nb_execution_mode != "off":
        app.connect("source-read", _execute_python)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
