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


def warn_of_slow_float64(devices: Iterable[Any], advice: str = 'precision="float32" stays within metres of it') -> None:
    """Warn in one line where float64 is far slower than float32 on one of the devices."""
    for device in devices:
        factor = SLOW_FLOAT64.get(str(getattr(device, "compute_capability", "")))
        if factor:
            warnings.warn(
                f"float64 runs at 1/{factor} of the rate of float32 on {device.device_kind}; {advice}",
                RuntimeWarning,
                stacklevel=3,
            )
            return


def _explain(platform: str | None, error: str) -> str:
    """Message about a platform without devices, from the error that JAX gave."""
    allowed = _allowed()
    if platform is None:
        start = f"JAX_PLATFORMS={allowed}: JAX finds no such device here; unset the variable"
    else:
        found = [name for name in PLATFORMS if _has_devices(name)]
        start = f"device {platform!r}: JAX finds none here; it finds {', '.join(found)}"
    is_gpu = any(word in (platform or allowed) for word in ("gpu", "cuda"))
    if platform is not None and not is_gpu and platform not in PLATFORMS:
        return f"{start}; known are {', '.join(PLATFORMS)}{suggest(platform, PLATFORMS)}"
    if platform is not None and allowed and not {platform, "cuda" if is_gpu else platform} & set(allowed.split(",")):
        return f"{start}; JAX_PLATFORMS={allowed} leaves it out"
    says = next((f"; JAX says: {line.strip()}" for line in reversed(error.splitlines()) if line.strip()), "")
    return f"{start}; {_explain_cuda()}{says}" if is_gpu else f"{start}{says}"


def _explain_cuda() -> str:
    """Likely reason why JAX finds no NVIDIA card, and what to do."""
    present = [cuda for cuda in CUDA_VERSIONS if _installed(f"jax-cuda{cuda}-plugin")]
    if not present:
        extras = " or ".join(f'pip install "constellation-jax[cuda{cuda}]"' for cuda in CUDA_VERSIONS)
        return f"no CUDA plugin of JAX is installed: {extras}, as nvidia-smi shows the driver's CUDA version"
    cuda, jaxlib = present[0], _installed("jaxlib")
    install = f'pip install "jax[cuda{cuda}]=={_installed("jax")}"'
    for package in (f"jax-cuda{cuda}-plugin", f"jax-cuda{cuda}-pjrt"):
        if _installed(package) != jaxlib:
            return f"{package} {_installed(package) or '(missing)'} does not fit jaxlib {jaxlib}: {install}"
    return (
        f"jax-cuda{cuda}-plugin {jaxlib} finds no card that it can use: does nvidia-smi show one, and are its libraries "
        f"installed ({install})?"
    )


def _allowed() -> str:
    """Platforms to which the environment variable JAX_PLATFORMS holds JAX; "": to none."""
    settings: Any = jax.config
    return settings.jax_platforms or ""


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
