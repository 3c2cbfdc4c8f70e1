"""Write the tables of keys and options in docs/ anew from their declarations in the package: python scripts/write_key_tables.py

A table stands in its page between the lines `<!-- table: NAME -->` and `<!-- end of table -->`. The tests fail where it differs
from the declarations.
"""

import dataclasses
import json
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from typer.main import get_command

from constellation_jax.cli import app
from constellation_jax.inputs.deployment.campaigns import Campaign
from constellation_jax.inputs.deployment.vehicles import Load, Vehicle
from constellation_jax.inputs.files.keys import Key, keys_of
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun, Run
from constellation_jax.inputs.shells.shell import Filling, Orbit, Shell, Spacecraft, Walker
from constellation_jax.inputs.tuning.problem import (
    BackgroundCatalog,
    Constraint,
    EncounterOptions,
    LaunchOptions,
    Objective,
    SolarScenarios,
    Solver,
    Sweep,
    Term,
    TuningVariable,
)

DOCS = Path(__file__).parents[1] / "docs"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [tuple(header), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def key_table(*declared: Any, without: Any = None, command: str = "") -> str:
    """The keys that classes declare, with their values, meaning and default.

    Args:
        declared: each a `key_dataclass`.
        without: a base class of it whose keys are left out.
        command: the command whose options stand beside the keys.
    """
    names = options_of(command) if command else {}
    known = {} if without is None else keys_of(without)
    rows = [
        (_code(name, *names.get(name, ())), key.rule.expected, key.doc, _absent(key))
        for one in declared
        for name, key in keys_of(one).items()
        if name not in known
    ]
    return table(("key and option" if command else "key", "values", "meaning", "where absent"), rows)


def commands() -> str:
    """Each command with its help, its arguments and its options, as the command line declares them."""
    groups = {"propagate": PropagationRun, "ephemeris": EphemerisRun}
    return "\n\n".join(
        part
        for name, command in _commands(get_command(app))
        for part in _command(name, command, set(keys_of(groups[name])) if name in groups else set())
    )


def _commands(group: Any, before: str = "") -> Iterable[tuple[str, Any]]:
    for name, command in group.commands.items():
        if not command.hidden:
            yield f"{before}{name}", command
            yield from _commands(command, f"{name} ") if hasattr(command, "commands") else ()


def _command(name: str, command: Any, keys: set[str]) -> Iterable[str]:
    arguments = [one for one in command.params if one.param_type_name == "argument" and not one.hidden]
    options = [
        one for one in command.params if one.param_type_name == "option" and not one.hidden and one.name != "help"
    ]
    yield f"### {name}"
    yield re.sub(r"(?<!\n)\n(?!\n)", " ", command.help or "").replace("*", r"\*")
    words = [(one.metavar or one.name.upper()) for one in arguments]
    words = [word if one.required else f"[{word}]" for word, one in zip(words, arguments, strict=True)]
    yield "```text\n" + " ".join(["constellation-jax", name, *words, *(["[OPTIONS]"] if options else [])]) + "\n```"
    rows = [(_code(one.metavar or one.name.upper()), (one.help or "").removesuffix(".")) for one in arguments]
    rows += [
        (
            _code(*one.opts, *one.secondary_opts),
            (one.help or "").removesuffix(".")
            + ("" if one.default in (None, False, ()) else f" [default: {one.default}]"),
        )
        for one in options
        if one.name not in keys
    ]
    if keys:
        yield "Its other options are the keys of [run files](run-files.md)."
    if rows:
        yield table(("argument or option", "meaning"), rows)


def options_of(command: str) -> dict[str, list[str]]:
    """The spellings of the options of a command, by key."""
    params = get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {option.name: [*option.opts, *option.secondary_opts] for option in params}


def _code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _absent(key: Key) -> str:
    if key.rule.required or key.absent:
        return key.absent or "required"
    if key.default is None:
        return "not known"
    assert key.default not in ("", (), [], dataclasses.MISSING), f"say what holds where the key is absent: {key.doc}"
    return f"`{json.dumps(key.default)}`"


TABLES: dict[str, Callable[[], str]] = {
    "runs": lambda: key_table(Run, command="propagate"),
    "propagate": lambda: key_table(PropagationRun, without=Run, command="propagate"),
    "ephemeris": lambda: key_table(EphemerisRun, without=Run, command="ephemeris"),
    "commands": commands,
    "shell": lambda: key_table(Shell, Orbit, Walker, Filling, Spacecraft),
    "campaign": lambda: key_table(Campaign),
    "vehicle": lambda: key_table(Vehicle),
    "load": lambda: key_table(Load),
    "variables": lambda: key_table(TuningVariable),
    "term": lambda: key_table(Term),
    "objectives": lambda: key_table(Objective),
    "constraints": lambda: key_table(Constraint),
    "sweep": lambda: key_table(Sweep),
    "solver": lambda: key_table(Solver),
    "solar": lambda: key_table(SolarScenarios),
    "background": lambda: key_table(BackgroundCatalog),
    "encounters": lambda: key_table(EncounterOptions),
    "launch": lambda: key_table(LaunchOptions),
}
_PLACE = re.compile(r"(<!-- table: (\S+) -->\n\n).*?(\n\n<!-- end of table -->)", re.DOTALL)
_LINK = re.compile(r"\]\(([\w-]+\.md)")


def pages() -> list[Path]:
    """The pages of docs/."""
    return sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)


def tables_in(page: Path) -> list[str]:
    """Names of the tables that a page takes in."""
    return [name for _, name, _ in _PLACE.findall(page.read_text(encoding="utf-8"))]


def write_anew(page: Path) -> str:
    """The text of a page with its tables made anew.

    Links in declarations name pages without their folder; here they become relative to the page.
    """
    places = {other.name: Path(os.path.relpath(other, page.parent)).as_posix() for other in pages()}

    def make(found: re.Match[str]) -> str:
        made = _LINK.sub(lambda link: f"]({places[link[1]]}", TABLES[found[2]]())
        return found[1] + made + found[3]

    return _PLACE.sub(make, page.read_text(encoding="utf-8"))


if __name__ == "__main__":
    for page in pages():
        page.write_text(write_anew(page), encoding="utf-8")
