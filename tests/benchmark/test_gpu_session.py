"""The script for a session on a GPU, on a CPU and small: its table is complete, and all compute the same."""

from pathlib import Path
from runpy import run_path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_session.py"


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    path = tmp_path_factory.mktemp("session") / "session.md"
    options = ["--satellites", "40", "--steps", "20", "--jobs", "device", "--no-tests", "--output", str(path)]
    assert run_path(str(SCRIPT))["main"](options) is None
    return path.read_text(encoding="utf-8").splitlines()


def test_the_table_has_every_job(lines: list[str]) -> None:
    jobs = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")]
    assert jobs[:4] == ["job", "---", "states on the device, float64", "states on the device, float32"]
    assert {
        f"{way}, {dtype}" for way in ("cj.states", "vmap of cj.sgp4.state_at") for dtype in ("float64", "float32")
    } <= set(jobs)


def test_all_ways_give_the_same_states(lines: list[str]) -> None:
    differences = {}
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[5] and cells[0] not in ("job", "---"):
            differences[cells[0]] = float(cells[5])
    # interpolated within a millimetre; float32 about anchors within metres; without anchors some hundred metres
    assert differences["cj.states, float64"] < 2e-3
    assert differences["vmap of cj.sgp4.state_at, float64"] < 1e-3
    assert differences["cj.states, float32"] < 10.0
    assert differences["vmap of cj.sgp4.state_at, float32"] < 1000.0
    # element sets in the digits of a TLE
    assert all(metres < 500.0 for name, metres in differences.items() if name.startswith(("astrojax", "sgp4jax")))


def test_a_missing_device_is_one_line() -> None:
    message = run_path(str(SCRIPT))["main"](["--device", "tpu", "--no-tests"])
    assert message.startswith("device 'tpu': JAX finds none here")
