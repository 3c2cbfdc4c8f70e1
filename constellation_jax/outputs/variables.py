"""Table of the variables of every Dataset and netCDF file: dimensions, units, attributes, and the groups that users name.

Datasets (datasets/) and writers (netcdf/) take every attribute from here, so that a file has the attributes of the Dataset in
memory and a name means the same everywhere. Deliberately absent: any value.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from constellation_jax.errors import InputError, suggest
from constellation_jax.outputs.conjunction_variables import ENCOUNTER_RATES
from constellation_jax.outputs.ground_variables import PASSES, SIGHT
from constellation_jax.outputs.variable import (
    CAUSE,
    CONSTRAINT,
    DEGREE,
    DIMENSIONS,
    ELEMENT,
    ELLIPSOID,
    PERCENTILE,
    PIECE,
    SATELLITE,
    SHELL,
    SOLAR,
    SPAN,
    STATE,
    STATUS_VARIABLE,
    SWEEP,
    SYSTEM,
    TIME,
    UP,
    UTC,
    VARIABLE,
    Variable,
    make_auxiliary,
    make_coordinate,
    make_flag,
    make_no_value,
)
from constellation_jax.physics.sgp4.status import STATUS


def resolve_groups(names: str | Iterable[str]) -> tuple[str, ...]:
    """Resolve groups to their variables (time, satellite), in the order of the table; `status`, which every output has, is last.

    Args:
        names: one group or several: position, velocity, altitude, geodetic, decay, status, and lifetime, whose variable has
            no time and is not among those returned.

    Raises:
        InputError: an unknown group.
    """
    wanted = [names] if isinstance(names, str) else list(names)
    for name in wanted:
        if name not in GROUPS:
            known = f"known are {', '.join(GROUPS)}{suggest(str(name), GROUPS)}"
            raise InputError(f"variables {name!r}: no such group; {known}")
    return tuple(name for name in PROPAGATED if VARIABLES[name].group in (*wanted, STATUS_VARIABLE))


_MEAN: Final = "minus 6378.137 km, from mean elements (Brouwer, WGS-72)"
_LIFETIME: Final = (
    "from the epoch until the mean altitude, or the perigee, is 120 km, by drag alone; NaN where beyond the span of the "
    "computation"
)
_INDEX: Final = "from 0; -1 where unknown"
_RULE: Final = {-1: "not_known_the_span_is_shorter", 0: "no", 1: "yes"}
_WORST: Final = "worst ten days"

_COORDINATES: Final = (
    make_coordinate(TIME, "time, UTC", standard_name="time", others={"axis": "T", **UTC}),
    make_coordinate(
        SATELLITE, "unique label of the satellite in this dataset",
        "catalogue number (NORAD), or the name of an object that has none; with #1, #2 ... where several share it",
        standard_name="platform_id",
    ),
    make_auxiliary(
        "norad_id", SATELLITE, "catalogue number (NORAD)", "-1 where the object has none, as planned satellites do",
        others=make_no_value(np.int64(-1)),
    ),
    make_auxiliary("name", SATELLITE, "satellite name", standard_name="platform_name"),
    make_auxiliary("international_designator", SATELLITE, "COSPAR designator, YYYY-NNNP; empty where unknown"),
    make_auxiliary("satellite_shell", SATELLITE, "shell that the satellite belongs to; empty where unknown"),
    make_auxiliary("plane", SATELLITE, "orbital plane within the shell", _INDEX, others=make_no_value(np.int32(-1))),
    make_auxiliary("slot", SATELLITE, "slot within the plane", _INDEX, others=make_no_value(np.int32(-1))),
    make_auxiliary("source", SATELLITE, "where the element set came from"),
    make_auxiliary("synthetic", SATELLITE, "origin of the elements", flags={0: "tracked", 1: "made_from_a_description"}),
    make_auxiliary("epoch", SATELLITE, "epoch of the element set, UTC", others=UTC),
    make_coordinate(SHELL, "shell of the constellation"),
    make_coordinate(SOLAR, "solar activity", "low, median and high: the 5th, 50th and 95th percentile of the forecast"),
    make_coordinate(SYSTEM, "constellation"),
    make_coordinate(PERCENTILE, "percentile of the distribution", units="percent"),
    make_coordinate(CAUSE, "cause of a spread"),
)  # fmt: skip

_PROPAGATION: Final = (
    *(
        Variable(name, DIMENSIONS, units, f"{name[-1]} component of the {group}", group=group, is_in_frame=True)
        for group, units, names in (("position", "km", ("x", "y", "z")), ("velocity", "km s-1", ("vx", "vy", "vz")))
        for name in names
    ),
    Variable("altitude", DIMENSIONS, "km", "geodetic altitude", ELLIPSOID,
             standard_name="height_above_reference_ellipsoid", others=UP, group="altitude"),
    Variable("latitude", DIMENSIONS, "degrees_north", "geodetic latitude of the sub-satellite point", ELLIPSOID,
             standard_name="latitude", group="geodetic"),
    Variable("longitude", DIMENSIONS, "degrees_east", "longitude of the sub-satellite point, -180 to 180",
             standard_name="longitude", group="geodetic"),
    Variable("mean_altitude", DIMENSIONS, "km", "mean altitude",
             f"mean semi-major axis {_MEAN}: free of the variation along an orbit", others=UP, group="decay"),
    Variable("decay_rate", DIMENSIONS, "km day-1", "time derivative of mean_altitude", "negative when the orbit sinks",
             group="decay"),
    Variable(
        STATUS_VARIABLE, DIMENSIONS, "", "status of the propagation",
        "error numbers of SGP4; an object keeps its first failure from then on, and its values are NaN",
        flags={code: entry.name for code, entry in STATUS.items()}, content="qualityInformation", group=STATUS_VARIABLE,
    ),
    Variable("lifetime", (SATELLITE,), "day", "orbital lifetime", _LIFETIME, group="lifetime"),
)  # fmt: skip

_ELEMENTS: Final = tuple(
    make_auxiliary(name, SATELLITE, long_name, "mean element of SGP4 at the epoch, as published, in TEME", units)
    for name, units, long_name in (
        ("mean_motion", "revolution day-1", "mean motion in the sense of Kozai"),
        ("eccentricity", "1", "eccentricity"),
        ("raan", "degree", "right ascension of the ascending node"),
        ("arg_perigee", "degree", "argument of perigee"),
        ("mean_anomaly", "degree", "mean anomaly"),
        ("bstar", "1", "drag term B* of SGP4, per Earth radius"),
    )
)

_JACOBIAN: Final = (
    Variable("jacobian", (*DIMENSIONS, STATE, ELEMENT), "",
             "derivative of the state in TEME with respect to the mean elements of SGP4",
             "the unit of an entry is the state_units of its row over the element_units of its column"),
    make_coordinate(STATE, "component of the state"),
    make_auxiliary("state_units", STATE, "unit of the component of the state"),
    make_coordinate(ELEMENT, "mean element"),
    make_auxiliary("element_units", ELEMENT, "unit of the mean element"),
)  # fmt: skip

_ERRORS: Final = "solar activity and the errors of the ballistic coefficient and of the model of the atmosphere"

_DECAY: Final = (
    Variable("perigee", DIMENSIONS, "km", "mean altitude of the perigee", f"mean radius {_MEAN}", others=UP),
    Variable("apogee", DIMENSIONS, "km", "mean altitude of the apogee", f"mean radius {_MEAN}", others=UP),
    Variable("density", DIMENSIONS, "kg m-3", "mean density of the atmosphere over a revolution"),
    Variable("reentry_date", (SATELLITE,), "", "date of re-entry, UTC", "NaT where beyond the span"),
    Variable("lifetime_percentile", (PERCENTILE, SATELLITE), "day",
             "percentile of the lifetime", f"over {_ERRORS}; {_LIFETIME}"),
    Variable("reentry_date_percentile", (PERCENTILE, SATELLITE), "",
             "percentile of the date of re-entry, UTC", f"over {_ERRORS}; NaT where beyond the span"),
    Variable("mean_altitude_percentile", (PERCENTILE, *DIMENSIONS), "km", "percentile of the mean altitude",
             f"over {_ERRORS}; NaN where down", others=UP),
    Variable("lifetime_spread", (CAUSE, SATELLITE), "1", "standard deviation of the logarithm of the lifetime by its cause",
             "NaN where a percentile is beyond the span"),
    Variable(
        "lifetime_nrlmsis21", (SATELLITE,), "day", "orbital lifetime in NRLMSIS 2.1, to show how far models differ",
        _LIFETIME,
    ),
    Variable("ballistic_coefficient", (SATELLITE,), "m2 kg-1", "ballistic coefficient Cd A / m"),
    make_flag("ballistic_coefficient_source", "where the ballistic coefficient comes from",
          {0: "given", 1: "catalogue", 2: "drag_term", 3: "assumed", 4: "fitted", 5: "shell_class"}),
    Variable("ballistic_coefficient_error", (SATELLITE,), "1", "relative standard error of the ballistic coefficient"),
    make_flag("ballistic_coefficient_doubt", "reason to doubt the fitted ballistic coefficient",
          {0: "none", 1: "raised", 2: "no_fit", 3: "scattered", 4: "unsteady", 5: "short", 6: "uncertain"},
          "the first that applies"),
    Variable("ballistic_coefficient_pieces", (SATELLITE,), "1",
             "number of pieces of constant ballistic coefficient in the history", "the last one counts; 0 without a fit"),
    make_flag("manoeuvres", "whether the object is known to manoeuvre, so that its decay is hypothetical",
          {0: "not_seen", 1: "holds_or_changes_its_orbit"},
          "by its state at a shell, a climb in its element sets, or a drag term too small for an object left alone"),
    make_flag("decay_meaning", "meaning of the decay, and of all that follows from it",
          {0: "uncontrolled", 1: "if_left_alone_now", 2: "if_it_goes_on_descending"}),
    make_flag("luni_solar", "whether the Moon and the Sun, which are left out, matter as much as drag",
          {0: "no", 1: "yes_do_not_trust_the_lifetime"}, "by an apogee above 8000 km"),
    make_flag("decay_status", "fate of the object within the span",
          {0: "reenters", 1: "stays_in_orbit", 2: "below_120_km_at_start"}),
    make_flag("meets_five_year_rule", "gone within 5 years of the start", _RULE),
    make_flag("meets_25_year_rule", "gone within 25 years of the start", _RULE),
    Variable("shell_satellites", (SHELL,), "1", "objects of the shell"),
    Variable("shell_manoeuvres", (SHELL,), "1", "objects of the shell that are known to manoeuvre"),
    Variable("shell_lifetime", (SHELL,), "day", "median lifetime in the shell", "NaN where beyond the span"),
    Variable("shell_five_year_fraction", (SHELL,), "1", "fraction of the shell gone within 5 years"),
    Variable("shell_25_year_fraction", (SHELL,), "1", "fraction of the shell gone within 25 years"),
)  # fmt: skip

_MATCH: Final = (
    make_auxiliary("match_system", SATELLITE, "constellation of the object", "empty where it belongs to none"),
    make_auxiliary("match_shell", SATELLITE, "shell at which the object is, to which it climbs or from which it comes"),
    Variable("match_state", (SATELLITE,), "", "state of the object at its shell",
             flags=dict(enumerate(("on_station", "raising", "lowering", "stray", "other")))),
    *(
        make_auxiliary(f"match_{name}", SATELLITE, f"{name} of the object in its shell", _INDEX, others=make_no_value(np.int32(-1)))
        for name in ("plane", "slot")
    ),
    Variable("raan_residual", (SATELLITE,), "degree", "right ascension of the node minus that of the plane"),
    Variable("latitude_residual", (SATELLITE,), "degree", "mean argument of latitude minus that of the slot"),
    Variable("altitude_offset", (SATELLITE,), "km", "mean altitude minus that of the shell"),
)  # fmt: skip

_STATION_KEEPING: Final = tuple(
    Variable(name, (SOLAR, SHELL), units, long_name)
    for name, units, long_name in (
        ("delta_v", "m s-1 year-1", "velocity increment for a year, mean of the span"),
        ("delta_v_peak", "m s-1 year-1", f"velocity increment for a year at the rate of the {_WORST}"),
        ("propellant", "kg year-1", "propellant for a year, mean of the span"),
        ("duty_cycle", "1", "fraction of the time that the thruster works, mean of the span"),
        ("duty_cycle_peak", "1", f"fraction of the {_WORST} that the thruster works; above 1 it cannot hold"),
        ("manoeuvre_interval", "day", "time in which the orbit sinks by the dead band, mean of the span"),
        ("manoeuvre_interval_least", "day", f"time in which the orbit sinks by the dead band in the {_WORST}"),
        ("lowest_mean_altitude", "km", f"mean altitude that the thruster, always on, can just hold in the {_WORST}"),
        ("propellant_lifetime", "day", "time until the propellant is spent, at the mean rate beyond the span"),
        ("lifetime_after_propellant", "day", "time from the end of the propellant to re-entry; NaN beyond 100 years"),
    )
)

_DEPLOYMENT: Final = tuple(
    Variable(name, (SYSTEM, TIME), "1", long_name)  # CF wants dimensions other than space and time on the left
    for name, long_name in (
        ("launched", "satellites launched so far"),
        ("raising", "satellites on the way to their slot"),
        ("on_station", "satellites on station"),
        ("failed", "satellites that stopped on the way and are still in orbit"),
        ("deorbiting", "retired satellites on the way down"),
        ("gone", "satellites re-entered, or lost with their launch vehicle"),
    )
)
_DEPLOYMENT_OTHERS: Final = (
    *(
        Variable(f"{v.name}_percentile", (PERCENTILE, *v.dims), "1", f"{v.long_name}, percentile over random histories")
        for v in _DEPLOYMENT
    ),
    make_auxiliary("target", SYSTEM, "working satellites at which launches pause", "-1 where there is none",
               units="1", others=make_no_value(np.int32(-1))),
)  # fmt: skip

_SPAN_AXIS: Final = {"axis": "T", "bounds": "span_bounds", **UTC}
_EPHEMERIS: Final = (
    make_coordinate(SPAN, "start of the span, UTC", standard_name="time", others=_SPAN_AXIS),
    make_coordinate(DEGREE, "degree of the Chebyshev polynomial", units="1"),
    make_auxiliary("piece_satellite", PIECE, "index of the satellite that the piece belongs to, from 0", units="1"),
    make_auxiliary("piece_start", PIECE, "start of the piece, UTC", others=UTC),
    make_auxiliary("piece_stop", PIECE, "stop of the piece, UTC", others=UTC),
)

_QUANTITIES: Final = tuple(
    Variable(name, (SHELL,), units, long_name)
    for name, units, long_name in (
        ("inclination", "degree", "inclination"),
        ("planes", "1", "planes"),
        ("satellites_per_plane", "1", "satellites per plane"),
        ("phasing", "1", "phasing parameter F of Walker"),
        ("min_elevation", "degree", "least elevation"),
    )
)
_BY_QUANTITY: Final = (
    ("mean_altitude", "km", "mean altitude"),
    *((v.name, v.units, v.long_name) for v in _QUANTITIES),
)
_NAMED_UNIT: Final = "in the unit that the name of the variable ends with"
_OWN_UNIT: Final = "in constraint_units"
_TUNING: Final = (
    *_QUANTITIES,
    *(
        Variable(
            f"objective_by_{name}", (SHELL,), "1" if units == "1" else f"{units}-1",
            f"derivative of the objective by the {long_name}",
        )
        for name, units, long_name in _BY_QUANTITY
    ),
    *(
        Variable(
            f"constraint_by_{name}", (CONSTRAINT, SHELL), "", f"derivative of the constrained figure by the {long_name}",
            f"{_OWN_UNIT} per {units}",
        )
        for name, units, long_name in _BY_QUANTITY
    ),
    make_coordinate(VARIABLE, "free number"),
    Variable("variable_value", (VARIABLE,), "", "tuned value", _NAMED_UNIT),
    Variable("variable_low", (VARIABLE,), "", "lower bound", _NAMED_UNIT),
    Variable("variable_high", (VARIABLE,), "", "upper bound", _NAMED_UNIT),
    make_coordinate(CONSTRAINT, "constraint"),
    make_auxiliary("constraint_units", CONSTRAINT, "unit of the constrained figure"),
    Variable("constraint_value", (CONSTRAINT,), "", "value of the constrained figure", _OWN_UNIT),
    Variable("constraint_limit", (CONSTRAINT,), "", "limit", _OWN_UNIT),
    Variable("constraint_margin", (CONSTRAINT,), "1", "distance from the limit as a part of it; below 0 it is missed"),
    Variable("constraint_multiplier", (CONSTRAINT,), "1", "Lagrange multiplier of the margin"),
    Variable(
        "objective_by_limit", (CONSTRAINT,), "", "derivative of the best objective by the limit", "per constraint_units"
    ),
    Variable("history_objective", ("evaluation",), "1", "objective of each evaluation"),
    Variable("history_violation", ("evaluation",), "1", "largest violation of a constraint, as a part of its limit"),
    make_coordinate(SWEEP, "swept value"),
    Variable("sweep_objective", (SWEEP,), "1", "best objective"),
    Variable(
        "sweep_status", (SWEEP,), "", "end of the tuning", flags=dict(enumerate(("converged", "not_converged", "infeasible"))),
        content="qualityInformation",
    ),
)  # fmt: skip
_TABLES: Final = (
    _COORDINATES, _PROPAGATION, _ELEMENTS, _JACOBIAN, _DECAY, _MATCH, _STATION_KEEPING, _DEPLOYMENT, _DEPLOYMENT_OTHERS,
    _EPHEMERIS, _TUNING, SIGHT, PASSES, ENCOUNTER_RATES,
)  # fmt: skip
VARIABLES: Final[Mapping[str, Variable]] = {v.name: v for table in _TABLES for v in table}
"""Every variable and coordinate by its name."""
PROPAGATED: Final = tuple(v.name for v in _PROPAGATION if v.dims == DIMENSIONS)
"""Names of the variables (time, satellite) of a propagation, in the order in which they are written."""
LIFETIME: Final = VARIABLES["lifetime"]
"""Variable of the lifetime of each object."""
MATCH: Final = tuple(v.name for v in _MATCH)
"""Names of the variables (satellite) of a match to shells."""
STATION_KEEPING: Final = tuple(v.name for v in _STATION_KEEPING)
"""Names of the variables (solar, shell) of `station_keeping`."""
DEPLOYMENT_STATES: Final = tuple(v.name for v in _DEPLOYMENT)
"""Names of the states of the satellites of a deployment. The first is the sum of the others."""
GROUPS: Final = tuple(dict.fromkeys(v.group for v in _PROPAGATION))
"""Groups of variables that users of `propagate` choose from."""
