"""Weights by latitude: their sums, the bundled population, and files with mistakes."""

from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj


@pytest.mark.parametrize("kind", ["area", "population"])
@pytest.mark.parametrize("step", [1.0, 2.0, 5.0, 180.0, 0.5])
def test_weights_sum_to_one(kind: str, step: float) -> None:
    found = cj.Demand.load(kind, step_deg=step)
    assert found.latitude_deg.shape == found.weight.shape == (round(180 / step),)
    assert abs(found.weight.sum() - 1.0) < 1e-14
    assert (found.weight >= 0.0).all()
    assert found.latitude_deg[0] == -90.0 + step / 2


def test_area_is_that_of_zones() -> None:
    found = cj.Demand.load("area", step_deg=10.0)
    edges = np.deg2rad(np.linspace(-90.0, 90.0, 19))
    np.testing.assert_allclose(found.weight, np.diff(np.sin(edges)) / 2.0, atol=1e-15)


def test_population_is_that_of_the_world() -> None:
    """About seven people in eight live north of the equator, half between 20 and 40 degrees north (GPW v4, HYDE), few beyond 60."""
    found = cj.Demand.load("population", step_deg=1.0)
    assert 0.85 < found.weight[found.latitude_deg > 0.0].sum() < 0.90
    assert 0.43 < found.weight[(found.latitude_deg > 20.0) & (found.latitude_deg < 40.0)].sum() < 0.53
    assert found.weight[np.abs(found.latitude_deg) > 60.0].sum() < 0.005
    median = found.latitude_deg[np.searchsorted(np.cumsum(found.weight), 0.5)]
    assert 22.0 < median < 29.0


def test_coarser_bands_hold_the_same_people() -> None:
    fine, coarse = (cj.Demand.load("population", step_deg=step) for step in (1.0, 5.0))
    np.testing.assert_allclose(fine.weight.reshape(36, 5).sum(axis=1), coarse.weight, atol=1e-15)


def test_own_table(tmp_path: Path) -> None:
    """Two bands that meet at 15 degrees north: a quarter of the demand south of it, evenly spread."""
    path = tmp_path / "mine.csv"
    path.write_text("# offices\nname,weight,latitude_deg\na,30,40\nb,10,-10\n", encoding="utf-8")
    found = cj.Demand.load(path, step_deg=15.0)
    south = found.latitude_deg < 15.0
    np.testing.assert_allclose(found.weight[south], 0.25 / 7.0, rtol=1e-12)
    np.testing.assert_allclose(found.weight[~south], 0.75 / 5.0, rtol=1e-12)


def test_mistakes_of_a_file_come_together(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("latitude_deg,weight\n10,1\n95,1\n20,x\n10,2\n30\n40,-1\n50,inf\n", encoding="utf-8")
    with pytest.raises(cj.InputError) as raised:
        cj.Demand.load(path)
    lines = str(raised.value).splitlines()
    assert [line.split(":")[0] for line in lines] == [f"mine.csv, line {k}" for k in (3, 4, 5, 6, 7, 8)]
    assert "95" in lines[0]
    assert "missing" in lines[3]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n", "expected a header with latitude_deg,weight"),
        ("", "expected a header"),
        ("latitude_deg,weight\n", "no weight above 0"),
        ("latitude_deg,weight\n10,0\n", "no weight above 0"),
    ],
)
def test_files_without_a_demand(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(cj.InputError, match=message):
        cj.Demand.load(path)


def test_words_that_mean_nothing() -> None:
    with pytest.raises(cj.InputError, match="population"):
        cj.Demand.load("populaton")
    with pytest.raises(cj.InputError, match="no such file"):
        cj.Demand.load("nowhere.csv")
    for step in (0.0, -1.0, 7.0, float("nan")):
        with pytest.raises(cj.InputError, match="step_deg"):
            cj.Demand.load(step_deg=step)
