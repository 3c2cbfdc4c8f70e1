"""Keys of files, declared on dataclasses: values, conversions, defaults, and every mistake at once."""

from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.files.keys import (
    TRUE_OR_FALSE,
    Rule,
    is_number,
    is_whole,
    key,
    key_dataclass,
    keys_of,
    number,
    one_of,
    one_or_more,
    rules_of,
    text,
    whole,
)
from constellation_jax.inputs.files.toml_tables import Provenance, TomlTables


def upper(value: str, folder: Path) -> str:
    if value == "bad":
        raise InputError("found bad text")
    return value.upper()


@key_dataclass
class Thing:
    altitude_km: float = key(number(120, 50_000, unit="km"), doc="Height.")
    planes: int = key(whole(1), default=1, doc="Planes.")
    fill: str = key(one_of("drawn", "even"), default="drawn", doc="Filling.")
    names: tuple[str, ...] = key(one_or_more(text(), "text, or a list"), default=["a"], doc="Names.")
    code: str = key(Rule("text", lambda v: isinstance(v, str), convert=upper), default="abc", doc="Code.")
    open: bool | None = key(TRUE_OR_FALSE, default=None, absent="not known", doc="Open.")
    system: str = key(text(), absent="that of the file", doc="System.")
    origin: str = ""


def read(folder: Path, content: str) -> tuple[dict[str, object], dict[str, Provenance]]:
    (folder / "things.toml").write_text(content)
    file = TomlTables(folder / "things.toml")
    (table,) = file.tables("things")
    values, provenance = file.read(table, ("things", 0), "thing 1", rules_of(Thing))
    file.finish()
    return values, provenance


def test_defaults_are_converted_as_a_file_would_be() -> None:
    thing = Thing(altitude_km=500.0, system="S")
    assert (thing.planes, thing.fill, thing.names, thing.code, thing.open) == (1, "drawn", ("a",), "ABC", None)
    assert keys_of(Thing)["code"].default == "abc"
    assert "origin" not in keys_of(Thing)
    assert [name for name, rule in rules_of(Thing).items() if rule.required] == ["altitude_km"]
    with pytest.raises(TypeError, match="altitude_km"):
        Thing(system="S")  # type: ignore[call-arg]


def test_values_of_a_table(tmp_path: Path) -> None:
    values, provenance = read(
        tmp_path,
        '[[things]]\naltitude_km = { value = 500, status = "filed" }\nnames = "one"\ncode = "x"\nstatus = "assumed"\n',
    )
    assert values == {"altitude_km": 500, "names": ("one",), "code": "X"}
    assert [provenance[key].status for key in values] == ["filed", "assumed", "assumed"]


def test_every_mistake_is_told_at_once_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(
            tmp_path,
            '[[things]]\nplanes = 0\nfill = "drwn"\nnames = [\n  "a",\n  5,\n]\ncode = "bad"\nopen = 1\naltitude = 3\n',
        )
    where = tmp_path / "things.toml"
    assert caught.value.messages == [
        f"{where}, line 2, thing 1, planes: found 0, expected a whole number of at least 1",
        f"{where}, line 3, thing 1, fill: found 'drwn', expected 'drawn' or 'even', did you mean 'drawn'?",
        f"{where}, line 6, thing 1, names: found 5, expected text",
        f"{where}, line 8, thing 1, code: found bad text",
        f"{where}, line 9, thing 1, open: found 1, expected true or false",
        f"{where}, line 10, thing 1, altitude: unknown key, its unit is missing: did you mean 'altitude_km'?",
    ]


def test_a_missing_key_is_told_where_no_other_seems_to_stand_for_it(tmp_path: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        read(tmp_path, "[[things]]\nplanes = 2\n")
    missing = "line 1, thing 1, altitude_km: missing, expected a number from 120 to 50000 km"
    assert caught.value.messages == [f"{tmp_path / 'things.toml'}, {missing}"]


@pytest.mark.parametrize("value", [1, np.int64(1), 1.5, np.float32(1.5)])
def test_numbers_of_python_and_of_numpy(value: float) -> None:
    assert is_number(value)
    assert is_whole(value) == (value == 1)


@pytest.mark.parametrize("value", [True, np.bool_(True), "1", None, float("nan"), np.float64("inf"), [1]])
def test_what_is_no_number(value: object) -> None:
    assert not is_number(value)
    assert not is_whole(value)
