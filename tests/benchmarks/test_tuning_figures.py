"""Figures of tuning: against differential evolution, derivatives of every term, the largest study, a recount of what it promises.

python -m pytest -m benchmark -s tests/benchmarks/test_tuning_figures.py
"""

import dataclasses
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from approaches import DAYS_PER_YEAR, EPOCH, approaches, states
from scipy import optimize
from scipy.special import ndtri

import constellation_jax as cj
from constellation_jax.inputs.tuning.terms import TERMS
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM, WGS84_FLATTENING
from constellation_jax.studies.tuning.design import make_design
from constellation_jax.studies.tuning.objective import make_surroundings
from constellation_jax.studies.tuning.problem import CompiledProblem

pytestmark = pytest.mark.benchmark

SHELLS = """
system = "S"
[common]
planes = 20
satellites_per_plane = 20
phasing = 1
min_elevation_deg = 25
mass_kg = 300
thrust_mn = 20
specific_impulse_s = 1500
ballistic_coefficient_m2_kg = 0.01
design_life_years = 5
[[shells]]
name = "A"
altitude_km = 400
inclination_deg = 40
[[shells]]
name = "B"
altitude_km = 500
inclination_deg = 53
[[shells]]
name = "C"
altitude_km = 600
inclination_deg = 70
"""
SIX = """
[[variables]]
altitude_km = [350, 650]
[[variables]]
inclination_deg = [30, 85]
[[objectives]]
minimise = "background_conjunctions_per_year"
[[objectives]]
minimise = "round_trip_ms"
[[constraints]]
quantity = "mean_in_view"
latitude_deg = [0, 30, 55]
at_least = 4
[solver]
starts = 1
"""


def problem_of(path: Path, text: str) -> tuple[cj.TuningProblem, CompiledProblem]:
    path.write_text(text, encoding="utf-8")
    study = cj.load_tuning_problem(path)
    return study, CompiledProblem(study, make_design(study.shells), make_surroundings(study))


@pytest.mark.parametrize("starts", [1, 8])
def test_against_differential_evolution(tmp_path: Path, starts: int) -> None:
    study, problem = problem_of(tmp_path / "six.toml", SHELLS + SIX)
    merit = jax.jit(jax.vmap(lambda x: problem.compute_merit(x, problem.frame)))
    asked = 0

    def penalised(points: np.ndarray) -> np.ndarray:
        nonlocal asked
        asked += points.shape[1]
        f, g = (np.asarray(v) for v in merit(jnp.asarray(points.T)))
        return f + 1e3 * np.maximum(0.0, -g).sum(axis=1)

    found = optimize.differential_evolution(
        penalised, [(0.0, 1.0)] * 6, seed=1, popsize=15, maxiter=300, tol=1e-6, polish=False, vectorized=True,
        updating="deferred",
    )  # fmt: skip
    result = cj.tune(study, starts=starts)
    print(
        f"differential evolution {found.fun:.6f} in {asked} evaluations; SLSQP from {starts} {result.objective:.6f} "
        f"in {result.evaluations}: {asked / result.evaluations:.0f} times fewer"
    )
    if starts == 8:
        assert result.objective <= found.fun * 1.005
    else:
        assert asked > 20 * result.evaluations


def test_derivatives_of_every_term(tmp_path: Path) -> None:
    text = SHELLS + "[[variables]]\naltitude_km = [300, 700]\n[[variables]]\ninclination_deg = [30, 80]\n"
    names = [name for name, kind in TERMS.items() if not kind.only_reported]
    for name in names:
        kind = TERMS[name]
        text += f'[[constraints]]\nname = "{name}"\nquantity = "{name}"\nat_least = 1\n'
        text += "latitude_deg = [0, 35]\n" if kind.each == "latitude" else ""
        text += 'shells = ["A"]\n' if kind.one_shell else ""
    text += '[[objectives]]\nminimise = "satellites"\n'
    _, problem = problem_of(tmp_path / "all.toml", text)
    worst: dict[str, float] = {}
    for point in np.random.default_rng(2).uniform(0.1, 0.9, (3, 6)):
        at = problem.evaluate(point)
        exact = at.rows_by_design.reshape(len(at.rows), -1) @ problem.coordinates.compute_span(3)
        step = 3e-5
        for k in range(6):
            moved = [problem.evaluate(point + s * step * np.eye(6)[k]).rows for s in (-2, -1, 1, 2)]
            differences = (moved[0] - 8 * moved[1] + 8 * moved[2] - moved[3]) / (12.0 * step)
            size = np.maximum(np.abs(exact[:, k]), 1e-3 * np.abs(at.rows) + 1e-12)
            error = np.abs(exact[:, k] - differences) / size
            for row, value in zip(problem.rows, error, strict=True):
                name = names[row.constraint]
                worst[name] = max(worst.get(name, 0.0), float(value))
    for name, value in worst.items():
        print(f"{name:<34}{value:.1e}")
    assert max(worst.values()) < 1e-4
    assert np.median([*worst.values()]) < 1e-6


def test_the_largest_study(shared_data: Path) -> None:
    background = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    begun = time.perf_counter()
    result = cj.tune("qianfan-layers", background=background)
    seconds = time.perf_counter() - begun
    study = dataclasses.replace(result.problem)
    problem = CompiledProblem(study, make_design(study.shells), make_surroundings(study, background=background))
    point = problem.coordinates.find_start(problem.frame.base)
    times = []
    for _ in range(5):
        begun = time.perf_counter()
        problem.evaluate(point)
        times.append(time.perf_counter() - begun)
    print(
        f"{len(background)} objects, {sum(s.total for s in result.shells)} satellites: {seconds:.1f} s, {result.status}, "
        f"{result.evaluations} evaluations; one with derivatives {1e3 * min(times):.1f} ms"
    )
    assert result.status == "converged"


def test_recount_of_the_promised_coverage(tmp_path: Path) -> None:
    text = SHELLS.partition("[[shells]]")[0] + '[[shells]]\nname = "A"\naltitude_km = 500\ninclination_deg = 45\n'
    text += """
        [[variables]]
        altitude_km = [300, 700]
        [[variables]]
        inclination_deg = [30, 70]
        [[objectives]]
        minimise = "round_trip_ms"
        [[constraints]]
        quantity = "mean_in_view"
        latitude_deg = [20, 40]
        at_least = 1.5
    """
    path = tmp_path / "one.toml"
    path.write_text(text, encoding="utf-8")
    result = cj.tune(path)
    cj.write_shells(result.shells, tmp_path / "tuned.toml")
    catalog = cj.shells_to_catalog(cj.load_shells(tmp_path / "tuned.toml"))
    states = cj.propagate(catalog, cj.time_grid("2026-01-01", "1d", "60s"), frame="itrs", variables="position")
    positions = np.stack([states[axis].values for axis in "xyz"], axis=-1)
    e2 = WGS84_FLATTENING * (2.0 - WGS84_FLATTENING)
    for k, latitude in enumerate((20.0, 40.0)):
        phi = np.radians(latitude)
        total, longitudes = 0, 24
        for longitude in np.arange(longitudes) * (2.0 * np.pi / longitudes):
            up = np.array([np.cos(phi) * np.cos(longitude), np.cos(phi) * np.sin(longitude), np.sin(phi)])
            normal = WGS84_EQUATORIAL_RADIUS_KM / np.sqrt(1.0 - e2 * np.sin(phi) ** 2)
            away = positions - up * np.array([1.0, 1.0, 1.0 - e2]) * normal
            total += (away @ up > np.sin(np.radians(25.0)) * np.linalg.norm(away, axis=-1)).sum()
        counted = total / longitudes / positions.shape[0]
        promised = float(result.dataset.constraint_value[k])
        print(f"{latitude:g} degrees: promised {promised:.4f}, counted {counted:.4f}")
        assert counted == pytest.approx(promised, rel=0.02)


COPRIME = """
system = "S"
[common]
min_elevation_deg = 25
phasing = 1
[[shells]]
name = "A"
altitude_km = 520
inclination_deg = 40
planes = 31
satellites_per_plane = 41
[[shells]]
name = "B"
altitude_km = 560
inclination_deg = 60
planes = 29
satellites_per_plane = 43
[[variables]]
altitude_km = [480, 620]
[[variables]]
inclination_deg = [35, 70]
[[constraints]]
quantity = "mean_in_view"
latitude_deg = [0, 30, 50]
at_least = 10
"""
"""Numbers without common factors: shells of equal ones meet in step, many pairs at once, and a count says little."""


def promised_per_day(result: cj.TuneResult, quantity: str) -> float:
    return float(result.dataset[quantity].sum()) / DAYS_PER_YEAR


def said(what: str, promised: float, counted: float) -> None:
    print(
        f"{what}: promised {promised:.0f}, counted {counted:.0f}, {promised / counted - 1:+.3f} +- {counted**-0.5:.3f}"
    )
    assert counted > 2500.0  # else its noise is above 2 %
    # merit's own bound; what it was when written is in the docstring
    assert abs(promised / counted - 1.0) < 0.2


def test_recount_of_the_promised_mutual_encounters(tmp_path: Path) -> None:
    """Two shells drawn together by their round trips: 1.1 % more promised than counted over a day, 1.8 % of it noise.

    The promise is for satellites that are 1 km rms off their frozen orbits; here the planes are. Limits: the half circle of the
    miss distance is taken as a normal distribution (1.4 % where two shells are at one altitude), and the noise of the count.
    """
    path = tmp_path / "mutual.toml"
    path.write_text(
        COPRIME
        + """
        [[objectives]]
        minimise = "round_trip_ms"
        [[constraints]]
        quantity = "clearance_km"
        at_most = -1
        [[reports]]
        quantity = "mutual_conjunctions_per_year"
        [background]
        miss_distance_km = 2
        """,
        encoding="utf-8",
    )
    result = cj.tune(path)

    def banded(shell: cj.Shell) -> cj.Shell:
        """Planes at altitudes spread normally by 1 km rms, not in their order."""
        planes = shell.pattern.planes
        off = ndtri((np.arange(planes) + 0.5) / planes)
        off = np.random.default_rng(3).permutation(off / off.std())
        return shell.replace(plane_altitudes_km=(shell.orbit.altitude_km + off).tolist())

    cj.write_shells([banded(shell) for shell in result.shells], tmp_path / "tuned.toml")
    one, other = (
        states(cj.shells_to_catalog(shell, epoch=EPOCH), 1.0) for shell in cj.load_shells(tmp_path / "tuned.toml")
    )
    counted = float(approaches(one, other, jnp.asarray(2.0)).sum())
    said("mutual", promised_per_day(result, "mutual_conjunctions_per_year"), counted)


def test_recount_of_the_promised_background(tmp_path: Path) -> None:
    """Two tuned shells among the whole bundled population: 0.1 % fewer promised than counted over a day, 1.3 % of it noise.

    Limits: the noise of the count (4,184 and 1,427 approaches), and the population's smoothing over altitude by 2.8 km rms, which
    a miss distance of 10 km hides and one of 1 km would not.
    """
    path = tmp_path / "background.toml"
    objective = '[[objectives]]\nminimise = "background_conjunctions_per_year"\n[background]\nmiss_distance_km = 10\n'
    path.write_text(COPRIME + objective, encoding="utf-8")
    result = cj.tune(path)
    cj.write_shells(result.shells, tmp_path / "tuned.toml")
    population = cj.bundled_population()
    radial_km = (population.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM) * population.eccentricity
    counted = 0.0
    for shell in cj.load_shells(tmp_path / "tuned.toml"):
        # 10 km of miss distance, and up to 16 km between orbits of one altitude and different inclinations
        near = population[np.abs(population.mean_altitude_km - shell.orbit.altitude_km) < radial_km + 30.0]
        one, other = states(cj.shells_to_catalog(shell, epoch=EPOCH), 1.0), states(near, 1.0)
        counted += float(approaches(one, other, jnp.asarray(10.0)).sum())
    said("background", promised_per_day(result, "background_conjunctions_per_year"), counted)
