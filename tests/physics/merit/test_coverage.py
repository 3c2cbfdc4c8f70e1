"""Coverage, links and conjunction rates against known values, simple sums and limits."""

from collections.abc import Callable
from functools import partial

import jax
import numpy as np
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.physics.merit import conjunction_rate, coverage, link
from constellation_jax.physics.merit.revisit import max_revisit_minutes, smooth_least_margin_deg

RADIUS = 6378.137

# Compiled as a whole: outside of jit each of some hundred operations is compiled by itself, for each shape
cap_half_angle_deg = jax.jit(coverage.cap_half_angle_deg)
mean_in_view = jax.jit(coverage.mean_in_view, static_argnames="oblate")
count_probabilities = jax.jit(coverage.count_probabilities, static_argnums=2)
LOW = shell_of(
    altitude_km=300.0, inclination_deg=53.0, planes=20, satellites_per_plane=15, phasing=1, min_elevation_deg=25
)
AREA = shell_of(altitude_km=550.0, inclination_deg=53.0, min_elevation_deg=25.0)


def mean_over_cap(latitudes: np.ndarray, of_range: Callable[[jax.Array], jax.Array]) -> jax.Array:
    return jax.jit(partial(link.mean_over_cap, of_range=of_range))(AREA, latitudes)


def by_sum(latitude: float, altitude: float, inclination: float, mask: float, points: int = 400_000) -> float:
    """Fraction in view on a sphere: a plain sum over the argument of latitude."""
    cap = np.radians(float(cap_half_angle_deg(altitude, mask)))
    u = 2.0 * np.pi * (np.arange(points) + 0.5) / points
    delta, phi = np.arcsin(np.sin(np.radians(inclination)) * np.sin(u)), np.radians(latitude)
    cosine = (np.cos(cap) - np.sin(phi) * np.sin(delta)) / (np.cos(phi) * np.cos(delta))
    return float(np.mean(np.arccos(np.clip(cosine, -1.0, 1.0))) / np.pi)


def test_cap_by_its_triangle() -> None:
    cap = np.radians(float(cap_half_angle_deg(550.0, 25.0)))
    distance = float(link.slant_range_km(550.0, 25.0))
    # law of sines: the angle at the ground is 90 degrees and the mask
    assert distance == pytest.approx((RADIUS + 550.0) * np.sin(cap) / np.sin(np.radians(115.0)), rel=1e-12)
    assert float(cap_half_angle_deg(550.0, 90.0)) == pytest.approx(0.0, abs=0.03)


@pytest.mark.parametrize(
    ("latitude", "altitude", "inclination", "mask"),
    [
        (0.0, 550.0, 53.0, 25.0),
        (50.0, 550.0, 53.0, 25.0),
        (60.0, 550.0, 53.0, 25.0),
        (89.9, 1200.0, 87.9, 10.0),
        (-40.0, 300.0, 53.0, 25.0),
        (80.0, 560.0, 97.6, 0.0),
    ],
)
def test_mean_against_a_plain_sum(latitude: float, altitude: float, inclination: float, mask: float) -> None:
    shell = shell_of(altitude_km=altitude, inclination_deg=inclination, planes=1000, min_elevation_deg=mask)
    found = mean_in_view(shell, np.array([latitude]), oblate=False)[0]
    # the plain sum's error at the ends of the cap is some 1e-6
    assert float(found) == pytest.approx(1000.0 * by_sum(latitude, altitude, inclination, mask), rel=2e-5)


def test_points_of_the_quadrature_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    latitudes = np.linspace(-89.0, 89.0, 60)
    coarse = np.asarray(mean_in_view(AREA, latitudes))
    monkeypatch.setattr(coverage, "_ARC_NODES", 128)
    fine = jax.jit(lambda *both: coverage.mean_in_view(*both))(AREA, latitudes)
    assert not np.array_equal(coarse, fine)  # or it was not compiled anew
    np.testing.assert_allclose(coarse, fine, rtol=2e-6, atol=1e-9)


def test_mean_is_the_caps_share_of_the_sphere() -> None:
    """Weighted by area, every satellite is seen by as much of the Earth as its cap."""
    x, weight = np.polynomial.legendre.leggauss(400)
    found = np.asarray(mean_in_view(AREA, np.degrees(np.arcsin(x)), oblate=False))
    cap = np.radians(float(cap_half_angle_deg(550.0, 25.0)))
    assert float(found @ weight) / 2.0 == pytest.approx(0.5 * (1.0 - np.cos(cap)), rel=1e-4)


def test_chances_have_the_mean() -> None:
    """Sum of k P(k) is the mean number, which comes from another integral; the soft edge of a plane's view is 0.2 % of it."""
    latitudes = np.array([0.0, 40.0, 50.0])
    chances = count_probabilities(LOW, latitudes, 12)
    np.testing.assert_allclose(chances.sum(axis=1), 1.0, rtol=1e-12)
    mean = mean_in_view(LOW, latitudes)
    np.testing.assert_allclose(chances @ np.arange(12.0), mean, rtol=5e-3)


def test_two_shells_are_convolved() -> None:
    shells = [LOW, LOW.replace(planes=10)]
    one, other = (count_probabilities(shell, np.array([40.0]), 3)[0] for shell in shells)
    chance = jax.jit(partial(cj.merit.coverage.probability_in_view, at_least=2))
    both = chance(shells, np.array([40.0]))
    assert float(both[0]) == pytest.approx(
        float(1.0 - one[0] * other[0] - one[1] * other[0] - one[0] * other[1]), rel=1e-12
    )


def test_margin_tells_continuous_coverage() -> None:
    """Where the least margin is well above zero there is no gap, where it is below there is one."""
    latitudes, shell = [10.0, 40.0, 58.0], AREA.replace(planes=72, satellites_per_plane=22, phasing=65)

    @jax.jit  # planes are static: a shell of numbers, not an argument
    def find(latitudes: jax.Array) -> tuple[jax.Array, ...]:
        gap = max_revisit_minutes(shell, latitudes, horizon_minutes=120.0)
        return smooth_least_margin_deg(shell, latitudes), gap, smooth_least_margin_deg(LOW, latitudes[:1])

    margin, gap, low = find(np.array(latitudes))
    assert np.array_equal(np.asarray(margin) > 0.0, np.asarray(gap) == 0.0)
    assert float(low[0]) < 0.0 < float(margin[0])


def test_links() -> None:
    assert float(link.light_time_ms(299792.458)) == 1000.0
    assert float(link.free_space_loss_db(1.0, 1.0)) == pytest.approx(92.45, abs=0.005)  # ITU-R P.525-4, equation 4
    assert float(link.round_trip_ms(550.0, 90.0, 90.0)) == pytest.approx(4.0 * 550.0 / 299.792458, rel=1e-12)
    of_one = mean_over_cap(np.array([0.0, 50.0]), lambda d: 1.0 + 0.0 * d)
    np.testing.assert_allclose(of_one, 1.0)


def test_mean_range_against_a_sum() -> None:
    u = (np.arange(4000) + 0.5) * (2.0 * np.pi / 4000.0)
    lon = u
    sine = np.sin(np.radians(53.0)) * np.sin(u)[:, None]
    cosine = np.cos(np.radians(40.0)) * np.sqrt(1.0 - sine**2) * np.cos(lon) + np.sin(np.radians(40.0)) * sine
    distance = np.sqrt(RADIUS**2 + (RADIUS + 550.0) ** 2 - 2.0 * RADIUS * (RADIUS + 550.0) * cosine)
    seen = distance[cosine > np.cos(np.radians(float(cap_half_angle_deg(550.0, 25.0))))]
    found = float(mean_over_cap(np.array([40.0]), lambda d: d)[0])
    assert abs(found - seen.mean()) < 0.2  # km: who is in view of the sum is a matter of a step of 0.09 degrees


def test_mean_over_the_footprint_against_a_sum() -> None:
    edge = np.radians(float(cap_half_angle_deg(550.0, 25.0)))
    angle = np.arccos(1.0 - (np.arange(100_000) + 0.5) / 100_000 * (1.0 - np.cos(edge)))  # equal areas
    distance = np.sqrt(RADIUS**2 + (RADIUS + 550.0) ** 2 - 2.0 * RADIUS * (RADIUS + 550.0) * np.cos(angle))
    found = link.mean_over_footprint([AREA, AREA.replace(altitude_km=800.0)], lambda d: d)
    assert float(found[0]) == pytest.approx(distance.mean(), abs=1e-6)
    assert found[1] > found[0]


def test_crossing_orbits_of_a_band() -> None:
    """Counting gave 442 a day within 20 km, a direct sum 464, for 300 orbits of 30 to 80 degrees at 6,950 to 7,050 km."""
    rng = np.random.default_rng(1)
    altitude, inclination = rng.uniform(6950.0, 7050.0, 300) - RADIUS, rng.uniform(30.0, 80.0, 300)
    stack = shell_of(altitude_km=altitude, inclination_deg=inclination)
    a_day = 0.5 * float(jax.jit(conjunction_rate.between_shells)(stack, 20.0, 0.5).sum()) / 365.25
    assert a_day == pytest.approx(464.0, rel=0.05)


def test_meeting_weights_by_hand() -> None:
    weights = conjunction_rate.meeting_weights()
    # two orbits of equal inclination meet on opposite legs alone: K(sin i) / pi^3, here for 0 and 53 degrees
    assert weights[0, 0] == pytest.approx(1.0 / (2.0 * np.pi**2), rel=1e-3)
    x = (np.arange(2000) + 0.5) * (np.pi / 4000.0)
    k = np.mean(1.0 / np.sqrt(1.0 - (np.sin(np.radians(53.0)) * np.sin(x)) ** 2)) * np.pi / 2.0
    # averages over half a degree are above it: orbits on the same leg then cross too
    assert 0.0 < weights[106, 106] / (k / np.pi**3) - 1.0 < 0.2
    # an equatorial and a polar orbit: speed sqrt(2) v at the nodes, density 1 / (2 pi^2)
    assert weights[0, 180] == pytest.approx(np.sqrt(2.0) / (2.0 * np.pi**2), rel=1e-3)
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_array_equal(weights, weights[::-1, ::-1])


@pytest.mark.slow
def test_a_background_and_shells_agree(catalog_of: Callable[..., cj.Catalog]) -> None:
    """A target among many shells of one satellite each: the table against the sum of pairs, with the same spread in radius."""
    rng = np.random.default_rng(4)
    n = 2000
    shells = rng.uniform(500.0, 600.0, n), rng.uniform(40.0, 80.0, n)
    kinds = list(
        zip(kozai_mean_motion_rev_per_day(shells[0], 0.0, shells[1]), np.zeros(n), shells[1], np.zeros(n), strict=True)
    )
    catalog = catalog_of(kinds, rng, epoch_day=60850, epoch_fraction=0.0)
    background = cj.ConjunctionBackground.from_catalog(catalog, resolution_km=4.0)
    target = shell_of(altitude_km=550.0, inclination_deg=65.0)
    by_table = float(jax.jit(conjunction_rate.with_background)(target, background, 1.0))
    h, i = np.append(shells[0], 550.0), np.append(shells[1], 65.0)
    stack = shell_of(altitude_km=h, inclination_deg=i)
    by_pairs = float(jax.jit(conjunction_rate.between_shells)(stack, 1.0, 2.8 / np.sqrt(2.0))[-1].sum())
    # linear deposit and cubic spline have a variance of h^2 / 2; inclinations are spread by 0.35 degrees more
    assert by_table == pytest.approx(by_pairs, rel=0.02)


def test_background_names_what_is_wrong() -> None:
    catalog = cj.bundled_population()[:3]
    with pytest.raises(cj.InputError, match="no objects"):
        cj.ConjunctionBackground.from_catalog(catalog[:0])
    with pytest.raises(cj.InputError, match="resolution_km: found 0"):
        cj.ConjunctionBackground.from_catalog(catalog, resolution_km=0.0)


def test_frozen_shells_keep_their_distance() -> None:
    """Radii that SGP4 gives at a crossing differ by the difference in frozen altitude, to 0.3 km."""
    shells = [
        shell_of(name=f"{i}", altitude_km=550.0, inclination_deg=i, planes=1, satellites_per_plane=180)
        for i in (40.0, 70.0)
    ]
    states = cj.propagate(cj.shells_to_catalog(shells, epoch="2026-01-01"), ["2026-01-01"], variables="position")
    x, y, z = (states[name].values[0].reshape(2, 180) for name in "xyz")
    radius = np.sqrt(x**2 + y**2 + z**2)
    by_latitude = [np.polynomial.Polynomial.fit(z[k] / radius[k], radius[k], 4) for k in (0, 1)]
    sine = np.linspace(-0.6, 0.6, 13)
    apart = by_latitude[1](sine) - by_latitude[0](sine)
    levels = conjunction_rate.frozen_altitude_km(550.0, np.array([40.0, 70.0]))
    print("radii apart", np.round(apart, 2), "frozen altitudes", np.round(levels, 3))
    np.testing.assert_allclose(apart, levels[1] - levels[0], atol=0.3)


def test_clearance_is_a_lower_bound() -> None:
    shells = [shell_of(altitude_km=h, inclination_deg=53.0) for h in (540.0, 545.0, 560.0)]
    clear = float(conjunction_rate.smooth_least_clearance_km(shells))
    assert 2.0 < clear < 3.0  # 5 km less two dead bands of 1 km
    needed = conjunction_rate.separation_needed_km([s.replace(eccentricity=1e-3) for s in shells], 1.0)
    assert float(needed[0, 1]) == pytest.approx(2.0 + 1e-3 * (2.0 * RADIUS + 1085.0))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_follows_the_inputs(dtype: type) -> None:
    h, i = np.full(2, 550.0, dtype), np.full(2, 53.0, dtype)
    shell = shell_of(altitude_km=h, inclination_deg=i, planes=100, min_elevation_deg=np.full(2, 25.0, dtype))
    found = mean_in_view(shell, np.array([40.0], dtype))
    assert found.dtype == dtype
    gradient = jax.jit(jax.grad(lambda s: mean_in_view(s, np.array([40.0], dtype)).sum()))(shell).orbit.altitude_km
    assert gradient.dtype == dtype
    assert np.all(np.isfinite(gradient))
