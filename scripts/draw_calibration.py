"""Draw the calibration figure of docs/how-to/decay.md: probability stated against share held, of honest hindcasts.

    python scripts/draw_calibration.py

It reads the histories of element sets, the space weather and NASA's forecasts in ../shared/data beside the checkout, as
tests/benchmarks/test_hindcasts.py does, and takes some minutes.
"""

import logging
import sys
import tempfile
from pathlib import Path
from statistics import NormalDist

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import constellation_jax as cj

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from hindcasts import Hindcast, losses, reentries  # noqa: E402 - found by the path above: tests are no package

SHARED_DATA = ROOT.parent / "shared" / "data"
TARGET = ROOT / "docs" / "how-to" / "calibration.svg"


def main() -> None:
    if not SHARED_DATA.is_dir():
        sys.exit(f"{SHARED_DATA}: no such folder; the histories belong there")
    cj.configure()
    logging.getLogger("constellation_jax").setLevel(logging.ERROR)
    weather = cj.SpaceWeather.load(SHARED_DATA / "space_weather/sw19571001_2026-10-16.txt.gz").observed_part()
    with tempfile.TemporaryDirectory() as name:
        cases = list(losses(SHARED_DATA, weather, Path(name)))
    cases += list(reentries(SHARED_DATA, weather))
    draw(cases)


def draw(cases: list[Hindcast]) -> None:
    axes = Figure(figsize=(5.0, 4.6), layout="constrained").subplots()
    stated = np.linspace(0.02, 0.98, 49)
    limit = np.array([NormalDist().inv_cdf(0.5 + 0.5 * p) for p in stated])
    axes.plot([0, 100], [0, 100], color="0.6", linewidth=1)
    axes.fill_between([88, 92], 85, 95, color="0.85", linewidth=0)
    for label, some in (
        ("single set", [case for case in cases if case.kind == "single set"]),
        ("fitted history", [case for case in cases if case.kind == "fitted history"]),
        ("Starlinks", [case for case in cases if case.group == "starlink"]),
        ("up to a year", [case for case in cases if case.days < 366.0]),
        ("beyond", [case for case in cases if case.days > 366.0]),
    ):
        z = np.abs([case.z for case in some])
        axes.plot(100 * stated, [100 * float((z <= one).mean()) for one in limit], label=f"{label} ({len(some)})")
    axes.set(xlabel="probability stated, %", ylabel="share held, %", xlim=(0, 100), ylim=(0, 100))
    axes.legend(loc="upper left")
    with matplotlib.rc_context({"svg.hashsalt": "calibration"}):  # the same figure gives the same bytes
        axes.figure.savefig(TARGET, metadata={"Date": None})
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
