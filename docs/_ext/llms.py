"""llms.txt, a list of the pages for language models, and each page as Markdown beside its HTML (llmstxt.org)."""

import re
from pathlib import Path

from sphinx.application import Sphinx

_FRONT = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_FIELD = re.compile(r"\{\{ (\w+) \}\}")


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    tables = app.config.myst_substitutions
    lines = [
        f"# {app.config.project}",
        "",
        "> Propagate satellite catalogues and planned constellations together in JAX.",
        "",
    ]
    for section in app.env.toctree_includes.get(app.config.root_doc, []):
        lines += [f"## {app.env.titles[section].astext()}", ""]
        for name in (section, *app.env.toctree_includes.get(section, [])):
            source = Path(app.env.doc2path(name))
            if source.suffix == ".md":
                text = _FRONT.sub("", source.read_text(encoding="utf-8"))
                target = Path(app.outdir, f"{name}.html.md")
                target.write_text(_FIELD.sub(lambda found: tables.get(found[1], found[0]), text), encoding="utf-8")
                lines.append(f"- [{app.env.titles[name].astext()}]({name}.html.md)")
            else:
                lines.append(f"- [{app.env.titles[name].astext()}]({name}.html)")
        lines.append("")
    Path(app.outdir, "llms.txt").write_text("\n".join(lines), encoding="utf-8")


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
