"""Instants of Datasets and files: checks, and exact encoding as whole numbers since a midnight."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError

CALENDAR: Final = "standard"
"""CF calendar of every file."""


class EncodedTimes(NamedTuple):
    """Instants as whole numbers of a unit since a midnight."""

    values: NDArray[np.int64]
    """Numbers since the midnight."""
    units: str
    """CF units, such as "seconds since 2026-08-23 00:00:00"."""


def check_times(times: ArrayLike, *, ascending: bool = True) -> NDArray[np.datetime64]:
    """Convert instants to datetime64[ns] of shape (m,).

    Raises:
        InputError: no instant, no datetime64, NaT or, with `ascending`, instants that do not strictly increase.
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


def encode_times(times: NDArray[np.datetime64]) -> EncodedTimes:
    """Encode instants (datetime64[ns]) as int64 in the coarsest of s, ms, us, ns that holds every one of them exactly.

    They count from the midnight before the earliest one, in UTC days of 86,400 s: leap seconds are not counted.
    """
    midnight = times.min().astype("datetime64[D]")
    nanoseconds = (times - midnight.astype("datetime64[ns]")).astype(np.int64)
    units = {10**9: "seconds", 10**6: "milliseconds", 10**3: "microseconds", 1: "nanoseconds"}
    size = next(size for size in units if not np.any(nanoseconds % size))
    return EncodedTimes(nanoseconds // size, f"{units[size]} since {midnight} 00:00:00")


def make_time_encoding(times: NDArray[np.datetime64]) -> dict[str, Any]:
    """Make xarray's encoding with which `to_netcdf` writes instants as `encode_times` does."""
    return {"units": encode_times(times).units, "calendar": CALENDAR, "dtype": np.dtype(np.int64)}
