"""Reader of the tables of a TOML file by rules: values, their provenance, and every mistake with its line.

A number in a file stands alone (`planes = 72`) or with its provenance
(`planes = { value = 72, status = "filed", source = "JSR" }`); a table may give the status and source of all its numbers
once. Deliberately absent: the meaning of the keys, which the dataclasses that hold them declare (keys.py).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from constellation_jax.errors import InputErrors, nearest, suggest
from constellation_jax.inputs.files.keys import Rule
from constellation_jax.inputs.files.toml_lines import KeyPath, load_toml

STATUSES = {
    "filed": "in a filing with the ITU or a regulator, or authorised by one",
    "deployed": "catalogued, or measured from public element sets",
    "announced": "a plan or statement of the operator or the press",
    "estimated": "estimated or derived from other numbers",
    "assumed": "a modelling choice, not a fact",
    "unknown": "looked for and not found; has no value",
}
"""Meaning of each status, which grades how far a number can be trusted."""


class Provenance(NamedTuple):
    """Status and source of a number."""

    status: str = ""
    """One of STATUSES; "" where the file does not give it."""
    source: str = ""
    """Key of the file's [sources] table, or text."""


_NOT_SAID = Provenance()
_ABOUT = ("status", "source", "note")
"""Keys of a table, or of a number's own table, that say where numbers come from."""


class Values(NamedTuple):
    """Values of a table, and where each comes from."""

    values: dict[str, Any]
    provenance: dict[str, Provenance]

    def within(self, outer: Values) -> Values:
        """Fill in the values of an outer table for keys that this one does not mention."""
        # A key that the inner table calls unknown has a provenance and no value: the outer value must not return.
        kept = {key: value for key, value in outer.values.items() if key not in self.provenance}
        return Values(kept | self.values, outer.provenance | self.provenance)


class TomlTables:
    """A TOML file whose tables are read by rules; `mistakes` collects, and `finish()` raises, everything that is wrong."""

    def __init__(self, path: str | Path) -> None:
        """Load the file.

        Raises:
            InputError: it cannot be read or is not TOML.
        """
        self.path = Path(path)
        self.data, self.line_of = load_toml(path)
        self.mistakes: list[tuple[int, str]] = []
        sources = self.data.get("sources")
        self.sources: dict[str, Any] | None = sources if isinstance(sources, dict) else None

    def report(self, way: KeyPath, what: str) -> None:
        """Note one mistake at the line of a key."""
        line = self.line_of(way)
        self.mistakes.append((line, f"{self.path}, line {line}, {what}"))

    def finish(self) -> None:
        """Raise InputErrors with every mistake, in the order of lines, if there is any."""
        if self.mistakes:
            raise InputErrors([message for _, message in sorted(self.mistakes, key=lambda m: m[0])])

    def text(self, key: str) -> str:
        """The text of a top-level key, "" where it is absent; "" and a mistake where it is no text."""
        value = self.data.get(key, "")
        if isinstance(value, str):
            return value
        self.report((key,), f"{key}: found {value!r}, expected text")
        return ""

    def is_variant(self, way: KeyPath, label: str, found: Any, variants: Iterable[str]) -> bool:
        """True for a variant of the file; False, and a mistake at the line of the key that names it, for any other."""
        names = list(variants)
        if found in names:
            return True
        near = suggest(str(found), names) or f"; they are {', '.join(names) or 'none'}"
        self.report(way, f"{label}: found {found!r}, expected a variant of the file{near}")
        return False

    def check_keys(self, known: list[str]) -> None:
        """Report top-level keys that are not known."""
        for key in self.data:
            if key not in known:
                hint = suggest(key, known) or f"; known are {', '.join(known)}"
                self.report((key,), f"{key}: unknown key{hint}")

    def tables(self, key: str) -> list[dict[str, Any]]:
        """The [[key]] tables of the file; an empty list and a mistake where there is none."""
        tables = self.data.get(key)
        if not isinstance(tables, list) or not tables or not all(isinstance(t, dict) for t in tables):
            self.report((key,), f"{key}: expected at least one [[{key}]] table")
            return []
        return tables

    def read(
        self,
        table: Mapping[str, Any],
        way: KeyPath,
        label: str,
        rules: Mapping[str, Rule],
        inherited: Provenance = _NOT_SAID,
        *,
        given: Collection[str] = (),
    ) -> Values:
        """Read the values of a table with their provenance, and report every value that breaks its rule.

        Args:
            table: the table; besides the keys of the rules it may hold `status` and `source`, which then hold for all
                its numbers that have none of their own, and a `note`.
            way: path of the table in the file.
            label: name of the table in messages, as "shell 'GW-A59-1'".
            rules: values that each key takes.
            inherited: provenance of numbers where neither they nor the table give it.
            given: required keys that may be missing here, since another table gives them.
        """
        values: dict[str, Any] = {}
        provenance: dict[str, Provenance] = {}
        common = self._provenance(table, way, label, inherited)
        for key, entry in table.items():
            here, named = (*way, key), f"{label}, {key}"
            if key in _ABOUT or not self._is_known(here, named, key, rules):
                continue
            provenance[key] = common
            if isinstance(entry, dict):
                provenance[key] = self._provenance(entry, here, named, common)
                for inner in entry:
                    if inner not in ("value", *_ABOUT):
                        near = suggest(inner, ["value", *_ABOUT])
                        self.report((*here, inner), f"{named}: unknown key {inner!r}{near}")
                if "value" not in entry:
                    if provenance[key].status != "unknown" or rules[key].required:
                        self.report(here, f"{named}: found no value, expected {rules[key].expected}")
                    continue
                entry = entry["value"]
            self._take(values, here, named, entry, rules[key])
        held = {*table, *(_meant(key, rules) for key in table if key not in rules), *given}
        for key, rule in rules.items():
            if rule.required and key not in held:
                self.report(way, f"{label}, {key}: missing, expected {rule.expected}")
        return Values(values, provenance)

    def read_table(self, key: str, rules: Mapping[str, Rule]) -> dict[str, Any]:
        """Read the values of the [key] table; none where it is absent, or, with a mistake, no table."""
        return TableReader(self, (key,), key).read(rules).values if key in self.data else {}

    def read_top(self, rules: Mapping[str, Rule], *, skip: Collection[str] = ()) -> dict[str, Any]:
        """Read the top-level keys of a file whose numbers have no provenance, such as a run file.

        Args:
            rules: values that each key takes.
            skip: keys that are ignored.
        """
        values: dict[str, Any] = {}
        for key, entry in self.data.items():
            if key not in skip and self._is_known((key,), key, key, rules):
                self._take(values, (key,), key, entry, rules[key])
        return values

    def _is_known(self, way: KeyPath, named: str, key: str, rules: Mapping[str, Rule]) -> bool:
        if key in rules:
            return True
        meant = _meant(key, rules)
        unit = ", its unit is missing:" if meant.startswith(f"{key}_") else ","
        known = f"{unit} did you mean {meant!r}?" if meant else f"; known are {', '.join(rules)}"
        self.report(way, f"{named}: unknown key{known}")
        return False

    def _take(self, values: dict[str, Any], way: KeyPath, named: str, entry: Any, rule: Rule) -> None:
        """Add the value of a key to `values`, or report what is wrong with it."""
        value, mistakes = rule.read(entry, self.path.absolute().parent)
        for inner, what in mistakes.items():
            self.report(
                (*way, *inner), f"{named}: {what.removeprefix(f'{way[-1]} ')}"
            )  # the place names the key already
        if not mistakes:
            values[str(way[-1])] = value

    def read_outer(
        self, way: tuple[str, ...], rules: Mapping[str, Rule], outer: Values, inherited: Provenance
    ) -> tuple[Values, Provenance]:
        """Read the values that [common] or a [variants.NAME] table gives to others, and the provenance that these inherit.

        Args:
            way: ("common",) or ("variants", NAME).
            rules: values that each key takes; none is required here.
            outer: values of the table around it, [common] for a variant.
            inherited: provenance of numbers where neither they nor the table give it.
        """
        table: Any = self.data
        for key in way:
            table = table.get(key, {})
        label = "common" if way == ("common",) else f"variant {way[-1]!r}"
        if not isinstance(table, dict):
            self.report(way, f"{label}: found {table!r}, expected a table")
            return outer, inherited
        said = self.read(table, way, label, rules, inherited, given=rules)
        source = Provenance(str(table.get("status", inherited.status)), str(table.get("source", inherited.source)))
        return said.within(outer), source

    def read_variants(
        self, common_rules: Mapping[str, Rule], variant_rules: Mapping[str, Rule]
    ) -> tuple[tuple[Values, Provenance], dict[str, tuple[Values, Provenance]]]:
        """Read [common], and each [variants.NAME] filled in from it; empty values where a table is absent."""
        common = self.read_outer(("common",), common_rules, Values({}, {}), Provenance())
        names = self.data.get("variants", {})
        if not isinstance(names, dict):
            self.report(("variants",), "variants: expected tables such as [variants.filed]")
            names = {}
        return common, {name: self.read_outer(("variants", name), variant_rules, *common) for name in names}

    def _provenance(self, entry: Mapping[str, Any], way: KeyPath, label: str, common: Provenance) -> Provenance:
        status, source = entry.get("status", common.status), entry.get("source", common.source)
        if "status" in entry and status not in [*STATUSES]:  # a list: what TOML holds need not be hashable
            near = suggest(str(status), STATUSES)
            said = f"{label}, status: found {status!r}, expected one of {', '.join(STATUSES)}{near}"
            self.report((*way, "status"), said)
        if "source" in entry:
            if not isinstance(source, str):
                self.report((*way, "source"), f"{label}, source: found {source!r}, expected text")
            elif self.sources is not None and source not in self.sources:
                near = suggest(source, self.sources) or f"; they are {', '.join(self.sources)}"
                self.report((*way, "source"), f"{label}, source: found {source!r}, expected a key of [sources]{near}")
        return Provenance(str(status), str(source))


class TableReader:
    """Reader of one table of a file: reports mistakes under its label, and knows whether there were any."""

    def __init__(self, file: TomlTables, way: KeyPath, label: str) -> None:
        self.file, self.way, self.label = file, way, label
        self._before = len(file.mistakes)
        found: Any = file.data
        for key in way:
            found = found[key]
        self.table: dict[str, Any] = found if isinstance(found, dict) else {}
        if found is not self.table:
            self.report(f"found {found!r}, expected a table [{way[-1]}]")

    def read(
        self, rules: Mapping[str, Rule], inherited: Provenance = _NOT_SAID, *, given: Collection[str] = ()
    ) -> Values:
        """Read the values of the table, see `TomlTables.read`."""
        return self.file.read(self.table, self.way, self.label, rules, inherited, given=given)

    def is_sound(self) -> bool:
        """True where nothing has been reported to the file since this reader was made."""
        return len(self.file.mistakes) == self._before

    def report(self, what: str, key: str = "") -> None:
        """Report a mistake at the line of a key, or of the head of the table where it holds no such key."""
        self.file.report((*self.way, key), f"{self.label}, {key}: {what}" if key else f"{self.label}: {what}")


_UNITS = ("km", "deg", "h", "kg", "mn", "s", "m2", "m2_kg", "years", "days", "km_per_day")


def _meant(key: str, rules: Mapping[str, Rule]) -> str:
    """The key that an unknown one probably stands for: with its unit, or the nearest; "" where none is near."""
    return next((f"{key}_{unit}" for unit in _UNITS if f"{key}_{unit}" in rules), nearest(key, rules))
