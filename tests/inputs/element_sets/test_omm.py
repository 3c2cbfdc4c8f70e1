"""OMM reading: four spellings of one content, every defect named with its line, every sound record kept."""

import csv
import gzip
import io
import json
from pathlib import Path

import numpy as np
import pytest
import sgp4.omm
from sgp4.api import Satrec

from constellation_jax.errors import InputError
from constellation_jax.inputs.element_sets.omm import REQUIRED
from constellation_jax.inputs.element_sets.omm_csv import read_csv
from constellation_jax.inputs.element_sets.omm_messages import read_json, read_kvn, read_xml

ISS = {
    "OBJECT_NAME": "ISS (ZARYA)",
    "OBJECT_ID": "1998-067A",
    "EPOCH": "2024-05-09T08:48:19.938816",
    "MEAN_MOTION": "15.51043222",
    "ECCENTRICITY": ".0003466",
    "INCLINATION": "51.6381",
    "RA_OF_ASC_NODE": "147.8590",
    "ARG_OF_PERICENTER": "150.4670",
    "MEAN_ANOMALY": "338.5502",
    "EPHEMERIS_TYPE": "0",
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": "25544",
    "ELEMENT_SET_NO": "999",
    "REV_AT_EPOCH": "45252",
    "BSTAR": ".27777E-3",
    "MEAN_MOTION_DOT": ".16024E-3",
    "MEAN_MOTION_DDOT": "0",
}
OTHER = ISS | {"OBJECT_NAME": "OTHER", "NORAD_CAT_ID": "799501621", "EPOCH": "2024-130T00:00:00Z", "BSTAR": "-1E-5"}
UNITS = {"MEAN_MOTION": "rev/day", "INCLINATION": "deg", "BSTAR": "1/ER"}


def to_csv(*messages: dict[str, str]) -> bytes:
    text = io.StringIO()
    keywords = list(dict.fromkeys(keyword for message in messages for keyword in message))
    writer = csv.DictWriter(text, keywords, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(messages)
    return text.getvalue().encode()


def to_json(*messages: dict[str, str]) -> bytes:
    return json.dumps(messages, indent=0).encode()


def to_xml(*messages: dict[str, str]) -> bytes:
    def element(keyword: str, value: str) -> str:
        unit = f' units="{UNITS[keyword]}"' if keyword in UNITS else ""
        return f"<{keyword}{unit}>{value}</{keyword}>"

    body = "\n".join(
        f"<omm><body><segment>{''.join(element(*item) for item in message.items())}</segment></body></omm>"
        for message in messages
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<ndm>\n{body}\n</ndm>\n'.encode()


def to_kvn(*messages: dict[str, str]) -> bytes:
    def line(keyword: str, value: str) -> str:
        return f"{keyword} = {value}" + (f" [{UNITS[keyword]}]" if keyword in UNITS else "")

    return "\n".join(
        "\n".join(["CCSDS_OMM_VERS = 3.0", "COMMENT = none", *(line(*item) for item in message.items())])
        for message in messages
    ).encode()


FORMATS = [(to_csv, read_csv), (to_json, read_json), (to_xml, read_xml), (to_kvn, read_kvn)]
every_format = pytest.mark.parametrize(("write", "read"), FORMATS, ids=["csv", "json", "xml", "kvn"])


@every_format
def test_values_equal_the_decimal_text(write, read):
    columns, rejects = read(write(ISS, OTHER), "x")
    assert rejects == []
    expected = {
        "norad_id": [25544, 799501621],
        "name": ["ISS (ZARYA)", "OTHER"],
        "international_designator": ["1998-067A"] * 2,
        "object_type": ["", ""],
        "classification": ["U", "U"],
        "ephemeris_type": [0, 0],
        "element_set_number": [999, 999],
        "revolution_number": [45252, 45252],
        "epoch_day": [60439, 60439],
        "epoch_fraction": [31699938816 / 86400e6, 0.0],
        "mean_motion_rev_per_day": [15.51043222] * 2,
        "eccentricity": [0.0003466] * 2,
        "inclination_deg": [51.6381] * 2,
        "raan_deg": [147.8590] * 2,
        "arg_perigee_deg": [150.4670] * 2,
        "mean_anomaly_deg": [338.5502] * 2,
        "bstar": [0.00027777, -1e-5],
        "mean_motion_dot": [0.00016024] * 2,
        "mean_motion_ddot": [0.0] * 2,
    }
    assert {key: column.tolist() for key, column in columns.items()} == expected


@every_format
def test_only_epoch_and_mean_elements_are_needed(write, read):
    bare = {keyword: ISS[keyword] for keyword in REQUIRED}
    columns, rejects = read(write(bare), "x")
    assert rejects == []
    defaults = ("norad_id", "name", "classification", "bstar", "mean_motion_ddot", "ephemeris_type")
    assert [columns[key].tolist() for key in defaults] == [[-1], [""], ["U"], [0.0], [0.0], [0]]


@every_format
def test_order_of_keywords_and_unknown_ones_do_not_matter(write, read):
    shuffled = {"USER_DEFINED_X": "1"} | dict(reversed(ISS.items()))
    columns, _ = read(write(shuffled), "x")
    expected, _ = read(write(ISS), "x")
    assert {k: v.tolist() for k, v in columns.items()} == {k: v.tolist() for k, v in expected.items()}


@every_format
@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ECCENTRICITY": "1.0"}, "ECCENTRICITY of object 25544: found 1.0, expected at least 0 and below 1"),
        ({"ECCENTRICITY": "-.1"}, "found -0.1, expected at least 0 and below 1"),
        ({"ECCENTRICITY": ""}, "ECCENTRICITY of object 25544: missing, expected a number"),
        ({"MEAN_MOTION": "0"}, "MEAN_MOTION of object 25544: found 0.0, expected a mean motion above 0 rev/day"),
        ({"INCLINATION": "180.5"}, "INCLINATION of object 25544: found 180.5, expected 0 to 180 degrees"),
        ({"MEAN_ANOMALY": "1O.5"}, "MEAN_ANOMALY of object 25544: found '1O.5', expected a number"),
        ({"RA_OF_ASC_NODE": "NaN"}, "RA_OF_ASC_NODE of object 25544: found 'NaN', expected a number"),
        ({"ARG_OF_PERICENTER": "1E999"}, "ARG_OF_PERICENTER of object 25544: found inf, expected a finite number"),
        ({"EPOCH": "2024-13-09T08:48:19.938816"}, "EPOCH of object 25544: found month 13"),
        ({"EPOCH": ""}, "EPOCH of object 25544: missing, expected an epoch"),
        ({"NORAD_CAT_ID": "1000000000"}, "NORAD_CAT_ID of object 1000000000: found '1000000000', expected an integer"),
        ({"NORAD_CAT_ID": "A0000"}, "found 'A0000', expected an integer from 0 to 999999999"),
        ({"NORAD_CAT_ID": "", "BSTAR": "x"}, "BSTAR of 'ISS (ZARYA)': found 'x"),
        ({"EPHEMERIS_TYPE": "4"}, "SGP4-XP elements (ephemeris type 4): cannot be propagated with SGP4"),
        ({"MEAN_ELEMENT_THEORY": "SGP4-XP"}, "SGP4-XP elements (ephemeris type 4): cannot be propagated with SGP4"),
        (
            {"MEAN_ELEMENT_THEORY": "DSST"},
            "MEAN_ELEMENT_THEORY of object 25544: found 'DSST', expected SGP4 or SGP/SGP4",
        ),
        ({"REF_FRAME": "GCRF"}, "REF_FRAME of object 25544: found 'GCRF', expected TEME"),
        ({"TIME_SYSTEM": "TAI"}, "TIME_SYSTEM of object 25544: found 'TAI', expected UTC"),
        ({"CENTER_NAME": "MARS"}, "CENTER_NAME of object 25544: found 'MARS', expected EARTH"),
        (
            {"MEAN_MOTION": "", "SEMI_MAJOR_AXIS": "6800"},
            "SEMI_MAJOR_AXIS of object 25544: given in place of MEAN_MOTION",
        ),
    ],
)
def test_a_defect_is_named_and_costs_no_other_record(write, read, change: dict[str, str], reason: str):
    data = write(ISS | {"OBJECT_NAME": "A"}, ISS | change, ISS | {"OBJECT_NAME": "C"})
    columns, rejects = read(data, "x")
    assert columns["name"].tolist() == ["A", "C"]
    assert len(rejects) == 1
    assert reason in rejects[0].reason
    assert not rejects[0].kept
    keyword = rejects[0].reason.split()[0]
    line = data.decode().splitlines()[rejects[0].line - 1]
    assert keyword in line if read is not read_csv else "ISS" in line


@every_format
@pytest.mark.parametrize("theory", ["SGP4", "SGP/SGP4", "sgp4", "SGP", ""])
def test_theories_that_mean_sgp4(write, read, theory: str):
    constants = {"MEAN_ELEMENT_THEORY": theory, "REF_FRAME": "TEME", "TIME_SYSTEM": "UTC", "CENTER_NAME": "Earth"}
    assert read(write(ISS | constants), "x")[1] == []


def test_csv_with_quotation_marks():
    named = [ISS | {"OBJECT_NAME": name} for name in ('12" DISH', "A, B", "C", 'say "so"', "D")]
    columns, rejects = read_csv(to_csv(*named), "x")
    assert rejects == []
    assert columns["name"].tolist() == ['12" DISH', "A, B", "C", 'say "so"', "D"]
    everything_quoted = "\n".join(",".join(f'"{v}"' for v in row) for row in (ISS, ISS.values(), OTHER.values()))
    columns, rejects = read_csv(everything_quoted.encode(), "x")
    assert rejects == []
    assert columns["norad_id"].tolist() == [25544, 799501621]


def test_csv_a_stray_quotation_mark_costs_one_row():
    lines = to_csv(ISS, ISS, OTHER).decode().splitlines()
    lines[2] = lines[2].replace("ISS (ZARYA)", 'ISS 12" DISH')
    columns, rejects = read_csv("\n".join(lines).encode(), "x")
    assert rejects == []
    assert columns["name"].tolist() == ["ISS (ZARYA)", 'ISS 12" DISH', "OTHER"]
    lines[2] = '"' + lines[2].replace('12"', "12")
    columns, rejects = read_csv("\n".join(lines).encode(), "x")
    assert columns["name"].tolist() == ["ISS (ZARYA)", "OTHER"]
    assert [r.line for r in rejects] == [3]


def test_csv_rows_of_another_length_and_blank_rows():
    lines = to_csv(ISS, OTHER).decode().splitlines()
    columns, rejects = read_csv(
        "\n".join([lines[0], "", lines[1], "only, three, fields", "  ", lines[2]]).encode(), "x"
    )
    assert columns["norad_id"].tolist() == [25544, 799501621]
    assert [(r.line, r.reason) for r in rejects] == [(4, "found 3 fields, expected 17 as in the header")]
    columns, rejects = read_csv("\n".join([*lines, lines[1][:60]]).encode(), "x")
    assert len(columns["norad_id"]) == 2
    assert [r.line for r in rejects] == [4]
    assert "the file is cut off" in rejects[0].reason


def test_csv_header_without_a_needed_column():
    without = {key: value for key, value in ISS.items() if key not in ("MEAN_MOTION", "EPOCH")}
    with pytest.raises(InputError, match="x, line 1: the header lacks EPOCH, MEAN_MOTION"):
        read_csv(to_csv(without), "x")
    without = {key: value for key, value in ISS.items() if key != "MEAN_MOTION"} | {"SEMI_MAJOR_AXIS": "6800"}
    with pytest.raises(InputError, match="SEMI_MAJOR_AXIS is given in place of MEAN_MOTION"):
        read_csv(to_csv(without), "x")


@pytest.mark.parametrize("between", [",", "\n", ",\n", " "])
def test_json_layouts(between: str):
    numbers = {key: int(value) if value.isdigit() else value for key, value in ISS.items()}
    text = between.join(json.dumps(message) for message in (numbers, OTHER, ISS | {"OBJECT_ID": None}))
    for whole in (text, f"[{text}]"):
        columns, rejects = read_json(whole.encode(), "x")
        assert rejects == []
        assert columns["norad_id"].tolist() == [25544, 799501621, 25544]
        assert columns["international_designator"].tolist() == ["1998-067A", "1998-067A", ""]


def test_json_numbers_are_read_to_the_last_digit():
    text = json.dumps(ISS).replace('".27777E-3"', "1.2345678901234567e-4").replace('"25544"', "999999999")
    columns, _ = read_json(text.encode(), "x")
    assert (columns["bstar"][0], columns["norad_id"][0]) == (1.2345678901234567e-4, 999999999)


def test_json_cut_off_or_broken_inside():
    text = to_json(ISS, OTHER, ISS).decode()
    columns, rejects = read_json(text[: text.rindex("{") + 150].encode(), "x")
    assert columns["norad_id"].tolist() == [25544, 799501621]
    assert [r.kept for r in rejects] == [False]
    assert rejects[0].line == text[: text.rindex("{") + 150].count("\n") + 1
    columns, rejects = read_json(text.rstrip()[:-1].encode(), "x")
    assert len(columns["norad_id"]) == 3
    assert [r.kept for r in rejects] == [False]  # nobody knows how many are missing
    broken = text.replace('"OTHER"', '"OTHER')
    columns, rejects = read_json(broken.encode(), "x")
    assert columns["norad_id"].tolist() == [25544, 25544]
    assert [r.line for r in rejects] == [broken[: broken.index('"OTHER')].count("\n") + 1]


def test_json_of_something_else():
    columns, rejects = read_json(b'{"error": "You must be logged in"}', "x")
    assert len(columns["norad_id"]) == 0
    assert "You must be logged in" in rejects[0].reason
    with pytest.raises(InputError, match="nested too deeply"):
        read_json(b'{"a":' * 200_000, "x")


def test_xml_with_a_namespace_prefix_and_another_unit():
    data = to_xml(ISS).replace(b"<omm", b"<ndm:omm").replace(b"</omm", b"</ndm:omm")
    data = data.replace(b"<EPOCH", b"<n:EPOCH").replace(b"</EPOCH", b"</n:EPOCH")
    assert read_xml(data, "x")[0]["norad_id"].tolist() == [25544]
    columns, rejects = read_xml(data.replace(b'"deg"', b'"rad"'), "x")
    assert len(columns["norad_id"]) == 0
    assert "INCLINATION of object 25544: found '51.6381 [rad]', expected a number" in rejects[0].reason


def test_xml_cut_off():
    data = to_xml(ISS, OTHER)
    columns, rejects = read_xml(data[: data.rindex(b"<BSTAR")], "x")
    assert columns["norad_id"].tolist() == [25544]
    assert [(r.line, r.kept) for r in rejects] == [(4, False)]
    columns, rejects = read_xml(data[: data.rindex(b"</ndm>")], "x")
    assert columns["norad_id"].tolist() == [25544, 799501621]
    assert [r.kept for r in rejects] == [False]


@pytest.mark.parametrize(
    "declaration",
    ['<!DOCTYPE ndm [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>', '<!DOCTYPE ndm SYSTEM "file:///etc/hostname">'],
)
def test_xml_with_a_document_type_is_refused(declaration: str):
    data = to_xml(ISS | {"OBJECT_NAME": "&b;"}).decode().replace("<ndm>", declaration + "<ndm>", 1)
    with pytest.raises(InputError, match="x, line 2: found a document type declaration"):
        read_xml(data.encode(), "x")


def test_kvn_units_comments_and_stray_lines():
    data = to_kvn(ISS, OTHER).decode()
    columns, rejects = read_kvn(data.replace("[deg]", "[ DEG ]").encode(), "x")
    assert (len(columns["norad_id"]), rejects) == (2, [])
    columns, rejects = read_kvn(data.replace("[deg]", "[rad]", 1).encode(), "x")
    assert columns["norad_id"].tolist() == [799501621]
    assert "found '51.6381 [rad]', expected a number" in rejects[0].reason
    columns, rejects = read_kvn(data.replace("COMMENT = none", "stray", 1).encode(), "x")
    assert len(columns["norad_id"]) == 2
    assert [(r.line, r.kept, r.reason) for r in rejects] == [(2, True, "found 'stray', expected KEYWORD = value")]


def test_kvn_without_headers_and_with_other_messages():
    text = to_kvn(ISS, OTHER).decode()
    bare = text.replace("CCSDS_OMM_VERS = 3.0\n", "")
    assert read_kvn(bare.encode(), "x")[0]["norad_id"].tolist() == [25544, 799501621]
    mixed = text + "\nCCSDS_OPM_VERS = 2.0\nOBJECT_ID = 2000-001A\nEPOCH = 2000-01-01T00:00:00\n"
    columns, rejects = read_kvn(mixed.encode(), "x")
    assert rejects == []
    assert columns["international_designator"].tolist() == ["1998-067A"] * 2


# --- real files


def test_whole_catalogue_equals_float_and_integer_arithmetic(shared_data: Path):
    data = gzip.decompress((shared_data / "catalogs/active_2026-08-22.omm.csv.gz").read_bytes())
    columns, rejects = read_csv(data, "x")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert rejects == []
    assert len(rows) == len(columns["norad_id"]) == 16_400
    for keyword, column in {
        "MEAN_MOTION": "mean_motion_rev_per_day",
        "ECCENTRICITY": "eccentricity",
        "INCLINATION": "inclination_deg",
        "RA_OF_ASC_NODE": "raan_deg",
        "ARG_OF_PERICENTER": "arg_perigee_deg",
        "MEAN_ANOMALY": "mean_anomaly_deg",
        "BSTAR": "bstar",
        "MEAN_MOTION_DOT": "mean_motion_dot",
        "MEAN_MOTION_DDOT": "mean_motion_ddot",
        "NORAD_CAT_ID": "norad_id",
        "ELEMENT_SET_NO": "element_set_number",
        "REV_AT_EPOCH": "revolution_number",
    }.items():
        np.testing.assert_array_equal(columns[column], [float(row[keyword]) for row in rows], err_msg=keyword)
    for keyword, column in {"OBJECT_NAME": "name", "OBJECT_ID": "international_designator"}.items():
        assert columns[column].tolist() == [row[keyword] for row in rows]
    instants = np.array([row["EPOCH"] for row in rows], "datetime64[us]")
    days = instants.astype("datetime64[D]")
    np.testing.assert_array_equal(columns["epoch_day"], days.astype(int) + 40587)
    np.testing.assert_array_equal(columns["epoch_fraction"], (instants - days).astype(int) / 86400e6)


def test_python_sgp4_reads_the_same(shared_data: Path):
    with (shared_data / "omm/subset_2026-08-22.omm.csv").open() as file:
        columns, _ = read_csv((shared_data / "omm/subset_2026-08-22.omm.csv").read_bytes(), "x")
        for i, fields in enumerate(sgp4.omm.parse_csv(file)):
            satellite = Satrec()
            sgp4.omm.initialize(satellite, fields)
            assert columns["norad_id"][i] == satellite.satnum
            assert columns["bstar"][i] == satellite.bstar
            assert columns["eccentricity"][i] == satellite.ecco
            assert columns["inclination_deg"][i] == pytest.approx(np.degrees(satellite.inclo), rel=1e-15)
            assert columns["epoch_day"][i] + 2400000.5 + columns["epoch_fraction"][i] == pytest.approx(
                satellite.jdsatepoch + satellite.jdsatepochF, rel=1e-15
            )
    assert i + 1 == len(columns["norad_id"]) == 1203


def test_catalogue_number_vectors(shared_data: Path):
    vectors = json.loads((shared_data / "catalog_numbers/vectors_norad-cat-id-text.json").read_text())
    for vector in vectors["valid"]:
        assert read_kvn(to_kvn(ISS | {"NORAD_CAT_ID": vector["text"]}), "x")[0]["norad_id"].tolist() == [
            vector["value"]
        ]
    for vector in vectors["invalid_in_omm"]:
        if vector["text"]:  # an empty one is read as left out
            assert read_kvn(to_kvn(ISS | {"NORAD_CAT_ID": vector["text"]}), "x")[1]


def test_variants_of_one_message_are_equal(shared_data: Path):
    files = sorted((shared_data / "omm/iss_variants").iterdir())
    assert len(files) == 7
    results = [(read_xml if f.suffix == ".xml" else read_kvn)(f.read_bytes(), f.name) for f in files]
    for file, (columns, rejects) in zip(files, results, strict=True):
        assert rejects == []
        for key, column in columns.items():
            if not (file.name.startswith("v05") and key in ("norad_id", "element_set_number")):  # left out there
                assert column.tolist() == results[0][0][key].tolist(), (file.name, key)


@pytest.mark.parametrize(
    ("name", "line", "reason"),
    [
        ("OMM-number-format-error.txt", 15, "ARG_OF_PERICENTER of object 23581: found 'this-is-not-a-number'"),
        ("OMMExample3.txt", 14, "MEAN_ELEMENT_THEORY of 'GOES 9': found 'SOME THEORY'"),
        ("OMMExample5.txt", 10, "SGP4-XP elements (ephemeris type 4)"),
        ("spurious-metadata.xml", 2, "EPOCH of 'STARLETTE': missing"),
        ("OMM-empty-object-id.txt", None, ""),
        ("OMM-empty-object-id.xml", None, ""),
        ("OMM-with-units.xml", None, ""),
        ("OMM-wrong-keyword.txt", None, ""),
        ("OMMExample1.txt", None, ""),
        ("OMMExample2.txt", None, ""),
        ("OMMExample2.xml", None, ""),
        ("OMMExample4.txt", None, ""),
        ("OMMExample4.xml", None, ""),
    ],
)
def test_ccsds_examples(shared_data: Path, name: str, line: int | None, reason: str):
    data = (shared_data / "omm/ccsds_examples" / name).read_bytes()
    columns, rejects = (read_xml if name.endswith(".xml") else read_kvn)(data, name)
    if line is None:
        assert rejects == []
        assert columns["norad_id"].tolist() in ([23581], [7646])
    else:
        assert [r.line for r in rejects] == [line]
        assert reason in rejects[0].reason
