"""Speed of a propagation on this machine, timed in its parts."""

from __future__ import annotations

import dataclasses
import itertools
import os
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np
from numpy.typing import NDArray

from constellation_jax.benchmark.jobs import JobSpeed, measure_decay, measure_jacobians, measure_states
from constellation_jax.benchmark.plain_writer import make_plain_writer
from constellation_jax.benchmark.timing import Machine, Work, describe_machine, take_medians, time_in_turn, time_once
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.propagation import grid_runner, kernels
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.tiles import Outputs, make_outputs
from constellation_jax.engine.time_grid import Grid
from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.outputs.variable import STATUS_VARIABLE
from constellation_jax.outputs.variables import resolve_groups
from constellation_jax.studies.propagation.propagate import PRECISIONS, propagate
from constellation_jax.studies.propagation.to_file import propagate_to

MODES = ("dense", "direct")
"""Ways to compute: interpolated between few evaluations of each orbit, on a CPU alone, or evaluated at every instant."""
JOBS = ("arrays", "device", "decay", "jacobians")
"""Jobs to time: states into given arrays, a dataset and a file; states that stay on the device; lifetimes; Jacobians."""


@dataclasses.dataclass(frozen=True)
class SpeedCase:
    """Seconds of one precision and mode: medians, except of the compilation, which happens once."""

    precision: str
    mode: str
    compile_s: float
    """Time that the first start took longer than later ones, without what another case has compiled before."""
    start_s: float
    """Time of a later start: coefficients of all objects, and each kind of tile computed once."""
    given_s: float
    """Time of states into given arrays, of the type of the precision."""
    transfer_s: float
    """Share of `given_s` of the copies: as many finished tiles from the device into the same arrays, measured alone."""
    dataset_s: float
    """Time of `propagate`, from the catalogue to a fresh dataset in memory."""
    file_s: float
    """Time of `propagate_to`, from the catalogue to a finished netCDF file of float32."""
    netcdf4_s: float
    """Time of the same bytes by netCDF4 alone, from memory."""

    @property
    def compute_s(self) -> float:
        """Time of states into given arrays, without the copies."""
        return max(0.0, self.given_s - self.transfer_s)

    @property
    def write_s(self) -> float:
        """Time that a file takes longer than a start and states in given arrays: most writing goes on beside computing."""
        return max(0.0, self.file_s - self.start_s - self.given_s)


@dataclasses.dataclass(frozen=True)
class SpeedReport:
    """Figures of a `measure_speed`."""

    machine: Machine
    satellites: int
    steps: int
    variables: tuple[str, ...]
    cases: tuple[SpeedCase, ...]
    jobs: tuple[JobSpeed, ...] = ()

    @property
    def states(self) -> int:
        return self.satellites * self.steps

    def to_dict(self) -> dict[str, Any]:
        """Convert to dict, list, str, int and float; rates in states per second."""
        cases = []
        for case in self.cases:
            rates = {name: self.states / getattr(case, f"{name}_s") for name in ("given", "dataset", "file")}
            derived = {"compute_s": case.compute_s, "write_s": case.write_s, "states_per_s": rates}
            cases.append(dataclasses.asdict(case) | derived)
        jobs = [dataclasses.asdict(job) | {"per_s": job.count / job.warm_s} for job in self.jobs]
        lists = {"variables": list(self.variables), "cases": cases, "jobs": jobs}
        return dataclasses.asdict(self) | {"states": self.states} | lists

    def lines(self) -> list[str]:
        """Format as lines of plain text."""
        objects = f"{self.satellites:,} object{'' if self.satellites == 1 else 's'}"
        work = f"{objects} x {self.steps:,} steps = {self.states / 1e6:,.1f} million states"
        rows: list[tuple[str, Callable[[SpeedCase], str]]] = [
            ("", lambda c: f"{c.precision} {c.mode}"),
            ("compilation, once", lambda c: f"{c.compile_s:.2f} s"),
            ("start, coefficients", lambda c: f"{c.start_s:.3f} s"),
            ("into given arrays", lambda c: f"{c.given_s:.3f} s"),
            ("  computing", lambda c: f"{c.compute_s:.3f} s"),
            ("  copying", lambda c: f"{c.transfer_s:.3f} s"),
            ("into a fresh dataset", lambda c: f"{c.dataset_s:.3f} s"),
            ("to a file", lambda c: f"{c.file_s:.3f} s"),
            ("  writing, the rest", lambda c: f"{c.write_s:.3f} s"),
            ("  netCDF4 alone", lambda c: f"{c.netcdf4_s:.3f} s"),
            ("million states/s", lambda _: ""),
            ("  into given arrays", lambda c: f"{self.states / c.given_s / 1e6:.1f}"),
            ("  into a fresh dataset", lambda c: f"{self.states / c.dataset_s / 1e6:.1f}"),
            ("  to a file", lambda c: f"{self.states / c.file_s / 1e6:.1f}"),
        ]
        table = [f"{title:<26}" + "".join(f"{figure(c):>16}" for c in self.cases).rstrip() for title, figure in rows]
        lines = [self.machine.line(), f"{work}; {' '.join(self.variables)}; medians, warm"]
        if self.cases:
            lines += ["", *table]
        if self.jobs:
            lines += ["", f"{'':<44}{'first run':>12}{'warm':>12}{'rate':>18}", *(job.line() for job in self.jobs)]
        return lines


def measure_speed(
    catalog: Catalog,
    times: NDArray[np.datetime64],
    *,
    precisions: Iterable[str] = PRECISIONS,
    variables: str | Iterable[str] = ("position", "velocity"),
    folder: str | os.PathLike[str] | None = None,
    device: str | None = None,
    jobs: Iterable[str] = ("arrays",),
) -> SpeedReport:
    """Time a propagation in TEME into given arrays, into a dataset and to a file, and other jobs.

    Args:
        catalog: n objects.
        times: instants, ascending.
        precisions: "float64", "float32" or both.
        variables: groups, as for `propagate`.
        folder: where files are written and removed; the system's folder for temporary files by default.
        device: platform as for `propagate`.
        jobs: out of `JOBS`.

    Raises:
        InputError: an unknown job, or no such device.
    """
    groups = (variables,) if isinstance(variables, str) else tuple(variables)
    names = tuple(name for name in resolve_groups(groups) if name != STATUS_VARIABLE)
    jobs, precisions = tuple(jobs), tuple(precisions)
    if unknown := [job for job in jobs if job not in JOBS]:
        raise InputError(f"jobs: found {unknown[0]!r}, expected some of {', '.join(JOBS)}{suggest(unknown[0], JOBS)}")
    devices = Devices(device)
    modes = MODES if devices.platform == "cpu" else ("direct",)
    with tempfile.TemporaryDirectory(dir=folder) as place:
        cases = []
        for precision, mode in itertools.product(precisions, modes if "arrays" in jobs else ()):
            spent = _time_engine(catalog, times, names, precision, mode, device)
            spent |= _time_outputs(catalog, times, groups, precision, mode, device, Path(place))
            cases.append(SpeedCase(precision, mode, **{f"{name}_s": value for name, value in spent.items()}))
    others = []
    if "device" in jobs:
        others += [measure_states(catalog, times, names, precision, devices) for precision in precisions]
    if "jacobians" in jobs:
        others += [measure_jacobians(catalog, times, precision, devices) for precision in precisions]
    if "decay" in jobs:
        others.append(measure_decay(catalog, devices))
    return SpeedReport(describe_machine("xarray"), len(catalog), len(times), names, tuple(cases), tuple(others))


def _time_engine(
    catalog: Catalog,
    times: NDArray[np.datetime64],
    names: tuple[str, ...],
    precision: str,
    mode: str,
    device: str | None,
) -> dict[str, float]:
    grid = Grid.inertial(*to_day_fraction(times))
    options = Options(names, precision=precision, dtype=precision, dense=mode == "dense", platform=device)

    def start() -> Engine:
        engine = Engine(catalog.elements, grid, options)
        engine.warm_up()
        return engine

    first = time_once(start)
    engine = start()
    out = OutputArrays.allocate(len(times), len(catalog), names, precision)
    transfer = _Transfer(out, Devices(device))
    works: dict[str, Work] = {
        "start": start,
        "given": lambda: engine.run(0, len(times), out),
        "transfer": transfer.run,
    }
    spent = take_medians(time_in_turn(works, setup={"transfer": transfer.prepare}))
    return {"compile": max(0.0, first - spent["start"]), **spent}


def _time_outputs(
    catalog: Catalog,
    times: NDArray[np.datetime64],
    groups: tuple[str, ...],
    precision: str,
    mode: str,
    device: str | None,
    place: Path,
) -> dict[str, float]:
    settings: dict[str, Any] = {"precision": precision, "variables": groups, "dense": mode == "dense", "device": device}
    ours, plain = place / "ours.nc", place / "plain.nc"

    def to_file() -> None:
        propagate_to(ours, catalog, times, overwrite=True, **settings)

    to_file()  # for the plain writer to see
    works: dict[str, Work] = {
        "dataset": lambda: propagate(catalog, times, **settings),
        "file": to_file,
        "netcdf4": make_plain_writer(ours, plain),
    }
    return take_medians(time_in_turn(works))


class _Transfer:
    """The copies of a run without its computation: finished tiles on the device, brought into given arrays.

    On an accelerator every tile is an array of its own, because JAX caches the host copy of an array; on a CPU one tile in
    cache stands for all, as the engine works on one at a time.
    """

    def __init__(self, out: OutputArrays, devices: Devices) -> None:
        self._out = out
        self._devices = devices
        steps, satellites = out.status.shape
        self._width = self._devices.tile_width(kernels.TILE | {"gpu": grid_runner.TILE})
        self._corners = [(k, i) for k in range(0, steps, kernels.CHUNK) for i in range(0, satellites, self._width)]
        self._tiles: list[Outputs] = []

    def prepare(self) -> None:
        reused = self._devices.platform == "cpu"
        rows, dtype = len(self._out.variables), str(self._out.values_block.dtype)
        count = 1 if reused else len(self._corners)
        made = [make_outputs(self._devices, rows, kernels.CHUNK, self._width, dtype) for _ in range(count)]
        for buffer in jax.tree.leaves(made):
            buffer.block_until_ready()
        self._tiles = made * (len(self._corners) if reused else 1)

    def run(self) -> None:
        def copy(tile: Outputs, corner: tuple[int, int]) -> None:
            def put(values: NDArray[Any], target: NDArray[Any]) -> None:
                part = target[corner[0] :, corner[1] :][: values.shape[0], : values.shape[1]]
                part[:] = values[: part.shape[0], : part.shape[1]]

            for values, target in zip(self._devices.fetch(tile.values), self._out.values_block, strict=True):
                put(values, target)
            put(self._devices.fetch(tile.status), self._out.status)

        with ThreadPoolExecutor(self._devices.threads) as pool:
            list(pool.map(copy, self._tiles, self._corners))
