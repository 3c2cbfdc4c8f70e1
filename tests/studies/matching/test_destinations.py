"""Shells to which raising satellites climb, satellites that wait for their plane, and what is not on station though it is there."""

from pathlib import Path

import numpy as np
import pytest
from test_matching import EPOCH, altered, named

import constellation_jax as cj
from constellation_jax.studies.matching.motion import find_remains


def fleet_of(shell: cj.Shell, launch: str, **columns) -> cj.Catalog:
    catalog = cj.shells_to_catalog(shell, epoch=EPOCH)
    return catalog.replace(international_designator=launch, synthetic=False, mean_motion_dot=1e-6, **columns)


def test_a_launch_goes_where_the_launches_about_it_went() -> None:
    """The old shell is the fuller one; the launches of the last months are in the new one, which lies lower."""
    new = named("starlink:gen2-flown", "V2M-43")
    old = new.replace(name="old", altitude_km=561.0)
    there = fleet_of(old, "2023-050A") + fleet_of(new, "2026-010A")[::4]
    rising = altered(there[:3], 350.0, international_designator=["2026-020A", "2023-051A", "2026-030A"])
    last = altered(there[:1], 520.0, international_designator="2026-030A")  # above the new one already
    catalog = cj.Catalog.concatenate([there, rising.replace(mean_motion_dot=-1e-3), last])
    match = cj.match_shells(catalog, [old, new])
    assert match.state[len(there) :].tolist() == ["raising"] * 4
    assert match.shell[len(there) :].tolist() == ["V2M-43", "old", "V2M-43", "old"]


def test_an_inclination_tells_the_altitude_that_a_satellite_is_bound_for() -> None:
    """97.28 degrees are sun-synchronous at 462.5 km, 97.60 at 546.5: no satellite need be in the shell yet."""
    shells = [named("starlink:gen2-flown", name) for name in ("V2M-97", "V2M-97-high")]
    there = fleet_of(shells[1], "2026-010A")
    low, high = (there[:1].replace(inclination_deg=i, mean_motion_dot=-1e-3) for i in (97.284, 97.603))
    rising = altered(low + high, 350.0, international_designator="2026-030A")
    match = cj.match_shells(there + rising, shells)
    assert match.shell[len(there) :].tolist() == ["V2M-97", "V2M-97-high"]


def test_who_waits_for_a_plane_is_raising() -> None:
    shell = named("starlink:gen2-flown", "V2M-43")
    there = fleet_of(shell, "2024-050A")
    random = np.random.default_rng(0)
    some = there[:80].replace(raan_deg=random.uniform(0.0, 360.0, 80))
    waiting, near = altered(some, 446.0), altered(some, 479.0)
    match = cj.match_shells(cj.Catalog.concatenate([there, waiting, near]), [shell])
    assert match.state[len(there) : -80].tolist() == ["raising"] * 80
    assert match.shell[len(there) : -80].tolist() == ["V2M-43"] * 80
    # Six kilometres below, the nodes turn at almost the same rate: that is a shell, with or without planes.
    assert {row.shell: row.on_station for row in match.shells} == {"479.0 km 43.0 deg": 80, "V2M-43": len(there)}


def test_debris_and_replaced_satellites_are_not_on_station() -> None:
    shell = named("iridium:nominal", "N-86")
    there = fleet_of(shell, "2017-003A", name="IRIDIUM 101")
    plane = there.raan_deg[0]
    others = [
        ("IRIDIUM 33 DEB", "1997-051BF", 0.0, "other"),
        ("IRIDIUM 63", "1998-021B", 0.0, "stray"),
        ("IRIDIUM 119", "2017-003B", 14.0, "stray"),  # between two planes
        ("IRIDIUM 120", "2017-003C", 1.0, "on_station"),
    ]
    added = [
        there[:1].replace(name=name, international_designator=launch, raan_deg=plane + off)
        for name, launch, off, _ in others
    ]
    match = cj.match_shells(cj.Catalog.concatenate([there, *added]), [shell])
    assert match.state[len(there) :].tolist() == [state for *_, state in others]
    assert match.shells[0].on_station == len(there) + 1
    assert (match.plane[match.state != "on_station"] == -1).all()


def test_satellites_beside_each_other_are_a_plane_wherever_it_is() -> None:
    shell = named("iridium:nominal", "N-86")
    there = fleet_of(shell, "2017-003A", name="IRIDIUM 101")
    added = there[there.plane == 0][:4]
    match = cj.match_shells(there + added.replace(raan_deg=added.raan_deg + 14.0), [shell])
    assert set(match.state.tolist()) == {"on_station"}


def test_names_and_types_tell_debris() -> None:
    names = ["SL-16 DEB", "FREGAT DEB (TANK)", "CZ-6A R/B", "LEASAT 4 PKM", "ORIZURU (DEBUT)", "ONEWEB-0013", "DEBRIS"]
    some = cj.bundled_population()[: len(names)].replace(name=names)
    assert find_remains(some).tolist() == [True, True, True, True, False, False, False]
    typed = some.replace(object_type=["", "", "", "", "ROCKET BODY", "PAYLOAD", "DEBRIS"])
    assert find_remains(typed).tolist() == [True, True, True, True, True, False, True]


def test_a_type_travels_with_the_catalogue() -> None:
    some = cj.bundled_population()[:3].replace(object_type=["PAYLOAD", "", "DEBRIS"])
    for kind in ("csv", "json"):
        assert cj.read_catalog(some.to_omm(kind)).object_type.tolist() == ["PAYLOAD", "", "DEBRIS"]
    assert "OBJECT_TYPE" not in some[1:2].to_omm("csv")


def test_what_descends_below_all_waiting_has_failed() -> None:
    shell = named("kuiper:flown", "D-630")
    there = fleet_of(shell, "2025-080A")
    young = there[:2].replace(international_designator="2026-180A", mean_motion_dot=1e-2)
    match = cj.match_shells(
        cj.Catalog.concatenate([there, altered(young[:1], 280.0), altered(young[1:], 450.0)]), shell
    )
    assert match.state[-2:].tolist() == ["lowering", "raising"]


@pytest.mark.parametrize("dropped", [["mean_motion_dot"], ["mean_motion_dot", "bstar"], ["international_designator"]])
def test_what_a_catalogue_lacks_is_said(dropped: list[str], caplog: pytest.LogCaptureFixture) -> None:
    shell = named("kuiper:flown", "D-630")
    there = fleet_of(shell, "2021-010A", bstar=1e-5)
    sinks = altered(there[:1], 500.0, mean_motion_dot=1e-3, bstar=1e-2)
    climbs = altered(there[:1], 500.0, mean_motion_dot=-1e-2, bstar=-1e-1)
    whole = cj.Catalog.concatenate([there, sinks, climbs])
    assert cj.match_shells(whole, shell).notes == ()
    assert not caplog.records
    empty = {"international_designator": ""}
    match = cj.match_shells(whole.replace(**{key: empty.get(key, 0.0) for key in dropped}), shell)
    expected = ["stray", "stray"] if "bstar" in dropped else ["lowering", "raising"]
    assert match.state[-2:].tolist() == expected
    assert len(match.notes) == 1
    assert match.notes[0].startswith({"mean_motion_dot": "MEAN_MOTION_DOT"}.get(dropped[0], "OBJECT_ID"))
    assert match.notes[0] in caplog.text


# --- full catalogues and later dates ---


@pytest.fixture(scope="module")
def full(shared_data: Path) -> tuple[cj.Catalog, cj.ShellMatch]:
    """Catalogue of 2026-03-10 with its debris: 18,407 of some 30,000 objects, so that counts are at most those of the operators."""
    catalog = cj.read_catalog(shared_data / "conjunction" / "socrates_2026-03-10T04_elements_18407.omm.csv.gz")
    return catalog, cj.match_shells(catalog)


def test_a_full_catalogue_has_no_more_on_station_than_there_are(full) -> None:
    catalog, match = full
    rows = {(row.system, row.shell): row.on_station for row in match.shells}
    assert (rows["Iridium", "D-86"], rows["Globalstar", "D-52"]) == (67, 24)  # as in the active catalogues of 2026-08
    assert rows["AST", "D-505"] == 6
    remains = find_remains(catalog)
    assert remains.sum() > 4000
    assert set(match.state[remains].tolist()) == {"other"}


def test_raising_satellites_arrived_at_the_shell_that_was_named(full, shared_data: Path) -> None:
    """Those of 2025-05-25 that are on station on 2026-03-10. 771 of 775; the others followed a shell that moved as a whole."""
    before = cj.read_catalog(shared_data / "omm" / "starlink_2025-05-25.omm.json.gz")
    named_then, (catalog, match) = cj.match_shells(before), full
    _, then, now = np.intersect1d(before.norad_id, catalog.norad_id, return_indices=True)
    arrived = (named_then.state[then] == "raising") & (match.state[now] == "on_station")
    assert arrived.sum() > 700
    assert np.mean(named_then.shell[then][arrived] == match.shell[now][arrived]) > 0.95
