"""Covariances of objects from files: conjunction data messages, ephemerides that state them, and histories of element sets."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.conjunctions.cdm import read_cdm
from constellation_jax.inputs.element_sets.read import read_catalog
from constellation_jax.inputs.ephemerides.covariances import CovarianceTable, read_covariance_tables
from constellation_jax.inputs.ephemerides.state_table import parse_number
from constellation_jax.inputs.files.text_files import decode_text, read_file

MESSAGE_SECONDS: Final = 60
"""Seconds around the time of closest approach of a message for which its covariances hold."""


class CovarianceFiles(NamedTuple):
    """Covariances that files give, for `add_probability`."""

    tables: tuple[CovarianceTable, ...]
    """Those of messages and ephemerides, each of one object."""
    history: Catalog | None
    """Element sets of several dates; None where no file holds any."""


def read_covariances(sources: str | Path | Sequence[str | Path]) -> CovarianceFiles:
    """Read covariances of objects from files of any of these kinds, which their first line tells apart.

    A conjunction data message (CDM) gives those of its two objects for a minute around its closest approach; an ephemeris in OEM or
    Starlink's MEME text those of its object between its first and last instant, linear in between; element sets of earlier dates
    the scatter of each object's own sets.

    Raises:
        InputError: no file, or one that cannot be read or has no covariances.
    """
    paths = [sources] if isinstance(sources, str | Path) else list(sources)
    if not paths:
        raise InputError("covariances: no file given; at least one is needed")
    tables: list[CovarianceTable] = []
    sets: list[Catalog] = []
    for path in paths:
        data, name = read_file(path, "a CDM, OEM or MEME file, or element sets")
        head = decode_text(data, name)[:200].decode("utf-8", "replace").lstrip()
        if head.startswith("CCSDS_CDM_VERS"):
            tables += _read_message(path)
        elif head.startswith(("CCSDS_OEM_VERS", "created:")):
            tables += read_covariance_tables(path)
        else:
            sets.append(read_catalog(path))
    return CovarianceFiles(tuple(tables), Catalog.concatenate(sets) if sets else None)


def _read_message(path: str | Path) -> list[CovarianceTable]:
    message = read_cdm(path)
    reach = np.timedelta64(MESSAGE_SECONDS, "s")
    times = np.array([message.tca - reach, message.tca + reach]).astype("datetime64[ns]")
    return [
        CovarianceTable(
            parse_number(one.designator), "", message.source, times, np.tile(one.covariance[:3, :3], (2, 1, 1))
        )
        for one in message.objects
    ]
