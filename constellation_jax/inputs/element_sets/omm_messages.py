"""Readers of OMM as JSON, XML and KVN (keyword = value).

Each reader splits the file into messages and notes the line of each value; omm.py interprets the values. A message that cannot be
parsed does not affect the others, and of a file that breaks off every complete message before the break is read.

Deliberately absent: XML document types and entities. No OMM has them, and they are how small files grow to gigabytes.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.parsers import expat

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Reject
from constellation_jax.inputs.element_sets.omm import KEYWORDS, UNITS, OmmMessages, messages_to_columns
from constellation_jax.inputs.files.text_columns import column_of, quote

_START = ""
"""Key under which the lines of a message's keywords hold the first line of the message."""
_BETWEEN = re.compile(r"[\s,\[\]]*")
_WITH_UNIT = re.compile(r"(.*?)\s*\[([^\]]*)\]")


def read_json(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of a JSON array of objects, of a single object, or of objects one after the other.

    Numbers may be written as strings. Arguments and result as for `read_csv`.
    """
    text = data.decode("utf-8", "replace")
    # Numbers stay text, so that they are converted in one place and a catalogue number keeps its digits.
    decoder = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
    messages: list[dict[str, Any]] = []
    offsets: list[int] = []
    rejects: list[Reject] = []
    at = _skip_separators(text, 0)
    broken = False
    while at < len(text):
        if (value := text[at]) == "{":
            try:
                value, end = decoder.raw_decode(text, at)
            except json.JSONDecodeError as error:
                reason = f"the JSON breaks here: {error.msg.lower()}, found {_quote_next(text, error.pos)}"
                rejects.append(Reject(source, error.lineno, reason))
                at, broken = text.find("{", max(error.pos, at + 1)), True
            except RecursionError:
                raise InputError(f"{source}, line {_count_lines(text, at)}: nested too deeply for an OMM") from None
            else:
                if KEYWORDS.isdisjoint(value):
                    reason = f"found {quote(str(value))}, expected OMM keywords"
                    rejects.append(Reject(source, _count_lines(text, at), reason))
                else:
                    messages.append(value)
                    offsets.append(at)
                at, broken = _skip_separators(text, end), False
        else:
            rejects.append(
                Reject(source, _count_lines(text, at), f"found {_quote_next(text, at)}, expected an object {{...}}")
            )
            at, broken = text.find("{", at), True
        if at < 0:
            break
    if text.lstrip().startswith("[") and not broken and not text.rstrip().endswith("]"):
        reason = "found the end of the file, expected ']': the file may be cut off"
        rejects.append(Reject(source, _count_lines(text, len(text.rstrip())), reason, kept=True))

    def line(row: int, keyword: str) -> int:
        end = offsets[row + 1] if row + 1 < len(offsets) else len(text)
        return _count_lines(text, max(text.find(f'"{keyword}"', offsets[row], end), offsets[row]))

    texts = {key: [_to_text(message.get(key)) for message in messages] for key in _find_keywords(messages)}
    return _to_columns(texts, len(messages), line, rejects, source)


def read_xml(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of the <omm> elements of an NDM file, or of a single one.

    A namespace prefix may stand before the names; after a break in the XML nothing more is read. Arguments and result
    as for `read_csv`.

    Raises:
        InputError: a document type declaration.
    """
    reader = _XmlReader(source)
    try:
        reader.parser.Parse(data, True)
    except expat.ExpatError as error:
        inside = reader.message is not None
        reason = f"the XML breaks here: {expat.ErrorString(error.code)}; what follows was not read"
        reader.rejects.append(Reject(source, error.lineno, reason, kept=not inside))
    messages = reader.messages
    texts = {key: [message.get(key, "") for message in messages] for key in _find_keywords(messages)}
    return _to_columns(texts, len(messages), _make_line_lookup(reader.lines), reader.rejects, source)


def read_kvn(data: bytes, source: str) -> tuple[dict[str, Any], list[Reject]]:
    """Read the catalogue columns of the messages of a file of "KEYWORD = value [unit]" lines.

    A message begins at CCSDS_OMM_VERS, or at an OBJECT_NAME where the message before already has one. Arguments and
    result as for `read_csv`.
    """
    messages: list[dict[str, str]] = []
    lines: list[dict[str, int]] = []
    rejects = []
    foreign = False
    for number, raw in enumerate(data.decode("utf-8", "replace").split("\n"), start=1):
        keyword, equals, value = (part.strip() for part in raw.partition("="))
        if not raw.strip() or keyword == "COMMENT" or keyword.startswith(("COMMENT ", "#")):
            continue
        if keyword.startswith("CCSDS_") and keyword.endswith("_VERS"):
            foreign = keyword != "CCSDS_OMM_VERS"
        if keyword == "CCSDS_OMM_VERS" or not messages or (keyword == "OBJECT_NAME" and keyword in messages[-1]):
            messages.append({})
            lines.append({_START: number})
        if not equals:
            rejects.append(Reject(source, number, f"found {quote(raw.strip())}, expected KEYWORD = value", kept=True))
        elif keyword in KEYWORDS and not foreign:
            messages[-1][keyword] = _strip_unit(keyword, value)
            lines[-1][keyword] = number
    texts = {key: [message.get(key, "") for message in messages] for key in _find_keywords(messages)}
    return _to_columns(texts, len(messages), _make_line_lookup(lines), rejects, source)


class _XmlReader:
    """Event handlers of the XML parser, which collect the texts of the elements inside each <omm>."""

    def __init__(self, source: str) -> None:
        self.messages: list[dict[str, str]] = []
        self.lines: list[dict[str, int]] = []
        self.rejects: list[Reject] = []
        self.message: dict[str, str] | None = None
        self._source = source
        self._text: list[str] = []
        self._attributes: dict[str, str] = {}
        # The encoding is given so that a declaration cannot choose one in which a document type would not be seen.
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text.append
        self.parser.StartDoctypeDeclHandler = self._refuse

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._text.clear()
        self._attributes = attributes
        name = name.rpartition(":")[2] if ":" in name else name
        if name == "omm":
            self.message = {}
            self.lines.append({_START: self.parser.CurrentLineNumber})
        elif name in KEYWORDS and self.message is not None:
            self.lines[-1][name] = self.parser.CurrentLineNumber

    def _end(self, name: str) -> None:
        name = name.rpartition(":")[2] if ":" in name else name
        if self.message is None:
            return
        if name in KEYWORDS:
            text = "".join(self._text).strip()
            unit = self._attributes.get("units")
            self.message[name] = text if unit is None else _strip_unit(name, f"{text} [{unit}]")
        elif name == "omm":
            self.messages.append(self.message)
            self.message = None

    def _refuse(self, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise InputError(
            f"{self._source}, line {line}: found a document type declaration, expected none in an OMM; not read"
        )


def _to_columns(
    texts: dict[str, list[str]], n: int, line: Any, rejects: list[Reject], source: str
) -> tuple[dict[str, Any], list[Reject]]:
    records = OmmMessages(n, {key: column_of(values) for key, values in texts.items()}, line)
    columns, found = messages_to_columns(records, source)
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


def _count_lines(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1


def _quote_next(text: str, at: int) -> str:
    return quote(text[at : at + 20]) if at < len(text) else "the end of the file"
