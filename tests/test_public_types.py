"""Type checkers see through the public names: a user's script has no `Any` from the package, and wrong calls are refused."""

import inspect
import re
import subprocess
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import constellation_jax as cj

ROOT = Path(__file__).parents[1]

SCRIPT = """\
import constellation_jax as cj

catalog = cj.read_catalog("elements.txt")
low = cj.bundled_population().select(mean_altitude_km=(300.0, None), name="STARLINK*").sort("epoch")
times = cj.time_grid("2025-06-24", "1d", "1min")
states = cj.propagate(low, times, variables=("position", "velocity"))
derivatives = cj.jacobians(low, times)
falls = cj.decay(low)
counts = cj.deploy("qianfan:plan-only-648", draws=100)
match = cj.match_shells(catalog, cj.load_shells("guowang"))
coefficients = cj.sgp4.initialise(low.elements)
position, velocity = cj.sgp4.state_at(coefficients, 0.0)
fixed = cj.frames.teme_to_pef(position, cj.frames.gmst82(60850.0, 0.0))
"""
REVEALED = {
    "catalog": "Catalog",
    "low": "Catalog",
    "low.norad_id": "ndarray",
    "low.elements": "Elements",
    "times": "ndarray",
    "states": "Dataset",
    "derivatives": "Dataset",
    "falls": "Dataset",
    "counts": "Dataset",
    "match": "ShellMatch",
    "match.state": "ndarray",
    "match.shells[0]": "ShellCount",
    "match.shells[0].fit": "LatticeFit",
    "cj.load_shells('guowang')": "Shell",
    "cj.cadence_needed('qianfan:plan-only-648', 648, '2026-12-31')": "CadenceNeeded",
    "coefficients": "Coefficients",
    "position": "Array",
    "velocity": "Array",
    "fixed": "Array",
}
"""Expression -> class that its type names."""
WRONG = (
    "cj.propagate(1, 2, nonsense=3)",
    "cj.propagate(low)",
    "cj.propagat(low, times)",
    "low.select(name='STARLINK*').nam",
    "match.shells[0].on_statin",
    "cj.time_grid('2025-06-24')",
    "cj.deploy('qianfan:plan-only-648', draws='many')",
)
"""Statements with one mistake each."""
NUMPY_ANY = re.compile(r"tuple\[Any, \.\.\.\]|dtype\[Any\]|number\[Any")
"""NumPy's own: arrays of any shape, and its ArrayLike."""


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Reports of the type checkers on the script, the revealed types and the wrong statements, by name of the checker."""
    script = tmp_path_factory.mktemp("types") / "user_script.py"
    lines = [*(f"reveal_type({expression})" for expression in REVEALED), *WRONG]
    script.write_text(SCRIPT + "\n".join(lines) + "\n", encoding="utf-8")
    commands = {
        "mypy": [
            "--strict",
            "--hide-error-context",
            str(script),
        ],  # the cache of a run on the package serves this one too
        "pyright": ["--pythonpath", sys.executable, str(script)],
    }
    reports = {}
    for name, arguments in commands.items():
        checker = Path(sys.executable).with_name(name)
        if not checker.exists():
            pytest.fail(f"{name} is part of the test extra: pip install '.[test]'")
        done = subprocess.run([checker, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 1, done.stdout + done.stderr  # the wrong statements, and no breakdown
        reports[name] = done.stdout
    return reports


def messages(report: str) -> dict[int, str]:
    """Collect the messages of a report by line of the script."""
    found: dict[int, str] = {}
    for line, message in re.findall(r"user_script\.py:(\d+)(?::\d+)?:? -? ?(.*)", report):
        found[int(line)] = f"{found.get(int(line), '')}{message}\n"
    return found


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_a_users_script_has_no_any_from_the_package(checked: dict[str, str], checker: str) -> None:
    said = messages(checked[checker])
    first = SCRIPT.count("\n") + 1
    assert not {line: message for line, message in said.items() if line < first}
    for line, (expression, name) in enumerate(REVEALED.items(), start=first):
        revealed = said[line].partition("evealed type is" if checker == "mypy" else "Type of")[2]
        assert re.search(rf"\b{name}\b", revealed), f"{expression}: {said[line]}"
        assert not re.search(r"\b(Any|Unknown)\b", NUMPY_ANY.sub("", revealed)), f"{expression}: {said[line]}"


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
def test_wrong_calls_are_refused(checked: dict[str, str], checker: str) -> None:
    said = messages(checked[checker])
    for line, statement in enumerate(WRONG, start=SCRIPT.count("\n") + 1 + len(REVEALED)):
        assert "error" in said.get(line, ""), statement


def functions_of(value: object) -> Iterator[types.FunctionType]:
    """Find the public functions behind a public name: itself, those of a module, or the methods and properties of a class."""
    if inspect.isfunction(value):
        yield value
    elif isinstance(value, types.ModuleType):
        for name, member in vars(value).items():
            if not name.startswith("_") and getattr(member, "__module__", "").startswith(value.__name__):
                yield from functions_of(member)
    elif isinstance(value, type):
        for name, member in vars(value).items():
            inner = getattr(member, "fget", None) or getattr(member, "__func__", member)
            if not name.startswith("_") and inspect.isfunction(inner):
                yield inner


def hints_of(value: object) -> dict[str, Any]:
    """Resolve annotations, also those whose names the source imports for type checkers only."""
    import xarray as xr
    from matplotlib.axes import Axes

    return typing.get_type_hints(value, localns={"Elements": cj.Elements, "xr": xr, "Axes": Axes})


def classes_in(hint: object) -> Iterator[type]:
    """Find the package's own classes that an annotation names."""
    for part in (typing.get_origin(hint), hint):
        if isinstance(part, type) and part.__module__.startswith("constellation_jax"):
            yield part
    for argument in typing.get_args(hint):
        yield from classes_in(argument)


def test_every_class_that_public_functions_return_is_public() -> None:
    names = {name: getattr(cj, name) for name in cj.__all__ if name != "__version__"}
    public = {value for value in names.values() if isinstance(value, type)}
    for module in (value for value in names.values() if isinstance(value, types.ModuleType)):
        public |= {member for member in vars(module).values() if isinstance(member, type)}
    hidden = set()
    for name, value in names.items():
        for function in functions_of(value):
            for found in classes_in(hints_of(function).get("return")):
                if found not in public:
                    hidden.add(f"{name}: {function.__qualname__} returns {found.__module__}.{found.__name__}")
        if isinstance(value, type) and not issubclass(value, BaseException):
            for field, hint in hints_of(value).items():
                for found in classes_in(hint):
                    if found not in public:
                        hidden.add(f"{name}.{field} holds {found.__module__}.{found.__name__}")
    assert not hidden, "\n".join(sorted(hidden))
