"""Other SGP4 programs, each behind one interface: element sets and instants in, a function to be timed and its states out.

Each runs as its own documentation advises for many satellites at many instants, in float64, with buffers given where it takes
them and whatever depends on the elements alone made beforehand.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

MINUTES_PER_DAY = 1440.0
States = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Sky:
    """Satellites and instants, the same for everyone."""

    lines: list[tuple[str, str]]
    records: list[Any]
    """python-sgp4's, in the same order."""
    start: np.datetime64
    minutes: np.ndarray
    """Since the start, shape (m,)."""

    def first(self, count: int | None) -> "Sky":
        """Satellites spread over the whole list, as many as asked for."""
        keep = np.linspace(0, len(self.lines) - 1, min(count or len(self.lines), len(self.lines))).astype(int)
        return Sky([self.lines[i] for i in keep], [self.records[i] for i in keep], self.start, self.minutes)

    @property
    def text(self) -> str:
        return "".join(f"{a}\n{b}\n" for a, b in self.lines)

    @property
    def julian_day(self) -> float:
        return float((self.start - np.datetime64("2000-01-01T12", "ns")) / np.timedelta64(1, "D")) + 2451545.0

    @property
    def since_epoch(self) -> np.ndarray:
        """Minutes from each epoch to the start, shape (n,)."""
        days = [(self.julian_day - r.jdsatepoch) - r.jdsatepochF for r in self.records]
        return np.array(days) * MINUTES_PER_DAY


@dataclass(frozen=True)
class Prepared:
    run: Callable[[], object]
    positions: Callable[[np.ndarray], np.ndarray]
    """km in TEME at some instants (indices) after a run, shape (instants, satellites, 3)."""


@dataclass(frozen=True)
class Peer:
    name: str
    """On the package index."""
    prepare: Callable[[Sky], Prepared]
    satellites: int | None = None
    """So few where more would take minutes or gigabytes; rates are for each state, so they can be compared."""
    deep_space: bool = False
    into_buffers: bool = False

    @property
    def installed(self) -> str | None:
        """The version, or None."""
        try:
            return version(self.name)
        except PackageNotFoundError:
            return None


def astroz(sky: Sky) -> Prepared:
    """Near-Earth and deep-space satellites as `astroz.propagate` runs them, but into arrays that are kept."""
    import astroz

    near = np.flatnonzero([r.method == "n" for r in sky.records])
    deep = np.flatnonzero([r.method == "d" for r in sky.records])
    made = [astroz._Satrec.twoline2rv(*sky.lines[i], astroz._WGS72) for i in (*near, *deep)]
    fleet = astroz._Sgp4Constellation(made[: len(near)], gravity_model=astroz._WGS72)
    n, minutes = len(made), np.ascontiguousarray(sky.minutes)
    position, velocity = np.empty((len(minutes), n, 3)), np.empty((len(minutes), n, 3))
    offsets = np.ascontiguousarray(sky.since_epoch[near])
    columns = np.argsort(np.concatenate([near, deep]))

    def run() -> None:
        fleet.propagate_into(
            minutes, position, velocity, epoch_offsets=offsets, satellite_mask=None, output="teme",
            reference_jd=sky.julian_day, time_major=True, output_stride=n,
        )  # fmt: skip
        if len(deep):
            astroz._sdp4_batch_propagate_into(
                made[len(near) :], np.full(len(minutes), sky.julian_day), minutes / MINUTES_PER_DAY, position, velocity,
                output_stride=n, sat_offset=len(near),
            )  # fmt: skip

    return Prepared(run, lambda rows: position[rows][:, columns])


def astroz_fresh(sky: Sky) -> Prepared:
    """`astroz.propagate` with a constellation that is read already, into arrays of its own."""
    import astroz

    fleet = astroz.Constellation(sky.text)
    start = datetime.datetime.fromisoformat(f"{sky.start.astype('datetime64[ms]')}+00:00")
    near = [i for i, r in enumerate(sky.records) if r.method == "n"]
    deep = [i for i, r in enumerate(sky.records) if r.method == "d"]
    columns = np.argsort(near + deep)
    result: dict[str, np.ndarray] = {}

    def run() -> None:
        result.clear()
        position, _ = astroz.propagate(fleet, sky.minutes, start_time=start, output="teme", velocities=True)
        result["position"] = position

    return Prepared(run, lambda rows: result["position"][rows][:, columns])


def heyoka(sky: Sky) -> Prepared:
    from heyoka import model

    propagator = model.sgp4_propagator(sky.records)
    grid = sky.minutes[:, None] + sky.since_epoch
    out = np.empty((len(sky.minutes), 7, len(sky.records)))
    return Prepared(lambda: propagator(grid, out=out), lambda rows: out[rows, :3].transpose(0, 2, 1))


def python_sgp4(sky: Sky) -> Prepared:
    from sgp4.api import SatrecArray

    array, fractions = SatrecArray(sky.records), sky.minutes / MINUTES_PER_DAY
    days = np.full(len(fractions), sky.julian_day)
    result: dict[str, np.ndarray] = {}

    def run() -> None:
        _, result["position"], _ = array.sgp4(days, fractions)

    return Prepared(run, lambda rows: result["position"][:, rows].transpose(1, 0, 2))


def satkit(sky: Sky) -> Prepared:
    import satkit

    elements = satkit.TLE.from_lines([line for pair in sky.lines for line in pair])
    start = satkit.time.from_jd(sky.julian_day, satkit.timescale.UTC)
    times = [start + satkit.duration(seconds=float(60.0 * minute)) for minute in sky.minutes]
    result: dict[str, np.ndarray] = {}

    def run() -> None:
        # errflag: without it one element set that cannot be initialised would stop all
        result["position"], _, _ = satkit.sgp4(elements, times, opsmode=satkit.sgp4_opsmode.improved, errflag=True)

    return Prepared(run, lambda rows: result["position"][:, rows].transpose(1, 0, 2) / 1000.0)


def sgp4jax(sky: Sky) -> Prepared:
    """Its function for near-Earth orbits, mapped over satellites and instants and compiled."""
    import jax
    import sgp4jax

    records = sgp4jax.tles_to_satrec(sky.lines)
    each = jax.jit(jax.vmap(jax.vmap(sgp4jax.propagate_leo, (None, 0)), (0, 0)))
    return _mapped(each, records, sky)


def astrojax(sky: Sky) -> Prepared:
    """Its function for near-Earth orbits, mapped over satellites and instants and compiled."""
    import jax
    import jax.numpy as jnp
    from astrojax.config import set_dtype
    from astrojax.sgp4 import parse_tle, sgp4_init, sgp4_propagate

    set_dtype(jnp.float64)
    parameters = jnp.stack([sgp4_init(parse_tle(*pair))[0] for pair in sky.lines])
    each = jax.jit(jax.vmap(jax.vmap(lambda p, t: sgp4_propagate(p, t, "n"), (None, 0)), (0, 0)))
    return _mapped(each, parameters, sky)


def _mapped(each: Callable[..., Any], satellites: Any, sky: Sky) -> Prepared:
    import jax

    minutes = jax.numpy.asarray(sky.since_epoch[:, None] + sky.minutes)
    result: dict[str, Any] = {}

    def run() -> None:
        result["states"] = jax.block_until_ready(each(satellites, minutes))

    return Prepared(run, lambda rows: np.asarray(result["states"][0])[:, rows].transpose(1, 0, 2))


def dsgp4(sky: Sky) -> Prepared:
    """Its batch takes pairs of satellite and instant, so each satellite is repeated for each instant."""
    import dsgp4
    import torch

    elements = [dsgp4.TLE(list(pair)) for pair in sky.lines]
    repeated = [element for element in elements for _ in sky.minutes]
    _, batch = dsgp4.initialize_tle(repeated, gravity_constant_name="wgs-72")
    minutes = torch.as_tensor((sky.since_epoch[:, None] + sky.minutes).ravel())
    result: dict[str, Any] = {}

    def run() -> None:
        with torch.no_grad():
            result["states"] = dsgp4.propagate_batch(batch, minutes)

    def positions(rows: np.ndarray) -> np.ndarray:
        states = np.asarray(result["states"]).reshape(len(elements), len(sky.minutes), 2, 3)
        return states[:, rows, 0].transpose(1, 0, 2)

    return Prepared(run, positions)


PEERS = (
    Peer("astroz", astroz, deep_space=True, into_buffers=True),
    Peer("heyoka", heyoka, into_buffers=True),
    Peer("sgp4", python_sgp4, satellites=1000, deep_space=True),
    Peer("satkit", satkit, satellites=500, deep_space=True),
    Peer("sgp4jax", sgp4jax, satellites=200),
    Peer("astrojax", astrojax, satellites=200),
    Peer("dsgp4", dsgp4, satellites=10),
)
