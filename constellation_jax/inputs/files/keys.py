"""Declaration of the keys of TOML files on the dataclasses that hold them.

    @key_dataclass
    class Shell:
        altitude_km: float = key(number(120, 50_000, unit="km"), doc="Mean altitude.")
        fill: str = key(one_of("drawn", "even"), default="drawn", doc="Choice of the filled slots.")

The reader of a file (toml_tables.py), the options of the command line and the tables of keys in the docs all follow from these
declarations. NumPy and JAX are not imported here, so that `--help` answers at once. Deliberately absent: files.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, dataclass_transform

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.toml_lines import KeyPath

_T = TypeVar("_T")


class Rule(NamedTuple):
    """Values that a key takes, and their conversion to the value of the field."""

    expected: str
    """End of the sentence "found ..., expected ..."."""
    accepts: Callable[[Any], bool]
    required: bool = False
    convert: Callable[[Any, Path], Any] | None = None
    """From an accepted value, and the folder that relative paths are relative to, to the value of the field; None keeps it.
    Raises InputError for a value that cannot be converted."""
    each: Rule | None = None
    """Rule of the entries of a list; one entry may stand without brackets. The field is a tuple of them."""
    words: tuple[str, ...] = ()
    """The only values, for near misses and the command line."""
    placeholder: str = "TEXT"
    """Stands for the value in the help of the command line."""

    def read(self, value: Any, folder: Path = Path()) -> tuple[Any, dict[KeyPath, str]]:
        """The value of the field, and every mistake by its position inside the value, () for the value itself."""
        if self.each is not None and (self.each.accepts(value) or isinstance(value, list)):
            entries = [self.each.read(entry, folder) for entry in (value if isinstance(value, list) else [value])]
            mistakes = {(i, *way): what for i, (_, found) in enumerate(entries) for way, what in found.items()}
            if mistakes:
                return None, mistakes
            value = tuple(entry for entry, _ in entries)
        elif not self.accepts(value):
            return None, {
                (): f"found {_shorten(value)}, expected {self.expected}{suggest(str(value)[:80], self.words)}"
            }
        if self.convert is None:
            return value, {}
        try:
            return self.convert(value, folder), {}
        except InputError as error:
            return None, {(): str(error)}


class Key(NamedTuple):
    """Declaration of one key."""

    rule: Rule
    default: Any
    """As a file would hold it; dataclasses.MISSING where there is none."""
    doc: str
    """Meaning: a sentence, in which Markdown links are allowed."""
    absent: str
    """Value, in words, where a file does not give the key; "" where that is the default."""
    name: str = ""
    """Name in a file; "" where it is that of the field."""
    field: str = ""
    """Name of the field that holds the value."""


def key(
    rule: Rule,
    *,
    default: Any = dataclasses.MISSING,
    required: bool | None = None,
    doc: str,
    absent: str = "",
    name: str = "",
) -> Any:
    """A field of a `key_dataclass` that a file gives.

    Args:
        rule: values that it takes.
        default: value where the key is absent, in the form of a file; the rule converts it. None and () are kept as they are.
        required: whether a file must hold it; by default, where neither `default` nor `absent` is given.
        doc: meaning, a sentence for the help of the command line and the docs; may hold Markdown links.
        absent: the value where the key is absent, in words, for the docs; by default that of `default`.
        name: name of the key in a file, where it is not that of the field.
    """
    required = default is dataclasses.MISSING and not absent if required is None else required
    rule = rule._replace(required=required)
    metadata = {"key": Key(rule, default, doc, absent, name)}
    if default in (dataclasses.MISSING, None, ()) or (rule.convert is None and rule.each is None):
        field: Any = dataclasses.field(default=default, metadata=metadata)
    else:  # not before it is needed: conversions import NumPy
        field = dataclasses.field(default_factory=lambda: rule.read(default)[0], metadata=metadata)
    return field


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(key, dataclasses.field))
def key_dataclass(cls: type[_T]) -> type[_T]:
    """A frozen dataclass with keyword-only fields, some of which are declared with `key`."""
    return dataclasses.dataclass(frozen=True, kw_only=True)(cls)


def keys_of(cls: Any) -> dict[str, Key]:
    """The keys that a `key_dataclass` declares, by their name in a file, in the order of its fields."""
    declared = [(field.name, field.metadata["key"]) for field in dataclasses.fields(cls) if "key" in field.metadata]
    return {found.name or field: found._replace(field=field) for field, found in declared}


def rules_of(cls: Any) -> dict[str, Rule]:
    """The rule of every key that a `key_dataclass` declares."""
    return {name: declared.rule for name, declared in keys_of(cls).items()}


def arguments_of(cls: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values by their keys in a file as arguments of the `key_dataclass` that declares them; others are left out."""
    return {declared.field: values[name] for name, declared in keys_of(cls).items() if name in values}


def without_links(doc: str) -> str:
    """Strip the Markdown links from the meaning of a key, and keep their text."""
    return re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", doc)


def _shorten(value: Any) -> str:
    """Text of a value for a message, of at most 80 characters."""
    shown = repr(value)
    return shown if len(shown) <= 80 else f"{shown[:77]}..."


def is_whole(value: Any) -> bool:
    """True for an integer of 64 bits that is no boolean."""
    return not isinstance(value, bool) and isinstance(value, Integral) and -(2**63) <= int(value) < 2**63


def is_number(value: Any) -> bool:
    """True for a finite real number that is no boolean."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer of hundreds of digits
        return False


def whole(low: int, high: int | None = None, *, required: bool = False) -> Rule:
    """A whole number of at least `low`, and at most `high` where that is given."""
    expected = f"a whole number of at least {low}" if high is None else f"a whole number from {low} to {high}"
    return Rule(expected, lambda v: is_whole(v) and v >= low and (high is None or v <= high), required, placeholder="N")


def number(low: float = -math.inf, high: float = math.inf, unit: str = "", *, required: bool = False) -> Rule:
    """A finite number with low <= number <= high."""
    unit = f" {unit}" if unit else ""
    if math.isinf(low):
        expected = f"a number{f' ({unit.strip()})' if unit else ''}"
    elif math.isinf(high):
        expected = f"a number of at least {low:g}{unit}"
    else:
        expected = f"a number from {low:g} to {high:g}{unit}"
    return Rule(expected, lambda v: is_number(v) and low <= v <= high, required, placeholder="X")


def above_zero(unit: str = "", high: float = math.inf) -> Rule:
    """A finite number above 0, and at most `high`."""
    end = "" if math.isinf(high) else f" up to {high:g}"
    return Rule(f"a number above 0{end} {unit}".rstrip(), lambda v: is_number(v) and 0 < v <= high, placeholder="X")


def one_of(*words: str, required: bool = False) -> Rule:
    """One of two or more words."""
    *first, last = (f"'{word}'" for word in words)
    return Rule(
        f"{', '.join(first)} or {last}", lambda v: v in words, required, words=words, placeholder="|".join(words)
    )


TRUE_OR_FALSE = Rule("true or false", lambda v: isinstance(v, bool))


def text(expected: str = "text", *, required: bool = False) -> Rule:
    """Text that is not empty."""
    return Rule(expected, lambda v: isinstance(v, str) and v != "", required)


def numbers(expected: str, accepts: Callable[[float], bool] = is_number, *, required: bool = False) -> Rule:
    """A list of numbers, each of which is accepted."""
    return Rule(expected, lambda v: isinstance(v, list) and all(is_number(x) and accepts(x) for x in v), required)


def list_of(expected: str, accepts: Callable[[Any], bool], convert: Callable[[Any], Any] = lambda value: value) -> Rule:
    """A list of one or more values, each of which is accepted; the field is a tuple of what `convert` makes of them."""
    return Rule(
        expected,
        lambda v: isinstance(v, list) and len(v) > 0 and all(map(accepts, v)),
        convert=lambda values, _: tuple(map(convert, values)),
    )


def one_or_more(each: Rule, expected: str, convert: Callable[[Any, Path], Any] | None = None) -> Rule:
    """One value, or a list of them; the field is a tuple."""
    return Rule(expected, lambda v: False, convert=convert, each=each, placeholder=each.placeholder)
