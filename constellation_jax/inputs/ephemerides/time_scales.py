"""Conversion of the time scales of ephemeris files to UTC, by the leap seconds of the package `astropy-iers-data`."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.files.text_columns import quote
from constellation_jax.physics.constants import MJD_1970

_FROM_TAI: Final = {
    "TAI": 0,
    "GPS": 19_000,
    "GPST": 19_000,
    "GAL": 19_000,
    "QZS": 19_000,
    "TT": -32_184,
    "TDT": -32_184,
}
"""Time scale -> TAI minus it, ms."""


def to_utc(times: NDArray[np.datetime64], scale: str, where: str) -> NDArray[np.datetime64]:
    """Convert datetime64[ns] of a time scale to UTC.

    Args:
        scale: UTC, TAI, GPS or TT, in any case.
        where: place for the message.

    Raises:
        InputError: another scale.
    """
    name = scale.upper()
    if name == "UTC":
        return times
    if name not in _FROM_TAI:
        raise InputError(f"{where}: found the time scale {quote(scale)}, expected UTC, TAI, GPS or TT")
    tai = times + np.timedelta64(_FROM_TAI[name], "ms")
    start, seconds = _leap_seconds()
    # the table counts in UTC, at most 37 s from TAI: only instants within that of a leap second see the difference
    first = tai - seconds[np.maximum(np.searchsorted(start, tai, side="right") - 1, 0)]
    return np.asarray(tai - seconds[np.maximum(np.searchsorted(start, first, side="right") - 1, 0)])


@lru_cache(maxsize=1)
def _leap_seconds() -> tuple[NDArray[np.datetime64], NDArray[np.timedelta64]]:
    """Instants (UTC) from which TAI - UTC holds, and TAI - UTC."""
    import astropy_iers_data

    lines = Path(astropy_iers_data.IERS_LEAP_SECOND_FILE).read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    days = np.array([float(row[0]) for row in rows]).astype(np.int64) - MJD_1970
    return days.astype("datetime64[D]").astype("datetime64[ns]"), np.array([int(r[4]) for r in rows]).astype(
        "timedelta64[s]"
    )
