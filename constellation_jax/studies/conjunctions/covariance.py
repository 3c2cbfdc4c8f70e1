"""Position covariances of both objects of close approaches, along radial, in-track and cross-track, each with its source."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import jax
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.devices import Devices
from constellation_jax.engine.encounters.element_changes import compute_changes
from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.conjunctions.age_table import classify, load_age_table
from constellation_jax.inputs.conjunctions.covariance_files import CovarianceFiles
from constellation_jax.inputs.ephemerides.covariances import CovarianceTable
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics.conjunctions.encounter import ric_axes
from constellation_jax.studies.conjunctions.history import scatter_of_objects
from constellation_jax.studies.element_fit.fit_elements import ElementFit

Floats = NDArray[np.float64]
SOURCES: Final = ("none", "given", "class", "history", "elements")
"""Sources of a covariance, by number: none; given with the events; the class of the object by the age of its elements; the same,
scaled by the scatter of the object's own element sets; the covariance of its elements."""
NONE, GIVEN, CLASS, HISTORY, ELEMENTS = range(5)
_LEAST_EIGENVALUE: Final = -1e-9
"""Smallest eigenvalue over the largest below which a covariance is not positive: beyond the rounding of its printed digits."""


class Covariances(NamedTuple):
    """Covariances of one object of each of n events."""

    ric: Floats
    """Along radial, in-track and cross-track, km2, shape (3, 3, n); NaN where there is none, or where it is not positive."""
    source: NDArray[np.int8]
    """Position in `SOURCES`, shape (n,)."""
    is_positive: NDArray[np.bool_]
    """False where a covariance was there and is not positive, shape (n,)."""


def covariances_of(events: xr.Dataset, catalog: Catalog | None, given: Any) -> tuple[Covariances, Covariances]:
    """Covariances of the first and second objects of close approaches.

    Args:
        events: as of `conjunctions` or `read_cdms`.
        catalog: that was screened; None where `given` needs none.
        given: "given", "class", a Catalog of several sets of each object, `CovarianceFiles`, an `ElementFit` of the catalogue's
            objects in their order, or an array of shape (event, 2, 3, 3), km2.

    Raises:
        InputError: none of these, or one that does not fit the events.
    """
    count = events.sizes["event"]
    if isinstance(given, str):
        if given == "given":
            if "covariance_ric_1" not in events:
                raise InputError(
                    "covariance 'given': the events have none; expected covariance_ric_1 and covariance_ric_2"
                )
            arrays = [np.asarray(events[f"covariance_ric_{k}"], np.float64)[:, :3, :3] for k in (1, 2)]
            return _checked(arrays[0], GIVEN), _checked(arrays[1], GIVEN)
        if given != "class":
            known = ("class", "given")
            raise InputError(f"covariance {given!r}: unknown; known are {', '.join(known)}{suggest(given, known)}")
        return _by_class(events, _needed(catalog), None)
    if isinstance(given, Catalog):
        return _by_class(events, _needed(catalog), given)
    if isinstance(given, CovarianceFiles):
        return _by_files(events, _needed(catalog), given)
    if isinstance(given, ElementFit):
        return _by_elements(events, _needed(catalog), given)
    array = np.asarray(given, np.float64)
    if array.shape != (count, 2, 3, 3):
        raise InputError(f"covariance: found shape {array.shape}, expected (event, object, 3, 3) = {(count, 2, 3, 3)}")
    return _checked(array[:, 0], GIVEN), _checked(array[:, 1], GIVEN)


def _needed(catalog: Catalog | None) -> Catalog:
    if catalog is None:
        raise InputError("catalogue: None; this covariance needs the one that was screened")
    return catalog


def _by_class(events: xr.Dataset, catalog: Catalog, history: Catalog | None) -> tuple[Covariances, Covariances]:
    classes = classify(catalog.name, catalog.mean_altitude_km)
    own = scatter_of_objects(history) if history is not None else {}
    both = []
    for k in ("1", "2"):
        chosen = np.asarray(events[f"object_{k}"])
        sigma = load_age_table().at(classes[chosen], np.asarray(events[f"age_{k}"], np.float64))
        numbers = catalog.norad_id[chosen].tolist()
        sigma = sigma * np.array([own.get(number, np.ones(3)) for number in numbers]).reshape(-1, 3)
        source = np.array([HISTORY if number in own else CLASS for number in numbers], np.int8)
        ric = np.zeros((3, 3, len(chosen)))
        ric[[0, 1, 2], [0, 1, 2]] = sigma.T**2
        both.append(Covariances(ric, source, np.ones(len(chosen), bool)))
    return both[0], both[1]


def _by_files(events: xr.Dataset, catalog: Catalog, files: CovarianceFiles) -> tuple[Covariances, Covariances]:
    """Covariances of files where they have one of that object at that time, those of the class or of the history elsewhere."""
    history = files.history
    if history is not None:  # the sets that were screened are the latest ones
        joined = Catalog.concatenate([history, catalog[~catalog.synthetic]])
        keys = np.stack([joined.norad_id.astype(np.int64), joined.epoch.astype(np.int64)])
        history = joined[np.sort(np.unique(keys, axis=1, return_index=True)[1])]
    both = _by_class(events, catalog, history)
    times = np.asarray(events["tca"]).astype("datetime64[ns]")
    for k, own in zip(("1", "2"), both, strict=True):
        chosen = np.asarray(events[f"object_{k}"])
        numbers, designators = catalog.norad_id[chosen], catalog.international_designator[chosen]
        for table in files.tables:
            is_own = numbers == table.norad_id if table.norad_id >= 0 else designators == table.designator
            at = np.flatnonzero(is_own & (times >= table.times[0]) & (times <= table.times[-1]))
            if not len(at):
                continue
            stated = _checked(_interpolate(table, times[at]), GIVEN)
            own.ric[..., at], own.source[at], own.is_positive[at] = stated
    return both


def _interpolate(table: CovarianceTable, times: NDArray[np.datetime64]) -> Floats:
    """Covariances at instants within a table, linear in between, which keeps them positive; shape (n, 3, 3)."""
    if len(table.times) == 1:
        return np.repeat(table.ric, len(times), axis=0)
    k = np.clip(np.searchsorted(table.times, times) - 1, 0, len(table.times) - 2)
    part = (times - table.times[k]) / (table.times[k + 1] - table.times[k])
    return np.asarray(table.ric[k] + part[:, None, None] * (table.ric[k + 1] - table.ric[k]))


def _by_elements(events: xr.Dataset, catalog: Catalog, fit: ElementFit) -> tuple[Covariances, Covariances]:
    """Covariances of elements, carried to the approach by the derivatives: J P J^T."""
    if len(fit.catalog) != len(catalog):
        raise InputError(f"covariance: a fit of {len(fit.catalog)} objects for a catalogue of {len(catalog)}")
    day, fraction = to_day_fraction(np.asarray(events["tca"].values))
    p = fit.element_covariance()
    both = []
    for k in ("1", "2"):
        chosen = np.asarray(events[f"object_{k}"])
        elements = jax.tree.map(lambda v, at=chosen: np.asarray(v)[at], catalog.elements)
        by = compute_changes(elements, day, fraction, Devices()).position_changes
        inertial = np.einsum("ian,nab,jbn->nij", by, p[chosen], by)
        axes = ric_axes(*(np.asarray(events[f"{name}_{k}"], np.float64) for name in ("position", "velocity")))
        both.append(_checked(np.einsum("nai,nij,nbj->nab", axes, inertial, axes), ELEMENTS))
    return both[0], both[1]


def _checked(ric: Floats, source: int) -> Covariances:
    """Covariances of shape (n, 3, 3), NaN where they are not positive."""
    known = np.asarray(np.isfinite(ric).all(axis=(1, 2)))
    values = np.linalg.eigvalsh(np.where(known[:, None, None], ric, np.eye(3)))
    is_positive = ~known | ((values[:, 0] >= _LEAST_EIGENVALUE * values[:, 2]) & (values[:, 2] > 0.0))
    kept = np.where((known & is_positive)[:, None, None], ric, np.nan)
    return Covariances(kept.transpose(1, 2, 0), np.where(known, source, NONE).astype(np.int8), is_positive)
