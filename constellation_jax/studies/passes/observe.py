"""Variables of a propagation as seen from the ground: sunlight, azimuth, elevation and range."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from constellation_jax.engine.passes.sight import find_look_angles, find_sunlit
from constellation_jax.errors import InputError
from constellation_jax.inputs.sites.sites import SiteSource, load_sites
from constellation_jax.inputs.times import to_day_fraction
from constellation_jax.outputs.datasets.passes import make_site_coordinates
from constellation_jax.outputs.variable import SATELLITE, TIME
from constellation_jax.outputs.variables import VARIABLES
from constellation_jax.physics.observation import sun_position
from constellation_jax.studies.passes.passes import find_turn, make_places


def observe(dataset: xr.Dataset, sites: SiteSource | None = None) -> xr.Dataset:
    """Add sunlight, and azimuth, elevation and range from sites, to the positions of a dataset.

    Args:
        dataset: of `propagate` with the group "position", in TEME or ITRS.
        sites: as for `passes`; None: sunlight alone.

    Returns:
        The dataset with `sunlit` (time, satellite), the fraction of the Sun's disc in sight of a satellite, and `azimuth`,
        `elevation` (degrees, without refraction) and `range` (km), each (site, time, satellite); NaN where a position is.

    Raises:
        InputError: no positions, or a frame that is neither.
    """
    missing = [name for name in ("x", "y", "z", TIME, SATELLITE) if name not in dataset.variables]
    if missing:
        raise InputError(
            f"observe: the dataset has no {missing[0]!r}; propagate with variables=('position',) makes positions over time"
        )
    frame = dataset["x"].attrs.get("frame", dataset.attrs.get("frame"))
    if frame not in ("teme", "itrs"):
        raise InputError(f"observe: positions in the frame {frame!r}; expected teme or itrs")
    whole = dataset.expand_dims([d for d in (TIME, SATELLITE) if d not in dataset["x"].dims])
    times = whole[TIME].values
    position = np.stack([whole[name].transpose(TIME, SATELLITE).values.astype(float) for name in "xyz"])
    day, fraction = to_day_fraction(times)
    sun: Any = np.stack(sun_position(day + fraction, np))
    turn: Any = find_turn(times) if frame == "itrs" or sites is not None else None
    if frame == "itrs":
        sun = np.einsum("tij,jt->it", turn, sun)
    found = {"sunlit": VARIABLES["sunlit"].as_xarray(find_sunlit(tuple(position), tuple(sun)))}
    if sites is None:
        return whole.assign(found)
    places = load_sites(sites)
    fixed: Any = position if frame == "itrs" else np.einsum("tij,jtn->itn", turn, position)
    for name, values in zip(
        ("azimuth", "elevation", "range"), find_look_angles(tuple(fixed), make_places(places)), strict=True
    ):
        found[name] = VARIABLES[name].as_xarray(values)
    coordinates = {name: VARIABLES[name].as_xarray(values) for name, values in make_site_coordinates(places).items()}
    return whole.assign_coords(coordinates).assign(found)
