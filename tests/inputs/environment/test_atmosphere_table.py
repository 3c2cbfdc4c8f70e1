"""The tables of the atmosphere: what they say of themselves, and that a damaged one is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from constellation_jax.errors import InputError
from constellation_jax.inputs.environment import atmosphere as atmosphere_table
from constellation_jax.inputs.environment.atmosphere import load_atmosphere, load_provenance
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, MODELS


@pytest.mark.parametrize("model", MODELS)
def test_a_table_names_its_origin(model: str) -> None:
    table, said = load_atmosphere(model), load_provenance(model)
    assert table.states.shape == (6, 4, 6, 7, 80)
    assert table.profiles.shape == (80, 43, 43)
    assert {"model", "pymsis_version", "date", "script", "sha256"} <= set(said)
    assert said["model"] == MODELS[model]


def test_all_tables_together_stay_small() -> None:
    assert sum(path.stat().st_size for path in atmosphere_table._FOLDER.glob("*.npz")) < 3_000_000


def test_unknown_and_damaged_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="unknown model; known are nrlmsise00-calibrated, nrlmsise00, nrlmsis21"):
        load_atmosphere("jb2008")
    folder = atmosphere_table._FOLDER
    original = np.load(folder / "nrlmsise00.npz")
    changed = {key: original[key] for key in original.files}
    changed["states"] = changed["states"] * np.float32(1.001)
    np.savez(tmp_path / "nrlmsise00.npz", **changed)
    monkeypatch.setattr(atmosphere_table, "_FOLDER", tmp_path)
    with pytest.raises(InputError, match="checksum; install the package again"):
        atmosphere_table._read.__wrapped__("nrlmsise00")
    said = json.loads(str(original["attributes"])) | {"sha256": "that of another table"}
    monkeypatch.setattr(atmosphere_table, "compute_checksum", lambda *_: said["sha256"])
    np.savez(tmp_path / "nrlmsise00.npz", **(changed | {"attributes": json.dumps(said)}))
    correction = dict(np.load(folder / f"{CALIBRATED}.npz"))
    correction["attributes"] = json.dumps(json.loads(str(correction["attributes"])) | {"sha256": said["sha256"]})
    np.savez(tmp_path / f"{CALIBRATED}.npz", **correction)
    atmosphere_table._read.cache_clear()
    with pytest.raises(InputError, match="corrects another table"):
        load_atmosphere(CALIBRATED)
    atmosphere_table._read.cache_clear()
    (tmp_path / "nrlmsise00.npz").write_bytes(b"cut off")
    with pytest.raises(InputError, match="cannot be read"):
        atmosphere_table._read.__wrapped__("nrlmsise00")
