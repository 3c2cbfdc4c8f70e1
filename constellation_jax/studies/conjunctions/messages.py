"""Conjunction data messages (CDM): read as close approaches, and written of single ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.errors import InputError, OutputError
from constellation_jax.inputs.conjunctions.cdm import AXES, COVARIANCE, ConjunctionMessage, read_cdm
from constellation_jax.inputs.ephemerides.state_table import parse_number
from constellation_jax.outputs.conjunction_variables import CONJUNCTIONS, PROBABILITIES
from constellation_jax.outputs.datasets.header import make_header
from constellation_jax.outputs.variable import RIC, XYZ
from constellation_jax.physics.conjunctions.encounter import ric_axes

_NOT_KNOWN_M2: Final = 1e12
"""Variance of a velocity that is not known; the probability in the plane has no use for it."""


def read_cdms(sources: str | Path | Sequence[str | Path]) -> xr.Dataset:
    """Read conjunction data messages in KVN as close approaches, with the covariances of both objects.

    Args:
        sources: one file or several, plain or compressed.

    Returns:
        Dataset with the dim event, in the order of the files, with the variables of `conjunctions` that a message gives, in its own
        frame, `covariance_ric_1` and `covariance_ric_2` (event, axis, axis_2; position, then velocity), `message_probability`, and
        `radius` where all messages state one. `add_probability(events, covariance="given")` takes it.

    Raises:
        InputError: no file, or one that is no CDM.
    """
    paths = [sources] if isinstance(sources, str | Path) else list(sources)
    if not paths:
        raise InputError("CDM: no file given; at least one is needed")
    return make_message_dataset([read_cdm(path) for path in paths])


def make_message_dataset(messages: Sequence[ConjunctionMessage]) -> xr.Dataset:
    """Make the Dataset of messages, as `read_cdms` gives it."""
    arrays: dict[str, Any] = {"tca": np.array([m.tca for m in messages], "datetime64[ns]")}
    for k, i in (("1", 0), ("2", 1)):
        objects = [m.objects[i] for m in messages]
        arrays[f"satellite_number_{k}"] = np.array([parse_number(o.designator) for o in objects], np.int64)
        arrays[f"name_{k}"] = np.array([o.name for o in objects], object)
        arrays[f"position_{k}"] = np.array([o.position for o in objects])
        arrays[f"velocity_{k}"] = np.array([o.velocity for o in objects])
    r, v = (arrays[f"{name}_2"] - arrays[f"{name}_1"] for name in ("position", "velocity"))
    axes = ric_axes(arrays["position_1"], arrays["velocity_1"])
    arrays |= {
        "miss_distance": np.linalg.norm(r, axis=1),
        "miss_ric": np.einsum("nai,ni->na", axes, r),
        "relative_speed": np.linalg.norm(v, axis=1),
        "relative_velocity_ric": np.einsum("nai,ni->na", axes, v),
    }
    coordinates = {XYZ: ["x", "y", "z"], RIC: ["radial", "in_track", "cross_track"]}
    dataset = xr.Dataset(
        {name: CONJUNCTIONS[name].as_xarray(values) for name, values in arrays.items()},
        {name: CONJUNCTIONS[name].as_xarray(np.array(values, object)) for name, values in coordinates.items()},
        {
            **make_header(
                "conjunction-messages",
                [arrays["position_1"], arrays["position_2"]],
                title=f"{len(messages)} conjunction data messages",
                summary=f"{len(messages)} close approaches as conjunction data messages state them.",
                keywords="EARTH SATELLITES, CONJUNCTIONS, SPACE DEBRIS",
                source="conjunction data messages of the CCSDS",
                action=f"read {len(messages)} conjunction data messages",
            ),
            "frame": "that of each message",
        },
    )
    added: dict[str, Any] = {
        f"covariance_ric_{k}": np.array([m.objects[i].covariance for m in messages]) for k, i in (("1", 0), ("2", 1))
    }
    added["message_probability"] = np.array([m.probability for m in messages])
    radius = np.array([m.radius_m for m in messages]) * 1e-3
    if np.isfinite(radius).all():
        added["radius"] = radius
    return dataset.assign({name: PROBABILITIES[name].as_xarray(values) for name, values in added.items()})


def write_cdm(events: xr.Dataset, event: int, path: str | Path) -> Path:
    """Write one close approach as a conjunction data message in KVN (CCSDS 508.0-B-1).

    Covariances are those of `read_cdms`, or the squares of `sigma_ric_1` and `sigma_ric_2` of `add_probability`; those of
    velocities are not known then, and are 1e12 m2/s2. States stay in TEME, which REF_FRAME says; the standard itself lists
    EME2000, GCRF and ITRF.

    Args:
        events: of `add_probability`.
        event: position, from 0.
        path: of the file.

    Returns:
        The path.

    Raises:
        InputError: no such event, or one without covariances.
        OutputError: the file cannot be written.
    """
    count = events.sizes.get("event", 0)
    if not -count <= event < count:
        raise InputError(f"event {event}: expected a position from 0 to {count - 1}")
    one = events.isel(event=event)
    if "sigma_ric_1" not in one and "covariance_ric_1" not in one:
        raise InputError("events: no covariances, which a CDM has to have; add_probability adds them")
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    head: list[tuple[str, Any, str]] = [
        ("CCSDS_CDM_VERS", "1.0", ""),
        ("CREATION_DATE", now, ""),
        ("ORIGINATOR", f"constellation_jax {__version__}", ""),
        ("MESSAGE_ID", f"{_number(one, '1')}_{_number(one, '2')}_{one['tca'].values.astype('datetime64[s]')}", ""),
        ("TCA", str(one["tca"].values.astype("datetime64[us]")), ""),
        ("MISS_DISTANCE", float(one["miss_distance"]) * 1e3, "m"),
        ("RELATIVE_SPEED", float(one["relative_speed"]) * 1e3, "m/s"),
    ]
    for name, unit in (("miss_ric", "m"), ("relative_velocity_ric", "m/s")):
        word = "POSITION" if name == "miss_ric" else "VELOCITY"
        head += [
            (f"RELATIVE_{word}_{axis}", value * 1e3, unit)
            for axis, value in zip("RTN", one[name].values.tolist(), strict=True)
        ]
    if "pc" in one and np.isfinite(one["pc"]):
        head += [("COLLISION_PROBABILITY", float(one["pc"]), ""), ("COLLISION_PROBABILITY_METHOD", "FOSTER-1992", "")]
    lines = [_line(*row) for row in head]
    if "radius" in one:
        lines.append(f"COMMENT HBR = {float(one['radius']) * 1e3:.6g} [m]")
    lines.append("COMMENT from public element sets: it ranks approaches and decides on none")
    for k in ("1", "2"):
        lines += [_line(*row) for row in _object_rows(one, k)]
    target = Path(path).expanduser()
    partial = target.with_name(f".{target.name}.part")
    try:
        partial.write_text("\n".join(lines) + "\n", encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{target}: cannot be written: {error.strerror}") from None
    return target


def _object_rows(one: xr.Dataset, k: str) -> list[tuple[str, Any, str]]:
    frame = str(one.attrs.get("frame", "")).upper()
    rows: list[tuple[str, Any, str]] = [
        ("OBJECT", f"OBJECT{k}", ""),
        ("OBJECT_DESIGNATOR", _number(one, k), ""),
        ("CATALOG_NAME", "SATCAT", ""),
        ("OBJECT_NAME", str(one[f"name_{k}"].values) or "UNKNOWN", ""),
        ("INTERNATIONAL_DESIGNATOR", "UNKNOWN", ""),
        ("EPHEMERIS_NAME", "NONE", ""),
        ("COVARIANCE_METHOD", "DEFAULT" if "sigma_ric_1" in one else "CALCULATED", ""),
        ("MANEUVERABLE", "N/A", ""),
        ("REF_FRAME", frame if frame == "TEME" else "EME2000", ""),
    ]
    for name, unit in (("position", "km"), ("velocity", "km/s")):
        dot = "" if name == "position" else "_DOT"
        rows += [(f"{axis}{dot}", v, unit) for axis, v in zip("XYZ", one[f"{name}_{k}"].values.tolist(), strict=True)]
    covariance = _covariance(one, k)
    for key in COVARIANCE:
        row, column = (AXES.index(part) for part in key[1:].split("_"))
        unit = ("m**2", "m**2/s", "m**2/s**2")[key.count("DOT")]
        rows.append((key, covariance[row, column], unit))
    return rows


def _covariance(one: xr.Dataset, k: str) -> NDArray[np.float64]:
    """Covariance in m2, m2/s and m2/s2, shape (6, 6)."""
    if f"covariance_ric_{k}" in one:
        return np.asarray(one[f"covariance_ric_{k}"].values, np.float64) * 1e6
    sigma = np.asarray(one[f"sigma_ric_{k}"].values, np.float64)
    if not np.isfinite(sigma).all():
        raise InputError(f"event: the covariance of {one[f'name_{k}'].values} is not known or not positive")
    return np.diag([*(sigma**2 * 1e6), *(_NOT_KNOWN_M2,) * 3])


def _number(one: xr.Dataset, k: str) -> str:
    return str(int(one[f"satellite_number_{k}"]))


def _line(key: str, value: Any, unit: str) -> str:
    text = f"{value:.15g}" if isinstance(value, float | np.floating) else str(value)
    return f"{key:<36}= {text}{f' [{unit}]' if unit else ''}"
