"""Reader of OMM as comma-separated values, the CSV of CelesTrak and Space-Track.

The first line names the columns, which may stand in any order. All rows are split at once; a row that does not have as
many fields as the first line is read on its own. A quoted field ends with its line, so that a stray
quotation mark costs one row and not the rest of the file.
"""

from __future__ import annotations

import csv
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Reject
from constellation_jax.inputs.element_sets.omm import KEYWORDS, REQUIRED, OmmMessages, messages_to_columns
from constellation_jax.inputs.element_sets.tle_lines import LINE_KEYS, find_line_keys, read_lines
from constellation_jax.inputs.files.text_columns import LONGEST, TextColumn, column_of, cut

_COMMA, _NEWLINE, _RETURN, _QUOTE = (ord(character) for character in ',\n\r"')

_LINES = frozenset(word for words in LINE_KEYS for word in words)
_EPOCH = re.compile(r"\d-\d\d-?\d\dT\d\d:")
_MORE_FIELDS = 4
"""Fields above those of the header that make a row two records without a line end between them."""
_LONGEST_ROW = 100_000
"""Bytes read of a row that is read on its own; the csv module refuses longer fields."""


def read_csv(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of a CSV text; each row that cannot be read becomes a Reject.

    Args:
        data: the whole text, in UTF-8, its header in the first line that is not blank.
        source: name of the text for the rejects.

    Returns:
        Columns of shape (n,) for `Catalog.from_columns` (n may be 0), and the rejects in the order of the lines.

    Raises:
        InputError: the header lacks a column that every element set needs.
    """
    buffer = np.frombuffer(data + b"\n" + bytes(LONGEST), np.uint8)
    separators = _find_separators(buffer[: len(data) + 1], quoted=b'"' in data)
    row_end = np.flatnonzero(buffer[separators] == _NEWLINE)
    first = np.concatenate([[0], row_end[:-1] + 1])  # index of the separator that ends a row's first field
    fields = row_end - first + 1
    starts = np.concatenate([[0], separators[:-1] + 1])
    ends = separators.copy()
    ends[row_end] -= (buffer[separators[row_end] - 1] == _RETURN) & (ends[row_end] > starts[row_end])

    def row_text(row: int) -> str:
        raw = data[starts[first[row]] : ends[row_end[row]]][:_LONGEST_ROW]
        return raw.decode("utf-8", "replace").replace("\r", " ")  # the csv module refuses a return inside a row

    blank = (fields == 1) & (ends[first] - starts[first] <= 0)
    header_row = int(np.argmax(~blank))
    header_text = row_text(header_row)
    header = [name.strip().upper() for name in next(csv.reader([header_text]))]
    with_lines = _check_header(header, source, header_row + 1)
    body = np.flatnonzero(~blank & (np.arange(len(fields)) > header_row))
    # files that were joined repeat the header
    repeated = [
        row
        for row in body[_like_header(buffer, starts[first[body]], header_text)].tolist()
        if row_text(row) == header_text
    ]
    if repeated:
        body = body[~np.isin(body, repeated)]
    is_whole = fields == len(header)
    if b'"' in data:  # a mark that is not closed hides the commas of the record after it, where the line end is lost
        marks = np.searchsorted(np.flatnonzero(buffer[: len(data)] == _QUOTE), separators[row_end])
        unclosed = np.diff(marks, prepend=0) % 2 == 1
        for row in np.flatnonzero(is_whole & unclosed).tolist():
            is_whole[row] = row_text(row).count(",") + 1 < len(header) + _MORE_FIELDS
    whole = body[is_whole[body]]

    rejects = []
    repaired: dict[int, list[str]] = {}
    for row in body[~is_whole[body]].tolist():
        values = next(csv.reader([row_text(row)]))
        if not "".join(values).strip():
            continue
        if len(values) == len(header) != fields[row]:  # a quotation mark inside a field that is not quoted
            repaired[row] = values
        else:
            cut_off = row == len(fields) - 1 and not data.endswith(b"\n")
            reason = f"found {len(values)} fields, expected {len(header)} as in the header"
            # rows that have lost the line end between them are as many records
            text = row_text(row)
            places = text.count(",") + 1
            joined = max(
                len(_EPOCH.findall(text)), round(places / len(header)), 1 + (places >= len(header) + _MORE_FIELDS)
            )
            rejects += joined * [Reject(source, row + 1, reason + ("; the file is cut off" if cut_off else ""))]

    if with_lines is not None:
        return _read_line_columns(
            header, with_lines, [(row, row_text(row)) for row in whole.tolist()], repaired, rejects, source
        )
    rows = np.concatenate([whole, np.array(list(repaired), np.int64)])
    order = np.argsort(rows, kind="stable")
    texts = {}
    for at, keyword in enumerate(header):
        if keyword in KEYWORDS:
            column = _cut_field(buffer, starts[first[whole] + at], ends[first[whole] + at], quoted=b'"' in data)
            if repaired:
                column = np.concatenate([column, column_of([values[at] for values in repaired.values()])])[order]
            texts[keyword] = column
    rows = rows[order]
    columns, found = messages_to_columns(
        OmmMessages(len(rows), texts, lambda row, _: int(rows[row]) + 1), source, lenient=True
    )
    return columns, sorted(rejects + found, key=lambda r: r.line)


def _find_separators(text: NDArray[np.uint8], *, quoted: bool) -> NDArray[np.int64]:
    """Find the commas and line ends that separate fields: all but the commas between quotation marks. Shape (separators,)."""
    is_newline = text == _NEWLINE
    is_comma = text == _COMMA
    if quoted:
        odd = np.bitwise_xor.accumulate(text == _QUOTE)  # an odd number of quotation marks since the start of the text
        ends = np.flatnonzero(is_newline)
        odd_at_line_start = np.concatenate([[False], odd[ends[:-1]]])
        is_comma &= odd == np.repeat(odd_at_line_start, np.diff(ends, prepend=-1))
    return np.flatnonzero(is_comma | is_newline)


def _cut_field(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], end: NDArray[np.int64], *, quoted: bool
) -> TextColumn:
    if quoted:
        enclosed = (buffer[start] == _QUOTE) & (buffer[end - 1] == _QUOTE) & (end - start >= 2)
        column = cut(buffer, start + enclosed, end - start - 2 * enclosed)
        return (
            np.strings.replace(column, b'""', b'"') if np.strings.find(column, b'""').max(initial=-1) >= 0 else column
        )
    return cut(buffer, start, end - start)


def _like_header(buffer: NDArray[np.uint8], start: NDArray[np.int64], header: str) -> NDArray[np.bool_]:
    """True for the rows that begin like the header, shape (rows,)."""
    begin = np.frombuffer(header.encode()[:4].ljust(4), np.uint8)
    return np.asarray((buffer[start[:, None] + np.arange(4)] == begin).all(axis=1))


def _read_line_columns(
    header: list[str],
    keys: tuple[str | None, ...],
    rows: list[tuple[int, str]],
    repaired: dict[int, list[str]],
    rejects: list[Reject],
    source: str,
) -> tuple[dict[str, Any], list[Reject]]:
    """Read rows that hold two-line element sets in place of numbers."""
    values = sorted(
        [(row, next(csv.reader([text]))) for row, text in rows] + list(repaired.items()), key=lambda r: r[0]
    )
    one, two, name = (None if key is None else header.index(key) for key in keys)
    messages = [("" if name is None else cells[name], cells[one or 0], cells[two or 0]) for _, cells in values]
    columns, found = read_lines(messages, [row + 1 for row, _ in values], source)
    return columns, sorted(rejects + found, key=lambda r: r.line)


def _check_header(header: list[str], source: str, line: int) -> tuple[str | None, ...] | None:
    """Check the names of the columns; returns those of line 1, line 2 and the name where the rows hold two-line element sets.

    Raises:
        InputError: a column that is needed is missing, or one that is read stands twice.
    """
    for keyword in header:
        if (keyword in KEYWORDS or keyword in _LINES) and header.count(keyword) > 1:
            at = " and ".join(str(i) for i, other in enumerate(header, start=1) if other == keyword)
            raise InputError(
                f"{source}, line {line}: {keyword} is the name of columns {at}, expected one of them: remove the other"
            )
    missing = [keyword for keyword in REQUIRED if keyword not in header]
    keys = find_line_keys(header)
    if missing and keys[0] and keys[1]:
        return keys
    if missing == ["MEAN_MOTION"] and "SEMI_MAJOR_AXIS" in header:
        reason = "SEMI_MAJOR_AXIS is given in place of MEAN_MOTION; SGP4 elements have a mean motion"
        raise InputError(f"{source}, line {line}: {reason}")
    if missing:
        raise InputError(f"{source}, line {line}: the header lacks {', '.join(missing)}; every element set needs them")
    return None
