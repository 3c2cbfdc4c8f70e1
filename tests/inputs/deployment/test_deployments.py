"""Deployment files: what comes with the package can be read, variants and defaults hold, and every mistake has its line."""

from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.deployment import records
from constellation_jax.inputs.deployment.files import known_deployments, load_deployment
from constellation_jax.inputs.deployment.vehicles import load_vehicles

SMALL = """system = "Example"
[[campaigns]]
name = "all"
shells = "qianfan"
vehicle = "long-march-6a"
cargo = "Qianfan"
launches_per_month = 2
start = 2026-01-01
until = 2027-01-01
"""


@pytest.fixture
def write(tmp_path: Path):
    def to_file(text: str) -> Path:
        path = tmp_path / "small.toml"
        path.write_text(text)
        return path

    return to_file


@pytest.mark.parametrize("name", known_deployments(variants=True))
def test_every_bundled_deployment_can_be_read(name: str) -> None:
    deployment = load_deployment(name)
    assert deployment.title
    assert deployment.start < deployment.until
    for campaign in deployment.campaigns:
        for key, (status, source) in campaign.provenance.items():
            assert not source or source in campaign.sources, key
            assert status != "unknown" or getattr(campaign, key) in (None, 0.0), key


def test_every_vehicle_says_where_its_numbers_come_from() -> None:
    vehicles = load_vehicles()
    wanted = "falcon-9 starship long-march-5b long-march-6a long-march-8 long-march-8a long-march-8r long-march-10"
    wanted += " long-march-12 zhuque-3 tianlong-3 new-glenn ariane-64"
    assert set(wanted.split()) <= vehicles.keys()
    for vehicle in vehicles.values():
        for key in ("payload_kg", "reusable", "first_flight"):
            said = vehicle.provenance[key]
            assert said.status, (vehicle.name, key)
            assert (said.status == "unknown") == (getattr(vehicle, key) is None), (vehicle.name, key)
        for load in vehicle.loads.values():
            assert (load.provenance.status == "unknown") == (load.satellites is None)


def test_a_campaign_takes_what_it_does_not_say_from_its_vehicle_and_its_variant(write) -> None:
    text = SMALL.replace(
        '"Example"\n', '"Example"\ndefault_variant = "a"\n[common]\nlife_years = 5\ndeorbit_days = 9\n'
    )
    text += "[variants.a]\n[variants.b]\nlife_years = 7\n"
    first, second = (load_deployment(f"{write(text)}{variant}").campaigns[0] for variant in ("", ":b"))
    assert (first.life_years, second.life_years) == (5, 7)
    assert first.satellites_per_launch == 18
    assert first.rates == ((np.datetime64("2026-01-01"), 2 / (365.25 / 12)),)


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"long-march-6a"', '"long-march-6"', 5, "found 'long-march-6', expected a launch vehicle, did you mean"),
        ("= 2\n", "= -2\n", 7, "launches_per_month: found -2, expected launches, at least 0"),
        (
            "2026-01-01",
            "2020-01-01",
            8,
            "found 2020-01-01, expected 2022-03-29 or later, the first flight of long-march",
        ),
        ('"qianfan"', '"qianfna"', 4, "no constellation of this name and no such file, did you mean 'qianfan'?"),
        ('cargo = "Qianfan"\n', "", 2, "satellites_per_launch: missing, and how many 'Example' satellites"),
        ("until = 2027", "until = 2025", 9, "until: found 2025-01-01, expected 2026-01-01 or later"),
        ("until = 2027-01-01", "", 2, "until: missing"),
        ("until", "vntil", 9, "vntil: unknown key, did you mean 'until'?"),
        ("start", "launches_per_year = 3\nstart", 8, "found launches_per_month and launches_per_year, expected one"),
        ("start", "satellite_failure = 1.0\nstart", 8, "expected a probability from 0 to below 1"),
        ("start", "injection_altitude_km = 800\nstart", 2, "raising_km_per_day: missing beside injection_altitude_km"),
        ("start", "planes_per_launch = 3\nstart", 8, "found 3 without parking_altitude_km"),
        ("start", "life_years = 5\nstart", 2, "deorbit_days: missing beside life_years"),
        ("start", "pace_days = 9\nstart", 8, "pace_days: found without recorded_groups"),
        ("start", "satellites_by_launch = [3]\nstart", 8, "found 1, expected one for each of 0 launch_dates"),
        ("start", "climb_stages_km_days = [[900, 9]]\nstart", 8, "found without injection_altitude_km"),
        (
            "start",
            "climb_stages_km_days = [[900, 9], [800, 20]]\nstart",
            8,
            "each of at least 120 km, in ascending order",
        ),
        (
            "launches_per_month = 2\nstart = 2026-01-01",
            'recorded_groups = ["7"]',
            7,
            "'7', expected a group of Example in",
        ),
        ("start", 'layers = ["SAILSPACE"]\nstart', 8, "expected a shell of qianfan, did you mean 'SAILSPACE-1'?"),
    ],
)
def test_a_mistake_is_told_with_its_line(write, old: str, new: str, line: int, words: str) -> None:
    path = write(SMALL.replace(old, new))
    with pytest.raises(InputErrors) as caught:
        load_deployment(path)
    assert len(caught.value.messages) == 1
    assert caught.value.messages[0].startswith(f"{path}, line {line}, ")
    assert words in caught.value.messages[0]


@pytest.mark.parametrize("dates", ["2026-01-01, '2026-02-01'", "2026-01-01T12:00:00Z, 2026-01-02"])
def test_dates_may_be_written_differently_side_by_side(write, dates: str) -> None:
    text = SMALL.replace("launches_per_month = 2\nstart = 2026-01-01", f"launch_dates = [{dates}]")
    assert load_deployment(write(text)).start == np.datetime64("2026-01-01")
    first, second = dates.split(", ")
    steps = f"launches_per_month = [[{first}, 2], [{second}, 3]]"
    assert len(load_deployment(write(text.replace(f"launch_dates = [{dates}]", steps))).campaigns[0].rates) == 2
    with pytest.raises(InputErrors, match="found dates out of order"):
        load_deployment(write(text.replace(f"launch_dates = [{dates}]", steps.replace(second, "2025-12-31"))))


@pytest.mark.parametrize(
    ("head", "words"),
    [
        ("variants = 3", "variants: expected tables such as"),
        ("common = 3", "common: found 3, expected a table"),
        ("default_variant = ['a']", "default_variant: found ['a'], expected text"),
    ],
)
def test_what_should_be_a_table_or_text_is_told_beside_other_mistakes(write, head: str, words: str) -> None:
    with pytest.raises(InputErrors) as caught:
        load_deployment(write(f"{head}\n{SMALL.replace('until = 2027-01-01', '')}"))
    assert caught.value.messages[0].startswith(f"{write('')}, line 1, {words}")
    assert "until: missing" in caught.value.messages[1]


def test_campaigns_of_a_system_need_one_target(write) -> None:
    both = SMALL + SMALL.split("\n", 1)[1].replace('"all"', '"more"') + "target = 5\n"
    with pytest.raises(InputErrors, match="campaign 'more', target: found 5, expected None as in campaign 'all'"):
        load_deployment(write(both))


def test_unknown_names() -> None:
    with pytest.raises(InputError, match="no deployment of this name and no such file, did you mean 'starlink'"):
        load_deployment("starlnk")
    with pytest.raises(
        InputError, match=r"no variant 'plan', did you mean 'as-launched-then-plan' or 'plan-only'\? It has as-"
    ):
        load_deployment("guowang:plan")


def test_records_need_launches_by_the_date() -> None:
    with pytest.raises(InputErrors, match=r"found none of variant 'as-launched-then-pace' up to 2024-01-01"):
        load_deployment("qianfan", as_of="2024-01-01")
    later = load_deployment("qianfan:as-launched-then-plan", as_of="2024-01-01")  # then all is plan
    assert [campaign.name for campaign in later.campaigns] == ["plan"]
    assert later.data_date == np.datetime64("2024-01-01")
    with pytest.raises(InputError, match="as_of 2026-01-01: deployment casic has no recorded launches"):
        load_deployment("casic", as_of="2026-01-01")


def test_a_mistake_in_the_records_is_told_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "launches.csv").write_text(
        "# a\nlaunch,date,dated,system,group,satellites,off_station,counted\n2026-001,2026-13-01,deployed,A,5,3,,2026-08-22\n"
    )
    monkeypatch.setattr(records, "configs_folder", lambda: tmp_path)
    with pytest.raises(InputErrors, match="line 3: found '2026-001,2026-13-01"):
        records.load_launch_records.__wrapped__()
