"""Milliseconds for drag, margin and lifetime of 20 shells under 3 Suns with their gradient. Run with -m benchmark -s."""

import time

import jax
import jax.numpy as jnp
import pytest
from shell_values import shell_of

import constellation_jax as cj
from constellation_jax.physics.merit import drag

pytestmark = pytest.mark.benchmark


def test_twenty_shells_under_three_suns() -> None:
    begin = time.perf_counter()
    climate = cj.fill_drag_table(start="2027-01-01")
    print(f"\nfill_drag_table, with compilation: {time.perf_counter() - begin:.1f} s")
    begin = time.perf_counter()
    climate = cj.fill_drag_table(start="2027-01-01")
    print(f"again: {time.perf_counter() - begin:.1f} s")
    for b in (0.013, (0.005, 0.05)):
        begin = time.perf_counter()
        table = cj.fill_lifetime_table(start="2027-01-01", ballistic_coefficient=b)
        print(f"fill_lifetime_table, B {b}: {time.perf_counter() - begin:.1f} s")

    @jax.jit
    def total(altitude, inclination, b):
        shells = shell_of(altitude_km=altitude, inclination_deg=inclination, ballistic_coefficient_m2_kg=b)
        dv = drag.delta_v_per_year(shells, climate)
        worst = drag.delta_v_per_year(shells, climate, worst=True)
        years = drag.lifetime_years(shells, table)
        return jnp.sum(dv) + jnp.sum(jnp.log(drag.thruster_margin(worst, 500.0, 20.0))) + jnp.sum(jnp.log(years))

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
