"""Tuning problem files: the shipped ones are read, and what is wrong in one is said with its line."""

from pathlib import Path

import pytest

import constellation_jax as cj
from constellation_jax.errors import InputErrors
from constellation_jax.inputs.tuning.files import known_tuning_problems, load_tuning_problem

GOOD = """\
title = "t"
question = "q"
system = "S"

[[shells]]
name = "A"
altitude_km = 500
inclination_deg = 50
planes = 10
satellites_per_plane = 10
min_elevation_deg = 25

[[variables]]
altitude_km = [300, 600]

[[objectives]]
minimise = "round_trip_ms"

[[constraints]]
quantity = "mean_in_view"
latitude_deg = [0, 40]
at_least = 0.5
"""


def read(folder: Path, text: str) -> cj.TuningProblem:
    path = folder / "study.toml"
    path.write_text(text, encoding="utf-8")
    return load_tuning_problem(path)


@pytest.mark.parametrize("name", known_tuning_problems())
def test_the_shipped_studies_are_read(name: str) -> None:
    study = load_tuning_problem(name)
    assert study.title
    assert study.question.endswith("?")
    assert study.variables
    assert study.objectives


def test_there_are_the_five_studies() -> None:
    assert known_tuning_problems() == [
        "casic-vleo",
        "guowang-spacing",
        "qianfan-layers",
        "starlink-480",
        "vleo-satellites",
    ]


def test_what_a_file_says(tmp_path: Path) -> None:
    study = read(tmp_path, GOOD)
    variable, constraint = study.variables[0], study.constraints[0]
    assert (variable.quantity, variable.low, variable.high, variable.shells) == ("altitude_km", 300.0, 600.0, (0,))
    assert (constraint.name, constraint.limit, constraint.at_least) == ("mean_in_view", 0.5, True)
    assert constraint.term.latitude_deg == (0.0, 40.0)
    assert study.scenarios == ("median",)


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("[300, 600]", "[600, 300]", 14, "found bounds 600 and 300, expected low below high"),
        ("[300, 600]", "[100, 600]", 14, "expected them from 150 to 2000"),
        ("[300, 600]", "300", 14, "expected two bounds, [low, high] (km)"),
        ("altitude_km = [300", "altitude = [300", 14, "its unit is missing: did you mean 'altitude_km'?"),
        ("altitude_km = 500", "altitude = 500", 7, "its unit is missing: did you mean 'altitude_km'?"),
        ("altitude_km = [300", "altitud_km = [300", 14, "did you mean 'altitude_km'?"),
        ('"round_trip_ms"', '"round_trip"', 17, "the unit is missing: 'round_trip_ms'"),
        ('"round_trip_ms"', '"round_tripp_ms"', 17, "did you mean 'round_trip_ms'?"),
        ("minimise", "minimize", 17, "did you mean 'minimise'?"),
        ('"mean_in_view"', '"meen_in_view"', 20, "did you mean 'mean_in_view'?"),
        ("latitude_deg = [0, 40]\n", "", 19, "expected latitude_deg or demand"),
        ("latitude_deg = [0", "latitude = [0", 21, "its unit is missing: did you mean 'latitude_deg'?"),
        ("[0, 40]", "[0, 140]", 21, "expected a list of latitudes from -90 to 90 degrees"),
        ("at_least = 0.5", "at_least = 0.5\nat_most = 2", 19, "found at_least and at_most"),
        ("at_least = 0.5", "", 19, "found no limit"),
        ("min_elevation_deg = 25", "", 16, "min_elevation_deg of shell 'A' is not known"),
        ('[[objectives]]', '[[objectives]]\nshells = ["B"]', 17, "expected a shell of the problem; they are A"),
        ("[[objectives]]", "[[variables]]\naltitude_km = [200, 300]\n[[objectives]]", 16, "free already"),
        ("[[objectives]]", '[solver]\nmethod = "newton"\n[[objectives]]', 17, "expected 'slsqp', 'trust-constr'"),
        ("[[objectives]]", '[launch]\nvehicle = "falcon-8"\n[[objectives]]', 17, "did you mean 'falcon-9'?"),
        ("[[objectives]]", '[sweep]\nconstraint = "x"\nlimits = [1]\n[[objectives]]', 17, "they are mean_in_view"),
        ("[[objectives]]", "[sweep]\naltitude_km = [400]\n[[objectives]]", 17, "is a variable already"),
        ("question", "qestion", 2, "did you mean 'question'?"),
    ],
)  # fmt: skip
def test_mistakes(tmp_path: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in GOOD
    with pytest.raises(cj.InputError) as caught:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert any(f"study.toml, line {line}, " in m and said in m for m in str(caught.value).splitlines()), caught.value


def test_every_mistake_is_said_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("[300, 600]", "[600, 300]").replace("round_trip_ms", "x").replace("at_least = 0.5", "")
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, text)
    assert len(caught.value.messages) == 3


def test_probability_needs_fixed_numbers(tmp_path: Path) -> None:
    text = GOOD.replace("mean_in_view", "probability_in_view").replace("altitude_km = [300", "planes = [3")
    with pytest.raises(cj.InputError, match="needs fixed numbers of planes and satellites"):
        read(tmp_path, text)


def test_continuous_coverage_is_of_one_fixed_shell(tmp_path: Path) -> None:
    margin = GOOD.replace("mean_in_view", "coverage_margin_deg")
    assert read(tmp_path, margin).constraints[0].term.quantity == "coverage_margin_deg"
    second = '[[shells]]\nname = "B"\naltitude_km = 600\ninclination_deg = 50\nplanes = 2\nsatellites_per_plane = 2\n'
    for old, new, said in (
        ("altitude_km = [300, 600]", "planes = [3, 60]", "needs fixed numbers of planes and satellites"),
        ("[[objectives]]", "[sweep]\nplanes = [3, 6]\n[[objectives]]", "needs fixed numbers of planes and satellites"),
        ("[[variables]]", f"{second}min_elevation_deg = 25\n[[variables]]", "found 2 shells, expected one"),
        ("latitude_deg = [0, 40]", 'demand = "area"', "expected latitude_deg"),
        ("coverage_margin_deg", "max_revisit_minutes", "can only be reported, expected coverage_margin_deg"),
    ):
        with pytest.raises(cj.InputError, match=said):
            read(tmp_path, margin.replace(old, new, 1))


def test_common_completes_the_shells_of_a_constellation(tmp_path: Path) -> None:
    text = """
        constellation = "guowang:filed"
        layers = ["GW-2-1", "GW-2-2"]
        common = { min_elevation_deg = 10, mass_kg = 1 }
        variables = [{ altitude_km = [1100, 1200] }]
        objectives = [{ minimise = "round_trip_ms" }]
    """
    shells = read(tmp_path, text).shells
    assert [s.name for s in shells] == ["GW-2-1", "GW-2-2"]
    assert [s.spacecraft.min_elevation_deg for s in shells] == [10, 10]
    assert [s.spacecraft.mass_kg for s in shells] == [800, 800]  # known to the constellation


def test_unknown_study() -> None:
    with pytest.raises(cj.InputError, match="did you mean 'casic-vleo'"):
        load_tuning_problem("casic-leo")
