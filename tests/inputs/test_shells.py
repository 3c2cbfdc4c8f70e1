"""Shell files and their lattices: totals, geometry against Walker's definition, and every kind of bad input."""

import time
from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.shells import (
    Shell,
    known_shells,
    load_shells,
    shells_to_catalog,
    uniform_numbers,
)

MICRODEGREE = 1e-6
MILLIMETRE = 1e-6  # km


def angle_between(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.abs(np.mod(a - b + 180.0, 360.0) - 180.0)


def positions_km(catalog: object) -> np.ndarray:
    """Two-body positions at the epoch for the mean elements, e taken as 0."""
    u = np.radians(catalog.arg_perigee_deg + catalog.mean_anomaly_deg)
    node, i = np.radians(catalog.raan_deg), np.radians(catalog.inclination_deg)
    r = catalog.mean_altitude_km + 6378.137
    x = np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * np.cos(i)
    y = np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * np.cos(i)
    return r[:, None] * np.stack([x, y, np.sin(u) * np.sin(i)], axis=-1)


# --- the files that come with the package ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "shells", "total"), [("guowang", 7, 12_992), ("qianfan", 1, 1_296), ("kuiper", 4, 3_232)]
)
def test_totals_are_the_filed_ones(name: str, shells: int, total: int) -> None:
    loaded = load_shells(name)
    assert (len(loaded), sum(s.total for s in loaded)) == (shells, total)
    assert len(shells_to_catalog(loaded)) == total
    assert name in known_shells()


def test_kuiper_has_a_second_variant() -> None:
    filed = load_shells("kuiper:filed")
    assert [(s.altitude_km, s.total, s.phasing) for s in filed] == [(590, 784, 1), (610, 1296, 3), (630, 1156, 3)]


def test_the_filed_numbers_say_where_they_come_from() -> None:
    for name in known_shells():
        for shell in load_shells(name):
            assert all(p.status and p.source for p in shell.provenance.values()), shell.name
    shell = load_shells("guowang")[0]
    assert shell.provenance["altitude_km"] == ("filed", "JSR")
    assert shell.provenance["phasing"].status == "assumed"


@pytest.mark.parametrize("name", ["guowang", "qianfan", "kuiper", "kuiper:filed"])
def test_no_two_satellites_at_one_place(name: str) -> None:
    catalog = shells_to_catalog(load_shells(name))
    smallest_distance_km = 1.0
    assert np.unique(np.floor(positions_km(catalog) / smallest_distance_km), axis=0).shape == (len(catalog), 3)
    assert len(set(catalog.name.tolist())) == len(catalog)


# --- the lattice ----------------------------------------------------------------------------------------------------


def test_a_delta_lattice_is_walkers() -> None:
    shell = Shell(name="W", altitude_km=550, inclination_deg=53, planes=6, satellites_per_plane=4, phasing=5)
    catalog = shells_to_catalog(shell, epoch="2026-01-01T12:00:00Z")
    assert catalog.plane.tolist() == np.repeat(np.arange(6), 4).tolist()
    assert catalog.slot.tolist() == np.tile(np.arange(4), 6).tolist()
    assert catalog.raan_deg.tolist() == np.repeat(60.0 * np.arange(6), 4).tolist()
    ahead = catalog.mean_anomaly_deg[catalog.slot == 0]
    assert angle_between(np.diff(ahead), 360.0 * 5 / 24).max() < MICRODEGREE  # Walker: F * 360 / T
    assert angle_between(np.diff(catalog.mean_anomaly_deg[:4]), 90.0).max() < MICRODEGREE
    assert str(catalog.epoch[0]) == "2026-01-01T12:00:00.000000000"
    assert (catalog.epoch_day[0], catalog.epoch_fraction[0]) == (61041, 0.5)


def test_a_star_lattice_spans_half_a_turn() -> None:
    shell = Shell(name="S", altitude_km=780, inclination_deg=86.4, planes=6, satellites_per_plane=11, walker="star")
    assert shells_to_catalog(shell).raan_deg[::11].tolist() == [0.0, 30.0, 60.0, 90.0, 120.0, 150.0]
    wider = Shell(
        name="S", altitude_km=780, inclination_deg=86.4, planes=6, satellites_per_plane=11, raan_spread_deg=189.6
    )
    np.testing.assert_allclose(np.diff(shells_to_catalog(wider).raan_deg[::11]), 31.6)


def test_altitude_is_the_brouwer_semi_major_axis() -> None:
    catalog = shells_to_catalog(load_shells("guowang"))
    altitude = np.concatenate([np.full(s.total, float(s.altitude_km)) for s in load_shells("guowang")])
    assert np.abs(catalog.mean_altitude_km - altitude).max() < MILLIMETRE


def test_argument_of_perigee_moves_no_satellite() -> None:
    shell = {"name": "P", "altitude_km": 550, "inclination_deg": 53, "planes": 3, "satellites_per_plane": 5}
    round_orbit = shells_to_catalog(Shell(**shell))
    frozen = shells_to_catalog(Shell(**shell, eccentricity=1e-3, arg_perigee_deg=90.0))
    latitude = frozen.arg_perigee_deg + frozen.mean_anomaly_deg
    assert angle_between(latitude, round_orbit.mean_anomaly_deg).max() < MICRODEGREE


def test_planes_with_altitudes_of_their_own() -> None:
    shell = Shell(
        name="A",
        altitude_km=1200,
        inclination_deg=87.9,
        planes=3,
        satellites_per_plane=2,
        plane_altitudes_km=(1190.0, 1200.0, 1210.0),
    )
    altitude = shells_to_catalog(shell).mean_altitude_km
    assert np.abs(altitude - [1190.0, 1190.0, 1200.0, 1200.0, 1210.0, 1210.0]).max() < MILLIMETRE


def test_occupancy_is_drawn_by_the_seed() -> None:
    shell = {"name": "O", "altitude_km": 550, "inclination_deg": 53, "planes": 8, "satellites_per_plane": 10}
    catalog = shells_to_catalog(Shell(**shell, occupancy=0.5, seed=1))
    assert len(catalog) == Shell(**shell, occupancy=0.5).total == 40
    again = shells_to_catalog(Shell(**shell, satellites=40, seed=1))
    np.testing.assert_array_equal(catalog.name, again.name)
    other = shells_to_catalog(Shell(**shell, occupancy=0.5, seed=2))
    assert set(catalog.name.tolist()) != set(other.name.tolist())
    full = shells_to_catalog(Shell(**shell))
    assert set(catalog.mean_anomaly_deg.tolist()) <= set(full.mean_anomaly_deg.tolist())
    three = shells_to_catalog(Shell(**shell, occupied_planes=3))
    assert (len(three), len(set(three.plane.tolist()))) == (30, 3)


def test_spares_ride_beside_the_lattice() -> None:
    shell = Shell(name="X", altitude_km=540, inclination_deg=53, planes=4, satellites_per_plane=18, spares=5)
    catalog = shells_to_catalog(shell)
    assert len(catalog) == shell.total == 77
    spares = catalog.select(slot=(18, None))
    assert len(spares) == 5
    for spare in spares:
        beside = catalog.select(plane=spare.plane, slot=spare.slot - 18)
        assert angle_between(spare.mean_anomaly_deg, beside.mean_anomaly_deg + 5.0).max() < MICRODEGREE


def test_names_and_marks_of_the_catalogue() -> None:
    catalog = shells_to_catalog(load_shells("guowang"))
    k = np.flatnonzero((catalog.shell == "GW-A59-2") & (catalog.plane == 3) & (catalog.slot == 17))
    assert catalog.name[k].tolist() == ["GUOWANG GW-A59-2 P03 S17"]
    assert set(catalog.source.tolist()) == {"shells:guowang"}
    assert catalog.synthetic.all()
    assert (catalog.norad_id == -1).all()


def test_a_hundred_thousand_satellites_in_a_second() -> None:
    shell = Shell(name="B", altitude_km=500, inclination_deg=50, planes=320, satellites_per_plane=320)
    start = time.perf_counter()
    assert len(shells_to_catalog(shell)) == 102_400
    assert time.perf_counter() - start < 1.0


def test_draws_equal_those_of_a_numpy_generator() -> None:
    np.testing.assert_array_equal(uniform_numbers(7, 100), np.random.Generator(np.random.PCG64(7)).random(100))
    np.testing.assert_allclose(uniform_numbers(7, 2), [0.625095466604667, 0.8972138009695755], rtol=1e-15)


# --- bad input ------------------------------------------------------------------------------------------------------

GOOD = """
system = "Mine"

[[shells]]
name = "a"
altitude_km = 550
inclination_deg = 53.0
planes = 6
satellites_per_plane = 4
"""


def mistakes(folder: Path, text: str) -> list[str]:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputErrors) as caught:
        load_shells(path)
    assert str(caught.value) == "\n".join(caught.value.messages)
    return [m.removeprefix(f"{path}, ") for m in caught.value.messages]


def test_a_file_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + 'phasing = { status = "unknown" }\n', encoding="utf-8")
    for given in (path, str(path)):
        (shell,) = load_shells(given)
        assert (shell.system, shell.total, shell.phasing) == ("Mine", 24, 0)
        assert shell.provenance["phasing"].status == "unknown"
    assert shells_to_catalog([shell]).source[0] == "shells:mine"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("total = 25", "line 10, shell 'a', total: found 25, expected planes x satellites_per_plane = 6 x 4 = 24"),
        ("phasing = 6", "line 10, shell 'a', phasing: found 6, expected 0 to 5 (planes - 1)"),
        ("phasing = -1", "line 10, shell 'a', phasing: found -1, expected a whole number of at least 0"),
        ("phasing = 1.5", "line 10, shell 'a', phasing: found 1.5, expected a whole number of at least 0"),
        ("phasing = true", "line 10, shell 'a', phasing: found True, expected a whole number of at least 0"),
        ("phasing = '1'", "line 10, shell 'a', phasing: found '1', expected a whole number of at least 0"),
        ("walker = 'ring'", "line 10, shell 'a', walker: found 'ring', expected 'delta' or 'star'"),
        ("eccentricity = 1.0", "line 10, shell 'a', eccentricity: found 1.0, expected a number from 0 to below 1"),
        ("bstar = nan", "line 10, shell 'a', bstar: found nan, expected a number (1/Earth radii)"),
        ("occupancy = 0", "line 10, shell 'a', occupancy: found 0, expected a number above 0, up to 1"),
        ("satellites = 25", "line 10, shell 'a', satellites: found 25, expected at most 24 (the slots)"),
        ("spares = 25", "line 10, shell 'a', spares: found 25, expected at most 24 (the filled slots)"),
        ("occupied_planes = 7", "line 10, shell 'a', occupied_planes: found 7, expected at most 6 (planes)"),
        (
            "raan_spread_deg = 361",
            "line 10, shell 'a', raan_spread_deg: found 361, expected a number above 0, up to 360 degrees",
        ),
        (
            "plane_altitudes_km = [550, 551]",
            "line 10, shell 'a', plane_altitudes_km: found 2 altitudes, expected one for each of 6 planes",
        ),
        (
            "plane_altitudes_km = [550, 20]",
            "line 10, shell 'a', plane_altitudes_km: found [550, 20], expected a list of numbers of at least 120 km",
        ),
        ("phasng = 1", "line 10, shell 'a', phasng: unknown key, did you mean 'phasing'?"),
        (
            "phasing = { value = 1, status = 'guessed' }",
            "line 10, shell 'a', phasing, status: found 'guessed', expected one of filed, deployed, announced, "
            "estimated, assumed, unknown",
        ),
        (
            "phasing = { valu = 1 }",
            "line 10, shell 'a', phasing: unknown key 'valu', did you mean 'value'?\n"
            "line 10, shell 'a', phasing: found no value, expected a whole number of at least 0",
        ),
        ("source = 5", "line 10, shell 'a', source: found 5, expected text"),
        (
            "source = 'JSK'\n[sources]\nJSR = 'tables'",
            "line 10, shell 'a', source: found 'JSK', expected a key of [sources], did you mean 'JSR'?",
        ),
        (
            "[[shells]]\nname = 'b'\nplanes = 2",
            "line 10, shell 'b', altitude_km: missing, expected a number of at least 120 km\n"
            "line 10, shell 'b', inclination_deg: missing, expected a number from 0 to 180 degrees\n"
            "line 10, shell 'b', satellites_per_plane: missing, expected a whole number of at least 1",
        ),
    ],
)
def test_bad_shells(tmp_path: Path, line: str, message: str) -> None:
    assert "\n".join(mistakes(tmp_path, GOOD + line + "\n")) == message


def test_all_mistakes_of_a_file_at_once_in_the_order_of_lines(tmp_path: Path) -> None:
    text = (
        GOOD.replace("= 550", "= 55").replace("= 53.0", "= 181")
        + "total = 24\n"
        + GOOD.replace('system = "Mine"', "").replace("planes = 6", "planes = 6.0")
        + "[[shells]]\nplanes = 0\n"
        + "[tables]\nx = 1\n"
    )
    assert mistakes(tmp_path, text) == [
        "line 6, shell 'a', altitude_km: found 55, expected a number of at least 120 km",
        "line 7, shell 'a', inclination_deg: found 181, expected a number from 0 to 180 degrees",
        "line 15, shell 'a', name: already the name of the shell on line 5",
        "line 18, shell 'a', planes: found 6.0, expected a whole number of at least 1",
        "line 20, shell number 3, name: missing, expected a name",
        "line 20, shell number 3, altitude_km: missing, expected a number of at least 120 km",
        "line 20, shell number 3, inclination_deg: missing, expected a number from 0 to 180 degrees",
        "line 20, shell number 3, satellites_per_plane: missing, expected a whole number of at least 1",
        "line 21, shell number 3, planes: found 0, expected a whole number of at least 1",
        "line 22, tables: unknown key; known are title, system, sources, default_variant, shells",
    ]


def test_occupancy_and_satellites_exclude_each_other(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD + "satellites = 5\noccupancy = 0.5\n") == [
        "line 11, shell 'a', occupancy: found beside satellites, expected one of the two"
    ]


def test_a_stated_total_of_a_partly_filled_shell(tmp_path: Path) -> None:
    assert mistakes(tmp_path, GOOD + "satellites = 5\nspares = 1\ntotal = 7\n") == [
        "line 12, shell 'a', total: found 7, expected 5 filled slots and 1 spares = 6"
    ]


def test_files_that_hold_no_shells(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "title = 'x'\n") == ["line 1, shells: expected at least one [[shells]] table"]
    assert mistakes(tmp_path, "shells = 5\ntitle = 3\n") == [
        "line 1, shells: expected at least one [[shells]] table",
        "line 2, title: found 3, expected text",
    ]


def test_a_required_number_cannot_be_unknown(tmp_path: Path) -> None:
    text = GOOD.replace("planes = 6", "planes = { status = 'unknown' }")
    assert mistakes(tmp_path, text) == [
        "line 8, shell 'a', planes: found no value, expected a whole number of at least 1"
    ]


def test_syntax_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("= 550", "= 550 km"), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_shells(path)
    reason = "Expected newline or end of document after a statement"
    assert str(caught.value) == f"{path}, line 6: not valid TOML: {reason}"


def test_unknown_names_and_variants() -> None:
    with pytest.raises(InputError) as caught:
        load_shells("gouwang")
    assert str(caught.value) == (
        "shells 'gouwang': no constellation of this name and no such file, did you mean 'guowang'?"
    )
    with pytest.raises(InputError, match=r"^shells 'nowhere\.toml': no such file$"):
        load_shells("nowhere.toml")
    with pytest.raises(InputError, match="no variant 'field', did you mean 'filed'"):
        load_shells("kuiper:field")
    with pytest.raises(InputError, match="no variant 'flown'; it has none"):
        load_shells("qianfan:flown")


def test_a_shell_made_by_hand_is_checked_too() -> None:
    with pytest.raises(InputErrors) as caught:
        Shell(name="a", altitude_km=10, inclination_deg=200, planes=6, satellites_per_plane=4)
    assert caught.value.messages == [
        "shell 'a', altitude_km: found 10, expected a number of at least 120 km",
        "shell 'a', inclination_deg: found 200, expected a number from 0 to 180 degrees",
    ]
    with pytest.raises(InputErrors, match=r"^shell 'a', phasing: found 6, expected 0 to 5 \(planes - 1\)$"):
        Shell(name="a", altitude_km=550, inclination_deg=53, planes=6, satellites_per_plane=4, phasing=6)
    with pytest.raises(InputError, match="no shell given"):
        shells_to_catalog([])
