"""Assignment of the objects of a catalogue to known shells, with state (on station, raising, ...), plane and slot.

NumPy on the host: a catalogue of 16,000 objects takes a fraction of a second. Deliberately absent: histories. Everything is
inferred from one element set of each object, by the rules of `match_shells`.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.files import known_shells, load_constellation
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.physics.constants import MJD_1970, YEAR_DAYS
from constellation_jax.studies.matching.destinations import choose_destinations
from constellation_jax.studies.matching.lattice_fit import LatticeFit, find_between_planes, fit_lattice
from constellation_jax.studies.matching.layers import (
    SAME_INCLINATION_DEG,
    choose_station_width_km,
    find_layers,
    is_near,
    measure_distance_km,
)
from constellation_jax.studies.matching.motion import Motion, find_remains, find_systems, lacks_derivatives

_LOGGER = logging.getLogger("constellation_jax")

MATCH_STATES = ("on_station", "raising", "lowering", "stray", "other")
"""States of an object; "other" is for objects of no known system."""
YOUNG_DAYS = 300.0
"""Age up to which an object below a shell counts as raising; the slowest climbs (OneWeb, Starlink's drifts) take some 200 days."""
CLIMB_KM_PER_DAY, DESCENT_KM_PER_DAY = 0.3, 0.05
"""Least rates at which an older object counts as raising or lowering. Set on the active catalogues of 2026-08-19 and 22, where most
of Starlink's small climb rates belonged to objects that went down."""
FALLING_KM = 300.0
"""Altitude below which a young object that descends has failed: there an orbit lasts for weeks, and nothing waits for its plane."""
GENERATION_YEARS = 10.0
"""Time before the launch of the first tenth of a shell's satellites from which an object is of a generation that they replaced."""
OUT_OF_PLANE_DEG = 5.0
"""Least distance from the planes at which a lone object is out of them, where it is also a quarter of their step: 12 km too high or
low, the nodes of an orbit of 50 degrees drift that far in half a year."""


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
    """Objects below on the way up, or waiting there for their plane. Each counts for the shell that it is bound for."""
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
    has_shell_below: NDArray[np.bool_]
    """True where a shell that is in use, of the same system, inclination and tag, lies below: what lowers may stop there."""
    shells: tuple[ShellCount, ...]
    """Counts and fitted lattice of every shell, system by system, from low to high."""
    notes: tuple[str, ...] = ()
    """Lines about what the catalogue lacks, and what that costs, which have been logged too."""

    def __repr__(self) -> str:
        return f"<ShellMatch of {len(self.system)} objects, {(self.state == 'on_station').sum()} on station>"


def match_shells(catalog: Catalog, shells: Shell | Sequence[Shell] | None = None) -> ShellMatch:
    """Assign the objects of a catalogue to shells.

    The system is recognised by the name of the object; debris and rocket bodies, by name or type, belong to none. Within a system,
    an object may belong to the shells whose inclination agrees with its own to a degree. It is on station at the nearest of them if
    its mean altitude is within a third of the smallest distance between such shells, 12 km at most. An altitude that holds many
    objects with right ascensions all round counts as a shell too, listed in a file or not, unless they wait there: where they form
    no planes, and the nearest fuller one is more than 12 km above. Not on station is an object launched ten years before the others
    of its shell, or one that lies between their planes.

    An element set gives the present orbit and not where the object came from, and the mean motion derivative of one that thrusts
    is often wrong. Off station the state is therefore, in this order:

    - `raising` if it is below a shell and waits with others, or was launched within the last 300 days, as far as the international
      designator tells, and does not descend below 300 km, or has a derivative that gives a climb of more than 0.3 km a day, which
      only thrust does;
    - `lowering` if the derivative gives more than 0.05 km a day of descent, by drag or thrust;
    - `stray` otherwise, and where no shell has the inclination.

    A raising object is bound for the shell above that fits its inclination (a sun-synchronous one: that of the altitude) and to
    which the launches before and after its own went. Satellites marked by a tag, such as "[DTC]", are on their way only to or from
    shells of the same tag. A catalogue without derivatives is noted (`ShellMatch.notes`): SGP4's drag terms then stand for them.

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
    system[find_remains(catalog)] = ""
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
        has_shell_below=np.zeros(n, bool),
        shells=(),
    )
    motion = Motion(catalog, day)
    counts = [
        count
        for name in dict.fromkeys(shell.system for shell in shells)
        for count in _match_system(match, motion, [s for s in shells if s.system == name], np.flatnonzero(system == name))
    ]  # fmt: skip
    notes = tuple(_note_what_lacks(catalog))
    for note in notes:
        _LOGGER.warning("%s", note)
    return dataclasses.replace(match, shells=tuple(counts), notes=notes)


def load_flown_shells() -> list[Shell]:
    """Load the shells of the bundled constellations as flown."""
    systems = [load_constellation(name) for name in known_shells()]
    return [shell for system in systems for shell in system.shells if shell.variant.endswith("flown")]


def _note_what_lacks(catalog: Catalog) -> Iterator[str]:
    """Lines about the columns that the catalogue lacks."""
    if lacks_derivatives(catalog):
        if catalog.bstar.any():
            yield "MEAN_MOTION_DOT: no object has one; climb and descent are taken from the drag terms (BSTAR)"
        else:
            yield (
                "MEAN_MOTION_DOT, BSTAR: no object has either; climb and descent are unknown, so that what lowers counts as stray, "
                "and what climbs as raising only by its launch date"
            )
    if not (catalog.international_designator != "").any() and not catalog.synthetic.all():
        yield "OBJECT_ID: no object has one; launch dates are unknown, so that what climbs slowly counts as stray"


def _match_system(match: ShellMatch, motion: Motion, shells: list[Shell], at: NDArray[np.intp]) -> Iterator[ShellCount]:
    """Fill the arrays of `match` for the objects at positions `at`, those of one system, and yield the count of each shell."""
    layers, waiting_layers = find_layers(motion, shells, at)
    inclination = motion.inclination_deg[at]
    # Arrays of shape (layers, objects)
    away = np.array([measure_distance_km(layer, motion.altitude_km[at]) for layer in layers])
    tilt = np.array([np.abs(inclination - layer.inclination_deg) for layer in layers])
    # Shells at one altitude differ by their inclinations: there a degree weighs as much as a kilometre.
    nearest, has_layer = _choose_cheapest(np.abs(away) + tilt, tilt <= SAME_INCLINATION_DEG)
    there = np.take_along_axis(away, nearest[None], 0)[0]
    on_station = has_layer & (np.abs(there) <= choose_station_width_km(layers))
    for i, layer in enumerate(layers):
        members = np.flatnonzero(on_station & (nearest == i))
        on_station[members[_is_replaced(motion.launch_day[at[members]])]] = False
        if len(members := np.flatnonzero(on_station & (nearest == i))):
            on_station[members[find_between_planes(motion.raan[at[members]], layer.shell, OUT_OF_PLANE_DEG)]] = False
    station = np.where(on_station, nearest, -1)

    alike = (tilt <= SAME_INCLINATION_DEG) & _match_tags(motion.tag[at], station, len(layers))
    off_nearest, has_layer = _choose_cheapest(np.abs(away) + tilt, alike)
    above = alike & (away < 0)
    next_up, below = _choose_cheapest(-away, above)
    waits = np.any([is_near(motion, at, layer) for layer in waiting_layers], axis=0) if waiting_layers else False
    state = _classify_motion(motion, at, below, waits)
    chosen = np.where(has_layer, off_nearest, -1)
    bound_for = choose_destinations(motion, at, layers, station, above)
    chosen = np.where(state == "raising", bound_for, np.where((state == "lowering") & below, next_up, chosen))
    state = np.where(on_station, "on_station", np.where(has_layer, state, "stray"))
    chosen = np.where(on_station, nearest, chosen)

    match.state[at] = state
    in_use = np.array([(station == i).any() for i in range(len(layers))])
    match.has_shell_below[at] = (alike & (away > 0) & in_use[:, None]).any(axis=0)
    for i, layer in enumerate(layers):
        members = chosen == i
        match.shell[at[members]] = layer.name
        match.altitude_offset_km[at[members]] = away[i][members]
        fit = (
            _fit_plane_and_slot(match, motion, at[members & on_station], layer.shell)
            if (members & on_station).any()
            else None
        )
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


def _is_replaced(launch_day: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Mark the objects of one shell that are of an older generation than its satellites, by their launch days. Shape (n,)."""
    known = launch_day[~np.isnan(launch_day)]
    return (
        np.asarray(launch_day < np.percentile(known, 10) - GENERATION_YEARS * YEAR_DAYS)
        if len(known)
        else launch_day > 0
    )


def _match_tags(tag: NDArray[np.str_], station: NDArray[np.intp], layers: int) -> NDArray[np.bool_]:
    """Mark the shells whose tag, that of most of their satellites, is the tag of each object; an empty shell takes all."""
    same = np.ones((layers, len(tag)), bool)
    for i in range(layers):
        tags, counts = np.unique(tag[station == i], return_counts=True)
        if len(tags):
            same[i] = tag == tags[np.argmax(counts)]
    return same


def _classify_motion(
    motion: Motion, at: NDArray[np.intp], below: NDArray[np.bool_], waits: NDArray[np.bool_] | bool
) -> NDArray[np.str_]:
    """Classify objects off station as raising, lowering or stray, by the rule that `match_shells` states."""
    climb = motion.climb_km_per_day[at]
    falls = (climb < -DESCENT_KM_PER_DAY) & (motion.altitude_km[at] < FALLING_KM)
    young = (motion.age_days[at] <= YOUNG_DAYS) & ~falls
    up = below & (waits | young | (climb > CLIMB_KM_PER_DAY))
    return np.where(up, "raising", np.where(climb < -DESCENT_KM_PER_DAY, "lowering", "stray"))


def _fit_plane_and_slot(match: ShellMatch, motion: Motion, at: NDArray[np.intp], shell: Shell | None) -> LatticeFit:
    fit = fit_lattice(motion.raan[at], motion.latitude[at], shell)
    match.plane[at], match.slot[at] = fit.plane, fit.slot
    match.raan_residual_deg[at], match.latitude_residual_deg[at] = fit.raan_residual_deg, fit.latitude_residual_deg
    return fit
