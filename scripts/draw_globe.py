"""Draw docs/images/globe.png: the bundled population and three planned constellations, as the page shows them.

    python scripts/draw_globe.py

Needs Chromium or Chrome, and Pillow (matplotlib brings it). The picture is that of the page with 256 colours, below 300 kB.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import constellation_jax as cj

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "images" / "globe.png"
SHELLS = ("guowang", "qianfan", "kuiper")
SIZE = (1280, 720)
VIEW = (15.0, 24.0, 4.7)
"""Longitude, latitude (deg) and distance (Earth radii) of the camera."""

sys.path.insert(0, str(ROOT / "tests"))
from browser import Browser  # noqa: E402


def draw() -> None:
    """Draw the picture into its file."""
    shells = [shell for name in SHELLS for shell in cj.load_shells(name)]
    page = cj.globe(cj.bundled_population(), shells, title="Low orbit, today and planned", start="2025-06-24T05:30:00Z")
    with tempfile.TemporaryDirectory() as folder, Browser(width=SIZE[0], height=SIZE[1]) as browser:
        path = Path(folder) / "globe.html"
        page.save(path)
        browser.prefer("dark")
        browser.open(path)
        browser.wait_for("typeof globe === 'object'")
        browser.evaluate("globe.setPlaying(false)")
        browser.evaluate("globe.ready.then(() => 1)", 300.0)
        browser.evaluate("globe.setView({}, {}, {})".format(*VIEW))
        browser.evaluate("new Promise((done) => setTimeout(done, 1500))")
        picture = Image.open(io.BytesIO(browser.screenshot())).convert("RGB")
    PICTURE.parent.mkdir(exist_ok=True)
    reduce_colours(picture).save(PICTURE, optimize=True)
    print(f"{PICTURE}: {PICTURE.stat().st_size / 1e3:.0f} kB")


def reduce_colours(picture: Image.Image) -> Image.Image:
    """Reduce to 256 colours: 160 that share the picture out, and the commonest of bright things, which are few pixels."""
    places = np.asarray(picture).reshape(-1, 3)
    most, least = places.max(axis=1).astype(int), places.min(axis=1).astype(int)
    shares = np.array(picture.quantize(160).getpalette()).reshape(-1, 3)[:160]
    vivid, pale = (_commonest(places[mask], 48) for mask in (most - least > 90, (least > 120) & (most - least < 60)))
    palette = Image.new("P", (1, 1))
    palette.putpalette(np.concatenate([shares, vivid, pale]).astype(np.uint8).tobytes())
    return picture.quantize(palette=palette, dither=Image.Dither.NONE)


def _commonest(places: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    colours, counts = np.unique(places, axis=0, return_counts=True)
    return colours[np.argsort(-counts)[:count]]


if __name__ == "__main__":
    draw()
