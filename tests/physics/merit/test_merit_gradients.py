"""Derivatives of coverage, links and conjunction rates: against central differences, and finite where geometry is singular."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.physics.merit import conjunction_rate, drag, link
from constellation_jax.physics.merit.coverage import cap_half_angle_deg, count_probabilities, mean_in_view
from constellation_jax.physics.merit.revisit import max_revisit_minutes, smooth_least_margin_deg

LATITUDES = np.array([-90.0, -41.0, 0.0, 23.0, 51.0, 90.0])
SCALES = np.array([1.0, 0.1, 1.0])
"""Of altitude (km), inclination and mask (deg): lengths over which the merits change alike."""


def background() -> cj.ConjunctionBackground:
    rng = np.random.default_rng(3)
    objects = rng.uniform(0.0, 3.0, (80, 361)) * (np.abs(np.arange(361) - 106) < 30)
    return cj.ConjunctionBackground(
        jnp.asarray(objects @ conjunction_rate.meeting_weights()), jnp.asarray(200.0), jnp.asarray(10.0)
    )


def pairs(h: jax.Array, i: jax.Array, mask: jax.Array) -> jax.Array:
    """Of the shell and two like it a few kilometres off."""
    off = jnp.array([0.0, 3.0, -5.0])
    stack = shell_of(altitude_km=h + off, inclination_deg=i + 4.0 * off, planes=300.0 + mask)
    return conjunction_rate.between_shells(stack, 2.0, 2.0)


def walker(h: jax.Array, i: jax.Array, mask: jax.Array) -> cj.Shell:
    return shell_of(
        altitude_km=h, inclination_deg=i, planes=8, satellites_per_plane=10, phasing=1, min_elevation_deg=mask
    )


MERITS: dict[str, Callable[..., jax.Array]] = {
    # of altitude, inclination and mask, all scalars
    "cap": lambda h, i, mask: cap_half_angle_deg(h, mask),
    "mean": lambda h, i, mask: mean_in_view(walker(h, i, mask), LATITUDES),
    "counts": lambda h, i, mask: count_probabilities(walker(h, i, mask), LATITUDES, 3),
    "margin": lambda h, i, mask: smooth_least_margin_deg(walker(h, i, mask), LATITUDES),
    "range": lambda h, i, mask: link.slant_range_km(h, mask),
    "loss": lambda h, i, mask: link.free_space_loss_db(link.slant_range_km(h, mask), 12.0),
    "round trip": lambda h, i, mask: link.round_trip_ms(h, mask, 40.0),
    "mean light time": lambda h, i, mask: link.mean_over_cap(walker(h, i, mask), LATITUDES, link.light_time_ms),
    "frozen altitude": lambda h, i, mask: conjunction_rate.frozen_altitude_km(h, i),
    "with": lambda h, i, mask: conjunction_rate.with_background(walker(h, i, mask), background(), 0.5 + 0.1 * mask),
    "between": pairs,
    "clearance": lambda h, i, mask: conjunction_rate.smooth_least_clearance_km(
        shell_of(altitude_km=jnp.stack([h, h + 3.0]), inclination_deg=jnp.stack([i, mask]), eccentricity=1e-4)
    ),
}


@pytest.fixture(scope="module", params=MERITS)
def merit(request: pytest.FixtureRequest) -> tuple[str, Callable[..., jax.Array], Callable[..., jax.Array]]:
    """Name, value and derivative of a merit, both by one program."""

    @jax.jit
    @partial(jax.jacfwd, has_aux=True)
    def both(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        found = MERITS[request.param](*x).ravel()
        return found, found

    return request.param, lambda x: both(x)[1], lambda x: both(x)[0]


@pytest.mark.parametrize("name", [*MERITS, "revisit", "drag", "lifetime"])
def test_programs_know_the_length_of_their_loops(name: str) -> None:
    """Nothing that makes a GPU wait for its host: no loop whose end is found while it runs, and no callback."""
    splines = drag.ALTITUDE_STEPS + 3, drag.FALL_STEPS + 3
    rates, b = cj.DragTable(*np.zeros((2, 1, 5, splines[0]))), 0.01
    lives = cj.LifetimeTable(rates.mean, np.zeros((1, 5, 1, splines[1])), np.log([b, b]))
    others: dict[str, Callable[..., jax.Array]] = {
        "revisit": lambda h, i, mask: max_revisit_minutes(walker(h, i, mask), LATITUDES),
        "drag": lambda h, i, mask: drag.delta_v_per_year(walker(h, i, mask), rates, ballistic_coefficient_m2_kg=b),
        "lifetime": lambda h, i, mask: drag.lifetime_years(walker(h, i, mask), lives, ballistic_coefficient_m2_kg=b),
    }
    merit = (MERITS | others)[name]
    program = jax.value_and_grad(lambda x: jnp.sum(merit(*x)))
    text = str(jax.make_jaxpr(program)(jnp.array([550.0, 53.0, 25.0])))
    assert "mul" in text
    assert "while[" not in text
    assert "callback" not in text


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
        stack = shell_of(altitude_km=h, inclination_deg=i, planes=100)
        return conjunction_rate.between_shells(stack).sum() + conjunction_rate.smooth_least_clearance_km(stack)

    h, i = jnp.full(3, 550.0), jnp.full(3, 53.0)
    for found in jax.jit(jax.grad(total, argnums=(0, 1)))(h, i):
        assert np.all(np.isfinite(found))


def test_longest_gap_by_altitude() -> None:
    shell = walker(700.0, 53.0, 25.0).replace(planes=6, satellites_per_plane=8)

    def gap(h: jax.Array) -> tuple[jax.Array, jax.Array]:
        latitudes = [0.0, 20.0, 40.0, 60.0]
        found = max_revisit_minutes(shell.replace(altitude_km=h), latitudes, horizon_minutes=300.0)
        return found, found

    both = jax.jit(jax.jacfwd(gap, has_aux=True))
    slope, value = both(jnp.asarray(700.0))
    high, low = (both(jnp.asarray(700.0 + step))[1] for step in (0.001, -0.001))
    np.testing.assert_allclose(slope, (high - low) / 0.002, rtol=1e-5, atol=1e-9)
    assert slope[3] == 0.0 or value[3] < 300.0


def test_a_merit_is_differentiable_in_a_shell() -> None:
    """A Shell back, whose numbers are the derivatives."""
    shell = shell_of(
        altitude_km=550.0,
        inclination_deg=53.0,
        planes=8,
        satellites_per_plane=10,
        min_elevation_deg=25.0,
        thrust_mn=20.0,
    )

    @jax.jit
    @jax.value_and_grad
    def chance(shell: cj.Shell) -> jax.Array:
        return cj.merit.coverage.probability_in_view(shell, LATITUDES[2:5], at_least=1).sum()

    slope = chance(shell)[1]
    assert isinstance(slope, cj.Shell)
    assert slope.pattern.planes == 8
    assert slope.spacecraft.thrust_mn == 0.0  # nothing depends on it
    for key, step in (("altitude_km", 1e-2), ("inclination_deg", 1e-3), ("min_elevation_deg", 1e-3)):
        value = shell.values()[key]
        high, low = (chance(shell.replace(**{key: value + s}))[0] for s in (step, -step))
        np.testing.assert_allclose(slope.values()[key], (high - low) / (2.0 * step), rtol=1e-4)


def test_a_list_and_a_stack_of_shells_agree() -> None:
    shells = [walker(jnp.asarray(h), jnp.asarray(53.0), jnp.asarray(25.0)) for h in (500.0, 600.0)]
    stack = jax.tree.map(lambda *parts: jnp.stack(parts), *shells)
    mean = jax.jit(mean_in_view)
    found = mean(stack, LATITUDES)
    assert found.shape == (2, len(LATITUDES))
    np.testing.assert_allclose(found, mean(shells, LATITUDES), rtol=1e-13)
    np.testing.assert_allclose(found[0], mean(shells[0], LATITUDES), rtol=1e-13)


def test_a_number_that_is_not_known_is_named() -> None:
    with pytest.raises(cj.InputError, match="shell 'S': min_elevation_deg is not known"):
        mean_in_view(shell_of(altitude_km=500.0, inclination_deg=53.0), LATITUDES)
