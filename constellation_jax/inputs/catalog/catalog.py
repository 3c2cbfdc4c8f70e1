"""Catalog: the element sets of many objects as NumPy arrays, one entry per object, in the order of their source.

Everything that can be propagated becomes a Catalog: files, the bundled population and planned shells. Numbers keep the units of
the element-set formats, so that a value equals the decimal text it was read from; `Catalog.elements` gives them in rad and rad/min.

Deliberately absent: reading (`read_catalog` in inputs/element_sets/read.py) and any propagation.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError
from constellation_jax.physics.constants import (
    DEEP_SPACE_PERIOD_MINUTES,
    DEGREE,
    MINUTES_PER_DAY,
    MJD_1970,
    TWO_PI,
    WGS72,
    WGS84_EQUATORIAL_RADIUS_KM,
)
from constellation_jax.physics.sgp4.brouwer import kozai_to_brouwer

if TYPE_CHECKING:
    from constellation_jax.physics.sgp4.elements import Elements

NO_NORAD_ID = -1
"""norad_id of an object that no one has catalogued: planned and synthetic satellites."""


class Reject(NamedTuple):
    """A record, or a part of one, that a reader could not take as it stands."""

    source: str
    """File (or "text") it came from."""
    line: int
    """1-based line of the file."""
    reason: str
    """One clause: the field, what was found, what was expected."""
    kept: bool = False
    """True for a defect that was noted and read over (a wrong checksum), False when the record was left out."""

    def __str__(self) -> str:
        return f"{self.source}, line {self.line}: {self.reason}{' (record kept)' if self.kept else ''}"


_DEFAULTS: dict[str, tuple[Any, Any]] = {
    # column: (dtype, value where a source does not say)
    "norad_id": (np.int64, NO_NORAD_ID),
    "name": (np.str_, ""),
    "international_designator": (np.str_, ""),
    "classification": (np.str_, "U"),
    "ephemeris_type": (np.int8, 0),
    "element_set_number": (np.int64, 0),
    "revolution_number": (np.int64, 0),
    "epoch_day": (np.int64, None),
    "epoch_fraction": (np.float64, None),
    "mean_motion_rev_per_day": (np.float64, None),
    "eccentricity": (np.float64, None),
    "inclination_deg": (np.float64, None),
    "raan_deg": (np.float64, None),
    "arg_perigee_deg": (np.float64, None),
    "mean_anomaly_deg": (np.float64, None),
    "bstar": (np.float64, 0.0),
    "mean_motion_dot": (np.float64, 0.0),
    "mean_motion_ddot": (np.float64, 0.0),
    "source": (np.str_, ""),
    "shell": (np.str_, ""),
    "plane": (np.int32, -1),
    "slot": (np.int32, -1),
    "synthetic": (np.bool_, False),
    "ballistic_coefficient": (np.float64, np.nan),
}
COLUMNS = tuple(_DEFAULTS)


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Catalog:
    """Element sets of n objects. Every array has shape (n,). Build one with `Catalog.from_columns`.

    Angles are in degrees and mean motions in revolutions per day (Kozai), as in the element-set formats; all are mean elements in
    the sense of SGP4, referred to TEME.
    """

    norad_id: NDArray[np.int64]
    """Catalogue number, up to nine digits; -1 where there is none."""
    name: NDArray[np.str_]
    international_designator: NDArray[np.str_]
    """COSPAR designator as "YYYY-NNNP"; empty where unknown."""
    classification: NDArray[np.str_]
    ephemeris_type: NDArray[np.int8]
    element_set_number: NDArray[np.int64]
    revolution_number: NDArray[np.int64]
    epoch_day: NDArray[np.int64]
    """Modified Julian Date (UTC) of the midnight before the epoch."""
    epoch_fraction: NDArray[np.float64]
    """Rest of the epoch as a fraction of a day, 0 <= fraction < 1."""
    mean_motion_rev_per_day: NDArray[np.float64]
    eccentricity: NDArray[np.float64]
    inclination_deg: NDArray[np.float64]
    raan_deg: NDArray[np.float64]
    arg_perigee_deg: NDArray[np.float64]
    mean_anomaly_deg: NDArray[np.float64]
    bstar: NDArray[np.float64]
    """SGP4 drag term, 1/Earth radii."""
    mean_motion_dot: NDArray[np.float64]
    """Half the first derivative of the mean motion, rev/day^2, as the formats carry it; SGP4 does not use it."""
    mean_motion_ddot: NDArray[np.float64]
    """A sixth of the second derivative of the mean motion, rev/day^3; SGP4 does not use it."""
    source: NDArray[np.str_]
    """Where the record came from: a file name, "bundled", "shells:guowang"."""
    shell: NDArray[np.str_]
    """Name of the shell it belongs to; empty where none is known."""
    plane: NDArray[np.int32]
    """Plane within the shell, from 0; -1 where none is known."""
    slot: NDArray[np.int32]
    """Slot within the plane, from 0; -1 where none is known."""
    synthetic: NDArray[np.bool_]
    """True where the elements were made from a description instead of tracked."""
    ballistic_coefficient: NDArray[np.float64]
    """Cd A / m, m2/kg, where a source states it (shell files do); NaN elsewhere."""
    rejects: tuple[Reject, ...] = ()
    """What the readers left out or noted, in file order."""

    @classmethod
    def from_columns(cls, columns: Mapping[str, ArrayLike], *, rejects: Iterable[Reject] = ()) -> Catalog:
        """A catalogue from a mapping of column name to array; columns that a source does not know may be left out.

        Args:
            columns: arrays of shape (n,), or scalars that hold for every object.
            rejects: records that did not make it.

        Raises:
            InputError: an unknown or missing column, or lengths that differ.
        """
        unknown = sorted(set(columns) - set(_DEFAULTS))
        if unknown:
            raise InputError(f"catalogue columns {', '.join(unknown)}: unknown; known are {', '.join(COLUMNS)}")
        missing = [key for key, (_, default) in _DEFAULTS.items() if default is None and key not in columns]
        if missing:
            raise InputError(f"catalogue columns {', '.join(missing)}: missing; every object needs them")
        lengths = {key: len(value) for key, value in ((k, np.asarray(v)) for k, v in columns.items()) if np.ndim(value)}
        if len(set(lengths.values())) > 1:
            raise InputError(f"catalogue columns differ in length: {lengths}")
        n = next(iter(lengths.values()), 1)
        arrays = {}
        for key, (dtype, default) in _DEFAULTS.items():
            array = np.asarray(columns.get(key, default), dtype=dtype)
            arrays[key] = array if array.ndim else np.full(n, array)
        return cls(**arrays, rejects=tuple(rejects))

    def __len__(self) -> int:
        return len(self.norad_id)

    def __repr__(self) -> str:
        rejected = sum(not r.kept for r in self.rejects)
        return f"<Catalog of {len(self)} objects{f', {rejected} records rejected' if rejected else ''}>"

    def __getitem__(self, index: int | slice | NDArray[Any] | Sequence[int]) -> Catalog:
        """The objects at a position, slice, mask or array of positions, as a Catalog (also for a single position)."""
        if isinstance(index, (int, np.integer)):
            if not -len(self) <= index < len(self):
                raise IndexError(f"object {index} of a catalogue of {len(self)}")
            index = [int(index)]
        return dataclasses.replace(self, **{key: getattr(self, key)[index] for key in COLUMNS})

    def __iter__(self) -> Iterator[Catalog]:
        return (self[i] for i in range(len(self)))

    def __add__(self, other: Catalog) -> Catalog:
        return Catalog.concatenate([self, other])

    @staticmethod
    def concatenate(catalogs: Sequence[Catalog]) -> Catalog:
        """One catalogue of all objects of several, in the order given; rejects are carried along.

        Raises:
            InputError: no catalogue given.
        """
        if not catalogs:
            raise InputError("no catalogue given: at least one is needed")
        columns = {key: np.concatenate([getattr(c, key) for c in catalogs]) for key in COLUMNS}
        return Catalog.from_columns(columns, rejects=[r for c in catalogs for r in c.rejects])

    def replace(self, **columns: ArrayLike) -> Catalog:
        """A copy with some columns exchanged (arrays of shape (n,), or scalars)."""
        return Catalog.from_columns({k: getattr(self, k) for k in COLUMNS} | columns, rejects=self.rejects)

    def sort(self, by: str) -> Catalog:
        """The objects in ascending order of a column, `mean_altitude_km`, `period_minutes` or `epoch`; equal ones keep their order.

        Raises:
            InputError: no such column.
        """
        return self[np.argsort(self._key(by), kind="stable")]

    def position_of(self, norad_id: int) -> int:
        """Position of the object with a catalogue number (the first one, where several element sets are there).

        Raises:
            InputError: no object has it.
        """
        found = np.flatnonzero(self.norad_id == norad_id)
        if not len(found):
            raise InputError(f"norad_id {norad_id}: not among the {len(self)} objects of this catalogue")
        return int(found[0])

    def select(self, **conditions: Any) -> Catalog:
        """The objects that meet every condition.

        Args:
            conditions: column (or `mean_altitude_km`, `period_minutes`, `epoch`) = a value, a list of values, a (low, high) tuple
                (both ends included, None for open) or, for text columns, a pattern with * and ?, compared without regard to case.

        Raises:
            InputError: no such column.
        """
        keep = np.ones(len(self), bool)
        for key, condition in conditions.items():
            values = self._key(key)
            if isinstance(condition, tuple):
                low, high = condition
                keep &= (values >= low if low is not None else True) & (values <= high if high is not None else True)
            elif values.dtype.kind == "U":
                patterns = [condition] if isinstance(condition, str) else list(condition)
                keep &= [any(fnmatch.fnmatchcase(v.upper(), p.upper()) for p in patterns) for v in values.tolist()]
            else:
                keep &= np.isin(values, condition)
        return self[keep]

    def _key(self, name: str) -> NDArray[Any]:
        if name not in (*COLUMNS, "mean_altitude_km", "period_minutes", "epoch"):
            raise InputError(
                f"column {name!r}: unknown; known are {', '.join(COLUMNS)}, mean_altitude_km, period_minutes, epoch"
            )
        return np.asarray(getattr(self, name))

    @property
    def epoch(self) -> NDArray[np.datetime64]:
        """Epochs as datetime64[ns], UTC, rounded to the nanosecond. Shape (n,)."""
        midnight = (self.epoch_day - MJD_1970).astype("datetime64[D]").astype("datetime64[ns]")
        return np.asarray(midnight + np.rint(self.epoch_fraction * 86400e9).astype("timedelta64[ns]"))

    @property
    def brouwer_mean_motion(self) -> NDArray[np.float64]:
        """Mean motion in Brouwer's sense, which SGP4 propagates with, in rad/min. Shape (n,). WGS-72."""
        return self._brouwer()[0]

    @property
    def period_minutes(self) -> NDArray[np.float64]:
        """Orbital period from the Brouwer mean motion, min. Shape (n,)."""
        return TWO_PI / self.brouwer_mean_motion

    @property
    def mean_altitude_km(self) -> NDArray[np.float64]:
        """Mean semi-major axis (Brouwer, WGS-72) minus 6378.137 km. Shape (n,)."""
        return self._brouwer()[1] * WGS72.equatorial_radius_km - WGS84_EQUATORIAL_RADIUS_KM

    @property
    def is_deep_space(self) -> NDArray[np.bool_]:
        """True where the period is 225 minutes or more, so that SDP4 applies. Shape (n,)."""
        return self.period_minutes >= DEEP_SPACE_PERIOD_MINUTES

    def _brouwer(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        mean_motion = self.mean_motion_rev_per_day * (TWO_PI / MINUTES_PER_DAY)
        result: tuple[NDArray[np.float64], NDArray[np.float64]] = kozai_to_brouwer(
            mean_motion, self.eccentricity, np.cos(self.inclination_deg * DEGREE), WGS72
        )
        return result

    @property
    def elements(self) -> Elements:
        """The element sets in the units of the kernels (rad, rad/min), as float64 NumPy arrays of shape (n,)."""
        from constellation_jax.physics.sgp4.elements import Elements

        return Elements(
            mean_motion=self.mean_motion_rev_per_day * (TWO_PI / MINUTES_PER_DAY),
            eccentricity=self.eccentricity,
            inclination=self.inclination_deg * DEGREE,
            raan=self.raan_deg * DEGREE,
            arg_perigee=self.arg_perigee_deg * DEGREE,
            mean_anomaly=self.mean_anomaly_deg * DEGREE,
            bstar=self.bstar,
            epoch_day=self.epoch_day.astype(np.float64),
            epoch_fraction=self.epoch_fraction,
        )
