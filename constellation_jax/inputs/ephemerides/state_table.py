"""Table of states of one object, and its conversion to TEME."""

from __future__ import annotations

import dataclasses
from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.inputs.ephemerides.precession import j2000_to_teme
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics.constants import EARTH_ROTATION_RATE, SECONDS_PER_DAY
from constellation_jax.physics.frames import sidereal_time

FRAMES: Final = ("teme", "j2000", "itrs")
"""Frames of a table. GCRF, ICRF and EME2000 differ by less than a metre at low orbits, and all count as j2000."""


@dataclasses.dataclass(frozen=True, eq=False)
class StateTable:
    """Positions, and velocities where they are known, of one object at instants in UTC."""

    name: str
    """Name of the object; empty where the source has none."""
    norad_id: int
    """Catalogue number; -1 where the source has none."""
    designator: str
    """COSPAR designator; empty where the source has none."""
    source: str
    """Name of the file."""
    frame: str
    """One of `FRAMES`."""
    times: NDArray[np.datetime64]
    """datetime64[ns], UTC, ascending, shape (m,)."""
    position: NDArray[np.float64]
    """km, shape (m, 3)."""
    velocity: NDArray[np.float64] | None = None
    """km/s, shape (m, 3); in ITRS relative to the rotating axes."""

    def to_teme(self) -> StateTable:
        """Rotate to TEME: to a metre from J2000 at low orbits, to the errors of the Earth's attitude from ITRS."""
        if self.frame == "teme":
            return self
        position, velocity = self.position, self.velocity
        if self.frame == "j2000":
            turn = j2000_to_teme(*to_day_fraction(self.times))
        else:
            turn = _itrs_to_teme(self.times)
            if velocity is not None:
                velocity = velocity + np.cross([0.0, 0.0, EARTH_ROTATION_RATE], position)
        turned = [None if v is None else np.asarray(np.einsum("mij,mj->mi", turn, v)) for v in (position, velocity)]
        assert turned[0] is not None
        return dataclasses.replace(self, frame="teme", position=turned[0], velocity=turned[1])


def parse_number(text: str) -> int:
    """Catalogue number of an object's identifier; -1 where it is none."""
    return int(text) if text.isdecimal() and len(text) <= 9 else NO_NORAD_ID


def _itrs_to_teme(times: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Rotations of shape (m, 3, 3), inverse of `frames.teme_to_itrs`; the pole's turn counts as infinitesimal."""
    day, fraction = to_day_fraction(times)
    ut1_utc, x, y = load_earth_orientation().at(times)
    gmst = sidereal_time(day.astype(np.float64), fraction + ut1_utc / SECONDS_PER_DAY, np.floor)
    s, c, zero, one = np.sin(gmst), np.cos(gmst), np.zeros(len(day)), np.ones(len(day))
    earth = np.stack([c, -s, zero, s, c, zero, zero, zero, one], axis=-1).reshape(-1, 3, 3)
    pole = np.stack([one, zero, -x, zero, one, y, x, -y, one], axis=-1).reshape(-1, 3, 3)
    return np.asarray(earth @ pole)
