"""Layers of a system: the altitudes at which its satellites may be on station, or wait on their way up.

A layer is a shell of a file, or an altitude that holds many objects of one inclination, with right ascensions all round, listed or
not. Deliberately absent: the objects off station (match.py, destinations.py).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.studies.matching.lattice_fit import has_planes
from constellation_jax.studies.matching.motion import Motion

WIDEST_STATION_KM = 12.0
"""Largest distance from the altitude of a shell at which an object is on station; less where shells are stacked closer. Kuiper
parks satellites between slots 11 km above its shell."""
SAME_INCLINATION_DEG = 1.0
"""Largest difference of inclination at which an object may belong to a shell; climbing satellites of OneWeb differ by 0.9."""
UNLISTED_OBJECTS, UNLISTED_WIDTH_KM, UNLISTED_SECTORS = 50, 1.0, 12
"""Least number of objects, width in altitude and least number of occupied sectors of right ascension of a shell that no file lists.
Twelve of the 36 sectors of 10 degrees are a third; a launch that waits at an altitude for its plane fills a few."""


class ShellLayer(NamedTuple):
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
    has_planes: bool
    """True for a shell of a file, and where the right ascensions of the objects form planes."""


def find_layers(motion: Motion, shells: list[Shell], at: NDArray[np.intp]) -> tuple[list[ShellLayer], list[ShellLayer]]:
    """Find the layers of a system among the objects at positions `at`: those of stations, and those of waiting, from low to high.

    Satellites wait in an orbit below their shell until its nodes, which turn more slowly, have come round to theirs. An unlisted
    layer serves that where its own right ascensions form no planes, and the nearest layer that holds more objects lies above, by
    more than a satellite on station may be off. Nearer, the nodes turn at almost the same rate, and nothing comes round.
    """
    layers = []
    for s in shells:
        altitudes = np.array(s.pattern.plane_altitudes_km or [s.orbit.altitude_km])
        layers.append(ShellLayer(s.name, s.orbit.altitude_km, s.orbit.inclination_deg, s, altitudes, True))
    left = at
    for layer in layers:
        left = left[~is_near(motion, left, layer)]
    while found := _find_densest(motion, left):
        layers.append(found)
        left = left[~is_near(motion, left, found)]
    layers.sort(key=lambda layer: (layer.altitude_km, layer.inclination_deg))
    held = [int(np.sum(is_near(motion, at, layer))) for layer in layers]
    waits = [_is_for_waiting(i, layers, held) for i in range(len(layers))]
    stations = [layer for layer, waiting in zip(layers, waits, strict=True) if not waiting]
    return stations, [layer for layer, waiting in zip(layers, waits, strict=True) if waiting]


def is_near(motion: Motion, at: NDArray[np.intp], layer: ShellLayer) -> NDArray[np.bool_]:
    """Mark the objects so near to this layer that they may not make up another one."""
    tilt = np.abs(motion.inclination_deg[at] - layer.inclination_deg)
    away = np.abs(measure_distance_km(layer, motion.altitude_km[at]))
    return np.asarray((tilt <= SAME_INCLINATION_DEG) & (away <= UNLISTED_WIDTH_KM))


def measure_distance_km(layer: ShellLayer, altitude_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the altitude minus that of the layer, or of the nearest of its planes, km. Shape (n,)."""
    above = altitude_km - layer.altitudes_km[:, None]
    return np.asarray(np.take_along_axis(above, np.argmin(np.abs(above), axis=0)[None], 0)[0])


def choose_station_width_km(layers: list[ShellLayer]) -> float:
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


def _find_densest(motion: Motion, left: NDArray[np.intp]) -> ShellLayer | None:
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
    return ShellLayer(name, altitude_km, inclination, None, np.array([altitude_km]), has_planes(motion.raan[best]))


def _is_for_waiting(i: int, layers: list[ShellLayer], held: list[int]) -> bool:
    """True where objects wait at layer i for their shell, by the rule of `find_layers`; `held` are the objects at each layer."""
    layer = layers[i]
    if layer.has_planes:
        return False
    fuller = [
        other.altitude_km - layer.altitude_km
        for other, objects in zip(layers, held, strict=True)
        if objects > held[i] and abs(other.inclination_deg - layer.inclination_deg) <= SAME_INCLINATION_DEG
    ]
    return bool(fuller) and min(fuller, key=abs) > WIDEST_STATION_KM
