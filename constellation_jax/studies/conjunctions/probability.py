"""Collision probabilities of close approaches."""

from __future__ import annotations

import logging
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.encounters.probabilities import EncounterStates, compute_figures
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.conjunctions.covariance_files import CovarianceFiles
from constellation_jax.inputs.conjunctions.radii import Radii, find_radii
from constellation_jax.outputs.conjunction_variables import CONJUNCTION_FLAGS, PROBABILITIES
from constellation_jax.outputs.variable import STATUS_VARIABLE
from constellation_jax.studies.conjunctions.covariance import Covariances, covariances_of
from constellation_jax.studies.element_fit.fit_elements import ElementFit

_LOGGER = logging.getLogger("constellation_jax")
_M: Final = 1e-3
_NEEDED: Final = ("position_1", "velocity_1", "position_2", "velocity_2")


@on_device
def add_probability(
    events: xr.Dataset,
    catalog: Catalog | None = None,
    *,
    covariance: str | Catalog | CovarianceFiles | ElementFit | NDArray[Any] = "class",
    radii: Radii = None,
    device: str | None = None,
) -> xr.Dataset:
    """Add collision probabilities to close approaches.

    From public element sets a probability ranks approaches, and decides on none: their errors are known by class at best, and
    not at all where a satellite manoeuvres. `pc_max` needs no size of the errors.

    Args:
        events: of `conjunctions`, or of `read_cdms`.
        catalog: the one that was screened; not needed for covariances that are given.
        covariance: "class", the bundled table by class and age of the elements; a Catalog of several sets of each object, whose own
            scatter scales that of its class; `read_covariances` of files, by class where these have none; an `ElementFit` of the
            catalogue's objects in their order, carried to the approach by the derivatives; "given", those of the events (CDM); or
            an array of shape (event, 2, 3, 3), km2, along radial, in-track and cross-track of each object.
        radii: hard-body radii, m: one for all, a mapping or a csv by catalogue number (NORAD_CAT_ID, HBR_M), or an array in the
            order of the catalogue; None: those of the events, else 10 m for Starlink satellites and 1 m for others, as SOCRATES
            has it.
        device: platform to compute on, as for `propagate`.

    Returns:
        The events with `sigma_ric_1`, `sigma_ric_2` and `covariance_source_1`, `covariance_source_2`, `radius`, `pc`, `pc_max`,
        `dilution_sigma`, `socrates_max_probability` and `socrates_dilution`, and the flags 2d_invalid and diluted of `status`. A
        covariance that is not positive gives no probability; it is logged and its source is flagged.

    Raises:
        InputError: events without states, a catalogue, covariance or table of radii that does not fit.
    """
    missing = [name for name in _NEEDED if name not in events]
    if missing or "event" not in events.dims:
        raise InputError(
            f"events: no {', '.join(missing) or 'dimension event'}; expected the Dataset of `conjunctions` or `read_cdms`"
        )
    if catalog is not None:
        check_catalog(catalog)
        indices = [int(np.asarray(events[f"object_{k}"]).max(initial=-1)) for k in (1, 2) if f"object_{k}" in events]
        if indices and max(indices) >= len(catalog):
            raise InputError(
                f"catalogue: {len(catalog)} objects, but the events name object {max(indices)}: it is another one"
            )
    count = events.sizes["event"]
    one, two = covariances_of(events, catalog, covariance)
    radius = _radii_of(events, radii) * _M
    r1, v1, r2, v2 = (np.asarray(events[name], np.float64).T for name in _NEEDED)
    found = compute_figures(EncounterStates(r1, v1, r2, v2, one.ric, two.ric, radius), Devices()) if count else None
    _warn(events, one, two)
    empty = np.zeros(0)
    flags = np.asarray(events[STATUS_VARIABLE]) if STATUS_VARIABLE in events else np.zeros(count, np.int16)
    if found is not None:
        bits = {name: CONJUNCTION_FLAGS[name] for name in ("2d_invalid", "diluted")}
        flags = flags & ~flags.dtype.type(sum(bits.values()))
        for name, is_so in (("2d_invalid", ~found.is_valid), ("diluted", found.sigma > found.largest_sigma)):
            flags = flags | np.where(is_so, bits[name], 0).astype(flags.dtype)
    arrays: dict[str, Any] = {
        **{f"sigma_ric_{k}": np.sqrt(np.einsum("iin->ni", c.ric)) for k, c in (("1", one), ("2", two))},
        **{
            f"covariance_source_{k}": np.where(c.is_positive, c.source, -1).astype(np.int8)
            for k, c in (("1", one), ("2", two))
        },
        "radius": radius,
        "pc": found.probability if found else empty,
        "pc_max": found.largest if found else empty,
        "dilution_sigma": found.largest_sigma if found else empty,
        "socrates_max_probability": found.socrates if found else empty,
        "socrates_dilution": found.socrates_sigma if found else empty,
    }
    added = {name: PROBABILITIES[name].as_xarray(values) for name, values in arrays.items()}
    if STATUS_VARIABLE in events:
        added[STATUS_VARIABLE] = (("event",), flags, events[STATUS_VARIABLE].attrs)
    else:
        added[STATUS_VARIABLE] = PROBABILITIES[STATUS_VARIABLE].as_xarray(flags)
    return events.assign(added)


def _radii_of(events: xr.Dataset, radii: Radii) -> NDArray[np.float64]:
    """Sum of both radii of each event, m."""
    own = np.asarray(events["radius"], np.float64) / _M if "radius" in events and radii is None else np.nan
    sums = []
    for k in ("1", "2"):
        numbers, names = (np.asarray(events[f"{name}_{k}"]) for name in ("satellite_number", "name"))
        if isinstance(radii, np.ndarray) and radii.ndim:
            by_object = find_radii(np.zeros(len(radii), np.int64), np.full(len(radii), ""), radii)
            sums.append(by_object[np.asarray(events[f"object_{k}"])])
        else:
            sums.append(find_radii(numbers, names, radii))
    return np.where(np.isnan(own), sums[0] + sums[1], own)


def _warn(events: xr.Dataset, one: Covariances, two: Covariances) -> None:
    """Log the objects whose covariance is not positive."""
    bad = [
        f"{name} at {time}"
        for k, c in (("1", one), ("2", two))
        for name, time in zip(
            np.asarray(events[f"name_{k}"])[~c.is_positive].tolist(),
            np.asarray(events["tca"])[~c.is_positive].astype("datetime64[s]").tolist(),
            strict=True,
        )
    ]
    if bad:
        more = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
        _LOGGER.warning("covariances that are not positive, no probability: %s%s", ", ".join(bad[:5]), more)
