"""Columns of decimal text to columns of numbers, each equal to Python's float() of the same text.

A column of text is a NumPy array of bytes ("S"), one entry per record. A whole column is converted at once; only entries in
an unusual spelling are read one by one. Defects come back as {row: reason}, so that a reader can report them all.

Deliberately absent: any knowledge of a file format.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.files.text_files import NUL

TextColumn = NDArray[np.bytes_]
Defects = dict[int, str]

LONGEST = 200
"""Longest entry, bytes; the rest is cut off. A column takes the room of its longest entry in every record, and no name or
number of an element set comes near: without a limit one broken line could ask for all memory."""

NUL_IN_TEXT = "the character NUL"
"""Name of NUL for messages about a name that holds one."""

_DECIMAL = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER = re.compile(rb"[+-]?\d+")
_WHOLE = re.compile(rb"(\d+)\.0*")
_WIDEST = 24
"""Longest text, bytes, that is converted with its column; longer ones are read one by one."""
_LARGEST_EXACT = 9_007_199_254_740_992.0
"""2^53. While digits and power of ten are both exact doubles (10^22 is the last), one division rounds correctly:
W. D. Clinger, "How to read floating point numbers accurately", 1990, doi:10.1145/93548.93557."""
_POWERS_OF_TEN = 10.0 ** np.arange(23)
_BLOCK = 8192
"""Rows that are converted at once: the working arrays of a block stay in the processor's cache."""


def cut(buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]) -> TextColumn:
    """Cut pieces out of a text, and return them as one column, padded with NUL.

    Args:
        buffer: the text, shape (bytes,), followed by at least LONGEST bytes of anything.
        start: first byte of each piece, shape (n,).
        length: bytes of each piece, shape (n,); no more than LONGEST are taken.
    """
    width = min(max(int(length.max(initial=0)), 1), LONGEST)
    pieces = np.lib.stride_tricks.sliding_window_view(buffer, width)[start]
    if len(length) and int(length.min()) < width:
        pieces *= np.arange(width) < length[:, None]
    column: TextColumn = pieces.view(f"S{width}")[:, 0]
    return column


def column_of(texts: Sequence[str]) -> TextColumn:
    """Make a column of text, in UTF-8, from a sequence of str; no more than LONGEST bytes of each are taken."""
    # all at once, several times as quick; a text that holds a newline itself makes more parts
    parts = "\n".join(texts).encode("utf-8", "replace").split(b"\n")
    if len(parts) != len(texts):
        parts = [text.encode("utf-8", "replace") for text in texts]
    if len(max(parts, key=len, default=b"")) > LONGEST:
        parts = [part[:LONGEST] for part in parts]
    return np.array(parts, dtype=np.bytes_)


def find_nul(text: TextColumn) -> list[int]:
    """Find the entries of a column that held a NUL, which reading has replaced by its symbol."""
    symbol, everything = NUL.encode(), text.tobytes()
    if symbol[:1] not in everything or symbol not in everything:  # one byte is found many times as quickly
        return []
    return [row for row, entry in enumerate(text.tolist()) if symbol in entry]


def floats(text: TextColumn, *, default: float | None = None) -> tuple[NDArray[np.float64], Defects]:
    """Convert a column of decimal numbers ("13.7", ".5", "-1E-3"), correctly rounded.

    Args:
        text: shape (n,).
        default: value of an empty entry; with None an empty entry is a defect.

    Returns:
        Values of shape (n,), NaN where there is a defect, and the defects.
    """
    values = np.empty(len(text))
    defects: Defects = {}
    for first in range(0, len(text), _BLOCK):
        block = text[first : first + _BLOCK]
        mantissa, power, _, plain = _scan(block)
        magnitude = np.abs(power)
        plain &= magnitude <= 22
        scale = _POWERS_OF_TEN[np.where(plain, magnitude, 0)]
        values[first : first + _BLOCK] = np.where(power < 0, mantissa / scale, mantissa * scale)
        for row in np.flatnonzero(~plain).tolist():
            entry = bytes(block[row]).strip()
            if _DECIMAL.fullmatch(entry) and len(entry) < LONGEST:
                values[first + row] = float(entry)
            else:
                values[first + row] = _default_or_defect(entry, default, "a number", first + row, defects)
    return values, defects


def integers(
    text: TextColumn, *, default: int | None = None, largest: int, lenient: bool = False
) -> tuple[NDArray[np.int64], Defects]:
    """Convert a column of integers ("25544", "0925", "+1").

    Args:
        text: shape (n,).
        default: value of an empty entry; with None an empty entry is a defect.
        largest: the largest value allowed; the smallest is 0.
        lenient: whether "25544.0" is an integer too, as pandas and databases write it where other rows have none.

    Returns:
        Values of shape (n,), 0 where there is a defect, and the defects.
    """
    mantissa, _, plain_integer, plain = _scan(text)
    plain &= plain_integer & (mantissa >= 0) & (mantissa <= largest)
    values = np.where(plain, mantissa, 0.0).astype(np.int64)
    defects: Defects = {}
    for row in np.flatnonzero(~plain).tolist():
        entry = bytes(text[row]).strip()
        if _INTEGER.fullmatch(entry) and 0 <= int(entry) <= largest:  # at most LONGEST digits
            values[row] = int(entry)
        elif lenient and (whole := _WHOLE.fullmatch(entry)) and int(whole[1]) <= largest:
            values[row] = int(whole[1])
        else:
            value = _default_or_defect(entry, default, f"an integer from 0 to {largest}", row, defects)
            values[row] = 0 if row in defects else value
    return values, defects


def strings(text: TextColumn) -> NDArray[np.str_]:
    """Decode a column of text to str, without blanks at either end. Shape (n,)."""
    stripped = np.strings.strip(text)
    width = stripped.dtype.itemsize
    if not len(stripped) or not width:
        return np.full(len(stripped), "", dtype="U1")
    codes = np.ascontiguousarray(stripped).view(np.uint8).reshape(-1, width)
    if int(codes.max()) < 128:  # ASCII: the bytes are the code points
        ascii_column: NDArray[np.str_] = codes.astype(np.uint32).view(f"U{width}")[:, 0]
        return ascii_column
    return np.array([entry.decode("utf-8", "replace") for entry in stripped.tolist()])


def quote(text: bytes | str, limit: int = 40) -> str:
    """Quote a text for a message: one line, printable, at most `limit` characters."""
    decoded = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    return repr(decoded if len(decoded) <= limit else decoded[: limit - 3] + "...")


def _default_or_defect(entry: bytes, default: float | None, expected: str, row: int, defects: Defects) -> float:
    if not entry and default is not None:
        return default
    defects[row] = f"found {quote(entry)}, expected {expected}" if entry else f"missing, expected {expected}"
    return np.nan


def _scan(text: TextColumn) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Signed digits (an exact integer), power of ten, "is an integer" and "is in a usual spelling". Shapes (n,)."""
    width = min(text.dtype.itemsize, _WIDEST)
    characters = np.ascontiguousarray(text).view(np.uint8).reshape(len(text), text.dtype.itemsize)
    plain = np.asarray(characters[:, width] == 0) if characters.shape[1] > width else np.ones(len(text), bool)
    table = np.ascontiguousarray(characters[:, :width].T)  # (width, n): every step below runs along the records
    end = np.count_nonzero(table, axis=0)
    exponent, has_exponent = _exponents(table, end, plain)

    digit: NDArray[Any] = (table - 48) <= 9  # uint8 wraps: what is below "0" becomes large
    if has_exponent.any():
        digit &= np.arange(width)[:, None] < end
    point = table == ord(".")
    negative = table[0] == ord("-")
    signed = negative | (table[0] == ord("+"))
    digits = digit.sum(axis=0, dtype=np.uint8)
    points = point.sum(axis=0, dtype=np.uint8)
    plain &= (digits > 0) & (points <= 1) & (digits + points + signed == end)

    weight = 1.0 + 9.0 * digit
    value = ((table - 48) * digit).astype(np.float64)
    mantissa = value[0]
    for j in range(1, width):
        mantissa *= weight[j]
        mantissa += value[j]
    plain &= mantissa <= _LARGEST_EXACT
    point_at = (point * np.arange(width, dtype=np.uint8)[:, None]).sum(axis=0, dtype=np.int64)
    after_point = np.where(points > 0, end - 1 - point_at, 0)
    return np.where(negative, -mantissa, mantissa), exponent - after_point, (points == 0) & ~has_exponent, plain


def _exponents(
    table: NDArray[np.uint8], end: NDArray[np.int64], plain: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Exponents of one or two digits, and where they are. Moves `end` to the E; clears `plain` for other exponents."""
    width, n = table.shape
    exponent = np.zeros(n, np.int64)
    is_e = (table | 32) == ord("e")
    has_exponent: NDArray[np.bool_] = is_e.any(axis=0)
    rows = np.flatnonzero(has_exponent)
    if not len(rows):
        return exponent, has_exponent
    e_at = is_e[:, rows].argmax(axis=0)

    def character(offset: NDArray[np.int64] | int) -> NDArray[np.uint8]:
        at = e_at + offset
        return np.where(at < width, table[np.minimum(at, width - 1), rows], 0).astype(np.uint8)

    first = character(1)
    negative = first == ord("-")
    signed = (negative | (first == ord("+"))).astype(np.int64)
    ones, tens = character(1 + signed) - 48, character(2 + signed) - 48
    length = end[rows] - e_at - 1 - signed
    plain[rows] &= (ones <= 9) & ((length == 1) | ((length == 2) & (tens <= 9)))
    magnitude = np.where(length == 2, 10 * ones.astype(np.int64) + tens, ones)
    exponent[rows] = np.where(negative, -magnitude, magnitude)
    end[rows] = e_at
    return exponent, has_exponent
