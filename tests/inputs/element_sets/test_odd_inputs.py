"""Odd and broken inputs as users have met them: each is read, or every record that is lost is named."""

import bz2
import gzip
import io
import lzma
import os
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import COLUMNS, Catalog
from constellation_jax.inputs.element_sets.read import read_catalog
from constellation_jax.inputs.files import text_files

FIRST = "1 9000{}U 26001A   26234.50000000  .00010000  00000-0  20000-3 0  999{}"
SECOND = "2 9000{}  53.1000 120.0000 0002000  90.0000 270.0000 15.05000000  100{}"
CASES = Path(__file__).parents[4] / "shared" / "cases"


def tle(number: int) -> str:
    return f"SAMPLE {number}\n{FIRST.format(number, 6 + number)}\n{SECOND.format(number, 5 + number)}\n"


LINE_1, LINE_2 = tle(1).splitlines()[1:]
MESSAGE = {
    "OBJECT_NAME": "SAMPLE 1",
    "OBJECT_ID": "2026-001A",
    "EPOCH": "2026-08-22T12:00:00.000000",
    "MEAN_MOTION": "15.05",
    "ECCENTRICITY": "0.0002",
    "INCLINATION": "53.1",
    "RA_OF_ASC_NODE": "120",
    "ARG_OF_PERICENTER": "90",
    "MEAN_ANOMALY": "270",
    "NORAD_CAT_ID": "90001",
    "BSTAR": "0.0002",
}


def spell(format: str, *messages: dict[str, str]) -> str:
    if format == "csv":
        return "\n".join([",".join(messages[0]), *(",".join(message.values()) for message in messages)]) + "\n"
    if format == "json":
        return "[" + ",\n".join(str(message).replace("'", '"') for message in messages) + "]"
    if format == "xml":
        inner = ("<omm>" + "".join(f"<{k}>{v}</{k}>" for k, v in message.items()) + "</omm>\n" for message in messages)
        return "<ndm>\n" + "".join(inner) + "</ndm>\n"
    return "\n".join("".join(f"{k} = {v}\n" for k, v in message.items()) for message in messages)


def lost(catalog: Catalog) -> int:
    return sum(not reject.kept for reject in catalog.rejects)


# --- read as they are meant


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (tle(1) + "\ufeff" + tle(2), {"name": ["SAMPLE 1", "SAMPLE 2"]}),
        (tle(1).replace("1 9", "1\xa09").replace("\n2 9", "\n2\xa09"), {"norad_id": [90001]}),
        (tle(1).replace(" 20000-3 0", "87000-10 0"), {"bstar": [0.87e-10]}),
        (tle(1).replace("26001A  ", "71110  A"), {"international_designator": ["1971-110A"]}),
        (tle(1).replace("26001A  ", "94 62  A"), {"international_designator": ["1994-062A"]}),
        (tle(1).replace("26234.5", "25366.4"), {"epoch_day": [61041], "epoch_fraction": [0.4]}),  # 2026-01-01
        ("SB KEPS @ EXAMPLE\n2Line Orbital Elements\n\n" + tle(1) + "/EX\n", {"name": ["SAMPLE 1"]}),
        (tle(1).replace("\n", "\r"), {"norad_id": [90001]}),
        (spell("csv", MESSAGE | {"EPOCH": "2026-08-22 12:00:00"}), {"epoch_day": [61274], "epoch_fraction": [0.5]}),
        (spell("csv", MESSAGE | {"EPOCH": "2026-08-22T12:00:00.0+00:00"}), {"epoch_fraction": [0.5]}),
        (spell("csv", MESSAGE | {"NORAD_CAT_ID": "100004.0"}), {"norad_id": [100004]}),
        (spell("json", MESSAGE | {"EPOCH_MICROSECONDS": "580288"} | {"EPOCH": "2026-08-22 12:00:00"}),
         {"epoch_fraction": [0.5 + 580288 / 86400e6]}),
        (spell("xml", MESSAGE | {"MEAN_ELEMENT_THEORY": "TLE"}), {"norad_id": [90001]}),
        (spell("kvn", dict(reversed(MESSAGE.items())), dict(reversed((MESSAGE | {"OBJECT_ID": "2026-001B"}).items()))),
         {"international_designator": ["2026-001A", "2026-001B"]}),
        (spell("csv", MESSAGE) + spell("csv", MESSAGE), {"norad_id": [90001, 90001]}),
        (f'[{{"tle0": "SAMPLE 1", "tle1": "{LINE_1}", "tle2": "{LINE_2}"}}]', {"name": ["SAMPLE 1"]}),
        (f"name,TLE_LINE1,TLE_LINE2\nSAMPLE 1,{LINE_1},{LINE_2}\n", {"name": ["SAMPLE 1"]}),
    ],
)  # fmt: skip
def test_what_is_read(text: str, expected: dict[str, list[object]]):
    catalog = read_catalog(text.encode())
    assert lost(catalog) == 0
    for column, values in expected.items():
        np.testing.assert_allclose(getattr(catalog, column), values, rtol=1e-15, atol=0) if isinstance(
            values[0], float
        ) else np.testing.assert_array_equal(getattr(catalog, column), values)


# --- lost, and said


@pytest.mark.parametrize(
    ("text", "objects", "rejects", "words"),
    [
        (tle(1) + tle(2).replace("0002000", "00 2000") + tle(3), 2, 1, "eccentricity"),
        (tle(1).replace("0002000", "000358\t") + tle(2), 1, 1, "eccentricity (columns 27-33): found '000358\\t'"),
        (tle(1).replace("0002000", "000358\xa0") + tle(2), 1, 1, "found '000358\\xa0'"),
        (tle(1).replace("\n2 9", "\nZ 9") + tle(2)[9:], 1, 1, "line 2 is missing: found 'Z 90001"),
        (tle(1).replace("\n2 9", " 2 9") + tle(2)[9:], 1, 1, "line 2 is missing"),
        ("I\0S\n" + tle(1)[9:] + tle(2), 1, 1, "name: found the character NUL"),
        (spell("csv", MESSAGE | {"INCLINATION": "5\x003.1"}, MESSAGE), 1, 1, "found '5␀3.1', expected a number"),
        (spell("csv", MESSAGE | {"MEAN_MOTION": "1e-300"}, MESSAGE), 1, 1, "MEAN_MOTION of object 90001: found 1e-300"),
        (spell("csv", MESSAGE | {"MEAN_MOTION_DOT": "1e999"}, MESSAGE | {"MEAN_MOTION_DOT": "0"}), 1, 1, "found inf"),
        (spell("json", MESSAGE | {"OBJECT_NAME": "@"}, MESSAGE).replace("@", "\\ud800"), 1, 1, "OBJECT_NAME: found"),
        (spell("json", MESSAGE).replace('"SAMPLE 1"', '{"a": 1}') + spell("json", MESSAGE), 1, 1, "expected text"),
        (
            spell("json", MESSAGE).replace('"BSTAR"', '"EPOCH": "", "BSTAR"') + spell("json", MESSAGE),
            1,
            1,
            "stands twice",
        ),
        (spell("json", MESSAGE, MESSAGE)[:-1] + ", ", 2, 1, "the file is cut off"),
        (2 * spell("xml", MESSAGE), 2, 1, "the XML breaks here: junk after document element"),
        (spell("xml", MESSAGE, MESSAGE).replace("</omm>\n<omm>", "</omm>\n&\n<omm>"), 2, 1, "not well-formed"),
        (spell("xml", MESSAGE, MESSAGE).replace("</ndm>\n", ""), 2, 1, "no element found"),
        (spell("xml", MESSAGE, MESSAGE).replace("<BSTAR>", "<EPOCH>x</EPOCH><BSTAR>", 1), 1, 1, "EPOCH stands twice"),
        (
            spell("kvn", MESSAGE, MESSAGE).replace("INCLINATION =", "EPOCH = x\nINCLINATION =", 1),
            1,
            1,
            "EPOCH stands twice",
        ),
        (spell("kvn", MESSAGE, MESSAGE).replace("BSTAR =", "BSTAR ", 1), 1, 1, "expected KEYWORD = value"),
        (spell("kvn", MESSAGE, MESSAGE).replace("BSTAR =", "BSTAT =", 1), 1, 1, "found 'BSTAT', expected BSTAR"),
    ],
)
def test_what_is_rejected(text: str, objects: int, rejects: int, words: str):
    catalog = read_catalog(text.encode())
    assert (len(catalog), lost(catalog)) == (objects, rejects)
    said = " ".join(str(reject) for reject in catalog.rejects if not reject.kept)
    assert said.isprintable()
    assert words in said


def test_a_damaged_header_costs_its_own_message():
    messages = [{"CCSDS_OMM_VERS": "2.0", "ORIGINATOR": "X"} | MESSAGE | {"NORAD_CAT_ID": str(n)} for n in (1, 2, 3)]
    text = spell("kvn", *messages)
    second = text.index("CCSDS_OMM_VERS", 10)
    text = text[:second] + text[second:].replace("CCSDS_OMM_VERS", "CCSDS_OMM_VER", 1).replace(
        "OBJECT_N", "OBJECT-N", 1
    )
    catalog = read_catalog(text.encode())
    assert catalog.norad_id.tolist() == [1, 3]
    assert lost(catalog) == 1


def test_columns_that_stand_twice_are_refused():
    text = spell("csv", MESSAGE).replace("OBJECT_ID", "MEAN_MOTION")
    with pytest.raises(InputError, match="MEAN_MOTION is the name of columns 2 and 4"):
        read_catalog(text)


# --- sources


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_compressed_files(compress: object, monkeypatch: pytest.MonkeyPatch):
    data = compress(tle(1).encode())  # type: ignore[operator]
    assert len(read_catalog(data)) == 1
    with pytest.raises(InputError, match="damaged or cut-off"):
        read_catalog(data[: len(data) // 2])
    monkeypatch.setattr(text_files, "LARGEST_TEXT", 10**6)
    with pytest.raises(InputError, match="MiB of text; split it"):
        read_catalog(compress(bytes(10**7)))  # type: ignore[operator]


def test_zip_archives():
    def make(*names: str) -> bytes:
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            for name in names:
                archive.writestr(name, tle(1))
        return content.getvalue()

    assert len(read_catalog(make("a.tle"))) == 1
    with pytest.raises(InputError, match="a zip archive of 2 files"):
        read_catalog(make("a.tle", "b.tle"))
    with pytest.raises(InputError, match="damaged or encrypted zip archive"):
        read_catalog(make("a.tle")[:60])


def test_objects_of_other_packages(tmp_path: Path):
    import pandas as pd
    from sgp4.api import Satrec

    lines = tuple(tle(1).splitlines())
    expected = read_catalog(tle(1))
    (tmp_path / "a.tle").write_text(tle(1))
    for source in (
        lines[1:],
        lines,
        Satrec.twoline2rv(*lines[1:]),
        [MESSAGE],
        MESSAGE,
        io.StringIO(tle(1)),
        [lines, lines],
    ):
        found = read_catalog(source)
        assert found.norad_id[0] == 90001
        for column in ("epoch", "eccentricity", "bstar", "international_designator"):
            np.testing.assert_array_equal(getattr(found, column)[:1], getattr(expected, column))
        np.testing.assert_allclose(found.raan_deg[0], 120.0, rtol=1e-15, atol=0)  # a Satrec holds rad
    with (tmp_path / "a.tle").open("rb") as file:
        assert len(read_catalog(file)) == 1
    frame = pd.DataFrame([MESSAGE, MESSAGE | {"NORAD_CAT_ID": None}])
    assert Catalog.from_dataframe(frame).norad_id.tolist() == [90001, -1]
    assert read_catalog(frame).source.tolist() == ["DataFrame"] * 2


def test_a_pipe_is_a_catalogue_and_no_other_file(tmp_path: Path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes here")
    from constellation_jax.inputs.files.toml_lines import load_toml

    reader, writer = os.pipe()
    os.write(writer, tle(1).encode())
    os.close(writer)
    assert len(read_catalog(f"/dev/fd/{reader}")) == 1
    os.close(reader)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="a pipe or device"):
        load_toml(tmp_path / "pipe")
    with pytest.raises(InputError, match="a device, not a file"):
        read_catalog("/dev/zero")


def test_time_grows_with_the_length_alone():
    for text in (b"x" + b"\n " * 45_000, b"<html>" + b"<style" * 15_000, b"{" * 90_000, b"<ndm>" + b"<omm>&" * 15_000):
        start = time.perf_counter()
        with pytest.raises(InputError):
            read_catalog(text)
        assert time.perf_counter() - start < 5.0  # some were 20 s; a busy machine is slow


# --- and back


@pytest.mark.parametrize("format", ["csv", "json", "xml", "kvn"])
def test_omm_holds_every_digit(format: str):
    rng = np.random.default_rng(1)
    n = 50
    catalog = Catalog.from_columns(
        {"norad_id": rng.integers(-1, 999_999_999, n), "name": [f'A, "{i}" <&> é' for i in range(n)]}
        | {"epoch_day": rng.integers(50_000, 70_000, n), "epoch_fraction": rng.uniform(0, 1, n)}
        | {"mean_motion_rev_per_day": rng.uniform(0.1, 16, n), "eccentricity": rng.uniform(0, 1, n)}
        | {"inclination_deg": rng.uniform(0, 180, n), "bstar": rng.normal(0, 1e-3, n)}
        | {key: rng.uniform(0, 360, n) for key in ("raan_deg", "arg_perigee_deg", "mean_anomaly_deg")}
    )
    back = read_catalog(catalog.to_omm(format).encode(), format=format)
    assert back.rejects == ()
    for column in set(COLUMNS) - {"source"}:
        np.testing.assert_array_equal(getattr(back, column), getattr(catalog, column), err_msg=column)
    np.testing.assert_array_equal(Catalog.from_dataframe(catalog.to_dataframe()).epoch_fraction, catalog.epoch_fraction)


def test_a_tle_is_read_and_written_alike():
    lines = "".join(tle(i) for i in (1, 2)).replace("SAMPLE", "0 SAMPLE")
    assert "00000+0" in read_catalog(lines).to_tle()
    back = read_catalog(read_catalog(lines).to_tle())
    assert back.rejects == ()
    for column in set(COLUMNS) - {"source"}:
        np.testing.assert_array_equal(getattr(back, column), getattr(read_catalog(lines), column), err_msg=column)
    assert read_catalog(lines).replace(norad_id=[100_000, 339_999]).to_tle().count("Z9999") == 2
    with pytest.raises(InputError, match="norad_id: found 340000, expected at most 339999; to_omm has room"):
        read_catalog(lines).replace(norad_id=340_000).to_tle()


@pytest.mark.parametrize("end", [', "{', ',"', ""])
def test_two_rows_in_one_are_two_records(end: str):
    first, second = (MESSAGE | {"NORAD_CAT_ID": f"9000{k}", "OBJECT_NAME": f"SAMPLE {k}"} for k in (1, 2))
    header, *rows = spell("csv", first, second, first).splitlines()
    catalog = read_catalog("\n".join([header, rows[0], rows[1].rpartition(",")[0] + end + rows[2]]) + "\n")
    assert (len(catalog), lost(catalog)) == (1, 2)


def test_times_as_epochs_and_the_newest_of_each():
    catalog = read_catalog(tle(1) + tle(1).replace("26234.5", "26235.5") + tle(2))
    assert catalog.repeated() == (1, 2, 90001)
    assert catalog.newest().epoch.astype("datetime64[D]").astype(str).tolist() == ["2026-08-23", "2026-08-22"]
    columns = {key: getattr(catalog, key) for key in COLUMNS if not key.startswith("epoch_")}
    same = Catalog.from_columns(columns | {"epoch": catalog.epoch})
    np.testing.assert_array_equal(same.epoch_fraction, catalog.epoch_fraction)


@pytest.mark.parametrize(
    "change", [{"eccentricity": 1.5}, {"mean_motion_rev_per_day": -15.0}, {"bstar": np.inf}, {"raan_deg": np.nan}]
)
def test_elements_of_no_orbit_are_refused(change: dict[str, float]):
    with pytest.raises(InputError, match=f"object 0 of the catalogue, {next(iter(change))}: found"):
        read_catalog(tle(1)).replace(**change)


def test_the_files_beside_the_checkout():
    """Each file is read as its README says: objects, and records left out."""
    if not CASES.is_dir():
        pytest.skip("the cases are not beside this checkout")
    expected = {
        "inputs/bom_in_the_middle.tle": (2, 0), "inputs/bulletin.txt": (1, 0), "inputs/csv_saved_again.csv": (5, 0),
        "inputs/bstar_two_digit_exponent.tle": (1, 0), "inputs/day_366_of_2025.tle": (2, 0), "inputs/theory_tle.xml": (1, 0),
        "inputs/designator_with_blanks.tle": (2, 0), "inputs/kvn_id_before_name.kvn": (2, 0), "inputs/tle_in_json.json": (1, 0),
        "inputs/nbsp_after_line_number.tle": (1, 0), "inputs/one_bad_of_three.tle": (2, 1), "inputs/two_xml_documents.xml": (2, 1),
        "inputs/spacetrack_tle_class.json": (1, 0), "inputs/xml_cut_between_records.xml": (1, 1),
        "hostile/broken_line_2_becomes_a_name.tle": (1, 1), "hostile/two_lines_in_one.tle": (1, 1),
        "hostile/kvn_damaged_header.kvn": (2, 1), "hostile/xml_ampersand_between.xml": (3, 1),
        "hostile/names-with-escape-codes.csv": (1, 2), "hostile/eccentricity_near_one.csv": (1, 0),
    }  # fmt: skip
    for name, counts in expected.items():
        catalog = read_catalog(CASES / name)
        assert (len(catalog), lost(catalog)) == counts, name
        assert all(str(reject).isprintable() for reject in catalog.rejects)
    refused = (
        *(
            "csv-duplicate-column.csv",
            "csv-mean-motion-1e-300.csv",
            "mean-motion-twice.csv",
            "json-lone-surrogate.json",
        ),
        *("json-name-is-object.json", "nul-in-name.tle", "nul_in_number.csv", "rate_not_finite.csv"),
        *("eccentricity_then_nbsp.tle", "eccentricity_then_tab.tle"),
    )
    for name in refused:
        with pytest.raises(InputError) as caught:
            read_catalog(CASES / "hostile" / name)
        assert "\n" not in str(caught.value)
