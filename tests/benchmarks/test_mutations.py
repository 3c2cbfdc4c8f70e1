"""Mutations of files: records that are neither read nor rejected, of the middle one of three, and errors that are none of the
package's, for every reader."""

import random

import pytest
from hostile import FLEET, READERS, try_reader

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.element_sets.read import FORMATS, read_catalog

pytestmark = pytest.mark.benchmark
ALPHABET = [*b'0123456789 .,-+E"{}[]<>&;:=\n\r\t\0#/Aab', 0xA0, 0xFF]
CATALOG = Catalog.from_columns(FLEET)
MUTATIONS = {
    "deployment": 2_000,
    "tuning problem": 2_000,
    "space weather": 20_000,
    "propagation file": 2_000,
    "ephemeris file": 2_000,
}
"""Mutations for readers that take more than a few milliseconds; the files of a store 1,000 each, and the others 50,000."""


def spell(format: str) -> tuple[bytes, bytes, bytes]:
    """The text of three records: what stands before the second, the second, and what stands after it."""
    whole = (CATALOG.to_tle() if format == "tle" else CATALOG.to_omm(format)).encode()
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


@pytest.mark.parametrize("name", READERS)
def test_every_reader_reads_or_refuses(name: str) -> None:
    count = try_reader(name, MUTATIONS.get(name, 1_000 if name.startswith("store") else 50_000), seed=2)
    print(
        f"\n{name}: {count.inputs:,} mutations, {count.refused:,} refused, no other error; {count.longest_s:.2f} s of "
        f"processor time at most, memory grew by {count.grown_mb:.0f} MB"
    )
    assert count.grown_mb < 500
