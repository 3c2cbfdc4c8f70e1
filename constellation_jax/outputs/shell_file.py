"""Writer of shell files, which `load_shells` and every command read."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

from constellation_jax.inputs.shells.shell import KEYS, Shell
from constellation_jax.outputs.target import Target

_COMPUTED = "tuned"


def write_shells(
    shells: Sequence[Shell], path: str | os.PathLike[str], *, title: str = "", source: str = "", overwrite: bool = False
) -> None:
    """Write shells to a TOML file, with the provenance of what they keep.

    Args:
        shells: of one system.
        path: of the file.
        title: of the file.
        source: what numbers without a provenance come from.
        overwrite: whether an existing file may be replaced.

    Raises:
        InputError: the file exists, its folder does not or cannot be written to, or another run is writing it.
        OutputError: it could not be written.
    """
    systems = {shell.system for shell in shells}
    lines = [f"title = {_toml(title or 'Shells')}", f"system = {_toml(systems.pop() if len(systems) == 1 else '')}", ""]
    sources = {key: text for shell in shells for key, text in shell.sources.items()} | {_COMPUTED: source or "tuned"}
    lines += ["[sources]", *(f"{_toml(key)} = {_toml(text)}" for key, text in sources.items())]
    for shell in shells:
        lines += ["", "[[shells]]", 'status = "estimated"', f"source = {_toml(_COMPUTED)}", *_lines(shell)]
    content = "\n".join(lines) + "\n"
    with Target.of(path, overwrite=overwrite) as target:
        target.put(content.encode())


def _lines(shell: Shell) -> list[str]:
    lines = []
    for key, value in shell.values().items():
        absent = value is None or key == "variant" or (key == "inclination_deg" and shell.orbit.sun_synchronous)
        if absent or (value == KEYS[key].default and not KEYS[key].rule.required):
            continue
        said = shell.provenance.get(key)
        # the reader takes truth values as they are: a shell is sun-synchronous before its numbers are read
        if said is None or not said.status or isinstance(value, bool):
            lines.append(f"{key} = {_toml(value)}")
            continue
        source = f", source = {_toml(said.source)}" if said.source in shell.sources else ""
        lines.append(f"{key} = {{ value = {_toml(value)}, status = {_toml(said.status)}{source} }}")
    return lines


def _toml(value: Any) -> str:
    """A value as TOML; JSON's strings, numbers and lists are TOML's too."""
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(float(value))
