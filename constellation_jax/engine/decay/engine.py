"""The decay of a whole catalogue: tiles of satellites through parts of the calendar, a thread per core.

After each part the satellites that have left the march are taken out, so that what is gone costs nothing. Elements and times are
carried in float64, whatever the user's `jax_enable_x64`; densities are computed in float32, whose rounding is a thousandth of the
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

from constellation_jax.engine.decay import integrator as decay
from constellation_jax.engine.decay.integrator import Climate, Course, Fall, Track
from constellation_jax.engine.precision import x64
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.drag.atmosphere import AtmosphereTable
from constellation_jax.physics.drag.rates import NEAR_CIRCULAR_ECCENTRICITY, MeanOrbit, carried

TILE: Final = {False: 1024, True: 128}
"""Satellites in a tile, of near-circular and of elliptic orbits."""
STEPS_TOGETHER: Final = 360
"""Steps whose atmosphere is computed at once."""
CLIMATE_STEPS: Final = 1440
"""Steps of a climate; of a longer one 4, 16 ... times as many. Few lengths, for each takes the compiler some seconds."""
PART_STEPS: Final = 60
"""Calendar steps of a part, about."""
SINKING_DATES: Final = 24
"""Dates of a climate whose mean says how fast an orbit sinks in it."""
FALL_PART: Final = 20
"""Steps of a fall after which it is seen whether all are down."""

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]
"""Called with the satellite-steps done and all of them."""


class Objects(NamedTuple):
    """What decays: float64 arrays of shape (satellites,)."""

    orbit: MeanOrbit
    mjd: Floats
    """Modified Julian Date (UTC) of the elements."""
    ballistic_coefficient: Floats
    """m2/kg."""
    radiation_coefficient: Floats
    """Cr A / m, m2/kg; 0 leaves radiation pressure out."""

    @property
    def satellites(self) -> int:
        return len(self.mjd)

    def take(self, index: NDArray[np.intp]) -> Objects:
        """Those at some positions."""
        taken: Objects = jax.tree.map(lambda v: np.asarray(v)[index], self)
        return taken


class Decay(NamedTuple):
    """What became of them. Tracks have shape (kept + 1, satellites), the first row being the beginning of the climate."""

    lifetime_days: Floats
    """From the epoch; inf where the satellite is above 120 km at the end."""
    tracks: dict[str, NDArray[np.float32]]
    """semi_major_axis (km), eccentricity, decay_rate (km/day), density (kg/m3); NaN before the epoch and after re-entry."""


def make_climate(
    table: AtmosphereTable, indices: tuple[Floats, ...], first_mjd: float, step_days: float, dtype: str = "float32"
) -> Climate:
    """From f107, f107a, ap and day of the year, one value for each step.

    The last one is repeated up to one of few lengths.
    """
    count, steps = len(indices[0]), CLIMATE_STEPS
    while steps < count:
        steps *= 4
    with x64():
        numbers = [jnp.asarray(float(v)) for v in (first_mjd, step_days, count * step_days)]
        parts = []
        for first in range(0, count, STEPS_TOGETHER):
            some = (np.asarray(v[first : first + STEPS_TOGETHER], dtype) for v in indices)
            part = decay.climate(table, *(jnp.asarray(_filled(v, STEPS_TOGETHER)) for v in some), *numbers)
            parts.append(np.asarray(part.coefficients))
        stack = np.concatenate(parts)[:count]
        stack = np.concatenate([stack, np.broadcast_to(stack[-1:], (steps - count, *stack.shape[1:]))])
        return Climate(jnp.asarray(stack), *numbers)


def run(
    objects: Objects,
    weather: Climate,
    *,
    keep: int = 0,
    progress: Progress | None = None,
) -> Decay:
    """Decay of every object over the time of a climate.

    Args:
        objects: in any order; it is kept.
        weather: no object's epoch lies before it.
        keep: every so many calendar steps the state is kept; 0 keeps none.
        progress: called from this thread as work is done.
    """
    n = objects.satellites
    part = max(PART_STEPS // keep, 1) * keep if keep else PART_STEPS
    first_mjd = float(weather.first_mjd)
    step_days = float(weather.step_days)
    rows = round(float(weather.days) / step_days) // keep + 1 if keep else 0
    tracks = {name: np.full((rows, n), np.nan, np.float32) for name in Track._fields[:4]} if keep else {}
    lifetime = np.full(n, np.inf)
    padded = -(-round(float(weather.days) / step_days) // part) * part
    with x64():
        stack = np.asarray(weather.coefficients)
        stack = np.concatenate([stack, np.repeat(stack[-1:], max(padded - len(stack), 0), axis=0)])
        parts = [weather._replace(coefficients=jnp.asarray(stack[k : k + part])) for k in range(0, padded, part)]

    def work(task: tuple[bool, NDArray[np.intp]]) -> int:
        elliptic, members = task
        with x64():
            _Tile(objects.take(members), members, elliptic, first_mjd, tracks, lifetime).run(
                weather, parts, part, keep, step_days
            )
        return len(members)

    sinking = np.maximum(-decay_rates(objects, weather)[0], 1e-12)
    # those that end together go together, the last of them first, so that no core waits for another at the end
    order = np.argsort((WGS84_EQUATORIAL_RADIUS_KM - objects.orbit.semi_major_axis) / sinking, kind="stable")
    done = 0
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for count in pool.map(work, _tiles(objects, order)):
            done += count
            if progress is not None:
                progress(done, n)
    return Decay(lifetime, tracks)


def decay_rates(objects: Objects, weather: Climate) -> tuple[Floats, Floats]:
    """Rate of the semi-major axis by drag (km/day) and mean density (kg/m3) of each object at its own time."""
    n = objects.satellites
    rate, density = np.empty(n), np.empty(n)
    day = objects.mjd - float(weather.first_mjd)
    for elliptic, members in _tiles(objects, np.arange(n)):
        with x64():
            o = _padded(objects.take(members), TILE[elliptic])
            days = jnp.asarray(_filled(day[members], TILE[elliptic]))
            found = _rates(weather, o.orbit, days, *o[2:], elliptic=elliptic)
        rate[members] = np.asarray(found.orbit.semi_major_axis)[: len(members)]
        density[members] = np.asarray(found.density)[: len(members)]
    return rate, density


def stays_up(objects: Objects, weather: Climate) -> NDArray[np.bool_]:
    """Near-circular objects that cannot come down within a climate, which spares their march.

    With a scale height of (h - 60 km) / 8 drag grows on the way down as (h - 60 km)^-8, so that the fall takes as long as sinking
    by (h - 60 km) / 9 at the rate of the height h. (The true one is mostly larger, and smaller by 8 % at most, under a quiet Sun.)
    The rate is a mean over dates of the climate, with the node where J2 has turned it by then; it is taken half as large again, for
    what lies between the dates.
    """
    result, width = np.zeros(objects.satellites, np.bool_), TILE[False]
    days = float(weather.days)
    dates = days * (np.arange(SINKING_DATES) + 0.5) / SINKING_DATES

    def stay(members: NDArray[np.intp]) -> NDArray[np.bool_]:
        with x64():
            o = _padded(objects.take(members), width)
            first, sunk = _filled(objects.mjd[members] - float(weather.first_mjd), width), np.zeros(width)
            for day in dates:
                there = _carried(o.orbit, day - first)
                found = _rates(weather, there, np.full(width, day), *o[2:], elliptic=False)
                sunk -= np.asarray(found.orbit.semi_major_axis)
        sunk *= 1.5 * days / SINKING_DATES
        altitude = np.asarray(o.orbit.semi_major_axis) - WGS84_EQUATORIAL_RADIUS_KM
        return np.asarray(sunk < np.maximum(altitude - 60.0, 0.0) / 9.0)[: len(members)]

    tiles = [members for elliptic, members in _tiles(objects, np.arange(objects.satellites)) if not elliptic]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for members, stays in zip(tiles, pool.map(stay, tiles), strict=True):
            result[members] = stays
    return result


class _Tile:
    """The satellites of one tile; results go to the columns of the whole."""

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

    def run(self, weather: Climate, parts: list[Climate], part: int, keep: int, step_days: float) -> None:
        width = TILE[self.elliptic]
        o = _padded(self.objects, width)
        day = _filled(self.day, width)
        begin = _rates(weather, o.orbit, day, o.ballistic_coefficient, o.radiation_coefficient, elliptic=self.elliptic)
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
        for k, climate in enumerate(parts):
            course, track = _march(
                climate,
                course,
                o.ballistic_coefficient,
                o.radiation_coefficient,
                first=np.int32(k * part),
                keep=keep or part,
                elliptic=self.elliptic,
            )
            if keep:
                self._keep(track, k * part // keep + 1, keep * step_days)
            if np.asarray(course.falling)[:count].all():
                break
        fallen = np.asarray(course.falling)[:count]
        if fallen.any():
            self._finish(self._fall(weather, course, o, fallen), fallen, keep * step_days)

    def _fall(self, weather: Climate, course: Course, o: Objects, fallen: NDArray[np.bool_]) -> Fall:
        """A few steps at a time, until all that have left the march are down."""
        most = decay.ELLIPTIC_FALL_STEPS if self.elliptic else decay.FALL_STEPS
        ends: list[Fall] = []
        for _ in range(0, most, FALL_PART):
            end = _fall(
                weather,
                course,
                o.ballistic_coefficient,
                o.radiation_coefficient,
                elliptic=self.elliptic,
                steps=FALL_PART,
            )
            ends.append(end)
            over = np.asarray(end.reentered) | (np.asarray(end.days[-1]) >= float(weather.days))
            if over[: len(fallen)][fallen].all():
                break
            course = course._replace(orbit=end.orbit, day=end.days[-1])
        way: dict[str, Any] = {
            name: np.concatenate([np.asarray(getattr(e, name)) for e in ends]) for name in Fall._fields[2:-1]
        }
        return ends[-1]._replace(**way)

    def _keep(self, track: Track, row: int, step: float) -> None:
        count = len(self.columns)
        rows = min(len(track.density), len(self.tracks["density"]) - row)
        if rows <= 0:
            return
        times = (row + np.arange(rows)) * step
        gone = np.asarray(track.falling)[:rows, :count] | (times[:, None] < self.day)
        for name, whole in self.tracks.items():
            values = np.asarray(getattr(track, name), np.float32)[:rows, :count]
            whole[row : row + rows, self.columns] = np.where(gone, np.nan, values)

    def _finish(self, end: Fall, fallen: NDArray[np.bool_], step: float) -> None:
        """Lifetimes, and the kept times that lie in a fall, linear between its steps."""
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


def _tiles(objects: Objects, order: NDArray[np.intp]) -> list[tuple[bool, NDArray[np.intp]]]:
    """Whether elliptic, and who: each kind in an order of all objects."""
    e = np.hypot(objects.orbit.eccentricity_x, objects.orbit.eccentricity_y)[order]
    tiles = []
    for elliptic in (True, False):
        group = order[(e > NEAR_CIRCULAR_ECCENTRICITY) == elliptic]
        tiles += [(elliptic, group[k : k + TILE[elliptic]]) for k in range(0, len(group), TILE[elliptic])]
    return tiles


def _padded(objects: Objects, width: int) -> Objects:
    """With the last object repeated to a full tile, on the device."""
    return jax.tree.map(lambda v: jnp.asarray(_filled(v, width)), objects)


def _filled(values: Any, width: int) -> Any:
    return np.append(values, np.repeat(values[-1:], width - len(values)))


_march: Any = partial(jax.jit, static_argnames=("elliptic", "keep"))(decay.march)
_fall: Any = partial(jax.jit, static_argnames=("elliptic", "steps"))(decay.fall)
_carried: Any = jax.jit(carried)
_rates: Any = partial(jax.jit, static_argnames="elliptic")(decay.rates_at)
