"""Element sets fitted to ephemerides: from tables of positions to a catalogue that SGP4 propagates along them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.devices import Devices
from constellation_jax.engine.element_fit.fit import fit, invert
from constellation_jax.engine.element_fit.normal_equations import Samples
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import NO_NORAD_ID, Catalog
from constellation_jax.inputs.ephemerides.read import read_ephemeris
from constellation_jax.inputs.ephemerides.state_table import FRAMES, StateTable
from constellation_jax.inputs.times import Duration, parse_duration, to_day_fraction
from constellation_jax.physics.constants import DEGREE, MINUTES_PER_DAY, MU, TWO_PI
from constellation_jax.physics.sgp4.elements import Elements

Floats = NDArray[np.float64]
PARAMETERS: Final = ("mean_motion", "e_cos_omega", "e_sin_omega", "inclination", "raan", "latitude", "bstar")
"""Parameters of the fit: mean motion (Kozai, rad/min), e cos(omega), e sin(omega), inclination, raan, mean argument of latitude
omega + M (rad) and B* (1/Earth radii)."""
_WITHOUT_DRAG: Final = np.arange(7) < 6
_STATE_STEPS, _STEPS = 8, 25
_NEGLIGIBLE_KM2: Final = 1e-4
"""Cost at which elements go through the first state well enough to start from."""
_NEIGHBOURS: Final = 9
"""Points of the polynomial that gives velocities where an ephemeris has none."""
_LEAST_REVOLUTIONS: Final = 1.0
"""Revolutions below which B* stays 0 unless it is asked for: it shows in the square of the time."""


class ElementFit(NamedTuple):
    """Element sets fitted to ephemerides, in the order of the ephemerides; arrays of shape (objects,)."""

    catalog: Catalog
    """Fitted element sets, in full precision."""
    rms_km: Floats
    """Root mean square of the distances between ephemeris and SGP4, over the states that were fitted, km."""
    largest_km: Floats
    """Largest of these distances, km."""
    covariance: Floats
    """Covariance by `PARAMETERS` at the epoch, shape (objects, 7, 7). Residuals of SGP4 are alike within a revolution, so that each
    revolution counts as one position; the error of the ephemeris itself is not in it."""
    states: NDArray[np.int64]
    """Number of states that were fitted."""
    has_converged: NDArray[np.bool_]
    """False where the steps ended before the fit did."""

    def element_covariance(self) -> Floats:
        """Covariance by the seven elements of `Elements` (rad/min, rad, 1/Earth radii), shape (objects, 7, 7)."""
        e, omega = np.maximum(self.catalog.eccentricity, 1e-7), self.catalog.arg_perigee_deg * DEGREE
        sin, cos = np.sin(omega), np.cos(omega)
        by = np.zeros((len(e), 7, 7))  # rows: elements, columns: parameters
        by[:, [0, 2, 3, 6], [0, 3, 4, 6]] = 1.0
        by[:, 1, 1], by[:, 1, 2] = cos, sin
        by[:, 4, 1], by[:, 4, 2] = -sin / e, cos / e
        by[:, 5, 1], by[:, 5, 2], by[:, 5, 5] = sin / e, -cos / e, 1.0
        return np.asarray(by @ self.covariance @ by.transpose(0, 2, 1))


@on_device
def fit_elements(
    ephemeris: xr.Dataset | str | Path | Sequence[str | Path],
    *,
    frame: str | None = None,
    span: Duration | None = None,
    states: int = 240,
    fit_drag: bool = True,
    device: str | None = None,
) -> ElementFit:
    """Fit SGP4 element sets to ephemerides, a whole fleet at once.

    The epoch of each set is the first instant of its ephemeris, as CelesTrak's SupGP sets have it. Least squares of the positions,
    by Gauss-Newton steps on the exact derivatives; from the first state on, no other start is needed.

    Args:
        ephemeris: files in OEM, SP3 or Starlink's MEME text, one object or several each; or a Dataset with x, y, z (km) of dims
            (time, satellite), with vx, vy, vz (km/s) if it has them, such as that of `propagate`. NaN for states that are not
            known.
        frame: of a Dataset: "teme", "itrs" or "j2000"; None: its attribute `frame`.
        span: length of time from the first state that is fitted, such as "1d"; None: all.
        states: most states of an object that are fitted, spread evenly.
        fit_drag: fit B* too, where the ephemeris is longer than a revolution; else it is 0.
        device: platform to compute on, as for `propagate`.

    Raises:
        InputError: a file that cannot be read, a Dataset without positions or frame, or an object with fewer than three states.
    """
    tables = _tables(ephemeris, frame)
    if span is not None:
        tables = [_cut(table, parse_duration(span)) for table in tables]
    tables = [table.to_teme() for table in tables]
    if states < 3:
        raise InputError(f"states: found {states}, expected 3 or more")
    for table in tables:
        if len(table.times) < 3:
            raise InputError(f"{table.source}, {table.name}: {len(table.times)} states; a fit needs at least three")
    chosen = [_choose(table, states) for table in tables]
    samples, day, fraction = _gather(chosen, states)
    elements = _osculating(samples.position[:, 0], samples.velocity[:, 0], day, fraction)
    devices = Devices()
    # all elements but B* from the first state, so that a fit over days starts within its reach
    first = np.ones((1, len(tables)))
    by_velocity = first * (60.0 / np.asarray(elements.mean_motion)) ** 2  # s: a velocity counts as the radius does
    at_epoch = dataclasses.replace(samples.take(np.arange(len(tables)), 1), weight=first, velocity_weight=by_velocity)
    start = fit(
        elements, at_epoch, _WITHOUT_DRAG, steps=_STATE_STEPS, negligible=_NEGLIGIBLE_KM2, devices=devices
    ).elements
    revolutions = np.maximum(samples.minutes.max(axis=0) * np.asarray(start.mean_motion) / TWO_PI, 1.0)
    has_drag = fit_drag and bool((revolutions > _LEAST_REVOLUTIONS).any())
    free = np.ones(7, bool) if has_drag else _WITHOUT_DRAG
    found = fit(start, samples, free, steps=_STEPS, devices=devices)
    count = np.array([len(table.times) for table in chosen])
    square = np.asarray(found.sums.square)
    # of each coordinate; each revolution is one position, and the fit takes seven numbers from them
    variance = square / (3.0 * count) * count / revolutions
    covariance = invert(found.sums.matrix, free) * variance
    return ElementFit(
        catalog=_make_catalog(chosen, found.elements),
        rms_km=np.sqrt(square / count),
        largest_km=np.asarray(found.sums.largest),
        covariance=covariance.transpose(2, 0, 1),
        states=count,
        has_converged=found.has_converged,
    )


def _tables(ephemeris: Any, frame: str | None) -> list[StateTable]:
    if isinstance(ephemeris, xr.Dataset):
        return _from_dataset(ephemeris, frame)
    paths = [ephemeris] if isinstance(ephemeris, str | Path) else list(ephemeris)
    if not paths:
        raise InputError("ephemeris: no file given; at least one is needed")
    if frame is not None:
        raise InputError("frame: files have their own; it belongs to a Dataset")
    return [table for path in paths for table in read_ephemeris(path)]


def _from_dataset(dataset: xr.Dataset, frame: str | None) -> list[StateTable]:
    missing = [name for name in ("x", "y", "z") if name not in dataset]
    if missing or "time" not in dataset.coords or "satellite" not in dataset.dims:
        raise InputError(f"ephemeris: a Dataset without {', '.join(missing) or 'the dimensions time and satellite'}")
    frame = str(frame or dataset.attrs.get("frame", dataset["x"].attrs.get("frame", ""))).lower()
    if frame not in FRAMES:
        raise InputError(f"frame {frame!r}: unknown; known are {', '.join(FRAMES)}")
    times = np.asarray(dataset["time"].values, "datetime64[ns]")
    order = np.argsort(times, kind="stable")

    def stack(names: tuple[str, ...]) -> Floats:
        parts = [np.asarray(dataset[name].transpose("time", "satellite"), np.float64) for name in names]
        return np.stack(parts, axis=-1)[order]

    position = stack(("x", "y", "z"))
    velocity = stack(("vx", "vy", "vz")) if "vx" in dataset else None
    labels = (
        [str(v) for v in np.asarray(dataset["satellite"])]
        if "satellite" in dataset.coords
        else [""] * position.shape[1]
    )

    def column(name: str, default: Any) -> list[Any]:
        return np.asarray(dataset[name]).tolist() if name in dataset.coords else [default] * position.shape[1]

    names, numbers = column("name", ""), column("norad_id", NO_NORAD_ID)
    designators = column("international_designator", "")
    tables = []
    for k, label in enumerate(labels):
        known = np.isfinite(position[:, k]).all(axis=1)
        tables.append(
            StateTable(
                name=str(names[k] or label),
                norad_id=int(numbers[k]),
                designator=str(designators[k]),
                source="Dataset",
                frame=frame,
                times=times[order][known],
                position=position[known, k],
                velocity=None if velocity is None else velocity[known, k],
            )
        )
    return tables


def _cut(table: StateTable, span: np.timedelta64) -> StateTable:
    last = int(np.searchsorted(table.times, table.times[0] + span, side="right"))
    velocity = None if table.velocity is None else table.velocity[:last]
    return dataclasses.replace(table, times=table.times[:last], position=table.position[:last], velocity=velocity)


def _choose(table: StateTable, most: int) -> StateTable:
    """The states to be fitted, spread evenly, all with velocities: the first one starts the fit."""
    velocity = table.velocity if table.velocity is not None else _differentiate(table)
    count = len(table.times)
    at = np.unique(np.rint(np.linspace(0, count - 1, min(most, count))).astype(np.int64))
    return dataclasses.replace(table, times=table.times[at], position=table.position[at], velocity=velocity[at])


def _differentiate(table: StateTable) -> Floats:
    """Velocity at the first instant, by a polynomial through the first positions; 0 at the others."""
    few = slice(0, min(_NEIGHBOURS, len(table.times)))
    seconds = (table.times[few] - table.times[0]) / np.timedelta64(1, "s")
    scale = seconds[-1]
    powers = np.vander(seconds / scale, increasing=True)
    velocity = np.zeros_like(table.position)
    velocity[0] = np.linalg.solve(powers, table.position[few])[1] / scale
    return velocity


def _gather(tables: list[StateTable], states: int) -> tuple[Samples, NDArray[np.int64], Floats]:
    """Arrays of all objects, padded to one number of instants, and their epochs."""
    count = len(tables)
    minutes, weight = np.zeros((states, count)), np.zeros((states, count))
    position, velocity = np.ones((3, states, count)), np.ones((3, states, count))
    day, fraction = to_day_fraction(np.array([table.times[0] for table in tables]))
    for k, table in enumerate(tables):
        m = len(table.times)
        minutes[:, k] = (table.times[-1] - table.times[0]).astype(np.int64) / 60e9
        minutes[:m, k] = (table.times - table.times[0]).astype(np.int64) / 60e9
        weight[:m, k] = 1.0
        position[:, :m, k] = table.position.T
        assert table.velocity is not None
        velocity[:, :m, k] = table.velocity.T
    return Samples(minutes, position, velocity, weight, np.zeros_like(weight)), day, fraction


def _osculating(position: Floats, velocity: Floats, day: NDArray[np.int64], fraction: Floats) -> Elements:
    """Two-body elements of states, arrays of shape (3, n), as elements of SGP4 to start from."""
    r = np.linalg.norm(position, axis=0)
    h = np.cross(position.T, velocity.T).T
    axis = 1.0 / (2.0 / r - (velocity**2).sum(axis=0) / MU)
    if not (np.isfinite(axis) & (axis > 0.0)).all():
        raise InputError(
            "ephemeris: the first state of an object is on no closed orbit; expected km and km/s in the frame given"
        )
    inclination = np.arctan2(np.hypot(h[0], h[1]), h[2])
    raan = np.arctan2(h[0], -h[1])
    node = np.stack([np.cos(raan), np.sin(raan), np.zeros_like(raan)])
    across = np.cross(h.T / np.linalg.norm(h, axis=0)[:, None], node.T).T
    vector = np.cross(velocity.T, h.T).T / MU - position / r
    ex, ey = (vector * node).sum(axis=0), (vector * across).sum(axis=0)
    latitude = np.arctan2((position * across).sum(axis=0), (position * node).sum(axis=0))
    e, omega = np.hypot(ex, ey), np.arctan2(ey, ex)
    eccentric = 2.0 * np.arctan(np.sqrt((1.0 - e) / (1.0 + e)) * np.tan(0.5 * (latitude - omega)))
    return Elements(
        mean_motion=60.0 * np.sqrt(MU / axis**3),
        eccentricity=e,
        inclination=inclination,
        raan=np.mod(raan, TWO_PI),
        arg_perigee=np.mod(omega, TWO_PI),
        mean_anomaly=np.mod(eccentric - e * np.sin(eccentric), TWO_PI),
        bstar=np.zeros_like(e),
        epoch_day=day.astype(np.float64),
        epoch_fraction=fraction,
    )


def _make_catalog(tables: list[StateTable], elements: Elements) -> Catalog:
    angles = {
        name: np.asarray(getattr(elements, name)) / DEGREE
        for name in ("inclination", "raan", "arg_perigee", "mean_anomaly")
    }
    return Catalog.from_columns(
        {
            "norad_id": [table.norad_id for table in tables],
            "name": [table.name for table in tables],
            "international_designator": [table.designator for table in tables],
            "source": [table.source for table in tables],
            "epoch_day": np.asarray(elements.epoch_day).astype(np.int64),
            "epoch_fraction": elements.epoch_fraction,
            "mean_motion_rev_per_day": np.asarray(elements.mean_motion) * (MINUTES_PER_DAY / TWO_PI),
            "eccentricity": elements.eccentricity,
            "bstar": elements.bstar,
            **{f"{name}_deg": value for name, value in angles.items()},
        }
    )
