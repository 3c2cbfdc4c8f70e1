"""Simulation of a deployment: numbers of satellites in each state, by day and system."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from constellation_jax.errors import InputError
from constellation_jax.inputs.deployment.files import Deployment, load_deployment
from constellation_jax.inputs.deployment.vehicles import as_day
from constellation_jax.inputs.times import Time
from constellation_jax.outputs.datasets.deployment import PERCENTILES, make_counts_dataset
from constellation_jax.outputs.variables import DEPLOYMENT_STATES
from constellation_jax.studies.deployment.draws import count_without_chance, draw_counts, list_days
from constellation_jax.studies.deployment.launches import simulate_launches

MOST_DRAWS = 100_000
"""Largest number of draws."""


def deploy(
    scenario: str | Path | Deployment,
    *,
    draws: int = 1,
    seed: int = 0,
    start: Time | None = None,
    until: Time | None = None,
    as_of: Time | None = None,
    client: Any = None,
) -> xr.Dataset:
    """Count the satellites of a deployment that are launched, raising, on station, failed, de-orbiting and gone, day by day.

    The counts are deterministic: launches come evenly at their cadence, and the failures are those listed, or the
    expected number. With draws, the Dataset has percentiles over random histories beside them.

    Args:
        scenario: a name of `known_deployments()`, such as "qianfan:plan-only", a deployment file, or a Deployment.
        draws: number of random histories; 1 for the deterministic counts alone.
        seed: seed of the draws; with the same versions of this package and NumPy they are the same.
        start: first day; where absent, that of the first launch.
        until: last day; where absent, that of the file, after which nothing is launched.
        as_of: date of the data, as for `load_deployment`: launches after it are not used.
        client: of a Dask cluster (`distributed.Client`), whose workers make the draws, the same ones.

    Returns:
        Dataset with dims (system, time) and, with draws, `..._percentile` with dims (percentile, system, time), 5, 50 and 95 %.
        Counts hold at 00 UTC. `launched` is the sum of the other states.

    Raises:
        InputError: no such deployment, mistakes in its file, draws out of range, or days out of order.
        OutputError: the cluster was lost.
    """
    if isinstance(scenario, Deployment) and as_of is not None:
        raise InputError(f"as_of {as_of}: found beside a Deployment, which has its date; give it to load_deployment")
    deployment = scenario if isinstance(scenario, Deployment) else load_deployment(scenario, as_of=as_of)
    if not 1 <= draws <= MOST_DRAWS:
        raise InputError(f"draws {draws}: expected 1 to {MOST_DRAWS:,}")
    if seed < 0:
        raise InputError(f"seed {seed}: expected a whole number of at least 0")
    first = deployment.start if start is None else as_day(start)
    last = deployment.until if until is None else as_day(until)
    if last < first:
        raise InputError(f"until {last}: expected {first} or later, the first day")
    history = simulate_launches(deployment)
    days = list_days(first, last)
    systems = deployment.systems
    certain = [count_without_chance(history, system, days) for system in systems]
    counts = {state: np.stack([c[state] for c in certain]) for state in DEPLOYMENT_STATES}
    bands = None
    if draws > 1:
        parts = [_compute_percentiles(draw_counts(history, system, days, draws, seed, client)) for system in systems]
        bands = {state: np.stack([part[state] for part in parts], axis=1) for state in DEPLOYMENT_STATES}
    targets = [next(c.target for c in deployment.campaigns if c.system == system) for system in systems]
    drawn = {"draws": np.int32(draws), "seed": np.int64(seed)} if draws > 1 else {}
    dated = {} if deployment.data_date is None else {"launch_data_date": str(deployment.data_date)}
    return make_counts_dataset(
        days.astype("datetime64[D]"),
        systems,
        counts,
        targets,
        bands=bands,
        attributes={"deployment": deployment.name, "deployment_title": deployment.title, **dated, **drawn},
    )


def _compute_percentiles(counts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Compute percentiles over the draws: shape (t, draws) -> (3, t). The counts are reordered in place."""
    found = {}
    for state, values in counts.items():
        # Order statistics: a count that occurred, and no copy in float64
        n = values.shape[1]
        ranks = [min(n - 1, int(q / 100.0 * n)) for q in PERCENTILES]
        values.partition(ranks, axis=1)
        found[state] = values[:, ranks].T
    return found
