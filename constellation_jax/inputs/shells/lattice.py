"""Element sets of every satellite of a shell: the slots that are filled, and their places at the epoch.

A lattice is Walker's: satellite (plane p, slot s) of P planes with S slots each has, at the epoch, in degrees,
    right ascension of the node            raan_offset + raan_spread * p / P
    mean argument of latitude  u = w + M   anomaly_offset + 360 s / S + 360 F p / (P S)
with raan_spread 360 for a delta (i:T/P/F) and 180 for a star pattern. All satellites of a shell share eccentricity,
inclination and mean motion, so that the secular rates of SGP4 keep the lattice together. Deliberately absent:
deployment over time.

Reference: Walker (1984), "Satellite constellations", J. Br. Interplanet. Soc. 37, 559-572.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day, raan_of_local_time_deg
from constellation_jax.inputs.shells.shell import ATTITUDES, Shell
from constellation_jax.inputs.times import Time, parse_time, to_day_fraction
from constellation_jax.physics.constants import MJD_J2000


def shells_to_catalog(
    shells: Shell | Sequence[Shell], *, epoch: Time | None = None, attitude: str = "on_station"
) -> Catalog:
    """Make element sets of every satellite of some shells, shell by shell, plane by plane, slot by slot, spares last.

    Args:
        shells: one or several.
        epoch: common epoch, UTC; the last midnight if not given.
        attitude: "on_station", "tumbling" or "face_on": the attitude whose ballistic coefficient the satellites get.

    Returns:
        A Catalog with synthetic = True, norad_id -1, the columns shell, plane and slot filled (from 0; the spare that
        goes with slot s has slot satellites_per_plane + s) and names such as "GUOWANG GW-A59-2 P03 S17".

    Raises:
        InputError: no shell given, an unknown attitude, or an epoch that is not a time.
    """
    if attitude not in ATTITUDES:
        raise InputError(f"attitude: found {attitude!r}, expected {', '.join(ATTITUDES)}{suggest(attitude, ATTITUDES)}")
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    if not shells:
        raise InputError("no shell given: at least one is needed")
    start = np.datetime64("now").astype("datetime64[D]") if epoch is None else parse_time(epoch)
    day, fraction = to_day_fraction(np.asarray(start))
    parts = [_columns(shell, float(day - MJD_J2000 + fraction), attitude) for shell in shells]
    columns: dict[str, ArrayLike] = {key: np.concatenate([p[key] for p in parts]) for key in parts[0]}
    return Catalog.from_columns(
        columns | {"synthetic": True, "classification": "U", "epoch_day": day, "epoch_fraction": fraction}
    )


def uniform_numbers(seed: int | Sequence[int], n: int) -> NDArray[np.float64]:
    """n numbers from 0 to below 1, the same with every version of NumPy.

    They equal `Generator(PCG64(seed)).random(n)`, taken from the raw stream because NumPy promises that one to stay
    (NEP 19), not the methods of Generator.
    """
    raw = np.random.PCG64(seed).random_raw(n)
    return np.asarray((raw >> np.uint64(11)) * 2.0**-53)


def _draw_slots(shell: Shell, draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Filled slots chosen by draws of shape (planes + slots,), as plane * per_plane + slot, ascending."""
    # The smallest draws win: a choice without repetition that needs nothing of NumPy but the draws.
    pattern, used = shell.pattern, _planes_in_use(shell)
    planes = np.sort(np.argsort(draws[: pattern.planes], kind="stable")[:used])
    places = (planes[:, None] * pattern.per_plane + np.arange(pattern.per_plane)).ravel()
    order = np.argsort(draws[pattern.planes :][places], kind="stable")
    return np.sort(places[order[: shell.filled]])


def _spread_slots(shell: Shell) -> NDArray[np.int64]:
    """Filled slots spread evenly, as plane * per_plane + slot, ascending."""
    planes, per_plane, used = shell.pattern.planes, shell.pattern.per_plane, _planes_in_use(shell)
    nth_plane, nth_slot = np.divmod(np.arange(used * per_plane), per_plane)
    in_plane = shell.filled * (nth_plane + 1) // used - shell.filled * nth_plane // used
    kept = nth_slot < in_plane
    nth_plane, nth_slot, in_plane = nth_plane[kept], nth_slot[kept], in_plane[kept]
    plane = nth_plane * planes // used
    return np.asarray(plane * per_plane + nth_slot * per_plane // in_plane)


def _planes_in_use(shell: Shell) -> int:
    used = shell.filling.occupied_planes
    return shell.pattern.planes if used is None else used


def _occupied(shell: Shell) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Filled slots and those that a spare goes with, as plane * per_plane + slot, ascending."""
    filling, planes, slots = shell.filling, shell.pattern.planes, shell.pattern.slots
    if shell.filled == slots and not filling.spares:
        return np.arange(slots), np.arange(0)
    draws = uniform_numbers(filling.seed, planes + 2 * slots)
    filled = _spread_slots(shell) if filling.fill == "even" else _draw_slots(shell, draws[: planes + slots])
    order = np.argsort(draws[planes + slots :][filled], kind="stable")
    return filled, np.sort(filled[order[: filling.spares]])


def _columns(shell: Shell, days_since_j2000: float, attitude: str) -> dict[str, NDArray[Any]]:
    """Columns of a Catalog for one shell; arrays of shape (shell.total,)."""
    orbit, pattern = shell.orbit, shell.pattern
    filled, spare_places = _occupied(shell)
    place = np.concatenate([filled, spare_places])
    ahead = np.repeat([0.0, shell.filling.spare_offset_slots], [len(filled), len(spare_places)])
    plane, lattice_slot = np.divmod(place, pattern.per_plane)
    slot = lattice_slot + np.where(ahead > 0, pattern.per_plane, 0)

    first_raan = pattern.raan_offset_deg
    if pattern.ltan_h is not None:
        first_raan = float(raan_of_local_time_deg(pattern.ltan_h, days_since_j2000))
    raan = first_raan + pattern.raan_arc_deg * plane / pattern.planes
    latitude = (
        pattern.anomaly_offset_deg
        + 360.0 * (lattice_slot + ahead) / pattern.per_plane
        + 360.0 * pattern.phasing * plane / pattern.slots
    )
    altitude = np.array(pattern.plane_altitudes_km or [orbit.altitude_km] * pattern.planes)
    mean_motion = kozai_mean_motion_rev_per_day(altitude, orbit.eccentricity, orbit.inclination_deg)

    label = f"{shell.system} {shell.name}".strip().upper()
    plane_labels = np.array([f"{label} P{p:02d} " for p in range(pattern.planes)])
    slot_labels = np.array([f"S{s:02d}" for s in range(2 * pattern.per_plane)])
    ballistic_coefficient = shell.spacecraft.ballistic_coefficient(attitude)
    n = len(place)
    return {
        "name": np.strings.add(plane_labels[plane], slot_labels[slot]),
        "mean_motion_rev_per_day": mean_motion[plane],
        "eccentricity": np.full(n, float(orbit.eccentricity)),
        "inclination_deg": np.full(n, float(orbit.inclination_deg)),
        "raan_deg": np.mod(raan, 360.0),
        "arg_perigee_deg": np.full(n, orbit.arg_perigee_deg % 360.0),
        "mean_anomaly_deg": np.mod(latitude - orbit.arg_perigee_deg, 360.0),
        "bstar": np.full(n, float(orbit.bstar)),
        "source": np.full(n, f"shells:{shell.origin or shell.system.lower() or 'user'}"),
        "shell": np.full(n, shell.name),
        "plane": plane.astype(np.int32),
        "slot": slot.astype(np.int32),
        "ballistic_coefficient": np.full(n, np.nan if ballistic_coefficient is None else ballistic_coefficient),
    }
