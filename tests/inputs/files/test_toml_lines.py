"""Lines of TOML keys: every form in which TOML can write a key, and the messages for files that are no TOML."""

from pathlib import Path

import pytest

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.toml_lines import load_toml

TEXT = '''# a comment with a [bracket] and a = sign
title = "x # no comment"
a.b."c d" = 1

[table]
list = [
  1,  # one ]
  { inner = 2, deep = { x = 1 } },
  "three ] [",
]
text = """
[[shells]]
name = "not a table"
"""
literal = \'\'\'
key = 1\'\'\'\'
after = 2026-08-23T00:00:00Z

[[shells]]
name = "first"
altitude_km = 550

[[ shells ]]
name = "second"
[shells.notes]
source = "s"
[[shells.extras]]
n = 1
[[shells.extras]]
n = 2

[[shells]]
altitude_km = { value = 600,
  status = "filed" } # forbidden newline in TOML 1.0
'''


def write(folder: Path, text: str) -> Path:
    path = folder / "file.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_line_of_every_form_of_key(tmp_path: Path) -> None:
    text = TEXT.replace('600,\n  status = "filed" } # forbidden newline in TOML 1.0', '600, status = "filed" }')
    data, line_of = load_toml(write(tmp_path, text))
    expected = {
        ("title",): 2,
        ("a", "b", "c d"): 3,
        ("table",): 5,
        ("table", "list"): 6,
        ("table", "list", 0): 7,
        ("table", "list", 1, "deep", "x"): 8,
        ("table", "list", 2): 9,
        ("table", "text"): 11,
        ("table", "literal"): 15,
        ("table", "after"): 17,
        ("shells", 0): 19,
        ("shells", 0, "altitude_km"): 21,
        ("shells", 1): 23,
        ("shells", 1, "name"): 24,
        ("shells", 1, "notes", "source"): 26,
        ("shells", 1, "extras", 0, "n"): 28,
        ("shells", 1, "extras", 1, "n"): 30,
        ("shells", 2): 32,
        ("shells", 2, "altitude_km", "status"): 33,
    }
    assert {way: line_of(way) for way in expected} == expected
    assert data["table"]["literal"] == "key = 1'"
    assert data["shells"][2]["altitude_km"]["value"] == 600


def test_line_of_a_missing_key_is_its_table(tmp_path: Path) -> None:
    _, line_of = load_toml(write(tmp_path, "x = 1\n[[shells]]\nname = 'a'\n"))
    assert line_of(("shells", 0, "planes")) == 2
    assert line_of(("nowhere", "at", "all")) == 1


def test_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    path = write(tmp_path, TEXT.replace("after = 2026-08-23T00:00:00Z", "after = 12 km"))
    with pytest.raises(InputError) as caught:
        load_toml(path)
    assert (
        str(caught.value) == f"{path}, line 17: not valid TOML: Expected newline or end of document after a statement"
    )


def test_syntax_error_at_the_end_names_the_last_line(tmp_path: Path) -> None:
    path = write(tmp_path, "a = 1\nb = [1,\n")
    with pytest.raises(InputError, match=r"file\.toml, line [23]: not valid TOML"):
        load_toml(path)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_toml(tmp_path / "none.toml")
    assert (
        str(caught.value)
        == f"{tmp_path / 'none.toml'}: cannot be read (No such file or directory); expected a TOML file"
    )
    (tmp_path / "latin.toml").write_bytes(b"name = '\xe9'")
    with pytest.raises(InputError) as caught:
        load_toml(tmp_path / "latin.toml")
    assert str(caught.value) == f"{tmp_path / 'latin.toml'}: byte 9 is not UTF-8; save the file as UTF-8"


def test_byte_order_mark_and_windows_lines(tmp_path: Path) -> None:
    (tmp_path / "w.toml").write_bytes(b"\xef\xbb\xbfa = 1\r\n[t]\r\nb = 2\r\n")
    data, line_of = load_toml(tmp_path / "w.toml")
    assert data == {"a": 1, "t": {"b": 2}}
    assert line_of(("t", "b")) == 3


def test_suggest() -> None:
    assert suggest("altitute_km", ["altitude_km", "planes"]) == ", did you mean 'altitude_km'?"
    assert suggest("xyz", ["altitude_km", "planes"]) == ""
