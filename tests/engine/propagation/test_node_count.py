"""Where interpolation between Chebyshev nodes is worth it."""

import numpy as np
import pytest

from constellation_jax.engine.propagation.node_count import (
    BEYOND,
    CHECK_COST,
    LAST,
    MOST_NODES,
    NODE_COST,
    choose_node_count,
    coefficient_sizes,
    limit_tail,
    may_suffice,
    most_nodes,
    node_spread,
)
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.physics.numerics import chebyshev

INSTANTS = 64
TOLERANCE_KM = 1e-6


def geometric(ratio: float, first_km: float = 7000.0, nodes: int = 64) -> np.ndarray:
    """Coefficients that fall by a ratio each, shape (nodes, 1)."""
    return (first_km * ratio ** np.arange(nodes))[:, None]


def test_more_nodes_are_never_worth_it_than_evaluating_each_instant() -> None:
    def cost(nodes: int, instants: int) -> float:
        return nodes / instants + NODE_COST * nodes + CHECK_COST

    for instants in (16, INSTANTS, 200):
        assert cost(most_nodes(instants), instants) <= 1.0
        assert most_nodes(instants) == MOST_NODES or cost(most_nodes(instants) + 1, instants) > 1.0
    assert most_nodes(4) < 4


def test_the_chosen_nodes_leave_out_less_than_a_quarter_of_the_tolerance() -> None:
    size = np.concatenate([geometric(1e-4), geometric(1e-3)], axis=1)
    count = choose_node_count(size, INSTANTS, TOLERANCE_KM)
    assert count > 0
    assert (size[count:].sum(axis=0) <= 0.25 * TOLERANCE_KM).all()
    assert limit_tail(size[count - LAST : count + BEYOND], TOLERANCE_KM)[0].all()


def test_slowly_falling_coefficients_and_forbidden_satellites_are_evaluated() -> None:
    size = np.concatenate([geometric(1e-4), geometric(0.5), np.full((64, 1), np.inf)], axis=1)
    count = choose_node_count(size, INSTANTS, TOLERANCE_KM)
    suffices, tail_limit = limit_tail(size[count - LAST : count + BEYOND], TOLERANCE_KM)
    assert count > 0
    assert suffices.tolist() == [True, False, False]
    assert tail_limit.tolist() == [tail_limit[0], 0.0, 0.0]
    assert choose_node_count(size[:, 2:], INSTANTS, TOLERANCE_KM) == 0


def test_what_lies_beyond_the_measured_coefficients_is_negligible() -> None:
    """The slowest fall that passes: a third each, see `BEYOND`."""
    size = geometric(1 / 3)
    left_out = np.cumsum(size[::-1, 0])[::-1]
    count = int(np.argmax(left_out <= 0.25 * TOLERANCE_KM))
    assert left_out[count + BEYOND] < 0.01 * TOLERANCE_KM


def test_a_chunk_is_rough_when_its_last_coefficients_let_the_error_reach_the_tolerance() -> None:
    size = geometric(1e-4)
    count = choose_node_count(size, INSTANTS, TOLERANCE_KM)
    part = size[count - LAST : count + BEYOND]
    growth = limit_tail(part, TOLERANCE_KM)[1][0] / part[:LAST].sum()
    assert growth == pytest.approx(min(0.5 * TOLERANCE_KM / part[LAST:].sum(), 10.0))


@pytest.mark.parametrize("eccentricity", [0.0, 0.001, 0.02])
def test_nobody_is_ruled_out_who_could_be_interpolated(eccentricity: float) -> None:
    """Orbits over ever longer chunks: whoever has a choice of nodes has passed the quick look before it."""
    to_coefficients = chebyshev.coefficients(64)
    half_span = np.geomspace(2e-3, 1500.0, 300)  # minutes
    angle = NearEarthRegime.node_rate * half_span
    a = np.array([6878.0])
    for tolerance in (TOLERANCE_KM, 1e-4, 1e-2):
        chosen = []
        for span, turned in zip(half_span, angle, strict=True):
            spread = node_spread(span, tolerance, NearEarthRegime.node_rate)
            anomaly = 1.0 + turned * chebyshev.spread(chebyshev.nodes(64), spread)[:, None]
            radius = a * (1.0 - eccentricity * np.cos(anomaly))
            size = coefficient_sizes(to_coefficients, [radius * np.cos(anomaly), radius * np.sin(anomaly)])
            chosen.append(choose_node_count(size, INSTANTS, tolerance) > 0)
            passed = may_suffice(a, turned, INSTANTS, tolerance, spread)
            assert passed or not chosen[-1]
            assert not passed or turned < 48.0  # and it does rule out what is hopeless
        assert any(chosen)
