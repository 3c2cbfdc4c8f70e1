"""Where interpolation between Chebyshev nodes is worth it."""

import numpy as np
import pytest

from constellation_jax.engine.propagation.node_count import (
    CHECK_COST,
    LAST,
    MOST_NODES,
    NODE_COST,
    RAD_PER_MINUTE,
    choose_order,
    coefficient_sizes,
    may_suffice,
    most_nodes,
    spread_of,
)
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
    order, _ = choose_order(size, INSTANTS, TOLERANCE_KM)
    assert (order > 0).all()
    for column, nodes in enumerate(order):
        assert size[nodes:, column].sum() <= 0.25 * TOLERANCE_KM


def test_slowly_falling_coefficients_and_forbidden_satellites_are_evaluated() -> None:
    size = np.concatenate([geometric(1e-4), geometric(0.5), np.full((64, 1), np.inf)], axis=1)
    order, rough_from = choose_order(size, INSTANTS, TOLERANCE_KM)
    assert order.tolist() == [order[0], 0, 0]
    assert order[0] > 0
    assert rough_from.tolist() == [rough_from[0], 0.0, 0.0]


def test_a_chunk_is_rough_when_its_last_coefficients_let_the_error_reach_the_tolerance() -> None:
    size = geometric(1e-4)
    (order,), (rough_from,) = choose_order(size, INSTANTS, TOLERANCE_KM)
    growth = rough_from / size[order - LAST : order, 0].sum()
    assert growth == pytest.approx(min(0.5 * TOLERANCE_KM / size[order:, 0].sum(), 10.0))


@pytest.mark.parametrize("eccentricity", [0.0, 0.001, 0.02])
def test_nobody_is_ruled_out_who_could_be_interpolated(eccentricity: float) -> None:
    """Orbits over ever longer chunks: whoever has a choice of nodes has passed the quick look before it."""
    to_coefficients = chebyshev.coefficients(64)
    half_span = np.geomspace(2e-3, 1500.0, 300)  # minutes
    angle = RAD_PER_MINUTE["low orbit"] * half_span
    a = np.array([6878.0])
    for tolerance in (TOLERANCE_KM, 1e-4, 1e-2):
        chosen = []
        for span, turned in zip(half_span, angle, strict=True):
            spread = spread_of(span, tolerance, deep=False)
            anomaly = 1.0 + turned * chebyshev.spread(chebyshev.nodes(64), spread)[:, None]
            radius = a * (1.0 - eccentricity * np.cos(anomaly))
            size = coefficient_sizes(to_coefficients, [radius * np.cos(anomaly), radius * np.sin(anomaly)])
            chosen.append(choose_order(size, INSTANTS, tolerance)[0][0] > 0)
            passed = may_suffice(a, turned, INSTANTS, tolerance, spread)
            assert passed or not chosen[-1]
            assert not passed or turned < 48.0  # and it does rule out what is hopeless
        assert any(chosen)
