"""The xarray Dataset of a propagation, and every name, attribute and coded value that it shares with the netCDF file.

`make_dataset` builds it from arrays in memory; outputs/netcdf/samples.py writes the same thing block by block. Both take their
coordinates and attributes from the functions below, so that `xr.open_dataset` gives back what `make_dataset` gave.

The arrays are (time, satellite), which is no array order of the CF discrete sampling geometries: no featureType is
claimed.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax import __version__
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.outputs.variables import (
    DIMENSIONS,
    FRAMES,
    LIFETIME,
    SATELLITE,
    STATUS_VARIABLE,
    TIME,
    VARIABLES,
    check_frame,
)

DTYPES: Final = ("float32", "float64")
"""Types in which floating-point variables are kept."""
CALENDAR: Final = "standard"
SUB_SATELLITE: Final = ("latitude", "longitude")
"""Variables that are coordinates of all others where they are there: CF wants the place that a value belongs to named
so."""


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
    """The Dataset of a propagation: variables (time, satellite), one set of coordinates for each object, CF attributes.

    Args:
        catalog: the n objects, in the order of the columns of the arrays.
        times: instants, UTC, datetime64 of shape (m,), in any order.
        arrays: variable name (a key of `VARIABLES`) -> array of shape (m, n) in the units of the table; `status` must
            be among them.
        frame: "teme" or "itrs", the frame that positions and velocities are in.
        dtype: "float32" or "float64", the type that floating-point variables are kept in.
        precision: how the numbers were computed; goes into the global attributes.
        attributes: global attributes to add or to put in place of the default ones (`history`, `title` ...).

    Returns:
        Dataset with the variables of `arrays` in the order of the table; latitude and longitude are coordinates.
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
    encoded = encode_times(instants)

    dataset = xr.Dataset(
        {name: (DIMENSIONS, block[name], VARIABLES[name].attributes_in(frame)) for name in names},
        coords={
            TIME: (TIME, instants, dict(_TIME_ATTRIBUTES)),
            **{c.name: (SATELLITE, c.values, c.attributes) for c in satellite_coordinates(catalog)},
        },
        attrs={
            **header_attributes(catalog, instants, frame=frame, precision=precision),
            **coverage_attributes(instants, extremes),
            **(attributes or {}),
        },
    )
    dataset = dataset.set_coords([name for name in SUB_SATELLITE if name in names])
    dataset.encoding["unlimited_dims"] = {TIME}
    dataset[TIME].encoding = {"units": encoded.units, "calendar": CALENDAR, "dtype": np.dtype(np.int64)}
    epoch = encode_times(catalog.epoch)
    dataset["epoch"].encoding = {"units": epoch.units, "calendar": CALENDAR, "dtype": np.dtype(np.int64)}
    for name in names:
        if name != STATUS_VARIABLE:
            dataset[name].encoding = {"dtype": np.dtype(dtype), "_FillValue": np.dtype(dtype).type(np.nan)}
    return dataset


def lifetime_attributes(comment: str) -> dict[str, Any]:
    """Attributes of the lifetime of each object, with what is said on how it was computed."""
    return {**LIFETIME.attributes, "comment": f"{LIFETIME.attributes['comment']}. {comment}"}


class Coordinate(NamedTuple):
    """One coordinate of dimension (satellite,)."""

    name: str
    values: NDArray[Any]
    attributes: dict[str, Any]


def satellite_coordinates(catalog: Catalog) -> list[Coordinate]:
    """What is known of each object, as arrays of shape (n,). Text is str, epochs are datetime64[ns], all else is
    integer.

    Integers say "none" by the number in the attribute `no_value`, which is no `_FillValue`: readers would turn them
    into floats.
    """
    return [
        Coordinate(
            "norad_id",
            catalog.norad_id.astype(np.int64),
            {
                "long_name": "catalogue number (NORAD)",
                "no_value": np.int64(NO_NORAD_ID),
                "comment": "-1 where the object has none, as planned satellites do",
                **_AUXILIARY,
            },
        ),
        Coordinate(
            "name", catalog.name, {"standard_name": "platform_name", "long_name": "satellite name", **_AUXILIARY}
        ),
        Coordinate(
            "international_designator",
            catalog.international_designator,
            {"long_name": "COSPAR designator, YYYY-NNNP; empty where unknown", **_AUXILIARY},
        ),
        Coordinate(
            "shell", catalog.shell, {"long_name": "shell of the constellation; empty where unknown", **_AUXILIARY}
        ),
        Coordinate(
            "plane", catalog.plane.astype(np.int32), {"long_name": "orbital plane within the shell", **_NUMBERED}
        ),
        Coordinate("slot", catalog.slot.astype(np.int32), {"long_name": "slot within the plane", **_NUMBERED}),
        Coordinate("source", catalog.source, {"long_name": "where the element set came from", **_AUXILIARY}),
        Coordinate(
            "synthetic",
            catalog.synthetic.astype(np.int8),
            {
                "long_name": "origin of the elements",
                "flag_values": np.array([0, 1], np.int8),
                "flag_meanings": "tracked made_from_a_description",
                **_AUXILIARY,
            },
        ),
        Coordinate(
            "epoch",
            catalog.epoch,
            {"long_name": "epoch of the element set, UTC", "units_metadata": "leap_seconds: utc", **_AUXILIARY},
        ),
    ]


def time_attributes() -> dict[str, Any]:
    """Attributes of the time coordinate besides `units` and `calendar`, which readers take away on decoding."""
    return dict(_TIME_ATTRIBUTES)


class EncodedTimes(NamedTuple):
    """Instants as whole numbers of a unit since a midnight."""

    values: NDArray[np.int64]
    units: str


def encode_times(times: NDArray[np.datetime64]) -> EncodedTimes:
    """Instants (datetime64[ns]) as int64 in the coarsest of s, ms, us, ns that holds every one of them exactly.

    They count from the midnight before the earliest one. Seconds are those of UTC days of 86,400 s: leap seconds are
    not counted.
    """
    midnight = times.min().astype("datetime64[D]")
    nanoseconds = (times - midnight.astype("datetime64[ns]")).astype(np.int64)
    units = {10**9: "seconds", 10**6: "milliseconds", 10**3: "microseconds", 1: "nanoseconds"}
    size = next(size for size in units if not np.any(nanoseconds % size))
    return EncodedTimes(nanoseconds // size, f"{units[size]} since {midnight} 00:00:00")


def header_attributes(
    catalog: Catalog, times: NDArray[np.datetime64], *, frame: str, precision: str
) -> dict[str, str | float]:
    """The global attributes that are known before the first step: what, from what, by whom, in which frame."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    sources = [s for s in dict.fromkeys(catalog.source.tolist()) if s]
    named = ", ".join(sources[:5]) + (f" and {len(sources) - 5} more" if len(sources) > 5 else "")
    objects = f"{len(catalog)} Earth satellite{'s' if len(catalog) != 1 else ''}"
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": f"Orbits of {objects}",
        "summary": (
            f"States of {objects} at {len(times)} instants from {_iso(times.min())} to {_iso(times.max())}, "
            "propagated from mean element sets with SGP4/SDP4."
        ),
        "keywords": "EARTH SATELLITES, ORBITS, EPHEMERIS, SGP4, SATELLITE CONSTELLATIONS, SPACE DEBRIS",
        "source": f"constellation_jax {__version__}: SGP4/SDP4 from mean element sets{f' ({named})' if named else ''}",
        "references": "Vallado et al. (2006), Revisiting Spacetrack Report #3, doi:10.2514/6.2006-6753",
        "product_version": __version__,
        "history": f"{now} constellation_jax {__version__} propagated {objects}",
        "date_created": now,
        "id": _identifier(catalog, times, frame),
        "naming_authority": "constellation_jax",
        "processing_level": "model result",
        "standard_name_vocabulary": "CF Standard Name Table v93",
        "frame": frame,
        "frame_definition": FRAMES[frame],
        "precision": precision,
    }


class Extremes:
    """Running least and greatest values of the variables that describe where the data are. Grows with every block."""

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}

    def update(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Takes in a block of arrays, NaN left aside."""
        for name in _EXTENTS:
            if name in block and block[name].size:
                low, high = self.ranges.get(name, (np.nan, np.nan))
                self.ranges[name] = (
                    float(np.fmin(low, np.fmin.reduce(block[name], axis=None))),
                    float(np.fmax(high, np.fmax.reduce(block[name], axis=None))),
                )


def coverage_attributes(times: NDArray[np.datetime64], extremes: Extremes) -> dict[str, str | float]:
    """The global attributes that are known after the last step: extent in time and, where computed, in space."""
    times = np.sort(times)
    found: dict[str, str | float] = {
        "time_coverage_start": _iso(times[0]),
        "time_coverage_end": _iso(times[-1]),
        "time_coverage_duration": _iso_duration(times[-1] - times[0]),
    }
    steps = np.unique(np.diff(times))
    if len(steps) == 1:
        found["time_coverage_resolution"] = _iso_duration(steps[0])
    for name, (low, high) in extremes.ranges.items():
        if not np.isnan(low):
            prefix = _EXTENTS[name]
            found |= {
                f"{prefix}_min": low,
                f"{prefix}_max": high,
                f"{prefix}_units": VARIABLES[name].attributes["units"],
            }
            if name == "altitude":
                found[f"{prefix}_positive"] = "up"
    return found


def check_variables(names: Any) -> tuple[str, ...]:
    """The names of variables in the order of the table.

    Raises:
        InputError: one is not in the table, or `status` is not among them.
    """
    wanted = list(names)
    unknown = [name for name in wanted if name not in VARIABLES]
    if unknown:
        raise InputError(f"variables {', '.join(map(repr, unknown))}: unknown; known are {', '.join(VARIABLES)}")
    if STATUS_VARIABLE not in wanted:
        raise InputError(f"variables {', '.join(wanted)}: {STATUS_VARIABLE!r} is missing, and every output needs it")
    return tuple(name for name in VARIABLES if name in wanted)


def check_times(times: ArrayLike, *, ascending: bool = True) -> NDArray[np.datetime64]:
    """Instants as datetime64[ns] of shape (m,).

    Raises:
        InputError: none at all, no datetime64, or, where `ascending` is asked for, not strictly increasing.
    """
    given = np.asarray(times)
    if given.dtype.kind != "M" or given.ndim != 1 or not len(given):
        raise InputError(
            f"times: {given.dtype} of shape {given.shape}; expected datetime64 of shape (m,), m at least 1"
        )
    instants = given.astype("datetime64[ns]")
    if np.isnat(instants).any():
        raise InputError("times: NaT among them; every instant must be known")
    if ascending and not (np.diff(instants) > np.timedelta64(0, "ns")).all():
        raise InputError("times: not strictly increasing; a file needs that: sort them, or use `propagate`")
    return instants


def check_block(
    arrays: Mapping[str, ArrayLike], names: tuple[str, ...], shape: tuple[int, int], dtype: str
) -> dict[str, NDArray[Any]]:
    """The arrays as they are kept: `status` as int8, all others in `dtype`, and NaN wherever status is not 0.

    Args:
        arrays: variable name -> array (block, satellite).
        names: the variables that are expected.
        shape: (block, satellite) that each must have.
        dtype: "float32" or "float64".

    Raises:
        InputError: a variable is missing, unexpected or of another shape, or the dtype is unknown.
    """
    if dtype not in DTYPES:
        raise InputError(f"dtype {dtype!r}: unknown; known are {', '.join(DTYPES)}")
    if set(arrays) != set(names):
        raise InputError(f"variables {', '.join(sorted(arrays))}: expected {', '.join(sorted(names))}")
    given = {name: np.asarray(arrays[name]) for name in names}
    for name, values in given.items():
        if values.shape != shape:
            raise InputError(f"variable {name!r}: shape {values.shape}; expected (time, satellite) = {shape}")
    status = given[STATUS_VARIABLE].astype(np.int8)
    failed = status != 0
    sound = all(np.isnan(given[name][failed]).all() for name in names if name != STATUS_VARIABLE)
    if failed.any() and not sound:
        # NaN before the cast: what follows a failure can be beyond the range of float32.
        given = {
            name: np.where(failed, values.dtype.type(np.nan), values)
            for name, values in given.items()
            if name != STATUS_VARIABLE
        }
    return {name: status if name == STATUS_VARIABLE else given[name].astype(dtype, copy=False) for name in names}


_TIME_ATTRIBUTES: Final = {
    "standard_name": "time",
    "long_name": "time, UTC",
    "axis": "T",
    "units_metadata": "leap_seconds: utc",
    "coverage_content_type": "coordinate",
}
_AUXILIARY: Final = {"coverage_content_type": "auxiliaryInformation"}
_NUMBERED: Final = {"no_value": np.int32(-1), "comment": "from 0; -1 where unknown", **_AUXILIARY}
_EXTENTS: Final = {"altitude": "geospatial_vertical", "latitude": "geospatial_lat", "longitude": "geospatial_lon"}
"""Variable -> prefix of the ACDD attributes that give its range."""


def _identifier(catalog: Catalog, times: NDArray[np.datetime64], frame: str) -> str:
    """A UUID made of the element sets, the times and the frame: the same question has the same id."""
    parts = [catalog.norad_id, catalog.epoch_day, catalog.epoch_fraction, catalog.mean_motion_rev_per_day]
    parts += [catalog.eccentricity, catalog.inclination_deg, catalog.raan_deg, catalog.arg_perigee_deg]
    parts += [catalog.mean_anomaly_deg, catalog.bstar, times.astype(np.int64)]
    digest = hashlib.sha256()
    for part in parts:
        digest.update(np.ascontiguousarray(part).tobytes())
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"constellation_jax/{__version__}/{frame}/{digest.hexdigest()}"))


def _iso(instant: np.datetime64) -> str:
    """ISO 8601 with Z, with as many decimals as it needs."""
    text = str(np.datetime_as_string(instant, unit="ns"))
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"


def _iso_duration(span: np.timedelta64) -> str:
    """ISO 8601 duration in seconds, with as many decimals as it needs."""
    seconds, nanoseconds = divmod(int(span.astype("timedelta64[ns]").astype(np.int64)), 10**9)
    decimals = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"PT{seconds}{decimals}S"
