"""Columns of text: every value equals float() or int() of its text, whatever the spelling."""

import random

import numpy as np
import pytest

from constellation_jax.inputs.files.text_columns import LONGEST, column_of, cut, floats, integers, strings

SPELLINGS = [
    *(
        "0",
        "-0",
        "+0",
        ".5",
        "-.5",
        "5.",
        "13.76683504",
        "-.71E-6",
        "1E-3",
        "1e+3",
        ".46080909E-3",
        "1E0",
        "12345678901",
    ),
    *("0.00023010000000", "9007199254740993", "0.1000000000000000055511151231257827", "123456789.123456789", "1E-22"),
    *(
        "1E-23",
        "7E22",
        "8E23",
        "1E-300",
        "4.9E-324",
        "1E308",
        "00000.00000000000000000001",
        " 51.6 ",
        "2.2250738585072014E-308",
    ),
]


def test_each_spelling_equals_float():
    values, defects = floats(column_of(SPELLINGS))
    expected = np.array([float(text) for text in SPELLINGS])
    assert not defects
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.signbit(values), np.signbit(expected))


def test_random_decimals_equal_float():
    generator = random.Random(1)
    texts = []
    for _ in range(20_000):  # more than one block of rows
        digits = "".join(generator.choices("0123456789", k=generator.randint(1, 18)))
        point = generator.randint(0, len(digits))
        exponent = generator.choice(["", "", f"E{generator.randint(-30, 30)}"])
        texts.append(generator.choice(["", "-", "+"]) + digits[:point] + "." + digits[point:] + exponent)
    values, defects = floats(column_of(texts))
    assert not defects
    np.testing.assert_array_equal(values, [float(text) for text in texts])


@pytest.mark.parametrize(
    "text",
    ["nan", "inf", "1_000", "1.2.3", "--1", "1-", "E5", ".", "-", "1E", "1E+", "1E5.0", "1e5e5", "12O", "0x10", "1,5"],
)
def test_what_is_no_number_is_a_defect(text: str):
    values, defects = floats(column_of(["1.5", text, "2.5"]))
    assert defects == {1: f"found {text!r}, expected a number"}
    np.testing.assert_array_equal(values, [1.5, np.nan, 2.5])


def test_an_empty_entry_is_the_default_or_a_defect():
    assert floats(column_of(["", "1"]), default=0.0)[0].tolist() == [0.0, 1.0]
    assert floats(column_of(["", "1"]))[1] == {0: "missing, expected a number"}
    assert integers(column_of(["", "7"]), default=-1, largest=9)[0].tolist() == [-1, 7]


def test_integers_keep_to_their_range():
    texts = ["25544", "0925", "+1", "999999999", "-0", "-1", "1000000000", "25544.0", "1E3", "A0000"]
    values, defects = integers(column_of(texts), largest=999_999_999)
    assert values.tolist() == [25544, 925, 1, 999999999, 0, 0, 0, 0, 0, 0]
    assert sorted(defects) == [5, 6, 7, 8, 9]


def test_strings_are_stripped_and_may_hold_any_letter():
    assert strings(column_of([" A B ", "", "C"])).tolist() == ["A B", "", "C"]
    assert strings(column_of(["ÑUSAT-1", "北斗"])).tolist() == ["ÑUSAT-1", "北斗"]


def test_one_endless_entry_does_not_widen_the_column():
    buffer = np.frombuffer(b"ab" + b"x" * 100_000 + bytes(LONGEST), np.uint8)
    column = cut(buffer, np.array([0, 2]), np.array([2, 100_000]))
    assert column.tolist() == [b"ab", b"x" * LONGEST]
    assert floats(column_of(["1." + "0" * 300 + "E5"]))[1], "a number cut short is no number"
