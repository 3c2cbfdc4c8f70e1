"""Which lattice the satellites of one shell fly in, and the plane and slot of each: a fit to nodes and arguments of latitude.

All angles are in degrees and hold at one epoch (`at_one_epoch`). A lattice has P planes and S slots: a satellite of plane p
and slot s has
    right ascension of the node    raan_offset + raan_step p
    mean argument of latitude  u   latitude_offset + 360 s / S + 360 F p / (P S)
How well a pattern of angular period T holds is the coherence |mean exp(2 pi i x / T)|: 1 where all agree, about 1/sqrt(n) for
angles without a pattern. Deliberately absent: which satellites belong to the shell (matching.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.mean_orbits import latitude_rate_deg_per_day, raan_rate_deg_per_day, wrapped_deg
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.physics.constants import DEGREE, TWO_PI

COHERENT = 0.7
"""Least coherence of a pattern: angles off by a normal error of 0.13 of the period, which seldom takes one to the next place.
Starlink's least regular shells of August 2026 reach 0.74 and 0.78 in their nodes."""
ONE_PLANE = 0.99
"""Least coherence of the nodes of a single plane: they lie within some 8 degrees."""
CHANCE = 2.0
"""A coherence must exceed so many times the largest that random angles give."""
MOST_PLANES, MOST_SLOTS = 300, 130
"""Where no stated number fits, numbers up to these are tried: the largest that are filed are 289 planes and 120 slots."""

_Angles = NDArray[np.float64]
_Indices = NDArray[np.int32]


class LatticeFit(NamedTuple):
    """The lattice of a shell, and where each of its n satellites is in it."""

    planes: int
    """0 where the nodes form no planes; all else is then -1 or NaN."""
    raan_step_deg: float
    raan_offset_deg: float
    """Right ascension of plane 0."""
    slots_per_plane: int
    """0 where the satellites of a plane keep no slots: `slot` is then their order by argument of latitude."""
    phasing: int
    """Walker's F; -1 where one plane, planes at different altitudes, or no slots leave it without a meaning."""
    plane_coherence: float
    slot_coherence: float
    plane: _Indices
    """From 0; -1 beyond the arc of a star. Shape (n,), as the fields below."""
    slot: _Indices
    raan_residual_deg: _Angles
    latitude_residual_deg: _Angles
    """Argument of latitude minus that of the slot; NaN without slots."""


def at_one_epoch(catalog: Catalog, epoch_day: float) -> tuple[_Angles, _Angles]:
    """Right ascension of the node and mean argument of latitude at a common epoch, deg, each of shape (n,).

    Each object moves by the secular rates of its own altitude, so that what differs in altitude drifts apart as it does.

    Args:
        catalog: element sets, not more than some days from the epoch: drag and thrust are left out.
        epoch_day: Modified Julian Date (UTC).
    """
    orbit = catalog.mean_altitude_km, catalog.eccentricity, catalog.inclination_deg
    days = epoch_day - (catalog.epoch_day + catalog.epoch_fraction)
    raan = catalog.raan_deg + raan_rate_deg_per_day(*orbit) * days
    latitude = catalog.arg_perigee_deg + catalog.mean_anomaly_deg + latitude_rate_deg_per_day(*orbit) * days
    return np.mod(raan, 360.0), np.mod(latitude, 360.0)


def fit_lattice(raan: _Angles, latitude: _Angles, shell: Shell | None) -> LatticeFit:
    """The lattice of satellites that share an altitude and an inclination.

    The numbers of planes and slots that `shell` states are kept where they fit, with a coherence of at least 0.7. Else the
    smallest that fit nearly as well as the best are taken: what fits P planes also fits 2 P. Numbers begin where `shell` has
    its plane 0 and slot 0, to the nearest; nodes drift, so they are labels at this epoch.

    Args:
        raan, latitude: of each satellite at one epoch, deg, shape (n,).
        shell: what is known beforehand, None for nothing.
    """
    n = len(raan)
    planes, step, offset, plane_coherence = _fit_planes(raan, shell)
    if not planes:
        none, nan = np.full(n, -1, np.int32), np.full(n, np.nan)
        return LatticeFit(0, np.nan, np.nan, 0, -1, plane_coherence, np.nan, none, none, nan, nan)
    number = np.rint(_ahead(raan, offset, step) / step).astype(np.int32)
    raan_residual = wrapped_deg(raan - offset - step * number)
    closed = round(360.0 / step) == planes
    plane = np.where(number < planes, number, 0 if closed else -1).astype(np.int32)
    inside = plane >= 0
    raan_residual[~inside] = np.nan
    slots, phasing, slot_coherence, first = _fit_slots(latitude[inside], plane[inside], planes, shell)
    slot, residual = np.full(n, -1, np.int32), np.full(n, np.nan)
    if slots:
        from_first = (latitude - first[plane]) * (slots / 360.0)
        slot[inside] = np.mod(np.rint(from_first), slots).astype(np.int32)[inside]
        residual[inside] = ((from_first - np.rint(from_first)) * (360.0 / slots))[inside]
    else:
        slot[inside] = _order(plane[inside], latitude[inside])
    return LatticeFit(
        planes, step, offset % 360.0, slots, phasing, plane_coherence, slot_coherence, plane, slot, raan_residual, residual
    )  # fmt: skip


def _fit_planes(raan: _Angles, shell: Shell | None) -> tuple[int, float, float, float]:
    """Number of planes, step and offset of their nodes, coherence; 0 planes where there are none."""
    stated = shell.pattern.planes if shell else 0
    if shell and shell.pattern.raan_arc_deg < 360.0:
        return _fit_star(raan, stated, shell.pattern.raan_arc_deg / stated, shell.pattern.raan_offset_deg)
    best = _coherence(raan, 360.0 / stated) if stated else 0.0
    planes = stated
    if best < (ONE_PLANE if stated == 1 else COHERENT):
        numbers = np.arange(2, MOST_PLANES + 1)
        found = np.array([_coherence(raan, 360.0 / number) for number in numbers])
        planes, best = _smallest_good(numbers, found, len(raan))
    if not planes:
        return 0, np.nan, np.nan, best
    step = 360.0 / planes
    near = shell.pattern.raan_offset_deg if shell else 0.0
    return planes, step, near + float(wrapped_deg(_mean_angle(raan, step) - near, step)), best


def _fit_star(raan: _Angles, planes: int, step: float, near: float) -> tuple[int, float, float, float]:
    """Planes over an arc: their step is fitted too. A node or two may lie outside the arc."""
    start = _mean_angle(raan, 360.0) - 180.0  # opposite the middle of the arc
    along = np.mod(raan - start, 360.0)
    offset = _mean_angle(along, step)
    for _ in range(3):  # a better step gives better indices: it settles at once, or there are no planes
        index = np.rint((along - offset) / step)
        if np.ptp(index) == 0:
            break
        step, offset = np.polyfit(index, along, 1)
    coherence = _coherence(along - offset, step)
    if coherence < COHERENT:
        return 0, np.nan, np.nan, coherence
    index = np.rint((along - offset) / step).astype(np.int64)
    places = np.arange(index.min() - planes + 1, index.max() + 1)  # for plane 0
    held = np.array([np.sum((index >= place) & (index < place + planes)) for place in places])
    firsts = (start + offset + step * places)[held == held.max()]
    return planes, float(step), float(firsts[np.argmin(np.abs(wrapped_deg(firsts - near)))]), coherence


def _fit_slots(latitude: _Angles, plane: _Indices, planes: int, shell: Shell | None) -> tuple[int, int, float, _Angles]:
    """Slots of a plane, phasing, coherence, and the argument of latitude of slot 0 of each plane; 0 slots where none."""
    apart = shell is not None and shell.pattern.plane_altitudes_km is not None
    occupied = len(np.unique(plane))
    satellites = len(latitude) / (occupied if apart else 1)  # that share a phase
    slots = shell.pattern.per_plane if shell and shell.pattern.planes == planes else 0
    best = _phasing(_sums(latitude, plane, planes, slots), apart)[1] if slots else 0.0
    if best < max(COHERENT, min(0.99, _by_chance(planes, satellites))):
        numbers = np.arange(1, MOST_SLOTS + 1)
        found = np.array([_phasing(_sums(latitude, plane, planes, int(s)), apart)[1] for s in numbers])
        slots, best = _smallest_good(numbers, found, satellites, tried=planes)
    if not slots:
        return 0, -1, best, np.full(planes, np.nan)
    sums, period = _sums(latitude, plane, planes, slots), 360.0 / slots
    near = shell.pattern.anomaly_offset_deg if shell else 0.0
    if apart:
        phase = np.degrees(np.angle(sums)) / slots
        return slots, -1, best, near + wrapped_deg(phase - near, period)
    stated = (
        shell.pattern.phasing if shell and (shell.pattern.planes, shell.pattern.per_plane) == (planes, slots) else 0
    )
    phasing, _ = _phasing(sums, apart, stated)
    ahead = 360.0 * phasing * np.arange(planes) / (planes * slots)
    first = _mean_angle(latitude - ahead[plane], period)
    return slots, phasing if occupied > 1 else -1, best, near + wrapped_deg(first - near, period) + ahead


def _sums(latitude: _Angles, plane: _Indices, planes: int, slots: int) -> NDArray[np.complex128]:
    """Sum of exp(i S u) over the satellites of each plane. Shape (planes,)."""
    phase = latitude * (slots * DEGREE)
    real = np.bincount(plane, np.cos(phase), planes)
    sums: NDArray[np.complex128] = real + 1j * np.bincount(plane, np.sin(phase), planes)
    return sums / len(latitude)


def _phasing(sums: NDArray[np.complex128], apart: bool, stated: int = 0) -> tuple[int, float]:
    """The F under which the planes agree best, the stated one where as good; and the coherence.

    One Fourier transform over the planes tries all.
    """
    if apart:
        return -1, float(np.abs(sums).sum())
    tried = np.abs(np.fft.fft(sums))
    best = float(tried.max())
    return stated if tried[stated] >= 0.999 * best else int(np.argmax(tried)), best


def _by_chance(tried: int, satellites: float) -> float:
    """A coherence that so many random angles do not reach in so many trials."""
    # The largest of m coherences of n random angles is about sqrt(ln m / n): each is Rayleigh distributed.
    return float(CHANCE * np.sqrt(np.log(max(tried, 2)) / satellites))


def _smallest_good(
    numbers: NDArray[np.int_], coherence: _Angles, satellites: float, tried: int = 1
) -> tuple[int, float]:
    """The smallest number that fits nearly as well as the best; 0 where even that may be chance."""
    best = float(coherence.max())
    if best < max(COHERENT, _by_chance(len(numbers) * tried, satellites)):
        return 0, best
    chosen = int(np.argmax(coherence >= max(COHERENT, 0.97 * best)))
    return int(numbers[chosen]), float(coherence[chosen])


def _order(plane: _Indices, latitude: _Angles) -> _Indices:
    """Place of each satellite in its plane, counted by argument of latitude from the node."""
    order = np.lexsort((latitude, plane))
    of_plane = plane[order]
    place = np.arange(len(plane)) - np.searchsorted(of_plane, of_plane)
    slot = np.empty(len(plane), np.int32)
    slot[order] = place
    return slot


def _ahead(raan: _Angles, offset: float, step: float) -> _Angles:
    """Nodes ahead of plane 0, from half a step before it on."""
    return np.mod(raan - offset + step / 2.0, 360.0) - step / 2.0


def _coherence(angle: _Angles, period: float) -> float:
    return float(np.abs(np.exp(angle * (1j * TWO_PI / period)).mean()))


def _mean_angle(angle: _Angles, period: float) -> float:
    return float(np.angle(np.exp(angle * (1j * TWO_PI / period)).mean()) * period / TWO_PI)
