"""Variables that probabilities, gradients and messages add to close approaches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from constellation_jax.outputs.variables import CONJUNCTION_FLAGS, ELEMENT, EVENT, RIC, STATUS_VARIABLE, Variable

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
