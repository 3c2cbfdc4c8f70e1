"""UT1-UTC and polar motion of the IERS, from the package `astropy-iers-data` or a file of the user.

Used to convert TEME states to Earth-fixed ones. Deliberately absent: downloads (updating `astropy-iers-data` brings a newer file),
nutation corrections (TEME does not use them) and tidal interpolation of UT1 (below 0.1 ms).
"""

from __future__ import annotations

import dataclasses
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.times import format_date, to_day_fraction
from constellation_jax.physics.constants import DEGREE

ARCSECOND = DEGREE / 3600.0
"""One second of arc in rad."""

_COLUMNS = {
    # first and last byte, from 1, as in the README of finals2000A (IERS Rapid Service, maia.usno.navy.mil/ser7)
    "mjd": (8, 15),
    "polar_x_a": (19, 27),
    "polar_y_a": (38, 46),
    "ut1_utc_a": (59, 68),
    "polar_x_b": (135, 144),
    "polar_y_b": (145, 154),
    "ut1_utc_b": (155, 165),
}
_RECORD_BYTES = 187
_POLAR_MOTION_FLAG_BYTE, _UT1_FLAG_BYTE = 17, 58  # I for observed, P for predicted


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class EarthOrientation:
    """Daily Earth orientation at 0h UTC, arrays of shape (days,). Build one with `load_earth_orientation`."""

    mjd: NDArray[np.float64]
    """Modified Julian Date (UTC), ascending."""
    ut1_utc_s: NDArray[np.float64]
    """UT1 minus UTC, s."""
    polar_x_arcsec: NDArray[np.float64]
    """Polar motion x of the IERS, toward Greenwich, arcsec."""
    polar_y_arcsec: NDArray[np.float64]
    """Polar motion y of the IERS, toward 90 degrees west, arcsec."""
    last_observed_mjd: float
    """Last day whose values were observed; later ones are predictions of the IERS."""

    @property
    def first_mjd(self) -> float:
        """First day of the table, Modified Julian Date."""
        return float(self.mjd[0])

    @property
    def last_mjd(self) -> float:
        """Last day of the table, predictions included, Modified Julian Date."""
        return float(self.mjd[-1])

    def __repr__(self) -> str:
        first, observed, last = (format_date(m) for m in (self.first_mjd, self.last_observed_mjd, self.last_mjd))
        return f"<EarthOrientation from {first}, observed to {observed}, predicted to {last}>"

    def at(self, times: NDArray[np.datetime64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Interpolate UT1-UTC and polar motion linearly between the days of the table.

        Before the table (1973) all three are zero; after its end they keep their last values. In either case one UserWarning
        states the values used and the largest error to expect.

        Args:
            times: datetime64[ns], UTC, any shape.

        Returns:
            UT1-UTC in s, polar motion x and y in rad, each of the shape of times.
        """
        day, fraction = to_day_fraction(np.asarray(times))
        after = np.searchsorted(self.mjd, day, side="right")  # mjd[after - 1] <= day < mjd[after]
        right = np.clip(after, 1, len(self.mjd) - 1)
        left = right - 1
        # The fraction is added last: mjd is of the order 6e4, and a sum with it would cost 1e-11 of a day.
        weight = np.clip((day - self.mjd[left] + fraction) / (self.mjd[right] - self.mjd[left]), 0.0, 1.0)

        step = self.ut1_utc_s[right] - self.ut1_utc_s[left]
        # a leap second falls at the right-hand midnight; before it UT1-UTC runs on smoothly
        step = step - np.round(step)
        ut1_utc = self.ut1_utc_s[left] + weight * step
        polar = [c[left] + weight * (c[right] - c[left]) for c in (self.polar_x_arcsec, self.polar_y_arcsec)]

        before, behind = after == 0, day + fraction > self.last_mjd
        ut1_utc = np.where(behind, self.ut1_utc_s[-1], np.where(before, 0.0, ut1_utc))
        x, y = (np.where(before, 0.0, p) * ARCSECOND for p in polar)
        self._warn_outside(before, behind, day)
        return ut1_utc, x, y

    def _warn_outside(self, before: NDArray[np.bool_], behind: NDArray[np.bool_], day: NDArray[np.int64]) -> None:
        messages = []
        if before.any():
            messages.append(
                f"{before.sum()} times lie before {format_date(self.first_mjd)}, where the Earth orientation table begins: "
                "UT1-UTC and polar motion are taken as zero; expect Earth-fixed positions off by up to 0.4 km "
                "(UT1-UTC below 0.9 s, polar motion below 0.6 arcsec)"
            )
        if behind.any():
            days = float(day.max()) + 1.0 - self.last_mjd
            # The excess length of day has stayed below 1.5 ms a day since 2000: 1.5e-3 s of 465 m/s at the equator.
            error_s = 1.5e-3 * days
            messages.append(
                f"{behind.sum()} times lie after {format_date(self.last_mjd)}, where the Earth orientation table ends: its "
                f"last values are used (UT1-UTC {self.ut1_utc_s[-1]:.3f} s); expect Earth-fixed positions off by up to "
                f"{0.465 * error_s + 0.02:.2g} km (UT1-UTC off by up to {error_s:.2g} s, polar motion by 0.6 arcsec); "
                "a newer astropy-iers-data reaches further"
            )
        if messages:
            warnings.warn("; ".join(messages), UserWarning, stacklevel=3)


def load_earth_orientation(path: str | Path | None = None) -> EarthOrientation:
    """Load the Earth orientation table of the IERS Rapid Service, read once for each file and version of it.

    The final values of Bulletin B are used where the file has them, else those of Bulletin A, observed or predicted, as in astropy.

    Args:
        path: a file in the format of finals2000A.all (or .data, .daily, or the IAU 1980 files, which agree in the columns read
            here). None: the file of the installed package astropy-iers-data.

    Raises:
        InputError: no such file, or one that is not in this format.

    Reference:
        https://maia.usno.navy.mil/ser7/readme.finals2000A; IERS Conventions (2010), chapter 8.
    """
    if path is None:
        import astropy_iers_data

        path = Path(astropy_iers_data.IERS_A_FILE)
    path = Path(path)
    try:
        state = path.stat()
    except OSError as error:
        raise InputError(
            f"{path}: cannot be read ({error.strerror}); expected a file such as finals2000A.all"
        ) from None
    return _read(path, state.st_mtime_ns, state.st_size)


@lru_cache(maxsize=4)
def _read(path: Path, modified_ns: int, size: int) -> EarthOrientation:
    """Read the table of one file; time and size are part of the cache key, so that a changed file is read again."""
    lines = path.read_bytes().replace(b"\r\n", b"\n").split(b"\n")
    records = [line.ljust(_RECORD_BYTES)[:_RECORD_BYTES] for line in lines]
    table = np.frombuffer(b"".join(records), dtype="S1").reshape(-1, _RECORD_BYTES)
    columns = {key: _parse_numbers(path, table[:, first - 1 : last]) for key, (first, last) in _COLUMNS.items()}

    # The last records of the file have a date and nothing else.
    filled = np.isfinite(columns["mjd"] + columns["ut1_utc_a"] + columns["polar_x_a"] + columns["polar_y_a"])
    if filled.sum() < 2 or np.any(np.diff(columns["mjd"][filled]) <= 0):
        raise InputError(
            f"{path}: {filled.sum()} usable records; expected ascending days in the form of finals2000A.all"
        )
    predicted = (table[:, _POLAR_MOTION_FLAG_BYTE - 1] == b"P") | (table[:, _UT1_FLAG_BYTE - 1] == b"P")
    final_ut1 = np.isfinite(columns["ut1_utc_b"])
    final_polar = np.isfinite(columns["polar_x_b"] + columns["polar_y_b"])
    observed = filled & ~predicted
    mjd = columns["mjd"][filled]
    return EarthOrientation(
        mjd=mjd,
        ut1_utc_s=np.where(final_ut1, columns["ut1_utc_b"], columns["ut1_utc_a"])[filled],
        polar_x_arcsec=np.where(final_polar, columns["polar_x_b"], columns["polar_x_a"])[filled],
        polar_y_arcsec=np.where(final_polar, columns["polar_y_b"], columns["polar_y_a"])[filled],
        last_observed_mjd=float(columns["mjd"][observed][-1] if observed.any() else mjd[0]),
    )


def _parse_numbers(path: Path, characters: NDArray[np.bytes_]) -> NDArray[np.float64]:
    """Parse a fixed-width column of numbers; NaN where it is blank."""
    text = np.ascontiguousarray(characters).view(f"S{characters.shape[1]}").ravel()
    text = np.char.strip(text)
    text = np.where(text == b"", b"nan", text)
    try:
        return text.astype(np.float64)
    except ValueError:
        line = next(i for i, t in enumerate(text.tolist(), 1) if not _is_number(t))
        raise InputError(
            f"{path}, line {line}: found {text[line - 1].decode('ascii', 'replace')!r}, expected a number "
            "in the fixed columns of finals2000A.all"
        ) from None


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
