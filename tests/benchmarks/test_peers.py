"""The engine against every other SGP4 program that is installed; prints a table, asserts agreement but no speed.

pip install '.[test,bench]' && python -m pytest -m benchmark -s tests/benchmarks/test_peers.py

In each row this package and the peer take turns, five runs each after one that does not count. Both have made beforehand what
depends on the elements alone, except where a row says otherwise. A slow peer gets fewer satellites, and rates are for each state.
Peers in JAX are compiled under the same flags, and run on the same device. Takes some minutes and 5 GB of memory.
"""

import dataclasses
import gzip
import itertools
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import jax
import numpy as np
import pytest
from peers import PEERS, Peer, Prepared, Sky, astroz_fresh

import constellation_jax as cj
from constellation_jax.benchmark.plain_writer import make_plain_writer
from constellation_jax.benchmark.timing import describe_machine, time_in_turn
from constellation_jax.engine.arrays import OutputArrays
from constellation_jax.engine.propagation.engine import Engine
from constellation_jax.engine.propagation.options import Options
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction

STATE = ("x", "y", "z", "vx", "vy", "vz")
AGREE_KM = 1e-2
"""Who computes something else is kilometres away. Of those who compute SGP4 in float64 most agree to micrometres; astroz holds
an epoch as one Julian date, whose last digit is 40 us, and rounding to float32 about exact anchors costs up to 6 m."""
INSTALLED = [peer for peer in PEERS if peer.installed]
COMMAND = "python -m pytest -m benchmark -s tests/benchmarks/test_peers.py"

pytestmark = [pytest.mark.benchmark, pytest.mark.filterwarnings("default")]  # peers may warn


@pytest.fixture(autouse=True)
def _usual_promotion() -> Iterator[None]:
    """The strictness of the suite is for this package, not for its peers."""
    with jax.numpy_rank_promotion("allow"), jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def everything(shared_data: Path) -> Sky:
    """One day of every active satellite that python-sgp4 initialises without error."""
    from sgp4.api import Satrec

    packed = (shared_data / "catalogs" / "active_2026-08-22.tle.gz").read_bytes()
    lines = gzip.decompress(packed).decode().splitlines()
    pairs = [(a, b) for a, b in itertools.pairwise(lines) if a[:2] == "1 " and b[:2] == "2 "]
    records = [Satrec.twoline2rv(*pair) for pair in pairs]
    good = [i for i, record in enumerate(records) if record.error == 0]
    start = np.datetime64("2026-08-22", "ns")
    return Sky([pairs[i] for i in good], [records[i] for i in good], start, np.arange(1440.0))


@pytest.fixture(scope="module")
def near_earth(everything: Sky) -> Sky:
    near = [i for i, record in enumerate(everything.records) if record.method == "n"]
    lines, records = ([whole[i] for i in near] for whole in (everything.lines, everything.records))
    return Sky(lines, records, everything.start, everything.minutes)


@pytest.fixture(scope="module")
def table() -> Iterator[list[str]]:
    rows: list[str] = []
    yield rows
    absent = ", ".join(peer.name for peer in PEERS if not peer.installed)
    print(f"\n\n{describe_machine(*(peer.name for peer in INSTALLED)).line()}")
    print(f"`{COMMAND}`, medians of five" + (f"; not installed: {absent}" if absent else ""))
    print(
        "\n| what this package does | peer | satellites x instants | peer's | M states/s | peer's | ratio | difference |"
    )
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    print("\n".join(rows))


def times_of(sky: Sky) -> np.ndarray:
    return sky.start + (sky.minutes * 60e9).astype("timedelta64[ns]")


def own(sky: Sky, case: "Case") -> Prepared:
    """This package's engine into given arrays."""
    catalog, times = cj.read_catalog(sky.text.encode()), times_of(sky)
    assert len(catalog) == len(sky.lines)
    options = Options(STATE, precision=case.precision, dtype=case.precision, dense=case.dense)
    engine = Engine(catalog.elements, Grid.inertial(*to_day_fraction(times)), options)
    engine.warm_up()
    out = OutputArrays.allocate(len(times), len(catalog), STATE, case.precision)
    return Prepared(
        lambda: engine.run(0, len(times), out), lambda rows: np.stack([out[name][rows] for name in "xyz"], -1)
    )


class Case(NamedTuple):
    """One way in which this package computes the same states."""

    precision: str
    dense: bool

    def __str__(self) -> str:
        anchored = " about float64 anchors" if self.precision == "float32" else ""
        return f"{self.precision}{anchored}, {'dense' if self.dense else 'direct'}"


def compare(table: list[str], what: str, peer: Peer, sky: Sky, cases: list[Case]) -> None:
    """A row of the table for each case; fails where the two do not compute the same thing."""
    few = sky.first(peer.satellites)
    theirs = peer.prepare(few)
    ours = {str(case): own(sky, case) for case in cases}
    taken = time_in_turn({"theirs": theirs.run} | {name: each.run for name, each in ours.items()})
    instants = np.arange(0, len(sky.minutes), max(1, len(sky.minutes) // 12))
    place = {pair: i for i, pair in enumerate(sky.lines)}
    columns = np.array([place[pair] for pair in few.lines])
    expected = theirs.positions(instants)
    for case in cases:
        difference = np.linalg.norm(ours[str(case)].positions(instants)[:, columns] - expected, axis=-1)
        both = np.isfinite(difference)
        rates = [rate(sky, taken[str(case)]), rate(few, taken["theirs"])]
        add(table, f"{what}, {case}", f"{peer.name} {peer.installed}", (sky, few), rates, difference[both].max())
        assert both.mean() > 0.999
        assert difference[both].max() < AGREE_KM


def rate(sky: Sky, taken: list[float]) -> float:
    """Million states per second."""
    return len(sky.lines) * len(sky.minutes) / median(taken) / 1e6


def add(
    table: list[str], what: str, peer: str, skies: tuple[Sky, Sky], rates: list[float], worst_km: float | None = None
) -> None:
    sizes = [f"{len(sky.lines):,} x {len(sky.minutes):,}" for sky in skies]
    difference = "" if worst_km is None else f"{worst_km * 1e3:.2g} m"
    cells = [what, peer, *sizes, f"{rates[0]:.1f}", f"{rates[1]:.3g}", f"{rates[0] / rates[1]:.2f}", difference]
    table.append(f"| {' | '.join(cells)} |")


@pytest.mark.parametrize("peer", INSTALLED, ids=lambda peer: peer.name)
def test_near_earth_at_minute_steps(table: list[str], near_earth: Sky, peer: Peer) -> None:
    cases = [Case("float64", True), Case("float64", False), Case("float32", True), Case("float32", False)]
    compare(table, f"near-Earth, 60 s, {buffers(peer)}", peer, near_earth, cases)


@pytest.mark.parametrize("peer", [peer for peer in INSTALLED if peer.into_buffers], ids=lambda peer: peer.name)
def test_near_earth_at_ten_second_steps(table: list[str], near_earth: Sky, peer: Peer) -> None:
    few = dataclasses.replace(near_earth.first(4000), minutes=np.arange(0.0, 1440.0, 1 / 6))  # 2 GB for a peer
    compare(table, f"near-Earth, 10 s, {buffers(peer)}", peer, few, [Case("float32", True), Case("float32", False)])


@pytest.mark.parametrize("peer", [peer for peer in INSTALLED if peer.deep_space], ids=lambda peer: peer.name)
def test_the_whole_catalogue(table: list[str], everything: Sky, peer: Peer) -> None:
    cases = [Case("float64", True), Case("float64", False)]
    compare(table, f"with deep space, 60 s, {buffers(peer)}", peer, everything, cases)


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_into_a_fresh_dataset(table: list[str], near_earth: Sky, precision: str) -> None:
    peer = Peer("astroz", astroz_fresh)
    if not peer.installed:
        pytest.skip("astroz is not installed")
    catalog, times = cj.read_catalog(near_earth.text.encode()), times_of(near_earth)
    theirs, settings = astroz_fresh(near_earth), {"variables": ("position", "velocity"), "precision": precision}
    result: dict[str, Any] = {}

    def ours() -> None:
        result.clear()
        result["dataset"] = cj.propagate(catalog, times, **settings)

    taken = time_in_turn({"ours": ours, "theirs": theirs.run})
    instants = np.arange(0, len(times), 120)
    positions = np.stack([result["dataset"][name].values[instants] for name in "xyz"], -1)
    difference = np.linalg.norm(positions - theirs.positions(instants), axis=-1)
    worst = np.nanmax(difference)
    what = f"`propagate`, a fresh dataset, coefficients included, {precision}"
    rates = [rate(near_earth, taken[name]) for name in ("ours", "theirs")]
    add(table, what, f"`astroz.propagate` {peer.installed}", (near_earth, near_earth), rates, worst)
    assert np.isfinite(difference).mean() > 0.999
    assert worst < AGREE_KM


@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_a_finished_file(table: list[str], everything: Sky, tmp_path: Path, precision: str) -> None:
    catalog, times = cj.read_catalog(everything.text.encode()), times_of(everything)
    settings = {"variables": ("position", "altitude"), "precision": precision, "overwrite": True}

    def ours() -> None:
        cj.propagate_to(tmp_path / "ours.nc", catalog, times, **settings)

    ours()
    taken = time_in_turn({"ours": ours, "theirs": make_plain_writer(tmp_path / "ours.nc", tmp_path / "plain.nc")})
    sizes = [(tmp_path / name).stat().st_size for name in ("ours.nc", "plain.nc")]
    assert 0 <= sizes[0] - sizes[1] < 300 * len(catalog)  # bytes: names and elements are in one file alone
    what = f"`propagate_to`, a finished file of float32 with deep space, position and altitude, {precision}"
    rates = [rate(everything, taken[name]) for name in ("ours", "theirs")]
    add(table, what, f"netCDF4 {version('netCDF4')} alone, the same bytes", (everything, everything), rates)


def buffers(peer: Peer) -> str:
    return "buffers given" if peer.into_buffers else "buffers given to this package alone"
