"""Headless Chromium, driven by its DevTools protocol over two pipes: no driver and no package is needed beside a browser."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PATIENCE_S = 120.0
"""Time for a first picture in software, on a machine that does other things too."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--headless=new",
    "--remote-debugging-pipe",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--mute-audio",
    "--disable-gpu-sandbox",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",  # without it Chrome 144 and later have no WebGL, and a suite is green on an empty canvas
)
_DUP = (
    "import os, sys; r, w = map(int, sys.argv[1:3]); os.dup2(r, 3); os.dup2(w, 4); os.execv(sys.argv[3], sys.argv[3:])"
)


def find_browser() -> str | None:
    """Path of a browser; that of the environment variable CHROMIUM goes first."""
    given = os.environ.get("CHROMIUM")
    return given or next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a headless browser. Use it in a `with` statement."""

    def __init__(self, *flags: str, width: int = 1280, height: int = 800) -> None:
        path = find_browser()
        assert path is not None, "no browser"
        self._folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        read, self._write = os.pipe()
        self._read, write = os.pipe()
        root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        command = [
            path,
            *FLAGS,
            *root,
            *flags,
            f"--user-data-dir={self._folder.name}",
            f"--window-size={width},{height}",
            "about:blank",
        ]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _DUP, str(read), str(write), *command],
            pass_fds=(read, write),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(read)
        os.close(write)
        self._buffer = b""
        self._number = 0
        self._session = ""
        self.events: list[dict[str, Any]] = []
        """Events of the page, in order, such as requests and exceptions."""
        targets = self.send("Target.getTargets")["targetInfos"]
        target = next(info["targetId"] for info in targets if info["type"] == "page")
        self._session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")
        self.resize(width, height)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            os.write(self._write, json.dumps({"id": 0, "method": "Browser.close"}).encode() + b"\0")
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self._read)
        os.close(self._write)
        self._folder.cleanup()

    def send(self, method: str, timeout_s: float = 60.0, **parameters: Any) -> dict[str, Any]:
        """Send a command of the protocol and return its result."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        for answer in self._messages(timeout_s):
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, Any] = answer["result"]
                return result
        raise TimeoutError(f"{method}: no answer in {timeout_s:g} s")

    def _messages(self, timeout_s: float) -> Iterator[dict[str, Any]]:
        until = time.monotonic() + timeout_s
        while (left := until - time.monotonic()) > 0:
            while b"\0" in self._buffer:
                line, _, self._buffer = self._buffer.partition(b"\0")
                message = json.loads(line)
                if "id" not in message:
                    self.events.append(message)
                yield message
            if select.select([self._read], [], [], left)[0]:
                chunk = os.read(self._read, 1 << 20)
                assert chunk, "the browser has ended"
                self._buffer += chunk

    def open(self, path: Path | str, timeout_s: float = 60.0) -> None:
        """Open a file, or an address, and wait until it is loaded."""
        self.events.clear()
        self.send("Page.navigate", url=path.as_uri() if isinstance(path, Path) else path)
        if not any(event["method"] == "Page.loadEventFired" for event in self.events):
            for message in self._messages(timeout_s):
                if message.get("method") == "Page.loadEventFired":
                    return
            raise TimeoutError(f"{path}: not loaded in {timeout_s:g} s")

    def evaluate(self, expression: str, timeout_s: float = 60.0) -> Any:
        """Value of an expression in the page, of its promise where it is one."""
        answer = self.send(
            "Runtime.evaluate",
            timeout_s,
            expression=expression,
            awaitPromise=True,
            returnByValue=True,
            userGesture=True,
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]["exception"].get("description", answer)
        return answer["result"].get("value")

    def wait_for(self, condition: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until an expression is true in the page."""
        until = time.monotonic() + timeout_s
        while not self.evaluate(condition):
            assert time.monotonic() < until, f"{condition}: not in {timeout_s:g} s; {self.faults}"
            time.sleep(0.05)

    def resize(self, width: int, height: int, *, ratio: float = 1.0, is_mobile: bool = False) -> None:
        """Set the size of the page in CSS pixels, and the pixels of the screen for each."""
        self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=ratio, mobile=is_mobile
        )
        self.send("Emulation.setTouchEmulationEnabled", enabled=is_mobile)

    def prefer(self, scheme: str) -> None:
        """Let the page see that its user prefers "dark" or "light"."""
        self.send("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def screenshot(self) -> bytes:
        """Picture of the page as PNG."""
        return base64.b64decode(self.send("Page.captureScreenshot", format="png")["data"])

    def move(self, x: float, y: float) -> None:
        self.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)

    def click(self, x: float, y: float) -> None:
        self.move(x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.send("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1)

    def tap(self, x: float, y: float) -> None:
        self.send("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
        self.send("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])

    def press(self, key: str, text: str = "") -> None:
        """Press a key by its name in the DOM, such as "ArrowLeft"; a character is its own text."""
        text = text or (key if len(key) == 1 else "\r" if key == "Enter" else "")
        codes = {
            "Enter": 13,
            "Escape": 27,
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "Tab": 9,
            "Home": 36,
            " ": 32,
        }
        code = codes.get(key, ord(key.upper()) if len(key) == 1 else 0)
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, text=text, windowsVirtualKeyCode=code)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    @property
    def requests(self) -> list[str]:
        """Addresses that the page has asked for since it was opened."""
        return [
            event["params"]["request"]["url"] for event in self.events if event["method"] == "Network.requestWillBeSent"
        ]

    @property
    def faults(self) -> list[str]:
        """Exceptions and errors of the console since the page was opened."""
        found = []
        for event in self.events:
            parameters = event["params"]
            if event["method"] == "Runtime.exceptionThrown":
                found.append(str(parameters["exceptionDetails"].get("exception", {}).get("description", parameters)))
            if event["method"] == "Log.entryAdded" and parameters["entry"]["level"] == "error":
                found.append(parameters["entry"]["text"])
            if event["method"] == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning"):
                found.append(" ".join(str(value.get("value")) for value in parameters["args"]))
        return found
