"""TLE reading: every layout in use, every defect named with its line, every sound record kept."""

import gzip
import json
import re
from pathlib import Path

import numpy as np
import pytest
from sgp4.api import Satrec

from constellation_jax.inputs.element_sets.tle import read_tle
from constellation_jax.inputs.element_sets.tle_fields import parse_norad_id

ISS = (
    "1 25544U 98067A   24130.36689744  .00016024  00000+0  27777-3 0  9992",
    "2 25544  51.6381 147.8590 0003466 150.4670 338.5502 15.51043222452521",
)
VANGUARD = (
    "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753",
    "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667",
)
GALLERY = "\n".join([*ISS, *VANGUARD, ""])


def read(text: str):
    return read_tle(text.encode(), "x.tle")


def edited(line: str, first: int, replacement: str) -> str:
    """A line with some columns (from `first`, counted from 1) replaced and the checksum mended."""
    line = line[: first - 1] + replacement + line[first - 1 + len(replacement) :]
    digits = sum(int(c) if c.isdigit() else c == "-" for c in line[:68])
    return line[:68] + str(digits % 10)


def test_values_equal_the_decimal_text():
    columns, rejects = read(GALLERY)
    assert rejects == []
    assert columns["norad_id"].tolist() == [25544, 5]
    assert columns["international_designator"].tolist() == ["1998-067A", "1958-002B"]
    assert columns["classification"].tolist() == ["U", "U"]
    assert columns["epoch_day"].tolist() == [60439, 51722]
    assert columns["epoch_fraction"].tolist() == [0.36689744, 0.78495062]
    assert columns["mean_motion_rev_per_day"].tolist() == [15.51043222, 10.82419157]
    assert columns["eccentricity"].tolist() == [0.0003466, 0.1859667]
    assert columns["inclination_deg"].tolist() == [51.6381, 34.2682]
    assert columns["raan_deg"].tolist() == [147.8590, 348.7242]
    assert columns["arg_perigee_deg"].tolist() == [150.4670, 331.7664]
    assert columns["mean_anomaly_deg"].tolist() == [338.5502, 19.3264]
    assert columns["bstar"].tolist() == [0.27777e-3, 0.28098e-4]
    assert columns["mean_motion_dot"].tolist() == [0.00016024, 0.00000023]
    assert columns["element_set_number"].tolist() == [999, 475]
    assert columns["revolution_number"].tolist() == [45252, 41366]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("prefix", ["", "0 "])
def test_name_lines(end: str, prefix: str):
    text = end.join(
        ["# a comment", "", prefix + "ISS (ZARYA)             ", *ISS, "  ", *VANGUARD, prefix + "2 SISTERS", *ISS]
    )
    columns, rejects = read(text)
    assert rejects == []
    assert columns["name"].tolist() == ["ISS (ZARYA)", "", "2 SISTERS"]
    assert columns["norad_id"].tolist() == [25544, 5, 25544]


def test_text_after_the_last_column_indented_lines_and_names_in_other_letters():
    columns, rejects = read(f"   ÑUSAT 1\n   {ISS[0]}\n   {ISS[1]}     0.00      4320.0        360.00")
    assert rejects == []
    assert (columns["name"][0], columns["revolution_number"][0]) == ("ÑUSAT 1", 45252)


def test_lines_without_checksum():
    columns, rejects = read("\n".join([*(line[:68] for line in ISS), *VANGUARD]))
    assert rejects == []
    assert columns["norad_id"].tolist() == [25544, 5]


@pytest.mark.parametrize("line", [0, 1])
def test_a_wrong_checksum_is_noted_and_the_record_kept(line: int):
    lines = [*VANGUARD, *ISS]
    lines[2 + line] = lines[2 + line][:68] + "7"
    columns, rejects = read("\n".join(lines))
    assert columns["norad_id"].tolist() == [5, 25544]
    assert [(r.line, r.kept) for r in rejects] == [(3 + line, True)]
    assert f"checksum of line {line + 1}: found '7', expected '{ISS[line][68]}'" in str(rejects[0])


@pytest.mark.parametrize(
    ("line", "first", "replacement", "column", "value"),
    [
        (1, 3, "    5", "norad_id", 5),
        (1, 54, "-12345-6", "bstar", -0.12345e-6),
        (1, 54, " 12345+1", "bstar", 1.2345),
        (1, 54, " 12345 0", "bstar", 0.12345),
        (1, 54, "  1234-5", "bstar", 0.01234e-5),
        (1, 54, "        ", "bstar", 0.0),
        (1, 45, "-11563-4", "mean_motion_ddot", -0.11563e-4),
        (1, 34, "-.00003657", "mean_motion_dot", -0.00003657),
        (1, 34, "0.00003657", "mean_motion_dot", 0.00003657),
        (1, 21, "  1.50000000", "epoch_fraction", 0.5),
        (1, 63, " ", "ephemeris_type", 0),
        (1, 63, "2", "ephemeris_type", 2),
        (1, 65, "    ", "element_set_number", 0),
        (1, 8, "C", "classification", "C"),
        (1, 8, " ", "classification", "U"),
        (1, 10, "        ", "international_designator", ""),
        (1, 10, "56001ABC", "international_designator", "2056-001ABC"),
        (1, 10, "57001A  ", "international_designator", "1957-001A"),
        (1, 10, "UNKNOWN ", "international_designator", "UNKNOWN"),
        (2, 9, "   .0004", "inclination_deg", 0.0004),
        (2, 9, "51.6400 ", "inclination_deg", 51.64),
        (2, 27, "    466", "eccentricity", 0.0000466),
        (2, 53, " 0.00001000", "mean_motion_rev_per_day", 0.00001),
        (2, 64, "   47", "revolution_number", 47),
    ],
)
def test_spellings_in_use(line: int, first: int, replacement: str, column: str, value: object):
    lines = list(ISS)
    lines[line - 1] = edited(lines[line - 1], first, replacement)
    if column == "norad_id":
        lines[1] = edited(lines[1], first, replacement)
    columns, rejects = read("\n".join([*VANGUARD, *lines]))
    assert rejects == []
    assert columns[column][1] == value


@pytest.mark.parametrize(
    ("line", "first", "replacement", "reason"),
    [
        (
            1,
            3,
            "I5544",
            "catalogue number (columns 3-7): found 'I5544', expected up to five digits, or a letter (not I, O)",
        ),
        (2, 3, "25545", "catalogue number (columns 3-7): found '25545', expected '25544' as on line 1"),
        (1, 19, "2A", "epoch year (columns 19-20): found '2A'"),
        (1, 21, "000", "epoch day (columns 21-23): found 0, expected a day of 2024"),
        (1, 21, "367", "epoch day (columns 21-23): found 367, expected a day of 2024"),
        (1, 19, "25367", "epoch day (columns 21-23): found 367, expected a day of 2025"),
        (1, 24, ".3668974O", "epoch fraction (columns 24-32): found '.3668974O'"),
        (1, 34, " .O0016024", "mean motion dot (columns 34-43)"),
        (1, 54, " 2777X-3", "bstar (columns 54-61): found ' 2777X-3', expected five digits and a power of ten"),
        (
            1,
            63,
            "4",
            "ephemeris type (columns 63-63): SGP4-XP elements (ephemeris type 4): cannot be propagated with SGP4",
        ),
        (1, 33, "9", "column 33: found '9', expected a blank"),
        (2, 9, "181.0000", "inclination deg (columns 9-16): found 181.0, expected 0 to 180 degrees"),
        (2, 27, "00 3466", "eccentricity (columns 27-33): found '00 3466', expected seven digits"),
        (2, 27, "003466 ", "eccentricity (columns 27-33): found '003466 ', expected seven digits"),
        (2, 44, "338,5502", "mean anomaly deg (columns 44-51): found '338,5502'"),
        (2, 53, " 0.00000000", "mean motion rev per day (columns 53-63): found 0.0, expected a mean motion above 0"),
    ],
)
def test_a_defect_is_named_and_costs_no_other_record(line: int, first: int, replacement: str, reason: str):
    lines = list(ISS)
    lines[line - 1] = edited(lines[line - 1], first, replacement)
    columns, rejects = read("\n".join(["A", *VANGUARD, "B", *lines, "C", *VANGUARD]))
    assert columns["name"].tolist() == ["A", "C"]
    assert [(r.line, r.kept) for r in rejects] == [(4 + line, False)]
    assert reason in rejects[0].reason


@pytest.mark.parametrize(
    ("lines", "at", "reason"),
    [
        (["B", ISS[0]], 5, "line 2 is missing: found 'C', expected a line 2 that starts with '2 25544'"),
        (["B", ISS[1]], 5, "line 1 is missing before '2 25544'"),
        ([ISS[0][:40], ISS[1]], 4, "line 1: found 40 characters, expected 69 (68 without a checksum)"),
        ([ISS[0], ISS[1][:5]], 5, "line 2: found 5 characters"),
        ([ISS[0], ISS[1][:63]], 5, "line 2: found 63 characters"),
        ([ISS[0], ISS[1][:68]], 5, "line 2: found 68 characters, expected 69 as on line 1: one is missing"),
        (["something else"], 4, "found 'something else', expected an element line, or a name with a line 1 after it"),
    ],
)
def test_lines_that_make_no_record(lines: list[str], at: int, reason: str):
    columns, rejects = read("\n".join(["A", *VANGUARD, *lines, "C", *VANGUARD]))
    assert columns["norad_id"].tolist() == [5, 5]
    assert columns["name"].tolist() == ["A", "C"]
    assert [(r.line, r.kept) for r in rejects] == [(at, False)]
    assert reason in rejects[0].reason


def test_a_file_that_ends_after_line_1():
    columns, rejects = read("\n".join([*VANGUARD, ISS[0]]))
    assert len(columns["norad_id"]) == 1
    assert [r.line for r in rejects] == [3]
    assert "the end of the file" in rejects[0].reason


def test_an_empty_text_has_no_records():
    columns, rejects = read("\n\n# nothing\n")
    assert len(columns["norad_id"]) == 0
    assert rejects == []


@pytest.mark.parametrize(
    ("field", "norad_id"),
    [("00005", 5), ("    5", 5), ("99999", 99999), ("A0000", 100000), ("J0000", 180000), ("Z9999", 339999)],
)
def test_catalogue_numbers(field: str, norad_id: int):
    assert parse_norad_id(field) == norad_id
    columns, _ = read("\n".join(edited(line, 3, field) for line in ISS))
    assert columns["norad_id"].tolist() == [norad_id]


@pytest.mark.parametrize(
    "field", ["I0000", "O1234", "a0000", "AA000", "1A000", "A000", "A 000", "1 234", "     ", "-1234"]
)
def test_no_catalogue_numbers(field: str):
    with pytest.raises(ValueError, match="catalogue number: found"):
        parse_norad_id(field)
    if len(field) == 5:
        assert read("\n".join(edited(line, 3, field) for line in ISS))[1]


def test_alpha5_and_epoch_year_vectors(shared_data: Path):
    vectors = json.loads((shared_data / "catalog_numbers/vectors_alpha5.json").read_text())
    for vector in (
        vectors["official_examples"] + vectors["boundaries"] + vectors["skip_boundaries"] + vectors["below_100000"]
    ):
        assert parse_norad_id(vector["field"]) == vector["norad_cat_id"]
    for vector in vectors["decode_invalid"]:
        with pytest.raises(ValueError, match="catalogue number"):
            parse_norad_id(vector["field"])
    years = json.loads((shared_data / "catalog_numbers/vectors_two-digit-epoch-year.json").read_text())
    for vector in years["vectors"]:
        columns, _ = read("\n".join([edited(ISS[0], 19, vector["yy"] + "001.00000000"), ISS[1]]))
        assert np.datetime64(int(columns["epoch_day"][0]) - 40587, "D") == np.datetime64(f"{vector['year']}-01-01")


@pytest.mark.parametrize(
    "name",
    [
        *(
            "catalogs/active_2026-08-22.tle.gz",
            "catalogs/active_2026-08-19.tle.gz",
            "catalogs/fengyun-1c-debris_2026-06-14.tle.gz",
        ),
        *("catalogs/cosmos-2251-debris_2026-06-14.tle.gz", "catalogs/iridium-33-debris_2026-06-14.tle.gz"),
        *("catalogs/cosmos-1408-debris_2026-06-14.tle.gz", "catalog_numbers/spacetrack_alpha5_2024-09-17.tle"),
        *("catalog_numbers/alpha5-T-analyst-27xxxx-snapshot.tle", "catalog_numbers/alpha5-synthetic-letters.tle"),
        *("catalog_numbers/alpha5-synthetic-epoch-years.tle", "catalog_numbers/alpha5-A-last-30-days-snapshot.tle"),
        *(
            "catalog_numbers/alpha5_hand_entered_A0080.tle",
            "sgp4_verification/SGP4-VER.TLE",
            "decay/reentries_2026_other.tle.gz",
        ),
    ],
)
def test_real_files_agree_with_python_sgp4_and_with_float(shared_data: Path, name: str):
    data = (shared_data / name).read_bytes()
    data = gzip.decompress(data) if name.endswith(".gz") else data
    columns, rejects = read_tle(data, name)
    assert all(reject.kept for reject in rejects)
    lines = [line for line in data.decode().splitlines() if re.match(r"[12] ", line)]
    firsts, seconds = lines[::2], lines[1::2]
    assert len(columns["norad_id"]) == len(firsts) == len(seconds)
    for column, texts in {
        "mean_motion_rev_per_day": [line[52:63] for line in seconds],
        "eccentricity": ["." + line[26:33] for line in seconds],
        "inclination_deg": [line[8:16] for line in seconds],
        "raan_deg": [line[17:25] for line in seconds],
        "arg_perigee_deg": [line[34:42] for line in seconds],
        "mean_anomaly_deg": [line[43:51] for line in seconds],
        "mean_motion_dot": [line[33:43] for line in firsts],
        "epoch_fraction": [line[23:32] for line in firsts],
        "bstar": [f"{line[53]}.{line[54:59]}E{line[59:61]}".strip() for line in firsts],
        "mean_motion_ddot": [f"{line[44]}.{line[45:50]}E{line[50:52]}".strip() for line in firsts],
    }.items():
        np.testing.assert_array_equal(columns[column], [float(text) for text in texts], err_msg=column)
    for i in range(0, len(firsts), max(len(firsts) // 500, 1)):
        satellite = Satrec.twoline2rv(firsts[i], seconds[i])
        assert columns["norad_id"][i] == satellite.satnum
        assert columns["bstar"][i] == pytest.approx(satellite.bstar, rel=1e-15)
        assert columns["revolution_number"][i] == satellite.revnum
        assert columns["element_set_number"][i] == satellite.elnum
        assert columns["epoch_day"][i] + 2400000.5 == satellite.jdsatepoch
        assert columns["epoch_fraction"][i] == satellite.jdsatepochF


def test_verification_set_notes_its_five_wrong_checksums(shared_data: Path):
    _, rejects = read_tle((shared_data / "sgp4_verification/SGP4-VER.TLE").read_bytes(), "x")
    assert [reject.line for reject in rejects] == [100, 101, 103, 106, 107]


@pytest.mark.parametrize(
    ("name", "line", "kept", "reason", "norad_ids"),
    [
        ("c1-checksum-digit", 5, True, "found '1', expected '6'", [25544, 69999, 20453]),
        ("c2-line-2-short", 6, False, "eccentricity (columns 27-33): found '148004 '", [25544, 20453]),
        ("c3-letter-in-epoch", 5, False, "found '.7O990935'", [25544, 20453]),
        ("c4-line-2-missing", 5, False, "line 2 is missing: found 'DELTA 2 R/B(1)'", [25544, 20453]),
    ],
)
def test_malformed_files(shared_data: Path, name: str, line: int, kept: bool, reason: str, norad_ids: list[int]):
    columns, rejects = read_tle((shared_data / f"malformed/{name}.tle").read_bytes(), name)
    assert columns["norad_id"].tolist() == norad_ids
    assert [(r.source, r.line, r.kept) for r in rejects] == [(name, line, kept)]
    assert reason in rejects[0].reason
