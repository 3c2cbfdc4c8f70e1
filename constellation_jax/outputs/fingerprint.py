"""Fingerprint of a run: everything that decides a bit of its output, by which an interrupted run may be gone on with.

Deliberately absent: making one (studies/propagation/fingerprint.py), which knows the options of a run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from constellation_jax.errors import InputError

Fingerprint = Mapping[str, str]
"""Name of each thing that decides the output -> its value, or a digest of it."""


def check_fingerprint(found: Fingerprint, expected: Fingerprint, place: str) -> None:
    """Check that an unfinished output was begun with what this run would write into it.

    Args:
        found: fingerprint in the output.
        expected: that of this run.
        place: name of the output, for the message.

    Raises:
        InputError: they differ; the message names the things that do.
    """
    differing = [name for name in {**expected, **found} if found.get(name) != expected.get(name)]
    if differing:
        words = "; ".join(
            f"{name.replace('_', ' ')}: {_shorten(found.get(name))} there, {_shorten(expected.get(name))} here"
            for name in differing
        )
        raise InputError(
            f"{place}: was begun by another run ({words}); give it the same inputs and versions, or remove it to begin anew"
        )


def encode_fingerprint(fingerprint: Fingerprint) -> str:
    """Encode a fingerprint as JSON, for an attribute of a file."""
    return json.dumps(dict(fingerprint), sort_keys=True)


def decode_fingerprint(text: object) -> Fingerprint:
    """Decode the attribute of a file; anything else gives an empty fingerprint."""
    try:
        found = json.loads(str(text))
    except ValueError:
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


def _shorten(value: str | None) -> str:
    text = "nothing" if value is None else value
    return f"{text[:16]}..." if len(text) > 40 else text
