"""Fits of element sets: an operator's own ephemeris, a precise orbit, and orbits of SGP4, which come back exactly."""

from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.ephemerides.read import read_ephemeris
from constellation_jax.inputs.ephemerides.state_table import StateTable


@pytest.fixture(scope="module")
def meme(shared_data: Path) -> Path:
    (path,) = (shared_data / "truth").glob("MEME_*.txt.gz")
    return path


def distances(catalog: cj.Catalog, table: StateTable) -> np.ndarray:
    """Distance of the first object from a table in TEME, km."""
    found = cj.propagate(catalog, table.times, variables=("position",))
    return np.linalg.norm(np.stack([found[k].values[:, 0] for k in "xyz"], axis=-1) - table.position, axis=1)


def test_an_operators_ephemeris_is_met_better_than_by_the_published_set(shared_data: Path, meme: Path) -> None:
    """Beside CelesTrak's SupGP set of the same epoch, which was made of the same file: over all three days, and over one."""
    table = read_ephemeris(meme)[0].to_teme()
    published = cj.read_catalog(shared_data / "truth" / "starlink_supgp_48430_2023-01.tle")
    theirs = distances(published[int(np.argmin(np.abs(published.epoch - table.times[0])))], table)[::10]
    table = StateTable(
        **{**vars(table), "times": table.times[::10], "position": table.position[::10], "velocity": None}
    )
    for span, instants in ((None, slice(None)), ("1d", slice(0, 144))):
        fit = cj.fit_elements(meme, span=span)
        own = distances(fit.catalog, table)[instants]
        rms, published_rms = (np.sqrt(np.mean(d**2)) for d in (own, theirs[instants]))
        assert rms < published_rms
        np.testing.assert_allclose(fit.rms_km[0], rms, rtol=0.03)  # of 240 states, and of 432
        assert fit.has_converged.all()
    assert (fit.catalog.norad_id[0], fit.catalog.name[0]) == (48430, "STARLINK-2729")


def test_the_readers_reach_teme(shared_data: Path, meme: Path) -> None:
    """Against astropy's chain of IAU 2006, of which that of 1976 and 1980 is a metre or two off."""
    astropy_coordinates = pytest.importorskip("astropy.coordinates")
    from astropy import units
    from astropy.time import Time

    table = read_ephemeris(meme)[0]
    some = [0, -1]
    time = Time(table.times[some], scale="utc")
    given = astropy_coordinates.CartesianRepresentation(table.position[some].T * units.km)
    teme = astropy_coordinates.GCRS(given, obstime=time).transform_to(astropy_coordinates.TEME(obstime=time))
    expected = teme.cartesian.xyz.to_value(units.km).T
    np.testing.assert_allclose(table.to_teme().position[some], expected, rtol=0, atol=2e-3)
    (path,) = (shared_data / "truth").glob("*.sp3.gz")
    precise = read_ephemeris(path)[0]
    assert (precise.frame, len(precise.times)) == ("itrs", 5406)
    assert precise.times[0] == np.datetime64("2008-08-30T20:59:27")  # 33 s after TAI


def test_a_precise_orbit(shared_data: Path) -> None:
    """SGP4 follows Jason-2 to half a kilometre over four days; the elements published before are 3 km off at once."""
    (path,) = (shared_data / "truth").glob("*.sp3.gz")
    fit = cj.fit_elements(path)
    assert fit.rms_km[0] < 0.5
    assert fit.largest_km[0] < 1.5


def test_orbits_of_sgp4_come_back(tmp_path: Path) -> None:
    """Circular, eccentric and unlike steps; to the rounding of positions, from a Dataset and from an OEM."""
    catalog = cj.bundled_population()[:4].replace(eccentricity=[0.0, 1e-5, 0.001, 0.05], bstar=1e-4)
    times = catalog.epoch[0] + np.cumsum(1 + np.arange(240) % 7).astype("timedelta64[m]")
    states = cj.propagate(catalog, times, variables=("position", "velocity"))
    fit = cj.fit_elements(states)
    assert fit.has_converged.all()
    np.testing.assert_allclose(fit.largest_km, 0.0, atol=1e-5)  # a centimetre: where a step gains 1e-7 no more
    again = cj.propagate(fit.catalog, times, variables=("position",))
    np.testing.assert_allclose(again["x"], states["x"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(fit.catalog.bstar, 1e-4, rtol=1e-3)
    assert (fit.covariance >= 0.0).any(axis=(1, 2)).all()

    columns = [states[name].values[:, 3] for name in ("x", "y", "z", "vx", "vy", "vz")]
    lines = [f"{t} " + " ".join(f"{v:.12f}" for v in row) for t, *row in zip(times, *columns, strict=True)]
    oem = tmp_path / "one.oem"
    head = "CCSDS_OEM_VERS = 2.0\nMETA_START\nOBJECT_NAME = ONE\nOBJECT_ID = 2020-001A\nCENTER_NAME = EARTH\n"
    oem.write_text(head + "REF_FRAME = TEME\nTIME_SYSTEM = UTC\nMETA_STOP\n" + "\n".join(lines), encoding="utf-8")
    from_file = cj.fit_elements(oem)
    np.testing.assert_allclose(from_file.largest_km, 0.0, atol=1e-5)
    assert from_file.catalog.international_designator[0] == "2020-001A"


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    (tmp_path / "x.txt").write_text("nothing\n", encoding="utf-8")
    with pytest.raises(cj.InputError, match="expected an ephemeris in OEM, SP3 or MEME text"):
        cj.fit_elements(tmp_path / "x.txt")
    text = "CCSDS_OEM_VERS = 2.0\nMETA_START\nREF_FRAME = MOON\nMETA_STOP\n2026-01-01T00:00:00 1 2 3 4 5 6\n"
    (tmp_path / "x.oem").write_text(text, encoding="utf-8")
    with pytest.raises(cj.InputError, match="REF_FRAME"):
        cj.fit_elements(tmp_path / "x.oem")
