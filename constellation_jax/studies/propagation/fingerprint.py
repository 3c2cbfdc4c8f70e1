"""Fingerprint of a propagation: everything that decides a bit of its output.

Equal to the last bit are runs on one kind of processor with the same flags of XLA, which choose its vector code; so both count.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax import __version__
from constellation_jax.engine.device_checks import find_devices
from constellation_jax.engine.propagation.options import Options
from constellation_jax.inputs.catalog.catalog import COLUMNS, Catalog
from constellation_jax.inputs.environment.earth_orientation import load_earth_orientation
from constellation_jax.outputs.fingerprint import Fingerprint
from constellation_jax.studies.propagation.propagate import needs_attitude


def make_fingerprint(
    catalog: Catalog, instants: NDArray[np.datetime64], options: Options, lifetimes: NDArray[np.float64] | None
) -> Fingerprint:
    """Make the fingerprint of a run.

    Args:
        lifetimes: of the objects, where they are asked for: they stand for the space weather and the models behind them.
    """
    found = {
        "elements": digest(getattr(catalog, name) for name in COLUMNS),
        "times": digest([instants.astype("datetime64[ns]").astype(np.int64)]),
        "frame": options.frame,
        "variables": " ".join(options.variables),
        "type": options.dtype,
        "precision": options.precision,
        "interpolation": f"{options.largest_error_km:g} km" if options.dense else "none",
        "constellation_jax": __version__,
        "jax": jax.__version__,
        "processor": _describe_processor(options.platform),
        "compiler_flags": os.environ.get("XLA_FLAGS", ""),
    }
    if needs_attitude(options):
        earth = load_earth_orientation()
        found["earth_orientation"] = digest([earth.mjd, earth.ut1_utc_s, earth.polar_x_arcsec, earth.polar_y_arcsec])
    if lifetimes is not None:
        found["lifetimes"] = digest([lifetimes])
    return found


def digest(arrays: Iterable[NDArray[Any]]) -> str:
    """Digest of arrays of numbers or texts."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(
            "\0".join(array.tolist()).encode() if array.dtype.kind == "U" else np.ascontiguousarray(array).tobytes()
        )
    return found.hexdigest()


def _describe_processor(platform_name: str | None) -> str:
    """Kind of the device, for a CPU its model and instruction set."""
    device = find_devices(platform_name)[0]
    if device.platform != "cpu":
        return str(device.device_kind)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor()
    return f"{model or 'CPU'} {platform.machine()}"
