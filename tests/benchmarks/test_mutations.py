"""How many records are neither read nor rejected, of mutations of the middle one of three, for each reader."""

import random

import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.element_sets.read import FORMATS, read_catalog

pytestmark = pytest.mark.benchmark
ALPHABET = [*b'0123456789 .,-+E"{}[]<>&;:=\n\r\t\0#/Aab', 0xA0, 0xFF]
FLEET = Catalog.from_columns(
    {
        "norad_id": [25544, 24876, 8195],
        "name": ["ISS (ZARYA)", "GPS BIIR-2  (PRN 13)", "MOLNIYA 2-14"],
        "international_designator": ["1998-067A", "1997-035A", "1975-081A"],
        "epoch_day": [60439, 60439, 60438],
        "epoch_fraction": [0.51041667, 0.25, 0.9],
        "mean_motion_rev_per_day": [15.50957674, 2.00563, 2.00491383],
        "eccentricity": [0.000358, 0.0098, 0.6877146],
        "inclination_deg": [51.6393, 55.7, 64.1586],
        "raan_deg": [160.4574, 120.1, 279.0717],
        "arg_perigee_deg": [140.6673, 52.2, 264.7651],
        "mean_anomaly_deg": [205.725, 308.8, 20.2257],
        "bstar": [0.00030306, 0.0, 1.1873e-4],
        "mean_motion_dot": [0.00016717, -1.2e-7, 6.4e-7],
    }
)


def spell(format: str) -> tuple[bytes, bytes, bytes]:
    """The text of three records: what stands before the second, the second, and what stands after it."""
    whole = (FLEET.to_tle() if format == "tle" else FLEET.to_omm(format)).encode()
    marks = {"tle": b"0 GPS", "csv": b"GPS", "json": b'{"OBJECT_NAME": "GPS', "xml": b"<omm", "kvn": b"CCSDS_OMM_VERS"}
    ends = {"tle": b"0 MOL", "csv": b"MOL", "json": b'{"OBJECT_NAME": "MOL', "xml": b"<omm", "kvn": b"CCSDS_OMM_VERS"}
    first = whole.index(marks[format], whole.index(marks[format]) + 1 if format in ("xml", "kvn") else 0)
    last = whole.index(ends[format], first + 1)
    return whole[:first], whole[first:last], whole[last:]


def mutate(record: bytes, generator: random.Random) -> bytes:
    content = bytearray(record)
    for _ in range(generator.randint(1, 3)):
        at = generator.randrange(len(content))
        length = generator.choice([0, 1, 1, 1, 2, 20])
        content[at : at + length] = bytes(generator.choices(ALPHABET, k=generator.choice([0, 1, 1, 1, 3])))
    return bytes(content)


def count_unsaid(format: str, mutations: int, *, show: int = 0) -> int:
    before, record, after = spell(format)
    generator, unsaid = random.Random(1), 0
    for _ in range(mutations):
        text = before + mutate(record, generator) + after
        try:
            catalog = read_catalog(text, format=format)
        except InputError:
            continue
        lost = 3 - len(catalog) - sum(not reject.kept for reject in catalog.rejects)
        if lost > 0:
            unsaid += 1
            if unsaid <= show:
                print(text.decode("latin-1"))
    return unsaid


@pytest.mark.parametrize("format", FORMATS)
def test_a_record_is_read_or_rejected(format: str):
    unsaid = count_unsaid(format, 100_000)
    print(f"\n{format}: {unsaid} of 100,000 mutations neither read nor rejected")
    assert unsaid == 0
