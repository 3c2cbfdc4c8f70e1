"""Hard-body radii of objects: by class, from a table of the user's, or one for all."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.files.text_files import decode_text, read_file

STARLINK_M: Final = 10.0
DEFAULT_M: Final = 1.0
"""Radii that SOCRATES uses for objects of unknown size, m."""
_LARGEST_M: Final = 1000.0
_NUMBER, _RADIUS = "NORAD_CAT_ID", "HBR_M"

Radii = float | str | Path | Mapping[int, float] | NDArray[Any] | None
"""Radius in m of all objects; a table by catalogue number, as a mapping or the path of a csv with NORAD_CAT_ID and HBR_M; an
array in the order of the catalogue; None: by class."""


def find_radii(norad_id: NDArray[np.int64], name: NDArray[Any], radii: Radii = None) -> NDArray[np.float64]:
    """Hard-body radii of n objects, m; those that a table lacks have the radius of their class.

    Args:
        norad_id, name: of the objects, shape (n,).
        radii: as for `Radii`.

    Raises:
        InputError: a table that cannot be read, an array of another length, or a radius that is not from 0 to 1,000 m.
    """
    by_class = np.array([STARLINK_M if str(text).upper().startswith("STARLINK") else DEFAULT_M for text in name])
    if radii is None:
        return by_class
    if isinstance(radii, str | Path):
        radii = read_radii(radii)
    if isinstance(radii, Mapping):
        found = np.array(
            [radii.get(int(number), own) for number, own in zip(norad_id, by_class, strict=True)], np.float64
        )
    else:
        given = np.asarray(radii, np.float64)
        if given.shape not in ((), by_class.shape):
            raise InputError(
                f"radii: found shape {given.shape}, expected one number or {len(by_class)}, one for each object"
            )
        found = np.broadcast_to(given, by_class.shape).copy()
    wrong = ~((found >= 0.0) & (found <= _LARGEST_M))
    if wrong.any():
        raise InputError(f"radii: found {found[wrong][0]:g} m, expected from 0 to {_LARGEST_M:g} m")
    return found


def parse_radii(word: str, place: str) -> float | dict[int, float]:
    """Parse a word of a command: a radius in m, or the path of a table.

    Raises:
        InputError: as for `read_radii`, and for a radius that cannot be; it names the place.
    """
    try:
        radius = float(word)
    except ValueError:
        return read_radii(word)
    if not 0.0 <= radius <= _LARGEST_M:
        raise InputError(f"{place} {word}: expected from 0 to {_LARGEST_M:g} m, or a csv with {_NUMBER} and {_RADIUS}")
    return radius


def read_radii(path: str | Path) -> dict[int, float]:
    """Read a csv table of hard-body radii by catalogue number, plain or compressed, as NASA CARA publishes it.

    Raises:
        InputError: no such file, a column that is missing, or an entry that is no number.
    """
    data, name = read_file(path, "a csv with NORAD_CAT_ID and HBR_M")
    rows = csv.DictReader(io.StringIO(decode_text(data, name).decode("utf-8", "replace")))
    missing = {_NUMBER, _RADIUS} - set(rows.fieldnames or ())
    if missing:
        raise InputError(f"{name}: no column {', '.join(sorted(missing))}; expected {_NUMBER} and {_RADIUS}")
    found = {}
    for line, row in enumerate(rows, start=2):
        if not row[_RADIUS]:
            continue  # not known
        try:
            found[int(row[_NUMBER])] = float(row[_RADIUS])
        except ValueError:
            raise InputError(
                f"{name}, line {line}: {_NUMBER} {row[_NUMBER]!r}, {_RADIUS} {row[_RADIUS]!r}: no numbers"
            ) from None
    return found
