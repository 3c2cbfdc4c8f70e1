"""Tuning: optima against a grid and across solvers, multipliers and sensitivities against differences, whole numbers, refusals."""

import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import constellation_jax as cj
from constellation_jax.cli import app
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.inputs.tuning.terms import TERMS
from constellation_jax.outputs.variables import VARIABLES
from constellation_jax.studies.tuning.design import make_design
from constellation_jax.studies.tuning.figures import name_variable
from constellation_jax.studies.tuning.objective import list_assumptions, make_surroundings
from constellation_jax.studies.tuning.problem import CompiledProblem
from constellation_jax.studies.tuning.solvers import compute_multipliers

PART = 5e-3
"""Of an optimum: how near to that of a fine grid it has to be."""
SHELL = """
[[shells]]
name = "A"
altitude_km = 500
inclination_deg = 45
planes = 12
satellites_per_plane = 20
min_elevation_deg = 20
"""
LOWER = """
[[variables]]
altitude_km = [250, 600]
[[variables]]
inclination_deg = [25, 70]
[[objectives]]
minimise = "round_trip_ms"
[[constraints]]
name = "coverage"
quantity = "mean_in_view"
latitude_deg = [20, 40]
at_least = 1.2
"""


def study_of(folder: Path, text: str, name: str = "study") -> cj.TuningProblem:
    path = folder / f"{name}.toml"
    path.write_text(f'system = "S"\n{text}', encoding="utf-8")
    return load_tuning_problem(path)


def problem_of(study: cj.TuningProblem) -> CompiledProblem:
    return CompiledProblem(study, make_design(study.shells), make_surroundings(study))


def numbers(result: cj.TuneResult) -> dict[str, float]:
    d = result.dataset
    return dict(zip(d.variable.values.tolist(), d.variable_value.values.tolist(), strict=True))


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> cj.TuneResult:
    """The optimum of the study that most tests are about."""
    return cj.tune(study_of(tmp_path_factory.mktemp("lower"), SHELL + LOWER))


@pytest.mark.slow
def test_optimum_of_two_variables_is_that_of_a_fine_grid(tmp_path: Path, lower: cj.TuneResult) -> None:
    result = lower
    assert result.status == "converged"
    problem = problem_of(study_of(tmp_path, SHELL + LOWER))
    axis = np.linspace(0.0, 1.0, 71)
    points = np.array(np.meshgrid(axis, axis)).reshape(2, -1).T  # 5 km by 0.64 degrees
    f, g = values_at(problem, points)
    best = f[(g >= 0.0).all(axis=1)].min()
    print(f"grid {best:.6f}, tuned {result.objective:.6f}, {result.evaluations} evaluations")
    assert result.objective <= best * (1.0 + PART)
    assert result.dataset.attrs["violation"] <= 1e-6
    # the objective alone decides the altitude: it is the one of the constraint
    assert result.dataset.constraint_multiplier.values.max() > 0.0


def values_at(problem: CompiledProblem, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import jax

    found = jax.jit(jax.vmap(lambda x: problem.compute_merit(x, problem.frame)))(points)
    return np.asarray(found[0]), np.asarray(found[1])


@pytest.mark.slow
@pytest.mark.parametrize("method", ["trust-constr", "adam", "lbfgs"])
def test_solvers_agree(tmp_path: Path, lower: cj.TuneResult, method: str) -> None:
    other = cj.tune(study_of(tmp_path, SHELL + LOWER), method=method, starts=2 if method == "adam" else None)
    assert other.objective == pytest.approx(lower.objective, rel=PART)
    assert numbers(other) == pytest.approx(numbers(lower), rel=0.02)
    assert other.status == "converged"


@pytest.mark.slow
def test_multiplier_is_the_price_of_the_limit(tmp_path: Path, lower: cj.TuneResult) -> None:
    """The optimum for limits a little higher and lower moves as the multiplier says."""
    step = 0.01
    optima = [
        cj.tune(study_of(tmp_path, SHELL + LOWER.replace("1.2", f"{1.2 + s}"), f"at{s}")).objective
        for s in (step, -step)
    ]
    price = (optima[0] - optima[1]) / (2.0 * step)
    assert float(lower.dataset.objective_by_limit.sum()) == pytest.approx(price, rel=0.01)


def test_sensitivities_are_derivatives(tmp_path: Path) -> None:
    study = study_of(tmp_path, SHELL + LOWER)
    problem = problem_of(study)
    point = np.array([0.4, 0.6])
    at = problem.evaluate(point)
    for k, row in enumerate(("altitude_km", "inclination_deg")):
        step = np.zeros(2)
        step[k] = 1e-5
        high, low = problem.evaluate(point + step), problem.evaluate(point - step)
        free = problem.coordinates.free[k]
        assert at.gradient[k] == pytest.approx((high.objective - low.objective) / 2e-5, rel=1e-6, abs=1e-8)
        assert at.jacobian[:, k] == pytest.approx((high.constraints - low.constraints) / 2e-5, rel=1e-6, abs=1e-8)
        unit = (free.high - free.low) * 2e-5
        by_rows = at.rows_by_design[:, ["altitude_km", "inclination_deg"].index(row), 0]
        assert by_rows == pytest.approx((high.rows - low.rows) / unit, rel=1e-6, abs=1e-9)


FEWER = """
[[variables]]
satellites_per_plane = [4, 60]
[[variables]]
inclination_deg = [25, 70]
[[objectives]]
minimise = "satellites"
[[constraints]]
quantity = "mean_in_view"
latitude_deg = [20, 40]
at_least = 1.2
"""


@pytest.mark.slow
def test_whole_numbers_are_the_fewest_that_serve(tmp_path: Path) -> None:
    study = study_of(tmp_path, SHELL + FEWER)
    result = cj.tune(study)
    shell = result.shells[0]
    assert isinstance(shell.pattern.per_plane, int)
    assert result.dataset.constraint_margin.min() >= -1e-6
    problem = problem_of(study)
    one_less = problem.coordinates.to_coordinate(0, shell.pattern.per_plane - 1)
    points = np.column_stack([np.full(181, one_less), np.linspace(0.0, 1.0, 181)])
    assert not (values_at(problem, points)[1] >= 0.0).all(axis=1).any()


def test_sweep_is_the_study_over_again(tmp_path: Path) -> None:
    sweep = '[sweep]\nconstraint = "coverage"\nlimits = [1.0, 1.2, 50]\n'
    d = cj.tune(study_of(tmp_path, SHELL + LOWER + sweep)).dataset
    alone = cj.tune(study_of(tmp_path, SHELL + LOWER.replace("1.2", "1.0"), "alone"))
    assert float(d.sweep_objective[0]) == pytest.approx(alone.objective, rel=1e-4)
    assert float(d.sweep_objective[1]) == pytest.approx(d.attrs["objective"], rel=1e-4)
    assert d.sweep_status.values.tolist() == [0, 0, 2]
    assert np.isnan(d.sweep_round_trip[2]).all()
    assert d.sweep_mean_in_view.dims == ("sweep", "latitude")


def test_constraints_that_cannot_be_met_together(tmp_path: Path) -> None:
    text = SHELL + LOWER.replace("1.2", "3")
    with pytest.raises(
        cj.InputError, match=r"cannot be met together: at the best point coverage at [24]0 degrees is 2\.8\d+"
    ) as caught:
        cj.tune(study_of(tmp_path, text))
    assert "off its limit of at least 3" in str(caught.value)
    assert "altitude_km of 'A' 600" in str(caught.value)  # the highest sees most
    assert "\n" not in str(caught.value)


def test_a_variable_that_nothing_depends_on(tmp_path: Path) -> None:
    text = SHELL + LOWER + "[[variables]]\nphasing = [0, 11]\n"
    with pytest.raises(
        cj.InputError, match="variable phasing of 'A': neither an objective nor a constraint depends on it"
    ):
        cj.tune(study_of(tmp_path, text))


def test_what_is_not_finite_is_named(tmp_path: Path) -> None:
    problem = problem_of(study_of(tmp_path, SHELL + LOWER))
    base = problem.frame.base._replace(min_elevation_deg=np.array([np.nan]))
    with pytest.raises(
        cj.InputError, match=r"round_trip_ms of 'A', or its derivative, is not finite at altitude_km 425"
    ):
        problem.evaluate(np.array([0.5, 0.5]), problem.frame._replace(base=base))


FREE = """
[[variables]]
inclination_deg = [25, 70]
[[objectives]]
maximise = "mean_in_view"
latitude_deg = [40]
[[reports]]
quantity = "lifetime_years"
"""


def test_an_optimum_that_nothing_holds_has_no_residual(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Satellites in view at 40 degrees, by inclination: the largest of a fine grid, at a gradient of nothing."""
    study = study_of(tmp_path, SHELL + FREE.partition("[[reports]]")[0])
    result = cj.tune(study)
    problem = problem_of(study)
    grid = np.linspace(0.0, 1.0, 901)
    best = 25.0 + 45.0 * grid[np.argmin(values_at(problem, grid[:, None])[0])]
    assert abs(result.shells[0].orbit.inclination_deg - best) < 0.1
    assert result.status == "converged"
    assert result.dataset.attrs["kkt_residual"] < 1e-3
    # half a degree off, the residual says so
    off = problem.coordinates.to_coordinate(0, best + 0.5)
    at = problem.evaluate(np.array([off]))
    amount = problem.measure_objectives(at, problem.frame)
    assert amount == pytest.approx(abs(at.objective))
    assert compute_multipliers(at, np.array([off]), np.ones(1, bool), amount)[1] > 1e-3
    assert not caplog.records


def test_a_tuning_that_did_not_converge_ends_with_3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.tune"], "configure", lambda **_: None)
    path = tmp_path / "short.toml"
    path.write_text(
        f'system = "S"\n{SHELL}{FREE.partition("[[reports]]")[0]}[solver]\niterations = 1\n', encoding="utf-8"
    )
    done = CliRunner().invoke(app, ["tune", str(path), "--output", str(tmp_path / "out.nc")])
    assert done.exit_code == 3, done.output
    assert (
        "warning: the tuning did not converge: Iteration limit reached; the best point seen is written" in done.output
    )
    assert (tmp_path / "out.nc").exists()
    assert (tmp_path / "out.toml").exists()


def test_what_a_problem_assumes_is_said(tmp_path: Path) -> None:
    study = study_of(tmp_path, SHELL + FREE)
    assert [note.partition(":")[0] for note in list_assumptions(study)] == ["A", "A"]
    with pytest.raises(
        cj.InputError, match=r"A: neither a ballistic coefficient .*; give a ballistic coefficient, or allow"
    ):
        cj.tune(study, strict=True)
    with pytest.raises(cj.InputError, match="starts 1000000: expected 1 to 1,024"):
        cj.tune(study, starts=1_000_000)
    with pytest.raises(cj.InputError, match="time 'soon'"):
        cj.tune(study, start="soon")


def test_optax_is_asked_for_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optax", None)
    with pytest.raises(cj.InputError, match=r"method 'adam': needs the package optax; install it with pip install"):
        cj.tune(study_of(tmp_path, SHELL + LOWER), method="adam")


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    with pytest.raises(cj.InputError, match=r"method 'slsq': expected one of .*did you mean 'slsqp'"):
        cj.tune(study_of(tmp_path, SHELL + LOWER), method="slsq")


CLOSED = """
[[variables]]
altitude_km = [400, 900]
[[variables]]
inclination_deg = [30, 80]
[[objectives]]
minimise = "round_trip_ms"
[[constraints]]
quantity = "coverage_margin_deg"
latitude_deg = [20, 40]
at_least = 0.4
[[reports]]
quantity = "max_revisit_minutes"
latitude_deg = [20, 40]
"""


@pytest.mark.slow
def test_continuous_coverage(tmp_path: Path) -> None:
    """The lowest shell that leaves no gap leaves none, and one 10 km lower is short of the margin at every inclination."""
    study = study_of(tmp_path, SHELL + CLOSED)
    result = cj.tune(study)
    d, shell = result.dataset, result.shells[0]
    print(shell.orbit, d.max_revisit)
    assert d.max_revisit.sel(shell="A", latitude=[20, 40]).values.tolist() == [0.0, 0.0]
    assert d.max_revisit_before.max() > 0.1
    problem = problem_of(study)
    points = np.column_stack(
        [np.full(51, problem.coordinates.to_coordinate(0, shell.orbit.altitude_km - 10.0)), np.linspace(0.0, 1.0, 51)]
    )
    assert not (values_at(problem, points)[1] >= 0.0).all(axis=1).any()


def test_tuned_shells_are_a_shell_file(tmp_path: Path, lower: cj.TuneResult) -> None:
    result = lower
    cj.write_shells(result.shells, tmp_path / "tuned.toml", title="t")
    again = cj.load_shells(tmp_path / "tuned.toml")
    assert again == list(result.shells)
    assert again[0].orbit.altitude_km == pytest.approx(numbers(result)["altitude_km of 'A'"], rel=1e-12)
    with pytest.raises(cj.InputError, match="exists"):
        cj.write_shells(result.shells, tmp_path / "tuned.toml")
    for name in ("guowang:flown", "starlink:gen2-flown", "chutian"):
        shells = cj.load_shells(name)
        cj.write_shells(shells, tmp_path / "all.toml", overwrite=True)
        back = cj.load_shells(tmp_path / "all.toml")
        assert [(s.name, s.total, s.orbit) for s in back] == [(s.name, s.total, s.orbit) for s in shells]


REPORTED = """
[common]
mass_kg = 300
thrust_mn = 20
[[reports]]
quantity = "duty_cycle_peak"
shells = ["B"]
[[reports]]
quantity = "probability_in_view"
latitude_deg = [30, 20]
[[reports]]
quantity = "probability_in_view"
latitude_deg = [20]
at_least_in_view = 6
[[reports]]
quantity = "mean_in_view"
demand = "area"
[solar]
scenarios = ["low", "high"]
start = "2027-01-01"
years = 1
"""


def test_figures_are_variables_with_units_and_dimensions(tmp_path: Path) -> None:
    second = SHELL.replace('"A"', '"B"').replace("500", "450")
    d = cj.tune(study_of(tmp_path, SHELL + second + LOWER + REPORTED)).dataset
    peak = d.duty_cycle_peak
    assert (peak.dims, peak.shape, peak.units) == (("solar", "shell"), (2, 2), "1")
    low, high = (float(peak.sel(solar=solar, shell="B")) for solar in ("low", "high"))
    assert 0.0 < low < high
    assert np.isnan(peak.sel(shell="A")).all()  # not asked for
    assert d.round_trip.dims == d.round_trip_before.dims == ("shell",)
    assert (d.mean_altitude.dims, d.mean_altitude.units) == (("shell",), "km")
    assert d.mean_altitude_before.values.tolist() == [500.0, 450.0]
    assert (d.objective_by_mean_altitude.units, d.constraint_by_inclination.dims) == ("km-1", ("constraint", "shell"))
    assert d.latitude.values.tolist() == [20.0, 30.0, 40.0]
    chance, of_six = d.probability_in_view, d.probability_in_view_2
    assert (chance.attrs["at_least_in_view"], of_six.attrs["at_least_in_view"]) == (1, 6)
    assert np.isfinite(chance.sel(latitude=[20, 30])).all()
    assert float(of_six.sel(latitude=20)) < float(chance.sel(latitude=20))
    assert np.isnan(chance.sel(latitude=40))
    assert d.mean_in_view.dims == ("latitude",)
    assert (d.mean_in_view_2.dims, d.mean_in_view_2.attrs["demand"]) == ((), "area")
    assert d.solar.values.tolist() == ["low", "high"]


def test_variables_are_those_of_every_dataset() -> None:
    """Names have no units, and a name has the same unit in every dataset."""
    assert [name_variable(key) for key in ("altitude_km", "delta_v_m_s_per_year", "satellites")] == [
        "mean_altitude",
        "delta_v",
        "satellites",
    ]
    for key, kind in TERMS.items():
        known = VARIABLES.get(name_variable(key))
        assert known is None or known.units == ("day" if kind.units == "year" else kind.units), key
