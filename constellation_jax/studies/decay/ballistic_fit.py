"""Ballistic coefficients of objects, fitted to the decay of their orbits.

Along the observed path the sinking by drag at B = 1 is integrated; the observed semi-major axes are then a straight line in that
integral, a = a0 + B I(t), and B is its slope. No orbit is integrated, so nothing has to converge, and many histories are
one pass. A satellite that turns changes its B: the line has corners, which `pieces` finds, and the last piece counts. The B
includes the error of the atmosphere during that piece.
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
from constellation_jax.studies.decay.pieces import find_pieces

FEWEST_SETS: Final = 4
"""Fewest element sets of an object from which its coefficient is fitted."""
_PARTS: Final = 6
"""Parts of a piece, at most, whose fits give the uncertainty."""
_RAISED_KM: Final = 0.3
"""Rise from one set to the next that only a manoeuvre explains."""
DOUBTS: Final = ("none", "raised", "no_fit", "scattered", "unsteady", "short", "uncertain")
"""Reasons to doubt a fitted coefficient, by number; the first that applies counts. Raised: a set lies 0.3 km or more above the one
before. No fit: fewer than four sets, or an orbit that does not sink. Of the last piece: scattered, 1 km rms or more about the line;
unsteady, coefficients of its two halves apart by more than 30 %; short, less than 8 days; uncertain, a standard error of more than
half the coefficient. Of the re-entries of 2026, predicted each week, what is not in doubt is 3.9 % off in the median and 14 % in
nine of ten, what is in doubt 17 % and 68 % (tests/benchmarks/test_hindcasts.py)."""
_SCATTERED_KM: Final = 1.0
_UNSTEADY_RATIO: Final = 1.3
_SHORT_DAYS: Final = 8.0
_LEAST_ERROR: Final = 0.04
"""Least relative standard error of a coefficient."""
_RETURN: Final = 0.25
"""Weight of the variance about the last piece that the other pieces have in time: an attitude may come back."""
_SHORT_ERROR: Final = 0.35
"""Relative standard error that a piece of less than 8 days adds: nothing is known of its attitude."""


class BallisticFit(NamedTuple):
    """Fitted ballistic coefficients, arrays of shape (objects,), in the order in which the objects first appear."""

    norad_id: NDArray[np.int64]
    """Catalogue number of each object."""
    coefficient: Floats
    """Ballistic coefficient Cd A / m of the last piece, m2/kg; NaN with fewer than four sets or where the orbit does not sink."""
    uncertainty: Floats
    """Standard error of the coefficient for a prediction, m2/kg: from parts of the last piece, which disagree by more than the
    noise of the sets does, from its two halves, and from the coefficients of the pieces before it, one of which may come back."""
    rms_km: Floats
    """Root mean square of the semi-major axes of the last piece about the fitted line, km."""
    sets: NDArray[np.int64]
    """Number of element sets used, in all pieces."""
    span_days: Floats
    """Time from the first to the last set, days."""
    raised: NDArray[np.bool_]
    """True where a set lies 0.3 km or more above the one before: the object manoeuvres, and B means little."""
    pieces: NDArray[np.int64]
    """Number of pieces of constant coefficient; more than one where it changed."""
    piece_days: Floats
    """Time from the first to the last set of the last piece, days."""
    doubt: NDArray[np.int8]
    """First reason to doubt the coefficient, a position in `DOUBTS`; 0 where there is none."""

    def match(self, catalog: Catalog) -> tuple[Floats, Floats, NDArray[np.int8], NDArray[np.int64]]:
        """Coefficients, relative standard errors, doubts and pieces of the objects of a catalogue, by catalogue number.

        Objects that were not fitted have NaN, NaN, the number of "no_fit" and 0.
        """
        place = {number: k for k, number in enumerate(self.norad_id.tolist())}
        found = np.array([place.get(number, -1) for number in catalog.norad_id.tolist()], np.intp)
        known = found >= 0
        coefficient = np.where(known, self.coefficient[found], np.nan)
        relative = np.where(known, self.uncertainty[found], np.nan) / coefficient
        doubt = np.where(known, self.doubt[found], DOUBTS.index("no_fit")).astype(np.int8)
        return coefficient, relative, doubt, np.where(known, self.pieces[found], 0)


def fit_ballistic_coefficient(
    catalog: Catalog, *, space_weather: SpaceWeatherSource | None = None, atmosphere: str = CALIBRATED
) -> BallisticFit:
    """Fit ballistic coefficients to histories of element sets, in pieces where they change.

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


_Row = tuple[float, float, float, int, float, bool, int, float, np.int8]


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


def _fit(objects: Objects, path: _Path, rate: Floats) -> _Row:
    """Row of an object: the fields of `BallisticFit` after `norad_id`."""
    a, mjd = objects.orbit.semi_major_axis, objects.mjd
    sunk = np.zeros(len(a))
    np.add.at(sunk, path.set_after, rate * path.days)
    integral = np.cumsum(sunk)
    starts = find_pieces(mjd, a, integral)
    last = slice(starts[-1], None)
    slope, rms = _line(integral[last], a[last])
    raised = bool((np.diff(a) > _RAISED_KM).any())
    days = float(mjd[-1] - mjd[starts[-1]])
    half, own = _halves(mjd[last], integral[last], a[last]), _scatter(integral[last], a[last])
    error = np.sqrt(
        (own / slope) ** 2
        + _LEAST_ERROR**2
        + (1.0 if np.isnan(half) else half) ** 2
        + _RETURN * _spread_of_others(mjd, integral, a, starts, slope)
        + (days < _SHORT_DAYS) * _SHORT_ERROR**2
    )
    reasons = (
        ("raised", raised),
        ("no_fit", not slope > 0.0),
        ("scattered", rms >= _SCATTERED_KM),
        ("unsteady", not half < np.log(_UNSTEADY_RATIO)),
        ("short", days < _SHORT_DAYS),
        ("uncertain", not error < 0.5),
    )
    doubt = np.int8(next((DOUBTS.index(name) for name, applies in reasons if applies), 0))
    value = slope if slope > 0.0 else float("nan")
    return value, float(error) * slope, rms, len(a), float(mjd[-1] - mjd[0]), raised, len(starts), days, doubt


def _halves(mjd: Floats, integral: Floats, a: Floats) -> float:
    """Logarithm of the ratio of the coefficients of two halves in time; NaN where either does not sink."""
    middle = 0.5 * (mjd[0] + mjd[-1])
    slopes = [_line(integral[part], a[part])[0] for part in (mjd <= middle, mjd >= middle) if part.sum() > 1]
    return float(np.abs(np.log(slopes[1] / slopes[0]))) if len(slopes) == 2 and min(slopes) > 0.0 else float("nan")


def _scatter(integral: Floats, a: Floats) -> float:
    """Standard error of the slope from parts of equal sinking, which disagree by more than the noise of the sets does."""
    edges = np.linspace(integral[0], integral[-1], max(min(_PARTS, len(a) // FEWEST_SETS), 1) + 1)
    part = np.clip(np.searchsorted(-edges, -integral, side="right") - 1, 0, len(edges) - 2)
    slopes = [_line(integral[part == k], a[part == k])[0] for k in range(len(edges) - 1) if (part == k).sum() > 2]
    return float(np.std(slopes, ddof=1) / np.sqrt(len(slopes))) if len(slopes) > 1 else float("nan")


def _spread_of_others(mjd: Floats, integral: Floats, a: Floats, starts: list[int], slope: float) -> float:
    """Mean square of ln B about the last piece over the time of all pieces."""
    ends = [*starts[1:], len(a)]
    slopes = np.array([_line(integral[k:n], a[k:n])[0] for k, n in zip(starts, ends, strict=True)])
    days = np.array([mjd[n - 1] - mjd[k] for k, n in zip(starts, ends, strict=True)])
    square = np.log(np.maximum(slopes / slope, 0.05)) ** 2 if slope > 0.0 else np.full(len(slopes), np.nan)
    return float((days * square).sum() / max(float(days.sum()), 1e-9))


def _line(x: Floats, y: Floats) -> tuple[float, float]:
    """Slope of the straight line through points, and their rms about it."""
    dx, dy = x - x.mean(), y - y.mean()
    slope = float((dx * dy).sum() / max((dx * dx).sum(), 1e-300))
    return slope, float(np.sqrt(np.mean((dy - slope * dx) ** 2)))


def _no_fit(objects: Objects) -> _Row:
    """Row of an object with too few sets."""
    nan = float("nan")
    span = float(np.ptp(objects.mjd))
    return nan, nan, nan, objects.satellites, span, False, 0, span, np.int8(DOUBTS.index("no_fit"))
