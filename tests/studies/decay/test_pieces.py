"""Pieces of constant ballistic coefficient in histories, made with known changes."""

import numpy as np
import pytest

from constellation_jax.studies.decay.pieces import find_pieces, measure_noise


def history(
    coefficients: list[float], days: float = 20.0, noise_km: float = 0.02, scatter: float = 0.1, seed: int = 3
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two sets a day with so many days of each coefficient: dates, semi-major axes and the sinking at B = 1."""
    random = np.random.default_rng(seed)
    mjd = 60000.0 + np.arange(0.0, days * len(coefficients), 0.5)
    rate = -20.0 * (1.0 + 0.01 * (mjd - mjd[0]))  # km/day at B = 1, growing on the way down
    step = np.append(0.0, 0.5 * rate[1:])
    b = np.repeat(coefficients, len(mjd) // len(coefficients))
    density = 1.0 + scatter * random.standard_normal(len(mjd))  # what the model does not know
    a = 6778.0 + np.cumsum(b * density * step) + noise_km * random.standard_normal(len(mjd))
    return mjd, a, np.cumsum(step)


@pytest.mark.parametrize("seed", range(5))
def test_a_constant_coefficient_is_one_piece(seed: int) -> None:
    assert find_pieces(*history([0.01, 0.01, 0.01], seed=seed)) == [0]


@pytest.mark.parametrize("ratio", [0.25, 0.5, 2.0, 4.0])
def test_a_change_is_found_within_two_days(ratio: float) -> None:
    mjd, *rest = history([0.01, 0.01 * ratio])
    starts = find_pieces(mjd, *rest)
    assert len(starts) == 2
    assert abs(mjd[starts[1]] - 60020.0) <= 2.0


def test_three_attitudes_are_three_pieces() -> None:
    assert len(find_pieces(*history([0.01, 0.04, 0.015], days=15.0))) == 3


def test_a_change_as_small_as_the_errors_of_the_density_is_none() -> None:
    assert find_pieces(*history([0.01, 0.012])) == [0]


def test_a_cut_shorter_than_three_increments_and_a_rising_orbit_give_one_piece() -> None:
    mjd, a, integral = history([0.01], days=5.0)
    assert find_pieces(mjd[:4], a[:4], integral[:4]) == [0]
    assert find_pieces(mjd, a[::-1], integral) == [0]
    assert find_pieces(mjd, np.full(len(mjd), a[0]), integral) == [0]


def test_the_noise_of_the_sets_is_measured() -> None:
    _, a, integral = history([0.01], days=60.0, noise_km=0.05, scatter=0.0)
    assert measure_noise(a, integral) == pytest.approx(0.05, rel=0.25)  # of 120 sets
    assert measure_noise(a[:2], integral[:2]) == 0.0
