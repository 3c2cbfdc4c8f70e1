"""Run files: what they mean, what replaces what, and every mistake at once with its line."""

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from examples import ISS

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.catalog.celestrak import GROUPS
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.run_file import load_objects, read_run
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun, Run
from constellation_jax.inputs.sources import find_source
from constellation_jax.outputs.variables import resolve_groups

SHELL = """system = "Tiny"
[[shells]]
name = "T1"
altitude_km = 550.0
inclination_deg = 53.0
planes = 3
satellites_per_plane = 4
"""
MINUTE = np.timedelta64(60, "s")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a run file lies beside its inputs; the working folder is another one."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    (tmp_path / "iss.tle").write_text(ISS)
    (tmp_path / "tiny.toml").write_text(SHELL)
    return tmp_path


def write(folder: Path, text: str) -> Path:
    path = folder / "run.toml"
    path.write_text(text)
    return path


def test_the_default_run_is_the_bundled_population_and_three_constellations() -> None:
    run = read_run(PropagationRun)
    assert run.catalog == ("bundled",)
    assert run.shells == ("guowang", "qianfan", "kuiper")
    assert run.start == np.datetime64("2025-06-24")
    assert run.duration == 360 * MINUTE
    assert run.step == MINUTE
    assert (run.frame, run.variables) == ("teme", ("position", "altitude", "decay", "lifetime"))
    assert run.output == Path("constellation.nc")
    bare = dataclasses.replace(run, catalog=(), shells=(), start=None, variables=run.variables[:3])
    assert bare == PropagationRun(), "the defaults of the keys are those that the default run shows"


def test_the_default_ephemeris_is_of_the_same_objects() -> None:
    run, samples = read_run(EphemerisRun), read_run(PropagationRun)
    for field in dataclasses.fields(Run):
        assert getattr(run, field.name) == getattr(samples, field.name)
    assert run.tolerance == 1.0


def test_the_bundled_runs_are_sound(tmp_path: Path) -> None:
    runs = sorted((configs_folder() / "runs").glob("*.toml"))
    assert {path.stem for path in runs} >= {"default", "ephemeris", "active-day"}
    for path in runs:
        kind = EphemerisRun if path.stem == "ephemeris" else PropagationRun
        assert read_run(kind, shutil.copy(path, tmp_path)) == read_run(kind, path)


def test_paths_are_relative_to_the_run_file(folder: Path) -> None:
    run = read_run(PropagationRun, write(folder, 'catalog = "iss.tle"\nshells = "tiny.toml"\noutput = "out/x.nc"\n'))
    assert run.catalog == (str(folder / "iss.tle"),)
    assert run.shells == (str(folder / "tiny.toml"),)
    assert run.output == folder / "out" / "x.nc"


def test_options_replace_keys_and_are_relative_to_the_working_folder(folder: Path) -> None:
    path = write(folder, 'catalog = "missing.tle"\nshells = "tiny.toml"\nstep = "10s"\nframe = "itrs"\n')
    run = read_run(PropagationRun, path, options={"catalog": ["../iss.tle"], "step": "5min", "output": Path("y.nc")})
    assert run.catalog == (str(folder / "iss.tle"),)
    assert run.shells == (str(folder / "tiny.toml"),)
    assert (run.step, run.frame, run.output) == (5 * MINUTE, "itrs", Path("y.nc"))


@pytest.mark.parametrize("given", [{"catalog": ["bundled"]}, {"shells": ["kuiper:filed"]}])
def test_objects_given_to_the_default_run_replace_all_of_its_objects(given: dict[str, Any]) -> None:
    run = read_run(PropagationRun, options=given)
    assert [list(run.catalog), list(run.shells)] == [given.get("catalog", []), given.get("shells", [])]
    assert run.start is None
    assert read_run(PropagationRun, options=given | {"start": "2026-01-02"}).start == np.datetime64("2026-01-02")


def test_what_a_word_of_catalog_means(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_source("bundled") == "bundled"
    assert find_source("starlink") == "celestrak:starlink"
    assert find_source("celestrak:new-group") == "celestrak:new-group"
    monkeypatch.chdir(folder)
    (folder / "active").write_text(ISS)
    assert find_source("active") == "celestrak:active"
    assert find_source("./active") == str(folder / "active")
    assert find_source("iss.tle") == find_source("elsewhere/../iss.tle") == str(folder / "iss.tle")
    assert "bundled" not in GROUPS


def test_toml_times_need_no_quotes(folder: Path) -> None:
    run = read_run(PropagationRun, write(folder, 'catalog = "bundled"\nstart = 2025-06-24T02:00:00+02:00\n'))
    assert run.start == np.datetime64("2025-06-24T00:00:00")


def test_every_mistake_is_told_at_once_in_the_order_of_the_lines(folder: Path) -> None:
    path = write(
        folder,
        """# a comment
catalog = ["bundled", "activ"]
shells = ["guowan"]
start = "2025-13-01"
duraton = "6h"
step = 60
frame = "tems"
variables = ["positon"]
select = [
  "name=X*",
  "nmae=STARLINK*",
]
overwrite = "yes"
precision = 64
device = "quantum"
output = 3
""",
    )
    options = {"dtype": "float16", "duration": "0h"}
    with pytest.raises(InputErrors) as error:
        read_run(PropagationRun, path, options=options, checks={"variables": resolve_groups})
    expected = [
        ("--dtype: ", "found 'float16', expected 'float32' or 'float64', did you mean"),
        ("--duration: ", "found '0h', expected more than zero"),
        (f"{path}, line 2, catalog: ", "found 'activ', expected a file, 'bundled' or a CelesTrak group"),
        (f"{path}, line 3, shells: ", "did you mean 'guowang'?"),
        (f"{path}, line 4, start: ", "2025-13-01"),
        (f"{path}, line 5, duraton: ", "unknown key, did you mean 'duration'?"),
        (f"{path}, line 6, step: ", "expected a number with its unit"),
        (f"{path}, line 7, frame: ", "found 'tems', expected 'teme' or 'itrs', did you mean 'teme'?"),
        (f"{path}, line 8, variables: ", "did you mean 'position'?"),
        (f"{path}, line 11, select: ", "unknown column 'nmae', did you mean 'name'?"),
        (f"{path}, line 13, overwrite: ", "found 'yes', expected true or false"),
        (f"{path}, line 14, precision: ", "found 64, expected 'float64' or 'float32'"),
        (f"{path}, line 15, device: ", "found 'quantum', expected 'cpu', 'gpu' or 'tpu'"),
        (f"{path}, line 16, output: ", "found 3, expected the path of a file"),
    ]
    assert len(error.value.messages) == len(expected)
    for message, (beginning, words) in zip(error.value.messages, expected, strict=True):
        assert message.startswith(beginning)
        assert words in message
        assert "\n" not in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("catalog = 5", "line 1, catalog: found 5, expected text in quotes, or a list of texts"),
        ("catalog = [5]", "line 1, catalog: found 5, expected text in quotes"),
        ('step = "0s"\ncatalog = "bundled"', "line 1, step: .*more than zero"),
        ("[run]\ncatalog = 1", "line 1, run: unknown key; known are catalog, shells, start, "),
        ('step = "60s"', "found no catalog and no shells"),
        ('select = "name=X*"\n', "found no catalog and no shells"),
    ],
)
def test_mistakes(folder: Path, text: str, words: str) -> None:
    with pytest.raises(InputErrors, match=words):
        read_run(PropagationRun, write(folder, text))


def test_a_key_of_the_other_command_says_so(folder: Path) -> None:
    path = write(folder, 'catalog = "iss.tle"\nstep = "10s"\n')
    with pytest.raises(InputErrors, match="line 2, step: belongs to the command propagate; leave it out for ephemeris"):
        read_run(EphemerisRun, path)
    path = write(folder, 'catalog = "iss.tle"\ntolerance = "1m"\n')
    with pytest.raises(InputErrors, match="line 2, tolerance: belongs to the command ephemeris"):
        read_run(PropagationRun, path)


@pytest.mark.parametrize("text", ["catalog = ", 'catalog = "a"\ncatalog = "b"'])
def test_a_file_that_is_not_toml(folder: Path, text: str) -> None:
    with pytest.raises(InputError, match=r"run\.toml, line \d: not valid TOML"):
        read_run(PropagationRun, write(folder, text))


def test_a_run_without_start_begins_at_midnight_of_the_median_epoch(folder: Path) -> None:
    path = write(
        folder, 'catalog = "iss.tle"\nshells = "tiny.toml"\nduration = "10min"\nselect = "inclination_deg=50.."\n'
    )
    objects, start = load_objects(read_run(PropagationRun, path))
    midnight = np.datetime64("2025-06-24T00:00")  # day 175; the epoch is at noon
    assert start == midnight
    assert objects.name[0] == "ISS (ZARYA)"
    assert len(objects) == 1 + 12
    assert set(objects.epoch[1:]) == {midnight}
    assert objects.synthetic.tolist() == [False] + 12 * [True]


def test_planned_satellites_get_the_start_as_their_epoch(folder: Path) -> None:
    path = write(folder, 'shells = "tiny.toml"\n')
    objects, start = load_objects(read_run(PropagationRun, path, options={"start": "2027-03-04T05:06:07Z"}))
    assert set(objects.epoch) == {start} == {np.datetime64("2027-03-04T05:06:07")}
    objects, start = load_objects(read_run(PropagationRun, path))
    assert set(objects.epoch) == {start}


def test_a_selection_of_nothing_says_so(folder: Path) -> None:
    with pytest.raises(InputError, match="none of the 1 objects"):
        load_objects(read_run(PropagationRun, write(folder, 'catalog = "iss.tle"\nselect = "name=CSS*"\n')))
