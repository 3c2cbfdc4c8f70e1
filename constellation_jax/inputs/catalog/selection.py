"""Conditions of run files and of `--select`, each a text about one column of the catalogue.

    name=STARLINK*            text, with * and ?, without regard to case; commas separate alternatives
    source=shells:guowang     objects of one shell file
    norad_id=25544,48274      numbers; commas separate alternatives
    mean_altitude_km=300..600 a range, both ends included; inclination_deg=..60 and bstar=0.. are open at one end
    epoch=2025-06-01..        a range of times
    synthetic=true            true or false

Several texts are ANDed. Deliberately absent: OR over columns, and negation.
"""

import math
from collections.abc import Iterable
from typing import Any

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


def _parse_value(kind: str, value: str) -> Any:
    alternatives = [part.strip() for part in value.split(",") if part.strip()]
    if kind == "U":
        return alternatives
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
        number = int(text) if kind == "i" else float(text)
    except ValueError:
        raise InputError(f"found {text!r}, expected {'a whole number' if kind == 'i' else 'a number'}") from None
    if not math.isfinite(number):
        raise InputError(f"found {text!r}, expected a finite number")
    return number
