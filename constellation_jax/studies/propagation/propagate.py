"""Propagation: from a catalogue and instants to a Dataset. Deliberately absent: files (to_file.py)."""

from __future__ import annotations

import os
from collections.abc import Iterable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.device_checks import find_devices
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.state_variables import GEODETIC
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.inputs.times import as_times, to_day_fraction
from constellation_jax.outputs.datasets.propagation import make_dataset, make_lifetime_attributes
from constellation_jax.outputs.variable import SATELLITE, STATUS_VARIABLE, check_frame
from constellation_jax.outputs.variables import LIFETIME, resolve_groups
from constellation_jax.physics.constants import SECONDS_PER_DAY
from constellation_jax.studies.propagation.runs import Progress, make_counter

PRECISIONS = ("float64", "float32")


def propagate(
    catalog: Catalog,
    times: ArrayLike,
    *,
    frame: str = "teme",
    precision: str = "float64",
    variables: str | Iterable[str] = ("position", "altitude", "decay"),
    dense: bool = True,
    tolerance_m: float | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Propagate a catalogue and return a Dataset.

    Element sets are propagated with SGP4 (WGS-72), those with a period of 225 minutes or more with SDP4 (Vallado et al., AIAA
    2006-6753, 2006). JAX runs in 64 bits inside, whatever the user's `jax_enable_x64`, which is left as it is.

    Args:
        catalog: n objects.
        times: instants (UTC): datetime64, datetimes or ISO 8601 text, shape (m,), in any order; see `time_grid`.
        frame: of position and velocity: "teme", or "itrs" (turning with the Earth).
        precision: "float64", or "float32": a float32 kernel about float64 anchors, within metres of float64. Deep-space orbits run
            in float64 all the same and are rounded.
        variables: groups: position (x y z), velocity (vx vy vz), altitude, geodetic (latitude, longitude), decay (mean_altitude,
            decay_rate), and lifetime, one value for each object: see `lifetimes`, whose defaults it has. The status always
            comes along.
        dense: whether states may be interpolated between Chebyshev nodes, which is done where it is quicker: at steps of a few
            seconds, and not for geodetic variables. The attribute `interpolation` says what was done.
        tolerance_m: largest error in position that interpolation may add, m; None: 0.001 with float64, 0.1 with float32.
        device: platform to compute on, such as "cpu" or "gpu", all of whose local devices are used; None: JAX's default.
        progress: called as work is done.

    Returns:
        Dataset with dims (time, satellite), objects in the order of the catalogue; km, km/s, km/day, degrees. Where the status is
        not 0, values are NaN; an object that fails at or after its epoch stays failed at all later instants, and one whose
        semi-major axis drag has brought under one Earth radius by then counts as decayed, whether or not an instant shows it.

    Raises:
        InputError: no object, no instant, an unknown frame, precision, group or device, a tolerance that is not positive, or not
            enough memory for the result.
    """
    check_catalog(catalog)
    instants = as_times(times)
    catalog.warn_of_age(instants)
    options = make_options(len(catalog), frame, precision, variables, precision, dense, tolerance_m, device)
    order = np.argsort(instants, kind="stable")
    arrays = allocate(len(instants), len(catalog), options)
    engine = Engine(catalog.elements, make_grid(instants[order], options), options)
    engine.run(0, len(instants), arrays, make_counter(progress, len(instants) * len(catalog)))
    if np.any(np.diff(order) != 1):
        arrays = arrays.rows(np.argsort(order))
    dataset = make_dataset(catalog, instants, arrays, frame=frame, dtype=precision, precision=precision)
    dataset.attrs["interpolation"] = engine.method
    if wants_lifetime(variables):
        found, comment = compute_lifetimes(catalog)
        dataset[LIFETIME.name] = (SATELLITE, found, make_lifetime_attributes(comment))
    return dataset


def check_run(satellites: int, precision: str) -> None:
    """Raise InputError where there is no object, or a precision is unknown."""
    if precision not in PRECISIONS:
        raise InputError(
            f"precision {precision!r}: unknown; known are {', '.join(PRECISIONS)}{suggest(precision, PRECISIONS)}"
        )
    if not satellites:
        raise InputError("catalogue: no objects; there is nothing to propagate")


def make_options(
    satellites: int,
    frame: str,
    precision: str,
    variables: str | Iterable[str],
    dtype: str,
    dense: bool,
    tolerance_m: float | None,
    device: str | None,
) -> Options:
    """Check what is asked for and return the options of the run."""
    check_frame(frame)
    check_run(satellites, precision)
    if tolerance_m is not None and not tolerance_m > 0.0:
        raise InputError(f"tolerance_m {tolerance_m!r}: expected a length above 0, in m")
    if device is not None:
        find_devices(device)  # an error about it comes first
    names = tuple(name for name in resolve_groups(variables) if name != STATUS_VARIABLE)
    tolerance_km = None if tolerance_m is None else 1e-3 * tolerance_m
    return Options(names, frame, precision, dtype, dense=dense, tolerance_km=tolerance_km, platform=device)


def make_grid(instants: NDArray[np.datetime64], options: Options) -> Grid:
    """Make the grid of a run, with the Earth's attitude where something depends on it."""
    day, fraction = to_day_fraction(instants)
    if not needs_attitude(options):
        return Grid.inertial(day, fraction)
    ut1_utc_s, polar_x, polar_y = load_earth_orientation().at(instants)
    return Grid.turning(day, fraction, ut1_utc_s / SECONDS_PER_DAY, polar_x, polar_y)


def needs_attitude(options: Options) -> bool:
    """True where something that is asked for depends on the Earth's attitude."""
    return options.frame != "teme" or bool(set(GEODETIC) & set(options.variables))


def step_bytes(satellites: int, options: Options) -> int:
    """Size of the results of one instant."""
    return satellites * options.state_bytes


def too_large(steps: int, satellites: int, options: Options, way_out: str) -> InputError:
    """Error for results that do not fit into memory; `way_out` says what takes less."""
    size = steps * step_bytes(satellites, options) / 2**30
    return InputError(
        f"{satellites} objects at {steps} instants take {size:.1f} GiB of memory, which is not there; ask for fewer variables "
        f'or precision="float32", or {way_out}'
    )


def wants_lifetime(variables: str | Iterable[str]) -> bool:
    """True where the group of the lifetime is among those asked for."""
    return LIFETIME.group in ([variables] if isinstance(variables, str) else variables)


def compute_lifetimes(catalog: Catalog) -> tuple[NDArray[np.float64], str]:
    """Compute lifetimes in days, NaN beyond their span, and a comment on their computation."""
    from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, MODELS
    from constellation_jax.studies.decay.decay import LIFETIME_YEARS, lifetimes

    days = lifetimes(catalog)
    comment = f"Span of {LIFETIME_YEARS:g} years, {MODELS[CALIBRATED]}, median forecast of the Sun, no manoeuvres"
    return np.where(np.isfinite(days), days, np.nan), comment


def allocate(steps: int, satellites: int, options: Options) -> OutputArrays:
    """Allocate the results of some instants.

    Raises:
        InputError: they are larger than the memory of the machine.
    """
    try:
        if steps * step_bytes(satellites, options) > _memory_bytes():
            raise MemoryError
        return OutputArrays.allocate(steps, satellites, options.variables, options.dtype)
    except MemoryError:
        way_out = "write them to a file with propagate_to, whose memory does not grow"
        raise too_large(steps, satellites, options, way_out) from None


def _memory_bytes() -> float:
    """Memory of the machine. Beyond it, Linux gives arrays all the same, and ends the process when they are filled."""
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (AttributeError, ValueError, OSError):  # Windows has none of it, and gives no such arrays
        return np.inf
