"""Shell files: variants and what they share, and every kind of bad input, each mistake with its line."""

from pathlib import Path

import pytest
from shell_values import shell_of

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.shells.lattice import shells_to_catalog

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
        assert (shell.system, shell.total, shell.pattern.phasing) == ("Mine", 24, 0)
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
        (
            "sun_synchronous = true",
            "line 7, shell 'a', inclination_deg: found beside sun_synchronous, expected one of the two",
        ),
        ("sun_synchronous = 1", "line 10, shell 'a', sun_synchronous: found 1, expected true or false"),
        ("ltan_h = 24", "line 10, shell 'a', ltan_h: found 24, expected a local time from 0 to below 24 hours"),
        (
            "ltan_h = 6\nraan_offset_deg = 5",
            "line 11, shell 'a', raan_offset_deg: found beside ltan_h, expected one of the two",
        ),
        (
            "eccentricity = 0.1",
            "line 10, shell 'a', eccentricity: found 0.1, expected at most 0.06207 (perigee at 120 km)",
        ),
        ("fill = 'half'", "line 10, shell 'a', fill: found 'half', expected 'drawn' or 'even'"),
        ("mass_kg = 0", "line 10, shell 'a', mass_kg: found 0, expected a number above 0 kg"),
        ("drag_coefficient = -2", "line 10, shell 'a', drag_coefficient: found -2, expected a number above 0"),
        (
            "drag_area_min_m2 = 5\ndrag_area_max_m2 = 3",
            "line 10, shell 'a', drag_area_min_m2: found 5, expected at most 3 (drag_area_max_m2)",
        ),
        (
            "min_elevation_deg = 91",
            "line 10, shell 'a', min_elevation_deg: found 91, expected a number from 0 to 90 degrees",
        ),
        (
            "design_life_years = 0",
            "line 10, shell 'a', design_life_years: found 0, expected a number above 0 years",
        ),
        (
            "[common]\nplanes = 0\nwalkr = 'star'",
            "line 11, common, planes: found 0, expected a whole number of at least 1\n"
            "line 12, common, walkr: unknown key, did you mean 'walker'?",
        ),
        ("[variants.b]\ntotal = 3", "line 4, shell 'a', variant: found '', expected a variant of the file; they are b"),
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
            "status = ['filed']",
            "line 10, shell 'a', status: found ['filed'], expected one of filed, deployed, announced, estimated, "
            "assumed, unknown, did you mean 'filed'?",
        ),
        ("variant = ['b']", "line 10, shell 'a', variant: found ['b'], expected a name"),
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
        "line 22, tables: unknown key; known are title, system, sources, default_variant, common, variants, shells",
    ]


IN_VARIANTS = """
default_variant = "one"
[common]
planes = 6
mass_kg = 100
status = "filed"
[variants.one]
title = "the first"
total = 24
satellites_per_plane = 4
mass_kg = { status = "unknown" }
[variants.two]
status = "deployed"
satellites_per_plane = 3
[[shells]]
name = "a"
variant = "one"
altitude_km = 550
inclination_deg = 53.0
[[shells]]
name = "a"
variant = "two"
altitude_km = 550
inclination_deg = 53.0
planes = 5
[[shells]]
name = "b"
variant = "two"
altitude_km = 560
inclination_deg = 53.0
mass_kg = { status = "unknown" }
"""


def test_a_shell_takes_what_it_does_not_say_from_its_variant_and_from_common(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(IN_VARIANTS, encoding="utf-8")
    (one,) = load_shells(path)
    assert (one.pattern.planes, one.pattern.per_plane, one.spacecraft.mass_kg) == (6, 4, None)
    assert [one.provenance[key].status for key in ("planes", "altitude_km", "mass_kg")] == ["filed", "filed", "unknown"]
    two, three = load_shells(f"{path}:two")
    assert (two.pattern.planes, two.pattern.per_plane, two.spacecraft.mass_kg) == (5, 3, 100)
    assert two.provenance["planes"].status == two.provenance["altitude_km"].status == "deployed"
    assert (two.provenance["mass_kg"].status, three.spacecraft.mass_kg) == ("filed", None)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("total = 24", "total = 25", "line 9, variant 'one', total: found 25, expected 24, the sum of its shells"),
        ("planes = 5", "planes = { status = 'unknown' }", "line 25, shell 'a', planes: found no value, expected a "),
        (
            '"a"\nvariant = "one"',
            '"a"\nvariant = "on"',
            "line 17, shell 'a', variant: found 'on', expected a variant of the file, did ",
        ),
        (
            '"one"\n[common]',
            '"three"\n[common]',
            "line 2, default_variant: found 'three', expected a variant of the fil",
        ),
        ("[variants.two]", "[variants]\ntwo = 3\n[sources]", "line 13, variant 'two': found 3, expected a table"),
        (
            "satellites_per_plane = 3",
            "",
            "line 20, shell 'a', satellites_per_plane: missing, expected a whole number of ",
        ),
    ],
)
def test_mistakes_with_variants(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert mistakes(tmp_path, IN_VARIANTS.replace(old, new, 1))[0].startswith(message)


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
    assert mistakes(tmp_path, "default_variant = 'b'\n" + GOOD) == [
        "line 1, default_variant: found 'b', expected a variant of the file; they are none"
    ]
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
        load_shells("honghu-3:flown")


def test_a_shell_made_by_hand_is_checked_too() -> None:
    with pytest.raises(InputErrors) as caught:
        shell_of(name="a", altitude_km=10, inclination_deg=200, planes=6, satellites_per_plane=4)
    assert caught.value.messages == [
        "shell 'a', altitude_km: found 10.0, expected a number of at least 120 km",
        "shell 'a', inclination_deg: found 200.0, expected a number from 0 to 180 degrees",
    ]
    with pytest.raises(InputErrors, match=r"^shell 'a', phasing: found 6, expected 0 to 5 \(planes - 1\)$"):
        shell_of(name="a", altitude_km=550, inclination_deg=53, planes=6, satellites_per_plane=4, phasing=6)
    with pytest.raises(InputError, match="no shell given"):
        shells_to_catalog([])
