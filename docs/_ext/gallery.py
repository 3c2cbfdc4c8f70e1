"""Notebooks of the repository as pages of the gallery, with their last stored picture as thumbnail.

Sphinx renders only what lies below docs/, so the notebooks are copied there; git ignores the copies.
"""

import base64
import json
import shutil
from pathlib import Path


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
