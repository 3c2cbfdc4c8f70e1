"""A globe of the bundled population and planned shells, `_static/globe.html`, which the page about globes shows in a frame."""

from pathlib import Path

from sphinx.application import Sphinx

import constellation_jax as cj


def _write(app: Sphinx, exception: Exception | None) -> None:
    if exception or app.builder.format != "html":
        return
    shells = [shell for name in ("guowang", "qianfan", "kuiper") for shell in cj.load_shells(name)]
    objects = cj.bundled_population() + cj.shells_to_catalog(shells, epoch="2025-06-24")
    cj.globe(objects).save(Path(app.outdir, "_static", "globe.html"), overwrite=True)


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.connect("build-finished", _write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
