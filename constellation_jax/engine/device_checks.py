"""Devices that are asked for by name: which are there, what to install where one is missing, and how slow float64 is on one."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import jax

from constellation_jax.errors import InputError, suggest

PLATFORMS = ("cpu", "gpu", "tpu")
CUDA_VERSIONS = (12, 13)
SLOW_FLOAT64 = {
    "6.1": 32, "6.2": 32, "7.5": 32, "8.6": 64, "8.7": 64, "8.9": 64, "10.3": 64, "11.0": 64, "12.0": 64, "12.1": 64,
}  # fmt: skip
"""Rate of float32 over that of float64 by the compute capability of NVIDIA's cards, where it is more than 2 (NVIDIA's white papers
of the architectures GP102, TU102, GA102, AD102 and GB202; CUDA C++ Programming Guide, table of arithmetic throughput)."""


def find_devices(platform: str | None = None) -> tuple[Any, ...]:
    """Local devices of a platform, one at least; None: JAX's default.

    Raises:
        InputError: there is none; the message says what was found and what to install.
    """
    try:
        return tuple(jax.local_devices(backend=platform))
    except (RuntimeError, AssertionError) as error:  # the latter from a CUDA plugin that lacks its libraries
        raise InputError(_explain(platform, str(error))) from None


def warn_of_slow_float64(devices: Iterable[Any]) -> None:
    """Warn in one line where float64 is far slower than float32 on one of the devices."""
    for device in devices:
        factor = SLOW_FLOAT64.get(str(getattr(device, "compute_capability", "")))
        if factor:
            warnings.warn(
                f"float64 runs at 1/{factor} of the rate of float32 on {device.device_kind}; "
                'precision="float32" stays within metres of it',
                RuntimeWarning,
                stacklevel=3,
            )
            return


def _explain(platform: str | None, error: str) -> str:
    """Message about a platform without devices, from the error that JAX gave."""
    allowed = _allowed()
    name = platform or allowed or "default"
    is_gpu = any(word in name for word in ("gpu", "cuda"))
    found = "" if platform is None else f"; it finds {', '.join(_found())}"
    start = f"device {name!r}: JAX finds none here{found}"
    if platform is not None and not is_gpu and platform not in PLATFORMS:
        return f"{start}; known are {', '.join(PLATFORMS)}{suggest(platform, PLATFORMS)}"
    if platform is not None and allowed and not {platform, "cuda" if is_gpu else platform} & set(allowed.split(",")):
        return f"{start}; JAX_PLATFORMS={allowed} leaves it out"
    if not is_gpu:
        return f"{start}; JAX says: {_last_line(error)}"
    plugins = {cuda: _installed(f"jax-cuda{cuda}-plugin") for cuda in CUDA_VERSIONS}
    present = {cuda: plugin for cuda, plugin in plugins.items() if plugin}
    if not present:
        extras = " or ".join(f'pip install "constellation-jax[cuda{cuda}]"' for cuda in CUDA_VERSIONS)
        return f"{start}; no CUDA plugin of JAX is installed: {extras}, as nvidia-smi shows the driver's CUDA version"
    for cuda in present:
        for package in (f"jax-cuda{cuda}-plugin", f"jax-cuda{cuda}-pjrt"):
            if _installed(package) != _installed("jaxlib"):
                return (
                    f"{start}; {package} {_installed(package) or '(missing)'} does not fit jaxlib {_installed('jaxlib')}: "
                    f'pip install "jax[cuda{cuda}]=={_installed("jax")}"'
                )
    cuda, plugin = next(iter(present.items()))
    return (
        f"{start}; jax-cuda{cuda}-plugin {plugin} finds no card that it can use: does nvidia-smi show one, and are the libraries "
        f'installed (pip install "jax[cuda{cuda}]=={_installed("jax")}")? JAX says: {_last_line(error)}'
    )


def _allowed() -> str:
    """Platforms to which the environment variable JAX_PLATFORMS holds JAX; "": to none."""
    settings: Any = jax.config
    return settings.jax_platforms or ""


def _found() -> list[str]:
    return [name for name in PLATFORMS if _has_devices(name)]


def _has_devices(platform: str) -> bool:
    try:
        return bool(jax.local_devices(backend=platform))
    except (RuntimeError, AssertionError):
        return False


def _installed(package: str) -> str | None:
    """Version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _last_line(error: str) -> str:
    return next((line.strip() for line in reversed(error.splitlines()) if line.strip()), "nothing")
