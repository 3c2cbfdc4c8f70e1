"""Where the TOML files are that come with the package: shells, runs, the bundled population."""

from __future__ import annotations

from pathlib import Path


def configs_folder() -> Path:
    """The folder that holds `shells/`, `runs/` and `population/`.

    A wheel carries it inside the package; in a checkout (an editable install) it lies beside the package.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"
