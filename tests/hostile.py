"""Hostile inputs for every reader: mutations of sound files, which have to be read or refused with an error of the package.

python tests/hostile.py 10000 7 tle csv        # so many of each reader, from a seed; without names, all readers
"""

import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import constellation_jax as cj
from constellation_jax.inputs.deployment.files import load_deployment
from constellation_jax.inputs.environment.demand import Demand
from constellation_jax.inputs.run_file import read_run
from constellation_jax.inputs.run_keys import EphemerisRun, PropagationRun
from constellation_jax.outputs.netcdf.ephemeris import Block, EphemerisWriter, Pieces
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.zarr.place import Place
from constellation_jax.outputs.zarr.samples import ZarrWriter

CONFIGS = Path(__file__).parents[1] / "configs"
LONGEST_S = 10
"""Processor time after which a reader hangs."""
TOKENS: tuple[bytes, ...] = (
    *(
        b"\0",
        b"\x1b[2J\x1b]0;x\x07",
        b"\xc2\x9b31m",
        b"\xe2\x80\xae",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\r",
        b"\n\n",
        b"\x0c",
    ),
    *(
        b"\xe2\x80\xa8",
        b"nan",
        b"-inf",
        b"1e999",
        b"-0",
        b"9" * 400,
        b"0x10",
        b"1_0",
        b"\xd9\xa1\xd9\xa2",
        b"true",
        b"null",
    ),
    *(
        b"--",
        b"2026-02-30",
        b"0000-00-00",
        b"&a;",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"<?xml",
        b'<!DOCTYPE a [<!ENTITY b "c">]>',
    ),
    *(
        b"</omm>",
        b"<script>",
        b"&#0;",
        b"&#x110000;",
        b"[" * 3000,
        b'{"a":' * 2000,
        b"{" * 300,
        b'"',
        b'"""',
        b"'''",
        b"\\",
    ),
    *(
        b"\\ud800",
        b"\\u0000",
        b"{}",
        b"[]",
        b"[[x]]",
        b"x.y.z = 1\n",
        b",",
        b";",
        b"=",
        b"#",
        b"\t",
        b"../../etc/passwd",
    ),
    *(b"/dev/zero", b"%s%n{0}", b"__class__", b"\xf0\x9f\x9b\xb0" * 100),
)
"""Pieces of text that readers stumble over: control characters, escapes of terminals, numbers, entities, depth and paths."""


class Reader(NamedTuple):
    """Reader of files, with sound ones to begin from."""

    seeds: Callable[[], list[bytes]]
    read: Callable[[bytes, Path], object]
    """Called with the bytes, and a path at which they may be written."""


class Count(NamedTuple):
    """Inputs that a reader was given."""

    inputs: int
    refused: int
    """With an error of the package."""
    longest_s: float
    grown_mb: float
    """Growth of the largest resident size."""


FLEET = {
    "norad_id": [25544, 24876, 8195],
    "name": ["ISS (ZARYA)", "GPS BIIR-2  (PRN 13)", "MOLNIYA 2-14"],
    "international_designator": ["1998-067A", "1997-035A", "1975-081A"],
    "epoch_day": [60439, 60439, 60438],
    "epoch_fraction": [0.51041667, 0.25, 0.9],
    "mean_motion_rev_per_day": [15.50957674, 2.00563, 2.00491383],
    "eccentricity": [0.000358, 0.0098, 0.6877146],
    "inclination_deg": [51.6393, 55.7, 64.1586],
    "raan_deg": [160.4574, 120.1, 279.0717],
    "arg_perigee_deg": [140.6673, 52.2, 264.7651],
    "mean_anomaly_deg": [205.725, 308.8, 20.2257],
    "bstar": [0.00030306, 0.0, 1.1873e-4],
    "mean_motion_dot": [0.00016717, -1.2e-7, 6.4e-7],
}
"""Columns of three objects."""
INDICES = (
    """DATATYPE CssiSpaceWeather
VERSION 1.2
BEGIN OBSERVED
1957 10 01 1700 19 43 40 30 20 37 23 43 37 273  32  27  15   7  22   9  32  22  21 1.1 5 334 269.8 0 266.8 235.5 269.3 266.6 230.9
1957 10 02 1700 20 37 37 17 17 27 23 17 30 203  22  22   6   6  12   9   6  15  12 0.7 3 331 253.6 0 267.5 236.2 253.3 267.4 231.7
END OBSERVED
BEGIN MONTHLY_PREDICTED
1957 11 01 2635 25                                                                        75 116.5   110.6 107.4 119.8 113.5 108.4
END MONTHLY_PREDICTED
""",
    """DATE,AP1,AP2,AP3,AP4,AP5,AP6,AP7,AP8,AP_AVG,F10.7_OBS,F10.7_DATA_TYPE
1957-10-01,32,27,15,7,22,9,32,22,21,269.3,OBS
1957-10-02,22,22,6,6,12,9,6,15,12,253.3,OBS
1957-11-01,,,,,,,,,,119.8,PRM
""",
    """  TABLE 3 ESTIMATES OF 13-MONTH SMOOTH SOLAR ACTIVITY FOR
    TIME         10.7 CM SOLAR FLUX   (F10.7)      GEOMAGNETIC INDEX   (Ap)
                         PERCENTILE                    PERCENTILE
                  95.0%       50%      5.0%     95.0%       50%      5.0%
 2026.0837   FEB   142.2     138.6     135.8      14.1      13.4      12.3
 2026.1670   MAR   143.7     136.9     132.8      14.9      13.7      12.0
""",
    """# heading of GFZ
2026 01 01 34334 34334.5 2621 1 1.333 2.000 1.667 2.333 2.000 1.333 1.000 0.667 5 7 6 9 7 5 4 3 6 120 150.1 145.2 2
2026 01 02 34335 34335.5 2621 2 1.333 2.000 1.667 2.333 2.000 1.333 1.000 0.667 5 7 6 9 7 5 4 3 6 121 151.1 146.2 2
""",
    """date,f107,ap,kind,f107_low,f107_high,ap_low,ap_high
2026-01,140,14,forecast,130,150,8,20
2026-02,139,14,forecast,129,149,8,20
""",
)
"""Space weather in the five formats: CelesTrak's fixed columns and CSV, MSAFE, GFZ and a table."""


def _at_path(load: Callable[[Path], object]) -> Callable[[bytes, Path], object]:
    def read(content: bytes, path: Path) -> object:
        path.write_bytes(content)
        return load(path)

    return read


def _configs(*names: str) -> Callable[[], list[bytes]]:
    return lambda: [(CONFIGS / name).read_bytes() for name in names]


def _spell(form: str) -> list[bytes]:
    fleet = cj.Catalog.from_columns(FLEET)
    return [(fleet.to_tle() if form == "tle" else fleet.to_omm(form)).encode()]


def _compress() -> list[bytes]:
    import bz2
    import gzip
    import io
    import lzma
    import zipfile

    (plain,) = _spell("tle")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.tle", plain)
    return [gzip.compress(plain), bz2.compress(plain), lzma.compress(plain), packed.getvalue()]


def _read_own(form: str) -> Callable[[bytes, Path], object]:
    return lambda content, path: cj.read_catalog(content, format=form)


class _Made:
    """Outputs of this package, which are made when they are first needed."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._catalog = cj.Catalog.from_columns(FLEET)
        self._start = np.datetime64("2024-05-10", "ns")

    @cached_property
    def samples(self) -> bytes:
        """NetCDF file of a propagation."""
        path = Path(self._folder.name) / "samples.nc"
        with NetCDFWriter(path, self._catalog, self._times, NAMES, block_steps=4) as writer:
            for start in (0, 4):
                writer.write(start, self._block)
        return path.read_bytes()

    @cached_property
    def ephemeris(self) -> bytes:
        """NetCDF file of series, some of them in pieces."""
        path, edges = Path(self._folder.name) / "ephemeris.nc", self._start + np.arange(3) * np.timedelta64(2, "h")
        status = np.array([[0, 0, -1], [0, 0, 0]], np.int8)
        ends = np.array([0, 3600, 7200]) * 10**9
        pieces = Pieces(np.array([2, 2], "i4"), ends[:2], ends[1:], np.zeros(2, "i1"), np.full((3, 2, 5), 7e3))
        with EphemerisWriter(path, self._catalog, edges, degrees=5, quantum_km=2e-5, tolerance_m=1.0) as writer:
            writer.write(Block(np.full((3, 2, 5, 3), 50_000, "i4"), status, pieces))
        return path.read_bytes()

    @cached_property
    def store(self) -> Path:
        """Zarr store of a propagation."""
        path = Path(self._folder.name) / "store.zarr"
        with ZarrWriter(Place(path), self._catalog, self._times, NAMES, fingerprint={}, block_steps=4) as writer:
            for start in (0, 4):
                writer.write(start, self._block)
        return path

    @property
    def _times(self) -> Any:
        return self._start + np.arange(8) * np.timedelta64(60, "s")

    @property
    def _block(self) -> dict[str, Any]:
        values = {name: np.full((4, 3), 7000.0) for name in NAMES}
        return values | {"status": np.zeros((4, 3), np.int8)}


NAMES = ("x", "altitude", "status")
_MADE = _Made()


def _read_series(path: Path) -> object:
    with cj.open_ephemeris(path) as ephemeris:
        return ephemeris.at(ephemeris.start + np.arange(5) * np.timedelta64(30, "m"))


def _in_store(name: str) -> Reader:
    """Reader of a store in which one file has been changed."""

    def read(content: bytes, path: Path) -> object:
        store = path.with_name("store.zarr")
        if not store.exists():
            shutil.copytree(_MADE.store, store)
        (store / name).write_bytes(content)
        return cj.verify(store)

    return Reader(lambda: [(_MADE.store / name).read_bytes()], read)


READERS: Mapping[str, Reader] = {
    **{form: Reader(lambda form=form: _spell(form), _read_own(form)) for form in ("tle", "csv", "json", "xml", "kvn")},  # type: ignore[misc]
    "any format": Reader(
        lambda: [seed for form in ("tle", "csv", "json", "xml", "kvn") for seed in _spell(form)],
        lambda content, path: cj.read_catalog(content),
    ),
    "compressed": Reader(_compress, lambda content, path: cj.read_catalog(content)),
    "space weather": Reader(lambda: [text.encode() for text in INDICES], _at_path(cj.SpaceWeather.load)),
    "demand": Reader(lambda: [b"latitude_deg,weight\n-10,1\n0,2.5\n20,1\n"], _at_path(Demand.load)),
    "shells": Reader(
        _configs("shells/ast.toml", "shells/iridium.toml", "shells/rassvet.toml"), _at_path(cj.load_shells)
    ),
    "deployment": Reader(_configs("deployments/casic.toml", "deployments/oneweb.toml"), _at_path(load_deployment)),
    "tuning problem": Reader(_configs("tuning/starlink-480.toml"), _at_path(cj.load_tuning_problem)),
    "run": Reader(
        _configs("runs/default.toml", "runs/active-day.toml"), _at_path(lambda path: read_run(PropagationRun, path))
    ),
    "ephemeris run": Reader(_configs("runs/ephemeris.toml"), _at_path(lambda path: read_run(EphemerisRun, path))),
    "propagation file": Reader(lambda: [_MADE.samples], _at_path(cj.verify)),
    "ephemeris file": Reader(lambda: [_MADE.ephemeris], _at_path(_read_series)),
    **{
        f"store, {name}": _in_store(name)
        for name in (
            "zarr.json",
            "x/zarr.json",
            "run/zarr.json",
            "run/blocks/zarr.json",
            "x/c/0/0",
            "status/c/1/0",
            "epoch/c/0",
        )
    },
}
"""Readers, by what they read."""


def mutate(seed: bytes, generator: random.Random) -> bytes:
    """Change some places of a text: bytes, hostile tokens, cuts, repetitions, lines in another order."""
    content = bytearray(seed)
    for _ in range(generator.choice((1, 1, 1, 2, 3, 8))):
        at = generator.randrange(len(content) + 1)
        length = generator.choice((0, 1, 1, 2, 20, 200))
        kind = generator.randrange(8)
        if kind < 2:
            content[at : at + length] = generator.choice(TOKENS)
        elif kind < 4:
            content[at : at + length] = generator.randbytes(generator.choice((0, 1, 1, 2, 5)))
        elif kind == 4:
            content[at : at + 1] = bytes(
                generator.choices(b'0123456789 .,-+E"{}[]<>&;:=\n\t#/Aab', k=generator.choice((1, 1, 3)))
            )
        elif kind == 5:
            content[at:at] = content[at : at + length] * generator.choice((1, 2, 50))
        elif kind == 6:
            lines = bytes(content).split(b"\n")
            first, second = (generator.randrange(len(lines)) for _ in range(2))
            lines[first], lines[second] = lines[second], lines[first]
            content = bytearray(b"\n".join(lines))
        elif generator.random() < 0.2:
            del content[at:]
        if not content:
            break
    return bytes(content)


def try_reader(name: str, inputs: int, seed: int = 1, readers: Mapping[str, Reader] = READERS) -> Count:
    """Give a reader mutations of its sound files.

    Raises:
        AssertionError: an error that is none of the package, one with characters that a terminal obeys, a warning, or a hang.
    """
    reader = readers[name]
    generator, seeds = random.Random(f"{name} {seed}"), reader.seeds()
    refused, longest, before = 0, 0.0, 0

    def hang(*_: Any) -> None:
        raise AssertionError(f"{name}: longer than {LONGEST_S} s of processor time")

    was = signal.signal(signal.SIGPROF, hang)
    try:
        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("always", category=UserWarning)  # the package's own
            warnings.showwarning = _check_warning
            for k in range(inputs):
                content = mutate(generator.choice(seeds), generator)
                signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
                begin = time.process_time()
                try:
                    reader.read(content, Path(folder) / "input")
                except (cj.InputError, cj.OutputError) as error:
                    refused += 1
                    words = str(error)
                    assert words.replace("\n", "").isprintable(), (name, content, words)
                except BaseException as error:
                    Path(tempfile.gettempdir(), f"hostile-{name.replace(' ', '-')}").write_bytes(content)
                    raise AssertionError(f"{name}: input {k} of seed {seed}: {error!r}\n{content[:3000]!r}") from error
                finally:
                    signal.setitimer(signal.ITIMER_PROF, 0)
                longest = max(longest, time.process_time() - begin)
                if k == inputs // 10:
                    before = _peak_kb()  # all modules and tables are loaded
    finally:
        signal.signal(signal.SIGPROF, was)
    return Count(inputs, refused, longest, (_peak_kb() - before) / 1024)


def _check_warning(message: Warning | str, *_: object, **__: object) -> None:
    assert str(message).isprintable(), str(message)


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    for each in sys.argv[3:] or READERS:
        since = time.perf_counter()
        print(
            f"{each}: {try_reader(each, int(sys.argv[1]), int(sys.argv[2]))}, {time.perf_counter() - since:.0f} s",
            flush=True,
        )
