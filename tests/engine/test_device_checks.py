"""Devices that are not there, and cards that are slow in float64: one line that says what was found and what to do."""

import warnings
from types import SimpleNamespace

import jax
import pytest

import constellation_jax as cj
from constellation_jax.engine import device_checks
from constellation_jax.engine.device_checks import find_devices, warn_of_slow_float64
from constellation_jax.engine.devices import Devices
from constellation_jax.errors import InputError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """Versions of the packages that count as installed."""
    versions: dict[str, str | None] = {"jax": "0.10.2", "jaxlib": "0.10.2"}
    monkeypatch.setattr(device_checks, "_installed", versions.get)
    monkeypatch.setattr(device_checks, "_allowed", lambda: "")
    return versions


def message(platform: str) -> str:
    with pytest.raises(InputError) as caught:
        Devices(platform)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_default_and_the_cpu_are_found() -> None:
    assert find_devices() == find_devices("cpu") == tuple(jax.local_devices())


def test_an_unknown_name_is_told_with_the_nearest_one(installed: dict[str, str | None]) -> None:
    assert "JAX finds none here; it finds cpu; known are cpu, gpu, tpu, did you mean 'cpu'?" in message("cpuu")


@pytest.mark.parametrize("name", ["gpu", "cuda"])
def test_without_a_plugin_the_message_says_what_to_install(name: str, installed: dict[str, str | None]) -> None:
    assert f"device '{name}': JAX finds none here; it finds cpu; no CUDA plugin of JAX is installed: " in message(name)
    assert 'pip install "constellation-jax[cuda12]" or pip install "constellation-jax[cuda13]"' in message(name)


def test_a_plugin_that_does_not_fit_is_named_with_both_versions(installed: dict[str, str | None]) -> None:
    installed |= {"jax-cuda13-plugin": "0.9.1", "jax-cuda13-pjrt": "0.9.1"}
    assert 'jax-cuda13-plugin 0.9.1 does not fit jaxlib 0.10.2: pip install "jax[cuda13]==0.10.2"' in message("gpu")
    installed |= {"jax-cuda13-plugin": "0.10.2", "jax-cuda13-pjrt": None}
    assert "jax-cuda13-pjrt (missing) does not fit jaxlib 0.10.2" in message("gpu")


def test_a_plugin_without_a_card_points_to_the_driver(installed: dict[str, str | None]) -> None:
    installed |= {"jax-cuda12-plugin": "0.10.2", "jax-cuda12-pjrt": "0.10.2"}
    assert "jax-cuda12-plugin 0.10.2 finds no card that it can use: does nvidia-smi show one" in message("gpu")


def test_a_platform_that_the_environment_leaves_out(
    installed: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_checks, "_allowed", lambda: "cpu")
    assert "JAX_PLATFORMS=cpu leaves it out" in message("gpu")


def test_a_plugin_that_cannot_load_its_libraries_is_no_traceback(
    installed: dict[str, str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed |= {"jax-cuda12-plugin": "0.10.2", "jax-cuda12-pjrt": "0.10.2"}

    def fail(backend: str | None = None) -> list[object]:
        raise AssertionError("Jax plugin configuration error\nRuntimeError: Unable to load cuFFT. Is it installed?\n")

    monkeypatch.setattr(jax, "local_devices", fail)
    assert message("gpu").endswith("JAX says: RuntimeError: Unable to load cuFFT. Is it installed?")
    monkeypatch.setattr(device_checks, "_allowed", lambda: "cuda")
    with pytest.raises(
        InputError, match=r"JAX_PLATFORMS=cuda: JAX finds no such device here; unset the variable; jax-c"
    ):
        Devices()


def test_float64_on_a_card_for_games_is_one_warning() -> None:
    card = SimpleNamespace(compute_capability="8.9", device_kind="NVIDIA GeForce RTX 4090")
    with pytest.warns(RuntimeWarning, match=r"float64 runs at 1/64 .* on NVIDIA GeForce RTX 4090") as caught:
        warn_of_slow_float64([card, card])
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_slow_float64([SimpleNamespace(compute_capability="9.0", device_kind="NVIDIA H100"), *jax.devices()])


@pytest.mark.slow
def test_every_engine_of_orbits_warns_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device_checks.SLOW_FLOAT64, "", 64)  # a CPU has no compute capability: it counts as such a card
    one = cj.bundled_population()[:1]
    times = cj.time_grid("2025-06-24", "1min", "1min")
    for compute in (cj.propagate, cj.states, cj.jacobians):
        with pytest.warns(RuntimeWarning, match=r"float64 runs at 1/64 .*; precision=\"float32\" stays within metres"):
            compute(one, times)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            compute(one, times, precision="float32")
    with pytest.warns(RuntimeWarning, match="float64 runs at 1/64 .*; decay has no other precision for its orbits"):
        cj.lifetimes(one, years=0.1)
