"""Rotation from the mean equator and equinox of J2000 to TEME. NumPy on the host.

Precession of IAU 1976 and the larger terms of nutation of IAU 1980; what is left out moves a low orbit by about 0.1 m, what both
theories are off by 1 to 2 m. Deliberately absent: the IAU 2000/2006 chain, which astropy has.

Reference: Lieske et al., Astron. Astrophys. 58, 1 (1977); Seidelmann, Celest. Mech. 27, 79 (1982); Vallado et al., AIAA 2006-6753,
appendix C.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from constellation_jax.physics.constants import DEGREE, MJD_J2000

_ARCSECOND: Final = DEGREE / 3600.0
_TT_UTC_DAYS: Final = 69.2 / 86400.0
"""TT minus UTC, near enough for centuries: a minute turns the equator by 1e-10 rad."""

# multiples of l, l', F, D and Omega; longitude and its change in a century, obliquity and its change, 0.0001 arcsec
_NUTATION: Final = np.array([
    (0, 0, 0, 0, 1, -171996, -174.2, 92025, 8.9), (0, 0, 2, -2, 2, -13187, -1.6, 5736, -3.1),
    (0, 0, 2, 0, 2, -2274, -0.2, 977, -0.5), (0, 0, 0, 0, 2, 2062, 0.2, -895, 0.5), (0, 1, 0, 0, 0, 1426, -3.4, 54, -0.1),
    (1, 0, 0, 0, 0, 712, 0.1, -7, 0), (0, 1, 2, -2, 2, -517, 1.2, 224, -0.6), (0, 0, 2, 0, 1, -386, -0.4, 200, 0),
    (1, 0, 2, 0, 2, -301, 0, 129, -0.1), (0, -1, 2, -2, 2, 217, -0.5, -95, 0.3), (1, 0, 0, -2, 0, -158, 0, -1, 0),
    (0, 0, 2, -2, 1, 129, 0.1, -70, 0), (-1, 0, 2, 0, 2, 123, 0, -53, 0), (1, 0, 0, 0, 1, 63, 0.1, -33, 0),
    (0, 0, 0, 2, 0, 63, 0, -2, 0), (-1, 0, 2, 2, 2, -59, 0, 26, 0), (-1, 0, 0, 0, 1, -58, -0.1, 32, 0),
    (1, 0, 2, 0, 1, -51, 0, 27, 0), (2, 0, 0, -2, 0, 48, 0, 1, 0), (-2, 0, 2, 0, 1, 46, 0, -24, 0),
    (0, 0, 2, 2, 2, -38, 0, 16, 0), (2, 0, 2, 0, 2, -31, 0, 13, 0), (2, 0, 0, 0, 0, 29, 0, -1, 0),
    (1, 0, 2, -2, 2, 29, 0, -12, 0), (0, 0, 2, 0, 0, 26, 0, -1, 0), (0, 0, 2, -2, 0, -22, 0, 0, 0),
    (-1, 0, 2, 0, 1, 21, 0, -10, 0), (0, 2, 0, 0, 0, 17, -0.1, 0, 0), (0, 2, 2, -2, 2, -16, 0.1, 7, 0),
    (-1, 0, 0, 2, 1, 16, 0, -8, 0), (0, 1, 0, 0, 1, -15, 0, 9, 0),
])  # fmt: skip
_ARGUMENTS: Final = np.array([
    (134.96298139, 1717915922.633, 31.310), (357.52772333, 129596581.224, -0.577), (93.27191028, 1739527263.137, -13.257),
    (297.85036306, 1602961601.328, -6.891), (125.04452222, -6962890.539, 7.455),
])  # fmt: skip
"""l, l', F, D, Omega: degrees at J2000, arcsec in a century, arcsec in a century squared (IAU 1980)."""


def j2000_to_teme(day: NDArray[np.int64], fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices of shape (m, 3, 3): v_teme = matrix @ v_j2000.

    Args:
        day: Modified Julian Date (UTC) of midnight, shape (m,).
        fraction: rest of the date, days, shape (m,).
    """
    t = ((day - MJD_J2000) + fraction + _TT_UTC_DAYS) / 36525.0
    zeta, theta, z = (
        np.asarray(np.polyval(c, t)) * t * _ARCSECOND
        for c in ((0.017998, 0.30188, 2306.2181), (-0.041833, -0.42665, 2004.3109), (0.018203, 1.09468, 2306.2181))
    )
    obliquity = np.polyval((0.001813, -0.00059, -46.8150, 84381.448), t) * _ARCSECOND
    angles = [(a + (b * t + c * t * t) / 3600.0) * DEGREE for a, b, c in _ARGUMENTS]
    phase = _NUTATION[:, :5] @ np.stack(angles)
    size = 1e-4 * _ARCSECOND
    longitude = size * np.sum((_NUTATION[:, 5, None] + _NUTATION[:, 6, None] * t) * np.sin(phase), axis=0)
    tilt = size * np.sum((_NUTATION[:, 7, None] + _NUTATION[:, 8, None] * t) * np.cos(phase), axis=0)
    # precession, nutation, then the equation of the equinoxes, which takes the true equinox to the uniform one of TEME
    turns = (
        (zeta, 2, -1.0), (theta, 1, 1.0), (z, 2, -1.0),
        (obliquity, 0, 1.0), (longitude, 2, -1.0), (obliquity + tilt, 0, -1.0),
        (longitude * np.cos(obliquity), 2, 1.0),
    )  # fmt: skip
    matrix = np.broadcast_to(np.eye(3), (*t.shape, 3, 3))
    for angle, axis, sign in turns:
        matrix = np.matmul(_turn(np.asarray(sign * angle, np.float64), axis), matrix)
    return np.asarray(matrix)


def _turn(angle: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Rotation of the axes about one of them by an angle, shape (m, 3, 3)."""
    matrix = np.zeros((*angle.shape, 3, 3))
    i, j = (axis + 1) % 3, (axis + 2) % 3
    matrix[..., axis, axis] = 1.0
    matrix[..., i, i] = matrix[..., j, j] = np.cos(angle)
    matrix[..., i, j] = np.sin(angle)
    matrix[..., j, i] = -np.sin(angle)
    return matrix
