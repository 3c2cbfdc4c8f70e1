"""Chebyshev series from SGP4: one for each satellite and span, and shorter pieces where one is not enough.

The engine evaluates more nodes than degrees are kept, so that the first coefficients which are left out are known; a geometric
series that goes on as they do, and the rounding of the kept ones, bound the error. A satellite whose bound exceeds the tolerance,
that fails within the span or that is out of the range of the packing gets its span halved, again and again, until each part meets
the tolerance. A failure is thus known to `SHORTEST_NS`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.failures import Failures, apply_limits
from constellation_jax.engine.precision import evaluate
from constellation_jax.engine.regimes.assign import initialise
from constellation_jax.engine.regimes.deep_space import DeepSpaceRegime
from constellation_jax.engine.regimes.near_earth import NearEarthRegime
from constellation_jax.engine.regimes.regime import Floats, Moments, Regime
from constellation_jax.engine.tiles import pad
from constellation_jax.outputs.netcdf.ephemeris import FILL, IN_PIECES, Block, Pieces
from constellation_jax.physics.constants import WGS72
from constellation_jax.physics.numerics import chebyshev
from constellation_jax.physics.sgp4.brouwer import semi_major_axis_km
from constellation_jax.physics.sgp4.common import OrbitState
from constellation_jax.physics.sgp4.elements import Elements
from constellation_jax.physics.sgp4.sgp4 import is_deep_space
from constellation_jax.physics.sgp4.status import DECAYED

EXTRA: Final = 4
"""Nodes above the number of kept degrees: two of each parity, as near-circular motion has small series of one parity."""
SHORTEST_NS: Final = 1_000_000
"""Pieces are not halved below this. Only a failure, or a jump of SDP4, needs pieces so short."""
LOW_KM: Final = 250.0
"""Satellites below this height at a node are looked at between the nodes too, whether they dip under one Earth radius there."""
LOW_PERIGEE_KM: Final = 600.0
"""As `LOW_KM`, for the perigee by the elements of eccentric orbits, which nodes may miss."""
QUANTA_IN_TOLERANCE: Final = 50.0
"""int32 coefficients are whole multiples of a fiftieth of the tolerance: with 22 of them, rounding takes 0.4 of it at the very
worst, and 1 m reaches out to 42,949 km."""
PACKED_SHARE: Final = 0.7
"""Share of satellites within the range of int32; the others are in pieces, at twice the size and more work."""
REGULAR_SHARE: Final = 0.985
"""Share of satellites that a whole span has to serve; the others are in pieces, which cost more."""
_ECCENTRIC: Final = 0.05
_DENSE: Final = 65
"""Number of points of a span at which low satellites are looked at."""
_TESTS: Final = 49
"""Number of points at which pieces are compared with SGP4: 2.5 minutes apart in a piece of two hours."""
_PIECE_SHARE: Final = 0.8
"""Share of the tolerance that a piece may take at those points; between them it can be a little worse."""
_LANES: Final = 4096
"""Fixed shape of the calls of the kernels, so that they compile once."""


class SeriesDesign(NamedTuple):
    """Length and packing of Chebyshev series."""

    degrees: int
    tolerance_km: float
    quantum_km: float | None
    """Unit of int32 coefficients; None for float64."""

    @property
    def nodes(self) -> int:
        return self.degrees + EXTRA

    @property
    def truncation_km(self) -> float:
        """Rest of the tolerance for truncation when every kept coefficient of the three axes is rounded the worst way."""
        return self.tolerance_km - math.sqrt(3.0) * self.degrees * 0.5 * (self.quantum_km or 0.0)


def choose_design(tail: NDArray[np.float64], apogee_km: NDArray[np.float64], tolerance_km: float) -> SeriesDesign:
    """Choose the packing and the fewest degrees that serve nearly all satellites.

    Args:
        tail: length of the vector of the sums of |coefficients| from each degree on, km, shape (degrees, satellites).
        apogee_km: distance of each satellite of the catalogue at most.
        tolerance_km: bound on the error.
    """
    quantum = tolerance_km / QUANTA_IN_TOLERANCE
    packed = np.mean(1.01 * apogee_km < quantum * 2.0**31) >= PACKED_SHARE
    for degrees in range(4, len(tail) - EXTRA):
        design = SeriesDesign(degrees, tolerance_km, quantum if packed else None)
        known = tail[degrees][np.isfinite(tail[degrees])]
        if not len(known) or np.mean(known <= design.truncation_km) >= REGULAR_SHARE:
            return design
    return SeriesDesign(len(tail) - EXTRA, tolerance_km, quantum if packed else None)


class Fitter:
    """Fits blocks of series in ascending order of time.

    Args:
        elements: float64 arrays of shape (satellites,).
        since_epoch: minutes from each epoch to the start of the first span.
        design: of the series.
        drag_limits: of the run, as `Regime.drag_limits` gives them.
    """

    def __init__(
        self, elements: Elements, since_epoch: Floats, design: SeriesDesign, drag_limits: tuple[Floats, Floats]
    ) -> None:
        self.design = design
        self._drag_limits = drag_limits
        self._elements = elements
        self._since_epoch = since_epoch
        deep = np.asarray(is_deep_space(elements, WGS72, np), bool)
        self._members: dict[Regime, NDArray[np.intp]] = {
            NearEarthRegime(WGS72): np.flatnonzero(~deep),
            DeepSpaceRegime(WGS72): np.flatnonzero(deep),
        }
        n, m = design.degrees, design.nodes
        matrix = chebyshev.coefficients(m)
        at_end = np.ones((1, n)) @ matrix[:n]
        self._matrix = np.concatenate([matrix, at_end])
        """From values at nodes to all coefficients, and to the value of the kept ones at the end of the span."""
        between = np.linspace(-1.0, 1.0, _TESTS)
        self._x = np.concatenate([chebyshev.nodes(m), between])
        """Places in [-1, 1] at which pieces are evaluated: nodes, and points to test them from end to end."""
        self._test = chebyshev.basis(n, between)
        self._dense = chebyshev.basis(n, np.linspace(-1.0, 1.0, _DENSE))
        eccentricity = np.asarray(elements.eccentricity)
        semi_major_axis = semi_major_axis_km(np.asarray(elements.mean_motion), WGS72)
        perigee_km = semi_major_axis * (1.0 - eccentricity) - WGS72.equatorial_radius_km
        self._watched = (eccentricity > _ECCENTRIC) & (perigee_km < LOW_PERIGEE_KM)
        self._coefficients: dict[Regime, Any] = {}
        self.failures = Failures(len(since_epoch))
        self._failed_before = np.zeros(len(since_epoch), bool)
        """True for satellites that failed at the end of the span before; nothing is known of the first."""

    def go_on_after(self, block: Block, end: int) -> None:
        """Take over the failures that last beyond a block of another run.

        Args:
            block: its last one.
            end: of the last span of it, nanoseconds since the start of the first span.
        """
        status, pieces = np.maximum(block.status[-1:], 0), block.pieces
        last = pieces.stop == end
        # a satellite that has failed at the end of the span has done so in the piece that ends there
        status[0, pieces.satellite[last]] = pieces.status[last]
        self._failed_before = status[0] != 0
        self.failures.latch(np.arange(status.shape[1]), status, end > -60e9 * self._since_epoch[None])

    def fit(self, edges: NDArray[np.int64], values: tuple[NDArray[np.float64], ...], status: NDArray[np.int8]) -> Block:
        """Fit the block of the spans between edges.

        Args:
            edges: nanoseconds since the start of the first span of the run, shape (spans + 1,).
            values: x, y, z in km at the nodes and the end of each span, each of shape (spans, nodes + 1, satellites).
            status: the same for the status.
        """
        series, rejected = self._fit_spans(values)
        jumps = self._find_discontinuities(edges)
        rejected[jumps[:2]] = True
        failed = status != 0
        # Failed at every node of this span and at the end of the one before: the whole span has failed
        before = np.concatenate([self._failed_before[None], failed[:-1, -1]])
        gone = failed.all(axis=1) & before
        self._failed_before = status[-1, -1] != 0
        flags = np.where(gone, status[:, 0], 0).astype(np.int8)
        flags = np.where(self.failures.code != 0, self.failures.code, flags)
        span, satellite = np.nonzero((rejected | failed.any(axis=1)) & (flags == 0))
        flags[span, satellite] = IN_PIECES
        in_pieces = flags[jumps[:2]] == IN_PIECES
        pieces = self._fit_pieces(*_intervals(edges, span, satellite, [j[in_pieces] for j in jumps]))
        pieces = self._apply_failures(pieces, edges, flags)
        span, satellite = np.nonzero(flags)
        series[:, span, :, satellite] = FILL if self.design.quantum_km else np.nan
        return Block(series, flags, pieces)

    def _fit_spans(self, values: tuple[NDArray[np.float64], ...]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        """Coefficients (3, spans, degrees, satellites), and whether they miss the tolerance (spans, satellites)."""
        n, m, quantum = self.design.degrees, self.design.nodes, self.design.quantum_km
        spans, _, satellites = values[0].shape
        series = np.empty((3, spans, n, satellites), np.int32 if quantum else np.float64)
        first_pair, second_pair = np.zeros((spans, satellites)), np.zeros((spans, satellites))
        at_end = np.zeros((spans, satellites))
        in_range = np.ones((spans, satellites), bool)
        with np.errstate(invalid="ignore", over="ignore"):  # failed satellites are NaN
            for k, axis in enumerate(values):
                found = self._matrix @ axis[:, :m]
                first_pair += np.abs(found[:, n : n + 2]).sum(axis=1) ** 2
                second_pair += np.abs(found[:, n + 2 : m]).sum(axis=1) ** 2
                at_end += (found[:, m] - axis[:, m]) ** 2
                if quantum:
                    found[:, :n] *= 1.0 / quantum
                    np.rint(found[:, :n], out=found[:, :n])
                    in_range &= np.abs(found[:, :n]).max(axis=1) < 2.0**31 - 1
                series[k] = found[:, :n]
            lowest = np.sqrt(np.min(values[0] ** 2 + values[1] ** 2 + values[2] ** 2, axis=1))
            error = np.maximum(left_out(np.sqrt(first_pair), np.sqrt(second_pair)), np.sqrt(at_end))
            good = (error <= self.design.truncation_km) & in_range
            low = self._watched | (lowest < WGS72.equatorial_radius_km + LOW_KM)
        span, satellite = np.nonzero(good & low)
        own = np.moveaxis(series[:, span, :, satellite], 0, 1) * (quantum or 1.0)
        good[span, satellite] = self._stays_up(own)
        return series, ~good

    def _stays_up(self, series: NDArray[np.float64]) -> NDArray[np.bool_]:
        """True where series (3, pieces, degrees) keep above one Earth radius, where SGP4 says that a satellite has decayed."""
        radius = np.sqrt(np.sum((series @ self._dense.T) ** 2, axis=0))
        return np.asarray(radius.min(axis=-1) >= WGS72.equatorial_radius_km)

    def _fit_pieces(self, satellite: NDArray[np.intp], start: NDArray[np.int64], stop: NDArray[np.int64]) -> Pieces:
        """Fit pieces that share the given intervals of satellites, sorted by satellite and time."""
        n, m = self.design.degrees, self.design.nodes
        done: list[tuple[NDArray[Any], ...]] = []
        done.append((satellite[:0], start[:0], stop[:0], np.zeros(0, np.int8), np.zeros((0, 3, n))))
        while len(satellite):
            at = 0.5 * (start + stop)[:, None] + 0.5 * (stop - start)[:, None] * self._x
            values, status = self._evaluate(satellite, at)
            found = values[..., :m] @ self._matrix[:m].T
            series = found[..., :n]
            size = np.abs(found[..., n:m]).reshape(3, -1, 2, EXTRA // 2).sum(axis=-1)
            first_pair, second_pair = np.sqrt(np.sum(size**2, axis=0)).T
            tested = np.sqrt(np.sum((series @ self._test.T - values[..., m:]) ** 2, axis=0)).max(axis=-1)
            error = np.maximum(left_out(first_pair, second_pair), tested)
            short = stop - start <= SHORTEST_NS
            failed = status != 0
            good = ~failed.any(axis=1) & self._stays_up(series)
            good &= (error <= _PIECE_SHARE * self.design.tolerance_km) | short
            gone = failed.all(axis=1) | (short & ~good)
            code = np.where(gone, status.max(axis=1), 0)
            # 0 where it is under one Earth radius between the nodes alone
            code = np.where(gone & (code == 0), DECAYED, code).astype(np.int8)
            keep = good | gone
            kept = series[:, keep].swapaxes(0, 1)
            done.append((satellite[keep], start[keep], stop[keep], code[keep], kept))
            rest = ~keep
            middle = (start[rest] + stop[rest]) // 2
            satellite = np.concatenate([satellite[rest], satellite[rest]])
            start, stop = np.concatenate([start[rest], middle]), np.concatenate([middle, stop[rest]])
        satellite, start, stop, code, kept = (np.concatenate(columns) for columns in zip(*done, strict=True))
        order = np.lexsort((start, satellite))
        pieces = Pieces(satellite.astype(np.int32), start, stop, code, kept.swapaxes(0, 1))
        return _select(pieces, order)

    def _apply_failures(self, pieces: Pieces, edges: NDArray[np.int64], flags: NDArray[np.int8]) -> Pieces:
        """Make failures at or after the epoch lasting: in later pieces, later spans (in `flags`) and later blocks."""
        epoch = -60e9 * self._since_epoch
        status = pieces.status.copy()
        for satellite in np.unique(pieces.satellite[status != 0]):
            own = np.flatnonzero(pieces.satellite == satellite)
            after_epoch = pieces.stop[own] > epoch[satellite]
            status[own] = self.failures.latch([satellite], status[own, None], after_epoch[:, None])[:, 0]
            failed = own[after_epoch & (status[own] != 0)]
            if len(failed):
                flags[edges[:-1] > pieces.start[failed[0]], satellite] = status[failed[0]]
        everyone = np.arange(flags.shape[1])
        after_epoch = edges[-1] > epoch
        self.failures.latch(everyone, np.maximum(flags[-1:], 0), after_epoch[None])
        span = np.searchsorted(edges, pieces.start, side="right") - 1
        kept = _select(pieces._replace(status=status), flags[span, pieces.satellite] == IN_PIECES)
        kept.coefficients[:, kept.status != 0] = np.nan
        return kept

    def _find_discontinuities(self, edges: NDArray[np.int64]) -> Moments:
        """Span, satellite and nanoseconds of each discontinuity between edges that can be computed beforehand."""
        found = []
        for regime, members in self._members.items():
            make = partial(self._initialise, regime)
            span, row, moment = regime.find_discontinuities(make, self._since_epoch[members], edges)
            found.append((span, members[row], moment))
        span, satellite, moment = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return span, satellite, moment

    def _initialise(self, regime: Regime) -> Any:
        """Coefficients of the satellites of a regime, made when first needed: those of deep space take long to compile."""
        if regime not in self._coefficients:
            own = jax.tree.map(lambda v: np.asarray(v)[self._members[regime]], self._elements)
            self._coefficients[regime] = initialise(regime, own)
        return self._coefficients[regime]

    def _evaluate(self, satellite: NDArray[np.intp], at: NDArray[np.float64]) -> tuple[NDArray[Any], NDArray[Any]]:
        """Positions (3, p, k) and status (p, k) of satellites (p,) at instants (p, k), nanoseconds."""
        values, status = np.empty((3, *at.shape)), np.empty(at.shape, np.int8)
        minutes = self._since_epoch[satellite][:, None] + at / 60e9
        for regime, members in self._members.items():
            rows = np.flatnonzero(np.isin(satellite, members))
            if not len(rows):
                continue
            lane = np.repeat(np.searchsorted(members, satellite[rows]), at.shape[1])
            flat = minutes[rows].ravel()
            found = [
                _states(regime, self._initialise(regime), lane[i : i + _LANES], flat[i : i + _LANES])
                for i in range(0, len(flat), _LANES)
            ]
            joined = np.concatenate(found, axis=1).reshape(4, len(rows), -1)
            values[:, rows], status[rows] = joined[:3], joined[3]
        decayed_after, lost_before = (limit[satellite][:, None] for limit in self._drag_limits)
        return values, apply_limits(status, minutes, (decayed_after, lost_before))


def _intervals(
    edges: NDArray[np.int64], span: NDArray[np.intp], satellite: NDArray[np.intp], jumps: Sequence[NDArray[Any]]
) -> tuple[NDArray[np.intp], NDArray[np.int64], NDArray[np.int64]]:
    """Satellite, start and stop of the parts of spans between discontinuities."""
    owner = np.concatenate([satellite, jumps[1]])
    start = np.concatenate([edges[span], jumps[2]])
    stop = edges[np.concatenate([span, jumps[0]]) + 1]
    order = np.lexsort((start, owner))
    owner, start, stop = owner[order], start[order], stop[order]
    follows = owner[1:] == owner[:-1]
    stop[:-1] = np.where(follows, np.minimum(stop[:-1], start[1:]), stop[:-1])
    long = stop > start
    return owner[long], start[long], stop[long]


def left_out(first_pair: NDArray[np.float64], second_pair: NDArray[np.float64]) -> NDArray[np.float64]:
    """Bound on all coefficients that are left out, from the sums of the sizes of the first two and the next two.

    Pair by pair they fall by a factor of tens where the motion is smooth. Where the velocity jumps, as where drag takes the mean
    eccentricity through the least one that it allows, they fall like 1/k^2 and the many beyond the known ones count: there the
    ratio is near 1 and the series long.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.minimum(second_pair / first_pair, 0.95)
        return np.asarray((first_pair + second_pair) / (1.0 - np.where(first_pair > 0.0, ratio, 0.0)))


def _states(regime: Regime, coefficients: Any, lane: NDArray[np.intp], minutes: NDArray[np.float64]) -> NDArray[Any]:
    """x, y, z and status as rows, shape (4, lanes), of the satellites `lane` at minutes since their epochs."""
    count = len(lane)
    lane = pad(lane, _LANES)
    own = jax.tree.map(lambda v: v[lane], coefficients)
    orbit = evaluate(partial(_orbit_at, regime=regime), own, pad(minutes, _LANES))
    return np.stack([v[:count] for v in (orbit.x, orbit.y, orbit.z, orbit.status)])


@partial(jax.jit, static_argnames="regime")
def _orbit_at(coefficients: Any, minutes: Any, *, regime: Regime) -> OrbitState:
    return regime.at(coefficients, minutes, regime.integrate(coefficients, minutes))


def _select(pieces: Pieces, rows: NDArray[Any]) -> Pieces:
    satellite, start, stop, status, series = pieces
    return Pieces(satellite[rows], start[rows], stop[rows], status[rows], series[:, rows])
