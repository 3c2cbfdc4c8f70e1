"""Bundled population against the statistics that it is generated from, and against itself on every run."""

import hashlib
import time
from pathlib import Path

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec, SatrecArray

from constellation_jax.errors import InputErrors
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.population import bundled_population, read_population
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.shells.mean_orbits import mean_sun_right_ascension_deg

CONFIG = configs_folder() / "population" / "leo-2025-06-24.toml"

# CelesTrak's active satellites of 2025-06-24, by mean altitude: lower edge of each 50 km bin and count.
HISTOGRAM = {
    200: 11, 250: 20, 300: 124, 350: 782, 400: 728, 450: 2848, 500: 2701, 550: 2251, 600: 157, 650: 126, 700: 45,
    750: 144, 800: 58, 850: 39, 900: 40, 950: 21, 1000: 23, 1050: 110, 1100: 25, 1150: 394, 1200: 280, 1300: 3,
    1400: 30, 1450: 57,
}  # fmt: skip

FAMILIES = {
    "STARLINK G1 *": 793,
    "STARLINK G4 *": 1412,
    "STARLINK G2 *": 390,
    "STARLINK G3 *": 210,
    "STARLINK V2M-43-HIGH *": 1292,
    "STARLINK V2M-43-LOW *": 1241,
    "STARLINK V2M-53 *": 876,
    "STARLINK DTC-53 *": 318,
    "STARLINK DTC-43 *": 257,
    "STARLINK *": 7716 - 25,
    "ONEWEB *": 651,
    "QIANFAN P*": 69,
    "QIANFAN *": 90,
    "GUOWANG *": 39,
    "KUIPER *": 27,
    "IRIDIUM P*": 67,
    "IRIDIUM *": 80,
    "GLOBALSTAR *": 28,
    "OTHER *": 2394,
    "OTHER SSO *": 1696,
    "OTHER 40-50 *": 166,
    "OTHER 25-40 *": 140,
    "OTHER 80-95 *": 132,
    "OTHER 60-80 *": 104,
    "OTHER 50-60 *": 80,
    "OTHER RETROGRADE *": 49,
    "OTHER 0-25 *": 27,
}


@pytest.fixture(scope="module")
def population() -> Catalog:
    return bundled_population()


@pytest.fixture(scope="module")
def satellites(population: Catalog) -> SatrecArray:
    e = population.elements
    records = []
    for k in range(len(population)):
        record = Satrec()
        epoch = e.epoch_day[k] + e.epoch_fraction[k] - 33281.0  # days since 1949-12-31, as sgp4init counts
        rest = (e.eccentricity[k], e.arg_perigee[k], e.inclination[k], e.mean_anomaly[k], e.mean_motion[k], e.raan[k])
        record.sgp4init(WGS72, "i", 0, epoch, e.bstar[k], 0.0, 0.0, *rest)
        records.append(record)
    return SatrecArray(records)


def test_exactly_eleven_thousand_synthetic_satellites(population: Catalog) -> None:
    assert len(population) == 11_000
    assert population.synthetic.all()
    assert (population.norad_id == -1).all()
    assert set(population.source.tolist()) == {"bundled"}
    assert np.unique(population.epoch).astype(str).tolist() == ["2025-06-24T00:00:00.000000000"]
    assert len(set(population.name.tolist())) == 11_000
    assert (population.shell != "").all()
    lattice = population.plane >= 0
    assert lattice.sum() == 793 + 1412 + 390 + 210 + 1292 + 1241 + 876 + 318 + 257 + 651 + 69 + 29 + 67 + 25


def test_families(population: Catalog) -> None:
    assert {pattern: len(population.select(name=pattern)) for pattern in FAMILIES} == FAMILIES


def test_altitude_histogram(population: Catalog) -> None:
    for low, expected in HISTOGRAM.items():
        found = len(population.select(mean_altitude_km=(low, low + 49.999999)))
        # Families are spread evenly within the bins of their own tables: 10 satellites, or 1 percent of a full bin.
        assert abs(found - expected) <= max(10, 0.01 * expected), f"{low} km: {found} for {expected}"


def test_other_satellites_by_class_and_altitude(population: Catalog) -> None:
    sun_synchronous = population.select(name="OTHER SSO *").mean_altitude_km
    edges = [200, 400, 450, 500, 550, 600, 650, 700, 800, 900, 1000, 1200, 1500, 1700]
    counts = np.histogram(sun_synchronous, edges)[0]
    assert counts.tolist() == [107, 173, 515, 350, 191, 125, 105, 67, 42, 6, 13, 2, 0]


def test_local_times_of_sun_synchronous_nodes(population: Catalog) -> None:
    days = 60850.0 - 51544.5
    raan = population.select(name="OTHER SSO *").raan_deg
    local_time_h = np.mod((raan - mean_sun_right_ascension_deg(days)) / 15.0 + 12.0, 24.0)
    expected = np.array(
        [52, 84, 102, 25, 49, 55, 21, 33, 46, 16, 96, 28, 9, 24, 17, 33, 33, 85, 57, 32, 57, 172, 505, 64]
    )
    found = np.histogram(local_time_h, np.arange(25))[0]
    assert np.abs(found - expected * 1696 / expected.sum()).max() <= 2


def test_eccentricities_of_the_others(population: Catalog) -> None:
    e = population.select(name="OTHER *").eccentricity
    median, ninety, ninety_nine = np.quantile(e, [0.5, 0.9, 0.99])
    assert abs(median / 7.3e-4 - 1) < 0.1
    assert abs(ninety / 2.1e-3 - 1) < 0.1
    assert abs(ninety_nine / 3.5e-2 - 1) < 0.15  # the lowest orbits take no large eccentricity


def test_lattices_are_coherent(population: Catalog) -> None:
    """Compute the coherence of a lattice, |mean exp i(S u - F raan)| over the satellites, 1 for a perfect one."""
    for shell, slots, phasing in (
        ("Starlink G1", 18, 45),
        ("Starlink V2M-43-low", 51, 35),
        ("Starlink DTC-43", 12, 11),
    ):
        family = population.select(shell=[shell])
        u = np.radians(family.arg_perigee_deg + family.mean_anomaly_deg)
        node = np.radians(family.raan_deg - family.raan_deg[0])
        coherence = abs(np.mean(np.exp(1j * (slots * u - phasing * node))))
        assert coherence > 0.999, shell
        assert np.ptp(family.mean_motion_rev_per_day) == 0.0


def test_no_two_satellites_at_one_place(satellites: SatrecArray) -> None:
    status, position, _ = satellites.sgp4(np.array([2400000.5 + 60850]), np.array([0.0]))
    assert not status.any()
    r = position[:, 0]
    closest_km = 1.0
    order = np.argsort(r[:, 0])
    x = r[order]
    for step in range(1, 60):  # neighbours in x: no more than 59 others lie within 1 km of one in x alone
        assert (np.linalg.norm(x[step:] - x[:-step], axis=1) > closest_km).all()
    assert (x[60:, 0] - x[:-60, 0] > closest_km).all()


def test_all_survive_a_week_of_sgp4(satellites: SatrecArray) -> None:
    status, _, _ = satellites.sgp4(np.full(3, 2400000.5 + 60850), np.array([0.0, 1.0, 7.0]))
    assert not status.any()


def test_the_same_on_every_run(population: Catalog) -> None:
    assert digest(population) == digest(bundled_population()) == "56ebe29dd004aa43"


def digest(catalog: Catalog) -> str:
    """Hash the columns, rounded so that the last bits of sin and log on another machine do not matter."""
    total = hashlib.sha256("\n".join(catalog.name.tolist()).encode())
    for column, decimals in {
        "mean_motion_rev_per_day": 8,
        "eccentricity": 9,
        "inclination_deg": 6,
        "raan_deg": 6,
        "arg_perigee_deg": 6,
        "mean_anomaly_deg": 6,
        "bstar": 9,
    }.items():
        total.update(np.rint(getattr(catalog, column) * 10**decimals).astype("<i8").tobytes())
    return total.hexdigest()[:16]


def test_made_in_a_moment() -> None:
    start = time.perf_counter()
    bundled_population()
    assert time.perf_counter() - start < 0.5  # 0.06 s on one core; the margin is for a busy machine


def test_mistakes_in_an_edited_file(tmp_path: Path) -> None:
    text = CONFIG.read_text(encoding="utf-8")
    path = tmp_path / "edited.toml"
    path.write_text(text.replace("total = 11000", "total = 11025"), encoding="utf-8")
    with pytest.raises(InputErrors) as caught:
        read_population(path)
    line = 1 + text[: text.index("total = 11000")].count("\n")
    assert str(caught.value) == f"{path}, line {line}, total: found 11025, expected 11000, the sum of all tables"

    broken = (
        text.replace('epoch = "2025-06-24T00:00:00Z"', 'epoch = "June"')
        .replace("altitude_range_km = [868, 886]", "altitude_range_km = [886, 868]")
        .replace("min_perigee_km = { value = 250", "min_perigee_km = { value = -1")
        .replace('inclination = "retrograde"', 'inclination = "backward"')
    )
    path.write_text(broken, encoding="utf-8")
    with pytest.raises(InputErrors) as caught:
        read_population(path)
    assert [m.split(", ", 2)[2] for m in caught.value.messages] == EXPECTED_MISTAKES

    path.write_text(text.replace("counts = [107, 173,", "counts = [107,"), encoding="utf-8")
    with pytest.raises(InputErrors, match="class 'Other SSO', counts: found 12 numbers, expected 13, one for each"):
        read_population(path)


EXPECTED_MISTAKES = [
    "epoch: time 'June': expected ISO 8601 in UTC such as '2026-08-23' or '2026-08-23T06:30:00Z'",
    "clump 'Qianfan stuck', altitude_range_km: found [886, 868], expected a list of two ascending numbers",
    "other, min_perigee_km: found -1, expected a number of at least 0 km",
    "class 'Other retrograde', inclination: found 'backward', expected 'uniform', 'sun-synchronous' or 'retrograde'",
]
