"""The table of output variables: dimensions, units, attributes and the groups that users name.

One table serves the Dataset in memory and the file on disk, so that the two cannot differ. Deliberately absent: any
value.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.physics.sgp4.status import STATUS

TIME: Final = "time"
SATELLITE: Final = "satellite"
DIMENSIONS: Final = (TIME, SATELLITE)
"""Order of the dimensions of every variable: blocks of time are appended to a file."""

STATUS_VARIABLE: Final = "status"
"""The variable that is always there."""

FRAMES: Final[Mapping[str, str]] = {
    "teme": (
        "TEME, True Equator Mean Equinox of date, the quasi-inertial frame of SGP4: z along the true pole of date, "
        "x along the uniform equinox (Vallado et al., AIAA 2006-6753, appendix C)"
    ),
    "itrs": (
        "ITRS, International Terrestrial Reference System, fixed to the rotating Earth: z along the pole, "
        "x through the meridian of Greenwich; velocities are relative to the rotating axes"
    ),
}
"""Reference frame of positions and velocities -> its definition."""


@dataclasses.dataclass(frozen=True)
class Variable:
    """One variable of dimensions (time, satellite)."""

    name: str
    group: str
    """What users ask for to get it."""
    attributes: Mapping[str, Any]
    """netCDF attributes that hold in every frame."""
    in_frame: bool = False
    """True where the numbers depend on the reference frame, which is then named in the attributes."""

    def attributes_in(self, frame: str) -> dict[str, Any]:
        """The netCDF attributes for a frame, a key of `FRAMES`."""
        if not self.in_frame:
            return dict(self.attributes)
        words = f"{self.attributes['long_name']} in {frame.upper()}"
        return {**self.attributes, "long_name": words, "frame": frame, "comment": FRAMES[frame]}


def resolve_groups(names: str | Iterable[str]) -> tuple[str, ...]:
    """The variables (time, satellite) of some groups, in the order of the table, `status` (always there) last.

    Args:
        names: groups: position, velocity, altitude, geodetic, decay, status, lifetime (which has none); one name or several.

    Raises:
        InputError: a name that is no group.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in GROUPS:
            close = difflib.get_close_matches(str(name), GROUPS, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise InputError(f"variables {name!r}: no such group; known are {', '.join(GROUPS)}{hint}")
    return tuple(v.name for v in VARIABLES.values() if v.group in (*wanted, STATUS_VARIABLE))


def check_frame(frame: str) -> str:
    """The frame, if it is a key of `FRAMES`.

    Raises:
        InputError: it is not.
    """
    if frame not in FRAMES:
        raise InputError(f"frame {frame!r}: unknown; known are {', '.join(FRAMES)}")
    return frame


def _axis(name: str, group: str, units: str, long_name: str) -> Variable:
    return Variable(name, group, {"long_name": long_name, "units": units, **_COMPUTED}, in_frame=True)


_COMPUTED: Final = {"coverage_content_type": "modelResult"}
_ELLIPSOID: Final = "over the WGS-84 ellipsoid (semi-major axis 6378.137 km, inverse flattening 298.257223563)"

_TABLE: Final = (
    _axis("x", "position", "km", "x component of the position"),
    _axis("y", "position", "km", "y component of the position"),
    _axis("z", "position", "km", "z component of the position"),
    _axis("vx", "velocity", "km s-1", "x component of the velocity"),
    _axis("vy", "velocity", "km s-1", "y component of the velocity"),
    _axis("vz", "velocity", "km s-1", "z component of the velocity"),
    Variable(
        "altitude",
        "altitude",
        {
            "standard_name": "height_above_reference_ellipsoid",
            "long_name": "geodetic altitude",
            "units": "km",
            "positive": "up",
            "comment": _ELLIPSOID,
            **_COMPUTED,
        },
    ),
    Variable(
        "latitude",
        "geodetic",
        {
            "standard_name": "latitude",
            "long_name": "geodetic latitude of the sub-satellite point",
            "units": "degrees_north",
            "comment": _ELLIPSOID,
            **_COMPUTED,
        },
    ),
    Variable(
        "longitude",
        "geodetic",
        {
            "standard_name": "longitude",
            "long_name": "longitude of the sub-satellite point, -180 to 180",
            "units": "degrees_east",
            **_COMPUTED,
        },
    ),
    Variable(
        "mean_altitude",
        "decay",
        {
            "long_name": "mean semi-major axis minus 6378.137 km",
            "units": "km",
            "comment": "from the mean elements of SGP4 (Brouwer, WGS-72): free of the variation along an orbit",
            **_COMPUTED,
        },
    ),
    Variable(
        "decay_rate",
        "decay",
        {
            "long_name": "time derivative of mean_altitude",
            "units": "km day-1",
            "comment": "negative when the orbit sinks",
            **_COMPUTED,
        },
    ),
    Variable(
        STATUS_VARIABLE,
        "status",
        {
            "long_name": "status of the propagation",
            "flag_values": np.array(list(STATUS), np.int8),
            "flag_meanings": " ".join(entry.name for entry in STATUS.values()),
            "comment": "error numbers of SGP4; an object keeps its first failure from then on, and its values are NaN",
            "coverage_content_type": "qualityInformation",
        },
    ),
)

VARIABLES: Final[dict[str, Variable]] = {v.name: v for v in _TABLE}
"""Every output variable by its name, in the order in which they are written."""
LIFETIME: Final = Variable(
    "lifetime",
    "lifetime",
    {
        "long_name": "orbital lifetime",
        "units": "day",
        "comment": (
            "from the epoch until the mean altitude, or the perigee, is 120 km, by drag alone; NaN where beyond the span of the "
            "computation"
        ),
        **_COMPUTED,
    },
)
"""One value for each object."""
GROUPS: Final[tuple[str, ...]] = (*dict.fromkeys(v.group for v in _TABLE), LIFETIME.group)
"""The names that users choose from."""
