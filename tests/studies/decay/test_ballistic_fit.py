"""Fits of the ballistic coefficient to histories of element sets, made and real."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.mean_orbits import kozai_mean_motion_rev_per_day
from constellation_jax.inputs.times import to_day_fraction


def history(number: int, b: float) -> Catalog:
    """Sets every second day of an object that decays as `decay` says."""
    one = Catalog.from_columns(
        {
            "norad_id": number,
            "epoch_day": [60310],
            "epoch_fraction": 0.0,
            "eccentricity": 1e-4,
            "inclination_deg": 53.0,
            "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(400.0, 1e-4, 53.0),
            "raan_deg": 10.0,
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
        }
    )
    track = cj.decay(one, years=0.3, ballistic_coefficient=b, space_weather=(140.0, 15.0), ensemble=0).isel(satellite=0)
    track = track.isel(time=slice(0, 60, 2))
    day, fraction = to_day_fraction(track.time.values)
    node = 10.0 - 5.0 * (day - 60310)  # degrees a day, near enough
    return Catalog.from_columns(
        {
            "norad_id": number,
            "epoch_day": day,
            "epoch_fraction": fraction,
            "eccentricity": 1e-4,
            "inclination_deg": 53.0,
            "mean_motion_rev_per_day": kozai_mean_motion_rev_per_day(
                track.mean_altitude.values.astype(float), 1e-4, 53.0
            ),
            "raan_deg": np.mod(node, 360.0),
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
        }
    )


@pytest.mark.slow
def test_a_fit_gives_back_the_coefficient() -> None:
    catalog = history(7, 0.02) + history(5, 0.006)
    shuffled = catalog[np.random.default_rng(1).permutation(len(catalog))]
    found = cj.fit_ballistic_coefficient(shuffled, space_weather=(140.0, 15.0))
    order = np.argsort(found.norad_id)
    np.testing.assert_allclose(found.coefficient[order], [0.006, 0.02], rtol=0.01)
    assert (found.uncertainty < 0.05 * found.coefficient).all(), "the least error that is stated is 4 %"
    assert not found.raised.any()
    assert found.sets.tolist() == [30, 30]


def test_too_few_sets_and_orbits_that_rise() -> None:
    catalog = history(7, 0.02)
    few = cj.fit_ballistic_coefficient(catalog[:3], space_weather=(140.0, 15.0))
    assert np.isnan(few.coefficient[0])
    backwards = catalog.replace(mean_motion_rev_per_day=catalog.mean_motion_rev_per_day[::-1])
    rising = cj.fit_ballistic_coefficient(backwards, space_weather=(140.0, 15.0))
    assert rising.raised[0]
    assert np.isnan(rising.coefficient[0])
    with pytest.raises(cj.InputError, match="nothing to fit"):
        cj.fit_ballistic_coefficient(catalog[:0])


def test_genesat_from_its_first_90_days(shared_data: Path, tmp_path: Path) -> None:
    """GeneSat-1, 4.6 kg and 10 x 10 x 34 cm: Cd 2.2 and its mean cross-section (a quarter of the surface) give 0.019 m2/kg."""
    source = gzip.decompress((shared_data / "space_weather/sw19571001_2026-10-16.txt.gz").read_bytes())
    (tmp_path / "sw.txt").write_bytes(source)
    catalog = cj.read_catalog(shared_data / "decay/genesat-1_29655_2006-2010.tle.gz").sort("epoch")
    first = catalog[np.flatnonzero(catalog.epoch < catalog.epoch[0] + np.timedelta64(90, "D"))]
    found = cj.fit_ballistic_coefficient(first, space_weather=tmp_path / "sw.txt")
    assert 0.017 < found.coefficient[0] < 0.021
    # the halves differ by a third, as F10.7A falls from 88 to 74 and the correction for a quiet Sun sets in: 0.29
    assert found.uncertainty[0] < 0.3 * found.coefficient[0]
    assert found.doubt[0] == 4  # and says so: unsteady
    assert found.pieces[0] == 1
    # of the quiet years, for B grows by a sixth as the satellite falls in 2010
    years = catalog[np.flatnonzero(catalog.epoch < np.datetime64("2010-01-01"))]
    whole = cj.fit_ballistic_coefficient(years, space_weather=tmp_path / "sw.txt")
    assert abs(found.coefficient[0] / whole.coefficient[0] - 1.0) < 0.1
