"""Fleets and planned shells, whose own members are kept apart by their operator."""

from __future__ import annotations

import logging
from functools import cache

import numpy as np
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.shells.files import known_shells, load_constellation
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.studies.matching.match import match_shells
from constellation_jax.studies.matching.motion import NAME_PATTERNS, find_systems

Groups = NDArray[np.int32]
"""Number of the group of each object, -1 where it is in none, shape (objects,)."""


def find_fleets(catalog: Catalog) -> Groups:
    """Number the fleets of known constellations.

    Tracked objects count while they are on station (`match_shells`): what is raised, lowered or dead is not kept clear of the
    others. Planned ones count whatever they do.
    """
    fleet = np.full(len(catalog), "", object)
    tracked = np.flatnonzero(~catalog.synthetic)
    shells = [shell for name in _find_known(catalog.name[tracked]) for shell in _load_flown(name)]
    if shells:
        log = logging.getLogger("constellation_jax")
        level = log.level
        log.setLevel(logging.ERROR)  # what the catalogue lacks for climbs and descents is no matter here
        try:
            match = match_shells(catalog[tracked], shells)
        finally:
            log.setLevel(level)
        on_station = match.state == "on_station"
        fleet[tracked[on_station]] = [name.lower() for name in match.system[on_station].tolist()]
    planned = np.flatnonzero(catalog.synthetic & (catalog.shell != ""))
    fleet[planned] = [source.removeprefix("shells:") for source in catalog.source[planned].tolist()]
    return _number(fleet)


def find_planned_shells(catalog: Catalog) -> Groups:
    """Number the planned shells. Phasing keeps the satellites of one apart, by the plan."""
    pairs = zip(catalog.source.tolist(), catalog.shell.tolist(), strict=True)
    names = np.array([f"{source} {shell}" for source, shell in pairs], object)
    names[~catalog.synthetic | (catalog.shell == "")] = ""
    return _number(names)


def is_same(groups: Groups, first: NDArray[np.int32], second: NDArray[np.int32]) -> NDArray[np.bool_]:
    """True for pairs of objects of one group."""
    return np.asarray((groups[first] == groups[second]) & (groups[first] >= 0))


def _find_known(names: NDArray[np.str_]) -> list[str]:
    """Names of the bundled constellations that have satellites among some objects: to read all of their files takes a second."""
    spelt = {system.lower(): system for system in NAME_PATTERNS}
    by_system = {spelt.get(name, name): name for name in known_shells()}
    return [by_system[system] for system in sorted(set(find_systems(names, [*by_system]).tolist()) - {""})]


@cache
def _load_flown(name: str) -> list[Shell]:
    return [shell for shell in load_constellation(name).shells if shell.variant.endswith("flown")]


def _number(names: NDArray[np.object_]) -> Groups:
    numbers = {name: k for k, name in enumerate(dict.fromkeys(name for name in names.tolist() if name))}
    return np.array([numbers.get(name, -1) for name in names.tolist()], np.int32)
