"""Fit of a Walker lattice to the satellites of one shell, which gives each a plane and a slot.

Fitted are right ascensions of the ascending node and mean arguments of latitude. All angles are in degrees and hold at one
epoch (`advance_to_epoch`). A lattice has P planes and S slots: a satellite of plane p and slot s has
    right ascension of the node    raan_offset + raan_step p
    mean argument of latitude  u   latitude_offset + 360 s / S + 360 F p / (P S)
The measure of a pattern of angular period T is the coherence |mean exp(2 pi i x / T)|: 1 where all angles agree, about 1/sqrt(n)
for n angles without a pattern. Deliberately absent: the choice of the satellites that belong to the shell (match.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.mean_orbits import latitude_rate_deg_per_day, raan_rate_deg_per_day, wrap_deg
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.physics.constants import DEGREE, TWO_PI

COHERENT = 0.7
"""Least coherence of a pattern: that of normal errors of 0.13 of the period, which seldom take an angle to the next place.
Starlink's least regular shells of August 2026 reach 0.74 and 0.78 in right ascension."""
ONE_PLANE = 0.99
"""Least coherence of the right ascensions of a single plane: they lie within some 8 degrees."""
CHANCE = 2.0
"""Factor by which a coherence must exceed the largest that random angles give."""
MOST_PLANES, MOST_SLOTS = 300, 130
"""Largest numbers tried where no stated one fits: the largest in regulatory filings are 289 planes and 120 slots."""

_Angles = NDArray[np.float64]
_Indices = NDArray[np.int32]


class LatticeFit(NamedTuple):
    """Lattice of a shell, and the place of each of its n satellites in it."""

    planes: int
    """Number of planes; 0 where the right ascensions form none, and all else is then -1 or NaN."""
    raan_step_deg: float
    """Right ascension from one plane to the next, deg."""
    raan_offset_deg: float
    """Right ascension of plane 0, deg, 0 to 360."""
    slots_per_plane: int
    """Number of slots of a plane; 0 where satellites keep no slots: `slot` is then their order by argument of latitude."""
    phasing: int
    """Walker's phasing parameter F; -1 where a single plane, planes at different altitudes, or no slots leave it undefined."""
    plane_coherence: float
    """Coherence of the right ascensions with the planes, 0 to 1."""
    slot_coherence: float
    """Coherence of the arguments of latitude with the slots, 0 to 1; NaN without planes."""
    plane: NDArray[np.int32]
    """Plane of each satellite, from 0; -1 beyond the arc of a Walker star. Shape (n,)."""
    slot: NDArray[np.int32]
    """Slot of each satellite in its plane, from 0; -1 without a plane. Shape (n,)."""
    raan_residual_deg: NDArray[np.float64]
    """Right ascension minus that of the plane, deg; NaN without a plane. Shape (n,)."""
    latitude_residual_deg: NDArray[np.float64]
    """Argument of latitude minus that of the slot, deg; NaN without slots. Shape (n,)."""


def advance_to_epoch(catalog: Catalog, epoch_day: float) -> tuple[_Angles, _Angles]:
    """Advance right ascensions and mean arguments of latitude to a common epoch, deg, each of shape (n,).

    Each object moves at the secular J2 rates of its own altitude, so that objects of different altitudes drift apart.

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
    """Fit a lattice to satellites that share an altitude and an inclination.

    The numbers of planes and slots that `shell` states are kept where they fit, with a coherence of at least 0.7. Otherwise
    the smallest that fit nearly as well as the best are taken: a pattern of P planes also fits 2 P. Plane 0 and slot 0 are
    the nearest to those of `shell`; right ascensions drift, so that the numbers are labels at this epoch.

    Args:
        raan: right ascension of each satellite at one epoch, deg, shape (n,).
        latitude: mean argument of latitude of each satellite at that epoch, deg, shape (n,).
        shell: the shell as planned or as filed; None where no file describes it.
    """
    n = len(raan)
    planes, step, offset, plane_coherence = _fit_planes(raan, shell)
    if not planes:
        none, nan = np.full(n, -1, np.int32), np.full(n, np.nan)
        return LatticeFit(0, np.nan, np.nan, 0, -1, plane_coherence, np.nan, none, none, nan, nan)
    number = np.rint(_measure_ahead(raan, offset, step) / step).astype(np.int32)
    raan_residual = wrap_deg(raan - offset - step * number)
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
        slot[inside] = _rank_in_plane(plane[inside], latitude[inside])
    return LatticeFit(
        planes, step, offset % 360.0, slots, phasing, plane_coherence, slot_coherence, plane, slot, raan_residual, residual
    )  # fmt: skip


def has_planes(raan: _Angles) -> bool:
    """True where right ascensions (deg, at one epoch, shape (n,)) form planes, evenly spread over the circle."""
    return bool(_fit_planes(raan, None)[0])


def find_between_planes(raan: _Angles, shell: Shell | None, beside_deg: float) -> NDArray[np.bool_]:
    """Mark right ascensions that lie alone between the planes (deg, at one epoch, shape (n,)).

    They are off by a quarter of the step between planes, and by `beside_deg`, within which fewer than two others lie: more are a
    plane of their own.
    """
    planes, step, offset, _ = _fit_planes(raan, shell)
    if not planes:
        return np.zeros(len(raan), bool)
    number = np.rint(_measure_ahead(raan, offset, step) / step)
    is_off = np.abs(wrap_deg(raan - offset - step * number)) > max(beside_deg, 0.25 * step)
    beside = np.abs(wrap_deg(raan[is_off, None] - raan)) <= beside_deg
    is_off[is_off] = beside.sum(axis=1) <= 2  # itself is one
    return np.asarray(is_off)


def _fit_planes(raan: _Angles, shell: Shell | None) -> tuple[int, float, float, float]:
    """Fit the planes: their number (0 for none), step and offset of their right ascensions (deg), coherence."""
    stated = shell.pattern.planes if shell else 0
    if shell and shell.pattern.raan_arc_deg < 360.0:
        return _fit_star(raan, stated, shell.pattern.raan_arc_deg / stated, shell.pattern.raan_offset_deg)
    best = _compute_coherence(raan, 360.0 / stated) if stated else 0.0
    planes = stated
    if best < (ONE_PLANE if stated == 1 else COHERENT):
        numbers = np.arange(2, MOST_PLANES + 1)
        found = np.array([_compute_coherence(raan, 360.0 / number) for number in numbers])
        planes, best = _choose_smallest(numbers, found, len(raan))
    if not planes:
        return 0, np.nan, np.nan, best
    step = 360.0 / planes
    near = shell.pattern.raan_offset_deg if shell else 0.0
    return planes, step, near + float(wrap_deg(_compute_mean_angle(raan, step) - near, step)), best


def _fit_star(raan: _Angles, planes: int, step: float, near: float) -> tuple[int, float, float, float]:
    """Fit planes over an arc, with a free step. A right ascension or two may lie outside the arc."""
    start = _compute_mean_angle(raan, 360.0) - 180.0  # opposite the middle of the arc
    along = np.mod(raan - start, 360.0)
    offset = _compute_mean_angle(along, step)
    for _ in range(3):  # a better step gives better indices: it settles at once, or there are no planes
        index = np.rint((along - offset) / step)
        if np.ptp(index) == 0:
            break
        step, offset = np.polyfit(index, along, 1)
    coherence = _compute_coherence(along - offset, step)
    if coherence < COHERENT:
        return 0, np.nan, np.nan, coherence
    index = np.rint((along - offset) / step).astype(np.int64)
    places = np.arange(index.min() - planes + 1, index.max() + 1)  # for plane 0
    held = np.array([np.sum((index >= place) & (index < place + planes)) for place in places])
    firsts = (start + offset + step * places)[held == held.max()]
    return planes, float(step), float(firsts[np.argmin(np.abs(wrap_deg(firsts - near)))]), coherence


def _fit_slots(latitude: _Angles, plane: _Indices, planes: int, shell: Shell | None) -> tuple[int, int, float, _Angles]:
    """Fit the slots: their number (0 for none), phasing, coherence, and the argument of latitude of slot 0 of each plane."""
    apart = shell is not None and shell.pattern.plane_altitudes_km is not None
    occupied = len(np.unique(plane))
    satellites = len(latitude) / (occupied if apart else 1)  # that share a phase
    slots = shell.pattern.per_plane if shell and shell.pattern.planes == planes else 0
    best = _fit_phasing(_sum_phases(latitude, plane, planes, slots), apart)[1] if slots else 0.0
    if best < max(COHERENT, min(0.99, _estimate_chance(planes, satellites))):
        numbers = np.arange(1, MOST_SLOTS + 1)
        found = np.array([_fit_phasing(_sum_phases(latitude, plane, planes, int(s)), apart)[1] for s in numbers])
        slots, best = _choose_smallest(numbers, found, satellites, tried=planes)
    if not slots:
        return 0, -1, best, np.full(planes, np.nan)
    sums, period = _sum_phases(latitude, plane, planes, slots), 360.0 / slots
    near = shell.pattern.anomaly_offset_deg if shell else 0.0
    if apart:
        phase = np.degrees(np.angle(sums)) / slots
        return slots, -1, best, near + wrap_deg(phase - near, period)
    stated = (
        shell.pattern.phasing if shell and (shell.pattern.planes, shell.pattern.per_plane) == (planes, slots) else 0
    )
    phasing, _ = _fit_phasing(sums, apart, stated)
    ahead = 360.0 * phasing * np.arange(planes) / (planes * slots)
    first = _compute_mean_angle(latitude - ahead[plane], period)
    return slots, phasing if occupied > 1 else -1, best, near + wrap_deg(first - near, period) + ahead


def _sum_phases(latitude: _Angles, plane: _Indices, planes: int, slots: int) -> NDArray[np.complex128]:
    """Sum exp(i S u) over the satellites of each plane, divided by the number of all satellites. Shape (planes,)."""
    phase = latitude * (slots * DEGREE)
    real = np.bincount(plane, np.cos(phase), planes)
    sums: NDArray[np.complex128] = real + 1j * np.bincount(plane, np.sin(phase), planes)
    return sums / len(latitude)


def _fit_phasing(sums: NDArray[np.complex128], apart: bool, stated: int = 0) -> tuple[int, float]:
    """Fit the phasing F under which the planes agree best, the stated one where it is as good; return it and the coherence.

    One Fourier transform over the planes tries every F.
    """
    if apart:
        return -1, float(np.abs(sums).sum())
    tried = np.abs(np.fft.fft(sums))
    best = float(tried.max())
    return stated if tried[stated] >= 0.999 * best else int(np.argmax(tried)), best


def _estimate_chance(tried: int, satellites: float) -> float:
    """Return a coherence that this number of random angles does not reach in this number of trials."""
    # The largest of m coherences of n random angles is about sqrt(ln m / n): each is Rayleigh distributed.
    return float(CHANCE * np.sqrt(np.log(max(tried, 2)) / satellites))


def _choose_smallest(
    numbers: NDArray[np.int_], coherence: _Angles, satellites: float, tried: int = 1
) -> tuple[int, float]:
    """Choose the smallest number that fits nearly as well as the best; 0 where even the best may be chance."""
    best = float(coherence.max())
    if best < max(COHERENT, _estimate_chance(len(numbers) * tried, satellites)):
        return 0, best
    chosen = int(np.argmax(coherence >= max(COHERENT, 0.97 * best)))
    return int(numbers[chosen]), float(coherence[chosen])


def _rank_in_plane(plane: _Indices, latitude: _Angles) -> _Indices:
    """Rank each satellite in its plane by argument of latitude, from the node. Shape (n,)."""
    order = np.lexsort((latitude, plane))
    of_plane = plane[order]
    place = np.arange(len(plane)) - np.searchsorted(of_plane, of_plane)
    slot = np.empty(len(plane), np.int32)
    slot[order] = place
    return slot


def _measure_ahead(raan: _Angles, offset: float, step: float) -> _Angles:
    """Return right ascensions relative to plane 0, from half a step before it on, deg. Shape (n,)."""
    return np.mod(raan - offset + step / 2.0, 360.0) - step / 2.0


def _compute_coherence(angle: _Angles, period: float) -> float:
    return float(np.abs(np.exp(angle * (1j * TWO_PI / period)).mean()))


def _compute_mean_angle(angle: _Angles, period: float) -> float:
    return float(np.angle(np.exp(angle * (1j * TWO_PI / period)).mean()) * period / TWO_PI)
