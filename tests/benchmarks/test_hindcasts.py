"""Honest hindcasts against what happened: errors, and how often the stated bands hold. Run with -m benchmark -s (some minutes).

What is known, and how, stands in hindcasts.py; docs/how-to/decay.md shows what this prints. Losses are printed without a limit:
over the few objects that there are, a single wrong forecast of a cycle decides them.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hindcasts import HORIZONS, SUNS, Hindcast, describe, inside, losses, reentries

import constellation_jax as cj
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def weather(shared_data: Path) -> SpaceWeather:
    return cj.SpaceWeather.load(shared_data / "space_weather/sw19571001_2026-10-16.txt.gz").observed_part()


@pytest.fixture(scope="module")
def lost(shared_data: Path, weather: SpaceWeather, tmp_path_factory: pytest.TempPathFactory) -> list[Hindcast]:
    return list(losses(shared_data, weather, tmp_path_factory.mktemp("issues")))


@pytest.fixture(scope="module")
def fallen(shared_data: Path, weather: SpaceWeather) -> list[Hindcast]:
    return list(reentries(shared_data, weather))


def show(cases: list[Hindcast], of: Callable[[Hindcast], object]) -> None:
    for key in sorted({str(of(case)) for case in cases}):
        print(f"  {key:<44}{describe([case for case in cases if str(of(case)) == key])}")


def test_losses_with_the_issue_of_the_month_before(lost: list[Hindcast]) -> None:
    print("\nloss of altitude of passive satellites, with NASA's issue of the month before")
    show(lost, lambda case: f"{case.kind}, {case.days:.0f} days")
    show(lost, lambda case: f"{case.group}, {case.kind}, {case.days:.0f} days")


def test_reentries_as_a_user_sees_them(fallen: list[Hindcast]) -> None:
    print("\nre-entries of 2026, each week, with the Sun forecast")
    show(fallen, lambda case: f"{case.group}, {case.kind}, {'in doubt' if case.doubt else 'not in doubt'}")
    kept = [abs(case.error) for case in fallen if case.kind == "fitted history" and not case.doubt]
    print(
        f"  not in doubt, all: median {100 * np.median(kept):.1f} %, nine in ten {100 * np.quantile(kept, 0.9):.0f} %"
    )
    assert np.median(kept) < 0.08
    assert np.quantile(kept, 0.9) < 0.25


def test_the_truth_lies_within_the_stated_bands(lost: list[Hindcast], fallen: list[Hindcast]) -> None:
    cases = lost + fallen
    groups = {
        "single set": [case for case in cases if case.kind == "single set"],
        "fitted history": [case for case in cases if case.kind == "fitted history"],
        "Starlinks": [case for case in cases if case.group == "starlink"],
        "up to a year": [case for case in cases if case.days < 366.0],
        "beyond": [case for case in cases if case.days > 366.0],
    }
    print("\nwithin the stated 5 to 95 %")
    for name, some in groups.items():
        print(f"  {name:<16}{describe(some)}")
    assert all(0.85 <= inside(some) <= 0.95 for some in groups.values())


@pytest.mark.parametrize("sun", SUNS[1:])
def test_the_same_under_other_suns(sun: str, shared_data: Path, weather: SpaceWeather, tmp_path: Path) -> None:
    """The last 27 days held, and what came: errors of B and of the density alone, without an ensemble."""
    for cases in (reentries(shared_data, weather, sun=sun), losses(shared_data, weather, tmp_path, sun=sun)):
        found = list(cases)
        print(f"\nunder the Sun {sun}")
        show(
            found,
            lambda case: (
                f"{case.group}, {case.kind}, {'in doubt' if case.doubt else 'not in doubt'}"
                + (f", {case.days:.0f} days" if case.days in HORIZONS else "")
            ),
        )
