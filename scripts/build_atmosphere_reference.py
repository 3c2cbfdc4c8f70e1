"""Write tests/reference_data/atmosphere.npz: orbit-mean densities from pymsis for the tests of the atmosphere. A few seconds.

    python scripts/build_atmosphere_reference.py

`random_orbits` and `reference` also serve the benchmark, with more orbits.
"""

import json
from pathlib import Path

import numpy as np
import pymsis

TARGET = Path(__file__).parents[1] / "tests" / "reference_data" / "atmosphere.npz"
POINTS, LONGITUDES = 24, 8
YEAR = np.datetime64("2024-01-01", "s")
EARTH_RADIUS_KM, SUN_SYNCHRONOUS_KM = 6378.137, 12352.0  # cos(i) = -(a / 12352 km)^3.5 (Boain, AAS 04-108, 2004)


def random_orbits(n: int, seed: int) -> dict[str, np.ndarray]:
    """Random circular orbits from 150 to 1000 km, three in ten of them sun-synchronous, with indices as they occur."""
    random = np.random.default_rng(seed)
    altitude = random.uniform(150.0, 1000.0, n)
    inclination = random.uniform(0.0, 180.0, n)
    synchronous = np.degrees(np.arccos(-(((EARTH_RADIUS_KM + altitude) / SUN_SYNCHRONOUS_KM) ** 3.5)))
    f107a = np.exp(random.uniform(np.log(65.0), np.log(280.0), n))
    quiet, disturbed = random.gamma(1.5, 8.0, n), random.uniform(0.0, 150.0, n)
    return {
        "altitude_km": altitude,
        "inclination_deg": np.where(random.random(n) < 0.3, synchronous, inclination),
        "node_local_time_h": random.uniform(0.0, 24.0, n),
        "f107": np.clip(f107a * random.uniform(0.75, 1.35, n), 65.0, 300.0),
        "f107a": f107a,
        "ap": np.where(random.random(n) < 0.8, quiet, disturbed),
        "day_of_year": random.integers(1, 367, n),
    }


def reference(orbits: dict[str, np.ndarray], version: float) -> np.ndarray:
    """Density averaged over 24 points of the orbit at constant height and 8 longitudes of each, kg/m3."""
    n = len(orbits["altitude_km"])
    u = 2.0 * np.pi * (np.arange(POINTS) + 0.25) / POINTS
    inclination = np.radians(orbits["inclination_deg"])[:, None]
    latitude = np.degrees(np.arcsin(np.sin(inclination) * np.sin(u)))
    from_node = np.degrees(np.arctan2(np.cos(inclination) * np.sin(u), np.cos(u)))
    hours = (orbits["node_local_time_h"][:, None] + from_node / 15.0)[..., None]
    longitude = 7.0 + 360.0 / LONGITUDES * np.arange(LONGITUDES)
    seconds = np.floor((hours - longitude / 15.0) % 24.0 * 3600.0).astype(int) % 86400
    shape = (n, POINTS, LONGITUDES)

    def every(values: np.ndarray) -> np.ndarray:
        return np.broadcast_to(values, shape).ravel()

    day = orbits["day_of_year"][:, None, None] - 1
    f107, f107a, ap, altitude = (every(orbits[key][:, None, None]) for key in ("f107", "f107a", "ap", "altitude_km"))
    densities = pymsis.calculate(
        YEAR + (every(day) * 86400 + seconds.ravel()).astype("timedelta64[s]"),
        every(longitude),
        every(latitude[..., None]),
        altitude,
        f107,
        f107a,
        np.repeat(ap[:, None], 7, axis=1),
        version=version,
    )[:, 0]
    return densities.reshape(n, -1).mean(axis=1)


if __name__ == "__main__":
    orbits = random_orbits(300, seed=1)
    provenance = json.dumps(
        {"script": "scripts/build_atmosphere_reference.py", "pymsis_version": pymsis.__version__, "units": "kg/m3"}
    )
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        TARGET,
        **orbits,
        nrlmsise00=reference(orbits, 0),
        nrlmsis21=reference(orbits, 2.1),
        provenance=np.array(provenance),
    )
    print(f"{TARGET}: {TARGET.stat().st_size} bytes")
