"""Formulas as MathML, which browsers show by themselves: the pages need no script and no network for them."""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx

_FUNCTION = re.compile(r"<mi>(\w{2,})</mi>")


def _convert(latex: str, display: str = "inline") -> str:
    """MathML of a formula; the name of a function, such as sin, is an operator there, which has space about it."""
    known = latex.replace("{aligned}", "{split}")  # of which the converter knows the latter
    return _FUNCTION.sub(r'<mo lspace="0.17em" rspace="0.17em">\1</mo>', convert(known, display=display))


def _inline(self: Any, node: nodes.math) -> None:
    self.body.append(_convert(node.astext()))
    raise nodes.SkipNode


def _display(self: Any, node: nodes.math_block) -> None:
    self.body.append(f'<div class="math-block">{_convert(node.astext(), "block")}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_html_math_renderer("mathml", (_inline, None), (_display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
