"""Options of a propagation run."""

from __future__ import annotations

import dataclasses

import numpy as np

from constellation_jax.physics.constants import WGS72, GravityModel

TOLERANCE_KM = {"float64": 1e-6, "float32": 1e-4}
"""Largest error that interpolation may add to a position, by precision."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Results, frame and arithmetic of a run. Static: they choose code."""

    variables: tuple[str, ...]
    """Names out of `state_variables.VARIABLES`."""
    frame: str = "teme"
    """Frame of position and velocity: "teme" or "itrs"."""
    precision: str = "float64"
    """Type of the arithmetic: "float64", or "float32" about float64 anchors (near-Earth orbits; SDP4 runs in float64)."""
    dtype: str = "float64"
    """Type of the results."""
    gravity: GravityModel = WGS72
    dense: bool = True
    """True: states between Chebyshev nodes may be interpolated."""
    tolerance_km: float | None = None
    """Largest error that interpolation may add to a position; None: by `TOLERANCE_KM`."""
    platform: str | None = None
    """Platform of the devices; None: JAX's default."""

    @property
    def largest_error_km(self) -> float:
        """Error that interpolation may add to a position of this run."""
        return self.tolerance_km or TOLERANCE_KM[self.precision]

    @property
    def state_bytes(self) -> int:
        """Size of the results of one satellite at one instant."""
        return len(self.variables) * np.dtype(self.dtype).itemsize + 1
