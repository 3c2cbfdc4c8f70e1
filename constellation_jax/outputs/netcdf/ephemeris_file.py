"""Ephemeris file open for reading: its header, checked as a whole, and slices of its series.

Damage shows: the blocks of the file have checksums, the layout is compared with that of the writer (ephemeris.py), and whatever
netCDF-C cannot read is an `InputError`. Each call takes the lock of netCDF-C. Deliberately absent: evaluating the series
(studies/ephemeris/).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import netCDF4
import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import NetCDF4DataStore

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.dataset_columns import ELEMENT_COLUMNS
from constellation_jax.outputs.netcdf.ephemeris import AXES, IN_PIECES, PRODUCT
from constellation_jax.outputs.netcdf.library import NETCDF_LOCK
from constellation_jax.outputs.soundness import NOT_STORED
from constellation_jax.outputs.variable import BOUND, DEGREE, PIECE, SATELLITE, SPAN, STATUS_VARIABLE
from constellation_jax.physics.sgp4.status import STATUS


class EphemerisFile:
    """Ephemeris of `EphemerisWriter`, a `.partial` one too.

    Args:
        path: of the file.

    Raises:
        InputError: no such file, one of another kind, or a damaged one.
    """

    spans: int
    """Number of whole spans; a run that was killed may have left a part of one behind them."""
    degrees: int
    """Number of coefficients of a series."""
    bounds: NDArray[np.datetime64]
    """Start and stop of each span, UTC, shape (spans, 2)."""
    satellites: xr.Dataset
    """Coordinates and elements of each object."""
    pieces: Mapping[str, NDArray[Any]]
    """The variables satellite, start, stop and status of the pieces; start and stop as datetime64[ns]."""
    attributes: Mapping[str, Any]
    """Global attributes."""
    scale: float
    """km per unit of the coefficients."""
    chunk_rows: int
    """Spans in a chunk of the file."""
    chunk_columns: int
    """Satellites in a chunk of the file."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        with NETCDF_LOCK:
            while _ABANDONED:
                _ABANDONED.pop().close()
            try:
                self._file = netCDF4.Dataset(os.path.abspath(self.path))
            except (OSError, ValueError, RuntimeError) as error:
                words = getattr(error, "strerror", None) or error
                raise InputError(f"{self.path}: cannot be read ({words}); expected an ephemeris") from None
            try:
                with self._reporting_damage():
                    self._read_header()
            except BaseException:
                self._file.close()
                raise

    def __del__(self) -> None:
        # Deallocation would close the file whatever other threads do. The lock may be held by this very thread, as this is called
        # in the middle of anything, so that nothing waits for it here.
        file = self.__dict__.get("_file")
        if file is not None and file.isopen():
            if NETCDF_LOCK.acquire(blocking=False):
                try:
                    file.close()
                finally:
                    NETCDF_LOCK.release()
            else:
                _ABANDONED.append(file)

    @property
    def is_open(self) -> bool:
        return bool(self._file.isopen())

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        with NETCDF_LOCK:
            if self._file.isopen():
                self._file.close()

    def read(self, name: str, *parts: slice) -> NDArray[Any]:
        """Read a part of a variable, as it is stored.

        Raises:
            InputError: the file is damaged there.
        """
        with NETCDF_LOCK, self._reporting_damage():
            return np.asarray(self._file[name][parts])

    def make_error(self, words: str) -> InputError:
        """Make the error of a file that lacks something or contradicts itself."""
        return InputError(f"{self.path}: a damaged ephemeris, {words}; write it again")

    @contextmanager
    def _reporting_damage(self) -> Iterator[None]:
        try:
            yield
        except InputError:
            raise
        except (OSError, RuntimeError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise self.make_error(f"which netCDF cannot read ({error})") from error

    def _read_header(self) -> None:
        file = self._file
        self.attributes = {name: file.getncattr(name) for name in file.ncattrs()}
        if self.attributes.get("product") != PRODUCT:
            raise InputError(f"{self.path}: no ephemeris; expected a file that ephemeris_to made")
        self._check_layout()
        file.set_auto_maskandscale(False)
        self.degrees = len(file.dimensions[DEGREE])
        self.spans = len(file.dimensions[SPAN])
        status = file[STATUS_VARIABLE]
        while self.spans and (np.asarray(status[self.spans - 1]) == NOT_STORED).any():
            self.spans -= 1
        if not self.spans:
            raise InputError(f"{self.path}: holds no span; the run was stopped before its first block")
        self.scale = float(getattr(file["x"], "scale_factor", 1.0))
        self.chunk_rows, _, self.chunk_columns = file["x"].chunking()
        # lock=False: the lock is held already. The store is not closed, which would close the file
        store = NetCDF4DataStore(file, lock=False)  # type: ignore[no-untyped-call]
        opened = xr.open_dataset(store, drop_variables=[*AXES, STATUS_VARIABLE], cache=False)
        named = [name for name, v in opened.variables.items() if v.dims == (SATELLITE,)]
        self.satellites = opened[named].load().set_coords([name for name in named if name not in ELEMENT_COLUMNS])
        self.bounds = opened["span_bounds"].values[: self.spans].astype("datetime64[ns]")
        self.pieces = {name: opened[f"piece_{name}"].values for name in ("satellite", "start", "stop", "status")}
        for name in ("start", "stop"):
            self.pieces[name] = self.pieces[name].astype("datetime64[ns]")
        self._check_content()

    def _check_layout(self) -> None:
        """Raise InputError where a dimension, variable or attribute of the writer is missing."""
        file = self._file
        lacks = [
            f"dimension {name!r}" for name in (SPAN, DEGREE, PIECE, SATELLITE, BOUND) if name not in file.dimensions
        ]
        lacks += [f"attribute {name!r}" for name in _ATTRIBUTES if name not in self.attributes]
        for name, dims in _VARIABLES.items():
            if name not in file.variables or file[name].dimensions != dims:
                lacks.append(f"variable {name!r} ({', '.join(dims)})")
        if lacks:
            raise self.make_error(f"which lacks {', '.join(lacks)}")

    def _check_content(self) -> None:
        starts, stops = self.bounds.T
        if not ((starts < stops).all() and (stops[:-1] == starts[1:]).all()):  # NaT fails, too
            raise self.make_error("whose spans do not follow each other")
        tolerance, satellite = self.attributes["tolerance_m"], self.pieces["satellite"]
        if not (np.ndim(tolerance) == 0 and 0.0 < float(tolerance) < np.inf and 0.0 < self.scale < np.inf):
            raise self.make_error(f"with a tolerance of {tolerance} m and a scale factor of {self.scale}")
        if not ((satellite >= 0) & (satellite < self.satellites.sizes[SATELLITE])).all():
            raise self.make_error("with pieces of satellites that it does not have")
        if not np.isin(self.pieces["status"], _CODES).all():
            raise self.make_error("with an unknown status of a piece")


_ABANDONED: Final[list[netCDF4.Dataset]] = []
"""Files that were left open, and that the next reader closes under the lock."""
_ATTRIBUTES: Final = (
    *("Conventions", "source", "references", "product_version", "naming_authority", "processing_level", "history"),
    "tolerance_m",
)
_SPANS: Final = (SPAN, DEGREE, SATELLITE)
_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    SPAN: (SPAN,),
    "span_bounds": (SPAN, BOUND),
    STATUS_VARIABLE: (SPAN, SATELLITE),
    "norad_id": (SATELLITE,),
    **dict.fromkeys(AXES, _SPANS),
    **{f"piece_{axis}": (PIECE, DEGREE) for axis in AXES},
    **{f"piece_{name}": (PIECE,) for name in ("satellite", "start", "stop", "status")},
}
_CODES: Final = [code for code in STATUS if code != IN_PIECES]
