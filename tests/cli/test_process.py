"""The process of the command line: signals, standard streams that are missing or full, devices that JAX does not have."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import netCDF4
import pytest
from examples import ISS

import constellation_jax

SHELL = """system = "Some"
[[shells]]
name = "S"
altitude_km = 550
inclination_deg = 53
planes = 10
satellites_per_plane = 10
"""
PROGRAM = "from constellation_jax.__main__ import main; main()"
SHORT = ("propagate", "--catalog", "iss.tle", "--duration", "3min", "-o", "a.nc")


@pytest.fixture
def folder(tmp_path: Path, kept_kernels: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    (tmp_path / "iss.tle").write_text(ISS)
    for name, value in kept_kernels.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTHONPATH", str(Path(constellation_jax.__file__).parents[1]))
    monkeypatch.setenv("JAX_PLATFORMS", "cpu")
    return tmp_path


def start(folder: Path, *arguments: str, code: str = PROGRAM, **settings: object) -> "subprocess.Popen[str]":
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | settings
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=folder, text=True, **pipes)  # type: ignore[call-overload, no-any-return]


def finish(process: "subprocess.Popen[str]") -> tuple[int, str, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


DROPS = """
import signal, typer
from constellation_jax.cli import process, reporting

class Dropping:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)

def command():
    with reporting.Reporter().session(debug=False):
        for _ in range(3):
            Dropping()  # what is raised here is dropped
        while True:
            pass

app = typer.Typer()
app.command()(command)
process.run(lambda: app([]))
"""


def test_an_interrupt_that_python_drops_comes_again(folder: Path) -> None:
    code, out, err = finish(start(folder, code=DROPS))
    assert (code, out) == (130, "")
    assert err.endswith("constellation-jax: error: interrupted; nothing was written\n")
    assert "Traceback" not in err


UNWINDS = """
import signal, time, typer
from constellation_jax.cli import process, reporting

def command():
    with reporting.Reporter().session(debug=False):
        try:
            signal.raise_signal(signal.SIGINT)
        finally:
            time.sleep(1.5)  # the end of a file that is written: it is not interrupted once more
            print("tidy")

app = typer.Typer()
app.command()(command)
process.run(lambda: app([]))
"""


def test_an_interrupt_on_its_way_up_is_not_raised_again(folder: Path) -> None:
    code, out, err = finish(start(folder, code=UNWINDS))
    assert (code, out) == (130, "tidy\n")
    assert err == "constellation-jax: error: interrupted; nothing was written\n"


@pytest.mark.parametrize("when", ["outside", "late"])
def test_interrupts_outside_of_a_command_print_no_traceback(folder: Path, when: str) -> None:
    body = (
        "signal.raise_signal(signal.SIGINT)"
        if when == "outside"
        else "atexit.register(signal.raise_signal, signal.SIGINT)"
    )
    code = f"import atexit, signal\nfrom constellation_jax.cli import process\nprocess.run(lambda: {body})"
    assert finish(start(folder, code=code)) == (130, "", "")


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_a_signal_leaves_what_is_finished(folder: Path, number: int, code: int, word: str) -> None:
    (folder / "some.toml").write_text(SHELL)
    length = ("--start", "2026-01-01", "--duration", "2d", "--step", "1s", "--memory", "20MB")
    process = start(folder, "propagate", "--shells", "some.toml", *length, "-o", "long.nc")
    partial = folder / "long.nc.partial"
    while process.poll() is None and not (partial.exists() and partial.stat().st_size > 5_000_000):
        time.sleep(0.05)
    process.send_signal(number)
    found, _, err = finish(process)
    assert found == code, err
    assert err.splitlines()[-1].startswith(
        f"constellation-jax: error: {word}; long.nc: not finished; long.nc.partial holds"
    )
    assert "Traceback" not in err
    assert sorted(os.listdir(folder)) == ["iss.tle", "long.nc.partial", "some.toml"]
    with netCDF4.Dataset(partial) as file:
        assert len(file.dimensions["time"]) > 0


def test_sigterm_removes_the_folder_of_bench(folder: Path) -> None:
    (folder / "work").mkdir()
    process = start(folder, "bench", "--catalog", "iss.tle", "--duration", "30d", "--folder", "work")
    while process.poll() is None and not os.listdir(folder / "work"):
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    code, _, err = finish(process)
    assert code == 143, err
    assert os.listdir(folder / "work") == []


def test_streams_that_are_closed(folder: Path) -> None:
    for redirection in ("2>&-", ">&- 2>&-", "<&- >&- 2>&-"):
        (folder / "a.nc").unlink(missing_ok=True)
        done = subprocess.run(
            ["bash", "-c", f'"$0" -c "$1" "${{@:2}}" {redirection}', sys.executable, PROGRAM, *SHORT],
            cwd=folder, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), redirection
        with netCDF4.Dataset(folder / "a.nc") as file:
            assert len(file.dimensions["time"]) == 3


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize(
    "arguments", [("version",), ("--help",), ("--version",), ("shells",), ("catalog", "iss.tle"), SHORT]
)
def test_stdout_on_a_full_device(folder: Path, arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        code, _, err = finish(start(folder, *arguments, stdout=full))
    assert code == 1
    assert err == "constellation-jax: error: standard output: the disk is full (No space left on device)\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_stderr_on_a_full_device(folder: Path) -> None:
    with open("/dev/full", "w") as full:
        code, out, _ = finish(start(folder, "catalog", "none.tle", stderr=full))
    assert (code, out) == (2, "")


@pytest.mark.parametrize("asked", ["cuda", "nonsense"])
def test_a_device_that_jax_does_not_have(folder: Path, asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAX_PLATFORMS", asked)
    code, out, err = finish(start(folder, *SHORT))
    assert (code, out) == (2, "")
    assert err.startswith(f"constellation-jax: error: JAX_PLATFORMS={asked}: JAX finds no such device here; unset")
    assert err.count("\n") == 1
