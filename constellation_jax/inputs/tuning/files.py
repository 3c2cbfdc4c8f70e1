"""TuningProblem files: which shells are tuned, within which bounds, for what, TOML -> TuningProblem.

The shells stand in the file, in the form of a shell file, or are those of a constellation. Deliberately absent: what
a study holds (study.py), what the terms mean (study_terms.py) and how they are tuned (studies/tuning/tune.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Final

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.vehicles import load_vehicles, unknown_vehicle
from constellation_jax.inputs.files.configs import find_config, known_configs
from constellation_jax.inputs.files.keys import Rule
from constellation_jax.inputs.files.toml_lines import KeyPath
from constellation_jax.inputs.files.toml_tables import TomlTables
from constellation_jax.inputs.shells.files import load_shells, read_shells
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.tuning.keys import (
    BACKGROUND_RULES,
    COMMON_RULES,
    CONSTRAINT_RULES,
    LAUNCH_RULES,
    OBJECTIVE_RULES,
    REPORT_RULES,
    SOLAR_RULES,
    SOLVER_RULES,
    SWEEP_RULES,
    VARIABLE_RULES,
)
from constellation_jax.inputs.tuning.problem import (
    Constraint,
    Objective,
    Solver,
    Sweep,
    Term,
    TuningProblem,
    TuningVariable,
)
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS

_FILE_KEYS: Final = [
    "title", "question", "system", "sources", "constellation", "layers", "common", "shells", "variables", "objectives",
    "constraints", "reports", "sweep", "solver", "solar", "background", "launch",
]  # fmt: skip


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
        variables = tuple(v for i, t in self._tables("variables") if (v := self._variable(i, t)))
        self._check_overlap(variables)
        objectives = tuple(o for i, t in self._tables("objectives") if (o := self._objective(i, t)))
        constraints = tuple(c for i, t in self._tables("constraints", least=0) if (c := self._constraint(i, t)))
        reports = tuple(
            term for i, t in self._tables("reports", least=0) if (term := self._term(("reports", i), t, REPORT_RULES))
        )
        sweep = self._sweep(constraints, variables)
        solver = Solver(**self._table("solver", SOLVER_RULES))
        solar = self._table("solar", SOLAR_RULES)
        background = self._table("background", BACKGROUND_RULES)
        launch = self._table("launch", LAUNCH_RULES)
        vehicle, vehicles = launch.get("vehicle", "falcon-9"), load_vehicles()
        if vehicle not in vehicles:
            file.report(("launch", "vehicle"), f"launch, vehicle: {unknown_vehicle(vehicle, vehicles)}")
        catalog = str(background.get("catalog", "bundled"))
        beside = file.path.parent / catalog
        problem = TuningProblem(
            name=file.path.stem,
            title=file.text("title"),
            question=file.text("question"),
            shells=self.shells,
            variables=variables,
            objectives=objectives,
            constraints=constraints,
            reports=reports,
            sweep=sweep,
            solver=solver,
            scenarios=tuple(solar.get("scenarios", ("median",))),
            combine=solar.get("combine", "worst"),
            start=str(solar.get("start", np.datetime64("now").astype("datetime64[D]"))),
            years=float(solar.get("years", 5.0)),
            background=str(beside) if beside.is_file() else catalog,
            exclude=tuple(background.get("exclude", ())),
            miss_distance_km=float(background.get("miss_distance_km", 1.0)),
            vehicle=vehicle,
            cargo=launch.get("cargo", ""),
            injection_altitude_km=float(launch.get("injection_altitude_km", 300.0)),
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
        values, provenance = file.read(common, ("common",), "common", COMMON_RULES)
        if file.mistakes:
            return ()
        return tuple(_complete(named[name], values, provenance) for name in layers)

    def _tables(self, key: str, least: int = 1) -> Iterable[tuple[int, dict[str, Any]]]:
        if not least and key not in self.file.data:
            return []
        return list(enumerate(self.file.tables(key)))

    def _table(self, key: str, rules: dict[str, Rule]) -> dict[str, Any]:
        table = self.file.data.get(key, {})
        if not isinstance(table, dict):
            self.file.report((key,), f"{key}: found {table!r}, expected a table [{key}]")
            return {}
        return self._read(table, (key,), key, rules)

    def _read(self, table: dict[str, Any], way: KeyPath, label: str, rules: dict[str, Rule]) -> dict[str, Any]:
        return self.file.read(table, way, label, rules)[0]

    def _variable(self, i: int, table: dict[str, Any]) -> TuningVariable | None:
        way, label = ("variables", i), f"variable number {i + 1}"
        before = len(self.file.mistakes)
        values = self._read(table, way, label, VARIABLE_RULES)
        shells = self._select_shells(way, label, values)
        found = [key for key in QUANTITIES if key in values]
        if len(self.file.mistakes) > before:
            return None
        if len(found) != 1:
            said = f"found {', '.join(found) or 'none'}, expected one of {', '.join(QUANTITIES)} with its bounds"
            self.file.report(way, f"{label}: {said}")
            return None
        key = found[0]
        (low, high), limits = values[key], QUANTITIES[key]
        if not low < high:
            self.file.report((*way, key), f"{label}, {key}: found bounds {low:g} and {high:g}, expected low below high")
            return None
        if low < limits.low or high > limits.high:
            said = f"found bounds {low:g} and {high:g}, expected them from {limits.low:g} to {limits.high:g}"
            self.file.report((*way, key), f"{label}, {key}: {said}")
            return None
        self._check_known(way, f"{label}, {key}", shells, (key,) if key == "min_elevation_deg" else ())
        return TuningVariable(key, shells, float(low), float(high), values.get("together", False))

    def _check_overlap(self, variables: tuple[TuningVariable, ...]) -> None:
        seen: set[tuple[str, int]] = set()
        for i, variable in enumerate(variables):
            here = {(variable.quantity, k) for k in variable.shells}
            if here & seen:
                name = self.names[min(k for _, k in here & seen)]
                said = f"{variable.quantity} of shell {name!r} is free already, expected each once"
                self.file.report(("variables", i), f"variable number {i + 1}: {said}")
            seen |= here

    def _objective(self, i: int, table: dict[str, Any]) -> Objective | None:
        way = ("objectives", i)
        key = "maximise" if "maximise" in table else "minimise"
        rules = {k: r for k, r in OBJECTIVE_RULES.items() if k in ("weight", "scale")}
        term = self._term(way, table, OBJECTIVE_RULES, key)
        weight = table.get("weight", 1.0)
        if term is None or not all(rule.accepts(table[k]) for k, rule in rules.items() if k in table):
            return None
        return Objective(term, -float(weight) if key == "maximise" else float(weight), table.get("scale"))

    def _constraint(self, i: int, table: dict[str, Any]) -> Constraint | None:
        way = ("constraints", i)
        term = self._term(way, table, CONSTRAINT_RULES)
        limits = [key for key in ("at_least", "at_most") if key in table]
        if term is None:
            return None
        if len(limits) != 1:
            said = f"found {' and '.join(limits) or 'no limit'}, expected at_least or at_most"
            self.file.report(way, f"constraint number {i + 1}: {said}")
            return None
        limit = table[limits[0]]
        return Constraint(str(table.get("name", term.quantity)), term, float(limit), limits[0] == "at_least")

    def _term(
        self, way: tuple[str, int], table: dict[str, Any], rules: dict[str, Rule], key: str = "quantity"
    ) -> Term | None:
        label = f"{way[0][:-1]} number {way[1] + 1}"
        before = len(self.file.mistakes)
        if key in ("minimise", "maximise"):
            other = {"minimise": "maximise", "maximise": "minimise"}[key]
            rules = {k: rule for k, rule in rules.items() if k != other}
        values = self._read(table, way, label, rules)
        shells = self._select_shells(way, label, values)
        name = values.get(key)
        if name is None or len(self.file.mistakes) > before:
            return None
        if name not in TERMS:
            self.file.report((*way, key), f"{label}, {key}: found {name!r}, expected a term{_near_term(name)}")
            return None
        kind = TERMS[name]
        given = [k for k in ("latitude_deg", "demand") if k in values]
        if kind.each == "latitude" and len(given) != 1:
            said = f"found {' and '.join(given) or 'neither'}, expected latitude_deg or demand"
            self.file.report(way, f"{label}, {name}: {said}")
        if kind.each != "latitude" and given:
            self.file.report((*way, given[0]), f"{label}, {given[0]}: {name} is not a term of latitudes, leave it out")
        if "at_least_in_view" in values and not kind.counts_at_least:
            self.file.report(
                (*way, "at_least_in_view"), f"{label}, at_least_in_view: {name} does not count, leave it out"
            )
        self._check_one_pattern(way, label, key, values, shells)
        if kind.each == "system" and len(shells) < 2:
            self.file.report(way, f"{label}, {name}: found one shell, expected at least two")
        self._check_known(way, f"{label}, {name}", shells, kind.needs)
        if len(self.file.mistakes) > before:
            return None
        demand = str(values.get("demand", ""))
        beside = self.file.path.parent / demand
        return Term(
            name,
            shells,
            values.get("over", ""),
            tuple(float(v) for v in values.get("latitude_deg", ())),
            str(beside) if demand and beside.is_file() else demand,
            values.get("at_least_in_view", 1),
        )

    def _check_one_pattern(
        self, way: tuple[str, int], label: str, key: str, values: dict[str, Any], shells: tuple[int, ...]
    ) -> None:
        """Check a term that follows single satellites of a pattern."""
        name, kind = values[key], TERMS[values[key]]
        sweep = self.file.data.get("sweep")
        varied = [*(t for _, t in self._tables("variables")), sweep if isinstance(sweep, dict) else {}]
        if kind.fixed_numbers and any("planes" in t or "satellites_per_plane" in t for t in varied):
            said = f"{name} needs fixed numbers of planes and satellites, expected mean_in_view where they vary"
            self.file.report((*way, key), f"{label}, {key}: {said}")
        if kind.one_shell and len(shells) != 1:
            said = f"found {len(shells)} shells, expected one, shells = [name]"
            self.file.report(way, f"{label}, {name}: {said}")
        if kind.one_shell and "demand" in values:
            said = f"a mean over latitudes says nothing about {name}, expected latitude_deg"
            self.file.report((*way, "demand"), f"{label}, demand: {said}")
        if kind.only_reported and way[0] != "reports":
            said = f"{name} jumps and can only be reported, expected coverage_margin_deg here"
            self.file.report((*way, key), f"{label}, {key}: {said}")

    def _sweep(self, constraints: tuple[Constraint, ...], variables: tuple[TuningVariable, ...]) -> Sweep | None:
        if "sweep" not in self.file.data:
            return None
        before = len(self.file.mistakes)
        values = self._table("sweep", SWEEP_RULES)
        shells = self._select_shells(("sweep",), "sweep", values)
        if len(self.file.mistakes) > before:
            return None
        found = [key for key in (*QUANTITIES, "constraint") if key in values]
        if len(found) != 1:
            said = f"found {', '.join(found) or 'nothing'}, expected a constraint with its limits, or one quantity"
            self.file.report(("sweep",), f"sweep: {said}")
            return None
        if found == ["constraint"]:
            name, names = values["constraint"], [c.name for c in constraints]
            if name not in names:
                near = suggest(name, names) or f"; they are {', '.join(names) or 'none'}"
                self.file.report(
                    ("sweep", "constraint"), f"sweep, constraint: found {name!r}, expected a constraint{near}"
                )
            if "limits" not in values:
                self.file.report(("sweep",), "sweep, limits: missing, expected the limits of the constraint in turn")
            return Sweep(tuple(map(float, values.get("limits", ()))), constraint=name)
        key = found[0]
        if any(v.quantity == key and set(v.shells) & set(shells) for v in variables):
            self.file.report(("sweep", key), f"sweep, {key}: is a variable already, expected one of the two")
        return Sweep(tuple(map(float, values[key])), quantity=key, shells=shells)

    def _select_shells(self, way: KeyPath, label: str, values: dict[str, Any]) -> tuple[int, ...]:
        """Positions of the shells that a table names; all where it names none."""
        if "shells" not in values:
            return tuple(range(len(self.names)))
        picked: list[int] = []
        for pattern in values["shells"]:
            here = [k for k, name in enumerate(self.names) if fnmatchcase(name, pattern)]
            if not here and self.names:
                near = suggest(pattern, self.names) or f"; they are {', '.join(self.names)}"
                self.file.report(
                    (*way, "shells"), f"{label}, shells: found {pattern!r}, expected a shell of the problem{near}"
                )
            picked += [k for k in here if k not in picked]
        return tuple(picked)

    def _check_known(self, way: KeyPath, label: str, shells: tuple[int, ...], needs: tuple[str, ...]) -> None:
        for key in needs:
            lacking = [self.names[k] for k in shells if self.shells[k].values()[key] is None]
            if lacking:
                said = f"{key} of shell {lacking[0]!r} is not known; give it in the shell or in [common]"
                self.file.report(way, f"{label}: {said}")


def _complete(shell: Shell, values: dict[str, Any], provenance: dict[str, Any]) -> Shell:
    known = shell.values()
    absent = {key: value for key, value in values.items() if known[key] is None}
    said = {key: provenance[key] for key in absent}
    return dataclasses.replace(shell.replace(**absent), provenance={**shell.provenance, **said})


def _near_term(name: str) -> str:
    """The hint for a name that is no term: the same with its unit, a similar one, or all of them."""
    with_unit = [term for term in TERMS if term.startswith(f"{name}_")]
    if with_unit:
        return f"; the unit is missing: {' or '.join(repr(term) for term in with_unit)}"
    return suggest(name, TERMS) or f"; they are {', '.join(TERMS)}"
