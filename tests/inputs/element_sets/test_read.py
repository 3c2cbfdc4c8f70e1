"""`read_catalog`: sources, recognition of formats, and one clear line for each text that it cannot read."""

import gzip
import random
from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import COLUMNS, Catalog
from constellation_jax.inputs.element_sets.read import read_catalog

TLE = """ISS (ZARYA)
1 25544U 98067A   24130.36689744  .00016024  00000+0  27777-3 0  9992
2 25544  51.6381 147.8590 0003466 150.4670 338.5502 15.51043222452521
"""
CSV = """NORAD_CAT_ID,EPOCH,MEAN_MOTION,ECCENTRICITY,INCLINATION,RA_OF_ASC_NODE,ARG_OF_PERICENTER,MEAN_ANOMALY
25544,2024-05-09T08:48:19.938816,15.51043222,.0003466,51.6381,147.8590,150.4670,338.5502
"""
KEYS, VALUES = (line.split(",") for line in CSV.splitlines())
JSON = "[{" + ",".join(f'"{k}":"{v}"' for k, v in zip(KEYS, VALUES, strict=True)) + "}]"
XML = "<ndm><omm>" + "".join(f"<{k}>{v}</{k}>" for k, v in zip(KEYS, VALUES, strict=True)) + "</omm></ndm>"
KVN = "\n".join(f"{k} = {v}" for k, v in zip(KEYS, VALUES, strict=True))
TEXTS = {"tle": TLE, "csv": CSV, "json": JSON, "xml": XML, "kvn": KVN}
every_text = pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)


def same(one: Catalog, other: Catalog, *, but: tuple[str, ...] = ("source",)) -> None:
    for column in COLUMNS:
        if column not in but:
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column), err_msg=column)


@every_text
def test_a_text_or_a_file_of_any_name_plain_or_compressed(tmp_path: Path, text: str):
    catalog = read_catalog(text.encode())
    assert (len(catalog), catalog.norad_id[0], catalog.source[0], catalog.rejects) == (1, 25544, "text", ())
    if "\n" in text or text[0] in "[<":
        same(read_catalog(text), catalog)
    for i, content in enumerate(
        [
            text.encode(),
            gzip.compress(text.encode()),
            b"\xef\xbb\xbf" + text.encode(),
            text.encode("utf-16"),
            b"\n\n" + text.encode() if not text.startswith("<?") else text.encode(),
            text.replace("\n", "\r\n").encode(),
        ]
    ):
        path = tmp_path / f"file-{i}.dat"
        path.write_bytes(content)
        same(read_catalog(path), catalog)
        assert read_catalog(str(path)).source.tolist() == [path.name]


def test_letters_of_another_encoding():
    assert read_catalog(TLE.replace("ISS (ZARYA)", "ÑUSAT").encode("latin-1")).name.tolist() == ["ÑUSAT"]


def test_several_sources_are_put_one_after_the_other(tmp_path: Path):
    path = tmp_path / "one.tle"
    path.write_text(TLE[:-2] + "3\n")  # a wrong checksum
    catalog = read_catalog([path, CSV.encode(), (TLE, JSON)[0]])
    assert catalog.source.tolist() == ["one.tle", "text", "text"]
    assert [(r.source, r.line, r.kept) for r in catalog.rejects] == [("one.tle", 3, True)]
    with pytest.raises(InputError, match="at least one is needed"):
        read_catalog([])


def test_a_stated_format_is_taken_as_stated():
    assert len(read_catalog(CSV, format="csv")) == 1
    with pytest.raises(InputError, match="format 'excel': unknown; known are tle, csv, json, xml, kvn"):
        read_catalog(CSV, format="excel")
    with pytest.raises(InputError, match="none of"):
        read_catalog(CSV, format="tle")


def test_the_alphabet_of_names_does_not_decide_the_format():
    assert read_catalog(TLE.replace("ISS (ZARYA)", "ERRORSAT, EPOCH")).name.tolist() == ["ERRORSAT, EPOCH"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; expected element sets as TLE"),
        (b" \r\n\n", "empty; expected element sets"),
        (b"No GP data found", "the server sent no element sets but said 'No GP data found'"),
        (b"GP data has not updated since your last successful\n", "said 'GP data has not updated since"),
        (b"<!DOCTYPE html><html><head><title>403 Forbidden</title></head>", "a web page ('403 Forbidden')"),
        (b"<html><body><p>Too many requests</p></body></html>", "a web page ('Too many requests')"),
        (
            b"lorem ipsum\ndolor\n",
            "found 'lorem ipsum', expected element sets as TLE, or as OMM in CSV, JSON, XML or KVN",
        ),
        (b"\x89HDF\r\n\x1a\n\x00\x00", "expected element sets as TLE"),
        (b"\x1f\x8b\x08\x00cut", "damaged or cut-off gzip file"),
        # Named, since gzip writes the time of day into its header: workers would collect different names.
        pytest.param(gzip.compress(TLE.encode())[:60], "damaged or cut-off gzip file", id="cut gzip"),
        (b"CCSDS_OEM_VERS = 2.0\nOBJECT_NAME = X\n", "a CCSDS OEM message; expected element sets"),
        (b'{"error":"You must be logged in"}', "You must be logged in"),
        (b"[]", "no element set in it"),
        (b"<ndm></ndm>", "no element set in it"),
        (CSV.splitlines()[0].encode(), "no element set in it"),
        (b"OBJECT_NAME,EPOCH,TLE_LINE1\nX,2024,1\n", "the header lacks MEAN_MOTION"),
        (TLE.replace(" 51.6381", "251.6381").encode(), "expected 0 to 180 degrees (none of 1 record could be read)"),
        ((TLE.replace("98067", "9B067").replace("24130", "2413O") * 3).encode(), "(none of 3 records could be read)"),
    ],
)
def test_what_cannot_be_read_is_one_clear_line(tmp_path: Path, content: bytes, message: str):
    path = tmp_path / "given.txt"
    path.write_bytes(content)
    for source, name in ((path, "given.txt"), (content, "text")):
        with pytest.raises(InputError) as caught:
            read_catalog(source)
        assert message in str(caught.value)
        assert str(caught.value).startswith(name)
        assert "\n" not in str(caught.value)


@every_text
def test_damaged_bytes_never_raise_anything_else(text: str):
    generator = random.Random(7)
    alphabet = b'0123456789 .,-+E"{}[]<>&;=\n\r\t\x00\xff'
    for _ in range(150):
        content = bytearray(text.encode() * 2)
        for _ in range(generator.randint(1, 4)):
            at = generator.randrange(len(content))
            length = generator.choice([0, 1, 20, len(content)])
            content[at : at + length] = bytes(generator.choices(alphabet, k=generator.randint(0, 5)))
        try:
            messages = [str(reject) for reject in read_catalog(bytes(content)).rejects]
        except InputError as error:
            messages = [str(error)]
        assert not any("\n" in message for message in messages)


def test_files_that_are_not_there(tmp_path: Path):
    with pytest.raises(InputError, match=r"missing\.tle: no such file"):
        read_catalog(tmp_path / "missing.tle")
    with pytest.raises(InputError, match="a folder; expected a file"):
        read_catalog(tmp_path)
    with pytest.raises(InputError, match="cannot be read"):
        read_catalog("x" * 5000)
    with pytest.raises(InputError, match="found int, expected a path"):
        read_catalog(7)  # type: ignore[arg-type]  # what a caller without type checker may do


# --- real files


def test_one_catalogue_in_three_formats(shared_data: Path):
    folder = shared_data / "omm"
    from_csv = read_catalog(folder / "subset_2026-08-22.omm.csv")
    assert (len(from_csv), from_csv.rejects) == (1203, ())
    for ending in ("json", "xml"):
        same(read_catalog(folder / f"subset_2026-08-22.omm.{ending}"), from_csv)


def test_tle_and_omm_agree_to_the_digits_of_the_tle(shared_data: Path):
    tle = read_catalog(shared_data / "omm/subset_2026-08-22.tle")
    omm = read_catalog(shared_data / "omm/subset_2026-08-22.omm.csv")
    omm = omm[omm.norad_id <= 99999]
    coarser = ("name", "eccentricity", "bstar", "mean_motion_dot", "mean_motion_ddot", "source")
    same(tle, omm, but=coarser)
    # The TLE cuts names at 24 characters, one of them to "(RODNIK-S *)".
    assert [name[:21].strip() for name in tle.name.tolist()] == [name[:21].strip() for name in omm.name.tolist()]
    np.testing.assert_allclose(tle.eccentricity, omm.eccentricity, rtol=0, atol=1e-7)
    np.testing.assert_allclose(tle.bstar, omm.bstar, rtol=6e-5, atol=0)
    np.testing.assert_allclose(tle.mean_motion_dot, omm.mean_motion_dot, rtol=0, atol=6e-9)
    np.testing.assert_allclose(tle.mean_motion_ddot, omm.mean_motion_ddot, rtol=1e-4, atol=1e-15)


def test_stations_in_three_formats(shared_data: Path):
    folder = shared_data / "omm"
    from_csv = read_catalog(folder / "stations_2024-05-09.csv")
    same(read_catalog(folder / "stations_2024-05-09.json"), from_csv)
    same(read_catalog(folder / "stations_2024-05-09.tle"), from_csv)
    assert len(from_csv) == 27


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("omm/starlink_2025-05-25.omm.json.gz", 7483),
        ("omm/weather_2025-05-25.omm.json", 72),
        ("omm/stations_2025-05-25.omm.json", 13),
        ("omm/iridium_3_2025-04-09.omm.xml", 3),
        ("omm/vanguard1_sample.omm.csv", 1),
        ("omm/vanguard1_sample.omm.json", 1),
        ("omm/vanguard1_sample.omm.xml", 1),
        ("catalogs/active_2026-08-22.omm.csv.gz", 16_400),
        ("catalogs/active_2026-08-22.tle.gz", 16_069),
        ("catalogs/active_2026-08-19.tle.gz", 16_076),
        ("catalogs/fengyun-1c-debris_2026-06-14.tle.gz", 1914),
        ("sgp4_verification/SGP4-VER.TLE", 33),
        ("malformed/unedited-array.json", 3),
        ("malformed/unedited-rows.csv", 3),
        ("malformed/unedited-sets.tle", 3),
    ],
)
def test_real_files(shared_data: Path, name: str, objects: int):
    catalog = read_catalog(shared_data / name)
    assert len(catalog) == objects
    assert all(reject.kept for reject in catalog.rejects)
    assert catalog.source[0] == Path(name).name


@pytest.mark.parametrize(
    ("name", "objects", "line", "kept"),
    [
        ("c1-checksum-digit.tle", 3, 5, True),
        ("c2-line-2-short.tle", 2, 6, False),
        ("c3-letter-in-epoch.tle", 2, 5, False),
        ("c4-line-2-missing.tle", 2, 5, False),
        ("c5-cut-closing-bracket.json", 3, 1, False),
        ("c5-cut-last-row.csv", 2, 4, False),
    ],
)
def test_malformed_files(shared_data: Path, name: str, objects: int, line: int, kept: bool):
    catalog = read_catalog(shared_data / "malformed" / name)
    assert len(catalog) == objects
    assert [(r.source, r.line, r.kept) for r in catalog.rejects] == [(name, line, kept)]


def test_celestrak_without_data(shared_data: Path):
    with pytest.raises(InputError, match="said 'No GP data found'"):
        read_catalog(shared_data / "malformed/no_gp_data_found.txt")
