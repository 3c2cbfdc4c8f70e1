"""Jacobians: from a catalogue and instants to states and their derivatives by the elements, in one pass."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.jacobians.kernels import ELEMENTS, STATE
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.times import as_times, to_day_fraction
from constellation_jax.outputs.datasets.jacobian import add_jacobian
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.studies.propagation.propagate import check_run
from constellation_jax.studies.propagation.runs import Progress, make_counter


@on_device
def jacobians(
    catalog: Catalog,
    times: ArrayLike,
    *,
    precision: str = "float64",
    progress: Progress | None = None,
    device: str | None = None,
) -> xr.Dataset:
    """Propagate a catalogue with the derivatives of its states by the seven mean elements, and return a Dataset.

    Element sets are propagated as by `propagate`; the derivatives are exact. In float64 a Jacobian takes 336 bytes.

    Args:
        catalog: n objects.
        times: instants (UTC) as for `propagate`, shape (m,), in any order.
        precision: "float64", or "float32" as in `propagate`.
        progress: called as work is done.
        device: platform to compute on, such as "cpu" or "gpu", all of whose local devices are used; None: JAX's default.

    Returns:
        Dataset with x, y, z (km), vx, vy, vz (km/s) in TEME and status of dims (time, satellite), and `jacobian` of dims (time,
        satellite, state, element): row k is the derivative of component k of the state with respect to mean_motion (Kozai,
        rad/min), eccentricity, inclination, raan, arg_perigee, mean_anomaly (rad) and bstar (1/Earth radii), the fields of
        `Elements`. NaN where the status is not 0. In memory the satellites vary fastest: the values are a transposed view.

    Raises:
        InputError: no object, no instant, or an unknown precision or device.
    """
    check_catalog(catalog)
    check_run(len(catalog), precision)
    instants = as_times(times)
    catalog.warn_of_age(instants)
    order = np.argsort(instants, kind="stable")
    grid = Grid.inertial(*to_day_fraction(instants[order]))
    engine = JacobianEngine(catalog.elements, grid, precision=precision)
    out = engine.allocate()
    engine.run(out, make_counter(progress, len(instants) * len(catalog)))
    if np.any(np.diff(order) != 1):
        out = out.rows(np.argsort(order))
    arrays = {name: out[name] for name in (*STATE, "status")}
    dataset = make_dataset(catalog, instants, arrays, dtype=precision, precision=precision)
    jacobian = out.values_block[len(STATE) :].reshape(len(STATE), len(ELEMENTS), *out.status.shape)
    return add_jacobian(dataset, jacobian.transpose(2, 3, 0, 1))
