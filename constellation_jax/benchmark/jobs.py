"""Jobs of the package besides a propagation into given arrays, timed: states that stay on the device, decay, Jacobians."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Final

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.benchmark.timing import take_medians, time_in_turn, time_once
from constellation_jax.engine.decay.engine import run as run_decay
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.grid.host import make_states_engine
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics.constants import YEAR_DAYS
from constellation_jax.studies.decay.inputs import (
    ASSUMED_BALLISTIC_COEFFICIENT,
    choose_step_days,
    make_objects,
    make_series,
    resolve_space_weather,
)

DECAY_YEARS: Final = 25.0
JACOBIAN_SATELLITES, JACOBIAN_INSTANTS = 4096, 64
"""Size of the job at most: each state comes with 42 derivatives."""
BLOCK_STATES: Final = 1 << 25
"""States in a block that stays on the device, at most: 840 MB of position and velocity in float32. Two are there at a time."""


@dataclasses.dataclass(frozen=True)
class JobSpeed:
    """Times of a job."""

    name: str
    count: int
    """Results of a run."""
    unit: str
    first_s: float
    """Time of the first run, compilation included."""
    warm_s: float
    """Median of five later runs."""

    def line(self) -> str:
        """Format as one line."""
        rate = self.count / self.warm_s
        size = f"{rate / 1e6:.2f} million" if rate >= 1e5 else f"{rate:,.0f}"
        return f"{self.name:<44}{self.first_s:>10.2f} s{self.warm_s:>10.3f} s{size:>18} {self.unit}/s"


def prepare_states(
    catalog: Catalog, times: NDArray[np.datetime64], names: tuple[str, ...], precision: str, devices: Devices
) -> Callable[[], Any]:
    """Prepare states in TEME that stay on the device: a function that computes all, block by block, and gives the last block.

    Args:
        names: variables.
    """
    grid = Grid.inertial(*to_day_fraction(times))
    options = Options(names, precision=precision, dtype=precision, platform=devices.platform)
    rows = max(1, min(len(times), BLOCK_STATES // len(catalog)))
    engine = make_states_engine(catalog.elements, grid, options, rows, devices)

    def compute() -> Any:
        block = None
        for start in range(0, len(times), rows):  # the next block is sent ahead before the last one is waited for
            before, block = block, engine.run(start, min(start + rows, len(times)))
            jax.block_until_ready(before)
        return jax.block_until_ready(block)

    return compute


def measure_states(
    catalog: Catalog, times: NDArray[np.datetime64], names: tuple[str, ...], precision: str, devices: Devices
) -> JobSpeed:
    """Time states in TEME that stay on the device; the coefficients are part of the first run alone."""
    return _measure(
        f"states on the device, {precision}",
        len(catalog) * len(times),
        "states",
        lambda: prepare_states(catalog, times, names, precision, devices),
    )


def measure_jacobians(catalog: Catalog, times: NDArray[np.datetime64], precision: str, devices: Devices) -> JobSpeed:
    """Time states with their derivatives by the elements, into given arrays on the host."""
    catalog, times = catalog[:JACOBIAN_SATELLITES], times[:JACOBIAN_INSTANTS]
    grid = Grid.inertial(*to_day_fraction(times))

    def make() -> Callable[[], None]:
        engine = JacobianEngine(catalog.elements, grid, precision=precision, devices=devices)
        out = engine.allocate()
        return lambda: engine.run(out)

    return _measure(f"Jacobians, {precision}", len(catalog) * len(times), "states", make)


def measure_decay(catalog: Catalog, devices: Devices, years: float = DECAY_YEARS) -> JobSpeed:
    """Time lifetimes of all objects at median solar activity, with one ballistic coefficient for all."""
    objects = make_objects(catalog, np.full(len(catalog), ASSUMED_BALLISTIC_COEFFICIENT))
    first, step = float(objects.mjd.min()), choose_step_days(years)
    stop = float(objects.mjd.max()) + years * YEAR_DAYS
    with jax.default_device(devices.mesh.devices.flat[0]):  # the engine takes all devices of its platform
        series = make_series(resolve_space_weather(None, "median"), first, stop, step)[0]
        return _measure(
            f"decay over {years:g} years", len(catalog), "lifetimes", lambda: lambda: run_decay(objects, series)
        )


def _measure(name: str, count: int, unit: str, make: Callable[[], Callable[[], object]]) -> JobSpeed:
    """Time a job, which is made once and run several times: the first time with its making."""
    made: list[Callable[[], object]] = []

    def first() -> None:
        made.append(make())
        made[0]()

    spent = time_once(first)
    return JobSpeed(name, count, unit, spent, take_medians(time_in_turn({"job": made[0]}))["job"])
