"""Draw the figure of docs/how-to/decay.md: predicted against observed re-entries of 2026.

    python scripts/draw_decay.py

It reads the histories of element sets and the space weather in ../shared/data beside the checkout, as
tests/benchmarks/test_reentries.py does, and takes some minutes.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib
from matplotlib.figure import Figure

import constellation_jax as cj

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from reentries import observed_weather, predictions  # noqa: E402 - found by the path above: tests are no package

SHARED_DATA = ROOT.parent / "shared" / "data"
TARGET = ROOT / "docs" / "how-to" / "reentries.svg"
GROUPS = {"other": "CubeSats and others", "starlink": "Starlinks"}


def main() -> None:
    if not SHARED_DATA.is_dir():
        sys.exit(f"{SHARED_DATA}: no such folder; the histories of the re-entries belong there")
    cj.configure()
    axes = Figure(figsize=(5.0, 4.6), layout="constrained").subplots()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        weather = observed_weather(SHARED_DATA, folder)
        for group, label in GROUPS.items():
            found, left_out = predictions(group, SHARED_DATA, weather, folder)
            print(f"{label}: {len(found)} predicted, {len(left_out)} left out")
            observed, predicted = zip(*((r.observed_days, r.predicted_days) for r in found), strict=True)
            cj.plots.predicted_against_observed(predicted, observed, label=label, axes=axes)
    ticks = (5, 10, 20, 50)
    axes.set(xlim=(5, 70), ylim=(5, 70), xticks=ticks, xticklabels=ticks, yticks=ticks, yticklabels=ticks)
    axes.minorticks_off()
    # the same figure gives the same bytes: no date, and ids that are not random
    with matplotlib.rc_context({"svg.hashsalt": "reentries"}):
        axes.figure.savefig(TARGET, metadata={"Date": None})
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
