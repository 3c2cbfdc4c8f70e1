"""Readers of OMM as JSON, XML and KVN (keyword = value).

Each reader splits the file into messages and notes the line of each value; omm.py interprets the values. A message that cannot be
parsed does not affect the others, and of a file that breaks off every complete message before the break is read.

Deliberately absent: XML document types and entities. No OMM has them, and they are how small files grow to gigabytes.
"""

from __future__ import annotations

import bisect
import difflib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from types import NoneType
from typing import Any
from xml.parsers import expat

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Reject
from constellation_jax.inputs.element_sets.omm import KEYWORDS, REQUIRED, UNITS, OmmMessages, messages_to_columns
from constellation_jax.inputs.element_sets.tle_lines import LINE_KEYS, find_line_keys, read_lines
from constellation_jax.inputs.files.text_columns import column_of, quote

_START = ""
"""Key under which the lines of a message's keywords hold the first line of the message."""
_LINES = frozenset(word for words in LINE_KEYS for word in words)
_BETWEEN = re.compile(r"[\s,\[\]]*")
_WITH_UNIT = re.compile(r"(.*?)\s*\[([^\]]*)\]")


def read_json(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of a JSON array of objects, of a single object, or of objects one after the other.

    Numbers may be written as strings; an object may hold the lines of a two-line element set instead. Arguments and result as for
    `read_csv`.
    """
    text = data.decode("utf-8", "replace")
    messages, offsets, rejects = _decode_objects(text, source)
    if text.count('":') != sum(map(len, messages)):  # a key twice, or other spellings
        messages, offsets, rejects = _decode_objects(text, source, _JSON_PAIRS)
    values, kinds = _take_values(messages)
    suspect = not kinds <= {str, NoneType} or _Repeated in {*map(type, messages)}
    suspect = suspect or ("\\" in text and ("\\ud" in text or "\\uD" in text))  # half of a surrogate pair
    line_of = _make_line_counter(text)
    omm: list[dict[str, Any]] = []
    starts: list[int] = []
    lines: list[tuple[tuple[str, str, str], int]] = []
    for message, at in zip(messages, offsets, strict=True):
        if "MEAN_MOTION" in message:
            keys: tuple[str | None, ...] = (None, None, None)
        else:
            keys = find_line_keys(message)
        why = _find_other_values(message) if suspect or keys[0] else ""
        if why:
            rejects.append(Reject(source, line_of(at), why))
        elif keys[0] and keys[1]:
            one, two, name = ("" if key is None else _to_text(message[key]) for key in keys)
            lines.append(((name, one, two), line_of(at)))
        elif KEYWORDS.isdisjoint(message):
            reason = f"found {quote(str(message))}, expected OMM keywords"
            rejects.append(Reject(source, line_of(at), reason))
        else:
            omm.append(message)
            starts.append(at)

    def line(row: int, keyword: str) -> int:
        end = starts[row + 1] if row + 1 < len(starts) else len(text)
        return line_of(max(text.find(f'"{keyword}"', starts[row], end), starts[row]))

    values, kinds = (values, kinds) if len(omm) == len(messages) else _take_values(omm)
    texts = values if kinds == {str} else {key: [*map(_to_text, column)] for key, column in values.items()}
    columns, found = _to_columns(texts, len(omm), line, rejects, source, lenient=True)
    if not lines:
        return columns, found
    more, more_rejects = read_lines([parts for parts, _ in lines], [number for _, number in lines], source)
    if omm:
        more = {key: np.concatenate([columns[key], more[key]]) for key in columns}
    return more, sorted(found + more_rejects, key=lambda r: r.line)


def read_xml(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of the <omm> elements of an NDM file, or of a single one.

    A namespace prefix may stand before the names; where the XML breaks, the reading goes on at the next <omm>. Arguments and
    result as for `read_csv`.

    Raises:
        InputError: a document type declaration.
    """
    reader = _XmlReader(source)
    at, line = 0, 1
    while (failure := reader.read(data, at, line)) is not None:
        offset, broken_line, why = failure
        opened = _OMM_START.search(data, max(offset, at) + 1)
        more = "" if opened else "; there is no message after it"
        reader.rejects.append(Reject(source, broken_line, f"the XML breaks here: {why}{more}"))
        if opened is None:
            break
        line += data.count(b"\n", at, opened.start())
        at = opened.start()
    messages = reader.messages
    texts = {key: [message.get(key, "") for message in messages] for key in _find_keywords(messages)}
    return _to_columns(texts, len(messages), _make_line_lookup(reader.lines), reader.rejects, source)


def read_kvn(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of the messages of a file of "KEYWORD = value [unit]" lines.

    A message begins at CCSDS_OMM_VERS, or at a keyword that the message before already has. Arguments and result as for
    `read_csv`.
    """
    messages: list[dict[str, str]] = []
    lines: list[dict[str, int]] = []
    damaged: dict[int, tuple[int, str]] = {}
    stray: list[Reject] = []
    foreign = after_gap = False
    for number, raw in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        keyword, equals, value = (part.strip() for part in raw.partition("="))
        if not raw.strip():
            after_gap = True
            continue
        if keyword == "COMMENT" or keyword.startswith(("COMMENT ", "#")):
            continue
        if _MESSAGE.fullmatch(keyword):
            foreign = keyword != _VERSION
        is_repeated = bool(messages) and keyword in lines[-1] and not foreign
        if is_repeated and not after_gap and keyword not in _FIRST_KEYWORDS and not lines[-1].keys() >= {*REQUIRED}:
            # in the middle of a message: it is not the next one that begins
            damaged.setdefault(len(messages) - 1, (number, f"{keyword} stands twice, on line {lines[-1][keyword]} too"))
            continue
        if keyword == _VERSION or not messages or is_repeated:
            messages.append({})
            lines.append({_START: number})
        after_gap = False
        if not equals and not difflib.get_close_matches(raw.split()[0][:40], KEYWORDS, 1, 0.8):
            stray.append(Reject(source, number, f"found {quote(raw.strip())}, expected KEYWORD = value", kept=True))
        elif not equals:
            damaged.setdefault(len(messages) - 1, (number, f"found {quote(raw.strip())}, expected KEYWORD = value"))
        elif not foreign:
            lines[-1][keyword] = number
            if keyword in KEYWORDS:
                messages[-1][keyword] = _strip_unit(keyword, value)
            elif keyword not in _OTHER_KEYWORDS and (
                meant := difflib.get_close_matches(keyword[:40], KEYWORDS, 1, 0.8)
            ):
                damaged.setdefault(len(messages) - 1, (number, f"found {quote(keyword)}, expected {meant[0]}"))
    if any(_VERSION in own for own in lines):
        for row, own in enumerate(lines):
            if _VERSION not in own:
                damaged.setdefault(
                    row, (own[_START], f"{_VERSION} is missing before {quote(next(iter([*own][1:]), ''))}")
                )
    rejects = stray + [Reject(source, number, why) for number, why in damaged.values()]
    whole = [row for row in range(len(messages)) if row not in damaged]
    messages, lines = [messages[row] for row in whole], [lines[row] for row in whole]
    texts = {key: [message.get(key, "") for message in messages] for key in _find_keywords(messages)}
    return _to_columns(texts, len(messages), _make_line_lookup(lines), rejects, source)


def _decode_objects(
    text: str, source: str, decoder: json.JSONDecoder | None = None
) -> tuple[list[dict[str, Any]], list[int], list[Reject]]:
    """Decode the JSON objects of a text: their values, where each begins, and a Reject wherever the JSON breaks."""
    decoder = decoder or _JSON
    line_of = _make_line_counter(text)
    messages: list[dict[str, Any]] = []
    offsets: list[int] = []
    rejects: list[Reject] = []
    at = _skip_separators(text, 0)
    broken = False
    while at < len(text):
        if text[at] == "{":
            try:
                value, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError as error:
                reason = f"the JSON breaks here: {error.msg.lower()}, found {_quote_next(text, error.pos)}"
                rejects.append(Reject(source, error.lineno, reason))
                if len(rejects) > _MOST_BREAKS:
                    rejects.append(
                        Reject(source, error.lineno, f"the JSON breaks {_MOST_BREAKS:,} times; the rest was not read")
                    )
                    break
                following = _OBJECT.search(text, at + 1)  # the break may have swallowed the start of the next one
                at, broken = following.start() if following else -1, True
            except RecursionError:
                raise InputError(f"{source}, line {line_of(at)}: nested too deeply for an OMM") from None
            else:
                messages.append(value)
                offsets.append(at)
                at, broken = _skip_separators(text, end), False
        else:
            rejects.append(Reject(source, line_of(at), f"found {_quote_next(text, at)}, expected an object {{...}}"))
            at, broken = text.find("{", at), True
        if at < 0:
            break
    if text.lstrip().startswith("[") and not broken and not text.rstrip().endswith("]"):
        reason = "found the end of the file, expected ']': the file is cut off, and nobody knows how many records are missing"
        rejects.append(Reject(source, line_of(len(text.rstrip())), reason))
    return messages, offsets, rejects


class _Repeated(dict[str, Any]):
    """JSON object in which a key stands twice."""

    key = ""


def _pair_up(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        found = _Repeated(found)
        found.key = next(key for key in keys if keys.count(key) > 1)
    return found


# Numbers stay text, so that they are converted in one place and a catalogue number keeps its digits.
_JSON = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
_JSON_PAIRS = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str, object_pairs_hook=_pair_up)
_OBJECT = re.compile(r'\{\s*"')


def _take_values(messages: list[dict[str, Any]]) -> tuple[dict[str, Any], set[type]]:
    """Values by keyword, None where a message lacks it, and all their types. Message by message: keyword by keyword is slower."""
    keys = [*_find_keywords(messages)]
    try:
        rows = [*map(itemgetter(*keys, *keys[:1]), messages)] if keys else []  # a tuple of one key too
    except KeyError:
        rows = [tuple(message.get(key) for key in keys) for message in messages]
    return dict(zip(keys, zip(*rows, strict=True), strict=False)), {*map(type, chain.from_iterable(rows))}


def _find_other_values(message: dict[str, Any]) -> str:
    """Reason to refuse a message: a key that stands twice, or a value that is no text; "" where there is none."""
    if isinstance(message, _Repeated):
        return f"{quote(message.key)} stands twice, expected once"
    for key, value in message.items():
        if key not in KEYWORDS and key.upper() not in _LINES:
            continue
        half = type(value) is str and any("\ud800" <= c <= "\udfff" for c in value)
        if half or isinstance(value, dict | list | bool):
            return f"{key}: found {quote(value if half else str(value))}, expected text"
    return ""


_MOST_BREAKS = 1000
"""Breaks of one JSON text after which nothing more is read: each costs a search of the text before it."""
_VERSION = "CCSDS_OMM_VERS"
_MESSAGE = re.compile("CCSDS_(?:OMM|OPM|OEM|OCM|APM|AEM|ACM|CDM|TDM|RDM|NDM|PRM|EPM)_VERS")
"""First keyword of each kind of message of the CCSDS."""
_FIRST_KEYWORDS = (_VERSION, "OBJECT_NAME", "OBJECT_ID")
"""Keywords of which one begins a message."""
_OTHER_KEYWORDS = frozenset({"CLASSIFICATION", "COV_REF_FRAME", "REF_FRAME_EPOCH"})
"""Keywords of an OMM that are not read and are near to some that are (CCSDS 502.0-B-3, tables 4-1 to 4-3)."""
_OMM_START = re.compile(rb"<(?:[\w.-]+:)?omm[\s>]")


class _XmlReader:
    """Event handlers of the XML parser, which collect the texts of the elements inside each <omm>."""

    def __init__(self, source: str) -> None:
        self.messages: list[dict[str, str]] = []
        self.lines: list[dict[str, int]] = []
        self.rejects: list[Reject] = []
        self._source = source

    def read(self, data: bytes, at: int, line: int) -> tuple[int, int, str] | None:
        """Read from an offset, which stands on a line, to the end.

        Returns:
            None, or of a break: where the message that is lost begins, or else where the last whole one ends; line; reason.
        """
        self._begin(line)
        # The encoding is given so that a declaration cannot choose one in which a document type would not be seen.
        self.parser = parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text.append
        parser.StartDoctypeDeclHandler = self._refuse
        try:
            if at:  # the elements that follow a break have no root of their own
                parser.Parse(_ROOT, False)
            parser.Parse(memoryview(data)[at:], not at)
            if at:
                parser.Parse(b"</ndm>", True)
        except expat.ExpatError as error:
            inside: Any = self.message  # the handlers have set it meanwhile
            if inside is not None:
                self.lines.pop()
            before = len(_ROOT) if at else 0
            byte = max(0, min(parser.ErrorByteIndex - before, len(data) - at)) + at
            if at and inside is None and any(_CLOSING.fullmatch(data, max(byte - back, at)) for back in (0, 2)):
                return None  # the end of the root that was open before the break
            return max(0, self._mark - before) + at, self._line + error.lineno, expat.ErrorString(error.code)
        return None

    def _begin(self, line: int) -> None:
        self.message: dict[str, str] | None = None
        self._mark = 0
        self._repeated = ""
        self._line = line - 1
        self._text: list[str] = []
        self._attributes: dict[str, str] = {}

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        self._attributes = attributes
        name = name.rpartition(":")[2] if ":" in name else name
        if name == "omm":
            if self.message is not None:
                where = self.lines.pop()[_START]
                self.rejects.append(Reject(self._source, where, "<omm> is not closed before the next one begins"))
            self.message, self._repeated, self._mark = {}, "", self.parser.CurrentByteIndex
            self.lines.append({_START: self._line + self.parser.CurrentLineNumber})
        elif name in KEYWORDS and self.message is not None:
            if name in self.lines[-1]:
                self._repeated = name
            self.lines[-1][name] = self._line + self.parser.CurrentLineNumber

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2] if ":" in name else name
        if self.message is None:
            return
        if name in KEYWORDS:
            text = "".join(self._text).strip()
            unit = self._attributes.get("units")
            self.message[name] = text if unit is None else _strip_unit(name, f"{text} [{unit}]")
        elif name == "omm":
            if self._repeated:
                where = self.lines.pop()[self._repeated]
                self.rejects.append(Reject(self._source, where, f"{self._repeated} stands twice in one message"))
            else:
                self.messages.append(self.message)
            self.message, self._mark = None, self.parser.CurrentByteIndex

    def _refuse(self, *_: object) -> None:
        line = self._line + self.parser.CurrentLineNumber
        raise InputError(
            f"{self._source}, line {line}: found a document type declaration, expected none in an OMM; not read"
        )


_ROOT = b"<ndm>"
_CLOSING = re.compile(rb"\s*(</[\w.:-]+\s*>\s*)*")


def _to_columns(
    texts: Mapping[str, Sequence[str]], n: int, line: Any, rejects: list[Reject], source: str, *, lenient: bool = False
) -> tuple[dict[str, Any], list[Reject]]:
    records = OmmMessages(n, {key: column_of(values) for key, values in texts.items()}, line)
    columns, found = messages_to_columns(records, source, lenient=lenient)
    return columns, sorted(rejects + found, key=lambda r: r.line)


def _find_keywords(messages: list[dict[str, Any]]) -> frozenset[str]:
    return KEYWORDS.intersection(*[set().union(*messages)]) if messages else frozenset()


def _make_line_lookup(lines: list[dict[str, int]]) -> Any:
    return lambda row, keyword: lines[row].get(keyword, lines[row][_START])


def _strip_unit(keyword: str, value: str) -> str:
    """Strip the unit from a value where it is the right one. Another unit is kept, so that the value is then no number."""
    found = _WITH_UNIT.fullmatch(value) if keyword in UNITS else None
    return found[1] if found and found[2].strip().lower() == UNITS[keyword].lower() else value


def _to_text(value: Any) -> str:
    return value if type(value) is str else "" if value is None else str(value)


def _skip_separators(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _make_line_counter(text: str) -> Callable[[int], int]:
    """Make a function that gives the line of an offset, counted from 1; each line end is looked for once."""
    ends: list[int] = []

    def count(at: int) -> int:
        if not ends:
            ends.extend(found.start() for found in re.finditer("\n", text))
            ends.append(len(text))
        return bisect.bisect_left(ends, at) + 1

    return count


def _quote_next(text: str, at: int) -> str:
    return quote(text[at : at + 20]) if at < len(text) else "the end of the file"
