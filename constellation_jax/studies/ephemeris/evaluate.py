"""Evaluation of Chebyshev series: rows of polynomials that turn coefficients into states, in TEME or ITRS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.precision import evaluate
from constellation_jax.engine.tiles import pad
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.outputs.netcdf.ephemeris import AXES
from constellation_jax.physics import frames
from constellation_jax.physics.constants import SECONDS_PER_DAY
from constellation_jax.physics.numerics import chebyshev

VELOCITIES = ("vx", "vy", "vz")
Product = tuple[str, NDArray[np.float64], NDArray[np.float64]]
"""Name of a component of the state, and the two matrices whose product it is."""


class SeriesEvaluator:
    """States at ascending instants within spans, from the coefficients of series.

    Args:
        times: datetime64[ns] of shape (m,), ascending.
        starts, stops: ends of the spans, ascending.
        degrees: number of coefficients of a series.
        frame: "teme" or "itrs".
    """

    def __init__(
        self, times: NDArray[Any], starts: NDArray[Any], stops: NDArray[Any], degrees: int, frame: str
    ) -> None:
        self.times = times
        self.span = np.minimum(np.searchsorted(starts, times, side="right") - 1, len(starts) - 1)
        """Index of the span of each instant; the very end belongs to the last one."""
        self._starts, self._stops, self._degrees = starts, stops, degrees
        self._turn = _turn_matrices(times) if frame == "itrs" else None

    def instants_of(self, span: int) -> slice:
        """Instants in a span."""
        return slice(*np.searchsorted(self.span, [span, span + 1]).tolist())

    def products(self, part: slice, series: NDArray[np.float64], scale: float) -> Iterator[Product]:
        """Six components at the instants of one span, as products of rows (time, ...) and coefficients (..., satellite).

        Args:
            part: instants of one span.
            series: coefficients, shape (3, degrees, satellites).
            scale: km per unit of the coefficients.
        """
        span = self.span[part.start]
        value, slope = self._rows(self.times[part], self._starts[span], self._stops[span])
        value, slope = value * scale, slope * scale
        if self._turn is None:
            for i in range(3):
                yield AXES[i], value, series[i]
                yield VELOCITIES[i], slope, series[i]
            return
        # Turning the rows instead of the states: each component is one product with the coefficients of all three axes
        turn, drift = (matrix[part, :, :, None] for matrix in self._turn)
        flat = series.reshape(-1, series.shape[2])
        value, slope = turn * value[:, None, None], turn * slope[:, None, None] + drift * value[:, None, None]
        for i in range(3):
            yield AXES[i], value[:, i].reshape(len(value), -1), flat
            yield VELOCITIES[i], slope[:, i].reshape(len(slope), -1), flat

    def evaluate_pieces(
        self, part: slice, start: Any, stop: Any, series: NDArray[np.float64]
    ) -> dict[str, NDArray[Any]]:
        """Six components, each (time, satellite), where every state has a series of its own.

        Args:
            part: m instants.
            start, stop: ends of the piece of each state, shape (m, satellites).
            series: coefficients in km, shape (3, m, satellites, degrees).
        """
        value, slope = self._rows(self.times[part, None], start, stop)
        position = np.einsum("tsd,atsd->ats", value, series)
        velocity = np.einsum("tsd,atsd->ats", slope, series)
        if self._turn is not None:
            turn, drift = (matrix[part] for matrix in self._turn)
            velocity = np.einsum("tij,jts->its", turn, velocity) + np.einsum("tij,jts->its", drift, position)
            position = np.einsum("tij,jts->its", turn, position)
        return {**dict(zip(AXES, position, strict=True)), **dict(zip(VELOCITIES, velocity, strict=True))}

    def _rows(self, times: NDArray[Any], start: Any, stop: Any) -> tuple[NDArray[Any], NDArray[Any]]:
        """Rows (..., degree) that give the values, and the derivatives by time in seconds."""
        length = np.asarray(stop - start).astype(np.int64)
        x = 2.0 * ((times - start).astype(np.int64) / length) - 1.0
        per_second = np.broadcast_to(2e9 / length, x.shape)
        return chebyshev.basis(self._degrees, x), chebyshev.derivative_basis(self._degrees, x) * per_second[..., None]


_INSTANTS = 1024
"""Fixed shape of the call that turns frames, so that it compiles once."""


def _turn_matrices(times: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Matrices from TEME to ITRS, each (time, 3, 3): of the position, and from the position to the rest of the velocity."""
    ut1_utc_s, polar_x, polar_y = load_earth_orientation().at(times)
    day, fraction = to_day_fraction(times)
    columns = np.stack([day.astype(np.float64), fraction + ut1_utc_s / SECONDS_PER_DAY, polar_x, polar_y])
    padded = pad(columns, len(times) + -len(times) % _INSTANTS)
    parts = [evaluate(_turn_axes, padded[:, i : i + _INSTANTS]) for i in range(0, padded.shape[1], _INSTANTS)]
    turned, drift = (np.concatenate([part[k] for part in parts])[: len(times)] for k in range(2))
    # row j is what becomes of unit vector j
    return turned.transpose(0, 2, 1), drift.transpose(0, 2, 1)


@jax.jit
def _turn_axes(columns: Any) -> Any:
    day, fraction, polar_x, polar_y = (column[:, None] for column in columns)
    unit = jnp.broadcast_to(jnp.eye(3), (_INSTANTS, 3, 3))
    return frames.teme_to_itrs(unit, 0.0 * unit, frames.gmst82(day, fraction), polar_x, polar_y)
