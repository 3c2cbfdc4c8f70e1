"""Output of the command that matches objects to shells: a table, and plain values for JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.studies.matching.match import ShellCount, ShellMatch

_COUNTS = ("on_station", "raising", "lowering", "stray")


def format_match(match: ShellMatch) -> Iterator[str]:
    """Format the table: a line for each shell, system by system, with the lattice that was fitted, and the totals."""
    if not (match.system != "").any():
        yield f"None of the {len(match.system):,} objects bears the name of a known system."
        return
    seen = set(match.system.tolist())
    rows = [row for row in match.shells if row.system in seen]
    width = max(len("shell"), *(len(row.shell) for row in rows))
    yield f"Objects at shells on {str(match.epoch)[:16].replace('T', ' ')} UTC"
    yield (
        f"{'system':<11}{'shell':<{width}}{'altitude km':>13}{'expected':>10}{'on station':>12}{'raising':>9}{'lowering':>10}"
        f"{'stray':>7}  lattice, as fitted"
    )
    for row in rows:
        altitude = "" if math.isnan(row.altitude_km) else f"{row.altitude_km:,.1f}"
        expected = "-" if row.expected is None else f"{row.expected:,}"
        yield (
            f"{row.system:<11}{row.shell or '(no shell)':<{width}}{altitude:>13}{expected:>10}{row.on_station:>12,}"
            f"{row.raising:>9,}{row.lowering:>10,}{row.stray:>7,}  {_describe_lattice(row)}".rstrip()
        )
    total = [sum(getattr(row, key) for row in rows) for key in _COUNTS]
    yield f"{'total':<{11 + width + 13 + 10}}{total[0]:>12,}{total[1]:>9,}{total[2]:>10,}{total[3]:>7,}"
    others = int(np.sum(match.system == ""))
    yield f"{others:,} object{' belongs' if others == 1 else 's belong'} to none of these systems."
    yield from match.notes


def match_to_dict(match: ShellMatch, catalog: Catalog) -> dict[str, Any]:
    """Convert the table and the match of every object of a known system to plain values; unknown is None."""
    known = np.flatnonzero(match.system != "")
    columns = {
        "norad_id": catalog.norad_id,
        "name": catalog.name,
        **{
            key: getattr(match, key)
            for key in ("system", "shell", "state", "plane", "slot")
        },
        **{
            key: np.round(getattr(match, key), 4)
            for key in ("raan_residual_deg", "latitude_residual_deg", "altitude_offset_km")
        },
    }  # fmt: skip
    objects = zip(*(column[known].tolist() for column in columns.values()), strict=True)
    return {
        "epoch": f"{match.epoch}Z",
        "shells": [_row_to_dict(row) for row in match.shells],
        "other": int(np.sum(match.system == "")),
        "notes": list(match.notes),
        "objects": [{key: _nan_to_none(value) for key, value in zip(columns, row, strict=True)} for row in objects],
    }


def _row_to_dict(row: ShellCount) -> dict[str, Any]:
    values = {key: _nan_to_none(value) for key, value in row._asdict().items() if key != "fit"}
    if row.fit is None:
        return values | {"lattice": None}
    keys = (
        "planes",
        "raan_step_deg",
        "raan_offset_deg",
        "slots_per_plane",
        "phasing",
        "plane_coherence",
        "slot_coherence",
    )
    return values | {
        "lattice": {key: _nan_to_none(getattr(row.fit, key)) for key in keys}
        | {"occupied_planes": _count_occupied_planes(row)}
    }


def _describe_lattice(row: ShellCount) -> str:
    if row.fit is None:
        return ""
    if not row.fit.planes:
        return "no planes"
    planes = f"{_count_occupied_planes(row)} of {row.fit.planes} planes, {row.fit.raan_step_deg:.2f} deg apart"
    planes = "1 plane" if row.fit.planes == 1 else planes
    if not row.fit.slots_per_plane:
        return f"{planes}, no slots"
    phasing = f", F {row.fit.phasing}" if row.fit.phasing >= 0 else ""
    return f"{planes}, {row.fit.slots_per_plane} slot{'s' if row.fit.slots_per_plane > 1 else ''}{phasing}"


def _count_occupied_planes(row: ShellCount) -> int:
    return len(np.unique(row.fit.plane[row.fit.plane >= 0])) if row.fit else 0


def _nan_to_none(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value
