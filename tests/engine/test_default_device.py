"""Studies on a named device: JAX's default device while they run, and nothing else afterwards."""

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.engine import default_device
from constellation_jax.engine.default_device import default_platform, on_device

CPU = jax.local_devices(backend="cpu")


@on_device
def study(value: int, *, device: str | None = None) -> tuple[int, str | None]:
    return value, default_platform()


def test_a_study_runs_on_the_device_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(default_device, "find_devices", lambda platform: asked.append(platform) or CPU)
    assert study(3) == (3, None)
    assert study(4, device="gpu") == (4, "cpu")  # that of the device found
    assert asked == ["gpu"]
    assert study(5, device=None) == (5, None)
    assert default_platform() is None


def test_the_users_default_device_counts() -> None:
    with jax.default_device(CPU[0]):
        assert study(3) == (3, "cpu")


def test_public_studies_name_a_missing_device() -> None:
    catalog, shells = cj.bundled_population()[:1], cj.load_shells("qianfan")[:1]
    times = np.array(["2026-01-01"], "datetime64[ns]")
    studies = {
        "decay": lambda device: cj.decay(catalog, device=device),
        "lifetimes": lambda device: cj.lifetimes(catalog, device=device),
        "station_keeping": lambda device: cj.station_keeping(shells, device=device),
        "jacobians": lambda device: cj.jacobians(catalog, times, device=device),
        "tune": lambda device: cj.tune("none", device=device),
    }
    for name, run in studies.items():
        with pytest.raises(cj.InputError, match="device 'tpuu': JAX finds none here") as caught:
            run("tpuu")
        assert "\n" not in str(caught.value), name
