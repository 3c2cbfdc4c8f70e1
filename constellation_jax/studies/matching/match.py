"""Which known shell each object of a catalogue belongs to, what it is doing there, and its plane and slot.

Host side, NumPy alone: a catalogue of 16,000 objects takes a fraction of a second. Deliberately absent: histories. All is told from
one element set of each object; how is said at `match_shells`.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.files import known_shells, load_constellation
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.matching.lattice_fit import LatticeFit, at_one_epoch, fit_lattice

NAMES = {
    "AST": r"SPACEMOBILE|BLUEWALKER|BLUEBIRD",
    "Guowang": r"GUOWANG|HULIANWANG",
    "Kuiper": r"KUIPER|AMAZON LEO|LEO-\d",
    "Qianfan": r"QIANFAN|SPACESAIL",
    "Rassvet": r"RASSVET-3",
}
"""How the names of a system's satellites begin, where it is not with the name of the system."""

STATES = ("on_station", "raising", "lowering", "stray", "other")
WIDEST_STATION_KM = 12.0
"""An object this far from the altitude of a shell is on station, unless shells are stacked closer. Kuiper parks between
slots 11 km above its shell."""
SAME_INCLINATION_DEG = 1.0
"""Shells and objects within it may change between each other; the ways up to OneWeb's shell differ by 0.9."""
UNLISTED_OBJECTS, UNLISTED_WIDTH_KM, UNLISTED_SECTORS = 50, 1.0, 12
"""A shell that no file lists: this many objects within so many km, with nodes in a third of the 36 sectors of 10 degrees. A launch
that waits at an altitude for its plane fills a few sectors."""
YOUNG_DAYS = 300.0
"""An object launched within so many days is on its way up; the slowest climbs, OneWeb's and Starlink's drifts, take some 200."""
CLIMB_KM_PER_DAY, DESCENT_KM_PER_DAY = 0.3, 0.05
"""Least rates at which an older object counts as moving. Set on the active catalogues of 2026-08-19 and 22: of Starlink's small
positive derivatives most belonged to objects that went down."""


class ShellCount(NamedTuple):
    """What was found of one shell; of a system outside its shells where `shell` is empty."""

    system: str
    shell: str
    """Name in its file. A shell that no file lists is named by altitude and inclination, as in "471.0 km 53.2 deg"."""
    altitude_km: float
    """As stated; of an unlisted shell, the median of its objects. NaN outside the shells."""
    inclination_deg: float
    expected: int | None
    """Satellites that its file gives it, on the day of the file; None where no file lists it."""
    on_station: int
    raising: int
    """On the way to it from below. An object on its way up counts for the most populated shell above it."""
    lowering: int
    """Below it, on the way down: for the next shell above."""
    stray: int
    fit: LatticeFit | None
    """None where nothing is on station."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ShellMatch:
    """Objects of a catalogue and the shells that they belong to. Arrays have shape (n,), in the order of the catalogue."""

    epoch: np.datetime64
    """UTC, the median epoch of the objects of known systems: planes and slots hold then."""
    system: NDArray[np.str_]
    """Name of the constellation; empty where the object belongs to none."""
    shell: NDArray[np.str_]
    """Shell that it is at, climbs to or comes from; empty where there is none of its inclination."""
    state: NDArray[np.str_]
    """"on_station", "raising", "lowering", "stray", or "other" for an object of no known system."""
    plane: NDArray[np.int32]
    """From 0; -1 off station and where the nodes form no planes."""
    slot: NDArray[np.int32]
    """From 0; order in the plane where its satellites keep no slots."""
    raan_residual_deg: NDArray[np.float64]
    """Node minus that of the plane; NaN without one."""
    latitude_residual_deg: NDArray[np.float64]
    """Argument of latitude minus that of the slot; NaN without one."""
    altitude_offset_km: NDArray[np.float64]
    """Mean altitude minus that of the shell; NaN without one."""
    shells: tuple[ShellCount, ...]

    def __repr__(self) -> str:
        return f"<ShellMatch of {len(self.system)} objects, {(self.state == 'on_station').sum()} on station>"


def match_shells(catalog: Catalog, shells: Shell | Sequence[Shell] | None = None) -> ShellMatch:
    """Assign the objects of a catalogue to shells.

    The system comes from the name. Within a system, shells and objects whose inclinations agree to a degree are taken
    together. An object is on station at the nearest shell if its mean altitude is within a third of the smallest distance
    between such shells of the system, 12 km at most. Altitudes that hold many objects with nodes all round count as shells
    too, listed in a file or not.

    An element set says where an object is and not whence it came; the mean motion derivative of one that thrusts is often wrong.
    So, off station, in this order:

    - `raising` if it is below a shell and either was launched within the last 300 days, as far as the international designator
      tells, or has a derivative that gives a climb of more than 0.3 km a day, which only thrust does;
    - `lowering` if the derivative gives more than 0.05 km a day of descent, by drag or thrust;
    - `stray`, between shells, where neither can be told, and where no shell has the inclination.

    Satellites marked by a tag, such as "[DTC]", are on their way only to or from shells of the same tag.

    Planes and slots are fitted to the objects on station of each shell, brought to one epoch with J2: `ShellCount.fit`.

    Args:
        catalog: element sets of about one day.
        shells: the shells to look for, each with its `system`; None for those of every bundled constellation as flown.

    Raises:
        InputError: no shell, or no object, given; a shell without a system.
    """
    if shells is None:
        shells = flown_shells()
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    if not shells:
        raise InputError("no shell given: at least one is needed")
    if not len(catalog):
        raise InputError("no object given: at least one is needed")
    for shell in shells:
        if not shell.system:
            raise InputError(
                f"shell {shell.name!r}: no system, expected one, with which the names of its satellites begin"
            )
    n = len(catalog)
    system = system_of(catalog.name, [shell.system for shell in shells])
    known = np.flatnonzero(system != "")
    day = float(np.median((catalog.epoch_day + catalog.epoch_fraction)[known if len(known) else slice(None)]))
    whole = np.datetime64(0, "D") + np.timedelta64(int(day) - 40587, "D")  # MJD 40587 is 1970-01-01
    epoch = whole.astype("datetime64[ms]") + np.timedelta64(round(day % 1.0 * 86400e3), "ms")
    match = ShellMatch(
        epoch=epoch,
        system=system,
        shell=np.full(n, "", "U64"),
        state=np.where(system == "", "other", "stray").astype("U10"),
        plane=np.full(n, -1, np.int32),
        slot=np.full(n, -1, np.int32),
        raan_residual_deg=np.full(n, np.nan),
        latitude_residual_deg=np.full(n, np.nan),
        altitude_offset_km=np.full(n, np.nan),
        shells=(),
    )
    motion = _Motion(catalog, day)
    counts = [
        count
        for name in dict.fromkeys(shell.system for shell in shells)
        for count in _match_system(match, motion, [s for s in shells if s.system == name], np.flatnonzero(system == name))
    ]  # fmt: skip
    return dataclasses.replace(match, shells=tuple(counts))


def flown_shells() -> list[Shell]:
    """The shells of the bundled constellations as flown."""
    systems = [load_constellation(name) for name in known_shells()]
    return [shell for system in systems for shell in system.shells if shell.variant.endswith("flown")]


def system_of(names: NDArray[np.str_], systems: Sequence[str]) -> NDArray[np.str_]:
    """The system that each name belongs to, "" for none: it begins with the system's name, or as `NAMES` says."""
    patterns = {s: rf"{re.escape(s)}\b" + (f"|{NAMES[s]}" if s in NAMES else "") for s in dict.fromkeys(systems)}
    by_system = re.compile("|".join(f"({pattern})" for pattern in patterns.values()), re.IGNORECASE)
    labels = [*patterns]
    found = [by_system.match(name) for name in names.tolist()]
    return np.array([labels[hit.lastindex - 1] if hit and hit.lastindex else "" for hit in found], dtype=np.str_)


class _Motion:
    """What one element set tells of where each object is and goes; arrays of shape (n,)."""

    def __init__(self, catalog: Catalog, day: float) -> None:
        self.altitude_km = catalog.mean_altitude_km
        self.inclination_deg = catalog.inclination_deg
        self.raan, self.latitude = at_one_epoch(catalog, day)
        a = self.altitude_km + WGS84_EQUATORIAL_RADIUS_KM
        # The formats carry half the derivative of the mean motion, and da/dt = -2/3 (a / n) dn/dt.
        self.climb_km_per_day = -4.0 / 3.0 * a / catalog.mean_motion_rev_per_day * catalog.mean_motion_dot
        # "STARLINK-11072 [DTC]": satellites that are made for other shells than the rest
        self.tag = np.array([name.rpartition("[")[2] if name.endswith("]") else "" for name in catalog.name.tolist()])
        self.age_days = day - _launch_day(catalog.international_designator, day)


def _launch_day(designator: NDArray[np.str_], day: float) -> NDArray[np.float64]:
    """Modified Julian Date of the launch, to about two weeks; NaN where unknown.

    A designator numbers the launches of a year. They are taken as evenly spread, up to the last that the catalogue knows.
    """
    parts = [d.split("-") for d in designator.tolist()]
    sound = [len(p) == 2 and p[0].isdigit() and p[1][:3].isdigit() for p in parts]
    year = np.array([int(p[0]) if ok else 0 for p, ok in zip(parts, sound, strict=True)])
    number = np.array([int(p[1][:3]) if ok else 0 for p, ok in zip(parts, sound, strict=True)])
    launched = np.full(len(year), np.nan)
    for y in np.unique(year[year > 0]):
        first = float((np.datetime64(f"{y:04d}-01-01") - np.datetime64("1858-11-17")).astype(int))
        of_year = year == y
        length = min(365.0, max(0.0, day - first))
        launched[of_year] = first + length * number[of_year] / number[of_year].max()
    return launched


class _Level(NamedTuple):
    """A shell to match with, or a layer of objects that no file lists."""

    name: str
    altitude_km: float
    inclination_deg: float
    shell: Shell | None
    altitudes_km: NDArray[np.float64]
    """Of its planes, where each has its own."""


def _match_system(
    match: ShellMatch, motion: _Motion, shells: list[Shell], at: NDArray[np.intp]
) -> Iterator[ShellCount]:
    """Fill the arrays of `match` for the objects `at` of one system, and count."""
    levels = _levels(motion, shells, at)
    inclination = motion.inclination_deg[at]
    away = np.array([_distance(level, motion.altitude_km[at]) for level in levels])  # (levels, objects), as all below
    tilt = np.array([np.abs(inclination - level.inclination_deg) for level in levels])
    # Shells at one altitude differ by their inclinations: there a degree weighs as much as a kilometre.
    nearest, has_level = _cheapest(np.abs(away) + tilt, tilt <= SAME_INCLINATION_DEG)
    there = np.take_along_axis(away, nearest[None], 0)[0]
    on_station = has_level & (np.abs(there) <= _station_width_km(levels))
    population = np.array([np.sum(on_station & (nearest == i)) for i in range(len(levels))])

    alike = (tilt <= SAME_INCLINATION_DEG) & _same_tag(motion.tag[at], on_station, nearest, len(levels))
    off_nearest, has_level = _cheapest(np.abs(away) + tilt, alike)
    above = alike & (away < 0)
    busiest, _ = _cheapest(np.broadcast_to(-population[:, None].astype(np.float64), above.shape), above)
    next_up, below = _cheapest(-away, above)
    state = _direction(motion, at, below)
    chosen = np.where(has_level, off_nearest, -1)
    chosen = np.where(state == "raising", busiest, np.where((state == "lowering") & below, next_up, chosen))
    state = np.where(on_station, "on_station", np.where(has_level, state, "stray"))
    chosen = np.where(on_station, nearest, chosen)

    match.state[at] = state
    for i, level in enumerate(levels):
        members = chosen == i
        match.shell[at[members]] = level.name
        match.altitude_offset_km[at[members]] = away[i][members]
        fit = _fit(match, motion, at[members & on_station], level.shell) if population[i] else None
        expected = level.shell.total if level.shell else None
        yield ShellCount(
            shells[0].system,
            level.name,
            float(level.altitude_km),
            float(level.inclination_deg),
            expected,
            **{s: int(np.sum(members & (state == s))) for s in STATES[:4]},
            fit=fit,
        )
    if outside := int(np.sum(chosen < 0)):
        yield ShellCount(shells[0].system, "", np.nan, np.nan, None, 0, 0, 0, outside, None)


def _cheapest(cost: NDArray[np.float64], allowed: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Of each column the row of least cost among those allowed, and whether there is one."""
    return np.argmin(np.where(allowed, cost, np.inf), axis=0), np.asarray(allowed.any(axis=0))


def _same_tag(
    tag: NDArray[np.str_], on_station: NDArray[np.bool_], nearest: NDArray[np.intp], levels: int
) -> NDArray[np.bool_]:
    """Shells that take satellites of the tag of each object: that of most of their own; an empty shell takes all."""
    same = np.ones((levels, len(tag)), bool)
    for i in range(levels):
        tags, counts = np.unique(tag[on_station & (nearest == i)], return_counts=True)
        if len(tags):
            same[i] = tag == tags[np.argmax(counts)]
    return same


def _direction(motion: _Motion, at: NDArray[np.intp], below: NDArray[np.bool_]) -> NDArray[np.str_]:
    """What objects that are off station do: the rule that `match_shells` states."""
    climb, young = motion.climb_km_per_day[at], motion.age_days[at] <= YOUNG_DAYS
    up = below & (young | (climb > CLIMB_KM_PER_DAY))
    return np.where(up, "raising", np.where(climb < -DESCENT_KM_PER_DAY, "lowering", "stray"))


def _fit(match: ShellMatch, motion: _Motion, at: NDArray[np.intp], shell: Shell | None) -> LatticeFit:
    fit = fit_lattice(motion.raan[at], motion.latitude[at], shell)
    match.plane[at], match.slot[at] = fit.plane, fit.slot
    match.raan_residual_deg[at], match.latitude_residual_deg[at] = fit.raan_residual_deg, fit.latitude_residual_deg
    return fit


def _levels(motion: _Motion, shells: list[Shell], at: NDArray[np.intp]) -> list[_Level]:
    """The listed shells of a system, and the altitudes beside them that hold many objects, from low to high."""
    levels = [
        _Level(
            s.name, h := s.orbit.altitude_km, s.orbit.inclination_deg, s, np.array(s.pattern.plane_altitudes_km or [h])
        )
        for s in shells
    ]
    left = at
    for level in levels:
        left = left[~_near(motion, left, level)]
    while found := _densest(motion, left):
        levels.append(found)
        left = left[~_near(motion, left, found)]
    return sorted(levels, key=lambda level: (level.altitude_km, level.inclination_deg))


def _densest(motion: _Motion, left: NDArray[np.intp]) -> _Level | None:
    """The altitude at which most objects of one inclination are, if it holds enough of them to be a shell."""
    # Inclinations are kept to some thousandths of a degree: sorted, a step of a quarter parts the shells.
    order = left[np.argsort(motion.inclination_deg[left], kind="stable")]
    groups = np.split(order, np.flatnonzero(np.diff(motion.inclination_deg[order]) > 0.25) + 1)
    best: NDArray[np.intp] = left[:0]
    for group in groups:
        rising = group[np.argsort(motion.altitude_km[group], kind="stable")]
        altitude = motion.altitude_km[rising]
        last = np.searchsorted(altitude, altitude + UNLISTED_WIDTH_KM)
        held = last - np.arange(len(rising))
        for first in np.argsort(-held, kind="stable"):
            if held[first] < max(UNLISTED_OBJECTS, len(best) + 1):
                break
            members = rising[first : last[first]]
            if len(np.unique(motion.raan[members] // 10.0)) >= UNLISTED_SECTORS:
                best = members
                break
    if not len(best):
        return None
    altitude_km, inclination = (
        float(np.median(motion.altitude_km[best])),
        float(np.median(motion.inclination_deg[best])),
    )
    name = f"{altitude_km:.1f} km {inclination:.1f} deg"
    return _Level(name, altitude_km, inclination, None, np.array([altitude_km]))


def _near(motion: _Motion, at: NDArray[np.intp], level: _Level) -> NDArray[np.bool_]:
    """Objects that may not make up another shell beside this one."""
    tilt = np.abs(motion.inclination_deg[at] - level.inclination_deg)
    return (tilt <= SAME_INCLINATION_DEG) & (np.abs(_distance(level, motion.altitude_km[at])) <= UNLISTED_WIDTH_KM)


def _distance(level: _Level, altitude_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Altitude above that of the shell, or of the nearest of its planes, km."""
    above = altitude_km - level.altitudes_km[:, None]
    return np.asarray(np.take_along_axis(above, np.argmin(np.abs(above), axis=0)[None], 0)[0])


def _station_width_km(levels: list[_Level]) -> float:
    """A third of the smallest distance between shells of one inclination: who stacks them so holds them better than that.

    Set on the active catalogue of 2026-08-22: with a half, Starlink's shells at 460 and 475.5 km would hold 4 and 6 % more
    than was counted there by other code.
    """
    apart = [
        abs(a.altitude_km - b.altitude_km)
        for i, a in enumerate(levels)
        for b in levels[:i]
        if abs(a.inclination_deg - b.inclination_deg) <= SAME_INCLINATION_DEG and a.altitude_km != b.altitude_km
    ]
    return min([WIDEST_STATION_KM, *(distance / 3.0 for distance in apart)])
