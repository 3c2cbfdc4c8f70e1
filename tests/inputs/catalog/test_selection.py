import re
from datetime import UTC, datetime

import numpy as np
import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.selection import parse_condition, select

CATALOG = Catalog.from_columns(
    {
        "norad_id": [25544, 44713, 48274, -1],
        "name": ["ISS (ZARYA)", "STARLINK-1007", "CSS (TIANHE)", "GUOWANG GW-A59 P00 S00"],
        "epoch_day": [60850, 60851, 60852, 60853],  # 2025-06-24 and the three days after it
        "epoch_fraction": 0.5,
        "mean_motion_rev_per_day": [15.5, 15.06, 15.6, 14.0],
        "eccentricity": 0.0,
        "inclination_deg": [51.6, 53.0, 41.5, 50.0],
        "raan_deg": 0.0,
        "arg_perigee_deg": 0.0,
        "mean_anomaly_deg": 0.0,
        "shell": ["", "starlink 1", "", "guowang GW-A59"],
        "synthetic": [False, False, False, True],
    }
)


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ([], [0, 1, 2, 3]),
        (["name=STARLINK*"], [1]),
        (["name=starlink*"], [1]),
        (["name = *ISS*, CSS*"], [0, 2]),
        (["norad_id=25544,48274"], [0, 2]),
        (["norad_id=25544"], [0]),
        (["norad_id=-1"], [3]),
        (["norad_id=25545..50000"], [1, 2]),
        (["mean_altitude_km=300..500"], [0, 2]),
        (["inclination_deg=..51.6"], [0, 2, 3]),
        (["inclination_deg=51.6.."], [0, 1]),
        (["inclination_deg=53"], [1]),
        (["period_minutes=95..200"], [1, 3]),
        (["shell=guowang*"], [3]),
        (["synthetic=true"], [3]),
        (["synthetic=False"], [0, 1, 2]),
        (["epoch=2025-06-25..2025-06-26T12:00Z"], [1, 2]),
        (["epoch=2025-06-26.."], [2, 3]),
        (['name="CSS (TIANHE)"'], [2]),
        (["synthetic=false", "inclination_deg=50..", "inclination_deg=..52"], [0]),
    ],
)
def test_conditions(conditions: list[str], positions: list[int]) -> None:
    np.testing.assert_array_equal(select(CATALOG, conditions).norad_id, CATALOG.norad_id[positions])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("STARLINK", "expected COLUMN=VALUE"),
        ("name=", "expected COLUMN=VALUE"),
        ("=3", "expected COLUMN=VALUE|unknown column"),
        ("nmae=STARLINK*", "unknown column 'nmae', did you mean 'name'"),
        ("zzz=1", "unknown column 'zzz'; known are norad_id, name"),
        ("norad_id=25544.5", "found '25544.5', expected a whole number"),
        ("norad_id=ISS", "found 'ISS', expected a whole number"),
        ("inclination_deg=steep", "found 'steep', expected a number"),
        ("inclination_deg=nan", "expected a finite number"),
        ("inclination_deg=60..50", "runs backwards"),
        ("inclination_deg=..", "at least one end"),
        ("synthetic=maybe", "found 'maybe', expected true or false"),
        ("epoch=2025-06-24", "selected by a range of times"),
        ("epoch=yesterday..", "yesterday"),
    ],
)
def test_mistakes(text: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        parse_condition(text)
    assert repr(text) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_selection_of_nothing_says_so() -> None:
    with pytest.raises(InputError, match=r"name=FOO\* and synthetic=true: none of the 4 objects"):
        select(CATALOG, ["name=FOO*", "synthetic=true"])


@pytest.mark.parametrize(
    ("conditions", "positions"),
    [
        ({"norad_id": "25544"}, [0]),
        ({"norad_id": "25544,48274"}, [0, 2]),
        ({"norad_id": {25544, 48274}}, [0, 2]),
        ({"norad_id": ["25544", 48274]}, [0, 2]),
        ({"norad_id": np.array([48274])}, [2]),
        ({"norad_id": ("25545", None)}, [1, 2]),
        ({"mean_altitude_km": "300..500"}, [0, 2]),
        ({"synthetic": "true"}, [3]),
        ({"synthetic": False}, [0, 1, 2]),
        ({"epoch": ("2025-06-26", None)}, [2, 3]),
        ({"epoch": (datetime(2025, 6, 26, tzinfo=UTC), None)}, [2, 3]),
        ({"epoch": "2025-06-26.."}, [2, 3]),
        ({"epoch": ["2025-06-26T12:00"]}, [2]),
        ({"name": re.compile("A.9")}, [3]),
        ({"name": ["ISS*", "css*"]}, [0, 2]),
    ],
)
def test_conditions_in_python(conditions: dict[str, object], positions: list[int]) -> None:
    np.testing.assert_array_equal(CATALOG.select(**conditions).norad_id, CATALOG.norad_id[positions])


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ({"epoch": "2025-06-24"}, "epoch: an epoch is selected by a range of times"),
        ({"norad_id": "ISS"}, "norad_id: found 'ISS', expected a whole number"),
        ({"norad_id": (1, 2, 3)}, "found a tuple of 3"),
        ({"norad_id": {"a": 1}}, "norad_id: found"),
        ({"eccentricity": None}, "eccentricity: found None, expected a number"),
    ],
)
def test_conditions_that_suit_no_column(conditions: dict[str, object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CATALOG.select(**conditions)


def test_brackets_and_commas_in_names() -> None:
    catalog = CATALOG.replace(name=["SAMPLE 1 [+]", "SAMPLE 2 [-]", "A, B", "C"])
    assert len(catalog.select(name="SAMPLE 1 [+]")) == 1
    assert len(catalog.select(name="*[-]")) == 1
    assert select(catalog, ['name="A, B",C']).name.tolist() == ["A, B", "C"]
    assert catalog.position_of("48274") == 2


def test_one_epoch_holds_for_every_object() -> None:
    columns = {"mean_motion_rev_per_day": [15.0, 15.1], "eccentricity": 0.0, "inclination_deg": 53.0}
    columns |= dict.fromkeys(("raan_deg", "arg_perigee_deg", "mean_anomaly_deg"), 0.0)
    for epoch in ("2025-06-24T12:00", np.datetime64("2025-06-24T12:00"), ["2025-06-24T12:00"] * 2):
        made = Catalog.from_columns(columns | {"epoch": epoch})
        assert made.epoch_day.tolist() == [60850, 60850]
        assert made.epoch_fraction.tolist() == [0.5, 0.5]
