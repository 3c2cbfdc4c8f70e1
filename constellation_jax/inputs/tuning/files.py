"""Tuning problem files: which shells are tuned, within which bounds, for what, TOML -> TuningProblem.

The shells stand in the file, in the form of a shell file, or are those of a constellation. Deliberately absent: the keys of the
tables (problem.py), the meaning of terms (terms.py) and tuning (studies/tuning/tune.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.files.configs import find_config, known_configs
from constellation_jax.inputs.files.keys import Rule, arguments_of, one_of, rules_of
from constellation_jax.inputs.files.toml_tables import TableReader, TomlTables
from constellation_jax.inputs.shells.files import load_shells, read_shells
from constellation_jax.inputs.shells.shell import RULES, Shell
from constellation_jax.inputs.tuning.problem import (
    NUMBERS,
    BackgroundCatalog,
    Constraint,
    EncounterOptions,
    LaunchOptions,
    Objective,
    SolarScenarios,
    Solver,
    Sweep,
    Term,
    TuningProblem,
    TuningVariable,
    bounds_rule,
)
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS

_T = TypeVar("_T")
_FILE_KEYS: Final = [
    "title", "question", "system", "sources", "constellation", "layers", "common", "shells", "variables", "objectives",
    "constraints", "reports", "sweep", "solver", "solar", "background", "encounters", "launch",
]  # fmt: skip
_COMMON_KEYS: Final = (
    "mass_kg", "drag_area_min_m2", "drag_coefficient", "ballistic_coefficient_m2_kg", "propellant_kg",
    "specific_impulse_s", "thrust_mn", "min_elevation_deg", "design_life_years",
)  # fmt: skip
"""Keys that a problem may add to the shells of a constellation that do not say them."""
_TERM_RULES: Final = rules_of(Term)
_OBJECTIVE_RULES: Final = (
    {key: rule for key, rule in _TERM_RULES.items() if key != "quantity"}
    | {"over": one_of("sum", "mean", "worst")}
    | rules_of(Objective)
)


def known_tuning_problems() -> list[str]:
    """Names of the tuning problems that come with the package, for `tune`."""
    return known_configs("tuning")


def load_tuning_problem(name_or_path: str | Path) -> TuningProblem:
    """Load a tuning problem by its name in `known_tuning_problems()`, or a TOML file of the same form.

    Raises:
        InputError: no such problem or file.
        InputErrors: mistakes in the file, all at once, each with its line.
    """
    path, _ = find_config("tuning", "tuning problem", name_or_path)
    return _ProblemReader(TomlTables(path)).problem()


class _ProblemReader:
    """Reads one file."""

    def __init__(self, file: TomlTables) -> None:
        self.file = file

    def problem(self) -> TuningProblem:
        file = self.file
        file.check_keys(_FILE_KEYS)
        self.shells = self._shells()
        self.names = [shell.name for shell in self.shells]
        variables = self._each("variables", self._variable)
        sweep = file.data.get("sweep", {})
        self.varied = {*(v.quantity for v in variables), *(sweep if isinstance(sweep, dict) else ())}
        self._check_overlap(variables)
        constraints = self._each("constraints", self._constraint, least=0)
        problem = TuningProblem(
            name=file.path.stem,
            title=file.text("title"),
            question=file.text("question"),
            shells=self.shells,
            variables=variables,
            objectives=self._each("objectives", self._objective),
            constraints=constraints,
            reports=self._each("reports", self._report, least=0),
            sweep=self._sweep(constraints, variables) if "sweep" in file.data else None,
            solver=Solver(**self._options("solver", Solver)),
            **{"start": str(np.datetime64("now").astype("datetime64[D]"))} | self._options("solar", SolarScenarios),
            **self._options("background", BackgroundCatalog),
            **self._options("encounters", EncounterOptions),
            **self._options("launch", LaunchOptions),
        )
        file.finish()
        return problem

    def _shells(self) -> tuple[Shell, ...]:
        """The shells of the file or of its constellation, with what [common] adds to those that do not say it."""
        file = self.file
        common = file.data.get("common", {})
        if "constellation" not in file.data:
            return tuple(read_shells(file, file.text("system")))
        for key in ("shells", "sources"):
            if key in file.data:
                file.report((key,), f"{key}: found beside constellation, expected one of the two")
        try:
            shells = load_shells(file.text("constellation"))
        except InputError as error:
            file.report(("constellation",), f"constellation: {error}".replace("\n", "; "))
            return ()
        named = {shell.name: shell for shell in shells}
        layers = file.data.get("layers", [*named])
        if not isinstance(layers, list) or not all(isinstance(name, str) for name in layers) or not layers:
            file.report(("layers",), f"layers: found {layers!r}, expected a list of names of shells")
            return ()
        for name in layers:
            if name not in named:
                near = suggest(name, named) or f"; they are {', '.join(named)}"
                file.report(("layers",), f"layers: found {name!r}, expected a shell of the constellation{near}")
        rules = {key: RULES[key] for key in _COMMON_KEYS}
        values, provenance = file.read(common, ("common",), "common", rules)
        if file.mistakes:
            return ()
        return tuple(_complete(named[name], values, provenance) for name in layers)

    def _options(self, key: str, declared: type) -> dict[str, Any]:
        return arguments_of(declared, self.file.read_table(key, rules_of(declared)))

    def _each(self, key: str, read: Callable[[TableReader], _T | None], *, least: int = 1) -> tuple[_T, ...]:
        """Read each [[key]] table; those with mistakes are left out."""
        count = len(self.file.tables(key)) if least or key in self.file.data else 0
        tables = [TableReader(self.file, (key, i), f"{key[:-1]} number {i + 1}") for i in range(count)]
        return tuple(found for table in tables if (found := read(table)) is not None)

    def _read(self, table: TableReader, rules: dict[str, Rule]) -> dict[str, Any]:
        """The values of a table, with the positions of its shells in place of their names."""
        values = table.read(rules).values
        return values | {"shells": self._select_shells(table, values.get("shells", ("*",)))}

    def _variable(self, table: TableReader) -> TuningVariable | None:
        rules = {quantity: bounds_rule(quantity) for quantity in QUANTITIES} | rules_of(TuningVariable)
        values = self._read(table, rules)
        found = [quantity for quantity in QUANTITIES if quantity in values]
        if table.is_sound() and len(found) != 1:
            table.report(f"found {', '.join(found) or 'none'}, expected one of {', '.join(QUANTITIES)} with its bounds")
        if not table.is_sound():
            return None
        quantity = found[0]
        if quantity == "min_elevation_deg":
            self._check_known(table, quantity, values["shells"], (quantity,))
        low, high = values[quantity]
        return TuningVariable(quantity=quantity, low=low, high=high, **arguments_of(TuningVariable, values))

    def _check_overlap(self, variables: tuple[TuningVariable, ...]) -> None:
        seen: set[tuple[str, int]] = set()
        for i, variable in enumerate(variables):
            here = {(variable.quantity, k) for k in variable.shells}
            if here & seen:
                name = self.names[min(k for _, k in here & seen)]
                said = f"{variable.quantity} of shell {name!r} is free already, expected each once"
                self.file.report(("variables", i), f"variable number {i + 1}: {said}")
            seen |= here

    def _objective(self, table: TableReader) -> Objective | None:
        key = "maximise" if "maximise" in table.table else "minimise"
        term, values = self._term(table, {key: _TERM_RULES["quantity"]} | _OBJECTIVE_RULES, key)
        if term is None:
            return None
        objective = Objective(term=term, **arguments_of(Objective, values))
        return dataclasses.replace(objective, weight=-objective.weight) if key == "maximise" else objective

    def _constraint(self, table: TableReader) -> Constraint | None:
        term, values = self._term(table, _TERM_RULES | rules_of(Constraint))
        if term is None:
            return None
        limits = [key for key in ("at_least", "at_most") if key in values]
        if len(limits) != 1:
            table.report(f"found {' and '.join(limits) or 'no limit'}, expected at_least or at_most")
            return None
        return Constraint(term=term, **{"name": term.quantity} | arguments_of(Constraint, values))

    def _report(self, table: TableReader) -> Term | None:
        return self._term(table, _TERM_RULES)[0]

    def _term(
        self, table: TableReader, rules: dict[str, Rule], key: str = "quantity"
    ) -> tuple[Term | None, dict[str, Any]]:
        """The term that a table names under a key, None where there are mistakes, and all values of the table."""
        values = self._read(table, rules)
        if not table.is_sound():
            return None, values
        values["quantity"] = name = values[key]
        kind, shells = TERMS[name], values["shells"]
        given = [k for k in ("latitude_deg", "demand") if k in values]
        if kind.each == "latitude" and len(given) != 1:
            table.report(f"found {' and '.join(given) or 'neither'}, expected latitude_deg or demand", name)
        if kind.each != "latitude" and given:
            table.report(f"{name} is not a term of latitudes, leave it out", given[0])
        if "at_least_in_view" in values and not kind.counts_at_least:
            table.report(f"{name} does not count, leave it out", "at_least_in_view")
        self._check_one_pattern(table, key, values)
        if kind.each == "system" and len(shells) < 2:
            table.report("found one shell, expected at least two", name)
        self._check_known(table, name, shells, kind.needs)
        return (Term(**arguments_of(Term, values)) if table.is_sound() else None), values

    def _check_one_pattern(self, table: TableReader, key: str, values: dict[str, Any]) -> None:
        """Check a term that follows single satellites of a pattern."""
        name, kind = values[key], TERMS[values[key]]
        if kind.fixed_numbers and self.varied & {"planes", "satellites_per_plane"}:
            said = f"{name} needs fixed numbers of planes and satellites, expected mean_in_view where they vary"
            table.report(said, key)
        if kind.one_shell and len(values["shells"]) != 1:
            table.report(f"found {len(values['shells'])} shells, expected one, shells = [name]", name)
        if kind.one_shell and "demand" in values:
            table.report(f"a mean over latitudes says nothing about {name}, expected latitude_deg", "demand")
        if kind.only_reported and table.way[0] != "reports":
            table.report(f"{name} jumps and can only be reported, expected coverage_margin_deg here", key)

    def _sweep(self, constraints: tuple[Constraint, ...], variables: tuple[TuningVariable, ...]) -> Sweep | None:
        table = TableReader(self.file, ("sweep",), "sweep")
        values = self._read(table, rules_of(Sweep) | dict.fromkeys(QUANTITIES, NUMBERS))
        found = [key for key in (*QUANTITIES, "constraint") if key in values]
        if table.is_sound() and len(found) != 1:
            said = f"found {', '.join(found) or 'nothing'}, expected a constraint with its limits, or one quantity"
            table.report(said)
        if not table.is_sound():
            return None
        key, names = found[0], [c.name for c in constraints]
        if key != "constraint":
            if any(v.quantity == key and {*v.shells} & {*values["shells"]} for v in variables):
                table.report("is a variable already, expected one of the two", key)
            return Sweep(values=values[key], quantity=key, shells=values["shells"])
        if values[key] not in names:
            near = suggest(values[key], names) or f"; they are {', '.join(names) or 'none'}"
            table.report(f"found {values[key]!r}, expected a constraint{near}", key)
        if "limits" not in values:
            table.report("missing, expected the limits of the constraint in turn", "limits")
        return Sweep(**{"values": ()} | arguments_of(Sweep, values))

    def _select_shells(self, table: TableReader, patterns: tuple[str, ...]) -> tuple[int, ...]:
        """Positions of the shells whose names match one of some patterns, pattern by pattern."""
        picked: list[int] = []
        for pattern in patterns:
            here = [k for k, name in enumerate(self.names) if fnmatchcase(name, pattern)]
            if not here and self.names:
                near = suggest(pattern, self.names) or f"; they are {', '.join(self.names)}"
                table.report(f"found {pattern!r}, expected a shell of the problem{near}", "shells")
            picked += [k for k in here if k not in picked]
        return tuple(picked)

    def _check_known(self, table: TableReader, name: str, shells: tuple[int, ...], needs: tuple[str, ...]) -> None:
        for key in needs:
            lacking = [self.names[k] for k in shells if self.shells[k].values()[key] is None]
            if lacking:
                table.report(f"{key} of shell {lacking[0]!r} is not known; give it in the shell or in [common]", name)


def _complete(shell: Shell, values: dict[str, Any], provenance: dict[str, Any]) -> Shell:
    known = shell.values()
    absent = {key: value for key, value in values.items() if known[key] is None}
    said = {key: provenance[key] for key in absent}
    return dataclasses.replace(shell.replace(**absent), provenance={**shell.provenance, **said})
