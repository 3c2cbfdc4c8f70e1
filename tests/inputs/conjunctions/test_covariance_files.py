"""Covariances from files: Starlink's MEME, OEM with either axes, messages and histories, and how they meet close approaches."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.inputs.conjunctions.age_table import classify, load_age_table
from constellation_jax.inputs.ephemerides.covariances import read_covariance_tables
from constellation_jax.studies.conjunctions.covariance import CLASS, GIVEN, HISTORY, covariances_of

OEM = """CCSDS_OEM_VERS = 2.0
META_START
OBJECT_NAME = SOME
OBJECT_ID = {number}
CENTER_NAME = EARTH
REF_FRAME = EME2000
TIME_SYSTEM = UTC
META_STOP
2026-01-01T00:00:00 0 7000 0 -7.5 0 0
2026-01-01T01:00:00 0 0 7000 0 -7.5 0
COVARIANCE_START
EPOCH = 2026-01-01T00:00:00
COV_REF_FRAME = RTN
1e-4
2e-4 9e-4
0 0 4e-4
0 0 0 1e-9
0 0 0 0 1e-9
0 0 0 0 0 1e-9
EPOCH = 2026-01-01T01:00:00
4e-4
0 9e-4
0 1e-4 1e-4
0 0 0 1e-9
0 0 0 0 1e-9
0 0 0 0 0 1e-9
COVARIANCE_STOP
"""


def events_of(catalog: cj.Catalog, first: list[int], second: list[int], tca: list[str]) -> xr.Dataset:
    times = np.array(tca, "datetime64[ns]")
    found: dict[str, Any] = {"tca": ("event", times)}
    for k, chosen in (("1", first), ("2", second)):
        found[f"object_{k}"] = ("event", np.array(chosen))
        found[f"age_{k}"] = ("event", (times - catalog.epoch[chosen]) / np.timedelta64(86_400_000_000_000, "ns"))
    return xr.Dataset(found)


def test_starlink_states_its_growing_error(shared_data: Path) -> None:
    """Standard deviations as the file begins and as it ends, in km, and round there: a model."""
    (table,) = read_covariance_tables(next((shared_data / "truth").glob("MEME_48430_*")))
    assert (table.norad_id, len(table.times)) == (48430, 4321)
    sigma = np.sqrt(np.einsum("tii->ti", table.ric))
    np.testing.assert_allclose(sigma[0], np.sqrt([4.8724090594e-07, 7.7417944246e-07, 1.2503020968e-06]), rtol=1e-12)
    np.testing.assert_allclose(sigma[-1], [0.18, 6.8, 0.83], rtol=0.03)
    assert (np.linalg.eigvalsh(table.ric) > 0.0).all()


def test_axes_of_an_oem(tmp_path: Path) -> None:
    path = tmp_path / "some.oem"
    path.write_text(OEM.format(number=25544))
    (table,) = read_covariance_tables(path)
    np.testing.assert_array_equal(table.ric[0], [[1e-4, 2e-4, 0], [2e-4, 9e-4, 0], [0, 0, 4e-4]])
    # of a state along z that moves along -y, radial is z, in-track is -y and cross-track is x
    np.testing.assert_allclose(table.ric[1], [[1e-4, -1e-4, 0], [-1e-4, 9e-4, 0], [0, 0, 4e-4]], atol=1e-18)
    for old, new, said in (
        ("RTN", "TNW", "COV_REF_FRAME: found 'TNW', expected RTN"),
        ("2e-4 9e-4\n", "", "expected the 21 of a lower triangle"),
        ("1e-4\n2e", "x\n2e", "expected EPOCH, COV_REF_FRAME or numbers"),
        (OEM[OEM.index("COVARIANCE_START") :], "", "no covariances"),
    ):
        path.write_text(OEM.format(number=25544).replace(old, new))
        with pytest.raises(cj.InputError, match=said):
            cj.read_covariances(path)


def test_files_come_before_history_and_class(shared_data: Path, tmp_path: Path) -> None:
    """An ephemeris within its span, a message around its time, a history of earlier dates, and the class elsewhere."""
    pair = cj.read_catalog(shared_data / "conjunction" / "historical_collisions.tle")[:2]
    objects = cj.Catalog.concatenate([pair[:1].replace(norad_id=[25544]), pair[1:], pair])
    oem = tmp_path / "some.oem"
    oem.write_text(OEM.format(number=25544).replace("2026-01-01", "2009-02-10"))
    earlier = pair[1:].replace(epoch_day=pair.epoch_day[1:] - 2)
    inside, outside = "2009-02-10T00:30", "2009-02-10T02:00"
    events = events_of(objects, [0, 0, 2], [1, 1, 3], [inside, outside, inside])
    files = cj.read_covariances(oem)._replace(history=earlier)
    one, two = covariances_of(events, objects, files)
    assert one.source.tolist() == [GIVEN, CLASS, CLASS]
    assert two.source.tolist() == [HISTORY, HISTORY, HISTORY]  # a set of two days before
    np.testing.assert_allclose(one.ric[..., 0], [[1e-4, 5e-5, 0], [5e-5, 9e-4, 0], [0, 0, 4e-4]], rtol=1e-12)
    sigma = load_age_table().at(classify(objects.name, objects.mean_altitude_km)[[0]], events["age_1"].values[1:2])
    np.testing.assert_allclose(np.einsum("iin->ni", one.ric)[1], sigma[0] ** 2, rtol=1e-12)


def test_a_message_holds_for_its_minute(shared_data: Path, tmp_path: Path) -> None:
    pair = cj.read_catalog(shared_data / "conjunction" / "historical_collisions.tle")[:2]
    met = "2009-02-10T16:55:59.796"
    events = events_of(pair, [0, 0], [1, 1], [met, "2009-02-10T18:36"])
    whole = events.assign({f"satellite_number_{k}": ("event", pair.norad_id[[k - 1] * 2]) for k in (1, 2)})
    vectors = {
        "position_1": [7155.0, 0, 0],
        "velocity_1": [0, 7.4, 0],
        "position_2": [7155.5, 0.3, 0.5],
        "velocity_2": [0, 0, 7.4],
    }
    for name, value in vectors.items():
        whole[name] = (("event", "xyz"), np.tile(value, (2, 1)).astype(float))
    for name in ("miss_ric", "relative_velocity_ric"):
        whole[name] = (("event", "ric"), np.full((2, 3), 0.1))
    for k in (1, 2):
        whole[f"name_{k}"] = ("event", np.array(["A", "B"], object))
        whole[f"sigma_ric_{k}"] = (("event", "ric"), np.tile([0.1, 0.3 * k, 0.2], (2, 1)))
    whole = whole.assign(miss_distance=("event", [0.7, 0.7]), relative_speed=("event", [10.5, 10.5]))
    path = cj.write_cdm(whole, 0, tmp_path / "one.cdm")
    one, two = covariances_of(events, pair, cj.read_covariances(path))
    assert one.source.tolist() == two.source.tolist() == [GIVEN, CLASS]
    np.testing.assert_allclose(np.einsum("iin->ni", two.ric)[0], [0.01, 0.36, 0.04], rtol=1e-12)
