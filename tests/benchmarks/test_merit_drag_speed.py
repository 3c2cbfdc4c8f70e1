"""Milliseconds for drag, margin and lifetime of 20 shells under 3 Suns with their gradient. Run with -m benchmark -s."""

import time

import jax
import jax.numpy as jnp
import pytest

import constellation_jax as cj

pytestmark = pytest.mark.benchmark


def test_twenty_shells_under_three_suns() -> None:
    begin = time.perf_counter()
    climate = cj.drag_climate(start="2027-01-01")
    print(f"\ndrag_climate, with compilation: {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    climate = cj.drag_climate(start="2027-01-01")
    print(f"again: {time.perf_counter() - begin:.1f} s")
    for b in (0.013, (0.005, 0.05)):
        begin = time.perf_counter()
        table = cj.lifetime_table(start="2027-01-01", ballistic_coefficient=b)
        print(f"lifetime_table, B {b}: {time.perf_counter() - begin:.1f} s")

    @jax.jit
    def total(altitude, inclination, b):
        dv = cj.delta_v_per_year(climate, altitude, inclination, b)
        worst = cj.delta_v_per_year(climate, altitude, inclination, b, worst=True)
        years = cj.lifetime_years(table, altitude, inclination, b)
        return jnp.sum(dv) + jnp.sum(jnp.log(cj.thruster_margin(worst, 500.0, 20.0))) + jnp.sum(jnp.log(years))

    slopes = jax.jit(jax.value_and_grad(total, argnums=(0, 1, 2)))
    point = jnp.linspace(250.0, 1200.0, 20), jnp.linspace(30.0, 98.0, 20), jnp.full(20, 0.013)
    begin = time.perf_counter()
    jax.block_until_ready(slopes(*point))
    print(f"value and gradient, compilation: {time.perf_counter() - begin:.2f} s")
    begin = time.perf_counter()
    for _ in range(100):
        jax.block_until_ready(slopes(*point))
    seconds = (time.perf_counter() - begin) / 100.0
    print(f"value and gradient: {1e3 * seconds:.2f} ms")
