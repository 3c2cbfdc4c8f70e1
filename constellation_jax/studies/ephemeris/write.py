"""Continuous ephemerides: from a catalogue to a file of Chebyshev series, block by block.

    ephemeris_to("month.nc", catalog, "2026-08-22", "30d")
    open_ephemeris("month.nc").at(times)         # studies/ephemeris/read.py

It is no mode of `propagate_to`: an ephemeris is given by its start, length and tolerance, samples by instants, type and precision;
and an ephemeris has neither variables nor a frame to choose.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.times import Duration, Time, minutes_since, parse_duration, parse_time, to_day_fraction
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.outputs.formats import find_format
from constellation_jax.outputs.netcdf.ephemeris import AXES, EphemerisWriter
from constellation_jax.outputs.target import check_disk
from constellation_jax.physics.constants import WGS72
from constellation_jax.physics.numerics import chebyshev
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.studies.ephemeris.fit import Fitter, SeriesDesign, choose_design
from constellation_jax.studies.propagation.fingerprint import make_fingerprint
from constellation_jax.studies.propagation.runs import Progress, RunReport, Stopwatch, in_blocks, make_counter

BLOCK_BYTES = 192 * 2**20
"""Size of the positions that one block takes in memory; two blocks are there at a time."""
PILOT_NODES = 48
PILOT_OBJECTS = 1024
MAX_SPANS = 10**6
_SECONDS_PER_DAY_NS = 86_400_000_000_000
_LEAST_BYTES = 3 * 4 * 4  # of a span of an object: three axes, the fewest degrees of fit.py, int32


@dataclasses.dataclass(frozen=True)
class EphemerisReport(RunReport):
    """Figures of an `ephemeris_to`. Its compilation includes the choice of the degrees, its writing the fits."""

    spans: int
    degrees: int
    """Number of coefficients of a series."""
    pieces: int
    """Number of series for parts of spans."""
    states: int
    """Number of states that SGP4 was evaluated for, in this run."""


def ephemeris_to(
    path: str | os.PathLike[str],
    catalog: Catalog,
    start: Time,
    duration: Duration,
    *,
    tolerance_m: float = 1.0,
    span: Duration = "2h",
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    history: str | None = None,
) -> EphemerisReport:
    """Write a continuous ephemeris: for each object and span of time the position as a Chebyshev series, in TEME.

    Every position that `open_ephemeris(path).at(times)` gives is within the tolerance of SGP4's; the velocity is the derivative of
    the series. Where one series for a span is not enough (eccentric or very low orbits, failures), shorter ones share it. The file
    appears under its name when it is complete; until then, and if the run is stopped, `PATH.partial` holds the spans done so far.

    Args:
        path: the file to be made.
        catalog: n objects.
        start: first instant, UTC.
        duration: length of the ephemeris.
        tolerance_m: bound on the error of a position, m; 0.001 or more. Coefficients are int32 where its range suffices (low
            orbits: from about 0.2 m on), else float64.
        span: length of time that one series serves; two hours suit low orbits.
        overwrite: whether an existing file may be replaced.
        resume: keep the spans that an interrupted run of the same inputs has left in `PATH.partial`; without one, begin anew.
        progress: called as work is done.
        history: text for the attribute of that name, such as the command line.

    Raises:
        InputError: no object; a start, length, span or tolerance that cannot be; the file exists, or its folder does not; an
            unfinished file of another run.
        OutputError: the file could not be written, such as on a full disk; the message says what is left in `PATH.partial`.
    """
    clock = Stopwatch()
    find_format(path, "ephemeris")
    check_catalog(catalog)
    edges = _edges(start, duration, span)
    check_disk(path, _LEAST_BYTES * len(catalog) * (len(edges) - 1))  # at once; choosing the degrees takes seconds
    catalog.warn_of_age(parse_time(start) + np.array([0, parse_duration(duration).astype(int)], "timedelta64[ns]"))
    if not 0.001 <= tolerance_m < np.inf:
        raise InputError(f"tolerance_m {tolerance_m}: expected a number of metres from 0.001 on")
    if not len(catalog):
        raise InputError("catalogue: no objects; there is nothing to propagate")
    offsets = (edges - edges[0]).astype(np.int64)
    design = clock("compile", _choose_design, catalog, edges[0], offsets, tolerance_m)
    per_span = design.nodes + 1
    spans, satellites = len(edges) - 1, len(catalog)
    block = max(1, BLOCK_BYTES // (satellites * per_span * 3 * 8))
    block = min(spans, block - block % 8 if block > 8 else block)
    writer = EphemerisWriter(
        path, catalog, edges, degrees=design.degrees, quantum_km=design.quantum_km, tolerance_m=tolerance_m,
        overwrite=overwrite, attributes={"history": f"{np.datetime64('now')}Z {history}"} if history else {},
        block_spans=block, fingerprint=_make_fingerprint(catalog, edges, design), resume=resume,
    )  # fmt: skip
    writer.check_disk()
    x = np.append(chebyshev.nodes(design.nodes), 1.0)
    at = 0.5 * (offsets[:-1] + offsets[1:])[:, None] + 0.5 * np.diff(offsets)[:, None] * x

    def make() -> tuple[Engine, Fitter]:
        engine = Engine(catalog.elements, _grid(edges[0], at.ravel()), Options(AXES, dense=False))
        engine.warm_up()
        since_epoch = minutes_since(edges[:1], catalog.epoch_day, catalog.epoch_fraction)[0]
        return engine, Fitter(catalog.elements, since_epoch, design, engine.drag_limits)

    engine, fitter = clock("compile", make)
    count = make_counter(progress, at.size * satellites)

    def store(first: int, last: int, part: OutputArrays) -> None:
        shaped = {name: values.reshape(last - first, per_span, satellites) for name, values in part.items()}
        values = (shaped["x"], shaped["y"], shaped["z"])
        writer.write(fitter.fit(offsets[first : last + 1], values, shaped["status"]))

    with writer:
        missing = writer.find_missing()
        done = missing[0].start if missing else spans
        if writer.last_taken_over is not None:
            fitter.go_on_after(writer.last_taken_over, int(offsets[done]))
            engine.failures.codes = fitter.failures.code
        if count is not None and done:
            count(done * per_span * satellites)
        in_blocks(
            missing,
            [OutputArrays.allocate(block * per_span, satellites, AXES, "float64") for _ in range(2)],
            lambda first, last, part: engine.run(first * per_span, last * per_span, part, count),
            store,
            clock,
            rows=per_span,
        )
    return EphemerisReport(
        path=Path(path),
        satellites=satellites,
        spans=spans,
        degrees=design.degrees,
        pieces=writer.pieces_written,
        states=(spans - done) * per_span * satellites,
        failed=int(np.count_nonzero(fitter.failures.code)),
        **clock.report(Path(path).stat().st_size),
    )


def _make_fingerprint(catalog: Catalog, edges: NDArray[np.datetime64], design: SeriesDesign) -> Fingerprint:
    """Make the fingerprint of an ephemeris: that of the states behind it, and the design of its series."""
    quantum = "float64" if design.quantum_km is None else f"int32 of {design.quantum_km!r} km"
    return {
        **make_fingerprint(catalog, edges, Options(AXES, dense=False), None),
        "tolerance": f"{1e3 * design.tolerance_km:g} m",
        "series": f"{design.degrees} degrees, {quantum}",
    }


def _edges(start: Time, duration: Duration, span: Duration) -> NDArray[np.datetime64]:
    """Ends of the spans; the last span is shorter where the span does not divide the duration."""
    first, length, step = parse_time(start), parse_duration(duration), parse_duration(span)
    for name, value in (("duration", length), ("span", step)):
        if value < np.timedelta64(1, "s"):
            raise InputError(f"{name} {value}: expected one second or more")
    count = -(-int(length.astype(np.int64)) // int(step.astype(np.int64)))
    if count > MAX_SPANS:
        raise InputError(f"span {step} over {length}: {count:,} spans, expected at most {MAX_SPANS:,}")
    parse_time(first + length)  # within the years that there are
    return np.minimum(first + np.arange(count + 1) * step, first + length)


def _grid(start: np.datetime64, offsets_ns: NDArray[np.float64]) -> Grid:
    """Instants at nanoseconds from the start, not rounded to whole ones."""
    day, fraction = to_day_fraction(np.array([start]))
    total = fraction[0] * _SECONDS_PER_DAY_NS + offsets_ns
    days = np.floor(total / _SECONDS_PER_DAY_NS)
    rest = (total - days * _SECONDS_PER_DAY_NS) / _SECONDS_PER_DAY_NS
    return Grid.inertial(day[0] + days.astype(np.int64), rest)


def _choose_design(
    catalog: Catalog, start: np.datetime64, edges: NDArray[np.int64], tolerance_m: float
) -> SeriesDesign:
    """Choose the design that suits a sample of the catalogue in the first span, or in the last one where nothing is known yet."""
    some = catalog[np.unique(np.linspace(0, len(catalog) - 1, PILOT_OBJECTS).astype(np.intp))]
    values = OutputArrays.allocate(PILOT_NODES, len(some), AXES, "float64")
    for ends in (edges[:2], edges[-2:]):
        at = 0.5 * ends.sum() + 0.5 * (ends[1] - ends[0]) * chebyshev.nodes(PILOT_NODES)
        Engine(some.elements, _grid(start, at), Options(AXES, dense=False)).run(0, PILOT_NODES, values)
        if (values.status == 0).all(axis=0).any():
            break
    sizes = [np.abs(chebyshev.coefficients(PILOT_NODES) @ values[axis]) for axis in AXES]
    tail = np.sqrt(np.sum([np.cumsum(size[::-1], axis=0)[::-1] ** 2 for size in sizes], axis=0))
    apogee_km = semi_major_axis_km(np.asarray(catalog.elements.mean_motion), WGS72) * (1.0 + catalog.eccentricity)
    return choose_design(tail, apogee_km, tolerance_m * 1e-3)
