"""Shells from values by the keys of shell files."""

from typing import Any

import constellation_jax as cj


def shell_of(**values: Any) -> cj.Shell:
    return cj.Shell.from_values({"name": "S", "planes": 1, "satellites_per_plane": 1} | values)
