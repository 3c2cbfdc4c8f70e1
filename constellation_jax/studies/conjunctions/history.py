"""Errors of element sets from the sets themselves: each against later ones of the same object."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.screening.state_lists import StateLists
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.inputs.conjunctions.age_table import classify, load_age_table
from constellation_jax.physics.conjunctions.encounter import ric_axes
from constellation_jax.physics.constants import SECONDS_PER_DAY

Floats = NDArray[np.float64]
SHORTEST_DAYS, LONGEST_DAYS = 0.1, 14.0
"""Ages between which sets are compared: nearer ones are re-issues, later ones say nothing of a week."""
MOST_LATER: Final = 12
"""Later sets that a set is compared with."""
_OWN_PAIRS: Final = 8.0
"""Pairs of an object at which its own scatter counts as much as that of its class."""
_QUANTILE: Final = 0.6827


class SetDifferences(NamedTuple):
    """Differences of element sets from later ones of the same object, arrays of n pairs."""

    earlier: NDArray[np.intp]
    """Position of the set that is propagated."""
    later: NDArray[np.intp]
    """Position of the set at whose epoch both are compared."""
    age_days: Floats
    """Time between the epochs, days."""
    ric_km: Floats
    """Earlier minus later, along radial, in-track and cross-track of the later, km, shape (n, 3)."""


def differences_of_sets(catalog: Catalog) -> SetDifferences:
    """Compare each set of a history with the later ones of its object, of 0.1 to 14 days.

    Args:
        catalog: several sets of each object (same `norad_id`), in any order.
    """
    earlier, later, age = _pairs(catalog)
    first = np.datetime64(catalog.epoch.min(), "D").astype("datetime64[ns]") if len(catalog) else np.datetime64(0, "ns")
    day = int(catalog.epoch_day.min()) if len(catalog) else 0
    seconds = (catalog.epoch[later] - first).astype(np.int64) / 1e9
    lists = StateLists(catalog.elements, day, 0.0, Devices("cpu"))
    moved, there = lists.at(earlier, seconds), lists.at(later, seconds)
    axes = ric_axes(there.position.T, there.velocity.T)
    ric = np.einsum("nai,in->na", axes, moved.position - there.position)
    known = np.isfinite(ric).all(axis=1)
    return SetDifferences(earlier[known], later[known], age[known], ric[known])


def scatter_of_objects(history: Catalog) -> dict[int, Floats]:
    """Ratio of each object's scatter to that of its class along radial, in-track and cross-track, shrunk to 1 where sets are few.

    Args:
        history: several sets of each object.

    Returns:
        Catalogue number -> ratios of shape (3,).
    """
    found = differences_of_sets(history)
    classes = classify(history.name, history.mean_altitude_km)
    ratio = np.abs(found.ric_km) / load_age_table().at(classes[found.later], found.age_days)
    numbers = history.norad_id[found.later]
    result = {}
    for number in np.unique(numbers).tolist():
        own = ratio[numbers == number]
        # pairs of one set share its error: sets count, not pairs
        sets = len(np.unique(found.earlier[numbers == number]))
        scale = np.maximum(np.quantile(own, _QUANTILE, axis=0), 1e-3)
        result[number] = np.exp(np.log(scale) * sets / (sets + _OWN_PAIRS))
    return result


def _pairs(catalog: Catalog) -> tuple[NDArray[np.intp], NDArray[np.intp], Floats]:
    """Positions of earlier and later sets of one object, and the time between their epochs."""
    days = catalog.epoch.astype(np.int64) / (SECONDS_PER_DAY * 1e9)
    order = np.lexsort((days, catalog.norad_id))
    parts = []
    for step in range(1, MOST_LATER + 1):
        one, other = order[:-step], order[step:]
        age = days[other] - days[one]
        chosen = (catalog.norad_id[one] == catalog.norad_id[other]) & (catalog.norad_id[one] != NO_NORAD_ID)
        chosen &= (age >= SHORTEST_DAYS) & (age <= LONGEST_DAYS)
        parts.append((one[chosen], other[chosen], age[chosen]))
    earlier, later, ages = (np.concatenate(column) for column in zip(*parts, strict=True))
    return earlier, later, ages
