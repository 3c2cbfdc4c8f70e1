"""Tuning problem: shells, their free numbers, objectives and constraints. Files are read in files.py."""

from __future__ import annotations

import dataclasses

from constellation_jax.inputs.shells.shell import Shell


@dataclasses.dataclass(frozen=True)
class TuningVariable:
    """Quantity of some shells that is free between two bounds."""

    quantity: str
    """Key of `QUANTITIES`."""
    shells: tuple[int, ...]
    """Positions in `TuningProblem.shells`."""
    low: float
    high: float
    together: bool = False
    """One value for all of these shells, instead of one for each."""


@dataclasses.dataclass(frozen=True)
class Term:
    """Figure of merit of some shells, as the problem asks for it."""

    quantity: str
    """Key of `TERMS`."""
    shells: tuple[int, ...]
    over: str = ""
    """"sum", "mean" (over satellites), "worst", or "each"; how the values of shells or latitudes become one."""
    latitude_deg: tuple[float, ...] = ()
    demand: str = ""
    """Weights of latitudes: "area", "population" or a file; instead of latitude_deg."""
    at_least_in_view: int = 1


@dataclasses.dataclass(frozen=True)
class Objective:
    """A term that is minimised; several add up, each by its weight over its scale."""

    term: Term
    weight: float = 1.0
    """Below 0 for what is maximised."""
    scale: float | None = None
    """Amount of the term that counts as 1; None: its value at the start."""


@dataclasses.dataclass(frozen=True)
class Constraint:
    """A term with a limit."""

    name: str
    term: Term
    limit: float
    at_least: bool
    """True where the limit is the lowest value allowed, False where it is the highest."""


@dataclasses.dataclass(frozen=True)
class Sweep:
    """The problem over again for each of some values, of a constraint's limit or of a quantity of shells."""

    values: tuple[float, ...]
    constraint: str = ""
    quantity: str = ""
    shells: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Solver:
    """Solver and its options."""

    method: str = "slsqp"
    starts: int = 1
    seed: int = 0
    iterations: int = 200
    tolerance: float = 1e-8


@dataclasses.dataclass(frozen=True)
class TuningProblem:
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
    scenarios: tuple[str, ...]
    combine: str
    """"worst" or "mean" of the levels of solar activity, for objectives."""
    start: str
    years: float
    background: str
    """Catalogue that the shells fly in: "bundled", a file or a CelesTrak group; "none"."""
    exclude: tuple[str, ...]
    """Patterns of names of objects that are left out of it, such as those with which the shells are coordinated."""
    miss_distance_km: float
    vehicle: str
    cargo: str
    """Kind of satellite of which the list of vehicles says how many there is room for; "" where mass alone decides."""
    injection_altitude_km: float

    def terms(self) -> tuple[Term, ...]:
        """Every term that is asked for: objectives, constraints, then reports."""
        return (*(o.term for o in self.objectives), *(c.term for c in self.constraints), *self.reports)
