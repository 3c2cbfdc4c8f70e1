"""Epoch texts: days and fractions to the last bit, and each impossible date named."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from constellation_jax.inputs.element_sets.epochs import parse_epoch, parse_epochs
from constellation_jax.inputs.files.text_columns import column_of


@pytest.mark.parametrize(
    ("text", "day", "seconds"),
    [
        ("1998-11-20T06:49:59.999808", 51137, "24599.999808"),
        ("1998-324T06:49:59.999808Z", 51137, "24599.999808"),
        ("2000-01-01T00:00:00", 51544, "0"),
        ("2000-01-01T00:00:00Z", 51544, "0"),
        ("2000-01-01T12:00:00.", 51544, "43200"),
        ("2024-02-29T23:59:59.999999", 60369, "86399.999999"),
        ("2024-366T00:00:01.5", 60675, "1.5"),
        ("2026-08-22T07:57:46.83571212345678", 61274, "28666.83571212345678"),
        ("2016-12-31T23:59:60.25", 57754, "0.25"),
    ],
)
def test_day_and_fraction_are_the_rounded_quotient(text: str, day: int, seconds: str):
    exact = Fraction(seconds) / 86400
    found_day, fraction, defects = parse_epochs(column_of([text, "2001-01-01T00:00:00.000000"]))
    assert not defects
    assert (found_day[0], fraction[0]) == (day, exact.numerator / exact.denominator)
    assert (found_day[1], fraction[1]) == (51910, 0.0)
    assert parse_epoch(text) == (found_day[0], fraction[0])


def test_a_fraction_that_rounds_up_to_a_day_is_the_next_midnight():
    assert parse_epoch("2026-08-22T23:59:59." + "9" * 30) == (61275, 0.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-13-01T00:00:00.000000", "month 13"),
        ("2026-00-01T00:00:00.000000", "month 0"),
        ("2026-02-29T00:00:00.000000", "day 29 of month 2"),
        ("2026-02-00T00:00:00.000000", "day 0 of month 2"),
        ("2026-366T00:00:00", "day 366 of 2026"),
        ("2026-000T00:00:00", "day 0 of 2026"),
        ("2026-01-01T24:00:00.000000", "'24:00:00.000000'"),
        ("2026-01-01T12:00:60.000000", "'12:00:60.000000'"),
        ("1956-01-01T00:00:00.000000", "year 1956"),
        ("2026-01-01 00:00:00", "expected YYYY-MM-DDThh:mm:ss or YYYY-DDDThh:mm:ss"),
        ("", "missing"),
        ("2026-01-01T00:00:00.000000ZZ", "expected YYYY"),
    ],
)
def test_what_is_no_epoch_is_a_defect(text: str, reason: str):
    day, fraction, defects = parse_epochs(column_of(["2000-01-01T06:00:00.000000", text]))
    assert list(defects) == [1]
    assert reason in defects[1]
    assert (day[0], fraction[0]) == (51544, 0.25)


def test_published_vectors(shared_data: Path):
    vectors = json.loads((shared_data / "catalog_numbers/vectors_ccsds-epoch-strings.json").read_text())
    for vector in vectors["valid"]:
        day, fraction = parse_epoch(vector["text"])
        found = np.datetime64(day - 40587, "D") + np.timedelta64(round(fraction * 86400e6), "us")
        assert found in {np.datetime64(iso) for iso in (vector["iso"], *vector.get("iso_alternatives", []))}, vector[
            "text"
        ]
    for vector in vectors["invalid"]:
        with pytest.raises(ValueError, match="expected"):
            parse_epoch(vector["text"])
