"""Text of the command `shells`: the list of constellations, and one of them with the source of every number."""

from __future__ import annotations

from collections.abc import Iterator

from constellation_jax.inputs.shells.files import Constellation, known_shells, load_constellation, load_shells
from constellation_jax.inputs.shells.shell import Shell


def list_shells() -> Iterator[str]:
    """A line for every bundled constellation and variant: name, satellites, shells, title."""
    for name in known_shells():
        system = load_constellation(name)
        for variant in sorted(system.variants, key=lambda v: v != system.default_variant):
            shells = system.select(variant)
            called = name if variant == system.default_variant else f"{name}:{variant}"
            count = f"{len(shells)} shell{'s' if len(shells) > 1 else ''}"
            total = sum(shell.total for shell in shells)
            yield f"{called:<22} {total:>7,} satellites in {count:<9}  {_title(system, variant)}"


def show_shells(name: str) -> Iterator[str]:
    """Lines on one constellation: its shells, then status and source of every number, then the sources.

    Args:
        name: as for `load_shells`.
    """
    shells, system = load_shells(name), load_constellation(name)
    yield _title(system, shells[0].variant if len({s.variant for s in shells}) == 1 else "")
    width = max(len(shell.name) for shell in shells)
    for shell in shells:
        orbit, pattern = shell.orbit, shell.pattern
        lattice = f"{pattern.planes} planes x {pattern.per_plane}"
        yield (
            f"{shell.name:<{width}} {orbit.altitude_km:>9.1f} km {orbit.inclination_deg:>7.2f} deg"
            f"  {pattern.kind:<5} {lattice:<18} {shell.total:>7,} satellites"
        )
    yield f"{'total':<{width}} {sum(shell.total for shell in shells):>7,} satellites"
    if not any(any(said) for shell in shells for said in shell.provenance.values()):
        return  # a file that says nothing of where its numbers come from
    said = [_numbers(shell) for shell in shells]
    shared = [number for number in said[0] if all(number in other for other in said)]
    blocks = [("all shells" if len(shells) > 1 else shells[0].name, shared)]
    blocks += [(s.name, [n for n in own if n not in shared]) for s, own in zip(shells, said, strict=True)]
    yield "\nWhere the numbers come from"
    for title, numbers in blocks:
        if numbers:
            yield f"  {title}"
            yield from _grouped(numbers)
    yield from _sources(shells)


def _title(system: Constellation, variant: str) -> str:
    return ": ".join(part for part in (system.title, system.variants.get(variant, "")) if part)


_Number = tuple[str, str, str]  # status, source, "key value"


def _numbers(shell: Shell) -> list[_Number]:
    numbers, values = [], shell.values()
    for key, (status, source) in shell.provenance.items():
        value = values[key]
        if isinstance(value, tuple):
            value = ", ".join(f"{part:g}" for part in value)
        elif isinstance(value, float) and value.is_integer():
            value = int(value)
        unknown = status == "unknown"
        numbers.append((status, source, key if unknown else f"{key} {value}"))
    return numbers


def _grouped(numbers: list[_Number]) -> Iterator[str]:
    groups: dict[tuple[str, str], list[str]] = {}
    for status, source, number in numbers:
        groups.setdefault((status or "not said", source), []).append(number)
    for (status, source), members in groups.items():
        yield f"    {status}{f' [{source}]' if source else ''}: {', '.join(members)}"


def _sources(shells: list[Shell]) -> Iterator[str]:
    used = {source for shell in shells for _, source in shell.provenance.values()}
    listed = [(key, words) for key, words in shells[0].sources.items() if key in used]
    if listed:
        yield "\nSources"
    for key, words in listed:
        yield f"  {key}: {words}"
