"""The command line: what it says, where, and with which exit code. Real propagations run as processes of their own."""

import io
import json
import logging
import os
import re
import signal
import subprocess
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from examples import ISS
from typer.testing import CliRunner

import constellation_jax
from constellation_jax import cli
from constellation_jax.cli import options
from constellation_jax.cli.reporting import TerminalReporter
from constellation_jax.errors import OutputError
from constellation_jax.inputs.deployment.files import known_deployments
from constellation_jax.inputs.run_file import load_objects, read_run
from constellation_jax.inputs.run_keys import PropagationRun
from constellation_jax.inputs.shells.files import known_shells
from constellation_jax.inputs.times import time_grid
from constellation_jax.outputs.target import Target

TINY = """system = "Tiny"
[[shells]]
name = "T1"
altitude_km = 550.0
inclination_deg = 53.0
planes = 4
satellites_per_plane = 5
"""
LOAD = "from constellation_jax.cli import main; main()"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a catalogue, a shell file and a cache of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CONSTELLATION_JAX_CACHE", str(tmp_path / "cache"))
    (tmp_path / "iss.tle").write_text(ISS)
    (tmp_path / "tiny.toml").write_text(TINY)
    return tmp_path


def run(*arguments: str) -> Any:
    """A command inside this process; it must not reach JAX."""
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.fixture
def programs(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that commands share, so that what one of them has compiled the others load."""
    cache = tmp_path_factory.getbasetemp() / "commands"
    monkeypatch.setenv("CONSTELLATION_JAX_CACHE", str(cache))
    return cache


def start_process(folder: Path, *arguments: str, code: str = LOAD) -> "subprocess.Popen[str]":
    package = Path(constellation_jax.__file__).parents[1]
    environment = os.environ | {"PYTHONPATH": str(package), "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def run_process(folder: Path, *arguments: str, code: str = LOAD) -> tuple[int, str, str]:
    process = start_process(folder, *arguments, code=code)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


@pytest.fixture
def propagation(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], dict[str, Any]]:
    """Puts a function in the place of `propagate_to`, and gives what it was called with."""

    def install(body: Callable[..., Any]) -> dict[str, Any]:
        called: dict[str, Any] = {}

        def propagate_to(target: Target, catalog: Any, times: Any, **settings: Any) -> Any:
            path = target.path
            called.update(path=path, overwrite=target.overwrite, catalog=catalog, times=times, **settings)
            body(settings["progress"])
            states = len(catalog) * len(times)
            figures = {"compile_s": 0.5, "compute_s": 1.0, "write_s": 0.25, "wall_s": 2.0}
            counts = {"satellites": len(catalog), "steps": len(times), "states": states, "failed": 1}
            sizes = {"bytes": 3_500_000, "peak_memory_bytes": 10**8}
            return types.SimpleNamespace(path=path, is_complete=True, **counts, **figures, **sizes)

        module = types.ModuleType("propagation")
        module.propagate_to = propagate_to  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "constellation_jax.studies.propagation.to_file", module)
        monkeypatch.setattr("constellation_jax.cli.commands.propagate.configure", lambda **_: None)
        return called

    return install


def nothing(progress: Callable[[int, int], None]) -> None:
    progress(10, 20)
    progress(20, 20)


# --- help and versions ---


@pytest.mark.parametrize("arguments", ["--help", "propagate --help", "ephemeris -h", "shells show -h", "--version"])
def test_help_imports_nothing_heavy(arguments: str, tmp_path: Path) -> None:
    code = f"""
import atexit, sys
heavy = {{"jax", "jaxlib", "numpy", "xarray", "netCDF4", "pydantic", "rich"}}
atexit.register(lambda: print("HEAVY", sorted(heavy & set(sys.modules))))
{LOAD}
"""
    exit_code, out, err = run_process(tmp_path, *arguments.split(), code=code)
    assert (exit_code, err) == (0, "")
    assert out.endswith("HEAVY []\n")
    assert "constellation-jax" in out


@pytest.mark.parametrize(
    "command", [[], ["propagate"], ["ephemeris"], ["catalog"], ["shells"], ["shells", "show"], ["fetch"]]
)
def test_every_command_has_help(command: list[str]) -> None:
    result = run(*command, "-h")
    assert result.exit_code == 0
    assert "Usage:" in result.stdout


def test_versions() -> None:
    assert run("--version").stdout == f"constellation-jax {constellation_jax.__version__}\n"
    assert run("version").stdout.startswith(f"constellation-jax {constellation_jax.__version__}, jax ")


@pytest.mark.parametrize("arguments", [["propagate", "--framee", "teme"], ["prop"], ["shells", "show"], ["catalog"]])
def test_bad_usage_is_exit_code_2(arguments: list[str]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith("constellation-jax: error: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("propogate", "No such command 'propogate'. Did you mean 'propagate'?; see constellation-jax --help"),
        ("catalog", "Missing argument 'FILE'; see constellation-jax catalog --help"),
        ("decay iss.tle --ensemble x", "Invalid value for '--ensemble'"),
        ("catalog here", "found the folder 'here', expected a file"),
        ("propagate here", "cannot be read"),
        ("propagate iss.tle", "expected a run file: element sets are given by --catalog, shells by --shells"),
        ("propagate tiny.toml", "tiny.toml: found a shell file, expected a run file; shells are given by --shells"),
        ("propagate --shells iss.tle", "iss.tle, line 1: not valid TOML"),
        ("catalog tiny.toml", "expected element sets"),
        ("propagate --catalog iss.tle --duration -1h", "--duration: '-1h': expected a number with its unit"),
        (
            "ephemeris --catalog iss.tle -o a.csv",
            "expected the name of a file of an ephemeris that ends in .nc (NetCDF)",
        ),
        ("decay iss.tle -o here", "here: is a folder; expected the name of a file"),
    ],
)
def test_mistakes_of_newcomers_are_one_line(folder: Path, arguments: str, words: str) -> None:
    (folder / "here").mkdir()
    result = run(*arguments.split())
    assert result.exit_code == 2
    assert words in result.stderr
    assert result.stderr.startswith("constellation-jax: error: ")
    assert result.stderr.count("\n") == 1


# --- catalogues, shells, downloads ---


def test_catalog_prints_a_summary_and_every_reject(folder: Path) -> None:
    lines = ISS.splitlines()
    (folder / "some.tle").write_text(ISS + "\n".join([lines[1].replace("25175.5", "25X75.5"), lines[2]]) + "\n")
    result = run("catalog", "some.tle")
    assert result.exit_code == 0
    assert "ISS" in result.stdout
    assert "Rejects" in result.stdout
    assert "some.tle, line 4: " in result.stdout
    summary = json.loads(run("catalog", "some.tle", "--json").stdout)
    assert (summary["objects"], summary["rejected"]) == (1, 1)
    assert [reject["line"] for reject in summary["rejects"] if not reject["kept"]] == [4]


def test_catalog_of_a_wrong_file(folder: Path) -> None:
    result = run("catalog", "isss.tle")
    assert result.exit_code == 2
    assert result.stderr.startswith("constellation-jax: error: FILE: found 'isss.tle', expected a file, 'bundled' or ")
    (folder / "essay.txt").write_text("It was a dark and stormy night.\n")
    result = run("catalog", "essay.txt")
    assert result.exit_code == 2
    assert result.stderr.startswith("constellation-jax: error: ")
    assert result.stderr.count("\n") == 1


def test_catalog_matched_to_shells(folder: Path) -> None:
    result = run("catalog", "bundled", "--match", "--shells", "guowang:flown")
    assert (result.exit_code, result.stderr) == (0, "")
    heading, columns, *rows, total, others = result.stdout.splitlines()
    assert heading == "Objects at shells on 2025-06-24 00:00 UTC"
    assert columns.split()[:5] == ["system", "shell", "altitude", "km", "expected"]
    assert [row.split()[:8] for row in rows] == [
        ["Guowang", "D-50", "1,150.0", "108", "9", "0", "0", "3"],
        ["Guowang", "D-86", "1,165.0", "60", "20", "0", "0", "7"],
    ]
    assert rows[0].endswith("1 of 12 planes, 30.00 deg apart, 18 slots")
    assert total.split() == ["total", "29", "0", "0", "10"]
    assert others == "10,961 objects belong to none of these systems."


def test_catalog_matched_to_shells_for_programs(folder: Path) -> None:
    said = json.loads(run("catalog", "bundled", "--match", "--shells", "guowang:flown", "--json").stdout)
    assert said["epoch"] == "2025-06-24T00:00:00.000Z"
    assert (said["other"], len(said["objects"])) == (10_961, 39)
    assert [row["on_station"] for row in said["shells"]] == [9, 20]
    assert said["shells"][0]["lattice"]["planes"] == 12
    stray = next(item for item in said["objects"] if item["state"] == "stray")
    assert (stray["plane"], stray["raan_residual_deg"]) == (-1, None)


def test_catalog_matched_to_shells_as_a_table(folder: Path) -> None:
    result = run("catalog", "bundled", "--match", "--shells", "guowang:flown", "--output", "match.csv")
    assert (result.exit_code, result.stderr) == (0, "")
    table = pd.read_csv(folder / "match.csv", keep_default_na=False)
    assert len(table) == 11_000
    known = table[table.match_system == "Guowang"]
    assert known.match_state.value_counts().to_dict() == {"on_station": 29, "stray": 10}
    assert set(known.match_plane[known.match_state == "stray"]) == {""}
    assert {"raan_residual [degree]", "altitude_offset [km]", "epoch"} <= {*table}
    refused = run("catalog", "iss.tle", "--output", "match.csv")
    assert refused.exit_code == 2
    assert "--output: found without --match" in refused.stderr


def test_nothing_to_match(folder: Path) -> None:
    result = run("catalog", "iss.tle", "--match")
    assert (result.exit_code, result.stdout) == (0, "None of the 1 objects bears the name of a known system.\n")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--shells", "kuiper"], "--shells kuiper: found without --match, expected both or neither"),
        (["--match", "--shells", "kuipr"], "did you mean 'kuiper'?"),
        (["--match", "--shells", "kuiper:flewn"], "no variant 'flewn', did you mean 'flown'?"),
        (
            ["--match", "--shells", "starlink:gen2"],
            "starlink: no variant 'gen2', did you mean 'gen2-7500' or 'gen2-2021' or",
        ),
    ],
)
def test_matching_the_wrong_things(options: list[str], said: str, folder: Path) -> None:
    result = run("catalog", "iss.tle", *options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_catalog_of_a_real_download(shared_data: Path) -> None:
    result = run("catalog", str(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz"), "--json")
    summary = json.loads(result.stdout)
    assert summary["objects"] > 10_000
    assert summary["families"]["STARLINK"] > 5_000


def test_shells_lists_and_shows(folder: Path) -> None:
    listed = {line.split()[0]: line for line in run("shells").stdout.splitlines()}
    assert list(listed) == sorted(known_shells(variants=True), key=lambda name: name.split(":")[0])
    assert " 12,992 satellites in 7 shells " in listed["guowang"]
    assert " 30,324 satellites in 10 shells " in listed["starlink:gen2-2024"]
    guowang = run("shells", "show", "guowang").stdout.splitlines()
    assert guowang[0] == "Guowang (China SatNet): as filed with the ITU (2020)"
    assert guowang[8].split() == ["total", "12,992", "satellites"]
    assert "    filed [JSR]: altitude_km 590, inclination_deg 85, planes 16, satellites_per_plane 30" in guowang
    assert "    unknown [nowhere]: min_elevation_deg, design_life_years" in guowang
    assert any(line.startswith("  JSR: J. McDowell, constellation tables") for line in guowang)
    shown = run("shells", "show", "tiny.toml").stdout
    assert "T1" in shown
    assert "4 planes x 5" in shown
    assert "20 satellites" in shown.splitlines()[-1]
    result = run("shells", "show", "kiuper")
    assert result.exit_code == 2
    assert "did you mean 'kuiper'?" in result.stderr


def test_fetch_prints_the_path_of_a_young_copy(folder: Path) -> None:
    copy = folder / "cache" / "celestrak.org" / "geo.csv"
    copy.parent.mkdir(parents=True)
    copy.write_text("any")
    assert run("fetch", "geo").stdout == f"{copy}\n"
    result = run("fetch", "geo/../x")
    assert result.exit_code == 2
    assert "expected letters, digits and hyphens" in result.stderr


# --- propagate: what it asks for ---


def test_no_arguments_make_the_default_run(folder: Path, propagation: Any) -> None:
    called = propagation(nothing)
    result = run("propagate")
    assert result.exit_code == 0
    assert result.stderr == ""
    assert called["path"] == Path("constellation.nc")
    assert len(called["catalog"]) > 20_000
    assert called["catalog"].source[0] == "bundled"
    assert (called["frame"], called["precision"], called["overwrite"]) == ("teme", "float32", False)
    assert called["variables"] == ("position", "altitude", "decay", "lifetime")
    assert len(called["times"]) == 360
    assert result.stdout.startswith("constellation.nc: ")
    assert result.stdout.endswith(" states/s), 1 failed (variable status), 3.5 MB\n")
    assert result.stdout.count("\n") == 1


def test_options_reach_the_propagation(folder: Path, propagation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    called = propagation(nothing)
    monkeypatch.setattr(sys, "argv", ["/some/where/constellation-jax", "propagate", "--select", "name=T*"])
    options = ["--catalog", "iss.tle", "--shells", "tiny.toml", "--start", "2025-06-25", "--duration", "10min"]
    options += ["--step", "2min", "--frame", "itrs", "--variables", "position,velocity", "--variables", "geodetic"]
    options += ["--precision", "float32", "--dtype", "float64", "--overwrite", "-o", "x.nc", "--select", "name=T*"]
    result = run("propagate", *options, "--select", "plane=0..1", "--quiet")
    assert (result.exit_code, result.output) == (0, "")
    assert len(called["catalog"]) == 10
    assert len(called["times"]) == 5
    assert called["times"][0] == np.datetime64("2025-06-25")
    assert (called["path"], called["frame"], called["overwrite"]) == (Path("x.nc"), "itrs", True)
    assert called["variables"] == ("position", "velocity", "geodetic")
    assert (called["precision"], called["dtype"]) == ("float32", "float64")
    assert called["history"] == "constellation-jax propagate --select 'name=T*'"


def test_options_replace_keys_of_a_run_file(folder: Path, propagation: Any) -> None:
    called = propagation(nothing)
    (folder / "run.toml").write_text('catalog = "iss.tle"\nduration = "1h"\nstep = "1min"\nframe = "itrs"\n')
    assert run("propagate", "run.toml", "--step", "10min").exit_code == 0
    assert (len(called["times"]), called["frame"], called["times"][0]) == (6, "itrs", np.datetime64("2025-06-24"))


# --- propagate: mistakes and failures ---


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["none.toml"], "none.toml: cannot be read"),
        (["--frame", "tmee"], "--frame: found 'tmee', expected 'teme' or 'itrs', did you mean 'teme'?"),
        (["--catalog", "bundeld"], "did you mean 'bundled'?"),
        (["--shells", "guowan"], "did you mean 'guowang'?"),
        (["--start", "soon"], "--start: "),
        (["--step", "60"], "--step: "),
        (["--variables", "altitud"], "did you mean 'altitude'?"),
        (["--select", "altitude=5"], "--select: condition 'altitude=5': unknown column"),
        (["--catalog", "iss.tle", "--select", "name=NOT*"], "none of the 1 objects"),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(folder: Path, arguments: list[str], words: str) -> None:
    result = run("propagate", *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("constellation-jax: error: ")
    assert words in result.stderr
    assert result.stderr.count("\n") == 1


def test_several_mistakes_are_told_at_once(folder: Path) -> None:
    (folder / "run.toml").write_text('catalog = "iss.tle"\nduraton = "1h"\nframe = "x"\n')
    result = run("propagate", "run.toml", "--step", "1")
    assert result.exit_code == 2
    assert [line.split(": ")[2] for line in result.stderr.splitlines()] == [
        "--step",
        "run.toml, line 2, duraton",
        "run.toml, line 3, frame",
    ]


def test_a_failed_output_is_exit_code_1(folder: Path, propagation: Any) -> None:
    def full(progress: Any) -> None:
        raise OutputError("x.nc: the disk is full; x.nc.partial holds the first 4 of 10 steps and can be read")

    propagation(full)
    result = run("propagate", "--catalog", "iss.tle", "-o", "x.nc")
    assert result.exit_code == 1
    assert result.stderr.startswith("constellation-jax: error: x.nc: the disk is full")


def test_an_existing_file_is_kept_unless_told_otherwise(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constellation_jax.cli.commands.propagate.configure", lambda **_: None)
    (folder / "x.nc").write_text("precious")
    result = run(
        "propagate", "--catalog", "iss.tle", "-o", "x.nc"
    )  # the real propagation, which refuses before it begins
    assert result.exit_code == 2
    assert result.stderr.startswith("constellation-jax: error: x.nc: exists already")
    assert result.stderr.count("\n") == 1
    assert (folder / "x.nc").read_text() == "precious"


def test_an_interrupt_says_what_is_left(folder: Path, propagation: Any) -> None:
    def interrupted(progress: Any) -> None:
        error = KeyboardInterrupt()
        error.add_note("x.nc: not finished; x.nc.partial holds the first 4 of 10 steps and can be read")
        raise error

    propagation(interrupted)
    result = run("propagate", "--catalog", "iss.tle", "-o", "x.nc")
    assert result.exit_code == 130
    assert "interrupted; x.nc: not finished; x.nc.partial holds the first 4 of 10 steps" in result.stderr


def test_a_defect_is_one_line_and_a_traceback_on_demand(folder: Path, propagation: Any) -> None:
    def broken(progress: Any) -> None:
        raise ZeroDivisionError("some\nwords")

    propagation(broken)
    result = run("propagate", "--catalog", "iss.tle")
    assert result.exit_code == 70
    assert "unexpected ZeroDivisionError at test_cli.py:" in result.stderr
    assert "some words" in result.stderr
    assert result.stderr.count("\n") == 1
    assert isinstance(run("--debug", "propagate", "--catalog", "iss.tle").exception, ZeroDivisionError)


def test_rejects_are_counted_and_the_first_three_shown(folder: Path, propagation: Any) -> None:
    propagation(nothing)
    lines = ISS.splitlines()
    bad = "\n".join([lines[1].replace("25175.5", "25X75.5"), lines[2]]) + "\n"
    (folder / "some.tle").write_text(ISS + 5 * bad)
    result = run("propagate", "--catalog", "some.tle")
    assert result.exit_code == 0
    said = result.stderr.splitlines()
    assert said[0] == "5 records were rejected ('constellation-jax catalog FILE' lists all):"
    assert len(said) == 4
    assert run("propagate", "--catalog", "some.tle", "--quiet").output == ""


def test_warnings_are_one_line(folder: Path, propagation: Any) -> None:
    def warn(progress: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("the Earth turns oddly", stacklevel=1)
        logging.getLogger("constellation_jax.inputs").warning("an old copy")

    propagation(warn)
    result = run("propagate", "--catalog", "iss.tle", "--quiet")
    assert result.stderr == (
        "constellation-jax: warning: the Earth turns oddly\nconstellation-jax: warning: an old copy\n"
    )


# --- propagate: progress ---


def test_events_for_programs(folder: Path, propagation: Any) -> None:
    called = propagation(nothing)
    result = run("propagate", "--catalog", "iss.tle", "--duration", "20min", "--log-json")
    events = [json.loads(line) for line in result.stderr.splitlines()]
    assert [event["event"] for event in events] == ["start", "rejects", "progress", "done"]
    start, rejects, progress, done = events
    assert (start["objects"], start["steps"], start["states"]) == (1, 20, 20)
    assert np.datetime64(start["first_time"].removesuffix("Z")) == called["times"][0]
    assert (rejects["count"], rejects["first"]) == (0, [])
    assert (progress["done_states"], progress["total_states"]) == (10, 20)  # the second came within the same second
    assert (done["path"], done["failed"], done["wall_s"], done["bytes"]) == ("constellation.nc", 1, 2.0, 3_500_000)
    result = run("propagate", "--catalog", "iss.tle", "--frame", "x", "--log-json")
    (error,) = map(json.loads, result.stderr.splitlines())
    assert (error["event"], error["exit_code"], result.exit_code) == ("error", 2, 2)


def test_a_progress_bar_only_where_stderr_is_a_terminal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    config = read_run(PropagationRun, options={"catalog": ["iss.tle"]})
    objects, start = load_objects(config)
    times = time_grid(start, config.duration, config.step)
    for stream in (Terminal(), io.StringIO()):
        monkeypatch.setattr("sys.stderr", stream)
        reporter = TerminalReporter()
        reporter.start(config, objects, times)
        reporter.progress(90, 360)
        reporter.progress(180, 360)
        if reporter._bar is not None:
            reporter._bar.refresh()
        reporter.close()
        assert ("states/s" in stream.getvalue()) == ("50%" in stream.getvalue()) == stream.isatty()


# --- real runs ---


def test_a_small_run_from_end_to_end(folder: Path, programs: Path) -> None:
    options = ["--shells", "tiny.toml", "--start", "2025-06-24", "--duration", "10min", "-o", "small.nc"]
    exit_code, out, err = run_process(folder, "propagate", *options)
    assert (exit_code, err) == (0, "")
    assert out.startswith("small.nc: 20 objects at 10 steps in ")
    with xr.open_dataset(folder / "small.nc") as dataset:
        assert dict(dataset.sizes) == {"time": 10, "satellite": 20}
        assert dataset.time.values[0] == np.datetime64("2025-06-24")
        assert dataset.status.values.max() == 0
        assert "constellation-jax propagate --shells tiny.toml" in dataset.attrs["history"]
    assert not (folder / "small.nc.partial").exists()
    assert list(programs.glob("compiled-*"))


def test_bench_prints_its_figures(folder: Path) -> None:
    options = ["--catalog", "iss.tle", "--duration", "10min", "--precision", "float64", "--folder", ".", "--json"]
    exit_code, out, err = run_process(folder, "bench", *options, "--jobs", "arrays,device", "--device", "cpu")
    assert (exit_code, err) == (0, "")
    figures = json.loads(out)
    assert figures["states"] == 10
    (job,) = figures["jobs"]
    assert (job["name"], job["count"], job["unit"]) == ("states on the device, float64", 10, "states")
    assert figures["machine"]["platform"] == "cpu"
    assert all(case["states_per_s"]["given"] > 0 for case in figures["cases"])
    assert not list((folder / "cache").glob("compiled-*"))  # or there would be no compilation to measure


def test_bench_says_what_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "constellation_jax.cli.commands.bench.configure", lambda **_: None
    )  # JAX has started in this process
    result = run("bench", "--folder", "nowhere")
    assert result.exit_code == 2
    assert result.stderr == "constellation-jax: error: --folder: found 'nowhere', expected a folder that exists\n"
    assert run("bench", "--step", "0s").exit_code == 2
    result = run("bench", "--catalog", "iss.tle", "--jobs", "arrays,dekay")
    assert result.exit_code == 2
    assert result.stderr.startswith("constellation-jax: error: jobs: found 'dekay', expected some of arrays, device,")


@pytest.mark.usefixtures("programs")
def test_a_small_ephemeris_from_end_to_end(folder: Path) -> None:
    options = ["--shells", "tiny.toml", "--start", "2025-06-24", "--duration", "3h", "-o", "small.nc"]
    exit_code, out, err = run_process(folder, "ephemeris", *options, "--tolerance", "50cm")
    assert (exit_code, err) == (0, "")
    assert out.startswith("small.nc: 20 objects at 2 spans in ")
    with constellation_jax.open_ephemeris(folder / "small.nc") as ephemeris:
        assert ephemeris.tolerance_m == 0.5
        assert ephemeris.stop == np.datetime64("2025-06-24T03:00")
        assert "constellation-jax ephemeris" in ephemeris.at(["2025-06-24T02:59:59.5"]).attrs["history"]


def test_an_ephemeris_has_no_steps_and_samples_no_tolerance(folder: Path) -> None:
    for command, option in (("ephemeris", "--step"), ("ephemeris", "--frame"), ("propagate", "--tolerance")):
        result = run(command, "--catalog", "iss.tle", option, "1")
        assert result.exit_code == 2
        other = "ephemeris" if command == "propagate" else "propagate"
        assert f"error: {option}: belongs to the command {other}; " in result.stderr
        assert option not in run(command, "--help").stdout
    result = run("ephemeris", "--catalog", "iss.tle", "--tolerance", "1")
    assert result.exit_code == 2
    assert "--tolerance: found '1', expected a length of 1mm or more with its unit" in result.stderr


@pytest.mark.usefixtures("programs")
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_leaves_a_readable_part(folder: Path) -> None:
    code = f"""
import signal
import constellation_jax.studies.propagation.to_file as to_file
to_file.BLOCK_BYTES = 2**14  # a block is on the disk many times a second
signal.signal(signal.SIGINT, signal.default_int_handler)
{LOAD}
"""
    options = ["--shells", "tiny.toml", "--start", "2026-01-01", "--duration", "365d", "-o", "long.nc", "--log-json"]
    process = start_process(folder, "propagate", *options, code=code)
    assert process.stderr is not None
    progress = 0
    for line in process.stderr:
        progress += json.loads(line)["event"] == "progress"
        if progress == 2:  # a second after the first
            process.send_signal(signal.SIGINT)
            break
    _, err = process.communicate(timeout=120)
    error = json.loads(err.splitlines()[-1])
    assert process.returncode == error["exit_code"] == 130
    assert error["message"].startswith("interrupted; ")
    assert "long.nc.partial holds the first" in error["message"]
    assert not (folder / "long.nc").exists()
    with xr.open_dataset(folder / "long.nc.partial") as dataset:
        assert 0 < dataset.sizes["time"] < 365 * 1440


def test_deploy_writes_a_file_and_prints_the_states(folder: Path) -> None:
    done = run("deploy", "qianfan:launched", "--output", "deploy.nc", "--draws", "20", "--seed", "1")
    assert done.exit_code == 0, done.output
    assert "deploy.nc: 561 days" in done.stdout
    assert re.search(r"2025-01-01 +54 ", done.stdout)
    with xr.open_dataset(folder / "deploy.nc") as dataset:
        assert dataset.attrs["draws"] == 20
        assert dataset.on_station.sizes == {"system": 1, "time": 561}
    again = run("deploy", "qianfan:launched", "--output", "deploy.nc")
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    assert run("deploy", "qianfan:launched", "--output", "deploy.nc", "--overwrite", "--quiet").stdout == ""
    assert run("deploy", "qianfan:launched", "--output", "deploy.csv").stderr == ""
    assert len(pd.read_csv(folder / "deploy.csv")) == 561


def test_deploy_lists_and_answers_what_a_target_needs(folder: Path) -> None:
    listed = run("deploy")
    assert listed.exit_code == 0
    assert {line.split()[0] for line in listed.stdout.splitlines()} == set(known_deployments(variants=True))
    needed = run("deploy", "qianfan", "--scenario", "plan-only", "--need", "1296", "--by", "2030-01-01")
    assert needed.exit_code == 0
    assert "1,296 satellites on station by 2030-01-01 need 1.62 launches a month from 2025-07-01 on" in needed.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["qianfn"], "no deployment of this name and no such file, did you mean 'qianfan'?"),
        (["qianfan", "--need", "5"], "--need: found alone, expected --need and --by together"),
        (["qianfan", "--since", "2026-01-01"], "--since: found without --need"),
        (["qianfan", "--need", "5", "--by", "2030-13-01"], "time '2030-13-01': no such date"),
        (
            ["qianfan", "--scenario", "pace"],
            "did you mean 'as-launched-then-pace'? It has as-launched-then-pace, as-launched-then-plan, launched, ",
        ),
        (["--scenario", "plan-only"], "--scenario: found without a deployment"),
        (
            ["qianfan", "--as-of", "2030-01-01"],
            "as_of 2030-01-01: expected 2026-08-22 or earlier, the last day of the recorded launches",
        ),
        (["casic", "--as-of", "2026-01-01"], "as_of 2026-01-01: deployment casic has no recorded launches"),
        (["qianfan", "--draws", "-1"], "draws -1: expected 1 to 100,000"),
        (["qianfan", "--output", "nowhere/a.nc"], "there is no folder nowhere"),
        (["qianfan", "--need", "5", "--by", "2030-01-01", "--system", "Qianfn"], "did you mean 'Qianfan'"),
    ],
)
def test_deploy_tells_mistakes_in_a_line(folder: Path, arguments: list[str], words: str) -> None:
    done = run("deploy", *arguments)
    assert done.exit_code == 2
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1


PROBLEM = """system = "Tiny"
question = "How low?"
[[shells]]
name = "T1"
altitude_km = 500
inclination_deg = 45
planes = 12
satellites_per_plane = 20
min_elevation_deg = 20
[[variables]]
altitude_km = [250, 600]
[[objectives]]
minimise = "round_trip_ms"
[[constraints]]
quantity = "mean_in_view"
latitude_deg = [30]
at_least = 1.2
"""


@pytest.mark.usefixtures("programs")
def test_tune_writes_a_dataset_and_a_shell_file(folder: Path) -> None:
    (folder / "low.toml").write_text(PROBLEM)
    code, out, err = run_process(folder, "tune", "low.toml", "--output", "tuned.nc")
    assert code == 0, err
    assert "converged: " in out
    assert "tuned.nc, tuned.toml: 1 shell\n" in out
    (shell,) = constellation_jax.load_shells(folder / "tuned.toml")
    with xr.open_dataset(folder / "tuned.nc") as dataset:
        assert float(dataset.mean_altitude[0]) == pytest.approx(shell.orbit.altitude_km, rel=1e-12)
        assert dataset.attrs["status"] == "converged"
        assert float(dataset.constraint_value[0]) == pytest.approx(1.2, rel=1e-5)
    again = run("tune", "low.toml", "--output", "tuned.nc")
    assert again.exit_code == 2
    assert "tuned.nc" in again.stderr


def test_tune_lists_its_problems_and_tells_mistakes(folder: Path) -> None:
    listed = run("tune")
    assert listed.exit_code == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == constellation_jax.known_tuning_problems()
    (folder / "low.toml").write_text(PROBLEM.replace("[250, 600]", "[600, 250]"))
    wrong = run("tune", "low.toml")
    assert wrong.exit_code == 2
    assert "line 11, variable number 1, altitude_km: found bounds 600 and 250" in wrong.stderr


def test_a_step_longer_than_the_run_is_said(folder: Path, propagation: Any) -> None:
    called = propagation(nothing)
    result = run("propagate", "--catalog", "iss.tle", "--duration", "10min", "--step", "1h")
    assert result.exit_code == 0, result.output
    assert "warning: the step is longer than the duration (--step, --duration)" in result.stderr
    assert len(called["times"]) == 1
    result = run("propagate", "--catalog", "iss.tle", "--duration", "10min", "--step", "10min")
    assert "warning" not in result.stderr


def test_the_drag_term_can_be_left_out(folder: Path, propagation: Any) -> None:
    called = propagation(nothing)
    for option, has_drag in ((), True), (("--no-drag",), False), (("--drag",), True):
        assert run("propagate", "--catalog", "iss.tle", *option).exit_code == 0
        assert (called["catalog"].bstar != 0.0).all() == has_drag
        assert (called["catalog"].bstar == 0.0).all() != has_drag
    (folder / "run.toml").write_text('catalog = "iss.tle"\ndrag = false\n')
    assert run("propagate", "run.toml").exit_code == 0
    assert (called["catalog"].bstar == 0.0).all()


@pytest.mark.slow
def test_parts_of_a_store_are_made_finished_and_verified(folder: Path, programs: Path) -> None:
    command = ("propagate", "--catalog", "iss.tle", "--duration", "3h", "--output", "leo.zarr", "--memory", "5MB")
    for part in ("1/2", "2/2"):
        assert "constellation-jax finish leo.zarr" in run_process(folder, *command, "--shard", part)[1]
    assert run("finish", "leo.zarr").output == "leo.zarr: complete\n"
    assert run("verify", "leo.zarr").output == "leo.zarr: sound\n"
    assert run("finish", "leo.zarr").exit_code == 2
    shard = folder / "leo.zarr" / "x" / "c" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-9])
    damaged = run("verify", "leo.zarr", "--repair")
    assert damaged.exit_code == 1
    assert "leo.zarr: block 0: cannot be read" in damaged.output
    assert "--resume computes these blocks anew" in damaged.output
    assert run_process(folder, *command, "--resume")[0] == 0
    assert run("verify", "leo.zarr").output == "leo.zarr: sound\n"


def test_what_cannot_be_shared_on_the_command_line_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for arguments, words in (
        (("--output", "a.zarr", "--shard", "2"), "--shard: found '2', expected i/n such as 3/16"),
        (("--output", "s3://bucket/a.nc"), "expected a Zarr store (NAME.zarr) at an address"),
    ):
        result = run("propagate", "--catalog", "iss.tle", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
        assert len(result.stderr.splitlines()) == 1
    monkeypatch.setattr("constellation_jax.cli.options._CONNECT_S", 0.2)
    unreachable = pytest.raises(constellation_jax.InputError, match=r"'tcp://127\.0\.0\.1:1' cannot be reached")
    with unreachable, options.connect("tcp://127.0.0.1:1"):
        pass
    for name in ("nothing.nc", "nothing.zarr"):
        assert run("verify", name).exit_code == 2
