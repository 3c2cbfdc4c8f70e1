"""6 x 7 Jacobians a second on a real catalogue, beside heyoka's derivatives where it is installed. Prints, asserts no time.

python -m pytest -m benchmark -s tests/benchmarks/test_jacobian_speed.py
"""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import constellation_jax as cj
from constellation_jax.benchmark.timing import take_medians, time_in_turn
from constellation_jax.engine.jacobians.engine import JacobianEngine
from constellation_jax.engine.time_grid import Grid
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.physics.constants import MINUTES_PER_DAY

SATELLITES, INSTANTS = 4096, 64
THREADS = 2


@pytest.mark.benchmark
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_jacobians_a_second(shared_data: Path, monkeypatch: pytest.MonkeyPatch, precision: str) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: THREADS)
    catalog = cj.read_catalog(shared_data / "catalogs" / "active_2026-08-22.omm.csv.gz")
    catalog = catalog[~catalog.is_deep_space][:SATELLITES]
    day, fraction = to_day_fraction(cj.time_grid("2026-08-22T00:00:00Z", "128min", "2min")[:INSTANTS])
    engine = JacobianEngine(catalog.elements, Grid.inertial(day, fraction), precision=precision)
    out = engine.allocate()
    millions = SATELLITES * INSTANTS / 1e6
    if importlib.util.find_spec("heyoka") is None:
        own = take_medians(time_in_turn({"own": lambda: engine.run(out)}))["own"]
        print(f"\n{precision}: {millions / own:.2f} M Jacobians/s; heyoka is not installed: nothing to compare with")
        return
    import heyoka

    heyoka.set_nthreads(THREADS)
    e = catalog.elements
    rows = (e.mean_motion, e.eccentricity, e.inclination, e.raan, e.arg_perigee, e.mean_anomaly, e.bstar)
    gpes = np.stack([*rows, catalog.epoch_day + 2400000.5, catalog.epoch_fraction])
    kind = {"fp_type": np.float32} if precision == "float32" else {}
    propagator = heyoka.model.sgp4_propagator(gpes.astype(precision), diff_order=1, **kind)
    days = (day[:, None] - catalog.epoch_day) + (fraction[:, None] - catalog.epoch_fraction)
    minutes = (days * MINUTES_PER_DAY).astype(precision)
    theirs = np.zeros((INSTANTS, propagator.nouts, SATELLITES), precision)
    taken = take_medians(
        time_in_turn({"own": lambda: engine.run(out), "other": lambda: propagator(minutes, out=theirs)})
    )
    own, other = taken["own"], taken["other"]
    print(f"\n{precision}: {millions / own:.2f} M Jacobians/s, {SATELLITES} satellites x {INSTANTS} instants")
    if precision == "float32":  # plain float32 is far off here: the comparison is with float64
        propagator, minutes = heyoka.model.sgp4_propagator(gpes, diff_order=1), days * MINUTES_PER_DAY
        theirs = propagator(minutes)
    # seven results come first (the state, an error code), then seven derivatives of each
    jacobian = theirs[:, 7:].reshape(INSTANTS, 7, 7, SATELLITES)[:, :6]
    own_jacobian = out.values_block[6:].reshape(6, 7, INSTANTS, SATELLITES).transpose(2, 0, 1, 3)
    sound = (out.status == 0) & (theirs[:, 6] == 0)
    # over all instants: a column can vanish at one, such as that of bstar at the epoch
    scale = np.abs(jacobian).reshape(INSTANTS, 2, 3, 7, SATELLITES).max(axis=(0, 2)).repeat(3, axis=0)
    worst = np.nanmax(np.where(sound[:, None, None], np.abs(own_jacobian - jacobian) / np.maximum(scale, 1e-30), 0.0))
    print(f"heyoka {heyoka.__version__}: {millions / other:.2f} M/s, so this is {other / own:.2f} times as fast")
    print(f"largest disagreement: {worst:.1e} of the largest entry of a satellite's column")
