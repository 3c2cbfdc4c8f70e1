"""Every mistake of a file is reported at once: three of different kinds in one file of each kind."""

from collections.abc import Callable
from pathlib import Path

import pytest

import constellation_jax as cj
from constellation_jax.errors import InputErrors
from constellation_jax.inputs.run_file import read_run
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun
from constellation_jax.inputs.tuning.files import load_tuning_problem

RUN = """catalog = "nowhere.tle"
start = "yesterday"
fame = "teme"
"""
EPHEMERIS = """shells = "nowhere.toml"
tolerance = "1s"
step = "60s"
"""
SHELLS = """default_variant = "flown"
[[shells]]
name = "A"
altitude_km = "high"
inclination_deg = 53
planes = 3
satellites_per_plane = 4
[[shells]]
name = "B"
altitude_km = 550
inclination_deg = 53
planes = 3
satellites_per_plane = 4
occupied_planes = 9
satellites = 4
occupancy = 0.5
"""
TUNING = """constellation = "kuiper"
[[variables]]
altitude_km = [500, 400]
[[objectives]]
minimise = "nothing"
[solver]
method = "magic"
"""


@pytest.mark.parametrize(
    ("read", "text", "lines"),
    [
        (lambda path: read_run(PropagationRun, path), RUN, [1, 2, 3]),
        (lambda path: read_run(EphemerisRun, path), EPHEMERIS, [1, 2, 3]),
        (cj.load_shells, SHELLS, [1, 4, 14, 16]),
        (load_tuning_problem, TUNING, [3, 5, 7]),
    ],
)
def test_all_mistakes_of_a_file(read: Callable[[Path], object], text: str, lines: list[int], tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text)
    with pytest.raises(InputErrors) as error:
        read(path)
    assert len(error.value.messages) == len(lines)
    for message, line in zip(error.value.messages, lines, strict=True):
        assert message.startswith(f"{path}, line {line}, ")
