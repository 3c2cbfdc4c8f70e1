"""A small run with what can be awkward: non-ASCII names, planned objects, a decay, fractional seconds."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.outputs.variables import PROPAGATED

STAMP = {"history": "2026-03-01T00:00:00Z made by a test", "date_created": "2026-03-01T00:00:00Z"}
"""Attributes that would differ between two outputs that are made one after the other."""


class Run(NamedTuple):
    catalog: Catalog
    times: NDArray[np.datetime64]
    arrays: dict[str, NDArray[Any]]

    def take(self, *names: str) -> dict[str, NDArray[Any]]:
        """Some of the arrays, and status."""
        return {name: self.arrays[name] for name in (*names, "status")}

    def block(self, start: int, stop: int, *names: str) -> dict[str, NDArray[Any]]:
        return {name: values[start:stop] for name, values in (self.take(*names) if names else self.arrays).items()}


def make_run(steps: int = 11, objects: int = 7, step_ms: int = 60_500) -> Run:
    rng = np.random.default_rng(1)
    catalog = Catalog.from_columns(
        {
            "norad_id": np.where(np.arange(objects) == 3, -1, 25544 + np.arange(objects)),
            "name": [f"Satellit {i} é" for i in range(objects)],
            "international_designator": "1998-067A",
            "epoch_day": 61100 - np.arange(objects),
            "epoch_fraction": rng.random(objects).round(8),
            "mean_motion_rev_per_day": 15.5,
            "eccentricity": 0.0007,
            "inclination_deg": 51.6,
            "raan_deg": rng.random(objects) * 360,
            "arg_perigee_deg": 0.0,
            "mean_anomaly_deg": 0.0,
            "source": "a test",
            "shell": ["" if i % 2 else "Hülle" for i in range(objects)],
            "plane": np.arange(objects) - 1,
            "synthetic": np.arange(objects) == 3,
        }
    )
    times = np.datetime64("2026-03-01T06:00", "ns") + np.arange(steps) * np.timedelta64(step_ms, "ms")
    scale = {"latitude": 40.0, "longitude": 80.0}
    arrays = {name: rng.normal(size=(steps, objects)).clip(-2, 2) * scale.get(name, 3000.0) for name in PROPAGATED}
    arrays["status"] = np.zeros((steps, objects), np.int32)
    arrays["status"][steps // 2 :, 2] = 6
    arrays["x"][steps // 2 :, 2] = 1e300  # beyond float32: what the equations give after a decay means nothing
    return Run(catalog, times, arrays)


@pytest.fixture
def run() -> Run:
    return make_run()


@pytest.fixture
def stamp() -> dict[str, str]:
    return dict(STAMP)
