"""Who holds or changes an orbit by thrust: by its shell, by a climb, by a drag term that is too small; and whose B it gets."""

from pathlib import Path

import numpy as np
import pytest
from test_decay import CONSTANT, satellites

import constellation_jax as cj
from constellation_jax.studies.decay import inputs as decay_inputs
from constellation_jax.studies.decay.orbit_control import DECAY_MEANINGS, OrbitControl, find_raised
from constellation_jax.studies.matching.match import MATCH_STATES

CLIMB = -1e-6
"""Half the derivative of the mean motion of a climb of some 0.6 m a day at 500 km, rev/day^2."""


def history(altitude_km: np.ndarray, **columns) -> cj.Catalog:
    days = 60310 + np.arange(len(altitude_km))
    return satellites(altitude_km, norad_id=7, epoch_day=days, **columns)


def test_a_climb_beyond_noise_is_thrust() -> None:
    catalog = satellites([500.0] * 6, mean_motion_dot=[0.0, CLIMB, 10 * CLIMB, 10 * CLIMB, 10 * CLIMB, 10 * CLIMB])
    names = ["A", "B", "C", "C DEB", "D", "E"]
    catalog = catalog.replace(name=names, synthetic=[False] * 4 + [True, False])
    assert find_raised(catalog).tolist() == [False, False, True, False, False, True]
    deep = catalog[[2]].replace(mean_motion_rev_per_day=2.0)  # the Moon and the Sun do that there
    assert not find_raised(deep).any()


def test_few_sets_show_a_step_up() -> None:
    catalog = satellites([500.0, 500.0, 501.0, 500.4], norad_id=[3, 4, 3, 4], epoch_day=[60310, 60310, 60320, 60320])
    assert find_raised(catalog).tolist() == [True, False, True, False]


def test_many_sets_show_a_rise_above_their_scatter() -> None:
    random = np.random.default_rng(3)
    sinking = 700.0 - 0.01 * np.arange(60) + random.normal(0.0, 0.01, 60)
    raised, outlier = sinking + 0.1 * (np.arange(60) >= 40), sinking.copy()
    outlier[30] += 5.0
    shuffled = random.permutation(60)
    assert not find_raised(history(sinking)).any()
    assert not find_raised(history(outlier)).any()
    assert find_raised(history(raised)[shuffled]).all()


def test_a_drag_term_too_small_for_any_object_is_thrust() -> None:
    weather = cj.SpaceWeather.load(CONSTANT)
    catalog = satellites([500.0, 500.0, 500.0, 900.0, 500.0], bstar=[5e-4, 1e-5, -1e-4, -1e-4, 0.0])
    found = decay_inputs.ballistic_coefficients(catalog, None, weather)
    assert found.is_held.tolist() == [False, True, True, False, False]
    assert found.source.tolist() == [2, 3, 3, 3, 3]
    assert not decay_inputs.ballistic_coefficients(catalog, 0.01, weather).is_held.any()


def test_one_small_drag_term_of_a_history_is_noise() -> None:
    catalog = satellites([500.0] * 6, norad_id=[7, 7, 7, 8, -1, -1], epoch_day=60310 + np.arange(6))
    control = OrbitControl(np.zeros(6, bool), np.zeros(6, np.int8), np.full(6, np.nan))
    found = control.add(np.array([True, False, False, True, True, False]), catalog)
    assert found.manoeuvres.tolist() == [False, False, False, True, True, False]


def test_the_state_at_a_shell_decides_the_flag_the_coefficient_and_the_meaning() -> None:
    shells = cj.load_shells("starlink:gen1-flown")
    there = cj.shells_to_catalog([s for s in shells if s.name in ("Group 1", "Group 4")], epoch="2025-06-24")
    there = there[::10].replace(synthetic=False, ballistic_coefficient=np.nan, name="STARLINK-1", shell="")
    there = there.replace(international_designator="2021-012A", mean_motion_dot=1e-7)
    low, high = there.mean_altitude_km.min(), there.mean_altitude_km.max()
    cases = [
        # altitude, launch, derivative, B*, name -> state, flag, source, meaning
        (low, "2021-012A", 1e-7, -1e-3, "STARLINK-1", "on_station", 1, "shell_class", "if_left_alone_now"),
        (low, "2021-012A", 1e-7, 1e-2, "STARLINK-1", "on_station", 1, "shell_class", "if_left_alone_now"),
        (350.0, "2025-120A", 1e-3, 1e-3, "STARLINK-1", "raising", 1, "shell_class", "if_left_alone_now"),
        (high - 4.0, "2021-012A", 1e-3, 1e-2, "STARLINK-1", "lowering", 1, "shell_class", "if_left_alone_now"),
        (400.0, "2021-012A", 1e-3, 2e-3, "STARLINK-1", "lowering", 0, "drag_term", "if_it_goes_on_descending"),
        (400.0, "2021-012A", 0.0, 2e-3, "STARLINK-1", "stray", 0, "drag_term", "uncontrolled"),
        (low, "2021-012A", 1e-7, 2e-3, "STARLINK-1 DEB", "other", 0, "drag_term", "uncontrolled"),
        (low, "2021-012A", 1e-7, 2e-3, "A CUBESAT", "other", 0, "drag_term", "uncontrolled"),
    ]
    altitude, launch, dot, bstar, name, state, flag, source, meaning = (np.array(v) for v in zip(*cases, strict=True))
    some = satellites(altitude, bstar=bstar, name=name, mean_motion_dot=dot, international_designator=launch)
    some = some.replace(inclination_deg=53.13, epoch_day=there.epoch_day[0])
    found = cj.decay(there + some, years=0.5, space_weather=CONSTANT, ensemble=0)
    stations, cases_found = found.isel(satellite=slice(None, len(there))), found.isel(satellite=slice(len(there), None))
    assert [MATCH_STATES[k] for k in cases_found.match_state.values] == state.tolist()
    assert cases_found.manoeuvres.values.tolist() == flag.tolist()
    assert [decay_inputs.SOURCES[k] for k in cases_found.ballistic_coefficient_source.values] == source.tolist()
    assert [DECAY_MEANINGS[k] for k in cases_found.decay_meaning.values] == meaning.tolist()
    assert (stations.manoeuvres == 1).all()
    assert (stations.ballistic_coefficient == 0.015).all()  # as the shell file states
    # Like satellites live alike, whatever thrust put into their drag terms; the local time of their orbits makes metres.
    np.testing.assert_allclose(cases_found.mean_altitude[-1, 0], cases_found.mean_altitude[-1, 1], atol=0.02)
    for variable, names in (("match_state", MATCH_STATES), ("decay_meaning", DECAY_MEANINGS)):
        assert found[variable].attrs["flag_meanings"].split() == list(names)
        assert found[variable].attrs["flag_values"].tolist() == list(range(len(names)))


@pytest.mark.parametrize(
    "name", ["CryoSat-2", "Jason-2", "Jason-3", "Sentinel-3B", "oneweb_47258_gp", "starlink_50803_gp"]
)
def test_histories_of_kept_satellites_show_it(name: str, shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "series" / f"{name}.tle.gz")
    assert find_raised(catalog[-800:]).all()


@pytest.mark.parametrize(
    "name",
    [
        "series/dove-2_39132_2013-2017",
        "series/deb-1970-025qq_26821_2001-2017",
        "decay/delfi-pq_51074_2022-2024",
        "decay/genesat-1_29655_2006-2010",
        "decay/omid_33506_2009",
        "decay/reentries_2026_other",
    ],
)
def test_histories_of_passive_satellites_show_none(name: str, shared_data: Path) -> None:
    assert not find_raised(cj.read_catalog(shared_data / f"{name}.tle.gz")).any()
