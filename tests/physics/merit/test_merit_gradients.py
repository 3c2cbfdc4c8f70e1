"""Derivatives of coverage, links and crowding: against central differences, and finite where geometry is singular."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax.physics.merit import conjunction_rate as crowding
from constellation_jax.physics.merit import link
from constellation_jax.physics.merit.conjunction_rate import Background
from constellation_jax.physics.merit.coverage import cap_half_angle_deg, count_probabilities, mean_in_view
from constellation_jax.physics.merit.revisit import smooth_least_margin_deg, worst_gap_minutes

LATITUDES = np.array([-90.0, -41.0, 0.0, 23.0, 51.0, 90.0])
SCALES = np.array([1.0, 0.1, 1.0])
"""Of altitude (km), inclination and mask (deg): lengths over which the merits change alike."""


def background() -> Background:
    rng = np.random.default_rng(3)
    objects = rng.uniform(0.0, 3.0, (80, 361)) * (np.abs(np.arange(361) - 106) < 30)
    return Background(jnp.asarray(objects @ crowding.meeting_weights()), jnp.asarray(200.0), jnp.asarray(10.0))


def pairs(h: jax.Array, i: jax.Array, mask: jax.Array) -> jax.Array:
    """Of the shell and two like it a few kilometres off."""
    off = jnp.array([0.0, 3.0, -5.0])
    return crowding.encounters_between(h + off, i + 4.0 * off, 300.0 + mask, 2.0, 2.0)


MERITS: dict[str, Callable[..., jax.Array]] = {
    # of altitude, inclination and mask, all scalars
    "cap": lambda h, i, mask: cap_half_angle_deg(h, mask),
    "mean": lambda h, i, mask: mean_in_view(LATITUDES, h, i, 300.0, mask),
    "counts": lambda h, i, mask: count_probabilities(3, LATITUDES, h, i, 8, 10, 1.0, mask),
    "margin": lambda h, i, mask: smooth_least_margin_deg(LATITUDES, h, i, 8, 10, 1.0, mask),
    "range": lambda h, i, mask: link.slant_range_km(h, mask),
    "loss": lambda h, i, mask: link.free_space_loss_db(link.slant_range_km(h, mask), 12.0),
    "round trip": lambda h, i, mask: link.round_trip_ms(h, mask, 40.0),
    "mean light time": lambda h, i, mask: link.mean_over_cap(link.light_time_ms, LATITUDES, h, i, mask),
    "frozen altitude": lambda h, i, mask: crowding.frozen_altitude_km(h, i),
    "with": lambda h, i, mask: crowding.encounters_with(background(), h, i, 300.0, 0.5 + 0.1 * mask),
    "between": pairs,
    "clearance": lambda h, i, mask: crowding.smooth_least_clearance_km(
        jnp.stack([h, h + 3.0]), jnp.stack([i, mask]), 1e-4
    ),
}


@pytest.fixture(scope="module", params=MERITS)
def merit(request: pytest.FixtureRequest) -> tuple[str, Callable[..., jax.Array], Callable[..., jax.Array]]:
    def of_vector(x: jax.Array) -> jax.Array:
        return MERITS[request.param](*x).ravel()

    return request.param, jax.jit(of_vector), jax.jit(jax.jacfwd(of_vector))


def test_against_differences(merit: tuple[str, Callable[..., jax.Array], Callable[..., jax.Array]]) -> None:
    name, value, slope = merit
    rng = np.random.default_rng(8)
    worst = []
    for _ in range(12):
        x = np.array([rng.uniform(280.0, 900.0), rng.uniform(20.0, 98.0), rng.uniform(5.0, 50.0)])
        found = np.asarray(slope(jnp.asarray(x))) * SCALES
        for k in range(3):
            step = 1e-4 * SCALES[k] * np.eye(3)[k]
            # fourth order: the error of the difference itself is below 1e-8
            one = np.asarray(value(x + step)) - np.asarray(value(x - step))
            two = np.asarray(value(x + 2.0 * step)) - np.asarray(value(x - 2.0 * step))
            difference = (8.0 * one - two) / (12.0 * 1e-4)
            size = np.abs(found).max() + 1e-3 * np.abs(np.asarray(value(x))).max() + 1e-12
            worst.append(np.abs(found[:, k] - difference).max() / size)
    print(f"{name}: median {np.median(worst):.1e}, worst {np.max(worst):.1e}")
    assert np.median(worst) < 1e-6
    # counts have true corners, where one satellite rises as another sets; a step may reach across one
    assert np.max(worst) < (1e-3 if name == "counts" else 1e-6)


@pytest.mark.parametrize(
    "x",
    [
        (550.0, 0.0, 25.0),
        (550.0, 90.0, 25.0),
        (550.0, 180.0, 25.0),
        (550.0, 53.0, 0.0),
        (550.0, 53.0, 90.0),
        (300.0, 51.0, 25.0),
        (300.0, 23.0, 60.0),
        (2400.0, 97.6, 10.0),
        (0.001, 53.0, 25.0),
    ],
)
def test_finite_where_geometry_is_singular(
    merit: tuple[str, Callable[..., jax.Array], Callable[..., jax.Array]], x: tuple[float, ...]
) -> None:
    _, value, slope = merit
    assert np.all(np.isfinite(value(jnp.array(x))))
    assert np.all(np.isfinite(slope(jnp.array(x))))


def test_equal_shells_have_slopes() -> None:
    def total(h: jax.Array, i: jax.Array) -> jax.Array:
        return crowding.encounters_between(h, i, 100.0, 1.0).sum() + crowding.smooth_least_clearance_km(h, i)

    h, i = jnp.full(3, 550.0), jnp.full(3, 53.0)
    for found in jax.jit(jax.grad(total, argnums=(0, 1)))(h, i):
        assert np.all(np.isfinite(found))


def test_longest_gap_by_altitude() -> None:
    gap = jax.jit(
        partial(worst_gap_minutes, [0.0, 20.0, 40.0, 60.0], planes=6, satellites_per_plane=8, horizon_minutes=300.0)
    )
    of_altitude = jax.jit(lambda h: gap(altitude_km=h, inclination_deg=53.0, phasing=1.0, min_elevation_deg=25.0))
    slope = jax.jit(jax.jacfwd(of_altitude))(jnp.asarray(700.0))
    difference = (of_altitude(700.001) - of_altitude(699.999)) / 0.002
    np.testing.assert_allclose(slope, difference, rtol=1e-5, atol=1e-9)
    assert slope[3] == 0.0 or of_altitude(700.0)[3] < 300.0
