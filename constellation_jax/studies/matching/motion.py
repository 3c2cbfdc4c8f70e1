"""Motion and origin of the objects of a catalogue, from one element set each: place at one epoch, climb, launch, tag.

Deliberately absent: shells, and what a motion means at one (match.py).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.physics.constants import WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.studies.matching.lattice_fit import advance_to_epoch

NAME_PATTERNS = {
    "AST": r"SPACEMOBILE|BLUEWALKER|BLUEBIRD",
    "Guowang": r"GUOWANG|HULIANWANG",
    "Kuiper": r"KUIPER|AMAZON LEO|LEO-\d",
    "Qianfan": r"QIANFAN|SPACESAIL",
    "Rassvet": r"RASSVET-3",
}
"""Regular expressions for the beginnings of satellite names, for systems whose satellites have other names than the system."""
_REMAINS = re.compile(r"(?<![A-Z0-9])(?:DEB|R/B|AKM|PKM|COOLANT)(?![A-Z0-9])", re.IGNORECASE)
"""Words by which the catalogue of the US Space Force names debris, rocket bodies, apogee and perigee motors and leaked coolant."""


class Motion:
    """Position, climb rate, tag and launch of each object; arrays of shape (n,).

    Args:
        catalog: element sets of n objects.
        day: Modified Julian Date (UTC) to which right ascensions and arguments of latitude are brought.
    """

    def __init__(self, catalog: Catalog, day: float) -> None:
        self.altitude_km = catalog.mean_altitude_km
        self.inclination_deg = catalog.inclination_deg
        self.raan, self.latitude = advance_to_epoch(catalog, day)
        self.climb_km_per_day = measure_climb_km_per_day(catalog)
        # "STARLINK-11072 [DTC]": satellites that are made for other shells than the rest
        self.tag = np.array([name.rpartition("[")[2] if name.endswith("]") else "" for name in catalog.name.tolist()])
        self.launch_day = _estimate_launch_day(catalog.international_designator, day)
        self.age_days = day - self.launch_day


def find_systems(names: NDArray[np.str_], systems: Sequence[str]) -> NDArray[np.str_]:
    """Find the system of each name, "" for none: the name begins with that of the system, or with one of `NAME_PATTERNS`."""
    patterns = {
        s: rf"{re.escape(s)}\b" + (f"|{NAME_PATTERNS[s]}" if s in NAME_PATTERNS else "") for s in dict.fromkeys(systems)
    }
    by_system = re.compile("|".join(f"({pattern})" for pattern in patterns.values()), re.IGNORECASE)
    labels = [*patterns]
    found = [by_system.match(name) for name in names.tolist()]
    return np.array([labels[hit.lastindex - 1] if hit and hit.lastindex else "" for hit in found], dtype=np.str_)


def find_remains(catalog: Catalog) -> NDArray[np.bool_]:
    """Mark debris and rocket bodies, by their names, or by their types where a source gives them. Shape (n,)."""
    by_name = np.array([_REMAINS.search(name) is not None for name in catalog.name.tolist()], bool)
    return np.asarray(by_name | np.isin(catalog.object_type, ("DEBRIS", "ROCKET BODY")))


def lacks_derivatives(catalog: Catalog) -> bool:
    """True where no tracked object has a derivative of the mean motion: the source left MEAN_MOTION_DOT out."""
    return not catalog.synthetic.all() and not catalog.mean_motion_dot.any()


def measure_climb_km_per_day(catalog: Catalog) -> NDArray[np.float64]:
    """Rate of the mean semi-major axis, km/day, negative downwards. Shape (n,).

    By the derivatives of the mean motion; where a catalogue has none, by SGP4's drag terms, which agree with them within 10 % where
    both are known (active catalogue of 2026-08-22), and of which deep space has none.
    """
    a = catalog.mean_altitude_km + WGS84_EQUATORIAL_RADIUS_KM
    if lacks_derivatives(catalog) and catalog.bstar.any():
        from constellation_jax.studies.decay.inputs import sgp4_decay_rate  # loads JAX, which a match does without

        return np.nan_to_num(sgp4_decay_rate(catalog))
    # The formats carry half the derivative of the mean motion, and da/dt = -2/3 (a / n) dn/dt.
    return np.asarray(-4.0 / 3.0 * a / catalog.mean_motion_rev_per_day * catalog.mean_motion_dot)


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
