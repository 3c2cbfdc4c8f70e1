"""Options of the command line that several commands share, and those that follow from the keys of a run."""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from constellation_jax.inputs.files.keys import TRUE_OR_FALSE, Key, keys_of

AllowStale = Annotated[
    bool, typer.Option("--allow-stale", help="Use an old copy, with a warning, where CelesTrak gives no new one.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only warnings and errors.")]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="NetCDF file to write.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_SHORT = {"output": ("-o",)}


def add_run_options(kind: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Decorator that puts an option for each key of a kind of run in place of the parameter `keys` of a command.

    The command gets the options that were given, as {key: value}, for `read_run`.
    """

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command, eval_str=True)
        options = [_parameter(name, key) for name, key in keys_of(kind).items()]

        def run(**values: Any) -> None:
            given = {option.name: values.pop(option.name) for option in options}
            command(**values, keys={name: value for name, value in given.items() if value not in (None, [], ())})

        parameters = [*signature.parameters.values()]
        place = [*signature.parameters].index("keys")
        parameters[place : place + 1] = options
        run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        run.__name__, run.__doc__ = command.__name__, command.__doc__
        return run

    return decorate


def _parameter(name: str, key: Key) -> inspect.Parameter:
    """The option of a key; None, or an empty list, where it is not given."""
    doc = re.sub(r"\[([^]]+)\]\([^)]*\)", r"\1", key.doc)  # without the links of Markdown
    declarations = (f"--{name}", *_SHORT.get(name, ()))
    value: Any = str
    metavar: str | None = key.rule.placeholder
    if key.rule.each is not None:
        value, doc = list[str], f"{doc} May be repeated."
    elif key.rule.accepts is TRUE_OR_FALSE.accepts:
        value, metavar = bool, None
        declarations = (f"--{name}/--no-{name}",) if key.default else declarations
    option = typer.Option(*declarations, metavar=metavar, help=doc, show_default=False)
    annotation = Annotated[value | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)


def command_line() -> str:
    """The command as it was typed, for the history of a file."""
    return shlex.join(["constellation-jax", *sys.argv[1:]])
