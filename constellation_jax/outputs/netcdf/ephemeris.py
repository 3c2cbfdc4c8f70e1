"""Writer of continuous ephemerides to netCDF-4: Chebyshev coefficients of positions, span by span.

    x, y, z (span, degree, satellite)   int32 times scale_factor, or float64: the bulk, one series for each satellite and span
    status (span, satellite)            0: the series holds; a failure of SGP4 for the whole span; or IN_PIECES
    piece_x, piece_y, piece_z (piece, degree)   float64: shorter series, where one for the span is not enough
    piece_satellite, piece_start, piece_stop, piece_status (piece)

int32 with one scale has the size of float32, but its rounding is the same for every coefficient, where float32 rounds the
leading ones to 0.25 m. Every block has a checksum (Fletcher's), so that damage shows. The file grows as NAME.partial, see
partial_file.py. Deliberately absent: reading (ephemeris_file.py) and fitting (studies/ephemeris/fit.py).
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import netCDF4
import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.datasets.header import (
    count_satellites,
    make_coverage_attributes,
    make_propagation_header,
)
from constellation_jax.outputs.datasets.times import CALENDAR, encode_times
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.outputs.netcdf.library import encode_attributes
from constellation_jax.outputs.netcdf.partial_file import (
    CHUNK_CACHE_BYTES,
    CHUNK_INDEX_BYTES,
    HEADER_BYTES,
    PartialFile,
)
from constellation_jax.outputs.netcdf.unfinished import read_sound_blocks
from constellation_jax.outputs.soundness import NOT_STORED
from constellation_jax.outputs.variable import BOUND, DEGREE, PIECE, SATELLITE, SPAN, STATUS_VARIABLE, Variable
from constellation_jax.outputs.variables import VARIABLES

AXES: Final[tuple[str, ...]] = ("x", "y", "z")
"""Names of the variables with the series of the spans."""
IN_PIECES: Final = -1
"""Status of a satellite in a span that has several pieces."""
FILL: Final = np.int32(-(2**31))
"""Fill value of the int32 coefficients."""
PRODUCT: Final = "chebyshev_ephemeris"
"""Global attribute `product`, by which a reader recognises the file."""
VELOCITY: Final = (
    "The velocity is the time derivative of the series. SGP4 computes its velocity by another formula, which is not the derivative "
    "of its position: over 16,400 active objects of 2026-08-22 and 30 days the two differ by 0.013 m/s (median) and 0.24 m/s "
    "(99 %) in near-Earth orbits, by 0.06 and 1.2 m/s in deep space, and by up to 90 m/s where B* is large or a decay is near."
)


class Pieces(NamedTuple):
    """Chebyshev series that hold for a part of a span."""

    satellite: NDArray[np.int32]
    """Index of the satellite in the file, shape (pieces,)."""
    start: NDArray[np.int64]
    """First instant of the piece, nanoseconds since the start of the first span, shape (pieces,)."""
    stop: NDArray[np.int64]
    """Instant just before which the piece ends, as `start`."""
    status: NDArray[np.int8]
    """0, or the failure of SGP4 in this part, whose coefficients are then NaN; shape (pieces,)."""
    coefficients: NDArray[np.float64]
    """Coefficients of x, y, z in km, shape (3, pieces, degrees)."""


class Block(NamedTuple):
    """Consecutive spans of every satellite."""

    coefficients: NDArray[Any]
    """Coefficients of x, y, z, shape (3, spans, degrees, satellites): int32 in units of the quantum, or float64 in km."""
    status: NDArray[np.int8]
    """0, a failure of SGP4 for the whole span, or `IN_PIECES`; shape (spans, satellites)."""
    pieces: Pieces
    """Series where the status is `IN_PIECES`."""


class EphemerisWriter(PartialFile):
    """Writer of blocks of spans. Use it in a `with` statement.

    Args:
        path: the file to be made, or its `Target`.
        catalog: the n objects.
        edges: instants at which spans begin and end, datetime64[ns] of shape (spans + 1,), ascending.
        degrees: number of coefficients of a series.
        quantum_km: unit of the int32 coefficients; None stores float64.
        tolerance_m: bound on the error of a position; goes into the attributes.
        overwrite: whether an existing file may be replaced.
        attributes: global attributes to add or to put in place of the default ones.
        block_spans: number of spans of most blocks; the file is laid out for it.
        fingerprint: of the run, which NAME.partial carries, so that it may be gone on with; None for none.
        resume: whether the sound blocks of a NAME.partial of the same run are taken over (on entering).

    Raises:
        InputError: as for `NetCDFWriter`.
        OutputError: (on entering) the disk has no room for the whole file.
    """

    _dimension = SPAN

    def __init__(
        self,
        path: str | os.PathLike[str],
        catalog: Catalog,
        edges: NDArray[np.datetime64],
        *,
        degrees: int,
        quantum_km: float | None,
        tolerance_m: float,
        overwrite: bool = False,
        attributes: Mapping[str, Any] | None = None,
        block_spans: int = 8,
        fingerprint: Fingerprint | None = None,
        resume: bool = False,
    ) -> None:
        super().__init__(
            path, catalog, len(edges) - 1, "spans", overwrite=overwrite, attributes=attributes, block=block_spans,
            fingerprint=fingerprint, resume=resume,
        )  # fmt: skip
        self._edges = edges
        self._degrees = degrees
        self._quantum_km = quantum_km
        self._tolerance_m = tolerance_m

        most = min(block_spans, len(edges) - 1)
        rows = -(-most // -(-most // _SPANS_PER_CHUNK))
        columns = max(1, _CHUNK_BYTES // (rows * degrees * self._itemsize))
        self._chunks = rows, -(-len(catalog) // -(-len(catalog) // columns))
        self._pieces = 0
        self.last_taken_over: Block | None = None
        """Last block of the unfinished file that is gone on with; None where there is none."""

    @property
    def pieces_written(self) -> int:
        """Number of pieces that are on disk."""
        return self._pieces

    def write(self, block: Block) -> None:
        """Append a block of spans and put it on disk.

        Raises:
            OutputError: the block could not be stored; the message says how much is in NAME.partial.
        """
        start, stop = self._written, self._written + len(block.status)
        first, last = self._pieces, self._pieces + len(block.pieces.satellite)
        size = self._bound_block_bytes(start, stop) + (last - first + _PIECES_PER_CHUNK) * (3 * 8 * self._degrees + 24)
        self._append(stop, size, lambda: self._put(slice(start, stop), slice(first, last), block))
        self._pieces = last

    @property
    def _itemsize(self) -> int:
        return 8 if self._quantum_km is None else 4

    def _take_over(self, old: Path) -> None:
        for block in read_sound_blocks(old, self.find_missing(), self._read_sound):
            self.write(block)
            self.last_taken_over = block

    def _read_sound(self, file: netCDF4.Dataset, rows: slice) -> Block | None:
        """Read some spans, after those that have been written; None where a series or a piece was not stored, which shows."""
        if len(file.dimensions[SPAN]) < rows.stop or (file[SPAN][rows] != self._starts[rows]).any():
            return None
        offsets = (self._edges - self._edges[0]).astype(np.int64)
        later = np.flatnonzero(file["piece_start"][self._pieces :] - self._first_ns >= offsets[rows.stop])
        last = self._pieces + int(later[0]) if len(later) else None
        satellite, start, stop, piece_status, *series = (
            np.asarray(file[f"piece_{name}"][self._pieces : last])
            for name in ("satellite", "start", "stop", "status", *AXES)
        )
        pieces = Pieces(satellite, start - self._first_ns, stop - self._first_ns, piece_status, np.stack(series))
        block = Block(np.stack([file[axis][rows] for axis in AXES]), np.asarray(file[STATUS_VARIABLE][rows]), pieces)
        lengths = np.diff(offsets)[rows, None] * (block.status == IN_PIECES)
        lacks_series = np.isnan(block.coefficients) if self._quantum_km is None else block.coefficients == FILL
        is_sound = (
            not (block.status == NOT_STORED).any()
            and not (lacks_series.any(axis=(0, 2)) & (block.status == 0)).any()
            and int((stop - start).sum()) == int(lengths.sum())
            and bool((np.isnan(pieces.coefficients).any(axis=(0, 2)) == (piece_status != 0)).all())
        )
        return block if is_sound else None

    def _put(self, spans: slice, rows: slice, block: Block) -> None:
        dataset = self._opened()
        # Spans first, status last: if the process is killed between them, the status says "not stored"
        dataset[SPAN][spans] = self._starts[spans]
        dataset["span_bounds"][spans] = np.stack([self._starts[spans], self._stops[spans]], axis=1)
        for axis, values in zip(AXES, block.coefficients, strict=True):
            dataset[axis][spans] = values
        if rows.stop > rows.start:
            pieces = block.pieces
            for name in ("satellite", "start", "stop", "status"):
                dataset[f"piece_{name}"][rows] = getattr(pieces, name) + (
                    self._first_ns if name in ("start", "stop") else 0
                )
            for axis, series in zip(AXES, pieces.coefficients, strict=True):
                dataset[f"piece_{axis}"][rows] = series
        dataset[STATUS_VARIABLE][spans] = block.status

    def _create(self, dataset: netCDF4.Dataset) -> None:
        dataset.setncatts(encode_attributes({**self._make_header(), **self.attributes}))
        dataset.createDimension(SPAN, None)
        dataset.createDimension(DEGREE, self._degrees)
        dataset.createDimension(PIECE, None)
        dataset.createDimension(BOUND, 2)
        encoded = encode_times(self._edges)
        self._starts, self._stops = encoded.values[:-1], encoded.values[1:]
        midnight = self._edges[0].astype("datetime64[D]")
        self._first_ns = int((self._edges[0] - midnight).astype("timedelta64[ns]").astype(np.int64))
        clock = {"units": encoded.units, "calendar": CALENDAR}
        fine_clock = {"units": f"nanoseconds since {midnight} 00:00:00", "calendar": CALENDAR}
        rows, columns = self._chunks

        def make(variable: Variable, kind: str, attributes: Mapping[str, Any] | None = None, **options: Any) -> None:
            made = dataset.createVariable(
                variable.name, kind, variable.dims, chunk_cache=CHUNK_CACHE_BYTES, fletcher32=True, **options
            )
            made.setncatts({**variable.make_attributes(), **(attributes or {})})

        make(VARIABLES[SPAN], "i8", clock, chunksizes=(min(self._total, 4096),))
        bounds = (min(self._total, 4096), 2)
        dataset.createVariable(
            "span_bounds", "i8", (SPAN, BOUND), chunk_cache=CHUNK_CACHE_BYTES, chunksizes=bounds, fletcher32=True
        )
        make(VARIABLES[DEGREE], "i4")
        dataset[DEGREE][:] = np.arange(self._degrees)
        named = {"coordinates": " ".join(self._put_satellites(dataset))}
        kind, fill = ("f8", np.nan) if self._quantum_km is None else ("i4", FILL)
        scale = {} if self._quantum_km is None else {"scale_factor": self._quantum_km}
        chunks = (rows, self._degrees, columns)
        for axis in AXES:
            make(_SERIES[axis], kind, {**named, **scale}, fill_value=fill, chunksizes=chunks)
        compressed: dict[str, Any] = {"zlib": True, "complevel": 1, "shuffle": True}
        make(_SPAN_STATUS, "i1", named, chunksizes=(rows, len(self._catalog)), **compressed)
        compressed["chunksizes"] = (_PIECES_PER_CHUNK,)
        make(VARIABLES["piece_satellite"], "i4", **compressed)
        for end in ("piece_start", "piece_stop"):
            make(VARIABLES[end], "i8", fine_clock, **compressed)
        make(_PIECE_STATUS, "i1", **compressed)
        for axis in AXES:
            piece = dataclasses.replace(_SERIES[axis], name=f"piece_{axis}", dims=(PIECE, DEGREE))
            make(piece, "f8", fill_value=np.nan, chunksizes=(_PIECES_PER_CHUNK // 8, self._degrees))

    def _make_header(self) -> dict[str, Any]:
        ends = self._edges[[0, -1]]
        n = count_satellites(len(self._catalog))
        return {
            **make_propagation_header(self._catalog, ends, frame="teme", precision="float64"),
            "title": f"Continuous ephemeris of {n}",
            "summary": (
                f"Chebyshev series of the positions of {n} in {self._total} spans, fitted to SGP4/SDP4 from mean element sets."
            ),
            "product": PRODUCT,
            "tolerance_m": float(self._tolerance_m),
            "comment": (
                f"A position from the series is within {self._tolerance_m:g} m of SGP4/SDP4 at every instant. x(t) is the sum of "
                "x[span, k] T_k(s) over the degrees k, with s = 2 (t - start) / (stop - start) - 1 from the bounds of the span, "
                f"or of the piece where status is {IN_PIECES}. {VELOCITY}"
            ),
        }

    def _make_final_attributes(self) -> dict[str, Any]:
        known = make_coverage_attributes(self._edges[[0, -1]])
        known.pop("time_coverage_resolution", None)  # it is continuous
        return known

    def _bound_block_bytes(self, start: int, stop: int) -> int:
        rows, columns = self._chunks
        chunks = (-(-stop // rows) - start // rows) * -(-len(self._catalog) // columns)
        series = 3 * (rows * columns * self._degrees * self._itemsize + CHUNK_INDEX_BYTES)
        return chunks * (series + rows * columns + CHUNK_INDEX_BYTES) + (stop - start) * 24 + HEADER_BYTES


_CHUNK_BYTES: Final = 240_000
"""Size of a chunk, as in samples.py: one instant of all objects and the history of one object are both quick to read."""
_SPANS_PER_CHUNK: Final = 8
"""Most spans in a chunk."""
_PIECES_PER_CHUNK: Final = 1024
"""Pieces in a chunk of the variables of pieces."""

_SERIES: Final = {
    axis: dataclasses.replace(
        VARIABLES[axis],
        dims=(SPAN, DEGREE, SATELLITE),
        long_name=f"Chebyshev coefficients of the {VARIABLES[axis].long_name}",
    )
    for axis in AXES
}
_STATUS: Final = VARIABLES[STATUS_VARIABLE]
_SPAN_STATUS: Final = dataclasses.replace(
    _STATUS,
    dims=(SPAN, SATELLITE),
    comment="of the whole span; in_pieces: the pieces of this satellite in this span tell",
    flags={**_STATUS.flags, IN_PIECES: "in_pieces"},
)
_PIECE_STATUS: Final = dataclasses.replace(
    _STATUS, name="piece_status", dims=(PIECE,), comment="of the piece; its coefficients are NaN where not 0"
)
