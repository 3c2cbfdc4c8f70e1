"""Cache rules of `fetch`, against a server on this machine that counts requests."""

import http.server
import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from constellation_jax import __version__
from constellation_jax.cli import app
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog import celestrak
from constellation_jax.inputs.catalog.celestrak import (
    GROUPS,
    UPDATE_SECONDS,
    DownloadError,
    fetch,
    fetch_space_weather,
)
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather
from constellation_jax.settings import cache_folder

CSV = b"""OBJECT_NAME,OBJECT_ID,EPOCH,MEAN_MOTION,ECCENTRICITY,INCLINATION,NORAD_CAT_ID\r
"ISS (ZARYA)",1998-067A,2025-06-24T11:22:33.123456,15.5,.0002,51.63,25544\r
"""


class Server(http.server.ThreadingHTTPServer):
    """Server that gives one answer to everything and keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str]] = []
        self.status, self.body, self.headers, self.delay_s = 200, CSV, {}, 0.0
        self.url = f"http://127.0.0.1:{self.server_port}/gp.php"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        server.asked.append((self.path, self.headers["User-Agent"]))
        time.sleep(server.delay_s)
        self.send_response(server.status)
        for key, value in ({"Content-Length": str(len(server.body))} | server.headers).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(server.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("CONSTELLATION_JAX_CACHE", str(tmp_path / "cache"))
    with Server() as server:
        monkeypatch.setenv("CONSTELLATION_JAX_CELESTRAK_URL", server.url)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def make_older(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def test_a_group_is_asked_for_once_in_two_hours(server: Server) -> None:
    path = fetch("starlink")
    assert path.read_bytes() == CSV
    assert server.asked == [("/gp.php?GROUP=starlink&FORMAT=csv", f"constellation-jax/{__version__}")]
    assert fetch("STARLINK") == path
    make_older(path, UPDATE_SECONDS - 60)
    assert fetch("starlink") == path
    assert len(server.asked) == 1
    make_older(path, 120)
    server.body = CSV.replace(b"25544", b"25545")
    assert fetch("starlink").read_bytes() == server.body
    assert len(server.asked) == 2
    assert sorted(p.name for p in path.parent.iterdir()) == ["starlink.csv", "starlink.lock"]


def test_the_cache_and_the_address_can_be_given(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONSTELLATION_JAX_CELESTRAK_URL")
    path = fetch(cache=tmp_path / "own", base_url=server.url)
    assert path == tmp_path / "own" / f"127.0.0.1_{server.server_port}" / "active.csv"


@pytest.mark.parametrize("status", [301, 302, 403, 404, 500, 503])
def test_a_refusal_is_told_in_the_servers_words_and_remembered(server: Server, status: int) -> None:
    server.status = status
    server.body = (
        b"<html><head><title>x</title></head><body>\n <h1>GP data has not updated &amp; so on</h1>\nmore</body>"
    )
    server.headers = {"Location": server.url + "?moved"} if status < 400 else {}
    with pytest.raises(DownloadError, match=rf"HTTP {status}: GP data has not updated & so on") as told:
        fetch("geo")
    assert ("points to" in str(told.value)) == (status < 400)
    assert "\n" not in str(told.value)
    server.status, server.body = 200, CSV
    with pytest.raises(DownloadError, match=rf"HTTP {status}: GP data .* CelesTrak is not asked again for 2 h"):
        fetch("geo")
    assert len(server.asked) == 1  # no redirect was followed, and nothing was asked again
    fetch("gnss")  # another group has its own count
    assert len(server.asked) == 2


def test_a_refusal_is_forgotten_after_two_hours(server: Server, tmp_path: Path) -> None:
    server.status = 403
    with pytest.raises(DownloadError):
        fetch("geo")
    (note,) = tmp_path.rglob("*.refused.json")
    assert "HTTP 403" in json.loads(note.read_text())["message"]
    make_older(note, UPDATE_SECONDS + 1)
    server.status = 200
    assert fetch("geo").exists()
    assert not note.exists()


def test_a_damaged_note_of_a_refusal_still_counts(server: Server, tmp_path: Path) -> None:
    server.status = 403
    with pytest.raises(DownloadError):
        fetch("geo")
    next(tmp_path.rglob("*.refused.json")).write_text("{")
    with pytest.raises(DownloadError, match=r"words are lost .* not asked again for 2 h"):
        fetch("geo")
    assert len(server.asked) == 1


def test_an_old_copy_is_used_only_when_allowed(server: Server, caplog: pytest.LogCaptureFixture) -> None:
    path = fetch("geo")
    make_older(path, 5 * 3600)
    server.status, server.body = 503, b"Busy"
    with pytest.raises(DownloadError, match=r"503: Busy; a copy 5 h old is there: allow_stale=True \(--allow-stale\)"):
        fetch("geo")
    with caplog.at_level(logging.WARNING):
        assert fetch("geo", allow_stale=True) == path
    assert "using the copy of 5 h ago" in caplog.text
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"No GP data found\r\n", "found 'No GP data found', expected OMM CSV, did you mean 'starlink'"),
        (b"Invalid query: GROUP=starlnk\r\n", "Invalid query"),
        (b"", "found '', expected OMM CSV"),
        (b"1 25544U 98067A\n2 25544", "expected OMM CSV"),
        (CSV[:-20], "broke off: 4 of 7 fields"),
    ],
)
def test_an_answer_that_is_no_omm_csv_is_not_kept(server: Server, tmp_path: Path, body: bytes, words: str) -> None:
    server.body = body
    with pytest.raises(DownloadError, match=words):
        fetch("starlnk")
    with pytest.raises(DownloadError, match="not asked again"):
        fetch("starlnk")
    assert len(server.asked) == 1
    assert not list(tmp_path.rglob("*.csv"))


def test_a_body_cut_short_is_not_kept(server: Server, tmp_path: Path) -> None:
    server.headers = {"Content-Length": str(len(CSV) + 10), "Connection": "close"}
    with pytest.raises(DownloadError, match="broke off"):
        fetch("geo")
    assert not list(tmp_path.rglob("*.csv"))


def test_a_server_that_does_not_answer_is_remembered(server: Server) -> None:
    server.delay_s = 0.5
    with pytest.raises(DownloadError, match="timed out"):
        fetch("geo", timeout=0.1)
    with pytest.raises(DownloadError, match="not asked again"):
        fetch("geo", timeout=0.1)
    assert len(server.asked) == 1


def test_without_a_connection_nothing_is_remembered(server: Server, tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(DownloadError, match="no connection"):
            fetch("geo", base_url=f"http://127.0.0.1:{unused.getsockname()[1]}/gp.php")
    assert not list(tmp_path.rglob("*.refused.json"))


def test_two_processes_ask_once(server: Server) -> None:
    server.delay_s = 0.3
    code = "from constellation_jax.inputs.catalog.celestrak import fetch; print(fetch('geo'))"
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert len(set(said)) == 1
    assert said[0].strip().endswith("geo.csv")
    assert len(server.asked) == 1


def test_waiting_for_another_process_ends(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constellation_jax.inputs.catalog.celestrak._try_lock", lambda _: False)
    with pytest.raises(DownloadError, match="another process has been downloading"):
        fetch("geo", timeout=-9.9)
    assert not server.asked


def test_an_answer_without_end_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celestrak, "_LARGEST_BYTES", len(CSV) - 1)
    with pytest.raises(DownloadError, match="larger than 0 MiB, expected"):
        fetch("geo")


@pytest.mark.parametrize("group", ["", "a/b", "..", "a b", "GROUP=x", "starlink-", "é"])
def test_malformed_groups(group: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected letters, digits and hyphens"):
        fetch(group, cache=tmp_path, base_url="http://127.0.0.1:9/")


@pytest.mark.parametrize("url", ["file:///etc/hosts", "celestrak.org", "https://", "http://celestrak.org/gp.php"])
def test_malformed_addresses(url: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one that begins with https://"):
        fetch("geo", cache=tmp_path, base_url=url)


def test_a_cache_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="CONSTELLATION_JAX_CACHE names another one"):
        fetch("geo", cache=tmp_path / "file", base_url="http://127.0.0.1:9/")


def test_the_cache_folder_follows_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CONSTELLATION_JAX_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("CONSTELLATION_JAX_CACHE")
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "constellation-jax"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative/is/to/be/ignored")
    assert cache_folder() == Path.home() / ".cache" / "constellation-jax"
    monkeypatch.setattr("sys.platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert cache_folder() == tmp_path / "local" / "constellation-jax" / "Cache"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "constellation-jax"


def test_well_known_groups_are_well_formed() -> None:
    assert len(set(GROUPS)) == len(GROUPS)
    assert all(group == group.lower() for group in GROUPS)


WEATHER = b"""DATE,AP_AVG,F10.7_OBS,F10.7_DATA_TYPE\r
2026-07-20,11,140,OBS\r
2026-07-21,12,141,OBS\r
"""


def test_space_weather_is_fetched_by_the_same_rules(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    server.body = WEATHER
    monkeypatch.setenv("CONSTELLATION_JAX_SPACE_WEATHER_URL", server.url.replace("gp.php", "SW-All.csv"))
    path = fetch_space_weather()
    assert (path.name, path.read_bytes()) == ("SW-All.csv", WEATHER)
    assert fetch_space_weather() == path
    assert [request for request, _ in server.asked] == ["/SW-All.csv"]
    weather = SpaceWeather.load("celestrak")
    assert (weather.f107.tolist(), weather.ap.tolist()) == ([140.0, 141.0], [11.0, 12.0])
    assert "SW-All.csv of CelesTrak" in repr(weather)
    make_older(path, UPDATE_SECONDS + 3 * 3600)
    server.body = b"<html><body>No such page</body></html>"
    with pytest.raises(
        DownloadError, match=r"expected the table SW-All.csv; .*a copy 5 h old is there.*take 'bundled'"
    ):
        fetch_space_weather()
    assert fetch_space_weather(allow_stale=True) == path
    assert "using the copy of 5 h ago" in caplog.text


def test_the_command_says_the_age_of_space_weather(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.body = WEATHER
    monkeypatch.setenv("CONSTELLATION_JAX_SPACE_WEATHER_URL", server.url)
    done = CliRunner().invoke(app, ["fetch", "space-weather"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip().endswith("SW-All.csv")
    days = (np.datetime64("today") - np.datetime64("2026-07-21")).astype(int)
    assert done.stderr.strip() == f"fetched 0 min ago; last observed day 2026-07-21, {days} days ago"
