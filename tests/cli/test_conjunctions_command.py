"""The commands `conjunctions` and `encounter-rates`: what they print and write, and one line for a mistake."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from typer.testing import CliRunner, Result

import constellation_jax as cj
from constellation_jax.cli import app

Run = Callable[..., Result]
SHELL = """[[shells]]
name = "{}"
altitude_km = 550
inclination_deg = {}
planes = 8
satellites_per_plane = 8
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    # JAX has started in this process
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.conjunctions"], "configure", lambda **_: None)
    Path("two.toml").write_text('system = "Some"\n' + SHELL.format("Steep", 70) + SHELL.format("Flat", 40))
    runner = CliRunner()
    return lambda *words: runner.invoke(app, list(words))


def test_approaches_are_printed_and_written(run: Run) -> None:
    words = ("conjunctions", "--shells", "two.toml", "--start", "2026-01-01", "--duration", "3h", "--distance-km", "50")
    done = run(*words, "--same-fleet", "-o", "met.nc")
    assert done.exit_code == 0, done.stderr
    with xr.open_dataset("met.nc") as written:
        number = written.sizes["event"]
        assert number > 0
        assert set(written["shell_1"].values) | set(written["shell_2"].values) == {"Steep", "Flat"}
        least = float(written["miss_distance"].min())
    lines = done.stdout.splitlines()
    assert float(lines[1].split()[1]) == pytest.approx(least, abs=6e-4)  # printed to a metre, the closest first
    assert lines[-1] == f"met.nc: {number:,} approaches within 50 km among 128 objects"
    alone = run(*words, "-o", "fleet.nc")  # satellites on station of one constellation are kept apart by their operator
    assert alone.stdout.splitlines()[-1] == "fleet.nc: 0 approaches within 50 km among 128 objects"


def test_probabilities_are_printed_and_written(run: Run) -> None:
    """Ranked by the convention that is asked for; a message of each approach that is printed reads back with its probability."""
    words = ("conjunctions", "--shells", "two.toml", "--start", "2026-01-01", "--duration", "3h", "--distance-km", "50")
    done = run(
        *words, "--same-fleet", "--probability", "--radius", "8", "--convention", "socrates", "--cdm", "messages"
    )
    assert done.exit_code == 0, done.stderr
    with xr.open_dataset("conjunctions.nc") as written:
        chances = written["socrates_max_probability"].values
        assert (written["radius"].values == 0.016).all()
        assert (written["covariance_source_1"].values == 2).all()
        first = written.isel(event=int(chances.argmax())).load()
    assert done.stdout.splitlines()[1].split()[3] == f"{chances.max():.2e}"
    messages = sorted(Path("messages").iterdir())
    assert len(messages) == min(20, len(chances))
    again = cj.add_probability(cj.read_cdms(messages[0]), covariance="given", radii=8.0)
    assert again["socrates_max_probability"].item() == pytest.approx(chances.max(), rel=1e-6)
    assert again["pc"].item() == pytest.approx(first["pc"].item(), rel=1e-6)
    again_there = run(*words, "--probability", "--cdm", "messages", "-o", "other.nc")
    assert again_there.exit_code == 2
    assert "--cdm messages: holds messages already" in again_there.stderr


def test_rates_are_printed_and_written(run: Run) -> None:
    done = run("encounter-rates", "--shells", "two.toml", "--start", "2026-01-01", "--days", "0.125", "--distance-km", "50",
               "--threshold", "1e-4", "--threshold", "1e-5", "--own-sigma-m", "20,200,20", "-o", "rates.nc")  # fmt: skip
    assert done.exit_code == 0, done.stderr
    with xr.open_dataset("rates.nc") as written:
        per_day = written["encounters_per_day"].sel(shell="Steep").sum().item()
        assert per_day > 0.0
        manoeuvres = written["manoeuvres_per_year"].sel(shell="Steep").sum("other").values.tolist()
        assert written.attrs["manoeuvre_covariance"].startswith("planned satellites: 20/200/20 m radial")
    shell, a_day, *rest = done.stdout.splitlines()[1].split()
    assert shell == "Steep"
    assert float(a_day) == pytest.approx(per_day, rel=1e-3)  # printed to four digits
    assert manoeuvres == pytest.approx([float(word) for word in rest[2:]], rel=1e-3)
    assert 0.0 < manoeuvres[0] < manoeuvres[1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("conjunctions",), "CATALOG, --shells: missing; give element sets or planned constellations"),
        (("conjunctions", "nosuch.tle"), "CATALOG: found 'nosuch.tle', expected a file"),
        (
            ("conjunctions", "--shells", "two.toml", "--distance-km", "90"),
            "distance_km 90.0: expected a distance above 0",
        ),
        (
            ("conjunctions", "--shells", "two.toml", "--duration", "-1h"),
            "span to '-1h': expected a length such as '6h'",
        ),
        (("conjunctions", "--shells", "two.toml", "--primary", "NOSUCH"), "NOSUCH"),
        (("conjunctions", "--shells", "two.toml", "--radius", "3"), "--radius: belongs to --probability"),
        (
            ("conjunctions", "--shells", "two.toml", "--probability", "--convention", "socrate"),
            "--convention 'socrate': expected one of foster, max, socrates, did you mean 'socrates'?",
        ),
        (
            ("conjunctions", "--shells", "two.toml", "--probability", "--radius", "-3"),
            "--radius -3: expected from 0 to",
        ),
        (("conjunctions", "--shells", "two.toml", "--probability", "--radius", "hbr.csv"), "hbr.csv"),
        (("conjunctions", "--shells", "two.toml", "--probability", "--covariance", "clas"), "clas"),
        (("encounter-rates",), "--shells: missing; give planned constellations"),
        (("encounter-rates", "--shells", "two.toml", "--days", "0"), "days 0.0: expected a number above 0"),
        (("encounter-rates", "--shells", "two.toml", "--own-sigma-m", "1,2"), "own_sigma_m [1.0, 2.0]: expected three"),
        (("encounter-rates", "--shells", "two.toml", "--threshold", "2"), "thresholds [2.0]: expected probabilities"),
        (("encounter-rates", "--shells", "two.toml", "-o", "rates.txt"), "rates.txt"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in Path().iterdir()) == ["two.toml"]
