"""States at any instant from a file of `ephemeris_to`.

Instants are grouped by span; for each, the rows of Chebyshev polynomials times the coefficients of all wanted satellites are one
matrix product; a thread for each core takes span after span. Only the spans and chunks of satellites that are asked for are read.
One Ephemeris may be used in several threads: they read the file in turn. Deliberately absent: the file (outputs/netcdf/).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine.threads import count_cores, one_blas_thread
from constellation_jax.errors import InputError
from constellation_jax.inputs.times import as_times
from constellation_jax.outputs.netcdf.ephemeris import AXES, IN_PIECES, VELOCITY
from constellation_jax.outputs.netcdf.ephemeris_file import EphemerisFile
from constellation_jax.outputs.variable import FRAMES, SATELLITE, STATUS_VARIABLE, TIME, check_frame
from constellation_jax.outputs.variables import VARIABLES
from constellation_jax.studies.ephemeris.evaluate import VELOCITIES, SeriesEvaluator

READ_BYTES: Final = 64 * 2**20
"""Size of the coefficients that are read at a time."""
_INSTANTS_AT_ONCE: Final = 1024
"""Number of instants of a span that a thread takes at a time."""


def open_ephemeris(path: str | os.PathLike[str]) -> Ephemeris:
    """Open a file that `ephemeris_to` made, a `.partial` one too. Use it in a `with` statement, or close it.

    Raises:
        InputError: no such file, one of another kind, or a damaged one; the message says what it lacks.
    """
    return Ephemeris(path)


class Ephemeris:
    """States at any instant within a file of `ephemeris_to`; `open_ephemeris` makes it."""

    path: Path
    start: np.datetime64
    """First instant that is covered, UTC."""
    stop: np.datetime64
    """Last instant that is covered."""
    tolerance_m: float
    """Bound on the difference of a position from SGP4's."""
    satellites: xr.Dataset
    """Coordinates of each object that `propagate` gives: norad_id, name, epoch and so on."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file = file = EphemerisFile(path)
        self.satellites = file.satellites
        self.tolerance_m = float(file.attributes["tolerance_m"])
        self._starts, self._stops = file.bounds[:, 0], file.bounds[:, 1]
        self.start, self.stop = self._starts[0], self._stops[-1]
        self._piece_satellite, self._piece_status = file.pieces["satellite"], file.pieces["status"]
        self._piece_start, self._piece_stop = file.pieces["start"], file.pieces["stop"]
        # They are stored span after span, within one by satellite and time, but blocks mix spans: sort once
        self._piece_span = np.searchsorted(self._starts, self._piece_start, side="right") - 1
        self._piece_order = np.lexsort((self._piece_start, self._piece_satellite, self._piece_span))
        self._piece_edges = np.searchsorted(self._piece_span[self._piece_order], np.arange(file.spans + 1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ephemeris of {self.satellites.sizes[SATELLITE]} objects, {self.start} to {self.stop}, {self.path}>"

    def close(self) -> None:
        """Close the file; `at` needs it open."""
        self._file.close()

    def at(self, times: ArrayLike, satellites: Any = None, *, frame: str = "teme") -> xr.Dataset:
        """Position, velocity and status at any instants.

        Args:
            times: instants (UTC): datetime64, datetimes or ISO 8601 text, one or shape (m,), in any order.
            satellites: catalogue numbers (int) or names (str), one or several; a boolean mask of all objects or a
                slice; None for all. Where several objects share a number or a name, it means the first.
            frame: "teme", or "itrs" (turning with the Earth).

        Returns:
            Dataset with dims (time, satellite), as `propagate` gives it, in float64: x, y, z in km within the tolerance of SGP4's,
            vx, vy, vz in km/s, NaN where the status is not 0.

        Raises:
            InputError: an instant outside the file or NaT, an object that is not in it, an unknown frame, or a closed or
                damaged file.
        """
        if not self._file.is_open:
            raise InputError(f"{self.path}: closed; open it anew with open_ephemeris")
        check_frame(frame)
        instants = as_times(np.atleast_1d(times) if np.ndim(times) == 0 else times)
        outside = np.flatnonzero((instants < self.start) | (instants > self.stop))
        if len(outside):
            raise InputError(
                f"times, entry {outside[0]}: {instants[outside[0]]} is outside {self.path}, "
                f"which covers {self.start} to {self.stop}"
            )
        chosen = self._positions(satellites)
        order = np.argsort(instants, kind="stable")
        ascending = instants[order]
        shape = (len(instants), len(chosen))
        out = {name: np.empty(shape) for name in (*AXES, *VELOCITIES)}
        status = np.empty(shape, np.int8)
        evaluator = SeriesEvaluator(ascending, self._starts, self._stops, self._file.degrees, frame)
        with ThreadPoolExecutor(count_cores()) as pool, one_blas_thread():
            for task in self._tasks(np.unique(evaluator.span), chosen):
                self._fill(evaluator, task, out, status, pool)
        if np.any(np.diff(order) != 1):
            back = np.argsort(order)
            out, status = {name: values[back] for name, values in out.items()}, status[back]
        return self._dataset(instants, chosen, out, status, frame)

    def _positions(self, satellites: Any) -> NDArray[np.intp]:
        """Positions in the file of the objects that are asked for, as `at` takes them."""
        count = self.satellites.sizes[SATELLITE]
        everything = np.arange(count)
        if satellites is None:
            return everything
        if isinstance(satellites, slice):
            return everything[satellites]
        if isinstance(satellites, np.ndarray) and satellites.dtype == bool:
            if satellites.shape != (count,):
                raise InputError(f"satellites: a mask of shape {satellites.shape}, expected ({count},)")
            return np.flatnonzero(satellites)
        single = isinstance(satellites, str) or not isinstance(satellites, Iterable)
        return np.array([self._position(wanted) for wanted in ([satellites] if single else satellites)], np.intp)

    def _position(self, wanted: Any) -> int:
        if isinstance(wanted, str):
            found = np.flatnonzero(self.satellites["name"].values == wanted)
        elif isinstance(wanted, int | np.integer) and wanted >= 0:
            found = np.flatnonzero(self.satellites["norad_id"].values == wanted)
        else:
            raise InputError(f"satellites: found {wanted!r}, expected catalogue numbers, names, a mask or a slice")
        if not len(found):
            raise InputError(
                f"satellites: {wanted!r} is not among the {self.satellites.sizes[SATELLITE]} of {self.path}"
            )
        return int(found[0])

    def _tasks(self, spans: NDArray[np.intp], chosen: NDArray[np.intp]) -> Iterator[_ReadTask]:
        """Split a request into neighbouring spans of satellites that are near each other in the file."""
        order = np.argsort(chosen, kind="stable")
        if len(chosen) > 0.25 * (np.ptp(chosen) + 1 if len(chosen) else 1):
            groups = [order] if len(chosen) else []
        else:
            groups = np.split(order, np.flatnonzero(np.diff(chosen[order] // self._file.chunk_columns)) + 1)
        for columns in groups:
            width = int(np.ptp(chosen[columns])) + 1
            most = max(1, READ_BYTES // (3 * self._file.degrees * width * 4))
            most = max(most - most % self._file.chunk_rows, 1)
            # A gap of more than a chunk is not read over
            groups_of_spans = np.split(spans, np.flatnonzero(np.diff(spans) > self._file.chunk_rows) + 1)
            for run in groups_of_spans:
                for first in range(int(run[0]), int(run[-1]) + 1, most):
                    yield _ReadTask(range(first, min(first + most, int(run[-1]) + 1)), columns, chosen[columns])

    def _fill(
        self,
        evaluator: SeriesEvaluator,
        task: _ReadTask,
        out: dict[str, Any],
        status: NDArray[np.int8],
        pool: ThreadPoolExecutor,
    ) -> None:
        """Compute the states of a task: it is read here and evaluated span by span in the pool."""
        spans, columns, chosen = task
        low, high = int(chosen.min()), int(chosen.max()) + 1
        take = slice(None) if np.array_equal(chosen, np.arange(low, high)) else chosen - low
        rows, everything, between = slice(spans.start, spans.stop), slice(None), slice(low, high)
        raw = [self._file.read(axis, rows, everything, between) for axis in AXES]
        flags = self._file.read(STATUS_VARIABLE, rows, between)[:, take]
        pieces = _PieceRows(self, spans) if (flags == IN_PIECES).any() else None
        in_place = len(columns) == status.shape[1] and np.array_equal(columns, np.arange(len(columns)))

        def evaluate(k: int, part: slice) -> None:
            span = spans[k]
            series = np.empty((3, self._file.degrees, len(chosen)))
            for axis in range(3):
                series[axis] = raw[axis][k][:, take]
            failed = np.flatnonzero(flags[k])
            for name, rows, coefficients in evaluator.products(part, series, self._file.scale):
                found = out[name][part] if in_place else np.empty((part.stop - part.start, len(chosen)))
                np.matmul(rows, coefficients, out=found)
                found[:, failed] = np.nan
                if not in_place:
                    out[name][part, columns] = found
            status[part, columns] = flags[k]
            shared = np.flatnonzero(flags[k] == IN_PIECES)
            if pieces is not None and len(shared):
                which = pieces.at(span, chosen[shared], evaluator.times[part])
                status[part, columns[shared]] = self._piece_status[which]
                own = evaluator.evaluate_pieces(
                    part, self._piece_start[which], self._piece_stop[which], pieces.series(which)
                )
                for name, values in own.items():
                    out[name][part, columns[shared]] = values

        parts = [(k, evaluator.instants_of(span)) for k, span in enumerate(spans)]
        tasks = [
            pool.submit(evaluate, k, slice(first, min(first + _INSTANTS_AT_ONCE, part.stop)))
            for k, part in parts
            for first in range(part.start, part.stop, _INSTANTS_AT_ONCE)
        ]
        for one in tasks:
            one.result()

    def _dataset(
        self, instants: NDArray[Any], chosen: NDArray[np.intp], out: dict[str, Any], status: Any, frame: str
    ) -> xr.Dataset:
        kept = ("Conventions", "source", "references", "product_version", "naming_authority", "processing_level")
        attributes = {name: self._file.attributes[name] for name in kept}
        attributes |= {
            "title": f"States from {self.path.name}",
            "history": self._file.attributes["history"],
            "frame": frame,
            "frame_definition": FRAMES[frame],
            "tolerance_m": self.tolerance_m,
            "comment": f"positions are within {self.tolerance_m:g} m of SGP4/SDP4. {VELOCITY}",
        }
        coordinates = self.satellites.isel({SATELLITE: chosen})
        return xr.Dataset(
            {
                name: VARIABLES[name].as_xarray(values, frame=frame)
                for name, values in (*out.items(), (STATUS_VARIABLE, status))
            },
            coords={TIME: VARIABLES[TIME].as_xarray(instants), **coordinates.coords},
            attrs=attributes,
        )


class _ReadTask(NamedTuple):
    """Spans and satellites that are read at a time."""

    spans: range
    columns: NDArray[np.intp]
    """Columns of the result, of the same satellites as `chosen`."""
    chosen: NDArray[np.intp]
    """Positions of the satellites in the file."""


class _PieceRows:
    """Pieces of neighbouring spans. They are stored block after block, so that one stretch of the file has them."""

    def __init__(self, file: Ephemeris, spans: range) -> None:
        self._file = file
        self._own = {s: file._piece_order[file._piece_edges[s] : file._piece_edges[s + 1]] for s in spans}
        rows = np.concatenate(list(self._own.values()))
        if not len(rows):
            raise file._file.make_error(f"whose spans from {file._starts[spans.start]} on lack their pieces")
        self._low, high = int(rows.min()), int(rows.max()) + 1
        self._series = np.stack([file._file.read(f"piece_{axis}", slice(self._low, high)) for axis in AXES])

    def at(self, span: int, satellites: NDArray[np.intp], times: NDArray[Any]) -> NDArray[np.intp]:
        """Row of the piece of each instant and satellite, shape (times, satellites)."""
        own = self._own[span]
        ends = np.searchsorted(self._file._piece_satellite[own], np.stack([satellites, satellites + 1]))
        which = np.empty((len(times), len(satellites)), np.intp)
        for k, (first, last) in enumerate(ends.T):
            mine = own[first:last]
            found = np.searchsorted(self._file._piece_start[mine], times, side="right") - 1
            if not len(mine) or found.min() < 0:
                raise self._file._file.make_error(f"which lacks pieces of the span from {self._file._starts[span]} on")
            which[:, k] = mine[found]
        return which

    def series(self, which: NDArray[np.intp]) -> NDArray[np.float64]:
        """Coefficients of rows, shape (3, ..., degrees)."""
        return self._series[:, which - self._low]
