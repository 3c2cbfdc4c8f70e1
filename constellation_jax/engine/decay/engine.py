"""Decay of a whole catalogue: tiles of satellites through parts of the calendar, then the fall of those that have left the march.

On a CPU, one thread for each core takes small tiles, whose march ends when all of their satellites have left it, so that satellites
near re-entry cost little. On an accelerator a tile is the whole catalogue, and the host sends every part ahead without waiting.
Those that fall go together, whatever tile they marched in. Elements and times are in float64, whatever the user's
`jax_enable_x64`; densities are computed in float32, whose rounding is a thousandth of the error of the atmosphere's table.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Final, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay import integrator
from constellation_jax.engine.decay.integrator import AtmosphereSeries, Course, Fall, KeptStates
from constellation_jax.engine.device_checks import warn_of_slow_float64
from constellation_jax.engine.devices import REPLICATED, Devices, Specs, satellites_last
from constellation_jax.engine.precision import x64
from constellation_jax.engine.threads import Workers
from constellation_jax.engine.tiles import pad
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.drag.atmosphere import AtmosphereTable
from constellation_jax.physics.drag.rates import NEAR_CIRCULAR_ECCENTRICITY, MeanOrbit, Rates, advance_secular

TILE: Final = {False: {"cpu": 128, "gpu": 32768}, True: {"cpu": 128, "gpu": 4096}}
"""Satellites of one device in a tile of near-circular (False) and of elliptic orbits (True), by platform. On a CPU narrow tiles are
no slower, and few satellites, of which most ensembles are, need no wide one."""
STEPS_TOGETHER: Final = 360
"""Steps whose atmosphere is computed in one call."""
SERIES_STEPS: Final = 1440
"""Length to which a series is padded; a longer one to 4, 16 ... times as many steps. Few lengths, because to compile for each
one takes some seconds."""
PART_STEPS: Final = 60
"""Number of calendar steps in a part of the series."""
KEEP_EVERY: Final = 3
"""A march keeps the state of every third step, of every step, or none, and the host takes its rows of these: so one of three
programs, each of which takes seconds to compile, serves a run of any span."""
SINKING_DATES: Final = 24
"""Dates over which `stays_up` averages the rate of sinking."""
FALL_PART: Final = 20
"""Number of steps after which a fall ends if all satellites have re-entered."""

TRACKS: Final = KeptStates._fields[:4]
"""Names of the values that are kept over time."""
_ONE, _MANY = satellites_last(1), satellites_last(2)
RATES_SPECS: Final = Specs((REPLICATED, *[_ONE] * 4), _ONE)
ADVANCE_SPECS: Final = Specs((_ONE, _ONE), _ONE)
MARCH_SPECS: Final = Specs((REPLICATED, *[_ONE] * 3, REPLICATED), (_ONE, _MANY))
FALL_SPECS: Final = Specs((REPLICATED, *[_ONE] * 4), Fall(*[_ONE] * 2, *[_MANY] * 5, *[_ONE]))
"""Placement of the arguments and results of `rates_at`, `advance_secular`, `march` and `fall`."""

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
        indices: f107, f107a, ap, day of the year and year of each step, five arrays of shape (steps,).
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
        stack = pad(np.concatenate(parts)[:count], steps, axis=0)
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
    whole = _DecayRun(objects, series, keep)
    sinking = np.maximum(-decay_rates(objects, series)[0], 1e-12)
    # those that end together go together, the last of them first, so that no core waits for another at the end
    order = np.argsort((WGS84_EQUATORIAL_RADIUS_KM - objects.orbit.semi_major_axis) / sinking, kind="stable")
    done = 0

    def count(satellites: int) -> None:
        nonlocal done
        done += satellites
        if progress is not None:
            progress(done, objects.satellites)

    with Workers(whole.devices.threads) as workers:
        workers.run(whole.march_tile, _make_tiles(objects, order, whole.devices), count)
        workers.run(whole.fall_tile, _make_tiles(objects, order[whole.falling[order]], whole.devices))
    return Decay(whole.lifetime, dict(zip(TRACKS, whole.tracks, strict=True)) if keep else {})


def decay_rates(objects: Objects, series: AtmosphereSeries) -> tuple[Floats, Floats]:
    """Rate of the semi-major axis by drag (km/day) and mean density (kg/m3) of each object at its own time."""
    result: Floats = np.empty((2, objects.satellites))
    devices = Devices()

    def find(task: tuple[bool, NDArray[np.intp]]) -> None:
        elliptic, members = task
        tile = _DecayTile(objects.take(members), elliptic, series, devices)
        found = tile.rates(tile.orbit, tile.day)
        result[:, members] = tile.fetch((found.orbit.semi_major_axis, found.density))

    with Workers(devices.threads) as workers:
        workers.run(find, _make_tiles(objects, np.arange(objects.satellites), devices))
    return result[0], result[1]


def stays_up(objects: Objects, series: AtmosphereSeries) -> NDArray[np.bool_]:
    """True for near-circular objects that cannot re-enter within a series, so that they need no march. Shape (satellites,).

    With a scale height of (h - 60 km) / 8 drag grows on the way down as (h - 60 km)^-8, so that the fall takes as long as sinking
    by (h - 60 km) / 9 at the rate of the height h. (The true scale height is mostly larger, and under a quiet Sun smaller by 8 %
    at most.) The rate is a mean over dates of the series, with raan advanced by J2 to each, times 1.5 for the time between dates.
    """
    devices, days = _find_devices(), float(series.days)
    dates = days * (np.arange(SINKING_DATES) + 0.5) / SINKING_DATES

    def stay(members: NDArray[np.intp]) -> NDArray[np.bool_]:
        tile = _DecayTile(objects.take(members), False, series, devices)
        first, sunk = np.asarray(tile.day), np.zeros(len(members))
        advance = devices.compile(advance_secular, ADVANCE_SPECS)
        for day in dates:
            orbit = advance(tile.orbit, devices.put(day - first))
            sunk -= tile.fetch(tile.rates(orbit, devices.put(np.full(first.shape, day))).orbit.semi_major_axis)
        sunk *= 1.5 * days / SINKING_DATES
        altitude = objects.orbit.semi_major_axis[members] - WGS84_EQUATORIAL_RADIUS_KM
        return np.asarray(sunk < np.maximum(altitude - 60.0, 0.0) / 9.0)

    result = np.zeros(objects.satellites, np.bool_)
    every = np.arange(objects.satellites)
    tiles = [members for elliptic, members in _make_tiles(objects, every, devices) if not elliptic]
    with Workers(devices.threads) as workers:
        for members, stays in zip(tiles, workers.map(stay, tiles), strict=True):
            result[members] = stays
    return result


class _DecayTile:
    """Satellites of one tile on the devices, the last one repeated up to the width of a tile.

    Args:
        objects: the satellites, no more than fit.
        elliptic: whether their orbits are elliptic, or near-circular.
        series: the atmosphere over time.
        devices: that compute.
    """

    def __init__(self, objects: Objects, elliptic: bool, series: AtmosphereSeries, devices: Devices) -> None:
        self.elliptic = elliptic
        self._count = objects.satellites
        self._series = series
        self._devices = devices
        self._width = devices.tile_width(TILE[elliptic])
        self.compile = partial(devices.compile, elliptic=elliptic, in_kernel=devices.computes_grids)
        """Function that compiles one of the integrator's for the orbits of the tile."""
        self.orbit, self.day, *self.coefficients = self.put(objects._replace(mjd=objects.mjd - float(series.first_mjd)))
        """Mean orbits at the epochs; the epochs, days since the first day of the series; coefficients of drag and of radiation."""

    def rates(self, orbit: MeanOrbit, day: Any) -> Rates:
        """Rates of orbits of the tile at days since the first of the series."""
        found: Rates = self.compile(integrator.rates_at, RATES_SPECS)(self._series, orbit, day, *self.coefficients)
        return found

    def put(self, values: Any) -> Any:
        """Place values of the satellites on the devices, with the padding."""
        return self._devices.put(jax.tree.map(lambda v: pad(v, self._width), values))

    def fetch(self, values: Any) -> Any:
        """Bring values, an array or a pytree of arrays, to the host, without the padding."""
        return jax.tree.map(lambda v: v[..., : self._count], self._devices.fetch(values))


class _DecayRun:
    """Arrays of a run, which tiles of satellites fill in their own columns.

    Args:
        objects, series, keep: as for `run`.
    """

    def __init__(self, objects: Objects, series: AtmosphereSeries, keep: int) -> None:
        self.devices = _find_devices()
        self._objects, self._keep = objects, keep
        self._series: AtmosphereSeries = self.devices.put(series, replicated=True)
        step_days = float(series.step_days)
        steps = round(float(series.days) / step_days)
        self._row_days = keep * step_days
        """Days between two rows of the tracks."""
        self._every = math.gcd(keep, KEEP_EVERY) if keep else PART_STEPS
        """Steps from one state that the march keeps to the next."""
        firsts = range(0, steps, PART_STEPS)
        densities = pad(series.coefficients, max(len(firsts) * PART_STEPS, series.steps), axis=0)
        self._parts = [
            (
                np.int32(k),
                self._series._replace(coefficients=self.devices.put(densities[k : k + PART_STEPS], replicated=True)),
            )
            for k in firsts
        ]
        """First step and atmosphere of each part."""
        rows = steps // keep + 1 if keep else 0
        self.tracks = np.full((len(TRACKS), rows, objects.satellites), np.nan, np.float32)
        self.lifetime = np.full(objects.satellites, np.inf)
        self.falling = np.zeros(objects.satellites, np.bool_)
        """True for satellites that have left the march."""
        self._end_of_march = np.empty((len(MeanOrbit._fields) + 1, objects.satellites))
        """Mean orbits and days in which they have left it."""

    def march_tile(self, task: tuple[bool, NDArray[np.intp]]) -> int:
        """March the satellites of a tile, (elliptic, columns), and return their number."""
        elliptic, columns = task
        objects = self._objects.take(columns)
        tile = _DecayTile(objects, elliptic, self._series, self.devices)
        begin = tile.rates(tile.orbit, tile.day)
        course = Course(tile.orbit, tile.day, begin.orbit, self.devices.put(np.zeros(tile.day.shape, np.bool_)))
        march = tile.compile(integrator.march, MARCH_SPECS, keep=self._every)
        states: list[KeptStates] = []
        for first, series in self._parts:
            course, kept = march(series, course, *tile.coefficients, first)
            states.append(kept)
            # an accelerator would wait for the answer, and its tiles are too wide for all satellites to leave early
            if not self.devices.computes_grids and tile.fetch(course.falling).all():
                break
        if self._keep:
            self._write_march(begin, states, tile, columns)
        self.falling[columns] = tile.fetch(course.falling)
        self._end_of_march[:, columns] = tile.fetch((*course.orbit, course.day))
        return len(columns)

    def fall_tile(self, task: tuple[bool, NDArray[np.intp]]) -> None:
        """Integrate satellites of a tile, (elliptic, columns), all of which have left the march, to re-entry."""
        elliptic, columns = task
        objects = self._objects.take(columns)
        tile = _DecayTile(objects, elliptic, self._series, self.devices)
        *elements, day = tile.put(tuple(self._end_of_march[:, columns]))
        orbit = MeanOrbit(*elements)
        most = integrator.ELLIPTIC_FALL_STEPS if elliptic else integrator.NEAR_CIRCULAR_FALL_STEPS
        fall = tile.compile(integrator.fall, FALL_SPECS, steps=FALL_PART)
        states = []
        for _ in range(0, most, FALL_PART):  # a few steps at a time, until all of them are down
            end: Fall = fall(self._series, orbit, day, *tile.coefficients)
            orbit, day = end.orbit, end.days[-1]
            states.append(tile.fetch((end.days, *(getattr(end, name) for name in TRACKS))) if self._keep else ())
            if (tile.fetch(end.reentered) | (tile.fetch(day) >= float(self._series.days))).all():
                break
        days = tile.fetch(end.day) - (objects.mjd - float(self._series.first_mjd))
        self.lifetime[columns] = np.where(tile.fetch(end.reentered), days, np.inf)
        if self._keep:
            self._write_fall([np.concatenate(v) for v in zip(*states, strict=True)], columns)

    def _write_march(self, begin: Rates, states: list[KeptStates], tile: _DecayTile, columns: NDArray[np.intp]) -> None:
        """Copy the states at the beginning of a march and those that it kept."""
        day = tile.fetch(tile.day)
        here = day <= 0.0
        a, ex, ey = self._objects.take(columns).orbit[:3]
        values = (a, np.hypot(ex, ey), *tile.fetch((begin.orbit.semi_major_axis, begin.density)))
        self.tracks[:, 0, columns[here]] = np.stack(values)[:, here]
        row = 1
        for (first, _), kept in zip(self._parts, states, strict=False):  # a march may end early
            *found, falling = tile.fetch(kept)
            # positions of the rows that lie in this part
            own = slice((row * self._keep - int(first)) // self._every - 1, None, self._keep // self._every)
            rows = min(len(falling[own]), self.tracks.shape[1] - row)
            times = (row + np.arange(rows)) * self._row_days
            gone = falling[own][:rows] | (times[:, None] < day)
            for track, values in zip(self.tracks, found, strict=True):
                track[row : row + rows, columns] = np.where(gone, np.nan, values[own][:rows])
            row += rows

    def _write_fall(self, states: list[Floats], columns: NDArray[np.intp]) -> None:
        """Interpolate the rows that lie in a fall linearly between its states: `days` and `TRACKS`, shape (states, satellites)."""
        (days, *tracks), step = states, self._row_days
        begin = np.ceil(days[0] / step - 1e-9).astype(int)
        stop = np.minimum(np.floor(days[-1] / step).astype(int), self.tracks.shape[1] - 1)
        for k in range(int((stop - begin).max(initial=-1)) + 1):
            row = begin + k
            those = np.flatnonzero((row <= stop) & (row >= 0))
            time = row[those] * step
            j = np.clip((days[:, those] <= time).sum(axis=0) - 1, 0, len(days) - 2)
            t0, t1 = days[j, those], days[j + 1, those]
            w = np.clip((time - t0) / np.maximum(t1 - t0, 1e-12), 0.0, 1.0)
            for track, values in zip(self.tracks, tracks, strict=True):
                track[row[those], columns[those]] = (1.0 - w) * values[j, those] + w * values[j + 1, those]


def _find_devices() -> Devices:
    devices = Devices()
    warn_of_slow_float64(devices.mesh.devices.flat, "decay has no other precision for its orbits")
    return devices


def _make_tiles(objects: Objects, order: NDArray[np.intp], devices: Devices) -> list[tuple[bool, NDArray[np.intp]]]:
    """Tiles as (elliptic, positions): elliptic orbits before near-circular ones, each in the order given.

    The first of either go first, so that two threads compile their programs at the same time.
    """
    e = np.hypot(objects.orbit.eccentricity_x, objects.orbit.eccentricity_y)[order]
    first: list[tuple[bool, NDArray[np.intp]]] = []
    rest: list[tuple[bool, NDArray[np.intp]]] = []
    for elliptic in (True, False):
        group = order[(e > NEAR_CIRCULAR_ECCENTRICITY) == elliptic]
        width = devices.tile_width(TILE[elliptic])
        tiles = [(elliptic, group[k : k + width]) for k in range(0, len(group), width)]
        first, rest = first + tiles[:1], rest + tiles[1:]
    return first + rest
