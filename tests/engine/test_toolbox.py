"""Toolbox of all engines: tiles, output arrays, lasting failures, and regimes that broadcast."""

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.failures import Failures
from constellation_jax.engine.precision import x64
from constellation_jax.engine.regimes.assign import assign_regimes, initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.tiles import pad, split_columns
from constellation_jax.physics.constants import WGS72


@pytest.mark.parametrize("share", [0.5, 0.9])
def test_every_column_of_a_group_is_in_one_tile(share: float) -> None:
    is_own = np.random.default_rng(1).uniform(size=103) < share
    tiles = list(split_columns(is_own, 8, in_place=True))
    own = np.concatenate([np.arange(103)[tile["columns"]][tile["is_own"]] for tile in tiles])
    np.testing.assert_array_equal(own, np.flatnonzero(is_own))
    assert all(tile["padded_columns"].shape == (8,) for tile in tiles)
    in_place = share > 0.75
    assert all(isinstance(tile["columns"], slice) for tile in tiles) == in_place
    assert all(tile["is_own"].all() for tile in tiles) != in_place


def test_padding_repeats_the_last_entry() -> None:
    np.testing.assert_array_equal(pad(np.array([[1, 2], [3, 4]]), 4), [[1, 2, 2, 2], [3, 4, 4, 4]])
    values = np.arange(3)
    assert pad(values, 3) is values


def test_a_failure_after_the_epoch_lasts_over_blocks_and_one_before_does_not() -> None:
    failures = Failures(4)
    status = np.array([[0, 1, 0, 0], [6, 0, 0, 0], [0, 0, 4, 0]], np.int8)
    after_epoch = np.array([[True, False, True, True]] * 3)
    found = failures.latch(np.arange(4), status, after_epoch)
    np.testing.assert_array_equal(found, [[0, 1, 0, 0], [6, 0, 0, 0], [6, 0, 4, 0]])
    later = failures.latch(np.array([0, 2]), np.array([[1, 0]], np.int8), np.ones((1, 2), np.bool_))
    np.testing.assert_array_equal(later, [[6, 4]])
    assert failures.code.tolist() == [6, 0, 4, 0]


def test_rows_of_output_arrays_are_views_of_the_block() -> None:
    out = OutputArrays.allocate(5, 3, ("x", "y"), "float32")
    part = out.rows(slice(1, 3))
    part.write(np.ones((2, 2, 3), np.float32), 7, slice(0, 2), slice(0, 3))
    assert list(out) == ["x", "y", "status"]
    assert (out["y"][1:3] == 1.0).all()
    assert (out["status"][1:3] == 7).all()
    assert out["x"].shape == out["status"].shape == (5, 3)


def test_regimes_are_values() -> None:
    assert NearEarthRegime(WGS72) == NearEarthRegime(WGS72)
    assert len({NearEarthRegime(WGS72), NearEarthRegime(WGS72, True), DeepSpaceRegime(WGS72)}) == 3
    assert NearEarthRegime(WGS72, True).general == NearEarthRegime(WGS72)


def test_every_satellite_is_in_one_regime(fleet: cj.Catalog) -> None:
    ends = (np.zeros(len(fleet)), np.full(len(fleet), 1440.0))
    with x64():
        groups, limits = assign_regimes(fleet.elements, ends, WGS72)
    np.testing.assert_array_equal(sum(group.is_own.astype(int) for group in groups), 1)
    deep = next(group for group in groups if group.regime == DeepSpaceRegime(WGS72))
    np.testing.assert_array_equal(deep.is_own, fleet.is_deep_space)
    assert [limit.shape for limit in limits] == [(len(fleet),)] * 2


@pytest.mark.parametrize("regime", [NearEarthRegime(WGS72), DeepSpaceRegime(WGS72)], ids=lambda regime: regime.name)
def test_a_regime_serves_a_grid_of_instants_and_satellites_at_once(regime: Regime, fleet: cj.Catalog) -> None:
    some = fleet[fleet.is_deep_space == (regime.name == "deep_space")]
    c = initialise(regime, some.elements)
    minutes = np.array([0.0, 100.0, 3000.0])[:, None]

    def positions(c: object, minutes: np.ndarray) -> np.ndarray:
        orbit = regime.at(c, minutes, regime.integrate(c, minutes))
        return np.stack([orbit.x, orbit.y, orbit.z])

    grid = positions(jax.tree.map(lambda v: v[None], c), minutes)
    assert grid.shape == (3, 3, len(some))
    for k, t in enumerate(minutes[:, 0]):
        np.testing.assert_allclose(grid[:, k], positions(c, np.full(len(some), t)), rtol=0, atol=1e-9)
