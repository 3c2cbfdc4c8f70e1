"""Content of a globe page: the objects of a catalogue in integer columns with the published digits, their groups, and statuses.

Layout, before gzip and base64: the length of the header (uint32, little-endian), the header (JSON), then each column of the
header in turn, four bytes an object, with all first bytes before all second ones and so on, which halves the compressed size. Text
lies in the header alone, so that no name meets the parser of the page. `web/src/data.js` reads it. Deliberately absent: positions,
which the page computes.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import printable
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.files import known_shells, load_constellation
from constellation_jax.outputs.datasets.satellites import make_unique_labels
from constellation_jax.studies.matching.motion import find_remains, find_systems

DIGITS: Final[Mapping[str, tuple[str, int]]] = {
    "mean_motion": ("mean_motion_rev_per_day", 8),
    "eccentricity": ("eccentricity", 8),
    "inclination": ("inclination_deg", 4),
    "raan": ("raan_deg", 4),
    "arg_perigee": ("arg_perigee_deg", 4),
    "mean_anomaly": ("mean_anomaly_deg", 4),
}
"""Column of the page -> column of the catalogue, and decimals kept: those that element sets are published with.

Planned satellites, whose elements are not decimal, are rounded to them: by less than 12 m in low orbit."""

KINDS: Final = ("tracked", "planned", "synthetic")
"""Origins of an object: an element set that was tracked, a description of shells, statistics."""
NEVER: Final = np.iinfo(np.int32).max
"""First minute of failure of an object that has none."""
_MOST_SYSTEMS: Final = 6
"""Systems without a shell file that are listed by name; the objects of smaller ones are counted together."""
_LEAST_OF_A_SYSTEM: Final = 60
_OTHERS: Final = "Other satellites"
_REMAINS: Final = "Debris and rocket bodies"
_MINUTE_NS: Final = 60_000_000_000


class Additions(NamedTuple):
    """Columns that a dataset adds to its elements; None where it does not have them. Arrays of shape (n,)."""

    lifetime_days: NDArray[np.float64] | None = None
    """Lifetime, days; NaN beyond the span of its computation."""
    failure_minute: NDArray[np.int32] | None = None
    """First minute of failure, counted from 1970; `NEVER` for none."""
    failure_status: NDArray[np.int32] | None = None
    """Status at the first failure; 0 for none."""


class DisplayGroup(NamedTuple):
    """Objects that are shown and hidden together."""

    kind: str
    """One of `KINDS`."""
    system: str
    shell: str
    """Shell of the system; empty where none is known."""
    objects: int


def pack_content(catalog: Catalog, additions: Additions, header: Mapping[str, Any]) -> str:
    """Pack the objects into text for a page.

    Args:
        catalog: n objects.
        additions: further columns.
        header: further entries of the header, such as the title and the first instant.
    """
    groups, group = group_objects(catalog)
    columns, scales = make_columns(catalog, additions)
    columns["group"] = group
    entries = {
        **header,
        "count": len(catalog),
        "groups": [{"kind": g.kind, "system": g.system, "shell": g.shell, "count": g.objects} for g in groups],
        "names": "\n".join(printable(name) for name in make_labels(catalog)),
        "designators": "\n".join(printable(text) for text in catalog.international_designator.tolist()),
        "columns": [
            {"name": name, "scale": scales.get(name, 0), "float": values.dtype.kind == "f"}
            for name, values in columns.items()
        ],
    }
    text = json.dumps(entries, ensure_ascii=False, separators=(",", ":")).encode()
    shuffled = [
        values.astype(values.dtype.newbyteorder("<")).view(np.uint8).reshape(-1, 4).T for values in columns.values()
    ]
    content = b"".join(
        [len(text).to_bytes(4, "little"), text, *(np.ascontiguousarray(rows).tobytes() for rows in shuffled)]
    )
    return base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()


def make_columns(catalog: Catalog, additions: Additions) -> tuple[dict[str, NDArray[Any]], dict[str, int]]:
    """Make the columns of the page, int32 or float32, and the decimals of those that count a decimal fraction."""
    columns: dict[str, NDArray[Any]] = {}
    for name, (column, decimals) in DIGITS.items():
        columns[name] = np.rint(getattr(catalog, column) * 10.0**decimals).astype(np.int32)
    # the exponent of B* spans eight decades, so that no fixed number of decimals holds its five digits
    columns["bstar"] = catalog.bstar.astype(np.float32)
    minute, rest = np.divmod(catalog.epoch.astype("datetime64[ns]").astype(np.int64), _MINUTE_NS)
    columns["epoch_minute"] = minute.astype(np.int32)
    columns["epoch_microsecond"] = (rest // 1000).astype(np.int32)
    columns["norad_id"] = catalog.norad_id.astype(np.int32)
    if additions.lifetime_days is not None:
        columns["lifetime"] = additions.lifetime_days.astype(np.float32)
    if additions.failure_minute is not None and additions.failure_status is not None:
        columns["failure_minute"] = additions.failure_minute.astype(np.int32)
        columns["failure_status"] = additions.failure_status.astype(np.int32)
    return columns, {name: decimals for name, (_, decimals) in DIGITS.items()}


def make_labels(catalog: Catalog) -> list[str]:
    """Make a text for each object: its name, or a unique label where it has none."""
    labels = make_unique_labels(catalog).tolist()
    return [name or label for name, label in zip(catalog.name.tolist(), labels, strict=True)]


def group_objects(catalog: Catalog) -> tuple[list[DisplayGroup], NDArray[np.int32]]:
    """DisplayGroup objects by origin, system and shell.

    Returns:
        The groups, tracked ones first, systems by their numbers of objects within an origin; and the group of each object, (n,).
    """
    planned = np.strings.startswith(catalog.source, "shells:") & catalog.synthetic
    kind = np.where(~catalog.synthetic, 0, np.where(planned, 1, 2))
    system = _name_systems(catalog, planned)
    shell = np.where(system == _OTHERS, "", catalog.shell)
    triples = list(zip(kind.tolist(), system.tolist(), shell.tolist(), strict=True))
    counts = Counter(triples)
    of_system = Counter((k, name) for k, name, _ in triples)
    # the rest of a kind comes after its named systems
    order = sorted(counts, key=lambda t: (t[0], t[1] in (_OTHERS, _REMAINS), -of_system[t[:2]], t[1], -counts[t], t[2]))
    number = {triple: k for k, triple in enumerate(order)}
    groups = [
        DisplayGroup(KINDS[k], printable(name), printable(part), counts[k, name, part]) for k, name, part in order
    ]
    return groups, np.array([number[triple] for triple in triples], np.int32)


def _name_systems(catalog: Catalog, planned: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Name the system of each object: by its shell file, its name, or its kind where neither tells. Shape (n,)."""
    known = {name: load_constellation(name).shells[0].system for name in known_shells()}
    found = find_systems(catalog.name, list(known.values())).astype(object)
    names = catalog.name.tolist()
    for k in np.flatnonzero(planned):
        origin = str(catalog.source[k]).removeprefix("shells:")
        found[k] = known.get(origin, found[k] or origin)
    found[~planned & find_remains(catalog)] = _REMAINS
    unnamed = np.flatnonzero(found == "")
    stems = [(re.match(r"[^\W\d_]{3,}", names[k]) or [""])[0].capitalize() for k in unnamed]
    common = {
        s
        for s, count in Counter(stems).most_common(_MOST_SYSTEMS)
        if s not in ("", "Other") and count >= _LEAST_OF_A_SYSTEM
    }
    found[unnamed] = [stem if stem in common else _OTHERS for stem in stems]
    return found.astype(str)
