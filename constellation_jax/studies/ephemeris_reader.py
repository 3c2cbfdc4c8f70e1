"""States at any instant from a file of `ephemeris_to`.

Instants are grouped by span; for each, the rows of Chebyshev polynomials times the coefficients of all wanted satellites are one
matrix product, which NumPy's BLAS spreads over the cores. Only the spans and chunks of satellites that are asked for are read.
Deliberately absent: netCDF from several threads, which netCDF-C does not survive; use one Ephemeris in one thread at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import netCDF4
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from constellation_jax.engine import chebyshev
from constellation_jax.engine.precision import x64
from constellation_jax.errors import InputError
from constellation_jax.inputs.earth_orientation import load_earth_orientation
from constellation_jax.inputs.times import as_times, to_day_fraction
from constellation_jax.outputs.dataset import time_attributes
from constellation_jax.outputs.ephemeris_file import AXES, IN_PIECES, NOT_STORED, PRODUCT, SPAN, VELOCITY
from constellation_jax.outputs.variables import (
    DIMENSIONS,
    FRAMES,
    SATELLITE,
    STATUS_VARIABLE,
    TIME,
    VARIABLES,
    check_frame,
)
from constellation_jax.physics import frames
from constellation_jax.physics.constants import SECONDS_PER_DAY

READ_BYTES: Final = 64 * 2**20
"""Coefficients that are read at a time."""
VELOCITIES: Final = ("vx", "vy", "vz")


def open_ephemeris(path: str | os.PathLike[str]) -> Ephemeris:
    """Opens a file that `ephemeris_to` made, a `.partial` one too. Use it in a `with` statement, or close it.

    Raises:
        InputError: no such file, or one of another kind.
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
    """What is known of each object: norad_id, name, epoch and the other coordinates that `propagate` gives."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        try:
            self._file = netCDF4.Dataset(self.path)
        except OSError as error:
            raise InputError(
                f"{self.path}: cannot be read ({error.strerror or error}); expected an ephemeris"
            ) from None
        try:
            self._read_header()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Ephemeris of {self.satellites.sizes[SATELLITE]} objects, {self.start} to {self.stop}, {self.path}>"

    def close(self) -> None:
        """Closes the file; `at` needs it open."""
        if self._file.isopen():
            self._file.close()

    def at(self, times: ArrayLike, satellites: Any = None, *, frame: str = "teme") -> xr.Dataset:
        """Position, velocity and status at any instants.

        Args:
            times: instants (UTC): datetime64, datetimes or ISO 8601 text, one or shape (m,), in any order.
            satellites: which objects: catalogue numbers (int) or names (str), one or several; a boolean mask of all objects or a
                slice; None for all. Where several objects share a number or a name, it means the first.
            frame: "teme", or "itrs" (turning with the Earth).

        Returns:
            Dataset with dims (time, satellite), as `propagate` gives it, in float64: x, y, z in km within the tolerance of SGP4's,
            vx, vy, vz in km/s, NaN where the status is not 0.

        Raises:
            InputError: an instant outside the file or NaT, an object that is not in it, an unknown frame, or a closed file.
        """
        if not self._file.isopen():
            raise InputError(f"{self.path}: closed; open it anew with open_ephemeris")
        check_frame(frame)
        instants = as_times(np.atleast_1d(times) if np.ndim(times) == 0 else times)  # type: ignore[arg-type]
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
        rows = _Rows(ascending, self._starts, self._stops, self._degrees, frame)
        for spans, columns in self._tasks(np.unique(rows.span), chosen):
            self._fill(rows, spans, columns, chosen[columns], out, status)
        if np.any(np.diff(order) != 1):
            back = np.argsort(order)
            out, status = {name: values[back] for name, values in out.items()}, status[back]
        return self._dataset(instants, chosen, out, status, frame)

    def _read_header(self) -> None:
        file = self._file
        if getattr(file, "product", None) != PRODUCT:
            raise InputError(f"{self.path}: no ephemeris; expected a file that ephemeris_to made")
        file.set_auto_maskandscale(False)
        self._degrees = len(file.dimensions["degree"])
        count = len(file.dimensions[SPAN])
        # A killed run may have left spans whose last part is missing
        while count and (np.asarray(file[STATUS_VARIABLE][count - 1]) == NOT_STORED).any():
            count -= 1
        if not count:
            raise InputError(f"{self.path}: holds no span; the run was stopped before its first block")
        with xr.open_dataset(self.path, drop_variables=[*AXES, STATUS_VARIABLE], cache=False) as opened:
            bounds = opened["span_bounds"].values[:count].astype("datetime64[ns]")
            named = [name for name, v in opened.variables.items() if v.dims == (SATELLITE,)]
            self.satellites = opened[named].load().set_coords(named)
        self._starts, self._stops = bounds[:, 0], bounds[:, 1]
        self.start, self.stop = self._starts[0], self._stops[-1]
        self.tolerance_m = float(file.tolerance_m)
        self._scale = float(getattr(file["x"], "scale_factor", 1.0))
        chunks = file["x"].chunking()
        self._chunk_rows, self._chunk_columns = chunks[0], chunks[2]
        midnight = self._starts[0].astype("datetime64[D]").astype("datetime64[ns]")
        pieces = {name: np.asarray(file[f"piece_{name}"][:]) for name in ("satellite", "start", "stop", "status")}
        self._piece_satellite, self._piece_status = pieces["satellite"], pieces["status"]
        self._piece_start, self._piece_stop = (midnight + pieces[k].astype("m8[ns]") for k in ("start", "stop"))
        # They are stored span after span, within one by satellite and time, but blocks mix spans: sort once
        self._piece_span = np.searchsorted(self._starts, self._piece_start, side="right") - 1
        self._piece_order = np.lexsort((self._piece_start, self._piece_satellite, self._piece_span))
        self._piece_edges = np.searchsorted(self._piece_span[self._piece_order], np.arange(count + 1))

    def _positions(self, satellites: Any) -> NDArray[np.intp]:
        """Positions in the file of the objects that are asked for."""
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

    def _tasks(self, spans: NDArray[np.intp], chosen: NDArray[np.intp]) -> Iterator[tuple[range, NDArray[np.intp]]]:
        """What is read at a time: a range of spans, and which entries of `chosen` (near each other in the file)."""
        order = np.argsort(chosen, kind="stable")
        if len(chosen) > 0.25 * (np.ptp(chosen) + 1 if len(chosen) else 1):
            groups = [order] if len(chosen) else []
        else:
            groups = np.split(order, np.flatnonzero(np.diff(chosen[order] // self._chunk_columns)) + 1)
        for columns in groups:
            width = int(np.ptp(chosen[columns])) + 1
            rows = max(1, READ_BYTES // (3 * self._degrees * width * 4))
            rows = max(rows - rows % self._chunk_rows, 1)
            first = 0
            while first < len(spans):
                last = first + 1
                while (
                    last < len(spans)
                    and spans[last] - spans[last - 1] <= self._chunk_rows
                    and spans[last] - spans[first] < rows
                ):
                    last += 1
                yield range(int(spans[first]), int(spans[last - 1]) + 1), columns
                first = last

    def _fill(
        self, rows: _Rows, spans: range, columns: NDArray[np.intp], chosen: NDArray[np.intp], out: dict[str, Any],
        status: NDArray[np.int8],
    ) -> None:  # fmt: skip
        low, high = int(chosen.min()), int(chosen.max()) + 1
        raw = [self._file[axis][spans.start : spans.stop, :, low:high] for axis in AXES]
        flags = self._file[STATUS_VARIABLE][spans.start : spans.stop, low:high]
        whole = np.array_equal(chosen, np.arange(low, high))
        straight = whole and len(columns) == status.shape[1]
        for k, span in enumerate(spans):
            part = rows.of(span)
            if part.start == part.stop:
                continue
            flag = flags[k] if whole else flags[k][chosen - low]
            series = np.empty((3, self._degrees, len(chosen)))
            for axis in range(3):
                series[axis] = raw[axis][k] if whole else raw[axis][k][:, chosen - low]
            matrices = rows.matrices(part, self._scale)
            failed = np.flatnonzero(flag)
            codes = np.broadcast_to(flag, (part.stop - part.start, len(flag)))
            for name, value in matrices.apply(series):
                if straight:
                    target = out[name][part]
                    value(target)
                    target[:, failed] = np.nan
                else:
                    found = np.empty((part.stop - part.start, len(chosen)))
                    value(found)
                    found[:, failed] = np.nan
                    out[name][part, columns] = found
            status[part, columns] = codes
            for i in np.flatnonzero(flag == IN_PIECES):
                self._fill_pieces(rows, span, part, int(columns[i]), int(chosen[i]), out, status)

    def _fill_pieces(
        self, rows: _Rows, span: int, part: slice, column: int, satellite: int, out: dict[str, Any],
        status: NDArray[np.int8],
    ) -> None:  # fmt: skip
        """States of one satellite in a span that its pieces share."""
        own = self._piece_order[self._piece_edges[span] : self._piece_edges[span + 1]]
        first, last = np.searchsorted(self._piece_satellite[own], [satellite, satellite + 1])
        own = own[first:last]
        at = rows.times[part]
        which = own[np.clip(np.searchsorted(self._piece_start[own], at, side="right") - 1, 0, None)]
        status[part, column] = self._piece_status[which]
        used, row = np.unique(which, return_inverse=True)
        low, high = int(used[0]), int(used[-1]) + 1
        series = np.stack([self._file[f"piece_{axis}"][low:high][used - low][row] for axis in AXES])
        pieces = _Rows.within(at, self._piece_start[which], self._piece_stop[which], self._degrees)
        position = np.einsum("td,atd->at", pieces[0], series)
        velocity = np.einsum("td,atd->at", pieces[1], series)
        if rows.turn is not None:
            turn, drift = (m[part] for m in rows.turn)
            velocity = np.einsum("tij,jt->it", turn, velocity) + np.einsum("tij,jt->it", drift, position)
            position = np.einsum("tij,jt->it", turn, position)
        for axis in range(3):
            out[AXES[axis]][part, column] = position[axis]
            out[VELOCITIES[axis]][part, column] = velocity[axis]

    def _dataset(
        self, instants: NDArray[Any], chosen: NDArray[np.intp], out: dict[str, Any], status: Any, frame: str
    ) -> xr.Dataset:
        kept = ("Conventions", "source", "references", "product_version", "naming_authority", "processing_level")
        attributes = {name: self._file.getncattr(name) for name in kept}
        attributes |= {
            "title": f"States from {self.path.name}",
            "history": self._file.history,
            "frame": frame,
            "frame_definition": FRAMES[frame],
            "tolerance_m": self.tolerance_m,
            "comment": f"positions are within {self.tolerance_m:g} m of SGP4/SDP4. {VELOCITY}",
        }
        coordinates = self.satellites.isel({SATELLITE: chosen})
        return xr.Dataset(
            {
                name: (DIMENSIONS, values, VARIABLES[name].attributes_in(frame))
                for name, values in (*out.items(), (STATUS_VARIABLE, status))
            },
            coords={TIME: (TIME, instants, time_attributes()), **coordinates.coords},
            attrs=attributes,
        )


class _Rows:
    """Ascending instants, the span of each, and the rows that turn coefficients into states at them."""

    def __init__(
        self, times: NDArray[Any], starts: NDArray[Any], stops: NDArray[Any], degrees: int, frame: str
    ) -> None:
        self.times = times
        self.span = np.minimum(np.searchsorted(starts, times, side="right") - 1, len(starts) - 1)
        self._starts, self._stops, self._degrees = starts, stops, degrees
        self.turn = _turn(times) if frame == "itrs" else None
        """Matrices (time, 3, 3) that give the position from that in TEME, and the velocity from velocity and position; or None."""

    def of(self, span: int) -> slice:
        """The instants in a span."""
        return slice(*np.searchsorted(self.span, [span, span + 1]).tolist())

    def matrices(self, part: slice, scale: float) -> _Matrices:
        span = self.span[part.start]
        value, slope = self.within(self.times[part], self._starts[span], self._stops[span], self._degrees)
        return _Matrices(value * scale, slope * scale, None if self.turn is None else tuple(m[part] for m in self.turn))

    @staticmethod
    def within(times: NDArray[Any], start: Any, stop: Any, degrees: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows (time, degree) of the values and of the derivatives by time in seconds."""
        length = np.asarray(stop - start).astype(np.int64)
        x = 2.0 * ((times - start).astype(np.int64) / length) - 1.0
        slope = chebyshev.derivative_basis(degrees, x) * (2e9 / np.broadcast_to(length, x.shape))[:, None]
        return chebyshev.basis(degrees, x), slope


class _Matrices:
    """Applies rows to coefficients: one matrix product for each component."""

    def __init__(self, value: NDArray[Any], slope: NDArray[Any], turn: Any) -> None:
        self._value, self._slope, self._turn = value, slope, turn

    def apply(self, series: NDArray[np.float64]) -> Iterator[tuple[str, Any]]:
        """Name of each component, and a function that fills an array (time, satellite) with it."""
        for i in range(3):
            if self._turn is None:
                yield AXES[i], lambda out, i=i: np.matmul(self._value, series[i], out=out)
                yield VELOCITIES[i], lambda out, i=i: np.matmul(self._slope, series[i], out=out)
            else:
                # Turning the rows instead of the states: one product with the coefficients of all three axes
                turn, drift = self._turn
                flat = series.reshape(-1, series.shape[2])
                value = np.concatenate([turn[:, i, j, None] * self._value for j in range(3)], axis=1)
                slope = np.concatenate(
                    [turn[:, i, j, None] * self._slope + drift[:, i, j, None] * self._value for j in range(3)], axis=1
                )
                yield AXES[i], lambda out, value=value, flat=flat: np.matmul(value, flat, out=out)
                yield VELOCITIES[i], lambda out, slope=slope, flat=flat: np.matmul(slope, flat, out=out)


def _turn(times: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From TEME to ITRS: what `frames.teme_to_itrs` does to the unit vectors."""
    ut1_utc_s, polar_x, polar_y = (v[:, None] for v in load_earth_orientation().at(times))
    day, fraction = (v[:, None] for v in to_day_fraction(times))
    with x64():
        gmst = frames.gmst82(day.astype(np.float64), fraction + ut1_utc_s / SECONDS_PER_DAY)
        unit = np.broadcast_to(np.eye(3), (len(times), 3, 3))
        turned, drift = frames.teme_to_itrs(unit, 0.0 * unit, gmst, polar_x, polar_y)
        # row j is what becomes of unit vector j
        return np.asarray(turned).transpose(0, 2, 1), np.asarray(drift).transpose(0, 2, 1)
