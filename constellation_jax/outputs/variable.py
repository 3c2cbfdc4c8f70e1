"""One variable of a Dataset or netCDF file: dimensions, units and attributes; the names of dimensions, and the reference frames."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from constellation_jax.errors import InputError

TIME: Final = "time"
SATELLITE: Final = "satellite"
SHELL: Final = "shell"
SOLAR: Final = "solar"
SYSTEM: Final = "system"
PERCENTILE: Final = "percentile"
CAUSE: Final = "cause"
STATE: Final = "state"
ELEMENT: Final = "element"
SPAN: Final = "span"
DEGREE: Final = "degree"
PIECE: Final = "piece"
BOUND: Final = "bound"
SITE: Final = "site"
PASS: Final = "pass"
EVENT: Final = "event"
VARIABLE: Final = "variable"
CONSTRAINT: Final = "constraint"
SWEEP: Final = "sweep"
XYZ: Final = "xyz"
RIC: Final = "ric"
OTHER: Final = "other"
THRESHOLD: Final = "threshold"
DIMENSIONS: Final = (TIME, SATELLITE)
"""Dimensions of a propagation. Time comes first, because files grow by blocks of time."""

STATUS_VARIABLE: Final = "status"
"""Name of the variable that every propagation has."""

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
    """Name, dimensions, units and attributes of one variable."""

    name: str
    """Name in Dataset and file."""
    dims: tuple[str, ...]
    """Usual dimensions; `as_xarray` takes others."""
    units: str
    """Units in the spelling of UDUNITS; empty for text, dates and flags."""
    long_name: str
    """CF attribute of that name."""
    comment: str = ""
    """CF attribute of that name; empty for none."""
    standard_name: str = ""
    """Name in the CF standard name table; empty where it has none."""
    flags: Mapping[int, str] = dataclasses.field(default_factory=dict)
    """Meaning of each value (int8) of a flag variable; empty for quantities."""
    content: str = "modelResult"
    """ACDD's coverage_content_type."""
    others: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Further netCDF attributes."""
    group: str = ""
    """Group of `propagate` to which it belongs; empty where it belongs to none."""
    is_in_frame: bool = False
    """True where the values depend on the reference frame, which the attributes then name."""

    def make_attributes(self, frame: str = "teme") -> dict[str, Any]:
        """Make the netCDF attributes for a frame, a key of `FRAMES`."""
        found: dict[str, Any] = {
            "standard_name": self.standard_name,
            "long_name": self.long_name,
            "units": self.units,
            "comment": self.comment,
            "coverage_content_type": self.content,
        }
        if self.is_in_frame:
            found |= {"long_name": f"{self.long_name} in {frame.upper()}", "frame": frame, "comment": FRAMES[frame]}
        if self.flags:
            values = np.array(list(self.flags), np.int8)
            found |= {"flag_values": values, "flag_meanings": " ".join(self.flags.values())}
        return {name: value for name, value in found.items() if not isinstance(value, str) or value} | dict(self.others)

    def as_xarray(
        self, values: Any, dims: tuple[str, ...] | None = None, *, frame: str = "teme", **attributes: Any
    ) -> tuple[tuple[str, ...], Any, dict[str, Any]]:
        """Return (dimensions, values, attributes) as `xarray.Dataset` takes them; `attributes` are added or replaced."""
        return self.dims if dims is None else dims, values, {**self.make_attributes(frame), **attributes}


def check_frame(frame: str) -> str:
    """Return a frame unchanged.

    Raises:
        InputError: it is no key of `FRAMES`.
    """
    if frame not in FRAMES:
        raise InputError(f"frame {frame!r}: unknown; known are {', '.join(FRAMES)}")
    return frame


def make_coordinate(name: str, long_name: str, comment: str = "", units: str = "", **others: Any) -> Variable:
    """Make the coordinate variable of a dimension."""
    return Variable(name, (name,), units, long_name, comment, content="coordinate", **others)


def make_auxiliary(name: str, dim: str, long_name: str, comment: str = "", units: str = "", **others: Any) -> Variable:
    """Make an auxiliary variable: a number, text or date for each entry of a dimension."""
    return Variable(name, (dim,), units, long_name, comment, content="auxiliaryInformation", **others)


def make_flag(name: str, long_name: str, flags: Mapping[int, str], comment: str = "") -> Variable:
    """Make a variable with one flag for each satellite."""
    return Variable(name, (SATELLITE,), "", long_name, comment, flags=flags)


def make_no_value(integer: np.integer[Any]) -> dict[str, Any]:
    """Make the attribute with the integer that stands for "unknown". Not `_FillValue`: readers would turn integers into floats."""
    return {"no_value": integer}


UTC: Final = {"units_metadata": "leap_seconds: utc"}
UP: Final = {"positive": "up"}
ELLIPSOID: Final = "over the WGS-84 ellipsoid (semi-major axis 6378.137 km, inverse flattening 298.257223563)"
