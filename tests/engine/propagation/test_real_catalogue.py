"""Every object of a real catalogue, against python-sgp4: positions, and when and how each one fails."""

from pathlib import Path

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec

import constellation_jax as cj
from constellation_jax.inputs.times import to_day_fraction

FLOAT32_METRES = {"median": 1.5, "worst low": 10.0}


def _satrecs(catalog: cj.Catalog) -> list[Satrec]:
    """python-sgp4's own, from the same numbers; its OMM reader does not take them all, and rounds the epoch to 0.3 us."""
    e = catalog.elements
    # sgp4init takes the epoch as one number: rounded as python-sgp4's TLE reader and Vallado's code do it
    epoch = ((catalog.epoch_day + 2400000.5) + catalog.epoch_fraction) - 2433281.5
    satrecs = []
    for k in range(len(catalog)):
        satrec = Satrec()
        satrec.sgp4init(
            WGS72, "i", 1, epoch[k], e.bstar[k], 0.0, 0.0, e.eccentricity[k], e.arg_perigee[k], e.inclination[k],
            e.mean_anomaly[k], e.mean_motion[k], e.raan[k],
        )  # fmt: skip
        satrecs.append(satrec)
    return satrecs


def _reference(catalog: cj.Catalog, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Positions (time, satellite, 3), km, and codes that stay after the first failure."""
    day, fraction = to_day_fraction(times)
    positions, codes = [], []
    for k, satrec in enumerate(_satrecs(catalog)):
        days = (day - catalog.epoch_day[k]) + (fraction - catalog.epoch_fraction[k])
        error, r, _ = satrec.sgp4_array(np.full(len(times), satrec.jdsatepoch), satrec.jdsatepochF + days)
        first = np.argmax(error != 0)
        if error[first]:
            error[first:] = error[first]
        positions.append(r)
        codes.append(error)
    return np.stack(positions, axis=1), np.stack(codes, axis=1)


@pytest.fixture(scope="module")
def catalog(shared_data: Path) -> cj.Catalog:
    return cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")


def test_every_object_within_a_millimetre_and_every_failure_equal(catalog: cj.Catalog) -> None:
    assert len(catalog) == 16_400
    # from three days before the median epoch to thirty after
    times = cj.time_grid("2026-08-19T00:00:00Z", "33d", "190min")
    found = cj.propagate(catalog, times, variables="position")
    positions, codes = _reference(catalog, times)
    assert np.count_nonzero(codes[-1]) > 50  # the catalogue has objects that decay within the month
    np.testing.assert_array_equal(found["status"], codes)
    ours = np.stack([found[name].values for name in ("x", "y", "z")], axis=-1)
    error_mm = 1e6 * np.linalg.norm(ours - positions, axis=-1)[codes == 0]
    print(f"\nfloat64 against python-sgp4: worst {error_mm.max():.3g} mm, median {np.median(error_mm):.2g} mm")
    assert error_mm.max() < 1.0


@pytest.mark.parametrize("start", ["2026-08-22T00:00:00Z", "2026-09-20T00:00:00Z"])
def test_interpolation_adds_less_than_a_millimetre_and_misses_no_failure(catalog: cj.Catalog, start: str) -> None:
    times = cj.time_grid(start, "5h", "1min")
    dense, direct = (cj.propagate(catalog, times, variables="position", dense=d) for d in (True, False))
    assert "interpolated" in dense.attrs["interpolation"]
    np.testing.assert_array_equal(dense["status"], direct["status"])
    error_mm = 1e6 * np.sqrt(sum((dense[k] - direct[k]) ** 2 for k in ("x", "y", "z"))).values
    print(f"\ninterpolated at {start}: worst {np.nanmax(error_mm):.3g} mm, median {np.nanmedian(error_mm):.2g} mm")
    assert np.nanmax(error_mm) < 1.0  # the tolerance
    assert np.nanmedian(error_mm) > 1e-5  # most were interpolated: what is evaluated agrees to rounding


@pytest.mark.slow
def test_float32_about_anchors_stays_within_metres(catalog: cj.Catalog) -> None:
    # from three days before the median epoch to sixty after
    for start in ("2026-08-19T00:00:00Z", "2026-09-21T00:00:00Z", "2026-10-20T21:00:00Z"):
        times = cj.time_grid(start, "3h", "100s")
        exact, single = (
            cj.propagate(catalog, times, precision=p, variables="position") for p in ("float64", "float32")
        )
        alive = (exact["status"] == 0) & (single["status"] == 0)
        error = 1e3 * np.sqrt(sum((single[k].astype(float) - exact[k]) ** 2 for k in ("x", "y", "z"))).where(alive)
        low = error[:, (catalog.mean_altitude_km < 2000) & (catalog.eccentricity < 0.1)]
        print(
            f"\nfloat32 from {start}: median {float(low.median()):.2f} m, worst {float(low.max()):.1f} m in low orbits"
        )
        assert float(low.median()) < FLOAT32_METRES["median"]
        assert float(low.max()) < FLOAT32_METRES["worst low"]
