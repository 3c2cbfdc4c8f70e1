"""Loader of the bundled atmosphere tables, which checks their numbers against a checksum."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, MODELS, check_model
from constellation_jax.physics.drag.atmosphere import BASIS, AtmosphereTable

_FOLDER = Path(__file__).parent / "tables"


def load_atmosphere(model: str = CALIBRATED) -> AtmosphereTable:
    """Load the table of a model of the atmosphere: NumPy arrays in float32, read once in a process.

    Raises:
        InputError: an unknown model, or a file that is missing, damaged or of another version of the package.
    """
    return _read(model)[0]


def load_provenance(model: str = CALIBRATED) -> dict[str, Any]:
    """Load the provenance of the table of a model: model, pymsis_version, date, sha256 of the numbers and more."""
    return dict(_read(model)[1])


def compute_checksum(*numbers: np.ndarray) -> str:
    """Compute the SHA-256 of the numbers of a table."""
    return hashlib.sha256(b"".join(values.astype("<f4").tobytes() for values in numbers)).hexdigest()


@lru_cache(maxsize=len(MODELS))
def _read(model: str) -> tuple[AtmosphereTable, dict[str, Any]]:
    check_model(model)
    if model == CALIBRATED:
        plain, said_of_plain = _read("nrlmsise00")
        (quiet_sun,), said = _load(model, "quiet_sun")
        if said["corrects"] != said_of_plain["sha256"]:
            raise InputError(f"{_FOLDER / model}.npz: corrects another table; install the package again")
        return dataclasses.replace(plain, quiet_sun=quiet_sun), said
    (states, profiles), said = _load(model, "states", "profiles")
    return AtmosphereTable(states, profiles, np.zeros(profiles.shape[-1], np.float32)), said


def _load(model: str, *names: str) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Arrays of a file, read only, and what it says of itself."""
    path = _FOLDER / f"{model}.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays, said = [file[name] for name in names], json.loads(str(file["attributes"]))
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{path}: cannot be read ({error}); install the package again") from None
    if said["basis"] != list(BASIS):
        raise InputError(f"{path}: made for another version of the package; install the package again")
    if said["sha256"] != compute_checksum(*arrays):
        raise InputError(f"{path}: its numbers do not agree with their checksum; install the package again")
    for values in arrays:
        values.flags.writeable = False
    return arrays, said
