"""The globe in a real browser: it draws, picks, searches, agrees with the dataset, needs no network and survives bad names."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from browser import PATIENCE_S, Browser, find_browser

import constellation_jax as cj

START = np.datetime64("2025-06-24T00:00:00", "ms")
INSTANTS = START + np.array([0, 431, 777, 1440]) * np.timedelta64(60_000, "ms")
HOSTILE = "</script><script>document.title='taken'</script>"


@pytest.fixture(scope="module")
def catalog() -> cj.Catalog:
    """400 objects at all heights, each with a number of its own, one with a name that would end the script."""
    population = cj.bundled_population()
    low = population[np.linspace(0, len(population) - 1, 390).astype(int)]
    deep = cj.Catalog.from_columns(
        {
            "norad_id": 0,
            "name": "DEEP",
            "epoch": ["2025-06-24T06:07:08.123456"] * 10,
            "mean_motion_rev_per_day": [1.0027, 2.0056, 2.1, 2.3, 4.0, 6.3, 6.5, 1.2, 2.0, 1.0],
            "eccentricity": [0.0002, 0.72, 0.01, 0.6, 0.3, 0.001, 0.1, 0.5, 0.7, 0.4],
            "inclination_deg": [0.02, 63.4, 55.0, 7.0, 28.5, 98.0, 50.0, 20.0, 63.4, 5.0],
            "raan_deg": np.arange(10) * 36.0,
            "arg_perigee_deg": np.arange(10) * 30.0,
            "mean_anomaly_deg": np.arange(10) * 33.0,
            "bstar": 1e-4,
        }
    )
    both = low + deep
    names = both.name.astype(object)
    names[7] = HOSTILE
    return both.replace(norad_id=np.arange(1, 401), name=names.astype(str), synthetic=np.arange(400) % 2 == 0)


@pytest.fixture(scope="module")
def dataset(catalog: cj.Catalog) -> xr.Dataset:
    return cj.propagate(catalog, INSTANTS)


@pytest.fixture(scope="module")
def page(catalog: cj.Catalog, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("globe") / "globe.html"
    cj.globe(catalog, cj.load_shells("iridium"), title=HOSTILE, start=START).save(path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if find_browser() is None:
        if os.environ.get("CONSTELLATION_JAX_BROWSER") == "required":
            pytest.fail("a browser is required, and none was found")
        pytest.skip("no Chromium or Chrome was found; the environment variable CHROMIUM may name one")
    with Browser(width=1100, height=760) as found:
        yield found


@pytest.fixture
def globe(browser: Browser, page: Path) -> Browser:
    """Browser with the page, which is paused, at its first instant, with nothing selected."""
    if not browser.events or browser.evaluate("typeof globe") != "object" or not browser.evaluate("globe.isRunning"):
        open_page(browser, page)
    browser.evaluate(f"globe.setPlaying(false); globe.select(null); globe.setTime({START.astype(int)})")
    wait_for_picture(browser, START.astype(int))
    return browser


def open_page(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.wait_for("typeof globe === 'object'")
    browser.evaluate("globe.ready.then(() => 1)", PATIENCE_S)


def wait_for_picture(browser: Browser, time: int) -> None:
    """Wait until the worker has computed the satellites at an instant, milliseconds since 1970."""
    browser.wait_for(f"Math.hypot(...globe.drawnAt(400).map((x, k) => x - globe.stateAt(400, {time})[k])) < 1")


def count_bright(browser: Browser) -> dict[str, int]:
    """Pixels of the picture that have the colours of satellites, and all that are not of the sky."""
    count = """globe.picture().then(createImageBitmap).then((image) => {
      const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
      pen.drawImage(image, 0, 0);
      const { data } = pen.getImageData(0, 0, image.width, image.height);
      let bright = 0, filled = 0;
      for (let k = 0; k < data.length; k += 4) {
        const [most, least] = [Math.max(data[k], data[k + 1], data[k + 2]), Math.min(data[k], data[k + 1], data[k + 2])];
        if (most > 170 && most - least > 60) bright++;
        if (most > 40) filled++;
      }
      return { bright, filled, all: data.length / 4 };
    })"""
    result: dict[str, int] = browser.evaluate(count)
    return result


def test_it_draws_earth_and_satellites(globe: Browser) -> None:
    assert globe.evaluate("document.querySelector('#scene').getContext('webgl2') !== null")
    assert globe.evaluate("globe.count") == globe.evaluate("globe.shown") == 466
    globe.evaluate("globe.setTheme('dark'); globe.setView(180, 20, 4)")  # where it is noon
    counts = count_bright(globe)
    assert 0.3 < counts["filled"] / counts["all"] < 0.7  # the Earth, and the light at its edge
    globe.evaluate("document.querySelectorAll('#systems h2 input').forEach((box) => box.click())")
    assert globe.evaluate("globe.shown") == 0
    # some 250 satellites are in front of the Earth or beside it, of 1 to 20 vivid pixels each; the day side has vivid ones too
    assert 300 < counts["bright"] - count_bright(globe)["bright"] < 5000
    globe.evaluate("document.querySelectorAll('#systems h2 input').forEach((box) => box.click())")
    assert globe.evaluate("globe.shown") == 466
    assert globe.faults == []


def test_nothing_is_asked_of_the_network(globe: Browser, page: Path) -> None:
    assert globe.requests, "the page itself is a request"
    assert {url.partition(":")[0] for url in globe.requests} <= {"file", "blob", "data"}
    assert [url for url in globe.requests if url.startswith("file")] == [page.as_uri()]


def test_states_agree_with_the_dataset(globe: Browser, catalog: cj.Catalog, dataset: xr.Dataset) -> None:
    """SGP4 of the page within 20 m of the dataset over a day, and the picture within 100 m.

    20 m: the four decimals of the angles of synthetic objects are 12 m in low orbit; float32 of the dataset is 2 m at 42,000 km.
    """
    expected = np.stack([dataset[name].values for name in "xyz"], axis=-1)
    numbers = json.dumps(catalog.norad_id.tolist())
    for k, instant in enumerate(INSTANTS.astype(int).tolist()):
        found = np.array(globe.evaluate(f"{numbers}.map((id) => globe.stateAt(id, {instant}).slice(0, 3))"))
        at = np.abs(found[:390] - expected[k, :390]).max()
        assert at < 0.02, f"{at} km at {INSTANTS[k]}"
        assert (
            np.linalg.norm(found[390:] - expected[k, 390:], axis=1).max() < 0.1
        )  # four decimals are 74 m at 42,000 km
    instant = int(INSTANTS[1].astype(int))
    globe.evaluate(f"globe.setTime({instant})")
    wait_for_picture(globe, instant)
    drawn = np.array(globe.evaluate(f"{numbers}.map((id) => globe.drawnAt(id))"))
    assert np.linalg.norm(drawn - expected[1], axis=1).max() < 0.1


def test_a_click_selects_and_shows_what_is_known(globe: Browser, catalog: cj.Catalog) -> None:
    globe.evaluate("globe.setView(0, 10, 4)")
    places = dict(
        globe.evaluate(f"{list(range(1, 401))}.map((k) => [k, globe.project(k)]).filter(([, place]) => place)")
    )
    free = [k for k, (x, y) in places.items() if 320 < x < 780 and 80 < y < 600]
    alone = next(k for k in free if all(j == k or np.hypot(*np.subtract(places[k], places[j])) > 25 for j in places))
    globe.click(*globe.evaluate(f"globe.project({alone})"))
    globe.wait_for("globe.selected !== null")
    assert globe.evaluate("globe.selected") == str(catalog.name[alone - 1])
    shown = globe.evaluate("document.querySelector('#details').innerText")
    for words in (str(alone), f"{catalog.inclination_deg[alone - 1]:.4f}°", "Latitude", "rev/day", "Lifetime"):
        assert words in shown
    globe.click(560, 20)
    globe.wait_for("globe.selected === null")


def test_names_are_found_and_never_run(globe: Browser) -> None:
    assert globe.evaluate("globe.search('17')")[0] == globe.evaluate("globe.select(17), globe.selected")
    assert globe.evaluate("document.title") == HOSTILE
    globe.evaluate(f"globe.select({json.dumps(HOSTILE)})")
    assert globe.evaluate("document.querySelector('#details h2').textContent") == HOSTILE
    assert globe.evaluate("document.querySelectorAll('#details script, #left script').length") == 0
    assert len(globe.evaluate("globe.search('iridium')")) >= 66


def test_all_of_it_works_by_the_keyboard(globe: Browser) -> None:
    globe.evaluate("document.querySelector('#scene').focus()")
    before = globe.evaluate("globe.project(5) ?? []")
    for key in ("ArrowLeft", "ArrowLeft", "ArrowUp", "+"):
        globe.press(key)
    assert globe.evaluate("globe.project(5) ?? []") != before or not before
    globe.press("/")
    for letter in "deep":
        globe.press(letter)
    globe.press("ArrowDown")
    globe.press("Enter")
    assert globe.evaluate("globe.selected") == "DEEP"
    globe.press("Escape")
    assert globe.evaluate("globe.selected") is None
    globe.press(".")
    assert globe.evaluate("globe.time") == START.astype(int) + 60000
    globe.press("Home")
    assert globe.evaluate("globe.time") == START.astype(int)
    globe.press("c")
    assert globe.evaluate("document.querySelector('#colour').value") == "altitude"
    globe.press("c")
    globe.press("c")
    assert globe.evaluate("document.querySelector('#colour').value") == "system"
    globe.press("t")
    assert globe.evaluate("document.documentElement.dataset.theme") == "light"
    globe.press("t")
    globe.press("]")
    globe.press(" ")
    globe.wait_for(f"globe.time > {START.astype(int) + 5000}")
    assert globe.evaluate("document.querySelector('#speed').value") == "300"
    globe.press("[")
    globe.press(" ")
    globe.press("?")
    assert globe.evaluate("document.querySelector('#keys').open")
    globe.press("Escape")
    globe.evaluate("document.querySelector('#keys').close()")


def test_a_finger_selects_on_a_small_screen(globe: Browser) -> None:
    globe.resize(390, 844, ratio=2.0, is_mobile=True)
    try:
        globe.evaluate("globe.setView(0, 0, 8)")
        globe.wait_for("document.body.classList.contains('folded') || !document.querySelector('#fold').click()")
        places = globe.evaluate(f"{list(range(1, 391))}.map((k) => globe.project(k)).filter((place) => place)")
        place = next(place for place in places if 300 < place[1] < 600)
        globe.tap(*place)
        globe.wait_for("globe.selected !== null")
        assert globe.evaluate("document.documentElement.scrollWidth") == 390
    finally:
        globe.resize(1100, 760)
        globe.evaluate("document.querySelector('#unfold').click()")


def test_the_worker_stops_with_the_page(globe: Browser) -> None:
    assert globe.evaluate("globe.isRunning")
    globe.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
    assert not globe.evaluate("globe.isRunning")


def test_failures_and_lifetimes_of_a_dataset_are_shown(browser: Browser, dataset: xr.Dataset, tmp_path: Path) -> None:
    dataset = dataset.isel(satellite=slice(0, 20)).copy(deep=True)
    dataset["lifetime"] = ("satellite", np.linspace(10.0, 4000.0, 20))
    dataset["status"][1:, 3] = 6
    cj.globe(dataset).save(tmp_path / "globe.html")
    open_page(browser, tmp_path / "globe.html")
    browser.evaluate("globe.setPlaying(false); globe.setColour('lifetime')")
    label = int(dataset["norad_id"][3])
    instant = int(INSTANTS[1].astype(int))
    assert browser.evaluate(f"globe.stateAt({label}, {instant - 1000})") is not None
    assert browser.evaluate(f"globe.stateAt({label}, {instant})") is None
    browser.evaluate(f"globe.setTime({instant + 90000}); globe.select({label})")
    browser.wait_for("document.querySelector('#details').innerText.includes('decayed')")
    browser.wait_for(f"globe.drawnAt({label}) === null")
    assert "days" in browser.evaluate("document.querySelector('#details').innerText")


def test_it_shows_in_a_frame_as_notebooks_do(browser: Browser, catalog: cj.Catalog, tmp_path: Path) -> None:
    (tmp_path / "notebook.html").write_text(f"<!doctype html>{cj.globe(catalog)._repr_html_()}", encoding="utf-8")
    browser.open(tmp_path / "notebook.html")
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        png = browser.screenshot()
        if len(png) > 60_000:  # a picture of an Earth; that of an empty frame has 5 kB
            break
        time.sleep(0.2)
    assert len(png) > 60_000
    assert browser.faults == []


def test_a_browser_without_webgl_says_so(browser: Browser, page: Path) -> None:
    made: Any = browser.send(
        "Page.addScriptToEvaluateOnNewDocument", source="HTMLCanvasElement.prototype.getContext = () => null"
    )
    try:
        browser.open(page)
        browser.wait_for("document.querySelector('#message').textContent.includes('no WebGL 2')")
    finally:
        browser.send("Page.removeScriptToEvaluateOnNewDocument", identifier=made["identifier"])
