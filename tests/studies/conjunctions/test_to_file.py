"""Close approaches to files, part after part: interrupted, gone on with, refused, and joined at the borders of the parts."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from shell_values import shell_of
from typer.testing import CliRunner

import constellation_jax as cj
from constellation_jax.cli import app
from constellation_jax.engine.screening.engine import ScreeningEngine
from constellation_jax.outputs.conjunction_variables import CONJUNCTION_FLAGS
from constellation_jax.studies.conjunctions import to_file

SPAN = ("2026-01-01", "3h")


@pytest.fixture(scope="module")
def flying() -> cj.Catalog:
    """Two shells that cross, and two modules that are docked."""
    shells = [
        shell_of(name=name, altitude_km=550.0, inclination_deg=i, planes=8, satellites_per_plane=8)
        for name, i in (("Steep", 70.0), ("Flat", 40.0))
    ]
    objects = cj.shells_to_catalog(shells, epoch="2026-01-01")
    docked = objects[[3]].replace(
        norad_id=99, name="DOCKED", shell="", mean_anomaly_deg=objects.mean_anomaly_deg[3] + 1e-4
    )
    return cj.Catalog.concatenate([objects, docked])


@pytest.fixture(autouse=True)
def hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_file, "PART_S", 3600.0)


class Interrupted:
    """Raises at the screening of a part, as Ctrl-C does, and counts those before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int) -> None:
        self.done, real = 0, ScreeningEngine.screen

        def screen(engine: Any, *inputs: Any) -> Any:
            if self.done == at:
                raise KeyboardInterrupt
            self.done += 1
            return real(engine, *inputs)

        monkeypatch.setattr(ScreeningEngine, "screen", screen)


@pytest.mark.parametrize("name", ["a.nc", "a.zarr"])
def test_what_is_gone_on_with_equals_what_was_not_interrupted(
    flying: cj.Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    whole = cj.conjunctions_to(tmp_path / f"whole-{name}", flying, SPAN, 50.0, same_fleet=True)
    with monkeypatch.context() as patch:
        Interrupted(patch, 2)
        with pytest.raises(KeyboardInterrupt) as stopped:
            cj.conjunctions_to(tmp_path / name, flying, SPAN, 50.0, same_fleet=True)
    assert "a.nc.parts holds 2 of 3 days" in stopped.value.__notes__[0].replace("zarr", "nc")
    assert sorted(path.name for path in tmp_path.iterdir() if "whole" not in path.name) == [f"{name}.parts"]
    with pytest.raises(cj.InputError, match=r"was begun by another run \(distance: 50.0 km there, 40.0 km here\)"):
        cj.conjunctions_to(tmp_path / name, flying, SPAN, 40.0, same_fleet=True, resume=True)
    with monkeypatch.context() as patch:
        counted = Interrupted(patch, 99)
        again = cj.conjunctions_to(tmp_path / name, flying, SPAN, 50.0, same_fleet=True, resume=True)
    assert counted.done == 1
    assert not (tmp_path / f"{name}.parts").exists()
    files = [tmp_path / each for each in (f"whole-{name}", name)]
    read = [xr.open_dataset(file) if name == "a.nc" else xr.open_zarr(file, chunks=None) for file in files]
    for found in (again, *read):
        for variable in whole.variables:
            np.testing.assert_array_equal(found[variable].values, whole[variable].values, err_msg=str(variable))
    assert cj.verify(tmp_path / name) == []
    for each in read:
        each.close()


def test_parts_give_the_list_of_one_run(flying: cj.Catalog, tmp_path: Path) -> None:
    """The same events to a microsecond and a millimetre; what goes over a border is one event, and only ends are ends."""
    parts = cj.conjunctions_to(tmp_path / "a.nc", flying, SPAN, 50.0, same_fleet=True)
    one = cj.conjunctions(flying, SPAN, 50.0, same_fleet=True)
    assert one.sizes["event"] == parts.sizes["event"] > 20
    # many meet at one instant, by symmetry
    one, parts = (e.isel(event=np.lexsort((e["seconds"], e["object_2"], e["object_1"]))) for e in (one, parts))
    for name in ("object_1", "object_2", "status"):
        np.testing.assert_array_equal(parts[name], one[name])
    np.testing.assert_allclose(parts["seconds"], one["seconds"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(parts["miss_distance"], one["miss_distance"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(parts["together_seconds"], one["together_seconds"], rtol=0, atol=1e-6)
    together = (one["status"].values & CONJUNCTION_FLAGS["together"]) != 0
    assert one["together_seconds"].values[together].tolist() == [10800.0]


def test_an_interrupted_command_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_shells: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["constellation_jax.cli.commands.conjunctions"], "configure", lambda **_: None)
    words = [
        "conjunctions",
        "--shells",
        str(two_shells),
        "--start",
        "2026-01-01",
        "--duration",
        "3h",
        "--distance-km",
        "50",
    ]
    with monkeypatch.context() as patch:
        Interrupted(patch, 1)
        stopped = CliRunner().invoke(app, [*words, "--same-fleet"])
    assert stopped.exit_code == 130
    assert "interrupted; conjunctions.nc: not finished; conjunctions.nc.parts holds 1 of 3 days" in stopped.stderr
    assert "the same command with --resume goes on" in stopped.stderr
    refused = CliRunner().invoke(app, [*words, "--resume"])
    assert refused.exit_code == 2
    assert "was begun by another run (same fleet: True there, False here)" in refused.stderr
    done = CliRunner().invoke(app, [*words, "--same-fleet", "--resume"])
    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["conjunctions.nc", "two.toml"]


@pytest.fixture
def two_shells(tmp_path: Path) -> Path:
    shell = '[[shells]]\nname = "{}"\naltitude_km = 550\ninclination_deg = {}\nplanes = 8\nsatellites_per_plane = 8\n'
    path = tmp_path / "two.toml"
    path.write_text('system = "Some"\n' + shell.format("Steep", 70) + shell.format("Flat", 40))
    return path
