"""Device of a whole study: JAX's default device for as long as the study runs."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import jax

from constellation_jax.engine.device_checks import find_devices

P = ParamSpec("P")
R = TypeVar("R")


def on_device(study: Callable[P, R]) -> Callable[P, R]:
    """Run a study, a function with a keyword argument `device`, on that platform; None: JAX's default device.

    Its engines use all local devices of the platform, its other programs the first one. That holds for what the study calls too,
    so it is not handed down; and for the calling thread alone, since the threads of an engine compute where their arguments lie.

    Raises:
        InputError: there is no such device, when the study is called.
    """

    @wraps(study)
    def run(*arguments: P.args, **named: P.kwargs) -> R:
        device = named.get("device")
        if device is None:
            return study(*arguments, **named)
        with jax.default_device(find_devices(str(device))[0]):
            return study(*arguments, **named)

    return run


def default_platform() -> str | None:
    """Platform of the default device that was chosen, by `on_device` or by the user; None: the one that JAX chooses."""
    settings: Any = jax.config
    chosen = settings.jax_default_device
    return getattr(chosen, "platform", chosen)
