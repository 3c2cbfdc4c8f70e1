"""Sphinx settings. `sphinx-build -W -b html docs docs/_build/html` builds the pages without a network.

The tables of variables, frames, constellations and groups are made here from the package, so that the pages cannot differ
from it; a page takes one in by its name, as in `{{ variables_table }}`.
"""

import dataclasses
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sphinx.ext.napoleon import Config as NapoleonConfig
from sphinx.ext.napoleon import GoogleDocstring

sys.path.insert(0, str(Path(__file__).parents[1]))

import constellation_jax
from constellation_jax.inputs.catalog.celestrak import GROUPS as CELESTRAK_GROUPS
from constellation_jax.inputs.deployment.files import known_deployments, load_deployment
from constellation_jax.inputs.deployment.vehicles import load_vehicles
from constellation_jax.inputs.files.keys import keys_of, without_links
from constellation_jax.inputs.files.toml_tables import STATUSES
from constellation_jax.inputs.shells.files import known_shells, load_constellation, load_shells
from constellation_jax.outputs.variables import FRAMES, LIFETIME, PROPAGATED, STATUS_VARIABLE, VARIABLES

project = "constellation_jax"
copyright = "the constellation_jax developers"
version = release = constellation_jax.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc"]
html_theme = "alabaster"
html_theme_options = {"page_width": "1100px", "sidebar_width": "220px"}
html_show_sourcelink = False
html_copy_source = False
exclude_patterns = ["_build"]

myst_enable_extensions = ["substitution", "dollarmath"]
myst_heading_anchors = 3
nb_execution_mode = (
    "off"  # the examples of the pages are run by tests/test_docs.py, the notebooks by tests/test_notebooks.py
)

# Sphinx renders only what lies below docs/, so the notebooks are copied there; git ignores the copies
HERE = Path(__file__).parent
shutil.copytree(HERE.parent / "notebooks", HERE / "start" / "notebooks", dirs_exist_ok=True)

default_role = "literal"  # docstrings write code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what is taken, with units
autodoc_preserve_defaults = True
python_maximum_signature_line_length = 100


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _variables_table() -> str:
    rows = []
    for variable in (*(VARIABLES[name] for name in PROPAGATED), LIFETIME):
        meaning = [variable.long_name]
        if variable.is_in_frame:
            meaning.append("in the frame of the run")
        if variable.comment:
            meaning.append(variable.comment)
        group = "always there" if variable.name == STATUS_VARIABLE else f"`{variable.group}`"
        rows.append((f"`{variable.name}`", group, f"`{variable.units or 'none'}`", "; ".join(meaning)))
    return _table(("variable", "group", "units", "meaning"), rows)


def _constellations_table() -> str:
    rows = []
    for name in known_shells(variants=True):
        shells, system = load_shells(name), load_constellation(name)
        words = [system.title, system.variants.get(shells[0].variant, "")]
        total = sum(shell.total for shell in shells)
        rows.append((f"`{name}`", f"{total:,}", str(len(shells)), ": ".join(filter(None, words))))
    return _table(("name", "satellites", "shells", "what it is"), rows)


def _deployments_table() -> str:
    rows = []
    for name in known_deployments(variants=True):
        deployment = load_deployment(name)
        rows.append((f"`{name}`", str(deployment.start), str(deployment.until), deployment.title))
    return _table(("name", "first launch", "until", "what it is"), rows)


def _vehicles_table() -> str:
    rows = []
    for name, vehicle in load_vehicles().items():
        payload = "" if vehicle.payload_kg is None else f"{vehicle.payload_kg:,}"
        loads = ", ".join(f"{load.satellites} {kind}" for kind, load in vehicle.loads.items() if load.satellites)
        rows.append((f"`{name}`", payload, str(vehicle.first_flight or ""), "yes" if vehicle.reusable else "no", loads))
    return _table(("vehicle", "payload, kg", "first flight", "reusable", "satellites on a launch"), rows)


myst_substitutions = {
    "deployments_table": _deployments_table(),
    "vehicles_table": _vehicles_table(),
    "constellations_table": _constellations_table(),
    "variables_table": _variables_table(),
    "frames_table": _table(("`frame`", "definition"), [(f"`{name}`", words) for name, words in FRAMES.items()]),
    "provenance_table": _table(("`status`", "meaning"), [(f"`{name}`", words) for name, words in STATUSES.items()]),
    "celestrak_groups": ", ".join(f"`{group}`" for group in CELESTRAK_GROUPS),
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


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _google_style)
    app.connect("autodoc-process-docstring", _describe_keys)
