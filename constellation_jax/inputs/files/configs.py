"""Locations and names of the TOML files that come with the package."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.toml_lines import load_toml


def configs_folder() -> Path:
    """The folder that holds `shells/`, `deployments/`, `runs/`, `population/` and `vehicles.toml`.

    A wheel carries it inside the package; in a checkout (an editable install) it lies beside the package.
    """
    package = Path(__file__).resolve().parents[2]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def known_configs(folder: str, *, variants: bool = False) -> list[str]:
    """Names of the files in a folder of `configs_folder()`, such as "shells".

    Args:
        variants: True for every variant too, as in "kuiper:filed"; the plain name stands for the default one.
    """
    listed = []
    for path in sorted((configs_folder() / folder).glob("*.toml"), key=lambda path: path.stem):
        listed.append(path.stem)
        if variants:
            data, _ = load_toml(path)
            others = [name for name in data.get("variants", {}) if name != data.get("default_variant")]
            listed += [f"{path.stem}:{name}" for name in others]
    return listed


def check_variant(path: Path, variant: str, known: Iterable[str]) -> None:
    """Raise InputError where a file does not have the named variant; "" stands for the default one."""
    names = list(known)
    if variant and variant not in names:
        called = path.stem if path.parent.parent == configs_folder() else path
        longer = [name for name in names if variant in name]
        hint = f", did you mean {' or '.join(map(repr, longer))}?" if longer else suggest(variant, names)
        listed = ", ".join(names) or "none"
        raise InputError(f"{called}: no variant {variant!r}{f'{hint} It has' if hint else '; it has'} {listed}")


def find_config(folder: str, noun: str, name_or_path: str | Path) -> tuple[Path, str]:
    """The file, and the variant or "", that a name or path with or without a variant after a colon means.

    Args:
        folder: folder of `configs_folder()` in which the names are looked for.
        noun: word for such a file in messages.
        name_or_path: "kuiper", "kuiper:filed", "my-shells.toml" or "my-shells.toml:filed"; a Path has no variant.

    Raises:
        InputError: no such name and no such file.
    """
    path = Path(name_or_path)
    if isinstance(name_or_path, Path) or os.path.isfile(path):
        return path, ""
    name, colon, variant = name_or_path.rpartition(":")
    if not colon:
        name, variant = name_or_path, ""
    known = known_configs(folder)
    if name.lower() in known:
        return configs_folder() / folder / f"{name.lower()}.toml", variant
    if os.path.isfile(name):
        return Path(name), variant
    if name.endswith(".toml"):
        raise InputError(f"{folder} {name_or_path!r}: no such file")
    hint = suggest(name.lower(), known) or f"; known are {', '.join(known)}"
    raise InputError(f"{folder} {name_or_path!r}: no {noun} of this name and no such file{hint}")
