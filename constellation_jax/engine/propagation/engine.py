"""Propagation of many satellites over many instants: groups by regime, tiles of satellites, chunks of instants, a thread per core.

    engine = Engine(elements, grid, options)
    engine.run(start, stop, arrays)   # fills arrays of shape (stop - start, satellites), block after block

Input order is kept: whatever is grouped inside, column j is satellite j. Everything is computed in 64 bits or about 64-bit
anchors, whatever the user's `jax_enable_x64`, which is left alone.

Where the steps are short, states are evaluated at Chebyshev nodes of each chunk and interpolated. The number of nodes that a
satellite needs is measured. Satellites that need too many, that may fail inside a chunk, or whose coefficients in a chunk are
larger than measured, are evaluated at each instant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.device_checks import warn_of_slow_float64
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.failures import GridFailures
from constellation_jax.engine.propagation.cpu_runner import CpuRunner
from constellation_jax.engine.propagation.grid_runner import GridRunner
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.propagation.runner import Runner, Task
from constellation_jax.engine.regimes.assign import assign_regimes
from constellation_jax.engine.regimes.regime import Regime
from constellation_jax.engine.threads import Workers, one_blas_thread
from constellation_jax.engine.time_grid import Grid
from constellation_jax.physics.sgp4.elements import Elements


class Engine:
    """Propagates a fixed set of satellites over blocks of a fixed grid of instants.

    Args:
        elements: float64 NumPy arrays of shape (satellites,).
        grid: all instants, ascending.
        options: what to compute, and how.
        devices: None: all local devices of the platform of the options.
    """

    def __init__(self, elements: Elements, grid: Grid, options: Options, devices: Devices | None = None) -> None:
        elements = jax.tree.map(lambda v: np.asarray(v, np.float64), elements)
        self.satellites = len(np.asarray(elements.mean_motion))
        self._options = options
        self._devices = devices or Devices(options.platform)
        if options.precision == "float64":
            warn_of_slow_float64(self._devices.mesh.devices.flat)
        epoch = (elements.epoch_day, elements.epoch_fraction)
        groups, self.drag_limits = assign_regimes(elements, grid.ends_since(*epoch), options.gravity)
        make = GridRunner if self._devices.computes_grids else CpuRunner
        self._runner: Runner = make(grid, options, self._devices, elements, groups)
        self.failures = GridFailures(grid, *epoch, self.drag_limits)

    def run(self, start: int, stop: int, out: OutputArrays, progress: Callable[[int], None] | None = None) -> None:
        """Compute the states at instants start:stop of the grid. Blocks must come in ascending order.

        Args:
            out: the variables of the options at stop - start instants, filled in place. They are NaN where the status is not 0,
                and a satellite that has failed at or after its epoch stays failed.
            progress: called from this thread with the number of states just computed.
        """
        failing = np.zeros(self.satellites, np.bool_)
        rejected: defaultdict[tuple[Regime, int, int], list[NDArray[np.intp]]] = defaultdict(list)

        def work(task: Task) -> int:
            tile, chunks = task
            failed, again = self._runner.fill(task, out, start)
            if failed.any() or again.any():
                columns = np.arange(self.satellites)[tile.columns]
                failing[columns[failed & tile.is_own]] = True
                if (again & tile.is_own).any():
                    rejected[tile.regime, chunks[0].first, chunks[-1].last].append(columns[again & tile.is_own])
            return int(tile.is_own.sum()) * task.instants

        with Workers(self._devices.threads) as workers, one_blas_thread():
            # tiles that are computed in place come first: the others overwrite some of their columns
            in_place = [tile for tile in self._runner.tiles if not tile.is_own.all()]
            others = [tile for tile in self._runner.tiles if tile.is_own.all()]
            for tiles in (in_place, others):
                workers.run(work, self._runner.tasks(tiles, start, stop), progress)
            again = [
                task
                for (regime, first, last), columns in rejected.items()
                for task in self._runner.tasks(self._runner.split_again(regime, np.concatenate(columns)), first, last)
            ]
            workers.run(work, again)
        self.failures.apply_failures(start, stop, out, failing)

    def warm_up(self) -> None:
        """Compile what `run` needs, each kind of tile in one thread: all threads of `run` would compile it for themselves."""
        tasks = list(self._runner.samples())
        last = max((task.chunks[-1].last for task in tasks), default=0)
        out = OutputArrays.allocate(last, self.satellites, self._options.variables, self._options.dtype)
        with Workers(self._devices.threads) as workers:
            workers.run(lambda task: self._runner.fill(task, out, 0), tasks)

    @property
    def method(self) -> str:
        """Description of which states are interpolated."""
        return self._runner.method
