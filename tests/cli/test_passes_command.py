"""The command `passes`: sites from words and files, the line of each site, and one line for a mistake."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import xarray as xr
from examples import ISS
from typer.testing import CliRunner, Result

from constellation_jax.cli import app

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    # JAX has started in this process
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.passes"], "configure", lambda **_: None)
    Path("iss.tle").write_text(ISS)
    Path("sites.csv").write_text("name,latitude_deg,longitude_deg\nHome,48.8,9.2\n")
    runner = CliRunner()
    return lambda *words: runner.invoke(app, ["passes", *words])


def test_passes_are_counted_by_site_and_written(run: Run) -> None:
    done = run("iss.tle", "--sites", "sites.csv", "--site", "Away,-30,20.5,100", "--duration", "6h", "-o", "p.nc")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["Home", "Away", "p.nc"]
    with xr.open_dataset("p.nc") as written:
        assert written["site"].values.tolist() == ["Home", "Away"]
        assert lines[-1] == f"p.nc: {written.sizes['pass']} passes above 10 degrees"
        assert written["event_time"].dims == ("pass", "event")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("iss.tle",), "passes: no site; give --site NAME,LAT,LON or --sites FILE"),
        (("--site", "A,1,2"), "CATALOG, --shells: missing"),
        (("iss.tle", "--site", "A,1"), "--site A,1: expected NAME,LATITUDE,LONGITUDE"),
        (("iss.tle", "--site", "A,1,2", "-o", "p.csv"), "p.csv: expected a name that ends in .nc"),
        (("iss.tle", "--site", "A,1,2", "--min-elevation", "95"), "min_elevation 95.0: expected degrees"),
        (("iss.tle", "--site", "A,1,2", "--duration", "-1h"), "expected"),
    ],
)
def test_a_mistake_is_one_line(run: Run, words: tuple[str, ...], said: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not Path("passes.nc").exists()
