"""Fields of a two-line element set: their columns, and the conversion of their characters to numbers.

`read_all` reads every record of a file at once where the records keep to the usual layout. `read_one` reads a record
that departs from it, or raises with the field that is wrong.

Reference: T. S. Kelso, "Frequently Asked Questions: Two-Line Element Set Format", Satellite Times, January 1998;
Space-Track documentation, "Alpha-5".
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.files.text_columns import quote

ALPHA5_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ"
"""First characters of catalogue numbers above 99999, from A = 10 to Z = 33; I and O are not used."""

# Characters allowed in each of the 69 columns: 9 a digit, # a digit or a blank before the number, A as # or an Alpha-5
# letter, + a sign or a blank, . a point, _ a blank, ? anything.
_LAYOUTS = (
    "?_A###9?_????????_#9##9.99999999_+.99999999_+99999+9_+99999+9_#_####?",
    "?_A###9_###.9999_###.9999_######9_###.9999_###.9999_##.99999999#####?",
)
WIDTH = 69
"""Columns of a line."""
_RECORDS_PER_PRODUCT = 256
"""Records in one matrix product: so few that the linear algebra library starts no threads, which would cost more time than they
save and wait for each other on a busy machine."""


class Field(NamedTuple):
    """Place and spelling of one number of a record."""

    column: str
    """Catalogue column that it becomes, or the name of an intermediate value such as `epoch_year`."""
    line: int
    """Line of the record, 1 or 2."""
    first: int
    """First column, counted from 1 as in the format's documentation."""
    last: int
    """Last column, counted likewise."""
    text: str
    """Regular expression of the allowed text, without the blanks at both ends."""
    expected: str
    """Description of the allowed text for messages."""
    decimals: int = 0
    """Digits after the decimal point, written or implied."""


_DECIMAL = r"[+-]?(\d+\.?\d*|\.\d+)"
# "12345-6" is 0.12345e-6; nothing at all is read as 0. A power of two digits takes the column of the sign: "12345-10"
_POWER = r"[+-]?\d{1,5}([ +-]\d)?|\d{5}[+-]\d\d|"
_NUMBER = (r"(\d|[A-HJ-NP-Z](?=\d{4}))\d*", "up to five digits, or a letter (not I, O) and four digits")
FIELDS = (
    Field("norad_id", 1, 3, 7, *_NUMBER),
    Field("epoch_year", 1, 19, 20, r"\d\d?", "a two-digit year"),
    Field("epoch_day", 1, 21, 23, r"\d+", "a day of the year"),
    Field("epoch_fraction", 1, 24, 32, r"\.\d+", "a point and the fraction of the day", 8),
    Field("mean_motion_dot", 1, 34, 43, _DECIMAL, "a number", 8),
    Field("mean_motion_ddot", 1, 45, 52, _POWER, "five digits and a power of ten such as 12345-6", 5),
    Field("bstar", 1, 54, 61, _POWER, "five digits and a power of ten such as 12345-6", 5),
    Field("ephemeris_type", 1, 63, 63, r"\d?", "a digit or a blank"),
    Field("element_set_number", 1, 65, 68, r"\d*", "an integer"),
    Field("norad_id", 2, 3, 7, *_NUMBER),
    Field("inclination_deg", 2, 9, 16, _DECIMAL, "a number of degrees", 4),
    Field("raan_deg", 2, 18, 25, _DECIMAL, "a number of degrees", 4),
    Field("eccentricity", 2, 27, 33, r"\d{1,7}", "seven digits", 7),
    Field("arg_perigee_deg", 2, 35, 42, _DECIMAL, "a number of degrees", 4),
    Field("mean_anomaly_deg", 2, 44, 51, _DECIMAL, "a number of degrees", 4),
    Field("mean_motion_rev_per_day", 2, 53, 63, _DECIMAL, "a number of revolutions per day", 8),
    Field("revolution_number", 2, 64, 68, r"\d*", "an integer"),
)
_INTEGERS = {"norad_id", "epoch_year", "epoch_day", "ephemeris_type", "element_set_number", "revolution_number"}
_POWERS = {"mean_motion_ddot", "bstar"}
_SIGNED = _POWERS | {"mean_motion_dot"}


class RecordDefect(Exception):
    """Reason for which a record cannot be read, and its line (1 or 2)."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def parse_norad_id(text: str) -> int:
    """Parse the catalogue number of columns 3-7: five digits, or a letter and four ("T0001" is 270001: Alpha-5).

    Raises:
        ValueError: neither.
    """
    stripped = text.strip()
    if not re.fullmatch(FIELDS[0].text, stripped, re.ASCII) or len(stripped) > 5:
        raise ValueError(f"catalogue number: found {quote(text)}, expected {FIELDS[0].expected}")
    head = stripped[0]
    return int(stripped) if head.isdigit() else (ALPHA5_LETTERS.index(head) + 10) * 10_000 + int(stripped[1:])


def read_all(*pair: NDArray[np.uint8]) -> tuple[dict[str, NDArray[Any]], NDArray[np.bool_]]:
    """Read every field of every record. The values hold for the records that keep to the layout.

    The digits of all fields come out of one matrix product: integers below 2^53, exact in floating point.

    Args:
        pair: the characters of all lines 1 and of all lines 2, shape (n, 69) each.

    Returns:
        Arrays of shape (n,) by catalogue column; besides, `norad_id_2`, `checksum_1` and `checksum_2` (the sum of the
        digits modulo 10) for the reader to compare, `epoch_year` (two digits) and `epoch_day_of_year`. Then the mask of the
        records read, shape (n,).
    """
    columns: dict[str, NDArray[Any]] = {}
    usual = np.ones(len(pair[0]), bool)
    for line, card in enumerate(pair, start=1):
        numbers = np.empty((len(card), _WEIGHTS[line - 1].shape[1]))
        for i in range(0, len(card), _RECORDS_PER_PRODUCT):
            part = slice(i, i + _RECORDS_PER_PRODUCT)
            usual[part] &= _follows_layout(card[part], line)
            numbers[part] = (
                _DIGIT_NUMBER.take(card[part]) @ _WEIGHTS[line - 1]
            )  # `take` needs half the time of an index
        for i, field in enumerate(f for f in FIELDS if f.line == line):
            value = numbers[:, i]
            if field.column in _POWERS:
                exponent = _DIGIT_VALUE[card[:, field.last - 1]].astype(np.int64)
                power = np.where(card[:, field.last - 2] == ord("-"), -exponent, exponent) - field.decimals
                scale = 10.0 ** np.abs(power)
                value = np.where(power < 0, value / scale, value * scale)
            elif field.decimals:
                value = value / 10.0**field.decimals
            if field.column in _SIGNED:
                value = np.where(card[:, field.first - 1] == ord("-"), -value, value)
            if field.column == "norad_id":
                value = value + 10_000 * _LETTER_VALUE[card[:, field.first - 1]]
            integer = field.column in _INTEGERS
            columns[_column_key(field)] = value.astype(np.int64) if integer else np.ascontiguousarray(value)
        columns[f"checksum_{line}"] = numbers[:, -1].astype(np.int64) % 10
    return columns, usual


def _follows_layout(card: NDArray[np.uint8], line: int) -> NDArray[np.bool_]:
    """Check that every column holds a character allowed there, and blanks stand only before a number. Shape (n,)."""
    fits = ((_CHARACTER_CLASS.take(card) & _ALLOWED[line - 1]) != 0).all(axis=1)
    blank = card == ord(" ")
    return np.asarray(fits & ~(blank[:, 1:] & ~blank[:, :-1] & _SAME_NUMBER[line - 1]).any(axis=1))


def read_one(line_1: str, line_2: str) -> dict[str, float]:
    """Read the fields of one record that departs from the layout.

    Raises:
        RecordDefect: a field that cannot be read, or a line that is too short or has characters between its fields.
    """
    values: dict[str, float] = {}
    cards = tuple(_blank_separators(card, number) for number, card in enumerate((line_1, line_2), start=1))
    for number, card in enumerate(cards, start=1):
        if len(card.rstrip(" ")) < 64 or len(card) < WIDTH - 1:
            found = len(card.rstrip(" "))
            raise RecordDefect(number, f"line {number}: found {found} characters, expected 69 (68 without a checksum)")
    for field in FIELDS:
        text = cards[field.line - 1][field.first - 1 : field.last]
        stripped = text.strip(" ")  # a tab or an invisible blank stands in place of a digit
        if not re.fullmatch(field.text, stripped, re.ASCII) or (field.column == "eccentricity" and text.endswith(" ")):
            raise RecordDefect(field.line, f"{describe_field(field)}: found {quote(text)}, expected {field.expected}")
        if field.column == "norad_id":
            values[_column_key(field)] = parse_norad_id(text)
        elif field.column in _INTEGERS:
            values[_column_key(field)] = int(stripped or "0")
        elif field.column in _POWERS:
            values[field.column] = _parse_power(stripped)
        else:
            values[field.column] = float("0." + stripped.zfill(7) if field.column == "eccentricity" else stripped)
    for number, card in enumerate(cards, start=1):
        for at, kind in enumerate(_LAYOUTS[number - 1]):
            if kind == "_" and card[at] != " ":
                raise RecordDefect(number, f"column {at + 1}: found {card[at]!r}, expected a blank")
    return values


def _blank_separators(card: str, line: int) -> str:
    """Replace the invisible blanks between fields, which come with text that is copied from a web page, by blanks."""
    if card.isascii():
        return card
    layout = _LAYOUTS[line - 1]
    return "".join(
        " " if at < WIDTH and layout[at] == "_" and unicodedata.category(c) == "Zs" else c for at, c in enumerate(card)
    )


def _parse_power(text: str) -> float:
    """Parse a number with implied point and power: "-12345-6" is -0.12345e-6."""
    found = re.fullmatch(r"([+-]?)(\d*?)([ +-]\d\d?)?", text)
    assert found
    return float(f"{found[1]}.{found[2].zfill(5)}e{(found[3] or '0').strip()}")


def _column_key(field: Field) -> str:
    if field.column == "norad_id":
        return "norad_id" if field.line == 1 else "norad_id_2"
    return "epoch_day_of_year" if field.column == "epoch_day" else field.column


def describe_field(field: Field) -> str:
    """Describe a field for messages: its name and columns."""
    name = {"norad_id": "catalogue number"}.get(field.column, field.column.replace("_", " "))
    return f"{name} (columns {field.first}-{field.last})"


def _find_digit_columns(field: Field) -> list[int]:
    """Find the columns, counted from 0, that hold the digits of a field, without those of the exponent."""
    last = field.last - 2 if field.column in _POWERS else field.last
    return [at for at in range(field.first - 1, last) if _LAYOUTS[field.line - 1][at] in "9#A"]


def _make_weights(line: int) -> NDArray[np.float64]:
    """Make the matrix that takes the digits of a line to the integers of its fields and to the checksum: (69, fields + 1)."""
    fields = [field for field in FIELDS if field.line == line]
    weights = np.zeros((WIDTH, len(fields) + 1))
    weights[: WIDTH - 1, -1] = 1.0
    for i, field in enumerate(fields):
        digits = _find_digit_columns(field)
        weights[digits, i] = 10.0 ** np.arange(len(digits) - 1, -1, -1)
    return weights


def _mark_same_number(line: int) -> NDArray[np.bool_]:
    """Mark the columns that hold digits of the same number as the next column. Shape (68,)."""
    same = np.zeros(WIDTH - 1, bool)
    for digits in (_find_digit_columns(field) for field in FIELDS if field.line == line):
        same[[at for at in digits if at + 1 in digits]] = True
    return same


def _make_character_table(values: dict[str, int]) -> NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    for characters, value in values.items():
        for character in characters:
            table[ord(character)] |= value
    return table


_DIGIT_VALUE = _make_character_table({str(d): d for d in range(10)} | {"-": 1})
"""A minus sign counts 1 in the checksum; no field has one among its digits."""
_DIGIT_NUMBER = _DIGIT_VALUE.astype(np.float64)
_LETTER_VALUE = _make_character_table({letter: 10 + i for i, letter in enumerate(ALPHA5_LETTERS)}).astype(np.int64)
_BITS = {"9": 1, "#": 1 | 2, "A": 1 | 2 | 4, "+": 2 | 8, ".": 16, "_": 2, "?": 255}
_CHARACTER_CLASS = _make_character_table({"0123456789": 1, " ": 2, ALPHA5_LETTERS: 4, "+-": 8, ".": 16}) | np.uint8(128)
_ALLOWED = tuple(np.array([_BITS[kind] for kind in layout], np.uint8) for layout in _LAYOUTS)
_SAME_NUMBER = (_mark_same_number(1), _mark_same_number(2))
_WEIGHTS = (_make_weights(1), _make_weights(2))
