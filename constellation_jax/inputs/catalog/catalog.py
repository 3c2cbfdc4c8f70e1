"""Catalogue of element sets: NumPy arrays with one entry per object, in the order of their source.

Everything that can be propagated becomes a Catalog: files, the bundled population, planned shells and deployments. Numbers keep
the units of the element-set formats, so that a value equals the decimal text it was read from; `Catalog.elements` gives them in
rad and rad/min.

Deliberately absent: reading (`read_catalog` in inputs/element_sets/read.py) and any propagation.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, printable
from constellation_jax.inputs.catalog.checks import find_violations
from constellation_jax.inputs.catalog.dataset_columns import COORDINATE_COLUMNS, ELEMENT_COLUMNS
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

_log = logging.getLogger(__name__)

OLD_YEARS = 10.0
"""Distance from an epoch, years, from which a run is warned of the age of its element sets."""
NO_NORAD_ID = -1
"""Value of `norad_id` for objects without a catalogue number: planned and synthetic satellites."""


class Reject(NamedTuple):
    """Record of a file that a reader left out, or a defect in a record that it kept."""

    source: str
    """Name of the file, or "text"."""
    line: int
    """Line of the file, counted from 1."""
    reason: str
    """Field, value found and value expected, in one clause."""
    kept: bool = False
    """True for a defect in a record that was kept (a wrong checksum), False where the record was left out."""

    def __str__(self) -> str:
        return printable(f"{self.source}, line {self.line}: {self.reason}{' (record kept)' if self.kept else ''}")


def _column(dtype: Any, default: Any = None) -> dict[str, Any]:
    """Describe a column of a Catalog: its type, and its value where a source does not know it; None if every source has to."""
    return {"dtype": dtype, "default": default}


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Catalog:
    """Element sets of n objects. Every array has shape (n,). Build one with `Catalog.from_columns`.

    Angles are in degrees and mean motions in revolutions per day (Kozai), as in the element-set formats; all are mean elements in
    the sense of SGP4, referred to TEME.
    """

    norad_id: NDArray[np.int64] = field(metadata=_column(np.int64, NO_NORAD_ID))
    """Catalogue number, up to nine digits; -1 where there is none."""
    name: NDArray[np.str_] = field(metadata=_column(np.str_, ""))
    """Name of the object; empty where unknown."""
    international_designator: NDArray[np.str_] = field(metadata=_column(np.str_, ""))
    """COSPAR designator as "YYYY-NNNP"; empty where unknown."""
    object_type: NDArray[np.str_] = field(metadata=_column(np.str_, ""))
    """"PAYLOAD", "ROCKET BODY", "DEBRIS" or "UNKNOWN" as Space-Track's OMM have it; empty where a source does not say."""
    classification: NDArray[np.str_] = field(metadata=_column(np.str_, "U"))
    """Security classification: U (unclassified), C or S."""
    ephemeris_type: NDArray[np.int8] = field(metadata=_column(np.int8, 0))
    """Ephemeris type of the element set: 0 for SGP4; 4 (SGP4-XP) is rejected by the readers."""
    element_set_number: NDArray[np.int64] = field(metadata=_column(np.int64, 0))
    """Running number of the element set; 0 where unknown."""
    revolution_number: NDArray[np.int64] = field(metadata=_column(np.int64, 0))
    """Revolution number at the epoch; 0 where unknown."""
    epoch_day: NDArray[np.int64] = field(metadata=_column(np.int64))
    """Modified Julian Date (UTC) of the midnight before the epoch."""
    epoch_fraction: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Fraction of the day from that midnight to the epoch, 0 <= fraction < 1."""
    mean_motion_rev_per_day: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Mean motion in Kozai's sense, rev/day."""
    eccentricity: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Mean eccentricity, at least 0 and below 1."""
    inclination_deg: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Mean inclination, deg, 0 to 180."""
    raan_deg: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Right ascension of the ascending node, deg."""
    arg_perigee_deg: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Argument of perigee, deg."""
    mean_anomaly_deg: NDArray[np.float64] = field(metadata=_column(np.float64))
    """Mean anomaly, deg."""
    bstar: NDArray[np.float64] = field(metadata=_column(np.float64, 0.0))
    """SGP4 drag term, 1/Earth radii."""
    mean_motion_dot: NDArray[np.float64] = field(metadata=_column(np.float64, 0.0))
    """Half the first derivative of the mean motion, rev/day^2, as in the formats; SGP4 does not use it."""
    mean_motion_ddot: NDArray[np.float64] = field(metadata=_column(np.float64, 0.0))
    """A sixth of the second derivative of the mean motion, rev/day^3; SGP4 does not use it."""
    source: NDArray[np.str_] = field(metadata=_column(np.str_, ""))
    """Origin of the record: a file name, "bundled", or for example "shells:guowang"."""
    shell: NDArray[np.str_] = field(metadata=_column(np.str_, ""))
    """Name of the shell to which the object belongs; empty where none is known."""
    plane: NDArray[np.int32] = field(metadata=_column(np.int32, -1))
    """Plane within the shell, from 0; -1 where none is known."""
    slot: NDArray[np.int32] = field(metadata=_column(np.int32, -1))
    """Slot within the plane, from 0; -1 where none is known."""
    synthetic: NDArray[np.bool_] = field(metadata=_column(np.bool_, False))
    """True where the elements were generated from a description, False where the object was tracked."""
    ballistic_coefficient: NDArray[np.float64] = field(metadata=_column(np.float64, np.nan))
    """Ballistic coefficient Cd A / m, m2/kg, where a source states it (shell files do); NaN elsewhere."""
    rejects: tuple[Reject, ...] = ()
    """Records that the readers left out and defects that they noted, in file order."""

    @classmethod
    def from_columns(cls, columns: Mapping[str, ArrayLike], *, rejects: Iterable[Reject] = ()) -> Catalog:
        """Build a catalogue from arrays by column name; columns that a source does not know may be left out.

        Args:
            columns: arrays of shape (n,), or scalars that hold for every object; `epoch` (datetimes or ISO 8601 text, UTC) may
                stand for `epoch_day` and `epoch_fraction`.
            rejects: records of the source that were left out, and defects that were noted.

        Raises:
            InputError: an unknown or missing column, lengths that differ, or elements of no orbit that SGP4 can propagate.
        """
        if "epoch" in columns and "epoch_day" not in columns:
            from constellation_jax.inputs.times import as_times, to_day_fraction

            epoch = np.asarray(columns["epoch"])
            day, fraction = (part.reshape(epoch.shape) for part in to_day_fraction(as_times(np.atleast_1d(epoch))))
            columns = {key: v for key, v in columns.items() if key != "epoch"} | {
                "epoch_day": day,
                "epoch_fraction": fraction,
            }
        unknown = sorted(set(columns) - set(_COLUMNS))
        if unknown:
            raise InputError(f"catalogue columns {', '.join(unknown)}: unknown; known are {', '.join(COLUMNS)}")
        missing = [key for key, (_, default) in _COLUMNS.items() if default is None and key not in columns]
        if missing:
            raise InputError(f"catalogue columns {', '.join(missing)}: missing; every object needs them")
        lengths = {key: len(value) for key, value in ((k, np.asarray(v)) for k, v in columns.items()) if np.ndim(value)}
        if len(set(lengths.values())) > 1:
            raise InputError(f"catalogue columns differ in length: {lengths}")
        n = next(iter(lengths.values()), 1)
        arrays = {}
        for key, (dtype, default) in _COLUMNS.items():
            array = np.asarray(columns.get(key, default), dtype=dtype)
            arrays[key] = array if array.ndim else np.full(n, array)
        for row, column, reason in find_violations(arrays):
            raise InputError(f"object {row} of the catalogue, {column}: {reason}")
        return cls(**arrays, rejects=tuple(rejects))

    @classmethod
    def from_dataframe(cls, frame: Any) -> Catalog:
        """Build a catalogue from a pandas DataFrame, one row for each object.

        Args:
            frame: its columns are those of a Catalog (with `epoch` for the two of the epoch, if need be), or the keywords of an
                OMM as in the tables of CelesTrak and Space-Track, or TLE_LINE1 and TLE_LINE2.

        Raises:
            InputError: columns that are neither, or values that are no orbit.
        """
        if {"mean_motion_rev_per_day", "eccentricity"} <= {*frame.columns}:
            return cls.from_columns({key: np.asarray(frame[key]) for key in frame.columns})
        from constellation_jax.inputs.element_sets.read import read_catalog

        return read_catalog(frame.to_csv(index=False).encode(), format="csv").replace(source="DataFrame")

    def to_dataframe(self) -> Any:
        """Return the columns as a pandas DataFrame, which `from_dataframe` takes back without loss."""
        import pandas as pd

        return pd.DataFrame({key: getattr(self, key) for key in COLUMNS})

    @classmethod
    def from_dataset(cls, dataset: Any) -> Catalog:
        """Build a catalogue from a Dataset of this package with the dimension `satellite`, which holds the elements.

        Raises:
            InputError: a Dataset without elements, such as one of an older version.
        """
        columns = {column: name for name, column in {**ELEMENT_COLUMNS, **COORDINATE_COLUMNS}.items()}
        missing = [name for name in columns.values() if name not in dataset.variables]
        if missing:
            raise InputError(f"dataset: no elements ({', '.join(missing)}); propagate and decay give them")
        return cls.from_columns({column: np.asarray(dataset[name]) for column, name in columns.items()})

    def to_tle(self) -> str:
        """Return the element sets as two-line elements with names, rounded to the digits of the format.

        Raises:
            InputError: a number that the format has no room for, such as a catalogue number above 339999.
        """
        from constellation_jax.inputs.element_sets.write import to_tle

        return to_tle(self)

    def to_omm(self, format: str = "csv") -> str:
        """Return the element sets as OMM messages, which `read_catalog` reads back without loss.

        Args:
            format: "csv", "json", "xml" or "kvn".

        Raises:
            InputError: another format.
        """
        from constellation_jax.inputs.element_sets.write import to_omm

        return to_omm(self, format)

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
        """Join catalogues into one, in the order given; their rejects are joined too.

        Raises:
            InputError: no catalogue given.
        """
        if not catalogs:
            raise InputError("no catalogue given: at least one is needed")
        columns = {key: np.concatenate([getattr(c, key) for c in catalogs]) for key in COLUMNS}
        return Catalog.from_columns(columns, rejects=[r for c in catalogs for r in c.rejects])

    def replace(self, **columns: ArrayLike) -> Catalog:
        """Return a copy with some columns replaced (arrays of shape (n,), or scalars)."""
        return Catalog.from_columns({k: getattr(self, k) for k in COLUMNS} | columns, rejects=self.rejects)

    def sort(self, by: str) -> Catalog:
        """Sort the objects by a column, `mean_altitude_km`, `period_minutes` or `epoch`, ascending; equal ones keep their order.

        Raises:
            InputError: no such column.
        """
        return self[np.argsort(self._key(by), kind="stable")]

    def repeated(self) -> tuple[int, int, int]:
        """Count the catalogue numbers with several element sets; also the most of one number, and that number (0, 0, -1: none)."""
        numbers, counts = np.unique(self.norad_id[self.norad_id != NO_NORAD_ID], return_counts=True)
        if not (counts > 1).any():
            return 0, 0, NO_NORAD_ID
        return int((counts > 1).sum()), int(counts.max()), int(numbers[counts.argmax()])

    def newest(self) -> Catalog:
        """Select the newest element set of each catalogue number; objects without a number stay. In their order."""
        order = np.lexsort((-np.arange(len(self)), self.epoch_fraction, self.epoch_day, self.norad_id))
        is_last = np.append(np.diff(self.norad_id[order]) != 0, True)[: len(self)]
        keep = np.zeros(len(self), bool)
        keep[order[is_last]] = True
        return self[keep | (self.norad_id == NO_NORAD_ID)]

    def position_of(self, norad_id: int | str) -> int:
        """Find the position of a catalogue number (the first one, where an object has several element sets).

        Raises:
            InputError: no object has it.
        """
        from constellation_jax.inputs.catalog.selection import find_matches

        found = np.flatnonzero(find_matches("norad_id", self.norad_id, norad_id))
        if not len(found):
            raise InputError(f"norad_id {norad_id}: not among the {len(self)} objects of this catalogue")
        return int(found[0])

    def select(self, **conditions: Any) -> Catalog:
        """Select the objects that meet every condition.

        Args:
            conditions: column (or `mean_altitude_km`, `period_minutes`, `epoch`) = a value, a list or set of values, or a
                (low, high) tuple, both ends included, None for open. Numbers may be text as on the command line ("25544",
                "300..600"), times text or datetimes. For text columns a value is a pattern with * and ?, compared without
                regard to case, in which every other character stands for itself; or a compiled regular expression.

        Raises:
            InputError: no such column, or a value that does not suit it.
        """
        from constellation_jax.inputs.catalog.selection import find_matches

        keep = np.ones(len(self), bool)
        for key, condition in conditions.items():
            keep &= find_matches(key, self._key(key), condition)
        return self[keep]

    def _key(self, name: str) -> NDArray[Any]:
        if name not in SELECTABLE:
            raise InputError(f"column {name!r}: unknown; known are {', '.join(SELECTABLE)}")
        return np.asarray(getattr(self, name))

    def warn_of_age(self, instants: NDArray[np.datetime64]) -> None:
        """Log a warning where instants lie more than ten years from the epochs of element sets, with their ages."""
        if not len(self) or not len(instants):
            return
        years = (np.array([instants.min(), instants.max()])[:, None] - self.epoch) / np.timedelta64(31_557_600, "s")
        far = np.abs(years).max(axis=0) > OLD_YEARS
        if far.any():
            least, most = np.abs(years[:, far]).max(axis=0).min(), np.abs(years[:, far]).max()
            _log.warning(
                "%d of %d element sets: instants lie %.1f to %.1f years from their epochs, and SGP4 holds for days to weeks",
                *(int(far.sum()), len(self), least, most),
            )

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


def check_catalog(value: Any) -> None:
    """Raise InputError where a value that stands for a catalogue is none, such as the path of one."""
    if not isinstance(value, Catalog):
        raise InputError(
            f"catalogue: found {type(value).__name__} {str(value)[:60]!r}, expected a Catalog: read_catalog makes one"
        )


_COLUMNS = {f.name: (f.metadata["dtype"], f.metadata["default"]) for f in dataclasses.fields(Catalog) if f.metadata}
"""Column -> dtype and default."""
COLUMNS = tuple(_COLUMNS)
"""Names of the columns of a Catalog."""
SELECTABLE = (*COLUMNS, "mean_altitude_km", "period_minutes", "epoch")
"""Columns and properties by which `Catalog.select` and `Catalog.sort` go."""
