"""Variables of what is seen from sites on the ground: directions, sunlight and passes."""

from __future__ import annotations

from typing import Final

from constellation_jax.outputs.variable import (
    DIMENSIONS,
    ELLIPSOID,
    EVENT,
    PASS,
    SITE,
    UTC,
    Variable,
    make_auxiliary,
    make_coordinate,
)

_BY_SUN: Final = "1 in sunlight, 0 in the umbra, between in the penumbra, of a spherical Earth of 6378.137 km"
SIGHT: Final = (
    make_coordinate(SITE, "name of the site on the ground"),
    make_auxiliary("site_latitude", SITE, "geodetic latitude of the site", units="degrees_north"),
    make_auxiliary("site_longitude", SITE, "longitude of the site", units="degrees_east"),
    make_auxiliary("site_altitude", SITE, "altitude of the site", ELLIPSOID, "m"),
    Variable("azimuth", (SITE, *DIMENSIONS), "degree", "azimuth from the north to the east"),
    Variable("elevation", (SITE, *DIMENSIONS), "degree", "elevation over the horizon", "without refraction"),
    Variable("range", (SITE, *DIMENSIONS), "km", "distance from the site"),
    Variable("sunlit", DIMENSIONS, "1", "fraction of the disc of the Sun in sight of the satellite", _BY_SUN),
)
"""Variables (site, time, satellite) of `observe`, and those of the sites."""
PASSES: Final = (
    make_coordinate(EVENT, "event of a pass"),
    make_auxiliary("pass_site", PASS, "index of the site of the pass, from 0", units="1"),
    make_auxiliary("pass_satellite", PASS, "index of the satellite of the pass, from 0", units="1"),
    Variable("event_time", (PASS, EVENT), "", "time of the event, UTC",
             "NaT where a pass reaches over an end of the span, or where the satellite fails", others=UTC),
    Variable("event_azimuth", (PASS, EVENT), "degree", "azimuth at the event, from the north to the east"),
    Variable("event_sunlit", (PASS, EVENT), "1", "fraction of the disc of the Sun in sight of the satellite", _BY_SUN),
    Variable("max_elevation", (PASS,), "degree", "elevation at the culmination", "without refraction"),
    Variable("least_range", (PASS,), "km", "distance from the site at the culmination"),
    Variable("sun_elevation", (PASS,), "degree", "elevation of the Sun at the site at the culmination"),
    Variable("is_visible", (PASS,), "", "whether the satellite is sunlit over a dark site at one of the events",
             "at least half of the disc of the Sun in sight, and the Sun 6 degrees or more under the horizon of the site",
             flags={0: "no", 1: "yes"}),
)  # fmt: skip
"""Variables of `passes`."""
