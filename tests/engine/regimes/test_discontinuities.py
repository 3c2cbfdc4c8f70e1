"""Where the velocity of SGP4 and SDP4 jumps, and that interpolation keeps clear of it."""

from collections.abc import Callable

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.precision import x64
from constellation_jax.engine.regimes.assign import initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime, largest_kick, may_jump
from constellation_jax.engine.regimes.near_earth import NearEarthRegime, discontinuity_windows, stays_above_safe_radius
from constellation_jax.physics.constants import TWO_PI, WGS72, WGS84
from constellation_jax.physics.numerics.fastmath import horner
from constellation_jax.physics.sgp4 import deep_space as sdp4
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.common import ECCENTRICITY_FLOOR
from constellation_jax.physics.sgp4.near_earth import eccentricity_and_turn

CatalogOf = Callable[..., cj.Catalog]


def _sinking(catalog_of: CatalogOf) -> cj.Catalog:
    """Near-circular orbits, some of whose eccentricity drag takes through the least one within hours."""
    kinds = [(15.8, e, 53.0, b) for e in (2e-6, 2e-5, 1e-4, 5e-4) for b in (1e-4, 1e-3, 4e-3)]
    kinds += [(15.5, e, 53.0, b) for e in (5e-6, 1e-5) for b in (5e-4, 1e-3)]
    return catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)


def test_the_eccentricity_goes_through_the_least_one_within_its_window_alone(catalog_of: CatalogOf) -> None:
    catalog = _sinking(catalog_of)
    c = initialise(NearEarthRegime(WGS72), catalog.elements)
    minutes = np.arange(0.0, 20 * 1440.0)[:, None]
    found, _ = eccentricity_and_turn(c, minutes, lambda angle: (np.sin(angle), np.cos(angle)))
    first, last = discontinuity_windows(c, np.zeros(len(catalog)))
    crossing = np.diff(found > ECCENTRICITY_FLOOR, axis=0)
    assert 3 < crossing.any(axis=0).sum() < len(catalog)
    step, satellite = np.nonzero(crossing)
    assert (first[satellite] <= minutes[step + 1, 0]).all()
    assert (last[satellite] >= minutes[step, 0]).all()
    # and not much longer: the swing of a revolution is all that there is beside the trend
    trend = horner(np.clip(first, 0.0, 20 * 1440.0), c.eccentricity)
    inside = (first > 0.0) & (first < 20 * 1440.0)
    np.testing.assert_allclose(np.abs(trend - ECCENTRICITY_FLOOR)[inside], np.abs(c.bstar_cc5)[inside], rtol=1e-6)


def test_states_at_discontinuities_are_evaluated_and_not_interpolated(catalog_of: CatalogOf) -> None:
    catalog = _sinking(catalog_of)
    # how many nodes suffice is measured at the start and the end; the discontinuities of some satellites lie between
    times = cj.time_grid("2026-08-22T00:00:00Z", "6d", "1min")
    # float32: the rounding of its coefficients hides such a discontinuity, where in float64 they tell of it too
    settings = {"variables": "position", "precision": "float32"}
    dense, direct = (cj.propagate(catalog, times, dense=d, **settings) for d in (True, False))
    assert "interpolated" in dense.attrs["interpolation"]
    error = np.sqrt(sum((dense[k] - direct[k]) ** 2 for k in ("x", "y", "z"))).values
    first, last = discontinuity_windows(initialise(NearEarthRegime(WGS72), catalog.elements), np.zeros(len(catalog)))
    minutes = np.arange(len(times))[:, None]
    near = (minutes > first) & (minutes < last)
    assert near.any()
    assert error[near].max() == 0.0  # the same evaluation about the same anchors
    assert 1e-4 < error[~near].max() < 8e-3  # km: interpolated, with the rounding of float32


def test_who_may_come_low_is_not_taken_for_high(catalog_of: CatalogOf) -> None:
    kinds = [(15.2, 1e-3, 53.0, 1e-4), (16.3, 1e-3, 53.0, 1e-2), (16.2, 0.02, 53.0, 0.0), (16.45, 1e-4, 53.0, 0.0)]
    catalog = catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)
    c = initialise(NearEarthRegime(WGS72), catalog.elements)
    ends = (np.zeros(4), np.full(4, 5 * 1440.0))
    assert stays_above_safe_radius(c, ends, WGS72).tolist() == [True, False, False, True]
    times = cj.time_grid("2026-08-22T00:00:00Z", "5d", "2min")
    found = cj.propagate(catalog, times, variables="position", dense=False)
    distance = np.sqrt(sum(found[k] ** 2 for k in ("x", "y", "z")))
    assert (distance.min("time").values[[0, 3]] > 6378.135).all()


def test_the_formulas_of_deep_space_change_at_a_fifth_of_a_radian(catalog_of: CatalogOf) -> None:
    inclination = np.degrees([0.2, 0.19, 0.25])
    kinds = [(1.0027, 1e-3, i, 0.0) for i in inclination] + [(1.0027, 1e-6, 5.0, 0.0)]
    catalog = catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)
    days = [np.array([0.0] * 4), np.full(4, 10 * 1440.0)]
    assert may_jump(catalog.elements, tuple(days)).tolist() == [True, True, False, True]


def test_steps_of_the_resonance_integrator_change_the_velocity_by_less_than_their_bound(catalog_of: CatalogOf) -> None:
    kinds = [(1.0027 + drift, e, i, 0.0) for drift in (0.0, 0.004, -0.01) for e, i in ((3e-4, 2.7), (0.01, 0.1))]
    kinds += [(2.0057 + drift, 0.72, 63.4, 0.0) for drift in (0.0, 0.002, -0.01)]
    kinds += [(2.0057, 0.2, 63.4, 0.0)]  # no resonance
    catalog = catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)
    c = initialise(DeepSpaceRegime(WGS72), catalog.elements)
    step = sdp4.STEP_MINUTES
    bound = largest_kick(c, (np.zeros(len(kinds)), np.full(len(kinds), 60.0 * step)), WGS72)
    instants = (np.arange(-60, 60) + 0.5) * step
    with x64():
        at = jax.jit(jax.vmap(lambda t: sdp4.resonance_at(c, t)))(np.broadcast_to(instants[:, None], (120, len(kinds))))
    angle, motion = (np.asarray(v)[instants > 0.0] for v in (at.xli, at.xni))
    # the angle goes along a parabola from one step to the next; its rate at the end of one is not that at the start of the next
    rate = motion + c.lambda_rate
    acceleration = 2.0 * (np.diff(angle, axis=0) - rate[:-1] * step) / step**2
    change = np.abs(np.diff(rate, axis=0) - acceleration * step) * semi_major_axis_km(c.mean_motion, WGS72)
    assert bound[-1] == 0.0
    assert (change[:, :-1] <= bound[:-1]).all()
    assert (change.max(axis=0)[:-1] > 0.02 * bound[:-1]).all()  # nor is it out of all proportion
    assert bound[0] < 0.3 * bound[2]  # it matters where the satellite drifts


def test_interpolation_keeps_clear_of_the_steps_of_the_resonance_integrator(catalog_of: CatalogOf) -> None:
    kinds = [(1.0027 + drift, 3e-4, 2.7, 0.0) for drift in (-0.006, -0.003, 0.003, 0.006)]
    catalog = catalog_of(kinds, np.random.default_rng(4), epoch_day=61274, epoch_fraction=0.0)
    times = cj.time_grid("2026-08-22T05:00:00Z", "14h", "1min")  # steps are at noon
    dense, direct = (cj.propagate(catalog, times, variables="position", dense=d) for d in (True, False))
    assert "interpolated" in dense.attrs["interpolation"]
    error = np.sqrt(sum((dense[k] - direct[k]) ** 2 for k in ("x", "y", "z"))).max("satellite").values
    assert 0.0 < error.max() < 5e-7


def test_the_largest_axis_is_in_the_earth_radii_of_the_gravity_model() -> None:
    for gravity in (WGS72, WGS84):
        # a period of 225 minutes, and a million kilometres
        assert TWO_PI / gravity.xke * NearEarthRegime(gravity).largest_axis ** 1.5 == pytest.approx(225.0, rel=1e-12)
        assert DeepSpaceRegime(gravity).largest_axis * gravity.equatorial_radius_km == pytest.approx(1e6, rel=1e-12)
