"""The commands of all pages, in their order and in one folder: a reader who types everything gets no refusal.

They run one after the other in one process, so that JAX is loaded and each program compiled once, on a tenth of the objects of
large catalogues; a command that differs from an earlier one in its output alone is taken as run.
"""

import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from examples import ISS

import constellation_jax as cj

ROOT = Path(__file__).parents[1]
ORDER = ("README.md", "docs/start", "docs/how-to", "docs/reference", "docs/validation")
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OBJECTS = """OBJECT_NAME,OBJECT_ID,EPOCH,MEAN_MOTION,ECCENTRICITY,INCLINATION,RA_OF_ASC_NODE,ARG_OF_PERICENTER,MEAN_ANOMALY,\
EPHEMERIS_TYPE,CLASSIFICATION_TYPE,NORAD_CAT_ID,ELEMENT_SET_NO,REV_AT_EPOCH,BSTAR,MEAN_MOTION_DOT,MEAN_MOTION_DDOT
ISS (ZARYA),1998-067A,2025-06-24T12:00:00.000000,15.5,0.0002,51.64,100.0,50.0,310.0,0,U,25544,999,51000,0.00018,0.0001,0
STARLINK-1008,2019-074B,2025-06-24T10:00:00.000000,15.06,0.0001,53.05,200.0,80.0,280.0,0,U,44714,999,31000,0.0001,0.00001,0
QIANFAN-1,2024-140A,2025-06-24T09:00:00.000000,13.9,0.0003,88.99,20.0,90.0,270.0,0,U,60379,999,4000,0.0001,0.00001,0
"""
LONG = {"bench": "measures for minutes; tests/benchmark/ has it", "fetch": "needs the network; tests/inputs/ has it"}
"""Commands that are not run, and why."""
RUN = """
import json, sys, time, traceback
import constellation_jax as cj
from constellation_jax.cli import app
from constellation_jax.inputs import run_file

whole = run_file.load_objects


def load_objects(*arguments, **options):
    objects = whole(*arguments, **options)
    return objects[::10] if len(objects) > 1000 else objects


run_file.load_objects = load_objects
for line in sys.stdin:
    arguments = json.loads(line)
    start = time.perf_counter()
    try:
        code = app(arguments, prog_name="constellation-jax", standalone_mode=False)
    except SystemExit as stop:
        code = stop.code
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stderr.flush()
    print(json.dumps([code or 0, round(time.perf_counter() - start, 1)]), file=sys.__stdout__, flush=True)
"""


def pages() -> list[Path]:
    found = []
    for place in ORDER:
        found += [ROOT / place] if place.endswith(".md") else sorted((ROOT / place).glob("*.md"))
    return found


def commands(page: Path) -> list[list[str]]:
    """The commands of the console blocks of a page."""
    blocks = [text for kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "console"]
    words = [shlex.split(line.removeprefix("$ "), comments=True) for block in blocks for line in block.splitlines()]
    return [found[1:] for found in words if found[:1] == ["constellation-jax"]]


def outputs(arguments: list[str]) -> list[str]:
    """Files that a command writes, by its options or without one."""
    named = [value for option, value in itertools.pairwise(arguments) if option in ("--output", "-o")]
    if "--shard" in arguments:
        return []  # a part of an output
    if named or arguments[0] not in ("propagate", "ephemeris", "decay"):
        return named
    return [
        "low-orbits.nc" if "my-run.toml" in arguments else {"decay": "decay.nc"}.get(arguments[0], "constellation.nc")
    ]


def without_output(arguments: list[str]) -> tuple[str, ...]:
    named = outputs(arguments)
    return tuple(word for word in arguments if word not in ("--output", "-o", *named))


def test_no_two_pages_write_the_same_file() -> None:
    named = [name for page in pages() for arguments in commands(page) for name in outputs(arguments)]
    assert len(named) > 10
    assert len(set(named)) == len(named), sorted(named)


@pytest.mark.slow(first=True)
def test_all_commands_run_in_one_folder(tmp_path: Path, kept_kernels: dict[str, str]) -> None:
    copy = tmp_path / "cache" / "127.0.0.1_9" / "active.csv"  # of the address below
    copy.parent.mkdir(parents=True)
    for path in (copy, tmp_path / "my-objects.csv"):
        path.write_text(OBJECTS)
    starlinks = cj.bundled_population().select(name="STARLINK*")[::8]
    copy.with_name("starlink.csv").write_text(starlinks.to_omm())
    (tmp_path / "my-elements.tle").write_text(ISS)
    (tmp_path / "configs").symlink_to(ROOT / "configs", target_is_directory=True)
    runs = (ROOT / "docs" / "reference" / "run-files.md").read_text(encoding="utf-8")
    (tmp_path / "my-run.toml").write_text(next(text for kind, text in _BLOCK.findall(runs) if kind == "toml"))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")} | kept_kernels
    environment |= {
        "PYTHONPATH": str(ROOT),
        "CONSTELLATION_JAX_CACHE": str(tmp_path / "cache"),
        "CONSTELLATION_JAX_CELESTRAK_URL": "http://127.0.0.1:9/",  # nothing may use the network
    }
    log = tmp_path / "log.txt"
    ran: dict[tuple[str, ...], list[str]] = {}
    with (
        log.open("w") as said,
        subprocess.Popen(
            [sys.executable, "-c", RUN],
            cwd=tmp_path, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin
        assert process.stdout
        first = ("README.md", ["propagate", "--output", "leo.nc"])  # of its line that begins with the making of .venv
        for name, arguments in [first, *((page.name, found) for page in pages() for found in commands(page))]:
            if arguments[0] in LONG:
                continue
            earlier = ran.get(without_output(arguments))
            if earlier is not None and len(earlier) >= len(outputs(arguments)):
                for old, new in zip(earlier, outputs(arguments), strict=False):  # one that is only printed has none
                    for made in tmp_path.glob(f"{Path(old).stem}.*"):  # `tune` writes a shell file beside its output
                        shutil.copy(made, made.with_name(Path(new).stem + made.suffix))
                continue
            ran[without_output(arguments)] = outputs(arguments)
            process.stdin.write(json.dumps(arguments) + "\n")
            process.stdin.flush()
            code, seconds = json.loads(next(line for line in process.stdout if line.startswith("[")))
            print(f"{seconds:6.1f} s  {name}: {shlex.join(arguments)}")
            assert code == 0, f"{name}: {shlex.join(arguments)}\n{log.read_text()[-3000:]}"
            for output in outputs(arguments):
                assert (tmp_path / output).exists()
        process.stdin.close()
    assert len(ran) > 20
