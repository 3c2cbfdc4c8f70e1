"""Decay of a whole catalogue: tiles of satellites through parts of the calendar, one thread for each core.

A tile ends as soon as all of its satellites have left the march, so that what is gone costs nothing. Elements and times are
in float64, whatever the user's `jax_enable_x64`; densities are computed in float32, whose rounding is a thousandth of the
error of the atmosphere's table.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay import integrator
from constellation_jax.engine.decay.integrator import AtmosphereSeries, Course, Fall, KeptStates
from constellation_jax.engine.precision import x64
from constellation_jax.engine.tiles import pad
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.drag.atmosphere import AtmosphereTable
from constellation_jax.physics.drag.rates import NEAR_CIRCULAR_ECCENTRICITY, MeanOrbit, advance_secular

TILE: Final = {False: 1024, True: 128}
"""Satellites in a tile of near-circular (False) and of elliptic orbits (True)."""
STEPS_TOGETHER: Final = 360
"""Steps whose atmosphere is computed in one call."""
SERIES_STEPS: Final = 1440
"""Length to which a series is padded; a longer one to 4, 16 ... times as many steps. Few lengths, for each takes the compiler some
seconds."""
PART_STEPS: Final = 60
"""Calendar steps of a part, about."""
SINKING_DATES: Final = 24
"""Dates over which `stays_up` averages the rate of sinking."""
FALL_PART: Final = 20
"""Steps of a fall after which it ends if all satellites are down."""

Floats = NDArray[np.float64]
DecayProgress = Callable[[int, int], None]
"""Called with the number of satellites done and of all satellites."""


class Objects(NamedTuple):
    """Satellites that decay: float64 arrays of shape (satellites,)."""

    orbit: MeanOrbit
    """Mean orbits at the epochs."""
    mjd: Floats
    """Epoch of the elements, Modified Julian Date (UTC)."""
    ballistic_coefficient: Floats
    """Ballistic coefficient B = Cd A / m, m2/kg."""
    radiation_coefficient: Floats
    """Coefficient of radiation pressure Cr A / m, m2/kg; 0 leaves radiation pressure out."""

    @property
    def satellites(self) -> int:
        return len(self.mjd)

    def take(self, index: NDArray[np.intp]) -> Objects:
        """Select the satellites at some positions."""
        taken: Objects = jax.tree.map(lambda v: np.asarray(v)[index], self)
        return taken


class Decay(NamedTuple):
    """Lifetimes of satellites, and their states over time where these were kept."""

    lifetime_days: Floats
    """Days from the epoch to re-entry, shape (satellites,); inf where the satellite is above 120 km at the end of the series."""
    tracks: dict[str, NDArray[np.float32]]
    """semi_major_axis (km), eccentricity, decay_rate (km/day) and density (kg/m3), shape (kept + 1, satellites), the first row
    at the beginning of the series; NaN before the epoch and after re-entry."""


def make_atmosphere_series(
    table: AtmosphereTable, indices: tuple[Floats, ...], first_mjd: float, step_days: float, dtype: str = "float32"
) -> AtmosphereSeries:
    """Densities of the atmosphere over time, padded with its last step to one of few lengths.

    Args:
        table: model of the atmosphere.
        indices: f107, f107a, ap and day of the year of each step, four arrays of shape (steps,).
        first_mjd: Modified Julian Date (UTC) at which the first step begins.
        step_days: length of a step, days.
        dtype: of the densities.
    """
    count, steps = len(indices[0]), SERIES_STEPS
    while steps < count:
        steps *= 4
    with x64():
        numbers = [jnp.asarray(float(v)) for v in (first_mjd, step_days, count * step_days)]
        parts = []
        for first in range(0, count, STEPS_TOGETHER):
            some = (np.asarray(v[first : first + STEPS_TOGETHER], dtype) for v in indices)
            part = integrator.tabulate_atmosphere(table, *(jnp.asarray(pad(v, STEPS_TOGETHER)) for v in some), *numbers)
            parts.append(np.asarray(part.coefficients))
        stack = np.concatenate(parts)[:count]
        stack = np.concatenate([stack, np.broadcast_to(stack[-1:], (steps - count, *stack.shape[1:]))])
        return AtmosphereSeries(jnp.asarray(stack), *numbers)


def run(
    objects: Objects,
    series: AtmosphereSeries,
    *,
    keep: int = 0,
    progress: DecayProgress | None = None,
) -> Decay:
    """Decay of every object over the time of a series.

    Args:
        objects: satellites, in any order, which is kept.
        series: the atmosphere over time; no object's epoch lies before it.
        keep: the state is kept every so many calendar steps; 0 keeps none.
        progress: called from this thread as work is done.
    """
    n = objects.satellites
    part = max(PART_STEPS // keep, 1) * keep if keep else PART_STEPS
    first_mjd = float(series.first_mjd)
    step_days = float(series.step_days)
    rows = round(float(series.days) / step_days) // keep + 1 if keep else 0
    tracks = {name: np.full((rows, n), np.nan, np.float32) for name in KeptStates._fields[:4]} if keep else {}
    lifetime = np.full(n, np.inf)
    steps = -(-round(float(series.days) / step_days) // part) * part
    with x64():
        stack = np.asarray(series.coefficients)
        stack = np.concatenate([stack, np.repeat(stack[-1:], max(steps - len(stack), 0), axis=0)])
        parts = [series._replace(coefficients=jnp.asarray(stack[k : k + part])) for k in range(0, steps, part)]

    def work(task: tuple[bool, NDArray[np.intp]]) -> int:
        elliptic, members = task
        with x64():
            _DecayTile(objects.take(members), members, elliptic, first_mjd, tracks, lifetime).run(
                series, parts, part, keep, step_days
            )
        return len(members)

    sinking = np.maximum(-decay_rates(objects, series)[0], 1e-12)
    # those that end together go together, the last of them first, so that no core waits for another at the end
    order = np.argsort((WGS84_EQUATORIAL_RADIUS_KM - objects.orbit.semi_major_axis) / sinking, kind="stable")
    done = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for count in pool.map(work, _make_tiles(objects, order)):
            done += count
            if progress is not None:
                progress(done, n)
    return Decay(lifetime, tracks)


def decay_rates(objects: Objects, series: AtmosphereSeries) -> tuple[Floats, Floats]:
    """Rate of the semi-major axis by drag (km/day) and mean density (kg/m3) of each object at its own time."""
    n = objects.satellites
    rate, density = np.empty(n), np.empty(n)
    day = objects.mjd - float(series.first_mjd)
    with x64():
        for elliptic, members in _make_tiles(objects, np.arange(n)):
            o = _pad_objects(objects.take(members), TILE[elliptic])
            days = jnp.asarray(pad(day[members], TILE[elliptic]))
            found = _rates(series, o.orbit, days, *o[2:], elliptic=elliptic)
            rate[members] = np.asarray(found.orbit.semi_major_axis)[: len(members)]
            density[members] = np.asarray(found.density)[: len(members)]
    return rate, density


def stays_up(objects: Objects, series: AtmosphereSeries) -> NDArray[np.bool_]:
    """True for near-circular objects that cannot come down within a series, which spares their march. Shape (satellites,).

    With a scale height of (h - 60 km) / 8 drag grows on the way down as (h - 60 km)^-8, so that the fall takes as long as sinking
    by (h - 60 km) / 9 at the rate of the height h. (The true one is mostly larger, and smaller by 8 % at most, under a quiet Sun.)
    The rate is a mean over dates of the series, with raan advanced by J2 to each; it is taken half as large again, for what lies
    between the dates.
    """
    result, width = np.zeros(objects.satellites, np.bool_), TILE[False]
    days = float(series.days)
    dates = days * (np.arange(SINKING_DATES) + 0.5) / SINKING_DATES

    def stay(members: NDArray[np.intp]) -> NDArray[np.bool_]:
        with x64():
            o = _pad_objects(objects.take(members), width)
            first, sunk = pad(objects.mjd[members] - float(series.first_mjd), width), np.zeros(width)
            for day in dates:
                orbit = _advance(o.orbit, day - first)
                found = _rates(series, orbit, np.full(width, day), *o[2:], elliptic=False)
                sunk -= np.asarray(found.orbit.semi_major_axis)
        sunk *= 1.5 * days / SINKING_DATES
        altitude = np.asarray(o.orbit.semi_major_axis) - WGS84_EQUATORIAL_RADIUS_KM
        return np.asarray(sunk < np.maximum(altitude - 60.0, 0.0) / 9.0)[: len(members)]

    tiles = [members for elliptic, members in _make_tiles(objects, np.arange(objects.satellites)) if not elliptic]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for members, stays in zip(tiles, pool.map(stay, tiles), strict=True):
            result[members] = stays
    return result


class _DecayTile:
    """Satellites of one tile; results go to their columns of the whole arrays."""

    def __init__(
        self,
        objects: Objects,
        columns: NDArray[np.intp],
        elliptic: bool,
        first_mjd: float,
        tracks: dict[str, NDArray[np.float32]],
        lifetime: Floats,
    ) -> None:
        self.objects, self.columns, self.elliptic = objects, columns, elliptic
        self.day = objects.mjd - first_mjd
        self.tracks, self.lifetime = tracks, lifetime

    def run(
        self, series: AtmosphereSeries, parts: list[AtmosphereSeries], part: int, keep: int, step_days: float
    ) -> None:
        width = TILE[self.elliptic]
        o = _pad_objects(self.objects, width)
        day = pad(self.day, width)
        begin = _rates(series, o.orbit, day, o.ballistic_coefficient, o.radiation_coefficient, elliptic=self.elliptic)
        course: Course = Course(o.orbit, jnp.asarray(day), begin.orbit, jnp.zeros(width, bool))
        count = len(self.columns)
        if keep:
            here = self.day <= 0.0
            values = (
                o.orbit.semi_major_axis,
                np.hypot(o.orbit.eccentricity_x, o.orbit.eccentricity_y),
                begin.orbit.semi_major_axis,
                begin.density,
            )
            for whole, value in zip(self.tracks.values(), values, strict=True):
                whole[0, self.columns[here]] = np.asarray(value)[:count][here]
        for k, densities in enumerate(parts):
            course, kept = _march(
                densities,
                course,
                o.ballistic_coefficient,
                o.radiation_coefficient,
                first=np.int32(k * part),
                keep=keep or part,
                elliptic=self.elliptic,
            )
            if keep:
                self._keep(kept, k * part // keep + 1, keep * step_days)
            if np.asarray(course.falling)[:count].all():
                break
        fallen = np.asarray(course.falling)[:count]
        if fallen.any():
            self._finish(self._fall(series, course, o, fallen), fallen, keep * step_days)

    def _fall(self, series: AtmosphereSeries, course: Course, o: Objects, fallen: NDArray[np.bool_]) -> Fall:
        """Integrate the satellites that have left the march, a few steps at a time, until all of them are down."""
        most = integrator.ELLIPTIC_FALL_STEPS if self.elliptic else integrator.NEAR_CIRCULAR_FALL_STEPS
        ends: list[Fall] = []
        for _ in range(0, most, FALL_PART):
            end = _fall(
                series,
                course,
                o.ballistic_coefficient,
                o.radiation_coefficient,
                elliptic=self.elliptic,
                steps=FALL_PART,
            )
            ends.append(end)
            over = np.asarray(end.reentered) | (np.asarray(end.days[-1]) >= float(series.days))
            if over[: len(fallen)][fallen].all():
                break
            course = course._replace(orbit=end.orbit, day=end.days[-1])
        way: dict[str, Any] = {
            name: np.concatenate([np.asarray(getattr(e, name)) for e in ends]) for name in Fall._fields[2:-1]
        }
        return ends[-1]._replace(**way)

    def _keep(self, kept: KeptStates, row: int, step: float) -> None:
        """Copy the states of a part of the march to the rows from `row` on, which lie `step` days apart."""
        count = len(self.columns)
        rows = min(len(kept.density), len(self.tracks["density"]) - row)
        if rows <= 0:
            return
        times = (row + np.arange(rows)) * step
        gone = np.asarray(kept.falling)[:rows, :count] | (times[:, None] < self.day)
        for name, whole in self.tracks.items():
            values = np.asarray(getattr(kept, name), np.float32)[:rows, :count]
            whole[row : row + rows, self.columns] = np.where(gone, np.nan, values)

    def _finish(self, end: Fall, fallen: NDArray[np.bool_], step: float) -> None:
        """Set lifetimes, and interpolate the rows that lie in a fall linearly between its steps."""
        count = len(self.columns)
        day, reentered, days = (np.asarray(v)[..., :count] for v in (end.day, end.reentered, end.days))
        self.lifetime[self.columns] = np.where(reentered & fallen, day - self.day, np.inf)
        if not self.tracks:
            return
        rows = len(self.tracks["density"])
        begin = np.ceil(days[0] / step - 1e-9).astype(int)
        stop = np.minimum(np.floor(days[-1] / step).astype(int), rows - 1)
        for k in range(int((stop - begin)[fallen].max(initial=-1)) + 1):
            row = begin + k
            those = np.flatnonzero(fallen & (row <= stop) & (row >= 0))
            if not len(those):
                continue
            time = row[those] * step
            j = np.clip((days[:, those] <= time).sum(axis=0) - 1, 0, len(days) - 2)
            t0, t1 = days[j, those], days[j + 1, those]
            w = np.clip((time - t0) / np.maximum(t1 - t0, 1e-12), 0.0, 1.0)
            for name, whole in self.tracks.items():
                values = np.asarray(getattr(end, name))[:, :count]
                between = (1.0 - w) * values[j, those] + w * values[j + 1, those]
                whole[row[those], self.columns[those]] = between


def _make_tiles(objects: Objects, order: NDArray[np.intp]) -> list[tuple[bool, NDArray[np.intp]]]:
    """Tiles as (elliptic, positions): elliptic orbits first, then near-circular ones, each in the order given."""
    e = np.hypot(objects.orbit.eccentricity_x, objects.orbit.eccentricity_y)[order]
    tiles = []
    for elliptic in (True, False):
        group = order[(e > NEAR_CIRCULAR_ECCENTRICITY) == elliptic]
        tiles += [(elliptic, group[k : k + TILE[elliptic]]) for k in range(0, len(group), TILE[elliptic])]
    return tiles


def _pad_objects(objects: Objects, width: int) -> Objects:
    """Objects of a full tile on the device, the last one repeated."""
    return jax.tree.map(lambda v: jnp.asarray(pad(v, width)), objects)


_march: Any = partial(jax.jit, static_argnames=("elliptic", "keep"))(integrator.march)
_fall: Any = partial(jax.jit, static_argnames=("elliptic", "steps"))(integrator.fall)
_advance: Any = jax.jit(advance_secular)
_rates: Any = partial(jax.jit, static_argnames="elliptic")(integrator.rates_at)
