"""Do everything worth doing on a GPU in one go, into one Markdown table: python scripts/gpu_session.py --output session.md

From a checkout, with pip install '.[test,bench,cuda12]'. First the tests that a GPU might fail; then the jobs of `constellation-jax
bench`; then states that stay on the device beside a plain vmap of the public kernel `cj.sgp4.state_at`, and beside astrojax and
sgp4jax where they are installed, in turn; then close approaches by the card and by the CPU. Every work is waited for on the device;
the figures are medians of five after a first run, of three for close approaches, and positions are compared with those of
`cj.propagate` in float64. On a CPU it takes some minutes; --satellites and --steps make it short.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import constellation_jax as cj
from constellation_jax.errors import InputError

ROOT = Path(__file__).parents[1]
TESTS = (
    "tests/engine",
    "tests/physics/sgp4",
    "tests/studies/propagation",
    "tests/studies/decay",
    "tests/studies/conjunctions",
)
STATE = ("x", "y", "z", "vx", "vy", "vz")
HEADER = ("job", "results", "first run, s", "median, s", "million/s", "largest difference, m")


class Row(NamedTuple):
    """Figures of one job."""

    job: str
    count: int
    first_s: float
    median_s: float
    difference_m: float = np.nan

    def cells(self) -> tuple[str, ...]:
        difference = "" if np.isnan(self.difference_m) else f"{self.difference_m:.2g}"
        rate = f"{self.count / self.median_s / 1e6:,.3g}"
        return (self.job, f"{self.count:,}", f"{self.first_s:.2f}", f"{self.median_s:.4f}", rate, difference)


class Peer(NamedTuple):
    """Way to compute all states on the device."""

    name: str
    run: Callable[[], Any]
    positions: Callable[[Any], np.ndarray]
    """From the result of a run to km in TEME at the last instant, shape (satellites, 3)."""


def main(arguments: Sequence[str] | None = None) -> str | None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="cpu, gpu or tpu [default: JAX's]")
    parser.add_argument("--satellites", type=int, help="of the bundled population [default: all]")
    parser.add_argument("--steps", type=int, default=1440, help="of one minute [default: 1440]")
    parser.add_argument("--jobs", default="arrays,device,decay,jacobians", help="of bench, with commas [default: all]")
    parser.add_argument("--no-tests", action="store_true", help="leave the tests out")
    parser.add_argument("--output", type=Path, help="file for the table, besides printing it")
    options = parser.parse_args(arguments)
    from constellation_jax.benchmark.speed import measure_speed
    from constellation_jax.engine.devices import Devices

    try:
        devices = Devices(options.device)
        catalog = cj.bundled_population()[: options.satellites]
        times = cj.time_grid("2025-06-24", f"{options.steps}min", "1min")
        lines = [] if options.no_tests else [f"tests: {run_tests(devices.platform)}", ""]
        report = measure_speed(catalog, times, device=options.device, jobs=filter(None, options.jobs.split(",")))
        rows = [*rows_of(report), *compare(catalog, times, devices)]
        if devices.platform != "cpu":
            rows += screen(catalog, times, (devices.platform, "cpu"))
    except InputError as error:
        return str(error)
    lines = [report.machine.line(), *lines, *(f"| {' | '.join(cells)} |" for cells in table(rows))]
    print("\n".join(lines))
    if options.output:
        options.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return None


def run_tests(platform: str) -> str:
    """Run the tests that a GPU might fail, and return pytest's last line."""
    environment = os.environ | {"JAX_PLATFORMS": {"gpu": "cuda,cpu"}.get(platform, platform)}
    command = [sys.executable, "-m", "pytest", "-q", *TESTS]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    print(done.stdout)
    return done.stdout.strip().splitlines()[-1]


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    return [HEADER, ("---",) * len(HEADER), *(row.cells() for row in rows)]


def rows_of(report: Any) -> list[Row]:
    """The jobs of bench."""
    titles = {"given": "into given arrays", "dataset": "propagate into a dataset", "file": "propagate_to a file"}
    rows = [
        Row(
            f"{title}, {case.precision} {case.mode}",
            report.states,
            case.compile_s + case.start_s,
            getattr(case, f"{key}_s"),
        )
        for case in report.cases
        for key, title in titles.items()
    ]
    return rows + [Row(job.name, job.count, job.first_s, job.warm_s) for job in report.jobs]


def compare(catalog: cj.Catalog, times: np.ndarray, devices: Any) -> list[Row]:
    """States that stay on the device, this package's and others', in turn, for near-Earth satellites."""
    import jax

    from constellation_jax.benchmark.timing import take_medians, time_in_turn, time_once
    from constellation_jax.engine.precision import x64

    catalog = catalog[catalog.mean_motion_rev_per_day > 6.4]
    truth = cj.propagate(catalog, times[-1:], variables=("position",))
    expected = np.stack([truth[name].values[0] for name in STATE[:3]], axis=-1)
    rows = []
    with jax.default_device(devices.mesh.devices.flat[0]), x64():
        peers = [*own(catalog, times, devices), *plain_vmaps(catalog, times), *installed(catalog, times)]
        first = {peer.name: time_once(peer.run) for peer in peers}
        spent = take_medians(time_in_turn({peer.name: peer.run for peer in peers}))
        for peer in peers:
            difference = 1e3 * np.nanmax(np.linalg.norm(peer.positions(peer.run()) - expected, axis=-1))
            rows.append(Row(peer.name, len(catalog) * len(times), first[peer.name], spent[peer.name], difference))
    return rows


def screen(catalog: cj.Catalog, times: np.ndarray, platforms: Sequence[str]) -> list[Row]:
    """Close approaches by each platform; the difference is that of their distances from those by the last, inf for other pairs."""
    from constellation_jax.benchmark.timing import take_medians, time_in_turn, time_once

    found = {}

    def run(platform: str) -> None:
        span = (times[0], times[-1])
        found[platform] = cj.conjunctions(catalog, span, same_fleet=True, same_shell=True, device=platform)

    works = {platform: partial(run, platform) for platform in platforms}
    first = {platform: time_once(work) for platform, work in works.items()}
    spent = take_medians(time_in_turn(works, repeats=3))
    rows, truth = [], found[platforms[-1]]
    for platform, events in found.items():
        same = [
            np.array_equal(*(np.sort(e[name].values) for e in (events, truth))) for name in ("object_1", "object_2")
        ]
        off = (
            np.abs(np.sort(events.miss_distance.values) - np.sort(truth.miss_distance.values))
            if all(same)
            else [np.inf]
        )
        name = f"cj.conjunctions, pairs searched by the {platform}, of all objects at all times"
        rows.append(
            Row(name, len(catalog) * len(times), first[platform], spent[platform], 1e3 * np.max(off, initial=0.0))
        )
    return rows


def own(catalog: cj.Catalog, times: np.ndarray, devices: Any) -> list[Peer]:
    """This package's states, without the coefficients, as the others."""
    from constellation_jax.benchmark.jobs import prepare_states

    def positions(states: Any) -> np.ndarray:
        return np.stack([np.asarray(getattr(states, name))[-1] for name in STATE[:3]], axis=-1)

    return [
        Peer(f"cj.states, {precision}", prepare_states(catalog, times, STATE, precision, devices), positions)
        for precision in ("float64", "float32")
    ]


def plain_vmaps(catalog: cj.Catalog, times: np.ndarray) -> list[Peer]:
    """What a user of the public kernel writes first."""
    import jax
    import jax.numpy as jnp

    compute = jax.jit(jax.vmap(jax.vmap(cj.sgp4.state_at), (None, 0)))
    peers = []
    for dtype in ("float64", "float32"):
        elements = jax.tree.map(lambda v, dtype=dtype: jnp.asarray(v, dtype), catalog.elements)
        coefficients = cj.sgp4.initialise(elements, regime="near_earth")
        minutes = jnp.asarray(minutes_since_epoch(catalog, times), dtype)
        run = partial(run_and_wait, compute, coefficients, minutes)
        peers.append(Peer(f"vmap of cj.sgp4.state_at, {dtype}", run, lambda found: np.asarray(found[0])[-1, :, :3]))
    return peers


def run_and_wait(compute: Callable[..., Any], *arguments: Any) -> Any:
    import jax

    return jax.block_until_ready(compute(*arguments))


def installed(catalog: cj.Catalog, times: np.ndarray) -> list[Peer]:
    """astrojax and sgp4jax, as tests/benchmarks/peers.py runs them, where they and python-sgp4 are installed."""
    sys.path.insert(0, str(ROOT / "tests" / "benchmarks"))
    from peers import PEERS, Sky

    wanted = [peer for peer in PEERS if peer.name in ("astrojax", "sgp4jax") and peer.installed]
    if not wanted:
        return []
    from sgp4.api import WGS72, Satrec
    from sgp4.exporter import export_tle

    records = []
    columns = {name: np.asarray(getattr(catalog.elements, name)) for name in vars(catalog.elements)}
    for k in range(len(catalog)):
        c = {name: float(values[k]) for name, values in columns.items()}
        record = Satrec()
        record.sgp4init(
            WGS72, "i", k % 100000, c["epoch_day"] + c["epoch_fraction"] - 33281.0, c["bstar"], 0.0, 0.0, c["eccentricity"],
            c["arg_perigee"], c["inclination"], c["mean_anomaly"], c["mean_motion"], c["raan"],
        )  # fmt: skip
        records.append(record)
    lines = [export_tle(record) for record in records]
    minutes = (times - times[0]) / np.timedelta64(1, "m")
    sky = Sky(lines, [Satrec.twoline2rv(*pair) for pair in lines], times[0], minutes)
    last, peers = np.array([len(times) - 1]), []
    for peer in wanted:
        prepared = peer.prepare(sky)
        peers.append(
            Peer(f"{peer.name} {peer.installed}, float64", prepared.run, lambda _, p=prepared: p.positions(last)[0])
        )
    return peers


def minutes_since_epoch(catalog: cj.Catalog, times: np.ndarray) -> np.ndarray:
    """Minutes from each epoch to each instant, float64, shape (instants, satellites)."""
    since = (times - np.datetime64("1858-11-17")) / np.timedelta64(1, "m")
    epoch = (np.asarray(catalog.elements.epoch_day) + np.asarray(catalog.elements.epoch_fraction)) * 1440.0
    return since[:, None] - epoch


if __name__ == "__main__":
    cj.configure()
    sys.exit(main())
