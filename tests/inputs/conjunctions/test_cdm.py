"""Conjunction data messages, tables of radii and the table of element errors: units, frames, and mistakes."""

from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.conjunctions.age_table import CLASSES, classify, load_age_table
from constellation_jax.inputs.conjunctions.cdm import COVARIANCE, read_cdm
from constellation_jax.inputs.conjunctions.radii import find_radii, read_radii

STATE = {"X": "7000.0 [km]", "Y": "0", "Z": "0.0", "X_DOT": "0", "Y_DOT": "7.5 [km/s]", "Z_DOT": "0"}


def make_message(**changes: str) -> bytes:
    """Message of two objects that are alike, with changes of single values."""
    rows = ["CCSDS_CDM_VERS = 1.0", f"TCA = {changes.pop('TCA', '2026-03-10T04:00:00.250')}", "COMMENT HBR = 12.5 [m]"]
    for k in (1, 2):
        values = {
            "OBJECT": f"OBJECT{k}",
            "OBJECT_DESIGNATOR": f"0000{k}",
            "OBJECT_NAME": f"NAME {k}",
            "REF_FRAME": "EME2000",
        }
        values |= STATE | {key: f"{100.0 * (i + 1)}" for i, key in enumerate(COVARIANCE)} | changes
        rows += [f"{key:<20} = {value}" for key, value in values.items() if value != "-"]
    return "\n".join(rows).encode()


def test_a_message_is_read_with_its_units() -> None:
    message = read_cdm(make_message())
    one, two = message.objects
    assert (message.tca, message.radius_m) == (np.datetime64("2026-03-10T04:00:00.250"), 12.5)
    assert (one.designator, two.name) == ("00001", "NAME 2")
    np.testing.assert_array_equal(one.velocity, [0.0, 7.5, 0.0])
    # CR_R, CT_R and CNDOT_NDOT are the 1st, 2nd and 21st: 100, 200 and 2100 m2
    np.testing.assert_allclose([one.covariance[0, 0], one.covariance[0, 1], one.covariance[5, 5]], [1e-4, 2e-4, 2.1e-3])
    np.testing.assert_array_equal(one.covariance, one.covariance.T)


def test_day_of_year_and_an_earth_fixed_frame() -> None:
    message = read_cdm(make_message(TCA="2026-069T04:00:00", REF_FRAME="ITRF"))
    assert message.tca == np.datetime64("2026-03-10T04:00:00")
    np.testing.assert_allclose(message.objects[0].velocity, [0.0, 7.5 + 7000.0 * 7.292115e-5, 0.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"X": "seven [km]"}, "line 8, X: found 'seven', expected a number"),
        ({"X": "7e6 [m]"}, r"X: found the unit 'm', expected \[km\]"),
        ({"CR_R": "-"}, "the keyword CR_R is missing"),
        ({"REF_FRAME": "MOON"}, "REF_FRAME 'MOON': unknown"),
        ({"TCA": "yesterday"}, "TCA: time 'yesterday'"),
    ],
)
def test_mistakes_are_named(changes: dict[str, str], message: str) -> None:
    with pytest.raises(cj.InputError, match=message):
        read_cdm(make_message(**changes))


def test_other_texts_are_no_messages(tmp_path: Path) -> None:
    with pytest.raises(cj.InputError, match="expected a CDM in KVN"):
        read_cdm(b"CCSDS_OEM_VERS = 2.0")
    with pytest.raises(cj.InputError, match="found 0 objects"):
        read_cdm(b"CCSDS_CDM_VERS = 1.0\nTCA = 2026-01-01")
    with pytest.raises(cj.InputError, match="no such file"):
        cj.read_cdms(tmp_path / "nothing.cdm")


def test_radii_by_class_table_and_number(tmp_path: Path) -> None:
    numbers, names = np.array([1, 2, 3]), np.array(["STARLINK-1", "A", "B"])
    np.testing.assert_array_equal(find_radii(numbers, names), [10.0, 1.0, 1.0])
    (tmp_path / "r.csv").write_text("NORAD_CAT_ID,HBR_M,HBR_SIGMA_M\n2,3.5,1\n3,,\n", encoding="utf-8")
    np.testing.assert_array_equal(find_radii(numbers, names, tmp_path / "r.csv"), [10.0, 3.5, 1.0])
    np.testing.assert_array_equal(find_radii(numbers, names, 2.0), [2.0, 2.0, 2.0])
    (tmp_path / "r.csv").write_text("NORAD_CAT_ID,RADIUS\n2,3.5\n", encoding="utf-8")
    with pytest.raises(cj.InputError, match="no column HBR_M"):
        read_radii(tmp_path / "r.csv")
    with pytest.raises(cj.InputError, match="one for each object"):
        find_radii(numbers, names, np.ones(2))


def test_errors_of_elements_grow_with_age() -> None:
    table = load_age_table()
    classes = np.arange(len(CLASSES))
    at_age = np.stack([table.at(classes, np.full(len(CLASSES), age)) for age in (0.0, 0.25, 1.0, 3.0, 7.0, 20.0)])
    assert (np.diff(at_age[1:], axis=0) > 0.0).all()
    np.testing.assert_array_equal(at_age[0], at_age[1])  # as at the first row before it
    np.testing.assert_allclose(table.at(classes, np.full(len(CLASSES), -3.0)), at_age[3])
    names = np.array(["ONEWEB-0012", "starlink-7", "X", "X", "X"])
    found = classify(names, np.array([1200.0, 300.0, 449.0, 700.0, 36000.0]))
    assert [CLASSES[k] for k in found] == ["oneweb", "starlink", "below_450_km", "600_to_800_km", "above_2000_km"]
