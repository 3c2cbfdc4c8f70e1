"""Approaches between two thin shells against a closed form: the width of a target is a half circle, and beyond it nothing meets."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate
from shell_values import shell_of

from constellation_jax.physics.constants import MU
from constellation_jax.physics.merit import conjunction_rate

YEAR_S = 365.25 * 86400.0
INCLINATIONS = np.array([53.0, 70.0])


def of_three(second_km, spread_km, miss_km):
    """Approaches a year of 200 satellites at 550 km, 53 degrees with 200 at 70 degrees."""
    h = jnp.stack([jnp.full_like(second_km, 550.0), second_km])
    shells = shell_of(altitude_km=h, inclination_deg=jnp.asarray(INCLINATIONS))
    return conjunction_rate.between_shells(shells, miss_km, spread_km)[0, 1] * 200.0 * 200.0


rate = jax.jit(of_three)
slopes = jax.jit(jax.grad(of_three, argnums=(0, 1, 2)))


def counted_at_the_crossings(second_km: float, spread_km: float, miss_km: float) -> float:
    """The same, of circular orbits that meet at the two ends of their common line, raans spread evenly.

    A satellite passes both crossings in a revolution. The other one is near where it is within w / cos(I / 2) of the crossing along
    its track, w half the chord of the miss distance at their difference of radius and I their mutual inclination.
    """
    level = np.asarray(conjunction_rate.frozen_altitude_km(np.array([550.0, second_km]), INCLINATIONS))
    apart, sigma = level[1] - level[0], np.sqrt(2.0) * spread_km
    a = 6378.137 + 0.5 * (550.0 + second_km)
    period = 2.0 * np.pi * np.sqrt(a**3 / MU)
    one, other = np.radians(INCLINATIONS)
    raan = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)
    mutual = np.arccos(np.cos(one) * np.cos(other) + np.sin(one) * np.sin(other) * np.cos(raan))

    def chord(z: float) -> float:
        off = (apart + sigma * z) / miss_km
        return float(np.sqrt(max(1.0 - off * off, 0.0)) * np.exp(-0.5 * z * z) / np.sqrt(2.0 * np.pi))

    edges = [z for edge in (-miss_km, miss_km) if abs(z := (edge - apart) / sigma) < 8.0]
    half = miss_km * integrate.quad(chord, -8.0, 8.0, points=edges or None, limit=400)[0]
    return 200.0 * 200.0 * 4.0 * half / (2.0 * np.pi * a) * float(np.mean(1.0 / np.cos(0.5 * mutual))) / period * YEAR_S


@pytest.mark.parametrize("second", [546.0, 549.0, 552.0])
@pytest.mark.parametrize(("spread", "miss"), [(0.05, 5.0), (0.05, 10.0), (1.0, 10.0), (4.0, 1.0)])
def test_thin_and_thick_shells(second: float, spread: float, miss: float) -> None:
    """Within 0.2 %: the table of meeting weights is a mean over half a degree of inclination."""
    expected = counted_at_the_crossings(second, spread, miss)
    found = float(rate(second, spread, miss))
    assert abs(found - expected) <= 2e-3 * expected + 1e-9


def test_what_cannot_meet_does_not() -> None:
    """5.9 km apart, radii right to 0.07 km, a miss distance of 5 km; and a layer on top of one of no thickness at all."""
    assert float(rate(552.0, 0.05, 5.0)) == 0.0
    assert float(rate(552.0, 0.0, 5.0)) == 0.0
    assert all(float(slope) == 0.0 for slope in slopes(552.0, 0.05, 5.0))
    np.testing.assert_allclose(float(rate(546.0, 0.0, 5.0)), float(rate(546.0, 1e-3, 5.0)), rtol=1e-4)
    for spread in (0.0, 1.0):  # nothing comes within nothing
        assert float(rate(546.0, spread, 0.0)) == 0.0
        assert all(np.isfinite(float(slope)) for slope in slopes(546.0, spread, 0.0))


@pytest.mark.parametrize(("second", "spread", "miss"), [(549.0, 0.05, 5.0), (552.0, 0.4, 5.0), (549.0, 3.0, 1.0)])
def test_derivatives(second: float, spread: float, miss: float) -> None:
    at = (second, spread, miss)
    found = slopes(*at)
    for k, step in enumerate((1e-4, 1e-5, 1e-4)):
        up, down = (rate(*(v + sign * step * (j == k) for j, v in enumerate(at))) for sign in (1.0, -1.0))
        difference = float(up - down) / (2.0 * step)
        np.testing.assert_allclose(float(found[k]), difference, rtol=1e-5, atol=1e-4)


def test_a_thin_background_is_seen_through_a_half_circle() -> None:
    """One shell as a background, resolved to 0.5 km: as between shells, with the width of its kernel (0.35 km)."""

    class Layer:
        mean_altitude_km = np.full(400, 549.0)
        eccentricity = np.zeros(400)
        inclination_deg = np.full(400, 70.0)

        def __len__(self) -> int:
            return 400

    background = conjunction_rate.ConjunctionBackground.from_catalog(Layer(), resolution_km=0.5)
    target = shell_of(altitude_km=550.0, inclination_deg=53.0)
    for miss in (1.0, 2.0, 3.5, 5.0):
        found = float(conjunction_rate.with_background(target, background, miss)) / 400.0
        expected = counted_at_the_crossings(549.0, 0.35 / np.sqrt(2.0), miss) / 200.0**2
        # the kernel is not quite a normal distribution: 3 % of it where only its edge is within reach
        assert abs(found - expected) < 0.03 * expected + 0.002 * counted_at_the_crossings(546.0, 0.05, miss) / 200.0**2
