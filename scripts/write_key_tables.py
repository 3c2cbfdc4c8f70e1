"""Write the tables of keys and options in docs/ anew from their declarations in the package: python scripts/write_key_tables.py

A table stands in its page between the lines `<!-- table: NAME -->` and `<!-- end of table -->`. The tests fail where it differs
from the declarations.
"""

import dataclasses
import json
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

DOCS = Path(__file__).parents[1] / "docs"


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [tuple(header), *(tuple(cell.replace("|", r"\|") for cell in row) for row in rows)]
    lines.insert(1, ("---",) * len(lines[0]))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def key_table(declared: Any, *, without: Any = None, command: str = "") -> str:
    """The keys that a class declares, with their values, meaning and default.

    Args:
        declared: a `key_dataclass`.
        without: a base class of it whose keys are left out.
        command: the command whose options stand beside the keys.
    """
    names = options_of(command) if command else {}
    known = {} if without is None else keys_of(without)
    rows = [
        (_code(name, *names.get(name, ())), key.rule.expected, key.doc, _absent(key))
        for name, key in keys_of(declared).items()
        if name not in known
    ]
    return table(("key and option" if command else "key", "values", "meaning", "where absent"), rows)


def option_table() -> str:
    """The options of all commands that are no keys of runs, each with the commands that have it."""
    rows: dict[tuple[str, str], list[str]] = {}
    keys = {"propagate": keys_of(PropagationRun), "ephemeris": keys_of(EphemerisRun)}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for option in command.params:
            if option.param_type_name == "option" and option.name not in ("help", *keys.get(name, ())):
                given = "" if option.default in (None, False, ()) else f" [default: {option.default}]"
                meaning = option.help.removesuffix(".") + given
                rows.setdefault((_code(*option.opts, *option.secondary_opts), meaning), []).append(name)
    return table(("option", "of", "meaning"), ((opts, _code(*of), text) for (opts, text), of in rows.items()))


def options_of(command: str) -> dict[str, list[str]]:
    """The spellings of the options of a command, by key."""
    params = get_command(app).commands[command].params  # type: ignore[attr-defined]
    return {option.name: [*option.opts, *option.secondary_opts] for option in params}


def _code(*words: str) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _absent(key: Key) -> str:
    if key.rule.required or key.absent:
        return key.absent or "required"
    assert key.default not in (None, "", (), [], dataclasses.MISSING), (
        f"say what holds where the key is absent: {key.doc}"
    )
    return f"`{json.dumps(key.default)}`"


TABLES: dict[str, Callable[[], str]] = {
    "runs": lambda: key_table(Run, command="propagate"),
    "propagate": lambda: key_table(PropagationRun, without=Run, command="propagate"),
    "ephemeris": lambda: key_table(EphemerisRun, without=Run, command="ephemeris"),
    "options": option_table,
    "campaign": lambda: key_table(Campaign),
    "vehicle": lambda: key_table(Vehicle),
    "load": lambda: key_table(Load),
}
_PLACE = re.compile(r"(<!-- table: (\S+) -->\n\n).*?(\n\n<!-- end of table -->)", re.DOTALL)


def tables_in(page: str) -> list[str]:
    """Names of the tables that the text of a page takes in."""
    return [name for _, name, _ in _PLACE.findall(page)]


def written_anew(page: str) -> str:
    """The text of a page with its tables made anew."""
    return _PLACE.sub(lambda found: found[1] + TABLES[found[2]]() + found[3], page)


if __name__ == "__main__":
    for path in sorted(DOCS.glob("**/*.md")):
        path.write_text(written_anew(path.read_text(encoding="utf-8")), encoding="utf-8")
