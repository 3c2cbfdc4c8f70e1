"""The command `plot`: kinds and their files in the help, figures in three formats, and one line for a mistake."""

import re
from collections.abc import Callable
from pathlib import Path

import figure_data as data
import numpy as np
import pytest
from typer.testing import CliRunner, Result

from constellation_jax.cli import app
from constellation_jax.views.kinds import KINDS

Plot = Callable[..., Result]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("figures")
    data.population().to_netcdf(path / "day.nc")
    data.shells().to_netcdf(path / "shells.nc")
    data.tuned().to_netcdf(path / "tuned.nc")
    data.decayed().to_netcdf(path / "decay.nc")
    return path


@pytest.fixture
def plot(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Plot:
    monkeypatch.chdir(folder)
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["plot", *words])


def test_help_names_every_kind_and_the_command_that_makes_its_file(plot: Plot) -> None:
    words = " ".join(plot("--help").output.split())
    for kind in KINDS.values():
        assert kind.name.replace("_", "-") in words
        assert " ".join(f"{kind.source}".split()) in words


@pytest.mark.parametrize(("suffix", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_a_figure_is_written_twice_alike(plot: Plot, folder: Path, suffix: str, start: bytes) -> None:
    contents = []
    words = ("altitude-histogram", "day.nc", "shells.nc", "--set", "by=system", "--set", "altitude_km=[200,1400]")
    for name in (f"first.{suffix}", f"second.{suffix}"):
        done = plot(*words, "-o", name)
        assert (done.exit_code, done.output.strip()) == (0, name)
        contents.append((folder / name).read_bytes())
    assert contents[0].startswith(start)
    assert contents[0] == contents[1]


def test_a_front_of_one_shell_and_activity(plot: Plot, folder: Path) -> None:
    chosen = ("--at", "solar=high", "--set", "x=duty_cycle_peak", "--set", "y=round_trip")
    assert plot("pareto", "tuned.nc", *chosen, "-o", "front.svg").exit_code == 0
    (folder / "seen.csv").write_text("norad_id,date\n-1,2027-06-01\n")
    done = plot("predicted-against-observed", "decay.nc", "--observed", "seen.csv", "-o", "seen.svg", "-q")
    assert (done.exit_code, done.output) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("altitude", "day.nc", "-o", "a.svg"), "KIND 'altitude': unknown; known are .*did you mean"),
        (("gabbard", "none.nc", "-o", "a.svg"), "none.nc: no such file"),
        (("gabbard", "day.nc", "-o", "a.gif"), r"a.gif: expected a name that ends in .svg, .pdf, .png"),
        (("gabbard", "day.nc", "-o", "day.nc"), "day.nc: expected a name"),
        (("gabbard", "day.nc", "day.nc", "-o", "a.svg"), "FILE: 2 files, expected one"),
        (("gabbard", "day.nc", "--set", "bin=1", "-o", "a.svg"), "--set bin=1: expected KEY=VALUE with a key of none"),
        (("altitude-histogram", "day.nc", "--set", "bins=1", "-o", "a.svg"), "did you mean 'bin_km'"),
        (("altitude-histogram", "day.nc", "--find", "NOTHING", "-o", "a.svg"), "'NOTHING' is not among the 550"),
        (
            ("pareto", "tuned.nc", "--at", "solar=mid", "-o", "a.svg"),
            "--at solar=mid: no such label; known are median, high",
        ),
        (("pareto", "tuned.nc", "-o", "a.svg"), "pareto: missing a required argument: 'x'; give it as --set KEY=VALUE"),
        (
            ("ground-track", "day.nc", "-o", "a.svg"),
            "the dataset has no 'longitude'; a fitting file: constellation-jax propagate",
        ),
        (("predicted-against-observed", "decay.nc", "-o", "a.svg"), "--observed: missing"),
        (("crowding", "tuned.nc", "-o", "a.svg"), "the dataset has no satellites; a fitting file"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(
    plot: Plot, folder: Path, words: tuple[str, ...], said: str
) -> None:
    done = plot(*words)
    assert done.exit_code == 2
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1
    assert np.char.find(lines[0], "constellation-jax: error: ") == 0
    assert re.search(said, lines[0]), lines[0]
    assert not (folder / "a.svg").exists()
