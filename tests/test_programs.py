"""Programs that are kept on disk."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from constellation_jax import programs
from constellation_jax.engine.precision import x64
from constellation_jax.programs import Program


class Pair(NamedTuple):
    first: jax.Array
    second: jax.Array


@pytest.fixture
def traced() -> list[object]:
    """Shapes that the function below was traced with."""
    return []


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, traced: list[object]):
    monkeypatch.setattr(programs, "program_folder", lambda: tmp_path)

    def function(values: jax.Array, other: Pair) -> Pair:
        traced.append(values.shape)
        return Pair(jnp.cumsum(values) + other.first, other.second * 2)

    return lambda: Program(function, "tests.function", donate_argnums=1)


def arguments(count: int = 3) -> tuple[np.ndarray, Pair]:
    values = np.arange(float(count))
    return values, Pair(jax.device_put(values, may_alias=False), jax.device_put(values, may_alias=False))


def test_a_kept_program_is_not_traced_again(make, traced: list[object], tmp_path: Path) -> None:
    first = make()
    results = [first(*arguments()), first(*arguments())]
    results += [program(*arguments()) for program in [make()] * 2]
    assert traced == [(3,)]
    for result in results:
        assert isinstance(result, Pair)
        assert np.asarray(result.first).tolist() == [0.0, 2.0, 5.0]
    make()(*arguments(4))
    assert traced == [(3,), (4,)]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", [lambda content: content[:-7], lambda content: b"", lambda content: content[::-1]])
def test_a_damaged_file_is_made_anew(make, traced: list[object], tmp_path: Path, damage) -> None:
    make()(*arguments())
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert np.asarray(make()(*arguments()).second).tolist() == [0.0, 2.0, 4.0]
    assert len(traced) == 2
    make()(*arguments())
    assert len(traced) == 2


def test_threads_that_begin_together_compile_once(make, traced: list[object]) -> None:
    program = make()

    def call(_: int) -> None:
        with x64():
            program(*arguments())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(call, range(8)))
    assert len(traced) == 1


def test_another_process_loads_what_the_first_has_compiled(tmp_path: Path) -> None:
    """In one process a program can be found that cannot be found in another."""
    code = (
        "import constellation_jax as cj, numpy as np, jax, jax.numpy as jnp\n"
        f"cj.configure(compile_cache={str(tmp_path)!r})\n"
        "from constellation_jax.programs import Program\n"
        "def function(x):\n    print('traced', end=' ')\n    return jnp.sort(jnp.sin(x) @ x.T).sum(axis=0)\n"
        "print(Program(function, 'tests.function')(np.eye(9, dtype=np.float32)).sum())\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("JAX_")}
    done = [
        subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert done[0].startswith("traced ")
    assert done[1] == done[0].removeprefix("traced ")


def test_a_program_in_the_place_of_another_is_not_run(make, traced: list[object], tmp_path: Path) -> None:
    (first,) = [make()(*arguments()) and next(tmp_path.iterdir())]
    other = Program(lambda values, pair: Pair(values - values, pair.second), "tests.other", donate_argnums=1)
    other(*arguments())
    (second,) = set(tmp_path.iterdir()) - {first}
    second.rename(first)
    result = make()(*arguments())
    assert np.asarray(result.first).tolist() == [0.0, 2.0, 5.0]
    assert traced == [(3,), (3,)]
