"""Sources of catalogues by a word: the bundled population, a CelesTrak group, or a file of element sets."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.catalog.celestrak import GROUPS, fetch
from constellation_jax.inputs.catalog.population import bundled_population
from constellation_jax.inputs.element_sets.read import read_catalog
from constellation_jax.inputs.files.text_files import STANDARD_INPUT
from constellation_jax.inputs.times import Time, parse_time, today

CELESTRAK = "celestrak:"
"""Prefix that makes any word a CelesTrak group; the well-known ones need none."""


def find_source(text: str, *, folder: Path = Path()) -> str:
    """Find the source that a word or a path names, for `read_source`: "bundled", "celestrak:GROUP" or an absolute path.

    Args:
        text: "bundled", a group with or without its prefix, or a path; a file that is named like a group is written
            "./active".
        folder: what a relative path is relative to.

    Raises:
        InputError: none of them.
    """
    if text == "bundled" or text.startswith(CELESTRAK):
        return text
    if text in GROUPS:
        return CELESTRAK + text
    if text == STANDARD_INPUT:
        return text
    path = make_absolute(folder / os.path.expanduser(text))
    if not os.path.isfile(path) and not _is_pipe(path):  # not path.is_file(), which raises where the name is too long
        near = "" if Path(text).suffix else suggest(text, ("bundled", *GROUPS))
        found = f"the folder {text!r}" if os.path.isdir(path) else repr(text)
        raise InputError(f"found {found}, expected a file, 'bundled' or a CelesTrak group such as 'active'{near}")
    return str(path)


def read_source(source: str, *, allow_stale: bool = False) -> Catalog:
    """Read the objects of a source that `find_source` returned.

    Args:
        source: "bundled", "celestrak:GROUP", a path, or "-" for the standard input.
        allow_stale: take an old copy where CelesTrak gives no new one.

    Raises:
        InputError: the file cannot be read, or CelesTrak did not give the group.
    """
    if source == "bundled":
        return bundled_population()
    if source.startswith(CELESTRAK):
        return read_catalog(fetch(source.removeprefix(CELESTRAK), allow_stale=allow_stale))
    return read_catalog(source if source == STANDARD_INPUT else Path(source))


def choose_start(catalog: Catalog | None, start: Time | None) -> np.datetime64:
    """Start that is given, else the latest epoch of a catalogue to the second, else the last midnight; UTC."""
    if start is not None:
        return parse_time(start)
    return parse_time(today() if catalog is None else catalog.epoch.max().astype("datetime64[s]"))


def make_absolute(path: Path) -> Path:
    """Make a path absolute; symbolic links stay, since the user knows the file by them."""
    return Path(os.path.abspath(path))


def _is_pipe(path: Path) -> bool:
    """True for a pipe: /dev/stdin, or the <(...) of a shell."""
    try:
        return stat.S_ISFIFO(os.stat(path).st_mode)
    except (OSError, ValueError):
        return False
