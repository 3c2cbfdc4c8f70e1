"""Draw the figure of docs/concepts/atmosphere.md: ballistic coefficients over the solar cycle, in two models of the atmosphere.

    python scripts/draw_quiet_sun.py

It reads the histories of element sets and the space weather in ../shared/data beside the checkout, as
tests/benchmarks/test_solar_cycle.py does.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import constellation_jax as cj
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED
from constellation_jax.physics.constants import MJD_J2000, YEAR_DAYS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
from quiet_sun import follow, read_history, split, to_year  # noqa: E402 - found by the path above: tests are no package
from reentries import observed_weather  # noqa: E402

SHARED_DATA = ROOT.parent / "shared" / "data"
TARGET = ROOT / "docs" / "concepts" / "quiet-sun.svg"
WINDOW_DAYS = {"1970-025QQ": 365.25, "GeneSat-1": 90.0, "Dove-2": 90.0, "Delfi-PQ": 90.0}
MODELS = {"nrlmsise00": "NRLMSISE-00", CALIBRATED: "calibrated"}


def main() -> None:
    if not SHARED_DATA.is_dir():
        sys.exit(f"{SHARED_DATA}: no such folder; the histories of the objects belong there")
    cj.configure()
    figure = Figure(figsize=(7.0, 6.0), layout="constrained")
    *panels, sun = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.5))
    with tempfile.TemporaryDirectory() as folder:
        weather = observed_weather(SHARED_DATA, Path(folder))
    for name, days in WINDOW_DAYS.items():
        history = read_history(SHARED_DATA, name)
        found = {model: split(follow(history, weather, model), days) for model in MODELS}
        own = np.exp(np.median([np.log(w.coefficient) for w in found[CALIBRATED]]))
        for axes, windows in zip(panels, found.values(), strict=True):
            years = [to_year(w.mjd) for w in windows]
            axes.plot(years, [w.coefficient / own for w in windows], "o-", markersize=3.5, linewidth=0.8, label=name)
    for axes, label in zip(panels, MODELS.values(), strict=True):
        axes.axhspan(0.9, 1.1, color="0.5", alpha=0.2, linewidth=0.0)
        axes.set(ylim=(0.5, 1.5), ylabel=f"relative B\n({label})")
    panels[0].legend(loc="upper center", ncols=4, fontsize="small")
    mjd = MJD_J2000 + np.arange(1.0, 24.5, 0.02) * YEAR_DAYS
    sun.plot([to_year(m) for m in mjd], weather.at(mjd).f107a, color="0.3", linewidth=1.0)
    sun.set(xlabel="year", ylabel="F10.7A, sfu", ylim=(50, 250))
    # the same figure gives the same bytes: no date, and ids that are not random
    with matplotlib.rc_context({"svg.hashsalt": "quiet-sun"}):
        figure.savefig(TARGET, metadata={"Date": None})
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")


if __name__ == "__main__":
    main()
