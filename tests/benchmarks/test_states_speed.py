"""States as JAX arrays beside `propagate`, and what the examples of docs/how-to/on-the-device.md take. Prints, asserts no time.

python -m pytest -m benchmark -s tests/benchmarks/test_states_speed.py
"""

import re
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.benchmark.timing import take_medians, time_in_turn

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "on-the-device.md"
EXAMPLES = {"lowest": "lowest altitude", "count": "density", "in_view": "in view"}


@pytest.mark.benchmark
@pytest.mark.parametrize("step", ["60s", "10s"])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_states_beside_propagate(shared_data: Path, precision: str, step: str) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")  # with deep space
    times = cj.time_grid("2026-08-22", "6h" if step == "60s" else "1h", step)
    options: Any = {"precision": precision, "variables": ("position", "velocity")}
    works = {
        "propagate": lambda: cj.propagate(catalog, times, **options),
        "states": lambda: jax.block_until_ready(cj.states(catalog, times, **options)),
    }
    taken = take_medians(time_in_turn(works))
    expected, found = (work() for work in works.values())
    worst = max(np.nanmax(np.abs(getattr(found, name) - expected[name].values)) for name in ("x", "y", "z"))
    millions = len(catalog) * len(times) / 1e6
    print(
        f"\n{precision}, {len(catalog)} objects x {len(times)} instants at {step}: states {millions / taken['states']:.0f} M/s, "
        f"{taken['propagate'] / taken['states']:.2f} times the rate of propagate; largest difference {1e3 * worst:.3g} m"
    )


@pytest.mark.benchmark
def test_traced_elements_in_float32(shared_data: Path) -> None:
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    start = np.datetime64("2026-08-22")
    age = 61274.0 - catalog.epoch_day - catalog.epoch_fraction  # days; the start as Modified Julian Date
    low = catalog[(catalog.mean_motion_rev_per_day > 14.0) & (age > 0.0) & (age < 1.0)][::10]
    flag = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", False)
    try:
        for days in (0, 1, 7, 28):
            times = start + np.timedelta64(days, "D") + np.arange(0, 1440, 60) * np.timedelta64(1, "m")
            expected = cj.propagate(low, times)
            found = jax.jit(lambda elements, times=times: cj.states(elements, times, regime="near_earth"))(low.elements)
            off = [getattr(found, name) - expected[name].values for name in ("x", "y", "z")]
            error = 1e3 * np.sqrt(sum(np.asarray(v, np.float64) ** 2 for v in off))
            print(
                f"\ntraced in float32, {days} to {days + 2} days from the epoch, {len(low)} low orbits: median "
                f"{np.nanmedian(error):.0f} m, 95 % below {np.nanpercentile(error, 95):.0f} m"
            )
    finally:
        jax.config.update("jax_enable_x64", flag)


@pytest.mark.benchmark
def test_examples_with_the_whole_population() -> None:
    """Run the page with every object; each example once to compile it, and once more."""
    names: dict[str, Any] = {}
    flag = jax.config.jax_enable_x64
    try:
        for code in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
            code = code.replace("[::20]\ntimes", "\ntimes")
            found = [label for function, label in EXAMPLES.items() if f"def {function}(" in code]
            exec(code, names)
            if found:
                begin = time.perf_counter()
                # the last statement that reduces, again: its function is the same object
                again = re.split(r"^(?=\w+ = cj\.reduce)", code, flags=re.MULTILINE)[-1]
                exec(again[: again.index("\nassert")], names)
                instants = names["hours"] if found[0] == "in view" else names["times"]
                taken, count = time.perf_counter() - begin, len(names["catalog"]) * len(instants)
                print(f"{found[0]}: {count / 1e6:.2f} M states in {taken:.2f} s, {count / taken / 1e6:.1f} M/s")
    finally:
        jax.config.update("jax_enable_x64", flag)
