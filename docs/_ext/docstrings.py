"""Docstrings of the package for autodoc: Google's style, and the fields that keys of files fill."""

import dataclasses
import pydoc
import re
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.ext.napoleon import Config as NapoleonConfig
from sphinx.ext.napoleon import GoogleDocstring

from constellation_jax.inputs.files.keys import keys_of, without_links


def class_options(page: Path) -> dict[str, list[str]]:
    """Classes of the API page that describe their fields, and those that inherit fields, for the template of their pages."""
    names = re.findall(r"^   ~?(constellation_jax\.[\w.]+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    found = {name: pydoc.locate(name) for name in names}
    classes = {name: cls for name, cls in found.items() if isinstance(cls, type)}
    return {
        "describing_classes": [
            name
            for name, cls in classes.items()
            if "Attributes:" in (cls.__doc__ or "") or (dataclasses.is_dataclass(cls) and keys_of(cls))
        ],
        "inheriting_classes": [
            name
            for name, cls in classes.items()
            if dataclasses.is_dataclass(cls) and any(dataclasses.is_dataclass(base) for base in cls.__mro__[1:])
        ],
    }


def _google_style(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Read docstrings in Google's style with napoleon, except that nothing before a colon is taken for a type.

    Types are in the annotations. Left to itself, napoleon reads "Walker's F: the next plane ..." as a type and a text.
    """
    if what in ("attribute", "property"):
        return
    start = next((i for i, line in enumerate(lines) if line == "Returns:"), None)
    if start is not None:
        stop = next((i for i in range(start, len(lines)) if not lines[i].strip()), len(lines))
        section = [line.removeprefix("    ") for line in lines[start + 1 : stop]]
        if sum(bool(re.match(r"\w+: ", line)) for line in section) > 1:  # several results, one "name: text" each
            section = ["  " + line.lstrip() if line.startswith(" ") else f"* {line}" for line in section]
        lines[start:stop] = [":returns:", *(f"    {line}" for line in section)]
    lines[:] = GoogleDocstring(lines, NapoleonConfig(), app, what, name, obj, options).lines()


def _describe_keys(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Add the fields that keys of a file fill to their class, with what the declarations of the keys say."""
    if what == "class" and dataclasses.is_dataclass(obj):
        for key in keys_of(obj).values():
            lines += ["", f".. attribute:: {key.field}", "", f"   {without_links(key.doc)}"]


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _google_style)
    app.connect("autodoc-process-docstring", _describe_keys)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
