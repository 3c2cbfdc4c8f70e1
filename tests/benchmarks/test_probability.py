"""Rate of collision probabilities, and how well predicted deviations hold at dates they were not made from. Prints figures.

python -m pytest -m benchmark -s tests/benchmarks/test_probability.py
"""

import itertools
import runpy
from pathlib import Path
from time import perf_counter, process_time

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.encounters.probabilities import EncounterStates, evaluate_tiles, figures
from constellation_jax.inputs.conjunctions.age_table import CLASSES, classify, load_age_table
from constellation_jax.physics.conjunctions.encounter import project_on_plane, ric_axes
from constellation_jax.physics.conjunctions.probability import collision_probability
from constellation_jax.studies.conjunctions.history import differences_of_sets, scatter_of_objects

COUNT = 1_000_000
_CHI2_68 = 3.526
"""Square of the radius within which a normal vector of three lies by 68.27 %."""


def probabilities(*encounters):
    """Probabilities alone, of a tile."""

    def one(r1, v1, r2, v2, c1, c2, radius):
        axes_1, axes_2 = ric_axes(r1, v1), ric_axes(r2, v2)
        covariance = axes_1.T @ c1 @ axes_1 + axes_2.T @ c2 @ axes_2
        return collision_probability(project_on_plane(r2 - r1, v2 - v1, covariance), radius)

    return (jax.vmap(one, in_axes=-1)(*encounters),)


@pytest.mark.benchmark
def test_probabilities_a_second() -> None:
    rng = np.random.default_rng(0)
    position = rng.normal(size=(3, COUNT))
    position *= 7000.0 / np.linalg.norm(position, axis=0)
    velocity = [7.5 * np.cross(position.T, rng.normal(size=(COUNT, 3))).T / 7000.0 for _ in range(2)]
    covariance = np.zeros((3, 3, COUNT))
    covariance[[0, 1, 2], [0, 1, 2]] = (rng.uniform(0.05, 0.5, (3, COUNT)) * [[1.0], [5.0], [1.0]]) ** 2
    states = EncounterStates(
        position,
        velocity[0],
        position + rng.normal(size=(3, COUNT)),
        velocity[1],
        covariance,
        covariance,
        np.full(COUNT, 0.01),
    )
    devices = Devices()
    part = EncounterStates(*(v[..., : COUNT // 10] for v in states))
    for name, given, function in (("pc alone", states, probabilities), ("all figures", part, figures)):
        evaluate_tiles(function, given, devices)
        start = np.array([perf_counter(), process_time()])
        evaluate_tiles(function, given, devices)
        rate, of_processors = len(given.radius) / (np.array([perf_counter(), process_time()]) - start) / 1e6
        print(f"\n{name}: {rate:.2f} M/s, {of_processors:.2f} M/s of a processor")


@pytest.mark.benchmark
def test_class_table_at_other_dates(shared_data: Path) -> None:
    """Held by the bundled table, by class and age; and by one that is fitted to later sets of even days, of those of odd days."""
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "build_element_errors.py"))
    catalogs = [shared_data / "catalogs" / f"active_2026-08-{name}.gz" for name in ("19.tle", "22.omm.csv")]
    many, few = script["read_differences"]([*catalogs, *sorted((shared_data / "series").glob("*.tle.gz"))])
    is_even = many.day % 2 == 0
    refitted = script["fit_table"](many.part(is_even), few)
    edges = (1.4, 2.8, 5.5)
    for name, table, found in (("bundled", load_age_table(), many), ("held-out days", refitted, many.part(~is_even))):
        sigma = table.at(found.classes, found.age_days)
        ratio = found.ric_km / sigma
        held, inside = np.abs(ratio) <= 1.0, (ratio**2).sum(axis=1) <= _CHI2_68
        for c, label in enumerate(CLASSES):
            for low, high in [(1.0, 6.0), *itertools.pairwise(edges)]:
                chosen = (found.classes == c) & (found.age_days >= low) & (found.age_days < high)
                fractions = 100.0 * held[chosen].mean(axis=0)
                parts = " ".join(f"{v:3.0f}" for v in (*fractions, 100.0 * inside[chosen].mean()))
                print(f"{name:<14}{label:<16}{low:g}-{high:g} d {chosen.sum():6d} pairs: R I C ellipsoid {parts} %")
                if low == 1.0 and name == "bundled":
                    assert ((fractions > 60.0) & (fractions < 76.0)).all(), label


@pytest.mark.benchmark
def test_predicted_deviations_at_other_dates(shared_data: Path) -> None:
    """68 % is what a deviation should hold: of each object alone, with its own scatter from every other month."""
    for path in sorted((shared_data / "series").glob("*.tle.gz")):
        history = cj.read_catalog(path)[-1500:]
        is_fitted = (history.epoch_day // 30) % 2 == 0
        own = scatter_of_objects(history[is_fitted])
        others = history[~is_fitted]
        found = differences_of_sets(others)
        sigma = load_age_table().at(classify(others.name, others.mean_altitude_km)[found.later], found.age_days)
        scaled = sigma * own[int(history.norad_id[0])]
        size = np.abs(found.ric_km)
        parts = [" ".join(f"{100 * v:.0f}" for v in (size <= s).mean(axis=0)) for s in (sigma, scaled)]
        print(f"\n{path.name}: {len(size)} pairs, held by class {parts[0]} %, by own scatter {parts[1]} %")
