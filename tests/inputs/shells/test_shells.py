"""The constellations that come with the package, their totals and sources, and lattices against Walker's definition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from shell_values import shell_of

from constellation_jax.errors import InputErrors
from constellation_jax.inputs.files.toml_tables import STATUSES
from constellation_jax.inputs.shells.files import known_shells, load_shells
from constellation_jax.inputs.shells.lattice import shells_to_catalog, uniform_numbers
from constellation_jax.inputs.shells.shell import Shell

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


# Shells and satellites of every variant, as filed, announced or counted; the comment says which where it is not a filing.
TOTALS = {
    "ast": (1, 243),
    "ast:flown": (3, 10),  # in CelesTrak's element sets of 2026-08-22
    "chutian": (2, 300),  # announced for 2030
    "e-space": (27, 337_323),
    "e-space:semaphore-c": (9, 116_640),
    "geely": (3, 4_620 + 1_056 + 264),
    "globalstar": (1, 24),  # on station
    "globalstar:new-filing": (5, 3_080),
    "guowang": (7, 12_992),
    "guowang:flown": (2, 108 + 60),  # on station on 2026-08-22
    "honghu-3": (6, 10_000),
    "iridium": (1, 66),
    "iridium:flown": (1, 67),  # on station
    "iris2": (2, 264 + 18),  # announced
    "kuiper": (4, 3_232),
    "kuiper:filed": (3, 3_236),
    "kuiper:gen2": (6, 4_504),
    "kuiper:flown": (1, 313),  # on station
    "oneweb": (1, 588),
    "oneweb:2021": (2, 588 + 128),
    "oneweb:flown": (1, 647),  # on station
    "oneweb:phase-2": (3, 6_372),
    "oneweb:phase-2-2020": (3, 47_844),
    "qianfan": (1, 1_296),
    "qianfan:flown": (1, 177),  # on station
    "qianfan:15000": (5, 15_000),  # announced
    "rassvet": (1, 318),  # announced for 2028
    "rassvet:flown": (1, 12),  # on station
    "starlink": (5, 4_408),
    "starlink:gen1-flown": (4, 793 + 1_412 + 390 + 210),  # measured, 2025-06-24
    "starlink:gen2-7500": (3, 7_500),
    "starlink:gen2-2021": (9, 29_988),
    "starlink:gen2-2024": (10, 30_324),  # the tabulated shells; the filing caps their sum at 29,988
    "starlink:gen2-flown": (6, 3_230 + 2_457 + 1_041 + 163 + 310 + 327),  # measured, 2026-08-22
    "starlink:d2c": (10, 15_000),
    "telesat": (3, 300),
    "telesat:2020": (2, 1_671),
    "terawave": (3, 5_280),
}


def test_every_variant_has_a_known_total() -> None:
    assert known_shells(variants=True) == list(TOTALS)
    assert known_shells() == [name for name in TOTALS if ":" not in name]


@pytest.mark.parametrize("name", TOTALS)
def test_totals_are_the_filed_ones(name: str) -> None:
    loaded = load_shells(name)
    assert (len(loaded), sum(shell.total for shell in loaded)) == TOTALS[name]
    assert len(shells_to_catalog(loaded)) == TOTALS[name][1]


def test_kuiper_has_a_second_variant() -> None:
    filed = load_shells("kuiper:filed")
    assert [(s.orbit.altitude_km, s.total, s.pattern.phasing) for s in filed] == [
        (590, 784, 1),
        (610, 1296, 3),
        (630, 1156, 3),
    ]


NUMBERS = (
    "altitude_km", "planes", "satellites_per_plane", "walker", "eccentricity", "mass_kg", "drag_area_min_m2",
    "drag_area_max_m2", "drag_coefficient", "min_elevation_deg", "design_life_years",
)  # fmt: skip


@pytest.mark.parametrize("name", TOTALS)
def test_every_number_says_where_it_comes_from(name: str) -> None:
    for shell in load_shells(name):
        values = shell.values()
        assert set(NUMBERS) <= set(shell.provenance), shell.name
        assert {"inclination_deg", "sun_synchronous"} & set(shell.provenance), shell.name
        assert {"raan_offset_deg", "ltan_h"} & set(shell.provenance), shell.name
        assert "phasing" in shell.provenance or shell.pattern.planes == 1, shell.name
        for key, (status, source) in shell.provenance.items():
            assert status in STATUSES, (shell.name, key)
            assert shell.sources[source], (shell.name, key)
            if status == "unknown" and key in NUMBERS[5:]:
                assert values[key] is None, (shell.name, key)


def test_what_is_known_of_the_satellites() -> None:
    shell = load_shells("guowang")[0]
    assert shell.provenance["altitude_km"] == ("filed", "JSR")
    assert shell.provenance["phasing"].status == "assumed"
    craft = shell.spacecraft
    assert (craft.mass_kg, craft.drag_area_min_m2, craft.drag_area_max_m2, craft.drag_coefficient) == (800, 3, 30, 2.2)
    assert shell.provenance["mass_kg"] == ("estimated", "GCAT")
    assert shell.sources["GCAT"].startswith("J. McDowell, GCAT")
    assert (shell.spacecraft.min_elevation_deg, shell.provenance["min_elevation_deg"].status) == (None, "unknown")
    assert {s.spacecraft.min_elevation_deg for s in load_shells("starlink")} == {25}
    flown = load_shells("starlink:gen2-flown")
    assert [s.spacecraft.mass_kg for s in flown] == [730, 730, 730, 730, 960, 960]  # the last two say it themselves
    assert {s.spacecraft.drag_area_max_m2 for s in flown} == {119}  # said by the variant


def smallest_distance_km(shell: Shell, phasing: np.ndarray) -> np.ndarray:
    """Smallest distance of two satellites of a full shell, for each phasing F; circular two-body orbits.

    Two planes at the angle b cross where a satellite of the one trails one of the other by d, and then nowhere do the two
    come closer than 2 r cos(b / 2) sin(d / 2): Speckman, Lang and Boyce (1990), AIAA 90-2900.
    """
    step = np.arange(1, shell.pattern.planes)
    spread = shell.pattern.raan_spread_deg or {"delta": 360.0, "star": 180.0}[shell.pattern.kind]
    inclination, node = np.radians(shell.orbit.inclination_deg), np.radians(spread * step / shell.pattern.planes)
    half_angle = 0.5 * np.arccos(np.cos(inclination) ** 2 + np.sin(inclination) ** 2 * np.cos(node))
    shift = 2.0 * np.arctan2(np.cos(inclination) * np.sin(node / 2), np.cos(node / 2))
    between = 2.0 * np.pi / shell.pattern.per_plane
    ahead = 2.0 * np.pi * phasing[:, None] * step / shell.pattern.slots + shift
    nearest = np.abs(np.mod(ahead + between / 2, between) - between / 2)
    radius = shell.orbit.altitude_km + 6378.137
    return 2.0 * radius * np.min(np.cos(half_angle) * np.sin(nearest / 2), axis=1)


@pytest.mark.parametrize("name", TOTALS)
def test_assumed_phasings_keep_satellites_farthest_apart(name: str) -> None:
    for shell in load_shells(name):
        if shell.provenance.get("phasing", ("", ""))[1] == "spacing":
            in_plane = 2.0 * (shell.orbit.altitude_km + 6378.137) * np.sin(np.pi / shell.pattern.per_plane)
            # one metre: phasings that tie to rounding are equally good
            found = np.minimum(smallest_distance_km(shell, np.arange(shell.pattern.planes)), in_plane)
            assert found[shell.pattern.phasing] > found.max() - 1e-3, shell.name


@pytest.mark.parametrize("name", TOTALS)
def test_no_two_satellites_at_one_place(name: str) -> None:
    catalog = shells_to_catalog(load_shells(name))
    smallest_distance_km = 1.0
    assert np.unique(np.floor(positions_km(catalog) / smallest_distance_km), axis=0).shape == (len(catalog), 3)
    assert len(set(catalog.name.tolist())) == len(catalog)


# --- the lattice ----------------------------------------------------------------------------------------------------


def test_a_delta_lattice_is_walkers() -> None:
    shell = shell_of(name="W", altitude_km=550, inclination_deg=53, planes=6, satellites_per_plane=4, phasing=5)
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
    shell = shell_of(name="S", altitude_km=780, inclination_deg=86.4, planes=6, satellites_per_plane=11, walker="star")
    assert shells_to_catalog(shell).raan_deg[::11].tolist() == [0.0, 30.0, 60.0, 90.0, 120.0, 150.0]
    wider = shell_of(
        name="S", altitude_km=780, inclination_deg=86.4, planes=6, satellites_per_plane=11, raan_spread_deg=189.6
    )
    np.testing.assert_allclose(np.diff(shells_to_catalog(wider).raan_deg[::11]), 31.6)


def test_altitude_is_the_brouwer_semi_major_axis() -> None:
    catalog = shells_to_catalog(load_shells("guowang"))
    altitude = np.concatenate([np.full(s.total, float(s.orbit.altitude_km)) for s in load_shells("guowang")])
    assert np.abs(catalog.mean_altitude_km - altitude).max() < MILLIMETRE


def test_argument_of_perigee_moves_no_satellite() -> None:
    shell = {"name": "P", "altitude_km": 550, "inclination_deg": 53, "planes": 3, "satellites_per_plane": 5}
    round_orbit = shells_to_catalog(shell_of(**shell))
    frozen = shells_to_catalog(shell_of(**shell, eccentricity=1e-3, arg_perigee_deg=90.0))
    latitude = frozen.arg_perigee_deg + frozen.mean_anomaly_deg
    assert angle_between(latitude, round_orbit.mean_anomaly_deg).max() < MICRODEGREE


def test_planes_with_altitudes_of_their_own() -> None:
    shell = shell_of(
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
    catalog = shells_to_catalog(shell_of(**shell, occupancy=0.5, seed=1))
    assert len(catalog) == shell_of(**shell, occupancy=0.5).total == 40
    again = shells_to_catalog(shell_of(**shell, satellites=40, seed=1))
    np.testing.assert_array_equal(catalog.name, again.name)
    other = shells_to_catalog(shell_of(**shell, occupancy=0.5, seed=2))
    assert set(catalog.name.tolist()) != set(other.name.tolist())
    full = shells_to_catalog(shell_of(**shell))
    assert set(catalog.mean_anomaly_deg.tolist()) <= set(full.mean_anomaly_deg.tolist())
    three = shells_to_catalog(shell_of(**shell, occupied_planes=3))
    assert (len(three), len(set(three.plane.tolist()))) == (30, 3)


def test_an_even_filling() -> None:
    shell = {
        "name": "E",
        "altitude_km": 550,
        "inclination_deg": 53,
        "planes": 6,
        "satellites_per_plane": 8,
        "fill": "even",
    }
    half = shells_to_catalog(shell_of(**shell, satellites=24))
    assert half.slot.tolist() == 6 * [0, 2, 4, 6]
    three = shells_to_catalog(shell_of(**shell, satellites=25, occupied_planes=4))
    assert np.bincount(three.plane).tolist() == [6, 6, 0, 6, 7]  # planes 0, 1, 3 and 4: 25 over four of six
    assert len(set(zip(three.plane.tolist(), three.slot.tolist(), strict=True))) == 25


def test_a_sun_synchronous_shell_takes_its_node_from_the_epoch() -> None:
    shell = {"name": "L", "altitude_km": 560, "sun_synchronous": True, "planes": 2, "satellites_per_plane": 2}
    # At the March equinox the mean Sun is at right ascension 0 within two degrees: noon is RAAN 0, 18 h is 90 degrees.
    catalog = shells_to_catalog(shell_of(**shell, ltan_h=18.0, walker="star"), epoch="2026-03-20T14:46:00Z")
    assert angle_between(catalog.raan_deg[[0, 2]], np.array([90.0, 180.0])).max() < 2.0
    assert shell_of(**shell).orbit.inclination_deg == catalog.inclination_deg[0]
    higher = shell_of(**shell).replace(altitude_km=800)
    assert higher.orbit.inclination_deg > 98.5


def test_spares_ride_beside_the_lattice() -> None:
    shell = shell_of(name="X", altitude_km=540, inclination_deg=53, planes=4, satellites_per_plane=18, spares=5)
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


def test_draws_equal_those_of_a_numpy_generator() -> None:
    np.testing.assert_array_equal(uniform_numbers(7, 100), np.random.Generator(np.random.PCG64(7)).random(100))
    np.testing.assert_allclose(uniform_numbers(7, 2), [0.625095466604667, 0.8972138009695755], rtol=1e-15)


# --- shells as values -------------------------------------------------------------------------------------------------


def merit_of(shell: Shell) -> jax.Array:
    """A number of every part."""
    return shell.orbit.altitude_km**2 * jnp.sin(shell.pattern.raan_offset_deg) + 0.5 * shell.spacecraft.mass_kg


def test_a_gradient_by_a_shell_is_a_shell() -> None:
    shell = shell_of(
        altitude_km=550, inclination_deg=53, planes=6, satellites_per_plane=4, raan_offset_deg=1, mass_kg=3
    )
    found = jax.grad(merit_of)(shell)
    assert isinstance(found, Shell)
    assert (found.pattern.planes, found.filling, found.name) == (6, shell.filling, "")  # structure stays, labels go
    assert found.spacecraft.thrust_mn is None
    for key, step in (("altitude_km", 0.1), ("raan_offset_deg", 1e-4), ("mass_kg", 0.1), ("eccentricity", 1e-4)):
        value = shell.values()[key]
        high, low = (merit_of(shell.replace(**{key: value + s})) for s in (step, -step if value else 0.0))
        difference = (high - low) / (2.0 * step if value else step)
        assert float(found.values()[key]) == pytest.approx(float(difference), rel=1e-6, abs=1e-9)


def test_shells_of_one_structure_are_stacked() -> None:
    shells = [shell_of(name=f"{h}", altitude_km=h, inclination_deg=53, mass_kg=1) for h in (500, 600)]
    stack = jax.tree.map(lambda *parts: jnp.stack(parts), *shells)
    assert stack.orbit.altitude_km.tolist() == [500.0, 600.0]
    found = jax.jit(jax.vmap(merit_of))(stack)
    assert found.tolist() == [float(merit_of(shell)) for shell in shells]


def test_zero_is_a_number_and_unknown_is_none() -> None:
    with pytest.raises(InputErrors, match=r"mass_kg: found 0\.0, expected a number above 0 kg"):
        shell_of(altitude_km=550, inclination_deg=53, mass_kg=0)
    assert np.isnan(shells_to_catalog(shell_of(altitude_km=550, inclination_deg=53)).ballistic_coefficient[0])
