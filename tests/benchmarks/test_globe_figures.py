"""Globe of 30,000 satellites: bytes, first picture in software rendering, script of the main thread for a picture.

python -m pytest -m benchmark -s tests/benchmarks/test_globe_figures.py
"""

import time
from pathlib import Path

import pytest
from browser import Browser, find_browser

import constellation_jax as cj

pytestmark = pytest.mark.benchmark
SECONDS = 10
"""Time over which pictures are counted."""


def test_globe_of_30000_satellites(tmp_path: Path) -> None:
    if find_browser() is None:
        pytest.skip("no Chromium or Chrome was found")
    shells = [shell for name in ("guowang", "qianfan", "kuiper", "oneweb") for shell in cj.load_shells(name)]
    began = time.perf_counter()
    page = cj.globe(cj.bundled_population() + cj.shells_to_catalog(shells, epoch="2025-06-24")[:19_000])
    path = tmp_path / "globe.html"
    page.save(path)
    packing = time.perf_counter() - began
    with Browser(width=1280, height=720) as browser:
        browser.open(path)
        browser.wait_for("typeof globe === 'object'")
        browser.evaluate("globe.ready.then(() => 1)", 120.0)
        before = browser.evaluate("globe.figures")
        time.sleep(SECONDS)
        after = browser.evaluate("globe.figures")
    frames = after["frames"] - before["frames"]
    script = (after["scriptPerFrame"] * after["frames"] - before["scriptPerFrame"] * before["frames"]) / frames
    size = path.stat().st_size
    print(f"\n{page.count:,} satellites: {size / 1e6:.2f} MB, packed and written in {packing:.2f} s")
    print(f"first picture {after['firstPicture'] / 1e3:.2f} s after opening; pass of the worker {after['pass']:.0f} ms")
    print(f"{frames / SECONDS:.1f} pictures a second, {script:.2f} ms of script for each")
    assert size <= 2.5e6
    assert after["firstPicture"] <= 3000.0
    assert script < 2.0
