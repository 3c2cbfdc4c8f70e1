"""Ballistic coefficients of objects, fitted to the decay of their orbits.

Along the observed path the sinking by drag at B = 1 is integrated; the observed semi-major axes are then a straight line in that
integral, a = a0 + B I(t), and B is its slope. No orbit is integrated, so nothing has to converge, and many histories are
one pass. The B includes the error of the atmosphere during the span.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from constellation_jax.engine.decay.engine import Floats, Objects, decay_rates
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, check_model
from constellation_jax.inputs.environment.space_weather_series import SpaceWeather, SpaceWeatherSource
from constellation_jax.physics.drag.rates import MeanOrbit
from constellation_jax.studies.decay.inputs import make_objects, make_series, resolve_space_weather

FEWEST_SETS: Final = 4
"""Fewest element sets of an object from which its coefficient is fitted."""
_PIECES: Final = 6
"""Pieces of the span, at most, whose fits give the uncertainty."""
_RAISED_KM: Final = 0.3
"""Rise from one set to the next that only a manoeuvre explains."""


class BallisticFit(NamedTuple):
    """Fitted ballistic coefficients, arrays of shape (objects,), in the order in which the objects first appear."""

    norad_id: NDArray[np.int64]
    """Catalogue number of each object."""
    coefficient: Floats
    """Ballistic coefficient Cd A / m, m2/kg; NaN with fewer than four sets or where the orbit does not sink."""
    uncertainty: Floats
    """Standard error of the coefficient, m2/kg, from pieces of the span, which disagree by more than the noise of the sets does."""
    rms_km: Floats
    """Root mean square of the semi-major axes about the fitted line, km."""
    sets: NDArray[np.int64]
    """Number of element sets used."""
    span_days: Floats
    """Time from the first to the last set, days."""
    raised: NDArray[np.bool_]
    """True where a set lies 0.3 km or more above the one before: the object manoeuvres, and B means little."""


def fit_ballistic_coefficient(
    catalog: Catalog, *, space_weather: SpaceWeatherSource | None = None, atmosphere: str = CALIBRATED
) -> BallisticFit:
    """Fit ballistic coefficients to histories of element sets.

    Args:
        catalog: several sets of each object (same `norad_id`), in any order.
        space_weather: source as for `SpaceWeather.load`; the bundled monthly table if not given. Daily values serve short
            histories better.
        atmosphere: model of the atmosphere, as for `decay`: a coefficient belongs to the model with which it was fitted.

    Raises:
        InputError: no object, an unknown model, or space weather that does not reach back to the first set.
    """
    if not len(catalog):
        raise InputError("catalogue: no objects; there is nothing to fit")
    check_model(atmosphere)
    weather = resolve_space_weather(space_weather, "median")
    ids = list(dict.fromkeys(catalog.norad_id.tolist()))
    histories = [_history(catalog[np.flatnonzero(catalog.norad_id == number)]) for number in ids]
    paths = [_path(objects) for objects in histories]
    rates = _rates([path for path in paths if path is not None], weather, atmosphere)
    rows = []
    for objects, path in zip(histories, paths, strict=True):
        rows.append(_fit(objects, path, next(rates)) if path is not None else _no_fit(objects))
    columns = list(zip(*rows, strict=True))
    return BallisticFit(np.array(ids, np.int64), *(np.array(c) for c in columns))


class _Path(NamedTuple):
    """Path of an object, cut into pieces of at most a day between successive sets; arrays of shape (pieces,)."""

    objects: Objects
    """Orbit at the middle of each piece."""
    days: Floats
    """Length of each piece, days."""
    set_after: NDArray[np.intp]
    """Position of the set that follows each piece."""


def _history(catalog: Catalog) -> Objects:
    """Sets of one object in order of time, without those within an hour of another: re-issues of the same state."""
    objects = make_objects(catalog, np.ones(len(catalog)))
    objects = objects.take(np.argsort(objects.mjd, kind="stable"))
    chosen = [0]
    for k, mjd in enumerate(objects.mjd):
        if mjd - objects.mjd[chosen[-1]] > 1.0 / 24.0:
            chosen.append(k)
    return objects.take(np.array(chosen))


def _path(objects: Objects) -> _Path | None:
    if objects.satellites < FEWEST_SETS:
        return None
    gap = np.diff(objects.mjd)
    count = np.ceil(gap).astype(np.int64)
    before = np.repeat(np.arange(len(gap)), count)
    within = np.arange(len(before)) - np.repeat(np.cumsum(count) - count, count)
    part = (within + 0.5) / count[before]
    a = objects.orbit.semi_major_axis
    there = objects.take(before)
    orbit: MeanOrbit = there.orbit._replace(semi_major_axis=a[before] + part * np.diff(a)[before])
    middle = there._replace(orbit=orbit, mjd=objects.mjd[before] + part * gap[before])
    return _Path(middle, gap[before] / count[before], before + 1)


def _rates(paths: list[_Path], weather: SpaceWeather, model: str) -> Iterator[Floats]:
    """Decay rates at B = 1 along each path, all in one pass over a daily series for every 2,000 days."""
    if not paths:
        return iter(())
    mjd = np.concatenate([p.objects.mjd for p in paths])
    whole = Objects(
        MeanOrbit(*(np.concatenate([p.objects.orbit[k] for p in paths]) for k in range(len(MeanOrbit._fields)))),
        mjd,
        np.ones(len(mjd)),
        np.zeros(len(mjd)),
    )
    rate = np.empty(len(mjd))
    block = np.floor(mjd / 2000.0)
    for k in np.unique(block):
        members = np.flatnonzero(block == k)
        part = whole.take(members)
        first = float(np.floor(part.mjd.min()))
        end = float(np.floor(part.mjd.max())) + 1.0
        rate[members] = decay_rates(part, make_series(weather, first, end, 1.0, model=model)[0])[0]
    return iter(np.split(rate, np.cumsum([len(p.days) for p in paths])[:-1]))


def _fit(objects: Objects, path: _Path, rate: Floats) -> tuple[float, float, float, int, float, bool]:
    """Row of an object: the fields of `BallisticFit` after `norad_id`."""
    a = objects.orbit.semi_major_axis
    sunk = np.zeros(len(a))
    np.add.at(sunk, path.set_after, rate * path.days)
    integral = np.cumsum(sunk)
    slope, rms = _line(integral, a)
    edges = np.linspace(integral[0], integral[-1], min(_PIECES, len(a) // FEWEST_SETS) + 1)
    piece = np.clip(np.searchsorted(-edges, -integral, side="right") - 1, 0, len(edges) - 2)
    slopes = [_line(integral[piece == k], a[piece == k])[0] for k in range(len(edges) - 1) if (piece == k).sum() > 2]
    sigma = float(np.std(slopes, ddof=1) / np.sqrt(len(slopes))) if len(slopes) > 1 else float("nan")
    raised = bool((np.diff(a) > _RAISED_KM).any())
    value = slope if slope > 0.0 else float("nan")
    return value, sigma, rms, len(a), float(objects.mjd[-1] - objects.mjd[0]), raised


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope of the straight line through points, and their rms about it."""
    dx, dy = x - x.mean(), y - y.mean()
    slope = float((dx * dy).sum() / max((dx * dx).sum(), 1e-300))
    return slope, float(np.sqrt(np.mean((dy - slope * dx) ** 2)))


def _no_fit(objects: Objects) -> tuple[float, float, float, int, float, bool]:
    """Row of an object with too few sets."""
    nan = float("nan")
    return nan, nan, nan, objects.satellites, float(np.ptp(objects.mjd)), False
