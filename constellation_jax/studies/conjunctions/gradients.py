"""Derivatives of close approaches by the mean elements of both objects."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import xarray as xr

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.encounters.element_changes import ElementChanges, compute_changes
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.outputs.conjunction_variables import PROBABILITIES
from constellation_jax.outputs.datasets.jacobian import ELEMENT_UNITS
from constellation_jax.outputs.variable import ELEMENT
from constellation_jax.outputs.variables import VARIABLES


@on_device
def add_approach_gradients(events: xr.Dataset, catalog: Catalog, *, device: str | None = None) -> xr.Dataset:
    """Add the derivatives of miss distance and time of closest approach by the mean elements of both objects.

    They are exact: at the least distance the miss changes by the component of the change of position along it, whatever becomes of
    the time (envelope theorem).

    Args:
        events: of `conjunctions`.
        catalog: the one that was screened.
        device: platform to compute on, as for `propagate`.

    Returns:
        The events with `miss_distance_gradient_1`, `miss_distance_gradient_2`, `tca_gradient_1` and `tca_gradient_2` of dims
        (event, element); elements and units are those of `jacobians`. NaN where two objects fly together, and for events at an end
        of the span, which are no closest approach.

    Raises:
        InputError: events of another catalogue.
    """
    check_catalog(catalog)
    if "object_1" not in events:
        raise InputError("events: no object_1; expected the Dataset of `conjunctions`")
    day, fraction = to_day_fraction(np.asarray(events["tca"].values))
    both = []
    for k in ("1", "2"):
        chosen = np.asarray(events[f"object_{k}"])
        if chosen.size and chosen.max() >= len(catalog):
            raise InputError(
                f"catalogue: {len(catalog)} objects, but the events name object {chosen.max()}: it is another one"
            )
        elements = jax.tree.map(lambda v, at=chosen: np.asarray(v)[at], catalog.elements)
        both.append(compute_changes(elements, day, fraction, Devices()) if len(chosen) else _nothing())
    one, two = both
    r, v, a = (getattr(two, name) - getattr(one, name) for name in ("position", "velocity", "acceleration"))
    miss = np.sqrt((r**2).sum(axis=0))
    slope = (v * v).sum(axis=0) + (r * a).sum(axis=0)
    passes = (np.asarray(events["status"]) & 7) == 0  # together, at_start, at_end: no minimum of its own
    added: dict[str, Any] = {}
    for k, sign, by in (("1", -1.0, one), ("2", 1.0, two)):
        dr, dv = sign * by.position_changes, sign * by.velocity_changes
        with np.errstate(divide="ignore", invalid="ignore"):
            of_miss = np.einsum("in,ian->na", r, dr) / miss[:, None]
            of_tca = -(np.einsum("in,ian->na", v, dr) + np.einsum("in,ian->na", r, dv)) / slope[:, None]
        for name, values in ((f"miss_distance_gradient_{k}", of_miss), (f"tca_gradient_{k}", of_tca)):
            added[name] = PROBABILITIES[name].as_xarray(np.where(passes[:, None], values, np.nan))
    names = {ELEMENT: list(ELEMENT_UNITS), "element_units": list(ELEMENT_UNITS.values())}
    return events.assign(added).assign_coords({name: VARIABLES[name].as_xarray(v) for name, v in names.items()})


def _nothing() -> ElementChanges:
    return ElementChanges(*(np.zeros((3, 0)),) * 3, *(np.zeros((3, 7, 0)),) * 2)
