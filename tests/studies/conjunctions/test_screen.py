"""Close approaches against what CelesTrak and the literature say, and what the function takes and refuses."""

import csv
import gzip
import logging
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import constellation_jax as cj
from constellation_jax.outputs.conjunction_variables import CONJUNCTION_FLAGS
from constellation_jax.outputs.formats import write

SECOND = np.timedelta64(1_000_000_000, "ns")


@pytest.fixture(scope="module")
def truth(shared_data: Path) -> Path:
    return shared_data / "conjunction"


@pytest.fixture(scope="module")
def collisions(truth) -> cj.Catalog:
    """Iridium 33, Cosmos 2251, Cerise, and a piece of an Ariane stage."""
    return cj.read_catalog(truth / "historical_collisions.tle")


def find(events: xr.Dataset, one: int, other: int) -> xr.Dataset:
    numbers = np.stack([events.satellite_number_1, events.satellite_number_2])
    return events.isel(event=np.flatnonzero((sorted((one, other)) == np.sort(numbers, axis=0).T).all(axis=1)))


def test_socrates_top_20(truth):
    """Those of two days, each at the printed time (1 ms) and range (1 m), the rounding of the print included, and at the printed
    speed."""
    catalog = cj.read_catalog(truth / "socrates_2026-03-09T18_top20_elements.omm.csv")
    rows = csv.DictReader((truth / "socrates_2026-03-09T18_top20.csv").read_text().splitlines())
    inside = [row for row in rows if "2026-03-14T01" < row["TCA"] < "2026-03-15T23:14"]
    assert len(inside) == 7
    events = cj.conjunctions(
        catalog, ("2026-03-14T01:00", "46.25h"), primaries=[row["NORAD_CAT_ID_1"] for row in inside], same_fleet=True
    )
    for row in inside:
        found = find(events, int(row["NORAD_CAT_ID_1"]), int(row["NORAD_CAT_ID_2"]))
        off = (found.tca.values - np.datetime64(row["TCA"].rstrip("Z"), "ns")) / SECOND
        k = int(np.argmin(np.abs(off)))
        assert abs(off[k]) < 0.001
        assert found.miss_distance.values[k] == pytest.approx(float(row["TCA_RANGE"]), abs=0.001)
        assert found.relative_speed.values[k] == pytest.approx(float(row["TCA_RELATIVE_SPEED"]), abs=0.001)


def test_iridium_33_and_cosmos_2251(collisions):
    """RMIT's 698.7 m at 16:55:59.80, and the RIC components that the same element sets give elsewhere, to their last digit."""
    events = cj.conjunctions(collisions[:2], ("2009-02-10T15:00", "2009-02-10T18:00"))
    assert events.sizes["event"] == 1
    assert abs((events.tca.values[0] - np.datetime64("2009-02-10T16:55:59.796", "ns")) / SECOND) < 0.001
    assert events.miss_distance.values[0] == pytest.approx(0.6980, abs=1e-4)
    assert events.relative_speed.values[0] == pytest.approx(11.647, abs=1e-3)
    np.testing.assert_allclose(events.miss_ric.values[0], [-0.032, -0.437, 0.544], atol=1e-3)
    assert events.status.values[0] == 0
    np.testing.assert_allclose(events.age_1.values, [0.9209], atol=1e-3)


def test_cerise_and_the_ends_of_a_span(collisions):
    """Six passes of the paper, a revolution apart; and the last one cut by either end of a span."""
    pair = collisions[2:]
    events = cj.conjunctions(pair, ("1996-07-24T00:00", "1996-07-24T10:00"))
    np.testing.assert_allclose(
        events.miss_distance.values, [1.958, 1.653, 1.371, 1.129, 0.957, 0.895], rtol=0, atol=0.0006
    )
    assert abs((events.tca.values[-1] - np.datetime64("1996-07-24T09:48:02.503", "ns")) / SECOND) < 0.001
    np.testing.assert_allclose(events.relative_speed.values, 14.769, atol=6e-4)
    for span, flag in (
        (("1996-07-24T09:48:02.6", "20min"), "at_start"),
        (("1996-07-24T09:00", "1996-07-24T09:48:02.4"), "at_end"),
    ):
        cut = cj.conjunctions(pair, span)
        assert cut.status.values.tolist() == [CONJUNCTION_FLAGS[flag]]
        assert cut.miss_distance.values[0] == pytest.approx(np.hypot(0.8953, 14.769 * 0.1), abs=0.04)
        assert cut.seconds.values[0] == pytest.approx(0.0 if flag == "at_start" else 2882.4)


@pytest.mark.slow
def test_all_approaches_of_an_hour(truth):
    """1,273 of 1,273 among 18,407 objects, and no other; 2 ms and 1 m are the digits of the list."""
    catalog = cj.read_catalog(truth / "socrates_2026-03-10T04_elements_18407.omm.csv.gz")
    start = np.datetime64("2026-03-10T04:00", "ns")
    events = cj.conjunctions(catalog, (start, "1h"), same_fleet=True)
    passes = events.isel(event=np.flatnonzero(events.status.values & 0b111 == 0))
    passes = passes.isel(event=np.flatnonzero(passes.relative_speed.values > 0.01))
    numbers = np.sort(np.stack([passes.satellite_number_1, passes.satellite_number_2]), axis=0)
    own = np.stack([*numbers, passes.seconds, passes.miss_distance], axis=1)
    rows = []
    with gzip.open(truth / "screen_2026-03-10T04_1h_5km_1273.csv.gz", "rt") as file:
        for row in csv.DictReader(file):
            pair = sorted(int(row[f"NORAD_CAT_ID_{k}"]) for k in (1, 2))
            rows.append((*pair, (np.datetime64(row["TCA"], "ns") - start) / SECOND, float(row["TCA_RANGE"])))
    theirs = np.array(rows)
    own, theirs = (a[np.lexsort((a[:, 2], a[:, 1], a[:, 0]))] for a in (own, theirs))
    assert len(theirs) == 1273
    np.testing.assert_array_equal(own[:, :2], theirs[:, :2])
    np.testing.assert_allclose(own[:, 2], theirs[:, 2], rtol=0, atol=0.002)
    np.testing.assert_allclose(own[:, 3], theirs[:, 3], rtol=0, atol=0.001)


@pytest.fixture(scope="module")
def planned() -> cj.Catalog:
    """A small planned shell with random phases would meet itself: two shells of one constellation at one altitude, and a
    stranger."""
    common = {"altitude_km": 600.0, "planes": 10, "satellites_per_plane": 10}
    shells = [
        cj.Shell.from_values({"name": name, "inclination_deg": inclination, "phasing": phasing} | common, system=system)
        for name, inclination, phasing, system in (
            ("A", 60.0, 1, "Testsat"),
            ("B", 61.0, 3, "Testsat"),
            ("C", 98.0, 0, "Other"),
        )
    ]
    return cj.shells_to_catalog(shells, epoch="2026-03-10")


def test_pairs_of_a_fleet_or_a_shell_are_left_out_unless_asked_for(planned):
    span = ("2026-03-10", "3h")
    every = cj.conjunctions(planned, span, 50.0, same_fleet=True, same_shell=True)
    shells = np.stack([every.shell_1.values, every.shell_2.values])
    one_shell = shells[0] == shells[1]
    one_fleet = (shells != "C").all(axis=0) | (shells == "C").all(axis=0)
    assert one_fleet.any()
    assert (~one_fleet).any()
    np.testing.assert_array_equal(every.status.values & CONJUNCTION_FLAGS["same_shell"] != 0, one_shell)
    np.testing.assert_array_equal(every.status.values & CONJUNCTION_FLAGS["same_fleet"] != 0, one_fleet)
    for options, wanted in (
        ({}, ~one_fleet),
        ({"same_fleet": True}, ~one_shell),
        ({"same_shell": True}, ~one_fleet | one_shell),
    ):
        found = cj.conjunctions(planned, span, 50.0, **options)
        np.testing.assert_array_equal(found.tca.values, every.tca.values[wanted])


def test_primaries_come_first_and_are_named_when_unknown(planned):
    span = ("2026-03-10", "3h")
    of_c = cj.conjunctions(planned, span, 50.0, primaries="* C *")
    assert set(of_c.shell_1.values) == {"C"}
    mask = cj.conjunctions(planned, span, 50.0, primaries=planned.shell == "C")
    xr.testing.assert_equal(of_c, mask)
    every = cj.conjunctions(planned, span, 50.0)
    swapped = every.isel(event=np.flatnonzero(every.shell_2.values == "C"))
    np.testing.assert_array_equal(swapped.tca.values, of_c.tca.values)
    # seen from the other object, the miss has another direction and the same length
    np.testing.assert_allclose(np.linalg.norm(of_c.miss_ric.values, axis=1), swapped.miss_distance.values, rtol=1e-12)
    with pytest.raises(cj.InputError, match=r"primaries: 'ISS' is not among the 300 objects"):
        cj.conjunctions(planned, span, primaries=["ISS"])
    with pytest.raises(cj.InputError, match="primaries: found a mask of shape"):
        cj.conjunctions(planned, span, primaries=np.ones(3, bool))


def test_states_and_distances_belong_together(planned):
    events = cj.conjunctions(planned, ("2026-03-10", "3h"), 50.0)
    miss = events.position_2.values - events.position_1.values
    speed = events.velocity_2.values - events.velocity_1.values
    np.testing.assert_allclose(np.linalg.norm(miss, axis=1), events.miss_distance.values, rtol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(speed, axis=1), events.relative_speed.values, rtol=1e-12)
    radial = (miss * events.position_1.values).sum(axis=1) / np.linalg.norm(events.position_1.values, axis=1)
    np.testing.assert_allclose(events.miss_ric.values[:, 0], radial, atol=1e-9)
    assert (np.diff(events.seconds.values) >= 0).all()
    assert (
        events.tca.values == np.datetime64("2026-03-10", "ns") + np.rint(events.seconds.values * 1e9).astype("m8[ns]")
    ).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance_km": 51.0}, r"distance_km 51.0: expected a distance above 0, up to 50 km"),
        ({"distance_km": 0.0}, r"distance_km 0.0: expected"),
        ({"step_s": 5.0}, r"step_s 5.0: expected 10 to 120 s"),
        ({"span": ("2026-03-10", "2026-03-10")}, r"span from .*: expected an end after the start"),
        ({"span": ("2026-03-10", "soon")}, r"soon"),
        (
            {"memory_bytes": 4000},
            r"distance_km 50: some [\d,]+ approaches expected .* memory_bytes hold 10; ask for a shorter span",
        ),
    ],
)
def test_mistakes_are_named(planned, change, message):
    given = {"span": ("2026-03-10", "3h"), "distance_km": 50.0} | change
    with pytest.raises(cj.InputError, match=message):
        cj.conjunctions(planned, **given)


def test_a_span_far_from_the_epochs_warns_with_the_ages(collisions, caplog):
    with caplog.at_level(logging.WARNING, "constellation_jax"):
        cj.conjunctions(collisions[:2], ("2009-06-10", "1h"))
    assert "2 of 2 element sets: the span reaches 120 to 121 days from their epochs" in caplog.text


def test_files(planned, tmp_path):
    span = ("2026-03-10", "3h")
    path = tmp_path / "events.nc"
    events = cj.conjunctions_to(path, planned, span, 50.0)
    with xr.open_dataset(path) as back:
        xr.testing.assert_equal(back.load(), events)
        assert back.attrs["distance_km"] == 50.0
        assert back.status.attrs["flag_meanings"].split()[:3] == ["together", "at_start", "at_end"]
    with pytest.raises(cj.InputError, match="exists already"):
        cj.conjunctions_to(path, planned, span)
    table = tmp_path / "events.csv"
    write(events, table)
    head, first = table.read_text().splitlines()[:2]
    assert head.split(",")[0] == "event"
    assert {"miss_distance [km]", "miss_ric_radial [km]", "position_1_x [km]"} <= set(head.split(","))
    assert "TESTSAT" in first.upper()
    none = cj.conjunctions_to(tmp_path / "none.nc", planned[:2], span, 1.0)
    assert none.sizes["event"] == 0
    with xr.open_dataset(tmp_path / "none.nc") as back:
        assert back.sizes["event"] == 0


def test_encounters_of_shells_are_counted_as_the_theory_expects(catalog_of):
    """Two shells of random phases among random orbits: counts agree with the expectation to four standard errors, 10 % here."""
    rng = np.random.default_rng(5)
    shells = [
        cj.Shell.from_values({"name": name, "altitude_km": altitude, "inclination_deg": i, "planes": 17, "satellites_per_plane": 12,
                              "phasing": 5, "eccentricity": 0.001})
        for name, altitude, i in (("A", 600.0, 53.0), ("B", 600.5, 70.0))
    ]  # fmt: skip
    motion = rng.uniform(14.5, 15.3, 1500)
    real = catalog_of([(n, 0.003, i, 0.0) for n, i in zip(motion, rng.uniform(30, 120, 1500), strict=True)], rng,
                      epoch_day=61109, epoch_fraction=0.0)  # fmt: skip
    rates = cj.encounter_rates(real, shells, days=0.25, distance_km=30.0, miss_distance_km=1.0)
    assert rates.other.values.tolist() == ["A", "B", "catalogue"]
    counted, expected = rates.encounters_per_day.values, rates.expected_per_day.values
    assert (np.diag(rates.encounters.values) == 0).all()
    assert rates.encounters.values[0, 1] == rates.encounters.values[1, 0]
    error = counted[:, 2] / np.sqrt(rates.encounters.values[:, 2])
    assert (error < 0.04 * counted[:, 2]).all()
    assert (np.abs(counted - expected)[:, 2] < 4.0 * error + 0.03 * expected[:, 2]).all()
    ratio = rates.encounters_per_year / rates.expected_per_year
    np.testing.assert_allclose(ratio.values[:, 2], counted[:, 2] / expected[:, 2], rtol=1e-9)
    with pytest.raises(cj.InputError, match=r"days 0: expected a number above 0, up to 60"):
        cj.encounter_rates(real, shells, days=0)
