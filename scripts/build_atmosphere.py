"""Write the tables of the atmosphere, constellation_jax/inputs/environment/tables/*.npz, from pymsis. Ten minutes on one core.

    python scripts/build_atmosphere.py [nrlmsise00] [nrlmsis21]

Every index is passed to pymsis, so nothing is downloaded. Samples stand on a full grid of indices, days, latitudes, local times and
altitudes, each an average over longitude; then each direction of the grid is fitted on its own, and a singular value decomposition
keeps the part that matters. Progress and errors of the parts are printed; tests/benchmarks/test_atmosphere_speed.py
measures the whole.
"""

import datetime
import json
import sys
import time
from pathlib import Path

import numpy as np
import pymsis

from constellation_jax.inputs.environment.atmosphere import compute_checksum
from constellation_jax.physics.drag import atmosphere as a

VERSIONS = {"nrlmsise00": 0, "nrlmsis21": 2.1}
TARGET = Path(__file__).parents[1] / "constellation_jax" / "inputs" / "environment" / "tables"
RANK = 80
"""Number of singular values kept: with 50 the orbit mean is off by 0.32 % rms, with 80 by 0.28 %, as with all of them."""

LATITUDE_NODES, LATITUDE_WEIGHTS = np.polynomial.legendre.leggauss(14)  # in the sine of the latitude
LOCAL_HOURS = (np.arange(12) + 0.5) * 2.0
LONGITUDES = np.arange(5) * 72.0
DAYS = np.round((np.arange(12) + 0.5) * 365.0 / 12.0).astype(int)  # since January 1; MSIS takes whole days


def main(models: list[str]) -> None:
    TARGET.mkdir(exist_ok=True)
    for model in models or list(VERSIONS):
        states, profiles = compress(*fit(sample(model)))
        attributes = {
            "title": "ln of total mass density in kg/m3, anomalous oxygen included, averaged over longitude",
            "model": {"nrlmsise00": "NRLMSISE-00", "nrlmsis21": "NRLMSIS 2.1"}[model],
            "geomagnetic_activity": "daily Ap",
            "pymsis_version": pymsis.__version__,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "script": "scripts/build_atmosphere.py",
            "basis": list(a.BASIS),
            "sha256": compute_checksum(states, profiles),
        }
        path = TARGET / f"{model}.npz"
        np.savez_compressed(path, states=states, profiles=profiles, attributes=np.array(json.dumps(attributes)))
        print(f"{path}: {path.stat().st_size} bytes")


def activity_nodes() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Chebyshev nodes of the 81-day mean, of the ratio of F10.7 to it, and of Ap."""

    def nodes(n: int, low: float, high: float) -> np.ndarray:
        return low + (high - low) * (np.cos((np.arange(n) + 0.5) * np.pi / n) + 1.0) / 2.0

    f107a = np.exp(nodes(a._CHEBYSHEV[0], *np.log(a.F107A_RANGE)))
    ap = a._AP_SCALE * np.expm1(nodes(a._CHEBYSHEV[2], *np.log1p(np.array(a.AP_RANGE) / a._AP_SCALE)))
    return f107a, nodes(a._CHEBYSHEV[1], *a.F107_RATIO_RANGE), ap


def altitudes() -> np.ndarray:
    """Altitudes of the knots of the splines, km."""
    heights = a._ALTITUDE_OFFSET + np.exp(np.linspace(a._BOTTOM, a._TOP, a._INTERVALS + 1))
    return np.clip(heights, *a.ALTITUDE_RANGE)


def sample(model: str) -> np.ndarray:
    """Samples of ln(density) by f107a, ratio, ap, day, latitude, local time and altitude."""
    heights = altitudes()
    shape = (len(DAYS), len(LATITUDE_NODES), len(LOCAL_HOURS), len(LONGITUDES))
    day, latitude, hours, longitude = np.meshgrid(
        DAYS, np.degrees(np.arcsin(LATITUDE_NODES)), LOCAL_HOURS, LONGITUDES, indexing="ij"
    )
    seconds = day * 86400 + np.round((hours - longitude / 15.0) % 24.0 * 3600.0).astype(int) % 86400
    times = np.datetime64("2023-01-01", "s") + seconds.astype("timedelta64[s]")
    # pymsis is fastest where the altitude alone changes from point to point
    times, latitude, longitude = (np.repeat(v.ravel(), len(heights)) for v in (times, latitude, longitude))
    height = np.tile(heights, day.size)
    result = np.empty((*a._CHEBYSHEV, *shape[:3], len(heights)))
    begun = time.perf_counter()
    for (i, j, k), (f107a, ratio, ap) in zip(
        np.ndindex(*a._CHEBYSHEV),
        np.stack(np.meshgrid(*activity_nodes(), indexing="ij"), -1).reshape(-1, 3),
        strict=True,
    ):
        flux, mean = np.full(len(height), ratio * f107a), np.full(len(height), f107a)
        aps = np.broadcast_to(np.array([[ap] * 7]), (len(height), 7))
        density = pymsis.calculate(times, longitude, latitude, height, flux, mean, aps, version=VERSIONS[model])[:, 0]
        with np.errstate(invalid="ignore"):
            result[i, j, k] = np.log(density.reshape(*shape, len(heights)).mean(axis=3))
        if j == k == 0:
            print(f"{model}: {i + 1} of {a._CHEBYSHEV[0]} after {time.perf_counter() - begun:.0f} s", flush=True)
    # NRLMSISE-00 gives NaN at some points about 113 km, at high flux (its function dnet): the mean of the neighbours in altitude
    missing = ~np.isfinite(result)
    print(
        f"{model}: {missing.sum()} of {missing.size} samples have no value, at {heights[missing.any(axis=tuple(range(6)))]} km"
    )
    for level in np.flatnonzero(missing.any(axis=tuple(range(6)))):
        neighbours = 0.5 * (result[..., level - 1] + result[..., level + 1])
        result[..., level] = np.where(missing[..., level], neighbours, result[..., level])
    if not np.isfinite(result).all():
        sys.exit(f"{model}: samples without a value at neighbouring altitudes")
    return result


def fit(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit coefficients by the terms of f107a, ratio, ap, season, place and spline; also the matrix from places to polynomials.

    The place has an orthonormal basis first, so that dropping a small coefficient does little anywhere.
    """
    nodes = np.stack(np.meshgrid(*activity_nodes(), indexing="ij"), -1)
    f107a, ratio, ap = nodes[:, 0, 0, 0], nodes[0, :, 0, 1], nodes[0, 0, :, 2]
    terms = [
        np.array([a.activity_terms(f, f, ap[0])[0] for f in f107a]),
        np.array([a.activity_terms(r * 100.0, 100.0, ap[0])[1] for r in ratio]),
        np.array([a.activity_terms(100.0, 100.0, x)[2] for x in ap]),
    ]
    activity = [np.linalg.inv(t.astype(float)) for t in terms]
    season = np.linalg.pinv(np.array([a.season_terms(d + 1.5) for d in DAYS.astype(float)]))

    angle = (LOCAL_HOURS - 12.0) * np.pi / 12.0
    z, angle = (v.ravel() for v in np.meshgrid(LATITUDE_NODES, angle, indexing="ij"))
    across = np.sqrt(1.0 - z * z)
    basis = np.stack(a.polynomials(across * np.cos(angle), across * np.sin(angle), z), -1)
    root = np.sqrt(np.repeat(LATITUDE_WEIGHTS, len(LOCAL_HOURS)) / (2.0 * len(LOCAL_HOURS)))[:, None]
    orthonormal, triangle = np.linalg.qr(root * basis)
    place = (root * orthonormal).T

    flat = samples.reshape(*samples.shape[:4], -1, samples.shape[-1])
    coefficients = np.einsum(
        "ai,bj,ck,sd,gx,nh,ijkdxh->abcsgn", *activity, season, place, spline_matrix(), flat, optimize=True
    )
    return coefficients, np.linalg.inv(triangle)


def spline_matrix() -> np.ndarray:
    """Matrix from values at the knots to coefficients of the splines: interpolation, the third derivative without a jump at the
    second knot and the last but one ("not a knot")."""
    spline = np.zeros((a._INTERVALS + 3, a._INTERVALS + 3))
    spline[: a._INTERVALS + 1] = [a.spline_weights(h)[0] for h in altitudes()]
    spline[-2, :5] = spline[-1, -5:] = [1.0, -4.0, 6.0, -4.0, 1.0]
    return np.linalg.inv(spline)[:, : a._INTERVALS + 1]


def compress(coefficients: np.ndarray, to_polynomials: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor the coefficients into the product of two smaller arrays that is nearest to them, in float32."""
    split = 4
    matrix = coefficients.reshape(int(np.prod(coefficients.shape[:split])), -1)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    print(
        f"rms of what is dropped: {100.0 * np.sqrt((values[RANK:] ** 2).sum() / (values**2).sum()):.4f} % of the whole"
    )
    root = np.sqrt(values[:RANK])
    states = (left[:, :RANK] * root).reshape(*coefficients.shape[:split], RANK)
    profiles = (root[:, None] * right[:RANK]).reshape(RANK, *coefficients.shape[split:])
    profiles = np.einsum("pg,rgn->rpn", to_polynomials, profiles)
    return states.astype(np.float32), profiles.astype(np.float32)


if __name__ == "__main__":
    import jax

    jax.config.update("jax_enable_x64", True)
    main(sys.argv[1:])
