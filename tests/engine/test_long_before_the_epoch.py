"""Long before the epoch of a set with strong drag SGP4 gives 100,000 km and more with code 0: the engine fails it there."""

import numpy as np
import pytest
from sgp4.api import Satrec

import constellation_jax as cj

HIGH_DRAG = """1 90001U 26001A   26234.50000000  .09000000  00000-0  45000-1 0  9990
2 90001  97.6000 120.0000 0012000  90.0000 270.0000 15.92000000  1006
"""


def test_high_drag_backwards():
    catalog = cj.read_catalog(HIGH_DRAG)
    days = np.arange(-120.0, 1.0, 0.5)
    times = catalog.epoch[0] + (days * 86400e9).astype("timedelta64[ns]")
    dataset = cj.propagate(catalog, times, variables="position")
    status, distance = dataset.status.values[:, 0], np.sqrt(dataset.x**2 + dataset.y**2 + dataset.z**2).values[:, 0]
    satellite = Satrec.twoline2rv(*HIGH_DRAG.splitlines())
    theirs = np.array([satellite.sgp4_tsince(1440.0 * day) for day in days], dtype=object)
    far = [np.linalg.norm(r) for code, r, _ in theirs if code == 0]
    assert max(far) > 1e5  # the standard's answer, without a word
    assert np.nanmax(distance) < 12_300.0  # the period stays below 225 minutes
    sound = np.flatnonzero(status == 0)
    assert len(sound) >= 2
    np.testing.assert_array_equal(sound, np.arange(sound[0], len(days)))  # once failed, failed before that too
    for row in sound:
        np.testing.assert_allclose(distance[row], np.linalg.norm(theirs[row, 1]), rtol=0, atol=1e-5)


def test_a_real_catalogue_three_months_back(shared_data):
    catalog = cj.read_catalog(shared_data / "catalogs/active_2026-08-22.tle.gz")
    near = catalog[~catalog.is_deep_space][::5]
    dataset = cj.propagate(near, ["2026-05-22T00:00:00"], variables="position")
    distance = np.sqrt(dataset.x**2 + dataset.y**2 + dataset.z**2).values[0]
    assert np.nanmax(distance) < 2 * 12_300.0
    assert (dataset.status.values[0] == 0).mean() > 0.98  # drag hides few of them


def test_the_ages_of_old_element_sets_are_said(caplog: pytest.LogCaptureFixture):
    catalog = cj.read_catalog(HIGH_DRAG).replace(bstar=0.0)
    cj.propagate(catalog, ["2026-08-23", "2027-08-23"], variables="position")
    assert not caplog.records
    cj.propagate(catalog, ["2051-08-22T12:00"], variables="position")
    assert "1 of 1 element sets: instants lie 25.0 to 25.0 years from their epochs" in caplog.text
    with pytest.raises(cj.InputError, match=r"found str 'some\.tle', expected a Catalog: read_catalog makes one"):
        cj.propagate("some.tle", ["2026-08-23"])  # type: ignore[arg-type]


def test_decay_from_old_element_sets(caplog: pytest.LogCaptureFixture):
    catalog = cj.read_catalog(HIGH_DRAG).replace(mean_motion_rev_per_day=16.8)  # below the ground: nothing is computed
    cj.decay(catalog, years=1.0, start="2051-08-22T12:00", space_weather=(140.0, 15.0))
    assert "1 of 1 element sets: instants lie 25.0 to 25.0 years from their epochs" in caplog.text
