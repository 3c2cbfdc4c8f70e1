"""Objects matched to shells: planes and slots of lattices with known answers, the rules for objects on their way, and the active
catalogue of 2026-08-22 against counts and lattices that other code measured from it."""

from pathlib import Path

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.studies.matching.lattice_fit import advance_to_epoch, fit_lattice
from constellation_jax.studies.matching.motion import find_systems

EPOCH = "2026-08-22"
SCATTER = 0.1
"""Scatter of right ascension and argument of latitude, in steps between planes or slots. Above 0.13 lattices are not found."""


def named(name: str, shell: str) -> cj.Shell:
    return next(s for s in cj.load_shells(name) if s.name == shell)


def altered(catalog: cj.Catalog, altitude_km: float, **columns) -> cj.Catalog:
    mean_motion = kozai_mean_motion_rev_per_day(altitude_km, catalog.eccentricity, catalog.inclination_deg)
    return catalog.replace(mean_motion_rev_per_day=mean_motion, **columns)


def secular_rates(catalog: cj.Catalog) -> np.ndarray:
    """Rates of right ascension and argument of latitude, rad/min, of the reference implementation of SGP4. Shape (2, n)."""
    rates = []
    for element in catalog:
        e = element.elements
        satellite = Satrec()
        satellite.sgp4init(
            WGS72, "i", 1, 28000.0, 0.0, 0.0, 0.0, e.eccentricity[0], e.arg_perigee[0], e.inclination[0],
            e.mean_anomaly[0], e.mean_motion[0], e.raan[0],
        )  # fmt: skip
        rates.append((satellite.nodedot, satellite.mdot + satellite.argpdot))
    return np.array(rates).T


def disturbed(shell: cj.Shell, *, seed: int = 0) -> cj.Catalog:
    """Make the catalogue of a shell as it would be observed: nine tenths of it, off its places, turned, each with its own epoch."""
    catalog = cj.shells_to_catalog(shell, epoch=EPOCH)
    random = np.random.default_rng(seed)
    catalog = catalog[np.sort(random.permutation(len(catalog))[: len(catalog) * 9 // 10])]
    n = len(catalog)
    plane_step = shell.pattern.raan_arc_deg / shell.pattern.planes
    raan = catalog.raan_deg + plane_step * (0.2 + np.clip(random.normal(0, SCATTER, n), -0.25, 0.25))
    slot_step = 360.0 / shell.pattern.per_plane
    anomaly = catalog.mean_anomaly_deg + slot_step * (0.1 + np.clip(random.normal(0, SCATTER, n), -0.3, 0.3))
    days = random.uniform(-0.5, 0.5, n)
    days -= np.median(days)  # the fit holds at the median epoch: there the labels are those of the file
    node_rate, latitude_rate = secular_rates(catalog) * (1440.0 * 360.0 / (2 * np.pi))
    return catalog.replace(
        epoch_day=catalog.epoch_day + np.floor(days).astype(int),
        epoch_fraction=days - np.floor(days),
        raan_deg=np.mod(raan + node_rate * days, 360.0),
        mean_anomaly_deg=np.mod(anomaly + latitude_rate * days, 360.0),
    )


def test_the_common_epoch_is_that_of_sgp4() -> None:
    catalog = cj.shells_to_catalog(cj.load_shells("starlink:gen2-flown"), epoch=EPOCH)[::200]
    rates = secular_rates(catalog) * (3 * 1440.0 * 360.0 / (2 * np.pi))
    raan, latitude = advance_to_epoch(catalog, float(catalog.epoch_day[0]) + 3.0)
    start = catalog.raan_deg, catalog.arg_perigee_deg + catalog.mean_anomaly_deg
    wrapped = [np.mod(x + 180, 360) - 180 for x in (raan - start[0] - rates[0], latitude - start[1] - rates[1])]
    # What the second order in J2 leaves in three days; the planes of the densest shell are 2 degrees apart, the slots 7.
    assert np.abs(wrapped[0]).max() < 0.05
    assert np.abs(wrapped[1]).max() < 0.05


@pytest.mark.parametrize(
    ("name", "shell"),
    [
        ("guowang:flown", "D-50"),
        ("guowang:flown", "D-86"),
        ("kuiper:flown", "D-630"),
        ("starlink:gen2-flown", "V2M-43"),
        ("starlink:gen2-flown", "V2M-53"),
        ("starlink:gen1-flown", "Group 1"),
        ("honghu-3", None),
        ("iridium:nominal", "N-86"),
    ],
)
def test_planes_and_slots_of_a_lattice_are_found(name: str, shell: str | None) -> None:
    stated = named(name, shell) if shell else cj.load_shells(name)[0]
    catalog = disturbed(stated)
    match = cj.match_shells(catalog, [stated])
    assert set(match.state.tolist()) == {"on_station"}
    assert match.shells[0].on_station == len(catalog)
    np.testing.assert_array_equal(match.plane, catalog.plane)
    np.testing.assert_array_equal(match.slot, catalog.slot)
    fit = match.shells[0].fit
    assert (fit.planes, fit.slots_per_plane, fit.phasing) == (
        stated.pattern.planes,
        stated.pattern.per_plane,
        stated.pattern.phasing,
    )
    # What is left is the scatter that was put in.
    assert np.std(match.raan_residual_deg) == pytest.approx(SCATTER * fit.raan_step_deg, rel=0.2)
    assert np.std(match.latitude_residual_deg) == pytest.approx(SCATTER * 360 / fit.slots_per_plane, rel=0.25)


def test_planes_at_altitudes_of_their_own_have_slots_of_their_own() -> None:
    stated = named("oneweb:flown", "D-88")
    catalog = cj.shells_to_catalog(stated, epoch=EPOCH)
    # Three weeks later the planes have drifted against each other, and no phasing is left.
    drift = secular_rates(catalog)[1] * (21 * 1440.0 * 360.0 / (2 * np.pi))
    catalog = catalog.replace(mean_anomaly_deg=np.mod(catalog.mean_anomaly_deg + drift, 360.0))
    match = cj.match_shells(catalog, [stated])
    np.testing.assert_array_equal(match.plane, catalog.plane)
    assert match.shells[0].fit.slots_per_plane == stated.pattern.per_plane
    assert match.shells[0].fit.phasing == -1
    assert np.abs(match.altitude_offset_km).max() < 1e-6
    for plane in range(stated.pattern.planes):
        lattice = (catalog.plane == plane) & (catalog.slot < stated.pattern.per_plane)
        assert len(np.unique((match.slot - catalog.slot)[lattice] % stated.pattern.per_plane)) == 1


def test_a_lattice_that_no_one_stated_is_found() -> None:
    stated = named("starlink:gen1-flown", "Group 2")
    catalog = cj.shells_to_catalog(stated, epoch=EPOCH)
    fit = fit_lattice(*advance_to_epoch(catalog, float(catalog.epoch_day[0])), None)
    assert (fit.planes, fit.slots_per_plane, fit.phasing) == (36, 16, 17)


def test_satellites_without_a_lattice_get_none() -> None:
    random = np.random.default_rng(1)
    fit = fit_lattice(random.uniform(0, 360, 300), random.uniform(0, 360, 300), named("kuiper:flown", "D-630"))
    assert (fit.planes, fit.slots_per_plane) == (0, 0)
    assert (fit.plane == -1).all()
    in_planes = fit_lattice(np.repeat([0.0, 120.0, 240.0], 40), random.uniform(0, 360, 120), None)
    assert (in_planes.planes, in_planes.slots_per_plane) == (3, 0)
    assert sorted(in_planes.slot[:40].tolist()) == list(range(40))


def test_the_first_planes_of_a_star_may_be_empty_and_one_node_astray() -> None:
    stated = named("qianfan:flown", "D-89")
    catalog = cj.shells_to_catalog(stated, epoch=EPOCH)
    catalog = catalog[(catalog.plane > 1) & (catalog.slot < stated.pattern.per_plane)]
    catalog = catalog.replace(raan_deg=np.where(np.arange(len(catalog)) == 5, 300.0, catalog.raan_deg))
    match = cj.match_shells(catalog, [stated])
    expected = np.where(np.arange(len(catalog)) == 5, -1, catalog.plane)
    np.testing.assert_array_equal(match.plane, expected)
    np.testing.assert_array_equal(match.slot, np.where(expected < 0, -1, catalog.slot))


def test_what_is_off_station_is_told_by_age_and_derivative() -> None:
    shells = cj.load_shells("kuiper:flown")
    fleet = cj.shells_to_catalog(shells, epoch=EPOCH)
    fleet = fleet.replace(international_designator="2025-080A")
    # mean_motion_dot of 1e-3 rev/day^2 is 0.6 km a day downwards here
    cases = [
        ("raising", 500.0, "2026-180A", 1e-4),  # young, and drag lowers it while it waits
        ("raising", 500.0, "2021-010A", -1e-2),  # old, and climbs
        ("lowering", 500.0, "2021-010A", 1e-3),
        ("stray", 500.0, "2021-010A", 0.0),
        ("stray", 500.0, "2021-010A", -1e-4),  # a climb too small to be believed
        ("stray", 700.0, "2026-180A", 0.0),  # young, but above every shell
        ("lowering", 700.0, "2021-010A", 1e-3),
        ("on_station", 640.9, "2026-180A", 1e-3),
        ("stray", 500.0, "", 0.0),  # nothing known of its launch
    ]
    others = [
        altered(fleet[0], altitude, international_designator=launch, mean_motion_dot=dot)
        for _, altitude, launch, dot in cases
    ]
    tilted = fleet[0].replace(inclination_deg=33.0)
    foreign = fleet[0].replace(name="ISS (ZARYA)")
    match = cj.match_shells(cj.Catalog.concatenate([fleet, *others, tilted, foreign]), shells)
    assert match.state[len(fleet) :].tolist() == [case[0] for case in cases] + ["stray", "other"]
    assert match.shell[len(fleet) :].tolist() == ["D-630"] * len(cases) + ["", ""]
    assert (match.plane[match.state != "on_station"] == -1).all()
    assert match.shells[0][5:9] == (len(fleet) + 1, 2, 2, 4)
    assert match.shells[1][5:9] == (0, 0, 0, 1)
    assert match.altitude_offset_km[len(fleet)] == pytest.approx(-130.0, abs=1e-6)


def test_an_unlisted_shell_is_found_and_narrows_the_others() -> None:
    shell = named("starlink:gen2-flown", "V2M-43")
    listed = cj.shells_to_catalog(shell, epoch=EPOCH)
    unlisted = altered(listed[::20], 491.0)
    passing = altered(listed[:1], 488.0)
    launch = altered(listed[:60], 450.0)  # in few planes: it waits there
    match = cj.match_shells(cj.Catalog.concatenate([listed, unlisted, passing, launch]), [shell])
    found = {row.shell: row for row in match.shells}
    assert found.keys() == {"V2M-43", "491.0 km 43.0 deg"}
    assert found["V2M-43"].on_station == len(listed)
    assert (found["491.0 km 43.0 deg"].on_station, found["491.0 km 43.0 deg"].expected) == (len(unlisted), None)
    assert set(match.state[len(listed) + len(unlisted) :].tolist()) == {"stray"}  # 3 km off: more than a third of 6


def test_names_tell_the_system() -> None:
    names = np.array(
        ["STARLINK-1 [DTC]", "HULIANWANG DIGUI-01", "HULIANWAN GAOGUI-01", "ASTRA 1N", "SPACEMOBILE-001", "LEO 3"]
    )
    found = find_systems(names, ["Starlink", "Guowang", "AST", "Kuiper"])
    assert found.tolist() == ["Starlink", "Guowang", "", "", "AST", ""]


def test_tagged_satellites_are_under_way_to_shells_of_their_tag_alone() -> None:
    shells = [named("starlink:gen2-flown", name) for name in ("DTC-43", "V2M-43")]
    tagged, plain = (cj.shells_to_catalog(shell, epoch=EPOCH) for shell in shells)
    tagged = tagged.replace(name=np.strings.add(tagged.name, " [DTC]"))
    tagged += tagged[:1].replace(name="STARLINK-1234")  # one that passes by
    rising = altered(plain[:1], 300.0, international_designator="2026-180A")
    rising += altered(tagged[:1], 300.0, international_designator="2026-180A")
    match = cj.match_shells(cj.Catalog.concatenate([tagged, plain, rising]), shells)
    assert match.shell[-2:].tolist() == ["V2M-43", "DTC-43"]


@pytest.mark.parametrize(("take", "shells"), [(0, None), (1, [])])
def test_nothing_to_match_is_an_error(take: int, shells: list | None) -> None:
    with pytest.raises(cj.InputError, match="given: at least one is needed"):
        cj.match_shells(cj.bundled_population()[:take], shells)


def test_a_shell_needs_a_system() -> None:
    shell = shell_of(name="low", altitude_km=550, inclination_deg=53, planes=3, satellites_per_plane=4)
    with pytest.raises(cj.InputError, match="shell 'low': no system, expected one"):
        cj.match_shells(cj.shells_to_catalog(shell), shell)


def test_the_bundled_population_is_matched_to_what_it_was_made_from() -> None:
    population = cj.bundled_population()
    match = cj.match_shells(population)
    counts = {row.shell: row.on_station for row in match.shells if row.system == "Starlink"}
    expected = {
        "Group 1": 793,
        "Group 4": 1412,
        "Group 2": 390,
        "Group 3": 210,
        "561.0 km 43.0 deg": 1292,
        "V2M-43": 1241,
    }
    assert {name: counts[name] for name in expected} == expected


# --- the active catalogue of 2026-08-22 ---

MEASURED = {
    # (system, shell): satellites, planes, slots, F; measured from the same day's TLEs by other code. None: not a clean lattice.
    ("Starlink", "Group 2"): (688, 36, 16, 17),
    ("Starlink", "V2M-43"): (3230, 99, 51, 35),
    ("Starlink", "V2M-53"): (2457, 180, 31, 145),
    ("Starlink", "471.0 km 53.2 deg"): (959, None, None, None),
    ("Starlink", "460.0 km 53.2 deg"): (367, None, None, None),
    ("Starlink", "465.5 km 53.2 deg"): (204, None, None, None),
    ("Starlink", "475.5 km 53.2 deg"): (87, None, None, None),
    ("Starlink", "Group 4"): (138, None, None, None),
    ("Starlink", "V2M-97"): (1041, 93, 48, None),
    ("Starlink", "V2M-97-high"): (163, 42, 48, 24),
    ("Starlink", "DTC-53"): (310, 24, 13, 6),
    ("Starlink", "DTC-43"): (327, 26, 12, 11),
    ("Kuiper", "D-630"): (313, 288, 4, 167),
    ("OneWeb", "D-88"): (647, 12, None, None),
    ("Guowang", "D-50"): (108, 12, 18, 7),
    ("Guowang", "D-86"): (60, 6, 10, 3),
    ("Qianfan", "D-89"): (177, 9, 36, None),
    ("Iridium", "D-86"): (67, 6, 11, None),
    ("Globalstar", "D-52"): (24, 8, 3, None),
    ("Rassvet", "D-508"): (12, None, None, None),
}


@pytest.fixture(scope="module")
def active(shared_data: Path) -> tuple[cj.Catalog, "cj.studies.matching.ShellMatch"]:  # type: ignore[name-defined]
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    return catalog, cj.match_shells(catalog)


def test_the_shells_of_the_active_catalogue(active) -> None:
    rows = {(row.system, row.shell): row for row in active[1].shells}
    for key, (satellites, *lattice) in MEASURED.items():
        row = rows.pop(key)
        assert row.on_station == pytest.approx(satellites, rel=0.03), key
        found = (row.fit.planes, row.fit.slots_per_plane, row.fit.phasing)
        assert all(b in (None, a) for a, b in zip(found, lattice, strict=True)), (key, found)
    # Of what is left, only AST has more than one on station.
    assert {key for key, row in rows.items() if row.on_station > 1} == {("AST", "D-505"), ("AST", "D-528")}


def test_every_object_is_counted_once(active) -> None:
    catalog, match = active
    for state in ("on_station", "raising", "lowering", "stray"):
        assert sum(getattr(row, state) for row in match.shells) == int(np.sum(match.state == state))
    assert np.sum(match.system == "Starlink") == np.sum(np.strings.startswith(catalog.name, "STARLINK"))


def test_what_is_called_lowering_went_down(active, shared_data: Path) -> None:
    catalog, match = active
    before = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-19.tle.gz")
    _, now, then = np.intersect1d(catalog.norad_id, before.norad_id, return_indices=True)
    days = (catalog.epoch[now] - before.epoch[then]) / np.timedelta64(1, "D")
    risen = catalog.mean_altitude_km[now] - before.mean_altitude_km[then]
    rate, state = (risen / np.maximum(days, 1.0))[days > 1], match.state[now][days > 1]
    assert np.mean(rate[state == "lowering"] < -0.03) > 0.95
    assert np.mean(rate[state == "raising"] > -0.03) > 0.7  # the others wait in a low orbit, or have failed
