"""Reader of two-line element sets, with or without name lines.

All records of a file are read at once, column by column. A record that departs from the usual layout is read on its own, for its
numbers may stand a little differently, or the reject has to name the field that is wrong. A record that cannot be read does not
affect the others.

Read: names with and without "0 " before them, LF and CRLF, blank lines, lines that start with "#", text after column
69, lines of 68 characters (without checksum), Alpha-5 catalogue numbers, blanks in place of leading zeros, day 366 of a year of 365
days (the first of the next), prose before the first record and after the last.

Reference: T. S. Kelso, "Frequently Asked Questions: Two-Line Element Set Format", Satellite Times, January 1998;
Space-Track documentation, "Alpha-5".
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import COLUMNS, Reject
from constellation_jax.inputs.catalog.checks import find_violations
from constellation_jax.inputs.element_sets.epochs import month_to_mjd
from constellation_jax.inputs.element_sets.tle_fields import (
    FIELDS,
    WIDTH,
    RecordDefect,
    describe_field,
    read_all,
    read_one,
)
from constellation_jax.inputs.files.text_columns import LONGEST, NUL_IN_TEXT, cut, find_nul, quote, strings

BROKEN = 3
"""Kind of a line that has the digits of an element line, but does not begin like one."""
_SHORTEST_BROKEN, _DIGITS_OF_BROKEN = 40, 25
"""Least characters and digits of a broken line: names have 24 characters, in wide use up to 30."""


def read_tle(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of a text; each defect becomes a Reject.

    Args:
        data: the whole text, in UTF-8.
        source: name of the text for the rejects.

    Returns:
        Columns of shape (n,) for `Catalog.from_columns` (n may be 0), and the rejects in the order of the lines.
    """
    if not data.isascii():  # a text that was copied from a web page
        data = re.sub(rb"^([ \t]*[12])\xc2\xa0", rb"\1 ", data, flags=re.MULTILINE)
    lines = _Lines(data)
    first, second, rejects = _pair_lines(lines, source)
    pair = (lines.cards(first), lines.cards(second))
    columns, usual = read_all(*pair)
    usual &= (lines.length[first] >= WIDTH - 1) & (lines.length[second] >= WIDTH - 1)

    keep = np.ones(len(first), bool)

    def reject(row: int, line: int, reason: str) -> None:
        keep[row] = False
        at = first[row] if line == 1 else second[row]
        rejects.append(Reject(source, lines.number(at), reason))

    for row in np.flatnonzero(~usual).tolist():
        try:
            for column, value in read_one(lines.text(first[row]), lines.text(second[row])).items():
                columns[column][row] = value
        except RecordDefect as defect:
            reject(row, defect.line, defect.reason)
    for row, line, reason in _find_mismatches(columns, pair):
        if keep[row]:
            reject(row, line, reason)
    columns["epoch_day"] = _to_mjd(columns["epoch_year"], columns["epoch_day_of_year"])
    where = {field.column: field for field in FIELDS}
    for row, column, reason in find_violations(columns):
        if keep[row]:
            reject(row, where[column].line, f"{describe_field(where[column])}: {reason}")
    for row, line, reason in _find_wrong_checksums(columns, pair):
        if keep[row]:
            at = first[row] if line == 1 else second[row]
            rejects.append(Reject(source, lines.number(at), f"checksum of {reason}", kept=True))

    columns["name"], nul = lines.names(first)
    for row in nul:
        if keep[row]:
            keep[row] = False
            rejects.append(Reject(source, lines.number(first[row] - 1), f"name: found {NUL_IN_TEXT}, expected text"))
    columns["classification"] = _read_classifications(pair[0])
    columns["international_designator"] = _read_designators(pair[0])
    rejects.sort(key=lambda r: r.line)
    kept: Any = slice(None) if keep.all() else keep  # picking every row one by one takes an eighth of the reading
    return {key: columns[key][kept] for key in columns if key in COLUMNS}, rejects


class _Lines:
    """Lines of a text without blank lines and comments. Their `kind` is 0 for a name line, 1 for a line 1, 2 for a line 2, and
    `BROKEN` for one that is no name but has lost its number or its place."""

    def __init__(self, data: bytes) -> None:
        self._buffer = np.frombuffer(data + b"\n" + bytes(LONGEST), np.uint8)
        end = np.flatnonzero(self._buffer == ord("\n"))
        start = np.concatenate([[0], end[:-1] + 1])
        end = end - (self._buffer[end - 1] == ord("\r"))
        indented = np.flatnonzero(_is_blank(self._buffer[start]) & (start < end))
        if len(indented):  # a text pasted from a program is often indented
            solid = np.flatnonzero(~_is_blank(self._buffer))
            start[indented] = np.minimum(solid[np.searchsorted(solid, start[indented])], end[indented])
        content = np.flatnonzero((start < end) & (self._buffer[start] != ord("#")))
        self._line = content
        self._start, self.length = start[content], (end - start)[content]
        head, blank = self._buffer[self._start], self._buffer[self._start + 1] == ord(" ")
        self.kind = np.where(blank & (self.length > 1), (head == ord("1")) + 2 * (head == ord("2")), 0)
        for i in np.flatnonzero((self.kind > 0) & (self.length < 62)).tolist():
            cut_line_2 = self.kind[i] == 2 and i > 0 and self.kind[i - 1] == 1
            if not cut_line_2 and not re.match(r"[12] [ 0-9A-Z][ 0-9]{4}", self.text(i)):
                self.kind[i] = 0  # a name such as "2 SISTERS"
        for i in np.flatnonzero((self.kind == 0) & (self.length >= _SHORTEST_BROKEN)).tolist():
            if sum(map(str.isdigit, self.text(i)[:WIDTH])) >= _DIGITS_OF_BROKEN:
                self.kind[i] = BROKEN

    def __len__(self) -> int:
        return len(self._line)

    def number(self, i: int) -> int:
        """Return the number of a line in the file, counted from 1."""
        return int(self._line[i]) + 1

    def text(self, i: int) -> str:
        start = int(self._start[i])
        return self._buffer[start : start + int(self.length[i])].tobytes().decode("utf-8", "replace")

    def cards(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Return the characters of the 69 columns of some lines, blanks where a line is shorter. Shape (n, 69)."""
        table = np.lib.stride_tricks.sliding_window_view(self._buffer, WIDTH)[self._start[rows]]
        short = np.flatnonzero(self.length[rows] < WIDTH)
        beyond = np.arange(WIDTH) >= self.length[rows[short], None]
        table[short] = np.where(beyond, ord(" "), table[short])
        return np.asarray(table)

    def names(self, first: NDArray[np.int64]) -> tuple[NDArray[np.str_], list[int]]:
        """Return the name line before each line 1, without the "0 " of the three-line form; "" where there is none. Shape (n,).

        Also the rows whose name holds a NUL.
        """
        before = np.maximum(first - 1, 0)
        named = (first > 0) & (self.kind[before] == 0)
        start, length = self._start[before], np.where(named, self.length[before], 0)
        numbered = (self._buffer[start] == ord("0")) & (self._buffer[start + 1] == ord(" ")) & (length > 1)
        names = cut(self._buffer, np.where(named, start + 2 * numbered, 0), length - 2 * numbered)
        return strings(names), find_nul(names)


def _is_blank(characters: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray((characters == ord(" ")) | (characters == ord("\t")))


def _pair_lines(lines: _Lines, source: str) -> tuple[NDArray[np.int64], NDArray[np.int64], list[Reject]]:
    """Pair lines 1 and 2: their positions, shape (records,) each, and a Reject for each line that belongs to no record."""
    following = np.append(lines.kind[1:], -1)
    preceding = np.insert(lines.kind[:-1], 0, -1) if len(lines) else lines.kind
    first = np.flatnonzero((lines.kind == 1) & (following == 2))
    rejects = []
    for i in np.flatnonzero((lines.kind == 1) & (following != 2)).tolist():
        found = quote(lines.text(i + 1).rstrip()) if i + 1 < len(lines) else "the end of the file"
        expected = f"a line 2 that starts with {lines.text(i)[:7].replace('1', '2', 1)!r}"
        rejects.append(Reject(source, lines.number(i), f"line 2 is missing: found {found}, expected {expected}"))
    for i in np.flatnonzero((lines.kind == 2) & (preceding != 1)).tolist():
        rejects.append(Reject(source, lines.number(i), f"line 1 is missing before {quote(lines.text(i)[:7])}"))
    for i in np.flatnonzero((lines.kind == BROKEN) & (preceding != 1) & (following != 2)).tolist():
        reason = f"found {quote(lines.text(i).rstrip())}, expected a line that begins with '1 ' or '2 ' and a catalogue number"
        rejects.append(Reject(source, lines.number(i), reason))
    # a text before the first record or after the last, such as the prose of a bulletin, has lost none
    cards = np.flatnonzero(lines.kind)
    inside = np.arange(len(lines))
    inside = (inside > cards.min(initial=len(lines))) & (inside < cards.max(initial=-1))
    for i in np.flatnonzero((lines.kind == 0) & inside & ((following < 1) | (following == BROKEN))).tolist():
        reason = f"found {quote(lines.text(i).rstrip())}, expected an element line, or a name with a line 1 after it"
        rejects.append(Reject(source, lines.number(i), reason))
    return first, first + 1, rejects


def _find_mismatches(
    columns: dict[str, NDArray[Any]], pair: tuple[NDArray[np.uint8], ...]
) -> list[tuple[int, int, str]]:
    """Find the records whose two lines do not belong together, or whose epoch is no day, as (row, line, reason)."""
    found = []
    for row in np.flatnonzero(columns["norad_id"] != columns["norad_id_2"]).tolist():
        one, two = (bytes(card[row, 2:7]).decode("utf-8", "replace") for card in pair)
        found.append((row, 2, f"catalogue number (columns 3-7): found {two!r}, expected {one!r} as on line 1"))
    with_checksum = [card[:, -1] != ord(" ") for card in pair]
    for row in np.flatnonzero(with_checksum[0] != with_checksum[1]).tolist():
        short = 2 if with_checksum[0][row] else 1
        found.append(
            (row, short, f"line {short}: found 68 characters, expected 69 as on line {3 - short}: one is missing")
        )
    year, day = _expand_year(columns["epoch_year"]), columns["epoch_day_of_year"]
    for row in np.flatnonzero((day < 1) | (day > np.maximum(_count_days(year), 366))).tolist():
        found.append((row, 1, f"epoch day (columns 21-23): found {day[row]}, expected a day of {year[row]}"))
    return found


def _find_wrong_checksums(
    columns: dict[str, NDArray[Any]], pair: tuple[NDArray[np.uint8], ...]
) -> list[tuple[int, int, str]]:
    """Find the lines whose last digit is not the sum of the others modulo 10, as (row, line, reason). A minus counts 1."""
    found = []
    for line, card in enumerate(pair, start=1):
        expected = columns[f"checksum_{line}"] + ord("0")
        for row in np.flatnonzero((card[:, -1] != expected) & (card[:, -1] != ord(" "))).tolist():
            found.append((row, line, f"line {line}: found {chr(card[row, -1])!r}, expected {chr(expected[row])!r}"))
    return found


def _to_mjd(two_digit_year: NDArray[np.int64], day_of_year: NDArray[np.int64]) -> NDArray[np.int64]:
    """Convert year and day of the year to Modified Julian Date. Shape (n,)."""
    year = _expand_year(two_digit_year)
    return month_to_mjd(year, np.ones_like(year)) + day_of_year - 1


def _expand_year(two_digit_year: NDArray[np.int64]) -> NDArray[np.int64]:
    """Expand a two-digit year to 1957 to 2056: the first satellite was launched in 1957. Shape (n,)."""
    return two_digit_year + np.where(two_digit_year < 57, 2000, 1900)


def _count_days(year: NDArray[np.int64]) -> NDArray[np.int64]:
    return month_to_mjd(year + 1, np.ones_like(year)) - month_to_mjd(year, np.ones_like(year))


def _read_classifications(card: NDArray[np.uint8]) -> NDArray[np.str_]:
    column = card[:, 7:8].copy()
    column[column == ord(" ")] = ord("U")
    return strings(column.view("S1")[:, 0])


def _read_designators(card: NDArray[np.uint8]) -> NDArray[np.str_]:
    """Read COSPAR designators, "98067A" as "1998-067A"; one in another form stays as it is. Shape (n,)."""
    raw = np.ascontiguousarray(card[:, 9:17])
    for row in np.flatnonzero((raw[:, 2:6] == ord(" ")).any(axis=1) & (raw[:, 1] != ord(" "))).tolist():
        if found := re.fullmatch(rb"(\d\d)( *\d+) *([A-Z]+) *", raw[row].tobytes()):  # "94 62  A"
            mended = found[1] + b"%03d" % int(found[2]) + found[3]
            raw[row] = np.frombuffer(mended[:8].ljust(8), np.uint8)
    usual = ((raw[:, :5] - 48) <= 9).all(axis=1)
    full = np.empty((len(raw), 11), np.uint8)
    recent = raw[:, 0].astype(np.int64) * 10 + raw[:, 1] < ord("5") * 10 + ord("7")
    full[:, :2] = np.where(recent[:, None], np.frombuffer(b"20", np.uint8), np.frombuffer(b"19", np.uint8))
    full[:, 2:4], full[:, 4], full[:, 5:] = raw[:, :2], ord("-"), raw[:, 2:]
    full[~usual, :8], full[~usual, 8:] = raw[~usual], ord(" ")
    return strings(full.view("S11")[:, 0])
