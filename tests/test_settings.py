"""`configure`: what it sets, what it leaves alone, and that it notices when it comes too late. Each in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from constellation_jax import settings as settings
from constellation_jax.settings import BACKEND_OPTIONS, VECTOR_WIDTH, _add_cpu_flags, _is_known_to_jaxlib

FUSION, LOOPS = settings.BACKEND_OPTION_VALUES


def run_process(code: str, tmp_path: Path, **environment: str) -> str:
    """What a program prints; without the settings of JAX that the tests themselves may run under."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("JAX_", "XLA_"))}
    kept |= {"JAX_PLATFORMS": "cpu", "CONSTELLATION_JAX_CACHE": str(tmp_path / "cache")} | environment
    root = str(Path(settings.__file__).parents[1])
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, [root, kept.get("PYTHONPATH")]))
    command = [sys.executable, "-W", "error", "-c", "import os, sys, constellation_jax as cj\n" + code]
    done = subprocess.run(command, env=kept, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_all_flags_are_set_where_there_were_none() -> None:
    assert _add_cpu_flags("") == f"{BACKEND_OPTIONS}{FUSION},{LOOPS} {VECTOR_WIDTH}"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("--xla_cpu_prefer_vector_width=256", f"{BACKEND_OPTIONS}{FUSION},{LOOPS} --xla_cpu_prefer_vector_width=256"),
        ("--xla_dump_to=/x", f"{BACKEND_OPTIONS}{FUSION},{LOOPS} {VECTOR_WIDTH} --xla_dump_to=/x"),
        (
            f"{BACKEND_OPTIONS}xla_cpu_small_while_loop_byte_threshold=5",
            f"{BACKEND_OPTIONS}{FUSION} {VECTOR_WIDTH} {BACKEND_OPTIONS}xla_cpu_small_while_loop_byte_threshold=5",
        ),
        ("/etc/flags.txt", "/etc/flags.txt"),
    ],
)
def test_what_the_user_has_set_stays(given: str, expected: str) -> None:
    assert _add_cpu_flags(given) == expected
    assert _add_cpu_flags(expected) == expected


def test_jaxlib_is_asked_whether_it_knows_a_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _is_known_to_jaxlib(VECTOR_WIDTH)
    assert not _is_known_to_jaxlib("--xla_cpu_no_such_flag=1")
    monkeypatch.setattr(settings, "_is_known_to_jaxlib", lambda flag: False)
    assert _add_cpu_flags("") == f"{BACKEND_OPTIONS}{FUSION},{LOOPS}"


def test_jax_starts_with_the_flags_and_a_second_call_changes_nothing(tmp_path: Path) -> None:
    code = (
        "cj.configure()\n"
        "import jax\n"
        "print(jax._src.xla_bridge.backends_are_initialized(), jax._src.xla_bridge._CPU_ENABLE_ASYNC_DISPATCH.value)\n"
        "jax.numpy.ones(3).block_until_ready()\n"
        "cj.configure()\n"
        "print(os.environ['XLA_FLAGS'], jax.config.jax_compilation_cache_dir)"
    )
    assert run_process(code, tmp_path).splitlines() == ["False False", f"{_add_cpu_flags('')} None"]


def test_it_is_an_error_to_come_too_late(tmp_path: Path) -> None:
    code = (
        "import jax\n"
        "jax.numpy.ones(3)\n"
        "for settings in ({}, {'cpu_flags': False, 'compile_cache': True}):\n"
        "    try:\n"
        "        cj.configure(**settings)\n"
        "    except cj.InputError as error:\n"
        "        print(error)\n"
        "print(os.environ.get('XLA_FLAGS'), jax.config.jax_compilation_cache_dir)"
    )
    flags, cache, left = run_process(code, tmp_path).splitlines()
    assert flags.startswith(
        "configure: JAX has started already, so XLA_FLAGS can no longer be set; call configure before"
    )
    assert cache.startswith("configure: JAX has started already, so the compile cache can no longer be set")
    assert left == "None None"


def test_a_question_about_jax_does_not_start_it(tmp_path: Path) -> None:
    code = (
        "import jax\n"
        "cj.configure(compile_cache=True)\n"
        "from jax._src import xla_bridge\n"
        "print(xla_bridge.backends_are_initialized())"
    )
    assert run_process(code, tmp_path) == "False"


@pytest.mark.parametrize("folder", [None, "mine"])
def test_compiled_programs_are_kept(tmp_path: Path, folder: str | None) -> None:
    asked = "True" if folder is None else repr(str(tmp_path / folder))
    code = f"cj.configure(compile_cache={asked})\nimport jax\nprint(jax.__version__, jax.jit(lambda x: x + 1)(1))"
    version = run_process(code, tmp_path).split()[0]
    own = tmp_path / "cache" / f"compiled-{settings.__version__}-jax-{version}"
    assert any((own if folder is None else tmp_path / folder).iterdir())


def test_a_cache_that_the_user_chose_stays(tmp_path: Path) -> None:
    code = "cj.configure(compile_cache=True)\nimport jax\nprint(jax.config.jax_compilation_cache_dir)"
    chosen = str(tmp_path / "chosen")
    assert run_process(code, tmp_path, JAX_COMPILATION_CACHE_DIR=chosen) == chosen


def test_swapped_entries_of_the_compile_cache_are_not_run(tmp_path: Path) -> None:
    """Two functions of the same arguments, whose programs lie under each other's name."""
    code = (
        "cj.configure(compile_cache=True)\n"
        "import jax\n"
        "print(jax.jit(lambda x: x + 1)(1.0), jax.jit(lambda x: x * 10)(1.0))"
    )
    expected = run_process(code, tmp_path)
    (folder,) = (tmp_path / "cache").iterdir()
    first, second, *_ = sorted(folder.glob("jit__lambda*-cache"))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    assert run_process(code, tmp_path) == expected == "2.0 10.0"
