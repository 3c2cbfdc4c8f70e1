"""Variables of close approaches, of what probabilities, gradients and messages add to them, and of encounter rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from constellation_jax.outputs.variable import (
    ELEMENT,
    EVENT,
    OTHER,
    RIC,
    SHELL,
    STATUS_VARIABLE,
    THRESHOLD,
    UTC,
    XYZ,
    Variable,
    make_auxiliary,
    make_coordinate,
    make_no_value,
)

CONJUNCTION_FLAGS: Final[Mapping[str, int]] = {
    "together": 1, "at_start": 2, "at_end": 4, "same_fleet": 8, "same_shell": 16, "2d_invalid": 32, "diluted": 64,
}  # fmt: skip
"""Bit of each flag in the status of a close approach."""
_OTHER: Final = "of the second object seen from the first, along radial, in-track and cross-track axes of the first"
_BY_OBJECT: Final[tuple[tuple[str, str, str, dict[str, Any]], ...]] = (
    ("object", "1", "index in the catalogue, from 0, of the {} object", {}),
    ("satellite_number", "1", "catalogue number (NORAD) of the {} object", make_no_value(np.int64(-1))),
    ("name", "", "name of the {} object", {}),
    ("shell", "", "shell that the {} object belongs to; empty where unknown", {}),
)
_CONJUNCTIONS: Final = (
    *(
        make_auxiliary(f"{name}_{k}", EVENT, long_name.format(word), units=units, others=others)
        for name, units, long_name, others in _BY_OBJECT
        for k, word in ((1, "first"), (2, "second"))
    ),
    make_coordinate(XYZ, "axis of TEME"),
    make_coordinate(RIC, "radial, in-track or cross-track axis"),
    make_auxiliary("tca", EVENT, "time of closest approach, UTC", standard_name="time", others=UTC),
    Variable("seconds", (EVENT,), "s", "time of closest approach since the start of the span"),
    Variable("miss_distance", (EVENT,), "km", "distance at the time of closest approach"),
    Variable("miss_ric", (EVENT, RIC), "km", f"position {_OTHER}"),
    Variable("relative_speed", (EVENT,), "km s-1", "relative speed at the time of closest approach"),
    Variable("relative_velocity_ric", (EVENT, RIC), "km s-1", f"velocity {_OTHER}", "difference in the inertial frame"),
    *(
        variable
        for k, word in ((1, "first"), (2, "second"))
        for variable in (
            Variable(f"age_{k}", (EVENT,), "day", f"time from the epoch of the {word} object's elements"),
            Variable(f"position_{k}", (EVENT, XYZ), "km", f"position of the {word} object in TEME"),
            Variable(f"velocity_{k}", (EVENT, XYZ), "km s-1", f"velocity of the {word} object in TEME"),
        )
    ),
    Variable("together_seconds", (EVENT,), "s", "time that the two are together, to a step of the search",
             "0 where they pass each other"),
    Variable(
        STATUS_VARIABLE, (EVENT,), "1", "status of the close approach",
        "together: slower than 10 m/s, one interval, of which the least distance counts; at_start, at_end: within the "
        "distance at an end of the span, the closest approach being beyond it",
        content="qualityInformation",
        others={"flag_masks": np.array(list(CONJUNCTION_FLAGS.values()), np.int16),
                "flag_meanings": " ".join(CONJUNCTION_FLAGS)},
    ),
)  # fmt: skip
CONJUNCTIONS: Final[Mapping[str, Variable]] = {v.name: v for v in _CONJUNCTIONS}
"""Variables of close approaches by name; their status is not that of a propagation."""

ENCOUNTER_RATES: Final = (
    make_coordinate(OTHER, "shell that is met, or the catalogue"),
    *(
        Variable(name, (SHELL, OTHER), units, long_name, comment)
        for name, units, long_name, comment in (
            ("encounters", "1", "encounters within distance_km in the days that were screened", ""),
            ("encounters_per_day", "day-1", "encounters within distance_km a day", ""),
            ("encounters_per_year", "year-1", "encounters within miss_distance_km a year",
             "those of the theory times what is counted over what it expects within distance_km"),
            ("encounters_per_year_error", "year-1", "standard error of encounters_per_year by counting",
             "NaN where none was counted"),
            ("expected_per_day", "day-1", "encounters within distance_km a day by kinetic theory", ""),
            ("expected_per_year", "year-1", "encounters within miss_distance_km a year by kinetic theory", ""),
        )
    ),
    make_coordinate(THRESHOLD, "collision probability above which a manoeuvre is made", units="1"),
    *(
        Variable(name, (SHELL, OTHER, THRESHOLD), "year-1", long_name, comment)
        for name, long_name, comment in (
            ("manoeuvres_per_year", "manoeuvres of all satellites of a shell a year",
             "those that the probability in the encounter plane calls for, with the covariances of the attribute "
             "manoeuvre_covariance"),
            ("manoeuvres_per_year_error", "standard error of manoeuvres_per_year by counting", ""),
        )
    ),
)  # fmt: skip
"""Variables of `encounter_rates`."""

AXIS: Final = "axis"
_SOURCES: Final = {-1: "not_positive", 0: "none", 1: "given", 2: "class", 3: "history", 4: "elements"}
_WORDS: Final = (("1", "first"), ("2", "second"))
_FLAGS: Final = {
    "flag_masks": np.array(list(CONJUNCTION_FLAGS.values()), np.int16),
    "flag_meanings": " ".join(CONJUNCTION_FLAGS),
}
PROBABILITIES: Final[Mapping[str, Variable]] = {
    v.name: v
    for v in (
        *(
            variable
            for k, word in _WORDS
            for variable in (
                Variable(f"sigma_ric_{k}", (EVENT, RIC), "km", f"standard deviation of the position of the {word} object",
                         "along its own radial, in-track and cross-track axes"),
                Variable(f"covariance_source_{k}", (EVENT,), "", f"source of the covariance of the {word} object",
                         "one that is not positive is not used", flags=_SOURCES, content="qualityInformation"),
                Variable(f"covariance_ric_{k}", (EVENT, AXIS, f"{AXIS}_2"), "",
                         f"covariance of the {word} object", "km2, km2 s-1 and km2 s-2; along radial, in-track, cross-track"),
            )
        ),
        Variable("radius", (EVENT,), "km", "sum of the hard-body radii"),
        Variable("pc", (EVENT,), "1", "collision probability in the encounter plane",
                 "Foster and Estes (1992); from public element sets it ranks approaches, and decides on none"),
        Variable("pc_max", (EVENT,), "1", "largest collision probability over all sizes of the covariance",
                 "Alfano (2005), the shape of the covariance kept"),
        Variable("dilution_sigma", (EVENT,), "km", "smaller standard deviation in the encounter plane that gives pc_max",
                 "a larger covariance is diluted: better data would raise the probability"),
        Variable("socrates_max_probability", (EVENT,), "1", "largest collision probability by the convention of SOCRATES",
                 "ratio of deviations of 100, 300 and 100 m for each object, the miss along the longer axis"),
        Variable("socrates_dilution", (EVENT,), "km", "standard deviation that gives socrates_max_probability"),
        Variable("message_probability", (EVENT,), "1", "collision probability that the message states"),
        Variable(STATUS_VARIABLE, (EVENT,), "1", "status of the close approach", content="qualityInformation", others=_FLAGS),
        *(
            variable
            for k, word in _WORDS
            for variable in (
                Variable(f"miss_distance_gradient_{k}", (EVENT, ELEMENT), "",
                         f"derivative of the miss distance by the mean elements of the {word} object",
                         "km per element_units"),
                Variable(f"tca_gradient_{k}", (EVENT, ELEMENT), "",
                         f"derivative of the time of closest approach by the mean elements of the {word} object",
                         "s per element_units"),
            )
        ),
    )
}  # fmt: skip
"""Variables by name."""
