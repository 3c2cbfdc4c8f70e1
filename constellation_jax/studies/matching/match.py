"""Assignment of the objects of a catalogue to known shells, with state (on station, raising, ...), plane and slot.

NumPy on the host: a catalogue of 16,000 objects takes a fraction of a second. Deliberately absent: histories. Everything is
inferred from one element set of each object, by the rules of `match_shells`.
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
from constellation_jax.physics.constants import MJD_1970, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.matching.lattice_fit import LatticeFit, advance_to_epoch, fit_lattice

NAME_PATTERNS = {
    "AST": r"SPACEMOBILE|BLUEWALKER|BLUEBIRD",
    "Guowang": r"GUOWANG|HULIANWANG",
    "Kuiper": r"KUIPER|AMAZON LEO|LEO-\d",
    "Qianfan": r"QIANFAN|SPACESAIL",
    "Rassvet": r"RASSVET-3",
}
"""Regular expressions for the beginnings of satellite names, for systems whose satellites have other names than the system."""

MATCH_STATES = ("on_station", "raising", "lowering", "stray", "other")
"""States of an object; "other" is for objects of no known system."""
WIDEST_STATION_KM = 12.0
"""Largest distance from the altitude of a shell at which an object is on station; less where shells are stacked closer. Kuiper
parks satellites between slots 11 km above its shell."""
SAME_INCLINATION_DEG = 1.0
"""Largest difference of inclination at which an object may belong to a shell; climbing satellites of OneWeb differ by 0.9."""
UNLISTED_OBJECTS, UNLISTED_WIDTH_KM, UNLISTED_SECTORS = 50, 1.0, 12
"""Least number of objects, width in altitude and least number of occupied sectors of right ascension of a shell that no file lists.
Twelve of the 36 sectors of 10 degrees are a third; a launch that waits at an altitude for its plane fills a few."""
YOUNG_DAYS = 300.0
"""Age up to which an object below a shell counts as raising; the slowest climbs (OneWeb, Starlink's drifts) take some 200 days."""
CLIMB_KM_PER_DAY, DESCENT_KM_PER_DAY = 0.3, 0.05
"""Least rates at which an older object counts as raising or lowering. Set on the active catalogues of 2026-08-19 and 22, where most
of Starlink's small climb rates belonged to objects that went down."""


class ShellCount(NamedTuple):
    """Numbers of objects at one shell, or of one system outside its shells where `shell` is empty."""

    system: str
    """Name of the constellation."""
    shell: str
    """Name of the shell in its file. One that no file lists is named by altitude and inclination, as in "471.0 km 53.2 deg"."""
    altitude_km: float
    """Mean altitude of the shell as stated; of an unlisted shell, the median of its objects. NaN outside the shells."""
    inclination_deg: float
    """Inclination of the shell as stated, or the median, deg; NaN outside the shells."""
    expected: int | None
    """Number of satellites in the file of the shell, on the day of the file; None where no file lists it."""
    on_station: int
    """Objects at the altitude of the shell."""
    raising: int
    """Objects below on the way up. Each counts for the most populated shell above it."""
    lowering: int
    """Objects below on the way down. Each counts for the next shell above it."""
    stray: int
    """Objects off station that are neither; each counts for the nearest shell of its inclination."""
    fit: LatticeFit | None
    """Lattice fitted to the objects on station; None where there are none."""


@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class ShellMatch:
    """Shell, state, plane and slot of each object of a catalogue. Arrays have shape (n,), in the order of the catalogue."""

    epoch: np.datetime64
    """Time at which planes and slots hold, UTC: the median epoch of the objects of known systems."""
    system: NDArray[np.str_]
    """Name of the constellation of each object; empty where it belongs to none."""
    shell: NDArray[np.str_]
    """Shell at which each object is, to which it climbs or from which it comes; empty where none has its inclination."""
    state: NDArray[np.str_]
    """"on_station", "raising", "lowering", "stray", or "other" for an object of no known system."""
    plane: NDArray[np.int32]
    """Plane of each object in its shell, from 0; -1 off station and where the right ascensions form no planes."""
    slot: NDArray[np.int32]
    """Slot of each object in its plane, from 0; its order in the plane where satellites keep no slots; -1 without a plane."""
    raan_residual_deg: NDArray[np.float64]
    """Right ascension of the node minus that of the plane, deg; NaN without a plane."""
    latitude_residual_deg: NDArray[np.float64]
    """Mean argument of latitude minus that of the slot, deg; NaN without a slot."""
    altitude_offset_km: NDArray[np.float64]
    """Mean altitude minus that of the shell, km; NaN without a shell."""
    shells: tuple[ShellCount, ...]
    """Counts and fitted lattice of every shell, system by system, from low to high."""

    def __repr__(self) -> str:
        return f"<ShellMatch of {len(self.system)} objects, {(self.state == 'on_station').sum()} on station>"


def match_shells(catalog: Catalog, shells: Shell | Sequence[Shell] | None = None) -> ShellMatch:
    """Assign the objects of a catalogue to shells.

    The system is recognised by the name of the object. Within a system, an object may belong to the shells whose inclination
    agrees with its own to a degree. It is on station at the nearest of them if its mean altitude is within a third of the
    smallest distance between such shells, 12 km at most. An altitude that holds many objects with right ascensions all round
    counts as a shell too, listed in a file or not.

    An element set gives the present orbit and not where the object came from, and the mean motion derivative of one that thrusts
    is often wrong. Off station the state is therefore, in this order:

    - `raising` if it is below a shell and either was launched within the last 300 days, as far as the international designator
      tells, or has a derivative that gives a climb of more than 0.3 km a day, which only thrust does;
    - `lowering` if the derivative gives more than 0.05 km a day of descent, by drag or thrust;
    - `stray` otherwise, and where no shell has the inclination.

    Satellites marked by a tag, such as "[DTC]", are on their way only to or from shells of the same tag.

    Planes and slots are fitted to the objects on station of each shell, brought to one epoch with J2: `ShellCount.fit`.

    Args:
        catalog: element sets of about one day.
        shells: the shells to look for, each with its `system`; None for those of every bundled constellation as flown.

    Raises:
        InputError: no shell, or no object, given; a shell without a system.
    """
    if shells is None:
        shells = load_flown_shells()
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
    system = find_systems(catalog.name, [shell.system for shell in shells])
    known = np.flatnonzero(system != "")
    day = float(np.median((catalog.epoch_day + catalog.epoch_fraction)[known if len(known) else slice(None)]))
    whole = np.datetime64(0, "D") + np.timedelta64(int(day) - MJD_1970, "D")
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


def load_flown_shells() -> list[Shell]:
    """Load the shells of the bundled constellations as flown."""
    systems = [load_constellation(name) for name in known_shells()]
    return [shell for system in systems for shell in system.shells if shell.variant.endswith("flown")]


def find_systems(names: NDArray[np.str_], systems: Sequence[str]) -> NDArray[np.str_]:
    """Find the system of each name, "" for none: the name begins with that of the system, or with one of `NAME_PATTERNS`."""
    patterns = {
        s: rf"{re.escape(s)}\b" + (f"|{NAME_PATTERNS[s]}" if s in NAME_PATTERNS else "") for s in dict.fromkeys(systems)
    }
    by_system = re.compile("|".join(f"({pattern})" for pattern in patterns.values()), re.IGNORECASE)
    labels = [*patterns]
    found = [by_system.match(name) for name in names.tolist()]
    return np.array([labels[hit.lastindex - 1] if hit and hit.lastindex else "" for hit in found], dtype=np.str_)


class _Motion:
    """Position and climb rate of each object, from one element set; arrays of shape (n,)."""

    def __init__(self, catalog: Catalog, day: float) -> None:
        self.altitude_km = catalog.mean_altitude_km
        self.inclination_deg = catalog.inclination_deg
        self.raan, self.latitude = advance_to_epoch(catalog, day)
        a = self.altitude_km + WGS84_EQUATORIAL_RADIUS_KM
        # The formats carry half the derivative of the mean motion, and da/dt = -2/3 (a / n) dn/dt.
        self.climb_km_per_day = -4.0 / 3.0 * a / catalog.mean_motion_rev_per_day * catalog.mean_motion_dot
        # "STARLINK-11072 [DTC]": satellites that are made for other shells than the rest
        self.tag = np.array([name.rpartition("[")[2] if name.endswith("]") else "" for name in catalog.name.tolist()])
        self.age_days = day - _estimate_launch_day(catalog.international_designator, day)


def _estimate_launch_day(designator: NDArray[np.str_], day: float) -> NDArray[np.float64]:
    """Estimate the Modified Julian Date of each launch, to about two weeks; NaN where unknown.

    A designator numbers the launches of a year. They are assumed to be evenly spread, up to the last in the catalogue.
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


class _ShellLayer(NamedTuple):
    """Altitude at which objects may be on station: a shell of a file, or a layer of objects that no file lists."""

    name: str
    """Name of the shell, or altitude and inclination of the layer."""
    altitude_km: float
    """Mean altitude, km."""
    inclination_deg: float
    """Inclination, deg."""
    shell: Shell | None
    """Shell of the file; None for an unlisted layer."""
    altitudes_km: NDArray[np.float64]
    """Altitudes of the planes, km, shape (planes,) where each has its own, else shape (1,)."""


def _match_system(
    match: ShellMatch, motion: _Motion, shells: list[Shell], at: NDArray[np.intp]
) -> Iterator[ShellCount]:
    """Fill the arrays of `match` for the objects at positions `at`, those of one system, and yield the count of each shell."""
    layers = _find_layers(motion, shells, at)
    inclination = motion.inclination_deg[at]
    # Arrays of shape (layers, objects)
    away = np.array([_measure_distance_km(layer, motion.altitude_km[at]) for layer in layers])
    tilt = np.array([np.abs(inclination - layer.inclination_deg) for layer in layers])
    # Shells at one altitude differ by their inclinations: there a degree weighs as much as a kilometre.
    nearest, has_layer = _choose_cheapest(np.abs(away) + tilt, tilt <= SAME_INCLINATION_DEG)
    there = np.take_along_axis(away, nearest[None], 0)[0]
    on_station = has_layer & (np.abs(there) <= _choose_station_width_km(layers))
    population = np.array([np.sum(on_station & (nearest == i)) for i in range(len(layers))])

    alike = (tilt <= SAME_INCLINATION_DEG) & _match_tags(motion.tag[at], on_station, nearest, len(layers))
    off_nearest, has_layer = _choose_cheapest(np.abs(away) + tilt, alike)
    above = alike & (away < 0)
    busiest, _ = _choose_cheapest(np.broadcast_to(-population[:, None].astype(np.float64), above.shape), above)
    next_up, below = _choose_cheapest(-away, above)
    state = _classify_motion(motion, at, below)
    chosen = np.where(has_layer, off_nearest, -1)
    chosen = np.where(state == "raising", busiest, np.where((state == "lowering") & below, next_up, chosen))
    state = np.where(on_station, "on_station", np.where(has_layer, state, "stray"))
    chosen = np.where(on_station, nearest, chosen)

    match.state[at] = state
    for i, layer in enumerate(layers):
        members = chosen == i
        match.shell[at[members]] = layer.name
        match.altitude_offset_km[at[members]] = away[i][members]
        fit = _fit_plane_and_slot(match, motion, at[members & on_station], layer.shell) if population[i] else None
        expected = layer.shell.total if layer.shell else None
        yield ShellCount(
            shells[0].system,
            layer.name,
            float(layer.altitude_km),
            float(layer.inclination_deg),
            expected,
            **{s: int(np.sum(members & (state == s))) for s in MATCH_STATES[:4]},
            fit=fit,
        )
    if outside := int(np.sum(chosen < 0)):
        yield ShellCount(shells[0].system, "", np.nan, np.nan, None, 0, 0, 0, outside, None)


def _choose_cheapest(
    cost: NDArray[np.float64], allowed: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Choose the row of least cost among those allowed in each column, and mark the columns that have one."""
    return np.argmin(np.where(allowed, cost, np.inf), axis=0), np.asarray(allowed.any(axis=0))


def _match_tags(
    tag: NDArray[np.str_], on_station: NDArray[np.bool_], nearest: NDArray[np.intp], layers: int
) -> NDArray[np.bool_]:
    """Mark the shells whose tag, that of most of their satellites, is the tag of each object; an empty shell takes all."""
    same = np.ones((layers, len(tag)), bool)
    for i in range(layers):
        tags, counts = np.unique(tag[on_station & (nearest == i)], return_counts=True)
        if len(tags):
            same[i] = tag == tags[np.argmax(counts)]
    return same


def _classify_motion(motion: _Motion, at: NDArray[np.intp], below: NDArray[np.bool_]) -> NDArray[np.str_]:
    """Classify objects off station as raising, lowering or stray, by the rule that `match_shells` states."""
    climb, young = motion.climb_km_per_day[at], motion.age_days[at] <= YOUNG_DAYS
    up = below & (young | (climb > CLIMB_KM_PER_DAY))
    return np.where(up, "raising", np.where(climb < -DESCENT_KM_PER_DAY, "lowering", "stray"))


def _fit_plane_and_slot(match: ShellMatch, motion: _Motion, at: NDArray[np.intp], shell: Shell | None) -> LatticeFit:
    fit = fit_lattice(motion.raan[at], motion.latitude[at], shell)
    match.plane[at], match.slot[at] = fit.plane, fit.slot
    match.raan_residual_deg[at], match.latitude_residual_deg[at] = fit.raan_residual_deg, fit.latitude_residual_deg
    return fit


def _find_layers(motion: _Motion, shells: list[Shell], at: NDArray[np.intp]) -> list[_ShellLayer]:
    """Find the layers of a system: its listed shells, and other altitudes that hold many objects, from low to high."""
    layers = []
    for s in shells:
        altitudes = np.array(s.pattern.plane_altitudes_km or [s.orbit.altitude_km])
        layers.append(_ShellLayer(s.name, s.orbit.altitude_km, s.orbit.inclination_deg, s, altitudes))
    left = at
    for layer in layers:
        left = left[~_is_near(motion, left, layer)]
    while found := _find_densest(motion, left):
        layers.append(found)
        left = left[~_is_near(motion, left, found)]
    return sorted(layers, key=lambda layer: (layer.altitude_km, layer.inclination_deg))


def _find_densest(motion: _Motion, left: NDArray[np.intp]) -> _ShellLayer | None:
    """Find the altitude with most objects of one inclination; None where it holds too few of them to be a shell."""
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
    altitude_km, inclination = (float(np.median(v[best])) for v in (motion.altitude_km, motion.inclination_deg))
    name = f"{altitude_km:.1f} km {inclination:.1f} deg"
    return _ShellLayer(name, altitude_km, inclination, None, np.array([altitude_km]))


def _is_near(motion: _Motion, at: NDArray[np.intp], layer: _ShellLayer) -> NDArray[np.bool_]:
    """Mark the objects so near to this layer that they may not make up another one."""
    tilt = np.abs(motion.inclination_deg[at] - layer.inclination_deg)
    return (tilt <= SAME_INCLINATION_DEG) & (
        np.abs(_measure_distance_km(layer, motion.altitude_km[at])) <= UNLISTED_WIDTH_KM
    )


def _measure_distance_km(layer: _ShellLayer, altitude_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the altitude minus that of the layer, or of the nearest of its planes, km. Shape (n,)."""
    above = altitude_km - layer.altitudes_km[:, None]
    return np.asarray(np.take_along_axis(above, np.argmin(np.abs(above), axis=0)[None], 0)[0])


def _choose_station_width_km(layers: list[_ShellLayer]) -> float:
    """Return a third of the smallest distance between layers of one inclination, km: operators hold stacked shells better.

    Set on the active catalogue of 2026-08-22: with a half, Starlink's shells at 460 and 475.5 km would hold 4 and 6 % more
    than was counted there by other code.
    """
    apart = [
        abs(a.altitude_km - b.altitude_km)
        for i, a in enumerate(layers)
        for b in layers[:i]
        if abs(a.inclination_deg - b.inclination_deg) <= SAME_INCLINATION_DEG and a.altitude_km != b.altitude_km
    ]
    return min([WIDEST_STATION_KM, *(distance / 3.0 for distance in apart)])
