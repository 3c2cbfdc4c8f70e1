"""What a design is worth: the terms of a study, each from a figure of merit of physics/, in shapes that the study asks for.

What does not vary is made once for a study (`surroundings_of`): drag over altitude and inclination, lifetimes, the background
catalogue, weights of latitudes, satellites and launch vehicle. The rest is pure JAX of the design.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from fnmatch import translate
from typing import Any, Final, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from constellation_jax.errors import InputError
from constellation_jax.inputs.catalog.catalog import Catalog
from constellation_jax.inputs.environment.demand import demand
from constellation_jax.inputs.environment.space_weather_series import SpaceWeatherSource
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.sources import find_source, read_source
from constellation_jax.inputs.tuning.problem import Study, Term
from constellation_jax.inputs.tuning.terms import TERMS
from constellation_jax.physics.drag.station_keeping import duty_cycle, propellant_kg
from constellation_jax.physics.drag.tables import delta_v_per_year, lifetime_years
from constellation_jax.physics.merit.conjunction_rate import (
    encounters_between,
    encounters_with,
    smooth_least_clearance_km,
)
from constellation_jax.physics.merit.cost import launch_mass_kg, launches_needed, replacements_per_year
from constellation_jax.physics.merit.coverage import mean_in_view, probability_in_view
from constellation_jax.physics.merit.link import free_space_loss_db, light_time_ms, mean_over_footprint
from constellation_jax.physics.merit.revisit import smooth_least_margin_deg, worst_gap_minutes
from constellation_jax.studies.decay.inputs import ASSUMED_BALLISTIC_COEFFICIENT
from constellation_jax.studies.tuning.design import Design, Floats

FREQUENCY_GHZ: Final = 12.0
"""Of the free-space loss: the down-links of broadband constellations."""
_DRAG: Final = frozenset({"delta_v_m_s_per_year", "propellant_kg_per_year", "duty_cycle", "duty_cycle_peak"})


class Satellites(NamedTuple):
    """What the satellites of each shell are like, shape (shells,); NaN where not known and not asked for."""

    ballistic_coefficient: Floats
    dead_ballistic_coefficient: Floats
    """Tumbling, where its areas are known."""
    mass_kg: Floats
    specific_impulse_s: Floats
    thrust_mn: Floats
    design_life_years: Floats


class Pattern(NamedTuple):
    """Static: numbers that choose code. One for each shell."""

    planes: tuple[int, ...]
    satellites_per_plane: tuple[int, ...]
    star: tuple[bool, ...]


class Surroundings(NamedTuple):
    """Everything but the design; a pytree of arrays, None where no term needs it."""

    satellites: Satellites
    climate: Any
    lifetimes: Any
    background: Any
    weights: Any
    """By name of the demand: (latitudes, weights)."""
    launcher: Any
    """Payload and room of the launch vehicle."""
    injection_altitude_km: float


def surroundings_of(
    study: Study, *, background: Catalog | None = None, space_weather: SpaceWeatherSource | None = None
) -> Surroundings:
    """What the terms of a study need; takes some seconds where drag, lifetimes or a background are among them."""
    asked = {term.quantity for term in study.terms()}
    satellites = _satellites(study.shells)
    climate = lifetimes = crowd = None
    if asked & _DRAG:
        from constellation_jax.studies.decay.fill_tables import drag_climate

        climate = drag_climate(years=study.years, start=study.start, solar=study.scenarios, space_weather=space_weather)
    if "lifetime_years" in asked:
        from constellation_jax.studies.decay.fill_tables import lifetime_table

        dead = satellites.dead_ballistic_coefficient
        span: Any = float(dead.min()) if np.ptp(dead) == 0.0 else (float(dead.min()), float(dead.max()))
        lifetimes = lifetime_table(
            start=study.start, ballistic_coefficient=span, solar=study.scenarios, space_weather=space_weather
        )
    if "background_encounters_per_year" in asked:
        from constellation_jax.inputs.environment.crowding_background import crowding_background

        crowd = crowding_background(_without(_catalog(study) if background is None else background, study.exclude))
    weights = {term.demand: _weights(term.demand) for term in study.terms() if term.demand}
    carrier = None
    if "launches" in asked:
        from constellation_jax.studies.deployment.launcher import launcher

        try:
            carrier = launcher(study.vehicle, cargo=study.cargo or None)
        except InputError as error:
            raise InputError(f"study {study.name!r}, launch: {error}") from None
    return Surroundings(satellites, climate, lifetimes, crowd, weights, carrier, study.injection_altitude_km)


class Values:
    """Figures of merit of one design, each computed once however many terms ask for it. Lives within one trace."""

    def __init__(self, design: Design, surroundings: Surroundings, pattern: Pattern, miss_distance_km: float) -> None:
        self.design, self.surroundings = design, surroundings
        self.pattern, self.miss_distance_km = pattern, miss_distance_km
        self._known: dict[Any, Array] = {}

    def once(self, key: Any, make: Callable[[], Array]) -> Array:
        if key not in self._known:
            self._known[key] = make()
        return self._known[key]


def term_values(term: Term, values: Values) -> Array:
    """A term for the shells or latitudes that it is about: shape (places,), or (scenarios, shells) where the Sun matters."""
    kind = TERMS[term.quantity]
    if kind.one_shell:
        return _of_one_shell(term, values)
    if kind.each == "latitude":
        return _by_latitude(term, values)
    if kind.each == "system":
        d = values.design
        return smooth_least_clearance_km(picked(d.altitude_km, term.shells), picked(d.inclination_deg, term.shells))[
            None
        ]
    return picked(values.once(term.quantity, lambda: _BY_SHELL[term.quantity](values)), term.shells)


def picked(found: Array, shells: tuple[int, ...]) -> Array:
    """Values of some shells, from those of all along the last axis."""
    # no gather: under xla_cpu_use_multi_output_fusion it makes XLA's CPU compiler (jaxlib 0.10.2) abort
    return jnp.stack([found[..., k] for k in shells], axis=-1)


def pattern_of(shells: tuple[Shell, ...]) -> Pattern:
    """Planes and slots of some shells."""
    return Pattern(
        tuple(s.planes for s in shells),
        tuple(s.satellites_per_plane for s in shells),
        tuple(s.walker == "star" for s in shells),
    )


def _satellites(shells: tuple[Shell, ...]) -> Satellites:
    def known(key: str) -> Floats:
        return np.array([getattr(s, key) or np.nan for s in shells], float)

    on_station = [s.ballistic_coefficient() or ASSUMED_BALLISTIC_COEFFICIENT for s in shells]
    dead = [s.ballistic_coefficient("tumbling") or b for s, b in zip(shells, on_station, strict=True)]
    return Satellites(np.array(on_station), np.array(dead), *(known(key) for key in Satellites._fields[2:]))


def _by_latitude(term: Term, values: Values) -> Array:
    d = values.design
    if term.demand:
        latitude, weight = (jnp.asarray(v) for v in values.surroundings.weights[term.demand])
    else:
        latitude, weight = jnp.array(term.latitude_deg), None
    if term.quantity == "mean_in_view":
        counted = np.zeros(len(d.altitude_km))
        counted[list(term.shells)] = 1.0
        found = jnp.sum(
            mean_in_view(latitude, d.altitude_km, d.inclination_deg, d.satellites * counted, d.min_elevation_deg),
            axis=0,
        )
    else:
        p = values.pattern
        found = probability_in_view(
            term.at_least_in_view,
            latitude,
            picked(d.altitude_km, term.shells),
            picked(d.inclination_deg, term.shells),
            [p.planes[k] for k in term.shells],
            [p.satellites_per_plane[k] for k in term.shells],
            picked(d.phasing, term.shells),
            picked(d.min_elevation_deg, term.shells),
            star=[p.star[k] for k in term.shells],
        )
    return found if weight is None else jnp.sum(weight * found)[None]


def _of_one_shell(term: Term, values: Values) -> Array:
    """Continuity of coverage by one full shell at each latitude."""
    d, p, k = values.design, values.pattern, term.shells[0]
    found = smooth_least_margin_deg if term.quantity == "coverage_margin_deg" else worst_gap_minutes
    return found(
        jnp.array(term.latitude_deg),
        d.altitude_km[k],
        d.inclination_deg[k],
        p.planes[k],
        p.satellites_per_plane[k],
        d.phasing[k],
        d.min_elevation_deg[k],
        star=p.star[k],
    )


def _slant_range(v: Values) -> Array:
    """Mean over all satellites in view of users spread evenly over the Earth."""
    return v.once("slant_range_km", lambda: _over_footprint(v, lambda d: d))


def _over_footprint(v: Values, of_range: Callable[[Array], Array]) -> Array:
    return mean_over_footprint(of_range, v.design.altitude_km, v.design.min_elevation_deg)


def _delta_v(v: Values, *, worst: bool = False) -> Array:
    b = v.surroundings.satellites.ballistic_coefficient
    d = v.design
    return v.once(
        ("delta_v", worst),
        lambda: delta_v_per_year(v.surroundings.climate, d.altitude_km, d.inclination_deg, jnp.asarray(b), worst=worst),
    )


def _duty_cycle(v: Values, *, worst: bool) -> Array:
    s = v.surroundings.satellites
    return jnp.asarray(
        duty_cycle(_delta_v(v, worst=worst), jnp.asarray(s.mass_kg)[None], jnp.asarray(s.thrust_mn)[None])
    )


def _propellant(v: Values) -> Array:
    s = v.surroundings.satellites
    return jnp.asarray(
        propellant_kg(_delta_v(v), jnp.asarray(s.mass_kg)[None], jnp.asarray(s.specific_impulse_s)[None])
    )


def _lifetime(v: Values) -> Array:
    b = jnp.asarray(v.surroundings.satellites.dead_ballistic_coefficient)
    return lifetime_years(v.surroundings.lifetimes, v.design.altitude_km, v.design.inclination_deg, b)


def _launches(v: Values) -> Array:
    s, d = v.surroundings.satellites, v.design
    at_launch = launch_mass_kg(
        jnp.asarray(s.mass_kg), d.altitude_km, v.surroundings.injection_altitude_km, jnp.asarray(s.specific_impulse_s)
    )
    return launches_needed(d.satellites, at_launch, *v.surroundings.launcher)


def _background_encounters(v: Values) -> Array:
    d = v.design
    return encounters_with(
        v.surroundings.background, d.altitude_km, d.inclination_deg, d.satellites, v.miss_distance_km
    )


def _mutual_encounters(v: Values) -> Array:
    d = v.design
    pairs = encounters_between(d.altitude_km, d.inclination_deg, d.satellites, v.miss_distance_km)
    return 0.5 * jnp.sum(pairs, axis=1)


_BY_SHELL: Final[dict[str, Callable[[Values], Array]]] = {
    "slant_range_km": _slant_range,
    "round_trip_ms": lambda v: light_time_ms(4.0 * _slant_range(v)),
    "path_loss_db": lambda v: _over_footprint(v, lambda d: free_space_loss_db(d, FREQUENCY_GHZ)),
    "delta_v_m_s_per_year": _delta_v,
    "propellant_kg_per_year": _propellant,
    "duty_cycle": lambda v: _duty_cycle(v, worst=False),
    "duty_cycle_peak": lambda v: _duty_cycle(v, worst=True),
    "lifetime_years": _lifetime,
    "satellites": lambda v: v.design.satellites,
    "mass_to_orbit_kg": lambda v: v.design.satellites * jnp.asarray(v.surroundings.satellites.mass_kg),
    "launches": _launches,
    "replacements_per_year": lambda v: replacements_per_year(
        v.design.satellites, jnp.asarray(v.surroundings.satellites.design_life_years)
    ),
    "background_encounters_per_year": _background_encounters,
    "mutual_encounters_per_year": _mutual_encounters,
    "altitude_km": lambda v: v.design.altitude_km,
}


def _catalog(study: Study) -> Catalog:
    if study.background == "none":
        raise InputError(
            f"study {study.name!r}: background_encounters_per_year needs a background catalogue, found 'none'"
        )
    try:
        return read_source(find_source(study.background))
    except InputError as error:
        raise InputError(f"study {study.name!r}, background: {error}") from None


def _without(catalog: Catalog, patterns: tuple[str, ...]) -> Catalog:
    """Objects whose names match no pattern."""
    if not patterns:
        return catalog
    match = re.compile("|".join(f"(?:{translate(pattern.upper())})" for pattern in patterns)).match
    return catalog[np.array([match(name.upper()) is None for name in catalog.name.tolist()])]


def _weights(name: str) -> tuple[Floats, Floats]:
    """Latitudes and weights of a demand, without those that have none."""
    found = demand(name)
    some = found.weight > 0.0
    return found.latitude_deg[some], found.weight[some]
