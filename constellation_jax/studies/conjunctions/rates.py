"""Encounter rates counted by screening: shells with each other and with what flies, beside what kinetic theory expects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from constellation_jax.engine.default_device import on_device
from constellation_jax.engine.precision import evaluate
from constellation_jax.engine.screening.engine import ScreeningEngine
from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog, check_catalog
from constellation_jax.inputs.shells.lattice import shells_to_catalog
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.sources import choose_start
from constellation_jax.inputs.times import Time, to_day_fraction
from constellation_jax.outputs.datasets.conjunctions import make_rates_dataset
from constellation_jax.physics.constants import SECONDS_PER_DAY, WGS84_EQUATORIAL_RADIUS_KM
from constellation_jax.physics.merit.conjunction_rate import ConjunctionBackground, between_shells, with_background
from constellation_jax.studies.conjunctions.manoeuvres import OWN_SIGMA_M, THRESHOLDS, compute_areas, make_model
from constellation_jax.studies.conjunctions.screen import FARTHEST_KM, STEP_S
from constellation_jax.studies.propagation.runs import Progress, make_counter

CATALOGUE: Final = "catalogue"
"""Label of the real objects among the shells."""
LONGEST_DAYS: Final = 60.0


@on_device
def encounter_rates(
    catalog: Catalog | None,
    shells: Shell | Sequence[Shell],
    *,
    days: float = 1.0,
    distance_km: float = 5.0,
    miss_distance_km: float = 1.0,
    start: Time | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    age_days: float = 0.5,
    own_sigma_m: Sequence[float] = OWN_SIGMA_M,
    own_radius_m: float = 5.0,
    device: str | None = None,
    progress: Progress | None = None,
) -> xr.Dataset:
    """Count the encounters of planned shells with each other and with a catalogue, beside the kinetic theory's expectation.

    Everything is screened for some days, and approaches within `distance_km` are counted. The expectation is that of
    `merit.conjunction_rate`, which tuning uses: it holds where phases are independent of each other, and not where a pattern or a
    resonance keeps shells apart or together. What is counted over what is expected within `distance_km`, times what is expected
    within `miss_distance_km`, is the rate within that distance, at which few are met in a day. The satellites of a shell do not
    count with each other.

    The manoeuvres a year are those that the encounters call for at thresholds of the collision probability, each encounter standing
    for all that pass as it does (manoeuvres.py). They go with the errors that are known when one decides, and public element sets
    are worse than what operators have: an order of magnitude.

    Args:
        catalog: what flies; leave out what a shell replaces or is coordinated with. None: the shells alone.
        shells: one or several.
        days: span that is screened.
        distance_km: largest distance that is counted, up to 50 km.
        miss_distance_km: distance of the rates for a year.
        start: beginning, UTC, and epoch of the shells; None: the latest epoch of the catalogue, or the last midnight.
        thresholds: collision probabilities above which a manoeuvre is made.
        age_days: age of the catalogue's element sets at the encounter, by which their errors go (the bundled table by class).
        own_sigma_m: standard deviations of planned satellites when one decides, radial, in-track and cross-track, m; those that an
            ephemeris of Starlink of 2023 states twelve hours ahead.
        own_radius_m: hard-body radius of a planned satellite, m; the catalogue's are those of `add_probability`.
        device: as for `propagate`.
        progress: called as work is done.

    Returns:
        Dataset with the dims shell and other, of which the last is "catalogue": encounters counted within `distance_km`, their
        number a day, the number a year within `miss_distance_km` with its standard error by counting, what is expected of both, and
        by threshold the manoeuvres a year of all satellites of a shell.

    Raises:
        InputError: no shell, or numbers out of range.
    """
    shells = [shells] if isinstance(shells, Shell) else list(shells)
    if not shells:
        raise InputError("shells: none given, expected one or several")
    for name, value, most in (
        ("days", days, LONGEST_DAYS), ("distance_km", distance_km, FARTHEST_KM),
        ("miss_distance_km", miss_distance_km, FARTHEST_KM),
    ):  # fmt: skip
        if not 0.0 < value <= most:
            raise InputError(f"{name} {value!r}: expected a number above 0, up to {most:g}")
    model = make_model(thresholds, age_days, own_sigma_m, own_radius_m)
    if catalog is not None:
        check_catalog(catalog)
    real = catalog if catalog is not None and len(catalog) else None
    begin = choose_start(real, start)
    planned = shells_to_catalog(shells, epoch=begin)
    objects = planned if real is None else Catalog.concatenate([planned, real])
    group = np.repeat(np.arange(len(shells) + 1), [*(shell.total for shell in shells), len(objects) - len(planned)])

    day, fraction = to_day_fraction(np.array([begin]))
    engine = ScreeningEngine(
        objects.elements, int(day[0]), float(fraction[0]), days * SECONDS_PER_DAY, distance_km=distance_km,
        step_s=STEP_S, groups=group.astype(np.int32), platform=device,
    )  # fmt: skip
    counts = np.zeros((len(shells) + 1,) * 2, np.int64)
    found = engine.screen(progress=make_counter(progress, engine.steps * len(objects)))
    passes = ~(found.is_at_start | found.is_at_end)
    met = found.encounters.part(passes)
    pair = group[met.first], group[met.second]
    np.add.at(counts, pair, 1)
    parts = compute_areas(met, objects, len(planned), model) / (np.pi * distance_km**2)
    sums = np.zeros((2, *counts.shape, len(model.thresholds)))  # of the parts, and of their squares
    np.add.at(sums[0], pair, parts)
    np.add.at(sums[1], pair, parts**2)
    counts, sums = (counts + counts.T)[:-1], (sums + sums.swapaxes(1, 2))[:, :-1]
    return make_rates_dataset(
        [shell.name for shell in shells],
        [*(shell.name for shell in shells), CATALOGUE],
        counts,
        (_expect(shells, real, distance_km), _expect(shells, real, miss_distance_km)),
        (model.thresholds, sums[0], np.sqrt(sums[1])),
        {"days": days, "distance_km": distance_km, "miss_distance_km": miss_distance_km, "start": f"{begin}Z",
         "objects": len(objects), "manoeuvre_covariance": model.describe()},
    )  # fmt: skip


def _expect(shells: Sequence[Shell], catalog: Catalog | None, distance_km: float) -> NDArray[np.float64]:
    """Expected encounters of each shell with each other and with the catalogue, per year, shape (shells, shells + 1)."""
    a = np.array([shell.orbit.altitude_km for shell in shells]) + WGS84_EQUATORIAL_RADIUS_KM
    # a planned orbit is off the frozen one by its eccentricity
    spread = a * np.array([shell.orbit.eccentricity for shell in shells]) / np.sqrt(2.0)
    each: Any = evaluate(lambda: between_shells(shells, distance_km, spread))
    if catalog is None:
        return np.concatenate([each, np.zeros((len(shells), 1))], axis=1)
    background = ConjunctionBackground.from_catalog(catalog)
    # one after the other: shells differ in what is static
    real = [evaluate(lambda shell=shell: with_background([shell], background, distance_km)) for shell in shells]
    return np.concatenate([each, np.array(real).reshape(-1, 1)], axis=1)
