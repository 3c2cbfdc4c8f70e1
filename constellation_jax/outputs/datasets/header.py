"""Global attributes of Datasets and files, by CF and ACDD."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.variable import FRAMES
from constellation_jax.outputs.variables import VARIABLES


def make_header(
    kind: str,
    parts: Iterable[NDArray[Any] | bytes],
    *,
    title: str,
    summary: str,
    keywords: str,
    source: str,
    action: str,
) -> dict[str, str]:
    """Make the global attributes that every Dataset has.

    Args:
        kind: kind of the Dataset, for the `id`.
        parts: inputs that determine the content, for the `id`: the same inputs give the same id.
        title, summary: attributes of these names.
        keywords: keywords in capitals, separated by commas.
        source: method and input data.
        action: verb and objects, for the history: "propagated 3 Earth satellites".
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes())
    identity = f"constellation_jax/{__version__}/{kind}/{digest.hexdigest()}"
    return {
        "Conventions": "CF-1.11, ACDD-1.3",
        "title": title,
        "summary": summary,
        "keywords": keywords,
        "source": f"constellation_jax {__version__}: {source}",
        "product_version": __version__,
        "history": f"{now} constellation_jax {__version__} {action}",
        "date_created": now,
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
        "naming_authority": "constellation_jax",
        "processing_level": "model result",
        "standard_name_vocabulary": "CF Standard Name Table v93",
    }


def make_propagation_header(
    catalog: Catalog, times: NDArray[np.datetime64], *, frame: str, precision: str
) -> dict[str, str]:
    """Make the global attributes of a propagation that are known before its first step."""
    sources = [s for s in dict.fromkeys(catalog.source.tolist()) if s]
    named = ", ".join(sources[:5]) + (f" and {len(sources) - 5} more" if len(sources) > 5 else "")
    objects = count_satellites(len(catalog))
    header = make_header(
        frame,
        [*list_elements(catalog), times.astype(np.int64)],
        title=f"Orbits of {objects}",
        summary=(
            f"States of {objects} at {len(times)} instants from {_format_time(times.min())} to {_format_time(times.max())}, "
            "propagated from mean element sets with SGP4/SDP4."
        ),
        keywords="EARTH SATELLITES, ORBITS, EPHEMERIS, SGP4, SATELLITE CONSTELLATIONS, SPACE DEBRIS",
        source=f"SGP4/SDP4 from mean element sets{f' ({named})' if named else ''}",
        action=f"propagated {objects}",
    )
    return header | {
        "references": "Vallado et al. (2006), Revisiting Spacetrack Report #3, doi:10.2514/6.2006-6753",
        "frame": frame,
        "frame_definition": FRAMES[frame],
        "precision": precision,
    }


def to_plain(attributes: Mapping[Any, Any]) -> dict[str, Any]:
    """Convert attributes to the types that JSON has."""
    return {
        str(name): value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in attributes.items()
    }


def list_elements(catalog: Catalog) -> list[NDArray[Any]]:
    """List the columns of a catalogue on which orbits depend, for `make_header`."""
    names = "norad_id epoch_day epoch_fraction mean_motion_rev_per_day eccentricity inclination_deg raan_deg arg_perigee_deg"
    return [getattr(catalog, name) for name in [*names.split(), "mean_anomaly_deg", "bstar"]]


def count_satellites(count: int) -> str:
    """Format a number of satellites as "1 Earth satellite", "2 Earth satellites"."""
    return f"{count} Earth satellite{'s' if count != 1 else ''}"


class Extremes:
    """Running least and greatest values of altitude, latitude and longitude over the blocks of a run."""

    def __init__(self) -> None:
        self.ranges: dict[str, tuple[float, float]] = {}
        """Least and greatest value by variable."""

    def update(self, block: Mapping[str, NDArray[Any]]) -> None:
        """Widen the ranges by a block of arrays; NaN is ignored."""
        for name in _EXTENTS:
            if name in block and block[name].size:
                low, high = self.ranges.get(name, (np.nan, np.nan))
                self.ranges[name] = (
                    float(np.fmin(low, np.fmin.reduce(block[name], axis=None))),
                    float(np.fmax(high, np.fmax.reduce(block[name], axis=None))),
                )


def make_coverage_attributes(times: NDArray[np.datetime64], extremes: Extremes | None = None) -> dict[str, str | float]:
    """Make the global attributes that are known after the last step: extent in time and, where computed, in space."""
    times = np.sort(times)
    found: dict[str, str | float] = {
        "time_coverage_start": _format_time(times[0]),
        "time_coverage_end": _format_time(times[-1]),
        "time_coverage_duration": _format_duration(times[-1] - times[0]),
    }
    steps = np.unique(np.diff(times))
    if len(steps) == 1:
        found["time_coverage_resolution"] = _format_duration(steps[0])
    for name, (low, high) in (extremes.ranges if extremes else {}).items():
        if not np.isnan(low):
            prefix = _EXTENTS[name]
            found |= {f"{prefix}_min": low, f"{prefix}_max": high, f"{prefix}_units": VARIABLES[name].units}
            if name == "altitude":
                found[f"{prefix}_positive"] = "up"
    return found


_EXTENTS: Final = {"altitude": "geospatial_vertical", "latitude": "geospatial_lat", "longitude": "geospatial_lon"}
"""Variable -> prefix of the ACDD attributes that give its range."""


def _format_time(instant: np.datetime64) -> str:
    """Format an instant as ISO 8601 with Z and as many decimals as it needs."""
    text = str(np.datetime_as_string(instant, unit="ns"))
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}Z"


def _format_duration(span: np.timedelta64) -> str:
    """Format an ISO 8601 duration in seconds, with as many decimals as it needs."""
    seconds, nanoseconds = divmod(int(span.astype("timedelta64[ns]").astype(np.int64)), 10**9)
    decimals = f".{nanoseconds:09d}".rstrip("0") if nanoseconds else ""
    return f"PT{seconds}{decimals}S"
