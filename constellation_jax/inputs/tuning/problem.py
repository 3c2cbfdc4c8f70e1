"""Tuning problem: shells, their free numbers, objectives and constraints, with the keys of the tables that fill them.

Deliberately absent: files (files.py), the meaning of terms (terms.py) and tuning (studies/tuning/tune.py).
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

from constellation_jax.errors import InputError, suggest
from constellation_jax.inputs.deployment.vehicles import DATE, as_day, load_vehicles, unknown_vehicle
from constellation_jax.inputs.environment.atmosphere_models import CALIBRATED, MODELS
from constellation_jax.inputs.files.keys import (
    TRUE_OR_FALSE,
    Rule,
    above_zero,
    is_number,
    key,
    key_dataclass,
    list_of,
    number,
    one_of,
    text,
    whole,
)
from constellation_jax.inputs.shells.conflicts import LOWEST_ALTITUDE_KM
from constellation_jax.inputs.shells.shell import Shell
from constellation_jax.inputs.tuning.terms import QUANTITIES, TERMS

METHODS: Final = ("slsqp", "trust-constr", "adam", "lbfgs")


def _check_term(name: str, folder: Path) -> str:
    if name not in TERMS:
        with_unit = [repr(term) for term in TERMS if term.startswith(f"{name}_")]
        near = f"; the unit is missing: {' or '.join(with_unit)}" if with_unit else suggest(name, TERMS)
        raise InputError(f"found {name!r}, expected a term{near or '; they are ' + ', '.join(TERMS)}")
    return name


def _check_vehicle(name: str, folder: Path) -> str:
    vehicles = load_vehicles()
    if name not in vehicles:
        raise InputError(unknown_vehicle(name, vehicles))
    return name


def _find_beside(word: str, folder: Path) -> str:
    """The path of a file of this name beside the problem's own, or the word itself where there is none."""
    return str(folder / word) if os.path.isfile(folder / word) else word


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _to_float(rule: Rule) -> Rule:
    return rule._replace(convert=lambda value, _: float(value))


_SHELLS = list_of("a list of names of shells, or patterns such as 'L*'", _is_text)
NUMBERS = list_of("a list of numbers", is_number, float)


@key_dataclass
class TuningVariable:
    """Quantity of some shells that is free between two bounds."""

    quantity: str
    """Key of `QUANTITIES`."""
    low: float
    high: float
    shells: tuple[int, ...] = key(_SHELLS, doc="Names of shells, or patterns such as 'L*'.", absent="all shells")
    # positions in TuningProblem.shells, once read
    together: bool = key(
        TRUE_OR_FALSE, default=False, doc="One value for all of these shells, instead of one for each."
    )


@key_dataclass
class Term:
    """Figure of merit of some shells, as the problem asks for it."""

    quantity: str = key(text("a term")._replace(convert=_check_term), doc="Name of the term.")
    shells: tuple[int, ...] = key(_SHELLS, doc="Names of shells, or patterns such as 'L*'.", absent="all shells")
    # positions in TuningProblem.shells, once read
    over: str = key(
        one_of("sum", "mean", "worst", "each"),
        default="",
        doc="How the values of shells or latitudes become one: 'mean' is over satellites; 'each', of constraints and reports, "
        "keeps them apart.",
        absent="each; in objectives the sum of terms of whole shells, the mean of others",
    )
    latitude_deg: tuple[float, ...] = key(
        list_of("a list of latitudes from -90 to 90 degrees", lambda x: is_number(x) and -90 <= x <= 90, float),
        default=(),
        doc="Latitudes of terms of coverage.",
        absent="`demand`",
    )
    demand: str = key(
        text("'area', 'population' or a file of weights by latitude")._replace(convert=_find_beside),
        default="",
        doc="Weights of latitudes for terms of coverage; a [file](merit-drag.md) is relative to that of the problem.",
        absent="`latitude_deg`",
    )
    at_least_in_view: int = key(whole(1), default=1, doc="Number of satellites that probability_in_view counts.")


@key_dataclass
class Objective:
    """A term that is minimised; several add up, each by its weight over its scale."""

    term: Term
    weight: float = key(_to_float(above_zero()), default=1.0, doc="Weight in the sum of objectives.")
    # below 0, once read, for what is maximised
    scale: float | None = key(
        above_zero("in the unit of the term"),
        default=None,
        doc="Amount of the term that counts as 1.",
        absent="its value at the start",
    )


_LIMIT = _to_float(number(unit="in the unit of the term"))


@key_dataclass
class Constraint:
    """A term with a limit."""

    term: Term
    name: str = key(text("a name"), doc="Name of the constraint.", absent="its quantity")
    lowest: float | None = key(
        _LIMIT, default=None, name="at_least", doc="Lowest value allowed.", absent="`at_most` is required"
    )
    highest: float | None = key(
        _LIMIT, default=None, name="at_most", doc="Highest value allowed.", absent="`at_least` is required"
    )

    @property
    def at_least(self) -> bool:
        """True where the limit is the lowest value allowed, False where it is the highest."""
        return self.lowest is not None

    @property
    def limit(self) -> float:
        """The lowest or the highest value allowed."""
        found = self.highest if self.lowest is None else self.lowest
        assert found is not None, "a constraint has a limit"
        return found


@key_dataclass
class Sweep:
    """The problem over again for each of some values, of a constraint's limit or of a quantity of shells."""

    constraint: str = key(text("the name of a constraint"), default="", doc="Constraint that is swept.", absent="none")
    values: tuple[float, ...] = key(
        NUMBERS, name="limits", doc="Its limits, in turn.", absent="required with a constraint"
    )
    quantity: str = ""
    """Key of `QUANTITIES` that is swept, "" for a constraint."""
    shells: tuple[int, ...] = key(_SHELLS, doc="Shells whose quantity is swept.", absent="all shells")
    # positions in TuningProblem.shells, once read


@key_dataclass
class Solver:
    """Solver and its options."""

    method: str = key(one_of(*METHODS), default="slsqp", doc="Solver.")
    starts: int = key(whole(1, 10_000), default=1, doc="Number of points to begin from.")
    seed: int = key(whole(0), default=0, doc="Seed of the further points.")
    iterations: int = key(whole(1, 1_000_000), default=200, doc="Largest number of iterations.")
    tolerance: float = key(above_zero(), default=1e-8, doc="Change of the objective at which a solver stops.")


@key_dataclass
class SolarScenarios:
    """Days and solar activity of a tuning problem: keys of [solar]."""

    scenarios: tuple[str, ...] = key(
        list_of("a list of 'low', 'median', 'high'", lambda x: x in ("low", "median", "high")),
        default=["median"],
        doc="Levels of solar activity. A constraint holds in each.",
    )
    combine: str = key(one_of("worst", "mean"), default="worst", doc="How objectives of these levels become one.")
    start: str = key(
        DATE._replace(convert=lambda date, _: str(as_day(date))), doc="First day.", absent="the last midnight"
    )
    years: float = key(_to_float(above_zero("years", 200)), default=5.0, doc="Span of the mission.")
    atmosphere: str = key(
        one_of(*MODELS), default=CALIBRATED, doc="[Model](../concepts/atmosphere.md#density) of the atmosphere."
    )


@key_dataclass
class BackgroundCatalog:
    """Catalogue that the shells of a tuning problem fly in: keys of [background]."""

    background: str = key(
        text("'bundled', 'none', a CelesTrak group or a file of element sets")._replace(convert=_find_beside),
        default="bundled",
        name="catalog",
        doc="Catalogue that the shells fly in.",
    )
    exclude: tuple[str, ...] = key(
        list_of("a list of patterns of names, such as 'QIANFAN*'", _is_text),
        default=(),
        doc="Patterns of names of objects that are left out of it, such as those with which the shells are coordinated.",
        absent="none",
    )
    miss_distance_km: float = key(
        _to_float(above_zero("km")), default=1.0, doc="Distance that counts as a conjunction."
    )


@key_dataclass
class EncounterOptions:
    """Screening of the term encounters_per_day: keys of [encounters]."""

    encounters_within_km: float = key(
        _to_float(above_zero("km")), default=5.0, name="within_km", doc="Miss distance that counts as an encounter."
    )
    encounters_softness_km: float | None = key(
        _to_float(above_zero("km")),
        default=None,
        name="softness_km",
        doc="Softness of the edge, by which the count has a gradient.",
        absent="a fifth of `within_km`",
    )
    encounters_reach_km: float = key(
        _to_float(above_zero("km")),
        default=10.0,
        name="reach_km",
        doc="Distance by which orbits move at most until they are screened anew.",
    )
    encounters_days: float = key(
        _to_float(above_zero("days", 60)), default=1.0, name="days", doc="Days that are screened."
    )
    encounters_every: int = key(
        whole(1, 10_000), default=5, name="every", doc="Iterations of the solver until it is screened anew."
    )


@key_dataclass
class LaunchOptions:
    """Launches of the shells of a tuning problem: keys of [launch]."""

    vehicle: str = key(
        text("the name of a launch vehicle")._replace(convert=_check_vehicle), default="falcon-9", doc="Launch vehicle."
    )
    cargo: str = key(
        text("a kind of satellite"),
        default="",
        doc="Kind of satellite of which the list of vehicles says how many there is room for.",
        absent="mass alone decides",
    )
    injection_altitude_km: float = key(
        _to_float(number(LOWEST_ALTITUDE_KM, unit="km")), default=300.0, doc="Altitude at which launches end."
    )


@key_dataclass
class TuningProblem(SolarScenarios, BackgroundCatalog, EncounterOptions, LaunchOptions):
    """Shells with what is free, minimised and bounded; contents of a tuning problem file."""

    name: str
    title: str
    question: str
    shells: tuple[Shell, ...]
    variables: tuple[TuningVariable, ...]
    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...]
    reports: tuple[Term, ...]
    sweep: Sweep | None
    solver: Solver

    def terms(self) -> tuple[Term, ...]:
        """Every term that is asked for: objectives, constraints, then reports."""
        return (*(o.term for o in self.objectives), *(c.term for c in self.constraints), *self.reports)


def bounds_rule(quantity: str) -> Rule:
    """Rule of the two bounds of a quantity."""
    limits = QUANTITIES[quantity]

    def to_bounds(bounds: list[float], folder: Path) -> tuple[float, float]:
        low, high = bounds
        if not low < high:
            raise InputError(f"found bounds {low:g} and {high:g}, expected low below high")
        if low < limits.low or high > limits.high:
            raise InputError(f"found bounds {low:g} and {high:g}, expected them from {limits.low:g} to {limits.high:g}")
        return float(low), float(high)

    return Rule(
        f"two bounds, [low, high]{'' if limits.units == '1' else f' ({limits.units})'}",
        lambda v: isinstance(v, list) and len(v) == 2 and all(map(is_number, v)),
        convert=to_bounds,
    )
