"""Dataset of a propagation from arrays in memory.

outputs/netcdf/samples.py writes the same Dataset block by block. Both take coordinates and attributes from the table of variables,
so that `xr.open_dataset` of such a file equals the result of `make_dataset`.

The arrays are (time, satellite), which is not the order of the CF discrete sampling geometries, so that no featureType is claimed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import Extremes, make_coverage_attributes, make_propagation_header
from constellation_jax.outputs.datasets.satellites import make_element_variables, make_satellite_coordinates
from constellation_jax.outputs.datasets.times import check_times, make_time_encoding
from constellation_jax.outputs.variable import STATUS_VARIABLE, TIME, check_frame
from constellation_jax.outputs.variables import LIFETIME, PROPAGATED, VARIABLES

DTYPES: Final = ("float32", "float64")
"""Types in which floating-point variables are kept."""
SUB_SATELLITE: Final = ("latitude", "longitude")
"""Variables that, where present, are coordinates of all others: CF wants the place of a value to be a coordinate."""


def make_dataset(
    catalog: Catalog,
    times: ArrayLike,
    arrays: Mapping[str, ArrayLike],
    *,
    frame: str = "teme",
    dtype: str = "float32",
    precision: str = "float64",
    attributes: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Make the Dataset of a propagation: variables (time, satellite), coordinates of each object, CF attributes.

    Args:
        catalog: the n objects, in the order of the columns of the arrays.
        times: instants, UTC, datetime64 of shape (m,), in any order.
        arrays: variable name (one of `PROPAGATED`) -> array of shape (m, n) in the units of the table; `status` must
            be among them.
        frame: "teme" or "itrs", the frame that positions and velocities are in.
        dtype: "float32" or "float64", the type that floating-point variables are kept in.
        precision: how the numbers were computed; goes into the global attributes.
        attributes: global attributes to add or to put in place of the default ones (`history`, `title` ...).

    Returns:
        Dataset with the variables of `arrays` in the order of the table, then the elements of the objects; latitude and longitude
        are coordinates.
        Floating-point values are NaN where status is not 0.
        Its encoding is set, so that `to_netcdf` writes times and types as `NetCDFWriter` does.

    Raises:
        InputError: an unknown variable, frame or dtype, no `status`, or shapes that do not fit.
    """
    names = check_variables(arrays)
    check_frame(frame)
    instants = check_times(times, ascending=False)
    block = check_block(arrays, names, (len(instants), len(catalog)), dtype)
    extremes = Extremes()
    extremes.update(block)
    coordinates = {TIME: instants, **make_satellite_coordinates(catalog)}
    dataset = xr.Dataset(
        {name: VARIABLES[name].as_xarray(block[name], frame=frame) for name in names} | make_element_variables(catalog),
        coords={name: VARIABLES[name].as_xarray(values) for name, values in coordinates.items()},
        attrs={
            **make_propagation_header(catalog, instants, frame=frame, precision=precision),
            **make_coverage_attributes(instants, extremes),
            **(attributes or {}),
        },
    )
    dataset = dataset.set_coords([name for name in SUB_SATELLITE if name in names])
    dataset.encoding["unlimited_dims"] = {TIME}
    for name in (TIME, "epoch"):
        dataset[name].encoding = make_time_encoding(coordinates[name])
    for name in names:
        if name != STATUS_VARIABLE:
            dataset[name].encoding = {"dtype": np.dtype(dtype), "_FillValue": np.dtype(dtype).type(np.nan)}
    return dataset


def make_lifetime_attributes(comment: str) -> dict[str, Any]:
    """Make the attributes of the lifetime of each object; `comment` says how it was computed."""
    return {**LIFETIME.make_attributes(), "comment": f"{LIFETIME.comment}. {comment}"}


def check_variables(names: Any) -> tuple[str, ...]:
    """Sort names of variables into the order of the table.

    Raises:
        InputError: a name that is no variable of a propagation, or no `status` among them.
    """
    wanted = list(names)
    unknown = [name for name in wanted if name not in PROPAGATED]
    if unknown:
        raise InputError(f"variables {', '.join(map(repr, unknown))}: unknown; known are {', '.join(PROPAGATED)}")
    if STATUS_VARIABLE not in wanted:
        raise InputError(f"variables {', '.join(wanted)}: {STATUS_VARIABLE!r} is missing, and every output needs it")
    return tuple(name for name in PROPAGATED if name in wanted)


def check_dtype(dtype: str) -> str:
    """Return the name of a type unchanged.

    Raises:
        InputError: it is none of `DTYPES`.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: unknown; known are {', '.join(DTYPES)}")
    return dtype


def count_state_bytes(names: Sequence[str], dtype: str) -> int:
    """Count the bytes of one state in an output: its variables, of which one is the status."""
    return (len(names) - 1) * np.dtype(check_dtype(dtype)).itemsize + 1


def check_block(
    arrays: Mapping[str, ArrayLike], names: tuple[str, ...], shape: tuple[int, int], dtype: str
) -> dict[str, NDArray[Any]]:
    """Convert the arrays of a block to the types that are stored: `status` to int8, others to `dtype`, NaN where status is not 0.

    Args:
        arrays: variable name -> array (block, satellite).
        names: the variables that are expected.
        shape: (block, satellite) that each must have.
        dtype: "float32" or "float64".

    Raises:
        InputError: a variable is missing, unexpected or of another shape, or the dtype is unknown.
    """
    check_dtype(dtype)
    if set(arrays) != set(names):
        raise InputError(f"variables {', '.join(sorted(arrays))}: expected {', '.join(sorted(names))}")
    given = {name: np.asarray(arrays[name]) for name in names}
    for name, values in given.items():
        if values.shape != shape:
            raise InputError(f"variable {name!r}: shape {values.shape}; expected (time, satellite) = {shape}")
    status = given[STATUS_VARIABLE].astype(np.int8, copy=False)
    failing = np.flatnonzero(status.any(axis=0))  # few, and an index by all of `status` would take as long as computing
    part = status[:, failing] != 0
    if not all(np.isnan(given[name][:, failing][part]).all() for name in names if name != STATUS_VARIABLE):
        failed = status != 0
        # NaN before the cast: values after a failure can be beyond the range of float32.
        given = {
            name: np.where(failed, values.dtype.type(np.nan), values)
            for name, values in given.items()
            if name != STATUS_VARIABLE
        }
    return {name: status if name == STATUS_VARIABLE else given[name].astype(dtype, copy=False) for name in names}
