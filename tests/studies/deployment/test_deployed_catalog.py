"""Catalogue of a deployment on one date: places of satellites, drift of planes against SGP4, propagation."""

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.errors import InputError
from constellation_jax.inputs.shells.mean_orbits import latitude_rate_deg_per_day, raan_rate_deg_per_day, wrap_deg
from constellation_jax.physics.constants import DEGREE


@pytest.mark.parametrize("date", ["2025-01-01", "2025-03-20", "2025-06-24", "2025-12-30T12:00:00Z"])
@pytest.mark.parametrize("name", ["qianfan:launched", "guowang", "starlink"])
def test_the_catalog_has_the_satellites_that_are_counted(name: str, date: str) -> None:
    catalog = cj.deployed_catalog(name, date)
    day = cj.deploy(name).sel(time=date[:10]).isel(system=0)
    if len(date) == 10:
        for state in ("raising", "on_station", "failed", "deorbiting"):
            assert len(catalog.select(source=f"*:{state}")) == int(day[state]), state
    assert catalog.synthetic.all()
    assert len(set(catalog.name.tolist())) == len(catalog)
    assert np.all(catalog.epoch == np.datetime64(date.removesuffix("Z")))
    slots = list(zip(catalog.shell, catalog.plane, catalog.slot, strict=True))
    placed = [slot for slot in slots if slot[1] >= 0]
    assert len(set(placed)) == len(placed)  # no slot twice


def test_states_of_a_deployment_have_their_altitudes() -> None:
    catalog = cj.deployed_catalog("qianfan:launched", "2025-04-01")
    failed, stationed = catalog.select(source="*:failed"), catalog.select(source="*:on_station")
    raising = catalog.select(source="*:raising")
    assert np.all(np.abs(stationed.mean_altitude_km - 1160) < 1e-6)
    assert np.all((failed.mean_altitude_km > 802) & (failed.mean_altitude_km < 877.001))
    assert np.any(np.abs(failed.mean_altitude_km - 877) < 1e-6)
    # Launched 21 days before, at 802.5 km and 2.9 km a day
    youngest = raising.select(name="*LONG MARCH 8*")
    assert youngest.mean_altitude_km == pytest.approx(802.5 + 2.9 * 21)
    assert (failed.plane == -1).all()
    sinking = cj.deployed_catalog("starlink", "2026-06-01").select(source="*:deorbiting")
    assert len(sinking) > 100
    assert sinking.mean_altitude_km.min() < 300 < 500 < sinking.mean_altitude_km.max()


def test_planes_are_filled_apart_and_every_other_slot_first() -> None:
    catalog = cj.deployed_catalog("qianfan:plan-only-648-30", "2026-12-31").select(source="*:on_station")
    planes, count = np.unique(catalog.plane, return_counts=True)
    assert set(planes) == set(range(36))  # 648 are 18 in each of 36 planes
    assert count.min() >= 15
    # Two or three of 18 fail, so that some planes got a second launch; none got a third
    assert set(np.unique(count // 15)) == {1, 2}
    early = cj.deployed_catalog("qianfan:launched-20", "2024-12-10")
    flown = sorted({int(p) for p in early.plane if p >= 0})
    assert np.diff(flown).min() >= 8  # three launches, spread over 36 planes
    for plane in flown:
        assert set(np.diff(np.sort(early.slot[early.plane == plane]))) <= {2, 4}  # 4 where one failed


def test_satellites_reach_their_plane_and_slot_on_arrival() -> None:
    """Just before arrival and just after, right ascension and argument of latitude are the same, also after a drift of 20 days."""
    deployment = cj.load_deployment("starlink")
    from constellation_jax.studies.deployment.launches import simulate_launches

    whole = simulate_launches(deployment)
    waited = np.flatnonzero((whole.waited == 2) & np.isfinite(whole.ready_day))[:5]
    for position in waited:
        day = np.datetime64("1970-01-01", "ns") + np.timedelta64(int(whole.ready_day[position] * 86400e9), "ns")
        margin = np.timedelta64(1, "s")
        before, after = (cj.deployed_catalog(deployment, day + sign * margin) for sign in (-1, 1))
        name = sorted(set(before.select(source="*:raising").name) & set(after.select(source="*:on_station").name))
        one, two = before.select(name=name), after.select(name=name)
        assert len(one) >= 1
        assert wrap_deg(one.raan_deg - two.raan_deg) == pytest.approx(0, abs=1e-3)
        turned = 2 / 86400 * latitude_rate_deg_per_day(550.0, 0.0, 53.0)  # in two seconds
        ahead = two.mean_anomaly_deg + two.arg_perigee_deg - one.mean_anomaly_deg - one.arg_perigee_deg
        assert wrap_deg(ahead) == pytest.approx(float(turned), abs=2e-3)


def test_planes_of_one_launch_begin_together_and_drift_apart() -> None:
    first = cj.deployed_catalog("starlink", "2020-01-14").select(name="*V1.0 002*", source="*:raising")
    later = cj.deployed_catalog("starlink", "2020-05-25").select(name="*V1.0 002*", source="*:on_station")
    same_day = np.ptp(wrap_deg(first.raan_deg - first.raan_deg[0]))
    planes = np.unique(np.round(np.mod(later.raan_deg, 360.0), 6))
    assert same_day < 0.05
    assert len(first) > 40
    assert len(planes) == 3
    assert np.diff(planes) == pytest.approx(5.0, abs=1e-6)  # 72 planes


@pytest.mark.parametrize("name", ["qianfan:launched", "guowang:launched"])
def test_a_snapshot_propagates_and_its_planes_turn_as_the_model_has_it(name: str) -> None:
    catalog = cj.deployed_catalog(name, "2025-04-01")
    states = cj.propagate(
        catalog, cj.time_grid("2025-04-01", "11d", "10d"), variables=["position", "velocity", "decay"]
    )
    assert (states.status == 0).all()
    assert np.abs(states.mean_altitude[0] - catalog.mean_altitude_km).max() < 1e-6
    node = _node_deg(states)
    turned = wrap_deg(node[1] - node[0])
    rate = raan_rate_deg_per_day(catalog.mean_altitude_km, catalog.eccentricity, catalog.inclination_deg)
    # Short-period terms of J2 move the node by some 0.03 degrees within a revolution
    assert turned == pytest.approx(wrap_deg(10 * rate), abs=0.06)


def test_a_snapshot_continues_the_one_before() -> None:
    """Satellites on station, propagated for ten days, are where the snapshot of that day has them."""
    first, second = (cj.deployed_catalog("qianfan:launched", day) for day in ("2026-01-01", "2026-01-11"))
    names = sorted(set(first.select(source="*:on_station").name) & set(second.select(source="*:on_station").name))
    flown = cj.propagate(first.select(name=names), ["2026-01-11"], variables=["position"])
    there = cj.propagate(second.select(name=names), ["2026-01-11"], variables=["position"])
    apart = np.sqrt(sum((flown[axis] - there[axis]) ** 2 for axis in "xyz")[0])
    # The argument of latitude is that of the first order in J2: 1e-6 of 137 revolutions is 6 km, the same for all
    assert apart.max() < 20
    assert apart.max() - apart.min() < 2


def test_a_date_without_satellites_is_refused() -> None:
    with pytest.raises(InputError, match="date 2020-01-01: expected 2024-08-06 to 2026-02-17"):
        cj.deployed_catalog("qianfan:launched", "2020-01-01")


def _node_deg(states):
    r = np.stack([states[axis].values for axis in ("x", "y", "z")], -1)
    v = np.stack([states[axis].values for axis in ("vx", "vy", "vz")], -1)
    normal = np.cross(r, v)
    return np.arctan2(normal[..., 0], -normal[..., 1]) / DEGREE
