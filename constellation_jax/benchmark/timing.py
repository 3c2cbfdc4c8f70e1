"""Timing of the benchmarks: warm, several things in turn so that all see the same load, and the machine that it was done on."""

from __future__ import annotations

import dataclasses
import os
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median

from constellation_jax import __version__

REPEATS = 5
"""Timed runs. An odd number, so that the median is one of them."""

Work = Callable[[], object]
"""Function to be timed, which returns when its work is done: one that computes on a device has to wait for it."""


def time_once(work: Work) -> float:
    """Seconds of one run."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def time_in_turn(
    works: Mapping[str, Work], *, repeats: int = REPEATS, setup: Mapping[str, Work] | None = None
) -> dict[str, list[float]]:
    """Time several pieces of work in turn: a, b, ..., a, b, ... All run once before without being timed.

    Args:
        works: by name.
        repeats: timed runs of each.
        setup: by the same names; done before each run of that work and not timed.

    Returns:
        Seconds of each run, by name.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            if setup and name in setup:
                setup[name]()
            spent = time_once(work)
            if repeat:
                taken[name].append(spent)
    return taken


def take_medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    """Median of each list."""
    return {name: median(values) for name, values in taken.items()}


@dataclasses.dataclass(frozen=True)
class Machine:
    """Machine that figures were measured on."""

    platform: str
    """Name that JAX has for it: "cpu", "gpu", "tpu"."""
    device: str
    cores: int
    system: str
    versions: dict[str, str]
    """Versions of this package, of Python and of the packages that do the work."""

    def line(self) -> str:
        """Format as one line."""
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.device} ({self.platform}), {self.cores} CPU cores, {self.system}; {versions}"


def describe_machine(*packages: str) -> Machine:
    """Describe the machine that this process runs on. Starts JAX.

    Args:
        packages: installed distributions to name with their versions, besides those that always are.
    """
    import jax

    device = jax.devices()[0]
    versions = {"constellation-jax": __version__, "Python": platform.python_version()}
    versions |= {name: version(name) for name in ("jax", "jaxlib", "numpy", "netCDF4", *packages)}
    name = _find_processor() if device.platform == "cpu" else device.device_kind
    return Machine(device.platform, name, os.cpu_count() or 1, f"{platform.system()} {platform.machine()}", versions)


def _find_processor() -> str:
    """Name of the CPU, which Python does not tell on Linux."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
