"""Screening of a thousand objects against brute force, at several steps, and its special cases."""

from typing import Any

import numpy as np
import pytest
from scipy.spatial import cKDTree

import constellation_jax as cj
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening import engine as screening_engine
from constellation_jax.engine.screening.bounds import Bounds
from constellation_jax.engine.screening.engine import CloseApproaches, ScreeningEngine
from constellation_jax.engine.screening.vectorised import Capacities, VectorisedPairSearch
from constellation_jax.inputs.times import to_day_fraction

START = np.datetime64("2026-03-10T04:00:00", "ns")
SPAN_S = 3000.0
SAMPLE_S = 10.0


def screen(catalog: cj.Catalog, **options: Any) -> CloseApproaches:
    day, fraction = to_day_fraction(np.array([START]))
    chosen = {"distance_km": 20.0} | options
    return ScreeningEngine(catalog.elements, int(day[0]), float(fraction[0]), SPAN_S, **chosen).screen()


def table(events: CloseApproaches, keep: Any = slice(None)) -> np.ndarray:
    """Pairs, times and distances of events, sorted."""
    met = events.encounters
    rows = np.stack([met.first, met.second, met.seconds, met.distance], axis=1)[keep]
    return rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]


@pytest.fixture(scope="module")
def crowd(catalog_of) -> cj.Catalog:
    """A thousand objects of all kinds: a crowded altitude, eccentric orbits through it, transfer orbits, GEO, Molniya."""
    rng = np.random.default_rng(7)

    def some(count: int, motion: tuple[float, float], e: tuple[float, float], i: tuple[float, float]) -> list:
        ends = (motion, e, i)
        return [(*(rng.uniform(*end) for end in ends), 1e-5) for _ in range(count)]

    kinds = [
        *some(700, (15.2, 15.23), (0.0, 0.002), (0, 180)),
        *some(200, (13.0, 15.5), (0.0, 0.08), (20, 110)),
        *some(60, (2.2, 2.4), (0.71, 0.735), (0, 65)),
        *some(30, (1.0, 1.005), (0.0, 0.001), (0, 5)),
        *some(10, (2.005, 2.007), (0.7, 0.72), (60, 65)),
    ]
    return catalog_of(kinds, rng, epoch_day=61108, epoch_fraction=0.8)


@pytest.fixture(scope="module")
def at_60(crowd) -> CloseApproaches:
    return screen(crowd, step_s=60.0)


def brute_force(catalog: cj.Catalog, distance_km: float) -> np.ndarray:
    """All minima of the distance of all pairs within the span: states every 10 s, cubic Hermite polynomials between (0.5 mm)."""
    times = START + (np.arange(0.0, SPAN_S + 1.0, SAMPLE_S) * 1e9).astype("timedelta64[ns]")
    states = cj.propagate(catalog, times, variables=("position", "velocity"))
    r, v = (
        np.stack([states[name].values for name in names], axis=-1) for names in (("x", "y", "z"), ("vx", "vy", "vz"))
    )
    reach = distance_km + 0.5 * SAMPLE_S * 22.4 + 1.0
    found = []
    u = np.linspace(-0.025, 1.025, 43)[
        :, None, None
    ]  # beyond both ends, so that a minimum there is found at least once
    h00, h10, h01, h11 = 2 * u**3 - 3 * u**2 + 1, u**3 - 2 * u**2 + u, 3 * u**2 - 2 * u**3, u**3 - u**2
    for k in range(len(times) - 1):
        middle = 0.5 * (r[k] + r[k + 1])
        gone = np.isnan(middle).any(axis=1)
        middle[gone] = 1e9 * (1.0 + np.arange(gone.sum()))[:, None]
        i, j = cKDTree(middle).query_pairs(reach, output_type="ndarray").T
        ends = [(r[n, j] - r[n, i], (v[n, j] - v[n, i]) * SAMPLE_S) for n in (k, k + 1)]
        path = h00 * ends[0][0] + h10 * ends[0][1] + h01 * ends[1][0] + h11 * ends[1][1]
        square = (path**2).sum(axis=2)
        at, pair = np.nonzero((square[1:-1] <= square[:-2]) & (square[1:-1] < square[2:]))
        left, here, right = (square[at + n, pair] for n in range(3))
        shift = 0.5 * (left - right) / (left - 2 * here + right)
        least = np.sqrt(np.maximum(here - 0.25 * (left - right) * shift, 0.0))
        seconds = (k + u[at + 1, 0, 0] + shift * (u[1, 0, 0] - u[0, 0, 0])) * SAMPLE_S
        found.append(np.stack([i[pair], j[pair], seconds, least], axis=1))
    rows = np.concatenate(found)
    return rows[np.lexsort((rows[:, 2], rows[:, 1], rows[:, 0]))]


def test_nothing_is_missed_and_nothing_invented(crowd, at_60):
    """Each minimum below the threshold by a metre is found, and nothing else above it by as much. 10 ms and 1 m are what samples
    every 10 s and a parabola through 0.5 s leave of relative speeds up to 17 km/s."""
    truth = brute_force(crowd, 20.0)
    own = table(at_60, ~(at_60.is_at_start | at_60.is_at_end))
    inner = (own[:, 2] > SAMPLE_S) & (own[:, 2] < SPAN_S - SAMPLE_S)
    assert inner.sum() > 300
    surely = truth[(truth[:, 3] < 19.999) & (truth[:, 2] > SAMPLE_S) & (truth[:, 2] < SPAN_S - SAMPLE_S)]
    for rows, others in ((surely, own), (own[inner], truth)):
        keys = {}
        for row in others:
            keys.setdefault((row[0], row[1]), []).append(row[2:])
        for row in rows:
            near = min(keys.get((row[0], row[1]), []), key=lambda other, t=row[2]: abs(other[0] - t), default=None)
            assert near is not None, row
            assert abs(near[0] - row[2]) < 0.01, (row, near)
            assert abs(near[1] - row[3]) < 1e-3, (row, near)


@pytest.mark.parametrize("step_s", [20.0, 30.0, 90.0, 120.0])
def test_the_step_does_not_change_the_list(crowd, at_60, step_s):
    own, other = table(at_60), table(screen(crowd, step_s=step_s))
    np.testing.assert_array_equal(own[:, :2], other[:, :2])
    np.testing.assert_allclose(own[:, 2], other[:, 2], rtol=0, atol=1e-5)
    np.testing.assert_allclose(own[:, 3], other[:, 3], rtol=0, atol=1e-6)


def test_pairs_that_do_not_count_are_left_out(crowd, at_60):
    own = table(at_60)
    wanted = own[(own[:, 0] < 10) | (own[:, 1] < 10)]
    found = table(screen(crowd, is_allowed=lambda first, second: (first < 10) | (second < 10)))
    np.testing.assert_array_equal(found[:, :2], wanted[:, :2])


@pytest.mark.parametrize("large", [1, 3])
def test_pairs_of_a_group_are_left_out(crowd, at_60, large):
    """Groups large enough for runs of their own, a small one, and objects in none; wide entries of all of them."""
    group = np.where(np.arange(len(crowd)) % 2, np.arange(len(crowd)) // 2 % large, -1).astype(np.int32)
    group[:8] = large
    own = table(at_60)
    one, other = (group[own[:, k].astype(int)] for k in range(2))
    wanted = own[(one != other) | (one < 0)]
    assert 100 < len(wanted) < len(own) - 20
    np.testing.assert_array_equal(table(screen(crowd, groups=group))[:, :2], wanted[:, :2])


@pytest.mark.slow  # two programs, eight seconds of a processor each
def test_the_form_for_accelerators_finds_the_same(crowd, monkeypatch):
    """With groups, from a capacity that overflows."""
    group = np.where(np.arange(len(crowd)) % 2, np.arange(len(crowd)) // 2 % 3, -1).astype(np.int32)
    options = {"step_s": 60.0, "groups": group, "devices": Devices("cpu")}
    wanted = table(screen(crowd, **options))
    made = []

    def make(*arguments: Any) -> VectorisedPairSearch:
        made.append(VectorisedPairSearch(*arguments, capacities=Capacities(64, 128)))
        return made[-1]

    monkeypatch.setattr(screening_engine, "PairSearch", make)
    found = table(screen(crowd, **options))
    np.testing.assert_array_equal(found[:, :2], wanted[:, :2])
    np.testing.assert_allclose(found[:, 2:], wanted[:, 2:], rtol=0, atol=1e-6)
    assert 64 < made[0].capacities.rectangles <= 8192
    assert made[0].capacities.found == 128


def test_an_accelerator_searches_itself(crowd):
    day, fraction = to_day_fraction(np.array([START]))
    devices = Devices("cpu", computes_grids=True)
    engine = ScreeningEngine(crowd.elements, int(day[0]), float(fraction[0]), 600.0, distance_km=5.0, devices=devices)
    assert isinstance(engine._search, VectorisedPairSearch)


def test_more_events_than_wanted_are_announced(crowd):
    day, fraction = to_day_fraction(np.array([START]))
    engine = ScreeningEngine(crowd.elements, int(day[0]), float(fraction[0]), SPAN_S, distance_km=20.0)
    with pytest.raises(OverflowError) as caught:
        engine.screen(most=10)
    assert int(caught.value.args[0]) > 300


def test_slow_pairs_are_one_event_each(catalog_of):
    """Two copies of one orbit, one that follows them at 3 km, one that oscillates about them at 15 m/s, and another orbit."""
    rng = np.random.default_rng(1)
    orbit = (15.5, 0.001, 51.6, 1e-5)
    base = catalog_of([orbit, orbit, orbit, (15.5, 0.001, 51.6 + 0.1, 1e-5), (15.5, 0.001, 120.0, 1e-5)], rng,
                      epoch_day=61109, epoch_fraction=0.0)  # fmt: skip
    angles = {name: np.full(5, getattr(base, name)[0]) for name in ("raan_deg", "arg_perigee_deg", "mean_anomaly_deg")}
    angles["mean_anomaly_deg"][2] += np.degrees(3.0 / 6790.0)
    events = screen(base.replace(**angles), distance_km=5.0)
    rows = {
        (int(a), int(b)): k
        for k, (a, b) in enumerate(zip(events.encounters.first, events.encounters.second, strict=True))
    }
    assert {(0, 1), (0, 2), (1, 2)} <= set(rows)
    for pair in ((0, 1), (0, 2), (1, 2)):
        k = rows[pair]
        assert events.together_s[k] == SPAN_S
        assert events.is_at_start[k]
        assert events.is_at_end[k]
    assert events.encounters.distance[rows[0, 1]] == 0.0
    assert events.encounters.distance[rows[0, 2]] == pytest.approx(3.0, abs=0.01)
    oscillating = [k for k in range(len(events.together_s)) if events.encounters.second[k] == 3]
    assert oscillating
    assert all(events.encounters.speed[k] > 0.01 for k in oscillating)
    assert not events.together_s[oscillating].any()


def test_an_object_counts_until_it_has_decayed(catalog_of):
    """A companion that comes down within the span is a pair before, and none after; one that fails at once is none at all."""
    rng = np.random.default_rng(2)
    falling = (16.6, 0.0001, 51.6, 0.02)
    catalog = catalog_of([falling, falling, (15.5, 0.0, 51.6, 0.0)], rng, epoch_day=61109, epoch_fraction=0.125)
    angles = {
        name: np.full(3, getattr(catalog, name)[0]) for name in ("raan_deg", "arg_perigee_deg", "mean_anomaly_deg")
    }
    angles["mean_anomaly_deg"][1] += np.degrees(2.0 / 6500.0)
    catalog = catalog.replace(**angles)
    times = START + (np.arange(0.0, SPAN_S, 60.0) * 1e9).astype("timedelta64[ns]")
    alive = (cj.propagate(catalog, times).status.values[:, :2] == 0).all(axis=1)
    assert alive.any() == (len(table(screen(catalog, distance_km=5.0))) > 0)
    found = screen(catalog, distance_km=5.0)
    assert (found.encounters.seconds <= 60.0 * (alive.sum() + 1)).all()


def test_bounds_hold_what_they_promise():
    """Of the numbers in the docs: what objects fall apart in steps of 60 and 120 s, and the speeds of unique minima."""
    usual = Bounds(5.0, 30.0)
    assert usual.linear_km == pytest.approx(5.0 + 0.05 + 0.05 + 0.32, abs=0.01)
    assert Bounds(5.0, 60.0).linear_km == pytest.approx(5.0 + 0.05 + 0.39 + 2.53, abs=0.01)
    assert usual.slow_speed_km_s == 0.05
    assert Bounds(50.0, 30.0).slow_speed_km_s > 0.08
    assert Bounds(5.0, 0.0).linear_km == pytest.approx(5.05)
