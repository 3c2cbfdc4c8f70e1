"""Planned constellations: shell files, TOML, each number with where it comes from -> Shell.

A file holds one system, in one or several variants (as filed, as flown). Tables in the order in which a value is looked
for: the [[shells]] table, the [variants.NAME] table of its variant, [common]. Deliberately absent: what the numbers of
a shell mean (shell.py, lattice.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from constellation_jax.inputs.files.configs import check_variant, find_config, known_configs
from constellation_jax.inputs.files.keys import text, whole
from constellation_jax.inputs.files.toml_tables import Provenance, TableReader, TomlTables, Values
from constellation_jax.inputs.shells.conflicts import find_conflicts
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.shells.shell import KEYS, RULES, Shell

__all__ = ["Constellation", "Shell", "known_shells", "load_constellation", "load_shells", "shells_to_catalog"]

_FILE_KEYS = ["title", "system", "sources", "default_variant", "common", "variants", "shells"]
_COMMON_RULES = {key: rule for key, rule in RULES.items() if key not in ("name", "variant")}
_TOTAL = {"total": whole(1)}
_VARIANT_RULES = {"title": text()} | _TOTAL | _COMMON_RULES


class Constellation(NamedTuple):
    """Contents of a shell file."""

    title: str
    variants: Mapping[str, str]
    """Title of each variant; {"": ""} for a file without variants."""
    default_variant: str
    shells: list[Shell]
    """Those of all variants."""

    def select(self, variant: str = "") -> list[Shell]:
        """The shells of a variant, of the default one where none is named; all where there is no default."""
        variant = variant or self.default_variant
        return [s for s in self.shells if not variant or s.variant == variant]


def known_shells(*, variants: bool = False) -> list[str]:
    """Names of the constellations that come with the package, for `load_shells`.

    Args:
        variants: True for every variant too, as in "kuiper:filed"; the plain name stands for the default one.
    """
    return known_configs("shells", variants=variants)


def load_shells(name_or_path: str | Path) -> list[Shell]:
    """Load the shells of a constellation, in the order of its file.

    Args:
        name_or_path: a name of `known_shells()`, such as "guowang", or a TOML file of the same form. A file that holds
            several variants gives its default one; another is named after a colon, as in "kuiper:filed".

    Raises:
        InputError: no such constellation, file or variant.
        InputErrors: mistakes in the file, all at once, each with its line.
    """
    path, variant = find_config("shells", "constellation", name_or_path)
    system = _read(path)
    check_variant(path, variant, [v for v in system.variants if v])
    return system.select(variant)


def load_constellation(name_or_path: str | Path) -> Constellation:
    """Load all variants of a shell file; a variant after a colon is left aside. Raises as `load_shells`."""
    return _read(find_config("shells", "constellation", name_or_path)[0])


def _read(path: Path) -> Constellation:
    file = TomlTables(path)
    file.check_keys(_FILE_KEYS)
    title, system, default = (file.text(key) for key in ("title", "system", "default_variant"))
    shells = read_shells(file, system)
    stated = file.data.get("variants", {})
    if default and isinstance(stated, dict):
        tables = file.data.get("shells")
        tables = [table for table in tables if isinstance(table, dict)] if isinstance(tables, list) else []
        named = [*stated] or [str(table.get("variant", "")) for table in tables]
        file.is_variant(("default_variant",), "default_variant", default, [name for name in named if name])
    file.finish()
    variants = {name: str(table.get("title", "")) for name, table in stated.items()} or {s.variant: "" for s in shells}
    return Constellation(title, variants, default, shells)


def read_shells(file: TomlTables, system: str = "") -> list[Shell]:
    """The [[shells]] tables of a file as shells of a system; mistakes are reported to the file, which the caller finishes."""
    common, outer = file.read_variants(_COMMON_RULES, _VARIANT_RULES)
    shells: list[Shell] = []
    seen: dict[tuple[str, str], int] = {}
    for i, table in enumerate(file.tables("shells")):
        variant = table.get("variant", "")
        label = f"shell {table.get('name')!r}, variant"
        if outer and not file.is_variant(("shells", i, "variant"), label, variant, outer):
            continue
        key = (str(table.get("name")), str(variant))
        if seen.setdefault(key, i) != i:
            line = file.line_of(("shells", seen[key], "name"))
            said = f"shell {key[0]!r}, name: already the name of the shell on line {line}"
            file.report(("shells", i, "name"), said)
        shell = _read_shell(file, i, system, *(outer[variant] if outer else common))
        shells += [shell] if shell else []
    for name, (known, _) in outer.items():
        total = sum(s.total for s in shells if s.variant == name)
        if not file.mistakes and known.values.get("total", total) != total:
            said = f"variant {name!r}, total: found {known.values['total']}, expected {total}, the sum of its shells"
            file.report(("variants", name, "total"), said)
    return shells


def _read_shell(file: TomlTables, i: int, system: str, outer: Values, inherited: Provenance) -> Shell | None:
    """One [[shells]] table as a Shell; None, with mistakes reported, where it cannot be one."""
    name = file.data["shells"][i].get("name")
    table = TableReader(file, ("shells", i), f"shell {name!r}" if isinstance(name, str) else f"shell number {i + 1}")
    given = {*outer.values}
    if table.table.get("sun_synchronous", outer.values.get("sun_synchronous")) is True:
        if "inclination_deg" in table.table:
            table.report("found beside sun_synchronous, expected one of the two", "inclination_deg")
        given.add("inclination_deg")
    own = table.read(RULES | _TOTAL, inherited, given=given)
    values, provenance = own.within(outer)
    if not table.is_sound():
        return None
    stated = own.values.get("total")
    values = {key: value for key, value in values.items() if key in RULES}
    for bad, what in find_conflicts({key: declared.default for key, declared in KEYS.items()} | values):
        table.report(what, bad)
    if not table.is_sound():
        return None
    shell = Shell.from_values(
        values,
        system=system,
        origin=file.path.stem,
        provenance={key: said for key, said in provenance.items() if key in _COMMON_RULES},
        sources=file.sources or {},
    )
    if stated is not None and stated != shell.total:
        pattern = shell.pattern
        how = f"planes x satellites_per_plane = {pattern.planes} x {pattern.per_plane} = {pattern.slots}"
        if shell.total != pattern.slots:
            how = f"{shell.filled} filled slots and {shell.filling.spares} spares = {shell.total}"
        table.report(f"found {stated}, expected {how}", "total")
    return shell
