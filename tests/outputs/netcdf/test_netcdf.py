"""The file: the same as the Dataset, refused where it must be, and sound up to the last block whatever happens.

The crash tests run the writer in a process of its own (`_WRITER`), because they kill it or limit its files.
"""

import errno
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import netCDF4
import numpy as np
import pytest
import xarray as xr

import constellation_jax
from constellation_jax.errors import InputError, OutputError
from constellation_jax.outputs.datasets.propagation import make_dataset
from constellation_jax.outputs.netcdf import samples as netcdf
from constellation_jax.outputs.netcdf.disk_space import DiskSpace
from constellation_jax.outputs.netcdf.samples import NetCDFWriter
from constellation_jax.outputs.variables import PROPAGATED, resolve_groups

POSITION = ("x", "y", "z")


def write(path, run, names=POSITION, *, block=4, **options):
    names = (*names, "status") if "status" not in names else names
    with NetCDFWriter(path, run.catalog, run.times, names, block_steps=block, **options) as writer:
        for start in range(0, len(run.times), block):
            writer.write(start, {name: run.arrays[name][start : start + block] for name in names})


@pytest.mark.parametrize("block", [1, 4, 11, 30])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("frame", ["teme", "itrs"])
def test_open_dataset_gives_what_make_dataset_gave(run, stamp, tmp_path, frame, dtype, block):
    expected = make_dataset(run.catalog, run.times, run.arrays, frame=frame, dtype=dtype, attributes=stamp)
    write(tmp_path / "a.nc", run, PROPAGATED, frame=frame, dtype=dtype, attributes=stamp, block=block)
    assert_reads_as(tmp_path / "a.nc", expected)
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


@pytest.mark.parametrize("group", ["position", "velocity", "altitude", "geodetic", "decay", "status"])
def test_every_group_alone_reads_back(run, stamp, tmp_path, group):
    names = resolve_groups(group)
    expected = make_dataset(run.catalog, run.times, {name: run.arrays[name] for name in names}, attributes=stamp)
    write(tmp_path / "a.nc", run, names, attributes=stamp)
    assert_reads_as(tmp_path / "a.nc", expected)


def test_fractional_seconds_and_epochs_read_back_to_the_nanosecond(run, tmp_path):
    times = run.times[0] + np.arange(11) * np.timedelta64(333_333_333, "ns")
    write(tmp_path / "a.nc", run._replace(times=times))
    with xr.open_dataset(tmp_path / "a.nc") as read:
        np.testing.assert_array_equal(read["time"].values, times)
        np.testing.assert_array_equal(read["epoch"].values, run.catalog.epoch)
        assert read["time"].encoding["units"] == "nanoseconds since 2026-03-01 00:00:00"


def test_one_object_at_one_instant(run, stamp, tmp_path):
    one = run._replace(catalog=run.catalog[0], times=run.times[:1])
    one = one._replace(arrays={name: values[:1, :1] for name, values in run.arrays.items()})
    write(tmp_path / "a.nc", one, attributes=stamp)
    assert_reads_as(tmp_path / "a.nc", make_dataset(one.catalog, one.times, one.take(*POSITION), attributes=stamp))


def test_layout_of_the_file(run, tmp_path):
    write(tmp_path / "a.nc", run, block=4)
    with netCDF4.Dataset(tmp_path / "a.nc") as file:
        assert file.dimensions["time"].isunlimited()
        assert file["x"].chunking() == [4, 7]
        assert not file["x"].filters()["zlib"]
        assert file["status"].filters()["zlib"]
        assert file["norad_id"].filters()["zlib"]
        assert not hasattr(file["norad_id"], "_FillValue")


@pytest.mark.parametrize(
    ("steps", "objects", "block", "chunk"),
    [
        (1440, 20_000, 60, (60, 1000)),  # 20 equal chunks of 240 kB
        (1440, 30_001, 60, (60, 968)),
        (1440, 20_000, 1440, (63, 910)),
        (10, 20_000, 60, (10, 5000)),
        (100_000, 3, 500, (63, 3)),
        (5, 20_000, 1, (1, 20_000)),
    ],
)
def test_chunks_are_near_a_quarter_of_a_megabyte_and_equal(steps, objects, block, chunk):
    assert netcdf._choose_chunks(steps, objects, block) == chunk


# --- refused before any work ------------------------------------------------------------------------------------------


def test_existing_file_is_kept_unless_overwriting_is_allowed(run, tmp_path):
    path = tmp_path / "a.nc"
    path.write_text("precious")
    with pytest.raises(InputError, match=r"a\.nc: exists already; .*overwrite=True"):
        NetCDFWriter(path, run.catalog, run.times, ["status"])
    assert path.read_text() == "precious"
    write(path, run, overwrite=True)
    with xr.open_dataset(path) as read:
        assert read.sizes["time"] == 11


def test_file_that_appears_during_the_run_is_kept(run, tmp_path):
    path = tmp_path / "a.nc"

    def interfere():
        with NetCDFWriter(path, run.catalog, run.times, ["status"]) as writer:
            writer.write(0, run.take())
            path.write_text("precious")

    with pytest.raises(InputError, match=r"has appeared during the run.*complete in a\.nc\.partial"):
        interfere()
    assert path.read_text() == "precious"
    assert steps_in(tmp_path / "a.nc.partial") == 11


@pytest.mark.parametrize("folder", ["missing", "file"])
def test_folder_that_is_none(run, tmp_path, folder):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="there is no folder"):
        NetCDFWriter(tmp_path / folder / "a.nc", run.catalog, run.times, ["status"])
    with pytest.raises(InputError, match="is a folder"):
        NetCDFWriter(tmp_path, run.catalog, run.times, ["status"])


def test_folder_that_cannot_be_written_to(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="cannot be written to"):
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"])


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder in which not even root can make a file")
def test_folder_that_refuses_the_file(run):
    with (
        pytest.raises(InputError, match=r"/proc/a\.nc: cannot be written"),
        NetCDFWriter("/proc/a.nc", run.catalog, run.times, ["status"]),
    ):
        pass


def test_file_that_another_run_is_writing(run, tmp_path):
    with NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]) as first:
        first.write(0, {"status": run.arrays["status"][:4]})
        with (
            pytest.raises(InputError, match="another run is writing it"),
            NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]),
        ):
            pass
        first.write(4, {"status": run.arrays["status"][4:]})
    assert steps_in(tmp_path / "a.nc") == 11


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variables": ["x"]}, "'status' is missing"),
        ({"variables": ["position", "status"]}, "'position': unknown"),
        ({"frame": "gcrs"}, "frame 'gcrs'"),
        ({"dtype": "int16"}, "dtype 'int16'"),
        ({"block_steps": 0}, "block_steps 0"),
    ],
)
def test_mistakes_are_told(run, tmp_path, change, message):
    arguments = {"catalog": run.catalog, "times": run.times, "variables": ["status"]} | change
    with pytest.raises(InputError, match=message):
        NetCDFWriter(tmp_path / "a.nc", **arguments)
    with pytest.raises(InputError, match="no objects"):
        NetCDFWriter(tmp_path / "a.nc", run.catalog[:0], run.times, ["status"])


@pytest.mark.parametrize(
    ("start", "stop", "names", "message"),
    [
        (4, 8, POSITION, "block of 4 steps at 4; expected one at 0"),
        (0, 0, POSITION, "block of 0 steps"),
        (0, 11, ("x", "y"), "expected status, x, y, z"),
    ],
)
def test_blocks_that_do_not_fit(run, tmp_path, start, stop, names, message):
    with (
        pytest.raises(InputError, match=message),
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, (*POSITION, "status")) as writer,
    ):
        writer.write(start, run.block(start, stop, *names))


def test_writing_outside_the_with_statement(run, tmp_path):
    with pytest.raises(InputError, match="not open"):
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]).write(0, run.take())


# --- stopped in the middle --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_exception_leaves_the_steps_so_far_and_says_how_many(run, stamp, tmp_path, error):
    writer = NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, PROPAGATED, attributes=stamp)

    def stop_after_two_blocks():
        with writer:
            writer.write(0, run.block(0, 4))
            writer.write(4, run.block(4, 8))
            raise error

    with pytest.raises(error) as caught:
        stop_after_two_blocks()
    assert "a.nc.partial holds the first 8 of 11 steps and can be read" in caught.value.__notes__[0]
    assert writer.steps_written == 8
    assert not (tmp_path / "a.nc").exists()
    expected = make_dataset(run.catalog, run.times, run.arrays, attributes=stamp).isel(time=slice(8))
    with xr.open_dataset(tmp_path / "a.nc.partial") as read:
        xr.testing.assert_equal(read.load(), expected)


def test_an_interrupt_within_a_block_completes_the_block_first(run, tmp_path, monkeypatch):
    class Interrupting(dict):
        armed = True

        def items(self):
            for name, value in super().items():
                yield name, value
                if self.armed:
                    self.armed = False
                    raise KeyboardInterrupt

    check = netcdf.check_block
    monkeypatch.setattr(netcdf, "check_block", lambda *arguments: Interrupting(check(*arguments)))
    with (
        pytest.raises(KeyboardInterrupt),
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, (*POSITION, "status")) as writer,
    ):
        writer.write(0, run.block(0, 3, *POSITION))
    with xr.open_dataset(tmp_path / "a.nc.partial") as read:
        np.testing.assert_array_equal(read["z"], run.arrays["z"][:3].astype("f4"))
        np.testing.assert_array_equal(read["time"], run.times[:3])


def test_steps_that_were_never_written_are_missed(run, tmp_path):
    with (
        pytest.raises(OutputError, match=r"steps are missing; a\.nc\.partial holds the first 5 of 11"),
        NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]) as writer,
    ):
        writer.write(0, {"status": run.arrays["status"][:5]})
    assert not (tmp_path / "a.nc").exists()


@pytest.mark.parametrize("rest", ["stopped", "empty", "zeros"])
def test_leftover_of_an_earlier_run_is_replaced(run, tmp_path, rest):
    if rest == "stopped":
        with pytest.raises(OutputError), NetCDFWriter(tmp_path / "a.nc", run.catalog, run.times, ["status"]) as writer:
            writer.write(0, {"status": run.arrays["status"][:5]})
    else:  # killed before netCDF had written anything
        (tmp_path / "a.nc.partial").write_bytes(b"\0" * (1_000_000 if rest == "zeros" else 0))
    assert (tmp_path / "a.nc.partial").exists()
    write(tmp_path / "a.nc", run)
    assert steps_in(tmp_path / "a.nc") == 11
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


def test_space_set_aside_is_given_back(run, tmp_path):
    write(tmp_path / "a.nc", run, block=1)
    assert (tmp_path / "a.nc").stat().st_size < 200_000  # each block set more than a megabyte aside


_WRITER = """
    import sys
    import numpy as np
    from constellation_jax.inputs.catalog.catalog import Catalog
    from constellation_jax.outputs.netcdf.samples import NetCDFWriter

    path, objects, steps, block = sys.argv[1], *map(int, sys.argv[2:5])
    catalog = Catalog.from_columns({"norad_id": np.arange(objects), "epoch_day": 61000, "epoch_fraction": 0.5,
        "mean_motion_rev_per_day": 15.0, "eccentricity": 0.0, "inclination_deg": 53.0, "raan_deg": 0.0,
        "arg_perigee_deg": 0.0, "mean_anomaly_deg": 0.0})
    times = np.datetime64("2026-03-01", "ns") + np.arange(steps) * np.timedelta64(60, "s")
    values = np.arange(steps * objects, dtype="f4").reshape(steps, objects)
    try:
        with NetCDFWriter(path, catalog, times, ["x", "y", "z", "status"], block_steps=block) as writer:
            for start in range(0, steps, block):
                part = values[start : start + block]
                writer.write(start, {"x": part, "y": part, "z": part, "status": np.zeros(part.shape, np.int8)})
                print("written", writer.steps_written, flush=True)
                sys.stdin.readline()
    except RuntimeError as error:
        print(type(error).__name__, error, flush=True)
"""


def start_writer(path, objects, steps, block, *, before=""):
    command = [
        sys.executable,
        "-c",
        textwrap.dedent(before) + textwrap.dedent(_WRITER),
        path,
        *map(str, (objects, steps, block)),
    ]
    environment = os.environ | {"PYTHONPATH": str(Path(constellation_jax.__file__).parents[1])}
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )


def test_a_killed_process_leaves_all_finished_blocks(tmp_path):
    process = start_writer(tmp_path / "a.nc", 500, 100, 10)
    for step in (10, 20, 30):
        assert process.stdout.readline() == f"written {step}\n"
        if step < 30:
            process.stdin.write("\n")
            process.stdin.flush()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert_first_steps(tmp_path / "a.nc.partial", 30, 500)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="without it a limit of the file size shows too late")
def test_limit_of_the_file_size_leaves_all_finished_blocks(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10_000_000, 10_000_000))\n"
    process = start_writer(tmp_path / "a.nc", 5000, 600, 20, before=limit)
    lines = process.communicate("\n" * 600)[0].splitlines()
    steps = int(lines[-2].removeprefix("written "))
    assert 60 < steps < 200
    assert lines[-1].startswith(
        f"OutputError {tmp_path}/a.nc: the largest allowed file size is reached (File too large)"
    )
    assert f"a.nc.partial holds the first {steps} of 600 steps and can be read" in lines[-1]
    assert_first_steps(tmp_path / "a.nc.partial", steps, 5000)


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 16 MB of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", folder], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a small file system here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_full_disk_leaves_all_finished_blocks(small_disk):
    process = start_writer(small_disk / "a.nc", 5000, 200, 20)  # 13 MB, which the disk has room for at the start
    for step in (20, 40, 60):
        assert process.stdout.readline() == f"written {step}\n"
        if step == 60:
            fill(small_disk / "other", leave=1_000_000)
        process.stdin.write("\n")
        process.stdin.flush()
    line = process.communicate("\n" * 200)[0].splitlines()[-1]
    assert line.startswith(f"OutputError {small_disk}/a.nc: the disk is full (No space left on device)")
    assert "a.nc.partial holds the first 60 of 200 steps and can be read" in line
    assert_first_steps(small_disk / "a.nc.partial", 60, 5000)


def test_disk_that_fills_up_after_the_last_block_does_not_matter(small_disk):
    process = start_writer(small_disk / "a.nc", 5000, 20, 20)
    assert process.stdout.readline() == "written 20\n"
    fill(small_disk / "other", leave=0)
    assert process.communicate("\n")[0] == ""  # what was set aside for the block has room for closing the file
    assert_first_steps(small_disk / "a.nc", 20, 5000)


def test_disk_that_has_no_room_from_the_start(small_disk):
    process = start_writer(small_disk / "a.nc", 5000, 2000, 20)
    assert "needs 132.9 MB and the disk has 16.8 MB free; nothing was written" in process.communicate("\n")[0]
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("fallocate", [None, errno.EOPNOTSUPP])
def test_where_space_cannot_be_set_aside_the_free_space_is_looked_up(tmp_path, monkeypatch, fallocate):
    if fallocate is None:
        monkeypatch.delattr(os, "posix_fallocate", raising=False)
    else:

        def refuse(*_):
            raise OSError(fallocate, os.strerror(fallocate))

        monkeypatch.setattr(os, "posix_fallocate", refuse, raising=False)
    space = DiskSpace(tmp_path / "a", os.open(tmp_path / "a", os.O_RDWR | os.O_CREAT))
    space.reserve(1000)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        space.reserve(10**18)
    space.close()
    assert (tmp_path / "a").stat().st_size == 0


def test_memory_does_not_grow_with_the_number_of_blocks(tmp_path):
    if not Path("/proc/self/statm").exists():
        pytest.skip("needs /proc/self/statm")
    track = """
        import builtins, os
        def print(word, steps, **_):
            if steps in (100, 3000):
                resident = int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
                builtins.print(word, steps, resident, flush=True)
    """
    process = start_writer(tmp_path / "a.nc", 2000, 3000, 20, before=track)
    lines = process.communicate("\n" * 3000)[0].splitlines()
    early, late = (int(line.split()[-1]) for line in lines)
    assert late - early < 4_000_000  # bytes, while the file grew by 75 MB


# --- helpers ----------------------------------------------------------------------------------------------------------


def assert_reads_as(path, expected):
    with xr.open_dataset(path) as read:
        read = read.load()
    xr.testing.assert_identical(read, expected)
    text = (
        "satellite",
        "name",
        "international_designator",
        "satellite_shell",
        "source",
    )  # their width depends on how xarray reads strings
    for name in expected.variables:
        assert name in text or read[name].dtype == expected[name].dtype, name


def assert_first_steps(path, steps, objects):
    """The file opens and has exactly the steps that `_WRITER` wrote first."""
    with xr.open_dataset(path) as read:
        expected = np.arange(steps * objects, dtype="f4").reshape(steps, objects)
        for name in POSITION:
            np.testing.assert_array_equal(read[name], expected)
        assert not read["status"].any()
        times = np.datetime64("2026-03-01", "ns") + np.arange(steps) * np.timedelta64(60, "s")
        np.testing.assert_array_equal(read["time"], times)


def steps_in(path):
    with xr.open_dataset(path) as read:
        return read.sizes["time"]


def fill(path, leave):
    """Makes a file that takes all free space but `leave` bytes."""
    statistics = os.statvfs(path.parent)
    with open(path, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, statistics.f_bavail * statistics.f_frsize - leave)
