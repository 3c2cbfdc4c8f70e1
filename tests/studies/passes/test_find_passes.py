"""Passes against skyfield, and against the propagation at their own instants; shadow against astropy's Sun."""

import numpy as np
import pytest
import xarray as xr
from skyfield_truth import satellite_of, site_of, times_of, timescale

import constellation_jax as cj
from constellation_jax.engine.passes.search import _find_near as find_near  # compiled
from constellation_jax.engine.precision import x64
from constellation_jax.studies.passes.passes import make_places

SITES = (
    cj.Site("Greenwich", 51.478, 0.0, 90.0),
    cj.Site("Quito", -0.18, -78.47, 2850.0),
    cj.Site("Svalbard", 78.23, 15.39, 480.0),
    cj.Site("Sydney", -33.868, 151.207, 40.0),
)
START, LENGTH = "2025-06-25T00:00:00", "1d"
LEAST = 10.0
RISE, CULMINATION, SET = range(3)
GEO, DOOMED = 5, 7


@pytest.fixture(scope="module")
def catalog() -> cj.Catalog:
    """Low, sun-synchronous, high, navigation, Molniya and geostationary orbits, and one that is about to decay."""
    columns = np.array(
        [
            # rev/day, eccentricity, inclination, raan, perigee, anomaly, B*
            (15.49, 0.0007, 51.6, 247.0, 130.0, 325.0, 3e-5),
            (14.81, 0.0010, 97.9, 60.0, 90.0, 20.0, 2e-5),
            (15.06, 0.0002, 53.0, 100.0, 90.0, 200.0, 1e-5),
            (12.62, 0.0001, 87.9, 40.0, 90.0, 300.0, 0.0),
            (2.0057, 0.0100, 55.0, 150.0, 50.0, 310.0, 0.0),
            (1.00273, 0.0002, 0.05, 80.0, 10.0, 190.0, 0.0),
            (2.0064, 0.7200, 63.4, 200.0, 270.0, 10.0, 0.0),
            (16.45, 0.0008, 51.6, 30.0, 100.0, 10.0, 0.02),
        ]
    ).T
    names = (
        "mean_motion_rev_per_day",
        "eccentricity",
        "inclination_deg",
        "raan_deg",
        "arg_perigee_deg",
        "mean_anomaly_deg",
    )
    return cj.Catalog.from_columns(
        dict(zip((*names, "bstar"), columns, strict=True))
        | {"epoch": ["2025-06-24T12:00:00"] * 8, "name": [f"S{k}" for k in range(8)]}
    )


@pytest.fixture(scope="module")
def found(catalog: cj.Catalog) -> xr.Dataset:
    return cj.passes(catalog, SITES, (START, LENGTH), min_elevation=LEAST)


def passes_of(found: xr.Dataset, site: int, satellite: int) -> xr.Dataset:
    mine = (found["pass_site"].values == site) & (found["pass_satellite"].values == satellite)
    return found.isel({"pass": np.flatnonzero(mine)})


def test_passes_are_those_of_skyfield(catalog: cj.Catalog, found: xr.Dataset) -> None:
    """Rise and set within 0.1 s, angles within 0.01 degrees; every pass that skyfield finds, and no other.

    skyfield stops its own search at half a second, so its altitude is asked for at our instants, and at its rate there turned into
    time. Its UT1 is of an older table than ours and it knows no polar motion here: some metres.
    """
    scale = timescale()
    span = times_of(np.array(["2025-06-25", "2025-06-26"], "M8[us]"), scale)
    counted = 0
    for k in range(len(catalog)):
        if k in (GEO, DOOMED):
            continue
        satellite = satellite_of(catalog, k, scale)
        for s, site in enumerate(SITES):
            place = site_of(site)
            mine = passes_of(found, s, k)
            times, events = satellite.find_events(place, span[0], span[1], altitude_degrees=LEAST)
            for event in (RISE, SET):
                own = mine["event_time"].values[:, event]
                own = np.sort(own[~np.isnat(own)])
                theirs = times.tt[events == event]
                assert len(own) == len(theirs)
                counted += len(own)
                if not len(own):
                    continue
                at = [(satellite - place).at(times_of(own, scale, shift)) for shift in (-0.5, 0.0, 0.5)]
                np.testing.assert_allclose(at[1].t.tt, theirs, rtol=0, atol=1.0 / 86400)
                before, here, after = (each.altaz()[0].degrees for each in at)
                assert (np.abs((here - LEAST) / (after - before)) < 0.1).all()
            time = mine["event_time"].values
            known = ~np.isnat(time)
            if not known.any():
                continue
            altitude, azimuth, distance = (satellite - place).at(times_of(time[known], scale)).altaz()
            turned = (azimuth.degrees - mine["event_azimuth"].values[known] + 180.0) % 360.0 - 180.0
            assert (np.abs(turned * np.cos(altitude.radians)) < 0.01).all()
            top = known.copy()
            top[:, [RISE, SET]] = False
            at_top = top[known]
            np.testing.assert_allclose(altitude.degrees[at_top], mine["max_elevation"].values, atol=0.01)
            np.testing.assert_allclose(distance.km[at_top], mine["least_range"].values, atol=0.05)
    assert counted > 100


def test_at_rise_and_set_the_propagation_stands_at_the_least_elevation(catalog: cj.Catalog, found: xr.Dataset) -> None:
    """SGP4 at the very instants, without the interpolation of the search: its 6 m are 0.001 degrees at 350 km."""
    mine = passes_of(found, 0, 0)
    times = mine["event_time"].values.ravel()
    seen = cj.observe(cj.propagate(catalog[:1], times, variables=("position",)), SITES)
    elevation = seen["elevation"].values[0, :, 0].reshape(-1, 3)
    np.testing.assert_allclose(elevation[:, [RISE, SET]], LEAST, atol=1e-3)
    np.testing.assert_allclose(elevation[:, CULMINATION], mine["max_elevation"], atol=1e-3)
    np.testing.assert_allclose(seen["azimuth"].values[0, :, 0].reshape(-1, 3), mine["event_azimuth"], atol=2e-3)
    np.testing.assert_allclose(seen["sunlit"].values[:, 0].reshape(-1, 3), mine["event_sunlit"], atol=2e-3)
    turning = cj.observe(cj.propagate(catalog[:1], times, variables=("position",), frame="itrs"), SITES)
    for name in ("azimuth", "elevation", "range", "sunlit"):
        np.testing.assert_allclose(turning[name], seen[name], atol=1e-6)


def test_a_pass_shorter_than_the_grid_is_found(catalog: cj.Catalog, found: xr.Dataset) -> None:
    mine = passes_of(found, 0, 0)
    highest = mine.isel({"pass": int(np.argmin(mine["max_elevation"].values))})
    grazed = float(highest["max_elevation"])
    for below in (0.001, 0.02):
        again = cj.passes(catalog, SITES, (START, LENGTH), min_elevation=grazed - below)
        near = np.abs(again["event_time"].values[:, CULMINATION] - highest["event_time"].values[CULMINATION])
        one = passes_of(again.isel({"pass": near < np.timedelta64(1, "s")}), 0, 0)
        assert one.sizes["pass"] == 1
        rise, top, sets = one["event_time"].values[0]
        assert rise < top < sets
        assert sets - rise < np.timedelta64(60, "s")
        np.testing.assert_allclose(one["max_elevation"], grazed, atol=1e-5)


def test_no_group_of_steps_in_which_a_satellite_is_up_is_left_out(catalog: cj.Catalog) -> None:
    """Against the elevation at every row; and of those left in not many more than a cone of some 30 degrees holds."""
    some = cj.Catalog.concatenate([catalog, cj.bundled_population()[::21][: 512 - len(catalog)]])
    times = cj.time_grid(START, "65min", "60s")  # a block
    found = cj.propagate(some, times, variables=("position", "velocity"), frame="itrs")
    states = np.stack([found[name].values for name in ("x", "y", "z", "vx", "vy", "vz")], axis=-1)
    states[20:30, 3] = np.nan
    places = make_places(SITES)
    away = states[None, ..., :3] - np.stack(places.position, axis=-1)[:, None, None]
    sine = np.einsum("ptsi,ip->pts", away, np.stack(places.up)) / np.linalg.norm(away, axis=-1)
    for least, most in ((0.0, 0.2), (10.0, 0.15), (60.0, 0.06), (89.0, 0.05)):
        with x64():
            near = np.asarray(find_near(states, places, np.float64(np.radians(least))))
        is_near = np.unpackbits(near[..., None], axis=-1, bitorder="little").astype(bool)  # (site, satellite, group)
        for group in range(8):
            is_up = (sine[:, 8 * group : 8 * group + 9] >= np.sin(np.radians(least))).any(axis=1)
            assert is_near[:, :, group][is_up].all()
        assert is_near.mean() < most


def test_what_is_up_all_the_time_has_no_rise_and_no_set(found: xr.Dataset) -> None:
    over = [passes_of(found, s, GEO) for s in range(len(SITES))]
    for mine in over:
        assert mine.sizes["pass"] in (0, 1)
        assert np.isnat(mine["event_time"].values[:, [RISE, SET]]).all()
        assert not np.isnat(mine["event_time"].values[:, CULMINATION]).any()
    assert sum(mine.sizes["pass"] for mine in over) > 0


def test_what_decays_sets_no_more(catalog: cj.Catalog, found: xr.Dataset) -> None:
    status = cj.propagate(catalog[[DOOMED]], cj.time_grid(START, LENGTH, "1h"), variables=())["status"].values[:, 0]
    assert status[-1] != 0
    rises = found["event_time"].values[found["pass_satellite"].values == DOOMED, RISE]
    end = np.datetime64(START) + np.timedelta64(int(np.argmax(status != 0)), "h")
    assert (rises[~np.isnat(rises)] < end).all()


def test_rows_are_in_order_and_events_in_time(found: xr.Dataset) -> None:
    order = np.lexsort((found["event_time"].values[:, CULMINATION], found["pass_satellite"], found["pass_site"]))
    np.testing.assert_array_equal(order, np.arange(found.sizes["pass"]))
    time = found["event_time"].values
    whole = ~np.isnat(time).any(axis=1)
    assert (time[whole, 0] < time[whole, 1]).all()
    assert (time[whole, 1] < time[whole, 2]).all()
    low = whole & (found["pass_satellite"].values < 4)  # whose sites grow neither dark nor light during a pass
    dark, light = found["sun_elevation"].values < -8.0, found["sun_elevation"].values > -4.0
    lit = (found["event_sunlit"].values >= 0.5).any(axis=1)
    np.testing.assert_array_equal(found["is_visible"].values[low & dark], lit[low & dark])
    assert not found["is_visible"].values[low & light].any()
    assert (low & dark & lit).any()
    assert (low & dark & ~lit).any()


def crossings(values: np.ndarray) -> np.ndarray:
    """Places where values of one a second change their sign, s."""
    before = np.flatnonzero(np.diff(np.sign(values)) != 0)
    return before + values[before] / (values[before] - values[before + 1])


def test_shadow_begins_when_the_earth_hides_the_sun(catalog: cj.Catalog) -> None:
    """Within 0.5 s of where the line from the satellite to the middle of astropy's Sun touches the sphere that skyfield takes."""
    from astropy.coordinates import TEME, get_sun
    from astropy.time import Time
    from skyfield.constants import ERAD

    times = cj.time_grid(START, "100min", "1s")
    seen = cj.observe(cj.propagate(catalog[:2], times, variables=("position",)))
    chosen = Time(times[::300])
    sun = get_sun(chosen).transform_to(TEME(obstime=chosen)).cartesian.xyz.to_value("km")
    sun = np.stack([np.interp(np.arange(len(times)), np.arange(0, len(times), 300), row) for row in sun])
    for k in range(2):
        position = np.stack([seen[name].values[:, k] for name in "xyz"])
        toward = (sun - position) / np.linalg.norm(sun - position, axis=0)
        along = (position * toward).sum(axis=0)
        over = np.linalg.norm(position - along * toward, axis=0) - ERAD / 1000.0
        lit = seen["sunlit"].values[:, k]
        edges = crossings(lit - 0.5)
        assert len(edges) >= 2
        np.testing.assert_allclose(edges, crossings(np.where(along < 0.0, over, 1e4)), atol=0.5)
        penumbra = ((lit > 0) & (lit < 1)).sum() / len(edges)
        assert 5 < penumbra < 30  # s: half a degree of the Sun at four degrees a minute, more at a slant


def test_mistakes_are_one_line(catalog: cj.Catalog) -> None:
    for arguments, options, said in (
        ((SITES, (START, "0s")), {}, "expected an end after the start"),
        ((SITES, START), {}, "expected a 1-D array"),
        (((), (START, "1d")), {}, "none, expected at least one"),
        (({"A": (91.0, 0.0)}, (START, "1d")), {}, "site 'A', latitude_deg: found 91.0"),
        ((SITES, (START, "1d")), {"min_elevation": 90.0}, "min_elevation 90.0"),
    ):
        with pytest.raises(cj.InputError, match=said):
            cj.passes(catalog, *arguments, **options)
    with pytest.raises(cj.InputError, match="no objects"):
        cj.passes(catalog[:0], SITES, (START, "1d"))
    with pytest.raises(cj.InputError, match="no 'x'; propagate with"):
        cj.observe(xr.Dataset())
