"""The pages hold what they show: Python examples run, TOML examples are accepted, lists of names are complete.

A page's ```python blocks run in order in one process of their own, so that JAX has its own defaults there, with warnings
as errors. Other blocks (text, console) are not run.
"""

import re
from pathlib import Path

import pytest
from examples import run_examples

import constellation_jax as cj
from constellation_jax.inputs.deployment.campaigns import CAMPAIGN_RULES
from constellation_jax.inputs.deployment.files import load_deployment
from constellation_jax.inputs.deployment.vehicles import LOAD_RULES, VEHICLE_RULES
from constellation_jax.inputs.run_file import RunConfig, read_run
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.shells.shell import RULES
from constellation_jax.inputs.tuning.files import load_tuning_problem
from constellation_jax.inputs.tuning.keys import (
    BACKGROUND_RULES,
    CONSTRAINT_RULES,
    LAUNCH_RULES,
    OBJECTIVE_RULES,
    SOLAR_RULES,
    SOLVER_RULES,
    SWEEP_RULES,
    VARIABLE_RULES,
)
from constellation_jax.inputs.tuning.terms import TERMS

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("README.md")])
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path, language: str) -> list[str]:
    return [code for found, code in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_examples_run(page: Path, kept_kernels: dict[str, str], tmp_path: Path) -> None:
    run_examples(page.name, blocks(page, "python"), tmp_path, kept_kernels)


def test_run_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(ROOT / "docs" / "run-files.md", "toml")
    assert examples
    for example in examples:
        (tmp_path / "run.toml").write_text(example, encoding="utf-8")
        read_run(tmp_path / "run.toml")


def test_shell_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(ROOT / "docs" / "shells.md", "toml")
    assert examples
    for example in examples:
        (tmp_path / "shells.toml").write_text(example, encoding="utf-8")
        load_shells(tmp_path / "shells.toml")


def test_deployment_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(ROOT / "docs" / "deployments.md", "toml")
    assert examples
    for example in examples:
        (tmp_path / "deployment.toml").write_text(example, encoding="utf-8")
        load_deployment(tmp_path / "deployment.toml")


def test_study_file_examples_are_accepted(tmp_path: Path) -> None:
    examples = blocks(ROOT / "docs" / "tuning.md", "toml")
    assert examples
    for example in examples:
        (tmp_path / "study.toml").write_text(example, encoding="utf-8")
        load_tuning_problem(tmp_path / "study.toml")


def test_every_key_and_term_of_a_study_is_described() -> None:
    rules = [VARIABLE_RULES, OBJECTIVE_RULES, CONSTRAINT_RULES, SWEEP_RULES, SOLVER_RULES, SOLAR_RULES]
    for key in {key for rule in [*rules, BACKGROUND_RULES, LAUNCH_RULES] for key in rule} | set(TERMS):
        assert f"`{key}`" in text("tuning.md"), key


def test_every_key_of_a_deployment_is_described() -> None:
    for key in [*CAMPAIGN_RULES, *VEHICLE_RULES, *LOAD_RULES]:
        assert f"`{key}`" in text("deployments.md"), key


def test_every_key_and_option_is_described() -> None:
    from typer.main import get_command

    from constellation_jax.cli import app

    page = text("run-files.md")
    for key in RunConfig.model_fields:
        assert f"`{key}`, `--{key}`" in page, key
    for command in get_command(app).commands.values():  # type: ignore[attr-defined]
        assert re.search(rf"`{command.name}\b", page), command.name
        for parameter in command.params:
            for option in parameter.opts:
                if option.startswith("-"):
                    assert f"`{option}`" in page, f"{command.name} {option}"


def test_every_key_of_a_shell_is_described() -> None:
    for key in [*RULES, "total"]:
        assert f"`{key}`" in text("shells.md"), key


def test_every_public_name_is_on_the_api_page() -> None:
    page = text("api.md")
    for name in set(cj.__all__) - {"__version__"}:
        assert f"constellation_jax.{name}" in page, name


def test_every_page_is_in_the_table_of_contents() -> None:
    index = text("index.md")
    for page in (ROOT / "docs").glob("*.md"):
        assert page.stem == "index" or re.search(rf"^{page.stem}$", index, re.MULTILINE), page.name
