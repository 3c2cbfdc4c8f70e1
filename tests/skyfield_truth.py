"""Satellites of a catalogue as skyfield has them, from the same elements without the rounding of two-line elements."""

from math import radians

import numpy as np
from skyfield.api import EarthSatellite, Timescale, load, wgs84
from skyfield.timelib import Time
from skyfield.toposlib import GeographicPosition

import constellation_jax as cj

_LINES = cj.bundled_population()[:1].to_tle().splitlines()[-2:]


def timescale() -> Timescale:
    return load.timescale(builtin=True)


def satellite_of(catalog: cj.Catalog, k: int, scale: Timescale) -> EarthSatellite:
    found = EarthSatellite(*_LINES, "x", scale)
    c = catalog
    epoch = float(c.epoch_day[k] - 33281 + c.epoch_fraction[k])  # days since 1949-12-31
    shape = (
        c.eccentricity[k],
        radians(c.arg_perigee_deg[k]),
        radians(c.inclination_deg[k]),
        radians(c.mean_anomaly_deg[k]),
    )
    motion = c.mean_motion_rev_per_day[k] * 2 * np.pi / 1440
    found.model.sgp4init(0, "i", 1, epoch, c.bstar[k], 0, 0, *shape, motion, radians(c.raan_deg[k]))
    return found


def site_of(site: cj.Site) -> GeographicPosition:
    return wgs84.latlon(site.latitude_deg, site.longitude_deg, elevation_m=site.altitude_m)


def times_of(instants: np.ndarray, scale: Timescale, shift_s: float = 0.0) -> Time:
    day = instants.astype("M8[D]")
    year = day.astype("M8[Y]").astype(int) + 1970
    month = day.astype("M8[M]").astype(int) % 12 + 1
    date = (day - day.astype("M8[M]")).astype(int) + 1
    return scale.utc(year, month, date, 0, 0, (instants - day) / np.timedelta64(1, "s") + shift_s)
