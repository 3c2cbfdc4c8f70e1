"""Runs too large for the disk or the memory are refused before they begin, and every number by extremes: 0 or 2, and one line."""

import re
import resource
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from examples import ISS
from typer.main import get_command
from typer.testing import CliRunner

import constellation_jax
from constellation_jax import cli
from constellation_jax.inputs.files.keys import keys_of
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun

SHELL = """system = "Some"
[[shells]]
name = "S"
altitude_km = 550
inclination_deg = 53
planes = 2
satellites_per_plane = 3
mass_kg = 300
ballistic_coefficient_m2_kg = 0.01
thrust_mn = 20
specific_impulse_s = 1500
propellant_kg = 30
"""
PROBLEM = """title = "T"
question = "Q"
system = "S"
[[shells]]
name = "A"
altitude_km = 500
inclination_deg = 45
planes = 12
satellites_per_plane = 20
min_elevation_deg = 20
[[variables]]
altitude_km = [250, 600]
[[objectives]]
minimise = "round_trip_ms"
[solver]
iterations = 2
"""
EXTREMES = ("0", "-1", "nan", "inf", "1e308", "9" * 400, "text")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("bench", "conjunctions", "decay", "passes", "propagate", "tune"):  # JAX has started in this process
        monkeypatch.setattr(sys.modules[f"constellation_jax.cli.commands.{name}"], "configure", lambda **_: None)
    (tmp_path / "iss.tle").write_text(ISS)
    (tmp_path / "some.toml").write_text(SHELL)
    (tmp_path / "problem.toml").write_text(PROBLEM)
    return tmp_path


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli.app, list(arguments))


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        # a thousand million instants of one object
        (
            ("propagate", "--catalog", "iss.tle", "--duration", "14000d", "--step", "1s"),
            2,
            "take 77.4 GB of memory for the times",
        ),
        # more than ten thousand objects, 20,000 days
        (("propagate", "--catalog", "bundled", "--duration", "20000d"), 1, r"needs 7\.\d TB and the disk has"),
        (("bench", "--catalog", "bundled", "--duration", "20000d"), 1, r"needs 15\.\d TB and the disk has"),
        (("propagate", "--catalog", "bundled", "-o", "a.csv"), 2, r"make 3,960,000 rows of about \d+\.\d MB in CSV"),
        (("propagate", "--catalog", "bundled", "--memory", "100kB"), 2, "expected a size"),
        (
            ("propagate", "--catalog", "bundled", "--memory", "0.4MB", "--duration", "10min"),
            2,
            "hold not even two instants",
        ),
    ],
)
def test_runs_that_are_too_large_are_refused_at_once(
    folder: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    since, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = run(*arguments)
    assert result.exit_code == code, result.output
    assert re.search(words, result.stderr), result.stderr
    assert result.stderr.count("\n") == 1
    assert time.monotonic() - since < 10.0
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000  # kB
    assert sorted(path.name for path in folder.iterdir()) == ["iss.tle", "problem.toml", "some.toml"]


def test_an_ephemeris_without_room_is_refused_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10**6}))
    monkeypatch.setattr("constellation_jax.studies.ephemeris.write._choose_design", None)  # takes seconds
    result = run("ephemeris", "--catalog", "iss.tle", "--duration", "3000d")
    assert result.exit_code == 1
    assert "and the disk has 1.0 MB free; nothing was written" in result.stderr


SOUND: dict[str, tuple[str, ...]] = {
    "decay": (
        "iss.tle",
        "--start",
        "2025-06-24",
        "--years",
        "0.05",
        "--ensemble",
        "0",
        "--output",
        "a.nc",
        "--overwrite",
    ),
    "station-keeping": ("--shells", "some.toml", "--start", "2025-06-24", "--years", "0.05"),
    "deploy": ("casic", "--until", "2027-01-01"),
    "tune": ("problem.toml",),
    "ephemeris": ("--catalog", "iss.tle", "--duration", "2h", "--output", "a.nc", "--overwrite"),
    "propagate": ("--catalog", "iss.tle", "--duration", "3min", "--output", "a.nc", "--overwrite"),
    "conjunctions": ("iss.tle", "--duration", "10min", "--output", "a.nc", "--overwrite"),
    "encounter-rates": ("iss.tle", "--shells", "some.toml", "--days", "0.01", "--output", "a.nc", "--overwrite"),
    "passes": ("iss.tle", "--site", "A,1,2", "--duration", "10min", "--output", "a.nc", "--overwrite"),
    "bench": ("--catalog", "iss.tle"),
}
"""Quick runs of the commands that take numbers; of `bench` alone what is refused is looked at."""
WORDS = {"shells", "shells show", "catalog", "fetch", "finish", "globe", "plot", "verify", "version"}


def numeric_options() -> list[tuple[str, str]]:
    """Every option of every command that takes a value."""
    found = []
    for name, command in get_command(cli.app).commands.items():  # type: ignore[attr-defined]
        if name in SOUND:
            for parameter in command.params:
                if not getattr(parameter, "is_flag", False) and parameter.opts[0].startswith("--"):
                    found.append((name, parameter.opts[0]))
        else:
            assert name in WORDS, f"{name} has a sound run in SOUND, or takes no numbers"
    return found


def check(result: Any) -> None:
    assert result.exit_code in (0, 2, 3), (result.exit_code, result.output[-500:])  # 3: tuned without an optimum
    if result.exit_code == 2 and not result.stderr.startswith("Usage"):
        assert all(line.startswith("constellation-jax: ") for line in result.stderr.splitlines()), result.stderr[-500:]
    assert "Traceback" not in result.output


@pytest.mark.slow
@pytest.mark.parametrize(("command", "option"), numeric_options())
def test_every_option_by_extremes(folder: Path, command: str, option: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("constellation_jax.benchmark.speed.measure_speed", refuse_to_measure)
    monkeypatch.setenv("CONSTELLATION_JAX_CACHE", str(folder / "cache"))
    for value in EXTREMES:
        check(run(command, *SOUND[command], option, value))


def refuse_to_measure(*_: Any, **__: Any) -> None:
    raise typer.Exit(0)


def files() -> dict[str, tuple[str, str]]:
    """A sound file of each kind, and the command that reads it."""
    runs = 'catalog = "iss.tle"\noutput = "a.nc"\noverwrite = true\nduration = "3min"\n'
    return {"run": (runs, "propagate"), "ephemeris": (runs, "ephemeris"), "shell": (SHELL, "shells show")}


@pytest.mark.slow
@pytest.mark.parametrize("kind", [PropagationRun, EphemerisRun])
def test_every_key_of_a_run_file_by_extremes(folder: Path, kind: Any) -> None:
    base = {"catalog": '"iss.tle"', "output": '"a.nc"', "overwrite": "true", "duration": '"3min"'}
    for key in keys_of(kind):
        for value in EXTREMES:
            for written in {f'"{value}"', value if value not in ("", "text") else "[]"}:
                lines = [f"{name} = {text}" for name, text in (base | {key: written}).items()]
                (folder / "run.toml").write_text("\n".join(lines))
                check(run(kind.command, "run.toml"))


@pytest.mark.slow
def test_every_key_of_the_other_files_by_extremes(folder: Path) -> None:
    configs = Path(constellation_jax.__file__).parents[1] / "configs"
    deployment = (configs / "deployments" / "casic.toml").read_text()
    for text, load in (
        (SHELL, constellation_jax.load_shells),
        (PROBLEM, constellation_jax.load_tuning_problem),
        (deployment, constellation_jax.load_deployment),
    ):
        lines = text.splitlines()
        for number, line in enumerate(lines):
            found = re.match(r"(\w+) = ", line)
            if not found:
                continue
            for value in EXTREMES:
                for written in {f'"{value}"', value if value not in ("", "text") else "[]"}:
                    changed = [*lines[:number], f"{found[1]} = {written}", *lines[number + 1 :]]
                    (folder / "changed.toml").write_text("\n".join(changed))
                    try:
                        load(folder / "changed.toml")
                    except constellation_jax.InputError as error:
                        assert len(str(error).splitlines()) < 4, error  # noqa: PT017
