"""The term of a tuning that is screened: its gradient, what it says of orbits that move, and a shell that leaves a crowd."""

from collections.abc import Callable
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening.refine import approach
from constellation_jax.engine.screening.state_lists import StateLists
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.physics.conjunctions.moved_encounter import is_within, miss_squared, move_state
from constellation_jax.studies.tuning.design import make_design
from constellation_jax.studies.tuning.encounters import EncounterScreener, count_encounters
from constellation_jax.studies.tuning.objective import make_screener, make_surroundings
from constellation_jax.studies.tuning.problem import CompiledProblem

PROBLEM = """system = "S"
[[shells]]
name = "A"
altitude_km = 552
inclination_deg = 50
planes = 4
satellites_per_plane = 12
[[shells]]
name = "B"
altitude_km = 548
inclination_deg = 70
planes = 4
satellites_per_plane = 6
[[variables]]
altitude_km = [480, 640]
shells = ["A"]
[[objectives]]
minimise = "encounters_per_day"
[background]
catalog = "none"
[encounters]
within_km = 15
reach_km = 15
days = 0.25
every = 4
"""


@pytest.fixture(scope="module")
def crowd(catalog_of: Callable[..., cj.Catalog]) -> cj.Catalog:
    """Four hundred objects within some kilometres of 550 km."""
    rng = np.random.default_rng(3)
    orbits = [(15.055 + 0.002 * rng.standard_normal(), 0.0006, i, 0.0) for i in rng.uniform(30, 120, 400)]
    return catalog_of(orbits, rng, epoch_day=61109, epoch_fraction=0.0)


@pytest.fixture(scope="module")
def problem(tmp_path_factory: pytest.TempPathFactory) -> cj.TuningProblem:
    path = tmp_path_factory.mktemp("encounters") / "crowd.toml"
    path.write_text(PROBLEM)
    return load_tuning_problem(path)


@pytest.fixture(scope="module")
def screener(problem: cj.TuningProblem, crowd: cj.Catalog) -> EncounterScreener:
    found = make_screener(problem, crowd)
    assert found is not None
    return found


def test_count_and_its_gradient(problem: cj.TuningProblem, screener: EncounterScreener) -> None:
    """The count is that of the events, smoothed; the gradient that of differences, with the pairs held."""
    base = make_design(problem.shells)
    found = screener.screen(base)
    surroundings = make_surroundings(problem)._replace(encounters=found)
    compiled = CompiledProblem(problem, base, surroundings)
    start = compiled.coordinates.find_start(base)
    at = compiled.evaluate(start)
    inside = np.sqrt(((found.states[1, 0] - found.states[0, 0]) ** 2).sum(axis=0)) <= 15.0
    shares = found.shells.sum(axis=(0, 1))
    hard = (inside * found.counts * (shares > 0)).sum() / 0.25  # each once: halves of two shells, wholes of one
    assert hard > 200
    assert at.objectives[0] == pytest.approx(hard, rel=4.0 / np.sqrt(hard * 0.25))
    step = 1e-4
    low, high = (compiled.evaluate(start + sign * step) for sign in (-1.0, 1.0))
    assert at.gradient[0] == pytest.approx((high.objective - low.objective) / (2 * step), rel=1e-5)
    # twice the satellites of both shells meet twice what flies, and four times each other
    double = base._replace(planes=2.0 * base.planes)
    more, once = (np.asarray(count_encounters(found, d, problem)) for d in (double, base))
    assert ((more > 2.0 * once) & (more < 4.0 * once)).all()


def test_an_orbit_that_moves_passes_as_far_as_is_said(problem: cj.TuningProblem, crowd: cj.Catalog) -> None:
    """Misses of satellites put 2 km higher, and tilted by 0.02 degrees, where they were, by SGP4 against the model.

    To 30 m: what J2 makes of an orbit within a revolution changes a little with the orbit.
    """
    shell = shells_to_catalog(problem.shells[:1], epoch="2026-03-10")
    objects = cj.Catalog.concatenate([shell, crowd])
    events = cj.conjunctions(objects, ("2026-03-10", "6h"), 15.0, primaries=np.arange(len(objects)) < len(shell))
    events = events.isel(event=np.flatnonzero((events.object_2 >= len(shell)) & (events.status == 0))[:40])
    assert events.sizes["event"] == 40
    for up, tilt in ((2.0, 0.0), (0.0, 0.02)):
        # a set at the encounter itself: the angles there are what stays
        one, other = (objects[events[f"object_{k}"].values] for k in (1, 2))
        seconds = events.seconds.values
        a = 6378.137 + one.mean_altitude_km
        moved = one.replace(
            mean_motion_rev_per_day=one.mean_motion_rev_per_day * ((a + up) / a) ** -1.5,
            inclination_deg=one.inclination_deg + tilt,
        )
        angles = angles_at(moved, seconds), angles_at(one, seconds)
        moved = moved.replace(
            mean_anomaly_deg=moved.mean_anomaly_deg - (angles[0][0] - angles[1][0]),
            raan_deg=moved.raan_deg - (angles[0][1] - angles[1][1]),
        )
        both = cj.Catalog.concatenate([moved, other])
        lists = StateLists(both.elements, 61109, 0.0, Devices("cpu"))
        n = np.arange(40, dtype=np.int32)
        real = approach(lists, n, n + 40, seconds, 5.0).distance
        r1, v1, r2, v2 = (events[name].values for name in ("position_1", "velocity_1", "position_2", "velocity_2"))
        said = []
        for k in range(40):
            h = np.cross(r1[k], v1[k])
            node = np.array([-h[1], h[0], 0.0]) / np.hypot(h[0], h[1])
            r, v = move_state(r1[k], v1[k], node, jnp.asarray(up), jnp.asarray(np.radians(tilt)))
            said.append(float(jnp.sqrt(miss_squared(r2[k] - r, v2[k] - v))))
        change = np.array(said) - events.miss_distance.values
        assert np.abs(change).max() > 0.5
        np.testing.assert_allclose(said, real, rtol=0, atol=0.03)


def angles_at(catalog: cj.Catalog, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean argument of latitude and node at instants by the states, deg, from ascending node and angle in the orbit."""
    lists = StateLists(catalog.elements, 61109, 0.0, Devices("cpu"))
    states = lists.at(np.arange(len(catalog)), seconds)
    h = np.cross(states.position, states.velocity, axis=0)
    node = np.degrees(np.arctan2(h[0], -h[1]))
    unit = np.array([-h[1], h[0], 0.0 * h[0]]) / np.hypot(h[0], h[1])
    across = np.cross(h / np.linalg.norm(h, axis=0), unit, axis=0)
    angle = np.degrees(np.arctan2((states.position * across).sum(axis=0), (states.position * unit).sum(axis=0)))
    return angle, node


def test_a_smooth_count_keeps_its_mean() -> None:
    """Over the plane it counts as the disc does, to softness / within * exp(-within / (2 softness)): 1.6 % here."""
    squares = np.linspace(0.0, 4000.0, 400_001)
    area = np.pi * np.trapezoid(np.asarray(is_within(jnp.asarray(squares), 10.0, 2.0)), squares)
    assert area == pytest.approx(np.pi * 100.0, rel=0.035)


def test_a_shell_leaves_a_crowd(problem: cj.TuningProblem, crowd: cj.Catalog) -> None:
    result = cj.tune(problem, background=crowd)
    before, after = (
        result.dataset[name].sel(shell="A").item() for name in ("encounters_per_day_before", "encounters_per_day")
    )
    assert before > 200
    assert after < 0.02 * before
    assert abs(result.shells[0].orbit.altitude_km - 550.0) > 25.0
    assert result.status == "converged"
    assert "screened" in result.message


def test_what_cannot_be_screened_is_said(problem: cj.TuningProblem, crowd: cj.Catalog, tmp_path: Path) -> None:
    for old, new, said in (
        ("reach_km = 15", "reach_km = 40", "make 69.2 km, expected 50 km at most"),
        ("within_km = 15", "within_km = -1", "within_km: found -1, expected a number above 0"),
        ("every = 4", "every = 4\n[solver]\nmethod = 'adam'", "found method 'adam', expected slsqp or trust-constr"),
        ("every = 4", "evry = 4", "evry"),
    ):
        path = tmp_path / "wrong.toml"
        path.write_text(PROBLEM.replace(old, new))
        with pytest.raises(cj.InputError, match=said):
            cj.tune(path, background=crowd)
    alone = PROBLEM[: PROBLEM.index('[[shells]]\nname = "B"')] + PROBLEM[PROBLEM.index("[[variables]]") :]
    path.write_text(alone)
    with pytest.raises(cj.InputError, match="encounters_per_day of one shell needs a background catalogue"):
        cj.tune(path)
