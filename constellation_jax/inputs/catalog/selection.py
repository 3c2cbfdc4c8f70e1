"""Conditions of run files and of `--select`, each a text about one column of the catalogue.

    name=STARLINK*            text, with * and ?, without regard to case; commas separate alternatives
    name="SAT A, B"           a text with commas, between quotation marks
    source=shells:guowang     objects of one shell file
    norad_id=25544,48274      numbers; commas separate alternatives
    mean_altitude_km=300..600 a range, both ends included; inclination_deg=..60 and bstar=0.. are open at one end
    epoch=2025-06-01..        a range of times
    synthetic=true            true or false

Several texts are ANDed. Deliberately absent: OR over columns, and negation.
"""

import csv
import fnmatch
import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import COLUMNS, SELECTABLE, Catalog
from constellation_jax.inputs.times import parse_time

_EMPTY = Catalog.from_columns({column: [] for column in COLUMNS})
_KINDS = {column: getattr(_EMPTY, column).dtype.kind for column in COLUMNS} | {"epoch": "M"}
"""NumPy kind letter of each column (U text, b truth, i integer, f float) and of the epoch (M time)."""


def select(catalog: Catalog, conditions: Iterable[str]) -> Catalog:
    """Select the objects that meet every condition, in their order.

    Args:
        catalog: the objects.
        conditions: texts such as "name=STARLINK*" or "mean_altitude_km=300..600".

    Raises:
        InputError: a condition that cannot be understood, or no object meets them all.
    """
    conditions = list(conditions)
    selected = catalog
    for text in conditions:  # one after the other: two conditions may be about the same column
        column, condition = parse_condition(text)
        selected = selected.select(**{column: condition})
    if conditions and not len(selected):
        raise InputError(f"select {' and '.join(conditions)}: none of the {len(catalog)} objects meets it")
    return selected


def parse_condition(text: str) -> tuple[str, Any]:
    """Parse one text into a column and a condition, as `Catalog.select` takes them.

    Raises:
        InputError: no "=", an unknown column, or a value that does not suit the column.
    """
    column, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise InputError(f"condition {text!r}: expected COLUMN=VALUE, as in 'name=STARLINK*' or 'norad_id=25544,48274'")
    if column not in SELECTABLE:
        near = suggest(column, SELECTABLE) or f"; known are {', '.join(SELECTABLE)}"
        raise InputError(f"condition {text!r}: unknown column {column!r}{near}")
    try:
        return column, _parse_value(_KINDS.get(column, "f"), value)
    except InputError as error:
        raise InputError(f"condition {text!r}: {error}") from None


def find_matches(column: str, values: NDArray[Any], condition: Any) -> NDArray[np.bool_]:
    """True where the values of a column meet a condition as `Catalog.select` takes it. Shape (n,).

    Raises:
        InputError: a condition that does not suit the column.
    """
    kind = _KINDS.get(column, "f")
    try:
        if kind == "U" and not isinstance(condition, tuple):
            return _match_texts(values, condition)
        if isinstance(condition, str):
            condition = _parse_value(kind, condition)
        if isinstance(condition, tuple):
            if len(condition) != 2:
                raise InputError(f"found a tuple of {len(condition)}, expected (low, high), or a list of values")
            low, high = (None if end is None else end if kind == "U" else _as_value(kind, end) for end in condition)
            above = values >= low if low is not None else np.ones(len(values), bool)
            return np.asarray(above & (values <= high) if high is not None else above)
        if isinstance(condition, set | frozenset):
            condition = sorted(condition, key=str)
        wanted = [_as_value(kind, one) for one in np.atleast_1d(np.asarray(condition, object)).ravel().tolist()]
        # datetime64 would lose its type in a list of objects
        return np.isin(values, np.array(wanted, "datetime64[ns]") if kind == "M" else wanted)
    except InputError as error:
        raise InputError(f"{column}: {error}") from None
    except TypeError as error:
        raise InputError(f"{column}: found {condition!r}, which cannot be compared with its values ({error})") from None


def _match_texts(values: NDArray[np.str_], condition: Any) -> NDArray[np.bool_]:
    """True where a text matches one of the patterns of a condition."""
    patterns = [condition] if isinstance(condition, str | re.Pattern) else list(condition)
    rules = [
        pattern.search
        if isinstance(pattern, re.Pattern)
        # fnmatch would read [ ] as a choice of letters: names hold them
        else re.compile(fnmatch.translate(str(pattern).upper().replace("[", "[[]"))).match
        for pattern in patterns
    ]
    upper = [not isinstance(pattern, re.Pattern) for pattern in patterns]
    found = [
        any(rule(value.upper() if fold else value) for rule, fold in zip(rules, upper, strict=True))
        for value in values.tolist()
    ]
    return np.array(found, bool)


def _as_value(kind: str, value: Any) -> Any:
    """Convert one value of a condition, text or a number or a time, to the type of the column."""
    if isinstance(value, str):
        if kind == "b":
            return _parse_value(kind, value)[0]
        return _parse_number(kind, value)
    if kind == "M":
        return parse_time(value)
    if not isinstance(value, bool | int | float | np.generic):
        raise InputError(f"found {value!r}, expected a number")
    return value


def _parse_value(kind: str, value: str) -> Any:
    if kind == "U":  # csv: names may hold commas
        (row,) = csv.reader([value.replace("\n", " ").replace("\r", " ")], skipinitialspace=True)
        return [part.strip() for part in row if part.strip()]
    alternatives = [part.strip() for part in value.split(",") if part.strip()]
    if kind == "b":
        if value.lower() not in ("true", "false"):
            raise InputError(f"found {value!r}, expected true or false")
        return [value.lower() == "true"]
    low, is_range, high = (part.strip() for part in value.partition(".."))
    if is_range:
        if not low and not high:
            raise InputError("a range needs at least one end, as in 300..600, 300.. or ..600")
        ends: tuple[Any, ...] = tuple(_parse_number(kind, end) if end else None for end in (low, high))
        if low and high and ends[0] > ends[1]:
            raise InputError(f"the range runs backwards: {low} is above {high}")
        return ends
    if kind == "M":
        raise InputError("an epoch is selected by a range of times, as in 2025-06-01..2025-06-08")
    return [_parse_number(kind, part) for part in alternatives]


def _parse_number(kind: str, text: str) -> Any:
    if kind == "M":
        return parse_time(text)
    try:
        number = int(text[:40]) if kind == "i" else float(text)
    except ValueError:
        raise InputError(f"found {text!r}, expected {'a whole number' if kind == 'i' else 'a number'}") from None
    if not math.isfinite(number):
        raise InputError(f"found {text!r}, expected a finite number")
    return number
