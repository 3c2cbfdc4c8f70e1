"""Sphinx settings. `sphinx-build -W -b html docs docs/_build/html` builds the pages without a network.

Nothing is executed: pages and notebooks are kept with what they print, which the tests check (scripts/run_pages.py,
scripts/execute_notebooks.py).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import docstrings
import gallery
import tables

import constellation_jax

HERE = Path(__file__).parent

project = "constellation_jax"
copyright = "the constellation_jax developers"
version = release = constellation_jax.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_design",
    "sphinx_copybutton",
    *("docstrings", "live_globe", "llms", "mathml"),  # of docs/_ext
]
exclude_patterns = ["_build"]
templates_path = ["_templates"]

html_theme = "pydata_sphinx_theme"
html_title = f"constellation_jax {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_math_renderer = "mathml"
html_theme_options = {
    "logo": {"text": "constellation_jax"},
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_sidebars = {"faq": [], "index": []}

myst_enable_extensions = ["substitution", "dollarmath", "colon_fence"]
myst_heading_anchors = 3
myst_substitutions = tables.substitutions()

copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = False
copybutton_selector = "div.highlight:not(.highlight-output *) pre"

nb_execution_mode = "off"
nb_merge_streams = True
gallery.collect(HERE.parent / "notebooks", HERE / "gallery")

default_role = "literal"  # docstrings write code in single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what is taken, with units
autodoc_preserve_defaults = True
autosummary_context = docstrings.class_options(HERE / "reference" / "api.md")
python_maximum_signature_line_length = 100
