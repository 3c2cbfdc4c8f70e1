"""Checks of element sets, the same for every file format.

Deliberately absent: a check that the orbit is above the ground. The elements of an object that has re-entered are a valid record;
the status of its propagation says that it has decayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MEAN_MOTION_REV_PER_DAY = (1e-6, 100.0)
"""Least and largest mean motion, rev/day, wider than any orbit of the Earth: the status says that there is no state."""
SGP4_XP = "SGP4-XP elements (ephemeris type 4): cannot be propagated with SGP4; take the object's elements of type 0"


class Violation(NamedTuple):
    """Defect that makes it impossible to propagate an element set."""

    row: int
    """Position of the element set in the columns that were checked."""
    column: str
    """Catalogue column that breaks the rule."""
    reason: str
    """Value found and values expected, as a clause of a message."""


def find_violations(columns: Mapping[str, NDArray[Any]]) -> list[Violation]:
    """Find the element sets that break a rule: at most one Violation for each, in the order of the rows.

    Args:
        columns: catalogue columns by name, each of shape (n,), with at least the mean elements and `ephemeris_type`.
    """
    eccentricity, inclination = columns["eccentricity"], columns["inclination_deg"]
    mean_motion, (least, most) = columns["mean_motion_rev_per_day"], MEAN_MOTION_REV_PER_DAY
    fraction = columns["epoch_fraction"]
    rules = [("ephemeris_type", columns["ephemeris_type"] != 4, SGP4_XP)]
    rules += [(column, np.isfinite(columns[column]), "a finite number") for column in _NUMBERS]
    rules += [
        ("eccentricity", (eccentricity >= 0.0) & (eccentricity < 1.0), "at least 0 and below 1"),
        ("mean_motion_rev_per_day", mean_motion > 0.0, "a mean motion above 0 rev/day"),
        (
            "mean_motion_rev_per_day",
            (mean_motion >= least) & (mean_motion <= most),
            f"{least:g} to {most:g} rev/day",
        ),
        ("inclination_deg", (inclination >= 0.0) & (inclination <= 180.0), "0 to 180 degrees"),
        ("epoch_fraction", (fraction >= 0.0) & (fraction < 1.0), "at least 0 and below 1"),
    ]
    found: dict[int, Violation] = {}
    for column, holds, expected in rules:
        for row in np.flatnonzero(~holds).tolist():
            reason = expected if expected is SGP4_XP else f"found {columns[column][row].item()!r}, expected {expected}"
            found.setdefault(row, Violation(row, column, reason))
    return [found[row] for row in sorted(found)]


_NUMBERS = (
    *("mean_motion_rev_per_day", "eccentricity", "inclination_deg", "raan_deg", "arg_perigee_deg", "mean_anomaly_deg"),
    *("bstar", "mean_motion_dot", "mean_motion_ddot"),
)
