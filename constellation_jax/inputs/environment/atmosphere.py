"""Loader of the bundled atmosphere tables, which checks their numbers against a checksum."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.physics.drag.atmosphere import BASIS, AtmosphereTable

MODELS = ("nrlmsise00", "nrlmsis21")
"""Names of the models: NRLMSISE-00 is the one to use; NRLMSIS 2.1 shows how far models differ."""
_FOLDER = Path(__file__).parent / "tables"


def load_atmosphere(model: str = "nrlmsise00") -> AtmosphereTable:
    """Load the table of a model of the atmosphere: NumPy arrays in float32, read once in a process.

    Raises:
        InputError: an unknown model, or a file that is missing, damaged or of another version of the package.
    """
    return _read(model)[0]


def load_provenance(model: str = "nrlmsise00") -> dict[str, Any]:
    """Load the provenance of the table of a model: model, pymsis_version, date, sha256 of the numbers and more."""
    return dict(_read(model)[1])


def compute_checksum(states: np.ndarray, profiles: np.ndarray) -> str:
    """Compute the SHA-256 of the numbers of a table."""
    return hashlib.sha256(states.astype("<f4").tobytes() + profiles.astype("<f4").tobytes()).hexdigest()


@lru_cache(maxsize=len(MODELS))
def _read(model: str) -> tuple[AtmosphereTable, dict[str, Any]]:
    if model not in MODELS:
        raise InputError(f"atmosphere {model!r}: unknown model; known are {', '.join(MODELS)}")
    path = _FOLDER / f"{model}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            states, profiles, attributes = file["states"], file["profiles"], json.loads(str(file["attributes"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({error}); install the package again") from None
    if attributes["basis"] != list(BASIS):
        raise InputError(f"{path}: made for another version of the package; install the package again")
    if attributes["sha256"] != compute_checksum(states, profiles):
        raise InputError(f"{path}: its numbers do not agree with their checksum; install the package again")
    states.flags.writeable = profiles.flags.writeable = False
    return AtmosphereTable(states, profiles), attributes
