"""How the benchmarks measure: warm, several things in turn so that all see the same load of the machine, and where."""

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
"""An odd number, so that the median is one of the runs."""

Work = Callable[[], object]
"""Something to be timed, which returns when it is done: what computes on a device has to wait for it."""


def seconds(work: Work) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def in_turn(
    works: Mapping[str, Work], *, repeats: int = REPEATS, setup: Mapping[str, Work] | None = None
) -> dict[str, list[float]]:
    """Seconds of each run of each piece of work. All run once without being timed, then a, b, ..., a, b, ... in turn.

    Args:
        works: by name.
        repeats: timed runs of each.
        setup: by the same names; what is done before each run of that work and not timed.
    """
    taken: dict[str, list[float]] = {name: [] for name in works}
    for repeat in range(repeats + 1):
        for name, work in works.items():
            if setup and name in setup:
                setup[name]()
            spent = seconds(work)
            if repeat:
                taken[name].append(spent)
    return taken


def medians(taken: Mapping[str, list[float]]) -> dict[str, float]:
    return {name: median(values) for name, values in taken.items()}


@dataclasses.dataclass(frozen=True)
class Machine:
    """What figures were measured on."""

    platform: str
    """As JAX calls it: "cpu", "gpu", "tpu"."""
    device: str
    cores: int
    system: str
    versions: dict[str, str]
    """Of this package, Python and the packages that do the work."""

    def line(self) -> str:
        versions = ", ".join(f"{name} {number}" for name, number in self.versions.items())
        return f"{self.device} ({self.platform}), {self.cores} CPU cores, {self.system}; {versions}"


def machine(*packages: str) -> Machine:
    """The machine that this process runs on. Starts JAX.

    Args:
        packages: installed distributions to name with their versions, besides those that always are.
    """
    import jax

    device = jax.devices()[0]
    versions = {"constellation-jax": __version__, "Python": platform.python_version()}
    versions |= {name: version(name) for name in ("jax", "jaxlib", "numpy", "netCDF4", *packages)}
    name = _processor() if device.platform == "cpu" else device.device_kind
    return Machine(device.platform, name, os.cpu_count() or 1, f"{platform.system()} {platform.machine()}", versions)


def _processor() -> str:
    """Name of the CPU, which Python does not tell on Linux."""
    information = Path("/proc/cpuinfo")
    if information.is_file():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
