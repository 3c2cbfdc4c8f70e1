"""Columns of a Catalog by the names of the variables and coordinates that they have in Datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ELEMENT_COLUMNS: Final[Mapping[str, str]] = {
    "mean_motion": "mean_motion_rev_per_day",
    "eccentricity": "eccentricity",
    "inclination": "inclination_deg",
    "raan": "raan_deg",
    "arg_perigee": "arg_perigee_deg",
    "mean_anomaly": "mean_anomaly_deg",
    "bstar": "bstar",
}
"""Variable of a Dataset -> column with its element, in the same unit."""
COORDINATE_COLUMNS: Final[Mapping[str, str]] = {
    "norad_id": "norad_id",
    "name": "name",
    "international_designator": "international_designator",
    "satellite_shell": "shell",
    "plane": "plane",
    "slot": "slot",
    "source": "source",
    "synthetic": "synthetic",
    "epoch": "epoch",
}
"""Coordinate of a Dataset -> column, or property, with its values."""
