"""Standard deviations of public element sets by class and age, from the bundled table configs/conjunctions/element_errors.csv.

The scatter of sets about later sets of the same object (scripts/build_element_errors.py): it is too small at short ages, since sets
share tracking, and says nothing of manoeuvres to come.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.files.configs import configs_folder

Floats = NDArray[np.float64]
FILE: Final = "conjunctions/element_errors.csv"
CLASSES: Final = (
    "starlink",
    "oneweb",
    "below_450_km",
    "450_to_600_km",
    "600_to_800_km",
    "800_to_2000_km",
    "above_2000_km",
)
"""Classes of objects: two fleets by name, all others by mean altitude."""
_EDGES_KM: Final = (450.0, 600.0, 800.0, 2000.0)


class AgeTable(NamedTuple):
    """Standard deviations along radial, in-track and cross-track by class and age."""

    age_days: Floats
    """Shape (ages,), ascending."""
    sigma_km: Floats
    """Shape (classes, ages, 3)."""

    def at(self, classes: NDArray[np.int64], age_days: Floats) -> Floats:
        """Standard deviations of n objects, km, shape (n, 3).

        Powers of the age between the rows of the table and beyond the last; before the first they stay. The same before an epoch as
        after it.

        Args:
            classes: positions in `CLASSES`, shape (n,).
            age_days: shape (n,).
        """
        ages = np.log(self.age_days)
        x = np.maximum(np.log(np.maximum(np.abs(age_days), 1e-9)), ages[0])
        k = np.clip(np.searchsorted(ages, x) - 1, 0, len(ages) - 2)
        low, high = (np.log(self.sigma_km[classes, k + j]) for j in (0, 1))
        part = ((x - ages[k]) / (ages[k + 1] - ages[k]))[:, None]
        return np.asarray(np.exp(low + part * (high - low)))


def classify(name: NDArray[np.str_], mean_altitude_km: Floats) -> NDArray[np.int64]:
    """Positions in `CLASSES` of n objects."""
    altitude = np.searchsorted(_EDGES_KM, mean_altitude_km, side="right") + 2
    texts = [str(text).upper() for text in name]
    fleets = [(0 if text.startswith("STARLINK") else 1 if text.startswith("ONEWEB") else -1) for text in texts]
    return np.where(np.array(fleets, np.int64) >= 0, fleets, altitude)


@lru_cache(maxsize=1)
def load_age_table() -> AgeTable:
    """Load the bundled table."""
    with (configs_folder() / FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    ages = sorted({float(row["age_days"]) for row in rows})
    sigma = np.full((len(CLASSES), len(ages), 3), np.nan)
    for row in rows:
        place = CLASSES.index(row["class"]), ages.index(float(row["age_days"]))
        sigma[place] = [float(row[f"{axis}_km"]) for axis in ("radial", "in_track", "cross_track")]
    return AgeTable(np.array(ages), sigma)
