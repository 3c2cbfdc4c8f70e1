"""TOML files with the line of every key, for messages about their values.

`tomllib` gives values without positions. The scan below walks over text that `tomllib` has already accepted, so it
needs no error handling of its own: it only finds where keys begin. Deliberately absent: the meaning of keys.
"""

from __future__ import annotations

import os
import re
import tomllib
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import Any

from constellation_jax.errors import InputError

KeyPath = tuple[str | int, ...]
"""Path to a value: table names, positions in arrays (from 0) and keys, as in ("shells", 2, "altitude_km")."""


def load_toml(path: str | Path) -> tuple[dict[str, Any], Callable[[KeyPath], int]]:
    """Load a TOML file, and return its content with a function that gives the line of a key.

    Args:
        path: the file.

    Returns:
        data, as `tomllib` gives it, and `line_of`: `line_of(("shells", 2, "altitude_km"))` is the 1-based line on which
        the key of the third [[shells]] table begins. For a key that the file does not hold it is the line of the
        longest part of its path that it does hold, the header of the table; 1 where there is none.

    Raises:
        InputError: no such file, not UTF-8, or not TOML; the message names the file and the line.
    """
    path = Path(path)
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        raise InputError(f"{path}: a pipe or device, not a file; expected a TOML file")
    try:
        text = (
            path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
        )  # utf-8-sig: some editors begin with a byte order mark
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); expected a TOML file") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: byte {error.start + 1} is not UTF-8; save the file as UTF-8") from None
    if len(text) > _LONGEST_TEXT:
        raise InputError(f"{path}: found {len(text):,} characters, expected a TOML file of at most {_LONGEST_TEXT:,}")
    if deep := _DEEP_KEY.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise InputError(f"{path}, line {line}: nested too deeply, expected a few levels of tables or lists")
    try:
        data = tomllib.loads(text)
        lines = _Scan(text).lines
    except RecursionError:
        raise InputError(f"{path}: nested too deeply, expected a few levels of tables or lists") from None
    except tomllib.TOMLDecodeError as error:
        reason, _, place = str(error).rpartition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else max(1, len(text.splitlines()))
        raise InputError(f"{path}, line {line}: not valid TOML: {reason or error}") from None
    except ValueError:  # Python reads no integer of thousands of digits
        raise InputError(f"{path}: a number of thousands of digits, expected at most 18") from None

    def line_of(way: KeyPath) -> int:
        way = tuple(way)
        return next((lines[way[:n]] for n in range(len(way), 0, -1) if way[:n] in lines), 1)

    return data, line_of


_LONGEST_TEXT = 20_000_000
"""Most characters of a TOML file; the largest that ships has 12,000."""
_DEEP_KEY = re.compile(r"(?:[A-Za-z0-9_-]+\.){100}|\[{100}|(?:\{[A-Za-z0-9_-]{1,40} ?= ?){50}")
"""Keys of a hundred parts, and lists and tables of a hundred levels, at which readers of TOML fail or take minutes."""
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_PLAIN_VALUE = re.compile(r"[^,\]}\n#]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}(?!")'  # a multi-line string may end in one or two quotes of its own
    r"|'''.*?'{3,5}(?!')"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)


class _Scan:
    """One pass over valid TOML text; `lines` maps the path of every key to the line where it begins."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.newlines = [i for i, c in enumerate(text) if c == "\n"]
        self.lines: dict[KeyPath, int] = {}
        self.table_counts: dict[KeyPath, int] = {}  # elements so far of each [[array of tables]]
        self._document()

    def _document(self) -> None:
        table: KeyPath = ()
        while self._skip_blank():
            if self.text.startswith("[[", self.position):
                table = self._header(2)
            elif self.text[self.position] == "[":
                table = self._header(1)
            else:
                self._key_and_value(table)

    def _header(self, brackets: int) -> KeyPath:
        line = self._line()
        self.position += brackets
        keys = self._keys()
        way: KeyPath = ()
        for key in keys[:-1]:
            way = self._last_element((*way, key))
            self.lines.setdefault(way, line)
        way = (*way, keys[-1])
        self.lines.setdefault(way, line)
        if brackets == 2:
            self.table_counts[way] = self.table_counts.get(way, 0) + 1
        way = self._last_element(way)
        self.lines.setdefault(way, line)
        self.position += brackets
        return way

    def _last_element(self, way: KeyPath) -> KeyPath:
        return (*way, self.table_counts[way] - 1) if way in self.table_counts else way

    def _key_and_value(self, table: KeyPath) -> None:
        line = self._line()
        way = table
        for key in self._keys():
            way = (*way, key)
            self.lines.setdefault(way, line)
        self.position += 1  # the equals sign
        self._skip_blank()
        self._value(way)

    def _keys(self) -> list[str]:
        """The parts of a dotted key; the position is left on what follows it."""
        keys = []
        while True:
            self._skip_blank()
            if self.text[self.position] in "\"'":
                quoted = self._take(_STRING)
                keys.append(str(tomllib.loads(f"k = {quoted}")["k"]))
            else:
                keys.append(self._take(_BARE_KEY))
            self._skip_blank()
            if self.text[self.position] != ".":
                return keys
            self.position += 1

    def _value(self, way: KeyPath) -> None:
        first = self.text[self.position]
        if first in "\"'":
            self._take(_STRING)
        elif first in "[{":
            self.position += 1
            count = 0
            while self._skip_blank() and self.text[self.position] not in "]}":
                if self.text[self.position] == ",":
                    self.position += 1
                elif first == "[":
                    self.lines.setdefault((*way, count), self._line())
                    self._value((*way, count))
                    count += 1
                else:
                    self._key_and_value(way)
            self.position += 1
        else:
            self._take(_PLAIN_VALUE)

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.text, self.position)
        assert match is not None, "the text was accepted by tomllib"
        self.position = match.end()
        return match[0]

    def _skip_blank(self) -> bool:
        """Skip white space and comments; False at the end of the text."""
        self._take(_BLANK)
        return self.position < len(self.text)

    def _line(self) -> int:
        return bisect_right(self.newlines, self.position - 1) + 1
