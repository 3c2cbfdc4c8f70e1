"""Where the TOML files are that come with the package: shells, deployments, runs, vehicles, the population."""

from __future__ import annotations

from pathlib import Path

from constellation_jax.errors import InputError
from constellation_jax.inputs.toml_lines import suggest


def configs_folder() -> Path:
    """The folder that holds `shells/`, `deployments/`, `runs/`, `population/` and `vehicles.toml`.

    A wheel carries it inside the package; in a checkout (an editable install) it lies beside the package.
    """
    package = Path(__file__).resolve().parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def known_configs(folder: str) -> list[str]:
    """Names of the files of a folder of `configs_folder()`, such as "shells"."""
    return sorted(path.stem for path in (configs_folder() / folder).glob("*.toml"))


def find_config(folder: str, noun: str, name_or_path: str | Path) -> tuple[Path, str]:
    """File and variant that a name or path means, with or without a variant after a colon; "" where none is named.

    Args:
        folder: of `configs_folder()`, where the names are looked for.
        noun: how a message calls such a file.

    Raises:
        InputError: no such name and no such file.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or path.is_file():
        return path, ""
    name, colon, variant = name_or_path.rpartition(":")
    if not colon:
        name, variant = name_or_path, ""
    known = known_configs(folder)
    if name.lower() in known:
        return configs_folder() / folder / f"{name.lower()}.toml", variant
    if Path(name).is_file():
        return Path(name), variant
    if name.endswith(".toml"):
        raise InputError(f"{folder} {name_or_path!r}: no such file")
    hint = suggest(name.lower(), known) or f"; known are {', '.join(known)}"
    raise InputError(f"{folder} {name_or_path!r}: no {noun} of this name and no such file{hint}")
