"""Run files: the objects, span, output and options of a run as TOML, checked as a whole before anything else happens.

`configs/runs/default.toml` and `configs/runs/ephemeris.toml` show all keys. Deliberately absent: the keys (run_keys.py) and
running (the command line).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from constellation_jax.errors import InputError, InputErrors
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.selection import select
from constellation_jax.inputs.files.configs import configs_folder
from constellation_jax.inputs.files.keys import Rule, rules_of
from constellation_jax.inputs.files.toml_tables import TomlTables
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun, Run
from constellation_jax.inputs.shells.files import load_shells
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.sources import read_source

_Run = TypeVar("_Run", bound=Run)
_INSTEAD = {
    "frame": 'an ephemeris is in TEME, and its method at takes frame="itrs"',
    "step": "an ephemeris is continuous, and its method at takes any instants",
    "variables": "an ephemeris gives position, velocity and status",
    "tolerance": "propagate computes each instant, and to a millimetre where it interpolates",
}
"""Advice on options of the other command."""


def read_run(
    kind: type[_Run],
    path: str | os.PathLike[str] | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    checks: Mapping[str, Callable[[Any], object]] | None = None,
) -> _Run:
    """Read a run from a TOML file, with some of its keys replaced by options.

    Args:
        kind: PropagationRun or EphemerisRun.
        path: the run file; its relative paths are relative to it. None is the bundled run of the kind; there, a catalogue
            or shells among the options replace its catalogue, its shells and its start together, since these belong to
            each other, and leave its variables.
        options: values that replace those of the file, as options of the command line do: relative paths are relative
            to the working folder, and a mistake is reported under the option's name, as "--frame".
        checks: further checks of values by key: functions that raise InputError, such as that of the groups of variables,
            which only the writer of the output knows.

    Raises:
        InputError: the file cannot be read or is not TOML.
        InputErrors: keys or values are wrong; one line for each, with the line of the file, what was found and what
            was expected.
    """
    try:
        file = TomlTables(configs_folder() / "runs" / kind.bundled if path is None else Path(path))
    except InputError as error:
        if "not valid TOML" not in str(error):
            raise
        raise InputError(
            f"{error}; expected a run file: element sets are given by --catalog, shells by --shells"
        ) from None
    shells = file.data.get("shells")
    if isinstance(shells, list) and any(isinstance(shell, dict) for shell in shells):
        raise InputError(f"{file.path}: found a shell file, expected a run file; shells are given by --shells")
    rules = rules_of(kind)
    rules |= {key: _with_check(rules[key], check) for key, check in (checks or {}).items()}
    options = options or {}
    skip = {*options}
    if path is None and not {"catalog", "shells"}.isdisjoint(options):
        skip |= {"catalog", "shells", "start", "variables"}
    for other in (PropagationRun, EphemerisRun):
        for key in (file.data.keys() & rules_of(other)) - rules.keys():
            skip.add(key)
            file.report((key,), f"{key}: belongs to the command {other.command}; leave it out for {kind.command}")
    values = file.read_top(rules, skip=skip)
    for key, given in options.items():
        if key not in rules:
            command = EphemerisRun.command if kind is PropagationRun else PropagationRun.command
            file.mistakes.append((0, f"--{key}: belongs to the command {command}; {_INSTEAD.get(key, 'leave it out')}"))
            continue
        values[key], mistakes = rules[key].read(given)
        file.mistakes += [(0, f"--{key}: {what.removeprefix(f'{key} ')}") for what in mistakes.values()]
    file.finish()
    run = kind(**values)
    if not run.catalog and not run.shells:
        raise InputErrors([f"{file.path}: found no catalog and no shells, expected at least one of them"])
    return run


def load_objects(run: Run, *, allow_stale: bool = False) -> tuple[Catalog, np.datetime64]:
    """Load the objects of a run, tracked ones first, and return them with its first instant.

    Without a `start`, the run begins at the midnight (UTC) before the median epoch of the tracked objects, where
    their element sets are best; planned shells alone begin at their own epoch. Planned satellites get the start as
    their epoch.

    Args:
        run: a run from `read_run`.
        allow_stale: take an old copy where CelesTrak gives no new one.

    Raises:
        InputError: a source cannot be read, or no object is left.
    """
    parts = [read_source(source, allow_stale=allow_stale) for source in run.catalog]
    start = run.start
    if start is None and parts:
        epochs = np.sort(np.concatenate([part.epoch for part in parts]))
        start = epochs[len(epochs) // 2].astype("datetime64[D]")
    if run.shells:
        shells = [shell for entry in run.shells for shell in load_shells(entry)]
        parts.append(shells_to_catalog(shells) if start is None else shells_to_catalog(shells, epoch=start))
    catalog = Catalog.concatenate(parts)
    if not run.drag:
        catalog = catalog.replace(bstar=0.0)
    return select(catalog, run.select), catalog.epoch[0] if start is None else start


def _with_check(rule: Rule, check: Callable[[Any], object]) -> Rule:
    def convert(value: Any, folder: Path) -> Any:
        converted = value if rule.convert is None else rule.convert(value, folder)
        check(converted)
        return converted

    return rule._replace(convert=convert)
