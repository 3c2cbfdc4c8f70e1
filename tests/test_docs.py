"""The pages hold what they show: Python examples run, TOML examples are accepted, lists of names are complete.

A page's ```python blocks run in order in one process of their own, so that JAX has its own defaults there, with warnings
as errors, and print what stands in the ```output blocks below them. Other blocks (text, console) are not run.
"""

import re
from pathlib import Path
from runpy import run_path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.inputs.deployment.files import load_deployment
from constellation_jax.inputs.run_file import read_run
from constellation_jax.inputs.run_keys import PropagationRun
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)]
CODE = "\n".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "constellation_jax").rglob("*.py")))
KIT = [ROOT / name for name in ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")]
RUN = run_path(str(ROOT / "scripts" / "run_pages.py"))
TABLES = run_path(str(ROOT / "scripts" / "write_key_tables.py"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def path(name: str) -> Path:
    """Path of the page with this file name, in whichever folder of docs/ it lies."""
    (found,) = (page for page in PAGES if page.name == name)
    return found


def text(name: str) -> str:
    return path(name).read_text(encoding="utf-8")


FAST = {"README", "quickstart"}
"""Pages whose examples are run with the fast tests."""


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, id=page.stem, marks=() if page.stem in FAST else pytest.mark.slow)
        for page in PAGES
        if blocks(page, "python")
    ],
)
def test_python_examples_run(page: Path, kept_kernels: dict[str, str], tmp_path: Path) -> None:
    codes, stored = zip(*RUN["examples"](page.read_text(encoding="utf-8")), strict=True)
    printed = RUN["outputs"](page.name, codes, tmp_path, kept_kernels)
    if any(stored):
        for old, new in zip(stored, printed, strict=True):
            assert is_alike(old, new), f"run scripts/run_pages.py {page.stem}: {new!r} is printed, {old!r} stands there"


_CHANGING = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+)?|\d+\.\d+\.\d+[\w.]*|\s+")
_NUMBER = re.compile(r"-?\d+\.?\d*(?:e[-+]?\d+)?")


def is_alike(old: str, new: str) -> bool:
    """True where outputs are the same but for dates, versions, breaks of lines, and numbers within 2 %."""
    numbers = [np.array(_NUMBER.findall(_CHANGING.sub(" ", text)), float) for text in (old, new)]
    words = [_NUMBER.sub("#", _CHANGING.sub(" ", text)).replace(" ", "") for text in (old, new)]
    return words[0] == words[1] and np.allclose(*numbers, rtol=0.02, atol=0.0)


def test_outputs_are_compared_by_words_and_numbers() -> None:
    assert is_alike("[1.234\n 5.6] of 0.2.0.dev0 at 2026-01-02T03:04:05", "[1.235 5.6] of 1.0.0 at 2027-01-02T00:00:00")
    assert not is_alike("12 of 20", "13 of 20")
    assert not is_alike("12 of 20", "12 from 20")
    assert not is_alike("", "12")


def test_run_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(path("run-files.md"), "toml")
    assert examples
    for example in examples:
        (tmp_path / "run.toml").write_text(example, encoding="utf-8")
        read_run(PropagationRun, tmp_path / "run.toml")


def test_shell_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(path("shells.md"), "toml")
    assert examples
    for example in examples:
        (tmp_path / "shells.toml").write_text(example, encoding="utf-8")
        load_shells(tmp_path / "shells.toml")


def test_deployment_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(path("deployments.md"), "toml")
    assert examples
    for example in examples:
        (tmp_path / "deployment.toml").write_text(example, encoding="utf-8")
        load_deployment(tmp_path / "deployment.toml")


def test_tuning_problem_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(path("tuning.md"), "toml")
    assert examples
    for example in examples:
        (tmp_path / "problem.toml").write_text(example, encoding="utf-8")
        load_tuning_problem(tmp_path / "problem.toml")


def test_every_quantity_and_term_of_a_tuning_problem_is_described() -> None:
    for key in (*QUANTITIES, *TERMS, "minimise", "maximise"):
        assert f"`{key}`" in text("tuning.md"), key


def test_tables_of_keys_and_options_are_those_of_their_declarations() -> None:
    found = []
    for page in TABLES["pages"]():
        found += TABLES["tables_in"](page)
        same = TABLES["write_anew"](page) == page.read_text(encoding="utf-8")
        assert same, f"{page.name}: run scripts/write_key_tables.py"
    assert sorted(found) == sorted(TABLES["TABLES"])


def test_every_message_of_the_page_of_errors_is_one_of_the_package() -> None:
    said = re.findall(r"^### (`.+)$", text("errors.md"), re.MULTILINE)
    assert len(said) > 10
    code = re.sub(r'"\s+f?"', "", CODE)
    jax = "Explicitly requested dtype"  # JAX's own
    for part in (part for line in said for message in re.findall("`(.+?)`", line) for part in message.split("…")):
        assert jax in part or "truncated" in part or part.strip() in code, part


def test_every_public_name_is_on_the_api_page() -> None:
    page = text("api.md")
    assert "automodule::" not in page  # names behind it would be looked for in that module
    for name in set(cj.__all__) - {"__version__"}:
        assert re.search(rf"constellation_jax\.{name}\b", page), name


_LINK = re.compile(r"\]\((?!https?:|#)([^)#\s]+)(?:#[\w-]+)?\)")


@pytest.mark.parametrize("page", [*PAGES, *KIT], ids=lambda page: page.stem)
def test_links_lead_to_files(page: Path) -> None:
    for target in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), target


def test_the_guide_for_contributors_names_files_that_exist() -> None:
    code = re.findall(r"`([\w./-]+/[\w./-]*)`", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    names = [name for name in code if not name.startswith("../") and "NAME" not in name]
    assert len(names) > 20
    for name in names:
        assert (ROOT / name).exists() or (ROOT / "constellation_jax" / name).exists(), name


_FILE = re.compile(
    r"\b((?:tests|scripts|configs|physics|engine|inputs|outputs|studies)/[\w./-]+\.(?:py|toml|csv))(?:::(\w+))?"
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_named_files_and_tests_exist(page: Path) -> None:
    for name, test in _FILE.findall(page.read_text(encoding="utf-8")):
        found = [file for file in (ROOT / name, ROOT / "constellation_jax" / name) if file.exists()]
        assert found, name
        assert not test or f"def {test}(" in found[0].read_text(encoding="utf-8"), f"{name}::{test}"


def test_every_status_code_is_in_the_conventions() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text("conventions.md"), re.MULTILINE)
    assert rows == [(str(code), entry.name) for code, entry in cj.STATUS.items()]
